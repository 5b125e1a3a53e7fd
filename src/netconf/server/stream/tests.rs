//! Streams: order, durability, replay and its seam with what is live, and what becomes of slow subscribers.

use std::fs;
use std::time::{Duration, Instant};

use jiff::ToSpan;
use tempfile::TempDir;
use tokio::task::yield_now;

use super::*;
use crate::error::{ErrorInfo, ErrorTag};
use crate::yang::fixture;

const DEADLINE: Duration = Duration::from_secs(60);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn notification(number: u64) -> Notification {
    Notification {
        module: "fixture".into(),
        name: "started".into(),
        node: None,
        body: format!(r#"<started xmlns="urn:fixture"><job>{number}</job></started>"#).into(),
        tree: None,
    }
}

fn open_with(directory: &TempDir, retention: Retention) -> Result<(Stream, Publisher), RecordError> {
    let state = StateDirectory::open(directory.path())?;
    Stream::open(&state, "NETCONF", retention, at(0))
}

fn open(directory: &TempDir) -> (Stream, Publisher) {
    open_with(directory, Retention::default()).unwrap()
}

/// Publishes the events `numbers`, each at the second of its number, and waits until they can be read.
async fn publish(publisher: &mut Publisher, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        publisher.publish(notification(number), at(number as i64)).await.unwrap();
    }
    publisher.flush().await.unwrap();
}

fn live(stream: &Stream) -> Subscription {
    stream.subscribe(ReplayWindow::default(), at(0))
}

fn replay(stream: &Stream, start: Timestamp, stop: Option<Timestamp>) -> Subscription {
    let now = Timestamp::MAX;
    stream.subscribe(ReplayWindow::new(Some(start), stop, now).unwrap(), now)
}

async fn next(subscription: &mut Subscription) -> Option<Message> {
    tokio::time::timeout(DEADLINE, subscription.next()).await.expect("a message comes in time")
}

/// Messages in short: numbers for events, which must be what was published under that number.
async fn read(subscription: &mut Subscription, count: usize) -> Vec<String> {
    let mut messages = Vec::new();
    for _ in 0..count {
        messages.push(match next(subscription).await {
            Some(Message::Event(entry)) => {
                assert_eq!(entry.body, notification(entry.sequence).body);
                assert_eq!((entry.module.as_str(), entry.name.as_str()), ("fixture", "started"));
                entry.sequence.to_string()
            }
            Some(Message::ReplayComplete) => "replayComplete".into(),
            Some(Message::NotificationComplete) => "notificationComplete".into(),
            Some(Message::Ended(ended)) => ended.to_string(),
            None => "-".into(),
        });
    }
    messages
}

fn files(directory: &TempDir) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory.path().join("streams/NETCONF"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some())
        .collect();
    files.sort();
    files
}

