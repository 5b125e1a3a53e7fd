//! `cargo xtask bench`: a network under one manager; and Debian's netconfd and `qkdn serve` in turn, and the ratio of what they do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use self::server::{Netconfd, Ours, Server, Target};
use crate::process::{Doing, Failure, Outcome, output, run};
use crate::{apt, setup, test, workspace};

mod hostile;
mod network;
mod server;

pub use hostile::hostile;
pub use network::network;

/// One row of the table.
struct Row {
    /// The load client's name for it.
    name: &'static str,
    title: &'static str,
    wanted: Wanted,
}

/// What we set ourselves.
enum Wanted {
    /// So many times the other's.
    Times(f64),
    /// At most so much, in the row's unit, whatever the other's.
    AtMost(f64),
    AtLeast(f64),
    /// Nothing: for comparison.
    None,
}

const fn row(name: &'static str, title: &'static str, wanted: Wanted) -> Row {
    Row { name, title, wanted }
}

const ROWS: &[Row] = &[
    row("get-1", "small get-config, 1 session", Wanted::Times(1.5)),
    row("get-1-pipelined-16", "same, 16 pipelined", Wanted::Times(1.0)),
    row("get-8", "same, 8 sessions", Wanted::Times(2.0)),
    row("get-64", "same, 64 sessions", Wanted::Times(2.0)),
    row("edit-running-1", "edit of one leaf in running, 1 session", Wanted::Times(1.5)),
    row("edit-running-8", "same, 8 sessions", Wanted::Times(1.5)),
    row("edit-candidate-commit-1", "edit of candidate and commit, 1 session", Wanted::Times(2.0)),
    row("edit-candidate-commit-8", "same, 8 sessions", Wanted::Times(2.0)),
    row("set-ups", "session set-ups, public key, 4 at a time", Wanted::Times(3.0)),
    row("idle-memory", "memory of an idle session, of 250", Wanted::AtMost(64.0)),
    row("idle-cpu", "CPU with 250 idle sessions", Wanted::AtMost(0.2)),
    row("sessions-many", "sessions at once", Wanted::AtLeast(5000.0)),
    row("idle-memory-many", "memory of an idle session, of that many", Wanted::AtMost(64.0)),
    row("idle-cpu-many", "CPU with that many idle sessions", Wanted::AtMost(0.5)),
    row("get-1-megabytes", "get-config of 1 MB, 1 session", Wanted::Times(2.0)),
    row("get-1-megabytes-bytes", "same, with each one's own white space", Wanted::None),
    row("get-10-megabytes", "get-config of 10 MB, 1 session", Wanted::Times(2.0)),
    row("get-10-megabytes-bytes", "same, with each one's own white space", Wanted::None),
    row("memory-10-megabytes", "memory with 10 MB loaded, after all that", Wanted::AtMost(250.0)),
    row("edit-rate-1-megabytes", "edit of one leaf with 1 MB loaded", Wanted::AtMost(2.0)),
    row("edit-rate-10-megabytes", "edit of one leaf with 10 MB loaded", Wanted::AtMost(2.0)),
    row("edit-limited-rate-1-megabytes", "edit under a constraint with 1 MB loaded", Wanted::AtMost(2.0)),
    row("edit-limited-rate-10-megabytes", "edit under a constraint with 10 MB loaded", Wanted::AtMost(2.0)),
    row("changes-1", "config-change, edits of 8 to 1 subscriber", Wanted::Times(2.0)),
    row("changes-10", "same, to 10 subscribers in all", Wanted::Times(2.0)),
    row("changes-100", "same, to 100 subscribers in all", Wanted::Times(2.0)),
    row("changes-100-arrived", "of these, arrived", Wanted::AtLeast(100.0)),
    // Four times what netopeer2 was measured to deliver, on another machine.
    row("feed-1", "notifications of a device to 1 subscriber", Wanted::AtLeast(37_000.0)),
    row("feed-10", "same, to 10 subscribers in all", Wanted::AtLeast(100_000.0)),
    row("feed-100", "same, to 100 subscribers in all", Wanted::AtLeast(121_000.0)),
    row("feed-9-beside-one-that-never-reads", "same, to 9 beside one that never reads", Wanted::None),
    row("feed-9-ratio", "ratio of that to the 9 alone", Wanted::AtLeast(0.9)),
];

/// What each start of a server is measured for.
const PHASES: &[(Target, &str)] = &[
    (Target::Running, "requests,edits,set-ups"),
    (Target::Running, "idle"),
    (Target::Running, "large"),
    (Target::Running, "limits"),
    (Target::Running, "changes,feed"),
    (Target::Candidate, "edits"),
];

/// Measurements of one server by the load client's name: the value and its unit.
type Results = BTreeMap<String, (f64, String)>;

