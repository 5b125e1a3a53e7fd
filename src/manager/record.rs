//! What the manager keeps, one type per table of the store. Members are named as in the YANG, so that the northbound server serialises them as they are.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{
    ConfigurationStatus, ConnectionState, DeviceName, Equipment, Function, Kind, Location, ResourceId, Severity,
};

/// One change of what is kept: the new value of one row, whole. Applying a record twice is the same as once.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    Device(Box<DeviceState>),
    DeviceForgotten(DeviceName),
    Resource(Box<Resource>),
    ResourceForgotten(ResourceId),
    /// One network (layer), whole.
    Network(Network),
    /// The whole list.
    Inconsistencies(Vec<Inconsistency>),
    Alarm(Box<Alarm>),
    AlarmPurged(AlarmKey),
    Run(Run),
    Step(Step),
    /// Latest values.
    Performance(Vec<Information>),
    /// Finished intervals.
    Intervals(Vec<FinishedInterval>),
    Audit(Audit),
}

/// `devices/device/state`, and what the manager needs to go on after a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct DeviceState {
    pub name: DeviceName,
    pub kind: Kind,
    pub connection_state: ConnectionState,
    pub connection_error: Option<String>,
    pub since: Option<Timestamp>,
    pub last_heard: Option<Timestamp>,
    pub next_attempt: Option<Timestamp>,
    pub attempts: u32,
    pub session_id: Option<u32>,
    pub found_kind: Option<Kind>,
    pub found_id: Option<ResourceId>,
    /// Fingerprint, `SHA256:…`.
    pub host_key: Option<String>,
    pub simulated: Option<bool>,
    pub capability: Vec<String>,
    pub content_id: Option<String>,
    pub module: Vec<Module>,
    pub configuration_status: ConfigurationStatus,
    pub configuration_error: Option<String>,
    pub configuration_last_change: Option<Timestamp>,
    pub admin_state: Option<String>,
    pub service_state: Option<String>,
    pub oper_state: Option<String>,
    pub last_sequence_number: Option<u64>,
    pub equipment: Equipment,
    /// `eventTime` of the last notification taken: replay starts there.
    pub last_event_time: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Module {
    pub name: String,
    pub revision: String,
    /// The manager understands it.
    pub managed: bool,
}

/// `network/resource`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Resource {
    pub resource_id: ResourceId,
    pub description: Option<String>,
    /// Identity of qkdn-types.
    pub kind: String,
    pub parent: Option<ResourceId>,
    pub peer: Option<ResourceId>,
    pub admin_state: Option<String>,
    pub service_state: Option<String>,
    pub oper_state: Option<String>,
    pub last_change: Option<Timestamp>,
    pub device: Option<DeviceName>,
    pub layer: Option<String>,
    pub reference_point: Option<String>,
    pub presence: Presence,
    pub first_seen: Option<Timestamp>,
    pub last_seen: Option<Timestamp>,
    pub equipment: Equipment,
    pub location: Location,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    Planned,
    #[default]
    Found,
    Both,
    Gone,
}

/// A layer of the QKDN as a network of RFC 8345.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Network {
    /// A URI, such as `urn:qkdn:network:quantum`.
    pub network_id: String,
    /// As `layer` of qkdn-types; None of the whole, stitched QKDN.
    pub layer: Option<String>,
    /// Grows with each change of the topology.
    pub version: u64,
    pub supporting_network: Vec<String>,
    pub node: Vec<Node>,
    pub link: Vec<Link>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Node {
    pub node_id: String,
    /// (network, node)
    pub supporting_node: Vec<(String, String)>,
    pub termination_point: Vec<TerminationPoint>,
    pub resource_id: Option<ResourceId>,
    pub kind: Option<String>,
    pub device: Option<DeviceName>,
    pub oper_state: Option<String>,
    pub location: Location,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct TerminationPoint {
    pub tp_id: String,
    pub resource_id: Option<ResourceId>,
}

/// A link of RFC 8345 is unidirectional: that of a QKD link runs from transmitter to receiver, one of a KM link there is in each direction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Link {
    pub link_id: String,
    /// (node, termination point)
    pub source: (String, Option<String>),
    pub destination: (String, Option<String>),
    /// (network, link)
    pub supporting_link: Vec<(String, String)>,
    pub resource_id: Option<ResourceId>,
    pub oper_state: Option<String>,
    pub service_state: Option<String>,
    /// km
    pub length: Option<f64>,
    /// dB
    pub channel_loss: Option<f64>,
    /// Percent
    pub qber: Option<f64>,
    /// bit/s
    pub secret_key_rate: Option<f64>,
    pub residual_bits: Option<u64>,
    pub protection_group: Option<String>,
}

/// `network/inconsistency` (clause 10.3 step 7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Inconsistency {
    pub number: u32,
    /// As the model's enumeration: `dangling-link`, …
    pub kind: String,
    pub resource_id: Vec<ResourceId>,
    pub device: Vec<DeviceName>,
    pub text: String,
    pub found: Timestamp,
    pub alarm_id: Option<String>,
}

