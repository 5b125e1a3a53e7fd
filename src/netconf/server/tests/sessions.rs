//! Sessions: how they end, what a reply carries back, and peers that send rubbish or do not read.

use super::*;

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
