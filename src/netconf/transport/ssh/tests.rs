//! Tests of the SSH transport over loopback.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use russh::ChannelMsg;
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::transport::Peer;
use crate::transport::auth::{PasswordRecord, Users};

/// Long enough for a busy machine; reached only by a test that fails.
const DEADLINE: Duration = Duration::from_secs(60);

fn new_key() -> PrivateKey {
    PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap()
}

/// A server on a free port that lets `ada` in by key and by password.
struct Fixture {
    port: u16,
    key: Arc<PrivateKey>,
    fingerprint: String,
    shutdown: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Fixture {
    async fn new<F, Fut>(change: impl FnOnce(&mut ServerConfig), session: F) -> Fixture
    where
        F: Fn(ChannelStream, Peer) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let (host_key, key) = (new_key(), Arc::new(new_key()));
        let mut users = Users::new();
        users.add_key("ada", key.public_key().clone());
        users.set_password("ada", PasswordRecord::hash("secret"));
        let fingerprint = host_key.public_key().fingerprint(HashAlg::Sha256).to_string();
        let mut config = ServerConfig::new(vec![host_key], Arc::new(ArcSwap::from_pointee(users)));
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(serve(listener, config, shutdown.clone(), session));
        Fixture { port, key, fingerprint, shutdown, task }
    }

    async fn echo() -> Fixture {
        Self::new(|_| (), |stream, _| echo(stream)).await
    }

    fn target(&self) -> Target {
        Target {
            host: "127.0.0.1".into(),
            port: self.port,
            user: "ada".into(),
            credential: Credential::Key(Arc::clone(&self.key)),
            host_key: HostKeyCheck::Pinned(vec![self.fingerprint.clone()]),
            timeout: DEADLINE,
        }
    }

    /// russh's own client, logged in.
    async fn raw(&self) -> russh::client::Handle<AnyKey> {
        let mut handle = russh::client::connect(Default::default(), ("127.0.0.1", self.port), AnyKey).await.unwrap();
        let key = PrivateKeyWithHashAlg::new(Arc::clone(&self.key), None);
        assert!(handle.authenticate_publickey("ada", key).await.unwrap().success());
        handle
    }
}

struct AnyKey;

impl russh::client::Handler for AnyKey {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &russh::keys::PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

async fn echo(stream: ChannelStream) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let _ = tokio::io::copy(&mut reader, &mut writer).await;
    let _ = writer.shutdown().await;
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("in time")
}

async fn refusal(target: Target) -> String {
    in_time(connect(&target)).await.expect_err("refused").to_string()
}

#[tokio::test]
async fn bytes_go_both_ways_and_the_end_is_seen() {
    let (peers, mut seen) = mpsc::channel(1);
    let fixture = Fixture::new(
        |_| (),
        move |stream, peer| {
            let peers = peers.clone();
            async move {
                peers.send(peer).await.unwrap();
                echo(stream).await;
            }
        },
    )
    .await;
    let mut stream = in_time(connect(&fixture.target())).await.unwrap();
    let peer = in_time(seen.recv()).await.unwrap();
    assert_eq!((peer.user.as_str(), peer.transport.as_str()), ("ada", "netconf-ssh"));
    let sent: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let mut received = Vec::new();
    in_time(async {
        let write = async {
            writer.write_all(&sent).await.unwrap();
            writer.shutdown().await.unwrap();
        };
        tokio::join!(write, async { reader.read_to_end(&mut received).await.unwrap() });
    })
    .await;
    assert!(received == sent);
}

#[tokio::test]
async fn a_password_logs_in_and_a_wrong_one_says_so() {
    let fixture = Fixture::echo().await;
    let with = |user: &str, password: &str| Target {
        user: user.into(),
        credential: Credential::Password(password.into()),
        ..fixture.target()
    };
    in_time(connect(&with("ada", "secret"))).await.unwrap();
    for (user, password) in [("ada", "wrong"), ("eve", "secret")] {
        let error = refusal(with(user, password)).await;
        assert!(error.contains(&format!("login of \"{user}\" with a password refused")), "{error}");
        assert!(error.contains("publickey, password, keyboard-interactive"), "{error}");
    }
    let stranger = Target { credential: Credential::Key(Arc::new(new_key())), ..fixture.target() };
    assert!(refusal(stranger).await.contains("with a key refused"));
}

