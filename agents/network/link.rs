//! One QKD link: the light, the modules at its two ends, and the key that they make.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::LinkView;
use super::light::{Fibre, Injected, Light};
use super::path::{Crossing, Element, PortLight, Way};
use crate::driver::DriverError;
use crate::fault::{Fault, FaultStatus};
use crate::physics::System;
use crate::qkd_module::diagnostic::MEASURABLE_LOSS_DB;
use crate::qkd_module::model::{Config, Role};
use crate::qkd_module::{Parameters, SimulatedDevice, configured};
use crate::topology::{Link, Topology, Via};

/// Faults at once at one end, the link's included. More are refused.
pub(crate) const MAX_FAULTS: usize = 64;

/// What a link is, for good.
#[derive(Clone, Debug)]
pub(crate) struct Design {
    pub(crate) link_id: String,
    pub(crate) km_link_id: String,
    pub(crate) km_ids: [String; 2],
    /// Of the transmitter and of the receiver.
    pub(crate) module_ids: [String; 2],
    pub(crate) system: System,
    pub(crate) seed: u64,
    pub(crate) fibre: Fibre,
    /// From end to end, what the light passes included, dB.
    pub(crate) loss_db: f64,
    pub(crate) path: Vec<Crossing>,
}

#[derive(Debug)]
pub(crate) struct QkdLink {
    pub(crate) design: Design,
    light: Light,
    /// The transmitter and the receiver.
    ends: [SimulatedDevice; 2],
    /// What each element of the path lets through now.
    ways: Vec<Option<Way>>,
    secret_bits: f64,
    last_key: Option<Timestamp>,
    now: Timestamp,
}

impl Design {
    pub(crate) fn of(topology: &Topology, link: &Link) -> Design {
        let crossing = |via: &Via| Crossing {
            element_id: topology.element_id(&via.element),
            input: via.input.clone(),
            output: via.output.clone(),
        };
        // FNV-1a, so that links of one seed differ, and one link does not when another is added.
        Design {
            link_id: topology.link_id(&link.name),
            km_link_id: topology.km_link_id(&link.from, &link.to),
            km_ids: [topology.km_id(&link.from), topology.km_id(&link.to)],
            module_ids: ["tx", "rx"].map(|end| topology.resource_id("module", &format!("{}-{end}", link.name))),
            system: topology.system_of(link),
            seed: topology.seed_of(&link.name),
            fibre: Fibre {
                loss_db: topology.fibre_loss_db(link),
                distances_km: link.distances_km(),
                backup: link.backup_channel,
            },
            loss_db: topology.design_loss_db(link),
            path: link.via.iter().map(crossing).collect(),
        }
    }

    /// Of a module that has a link of its own, with a second fibre and a peer that nobody manages.
    pub(crate) fn alone(parameters: &Parameters) -> Design {
        let peer_id = format!("{}:peer", parameters.module_id);
        let mut module_ids = [parameters.module_id.clone(), peer_id];
        if end(parameters.role) == 1 {
            module_ids.reverse();
        }
        let loss_db = parameters.system.loss_db(parameters.length_km) + parameters.extra_loss_db;
        Design {
            link_id: parameters.link_id.clone(),
            km_link_id: format!("{}:km-link", parameters.link_id),
            km_ids: ["from", "to"].map(|end| format!("{}:km-{end}", parameters.link_id)),
            module_ids,
            system: parameters.system,
            seed: parameters.seed,
            fibre: Fibre { loss_db, distances_km: vec![parameters.length_km], backup: true },
            loss_db,
            path: Vec::new(),
        }
    }

    /// The module at an end.
    fn module(&self, role: Role) -> Parameters {
        Parameters {
            module_id: self.module_ids[end(role)].clone(),
            link_id: self.link_id.clone(),
            role,
            system: self.system,
            seed: self.seed,
            length_km: self.fibre.distances_km[self.fibre.distances_km.len() - 1],
            extra_loss_db: 0.0,
        }
    }
}

/// The place of a role among the ends of a link.
pub(crate) fn end(role: Role) -> usize {
    match role {
        Role::Transmitter => 0,
        Role::Receiver => 1,
    }
}

