//! A controller and the agents of the topology `lab`, over SSH on loopback.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use netconf::client::{CreateSubscription, NotificationEvent, Notifications, Options, Session, SessionConfig};
use netconf::server::base_modules;
use netconf::transport::ssh::{Credential, HostKeyCheck, Target, connect, load_or_generate_host_key};
use netconf::yang::Schema;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::agent::system_clock;
use crate::config::{Config, DriverKind, User};
use crate::driver::Driver;
use crate::key_manager::SimulatedKeyManager;
use crate::network::Network;
use crate::qkd_module::SimulatedModule;
use crate::run::{RunError, serve};
use crate::schema::agent_schema;
use crate::topology::{AgentKind, Topology};

/// Long enough for a slow machine: waits end when what they wait for is there.
const DEADLINE: Duration = Duration::from_secs(60);

struct Lab {
    topology: Topology,
    network: Arc<Network>,
    directory: tempfile::TempDir,
    /// The public key of the controller, as agents have it.
    authorized: PathBuf,
}

struct Running {
    id: String,
    kind: AgentKind,
    address: SocketAddr,
    files: PathBuf,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

impl Lab {
    fn new() -> Lab {
        let topology = Topology::load("lab").unwrap();
        let network = Network::new(&topology, Timestamp::now());
        let directory = tempfile::tempdir().unwrap();
        let key = load_or_generate_host_key(&directory.path().join("controller.key")).unwrap();
        let authorized = directory.path().join("controller.pub");
        std::fs::write(&authorized, key.public_key().to_openssh().unwrap() + "\n").unwrap();
        Lab { topology, network, directory, authorized }
    }

    async fn serve<D: Driver>(&self, name: &str, kind: AgentKind, module: &str, driver: D) -> Running {
        let files = self.directory.path().join(name);
        std::fs::create_dir_all(&files).unwrap();
        std::fs::write(files.join("password"), "secret\n").unwrap();
        let user = |name: &str, groups: &[&str]| User {
            name: name.to_owned(),
            authorized_keys: vec![self.authorized.clone()],
            password_file: Some(files.join("password")),
            groups: groups.iter().map(|group| group.to_string()).collect(),
        };
        let id = driver.device().resource_id.clone();
        let plan = self.topology.agents().into_iter().find(|plan| plan.resource_id == id).unwrap();
        std::fs::write(files.join("initial.json"), plan.initial.to_string()).unwrap();
        let config = Config {
            name: name.to_owned(),
            resource_id: id.clone(),
            listen: "127.0.0.1:0".to_owned(),
            state_dir: files.join("state"),
            host_key: files.join("host_key"),
            superuser: None,
            driver: DriverKind::Simulated,
            users: vec![user("manager", &["manager"]), user("controller", &["controller"]), user("guest", &[])],
            simulated: None,
            controller: None,
            initial: Some(files.join("initial.json")),
        };
        let schema = agent_schema(base_modules(Schema::builder()), &[module], true).unwrap();
        let (shutdown, (ready, address)) = (CancellationToken::new(), tokio::sync::oneshot::channel());
        let stop = shutdown.clone();
        let known = move |address| {
            let _sent = ready.send(address);
        };
        let serving = serve(config, driver, schema, system_clock(), stop, known);
        let task = tokio::spawn(serving);
        let address = tokio::time::timeout(DEADLINE, address).await.unwrap().unwrap();
        Running { id, kind, address, files, shutdown, task }
    }

    async fn module(&self, name: &str) -> Running {
        let id = self.topology.resource_id("module", name);
        let driver = SimulatedModule::of(self.network.clone(), &id).unwrap();
        self.serve(name, AgentKind::QkdModule, "qkdn-mq", driver).await
    }

    async fn km(&self, node: &str) -> Running {
        let driver = SimulatedKeyManager::new(self.network.clone(), &self.topology.km_id(node), Timestamp::now());
        self.serve(&format!("km-{node}"), AgentKind::KeyManager, "qkdn-mk", driver).await
    }

    async fn controller(&self) -> Running {
        let settings = ControllerSettings {
            key: self.directory.path().join("controller.key"),
            directory: self.directory.path().join("directory.json"),
            user: "controller".to_owned(),
        };
        let id = self.topology.resource_id("controller", "controller");
        let state = self.directory.path().join("controller/state");
        let driver = Controller::open(&id, &state, settings, Timestamp::now()).unwrap();
        self.serve("controller", AgentKind::Controller, "qkdn-mc", driver).await
    }

