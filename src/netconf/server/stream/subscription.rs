//! A subscription (RFC 5277 section 2.1.1): replay, then live events, without a gap or a repetition between them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::log::{Segment, SegmentReader};
use super::{Entry, Shared};
use crate::error::RpcError;
use crate::server::record::RecordError;

/// Events a subscription takes from memory at once, so that it does not ask for the lock at each.
const MEMORY_CHUNK: usize = 64;
/// What a subscription reads from the log at once, and so holds in memory of it.
const LOG_CHUNK_EVENTS: usize = 256;
const LOG_CHUNK_BYTES: usize = 256 << 10;

/// `<startTime>` and `<stopTime>` of a create-subscription, found to be in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplayWindow {
    start: Option<Timestamp>,
    stop: Option<Timestamp>,
}

impl ReplayWindow {
    /// The errors are those of RFC 5277 section 2.1.1.
    pub fn new(start: Option<Timestamp>, stop: Option<Timestamp>, now: Timestamp) -> Result<ReplayWindow, RpcError> {
        match (start, stop) {
            (None, Some(_)) => Err(RpcError::missing_element("startTime")),
            (Some(start), _) if start > now => {
                Err(RpcError::bad_element("startTime", format!("The start time {start} is in the future.")))
            }
            (Some(start), Some(stop)) if stop < start => Err(RpcError::bad_element(
                "stopTime",
                format!("The stop time {stop} is before the start time {start}."),
            )),
            _ => Ok(ReplayWindow { start, stop }),
        }
    }

    /// Of times that were found to be in order; a stop time needs no start time here (RFC 8639).
    pub fn of(start: Option<Timestamp>, stop: Option<Timestamp>) -> ReplayWindow {
        ReplayWindow { start, stop }
    }
}

/// What a subscriber is to be told next.
#[derive(Clone, Debug)]
pub enum Message {
    Event(Arc<Entry>),
    /// All events have been sent that were stored when the subscription began. Once, and only where replay was asked for.
    ReplayComplete,
    /// The stop time has come, and all before it was sent. The last message.
    NotificationComplete,
    /// The last message, too.
    Ended(Ended),
}

/// Why a subscription ended before its time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    #[error(
        "the subscriber read so slowly that events after number {0} are no longer kept; subscribe again with a start time"
    )]
    TooSlow(u64),
    #[error("the replay log cannot be read: {0}")]
    Unreadable(Arc<str>),
    #[error("the server is closing the stream")]
    Closed,
}

/// One subscriber's position in a stream.
#[derive(Debug)]
pub struct Subscription {
    shared: Arc<Shared>,
    delivered: watch::Receiver<u64>,
    window: ReplayWindow,
    /// When the stop time comes.
    deadline: Option<Instant>,
    /// The last event that was published when it came.
    limit: Option<u64>,
    /// The last event that is replay and not live.
    pub(super) joined: u64,
    /// The next event to fetch.
    next: u64,
    fetched: VecDeque<Arc<Entry>>,
    reader: Option<SegmentReader>,
    reading: Option<Reading>,
    replaying: bool,
    fresh: bool,
    finished: bool,
}

/// A part of the log that is being read.
#[derive(Debug)]
struct Reading {
    /// The last event of the segment.
    last: u64,
    chunk: JoinHandle<Result<Chunk, RecordError>>,
}

/// What was read from the log.
#[derive(Debug)]
struct Chunk {
    reader: SegmentReader,
    entries: Vec<Arc<Entry>>,
    /// The segment's last event, if the segment was read to its end.
    end: Option<u64>,
}

/// Where the next events are.
enum Fetched {
    Memory,
    Log(Segment),
    Nowhere(Ended),
    NotYet,
}

impl Subscription {
    pub(super) fn new(shared: Arc<Shared>, window: ReplayWindow, now: Timestamp) -> Subscription {
        let delivered = shared.delivered.subscribe();
        let state = shared.state();
        let joined = state.last;
        let next = match window.start {
            None => joined + 1,
            Some(start) => state.index.first_since(start),
        };
        drop(state);
        let deadline = deadline(window.stop, now);
        Subscription {
            shared,
            delivered,
            window,
            deadline,
            limit: None,
            joined,
            next,
            fetched: VecDeque::new(),
            reader: None,
            reading: None,
            replaying: window.start.is_some(),
            fresh: true,
            finished: false,
        }
    }

