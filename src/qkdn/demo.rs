//! `qkdn demo`: a simulated QKD network in one process, and how to look at it.
//!
//! Everything is in one directory, which a further start goes on with:
//!
//! ```text
//! admin  admin.pub  admin.password   the user's key pair and password
//! known_hosts                        the host keys of the agents
//! qkd-a/agent.toml                   an agent's configuration, as `qkdn agent qkd-module` takes it
//! qkd-a/host_key  qkd-a/state/
//! demo.json                          what runs and where, while it runs
//! ```

mod guide;

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use agents::config::Config;
use netconf::server::record::{StateDirectory, make_directory, replace};
use netconf::transport::ssh::{self, HostKeyError};
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// The one user. It is in the group `manager`, which may do all.
const USER: &str = "admin";

/// Each agent has a journal, an event log and tasks of its own; this many start within a minute and fit in 1,024 open files.
const MAX_AGENTS: u16 = 100;

/// What tells others where the agents are.
const FILE: &str = "demo.json";

#[derive(clap::Args)]
pub struct Args {
    /// Keys, configuration and state; made if absent, used again if there
    #[arg(long, value_name = "DIR", default_value = "qkdn-demo")]
    dir: PathBuf,
    /// The first agent's port, the next ones follow; with 0 the system picks them
    #[arg(long, value_name = "PORT", default_value_t = 8300)]
    port_base: u16,
    /// How many QKD modules; two make a QKD link
    #[arg(long, value_name = "N", default_value_t = 2)]
    agents: u16,
}

/// The content of `demo.json`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Demo {
    directory: PathBuf,
    known_hosts: PathBuf,
    agents: Vec<Agent>,
}

/// A running agent.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Agent {
    /// As in `qkdn agent KIND`.
    kind: &'static str,
    name: String,
    resource_id: String,
    link_id: String,
    role: &'static str,
    address: String,
    port: u16,
    config: PathBuf,
    users: Vec<User>,
    #[serde(skip)]
    host_key: String,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    name: &'static str,
    private_key: PathBuf,
    public_key: PathBuf,
    password_file: PathBuf,
}

/// Runs until SIGINT or SIGTERM.
pub async fn run(args: Args) -> Result<(), String> {
    if args.agents == 0 || !args.agents.is_multiple_of(2) || args.agents > MAX_AGENTS {
        return Err(format!("--agents {}: an even number from 2 to {MAX_AGENTS} is wanted", args.agents));
    }
    if args.port_base.checked_add(args.agents - 1).is_none() {
        return Err(format!("--port-base {}: {} ports do not fit above it", args.port_base, args.agents));
    }
    // Another demo in the same directory would take this one's keys and ports for its own.
    let directory = StateDirectory::open(&args.dir).map_err(|e| e.to_string())?;
    let path = fs::canonicalize(directory.path()).map_err(|e| format!("{}: {e}", args.dir.display()))?;
    forget(&path)?;
    let user = user(&path)?;
    let shutdown = crate::terminate::on_signal()?;
    let mut tasks = JoinSet::new();
    let served = start_and_serve(&path, &args, &user, &shutdown, &mut tasks).await;
    shutdown.cancel();
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = how(ended) {
            tracing::warn!("{error}");
        }
    }
    served.and(forget(&path))
}

/// An error where something keeps an agent from starting or going on.
async fn start_and_serve(
    path: &Path,
    args: &Args,
    user: &User,
    shutdown: &CancellationToken,
    tasks: &mut JoinSet<Result<(), String>>,
) -> Result<(), String> {
    let mut demo = Demo { directory: path.to_owned(), known_hosts: path.join("known_hosts"), agents: Vec::new() };
    for index in 0..args.agents {
        let port = if args.port_base == 0 { 0 } else { args.port_base + index };
        let mut agent = prepare(path, user, index, port)?;
        let listens = start(&agent, shutdown, tasks)?;
        let address = tokio::select! {
            Ok(address) = listens => address,
            // This one says why it does not listen, or an earlier one why it gave up.
            Some(ended) = tasks.join_next() => return how(ended),
        };
        agent.port = address.port();
        println!("qkdn: {}, {} of a QKD link: serving NETCONF over SSH on {address}", agent.name, agent.role);
        demo.agents.push(agent);
    }
    publish(&demo)?;
    print!("{}", guide::text(&demo));
    // A pipe holds lines back until it is told.
    std::io::stdout().flush().map_err(|e| format!("standard output: {e}"))?;
    match tasks.join_next().await {
        Some(ended) => how(ended),
        None => Ok(()),
    }
}

fn how(ended: Result<Result<(), String>, JoinError>) -> Result<(), String> {
    ended.unwrap_or_else(|error| Err(format!("an agent failed: {error}")))
}

