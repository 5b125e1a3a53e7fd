//! `devices`, `functions` and `reference-points`: what is configured of the managed devices, and what is known of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use netconf::error::RpcError;
use netconf::transport::ssh::{HostKeyError, load_or_generate_host_key};
use netconf::yang::serde as bridge;
use netconf::yang::{Inner, Tree};
use serde::{Deserialize, Serialize};

use super::{Answer, rows};
use crate::model::{
    ConfigurationStatus, ConnectionState, Credential, Equipment, Function, Kind, Location, Plan, ResourceId, Secret,
};
use crate::record::{DeviceState, Module};
use crate::store::Store;

const DEVICES: &str = "/qkdn-manager:devices";

/// The managed devices of a configuration; relative names of key files start at `directory`.
pub fn plans(running: &Tree, directory: &Path) -> Result<Vec<Plan>, RpcError> {
    let Devices { credential, device } = Devices::of(running)?;
    let plan = |device: Device| {
        let Connection { address, port, credential: name, host_key, timeout, .. } = device.connection;
        let named = name.and_then(|name| credential.iter().find(|credential| credential.name == name));
        Plan {
            name: device.name,
            device_id: device.device_id,
            kind: device.kind,
            managed: device.managed,
            address,
            port,
            credential: named.and_then(|credential| credential.resolved(directory)),
            host_key,
            timeout: Duration::from_secs(timeout.into()),
            location: device.location.filter(|_| device.kind == Kind::Unknown),
        }
    };
    Ok(device.into_iter().map(plan).collect())
}

/// What YANG cannot say of `new`. What is in effect already in `old` is not questioned again: a key file that went away must not keep
/// everything else from being edited.
pub(super) fn check(old: &Tree, new: &Tree, directory: &Path) -> Result<(), RpcError> {
    let (old, Devices { credential, device }) = (Devices::of(old)?, Devices::of(new)?);
    let refuse = |path: String, reason: String| {
        let refused = RpcError::invalid_value(reason);
        Err(match bridge::instance_path(new.schema(), &path) {
            Ok(path) => refused.with_path(path.to_error_path(new.schema())),
            Err(_) => refused,
        })
    };
    for credential in credential.iter().filter(|credential| !old.credential.contains(credential)) {
        let path = format!("{DEVICES}/credential[name='{}']", credential.name);
        if credential.password.is_some() {
            let reason = "A password could not be kept encrypted yet, so none is taken: use private-key-file.";
            return refuse(format!("{path}/password"), reason.to_owned());
        }
        let Some(file) = &credential.private_key_file else {
            return refuse(path, format!("Credential {} has no secret: set private-key-file.", credential.name));
        };
        if let Err(reason) = check_key(&directory.join(file)) {
            return refuse(format!("{path}/private-key-file"), reason);
        }
    }
    for device in device.iter().filter(|device| !old.device.contains(device)) {
        let (name, connection) = (&device.name, &device.connection);
        let path = format!("{DEVICES}/device[name='{name}']/connection");
        let unsupported = match connection.transport {
            Transport::Ssh => None,
            Transport::Tls => Some("TLS"),
            Transport::CallHome => Some("Call home"),
        };
        if let Some(transport) = unsupported {
            let reason = format!("{transport} is not supported yet: {name} can be connected over ssh.");
            return refuse(format!("{path}/transport"), reason);
        }
        if device.managed && connection.address.is_some() && connection.credential.is_none() {
            return refuse(path, format!("{name} has an address, but no credential to log in with."));
        }
    }
    Ok(())
}

/// A private key that the manager can use, or why it is not.
fn check_key(path: &Path) -> Result<(), String> {
    if !path.is_file() {
        return Err(format!("{}: there is no such file at the manager.", path.display()));
    }
    load_or_generate_host_key(path).map(|_| ()).map_err(|error| match error {
        HostKeyError::Io { path, source } => format!("{path}: {source}"),
        HostKeyError::Key { path, reason } => format!("{path}: {reason}"),
    })
}

