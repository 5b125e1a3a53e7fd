//! `qkdn manager`: prepares a QKDN manager, and runs it.

use std::path::PathBuf;

use manager::config::Config;
use manager::init::{Init, init};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(clap::Subcommand)]
enum Task {
    /// Make a directory with keys, the first administrator and a configuration
    Init(Prepare),
    /// Manage the configured devices, and serve NETCONF over SSH
    Run(File),
}

#[derive(clap::Args)]
struct Prepare {
    /// Made if absent; what is in it is never overwritten
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Where the manager will listen; port 0 lets the system pick one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8830")]
    listen: String,
    /// The first user, who may do all
    #[arg(long, value_name = "NAME", default_value = "admin")]
    admin: String,
    /// That user's public key, in OpenSSH's form; a key pair is made where there is none
    #[arg(long, value_name = "FILE")]
    admin_key: Option<PathBuf>,
}

#[derive(clap::Args)]
struct File {
    /// The manager's configuration; docs/manager.md tells its keys
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub async fn run(args: Args) -> Result<(), String> {
    match args.task {
        Task::Init(Prepare { dir, listen, admin, admin_key }) => {
            let made = init(&Init { directory: dir, listen, admin, admin_key }).map_err(|e| e.to_string())?;
            for line in made.lines {
                println!("qkdn: {line}");
            }
            println!("qkdn: next: qkdn manager run --config {}", made.config.display());
            Ok(())
        }
        Task::Run(File { config }) => {
            let config = Config::load(&config).map_err(|e| e.to_string())?;
            let shutdown = crate::terminate::on_signal()?;
            let ready = |address| println!("qkdn: the manager serves NETCONF over SSH on {address}");
            manager::run::run(config, shutdown, ready).await.map_err(|e| e.to_string())
        }
    }
}
