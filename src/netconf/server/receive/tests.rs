//! Messages that are long in coming.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader, DuplexStream};

use super::{RECEIVE_TIMEOUT, ReceiveError, Requests};
use crate::framing::{END_OF_MESSAGE, Framing, MAX_MESSAGE};
use crate::server::overload::{Gate, LARGE_MESSAGE};

type Pipe = BufReader<DuplexStream>;

fn requests(gate: &Arc<Gate>) -> (DuplexStream, Requests<Pipe>) {
    let (peer, ours) = tokio::io::duplex(64 << 10);
    let mut requests = Requests::new(BufReader::new(ours), gate.clone(), "admin".into());
    requests.decoder().switch(Framing::EndOfMessage, MAX_MESSAGE);
    (peer, requests)
}

fn gate() -> Arc<Gate> {
    Gate::new(1, 8, Duration::MAX)
}

#[tokio::test(start_paused = true)]
async fn a_message_a_byte_at_a_time_ends_the_session_and_silence_does_not() {
    let (mut peer, mut requests) = requests(&gate());
    // White space and silence are no message.
    peer.write_all(b"\n").await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(86_400), requests.next()).await.is_err());
    peer.write_all(b"one]]>]]>").await.unwrap();
    assert_eq!(requests.next().await.unwrap().as_deref(), Some("one"));
    let trickle = tokio::spawn(async move {
        while peer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let start = tokio::time::Instant::now();
    assert!(matches!(requests.next().await, Err(ReceiveError::Slow)));
    assert_eq!(start.elapsed(), RECEIVE_TIMEOUT);
    drop(requests);
    trickle.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_large_message_waits_for_the_one_before_to_be_handled() {
    let gate = gate();
    let (mut first_peer, mut first) = requests(&gate);
    let (mut second_peer, mut second) = requests(&gate);
    let text = "x".repeat(LARGE_MESSAGE + 1);
    let whole = [text.as_bytes(), END_OF_MESSAGE].concat();
    let sent = whole.clone();
    let sending = tokio::spawn(async move {
        first_peer.write_all(&sent).await.unwrap();
        first_peer
    });
    assert_eq!(first.next().await.unwrap().unwrap().len(), text.len());
    assert!(first.is_large());
    let mut first_peer = sending.await.unwrap();

    let sending = tokio::spawn(async move { second_peer.write_all(&whole).await.map(|()| second_peer) });
    // While it waits its time does not run: it is not the one that is slow.
    let hour = Duration::from_secs(3600);
    assert!(tokio::time::timeout(hour, second.next()).await.is_err());
    assert_eq!(second.decoder().pending(), LARGE_MESSAGE, "no more is taken in");
    // The next request says that the first is done with.
    first_peer.write_all(b"small]]>]]>").await.unwrap();
    assert_eq!(first.next().await.unwrap().as_deref(), Some("small"));
    assert!(!first.is_large());
    assert_eq!(second.next().await.unwrap().unwrap().len(), text.len());
    sending.await.unwrap().unwrap();
}
