//! Subscriptions as a client asks for them: `<create-subscription>` (RFC 5277), and the dynamic ones of RFC 8639 and RFC 8641.

use tokio::sync::mpsc;

use super::notification::{Kind, NotificationEvent, PUSH_NAMESPACE, SUBSCRIBED_NAMESPACE};
use super::operation::{DATASTORES_NAMESPACE, Filter, NmdaDatastore, Writer};
use super::session::Purpose;
use super::{Error, Reply, Session};
use crate::message::NOTIFICATION_NAMESPACE;
use crate::xml::{Document, Limits};

mod event;
mod refusal;

pub use event::{
    PatchEdit, PatchOperation, Place, PushChangeUpdate, PushUpdate, StateChange, SubscriptionEvent, SubscriptionState,
};
pub use refusal::Refusal;

/// `<create-subscription>` (RFC 5277 section 2.1.1).
#[derive(Clone, Debug, Default)]
pub struct CreateSubscription {
    /// The server's default, `NETCONF`, where there is none.
    pub stream: Option<String>,
    pub filter: Option<Filter>,
    /// RFC 3339; asks for a replay from then on.
    pub start_time: Option<String>,
    /// RFC 3339.
    pub stop_time: Option<String>,
}

/// `<establish-subscription>` (RFC 8639 section 2.4.2, RFC 8641 section 4.4.1).
#[derive(Clone, Debug)]
pub struct EstablishSubscription {
    pub target: SubscriptionTarget,
    /// RFC 3339.
    pub stop_time: Option<String>,
}

#[derive(Clone, Debug)]
pub enum SubscriptionTarget {
    Stream {
        stream: String,
        filter: Option<Selection>,
        /// RFC 3339; asks for a replay from then on.
        replay_start_time: Option<String>,
    },
    Datastore {
        datastore: NmdaDatastore,
        selection: Option<Selection>,
        trigger: UpdateTrigger,
    },
}

/// Which events, or which data.
#[derive(Clone, Debug)]
pub enum Selection {
    Filter(Filter),
    /// By the name of a filter that is configured at the server: `stream-filter` for events, `selection-filter` for data.
    Named(String),
}

impl From<Filter> for Selection {
    fn from(filter: Filter) -> Self {
        Selection::Filter(filter)
    }
}

/// When updates are sent (RFC 8641 section 3.1). Periods are in hundredths of a second.
#[derive(Clone, Debug)]
pub enum UpdateTrigger {
    Periodic {
        period: u32,
        /// RFC 3339; updates are sent a whole number of periods from it.
        anchor_time: Option<String>,
    },
    OnChange {
        /// None where there is none: 0.
        dampening_period: Option<u32>,
        /// Whether the first update is of all. True where there is none. Cannot be modified.
        sync_on_start: Option<bool>,
        /// Changes that are not told: `create`, `delete`, `insert`, `move` or `replace`. Cannot be modified.
        excluded_changes: Vec<&'static str>,
    },
}

/// `<modify-subscription>` (RFC 8639 section 2.4.3, RFC 8641 section 4.4.2): what is not given is no longer so, but for a
/// trigger.
#[derive(Clone, Debug)]
pub struct ModifySubscription {
    pub target: ModifiedTarget,
    pub stop_time: Option<String>,
}

#[derive(Clone, Debug)]
pub enum ModifiedTarget {
    Stream { filter: Option<Selection> },
    Datastore { datastore: NmdaDatastore, selection: Option<Selection>, trigger: Option<UpdateTrigger> },
}

/// A dynamic subscription, and what comes of it in the order in which it came. When it is dropped, the server is told to end it.
#[derive(Debug)]
pub struct Subscription {
    id: u32,
    replay_start_time_revision: Option<String>,
    events: mpsc::Receiver<NotificationEvent>,
    session: Session,
}

impl Subscription {
    pub fn id(&self) -> u32 {
        self.id
    }

    /// From when on there is a replay, where the server has no events from the time that was asked for.
    pub fn replay_start_time_revision(&self) -> Option<&str> {
        self.replay_start_time_revision.as_deref()
    }

