//! Thresholds with levels, hysteresis and a number of consecutive samples: from measurements to a severity.

use serde::{Deserialize, Serialize};

use super::Severity;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Bad is high: a level is crossed by a value above it.
    Rising,
    /// Bad is low: a level is crossed by a value below it.
    Falling,
}

/// When measurements of one quantity become an alarm, and when they stop to be one.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    pub direction: Direction,
    /// Each severity at most once.
    pub levels: Vec<(Severity, f64)>,
    /// By more than this a value must come back to leave a level, in the unit of the values, 0 or more.
    pub hysteresis: f64,
    /// Consecutive samples across a level that enter it, 1 or more.
    pub raise_after: u32,
    /// Consecutive samples back behind a level and its hysteresis that leave it, 1 or more.
    pub clear_after: u32,
}

/// A severity, and the level that stands for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    pub severity: Severity,
    pub level: f64,
}

/// One quantity of one resource, watched. Each level has its own state, so no sample is judged by two rules.
#[derive(Clone, Debug)]
pub struct Watch {
    threshold: Threshold,
    /// In the order of `threshold.levels`.
    levels: Vec<Level>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Level {
    entered: bool,
    /// Consecutive samples that speak against `entered`.
    against: u32,
}

impl Watch {
    pub fn new(threshold: Threshold) -> Self {
        let levels = vec![Level::default(); threshold.levels.len()];
        Watch { threshold, levels }
    }

    /// As it was when its alarm was last seen: levels up to `severity` are entered. Without it, a restart would need
    /// `raise_after` samples to know again what it knew, and would clear in between.
    pub fn resume(threshold: Threshold, severity: Option<Severity>) -> Self {
        let mut watch = Watch::new(threshold);
        for (level, (at, _)) in watch.levels.iter_mut().zip(&watch.threshold.levels) {
            level.entered = severity.is_some_and(|severity| *at <= severity);
        }
        watch
    }

    pub fn threshold(&self) -> &Threshold {
        &self.threshold
    }

    /// Judges a sample and returns the worst level entered. A value that is no number is a gap.
    pub fn sample(&mut self, value: f64) -> Option<Judgement> {
        if value.is_nan() {
            self.gap();
            return self.judgement();
        }
        let Threshold { direction, hysteresis, raise_after, clear_after, .. } = self.threshold;
        for (level, (_, at)) in self.levels.iter_mut().zip(&self.threshold.levels) {
            let (against, needed) = if level.entered {
                (direction.crossed(direction.behind(*at, hysteresis), value), clear_after)
            } else {
                (direction.crossed(value, *at), raise_after)
            };
            level.against = if against { level.against + 1 } else { 0 };
            if level.against >= needed.max(1) {
                *level = Level { entered: !level.entered, against: 0 };
            }
        }
        self.judgement()
    }

    /// No sample came: what is entered stays, and no run of samples goes on across the gap.
    pub fn gap(&mut self) {
        for level in &mut self.levels {
            level.against = 0;
        }
    }

    /// The worst level entered.
    pub fn judgement(&self) -> Option<Judgement> {
        let entered = self.levels.iter().zip(&self.threshold.levels).filter(|(level, _)| level.entered);
        let worst = entered.map(|(_, level)| *level).max_by_key(|(severity, _)| *severity);
        worst.map(|(severity, level)| Judgement { severity, level })
    }
}

impl Direction {
    fn crossed(self, value: f64, level: f64) -> bool {
        match self {
            Direction::Rising => value > level,
            Direction::Falling => value < level,
        }
    }

    fn behind(self, level: f64, hysteresis: f64) -> f64 {
        match self {
            Direction::Rising => level - hysteresis,
            Direction::Falling => level + hysteresis,
        }
    }
}
