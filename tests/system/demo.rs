//! `qkdn demo` as a user meets it: what `demo.json` says is there, an agent's alarm outlives a kill -9, and errors are said in one line.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use netconf::client::CreateSubscription;
use serde_json::Value;

use crate::network::{Client, Network, SIMULATION};
use crate::program::qkdn;

fn command(directory: &Path, port_base: &str) -> Command {
    let mut command = Command::new(qkdn());
    command.env("TZ", "UTC").args(["demo", "--topology", "lab", "--port-base", port_base, "--dir"]).arg(directory);
    command
}

async fn inject(device: &Client, fault: &str) {
    device.rpc(&format!("<inject-fault xmlns=\"{SIMULATION}\"><{fault}/></inject-fault>")).await.unwrap();
}

fn number(alarm: &Value) -> u64 {
    let id = &alarm["qkdn-alarms:alarm-id"];
    id.as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alarm_of_the_demonstration_outlives_kill_nine() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("demo");
    let mut network = Network::start(&directory, "lab", &["--no-manager"]);
    let kinds: std::collections::BTreeSet<&str> =
        network.said["agents"].as_array().unwrap().iter().map(|agent| agent["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.len(), 5, "{kinds:?}");
    for at in [&network.said["manager"], network.agent("ab-rx")] {
        for file in ["private-key", "password-file"] {
            let path = PathBuf::from(at["users"][0][file].as_str().unwrap());
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
        }
    }

    let link = "urn:qkdn:lab:link:ab";
    let device = network.device("ab-rx").await;
    device.session.create_subscription(&CreateSubscription::default()).await.unwrap();
    inject(&device, "fibre-cut").await;
    let raised = device.alarm(link, "qkd-link-down", false).await;
    device.rpc(&format!("<clear-fault xmlns=\"{SIMULATION}\"><all/></clear-fault>")).await.unwrap();
    assert_eq!(number(&device.alarm(link, "qkd-link-down", true).await), number(&raised));
    inject(&device, "fibre-cut").await;
    let raised = device.alarm(link, "qkd-link-down", false).await;
    network.kill_demo();

    let network = Network::start(&directory, "lab", &["--no-manager"]);
    let device = network.device("ab-rx").await;
    // A simulated device forgets its faults when its process dies. The agent does not forget the alarm, and sees it end.
    assert_eq!(number(&device.alarm(link, "qkd-link-down", true).await), number(&raised));
    inject(&device, "tamper").await;
    let next = number(&device.alarm("urn:qkdn:lab:module:ab-rx", "module-tamper", false).await);
    assert!(next > number(&raised), "alarm-id {next} was given before");
}

#[test]
fn what_keeps_the_demonstration_from_running_is_said_in_one_line() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("demo");
    let mut running = Network::start(&directory, "lab", &[]);
    let said = |command: &mut Command| {
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), text.trim_end().lines().count()), (Some(1), 1), "{text}");
        text
    };
    assert!(said(&mut command(&directory, "0")).contains("in use"), "another demo has the directory");
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(said(&mut command(&file, "0")).contains("directory"), "it is a file");
    let other = parent.path().join("other");
    assert!(said(command(&other, "0").args(["--without", "nobody"])).contains("nobody"));
    let other = parent.path().join("another");
    assert!(said(&mut command(&other, "65530")).contains("ports do not fit"));
    let taken = running.agent("ab-rx")["port"].to_string();
    let refused = said(&mut command(&parent.path().join("taken"), &taken));
    // Whose port is met first is for the order in which they start.
    assert!(refused.contains("cannot listen on 127.0.0.1:") && refused.contains("in use"), "{refused}");

    let topology = |name: &str, text: &str| {
        let file = parent.path().join(name);
        fs::write(&file, text).unwrap();
        let mut command = Command::new(qkdn());
        command.env("TZ", "UTC").args(["demo", "--port-base", "0", "--dir"]).arg(parent.path().join("bad"));
        said(command.arg("--topology").arg(&file))
    };
    let head = "name = \"n\"\nsystem = \"gys\"\nseed = 1\n[[node]]\nname = \"a\"\nlatitude = 1.0\nlongitude = 1.0\n\
                [[node]]\nname = \"b\"\nlatitude = 1.0\nlongitude = 1.1\n[controller]\nname = \"c\"\nnode = \"a\"\n";
    let link = |to: &str| format!("[[link]]\nname = \"ab\"\nfrom = \"a\"\nto = \"{to}\"\nlength-km = 10.0\n");
    let dangling = topology("dangling.toml", &format!("{head}{}", link("nowhere")));
    assert!(dangling.contains("dangling.toml") && dangling.contains("nowhere"), "{dangling}");
    let twice = topology("twice.toml", &format!("{head}{}{}", link("b"), link("b")));
    assert!(twice.contains("ab"), "{twice}");
    let unknown = topology("unknown.toml", &format!("{head}[[satellite]]\nname = \"s\"\n"));
    assert!(unknown.contains("satellite") && unknown.contains("unknown.toml:"), "{unknown}");
    assert!(said(Command::new(qkdn()).args(["demo", "--topology", "atlantis"])).contains("tokyo"), "names are told");

    running.end_demo();
    assert!(!directory.join("demo.json").exists(), "nothing runs any more");
    let mut other = Command::new(qkdn());
    other.env("TZ", "UTC").args(["demo", "--topology", "tokyo", "--port-base", "0", "--dir"]).arg(&directory);
    assert!(said(&mut other).contains("choose another --dir"));
}
