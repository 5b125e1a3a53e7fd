//! `cargo xtask coverage`: which lines and branches of the NETCONF crate its own tests reach.

use std::process::Command;

use crate::process::{Outcome, run};
use crate::test::cargo_command;
use crate::{setup, workspace};

const CARGO_LLVM_COV: &str = "cargo-llvm-cov@0.9.1";

/// Installs what measures, runs the tests of `netconf` with it, and prints a line for each file. `html` is a report for a
/// browser besides, under target/llvm-cov.
pub fn run_coverage(html: bool) -> Outcome {
    setup::run()?;
    if !cargo_command(&["llvm-cov", "--version"]).output().is_ok_and(|output| output.status.success()) {
        println!("installing {CARGO_LLVM_COV}");
        run(&mut cargo_command(&["install", "--quiet", "--locked", CARGO_LLVM_COV]))?;
    }
    run(Command::new("rustup").args(["component", "add", "llvm-tools"]).current_dir(workspace::root()))?;
    run(&mut measure(&["--package", "netconf", "--lib", "--no-report"]))?;
    run(&mut measure(&["report", "--package", "netconf"]))?;
    if html {
        run(&mut measure(&["report", "--package", "netconf", "--html"]))?;
    }
    Ok(())
}

fn measure(arguments: &[&str]) -> Command {
    let mut command = cargo_command(&["llvm-cov"]);
    command.args(arguments).args(["--ignore-filename-regex", "/tests(/|\\.rs$)|fixture\\.rs$"]);
    if arguments[0] != "report" {
        command.arg("--branch");
        // Branches are counted by an option that this compiler has and does not promise to keep.
        command.env("RUSTC_BOOTSTRAP", "1");
    }
    command
}