#[tokio::test]
async fn none_is_rejected_with_the_methods_and_keyboard_interactive_is_the_password() {
    let fixture = Fixture::echo().await;
    let mut handle = russh::client::connect(Default::default(), ("127.0.0.1", fixture.port), AnyKey).await.unwrap();
    let russh::client::AuthResult::Failure { remaining_methods, .. } = handle.authenticate_none("ada").await.unwrap()
    else {
        panic!("none was accepted")
    };
    let names: Vec<&str> = remaining_methods.iter().map(<&'static str>::from).collect();
    assert_eq!(names, ["publickey", "password", "keyboard-interactive"]);
    use russh::client::KeyboardInteractiveAuthResponse::{Failure, InfoRequest, Success};
    for (password, right) in [("wrong", false), ("secret", true)] {
        let asked = handle.authenticate_keyboard_interactive_start("ada", None).await.unwrap();
        assert!(matches!(asked, InfoRequest { ref prompts, .. } if prompts.len() == 1 && !prompts[0].echo));
        match handle.authenticate_keyboard_interactive_respond(vec![password.into()]).await.unwrap() {
            Success => assert!(right),
            Failure { .. } => assert!(!right),
            InfoRequest { .. } => panic!("asked again"),
        }
    }
}

#[tokio::test]
async fn host_keys_are_learnt_once_and_a_change_is_refused() {
    let fixture = Fixture::echo().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("known_hosts");
    let check = |host_key| Target { host_key, ..fixture.target() };
    let known = refusal(check(HostKeyCheck::KnownHosts(path.clone()))).await;
    assert!(known.contains(&format!("the host key {} is not known", fixture.fingerprint)), "{known}");
    in_time(connect(&check(HostKeyCheck::AcceptNew(path.clone())))).await.unwrap();
    in_time(connect(&check(HostKeyCheck::KnownHosts(path.clone())))).await.unwrap();
    let other = new_key().public_key().to_openssh().unwrap();
    std::fs::write(&path, format!("[127.0.0.1]:{} {other}\n", fixture.port)).unwrap();
    for check_with in [HostKeyCheck::KnownHosts(path.clone()), HostKeyCheck::AcceptNew(path)] {
        assert!(refusal(check(check_with)).await.contains("CHANGED"));
    }
    assert!(refusal(check(HostKeyCheck::Pinned(vec!["SHA256:x".into()]))).await.contains("is not known"));
}

#[tokio::test]
async fn a_key_that_nobody_checked_is_told() {
    let fixture = Fixture::echo().await;
    let stream = in_time(connect(&Target { host_key: HostKeyCheck::Any, ..fixture.target() })).await.unwrap();
    assert_eq!(stream.host_key(), Some(fixture.fingerprint.as_str()));
    let openssh = fixture.key.public_key().to_openssh().unwrap();
    let expected = fixture.key.public_key().fingerprint(HashAlg::Sha256).to_string();
    assert_eq!(fingerprint(&openssh), Some(expected));
    assert_eq!(fingerprint("ssh-ed25519 nonsense"), None);
}

#[tokio::test]
async fn what_is_not_there_is_told_in_one_line() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = listener.local_addr().unwrap().port();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let fixture = Fixture::echo().await;
    let refused = refusal(Target { port: closed, ..fixture.target() }).await;
    assert_eq!(refused, format!("127.0.0.1:{closed}: connection refused: nothing listens there"));
    let timeout = Duration::from_millis(500);
    let error = refusal(Target { port: silent, timeout, ..fixture.target() }).await;
    assert_eq!(error, format!("127.0.0.1:{silent}: no answer within 0.5 s (SSH key exchange)"));
    let credential = Credential::KeyFile { path: "/nonexistent/key".into(), passphrase: None };
    assert!(refusal(Target { credential, ..fixture.target() }).await.starts_with("key /nonexistent/key: "));
}

