//! Tests of the server through its own client, over a pipe instead of a transport.

mod confirmed_commit;
mod copy_config;
mod datastores;
mod edit;
mod hello;
mod instrumentation;
mod nmda;
mod overload;
mod partial_lock;
mod push;
mod sessions;
mod startup;
mod subscriptions;
mod url;
mod xpath;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::BufReader;

use super::*;
use crate::client::{
    self, CreateSubscription, Datastore, EditConfig, Filter, NotificationEvent, Notifications, Session,
};
use crate::error::{ErrorInfo, ErrorTag};
use crate::transport::Transport;
use crate::yang::diff::Edit;
use crate::yang::ffi::Source;
use crate::yang::fixture;
use crate::yang::serde::{from_path, tree_at};

const ACTIONS: Source = Source {
    name: "actions",
    revision: None,
    text: "module actions { yang-version 1.1; namespace urn:actions; prefix a;
      container jobs { list job { key name; leaf name { type string; }
        action run { input { leaf times { type uint8; mandatory true; } } output { leaf done { type uint8; } } }
        notification ran { leaf times { type uint8; } } } } }",
};

/// A device that remembers what was applied, and knows bad, broken and slow values of `<name>`.
struct Device {
    schema: Arc<Schema>,
    events: std::sync::Mutex<Option<EventSender>>,
    applied: Arc<std::sync::Mutex<Vec<Vec<Edit>>>>,
    /// A `<name>` of `slow` is applied when this says so.
    slow: Arc<tokio::sync::Notify>,
    /// It refuses everything while this is set.
    refuses: Arc<AtomicBool>,
}

impl Provider for Device {
    fn start(&self, events: EventSender) {
        *self.events.lock().unwrap() = Some(events);
    }

    fn validate(&self, new: &Tree) -> Result<(), RpcError> {
        match new.value("/fixture:system/name") {
            Some(name) if name.text() == "bad" => Err(RpcError::invalid_value("This device has no such name.")),
            _ => Ok(()),
        }
    }

    async fn apply(&self, _old: &Tree, new: &Tree, edits: &[Edit]) -> Result<(), RpcError> {
        let broken = new.value("/fixture:system/name").is_some_and(|name| name.text() == "broken");
        if broken || self.refuses.load(Ordering::Relaxed) {
            return Err(RpcError::operation_failed("The device is broken."));
        }
        if new.value("/fixture:system/name").is_some_and(|name| name.text() == "slow") {
            self.slow.notified().await;
        }
        self.applied.lock().unwrap().push(edits.to_vec());
        Ok(())
    }

    async fn state(&self, _want: &Selection) -> Result<Tree, RpcError> {
        #[derive(serde::Serialize)]
        struct State {
            uptime: u64,
        }
        Ok(tree_at(&self.schema, "/fixture:system", &State { uptime: 7 })?)
    }

    async fn call(&self, operation: Operation, who: &Requester) -> Result<Option<Tree>, RpcError> {
        let name = self.schema.node(operation.node).name.as_str();
        if name == "run" {
            let times: Option<u8> = from_path(&operation.input, "/actions:jobs/job[name='x']/run/input/times")?;
            return Ok(Some(tree_at(&self.schema, "/actions:jobs/job[name='x']/run/output/done", &times)?));
        }
        let reason: Option<String> = from_path(&operation.input, "/fixture:restart/input/reason")?;
        let delay: Option<u32> = from_path(&operation.input, "/fixture:restart/input/delay")?;
        let job = format!("{} {} {}", who.user, reason.unwrap_or_default(), delay.unwrap_or_default());
        #[derive(serde::Serialize)]
        struct Job {
            job: String,
        }
        let started = tree_at(&self.schema, "/fixture:started", &Job { job: job.clone() })?;
        let events = self.events.lock().unwrap().clone().expect("started before the first session");
        events.send(provider::Event::Notification(started)).await.expect("the server runs");
        Ok(Some(tree_at(&self.schema, "/fixture:restart/output", &Job { job })?))
    }
}

struct Bench {
    server: Server<Device>,
    applied: Arc<std::sync::Mutex<Vec<Vec<Edit>>>>,
    slow: Arc<tokio::sync::Notify>,
    refuses: Arc<AtomicBool>,
    directory: tempfile::TempDir,
}

