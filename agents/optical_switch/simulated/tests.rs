//! The simulated switch between the modules of link bc of the lab: what it connects, what fails, and what it refuses.

use std::collections::BTreeSet;

use netconf::server::base_modules;
use netconf::yang::Schema;
use netconf::yang::serde::{instance_path, to_tree, tree_at};

use super::super::catalogue::{ALARM_TYPES, QUANTITIES, quantity};
use super::super::model::{CONTAINER, CrossConnect, Port};
use super::*;
use crate::driver::{Answer, Call, Driver, Fact, facts};
use crate::fault::{self, Fault, PortFailure, SwitchStuck, UnexpectedCrossConnect};
use crate::schema::agent_schema;
use crate::state::{OperState, ServiceState};
use crate::topology::Topology;

const SWITCH: &str = "urn:qkdn:lab:switch:os";
const LINK: &str = "urn:qkdn:lab:link:bc";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

struct Bench {
    network: Arc<Network>,
    switch: SimulatedSwitch,
    config: Config,
    second: i64,
}

impl Bench {
    /// A switch that has run for a minute as the lab has it.
    async fn new() -> Bench {
        let network = Network::new(&Topology::load("lab").unwrap(), at(0));
        let switch = SimulatedSwitch::new(network.clone(), SWITCH, at(0)).unwrap();
        let port = |name: &str| Port {
            name: name.to_owned(),
            description: None,
            admin_state: Default::default(),
            link_id: None,
            connected_to: None,
        };
        let config = Config {
            port: ["p1", "p2", "s-in", "s-out"].map(port).to_vec(),
            cross_connect: vec![connect("bc", "p1", "p2")],
            ..Config::default()
        };
        let mut bench = Bench { network, switch, config: Config::default(), second: 0 };
        bench.configure(|new| *new = config).await.unwrap();
        bench.second += 60;
        bench
    }

    async fn configure(&mut self, change: impl FnOnce(&mut Config)) -> Result<(), DriverError> {
        let mut config = self.config.clone();
        change(&mut config);
        self.switch.check(&self.config, &config)?;
        self.second += 1;
        self.switch.configure(config.clone(), at(self.second)).await?;
        self.config = config;
        Ok(())
    }

    async fn inject(&mut self, fault: Fault) -> Result<(), DriverError> {
        self.second += 1;
        self.switch.inject(fault, "tester", at(self.second)).await.map(|_| ())
    }

    async fn clear(&mut self) {
        self.second += 1;
        self.switch.clear(None, "tester", at(self.second)).await.unwrap();
    }

    async fn conditions(&self) -> Vec<String> {
        let sample = self.switch.sample(at(self.second + 1)).await.unwrap();
        let short = |name: &str| name.rsplit_once(':').unwrap().1.to_owned();
        sample.conditions.iter().map(|c| format!("{} {}", short(c.alarm_type), short(&c.resource))).collect()
    }

    async fn connected(&self) -> Vec<(String, bool, OperState)> {
        let state = self.switch.state(at(self.second + 1)).await.unwrap().state;
        state.cross_connect.into_iter().map(|c| (c.name, c.configured, c.oper_state)).collect()
    }

    async fn reading(&self, quantity: &str) -> Option<f64> {
        let sample = self.switch.sample(at(self.second + 1)).await.unwrap();
        sample.readings.into_iter().find(|reading| reading.quantity == quantity).map(|reading| reading.value)
    }

    fn light(&self) -> bool {
        self.network.link(LINK, at(self.second + 1)).unwrap().light
    }
}

fn connect(name: &str, input: &str, output: &str) -> CrossConnect {
    CrossConnect {
        name: name.to_owned(),
        input: input.to_owned(),
        output: output.to_owned(),
        link_id: Some(LINK.to_owned()),
        service_state: ServiceState::InService,
    }
}

fn port_failure(loss: f64) -> Fault {
    Fault { port_failure: Some(PortFailure { port: "p1".to_owned(), loss }), ..Fault::default() }
}

#[tokio::test(start_paused = true)]
async fn a_restart_with_a_spare_path_in_use_moves_nothing() {
    let bench = Bench::new().await;
    let spare = Config { cross_connect: vec![connect("spare", "s-in", "s-out")], ..bench.config.clone() };
    let network = Network::new(&Topology::load("lab").unwrap(), at(0));
    let switch = SimulatedSwitch::new(network.clone(), SWITCH, at(0)).unwrap();
    // Without waiting for mirrors to come to rest: what the network sees at once is what counts.
    switch.running.with(at(0), |element| element.configure(spare));
    let passages = network.element(SWITCH, at(0)).unwrap().passages;
    let connected: Vec<_> = passages.iter().map(|passage| (passage.input.as_str(), passage.output.as_str())).collect();
    assert_eq!(connected, [("s-in", "s-out")]);
    let state = switch.state(at(0)).await.unwrap().state;
    assert_eq!(state.cross_connect[0].oper_state, OperState::Operational);
    let sample = switch.sample(at(0)).await.unwrap();
    let moves = sample.readings.iter().find(|reading| reading.quantity == quantity::SWITCHING_COUNT).unwrap();
    assert_eq!(moves.value, 0.0);
}