#[tokio::test]
async fn only_the_subsystem_netconf_is_granted() {
    let fixture = Fixture::echo().await;
    let handle = fixture.raw().await;
    for request in ["shell", "exec", "sftp"] {
        let mut channel = handle.channel_open_session().await.unwrap();
        match request {
            "shell" => channel.request_shell(true).await.unwrap(),
            "exec" => channel.exec(true, "netconf").await.unwrap(),
            name => channel.request_subsystem(true, name).await.unwrap(),
        }
        let mut refused = false;
        in_time(async {
            while let Some(message) = channel.wait().await {
                match message {
                    ChannelMsg::Failure => refused = true,
                    ChannelMsg::Success => panic!("{request} was granted"),
                    _ => {}
                }
            }
        })
        .await;
        assert!(refused, "{request}");
    }
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.request_pty(true, "vt100", 80, 24, 0, 0, &[]).await.unwrap();
    channel.set_env(true, "A", "b").await.unwrap();
    channel.request_subsystem(true, "netconf").await.unwrap();
    for granted in [false, false, true] {
        assert_eq!(matches!(in_time(channel.wait()).await, Some(ChannelMsg::Success)), granted);
    }
}

#[tokio::test]
async fn the_key_exchange_is_post_quantum_and_the_cipher_aes_gcm() {
    struct Names(mpsc::Sender<[String; 2]>);
    impl russh::client::Handler for Names {
        type Error = russh::Error;
        async fn check_server_key(&mut self, _: &russh::keys::PublicKeyOrCertificate) -> Result<bool, russh::Error> {
            Ok(true)
        }
        async fn kex_done(
            &mut self,
            _: Option<&[u8]>,
            names: &russh::Names,
            _: &mut russh::client::Session,
        ) -> Result<(), russh::Error> {
            self.0.try_send([names.kex.as_ref().into(), names.cipher.as_ref().into()]).unwrap();
            Ok(())
        }
    }
    let fixture = Fixture::echo().await;
    let old = Preferred { kex: std::borrow::Cow::Borrowed(&[kex::CURVE25519]), ..PREFERRED };
    for (preferred, exchange) in [(PREFERRED, "mlkem768x25519-sha256"), (old, "curve25519-sha256")] {
        let (names, mut agreed) = mpsc::channel(1);
        let config = russh::client::Config { preferred, ..Default::default() };
        let handler = Names(names);
        let _handle =
            in_time(russh::client::connect(Arc::new(config), ("127.0.0.1", fixture.port), handler)).await.unwrap();
        assert_eq!(in_time(agreed.recv()).await.unwrap(), [exchange, "aes256-gcm@openssh.com"]);
    }
}

#[tokio::test]
async fn arriving_bytes_wait_for_a_busy_session_but_not_for_one_that_writes() {
    use super::stream::Inbound;
    static PIECE: [u8; 1 << 20] = [0; 1 << 20];
    // A writer that never has room.
    let (pipe, _other) = tokio::io::duplex(1);
    let inbound = Arc::new(Inbound::default());
    let timeout = DEADLINE;
    let mut stream =
        ChannelStream::new(Arc::clone(&inbound), pipe, std::future::ready(()), timeout, CancellationToken::new());
    let mut pushed = 0;
    while let Ok(taken) = tokio::time::timeout(Duration::from_millis(20), inbound.push(&PIECE)).await {
        taken.unwrap();
        pushed += PIECE.len();
    }
    assert_eq!(pushed, 4 << 20);
    // The session starts to write, which must let more in, up to the bound where the peer is cut off.
    let write = async { stream.write_all(b"more than a byte").await };
    let push = async {
        while inbound.push(&PIECE).await.is_ok() {
            pushed += PIECE.len();
        }
        inbound.close();
    };
    let (written, ()) = in_time(async { tokio::join!(write, push) }).await;
    assert_eq!(written.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    assert_eq!(pushed, 16 << 20);
    // What came before is still read.
    let mut all = Vec::new();
    in_time(stream.read_to_end(&mut all)).await.unwrap();
    assert_eq!(all.len(), pushed);
}

#[tokio::test]
async fn several_sessions_share_a_connection_up_to_the_bound() {
    let fixture = Fixture::new(|config| config.max_channels = 2, |stream, _| echo(stream)).await;
    let handle = fixture.raw().await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        let channel = handle.channel_open_session().await.unwrap();
        channel.request_subsystem(true, "netconf").await.unwrap();
        streams.push(channel.into_stream());
    }
    assert!(handle.channel_open_session().await.is_err());
    for (i, stream) in streams.iter_mut().enumerate() {
        let mut byte = [0];
        stream.write_all(&[i as u8]).await.unwrap();
        in_time(stream.read_exact(&mut byte)).await.unwrap();
        assert_eq!(byte, [i as u8]);
    }
    drop(streams.pop());
    in_time(async { while handle.channel_open_session().await.is_err() {} }).await;
}

