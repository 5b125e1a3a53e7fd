//! The data of the modules that all agents share, as Rust values: ietf-alarms with qkdn-alarms, qkdn-performance, qkdn-common.

pub mod alarms;
pub mod common;
pub mod performance;

use jiff::Timestamp;

/// As `date-and-time` of RFC 6991: UTC, milliseconds.
pub fn date_and_time(time: Timestamp) -> String {
    format!("{time:.3}")
}
