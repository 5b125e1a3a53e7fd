//! Entries survive, files are bounded, and what was cut short is not there.

use std::io::Write;

use super::*;

fn event(text: &str, class: LogClass, second: i64) -> Entry {
    Entry {
        number: 0,
        time: Timestamp::from_second(1_800_000_000 + second).unwrap(),
        class,
        resource: Some("urn:module".to_owned()),
        user: None,
        session: None,
        event: "test".to_owned(),
        text: text.to_owned(),
        notified: None,
    }
}

fn all() -> Query {
    Query { after: 0, since: None, classes: Vec::new(), maximum: usize::MAX }
}

#[test]
fn entries_are_numbered_and_read_back_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = EventLog::open(directory.path()).unwrap();
    assert_eq!(log.reader().read(&all()).unwrap(), Page { entries: Vec::new(), last: 0, oldest: None });
    let first = log.append(event("one", LogClass::Alarm, 0), true).unwrap();
    log.append(event("two", LogClass::Configuration, 1), false).unwrap();
    log.commit().unwrap();
    log.append(event("lost", LogClass::Event, 2), true).unwrap();
    drop(log);

    let mut log = EventLog::open(directory.path()).unwrap();
    assert_eq!((log.last(), log.last_notified()), (2, 1));
    let third = log.append(event("three", LogClass::Alarm, 3), true).unwrap();
    assert_eq!((first.number, first.notified, third.number, third.notified), (1, Some(1), 3, Some(2)));
    let before = log.reader();
    log.commit().unwrap();
    assert_eq!(before.read(&all()).unwrap().entries.len(), 2, "what was not durable then");
    let page = log.reader().read(&all()).unwrap();
    let texts: Vec<_> = page.entries.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!((texts, page.last, page.oldest), (vec!["one", "two", "three"], 3, Some(1)));
}

#[test]
fn queries_narrow() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = EventLog::open(directory.path()).unwrap();
    for n in 0..10 {
        let class = if n % 2 == 0 { LogClass::Alarm } else { LogClass::Security };
        log.append(event(&n.to_string(), class, n), false).unwrap();
    }
    log.commit().unwrap();
    let numbers = |query: Query| -> Vec<u64> {
        log.reader().read(&query).unwrap().entries.iter().map(|entry| entry.number).collect()
    };
    assert_eq!(numbers(Query { after: 7, ..all() }), [8, 9, 10]);
    assert_eq!(numbers(Query { classes: vec![LogClass::Security], maximum: 2, ..all() }), [2, 4]);
    let since = Some(Timestamp::from_second(1_800_000_008).unwrap());
    assert_eq!(numbers(Query { since, ..all() }), [9, 10]);
}

#[test]
fn the_oldest_file_goes() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = EventLog::open(directory.path()).unwrap();
    let many = FILE_ENTRIES * (FILES as u64 + 1) + 10;
    for n in 0..many {
        log.append(event("x", LogClass::Event, 0), n == 3).unwrap();
        if n % 1000 == 0 {
            log.commit().unwrap();
        }
    }
    log.commit().unwrap();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), FILES);
    let page = log.reader().read(&Query { after: many - 2, ..all() }).unwrap();
    assert_eq!((page.entries.len(), page.last, page.oldest), (2, many, Some(2 * FILE_ENTRIES + 1)));
    let page = log.reader().read(&all()).unwrap();
    assert!(page.entries.is_sorted_by(|a, b| a.number + 1 == b.number));
    drop(log);
    assert_eq!(EventLog::open(directory.path()).unwrap().last(), many);
}

#[test]
fn a_torn_end_is_cut_and_damage_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = EventLog::open(directory.path()).unwrap();
    for n in 0..3 {
        log.append(event(&n.to_string(), LogClass::Event, n), false).unwrap();
        log.commit().unwrap();
    }
    drop(log);
    let file = directory.path().join("events-00000000000000000000");
    let whole = std::fs::read(&file).unwrap();
    std::fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(&whole[28..60]).unwrap();
    assert_eq!(EventLog::open(directory.path()).unwrap().last(), 3);
    let mut bad = whole.clone();
    bad[50] ^= 1;
    std::fs::write(&file, bad).unwrap();
    let error = EventLog::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains("damaged") && error.contains("events-") && !error.contains('\n'), "{error}");
}
