//! Event streams with replay (RFC 5277 section 2): what is published is stored, then delivered to who subscribed.
//!
//! One task owns the [`Publisher`]. What it publishes goes through a queue to the writer, which stores all that has
//! come together with one sync and only then lets subscribers see it; so what anyone was told survives a crash. A
//! [`Subscription`] is a position in the stream. The newest events are in memory, once for all subscribers; who is
//! further behind reads the log on disk. So a slow subscriber costs nothing and delays nobody, and one that falls behind
//! what the log retains is ended, and told why.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use smol_str::SmolStr;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::record::{RecordError, StateDirectory};
use crate::yang::{NodeId, Tree};

mod log;
mod subscription;

pub use log::{RETAINED_AGE, RETAINED_BYTES, RETAINED_EVENTS, Retention};
pub use subscription::{Ended, Message, ReplayWindow, Subscription};

use log::{Index, Log};

/// Events between the publisher and the disk: at 50,000 a second this bridges a disk that stalls for 160 ms. When it is
/// full [`Publisher::publish`] waits, because an event must not be lost.
pub const PUBLISH_QUEUE: usize = 8192;
/// Events stored with one sync, at most: a sync is a fraction of a millisecond, so beyond this nothing is gained.
const BATCH_EVENTS: usize = 1024;
const BATCH_BYTES: usize = 1 << 20;
/// Events kept in memory with their trees, for all subscribers together, and the size of their XML. Who is further
/// behind reads the log.
const MEMORY_EVENTS: usize = 16_384;
const MEMORY_BYTES: usize = 16 << 20;

/// A notification to be published.
#[derive(Clone, Debug)]
pub struct Notification {
    /// The module and name of the notification statement.
    pub module: SmolStr,
    pub name: SmolStr,
    pub node: Option<NodeId>,
    /// The XML that stands beside `<eventTime>`, self-contained.
    pub body: Arc<str>,
    /// What `body` was written from, for filters and access control.
    pub tree: Option<Tree>,
}

/// A notification in its stream.
#[derive(Clone, Debug)]
pub struct Entry {
    /// One more than that of the entry before.
    pub sequence: u64,
    /// Never before that of the entry before; in microseconds.
    pub time: Timestamp,
    /// `time` as `<eventTime>` has it (RFC 3339, UTC).
    pub event_time: String,
    pub module: SmolStr,
    pub name: SmolStr,
    /// None if the entry was read from the log, as is `tree`: parse `body` then.
    pub node: Option<NodeId>,
    pub body: Arc<str>,
    pub tree: Option<Tree>,
}

impl Entry {
    fn new(sequence: u64, time: Timestamp, notification: Notification) -> Entry {
        let Notification { module, name, node, body, tree } = notification;
        Entry { sequence, time, event_time: format!("{time:.6}"), module, name, node, body, tree }
    }
}

/// An event stream, to be subscribed to. A cheap handle.
#[derive(Clone, Debug)]
pub struct Stream {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    state: Mutex<State>,
    /// The sequence number of the last event delivered; changes also when the stream is closed.
    delivered: watch::Sender<u64>,
    /// That of the last event published, stored or not.
    published: AtomicU64,
}

#[derive(Debug)]
struct State {
    index: Index,
    /// The newest events without a gap, up to `last`.
    memory: VecDeque<Arc<Entry>>,
    memory_bytes: usize,
    /// [`MEMORY_EVENTS`]; tests bring it down.
    memory_events: usize,
    last: u64,
    closed: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no one panics while holding the stream's state")
    }
}

impl Stream {
    /// Opens or makes the stream `name` with its log below the state directory. Reads the whole log, and blocks for it.
    /// Call it in a runtime: the writer is a task of it.
    pub fn open(
        state: &StateDirectory,
        name: &str,
        retention: Retention,
        now: Timestamp,
    ) -> Result<(Stream, Publisher), RecordError> {
        let log = Log::open(state, name, retention, microseconds(now))?;
        let last = log.last();
        let time = log.index().last_time();
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            state: Mutex::new(State {
                index: log.index().clone(),
                memory: VecDeque::new(),
                memory_bytes: 0,
                memory_events: MEMORY_EVENTS,
                last,
                closed: false,
            }),
            delivered: watch::Sender::new(last),
            published: AtomicU64::new(last),
        });
        let (queue, queued) = mpsc::channel(PUBLISH_QUEUE);
        let writer = tokio::spawn(Writer { shared: shared.clone(), log, failing: false }.run(queued));
        Ok((Stream { shared: shared.clone() }, Publisher { shared, queue, time, writer }))
    }

    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// `replayLogCreationTime` (RFC 5277 section 3.2.5.1).
    pub fn replay_log_creation_time(&self) -> Timestamp {
        self.shared.state().index.created
    }

    /// `replayLogAgedTime`: that of the last event which the log has dropped.
    pub fn replay_log_aged_time(&self) -> Option<Timestamp> {
        self.shared.state().index.aged
    }

    /// A subscription from now on, after the replay that `window` asks for.
    pub fn subscribe(&self, window: ReplayWindow, now: Timestamp) -> Subscription {
        Subscription::new(self.shared.clone(), window, now)
    }
}

