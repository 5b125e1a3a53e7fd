//! From a configuration file's content to an agent that serves NETCONF over SSH.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use netconf::server::provider::Provider;
use netconf::server::{Options, Server, base_modules};
use netconf::transport::auth::Users;
use netconf::transport::ssh;
use netconf::yang::serde::to_tree;
use netconf::yang::validate::Validator;
use netconf::yang::{Schema, Tree, json};
use serde::Serialize;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::agent::{Agent, AgentError, Clock, system_clock};
use crate::config::{Config, DriverKind, User};
use crate::controller::{Controller, ControllerSettings};
use crate::driver::{Driver, Kind};
use crate::key_manager::SimulatedKeyManager;
use crate::network::Network;
use crate::optical_switch::SimulatedSwitch;
use crate::physics::System;
use crate::qkd_module::{Parameters, SimulatedModule};
use crate::relay_point::SimulatedRelayPoint;
use crate::schema::agent_schema;
use crate::topology::{AgentKind, Topology};

/// Why an agent does not run: one line that says what to do.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct RunError(pub(crate) String);

impl From<AgentError> for RunError {
    fn from(error: AgentError) -> Self {
        RunError(error.to_string())
    }
}

/// Runs the management agent of a device until `shutdown`; `ready` hears where it listens. Without a `network`, the one that the
/// configuration names is simulated for this agent alone.
pub async fn agent(
    kind: AgentKind,
    config: Config,
    network: Option<Arc<Network>>,
    shutdown: CancellationToken,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), RunError> {
    let DriverKind::Simulated = config.driver;
    fits(kind, &config)?;
    let clock = system_clock();
    let now = clock();
    let id = config.resource_id.clone();
    let schema = schema(kind)?;
    let is_shared = network.is_some();
    let missing = || RunError(format!("the network has no {} {id}", kind.name()));
    let network = || match &network {
        Some(network) => Ok(network.clone()),
        None => simulated_network(&config),
    };
    match kind {
        AgentKind::QkdModule => {
            let driver = if is_shared || config.simulated.as_ref().is_some_and(|s| s.topology.is_some()) {
                SimulatedModule::of(network()?, &id).ok_or_else(missing)?
            } else {
                SimulatedModule::new(one_link(&config)?, now)
            };
            serve(config, driver, schema, clock, shutdown, ready).await
        }
        AgentKind::KeyManager => {
            let network = network()?;
            network.look_at_keys(now, |keys, _| keys.number(&id)).ok_or_else(missing)?;
            let driver = SimulatedKeyManager::new(network, &id, now);
            serve(config, driver, schema, clock, shutdown, ready).await
        }
        AgentKind::OpticalSwitch => {
            let driver = SimulatedSwitch::new(network()?, &id, now).ok_or_else(missing)?;
            serve(config, driver, schema, clock, shutdown, ready).await
        }
        AgentKind::RelayPoint => {
            let driver = SimulatedRelayPoint::new(network()?, &id, now).ok_or_else(missing)?;
            serve(config, driver, schema, clock, shutdown, ready).await
        }
        AgentKind::Controller => {
            let settings = config.controller.clone();
            let settings = settings.ok_or_else(|| RunError(format!("{}: there is no [controller]", config.name)))?;
            let made = !settings.key.exists();
            let key = ssh::load_or_generate_host_key(&settings.key).map_err(|error| RunError(error.to_string()))?;
            if made {
                let public = key.public_key().to_openssh().map_err(|error| RunError(error.to_string()))?;
                tracing::info!(public, "the controller has a new key, which agents do not know yet");
            }
            let settings =
                ControllerSettings { key: settings.key, directory: settings.directory, user: "controller".to_owned() };
            let driver = Controller::open(&id, &config.state_dir, settings, now);
            let driver = driver.map_err(|error| RunError(error.to_string()))?;
            serve(config, driver, schema, clock, shutdown, ready).await
        }
    }
}

/// Refuses a table that an agent of this kind would not read.
fn fits(kind: AgentKind, config: &Config) -> Result<(), RunError> {
    let stray = match kind {
        AgentKind::Controller => config.simulated.is_some().then_some("[simulated]"),
        _ => config.controller.is_some().then_some("[controller]"),
    };
    match stray {
        Some(table) => Err(RunError(format!("{}: {table} is not for a {}: take it out", config.name, kind.name()))),
        None => Ok(()),
    }
}

/// The schema of a kind of agent. One for all agents of a process, because each takes megabytes.
fn schema(kind: AgentKind) -> Result<Arc<Schema>, RunError> {
    static SCHEMAS: Mutex<BTreeMap<AgentKind, Arc<Schema>>> = Mutex::new(BTreeMap::new());
    let mut schemas = SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(schema) = schemas.get(&kind) {
        return Ok(schema.clone());
    }
    let module = match kind {
        AgentKind::QkdModule => "qkdn-mq",
        AgentKind::KeyManager => "qkdn-mk",
        AgentKind::OpticalSwitch => "qkdn-mops",
        AgentKind::RelayPoint => "qkdn-mqrp",
        AgentKind::Controller => "qkdn-mc",
    };
    let built = agent_schema(base_modules(Schema::builder()), &[module], true);
    let built = built.map_err(|error| RunError(error.to_string()))?;
    schemas.insert(kind, built.clone());
    Ok(built)
}

/// The network that an agent on its own simulates for itself.
fn simulated_network(config: &Config) -> Result<Arc<Network>, RunError> {
    let named = config.simulated.as_ref().and_then(|simulated| simulated.topology.as_deref());
    let named = named.ok_or_else(|| RunError(format!("{}: [simulated] has no topology", config.name)))?;
    let topology = Topology::load(named).map_err(|error| RunError(error.to_string()))?;
    Ok(Network::new(&topology, system_clock()()))
}

