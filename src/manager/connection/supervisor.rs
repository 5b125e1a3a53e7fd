//! The task of one device: connects, keeps a session for as long as it lasts, waits, and connects again.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use netconf::capability::Capabilities;
use netconf::client::{BackOff, Notifications, Session, SessionConfig};
use netconf::transport::ssh::{self, ConnectError, HostKeyCheck, Target};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::session::{End, Lasting};
use super::{Contact, Link, ORDERS, Order, Shared, lock};
use crate::input::{Input, SessionFacts};
use crate::model::{ConnectionState, Credential, Kind, Plan, Secret};
use crate::record::{Audit, Record};

/// Requests under way at one device at once, so that it cannot make us hold many large replies. One more waits, inside its timeout.
const OUTSTANDING: usize = 16;

/// Notifications of one device that wait for the brain: a storm of alarms, or what comes while the device is read. One more makes the
/// session begin again with a replay, so that nothing is lost.
const NOTIFICATIONS: usize = 1_024;

/// The largest reply that is taken: the whole of a large device. A larger one ends the session.
const MESSAGE: usize = 64 << 20;

type Waiting = oneshot::Sender<(ConnectionState, Option<String>)>;

/// Starts the task; it begins when `previous`, the task of the same name, has ended.
pub(super) fn start(shared: &Arc<Shared>, plan: Plan, previous: Option<JoinHandle<()>>) -> Arc<Link> {
    let (orders, queue) = mpsc::channel(ORDERS);
    let contact = Contact {
        state: ConnectionState::Connecting,
        error: None,
        session: None,
        kind: Kind::Unknown,
        heard: Instant::now(),
    };
    let link = Arc::new(Link {
        plan,
        orders,
        contact: Mutex::new(contact),
        under_way: AtomicUsize::new(0),
        stop: shared.shutdown.child_token(),
        task: Mutex::default(),
    });
    let supervisor = Supervisor {
        shared: shared.clone(),
        link: link.clone(),
        orders: queue,
        failures: 0,
        accept_host_key: false,
        waiting: Vec::new(),
        counting: Counting::default(),
    };
    let task = tokio::spawn(async move {
        if let Some(previous) = previous
            && let Err(error) = previous.await
        {
            tracing::error!("the task of the device failed: {error}");
        }
        supervisor.run().await;
    });
    *lock(&link.task) = Some(task);
    link
}

pub(super) struct Supervisor {
    pub(super) shared: Arc<Shared>,
    pub(super) link: Arc<Link>,
    pub(super) orders: mpsc::Receiver<Order>,
    /// In a row.
    failures: u32,
    /// The next key is taken, whatever was learnt.
    accept_host_key: bool,
    /// Who asked for a connection and is to hear what came of it.
    waiting: Vec<Waiting>,
    pub(super) counting: Counting,
}

/// What the numbers of a device's events tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Counting {
    /// A number that is left out is an event that was lost.
    #[default]
    Trusted,
    /// This one was left out, and ought to come with the replay.
    Missing(u64),
    /// A number was left out and did not come with the replay either: not all that is counted is told to us.
    Gaps,
}

/// The task is to end: its device is not to be managed any more, or the manager stops.
pub(super) struct Ending;

/// Why there is no session.
enum Failure {
    /// It is tried again.
    Unreachable(String),
    /// It is not.
    Refused(String),
}

impl Supervisor {
    async fn run(mut self) {
        // Ended from outside: there is nothing more to do.
        let Ending = self.supervise().await;
        let had = {
            let mut contact = self.link.contact();
            contact.state = ConnectionState::Disabled;
            contact.session.take().is_some()
        };
        if had && !self.shared.shutdown.is_cancelled() {
            let input = Input::Lost { device: self.name(), error: "closed: its configuration has changed".into() };
            if self.shared.inputs.send(input).await.is_err() {
                tracing::debug!(device = self.link.plan.name, "nobody hears of the end of a session");
            }
        }
    }

    async fn supervise(&mut self) -> Ending {
        match self.forever().await {
            Ok(never) => match never {},
            Err(ending) => ending,
        }
    }

