//! Tests of the server through its own client, over a pipe instead of a transport.

mod confirmed_commit;
mod copy_config;
mod edit;
mod nmda;
mod partial_lock;
mod push;
mod startup;
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

#[tokio::test]
async fn the_hello_has_what_netopeer2_cli_looks_for() {
    let bench = start().await;
    let session = bench.admin().await;
    let all: Vec<&str> = session.capabilities().iter().collect();
    for wanted in [
        "urn:ietf:params:netconf:base:1.0",
        "urn:ietf:params:netconf:base:1.1",
        "urn:ietf:params:netconf:capability:candidate:1.0",
        "urn:ietf:params:netconf:capability:validate:1.1",
        "urn:ietf:params:netconf:capability:interleave:1.0",
    ] {
        assert!(all.contains(&wanted), "{wanted} in {all:?}");
    }
    for begins in [
        "urn:ietf:params:xml:ns:netconf:base:1.0?module=ietf-netconf&",
        "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring?",
        "urn:ietf:params:netconf:capability:yang-library:1.1?revision=2019-01-04&content-id=",
    ] {
        assert!(all.iter().any(|c| c.starts_with(begins)), "{begins} in {all:?}");
    }
    // Modules of YANG 1.1 are the library's to announce (RFC 7950 section 5.6.4).
    assert!(!all.iter().any(|c| c.contains("module=fixture")));
    let filter = |ns: &str, top: &str| Filter::Subtree(format!("<{top} xmlns=\"urn:ietf:params:xml:ns:yang:{ns}\"/>"));
    let library = session.get(&filter("ietf-yang-library", "modules-state").into()).await.unwrap();
    let schemas = session.get(&filter("ietf-netconf-monitoring", "netconf-state").into()).await.unwrap();
    for module in bench.server.shared().schema.modules() {
        assert!(library.text().contains(&format!("<name>{}</name>", module.name)), "{}", module.name);
        assert!(schemas.text().contains(&format!("<identifier>{}</identifier>", module.name)), "{}", module.name);
        let text = session.get_schema(&module.name, module.revision.as_deref()).await.unwrap();
        assert_eq!(Some(text.as_str()), module.text.as_deref(), "{}", module.name);
    }
}

/// Without them yangcli takes neither a confirmed commit nor a test-option.
#[tokio::test]
async fn the_hello_has_the_older_forms_of_capabilities() {
    let bench = start().await;
    let session = bench.admin().await;
    for name in ["base", "capability:confirmed-commit", "capability:validate"] {
        for version in ["1.0", "1.1"] {
            let wanted = format!("urn:ietf:params:netconf:{name}:{version}");
            assert!(session.capabilities().has(&wanted), "{wanted} in {:?}", session.capabilities());
        }
    }
}

#[tokio::test]
async fn edits_reach_running_device_and_disk() {
    let bench = start().await;
    let session = bench.admin().await;
    set(&session, Datastore::Running, &name("a")).await.unwrap();
    assert_eq!(bench.applied.lock().unwrap().len(), 1);
    assert_eq!(running(&session).await, "<system xmlns=\"urn:fixture\"><name>a</name></system>");
    // What changes nothing is not applied.
    set(&session, Datastore::Running, &name("a")).await.unwrap();
    assert_eq!(bench.applied.lock().unwrap().len(), 1);
    for wrong in ["bad", "broken"] {
        assert!(set(&session, Datastore::Running, &name(wrong)).await.is_err());
    }
    assert_eq!(running(&session).await, "<system xmlns=\"urn:fixture\"><name>a</name></system>");
    set(&session, Datastore::Candidate, &name("b")).await.unwrap();
    session.validate(&Datastore::Candidate).await.unwrap();
    session.commit().await.unwrap();
    drop(session);
    let again = bench.restart().await;
    let session = again.admin().await;
    assert_eq!(running(&session).await, "<system xmlns=\"urn:fixture\"><name>b</name></system>");
}