/// `devices`, what is configured.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Devices {
    credential: Vec<CredentialEntry>,
    device: Vec<Device>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct CredentialEntry {
    name: String,
    user: String,
    private_key_file: Option<String>,
    password: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Device {
    name: String,
    device_id: Option<ResourceId>,
    #[serde(default)]
    kind: Kind,
    #[serde(default = "yes")]
    managed: bool,
    #[serde(default)]
    connection: Connection,
    location: Option<Location>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Connection {
    transport: Transport,
    address: Option<String>,
    port: u16,
    credential: Option<String>,
    host_key: Option<String>,
    timeout: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Transport {
    Ssh,
    Tls,
    CallHome,
}

impl Default for Connection {
    /// The model's defaults.
    fn default() -> Self {
        Connection {
            transport: Transport::Ssh,
            address: None,
            port: 830,
            credential: None,
            host_key: None,
            timeout: 10,
        }
    }
}

fn yes() -> bool {
    true
}

impl Devices {
    fn of(running: &Tree) -> Result<Devices, RpcError> {
        Ok(bridge::from_path(running, DEVICES)?.unwrap_or_default())
    }
}

impl CredentialEntry {
    fn resolved(&self, directory: &Path) -> Option<Credential> {
        let file = self.private_key_file.as_ref()?;
        Some(Credential { user: self.user.clone(), secret: Secret::PrivateKeyFile(directory.join(file)) })
    }
}

/// The names of the configured devices.
pub(super) fn names(running: &Tree) -> Result<BTreeSet<String>, RpcError> {
    Ok(Devices::of(running)?.device.into_iter().map(|device| device.name).collect())
}

pub(super) fn read(
    answer: &mut Answer<'_>,
    store: &impl Store,
    running: &Tree,
    last_sequence_number: u64,
) -> Result<(), RpcError> {
    const STATE: &str = "/qkdn-manager:devices/device/state";
    const FUNCTION: &str = "/qkdn-manager:functions/function";
    const REFERENCE_POINT: &str = "/qkdn-common:reference-points/reference-point";
    if answer.reaches(STATE) {
        let keys = answer.keys("/qkdn-manager:devices/device");
        let states = rows(keys, |name| store.devices(name))?;
        // State of a device that is being forgotten would make it look configured.
        let configured = names(running)?;
        let configured = states.iter().filter(|state| configured.contains(&state.name));
        let devices: Vec<_> =
            configured.map(|state| DeviceEntry { name: &state.name, state: State::of(state) }).collect();
        answer.add_entries("/qkdn-manager:devices/device", &devices);
    }
    if answer.reaches(FUNCTION) || answer.reaches(REFERENCE_POINT) {
        let states = rows(None, |name| store.devices(name))?;
        answer.add_entries(FUNCTION, &functions(&states));
        answer.add_entries(REFERENCE_POINT, &reference_points(&states, last_sequence_number));
    }
    Ok(())
}

#[derive(Serialize)]
struct DeviceEntry<'a> {
    name: &'a str,
    state: State<'a>,
}

/// `device/state`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct State<'a> {
    connection_state: ConnectionState,
    connection_error: Option<&'a str>,
    since: Option<Timestamp>,
    last_heard: Option<Timestamp>,
    next_attempt: Option<Timestamp>,
    attempts: u32,
    session_id: Option<u32>,
    found_kind: Option<Kind>,
    found_id: Option<&'a str>,
    host_key: Option<&'a str>,
    simulated: Option<bool>,
    capability: BTreeSet<&'a str>,
    content_id: Option<&'a str>,
    module: &'a [Module],
    configuration_status: ConfigurationStatus,
    configuration_error: Option<&'a str>,
    configuration_last_change: Option<Timestamp>,
    admin_state: Option<&'a str>,
    service_state: Option<&'a str>,
    oper_state: Option<&'a str>,
    last_sequence_number: Option<u64>,
    equipment: &'a Equipment,
}

impl<'a> State<'a> {
    fn of(state: &'a DeviceState) -> Self {
        State {
            connection_state: state.connection_state,
            connection_error: state.connection_error.as_deref(),
            since: state.since,
            last_heard: state.last_heard,
            next_attempt: state.next_attempt,
            attempts: state.attempts,
            session_id: state.session_id,
            found_kind: state.found_kind,
            found_id: state.found_id.as_deref(),
            host_key: state.host_key.as_deref(),
            simulated: state.simulated,
            capability: state.capability.iter().map(String::as_str).collect(),
            content_id: state.content_id.as_deref(),
            module: &state.module,
            configuration_status: state.configuration_status,
            configuration_error: state.configuration_error.as_deref(),
            configuration_last_change: state.configuration_last_change,
            admin_state: state.admin_state.as_deref(),
            service_state: state.service_state.as_deref(),
            oper_state: state.oper_state.as_deref(),
            last_sequence_number: state.last_sequence_number,
            equipment: &state.equipment,
        }
    }
}

/// `functions/function`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct FunctionEntry {
    name: Function,
    oper_state: &'static str,
    devices: usize,
    devices_operational: usize,
    area: &'static [&'static str],
}

