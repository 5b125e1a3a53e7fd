//! The store of keys that two KMs share (Y.3803, Y.3804 clause 9.2.2): how many there are, how old, which identifiers they have; no keys.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

#[cfg(test)]
mod tests;

/// Keys made within this time form one batch.
const BATCH: SignedDuration = SignedDuration::from_mins(1);

/// Batches kept apart, a day's worth. More: the two oldest become one, whose keys count as old as the oldest.
const MAX_BATCHES: usize = 1440;

/// Memory of a rate, in steps of a second: what is told of a rate is told of the last minute.
const RATE_MEMORY: f64 = 60.0;

/// Keys of one size that were made one after the other; the oldest are used first, so both ends name them alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Serial number of the first, counted from 0 in its store.
    pub first: u64,
    pub keys: u64,
    /// Size of each.
    pub bits: u32,
}

impl Run {
    pub fn total_bits(&self) -> u64 {
        self.keys * u64::from(self.bits)
    }
}

#[derive(Clone, Debug)]
pub struct Store {
    name: Arc<str>,
    /// Oldest first.
    batches: VecDeque<Batch>,
    /// Bits that are no whole key yet.
    begun: f64,
    next: u64,
    bits: u64,
    keys: u64,
    arrived: Rate,
    taken: Rate,
    /// In the step that runs.
    arrived_now: f64,
    taken_now: u64,
}

#[derive(Clone, Copy, Debug)]
struct Batch {
    made: Timestamp,
    run: Run,
}

impl Store {
    /// An empty store; `name` begins the identifiers of its keys.
    pub fn new(name: &str) -> Self {
        Store {
            name: name.into(),
            batches: VecDeque::new(),
            begun: 0.0,
            next: 0,
            bits: 0,
            keys: 0,
            arrived: Rate::default(),
            taken: Rate::default(),
            arrived_now: 0.0,
            taken_now: 0,
        }
    }

    /// What the identifiers of its keys begin with: `NAME-SERIAL`.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub fn bits(&self) -> u64 {
        self.bits
    }

    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// When the oldest key was made.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.batches.front().map(|batch| batch.made)
    }

    /// bit/s; 0 before the first step.
    pub fn arrival_rate(&self) -> f64 {
        self.arrived.value().unwrap_or(0.0)
    }

    /// bit/s; 0 before the first step.
    pub fn consumption_rate(&self) -> f64 {
        self.taken.value().unwrap_or(0.0)
    }

    /// Puts key in by hand, which counts for no rate.
    pub fn stock(&mut self, bits: f64, key_bits: u32, maximum: u64, now: Timestamp) -> Option<Run> {
        let run = self.add(bits, key_bits, maximum, now);
        self.arrived_now -= bits;
        run
    }

    /// Makes keys of this size of what arrives. What the store has no room for below `maximum` bits is thrown away.
    pub fn add(&mut self, bits: f64, key_bits: u32, maximum: u64, now: Timestamp) -> Option<Run> {
        self.arrived_now += bits;
        self.begun += bits;
        let size = u64::from(key_bits);
        let made = (self.begun / f64::from(key_bits)).floor();
        self.begun -= made * f64::from(key_bits);
        let keys = (made as u64).min(maximum.saturating_sub(self.bits) / size);
        if keys == 0 {
            return None;
        }
        let run = Run { first: self.next, keys, bits: key_bits };
        self.next += keys;
        self.keys += keys;
        self.bits += run.total_bits();
        match self.batches.back_mut() {
            Some(last) if last.run.bits == key_bits && now.duration_since(last.made) < BATCH => last.run.keys += keys,
            _ => self.batches.push_back(Batch { made: now, run }),
        }
        self.merge_oldest();
        Some(run)
    }

    /// Takes the oldest keys, as many whole ones as make up `bits`, or all there are.
    pub fn take(&mut self, bits: u64) -> Vec<Run> {
        let mut runs = Vec::new();
        let mut wanted = bits;
        while wanted > 0 {
            let Some(front) = self.batches.front_mut() else { break };
            let keys = wanted.div_ceil(u64::from(front.run.bits)).min(front.run.keys);
            let run = Run { keys, ..front.run };
            front.run.first += keys;
            front.run.keys -= keys;
            if front.run.keys == 0 {
                self.batches.pop_front();
            }
            wanted = wanted.saturating_sub(run.total_bits());
            self.count_out(&run);
            runs.push(run);
        }
        runs
    }

    /// Takes the keys that are older than `lifetime`.
    pub fn expire(&mut self, lifetime: SignedDuration, now: Timestamp) -> Vec<Run> {
        let mut runs = Vec::new();
        while let Some(batch) = self.batches.pop_front_if(|batch| now.duration_since(batch.made) >= lifetime) {
            self.keys -= batch.run.keys;
            self.bits -= batch.run.total_bits();
            runs.push(batch.run);
        }
        runs
    }

    /// Ends a step of one second: what came and went in it counts for the rates.
    pub fn step(&mut self) {
        self.arrived.step(std::mem::take(&mut self.arrived_now));
        self.taken.step(std::mem::take(&mut self.taken_now) as f64);
    }

    fn count_out(&mut self, run: &Run) {
        self.keys -= run.keys;
        self.bits -= run.total_bits();
        self.taken_now += run.total_bits();
    }

    fn merge_oldest(&mut self) {
        if self.batches.len() <= MAX_BATCHES {
            return;
        }
        let sizes = self.batches.get(1).map(|second| second.run.bits);
        if let (Some(first), true) = (self.batches.front().copied(), sizes == self.batches.front().map(|b| b.run.bits))
        {
            self.batches.pop_front();
            if let Some(second) = self.batches.front_mut() {
                second.made = first.made;
                second.run.first = first.run.first;
                second.run.keys += first.run.keys;
            }
        }
    }
}

/// A mean over steps that forgets; right from the first step on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rate {
    sum: f64,
    weight: f64,
}

impl Rate {
    pub fn step(&mut self, amount: f64) {
        let kept = 1.0 - 1.0 / RATE_MEMORY;
        self.sum = self.sum * kept + amount * (1.0 - kept);
        self.weight = self.weight * kept + (1.0 - kept);
    }

    pub fn value(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}
