//! Small networks for the tests of the brain: what each device would report, and the alarms that it has.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::facts::{DeviceEvent, EventContent, Facts, Report, ReportedAlarm};
use crate::model::{DeviceName, Kind, Plan, Severity};
use crate::record::{AlarmKey, Resource};

/// What all identifiers begin with; left out in the golden files.
pub const PREFIX: &str = "urn:qkdn:t:";

pub struct World {
    pub devices: BTreeMap<DeviceName, Report>,
    sequence: u64,
}

impl World {
    /// `line`: nodes a, b and c, joined by QKD links l1 (a to b) and l2 (b to c), with a KM in each node and a controller. `backup`: l1 has a
    /// backup channel. `switched`: l1 passes optical switch os, which has spare ports. `relayed`: l1 passes
    /// relay point rp, which has a spare relay. `ring`: l3 joins c to a, too.
    pub fn named(name: &str) -> World {
        let mut world = World { devices: BTreeMap::new(), sequence: 0 };
        for (link, from, to) in [("l1", "a", "b"), ("l2", "b", "c")] {
            world.module(link, "transmitter", from);
            world.module(link, "receiver", to);
        }
        world.key_manager("a", &["l1-tx"], &[("b", "l1")]);
        world.key_manager("b", &["l1-rx", "l2-tx"], &[("a", "l1"), ("c", "l2")]);
        world.key_manager("c", &["l2-rx"], &[("b", "l2")]);
        let state = json!({"Controller": {"state": {"controller-id": id("controller", "qc")}}});
        world.add("qc", Kind::Controller, "controller", "a", state, &[]);
        match name {
            "line" => {}
            "backup" => {
                let channels = json!([{"name": "ch-1"}, {"name": "ch-2", "use": "backup"}]);
                for device in ["l1-tx", "l1-rx"] {
                    world.change(device, &json!({"quantum-channel": channels, "state": {"active-channel": "ch-1"}}));
                }
            }
            "switched" => world.switch(),
            "relayed" => world.relay_point(),
            "ring" => {
                world.module("l3", "transmitter", "c");
                world.module("l3", "receiver", "a");
                world.key_manager("a", &["l1-tx", "l3-rx"], &[("b", "l1"), ("c", "l3")]);
                world.key_manager("c", &["l2-rx", "l3-tx"], &[("b", "l2"), ("a", "l3")]);
            }
            other => panic!("no network {other}"),
        }
        world
    }

    fn add(&mut self, name: &str, kind: Kind, word: &str, node: &str, facts: Value, parts: &[(String, &str)]) {
        let own = (id(word, name), kind_identity(kind));
        let resources = std::iter::once(&own).chain(parts).map(|(resource_id, kind)| Resource {
            resource_id: resource_id.clone(),
            kind: format!("qkdn-types:{kind}"),
            oper_state: Some("operational".to_owned()),
            ..Resource::default()
        });
        let mut report = Report { kind, id: Some(own.0.clone()), resources: resources.collect(), ..Report::default() };
        report.location.node = Some(node.to_owned());
        report.service_state = Some("in-service".to_owned());
        report.facts = serde_json::from_value(facts).unwrap();
        self.devices.insert(name.to_owned(), report);
    }

    fn module(&mut self, link: &str, role: &str, node: &str) {
        let (end, other) = if role == "transmitter" { ("tx", "rx") } else { ("rx", "tx") };
        let (name, peer) = (format!("{link}-{end}"), format!("{link}-{other}"));
        let facts = json!({"QkdModule": {
            "link": {"link-id": id("link", link), "peer-module-id": id("module", &peer), "length": 20.0,
                // Of a group that has no other link here: the topology tells it all the same.
                "protection-group": (link == "l2").then_some("b-to-c")},
            "state": {"module-id": id("module", &name), "role": role},
        }});
        self.add(&name, Kind::QkdModule, "module", node, facts, &[(id("link", link), "qkd-link")]);
    }

    fn key_manager(&mut self, node: &str, modules: &[&str], links: &[(&str, &str)]) {
        let km_link = |peer: &str| {
            let (first, second) = if node < peer { (node, peer) } else { (peer, node) };
            id("km-link", &format!("{first}--{second}"))
        };
        let km_links: Vec<Value> = links
            .iter()
            .map(|(peer, link)| {
                json!({"name": format!("to-{peer}"), "link-id": km_link(peer), "peer-km-id": id("km", &format!("km-{peer}")),
                    "qkd-link-id": [id("link", link)]})
            })
            .collect();
        let parts: Vec<(String, &str)> = links.iter().map(|(peer, _)| (km_link(peer), "km-link")).collect();
        let name = format!("km-{node}");
        let modules: Vec<String> = modules.iter().map(|module| id("module", module)).collect();
        let stores: Vec<Value> = links
            .iter()
            .map(|(peer, _)| json!({"peer-km-id": id("km", &format!("km-{peer}")), "purpose": "kma", "residual-bits": 5_000_000}))
            .collect();
        let facts = json!({"KeyManager": {
            "source-module": modules, "km-link": km_links, "state": {"km-id": id("km", &name), "key-store": stores},
        }});
        self.add(&name, Kind::KeyManager, "km", node, facts, &parts);
    }

