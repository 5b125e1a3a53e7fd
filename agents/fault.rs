//! Faults of simulated devices, as qkdn-simulation injects them: its RPCs and values, shared by every kind of device.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::driver::{Answer, Call, Driver, DriverError};

/// The RPCs of qkdn-simulation.
pub const OPERATIONS: &[&str] =
    &["qkdn-simulation:inject-fault", "qkdn-simulation:clear-fault", "qkdn-simulation:list-faults"];

/// A call of one of them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub enum Action {
    #[serde(rename = "qkdn-simulation:inject-fault")]
    InjectFault(Box<Call<Fault>>),
    #[serde(rename = "qkdn-simulation:clear-fault")]
    ClearFault(Call<ClearInput>),
    #[serde(rename = "qkdn-simulation:list-faults")]
    ListFaults(Call<Option<ListInput>>),
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Outcome {
    #[serde(rename = "qkdn-simulation:inject-fault")]
    InjectFault(Answer<InjectOutput>),
    #[serde(rename = "qkdn-simulation:clear-fault")]
    ClearFault(Answer<ClearOutput>),
    #[serde(rename = "qkdn-simulation:list-faults")]
    ListFaults(Answer<ListOutput>),
}

impl Action {
    /// Has it done by a simulated device.
    pub async fn at(self, device: &impl Driver, user: &str, now: Timestamp) -> Result<Outcome, DriverError> {
        Ok(match self {
            Action::InjectFault(call) => {
                let fault_id = device.inject(call.input, user, now).await?;
                Outcome::InjectFault(Answer { output: InjectOutput { fault_id } })
            }
            Action::ClearFault(Call { input }) => {
                let cleared = device.clear(input.fault_id.as_deref(), user, now).await?;
                Outcome::ClearFault(Answer { output: ClearOutput { cleared } })
            }
            Action::ListFaults(_) => {
                let fault = device.faults(now).await?;
                Outcome::ListFaults(Answer { output: ListOutput { fault } })
            }
        })
    }
}

/// The grouping `fault`, with the kinds that some simulated device can have. Exactly one kind is set; none where the requestor named a kind
/// that no device has yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Fault {
    pub resource_id: Option<String>,
    pub qber: Option<QberChange>,
    pub loss: Option<Loss>,
    pub fibre_cut: Option<FibreCut>,
    pub eavesdropper: Option<Eavesdropper>,
    pub misalignment: Option<Misalignment>,
    pub detector_failure: Option<DetectorFailure>,
    pub dark_counts: Option<DarkCounts>,
    pub laser_fault: Option<LaserFault>,
    pub synchronization_loss: Option<Plain>,
    pub classical_channel_loss: Option<Ratio>,
    pub temperature: Option<Temperature>,
    pub module_failure: Option<Plain>,
    pub authentication_failure: Option<Plain>,
    pub random_number_failure: Option<Plain>,
    pub tamper: Option<Plain>,
    pub post_processing_failure: Option<Ratio>,
    pub km_crash: Option<Plain>,
    pub km_link_failure: Option<KmLinkFailure>,
    pub relay_failure: Option<Ratio>,
    pub store_mismatch: Option<StoreMismatch>,
    pub store_drain: Option<StoreDrain>,
    pub switch_stuck: Option<SwitchStuck>,
    pub port_failure: Option<PortFailure>,
    pub unexpected_cross_connect: Option<UnexpectedCrossConnect>,
    pub relay_point_failure: Option<Plain>,
    pub controller_crash: Option<Plain>,
    /// Seconds.
    pub duration: Option<u32>,
    pub description: Option<String>,
}

/// A fault without parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plain {}

/// Percent; exactly one of `target` and `offset`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct QberChange {
    pub target: Option<f64>,
    pub offset: Option<f64>,
    pub ramp_time: u32,
}