    async fn forever(&mut self) -> Result<std::convert::Infallible, Ending> {
        let begins = Input::Connecting { device: self.name(), attempts: 0, next_attempt: None, error: None };
        self.tell(begins).await?;
        loop {
            let stop = self.link.stop.clone();
            let connected = tokio::select! {
                () = stop.cancelled() => return Err(Ending),
                connected = self.connect() => connected,
            };
            match connected {
                Ok((session, notifications, host_key)) => {
                    let end = self.last(session, notifications, host_key).await?;
                    self.audit("close-session", 0, &end).await?;
                    self.stand(ConnectionState::Connecting, Some(&end));
                    self.link.contact().session = None;
                    self.tell(Input::Lost { device: self.name(), error: end.clone() }).await?;
                    self.failures = self.failures.saturating_add(1);
                    self.wait(end).await?;
                }
                Err(Failure::Refused(error)) => {
                    tracing::warn!(device = self.link.plan.name, "refused: {error}");
                    self.audit("open-session", 0, &error).await?;
                    self.stand(ConnectionState::Failed, Some(&error));
                    self.tell(Input::Refused { device: self.name(), error: error.clone() }).await?;
                    self.answer();
                    self.failures = 0;
                    self.order(&error).await?;
                }
                Err(Failure::Unreachable(error)) => {
                    tracing::debug!(device = self.link.plan.name, failures = self.failures, "no session: {error}");
                    self.stand(ConnectionState::Connecting, Some(&error));
                    self.failures = self.failures.saturating_add(1);
                    self.wait(error).await?;
                }
            }
        }
    }

    /// Connects, as the user that the plan has.
    async fn connect(&mut self) -> Result<(Session, Notifications, String), Failure> {
        let shared = self.shared.clone();
        let gate = if self.failures == 0 { &shared.connecting } else { &shared.connecting_again };
        let _turn = gate.acquire().await.expect("the semaphore is never closed");
        let accept = std::mem::take(&mut self.accept_host_key);
        let plan = &self.link.plan;
        let target = self.target(accept)?;
        let stream = ssh::connect(&target).await.map_err(|error| failure(error, plan))?;
        let host_key = stream.host_key().unwrap_or_default().to_owned();
        if plan.host_key.is_none() {
            shared.known_hosts.learn(&plan.name, &host_key);
        }
        let config = SessionConfig {
            capabilities: Capabilities::from_iter(SessionConfig::default().capabilities.iter()),
            hello_timeout: plan.timeout,
            rpc_timeout: plan.timeout,
            max_message: MESSAGE,
            max_outstanding: OUTSTANDING,
            max_notifications: NOTIFICATIONS,
        };
        let (session, notifications) =
            Session::open(stream, config).await.map_err(|error| Failure::Unreachable(error.to_string()))?;
        Ok((session, notifications, host_key))
    }

    fn target(&self, accept_host_key: bool) -> Result<Target, Failure> {
        let plan = &self.link.plan;
        let Some(Credential { user, secret }) = plan.credential.clone() else {
            return Err(Failure::Refused("no credential is configured to log in with".into()));
        };
        let credential = match secret {
            Secret::PrivateKeyFile(path) => ssh::Credential::KeyFile { path, passphrase: None },
            Secret::Password(password) => ssh::Credential::Password(password),
        };
        let host_key = match &plan.host_key {
            Some(configured) => HostKeyCheck::Pinned(vec![pinned(configured)?]),
            None => match self.shared.known_hosts.get(&plan.name) {
                Some(known) if !accept_host_key => HostKeyCheck::Pinned(vec![known]),
                _ => HostKeyCheck::Any,
            },
        };
        let host = plan.address.clone().expect("a device without an address has no task");
        Ok(Target { host, port: plan.port, user, credential, host_key, timeout: plan.timeout })
    }

    /// A session for as long as it lasts; returns why it is over.
    async fn last(
        &mut self,
        session: Session,
        notifications: Notifications,
        host_key: String,
    ) -> Result<String, Ending> {
        {
            let mut contact = self.link.contact();
            contact.session = Some(session.clone());
            contact.heard = Instant::now();
        }
        self.stand(ConnectionState::Synchronizing, None);
        let facts = SessionFacts {
            session_id: session.id(),
            host_key: Some(host_key).filter(|key| !key.is_empty()),
            capabilities: session.capabilities().iter().map(str::to_owned).collect(),
        };
        self.audit("open-session", session.id(), "ok").await?;
        self.tell(Input::Connected { device: self.name(), session: facts }).await?;
        let lasting = Lasting::new(self, session.clone(), notifications);
        let end = lasting.run().await;
        match end {
            Ok(End::Lost(error)) => Ok(error),
            Ok(End::Gap(lost)) => {
                tracing::warn!(
                    device = self.link.plan.name,
                    lost,
                    "notifications were lost: the session begins again with a replay"
                );
                self.tell(Input::Gap { device: self.name(), lost }).await?;
                Ok("notifications were lost: they are replayed in a new session".into())
            }
            Err(ending) => {
                // Politely, but not for long: the device may be gone as well.
                let _closed = tokio::time::timeout(Duration::from_secs(1), session.close()).await.is_ok();
                Err(ending)
            }
        }
    }

