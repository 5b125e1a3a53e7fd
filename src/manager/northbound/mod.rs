//! The manager's own NETCONF server (Y.3804 clause 9.1): the northbound model over the store, the brain and the sessions with the devices.
//!
//! ```text
//!  get ──► state(): rows of the store, those tables only that the filter reaches
//!  edit ─► apply(): managed devices to brain and sessions (devices), their configuration to them (configure)
//!  rpc ──► call(): the brain, or a device (operation)
//!  shell ─► Notification ─► notification ─► subscribers
//! ```

mod alarms;
mod configure;
mod devices;
mod inventory;
mod notification;
mod operation;
mod performance;
mod procedures;
mod rights;
mod schema;
mod sequence;
mod southbound;
#[cfg(test)]
pub(crate) mod tests;
mod topology;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use netconf::error::RpcError;
use netconf::server::provider::{EventSender, Operation, Provider, Requester};
use netconf::yang::diff::Edit;
use netconf::yang::filter::Selection;
use netconf::yang::serde as bridge;
use netconf::yang::{Schema, Tree};
use serde::Serialize;
use tokio::sync::mpsc;

pub use devices::plans;
pub use rights::rights;
pub use schema::{ALARM_FEATURES, northbound_schema};
pub use sequence::{Sequence, SequenceError};
pub use southbound::{Inwards, Southbound};

use crate::input::{Input, Notification};
use crate::store::{Store, StoreError};

/// The provider behind the northbound server. A clone is the same.
pub struct Northbound<S: Store, B: Southbound>(Arc<Shared<S, B>>);

struct Shared<S, B> {
    store: Arc<S>,
    southbound: B,
    schema: Arc<Schema>,
    /// What the devices' configuration is read and written by.
    device_schema: Arc<Schema>,
    /// Where names of key files start.
    directory: PathBuf,
    /// The configuration in effect.
    running: ArcSwap<Tree>,
    /// One at a time writes configuration to devices.
    pushing: tokio::sync::Mutex<()>,
    events: OnceLock<EventSender>,
    last_sequence_number: AtomicU64,
}

impl<S: Store, B: Southbound> Clone for Northbound<S, B> {
    fn clone(&self) -> Self {
        Northbound(self.0.clone())
    }
}

impl<S: Store, B: Southbound> Northbound<S, B> {
    /// `device_schema` implements the modules of all devices that the manager configures; relative names of key files start at `directory`.
    pub fn new(
        store: Arc<S>,
        southbound: B,
        schema: Arc<Schema>,
        device_schema: Arc<Schema>,
        directory: &Path,
    ) -> Result<Self, RpcError> {
        // A model without what this file names would fail at the first get: better now.
        alarms::inventory(&schema)?;
        let running = ArcSwap::from_pointee(Tree::initial(schema.clone()));
        Ok(Northbound(Arc::new(Shared {
            store,
            southbound,
            schema,
            device_schema,
            directory: directory.to_owned(),
            running,
            pushing: tokio::sync::Mutex::new(()),
            events: OnceLock::new(),
            last_sequence_number: AtomicU64::new(0),
        })))
    }

    /// Takes up the configuration that was in effect before the manager stopped: the devices are connected, and get what they have not
    /// got yet once they are.
    pub async fn begin(&self, running: &Tree) -> Result<(), RpcError> {
        self.0.adopt(running).await
    }

    /// Tells the subscribers, numbered by `sequence`, until there are no notifications any more. What has become operational gets its
    /// configuration.
    pub async fn tell(&self, mut notifications: mpsc::Receiver<Notification>, mut sequence: Sequence) {
        self.0.last_sequence_number.store(sequence.last(), Ordering::Relaxed);
        while let Some(notification) = notifications.recv().await {
            self.0.tell(notification, &mut sequence).await;
        }
        if let Err(error) = sequence.close() {
            tracing::error!(%error, "the numbers of the notifications are not kept");
        }
    }
}

impl<S: Store, B: Southbound> Provider for Northbound<S, B> {
    fn start(&self, events: EventSender) {
        if self.0.events.set(events).is_err() {
            tracing::error!("the northbound server was started twice");
        }
    }

    fn validate(&self, new: &Tree) -> Result<(), RpcError> {
        devices::check(&self.0.running.load(), new, &self.0.directory)?;
        alarms::check(new)
    }

