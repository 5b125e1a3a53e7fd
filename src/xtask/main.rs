//! `cargo xtask`: project automation. It builds with a bare Rust toolchain, because it is what installs everything else.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod apt;
mod process;
mod setup;
mod standard;
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
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Setup => setup::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
