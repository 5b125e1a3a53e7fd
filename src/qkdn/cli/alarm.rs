//! `qkdn alarm`: the alarm list of the network (RFC 8632) and what an operator does with it.

use clap::ValueEnum;
use serde_json::{Value, json};

use super::Failure;
use super::client::{Client, Reach};
use super::filter::{ALARMS, MANAGER, QKDN_ALARMS, element, escape, leaf as xml_leaf};
use super::find;
use super::table::{Output, Table};
use super::value::{NOTHING, cell, identity, leaf, list, short, time};

const ID: &str = "qkdn-alarms:alarm-id";
const SOURCE: &str = "qkdn-alarms:alarm-source-id";
const DEVICE: &str = "qkdn-manager:device";
const RUN: &str = "qkdn-manager:run-id";

/// Least first, as RFC 8632 orders them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Severity {
    Indeterminate,
    Warning,
    Minor,
    Major,
    Critical,
}

#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Active alarms, worst first
    List {
        /// Those that were cleared as well
        #[arg(long)]
        all: bool,
        /// This severity and worse
        #[arg(long)]
        severity: Option<Severity>,
        /// Only of this resource, by its identifier or the last part of it
        #[arg(long, value_name = "RESOURCE")]
        resource: Option<String>,
    },
    /// One alarm, and its root cause
    Show { id: String },
    /// Tell that an alarm is being dealt with
    Ack {
        id: String,
        /// A remark
        #[arg(long)]
        text: Option<String>,
    },
    /// Tell that an alarm needs no more attention
    Close {
        id: String,
        /// A remark
        #[arg(long)]
        text: Option<String>,
    },
    /// What an alarm went through, newest first
    History { id: String },
    /// How many alarms there are of each severity
    Summary,
    /// Take cleared alarms off the list
    Purge {
        /// Only those that changed last so many seconds ago or earlier
        #[arg(long, value_name = "SECONDS")]
        older_than: Option<u32>,
        /// Only those that an operator closed
        #[arg(long)]
        closed: bool,
        /// Those that are active as well; they come back only when they are raised anew
        #[arg(long)]
        active: bool,
    },
}

pub async fn run(command: Command, reach: &Reach, output: Output) -> Result<(), Failure> {
    let client = reach.connect().await?;
    match command {
        Command::List { all, severity, resource } => {
            let mut alarms = alarms(&client, all).await?;
            alarms.retain(|alarm| {
                severity.is_none_or(|least| severity_of(alarm) >= Some(least))
                    && resource.as_ref().is_none_or(|wanted| {
                        let source = source(alarm);
                        source == *wanted || short(&source) == wanted
                    })
            });
            alarms.sort_by_key(|alarm| (std::cmp::Reverse(severity_of(alarm)), leaf(alarm, "last-raised")));
            output.list(&table_of(&alarms), &Value::from(alarms))
        }
        Command::Show { id } => show(&client, &id, output).await,
        Command::Ack { id, text } => set_state(&client, &id, "ack", text, output).await,
        Command::Close { id, text } => set_state(&client, &id, "closed", text, output).await,
        Command::History { id } => {
            let alarm = find::alarm(&client, &id).await?;
            let json = json!({
                "status-change": alarm["status-change"],
                "operator-state-change": alarm["operator-state-change"],
            });
            output.sections(&history(&alarm), &json)
        }
        Command::Summary => summary(&client, output).await,
        Command::Purge { older_than, closed, active } => purge(&client, older_than, closed, active, output).await,
    }
}

async fn alarms(client: &Client, all: bool) -> Result<Vec<Value>, Failure> {
    let own = |names: &[&str]| names.iter().map(|name| format!("<{name}/>")).collect::<String>();
    let cleared = if all { "<is-cleared/>" } else { "<is-cleared>false</is-cleared>" };
    let members = own(&[
        "resource",
        "alarm-type-id",
        "alarm-type-qualifier",
        "time-created",
        "last-raised",
        "last-changed",
        "perceived-severity",
        "alarm-text",
        "operator-state-change",
    ]);
    let ours = ["alarm-id", "alarm-source-id", "alarm-class", "alarm-value", "layer", "reference-point"]
        .map(|name| element(name, QKDN_ALARMS, ""))
        .concat();
    let managers = ["device", "root-alarm-id", "toggles", "run-id"].map(|name| element(name, MANAGER, "")).concat();
    let alarm = format!("<alarm-list><alarm>{cleared}{members}{ours}{managers}</alarm></alarm-list>");
    let data = client.get(&element("alarms", ALARMS, &alarm)).await?;
    Ok(list(&data, "ietf-alarms:alarms/alarm-list/alarm").to_vec())
}

