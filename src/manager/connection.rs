//! The manager's contact with its devices: one supervised NETCONF session for each (clause 9.1: QLM over Mq, Mqrp, Mops; KMLM over Mk; QCLM over Mc).
//!
//! ```text
//! Devices ── a task per device (supervisor): connect, session, wait, again
//!                 └── session: modules → subscription → replay → reading → live, with a keepalive
//! ```
//! What a device tells goes to the brain by [`Inputs`], in the order of the device; what the brain or an operator wants of it comes in here.
//! No event is lost: a subscription begins with a replay from the last event that was handed over, that one included.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use netconf::client::{self, Session};
use netconf::error::RpcError;
use netconf::yang::Schema;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::{ConnectionState, DeviceName, Kind, Plan};
use crate::record::DeviceState;
use crate::shell::Inputs;

use known_hosts::KnownHosts;
use library::Libraries;
use query::Queries;

mod known_hosts;
mod library;
mod operation;
mod query;
mod session;
mod supervisor;

pub use known_hosts::KnownHostsError;

/// Devices that are connected to at a time: each costs a key exchange at both ends. Others wait for their turn.
const CONNECTING: usize = 64;

/// The same for devices that failed before, which wait among themselves: many that do not answer must not keep the others out.
const CONNECTING_AGAIN: usize = 64;

/// Devices that are read at a time: bounds how many large replies are in memory. Others wait for their turn.
const READING: usize = 16;

/// Orders that wait for a device's task. It takes them at once but while it connects or reads; when it is full, a further one is answered by
/// what those before it do.
const ORDERS: usize = 8;

/// When silence is noticed.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// A device that said nothing for so long is asked whether it is there.
    pub silence: Duration,
    /// It must answer by then. Together with the silence and the brain's own patience this keeps within the ten seconds by which an
    /// unreachable agent is to be reported.
    pub answer: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { silence: Duration::from_secs(3), answer: Duration::from_secs(4) }
    }
}

/// All managed devices. Clones are the same.
#[derive(Clone)]
pub struct Devices(Arc<Shared>);

struct Shared {
    schema: Arc<Schema>,
    queries: Queries,
    known_hosts: KnownHosts,
    libraries: Libraries,
    inputs: Inputs,
    pace: Pace,
    connecting: Semaphore,
    connecting_again: Semaphore,
    reading: Semaphore,
    links: Mutex<HashMap<DeviceName, Arc<Link>>>,
    /// `eventTime` of the last event of each device that was handed over.
    last_events: Mutex<HashMap<DeviceName, Timestamp>>,
    shutdown: CancellationToken,
}

/// What the task of a device shares with everyone else.
struct Link {
    plan: Plan,
    orders: mpsc::Sender<Order>,
    contact: Mutex<Contact>,
    /// Requests of others that the device has not answered: it may rightly be silent meanwhile.
    under_way: AtomicUsize,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// How it stands with a device.
struct Contact {
    state: ConnectionState,
    error: Option<String>,
    session: Option<Session>,
    /// The kind that it turned out to be.
    kind: Kind,
    heard: Instant,
}

enum Order {
    /// Connect now, or read anew where connected.
    Connect {
        accept_host_key: bool,
        done: oneshot::Sender<(ConnectionState, Option<String>)>,
    },
    Synchronize,
}

/// Why a call has no result.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    #[error("there is no managed device \"{0}\"")]
    NotManaged(DeviceName),
    #[error("device \"{device}\" is not connected{}", .error.as_ref().map(|error| format!(": {error}")).unwrap_or_default())]
    NotConnected { device: DeviceName, error: Option<String> },
    /// What the device did is not known.
    #[error("device \"{device}\" gave no answer within {} s", .timeout.as_secs_f32())]
    Timeout { device: DeviceName, timeout: Duration },
    /// The device refused.
    #[error("device \"{device}\": {}", .errors.iter().map(RpcError::to_string).collect::<Vec<_>>().join("; "))]
    Refused { device: DeviceName, errors: Vec<RpcError> },
    /// The session ended, or what came is not NETCONF.
    #[error("device \"{device}\": {reason}")]
    Failed { device: DeviceName, reason: String },
}

