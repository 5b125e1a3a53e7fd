//! `qkdn demo`: a simulated QKD network with its agents and its manager in one process, and how to look at it.
//!
//! Everything is in one directory, which a further start goes on with:
//!
//! ```text
//! admin  admin.pub  admin.password   the operator's key pair and password, at the manager and at every agent
//! controller  controller.pub         the controller's, at every agent
//! known_hosts                        the host keys of all of them
//! topology.toml                      the network
//! agents/NAME/agent.toml             an agent's configuration, as `qkdn agent KIND` takes it
//! manager/manager.toml               the manager's, as `qkdn manager run` takes it, with the keys of QLM, KMLM and QCLM
//! demo.json                          what runs and where, while it runs
//! ```

mod guide;
mod keys;
mod manager;
mod ports;
mod progress;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use agents::fleet::{self, Fleet, Member};
use agents::topology::Topology;
use netconf::server::record::{StateDirectory, replace};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use keys::User;
use manager::Manager;
use ports::Ports;
use progress::Progress;

/// The operator. It may do all.
const USER: &str = "admin";

/// What tells others where everything is.
const FILE: &str = "demo.json";

#[derive(clap::Args)]
pub struct Args {
    /// Keys, configuration and state; made if absent, used again if there
    #[arg(long, value_name = "DIR", default_value = "qkdn-demo")]
    dir: PathBuf,
    /// The network: tokyo, hefei, lab, or a file; `qkdn sim generate` writes one of any size
    #[arg(long, value_name = "NAME|FILE", default_value = "tokyo")]
    topology: String,
    /// The manager's port, those of the agents follow; with 0 free ones are picked at the first start, and they stay
    #[arg(long, value_name = "PORT", default_value_t = 8300)]
    port_base: u16,
    /// Prepare the manager and do not start it
    #[arg(long)]
    no_manager: bool,
    /// Prepare this agent and do not start it; may be given again
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
}

/// The content of `demo.json`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Demo {
    directory: PathBuf,
    topology: String,
    known_hosts: PathBuf,
    manager: Manager,
    agents: Vec<Agent>,
}

/// An agent, and who may log in.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Agent {
    #[serde(flatten)]
    member: Member,
    users: Vec<User>,
}

/// Runs until SIGINT or SIGTERM.
pub async fn run(args: Args) -> Result<(), String> {
    let topology = Topology::load(&args.topology).map_err(|e| e.to_string())?;
    // Another demo in the same directory would take this one's keys and ports for its own.
    let directory = StateDirectory::open(&args.dir).map_err(|e| e.to_string())?;
    let path = fs::canonicalize(directory.path()).map_err(|e| format!("{}: {e}", args.dir.display()))?;
    forget(&path)?;
    keep_topology(&path, &topology)?;
    let shutdown = crate::terminate::on_signal()?;
    let served = serve(&path, &args, &topology, &shutdown).await;
    shutdown.cancel();
    served.and(forget(&path))
}

/// An error where something keeps an agent or the manager from starting or going on.
async fn serve(path: &Path, args: &Args, topology: &Topology, shutdown: &CancellationToken) -> Result<(), String> {
    let operator = keys::user(path, USER)?;
    let controller = path.join("controller");
    let agents = topology.agents();
    let starts = agents.iter().map(|plan| !args.without.contains(&plan.name));
    let starts: Vec<bool> = std::iter::once(!args.no_manager).chain(starts).collect();
    let ports = Ports::choose(args.port_base, manager::earlier_port(path), &starts)?;
    let manager = Manager::prepare(path, &operator, ports.manager)?;
    let options = fleet::Options {
        directory: path.to_owned(),
        topology: path.join("topology.toml").display().to_string(),
        port_base: ports.agents,
        users: users(path, &operator, &controller)?,
        controller_key: controller,
        without: args.without.iter().cloned().collect(),
    };
    let mut starting = agents;
    starting.retain(|plan| !options.without.contains(&plan.name));
    let progress = Progress::new(&starting);
    let started = Fleet::start(topology, &options, shutdown, |member| progress.serves(member)).await;
    let mut fleet = started.map_err(|e| e.to_string())?;
    let agents = fleet.members.iter().map(|member| Agent { member: member.clone(), users: vec![operator.clone()] });
    let demo = Demo {
        directory: path.to_owned(),
        topology: topology.name.clone(),
        known_hosts: path.join("known_hosts"),
        manager,
        agents: agents.collect(),
    };
    write_known_hosts(&demo)?;
    demo.manager.plan(&fleet.members)?;
    let ended = if args.no_manager {
        publish(&demo)?;
        say(&guide::without_manager(&demo))?;
        fleet.ended().await.map_err(|e| e.to_string())
    } else {
        let mut managed = std::pin::pin!(manage(&demo, &progress, shutdown));
        tokio::select! {
            managed = &mut managed => managed,
            // At a signal, or by itself where an agent gives up. Either way the manager has its store to close.
            ended = fleet.ended() => {
                shutdown.cancel();
                let managed = managed.await;
                ended.map_err(|e| e.to_string()).and(managed)
            }
        }
    };
    shutdown.cancel();
    ended.and(fleet.ended().await.map_err(|e| e.to_string()))
}

