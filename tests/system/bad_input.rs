//! Bad input of every kind: one clear line each, and others unaffected.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use netconf::client::{Datastore, Options};
use netconf::transport::ssh::{ConnectError, Credential, HostKeyCheck, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::program::Program;

/// Runs a server that must not start, and returns its one line.
pub fn refusal(directory: &std::path::Path, change: impl FnOnce(&mut Command)) -> String {
    let mut command = Program::command(directory, "127.0.0.1:0");
    change(&mut command);
    one_line(&mut command)
}

fn one_line(command: &mut Command) -> String {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it started: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success(), "it ended well: {command:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 1, "{text}");
    assert!(lines[0].starts_with("qkdn: "), "{text}");
    lines[0].to_owned()
}

#[test]
fn a_server_that_cannot_start_says_why_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let file = |name: &str, text: &str| std::fs::write(path.join(name), text).unwrap();
    file("broken.yang", "module broken { namespace urn:b; prefix b; leaf x { type nonsense; } }");
    file("empty", "");
    file("not-a-directory", "x");
    let with = |args: &'static [&'static str]| {
        refusal(path, |c| {
            c.args(args);
        })
    };
    for (args, wanted) in [
        (&["--module", "missing"][..], "missing"),
        (&["--module", "broken"], "nonsense"),
        (&["--module", "kill:absent-feature"], "absent-feature"),
        (&["--yang-dir", "nowhere"], "nowhere"),
        (&["--user", "nobody"], "nobody"),
        (&["--user", "bob", "--authorized-key", "empty"], "empty"),
        (&["--user", "bob", "--authorized-key", "nowhere"], "nowhere"),
        (&["--user", "bob", "--password-file", "empty"], "empty"),
    ] {
        let line = with(args);
        assert!(line.contains(wanted), "{args:?}: {line}");
    }
    let replaced = |option: &str, value: &str, wanted: &str| {
        let line = refusal(path, |command| {
            let args: Vec<_> = command.get_args().map(|a| a.to_owned()).collect();
            let mut fresh = Command::new(command.get_program());
            let at = args.iter().position(|a| a == option).unwrap();
            fresh.current_dir(path).env("TZ", "UTC").args(&args[..=at]).arg(value).args(&args[at + 2..]);
            *command = fresh;
        });
        assert!(line.contains(wanted), "{option} {value}: {line}");
    };
    replaced("--state-dir", "not-a-directory/state", "not-a-directory");
    replaced("--host-key", "empty", "empty");
    replaced("--listen", "127.0.0.1:nonsense", "127.0.0.1:nonsense");
}

#[test]
fn a_port_or_a_state_directory_in_use_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(directory.path());
    let line = refusal(directory.path(), |_| {});
    assert!(line.contains("in use by another process"), "{line}");
    let other = tempfile::tempdir().unwrap();
    let line = one_line(&mut Program::command(other.path(), &format!("127.0.0.1:{}", program.port)));
    assert!(line.contains("cannot listen on") && line.contains("in use"), "{line}");
}

#[tokio::test]
async fn a_damaged_journal_is_not_guessed_at() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::start(directory.path());
    let (session, _) = program.session().await;
    for i in 0..5 {
        let config = format!("<book xmlns=\"urn:kill\"><page><id>{i}</id></page></book>");
        session.edit_config(&netconf::client::EditConfig::new(Datastore::Running, config)).await.unwrap();
    }
    program.kill();
    let journal = std::fs::read_dir(directory.path().join("state"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_string_lossy().starts_with("running.journal"))
        .unwrap();
    let good = std::fs::read(&journal).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 0x20;
    std::fs::write(&journal, &bad).unwrap();
    let line = refusal(directory.path(), |_| {});
    assert!(line.contains("running.journal") && line.contains("byte"), "{line}");
    // What a crash leaves, an unfinished append, is no damage.
    let mut torn = std::fs::File::create(&journal).unwrap();
    torn.write_all(&good).unwrap();
    torn.write_all(&[9, 0, 0, 0, 1, 2]).unwrap();
    drop(torn);
    let program = Program::start(directory.path());
    let (session, _) = program.session().await;
    let reply = session.get_config(&Datastore::Running, &Options::default()).await.unwrap();
    assert_eq!(reply.text().matches("<page>").count(), 5);
    assert!(program.log().contains("unfinished append"), "{}", program.log());
}