    /// Tells the controller who is there; `other_key` is at this one's place.
    fn tell(&self, agents: &[&Running], other_key: Option<(&Running, &Running)>) {
        let entry = |agent: &&Running| {
            let shown = other_key.filter(|(of, _)| of.id == agent.id).map_or(*agent, |(_, is)| is);
            let key = load_or_generate_host_key(&shown.files.join("host_key")).unwrap();
            json!({
                "kind": agent.kind.name(),
                "name": agent.id,
                "resource-id": agent.id,
                "address": agent.address.ip().to_string(),
                "port": agent.address.port(),
                "host-key": key.public_key().to_openssh().unwrap(),
                "user": "controller",
            })
        };
        let directory: Vec<_> = agents.iter().map(entry).collect();
        std::fs::write(self.directory.path().join("directory.json"), json!(directory).to_string()).unwrap();
    }
}

impl Running {
    async fn session(&self, user: &str) -> (Session, Notifications) {
        let target = Target {
            host: self.address.ip().to_string(),
            port: self.address.port(),
            user: user.to_owned(),
            credential: Credential::Password("secret".to_owned()),
            host_key: HostKeyCheck::AcceptNew(self.files.join("known_hosts")),
            timeout: DEADLINE,
        };
        Session::open(connect(&target).await.unwrap(), SessionConfig::default()).await.unwrap()
    }

    /// Everything, as its manager sees it.
    async fn get(&self) -> String {
        let (session, _) = self.session("manager").await;
        session.get(&Options::default()).await.unwrap().text().to_owned()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.task).await.unwrap().unwrap().unwrap();
    }
}

/// An action, as a manager asks for it.
fn asked(operation: &str, kind: &str, value: &str) -> String {
    format!(
        "<control-orchestration-action xmlns=\"urn:qkdn:yang:qkdn-mc\" xmlns:t=\"urn:qkdn:yang:qkdn-types\">\
         <management-operation><operation-id>{operation}</operation-id></management-operation>\
         <description>test</description><type>t:{kind}</type><priority>6</priority><value>{value}</value>\
         </control-orchestration-action>"
    )
}

fn state_change(resource: &str, state: &str) -> String {
    format!(
        "<service-state><resource-id>{resource}</resource-id><service-state>{state}</service-state></service-state>"
    )
}

/// The content of the first element of this name, which may declare its namespace.
fn content<'t>(text: &'t str, name: &str) -> &'t str {
    let tags = [format!("<{name}>"), format!("<{name} ")];
    let tag = tags.iter().filter_map(|tag| text.find(tag)).min().unwrap_or_else(|| panic!("no {name} in {text}"));
    let begin = tag + text[tag..].find('>').unwrap() + 1;
    &text[begin..begin + text[begin..].find('<').unwrap()]
}

