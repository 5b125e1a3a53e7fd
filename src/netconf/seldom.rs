//! Log lines that a peer can bring about as often as it likes: told once in a while, with how many were not told.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often one kind of line is written. An operator sees that it goes on, and no disk fills.
const EVERY: Duration = Duration::from_secs(10);

/// One kind of line.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    last: Option<Instant>,
    untold: u64,
}

impl Seldom {
    pub const fn new() -> Self {
        Seldom(Mutex::new(Told { last: None, untold: 0 }))
    }

    /// Some where the line is to be written now: with how many were not, since the last.
    pub fn tell(&self) -> Option<u64> {
        self.tell_at(Instant::now())
    }

    fn tell_at(&self, now: Instant) -> Option<u64> {
        let mut told = self.0.lock().expect("nothing panics under this lock");
        if told.last.is_some_and(|last| now.saturating_duration_since(last) < EVERY) {
            told.untold += 1;
            return None;
        }
        told.last = Some(now);
        Some(std::mem::take(&mut told.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_once_in_ten_seconds_with_what_was_not_told() {
        let seldom = Seldom::new();
        let start = Instant::now();
        let told = [0, 1, 9_999, 10_000, 10_001, 30_000].map(|ms| seldom.tell_at(start + Duration::from_millis(ms)));
        assert_eq!(told, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
