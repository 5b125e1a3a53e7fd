//! qkdn-common: Table I.1 on notifications, the event log, reference points, changes of state.

use std::num::NonZeroU32;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::date_and_time;
use crate::driver::{Call, Device, LogClass, StateChange};
use crate::event_log::{Entry, Page};
use crate::state::{AdminState, OperState, ServiceState};

/// `managed-resource` of qkdn-common (Table I.4 rows 1 and 2).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Resource {
    pub resource_id: String,
    pub description: String,
    pub kind: &'static str,
    pub parent: Option<String>,
    pub peer: Option<String>,
    pub admin_state: Option<AdminState>,
    pub service_state: Option<ServiceState>,
    pub oper_state: OperState,
    pub last_change: Option<String>,
}

/// `management-operation`, as far as a notification fills it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ManagementOperation {
    pub event_notify: EventNotify,
}

/// Table I.1 row 9.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EventNotify {
    pub sequence_number: u64,
    pub event_time: String,
    pub action_required: bool,
    pub layer: &'static str,
    pub reference_point: &'static str,
}

impl ManagementOperation {
    /// Of a notification that `device`'s agent sends.
    pub fn event(device: &Device, sequence_number: u64, time: Timestamp, action_required: bool) -> Self {
        let (layer, reference_point) = (device.layer, device.reference_point);
        let event_time = date_and_time(time);
        ManagementOperation {
            event_notify: EventNotify { sequence_number, event_time, action_required, layer, reference_point },
        }
    }
}

/// The notification `state-change`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StateChangeNotification {
    pub management_operation: ManagementOperation,
    pub resource_id: String,
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_state: Option<OldNew>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_state: Option<OldNew>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oper_state: Option<OldNew>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment_state: Option<OldNew>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synchronization_state: Option<OldNew>,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OldNew {
    pub old: String,
    pub new: String,
}

impl StateChangeNotification {
    pub fn new(change: StateChange, management_operation: ManagementOperation) -> Self {
        let StateChange { resource, kind, state, old, new, reason, .. } = change;
        let only = |name: &str| (name == state).then(|| OldNew { old: old.clone(), new: new.clone() });
        StateChangeNotification {
            management_operation,
            resource_id: resource,
            kind,
            admin_state: only("admin-state"),
            service_state: only("service-state"),
            oper_state: only("oper-state"),
            alignment_state: only("alignment-state"),
            synchronization_state: only("synchronization-state"),
            reason,
        }
    }
}

/// `log-entry`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LogEntry {
    pub sequence_number: u64,
    pub time: String,
    pub class: LogClass,
    pub resource_id: Option<String>,
    pub user: Option<String>,
    pub session_identifier: Option<String>,
    pub event: String,
    pub text: String,
}

impl From<&Entry> for LogEntry {
    fn from(entry: &Entry) -> Self {
        LogEntry {
            sequence_number: entry.number,
            time: date_and_time(entry.time),
            class: entry.class,
            resource_id: entry.resource.clone(),
            user: entry.user.clone(),
            session_identifier: entry.session.clone(),
            event: entry.event.clone(),
            text: entry.text.clone(),
        }
    }
}

/// The notification `log-event`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LogEvent {
    #[serde(flatten)]
    pub entry: LogEntry,
    pub management_operation: ManagementOperation,
}

/// Where [`OverloadControl`] stands.
pub const OVERLOAD_CONTROL: &str = "/qkdn-common:session-control/overload-control";

/// `overload-control` (clause I.1.1).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct OverloadControl {
    pub maximum_request_rate: Option<NonZeroU32>,
}

/// The RPC `get-event-log`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct GetEventLog {
    #[serde(rename = "qkdn-common:get-event-log")]
    pub call: Call<EventLogInput>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct EventLogInput {
    pub after_sequence_number: Option<u64>,
    pub since: Option<String>,
    pub class: Vec<LogClass>,
    pub maximum: u16,
}

impl Default for EventLogInput {
    fn default() -> Self {
        EventLogInput { after_sequence_number: None, since: None, class: Vec::new(), maximum: 1000 }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EventLogOutput {
    pub entry: Vec<LogEntry>,
    pub last_sequence_number: u64,
    pub oldest_sequence_number: Option<u64>,
}

impl From<Page> for EventLogOutput {
    fn from(page: Page) -> Self {
        EventLogOutput {
            entry: page.entries.iter().map(LogEntry::from).collect(),
            last_sequence_number: page.last,
            oldest_sequence_number: page.oldest,
        }
    }
}

/// The container `reference-points` of an agent: the one that it stands at.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReferencePoints {
    pub reference_point: Vec<ReferencePoint>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReferencePoint {
    pub name: &'static str,
    pub layer: &'static str,
    pub agent_kind: &'static str,
    pub oper_state: OperState,
    pub domain_scope: &'static str,
    pub simulated: bool,
    pub capability: Vec<&'static str>,
    pub last_sequence_number: u64,
}

impl ReferencePoints {
    pub fn of(device: &Device, answers: bool, last_sequence_number: u64) -> Self {
        let point = ReferencePoint {
            name: device.reference_point,
            layer: device.layer,
            agent_kind: device.kind,
            oper_state: if answers { OperState::Operational } else { OperState::Failed },
            domain_scope: "intra-domain",
            simulated: device.simulated,
            capability: device.capabilities.to_vec(),
            last_sequence_number,
        };
        ReferencePoints { reference_point: vec![point] }
    }
}
