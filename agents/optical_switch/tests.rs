//! A switch, the modules at both ends of a link through it, and a KM that the link feeds: four drivers that know nothing of each other.

use jiff::Timestamp;
use netconf::server::base_modules;
use netconf::yang::serde::from_path;
use netconf::yang::{Schema, json};
use tokio::sync::mpsc::Receiver;

use super::SimulatedSwitch;
use crate::alarm::AlarmList;
use crate::driver::{ConfigOf, Driver, EventOf, Fact, Kind, facts};
use crate::fault::{Fault, PortFailure};
use crate::key_manager::simulated::SimulatedKeyManager;
use crate::network::Network;
use crate::performance::Performance;
use crate::qkd_module::SimulatedModule;
use crate::relay_point::SimulatedRelayPoint;
use crate::schema::agent_schema;
use crate::surveillance::Surveillance;
use crate::topology::{AgentKind, Topology, builtin};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// A driver and what its agent would make of it.
struct Watched<D: Driver> {
    driver: D,
    config: ConfigOf<D>,
    surveillance: Surveillance,
    facts: Receiver<Fact<EventOf<D>>>,
}

impl<D: Driver> Watched<D> {
    /// With its first configuration.
    async fn start(driver: D, module: &str, topology: &Topology) -> Self {
        let device = driver.device().clone();
        let schema = agent_schema(base_modules(Schema::builder()), &[module], true).unwrap();
        let plan = topology.agents().into_iter().find(|plan| plan.resource_id == device.resource_id).unwrap();
        let tree = json::read(&schema, &plan.initial.to_string()).unwrap();
        let config: ConfigOf<D> = from_path(&tree, &format!("/{}", device.container)).unwrap().unwrap();
        let (sender, facts) = facts();
        driver.start(sender);
        driver.check(&ConfigOf::<D>::clone(&config), &config).unwrap();
        driver.configure(config.clone(), at(0)).await.unwrap();
        let performance = Performance::new(jiff::SignedDuration::ZERO);
        let surveillance = Surveillance::new(&device, D::Kind::rules(&config), AlarmList::default(), performance);
        Watched { driver, config, surveillance, facts }
    }

    /// Takes a sample; the alarms that are on then.
    async fn alarms(&mut self, second: i64) -> Vec<String> {
        let sample = self.driver.sample(at(second)).await.unwrap();
        self.surveillance.sample(&sample, at(second));
        let on = self.surveillance.alarms.iter().filter(|alarm| !alarm.is_cleared());
        on.map(|alarm| format!("{} {}", alarm.key.alarm_type, alarm.key.resource)).collect()
    }

    /// It was told, since this was last asked, that conditions are not what they were.
    fn was_woken(&mut self) -> bool {
        std::iter::from_fn(|| self.facts.try_recv().ok()).filter(|fact| matches!(fact, Fact::ConditionsChanged)).count()
            > 0
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_port_is_alarmed_where_it_is_felt_and_cleared_by_a_spare_one() {
    let topology = Topology::load("lab").unwrap();
    let network = Network::new(&topology, at(0));
    let module = |end: &str| SimulatedModule::of(network.clone(), &topology.resource_id("module", end)).unwrap();
    let switch = SimulatedSwitch::new(network.clone(), &topology.resource_id("switch", "os"), at(0)).unwrap();
    let mut switch = Watched::start(switch, "qkdn-mops", &topology).await;
    let mut transmitter = Watched::start(module("bc-tx"), "qkdn-mq", &topology).await;
    let mut receiver = Watched::start(module("bc-rx"), "qkdn-mq", &topology).await;
    let km = SimulatedKeyManager::new(network.clone(), &topology.km_id("b"), at(0));
    let km = Watched::start(km, "qkdn-mk", &topology).await;
    let peer = topology.km_id("c");
    let key_bits = async |second: i64| {
        let state = km.driver.state(at(second)).await.unwrap().state;
        state.key_store.iter().find(|store| store.peer_km_id == peer).unwrap().residual_bits
    };
    for second in [10, 20, 30, 60] {
        for alarms in [switch.alarms(second).await, transmitter.alarms(second).await, receiver.alarms(second).await] {
            assert_eq!(alarms, [] as [&str; 0], "in second {second}");
        }
    }
    let (before, after) = (key_bits(60).await, key_bits(90).await);
    assert!(after > before + 1_000, "the link makes key: {before}, {after}");
    transmitter.was_woken();
    receiver.was_woken();

    let fault = Fault { port_failure: Some(PortFailure { port: "p1".to_owned(), loss: 200.0 }), ..Fault::default() };
    switch.driver.inject(fault, "tester", at(91)).await.unwrap();
    assert!(transmitter.was_woken() && receiver.was_woken(), "nobody waits for a sample");
    let down = [format!("qkdn-alarms:qkd-link-down {}", topology.link_id("bc"))];
    assert_eq!((transmitter.alarms(92).await, receiver.alarms(92).await), (down.to_vec(), down.to_vec()));
    let failed = [format!("qkdn-alarms:port-fault {}:port:p1", topology.resource_id("switch", "os"))];
    assert_eq!(switch.alarms(92).await, failed);
    assert_eq!(key_bits(92).await, key_bits(120).await, "no light, no key");
    transmitter.was_woken();
    receiver.was_woken();

    let mut config = switch.config.clone();
    let [connect] = config.cross_connect.as_mut_slice() else { panic!("one link passes the switch") };
    (connect.input, connect.output) = ("s-in".to_owned(), "s-out".to_owned());
    switch.driver.check(&switch.config, &config).unwrap();
    switch.driver.configure(config, at(121)).await.unwrap();
    assert!(transmitter.was_woken() && receiver.was_woken(), "nor for the news that it is over");
    for second in 122..130 {
        transmitter.alarms(second).await;
        receiver.alarms(second).await;
    }
    assert_eq!((transmitter.alarms(130).await, receiver.alarms(130).await), (vec![], vec![]));
    assert_eq!(switch.alarms(130).await, failed, "the port is as it was");
    let (before, after) = (key_bits(130).await, key_bits(160).await);
    assert!(after > before + 1_000, "the link makes key again: {before}, {after}");
}

#[tokio::test(start_paused = true)]
async fn what_a_topology_plans_leaves_the_light_as_it_is() {
    for name in builtin() {
        let topology = Topology::load(name).unwrap();
        let network = Network::new(&topology, at(0));
        let lit =
            || topology.links.iter().map(|link| network.link(&topology.link_id(&link.name), at(60)).unwrap().light);
        assert!(lit().all(|light| light), "{name}");
        for plan in topology.agents() {
            let (network, id) = (network.clone(), plan.resource_id.as_str());
            let on = match plan.kind {
                AgentKind::OpticalSwitch => {
                    let driver = SimulatedSwitch::new(network, id, at(0)).unwrap();
                    Watched::start(driver, "qkdn-mops", &topology).await.alarms(60).await
                }
                AgentKind::RelayPoint => {
                    let driver = SimulatedRelayPoint::new(network, id, at(0)).unwrap();
                    Watched::start(driver, "qkdn-mqrp", &topology).await.alarms(60).await
                }
                _ => continue,
            };
            assert_eq!(on, [] as [&str; 0], "{name}: {id}");
        }
        assert!(lit().all(|light| light), "{name}");
    }
}