#[tokio::test]
async fn candidate_is_edited_discarded_and_committed() {
    let bench = start().await;
    let session = bench.admin().await;
    set(&session, Datastore::Candidate, &name("c")).await.unwrap();
    assert_eq!(running(&session).await, "");
    let candidate = session.get_config(&Datastore::Candidate, &client::Options::default()).await.unwrap();
    assert!(candidate.text().contains("<name>c</name>"));
    session.discard_changes().await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(running(&session).await, "");
    // Constraints on candidate wait for validate and commit.
    let rule = "<servers xmlns=\"urn:fixture\"><rule><id>1</id><sub>s</sub></rule></servers>";
    set(&session, Datastore::Candidate, rule).await.unwrap();
    assert_eq!(tag(session.validate(&Datastore::Candidate).await.unwrap_err()).0, ErrorTag::DataMissing);
    assert_eq!(tag(session.commit().await.unwrap_err()).0, ErrorTag::DataMissing);
    assert_eq!(tag(set(&session, Datastore::Running, rule).await.unwrap_err()).0, ErrorTag::DataMissing);
    session.copy_config(&Datastore::Candidate, &Datastore::Running).await.unwrap();
    session.replace_config(&Datastore::Running, &name("whole")).await.unwrap();
    assert_eq!(running(&session).await, "<system xmlns=\"urn:fixture\"><name>whole</name></system>");
    assert_eq!(
        tag(session.copy_config(&Datastore::Running, &Datastore::Running).await.unwrap_err()).0,
        ErrorTag::InvalidValue
    );
}

#[tokio::test]
async fn test_and_error_options_mean_what_they_say() {
    let bench = start().await;
    let session = bench.admin().await;
    let edit = EditConfig::new(Datastore::Running, name("t")).test_option("test-only");
    session.edit_config(&edit).await.unwrap();
    assert_eq!(running(&session).await, "");
    let two = "<system xmlns=\"urn:fixture\"><name>n</name><mtu>1</mtu></system>";
    let edit = |option| EditConfig::new(Datastore::Running, two).error_option(option);
    assert_eq!(tag(session.edit_config(&edit("rollback-on-error")).await.unwrap_err()).0, ErrorTag::InvalidValue);
    assert_eq!(running(&session).await, "");
    assert_eq!(tag(session.edit_config(&edit("continue-on-error")).await.unwrap_err()).0, ErrorTag::InvalidValue);
    assert_eq!(running(&session).await, "<system xmlns=\"urn:fixture\"><name>n</name></system>");
    let edit = EditConfig::new(Datastore::Running, "").default_operation("replace");
    session.edit_config(&edit).await.unwrap();
    assert_eq!(running(&session).await, "");
}

#[tokio::test]
async fn locks_hold_and_die_with_their_session() {
    let bench = start().await;
    let (one, two) = (bench.admin().await, bench.admin().await);
    one.lock(&Datastore::Running).await.unwrap();
    let client::Error::Rpc(errors) = two.lock(&Datastore::Running).await.unwrap_err() else { panic!() };
    assert_eq!(errors[0].tag, ErrorTag::LockDenied);
    assert_eq!(errors[0].info, [ErrorInfo::SessionId(one.id())]);
    assert_eq!(tag(set(&two, Datastore::Running, &name("x")).await.unwrap_err()).0, ErrorTag::InUse);
    assert_eq!(tag(two.unlock(&Datastore::Running).await.unwrap_err()).0, ErrorTag::OperationFailed);
    set(&one, Datastore::Running, &name("x")).await.unwrap();
    one.unlock(&Datastore::Running).await.unwrap();
    set(&two, Datastore::Candidate, &name("y")).await.unwrap();
    assert_eq!(tag(one.lock(&Datastore::Candidate).await.unwrap_err()).0, ErrorTag::LockDenied);
    two.discard_changes().await.unwrap();
    one.lock(&Datastore::Candidate).await.unwrap();
    set(&one, Datastore::Candidate, &name("z")).await.unwrap();
    one.close().await.unwrap();
    // The lock goes with the session, and the changes with the lock.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while two.lock(&Datastore::Candidate).await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "the lock outlived its session");
    }
    two.commit().await.unwrap();
    assert_eq!(running(&two).await, "<system xmlns=\"urn:fixture\"><name>x</name></system>");
}

#[tokio::test]
async fn a_session_can_be_killed_but_not_by_itself() {
    let bench = start().await;
    let (one, two) = (bench.admin().await, bench.admin().await);
    assert_eq!(tag(one.kill_session(one.id()).await.unwrap_err()).0, ErrorTag::InvalidValue);
    assert_eq!(tag(one.kill_session(4711).await.unwrap_err()).0, ErrorTag::InvalidValue);
    one.kill_session(two.id()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), two.wait_ended()).await.unwrap();
    one.close().await.unwrap();
}

