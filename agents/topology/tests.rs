//! Topologies: what a file may say, what it may not, and what follows from it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use netconf::yang::serde::from_path;
use netconf::yang::validate::Validator;
use netconf::yang::{Schema, Tree, json};

use super::*;
use crate::alarm::AlarmList;
use crate::driver::Driver;
use crate::network::Network;
use crate::performance::Performance;
use crate::qkd_module::SimulatedModule;
use crate::qkd_module::model::{Config, KeyGeneration};
use crate::schema::agent_schema;
use crate::state::OperState;
use crate::surveillance::Surveillance;

fn schema() -> Arc<Schema> {
    agent_schema(Schema::builder(), &["qkdn-mq", "qkdn-mk", "qkdn-mops", "qkdn-mqrp", "qkdn-mc"], true).unwrap()
}

fn configuration(plan: &AgentPlan, schema: &Arc<Schema>) -> Tree {
    let text = plan.initial.to_string();
    json::read(schema, &text).unwrap_or_else(|errors| panic!("{}: {errors:?} in {text}", plan.name))
}

/// Every kind of topology: those that the binary carries, and one that is made up.
fn topologies() -> Vec<Topology> {
    builtin().into_iter().map(|name| Topology::load(name).unwrap()).chain([generate(30, 1)]).collect()
}

#[test]
fn every_plan_is_a_valid_configuration() {
    let schema = schema();
    let mut validator = Validator::new(schema.clone());
    for topology in topologies() {
        let plans = topology.agents();
        for plan in &plans {
            let tree = configuration(plan, &schema);
            validator.validate_all(&tree).unwrap_or_else(|errors| panic!("{}: {errors:?}", plan.initial));
        }
        let names: BTreeSet<&String> = plans.iter().map(|plan| &plan.name).collect();
        let ids: BTreeSet<&String> = plans.iter().map(|plan| &plan.resource_id).collect();
        assert_eq!((names.len(), ids.len()), (plans.len(), plans.len()), "every agent and device is told apart");
    }
}

#[test]
fn redundant_links_protect_each_other() {
    let link = |name: &str, from: &str, to: &str, group: &str| {
        format!("[[link]]\nname = '{name}'\nfrom = '{from}'\nto = '{to}'\nlength-km = 10.0\n{group}\n")
    };
    let node = |name| format!("[[node]]\nname = '{name}'\nlatitude = 48.0\nlongitude = 16.0\n");
    let text = ["name = 't'\n".to_owned()].into_iter().chain(["a", "b", "c"].map(node)).chain([
        link("ab-1", "a", "b", ""),
        link("ab-2", "b", "a", ""),
        link("ab-3", "a", "b", "protection-group = 'other'"),
        link("bc", "b", "c", ""),
        link("ca", "c", "a", "protection-group = 'other'"),
    ]);
    let topology = Topology::parse(&text.collect::<String>(), "t.toml").unwrap();
    let schema = schema();
    let groups: Vec<(String, Option<String>)> = topology
        .agents()
        .iter()
        .filter(|plan| plan.kind == AgentKind::QkdModule)
        .map(|plan| {
            let config: Config = from_path(&configuration(plan, &schema), "/qkdn-mq:qkd-module").unwrap().unwrap();
            (plan.name.clone(), config.link.protection_group)
        })
        .collect();
    let both =
        |link: &str, group: Option<&str>| ["tx", "rx"].map(|end| (format!("{link}-{end}"), group.map(str::to_owned)));
    let wanted =
        [("ab-1", Some("ab-1")), ("ab-2", Some("ab-1")), ("ab-3", Some("other")), ("bc", None), ("ca", Some("other"))];
    assert_eq!(groups, wanted.map(|(link, group)| both(link, group)).concat());
}

