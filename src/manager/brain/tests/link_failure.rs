//! Clause 10.1.1: from the alert to the controller.

use super::network::*;
use super::script::*;
use crate::input::{Answer, Effect, Request};
use crate::model::Severity::{Critical, Major, Warning};
use crate::record::{Procedure, RunState};

const QBER: &str = "qber-threshold-exceeded";

#[test]
fn the_eight_steps_from_an_alert_of_both_ends_to_the_controller() {
    let mut script = Script::of(&ring());
    let link = id("link", "ab");
    script.wait(10);
    let first = script.tell(event("ab-rx", status(&link, QBER, at(9), Some(Major))));
    assert_eq!(diagnoses(&first), [("run-2", "ab-rx")], "the receiver measures");
    let second = script.tell(event("ab-tx", status(&link, QBER, at(9), Some(Major))));
    assert_eq!((diagnoses(&second), notified_alarms(&second).len()), (vec![], 0), "it is the same alarm");
    script.wait(2);
    let effects = script.diagnosed("run-2", "ab-rx", Ok(diagnosis("misalignment")));
    assert_eq!(actions(&effects), [("run-2", "backup-channel-activation", "run-2.1772366410.1")]);
    script.controlled("run-2", Ok("action-1"));
    let (run, steps) = script.last_run();
    assert_eq!((run.state, steps), (RunState::Completed, vec![1, 2, 3, 4, 5, 6, 7, 8]));
    assert_eq!(script.alarm(QBER).run_id.as_deref(), Some("run-2"));
    // It is cleared when both ends say so.
    script.wait(60);
    script.tell(event("ab-rx", status(&link, QBER, at(70), None)));
    assert!(!script.alarm(QBER).is_cleared);
    script.tell(event("ab-tx", status(&link, QBER, at(71), None)));
    assert!(script.alarm(QBER).is_cleared);
    script.matches_golden("y3804-10.1.1/qber-at-both-ends.jsonl");
    // The next time it is another incident.
    let again = script.tell(event("ab-rx", status(&link, QBER, at(72), Some(Major))));
    assert_eq!(diagnoses(&again), [("run-3", "ab-rx")]);
}

#[test]
fn without_a_module_to_ask_the_alarms_decide() {
    let mut script = Script::of(&ring());
    script.wait(10);
    script.lose("bc-rx");
    script.lose("bc-tx");
    let port = format!("{}:port:p1", id("switch", "os"));
    let effects = script.tell(event("os", status(&port, "port-fault", at(10), Some(Critical))));
    assert_eq!(diagnoses(&effects), []);
    assert_eq!(actions(&effects).first().map(|(_, kind, _)| *kind), Some("switch-port"));
    script.controlled("run-2", Ok("action-1"));
    assert_eq!(script.last_run().1, [1, 2, 3, 4, 5, 6, 7, 8], "a step that is skipped says so");
    script.matches_golden("y3804-10.1.1/diagnostic-skipped.jsonl");
}