fn schema(options: &Options) -> Arc<Schema> {
    let builder = options.urls.modules(base_modules(Schema::builder())).sources([fixture::MODULE, ACTIONS]);
    builder.module("fixture", None, &["extra"]).module("actions", None, &[]).build().unwrap()
}

async fn start_in(directory: tempfile::TempDir) -> Bench {
    start_with(directory, Options::default()).await
}

/// `options`: all but the state directory and the superuser.
async fn start_with(directory: tempfile::TempDir, options: Options) -> Bench {
    let schema = schema(&options);
    start_on(directory, schema, options).await
}

/// A server of modules with which the fixture is.
async fn start_on(directory: tempfile::TempDir, schema: Arc<Schema>, options: Options) -> Bench {
    let applied = Arc::default();
    let slow = Arc::default();
    let refuses = Arc::default();
    let device = Device {
        schema: schema.clone(),
        events: Default::default(),
        applied: Arc::clone(&applied),
        slow: Arc::clone(&slow),
        refuses: Arc::clone(&refuses),
    };
    let options = Options { state_dir: directory.path().join("state"), superuser: Some("admin".into()), ..options };
    let server = Server::start(schema.clone(), device, Tree::initial(schema), options).await.unwrap();
    Bench { server, applied, slow, refuses, directory }
}

async fn start() -> Bench {
    start_in(tempfile::tempdir().unwrap()).await
}

impl Bench {
    fn connect(&self, user: &str) -> tokio::io::DuplexStream {
        self.connect_through(user, 1 << 20)
    }

    /// `buffer`: what the pipe takes in each direction without being read.
    fn connect_through(&self, user: &str, buffer: usize) -> tokio::io::DuplexStream {
        let (ours, theirs) = tokio::io::duplex(buffer);
        let peer =
            Peer { user: user.into(), transport: Transport::Ssh, address: "127.0.0.1:1".parse().expect("an address") };
        let server = self.server.clone();
        tokio::spawn(async move { server.serve(BufReader::new(theirs), peer).await });
        ours
    }

    /// Stops the server and starts another on the same state directory.
    async fn restart(self) -> Bench {
        self.restart_with(Options::default()).await
    }

    async fn restart_with(self, options: Options) -> Bench {
        let Bench { server, directory, .. } = self;
        server.stop();
        drop(server);
        loop {
            // The state directory is free once the old server's last task has gone.
            tokio::time::sleep(Duration::from_millis(10)).await;
            if let Ok(lock) = record::StateDirectory::open(directory.path().join("state")) {
                drop(lock);
                return start_with(directory, options).await;
            }
        }
    }

    /// Another server, on what a power failure at this moment would leave.
    async fn after_power_failure(&self) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        std::fs::create_dir(&state).unwrap();
        for file in std::fs::read_dir(self.directory.path().join("state")).unwrap().map(Result::unwrap) {
            if file.file_type().unwrap().is_file() {
                std::fs::copy(file.path(), state.join(file.file_name())).unwrap();
            }
        }
        start_in(directory).await
    }

    async fn session(&self, user: &str) -> (Session, Notifications) {
        Session::open(self.connect(user), client::SessionConfig::default()).await.unwrap()
    }

    async fn admin(&self) -> Session {
        self.session("admin").await.0
    }
}

fn tag(error: client::Error) -> (ErrorTag, Option<String>) {
    let client::Error::Rpc(errors) = error else { panic!("{error}") };
    (errors[0].tag, errors[0].app_tag.as_deref().map(str::to_owned))
}

async fn running(session: &Session) -> String {
    content(session, Datastore::Running).await
}

async fn content(session: &Session, datastore: Datastore) -> String {
    let reply = session.get_config(&datastore, &client::Options::default()).await.unwrap();
    let document = reply.document().unwrap();
    let mut out = Vec::new();
    for child in client::data(&document).unwrap().children() {
        child.write(&mut out);
    }
    String::from_utf8(out).unwrap()
}

fn name(value: &str) -> String {
    format!("<system xmlns=\"urn:fixture\"><name>{value}</name></system>")
}

async fn set(session: &Session, target: Datastore, config: &str) -> Result<(), client::Error> {
    session.edit_config(&EditConfig::new(target, config)).await.map(|_| ())
}
