//! What a store must keep through: ends without a close, full disks, damage, other programs and other versions.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::model::{ConnectionState, Severity};
use crate::record::{AlarmKey, Interval, Procedure, RunState, StatusChange};

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("manager.db");
    (directory, path)
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn device(name: &str, attempts: u32) -> Record {
    let connection_state = ConnectionState::Operational;
    Record::Device(Box::new(DeviceState {
        name: name.to_owned(),
        attempts,
        connection_state,
        ..DeviceState::default()
    }))
}

fn alarm(number: u32) -> Record {
    Record::Alarm(Box::new(Alarm {
        key: AlarmKey {
            resource: format!("urn:qkdn:test:link:{number}"),
            alarm_type_id: "qkdn-alarms:qber-threshold".to_owned(),
            alarm_type_qualifier: String::new(),
        },
        alarm_id: format!("alarm-{number}"),
        time_created: time(1),
        is_cleared: false,
        last_raised: time(1),
        last_changed: time(1),
        perceived_severity: Severity::Major,
        alarm_text: "high".to_owned(),
        status_change: vec![StatusChange { time: time(1), perceived_severity: None, alarm_text: "x".to_owned() }],
        operator_state_change: Vec::new(),
        alarm_class: None,
        value: None,
        layer: None,
        reference_point: None,
        device: None,
        reporters: [("tx".to_owned(), (Some(Severity::Major), time(1)))].into(),
        root_alarm_id: None,
        toggles: 0,
        run_id: None,
    }))
}

fn run(number: u32, ended: bool) -> Record {
    Record::Run(Run {
        run_id: format!("run-{number}"),
        procedure: Procedure::LinkFailure,
        trigger: None,
        alarm_id: Vec::new(),
        resource_id: Vec::new(),
        started: time(i64::from(number)),
        ended: ended.then(|| time(i64::from(number) + 1)),
        state: if ended { RunState::Completed } else { RunState::Running },
        outcome: None,
    })
}

fn step(run: u32) -> Record {
    Record::Step(Step {
        run_id: format!("run-{run}"),
        sequence: 1,
        number: 1,
        time: time(1),
        actor: crate::model::Function::Qlm,
        peer: None,
        operation_id: None,
        text: "hears".to_owned(),
        data: None,
    })
}

fn intervals(count: i64) -> Record {
    let one = |index: i64| FinishedInterval {
        device: "tx".to_owned(),
        target: "urn:qkdn:test:link:1".to_owned(),
        kind: "qkdn-types:qber".to_owned(),
        unit: "percent".to_owned(),
        granularity: Granularity::Day,
        interval: Interval {
            start_time: time(index * 86_400),
            elapsed: Some(86_400),
            samples: None,
            samples_invalid: None,
            mean: Some(0.1 + 0.2),
            minimum: None,
            maximum: None,
            last: None,
            total: None,
            validity: "valid".to_owned(),
        },
    };
    Record::Intervals((0..count).map(one).collect())
}

fn audit(number: i64) -> Record {
    Record::Audit(Audit {
        time: time(number),
        user: "admin".to_owned(),
        session_id: 1,
        operation: "edit-config".to_owned(),
        device: None,
        result: "ok".to_owned(),
    })
}

/// All that a store tells.
fn everything(store: &Sqlite) -> String {
    let recovered = store.recover().unwrap();
    let runs = store.runs(&RunQuery { run_id: None, maximum: 10_000 }).unwrap();
    let intervals = store.intervals(&IntervalQuery { maximum: 10_000, ..IntervalQuery::default() }).unwrap();
    let audit = store.audit(10_000).unwrap();
    format!("{recovered:?} {runs:?} {intervals:?} {audit:?} {:?}", store.performance(None).unwrap())
}

#[tokio::test]
async fn batches_are_applied_in_the_order_of_the_calls_and_share_commits() {
    let (_directory, path) = place();
    let store = Sqlite::open(&path).unwrap();
    let logged = || path.with_extension("db-wal").metadata().unwrap().len() / 4096;
    let before = logged();
    // Another program holds the database until all are queued. Fewer than a task may poll at once under tokio.
    let holds = Connection::open(&path).unwrap();
    holds.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut writes: Vec<_> = (1..=100).map(|attempts| Box::pin(store.write(vec![device("d", attempts)]))).collect();
    for write in &mut writes {
        assert_eq!(poll_once(write.as_mut()).await, None, "durable while it cannot be written");
    }
    holds.execute_batch("ROLLBACK").unwrap();
    for write in writes {
        write.await.unwrap();
    }
    assert_eq!(store.devices(Some("d")).unwrap()[0].attempts, 100);
    let pages = logged() - before;
    assert!(pages < 20, "{pages} pages for 100 batches: a commit of its own for each logs one each");
}