/// Ten minutes of every topology: every link makes key, and no agent of a module would raise an alarm.
#[tokio::test]
async fn at_rest_every_link_makes_key_and_nothing_is_alarming() {
    let schema = schema();
    let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
    for topology in topologies() {
        let network = Network::new(&topology, at(0));
        let mut modules = Vec::new();
        for plan in topology.agents().iter().filter(|plan| plan.kind == AgentKind::QkdModule) {
            let module = SimulatedModule::of(network.clone(), &plan.resource_id).unwrap();
            let config = from_path(&configuration(plan, &schema), "/qkdn-mq:qkd-module").unwrap().unwrap();
            module.check(&Config::default(), &config).unwrap();
            let performance = Performance::new(SignedDuration::from_secs(1));
            let rules = config.rules();
            let surveillance = Surveillance::new(module.device(), rules, AlarmList::default(), performance);
            module.configure(config, at(0)).await.unwrap();
            modules.push((module, surveillance));
        }
        for second in 10..610 {
            for (module, surveillance) in &mut modules {
                let sample = module.sample(at(second)).await.unwrap();
                let changes = surveillance.sample(&sample, at(second)).changes;
                assert_eq!(changes, [], "{} at {second}", module.device().resource_id);
            }
        }
        for (module, _) in &modules {
            let state = module.state(at(610)).await.unwrap().state;
            assert_eq!((state.oper_state, state.key_generation), (OperState::Operational, KeyGeneration::Running));
        }
        for link in &topology.links {
            let view = network.link(&topology.link_id(&link.name), at(610)).unwrap();
            assert!(view.up && view.secret_bits > 600.0, "{view:?}");
        }
    }
}

#[test]
fn the_published_networks_are_complete() {
    let tokyo = Topology::load("tokyo").unwrap();
    let published: Vec<&str> = tokyo.links.iter().filter(|link| !link.added).map(|link| link.name.as_str()).collect();
    assert_eq!(published, ["nec", "trel", "ntt", "melco", "idq", "vienna"]);
    assert!((tokyo.design_loss_db(tokyo.link("ntt").unwrap()) - 27.0).abs() < 1e-9);
    let hefei = Topology::load("hefei").unwrap();
    let hanging = |kind: &str, on: &str| {
        let users = hefei.links.iter().filter(|link| link.from.starts_with(kind));
        users.filter(|link| link.via.first().map_or(link.to.as_str(), |via| via.element.as_str()) == on).count()
    };
    let on = |kind, names: [&str; 3]| names.map(|name| hanging(kind, name));
    assert_eq!(on("ua-", ["os-1", "os-2", "os-3"]), [5, 2, 6]);
    assert_eq!(on("ub-", ["tr-1", "tr-2", "tr-3"]), [12, 5, 10]);
    assert_eq!(hefei.nodes.len() + hefei.optical_switches.len(), 46);
    for topology in [&tokyo, &hefei] {
        let apart = |link: &Link| {
            let [from, to] = [&link.from, &link.to].map(|name| topology.node(name).unwrap());
            let north = 111.2 * (from.latitude - to.latitude);
            north.hypot(111.2 * (from.longitude - to.longitude) * from.latitude.to_radians().cos())
        };
        for link in &topology.links {
            assert!(link.length_km >= 0.99 * apart(link), "{} is shorter than the straight line", link.name);
        }
    }
}

