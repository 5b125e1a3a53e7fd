//! `qkdn`: manager, agents and tools for QKD networks in one binary.

mod agent;
mod cli;
mod demo;
mod log;
mod manager;
mod serve;
mod terminate;

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Subcommand};

/// Manages quantum key distribution networks over NETCONF (ITU-T Y.3804).
#[derive(clap::Parser)]
#[command(name = "qkdn", version, about, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run simulated QKD links with an agent for each module, and show how to look at them
    Demo(demo::Args),
    /// Serve NETCONF over SSH for any YANG modules, without a device behind them
    Serve(Box<serve::Args>),
    /// Run the management agent of one device
    Agent(agent::Args),
    /// Prepare a QKDN manager, or run it
    Manager(manager::Args),
    #[command(flatten)]
    Operate(cli::Command),
}

fn main() -> ExitCode {
    in_utc();
    let matches = command().get_matches();
    let servers = ["agent", "manager", "serve"];
    let serves = matches.subcommand_name().is_some_and(|name| servers.contains(&name));
    log::start(if serves { log::OPERATOR } else { log::WARNINGS });
    run(&matches).unwrap_or_else(|error| {
        eprintln!("qkdn: {error}");
        ExitCode::FAILURE
    })
}

fn command() -> clap::Command {
    cli::with_options(Cli::command().mut_subcommand("serve", serve::order_matters))
}

fn run(matches: &ArgMatches) -> Result<ExitCode, String> {
    let cli = Cli::from_arg_matches(matches).map_err(|e| e.to_string())?;
    if !matches!(cli.command, Task::Operate(_)) {
        cli::refuse_options(matches).unwrap_or_else(|error| error.exit());
    }
    let _ = netconf::transport::raise_open_file_limit().map_err(|error| {
        // The usual limit serves a thousand sessions.
        tracing::warn!(%error, "the limit on open files stays as it is");
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("the runtime does not start: {e}"))?;
    let done = match cli.command {
        Task::Serve(args) => {
            let users = serve::users(matches.subcommand_matches("serve").ok_or("no arguments")?)?;
            runtime.block_on(serve::run(*args, users))
        }
        Task::Agent(args) => runtime.block_on(agent::run(args)),
        Task::Manager(args) => runtime.block_on(manager::run(args)),
        Task::Demo(args) => runtime.block_on(demo::run(args)),
        Task::Operate(asked) => {
            let options = cli::options(matches).map_err(|e| e.to_string())?;
            return Ok(runtime.block_on(cli::run(asked, options, command)));
        }
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// libyang writes times in the process's zone, and NETCONF is to show UTC: the zone is set before anything else runs,
/// by starting over, because an environment cannot be changed safely later.
fn in_utc() {
    if std::env::var_os("TZ").is_some_and(|zone| zone == "UTC") {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        use std::os::unix::process::CommandExt;
        // Returns only on failure: then times are shown in the zone of the machine.
        let _error = std::process::Command::new(program).args(std::env::args_os().skip(1)).env("TZ", "UTC").exec();
    }
}