async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_an_end_without_close() {
    let (directory, path) = place();
    let store = Sqlite::open(&path).unwrap();
    store
        .write(vec![device("d", 3), alarm(7), run(4, false), step(4), run(5, true), intervals(3), audit(1)])
        .await
        .unwrap();
    // What the disk holds at this moment is all that a process that is killed leaves.
    let copy = directory.path().join("copy.db");
    for suffix in ["", "-wal"] {
        std::fs::copy(format!("{}{suffix}", path.display()), format!("{}{suffix}", copy.display())).unwrap();
    }
    let again = Sqlite::open(&copy).unwrap();
    assert_eq!(everything(&again), everything(&store));
    let recovered = again.recover().unwrap();
    assert_eq!((recovered.last_alarm, recovered.last_run), (7, 5));
    assert_eq!(recovered.runs.len(), 1, "only what has not ended");
    assert_eq!(recovered.runs[0].1.len(), 1);
    let newest = again.newest_interval("tx", Granularity::Day).unwrap();
    assert_eq!(newest, Some(time(2 * 86_400)));
    assert_eq!(again.newest_interval("tx", Granularity::QuarterHour).unwrap(), None);
}

#[tokio::test]
async fn a_close_leaves_one_file_that_is_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_directory, path) = place();
    let store = Sqlite::open(&path).unwrap();
    store.write(vec![device("d", 3)]).await.unwrap();
    assert_eq!(store.devices(None).unwrap().len(), 1);
    drop(store);
    assert!(!path.with_extension("db-wal").exists());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn records_applied_twice_equal_once() {
    let (_directory, path) = place();
    let store = Sqlite::open(&path).unwrap();
    let purged = Record::AlarmPurged(AlarmKey { resource: "urn:qkdn:test:link:9".to_owned(), ..AlarmKey::default() });
    let all =
        || vec![device("d", 3), alarm(7), purged.clone(), run(4, true), step(4), intervals(100), audit(1), audit(2)];
    store.write(all()).await.unwrap();
    let once = everything(&store);
    store.write(all()).await.unwrap();
    assert_eq!(everything(&store), once);
    assert_eq!(store.steps("run-4").unwrap().len(), 1, "an upsert of the run keeps its steps");
}

fn network(links: usize, qber: f64) -> Record {
    let link = |number: usize| crate::record::Link {
        link_id: format!("urn:qkdn:test:link:{number:04}"),
        source: (format!("tx-{number}"), None),
        destination: (format!("rx-{number}"), None),
        qber: Some(if number == 7 { qber } else { 1.0 }),
        ..Default::default()
    };
    let node = |number: usize| crate::record::Node { node_id: format!("tx-{number:04}"), ..Default::default() };
    Record::Network(Network {
        network_id: "urn:qkdn:network:quantum".to_owned(),
        version: 1,
        node: (0..links).map(node).collect(),
        link: (0..links).map(link).collect(),
        ..Network::default()
    })
}

fn measured(device: &str, value: f64) -> Record {
    let one = |number: usize| Information {
        kind: "qkdn-types:qber".to_owned(),
        target: format!("urn:qkdn:test:link:{number}"),
        description: None,
        unit: "percent".to_owned(),
        current: Some(crate::record::CurrentValue {
            value: Some(value),
            time: None,
            validity: None,
            threshold_level: None,
        }),
        current_15_minutes: None,
        current_24_hours: None,
        device: Some(device.to_owned()),
    };
    Record::Performance((0..100).map(one).collect())
}

/// Pages that a write adds to the log of a store that is not at a checkpoint.
async fn pages_of(store: &Sqlite, path: &Path, records: Vec<Record>) -> u64 {
    let logged = || path.with_extension("db-wal").metadata().unwrap().len() / 4096;
    let before = logged();
    store.write(records).await.unwrap();
    logged() - before
}

#[tokio::test]
async fn what_did_not_change_is_not_written() {
    let (_directory, path) = place();
    let store = Sqlite::open(&path).unwrap();
    let all = || {
        let all =
            vec![device("d", 3), alarm(7), run(4, true), step(4), intervals(30), network(500, 1.0), measured("d", 1.0)];
        [all, vec![Record::Inconsistencies(Vec::new())]].concat()
    };
    assert!(pages_of(&store, &path, all()).await > 20);
    assert_eq!(pages_of(&store, &path, all()).await, 0);
}

#[tokio::test]
async fn a_link_that_changes_costs_its_own_size() {
    let (_directory, path) = place();
    let store = Sqlite::open(&path).unwrap();
    store.write(vec![network(500, 1.0)]).await.unwrap();
    let pages = pages_of(&store, &path, vec![network(500, 2.0)]).await;
    assert!((1..=2).contains(&pages), "{pages} pages for one link of 500");
    let Record::Network(changed) = network(500, 2.0) else { unreachable!() };
    assert_eq!(store.networks().unwrap(), [changed]);
    store.write(vec![network(3, 2.0)]).await.unwrap();
    let Record::Network(smaller) = network(3, 2.0) else { unreachable!() };
    assert_eq!(store.networks().unwrap(), [smaller]);
}

#[tokio::test]
async fn measurements_pass_to_the_device_that_tells_them() {
    let (_directory, path) = place();
    let store = Sqlite::open(&path).unwrap();
    store.write(vec![measured("before", 1.0), measured("after", 1.0)]).await.unwrap();
    store.write(vec![Record::DeviceForgotten("before".to_owned())]).await.unwrap();
    assert_eq!(store.performance(None).unwrap().len(), 100);
    store.write(vec![Record::DeviceForgotten("after".to_owned())]).await.unwrap();
    assert_eq!(store.performance(None).unwrap().len(), 0);
}

