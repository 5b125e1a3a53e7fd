//! All agents of a topology in one process, on one simulated network.
//!
//! Each has a directory with what `qkdn agent KIND --config` needs to run it alone:
//!
//! ```text
//! agents/NAME/agent.toml  initial.json  host_key  state/
//! agents/directory.json                                   where they are, for the controller
//! ```

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use netconf::server::record::{make_directory, replace};
use netconf::transport::ssh;
use serde::Serialize;
use thiserror::Error;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::agent::system_clock;
use crate::config::Config;
use crate::controller::client::Entry;
use crate::network::Network;
use crate::run::{self, RunError};
use crate::topology::{AgentKind, AgentPlan, Topology};

/// Agents that start at the same time: enough for every core, and few open files beyond those that they keep.
const STARTING: usize = 16;

/// Where in a fleet's directory its agents are.
const AGENTS: &str = "agents";

/// How a fleet is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everything is below it.
    pub directory: PathBuf,
    /// The file of the topology, or its built-in name: for an agent that is run alone.
    pub topology: String,
    /// The first agent's port, the next ones follow; 0: the system picks them at the first start, and they stay.
    pub port_base: u16,
    pub users: Vec<User>,
    /// The private key with which the controller logs in.
    pub controller_key: PathBuf,
    /// Agents that are prepared and not started.
    pub without: BTreeSet<String>,
}

/// Who may log in at every agent. The files stand in the fleet's directory.
#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    pub public_key: PathBuf,
    pub password_file: Option<PathBuf>,
    /// NACM groups: `manager`, `controller`.
    pub groups: Vec<String>,
}

/// An agent of the fleet.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Member {
    pub kind: AgentKind,
    pub name: String,
    pub resource_id: String,
    pub address: String,
    pub port: u16,
    /// Public, in OpenSSH's form.
    pub host_key: String,
    pub config: PathBuf,
    /// False: it was left out.
    pub started: bool,
}

/// Why a fleet does not start, or ended: one line that says what to do.
#[derive(Debug, Error)]
pub enum FleetError {
    #[error("there is no agent {0} to leave out")]
    Unknown(String),
    #[error("port {base}: {agents} ports do not fit above it")]
    Ports { base: u16, agents: usize },
    #[error("{0}")]
    File(String),
    #[error("agent {name}: {error}")]
    Agent { name: String, error: RunError },
    #[error("an agent failed: {0}")]
    Panicked(String),
    #[error("agent {0} ended before it listened, and does not say why")]
    Silent(String),
}

/// Running agents. Dropped, it leaves them running until their shutdown.
#[derive(Debug)]
pub struct Fleet {
    pub members: Vec<Member>,
    tasks: JoinSet<Result<(), FleetError>>,
}

impl Fleet {
    /// Prepares all agents of a topology and starts them, layer by layer; `progress` hears of each that serves.
    pub async fn start(
        topology: &Topology,
        options: &Options,
        shutdown: &CancellationToken,
        mut progress: impl FnMut(&Member),
    ) -> Result<Fleet, FleetError> {
        let plans = topology.agents();
        if let Some(unknown) = options.without.iter().find(|name| !plans.iter().any(|plan| plan.name == **name)) {
            return Err(FleetError::Unknown(unknown.clone()));
        }
        let fits = usize::from(u16::MAX - options.port_base) >= plans.len();
        if options.port_base != 0 && !fits {
            return Err(FleetError::Ports { base: options.port_base, agents: plans.len() });
        }
        let network = Network::new(topology, system_clock()());
        let mut fleet = Fleet { members: Vec::with_capacity(plans.len()), tasks: JoinSet::new() };
        let started = fleet.start_all(&plans, options, &network, shutdown, &mut progress).await;
        if let Err(error) = started {
            shutdown.cancel();
            while fleet.tasks.join_next().await.is_some() {}
            return Err(error);
        }
        Ok(fleet)
    }

    /// Returns when an agent gives up, or when all have ended after their shutdown.
    pub async fn ended(&mut self) -> Result<(), FleetError> {
        while let Some(ended) = self.tasks.join_next().await {
            how(ended)?;
        }
        Ok(())
    }

    async fn start_all(
        &mut self,
        plans: &[AgentPlan],
        options: &Options,
        network: &Arc<Network>,
        shutdown: &CancellationToken,
        progress: &mut impl FnMut(&Member),
    ) -> Result<(), FleetError> {
        let turns = Arc::new(Semaphore::new(STARTING));
        // Layer by layer, and the controller last: it needs to know where the others are. Switches first: before they have their
        // configuration, modules would see the light of a path that is not in use.
        let mut kinds: Vec<AgentKind> = plans.iter().map(|plan| plan.kind).collect();
        kinds.dedup();
        kinds.sort_by_key(|kind| *kind != AgentKind::OpticalSwitch);
        for kind in kinds {
            if kind == AgentKind::Controller {
                write_directory(&options.directory, &self.members)?;
            }
            let mut listening = Vec::new();
            for (index, plan) in plans.iter().enumerate().filter(|(_, plan)| plan.kind == kind) {
                let mut member = prepare(plan, index, options)?;
                if options.without.contains(&plan.name) {
                    member.started = false;
                    self.members.push(member);
                    continue;
                }
                let config = Config::load(&member.config).map_err(|error| FleetError::File(error.to_string()))?;
                let (ready, address) = oneshot::channel::<SocketAddr>();
                let (shutdown, network, turns) = (shutdown.clone(), network.clone(), turns.clone());
                let name = member.name.clone();
                self.tasks.spawn(async move {
                    let turn = turns.acquire_owned().await;
                    let ready = move |address| {
                        drop(turn);
                        // Nobody waits any more where the fleet ends already.
                        let _sent = ready.send(address);
                    };
                    let ran = run::agent(kind, config, Some(network), shutdown, ready).await;
                    ran.map_err(|error| FleetError::Agent { name, error })
                });
                listening.push((member, address, index));
            }
            for (mut member, mut address, index) in listening {
                let address = loop {
                    tokio::select! {
                        biased;
                        Ok(address) = &mut address => break address,
                        // This one says why it does not listen, or another why it gave up.
                        Some(ended) = self.tasks.join_next() => how(ended)?,
                        else => return Err(FleetError::Silent(member.name)),
                    }
                };
                if member.port != address.port() {
                    member.port = address.port();
                    write_config(&member, options, index)?;
                }
                progress(&member);
                self.members.push(member);
            }
        }
        write_directory(&options.directory, &self.members)
    }
}