/// Builds, measures both servers for `seconds` a row and prints the table; with `only` what some phases measure, by one of the
/// load client's words for it.
pub fn netconf(seconds: f64, only_netconfd: bool, only: Option<&str>) -> Outcome {
    let phases: Vec<_> =
        PHASES.iter().filter(|(_, what)| only.is_none_or(|only| what.split(',').any(|what| what == only))).collect();
    if phases.is_empty() {
        let known: Vec<&str> = PHASES.iter().flat_map(|(_, what)| what.split(',')).collect();
        return Err(Failure::new(format!("--only takes one of {}", known.join(", "))));
    }
    apt::install(&[apt::TO_BUILD, apt::TO_BENCH].concat())?;
    setup::modules()?;
    let mut build = vec!["build", "--release", "--package", "tests", "--bin", "load"];
    if !only_netconfd {
        build.extend(["--package", "qkdn", "--bin", "qkdn"]);
    }
    run(&mut test::cargo_command(&build))?;

    let directory = workspace::target().join("bench");
    let netconfd = measure::<Netconfd>(&directory.join("netconfd"), &phases, seconds)?;
    let ours = if only_netconfd { Results::new() } else { measure::<Ours>(&directory.join("ours"), &phases, seconds)? };
    facts()?;
    table(&netconfd, &ours);
    Ok(())
}

/// Starts the server once for each phase, empty each time, and measures it.
fn measure<S: Server>(directory: &Path, phases: &[&(Target, &str)], seconds: f64) -> Outcome<Results> {
    let mut results = Results::new();
    for &&(target, what) in phases {
        println!("measuring {}: {what} ({})", S::NAME, target.name());
        // Left there at the end, for its logs.
        if directory.exists() {
            fs::remove_dir_all(directory).doing(directory.display())?;
        }
        fs::create_dir_all(directory).doing(directory.display())?;
        let key = keypair(directory, "client-key")?;
        let modules: &[&str] = if what == "limits" { &["bench", "bench-limits"] } else { &["bench"] };
        let server = S::start(directory, &key, target, modules)?;
        let mut load = Command::new(load_client());
        load.arg(server.address()).args(["--user", server.user()]).arg("--key").arg(&key);
        load.args(["--target", target.name(), "--seconds", &seconds.to_string()])
            .args(["--measure", what, "--idle", &format!("250,{}", S::SESSIONS), "--limits", S::LIMITS])
            .args(server.processes().iter().map(|id| format!("--process={id}")))
            .args(server.load_options());
        let printed = output(&mut load)?;
        for line in printed.lines() {
            let mut fields = line.split('\t');
            if let (Some(name), Some(value), Some(unit)) = (fields.next(), fields.next(), fields.next()) {
                let value = value.parse().doing(line)?;
                results.insert(name.to_owned(), (value, unit.to_owned()));
            }
        }
        server.stop()?;
    }
    Ok(results)
}

fn load_client() -> PathBuf {
    test::binary("release").with_file_name("load")
}

/// A fresh key pair; the file of the private key.
pub fn keypair(directory: &Path, name: &str) -> Outcome<PathBuf> {
    let file = directory.join(name);
    output(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&file))?;
    Ok(file)
}

/// On what and with what it was measured.
fn facts() -> Outcome {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1)).unwrap_or(" unknown CPU");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok())
        .unwrap_or_default();
    let kernel = output(Command::new("uname").arg("-r"))?;
    println!("\n{}, {cores} cores, {} GiB, Linux {}", cpu.trim(), memory >> 20, kernel.trim());
    for package in ["netconfd", "openssh-server"] {
        println!("{package} {}", output(Command::new("dpkg-query").args(["-W", "-f=${Version}", package]))?);
    }
    println!("qkdn {} ({})", env!("CARGO_PKG_VERSION"), commit());
    println!("client, servers and nothing else on loopback; SSH with aes256-gcm");
    println!(
        "netconfd: access control off, nothing is kept over a restart; qkdn: NACM on, each acknowledged edit and each \
         notification durable\n"
    );
    Ok(())
}

fn commit() -> String {
    let described =
        output(Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(workspace::root()));
    described.map_or_else(|_: Failure| "no git".to_owned(), |text| text.trim().to_owned())
}

fn table(netconfd: &Results, ours: &Results) {
    println!("| {:<42} | {:>12} | {:>12} | {:>7} | {:>9} |", "", "netconfd", "qkdn", "ratio", "wanted");
    println!("|{:-<44}|{:->14}|{:->14}|{:->9}|{:->11}|", "", ":", ":", ":", ":");
    let measured = |row: &&Row| netconfd.contains_key(row.name) || ours.contains_key(row.name);
    for Row { name, title, wanted } in ROWS.iter().filter(measured) {
        let cell = |results: &Results| match results.get(*name) {
            Some((value, unit)) if unit == "1/s" && *value >= 100.0 => format!("{value:.0}/s"),
            Some((value, unit)) if unit == "1/s" => format!("{value:.1}/s"),
            Some((value, unit)) if unit.is_empty() && *value < 10.0 => format!("{value:.2}"),
            Some((value, unit)) if unit.is_empty() => format!("{value:.0}"),
            Some((value, unit)) => format!("{value:.1} {unit}"),
            None => "-".to_owned(),
        };
        let ratio = match (netconfd.get(*name), ours.get(*name)) {
            (Some((theirs, _)), Some((value, _))) if *theirs > 0.0 => format!("{:.2}", value / theirs),
            _ => "-".to_owned(),
        };
        let wanted = match wanted {
            Wanted::Times(times) => format!("{times:.1}"),
            Wanted::AtMost(most) => format!("<= {most}"),
            Wanted::AtLeast(least) => format!(">= {least}"),
            Wanted::None => String::new(),
        };
        println!("| {title:<42} | {:>12} | {:>12} | {ratio:>7} | {wanted:>9} |", cell(netconfd), cell(ours));
    }
}
