//! The seam between an agent and its device: a [`Driver`] reports facts and obeys, real or simulated; what is an alarm the agent decides.

use std::future::{Future, ready};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::alarm::{Severity, Threshold};
use crate::fault::{Fault, FaultStatus};
use crate::performance::Quantity;
use crate::state::ServiceState;

/// Facts on their way from a driver to its agent. Full: the fact is dropped and counted. Nothing is lost for good, because conditions and
/// readings are taken anew with every sample; an agent that is this far behind has 1024 facts to tell already.
pub const FACTS: usize = 1024;

/// A kind of device, as its YANG module defines it: what all drivers for it have in common.
pub trait Kind: Send + Sync + 'static {
    /// The configuration of the device: the children of its container that are `config true`, defaults filled in.
    type Config: DeserializeOwned + Clone + PartialEq + Send + Sync + 'static;
    /// The children of its container that are `config false`, without performance.
    type State: Serialize + Send + Sync;
    /// The RPCs of the kind, as an enum of `module:name` variants that hold a [`Call`]; [`Nothing`] where it has none.
    type Action: DeserializeOwned + Send;
    /// What they answer, as an enum of the same variants that hold an [`Answer`].
    type Outcome: Serialize + Send + Sync;
    /// Notifications that only this kind of device sends, as an enum of `module:name` variants.
    type Event: Serialize + Send + 'static;

    /// The nodes of the container that a controller may write (clauses 8.1 to 8.3).
    const CONTROLLED: &'static [&'static str];

    /// What a device of this kind is, its own RPCs included; a real one.
    fn device(resource_id: &str) -> Device;

    /// What of a configuration concerns the agent.
    fn rules(config: &Self::Config) -> Rules;
}

/// The configuration that a driver's device takes.
pub type ConfigOf<D> = <<D as Driver>::Kind as Kind>::Config;

/// The operational state that a driver tells.
pub type StateOf<D> = <<D as Driver>::Kind as Kind>::State;

/// The RPCs that a driver carries out.
pub type ActionOf<D> = <<D as Driver>::Kind as Kind>::Action;

/// What they answer.
pub type OutcomeOf<D> = <<D as Driver>::Kind as Kind>::Outcome;

/// The notifications that a driver's device sends.
pub type EventOf<D> = <<D as Driver>::Kind as Kind>::Event;

/// RPCs or notifications of a kind that has none of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub enum Nothing {}

/// One device. Every method but `start` and `check` may take its time, up to [`Driver::TIMEOUT`], and `act` and `inject` up to
/// [`Driver::ACT_TIMEOUT`]. `now` is the agent's clock: a simulated device lives by it, a real one need not.
pub trait Driver: Send + Sync + Sized + 'static {
    type Kind: Kind;

    /// Longest time a call may take; then the device counts as failed.
    const TIMEOUT: Duration = Duration::from_secs(10);

    /// Longest time an RPC may take: a link diagnostic measures for up to five minutes.
    const ACT_TIMEOUT: Duration = Duration::from_secs(310);

    fn device(&self) -> &Device;

    /// From now on facts go there. A device that is only looked at has none to tell.
    fn start(&self, facts: FactSender<EventOf<Self>>) {
        drop(facts);
    }

    /// What YANG cannot say about a configuration. Does not act.
    fn check(&self, old: &ConfigOf<Self>, new: &ConfigOf<Self>) -> Result<(), DriverError>;

    /// Puts a checked configuration into effect, whole or not at all.
    fn configure(&self, config: ConfigOf<Self>, now: Timestamp)
    -> impl Future<Output = Result<(), DriverError>> + Send;

    /// Everything the device measures, and all conditions that hold, now.
    fn sample(&self, now: Timestamp) -> impl Future<Output = Result<Sample, DriverError>> + Send;

    fn state(&self, now: Timestamp) -> impl Future<Output = Result<StateOf<Self>, DriverError>> + Send;

    /// Carries out an RPC of the kind that `user` asked for.
    fn act(
        &self,
        _action: ActionOf<Self>,
        _user: &str,
        _now: Timestamp,
    ) -> impl Future<Output = Result<OutcomeOf<Self>, DriverError>> + Send {
        ready(Err(DriverError::Unsupported("the device has no such operation".to_owned())))
    }

    /// A fault from now on (qkdn-simulation); its identifier. Asked of simulated devices only, as the two that follow.
    fn inject(
        &self,
        _fault: Fault,
        _user: &str,
        _now: Timestamp,
    ) -> impl Future<Output = Result<String, DriverError>> + Send {
        ready(Err(DriverError::Unsupported("the device has no faults on command".to_owned())))
    }

    /// Takes this injected fault away, or all; how many.
    fn clear(
        &self,
        _fault_id: Option<&str>,
        _user: &str,
        _now: Timestamp,
    ) -> impl Future<Output = Result<u32, DriverError>> + Send {
        ready(Ok(0))
    }

    /// The injected faults that hold.
    fn faults(&self, _now: Timestamp) -> impl Future<Output = Result<Vec<FaultStatus>, DriverError>> + Send {
        ready(Ok(Vec::new()))
    }
}