impl QkdLink {
    pub(crate) fn new(design: Design, now: Timestamp) -> QkdLink {
        let module = |role| SimulatedDevice::new(design.module(role), design.loss_db, now);
        let light = Light::new(&design.system, design.fibre.clone(), design.seed);
        QkdLink {
            ends: [module(Role::Transmitter), module(Role::Receiver)],
            light,
            ways: Vec::new(),
            secret_bits: 0.0,
            last_key: None,
            now,
            design,
        }
    }

    /// A second passes, and `now` is when it is over.
    pub(crate) fn tick(&mut self, now: Timestamp, elements: &BTreeMap<String, Element>) {
        self.light.step();
        self.ends.iter_mut().for_each(|end| end.step());
        self.settle(now, elements);
        self.ends.iter_mut().for_each(SimulatedDevice::judge);
        self.look();
        self.ends.iter_mut().for_each(SimulatedDevice::count);
        let made = self.secret_key_rate();
        self.secret_bits += made;
        if made > 0.0 {
            self.last_key = Some(now);
        }
    }

    /// Brings what is seen up to date with what was done at this moment.
    pub(crate) fn settle(&mut self, now: Timestamp, elements: &BTreeMap<String, Element>) {
        self.now = now;
        for (number, injected) in self.light.expire(now) {
            self.ends[injected.end].tell_expired(number, &injected.by);
        }
        self.ends.iter_mut().for_each(|end| end.live(now));
        let way = |crossing: &Crossing| elements.get(&crossing.element_id)?.way(&self.design.link_id, crossing);
        self.ways = self.design.path.iter().map(way).collect();
        self.look();
    }

    /// The light as it follows from faults, configuration and drift, and what both modules make of it.
    fn look(&mut self) {
        let [transmitter, receiver] = &self.ends;
        let passed: Vec<f64> =
            self.ways.iter().map(|way| way.as_ref().map_or(f64::INFINITY, |way| way.loss_db)).collect();
        let system = configured(&self.design.system, transmitter.source(), receiver.source());
        let answered = transmitter.answers() && receiver.answers();
        self.light.shine(&passed, system, receiver.warming(), transmitter.is_lit(), answered, self.now);
        self.ends.iter_mut().for_each(|end| end.see(&self.light, system));
        let [transmitter, receiver] = &mut self.ends;
        let (at_transmitter, at_receiver) = (transmitter.stance(), receiver.stance());
        transmitter.conclude(at_receiver);
        receiver.conclude(at_transmitter);
    }

    pub(crate) fn device(&self, end: usize) -> &SimulatedDevice {
        &self.ends[end]
    }

    pub(crate) fn device_mut(&mut self, end: usize) -> &mut SimulatedDevice {
        &mut self.ends[end]
    }

    /// Puts a checked configuration of the module at an end into effect.
    pub(crate) fn configure(&mut self, end: usize, config: Config) {
        let old = &self.ends[end].config;
        let name = |config: &Config| config.channel().map(|channel| channel.name.clone());
        let commanded = config.active_channel.is_some() || old.active_channel.is_some();
        if let Some(channel) = config.channel().filter(|_| name(old) != name(&config))
            && (commanded || self.light.channel().is_none())
        {
            self.light.take_channel(channel);
        }
        self.ends[end].configure(config);
    }

    /// A fault from now on, injected at an end; its identifier. `numbers` counts the faults of the network.
    pub(crate) fn inject(
        &mut self,
        end: usize,
        fault: Fault,
        by: &str,
        numbers: &mut u64,
    ) -> Result<String, DriverError> {
        self.ends[end].check_fault(&fault)?;
        if self.light.faults().len() + self.ends[end].faults.len() >= MAX_FAULTS {
            return Err(DriverError::Failed(format!("there are {MAX_FAULTS} faults already; clear one first")));
        }
        *numbers += 1;
        let (number, channel) = (*numbers, self.light.channel().map(str::to_owned));
        let (of_link, kind) = (fault.is_of_link(), fault.kind().unwrap_or_default());
        let injected = Injected { fault, at: self.now, by: by.to_owned(), channel, end };
        self.ends[end].tell_log("fault-injected", format!("fault-{number}: {kind}"), by);
        if of_link {
            self.light.inject(number, injected);
            self.ends.iter_mut().for_each(SimulatedDevice::tell_conditions);
        } else {
            self.ends[end].inject(number, injected);
        }
        Ok(format!("fault-{number}"))
    }

