//! Tests of the follower against scripted servers; `tests/system/client.rs` has one with a real one.

use tokio::io::{DuplexStream, duplex};

use super::*;
use crate::client::SessionConfig;
use crate::client::tests::script::{BOTH, Script, in_time};
use crate::error::RpcError;

const EVENTS: &str = "urn:e";

fn event(time: &str, content: &str) -> String {
    let namespace = crate::message::NOTIFICATION_NAMESPACE;
    format!(
        "<notification xmlns=\"{namespace}\"><eventTime>{time}</eventTime><e xmlns=\"{EVENTS}\">{content}</e></notification>"
    )
}

fn flow(name: &str) -> String {
    let namespace = crate::message::NOTIFICATION_NAMESPACE;
    format!(
        "<notification xmlns=\"{namespace}\"><eventTime>2026-01-01T00:00:09Z</eventTime><{name} xmlns=\"urn:ietf:params:xml:ns:netmod:notification\"/></notification>"
    )
}

/// The servers' ends of the connections that a follower makes.
struct Servers(mpsc::Receiver<DuplexStream>);

impl Servers {
    /// The next connection, and what its subscription asks for.
    async fn next(&mut self, capabilities: &[&str], answer: Result<(), RpcError>) -> (Script<DuplexStream>, String) {
        let stream = self.0.recv().await.unwrap();
        let mut script = Script::greet(stream, capabilities).await;
        let asked = subscribed(&mut script, answer).await;
        (script, asked)
    }
}

async fn subscribed(script: &mut Script<DuplexStream>, answer: Result<(), RpcError>) -> String {
    let (asked, head) = script.request().await.unwrap();
    match answer {
        Ok(()) => script.ok(&head).await,
        Err(error) => {
            head.write_errors(script.encoder.body(), &[error]);
            script.flush().await;
        }
    }
    asked
}

fn follow(follow: Follow) -> (Follower, Servers) {
    let (servers, accept) = mpsc::channel(1);
    let follower = Follower::start(follow, move || {
        let servers = servers.clone();
        async move {
            let (ours, theirs) = duplex(1 << 16);
            servers.send(theirs).await?;
            Ok(Session::open(ours, SessionConfig::default()).await?)
        }
    });
    (follower, Servers(accept))
}

fn quick() -> Follow {
    let back_off = BackOff { first: Duration::from_millis(2), longest: Duration::from_millis(10) };
    Follow { back_off, ..Follow::default() }
}

/// What is told next, in short.
async fn told(follower: &mut Follower) -> String {
    match follower.next().await {
        Followed::Event(message) => {
            let document = message.document().unwrap();
            Notification::read(&document).unwrap().event.text().to_owned()
        }
        Followed::Subscribed => "subscribed".into(),
        Followed::Interrupted { .. } => "interrupted".into(),
        Followed::Gap { after, reason } => format!("gap after {after}: {reason}"),
    }
}

const ONE: &str = "2026-01-01T00:00:01Z";
const TWO: &str = "2026-01-01T00:00:02Z";
const THREE: &str = "2026-01-01T00:00:03Z";

#[tokio::test]
async fn what_was_missed_is_replayed_once_and_a_hole_is_told() {
    let (mut follower, mut servers) = follow(quick());
    in_time(async {
        let (mut script, asked) = servers.next(BOTH, Ok(())).await;
        assert!(!asked.contains("startTime"), "{asked}");
        for (time, content) in [(ONE, "a"), (TWO, "b"), (TWO, "c")] {
            script.send(&event(time, content)).await;
        }
        for expected in ["subscribed", "a", "b", "c"] {
            assert_eq!(told(&mut follower).await, expected);
        }
        drop(script);
        assert_eq!(told(&mut follower).await, "interrupted");

        // From the last one's time on: what was had is not told again, what came at the same time is.
        let (mut script, asked) = servers.next(BOTH, Ok(())).await;
        assert!(asked.contains(&format!("<startTime>{TWO}</startTime>")), "{asked}");
        for (time, content) in [(TWO, "b"), (TWO, "c"), (TWO, "d"), (TWO, "c")] {
            script.send(&event(time, content)).await;
        }
        script.send(&flow("replayComplete")).await;
        for expected in ["subscribed", "d", "c"] {
            assert_eq!(told(&mut follower).await, expected);
        }
        // The server ends the subscription, because it could not keep up.
        script.send(&flow("notificationComplete")).await;
        assert_eq!(told(&mut follower).await, "interrupted");

        // Its log has lost what was next.
        let (mut script, _) = servers.next(BOTH, Ok(())).await;
        script.send(&event(THREE, "e")).await;
        assert_eq!(told(&mut follower).await, "subscribed");
        assert!(told(&mut follower).await.starts_with(&format!("gap after {TWO}")));
        assert_eq!(told(&mut follower).await, "e");
        drop(script);
        assert_eq!(told(&mut follower).await, "interrupted");

        // It replays nothing at all.
        let (mut script, asked) = servers.next(BOTH, Err(RpcError::operation_failed("no replay"))).await;
        assert!(asked.contains("startTime"), "{asked}");
        let asked = subscribed(&mut script, Ok(())).await;
        assert!(!asked.contains("startTime"), "{asked}");
        assert!(told(&mut follower).await.starts_with(&format!("gap after {THREE}")));
        assert_eq!(told(&mut follower).await, "subscribed");
        script.send(&event(ONE, "f")).await;
        assert_eq!(told(&mut follower).await, "f");
        drop(follower);
        assert!(script.request().await.is_none(), "the session ends with the follower");
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_silent_is_asked_and_then_left() {
    let silence = Duration::from_millis(30);
    let (mut follower, mut servers) = follow(Follow { silence, answer: silence, ..quick() });
    in_time(async {
        let (mut script, _) = servers.next(&[BOTH[0], BOTH[1], INTERLEAVE], Ok(())).await;
        script.send(&event(ONE, "a")).await;
        assert_eq!(told(&mut follower).await, "subscribed");
        assert_eq!(told(&mut follower).await, "a");
        let (asked, head) = script.request().await.unwrap();
        assert!(asked.starts_with("<get"), "{asked}");
        script.reply(&head, "<data/>").await;
        // It is asked again, and says nothing.
        let (_, _head) = script.request().await.unwrap();
        let Followed::Interrupted { reason, .. } = follower.next().await else { panic!("it is silent") };
        assert!(reason.contains("silent"), "{reason}");
        let (_script, asked) = servers.next(BOTH, Ok(())).await;
        assert!(asked.contains(&format!("<startTime>{ONE}</startTime>")), "{asked}");
    })
    .await;
}
