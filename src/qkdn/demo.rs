//! `qkdn demo`: the two ends of a QKD link behind their agents, on loopback, with all that is needed to look at them.
//!
//! Key managers, switches, a controller and the manager join in as they are written.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use agents::config::Config;
use netconf::transport::ssh::load_or_generate_host_key;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

#[derive(clap::Args)]
pub struct Args {
    /// Where keys, configuration and state are kept; made if absent, used again if there
    #[arg(long, value_name = "DIR", default_value = "qkdn-demo")]
    dir: PathBuf,
    /// The first of the ports, one for each agent; 0 lets the system pick them
    #[arg(long, value_name = "N", default_value_t = 8300)]
    port_base: u16,
}

const USER: &str = "admin";
const LINK: &str = "urn:qkdn:link:a-b";

/// One agent of the demonstration.
struct Member {
    name: &'static str,
    role: &'static str,
    seed: u64,
}

const MEMBERS: [Member; 2] =
    [Member { name: "qkd-a", role: "transmitter", seed: 1 }, Member { name: "qkd-b", role: "receiver", seed: 2 }];

/// NETCONF sessions to send through `ssh -s … netconf`, each a file.
const SESSIONS: [(&str, &str, &str); 3] = [
    (
        "get.xml",
        "what the module measures",
        "<get><filter><qkd-module xmlns=\"urn:qkdn:yang:qkdn-mq\"><state/></qkd-module><alarms \
         xmlns=\"urn:ietf:params:xml:ns:yang:ietf-alarms\"><alarm-list/></alarms></filter></get>",
    ),
    ("cut.xml", "cut the fibre", "<inject-fault xmlns=\"urn:qkdn:yang:qkdn-simulation\"><fibre-cut/></inject-fault>"),
    ("mend.xml", "mend it", "<clear-fault xmlns=\"urn:qkdn:yang:qkdn-simulation\"><all/></clear-fault>"),
];

