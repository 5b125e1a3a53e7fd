//! Tests of what actions mean, in the network of the topology `lab` as it is configured.

use netconf::server::base_modules;
use netconf::yang::serde::from_path;
use netconf::yang::{Schema, json};

use super::*;
use crate::schema::agent_schema;
use crate::topology::Topology;

/// The configuration of all agents, as the controller would read it.
fn view(topology: &Topology) -> View {
    let kinds = ["qkdn-mq", "qkdn-mk", "qkdn-mops", "qkdn-mqrp", "qkdn-mc"];
    let schema = agent_schema(base_modules(Schema::builder()), &kinds, false).unwrap();
    let mut view = View::default();
    for plan in topology.agents() {
        let tree = json::read(&schema, &plan.initial.to_string()).unwrap();
        let id = plan.resource_id;
        match plan.kind {
            AgentKind::QkdModule => {
                view.modules.insert(id, from_path(&tree, "/qkdn-mq:qkd-module").unwrap().unwrap());
            }
            AgentKind::KeyManager => {
                view.kms.insert(id, from_path(&tree, "/qkdn-mk:key-manager").unwrap().unwrap());
            }
            AgentKind::RelayPoint => {
                view.relay_points.insert(id, from_path(&tree, "/qkdn-mqrp:relay-point").unwrap().unwrap());
            }
            AgentKind::OpticalSwitch | AgentKind::Controller => {}
        }
    }
    view
}

fn around(avoid: &[String]) -> PathOrder {
    PathOrder { value: PathValue { avoid: avoid.to_vec(), ..PathValue::default() }, anew: false }
}

/// Puts a plan into effect on the view, as the KMs would.
fn follow(view: &mut View, plan: &Plan) {
    for reroute in &plan.reroutes {
        let known = route::routes(view).remove(&reroute.route_id).unwrap();
        for config in view.kms.values_mut() {
            config.relay_route.retain(|entry| entry.route_id != reroute.route_id);
        }
        for (km, entry) in route::entries(&known, &reroute.new) {
            view.kms.get_mut(&km).unwrap().relay_route.push(entry);
        }
    }
}

fn targets(plan: &Plan) -> Vec<(u8, &str, bool)> {
    let mut targets: Vec<_> = plan.edits.iter().map(|edit| (edit.stage, edit.target.as_str(), edit.needed)).collect();
    targets.sort();
    targets
}

#[test]
fn type_and_value_must_belong_together() {
    let path =
        Value { path: Some(PathValue { avoid: vec!["urn:x".to_owned()], ..PathValue::default() }), ..Value::default() };
    let state = ServiceStateValue { resource_id: "urn:x".to_owned(), service_state: ServiceState::Standby };
    let state = Value { service_state: Some(state), ..Value::default() };
    let leaf = |kind: &str, value: &Value| match Order::of(kind, value) {
        Ok(order) => panic!("{order:?}"),
        Err(DriverError::Refused { leaf, .. }) => leaf.unwrap(),
        Err(other) => panic!("{other:?}"),
    };
    for kind in ["path-modification", "path-reprovisioning", "load-balancing"] {
        let kind = format!("qkdn-types:{kind}");
        assert!(matches!(Order::of(&kind, &path), Ok(Order::Path(_))));
        assert_eq!(leaf(&kind, &state), "value");
        assert_eq!(leaf(&kind, &Value::default()), "value", "it is missing");
        assert_eq!(leaf(&kind, &Value { path: Some(PathValue::default()), ..Value::default() }), "value/path");
    }
    assert_eq!(leaf("qkdn-types:service-state-change", &path), "value");
    assert_eq!(leaf("qkdn-types:link-reconfiguration", &Value::default()), "type", "a base names no action");
    let quarantine = super::super::model::QuarantineValue { link_id: "urn:x".to_owned(), since: None };
    let quarantine = Value { quarantine: Some(quarantine), ..Value::default() };
    assert!(matches!(Order::of("qkdn-types:key-quarantine", &quarantine), Ok(Order::Declined(_))));
}

#[test]
fn a_route_is_led_around_a_link_and_back() {
    let topology = Topology::load("lab").unwrap();
    let mut view = view(&topology);
    let [a, b, c] = ["a", "b", "c"].map(|node| topology.km_id(node));
    let vpn = topology.resource_id("route", "vpn");
    let plan = path(&view, &around(&[topology.link_id("ab")])).unwrap();
    assert_eq!((plan.edits.len(), plan.text.as_str()), (0, "no route uses it"));

    let plan = path(&view, &around(&[topology.link_id("ca")])).unwrap();
    let reroute =
        Reroute { route_id: vpn.clone(), old: vec![a.clone(), c.clone()], new: vec![a.clone(), b.clone(), c.clone()] };
    assert_eq!(plan.reroutes, [reroute]);
    assert_eq!(targets(&plan), [(0, b.as_str(), true), (1, a.as_str(), true), (1, c.as_str(), true)]);
    follow(&mut view, &plan);

    let again = path(&view, &around(&[topology.link_id("ca")])).unwrap();
    assert_eq!((again.edits.len(), again.text.as_str()), (0, "no route uses it"), "it is led around already");
    // A module makes its link's key, and a KM link is its QKD links.
    let module = topology.resource_id("module", "bc-rx");
    for what in [topology.link_id("bc"), topology.km_link_id("b", "c"), b.clone(), module] {
        let plan = path(&view, &around(std::slice::from_ref(&what))).unwrap();
        assert_eq!(plan.reroutes.len(), 1, "around {what}");
        assert_eq!(targets(&plan), [(1, a.as_str(), true), (1, c.as_str(), true), (2, b.as_str(), false)]);
    }
    let both = [topology.link_id("bc"), topology.link_id("ca")];
    let plan = path(&view, &around(&both)).unwrap();
    assert_eq!((plan.edits.len(), plan.blocked.as_slice()), (0, std::slice::from_ref(&vpn)));
    assert!(plan.text.contains("no way around"), "{}", plan.text);

    let value = PathValue { route_id: Some(vpn.clone()), ..PathValue::default() };
    let kept = path(&view, &PathOrder { value: value.clone(), anew: false }).unwrap();
    assert_eq!(kept.edits.len(), 0, "nothing is wrong with it");
    let anew = path(&view, &PathOrder { value: value.clone(), anew: true }).unwrap();
    assert_eq!(anew.reroutes[0].new, [a.clone(), c.clone()], "there is a way with fewer hops");
    view.down.insert(topology.link_id("ca"));
    let anew = path(&view, &PathOrder { value: value.clone(), anew: true }).unwrap();
    assert_eq!(anew.edits.len(), 0, "but no key is made on it now");
    view.down.clear();
    let named = PathValue { hop: vec![a.clone(), c.clone()], ..value.clone() };
    let plan = path(&view, &PathOrder { value: named, anew: false }).unwrap();
    assert_eq!(plan.reroutes[0].new, [a.clone(), c.clone()], "as asked for");
    let wrong = PathValue { hop: vec![b.clone(), c.clone()], ..value };
    assert!(path(&view, &PathOrder { value: wrong, anew: false }).is_err(), "it begins elsewhere");
}

