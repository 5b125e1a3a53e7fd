//! The alarm list: merged over reporters, idempotent, with the operator's states kept.

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn reported(history: &[(i64, Option<Severity>)]) -> ReportedAlarm {
    let mut alarm = own_alarm(
        "urn:x:link:a",
        "qber-threshold-exceeded",
        history[0].1,
        "QBER",
        "quality-of-service",
        at(history[0].0),
    );
    alarm.history = history.iter().map(|(time, severity)| (at(*time), *severity, "QBER".to_owned())).collect();
    alarm
}

#[test]
fn what_is_replayed_or_read_again_adds_nothing() {
    let mut list = AlarmList::default();
    assert_eq!(list.report("rx", &reported(&[(1, Some(Severity::Major))])), [Change::Raised]);
    assert_eq!(list.report("rx", &reported(&[(1, Some(Severity::Major))])), []);
    assert_eq!(list.report("rx", &reported(&[(5, None), (1, Some(Severity::Major))])), [Change::Cleared]);
    assert_eq!(list.report("rx", &reported(&[(1, Some(Severity::Major))])), [], "replayed after the list was read");
    let alarm = list.iter().next().unwrap();
    assert_eq!((alarm.status_change.len(), alarm.is_cleared, alarm.toggles), (2, true, 0));
}

#[test]
fn what_happened_meanwhile_is_taken_once_each_and_in_order() {
    let mut list = AlarmList::default();
    list.report("rx", &reported(&[(1, Some(Severity::Major))]));
    let meanwhile = [(9, Some(Severity::Critical)), (5, None), (1, Some(Severity::Major))];
    assert_eq!(list.report("rx", &reported(&meanwhile)), [Change::Cleared, Change::Raised]);
    let alarm = list.iter().next().unwrap();
    assert_eq!((alarm.toggles, alarm.perceived_severity, alarm.last_raised), (1, Severity::Critical, at(9)));
}

#[test]
fn an_alarm_of_two_reporters_is_one_and_over_when_both_say_so() {
    let mut list = AlarmList::default();
    assert_eq!(list.report("tx", &reported(&[(1, Some(Severity::Warning))])), [Change::Raised]);
    assert_eq!(list.report("rx", &reported(&[(2, Some(Severity::Warning))])), [Change::Silent]);
    assert_eq!(list.report("rx", &reported(&[(3, Some(Severity::Major))])), [Change::Altered]);
    let mut over = reported(&[(4, None)]);
    over.history[0].2 = "over".to_owned();
    assert_eq!(list.report("rx", &over), [Change::Altered], "the other end still has it");
    assert_eq!(list.iter().next().unwrap().alarm_text, "QBER", "and it does not say that it is over");
    assert_eq!(list.report("tx", &reported(&[(5, None)])), [Change::Cleared]);
    assert_eq!(list.iter().next().unwrap().device.as_deref(), Some("tx"));
}

#[test]
fn an_acknowledgement_outlives_the_alarms_changes_and_a_purge_takes_what_it_names() {
    let mut list = AlarmList::default();
    list.report("rx", &reported(&[(1, Some(Severity::Major))]));
    let key = list.iter().next().unwrap().key.clone();
    let ack = OperatorStateChange { time: at(2), operator: "ann".into(), state: "ack".into(), text: None };
    assert!(list.set_operator_state(&key, ack).is_some());
    list.report("rx", &reported(&[(3, None)]));
    assert_eq!(list.get(&key).unwrap().operator_state_change[0].state, "ack");
    let filter = |clearance: &str| PurgeFilter { clearance: clearance.into(), ..PurgeFilter::default() };
    assert_eq!(list.purge(&filter("not-cleared"), at(9)), []);
    assert_eq!(list.purge(&PurgeFilter { older_than_seconds: Some(60), ..filter("any") }, at(9)), []);
    assert_eq!(list.purge(&filter("cleared"), at(9)), [key]);
}
