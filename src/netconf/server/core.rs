//! The owner of the datastores: locks, candidate, and the one way in which running changes.
//!
//! One caller at a time holds the core. What it decides is on its way to the disk when it lets go: the next edit does
//! not wait for the disk, and one `fdatasync` serves all edits that came meanwhile. Readers see a version, and its author
//! an `<ok/>`, once it is durable.

mod confirmed;
mod journalled;
mod lock;
mod partial_lock;
mod recover;
mod startup;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::time::Instant;

pub use self::confirmed::ROLLBACK_RETRY;
pub use self::journalled::Durable;
use self::journalled::{Mark, Queue};
pub use self::lock::Lock;
pub use self::partial_lock::{MAX_LOCKED_NODES, MAX_PARTIAL_LOCKS, PartialLock, PartialLocks};
use self::recover::Recovery;
pub use self::recover::RecoveryError;
pub use self::startup::Boot;
use self::startup::Stored;
use super::confirm::Awaiting;
use super::journal::Journal;
use super::nacm::{Nacm, UserAccess};
use super::operation::parameters::Datastore;
use super::provider::Provider;
use super::record::StateDirectory;
use crate::error::RpcError;
use crate::yang::defaults;
use crate::yang::diff::{Edit, diff};
use crate::yang::edit::Operation;
use crate::yang::schema::Schema;
use crate::yang::tree::Tree;
use crate::yang::validate::Validator;

/// How long a device may take to apply a configuration before the edit fails. Optical equipment re-tunes in seconds; a
/// device that takes longer is not answering, and others wait.
pub const APPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// A running datastore as readers see it, with the access rules it sets.
pub struct Version {
    pub running: Tree,
    pub nacm: Arc<Nacm>,
    /// The confirmed commit that this version is of, or was edited on top of.
    pub awaiting: Option<Awaiting<Tree>>,
}

/// The datastores, shared by all sessions of a server.
pub struct Datastores {
    schema: Arc<Schema>,
    published: Arc<ArcSwap<Version>>,
    candidate: ArcSwapOption<Tree>,
    /// None while there is none. Changed by the holder of the core only.
    startup: ArcSwapOption<Tree>,
    startup_path: PathBuf,
    core: Mutex<Core>,
    /// Changed by the holder of the core only; read by anyone.
    locks: std::sync::Mutex<BTreeMap<Datastore, Lock>>,
    /// The same of parts of running.
    partial: std::sync::Mutex<partial_lock::Table>,
    /// Operations are validated beside the core: they need not wait for a device that is slow to apply an edit.
    operations: std::sync::Mutex<Validator>,
    journal: Queue,
    /// When the confirmed commit that is pending is due.
    timer: watch::Sender<Option<Instant>>,
    /// Told when readers see another version, by the order of [`Datastore::ALL`].
    changed: [watch::Sender<()>; Datastore::ALL.len()],
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

/// What a change to running or startup did, for notifications.
pub struct Committed {
    pub datastore: Datastore,
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

impl Datastores {
    /// Recovers the datastores from a state directory and starts the journal's thread. `initial` is what a new server
    /// starts with.
    pub fn open(
        schema: Arc<Schema>,
        state: &StateDirectory,
        initial: &Tree,
        boot: Boot,
    ) -> Result<Datastores, RecoveryError> {
        let mut initial = initial.clone();
        defaults::complete_all(&schema, None, initial.root_mut());
        let initial = &initial;
        let (mut journal, recovered) = Journal::open(state)?;
        if let Some(note) = &recovered.note {
            tracing::warn!("{note}");
        }
        let fresh = recovered.checkpoint.is_none() && recovered.records.is_empty();
        let mut found = Recovery { running: initial.clone(), before: None };
        if !fresh {
            found = recover::recover(&schema, recovered)?;
        }
        let mut validator = Validator::new(schema.clone());
        let startup_path = startup::path(state);
        let stored = startup::load(&schema, &startup_path)?;
        let start = match (boot, &stored) {
            (Boot::Startup, Some(Stored::Config(startup))) => startup,
            (Boot::Startup, Some(Stored::Deleted)) => initial,
            _ => found.before.as_ref().unwrap_or(&found.running),
        };
        let running = validator.validate_all(start).map_err(|errors| {
            RecoveryError::Invalid(errors.iter().map(|e| e.to_string()).collect::<Vec<_>>().join("; "))
        })?;
        recover::record_start(&mut journal, &found, &running)?;
        let startup = match stored {
            Some(Stored::Config(startup)) => Some(startup),
            Some(Stored::Deleted) => None,
            // A server that never had one takes what it starts with.
            None => {
                startup::store(&startup_path, Some(&running))?;
                Some(running.clone())
            }
        };
        let nacm = Nacm::compile(&running, None);
        let version = Arc::new(Version { running, nacm, awaiting: None });
        let published = Arc::new(ArcSwap::new(version.clone()));
        let changed = Datastore::ALL.map(|_| watch::Sender::new(()));
        let journal = Queue::start(journal, published.clone(), changed[Datastore::Running as usize].clone(), fresh)
            .map_err(|e| RecoveryError::Invalid(format!("cannot start a thread: {e}")))?;
        let operations = std::sync::Mutex::new(Validator::new(schema.clone()));
        let core = Core { running: version, candidate: None, validator, generation: 0 };
        let locks = std::sync::Mutex::default();
        Ok(Datastores {
            schema,
            published,
            candidate: ArcSwapOption::empty(),
            startup: ArcSwapOption::new(startup.map(Arc::new)),
            startup_path,
            core: Mutex::new(core),
            locks,
            partial: std::sync::Mutex::default(),
            operations,
            journal,
            timer: watch::Sender::new(None),
            changed,
        })
    }

