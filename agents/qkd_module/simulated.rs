//! A simulated QKD module at one end of a link of the simulated network. It has no keys, only amounts.

mod device;
mod judgement;
mod report;
mod tell;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;

use super::catalogue::{ALARM_TYPES, CAPABILITIES, QUANTITIES, alarm_type};
use super::fault::{ClearOutput, InjectOutput, ListOutput};
use super::model::{Action, CONTAINER, Config, Event, Operational, Outcome, Role};
use crate::driver::{Answer, Call, Device, Driver, DriverError, FactSender, Rules, Sample};
use crate::network::{Network, QkdLink};
use crate::physics::System;

pub(crate) use device::{SimulatedDevice, configured};

/// The RPCs of a simulated module.
const OPERATIONS: &[&str] = &[
    "qkdn-mq:run-link-diagnostic",
    "qkdn-simulation:inject-fault",
    "qkdn-simulation:clear-fault",
    "qkdn-simulation:list-faults",
];

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
        let about = Device {
            resource_id: module_id.to_owned(),
            container: CONTAINER,
            kind: "qkdn-types:qkd-module",
            reference_point: "mq",
            layer: "quantum",
            quantities: QUANTITIES,
            alarm_types: ALARM_TYPES,
            failure: alarm_type::MODULE_FAULT,
            operations: OPERATIONS,
            capabilities: CAPABILITIES,
            simulated: true,
        };
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

    async fn act(&self, action: Action, user: &str, now: Timestamp) -> Result<Outcome, DriverError> {
        match action {
            Action::RunLinkDiagnostic(Call { input }) => {
                self.read(now, |device| device.check_link(input.link_id.as_deref()))?;
                let wait = std::time::Duration::from_secs(input.duration.into());
                tokio::time::sleep(wait).await;
                let ended = now.saturating_add(wait).map_err(|e| DriverError::Failed(e.to_string()))?;
                let output = self.read(ended, |device| device.diagnose(&input.test, now));
                Ok(Outcome::RunLinkDiagnostic(Box::new(Answer { output })))
            }
            Action::InjectFault(call) => {
                let fault_id = self.change(now, |link, numbers| link.inject(self.end, call.input, user, numbers))?;
                Ok(Outcome::InjectFault(Answer { output: InjectOutput { fault_id } }))
            }
            Action::ClearFault(Call { input: which }) => {
                let cleared = self.change(now, |link, _| link.clear(self.end, which.fault_id.as_deref(), user))?;
                Ok(Outcome::ClearFault(Answer { output: ClearOutput { cleared } }))
            }
            Action::ListFaults(_) => Ok(Outcome::ListFaults(Answer {
                output: ListOutput { fault: self.network.with_link(self.link, now, |link| link.faults(self.end)) },
            })),
        }
    }
}
