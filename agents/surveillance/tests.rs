//! From samples to alarms, with a device made of two numbers.

use super::*;
use crate::alarm::{Threshold, Transition};
use crate::driver::{AlarmType, Reading};
use crate::performance::{Granularity, Kind, Quantity};
use proptest::prelude::*;

const HEAT: Quantity = Quantity { identity: "t:heat", description: "Heat", unit: "celsius", kind: Kind::Gauge };

const fn alarm_type(identity: &'static str, severities: &'static [Severity]) -> AlarmType {
    AlarmType { identity, description: "", class: "equipment", will_clear: true, severities }
}

static ALARM_TYPES: &[AlarmType] = &[
    alarm_type("t:hot", &[Severity::Warning, Severity::Major]),
    alarm_type("t:burning", &[Severity::Critical]),
    alarm_type("t:dead", &[Severity::Critical]),
];

fn device() -> Device {
    Device {
        resource_id: "box".to_owned(),
        container: "t:box",
        kind: "t:box",
        reference_point: "mq",
        layer: "quantum",
        quantities: &[HEAT],
        alarm_types: ALARM_TYPES,
        failure: "t:dead",
        operations: &[],
        capabilities: &[],
        simulated: true,
    }
}

fn rules(warning: f64, major: f64) -> Rules {
    let threshold = Threshold {
        direction: Direction::Rising,
        levels: vec![(Severity::Warning, warning), (Severity::Major, major)],
        hysteresis: 1.0,
        raise_after: 2,
        clear_after: 2,
    };
    let rule = Rule { quantity: "t:heat", alarm_type: Some("t:hot"), qualifier: "", threshold };
    Rules { sampling: std::time::Duration::from_secs(1), thresholds: vec![rule] }
}

