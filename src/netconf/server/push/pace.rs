//! When a push update is due (RFC 8641 sections 3.1 and 4.2), without a clock: the time is an argument.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// How long it is from `now` to the next multiple of `period` before or after `anchor`; nothing where that is now.
pub fn until_multiple(anchor: Timestamp, period: Duration, now: Timestamp) -> Duration {
    let nanoseconds = anchor.as_nanosecond() - now.as_nanosecond();
    let left = nanoseconds.rem_euclid(i128::try_from(period.as_nanos()).unwrap_or(i128::MAX).max(1));
    Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX))
}

/// The times of a periodic subscription: the start and each period after it, or where there is an anchor, its multiples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periodic {
    period: Duration,
    due: Instant,
}

impl Periodic {
    /// `now` and `wall` are the same moment. The anchor sets the phase once: a clock that is set later does not move it.
    pub fn new(period: Duration, anchor: Option<Timestamp>, wall: Timestamp, now: Instant) -> Periodic {
        let wait = anchor.map_or(Duration::ZERO, |anchor| until_multiple(anchor, period, wall));
        Periodic { period, due: now + wait }
    }

    pub fn due(&self) -> Instant {
        self.due
    }

    /// When the update that is due is too late to be sent: the next one is due.
    pub fn expires(&self) -> Instant {
        self.due + self.period
    }

    /// The update that was due was sent or given up: the next is due at the first of the times after `now`. How many
    /// times have passed besides.
    pub fn next(&mut self, now: Instant) -> u64 {
        self.due += self.period;
        if self.due > now {
            return 0;
        }
        let behind = now - self.due;
        let passed = behind.as_nanos() / self.period.as_nanos().max(1) + 1;
        self.due +=
            Duration::from_nanos(u64::try_from(self.period.as_nanos().saturating_mul(passed)).unwrap_or(u64::MAX));
        u64::try_from(passed).unwrap_or(u64::MAX)
    }
}

/// The times of an on-change subscription: at once, and then no sooner than the dampening period after the last record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dampened {
    period: Duration,
    sent: Option<Instant>,
    changed: Option<Instant>,
}

impl Dampened {
    pub fn new(period: Duration) -> Dampened {
        Dampened { period, sent: None, changed: None }
    }

    /// Something changed. What changes until it is due goes into the same record.
    pub fn changed(&mut self, now: Instant) {
        self.changed.get_or_insert(now);
    }

    /// When a record is due; None while nothing has changed.
    pub fn due(&self) -> Option<Instant> {
        let changed = self.changed?;
        Some(self.sent.map_or(changed, |sent| changed.max(sent + self.period)))
    }

    /// What has changed so far was looked at; `sent`: and there was something to tell.
    pub fn looked(&mut self, now: Instant, sent: bool) {
        self.changed = None;
        if sent {
            self.sent = Some(now);
        }
    }

    /// It could not be looked at; it is tried again then.
    pub fn put_off(&mut self, until: Instant) {
        self.changed = Some(until);
    }
}

/// The patch-ids of one subscription: from 0, one more for each push-change-update, and 0 again after a push-update, so
/// that a subscriber sees whether one is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PatchIds(u32);

impl PatchIds {
    pub fn take(&mut self) -> u32 {
        let id = self.0;
        self.0 = self.0.wrapping_add(1);
        id
    }

    pub fn restart(&mut self) {
        self.0 = 0;
    }
}

#[cfg(test)]
mod tests;
