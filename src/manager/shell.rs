//! The one task around the brain: it reads the clock, makes durable what the brain decided, and only then lets anyone see it.
//!
//! Where the store fails, as on a full disk, nothing is lost: what was decided waits and is tried again, no further input is taken, and so
//! the devices' own queues, and at last the devices, wait. Northbound requests time out meanwhile and say why.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::connection::Devices;
use crate::input::{Answer, Effect, Input, Notification, Refusal, Request};
use crate::record::Record;
use crate::store::Store;

/// Inputs that wait for the brain. It takes thousands a second; when the queue is full, devices and requests wait, and nothing is dropped.
const INPUTS: usize = 1_024;

/// Inputs handled before what they changed is written, all in one go: the more wait, the fewer commits there are. Bounds what is in memory
/// and how late the first of them shows.
const BATCH: usize = 256;

/// The brain is told the time so often.
const TICK: Duration = Duration::from_secs(1);

/// A request that has no answer by then is refused: whole networks are read anew in less.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The store is tried again so often while it fails, and its failure is logged again so often.
const STORE_RETRY: Duration = Duration::from_secs(1);
const STORE_COMPLAINT: Duration = Duration::from_secs(30);

/// While the manager stops, a failing store is given so long to take what is left.
const STORE_FAREWELL: Duration = Duration::from_secs(5);

/// The way to the brain. Clones lead to the same one.
#[derive(Clone, Debug)]
pub struct Inputs {
    queue: mpsc::Sender<Told>,
    store_fails: Arc<AtomicBool>,
}

/// The other end of [`Inputs`].
#[derive(Debug)]
pub struct InputQueue {
    queue: mpsc::Receiver<Told>,
    store_fails: Arc<AtomicBool>,
}

/// What is told to the shell.
#[derive(Debug)]
pub enum Told {
    Input(Input),
    Request(Request, oneshot::Sender<Result<Answer, Refusal>>),
    /// Records that no brain needs to see; told back, where anyone waits, when they are durable.
    Keep(Vec<Record>, Option<oneshot::Sender<()>>),
}

/// The shell has ended, because the manager stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the manager is stopping")]
pub struct Stopped;

impl Inputs {
    pub fn channel() -> (Inputs, InputQueue) {
        let (sender, receiver) = mpsc::channel(INPUTS);
        let store_fails = Arc::new(AtomicBool::new(false));
        (Inputs { queue: sender, store_fails: store_fails.clone() }, InputQueue { queue: receiver, store_fails })
    }

    /// Waits for room in the queue ([`INPUTS`]).
    pub async fn send(&self, input: Input) -> Result<(), Stopped> {
        self.queue.send(Told::Input(input)).await.map_err(|_| Stopped)
    }

    /// Asks the brain, and waits for its answer ([`REQUEST_TIMEOUT`]).
    pub async fn request(&self, request: Request) -> Result<Answer, Refusal> {
        let (answer, answered) = oneshot::channel();
        let asking = async {
            self.queue.send(Told::Request(request, answer)).await.map_err(|_| Stopped)?;
            answered.await.map_err(|_| Stopped)
        };
        match tokio::time::timeout(REQUEST_TIMEOUT, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(stopped)) => Err(Refusal::Failed(stopped.to_string())),
            Err(_) => {
                let why = if self.store_fails.load(Ordering::Relaxed) { ": its store cannot be written" } else { "" };
                Err(Refusal::Failed(format!("the manager gave no answer within {} s{why}", REQUEST_TIMEOUT.as_secs())))
            }
        }
    }

    /// Keeps records that are not the brain's, such as finished intervals; returns when they are durable.
    pub async fn keep(&self, records: Vec<Record>) -> Result<(), Stopped> {
        let (kept, durable) = oneshot::channel();
        self.queue.send(Told::Keep(records, Some(kept))).await.map_err(|_| Stopped)?;
        durable.await.map_err(|_| Stopped)
    }

    /// The same without waiting until they are durable.
    pub async fn note(&self, records: Vec<Record>) -> Result<(), Stopped> {
        self.queue.send(Told::Keep(records, None)).await.map_err(|_| Stopped)
    }
}

impl InputQueue {
    /// What comes next; None when nobody can send any more.
    pub async fn next(&mut self) -> Option<Told> {
        self.queue.recv().await
    }
}

/// Runs the brain until `shutdown`: `handle` is its [`Manager::handle`](crate::brain::Manager::handle), `first` what it decided when it
/// recovered. What is under way is made durable before the task ends.
pub fn start<S: Store>(
    handle: impl FnMut(Input, Timestamp) -> Vec<Effect> + Send + 'static,
    first: Vec<Effect>,
    queue: InputQueue,
    store: Arc<S>,
    devices: Devices,
    notifications: mpsc::Sender<Notification>,
    shutdown: CancellationToken,
) -> JoinHandle<()> {
    let InputQueue { queue, store_fails } = queue;
    let shell = Shell {
        handle,
        store,
        store_fails,
        devices,
        notifications,
        shutdown,
        asking: HashMap::new(),
        last_request: 0,
        batch: Batch::default(),
    };
    tokio::spawn(shell.run(first, queue))
}

