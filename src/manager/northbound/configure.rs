//! Configuration of the devices through the manager (clause 9.1): pushed at a commit, whole or not at all, or once the device is there.
//!
//! The model offers per device what the device's own module has (the same groupings), so the wanted configuration is carried over by
//! RFC 7951 JSON from the one schema to the other. Only what is set at the manager is sent, as a merge; what was set before and is not any
//! more is removed.

mod document;
mod mount;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use netconf::error::RpcError;
use netconf::xml::{Document, Limits};
use netconf::yang::json::{self, Json};
use netconf::yang::{Inner, NodeId, Tree, edit};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::document::{differences, edit_config, get_config, restricted};
use self::mount::Mount;
use super::southbound::rpc_error;
use super::{Shared, Southbound, devices};
use crate::connection::CallError;
use crate::input::Input;
use crate::model::{ConfigurationStatus, Kind};
use crate::store::Store;

/// Devices written to, or compared, at a time: each has a request and a reply in memory.
const AT_ONCE: usize = 32;

/// For each request while a commit waits: it is read, written and perhaps undone within the time that the server gives a commit (30 s).
const PUSH_TIMEOUT: Duration = Duration::from_secs(8);

/// Differences that are told of a device: enough to see what it is about.
const TOLD: usize = 5;

/// What a device is to have: the content of its container, by the device's schema.
#[derive(Clone)]
struct Wanted {
    container: NodeId,
    content: Inner,
}

/// A device's part in a commit.
struct Change {
    device: String,
    old: Inner,
    new: Wanted,
}

/// What a device took, and how to take it back.
struct Taken {
    device: String,
    undo: String,
}

/// How a device compares with what is wanted.
pub(super) struct Comparison {
    pub status: ConfigurationStatus,
    pub text: Option<String>,
}

impl<S: Store, B: Southbound> Shared<S, B> {
    /// Brings the difference between two configurations of the manager to the devices. A device that refuses makes it fail, and then the
    /// others are set back. A device without a session gets it when there is one.
    pub(super) async fn push(self: &Arc<Self>, old: &Tree, new: &Tree) -> Result<(), RpcError> {
        let _one_at_a_time = self.pushing.lock().await;
        let (mut tasks, bound) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
        let mut pending = Vec::new();
        for change in self.changes(old, new)? {
            if !self.southbound.is_connected(&change.device) {
                pending.push(change.device);
                continue;
            }
            let (shared, bound) = (self.clone(), bound.clone());
            tasks.spawn(async move {
                let _permit = bound.acquire().await.expect("the semaphore is never closed");
                shared.write(change).await
            });
        }
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        while let Some(done) = tasks.join_next().await {
            match done.expect("writing to a device does not panic") {
                Ok(one) => taken.push(one),
                Err(error) => refused.push(error),
            }
        }
        if !refused.is_empty() {
            return Err(self.undo(taken, refused).await);
        }
        for Taken { device, .. } in taken {
            self.report(device, ConfigurationStatus::InSync, None).await;
        }
        for device in self.let_go(old, new)? {
            let Comparison { status, .. } = self.unowned(&device);
            self.report(device, status, None).await;
        }
        for device in pending {
            let text = "It is told when there is a session.".to_owned();
            self.report(device, ConfigurationStatus::Pending, Some(text)).await;
        }
        Ok(())
    }

    /// Called when a device has become operational: what it has not been told yet it is told, and otherwise compared with what is wanted.
    pub(super) async fn reconcile(self: &Arc<Self>, device: &str) {
        let _one_at_a_time = self.pushing.lock().await;
        let wanted = match self.wanted(&self.running.load(), device) {
            Ok(Some(wanted)) => wanted,
            Ok(None) if self.is_understood(device) => {
                if self.status(device).await != ConfigurationStatus::InSync {
                    self.report(device.to_owned(), ConfigurationStatus::InSync, None).await;
                }
                return;
            }
            Ok(None) => return,
            Err(error) => return tracing::error!(device, %error, "the wanted configuration cannot be carried over"),
        };
        let compared = self.compare(device, &wanted).await;
        let before = self.status(device).await;
        let is_new = matches!(before, ConfigurationStatus::Unknown | ConfigurationStatus::Pending);
        if compared.status != ConfigurationStatus::Drift || !is_new {
            // A device that is as it was gives no cause to write anything down.
            if compared.status != before || compared.text.is_some() {
                self.report(device.to_owned(), compared.status, compared.text).await;
            }
            return;
        }
        let change = Change { device: device.to_owned(), old: Inner::default(), new: wanted };
        let (status, error) = match self.write(change).await {
            Ok(_) => (ConfigurationStatus::InSync, None),
            Err(error) => (ConfigurationStatus::Failed, Some(error.to_string())),
        };
        self.report(device.to_owned(), status, error).await;
    }