fn copy(directory: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let to = copy.path().join("streams/NETCONF");
    fs::create_dir_all(&to).unwrap();
    for entry in fs::read_dir(directory.path().join("streams/NETCONF")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    copy
}

#[test]
fn a_window_that_makes_no_sense_is_refused() {
    let now = at(100);
    let error = |start: Option<i64>, stop: Option<i64>| {
        let error = ReplayWindow::new(start.map(at), stop.map(at), now).unwrap_err();
        (error.tag, error.info.clone())
    };
    let bad = |name: &str| vec![ErrorInfo::BadElement(name.into())];
    assert_eq!(error(None, Some(200)), (ErrorTag::MissingElement, bad("startTime")));
    assert_eq!(error(Some(101), None), (ErrorTag::BadElement, bad("startTime")));
    assert_eq!(error(Some(50), Some(49)), (ErrorTag::BadElement, bad("stopTime")));
    for (start, stop) in
        [(None, None), (Some(100), None), (Some(50), Some(50)), (Some(50), Some(60)), (Some(50), Some(200))]
    {
        ReplayWindow::new(start.map(at), stop.map(at), now).unwrap();
    }
}

#[tokio::test]
async fn live_events_come_in_order_and_are_shared() {
    let directory = tempfile::tempdir().unwrap();
    let (stream, mut publisher) = open(&directory);
    let (mut one, mut other) = (live(&stream), live(&stream));
    let tree = Tree::new(fixture::schema());
    let with_tree = Notification { tree: Some(tree.clone()), ..notification(1) };
    let published = publisher.publish(with_tree, "2027-01-15T11:00:00.1234567+02:00".parse().unwrap()).await.unwrap();
    publish(&mut publisher, 2..=3).await;
    let Some(Message::Event(a)) = next(&mut one).await else { panic!() };
    let Some(Message::Event(b)) = next(&mut other).await else { panic!() };
    assert!(Arc::ptr_eq(&a, &b) && Arc::ptr_eq(&a, &published));
    assert!(a.tree.as_ref().unwrap().same_version(&tree));
    assert_eq!(a.event_time, "2027-01-15T09:00:00.123456Z");
    assert_eq!(read(&mut one, 2).await, ["2", "3"]);
    assert!(one.try_next().is_none());
    // Who comes later sees nothing of it.
    let mut late = live(&stream);
    publish(&mut publisher, 4..=4).await;
    assert_eq!(read(&mut late, 1).await, ["4"]);
}

#[tokio::test]
async fn replay_is_complete_once_and_goes_over_into_live() {
    let directory = tempfile::tempdir().unwrap();
    let (stream, mut publisher) = open(&directory);
    publish(&mut publisher, 1..=4).await;
    let mut all = replay(&stream, at(-1000), None);
    let mut half = replay(&stream, at(3), None);
    let mut none = replay(&stream, at(5), None);
    publish(&mut publisher, 5..=6).await;
    assert_eq!(read(&mut all, 7).await, ["1", "2", "3", "4", "replayComplete", "5", "6"]);
    assert_eq!(read(&mut half, 5).await, ["3", "4", "replayComplete", "5", "6"]);
    assert_eq!(read(&mut none, 3).await, ["replayComplete", "5", "6"]);
}

#[tokio::test]
async fn an_event_after_the_subscription_is_live_even_if_the_clock_was_set_back() {
    let directory = tempfile::tempdir().unwrap();
    let (stream, mut publisher) = open(&directory);
    let mut subscription = replay(&stream, at(500), None);
    publish(&mut publisher, 1..=2).await;
    assert_eq!(read(&mut subscription, 3).await, ["replayComplete", "1", "2"]);
}

#[tokio::test]
async fn a_stop_time_ends_the_subscription() {
    let directory = tempfile::tempdir().unwrap();
    let (stream, mut publisher) = open(&directory);
    publish(&mut publisher, 1..=4).await;
    let mut past = replay(&stream, at(2), Some(at(3)));
    assert_eq!(read(&mut past, 5).await, ["2", "3", "replayComplete", "notificationComplete", "-"]);
    // All events are before it, and it has come.
    let mut past = replay(&stream, at(4), Some(at(50)));
    assert_eq!(read(&mut past, 4).await, ["4", "replayComplete", "notificationComplete", "-"]);

    // It has not come; the time of an event says that it has.
    let window = ReplayWindow::new(Some(at(4)), Some(at(3600)), at(10)).unwrap();
    let mut future = stream.subscribe(window, at(10));
    publish(&mut publisher, 5..=5).await;
    assert_eq!(read(&mut future, 3).await, ["4", "replayComplete", "5"]);
    publisher.publish(notification(6), at(3601)).await.unwrap();
    assert_eq!(read(&mut future, 2).await, ["notificationComplete", "-"]);

    // The clock says so; what was published before is delivered.
    let begun = Instant::now();
    let stop = at(4000);
    let window = ReplayWindow::new(Some(at(3999)), Some(stop), at(3999)).unwrap();
    let mut timed = stream.subscribe(window, stop.checked_sub(200.milliseconds()).unwrap());
    publisher.publish(notification(7), at(3999)).await.unwrap();
    assert_eq!(read(&mut timed, 4).await, ["replayComplete", "7", "notificationComplete", "-"]);
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn what_was_delivered_is_on_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let (stream, mut publisher) = open(&directory);
    let mut subscription = live(&stream);
    for number in 1..=20 {
        publisher.publish(notification(number), at(number as i64)).await.unwrap();
        assert_eq!(read(&mut subscription, 1).await, [number.to_string()]);
        // What a process that dies here leaves.
        let crash = copy(&directory);
        let (stream, _publisher) = open(&crash);
        let mut all = replay(&stream, at(0), None);
        assert_eq!(read(&mut all, number as usize).await.last(), Some(&number.to_string()));
    }
}

#[tokio::test]
async fn a_stream_goes_on_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (stream, mut publisher) = open(&directory);
    let mut reader = live(&stream);
    publish(&mut publisher, 1..=3).await;
    let created = stream.replay_log_creation_time();
    publisher.close().await;
    assert_eq!(read(&mut reader, 5).await, ["1", "2", "3", "the server is closing the stream", "-"]);
    drop((stream, reader));

    let state = StateDirectory::open(directory.path()).unwrap();
    let (stream, mut publisher) = Stream::open(&state, "NETCONF", Retention::default(), at(9)).unwrap();
    assert_eq!(stream.replay_log_creation_time(), created);
    assert_eq!(stream.replay_log_aged_time(), None);
    // The clock was set back: times stay in order.
    let entry = publisher.publish(notification(4), at(1)).await.unwrap();
    assert_eq!((entry.sequence, entry.time), (4, at(3)));
    publisher.flush().await.unwrap();
    let mut all = replay(&stream, at(0), None);
    assert_eq!(read(&mut all, 5).await, ["1", "2", "3", "4", "replayComplete"]);
}

