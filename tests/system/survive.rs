//! Kill -9 of the manager and of an agent: what was known is known again, and what happened in between is taken once.

use std::process::Command;

use serde_json::Value;

use crate::network::{ALARMS, Client, MANAGER, Network};
use crate::program::qkdn;

/// The operator's acknowledgement of an alarm of the list.
async fn acknowledge(manager: &Client, alarm: &Value) {
    let leaf = |name: &str| alarm[name].as_str().unwrap().to_owned();
    let (resource, types) = (leaf("resource"), leaf("alarm-type-id"));
    let request = format!(
        "<action xmlns=\"urn:ietf:params:xml:ns:yang:1\"><alarms xmlns=\"{ALARMS}\"><alarm-list><alarm>\
         <resource xmlns:m=\"{MANAGER}\">{resource}</resource>\
         <alarm-type-id xmlns:qkdn-alarms=\"urn:qkdn:yang:qkdn-alarms\">{types}</alarm-type-id>\
         <alarm-type-qualifier>{qualifier}</alarm-type-qualifier>\
         <set-operator-state><state>ack</state><text>seen</text></set-operator-state>\
         </alarm></alarm-list></alarms></action>",
        resource = resource.replace("qkdn-manager:", "m:"),
        qualifier = leaf("alarm-type-qualifier"),
    );
    manager.rpc(&request).await.unwrap();
}

fn statuses(alarm: &Value) -> Vec<String> {
    let changes = alarm["status-change"].as_array().unwrap().iter();
    changes.map(|change| change["perceived-severity"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_manager_knows_what_it_knew_and_takes_what_it_missed_once() {
    let parent = tempfile::tempdir().unwrap();
    let mut network = Network::start(&parent.path().join("demo"), "lab", &["--no-manager"]);
    let devices = network.said["agents"].as_array().unwrap().len();
    network.start_manager();
    let manager = network.manager().await;
    manager.operational(devices).await;
    let (first, second) = ("urn:qkdn:lab:link:ca", "urn:qkdn:lab:module:ab-tx");
    manager.inject("ca-rx", "<qber><target>9</target></qber>").await;
    let alarm = manager.alarm(first, "qber-threshold-exceeded", false).await;
    let run_id = alarm["qkdn-manager:run-id"].as_str().unwrap().to_owned();
    let run = manager.ended(&run_id).await;
    acknowledge(&manager, &alarm).await;
    let resources = manager.get(&format!("<network xmlns=\"{MANAGER}\"><resource/></network>")).await;
    let count = resources["qkdn-manager:network"]["resource"].as_array().unwrap().len();
    network.kill_manager();
    drop(manager);

    // Nobody listens: one alarm is cleared, another raised and cleared, a third raised.
    let cleared = network.device("ca-rx").await;
    let module = network.device("ab-tx").await;
    let simulation = crate::network::SIMULATION;
    cleared.rpc(&format!("<clear-fault xmlns=\"{simulation}\"><all/></clear-fault>")).await.unwrap();
    for _ in 0..2 {
        module.rpc(&format!("<inject-fault xmlns=\"{simulation}\"><tamper/></inject-fault>")).await.unwrap();
        module.alarm(second, "module-tamper", false).await;
        module.rpc(&format!("<clear-fault xmlns=\"{simulation}\"><all/></clear-fault>")).await.unwrap();
        module.alarm(second, "module-tamper", true).await;
    }
    cleared.alarm(first, "qber-threshold-exceeded", true).await;

    network.start_manager();
    let manager = network.manager().await;
    let again = manager.alarm(first, "qber-threshold-exceeded", true).await;
    assert_eq!(again["qkdn-alarms:alarm-id"], alarm["qkdn-alarms:alarm-id"]);
    assert_eq!(statuses(&again), ["cleared", "major"]);
    assert_eq!(again["operator-state-change"][0]["state"], "ack", "{again}");
    let missed = manager.alarm(second, "module-tamper", true).await;
    assert_eq!(statuses(&missed), ["cleared", "critical", "cleared", "critical"], "each once: {missed}");
    manager.operational(devices).await;
    assert_eq!(manager.runs().await.iter().find(|run| run["run-id"] == *run_id), Some(&run), "the trace is as it was");
    let resources = manager.get(&format!("<network xmlns=\"{MANAGER}\"><resource/></network>")).await;
    assert_eq!(resources["qkdn-manager:network"]["resource"].as_array().unwrap().len(), count);
    let filter = format!("<network xmlns=\"{MANAGER}\"><performance/></network>");
    let measured = manager.get(&filter).await;
    assert!(!measured["qkdn-manager:network"]["performance"]["information"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_agent_is_missed_taken_back_and_read_anew() {
    let parent = tempfile::tempdir().unwrap();
    let mut network = Network::start(&parent.path().join("demo"), "lab", &["--without", "ab-rx"]);
    let devices = network.said["agents"].as_array().unwrap().len();
    let manager = network.manager().await;
    let agent = network.start_agent("ab-rx");
    manager.operational(devices).await;
    let resource = "urn:qkdn:lab:module:ab-rx";
    let before = manager.alarms().await;
    let missed = |alarm: &Value| {
        alarm["qkdn-alarms:alarm-source-id"] == resource && alarm["alarm-type-id"] == "qkdn-alarms:agent-unreachable"
    };
    let toggles = before.iter().find(|alarm| missed(alarm)).map_or(0, |alarm| statuses(alarm).len());

    network.kill_agent(agent);
    manager.alarm(resource, "agent-unreachable", false).await;
    let status = Command::new(qkdn()).arg("--dir").arg(&network.directory).arg("status").output().unwrap();
    assert_eq!(status.status.code(), Some(5), "done in part: {status:?}");
    network.start_agent("ab-rx");
    let back = manager.alarm(resource, "agent-unreachable", true).await;
    assert_eq!(statuses(&back).len(), toggles + 2, "raised and cleared once: {back}");
    manager.operational(devices).await;

    // What it raises now is heard.
    manager.inject("ab-rx", "<tamper/>").await;
    manager.alarm(resource, "module-tamper", false).await;
}
