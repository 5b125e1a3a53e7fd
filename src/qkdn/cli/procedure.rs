//! `qkdn procedure`: runs of the procedures of clause 10, step by step.

use serde_json::Value;

use super::Failure;
use super::client::{Client, Reach};
use super::filter::{MANAGER, element, leaf as xml_leaf};
use super::table::{Output, Table};
use super::value::{cell, leaf, list, time};

/// Stands for the run that began last: of those that an alert or a request began, where there is one. A 10.3 run follows every
/// action and every device that is read anew, and would soon stand before the run that somebody looks for.
const LATEST: &str = "latest";

/// The procedures of clause 10, as the model names them.
const PROCEDURES: [(&str, &str); 7] = [
    ("10.1.1", "link-failure"),
    ("10.1.2", "relay-failure"),
    ("10.2", "accounting"),
    ("10.3", CONFIGURATION),
    ("10.4", "performance"),
    ("10.5", "security"),
    ("10.7", "rerouting"),
];
const CONFIGURATION: &str = "configuration";

#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Runs, newest last
    List {
        /// Only those that run
        #[arg(long)]
        running: bool,
    },
    /// One run with its steps
    Show {
        /// Its run-id, or latest: the run that began last, of procedure 10.3 only where there is no other
        #[arg(default_value = LATEST)]
        run: String,
        /// The latest run of this procedure, by clause or name: 10.1.1 or link-failure, 10.3 or configuration
        #[arg(long, value_name = "CLAUSE|NAME", value_parser = procedure)]
        procedure: Option<&'static str>,
    },
    /// Run a procedure now
    Run {
        procedure: Procedure,
        /// Only for these devices
        #[arg(long = "device", value_name = "NAME")]
        devices: Vec<String>,
    },
}

/// What an operator may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Procedure {
    /// Read all devices anew and correlate the layers (clause 10.3)
    Configuration,
}

pub async fn run(command: Command, reach: &Reach, output: Output) -> Result<(), Failure> {
    let client = reach.connect().await?;
    match command {
        Command::List { running } => {
            let members =
                "<run-id/><procedure/><trigger/><alarm-id/><resource-id/><started/><ended/><state/><outcome/>";
            let data = client.get(&element("procedures", MANAGER, &format!("<run>{members}</run>"))).await?;
            let mut runs = list(&data, "qkdn-manager:procedures/run").to_vec();
            runs.retain(|run| !running || leaf(run, "state") == "running");
            runs.sort_by_key(|run| leaf(run, "started"));
            let mut table = Table::new(&["RUN", "PROCEDURE", "STATE", "STARTED", "ENDED", "TRIGGER", "OUTCOME"]);
            for run in &runs {
                table.row(vec![
                    cell(run, "run-id"),
                    cell(run, "procedure"),
                    cell(run, "state"),
                    time(run, "started"),
                    time(run, "ended"),
                    cell(run, "trigger"),
                    cell(run, "outcome"),
                ]);
            }
            output.list(&table, &Value::from(runs))
        }
        Command::Show { run: id, procedure } => {
            let run = match (id.as_str(), procedure) {
                (LATEST, procedure) => show_latest(&client, procedure).await?,
                (id, None) => one(&client, id).await?,
                (id, Some(_)) => {
                    let reason = format!("--procedure picks the latest run of a procedure, and {id} is one run");
                    return Err(Failure::usage(reason));
                }
            };
            let run = run.ok_or_else(|| match procedure {
                Some(name) => Failure::not_found(format!("there is no run of {name} yet; see: qkdn procedure list")),
                None => Failure::not_found(format!("there is no run \"{id}\"; see: qkdn procedure list")),
            })?;
            output.details(&run, &["step"], &[("Steps".to_owned(), steps(&run))])
        }
        Command::Run { procedure: Procedure::Configuration, devices } => {
            let input: String = devices.iter().map(|name| xml_leaf("device", name)).collect();
            let rpc = element("run-configuration-procedure", MANAGER, &input);
            let reply = client.call("/qkdn-manager:run-configuration-procedure", &rpc).await?;
            let (run, errors) = (leaf(&reply, "run-id"), leaf(&reply, "inconsistencies"));
            let next = if errors == "0" { String::new() } else { "; see: qkdn topology errors".to_owned() };
            output.done(&format!("{run}: {errors} configuration errors found{next}"), &reply)
        }
    }
}

async fn one(client: &Client, id: &str) -> Result<Option<Value>, Failure> {
    let filter = element("procedures", MANAGER, &format!("<run>{}</run>", xml_leaf("run-id", id)));
    let data = client.get(&filter).await?;
    Ok(list(&data, "qkdn-manager:procedures/run").first().cloned())
}

/// The latest run; says on standard error which one that is, and how many began after it, so that nobody takes it for another.
async fn show_latest(client: &Client, procedure: Option<&str>) -> Result<Option<Value>, Failure> {
    let data = client.get(&element("procedures", MANAGER, "<run><run-id/><procedure/><started/></run>")).await?;
    let runs = list(&data, "qkdn-manager:procedures/run");
    let Some(run) = latest(runs, procedure) else { return Ok(None) };
    let (id, name) = (leaf(run, "run-id"), leaf(run, "procedure"));
    let after = runs.iter().filter(|other| order(other) > order(run)).count();
    let clause = PROCEDURES.iter().find(|(_, known)| *known == name).map_or("", |(clause, _)| clause);
    let rest = if after == 0 { String::new() } else { format!("; of other procedures {after} began later") };
    eprintln!("{id} is the latest run of {clause} {name}{rest}");
    one(client, &id).await
}

/// Of a procedure; of none given, the latest but for 10.3, or of 10.3 where there is no other.
fn latest<'r>(runs: &'r [Value], procedure: Option<&str>) -> Option<&'r Value> {
    let last = |wanted: &dyn Fn(&str) -> bool| {
        runs.iter().filter(|run| wanted(&leaf(run, "procedure"))).max_by_key(|run| order(run))
    };
    match procedure {
        Some(procedure) => last(&|name| name == procedure),
        None => last(&|name| name != CONFIGURATION).or_else(|| last(&|_| true)),
    }
}

/// Of several that began together, the one with the highest number is the last.
fn order(run: &Value) -> (String, usize, String) {
    let id = leaf(run, "run-id");
    (leaf(run, "started"), id.len(), id)
}

fn procedure(given: &str) -> Result<&'static str, String> {
    let known = PROCEDURES.iter().find(|(clause, name)| *clause == given || *name == given);
    known.map(|(_, name)| *name).ok_or_else(|| {
        let names: Vec<String> = PROCEDURES.iter().map(|(clause, name)| format!("{clause} {name}")).collect();
        format!("there is {}", names.join(", "))
    })
}

fn steps(run: &Value) -> Table {
    let mut table = Table::new(&["STEP", "TIME", "ACTOR", "PEER", "TEXT"]);
    for step in list(run, "step") {
        table.row(vec![
            cell(step, "number"),
            time(step, "time"),
            leaf(step, "actor").to_uppercase(),
            cell(step, "peer"),
            cell(step, "text"),
        ]);
    }
    table
}

#[cfg(test)]
mod tests;
