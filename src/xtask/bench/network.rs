//! `cargo xtask bench network`: a generated network in one process, its manager in another, and what both take (Y.3804 clause 9).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::server::Running;
use crate::process::{Doing, Failure, Outcome, output, run};
use crate::{apt, setup, test, workspace};

/// A network that is not up by then has failed.
const UP_LIMIT: Duration = Duration::from_secs(300);
/// An alarm that is not listed by then has been lost.
const ALARM_LIMIT: Duration = Duration::from_secs(60);
/// The manager's port, with those of the agents after it: below those that Linux gives out, one of which may be taken by
/// another process between the choice of the manager's port and its start.
const PORT_BASE: &str = "21000";
/// How often the files and the manager are looked at; each look at the manager is a process and a session of its own.
const LOOK: Duration = Duration::from_millis(100);
/// After the last device is operational, the first collections are let pass before rest is measured.
const SETTLE: Duration = Duration::from_secs(15);
/// Over how long CPU at rest is measured.
const REST: Duration = Duration::from_secs(20);
/// One restart alone could be a lucky one.
const RESTARTS: usize = 5;
/// Agents of a generated network per node: a KM, and a module at both ends of some 1.3 links.
const AGENTS_PER_NODE: f64 = 3.6;

/// Builds, or takes `binary`, and measures a network of about `agents` agents, each figure printed as soon as it is known.
pub fn network(agents: usize, binary: Option<&Path>) -> Outcome {
    let qkdn = match binary {
        Some(binary) => binary.to_owned(),
        None => {
            apt::install(apt::TO_BUILD)?;
            setup::modules()?;
            run(&mut test::cargo_command(&["build", "--release", "--package", "qkdn", "--bin", "qkdn"]))?;
            test::binary("release")
        }
    };
    let directory = workspace::target().join("bench").join("network");
    // Left there at the end, for its logs.
    if directory.exists() {
        fs::remove_dir_all(&directory).doing(directory.display())?;
    }
    for part in ["agents-log", "manager-log"] {
        fs::create_dir_all(directory.join(part)).doing(directory.display())?;
    }
    Network { qkdn, demo: directory.join("demo"), directory }.measure(agents)
}

struct Network {
    qkdn: PathBuf,
    directory: PathBuf,
    /// What `qkdn demo` calls its directory.
    demo: PathBuf,
}

impl Network {
    fn measure(&self, wanted: usize) -> Outcome {
        let topology = self.directory.join("topology.toml");
        let nodes = ((wanted as f64 / AGENTS_PER_NODE).round() as usize).max(2);
        let mut generate = Command::new(&self.qkdn);
        generate.args(["sim", "generate", "-o", "json", "--nodes", &nodes.to_string(), "--file"]).arg(&topology);
        let generated = output(&mut generate)?;
        let devices =
            number(&generated, "agents").ok_or_else(|| Failure::new("sim generate: tells no number of agents"))?;
        println!("{nodes} nodes, {devices} devices");

        let begun = Instant::now();
        let mut command = Command::new(&self.qkdn);
        command.args(["demo", "--no-manager", "--port-base", PORT_BASE, "--dir"]).arg(&self.demo);
        let mut agents = Running::new(command.arg("--topology").arg(&topology), &self.directory.join("agents-log"))?;
        let published = self.demo.join("demo.json");
        await_that("the agents serve", UP_LIMIT, || {
            agents.still_runs()?;
            Ok(published.exists())
        })?;
        figure("agents' process: start to all serving", begun.elapsed().as_secs_f64(), "s");

        let begun = Instant::now();
        let mut manager = self.start_manager()?;
        self.await_operational(&mut manager, devices)?;
        figure("manager: start to all devices operational", begun.elapsed().as_secs_f64(), "s");

        thread::sleep(SETTLE);
        let before = (cpu_seconds(agents.id())?, cpu_seconds(manager.id())?);
        let written = (written_mb(agents.id())?, written_mb(manager.id())?);
        let begun = Instant::now();
        thread::sleep(REST);
        let took = begun.elapsed().as_secs_f64();
        let share = |after: f64, before: f64| 100.0 * (after - before) / took;
        figure("agents' process: CPU at rest", share(cpu_seconds(agents.id())?, before.0), "% of a core");
        figure("manager: CPU at rest", share(cpu_seconds(manager.id())?, before.1), "% of a core");
        figure("agents' process: writes at rest", (written_mb(agents.id())? - written.0) / took, "MB/s");
        figure("manager: writes at rest", (written_mb(manager.id())? - written.1) / took, "MB/s");
        for (name, process) in [("agents' process", &agents), ("manager", &manager)] {
            let resident = resident_mib(process.id())?;
            figure(&format!("{name}: resident memory"), resident, "MiB");
            figure(&format!("{name}: the same per device"), resident / devices as f64, "MiB");
        }

        self.fault(&topology)?;

        for _ in 0..RESTARTS {
            // At once, with nothing put in order.
            let begun = Instant::now();
            manager.kill()?;
            manager = self.start_manager()?;
            self.await_operational(&mut manager, devices)?;
            figure("manager: kill -9 and start to all operational again", begun.elapsed().as_secs_f64(), "s");
        }
        manager.stop()?;
        agents.stop()
    }

