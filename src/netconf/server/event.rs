//! Notifications: from whoever tells of something, through the stream, to the subscribers who may see it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Shared;
use super::nacm::UserAccess;
use super::operation::parameters::Datastore;
use super::provider::{Event, EventReceiver, Provider, Queued};
use super::push::hub::Hub;
use super::session::{End, Entry};
use super::stream::{self, Notification, Publisher};
use super::subscription::filter::EventFilter;
use crate::message;
use crate::xml::{Document, Limits};
use crate::yang::diff::{Change, Edit};
use crate::yang::edit;
use crate::yang::path::{InstancePath, Predicate};
use crate::yang::schema::{NodeKind, Schema};
use crate::yang::serde::tree_at;
use crate::yang::tree::{Content, Inner, Tree};
use crate::yang::write::{self, WithDefaults};

/// Edits that one netconf-config-change names. A commit that changes more is told by its first ones: whoever follows
/// so large a change reads the datastore anyway, and the event stays far below any client's limit.
const REPORTED_EDITS: usize = 1000;

/// Puts events on the stream in the order in which they come.
pub(super) async fn publish(schema: Arc<Schema>, mut publisher: Publisher, mut queue: EventReceiver, hub: Arc<Hub>) {
    while let Some(queued) = queue.next().await {
        let tree = match queued {
            Queued::Event(Event::Notification(tree)) => tree,
            Queued::Event(Event::Changed(paths)) => {
                hub.changed(&paths);
                continue;
            }
            Queued::Mark(done) => {
                if publisher.flush().await.is_err() {
                    return;
                }
                // Whoever waited may have gone.
                let _ = done.send(());
                continue;
            }
        };
        let Some(path) = notification_path(&schema, tree.root()) else {
            tracing::error!("an event without a notification in it is dropped");
            continue;
        };
        let node = path.last().expect("a path to a notification has a step").node;
        let mut body = Vec::new();
        write::write_subtree(&schema, tree.root(), WithDefaults::ReportAll, &mut body);
        let notification = Notification {
            module: schema.module_of(node).name.as_str().into(),
            name: schema.node(node).name.clone(),
            node: Some(node),
            body: String::from_utf8_lossy(&body).into(),
            tree: Some(tree),
        };
        if publisher.publish(notification, Timestamp::now()).await.is_err() {
            return;
        }
    }
    publisher.close().await;
}

/// Where in the tree the notification stands.
fn notification_path(schema: &Schema, inner: &Inner) -> Option<InstancePath> {
    fn find(schema: &Schema, inner: &Inner, path: &mut InstancePath) -> bool {
        for child in inner.iter() {
            path.push(child.node, Predicate::None);
            if schema.node(child.node).kind == NodeKind::Notification {
                return true;
            }
            match &child.content {
                Content::Container(inner) if find(schema, inner, path) => return true,
                Content::List(list) => {
                    for (key, entry) in list.iter() {
                        path.pop();
                        path.push(child.node, key.map_or(Predicate::None, |key| Predicate::Key(key.clone())));
                        if find(schema, entry, path) {
                            return true;
                        }
                    }
                }
                _ => {}
            }
            path.pop();
        }
        false
    }
    let mut path = InstancePath::default();
    find(schema, inner, &mut path).then_some(path)
}

/// Whether an event is one that a subscriber asked for and may see.
pub(super) fn passes(
    schema: &Arc<Schema>,
    access: &Arc<UserAccess>,
    filter: &EventFilter,
    entry: &stream::Entry,
) -> bool {
    let Some(tree) = entry.tree.clone().or_else(|| parse(schema, &entry.body)) else {
        // Stored under modules that are not loaded any more: nothing can be said about who may see it.
        return access.is_exempt() && filter.is_all();
    };
    let permitted = notification_path(schema, tree.root()).is_some_and(|path| access.check_notification(&path));
    permitted && (filter.is_all() || filter.passes(&tree, access))
}

pub(super) fn write(entry: &stream::Entry, out: &mut Vec<u8>) {
    message::write_notification_start(out, &entry.event_time);
    out.extend_from_slice(entry.body.as_bytes());
    message::write_notification_end(out);
}

fn parse(schema: &Arc<Schema>, body: &str) -> Option<Tree> {
    let document = Document::parse(body, &Limits::default()).ok()?;
    edit::read_operation(schema, document.root()).ok()
}

/// `<replayComplete>` or `<notificationComplete>` of RFC 5277.
pub(super) fn write_complete(name: &str, out: &mut Vec<u8>) {
    message::write_notification_start(out, &super::now());
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    crate::xml::write_attribute(out, "xmlns", "urn:ietf:params:xml:ns:netmod:notification");
    out.extend_from_slice(b"/>");
    message::write_notification_end(out);
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct SessionInfo<'s> {
    username: &'s str,
    session_id: u32,
    source_host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    killed_by: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    termination_reason: Option<&'static str>,
}

