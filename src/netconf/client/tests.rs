//! Tests of the client against a scripted server, in memory and over SSH.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, duplex};
use tokio::io::{ReadHalf, WriteHalf, split};

use super::*;
use crate::capability::{self, Capabilities};
use crate::error::{ErrorTag, RpcError};
use crate::framing::{Encoder, Framing, MAX_MESSAGE, MessageReader};
use crate::message::{Hello, Notification, ReplyHead, Rpc, negotiate};

/// Reached only by a test that fails.
const DEADLINE: Duration = Duration::from_secs(60);

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("in time")
}

/// The server's end of a session, moved by hand.
struct Script<S> {
    reader: MessageReader<BufReader<ReadHalf<S>>>,
    writer: WriteHalf<S>,
    encoder: Encoder,
}

impl<S: AsyncRead + AsyncWrite> Script<S> {
    async fn greet(stream: S, bases: &[&str]) -> Script<S> {
        let (reader, writer) = split(stream);
        let mut script = Script { reader: MessageReader::new(BufReader::new(reader)), writer, encoder: Encoder::new() };
        let ours: Capabilities = bases.iter().copied().collect();
        let hello = Hello { capabilities: ours.clone(), session_id: Some(42) };
        hello.write(script.encoder.body());
        script.flush().await;
        let theirs = Hello::from_client(&script.reader.next().await.unwrap().unwrap()).unwrap();
        let framing = negotiate(&ours, &theirs.capabilities).unwrap();
        script.reader.decoder().switch(framing, MAX_MESSAGE);
        script.encoder.switch(framing);
        script
    }

    /// Ends the message in the encoder and writes it one byte at a time, the hardest split there is.
    async fn flush(&mut self) {
        self.encoder.end().unwrap();
        let pending = self.encoder.pending().to_vec();
        self.encoder.consume(pending.len());
        for byte in pending {
            self.writer.write_all(&[byte]).await.unwrap();
        }
    }

    /// The next request: its operation as XML, and the head for its reply.
    async fn request(&mut self) -> Option<(String, ReplyHead)> {
        let text = self.reader.next().await.ok()??;
        let document = Document::parse(&text, &Limits::default()).unwrap();
        let rpc = Rpc::read(&document).unwrap();
        Some((format!("{:?}", rpc.operation.unwrap()), rpc.reply))
    }

    async fn reply(&mut self, head: &ReplyHead, body: &str) {
        let out = self.encoder.body();
        head.write_start(out);
        out.extend_from_slice(body.as_bytes());
        head.write_end(out);
        self.flush().await;
    }

    async fn send(&mut self, message: &str) {
        self.encoder.body().extend_from_slice(message.as_bytes());
        self.flush().await;
    }

    async fn ok(&mut self, head: &ReplyHead) {
        head.write_ok(self.encoder.body());
        self.flush().await;
    }
}

const BOTH: &[&str] = &[capability::BASE_1_0, capability::BASE_1_1];

async fn pair(config: SessionConfig) -> (Session, Notifications, Script<DuplexStream>) {
    let (ours, theirs) = duplex(1 << 16);
    let (opened, script) = tokio::join!(Session::open(ours, config), Script::greet(theirs, BOTH));
    let (session, notifications) = opened.unwrap();
    (session, notifications, script)
}

#[tokio::test]
async fn hellos_settle_the_framing() {
    for (bases, framing) in [(BOTH, Framing::Chunked), (&BOTH[..1], Framing::EndOfMessage)] {
        let (ours, theirs) = duplex(7);
        let (opened, mut script) = in_time(async {
            tokio::join!(Session::open(ours, SessionConfig::default()), Script::greet(theirs, bases))
        })
        .await;
        let (session, _notifications) = opened.unwrap();
        assert_eq!((session.id(), session.framing()), (42, framing));
        let all = Options::default();
        let (answered, ()) = in_time(async {
            tokio::join!(session.get_config(&Datastore::Running, &all), async {
                let (operation, head) = script.request().await.unwrap();
                assert!(operation.contains("<source><running/></source>"), "{operation}");
                script.reply(&head, "<data><a xmlns=\"urn:a\">1</a></data>").await;
            })
        })
        .await;
        let reply = answered.unwrap();
        let document = reply.document().unwrap();
        assert_eq!(data(&document).unwrap().child("urn:a", "a").unwrap().text(), "1");
    }
}

