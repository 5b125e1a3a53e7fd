//! A token bucket: so many requests a second, and a second's worth of them at once. No clock of its own.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// How much of its second a session has used up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    /// When the bucket is full again; in the past, it is.
    full_at: Option<Instant>,
}

impl Bucket {
    /// Takes one token at `now`. False: there is none, and none was taken. The rate may be another each time.
    pub fn take(&mut self, now: Instant, rate: NonZeroU32) -> bool {
        let token = Duration::from_secs(1) / rate.get();
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        if full_at + token > now + Duration::from_secs(1) {
            return false;
        }
        self.full_at = Some(full_at + token);
        true
    }
}
