//! The simulated relay point as a state machine. It joins at once: nothing in it moves.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::super::catalogue::{alarm_type, quantity};
use super::super::model::{Config, Operational, Relay, RelayState, Segment, SegmentState, State};
use crate::chassis::{Chassis, Machine, name};
use crate::driver::{Condition, DriverError, Reading, Sample};
use crate::fault::Fault;
use crate::model::common::Resource;
use crate::model::date_and_time;
use crate::model::types::{ChannelState, Equipment};
use crate::network::{ElementView, Network, Passage, PortLight};
use crate::state::{AdminState, OperState};

const RELAY_POINT_KIND: &str = "qkdn-types:quantum-relay-point";
const SEGMENT_KIND: &str = "qkdn-types:quantum-channel";
const RELAY_KIND: &str = "qkdn-types:cross-connect";

/// The kinds of faults of qkdn-simulation that the relay point can have.
const FAULTS: &[&str] = &["relay-point-failure", "temperature"];

/// Change of loss that the network is told: less is no reason to wake those who watch its links.
const TOLD_LOSS_DB: f64 = 0.05;

/// Longest resource identifier (qkdn-types).
const LONGEST_ID: usize = 255;

#[derive(Debug)]
pub struct SimulatedDevice {
    chassis: Chassis,
    design: ElementView,
    network: Arc<Network>,
    config: Config,
    /// Before that nothing is known to be wanted, and the relay point stays as it is.
    configured: bool,
    told: Vec<Passage>,
    /// Latest, at the segments.
    light: Vec<PortLight>,
}

impl SimulatedDevice {
    /// Unconfigured, joined as the network has it; none where the network has no such relay point.
    pub fn new(network: Arc<Network>, relay_point_id: &str, now: Timestamp) -> Option<Self> {
        let design = network.element(relay_point_id, now)?;
        Some(SimulatedDevice {
            chassis: Chassis::new(relay_point_id, design.seed, now),
            told: design.passages.clone(),
            design,
            network,
            config: Config::default(),
            configured: false,
            light: Vec::new(),
        })
    }

    pub fn check(&self, old: &Config, new: &Config) -> Result<(), DriverError> {
        DriverError::check_step("service-state", old.service_state, new.service_state)?;
        let unknown = new.segment.iter().find(|segment| !self.design.ports.contains(&segment.name));
        if let Some(Segment { name, .. }) = unknown {
            let has = self.design.ports.join(", ");
            let reason = format!("the relay point has no segment {name}; it has {has}");
            return Err(DriverError::refused(&format!("segment[name='{name}']"), reason));
        }
        let mut used: BTreeMap<&str, &str> = BTreeMap::new();
        for Relay { name, first, second, enabled, .. } in &new.relay {
            let leaf = |leaf: &str| format!("relay[name='{name}']/{leaf}");
            if self.relay_id(name).len() > LONGEST_ID {
                return Err(DriverError::refused(&leaf("name"), "its resource identifier would be too long"));
            }
            for (end, segment) in [("first", first), ("second", second)].into_iter().filter(|_| *enabled) {
                if let Some(other) = used.insert(segment, name) {
                    let reason = format!("segment {segment} is joined by {other}, which is enabled too");
                    return Err(DriverError::refused(&leaf(end), reason));
                }
            }
        }
        Ok(())
    }

    /// Works by a checked configuration from now on.
    pub fn configure(&mut self, config: Config) {
        let id = self.chassis.id.clone();
        for (state, old, new) in [
            ("admin-state", name(&self.config.admin_state), name(&config.admin_state)),
            ("service-state", name(&self.config.service_state), name(&config.service_state)),
        ] {
            if old != new {
                self.chassis.tell_change(&id, RELAY_POINT_KIND, state, old, new, "configured");
            }
        }
        self.config = config;
        self.configured = true;
    }

    pub fn sample(&self) -> Sample {
        let mut readings = Vec::new();
        let mut read = |target: &str, quantity, value: Option<f64>| {
            readings.extend(value.map(|value| Reading { target: target.to_owned(), quantity, value }));
        };
        for segment in &self.design.ports {
            let (id, known) = (self.segment_id(segment), self.known(segment));
            read(&id, quantity::CHANNEL_LOSS, self.loss_of(segment));
            read(&id, quantity::EXPECTED_ATTENUATION, known.and_then(|known| known.expected_attenuation));
        }
        for relay in &self.config.relay {
            read(&self.relay_id(&relay.name), quantity::QBER, self.qber(relay));
        }
        read(&self.chassis.id, quantity::MODULE_TEMPERATURE, Some(self.chassis.temperature()));
        Sample { readings, conditions: self.chassis.conditions().to_vec() }
    }

