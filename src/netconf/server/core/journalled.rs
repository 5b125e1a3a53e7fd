//! The way of a version to the disk: decided, queued, synced with others, published.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Datastores, Version, apply};
use crate::error::RpcError;
use crate::server::journal::{Journal, JournalError};
use crate::server::provider::Provider;
use crate::yang::diff::{Edit, diff};
use crate::yang::patch;
use crate::yang::schema::Schema;
use crate::yang::tree::Tree;

/// Versions decided but not yet durable. A full queue holds up further edits until the disk has caught up.
const JOURNAL_QUEUE: usize = 1024;

/// What a record of the journal is to the confirmed commit that may be pending: the name of its root element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Edits,
    /// Where it stands first, what came before it is what running goes back to.
    ConfirmedCommit,
    ConfirmingCommit,
    Rollback,
}

impl Mark {
    const ALL: [Mark; 4] = [Mark::Edits, Mark::ConfirmedCommit, Mark::ConfirmingCommit, Mark::Rollback];

    fn name(self) -> &'static str {
        match self {
            Mark::Edits => "edits",
            Mark::ConfirmedCommit => "confirmed-commit",
            Mark::ConfirmingCommit => "confirming-commit",
            Mark::Rollback => "rollback",
        }
    }

    pub(super) fn of(name: &str) -> Option<Mark> {
        Self::ALL.into_iter().find(|mark| mark.name() == name)
    }

    /// A record of edits that lead to `new`.
    pub(super) fn record(self, schema: &Schema, edits: &[Edit], new: &Tree) -> Vec<u8> {
        let mut record = format!("<{}>", self.name()).into_bytes();
        patch::write_edits(schema, edits, new, &mut record);
        record.extend_from_slice(format!("</{}>", self.name()).as_bytes());
        record
    }
}

/// The root of a checkpoint: running alone, or with what it may have to go back to.
pub(super) const CHECKPOINT_OF_RUNNING: &str = "config";
pub(super) const CHECKPOINT_OF_BOTH: &str = "confirmed-commit";

/// The way to the journal's thread, which publishes what it has stored.
pub(super) struct Queue(mpsc::Sender<Pending>);

/// Room in the queue for one version.
pub(super) struct Room<'q>(mpsc::Permit<'q, Pending>);

impl Queue {
    /// `fresh`: nothing has been stored yet.
    pub(super) fn start(
        journal: Journal,
        published: Arc<ArcSwap<Version>>,
        changed: watch::Sender<()>,
        fresh: bool,
    ) -> io::Result<Queue> {
        let (sender, queue) = mpsc::channel(JOURNAL_QUEUE);
        let writer = Writer { journal, published, changed, generation: 0, dirty: fresh };
        std::thread::Builder::new().name("journal".into()).spawn(move || writer.run(queue))?;
        Ok(Queue(sender))
    }

    /// Taken before a device is told: what is applied must be able to go to the disk.
    pub(super) async fn room(&self) -> Result<Room<'_>, RpcError> {
        self.0.reserve().await.map(Room).map_err(|_| stopped())
    }
}

impl Room<'_> {
    /// `record` leads from the version before to this one.
    pub(super) fn send(self, generation: u64, record: Vec<u8>, version: Arc<Version>) -> Durable {
        let (done, waiting) = oneshot::channel();
        self.0.send(Pending { generation, record, version, done });
        Durable { generation, done: Some(waiting) }
    }
}

/// A version on its way to the disk.
struct Pending {
    generation: u64,
    record: Vec<u8>,
    version: Arc<Version>,
    done: oneshot::Sender<Result<(), String>>,
}

/// Resolves when what was decided is durable.
#[must_use]
pub struct Durable {
    generation: u64,
    done: Option<oneshot::Receiver<Result<(), String>>>,
}

impl Durable {
    /// Nothing is on its way.
    pub(super) fn done() -> Durable {
        Durable { generation: 0, done: None }
    }
}

