//! An effect as a line of a golden file: what a reader wants to know of it.

use serde::Serialize;
use serde_json::{Value, json};

use super::world::PREFIX;
use crate::input::{Effect, Notification};
use crate::record::{Alarm, Link, Network, Node, Record, Run, Step};

pub fn line(effect: &Effect) -> Value {
    let line = match effect {
        Effect::Store(record) => json!({"store": stored(record)}),
        Effect::Notify(notification) => json!({"notify": notified(notification)}),
        Effect::Synchronize { device } => json!({"synchronize": device}),
        Effect::Diagnose { run, device, link_id, seconds } => {
            json!({"diagnose": format!("{run}: {device}, {}, {seconds} s", link_id.as_deref().unwrap_or("no link"))})
        }
        Effect::Control { run, device, action } => json!({"control": format!("{run}: {device}"), "action": action}),
        Effect::Answer { number, answer } => json!({"answer": number, "with": format!("{answer:?}")}),
    };
    serde_json::from_str(&line.to_string().replace(PREFIX, "")).unwrap()
}

fn stored(record: &Record) -> Value {
    match record {
        Record::Device(device) => {
            let error = device.connection_error.as_ref().map(|error| format!(": {error}"));
            json!(format!("device {} {}{}", device.name, word(&device.connection_state), error.unwrap_or_default()))
        }
        Record::DeviceForgotten(name) => json!(format!("device {name} forgotten")),
        Record::Resource(resource) => {
            let device = resource.device.as_deref().unwrap_or("nobody");
            let state = resource.oper_state.as_deref().unwrap_or("no state");
            json!(format!("resource {} {} by {device}, {state}", resource.resource_id, word(&resource.presence)))
        }
        Record::ResourceForgotten(id) => json!(format!("resource {id} forgotten")),
        Record::Network(network) => of_network(network),
        Record::Inconsistencies(all) => {
            let one = |found: &crate::record::Inconsistency| {
                let alarm = found.alarm_id.as_deref().unwrap_or("no alarm");
                format!("{} {} at {}, {alarm}: {}", found.number, found.kind, found.resource_id.join(" "), found.text)
            };
            json!({"inconsistencies": all.iter().map(one).collect::<Vec<_>>()})
        }
        Record::Alarm(alarm) => json!(of_alarm(alarm)),
        Record::AlarmPurged(key) => json!(format!("purged {} {}", key.resource, key.alarm_type_id)),
        Record::Run(run) => json!(of_run(run)),
        Record::Step(step) => of_step(step),
        Record::Performance(values) => json!(format!("{} values", values.len())),
        Record::Intervals(intervals) => json!(format!("{} intervals", intervals.len())),
        Record::Audit(audit) => json!(format!("{} by {}", audit.operation, audit.user)),
    }
}

fn notified(notification: &Notification) -> Value {
    json!(match notification {
        Notification::Alarm(alarm) => of_alarm(alarm),
        Notification::OperatorAction(alarm) => format!("operator: {}", of_alarm(alarm)),
        Notification::DeviceState { device, old, new, reason } => {
            let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("device {device} {} to {}{reason}", word(old), word(new))
        }
        Notification::ProcedureStep(step) => format!("{} step {}", step.run_id, step.number),
        Notification::ProcedureEnded(run) => of_run(run),
        Notification::TopologyChanged { version, added, removed, changed } => {
            format!("topology {version}: {} added, {} removed, {} changed", added.len(), removed.len(), changed.len())
        }
    })
}

fn of_alarm(alarm: &Alarm) -> String {
    let kind = alarm.key.alarm_type_id.rsplit(':').next().unwrap();
    let status = if alarm.is_cleared { "cleared".to_owned() } else { word(&alarm.perceived_severity) };
    let mut line = format!("{} {kind} of {} {status}", alarm.alarm_id, alarm.key.resource);
    let changes = alarm.status_change.len();
    line.push_str(&format!(" ({changes} changes) \"{}\"", alarm.alarm_text));
    if let Some(change) = alarm.operator_state_change.first() {
        line.push_str(&format!(", {} by {}", change.state, change.operator));
    }
    if let Some(run) = &alarm.run_id {
        line.push_str(&format!(", {run}"));
    }
    if let Some(root) = &alarm.root_alarm_id {
        line.push_str(&format!(", follows from {root}"));
    }
    line
}

fn of_run(run: &Run) -> String {
    let outcome = run.outcome.as_ref().map(|outcome| format!(": {outcome}")).unwrap_or_default();
    let about = [run.resource_id.as_slice(), run.alarm_id.as_slice()].concat().join(" ");
    let trigger = run.trigger.as_deref().unwrap_or("no trigger");
    format!("{} {} [{about}] ({trigger}) {}{outcome}", run.run_id, word(&run.procedure), word(&run.state))
}

fn of_step(step: &Step) -> Value {
    let peer = step.peer.as_ref().map(|peer| format!(" with {peer}")).unwrap_or_default();
    let text = format!("{} step {}: {}{peer}: {}", step.run_id, step.number, word(&step.actor), step.text);
    let mut line = json!({"step": text});
    if let Some(operation) = &step.operation_id {
        line["operation-id"] = json!(operation);
    }
    if let Some(data) = &step.data {
        line["data"] = serde_json::from_str(data).unwrap();
    }
    line
}

fn of_network(network: &Network) -> Value {
    let on = |below: &[(String, String)]| match below {
        [] => String::new(),
        below => format!(" on {}", below.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>().join(" ")),
    };
    let node = |node: &Node| {
        let state = node.oper_state.as_ref().map(|state| format!(", {state}")).unwrap_or_default();
        format!("{}{}{state}", node.node_id, on(&node.supporting_node))
    };
    let link = |link: &Link| {
        let state = link.oper_state.as_ref().map(|state| format!(", {state}")).unwrap_or_default();
        format!("{}: {} to {}{}{state}", link.link_id, link.source.0, link.destination.0, on(&link.supporting_link))
    };
    json!({
        "network": format!("{} version {}", network.network_id, network.version),
        "nodes": network.node.iter().map(node).collect::<Vec<_>>(),
        "links": network.link.iter().map(link).collect::<Vec<_>>(),
    })
}

/// An enumeration as YANG spells it.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}
