//! The data of qkdn-mc as Rust values: configuration, state, control orchestration actions and notifications, member for member.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::repository::ControlAction;
use crate::driver::{Answer, Call};
use crate::model::common::Resource;
use crate::model::date_and_time;
use crate::model::types::{Equipment, Location};
use crate::state::{AdminState, OperState, ServiceState};

/// The top-level container, `module:name`.
pub const CONTAINER: &str = "qkdn-mc:controller";

/// `controller-config`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Config {
    pub description: Option<String>,
    pub admin_state: AdminState,
    pub service_state: ServiceState,
    pub location: Location,
    /// Seconds.
    pub sampling_interval: u16,
    pub policy: Vec<Policy>,
}

impl Default for Config {
    /// The defaults of the model.
    fn default() -> Self {
        Config {
            description: None,
            admin_state: AdminState::Enabled,
            service_state: ServiceState::InService,
            location: Location::default(),
            sampling_interval: 10,
            policy: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Policy {
    pub policy_id: String,
    pub kind: PolicyKind,
    pub version: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKind {
    QualityOfService,
    KeyManagement,
    Charging,
    Routing,
}

/// `control-action` as an RPC's input.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ActionInput {
    #[serde(default)]
    pub management_operation: OperationRequest,
    #[serde(default)]
    pub description: Option<String>,
    /// An identity derived from `control-action-type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// 7 is the most urgent.
    #[serde(default = "ordinary")]
    pub priority: u8,
    #[serde(default)]
    pub value: Value,
}

fn ordinary() -> u8 {
    3
}

/// Of Table I.1 what the controller heeds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct OperationRequest {
    pub operation_id: Option<String>,
    pub execute_at: Option<String>,
}

/// Table I.2 row 4; of the cases one at most is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Value {
    pub cause: Option<String>,
    pub alarm_id: Vec<String>,
    pub path: Option<PathValue>,
    pub service_state: Option<ServiceStateValue>,
    pub switch_port: Option<SwitchPortValue>,
    pub relay_point: Option<RelayPointValue>,
    pub backup_channel: Option<BackupChannelValue>,
    pub km_channel: Option<KmChannelValue>,
    pub policy: Option<PolicyValue>,
    pub quarantine: Option<QuarantineValue>,
    pub certificate: Option<CertificateValue>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct PathValue {
    pub route_id: Option<String>,
    pub hop: Vec<String>,
    pub avoid: Vec<String>,
    /// Percent.
    pub share: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceStateValue {
    pub resource_id: String,
    pub service_state: ServiceState,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SwitchPortValue {
    pub switch_id: String,
    pub cross_connect: String,
    pub input: String,
    pub output: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RelayPointValue {
    pub relay_point_id: String,
    pub relay: String,
    pub enabled: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BackupChannelValue {
    pub module_id: String,
    pub channel: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KmChannelValue {
    pub km_id: String,
    pub km_link: String,
    pub channel: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyValue {
    pub policy_id: String,
    pub version: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct QuarantineValue {
    pub link_id: String,
    pub since: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CertificateValue {
    pub component_id: String,
}

/// How far an action got (`control-action-progress`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionState {
    Accepted,
    InProgress,
    Done,
    Failed,
    Rejected,
}

impl ActionState {
    pub fn has_ended(self) -> bool {
        matches!(self, ActionState::Done | ActionState::Failed | ActionState::Rejected)
    }
}

/// What was changed at which device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Effect {
    pub number: u16,
    pub resource_id: String,
    pub reference_point: ReferencePoint,
    pub text: String,
    pub succeeded: bool,
}

/// Reference points of the controller and the devices (Y.3804 clause 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferencePoint {
    Cq,
    Cqrp,
    Cops,
    Ck,
}

/// The children of the container that are state.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Operational {
    pub state: State,
    pub resource: Vec<Resource>,
}

/// `controller-state`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct State {
    pub controller_id: String,
    pub oper_state: OperState,
    pub boot_time: String,
    pub function: Vec<&'static str>,
    pub equipment: Equipment,
    pub control_action: Vec<ActionEntry>,
    pub routing_table: Vec<RoutingTable>,
    pub route: Vec<RouteEntry>,
}

/// An action with its progress.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ActionEntry {
    pub action_id: String,
    pub description: Option<String>,
    #[serde(rename = "type")]
    pub kind: String,
    pub priority: u8,
    pub value: Value,
    #[serde(flatten)]
    pub progress: Progress,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Progress {
    pub state: ActionState,
    pub state_text: Option<String>,
    pub received: String,
    pub completed: Option<String>,
    pub requestor: String,
    pub effect: Vec<Effect>,
}

impl Progress {
    fn of(action: &ControlAction) -> Self {
        Progress {
            state: action.state,
            state_text: action.state_text.clone(),
            received: date_and_time(action.received),
            completed: action.completed.map(date_and_time),
            requestor: action.requestor.clone(),
            effect: action.effect.clone(),
        }
    }
}

impl From<&ControlAction> for ActionEntry {
    fn from(action: &ControlAction) -> Self {
        ActionEntry {
            action_id: action.id(),
            description: action.description.clone(),
            kind: action.kind.clone(),
            priority: action.priority,
            value: action.value.clone(),
            progress: Progress::of(action),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RoutingTable {
    pub node_address: String,
    pub km_id: String,
    pub node: Option<String>,
    pub next_hop: Vec<NextHop>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NextHop {
    pub destination_km_id: String,
    pub next_hop_km_id: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RouteEntry {
    pub route_id: String,
    pub source_km_id: String,
    pub destination_km_id: String,
    pub hop: Vec<String>,
    pub metric: Option<f64>,
    pub service_state: ServiceState,
    pub established: Option<String>,
    pub reroutes: u32,
    pub last_reroute_cause: Option<RerouteCause>,
}

/// Of the causes that the model has the one by which this controller reroutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RerouteCause {
    Command,
}

/// The RPCs that a controller answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub enum Action {
    #[serde(rename = "qkdn-mc:control-orchestration-action")]
    ControlOrchestrationAction(Box<Call<ActionInput>>),
}

/// What they answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Outcome {
    #[serde(rename = "qkdn-mc:control-orchestration-action")]
    ControlOrchestrationAction(Answer<ActionOutput>),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ActionOutput {
    pub management_operation: OperationAnswer,
    pub action_id: String,
    pub state: AnswerState,
}

/// What became of an action when it is answered; the model knows no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerState {
    Accepted,
    Done,
}

/// Of Table I.1 what the controller tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct OperationAnswer {
    pub operation_id: Option<String>,
    pub result: OperationResult,
    pub result_text: Option<String>,
}

/// `operation-result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationResult {
    Succeeded,
    Failed,
    Accepted,
    Rejected,
}

impl OperationAnswer {
    pub fn of(action: &ControlAction) -> Self {
        let result = match action.state {
            ActionState::Accepted | ActionState::InProgress => OperationResult::Accepted,
            ActionState::Done => OperationResult::Succeeded,
            ActionState::Failed => OperationResult::Failed,
            ActionState::Rejected => OperationResult::Rejected,
        };
        let said = matches!(result, OperationResult::Failed | OperationResult::Rejected);
        let result_text = action.state_text.clone().filter(|_| said);
        OperationAnswer { operation_id: action.operation_id.clone(), result, result_text }
    }
}

impl ActionOutput {
    /// To the first request for an action, and to each that repeats it.
    pub fn of(action: &ControlAction) -> Self {
        let state = if action.state == ActionState::Done { AnswerState::Done } else { AnswerState::Accepted };
        ActionOutput { management_operation: OperationAnswer::of(action), action_id: action.id(), state }
    }
}

/// The notifications that only a controller sends.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Event {
    #[serde(rename = "qkdn-mc:control-action-state")]
    ControlActionState(Box<ControlActionState>),
    #[serde(rename = "qkdn-mc:rerouted")]
    Rerouted(Box<Rerouted>),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ControlActionState {
    pub management_operation: OperationAnswer,
    pub action_id: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(flatten)]
    pub progress: Progress,
}

impl From<&ControlAction> for Event {
    fn from(action: &ControlAction) -> Self {
        Event::ControlActionState(Box::new(ControlActionState {
            management_operation: OperationAnswer::of(action),
            action_id: action.id(),
            kind: action.kind.clone(),
            progress: Progress::of(action),
        }))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rerouted {
    pub route_id: String,
    pub cause: RerouteCause,
    /// The resource that the new path avoids, where it is one.
    pub resource_id: Option<String>,
    pub old_hop: Vec<String>,
    pub new_hop: Vec<String>,
    /// ms
    pub duration: f64,
}

/// Time between two times, ms; none where the clock was set back.
pub fn milliseconds(from: Timestamp, to: Timestamp) -> f64 {
    (to.duration_since(from).as_secs_f64() * 1000.0).max(0.0)
}

#[cfg(test)]
mod tests;
