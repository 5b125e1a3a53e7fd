//! How alarms, notifications and the answers to diagnostics stand in a device's YANG data (RFC 8632, qkdn-alarms, qkdn-common).

use jiff::Timestamp;
use netconf::yang::Tree;
use netconf::yang::serde::{SerdeError, from_path, from_tree};
use serde::Deserialize;

use super::{ActionProgress, DeviceEvent, Diagnosis, EventContent, ReportedAlarm};
use crate::model::{ResourceId, Severity};
use crate::record::{AlarmKey, AlarmValue};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Alarms {
    pub(super) alarm: Vec<ListedAlarm>,
}

/// An entry of `alarm-list`, or an `alarm-notification`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ListedAlarm {
    resource: String,
    alarm_type_id: String,
    #[serde(default)]
    alarm_type_qualifier: String,
    #[serde(default)]
    time: Option<Timestamp>,
    #[serde(default)]
    is_cleared: Option<bool>,
    #[serde(default)]
    last_raised: Option<Timestamp>,
    #[serde(default)]
    last_changed: Option<Timestamp>,
    perceived_severity: String,
    alarm_text: String,
    #[serde(default)]
    status_change: Vec<ListedChange>,
    #[serde(rename = "qkdn-alarms:alarm-id", default)]
    alarm_id: Option<String>,
    #[serde(rename = "qkdn-alarms:alarm-source-id", default)]
    source_id: Option<String>,
    #[serde(rename = "qkdn-alarms:alarm-class", default)]
    class: Option<String>,
    #[serde(rename = "qkdn-alarms:alarm-value", default)]
    value: Option<AlarmValue>,
    #[serde(rename = "qkdn-alarms:layer", default)]
    layer: Option<String>,
    #[serde(rename = "qkdn-alarms:reference-point", default)]
    reference_point: Option<String>,
    #[serde(rename = "qkdn-alarms:management-operation", default)]
    operation: Option<Operation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ListedChange {
    time: Timestamp,
    perceived_severity: String,
    alarm_text: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Operation {
    operation_id: Option<String>,
    event_notify: EventNotify,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct EventNotify {
    sequence_number: Option<u64>,
}

/// None: `cleared`, or a severity that RFC 8632 does not have.
fn severity(text: &str) -> Option<Severity> {
    Some(match text {
        "indeterminate" => Severity::Indeterminate,
        "warning" => Severity::Warning,
        "minor" => Severity::Minor,
        "major" => Severity::Major,
        "critical" => Severity::Critical,
        _ => return None,
    })
}

impl ListedAlarm {
    /// None where there is no time at all, which the model does not allow.
    pub(super) fn reported(self) -> Option<ReportedAlarm> {
        let time = self.last_changed.or(self.time).or(self.last_raised)?;
        let resource = self.source_id.unwrap_or_else(|| resource_of(&self.resource).to_owned());
        let told = severity(&self.perceived_severity);
        let history: Vec<_> =
            self.status_change.into_iter().map(|c| (c.time, severity(&c.perceived_severity), c.alarm_text)).collect();
        let last = history.iter().find_map(|(_, severity, _)| *severity);
        let now = if self.is_cleared == Some(true) { None } else { told };
        let history = if history.is_empty() { vec![(time, now, self.alarm_text.clone())] } else { history };
        Some(ReportedAlarm {
            key: AlarmKey {
                resource,
                alarm_type_id: self.alarm_type_id,
                alarm_type_qualifier: self.alarm_type_qualifier,
            },
            alarm_id: self.alarm_id,
            time,
            raised: self.last_raised.unwrap_or(time),
            severity: now,
            perceived_severity: told.or(last).unwrap_or(Severity::Indeterminate),
            text: self.alarm_text,
            class: self.class,
            value: self.value,
            layer: self.layer,
            reference_point: self.reference_point,
            history,
        })
    }
}

/// The resource-id in an instance-identifier of a `resource` list, or the text itself.
pub(super) fn resource_of(resource: &str) -> &str {
    let inside = resource.split_once("resource-id=").map(|(_, rest)| rest.trim_end_matches(']'));
    let quoted = inside.and_then(|inside| {
        let quote = inside.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        inside.strip_prefix(quote)?.strip_suffix(quote)
    });
    quoted.unwrap_or(resource)
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Notified {
    #[serde(rename = "ietf-alarms:alarm-notification", default)]
    alarm: Option<ListedAlarm>,
    #[serde(rename = "qkdn-common:state-change", default)]
    state_change: Option<StateChange>,
    #[serde(rename = "qkdn-mc:control-action-state", default)]
    control_action: Option<ControlActionState>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct StateChange {
    management_operation: Operation,
    resource_id: ResourceId,
    admin_state: Option<New>,
    service_state: Option<New>,
    oper_state: Option<New>,
    channel_state: Option<New>,
    alignment_state: Option<New>,
    synchronization_state: Option<New>,
}

#[derive(Deserialize)]
struct New {
    new: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct ControlActionState {
    management_operation: Operation,
    action_id: String,
    state: String,
    state_text: Option<String>,
}

/// `management-operation` of a notification that is of no interest otherwise.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct AnyNotification {
    management_operation: Operation,
}

impl DeviceEvent {
    /// Reads a notification, of the device schema; `time` is its `eventTime`.
    pub fn read(time: Timestamp, notification: &Tree) -> Result<DeviceEvent, SerdeError> {
        let notified: Notified = from_tree(notification)?;
        let event = |operation: Operation, content| DeviceEvent {
            time,
            sequence_number: operation.event_notify.sequence_number,
            content,
        };
        if let Some(mut alarm) = notified.alarm {
            let operation = alarm.operation.take().unwrap_or_default();
            if let Some(alarm) = alarm.reported() {
                return Ok(event(operation, EventContent::Alarm(Box::new(alarm))));
            }
            return Ok(event(operation, EventContent::Other("ietf-alarms:alarm-notification".to_owned())));
        }
        if let Some(change) = notified.state_change {
            let StateChange { resource_id, admin_state, service_state, oper_state, .. } = change;
            let states = [
                ("admin-state", admin_state),
                ("service-state", service_state),
                ("oper-state", oper_state),
                ("channel-state", change.channel_state),
                ("alignment-state", change.alignment_state),
                ("synchronization-state", change.synchronization_state),
            ];
            let changed = states.into_iter().find_map(|(name, state)| state.map(|state| (name, state.new)));
            let content = match changed {
                Some((state, new)) => EventContent::StateChange { resource_id, state: state.to_owned(), new },
                None => EventContent::Other("qkdn-common:state-change".to_owned()),
            };
            return Ok(event(change.management_operation, content));
        }
        if let Some(ControlActionState { management_operation, action_id, state, state_text }) = notified.control_action
        {
            let operation_id = management_operation.operation_id.clone();
            let progress = ActionProgress { action_id, operation_id, state, text: state_text };
            return Ok(event(management_operation, EventContent::ControlAction(Box::new(progress))));
        }
        let schema = notification.schema();
        let Some(child) = notification.root().iter().next() else {
            return Ok(event(Operation::default(), EventContent::Other(String::new())));
        };
        let path = schema.path(child.node);
        let other = from_path::<AnyNotification>(notification, &path)?.unwrap_or_default();
        Ok(event(other.management_operation, EventContent::Other(path.trim_start_matches('/').to_owned())))
    }
}

#[derive(Deserialize)]
struct Diagnosed {
    #[serde(rename = "qkdn-mq:run-link-diagnostic", default)]
    link: Option<Output>,
    #[serde(rename = "qkdn-mk:run-relay-diagnostic", default)]
    relay: Option<Output>,
}

#[derive(Deserialize)]
struct Output {
    output: Diagnosis,
}

impl Diagnosis {
    /// Reads the reply to a diagnostic: the RPC's node with its output, of the device schema. Any other is an error.
    pub fn read(reply: &Tree) -> Result<Diagnosis, SerdeError> {
        let diagnosed: Diagnosed = from_tree(reply)?;
        let output = diagnosed.link.or(diagnosed.relay).map(|output| output.output);
        output.ok_or_else(|| SerdeError { reason: "it is no diagnostic's reply".to_owned(), ..SerdeError::default() })
    }
}
