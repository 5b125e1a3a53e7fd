//! What devices tell, read from their YANG data: reports (10.3 steps 1 and 4), notifications, diagnoses.

#[cfg(test)]
mod tests;
mod told;

use jiff::Timestamp;
use netconf::yang::Tree;
use netconf::yang::serde::{SerdeError, from_path};
use serde::{Deserialize, Serialize};

use told::{Alarms, ListedAlarm};

use crate::model::{Equipment, Kind, Location, ResourceId, Severity};
use crate::record::{AlarmKey, AlarmValue, Information, Module, Resource};

/// What a device is and holds, as its own server tells it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The kind that it turned out to be.
    pub kind: Kind,
    /// The managed resource that stands for the device.
    pub id: Option<ResourceId>,
    pub simulated: bool,
    pub content_id: Option<String>,
    pub modules: Vec<Module>,
    pub admin_state: Option<String>,
    pub service_state: Option<String>,
    pub oper_state: Option<String>,
    pub equipment: Equipment,
    pub location: Location,
    pub resources: Vec<Resource>,
    pub alarms: Vec<ReportedAlarm>,
    pub performance: Vec<Information>,
    pub facts: Facts,
}

/// What of a device's configuration and state the functions correlate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Facts {
    #[default]
    Unknown,
    QkdModule(Box<ModuleFacts>),
    KeyManager(Box<KeyManagerFacts>),
    OpticalSwitch(Box<SwitchFacts>),
    RelayPoint(Box<RelayPointFacts>),
    Controller(Box<ControllerFacts>),
}

