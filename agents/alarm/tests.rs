//! The life of an alarm after RFC 8632, and thresholds, with the time turned by hand.

use super::*;
use proptest::prelude::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn key() -> AlarmKey {
    AlarmKey::new("link-1", "qkdn-alarms:qber-threshold-exceeded")
}

fn report(severity: Severity) -> Report {
    Report { severity, text: "QBER above threshold".to_owned(), value: None }
}

fn notified(change: Option<Change>) -> bool {
    change.is_some_and(|change| change.notify)
}

#[test]
fn an_alarm_keeps_its_identifier_through_update_clear_and_return() {
    let mut list = AlarmList::default();
    let raised = list.raise(&key(), report(Severity::Warning), at(0)).unwrap();
    assert_eq!(raised, Change { key: key(), transition: Transition::Raised, notify: true });
    let id = list.get(&key()).unwrap().id;

    assert_eq!(list.raise(&key(), report(Severity::Warning), at(1)), None, "a repeat is no change");
    assert_eq!(list.raise(&key(), report(Severity::Major), at(2)).unwrap().transition, Transition::Updated);
    assert_eq!(list.clear(&key(), "QBER normal", None, at(3)).unwrap().transition, Transition::Cleared);
    assert_eq!(list.clear(&key(), "QBER normal", None, at(4)), None, "it is over already");
    let alarm = list.get(&key()).unwrap();
    assert!(alarm.is_cleared());
    assert_eq!(alarm.status().severity, Severity::Major, "being cleared is apart from severity");
    assert_eq!((alarm.time_created, alarm.last_raised, alarm.last_changed()), (at(0), at(0), at(3)));

    assert_eq!(list.raise(&key(), report(Severity::Warning), at(9)).unwrap().transition, Transition::Raised);
    let alarm = list.get(&key()).unwrap();
    assert_eq!((alarm.id, alarm.time_created, alarm.last_raised), (id, at(0), at(9)));
}

#[test]
fn an_identifier_is_never_given_twice() {
    let mut list = AlarmList::default();
    list.raise(&key(), report(Severity::Major), at(0)).unwrap();
    assert_eq!(list.purge(&PurgeFilter::default(), at(1)), [key()]);
    let mut list = AlarmList::restore([], list.last_id());
    list.raise(&key(), report(Severity::Major), at(2)).unwrap();
    assert_eq!(list.get(&key()).unwrap().id, 2);
}

#[test]
fn a_repeat_refreshes_the_value() {
    let mut list = AlarmList::default();
    let valued = |value| Report {
        value: Some(AlarmValue {
            quantity: "t:qber".to_owned(),
            value,
            threshold: Some(5.0),
            unit: "percent".to_owned(),
        }),
        ..report(Severity::Major)
    };
    list.raise(&key(), valued(8.5), at(0)).unwrap();
    assert_eq!(list.raise(&key(), valued(9.5), at(1)), None);
    let alarm = list.get(&key()).unwrap();
    assert_eq!(alarm.value.as_ref().unwrap().value, 9.5);
    assert_eq!(alarm.status().value.as_ref().unwrap().value, 8.5, "history tells what was announced");
}

/// The example in the text of RFC 8632's `notify-status-changes`.
#[test]
fn notifications_of_one_severity_and_above() {
    use Severity::*;
    let mut list = AlarmList::default();
    list.set_control(Control { notify: Notify::SeverityLevel(Major), ..Control::default() });
    let steps = [Major, Minor, Warning, Minor, Major, Critical, Major];
    let mut sent: Vec<i64> = (1..)
        .zip(steps)
        .filter(|(t, severity)| notified(list.raise(&key(), report(*severity), at(*t))))
        .map(|(t, _)| t)
        .collect();
    if notified(list.clear(&key(), "over", None, at(8))) {
        sent.push(8);
    }
    assert_eq!(sent, [1, 2, 5, 6, 7, 8]);
}

#[test]
fn notifications_of_raise_and_clear_only() {
    let mut list = AlarmList::default();
    list.set_control(Control { notify: Notify::RaiseAndClear, ..Control::default() });
    assert!(notified(list.raise(&key(), report(Severity::Minor), at(0))));
    assert!(!notified(list.raise(&key(), report(Severity::Critical), at(1))));
    assert!(notified(list.clear(&key(), "over", None, at(2))));
    assert!(notified(list.raise(&key(), report(Severity::Critical), at(3))));
}

