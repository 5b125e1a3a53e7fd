//! The quantum relay point, seen over reference point Mqrp, which Y.3804 names and leaves open: an extension after Table I.5.

pub mod catalogue;
pub mod model;
pub mod simulated;

pub use simulated::SimulatedRelayPoint;

use crate::driver::{Device, Kind, Nothing, Rules};

/// Quantum relay points; Mqrp has neither RPCs nor notifications of its own.
#[derive(Clone, Copy, Debug)]
pub struct RelayPoint;

impl Kind for RelayPoint {
    type Config = model::Config;
    type State = model::Operational;
    type Action = Nothing;
    type Outcome = Nothing;
    type Event = Nothing;

    const CONTROLLED: &'static [&'static str] = &["service-state", "relay"];

    fn device(resource_id: &str) -> Device {
        Device {
            resource_id: resource_id.to_owned(),
            container: model::CONTAINER,
            kind: "qkdn-types:quantum-relay-point",
            reference_point: "mqrp",
            layer: "quantum",
            quantities: catalogue::QUANTITIES,
            alarm_types: catalogue::ALARM_TYPES,
            failure: catalogue::alarm_type::RELAY_POINT_FAULT,
            operations: &[],
            capabilities: catalogue::CAPABILITIES,
            simulated: false,
        }
    }

    fn rules(config: &model::Config) -> Rules {
        config.rules()
    }
}
