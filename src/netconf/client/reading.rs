//! How a client's session puts messages together from the parts in which a large one is read, or passes the parts on.

use std::collections::HashMap;

use tokio::sync::mpsc;

use super::Error;
use super::session::Waiting;
use crate::framing::{Arrival, FramingError};
use crate::message::Envelope;

/// Bytes of a reply that is passed on which are read before they go on their way. A smaller one is treated like any other;
/// errors come first in a reply, so one that has none so far has none.
const PART: usize = 64 << 10;

/// What has come of the message that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    state: State,
    max_message: usize,
}

#[derive(Debug)]
enum State {
    Between,
    /// To be taken whole.
    Held(String),
    /// The reply to the request `id`, which goes to `sink`.
    Passing {
        id: u64,
        sink: mpsc::Sender<String>,
        /// What `sink` has no room for yet; nothing more is read meanwhile.
        part: Option<String>,
        /// `part` is the end.
        last: bool,
    },
}

/// What went to its sink.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passed {
    Part,
    /// The end of the reply to this request.
    All(u64),
}

impl Reading {
    pub(super) fn new(max_message: usize) -> Self {
        Reading { state: State::Between, max_message }
    }

    /// How many bytes of a message are enough to read it in part.
    pub(super) fn enough(&self, waiting: &HashMap<u64, Waiting>) -> usize {
        match &self.state {
            State::Between if waiting.values().any(|waiting| waiting.sink().is_some()) => PART,
            State::Passing { .. } => PART,
            State::Between | State::Held(_) => usize::MAX,
        }
    }

    /// Takes what was read. The result is a message to be taken whole.
    pub(super) fn take(&mut self, arrived: Arrival, waiting: &HashMap<u64, Waiting>) -> Result<Option<String>, Error> {
        let (text, complete) = match arrived {
            Arrival::Message(text) => (text, true),
            Arrival::Part(text) => (text, false),
        };
        match &mut self.state {
            State::Between if complete => return Ok(Some(text)),
            State::Between => {
                self.state = match passes(&text, waiting) {
                    Some((id, sink)) => State::Passing { id, sink, part: Some(text), last: false },
                    None => State::Held(text),
                }
            }
            State::Held(held) => {
                if held.len() + text.len() > self.max_message {
                    return Err(FramingError::TooLarge { limit: self.max_message }.into());
                }
                held.push_str(&text);
                if complete {
                    let whole = std::mem::take(held);
                    self.state = State::Between;
                    return Ok(Some(whole));
                }
            }
            State::Passing { part, last, .. } => {
                *part = Some(text);
                *last = complete;
            }
        }
        Ok(None)
    }

    /// Whether nothing may be read before [`pass`](Reading::pass) has passed a part on.
    pub(super) fn is_full(&self) -> bool {
        matches!(self.state, State::Passing { part: Some(_), .. })
    }

    /// Passes a part on when there is room for it; drops it when nobody wants it any more. Never ready where there is none.
    /// Dropping the future loses nothing.
    pub(super) async fn pass(&mut self) -> Passed {
        let State::Passing { id, sink, part, last } = &mut self.state else { return std::future::pending().await };
        if part.is_none() {
            return std::future::pending().await;
        }
        let (id, last) = (*id, *last);
        match sink.reserve().await {
            Ok(room) => room.send(part.take().expect("looked at above")),
            Err(_) => *part = None,
        }
        if !last {
            return Passed::Part;
        }
        self.state = State::Between;
        Passed::All(id)
    }

    /// Nothing more comes.
    pub(super) fn stop(&mut self) {
        self.state = State::Between;
    }
}

/// The request whose reply begins so, and where the reply goes; none where it is to be taken whole.
fn passes(text: &str, waiting: &HashMap<u64, Waiting>) -> Option<(u64, mpsc::Sender<String>)> {
    let Ok(Envelope::Reply { message_id: Some(id) }) = Envelope::of(text) else { return None };
    let id = id.parse().ok()?;
    let sink = waiting.get(&id)?.sink()?;
    memchr::memmem::find(text.as_bytes(), b"rpc-error").is_none().then(|| (id, sink.clone()))
}