#[tokio::test]
async fn a_server_that_is_none_is_told_by_what_it_did() {
    let hello = |body: &str| format!("<hello xmlns=\"{}\">{body}</hello>]]>]]>", message::BASE_NAMESPACE);
    let base = |uri: &str| format!("<capabilities><capability>{uri}</capability></capabilities>");
    for (bytes, expected) in [
        ("SSH-2.0 garbage]]>]]>".to_owned(), "not well-formed"),
        ("\u{0}\u{0}]]>]]>".to_owned(), "not well-formed"),
        (hello(&base(capability::BASE_1_1)), "no valid session-id"),
        (hello(&format!("{}<session-id>1</session-id>", base("urn:x"))), "no base protocol version in common"),
        ("<hello".to_owned(), "unexpected end of file"),
        (String::new(), "session is closed"),
    ] {
        let (ours, mut theirs) = duplex(1 << 16);
        theirs.write_all(bytes.as_bytes()).await.unwrap();
        theirs.shutdown().await.unwrap();
        let error = in_time(Session::open(ours, SessionConfig::default())).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{bytes}: {error}");
    }
    let (ours, _silent) = duplex(1 << 16);
    let config = SessionConfig { hello_timeout: Duration::from_millis(20), ..SessionConfig::default() };
    assert!(matches!(in_time(Session::open(ours, config)).await, Err(Error::Timeout(_))));
}

#[tokio::test]
async fn replies_find_their_requests_in_any_order() {
    let (session, _notifications, mut script) = pair(SessionConfig::default()).await;
    let callers: Vec<_> = (0..50)
        .map(|i| {
            let session = session.clone();
            tokio::spawn(async move { session.rpc(format!("<echo xmlns=\"urn:e\">{i}</echo>")).await })
        })
        .collect();
    let mut requests = Vec::new();
    in_time(async {
        for _ in 0..50 {
            requests.push(script.request().await.unwrap());
        }
        for (operation, head) in requests.iter().rev() {
            script.reply(head, operation).await;
        }
    })
    .await;
    for (i, caller) in callers.into_iter().enumerate() {
        let reply = in_time(caller).await.unwrap().unwrap();
        let document = reply.document().unwrap();
        assert_eq!(document.root().child("urn:e", "echo").unwrap().text(), i.to_string());
    }
}

#[tokio::test]
async fn errors_and_warnings_are_told_apart() {
    let (session, _notifications, mut script) = pair(SessionConfig::default()).await;
    let mut warning = RpcError::operation_failed("mind");
    warning.warning = true;
    for (errors, fails) in [(vec![warning.clone()], false), (vec![warning, RpcError::in_use("busy")], true)] {
        let (answered, ()) = in_time(async {
            tokio::join!(session.commit(), async {
                let (_, head) = script.request().await.unwrap();
                head.write_errors(script.encoder.body(), &errors);
                script.flush().await;
            })
        })
        .await;
        match answered {
            Ok(reply) => assert!(!fails && reply.warnings() == errors),
            Err(error) => assert!(fails && error.rpc_errors() == errors, "{error}"),
        }
    }
    // The words alone are no error.
    let (answered, ()) = in_time(async {
        tokio::join!(session.get_schema("a", None), async {
            let (_, head) = script.request().await.unwrap();
            script.reply(&head, "<data xmlns=\"urn:m\">module a { // rpc-error &lt;rpc-error&gt;</data>").await;
        })
    })
    .await;
    assert_eq!(answered.unwrap(), "module a { // rpc-error <rpc-error>");
}

#[tokio::test]
async fn a_silent_server_times_out_and_its_late_reply_harms_nobody() {
    let (session, _notifications, mut script) = pair(SessionConfig::default()).await;
    let late = in_time(session.rpc_within("<slow xmlns=\"urn:s\"/>", Duration::from_millis(20))).await;
    assert!(matches!(late, Err(Error::Timeout(_))));
    let (answered, ()) = in_time(async {
        tokio::join!(session.commit(), async {
            for _ in 0..2 {
                let (_, head) = script.request().await.unwrap();
                script.ok(&head).await;
            }
        })
    })
    .await;
    answered.unwrap();
}