#[test]
fn what_is_not_in_use_is_no_way() {
    let topology = Topology::load("lab").unwrap();
    let [a, b] = ["a", "b"].map(|node| topology.km_id(node));
    let order = around(&[topology.link_id("ca")]);
    let hindrances: [&dyn Fn(&mut View); 4] = [
        &|view| view.kms.get_mut(&b).unwrap().relay_enabled = false,
        &|view| view.kms.get_mut(&b).unwrap().service_state = ServiceState::OutOfService,
        &|view| {
            let config = view.kms.get_mut(&a).unwrap();
            let link = config.km_link.iter_mut().find(|link| link.peer_km_id == b).unwrap();
            link.service_state = ServiceState::Standby;
        },
        &|view| {
            view.kms.remove(&b);
            view.silent.insert(b.clone(), "refused".to_owned());
        },
    ];
    for (number, hinder) in hindrances.iter().enumerate() {
        let mut view = view(&topology);
        hinder(&mut view);
        let plan = path(&view, &order).unwrap();
        assert_eq!((plan.edits.len(), plan.blocked.len()), (0, 1), "hindrance {number}");
    }
}

#[test]
fn links_modules_and_relays_change_at_all_their_ends() {
    let topology = Topology::load("lab").unwrap();
    let view = view(&topology);
    let state = |id: String| ServiceStateValue { resource_id: id, service_state: ServiceState::OutOfService };
    let modules = ["ab-rx", "ab-tx"].map(|module| topology.resource_id("module", module));
    let plan = link_state(&view, &state(topology.link_id("ab"))).unwrap();
    assert_eq!(targets(&plan), [(0, modules[0].as_str(), true), (0, modules[1].as_str(), true)]);
    let mut half = view.clone();
    half.modules.remove(&modules[0]);
    assert_eq!(link_state(&half, &state(topology.link_id("ab"))).unwrap(), plan, "the peer is named by the other");
    let kms = ["a", "b"].map(|node| topology.km_id(node));
    let plan = link_state(&view, &state(topology.km_link_id("a", "b"))).unwrap();
    assert_eq!(targets(&plan), [(0, kms[0].as_str(), true), (0, kms[1].as_str(), true)]);
    assert!(plan.edits[0].config.contains("<name>to-b</name><service-state>out-of-service<"));
    assert!(link_state(&view, &state("urn:qkdn:lab:link:none".to_owned())).is_err());

    let channel =
        |module: &str| BackupChannelValue { module_id: topology.resource_id("module", module), channel: None };
    let plan = backup_channel(&view, &channel("ab-tx")).unwrap();
    assert_eq!(targets(&plan), [(0, modules[0].as_str(), false), (0, modules[1].as_str(), false)]);
    assert!(plan.edits.iter().all(|edit| edit.config.contains("<active-channel>backup</active-channel>")));
    assert!(backup_channel(&view, &channel("bc-tx")).is_err(), "bc has no second fibre");

    let point = topology.resource_id("relay-point", "rp");
    let relay =
        |relay: &str, enabled| RelayPointValue { relay_point_id: point.clone(), relay: relay.to_owned(), enabled };
    let plan = relay_point(&view, &relay("spare-1", true)).unwrap();
    let wanted = "<relay><name>ca</name><enabled>false</enabled></relay>\
                  <relay><name>spare-1</name><enabled>true</enabled></relay>";
    assert!(plan.edits[0].config.contains(wanted), "{}", plan.edits[0].config);
    let plan = relay_point(&view, &relay("ca", false)).unwrap();
    assert_eq!(plan.edits[0].config.matches("<relay>").count(), 1, "nothing gives way to what ends");
    assert!(relay_point(&view, &relay("none", true)).is_err());

    let km = |channel: Option<&str>| KmChannelValue {
        km_id: kms[0].clone(),
        km_link: "to-b".to_owned(),
        channel: channel.map(str::to_owned),
    };
    let plan = km_channel(&view, &km(None)).unwrap();
    assert_eq!(targets(&plan), [(0, kms[0].as_str(), true), (0, kms[1].as_str(), false)]);
    assert!(plan.edits[1].config.contains("<name>to-a</name><active-channel>backup<"));
    assert!(km_channel(&view, &km(Some("third"))).is_err());
}
