//! Overload control: what is refused, and that it costs others nothing.

use std::num::NonZeroU32;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::server::overload::OverloadOptions;

const HELLO: &str = "<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities><capability>\
                     urn:ietf:params:netconf:base:1.1</capability></capabilities></hello>]]>]]>";

fn framed(message: &str) -> String {
    format!("\n#{}\n{message}\n##\n", message.len())
}

fn rpc(id: usize, operation: &str) -> String {
    framed(&format!("<rpc message-id=\"{id}\" xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">{operation}</rpc>"))
}

/// What a session answers to these bytes, to its end.
async fn answer(bench: &Bench, bytes: String) -> String {
    let (mut reader, mut writer) = tokio::io::split(bench.connect("admin"));
    let sending = tokio::spawn(async move {
        // The server may close before it has read all.
        let _closed = writer.write_all(bytes.as_bytes()).await;
        let _closed = writer.shutdown().await;
    });
    let mut received = String::new();
    tokio::time::timeout(Duration::from_secs(30), reader.read_to_string(&mut received)).await.unwrap().unwrap();
    sending.await.unwrap();
    received
}

fn limited(overload: OverloadOptions) -> Options {
    Options { overload, ..Options::default() }
}

#[tokio::test]
async fn requests_beyond_the_rate_are_refused_in_their_order() {
    let overload = OverloadOptions { request_rate: NonZeroU32::new(5), ..OverloadOptions::default() };
    let bench = start_with(tempfile::tempdir().unwrap(), limited(overload)).await;
    let requests: String = (0..200).map(|id| rpc(id, "<discard-changes/>")).collect();
    let received = answer(&bench, format!("{HELLO}{requests}")).await;
    let replies: Vec<&str> = received.split("<rpc-reply").skip(1).collect();
    assert_eq!(replies.len(), 200);
    for (id, reply) in replies.iter().enumerate() {
        assert!(reply.contains(&format!("message-id=\"{id}\"")), "{id}: {reply}");
        assert!(reply.contains("<ok/>") != reply.contains("<error-tag>resource-denied</error-tag>"), "{reply}");
    }
    let done = replies.iter().filter(|reply| reply.contains("<ok/>")).count();
    // A second's worth, and what the time that this took may add.
    assert!(replies[..5].iter().all(|reply| reply.contains("<ok/>")) && done < 100, "{done}");
    assert_eq!(bench.server.shared().overload.shed(), 200 - done as u64);
    // Others have rates of their own.
    bench.admin().await.close().await.unwrap();
}

#[tokio::test]
async fn one_user_cannot_take_the_sessions_of_others() {
    let overload = OverloadOptions { sessions_per_user: 2, ..OverloadOptions::default() };
    let bench = start_with(tempfile::tempdir().unwrap(), limited(overload)).await;
    let (first, second) = (bench.admin().await, bench.admin().await);
    let config = client::SessionConfig::default;
    assert!(Session::open(bench.connect("admin"), config()).await.is_err());
    bench.session("other").await.0.close().await.unwrap();
    first.close().await.unwrap();
    // The server learns of it a little later than the client.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while let Err(error) = Session::open(bench.connect("admin"), config()).await {
        assert!(tokio::time::Instant::now() < deadline, "{error}");
    }
    second.close().await.unwrap();
}

#[tokio::test]
async fn a_peer_of_malformed_messages_is_answered_for_a_while_and_then_not() {
    let bench = start().await;
    let received = answer(&bench, format!("{HELLO}{}", framed("<rpc").repeat(1000))).await;
    assert_eq!(received.matches("malformed-message").count(), 64);
}

#[tokio::test]
async fn errors_do_not_repeat_what_is_long() {
    let bench = start().await;
    let long = "x".repeat(500_000);
    let edit = |config: &str| {
        let config = format!("<config>{config}</config>");
        format!("<edit-config><target><running/></target>{config}</edit-config>")
    };
    let faults = [
        edit(&format!("<system xmlns=\"urn:fixture\"><mtu>{long}</mtu></system>")),
        edit(&format!(
            "<servers xmlns=\"urn:fixture\"><server><name>{long}</name>{}</server></servers>",
            "<port>x</port>".repeat(60)
        )),
        edit(&format!("<system xmlns=\"{long}\"/>")),
        edit("<none/>").replace("none", &long),
        format!("<x xmlns=\"{long}\"/>"),
        "<x/>".replace('x', &long),
        format!("<get><filter type=\"xpath\" select=\"{long}:x\"/></get>"),
        format!("<get><filter type=\"{long}\"/></get>"),
        format!("<get-config><source><{0}/></source></get-config>", &long[..1000]),
        format!("<kill-session><session-id>{long}</session-id></kill-session>"),
        format!(
            "<get-schema xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring\"><identifier>{long}</identifier>\
                 </get-schema>"
        ),
        format!("<restart xmlns=\"urn:fixture\"><delay>{long}</delay></restart>"),
    ];
    for fault in faults {
        let received = answer(&bench, format!("{HELLO}{}", rpc(1, &fault))).await;
        let reply = received.split("]]>]]>").nth(1).unwrap_or_default();
        let fault = &fault[..200];
        assert!(reply.contains("<rpc-error"), "{fault}: {reply:.1000}");
        assert!(reply.len() < 200_000, "{fault}: {} bytes, {:.3000}", reply.len(), reply);
    }
}