fn table_of(alarms: &[Value]) -> Table {
    let mut table =
        Table::new(&["ID", "SEVERITY", "STATE", "OPERATOR", "RESOURCE", "TYPE", "RAISED", "DEVICE", "RUN", "TEXT"]);
    for alarm in alarms {
        table.row(vec![
            cell(alarm, ID),
            cell(alarm, "perceived-severity"),
            if alarm["is-cleared"] == true { "cleared" } else { "active" }.to_owned(),
            operator_state(alarm),
            short(&source(alarm)).to_owned(),
            identity(&cell(alarm, "alarm-type-id")).to_owned(),
            time(alarm, "last-raised"),
            cell(alarm, DEVICE),
            cell(alarm, RUN),
            cell(alarm, "alarm-text"),
        ]);
    }
    table
}

/// The last that an operator said of it.
fn operator_state(alarm: &Value) -> String {
    let changes = list(alarm, "operator-state-change").iter();
    let last = changes.max_by_key(|change| leaf(change, "time"));
    last.map_or_else(|| NOTHING.to_owned(), |change| cell(change, "state"))
}

fn severity_of(alarm: &Value) -> Option<Severity> {
    Severity::from_str(&leaf(alarm, "perceived-severity"), false).ok()
}

/// The resource-id of the alarming resource.
fn source(alarm: &Value) -> String {
    match leaf(alarm, SOURCE) {
        none if none.is_empty() => leaf(alarm, "resource"),
        id => id,
    }
}

async fn show(client: &Client, id: &str, output: Output) -> Result<(), Failure> {
    let mut alarm = find::alarm(client, id).await?;
    let rpc = element("get-root-cause", MANAGER, &xml_leaf("alarm-id", &leaf(&alarm, ID)));
    match client.call("/qkdn-manager:get-root-cause", &rpc).await {
        Ok(cause) => alarm["root-cause"] = cause,
        // Whoever may read alarms may not be allowed to ask for more.
        Err(failure) => tracing::warn!("the root cause is not known: {}", failure.text),
    }
    let leave_out = ["status-change", "operator-state-change"];
    output.details(&alarm, &leave_out, &history(&alarm))
}

fn history(alarm: &Value) -> Vec<(String, Table)> {
    let newest_first = |name: &str| {
        let mut changes: Vec<Value> = list(alarm, name).to_vec();
        changes.sort_by_key(|change| std::cmp::Reverse(leaf(change, "time")));
        changes
    };
    let mut status = Table::new(&["TIME", "SEVERITY", "TEXT"]);
    for change in newest_first("status-change") {
        status.row(vec![time(&change, "time"), cell(&change, "perceived-severity"), cell(&change, "alarm-text")]);
    }
    let mut operator = Table::new(&["TIME", "OPERATOR", "STATE", "TEXT"]);
    for change in newest_first("operator-state-change") {
        let cells =
            vec![time(&change, "time"), cell(&change, "operator"), cell(&change, "state"), cell(&change, "text")];
        operator.row(cells);
    }
    vec![("Status changes".to_owned(), status), ("Operators".to_owned(), operator)]
}

async fn set_state(
    client: &Client,
    id: &str,
    state: &str,
    text: Option<String>,
    output: Output,
) -> Result<(), Failure> {
    let alarm = find::alarm(client, id).await?;
    let type_id = leaf(&alarm, "alarm-type-id");
    let module = type_id.split_once(':').map_or("ietf-alarms", |(module, _)| module);
    let namespace = client.namespace(module).unwrap_or(QKDN_ALARMS);
    let key = format!(
        "<resource xmlns:m=\"{MANAGER}\">/m:network/m:resource[m:resource-id='{}']</resource>\
         <alarm-type-id xmlns:t=\"{namespace}\">t:{}</alarm-type-id>{}",
        escape(&source(&alarm)),
        identity(&type_id),
        xml_leaf("alarm-type-qualifier", &leaf(&alarm, "alarm-type-qualifier")),
    );
    let remark = text.as_deref().map(|text| xml_leaf("text", text)).unwrap_or_default();
    let action = format!("<set-operator-state>{}{remark}</set-operator-state>", xml_leaf("state", state));
    let tree = element("alarms", ALARMS, &format!("<alarm-list><alarm>{key}{action}</alarm></alarm-list>"));
    client.action(&tree).await?;
    let id = leaf(&alarm, ID);
    output.done(&format!("{id}: {state} by {}", client.user), &json!({"alarm-id": id, "state": state}))
}

