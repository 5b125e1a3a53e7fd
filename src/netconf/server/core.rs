//! The owner of the datastores: locks, candidate, and the one way in which running changes.
//!
//! One caller at a time holds the core. What it decides is on its way to the disk when it lets go: the next edit does
//! not wait for the disk, and one `fdatasync` serves all edits that came meanwhile. Readers see a version, and its author
//! an `<ok/>`, once it is durable.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Mutex, MutexGuard, oneshot};

use super::journal::{self, Journal, Recovered};
use super::nacm::{Nacm, UserAccess};
use super::operation::parameters::Datastore;
use super::provider::Provider;
use super::record::StateDirectory;
use crate::error::RpcError;
use crate::xml::{Document, Limits};
use crate::yang::diff::{Edit, diff};
use crate::yang::edit::{self, Operation};
use crate::yang::patch;
use crate::yang::schema::Schema;
use crate::yang::tree::Tree;
use crate::yang::validate::Validator;

/// How long a device may take to apply a configuration before the edit fails. Optical equipment re-tunes in seconds; a
/// device that takes longer is not answering, and others wait.
pub const APPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// Versions decided but not yet durable. A full queue holds up further edits until the disk has caught up.
const JOURNAL_QUEUE: usize = 1024;

/// A running datastore as readers see it, with the access rules it sets.
pub struct Version {
    pub running: Tree,
    pub nacm: Arc<Nacm>,
}

/// The datastores, shared by all sessions of a server.
pub struct Datastores {
    schema: Arc<Schema>,
    published: Arc<ArcSwap<Version>>,
    candidate: ArcSwapOption<Tree>,
    core: Mutex<Core>,
    /// Changed by the holder of the core only; read by anyone.
    locks: std::sync::Mutex<BTreeMap<Datastore, Lock>>,
    /// Operations are validated beside the core: they need not wait for a device that is slow to apply an edit.
    operations: std::sync::Mutex<Validator>,
    durable: tokio::sync::mpsc::Sender<Pending>,
}

/// What only one caller at a time may touch.
pub struct Core {
    /// The newest version, durable or about to be.
    running: Arc<Version>,
    /// None while it does not differ from running.
    candidate: Option<Tree>,
    validator: Validator,
    /// Counts the times that versions were taken back because the disk refused them.
    generation: u64,
}

/// Who holds a datastore, and since when (RFC 3339).
#[derive(Clone, Debug)]
pub struct Lock {
    pub session_id: u32,
    pub time: String,
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

/// What a change to running did, for notifications.
pub struct Committed {
    pub edits: Vec<Edit>,
    pub durable: Durable,
}

/// Who asks, as far as the core must know.
#[derive(Clone, Copy)]
pub struct Author<'a> {
    pub session_id: u32,
    /// None where access control does not apply.
    pub access: &'a UserAccess,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestOption {
    TestThenSet,
    Set,
    TestOnly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorOption {
    StopOnError,
    ContinueOnError,
    RollbackOnError,
}

/// Why a server cannot start on what its state directory holds.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error(transparent)]
    Journal(#[from] journal::JournalError),
    #[error("the stored configuration does not fit the loaded modules: {0}")]
    Schema(String),
    #[error("the stored configuration is not valid: {0}")]
    Invalid(String),
}

impl Datastores {
    /// Recovers running from `state_dir` and starts the journal's thread. `initial` is what a new server starts with.
    pub fn open(schema: Arc<Schema>, state: &StateDirectory, initial: &Tree) -> Result<Datastores, RecoveryError> {
        let (journal, recovered) = Journal::open(state)?;
        if let Some(note) = &recovered.note {
            tracing::warn!("{note}");
        }
        let fresh = recovered.checkpoint.is_none() && recovered.records.is_empty();
        let mut running = if fresh { initial.clone() } else { recover(&schema, recovered)? };
        let mut validator = Validator::new(schema.clone());
        running = validator.validate_all(&running).map_err(|errors| {
            RecoveryError::Invalid(errors.iter().map(|e| e.to_string()).collect::<Vec<_>>().join("; "))
        })?;
        let nacm = Nacm::compile(&running, None);
        let version = Arc::new(Version { running, nacm });
        let published = Arc::new(ArcSwap::new(version.clone()));
        let (durable, queue) = tokio::sync::mpsc::channel(JOURNAL_QUEUE);
        let writer = Writer { journal, published: published.clone(), generation: 0, dirty: fresh };
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.run(queue))
            .map_err(|e| RecoveryError::Invalid(format!("cannot start a thread: {e}")))?;
        let operations = std::sync::Mutex::new(Validator::new(schema.clone()));
        let core = Core { running: version, candidate: None, validator, generation: 0 };
        let locks = std::sync::Mutex::default();
        let candidate = ArcSwapOption::empty();
        Ok(Datastores { schema, published, candidate, core: Mutex::new(core), locks, operations, durable })
    }

