//! A network of three nodes in a ring, as its devices would report it: `ab` has a backup channel, `bc` passes a switch with two spare ports.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::facts::*;
use crate::input::Input;
use crate::model::{Credential, Kind, Location, Plan, Secret, Severity};
use crate::record::{AlarmKey, Resource};

pub fn id(kind: &str, name: &str) -> String {
    format!("urn:qkdn:ring:{kind}:{name}")
}

pub fn plan(name: &str, report: &Report) -> Plan {
    Plan {
        name: name.to_owned(),
        device_id: report.id.clone(),
        kind: report.kind,
        managed: true,
        address: Some("127.0.0.1".to_owned()),
        port: 830,
        credential: Some(Credential { user: "qlm".to_owned(), secret: Secret::PrivateKeyFile(PathBuf::from("qlm")) }),
        host_key: None,
        timeout: Duration::from_secs(10),
        location: None,
    }
}

pub fn ring() -> Vec<(&'static str, Report)> {
    vec![
        ("ab-rx", module("ab", "rx", "b", true)),
        ("ab-tx", module("ab", "tx", "a", true)),
        ("bc-rx", module("bc", "rx", "c", false)),
        ("bc-tx", module("bc", "tx", "b", false)),
        ("ca-rx", module("ca", "rx", "a", false)),
        ("ca-tx", module("ca", "tx", "c", false)),
        ("controller", controller()),
        ("km-a", key_manager("a", &[("b", "ab"), ("c", "ca")])),
        ("km-b", key_manager("b", &[("a", "ab"), ("c", "bc")])),
        ("km-c", key_manager("c", &[("a", "ca"), ("b", "bc")])),
        ("os", switch()),
    ]
}

pub fn module(link: &str, end: &str, node: &str, backup: bool) -> Report {
    let (peer, role) = if end == "tx" { ("rx", "transmitter") } else { ("tx", "receiver") };
    let module_id = id("module", &format!("{link}-{end}"));
    let channel = |name: &str| QuantumChannel {
        name: name.to_owned(),
        usage: Some(name.to_owned()),
        wavelength: Some(1550.12),
        enabled: Some(true),
    };
    let mut quantum_channel = vec![channel("primary")];
    quantum_channel.extend(backup.then(|| channel("backup")));
    let facts = ModuleFacts {
        role: Some(role.to_owned()),
        protocol: Some("qkdn-types:bb84-decoy".to_owned()),
        link: ModuleLink {
            link_id: Some(id("link", link)),
            peer_module_id: Some(id("module", &format!("{link}-{peer}"))),
            length: Some(45.0),
            expected_attenuation: Some(13.5),
            protection_group: None,
        },
        quantum_channel,
        state: ModuleState {
            module_id: Some(module_id.clone()),
            active_channel: Some("primary".to_owned()),
            qber: Some(2.5),
            ..ModuleState::default()
        },
        ..ModuleFacts::default()
    };
    let resources = vec![resource(&module_id, "qkd-module"), resource(&id("link", link), "qkd-link")];
    report(Kind::QkdModule, module_id, node, resources, Facts::QkdModule(Box::new(facts)))
}

fn key_manager(node: &str, links: &[(&str, &str)]) -> Report {
    let km_id = id("km", node);
    let pair = |peer: &str| if node < peer { format!("{node}--{peer}") } else { format!("{peer}--{node}") };
    let km_link = |(peer, link): &(&str, &str)| KmLink {
        name: format!("to-{peer}"),
        link_id: id("km-link", &pair(peer)),
        peer_km_id: id("km", peer),
        qkd_link_id: vec![id("link", link)],
        service_state: Some("in-service".to_owned()),
    };
    let store = |(peer, _): &(&str, &str)| KeyStore {
        peer_km_id: id("km", peer),
        purpose: "kma".to_owned(),
        resource_id: Some(format!("{km_id}:store:{peer}")),
        residual_bits: Some(5_000_000),
        ..KeyStore::default()
    };
    let source_module = links.iter().map(|(_, link)| {
        let transmits = link.starts_with(node);
        id("module", &format!("{link}-{}", if transmits { "tx" } else { "rx" }))
    });
    let facts = KeyManagerFacts {
        source_module: source_module.collect(),
        relay_enabled: Some(true),
        km_link: links.iter().map(km_link).collect(),
        state: KeyManagerState { km_id: Some(km_id.clone()), key_store: links.iter().map(store).collect() },
    };
    let resources = vec![resource(&km_id, "key-manager")];
    report(Kind::KeyManager, km_id, node, resources, Facts::KeyManager(Box::new(facts)))
}

