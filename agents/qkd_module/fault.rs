//! Faults of a simulated QKD module, as qkdn-simulation injects them.

use serde::{Deserialize, Serialize};

use crate::driver::DriverError;

/// The grouping `fault`, with the kinds that a QKD module can have. Exactly one kind is set; none where the requestor named a kind of
/// another device.
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

impl Fault {
    /// Refuses a fault of no kind that a QKD module knows.
    pub fn check(&self) -> Result<(), DriverError> {
        let kinds = [
            self.qber.is_some(),
            self.loss.is_some(),
            self.fibre_cut.is_some(),
            self.eavesdropper.is_some(),
            self.misalignment.is_some(),
            self.detector_failure.is_some(),
            self.dark_counts.is_some(),
            self.laser_fault.is_some(),
            self.synchronization_loss.is_some(),
            self.classical_channel_loss.is_some(),
            self.temperature.is_some(),
            self.module_failure.is_some(),
            self.authentication_failure.is_some(),
            self.random_number_failure.is_some(),
            self.tamper.is_some(),
            self.post_processing_failure.is_some(),
        ];
        if !kinds.contains(&true) {
            return Err(DriverError::Unsupported("a simulated QKD module has no fault of this kind".to_owned()));
        }
        match self.detector_failure {
            Some(DetectorFailure { detector, .. }) if usize::from(detector) >= crate::network::DETECTORS => {
                let reason =
                    format!("there is no detector {detector}; they count from 0 to {}", crate::network::DETECTORS - 1);
                Err(DriverError::refused("detector-failure/detector", reason))
            }
            _ => Ok(()),
        }
    }

    /// It stands on the fibre, so it does not follow the module to another quantum channel.
    pub fn is_of_channel(&self) -> bool {
        self.qber.is_some() || self.loss.is_some() || self.fibre_cut.is_some() || self.eavesdropper.is_some()
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