#[test]
fn two_links_that_fail_at_once_have_a_run_each() {
    let mut script = Script::of(&ring());
    let (ab, bc) = (id("link", "ab"), id("link", "bc"));
    script.wait(10);
    script.tell(event("ab-rx", status(&ab, QBER, at(10), Some(Major))));
    script.tell(event("bc-rx", status(&bc, "qkd-link-down", at(10), Some(Critical))));
    script.tell(event("ab-rx", status(&ab, "skr-low", at(11), Some(Major))));
    script.tell(event("bc-rx", status(&bc, "skr-low", at(11), Some(Major))));
    let second = script.wait(2).diagnosed("run-3", "bc-rx", Ok(diagnosis("fibre-cut")));
    let first = script.diagnosed("run-2", "ab-rx", Ok(diagnosis("eavesdropping")));
    assert_eq!(actions(&first).iter().map(|a| (a.0, a.1)).collect::<Vec<_>>(), [("run-2", "service-state-change")]);
    assert_eq!(actions(&second).iter().map(|a| (a.0, a.1)).collect::<Vec<_>>(), [("run-3", "switch-port")]);
    script.controlled("run-2", Ok("action-1"));
    script.controlled("run-3", Ok("action-2"));
    for (run, link) in
        script.runs.iter().map(|(run, _)| run).filter(|run| run.procedure == Procedure::LinkFailure).zip([&ab, &bc])
    {
        assert_eq!(run.resource_id.first(), Some(link));
        let of_run = |id: &String| script.alarms().iter().find(|alarm| alarm.alarm_id == *id).unwrap();
        assert_eq!(run.alarm_id.len(), 2);
        assert!(run.alarm_id.iter().all(|id| of_run(id).key.resource == *link), "{run:?}");
    }
    script.matches_golden("y3804-10.1.1/two-links-at-once.jsonl");
    // What follows from the cause comes late, and is no other incident.
    let late = script.tell(event("bc-rx", status(&bc, "quantum-channel-loss-high", at(14), Some(Critical))));
    assert_eq!(diagnoses(&late), []);
    assert_eq!(script.alarm("quantum-channel-loss-high").run_id.as_deref(), Some("run-3"));
}

#[test]
fn a_link_that_was_led_around_a_failed_port_can_fail_again() {
    let network = ring();
    let mut script = Script::of(&network);
    let (link, port) = (id("link", "bc"), format!("{}:port:p1", id("switch", "os")));
    script.tell(event("os", status(&port, "port-fault", at(1), Some(Critical))));
    script.tell(event("bc-rx", status(&link, "qkd-link-down", at(1), Some(Critical))));
    script.diagnosed("run-2", "bc-rx", Ok(diagnosis("fibre-cut")));
    script.controlled("run-2", Ok("action-1"));
    // The controller has moved the cross-connect; the port is still broken, and of no concern.
    let (_, mut switch) = network.into_iter().find(|(name, _)| *name == "os").unwrap();
    let crate::facts::Facts::OpticalSwitch(facts) = &mut switch.facts else { panic!("{switch:?}") };
    (facts.cross_connect[0].input, facts.cross_connect[0].output) = ("p3".to_owned(), "p4".to_owned());
    switch.alarms.push(status(&port, "port-fault", at(1), Some(Critical)));
    script.wait(5).tell(crate::input::Input::Synchronized { device: "os".to_owned(), report: Box::new(switch) });
    script.tell(event("bc-rx", status(&link, "qkd-link-down", at(6), None)));
    let effects = script.tell(event("bc-rx", status(&link, "qkd-link-down", at(7), Some(Critical))));
    assert_eq!(diagnoses(&effects).iter().map(|(_, device)| *device).collect::<Vec<_>>(), ["bc-rx"]);
    assert_eq!(script.alarm("qkd-link-down").root_alarm_id, None);
}

#[test]
fn what_is_over_before_the_decision_needs_no_action() {
    let mut script = Script::of(&ring());
    let link = id("link", "ca");
    script.wait(10);
    script.tell(event("ca-rx", status(&link, QBER, at(10), Some(Major))));
    script.tell(event("ca-rx", status(&link, QBER, at(11), None)));
    let effects = script.wait(2).diagnosed("run-2", "ca-rx", Ok(diagnosis("no-fault-found")));
    assert_eq!(actions(&effects), []);
    let (run, steps) = script.last_run();
    assert_eq!((run.state, steps), (RunState::NoAction, vec![1, 2, 3, 4]));
    script.matches_golden("y3804-10.1.1/over-before-the-decision.jsonl");
}