#[tokio::test]
async fn a_peer_that_never_reads_bounds_what_is_held_and_is_cut_off() {
    const WHOLE: usize = 50 << 20;
    let written = Arc::new(AtomicUsize::new(0));
    let (errors, mut error) = mpsc::channel(1);
    let count = Arc::clone(&written);
    let fixture = Fixture::new(
        |config| config.write_timeout = Duration::from_millis(500),
        move |mut stream, _| {
            let (count, errors) = (Arc::clone(&count), errors.clone());
            async move {
                while count.load(Ordering::Relaxed) < WHOLE {
                    match stream.write(&[b'x'; 32 << 10]).await {
                        Ok(n) => count.fetch_add(n, Ordering::Relaxed),
                        Err(e) => return errors.send(e).await.unwrap(),
                    };
                }
            }
        },
    )
    .await;
    let _unread = in_time(connect(&fixture.target())).await.unwrap();
    let error = in_time(error.recv()).await.expect("the write fails");
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{error}");
    // The client's backlog, one window, the packets on their way and the kernel's socket buffers.
    let written = written.load(Ordering::Relaxed);
    assert!(written < 24 << 20, "{written} bytes were taken for a client that reads nothing");
}

#[tokio::test]
async fn a_window_that_never_opens_holds_the_writer_back() {
    let written = Arc::new(AtomicUsize::new(0));
    let (errors, mut error) = mpsc::channel(1);
    let count = Arc::clone(&written);
    let fixture = Fixture::new(
        |config| config.write_timeout = Duration::from_millis(300),
        move |mut stream, _| {
            let (count, errors) = (Arc::clone(&count), errors.clone());
            async move {
                loop {
                    match stream.write(&[b'x'; 1000]).await {
                        Ok(n) => count.fetch_add(n, Ordering::Relaxed),
                        Err(e) => return errors.send(e).await.unwrap(),
                    };
                }
            }
        },
    )
    .await;
    // russh's client opens the window again below half of it, and stops reading when its channel's buffer is full.
    let config = russh::client::Config { window_size: 8192, channel_buffer_size: 1, ..Default::default() };
    let mut handle = russh::client::connect(Arc::new(config), ("127.0.0.1", fixture.port), AnyKey).await.unwrap();
    let key = PrivateKeyWithHashAlg::new(Arc::clone(&fixture.key), None);
    assert!(handle.authenticate_publickey("ada", key).await.unwrap().success());
    let channel = handle.channel_open_session().await.unwrap();
    channel.request_subsystem(false, "netconf").await.unwrap();
    let error = in_time(error.recv()).await.expect("the write fails");
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{error}");
    let written = written.load(Ordering::Relaxed);
    assert!(written <= 64 << 10, "{written} bytes against a window of 8 KiB");
}

