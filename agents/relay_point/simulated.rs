//! A simulated quantum relay point on the simulated network: through the pairs of segments that it joins, light passes.

mod device;
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
pub struct SimulatedRelayPoint {
    about: Device,
    running: Arc<Running<SimulatedDevice>>,
}

impl SimulatedRelayPoint {
    /// The relay point of this identifier, joined as the network has it, switched on at `now`; none where the network has no such one.
    pub fn new(network: Arc<Network>, relay_point_id: &str, now: Timestamp) -> Option<Self> {
        let about = Device {
            resource_id: relay_point_id.to_owned(),
            container: CONTAINER,
            kind: "qkdn-types:quantum-relay-point",
            reference_point: "mqrp",
            layer: "quantum",
            quantities: QUANTITIES,
            alarm_types: ALARM_TYPES,
            failure: alarm_type::RELAY_POINT_FAULT,
            operations: OPERATIONS,
            capabilities: CAPABILITIES,
            simulated: true,
        };
        let device = SimulatedDevice::new(network, relay_point_id, now)?;
        Some(SimulatedRelayPoint { about, running: Running::new(device) })
    }
}

impl Driver for SimulatedRelayPoint {
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

    async fn configure(&self, config: Config, now: Timestamp) -> Result<(), DriverError> {
        self.running.with(now, |device| device.configure(config));
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
