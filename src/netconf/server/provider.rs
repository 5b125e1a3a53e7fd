//! What a NETCONF server stands in front of: a device behind an agent, the manager, or nothing at all.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::error::RpcError;
use crate::yang::diff::Edit;
use crate::yang::filter::Selection;
use crate::yang::tree::Tree;
use tokio::sync::{mpsc, oneshot};

/// The instrumentation behind a server.
///
/// All take `&self`: a slow call or query never holds back an event, a commit or another's get. Only [`Provider::apply`]
/// is serial: the server awaits one before it starts the next.
pub trait Provider: Send + Sync + 'static {
    /// Called once, before the first session: keep `events` to send from.
    fn start(&self, events: EventSender) {
        drop(events);
    }

    /// Requests that the server accepts per second and session, where the device's configuration says so (ITU-T Y.3804
    /// clause I.1.1); more are refused. Asked for at each request: the answer must be at hand.
    fn request_rate(&self) -> Option<NonZeroU32> {
        None
    }

    /// What YANG cannot say about a configuration that is otherwise valid. Must not act.
    fn validate(&self, new: &Tree) -> Result<(), RpcError> {
        let _ = new;
        Ok(())
    }

    /// Makes `new` effective. On an error the device must be as before; the server then reports it and keeps `old`.
    fn apply(&self, old: &Tree, new: &Tree, edits: &[Edit]) -> impl Future<Output = Result<(), RpcError>> + Send {
        let _ = (old, new, edits);
        async { Ok(()) }
    }

    /// State data of what `want` can reach; more does no harm, it is filtered again. List entries carry their keys.
    /// Everything must be of the server's schema. Configuration in it is in use without being in running: found by the
    /// system, unless [`Tree::with_origin`] says otherwise (RFC 8342 section 5.3.4).
    fn state(&self, want: &Selection) -> impl Future<Output = Result<Tree, RpcError>> + Send;

    /// Whether [`Event::Changed`] tells every change of this state node. On-change subscriptions leave out what does not
    /// (RFC 8641 section 3.10). Of configuration the server knows by itself.
    fn reports_changes(&self, node: crate::yang::NodeId) -> bool {
        let _ = node;
        false
    }

    /// Performs an RPC or action of the schema. `operation` holds the RPC with its input, validated and with
    /// defaults; an action's stands at its place in the data tree. The reply holds the same node with its output.
    fn call(
        &self,
        operation: Operation,
        who: &Requester,
    ) -> impl Future<Output = Result<Option<Tree>, RpcError>> + Send;
}

/// One RPC or action as it reaches a [`Provider`].
#[derive(Clone, Debug)]
pub struct Operation {
    /// The schema node of the RPC or action.
    pub node: crate::yang::NodeId,
    pub input: Tree,
}

/// Who asks, and what the request says of itself.
#[derive(Clone, Debug)]
pub struct Requester {
    pub user: Arc<str>,
    pub session_id: u32,
    /// The attributes of the `<rpc>` that have a namespace, which is how a module annotates requests (RFC 7952).
    pub annotations: Vec<Annotation>,
}

/// One annotation of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    pub namespace: String,
    pub name: String,
    pub value: String,
}

impl Requester {
    pub fn annotation(&self, namespace: &str, name: &str) -> Option<&str> {
        let found = self.annotations.iter().find(|a| a.namespace == namespace && a.name == name);
        found.map(|a| a.value.as_str())
    }
}

/// What a provider tells the server on its own account.
#[derive(Clone, Debug)]
pub enum Event {
    /// A notification of the schema: its tree holds the notification node at its place.
    Notification(Tree),
    /// State below these nodes has changed; feeds on-change subscriptions.
    Changed(Vec<crate::yang::path::InstancePath>),
}

/// Events that wait for the server; a provider that finds it full waits, because an event must not be lost.
pub const EVENT_QUEUE: usize = 1024;

/// Where a provider sends its events. Clones go to the same server.
#[derive(Clone, Debug)]
pub struct EventSender(mpsc::Sender<Queued>);

/// What waits in the queue.
#[derive(Debug)]
pub(super) enum Queued {
    Event(Event),
    /// Answered when all before it can be delivered.
    Mark(oneshot::Sender<()>),
}

/// The other end of an [`EventSender`].
#[derive(Debug)]
pub struct EventReceiver(mpsc::Receiver<Queued>);

impl EventReceiver {
    /// The next event; None when there are no senders any more. Cancelled, it has lost nothing.
    pub async fn recv(&mut self) -> Option<Event> {
        while let Some(queued) = self.0.recv().await {
            match queued {
                Queued::Event(event) => return Some(event),
                // Whoever waited may have gone.
                Queued::Mark(done) => drop(done.send(())),
            }
        }
        None
    }

    /// The next event that is there.
    pub fn try_recv(&mut self) -> Option<Event> {
        while let Ok(queued) = self.0.try_recv() {
            match queued {
                Queued::Event(event) => return Some(event),
                Queued::Mark(done) => drop(done.send(())),
            }
        }
        None
    }

    pub(super) async fn next(&mut self) -> Option<Queued> {
        self.0.recv().await
    }
}

/// The server has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server has stopped")]
pub struct Stopped;

impl EventSender {
    /// A queue of its own: what a provider sends can be taken from it without a server.
    pub fn channel() -> (EventSender, EventReceiver) {
        let (sender, receiver) = mpsc::channel(EVENT_QUEUE);
        (EventSender(sender), EventReceiver(receiver))
    }

    /// Waits for room in the queue ([`EVENT_QUEUE`]).
    pub async fn send(&self, event: Event) -> Result<(), Stopped> {
        self.0.send(Queued::Event(event)).await.map_err(|_| Stopped)
    }

    /// Waits until all that was sent before can be delivered.
    pub(super) async fn settled(&self) -> Result<(), Stopped> {
        let (done, waiting) = oneshot::channel();
        self.0.send(Queued::Mark(done)).await.map_err(|_| Stopped)?;
        waiting.await.map_err(|_| Stopped)
    }
}