#[test]
fn the_history_is_a_ring() {
    let mut list = AlarmList::default();
    for second in 0..50 {
        let severity = if second % 2 == 0 { Severity::Major } else { Severity::Minor };
        list.raise(&key(), report(severity), at(second));
    }
    let times = |list: &AlarmList| -> Vec<Timestamp> {
        list.get(&key()).unwrap().status_changes.iter().map(|change| change.time).collect()
    };
    assert_eq!(times(&list), (18..50).map(at).collect::<Vec<_>>());
    list.set_control(Control { max_status_changes: 3, ..Control::default() });
    assert_eq!(times(&list), [at(47), at(48), at(49)]);
    assert_eq!(list.compress(|_| true), [key()]);
    assert_eq!(times(&list), [at(49)]);
    assert_eq!(list.compress(|_| true), [], "nothing left to compress");
}

#[test]
fn operators_write_their_own_states_only() {
    let mut list = AlarmList::default();
    let ack = |list: &mut AlarmList, state| list.set_operator_state(&key(), "anna", state, None, at(5));
    assert_eq!(ack(&mut list, OperatorState::Ack), Err(OperatorError::Unknown));
    list.raise(&key(), report(Severity::Major), at(0));
    assert_eq!(ack(&mut list, OperatorState::Shelved), Err(OperatorError::NotWritable));
    assert_eq!(list.get(&key()).unwrap().operator_state(), OperatorState::None);
    assert!(ack(&mut list, OperatorState::Ack).unwrap().notify);
    assert_eq!(list.get(&key()).unwrap().operator_state(), OperatorState::Ack);
    assert_eq!(list.get(&key()).unwrap().last_changed(), at(5));
    for _ in 0..100 {
        ack(&mut list, OperatorState::None).unwrap();
    }
    assert_eq!(list.get(&key()).unwrap().operator_state_changes.len(), MAX_OPERATOR_STATE_CHANGES);
}

#[test]
fn the_summary_has_seven_counters_for_each_severity() {
    let mut list = AlarmList::default();
    let name = |n: usize| AlarmKey::new(format!("link-{n}"), "t:t");
    for n in 0..4 {
        list.raise(&name(n), report(Severity::Major), at(0));
    }
    list.clear(&name(0), "over", None, at(1));
    list.clear(&name(1), "over", None, at(1));
    for n in [1, 2] {
        list.set_operator_state(&name(n), "anna", OperatorState::Closed, None, at(2)).unwrap();
    }
    let summary = list.summary();
    assert_eq!(
        summary[1],
        (
            Severity::Major,
            SeveritySummary {
                total: 4,
                not_cleared: 2,
                cleared: 2,
                cleared_not_closed: 1,
                cleared_closed: 1,
                not_cleared_closed: 1,
                not_cleared_not_closed: 1,
            }
        )
    );
    assert_eq!(summary[0], (Severity::Critical, SeveritySummary::default()));
}

#[test]
fn a_purge_takes_what_meets_every_criterion() {
    let mut list = AlarmList::default();
    let name = |n: usize| AlarmKey::new(format!("link-{n}"), "t:t");
    for (n, severity) in [Severity::Minor, Severity::Major, Severity::Critical].into_iter().enumerate() {
        list.raise(&name(n), report(severity), at(0));
    }
    list.clear(&name(1), "over", None, at(60));
    list.set_operator_state(&name(1), "anna", OperatorState::Closed, None, at(61)).unwrap();
    let mut purged = |filter: PurgeFilter| list.purge(&filter, at(200));
    let cleared = PurgeFilter { clearance: Clearance::Cleared, ..PurgeFilter::default() };
    assert_eq!(purged(PurgeFilter { older_than: Some(Age::Minutes(3)), ..cleared.clone() }), []);
    assert_eq!(purged(PurgeFilter { severity: Some(SeverityFilter::Above(Severity::Major)), ..cleared.clone() }), []);
    let by = |user: &str| Some(OperatorFilter { state: Some(OperatorState::Closed), user: Some(user.to_owned()) });
    assert_eq!(purged(PurgeFilter { operator: by("bert"), ..cleared.clone() }), []);
    let all = PurgeFilter {
        older_than: Some(Age::Minutes(2)),
        operator: by("anna"),
        severity: None,
        clearance: Clearance::Any,
    };
    assert_eq!(purged(all), [name(1)]);
    let below = PurgeFilter { severity: Some(SeverityFilter::Below(Severity::Critical)), ..PurgeFilter::default() };
    assert_eq!(purged(below), [name(0)]);
    assert_eq!(list.iter().map(|alarm| &alarm.key).collect::<Vec<_>>(), [&name(2)]);
}

