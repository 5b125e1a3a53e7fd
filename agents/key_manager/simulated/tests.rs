//! The driver of a KM over the network of a topology: what its agent sees of it, and what it hears of others.

use std::time::Duration;

use netconf::server::base_modules;
use netconf::server::provider::{Event as ServerEvent, EventReceiver, EventSender, Provider};
use netconf::yang::ffi::data::Kind as DataKind;
use netconf::yang::filter::Selection;
use netconf::yang::serde::from_path;
use netconf::yang::validate::Validator;
use netconf::yang::write::WriteOptions;
use netconf::yang::{Schema, Tree, json};
use tokio::sync::mpsc::Receiver;

use super::super::catalogue::alarm_type;
use super::super::model::{CONTAINER, DiagnosticInput, KmLink, RelayCause, RelayRoute};
use super::*;
use crate::agent::{Agent, Clock};
use crate::fault::{Fault, KmLinkFailure, Plain};
use crate::schema::agent_schema;
use crate::state::{OperState, ServiceState};
use crate::topology::{AgentKind, Topology, builtin};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn km(network: &Arc<Network>, node: &str) -> (SimulatedKeyManager, Receiver<Fact<Nothing>>) {
    let driver = SimulatedKeyManager::new(network.clone(), &format!("urn:qkdn:lab:km:{node}"), at(0));
    let (sender, facts) = crate::driver::facts();
    driver.start(sender);
    (driver, facts)
}

fn heard(facts: &mut Receiver<Fact<Nothing>>) -> Vec<Fact<Nothing>> {
    std::iter::from_fn(|| facts.try_recv().ok()).collect()
}

async fn alarms(driver: &SimulatedKeyManager, second: i64) -> Vec<&'static str> {
    driver.sample(at(second)).await.unwrap().conditions.iter().map(|condition| condition.alarm_type).collect()
}

/// Lists that have no order, sorted by their keys.
fn in_order(mut config: Config) -> Config {
    config.key_store.sort_by_key(|store| (store.peer_km_id.clone(), store.purpose));
    config.km_link.sort_by_key(|link| link.name.clone());
    for link in &mut config.km_link {
        link.channel.sort_by_key(|channel| channel.name.clone());
        link.qkd_link_id.sort();
    }
    config.application.sort_by_key(|application| application.application_id.clone());
    config.relay_route.sort_by_key(|route| route.route_id.clone());
    config
}

#[test]
fn until_it_is_configured_a_km_does_what_its_first_configuration_says() {
    let schema = agent_schema(base_modules(Schema::builder()), &["qkdn-mk"], true).unwrap();
    let topologies = builtin().into_iter().map(|name| Topology::load(name).unwrap());
    let plans = topologies.flat_map(|topology| {
        let network = Network::new(&topology, at(0));
        let kms = topology.agents().into_iter().filter(|plan| plan.kind == AgentKind::KeyManager);
        kms.map(move |plan| (network.clone(), plan)).collect::<Vec<_>>()
    });
    for (network, plan) in plans {
        let tree = json::read(&schema, &plan.initial.to_string()).unwrap();
        let planned: Config = from_path(&tree, &format!("/{CONTAINER}")).unwrap().unwrap();
        assert_ne!(planned.km_link, []);
        let driver = SimulatedKeyManager::new(network, &plan.resource_id, at(0));
        let does = driver.look(at(0), |keys, km| Ok(keys.config(km).clone())).unwrap();
        let Config { description, location, source_module, .. } = planned.clone();
        let does = Config { description, location, source_module, ..does };
        assert_eq!(in_order(does), in_order(planned.clone()));
        driver.check(&Config::default(), &planned).unwrap();
    }
}