    /// Compares devices with what is wanted of them, and makes the results known.
    pub(super) async fn check_synchronization(
        self: &Arc<Self>,
        devices: Vec<String>,
    ) -> Result<BTreeMap<String, Comparison>, RpcError> {
        let (mut tasks, bound) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
        let (mut compared, running) = (BTreeMap::new(), self.running.load_full());
        for device in devices {
            let Some(wanted) = self.wanted(&running, &device)? else {
                let comparison = self.unowned(&device);
                self.report(device.clone(), comparison.status, None).await;
                compared.insert(device, comparison);
                continue;
            };
            let (shared, bound) = (self.clone(), bound.clone());
            tasks.spawn(async move {
                let _permit = bound.acquire().await.expect("the semaphore is never closed");
                let comparison = shared.compare(&device, &wanted).await;
                (device, comparison)
            });
        }
        while let Some(done) = tasks.join_next().await {
            let (device, comparison) = done.expect("reading a device does not panic");
            if comparison.status != ConfigurationStatus::Unknown {
                self.report(device.clone(), comparison.status, comparison.text.clone()).await;
            }
            compared.insert(device, comparison);
        }
        Ok(compared)
    }

    /// A device of which nothing is wanted has, once it is there, what is wanted.
    fn unowned(&self, device: &str) -> Comparison {
        let (status, text) = match (self.is_understood(device), self.southbound.is_connected(device)) {
            (true, true) => {
                (ConfigurationStatus::InSync, "The manager does not own its configuration: nothing is wanted of it.")
            }
            (true, false) => (ConfigurationStatus::Unknown, "There is no session with it."),
            (false, _) => (ConfigurationStatus::Unknown, "The manager has no model of its configuration."),
        };
        Comparison { status, text: Some(text.to_owned()) }
    }

    /// It is of a kind that could be configured through the manager.
    fn is_understood(&self, device: &str) -> bool {
        devices::kind_of(&self.running.load(), device).is_some_and(|kind| kind != Kind::Unknown)
    }

    async fn compare(&self, device: &str, wanted: &Wanted) -> Comparison {
        let unknown =
            |error: RpcError| Comparison { status: ConfigurationStatus::Unknown, text: error.message.clone() };
        let actual = match self.actual(device, wanted.container, None).await {
            Ok(actual) => actual,
            Err(error) => return unknown(error),
        };
        let found = differences(&self.device_schema, wanted.container, &wanted.content, &actual);
        if found.is_empty() {
            return Comparison { status: ConfigurationStatus::InSync, text: None };
        }
        let more = found.len().saturating_sub(TOLD);
        let mut text = found.into_iter().take(TOLD).collect::<Vec<_>>().join("; ");
        if more > 0 {
            text.push_str(&format!("; and {more} more"));
        }
        Comparison { status: ConfigurationStatus::Drift, text: Some(text) }
    }

    /// Writes a change to one device.
    async fn write(&self, change: Change) -> Result<Taken, RpcError> {
        let Change { device, old, new: Wanted { container, content: new } } = change;
        let schema = &self.device_schema;
        let before = self.actual(&device, container, Some(PUSH_TIMEOUT)).await?;
        let before = restricted(schema, &before, &old, &new);
        let undo = edit_config(schema, container, &new, &before);
        let operation = edit_config(schema, container, &old, &new);
        match self.southbound.call(&device, operation, Some(PUSH_TIMEOUT)).await {
            Ok(_) => Ok(Taken { device, undo }),
            Err(error) => {
                // Whether it did it after all is not known.
                let is_open = matches!(error, CallError::Timeout { .. });
                let error = self.mounted(rpc_error(error), &device, container);
                if is_open {
                    self.take_back(&Taken { device, undo }).await;
                }
                Err(error)
            }
        }
    }

    /// A device's refusal, about the place where the client of the manager knows what it is about.
    fn mounted(&self, error: RpcError, device: &str, container: NodeId) -> RpcError {
        let theirs = &self.device_schema;
        let ours = self.schema.find("/qkdn-manager:devices").expect("the manager serves its model");
        let ours = self.schema.module_of(ours);
        Mount {
            device,
            container: (&theirs.module_of(container).namespace, &theirs.node(container).name),
            here: (&ours.name, &ours.namespace),
        }
        .moved(error)
    }

    /// Sets back the devices that took their part, and says why.
    async fn undo(&self, taken: Vec<Taken>, mut refused: Vec<RpcError>) -> RpcError {
        let mut not_undone = Vec::new();
        for one in taken {
            if !self.take_back(&one).await {
                not_undone.push(one.device);
            }
        }
        let mut error = refused.swap_remove(0);
        let mut message = error.message.take().unwrap_or_default();
        if !refused.is_empty() {
            message.push_str(&format!(" ({} more devices refused)", refused.len()));
        }
        if !not_undone.is_empty() {
            message
                .push_str(&format!(" (could not be set back, check-synchronization tells: {})", not_undone.join(", ")));
        }
        error.message = Some(message);
        error
    }

