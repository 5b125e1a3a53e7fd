//! `qkdn agent`: one device's management agent, from a TOML file.

use std::path::PathBuf;

use agents::config::Config;
use agents::topology::AgentKind;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(clap::Subcommand)]
enum Kind {
    /// A QKD module, on reference point Mq
    QkdModule(File),
    /// A key manager, on Mk
    KeyManager(File),
    /// An optical switch, on Mops
    OpticalSwitch(File),
    /// A quantum relay point, on Mqrp
    RelayPoint(File),
    /// A QKDN controller, on Mc
    Controller(File),
}

#[derive(clap::Args)]
struct File {
    /// The agent's configuration; docs/agents.md tells its keys
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub async fn run(args: Args) -> Result<(), String> {
    let (kind, File { config }) = match args.kind {
        Kind::QkdModule(file) => (AgentKind::QkdModule, file),
        Kind::KeyManager(file) => (AgentKind::KeyManager, file),
        Kind::OpticalSwitch(file) => (AgentKind::OpticalSwitch, file),
        Kind::RelayPoint(file) => (AgentKind::RelayPoint, file),
        Kind::Controller(file) => (AgentKind::Controller, file),
    };
    let config = Config::load(&config).map_err(|e| e.to_string())?;
    let shutdown = crate::terminate::on_signal()?;
    let ready = |address| println!("qkdn: serving NETCONF over SSH on {address}");
    agents::run::agent(kind, config, None, shutdown, ready).await.map_err(|e| e.to_string())
}