    /// The next message; waits for it. None after the last one. Cancelled, it has lost nothing.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.try_next() {
                return Some(message);
            }
            if self.finished {
                return None;
            }
            if let Some(reading) = &mut self.reading {
                let last = reading.last;
                let read = (&mut reading.chunk).await;
                self.reading = None;
                if let Some(ended) = self.take(last, read) {
                    return Some(self.end(Message::Ended(ended)));
                }
                continue;
            }
            let stop = async {
                match self.deadline.filter(|_| self.limit.is_none()) {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.delivered.changed() => changed.expect("this subscription holds the sender"),
                () = stop => self.limit = Some(self.shared.published.load(Ordering::Acquire)),
            }
        }
    }

    /// The next message if it is there; else None, which does not mean that there will be no more.
    /// Call it in a runtime: it may begin to read the log.
    pub fn try_next(&mut self) -> Option<Message> {
        while !self.finished && self.reading.is_none() {
            let next = self.fetched.front().map_or(self.next, |entry| entry.sequence);
            let after_stop = match (self.fetched.front(), self.window.stop) {
                (Some(entry), Some(stop)) => entry.time > stop,
                _ => false,
            };
            let stops = after_stop || self.limit.is_some_and(|limit| next > limit);
            if self.replaying && (stops || next > self.joined) {
                self.replaying = false;
                return Some(Message::ReplayComplete);
            }
            if stops {
                return Some(self.end(Message::NotificationComplete));
            }
            if let Some(entry) = self.fetched.pop_front() {
                return Some(Message::Event(entry));
            }
            match self.fetch() {
                Fetched::Memory => {}
                Fetched::Log(segment) => self.read(segment),
                Fetched::Nowhere(ended) => return Some(self.end(Message::Ended(ended))),
                Fetched::NotYet => return None,
            }
        }
        None
    }

    /// Another stop time.
    pub fn set_stop(&mut self, stop: Option<Timestamp>, now: Timestamp) {
        self.window.stop = stop;
        self.deadline = deadline(stop, now);
        self.limit = None;
    }

    /// Goes on after [`Ended::TooSlow`], with the first event after those that are missing.
    pub fn go_on(&mut self) {
        let state = self.shared.state();
        let in_memory = state.memory.front().map_or(state.last + 1, |entry| entry.sequence);
        // What is older was lost, as in a replay: it may have gaps.
        self.joined = in_memory - 1;
        self.replaying = false;
        self.fresh = true;
        self.finished = false;
    }

    fn end(&mut self, message: Message) -> Message {
        self.finished = true;
        self.fetched.clear();
        message
    }

    fn fetch(&mut self) -> Fetched {
        let state = self.shared.state();
        if self.next > state.last {
            return if state.closed { Fetched::Nowhere(Ended::Closed) } else { Fetched::NotYet };
        }
        let in_memory = state.memory.front().map_or(state.last + 1, |entry| entry.sequence);
        if self.next >= in_memory {
            let from = (self.next - in_memory) as usize;
            let wanted = self.wanted();
            let chunk = state.memory.range(from..).take(MEMORY_CHUNK);
            self.next = chunk.clone().next_back().map_or(self.next, |entry| entry.sequence + 1);
            self.fetched.extend(chunk.filter(|entry| wanted(entry.sequence, entry.time)).cloned());
            self.fresh = false;
            // A log behind what is in memory is needed no more, unless this subscriber falls behind again.
            self.reader = None;
            return Fetched::Memory;
        }
        if self.next <= state.index.dropped {
            if !self.fresh {
                return Fetched::Nowhere(Ended::TooSlow(self.next - 1));
            }
            self.next = state.index.dropped + 1;
        }
        match state.index.segments.iter().find(|segment| segment.last >= self.next) {
            Some(segment) => Fetched::Log(segment.clone()),
            // Events that could not be stored: replay goes without them, live ones may not be left out.
            None if self.next > self.joined => Fetched::Nowhere(Ended::TooSlow(self.next - 1)),
            None => {
                self.next = in_memory.min(self.joined + 1);
                Fetched::Memory
            }
        }
    }

    /// The start time bounds what is replayed; what comes after is wanted even if the clock was set back.
    fn wanted(&self) -> impl Fn(u64, Timestamp) -> bool + Send + 'static {
        let (joined, start) = (self.joined, self.window.start);
        move |sequence, time| sequence > joined || start.is_none_or(|start| time >= start)
    }

    fn read(&mut self, segment: Segment) {
        let reader = self.reader.take();
        let (from, wanted) = (self.next, self.wanted());
        let last = segment.last;
        let chunk = tokio::task::spawn_blocking(move || {
            let mut chunk = Chunk { reader: SegmentReader::open(reader, &segment)?, entries: Vec::new(), end: None };
            let mut bytes = 0;
            while chunk.entries.len() < LOG_CHUNK_EVENTS && bytes < LOG_CHUNK_BYTES {
                let Some(entry) = chunk.reader.next(&segment, from, &wanted)? else {
                    chunk.end = Some(segment.last);
                    break;
                };
                bytes += entry.body.len();
                chunk.entries.push(Arc::new(entry));
            }
            Ok(chunk)
        });
        self.reading = Some(Reading { last, chunk });
    }

    /// Takes over what was read; the reason if that ends the subscription.
    fn take(&mut self, last: u64, read: Result<Result<Chunk, RecordError>, JoinError>) -> Option<Ended> {
        let chunk = match read {
            Ok(Ok(chunk)) => chunk,
            // It was dropped meanwhile, and now the index says so.
            Ok(Err(_)) if last <= self.shared.state().index.dropped => return None,
            Ok(Err(error)) => return Some(Ended::Unreadable(error.to_string().into())),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is being shut down.
            Err(_) => return Some(Ended::Closed),
        };
        self.reader = Some(chunk.reader);
        for entry in chunk.entries {
            // Of the live events none may be missing because it could not be stored.
            if entry.sequence > self.next.max(self.joined + 1) {
                return Some(Ended::TooSlow(self.next.max(self.joined + 1) - 1));
            }
            self.next = entry.sequence + 1;
            self.fetched.push_back(entry);
            self.fresh = false;
        }
        if let Some(end) = chunk.end {
            self.next = self.next.max(end + 1);
        }
        None
    }
}

/// When the stop time comes; one beyond what the clock can count never does.
fn deadline(stop: Option<Timestamp>, now: Timestamp) -> Option<Instant> {
    let left = std::time::Duration::try_from(stop?.duration_since(now)).unwrap_or_default();
    Instant::now().checked_add(left)
}