#[test]
fn the_lab_has_one_of_everything() {
    let lab = Topology::load("lab").unwrap();
    let plans = lab.agents();
    assert!(AgentKind::ALL.iter().all(|kind| plans.iter().any(|plan| plan.kind == *kind)));
    assert!(plans.len() <= 12, "{}", plans.len());
    let plan = |name: &str| &plans.iter().find(|plan| plan.name == name).unwrap().initial;
    let switch = &plan("os")["qkdn-mops:optical-switch"];
    assert_eq!(switch["port"][0]["connected-to"], "urn:qkdn:lab:module:bc-tx");
    assert_eq!(switch["port"][1]["connected-to"], "urn:qkdn:lab:module:bc-rx");
    assert_eq!(switch["cross-connect"][0]["link-id"], "urn:qkdn:lab:link:bc");
    let point = &plan("rp")["qkdn-mqrp:relay-point"];
    assert_eq!(point["relay"][1]["enabled"], false);
    assert_eq!(point["segment"][2]["link-id"], "urn:qkdn:lab:link:ca:east-2");
    let km = &plan("km-a")["qkdn-mk:key-manager"];
    assert_eq!(km["source-module"].as_array().unwrap().len(), 2);
    assert_eq!(km["km-link"][1]["link-id"], "urn:qkdn:lab:km-link:a--c");
    assert_eq!(km["application"][0]["peer-km-id"], "urn:qkdn:lab:km:c");
    assert_eq!(km["key-store"].as_array().unwrap().len(), 3, "to both neighbours, and for the application");
    assert_eq!(plan("ab-rx")["qkdn-mq:qkd-module"]["quantum-channel"].as_array().unwrap().len(), 2);
}

#[test]
fn a_route_goes_the_short_way() {
    let tokyo = Topology::load("tokyo").unwrap();
    let plans = tokyo.agents();
    let hops = |name: &str, node: &str| {
        let km = plans.iter().find(|plan| plan.name == format!("km-{node}")).unwrap();
        let routes = km.initial["qkdn-mk:key-manager"]["relay-route"].as_array().unwrap();
        let route = routes.iter().find(|route| route["route-id"] == format!("urn:qkdn:tokyo:route:{name}"))?;
        let hop = |key: &str| route[key].as_str().map(|id| id.rsplit(':').next().unwrap().to_owned());
        Some((hop("previous-hop"), hop("next-hop")))
    };
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(hops("vpn-hongo", "koganei-3"), Some((None, some("koganei-2"))));
    assert_eq!(hops("vpn-hongo", "koganei-2"), Some((some("koganei-3"), some("otemachi-2"))));
    assert_eq!(hops("vpn-hongo", "hongo"), Some((some("otemachi-2"), None)));
    assert_eq!(hops("vpn-hongo", "hakusan"), None);
    // Over koganei-2 it would be as short, but the 90 km make too little key.
    assert_eq!(hops("video", "otemachi-1"), Some((some("koganei-1"), some("otemachi-2"))));
}

/// What the applications take over a link is less than it makes.
#[test]
fn no_network_lives_on_its_stores() {
    for topology in topologies().into_iter().chain([generate(5, 2), generate(500, 3)]) {
        let neighbours = topology.km_neighbours();
        let supplied = topology.supplies(&neighbours);
        assert_eq!(supplied.len(), topology.applications.len(), "keys get to every application");
        for (one, other) in topology.links.iter().map(|link| (link.from.as_str(), link.to.as_str())) {
            let hops = |way: &[&str]| way.windows(2).any(|hop| hop == [one, other] || hop == [other, one]);
            let taken: f64 =
                supplied.iter().filter(|(_, way)| hops(way)).map(|(application, _)| application.rate).sum();
            let rate = |link: &Link| {
                topology.system_of(link).over_loss(topology.design_loss_db(link)).vacuum_weak.secret_key_rate
            };
            let made: f64 = topology.links_between(one, other).map(rate).sum();
            assert!(taken < 0.8 * made, "{}: {one} to {other}: {taken} of {made} bit/s", topology.name);
        }
    }
}

#[test]
fn a_generated_network_is_connected_plausible_and_always_the_same() {
    for (nodes, seed) in [(2, 0), (3, 1), (10, 2), (97, 3), (400, 4)] {
        let topology = generate(nodes, seed);
        assert_eq!(topology.nodes.len(), nodes);
        assert_eq!(topology, generate(nodes, seed));
        assert_eq!(Topology::parse(&topology.to_toml(), "generated").unwrap(), topology);
        let neighbours = topology.km_neighbours();
        let mut reached = BTreeSet::from(["n1"]);
        let mut next = vec!["n1"];
        while let Some(node) = next.pop() {
            next.extend(neighbours[node].iter().filter(|neighbour| reached.insert(neighbour)));
        }
        assert_eq!(reached.len(), nodes, "all nodes hang together");
        assert!(nodes < 10 || topology.links.len() > nodes, "there are rings");
        assert!(topology.links.iter().all(|link| (5.0..=60.0).contains(&link.length_km)));
    }
    assert_ne!(generate(50, 1).links, generate(50, 2).links);
    assert_eq!(generate(5000, 1).nodes.len(), 2000);
}

