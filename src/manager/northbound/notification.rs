//! What the shell announces, as notifications of the northbound model (Table I.1 row 9), and what follows from it here.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use netconf::server::provider::Event;
use netconf::yang::serde::{SerdeError, to_tree};
use netconf::yang::{Schema, Tree};
use serde::Serialize;

use super::procedures::{RunFields, StepFields};
use super::{Sequence, Shared, Southbound, alarms, devices};
use crate::input::Notification;
use crate::model::{ConnectionState, Function, Kind, Severity};
use crate::record::RunState;
use crate::store::Store;

impl<S: Store, B: Southbound> Shared<S, B> {
    pub(super) async fn tell(self: &Arc<Self>, notification: Notification, sequence: &mut Sequence) {
        if let Notification::DeviceState { device, new: ConnectionState::Operational, .. } = &notification {
            let (shared, device) = (self.clone(), device.clone());
            // Beside: a slow device must not hold up what is told of others. It ends with the device's timeouts.
            tokio::spawn(async move { shared.reconcile(&device).await });
        }
        if !self.is_wanted(&notification) {
            return;
        }
        // RFC 8632 leaves no room for a number in it: one taken for it would look lost.
        let number = if matches!(notification, Notification::OperatorAction(_)) {
            sequence.last()
        } else {
            let (number, kept) = sequence.take();
            if let Err(error) = kept {
                tracing::error!(%error, "the numbers of the notifications are not kept");
            }
            number
        };
        self.last_sequence_number.store(number, std::sync::atomic::Ordering::Relaxed);
        let running = self.running.load();
        let kind = |device: &str| devices::kind_of(&running, device).unwrap_or_default();
        let tree = match tree(&self.schema, &notification, kind, number, Timestamp::now()) {
            Ok(Some(tree)) => tree,
            Ok(None) => return,
            Err(error) => return tracing::error!(%error, "a notification does not fit its model"),
        };
        let Some(events) = self.events.get() else { return };
        // The queue ends only with the server, and then nobody listens any more.
        let _ = events.send(Event::Notification(tree)).await;
    }

    /// Whether the configuration of the alarm list lets it pass.
    fn is_wanted(&self, notification: &Notification) -> bool {
        let Notification::Alarm(alarm) = notification else { return true };
        alarms::Control::of(&self.running.load()).is_ok_and(|control| control.notifies(alarm))
    }
}

/// The notification in its place in the model; None where there is nothing to tell. `kind` tells that of a device; `now` is for what has
/// no time of its own.
pub(super) fn tree(
    schema: &Arc<Schema>,
    notification: &Notification,
    kind: impl Fn(&str) -> Kind,
    number: u64,
    now: Timestamp,
) -> Result<Option<Tree>, SerdeError> {
    let event = |time: Timestamp| EventNotify { sequence_number: number, event_time: time, ..EventNotify::default() };
    match notification {
        Notification::Alarm(alarm) => {
            let event_notify = EventNotify {
                action_required: !alarm.is_cleared && alarm.perceived_severity >= Severity::Major,
                layer: alarm.layer.as_deref().unwrap_or("management"),
                reference_point: alarm.reference_point.as_deref(),
                ..event(alarms::status_time(alarm))
            };
            alarms::notification(schema, alarm, ManagementOperation { event_notify }).map(Some)
        }
        Notification::OperatorAction(alarm) => alarms::operator_action(schema, alarm),
        Notification::DeviceState { device, old, new, reason } => {
            let kind = kind(device);
            let event_notify = EventNotify {
                action_required: *new == ConnectionState::Failed,
                layer: kind.layer().unwrap_or("management"),
                reference_point: kind.reference_point(),
                ..event(now)
            };
            let state = DeviceState { device, old: *old, new: *new, reason: reason.as_deref() };
            top(schema, "device-state", event_notify, state)
        }
        Notification::ProcedureStep(step) => {
            let event_notify = EventNotify { layer: layer(step.actor), ..event(step.time) };
            let step = ProcedureStep { run_id: &step.run_id, step: StepFields::of(step) };
            top(schema, "procedure-step", event_notify, step)
        }
        Notification::ProcedureEnded(run) => {
            let action_required = run.state == RunState::Failed;
            let event_notify = EventNotify { action_required, ..event(run.ended.unwrap_or(now)) };
            top(schema, "procedure-ended", event_notify, RunFields::of(run))
        }
        Notification::TopologyChanged { version, added, removed, changed } => {
            let change = TopologyChanged { version: *version, added, removed, changed };
            top(schema, "topology-changed", event(now), change)
        }
    }
}

/// The layer that a function manages.
fn layer(function: Function) -> &'static str {
    match function {
        Function::Qlm => "quantum",
        Function::Kmlm => "key-management",
        Function::Qclm => "control",
        Function::Xlmo => "management",
    }
}

/// A notification of qkdn-manager.
fn top<T: Serialize>(
    schema: &Arc<Schema>,
    name: &str,
    event_notify: EventNotify<'_>,
    content: T,
) -> Result<Option<Tree>, SerdeError> {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Told<'a, T> {
        management_operation: ManagementOperation<'a>,
        #[serde(flatten)]
        content: T,
    }
    let told = Told { management_operation: ManagementOperation { event_notify }, content };
    to_tree(schema, &BTreeMap::from([(format!("qkdn-manager:{name}"), told)])).map(Some)
}

/// Table I.1, as far as a notification fills it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ManagementOperation<'a> {
    event_notify: EventNotify<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct EventNotify<'a> {
    sequence_number: u64,
    event_time: Timestamp,
    action_required: bool,
    layer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference_point: Option<&'a str>,
}

impl Default for EventNotify<'_> {
    fn default() -> Self {
        EventNotify {
            sequence_number: 0,
            event_time: Timestamp::UNIX_EPOCH,
            action_required: false,
            layer: "management",
            reference_point: None,
        }
    }
}

#[derive(Serialize)]
struct DeviceState<'a> {
    device: &'a str,
    old: ConnectionState,
    new: ConnectionState,
    reason: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ProcedureStep<'a> {
    run_id: &'a str,
    #[serde(flatten)]
    step: StepFields,
}

#[derive(Serialize)]
struct TopologyChanged<'a> {
    version: u64,
    added: &'a [String],
    removed: &'a [String],
    changed: &'a [String],
}