#[tokio::test(start_paused = true)]
async fn another_port_takes_the_light_of_one_that_failed() {
    let mut bench = Bench::new().await;
    let operational = |name: &str| vec![(name.to_owned(), true, OperState::Operational)];
    assert!(bench.light());
    assert_eq!((bench.conditions().await, bench.connected().await), (vec![], operational("bc")));
    let made_by_nobody = bench.reading(quantity::SWITCHING_COUNT).await;
    assert_eq!(made_by_nobody, Some(0.0), "it was connected when it was switched on");
    bench.inject(port_failure(200.0)).await.unwrap();
    assert!(!bench.light());
    assert_eq!(bench.conditions().await, ["port-fault p1"], "the failed port speaks for its connection");
    assert_eq!(bench.connected().await[0].2, OperState::Failed);
    bench.configure(|config| config.cross_connect[0].input = "s-in".to_owned()).await.unwrap();
    assert!(bench.light(), "when the configuration is in effect the mirrors have moved");
    assert_eq!(bench.connected().await, operational("bc"));
    assert_eq!(bench.reading(quantity::SWITCHING_COUNT).await, Some(1.0));
    let took = bench.reading(quantity::SWITCHING_TIME).await.unwrap();
    assert!((5.0..20.0).contains(&took), "{took} ms");
    bench.configure(|config| config.cross_connect[0].input = "p1".to_owned()).await.unwrap();
    assert!(!bench.light(), "the port is still failed");
    bench.clear().await;
    assert!(bench.light());
    assert_eq!((bench.conditions().await, bench.connected().await), (vec![], operational("bc")));
}

#[tokio::test(start_paused = true)]
async fn some_loss_at_a_port_is_measured_and_felt_by_the_link() {
    let mut bench = Bench::new().await;
    let loss = |bench: &Bench| bench.network.link(LINK, at(bench.second + 1)).unwrap().loss_db;
    let (before, inside) = (loss(&bench), bench.reading(quantity::PORT_INSERTION_LOSS).await.unwrap());
    assert!((inside - 1.0).abs() < 0.3, "{inside} dB");
    bench.inject(port_failure(3.0)).await.unwrap();
    assert!((loss(&bench) - before - 3.0).abs() < 0.2);
    assert!((bench.reading(quantity::PORT_INSERTION_LOSS).await.unwrap() - inside - 3.0).abs() < 0.2);
    assert_eq!((bench.conditions().await, bench.light()), (vec![], true), "its threshold is the agent's");
}