impl Datastores {
    /// Waits until a change is durable. Where the disk refused it, everything goes back to what is durable.
    pub async fn wait<P: Provider>(&self, provider: &P, durable: Durable) -> Result<(), RpcError> {
        let Some(done) = durable.done else { return Ok(()) };
        let reason = match done.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(reason)) => reason,
            Err(_) => return Err(stopped()),
        };
        let mut core = self.core().await;
        if core.generation == durable.generation {
            core.generation += 1;
            let kept = self.published.load_full();
            let undone = self.set_running(&mut core, kept.clone());
            let edits = diff(&undone.running, &kept.running);
            tracing::error!(%reason, "configuration could not be stored: going back to the stored one");
            apply(provider, &undone.running, &kept.running, &edits).await.map_err(|error| {
                RpcError::rollback_failed(format!("Not stored ({reason}), and the device did not go back: {error}"))
            })?;
        }
        Err(RpcError::operation_failed(format!("The configuration could not be stored: {reason}")))
    }
}

fn stopped() -> RpcError {
    RpcError::operation_failed("The server is stopping.")
}

/// The journal's own thread: the disk never holds up the runtime.
struct Writer {
    journal: Journal,
    published: Arc<ArcSwap<Version>>,
    changed: watch::Sender<()>,
    generation: u64,
    /// Nothing has been stored yet: the first checkpoint holds what the server started with.
    dirty: bool,
}

impl Writer {
    fn run(mut self, mut queue: mpsc::Receiver<Pending>) {
        if self.dirty {
            let version = self.published.load_full();
            if let Err(error) = self.checkpoint(&version) {
                tracing::error!(%error, "the initial configuration could not be stored");
            }
        }
        while let Some(first) = queue.blocking_recv() {
            let mut group = vec![first];
            while let Ok(more) = queue.try_recv() {
                group.push(more);
            }
            self.commit(group);
        }
    }

    fn commit(&mut self, group: Vec<Pending>) {
        // Versions built on one that failed are gone with it.
        let (stale, group): (Vec<_>, Vec<_>) = group.into_iter().partition(|p| p.generation < self.generation);
        for pending in stale {
            let _ = pending.done.send(Err("an earlier change could not be stored".into()));
        }
        let Some(last) = group.last() else { return };
        let version = last.version.clone();
        let generation = last.generation;
        let stored = group.iter().try_for_each(|p| self.journal.append(&p.record)).and_then(|()| self.journal.commit());
        match stored {
            Ok(()) => {
                self.published.store(version.clone());
                self.changed.send_replace(());
                for pending in group {
                    // A session that is gone does not wait.
                    let _ = pending.done.send(Ok(()));
                }
                if self.journal.wants_checkpoint()
                    && let Err(error) = self.checkpoint(&version)
                {
                    tracing::warn!(%error, "no checkpoint could be written; the journal grows on");
                }
            }
            Err(error) => {
                self.generation = generation + 1;
                for pending in group {
                    let _ = pending.done.send(Err(error.to_string()));
                }
            }
        }
    }

    fn checkpoint(&mut self, version: &Version) -> Result<(), JournalError> {
        let mut bytes = Vec::new();
        match &version.awaiting {
            None => write_element(CHECKPOINT_OF_RUNNING, &version.running, &mut bytes),
            Some(awaiting) => {
                bytes.extend_from_slice(format!("<{CHECKPOINT_OF_BOTH}>").as_bytes());
                write_element("running", &version.running, &mut bytes);
                write_element("before", &awaiting.before, &mut bytes);
                bytes.extend_from_slice(format!("</{CHECKPOINT_OF_BOTH}>").as_bytes());
            }
        }
        self.journal.checkpoint(&bytes).map(|_| ())
    }
}

fn write_element(name: &str, tree: &Tree, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("<{name}>").as_bytes());
    patch::write_config(tree, out);
    out.extend_from_slice(format!("</{name}>").as_bytes());
}