    fn switch(&mut self) {
        let port = |name: &str, link: Option<String>| json!({"name": name, "link-id": link});
        let link = Some(id("link", "l1"));
        let facts = json!({"OpticalSwitch": {
            "port": [port("in", link.clone()), port("out", link), port("spare-in", None), port("spare-out", None)],
            "cross-connect": [{"name": "x1", "input": "in", "output": "out", "link-id": id("link", "l1")}],
            "state": {"switch-id": id("switch", "os")},
        }});
        let ports = ["in", "out", "spare-in", "spare-out"];
        let parts = ports.map(|port| (format!("{}:port:{port}", id("switch", "os")), "switch-port"));
        self.add("os", Kind::OpticalSwitch, "switch", "a", facts, &parts);
    }

    fn relay_point(&mut self) {
        let link = id("link", "l1");
        let segment = |name: &str| json!({"name": name, "link-id": format!("{link}:{name}")});
        let segments = ["west", "east", "west-2", "east-2"].map(segment);
        let facts = json!({"RelayPoint": {
            "segment": segments,
            "relay": [
                {"name": "main", "first": "west", "second": "east", "enabled": true},
                {"name": "spare", "first": "west-2", "second": "east-2", "use": "backup", "enabled": false},
            ],
            "state": {"relay-point-id": id("relay-point", "rp")},
        }});
        let parts = ["main", "spare"].map(|relay| (format!("{}:relay:{relay}", id("relay-point", "rp")), "relay"));
        self.add("rp", Kind::RelayPoint, "relay-point", "a", facts, &parts);
    }

    /// Merges into what a device reports of its own container.
    pub fn change(&mut self, device: &str, with: &Value) {
        let report = self.devices.get_mut(device).unwrap();
        let mut facts = serde_json::to_value(&report.facts).unwrap();
        facts.as_object_mut().unwrap().values_mut().for_each(|inside| merge(inside, with));
        report.facts = serde_json::from_value(facts).unwrap();
        // A device is what its container says.
        report.id = match &report.facts {
            Facts::QkdModule(facts) => facts.state.module_id.clone(),
            Facts::Controller(facts) => facts.state.controller_id.clone(),
            _ => report.id.clone(),
        };
    }

    /// A device raises, alters or (no severity) clears an alarm: its list has it, and this is the notification.
    pub fn alarm(
        &mut self,
        device: &str,
        resource: &str,
        kind: &str,
        severity: Option<Severity>,
        now: Timestamp,
    ) -> DeviceEvent {
        let key =
            AlarmKey { resource: full(resource), alarm_type_id: format!("qkdn-alarms:{kind}"), ..AlarmKey::default() };
        let report = self.devices.get_mut(device).unwrap();
        let text = if severity.is_some() { format!("{kind} of {resource}") } else { "over".to_owned() };
        let known = report.alarms.iter().position(|alarm| alarm.key == key).map(|at| report.alarms.remove(at));
        let mut history = known.as_ref().map(|alarm| alarm.history.clone()).unwrap_or_default();
        history.insert(0, (now, severity, text.clone()));
        let last = known.as_ref().map(|alarm| alarm.perceived_severity);
        let alarm = ReportedAlarm {
            key,
            alarm_id: None,
            time: now,
            raised: now,
            severity,
            perceived_severity: severity.or(last).unwrap_or(Severity::Indeterminate),
            text,
            class: None,
            value: None,
            layer: None,
            reference_point: report.kind.reference_point().map(str::to_owned),
            history,
        };
        report.alarms.push(alarm.clone());
        let history = alarm.history[..1].to_vec();
        self.event(now, EventContent::Alarm(Box::new(ReportedAlarm { history, ..alarm })))
    }

    pub fn event(&mut self, time: Timestamp, content: EventContent) -> DeviceEvent {
        self.sequence += 1;
        DeviceEvent { time, sequence_number: Some(self.sequence), content }
    }

    /// What the operator configures: all devices but these.
    pub fn plans(&self, without: &[String]) -> Vec<Plan> {
        let planned = self.devices.iter().filter(|(name, _)| !without.contains(name));
        planned
            .map(|(name, report)| Plan {
                name: name.clone(),
                device_id: report.id.clone(),
                kind: report.kind,
                managed: true,
                address: Some("127.0.0.1".to_owned()),
                port: 830,
                credential: None,
                host_key: None,
                timeout: Duration::from_secs(30),
                location: None,
            })
            .collect()
    }
}

fn merge(into: &mut Value, with: &Value) {
    match (into, with) {
        (Value::Object(into), Value::Object(with)) => {
            for (name, value) in with {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, with) => *into = with.clone(),
    }
}

fn id(word: &str, name: &str) -> String {
    format!("{PREFIX}{word}:{name}")
}

pub fn full(resource: &str) -> String {
    format!("{PREFIX}{resource}")
}

fn kind_identity(kind: Kind) -> &'static str {
    match kind {
        Kind::QkdModule => "qkd-module",
        Kind::KeyManager => "key-manager",
        Kind::OpticalSwitch => "optical-switch",
        Kind::RelayPoint => "quantum-relay-point",
        Kind::Controller => "qkdn-controller",
        Kind::Unknown => "management-resource",
    }
}
