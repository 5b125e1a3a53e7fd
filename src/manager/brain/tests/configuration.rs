//! Clause 10.3: from the layers' reports to the topology of the whole and its errors.

use std::collections::BTreeSet;

use super::network::*;
use super::script::*;
use crate::input::{Answer, Effect, Input, Request};
use crate::model::ConnectionState;
use crate::record::{Presence, RunState};
use crate::topology::{CONTROL, KEY_MANAGEMENT, QKDN, QUANTUM};

#[test]
fn the_layers_are_read_in_any_order_and_put_together() {
    let mut network = ring();
    let end = network.iter_mut().find(|(name, _)| *name == "bc-tx").unwrap();
    module_facts(&mut end.1).link.protection_group = Some("b-to-c".to_owned());
    let mut orders = [network.clone(), network.clone()];
    orders[1].reverse();
    let mut ends = Vec::new();
    for order in orders {
        let mut script = Script::new();
        script.tell(Input::Devices(order.iter().map(|(name, report)| plan(name, report)).collect()));
        order.iter().for_each(|(name, report)| drop(script.read(name, report.clone())));
        let (run, mut steps) = script.last_run();
        assert_eq!((run.state, script.runs.len()), (RunState::Completed, 1));
        assert_eq!(steps.pop(), Some(7));
        steps.sort_unstable();
        assert_eq!(steps, [1, 2, 3, 4, 5, 6]);
        assert_eq!(script.kept().inconsistencies, []);
        ends.push(script.kept().networks.clone());
    }
    assert_eq!(ends[0], ends[1], "the topology does not depend on who was read first");
    let of = |name: &str| ends[0].iter().find(|network| network.network_id == name).unwrap();
    let sizes = |name: &str| (of(name).node.len(), of(name).link.len());
    assert_eq!([sizes(QUANTUM), sizes(KEY_MANAGEMENT), sizes(CONTROL), sizes(QKDN)], [(7, 3), (3, 6), (1, 0), (3, 3)]);
    let km_link = of(KEY_MANAGEMENT).link.iter().find(|link| link.link_id == id("km-link", "a--b")).unwrap();
    assert_eq!(km_link.supporting_link, [(QUANTUM.to_owned(), id("link", "ab"))]);
    assert_eq!(km_link.residual_bits, Some(5_000_000));
    let link = of(QUANTUM).link.iter().find(|link| link.link_id == id("link", "bc")).unwrap();
    assert_eq!((link.source.0.as_str(), link.length), (id("module", "bc-tx").as_str(), Some(45.0)));
    assert_eq!(link.protection_group.as_deref(), Some("b-to-c"));
}

#[test]
fn every_kind_of_error_is_found_explained_raised_and_cleared() {
    let mut network = ring();
    let report = |network: &mut Vec<(&'static str, _)>, name: &str| -> usize {
        network.iter().position(|(known, _)| *known == name).unwrap()
    };
    // ab: both transmit, and differ in length.
    let at_ab = report(&mut network, "ab-rx");
    let facts = module_facts(&mut network[at_ab].1);
    facts.role = Some("transmitter".to_owned());
    facts.link.length = Some(40.0);
    // bc: one end names another peer, and one KM does not know the link.
    let at_bc = report(&mut network, "bc-rx");
    module_facts(&mut network[at_bc].1).link.peer_module_id = Some(id("module", "ab-tx"));
    let at_km = report(&mut network, "km-c");
    km_facts(&mut network[at_km].1).km_link.retain(|link| link.name != "to-b");
    km_facts(&mut network[at_km].1).source_module.push(id("module", "nowhere"));
    // ca: one end is on no link at all, and the other end is left alone.
    let at_ca = report(&mut network, "ca-rx");
    module_facts(&mut network[at_ca].1).link = Default::default();
    let at_tx = report(&mut network, "ca-tx");
    module_facts(&mut network[at_tx].1).link.peer_module_id = Some(id("module", "lost-rx"));
    // The switch says that it is the controller.
    let at_os = report(&mut network, "os");
    network[at_os].1.id = Some(id("controller", "controller"));

    let mut script = Script::new();
    script.tell(Input::Devices(network.iter().map(|(name, report)| plan(name, report)).collect()));
    network.iter().for_each(|(name, report)| drop(script.read(name, report.clone())));
    script.matches_golden("y3804-10.3/every-kind-of-error.jsonl");
    let found = script.kept().inconsistencies.clone();
    let kinds: BTreeSet<&str> = found.iter().map(|found| found.kind.as_str()).collect();
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
    for found in &found {
        let alarm = script.alarms().iter().find(|alarm| Some(&alarm.alarm_id) == found.alarm_id.as_ref()).unwrap();
        assert!(alarm.alarm_text.contains(&found.text) && !alarm.is_cleared, "{found:?} {alarm:?}");
    }

    // Corrected on the devices and read anew: the alarms are over.
    for (name, report) in ring() {
        script.wait(1).read(name, report);
    }
    assert_eq!(script.kept().inconsistencies, []);
    assert!(script.alarms().iter().all(|alarm| alarm.is_cleared), "{:?}", script.alarms());
}