    pub fn operational(&self) -> Operational {
        let chassis = &self.chassis;
        let segment = |name: &String| SegmentState {
            name: name.clone(),
            resource_id: self.segment_id(name),
            channel_state: self.channel_state(name),
            channel_loss: self.loss_of(name),
        };
        let relay = |relay: &Relay| RelayState {
            name: relay.name.clone(),
            oper_state: chassis.oper_state(&self.relay_id(&relay.name)),
            qber: self.qber(relay),
        };
        let state = State {
            relay_point_id: chassis.id.clone(),
            oper_state: chassis.oper_state(&chassis.id),
            boot_time: date_and_time(chassis.booted),
            last_change: date_and_time(chassis.last_change()),
            temperature: chassis.temperature(),
            equipment: Equipment {
                vendor: "simulated".to_owned(),
                model: format!("quantum relay point, {} segments", self.design.ports.len()),
                serial_number: format!("{:016x}", self.design.seed),
                hardware_revision: "1".to_owned(),
                software_revision: env!("CARGO_PKG_VERSION").to_owned(),
            },
            segment: self.design.ports.iter().map(segment).collect(),
            relay: self.config.relay.iter().map(relay).collect(),
        };
        Operational { state, resource: self.resources() }
    }

    /// Their identifiers are made of the relay point's, so they outlive a restart.
    fn resources(&self) -> Vec<Resource> {
        let (chassis, config) = (&self.chassis, &self.config);
        let part = |resource_id: String, description: String, kind| Resource {
            description,
            kind,
            parent: Some(chassis.id.clone()),
            peer: None,
            admin_state: None,
            service_state: None,
            oper_state: chassis.oper_state(&resource_id),
            last_change: Some(date_and_time(chassis.changed(&resource_id))),
            resource_id,
        };
        let description = config.description.clone().unwrap_or_else(|| "Simulated quantum relay point".to_owned());
        let point = Resource {
            parent: None,
            admin_state: Some(config.admin_state),
            service_state: Some(config.service_state),
            ..part(chassis.id.clone(), description, RELAY_POINT_KIND)
        };
        let segments = self.design.ports.iter().map(|segment| Resource {
            peer: self.known(segment).and_then(|known| known.link_id.clone()),
            ..part(self.segment_id(segment), format!("Span {segment} of a QKD link"), SEGMENT_KIND)
        });
        let relays = config.relay.iter().map(|relay| {
            let description = format!("Pair of spans {} and {}", relay.first, relay.second);
            part(self.relay_id(&relay.name), description, RELAY_KIND)
        });
        std::iter::once(point).chain(segments).chain(relays).collect()
    }

    fn segment_id(&self, segment: &str) -> String {
        format!("{}:segment:{segment}", self.chassis.id)
    }

    fn relay_id(&self, relay: &str) -> String {
        format!("{}:relay:{relay}", self.chassis.id)
    }

    fn known(&self, segment: &str) -> Option<&Segment> {
        self.config.segment.iter().find(|known| known.name == segment)
    }

    fn lit(&self, segment: &str) -> Option<&PortLight> {
        self.light.iter().find(|light| light.port == segment)
    }

    /// Nothing where there is no fibre, or none that light comes through.
    fn loss_of(&self, segment: &str) -> Option<f64> {
        self.lit(segment).map(|light| light.span_loss_db).filter(|loss| loss.is_finite())
    }

    fn channel_state(&self, segment: &str) -> ChannelState {
        match self.lit(segment) {
            None => ChannelState::Unknown,
            Some(light) if light.power_dbm.is_some() => ChannelState::Up,
            Some(_) => ChannelState::Down,
        }
    }

    /// Percent; nothing unless the pair is joined and light passes it.
    fn qber(&self, relay: &Relay) -> Option<f64> {
        let joined = self.is_joined(relay) && self.lit(&relay.first).is_some();
        let qber = self.lit(&relay.second).filter(|_| joined).and_then(|light| light.qber);
        qber.map(|qber| qber * 100.0)
    }

    fn is_joined(&self, relay: &Relay) -> bool {
        let (first, second) = (&relay.first, &relay.second);
        self.told.iter().any(|passage| (&passage.input, &passage.output) == (first, second))
    }

