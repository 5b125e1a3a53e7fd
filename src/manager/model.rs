//! Names that all parts of the manager use, as qkdn-manager and qkdn-types spell them.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Name of a managed device; unique at this manager.
pub type DeviceName = String;

/// Identifier of a managed resource: a URI, unique in the QKDN.
pub type ResourceId = String;

/// `device-kind`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    #[default]
    Unknown,
    QkdModule,
    RelayPoint,
    OpticalSwitch,
    KeyManager,
    Controller,
}

impl Kind {
    /// The function that manages devices of this kind, and whose user it authenticates as.
    pub fn function(self) -> Function {
        match self {
            Kind::QkdModule | Kind::RelayPoint | Kind::OpticalSwitch => Function::Qlm,
            Kind::KeyManager => Function::Kmlm,
            Kind::Controller => Function::Qclm,
            Kind::Unknown => Function::Xlmo,
        }
    }

    /// `reference-point` of qkdn-types; none for a device of unknown kind.
    pub fn reference_point(self) -> Option<&'static str> {
        match self {
            Kind::Unknown => None,
            Kind::QkdModule => Some("mq"),
            Kind::RelayPoint => Some("mqrp"),
            Kind::OpticalSwitch => Some("mops"),
            Kind::KeyManager => Some("mk"),
            Kind::Controller => Some("mc"),
        }
    }

    /// `layer` of qkdn-types.
    pub fn layer(self) -> Option<&'static str> {
        match self.function() {
            Function::Qlm => Some("quantum"),
            Function::Kmlm => Some("key-management"),
            Function::Qclm => Some("control"),
            Function::Xlmo => None,
        }
    }

    /// The device's top-level container, `module:name`.
    pub fn container(self) -> Option<&'static str> {
        match self {
            Kind::Unknown => None,
            Kind::QkdModule => Some("qkdn-mq:qkd-module"),
            Kind::RelayPoint => Some("qkdn-mqrp:relay-point"),
            Kind::OpticalSwitch => Some("qkdn-mops:optical-switch"),
            Kind::KeyManager => Some("qkdn-mk:key-manager"),
            Kind::Controller => Some("qkdn-mc:controller"),
        }
    }
}

/// `management-function`: the functional components of clauses 9.2 and 9.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Function {
    Qlm,
    Kmlm,
    Qclm,
    Xlmo,
}

/// `connection-state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionState {
    #[default]
    Disabled,
    Connecting,
    Synchronizing,
    Operational,
    /// Refused: not tried again without a change.
    Failed,
}

/// `configuration-status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfigurationStatus {
    #[default]
    Unknown,
    InSync,
    Drift,
    Pending,
    Failed,
}

/// Perceived severity (RFC 8632), least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    Indeterminate,
    Warning,
    Minor,
    Major,
    Critical,
}

/// A managed device as the operator configured it (`devices/device`), credential resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub name: DeviceName,
    pub device_id: Option<ResourceId>,
    pub kind: Kind,
    /// False: no session is wanted.
    pub managed: bool,
    /// None: not connected.
    pub address: Option<String>,
    pub port: u16,
    pub credential: Option<Credential>,
    /// Public key in OpenSSH form or SHA-256 fingerprint; learnt at the first connection where absent.
    pub host_key: Option<String>,
    pub timeout: Duration,
    /// Only of a device of unknown kind.
    pub location: Option<Location>,
}

#[derive(Clone, PartialEq)]
pub struct Credential {
    pub user: String,
    pub secret: Secret,
}

#[derive(Clone, PartialEq)]
pub enum Secret {
    PrivateKeyFile(PathBuf),
    Password(String),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credential of {}", self.user)
    }
}

/// `equipment` of qkdn-types.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Equipment {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware_revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_revision: Option<String>,
}

/// `location` of qkdn-types; degrees.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
}
