//! The seam between an agent and its device: a [`Driver`] reports facts and obeys, real or simulated; what is an alarm the agent decides.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::alarm::{Severity, Threshold};
use crate::performance::Quantity;

/// Facts on their way from a driver to its agent. Full: the fact is dropped and counted. Nothing is lost for good, because conditions and
/// readings are taken anew with every sample; an agent that is this far behind has 1024 facts to tell already.
pub const FACTS: usize = 1024;

/// One device. Every method but `start` and `check` may take its time, up to [`Driver::TIMEOUT`], and `act` up to
/// [`Driver::ACT_TIMEOUT`]. `now` is the agent's
/// clock: a simulated device lives by it, a real one need not.
pub trait Driver: Send + Sync + Sized + 'static {
    /// The configuration of the device: the children of its container that are `config true`, defaults filled in.
    type Config: DeserializeOwned + Clone + PartialEq + Send + Sync + 'static;
    /// The children of its container that are `config false`, without performance.
    type State: Serialize + Send + Sync;
    /// The RPCs of the device, as an enum of `module:name` variants that hold a [`Call`].
    type Action: DeserializeOwned + Send;
    /// What they answer, as an enum of the same variants that hold an [`Answer`].
    type Outcome: Serialize + Send + Sync;
    /// Notifications that only this kind of device sends, as an enum of `module:name` variants.
    type Event: Serialize + Send + 'static;

    /// Longest time a call may take; then the device counts as failed.
    const TIMEOUT: Duration = Duration::from_secs(10);

    /// Longest time an RPC may take: a link diagnostic measures for up to five minutes.
    const ACT_TIMEOUT: Duration = Duration::from_secs(310);

    fn device(&self) -> &Device;

    /// What of a configuration concerns the agent.
    fn rules(&self, config: &Self::Config) -> Rules;

    /// From now on facts go there.
    fn start(&self, facts: FactSender<Self::Event>);

    /// What YANG cannot say about a configuration. Does not act.
    fn check(&self, old: &Self::Config, new: &Self::Config) -> Result<(), DriverError>;

    /// Puts a checked configuration into effect, whole or not at all.
    fn configure(&self, config: Self::Config, now: Timestamp) -> impl Future<Output = Result<(), DriverError>> + Send;

    /// Everything the device measures, and all conditions that hold, now.
    fn sample(&self, now: Timestamp) -> impl Future<Output = Result<Sample, DriverError>> + Send;

    fn state(&self, now: Timestamp) -> impl Future<Output = Result<Self::State, DriverError>> + Send;

    /// Carries out an RPC that `user` asked for.
    fn act(
        &self,
        action: Self::Action,
        user: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<Self::Outcome, DriverError>> + Send;
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
    /// The RPCs that [`Driver::act`] carries out, `module:name`.
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

/// What [`Driver::Action`] holds for each RPC: its input; an `Option` where an input may be empty.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
pub struct Call<T> {
    pub input: T,
}

/// What [`Driver::Outcome`] holds for each RPC: its output.
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
