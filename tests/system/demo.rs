//! `qkdn demo` as a user meets it: what `demo.json` says is there, and an alarm outlives a kill -9.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use netconf::client::{CreateSubscription, NotificationEvent, Notifications, Options, Session, SessionConfig};
use netconf::transport::ssh::{Credential, HostKeyCheck, Target, connect};
use serde_json::Value;

use crate::program::qkdn;

/// Long enough for a slow machine: waits end when what they wait for is there.
const DEADLINE: Duration = Duration::from_secs(60);

const ALARMS: &str = "urn:ietf:params:xml:ns:yang:ietf-alarms";
const QKDN_ALARMS: &str = "urn:qkdn:yang:qkdn-alarms";
const SIMULATION: &str = "urn:qkdn:yang:qkdn-simulation";

struct Demo {
    child: Child,
    said: Value,
}

fn command(directory: &Path, port_base: &str) -> Command {
    let mut command = Command::new(qkdn());
    command.env("TZ", "UTC").args(["demo", "--port-base", port_base, "--dir"]).arg(directory);
    command
}

impl Demo {
    fn start(directory: &Path) -> Demo {
        let log = directory.with_extension("log");
        let output = File::create(&log).unwrap();
        let mut child =
            command(directory, "0").stdout(Stdio::null()).stderr(output).spawn().expect("the binary can be started");
        let until = Instant::now() + DEADLINE;
        let file = directory.join("demo.json");
        // What an earlier, killed one left: its ports are not these.
        let earlier = fs::read_to_string(&file).ok();
        loop {
            match fs::read_to_string(&file) {
                Ok(text) if Some(&text) != earlier.as_ref() => {
                    return Demo { child, said: serde_json::from_str(&text).expect("it is there whole") };
                }
                _ => {}
            }
            let ended = child.try_wait().unwrap();
            let running = ended.is_none() && Instant::now() < until;
            assert!(running, "no demo.json, {ended:?}: {}", fs::read_to_string(&log).unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn agent(&self, role: &str) -> &Value {
        let mut agents = self.said["agents"].as_array().unwrap().iter();
        agents.find(|agent| agent["role"] == role).unwrap()
    }

    fn path(value: &Value) -> PathBuf {
        PathBuf::from(value.as_str().unwrap())
    }

    /// A session with the agent of the receiver, by the key, and to the host that `known_hosts` knows.
    async fn session(&self, credential: Credential) -> (Session, Notifications) {
        let agent = self.agent("receiver");
        let target = Target {
            host: agent["address"].as_str().unwrap().to_owned(),
            port: agent["port"].as_u64().unwrap().try_into().unwrap(),
            user: agent["users"][0]["name"].as_str().unwrap().to_owned(),
            credential,
            host_key: HostKeyCheck::KnownHosts(Self::path(&self.said["known-hosts"])),
            timeout: DEADLINE,
        };
        Session::open(connect(&target).await.unwrap(), SessionConfig::default()).await.unwrap()
    }

    fn key(&self) -> Credential {
        let path = Self::path(&self.agent("receiver")["users"][0]["private-key"]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        Credential::KeyFile { path, passphrase: None }
    }

    fn password(&self) -> Credential {
        let path = Self::path(&self.agent("receiver")["users"][0]["password-file"]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        Credential::Password(fs::read_to_string(path).unwrap().trim_end().to_owned())
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // A test that failed has not killed it.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Alarm {
    id: u64,
    cleared: bool,
}

/// The alarm of this type as the list has it.
async fn listed(session: &Session, alarm_type: &str) -> Option<Alarm> {
    let reply = session.get(&Options::default()).await.unwrap();
    let document = reply.document().unwrap();
    let data = netconf::client::data(&document).unwrap();
    let list = data.child(ALARMS, "alarms")?.child(ALARMS, "alarm-list")?;
    let alarm = list.children().find(|child| {
        child.child(ALARMS, "alarm-type-id").is_some_and(|id| id.text() == format!("qkdn-alarms:{alarm_type}"))
    })?;
    Some(Alarm {
        id: alarm.child(QKDN_ALARMS, "alarm-id").unwrap().text().parse().unwrap(),
        cleared: alarm.child(ALARMS, "is-cleared").unwrap().text() == "true",
    })
}

/// Waits until the list has the alarm, cleared or not.
async fn listed_when(session: &Session, alarm_type: &str, cleared: bool) -> Alarm {
    let wait = async {
        loop {
            match listed(session, alarm_type).await {
                Some(alarm) if alarm.cleared == cleared => break alarm,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("{alarm_type} never has cleared={cleared}"))
}

/// Waits for an alarm notification with this type and severity, and gives its alarm-id.
async fn notified(notifications: &mut Notifications, alarm_type: &str, severity: &str) -> u64 {
    let wait = async {
        loop {
            let message = match notifications.next().await.expect("the session goes on") {
                NotificationEvent::Received(message) => message,
                NotificationEvent::Lost(count) => panic!("{count} notifications lost"),
            };
            let limits = netconf::xml::Limits::default();
            let document = netconf::xml::Document::parse(message.text(), &limits).unwrap();
            let Some(alarm) = document.root().child(ALARMS, "alarm-notification") else { continue };
            let text = |name| alarm.child(ALARMS, name).unwrap().text();
            if text("alarm-type-id") == format!("qkdn-alarms:{alarm_type}") && text("perceived-severity") == severity {
                break alarm.child(QKDN_ALARMS, "alarm-id").unwrap().text().parse().unwrap();
            }
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("never heard of {alarm_type}, {severity}"))
}

async fn inject(session: &Session, fault: &str) {
    let inject = format!("<inject-fault xmlns=\"{SIMULATION}\"><{fault}/></inject-fault>");
    let reply = session.rpc(&inject).await.unwrap();
    assert!(reply.text().contains("<fault-id"), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alarm_of_the_demonstration_outlives_kill_nine() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("demo");
    let mut demo = Demo::start(&directory);
    let roles: Vec<&Value> = demo.said["agents"].as_array().unwrap().iter().map(|agent| &agent["role"]).collect();
    assert_eq!(roles, ["transmitter", "receiver"]);

    let (session, mut notifications) = demo.session(demo.key()).await;
    session.create_subscription(&CreateSubscription::default()).await.unwrap();
    assert_eq!(listed(&session, "qkd-link-down").await, None);
    inject(&session, "fibre-cut").await;
    let id = notified(&mut notifications, "qkd-link-down", "critical").await;
    assert_eq!(listed(&session, "qkd-link-down").await, Some(Alarm { id, cleared: false }));
    session.rpc(&format!("<clear-fault xmlns=\"{SIMULATION}\"><all/></clear-fault>")).await.unwrap();
    assert_eq!(notified(&mut notifications, "qkd-link-down", "cleared").await, id);
    assert_eq!(listed(&session, "qkd-link-down").await, Some(Alarm { id, cleared: true }));

    inject(&session, "fibre-cut").await;
    assert_eq!(notified(&mut notifications, "qkd-link-down", "critical").await, id);
    demo.kill();

    let demo = Demo::start(&directory);
    let (session, mut notifications) = demo.session(demo.password()).await;
    // A simulated device forgets its faults when its process dies. The agent does not forget the alarm, and sees it end.
    assert_eq!(listed_when(&session, "qkd-link-down", true).await.id, id);
    session.create_subscription(&CreateSubscription::default()).await.unwrap();
    inject(&session, "tamper").await;
    let next = notified(&mut notifications, "module-tamper", "critical").await;
    assert!(next > id, "alarm-id {next} was given before");
}

#[test]
fn what_keeps_the_demonstration_from_running_is_said_in_one_line() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("demo");
    let mut running = Demo::start(&directory);
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
    let taken = running.agent("transmitter")["port"].to_string();
    let other = parent.path().join("other");
    let refused = said(&mut command(&other, &taken));
    assert!(refused.contains(&format!("cannot listen on 127.0.0.1:{taken}")), "{refused}");
    assert!(said(command(&other, "0").args(["--agents", "3"])).contains("--agents 3"));
    assert!(said(command(&other, "65534").args(["--agents", "4"])).contains("--port-base"));

    let ended = Command::new("kill").args(["-TERM", &running.child.id().to_string()]).status().unwrap();
    assert!(ended.success());
    assert!(running.child.wait().unwrap().success());
    assert!(!directory.join("demo.json").exists(), "nothing runs any more");
}
