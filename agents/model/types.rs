//! qkdn-types: what devices of every kind tell in the same words.

use serde::{Deserialize, Serialize};

/// The grouping `location`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Location {
    pub node: Option<String>,
    pub site: Option<String>,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
}

/// The grouping `equipment`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Equipment {
    pub vendor: String,
    pub model: String,
    pub serial_number: String,
    pub hardware_revision: String,
    pub software_revision: String,
}

/// `channel-state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelState {
    #[default]
    Unknown,
    Up,
    Degraded,
    Down,
}

/// `channel-use`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelUse {
    #[default]
    Primary,
    Backup,
}
