//! A topology file: the nodes, links and devices of a QKD network, read from TOML, checked, and what its agents follow from.

mod check;
mod generate;
mod plan;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use generate::generate;
pub use plan::{AgentKind, AgentPlan, INITIAL_BITS, MAXIMUM_BITS, MINIMUM_BITS, THRESHOLD_BITS};

use crate::physics::System;

/// The topologies that the binary carries, by name.
const BUILTIN: &[(&str, &str)] =
    &[("lab", include_str!("lab.toml")), ("tokyo", include_str!("tokyo.toml")), ("hefei", include_str!("hefei.toml"))];

/// Loss that light has in an optical switch or a relay point where the file does not say, dB.
const SWITCH_LOSS_DB: f64 = 1.0;
const RELAY_POINT_LOSS_DB: f64 = 0.5;

/// A checked topology: every name is known, every link ends at two nodes, every port that a link passes exists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Topology {
    /// Stands in every resource identifier.
    pub name: String,
    #[serde(default)]
    pub description: String,
    /// Where it was published.
    #[serde(default)]
    pub source: String,
    /// Of drift and noise: the same seed, the same network.
    #[serde(default = "one")]
    pub seed: u64,
    /// The QKD system at both ends of every link that names none, see [`System::by_name`].
    #[serde(default = "gys")]
    pub system: String,
    pub controller: Option<Controller>,
    #[serde(default, rename = "node")]
    pub nodes: Vec<Node>,
    #[serde(default, rename = "optical-switch")]
    pub optical_switches: Vec<OpticalSwitch>,
    #[serde(default, rename = "relay-point")]
    pub relay_points: Vec<RelayPoint>,
    #[serde(default, rename = "link")]
    pub links: Vec<Link>,
    #[serde(default, rename = "application")]
    pub applications: Vec<Application>,
}

/// A QKD node: a site with a KM, unless it has none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Node {
    pub name: String,
    #[serde(default)]
    pub site: String,
    /// WGS 84, degrees, north and east positive.
    pub latitude: f64,
    pub longitude: f64,
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub key_manager: bool,
}

/// A QKD link: a transmitter at `from`, a receiver at `to`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Link {
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    pub from: String,
    pub to: String,
    /// Of the fibre from end to end.
    pub length_km: f64,
    /// Of the fibre from end to end, without what it passes; the system's figure for this length where absent.
    pub loss_db: Option<f64>,
    /// Instead of the topology's.
    pub system: Option<String>,
    /// Not published: added to close a ring.
    #[serde(default, skip_serializing_if = "is_false")]
    pub added: bool,
    /// A second fibre of the same length and loss to switch to.
    #[serde(default, skip_serializing_if = "is_false")]
    pub backup_channel: bool,
    /// With which others it protects; those between the same two nodes where absent.
    pub protection_group: Option<String>,
    /// What the light passes on its way, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub via: Vec<Via>,
    /// Instead of the model's defaults, for the modules at both ends.
    pub thresholds: Option<Thresholds>,
}

/// A passage of a link through an optical switch, by ports, or a relay point, by segments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Via {
    pub element: String,
    pub input: String,
    pub output: String,
    /// Fibre from the transmitter to here; elements stand at even distances where absent.
    pub at_km: Option<f64>,
}

/// Thresholds of the modules of a link; a level that is absent is the model's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Thresholds {
    /// Percent.
    pub qber_warning: Option<f64>,
    pub qber_major: Option<f64>,
    pub qber_critical: Option<f64>,
    /// dB
    pub channel_loss_warning: Option<f64>,
    pub channel_loss_major: Option<f64>,
    /// bit/s
    pub secret_key_rate_warning: Option<f64>,
    pub secret_key_rate_major: Option<f64>,
    /// Percent.
    pub visibility_warning: Option<f64>,
}

/// An optical switch. It stands at a node, or at a place of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OpticalSwitch {
    pub name: String,
    pub node: Option<String>,
    pub site: Option<String>,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub ports: Vec<String>,
    /// dB
    #[serde(default = "switch_loss")]
    pub insertion_loss_db: f64,
    /// Ports to which the fibres of any link through the switch can be patched, one link at a time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spare: Vec<Spare>,
}

/// A quantum relay point: passive, it joins segments of fibre in pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RelayPoint {
    pub name: String,
    pub node: Option<String>,
    pub site: Option<String>,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub segments: Vec<String>,
    /// dB
    #[serde(default = "relay_point_loss")]
    pub insertion_loss_db: f64,
    /// Dark segments beside those in use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spare: Vec<Spare>,
}

/// A pair of ports or segments that stands by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Spare {
    pub input: String,
    pub output: String,
    /// The link to whose fibres the whole pair is patched, where it is to one.
    pub link: Option<String>,
}

/// A cryptographic application at a KM that shares keys with one at another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Application {
    pub name: String,
    /// The nodes of the two ends.
    pub at: String,
    pub peer: String,
    /// Key that it consumes, bit/s.
    pub rate: f64,
    /// As qkdn-common has it, 0 to 7, higher first.
    pub priority: Option<u8>,
}

/// The QKDN controller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Controller {
    pub name: String,
    pub node: String,
}

/// What is wrong with a topology: one line that says where, and what to do.
#[derive(Debug, Error)]
pub enum TopologyError {
    #[error("{}: {source}; the names that need no file are {}", path.display(), builtin().join(", "))]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{file}:{line}: {reason}")]
    Line { file: String, line: usize, reason: String },
    #[error("{file}: {entry}: {reason}")]
    Entry { file: String, entry: String, reason: String },
}

