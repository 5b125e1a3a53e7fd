//! One of everything that the store can hold.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::double::Memory;
use crate::model::*;
use crate::record::*;

/// Seconds after 2026-11-22T10:00:00Z.
pub fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_341_600 + seconds).unwrap()
}

pub fn device(name: &str) -> DeviceState {
    DeviceState {
        name: name.to_owned(),
        kind: Kind::QkdModule,
        connection_state: ConnectionState::Operational,
        since: Some(time(1)),
        last_heard: Some(time(2)),
        session_id: Some(3),
        found_kind: Some(Kind::QkdModule),
        found_id: Some(format!("urn:qkdn:test:module:{name}")),
        host_key: Some("SHA256:abc".to_owned()),
        simulated: Some(true),
        capability: vec!["urn:b".to_owned(), "urn:a".to_owned(), "urn:a".to_owned()],
        content_id: Some("1f".to_owned()),
        module: vec![Module { name: "qkdn-mq".to_owned(), revision: "2026-11-22".to_owned(), managed: true }],
        admin_state: Some("enabled".to_owned()),
        service_state: Some("in-service".to_owned()),
        oper_state: Some("operational".to_owned()),
        last_sequence_number: Some(9),
        equipment: Equipment { vendor: Some("V".to_owned()), ..Equipment::default() },
        ..DeviceState::default()
    }
}

const LINK: &str = "urn:qkdn:test:link:l1";

fn alarm(id: &str, identity: &str, states: &[(i64, Option<Severity>)]) -> Alarm {
    let changes = states.iter().rev().map(|(seconds, severity)| StatusChange {
        time: time(*seconds),
        perceived_severity: *severity,
        alarm_text: format!("{identity} {severity:?}"),
    });
    let status_change: Vec<_> = changes.collect();
    let severity = status_change.iter().find_map(|change| change.perceived_severity).unwrap();
    Alarm {
        key: AlarmKey {
            resource: LINK.to_owned(),
            alarm_type_id: identity.to_owned(),
            alarm_type_qualifier: String::new(),
        },
        alarm_id: id.to_owned(),
        time_created: time(states[0].0),
        is_cleared: status_change[0].perceived_severity.is_none(),
        last_raised: time(states[0].0),
        last_changed: status_change[0].time,
        perceived_severity: severity,
        alarm_text: status_change[0].alarm_text.clone(),
        status_change,
        operator_state_change: vec![OperatorStateChange {
            time: time(50),
            operator: "ann".to_owned(),
            state: "ack".to_owned(),
            text: None,
        }],
        alarm_class: Some("quality-of-service".to_owned()),
        value: Some(AlarmValue {
            performance_type: "qkdn-performance:qber".to_owned(),
            value: 7.25,
            unit: "percent".to_owned(),
            threshold: Some(5.0),
            threshold_level: Some(Severity::Warning),
        }),
        layer: Some("quantum".to_owned()),
        reference_point: Some("mq".to_owned()),
        device: Some("l1-tx".to_owned()),
        reporters: BTreeMap::new(),
        root_alarm_id: None,
        toggles: 1,
        run_id: Some("run-1".to_owned()),
    }
}

fn interval(start: i64) -> Interval {
    Interval {
        start_time: time(start),
        elapsed: Some(900),
        samples: Some(90),
        samples_invalid: Some(0),
        mean: Some(2.1),
        minimum: Some(2.0),
        maximum: Some(2.2),
        last: Some(2.15),
        total: None,
        validity: "complete".to_owned(),
    }
}

