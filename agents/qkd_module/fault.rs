//! Which faults of qkdn-simulation a simulated QKD module can have.

use crate::driver::DriverError;
use crate::fault::{DetectorFailure, Fault};

/// The kinds of faults of a QKD module.
const KINDS: &[&str] = &[
    "qber",
    "loss",
    "fibre-cut",
    "eavesdropper",
    "misalignment",
    "detector-failure",
    "dark-counts",
    "laser-fault",
    "synchronization-loss",
    "classical-channel-loss",
    "temperature",
    "module-failure",
    "authentication-failure",
    "random-number-failure",
    "tamper",
    "post-processing-failure",
];

impl Fault {
    /// Refuses a fault of no kind that a QKD module knows.
    pub fn check_module(&self) -> Result<(), DriverError> {
        if !self.kind().is_some_and(|kind| KINDS.contains(&kind)) {
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

    /// It belongs to the link and is seen at both ends, not to the one module.
    pub fn is_of_link(&self) -> bool {
        let of_module = self.temperature.is_some()
            || self.module_failure.is_some()
            || self.authentication_failure.is_some()
            || self.random_number_failure.is_some()
            || self.tamper.is_some();
        !of_module
    }

    /// It stands on the fibre, so it does not follow the module to another quantum channel.
    pub fn is_of_channel(&self) -> bool {
        self.qber.is_some() || self.loss.is_some() || self.fibre_cut.is_some() || self.eavesdropper.is_some()
    }
}