/// A module with a link of its own.
fn one_link(config: &Config) -> Result<Parameters, RunError> {
    let simulated = config.simulated.clone().unwrap_or_default();
    let unknown = || RunError(format!("there is no system {}", simulated.system));
    Ok(Parameters {
        module_id: config.resource_id.clone(),
        link_id: simulated.link_id.clone().unwrap_or_else(|| format!("{}:link", config.resource_id)),
        role: simulated.role,
        system: System::by_name(&simulated.system).ok_or_else(unknown)?,
        seed: simulated.seed,
        length_km: simulated.length_km,
        extra_loss_db: simulated.extra_loss_db,
    })
}

/// Serves any device's agent.
pub async fn serve<D: Driver>(
    config: Config,
    driver: D,
    schema: Arc<Schema>,
    clock: Clock,
    shutdown: CancellationToken,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), RunError> {
    let fail = |error: &dyn std::fmt::Display| RunError(error.to_string());
    let users = users(&config.users)?;
    let host_key = ssh::load_or_generate_host_key(&config.host_key).map_err(|error| fail(&error))?;
    let listener = TcpListener::bind(&config.listen).await;
    let listener = listener.map_err(|error| RunError(format!("cannot listen on {}: {error}", config.listen)))?;
    let address = listener.local_addr().map_err(|error| fail(&error))?;
    let rights =
        rights(&schema, driver.device().container, D::Kind::CONTROLLED, &config.users).map_err(|error| fail(&error))?;
    let initial = initial(&config, &schema)?.merged(&rights);
    let agent = Agent::open(driver, schema.clone(), &config.state_dir, clock)?;
    let options = Options { state_dir: config.state_dir, superuser: config.superuser, ..Options::default() };
    let server = Server::start(schema, agent.clone(), initial.clone(), options).await.map_err(|error| fail(&error))?;
    let running = server.shared().datastores.version().running.clone();
    if let Err(error) = agent.apply(&initial, &running, &[]).await {
        agent.stop().await;
        return Err(RunError(format!("the device refuses its stored configuration: {error}")));
    }
    tracing::info!(agent = config.name, %address, "serving NETCONF over SSH");
    ready(address);
    let ssh_config = ssh::ServerConfig::new(vec![host_key], Arc::new(ArcSwap::from_pointee(users)));
    let sessions = server.clone();
    let serving = ssh::serve(listener, ssh_config, shutdown.clone(), move |stream, peer| {
        let server = sessions.clone();
        async move { server.serve(stream, peer).await }
    });
    let stopping = async {
        shutdown.cancelled().await;
        server.stop();
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        ended = serving => ended,
        () = stopping => Ok(()),
    };
    agent.stop().await;
    ended.map_err(|error| fail(&error))
}

/// The configuration of an agent that never ran, but for its rights: that of the device, as the file has it.
fn initial(config: &Config, schema: &Arc<Schema>) -> Result<Tree, RunError> {
    let tree = Tree::initial(schema.clone());
    let Some(file) = &config.initial else { return Ok(tree) };
    let fail = |reason: String| RunError(format!("{}: {reason}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| fail(error.to_string()))?;
    let read = json::read(schema, &text).map_err(|errors| fail(list(&errors)))?;
    Validator::new(schema.clone()).validate_all(&tree.merged(&read)).map_err(|errors| fail(list(&errors)))
}

/// Errors on one line.
fn list(errors: &[impl std::fmt::Display]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn users(users: &[User]) -> Result<Users, RunError> {
    let mut known = Users::new();
    for user in users {
        for file in &user.authorized_keys {
            known.add_authorized_keys(&user.name, file).map_err(|error| RunError(error.to_string()))?;
        }
        if let Some(file) = &user.password_file {
            known.add_password_file(&user.name, file).map_err(|error| RunError(error.to_string()))?;
        }
    }
    Ok(known)
}

/// The rights of an agent that never ran (RFC 8341): groups as the file has them, the manager may do all, the controller writes what it
/// controls. From then on they are the operator's, in the running datastore.
fn rights(
    schema: &Arc<Schema>,
    container: &str,
    controlled: &[&str],
    users: &[User],
) -> Result<Tree, netconf::yang::serde::SerdeError> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for user in users {
        user.groups.iter().for_each(|group| groups.entry(group).or_default().push(&user.name));
    }
    let groups = groups.into_iter().map(|(name, user_name)| Group { name, user_name }).collect();
    let rule = |name: &str, path: Option<String>, operations| Rule {
        name: name.to_owned(),
        module_name: "*",
        path,
        access_operations: operations,
        action: "permit",
    };
    let path = |leaf: &&str| rule(leaf, Some(format!("/{container}/{leaf}")), "create update delete");
    let all = RuleList { name: "manager", group: ["manager"], rule: vec![rule("all", None, "*")] };
    let some = RuleList { name: "controller", group: ["controller"], rule: controlled.iter().map(path).collect() };
    let nacm = Nacm { groups: Groups { group: groups }, rule_list: vec![all, some] };
    to_tree(schema, &BTreeMap::from([("ietf-netconf-acm:nacm", nacm)]))
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Nacm<'a> {
    groups: Groups<'a>,
    rule_list: Vec<RuleList<'a>>,
}

#[derive(Serialize)]
struct Groups<'a> {
    group: Vec<Group<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Group<'a> {
    name: &'a str,
    user_name: Vec<&'a str>,
}

#[derive(Serialize)]
struct RuleList<'a> {
    name: &'a str,
    group: [&'a str; 1],
    rule: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Rule {
    name: String,
    module_name: &'static str,
    path: Option<String>,
    access_operations: &'static str,
    action: &'static str,
}