#[test]
fn a_full_list_gives_up_what_cleared_longest_ago() {
    let mut list = AlarmList::default();
    let name = |n: usize| AlarmKey::new(format!("link-{n:05}"), "t:t");
    for n in 0..MAX_ALARMS {
        list.raise(&name(n), report(Severity::Minor), at(0));
    }
    assert_eq!(list.raise(&name(MAX_ALARMS), report(Severity::Minor), at(1)), None);
    assert_eq!((list.iter().len(), list.refused()), (MAX_ALARMS, 1));
    list.clear(&name(7), "over", None, at(2));
    list.clear(&name(6), "over", None, at(3));
    assert!(list.raise(&name(MAX_ALARMS), report(Severity::Minor), at(4)).is_some());
    assert!(list.get(&name(7)).is_none() && list.get(&name(6)).is_some());
}

#[test]
fn a_clock_set_back_does_not_disorder_a_history() {
    let mut list = AlarmList::default();
    list.raise(&key(), report(Severity::Major), at(100));
    list.raise(&key(), report(Severity::Minor), at(10));
    list.clear(&key(), "over", None, at(10));
    let times: Vec<_> = list.get(&key()).unwrap().status_changes.iter().map(|change| change.time).collect();
    assert_eq!(times, [at(100), at(100) + CLOCK_STEP, at(100) + CLOCK_STEP + CLOCK_STEP]);
}

fn qber() -> Threshold {
    Threshold {
        direction: Direction::Rising,
        levels: vec![(Severity::Warning, 5.0), (Severity::Major, 8.0), (Severity::Critical, 11.0)],
        hysteresis: 0.5,
        raise_after: 3,
        clear_after: 3,
    }
}

fn severities(watch: &mut Watch, values: &[f64]) -> Vec<Option<Severity>> {
    values.iter().map(|value| watch.sample(*value).map(|judgement| judgement.severity)).collect()
}

#[test]
fn a_level_is_entered_and_left_by_consecutive_samples() {
    use Severity::*;
    let mut watch = Watch::new(qber());
    assert_eq!(severities(&mut watch, &[9.0, 9.0, 4.0, 9.0, 9.0]), [None; 5], "two in a row are not three");
    assert_eq!(severities(&mut watch, &[9.0]), [Some(Major)]);
    assert_eq!(watch.judgement(), Some(Judgement { severity: Major, level: 8.0 }));
    assert_eq!(severities(&mut watch, &[7.6, 7.6, 7.6, 7.6]), [Some(Major); 4], "within the hysteresis");
    assert_eq!(severities(&mut watch, &[7.4, 7.4, 7.4]), [Some(Major), Some(Major), Some(Warning)]);
    assert_eq!(severities(&mut watch, &[4.4, 4.4, f64::NAN, 4.4, 4.4, 4.4]).last(), Some(&None));
    assert_eq!(severities(&mut watch, &[20.0, 20.0, f64::NAN, 20.0]), [None; 4], "a gap ends the run");
}

#[test]
fn a_low_value_can_be_the_bad_one() {
    let mut watch = Watch::new(Threshold {
        direction: Direction::Falling,
        levels: vec![(Severity::Major, 1000.0)],
        hysteresis: 100.0,
        raise_after: 1,
        clear_after: 1,
    });
    let seen = severities(&mut watch, &[1000.0, 999.0, 1050.0, 1100.0, 1101.0]);
    assert_eq!(seen, [None, Some(Severity::Major), Some(Severity::Major), Some(Severity::Major), None]);
}

#[test]
fn a_watch_resumes_where_its_alarm_stands() {
    let mut watch = Watch::resume(qber(), Some(Severity::Major));
    assert_eq!(severities(&mut watch, &[9.0]), [Some(Severity::Major)]);
    assert_eq!(Watch::resume(qber(), None).judgement(), None);
}

fn any_severity() -> impl Strategy<Value = Severity> {
    prop::sample::select(Severity::ALL.to_vec())
}

#[derive(Clone, Debug)]
enum Step {
    Raise(u8, Severity),
    Clear(u8),
    Operator(u8, OperatorState),
    Purge(Clearance),
    Compress,
}

fn any_step() -> impl Strategy<Value = Step> {
    use OperatorState::*;
    prop_oneof![
        4 => (0u8..4, any_severity()).prop_map(|(n, severity)| Step::Raise(n, severity)),
        3 => (0u8..4).prop_map(Step::Clear),
        1 => (0u8..4, prop::sample::select(vec![None, Ack, Closed])).prop_map(|(n, state)| Step::Operator(n, state)),
        1 => prop::sample::select(vec![Clearance::Any, Clearance::Cleared, Clearance::NotCleared]).prop_map(Step::Purge),
        1 => Just(Step::Compress),
    ]
}