    async fn apply(&self, old: &Tree, new: &Tree, _edits: &[Edit]) -> Result<(), RpcError> {
        self.0.push(old, new).await?;
        self.0.adopt(new).await
    }

    async fn state(&self, want: &Selection) -> Result<Tree, RpcError> {
        let (shared, want) = (self.0.clone(), want.clone());
        let read = tokio::task::spawn_blocking(move || shared.read(&want)).await;
        read.expect("reading the store does not panic")
    }

    async fn call(&self, operation: Operation, who: &Requester) -> Result<Option<Tree>, RpcError> {
        self.0.perform(operation, who).await
    }
}

impl<S: Store, B: Southbound> Shared<S, B> {
    /// Makes the managed devices of `running` known inwards.
    async fn adopt(&self, running: &Tree) -> Result<(), RpcError> {
        let plans = devices::plans(running, &self.directory)?;
        self.running.store(Arc::new(running.clone()));
        self.southbound.tell(Input::Devices(plans.clone())).await;
        self.southbound.set(plans);
        Ok(())
    }

    /// What `want` reaches of the state. Blocks.
    fn read(&self, want: &Selection) -> Result<Tree, RpcError> {
        let mut answer = Answer { schema: &self.schema, want, tree: Tree::new(self.schema.clone()) };
        devices::read(&mut answer, &*self.store, &self.running.load(), self.last_sequence_number())?;
        inventory::read(&mut answer, &*self.store)?;
        performance::read(&mut answer, &*self.store)?;
        procedures::read(&mut answer, &*self.store)?;
        topology::read(&mut answer, &*self.store)?;
        alarms::read(&mut answer, &*self.store, &self.running.load())?;
        Ok(answer.tree)
    }

    fn last_sequence_number(&self) -> u64 {
        self.last_sequence_number.load(Ordering::Relaxed)
    }
}

/// The answer to one get, while it is put together.
struct Answer<'a> {
    schema: &'a Arc<Schema>,
    want: &'a Selection,
    tree: Tree,
}

impl Answer<'_> {
    /// Whether anything at, above or below the node is asked for.
    fn reaches(&self, path: &str) -> bool {
        self.schema.find(path).is_some_and(|node| self.want.reaches(node))
    }

    /// The only values of the list's single key that are asked for; None where it is any.
    fn keys(&self, list: &str) -> Option<Vec<String>> {
        let keys = self.want.key_constraints(self.schema, self.schema.find(list)?)?;
        Some(keys.iter().filter_map(|key| key.values().first()).map(|value| value.text().into_owned()).collect())
    }

    /// Adds what stands at a path.
    fn add<T: Serialize + ?Sized>(&mut self, path: &str, value: &T) -> Result<(), RpcError> {
        let part = bridge::tree_at(self.schema, path, value)?;
        self.tree = self.tree.merged(&part);
        Ok(())
    }

    /// Adds entries of a list. One that does not fit the model, because a device says what nobody foresaw, must not hide all others: it is
    /// left out and logged. Returns how many were added.
    fn add_entries<T: Serialize>(&mut self, list: &str, entries: &[T]) -> usize {
        if entries.is_empty() {
            return 0;
        }
        if let Ok(part) = bridge::tree_at(self.schema, list, entries) {
            self.tree = self.tree.merged(&part);
            return entries.len();
        }
        let mut added = 0;
        for entry in entries {
            match bridge::tree_at(self.schema, list, &[entry]) {
                Ok(part) => {
                    self.tree = self.tree.merged(&part);
                    added += 1;
                }
                Err(error) => tracing::error!(%error, "an entry does not fit the model and is left out"),
            }
        }
        added
    }
}

/// Reads a row for each of the keys, or all rows.
fn rows<R>(
    keys: Option<Vec<String>>,
    read: impl Fn(Option<&str>) -> Result<Vec<R>, StoreError>,
) -> Result<Vec<R>, RpcError> {
    let Some(keys) = keys else { return read(None).map_err(failed) };
    let mut rows = Vec::new();
    for key in &keys {
        rows.extend(read(Some(key)).map_err(failed)?);
    }
    Ok(rows)
}

fn failed(error: StoreError) -> RpcError {
    RpcError::operation_failed(format!("The store cannot be read: {error}"))
}
