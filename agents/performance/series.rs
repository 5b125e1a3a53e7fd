//! One quantity of one target over time: latest value, intervals that run, intervals kept.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Granularity, Interval, Kind, Validity};

/// The latest sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Current {
    pub time: Timestamp,
    /// Nothing where the sample was invalid.
    pub value: Option<f64>,
    pub validity: Validity,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    kind: Kind,
    current: Option<Current>,
    /// The counter at the last valid sample.
    counted: Option<f64>,
    fifteen_minutes: History,
    twenty_four_hours: History,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct History {
    running: Option<Interval>,
    /// Oldest first.
    finished: VecDeque<Interval>,
}

impl Series {
    pub(super) fn new(kind: Kind) -> Self {
        let (fifteen_minutes, twenty_four_hours) = (History::default(), History::default());
        Series { kind, current: None, counted: None, fifteen_minutes, twenty_four_hours }
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn current(&self) -> Option<&Current> {
        self.current.as_ref()
    }

    /// The interval that runs; nothing where nothing was measured in it.
    pub fn running(&self, granularity: Granularity) -> Option<&Interval> {
        self.of(granularity).running.as_ref()
    }

    /// Finished intervals, oldest first.
    pub fn history(&self, granularity: Granularity) -> impl DoubleEndedIterator<Item = &Interval> {
        self.of(granularity).finished.iter()
    }

    pub(super) fn record(
        &mut self,
        value: f64,
        now: Timestamp,
        longest_gap: SignedDuration,
    ) -> Vec<(Granularity, Interval)> {
        let before = self.current.map(|current| current.time);
        let set_back = before.is_some_and(|before| now < before);
        let covered_from = before.filter(|before| !set_back && now.duration_since(*before) <= longest_gap);
        let valid = value.is_finite();
        let (counted, restarted) = match (self.kind, self.counted) {
            (Kind::Counter, Some(counted)) if valid && value >= counted => (value - counted, false),
            (Kind::Counter, Some(_)) if valid => (value, true),
            _ => (0.0, false),
        };
        let mut finished = Vec::new();
        for granularity in Granularity::ALL {
            let history = self.of_mut(granularity);
            if set_back {
                history.set_back(granularity.start_of(now));
            }
            if let (Some(from), Some(running)) = (covered_from, &mut history.running) {
                running.cover(from, now, granularity);
            }
            finished.extend(history.advance(now, granularity).map(|interval| (granularity, interval)));
            let running = history.running.get_or_insert_with(|| Interval::new(granularity.start_of(now)));
            if let Some(from) = covered_from.filter(|from| *from < running.start()) {
                running.cover(from, now, granularity);
            }
            if valid {
                running.add(value, counted)
            } else {
                running.add_invalid()
            }
            if set_back || restarted {
                running.doubt();
            }
        }
        let validity = if valid && !set_back && !restarted { Validity::Complete } else { Validity::Suspect };
        self.current = Some(Current { time: now, value: valid.then_some(value), validity });
        if valid {
            self.counted = Some(value);
        }
        finished
    }

    pub(super) fn advance(&mut self, now: Timestamp, longest_gap: SignedDuration) -> Vec<(Granularity, Interval)> {
        if self.current.is_some_and(|current| now.duration_since(current.time) <= longest_gap) {
            return Vec::new();
        }
        let finish = |granularity| {
            let interval = self.of_mut(granularity).advance(now, granularity);
            interval.map(|interval| (granularity, interval))
        };
        Granularity::ALL.into_iter().filter_map(finish).collect()
    }

    pub(super) fn doubt(&mut self) {
        for granularity in Granularity::ALL {
            if let Some(running) = &mut self.of_mut(granularity).running {
                running.doubt();
            }
        }
    }

    /// All but the finished intervals, which are remembered one by one.
    pub fn without_history(&self) -> Series {
        let running = |history: &History| History { running: history.running, finished: VecDeque::new() };
        Series {
            fifteen_minutes: running(&self.fifteen_minutes),
            twenty_four_hours: running(&self.twenty_four_hours),
            ..*self
        }
    }

    /// Takes over what [`Series::without_history`] gave.
    pub fn restore_running(&mut self, series: Series) {
        let finished = Granularity::ALL.map(|granularity| std::mem::take(&mut self.of_mut(granularity).finished));
        *self = series;
        for (granularity, finished) in Granularity::ALL.into_iter().zip(finished) {
            self.of_mut(granularity).finished = finished;
        }
    }

    /// Takes back an interval that was finished. What is not older was dropped when the clock was set back.
    pub fn restore_finished(&mut self, granularity: Granularity, interval: Interval) {
        let history = self.of_mut(granularity);
        while history.finished.back().is_some_and(|last| last.start() >= interval.start()) {
            history.finished.pop_back();
        }
        history.running.take_if(|running| running.start() <= interval.start());
        history.keep(interval, granularity);
    }

    fn of(&self, granularity: Granularity) -> &History {
        match granularity {
            Granularity::FifteenMinutes => &self.fifteen_minutes,
            Granularity::TwentyFourHours => &self.twenty_four_hours,
        }
    }

    fn of_mut(&mut self, granularity: Granularity) -> &mut History {
        match granularity {
            Granularity::FifteenMinutes => &mut self.fifteen_minutes,
            Granularity::TwentyFourHours => &mut self.twenty_four_hours,
        }
    }
}

impl History {
    /// Finishes the running interval if it ended before `now`.
    fn advance(&mut self, now: Timestamp, granularity: Granularity) -> Option<Interval> {
        let ended = self.running.take_if(|running| running.start() < granularity.start_of(now))?;
        if ended.is_empty() {
            return None;
        }
        self.keep(ended, granularity);
        Some(ended)
    }

    fn keep(&mut self, ended: Interval, granularity: Granularity) {
        if self.finished.len() >= granularity.kept() {
            self.finished.pop_front();
        }
        self.finished.push_back(ended);
    }

    /// The clock was set back into the interval that begins at `start`: what lies after it never was, and that interval runs again.
    /// Kept, it would stand in the way of the true intervals to come, which have the same begin.
    fn set_back(&mut self, start: Timestamp) {
        self.running.take_if(|running| running.start() > start);
        while self.finished.back().is_some_and(|interval| interval.start() > start) {
            self.finished.pop_back();
        }
        if self.running.is_none() && self.finished.back().is_some_and(|interval| interval.start() == start) {
            self.running = self.finished.pop_back();
        }
    }
}
