//! `qkdn pm`: performance information of all devices (clause 10.4), now and in finished intervals.

use serde_json::Value;

use super::Failure;
use super::client::{Client, Reach};
use super::filter::{MANAGER, element, leaf as xml_leaf};
use super::find;
use super::table::{Output, Table};
use super::value::{at, cell, identity, leaf, list, short, time};

/// All but the finished intervals.
const CURRENT: &str =
    "<type/><target/><description/><unit/><current/><current-15-minutes/><current-24-hours/><device/>";

#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Latest values
    List {
        /// Only of this resource, by its identifier or the last part of it
        target: Option<String>,
        /// Only of this type, such as qber or secret-key-rate
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
    },
    /// Latest values of one resource, with the intervals that run
    Show {
        target: String,
        /// Only of this type, such as qber or secret-key-rate
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
    },
    /// Finished intervals of one resource and type
    History {
        target: String,
        /// Such as qber or secret-key-rate
        #[arg(long = "type", value_name = "TYPE")]
        kind: String,
    },
}

pub async fn run(command: Command, reach: &Reach, output: Output) -> Result<(), Failure> {
    let client = reach.connect().await?;
    match command {
        Command::List { target, kind } => {
            let information = information(&client, target.as_deref(), kind.as_deref(), CURRENT).await?;
            output.list(&latest(&information), &Value::from(information))
        }
        Command::Show { target, kind } => {
            let information = information(&client, Some(&target), kind.as_deref(), CURRENT).await?;
            let sections = [
                ("Latest values".to_owned(), latest(&information)),
                ("Running 15 minutes".to_owned(), running(&information, "current-15-minutes")),
                ("Running 24 hours".to_owned(), running(&information, "current-24-hours")),
            ];
            output.sections(&sections, &Value::from(information))
        }
        Command::History { target, kind } => {
            let members = "<type/><target/><unit/><interval-15-minutes/><interval-24-hours/>";
            let information = information(&client, Some(&target), Some(&kind), members).await?;
            let finished = |name: &str| {
                let mut table = Table::new(INTERVAL);
                for one in &information {
                    list(one, name).iter().for_each(|interval| table.row(interval_cells(one, interval)));
                }
                table
            };
            let sections = [
                ("15 minutes".to_owned(), finished("interval-15-minutes")),
                ("24 hours".to_owned(), finished("interval-24-hours")),
            ];
            output.sections(&sections, &Value::from(information))
        }
    }
}

async fn information(
    client: &Client,
    target: Option<&str>,
    kind: Option<&str>,
    members: &str,
) -> Result<Vec<Value>, Failure> {
    let id = match target {
        Some(name) => Some(find::resource_id(client, name).await?),
        None => None,
    };
    let members = match &id {
        Some(id) => members.replace("<target/>", &xml_leaf("target", id)),
        None => members.to_owned(),
    };
    let filter = format!("<performance><information>{members}</information></performance>");
    let data = client.get(&element("network", MANAGER, &filter)).await?;
    let mut found = list(&data, "qkdn-manager:network/performance/information").to_vec();
    let types: Vec<String> = found.iter().map(|one| identity(&leaf(one, "type")).to_owned()).collect();
    found.retain(|one| kind.is_none_or(|kind| identity(&leaf(one, "type")) == identity(kind)));
    match (found.is_empty(), target, kind) {
        (true, Some(target), None) => {
            Err(Failure::not_found(format!("{target} has no performance information; see: qkdn pm list")))
        }
        (true, Some(target), Some(kind)) => {
            let types = if types.is_empty() { "none".to_owned() } else { types.join(", ") };
            Err(Failure::not_found(format!("{target} has no performance information \"{kind}\"; it has: {types}")))
        }
        _ => Ok(found),
    }
}

fn latest(information: &[Value]) -> Table {
    let mut table = Table::new(&["TARGET", "TYPE", "VALUE", "UNIT", "THRESHOLD", "VALIDITY", "TIME", "DEVICE"]);
    for one in information {
        table.row(vec![
            short(&cell(one, "target")).to_owned(),
            identity(&cell(one, "type")).to_owned(),
            cell(one, "current/value"),
            cell(one, "unit"),
            cell(one, "current/threshold-level"),
            cell(one, "current/validity"),
            time(one, "current/time"),
            cell(one, "device"),
        ]);
    }
    table
}

const INTERVAL: &[&str] =
    &["TYPE", "START", "SECONDS", "MEAN", "MINIMUM", "MAXIMUM", "LAST", "TOTAL", "UNIT", "VALIDITY"];

fn running(information: &[Value], name: &str) -> Table {
    let mut table = Table::new(INTERVAL);
    for one in information.iter().filter(|one| one[name].is_object()) {
        table.row(interval_cells(one, at(one, name)));
    }
    table
}

fn interval_cells(one: &Value, interval: &Value) -> Vec<String> {
    vec![
        identity(&cell(one, "type")).to_owned(),
        time(interval, "start-time"),
        cell(interval, "elapsed"),
        cell(interval, "mean"),
        cell(interval, "minimum"),
        cell(interval, "maximum"),
        cell(interval, "last"),
        cell(interval, "total"),
        cell(one, "unit"),
        cell(interval, "validity"),
    ]
}