    /// The durable version.
    pub fn version(&self) -> Arc<Version> {
        self.published.load_full()
    }

    /// Tells when [`Datastores::read`] may give something else. Candidate that has no changes of its own follows running.
    pub fn watch(&self, datastore: Datastore) -> watch::Receiver<()> {
        self.changed[datastore as usize].subscribe()
    }

    pub fn read(&self, datastore: Datastore) -> Tree {
        match datastore {
            Datastore::Running => self.published.load().running.clone(),
            Datastore::Candidate => match self.candidate.load_full() {
                Some(candidate) => (*candidate).clone(),
                None => self.published.load().running.clone(),
            },
            Datastore::Startup => match self.startup.load_full() {
                Some(startup) => (*startup).clone(),
                None => Tree::initial(self.schema.clone()),
            },
        }
    }

    /// A datastore as the holder of the core has it: running may not be durable yet.
    fn tree(&self, core: &Core, datastore: Datastore) -> Tree {
        match datastore {
            Datastore::Running => core.running.running.clone(),
            Datastore::Candidate => core.candidate.clone().unwrap_or_else(|| core.running.running.clone()),
            Datastore::Startup => self.read(Datastore::Startup),
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
        let old = self.tree(&core, target);
        let (new, errors) = author.access.edit(&old, config, default);
        if !errors.is_empty() && on_error != ErrorOption::ContinueOnError {
            return Err(errors);
        }
        author.access.check_edits(&diff(&old, &new))?;
        if test == TestOption::TestOnly {
            let running = core.running.running.clone();
            let new = core.check(provider, &running, &new)?;
            if target == Datastore::Running {
                self.refuse_if_partly_locked(&diff(&running, &new), author.session_id)?;
            }
            return Ok((None, errors));
        }
        Ok((self.install(&mut core, provider, author, target, new).await?, errors))
    }

    /// `<copy-config>`. To copy running to startup no rights to their nodes are needed (RFC 8341 section 3.2.6).
    pub async fn replace<P: Provider>(
        &self,
        provider: &P,
        author: Author<'_>,
        target: Datastore,
        source: Result<Datastore, Tree>,
    ) -> Result<Option<Committed>, Vec<RpcError>> {
        let mut core = self.core().await;
        self.refuse_if_locked(target, author.session_id)?;
        let saved = (target, &source) == (Datastore::Startup, &Ok(Datastore::Running));
        let new = match source {
            Ok(source) => self.tree(&core, source),
            Err(tree) => tree,
        };
        if !saved {
            author.access.check_edits(&diff(&self.tree(&core, target), &new))?;
        }
        self.install(&mut core, provider, author, target, new).await
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
            Ok(source) => self.tree(&core, source),
            Err(tree) => tree,
        };
        core.validator.validate_all(&new)?;
        refuse_configured_subscriptions(&new)?;
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

    fn set_candidate(&self, core: &mut Core, candidate: Option<Tree>) {
        core.candidate = candidate.filter(|tree| !tree.same_version(&core.running.running));
        self.candidate.store(core.candidate.clone().map(Arc::new));
        self.changed[Datastore::Candidate as usize].send_replace(());
    }

    /// Makes `new` the content of a datastore: valid where it is running or startup (RFC 7950 section 8.3.3), and
    /// applied and on its way to the disk where it is running. A confirmed commit that is pending stays so.
    async fn install<P: Provider>(
        &self,
        core: &mut Core,
        provider: &P,
        author: Author<'_>,
        target: Datastore,
        new: Tree,
    ) -> Result<Option<Committed>, Vec<RpcError>> {
        let running = core.running.running.clone();
        match target {
            Datastore::Candidate => {
                self.set_candidate(core, Some(new));
                Ok(None)
            }
            Datastore::Startup => {
                let new = core.check(provider, &running, &new)?;
                Ok(Some(self.set_startup(Some(new)).await?))
            }
            Datastore::Running => {
                let new = core.check(provider, &running, &new)?;
                let awaiting = core.running.awaiting.clone();
                Ok(Some(self.put(core, provider, Some(author), new, Mark::Edits, awaiting).await?))
            }
        }
    }

    /// Applies what is valid and hands it to the journal. Partial locks stand in the way of an author; a rollback has none.
    async fn put<P: Provider>(
        &self,
        core: &mut Core,
        provider: &P,
        author: Option<Author<'_>>,
        new: Tree,
        mark: Mark,
        awaiting: Option<Awaiting<Tree>>,
    ) -> Result<Committed, Vec<RpcError>> {
        let old = core.running.running.clone();
        let edits = diff(&old, &new);
        if let Some(author) = author {
            self.refuse_if_partly_locked(&edits, author.session_id)?;
        }
        if edits.is_empty() && mark == Mark::Edits {
            return Ok(Committed { datastore: Datastore::Running, edits, durable: Durable::done() });
        }
        let room = self.journal.room().await?;
        if !edits.is_empty() {
            apply(provider, &old, &new, &edits).await?;
        }
        let record = mark.record(&self.schema, &edits, &new);
        let nacm = Nacm::compile(&new, Some(&core.running.nacm));
        let version = Arc::new(Version { running: new, nacm, awaiting });
        self.set_running(core, version.clone());
        Ok(Committed { datastore: Datastore::Running, edits, durable: room.send(core.generation, record, version) })
    }

    fn set_running(&self, core: &mut Core, version: Arc<Version>) -> Arc<Version> {
        let due = version.awaiting.as_ref().map(|awaiting| awaiting.deadline);
        self.timer.send_if_modified(|timer| std::mem::replace(timer, due) != due);
        std::mem::replace(&mut core.running, version)
    }
}

impl Core {
    fn check<P: Provider>(&mut self, provider: &P, old: &Tree, new: &Tree) -> Result<Tree, Vec<RpcError>> {
        let new = self.validator.validate(old, new)?;
        refuse_configured_subscriptions(&new)?;
        provider.validate(&new)?;
        Ok(new)
    }
}

/// The model has them as configuration even where the feature `configured` of RFC 8639 is not there.
fn refuse_configured_subscriptions(new: &Tree) -> Result<(), RpcError> {
    let list = new.schema().find("/ietf-subscribed-notifications:subscriptions/subscription");
    let above = list.and_then(|list| new.schema().node(list).parent);
    let configured = above.zip(list).and_then(|(above, list)| new.root().container(above)?.list(list));
    match configured {
        None => Ok(()),
        Some(_) => {
            let message = "Configured subscriptions are not supported; use establish-subscription.";
            Err(RpcError::operation_not_supported(message))
        }
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