pub fn store() -> Memory {
    let resource = |id: &str, kind: &str| Resource {
        resource_id: id.to_owned(),
        kind: kind.to_owned(),
        admin_state: Some("enabled".to_owned()),
        device: Some("l1-tx".to_owned()),
        layer: Some("quantum".to_owned()),
        reference_point: Some("mq".to_owned()),
        presence: Presence::Both,
        first_seen: Some(time(0)),
        last_seen: Some(time(9)),
        location: Location { node: Some("n1".to_owned()), latitude: Some(35.7105), ..Location::default() },
        ..Resource::default()
    };
    let node = |id: &str| Node {
        node_id: id.to_owned(),
        termination_point: vec![TerminationPoint { tp_id: "urn:tp:1".to_owned(), resource_id: Some(LINK.to_owned()) }],
        resource_id: Some("urn:qkdn:test:module:l1-tx".to_owned()),
        kind: Some("qkdn-types:qkd-module".to_owned()),
        device: Some("l1-tx".to_owned()),
        oper_state: Some("operational".to_owned()),
        location: Location { site: Some("S".to_owned()), longitude: Some(139.5), ..Location::default() },
        ..Node::default()
    };
    let end = |node: &str| (node.to_owned(), Some("urn:tp:1".to_owned()));
    let quantum = Network {
        network_id: "urn:qkdn:network:quantum".to_owned(),
        layer: Some("quantum".to_owned()),
        version: 3,
        supporting_network: Vec::new(),
        node: vec![node("urn:n:a"), node("urn:n:b")],
        link: vec![Link {
            link_id: "urn:l1".to_owned(),
            source: end("urn:n:a"),
            destination: end("urn:n:b"),
            resource_id: Some(LINK.to_owned()),
            oper_state: Some("degraded".to_owned()),
            service_state: Some("in-service".to_owned()),
            length: Some(45.0),
            channel_loss: Some(13.5),
            qber: Some(2.125),
            secret_key_rate: Some(1_234.5),
            residual_bits: Some(1 << 40),
            protection_group: Some("ring".to_owned()),
            ..Link::default()
        }],
    };
    let whole = Network {
        network_id: "urn:qkdn:network:qkdn".to_owned(),
        supporting_network: vec![quantum.network_id.clone()],
        node: vec![Node {
            node_id: "urn:n:1".to_owned(),
            supporting_node: vec![(quantum.network_id.clone(), "urn:n:a".to_owned())],
            ..Node::default()
        }],
        link: vec![Link {
            link_id: "urn:l:1".to_owned(),
            source: ("urn:n:1".to_owned(), None),
            destination: ("urn:n:1".to_owned(), None),
            supporting_link: vec![(quantum.network_id.clone(), "urn:l1".to_owned())],
            ..Link::default()
        }],
        ..Network::default()
    };
    let run = Run {
        run_id: "run-1".to_owned(),
        procedure: Procedure::LinkFailure,
        trigger: Some("alarm 1".to_owned()),
        alarm_id: vec!["1".to_owned()],
        resource_id: vec![LINK.to_owned()],
        started: time(10),
        ended: Some(time(12)),
        state: RunState::Completed,
        outcome: Some("backup channel".to_owned()),
    };
    let step = Step {
        run_id: "run-1".to_owned(),
        sequence: 1,
        number: 1,
        time: time(10),
        actor: Function::Qlm,
        peer: Some("l1-tx".to_owned()),
        operation_id: None,
        text: "The alert came in".to_owned(),
        data: Some("{\"qber\":7.25}".to_owned()),
    };
    let major = [(20, Some(Severity::Minor)), (30, Some(Severity::Major))];
    // Two changes at one time: the list has time for its key.
    let over = [(20, Some(Severity::Minor)), (40, Some(Severity::Major)), (40, None)];
    let unknown = alarm("3", "vendor:no-such-type", &major);
    let information = Information {
        kind: "qkdn-performance:qber".to_owned(),
        target: LINK.to_owned(),
        description: None,
        unit: "percent".to_owned(),
        current: Some(CurrentValue {
            value: Some(2.15),
            time: Some(time(1_000)),
            validity: Some("complete".to_owned()),
            threshold_level: Some("warning".to_owned()),
        }),
        current_15_minutes: Some(interval(1_800)),
        current_24_hours: None,
        device: Some("l1-tx".to_owned()),
    };
    let finished = |start| FinishedInterval {
        device: "l1-tx".to_owned(),
        target: LINK.to_owned(),
        kind: "qkdn-performance:qber".to_owned(),
        unit: "percent".to_owned(),
        granularity: Granularity::QuarterHour,
        interval: interval(start),
    };
    Memory {
        devices: vec![device("l1-tx"), device("forgotten")],
        resources: vec![
            resource("urn:qkdn:test:module:l1-tx", "qkdn-types:qkd-module"),
            resource(LINK, "qkdn-types:qkd-link"),
        ],
        networks: vec![quantum, whole],
        inconsistencies: vec![Inconsistency {
            number: 1,
            kind: "dangling-link".to_owned(),
            resource_id: vec![LINK.to_owned()],
            device: vec!["l1-tx".to_owned()],
            text: "One end is missing".to_owned(),
            found: time(5),
            alarm_id: Some("1".to_owned()),
        }],
        alarms: vec![
            alarm("1", "qkdn-alarms:qber-threshold-exceeded", &major),
            alarm("2", "qkdn-alarms:qber-abort", &over),
            unknown,
        ],
        runs: vec![(run, vec![step])],
        performance: vec![information],
        intervals: vec![finished(0), finished(900)],
        ..Memory::default()
    }
}
