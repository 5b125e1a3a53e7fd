//! Tests of the message layer.

use super::*;

fn document(text: &str) -> Document<'_> {
    Document::parse(text, &Limits::default()).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

fn hello(body: &str) -> String {
    format!("<hello xmlns=\"{BASE_NAMESPACE}\">{body}</hello>")
}

#[test]
fn a_hello_is_written_and_read() {
    let sent = Hello {
        capabilities: [capability::BASE_1_1, "urn:a?module=a&revision=2024-01-02"].into_iter().collect(),
        session_id: Some(7),
    };
    let text = written(|out| sent.write(out));
    assert!(text.contains("module=a&amp;revision"));
    assert_eq!(Hello::from_server(&text).unwrap(), sent);
    assert_eq!(Hello::from_client(&text), Err(HelloError::SessionIdFromClient));
}

#[test]
fn who_may_and_must_send_a_session_id() {
    let base = "<capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities>";
    assert!(Hello::from_client(&hello(base)).is_ok());
    for (body, error) in [
        (base.to_owned(), HelloError::NoSessionId),
        (format!("{base}<session-id>0</session-id>"), HelloError::NoSessionId),
        (format!("{base}<session-id>x</session-id>"), HelloError::NoSessionId),
        (format!("{base}<session-id>4294967296</session-id>"), HelloError::NoSessionId),
        (format!("{base}<session-id>1</session-id><session-id>2</session-id>"), {
            HelloError::UnexpectedElement("session-id".into())
        }),
        ("<session-id>1</session-id>".to_owned(), HelloError::NoCapabilities),
    ] {
        assert_eq!(Hello::from_server(&hello(&body)), Err(error), "{body}");
    }
    assert_eq!(Hello::from_client("<hello/>"), Err(HelloError::NotHello("hello".into())));
    assert!(matches!(Hello::from_client("<hello"), Err(HelloError::Xml(_))));
}

#[test]
fn the_highest_common_base_is_taken() {
    let set = |uris: &[&str]| uris.iter().copied().collect::<Capabilities>();
    let both = set(&[capability::BASE_1_0, capability::BASE_1_1]);
    let (old, new) = (set(&[capability::BASE_1_0]), set(&[capability::BASE_1_1]));
    assert_eq!(negotiate(&both, &both), Ok(Framing::Chunked));
    assert_eq!(negotiate(&both, &new), Ok(Framing::Chunked));
    assert_eq!(negotiate(&both, &old), Ok(Framing::EndOfMessage));
    assert_eq!(negotiate(&old, &new), Err(HelloError::NoCommonBase));
}

#[test]
fn every_attribute_of_the_rpc_returns_on_the_reply() {
    let text = format!(
        "<rpc message-id=\"10&#10;1\" xmlns=\"{BASE_NAMESPACE}\" xmlns:ex=\"http://example.net/1.0\" xmlns:b='urn:b' \
         ex:user-id=\"fr&quot;ed\"><close-session/></rpc>"
    );
    let request = document(&text);
    let rpc = Rpc::read(&request).unwrap();
    assert_eq!(rpc.operation.unwrap().name(), "close-session");
    let reply = written(|out| rpc.reply.write_ok(out));
    let reply = document(&reply);
    let root = reply.root();
    assert!(root.is(BASE_NAMESPACE, "rpc-reply"));
    assert!(root.child(BASE_NAMESPACE, "ok").is_some());
    assert_eq!(root.attribute("", "message-id"), Some("10\n1"));
    assert_eq!(root.attribute("http://example.net/1.0", "user-id"), Some("fr\"ed"));
    assert_eq!(root.resolve_prefix("b"), Some("urn:b"));
    assert_eq!(root.attributes().count(), 2);
}