    async fn take_back(&self, taken: &Taken) -> bool {
        let undone = self.southbound.call(&taken.device, taken.undo.clone(), Some(PUSH_TIMEOUT)).await;
        if let Err(error) = &undone {
            tracing::error!(device = taken.device, %error, "a configuration could not be set back");
            self.report(taken.device.clone(), ConfigurationStatus::Drift, Some(error.to_string())).await;
        }
        undone.is_ok()
    }

    async fn report(&self, device: String, status: ConfigurationStatus, error: Option<String>) {
        self.southbound.tell(Input::Configuration { device, status, error }).await;
    }

    /// The devices whose wanted configuration differs. A device that the manager does not own any more keeps what it has.
    fn changes(&self, old: &Tree, new: &Tree) -> Result<Vec<Change>, RpcError> {
        let mut changes = Vec::new();
        for device in devices::names(new)? {
            let Some(wanted) = self.wanted(new, &device)? else { continue };
            let before = self.wanted(old, &device)?.filter(|before| before.container == wanted.container);
            if before.as_ref().is_none_or(|before| before.content != wanted.content) {
                let old = before.map(|before| before.content).unwrap_or_default();
                changes.push(Change { device, old, new: wanted });
            }
        }
        Ok(changes)
    }

    /// The devices that the manager owned and owns no more.
    fn let_go(&self, old: &Tree, new: &Tree) -> Result<Vec<String>, RpcError> {
        let mut devices = Vec::new();
        for device in devices::names(new)? {
            if self.wanted(new, &device)?.is_none() && self.wanted(old, &device)?.is_some() {
                devices.push(device);
            }
        }
        Ok(devices)
    }

    /// What a device is to have; None where the manager does not own its configuration.
    fn wanted(&self, running: &Tree, device: &str) -> Result<Option<Wanted>, RpcError> {
        let Some(kind) = devices::kind_of(running, device) else { return Ok(None) };
        let Some((_, name)) = kind.container().and_then(|container| container.split_once(':')) else { return Ok(None) };
        let (Some(theirs), Some(ours)) = (
            kind.container().and_then(|container| self.device_schema.find(&format!("/{container}"))),
            self.schema.find(&format!("/qkdn-manager:devices/device/{name}")),
        ) else {
            return Ok(None);
        };
        let entry = devices::entry(running, device);
        let Some(content) = entry.as_ref().and_then(|entry| entry.container(ours)) else { return Ok(None) };
        let text = serde_json::to_string(&Json::of_inner(&self.schema, ours, content).without_defaults());
        let text = text.map_err(|error| RpcError::operation_failed(error.to_string()))?;
        let content = json::read_inner(&self.device_schema, theirs, &text).map_err(|errors| {
            let reasons: Vec<String> = errors.iter().map(ToString::to_string).collect();
            RpcError::invalid_value(format!("{device} cannot have this configuration: {}", reasons.join("; ")))
        })?;
        Ok(Some(Wanted { container: theirs, content }))
    }

    /// What is configured at a device itself.
    async fn actual(&self, device: &str, container: NodeId, timeout: Option<Duration>) -> Result<Inner, RpcError> {
        let schema = &self.device_schema;
        let reply = self.southbound.call(device, get_config(schema, container), timeout).await;
        let reply = reply.map_err(rpc_error)?;
        let unreadable = |reason: String| {
            RpcError::operation_failed(format!("device \"{device}\": its configuration cannot be read: {reason}"))
        };
        let document = Document::parse(&reply, &Limits::default()).map_err(|error| unreadable(error.to_string()))?;
        let data = edit::read_data(schema, document.root())
            .map_err(|errors| unreadable(errors.first().map(ToString::to_string).unwrap_or_default()))?;
        Ok(data.root().container(container).cloned().unwrap_or_default())
    }

    /// How the configuration of a device stood when it was last looked at.
    async fn status(self: &Arc<Self>, device: &str) -> ConfigurationStatus {
        let (shared, name) = (self.clone(), device.to_owned());
        let read = tokio::task::spawn_blocking(move || shared.store.devices(Some(&name))).await;
        match read.expect("reading the store does not panic") {
            Ok(states) => states.first().map(|state| state.configuration_status).unwrap_or_default(),
            Err(error) => {
                tracing::error!(device, %error, "the state of its configuration cannot be read");
                ConfigurationStatus::Drift
            }
        }
    }
}
