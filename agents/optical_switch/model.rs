//! The data of qkdn-mops as Rust values: configuration and state, member for member.

use serde::{Deserialize, Serialize};

use super::catalogue::{alarm_type, quantity};
use crate::alarm::Direction;
use crate::driver::Rules;
use crate::model::common::Resource;
use crate::model::threshold::ThresholdLevels;
use crate::model::types::{Equipment, Location};
use crate::state::{AdminState, OperState, ServiceState, is_in_use};

/// The top-level container, `module:name`.
pub const CONTAINER: &str = "qkdn-mops:optical-switch";

/// `optical-switch-config`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Config {
    pub description: Option<String>,
    pub admin_state: AdminState,
    pub service_state: ServiceState,
    pub location: Location,
    /// Seconds.
    pub sampling_interval: u16,
    pub port: Vec<Port>,
    pub cross_connect: Vec<CrossConnect>,
    pub thresholds: Thresholds,
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
            port: Vec::new(),
            cross_connect: Vec::new(),
            thresholds: Thresholds::default(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Port {
    pub name: String,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub admin_state: AdminState,
    #[serde(default)]
    pub link_id: Option<String>,
    #[serde(default)]
    pub connected_to: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CrossConnect {
    pub name: String,
    pub input: String,
    pub output: String,
    #[serde(default)]
    pub link_id: Option<String>,
    #[serde(default)]
    pub service_state: ServiceState,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Thresholds {
    pub port_insertion_loss: ThresholdLevels,
    pub optical_power_in: ThresholdLevels,
    pub switching_time: ThresholdLevels,
    pub classical_channel_latency: ThresholdLevels,
    pub module_temperature: ThresholdLevels,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds {
            port_insertion_loss: ThresholdLevels {
                warning: Some(2.0),
                major: Some(4.0),
                ..ThresholdLevels::without_levels(0.5)
            },
            optical_power_in: ThresholdLevels::without_levels(0.5),
            switching_time: ThresholdLevels { consecutive_samples: 1, ..ThresholdLevels::without_levels(0.0) },
            classical_channel_latency: ThresholdLevels::without_levels(0.0),
            module_temperature: ThresholdLevels { major: Some(65.0), ..ThresholdLevels::without_levels(2.0) },
        }
    }
}

impl Config {
    /// What of it concerns the agent.
    pub fn rules(&self) -> Rules {
        use Direction::{Falling, Rising};
        let t = &self.thresholds;
        let thresholds = [
            t.port_insertion_loss.rule(Rising, quantity::PORT_INSERTION_LOSS, alarm_type::INSERTION_LOSS_HIGH, ""),
            t.optical_power_in.rule(Falling, quantity::OPTICAL_POWER_IN, alarm_type::OPTICAL_POWER_LOW, ""),
            t.switching_time.rule(Rising, quantity::SWITCHING_TIME, alarm_type::SWITCH_FAULT, "switching-time"),
            t.classical_channel_latency.rule(
                Rising,
                quantity::CLASSICAL_CHANNEL_LATENCY,
                alarm_type::CLASSICAL_CHANNEL_FAILURE,
                "latency",
            ),
            t.module_temperature.rule(Rising, quantity::MODULE_TEMPERATURE, alarm_type::MODULE_TEMPERATURE, ""),
        ];
        Rules::new(self.sampling_interval, thresholds)
    }

    /// The connections that ought to be made: in service, in a device that is in use, between enabled ports.
    pub fn wanted(&self) -> impl Iterator<Item = &CrossConnect> {
        let disabled =
            |name: &str| self.port.iter().any(|port| port.name == name && port.admin_state == AdminState::Disabled);
        let in_use = is_in_use(self.admin_state, self.service_state);
        let in_service = self.cross_connect.iter().filter(|connect| connect.service_state == ServiceState::InService);
        in_service.filter(move |connect| in_use && !disabled(&connect.input) && !disabled(&connect.output))
    }
}

/// The children of the container that are state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Operational {
    pub state: State,
    pub resource: Vec<Resource>,
}

/// `optical-switch-state`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct State {
    pub switch_id: String,
    pub kind: SwitchKind,
    pub oper_state: OperState,
    pub boot_time: String,
    pub last_change: String,
    pub temperature: f64,
    pub switching_operations: u64,
    pub equipment: Equipment,
    pub port: Vec<PortState>,
    pub cross_connect: Vec<CrossConnectState>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SwitchKind {
    Switch,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PortState {
    pub name: String,
    pub resource_id: String,
    pub oper_state: OperState,
    pub optical_power: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CrossConnectState {
    pub name: String,
    pub resource_id: String,
    pub input: String,
    pub output: String,
    pub configured: bool,
    pub oper_state: OperState,
    pub insertion_loss: Option<f64>,
    pub switched: Option<String>,
    pub switching_time: Option<f64>,
}

#[cfg(test)]
mod tests;