fn surveillance() -> Surveillance {
    let performance = Performance::new(SignedDuration::from_secs(1));
    Surveillance::new(&device(), rules(50.0, 70.0), AlarmList::default(), performance)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn heat(value: f64) -> Sample {
    let reading = Reading { target: "box".to_owned(), quantity: "t:heat", value };
    Sample { readings: vec![reading], conditions: Vec::new() }
}

fn burning() -> Condition {
    Condition { resource: "box".to_owned(), alarm_type: "t:burning", text: "It burns".to_owned() }
}

fn hot() -> AlarmKey {
    AlarmKey::new("box", "t:hot")
}

fn transitions(findings: &Findings) -> Vec<(&str, Transition)> {
    findings.changes.iter().map(|change| (change.key.alarm_type.as_str(), change.transition)).collect()
}

#[test]
fn a_threshold_raises_updates_and_clears_one_alarm() {
    let mut surveillance = surveillance();
    let mut story = Vec::new();
    for (second, value) in (0..).zip([49.0, 60.0, 60.0, 60.0, 80.0, 80.0, 60.0, 60.0, 40.0, 40.0, 40.0]) {
        let findings = surveillance.sample(&heat(value), at(second));
        story.extend(findings.changes.iter().map(|change| (second, change.transition)));
        for crossing in findings.crossings {
            assert_eq!((crossing.value, crossing.time), (value, at(second)));
        }
    }
    let expected =
        [(2, Transition::Raised), (5, Transition::Updated), (7, Transition::Updated), (9, Transition::Cleared)];
    assert_eq!(story, expected);
    let alarm = surveillance.alarms.get(&hot()).unwrap();
    assert_eq!((alarm.id, alarm.time_created, alarm.is_cleared()), (1, at(2), true));
    let texts: Vec<&str> = alarm.status_changes.iter().map(|change| change.text.as_str()).collect();
    assert_eq!(texts[0], "Heat: above the warning threshold of 50 celsius");
    let value = alarm.status_changes[1].value.as_ref().unwrap();
    assert_eq!((value.value, value.threshold, value.unit.as_str()), (80.0, Some(70.0), "celsius"));
}

#[test]
fn crossings_are_told_in_both_directions() {
    let mut surveillance = surveillance();
    let mut told = Vec::new();
    for (second, value) in (0..).zip([80.0, 80.0, 60.0, 60.0, 40.0, 40.0]) {
        let crossings = surveillance.sample(&heat(value), at(second)).crossings;
        told.extend(crossings.into_iter().map(|c| (second, c.level.severity, c.level.level, c.raised)));
    }
    let expected =
        [(1, Severity::Major, 70.0, true), (3, Severity::Major, 70.0, false), (5, Severity::Warning, 50.0, false)];
    assert_eq!(told, expected);
}

#[test]
fn conditions_raise_at_once_and_clear_when_they_end() {
    let mut surveillance = surveillance();
    let raised = surveillance.conditions(&[burning()], at(0));
    assert_eq!(transitions(&raised), [("t:burning", Transition::Raised)]);
    assert_eq!(surveillance.alarms.worst(), Some(Severity::Critical));
    let same = surveillance.sample(&Sample { conditions: vec![burning()], ..heat(1.0) }, at(1));
    assert_eq!(same.changes, []);
    let over = surveillance.sample(&heat(1.0), at(2));
    assert_eq!(transitions(&over), [("t:burning", Transition::Cleared)]);
}

#[test]
fn what_is_not_measured_any_more_is_not_out_of_bounds() {
    let mut surveillance = surveillance();
    surveillance.sample(&heat(80.0), at(0));
    surveillance.sample(&heat(80.0), at(1));
    assert_eq!(surveillance.sample(&Sample::default(), at(2)).changes, [], "one may be missing");
    let findings = surveillance.sample(&Sample::default(), at(3));
    assert_eq!(transitions(&findings), [("t:hot", Transition::Cleared)]);
    assert_eq!(surveillance.alarms.get(&hot()).unwrap().status().text, "Not measured any more");
}

#[test]
fn a_device_that_does_not_answer_is_an_alarm_and_changes_no_other() {
    let mut surveillance = surveillance();
    surveillance.sample(&heat(80.0), at(0));
    surveillance.sample(&heat(80.0), at(1));
    for second in 2..9 {
        let findings = surveillance.failure("timeout", at(second));
        assert_eq!(findings.changes.len(), usize::from(second == 2));
    }
    assert!(!surveillance.alarms.get(&hot()).unwrap().is_cleared());
    let back = surveillance.sample(&heat(80.0), at(9));
    assert_eq!(transitions(&back), [("t:dead", Transition::Cleared)]);
}

#[test]
fn new_thresholds_take_effect() {
    let mut surveillance = surveillance();
    for second in 0..2 {
        surveillance.sample(&heat(60.0), at(second));
    }
    let id = surveillance.alarms.get(&hot()).unwrap().id;
    surveillance.set_rules(rules(55.0, 58.0), at(2));
    for second in 3..5 {
        surveillance.sample(&heat(60.0), at(second));
    }
    let alarm = surveillance.alarms.get(&hot()).unwrap();
    assert_eq!((alarm.status().severity, alarm.is_cleared(), alarm.id), (Severity::Major, false, id));
    assert_eq!(alarm.status_changes.len(), 3, "raised, told with the new level, worse");
    let none = Rules { thresholds: Vec::new(), ..rules(0.0, 0.0) };
    let findings = surveillance.set_rules(none, at(6));
    assert_eq!(transitions(&findings), [("t:hot", Transition::Cleared)]);
}

#[test]
fn a_restart_neither_forgets_nor_repeats() {
    let mut surveillance = surveillance();
    surveillance.conditions(&[burning()], at(0));
    surveillance.sample(&Sample { conditions: vec![burning()], ..heat(80.0) }, at(0));
    surveillance.sample(&Sample { conditions: vec![burning()], ..heat(80.0) }, at(1));
    let alarms = AlarmList::restore(surveillance.alarms.iter().cloned(), surveillance.alarms.last_id());
    let mut again = Surveillance::new(&device(), rules(50.0, 70.0), alarms, surveillance.performance);
    assert_eq!(again.sample(&Sample { conditions: vec![burning()], ..heat(80.0) }, at(5)).changes, []);
    let findings = again.sample(&heat(75.0), at(6));
    assert_eq!(transitions(&findings), [("t:burning", Transition::Cleared)], "over while nobody looked");
    again.sample(&heat(40.0), at(7));
    let findings = again.sample(&heat(40.0), at(8));
    assert_eq!(transitions(&findings), [("t:hot", Transition::Cleared)]);
    assert_eq!(again.alarms.iter().map(|alarm| alarm.id).max(), Some(2), "no new alarms");
}

#[test]
fn an_alarm_outlives_a_restart_in_which_nothing_is_measured_yet() {
    let mut surveillance = surveillance();
    surveillance.sample(&heat(80.0), at(0));
    surveillance.sample(&heat(80.0), at(1));
    let alarms = AlarmList::restore(surveillance.alarms.iter().cloned(), surveillance.alarms.last_id());
    let mut again = Surveillance::new(&device(), rules(50.0, 70.0), alarms, surveillance.performance);
    assert_eq!(again.sample(&Sample::default(), at(5)).changes, []);
    assert_eq!(again.sample(&heat(80.0), at(6)).changes, []);
}

#[test]
fn an_interval_is_measured_to_its_end() {
    let mut surveillance = surveillance();
    let begin = Granularity::FifteenMinutes.start_of(at(0)).as_second() - at(0).as_second();
    let finished: Vec<Finished> =
        (0..=900).flat_map(|second| surveillance.sample(&heat(1.0), at(begin + 900 + second)).finished).collect();
    let validities: Vec<_> =
        finished.iter().map(|f| (f.interval.samples(), f.interval.validity(f.granularity))).collect();
    assert_eq!(validities, [(900, crate::performance::Validity::Complete)]);
}

proptest! {
    /// Whatever a device says: an alarm is on if and only if its condition holds or its watch says so, and every change of that is told.
    #[test]
    fn alarms_follow_what_holds(steps in prop::collection::vec((prop::option::of(30.0..90.0), any::<bool>(), 0u8..10), 1..120)) {
        let mut surveillance = surveillance();
        let mut on: BTreeMap<String, bool> = BTreeMap::new();
        for (second, (value, burns, failure)) in (0..).zip(steps) {
            let findings = if failure == 0 {
                surveillance.failure("test", at(second))
            } else {
                let mut sample = value.map(heat).unwrap_or_default();
                sample.conditions.extend(burns.then(burning));
                surveillance.sample(&sample, at(second))
            };
            for change in &findings.changes {
                let is_on = change.transition != Transition::Cleared;
                on.insert(change.key.alarm_type.clone(), is_on);
            }
            for alarm in surveillance.alarms.iter() {
                prop_assert_eq!(on.get(&alarm.key.alarm_type), Some(&!alarm.is_cleared()), "told");
            }
            let is_on = |name: &str| on.get(name).copied().unwrap_or(false);
            if failure != 0 {
                prop_assert_eq!(is_on("t:burning"), burns);
                prop_assert!(!is_on("t:dead"));
                let key = SeriesKey { target: "box".to_owned(), quantity: "t:heat".to_owned() };
                prop_assert_eq!(is_on("t:hot"), surveillance.level(&key).is_some());
            } else {
                prop_assert!(is_on("t:dead"));
            }
        }
        let samples: u32 = surveillance.performance.iter()
            .flat_map(|(_, series)| series.history(Granularity::FifteenMinutes).chain(series.running(Granularity::FifteenMinutes)))
            .map(|interval| interval.samples()).sum();
        prop_assert!(samples <= 120);
    }
}