#[tokio::test]
async fn a_log_is_bounded_and_says_what_it_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let retention = Retention { events: 160, ..Retention::default() };
    let (stream, mut publisher) = open_with(&directory, retention).unwrap();
    for number in 1..=500 {
        publish(&mut publisher, number..=number).await;
        let events = number - stream.shared.state().index.dropped;
        assert!(events <= 160 && (events > 145 || number <= 160), "{events} events after {number}");
    }
    let aged = stream.replay_log_aged_time().unwrap();
    stream.shared.state().memory.clear();
    let mut all = replay(&stream, at(0), None);
    let Some(Message::Event(first)) = next(&mut all).await else { panic!() };
    assert_eq!(first.time, aged.checked_add(1.second()).unwrap());
    assert_eq!(files(&directory).len(), stream.shared.state().index.segments.len());
    publisher.close().await;
    drop((stream, all));
    let (stream, publisher) = open_with(&directory, retention).unwrap();
    assert_eq!(stream.replay_log_aged_time(), Some(aged));
    publisher.close().await;
    drop(stream);

    // By bytes and by age.
    let (stream, mut publisher) = open_with(&directory, Retention { bytes: 4096, ..retention }).unwrap();
    publish(&mut publisher, 501..=501).await;
    assert!(files(&directory).iter().map(|path| path.metadata().unwrap().len()).sum::<u64>() <= 4096);
    publisher.close().await;
    drop(stream);
    let (stream, mut publisher) =
        open_with(&directory, Retention { age: Duration::from_secs(160), ..retention }).unwrap();
    publish(&mut publisher, 502..=502).await;
    publish(&mut publisher, 9000..=9000).await;
    assert_eq!(stream.replay_log_aged_time(), Some(at(502)));
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_is_ended_and_others_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let (stream, mut publisher) = open_with(&directory, Retention { events: 160, ..Retention::default() }).unwrap();
    stream.shared.state().memory_events = 50;
    let (mut idle, mut reader) = (live(&stream), live(&stream));
    publish(&mut publisher, 1..=1).await;
    assert_eq!(read(&mut idle, 1).await, ["1"]);
    assert_eq!(read(&mut reader, 1).await, ["1"]);
    for number in 2..=400 {
        publish(&mut publisher, number..=number).await;
        assert_eq!(read(&mut reader, 1).await, [number.to_string()]);
    }
    let told = read(&mut idle, 2).await;
    assert!(told[0].contains("events after number 1 are no longer kept"), "{told:?}");
    assert_eq!(told[1], "-");
}

