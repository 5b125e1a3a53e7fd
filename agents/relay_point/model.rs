//! The data of qkdn-mqrp as Rust values: configuration and state, member for member.

use serde::{Deserialize, Serialize};

use super::catalogue::{alarm_type, quantity};
use crate::alarm::Direction;
use crate::driver::Rules;
use crate::model::common::Resource;
use crate::model::threshold::ThresholdLevels;
use crate::model::types::{ChannelState, ChannelUse, Equipment, Location};
use crate::state::{AdminState, OperState, ServiceState, is_in_use};

/// The top-level container, `module:name`.
pub const CONTAINER: &str = "qkdn-mqrp:relay-point";

/// `relay-point-config`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Config {
    pub description: Option<String>,
    pub admin_state: AdminState,
    pub service_state: ServiceState,
    pub location: Location,
    /// Seconds.
    pub sampling_interval: u16,
    pub segment: Vec<Segment>,
    pub relay: Vec<Relay>,
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
            sampling_interval: 1,
            segment: Vec::new(),
            relay: Vec::new(),
            thresholds: Thresholds::default(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Segment {
    pub name: String,
    #[serde(default)]
    pub link_id: Option<String>,
    /// dB
    #[serde(default)]
    pub expected_attenuation: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Relay {
    pub name: String,
    pub first: String,
    pub second: String,
    #[serde(rename = "use", default)]
    pub usage: ChannelUse,
    #[serde(default = "yes")]
    pub enabled: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Thresholds {
    pub qber: ThresholdLevels,
    pub channel_loss: ThresholdLevels,
    pub module_temperature: ThresholdLevels,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds {
            qber: ThresholdLevels {
                warning: Some(5.0),
                major: Some(8.0),
                critical: Some(11.0),
                ..ThresholdLevels::without_levels(0.5)
            },
            channel_loss: ThresholdLevels::without_levels(0.5),
            module_temperature: ThresholdLevels { major: Some(65.0), ..ThresholdLevels::without_levels(2.0) },
        }
    }
}

impl Config {
    /// What of it concerns the agent.
    pub fn rules(&self) -> Rules {
        use Direction::Rising;
        let t = &self.thresholds;
        let thresholds = [
            t.qber.rule(Rising, quantity::QBER, alarm_type::QBER_THRESHOLD_EXCEEDED, ""),
            t.channel_loss.rule(Rising, quantity::CHANNEL_LOSS, alarm_type::QUANTUM_CHANNEL_LOSS_HIGH, ""),
            t.module_temperature.rule(Rising, quantity::MODULE_TEMPERATURE, alarm_type::MODULE_TEMPERATURE, ""),
        ];
        Rules::new(self.sampling_interval, thresholds)
    }

    /// The pairs that ought to be joined, those of primary use first.
    pub fn wanted(&self) -> Vec<&Relay> {
        let in_use = is_in_use(self.admin_state, self.service_state);
        let mut wanted: Vec<&Relay> = self.relay.iter().filter(|relay| in_use && relay.enabled).collect();
        wanted.sort_by_key(|relay| relay.usage);
        wanted
    }
}

/// The children of the container that are state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Operational {
    pub state: State,
    pub resource: Vec<Resource>,
}

/// `relay-point-state`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct State {
    pub relay_point_id: String,
    pub oper_state: OperState,
    pub boot_time: String,
    pub last_change: String,
    pub temperature: f64,
    pub equipment: Equipment,
    pub segment: Vec<SegmentState>,
    pub relay: Vec<RelayState>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SegmentState {
    pub name: String,
    pub resource_id: String,
    pub channel_state: ChannelState,
    pub channel_loss: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RelayState {
    pub name: String,
    pub oper_state: OperState,
    pub qber: Option<f64>,
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests;