    /// The device is read and understood: what failed before is over.
    pub(super) fn operational(&mut self, kind: Kind) {
        self.failures = 0;
        self.link.contact().kind = kind;
        self.stand(ConnectionState::Operational, None);
        self.answer();
    }

    pub(super) fn stand(&self, state: ConnectionState, error: Option<&str>) {
        let mut contact = self.link.contact();
        contact.state = state;
        contact.error = error.map(str::to_owned);
    }

    /// Tells who waits how it stands now.
    pub(super) fn answer(&mut self) {
        let (state, error) = {
            let contact = self.link.contact();
            (contact.state, contact.error.clone())
        };
        for waiting in self.waiting.drain(..) {
            // Who asked may have gone.
            drop(waiting.send((state, error.clone())));
        }
    }

    /// Waits before the next try, and tells until when.
    async fn wait(&mut self, error: String) -> Result<(), Ending> {
        let delay = BackOff::default().delay(self.failures);
        let next = Timestamp::now() + SignedDuration::try_from(delay).expect("at most half a minute");
        let waits = Input::Connecting {
            device: self.name(),
            attempts: self.failures,
            next_attempt: Some(next),
            error: Some(error.clone()),
        };
        self.tell(waits).await?;
        self.answer();
        match tokio::time::timeout(delay, self.order(&error)).await {
            Ok(ordered) => ordered,
            Err(_) => Ok(()),
        }
    }

    /// Waits until somebody orders a connection. Nothing can be read meanwhile, because of `error`.
    async fn order(&mut self, error: &str) -> Result<(), Ending> {
        let stop = self.link.stop.clone();
        loop {
            let order = tokio::select! {
                () = stop.cancelled() => return Err(Ending),
                order = self.orders.recv() => order,
            };
            match order {
                Some(Order::Connect { accept_host_key, done }) => {
                    self.expect(accept_host_key, done);
                    return Ok(());
                }
                Some(Order::Synchronize) => {
                    let error = format!("not connected: {error}");
                    self.tell(Input::NotSynchronized { device: self.name(), error }).await?;
                }
                None => return Err(Ending),
            }
        }
    }

    pub(super) fn expect(&mut self, accept_host_key: bool, done: Waiting) {
        self.accept_host_key |= accept_host_key;
        self.waiting.push(done);
    }

    /// Waits for room at the brain, unless the task is to end.
    pub(super) async fn tell(&self, input: Input) -> Result<(), Ending> {
        tokio::select! {
            biased;
            () = self.link.stop.cancelled() => Err(Ending),
            sent = self.shared.inputs.send(input) => sent.map_err(|_| Ending),
        }
    }

    /// Puts on record who opened or closed a session with a device, and how it went.
    async fn audit(&self, operation: &str, session_id: u32, result: &str) -> Result<(), Ending> {
        let user = self.link.plan.credential.as_ref().map(|credential| credential.user.clone());
        let audit = Audit {
            time: Timestamp::now(),
            user: user.unwrap_or_default(),
            session_id,
            operation: operation.to_owned(),
            device: Some(self.name()),
            result: result.to_owned(),
        };
        tokio::select! {
            biased;
            () = self.link.stop.cancelled() => Err(Ending),
            told = self.shared.inputs.note(vec![Record::Audit(audit)]) => told.map_err(|_| Ending),
        }
    }

    pub(super) fn name(&self) -> String {
        self.link.plan.name.clone()
    }
}

/// The fingerprint of the key that is configured.
fn pinned(configured: &str) -> Result<String, Failure> {
    let configured = configured.trim_ascii();
    if configured.starts_with("SHA256:") {
        return Ok(configured.to_owned());
    }
    let unusable = || "the configured host key is neither a public key as OpenSSH writes it nor a fingerprint SHA256:…";
    ssh::fingerprint(configured).ok_or_else(|| Failure::Refused(unusable().into()))
}

fn failure(error: ConnectError, plan: &Plan) -> Failure {
    match error {
        ConnectError::UnknownHostKey { address, fingerprint } => Failure::Refused(match &plan.host_key {
            Some(_) => format!(
                "{address}: the host key is {fingerprint}, not the configured one: if the device was set up again, configure its new key"
            ),
            None => format!(
                "{address}: the host key has changed to {fingerprint}: an attack, or a device that was set up again; accept it with connect-device and accept-host-key if it is right"
            ),
        }),
        refused @ (ConnectError::ChangedHostKey { .. } | ConnectError::Login { .. }) => {
            Failure::Refused(refused.to_string())
        }
        unreachable => Failure::Unreachable(unreachable.to_string()),
    }
}