/// Names of the topologies that the binary carries.
pub fn builtin() -> Vec<&'static str> {
    BUILTIN.iter().map(|(name, _)| *name).collect()
}

impl Topology {
    /// A topology that the binary carries, by name, or else the file of that path.
    pub fn load(name: &str) -> Result<Topology, TopologyError> {
        if let Some((name, text)) = BUILTIN.iter().find(|(known, _)| *known == name) {
            return Topology::parse(text, name);
        }
        let path = Path::new(name);
        let read = |source| TopologyError::Read { path: path.to_owned(), source };
        Topology::parse(&std::fs::read_to_string(path).map_err(read)?, name)
    }

    /// Reads the text of a file; `file` is for errors only.
    pub fn parse(text: &str, file: &str) -> Result<Topology, TopologyError> {
        let topology: Topology = toml::from_str(text).map_err(|error| {
            let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or(text));
            let line = before.matches('\n').count() + 1;
            TopologyError::Line { file: file.to_owned(), line, reason: error.message().replace('\n', " ") }
        })?;
        match topology.fault() {
            None => Ok(topology),
            Some((entry, reason)) => Err(TopologyError::Entry { file: file.to_owned(), entry, reason }),
        }
    }

    /// The file that it would be read from.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("strings, numbers and lists of tables, which TOML has")
    }

    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// The identifier of a resource: `kind` is module, link, km, km-link, switch, relay-point, controller, application or route.
    pub fn resource_id(&self, kind: &str, name: &str) -> String {
        format!("urn:qkdn:{}:{kind}:{name}", self.name)
    }

    pub fn link_id(&self, link: &str) -> String {
        self.resource_id("link", link)
    }

    pub fn km_id(&self, node: &str) -> String {
        self.resource_id("km", node)
    }

    /// Of the KM link between two nodes, whichever way round.
    pub fn km_link_id(&self, one: &str, other: &str) -> String {
        let (first, second) = if one < other { (one, other) } else { (other, one) };
        self.resource_id("km-link", &format!("{first}--{second}"))
    }

    /// Of an optical switch or a relay point of this name.
    pub fn element_id(&self, name: &str) -> String {
        let kind = if self.relay_points.iter().any(|point| point.name == name) { "relay-point" } else { "switch" };
        self.resource_id(kind, name)
    }

    /// The QKD links between two nodes, whichever way round.
    pub fn links_between(&self, one: &str, other: &str) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(move |l| (l.from == one && l.to == other) || (l.from == other && l.to == one))
    }

    /// The group of redundant links that a link is of: the one that its entry names, or else that of all links between its two nodes, which
    /// the first of them names or gives its own name. None where it stands alone.
    pub fn protection_group<'t>(&'t self, link: &'t Link) -> Option<&'t str> {
        let mut beside = self.links_between(&link.from, &link.to);
        let first = beside.next().filter(|_| beside.next().is_some());
        let common = || first.map(|first| first.protection_group.as_deref().unwrap_or(&first.name));
        link.protection_group.as_deref().or_else(common)
    }

    /// The QKD system of a link.
    pub fn system_of(&self, link: &Link) -> System {
        System::by_name(link.system.as_ref().unwrap_or(&self.system)).expect("a checked topology names known systems")
    }

    /// Loss of a link's fibre without what it passes, dB.
    pub fn fibre_loss_db(&self, link: &Link) -> f64 {
        link.loss_db.unwrap_or_else(|| self.system_of(link).loss_db(link.length_km))
    }

    /// Loss of a link by design, what it passes included, dB.
    pub fn design_loss_db(&self, link: &Link) -> f64 {
        self.fibre_loss_db(link) + link.via.iter().map(|via| self.insertion_loss_db(&via.element)).sum::<f64>()
    }

    /// The seed of the drift and noise of a link or device of this name.
    pub(crate) fn seed_of(&self, name: &str) -> u64 {
        let mix = |seed: u64, byte: u8| (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        name.bytes().fold(0xcbf2_9ce4_8422_2325 ^ self.seed, mix)
    }

    /// Loss of light in an optical switch or relay point by design, dB; nothing in one that there is not.
    pub fn insertion_loss_db(&self, element: &str) -> f64 {
        let switches = self.optical_switches.iter().map(|switch| (&switch.name, switch.insertion_loss_db));
        let points = self.relay_points.iter().map(|point| (&point.name, point.insertion_loss_db));
        switches.chain(points).find(|(name, _)| *name == element).map_or(0.0, |(_, loss)| loss)
    }
}

impl Link {
    /// Fibre from the transmitter to each element that it passes, and to the receiver, km.
    pub fn distances_km(&self) -> Vec<f64> {
        let spans = (self.via.len() + 1) as f64;
        let even = |at: usize| self.length_km * (at + 1) as f64 / spans;
        let places = self.via.iter().enumerate().map(|(at, via)| via.at_km.unwrap_or(even(at)));
        places.chain([self.length_km]).collect()
    }
}

fn one() -> u64 {
    1
}

fn yes() -> bool {
    true
}

fn is_true(flag: &bool) -> bool {
    *flag
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn gys() -> String {
    System::GYS.name.to_owned()
}

fn switch_loss() -> f64 {
    SWITCH_LOSS_DB
}

fn relay_point_loss() -> f64 {
    RELAY_POINT_LOSS_DB
}
