//! The light of a QKD link: its fibre, what drifts and what fails in it. Both ends see the same.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::optics::{Conditions, Optics};
use crate::fault::{Fault, FaultStatus, grown};
use crate::model::date_and_time;
use crate::model::types::ChannelUse;
use crate::physics::System;
use crate::qkd_module::model::QuantumChannel;
use crate::random::{Drift, Noise};

/// What is to be known of a link's fibre.
#[derive(Clone, Debug)]
pub(crate) struct Fibre {
    /// Of one fibre from end to end, dB.
    pub(crate) loss_db: f64,
    /// Fibre from the transmitter to each element that the light passes, and to the receiver, km.
    pub(crate) distances_km: Vec<f64>,
    /// There is a second one like it.
    pub(crate) backup: bool,
}

#[derive(Debug)]
pub(crate) struct Light {
    fibre: Fibre,
    noise: Noise,
    loss_drift: Drift,
    misalignment_drift: Drift,
    /// Drawn anew every tick: loss, QBER, visibility, detections.
    pub(crate) jitter: [f64; 4],
    faults: BTreeMap<u64, Injected>,
    channel: Option<Channel>,
    pub(crate) optics: Optics,
}

/// A fault that was injected into a link or a module.
#[derive(Clone, Debug)]
pub(crate) struct Injected {
    pub(crate) fault: Fault,
    pub(crate) at: Timestamp,
    pub(crate) by: String,
    /// The quantum channel in use then, for a fault that stands on it.
    pub(crate) channel: Option<String>,
    /// The end at which it was injected: 0 the transmitter, 1 the receiver. A fault of the fibre stands on the span there.
    pub(crate) end: usize,
}

/// The quantum channel in use. The end that was commanded last leads, and the other follows it over the classical channel.
#[derive(Clone, Debug, PartialEq)]
struct Channel {
    name: String,
    usage: ChannelUse,
}

impl Injected {
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.at);
        self.fault.duration.is_some_and(|seconds| age >= SignedDuration::from_secs(seconds.into()))
    }

    /// Seconds since it was injected.
    pub(crate) fn age(&self, now: Timestamp) -> f64 {
        now.duration_since(self.at).as_secs_f64().max(0.0)
    }

    pub(crate) fn status(&self, number: u64) -> FaultStatus {
        FaultStatus {
            fault_id: format!("fault-{number}"),
            injected: date_and_time(self.at),
            injected_by: self.by.clone(),
            fault: self.fault.clone(),
        }
    }
}

impl Light {
    pub(crate) fn new(system: &System, fibre: Fibre, seed: u64) -> Light {
        let mut noise = Noise::seeded(seed);
        let jitter = [(); 4].map(|()| noise.normal());
        let optics = Optics::at_rest(*system, fibre.loss_db);
        Light {
            fibre,
            noise,
            loss_drift: Drift::new(0.05, 3600.0),
            misalignment_drift: Drift::new(0.001, 1800.0),
            jitter,
            faults: BTreeMap::new(),
            channel: None,
            optics,
        }
    }

    /// A second passes.
    pub(crate) fn step(&mut self) {
        self.loss_drift.step(&mut self.noise);
        self.misalignment_drift.step(&mut self.noise);
        self.jitter = [(); 4].map(|()| self.noise.normal());
    }

    /// What becomes of the light over these losses of the elements that it passes.
    pub(crate) fn shine(
        &mut self,
        passed: &[f64],
        system: System,
        warming: f64,
        lit: bool,
        answered: bool,
        now: Timestamp,
    ) {
        let dark = self.channel.as_ref().is_some_and(|c| c.usage == ChannelUse::Backup) && !self.fibre.backup;
        let spans: f64 = (0..self.fibre.distances_km.len()).map(|span| self.span_loss_db(span, now)).sum();
        let conditions = Conditions {
            system,
            loss_db: if dark { f64::INFINITY } else { spans + passed.iter().sum::<f64>() },
            misalignment: self.misalignment_drift.value(),
            warming,
            lit,
            answered,
        };
        let faults: Vec<(&Fault, f64)> = self.here().map(|injected| (&injected.fault, injected.age(now))).collect();
        self.optics = Optics::new(&conditions, &faults);
    }

    /// Loss of the fibre from the element before to the one that it leads to, dB; infinite where it is cut.
    pub(crate) fn span_loss_db(&self, span: usize, now: Timestamp) -> f64 {
        let last = self.fibre.distances_km.len() - 1;
        let share = self.span_km(span) / self.fibre.distances_km[last];
        let by_design = share * (self.fibre.loss_db + self.loss_drift.value());
        let standing = self.here().filter(|injected| span == if injected.end == 0 { 0 } else { last });
        let added = standing.map(|injected| {
            let cut = if injected.fault.fibre_cut.is_some() { f64::INFINITY } else { 0.0 };
            injected.fault.loss.map_or(cut, |loss| loss.loss * grown(loss.ramp_time, injected.age(now)))
        });
        (by_design + added.sum::<f64>()).max(0.0)
    }

    pub(crate) fn span_km(&self, span: usize) -> f64 {
        self.fibre.distances_km[span] - span.checked_sub(1).map_or(0.0, |before| self.fibre.distances_km[before])
    }

    pub(crate) fn channel(&self) -> Option<&str> {
        self.channel.as_ref().map(|channel| channel.name.as_str())
    }

    /// An end takes another quantum channel into use.
    pub(crate) fn take_channel(&mut self, channel: &QuantumChannel) {
        self.channel = Some(Channel { name: channel.name.clone(), usage: channel.usage });
    }

    /// All faults of the light, by their numbers.
    pub(crate) fn faults(&self) -> &BTreeMap<u64, Injected> {
        &self.faults
    }

    pub(crate) fn inject(&mut self, number: u64, injected: Injected) {
        self.faults.insert(number, injected);
    }

    pub(crate) fn clear(&mut self, number: u64) -> Option<Injected> {
        self.faults.remove(&number)
    }

    /// Takes away the faults whose time is over.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<(u64, Injected)> {
        self.faults.extract_if(.., |_, injected| injected.is_over(now)).collect()
    }

    /// The faults that have effect on the channel in use.
    fn here(&self) -> impl Iterator<Item = &Injected> {
        let channel = self.channel();
        self.faults.values().filter(move |i| !i.fault.is_of_channel() || i.channel.as_deref() == channel)
    }
}