#[tokio::test]
async fn what_is_under_way_is_bounded_even_after_timeouts() {
    let config = SessionConfig { max_outstanding: 2, ..SessionConfig::default() };
    let (session, _notifications, mut script) = pair(config).await;
    for _ in 0..3 {
        assert!(matches!(session.rpc_within("<a/>", Duration::from_millis(20)).await, Err(Error::Timeout(_))));
    }
    let (_, head) = in_time(script.request()).await.unwrap();
    in_time(script.request()).await.unwrap();
    let third = in_time(async {
        let mut next = std::pin::pin!(script.request());
        tokio::select! { biased; request = &mut next => request, () = tokio::time::sleep(Duration::from_millis(20)) => None }
    })
    .await;
    assert!(third.is_none(), "a third was sent");
    script.ok(&head).await;
    let (answered, ()) = in_time(async {
        tokio::join!(session.commit(), async {
            let (operation, head) = script.request().await.unwrap();
            assert!(operation.starts_with("<commit"), "{operation}");
            script.ok(&head).await;
        })
    })
    .await;
    answered.unwrap();
}

#[tokio::test]
async fn a_drop_fails_everything_under_way_at_once() {
    let stray = format!("<rpc-reply xmlns=\"{}\" message-id=\"99\"/>", message::BASE_NAMESPACE);
    for (bytes, expected) in [
        (String::new(), "the session is closed"),
        ("garbage".into(), "where the framing has the line feed before a chunk"),
        ("\n#100\n<rpc".into(), "unexpected end of file"),
        ("\n#5\n<a/>\n\n##\n".into(), "<a>, which is no NETCONF message"),
        ("\n#3\n<a \n##\n".into(), "not XML"),
        (format!("\n#{}\n{stray}\n##\n", stray.len()), "\"99\", which was not asked"),
    ] {
        let (session, mut notifications, mut script) = pair(SessionConfig::default()).await;
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let session = session.clone();
                tokio::spawn(async move { session.get(&Options::default()).await })
            })
            .collect();
        for _ in 0..3 {
            in_time(script.request()).await.unwrap();
        }
        script.writer.write_all(bytes.as_bytes()).await.unwrap();
        drop(script);
        for caller in callers {
            let error = in_time(caller).await.unwrap().unwrap_err().to_string();
            assert!(error.contains(expected), "{bytes:?}: {error}");
        }
        assert!(in_time(notifications.next()).await.is_none());
        assert!(in_time(session.wait_ended()).await.to_string().contains(expected));
        assert!(in_time(session.commit()).await.unwrap_err().to_string().contains(expected));
    }
}

#[tokio::test]
async fn a_reply_without_a_message_id_belongs_to_the_only_request() {
    let (session, _notifications, mut script) = pair(SessionConfig::default()).await;
    let (answered, ()) = in_time(async {
        tokio::join!(session.commit(), async {
            script.request().await.unwrap();
            ReplyHead::default()
                .write_errors(script.encoder.body(), &[RpcError::missing_attribute("message-id", "rpc")]);
            script.flush().await;
        })
    })
    .await;
    assert_eq!(answered.unwrap_err().rpc_errors()[0].tag, ErrorTag::MissingAttribute);
}