#[tokio::test]
async fn a_replay_that_the_log_drops_is_ended_and_has_no_gap() {
    let directory = tempfile::tempdir().unwrap();
    let (stream, mut publisher) = open_with(&directory, Retention { events: 160, ..Retention::default() }).unwrap();
    stream.shared.state().memory_events = 1;
    for number in 1..=100 {
        publish(&mut publisher, number..=number).await;
    }
    let (mut begun, mut fresh) = (replay(&stream, at(0), None), replay(&stream, at(0), None));
    assert_eq!(read(&mut begun, 1).await, ["1"]);
    for number in 101..=200 {
        publish(&mut publisher, number..=number).await;
    }
    let dropped = stream.shared.state().index.dropped;
    assert!((20..100).contains(&dropped));
    let told = read(&mut begun, 10).await;
    let ended = told.iter().position(|told| told.contains("no longer kept")).expect("it is told");
    assert_eq!(told[..ended], (2..).take(ended).map(|number: u64| number.to_string()).collect::<Vec<_>>());
    // One that has read nothing yet begins with what there is.
    assert_eq!(read(&mut fresh, 1).await, [(dropped + 1).to_string()]);
}

#[tokio::test]
async fn a_subscriber_behind_what_is_in_memory_reads_the_log_and_catches_up() {
    let directory = tempfile::tempdir().unwrap();
    let (stream, mut publisher) = open(&directory);
    stream.shared.state().memory_events = 50;
    let mut slow = live(&stream);
    publish(&mut publisher, 1..=2000).await;
    let expected: Vec<String> = (1..=2000).map(|number: u64| number.to_string()).collect();
    assert_eq!(read(&mut slow, 2000).await, expected);
    publish(&mut publisher, 2001..=2001).await;
    assert_eq!(read(&mut slow, 1).await, ["2001"]);
}

#[tokio::test]
async fn waiting_for_a_message_can_be_given_up_at_any_point() {
    let directory = tempfile::tempdir().unwrap();
    let (stream, mut publisher) = open(&directory);
    publish(&mut publisher, 1..=3000).await;
    stream.shared.state().memory.clear();
    let mut subscription = replay(&stream, at(0), None);
    let (mut expected, mut given_up) = (1, 0);
    let begun = Instant::now();
    while expected <= 3000 {
        assert!(begun.elapsed() < DEADLINE);
        tokio::select! {
            biased;
            message = subscription.next() => {
                let Some(Message::Event(entry)) = message else { panic!("{message:?}") };
                assert_eq!(entry.sequence, expected);
                expected += 1;
            }
            () = yield_now() => given_up += 1,
        }
    }
    assert!(given_up > 0);
    assert_eq!(read(&mut subscription, 1).await, ["replayComplete"]);
}

/// The writer of a stream, to be driven by hand.
fn writer(directory: &TempDir) -> (Stream, Writer) {
    let state = StateDirectory::open(directory.path()).unwrap();
    let log = Log::open(&state, "NETCONF", Retention::default(), at(0)).unwrap();
    let (stream, publisher) = Stream::open(&state, "unused", Retention::default(), at(0)).unwrap();
    publisher.writer.abort();
    (stream.clone(), Writer { shared: stream.shared, log, failing: false })
}

fn entries(numbers: std::ops::RangeInclusive<u64>) -> Vec<Arc<Entry>> {
    numbers.map(|number| Arc::new(Entry::new(number, at(number as i64), notification(number)))).collect()
}

