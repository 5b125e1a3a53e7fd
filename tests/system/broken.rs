//! What breaks under a manager: a device whose host key changed, a damaged store, a full disk. Each is said, and nothing is lost.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::network::{Client, MANAGER, Network, Process, SIMULATION, until};
use crate::program::qkdn;

async fn state(manager: &Client, device: &str) -> Value {
    let filter = format!("<devices xmlns=\"{MANAGER}\"><device><name>{device}</name><state/></device></devices>");
    manager.get(&filter).await["qkdn-manager:devices"]["device"][0]["state"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_with_another_host_key_is_refused_until_the_operator_says_so() {
    let parent = tempfile::tempdir().unwrap();
    let mut network = Network::start(&parent.path().join("demo"), "lab", &["--without", "ab-rx"]);
    let manager = network.manager().await;
    let agent = network.start_agent("ab-rx");
    manager.operational(network.said["agents"].as_array().unwrap().len()).await;
    network.kill_agent(agent);
    std::fs::remove_file(network.directory.join("agents/ab-rx/host_key")).unwrap();
    network.start_agent("ab-rx");
    let refused = until("the refusal", || async {
        Some(state(&manager, "ab-rx").await).filter(|state| state["connection-state"] == "failed")
    })
    .await;
    let error = refused["connection-error"].as_str().unwrap();
    assert!(error.contains("host key") && error.contains("SHA256:"), "{error}");
    let alarm = manager.alarm("urn:qkdn:lab:module:ab-rx", "agent-unreachable", false).await;
    assert!(alarm["alarm-text"].as_str().unwrap().contains("host key"), "{alarm}");

    // The operator takes the key out of the configuration and says that the new one is right.
    let config = format!(
        "<devices xmlns=\"{MANAGER}\"><device><name>ab-rx</name><connection>\
         <host-key xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\" nc:operation=\"remove\"/></connection></device></devices>"
    );
    let edit = format!("<edit-config><target><running/></target><config>{config}</config></edit-config>");
    manager.rpc(&edit).await.unwrap();
    let accept = format!(
        "<connect-device xmlns=\"{MANAGER}\"><device>ab-rx</device><accept-host-key>true</accept-host-key></connect-device>"
    );
    manager.rpc(&accept).await.unwrap();
    manager.alarm("urn:qkdn:lab:module:ab-rx", "agent-unreachable", true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_store_is_said_and_left_alone() {
    let parent = tempfile::tempdir().unwrap();
    let mut network = Network::start(&parent.path().join("demo"), "lab", &["--no-manager"]);
    network.start_manager();
    network.manager().await.operational(network.said["agents"].as_array().unwrap().len()).await;
    // Ended well, it has emptied its log into the file: what is damaged there is damaged.
    network.end_manager();
    let file = network.directory.join("manager/state/manager.db");
    let sound = std::fs::read(&file).unwrap();
    let mut damaged = sound.clone();
    damaged[..512].fill(0x5a);
    std::fs::write(&file, &damaged).unwrap();
    let config = network.said["manager"]["config"].as_str().unwrap();
    let run = || Command::new(qkdn()).env("TZ", "UTC").args(["manager", "run", "--config", config]).output().unwrap();
    let said = String::from_utf8(run().stderr).unwrap();
    let line = said.lines().find(|line| line.starts_with("qkdn: ")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("manager.db"), "{line}");
    assert_eq!(std::fs::read(&file).unwrap(), damaged, "nothing was changed");
    std::fs::write(&file, sound).unwrap();
    network.start_manager();
    network.manager().await.operational(network.said["agents"].as_array().unwrap().len()).await;
}

/// A manager whose state is on a file system of a few megabytes, which a file can fill and free again.
fn on_small_disk(network: &Network, signals: &Path) -> Option<Process> {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    let namespace: &[&str] = if is_root { &["-m"] } else { &["-rm"] };
    let can = Command::new("unshare").args(namespace).args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
    if !can.is_ok_and(|tried| tried.status.success()) {
        // A right that the machine does not give, not a tool that set-up forgot.
        eprintln!("skipped: no small file system can be mounted here");
        return None;
    }
    let state = network.directory.join("manager/state");
    std::fs::create_dir_all(&state).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=12m tmpfs {state} || exit 9\n\
         (until [ -e {at}/fill ]; do sleep 0.1; done; dd if=/dev/zero of={state}/ballast bs=4k 2>/dev/null; touch {at}/full;\n\
         until [ -e {at}/free ]; do sleep 0.1; done; rm {state}/ballast; touch {at}/freed) &\n\
         exec {qkdn} manager run --config {config}",
        state = state.display(),
        at = signals.display(),
        qkdn = qkdn().display(),
        config = network.said["manager"]["config"].as_str().unwrap(),
    );
    let mut arguments = namespace.to_vec();
    arguments.extend(["sh", "-c", &script]);
    Some(Process::of("unshare", &arguments, &network.directory.with_extension("small.log")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_holds_the_manager_back_and_loses_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let network = Network::start(&parent.path().join("demo"), "lab", &["--no-manager"]);
    let Some(mut small) = on_small_disk(&network, parent.path()) else { return };
    let manager = network.manager().await;
    manager.operational(network.said["agents"].as_array().unwrap().len()).await;
    std::fs::write(parent.path().join("fill"), "").unwrap();
    until("the disk full", || async { parent.path().join("full").exists().then_some(()) }).await;

    // What devices tell now cannot be kept: the manager says so and waits.
    let module = "urn:qkdn:lab:module:ab-tx";
    let device = network.device("ab-tx").await;
    device.rpc(&format!("<inject-fault xmlns=\"{SIMULATION}\"><tamper/></inject-fault>")).await.unwrap();
    until("word of the full disk", || async { small.log().contains("full").then_some(()) }).await;
    device.rpc(&format!("<clear-fault xmlns=\"{SIMULATION}\"><all/></clear-fault>")).await.unwrap();
    device.alarm(module, "module-tamper", true).await;

    std::fs::write(parent.path().join("free"), "").unwrap();
    let alarm = manager.alarm(module, "module-tamper", true).await;
    assert_eq!(alarm["status-change"].as_array().unwrap().len(), 2, "raised and cleared: {alarm}");
    small.kill();
}
