//! The key manager (KM), seen over reference point Mk (Y.3804 clause I.4, Table I.3).

pub mod catalogue;
pub mod diagnostic;
pub mod events;
pub mod layer;
pub mod metering;
pub mod model;
pub mod simulated;

pub use simulated::SimulatedKeyManager;

use crate::driver::{Device, Kind, Nothing, Rules};

/// Key managers; Mk has no notifications of its own.
#[derive(Clone, Copy, Debug)]
pub struct KeyManager;

impl Kind for KeyManager {
    type Config = model::Config;
    type State = model::Operational;
    type Action = model::Action;
    type Outcome = model::Outcome;
    type Event = Nothing;

    const CONTROLLED: &'static [&'static str] =
        &["service-state", "km-link/service-state", "km-link/active-channel", "relay-route", "key-policy"];

    fn device(resource_id: &str) -> Device {
        Device {
            resource_id: resource_id.to_owned(),
            container: model::CONTAINER,
            kind: "qkdn-types:key-manager",
            reference_point: "mk",
            layer: "key-management",
            quantities: catalogue::QUANTITIES,
            alarm_types: catalogue::ALARM_TYPES,
            failure: catalogue::alarm_type::KM_FAILURE,
            operations: &["qkdn-mk:run-relay-diagnostic", "qkdn-mk:get-metering-records", "qkdn-mk:get-key-events"],
            capabilities: catalogue::CAPABILITIES,
            simulated: false,
        }
    }

    fn rules(config: &model::Config) -> Rules {
        config.rules()
    }
}
