//! A simulated optical switch on the simulated network: what it connects, light passes.

mod device;
mod report;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;

use super::catalogue::{ALARM_TYPES, CAPABILITIES, QUANTITIES, alarm_type};
use super::model::{CONTAINER, Config, Operational};
use crate::chassis::{Action, Event, OPERATIONS, Outcome, Running};
use crate::driver::{Device, Driver, DriverError, FactSender, Rules, Sample};
use crate::network::Network;

pub use device::SimulatedDevice;

/// The [`Driver`] of a [`SimulatedDevice`].
#[derive(Debug)]
pub struct SimulatedSwitch {
    about: Device,
    running: Arc<Running<SimulatedDevice>>,
}

impl SimulatedSwitch {
    /// The switch of this identifier, connected as the network has it, switched on at `now`; none where the network has no such switch.
    pub fn new(network: Arc<Network>, switch_id: &str, now: Timestamp) -> Option<Self> {
        let about = Device {
            resource_id: switch_id.to_owned(),
            container: CONTAINER,
            kind: "qkdn-types:optical-switch",
            reference_point: "mops",
            layer: "quantum",
            quantities: QUANTITIES,
            alarm_types: ALARM_TYPES,
            failure: alarm_type::SWITCH_FAULT,
            operations: OPERATIONS,
            capabilities: CAPABILITIES,
            simulated: true,
        };
        let device = SimulatedDevice::new(network, switch_id, now)?;
        Some(SimulatedSwitch { about, running: Running::new(device) })
    }
}

impl Driver for SimulatedSwitch {
    type Config = Config;
    type State = Operational;
    type Action = Action;
    type Outcome = Outcome;
    type Event = Event;

    fn device(&self) -> &Device {
        &self.about
    }

    fn rules(&self, config: &Config) -> Rules {
        config.rules()
    }

    fn start(&self, facts: FactSender<Event>) {
        self.running.start(facts);
    }

    fn check(&self, old: &Config, new: &Config) -> Result<(), DriverError> {
        self.running.machine().check(old, new)
    }

    /// Returns when the switch has moved: that is what its switching time is.
    async fn configure(&self, config: Config, now: Timestamp) -> Result<(), DriverError> {
        self.running.with(now, |device| device.configure(config));
        self.running.come_to_rest(now).await;
        Ok(())
    }

    async fn sample(&self, now: Timestamp) -> Result<Sample, DriverError> {
        Ok(self.running.with(now, |device| device.sample()))
    }

    async fn state(&self, now: Timestamp) -> Result<Operational, DriverError> {
        Ok(self.running.with(now, |device| device.operational()))
    }

    async fn act(&self, action: Action, user: &str, now: Timestamp) -> Result<Outcome, DriverError> {
        self.running.act(action, user, now).await
    }
}