/// The keys and the configuration of an agent, the same at each start but for the port.
fn prepare(path: &Path, user: &User, index: u16, port: u16) -> Result<Agent, String> {
    let (transmitter, receiver) = (letters(index & !1), letters(index | 1));
    let (role, letter) = if index.is_multiple_of(2) { ("transmitter", &transmitter) } else { ("receiver", &receiver) };
    let name = format!("qkd-{letter}");
    let home = path.join(&name);
    make_directory(&home).map_err(|e| e.to_string())?;
    let agent = Agent {
        kind: "qkd-module",
        resource_id: format!("urn:qkdn:demo:module:{letter}"),
        link_id: format!("urn:qkdn:demo:link:{transmitter}-{receiver}"),
        role,
        address: Ipv4Addr::LOCALHOST.to_string(),
        port,
        config: home.join("agent.toml"),
        users: vec![user.clone()],
        host_key: key(&home.join("host_key"))?,
        name,
    };
    let config = configuration(&agent, u64::from(index) + 1);
    replace(&agent.config, |file| file.write_all(config.as_bytes())).map_err(|e| e.to_string())?;
    Ok(agent)
}

/// `a` to `z`, then `aa` and on.
fn letters(index: u16) -> String {
    let last = char::from(b'a' + u8::try_from(index % 26).expect("less than 26"));
    match index / 26 {
        0 => last.to_string(),
        more => format!("{}{last}", letters(more - 1)),
    }
}

fn configuration(agent: &Agent, seed: u64) -> String {
    let Agent { name, resource_id, link_id, role, address, port, .. } = agent;
    format!(
        r#"# Written by `qkdn demo` at each start: to change it, copy it, and run `qkdn agent {kind} --config FILE`.
name = "{name}"
resource-id = "{resource_id}"
listen = "{address}:{port}"
state-dir = "state"
host-key = "host_key"
driver = "simulated"

[[user]]
name = "{USER}"
authorized-keys = ["../{USER}.pub"]
password-file = "../{USER}.password"
groups = ["manager"]

[simulated]
link-id = "{link_id}"
role = "{role}"
seed = {seed}
length-km = 20.0
"#,
        kind = agent.kind
    )
}

/// Lets an agent run; where it listens comes back, or nothing if it ends before it does.
fn start(
    agent: &Agent,
    shutdown: &CancellationToken,
    tasks: &mut JoinSet<Result<(), String>>,
) -> Result<oneshot::Receiver<SocketAddr>, String> {
    let config = Config::load(&agent.config).map_err(|e| e.to_string())?;
    let (ready, address) = oneshot::channel();
    let (name, shutdown) = (agent.name.clone(), shutdown.clone());
    tasks.spawn(async move {
        let listens = move |address| {
            // Nobody waits any more where the demo is ending already.
            let _ = ready.send(address);
        };
        agents::run::qkd_module(config, shutdown, listens).await.map_err(|error| format!("{name}: {error}"))
    });
    Ok(address)
}

/// The user's key pair and password, made if absent.
fn user(path: &Path) -> Result<User, String> {
    let user = User {
        name: USER,
        private_key: path.join(USER),
        public_key: path.join(format!("{USER}.pub")),
        password_file: path.join(format!("{USER}.password")),
    };
    let public_key = key(&user.private_key)?;
    replace(&user.public_key, |file| writeln!(file, "{public_key}")).map_err(|e| e.to_string())?;
    if !user.password_file.exists() {
        let password = password().map_err(|e| format!("no random numbers for a password: {e}"))?;
        replace(&user.password_file, |file| writeln!(file, "{password}")).map_err(|e| e.to_string())?;
    }
    Ok(user)
}

/// The public half, in OpenSSH's form, of an Ed25519 key, which is made if absent (mode 0600).
fn key(path: &Path) -> Result<String, String> {
    let key = ssh::load_or_generate_host_key(path).map_err(|error| match error {
        HostKeyError::Io { path, source } => format!("key {path}: {source}"),
        HostKeyError::Key { path, reason } => format!("key {path}: {reason}"),
    })?;
    key.public_key().to_openssh().map_err(|error| format!("key {}: {error}", path.display()))
}

/// 128 random bits in hexadecimal.
fn password() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    }))
}

/// Writes where the agents are, in files that appear whole; `demo.json` last, because others wait for it.
fn publish(demo: &Demo) -> Result<(), String> {
    let known_hosts: String =
        demo.agents.iter().map(|agent| format!("[{}]:{} {}\n", agent.address, agent.port, agent.host_key)).collect();
    replace(&demo.known_hosts, |file| file.write_all(known_hosts.as_bytes())).map_err(|e| e.to_string())?;
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