struct Shell<H, S> {
    handle: H,
    store: Arc<S>,
    store_fails: Arc<AtomicBool>,
    devices: Devices,
    notifications: mpsc::Sender<Notification>,
    shutdown: CancellationToken,
    asking: HashMap<u64, oneshot::Sender<Result<Answer, Refusal>>>,
    last_request: u64,
    batch: Batch,
}

/// What was decided and has not happened yet.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    acts: Vec<Effect>,
    kept: Vec<oneshot::Sender<()>>,
}

impl<H: FnMut(Input, Timestamp) -> Vec<Effect> + Send, S: Store> Shell<H, S> {
    async fn run(mut self, first: Vec<Effect>, mut queue: mpsc::Receiver<Told>) {
        self.decided(first);
        self.carry_out().await;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => break,
                _ = tick.tick() => {
                    // Who asked may have gone.
                    self.asking.retain(|_, answer| !answer.is_closed());
                    self.take(Input::Tick);
                }
                count = queue.recv_many(&mut told, BATCH) => {
                    if count == 0 {
                        break;
                    }
                    told.drain(..).for_each(|told| self.hear(told));
                }
            }
            self.carry_out().await;
        }
        // What was told before the end is still handled; devices replay what comes after.
        queue.close();
        while let Ok(told) = queue.try_recv() {
            self.hear(told);
        }
        self.carry_out().await;
    }

    fn hear(&mut self, told: Told) {
        match told {
            Told::Input(input) => self.take(input),
            Told::Request(request, answer) => {
                self.last_request += 1;
                self.asking.insert(self.last_request, answer);
                self.take(Input::Request { number: self.last_request, request });
            }
            Told::Keep(records, kept) => {
                self.batch.records.extend(records);
                self.batch.kept.extend(kept);
            }
        }
    }

    fn take(&mut self, input: Input) {
        let effects = (self.handle)(input, Timestamp::now());
        self.decided(effects);
    }

    fn decided(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Store(record) => self.batch.records.push(record),
                act => self.batch.acts.push(act),
            }
        }
    }

    /// Records first, and durable before anything else happens.
    async fn carry_out(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        if !batch.records.is_empty() && !self.write(batch.records).await {
            return;
        }
        // Whoever waited may have gone.
        for kept in batch.kept {
            let _gone = kept.send(()).is_err();
        }
        for act in batch.acts {
            self.act(act).await;
        }
    }

    /// Returns when it is durable; false where the manager stops and the store does not take it.
    async fn write(&mut self, records: Vec<Record>) -> bool {
        let began = Instant::now();
        let mut complained: Option<Instant> = None;
        let mut leave: Option<Instant> = None;
        loop {
            let Err(error) = self.store.write(records.clone()).await else { break };
            self.store_fails.store(true, Ordering::Relaxed);
            if complained.is_none_or(|at| at.elapsed() >= STORE_COMPLAINT) {
                complained = Some(Instant::now());
                let seconds = began.elapsed().as_secs();
                tracing::error!(
                    records = records.len(),
                    seconds,
                    "the store cannot be written: {error}; nothing is lost, the manager holds back until it can"
                );
            }
            if self.shutdown.is_cancelled() && leave.get_or_insert_with(Instant::now).elapsed() >= STORE_FAREWELL {
                tracing::error!(
                    records = records.len(),
                    "stopping without what the store did not take; devices tell it again at the next start"
                );
                return false;
            }
            tokio::time::sleep(STORE_RETRY).await;
        }
        if complained.is_some() {
            self.store_fails.store(false, Ordering::Relaxed);
            let seconds = began.elapsed().as_secs();
            tracing::info!(records = records.len(), seconds, "the store can be written again");
        }
        true
    }

    async fn act(&mut self, act: Effect) {
        match act {
            Effect::Store(_) => unreachable!("decided() has put records apart"),
            Effect::Notify(notification) => {
                if self.notifications.send(*notification).await.is_err() {
                    tracing::debug!("a notification found no northbound server");
                }
            }
            Effect::Answer { number, answer } => match self.asking.remove(&number) {
                // Whoever asked may have gone.
                Some(asked) => drop(asked.send(answer)),
                None => tracing::debug!(number, "an answer came too late"),
            },
            Effect::Synchronize { device } => self.devices.synchronize(&device),
            Effect::Diagnose { run, device, link_id, seconds } => self.devices.diagnose(run, device, link_id, seconds),
            Effect::Control { run, device, action } => self.devices.control(run, device, action),
        }
    }
}

#[cfg(test)]
pub(crate) mod double;
#[cfg(test)]
mod tests;
