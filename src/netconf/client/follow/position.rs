//! How far a follower has come in a stream, and what of a replay it has handed on before.
//!
//! Events have no number (RFC 5277 has none), only a time, and several can have the same. So a replay is asked for from the
//! time of the last event, and what it repeats is known by its content.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use jiff::Timestamp;

/// Events of the latest time that are remembered, because a replay from that time repeats them. Of more than so many the oldest
/// may come twice. Some 2 MiB.
const REMEMBERED: usize = 1 << 16;

/// Of these, events of earlier times: a replay repeats them after the server's clock was set back. Of more than so many the
/// oldest may come twice. 24 KiB.
const EARLIER: usize = 1 << 10;

#[derive(Debug, Default)]
pub(super) struct Position {
    /// The last event's time, as sent and as it is.
    last: Option<(String, Timestamp)>,
    latest: Option<Timestamp>,
    handed: VecDeque<(Timestamp, u64)>,
    keys: RandomState,
}

/// One event, for comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    time: Timestamp,
    content: u64,
}

impl Position {
    pub(super) fn mark(&self, time: Timestamp, content: &[u8]) -> Mark {
        Mark { time, content: self.keys.hash_one(content) }
    }

    /// An event was handed on; `text` is its time as the server wrote it.
    pub(super) fn advance(&mut self, text: &str, mark: Mark) {
        if self.latest.is_none_or(|latest| mark.time > latest) {
            // Until the clock is set back, no replay repeats these.
            let rest = self.handed.len().saturating_sub(EARLIER);
            self.handed.drain(..rest);
            self.latest = Some(mark.time);
        }
        if self.handed.len() == REMEMBERED {
            self.handed.pop_front();
        }
        self.handed.push_back((mark.time, mark.content));
        if self.last.as_ref().is_none_or(|(last, _)| last != text) {
            self.last = Some((text.to_owned(), mark.time));
        }
    }

    /// From when on a replay is to be asked for.
    pub(super) fn start(&self) -> Option<&str> {
        self.last.as_ref().map(|(text, _)| text.as_str())
    }

    /// What a replay from [`start`](Position::start) repeats.
    pub(super) fn seam(&self) -> Seam {
        let start = self.last.as_ref().map(|(_, time)| *time);
        let mut repeated = HashMap::new();
        for (time, content) in self.handed.iter().filter(|(time, _)| start.is_none_or(|start| *time >= start)) {
            *repeated.entry((*time, *content)).or_insert(0) += 1;
        }
        Seam { start, expects: !repeated.is_empty(), repeated, met: false }
    }
}

/// The place where a replay joins what was handed on.
#[derive(Debug)]
pub(super) struct Seam {
    start: Option<Timestamp>,
    repeated: HashMap<(Timestamp, u64), u32>,
    expects: bool,
    met: bool,
}

impl Seam {
    /// Whether an event of the replay, or one after it, is to be handed on.
    pub(super) fn is_new(&mut self, mark: Mark) -> bool {
        match self.repeated.get_mut(&(mark.time, mark.content)) {
            Some(times) => {
                *times -= 1;
                if *times == 0 {
                    self.repeated.remove(&(mark.time, mark.content));
                }
                self.met = true;
                false
            }
            // Before all that was asked for is met, what is earlier was there before.
            None => self.repeated.is_empty() || self.start.is_none_or(|start| mark.time >= start),
        }
    }

    /// Whether the replay did not reach back to what was handed on last. To be asked once something new, or the end of the
    /// replay, has come.
    pub(super) fn is_open(&self) -> bool {
        self.expects && !self.met
    }

    /// The replay is over: nothing that follows is a repetition.
    pub(super) fn close(&mut self) {
        self.repeated.clear();
        self.expects = false;
    }
}

#[cfg(test)]
mod tests;
