//! Datastore subscriptions (RFC 8641): what is visible of a datastore, periodically or when it changes.
//!
//! Each has a task that owns its timer and the last tree it told of, and hands updates over one at a time. While the
//! session has not taken one, further changes only accumulate: one difference will cover them all. So a slow subscriber
//! costs one tree that is shared with the datastore, and delays nobody.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;

pub mod content;
pub mod hub;
pub mod pace;
mod task;
pub mod update;

pub use update::Update;

use super::Shared;
use super::nacm::UserAccess;
use super::operation::nmda::Named;
use super::provider::Provider;
use crate::yang::access::Extent;
use crate::yang::filter::Selection;
use crate::yang::schema::NodeKind;
use crate::yang::yang_patch;

/// The shortest period. Below a tenth of a second a subscriber wants on-change, and a device would do nothing but answer.
pub const MIN_PERIOD: Duration = Duration::from_millis(100);

/// The largest push-update, in bytes of XML: far below what a peer takes as one message, and what one slow subscriber of
/// each session may hold in memory.
pub const MAX_UPDATE: usize = 16 << 20;

/// When updates are sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    Periodic { period: Duration, anchor: Option<Timestamp> },
    OnChange { dampening: Duration, sync_on_start: bool, excluded: Vec<yang_patch::Operation> },
}

/// What a subscription is to do.
#[derive(Clone, Debug)]
pub struct Policy {
    pub datastore: Named,
    pub selection: Selection,
    pub trigger: Trigger,
    pub stop: Option<Timestamp>,
}

/// Why a subscription cannot be: identities of RFC 8641, with what goes with them as hints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the shortest period is {} ms", MIN_PERIOD.as_millis())]
    PeriodUnsupported,
    #[error("nothing that the filter selects reports its changes")]
    OnChangeUnsupported,
    #[error("the filter selects nothing that the user may read")]
    UnchangingSelection,
    /// Of a periodic subscription.
    #[error("an update would have more than {} kB", MAX_UPDATE >> 10)]
    UpdateTooBig,
    /// Of an on-change subscription that begins with all.
    #[error("the first update would have more than {} kB", MAX_UPDATE >> 10)]
    SyncTooBig,
    /// The filter cannot be evaluated on what is there.
    #[error("{0}")]
    Filter(String),
    /// The device does not tell its state.
    #[error("{0}")]
    Unavailable(crate::error::RpcError),
}

/// Why nothing is sent for now; there will be [`Message::Able`] when that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// The subscriber had not taken an update when the next was due.
    UnsupportableVolume,
    UpdateTooBig,
    /// The filter looks at more than it may.
    InsufficientResources,
}

/// What a subscriber is to be told.
#[derive(Clone, Debug)]
pub enum Message {
    Update(Update),
    Hindered(Hindrance),
    Able,
    /// The stop time has come. The last message.
    Completed,
}

/// Updates that wait for the session, beside the one its task holds: with a full queue the task waits, and what changes
/// meanwhile goes into the next update.
const WAITING_UPDATES: usize = 1;

/// One datastore subscription at work; it ends when dropped.
#[derive(Debug)]
pub struct Publication {
    messages: mpsc::Receiver<Message>,
    resync: Arc<Notify>,
    task: AbortHandle,
}

impl Publication {
    /// `policy` has been [`check`]ed. What changes after this has returned will be told.
    pub async fn start<P: Provider>(shared: &Arc<Shared<P>>, user: &Arc<str>, policy: Policy) -> Publication {
        let (publication, ready) = Publication::begin(shared, user, policy);
        // A task that ended has nothing to tell, which is what its messages will say.
        let _ = ready.await;
        publication
    }

    /// The same without waiting for it: it is ready when the receiver says so.
    pub fn begin<P: Provider>(
        shared: &Arc<Shared<P>>,
        user: &Arc<str>,
        policy: Policy,
    ) -> (Publication, oneshot::Receiver<()>) {
        let (sender, messages) = mpsc::channel(WAITING_UPDATES);
        let resync = Arc::new(Notify::new());
        let (begun, ready) = oneshot::channel();
        let task = task::run(shared.clone(), user.clone(), policy, resync.clone(), sender, begun);
        (Publication { messages, resync, task: tokio::spawn(task).abort_handle() }, ready)
    }

    /// The next message if it is there.
    pub fn try_next(&mut self) -> Option<Message> {
        self.messages.try_recv().ok()
    }

    /// The next message; waits for it, for ever after the last one. Cancelled, it has lost nothing.
    pub async fn next(&mut self) -> Message {
        match self.messages.recv().await {
            Some(message) => message,
            None => std::future::pending().await,
        }
    }

    /// Has all that is visible sent again (RFC 8641 section 4.4.5), where the subscription is on-change.
    pub fn resync(&self) {
        self.resync.notify_one();
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether there can be such a subscription.
pub async fn check<P: Provider>(
    shared: &Arc<Shared<P>>,
    access: &Arc<UserAccess>,
    policy: &Policy,
) -> Result<(), Refusal> {
    if matches!(policy.trigger, Trigger::Periodic { period, .. } if period < MIN_PERIOD) {
        return Err(Refusal::PeriodUnsupported);
    }
    let reader = access.for_reading();
    let readable = |node| reader.as_ref().is_none_or(|reader| reader.extent(node) != Extent::None);
    let mut selected = shared.schema.nodes().filter(|node| {
        let carries = matches!(node.kind, NodeKind::Leaf | NodeKind::LeafList | NodeKind::AnyData | NodeKind::AnyXml)
            || node.kind == NodeKind::Container { presence: true };
        carries && policy.selection.reaches(node.id) && readable(node.id)
    });
    let Some(first) = selected.next() else { return Err(Refusal::UnchangingSelection) };
    let on_change = matches!(policy.trigger, Trigger::OnChange { .. });
    let reported = |node| shared.reports_changes(node);
    if on_change
        && policy.datastore == Named::Operational
        && !reported(first.id)
        && !selected.any(|node| reported(node.id))
    {
        return Err(Refusal::OnChangeUnsupported);
    }
    let too_big = match policy.trigger {
        Trigger::Periodic { .. } => Refusal::UpdateTooBig,
        Trigger::OnChange { sync_on_start: true, .. } => Refusal::SyncTooBig,
        Trigger::OnChange { sync_on_start: false, .. } => return Ok(()),
    };
    let (source, _) = content::read(shared, policy).await.map_err(Refusal::Unavailable)?;
    let seen = content::Viewer::new(shared, access.clone(), policy).look(source, true).await;
    let seen = seen.map_err(|error| Refusal::Filter(error.to_string()))?;
    if seen.fits { Ok(()) } else { Err(too_big) }
}

impl<P: Provider> Shared<P> {
    /// Whether on-change subscriptions hear of changes of this node: of configuration always, of state where the provider
    /// says so. The server does not tell changes of its own state.
    pub fn reports_changes(&self, node: crate::yang::NodeId) -> bool {
        const OWN: [&str; 5] = [
            "ietf-netconf-monitoring",
            "ietf-yang-library",
            "ietf-netconf-acm",
            "nc-notifications",
            "ietf-subscribed-notifications",
        ];
        self.schema.node(node).config
            || !OWN.contains(&self.schema.module_of(node).name.as_str()) && self.provider.reports_changes(node)
    }
}

/// The moment of a stop time; None where it is beyond what the clock can count.
fn instant_of(stop: Timestamp) -> Option<Instant> {
    let left = Duration::try_from(stop.duration_since(Timestamp::now())).unwrap_or_default();
    Instant::now().checked_add(left)
}