/// An `<rpc-reply>` without errors.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its child elements, one after the other, each with its namespaces.
    pub elements: String,
    /// What the device warned of while it did what was asked.
    pub warnings: Vec<RpcError>,
}

impl Devices {
    /// `recovered` tells where the events of each device go on; `directory` keeps the host keys that were learnt. Nothing is connected until
    /// [`Devices::set`].
    pub fn new(
        schema: Arc<Schema>,
        directory: &Path,
        inputs: Inputs,
        recovered: &[DeviceState],
        pace: Pace,
        shutdown: CancellationToken,
    ) -> Result<Devices, KnownHostsError> {
        let last = recovered.iter().filter_map(|state| Some((state.name.clone(), state.last_event_time?)));
        Ok(Devices(Arc::new(Shared {
            queries: Queries::new(&schema),
            libraries: Libraries::new(&schema),
            schema,
            known_hosts: KnownHosts::open(directory)?,
            inputs,
            pace,
            connecting: Semaphore::new(CONNECTING),
            connecting_again: Semaphore::new(CONNECTING_AGAIN),
            reading: Semaphore::new(READING),
            links: Mutex::default(),
            last_events: Mutex::new(last.collect()),
            shutdown,
        })))
    }

    /// The devices as they are configured now, all of them: sessions are opened, closed, and opened anew where what they need has changed.
    pub fn set(&self, plans: Vec<Plan>) {
        let mut links = lock(&self.0.links);
        let mut old = std::mem::take(&mut *links);
        for plan in plans {
            let (name, before) = (plan.name.clone(), old.remove(&plan.name));
            let wanted = plan.managed && plan.address.is_some();
            match before {
                Some(link) if wanted && link.serves(&plan) => {
                    links.insert(name, link);
                }
                before => {
                    let previous = before.and_then(|link| link.end());
                    if wanted {
                        links.insert(name, supervisor::start(&self.0, plan, previous));
                    }
                }
            }
        }
        for (name, link) in old {
            let previous = link.end();
            let shared = self.0.clone();
            tokio::spawn(async move {
                if let Some(previous) = previous
                    && let Err(error) = previous.await
                {
                    tracing::error!(device = name, "the task of the device failed: {error}");
                }
                // One of the same name that comes later is another.
                if !lock(&shared.links).contains_key(&name) {
                    lock(&shared.last_events).remove(&name);
                    shared.known_hosts.forget(&name);
                }
            });
        }
    }

    /// Ends all sessions, and returns when they are closed.
    pub async fn close(&self) {
        let links: Vec<_> = lock(&self.0.links).drain().collect();
        for (device, task) in links.into_iter().filter_map(|(device, link)| Some((device, link.end()?))) {
            if let Err(error) = task.await {
                tracing::error!(device, "the task of the device failed: {error}");
            }
        }
    }

    /// Performs an operation, given as one element that declares its namespaces; the device's own timeout where there is none.
    pub async fn call(&self, device: &str, operation: String, timeout: Option<Duration>) -> Result<Reply, CallError> {
        let reply = self.rpc(device, operation, timeout).await?;
        let unreadable =
            |error: client::Error| CallError::Failed { device: device.to_owned(), reason: error.to_string() };
        let document = reply.document().map_err(unreadable)?;
        let mut out = Vec::with_capacity(reply.text().len());
        for element in document.root().children().filter(|element| element.name() != "rpc-error") {
            element.write(&mut out);
        }
        let elements = String::from_utf8(out).expect("written from strings");
        Ok(Reply { elements, warnings: reply.warnings().to_vec() })
    }