    /// Takes away one fault that an end lists, or all; how many.
    pub(crate) fn clear(&mut self, end: usize, id: Option<&str>, by: &str) -> Result<u32, DriverError> {
        let listed: Vec<u64> = self.light.faults().keys().chain(self.ends[end].faults.keys()).copied().collect();
        let cleared: Vec<u64> = match id {
            None => listed,
            Some(id) => {
                let number = id.strip_prefix("fault-").and_then(|number| number.parse().ok());
                let known = number.filter(|number| listed.contains(number));
                vec![known.ok_or_else(|| DriverError::Missing(format!("there is no fault {id}")))?]
            }
        };
        for number in &cleared {
            if self.light.clear(*number).is_some() {
                self.ends.iter_mut().for_each(SimulatedDevice::tell_conditions);
            } else {
                self.ends[end].faults.remove(number);
            }
            self.ends[end].tell_log("fault-cleared", format!("fault-{number}"), by);
        }
        Ok(u32::try_from(cleared.len()).expect("at most MAX_FAULTS"))
    }

    /// The faults that an end lists: the link's and its own, in the order in which they were injected.
    pub(crate) fn faults(&self, end: usize) -> Vec<FaultStatus> {
        let both = self.light.faults().iter().chain(&self.ends[end].faults);
        let sorted: BTreeMap<u64, FaultStatus> = both.map(|(number, i)| (*number, i.status(*number))).collect();
        sorted.into_values().collect()
    }

    /// Sends what the modules have to tell.
    pub(crate) fn tell(&mut self) {
        self.ends.iter_mut().for_each(SimulatedDevice::tell);
    }

    /// Key is made only where both ends make it, bit/s.
    fn secret_key_rate(&self) -> f64 {
        let [transmitter, receiver] = &self.ends;
        transmitter.secret_key_rate().min(receiver.secret_key_rate())
    }

    pub(crate) fn view(&self) -> LinkView {
        let (optics, rate) = (&self.light.optics, self.secret_key_rate());
        LinkView {
            link_id: self.design.link_id.clone(),
            up: rate > 0.0,
            light: optics.light,
            loss_db: optics.loss_db,
            qber: optics.point.qber,
            secret_key_rate: rate,
            secret_bits: self.secret_bits,
            classical_loss: optics.classical_loss,
            last_key: self.last_key,
        }
    }

    pub(crate) fn passes(&self, element_id: &str) -> bool {
        self.design.path.iter().any(|crossing| crossing.element_id == element_id)
    }

    /// The resources that are concerned when the link changes: itself, what it passes, the KM link and the KMs that it feeds.
    pub(crate) fn concerned(&self) -> impl Iterator<Item = &str> {
        let design = &self.design;
        let path = design.path.iter().map(|crossing| crossing.element_id.as_str());
        let own = [design.link_id.as_str(), design.km_link_id.as_str()];
        path.chain(own).chain(design.km_ids.iter().map(String::as_str))
    }

    /// The light of the link where it enters and leaves an element.
    pub(crate) fn light_at(&self, element_id: &str) -> Vec<PortLight> {
        let mut seen = Vec::new();
        let mut power = if self.ends[0].is_lit() { self.light.optics.laser_dbm } else { f64::NEG_INFINITY };
        for (at, (crossing, way)) in self.design.path.iter().zip(&self.ways).enumerate() {
            let mut see = |port: &str, incoming, span, power: f64| {
                let lit = power > -MEASURABLE_LOSS_DB;
                seen.push(PortLight {
                    port: port.to_owned(),
                    link_id: self.design.link_id.clone(),
                    incoming,
                    power_dbm: lit.then_some(power),
                    span_loss_db: self.light.span_loss_db(span, self.now),
                    span_km: self.light.span_km(span),
                    qber: lit.then_some(self.light.optics.point.qber),
                });
            };
            let (input, output) = match way {
                Some(way) => (&way.input, &way.output),
                None => (&crossing.input, &crossing.output),
            };
            power -= self.light.span_loss_db(at, self.now);
            if crossing.element_id == element_id {
                see(input, true, at, power);
            }
            power -= way.as_ref().map_or(f64::INFINITY, |way| way.loss_db);
            if crossing.element_id == element_id {
                see(output, false, at + 1, power);
            }
        }
        seen
    }
}