/// What each function of clauses 9.2 and 9.3 has to do with here. They live in one process: one that answers has all of them.
fn functions(states: &[DeviceState]) -> Vec<FunctionEntry> {
    let entry = |name, area| {
        let of_it = states.iter().filter(|state| kind(state).function() == name);
        let (mut devices, mut devices_operational) = (0, 0);
        for state in of_it {
            devices += 1;
            devices_operational += usize::from(state.connection_state == ConnectionState::Operational);
        }
        FunctionEntry { name, oper_state: "operational", devices, devices_operational, area }
    };
    vec![
        entry(Function::Qlm, &["fault", "configuration", "performance"]),
        entry(Function::Kmlm, &["fault", "configuration", "performance"]),
        entry(Function::Qclm, &["fault", "configuration"]),
        entry(Function::Xlmo, &["fault", "configuration"]),
    ]
}

/// `reference-points/reference-point`: those of the kinds of device there are.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ReferencePoint {
    name: &'static str,
    layer: Option<&'static str>,
    agent_kind: &'static str,
    oper_state: &'static str,
    domain_scope: &'static str,
    capability: &'static [&'static str],
    last_sequence_number: u64,
}

fn reference_points(states: &[DeviceState], last_sequence_number: u64) -> Vec<ReferencePoint> {
    let mut points: BTreeMap<&'static str, (Kind, usize, usize)> = BTreeMap::new();
    let kinds = [Kind::QkdModule, Kind::RelayPoint, Kind::OpticalSwitch, Kind::KeyManager, Kind::Controller];
    for kind in kinds {
        if let Some(name) = kind.reference_point() {
            points.insert(name, (kind, 0, 0));
        }
    }
    for state in states.iter().filter(|state| state.connection_state != ConnectionState::Disabled) {
        if let Some((_, all, operational)) = kind(state).reference_point().and_then(|name| points.get_mut(name)) {
            *all += 1;
            *operational += usize::from(state.connection_state == ConnectionState::Operational);
        }
    }
    let point = |(name, (kind, all, operational)): (_, (Kind, usize, usize))| ReferencePoint {
        name,
        layer: kind.layer(),
        agent_kind: "qkdn-types:qkdn-manager",
        oper_state: match (all, operational) {
            (0, _) => "unknown",
            (_, 0) => "down",
            (all, operational) if operational < all => "degraded",
            _ => "operational",
        },
        domain_scope: "intra-domain",
        capability: match kind {
            Kind::Controller => &["alarms", "configuration", "control-orchestration"],
            _ => &["alarms", "configuration", "performance", "diagnostics"],
        },
        last_sequence_number,
    };
    points.into_iter().map(point).collect()
}

/// What a device is; what it was meant to be, while it has not been seen.
fn kind(state: &DeviceState) -> Kind {
    state.found_kind.unwrap_or(state.kind)
}

/// What is configured of one device.
pub(super) fn entry(running: &Tree, device: &str) -> Option<Inner> {
    let schema = running.schema();
    let (devices, list) = (schema.find(DEVICES)?, schema.find("/qkdn-manager:devices/device")?);
    let key = bridge::key(schema, list, &[device]).ok()?;
    running.root().container(devices)?.list(list)?.get(&key).cloned()
}

/// The kind that a device is configured as.
pub(super) fn kind_of(running: &Tree, device: &str) -> Option<Kind> {
    let schema = running.schema();
    let list = schema.find("/qkdn-manager:devices/device")?;
    Some(bridge::from_inner::<Device>(schema, list, &entry(running, device)?).ok()?.kind)
}
