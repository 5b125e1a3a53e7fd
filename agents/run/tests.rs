//! A whole agent, over SSH on loopback, seen by a client.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use netconf::client::{
    CreateSubscription, Datastore, EditConfig, NotificationEvent, Notifications, Options as Fetch, Session,
    SessionConfig,
};
use netconf::transport::ssh::{Credential, HostKeyCheck, Target, connect};

use super::*;
use crate::config::Simulated;

/// Long enough for a slow machine: waits end when what they wait for is there.
const DEADLINE: Duration = Duration::from_secs(30);

struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), RunError>>,
    known_hosts: PathBuf,
}

fn config(directory: &Path) -> Config {
    let user = |name: &str, groups: &[&str]| {
        let file = directory.join(format!("{name}.password"));
        std::fs::write(&file, format!("{name}-secret\n")).unwrap();
        User {
            name: name.to_owned(),
            authorized_keys: Vec::new(),
            password_file: Some(file),
            groups: groups.iter().map(|group| group.to_string()).collect(),
        }
    };
    Config {
        name: "test".to_owned(),
        resource_id: "urn:qkdn:test:module:1".to_owned(),
        listen: "127.0.0.1:0".to_owned(),
        state_dir: directory.join("state"),
        host_key: directory.join("host_key"),
        superuser: None,
        driver: DriverKind::Simulated,
        initial: None,
        controller: None,
        users: vec![user("qlm", &["manager"]), user("controller", &["controller"]), user("guest", &[])],
        simulated: Some(Simulated { link_id: Some("urn:qkdn:test:link:1".to_owned()), ..Simulated::default() }),
    }
}

async fn start(directory: &Path) -> Running {
    let shutdown = CancellationToken::new();
    let (ready, address) = tokio::sync::oneshot::channel();
    let known = move |address| {
        let _sent = ready.send(address);
    };
    let task = tokio::spawn(agent(AgentKind::QkdModule, config(directory), None, shutdown.clone(), known));
    let address = tokio::time::timeout(DEADLINE, address).await.unwrap().unwrap();
    Running { address, shutdown, task, known_hosts: directory.join("known_hosts") }
}

impl Running {
    async fn session(&self, user: &str) -> (Session, Notifications) {
        let target = Target {
            host: self.address.ip().to_string(),
            port: self.address.port(),
            user: user.to_owned(),
            credential: Credential::Password(format!("{user}-secret")),
            host_key: HostKeyCheck::AcceptNew(self.known_hosts.clone()),
            timeout: DEADLINE,
        };
        Session::open(connect(&target).await.unwrap(), SessionConfig::default()).await.unwrap()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.task).await.unwrap().unwrap().unwrap();
    }
}