#[tokio::test]
async fn key_made_by_the_links_of_the_network_arrives_and_a_crash_is_heard_of_next_door() {
    let network = Network::new(&Topology::load("lab").unwrap(), at(0));
    let ((a, mut at_a), (b, mut at_b)) = (km(&network, "a"), km(&network, "b"));
    assert_eq!((alarms(&a, 60).await, alarms(&b, 60).await), (vec![], vec![]));
    let state = a.state(at(60)).await.unwrap().state;
    let made = network.link("urn:qkdn:lab:link:ab", at(60)).unwrap();
    let store = state.key_store.iter().find(|store| store.peer_km_id == "urn:qkdn:lab:km:b").unwrap();
    assert!(made.secret_bits > 10_000.0, "{made:?}");
    let gained = store.residual_bits as f64 - 5_000_000.0;
    assert!((gained / made.secret_bits - 1.0).abs() < 0.1, "{gained} of {}", made.secret_bits);
    let link = state.qkd_link.iter().find(|link| link.link_id == made.link_id).unwrap();
    assert_eq!((link.module_id.as_str(), link.secret_key_rate), ("urn:qkdn:lab:module:ab-tx", made.secret_key_rate));

    heard(&mut at_a);
    heard(&mut at_b);
    let crash = Fault { km_crash: Some(Plain {}), ..Fault::default() };
    let fault_id = b.inject(crash, "tester", at(61)).await.unwrap();
    assert!(heard(&mut at_a).contains(&Fact::ConditionsChanged), "without waiting for the next sample");
    assert!(heard(&mut at_b).contains(&Fact::ConditionsChanged));
    assert_eq!(alarms(&a, 61).await, [alarm_type::KM_LINK_FAILURE]);
    assert_eq!(alarms(&b, 61).await, [alarm_type::KM_FAILURE]);
    let told = heard(&mut at_a);
    let degraded = |fact: &Fact<Nothing>| matches!(fact, Fact::StateChanged(change) if change.new == "degraded");
    assert!(told.iter().any(degraded), "{told:?}");
    let input = Some(DiagnosticInput::default());
    let answer = a.act(Action::RunRelayDiagnostic(Call { input }), "kmlm", at(62)).await.unwrap();
    let Outcome::RunRelayDiagnostic(answer) = answer else { panic!("{answer:?}") };
    assert_eq!(answer.output.probable_cause, RelayCause::NextHopUnreachable);
    b.clear(Some(&fault_id), "tester", at(63)).await.unwrap();
    assert_eq!(alarms(&a, 63).await, [] as [&str; 0]);
    assert_eq!(b.state(at(70)).await.unwrap().state.oper_state, OperState::Operational);
}

#[tokio::test]
async fn a_network_without_faults_has_no_alarms() {
    for name in builtin() {
        let topology = Topology::load(name).unwrap();
        let network = Network::new(&topology, at(0));
        for node in topology.nodes.iter().filter(|node| node.key_manager) {
            let driver = SimulatedKeyManager::new(network.clone(), &topology.km_id(&node.name), at(0));
            for second in [1, 10, 120] {
                assert_eq!(alarms(&driver, second).await, [] as [&str; 0], "{} of {name} at {second} s", node.name);
            }
            let state = driver.state(at(120)).await.unwrap().state;
            assert!(state.key_life_cycle.received > 0 || state.key_store.is_empty(), "{} of {name}", node.name);
        }
    }
}

/// An agent with what it has said so far.
struct Told {
    agent: Agent<SimulatedKeyManager>,
    events: EventReceiver,
    running: Tree,
    validator: Validator,
    _directory: tempfile::TempDir,
}

impl Told {
    async fn begin(network: &Arc<Network>, topology: &Topology, node: &str, clock: &Clock) -> Told {
        let schema = agent_schema(Schema::builder(), &["qkdn-mk"], true).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let driver = SimulatedKeyManager::new(network.clone(), &topology.km_id(node), clock());
        let agent = Agent::open(driver, schema.clone(), directory.path(), clock.clone()).unwrap();
        let (sender, events) = EventSender::channel();
        agent.start(sender);
        let plan = topology.agents().into_iter().find(|plan| plan.resource_id == topology.km_id(node)).unwrap();
        let running = Tree::initial(schema.clone()).merged(&json::read(&schema, &plan.initial.to_string()).unwrap());
        agent.validate(&running).unwrap();
        agent.apply(&Tree::initial(schema.clone()), &running, &[]).await.unwrap();
        Told { agent, events, running, validator: Validator::new(schema), _directory: directory }
    }

    /// Waits for an alarm notification that says all of this.
    async fn hears(&mut self, parts: &[&str]) {
        let wait = async {
            while let Some(event) = self.events.recv().await {
                let ServerEvent::Notification(tree) = event else { continue };
                let xml = xml(&tree);
                let valid = self.validator.validate_operation(&tree, DataKind::Notification, &self.running);
                assert!(valid.is_ok(), "{valid:?}: {xml}");
                if parts.iter().all(|part| xml.contains(part)) {
                    return true;
                }
            }
            false
        };
        let heard = tokio::time::timeout(Duration::from_secs(3600), wait).await;
        assert_eq!(heard, Ok(true), "{parts:?}");
    }
}

fn xml(tree: &Tree) -> String {
    let mut out = Vec::new();
    netconf::yang::write::write(tree, &Selection::all(), None, WriteOptions::default(), &mut out);
    String::from_utf8(out).unwrap()
}

