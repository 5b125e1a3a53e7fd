//! `qkdn status`: devices by function, alarms by severity, what runs, and what is not operational.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::Failure;
use super::client::{Client, Reach};
use super::filter::{ALARMS, MANAGER, element};
use super::table::{Output, Table};
use super::value::{cell, leaf, list, time};

/// Between two looks while waiting.
const LOOK: Duration = Duration::from_millis(500);

#[derive(clap::Args, Debug)]
#[command(after_help = "Exit code 0 where every managed device is operational, else 5.")]
pub struct Args {
    /// Wait so long until every managed device is operational
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
}

pub async fn run(args: Args, reach: &Reach, output: Output) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(args.wait.unwrap_or(0));
    let client = connect_until(reach, deadline).await?;
    let status = loop {
        let status = ask(&client).await?;
        if missing(&status).is_empty() && !devices(&status).is_empty() || Instant::now() >= deadline {
            break status;
        }
        tokio::time::sleep(LOOK).await;
    };
    output.sections(&sections(&status), &summary(&status))?;
    match (missing(&status).len(), devices(&status).len()) {
        (0, _) => Ok(()),
        (missing, all) => Err(Failure {
            code: Failure::PARTIAL,
            text: format!("{missing} of {all} managed devices are not operational; see: qkdn device list"),
        }),
    }
}

/// A session, tried until the deadline: a manager that was just started may not listen yet.
pub async fn connect_until(reach: &Reach, deadline: Instant) -> Result<Client, Failure> {
    loop {
        match reach.connect().await {
            Err(failure) if failure.code == Failure::FAILED && Instant::now() < deadline => {
                tokio::time::sleep(LOOK).await;
            }
            done => return done,
        }
    }
}

async fn ask(client: &Client) -> Result<Value, Failure> {
    let device =
        "<device><name/><kind/><managed/><state><connection-state/><connection-error/><since/></state></device>";
    let run = "<run><run-id/><procedure/><state>running</state><started/><trigger/></run>";
    let filter = [
        element("devices", MANAGER, device),
        element("functions", MANAGER, ""),
        element("procedures", MANAGER, run),
        element("alarms", ALARMS, "<summary/>"),
    ];
    client.get(&filter.concat()).await
}

/// Those that the manager is to manage.
fn devices(status: &Value) -> Vec<&Value> {
    let all = list(status, "qkdn-manager:devices/device").iter();
    all.filter(|device| device["managed"] != false).collect()
}

fn missing(status: &Value) -> Vec<&Value> {
    devices(status).into_iter().filter(|device| leaf(device, "state/connection-state") != "operational").collect()
}

fn functions(status: &Value) -> &[Value] {
    list(status, "qkdn-manager:functions/function")
}

fn alarms(status: &Value) -> &[Value] {
    list(status, "ietf-alarms:alarms/summary/alarm-summary")
}

fn runs(status: &Value) -> Vec<&Value> {
    let all = list(status, "qkdn-manager:procedures/run").iter();
    all.filter(|run| leaf(run, "state") == "running").collect()
}

fn summary(status: &Value) -> Value {
    json!({
        "devices": devices(status).len(),
        "devices-operational": devices(status).len() - missing(status).len(),
        "function": functions(status),
        "alarm-summary": alarms(status),
        "run": runs(status),
        "not-operational": missing(status),
    })
}

fn sections(status: &Value) -> Vec<(String, Table)> {
    let mut by_function = Table::new(&["FUNCTION", "STATE", "DEVICES", "OPERATIONAL"]);
    for function in functions(status) {
        by_function.row(vec![
            leaf(function, "name").to_uppercase(),
            cell(function, "oper-state"),
            cell(function, "devices"),
            cell(function, "devices-operational"),
        ]);
    }
    let mut by_severity = Table::new(&["SEVERITY", "ACTIVE", "CLEARED"]);
    for severity in ["critical", "major", "minor", "warning", "indeterminate"] {
        let found = alarms(status).iter().find(|entry| entry["severity"] == severity).unwrap_or(&Value::Null);
        let count = |name| match leaf(found, name) {
            none if none.is_empty() => "0".to_owned(),
            count => count,
        };
        by_severity.row(vec![severity.to_owned(), count("not-cleared"), count("cleared")]);
    }
    let mut sections = vec![("Devices by function".to_owned(), by_function), ("Alarms".to_owned(), by_severity)];
    let runs = runs(status);
    let mut running = Table::new(&["RUN", "PROCEDURE", "STARTED", "TRIGGER"]);
    for run in runs {
        running.row(vec![cell(run, "run-id"), cell(run, "procedure"), time(run, "started"), cell(run, "trigger")]);
    }
    sections.push(("Running procedures".to_owned(), running));
    let missing = missing(status);
    if !missing.is_empty() {
        let mut table = Table::new(&["DEVICE", "KIND", "CONNECTION", "SINCE", "WHY"]);
        for device in missing {
            table.row(vec![
                cell(device, "name"),
                cell(device, "kind"),
                cell(device, "state/connection-state"),
                time(device, "state/since"),
                cell(device, "state/connection-error"),
            ]);
        }
        sections.push(("Not operational".to_owned(), table));
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_wanted_is_not_missing() {
        let status = json!({"qkdn-manager:devices": {"device": [
            {"name": "a", "managed": true, "state": {"connection-state": "operational"}},
            {"name": "b", "managed": true, "state": {"connection-state": "connecting", "connection-error": "refused"}},
            {"name": "c", "managed": false, "state": {"connection-state": "disabled"}},
            {"name": "d"},
        ]}});
        let names: Vec<String> = missing(&status).iter().map(|device| leaf(device, "name")).collect();
        assert_eq!(names, ["b", "d"], "what has no state yet is missing as well");
        assert_eq!(summary(&status)["devices-operational"], 1);
        assert_eq!(summary(&status)["devices"], 3);
    }
}