    /// The same with the reply as it came.
    pub async fn rpc(
        &self,
        device: &str,
        operation: String,
        timeout: Option<Duration>,
    ) -> Result<client::Reply, CallError> {
        let link = self.link(device)?;
        // However long it takes, the device is not taken for lost meanwhile.
        let _counted = UnderWay::new(&link);
        self.ask(device, &link, operation, timeout).await
    }

    async fn ask(
        &self,
        device: &str,
        link: &Link,
        operation: String,
        timeout: Option<Duration>,
    ) -> Result<client::Reply, CallError> {
        let (session, error) = {
            let contact = link.contact();
            (contact.session.clone(), contact.error.clone())
        };
        let session = session.ok_or_else(|| CallError::NotConnected { device: device.to_owned(), error })?;
        let timeout = timeout.unwrap_or(link.plan.timeout);
        let result = session.rpc_within(operation, timeout).await;
        if matches!(result, Ok(_) | Err(client::Error::Rpc(_))) {
            link.contact().heard = Instant::now();
        }
        result.map_err(|error| match error {
            client::Error::Rpc(errors) => CallError::Refused { device: device.to_owned(), errors },
            client::Error::Timeout(timeout) => CallError::Timeout { device: device.to_owned(), timeout },
            error => CallError::Failed { device: device.to_owned(), reason: error.to_string() },
        })
    }

    /// Tries to connect now, whatever the waiting time, or reads a connected device anew; returns what came of it. A changed host key is
    /// learnt where `accept_host_key`, but never one that is not the configured one.
    pub async fn connect_now(
        &self,
        device: &str,
        accept_host_key: bool,
    ) -> Result<(ConnectionState, Option<String>), CallError> {
        let link = self.link(device)?;
        let (done, outcome) = oneshot::channel();
        let ended = || CallError::Failed { device: device.to_owned(), reason: "its configuration has changed".into() };
        link.orders.send(Order::Connect { accept_host_key, done }).await.map_err(|_| ended())?;
        outcome.await.map_err(|_| ended())
    }

    /// Whether there is a session.
    pub fn is_connected(&self, device: &str) -> bool {
        self.link(device).is_ok_and(|link| link.contact().session.is_some())
    }

    /// How it stands with a device, and why; None where it is not managed.
    pub fn state(&self, device: &str) -> Option<(ConnectionState, Option<String>)> {
        let link = self.link(device).ok()?;
        let contact = link.contact();
        Some((contact.state, contact.error.clone()))
    }

    /// The devices that are operational, with what they are.
    pub fn operational(&self) -> Vec<(DeviceName, Kind)> {
        let links = lock(&self.0.links);
        let kinds = links.iter().filter_map(|(name, link)| {
            let contact = link.contact();
            (contact.state == ConnectionState::Operational).then(|| (name.clone(), contact.kind))
        });
        kinds.collect()
    }

    fn link(&self, device: &str) -> Result<Arc<Link>, CallError> {
        lock(&self.0.links).get(device).cloned().ok_or_else(|| CallError::NotManaged(device.to_owned()))
    }
}

impl Link {
    fn contact(&self) -> MutexGuard<'_, Contact> {
        lock(&self.contact)
    }

    /// Whether its session is as good for `plan` as for the one it was opened for.
    fn serves(&self, plan: &Plan) -> bool {
        let what = |plan: &Plan| {
            let plan = plan.clone();
            (plan.address, plan.port, plan.credential, plan.host_key, plan.timeout)
        };
        what(&self.plan) == what(plan)
    }

    /// Ends its task, which the caller may wait for.
    fn end(&self) -> Option<JoinHandle<()>> {
        self.stop.cancel();
        lock(&self.task).take()
    }
}

/// Counts a request for as long as it has no answer.
struct UnderWay<'l>(&'l Link);

impl<'l> UnderWay<'l> {
    fn new(link: &'l Link) -> Self {
        link.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(link)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics under this lock")
}

#[cfg(test)]
pub(crate) mod double;
#[cfg(test)]
mod tests;
