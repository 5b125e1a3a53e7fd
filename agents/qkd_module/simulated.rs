//! A simulated QKD module at one end of a link of the simulated network. It has no keys, only amounts.

mod device;
mod judgement;
mod report;
mod tell;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;

use super::QkdModule;
use super::model::{Action, Config, Operational, Outcome, Role};
use crate::driver::{Answer, Call, Device, Driver, DriverError, FactSender, Kind, Nothing, Sample};
use crate::fault::{Fault, FaultStatus};
use crate::network::{Network, QkdLink};
use crate::physics::System;

pub(crate) use device::{SimulatedDevice, configured};

/// What a simulated module with a link of its own is, for good.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    pub module_id: String,
    /// Of the link, until the configuration names one.
    pub link_id: String,
    pub role: Role,
    pub system: System,
    /// Of drift and noise: the same seed, the same module.
    pub seed: u64,
    pub length_km: f64,
    /// Loss besides that of the fibre, such as connectors and switches, dB.
    pub extra_loss_db: f64,
}

/// The [`Driver`] of a QKD module of the simulated network.
#[derive(Debug)]
pub struct SimulatedModule {
    about: Device,
    network: Arc<Network>,
    /// The place of its link in the network, and of the module at the link.
    link: usize,
    end: usize,
}

impl SimulatedModule {
    /// A module that is switched on at `now`, with a link and a peer that nobody else has to do with.
    pub fn new(parameters: Parameters, now: Timestamp) -> Self {
        let network = Network::of_module(&parameters, now);
        SimulatedModule::of(network, &parameters.module_id).expect("the network was made for it")
    }

    /// The module of this resource identifier; none where no link of the network has it.
    pub fn of(network: Arc<Network>, module_id: &str) -> Option<Self> {
        let (link, end) = network.place_of_module(module_id)?;
        let about = Device { simulated: true, ..QkdModule::device(module_id) };
        Some(SimulatedModule { about, network, link, end })
    }

    /// Reads the device as it is at `now`.
    fn read<T>(&self, now: Timestamp, read: impl FnOnce(&SimulatedDevice) -> T) -> T {
        self.network.with_link(self.link, now, |link| read(link.device(self.end)))
    }

    /// Does something to the link that concerns others too.
    fn change<T>(&self, now: Timestamp, change: impl FnOnce(&mut QkdLink, &mut u64) -> T) -> T {
        self.network.change_link(self.link, now, change)
    }
}

impl Driver for SimulatedModule {
    type Kind = QkdModule;

    fn device(&self) -> &Device {
        &self.about
    }

    fn start(&self, facts: FactSender<Nothing>) {
        self.network.at_link(self.link, |link| link.device_mut(self.end).start(facts));
    }

    fn check(&self, old: &Config, new: &Config) -> Result<(), DriverError> {
        self.network.at_link(self.link, |link| link.device(self.end).check(old, new))
    }

    async fn configure(&self, config: Config, now: Timestamp) -> Result<(), DriverError> {
        self.change(now, |link, _| link.configure(self.end, config));
        Ok(())
    }

    async fn sample(&self, now: Timestamp) -> Result<Sample, DriverError> {
        Ok(self.read(now, SimulatedDevice::sample))
    }

    async fn state(&self, now: Timestamp) -> Result<Operational, DriverError> {
        Ok(self.read(now, SimulatedDevice::operational))
    }

    async fn act(&self, action: Action, _user: &str, now: Timestamp) -> Result<Outcome, DriverError> {
        match action {
            Action::RunLinkDiagnostic(Call { input }) => {
                self.read(now, |device| device.check_link(input.link_id.as_deref()))?;
                let wait = std::time::Duration::from_secs(input.duration.into());
                tokio::time::sleep(wait).await;
                let ended = now.saturating_add(wait).map_err(|e| DriverError::Failed(e.to_string()))?;
                let output = self.read(ended, |device| device.diagnose(&input.test, now));
                Ok(Outcome::RunLinkDiagnostic(Box::new(Answer { output })))
            }
        }
    }

    async fn inject(&self, fault: Fault, user: &str, now: Timestamp) -> Result<String, DriverError> {
        self.change(now, |link, numbers| link.inject(self.end, fault, user, numbers))
    }

    async fn clear(&self, fault_id: Option<&str>, user: &str, now: Timestamp) -> Result<u32, DriverError> {
        self.change(now, |link, _| link.clear(self.end, fault_id, user))
    }

    async fn faults(&self, now: Timestamp) -> Result<Vec<FaultStatus>, DriverError> {
        Ok(self.network.with_link(self.link, now, |link| link.faults(self.end)))
    }
}
