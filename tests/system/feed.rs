//! `qkdn serve --feed`: what is written into a FIFO, a file or standard input is a device's state and its notifications.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use netconf::client::{CreateSubscription, Filter, NotificationEvent, Notifications, Options, Session, SessionConfig};
use netconf::transport::ssh::{Credential, Target, connect};

use crate::bad_input::refusal;
use crate::program::{Program, qkdn};

const DEVICE: &str = r#"module device { yang-version 1.1; namespace urn:device; prefix d; revision 2026-01-01;
  container device {
    list port {
      key name; config false; leaf name { type string; } leaf up { type boolean; }
      notification flap { leaf count { type uint32; mandatory true; } }
    }
  }
  notification heard { leaf number { type uint32; } } }"#;

/// For whatever the server has been told to show; a busy machine is slow, and not stuck.
const PATIENCE: Duration = Duration::from_secs(60);

fn serve(directory: &Path, feed: &str) -> Command {
    std::fs::write(directory.join("device.yang"), DEVICE).unwrap();
    let mut command = Program::command(directory, "127.0.0.1:0");
    command.args(["--module", "device", "--feed", feed]);
    command
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// What a script does: opens the FIFO, writes, and is gone.
fn write(fifo: &Path, lines: &str) {
    OpenOptions::new().write(true).open(fifo).unwrap().write_all(lines.as_bytes()).unwrap();
}

async fn next(notifications: &mut Notifications) -> String {
    let event = tokio::time::timeout(PATIENCE, notifications.next()).await.expect("a notification comes");
    match event.expect("the session goes on") {
        NotificationEvent::Received(message) => message.text().to_owned(),
        NotificationEvent::Lost(lost) => panic!("{lost} were lost in the client"),
    }
}

async fn state(session: &Session) -> String {
    let filter = Some(Filter::Subtree("<device xmlns=\"urn:device\"/>".into()));
    session.get(&Options { filter, ..Options::default() }).await.unwrap().text().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_a_fifo_come_and_go_and_a_bad_line_ends_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    make_fifo(&fifo);
    let mut program = Program::run(directory.path(), serve(directory.path(), "fifo"));
    let (session, mut notifications) = program.session().await;
    session.create_subscription(&CreateSubscription::default()).await.unwrap();
    assert!(!state(&session).await.contains("<port>"));

    write(
        &fifo,
        r#"{"operational": {"device:device": {"port": [{"name": "a", "up": true}, {"name": "b"}]}}}
{"notification": {"device:heard": {"number": 1}}}
"#,
    );
    let heard = next(&mut notifications).await;
    assert!(heard.contains("<heard xmlns=\"urn:device\"><number>1</number></heard>"), "{heard}");
    // What was written before the notification is there once that has come.
    let shown = state(&session).await;
    assert!(shown.contains("<port><name>a</name><up>true</up></port><port><name>b</name></port>"), "{shown}");

    write(
        &fifo,
        r#"not JSON
{"operational": {"device:device": {"port": [{"name": "a", "up": "down"}]}}}

{"delete": "/device:device/port[name='b']"}
{"notification": {"device:device": {"port": [{"name": "a", "flap": {}}]}}}
{"notification": {"device:device": {"port": [{"name": "a", "flap": {"count": 7}}]}}}
"#,
    );
    let flap = next(&mut notifications).await;
    assert!(flap.contains("<port><name>a</name><flap><count>7</count></flap></port>"), "{flap}");
    let shown = state(&session).await;
    assert!(shown.contains("<port><name>a</name><up>true</up></port></device>"), "{shown}");
    let log = program.log();
    for wanted in [
        "line 3, skipped: column 2",
        "line 4, skipped: /device:device/port[1]/up",
        "line 7, skipped: /device:device/device:port[device:name='a']/device:flap/device:count: Mandatory node",
    ] {
        assert!(log.contains(&format!("feed fifo, {wanted}")), "{wanted}: {log}");
    }
    assert_eq!(log.matches("skipped").count(), 3, "{log}");

    // A read that waits for a writer holds nothing up.
    assert!(program.terminate(PATIENCE).success());
}

/// More than any queue on the way holds.
const BURST: u32 = 5_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_arrives_whole_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    make_fifo(&fifo);
    let program = Program::run(directory.path(), serve(directory.path(), "fifo"));
    let config = SessionConfig { max_notifications: BURST as usize, ..SessionConfig::default() };
    let (session, mut notifications) = Session::open(connect(&program.target()).await.unwrap(), config).await.unwrap();
    session.create_subscription(&CreateSubscription::default()).await.unwrap();
    let writer = std::thread::spawn(move || {
        let lines =
            (0..BURST).map(|number| format!("{{\"notification\":{{\"device:heard\":{{\"number\":{number}}}}}}}\n"));
        write(&fifo, &lines.collect::<String>());
    });
    for number in 0..BURST {
        let heard = next(&mut notifications).await;
        assert!(heard.contains(&format!("<number>{number}</number>")), "{number}: {heard}");
    }
    writer.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_served_whole_from_the_first_session_on() {
    let directory = tempfile::tempdir().unwrap();
    let lines: String = (0..100)
        .map(|n| format!("{{\"operational\":{{\"device:device\":{{\"port\":[{{\"name\":\"{n}\"}}]}}}}}}\n"))
        .chain(["{\"notification\":{\"device:heard\":{\"number\":100}}}".to_owned()])
        .collect();
    std::fs::write(directory.path().join("lines.jsonl"), lines).unwrap();
    let program = Program::run(directory.path(), serve(directory.path(), "lines.jsonl"));
    let (session, mut notifications) = program.session().await;
    assert_eq!(state(&session).await.matches("<port>").count(), 100);
    replay(&session).await;
    let heard = next(&mut notifications).await;
    assert!(heard.contains("<number>100</number>"), "{heard}");
    assert!(program.log().contains("has ended after 101 lines, 0 of them skipped"), "{}", program.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standard_input_is_a_feed() {
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("input");
    std::fs::write(&input, "{\"notification\":{\"device:heard\":{\"number\":5}}}\n").unwrap();
    let mut command = serve(directory.path(), "-");
    command.stdin(File::open(&input).unwrap());
    let program = Program::run(directory.path(), command);
    let (session, mut notifications) = program.session().await;
    replay(&session).await;
    let heard = next(&mut notifications).await;
    assert!(heard.contains("<number>5</number>"), "{heard}");
}

/// What the feed told before anyone could listen, and from then on: nothing of the sessions' own.
async fn replay(session: &Session) {
    let filter = Some(Filter::Subtree("<heard xmlns=\"urn:device\"/>".into()));
    let start_time = Some("2026-01-01T00:00:00Z".to_owned());
    let subscription = CreateSubscription { filter, start_time, ..CreateSubscription::default() };
    session.create_subscription(&subscription).await.unwrap();
}

#[test]
fn a_feed_that_cannot_be_read_keeps_the_server_from_starting() {
    let directory = tempfile::tempdir().unwrap();
    let with = |feed: &str| {
        refusal(directory.path(), |command| {
            command.args(["--feed", feed]);
        })
    };
    let line = with("nowhere");
    assert!(line.contains("--feed nowhere: no such file") && line.contains("mkfifo nowhere"), "{line}");
    let line = with(".");
    assert!(line.contains("--feed .: a directory"), "{line}");
}

/// Processes that end with the test, however that ends: a script that is killed cannot end what it has started.
struct Group(u32);

impl Drop for Group {
    fn drop(&mut self) {
        // Where all have ended there is nothing to kill.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.0)]).stderr(Stdio::null()).status();
    }
}

/// The example of docs/serve.md does what it says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shell_script_is_a_device() {
    let directory = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lamp/simulate.sh");
    let mut command = Command::new(script);
    command
        .process_group(0)
        .arg(directory.path())
        .arg("127.0.0.1:0")
        .env("QKDN", qkdn())
        .env("TICK", "0.1")
        .env("TZ", "UTC");
    let mut program = Program::run(directory.path(), command);
    let _group = Group(program.id());
    let key = russh::keys::load_secret_key(directory.path().join("admin"), None).unwrap();
    let target = Target { credential: Credential::Key(Arc::new(key)), ..program.target() };
    let (session, mut notifications) =
        Session::open(connect(&target).await.unwrap(), SessionConfig::default()).await.unwrap();
    let filter =
        Some(Filter::Subtree("<lamp xmlns=\"urn:example:lamp\"/><overheated xmlns=\"urn:example:lamp\"/>".into()));
    session.create_subscription(&CreateSubscription { filter, ..CreateSubscription::default() }).await.unwrap();
    // Whichever of the two the subscription came between.
    let (first, second) = (next(&mut notifications).await, next(&mut notifications).await);
    let both = format!("{first}{second}");
    assert!(both.contains("<overheated xmlns=\"urn:example:lamp\"><temperature>70</temperature>"), "{both}");
    assert!(both.contains("<bulb><position>2</position><broken><reason>too hot</reason></broken></bulb>"), "{both}");
    let filter = Some(Filter::Subtree("<lamp xmlns=\"urn:example:lamp\"/>".into()));
    let shown = session.get(&Options { filter, ..Options::default() }).await.unwrap().text().to_owned();
    assert!(shown.contains("<bulb><position>1</position>") && shown.contains("<temperature>"), "{shown}");
    assert!(!program.log().contains("skipped"), "{}", program.log());
    assert!(program.terminate(PATIENCE).success());
}
