//! qkdn-performance: information per type and target (Tables I.3 to I.7 rows 3 to 6), history in pages, threshold crossings.

use serde::{Deserialize, Serialize};

use super::common::ManagementOperation;
use super::date_and_time;
use crate::alarm::Severity;
use crate::driver::{Call, Device};
use crate::performance::{Granularity, Interval, Kind, Series, SeriesKey, Validity};
use crate::surveillance::{Crossing, Surveillance};

/// `performance-information`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Information {
    #[serde(rename = "type")]
    pub quantity: String,
    pub target: String,
    pub description: &'static str,
    pub unit: &'static str,
    pub current: Option<CurrentValue>,
    pub current_15_minutes: Option<IntervalValues>,
    pub current_24_hours: Option<IntervalValues>,
    pub interval_15_minutes: Vec<IntervalValues>,
    pub interval_24_hours: Vec<IntervalValues>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CurrentValue {
    pub value: Option<f64>,
    pub time: String,
    pub validity: Validity,
    pub threshold_level: Option<Severity>,
}

/// `interval`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct IntervalValues {
    pub start_time: String,
    /// Seconds measured.
    pub elapsed: u32,
    pub samples: u32,
    pub samples_invalid: u32,
    pub mean: Option<f64>,
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
    pub last: Option<f64>,
    pub total: Option<f64>,
    pub validity: Validity,
}

impl IntervalValues {
    pub fn new(interval: &Interval, granularity: Granularity, kind: Kind) -> Self {
        IntervalValues {
            start_time: date_and_time(interval.start()),
            elapsed: u32::try_from(interval.measured().as_secs()).unwrap_or(u32::MAX),
            samples: interval.samples(),
            samples_invalid: interval.samples_invalid(),
            mean: interval.mean(),
            minimum: interval.minimum(),
            maximum: interval.maximum(),
            last: interval.last(),
            total: interval.total(kind),
            validity: interval.validity(granularity),
        }
    }
}

/// All that is measured; with the finished intervals only where they are asked for, because they are a hundred times the rest.
pub fn information(device: &Device, surveillance: &Surveillance, with_history: bool) -> Vec<Information> {
    let entry = |(key, series): (&SeriesKey, &Series)| {
        let quantity = device.quantity(&key.quantity)?;
        let running = |granularity| {
            series.running(granularity).map(|interval| IntervalValues::new(interval, granularity, series.kind()))
        };
        let history = |granularity| -> Vec<IntervalValues> {
            let finished = series.history(granularity).filter(|_| with_history);
            finished.map(|interval| IntervalValues::new(interval, granularity, series.kind())).collect()
        };
        Some(Information {
            quantity: key.quantity.clone(),
            target: key.target.clone(),
            description: quantity.description,
            unit: quantity.unit,
            current: series.current().map(|current| CurrentValue {
                value: current.value,
                time: date_and_time(current.time),
                validity: current.validity,
                threshold_level: surveillance.level(key).map(|level| level.severity),
            }),
            current_15_minutes: running(Granularity::FifteenMinutes),
            current_24_hours: running(Granularity::TwentyFourHours),
            interval_15_minutes: history(Granularity::FifteenMinutes),
            interval_24_hours: history(Granularity::TwentyFourHours),
        })
    };
    surveillance.performance.iter().filter_map(entry).collect()
}

/// The notification `threshold-crossing`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ThresholdCrossing {
    pub management_operation: ManagementOperation,
    #[serde(rename = "type")]
    pub quantity: String,
    pub target: String,
    pub level: Severity,
    pub crossing: Direction,
    pub value: f64,
    pub threshold: f64,
    pub unit: &'static str,
    pub time: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    Raised,
    Cleared,
}

impl ThresholdCrossing {
    pub fn new(crossing: &Crossing, management_operation: ManagementOperation) -> Self {
        ThresholdCrossing {
            management_operation,
            quantity: crossing.key.quantity.clone(),
            target: crossing.key.target.clone(),
            level: crossing.level.severity,
            crossing: if crossing.raised { Direction::Raised } else { Direction::Cleared },
            value: crossing.value,
            threshold: crossing.level.level,
            unit: crossing.unit,
            time: date_and_time(crossing.time),
        }
    }
}

/// The RPC `get-performance-history`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct GetPerformanceHistory {
    #[serde(rename = "qkdn-performance:get-performance-history")]
    pub call: Call<HistoryInput>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HistoryInput {
    pub granularity: Granularity,
    pub after: Option<String>,
    #[serde(rename = "type", default)]
    pub quantity: Vec<String>,
    #[serde(default)]
    pub target: Vec<String>,
    #[serde(default = "thousand")]
    pub maximum: u16,
}

fn thousand() -> u16 {
    1000
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HistoryOutput {
    pub interval: Vec<HistoryInterval>,
    pub more: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HistoryInterval {
    pub target: String,
    #[serde(rename = "type")]
    pub quantity: String,
    pub unit: &'static str,
    #[serde(flatten)]
    pub values: IntervalValues,
}
