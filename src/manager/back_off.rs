//! How long to wait before the next try to connect: exponential, with jitter, so that a thousand devices lost at once do not come back at once.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Wait after the first failure, at most.
pub const SHORTEST: Duration = Duration::from_millis(500);

/// Wait after many failures, at most: who brings a device back sees it managed within half a minute.
pub const LONGEST: Duration = Duration::from_secs(30);

/// The wait after so many failed tries in a row (1 after the first), between half and the whole of a bound that doubles. `chance` is any
/// random number.
pub fn delay(failures: u32, chance: u64) -> Duration {
    // Beyond this the bound is reached, and a shift would overflow.
    let doublings = failures.saturating_sub(1).min(16);
    let bound = (SHORTEST * (1 << doublings)).min(LONGEST);
    let share = (chance % 1_000) as u32;
    bound / 2 + bound / 2 * share / 1_000
}

/// A random number that is good enough to spread waits.
pub fn chance() -> u64 {
    // Each RandomState has keys of its own.
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests;
