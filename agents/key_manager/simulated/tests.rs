//! The driver of a KM over the network of a topology: what its agent sees of it, and what it hears of others.

use netconf::server::base_modules;
use netconf::yang::serde::from_path;
use netconf::yang::{Schema, json};
use tokio::sync::mpsc::Receiver;

use super::super::model::{DiagnosticInput, KmLink, RelayCause, RelayRoute};
use super::*;
use crate::fault::{ClearInput, Fault, Plain};
use crate::schema::agent_schema;
use crate::state::{OperState, ServiceState};
use crate::topology::{AgentKind, Topology};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn km(network: &Arc<Network>, node: &str) -> (SimulatedKeyManager, Receiver<Fact<Event>>) {
    let driver = SimulatedKeyManager::new(network.clone(), &format!("urn:qkdn:lab:km:{node}"), at(0));
    let (sender, facts) = crate::driver::facts();
    driver.start(sender);
    (driver, facts)
}

fn heard(facts: &mut Receiver<Fact<Event>>) -> Vec<Fact<Event>> {
    std::iter::from_fn(|| facts.try_recv().ok()).collect()
}

async fn alarms(driver: &SimulatedKeyManager, second: i64) -> Vec<&'static str> {
    driver.sample(at(second)).await.unwrap().conditions.iter().map(|condition| condition.alarm_type).collect()
}

#[test]
fn until_it_is_configured_a_km_does_what_its_first_configuration_says() {
    let topology = Topology::load("lab").unwrap();
    let schema = agent_schema(base_modules(Schema::builder()), &["qkdn-mk"], true).unwrap();
    let network = Network::new(&topology, at(0));
    for plan in topology.agents().into_iter().filter(|plan| plan.kind == AgentKind::KeyManager) {
        let tree = json::read(&schema, &plan.initial.to_string()).unwrap();
        let planned: Config = from_path(&tree, &format!("/{CONTAINER}")).unwrap().unwrap();
        assert_ne!(planned.km_link, []);
        let (driver, _) = km(&network, plan.name.strip_prefix("km-").unwrap());
        let does = driver.look(at(0), |keys, km| Ok(keys.config(km).clone())).unwrap();
        let Config { description, location, source_module, .. } = planned.clone();
        assert_eq!(Config { description, location, source_module, ..does }, planned);
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
    let answer = b.act(Action::InjectFault(Box::new(Call { input: crash })), "tester", at(61)).await.unwrap();
    let Outcome::InjectFault(Answer { output: InjectOutput { fault_id } }) = answer else { panic!("{answer:?}") };
    assert!(heard(&mut at_a).contains(&Fact::ConditionsChanged), "without waiting for the next sample");
    assert!(heard(&mut at_b).contains(&Fact::ConditionsChanged));
    assert_eq!(alarms(&a, 61).await, [alarm_type::KM_LINK_FAILURE]);
    assert_eq!(alarms(&b, 61).await, [alarm_type::KM_FAILURE]);
    let told = heard(&mut at_a);
    let degraded = |fact: &Fact<Event>| matches!(fact, Fact::StateChanged(change) if change.new == "degraded");
    assert!(told.iter().any(degraded), "{told:?}");
    let input = Some(DiagnosticInput::default());
    let answer = a.act(Action::RunRelayDiagnostic(Call { input }), "kmlm", at(62)).await.unwrap();
    let Outcome::RunRelayDiagnostic(answer) = answer else { panic!("{answer:?}") };
    assert_eq!(answer.output.probable_cause, RelayCause::NextHopUnreachable);
    let which = ClearInput { fault_id: Some(fault_id), all: false };
    b.act(Action::ClearFault(Call { input: which }), "tester", at(63)).await.unwrap();
    assert_eq!(alarms(&a, 63).await, [] as [&str; 0]);
    assert_eq!(b.state(at(70)).await.unwrap().state.oper_state, OperState::Operational);
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