/// Of a QKD module (Mq).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ModuleFacts {
    pub role: Option<String>,
    pub protocol: Option<String>,
    pub link: ModuleLink,
    pub quantum_channel: Vec<QuantumChannel>,
    pub active_channel: Option<String>,
    pub source: Source,
    pub state: ModuleState,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ModuleLink {
    pub link_id: Option<ResourceId>,
    pub peer_module_id: Option<ResourceId>,
    /// km
    pub length: Option<f64>,
    /// dB
    pub expected_attenuation: Option<f64>,
    /// Absent from what was recorded before there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protection_group: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct QuantumChannel {
    pub name: String,
    /// `primary` or `backup`
    #[serde(rename = "use")]
    pub usage: Option<String>,
    pub wavelength: Option<f64>,
    pub enabled: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Source {
    /// MHz
    pub clock_rate: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ModuleState {
    pub module_id: Option<ResourceId>,
    pub role: Option<String>,
    pub protocol: Option<String>,
    pub active_channel: Option<String>,
    /// Percent
    pub qber: Option<f64>,
    /// bit/s
    pub secret_key_rate: Option<f64>,
    /// dB
    pub channel_loss: Option<f64>,
}

/// Of a key manager (Mk).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct KeyManagerFacts {
    pub source_module: Vec<ResourceId>,
    pub relay_enabled: Option<bool>,
    pub km_link: Vec<KmLink>,
    pub state: KeyManagerState,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct KmLink {
    pub name: String,
    pub link_id: ResourceId,
    pub peer_km_id: ResourceId,
    pub qkd_link_id: Vec<ResourceId>,
    pub service_state: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct KeyManagerState {
    pub km_id: Option<ResourceId>,
    pub key_store: Vec<KeyStore>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct KeyStore {
    pub peer_km_id: ResourceId,
    pub purpose: String,
    pub resource_id: Option<ResourceId>,
    pub residual_bits: Option<u64>,
    pub generation_rate: Option<f64>,
    pub consumption_rate: Option<f64>,
}

/// Of an optical switch or splitter (Mops).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct SwitchFacts {
    pub port: Vec<Port>,
    pub cross_connect: Vec<CrossConnect>,
    pub state: SwitchState,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Port {
    pub name: String,
    pub admin_state: Option<String>,
    pub link_id: Option<ResourceId>,
    pub connected_to: Option<ResourceId>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct CrossConnect {
    pub name: String,
    pub input: String,
    pub output: String,
    pub link_id: Option<ResourceId>,
    pub service_state: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct SwitchState {
    pub switch_id: Option<ResourceId>,
}

/// Of a quantum relay point (Mqrp).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct RelayPointFacts {
    pub segment: Vec<Segment>,
    pub relay: Vec<Relay>,
    pub state: RelayPointState,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Segment {
    pub name: String,
    pub link_id: Option<ResourceId>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Relay {
    pub name: String,
    pub first: String,
    pub second: String,
    #[serde(rename = "use")]
    pub usage: Option<String>,
    pub enabled: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct RelayPointState {
    pub relay_point_id: Option<ResourceId>,
}

/// Of a controller (Mc).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ControllerFacts {
    pub state: ControllerState,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ControllerState {
    pub controller_id: Option<ResourceId>,
    pub control_action: Vec<ActionProgress>,
}

/// How far a controller got with a control orchestration action.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ActionProgress {
    pub action_id: String,
    /// Of the request; only a notification tells it.
    pub operation_id: Option<String>,
    /// `accepted`, `in-progress`, `done`, `failed`, `rejected`
    pub state: String,
    #[serde(rename = "state-text")]
    pub text: Option<String>,
}

impl ActionProgress {
    pub fn has_ended(&self) -> bool {
        ["done", "failed", "rejected"].contains(&self.state.as_str())
    }
}

/// An alarm's newest status, as a device tells it in its list or in a notification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReportedAlarm {
    pub key: AlarmKey,
    /// The device's own `alarm-id`.
    pub alarm_id: Option<String>,
    /// When the status became this, by the device's clock.
    pub time: Timestamp,
    /// When it was last raised.
    pub raised: Timestamp,
    /// None: cleared.
    pub severity: Option<Severity>,
    /// The severity that it has, or had before it was cleared.
    pub perceived_severity: Severity,
    pub text: String,
    pub class: Option<String>,
    pub value: Option<AlarmValue>,
    pub layer: Option<String>,
    pub reference_point: Option<String>,
    /// All statuses that the device still has, newest first; of a notification only that one.
    pub history: Vec<(Timestamp, Option<Severity>, String)>,
}

/// A notification of a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceEvent {
    pub time: Timestamp,
    pub sequence_number: Option<u64>,
    pub content: EventContent,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum EventContent {
    Alarm(Box<ReportedAlarm>),
    /// A state of a resource changed: which (`oper-state`, …), and what it is now.
    StateChange {
        resource_id: ResourceId,
        state: String,
        new: String,
    },
    /// A control action at the controller went on.
    ControlAction(Box<ActionProgress>),
    /// Any other, `module:name`.
    Other(String),
}

/// What a diagnostic found (10.1.1 step 3, 10.1.2 step 3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Diagnosis {
    /// Identity: `qkdn-mq:fibre-cut`, `qkdn-mk:km-fault`, …
    pub probable_cause: String,
    /// Percent
    pub confidence: f64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub link_state: Option<String>,
    /// Of a KM: whether key relay is affected.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub relay_affected: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub measured: Option<Measured>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Measured {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qber: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_qber: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_attenuation: Option<f64>,
}

impl Report {
    /// Reads all that a device of our modules reported; `data` is of the device schema. Of a device that has none of our containers the
    /// kind stays unknown.
    pub fn read(data: &Tree) -> Result<Report, SerdeError> {
        let kinds = [Kind::QkdModule, Kind::RelayPoint, Kind::OpticalSwitch, Kind::KeyManager, Kind::Controller];
        let mut report = Report::default();
        for kind in kinds {
            let container = format!("/{}", kind.container().expect("these have one"));
            let Some(common) = from_path::<Common>(data, &container)? else { continue };
            report.facts = match kind {
                Kind::QkdModule => read_facts(data, &container, Facts::QkdModule)?,
                Kind::RelayPoint => read_facts(data, &container, Facts::RelayPoint)?,
                Kind::OpticalSwitch => read_facts(data, &container, Facts::OpticalSwitch)?,
                Kind::KeyManager => read_facts(data, &container, Facts::KeyManager)?,
                Kind::Controller => read_facts(data, &container, Facts::Controller)?,
                Kind::Unknown => Facts::Unknown,
            };
            report.kind = kind;
            report.id = report.facts.device_id();
            report.admin_state = common.admin_state;
            report.service_state = common.service_state;
            report.oper_state = common.state.oper_state;
            report.equipment = common.state.equipment;
            report.location = common.location;
            report.resources = common.resource;
            report.performance = common.performance.information;
            break;
        }
        if let Some(alarms) = from_path::<Alarms>(data, "/ietf-alarms:alarms/alarm-list")? {
            report.alarms = alarms.alarm.into_iter().filter_map(ListedAlarm::reported).collect();
        }
        Ok(report)
    }
}

fn read_facts<T: for<'de> Deserialize<'de>>(
    data: &Tree,
    container: &str,
    wrap: fn(Box<T>) -> Facts,
) -> Result<Facts, SerdeError> {
    Ok(from_path::<T>(data, container)?.map_or(Facts::Unknown, |facts| wrap(Box::new(facts))))
}

impl Facts {
    /// The same without what is measured, which changes by itself: two that differ in this differ in what is configured or built.
    pub fn unmeasured(&self) -> Facts {
        let mut facts = self.clone();
        match &mut facts {
            Facts::QkdModule(module) => {
                let ModuleState { qber, secret_key_rate, channel_loss, .. } = &mut module.state;
                (*qber, *secret_key_rate, *channel_loss) = (None, None, None);
            }
            Facts::KeyManager(km) => {
                for store in &mut km.state.key_store {
                    (store.residual_bits, store.generation_rate, store.consumption_rate) = (None, None, None);
                }
            }
            Facts::Controller(controller) => controller.state.control_action.clear(),
            _ => {}
        }
        facts
    }

    fn device_id(&self) -> Option<ResourceId> {
        match self {
            Facts::Unknown => None,
            Facts::QkdModule(facts) => facts.state.module_id.clone(),
            Facts::KeyManager(facts) => facts.state.km_id.clone(),
            Facts::OpticalSwitch(facts) => facts.state.switch_id.clone(),
            Facts::RelayPoint(facts) => facts.state.relay_point_id.clone(),
            Facts::Controller(facts) => facts.state.controller_id.clone(),
        }
    }
}

impl ModuleFacts {
    /// `transmitter` or `receiver`, as it is in fact.
    pub fn role(&self) -> Option<&str> {
        self.state.role.as_deref().or(self.role.as_deref())
    }

    /// A channel to switch to: enabled, and not the one in use.
    pub fn backup_channel(&self) -> Option<&QuantumChannel> {
        let active = self.state.active_channel.as_deref().or(self.active_channel.as_deref());
        let usable =
            |channel: &&QuantumChannel| channel.enabled != Some(false) && channel.usage.as_deref() == Some("backup");
        self.quantum_channel.iter().filter(usable).find(|channel| Some(channel.name.as_str()) != active)
    }
}

/// What the containers of all kinds have.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Common {
    admin_state: Option<String>,
    service_state: Option<String>,
    location: Location,
    state: CommonState,
    resource: Vec<Resource>,
    performance: CommonPerformance,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct CommonState {
    oper_state: Option<String>,
    equipment: Equipment,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CommonPerformance {
    information: Vec<Information>,
}
