//! `cargo xtask`: project automation. It builds with a bare Rust toolchain, because it is what installs everything else.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod apt;
mod bench;
mod coverage;
mod demo;
mod lint;
mod process;
mod setup;
mod standard;
mod steps;
mod test;
mod venv;
mod workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Project automation", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what building and testing need, and collect the standard YANG modules into target/yang
    Setup,
    /// Set up, then check formatting, YANG, dependencies and lints, and run all tests, those with foreign clients too
    Test,
    /// As test, but with a missing tool a failure, as with CI=true in the environment
    Ci,
    /// Set up, then check our YANG modules alone
    Yang,
    /// Set up, build, and run the demonstration
    Demo {
        /// What to pass on to `qkdn demo`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Set up, run the tests of the NETCONF crate, and print which lines and branches they reach
    Coverage {
        /// Write a report for a browser besides, under target/llvm-cov/html
        #[arg(long)]
        html: bool,
    },
    /// Measure our servers beside others
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
}

#[derive(Subcommand)]
enum Bench {
    /// Debian's netconfd and `qkdn serve` in turn: same model, same data, same client
    Netconf {
        /// How long each measurement takes, in seconds
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
        /// Measure netconfd alone
        #[arg(long)]
        only_netconfd: bool,
        /// Measure a part alone: requests, edits, set-ups, idle, large, limits, changes or feed
        #[arg(long, value_name = "PART")]
        only: Option<String>,
    },
    /// `qkdn serve` under hostile peers: what others get, and what the server takes
    Hostile {
        /// How long each attack is measured, in seconds, and the server before it
        #[arg(long, default_value_t = 10.0)]
        seconds: f64,
        /// These attacks alone
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
    },
    /// A generated network under one manager: time to operational, memory, CPU at rest, fault to alarm, restart
    Network {
        /// About how many agents there are
        #[arg(long, default_value_t = 200)]
        agents: usize,
        /// Measure this qkdn, and build none
        #[arg(long, value_name = "FILE")]
        binary: Option<std::path::PathBuf>,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Setup => setup::run().map(|()| true),
        Task::Test => Ok(test::run_all(workspace::in_ci())),
        Task::Ci => Ok(test::run_all(true)),
        Task::Yang => Ok(lint::run_all(workspace::in_ci())),
        Task::Demo { arguments } => demo::run_demo(&arguments).map(|()| true),
        Task::Coverage { html } => coverage::run_coverage(html).map(|()| true),
        Task::Bench { what: Bench::Netconf { seconds, only_netconfd, only } } => {
            bench::netconf(seconds, only_netconfd, only.as_deref()).map(|()| true)
        }
        Task::Bench { what: Bench::Hostile { seconds, only } } => bench::hostile(seconds, &only).map(|()| true),
        Task::Bench { what: Bench::Network { agents, binary } } => {
            bench::network(agents, binary.as_deref()).map(|()| true)
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
