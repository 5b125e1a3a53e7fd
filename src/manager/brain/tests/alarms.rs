//! The manager's alarm list at its limit.

use super::played::time;
use super::world::World;
use crate::alarm::{AlarmList, MAX_ALARMS, own_alarm};
use crate::brain::Manager;
use crate::input::{Effect, Input, Recovered};
use crate::model::Severity;
use crate::record::{Alarm, Record};

#[test]
fn an_alarm_that_makes_room_leaves_the_store_too() {
    let mut list = AlarmList::default();
    for (second, severity) in [(0.0, Some(Severity::Major)), (1.0, None)] {
        list.report("m", &own_alarm("", "skr-low", severity, "", "quality-of-service", time(second)));
    }
    let model = list.iter().next().unwrap().clone();
    let alarm = |number: usize| {
        let mut alarm =
            Alarm { alarm_id: format!("alarm-{number}"), last_changed: time(number as f64), ..model.clone() };
        alarm.key.resource = format!("urn:qkdn:link:{number}");
        alarm
    };
    let alarms: Vec<Alarm> = (1..=MAX_ALARMS).map(alarm).collect();
    let oldest = alarms[0].key.clone();
    let recovered = Recovered { alarms, last_alarm: MAX_ALARMS as u64, ..Recovered::default() };
    let now = time(MAX_ALARMS as f64);
    let (mut manager, _) = Manager::recover(recovered, now);
    let mut world = World::named("line");
    manager.handle(Input::Devices(world.plans(&[])), time(0.0));
    let event = Box::new(world.alarm("l1-rx", "link:l1", "skr-low", Some(Severity::Major), now));
    let effects = manager.handle(Input::Event { device: "l1-rx".to_owned(), event }, now);
    let of_store = effects.iter().filter_map(|effect| match effect {
        Effect::Store(Record::AlarmPurged(key)) => Some((false, key.clone())),
        Effect::Store(Record::Alarm(alarm)) => Some((true, alarm.key.clone())),
        _ => None,
    });
    let of_store: Vec<_> = of_store.collect();
    assert_eq!(of_store.len(), 2, "{of_store:?}");
    assert_eq!(of_store[0], (false, oldest));
    assert!(of_store[1].0 && of_store[1].1.resource.ends_with("link:l1"), "{of_store:?}");
}
