//! What the brain is told and what it decides: the whole of its contact with the world.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::facts::{DeviceEvent, Diagnosis, Report};
use crate::model::{ConfigurationStatus, DeviceName, Plan, ResourceId, Severity};
use crate::record::{Alarm, AlarmKey, DeviceState, Inconsistency, Information, Network, Record, Resource, Run, Step};

/// What happened.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// The managed devices as configured, all of them; at the start and after each change.
    Devices(#[serde(serialize_with = "names")] Vec<Plan>),
    /// A try to connect begins, or is waited for until `next_attempt`.
    Connecting { device: DeviceName, attempts: u32, next_attempt: Option<Timestamp>, error: Option<String> },
    /// There is a session; the device is being read.
    Connected { device: DeviceName, session: SessionFacts },
    /// The device was read, after a connection or because [`Effect::Synchronize`] asked for it.
    Synchronized { device: DeviceName, report: Box<Report> },
    /// It could be connected, but not be read or understood.
    NotSynchronized { device: DeviceName, error: String },
    /// A session ended.
    Lost { device: DeviceName, error: String },
    /// The device or the manager refuses: host key, login, modules. Not tried again without a change.
    Refused { device: DeviceName, error: String },
    /// A notification of a device, live or replayed; one that is known already does no harm.
    Event { device: DeviceName, event: Box<DeviceEvent> },
    /// The session dropped notifications; a synchronisation and a replay follow.
    Gap { device: DeviceName, lost: u64 },
    /// The answer to [`Effect::Diagnose`].
    Diagnosed { run: String, device: DeviceName, result: Result<Box<Diagnosis>, String> },
    /// The answer to [`Effect::Control`]: the controller's action-id.
    Controlled { run: String, device: DeviceName, result: Result<String, String> },
    /// Performance information read by the collector.
    Collected { device: DeviceName, information: Vec<Information> },
    /// How a device's configuration compares with what is wanted.
    Configuration { device: DeviceName, status: ConfigurationStatus, error: Option<String> },
    /// Somebody asks; [`Effect::Answer`] with the same number answers.
    Request { number: u64, request: Request },
    /// At least once a second.
    Tick,
}

/// Plans hold credentials, which are written nowhere.
fn names<S: serde::Serializer>(plans: &[Plan], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(plans.iter().map(|plan| &plan.name))
}

/// What a new session tells before anything is read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SessionFacts {
    pub session_id: u32,
    pub host_key: Option<String>,
    pub capabilities: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// `run-configuration-procedure`: only these devices, all where there are none.
    RunConfigurationProcedure { devices: Vec<DeviceName> },
    /// `set-operator-state` of RFC 8632.
    SetOperatorState { alarm: AlarmKey, state: String, text: Option<String>, operator: String },
    /// `purge-alarms`
    PurgeAlarms(PurgeFilter),
    /// `compress-alarms`: (resource, alarm-type-id, qualifier), each optional.
    CompressAlarms { resource: Option<String>, alarm_type_id: Option<String>, alarm_type_qualifier: Option<String> },
    /// `get-root-cause`
    RootCause { alarm_id: String },
}

/// Input of `purge-alarms`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PurgeFilter {
    /// `any`, `cleared`, `not-cleared`
    pub clearance: String,
    /// Older than so many seconds.
    pub older_than_seconds: Option<u64>,
    /// (`below`, `is` or `above`, severity)
    pub severity: Option<(String, Severity)>,
    /// (operator state, user)
    pub operator_state: Option<(String, Option<String>)>,
}

/// What is to be done. Records come first: they are durable before anything else of the same answer happens.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    Store(Record),
    Notify(Box<Notification>),
    /// Read a device anew: [`Input::Synchronized`] or [`Input::NotSynchronized`] follows.
    Synchronize {
        device: DeviceName,
    },
    /// `run-link-diagnostic` (10.1.1 step 3) at a QKD module, or `run-relay-diagnostic` at a KM: [`Input::Diagnosed`] follows.
    Diagnose {
        run: String,
        device: DeviceName,
        link_id: Option<ResourceId>,
        seconds: u16,
    },
    /// `control-orchestration-action` at a controller (10.1.1 step 8): [`Input::Controlled`] follows. Sent again with the same
    /// operation-id after a restart, it is still one action.
    Control {
        run: String,
        device: DeviceName,
        action: Box<ControlAction>,
    },
    Answer {
        number: u64,
        answer: Result<Answer, Refusal>,
    },
}

/// Input of `control-orchestration-action` (Table I.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ControlAction {
    pub operation_id: String,
    pub description: String,
    /// Identity of qkdn-types, such as `qkdn-types:path-modification`.
    #[serde(rename = "type")]
    pub kind: String,
    /// 0 to 7, the most urgent 7; as `priority` of qkdn-common has it.
    pub priority: u8,
    /// The members of `value`, as RFC 7951 JSON.
    pub value: serde_json::Value,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    ConfigurationProcedure { run_id: String, inconsistencies: u32 },
    Done,
    Count(u32),
    RootCause(RootCause),
}

/// Output of `get-root-cause`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RootCause {
    pub root_alarm_id: Option<String>,
    pub root_resource_id: Option<ResourceId>,
    /// Percent
    pub confidence: Option<f64>,
    pub text: Option<String>,
    /// (alarm, its parent)
    pub related: Vec<(String, Option<String>)>,
}

/// Why a request is not fulfilled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// data-missing
    #[error("{0}")]
    Missing(String),
    /// operation-failed
    #[error("{0}")]
    Failed(String),
}

/// What the manager tells its subscribers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notification {
    /// `ietf-alarms:alarm-notification`: the newest status of an alarm.
    Alarm(Alarm),
    /// `ietf-alarms:operator-action`
    OperatorAction(Alarm),
    DeviceState {
        device: DeviceName,
        old: crate::model::ConnectionState,
        new: crate::model::ConnectionState,
        reason: Option<String>,
    },
    ProcedureStep(Step),
    ProcedureEnded(Run),
    TopologyChanged {
        version: u64,
        added: Vec<ResourceId>,
        removed: Vec<ResourceId>,
        changed: Vec<ResourceId>,
    },
}

/// What the store holds when the manager starts.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    pub devices: Vec<DeviceState>,
    pub resources: Vec<Resource>,
    pub networks: Vec<Network>,
    pub inconsistencies: Vec<Inconsistency>,
    pub alarms: Vec<Alarm>,
    /// Those that had not ended, with their steps.
    pub runs: Vec<(Run, Vec<Step>)>,
    /// The highest alarm-id and run-id ever given.
    pub last_alarm: u64,
    pub last_run: u64,
}