/// The one who publishes to a stream. Drop it, or better [`Publisher::close`] it, and the stream ends.
#[derive(Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Item>,
    /// Of the last event.
    time: Timestamp,
    writer: JoinHandle<()>,
}

#[derive(Debug)]
enum Item {
    Event(Arc<Entry>),
    /// Answered when all before it has been delivered.
    Flush(oneshot::Sender<()>),
}

/// The stream's writer is gone, because the runtime is being shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event stream is closed")]
pub struct Closed;

impl Publisher {
    /// Gives the notification its place in the stream; it is stored, and then delivered, without further waiting. Waits
    /// while [`PUBLISH_QUEUE`] is full. Cancelled, it has published nothing.
    pub async fn publish(&mut self, notification: Notification, now: Timestamp) -> Result<Arc<Entry>, Closed> {
        let place = self.queue.reserve().await.map_err(|_| Closed)?;
        self.time = self.time.max(microseconds(now));
        let sequence = self.shared.published.fetch_add(1, Ordering::AcqRel) + 1;
        let entry = Arc::new(Entry::new(sequence, self.time, notification));
        place.send(Item::Event(entry.clone()));
        Ok(entry)
    }

    /// Waits until all that was published is stored (or an error logged that it cannot be) and can be delivered.
    pub async fn flush(&self) -> Result<(), Closed> {
        let (done, waits) = oneshot::channel();
        self.queue.send(Item::Flush(done)).await.map_err(|_| Closed)?;
        waits.await.map_err(|_| Closed)
    }

    /// Flushes, ends all subscriptions after their last event, and leaves the log to whoever opens it next.
    pub async fn close(self) {
        drop(self.queue);
        if let Err(error) = self.writer.await {
            tracing::error!("the writer of stream {} ended badly: {error}", self.shared.name);
        }
    }
}

struct Writer {
    shared: Arc<Shared>,
    log: Log,
    /// Events are delivered without being stored, and that has been said.
    failing: bool,
}

impl Writer {
    async fn run(mut self, mut queue: mpsc::Receiver<Item>) {
        while let Some(item) = queue.recv().await {
            let mut batch = Vec::new();
            let mut flushed = Vec::new();
            let mut bytes = 0;
            let mut next = Some(item);
            while let Some(item) = next {
                match item {
                    Item::Event(entry) => {
                        bytes += entry.body.len();
                        batch.push(entry);
                    }
                    Item::Flush(done) => flushed.push(done),
                }
                let room = batch.len() < BATCH_EVENTS && bytes < BATCH_BYTES;
                next = if room { queue.try_recv().ok() } else { None };
            }
            let step = tokio::task::spawn_blocking(move || {
                self.step(batch);
                self
            });
            match step.await {
                Ok(writer) => self = writer,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                // The runtime is being shut down.
                Err(_) => return,
            }
            for done in flushed {
                // Whoever waited may have been cancelled.
                let _ = done.send(());
            }
        }
        let mut state = self.shared.state();
        state.closed = true;
        self.shared.delivered.send_replace(state.last);
    }

    /// Stores a batch, delivers it, and drops what need not be retained. A log that cannot be written stops no alarm:
    /// events are then delivered all the same, and missing in a later replay.
    fn step(&mut self, batch: Vec<Arc<Entry>>) {
        let Some(last) = batch.last().cloned() else { return };
        let stored = self.log.store(&batch);
        let expired = self.log.expire(last.time);
        let name = &self.shared.name;
        match (&stored, self.failing) {
            (Err(error), false) => tracing::error!("events of stream {name} are delivered and not stored: {error}"),
            (Ok(()), true) => {
                tracing::warn!("events of stream {name} are stored again, up to {} are not", last.event_time)
            }
            _ => {}
        }
        self.failing = stored.is_err();
        let mut state = self.shared.state();
        state.index = self.log.index().clone();
        state.last = last.sequence;
        state.memory_bytes += batch.iter().map(|entry| entry.body.len()).sum::<usize>();
        state.memory.extend(batch);
        while state.memory.len() > state.memory_events || (state.memory_bytes > MEMORY_BYTES && state.memory.len() > 1)
        {
            let oldest = state.memory.pop_front().expect("the loop's condition");
            state.memory_bytes -= oldest.body.len();
        }
        drop(state);
        self.shared.delivered.send_replace(last.sequence);
        // Only now, when no one can be told to read them any more.
        if let Err(error) = self.log.remove(&expired) {
            tracing::error!("stream {name}: {error}");
        }
    }
}

fn microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).expect("it was in range before it was rounded towards zero")
}

#[cfg(test)]
mod tests;