#[tokio::test]
async fn operations_and_actions_reach_the_provider() {
    let bench = start().await;
    let (session, mut notifications) = bench.session("admin").await;
    session.create_subscription(&CreateSubscription::default()).await.unwrap();
    let again = session.create_subscription(&CreateSubscription::default()).await.unwrap_err();
    assert_eq!(tag(again).0, ErrorTag::OperationFailed);
    // As ncclient has it: the filter in the base namespace.
    let (other, mut filtered) = bench.session("admin").await;
    let subscribe = "<create-subscription xmlns=\"urn:ietf:params:xml:ns:netconf:notification:1.0\"><filter \
                     xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" type=\"subtree\"><started \
                     xmlns=\"urn:fixture\"/></filter></create-subscription>";
    other.rpc(subscribe).await.unwrap();
    let reply = session.rpc("<restart xmlns=\"urn:fixture\"><reason>r</reason></restart>").await.unwrap();
    assert!(reply.text().contains("<job xmlns=\"urn:fixture\">admin r 5</job>"), "{}", reply.text());
    let event = loop {
        let Some(NotificationEvent::Received(event)) = notifications.next().await else { panic!() };
        if !event.text().contains("netconf-session-start") {
            break event;
        }
    };
    assert!(event.text().contains("<started xmlns=\"urn:fixture\"><job>admin r 5</job></started>"), "{}", event.text());
    let Some(NotificationEvent::Received(only)) = filtered.next().await else { panic!() };
    assert!(only.text().contains("<started "), "{}", only.text());
    let action = "<action xmlns=\"urn:ietf:params:xml:ns:yang:1\"><jobs xmlns=\"urn:actions\"><job><name>x</name>\
                  <run><times>3</times></run></job></jobs></action>";
    let reply = session.rpc(action).await.unwrap();
    assert!(reply.text().contains("<done xmlns=\"urn:actions\">3</done>"), "{}", reply.text());
    for (operation, expected) in [
        ("<restart xmlns=\"urn:fixture\"/>", ErrorTag::MissingElement),
        ("<restart xmlns=\"urn:fixture\"><reason>r</reason><x/></restart>", ErrorTag::UnknownElement),
        ("<restart xmlns=\"urn:fixture\"><reason>r</reason><delay>x</delay></restart>", ErrorTag::InvalidValue),
        ("<nope xmlns=\"urn:fixture\"/>", ErrorTag::OperationNotSupported),
        ("<nope xmlns=\"urn:nobody\"/>", ErrorTag::UnknownNamespace),
        ("<delete-config><target><running/></target></delete-config>", ErrorTag::UnknownElement),
        ("<delete-config><target><candidate/></target></delete-config>", ErrorTag::UnknownElement),
        ("<get><bogus/></get>", ErrorTag::UnknownElement),
        ("<get-config/>", ErrorTag::MissingElement),
        ("<get-config><source/></get-config>", ErrorTag::MissingElement),
        ("<get-config><source><backup/></source></get-config>", ErrorTag::UnknownElement),
        ("<edit-config><target><startup/></target><config/></edit-config>", ErrorTag::UnknownElement),
        ("<edit-config><target><running/></target></edit-config>", ErrorTag::MissingElement),
        ("<get><filter type=\"bogus\"/></get>", ErrorTag::BadAttribute),
        ("<kill-session><session-id>x</session-id></kill-session>", ErrorTag::InvalidValue),
    ] {
        let error = session.rpc(operation).await.expect_err(operation);
        assert_eq!(tag(error).0, expected, "{operation}");
    }
}

#[tokio::test]
async fn get_joins_configuration_and_state() {
    let bench = start().await;
    let session = bench.admin().await;
    set(&session, Datastore::Running, &name("g")).await.unwrap();
    let filter = || Filter::Subtree("<system xmlns=\"urn:fixture\"><name/><uptime/><mtu/></system>".into());
    let reply = session.get(&filter().into()).await.unwrap();
    assert!(reply.text().contains("<name>g</name><uptime>7</uptime>"), "{}", reply.text());
    let options = client::Options { filter: Some(filter()), with_defaults: Some("report-all") };
    let reply = session.get(&options).await.unwrap();
    assert!(reply.text().contains("<name>g</name><mtu>1500</mtu><uptime>7</uptime>"), "{}", reply.text());
}