/// Runs the manager; when every device is operational, tells how to look at it.
async fn manage(demo: &Demo, progress: &Progress, shutdown: &CancellationToken) -> Result<(), String> {
    let (ready, listens) = tokio::sync::oneshot::channel();
    let mut running = tokio::spawn(demo.manager.run(shutdown.clone(), ready)?);
    let watching = async {
        // Where the manager ends before it listens, it says why itself.
        if listens.await.is_err() {
            return std::future::pending().await;
        }
        progress.manager_serves(&demo.manager);
        progress.until_operational(demo).await?;
        publish(demo)?;
        say(&guide::text(demo))
    };
    let watched = tokio::select! {
        watched = watching => watched,
        ended = &mut running => return ended.map_err(|e| format!("the manager failed: {e}"))?,
    };
    if watched.is_err() {
        shutdown.cancel();
    }
    let ended = running.await.map_err(|e| format!("the manager failed: {e}"))?;
    watched.and(ended)
}

/// Everyone who logs in at the agents: the operator, the manager's functions, the controller.
fn users(path: &Path, operator: &User, controller: &Path) -> Result<Vec<fleet::User>, String> {
    let public = |private: &Path| -> Result<PathBuf, String> {
        let public = private.with_extension("pub");
        let key = keys::key(private)?;
        replace(&public, |file| writeln!(file, "{key}")).map_err(|e| e.to_string())?;
        Ok(public)
    };
    let mut users = vec![fleet::User {
        name: operator.name.to_owned(),
        public_key: operator.public_key.clone(),
        password_file: Some(operator.password_file.clone()),
        groups: vec!["manager".to_owned()],
    }];
    for function in ::manager::init::FUNCTIONS {
        users.push(fleet::User {
            name: function.to_owned(),
            public_key: public(&manager::home(path).join(function))?,
            password_file: None,
            groups: vec!["manager".to_owned()],
        });
    }
    users.push(fleet::User {
        name: "controller".to_owned(),
        public_key: public(controller)?,
        password_file: None,
        groups: vec!["controller".to_owned()],
    });
    Ok(users)
}

/// A directory is of one network: its state would not fit another.
fn keep_topology(path: &Path, topology: &Topology) -> Result<(), String> {
    let file = path.join("topology.toml");
    if let Ok(before) = fs::read_to_string(&file) {
        let name = file.display().to_string();
        let before = Topology::parse(&before, &name).map_err(|e| e.to_string())?;
        if before.name != topology.name {
            let dir = path.display();
            return Err(format!("{dir} is of the network {}: choose another --dir for {}", before.name, topology.name));
        }
    }
    replace(&file, |out| out.write_all(topology.to_toml().as_bytes())).map_err(|e| e.to_string())
}

fn write_known_hosts(demo: &Demo) -> Result<(), String> {
    let line = |address: &str, port: u16, key: &str| format!("[{address}]:{port} {key}\n");
    let manager = &demo.manager;
    let mut known_hosts = line(&manager.address, manager.port, &manager.host_key);
    for Agent { member, .. } in &demo.agents {
        known_hosts.push_str(&line(&member.address, member.port, &member.host_key));
    }
    replace(&demo.known_hosts, |file| file.write_all(known_hosts.as_bytes())).map_err(|e| e.to_string())
}

/// Says where everything is, last of all, because others wait for it.
fn publish(demo: &Demo) -> Result<(), String> {
    let json = serde_json::to_string_pretty(demo).map_err(|e| format!("{FILE}: {e}"))?;
    replace(&demo.directory.join(FILE), |file| writeln!(file, "{json}")).map_err(|e| e.to_string())
}

/// Takes away what an earlier demo said of where it was.
fn forget(path: &Path) -> Result<(), String> {
    let file = path.join(FILE);
    match fs::remove_file(&file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {error}", file.display())),
        _ => Ok(()),
    }
}

/// A pipe holds lines back until it is told.
fn say(text: &str) -> Result<(), String> {
    print!("{text}");
    std::io::stdout().flush().map_err(|e| format!("standard output: {e}"))
}
