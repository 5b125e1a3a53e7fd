//! Clause 10.1.1: from the alert to the controller.

use super::played::play;

/// The receiver is asked. The other end's alarm is the same one, which clears when both say so; the next is another incident.
#[test]
fn the_eight_steps_from_an_alert_of_both_ends_to_the_controller() {
    play("y3804-10.1.1/qber-at-both-ends");
}

/// What the other end tells later, too, belongs to the run.
#[test]
fn a_backup_channel_takes_a_cut_link() {
    play("y3804-10.1.1/backup-channel");
}

/// A step that is skipped says so.
#[test]
fn without_a_module_to_ask_the_alarms_decide() {
    play("y3804-10.1.1/diagnostic-skipped");
}

#[test]
fn a_failed_port_is_led_around() {
    play("y3804-10.1.1/port-fault");
}

/// The port is still broken, and of no concern.
#[test]
fn a_link_that_was_led_around_a_failed_port_can_fail_again() {
    play("y3804-10.1.1/led-around-a-port");
}

/// Its other pair is as dead: the trace says why it is no alternative. One of two that fails leaves the other.
#[test]
fn a_dead_relay_point_is_no_way_around_itself() {
    play("y3804-10.1.1/dead-relay-point");
}

#[test]
fn a_relay_point_with_a_dead_relay_joins_the_other() {
    play("y3804-10.1.1/dead-relay");
}

/// The other relay serves no link, and its alarm is none of a link's.
#[test]
fn an_alarm_of_a_relay_is_one_of_the_link_that_it_joins() {
    play("y3804-10.1.1/relay-alarm");
}

/// Both channels have the same laser.
#[test]
fn a_backup_channel_does_not_help_a_failed_laser() {
    play("y3804-10.1.1/laser");
}

#[test]
fn a_link_that_may_be_listened_to_goes_out_of_service() {
    play("y3804-10.1.1/eavesdropping");
}

/// What follows from a cause comes late, and is no other incident.
#[test]
fn two_links_that_fail_at_once_have_a_run_each() {
    play("y3804-10.1.1/two-links-at-once");
}

#[test]
fn what_is_over_before_the_decision_needs_no_action() {
    play("y3804-10.1.1/over-before-the-decision");
}

#[test]
fn a_warning_is_watched_and_what_gets_worse_is_dealt_with() {
    play("y3804-10.1.1/worse");
}

#[test]
fn a_run_without_a_controller_waits_and_goes_on_when_one_is_there() {
    play("y3804-10.1.1/controller-unreachable");
}

#[test]
fn a_controller_that_goes_away_has_refused_nothing() {
    play("y3804-10.1.1/controller-goes-away");
}

/// Not at once, and also after a restart.
#[test]
fn an_action_that_is_refused_gives_way_to_the_next() {
    play("y3804-10.1.1/refused");
}

/// Asked again, as the answer went to the manager that is gone; sent again as the same action; and once it is over no more.
#[test]
fn a_restart_in_the_middle_goes_on_and_does_nothing_twice() {
    play("y3804-10.1.1/restart");
}

#[test]
fn what_is_replayed_is_known() {
    play("y3804-10.1.1/replayed");
}

#[test]
fn an_alert_that_is_replayed_before_its_link_is_known_is_dealt_with_when_it_is() {
    play("y3804-10.1.1/replayed-early");
}

#[test]
fn a_purged_alarm_is_not_missed() {
    play("y3804-10.1.1/purged");
}

/// When the root is over, what stays has another.
#[test]
fn the_root_of_a_links_alarms_is_told_over_the_layers() {
    play("y3804-10.1.1/root-over-the-layers");
}

/// A failure that is told twice is one.
#[test]
fn an_action_that_was_accepted_and_fails_gives_way_to_the_next() {
    play("y3804-10.1.1/action-fails");
}

/// The first is replayed, the second was read: the manager is killed between them, and goes on each time.
#[test]
fn an_action_that_fails_while_nobody_listens_is_heard_of() {
    play("y3804-10.1.1/action-fails-while-away");
}

#[test]
fn what_came_of_an_action_may_be_told_before_the_answer() {
    play("y3804-10.1.1/told-before-the-answer");
}

#[test]
fn an_action_that_failed_when_all_was_over_needs_no_alternative() {
    play("y3804-10.1.1/over-when-it-failed");
}

#[test]
fn a_controller_that_does_not_tell_how_it_ended_is_not_waited_for_for_ever() {
    play("y3804-10.1.1/silent-controller");
}