fn switch() -> Report {
    let switch_id = id("switch", "os");
    let port = |name: &str, link: Option<&str>| Port {
        name: name.to_owned(),
        admin_state: Some("enabled".to_owned()),
        link_id: link.map(|link| id("link", link)),
        connected_to: None,
    };
    let facts = SwitchFacts {
        port: vec![port("p1", Some("bc")), port("p2", Some("bc")), port("p3", None), port("p4", None)],
        cross_connect: vec![CrossConnect {
            name: "bc".to_owned(),
            input: "p1".to_owned(),
            output: "p2".to_owned(),
            link_id: Some(id("link", "bc")),
            service_state: Some("in-service".to_owned()),
        }],
        state: SwitchState { switch_id: Some(switch_id.clone()) },
    };
    let resources = vec![resource(&switch_id, "optical-switch")];
    report(Kind::OpticalSwitch, switch_id, "b", resources, Facts::OpticalSwitch(Box::new(facts)))
}

fn controller() -> Report {
    let controller_id = id("controller", "controller");
    let facts = ControllerFacts { state: ControllerState { controller_id: Some(controller_id.clone()) } };
    let resources = vec![resource(&controller_id, "qkdn-controller")];
    report(Kind::Controller, controller_id, "a", resources, Facts::Controller(Box::new(facts)))
}

fn report(kind: Kind, id: String, node: &str, resources: Vec<Resource>, facts: Facts) -> Report {
    Report {
        kind,
        id: Some(id),
        simulated: true,
        admin_state: Some("enabled".to_owned()),
        service_state: Some("in-service".to_owned()),
        oper_state: Some("enabled".to_owned()),
        location: Location { node: Some(node.to_owned()), ..Location::default() },
        resources,
        facts,
        ..Report::default()
    }
}

fn resource(id: &str, kind: &str) -> Resource {
    Resource {
        resource_id: id.to_owned(),
        kind: format!("qkdn-types:{kind}"),
        oper_state: Some("enabled".to_owned()),
        ..Resource::default()
    }
}

/// The facts of a module, to be changed.
pub fn module_facts(report: &mut Report) -> &mut ModuleFacts {
    match &mut report.facts {
        Facts::QkdModule(facts) => facts,
        other => panic!("{other:?}"),
    }
}

pub fn km_facts(report: &mut Report) -> &mut KeyManagerFacts {
    match &mut report.facts {
        Facts::KeyManager(facts) => facts,
        other => panic!("{other:?}"),
    }
}

/// An alarm's newest status.
pub fn status(resource: &str, identity: &str, time: Timestamp, severity: Option<Severity>) -> ReportedAlarm {
    let text = severity.map_or("over".to_owned(), |_| format!("{identity} is told"));
    ReportedAlarm {
        key: AlarmKey {
            resource: resource.to_owned(),
            alarm_type_id: format!("qkdn-alarms:{identity}"),
            alarm_type_qualifier: String::new(),
        },
        alarm_id: None,
        time,
        raised: time,
        severity,
        perceived_severity: severity.unwrap_or(Severity::Major),
        text: text.clone(),
        class: None,
        value: None,
        layer: Some("quantum".to_owned()),
        reference_point: Some("mq".to_owned()),
        history: vec![(time, severity, text)],
    }
}

/// The same as a notification of a device.
pub fn event(device: &str, alarm: ReportedAlarm) -> Input {
    let event = DeviceEvent { time: alarm.time, sequence_number: None, content: EventContent::Alarm(Box::new(alarm)) };
    Input::Event { device: device.to_owned(), event: Box::new(event) }
}

pub fn diagnosis(cause: &str) -> Diagnosis {
    Diagnosis {
        probable_cause: format!("qkdn-mq:{cause}"),
        confidence: 90.0,
        text: Some(format!("{cause} was measured")),
        link_state: Some("degraded".to_owned()),
        relay_affected: None,
        measured: Some(Measured { qber: Some(9.0), ..Measured::default() }),
    }
}