    fn fails(&self) -> bool {
        self.chassis.faults().any(|fault| fault.relay_point_failure.is_some())
    }

    /// The link that a pair serves: that of a segment's span, whose identifier may name the span behind the link's; else the only one here.
    fn link_of(&self, relay: &Relay) -> Option<String> {
        let named = [&relay.first, &relay.second].into_iter().filter_map(|name| self.known(name)?.link_id.as_deref());
        let mut links = named.filter_map(|span| {
            let is_of = |link: &&String| {
                span.strip_prefix(link.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
            };
            self.design.link_ids.iter().find(is_of)
        });
        let only = || self.design.link_ids.first().filter(|_| self.design.link_ids.len() == 1);
        links.next().or_else(only).cloned()
    }

    /// Tells the network what is joined. Called with the device locked: what the network wakes must not wait for this device.
    fn pass_light(&mut self) {
        let loss_db = (self.design.insertion_loss_db + self.chassis.loss_drift()).max(0.0);
        let passage = |relay: &Relay| Passage {
            input: relay.first.clone(),
            output: relay.second.clone(),
            loss_db,
            link_id: self.link_of(relay),
        };
        let wanted = self.config.wanted().into_iter().filter(|_| !self.fails());
        let passages: Vec<Passage> = wanted.map(passage).collect();
        let alike = |(one, other): (&Passage, &Passage)| {
            (&one.input, &one.output, &one.link_id) == (&other.input, &other.output, &other.link_id)
                && (one.loss_db - other.loss_db).abs() < TOLD_LOSS_DB
        };
        if passages.len() != self.told.len() || !passages.iter().zip(&self.told).all(alike) {
            self.told.clone_from(&passages);
            self.network.set_passages(&self.chassis.id, passages, self.chassis.now);
        }
    }

    fn judged_states(&self) -> Vec<(String, &'static str, OperState)> {
        let point = if self.fails() {
            OperState::Failed
        } else if self.config.admin_state == AdminState::Disabled {
            OperState::Down
        } else {
            OperState::Operational
        };
        let segment = |name: &String| {
            let state = match self.channel_state(name) {
                ChannelState::Unknown => OperState::Unknown,
                ChannelState::Up => OperState::Operational,
                ChannelState::Degraded => OperState::Degraded,
                ChannelState::Down => OperState::Down,
            };
            (self.segment_id(name), SEGMENT_KIND, state)
        };
        let relay = |relay: &Relay| {
            let state = match (self.fails(), self.is_joined(relay)) {
                (true, _) => OperState::Failed,
                (false, true) => OperState::Operational,
                (false, false) => OperState::Down,
            };
            (self.relay_id(&relay.name), RELAY_KIND, state)
        };
        let point = std::iter::once((self.chassis.id.clone(), RELAY_POINT_KIND, point));
        let segments = self.design.ports.iter().map(segment);
        point.chain(segments).chain(self.config.relay.iter().map(relay)).collect()
    }
}

impl Machine for SimulatedDevice {
    fn chassis(&mut self) -> &mut Chassis {
        &mut self.chassis
    }

    fn settle(&mut self) {
        if self.configured {
            self.pass_light();
        }
        self.light = self.network.light_at(&self.chassis.id, self.chassis.now);
        let fails = self.fails();
        let condition = Condition {
            resource: self.chassis.id.clone(),
            alarm_type: alarm_type::RELAY_POINT_FAULT,
            text: "The quantum relay point joins nothing".to_owned(),
        };
        let states = self.judged_states();
        self.chassis.enter(states, if fails { "equipment fails" } else { "measured" });
        self.chassis.hold(fails.then_some(condition).into_iter().collect());
    }

    fn moved(&self) -> Timestamp {
        self.chassis.booted
    }

    fn check_fault(&self, fault: &Fault) -> Result<(), DriverError> {
        if !fault.kind().is_some_and(|kind| FAULTS.contains(&kind)) {
            let reason = "a simulated quantum relay point has no fault of this kind";
            return Err(DriverError::Unsupported(reason.to_owned()));
        }
        let known = |id: &str| self.resources().iter().any(|resource| resource.resource_id == id);
        match fault.resource_id.as_deref().filter(|id| !known(id)) {
            Some(id) => Err(DriverError::refused("resource-id", format!("the relay point has no resource {id}"))),
            None => Ok(()),
        }
    }

    fn network(&self) -> &Network {
        &self.network
    }
}
