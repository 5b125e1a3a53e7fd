//! `qkdn agent`: one device's management agent, from a TOML file.

use std::path::PathBuf;

use agents::config::Config;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(clap::Subcommand)]
enum Kind {
    /// A QKD module, on reference point Mq
    QkdModule(File),
}

#[derive(clap::Args)]
struct File {
    /// The agent's configuration; docs/agents.md tells its keys
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub async fn run(args: Args) -> Result<(), String> {
    let Kind::QkdModule(File { config }) = args.kind;
    let config = Config::load(&config).map_err(|e| e.to_string())?;
    let shutdown = crate::terminate::on_signal()?;
    let ready = |address| println!("qkdn: serving NETCONF over SSH on {address}");
    agents::run::qkd_module(config, shutdown, ready).await.map_err(|e| e.to_string())
}