proptest! {
    /// Against a model that knows only which alarms are on and how bad: the list agrees, announces every change of it and nothing else,
    /// keeps its histories in order and bounded, counts right, and survives being written and read at any point.
    #[test]
    fn the_list_agrees_with_a_plain_model(steps in prop::collection::vec((any_step(), -5i64..20), 1..120), ring in 1u16..6) {
        let name = |n: u8| AlarmKey::new(format!("link-{n}"), "t:t");
        let control = Control { max_status_changes: ring, ..Control::default() };
        let mut list = AlarmList::default();
        list.set_control(control);
        let mut model: BTreeMap<AlarmKey, (Severity, bool)> = BTreeMap::new();
        let mut ids: BTreeMap<u64, AlarmKey> = BTreeMap::new();
        let mut clock = 0;
        for (step, turn) in steps {
            clock += turn;
            match step {
                Step::Raise(n, severity) => {
                    let change = list.raise(&name(n), report(severity), at(clock));
                    let before = model.insert(name(n), (severity, true));
                    prop_assert_eq!(change.is_some(), before != Some((severity, true)));
                }
                Step::Clear(n) => {
                    let change = list.clear(&name(n), "over", None, at(clock));
                    let on = model.get_mut(&name(n)).filter(|(_, on)| *on);
                    prop_assert_eq!(change.is_some(), on.is_some());
                    if let Some(state) = on { state.1 = false }
                }
                Step::Operator(n, state) => {
                    let change = list.set_operator_state(&name(n), "anna", state, None, at(clock));
                    prop_assert_eq!(change.is_ok(), model.contains_key(&name(n)));
                }
                Step::Purge(clearance) => {
                    let purged = list.purge(&PurgeFilter { clearance, ..PurgeFilter::default() }, at(clock));
                    let gone = |on: bool| match clearance {
                        Clearance::Any => true,
                        Clearance::Cleared => !on,
                        Clearance::NotCleared => on,
                    };
                    let before = model.len();
                    model.retain(|_, (_, on)| !gone(*on));
                    prop_assert_eq!(purged.len(), before - model.len());
                }
                Step::Compress => {
                    list.compress(|_| true);
                    prop_assert!(list.iter().all(|alarm| alarm.status_changes.len() == 1));
                }
            }
            let written = serde_json::to_string(&list.iter().collect::<Vec<_>>()).unwrap();
            let read: Vec<Alarm> = serde_json::from_str(&written).unwrap();
            prop_assert!(read.iter().eq(list.iter()));
            list = AlarmList::restore(read, list.last_id());
            list.set_control(control);

            let seen: BTreeMap<_, _> =
                list.iter().map(|a| (a.key.clone(), (a.status().severity, !a.is_cleared()))).collect();
            prop_assert_eq!(&seen, &model);
            for alarm in list.iter() {
                prop_assert_eq!(ids.entry(alarm.id).or_insert_with(|| alarm.key.clone()), &alarm.key);
                prop_assert!(alarm.status_changes.len() <= ring.into());
                let times: Vec<_> = alarm.status_changes.iter().map(|change| change.time).collect();
                prop_assert!(times.is_sorted_by(|a, b| a < b));
                prop_assert!(alarm.time_created <= alarm.last_raised && alarm.last_raised <= alarm.last_changed());
            }
            let summary = list.summary();
            prop_assert_eq!(summary.iter().map(|(_, s)| s.total as usize).sum::<usize>(), model.len());
            for (_, s) in summary {
                prop_assert_eq!(s.total, s.cleared + s.not_cleared);
            }
            prop_assert_eq!(list.worst(), model.values().filter(|(_, on)| *on).map(|(s, _)| *s).max());
        }
    }

    /// No level is entered without `raise_after` samples across it in a row, none is left without `clear_after` behind its hysteresis.
    #[test]
    fn a_watch_needs_its_samples(values in prop::collection::vec(0.0..15.0, 1..80), raise in 1u32..5, clear in 1u32..5) {
        let mut watch = Watch::new(Threshold { raise_after: raise, clear_after: clear, ..qber() });
        let mut before: Option<Severity> = None;
        for (index, value) in values.iter().enumerate() {
            let now = watch.sample(*value).map(|judgement| judgement.severity);
            let last = |n: u32| (index + 1).checked_sub(n as usize).map(|from| &values[from..=index]);
            if now > before {
                let (_, level) = qber().levels.into_iter().find(|(s, _)| Some(*s) == now).unwrap();
                prop_assert!(last(raise).unwrap().iter().all(|v| *v > level));
            }
            if now < before {
                let (_, level) = qber().levels.into_iter().find(|(s, _)| Some(*s) == before).unwrap();
                prop_assert!(last(clear).unwrap().iter().all(|v| *v < level - 0.5));
            }
            before = now;
        }
    }
}
