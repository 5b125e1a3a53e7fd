//! From a fault to the controller (Y.3804 10.1.1), seen from outside: alarm, eight steps, the action in the controller's own datastore, clear.

use serde_json::Value;

use crate::network::{Client, Network, until};

/// Numbers of the steps of a run, in the order in which they were done.
fn numbers(run: &Value) -> Vec<u64> {
    run["step"].as_array().unwrap().iter().map(|step| step["number"].as_u64().unwrap()).collect()
}

fn times_never_go_back(run: &Value) {
    let times: Vec<&str> = run["step"].as_array().unwrap().iter().map(|step| step["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

/// The link failure run of an alarm, when it has ended.
async fn run_of(manager: &Client, alarm: &Value) -> Value {
    let run_id = alarm["qkdn-manager:run-id"].as_str().unwrap_or_else(|| panic!("no run deals with {alarm}"));
    let run = manager.ended(run_id).await;
    assert_eq!((&run["procedure"], &run["state"]), (&"link-failure".into(), &"completed".into()), "{run}");
    assert_eq!(numbers(&run), [1, 2, 3, 4, 5, 6, 7, 8], "{run}");
    times_never_go_back(&run);
    run
}

/// The control action that step 8 tells of, as the controller has it.
async fn action(controller: &Client, run: &Value) -> Value {
    let step = run["step"].as_array().unwrap().last().unwrap();
    let data: Value = serde_json::from_str(step["data"].as_str().unwrap()).unwrap();
    let action_id = data["action-id"].as_str().unwrap().to_owned();
    let filter = "<controller xmlns=\"urn:qkdn:yang:qkdn-mc\"><state><control-action/></state></controller>";
    until(&format!("{action_id} done"), || async {
        let got = controller.get(filter).await;
        let actions = got["qkdn-mc:controller"]["state"]["control-action"].as_array().cloned().unwrap_or_default();
        actions.into_iter().find(|action| action["action-id"] == *action_id && action["state"] == "done")
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_faults_go_their_own_ways_from_alert_to_action_and_clear() {
    let parent = tempfile::tempdir().unwrap();
    let network = Network::start(&parent.path().join("demo"), "lab", &[]);
    let manager = network.manager().await;
    let controller = network.device("controller").await;
    let (degraded, dark) = ("urn:qkdn:lab:link:ab", "urn:qkdn:lab:link:bc");

    manager.inject("ab-rx", "<qber><target>9</target></qber>").await;
    manager.inject("os", "<port-failure><port>p1</port></port-failure>").await;

    // A higher QBER with all the light there: the link moves to its second fibre, where the fault does not stand.
    let alarm = manager.alarm(degraded, "qber-threshold-exceeded", false).await;
    let run = run_of(&manager, &alarm).await;
    assert_eq!(run["resource-id"], serde_json::json!([degraded]));
    let done = action(&controller, &run).await;
    assert_eq!(done["type"], "qkdn-types:backup-channel-activation", "{done}");
    let cleared = manager.alarm(degraded, "qber-threshold-exceeded", true).await;
    assert_eq!(cleared["qkdn-alarms:alarm-id"], alarm["qkdn-alarms:alarm-id"], "it is the same alarm");

    // A dark port: the switch leads the link through its spare ones.
    let alarm = manager.alarm(dark, "qkd-link-down", true).await;
    let other = run_of(&manager, &alarm).await;
    assert_eq!(other["resource-id"], serde_json::json!([dark]));
    assert_ne!(other["run-id"], run["run-id"]);
    let done = action(&controller, &other).await;
    assert_eq!(done["type"], "qkdn-types:switch-port", "{done}");
    let port = "urn:qkdn:lab:switch:os:port:p1";
    let root = manager.alarm(port, "port-fault", false).await;
    assert_eq!(root.get("qkdn-manager:root-alarm-id"), None, "{root}");

    // What one run is about the other is not.
    let alarms = |run: &Value| -> Vec<String> {
        run["alarm-id"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    };
    let mixed: Vec<String> = alarms(&run).into_iter().filter(|id| alarms(&other).contains(id)).collect();
    assert_eq!(mixed, Vec::<String>::new());
    manager.clear("os").await;
    let cleared = manager.alarm(port, "port-fault", true).await;
    assert_eq!(cleared["qkdn-alarms:alarm-id"], root["qkdn-alarms:alarm-id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_fibre_without_another_way_is_led_around() {
    let parent = tempfile::tempdir().unwrap();
    let network = Network::start(&parent.path().join("demo"), "tokyo", &[]);
    let manager = network.manager().await;
    let receiver = network.said["agents"].as_array().unwrap().iter();
    let receiver = receiver.map(|agent| agent["name"].as_str().unwrap()).find(|name| name.ends_with("-rx")).unwrap();
    let link = format!("urn:qkdn:tokyo:link:{}", receiver.trim_end_matches("-rx"));
    manager.inject(receiver, "<fibre-cut/>").await;
    let alarm = manager.alarm(&link, "qkd-link-down", false).await;
    run_of(&manager, &alarm).await;
    manager.clear(receiver).await;
    let cleared = manager.alarm(&link, "qkd-link-down", true).await;
    assert_eq!(cleared["qkdn-alarms:alarm-id"], alarm["qkdn-alarms:alarm-id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_whose_module_was_opened_goes_out_of_service() {
    let parent = tempfile::tempdir().unwrap();
    let network = Network::start(&parent.path().join("demo"), "lab", &[]);
    let manager = network.manager().await;
    manager.inject("ca-tx", "<tamper/>").await;
    let alarm = manager.alarm("urn:qkdn:lab:module:ca-tx", "module-tamper", false).await;
    let run_id = alarm["qkdn-manager:run-id"].as_str().unwrap_or_else(|| panic!("no run deals with {alarm}"));
    let run = manager.ended(run_id).await;
    // Y.3804 10.5. These key managers cannot set keys apart, so key relay is led around the link.
    assert_eq!((&run["procedure"], &run["state"]), (&"security".into(), &"completed".into()), "{run}");
    assert_eq!(numbers(&run), [1, 2, 3, 4, 5, 6, 5, 6, 5, 6], "{run}");
    times_never_go_back(&run);
    for end in ["ca-tx", "ca-rx"] {
        let got = network
            .device(end)
            .await
            .get("<qkd-module xmlns=\"urn:qkdn:yang:qkdn-mq\"><service-state/></qkd-module>")
            .await;
        assert_eq!(got["qkdn-mq:qkd-module"]["service-state"], "out-of-service", "{end}: {got}");
    }
}