/// dB
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Loss {
    pub loss: f64,
    #[serde(default)]
    pub ramp_time: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct FibreCut {
    pub classical_channel: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Eavesdropper {
    pub fraction: f64,
}

/// Percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Misalignment {
    pub error: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DetectorFailure {
    pub detector: u8,
    /// Share that is left.
    pub efficiency: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DarkCounts {
    pub factor: f64,
}

/// dB
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct LaserFault {
    pub power_drop: f64,
    pub ramp_time: u32,
}

impl Default for LaserFault {
    fn default() -> Self {
        LaserFault { power_drop: 200.0, ramp_time: 0 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ratio {
    pub ratio: f64,
}

impl Default for Ratio {
    fn default() -> Self {
        Ratio { ratio: 1.0 }
    }
}

/// Degrees Celsius.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Temperature {
    pub offset: f64,
    #[serde(default)]
    pub ramp_time: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KmLinkFailure {
    /// The classical channel that fails; all where absent.
    pub channel: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StoreMismatch {
    pub peer_km_id: String,
    pub keys: u64,
}

/// bit/s
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StoreDrain {
    pub peer_km_id: String,
    pub rate: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SwitchStuck {
    /// All where absent.
    pub port: Option<String>,
}

/// dB
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortFailure {
    pub port: String,
    pub loss: f64,
}

impl Default for PortFailure {
    fn default() -> Self {
        PortFailure { port: String::new(), loss: 200.0 }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UnexpectedCrossConnect {
    pub input: String,
    pub output: String,
}

impl Fault {
    /// The name of its kind in the model; none where it is of a kind that no device has.
    pub fn kind(&self) -> Option<&'static str> {
        let kinds = [
            (self.qber.is_some(), "qber"),
            (self.loss.is_some(), "loss"),
            (self.fibre_cut.is_some(), "fibre-cut"),
            (self.eavesdropper.is_some(), "eavesdropper"),
            (self.misalignment.is_some(), "misalignment"),
            (self.detector_failure.is_some(), "detector-failure"),
            (self.dark_counts.is_some(), "dark-counts"),
            (self.laser_fault.is_some(), "laser-fault"),
            (self.synchronization_loss.is_some(), "synchronization-loss"),
            (self.classical_channel_loss.is_some(), "classical-channel-loss"),
            (self.temperature.is_some(), "temperature"),
            (self.module_failure.is_some(), "module-failure"),
            (self.authentication_failure.is_some(), "authentication-failure"),
            (self.random_number_failure.is_some(), "random-number-failure"),
            (self.tamper.is_some(), "tamper"),
            (self.post_processing_failure.is_some(), "post-processing-failure"),
            (self.km_crash.is_some(), "km-crash"),
            (self.km_link_failure.is_some(), "km-link-failure"),
            (self.relay_failure.is_some(), "relay-failure"),
            (self.store_mismatch.is_some(), "store-mismatch"),
            (self.store_drain.is_some(), "store-drain"),
            (self.switch_stuck.is_some(), "switch-stuck"),
            (self.port_failure.is_some(), "port-failure"),
            (self.unexpected_cross_connect.is_some(), "unexpected-cross-connect"),
            (self.relay_point_failure.is_some(), "relay-point-failure"),
            (self.controller_crash.is_some(), "controller-crash"),
        ];
        kinds.into_iter().find(|(is, _)| *is).map(|(_, name)| name)
    }
}

/// How much of a change that grows linearly over `ramp` seconds is there after `elapsed` seconds.
pub fn grown(ramp: u32, elapsed: f64) -> f64 {
    if ramp == 0 { 1.0 } else { (elapsed / f64::from(ramp)).clamp(0.0, 1.0) }
}

/// Exactly one is set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ClearInput {
    pub fault_id: Option<String>,
    pub all: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub struct ListInput {}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct InjectOutput {
    pub fault_id: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClearOutput {
    pub cleared: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListOutput {
    pub fault: Vec<FaultStatus>,
}

/// The grouping `fault-status`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FaultStatus {
    pub fault_id: String,
    pub injected: String,
    pub injected_by: String,
    #[serde(flatten)]
    pub fault: Fault,
}
