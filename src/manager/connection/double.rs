//! For tests: a device, which is our own server over loopback SSH with the little behind it that a test needs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use netconf::error::RpcError;
use netconf::server::provider::{Event, EventSender, Operation, Provider, Requester};
use netconf::server::{Options, Server, base_modules};
use netconf::transport::auth::Users;
use netconf::transport::ssh;
use netconf::xml::{Document, Limits};
use netconf::yang::edit::{read_data, read_operation};
use netconf::yang::filter::Selection;
use netconf::yang::{Schema, Tree};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::model::{Credential, Kind, Plan, Secret};
use crate::schema::MODULES;

/// Reached only by a test that fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("in time")
}

const MODULE: &str =
    "<qkd-module xmlns=\"urn:qkdn:yang:qkdn-mq\"><state><module-id>urn:m:1</module-id></state></qkd-module>";

/// A QKD module, or a server that has no module of ours.
pub(crate) struct Double {
    directory: PathBuf,
    schema: Arc<Schema>,
    pub(crate) address: SocketAddr,
    serving: Option<Serving>,
}

struct Serving {
    server: Server<Behind>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

/// What stands behind the server.
#[derive(Clone)]
pub(crate) struct Behind(Arc<State>);

struct State {
    schema: Arc<Schema>,
    events: OnceLock<EventSender>,
    /// XML of the state of the device.
    data: Mutex<String>,
    /// Replies to RPCs of ours: the content of their output.
    output: Mutex<Vec<String>>,
    calls: AtomicU32,
    asked: Mutex<Vec<String>>,
}

pub(crate) fn module_schema() -> Arc<Schema> {
    device_of("qkdn-mq")
}

pub(crate) fn controller_schema() -> Arc<Schema> {
    device_of("qkdn-mc")
}

fn device_of(module: &str) -> Arc<Schema> {
    base_modules(Schema::builder())
        .sources(MODULES.iter().copied())
        .module("ietf-alarms", None, &[])
        .module("qkdn-types", None, &[])
        .module("qkdn-common", None, &[])
        .module("qkdn-performance", None, &[])
        .module("qkdn-alarms", None, &[])
        .module(module, None, &[])
        .build()
        .unwrap()
}

pub(crate) fn foreign_schema() -> Arc<Schema> {
    base_modules(Schema::builder()).build().unwrap()
}

impl Double {
    /// Serves on a port that stays its own.
    pub(crate) async fn start(directory: &Path, schema: Arc<Schema>) -> Double {
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let mut double = Double { directory: directory.to_owned(), schema, address, serving: None };
        double.serve("host_key").await;
        double
    }

