//! qkdn-performance: the groupings `threshold-rule`, `rising-threshold-…` and `falling-threshold-…`, of which a device has one a quantity.

use serde::{Deserialize, Serialize};

use crate::alarm::{Direction, Severity, Threshold};
use crate::driver::Rule;

/// One threshold, in the unit of its quantity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ThresholdLevels {
    pub enabled: bool,
    pub consecutive_samples: u8,
    pub warning: Option<f64>,
    pub major: Option<f64>,
    pub critical: Option<f64>,
    pub hysteresis: Option<f64>,
}

impl Default for ThresholdLevels {
    fn default() -> Self {
        ThresholdLevels {
            enabled: true,
            consecutive_samples: 3,
            warning: None,
            major: None,
            critical: None,
            hysteresis: None,
        }
    }
}

impl ThresholdLevels {
    /// As the model has it where it names no level.
    pub fn without_levels(hysteresis: f64) -> Self {
        ThresholdLevels { hysteresis: Some(hysteresis), ..ThresholdLevels::default() }
    }

    /// What it asks of the agent; nothing where it is switched off or has no level.
    pub fn rule(
        &self,
        direction: Direction,
        quantity: &'static str,
        alarm_type: &'static str,
        qualifier: &'static str,
    ) -> Option<Rule> {
        let threshold = self.threshold(direction);
        let asks = self.enabled && !threshold.levels.is_empty();
        asks.then_some(Rule { quantity, alarm_type: Some(alarm_type), qualifier, threshold })
    }

    fn threshold(&self, direction: Direction) -> Threshold {
        let levels =
            [(Severity::Warning, self.warning), (Severity::Major, self.major), (Severity::Critical, self.critical)];
        let samples = self.consecutive_samples.into();
        Threshold {
            direction,
            levels: levels.into_iter().filter_map(|(severity, level)| level.map(|level| (severity, level))).collect(),
            hysteresis: self.hysteresis.unwrap_or(0.0),
            raise_after: samples,
            clear_after: samples,
        }
    }
}
