//! Clause 10.3: from the layers' reports to the topology of the whole and its errors.

use std::collections::BTreeSet;

use super::played::play;
use crate::topology::{KEY_MANAGEMENT, QUANTUM};

#[test]
fn a_restart_keeps_what_devices_told_that_are_not_back() {
    play("y3804-10.3/restart");
}

#[test]
fn an_operator_asks_for_a_run_and_is_answered_at_its_end() {
    play("y3804-10.3/asked-for");
}

#[test]
fn a_device_that_does_not_answer_does_not_hold_the_run_up_for_ever() {
    play("y3804-10.3/not-in-time");
}

/// What is only measured is no change.
#[test]
fn a_changed_configuration_is_correlated_anew() {
    play("y3804-10.3/changed");
}

#[test]
fn the_layers_are_read_in_any_order_and_put_together() {
    let networks = play("y3804-10.3/whole-network").networks;
    assert_eq!(
        networks,
        play("y3804-10.3/whole-network-backwards").networks,
        "it does not depend on who was read first"
    );
    let km_layer = networks.iter().find(|network| network.network_id == KEY_MANAGEMENT).unwrap();
    assert!(km_layer.link.iter().all(|link| link.residual_bits == Some(5_000_000)), "{km_layer:?}");
    let quantum = networks.iter().find(|network| network.network_id == QUANTUM).unwrap();
    let groups = quantum.link.iter().map(|link| (link.link_id.as_str(), link.protection_group.as_deref()));
    assert_eq!(groups.collect::<Vec<_>>(), [("urn:qkdn:t:link:l1", None), ("urn:qkdn:t:link:l2", Some("b-to-c"))]);
}

#[test]
fn every_kind_of_error_is_found_explained_raised_and_cleared() {
    let kept = play("y3804-10.3/every-kind-of-error");
    let kinds: BTreeSet<&str> = kept.inconsistencies.iter().map(|found| found.kind.as_str()).collect();
    let all = [
        "dangling-link",
        "dangling-module",
        "duplicate-identifier",
        "link-without-km-pair",
        "parameter-mismatch",
        "peer-mismatch",
        "role-mismatch",
        "unknown-resource",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), all);
    for found in &kept.inconsistencies {
        let alarm = kept.alarms.iter().find(|alarm| Some(&alarm.alarm_id) == found.alarm_id.as_ref()).unwrap();
        assert!(alarm.alarm_text.contains(&found.text) && !alarm.is_cleared, "{found:?} {alarm:?}");
    }
    // Corrected on the devices and read anew: the alarms are over.
    let kept = play("y3804-10.3/every-error-corrected");
    assert_eq!(kept.inconsistencies, []);
    assert!(!kept.alarms.is_empty() && kept.alarms.iter().all(|alarm| alarm.is_cleared), "{:?}", kept.alarms);
}
