//! What a dynamic subscription tells: event records, updates of datastores (RFC 8641 section 4.3) and changes of its state
//! (RFC 8639 section 2.7).

use crate::client::Error;
use crate::client::notification::{NotificationMessage, PUSH_NAMESPACE, SUBSCRIBED_NAMESPACE};
use crate::message::Notification;
use crate::xml::Element;

#[derive(Clone, Debug)]
pub enum SubscriptionEvent {
    /// An event record of a stream.
    Event(NotificationMessage),
    PushUpdate(PushUpdate),
    PushChangeUpdate(PushChangeUpdate),
    State(StateChange),
    /// So many came here while nobody took them, and are lost.
    Lost(u64),
    /// A message that is none of these, and why.
    Unreadable(NotificationMessage, String),
}

/// The data that is subscribed to, as it was at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushUpdate {
    /// As sent: RFC 3339.
    pub event_time: String,
    /// `<datastore-contents>` with the data, which stands alone.
    pub contents: String,
    /// The server could not tell everything.
    pub incomplete: bool,
}

/// What changed since the last update, as a YANG patch (RFC 8072).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushChangeUpdate {
    /// As sent: RFC 3339.
    pub event_time: String,
    pub patch_id: String,
    /// To be applied in this order.
    pub edits: Vec<PatchEdit>,
    /// The server could not tell everything.
    pub incomplete: bool,
}

/// One edit of a YANG patch (RFC 8072 section 2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchEdit {
    pub edit_id: String,
    pub operation: PatchOperation,
    /// A path as in a RESTCONF URL (RFC 8040 section 3.5.3), from the top of the datastore.
    pub target: String,
    /// Where an entry is inserted or moved to; the last place where there is none.
    pub place: Option<Place>,
    /// `<value>` with the data, which stands alone.
    pub value: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchOperation {
    Create,
    Delete,
    Insert,
    Merge,
    Move,
    Replace,
    Remove,
}

/// A place in a list that the user orders; before and after the entry at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    First,
    Last,
    Before(String),
    After(String),
}

#[derive(Clone, Debug)]
pub struct StateChange {
    /// As sent: RFC 3339.
    pub event_time: String,
    pub state: SubscriptionState,
}

/// Reasons are names of identities, without their prefix.
#[derive(Clone, Debug)]
pub enum SubscriptionState {
    /// With the new terms, inside the message.
    Modified(NotificationMessage),
    Suspended(String),
    Resumed,
    /// Nothing follows.
    Terminated(String),
    /// What there is to replay has come.
    ReplayCompleted,
    /// The stop time is reached. Nothing follows.
    Completed,
}

impl SubscriptionEvent {
    pub(super) fn read(message: NotificationMessage) -> Self {
        match Self::parse(&message) {
            Ok(Some(event)) => event,
            Ok(None) => SubscriptionEvent::Event(message),
            Err(error) => SubscriptionEvent::Unreadable(message, error.to_string()),
        }
    }

    /// `None`: an event record.
    fn parse(message: &NotificationMessage) -> Result<Option<Self>, Error> {
        let document = message.document()?;
        let notification =
            Notification::read(&document).ok_or_else(|| unreadable("a notification without a time or an event"))?;
        let event = notification.event;
        let event_time = notification.event_time.to_owned();
        let incomplete = child(event, "incomplete-update").is_some();
        let read = match (event.namespace(), event.name()) {
            (PUSH_NAMESPACE, "push-update") => SubscriptionEvent::PushUpdate(PushUpdate {
                event_time,
                contents: written(required(event, "datastore-contents")?),
                incomplete,
            }),
            (PUSH_NAMESPACE, "push-change-update") => {
                let patch = required(required(event, "datastore-changes")?, "yang-patch")?;
                let edits = patch.children().filter(|child| child.name() == "edit").map(PatchEdit::read);
                SubscriptionEvent::PushChangeUpdate(PushChangeUpdate {
                    event_time,
                    patch_id: text(required(patch, "patch-id")?),
                    edits: edits.collect::<Result<_, _>>()?,
                    incomplete,
                })
            }
            (SUBSCRIBED_NAMESPACE, name) => {
                let reason = || child(event, "reason").map(|reason| identity(reason.text())).unwrap_or_default();
                let state = match name {
                    "subscription-modified" => SubscriptionState::Modified(message.clone()),
                    "subscription-suspended" => SubscriptionState::Suspended(reason()),
                    "subscription-resumed" => SubscriptionState::Resumed,
                    "subscription-terminated" => SubscriptionState::Terminated(reason()),
                    "replay-completed" => SubscriptionState::ReplayCompleted,
                    "subscription-completed" => SubscriptionState::Completed,
                    _ => return Ok(None),
                };
                SubscriptionEvent::State(StateChange { event_time, state })
            }
            _ => return Ok(None),
        };
        Ok(Some(read))
    }
}

impl PatchEdit {
    fn read(edit: Element<'_>) -> Result<PatchEdit, Error> {
        let point = || required(edit, "point").map(text);
        let place = match child(edit, "where").map(text).as_deref() {
            None => None,
            Some("first") => Some(Place::First),
            Some("last") => Some(Place::Last),
            Some("before") => Some(Place::Before(point()?)),
            Some("after") => Some(Place::After(point()?)),
            Some(other) => return Err(unreadable(&format!("an edit with where {other}"))),
        };
        Ok(PatchEdit {
            edit_id: text(required(edit, "edit-id")?),
            operation: match text(required(edit, "operation")?).as_str() {
                "create" => PatchOperation::Create,
                "delete" => PatchOperation::Delete,
                "insert" => PatchOperation::Insert,
                "merge" => PatchOperation::Merge,
                "move" => PatchOperation::Move,
                "replace" => PatchOperation::Replace,
                "remove" => PatchOperation::Remove,
                other => return Err(unreadable(&format!("an edit with operation {other}"))),
            },
            target: text(required(edit, "target")?),
            place,
            value: child(edit, "value").map(written),
        })
    }
}

/// By its name alone: servers differ in the namespace of what ietf-yang-push takes from ietf-yang-patch.
fn child<'d>(element: Element<'d>, name: &str) -> Option<Element<'d>> {
    element.children().find(|child| child.name() == name)
}

fn required<'d>(element: Element<'d>, name: &str) -> Result<Element<'d>, Error> {
    child(element, name).ok_or_else(|| unreadable(&format!("<{}> without <{name}>", element.name())))
}

fn text(element: Element<'_>) -> String {
    element.text().trim_ascii().to_owned()
}

fn written(element: Element<'_>) -> String {
    let mut out = Vec::new();
    element.write(&mut out);
    String::from_utf8(out).expect("written from strings")
}

/// The name of an identity without its prefix.
pub(super) fn identity(text: &str) -> String {
    let text = text.trim_ascii();
    text.split_once(':').map_or(text, |(_, name)| name).to_owned()
}

fn unreadable(reason: &str) -> Error {
    Error::Protocol(reason.to_owned())
}