#[tokio::test(start_paused = true)]
async fn agents_of_neighbours_raise_and_clear_the_alarms_of_a_link_and_show_a_valid_state() {
    let begin = tokio::time::Instant::now();
    let clock: Clock = Arc::new(move || at(0) + begin.elapsed());
    let topology = Topology::load("lab").unwrap();
    let network = Network::new(&topology, clock());
    let mut a = Told::begin(&network, &topology, "a", &clock).await;
    let mut b = Told::begin(&network, &topology, "b", &clock).await;
    tokio::time::sleep(Duration::from_secs(65)).await;
    let fault = Fault {
        km_link_failure: Some(KmLinkFailure::default()),
        resource_id: Some(topology.km_link_id("a", "b")),
        ..Fault::default()
    };
    let other = SimulatedKeyManager::new(network.clone(), &topology.km_id("b"), clock());
    let injected = clock();
    other.inject(fault, "tester", injected).await.unwrap();
    for told in [&mut a, &mut b] {
        told.hears(&["km-link-failure", "<perceived-severity>critical<", "km-link:a--b"]).await;
    }
    let late = clock().duration_since(injected);
    assert!(late < jiff::SignedDuration::from_secs(2), "{late}: both agents were told, and waited for no sample");
    other.clear(None, "tester", clock()).await.unwrap();
    for told in [&mut a, &mut b] {
        told.hears(&["km-link-failure", "<perceived-severity>cleared<", "km-link:a--b"]).await;
    }
    let state = a.agent.state(&Selection::all()).await.unwrap();
    let whole = a.running.merged(&state);
    Validator::validate_data(whole.schema(), &whole).unwrap_or_else(|errors| panic!("{errors:?} in {}", xml(&state)));
    let of = |path: &str| state.value(path).unwrap_or_else(|| panic!("{path} in {}", xml(&state))).to_string();
    let store = "[type='qkdn-performance:residual-key-amount'][target='urn:qkdn:lab:km:a:store:b']";
    assert_eq!(of(&format!("/qkdn-mk:key-manager/performance/information{store}/unit")), "bit");
    assert_eq!(of("/qkdn-mk:key-manager/state/km-link[name='to-b']/channel-state"), "up");
    assert_eq!(of("/qkdn-common:reference-points/reference-point[name='mk']/layer"), "key-management");
    a.agent.stop().await;
    b.agent.stop().await;
}

#[tokio::test]
async fn a_km_that_the_network_does_not_have_fails() {
    let network = Network::new(&Topology::load("lab").unwrap(), at(0));
    let (driver, _) = km(&network, "nowhere");
    assert!(matches!(driver.sample(at(1)).await, Err(DriverError::Failed(_))));
}

#[test]
fn what_no_km_can_do_is_refused_by_its_leaf() {
    let own = "urn:km:a";
    let link = |name: &str, peer: &str| KmLink {
        name: name.to_owned(),
        link_id: format!("urn:{name}"),
        peer_km_id: peer.to_owned(),
        ..KmLink::default()
    };
    let route = |source: &str, destination: &str, previous: Option<&str>, next: Option<&str>| RelayRoute {
        route_id: "urn:r".to_owned(),
        source_km_id: source.to_owned(),
        destination_km_id: destination.to_owned(),
        previous_hop: previous.map(str::to_owned),
        next_hop: next.map(str::to_owned),
        service_state: ServiceState::InService,
    };
    let old = Config { km_link: vec![link("b", "urn:km:b")], ..Config::default() };
    let refused = |change: fn(&mut Config)| {
        let mut new = old.clone();
        change(&mut new);
        match check(own, &old, &new) {
            Err(DriverError::Refused { leaf, .. }) => leaf.unwrap(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(check(own, &old, &old), Ok(()));
    assert_eq!(refused(|new| new.service_state = ServiceState::Reserved), "service-state");
    assert_eq!(refused(|new| new.km_link[0].service_state = ServiceState::Reserved), "km-link[name='b']/service-state");
    assert_eq!(refused(|new| new.km_link[0].peer_km_id = "urn:km:a".to_owned()), "km-link[name='b']/peer-km-id");
    let twice = Config { km_link: vec![link("b", "urn:km:b"), link("c", "urn:km:b")], ..Config::default() };
    assert!(matches!(check(own, &old, &twice), Err(DriverError::Refused { .. })));
    let with = |route: RelayRoute| check(own, &old, &Config { relay_route: vec![route], ..old.clone() });
    assert_eq!(with(route(own, "urn:km:c", None, Some("urn:km:b"))), Ok(()));
    for wrong in [
        route(own, "urn:km:c", None, Some("urn:km:x")),
        route(own, "urn:km:c", None, None),
        route("urn:km:b", "urn:km:c", None, Some("urn:km:b")),
        route(own, "urn:km:c", Some("urn:km:b"), Some("urn:km:b")),
        route(own, own, None, Some("urn:km:b")),
    ] {
        assert!(matches!(with(wrong.clone()), Err(DriverError::Refused { .. })), "{wrong:?}");
    }
}
