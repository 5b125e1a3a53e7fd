//! The demonstration's manager: its files, as `qkdn manager run` takes them, and how it is run here.

use std::fs;
use std::future::Future;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use agents::fleet::Member;
use manager::config::Config;
use manager::init::FUNCTIONS;
use netconf::server::record::{make_directory, replace};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::keys::{self, User};

/// How often performance is collected, s: often enough for somebody who watches.
const PERFORMANCE_INTERVAL: u32 = 10;

/// The manager, as `demo.json` tells of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Manager {
    pub(super) address: String,
    pub(super) port: u16,
    /// Public, in OpenSSH's form.
    pub(super) host_key: String,
    pub(super) config: PathBuf,
    pub(super) users: Vec<User>,
}

/// Where the manager's files are.
pub(super) fn home(path: &Path) -> PathBuf {
    path.join("manager")
}

impl Manager {
    /// Its directory, keys and configuration.
    pub(super) fn prepare(path: &Path, operator: &User, port: u16) -> Result<Manager, String> {
        let home = home(path);
        make_directory(&home).map_err(|e| e.to_string())?;
        for function in FUNCTIONS {
            keys::key(&home.join(function))?;
        }
        let config = home.join("manager.toml");
        let manager = Manager {
            address: Ipv4Addr::LOCALHOST.to_string(),
            port,
            host_key: keys::key(&home.join("host_key"))?,
            config,
            users: vec![operator.clone()],
        };
        let text = format!(
            r#"# Written by `qkdn demo` at each start: to change it, copy it, and run `qkdn manager run --config FILE`.
listen = "{address}:{port}"
state-dir = "state"
host-key = "host_key"
initial = "devices.json"
performance-interval = {PERFORMANCE_INTERVAL}

[[user]]
name = "{user}"
authorized-keys = ["../{user}.pub"]
password-file = "../{user}.password"
groups = ["admin"]
"#,
            address = manager.address,
            user = operator.name,
        );
        replace(&manager.config, |file| file.write_all(text.as_bytes())).map_err(|e| e.to_string())?;
        Ok(manager)
    }

    /// Writes the manager's first configuration: credentials of its functions, and every agent as a managed device.
    pub(super) fn plan(&self, members: &[Member]) -> Result<(), String> {
        let credentials: Vec<Value> = FUNCTIONS
            .iter()
            .map(|function| json!({"name": function, "user": function, "private-key-file": function}))
            .collect();
        let devices: Vec<Value> = members.iter().map(device).collect();
        let plan = json!({"qkdn-manager:devices": {"credential": credentials, "device": devices}});
        let text = serde_json::to_string_pretty(&plan).map_err(|e| e.to_string())?;
        let file = self.config.with_file_name("devices.json");
        replace(&file, |out| out.write_all(text.as_bytes())).map_err(|e| e.to_string())
    }

    /// Runs it until `shutdown`; `ready` hears when it serves.
    pub(super) fn run(
        &self,
        shutdown: CancellationToken,
        ready: oneshot::Sender<SocketAddr>,
    ) -> Result<impl Future<Output = Result<(), String>> + use<>, String> {
        let config = Config::load(&self.config).map_err(|e| e.to_string())?;
        let listens = move |address| {
            // Nobody waits any more where the demo is ending already.
            let _ = ready.send(address);
        };
        Ok(async move { manager::run::run(config, shutdown, listens).await.map_err(|e| format!("the manager: {e}")) })
    }
}

fn device(member: &Member) -> Value {
    let kind = member.kind.name();
    let function = match kind {
        "key-manager" => "kmlm",
        "controller" => "qclm",
        _ => "qlm",
    };
    json!({
        "name": member.name,
        "device-id": member.resource_id,
        "kind": kind,
        "connection": {
            "address": member.address,
            "port": member.port,
            "credential": function,
            "host-key": member.host_key,
        },
    })
}

/// The port that the manager had at an earlier start.
pub(super) fn earlier_port(path: &Path) -> Option<u16> {
    let text = fs::read_to_string(home(path).join("manager.toml")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("listen = "))?;
    line.trim_matches('"').rsplit(':').next()?.parse().ok().filter(|port| *port != 0)
}
