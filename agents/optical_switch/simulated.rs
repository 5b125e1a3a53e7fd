//! A simulated optical switch on the simulated network: what it connects, light passes.

mod device;
mod report;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;

use super::OpticalSwitch;
use super::model::{Config, Operational};
use crate::chassis::{Element, Simulated};
use crate::driver::{DriverError, Sample};
use crate::network::Network;

pub use device::SimulatedDevice;

/// The driver of a [`SimulatedDevice`].
pub type SimulatedSwitch = Simulated<SimulatedDevice>;

impl Element for SimulatedDevice {
    type Kind = OpticalSwitch;

    fn find(network: Arc<Network>, resource_id: &str, now: Timestamp) -> Option<Self> {
        SimulatedDevice::new(network, resource_id, now)
    }

    fn check(&self, old: &Config, new: &Config) -> Result<(), DriverError> {
        self.check(old, new)
    }

    fn configure(&mut self, config: Config) {
        self.configure(config);
    }

    fn sample(&self) -> Sample {
        self.sample()
    }

    fn operational(&self) -> Operational {
        self.operational()
    }
}
