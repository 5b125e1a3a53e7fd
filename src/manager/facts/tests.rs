//! Reports read from the examples of the models.

use netconf::xml::{Document, Limits};
use netconf::yang::edit::{read_data, read_operation};

use super::told::resource_of;
use super::*;
use crate::schema::device_schema;

fn example(name: &str) -> Tree {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../yang/examples").join(name);
    let text = format!(
        "<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">{}</data>",
        std::fs::read_to_string(path).unwrap()
    );
    let document = Document::parse(&text, &Limits::default()).unwrap();
    read_data(&device_schema(), document.root()).unwrap()
}

#[test]
fn a_module_tells_its_link_and_what_it_measures() {
    let report = Report::read(&example("qkdn-mq.data.xml")).unwrap();
    assert_eq!(report.kind, Kind::QkdModule);
    assert_eq!(
        report.id,
        report.resources.iter().find(|r| r.kind == "qkdn-types:qkd-module").map(|r| r.resource_id.clone())
    );
    let Facts::QkdModule(facts) = &report.facts else { panic!("{:?}", report.facts) };
    assert!(facts.link.link_id.is_some() || facts.state.qber.is_some(), "{facts:?}");
    assert!(!report.performance.is_empty());
}

#[test]
fn every_kind_of_device_is_recognised() {
    for (file, kind) in [
        ("qkdn-mk.data.xml", Kind::KeyManager),
        ("qkdn-mops.data.xml", Kind::OpticalSwitch),
        ("qkdn-mqrp.config.xml", Kind::RelayPoint),
        ("qkdn-mc.data.xml", Kind::Controller),
    ] {
        assert_eq!(Report::read(&example(file)).unwrap().kind, kind, "{file}");
    }
}

#[test]
fn an_alarm_is_about_the_resource_whoever_writes_it_down() {
    let quoted = "/qkdn-mq:qkd-module/resource[resource-id='urn:x:link:a']";
    assert_eq!(resource_of(quoted), "urn:x:link:a");
    assert_eq!(resource_of("urn:x:link:a"), "urn:x:link:a");
    let report = Report::read(&example("qkdn-alarms.data.xml")).unwrap();
    let alarm = &report.alarms[0];
    assert!(!alarm.key.resource.contains("resource-id="), "{alarm:?}");
    assert!(!alarm.history.is_empty());
}

#[test]
fn a_controller_tells_how_far_it_got_with_each_action() {
    let report = Report::read(&example("qkdn-mc.data.xml")).unwrap();
    let Facts::Controller(facts) = &report.facts else { panic!("{:?}", report.facts) };
    let [action] = facts.state.control_action.as_slice() else { panic!("{facts:?}") };
    assert_eq!((action.action_id.as_str(), action.has_ended()), ("action-9", true), "{action:?}");
    assert_eq!(
        report.facts.unmeasured(),
        Facts::Controller(Box::new(ControllerFacts {
            state: ControllerState { control_action: Vec::new(), ..facts.state.clone() },
        }))
    );
    let event = "<control-action-state xmlns=\"urn:qkdn:yang:qkdn-mc\"><management-operation><operation-id>run-2.1.1</operation-id>\
        <event-notify><sequence-number>7</sequence-number></event-notify></management-operation><action-id>action-9</action-id>\
        <state>failed</state><state-text>why</state-text></control-action-state>";
    let document = Document::parse(event, &Limits::default()).unwrap();
    let event = read_operation(&device_schema(), document.root()).unwrap();
    let told = DeviceEvent::read(Timestamp::UNIX_EPOCH, &event).unwrap();
    let EventContent::ControlAction(progress) = told.content else { panic!("{told:?}") };
    assert_eq!(progress.operation_id.as_deref(), Some("run-2.1.1"));
    assert_eq!((progress.state.as_str(), progress.text.as_deref()), ("failed", Some("why")));
    assert_eq!(told.sequence_number, Some(7));
}
