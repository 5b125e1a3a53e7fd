//! Tests of the client against a scripted server, in memory and over SSH.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use self::script::{BOTH, DEADLINE, Script, in_time, pair};
use super::*;
use crate::capability;
use crate::error::{ErrorTag, RpcError};
use crate::framing::Framing;
use crate::message::{ReplyHead, Rpc};

mod foreign;
pub(crate) mod script;
mod ssh;

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