fn how(ended: Result<Result<(), FleetError>, tokio::task::JoinError>) -> Result<(), FleetError> {
    ended.unwrap_or_else(|error| Err(FleetError::Panicked(error.to_string())))
}

/// The files of an agent, the same at each start. A port that the system picked once stays.
fn prepare(plan: &AgentPlan, index: usize, options: &Options) -> Result<Member, FleetError> {
    let file = |error: &dyn std::fmt::Display| FleetError::File(error.to_string());
    let home = options.directory.join(AGENTS).join(&plan.name);
    make_directory(&home).map_err(|error| file(&error))?;
    let config = home.join("agent.toml");
    let key = ssh::load_or_generate_host_key(&home.join("host_key")).map_err(|error| file(&error))?;
    let host_key = key.public_key().to_openssh().map_err(|error| file(&error))?;
    let index_port = u16::try_from(index).ok().and_then(|index| options.port_base.checked_add(index));
    let port = match options.port_base {
        0 => earlier_port(&config)
            .map_or_else(|| if options.without.contains(&plan.name) { free_port() } else { Ok(0) }, Ok)?,
        base => index_port.ok_or(FleetError::Ports { base, agents: index + 1 })?,
    };
    let initial = serde_json::to_string_pretty(&plan.initial).map_err(|error| file(&error))?;
    write(&home.join("initial.json"), &initial)?;
    let member = Member {
        kind: plan.kind,
        name: plan.name.clone(),
        resource_id: plan.resource_id.clone(),
        address: Ipv4Addr::LOCALHOST.to_string(),
        port,
        host_key,
        config,
        started: true,
    };
    write_config(&member, options, index)?;
    Ok(member)
}

/// The port that an agent had at an earlier start.
fn earlier_port(config: &Path) -> Option<u16> {
    let config = Config::load(config).ok()?;
    config.listen.rsplit(':').next()?.parse().ok().filter(|port| *port != 0)
}

/// A port that is free now, for an agent that somebody starts later.
fn free_port() -> Result<u16, FleetError> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).map_err(|error| FleetError::File(format!("no free port: {error}")))
}

fn write_config(member: &Member, options: &Options, index: usize) -> Result<(), FleetError> {
    let Member { kind, name, resource_id, address, port, config, .. } = member;
    let file = |path: &Path| {
        let inside = path.strip_prefix(&options.directory).map(|path| Path::new("../..").join(path));
        toml::Value::String(inside.unwrap_or(path.to_owned()).display().to_string())
    };
    let mut text = format!(
        "# Written at each start of the fleet: to change it, copy it, and run `qkdn agent {kind} --config FILE`.\n\
         name = \"{name}\"\nresource-id = \"{resource_id}\"\nlisten = \"{address}:{port}\"\n\
         state-dir = \"state\"\nhost-key = \"host_key\"\ninitial = \"initial.json\"\n",
        kind = kind.name(),
    );
    let mut line = |line: std::fmt::Arguments<'_>| writeln!(text, "{line}").expect("a String takes all");
    for user in &options.users {
        line(format_args!("\n[[user]]\nname = \"{}\"\nauthorized-keys = [{}]", user.name, file(&user.public_key)));
        if let Some(password) = &user.password_file {
            line(format_args!("password-file = {}", file(password)));
        }
        let groups: Vec<String> = user.groups.iter().map(|group| format!("\"{group}\"")).collect();
        line(format_args!("groups = [{}]", groups.join(", ")));
    }
    if *kind == AgentKind::Controller {
        let directory = options.directory.join(AGENTS).join("directory.json");
        line(format_args!("\n[controller]\nkey = {}\ndirectory = {}", file(&options.controller_key), file(&directory)));
    } else {
        let is_file = options.topology.contains(['/', '.']);
        let topology =
            if is_file { file(Path::new(&options.topology)) } else { toml::Value::String(options.topology.clone()) };
        line(format_args!("\n[simulated]\ntopology = {topology}\nseed = {}", index + 1));
    }
    write(config, &text)
}

fn write_directory(directory: &Path, members: &[Member]) -> Result<(), FleetError> {
    let entries: Vec<Entry> = members
        .iter()
        .filter(|member| member.kind != AgentKind::Controller)
        .map(|member| Entry {
            kind: member.kind,
            name: member.name.clone(),
            resource_id: member.resource_id.clone(),
            address: member.address.clone(),
            port: member.port,
            host_key: member.host_key.clone(),
            user: Some("controller".to_owned()),
        })
        .collect();
    let text = serde_json::to_string_pretty(&entries).map_err(|error| FleetError::File(error.to_string()))?;
    write(&directory.join(AGENTS).join("directory.json"), &text)
}

/// A file that appears whole, and is left alone where it is the same.
fn write(path: &Path, text: &str) -> Result<(), FleetError> {
    if std::fs::read_to_string(path).is_ok_and(|before| before == text) {
        return Ok(());
    }
    replace(path, |file| file.write_all(text.as_bytes())).map_err(|error| FleetError::File(error.to_string()))
}