    fn start_manager(&self) -> Outcome<Running> {
        let mut command = Command::new(&self.qkdn);
        command.args(["manager", "run", "--config"]).arg(self.demo.join("manager/manager.toml"));
        Running::new(&mut command, &self.directory.join("manager-log"))
    }

    /// Asks the manager until it has all `devices`, each operational: one that has read half of its devices is not up.
    fn await_operational(&self, manager: &mut Running, devices: usize) -> Outcome {
        await_that("all devices are operational", UP_LIMIT, || {
            manager.still_runs()?;
            // Refused until the manager listens.
            let Ok(status) = self.ask(&["status"]) else { return Ok(false) };
            Ok(number(&status, "devices") == Some(devices) && number(&status, "devices-operational") == Some(devices))
        })
    }

    /// Cuts the first link, and waits for one more alarm of that link than there was.
    fn fault(&self, topology: &Path) -> Outcome {
        let text = fs::read_to_string(topology).doing(topology.display())?;
        let link = text.split("[[link]]").nth(1).and_then(|link| link.split("name = \"").nth(1)?.split('"').next());
        let link = link.ok_or_else(|| Failure::new(format!("{}: no link", topology.display())))?;
        let alarms = || Ok(self.ask(&["alarm", "list", "--resource", link])?.matches("\"alarm-type-id\"").count());
        let before: usize = alarms()?;
        let begun = Instant::now();
        self.ask(&["sim", "fault", link, "--fibre-cut"])?;
        figure("`qkdn sim fault` itself", begun.elapsed().as_secs_f64(), "s");
        await_that("the fault is an alarm", ALARM_LIMIT, || Ok(alarms()? > before))?;
        figure("fibre cut asked for to its alarm listed", begun.elapsed().as_secs_f64(), "s");
        Ok(())
    }

    /// The answer of the command line in JSON.
    fn ask(&self, arguments: &[&str]) -> Outcome<String> {
        output(Command::new(&self.qkdn).arg("--dir").arg(&self.demo).args(["-o", "json"]).args(arguments))
    }
}

fn figure(what: &str, value: f64, unit: &str) {
    println!("{what:<52} {value:>10.2} {unit}");
}

fn await_that(what: &str, limit: Duration, mut holds: impl FnMut() -> Outcome<bool>) -> Outcome {
    let end = Instant::now() + limit;
    while !holds()? {
        if Instant::now() > end {
            return Err(Failure::new(format!("{what}: not within {limit:?}")));
        }
        thread::sleep(LOOK);
    }
    Ok(())
}

/// A number by its name: the first of that name, which in the answers of `qkdn` is the one of the outermost object.
fn number(json: &str, name: &str) -> Option<usize> {
    let value = json.split_once(&format!("\"{name}\":"))?.1.trim_start();
    value.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Memory of a process that is in RAM, MiB (proc(5), VmRSS).
fn resident_mib(process: u32) -> Outcome<f64> {
    let file = format!("/proc/{process}/status");
    let text = fs::read_to_string(&file).doing(&file)?;
    let kib = text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0).ok_or_else(|| Failure::new(format!("{file}: no VmRSS")))
}

/// What a process has had written to disks so far, MB of 10^6 bytes (proc(5), write_bytes): pages, however little of one has changed.
fn written_mb(process: u32) -> Outcome<f64> {
    let file = format!("/proc/{process}/io");
    let text = fs::read_to_string(&file).doing(&file)?;
    let bytes = text.lines().find_map(|line| line.strip_prefix("write_bytes:")?.trim().parse::<f64>().ok());
    bytes.map(|bytes| bytes / 1e6).ok_or_else(|| Failure::new(format!("{file}: no write_bytes")))
}

/// CPU time of a process so far in user and system mode, seconds (proc(5), utime and stime, in ticks of 1/100 s).
fn cpu_seconds(process: u32) -> Outcome<f64> {
    let file = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&file).doing(&file)?;
    // The name, in parentheses, may have spaces; utime and stime are the 12th and 13th fields after it.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    let both = ticks(11).zip(ticks(12)).map(|(user, system)| (user + system) / 100.0);
    both.ok_or_else(|| Failure::new(format!("{file}: no CPU times")))
}
