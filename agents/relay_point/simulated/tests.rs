//! The simulated relay point in the middle of link ca of the lab: what it joins, and what it refuses.

use std::collections::BTreeSet;

use netconf::server::base_modules;
use netconf::yang::serde::{from_path, instance_path, tree_at};
use netconf::yang::{Schema, json};

use super::super::catalogue::{QUANTITIES, alarm_type, quantity};
use super::super::model::CONTAINER;
use super::*;
use crate::driver::Driver;
use crate::fault::Fault;
use crate::model::types::ChannelState;
use crate::schema::agent_schema;
use crate::state::{AdminState, OperState, ServiceState};
use crate::topology::Topology;

const RELAY_POINT: &str = "urn:qkdn:lab:relay-point:rp";
const LINK: &str = "urn:qkdn:lab:link:ca";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// As the topology plans it.
fn config() -> Config {
    let schema = agent_schema(base_modules(Schema::builder()), &["qkdn-mqrp"], true).unwrap();
    let agents = Topology::load("lab").unwrap().agents();
    let plan = agents.into_iter().find(|plan| plan.resource_id == RELAY_POINT).unwrap();
    let tree = json::read(&schema, &plan.initial.to_string()).unwrap();
    from_path(&tree, &format!("/{CONTAINER}")).unwrap().unwrap()
}

async fn bench() -> (Arc<Network>, SimulatedRelayPoint) {
    let network = Network::new(&Topology::load("lab").unwrap(), at(0));
    let point = SimulatedRelayPoint::new(network.clone(), RELAY_POINT, at(0)).unwrap();
    point.check(&Config::default(), &config()).unwrap();
    point.configure(config(), at(1)).await.unwrap();
    (network, point)
}

#[tokio::test(start_paused = true)]
async fn light_passes_the_pairs_that_are_joined_and_no_others() {
    let (network, point) = bench().await;
    for (second, change, light) in [
        (10, (|_: &mut Config| ()) as fn(&mut Config), true),
        (20, |config| config.relay[0].enabled = false, false),
        (30, |config| config.relay.iter_mut().for_each(|relay| relay.enabled = relay.name == "spare-1"), true),
        (40, |config| config.admin_state = AdminState::Disabled, false),
        (50, |config| config.service_state = ServiceState::Standby, false),
    ] {
        let mut config = config();
        change(&mut config);
        point.configure(config, at(second)).await.unwrap();
        assert_eq!(network.link(LINK, at(second + 1)).unwrap().light, light, "{second}");
        assert!(network.link("urn:qkdn:lab:link:ab", at(second + 1)).unwrap().light, "another link");
        let sample = point.sample(at(second + 1)).await.unwrap();
        assert_eq!(sample.conditions, [], "it is as it was commanded");
        assert_eq!(sample.readings.iter().any(|reading| reading.quantity == quantity::QBER), light, "{second}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_relay_point_says_so_and_darkens_its_link_until_it_is_repaired() {
    let (network, point) = bench().await;
    let fault = Fault { relay_point_failure: Some(Default::default()), ..Fault::default() };
    point.inject(fault, "tester", at(10)).await.unwrap();
    assert!(!network.link(LINK, at(10)).unwrap().light);
    let sample = point.sample(at(11)).await.unwrap();
    let [condition] = sample.conditions.as_slice() else { panic!("{sample:?}") };
    assert_eq!((condition.alarm_type, condition.resource.as_str()), (alarm_type::RELAY_POINT_FAULT, RELAY_POINT));
    assert_eq!(point.state(at(11)).await.unwrap().state.oper_state, OperState::Failed);
    point.clear(None, "tester", at(20)).await.unwrap();
    assert!(network.link(LINK, at(20)).unwrap().light);
    assert_eq!(point.sample(at(21)).await.unwrap().conditions, []);
}

#[tokio::test(start_paused = true)]
async fn what_contradicts_itself_is_refused_by_its_leaf() {
    let (_, point) = bench().await;
    let schema = agent_schema(base_modules(Schema::builder()), &["qkdn-mqrp"], true).unwrap();
    let refused = |change: fn(&mut Config)| {
        let mut new = config();
        change(&mut new);
        match point.check(&config(), &new) {
            Err(DriverError::Refused { leaf: Some(leaf), .. }) => {
                instance_path(&schema, &format!("/{CONTAINER}/{leaf}")).unwrap();
                leaf
            }
            other => panic!("{other:?}"),
        }
    };
    let twice = refused(|config| {
        config.relay[1].enabled = true;
        config.relay[1].second = "east".to_owned();
    });
    assert_eq!(twice, "relay[name='spare-1']/second");
    assert_eq!(refused(|config| config.segment[1].name = "south".to_owned()), "segment[name='south']");
    assert_eq!(refused(|config| config.service_state = ServiceState::Reserved), "service-state");
    let foreign = Fault { tamper: Some(Default::default()), ..Fault::default() };
    let foreign = point.inject(foreign, "tester", at(9)).await;
    assert!(matches!(foreign, Err(DriverError::Unsupported(_))));
}

#[tokio::test(start_paused = true)]
async fn what_it_shows_fits_the_model_and_is_about_its_own_resources() {
    let (_, point) = bench().await;
    let schema = agent_schema(base_modules(Schema::builder()), &["qkdn-mqrp"], true).unwrap();
    let state = point.state(at(10)).await.unwrap();
    tree_at(&schema, &format!("/{CONTAINER}"), &state).unwrap();
    let segments: Vec<_> = state.state.segment.iter().map(|s| (s.name.as_str(), s.channel_state)).collect();
    let (up, unknown) = (ChannelState::Up, ChannelState::Unknown);
    assert_eq!(segments, [("east", up), ("west", up), ("east-2", unknown), ("west-2", unknown)]);
    let resources: BTreeSet<String> = state.resource.iter().map(|r| r.resource_id.clone()).collect();
    assert_eq!(resources.len(), state.resource.len(), "no identifier twice");
    let sample = point.sample(at(11)).await.unwrap();
    for reading in &sample.readings {
        assert!(resources.contains(&reading.target) && reading.value.is_finite(), "{reading:?}");
    }
    let seen: BTreeSet<&str> = sample.readings.iter().map(|reading| reading.quantity).collect();
    assert_eq!(seen, QUANTITIES.iter().map(|quantity| quantity.identity).collect());
}
