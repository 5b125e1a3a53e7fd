//! The QKD module, seen over reference point Mq (Y.3804 clause I.5, Table I.4).

pub mod catalogue;
pub mod diagnostic;
mod fault;
pub mod model;
pub mod simulated;

pub use simulated::{Parameters, SimulatedModule};

pub(crate) use simulated::{SimulatedDevice, configured};

use crate::driver::{Device, Kind, Nothing, Rules};

/// QKD modules; Mq has no notifications of its own.
#[derive(Clone, Copy, Debug)]
pub struct QkdModule;

impl Kind for QkdModule {
    type Config = model::Config;
    type State = model::Operational;
    type Action = model::Action;
    type Outcome = model::Outcome;
    type Event = Nothing;

    const CONTROLLED: &'static [&'static str] = &["service-state", "active-channel"];

    fn device(resource_id: &str) -> Device {
        Device {
            resource_id: resource_id.to_owned(),
            container: model::CONTAINER,
            kind: "qkdn-types:qkd-module",
            reference_point: "mq",
            layer: "quantum",
            quantities: catalogue::QUANTITIES,
            alarm_types: catalogue::ALARM_TYPES,
            failure: catalogue::alarm_type::MODULE_FAULT,
            operations: &["qkdn-mq:run-link-diagnostic"],
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
