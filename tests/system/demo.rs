//! `qkdn demo` as its reader uses it: a fault, its alarm, a kill -9 in between, and the end of the same alarm.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use netconf::client::{CreateSubscription, Filter, NotificationEvent, Notifications, Session, SessionConfig};
use netconf::transport::ssh::{Credential, HostKeyCheck, Target, connect};

use crate::program::qkdn;

struct Demo(Child);

impl Demo {
    /// Returns when all agents listen and everything is written.
    fn start(dir: &Path) -> Demo {
        let mut command = Command::new(qkdn());
        command.args(["demo", "--port-base", "0", "--dir"]).arg(dir).env("TZ", "UTC");
        let log = std::fs::File::create(dir.with_extension("log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines.any(|line| line.unwrap().contains("demo.json"));
        assert!(told, "{}", std::fs::read_to_string(dir.with_extension("log")).unwrap());
        Demo(child)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A session with the receiver, by what demo.json says.
async fn receiver(dir: &Path) -> (Session, Notifications) {
    let text = std::fs::read_to_string(dir.join("demo.json")).unwrap();
    let inventory: serde_json::Value = serde_json::from_str(&text).unwrap();
    let agent = &inventory["agents"][1];
    let user = &agent["users"][0];
    let file = |value: &serde_json::Value| value.as_str().unwrap().into();
    let target = Target {
        host: agent["address"].as_str().unwrap().into(),
        port: agent["port"].as_u64().unwrap().try_into().unwrap(),
        user: user["name"].as_str().unwrap().into(),
        credential: Credential::KeyFile { path: file(&user["key-file"]), passphrase: None },
        host_key: HostKeyCheck::KnownHosts(file(&agent["known-hosts"])),
        timeout: Duration::from_secs(20),
    };
    Session::open(connect(&target).await.unwrap(), SessionConfig::default()).await.unwrap()
}

/// The first alarm's id and whether it is cleared, once there is one for which `wanted` holds.
async fn alarm(session: &Session, wanted: impl Fn(bool) -> bool) -> (String, bool) {
    let filter = "<alarms xmlns=\"urn:ietf:params:xml:ns:yang:ietf-alarms\"><alarm-list/></alarms>";
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let reply = session.get(&Filter::Subtree(filter.into()).into()).await.unwrap();
        let leaf = |name: &str| {
            let text = reply.text().split(&format!("<{name}")).nth(1)?;
            text.split('>').nth(1)?.split('<').next().map(str::to_owned)
        };
        if let (Some(id), Some(cleared)) = (leaf("alarm-id"), leaf("is-cleared"))
            && wanted(cleared == "true")
        {
            return (id, cleared == "true");
        }
        assert!(Instant::now() < deadline, "{}", reply.text());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn an_alarm_outlives_a_kill_and_ends_as_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().join("demo");
    let demo = Demo::start(&dir);
    let (session, mut notifications) = receiver(&dir).await;
    session.create_subscription(&CreateSubscription::default()).await.unwrap();
    session.rpc("<inject-fault xmlns=\"urn:qkdn:yang:qkdn-simulation\"><fibre-cut/></inject-fault>").await.unwrap();
    let notified = loop {
        let next = tokio::time::timeout(Duration::from_secs(30), notifications.next()).await.unwrap();
        match next.expect("the session goes on") {
            NotificationEvent::Received(event) if event.text().contains("alarm-notification") => {
                break event.text().to_owned();
            }
            _ => {}
        }
    };
    assert!(notified.contains("qkd-link-down") && notified.contains("critical"), "{notified}");
    let (id, _) = alarm(&session, |cleared| !cleared).await;
    drop(demo);
    // The fault was the simulation's, and went with it; the alarm is the agent's, and is there until it is seen to be over.
    let _demo = Demo::start(&dir);
    let (session, _notifications) = receiver(&dir).await;
    let (again, cleared) = alarm(&session, |cleared| cleared).await;
    assert_eq!((again, cleared), (id, true));
}