#[tokio::test]
async fn notifications_are_delivered_and_a_loss_is_told() {
    let config = SessionConfig { max_notifications: 2, ..SessionConfig::default() };
    let (session, mut notifications, mut script) = pair(config).await;
    let subscription = CreateSubscription { stream: Some("A&B".into()), ..CreateSubscription::default() };
    let (answered, ()) = in_time(async {
        tokio::join!(session.create_subscription(&subscription), async {
            let (operation, head) = script.request().await.unwrap();
            assert!(operation.contains("<stream>A&amp;B</stream>"), "{operation}");
            script.ok(&head).await;
            let namespace = message::NOTIFICATION_NAMESPACE;
            for i in 0..5 {
                script
                    .send(&format!(
                        "<notification xmlns=\"{namespace}\"><eventTime>T{i}</eventTime><e xmlns=\"urn:e\"/></notification>"
                    ))
                    .await;
            }
        })
    })
    .await;
    answered.unwrap();
    // The reply to a request that follows shows that all have come.
    let (answered, ()) = in_time(async {
        tokio::join!(session.commit(), async {
            let (_, head) = script.request().await.unwrap();
            script.ok(&head).await;
        })
    })
    .await;
    answered.unwrap();
    for time in ["T0", "T1"] {
        let Some(NotificationEvent::Received(message)) = in_time(notifications.next()).await else { panic!("{time}") };
        let document = message.document().unwrap();
        let notification = Notification::read(&document).unwrap();
        assert_eq!((notification.event_time, notification.event.name()), (time, "e"));
    }
    assert!(matches!(in_time(notifications.next()).await, Some(NotificationEvent::Lost(3))));
    // Whoever listens keeps the session.
    drop(session);
    script.send(&format!("<notification xmlns=\"{}\"/>", message::NOTIFICATION_NAMESPACE)).await;
    assert!(matches!(in_time(notifications.next()).await, Some(NotificationEvent::Received(_))));
    drop(notifications);
    assert!(in_time(script.request()).await.is_none());
}

#[tokio::test]
async fn what_end_of_message_framing_would_cut_is_refused_and_harms_nobody() {
    let (ours, theirs) = duplex(1 << 16);
    let (opened, mut script) =
        tokio::join!(Session::open(ours, SessionConfig::default()), Script::greet(theirs, &BOTH[..1]));
    let (session, _notifications) = opened.unwrap();
    let error = in_time(session.rpc("<a b=\"]]>]]>\"/>")).await.unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    let (answered, ()) = in_time(async {
        tokio::join!(session.commit(), async {
            let (_, head) = script.request().await.unwrap();
            script.ok(&head).await;
        })
    })
    .await;
    answered.unwrap();
}