#[tokio::test(start_paused = true)]
async fn a_stuck_switch_says_what_it_did_not_do() {
    let mut bench = Bench::new().await;
    bench.inject(Fault { switch_stuck: Some(SwitchStuck { port: None }), ..Fault::default() }).await.unwrap();
    assert!(bench.light(), "it stands where it stood");
    assert_eq!(bench.conditions().await, ["switch-fault os"]);
    bench.configure(|config| config.cross_connect = vec![connect("spare", "s-in", "s-out")]).await.unwrap();
    let expected = ["switch-fault os", "unexpected-cross-connect spare", "unexpected-cross-connect p2"];
    assert_eq!(bench.conditions().await, expected);
    let expected =
        [("spare".to_owned(), true, OperState::Failed), ("found:p1:p2".to_owned(), false, OperState::Operational)];
    assert_eq!(bench.connected().await, expected);
    bench.clear().await;
    assert_eq!(bench.conditions().await, [] as [&str; 0]);
    assert_eq!(bench.connected().await, [("spare".to_owned(), true, OperState::Operational)]);
    assert!(bench.light(), "through the spare ports, which are patched to this link");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_connects_by_hand_takes_the_ports_from_others_until_its_time_is_over() {
    let mut bench = Bench::new().await;
    let by_hand = UnexpectedCrossConnect { input: "p2".to_owned(), output: "s-out".to_owned() };
    let fault = Fault { unexpected_cross_connect: Some(by_hand), duration: Some(5), ..Fault::default() };
    bench.inject(fault).await.unwrap();
    let expected = ["unexpected-cross-connect bc", "unexpected-cross-connect s-out"];
    assert_eq!(bench.conditions().await, expected);
    let (sender, mut told) = facts();
    bench.switch.start(sender);
    bench.second += 6;
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    let told: Vec<_> = std::iter::from_fn(|| told.try_recv().ok()).collect();
    assert!(told.contains(&Fact::ConditionsChanged), "nobody had to look: {told:?}");
    assert_eq!((bench.conditions().await, bench.light()), (vec![], true));
}

#[tokio::test(start_paused = true)]
async fn what_contradicts_itself_is_refused_by_its_leaf() {
    let mut bench = Bench::new().await;
    let schema = agent_schema(base_modules(Schema::builder()), &["qkdn-mops"], true).unwrap();
    let mut refused = async |change: fn(&mut Config)| match bench.configure(change).await {
        Err(DriverError::Refused { leaf: Some(leaf), .. }) => {
            instance_path(&schema, &format!("/{CONTAINER}/{leaf}")).unwrap();
            leaf
        }
        other => panic!("{other:?}"),
    };
    let twice = refused(|config| config.cross_connect.push(connect("x", "p1", "s-out"))).await;
    assert_eq!(twice, "cross-connect[name='x']/input");
    let twice = refused(|config| config.cross_connect.push(connect("x", "s-in", "p1"))).await;
    assert_eq!(twice, "cross-connect[name='x']/output", "a switch connects a port to one other, whichever way");
    assert_eq!(refused(|config| config.port[0].name = "p9".to_owned()).await, "port[name='p9']");
    let step = refused(|config| config.cross_connect[0].service_state = ServiceState::Reserved).await;
    assert_eq!(step, "cross-connect[name='bc']/service-state");
    assert_eq!(refused(|config| config.service_state = ServiceState::Reserved).await, "service-state");
    let standby = CrossConnect { service_state: ServiceState::Standby, ..connect("x", "p1", "s-out") };
    bench.configure(|config| config.cross_connect.push(standby)).await.unwrap();
    assert!(bench.light(), "what stands by takes no port");
    let unknown = PortFailure { port: "p9".to_owned(), loss: 200.0 };
    let unknown = bench.inject(Fault { port_failure: Some(unknown), ..Fault::default() }).await;
    assert!(matches!(unknown, Err(DriverError::Refused { leaf: Some(leaf), .. }) if leaf == "port-failure/port"));
    let foreign = bench.inject(Fault { tamper: Some(Default::default()), ..Fault::default() }).await;
    assert!(matches!(foreign, Err(DriverError::Unsupported(_))));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_in_service_passes_no_light() {
    let mut bench = Bench::new().await;
    bench.configure(|config| config.cross_connect[0].service_state = ServiceState::OutOfService).await.unwrap();
    assert!(!bench.light());
    assert_eq!(bench.connected().await, [("bc".to_owned(), true, OperState::Down)]);
    bench.configure(|config| config.cross_connect[0].service_state = ServiceState::InService).await.unwrap();
    assert!(bench.light());
    bench.configure(|config| config.admin_state = crate::state::AdminState::Disabled).await.unwrap();
    assert_eq!((bench.light(), bench.conditions().await), (false, vec![]), "it is as it was commanded");
}

#[tokio::test(start_paused = true)]
async fn what_it_shows_fits_the_model_and_is_about_its_own_resources() {
    let mut bench = Bench::new().await;
    bench.inject(Fault { switch_stuck: Some(SwitchStuck { port: None }), ..Fault::default() }).await.unwrap();
    bench.inject(port_failure(200.0)).await.unwrap();
    bench.configure(|config| config.cross_connect = vec![connect("spare", "s-in", "s-out")]).await.unwrap();
    let schema = agent_schema(base_modules(Schema::builder()), &["qkdn-mops"], true).unwrap();
    let now = at(bench.second + 1);
    let state = bench.switch.state(now).await.unwrap();
    tree_at(&schema, &format!("/{CONTAINER}"), &state).unwrap();
    let listed = fault::Action::ListFaults(Call::default()).at(&bench.switch, "tester", now).await.unwrap();
    to_tree(&schema, &listed).unwrap();
    let fault::Outcome::ListFaults(Answer { output }) = listed else { panic!("it listed something else") };
    assert_eq!(output.fault.len(), 2);
    let resources: BTreeSet<String> = state.resource.iter().map(|r| r.resource_id.clone()).collect();
    assert_eq!(resources.len(), state.resource.len(), "no identifier twice");
    let sample = bench.switch.sample(now).await.unwrap();
    assert!(sample.conditions.len() > 2);
    for reading in &sample.readings {
        assert!(QUANTITIES.iter().any(|q| q.identity == reading.quantity), "{reading:?}");
        assert!(resources.contains(&reading.target) && reading.value.is_finite(), "{reading:?}");
    }
    for condition in &sample.conditions {
        assert!(ALARM_TYPES.iter().any(|t| t.identity == condition.alarm_type), "{condition:?}");
        assert!(resources.contains(&condition.resource), "{condition:?}");
    }
    bench.clear().await;
    let sound = bench.switch.sample(at(bench.second + 1)).await.unwrap();
    let seen: BTreeSet<&str> = sound.readings.iter().map(|reading| reading.quantity).collect();
    assert_eq!(seen, QUANTITIES.iter().map(|quantity| quantity.identity).collect());
}
