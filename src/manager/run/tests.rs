//! A manager over loopback SSH: prepared, started, edited, stopped and started again, with a store in memory and a brain that notes what it hears.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use netconf::client::{
    CreateSubscription, Datastore, EditConfig, NotificationEvent, Options as Fetch, Session, SessionConfig,
};
use netconf::transport::ssh::{Credential, HostKeyCheck, Target, connect};

use super::*;
use crate::init::{Init, Made, init};
use crate::input::{Answer, Notification, Request};
use crate::model::ConnectionState;
use crate::northbound::tests::double::Memory;
use crate::northbound::tests::sample;

const DEADLINE: Duration = Duration::from_secs(30);

struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), RunError>>,
    heard: Arc<Mutex<Vec<String>>>,
}

/// Announces each change of the devices, and counts what it is asked to purge.
fn brain(heard: Arc<Mutex<Vec<String>>>) -> impl FnMut(Input, Timestamp) -> Vec<Effect> + Send + 'static {
    move |input, _| match input {
        Input::Devices(plans) => {
            let names: Vec<String> = plans.iter().map(|plan| format!("{}:{}", plan.name, plan.port)).collect();
            heard.lock().unwrap().push(names.join(" "));
            let device = "l1-tx".to_owned();
            let (old, new) = (ConnectionState::Disabled, ConnectionState::Connecting);
            let state = Notification::DeviceState { device, old, new, reason: None };
            vec![Effect::Notify(Box::new(state))]
        }
        Input::Request { number, request: Request::PurgeAlarms(_) } => {
            vec![Effect::Answer { number, answer: Ok(Answer::Count(2)) }]
        }
        _ => Vec::new(),
    }
}

async fn start(made: &Made) -> Running {
    let config = Config::load(&made.config).unwrap();
    let (shutdown, heard) = (CancellationToken::new(), Arc::new(Mutex::new(Vec::new())));
    let (ready, address) = tokio::sync::oneshot::channel();
    let parts = Parts {
        store: Arc::new(sample::store()),
        recovered: Recovered::default(),
        handle: brain(heard.clone()),
        first: Vec::new(),
    };
    let stop = shutdown.clone();
    let task = tokio::spawn(async move {
        let directory = StateDirectory::open(&config.state_dir).unwrap();
        let known = move |address| {
            let _sent = ready.send(address);
        };
        serve::<Memory, _>(&config, directory, parts, stop, known).await
    });
    let address = tokio::time::timeout(DEADLINE, address).await.unwrap().unwrap();
    Running { address, shutdown, task, heard }
}

impl Running {
    async fn session(&self, directory: &Path, user: &str) -> (Session, netconf::client::Notifications) {
        let target = Target {
            host: self.address.ip().to_string(),
            port: self.address.port(),
            user: user.to_owned(),
            credential: Credential::KeyFile { path: directory.join(user), passphrase: None },
            host_key: HostKeyCheck::AcceptNew(directory.join("known_hosts")),
            timeout: DEADLINE,
        };
        Session::open(connect(&target).await.unwrap(), SessionConfig::default()).await.unwrap()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.task).await.unwrap().unwrap().unwrap();
    }
}

fn devices(content: &str) -> String {
    format!("<devices xmlns=\"urn:qkdn:yang:qkdn-manager\">{content}</devices>")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_manager_runs_and_keeps_what_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    let admin_key = None;
    let (listen, admin) = ("127.0.0.1:0".to_owned(), "ann".to_owned());
    let made = init(&Init { directory: home.to_owned(), listen, admin, admin_key }).unwrap();
    // Another user, who only reads.
    netconf::transport::ssh::load_or_generate_host_key(&home.join("oscar")).unwrap();
    let key = netconf::transport::ssh::load_or_generate_host_key(&home.join("oscar")).unwrap();
    std::fs::write(home.join("oscar.pub"), key.public_key().to_openssh().unwrap()).unwrap();
    let text = std::fs::read_to_string(&made.config).unwrap();
    let more = "\n[[user]]\nname = \"oscar\"\nauthorized-keys = [\"oscar.pub\"]\ngroups = [\"oss\"]\n";
    std::fs::write(&made.config, text + more).unwrap();

    let manager = start(&made).await;
    let (ann, mut notifications) = manager.session(home, "ann").await;
    ann.create_subscription(&CreateSubscription::default()).await.unwrap();
    let device = devices(
        "<device><name>l1-tx</name><kind>qkd-module</kind><connection><address>127.0.0.1</address><port>1</port>\
         <credential>qlm</credential></connection></device>",
    );
    ann.edit_config(&EditConfig::new(Datastore::Running, device.clone())).await.unwrap();
    let told = async {
        loop {
            match notifications.next().await.unwrap() {
                NotificationEvent::Received(message) if message.text().contains("<device-state") => {
                    break message.text().to_owned();
                }
                _ => {}
            }
        }
    };
    let told = tokio::time::timeout(DEADLINE, told).await.unwrap();
    assert!(told.contains("<new>connecting</new>") && told.contains("<sequence-number>"), "{told}");
    let data = ann.get(&Fetch::default()).await.unwrap();
    for part in ["<port>1</port>", "<connection-state>operational", "urn:qkdn:network:quantum", "<user>kmlm</user>"] {
        assert!(data.text().contains(part), "{part}: {}", data.text());
    }
    let purge = "<action xmlns=\"urn:ietf:params:xml:ns:yang:1\"><alarms xmlns=\"urn:ietf:params:xml:ns:yang:ietf-alarms\">\
        <alarm-list><purge-alarms><alarm-clearance-status>any</alarm-clearance-status></purge-alarms></alarm-list></alarms></action>";
    let reply = ann.rpc(purge).await.unwrap();
    assert!(reply.text().contains("purged-alarms") && reply.text().contains(">2<"), "{}", reply.text());

    let (oscar, _) = manager.session(home, "oscar").await;
    assert!(oscar.get(&Fetch::default()).await.unwrap().text().contains("l1-tx"));
    for denied in [oscar.edit_config(&EditConfig::new(Datastore::Running, device)).await, oscar.rpc(purge).await] {
        assert!(denied.unwrap_err().to_string().contains("access-denied"));
    }
    let plans = manager.heard.lock().unwrap().clone();
    assert_eq!(plans, ["", "l1-tx:1"]);
    manager.stop().await;

    std::fs::remove_file(home.join("devices.json")).unwrap();
    let manager = start(&made).await;
    // It serves before the brain has heard.
    let heard = async {
        while manager.heard.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, heard).await.unwrap();
    assert_eq!(manager.heard.lock().unwrap().clone(), ["l1-tx:1"]);
    manager.stop().await;
}

#[tokio::test]
async fn what_keeps_a_manager_from_starting_is_told_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    let (listen, admin) = ("127.0.0.1:0".to_owned(), "ann".to_owned());
    let made = init(&Init { directory: home.to_owned(), listen, admin, admin_key: None }).unwrap();
    std::fs::write(home.join("devices.json"), r#"{"qkdn-manager:devices": {"device": [{"name": "a", "knd": "x"}]}}"#)
        .unwrap();
    let config = Config::load(&made.config).unwrap();
    let parts = Parts {
        store: Arc::new(Memory::default()),
        recovered: Recovered::default(),
        handle: |_, _| Vec::new(),
        first: Vec::new(),
    };
    let state = StateDirectory::open(&config.state_dir).unwrap();
    let error = serve(&config, state, parts, CancellationToken::new(), |_| ()).await.unwrap_err().to_string();
    assert!(error.contains("devices.json: ") && error.contains("knd") && !error.contains('\n'), "{error}");
}