    /// The durable version.
    pub fn version(&self) -> Arc<Version> {
        self.published.load_full()
    }

    pub fn read(&self, datastore: Datastore) -> Tree {
        match datastore {
            Datastore::Running => self.published.load().running.clone(),
            Datastore::Candidate => match self.candidate.load_full() {
                Some(candidate) => (*candidate).clone(),
                None => self.published.load().running.clone(),
            },
        }
    }

    async fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().await
    }

    /// `<edit-config>`. The errors of a continue-on-error edit come with what was done all the same.
    #[allow(clippy::too_many_arguments)]
    pub async fn edit<P: Provider>(
        &self,
        provider: &P,
        author: Author<'_>,
        target: Datastore,
        config: crate::xml::Element<'_>,
        default: Operation,
        test: TestOption,
        on_error: ErrorOption,
    ) -> Result<(Option<Committed>, Vec<RpcError>), Vec<RpcError>> {
        let mut core = self.core().await;
        self.refuse_if_locked(target, author.session_id)?;
        let old = core.tree(target);
        let (new, errors) = author.access.edit(&old, config, default);
        if !errors.is_empty() && on_error != ErrorOption::ContinueOnError {
            return Err(errors);
        }
        author.access.check_edits(&diff(&old, &new))?;
        if target == Datastore::Candidate {
            if test == TestOption::TestOnly {
                let running = core.running.running.clone();
                core.check(provider, &running, &new)?;
            } else {
                self.set_candidate(&mut core, Some(new));
            }
            return Ok((None, errors));
        }
        if test == TestOption::TestOnly {
            core.check(provider, &old, &new)?;
            return Ok((None, errors));
        }
        let committed = self.install(&mut core, provider, new).await?;
        Ok((Some(committed), errors))
    }

    /// `<copy-config>`, and `<commit>` as the copy of candidate to running.
    pub async fn replace<P: Provider>(
        &self,
        provider: &P,
        author: Author<'_>,
        target: Datastore,
        source: Result<Datastore, Tree>,
    ) -> Result<Option<Committed>, Vec<RpcError>> {
        let mut core = self.core().await;
        self.refuse_if_locked(target, author.session_id)?;
        let commit = (target, &source) == (Datastore::Running, &Ok(Datastore::Candidate));
        if commit {
            self.refuse_if_locked(Datastore::Candidate, author.session_id)?;
        }
        let new = match source {
            Ok(source) => core.tree(source),
            Err(tree) => tree,
        };
        let old = core.tree(target);
        author.access.check_edits(&diff(&old, &new))?;
        if target == Datastore::Candidate {
            self.set_candidate(&mut core, Some(new));
            return Ok(None);
        }
        let committed = self.install(&mut core, provider, new).await?;
        if commit {
            self.set_candidate(&mut core, None);
        }
        Ok(Some(committed))
    }

    pub async fn discard_changes(&self, author: Author<'_>) -> Result<(), RpcError> {
        let mut core = self.core().await;
        self.refuse_if_locked(Datastore::Candidate, author.session_id)?;
        self.set_candidate(&mut core, None);
        Ok(())
    }

    /// `<validate>` of a datastore or of inline configuration.
    pub async fn validate<P: Provider>(
        &self,
        provider: &P,
        source: Result<Datastore, Tree>,
    ) -> Result<(), Vec<RpcError>> {
        let mut core = self.core().await;
        let new = match source {
            Ok(source) => core.tree(source),
            Err(tree) => tree,
        };
        core.validator.validate_all(&new)?;
        provider.validate(&new).map_err(|e| vec![e])
    }

    /// Validates an operation's input or output, or a notification, where the schema says more than types.
    pub fn validate_operation(
        &self,
        operation: &Tree,
        kind: crate::yang::ffi::data::Kind,
    ) -> Result<(), Vec<RpcError>> {
        let running = self.published.load().running.clone();
        let mut validator = self.operations.lock().expect("no panic holds it");
        validator.validate_operation(operation, kind, &running)
    }

    /// `<lock>` (RFC 6241 section 7.5).
    pub async fn lock(&self, target: Datastore, session_id: u32) -> Result<(), RpcError> {
        let core = self.core().await;
        let mut locks = self.lock_table();
        if let Some(&Lock { session_id: holder, .. }) = locks.get(&target) {
            let message = format!("The {} datastore is locked by session {holder}.", target.as_str());
            return Err(RpcError::lock_denied(holder, message));
        }
        if target == Datastore::Candidate && core.candidate.is_some() {
            let message = "The candidate has changes that are neither committed nor discarded.";
            return Err(RpcError::lock_denied(0, message));
        }
        locks.insert(target, Lock { session_id, time: super::now() });
        Ok(())
    }

    /// `<unlock>` (RFC 6241 section 7.6).
    pub async fn unlock(&self, target: Datastore, session_id: u32) -> Result<(), RpcError> {
        let mut core = self.core().await;
        let mut locks = self.lock_table();
        match locks.get(&target) {
            Some(lock) if lock.session_id == session_id => {
                locks.remove(&target);
                self.after_unlock(&mut core, target);
                Ok(())
            }
            Some(Lock { session_id: holder, .. }) => Err(RpcError::operation_failed(format!(
                "The {} datastore is locked by session {holder}.",
                target.as_str()
            ))),
            None => Err(RpcError::operation_failed(format!("The {} datastore is not locked.", target.as_str()))),
        }
    }

    /// Locks die with their session, and changes to a locked candidate with its lock (RFC 6241 section 8.3.4.2).
    pub async fn end_session(&self, session_id: u32) {
        let mut core = self.core().await;
        let mut locks = self.lock_table();
        let held: Vec<Datastore> =
            locks.iter().filter(|(_, lock)| lock.session_id == session_id).map(|(datastore, _)| *datastore).collect();
        for datastore in held {
            locks.remove(&datastore);
            self.after_unlock(&mut core, datastore);
        }
    }

    /// The holders of locks.
    pub fn locks(&self) -> BTreeMap<Datastore, Lock> {
        self.lock_table().clone()
    }

    fn lock_table(&self) -> std::sync::MutexGuard<'_, BTreeMap<Datastore, Lock>> {
        self.locks.lock().expect("no panic holds it")
    }

    fn refuse_if_locked(&self, target: Datastore, session_id: u32) -> Result<(), RpcError> {
        match self.lock_table().get(&target) {
            Some(&Lock { session_id: holder, .. }) if holder != session_id => {
                Err(RpcError::in_use(format!("The {} datastore is locked by session {holder}.", target.as_str())))
            }
            _ => Ok(()),
        }
    }

    fn after_unlock(&self, core: &mut Core, target: Datastore) {
        if target == Datastore::Candidate {
            self.set_candidate(core, None);
        }
    }

    fn set_candidate(&self, core: &mut Core, candidate: Option<Tree>) {
        core.candidate = candidate.filter(|tree| !tree.same_version(&core.running.running));
        self.candidate.store(core.candidate.clone().map(Arc::new));
    }

    /// Validates, applies and hands to the journal.
    async fn install<P: Provider>(&self, core: &mut Core, provider: &P, new: Tree) -> Result<Committed, Vec<RpcError>> {
        let old = core.running.running.clone();
        let new = core.check(provider, &old, &new)?;
        let edits = diff(&old, &new);
        if edits.is_empty() {
            return Ok(Committed { edits, durable: Durable { generation: core.generation, done: None } });
        }
        // Room first: what is applied must be able to go to the disk.
        let room = self.durable.reserve().await.map_err(|_| vec![stopped()])?;
        apply(provider, &old, &new, &edits).await?;
        let mut record = Vec::new();
        record.extend_from_slice(b"<edits>");
        patch::write_edits(&self.schema, &edits, &new, &mut record);
        record.extend_from_slice(b"</edits>");
        let nacm = Nacm::compile(&new, Some(&core.running.nacm));
        let version = Arc::new(Version { running: new, nacm });
        core.running = version.clone();
        let (done, waiting) = oneshot::channel();
        room.send(Pending { generation: core.generation, record, version, done });
        Ok(Committed { edits, durable: Durable { generation: core.generation, done: Some(waiting) } })
    }

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
            let undone = std::mem::replace(&mut core.running, kept.clone());
            let edits = diff(&undone.running, &kept.running);
            tracing::error!(%reason, "configuration could not be stored: going back to the stored one");
            apply(provider, &undone.running, &kept.running, &edits).await.map_err(|error| {
                RpcError::rollback_failed(format!("Not stored ({reason}), and the device did not go back: {error}"))
            })?;
        }
        Err(RpcError::operation_failed(format!("The configuration could not be stored: {reason}")))
    }
}