/// RFC 8632 section 3.2: what makes an alarm the same alarm.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AlarmKey {
    /// Here the resource-id, whoever reports the alarm.
    pub resource: ResourceId,
    /// `module:identity`
    pub alarm_type_id: String,
    pub alarm_type_qualifier: String,
}

/// An entry of the manager's `alarm-list`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Alarm {
    #[serde(flatten)]
    pub key: AlarmKey,
    /// `qkdn-alarms:alarm-id`: the manager's own, the same for as long as the alarm is in the list.
    pub alarm_id: String,
    pub time_created: Timestamp,
    pub is_cleared: bool,
    pub last_raised: Timestamp,
    pub last_changed: Timestamp,
    pub perceived_severity: Severity,
    pub alarm_text: String,
    /// Newest first; times are those of the resource. At most [`MAX_STATUS_CHANGES`].
    pub status_change: Vec<StatusChange>,
    /// Newest first.
    pub operator_state_change: Vec<OperatorStateChange>,
    pub alarm_class: Option<String>,
    pub value: Option<AlarmValue>,
    pub layer: Option<String>,
    pub reference_point: Option<String>,
    /// The device that reported it first; None for the manager's own.
    pub device: Option<DeviceName>,
    /// Each device that reports it, and the last it said: (severity, None where cleared; time).
    pub reporters: BTreeMap<DeviceName, (Option<Severity>, Timestamp)>,
    pub root_alarm_id: Option<String>,
    /// How often it was cleared and raised again.
    pub toggles: u32,
    pub run_id: Option<String>,
}

/// Status changes kept of one alarm: RFC 8632's default of `max-alarm-status-changes`. The oldest goes first.
pub const MAX_STATUS_CHANGES: usize = 32;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StatusChange {
    pub time: Timestamp,
    /// None: cleared.
    pub perceived_severity: Option<Severity>,
    pub alarm_text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OperatorStateChange {
    pub time: Timestamp,
    pub operator: String,
    /// `none`, `ack`, `closed`, `shelved`, `un-shelved`
    pub state: String,
    pub text: Option<String>,
}

/// `alarm-value` of qkdn-alarms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AlarmValue {
    pub performance_type: String,
    pub value: f64,
    pub unit: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub threshold_level: Option<Severity>,
}

/// `procedures/run`, without its steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Run {
    pub run_id: String,
    pub procedure: Procedure,
    pub trigger: Option<String>,
    pub alarm_id: Vec<String>,
    pub resource_id: Vec<ResourceId>,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    pub state: RunState,
    pub outcome: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Procedure {
    LinkFailure,
    RelayFailure,
    Accounting,
    Configuration,
    Performance,
    Security,
    Rerouting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    Running,
    Completed,
    NoAction,
    Failed,
}

/// `procedures/run/step`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Step {
    pub run_id: String,
    /// From 1, in the order in which things were done.
    pub sequence: u32,
    /// As the Recommendation numbers it.
    pub number: u8,
    pub time: Timestamp,
    pub actor: Function,
    /// A function or a device.
    pub peer: Option<String>,
    pub operation_id: Option<String>,
    pub text: String,
    /// JSON.
    pub data: Option<String>,
}

/// `network/performance/information`, without finished intervals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Information {
    #[serde(rename = "type")]
    pub kind: String,
    pub target: ResourceId,
    #[serde(default)]
    pub description: Option<String>,
    pub unit: String,
    #[serde(default)]
    pub current: Option<CurrentValue>,
    #[serde(rename = "current-15-minutes", default)]
    pub current_15_minutes: Option<Interval>,
    #[serde(rename = "current-24-hours", default)]
    pub current_24_hours: Option<Interval>,
    #[serde(default)]
    pub device: Option<DeviceName>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CurrentValue {
    #[serde(default)]
    pub value: Option<f64>,
    #[serde(default)]
    pub time: Option<Timestamp>,
    #[serde(default)]
    pub validity: Option<String>,
    #[serde(default)]
    pub threshold_level: Option<String>,
}

/// `interval` of qkdn-performance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Interval {
    pub start_time: Timestamp,
    /// Seconds measured.
    #[serde(default)]
    pub elapsed: Option<u32>,
    #[serde(default)]
    pub samples: Option<u32>,
    #[serde(default)]
    pub samples_invalid: Option<u32>,
    #[serde(default)]
    pub mean: Option<f64>,
    #[serde(default)]
    pub minimum: Option<f64>,
    #[serde(default)]
    pub maximum: Option<f64>,
    #[serde(default)]
    pub last: Option<f64>,
    #[serde(default)]
    pub total: Option<f64>,
    pub validity: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Granularity {
    #[serde(rename = "15-minutes")]
    QuarterHour,
    #[serde(rename = "24-hours")]
    Day,
}

/// A finished interval of one type and target; (target, type, granularity, start) is its key.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FinishedInterval {
    pub device: DeviceName,
    pub target: ResourceId,
    /// Identity of the performance type.
    pub kind: String,
    pub unit: String,
    pub granularity: Granularity,
    pub interval: Interval,
}

/// Who did what through the manager, and how it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Audit {
    pub time: Timestamp,
    pub user: String,
    pub session_id: u32,
    pub operation: String,
    pub device: Option<DeviceName>,
    /// `ok`, or the error-tag and message.
    pub result: String,
}
