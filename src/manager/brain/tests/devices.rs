//! Devices that come and go, and what the manager says of it.

use super::played::play;

/// Once; and one that is back at once is not worth an alarm.
#[test]
fn a_device_that_is_not_back_soon_is_reported() {
    play("y3804-10.3/unreachable");
}

#[test]
fn a_device_that_is_not_managed_any_more_leaves_nothing_behind() {
    play("y3804-10.3/device-removed");
}

#[test]
fn what_a_device_does_not_report_any_more_is_cleared_when_it_is_read() {
    play("y3804-10.3/not-reported-any-more");
}

#[test]
fn dropped_notifications_are_an_alarm_until_the_device_was_read() {
    play("y3804-10.3/gap");
}

#[test]
fn an_operators_acknowledgement_outlives_reading_and_restarting() {
    play("y3804-10.3/acknowledged");
}

#[test]
fn what_was_told_earlier_does_not_undo_what_was_read_since() {
    play("y3804-10.3/old-events");
}