#[test]
fn a_warning_is_watched_and_what_gets_worse_is_dealt_with() {
    let mut script = Script::of(&ring());
    let link = id("link", "ca");
    script.tell(event("ca-rx", status(&link, QBER, at(1), Some(Warning))));
    assert_eq!(script.last_run().0.state, RunState::NoAction);
    let worse = script.tell(event("ca-rx", status(&link, QBER, at(2), Some(Major))));
    assert_eq!(diagnoses(&worse), [("run-3", "ca-rx")]);
}

#[test]
fn a_run_without_a_controller_waits_and_goes_on_when_one_is_there() {
    let network = ring();
    let mut script = Script::of(&network);
    script.wait(10);
    script.lose("controller");
    script.tell(event("ca-rx", status(&id("link", "ca"), QBER, at(10), Some(Major))));
    let effects = script.wait(2).diagnosed("run-2", "ca-rx", Err("it gave no answer within 10 s"));
    assert_eq!(actions(&effects), []);
    script.tick(4);
    assert_eq!(script.last_run().0.outcome, None, "it may be back soon");
    script.tick(1);
    let (run, steps) = script.last_run();
    assert_eq!((run.state, run.ended, steps), (RunState::Running, None, vec![1, 2, 3, 4, 5, 6, 7]));
    let outcome = "waits for a controller to send path-modification to: none is connected";
    assert_eq!(run.outcome.as_deref(), Some(outcome));
    assert_eq!(actions(&script.tick(60)), []);
    let (_, controller) = network.iter().find(|(name, _)| *name == "controller").unwrap();
    let effects = script.read("controller", controller.clone());
    assert_eq!(actions(&effects).iter().map(|a| (a.0, a.1)).collect::<Vec<_>>(), [("run-2", "path-modification")]);
    script.controlled("run-2", Ok("action-1"));
    let (run, steps) = script.last_run();
    assert_eq!((run.state, steps), (RunState::Completed, vec![1, 2, 3, 4, 5, 6, 7, 8]));
    script.matches_golden("y3804-10.1.1/controller-unreachable.jsonl");
}

#[test]
fn an_action_that_is_refused_gives_way_to_the_next() {
    let network = ring();
    let mut script = Script::of(&network);
    script.tell(event("ab-rx", status(&id("link", "ab"), QBER, at(1), Some(Major))));
    let sent = script.diagnosed("run-2", "ab-rx", Ok(diagnosis("misalignment")));
    let first = actions(&sent)[0].2.to_owned();
    script.controlled("run-2", Err("no such channel"));
    assert_eq!(actions(&script.tick(1)), [], "not at once");
    assert_eq!(actions(&script.tick(5)), [("run-2", "backup-channel-activation", first.as_str())]);
    script.controlled("run-2", Err("no such channel"));
    // Also after a restart it is the next one's turn.
    let mut network = network;
    network[0].1.alarms.push(status(&id("link", "ab"), QBER, at(1), Some(Major)));
    let effects = script.restart(&network);
    let sent = actions(&effects);
    assert_eq!(sent.iter().map(|a| (a.0, a.1)).collect::<Vec<_>>(), [("run-2", "path-modification")]);
    assert_ne!(sent[0].2, first);
    script.controlled("run-2", Err("no other path"));
    script.tick(6);
    script.controlled("run-2", Err("no other path"));
    let run = &script.runs.iter().find(|(run, _)| run.run_id == "run-2").unwrap().0;
    assert_eq!((run.state, run.ended.is_some()), (RunState::Failed, true));
}

