//! No key material anywhere: every tree, notification, log line and table is scanned after a busy run (Y.3804 clause 8, acceptance 8-b).

use std::collections::BTreeSet;
use std::path::Path;

use netconf::client::{CreateSubscription, NotificationEvent};

use crate::network::{Client, Network};

/// Bits from which a run of digits could be a key: the shortest that anyone uses.
const KEY_BITS: usize = 128;

/// Runs of hexadecimal digits or base64 that are long enough for a key and as mixed as one.
fn suspicious(text: &str) -> BTreeSet<String> {
    let is_digit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let runs = text.split(|c| !is_digit(c)).filter(|run| run.len() * 4 >= KEY_BITS);
    let is_hex = |run: &str| run.len() * 4 >= KEY_BITS && run.chars().all(|c| c.is_ascii_hexdigit());
    let is_base64 = |run: &str| {
        let has = |test: fn(&char) -> bool| run.chars().filter(test).count() * 10 > run.len();
        run.len() * 6 >= KEY_BITS
            && has(char::is_ascii_digit)
            && has(char::is_ascii_uppercase)
            && has(char::is_ascii_lowercase)
    };
    runs.filter(|run| is_hex(run) || is_base64(run)).map(str::to_owned).collect()
}

/// What is public or an identifier, and long: host keys and fingerprints, content identifiers of module sets.
fn known(network: &Network) -> String {
    let mut known = std::fs::read_to_string(network.said["known-hosts"].as_str().unwrap()).unwrap();
    for entry in std::fs::read_dir(network.directory.join("manager"))
        .unwrap()
        .chain(std::fs::read_dir(&network.directory).unwrap())
    {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "pub") {
            known.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    known
}

fn check(what: &str, text: &str, known: &str) {
    let found: Vec<String> = suspicious(text)
        .into_iter()
        .filter(|run| !known.contains(run.as_str()))
        .filter(|run| !is_identifier(text, run))
        .collect();
    assert!(found.is_empty(), "{what} has what may be a key: {found:?}");
}

/// A fingerprint, or the identifier of a module set, stands beside its name.
fn is_identifier(text: &str, run: &str) -> bool {
    text.match_indices(run).all(|(at, _)| {
        let before: String = text[..at].chars().rev().take(24).collect::<Vec<_>>().into_iter().rev().collect();
        ["SHA256:", "content-id", "module-set-id", "message-id"].iter().any(|name| before.contains(name))
    })
}

async fn tree(client: &Client) -> String {
    client.session.get(&netconf::client::Options::default()).await.unwrap().text().to_owned()
}

/// All files below a directory that are not secrets by name: private keys, passwords.
fn files(directory: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            files(&path, into);
        } else if !is_private(&path) {
            into.push((name, std::fs::read(&path).unwrap()));
        }
    }
}

/// Credentials of management, which are no keys of the QKDN.
fn is_private(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    ["admin", "controller", "qlm", "kmlm", "qclm", "host_key", "admin.password"].contains(&name.as_ref())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_tree_notification_log_or_table_holds_a_key() {
    let parent = tempfile::tempdir().unwrap();
    let mut network = Network::start(&parent.path().join("demo"), "lab", &[]);
    let mut manager = network.manager().await;
    manager.session.create_subscription(&CreateSubscription::default()).await.unwrap();
    // Busy: keys are made, relayed and supplied, alarms come and go, devices are diagnosed and switched.
    for (device, fault) in [
        ("ab-rx", "<qber><target>9</target></qber>"),
        ("os", "<port-failure><port>p1</port></port-failure>"),
        ("ca-rx", "<eavesdropper><fraction>0.5</fraction></eavesdropper>"),
        ("km-a", "<authentication-failure/>"),
        ("bc-tx", "<tamper/>"),
    ] {
        manager.inject(device, fault).await;
    }
    manager.alarm("urn:qkdn:lab:link:ab", "qber-threshold-exceeded", false).await;
    manager.alarm("urn:qkdn:lab:switch:os:port:p1", "port-fault", false).await;
    manager.alarm("urn:qkdn:lab:module:bc-tx", "module-tamper", false).await;
    let metering = "<get-metering-records xmlns=\"urn:qkdn:yang:qkdn-mk\"/>";
    let metered = manager.execute("km-a", metering).await.unwrap();
    for device in ["ab-rx", "os", "ca-rx", "km-a", "bc-tx"] {
        manager.clear(device).await;
    }
    manager.alarm("urn:qkdn:lab:module:bc-tx", "module-tamper", true).await;

    let known = known(&network);
    check("metering", &metered, &known);
    check("the manager's tree", &tree(&manager).await, &known);
    for agent in network.said["agents"].as_array().unwrap() {
        let name = agent["name"].as_str().unwrap();
        check(name, &tree(&network.device(name).await).await, &known);
    }
    let mut heard = 0;
    while let Ok(Some(NotificationEvent::Received(message))) =
        tokio::time::timeout(std::time::Duration::from_millis(200), manager.notifications.next()).await
    {
        check("a notification", message.text(), &known);
        heard += 1;
    }
    assert!(heard > 10, "{heard} notifications");
    network.end_demo();
    check("a log", &network.logs(), &known);
    let mut all = Vec::new();
    files(&network.directory, &mut all);
    assert!(all.iter().any(|(name, _)| name == "manager.db"), "the store is scanned");
    for (name, content) in all {
        check(&name, &String::from_utf8_lossy(&content), &known);
    }
}

#[test]
fn a_key_would_be_found() {
    let hex = "4f1c9a7be3d2586001aa73bcff94e21d";
    assert_eq!(suspicious(&format!("<value>{hex}</value>")).len(), 1);
    assert_eq!(suspicious("key=q83Hj1LmPz0Ty7RkWv5XeB4nUc==;").len(), 1);
    assert!(suspicious("urn:qkdn:lab:module:ab-tx 2026-11-23T02:12:23.002Z qber-threshold-exceeded").is_empty());
}
