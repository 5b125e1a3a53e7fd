//! A simulated QKD module and its link: physics, drift and noise from a seed, and faults to inject. It has no keys, only amounts.

mod device;
mod judgement;
mod report;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, OnceLock};

use jiff::Timestamp;

use super::catalogue::{ALARM_TYPES, CAPABILITIES, QUANTITIES, alarm_type};
use super::fault::{ClearOutput, InjectOutput, ListOutput};
use super::model::{Action, CONTAINER, Config, Event, Operational, Outcome, Role};
use crate::driver::{Answer, Call, Device, Driver, DriverError, Fact, FactSender, Rules, Sample};
use crate::physics::System;

pub use device::SimulatedDevice;

/// The RPCs of a simulated module.
const OPERATIONS: &[&str] = &[
    "qkdn-mq:run-link-diagnostic",
    "qkdn-simulation:inject-fault",
    "qkdn-simulation:clear-fault",
    "qkdn-simulation:list-faults",
];

/// What a simulated module is, for good.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    pub module_id: String,
    /// The link, until the configuration names one.
    pub link_id: String,
    pub role: Role,
    pub system: System,
    /// Of drift and noise: the same seed, the same module.
    pub seed: u64,
    pub length_km: f64,
    /// Loss besides that of the fibre, such as connectors and switches, dB.
    pub extra_loss_db: f64,
}

/// The [`Driver`] of a [`SimulatedDevice`].
#[derive(Debug)]
pub struct SimulatedModule {
    about: Device,
    device: Mutex<SimulatedDevice>,
    facts: OnceLock<FactSender<Event>>,
}

impl SimulatedModule {
    /// A module that is switched on at `now`.
    pub fn new(parameters: Parameters, now: Timestamp) -> Self {
        let about = Device {
            resource_id: parameters.module_id.clone(),
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
        SimulatedModule { about, device: Mutex::new(SimulatedDevice::new(parameters, now)), facts: OnceLock::new() }
    }

    fn device(&self) -> MutexGuard<'_, SimulatedDevice> {
        self.device.lock().expect("nothing panics while it holds the device")
    }

    /// Does something to the device at `now`, and passes on what it has to tell then.
    fn with<T>(&self, now: Timestamp, act: impl FnOnce(&mut SimulatedDevice) -> T) -> T {
        let (result, facts) = {
            let mut device = self.device();
            device.advance(now);
            let result = act(&mut device);
            device.settle();
            (result, device.take_facts())
        };
        if let Some(sender) = self.facts.get() {
            facts.into_iter().for_each(|fact| sender.send(fact));
        }
        result
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
        if self.facts.set(facts).is_err() {
            tracing::warn!("a simulated module was started twice; its facts go where they went");
        }
    }

    fn check(&self, old: &Config, new: &Config) -> Result<(), DriverError> {
        self.device().check(old, new)
    }

    async fn configure(&self, config: Config, now: Timestamp) -> Result<(), DriverError> {
        self.with(now, |device| device.configure(config));
        Ok(())
    }

    async fn sample(&self, now: Timestamp) -> Result<Sample, DriverError> {
        Ok(self.with(now, |device| device.sample()))
    }

    async fn state(&self, now: Timestamp) -> Result<Operational, DriverError> {
        Ok(self.with(now, |device| device.operational()))
    }

    async fn act(&self, action: Action, user: &str, now: Timestamp) -> Result<Outcome, DriverError> {
        match action {
            Action::RunLinkDiagnostic(Call { input }) => {
                self.with(now, |device| device.check_link(input.link_id.as_deref()))?;
                let wait = std::time::Duration::from_secs(input.duration.into());
                tokio::time::sleep(wait).await;
                let ended = now.saturating_add(wait).map_err(|e| DriverError::Failed(e.to_string()))?;
                let output = self.with(ended, |device| device.diagnose(&input.test, now));
                Ok(Outcome::RunLinkDiagnostic(Box::new(Answer { output })))
            }
            Action::InjectFault(call) => {
                let fault_id = self.with(now, |device| device.inject(call.input, user))?;
                Ok(Outcome::InjectFault(Answer { output: InjectOutput { fault_id } }))
            }
            Action::ClearFault(Call { input: which }) => {
                let cleared = self.with(now, |device| device.clear(which.fault_id.as_deref(), user))?;
                Ok(Outcome::ClearFault(Answer { output: ClearOutput { cleared } }))
            }
            Action::ListFaults(_) => Ok(Outcome::ListFaults(Answer {
                output: ListOutput { fault: self.with(now, |device| device.faults()) },
            })),
        }
    }
}

impl SimulatedDevice {
    fn take_facts(&mut self) -> Vec<Fact<Event>> {
        std::mem::take(self.facts_mut())
    }
}
