//! The QKDN controller, seen over reference point Mc (Y.3804 clause I.3, Table I.2): it carries out control orchestration actions.
//!
//! An action is checked, made durable, answered, and then executed at the agents of the devices, whose NETCONF client the controller is.
//! What an action means is in [`action`] and [`route`], which do nothing; who is there, a directory tells ([`client`]).

pub mod action;
pub mod catalogue;
pub mod client;
mod driver;
mod execution;
mod fault;
pub mod model;
pub mod repository;
pub mod route;
pub mod view;

pub use driver::{Controller, ControllerError, ControllerSettings};

use crate::driver::{Device, Kind, Rules};

const KIND: &str = "qkdn-types:qkdn-controller";

/// QKDN controllers. None of its own nodes is a controller's to write: they are the manager's.
#[derive(Clone, Copy, Debug)]
pub struct QkdnController;

impl Kind for QkdnController {
    type Config = model::Config;
    type State = model::Operational;
    type Action = model::Action;
    type Outcome = model::Outcome;
    type Event = model::Event;

    const CONTROLLED: &'static [&'static str] = &[];

    fn device(resource_id: &str) -> Device {
        Device {
            resource_id: resource_id.to_owned(),
            container: model::CONTAINER,
            kind: KIND,
            reference_point: "mc",
            layer: "control",
            quantities: catalogue::QUANTITIES,
            alarm_types: catalogue::ALARM_TYPES,
            failure: catalogue::alarm_type::CONTROLLER_UNREACHABLE,
            operations: &["qkdn-mc:control-orchestration-action"],
            capabilities: catalogue::CAPABILITIES,
            simulated: false,
        }
    }

    fn rules(config: &model::Config) -> Rules {
        Rules::new(config.sampling_interval, [])
    }
}

#[cfg(test)]
mod tests;
