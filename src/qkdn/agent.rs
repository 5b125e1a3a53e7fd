//! `qkdn agent`: one device's management agent, from a TOML file.

use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(clap::Subcommand)]
enum Kind {
    /// A QKD module, on reference point Mq
    QkdModule(Module),
}

#[derive(clap::Args)]
struct Module {
    /// The agent's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub async fn run(args: Args) -> Result<(), String> {
    let Kind::QkdModule(module) = args.kind;
    let _ = module.config;
    Err("not here yet".into())
}