#[tokio::test]
async fn operations_are_written_as_rfc_6241_has_them() {
    let (session, _notifications, mut script) = pair(SessionConfig::default()).await;
    let server = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some((operation, head)) = script.request().await {
            seen.push(operation.replace(&format!(" xmlns=\"{}\"", message::BASE_NAMESPACE), ""));
            script.ok(&head).await;
        }
        seen
    });
    let edit = EditConfig::new(Datastore::Candidate, "<a xmlns=\"urn:a\"/>").default_operation("none");
    let xpath = Filter::XPath { select: "/a:x[y='<']".into(), namespaces: vec![("a".into(), "urn:a".into())] };
    let confirmed = CommitConfirmed { timeout: Some(5), persist: Some("p".into()), persist_id: None };
    in_time(async {
        session.edit_config(&edit.error_option("rollback-on-error")).await.unwrap();
        session.get(&xpath.into()).await.unwrap();
        let options =
            Options { filter: Some(Filter::Subtree("<b xmlns=\"urn:b\"/>".into())), with_defaults: Some("trim") };
        session.get_config(&Datastore::Startup, &options).await.unwrap();
        session.copy_config(&Datastore::Url("file:///a&b".into()), &Datastore::Running).await.unwrap();
        session.commit_confirmed(&confirmed).await.unwrap();
        session.cancel_commit(Some("p")).await.unwrap();
        session.lock(&Datastore::Running).await.unwrap();
        session.validate(&Datastore::Candidate).await.unwrap();
        session.kill_session(3).await.unwrap();
        session.close().await.unwrap();
    })
    .await;
    drop((session, _notifications));
    let seen = in_time(server).await.unwrap();
    let expected = [
        "<edit-config><target><candidate/></target><default-operation>none</default-operation>\
         <error-option>rollback-on-error</error-option><config><a xmlns=\"urn:a\"/></config></edit-config>",
        "<get><filter xmlns:a=\"urn:a\" type=\"xpath\" select=\"/a:x[y='&lt;']\"/></get>",
        "<get-config><source><startup/></source><filter type=\"subtree\"><b xmlns=\"urn:b\"/></filter>\
         <with-defaults xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults\">trim</with-defaults></get-config>",
        "<copy-config><target><url>file:///a&amp;b</url></target><source><running/></source></copy-config>",
        "<commit><confirmed/><confirm-timeout>5</confirm-timeout><persist>p</persist></commit>",
        "<cancel-commit><persist-id>p</persist-id></cancel-commit>",
        "<lock><target><running/></target></lock>",
        "<validate><source><candidate/></source></validate>",
        "<kill-session><session-id>3</session-id></kill-session>",
        "<close-session/>",
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn sessions_over_ssh() {
    use crate::transport::auth::{PasswordRecord, Users};
    use crate::transport::ssh::{self, Credential, HostKeyCheck, Target};
    use arc_swap::ArcSwap;
    use russh::keys::{Algorithm, HashAlg, PrivateKey};

    let host_key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
    let fingerprint = host_key.public_key().fingerprint(HashAlg::Sha256).to_string();
    let mut users = Users::new();
    users.set_password("ada", PasswordRecord::hash("secret"));
    let config = ssh::ServerConfig::new(vec![host_key], Arc::new(ArcSwap::from_pointee(users)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target {
        host: "127.0.0.1".into(),
        port: listener.local_addr().unwrap().port(),
        user: "ada".into(),
        credential: Credential::Password("secret".into()),
        host_key: HostKeyCheck::Pinned(vec![fingerprint]),
        timeout: DEADLINE,
    };
    let shutdown = tokio_util::sync::CancellationToken::new();
    let server = tokio::spawn(ssh::serve(listener, config, shutdown.clone(), |stream, _| async move {
        let mut script = Script::greet(stream, BOTH).await;
        while let Some((operation, head)) = script.request().await {
            // In large pieces here: a reply of megabytes a byte at a time takes its time.
            let out = script.encoder.body();
            head.write_start(out);
            let copies = if operation.contains("large") { 100_000 } else { 1 };
            (0..copies).for_each(|_| out.extend_from_slice(operation.as_bytes()));
            head.write_end(out);
            script.encoder.end().unwrap();
            script.writer.write_all(script.encoder.pending()).await.unwrap();
            let sent = script.encoder.pending().len();
            script.encoder.consume(sent);
        }
    }));
    in_time(async {
        let stream = ssh::connect(&target).await.unwrap();
        let (session, _notifications) = Session::open(stream, SessionConfig::default()).await.unwrap();
        let calls = (0..100).map(|i| {
            let session = session.clone();
            tokio::spawn(async move { session.rpc(format!("<small xmlns=\"urn:e\">{i}</small>")).await })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap().unwrap();
        }
        let large = session.rpc("<large xmlns=\"urn:e\">0123456789</large>").await.unwrap();
        assert_eq!(large.document().unwrap().len(), 100_001);
        shutdown.cancel();
        assert!(matches!(session.wait_ended().await, Error::Closed | Error::Transport(_)));
        server.await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_large_request_and_a_large_reply_cross_without_stopping_each_other() {
    // Neither pipe holds a message: both sides must read while they write.
    let (ours, theirs) = duplex(1024);
    let (opened, script) =
        in_time(async { tokio::join!(Session::open(ours, SessionConfig::default()), Script::greet(theirs, BOTH)) })
            .await;
    let (session, mut notifications) = opened.unwrap();
    let Script { mut reader, mut writer, mut encoder } = script;
    let body = "x".repeat(1 << 20);
    let request = format!("<a xmlns=\"urn:a\">{body}</a>");
    encoder.body().extend_from_slice(
        format!("<notification xmlns=\"{}\">{body}</notification>", message::NOTIFICATION_NAMESPACE).as_bytes(),
    );
    encoder.end().unwrap();
    in_time(async {
        let caller = session.rpc(request);
        let server = async {
            // Writes all before it reads anything.
            writer.write_all(encoder.pending()).await.unwrap();
            let sent = encoder.pending().len();
            encoder.consume(sent);
            let text = reader.next().await.unwrap().unwrap();
            let document = Document::parse(&text, &Limits::default()).unwrap();
            Rpc::read(&document).unwrap().reply.write_ok(encoder.body());
            encoder.end().unwrap();
            writer.write_all(encoder.pending()).await.unwrap();
        };
        let (answered, (), event) = tokio::join!(caller, server, notifications.next());
        answered.unwrap();
        assert!(matches!(event, Some(NotificationEvent::Received(_))));
    })
    .await;
    let mut rest = Vec::new();
    drop((session, notifications));
    let mut stream = reader.into_inner();
    in_time(stream.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty());
}