#[tokio::test]
async fn logins_that_are_refused_say_why() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(directory.path());
    let _good = program.session().await;
    let wrong = |t: &mut netconf::transport::ssh::Target| t.credential = Credential::Password("wrong".into());
    let unknown = |t: &mut netconf::transport::ssh::Target| t.user = "mallory".into();
    let strict = |t: &mut netconf::transport::ssh::Target| {
        t.host_key = HostKeyCheck::KnownHosts(directory.path().join("no_known_hosts"));
    };
    let pinned = |t: &mut netconf::transport::ssh::Target| {
        t.host_key = HostKeyCheck::Pinned(vec!["SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into()]);
    };
    std::fs::write(directory.path().join("no_known_hosts"), "").unwrap();
    assert!(matches!(program.refused(wrong).await, ConnectError::Login { .. }));
    assert!(matches!(program.refused(unknown).await, ConnectError::Login { .. }));
    assert!(matches!(program.refused(strict).await, ConnectError::UnknownHostKey { .. }));
    let error = program.refused(pinned).await;
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
}

const HELLO: &[u8] = b"<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities><capability>\
                       urn:ietf:params:netconf:base:1.1</capability></capabilities></hello>]]>]]>";

/// Sends bytes on a channel of their own, and returns what came back until the server closed it.
async fn send(program: &Program, bytes: &[u8]) -> String {
    let mut stream = connect(&program.target()).await.unwrap();
    let mut received = Vec::new();
    let sending = async {
        for piece in bytes.chunks(64 << 10) {
            // The server closes while we still write: that is what is wanted.
            if stream.write_all(piece).await.is_err() {
                break;
            }
        }
        let _ = stream.flush().await;
        let _ = stream.read_to_end(&mut received).await;
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), sending).await.expect("the server closes the channel");
    String::from_utf8_lossy(&received).into_owned()
}

#[tokio::test]
async fn hostile_messages_end_their_own_session_only() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(directory.path());
    let (good, _) = program.session().await;
    let hello = |rest: &[u8]| [HELLO, rest].concat();
    let mut huge = hello(b"\n#104857600\n");
    huge.resize(huge.len() + 104_857_600, b'x');
    for (what, bytes, logged) in [
        ("no NETCONF at all", b"GET / HTTP/1.1\r\n\r\n]]>]]>".to_vec(), "session refused"),
        ("a chunk header of letters", hello(b"\nabc\n"), "session closed"),
        ("a chunk of size 0", hello(b"\n#0\n"), "session closed"),
        ("a message of 100 MB", huge, "67108864"),
    ] {
        send(&program, &bytes).await;
        assert!(program.log().contains(logged), "{what}: {}", program.log());
        good.get_config(&Datastore::Running, &Options::default()).await.unwrap();
    }
    // What is framed well and is not XML is answered (RFC 6241, malformed-message), and the session goes on.
    let close = b"<rpc message-id=\"1\" xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><close-session/></rpc>";
    let mut bytes = hello(b"\n#9\n<rpc><a b\n##\n");
    bytes.extend_from_slice(format!("\n#{}\n", close.len()).as_bytes());
    bytes.extend_from_slice(close);
    bytes.extend_from_slice(b"\n##\n");
    let received = send(&program, &bytes).await;
    assert!(received.contains("<error-tag>malformed-message</error-tag>") && received.contains("<ok/>"), "{received}");
    good.close().await.unwrap();
}