/// Waits until an action has ended; its last notification, and the states that it was told to be in.
async fn ended(notifications: &mut Notifications, action_id: &str) -> (String, Vec<String>) {
    let id = format!("<action-id>{action_id}</action-id>");
    let mut states = Vec::new();
    let wait = async {
        loop {
            let NotificationEvent::Received(message) = notifications.next().await.expect("the session goes on") else {
                panic!("notifications lost")
            };
            let text = message.text();
            if !text.contains("<control-action-state") || !text.contains(&id) {
                continue;
            }
            // The first `state` behind the type is the action's.
            let state = content(&text[text.find("<type").unwrap()..], "state").to_owned();
            let is_last = ["done", "failed", "rejected"].contains(&state.as_str());
            states.push(state);
            if is_last {
                break text.to_owned();
            }
        }
    };
    let last = tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("{action_id} never ends"));
    (last, states)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_reaches_the_devices_that_it_means() {
    let lab = Lab::new();
    let (tx, rx, controller) = (lab.module("ab-tx").await, lab.module("ab-rx").await, lab.controller().await);
    lab.tell(&[&tx, &rx], None);
    let (session, mut notifications) = controller.session("manager").await;
    session.create_subscription(&CreateSubscription::default()).await.unwrap();
    let link = lab.topology.link_id("ab");

    let standby = asked("op-1", "service-state-change", &state_change(&link, "standby"));
    let reply = session.rpc(&standby).await.unwrap().text().to_owned();
    let id = content(&reply, "action-id").to_owned();
    let (last, states) = ended(&mut notifications, &id).await;
    assert_eq!(states, ["accepted", "in-progress", "done"], "{last}");
    assert_eq!(last.matches("<succeeded>true</succeeded>").count(), 2, "{last}");
    for module in [&tx, &rx] {
        assert!(module.get().await.contains("<service-state>standby</service-state>"));
    }
    let again = session.rpc(&standby).await.unwrap().text().to_owned();
    assert_eq!((content(&again, "action-id"), content(&again, "state")), (id.as_str(), "done"), "one action");

    for (operation, kind, value, tag) in [
        ("op-2", "service-state-change", state_change("urn:qkdn:lab:link:none", "standby"), "data-missing"),
        ("op-3", "service-state-change", String::new(), "invalid-value"),
        ("op-4", "path-modification", "<path><avoid>urn:qkdn:lab:km:none</avoid></path>".to_owned(), "data-missing"),
        ("op-5", "link-reconfiguration", String::new(), "invalid-value"),
        ("op-1", "service-state-change", state_change(&link, "in-service"), "invalid-value"),
    ] {
        let refused = session.rpc(&asked(operation, kind, &value)).await.unwrap_err();
        let tags: Vec<_> = refused.rpc_errors().iter().map(|error| error.tag.as_str()).collect();
        assert_eq!(tags, [tag], "{operation}: {refused}");
    }
    for user in ["controller", "guest"] {
        let (other, _) = controller.session(user).await;
        let refused = other.rpc(&asked("op-9", "service-state-change", &state_change(&link, "in-service"))).await;
        let refused = refused.expect_err("an action writes with the controller's rights, which are not theirs");
        let tags: Vec<_> = refused.rpc_errors().iter().map(|error| error.tag.as_str()).collect();
        assert_eq!(tags, ["access-denied"], "{user}: {refused}");
    }
    assert_eq!(controller.get().await.matches("<control-action>").count(), 1, "nothing of it is kept");

    // The receiver shows another key than the one that is known: it is not written, and the action has failed.
    lab.tell(&[&tx, &rx], Some((&rx, &tx)));
    let reply = session.rpc(&asked("op-6", "service-state-change", &state_change(&rx.id, "in-service"))).await.unwrap();
    let (last, _) = ended(&mut notifications, content(reply.text(), "action-id")).await;
    assert!(last.contains("<succeeded>false</succeeded>") && last.contains("host key"), "{last}");
    assert!(rx.get().await.contains("<service-state>standby</service-state>"));

    let crash = "<inject-fault xmlns=\"urn:qkdn:yang:qkdn-simulation\"><controller-crash/></inject-fault>";
    session.rpc(crash).await.unwrap();
    let in_service = asked("op-7", "service-state-change", &state_change(&tx.id, "in-service"));
    let refused = session.rpc(&in_service).await.unwrap_err();
    assert!(refused.to_string().contains("has stopped"), "{refused}");
    let alarmed = async {
        while !controller.get().await.contains("controller-unreachable</alarm-type-id>") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, alarmed).await.expect("an alarm is raised");
    session.rpc("<clear-fault xmlns=\"urn:qkdn:yang:qkdn-simulation\"><all/></clear-fault>").await.unwrap();
    let reply = session.rpc(&in_service).await.unwrap().text().to_owned();
    let (last, states) = ended(&mut notifications, content(&reply, "action-id")).await;
    assert_eq!(states.last().map(String::as_str), Some("done"), "{last}");

    // An action is under way when the controller ends: the next one takes it up.
    tx.stop().await;
    let standby =
        asked("op-8", "service-state-change", &state_change(&lab.topology.resource_id("module", "ab-tx"), "standby"));
    session.rpc(&standby).await.unwrap();
    drop(session);
    controller.stop().await;
    let tx = lab.module("ab-tx").await;
    lab.tell(&[&tx, &rx], None);
    let controller = lab.controller().await;
    let taken_up = async {
        while !tx.get().await.contains("<service-state>standby</service-state>") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, taken_up).await.expect("the action is executed after all");
    assert_eq!(controller.get().await.matches("<control-action>").count(), 4, "they outlive a restart");
    for agent in [controller, tx, rx] {
        agent.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_is_led_around_a_link_at_the_key_managers() {
    let lab = Lab::new();
    let (a, b, c) = (lab.km("a").await, lab.km("b").await, lab.km("c").await);
    lab.tell(&[&a, &b, &c], None);
    let controller = lab.controller().await;
    let (session, mut notifications) = controller.session("manager").await;
    session.create_subscription(&CreateSubscription::default()).await.unwrap();
    let around = format!("<path><avoid>{}</avoid></path>", lab.topology.link_id("ca"));
    let reply = session.rpc(&asked("op-1", "path-modification", &around)).await.unwrap();
    let (last, states) = ended(&mut notifications, content(reply.text(), "action-id")).await;
    assert_eq!(states.last().map(String::as_str), Some("done"), "{last}");
    let hops = format!("<hop>{}</hop><hop>{}</hop><hop>{}</hop>", a.id, b.id, c.id);
    let state = controller.get().await;
    assert!(state.contains(&hops) && state.contains("<reroutes>1</reroutes>"), "{state}");
    let via = format!("<next-hop-km-id>{}</next-hop-km-id>", b.id);
    assert_eq!(state.matches(&via).count(), 2, "both ends send by way of b: {state}");
    let entry = b.get().await;
    for part in [format!("<previous-hop>{}</previous-hop>", a.id), format!("<next-hop>{}</next-hop>", c.id)] {
        assert!(entry.contains(&part), "{part}");
    }
    for agent in [controller, a, b, c] {
        agent.stop().await;
    }
}