/// What kind of device it is, and all that it can measure and report.
#[derive(Clone, Debug)]
pub struct Device {
    /// Identifier of the managed resource that stands for the device itself.
    pub resource_id: String,
    /// Its top-level container, `module:name`.
    pub container: &'static str,
    /// Its kind, an identity of qkdn-types.
    pub kind: &'static str,
    /// As `reference-point` of qkdn-types names it.
    pub reference_point: &'static str,
    /// As `layer` of qkdn-types names it.
    pub layer: &'static str,
    pub quantities: &'static [Quantity],
    pub alarm_types: &'static [AlarmType],
    /// The one of them that tells that the device does not answer its agent.
    pub failure: &'static str,
    /// The RPCs that [`Driver::act`] carries out, `module:name`; a simulated device has those of qkdn-simulation besides.
    pub operations: &'static [&'static str],
    /// Management functions it has, such as `diagnostics`.
    pub capabilities: &'static [&'static str],
    /// A simulation stands behind the driver.
    pub simulated: bool,
}

/// An alarm type that a device can have (`alarm-inventory` of RFC 8632).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlarmType {
    /// Its identity, `module:name`.
    pub identity: &'static str,
    pub description: &'static str,
    /// As `alarm-class` of qkdn-alarms names it.
    pub class: &'static str,
    /// A clear follows by itself when it is over.
    pub will_clear: bool,
    /// Severities it can have; of a [`Condition`] it is the first.
    pub severities: &'static [Severity],
}

/// What of a device's configuration concerns its agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Time between two samples.
    pub sampling: Duration,
    pub thresholds: Vec<Rule>,
}

/// A threshold on a quantity, and the alarm that tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Identity of the quantity.
    pub quantity: &'static str,
    /// The alarm type; without one, crossings are announced and no alarm is raised.
    pub alarm_type: Option<&'static str>,
    /// The qualifier of the alarm; in general empty.
    pub qualifier: &'static str,
    pub threshold: Threshold,
}

/// What a device measures, and what holds, at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// A quantity that cannot be measured now is absent; one that was measured in vain is no number.
    pub readings: Vec<Reading>,
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The resource measured.
    pub target: String,
    /// Identity of the quantity, one of [`Device::quantities`].
    pub quantity: &'static str,
    pub value: f64,
}

/// A fact that is worth an alarm for as long as it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub resource: String,
    /// One of [`Device::alarm_types`].
    pub alarm_type: &'static str,
    /// For people; the same as long as the condition is.
    pub text: String,
}

/// What a device tells unasked.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact<E> {
    /// Conditions are not what they were: do not wait for the next sample.
    ConditionsChanged,
    StateChanged(StateChange),
    Log(LogFact),
    Event(E),
}