impl<'s> From<&'s Entry> for SessionInfo<'s> {
    fn from(entry: &'s Entry) -> Self {
        SessionInfo {
            username: &entry.user,
            session_id: entry.id,
            source_host: entry.peer.address.ip().to_string(),
            killed_by: None,
            termination_reason: None,
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum ChangedBy<'s> {
    Server { server: () },
    User(SessionInfo<'s>),
}

/// What happened to a confirmed commit, and who did it (RFC 6470's confirm-event).
pub(super) enum ConfirmEvent<'s> {
    Start(&'s Entry, Duration),
    Extend(&'s Entry, Duration),
    Cancel(&'s Entry),
    Timeout,
    Complete(&'s Entry),
}

/// Takes confirmed commits back that nobody confirmed in time, for as long as the server lives.
pub(super) async fn take_back_in_time<P: Provider>(
    shared: Weak<Shared<P>>,
    mut timer: watch::Receiver<Option<Instant>>,
) {
    loop {
        let due = *timer.borrow_and_update();
        let wait = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = timer.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            () = wait => {}
        }
        let Some(shared) = shared.upgrade() else { return };
        // Where it fails it is due again later.
        if let Some(Ok(edits)) = shared.datastores.time_out(&shared.provider, Instant::now()).await {
            shared.config_changed(None, Datastore::Running, &edits).await;
            shared.confirmed_commit(ConfirmEvent::Timeout).await;
        }
    }
}

impl<P: Provider> Shared<P> {
    /// netconf-config-change (RFC 6470 section 2.2). `by`: None where the server did it on its own account.
    pub(super) async fn config_changed(&self, by: Option<&Entry>, datastore: Datastore, edits: &[Edit]) {
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        struct ConfigChange<'s> {
            changed_by: ChangedBy<'s>,
            datastore: &'static str,
            edit: Vec<Changed>,
        }
        #[derive(Serialize)]
        struct Changed {
            target: String,
            operation: &'static str,
        }
        if edits.is_empty() {
            return;
        }
        if datastore == Datastore::Running && edits.iter().any(|edit| self.is_filter(&edit.path)) {
            self.subscriptions.filters_changed();
        }
        let change = ConfigChange {
            changed_by: match by {
                Some(entry) => ChangedBy::User(entry.into()),
                None => ChangedBy::Server { server: () },
            },
            datastore: datastore.as_str(),
            edit: edits
                .iter()
                .take(REPORTED_EDITS)
                .map(|edit| Changed {
                    target: edit.path.to_json_form(&self.schema),
                    operation: match edit.change {
                        Change::Create => "create",
                        Change::Modify => "replace",
                        Change::Delete => "delete",
                        Change::Move => "merge",
                    },
                })
                .collect(),
        };
        self.tell("/ietf-netconf-notifications:netconf-config-change", &change).await;
    }

    /// Whether a path is in RFC 8639's configured filters.
    fn is_filter(&self, path: &InstancePath) -> bool {
        let filters = self.schema.find("/ietf-subscribed-notifications:filters");
        filters.is_some() && path.steps.first().map(|step| step.node) == filters
    }

    /// netconf-confirmed-commit (RFC 6470 section 2.2).
    pub(super) async fn confirmed_commit(&self, event: ConfirmEvent<'_>) {
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        struct Told<'s> {
            #[serde(flatten)]
            by: Option<SessionInfo<'s>>,
            confirm_event: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            timeout: Option<u64>,
        }
        let (confirm_event, by, timeout) = match event {
            ConfirmEvent::Start(by, timeout) => ("start", Some(by), Some(timeout)),
            ConfirmEvent::Extend(by, timeout) => ("extend", Some(by), Some(timeout)),
            ConfirmEvent::Cancel(by) => ("cancel", Some(by), None),
            ConfirmEvent::Complete(by) => ("complete", Some(by), None),
            ConfirmEvent::Timeout => ("timeout", None, None),
        };
        let told = Told { by: by.map(SessionInfo::from), confirm_event, timeout: timeout.map(|t| t.as_secs()) };
        self.tell("/ietf-netconf-notifications:netconf-confirmed-commit", &told).await;
    }

    pub(super) async fn session_started(&self, entry: &Entry) {
        self.tell("/ietf-netconf-notifications:netconf-session-start", &SessionInfo::from(entry)).await;
    }

    pub(super) async fn session_ended(&self, entry: &Entry, end: End) {
        let mut info = SessionInfo::from(entry);
        (info.killed_by, info.termination_reason) = match end {
            End::Closed => (None, Some("closed")),
            End::Killed(by) => (by, Some(if by.is_some() { "killed" } else { "other" })),
            End::Dropped => (None, Some("dropped")),
            End::BadHello => (None, Some("bad-hello")),
        };
        self.tell("/ietf-netconf-notifications:netconf-session-end", &info).await;
    }

    async fn tell<T: Serialize>(&self, path: &str, content: &T) {
        match tree_at(&self.schema, path, content) {
            // The queue ends only with the server.
            Ok(tree) => drop(self.events.send(Event::Notification(tree)).await),
            Err(error) => tracing::error!(%error, "a notification cannot be written"),
        }
    }
}
