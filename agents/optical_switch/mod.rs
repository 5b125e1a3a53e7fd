//! The optical switch, seen over reference point Mops (Y.3804 clause I.6, Table I.5).

pub mod catalogue;
pub mod model;
pub mod simulated;

pub use simulated::SimulatedSwitch;

use crate::driver::{Device, Kind, Nothing, Rules};

/// Optical switches; Mops has neither RPCs nor notifications of its own.
#[derive(Clone, Copy, Debug)]
pub struct OpticalSwitch;

impl Kind for OpticalSwitch {
    type Config = model::Config;
    type State = model::Operational;
    type Action = Nothing;
    type Outcome = Nothing;
    type Event = Nothing;

    const CONTROLLED: &'static [&'static str] = &["service-state", "cross-connect"];

    fn device(resource_id: &str) -> Device {
        Device {
            resource_id: resource_id.to_owned(),
            container: model::CONTAINER,
            kind: "qkdn-types:optical-switch",
            reference_point: "mops",
            layer: "quantum",
            quantities: catalogue::QUANTITIES,
            alarm_types: catalogue::ALARM_TYPES,
            failure: catalogue::alarm_type::SWITCH_FAULT,
            operations: &[],
            capabilities: catalogue::CAPABILITIES,
            simulated: false,
        }
    }

    fn rules(config: &model::Config) -> Rules {
        config.rules()
    }
}

#[cfg(test)]
mod tests;