impl Core {
    fn tree(&self, datastore: Datastore) -> Tree {
        match datastore {
            Datastore::Running => self.running.running.clone(),
            Datastore::Candidate => self.candidate.clone().unwrap_or_else(|| self.running.running.clone()),
        }
    }

    fn check<P: Provider>(&mut self, provider: &P, old: &Tree, new: &Tree) -> Result<Tree, Vec<RpcError>> {
        let new = self.validator.validate(old, new)?;
        provider.validate(&new)?;
        Ok(new)
    }
}

async fn apply<P: Provider>(provider: &P, old: &Tree, new: &Tree, edits: &[Edit]) -> Result<(), RpcError> {
    match tokio::time::timeout(APPLY_TIMEOUT, provider.apply(old, new, edits)).await {
        Ok(done) => done,
        Err(_) => {
            let message = format!("The device did not apply the configuration within {} s.", APPLY_TIMEOUT.as_secs());
            Err(RpcError::operation_failed(message))
        }
    }
}

fn stopped() -> RpcError {
    RpcError::operation_failed("The server is stopping.")
}

/// Running as the checkpoint and the records after it tell it.
fn recover(schema: &Arc<Schema>, recovered: Recovered) -> Result<Tree, RecoveryError> {
    let parse = |bytes: &[u8], apply: &mut dyn FnMut(crate::xml::Element<'_>) -> Result<(), Vec<RpcError>>| {
        let text = std::str::from_utf8(bytes).map_err(|e| RecoveryError::Schema(e.to_string()))?;
        let document = Document::parse(text, &Limits::default()).map_err(|e| RecoveryError::Schema(e.to_string()))?;
        apply(document.root())
            .map_err(|errors| RecoveryError::Schema(errors.first().map(|e| e.to_string()).unwrap_or_default()))
    };
    let mut running = Tree::initial(schema.clone());
    if let Some(checkpoint) = recovered.checkpoint {
        parse(&checkpoint, &mut |config| {
            running = edit::read_config(schema, config)?;
            Ok(())
        })?;
    }
    for record in recovered.records {
        parse(&record, &mut |edits| {
            for one in edits.children() {
                let (next, errors) = edit::edit(&running, one, Operation::Merge);
                if !errors.is_empty() {
                    return Err(errors);
                }
                running = next;
            }
            Ok(())
        })?;
    }
    Ok(running)
}

/// The journal's own thread: the disk never holds up the runtime.
struct Writer {
    journal: Journal,
    published: Arc<ArcSwap<Version>>,
    generation: u64,
    /// Nothing has been stored yet: the first checkpoint holds what the server started with.
    dirty: bool,
}

impl Writer {
    fn run(mut self, mut queue: tokio::sync::mpsc::Receiver<Pending>) {
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

    fn checkpoint(&mut self, version: &Version) -> Result<(), journal::JournalError> {
        let mut bytes = b"<config>".to_vec();
        patch::write_config(&version.running, &mut bytes);
        bytes.extend_from_slice(b"</config>");
        self.journal.checkpoint(&bytes).map(|_| ())
    }
}