#[tokio::test]
async fn a_full_disk_stops_no_delivery() {
    let directory = tempfile::tempdir().unwrap();
    let (stream, mut writer) = writer(&directory);
    let (mut reader, mut behind) = (live(&stream), live(&stream));
    writer.step(entries(1..=2));
    writer.log.fault().full_at = Some(writer.log.index().segments[0].bytes + 40);
    writer.step(entries(3..=4));
    assert!(writer.failing);
    assert_eq!(read(&mut reader, 4).await, ["1", "2", "3", "4"]);
    writer.log.fault().full_at = None;
    writer.step(entries(5..=6));
    assert!(!writer.failing);
    assert_eq!(read(&mut reader, 2).await, ["5", "6"]);

    // Once they are in memory no more, replay goes without them, and who was to see them live is ended.
    stream.shared.state().memory.clear();
    assert_eq!(read(&mut replay(&stream, at(0), None), 5).await, ["1", "2", "5", "6", "replayComplete"]);
    let told = read(&mut behind, 2).await;
    assert!(told.iter().any(|told| told.contains("after number 2 are no longer kept")), "{told:?}");
    drop((stream, writer, reader, behind));
    let crash = copy(&directory);
    let (stream, _publisher) = open(&crash);
    assert_eq!(read(&mut replay(&stream, at(0), None), 5).await, ["1", "2", "5", "6", "replayComplete"]);
}

#[tokio::test]
async fn after_a_failed_sync_a_new_segment_is_begun() {
    let directory = tempfile::tempdir().unwrap();
    let (stream, mut writer) = writer(&directory);
    writer.log.fault().sync_fails = true;
    writer.step(entries(1..=1));
    writer.step(entries(2..=2));
    assert_eq!(writer.log.index().segments.len(), 1, "one that holds nothing is replaced");
    writer.log.fault().sync_fails = true;
    writer.step(entries(3..=3));
    writer.step(entries(4..=4));
    assert_eq!(writer.log.index().segments.len(), 2);
    stream.shared.state().memory.clear();
    assert_eq!(read(&mut replay(&stream, at(0), None), 3).await, ["2", "4", "replayComplete"]);
}

#[tokio::test]
async fn a_damaged_log_is_an_error_and_an_unfinished_append_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let retention = Retention { events: 160, ..Retention::default() };
    let (stream, mut publisher) = open_with(&directory, retention).unwrap();
    for number in 1..=50 {
        publish(&mut publisher, number..=number).await;
    }
    publisher.close().await;
    drop(stream);
    let segments = files(&directory);
    assert!(segments.len() >= 4, "{segments:?}");
    let change = |segment: usize, change: &dyn Fn(&mut Vec<u8>)| {
        let crash = copy(&directory);
        let path = &files(&crash)[segment];
        let mut bytes = fs::read(path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
        (path.display().to_string(), open_with(&crash, retention).map(|(stream, _)| (crash, stream)))
    };
    for damage in [|bytes: &mut Vec<u8>| bytes[100] ^= 1, |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1)] {
        let (path, opened) = change(1, &damage);
        let error = opened.unwrap_err().to_string();
        assert!(error.contains(&path) && error.contains("damaged at byte"), "{error}");
    }
    let (_, opened) = change(segments.len() - 1, &|bytes| bytes.truncate(bytes.len() - 1));
    let (_crash, stream) = opened.unwrap();
    assert_eq!(read(&mut replay(&stream, at(49), None), 2).await, ["49", "replayComplete"]);

    let crash = copy(&directory);
    fs::remove_file(&files(&crash)[1]).unwrap();
    let error = open_with(&crash, retention).unwrap_err().to_string();
    assert!(error.contains(&files(&crash)[1].display().to_string()), "{error}");

    // Damage that comes while the server runs ends the replay, and says why.
    let (stream, _publisher) = open_with(&directory, retention).unwrap();
    let mut bytes = fs::read(&segments[0]).unwrap();
    bytes[100] ^= 1;
    fs::write(&segments[0], bytes).unwrap();
    let told = read(&mut replay(&stream, at(0), None), 2).await;
    assert!(told[0].contains("cannot be read") && told[1] == "-", "{told:?}");
    fs::remove_file(&segments[0]).unwrap();
    let told = read(&mut replay(&stream, at(0), None), 2).await;
    assert!(told[0].contains("No such file") && told[1] == "-", "{told:?}");
}