#[test]
fn a_file_that_is_wrong_says_where_and_what_to_do() {
    let lab = include_str!("lab.toml");
    let link = |name: &str, from: &str, to: &str| {
        format!("{lab}\n[[link]]\nname = \"{name}\"\nfrom = \"{from}\"\nto = \"{to}\"\nlength-km = 5.0\n")
    };
    let via = |element: &str, input: &str, output: &str| {
        let port = format!("element = \"{element}\", input = \"{input}\", output = \"{output}\"");
        format!("{}via = [{{ {port} }}]\n", link("ab-2", "a", "b"))
    };
    for (text, entry, reason) in [
        (link("ax", "a", "x"), "link ax", "there is no node \"x\""),
        (link("ab", "a", "b"), "link ab", "there twice"),
        (link("aa", "a", "a"), "link aa", "a link joins two nodes"),
        (link("A B", "a", "b"), "link", "is not a name"),
        (lab.replace("length-km = 10.0", "length-km = -1.0"), "link ab", "not above 0"),
        (lab.replace("system = \"gys\"", "system = \"magic\""), "topology", "not one of: gys, gys-1ghz"),
        (lab.replace("name = \"os\"", "name = \"km-a\""), "optical-switch km-a", "like that of node a"),
        (via("os-9", "p1", "p2"), "link ab-2", "no optical-switch or relay-point \"os-9\""),
        (via("os", "p7", "p2"), "link ab-2", "has no port \"p7\"; it has p1, p2"),
        (via("rp", "north", "west"), "link ab-2", "has no segment \"north\""),
        (via("os", "p1", "p2"), "link ab-2", "link bc passes p1 of os already"),
        (via("os", "s-in", "p2"), "link ab-2", "is spare"),
        (lab.replace("link = \"ca\" }", "link = \"ab\" }"), "relay-point rp", "no link \"ab\" passes it"),
        (lab.replace("latitude = 48.208200", "latitude = 148.2"), "node a", "no place on Earth"),
        (lab.replace("peer = \"c\"", "peer = \"a\""), "application vpn", "both its ends"),
        (lab.replace("at-km = 0.1", "at-km = 40.0"), "link bc", "at-km 40"),
        (lab.replace("node = \"a\"", "node = \"z\""), "controller controller", "there is no node \"z\""),
    ] {
        let error = Topology::parse(&text, "here.toml").unwrap_err().to_string();
        let fits = error.starts_with(&format!("here.toml: {entry}")) && error.contains(reason);
        assert!(fits && !error.contains('\n'), "{error}\nis not about {entry}: {reason}");
    }
    for (text, line, reason) in [
        (lab.replace("[[application]]", "[[satellite]]"), "here.toml:", "unknown field `satellite`"),
        (lab.replace("seed = 1\n", "seed = 1\ncolour = \"red\"\n"), "here.toml:", "unknown field `colour`"),
        ("this is no TOML".to_owned(), "here.toml:1:", ""),
        (lab.replace("from = \"a\"\n", ""), "here.toml:", "missing field `from`"),
    ] {
        let error = Topology::parse(&text, "here.toml").unwrap_err().to_string();
        assert!(error.starts_with(line) && error.contains(reason) && !error.contains('\n'), "{error}");
    }
    let error = Topology::load("/nowhere/else.toml").unwrap_err().to_string();
    assert!(error.contains("/nowhere/else.toml") && error.contains("lab, tokyo, hefei"), "{error}");
}