    /// The next; `None` when the subscription or the session is over and all is taken. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<SubscriptionEvent> {
        Some(match self.events.recv().await? {
            NotificationEvent::Received(message) => SubscriptionEvent::read(message),
            NotificationEvent::Lost(count) => SubscriptionEvent::Lost(count),
        })
    }

    pub async fn modify(&self, modification: &ModifySubscription) -> Result<Reply, Error> {
        self.session.modify_subscription(self.id, modification).await
    }

    /// Asks for an update of all, of an on-change subscription.
    pub async fn resync(&self) -> Result<Reply, Error> {
        self.session.resync_subscription(self.id).await
    }

    /// Ends it, and waits until the server has.
    pub async fn delete(mut self) -> Result<Reply, Error> {
        self.events.close();
        self.session.delete_subscription(self.id).await
    }

    pub fn session(&self) -> &Session {
        &self.session
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.session.forget_subscription(self.id);
    }
}

impl Session {
    /// Subscribes as RFC 5277 has it. The events come to the session's [`Notifications`](super::Notifications).
    pub async fn create_subscription(&self, subscription: &CreateSubscription) -> Result<Reply, Error> {
        let mut out = Writer::in_namespace("create-subscription", NOTIFICATION_NAMESPACE);
        out.optional("stream", subscription.stream.as_deref());
        if let Some(filter) = &subscription.filter {
            out.filter(filter);
        }
        out.optional("startTime", subscription.start_time.as_deref());
        out.optional("stopTime", subscription.stop_time.as_deref());
        self.rpc(out.end()).await
    }

    /// Subscribes as RFC 8639 has it. A session takes any number of subscriptions to datastores, but one to a stream: the
    /// events of a stream do not say to which subscription they belong. A further one is refused here.
    pub async fn establish_subscription(&self, terms: &EstablishSubscription) -> Result<Subscription, Error> {
        let kind = match terms.target {
            SubscriptionTarget::Stream { .. } => Kind::Stream,
            SubscriptionTarget::Datastore { .. } => Kind::Datastore,
        };
        let (delivery, events) = self.notification_queue();
        let reply = self.request(terms.to_xml(), self.rpc_timeout(), Purpose::Establish(kind, delivery)).await?;
        let id = established(reply.text()).ok_or_else(|| Error::Protocol("a subscription without an id".into()))?;
        let document = reply.document()?;
        let revision = document.root().child(SUBSCRIBED_NAMESPACE, "replay-start-time-revision");
        let replay_start_time_revision = revision.map(|time| time.text().trim_ascii().to_owned());
        Ok(Subscription { id, replay_start_time_revision, events, session: self.clone() })
    }

    pub async fn modify_subscription(&self, id: u32, modification: &ModifySubscription) -> Result<Reply, Error> {
        let mut out = Writer::in_namespace("modify-subscription", SUBSCRIBED_NAMESPACE);
        out.optional("id", Some(&id.to_string()));
        match &modification.target {
            ModifiedTarget::Stream { filter } => out.events(filter.as_ref()),
            ModifiedTarget::Datastore { datastore, selection, trigger } => {
                out.data(*datastore, selection.as_ref(), trigger.as_ref());
            }
        }
        out.optional("stop-time", modification.stop_time.as_deref());
        self.rpc(out.end()).await
    }

    /// Ends a subscription of this session.
    pub async fn delete_subscription(&self, id: u32) -> Result<Reply, Error> {
        self.request(delete(id), self.rpc_timeout(), Purpose::Delete(id)).await
    }

    /// Ends a subscription of any session.
    pub async fn kill_subscription(&self, id: u32) -> Result<Reply, Error> {
        let mut out = Writer::in_namespace("kill-subscription", SUBSCRIBED_NAMESPACE);
        out.optional("id", Some(&id.to_string()));
        self.rpc(out.end()).await
    }

    pub async fn resync_subscription(&self, id: u32) -> Result<Reply, Error> {
        let mut out = Writer::in_namespace("resync-subscription", PUSH_NAMESPACE);
        out.optional("id", Some(&id.to_string()));
        self.rpc(out.end()).await
    }
}

