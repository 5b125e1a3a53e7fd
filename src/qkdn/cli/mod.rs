//! The operator's commands: each asks a running QKDN manager over its northbound NETCONF, and shows the answer.
//!
//! Exit codes: 0 done; 1 failed; 2 wrong usage; 3 no such thing; 4 denied; 5 done in part.

mod alarm;
mod client;
mod device;
mod filter;
mod find;
mod inventory;
mod nacm;
mod pm;
mod procedure;
mod sim;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod topology;
mod value;

use std::process::ExitCode;

use clap::{ArgMatches, FromArgMatches};

use client::Reach;
use table::{Format, Output};

const EXIT_CODES: &str = "Exit codes of the commands that ask a manager: 0 done, 1 failed, 2 wrong usage, 3 no such thing, 4 denied, \
5 done in part (status: not every managed device is operational).";

// Options of all these commands, at any place. Not a doc comment: clap would describe every one of the commands by it.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A directory of `qkdn demo`: its demo.json tells where the manager is [env: QKDN_DIR] [default: qkdn-demo]
    #[arg(long, value_name = "DIR", help_heading = "The manager")]
    dir: Option<std::path::PathBuf>,
    /// Where the manager listens, instead of --dir
    #[arg(long = "manager", value_name = "HOST:PORT", help_heading = "The manager")]
    address: Option<String>,
    /// Log in as this user [default: admin]
    #[arg(long, value_name = "NAME", help_heading = "The manager")]
    user: Option<String>,
    /// The user's private key
    #[arg(long, value_name = "FILE", help_heading = "The manager")]
    key: Option<std::path::PathBuf>,
    /// The host keys to trust, as OpenSSH has them
    #[arg(long, value_name = "FILE", help_heading = "The manager")]
    known_hosts: Option<std::path::PathBuf>,
    /// How to show the answer [default: table on a terminal, json elsewhere]
    #[arg(short, long, value_name = "FORMAT", help_heading = "Output")]
    output: Option<Format>,
}

/// What the commands are, below `qkdn`.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Tell how the network is: devices, alarms, running procedures
    Status(status::Args),
    /// Managed devices
    #[command(subcommand)]
    Device(device::Command),
    /// Managed resources of all layers
    #[command(subcommand)]
    Inventory(inventory::Command),
    /// The networks of the layers, and what is wrong with their configuration
    #[command(subcommand)]
    Topology(topology::Command),
    /// Alarms
    #[command(subcommand)]
    Alarm(alarm::Command),
    /// Performance information
    #[command(subcommand)]
    Pm(pm::Command),
    /// Runs of the procedures of clause 10
    #[command(subcommand)]
    Procedure(procedure::Command),
    /// The access control of a server
    #[command(subcommand)]
    Nacm(nacm::Command),
    /// Faults of simulated devices, and simulated networks
    #[command(subcommand)]
    Sim(sim::Command),
    /// Write completion for a shell to standard output
    Completion { shell: clap_complete::Shell },
}

/// Why a command did not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub code: u8,
    /// What, why, and what to do next.
    pub text: String,
}

impl Failure {
    pub const FAILED: u8 = 1;
    pub const USAGE: u8 = 2;
    pub const NOT_FOUND: u8 = 3;
    pub const DENIED: u8 = 4;
    pub const PARTIAL: u8 = 5;

    pub fn failed(text: impl Into<String>) -> Failure {
        Failure { code: Failure::FAILED, text: text.into() }
    }

    pub fn usage(text: impl Into<String>) -> Failure {
        Failure { code: Failure::USAGE, text: text.into() }
    }

    pub fn not_found(text: impl Into<String>) -> Failure {
        Failure { code: Failure::NOT_FOUND, text: text.into() }
    }
}

/// Adds [`Options`] to the program, where they come before the command, and to these commands with all that is below them. They are not
/// global from the start, because other commands have a --dir of their own.
pub fn with_options(program: clap::Command) -> clap::Command {
    let ours = <Command as clap::Subcommand>::augment_subcommands(clap::Command::new(""));
    let names: Vec<String> = ours.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let add = <Options as clap::Args>::augment_args;
    let options: Vec<String> =
        add(clap::Command::new("")).get_arguments().map(|option| option.get_id().to_string()).collect();
    let add_below = |command| {
        let command = add(command);
        options.iter().fold(command, |command, option| command.mut_arg(option, |option| option.global(true)))
    };
    // Completion asks no manager.
    let names = names.iter().filter(|name| *name != "completion");
    names.fold(add(program).after_help(EXIT_CODES), |program, name| program.mut_subcommand(name, add_below))
}

/// What was given of them before the command or after it, which counts more.
pub fn options(matches: &ArgMatches) -> Result<Options, clap::Error> {
    let before = Options::from_arg_matches(matches)?;
    let after = match matches.subcommand() {
        Some((name, inside)) if name != "completion" => Options::from_arg_matches(inside)?,
        _ => Options::default(),
    };
    Ok(Options {
        dir: after.dir.or(before.dir),
        address: after.address.or(before.address),
        user: after.user.or(before.user),
        key: after.key.or(before.key),
        known_hosts: after.known_hosts.or(before.known_hosts),
        output: after.output.or(before.output),
    })
}

/// Refuses options before a command that asks no manager: it would take no notice of them.
pub fn refuse_options(matches: &ArgMatches) -> Result<(), clap::Error> {
    if Options::from_arg_matches(matches)? == Options::default() {
        return Ok(());
    }
    let text = "options before the command are for commands that ask a manager; those of this one come after it";
    Err(clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, format!("{text}\n")))
}

/// Carries out `command`, and tells on standard error what failed. `program` is all of the command line.
pub async fn run(command: Command, options: Options, program: fn() -> clap::Command) -> ExitCode {
    let output = Output::new(options.output);
    let reach = Reach::new(&options);
    let done = match command {
        Command::Status(args) => status::run(args, &reach, output).await,
        Command::Device(command) => device::run(command, &reach, output).await,
        Command::Inventory(command) => inventory::run(command, &reach, output).await,
        Command::Topology(command) => topology::run(command, &reach, output).await,
        Command::Alarm(command) => alarm::run(command, &reach, output).await,
        Command::Pm(command) => pm::run(command, &reach, output).await,
        Command::Procedure(command) => procedure::run(command, &reach, output).await,
        Command::Nacm(command) => nacm::run(command, &reach, output).await,
        Command::Sim(command) => sim::run(command, &reach, output).await,
        Command::Completion { shell } => {
            let mut written = Vec::new();
            clap_complete::generate(shell, &mut program(), "qkdn", &mut written);
            table::print(&String::from_utf8_lossy(&written))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, text }) => {
            if !text.is_empty() {
                eprintln!("qkdn: {text}");
            }
            ExitCode::from(code)
        }
    }
}
