//! A manager and an agent, each as it is: the device is found, configured, asked and heard through the manager's own NETCONF server.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use agents::fleet::{self, Fleet};
use agents::topology::{AgentKind, Topology};
use manager::config::Config;
use manager::init::{Init, init};
use manager::northbound::northbound_schema;
use netconf::client::{
    CreateSubscription, Datastore, EditConfig, Filter, NotificationEvent, Notifications, Options, Session,
    SessionConfig,
};
use netconf::transport::ssh::{Credential, HostKeyCheck, Target, connect, load_or_generate_host_key};
use netconf::yang::edit::read_data;
use netconf::yang::validate::Validator;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Reached only by a test that fails.
const DEADLINE: Duration = Duration::from_secs(60);

const LINK: &str = "urn:qkdn:test:link:1";
const OURS: &str = "urn:qkdn:yang:qkdn-manager";
const BASE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("in time")
}

struct Process {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<Result<(), String>>,
}

impl Process {
    async fn agent(home: &Path) -> Process {
        let text = format!(
            "name = \"m\"\nresource-id = \"urn:qkdn:test:module:1\"\nlisten = \"127.0.0.1:0\"\nstate-dir = \"agent\"\n\
             host-key = \"agent_host_key\"\ndriver = \"simulated\"\n[[user]]\nname = \"qlm\"\n\
             authorized-keys = [\"manager/qlm.pub\"]\ngroups = [\"manager\"]\n[simulated]\nlink-id = \"{LINK}\"\n"
        );
        std::fs::write(home.join("agent.toml"), text).unwrap();
        let config = agents::config::Config::load(&home.join("agent.toml")).unwrap();
        let (ready, address) = tokio::sync::oneshot::channel();
        let (stop, known) = (CancellationToken::new(), move |address| ready.send(address).unwrap());
        let running = agents::run::agent(AgentKind::QkdModule, config, None, stop.clone(), known);
        let task = tokio::spawn(async move { running.await.map_err(|error| error.to_string()) });
        Process { address: in_time(address).await.unwrap(), stop, task }
    }

    async fn manager(config: &Path) -> Process {
        let config = Config::load(config).unwrap();
        let (ready, address) = tokio::sync::oneshot::channel();
        let (stop, known) = (CancellationToken::new(), move |address| ready.send(address).unwrap());
        let running = manager::run::run(config, stop.clone(), known);
        let task = tokio::spawn(async move { running.await.map_err(|error| error.to_string()) });
        Process { address: in_time(address).await.unwrap(), stop, task }
    }

    async fn session(&self, user: &str, key: &Path) -> (Session, Notifications) {
        let target = Target {
            host: self.address.ip().to_string(),
            port: self.address.port(),
            user: user.to_owned(),
            credential: Credential::KeyFile { path: key.to_owned(), passphrase: None },
            host_key: HostKeyCheck::Any,
            timeout: DEADLINE,
        };
        Session::open(connect(&target).await.unwrap(), SessionConfig::default()).await.unwrap()
    }

    async fn end(self) {
        self.stop.cancel();
        in_time(self.task).await.unwrap().unwrap();
    }
}

async fn get(session: &Session, filter: &str) -> String {
    let filter = Options::from(Filter::Subtree(filter.to_owned()));
    session.get(&filter).await.unwrap().text().to_owned()
}

