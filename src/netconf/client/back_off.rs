//! How long a client waits before it connects again: exponential, with jitter, so that many that were cut off at once do not
//! come back at once.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub struct BackOff {
    /// The longest wait after the first failure.
    pub first: Duration,
    /// The longest of all.
    pub longest: Duration,
}

impl Default for BackOff {
    /// Quick at first, because most breaks are short; who mends a server sees it used within half a minute.
    fn default() -> Self {
        BackOff { first: Duration::from_millis(500), longest: Duration::from_secs(30) }
    }
}

impl BackOff {
    /// The wait after so many failures in a row (from 1): between half and the whole of a bound that doubles with each.
    pub fn delay(&self, failures: u32) -> Duration {
        // Each RandomState has keys of its own.
        self.delay_by(failures, RandomState::new().hash_one(0))
    }

    fn delay_by(&self, failures: u32, chance: u64) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).and_then(|times| self.first.checked_mul(times));
        let bound = doubled.unwrap_or(self.longest).min(self.longest);
        bound / 2 + bound.mul_f64((chance % 1_000) as f64 / 2_000.0)
    }
}

#[cfg(test)]
mod tests;
