//! Notifications as a client receives them (RFC 5277 section 4), and to which subscription each belongs (RFC 8640 section 6).

use std::collections::HashMap;

use futures_util::future::select_all;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;
use tokio::sync::mpsc;

use super::{Error, Session};
use crate::message::NOTIFICATION_NAMESPACE;
use crate::xml::{Document, Limits};

/// The namespace of ietf-subscribed-notifications (RFC 8639).
pub(super) const SUBSCRIBED_NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-subscribed-notifications";
/// The namespace of ietf-yang-push (RFC 8641).
pub(super) const PUSH_NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-yang-push";

/// The notifications of a session that belong to no [`Subscription`](super::Subscription), in the order they came: those of
/// RFC 5277.
#[derive(Debug)]
pub struct Notifications {
    events: mpsc::Receiver<NotificationEvent>,
    /// A session lives as long as somebody listens.
    session: Session,
}

/// What happened to a stream of notifications.
#[derive(Clone, Debug)]
pub enum NotificationEvent {
    Received(NotificationMessage),
    /// So many came here while nobody took them, and are lost.
    Lost(u64),
}

/// One `<notification>`, as the server sent it.
#[derive(Clone, Debug)]
pub struct NotificationMessage(String);

impl NotificationMessage {
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The message, parsed: to be read with [`Notification::read`](crate::message::Notification::read).
    pub fn document(&self) -> Result<Document<'_>, Error> {
        Ok(Document::parse(&self.0, &Limits::default())?)
    }
}

impl Notifications {
    pub(super) fn new(events: mpsc::Receiver<NotificationEvent>, session: Session) -> Self {
        Notifications { events, session }
    }

    /// The next; `None` when the session is over and all is taken. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<NotificationEvent> {
        self.events.recv().await
    }

    /// The session they come from.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

/// What a dynamic subscription is fed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Stream,
    Datastore,
}

/// The session task's ends of all queues: where each notification goes.
///
/// An event record of a stream does not say whose it is (RFC 8640 section 6), unlike a datastore's update and a change
/// of a subscription's state; so one session has one subscription to a stream.
#[derive(Debug)]
pub(super) struct Routes {
    rest: Delivery,
    dynamic: HashMap<u32, Route>,
}

#[derive(Debug)]
struct Route {
    kind: Kind,
    delivery: Delivery,
    /// Its end was asked for.
    ending: bool,
}

impl Routes {
    pub(super) fn new(rest: Delivery) -> Self {
        Routes { rest, dynamic: HashMap::new() }
    }

    /// Whether the events of one more subscription to a stream would have an owner.
    pub(super) fn has_stream(&self) -> bool {
        self.dynamic.values().any(|route| route.kind == Kind::Stream && !route.ending)
    }

    pub(super) fn add(&mut self, id: u32, kind: Kind, delivery: Delivery) {
        self.dynamic.insert(id, Route { kind, delivery, ending: false });
    }

    /// False where there is none, or its end was asked for before.
    pub(super) fn ending(&mut self, id: u32) -> bool {
        self.dynamic.get_mut(&id).is_some_and(|route| !std::mem::replace(&mut route.ending, true))
    }

    pub(super) fn remove(&mut self, id: u32) {
        self.dynamic.remove(&id);
    }

    /// Hands a notification over. The result is a subscription that nobody listens to any more: its end is to be asked for.
    pub(super) fn deliver(&mut self, text: String) -> Option<u32> {
        if self.dynamic.is_empty() {
            self.rest.deliver(text);
            return None;
        }
        let (id, last) = match addressee(&text) {
            Addressee::Subscription { id, last } => (Some(id), last),
            Addressee::Stream => {
                let streams = || self.dynamic.iter().filter(|(_, route)| route.kind == Kind::Stream);
                let found = streams().find(|(_, route)| !route.ending).or_else(|| streams().next());
                (found.map(|(id, _)| *id), false)
            }
        };
        let Some((id, route)) = id.and_then(|id| Some((id, self.dynamic.get_mut(&id)?))) else {
            self.rest.deliver(text);
            return None;
        };
        route.delivery.deliver(text);
        let unheard = route.delivery.events.is_closed() && !std::mem::replace(&mut route.ending, true);
        if last {
            // What was lost before is still told: the news takes the place that is kept for it.
            route.delivery.close();
            self.dynamic.remove(&id);
        }
        (unheard && !last).then_some(id)
    }

