//! The manager's alarm list at its limit.

use super::network::{event, plan, ring, status};
use super::script::at;
use crate::alarm::{AlarmList, MAX_ALARMS};
use crate::brain::Manager;
use crate::input::{Effect, Input, Recovered};
use crate::model::Severity;
use crate::record::{Alarm, Record};

#[test]
fn an_alarm_that_makes_room_leaves_the_store_too() {
    let mut list = AlarmList::default();
    list.report("m", &status("", "skr-low", at(0), Some(Severity::Major)));
    list.report("m", &status("", "skr-low", at(1), None));
    let model = list.iter().next().unwrap().clone();
    let alarm = |number: usize| {
        let mut alarm = Alarm { alarm_id: format!("alarm-{number}"), last_changed: at(number as i64), ..model.clone() };
        alarm.key.resource = format!("urn:qkdn:link:{number}");
        alarm
    };
    let alarms: Vec<Alarm> = (1..=MAX_ALARMS).map(alarm).collect();
    let oldest = alarms[0].key.clone();
    let recovered = Recovered { alarms, last_alarm: MAX_ALARMS as u64, ..Recovered::default() };
    let (mut manager, _) = Manager::recover(recovered, at(MAX_ALARMS as i64));
    let (name, report) = &ring()[0];
    manager.handle(Input::Devices(vec![plan(name, report)]), at(0));
    let new = status("urn:qkdn:link:new", "skr-low", at(MAX_ALARMS as i64), Some(Severity::Major));
    let effects = manager.handle(event(name, new), at(MAX_ALARMS as i64));
    let of_store = effects.iter().filter_map(|effect| match effect {
        Effect::Store(Record::AlarmPurged(key)) => Some((false, key.clone())),
        Effect::Store(Record::Alarm(alarm)) => Some((true, alarm.key.clone())),
        _ => None,
    });
    let of_store: Vec<_> = of_store.collect();
    assert_eq!(of_store.len(), 2, "{of_store:?}");
    assert_eq!(of_store[0], (false, oldest));
    assert!(of_store[1].0 && of_store[1].1.resource == "urn:qkdn:link:new", "{of_store:?}");
}