#[tokio::test]
async fn access_control_guards_operations_data_and_events() {
    let bench = start().await;
    let admin = bench.admin().await;
    set(
        &admin,
        Datastore::Running,
        "<nacm xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-acm\"><groups><group><name>ops</name>\
         <user-name>bob</user-name></group></groups><rule-list><name>ops</name><group>ops</group>\
         <rule><name>names</name><path xmlns:f=\"urn:fixture\">/f:system/f:name</path>\
         <access-operations>*</access-operations><action>permit</action></rule>\
         <rule><name>no-restart</name><module-name>fixture</module-name><rpc-name>restart</rpc-name>\
         <access-operations>exec</access-operations><action>deny</action></rule></rule-list></nacm>",
    )
    .await
    .unwrap();
    let bob = bench.admin().await;
    drop(bob);
    let bob = bench.session("bob").await.0;
    set(&bob, Datastore::Running, &name("mine")).await.unwrap();
    let mtu = "<system xmlns=\"urn:fixture\"><mtu>1000</mtu></system>";
    let client::Error::Rpc(errors) = set(&bob, Datastore::Running, mtu).await.unwrap_err() else { panic!() };
    assert_eq!(errors[0].tag, ErrorTag::AccessDenied);
    assert_eq!(errors[0].path.as_ref().unwrap().text, "/fixture:system/fixture:mtu");
    let restart = "<restart xmlns=\"urn:fixture\"><reason>r</reason></restart>";
    assert_eq!(tag(bob.rpc(restart).await.unwrap_err()).0, ErrorTag::AccessDenied);
    assert_eq!(tag(bob.kill_session(admin.id()).await.unwrap_err()).0, ErrorTag::AccessDenied);
    let secret = "<system xmlns=\"urn:fixture\"><secret>s</secret></system>";
    set(&admin, Datastore::Running, secret).await.unwrap();
    assert!(running(&admin).await.contains("secret"));
    let seen = running(&bob).await;
    assert!(seen.contains("mine") && !seen.contains("secret"), "{seen}");
    bob.close().await.unwrap();
}

#[tokio::test]
async fn garbage_ends_one_session_and_no_other() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let bench = start().await;
    let good = bench.admin().await;
    let hello = "<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities><capability>\
                 urn:ietf:params:netconf:base:1.1</capability></capabilities></hello>]]>]]>";
    for (sent, answered) in [
        (b"GET / HTTP/1.1\r\n\r\n]]>]]>".to_vec(), ""),
        (format!("{hello}\n#abc\n").into_bytes(), ""),
        (format!("{hello}\n#0\n").into_bytes(), ""),
        (format!("{hello}\n#4\n<rpc\n##\n").into_bytes(), "malformed-message"),
        (format!("{hello}\n#6\n<rpc/>\n##\n").into_bytes(), "malformed-message"),
    ] {
        let mut stream = bench.connect("admin");
        stream.write_all(&sent).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut received = Vec::new();
        tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut received)).await.unwrap().unwrap();
        let received = String::from_utf8_lossy(&received);
        let after_hello = received.split("]]>]]>").nth(1).unwrap_or_default();
        assert_eq!(after_hello.contains("malformed-message"), !answered.is_empty(), "{received}");
    }
    set(&good, Datastore::Running, &name("fine")).await.unwrap();
}

#[tokio::test]
async fn every_attribute_of_the_rpc_returns() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let bench = start().await;
    let mut stream = bench.connect("admin");
    stream
        .write_all(
            b"<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities><capability>\
              urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>]]>]]>\
              <rpc xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"a&amp;b\" xmlns:x=\"urn:x\" x:y=\"z\">\
              <get-config><source><running/></source></get-config></rpc>]]>]]>\
              <rpc xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><close-session/></rpc>]]>]]>\
              <rpc xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"3\"><close-session/></rpc>]]>]]>",
        )
        .await
        .unwrap();
    let mut received = String::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut received)).await.unwrap().unwrap();
    let replies: Vec<&str> = received.split("]]>]]>").collect();
    assert!(replies[1].contains("message-id=\"a&amp;b\"") && replies[1].contains("x:y=\"z\""), "{received}");
    assert!(replies[2].contains("<error-tag>missing-attribute</error-tag>"), "{received}");
    assert!(replies[2].contains("<bad-attribute>message-id</bad-attribute>"), "{received}");
    assert!(replies[3].contains("message-id=\"3\"") && replies[3].contains("<ok/>"), "{received}");
}

