//! One interval of performance: counts, tide marks, mean and snapshot, and how far they can be trusted.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Granularity, Kind};

/// How far a value can be trusted (`measurement-validity` of qkdn-types). A gap is no value at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Validity {
    /// Measured from begin to end.
    Complete,
    /// Not over, or not measured from begin to end.
    Partial,
    /// In doubt: invalid samples, a clock set back, a counter that restarted.
    Suspect,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    start: Timestamp,
    /// How much of it was measured.
    measured: SignedDuration,
    samples: u32,
    samples_invalid: u32,
    sum: f64,
    minimum: f64,
    maximum: f64,
    last: f64,
    total: f64,
    doubtful: bool,
}

impl Interval {
    pub(super) fn new(start: Timestamp) -> Self {
        Interval {
            start,
            measured: SignedDuration::ZERO,
            samples: 0,
            samples_invalid: 0,
            sum: 0.0,
            minimum: 0.0,
            maximum: 0.0,
            last: 0.0,
            total: 0.0,
            doubtful: false,
        }
    }

    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// How much of it was measured.
    pub fn measured(&self) -> SignedDuration {
        self.measured
    }

    /// Valid samples.
    pub fn samples(&self) -> u32 {
        self.samples
    }

    pub fn samples_invalid(&self) -> u32 {
        self.samples_invalid
    }

    /// Nothing without a valid sample.
    pub fn mean(&self) -> Option<f64> {
        (self.samples > 0).then(|| (self.sum / f64::from(self.samples)).clamp(self.minimum, self.maximum))
    }

    pub fn minimum(&self) -> Option<f64> {
        (self.samples > 0).then_some(self.minimum)
    }

    pub fn maximum(&self) -> Option<f64> {
        (self.samples > 0).then_some(self.maximum)
    }

    pub fn last(&self) -> Option<f64> {
        (self.samples > 0).then_some(self.last)
    }

    /// What a counter counted meanwhile; nothing for a gauge.
    pub fn total(&self, kind: Kind) -> Option<f64> {
        (kind == Kind::Counter && self.samples > 0).then_some(self.total)
    }

    pub fn validity(&self, granularity: Granularity) -> Validity {
        if self.doubtful || self.samples_invalid > 0 {
            Validity::Suspect
        } else if self.measured < granularity.length() {
            Validity::Partial
        } else {
            Validity::Complete
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.samples == 0 && self.samples_invalid == 0
    }

    /// A valid sample; `counted` since the one before, for a counter.
    pub(super) fn add(&mut self, value: f64, counted: f64) {
        (self.minimum, self.maximum) = match self.samples {
            0 => (value, value),
            _ => (self.minimum.min(value), self.maximum.max(value)),
        };
        self.samples = self.samples.saturating_add(1);
        self.sum += value;
        self.last = value;
        self.total += counted;
    }

    pub(super) fn add_invalid(&mut self) {
        self.samples_invalid = self.samples_invalid.saturating_add(1);
    }

    /// Counts the part of `from..to` that lies inside as measured.
    pub(super) fn cover(&mut self, from: Timestamp, to: Timestamp, granularity: Granularity) {
        let length = granularity.length();
        let end = self.start.saturating_add(length).expect("a signed duration has no calendar units");
        let covered = to.min(end).duration_since(from.max(self.start));
        self.measured = (self.measured + covered.max(SignedDuration::ZERO)).min(length);
    }

    pub(super) fn doubt(&mut self) {
        self.doubtful = true;
    }
}
