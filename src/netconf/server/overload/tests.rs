//! Places and tokens.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Bucket, Full, Gate, Place};

fn user(name: &str) -> Arc<str> {
    name.into()
}

#[test]
fn a_bucket_gives_a_seconds_worth_at_once_and_then_the_rate() {
    let rate = NonZeroU32::new(10).unwrap();
    let start = Instant::now();
    let mut bucket = Bucket::default();
    let taken = |bucket: &mut Bucket, at: u64| {
        (0..100).filter(|_| bucket.take(start + Duration::from_millis(at), rate)).count()
    };
    // Milliseconds since the start, and what can be had then.
    for (at, tokens) in [(0, 10), (99, 0), (100, 1), (350, 2), (400, 1), (10_000, 10), (10_050, 0)] {
        assert_eq!(taken(&mut bucket, at), tokens, "at {at} ms");
    }
    // A rate that was raised counts at once.
    assert!(bucket.take(start + Duration::from_millis(10_050), NonZeroU32::new(1000).unwrap()));
}

/// Lets whoever waits take its place in the queue.
async fn queued(gate: &Gate, number: usize) {
    while gate.queue() < number {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_user_with_the_fewest_places_is_next() {
    let gate = Gate::new(2, 8, Duration::from_secs(30));
    let (flooder, other) = (user("flooder"), user("other"));
    let held: Vec<Place> = vec![gate.enter(&flooder).await.unwrap(), gate.enter(&flooder).await.unwrap()];
    let (order, mut served) = tokio::sync::mpsc::unbounded_channel();
    for (number, who) in [&flooder, &flooder, &other, &flooder].into_iter().enumerate() {
        let (gate, who, order) = (gate.clone(), who.clone(), order.clone());
        let waiting = gate.clone();
        tokio::spawn(async move {
            let place = gate.enter(&who).await.unwrap();
            order.send(who.to_string()).unwrap();
            drop(place);
        });
        queued(&waiting, number + 1).await;
    }
    drop(held);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(served.recv().await.unwrap());
    }
    assert_eq!(seen, ["other", "flooder", "flooder", "flooder"]);
    // All places are back.
    let _all = (gate.enter(&other).await.unwrap(), gate.enter(&other).await.unwrap());
    assert_eq!(gate.queue(), 0);
}

#[tokio::test]
async fn who_has_gone_holds_up_nobody() {
    let gate = Gate::new(1, 1, Duration::from_secs(30));
    let who = user("admin");
    let held = gate.enter(&who).await.unwrap();
    let given_up = tokio::spawn({
        let (gate, who) = (gate.clone(), who.clone());
        async move { gate.enter(&who).await.map(drop) }
    });
    queued(&gate, 1).await;
    assert_eq!(gate.enter(&who).await.unwrap_err(), Full, "no room to wait");
    given_up.abort();
    assert!(given_up.await.is_err());
    // The room of whoever has gone is free again, and the place goes past it.
    let waiting = tokio::spawn({
        let (gate, who) = (gate.clone(), who.clone());
        async move { gate.enter(&who).await.map(drop) }
    });
    tokio::task::yield_now().await;
    drop(held);
    waiting.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn patience_ends() {
    let gate = Gate::new(1, 8, Duration::from_secs(10));
    let who = user("admin");
    let held = gate.enter(&who).await.unwrap();
    let start = tokio::time::Instant::now();
    assert_eq!(gate.enter(&who).await.unwrap_err(), Full);
    assert_eq!(start.elapsed().as_secs(), 10);
    drop(held);
    gate.enter(&who).await.unwrap();
}
