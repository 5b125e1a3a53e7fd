//! One QKD link: its fibre, its light, what drifts and what fails in it. Both ends see the same.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::LinkView;
use super::optics::{Optics, Wander};
use super::path::{Crossing, Element, PortLight};
use crate::physics::{System, error_rate_limit};
use crate::random::{Drift, Noise};
use crate::topology::{Link, Topology};

/// What a link is, for good.
#[derive(Clone, Debug)]
pub(crate) struct Design {
    pub(crate) link_id: String,
    pub(crate) km_link_id: String,
    pub(crate) km_ids: [String; 2],
    pub(crate) system: System,
    pub(crate) seed: u64,
    pub(crate) length_km: f64,
    /// Of the fibre from end to end, dB.
    pub(crate) fibre_loss_db: f64,
    /// There is a second fibre.
    pub(crate) backup: bool,
    pub(crate) path: Vec<Crossing>,
    /// Fibre from the transmitter to each crossing and to the receiver, km.
    pub(crate) distances_km: Vec<f64>,
}

#[derive(Debug)]
pub(crate) struct QkdLink {
    pub(crate) design: Design,
    noise: Noise,
    loss_drift: Drift,
    misalignment_drift: Drift,
    optics: Optics,
    made: f64,
    secret_bits: f64,
    last_key: Option<Timestamp>,
}

impl Design {
    pub(crate) fn of(topology: &Topology, link: &Link) -> Design {
        let crossing = |via: &crate::topology::Via| Crossing {
            element_id: topology.element_id(&via.element),
            input: via.input.clone(),
            output: via.output.clone(),
        };
        Design {
            link_id: topology.link_id(&link.name),
            km_link_id: topology.km_link_id(&link.from, &link.to),
            km_ids: [topology.km_id(&link.from), topology.km_id(&link.to)],
            system: topology.system_of(link),
            seed: link
                .name
                .bytes()
                .fold(topology.seed, |seed, byte| seed.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte)),
            length_km: link.length_km,
            fibre_loss_db: topology.fibre_loss_db(link),
            backup: link.backup_channel,
            path: link.via.iter().map(crossing).collect(),
            distances_km: link.distances_km(),
        }
    }
}

impl QkdLink {
    pub(crate) fn of(topology: &Topology, link: &Link) -> QkdLink {
        QkdLink::new(Design::of(topology, link))
    }

    pub(crate) fn new(design: Design) -> QkdLink {
        QkdLink {
            noise: Noise::seeded(design.seed),
            loss_drift: Drift::new(0.05, 3600.0),
            misalignment_drift: Drift::new(0.001, 1800.0),
            optics: Optics::new(&design.system, design.fibre_loss_db, Wander::default(), &[]),
            design,
            made: 0.0,
            secret_bits: 0.0,
            last_key: None,
        }
    }

    pub(crate) fn tick(&mut self, now: Timestamp, elements: &BTreeMap<String, Element>) {
        self.loss_drift.step(&mut self.noise);
        self.misalignment_drift.step(&mut self.noise);
        self.settle(now, elements);
        self.made = self.view().secret_key_rate;
        self.secret_bits += self.made;
        if self.made > 0.0 {
            self.last_key = Some(now);
        }
    }

    pub(crate) fn settle(&mut self, _now: Timestamp, elements: &BTreeMap<String, Element>) {
        let passed: f64 = self.design.path.iter().map(|crossing| self.loss_at(crossing, elements)).sum();
        let wander = Wander {
            loss_db: self.loss_drift.value(),
            misalignment: self.misalignment_drift.value(),
            module_celsius: 0.0,
        };
        self.optics = Optics::new(&self.design.system, self.design.fibre_loss_db + passed, wander, &[]);
    }

    fn loss_at(&self, crossing: &Crossing, elements: &BTreeMap<String, Element>) -> f64 {
        let way = elements.get(&crossing.element_id).and_then(|element| element.way(&self.design.link_id, crossing));
        way.map_or(f64::INFINITY, |way| way.loss_db)
    }

    /// Secret key made in the tick just over, bit.
    pub(crate) fn made(&self) -> f64 {
        self.made
    }

    pub(crate) fn view(&self) -> LinkView {
        let optics = &self.optics;
        let rate = optics.point.vacuum_weak.secret_key_rate;
        let up = optics.light && optics.synchronized && optics.point.qber < error_rate_limit(1.0) && rate > 0.0;
        LinkView {
            link_id: self.design.link_id.clone(),
            up,
            light: optics.light,
            loss_db: optics.loss_db,
            qber: optics.point.qber,
            secret_key_rate: if up { rate } else { 0.0 },
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
        path.chain([design.link_id.as_str(), design.km_link_id.as_str()])
            .chain(design.km_ids.iter().map(String::as_str))
    }

    /// The light of the link where it enters and leaves an element.
    pub(crate) fn light_at(&self, element_id: &str, elements: &BTreeMap<String, Element>) -> Vec<PortLight> {
        let mut seen = Vec::new();
        let mut lost = 0.0;
        let mut passed = 0.0;
        for (at, crossing) in self.design.path.iter().enumerate() {
            let span = |to: usize, from: f64| self.design.distances_km[to] - from;
            let share = |km: f64| self.design.fibre_loss_db * km / self.design.length_km;
            let (before, after) = (span(at, passed), span(at + 1, self.design.distances_km[at]));
            let way = elements.get(&crossing.element_id).and_then(|e| e.way(&self.design.link_id, crossing));
            lost += share(before);
            passed = self.design.distances_km[at];
            let light = |port: &str, incoming, lost: f64, km: f64| {
                let power = self.optics.laser_dbm - lost;
                let lit = power.is_finite() && power > -super::optics::DARK_BELOW_DB;
                PortLight {
                    port: port.to_owned(),
                    link_id: self.design.link_id.clone(),
                    incoming,
                    power_dbm: lit.then_some(power),
                    span_loss_db: share(km),
                    qber: lit.then_some(self.optics.point.qber),
                    span_km: km,
                }
            };
            let here = crossing.element_id == element_id;
            if here {
                seen.push(light(way.as_ref().map_or(&crossing.input, |way| &way.input), true, lost, before));
            }
            lost += way.as_ref().map_or(f64::INFINITY, |way| way.loss_db);
            if here {
                seen.push(light(way.as_ref().map_or(&crossing.output, |way| &way.output), false, lost, after));
            }
        }
        seen
    }
}