/// Asks until all is there.
async fn seen(session: &Session, filter: &str, wanted: &[&str]) -> String {
    let mut last = String::new();
    let waiting = async {
        loop {
            last = get(session, filter).await;
            if wanted.iter().all(|part| last.contains(part)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let waited = tokio::time::timeout(DEADLINE, waiting).await;
    assert!(waited.is_ok(), "never seen: {wanted:?} in {last}");
    last
}

async fn heard(notifications: &mut Notifications, wanted: &[&str]) -> String {
    let mut others = String::new();
    let waiting = async {
        loop {
            match notifications.next().await.expect("the session goes on") {
                NotificationEvent::Received(message) if wanted.iter().all(|part| message.text().contains(part)) => {
                    break message.text().to_owned();
                }
                NotificationEvent::Received(message) => others.push_str(message.text()),
                NotificationEvent::Lost(count) => panic!("{count} notifications lost"),
            }
        }
    };
    let waited = tokio::time::timeout(DEADLINE, waiting).await;
    waited.unwrap_or_else(|_| panic!("never heard: {wanted:?} among {others}"))
}

/// A change of the device `m` at the manager.
fn device(content: &str) -> EditConfig {
    let config = format!("<devices xmlns=\"{OURS}\"><device><name>m</name>{content}</device></devices>");
    EditConfig::new(Datastore::Running, config)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_found_configured_asked_and_heard_through_its_manager() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    let (listen, admin) = ("127.0.0.1:0".to_owned(), "ann".to_owned());
    let made = init(&Init { directory: home.join("manager"), listen, admin, admin_key: None }).unwrap();
    let key = |name: &str| home.join("manager").join(name);
    let agent = Process::agent(home).await;
    let manager = Process::manager(&made.config).await;
    let (ann, mut notifications) = manager.session("ann", &key("ann")).await;
    ann.create_subscription(&CreateSubscription::default()).await.unwrap();

    // Planned with a threshold, before there is a session: pending, and then told.
    let port = agent.address.port();
    let planned = format!(
        "<kind>qkd-module</kind><connection><address>127.0.0.1</address><port>{port}</port><credential>qlm</credential></connection>\
         <qkd-module><thresholds><qber><warning>4.5</warning></qber></thresholds></qkd-module>"
    );
    ann.edit_config(&device(&planned)).await.unwrap();
    heard(&mut notifications, &["<device-state", "<new>operational</new>", "<reference-point>mq</reference-point>"])
        .await;
    let devices = format!("<devices xmlns=\"{OURS}\"><device><name>m</name><state/></device></devices>");
    let state = ["<found-id>urn:qkdn:test:module:1</found-id>", "<configuration-status>in-sync</configuration-status>"];
    seen(&ann, &devices, &state).await;
    let (direct, _) = agent.session("qlm", &key("qlm")).await;
    let module = "<qkd-module xmlns=\"urn:qkdn:yang:qkdn-mq\"><thresholds/></qkd-module>";
    let module = Options::from(Filter::Subtree(module.to_owned()));
    let at_device = async || direct.get_config(&Datastore::Running, &module).await.unwrap().text().to_owned();
    assert!(at_device().await.contains("<warning>4.5</warning>"));

    // Changed, and seen at the device at once; what it refuses changes nothing at either.
    let threshold = |value: &str| {
        device(&format!("<qkd-module><thresholds><qber><warning>{value}</warning></qber></thresholds></qkd-module>"))
    };
    ann.edit_config(&threshold("3.5")).await.unwrap();
    assert!(at_device().await.contains("<warning>3.5</warning>"));
    let wrong = device("<qkd-module><role>transmitter</role></qkd-module>");
    let refused = ann.edit_config(&wrong).await.unwrap_err();
    assert!(refused.to_string().contains("device \"m\""), "{refused}");
    let running = ann.get_config(&Datastore::Running, &Options::default()).await.unwrap();
    assert!(running.text().contains("3.5") && !running.text().contains("transmitter"), "{}", running.text());

    // Passed through: refused by the device, and done.
    let pass = |operation: &str| {
        format!(
            "<execute-operation xmlns=\"{OURS}\"><device>m</device><operation>{operation}</operation></execute-operation>"
        )
    };
    let unlocked =
        ann.rpc(pass(&format!("<unlock xmlns=\"{BASE}\"><target><startup/></target></unlock>"))).await.unwrap_err();
    assert!(unlocked.to_string().contains("device \"m\""), "{unlocked}");
    let cut = "<inject-fault xmlns=\"urn:qkdn:yang:qkdn-simulation\"><fibre-cut/></inject-fault>";
    let reply = ann.rpc(pass(cut)).await.unwrap();
    assert!(reply.text().contains("fault-id"), "{}", reply.text());

    // Heard, listed and acknowledged.
    let told = heard(&mut notifications, &["<alarm-notification", "qkd-link-down", "critical"]).await;
    assert!(told.contains("<sequence-number>") && told.contains(">m</device>"), "{told}");
    let list = "<alarms xmlns=\"urn:ietf:params:xml:ns:yang:ietf-alarms\"><alarm-list/></alarms>";
    seen(&ann, list, &["qkd-link-down", "<is-cleared>false</is-cleared>", LINK]).await;
    let ack = format!(
        "<action xmlns=\"urn:ietf:params:xml:ns:yang:1\"><alarms xmlns=\"urn:ietf:params:xml:ns:yang:ietf-alarms\"><alarm-list><alarm>\
         <resource xmlns:m=\"{OURS}\">/m:network/m:resource[m:resource-id='{LINK}']</resource>\
         <alarm-type-id xmlns:q=\"urn:qkdn:yang:qkdn-alarms\">q:qkd-link-down</alarm-type-id><alarm-type-qualifier/>\
         <set-operator-state><state>ack</state><text>a van is on its way</text></set-operator-state>\
         </alarm></alarm-list></alarms></action>"
    );
    ann.rpc(&ack).await.unwrap();
    heard(&mut notifications, &["<operator-action", "<operator>ann</operator>", "a van is on its way"]).await;
    let run = format!("<procedures xmlns=\"{OURS}\"/>");
    seen(&ann, &run, &["<procedure>configuration</procedure>", "<actor>xlmo</actor>"]).await;
    let networks = "<networks xmlns=\"urn:ietf:params:xml:ns:yang:ietf-network\"/>";
    seen(&ann, networks, &["urn:qkdn:network:quantum", "urn:qkdn:test:module:1"]).await;

    // After a restart all of it is there, and the alarm once.
    manager.end().await;
    let manager = Process::manager(&made.config).await;
    let (ann, _) = manager.session("ann", &key("ann")).await;
    seen(&ann, &devices, &["<connection-state>operational</connection-state>", state[1]]).await;
    let alarms = seen(&ann, list, &["qkd-link-down", "a van is on its way"]).await;
    assert_eq!(alarms.matches("qkd-link-down</alarm-type-id>").count(), 1, "{alarms}");
    manager.end().await;
    agent.end().await;
}

/// The credential for a kind of agent, by the function that manages it.
fn function(kind: AgentKind) -> &'static str {
    match kind {
        AgentKind::KeyManager => "kmlm",
        AgentKind::Controller => "qclm",
        _ => "qlm",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_network_is_found_and_each_kind_of_device_configured() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    let (listen, admin) = ("127.0.0.1:0".to_owned(), "ann".to_owned());
    let made = init(&Init { directory: home.join("manager"), listen, admin, admin_key: None }).unwrap();
    let topology = Topology::load("lab").unwrap();
    let controller_key = home.join("controller");
    let key = load_or_generate_host_key(&controller_key).unwrap();
    std::fs::write(home.join("controller.pub"), key.public_key().to_openssh().unwrap()).unwrap();
    let user = |name: &str, place: &str, group: &str| fleet::User {
        name: name.to_owned(),
        public_key: home.join(place).join(format!("{name}.pub")),
        password_file: None,
        groups: vec![group.to_owned()],
    };
    let functions = ["qlm", "kmlm", "qclm"].map(|name| user(name, "manager", "manager"));
    let options = fleet::Options {
        directory: home.to_owned(),
        topology: "lab".to_owned(),
        port_base: 0,
        users: functions.into_iter().chain([user("controller", "", "controller")]).collect(),
        controller_key,
        without: ["controller".to_owned()].into(),
    };
    let stop = CancellationToken::new();
    let fleet = in_time(Fleet::start(&topology, &options, &stop, |_| ())).await.unwrap();
    let device = |member: &fleet::Member| {
        serde_json::json!({
            "name": member.name, "kind": member.kind.name(), "device-id": member.resource_id,
            "connection": {"address": member.address, "port": member.port, "credential": function(member.kind), "host-key": member.host_key},
        })
    };
    let started: Vec<_> = fleet.members.iter().filter(|member| member.started).collect();
    let file = home.join("manager/devices.json");
    let mut devices: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    devices["qkdn-manager:devices"]["device"] = started.iter().map(|member| device(member)).collect();
    std::fs::write(&file, devices.to_string()).unwrap();

    let manager = Process::manager(&made.config).await;
    let (ann, mut notifications) = manager.session("ann", &home.join("manager/ann")).await;
    ann.create_subscription(&CreateSubscription::default()).await.unwrap();
    let states = format!("<devices xmlns=\"{OURS}\"><device><state><connection-state/></state></device></devices>");
    in_time(async {
        while get(&ann, &states).await.matches(">operational<").count() < started.len() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let networks = "<networks xmlns=\"urn:ietf:params:xml:ns:yang:ietf-network\"/>";
    seen(&ann, networks, &["urn:qkdn:lab:km:a", "urn:qkdn:lab:link:bc", "<supporting-link>", "urn:qkdn:network:qkdn"])
        .await;

    for (name, kind, leaf, value) in [
        ("ab-tx", "qkd-module", "description", "north hall"),
        ("km-a", "key-manager", "sampling-interval", "5"),
        ("os", "optical-switch", "description", "rack 4"),
        ("rp", "relay-point", "description", "shaft"),
    ] {
        let config = format!(
            "<devices xmlns=\"{OURS}\"><device><name>{name}</name><{kind}><{leaf}>{value}</{leaf}></{kind}></device></devices>"
        );
        ann.edit_config(&EditConfig::new(Datastore::Running, config))
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let ask = format!(
            "<execute-operation xmlns=\"{OURS}\"><device>{name}</device><operation><get-config xmlns=\"{BASE}\">\
             <source><running/></source></get-config></operation></execute-operation>"
        );
        let reply = ann.rpc(ask).await.unwrap();
        assert!(reply.text().contains(&format!("<{leaf}>{value}</{leaf}>")), "{name}: {}", reply.text());
    }

    // A cut fibre leads to a run of 10.1.1, whose steps are told as they are done.
    let cut = format!(
        "<execute-operation xmlns=\"{OURS}\"><device>ab-tx</device><operation>\
         <inject-fault xmlns=\"urn:qkdn:yang:qkdn-simulation\"><fibre-cut/></inject-fault></operation></execute-operation>"
    );
    ann.rpc(cut).await.unwrap();
    heard(&mut notifications, &["<alarm-notification", "qkd-link-down"]).await;
    heard(&mut notifications, &["<procedure-step", "<number>4</number>", "<actor>qlm</actor>", "fibre-cut"]).await;
    let run = format!("<procedures xmlns=\"{OURS}\"><run><procedure>link-failure</procedure></run></procedures>");
    seen(&ann, &run, &["urn:qkdn:lab:link:ab", "<number>3</number>", "<number>7</number>"]).await;

    // All that the manager says is what its model says that it can say.
    let schema = northbound_schema().unwrap();
    let reply = ann.get(&Options::default()).await.unwrap();
    let document = reply.document().unwrap();
    let data = read_data(&schema, netconf::client::data(&document).unwrap()).unwrap();
    Validator::validate_data(&schema, &data).unwrap();
    manager.end().await;
    stop.cancel();
    drop(fleet);
}
