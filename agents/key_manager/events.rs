//! The life of keys by their identifiers (Y.3804 clause 9.1, traceability of keys), kept as runs of keys to which the same happened.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

use super::model::{EventKind, EventsInput, EventsOutput, KeyEvent, Purpose};
use crate::model::date_and_time;
use crate::network::store::Run;

/// Runs of events kept; the oldest goes first, which a reader sees by its number. A run is what happened to keys of one store in one second.
const MAX_RUNS: usize = 4096;

#[derive(Clone, Debug, Default)]
pub struct Events {
    /// Oldest first; numbers follow each other.
    runs: VecDeque<Happened>,
    last: u64,
}

#[derive(Clone, Debug)]
struct Happened {
    /// Number of the first event.
    number: u64,
    time: Timestamp,
    store: Arc<str>,
    run: Run,
    kind: EventKind,
    with: With,
}

/// The other party of an event, and the relay route.
#[derive(Clone, Debug, Default)]
pub struct With {
    pub peer: Option<Arc<str>>,
    pub route: Option<Arc<str>>,
}

impl Events {
    pub fn push(&mut self, time: Timestamp, kind: EventKind, store: &Arc<str>, run: Run, with: With) {
        let number = self.last + 1;
        self.last += run.keys;
        self.runs.push_back(Happened { number, time, store: store.clone(), run, kind, with });
        if self.runs.len() > MAX_RUNS {
            self.runs.pop_front();
        }
    }

    pub fn read(&self, input: &EventsInput) -> EventsOutput {
        let after = input.after_sequence_number.unwrap_or(0);
        let key = input.key_id.as_deref().map(|id| id.rsplit_once('-').unwrap_or((id, "")));
        let of_key = |happened: &Happened, offset: u64| match key {
            None => true,
            Some((store, serial)) => *happened.store == *store && serial.parse() == Ok(happened.run.first + offset),
        };
        let events = self.runs.iter().flat_map(|happened| {
            let seen = after.saturating_add(1).saturating_sub(happened.number).min(happened.run.keys);
            (seen..happened.run.keys).map(move |offset| (happened, offset))
        });
        let wanted = events.filter(|(happened, offset)| of_key(happened, *offset));
        EventsOutput {
            event: wanted.take(input.maximum.into()).map(|(happened, offset)| happened.event(offset)).collect(),
            last_sequence_number: self.last,
            oldest_sequence_number: self.runs.front().map(|happened| happened.number),
        }
    }
}

impl Happened {
    fn event(&self, offset: u64) -> KeyEvent {
        KeyEvent {
            sequence_number: self.number + offset,
            time: date_and_time(self.time),
            key_id: format!("{}-{}", self.store, self.run.first + offset),
            event: self.kind,
            purpose: if self.store.starts_with("ksa-") { Purpose::Ksa } else { Purpose::Kma },
            bits: self.run.bits,
            peer_id: self.with.peer.as_deref().map(str::to_owned),
            route_id: self.with.route.as_deref().map(str::to_owned),
        }
    }
}
