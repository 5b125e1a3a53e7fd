//! `qkdn procedure`: runs of the procedures of clause 10, step by step.

use serde_json::Value;

use super::Failure;
use super::client::{Client, Reach};
use super::filter::{MANAGER, element, leaf as xml_leaf};
use super::table::{Output, Table};
use super::value::{cell, leaf, list, time};

/// Stands for the run that began last.
const LATEST: &str = "latest";

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
        /// Its run-id, or latest
        #[arg(default_value = LATEST)]
        run: String,
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
        Command::Show { run: id } => {
            let run = match id.as_str() {
                LATEST => latest(&client).await?,
                id => one(&client, id).await?,
            };
            let run =
                run.ok_or_else(|| Failure::not_found(format!("there is no run \"{id}\"; see: qkdn procedure list")))?;
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

/// The run that began last.
async fn latest(client: &Client) -> Result<Option<Value>, Failure> {
    let data = client.get(&element("procedures", MANAGER, "<run><run-id/><started/></run>")).await?;
    let runs = list(&data, "qkdn-manager:procedures/run").iter();
    // Of several that began together, the one with the highest number.
    let last = runs.max_by_key(|run| {
        let id = leaf(run, "run-id");
        (leaf(run, "started"), id.len(), id)
    });
    match last {
        Some(run) => one(client, &leaf(run, "run-id")).await,
        None => Ok(None),
    }
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