#[test]
fn a_prefixed_rpc_is_answered_as_it_asked() {
    for (declarations, start) in [
        ("", "<rpc-reply xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" xmlns:nc="),
        (" xmlns=\"urn:other\"", "<nc:rpc-reply xmlns:nc="),
    ] {
        let text = format!("<nc:rpc xmlns:nc=\"{BASE_NAMESPACE}\"{declarations} message-id=\"1\"><nc:get/></nc:rpc>");
        let request = document(&text);
        let rpc = Rpc::read(&request).unwrap();
        for reply in [
            written(|out| rpc.reply.write_ok(out)),
            written(|out| rpc.reply.write_errors(out, &[RpcError::in_use("x")])),
        ] {
            assert!(reply.starts_with(start), "{reply}");
            let reply = document(&reply);
            assert!(reply.root().is(BASE_NAMESPACE, "rpc-reply"));
            assert_eq!(reply.root().resolve_prefix(""), request.root().resolve_prefix("").or(Some(BASE_NAMESPACE)));
            assert_eq!(reply.root().children().next().unwrap().namespace(), BASE_NAMESPACE);
        }
    }
}

#[test]
fn what_is_wrong_with_an_rpc_has_its_own_tag() {
    for (text, tag) in [
        ("<rpc xmlns='BASE'><get/></rpc>", ErrorTag::MissingAttribute),
        ("<rpc xmlns='BASE' message-id='1'/>", ErrorTag::MissingElement),
        ("<rpc xmlns='BASE' message-id='1'><get/><get/></rpc>", ErrorTag::BadElement),
        ("<rpc xmlns='BASE' message-id='1'>x<get/></rpc>", ErrorTag::BadElement),
    ] {
        let text = text.replace("BASE", BASE_NAMESPACE);
        let request = document(&text);
        let error = Rpc::read(&request).unwrap().operation.unwrap_err();
        // Appendix A of RFC 6241 gives each tag its types.
        let layer = if tag == ErrorTag::MissingAttribute { ErrorType::Rpc } else { ErrorType::Protocol };
        assert_eq!((error.error_type, error.tag), (layer, tag), "{text}");
    }
    for text in ["<rpc message-id='1'><get/></rpc>", "<rpc-reply xmlns='urn:ietf:params:xml:ns:netconf:base:1.0'/>"] {
        assert_eq!(Rpc::read(&document(text)).unwrap_err().tag, ErrorTag::MalformedMessage);
    }
}

#[test]
fn an_error_is_written_in_order_and_read_back() {
    let mut warning = RpcError::operation_failed("late");
    warning.warning = true;
    let sent = vec![
        RpcError::missing_attribute("message-id", "rpc"),
        RpcError::unknown_namespace("a", "urn:<x>"),
        RpcError::lock_denied(4, "held & kept"),
        RpcError::data_missing("none")
            .with_app_tag("missing-choice")
            .with_path(ErrorPath { text: "/a:b[a:c='1']".into(), namespaces: vec![("a".into(), "urn:a".into())] })
            .with_info(ErrorInfo::Other {
                namespace: "urn:ietf:params:xml:ns:yang:1".into(),
                name: "missing-choice".into(),
                text: "/h:how".into(),
                namespaces: vec![("h".into(), "urn:h".into())],
            }),
        warning,
    ];
    let text = written(|out| ReplyHead::default().write_errors(out, &sent));
    let reply = document(&text);
    assert_eq!(errors(reply.root()), sent);
    let full = reply.root().children().nth(3).unwrap();
    assert_eq!(
        full.children().map(|c| c.name()).collect::<Vec<_>>(),
        ["error-type", "error-tag", "error-severity", "error-app-tag", "error-path", "error-message", "error-info"]
    );
    assert!(text.contains("<error-message xml:lang=\"en\">held &amp; kept</error-message>"));
}

#[test]
fn a_foreign_error_keeps_what_it_says() {
    let text = format!(
        "<rpc-reply xmlns=\"{BASE_NAMESPACE}\"><rpc-error><error-type>weird</error-type><error-tag>on-fire</error-tag>\
         <error-message> burns </error-message></rpc-error></rpc-reply>"
    );
    let error = errors(document(&text).root()).remove(0);
    assert_eq!(error.tag, ErrorTag::OperationFailed);
    assert_eq!(error.message.as_deref(), Some("[on-fire] burns"));
    assert!(!error.warning);
}

#[test]
fn envelopes_are_told_by_their_first_tag() {
    for (text, envelope) in [
        ("<?xml version='1.0'?><!-- x -->\n<rpc-reply xmlns='B' message-id='a&amp;b'><bro", {
            Envelope::Reply { message_id: Some("a&b".into()) }
        }),
        ("<n:rpc-reply xmlns:n='B' xmlns='urn:x'/>", Envelope::Reply { message_id: None }),
        ("<rpc-reply xmlns:n='B'/>", Envelope::Other("rpc-reply".into())),
        ("<n:rpc xmlns:n='B'/>", Envelope::Rpc),
        ("<hello xmlns='B'/>", Envelope::Hello),
        ("<notification xmlns='urn:ietf:params:xml:ns:netconf:notification:1.0'/>", Envelope::Notification),
    ] {
        assert_eq!(Envelope::of(&text.replace("'B'", &format!("'{BASE_NAMESPACE}'"))).unwrap(), envelope, "{text}");
    }
    for text in ["", "garbage", "<!DOCTYPE a><a/>", "<a b>"] {
        assert!(Envelope::of(text).is_err(), "{text}");
    }
}

#[test]
fn a_notification_is_written_and_read() {
    let text = written(|out| {
        write_notification_start(out, "2024-01-02T03:04:05Z");
        out.extend_from_slice(b"<link-down xmlns=\"urn:x\"/>");
        write_notification_end(out);
    });
    let read = document(&text);
    let notification = Notification::read(&read).unwrap();
    assert_eq!(notification.event_time, "2024-01-02T03:04:05Z");
    assert!(notification.event.is("urn:x", "link-down"));
    assert!(Notification::read(&document("<notification/>")).is_none());
}