/// The id in the reply to `<establish-subscription>`; none where it was refused.
pub(super) fn established(reply: &str) -> Option<u32> {
    let document = Document::parse(reply, &Limits::default()).ok()?;
    document.root().child(SUBSCRIBED_NAMESPACE, "id")?.text().trim_ascii().parse().ok()
}

/// `<delete-subscription>`
pub(super) fn delete(id: u32) -> String {
    let mut out = Writer::in_namespace("delete-subscription", SUBSCRIBED_NAMESPACE);
    out.optional("id", Some(&id.to_string()));
    out.end()
}

impl EstablishSubscription {
    fn to_xml(&self) -> String {
        let mut out = Writer::in_namespace("establish-subscription", SUBSCRIBED_NAMESPACE);
        match &self.target {
            SubscriptionTarget::Stream { stream, filter, replay_start_time } => {
                out.events(filter.as_ref());
                out.optional("stream", Some(stream));
                out.optional("replay-start-time", replay_start_time.as_deref());
            }
            SubscriptionTarget::Datastore { datastore, selection, trigger } => {
                out.data(*datastore, selection.as_ref(), Some(trigger));
            }
        }
        out.optional("stop-time", self.stop_time.as_deref());
        out.end()
    }
}

impl Writer<'_> {
    fn events(&mut self, filter: Option<&Selection>) {
        match filter {
            Some(Selection::Filter(filter)) => self.named_filter("stream", None, filter),
            Some(Selection::Named(name)) => {
                self.optional("stream-filter-name", Some(name));
            }
            None => {}
        }
    }

    fn data(&mut self, datastore: NmdaDatastore, selection: Option<&Selection>, trigger: Option<&UpdateTrigger>) {
        const XMLNS: Option<&str> = Some(PUSH_NAMESPACE);
        self.start("datastore", &[("xmlns", PUSH_NAMESPACE), ("xmlns:ds", DATASTORES_NAMESPACE)]);
        self.raw("ds:").raw(datastore.as_str()).raw("</datastore>");
        match selection {
            Some(Selection::Filter(filter)) => self.named_filter("datastore", XMLNS, filter),
            Some(Selection::Named(name)) => {
                self.start("selection-filter-ref", &[("xmlns", PUSH_NAMESPACE)])
                    .text(name)
                    .raw("</selection-filter-ref>");
            }
            None => {}
        }
        match trigger {
            Some(UpdateTrigger::Periodic { period, anchor_time }) => {
                self.start("periodic", &[("xmlns", PUSH_NAMESPACE)]);
                self.optional("period", Some(&period.to_string()));
                self.optional("anchor-time", anchor_time.as_deref()).raw("</periodic>");
            }
            Some(UpdateTrigger::OnChange { dampening_period, sync_on_start, excluded_changes }) => {
                self.start("on-change", &[("xmlns", PUSH_NAMESPACE)]);
                self.optional("dampening-period", dampening_period.map(|period| period.to_string()).as_deref());
                self.optional("sync-on-start", sync_on_start.map(|sync| if sync { "true" } else { "false" }));
                for change in excluded_changes {
                    self.optional("excluded-change", Some(change));
                }
                self.raw("</on-change>");
            }
            None => {}
        }
    }

    /// `<of-subtree-filter>` or `<of-xpath-filter>`.
    fn named_filter(&mut self, of: &str, xmlns: Option<&str>, filter: &Filter) {
        let mut attributes: Vec<(String, &str)> = xmlns.iter().map(|xmlns| ("xmlns".to_owned(), *xmlns)).collect();
        let name = match filter {
            Filter::Subtree(_) => format!("{of}-subtree-filter"),
            Filter::XPath { namespaces, .. } => {
                attributes.extend(namespaces.iter().map(|(prefix, uri)| (format!("xmlns:{prefix}"), uri.as_str())));
                format!("{of}-xpath-filter")
            }
        };
        let attributes: Vec<_> = attributes.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        self.start(&name, &attributes);
        match filter {
            Filter::Subtree(elements) => self.raw(elements),
            Filter::XPath { select, .. } => self.text(select),
        };
        self.raw("</").raw(&name).raw(">");
    }
}

#[cfg(test)]
mod tests;
