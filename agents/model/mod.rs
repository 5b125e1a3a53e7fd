//! The data of the modules that all agents share, as Rust values: ietf-alarms with qkdn-alarms, qkdn-common, qkdn-performance (and
//! its thresholds), qkdn-types.

pub mod alarms;
pub mod common;
pub mod performance;
pub mod threshold;
pub mod types;

use jiff::Timestamp;

/// As `date-and-time` of RFC 6991: UTC, milliseconds.
pub fn date_and_time(time: Timestamp) -> String {
    format!("{time:.3}")
}