#[test]
fn a_restart_in_the_middle_goes_on_and_does_nothing_twice() {
    let network = ring();
    let mut script = Script::of(&network);
    let link = id("link", "ab");
    script.wait(10);
    let alarm = status(&link, QBER, at(10), Some(Major));
    script.tell(event("ab-rx", alarm.clone()));
    // The devices hold the alarm in their lists, as they do.
    let mut network = network;
    network[0].1.alarms.push(alarm.clone());
    script.wait(5);
    let effects = script.restart(&network);
    assert_eq!(diagnoses(&effects), [("run-2", "ab-rx")], "asked again: the answer went to the manager that is gone");
    let sent = script.wait(2).diagnosed("run-2", "ab-rx", Ok(diagnosis("misalignment")));
    let operation = actions(&sent)[0].2.to_owned();
    script.wait(1);
    let effects = script.restart(&network);
    assert_eq!(actions(&effects), [("run-2", "backup-channel-activation", operation.as_str())], "still one action");
    script.controlled("run-2", Ok("action-1"));
    let (run, steps) = script.runs.iter().find(|(run, _)| run.run_id == "run-2").unwrap();
    assert_eq!(run.state, RunState::Completed);
    assert_eq!(steps.iter().map(|step| step.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(script.alarms().len(), 1);
    script.matches_golden("y3804-10.1.1/restart-in-the-middle.jsonl");
    // And a third start, when all is done, begins no other.
    let effects = script.restart(&network);
    assert_eq!((diagnoses(&effects), actions(&effects)), (vec![], vec![]));
    // What is replayed is known.
    let effects = script.tell(event("ab-rx", alarm));
    assert_eq!(effects, []);
}

#[test]
fn an_alert_that_is_replayed_before_its_link_is_known_is_dealt_with_when_it_is() {
    let network = ring();
    let mut script = Script::new();
    script.tell(crate::input::Input::Devices(network.iter().map(|(name, report)| plan(name, report)).collect()));
    let effects = script.tell(event("ca-rx", status(&id("link", "ca"), QBER, at(0), Some(Major))));
    assert_eq!((diagnoses(&effects), notified_alarms(&effects).len()), (vec![], 1));
    let mut asked = Vec::new();
    for (name, report) in network {
        let mut report = report;
        if name == "ca-rx" {
            report.alarms.push(status(&id("link", "ca"), QBER, at(0), Some(Major)));
        }
        asked.extend(diagnoses(&script.read(name, report)).into_iter().map(|(_, device)| device.to_owned()));
    }
    assert_eq!(asked, ["ca-rx"]);
    assert!(script.alarm(QBER).run_id.is_some());
}

#[test]
fn the_root_of_a_links_alarms_is_told_over_the_layers() {
    let mut script = Script::of(&ring());
    let link = id("link", "bc");
    let port = format!("{}:port:p1", id("switch", "os"));
    let store = format!("{}:store:c", id("km", "b"));
    script.tell(event("bc-rx", status(&link, "qkd-link-down", at(1), Some(Critical))));
    script.tell(event("km-b", status(&store, "key-store-low", at(2), Some(Warning))));
    let down = script.alarm("qkd-link-down").alarm_id.clone();
    assert_eq!(script.alarm("key-store-low").root_alarm_id.as_ref(), Some(&down));
    script.tell(event("os", status(&port, "port-fault", at(3), Some(Critical))));
    let root = script.alarm("port-fault").alarm_id.clone();
    assert_eq!(script.alarm("key-store-low").root_alarm_id.as_ref(), Some(&root));
    assert_eq!(script.alarm("qkd-link-down").root_alarm_id.as_ref(), Some(&root));
    let low = script.alarm("key-store-low").alarm_id.clone();
    let effects = script.ask(Request::RootCause { alarm_id: low.clone() });
    let [Effect::Answer { answer: Ok(Answer::RootCause(cause)), .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(cause.root_alarm_id.as_ref(), Some(&root));
    assert_eq!(cause.root_resource_id.as_ref(), Some(&port));
    assert_eq!(cause.related.iter().map(|(id, _)| id).collect::<Vec<_>>(), [&low, &down]);
    // The port is well again: what stays has another root.
    script.tell(event("os", status(&port, "port-fault", at(4), None)));
    assert_eq!(script.alarm("key-store-low").root_alarm_id.as_ref(), Some(&down));
    assert_eq!(script.alarm("qkd-link-down").root_alarm_id, None);
}