async fn heard(notifications: &mut Notifications, wanted: &[&str]) -> String {
    let wait = async {
        loop {
            match notifications.next().await.expect("the session goes on") {
                NotificationEvent::Received(message) if wanted.iter().all(|part| message.text().contains(part)) => {
                    break message.text().to_owned();
                }
                NotificationEvent::Received(_) => {}
                NotificationEvent::Lost(count) => panic!("{count} notifications lost"),
            }
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("never heard {wanted:?}"))
}

const SIMULATION: &str = "urn:qkdn:yang:qkdn-simulation";

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_sees_a_fault_and_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let agent = start(directory.path()).await;
    let (session, mut notifications) = agent.session("qlm").await;
    session.create_subscription(&CreateSubscription::default()).await.unwrap();
    let inject = format!("<inject-fault xmlns=\"{SIMULATION}\"><fibre-cut/></inject-fault>");
    let reply = session.rpc(&inject).await.unwrap();
    assert!(reply.text().contains("<fault-id"), "{}", reply.text());
    let raised = heard(&mut notifications, &["alarm-notification", "qkd-link-down", "critical"]).await;
    let data = session.get(&Fetch::default()).await.unwrap();
    for part in ["qkd-link-down", "<oper-state>down</oper-state>", "reference-points", "<is-cleared>false</is-cleared>"]
    {
        assert!(data.text().contains(part), "{part}");
    }
    session.rpc(&format!("<clear-fault xmlns=\"{SIMULATION}\"><all/></clear-fault>")).await.unwrap();
    let cleared = heard(&mut notifications, &["alarm-notification", "qkd-link-down", "cleared"]).await;
    let id = |text: &str| {
        let from = text.find("alarm-id").unwrap();
        let from = from + text[from..].find('>').unwrap() + 1;
        text[from..from + text[from..].find('<').unwrap()].to_owned()
    };
    assert_eq!(id(&raised), id(&cleared));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_is_kept_and_rights_hold() {
    let directory = tempfile::tempdir().unwrap();
    let agent = start(directory.path()).await;
    let edit = |inside: &str| {
        let config = format!("<qkd-module xmlns=\"urn:qkdn:yang:qkdn-mq\">{inside}</qkd-module>");
        EditConfig::new(Datastore::Running, config)
    };
    let (manager, _) = agent.session("qlm").await;
    let (controller, _) = agent.session("controller").await;
    let (guest, _) = agent.session("guest").await;
    let description = edit("<description>north</description>");
    manager.edit_config(&description).await.unwrap();
    let other = edit("<description>south</description>");
    assert!(controller.edit_config(&other).await.is_err(), "not the controller's");
    let standby = edit("<service-state>standby</service-state>");
    assert!(guest.edit_config(&standby).await.is_err(), "a guest only reads");
    controller.edit_config(&standby).await.unwrap();
    let faults = [
        format!("<inject-fault xmlns=\"{SIMULATION}\"><fibre-cut/></inject-fault>"),
        format!("<clear-fault xmlns=\"{SIMULATION}\"><all/></clear-fault>"),
    ];
    for fault in &faults {
        for session in [&controller, &guest] {
            let refused = session.rpc(fault).await.expect_err("only a manager breaks and mends");
            let tags: Vec<_> = refused.rpc_errors().iter().map(|error| error.tag.as_str()).collect();
            assert_eq!(tags, ["access-denied"], "{fault}");
        }
        manager.rpc(fault).await.unwrap();
    }
    guest.rpc(&format!("<list-faults xmlns=\"{SIMULATION}\"/>")).await.unwrap();
    let refused = manager.edit_config(&edit("<role>transmitter</role>")).await.unwrap_err();
    let tags: Vec<_> = refused.rpc_errors().iter().map(|error| error.tag.as_str()).collect();
    assert_eq!(tags, ["invalid-value"], "the device plays the receiver");
    drop((manager, controller, guest));
    agent.stop().await;

    let agent = start(directory.path()).await;
    let (session, _) = agent.session("guest").await;
    let wait = async {
        loop {
            let data = session.get(&Fetch::default()).await.unwrap();
            let parts = [
                "<description>north</description>",
                "<key-generation>stopped</key-generation>",
                "<service-state>standby",
            ];
            if parts.iter().all(|part| data.text().contains(part)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect("the configuration is there and in effect");
    agent.stop().await;
}

#[tokio::test]
async fn what_keeps_an_agent_from_running_is_said_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let said = async |config: Config| {
        let started = agent(AgentKind::QkdModule, config, None, CancellationToken::new(), |_| panic!("it runs")).await;
        let error = started.unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    };
    let right = config(directory.path());
    for kind in [AgentKind::QkdModule, AgentKind::KeyManager, AgentKind::OpticalSwitch, AgentKind::RelayPoint] {
        let simulated = Some(Simulated { topology: Some("lab".to_owned()), ..Simulated::default() });
        let stranger = Config { simulated, ..right.clone() };
        let started = agent(kind, stranger, None, CancellationToken::new(), |_| panic!("it runs")).await;
        let said = started.unwrap_err().to_string();
        assert_eq!(said, format!("the network has no {} urn:qkdn:test:module:1", kind.name()));
    }
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    assert!(
        said(Config { listen: listen.clone(), ..right.clone() }).await.contains(&format!("cannot listen on {listen}"))
    );
    std::fs::write(directory.path().join("file"), "").unwrap();
    let state_dir = directory.path().join("file");
    assert!(said(Config { state_dir, ..right.clone() }).await.contains("file"));
    let mut users = right.users.clone();
    users[0].password_file = Some(directory.path().join("absent"));
    assert!(said(Config { users, ..right.clone() }).await.contains("absent"));
    std::fs::create_dir_all(directory.path().join("state/agent")).unwrap();
    std::fs::write(directory.path().join("state/agent/memory.log"), "nonsense").unwrap();
    assert!(said(right).await.contains("memory.log is damaged"));
}

#[tokio::test]
async fn a_file_of_another_kind_is_refused_and_a_controller_has_a_key() {
    let directory = tempfile::tempdir().unwrap();
    let said = async |kind: AgentKind, config: Config| {
        let started = agent(kind, config, None, CancellationToken::new(), |_| panic!("it runs")).await;
        started.unwrap_err().to_string()
    };
    let controller = crate::config::Controller {
        key: directory.path().join("controller"),
        directory: directory.path().join("directory.json"),
    };
    let right = config(directory.path());
    let both = Config { controller: Some(controller.clone()), ..right.clone() };
    assert!(said(AgentKind::Controller, both.clone()).await.contains("[simulated] is not for a controller"));
    assert!(said(AgentKind::KeyManager, both).await.contains("[controller] is not for a key-manager"));
    let neither = Config { simulated: None, ..right };
    assert!(said(AgentKind::Controller, neither.clone()).await.contains("there is no [controller]"));
    assert!(said(AgentKind::KeyManager, neither.clone()).await.contains("[simulated] has no topology"));
    assert!(!directory.path().join("state").exists());

    // Its key is made where there is none, and one that is no key is refused at the start, not at the first action.
    let alone = Config { controller: Some(controller.clone()), ..neither };
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    agent(AgentKind::Controller, alone.clone(), None, shutdown, move |_| stop.cancel()).await.unwrap();
    assert!(controller.key.exists());
    std::fs::write(&controller.key, "nonsense").unwrap();
    assert!(said(AgentKind::Controller, alone).await.contains(&controller.key.display().to_string()));
}