#[derive(serde::Serialize)]
struct Inventory<'d> {
    agents: Vec<Listed<'d>>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct Listed<'d> {
    kind: &'static str,
    name: &'static str,
    address: String,
    port: u16,
    users: [Account<'d>; 1],
    known_hosts: &'d Path,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct Account<'d> {
    name: &'static str,
    key_file: &'d Path,
    password_file: &'d Path,
}

pub async fn run(args: Args) -> Result<(), String> {
    let dir = prepare(&args.dir)?;
    let (key, password) = (dir.join("admin_key"), dir.join("admin.password"));
    let admin = load_or_generate_host_key(&key).map_err(|e| e.to_string())?;
    let public = admin.public_key().to_openssh().map_err(|e| e.to_string())?;
    write(&dir.join("admin_key.pub"), &format!("{public}\n"))?;
    if !password.exists() {
        write(&password, &format!("{}\n", random_word()?))?;
    }
    let shutdown = crate::terminate::on_signal()?;
    let mut running = JoinSet::new();
    let mut known_hosts = String::new();
    let mut addresses = Vec::new();
    println!("quantum layer");
    for (i, member) in MEMBERS.iter().enumerate() {
        let port = if args.port_base == 0 { Some(0) } else { args.port_base.checked_add(i as u16) };
        let port = port.ok_or("--port-base leaves no room for all agents")?;
        let address = start(&dir, member, port, &shutdown, &mut running).await?;
        println!("  {}  QKD module, {:11}  {address}", member.name, member.role);
        let host_key = load_or_generate_host_key(&dir.join(member.name).join("host_key")).map_err(|e| e.to_string())?;
        let host_key = host_key.public_key().to_openssh().map_err(|e| e.to_string())?;
        known_hosts.push_str(&format!("[{}]:{} {host_key}\n", address.ip(), address.port()));
        addresses.push(address);
    }
    let known = dir.join("known_hosts");
    write(&known, &known_hosts)?;
    for (file, _, operation) in SESSIONS {
        write(&dir.join(file), &session(operation))?;
    }
    let listed = MEMBERS.iter().zip(&addresses).map(|(member, address)| Listed {
        kind: "qkd-module",
        name: member.name,
        address: address.ip().to_string(),
        port: address.port(),
        users: [Account { name: USER, key_file: &key, password_file: &password }],
        known_hosts: &known,
    });
    let inventory = serde_json::to_string_pretty(&Inventory { agents: listed.collect() }).map_err(|e| e.to_string())?;
    write(&dir.join("demo.json"), &inventory)?;
    explain(&dir, addresses[1]);
    while let Some(ended) = running.join_next().await {
        ended.map_err(|e| e.to_string())??;
    }
    Ok(())
}

/// The directory, absolute: what is printed works from anywhere.
fn prepare(dir: &Path) -> Result<PathBuf, String> {
    std::fs::create_dir_all(dir).map_err(|e| format!("--dir {}: {e}", dir.display()))?;
    dir.canonicalize().map_err(|e| format!("--dir {}: {e}", dir.display()))
}

/// Starts one agent, and returns when it listens.
async fn start(
    dir: &Path,
    member: &Member,
    port: u16,
    shutdown: &CancellationToken,
    running: &mut JoinSet<Result<(), String>>,
) -> Result<SocketAddr, String> {
    let own = prepare(&dir.join(member.name))?;
    let file = own.join("agent.toml");
    let Member { name, role, seed } = member;
    write(
        &file,
        &format!(
            "name = \"{name}\"\nresource-id = \"urn:qkdn:module:{name}\"\nlisten = \"127.0.0.1:{port}\"\n\
             state-dir = \"state\"\nhost-key = \"host_key\"\ndriver = \"simulated\"\n\n\
             [[user]]\nname = \"{USER}\"\nauthorized-keys = [\"../admin_key.pub\"]\n\
             password-file = \"../admin.password\"\ngroups = [\"manager\"]\n\n\
             [simulated]\nlink-id = \"{LINK}\"\nrole = \"{role}\"\nseed = {seed}\nlength-km = 20.0\n"
        ),
    )?;
    let config = Config::load(&file).map_err(|e| e.to_string())?;
    let (ready, listening) = oneshot::channel();
    let shutdown = shutdown.clone();
    let tell = move |address| {
        // Whoever waits is in this function.
        let _ = ready.send(address);
    };
    running.spawn(async move { agents::run::qkd_module(config, shutdown, tell).await.map_err(|e| e.to_string()) });
    tokio::select! {
        address = listening => match address {
            Ok(address) => Ok(address),
            Err(_) => Err(match running.join_next().await {
                Some(Ok(Err(error))) => format!("{name}: {error}"),
                _ => format!("{name} did not start"),
            }),
        },
    }
}

/// A whole session of base:1.0: hello, one operation, close.
fn session(operation: &str) -> String {
    const BASE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";
    format!(
        "<hello xmlns=\"{BASE}\"><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities>\
         </hello>]]>]]>\n<rpc message-id=\"1\" xmlns=\"{BASE}\">{operation}</rpc>]]>]]>\n\
         <rpc message-id=\"2\" xmlns=\"{BASE}\"><close-session/></rpc>]]>]]>\n"
    )
}

fn explain(dir: &Path, receiver: SocketAddr) {
    let (dir, host, port) = (dir.display(), receiver.ip(), receiver.port());
    let ssh =
        format!("ssh -i {dir}/admin_key -o UserKnownHostsFile={dir}/known_hosts -p {port} {USER}@{host} -s netconf");
    println!("\nLook at the receiver from another terminal:");
    for (file, what, _) in SESSIONS {
        println!("  {ssh} < {dir}/{file}    # {what}");
    }
    println!("or with netopeer2-cli (the password is in {dir}/admin.password):");
    println!("  connect --ssh --host {host} --port {port} --login {USER}");
    println!("or wait for its next alarm with ncclient:");
    println!(
        "  python3 -c \"from ncclient import manager; m = manager.connect(host='{host}', port={port}, \
         username='{USER}', key_filename='{dir}/admin_key', hostkey_verify=False, look_for_keys=False, \
         allow_agent=False); m.create_subscription(filter=('subtree', \
         '<alarm-notification xmlns=\\'urn:ietf:params:xml:ns:yang:ietf-alarms\\'/>')); \
         print(m.take_notification().notification_xml)\""
    );
    println!("\n{dir}/demo.json lists the agents. Ctrl-C ends them; what they keep is there at the next start.");
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    // Under another name first: whoever reads it sees all of it or what was there before.
    let draft = path.with_extension("draft");
    let written = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft);
    written
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| std::fs::rename(&draft, path))
        .map_err(|e| format!("{}: {e}", path.display()))
}

fn random_word() -> Result<String, String> {
    use std::io::Read;
    let mut bytes = [0; 12];
    let source = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    source.map_err(|e| format!("/dev/urandom: {e}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
