//! Notifications as a client receives them (RFC 5277), and `<create-subscription>`.

use tokio::sync::mpsc;

use super::operation::Filter;
use super::{Error, Reply, Session};
use crate::message::NOTIFICATION_NAMESPACE;
use crate::xml::{Document, Limits, escape_text, write_attribute};

/// The notifications of a session, in the order they came.
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

/// The session task's end of a [`Notifications`] queue.
#[derive(Debug)]
pub(super) struct Delivery {
    events: mpsc::Sender<NotificationEvent>,
    lost: u64,
}

pub(super) fn channel(bound: usize) -> (Delivery, mpsc::Receiver<NotificationEvent>) {
    let (events, received) = mpsc::channel(bound.max(1));
    (Delivery { events, lost: 0 }, received)
}

impl Delivery {
    pub(super) fn deliver(&mut self, text: String) {
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

    /// Ready when a loss could be told; never where there is none to tell.
    pub(super) async fn tell_lost(&mut self) {
        if self.lost == 0 {
            return std::future::pending().await;
        }
        match self.events.reserve().await {
            Ok(room) => room.send(NotificationEvent::Lost(std::mem::take(&mut self.lost))),
            Err(_) => self.lost = 0,
        }
    }
}

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

impl Session {
    pub async fn create_subscription(&self, subscription: &CreateSubscription) -> Result<Reply, Error> {
        let mut out = b"<create-subscription".to_vec();
        write_attribute(&mut out, "xmlns", NOTIFICATION_NAMESPACE);
        out.push(b'>');
        let leaf = |out: &mut Vec<u8>, name: &str, value: &Option<String>| {
            if let Some(value) = value {
                out.extend_from_slice(format!("<{name}>").as_bytes());
                escape_text(out, value);
                out.extend_from_slice(format!("</{name}>").as_bytes());
            }
        };
        leaf(&mut out, "stream", &subscription.stream);
        if let Some(filter) = &subscription.filter {
            filter.write(&mut out);
        }
        leaf(&mut out, "startTime", &subscription.start_time);
        leaf(&mut out, "stopTime", &subscription.stop_time);
        out.extend_from_slice(b"</create-subscription>");
        self.rpc(String::from_utf8(out).expect("written from strings")).await
    }
}