/// Requests of every kind, for mutation.
const REQUESTS: &[&str] = &[
    "<get-config><source><running/></source><filter type=\"subtree\"><system xmlns=\"urn:fixture\"><name>a</name><mtu/>\
     </system></filter></get-config>",
    "<edit-config><target><candidate/></target><default-operation>none</default-operation><config>\
     <servers xmlns=\"urn:fixture\" xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\" \
     xmlns:y=\"urn:ietf:params:xml:ns:yang:1\"><server nc:operation=\"create\"><name>x</name><port>1</port></server>\
     <rule y:insert=\"before\" y:key=\"[id='1'][sub='s']\"><id>2</id><sub>s</sub><action>p</action></rule></servers>\
     </config></edit-config>",
    "<edit-config><target><running/></target><test-option>test-only</test-option><config><system xmlns=\"urn:fixture\" \
     xmlns:f=\"urn:fixture\"><pet>f:cat</pet><target>/f:system/f:mtu</target><ratio>1.5</ratio><options>a b</options>\
     <blob>aGk=</blob><any><x xmlns=\"urn:x\">1</x></any></system></config></edit-config>",
    "<restart xmlns=\"urn:fixture\"><delay>3</delay><reason>r</reason></restart>",
    "<action xmlns=\"urn:ietf:params:xml:ns:yang:1\"><jobs xmlns=\"urn:actions\"><job><name>x</name><run><times>3</times>\
     </run></job></jobs></action>",
    "<create-subscription xmlns=\"urn:ietf:params:xml:ns:netconf:notification:1.0\"><startTime>2026-01-01T00:00:00Z\
     </startTime><stopTime>2026-01-02T00:00:00Z</stopTime></create-subscription>",
    "<get><filter><netconf-state xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring\"/></filter></get>",
];

#[tokio::test]
async fn mutated_requests_leave_the_server_standing() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let bench = start().await;
    let good = bench.admin().await;
    // A fixed sequence (Knuth's MMIX generator): what fails once fails again.
    let mut seed = 0x5eed_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let splices: [&[u8]; 10] =
        [b"<", b">", b"&", b"]]>", b"\"", b"xmlns=\"\"", b"<![CDATA[", b"</", b"\xc3\xa4", b"99999999999999999999"];
    for round in 0..1000 {
        let mut stream = bench.connect("admin");
        let mut bytes = b"<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities><capability>\
                          urn:ietf:params:netconf:base:1.1</capability></capabilities></hello>]]>]]>"
            .to_vec();
        for _ in 0..5 {
            let mut message = format!(
                "<rpc message-id=\"{round}\" xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">{}</rpc>",
                REQUESTS[random(REQUESTS.len())]
            )
            .into_bytes();
            for _ in 0..1 + random(3) {
                let (at, more) = (random(message.len()), 1 + random(12));
                let end = (at + more).min(message.len());
                match random(4) {
                    0 => drop(message.drain(at..end)),
                    1 => message[at] = random(256) as u8,
                    2 => drop(message.splice(at..at, splices[random(splices.len())].iter().copied())),
                    _ => {
                        let copy = message[at..end].to_vec();
                        let to = random(message.len());
                        message.splice(to..to, copy);
                    }
                }
            }
            bytes.extend_from_slice(format!("\n#{}\n", message.len()).as_bytes());
            bytes.extend_from_slice(&message);
            bytes.extend_from_slice(b"\n##\n");
        }
        // The server may close at any byte.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let mut received = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut received)).await;
        assert!(read.is_ok(), "round {round} hangs: {}", String::from_utf8_lossy(&bytes));
    }
    running(&good).await;
    good.close().await.unwrap();
}

#[tokio::test]
async fn a_peer_that_does_not_read_holds_up_nobody() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let bench = start().await;
    let other = bench.admin().await;
    let mut deaf = bench.connect_through("admin", 4096);
    let mut hello = Vec::new();
    while !hello.ends_with(b"]]>]]>") {
        hello.push(deaf.read_u8().await.unwrap());
    }
    deaf.write_all(
        b"<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities><capability>\
          urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>]]>]]>\
          <rpc xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"1\"><create-subscription \
          xmlns=\"urn:ietf:params:xml:ns:netconf:notification:1.0\"/></rpc>]]>]]>",
    )
    .await
    .unwrap();
    let mut reply = Vec::new();
    while !reply.ends_with(b"]]>]]>") {
        reply.push(deaf.read_u8().await.unwrap());
    }
    // It begins an edit that the device is slow to apply, and reads nothing from now on.
    let edit = format!(
        "<rpc xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"2\"><edit-config><target><running/></target>\
         <config>{}</config></edit-config></rpc>]]>]]>",
        name("slow")
    );
    deaf.write_all(edit.as_bytes()).await.unwrap();
    // Far more events than the pipe takes.
    for _ in 0..100 {
        other.rpc("<restart xmlns=\"urn:fixture\"><reason>r</reason></restart>").await.unwrap();
    }
    // Nor does a get of everything wait for the device.
    other.get(&client::Options::default()).await.unwrap();
    bench.slow.notify_one();
    let next = name("next");
    let edited = set(&other, Datastore::Running, &next);
    tokio::time::timeout(Duration::from_secs(20), edited).await.expect("an edit waits for the peer").unwrap();
    assert_eq!(running(&other).await, "<system xmlns=\"urn:fixture\"><name>next</name></system>");
}