#[tokio::test]
async fn any_name_can_be_that_of_a_stream() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDirectory::open(directory.path()).unwrap();
    let (stream, _publisher) = Stream::open(&state, "../a/b", Retention::default(), at(0)).unwrap();
    assert_eq!(stream.name(), "../a/b");
    assert!(directory.path().join("streams/%2E%2E%2Fa%2Fb").is_dir());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_that_come_and_go_see_no_gap() {
    const EVENTS: u64 = 6000;
    let directory = tempfile::tempdir().unwrap();
    let (stream, mut publisher) =
        open_with(&directory, Retention { events: 1_000_000, ..Retention::default() }).unwrap();
    stream.shared.state().memory_events = 100;
    let published = tokio::spawn(async move {
        for number in 1..=EVENTS {
            publisher.publish(notification(number), at(number as i64)).await.unwrap();
            if number % 64 == 0 {
                yield_now().await;
            }
        }
        publisher.close().await;
    });
    let mut subscribers = tokio::task::JoinSet::new();
    let mut seed = 1u64;
    let mut random = |below: u64| {
        // A fixed sequence of numbers: the interleaving varies enough by itself.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for i in 0..40 {
        let (start, leaves, pauses) = (random(EVENTS), random(2 * EVENTS), 1 + random(300));
        let mut delivered = stream.shared.delivered.subscribe();
        delivered.wait_for(|&last| last >= i * EVENTS / 40).await.unwrap();
        let replays = i % 4 != 0;
        let mut subscription = if replays { replay(&stream, at(start as i64), None) } else { live(&stream) };
        let joined = subscription.joined;
        subscribers.spawn(async move {
            let mut expected = if replays { start.clamp(1, joined + 1) } else { joined + 1 };
            let mut complete = !replays;
            for read in 0..leaves {
                if read % pauses == 0 {
                    yield_now().await;
                }
                match next(&mut subscription).await {
                    Some(Message::Event(entry)) => {
                        assert_eq!(entry.sequence, expected, "joined at {joined}");
                        assert_eq!(complete, entry.sequence > joined || !replays);
                        expected += 1;
                    }
                    Some(Message::ReplayComplete) => {
                        assert!(!complete && expected == joined + 1);
                        complete = true;
                    }
                    Some(Message::Ended(Ended::Closed)) => {
                        assert_eq!(expected, EVENTS + 1);
                        return true;
                    }
                    other => panic!("{other:?}"),
                }
            }
            false
        });
    }
    let stayed = subscribers.join_all().await.into_iter().filter(|stayed| *stayed).count();
    assert!(stayed > 0 && stayed < 40, "{stayed}");
    published.await.unwrap();
}

#[tokio::test]
async fn who_was_too_slow_can_go_on_with_what_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (stream, mut publisher) = open_with(&directory, Retention { events: 160, ..Retention::default() }).unwrap();
    stream.shared.state().memory_events = 50;
    let mut idle = live(&stream);
    publish(&mut publisher, 1..=1).await;
    assert_eq!(read(&mut idle, 1).await, ["1"]);
    for number in 2..=400 {
        publish(&mut publisher, number..=number).await;
    }
    let told = read(&mut idle, 1).await;
    assert!(told[0].contains("events after number 1 are no longer kept"), "{told:?}");
    idle.go_on();
    let first = stream.shared.state().index.dropped + 1;
    let kept: Vec<String> = (first..=400).map(|number| number.to_string()).collect();
    assert_eq!(read(&mut idle, kept.len()).await, kept);
    publish(&mut publisher, 401..=401).await;
    assert_eq!(read(&mut idle, 1).await, ["401"]);
}