#[tokio::test]
async fn a_flood_of_requests_with_large_replies_does_not_stop_both_sides() {
    // Many small messages arrive while the session writes much for each: more packets than any queue in between holds.
    let fixture = Fixture::new(
        |_| (),
        |mut stream, _| async move {
            let mut byte = [0];
            while stream.read_exact(&mut byte).await.is_ok() {
                if stream.write_all(&[b'r'; 8 << 10]).await.is_err() {
                    return;
                }
            }
        },
    )
    .await;
    const REQUESTS: usize = 2000;
    let (mut reader, mut writer) = tokio::io::split(in_time(connect(&fixture.target())).await.unwrap());
    in_time(async {
        for _ in 0..REQUESTS {
            writer.write_all(b"q").await.unwrap();
        }
        let mut buffer = vec![0; REQUESTS * (8 << 10)];
        reader.read_exact(&mut buffer).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_lost_connection_wakes_reader_and_writer() {
    let (ends, mut ended) = mpsc::channel(2);
    let fixture = Fixture::new(
        |_| (),
        move |stream, _| {
            let ends = ends.clone();
            async move {
                let (mut reader, mut writer) = tokio::io::split(stream);
                let write = async { while writer.write_all(&[0; 1 << 16]).await.is_ok() {} };
                let mut sink = Vec::new();
                let (_, read) = tokio::join!(write, reader.read_to_end(&mut sink));
                ends.send(read).await.unwrap();
            }
        },
    )
    .await;
    let handle = fixture.raw().await;
    let channel = handle.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "netconf").await.unwrap();
    drop((channel, handle));
    assert_eq!(in_time(ended.recv()).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn strangers_are_bounded_in_number_and_time() {
    let fixture = Fixture::new(
        |config| {
            config.max_unauthenticated = 1;
            config.login_timeout = Duration::from_millis(400);
        },
        |stream, _| echo(stream),
    )
    .await;
    let mut first = TcpStream::connect(("127.0.0.1", fixture.port)).await.unwrap();
    let mut banner = [0; 4];
    in_time(first.read_exact(&mut banner)).await.unwrap();
    assert_eq!(&banner, b"SSH-");
    // Both have just come: the one that came first is served.
    let mut second = TcpStream::connect(("127.0.0.1", fixture.port)).await.unwrap();
    let mut nothing = Vec::new();
    // Closed, or reset where the kernel had something unread.
    assert!(in_time(second.read_to_end(&mut nothing)).await.is_err() || nothing.is_empty());
    // The first is closed when its time is over.
    let mut rest = Vec::new();
    let _closed = in_time(first.read_to_end(&mut rest)).await;
    let after = Target { timeout: Duration::from_secs(5), ..fixture.target() };
    in_time(async { while connect(&after).await.is_err() {} }).await;
}

#[tokio::test]
async fn a_stalled_key_exchange_ends_in_time() {
    let fixture =
        Fixture::new(|config| config.login_timeout = Duration::from_millis(300), |stream, _| echo(stream)).await;
    let mut stream = TcpStream::connect(("127.0.0.1", fixture.port)).await.unwrap();
    stream.write_all(b"SSH-2.0-slow\r\n").await.unwrap();
    let mut everything = Vec::new();
    let _closed = in_time(stream.read_to_end(&mut everything)).await;
    assert!(everything.starts_with(b"SSH-2.0-netconf\r\n"));
}

#[tokio::test]
async fn shutdown_ends_sessions_and_the_server() {
    let fixture = Fixture::echo().await;
    let mut stream = in_time(connect(&fixture.target())).await.unwrap();
    stream.write_all(b"x").await.unwrap();
    in_time(stream.read_u8()).await.unwrap();
    fixture.shutdown.cancel();
    let mut rest = Vec::new();
    assert_eq!(in_time(stream.read_to_end(&mut rest)).await.unwrap(), 0);
    in_time(fixture.task).await.unwrap().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", fixture.port)).await.is_err());
}

#[test]
fn a_host_key_is_made_once_and_kept_private() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("host_key");
    let made = load_or_generate_host_key(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let again = load_or_generate_host_key(&path).unwrap();
    assert_eq!(made.public_key(), again.public_key());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing temporary stays");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(load_or_generate_host_key(&path).unwrap_err().to_string().contains("0644"));
    std::fs::write(&path, "nonsense").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(load_or_generate_host_key(&path).is_err());
    assert!(load_or_generate_host_key(Path::new("/nonexistent/key")).is_err());
}

#[test]
fn the_open_file_limit_is_raised() {
    let limit = crate::transport::raise_open_file_limit().unwrap();
    assert!(limit >= 1024);
    assert_eq!(crate::transport::raise_open_file_limit().unwrap(), limit);
}