async fn summary(client: &Client, output: Output) -> Result<(), Failure> {
    let data = client.get(&element("alarms", ALARMS, "<summary/>")).await?;
    let entries = list(&data, "ietf-alarms:alarms/summary/alarm-summary");
    let mut table = Table::new(&["SEVERITY", "TOTAL", "ACTIVE", "ACTIVE CLOSED", "CLEARED", "CLEARED CLOSED"]);
    for entry in entries {
        let members = ["severity", "total", "not-cleared", "not-cleared-closed", "cleared", "cleared-closed"];
        table.row(members.map(|name| cell(entry, name)).to_vec());
    }
    output.list(&table, &Value::from(entries))
}

async fn purge(
    client: &Client,
    older_than: Option<u32>,
    closed: bool,
    active: bool,
    output: Output,
) -> Result<(), Failure> {
    let clearance = xml_leaf("alarm-clearance-status", if active { "any" } else { "cleared" });
    let age = older_than.map(age).transpose()?.unwrap_or_default();
    let state = if closed { "<operator-state-filter><state>closed</state></operator-state-filter>" } else { "" };
    let purge = format!("<alarm-list><purge-alarms>{clearance}{age}{state}</purge-alarms></alarm-list>");
    let purged = client.action(&element("alarms", ALARMS, &purge)).await?.unwrap_or_default();
    let count: Value = purged.parse::<u64>().map_or(Value::Null, Value::from);
    output.done(&format!("alarms taken off the list: {purged}"), &json!({"purged-alarms": count}))
}

/// RFC 8632 counts in 16 bits: the finest unit that holds it.
fn age(seconds: u32) -> Result<String, Failure> {
    let units = [("seconds", 1), ("minutes", 60), ("hours", 3_600), ("days", 86_400)];
    // Rounded up, so that nothing younger goes.
    let fits = units.iter().find(|(_, unit)| seconds.div_ceil(*unit) <= u32::from(u16::MAX));
    let (name, unit) = fits.ok_or_else(|| Failure::usage(format!("--older-than {seconds}: that is too long ago")))?;
    Ok(format!("<older-than>{}</older-than>", xml_leaf(name, &seconds.div_ceil(*unit).to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm() -> Value {
        json!({
            "resource": "/qkdn-manager:network/resource[resource-id='urn:qkdn:lab:link:a']",
            "alarm-type-id": "qkdn-alarms:qber-threshold",
            "alarm-type-qualifier": "",
            "is-cleared": false,
            "last-raised": "2026-11-23T02:10:00.123Z",
            "perceived-severity": "major",
            "alarm-text": "QBER 7.1 %",
            "operator-state-change": [
                {"time": "2026-11-23T02:11:00Z", "operator": "ann", "state": "ack"},
                {"time": "2026-11-23T02:12:00Z", "operator": "ann", "state": "closed", "text": "seen"},
            ],
            "qkdn-alarms:alarm-id": "alarm-1",
            "qkdn-alarms:alarm-source-id": "urn:qkdn:lab:link:a",
            "qkdn-manager:device": "a-rx",
        })
    }

    #[test]
    fn a_row_tells_an_alarm_in_words() {
        let shown = format!("{:?}", table_of(&[alarm()]));
        let row = "[\"alarm-1\", \"major\", \"active\", \"closed\", \"a\", \"qber-threshold\", \"2026-11-23 02:10:00Z\", \"a-rx\", \
                   \"-\", \"QBER 7.1 %\"]";
        assert!(shown.contains(row), "{shown}");
    }

    #[test]
    fn severities_compare_and_ages_fit_the_model() {
        assert!(severity_of(&alarm()) > Some(Severity::Minor) && severity_of(&json!({})).is_none());
        assert_eq!(age(65_535).unwrap(), "<older-than><seconds>65535</seconds></older-than>");
        assert_eq!(age(65_537).unwrap(), "<older-than><minutes>1093</minutes></older-than>");
    }
}
