//! Performance of one agent (Y.3804 Tables I.3 to I.7 rows 3 to 6): latest values, and intervals of 15 minutes and 24 hours; time is an argument.

mod interval;
mod series;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use interval::{Interval, Validity};
pub use series::{Current, Series};

/// Series at once, one per quantity and target. Full: further ones are refused and counted. An agent has some dozens.
pub const MAX_SERIES: usize = 1024;

/// A performance information type, as an agent can measure it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// Its identity, `module:name`.
    pub identity: &'static str,
    pub description: &'static str,
    /// As `quantity-unit` of qkdn-types names it.
    pub unit: &'static str,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A value that goes up and down: tide marks and mean.
    Gauge,
    /// A count that only grows until its device restarts: what was counted in the interval.
    Counter,
}

/// Length of the intervals of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Granularity {
    FifteenMinutes,
    TwentyFourHours,
}

impl Granularity {
    pub const ALL: [Granularity; 2] = [Granularity::FifteenMinutes, Granularity::TwentyFourHours];

    pub fn length(self) -> SignedDuration {
        match self {
            Granularity::FifteenMinutes => SignedDuration::from_mins(15),
            Granularity::TwentyFourHours => SignedDuration::from_hours(24),
        }
    }

    /// Finished intervals kept; the oldest goes first.
    pub fn kept(self) -> usize {
        match self {
            Granularity::FifteenMinutes => 96,
            Granularity::TwentyFourHours => 30,
        }
    }

    /// The begin of the interval that contains `time`: a full quarter of an hour, or midnight, UTC.
    pub fn start_of(self, time: Timestamp) -> Timestamp {
        let length = self.length().as_secs();
        Timestamp::from_second(time.as_second().div_euclid(length) * length)
            .expect("earlier than a time, after the epoch's first day")
    }
}

/// What is measured where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesKey {
    pub target: String,
    /// Identity of the quantity.
    pub quantity: String,
}

/// An interval that was finished, to be made durable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    pub key: SeriesKey,
    pub granularity: Granularity,
    pub interval: Interval,
}

/// Everything an agent measures.
#[derive(Debug)]
pub struct Performance {
    series: BTreeMap<SeriesKey, Series>,
    /// Longest time between two samples that still counts as measured.
    longest_gap: SignedDuration,
    refused: u64,
}

impl Performance {
    /// With samples every `sampling` apart.
    pub fn new(sampling: SignedDuration) -> Self {
        let mut performance = Performance { series: BTreeMap::new(), longest_gap: SignedDuration::ZERO, refused: 0 };
        performance.set_sampling(sampling);
        performance
    }

    /// One sample may be missing before there is a gap: half an interval more than two, because no timer is exact.
    pub fn set_sampling(&mut self, sampling: SignedDuration) {
        self.longest_gap = sampling.saturating_mul(5) / 2;
    }

    /// A measurement. One that is no number counts as invalid and puts its interval in doubt.
    pub fn record(&mut self, target: &str, quantity: &Quantity, value: f64, now: Timestamp) -> Vec<Finished> {
        let key = SeriesKey { target: target.to_owned(), quantity: quantity.identity.to_owned() };
        if !self.series.contains_key(&key) && self.series.len() >= MAX_SERIES {
            self.refused += 1;
            return Vec::new();
        }
        let longest_gap = self.longest_gap;
        let series = self.series.entry(key.clone()).or_insert_with(|| Series::new(quantity.kind));
        finished(&key, series.record(value, now, longest_gap))
    }

    /// Time went on: finishes what ended and is not measured any more. What is measured finishes with its next sample, which tells
    /// whether it was measured to the end.
    pub fn advance(&mut self, now: Timestamp) -> Vec<Finished> {
        let longest_gap = self.longest_gap;
        self.series.iter_mut().flat_map(|(key, series)| finished(key, series.advance(now, longest_gap))).collect()
    }

    /// What is known was measured under other conditions, or by a clock since corrected: the intervals that run are in doubt.
    pub fn doubt(&mut self) {
        self.series.values_mut().for_each(Series::doubt);
    }

    pub fn get(&self, key: &SeriesKey) -> Option<&Series> {
        self.series.get(key)
    }

    /// In the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&SeriesKey, &Series)> {
        self.series.iter()
    }

    /// How many series found no room (see [`MAX_SERIES`]).
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// A page of finished intervals, oldest first, begun after `after`, of the series that `matches` takes; and whether there are more.
    /// A page never ends inside one begin, or a reader that goes on from it would miss the rest: `maximum` may be exceeded by that much.
    pub fn history(
        &self,
        granularity: Granularity,
        after: Option<Timestamp>,
        matches: impl Fn(&SeriesKey) -> bool,
        maximum: usize,
    ) -> (Vec<(&SeriesKey, &Interval)>, bool) {
        let wanted = self.series.iter().filter(|(key, _)| matches(key));
        let mut page: Vec<_> = wanted
            .flat_map(|(key, series)| series.history(granularity).map(move |interval| (key, interval)))
            .filter(|(_, interval)| after.is_none_or(|after| interval.start() > after))
            .collect();
        page.sort_by_key(|(key, interval)| (interval.start(), *key));
        let mut end = maximum.min(page.len());
        while 0 < end && end < page.len() && page[end].1.start() == page[end - 1].1.start() {
            end += 1;
        }
        let more = end < page.len();
        page.truncate(end);
        (page, more)
    }

    /// Puts back a series as it was made durable. What runs goes on as partial unless the gap was short.
    pub fn restore(&mut self, key: SeriesKey, series: Series) {
        self.series.insert(key, series);
    }
}

fn finished(key: &SeriesKey, intervals: Vec<(Granularity, Interval)>) -> Vec<Finished> {
    intervals.into_iter().map(|(granularity, interval)| Finished { key: key.clone(), granularity, interval }).collect()
}