    pub(super) fn has_lost(&self) -> bool {
        self.rest.lost > 0 || self.dynamic.values().any(|route| route.delivery.lost > 0)
    }

    /// Ready when a loss could be told; never where there is none to tell.
    pub(super) async fn tell_lost(&mut self) {
        let dynamic = self.dynamic.values_mut().map(|route| &mut route.delivery);
        select_all(dynamic.chain([&mut self.rest]).map(|delivery| Box::pin(delivery.tell_lost()))).await;
    }
}

/// The session task's end of one queue.
#[derive(Debug)]
pub(super) struct Delivery {
    events: mpsc::Sender<NotificationEvent>,
    lost: u64,
    /// A place that is kept for the news of a loss.
    reserved: Option<mpsc::OwnedPermit<NotificationEvent>>,
}

/// A queue for `bound` notifications.
pub(super) fn channel(bound: usize) -> (Delivery, mpsc::Receiver<NotificationEvent>) {
    let (events, received) = mpsc::channel(bound.max(1) + 1);
    let reserved = events.clone().try_reserve_owned().ok();
    (Delivery { events, lost: 0, reserved }, received)
}

impl Delivery {
    fn deliver(&mut self, text: String) {
        // After a loss nothing overtakes the news of it.
        if self.lost == 0 {
            match self.events.try_send(NotificationEvent::Received(NotificationMessage(text))) {
                // Closed: the listener was dropped, and wants no more.
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => return,
                Err(mpsc::error::TrySendError::Full(_)) => {}
            }
        }
        self.lost += 1;
    }

    async fn tell_lost(&mut self) {
        if self.lost == 0 {
            return std::future::pending().await;
        }
        match self.events.reserve().await {
            Ok(room) => room.send(NotificationEvent::Lost(std::mem::take(&mut self.lost))),
            Err(_) => self.lost = 0,
        }
    }

    /// Nothing more will come: a loss is told at once.
    fn close(&mut self) {
        if let Some(room) = self.reserved.take()
            && self.lost > 0
        {
            room.send(NotificationEvent::Lost(self.lost));
            self.lost = 0;
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.close();
    }
}

/// Whose a notification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Addressee {
    /// Of a stream: the message does not say whose.
    Stream,
    Subscription {
        id: u32,
        /// Nothing follows it.
        last: bool,
    },
}

/// Looks at the beginning alone, so that a large update is not read twice.
fn addressee(text: &str) -> Addressee {
    addressed(text).unwrap_or(Addressee::Stream)
}

fn addressed(text: &str) -> Option<Addressee> {
    let mut reader = NsReader::from_str(text);
    let mut depth = 0;
    let mut last = false;
    loop {
        let (namespace, event) = reader.read_resolved_event().ok()?;
        let (start, empty) = match event {
            Event::Start(start) => (start, false),
            Event::Empty(start) => (start, true),
            Event::End(_) => {
                depth -= 1;
                continue;
            }
            Event::Eof => return None,
            _ => continue,
        };
        let namespace = if let ResolveResult::Bound(namespace) = namespace { namespace.0 } else { "" };
        let name = start.local_name();
        match (depth, namespace, name.into_inner()) {
            (0, NOTIFICATION_NAMESPACE, "notification") => {}
            (1, NOTIFICATION_NAMESPACE, "eventTime") => {}
            (1, SUBSCRIBED_NAMESPACE, name) => {
                last = matches!(name, "subscription-terminated" | "subscription-completed");
            }
            (1, PUSH_NAMESPACE, _) => {}
            (0 | 1, _, _) => return None,
            (2, SUBSCRIBED_NAMESPACE | PUSH_NAMESPACE, "id") => {
                let id = reader.read_text(start.name()).ok()?;
                return Some(Addressee::Subscription { id: id.trim_ascii().parse().ok()?, last });
            }
            _ => {}
        }
        if !empty {
            depth += 1;
        }
    }
}

#[cfg(test)]
mod tests;
