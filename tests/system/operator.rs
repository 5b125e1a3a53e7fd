//! The operator's commands against a running manager: resources, performance and alarms of Tables I.3 to I.5, for each reference point.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::network::{Network, until};
use crate::program::qkdn;

/// What a command says, as JSON.
fn ask(directory: &Path, words: &[&str]) -> Value {
    let output = Command::new(qkdn()).arg("--dir").arg(directory).args(words).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

fn said(value: &Value, leaf: &str) -> String {
    value[leaf].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resources_performance_and_alarms_of_each_reference_point_are_listed() {
    let parent = tempfile::tempdir().unwrap();
    let network = Network::start(&parent.path().join("demo"), "lab", &[]);
    let manager = network.manager().await;
    manager.operational(network.said["agents"].as_array().unwrap().len()).await;
    let directory = network.directory.as_path();
    // (reference point, device, resource, what is measured of it and in which unit, fault, alarm and where)
    for (point, device, resource, measured, unit, fault, alarm_type, source) in [
        (
            "mq",
            "ab-rx",
            "urn:qkdn:lab:module:ab-rx",
            "module-temperature",
            "celsius",
            &["ab-rx", "--tamper"][..],
            "module-tamper",
            "urn:qkdn:lab:module:ab-rx",
        ),
        (
            "mk",
            "km-b",
            "urn:qkdn:lab:km:b",
            "relay-success-count",
            "count",
            &["km-b", "--km-crash"][..],
            "km-failure",
            "urn:qkdn:lab:km:b",
        ),
        (
            "mops",
            "os",
            "urn:qkdn:lab:switch:os",
            "module-temperature",
            "celsius",
            &["os", "--port-failure", "p1"][..],
            "port-fault",
            "urn:qkdn:lab:switch:os:port:p1",
        ),
    ] {
        // Rows 1 and 2, and the inventory of clause 9.1.
        let shown = ask(directory, &["inventory", "show", resource]);
        assert_eq!((said(&shown, "resource-id"), said(&shown, "reference-point")), (resource.into(), point.into()));
        assert!(!said(&shown, "description").is_empty(), "{shown}");
        for leaf in ["vendor", "model", "serial-number", "software-revision"] {
            assert!(!said(&shown["equipment"], leaf).is_empty(), "{leaf} of {shown}");
        }
        assert!(!said(&shown["location"], "node").is_empty(), "{shown}");
        let listed = ask(directory, &["inventory", "list", "--device", device]);
        let listed = listed.as_array().unwrap();
        assert!(listed.iter().any(|one| said(one, "resource-id") == resource), "{listed:?}");
        assert!(listed.iter().all(|one| said(one, "device") == device), "{listed:?}");

        // Rows 3 to 6.
        let found = until(&format!("{measured} of {resource}"), || async {
            ask(directory, &["pm", "list", resource, "--type", measured]).as_array().unwrap().first().cloned()
        })
        .await;
        assert_eq!(said(&found, "type"), format!("qkdn-performance:{measured}"));
        assert_eq!((said(&found, "target"), said(&found, "unit")), (resource.into(), unit.into()), "{found}");
        assert!(!said(&found, "description").is_empty() && !said(&found["current"], "value").is_empty(), "{found}");

        // Rows 7 to 11, raised and cleared.
        ask(directory, &[&["sim", "fault"], fault].concat());
        let alarms = || ask(directory, &["alarm", "list", "--all", "--resource", source]);
        let state = |cleared: bool| {
            let all = alarms();
            let mut all = all.as_array().unwrap().iter();
            let fits = |alarm: &&Value| {
                said(alarm, "alarm-type-id") == format!("qkdn-alarms:{alarm_type}") && alarm["is-cleared"] == cleared
            };
            all.find(fits).cloned()
        };
        let raised = until(&format!("{alarm_type} at {source}"), || async { state(false) }).await;
        assert_eq!(said(&raised, "qkdn-alarms:alarm-source-id"), source, "{raised}");
        for leaf in ["alarm-text", "qkdn-alarms:alarm-id", "qkdn-alarms:alarm-class", "perceived-severity"] {
            assert!(!said(&raised, leaf).is_empty(), "{leaf} of {raised}");
        }
        ask(directory, &["sim", "clear", device, "--all"]);
        let cleared = until(&format!("end of {alarm_type} at {source}"), || async { state(true) }).await;
        assert_eq!(cleared["qkdn-alarms:alarm-id"], raised["qkdn-alarms:alarm-id"]);
    }

    // Row 11: an alarm with a value.
    ask(directory, &["sim", "fault", "ab", "--qber", "9"]);
    let link = "urn:qkdn:lab:link:ab";
    let valued = until("the value of an alarm", || async {
        let all = ask(directory, &["alarm", "list", "--all", "--resource", link]);
        all.as_array().unwrap().iter().find(|alarm| alarm["qkdn-alarms:alarm-value"]["value"].is_string()).cloned()
    })
    .await;
    assert_eq!(said(&valued["qkdn-alarms:alarm-value"], "unit"), "percent", "{valued}");

    // Exported: a header, and a line for each resource.
    let output = Command::new(qkdn()).arg("--dir").arg(directory).args(["-o", "csv", "inventory", "list"]).output();
    let csv = String::from_utf8(output.unwrap().stdout).unwrap();
    let all = ask(directory, &["inventory", "list"]);
    assert_eq!(csv.lines().count(), all.as_array().unwrap().len() + 1, "{csv}");
}

/// What `qkdn demo` prints to be pasted works, and `status` says with its exit code that every device is operational.
#[test]
fn every_command_that_the_demonstration_prints_works() {
    let parent = tempfile::tempdir().unwrap();
    let network = Network::start(&parent.path().join("demo"), "lab", &[]);
    let logs = network.logs();
    let own = format!("--dir {}", network.directory.canonicalize().unwrap().display());
    let lines: Vec<&str> = logs.lines().filter(|line| line.contains(&own)).collect();
    assert!(lines.len() >= 8, "{logs}");
    for line in lines {
        let output = Command::new("sh").env("TZ", "UTC").args(["-c", line]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{line}: {error}");
        assert!(!output.stdout.is_empty(), "{line}");
    }
    let status = ask(&network.directory, &["status", "--wait", "60"]);
    assert!(status.is_object(), "{status}");
    let missing = Command::new(qkdn()).arg("--dir").arg(&network.directory).args(["device", "show", "nobody"]).output();
    assert_eq!(missing.unwrap().status.code(), Some(3), "not found has a code of its own");
    let key = network.said["manager"]["users"][0]["private-key"].as_str().expect("demo.json names the operator's key");
    let unknown = ["--user", "nobody", "--key", key, "status"];
    let unknown = Command::new(qkdn()).arg("--dir").arg(&network.directory).args(unknown).output();
    assert_eq!(unknown.unwrap().status.code(), Some(4), "so has a refused login");
}