#[test]
fn a_store_of_version_1_keeps_its_topology() {
    let (_directory, path) = place();
    let Record::Network(whole) = network(3, 0.1 + 0.2) else { unreachable!() };
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../schema.sql")).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    let text = serde_json::to_string(&whole).unwrap();
    old.execute("INSERT INTO network VALUES (?1, ?2)", [&whole.network_id, &text]).unwrap();
    drop(old);
    assert_eq!(Sqlite::open(&path).unwrap().networks().unwrap(), [whole]);
}

#[tokio::test]
async fn retention_takes_the_oldest_and_nothing_that_goes_on() {
    let (_directory, path) = place();
    let store = Sqlite::open(&path).unwrap();
    store.write(vec![run(1, false), step(1), run(2, true), step(2), intervals(100)]).await.unwrap();
    store.write((3..1_003).map(|number| run(number, true)).collect()).await.unwrap();
    let runs = store.runs(&RunQuery { run_id: None, maximum: 10_000 }).unwrap();
    assert_eq!(runs.len(), 1_001, "a thousand that ended, and one that did not");
    assert_eq!((runs[0].run_id.as_str(), runs[1_000].run_id.as_str()), ("run-1002", "run-1"));
    assert_eq!((store.steps("run-1").unwrap().len(), store.steps("run-2").unwrap().len()), (1, 0));
    let kept = store.intervals(&IntervalQuery { maximum: 1_000, ..IntervalQuery::default() }).unwrap();
    assert_eq!((kept.len(), kept[0].interval.start_time), (30, time(70 * 86_400)));
    let after = IntervalQuery { after: Some(time(98 * 86_400)), maximum: 1_000, ..IntervalQuery::default() };
    assert_eq!(store.intervals(&after).unwrap().len(), 1);
    store.write(vec![Record::DeviceForgotten("tx".to_owned())]).await.unwrap();
    assert_eq!(store.newest_interval("tx", Granularity::Day).unwrap(), None);
}

#[tokio::test]
async fn a_full_disk_refuses_a_batch_whole_and_later_writes_work_again() {
    let (_directory, path) = place();
    let store = Sqlite::open_with(&path, |connection| {
        connection.pragma_update_and_check(None, "max_page_count", 60, |_| Ok(()))
    });
    let store = store.unwrap();
    store.write(vec![alarm(1)]).await.unwrap();
    let long = |number: usize| {
        let Record::Device(mut device) = device(&format!("d{number}"), 0) else { unreachable!() };
        device.capability = vec!["x".repeat(3_000)];
        Record::Device(device)
    };
    let mut kept = 0;
    let error = loop {
        // The small one goes first: that it is not there afterwards shows that the batch went whole.
        match store.write(vec![device(&format!("small{kept}"), 0), long(kept)]).await {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 100, "the limit was never met");
    };
    assert!(error.0.contains("disk is full"), "{error}");
    assert_eq!(store.devices(None).unwrap().len(), 2 * kept);
    assert_eq!(store.alarms().unwrap().len(), 1);
    store
        .write(vec![Record::DeviceForgotten("d0".to_owned()), Record::DeviceForgotten("d1".to_owned())])
        .await
        .unwrap();
    store.write(vec![device("again", 1), long(0)]).await.unwrap();
    assert_eq!(store.devices(Some("again")).unwrap().len(), 1);
}

#[tokio::test]
async fn damage_is_refused_and_left_as_it_is() {
    let (_directory, path) = place();
    std::fs::write(
        &path,
        "this is no database, but it is long enough to have a header of one hundred bytes, as one would have it. "
            .repeat(9),
    )
    .unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = Sqlite::open(&path).unwrap_err();
    assert!(error.0.contains("damaged") && error.0.contains("manager.db"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);

    std::fs::remove_file(&path).unwrap();
    let store = Sqlite::open(&path).unwrap();
    store.write((0..500).map(|number| device(&format!("d{number}"), 0)).collect()).await.unwrap();
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    let error = Sqlite::open(&path).unwrap_err();
    assert!(error.0.contains("damaged") && error.0.contains("restore"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn other_versions_programs_and_processes_are_refused() {
    let (directory, path) = place();
    let store = Sqlite::open(&path).unwrap();
    let error = Sqlite::open(&path).unwrap_err();
    assert!(error.0.contains("another manager"), "{error}");
    drop(store);

    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Sqlite::open(&path).unwrap_err();
    assert!(error.0.contains("newer manager") && error.0.contains("99"), "{error}");

    let foreign = directory.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE recipe (name)").unwrap();
    let error = Sqlite::open(&foreign).unwrap_err();
    assert!(error.0.contains("another program"), "{error}");

    let error = Sqlite::open(&directory.path().join("none").join("manager.db")).unwrap_err();
    assert!(error.0.contains("make the directory"), "{error}");
}
