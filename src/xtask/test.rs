//! `cargo xtask test` and `ci`: everything that must hold before a change lands.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use crate::process::{Doing, Failure, Outcome, line, run};
use crate::steps::{Done, Steps};
use crate::{lint, setup, venv, workspace};

/// The foreign clients of `tests/interop`, each with a script of its own.
const CLIENTS: &[&str] = &["ncclient", "netconf-client", "netconf-console2", "scrapli-netconf", "yangcli"];

/// The servers that each of them meets, by their names in `tests/interop/servers`.
const SERVERS: &[&str] = &["serve", "datastores", "qkd-module", "manager"];

/// Runs all steps; one that fails does not hold back another that does not need it. With `ci`, a step that could not run
/// has failed. Returns whether none failed.
pub fn run_all(ci: bool) -> bool {
    let mut steps = Steps::new(ci);
    let set_up = steps.step("setup", || setup::run().map(|()| Done::Passed));
    steps.step("format", || cargo(&["fmt", "--all", "--check"]));
    lint::steps(&mut steps, set_up);
    if !set_up {
        for name in ["clippy", "build", "tests", "interop"] {
            steps.not_run(name, "setup");
        }
        return steps.finish();
    }
    steps.step("dependencies", || dependencies(ci));
    steps.step("clippy", || cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]));
    // All targets at once, so that the features of each dependency are settled once for the tests and the binary.
    if steps.step("build", || cargo(&["build", "--workspace", "--all-targets"])) {
        steps.step("tests", || cargo(&["test", "--workspace"]));
        for server in SERVERS {
            for client in CLIENTS {
                steps.step(&format!("{client} on {server}"), || interop(client, server));
            }
        }
    } else {
        steps.not_run("tests", "build");
        steps.not_run("interop", "build");
    }
    steps.finish()
}

/// A command of the cargo that runs us.
pub fn cargo_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace::root());
    // Set for this crate by the cargo that runs us; a build that sees them would take them for its own.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command
}

fn cargo(arguments: &[&str]) -> Outcome<Done> {
    run(&mut cargo_command(arguments)).map(|()| Done::Passed)
}

/// The cargo-deny that CI installs where none is; it takes about three minutes on two cores.
const CARGO_DENY: &str = "cargo-deny@0.20.2";

/// cargo-deny without its advisories: their database is on a host that a build machine need not reach.
fn dependencies(ci: bool) -> Outcome<Done> {
    if cargo_command(&["deny", "--version"]).output().is_ok_and(|output| !output.status.success()) {
        if !ci {
            return Ok(Done::Skipped("cargo-deny is not installed (cargo install --locked cargo-deny)".to_owned()));
        }
        println!("installing {CARGO_DENY}");
        run(&mut cargo_command(&["install", "--quiet", "--locked", CARGO_DENY]))?;
    }
    cargo(&["deny", "--workspace", "--all-features", "--log-level", "error", "check", "bans", "licenses", "sources"])
}

/// Drives one foreign client against one of our servers and compares what it saw with `tests/interop/expected`.
fn interop(client: &str, server: &str) -> Outcome<Done> {
    let python = venv::program(&workspace::target().join("venv"), "python");
    let mut command = Command::new(python);
    command.arg(workspace::root().join("tests/interop/run.py")).args([client, server]);
    command.current_dir(workspace::root()).env("QKDN_BINARY", binary("debug"));
    run(&mut command).map(|()| Done::Passed)
}

/// The qkdn binary of a profile's directory.
pub fn binary(profile: &str) -> PathBuf {
    workspace::build_dir().join(profile).join("qkdn")
}

/// Files of a directory of the workspace by prefix and extension, sorted; none where there is no such directory.
pub fn files(directory: &str, prefix: &str, extension: &str) -> Outcome<Vec<PathBuf>> {
    let directory = workspace::root().join(directory);
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(&directory).doing(directory.display())? {
        let path = entry.doing(directory.display())?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(prefix) && name.ends_with(extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Fails with what a checker printed: a warning is as bad as an error.
pub fn quiet(command: &mut Command, noise: impl Fn(&str) -> bool) -> Outcome {
    let result = command.output().doing(line(command))?;
    let said = [result.stdout, result.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let said: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty() && !noise(line)).collect();
    if result.status.success() && said.is_empty() {
        return Ok(());
    }
    for line in &said {
        println!("{line}");
    }
    Err(Failure::new(format!("{} lines of complaint, {}", said.len(), result.status)))
}