#[test]
fn an_operator_asks_for_a_run_and_is_answered_at_its_end() {
    let network = ring();
    let mut script = Script::of(&network);
    let effects = script.ask(Request::RunConfigurationProcedure { devices: Vec::new() });
    let asked = effects.iter().filter(|effect| matches!(effect, Effect::Synchronize { .. })).count();
    assert_eq!(asked, network.len());
    let mut answers = Vec::new();
    for (name, report) in &network {
        let report = Box::new(report.clone());
        let effects = script.tell(Input::Synchronized { device: (*name).to_owned(), report });
        answers.extend(effects.into_iter().filter(|effect| matches!(effect, Effect::Answer { .. })));
    }
    let answer = Answer::ConfigurationProcedure { run_id: "run-2".to_owned(), inconsistencies: 0 };
    assert_eq!(answers, [Effect::Answer { number: 1, answer: Ok(answer) }]);
}

#[test]
fn a_device_that_does_not_answer_does_not_hold_the_run_up_for_ever() {
    let network = ring();
    let mut script = Script::new();
    script.tell(Input::Devices(network.iter().map(|(name, report)| plan(name, report)).collect()));
    for (name, report) in network.iter().filter(|(name, _)| *name != "os") {
        script.read(name, report.clone());
    }
    assert_eq!(script.last_run().0.state, RunState::Running);
    script.tick(21);
    let (run, _) = script.last_run();
    assert_eq!(run.state, RunState::Failed);
    assert!(run.outcome.as_deref().unwrap().contains("os (not read in time)"), "{run:?}");
    let resource = script.kept().resources.iter().find(|resource| resource.resource_id == id("switch", "os")).unwrap();
    assert_eq!(resource.presence, Presence::Planned);
    let state = script.kept().devices.iter().find(|state| state.name == "os").unwrap();
    assert_eq!(state.connection_state, ConnectionState::Connecting);
}

#[test]
fn a_changed_configuration_is_correlated_anew() {
    let mut network = ring();
    let mut script = Script::of(&network);
    let change = crate::facts::DeviceEvent {
        time: at(1),
        sequence_number: None,
        content: crate::facts::EventContent::Other("ietf-netconf-notifications:netconf-config-change".to_owned()),
    };
    script.tell(Input::Event { device: "ab-rx".to_owned(), event: Box::new(change) });
    let effects = script.tick(1);
    assert!(effects.contains(&Effect::Synchronize { device: "ab-rx".to_owned() }), "{effects:?}");
    let report = &mut network[0].1;
    module_facts(report).state.qber = Some(3.0);
    script.tell(Input::Synchronized { device: "ab-rx".to_owned(), report: Box::new(report.clone()) });
    assert_eq!(script.runs.len(), 1, "only a measurement differs");
    module_facts(report).role = Some("transmitter".to_owned());
    script.tell(Input::Synchronized { device: "ab-rx".to_owned(), report: Box::new(report.clone()) });
    assert_eq!(script.runs.len(), 2);
    assert_eq!(script.kept().inconsistencies[0].kind, "role-mismatch");
}