/// A state of a resource changed (`state-change` of qkdn-common).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    pub time: Timestamp,
    pub resource: String,
    /// Kind of the resource, an identity of qkdn-types.
    pub kind: &'static str,
    /// Which state: the name of the container in the notification, such as `oper-state`.
    pub state: &'static str,
    pub old: String,
    pub new: String,
    pub reason: String,
}

/// Something to put on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFact {
    pub time: Timestamp,
    pub resource: String,
    /// `log-class` of qkdn-common; `security` and `audit` are announced too.
    pub class: LogClass,
    /// Name of the event, in lower case with hyphens.
    pub event: &'static str,
    pub text: String,
    pub user: Option<String>,
}

/// Classes of logged events (`log-class` of qkdn-common).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogClass {
    Event,
    Alarm,
    Configuration,
    Audit,
    Security,
}

/// What [`Kind::Action`] holds for each RPC: its input; an `Option` where an input may be empty.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
pub struct Call<T> {
    pub input: T,
}

/// What [`Kind::Outcome`] holds for each RPC: its output.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer<T> {
    pub output: T,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DriverError {
    /// The device does not allow this value. `leaf` is relative to the device's container, or to the RPC's input.
    #[error("{reason}")]
    Refused { leaf: Option<String>, reason: String },
    /// The device cannot do this at all.
    #[error("{0}")]
    Unsupported(String),
    /// What the operation is about is not there.
    #[error("{0}")]
    Missing(String),
    /// The device could not be reached, or failed.
    #[error("{0}")]
    Failed(String),
}

impl Rules {
    /// A sample every so many seconds, and the thresholds that ask for something.
    pub fn new(sampling_interval: u16, thresholds: impl IntoIterator<Item = Option<Rule>>) -> Self {
        let sampling = Duration::from_secs(sampling_interval.into());
        Rules { sampling, thresholds: thresholds.into_iter().flatten().collect() }
    }
}

impl Device {
    pub fn quantity(&self, identity: &str) -> Option<&'static Quantity> {
        self.quantities.iter().find(|quantity| quantity.identity == identity)
    }

    pub fn alarm_type(&self, identity: &str) -> Option<&'static AlarmType> {
        self.alarm_types.iter().find(|alarm_type| alarm_type.identity == identity)
    }
}

impl DriverError {
    /// Refuses a change of the service state at `leaf` that is none of clause 8.2's.
    pub fn check_step(leaf: &str, old: ServiceState, new: ServiceState) -> Result<(), DriverError> {
        let reason = || format!("{old} does not become {new} in one step");
        if old.may_become(new) { Ok(()) } else { Err(DriverError::refused(leaf, reason())) }
    }

    pub fn refused(leaf: &str, reason: impl Into<String>) -> Self {
        DriverError::Refused { leaf: Some(leaf.to_owned()), reason: reason.into() }
    }
}

/// The driver's end of the way to its agent.
#[derive(Debug)]
pub struct FactSender<E>(mpsc::Sender<Fact<E>>);

impl<E> Clone for FactSender<E> {
    fn clone(&self) -> Self {
        FactSender(self.0.clone())
    }
}

/// The way of facts from a driver to its agent, [`FACTS`] long.
pub fn facts<E>() -> (FactSender<E>, mpsc::Receiver<Fact<E>>) {
    let (sender, receiver) = mpsc::channel(FACTS);
    (FactSender(sender), receiver)
}

impl<E> FactSender<E> {
    /// Never waits: a device does not stand still because its agent does.
    pub fn send(&self, fact: Fact<E>) {
        match self.0.try_send(fact) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::warn!(limit = FACTS, "a fact is dropped: the agent is behind");
            }
            // The agent ended, and with it the interest in facts.
            Err(mpsc::error::TrySendError::Closed(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests;
