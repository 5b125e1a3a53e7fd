//! Devices that come and go, and what the manager says of it.

use super::network::*;
use super::script::*;
use crate::input::Input;
use crate::model::Severity::Major;
use crate::model::{ConnectionState, Severity};

#[test]
fn a_device_that_is_lost_is_reported_when_it_is_not_back_soon() {
    let network = ring();
    let mut script = Script::of(&network);
    script.lose("ab-rx");
    script.tick(1);
    assert_eq!(script.alarms(), []);
    script.tick(1);
    let alarm = script.alarm("agent-unreachable");
    assert_eq!((alarm.perceived_severity, alarm.is_cleared), (Major, false));
    assert_eq!((alarm.device.as_deref(), &alarm.key.resource), (Some("ab-rx"), &id("module", "ab-rx")));
    assert!(notified_alarms(&script.tick(1)).is_empty(), "once");
    script.read("ab-rx", network[0].1.clone());
    assert!(script.alarm("agent-unreachable").is_cleared);
    let state = script.kept().devices.iter().find(|state| state.name == "ab-rx").unwrap();
    assert_eq!(state.connection_state, ConnectionState::Operational);
}

#[test]
fn a_device_that_is_back_at_once_is_not_worth_an_alarm() {
    let network = ring();
    let mut script = Script::of(&network);
    script.lose("ab-rx");
    script.wait(1).read("ab-rx", network[0].1.clone());
    script.tick(5);
    assert_eq!(script.alarms(), []);
}

#[test]
fn what_a_device_does_not_report_any_more_is_cleared_when_it_is_read() {
    let network = ring();
    let mut script = Script::of(&network);
    script.tell(event("ab-rx", status(&id("link", "ab"), "skr-low", at(1), Some(Severity::Warning))));
    assert!(!script.alarm("skr-low").is_cleared);
    script.lose("ab-rx");
    script.wait(1).read("ab-rx", network[0].1.clone());
    assert!(script.alarm("skr-low").is_cleared);
}

#[test]
fn dropped_notifications_are_an_alarm_until_the_device_was_read() {
    let network = ring();
    let mut script = Script::of(&network);
    script.tell(Input::Gap { device: "ab-rx".to_owned(), lost: 7 });
    assert!(script.alarm("notification-gap").alarm_text.contains('7'));
    script.wait(1).read("ab-rx", network[0].1.clone());
    assert!(script.alarm("notification-gap").is_cleared);
}