    /// Starts again where it stopped, with the host key in that file.
    pub(crate) async fn serve(&mut self, host_key: &str) {
        let mut users = Users::new();
        let key = ssh::load_or_generate_host_key(&self.directory.join("qlm_key")).unwrap();
        users.add_key("qlm", key.public_key().clone());
        let host_key = ssh::load_or_generate_host_key(&self.directory.join(host_key)).unwrap();
        let behind = Behind::new(self.schema.clone());
        let options =
            Options { state_dir: self.directory.join("state"), superuser: Some("qlm".into()), ..Options::default() };
        let server = in_time(async {
            loop {
                // The one before may still have its files.
                match Server::start(
                    self.schema.clone(),
                    behind.clone(),
                    Tree::initial(self.schema.clone()),
                    options.clone(),
                )
                .await
                {
                    Ok(server) => break server,
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        })
        .await;
        let listener = TcpListener::bind(self.address).await.unwrap();
        let config = ssh::ServerConfig::new(vec![host_key], Arc::new(ArcSwap::from_pointee(users)));
        let shutdown = CancellationToken::new();
        let sessions = server.clone();
        let task = tokio::spawn(ssh::serve(listener, config, shutdown.clone(), move |stream, peer| {
            let server = sessions.clone();
            async move { server.serve(stream, peer).await }
        }));
        self.serving = Some(Serving { server, shutdown, task });
    }

    pub(crate) async fn stop(&mut self) {
        let serving = self.serving.take().unwrap();
        serving.shutdown.cancel();
        serving.server.stop();
        serving.task.await.unwrap().unwrap();
    }

    /// Ends all sessions, and goes on serving.
    pub(crate) fn hang_up(&self) {
        self.server().stop();
    }

    fn server(&self) -> &Server<Behind> {
        &self.serving.as_ref().expect("it serves").server
    }

    pub(crate) fn behind(&self) -> Behind {
        self.server().shared().provider.clone()
    }

    pub(crate) fn sessions(&self) -> usize {
        self.server().shared().sessions.list().len()
    }

    /// Tells of something that happened, with the number that it has among all that is told.
    pub(crate) async fn tell_numbered(&self, number: u64) {
        let counted = format!(
            "<management-operation><event-notify><sequence-number>{number}</sequence-number></event-notify></management-operation>"
        );
        let xml = format!(
            "<log-event xmlns=\"urn:qkdn:yang:qkdn-common\"><time>2026-11-22T00:00:00Z</time><class>security</class><event>e{number}</event><text>t</text>{counted}</log-event>"
        );
        let document = Document::parse(&xml, &Limits::default()).unwrap();
        let event = read_operation(&self.schema, document.root()).unwrap();
        self.behind().0.events.get().unwrap().send(Event::Notification(event)).await.unwrap();
    }

    pub(crate) fn plan(&self, name: &str) -> Plan {
        Plan {
            name: name.into(),
            device_id: None,
            kind: Kind::Unknown,
            managed: true,
            address: Some("127.0.0.1".into()),
            port: self.address.port(),
            credential: Some(Credential {
                user: "qlm".into(),
                secret: Secret::PrivateKeyFile(self.directory.join("qlm_key")),
            }),
            host_key: None,
            timeout: Duration::from_secs(30),
            location: None,
        }
    }
}

impl Behind {
    fn new(schema: Arc<Schema>) -> Behind {
        Behind(Arc::new(State {
            data: match schema.module_by_name("qkdn-mq") {
                Some(_) => Mutex::new(MODULE.into()),
                None => Mutex::default(),
            },
            schema,
            events: OnceLock::new(),
            output: Mutex::default(),
            calls: AtomicU32::new(0),
            asked: Mutex::default(),
        }))
    }

    /// What the device tells of itself from now on.
    pub(crate) fn set_data(&self, xml: &str) {
        *self.0.data.lock().unwrap() = xml.to_owned();
    }

    /// The output of the RPCs to come, the next first; the last stays.
    pub(crate) fn set_output(&self, output: &[&str]) {
        *self.0.output.lock().unwrap() = output.iter().rev().map(|&xml| xml.to_owned()).collect();
    }

    /// What was asked, as JSON.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.0.asked.lock().unwrap().clone()
    }

    pub(crate) fn calls(&self) -> u32 {
        self.0.calls.load(Ordering::SeqCst)
    }
}

impl Provider for Behind {
    fn start(&self, events: EventSender) {
        self.0.events.set(events).unwrap();
    }

    async fn state(&self, _: &Selection) -> Result<Tree, RpcError> {
        let xml = format!("<data>{}</data>", self.0.data.lock().unwrap());
        let document = Document::parse(&xml, &Limits::default()).unwrap();
        Ok(read_data(&self.0.schema, document.root()).unwrap())
    }

    async fn call(&self, operation: Operation, _: &Requester) -> Result<Option<Tree>, RpcError> {
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        self.0.asked.lock().unwrap().push(netconf::yang::json::write(&operation.input));
        let output = {
            let mut output = self.0.output.lock().unwrap();
            if output.len() > 1 { output.pop() } else { output.last().cloned() }
        };
        let Some(output) = output else { return Err(RpcError::operation_not_supported("Not this one.")) };
        let xml = format!("<rpc-reply>{output}</rpc-reply>");
        let document = Document::parse(&xml, &Limits::default()).unwrap();
        let schema = operation.input.schema();
        Ok(Some(netconf::yang::edit::read_output(schema, operation.node, document.root()).unwrap()))
    }
}

/// A way to a server on which everything can be held up, as by a host that hangs or a network that drops.
pub(crate) struct Way {
    pub(crate) address: SocketAddr,
    closed: tokio::sync::watch::Sender<bool>,
}

impl Way {
    pub(crate) async fn to(server: SocketAddr) -> Way {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (closed, mut hung) = tokio::sync::watch::channel(false);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let _open = hung.wait_for(|closed| !closed).await.is_ok();
                let mut hung = hung.clone();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(server).await.unwrap();
                    let hangs = tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => false,
                        hangs = async { hung.wait_for(|closed| *closed).await.is_ok() } => hangs,
                    };
                    if hangs {
                        // Kept open, and nothing moves.
                        let _released = hung.wait_for(|closed| !closed).await.is_ok();
                    }
                });
            }
        });
        Way { address, closed }
    }

    pub(crate) fn hang(&self, hang: bool) {
        self.closed.send_replace(hang);
    }
}
