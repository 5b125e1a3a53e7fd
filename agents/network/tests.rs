//! The network with the time turned by hand: what both ends of a link see, and what stands between them.

use super::*;
use crate::driver::{Driver, Fact, Nothing};
use crate::fault::*;
use crate::model::types::ChannelUse;
use crate::qkd_module::SimulatedModule;
use crate::qkd_module::catalogue::quantity;
use crate::qkd_module::model::{Config, KeyGeneration, QuantumChannel};
use crate::state::{AdminState, OperState, ServiceState};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn lab() -> Arc<Network> {
    Network::new(&Topology::load("lab").unwrap(), at(0))
}

fn view(network: &Network, link: &str, second: i64) -> LinkView {
    network.link(&format!("urn:qkdn:lab:link:{link}"), at(second)).unwrap()
}

fn passage(input: &str, output: &str, link: Option<&str>) -> Passage {
    let link_id = link.map(|link| format!("urn:qkdn:lab:link:{link}"));
    Passage { input: input.to_owned(), output: output.to_owned(), loss_db: 1.0, link_id }
}

#[test]
fn light_goes_where_a_switch_lets_it() {
    let network = lab();
    let told = Arc::new(Mutex::new(0));
    let count = told.clone();
    network.watch("urn:qkdn:lab:link:bc", Arc::new(move || *count.lock().unwrap() += 1));
    assert!(view(&network, "bc", 10).up);
    for (passages, lit) in [
        (vec![], false),
        (vec![passage("p1", "s-out", None)], true),
        (vec![passage("s-in", "p2", None)], true),
        (vec![passage("s-in", "s-out", None)], false),
        (vec![passage("s-in", "s-out", Some("bc"))], true),
        (vec![passage("s-in", "s-out", Some("ab"))], false),
        (vec![passage("p2", "p1", None)], true),
    ] {
        let before = *told.lock().unwrap();
        network.set_passages("urn:qkdn:lab:switch:os", passages.clone(), at(20));
        assert_eq!(view(&network, "bc", 30).light, lit, "{passages:?}");
        assert!(view(&network, "ab", 30).light, "another link");
        assert_eq!(*told.lock().unwrap(), before + 1, "it is told once");
    }
}

/// A module of link `ab`, driven as its agent would, with what it tells.
struct End {
    module: SimulatedModule,
    facts: tokio::sync::mpsc::Receiver<Fact<Nothing>>,
}

impl End {
    fn of(network: &Arc<Network>, name: &str) -> End {
        let module = SimulatedModule::of(network.clone(), &format!("urn:qkdn:lab:module:{name}")).unwrap();
        let (sender, facts) = crate::driver::facts();
        module.start(sender);
        End { module, facts }
    }

    async fn inject(&self, fault: Fault, second: i64) {
        self.module.inject(fault, "tester", at(second)).await.unwrap();
    }

    async fn clear(&self, second: i64) -> u32 {
        self.module.clear(None, "tester", at(second)).await.unwrap()
    }

    async fn faults(&self, second: i64) -> Vec<FaultStatus> {
        self.module.faults(at(second)).await.unwrap()
    }

    async fn conditions(&self, second: i64) -> Vec<&'static str> {
        let name = |alarm_type: &'static str| alarm_type.strip_prefix("qkdn-alarms:").unwrap();
        let sample = self.module.sample(at(second)).await.unwrap();
        sample.conditions.iter().map(|condition| name(condition.alarm_type)).collect()
    }

    async fn reading(&self, quantity: &str, second: i64) -> Option<f64> {
        let sample = self.module.sample(at(second)).await.unwrap();
        sample.readings.iter().find(|reading| reading.quantity == quantity).map(|reading| reading.value)
    }

    async fn configure(&self, config: &Config, second: i64) {
        self.module.configure(config.clone(), at(second)).await.unwrap();
    }

    fn looks(&mut self) -> bool {
        let told: Vec<_> = std::iter::from_fn(|| self.facts.try_recv().ok()).collect();
        told.contains(&Fact::ConditionsChanged)
    }
}

fn ends(network: &Arc<Network>) -> [End; 2] {
    [End::of(network, "ab-tx"), End::of(network, "ab-rx")]
}

fn cut() -> Fault {
    Fault { fibre_cut: Some(FibreCut::default()), ..Fault::default() }
}

#[tokio::test]
async fn both_ends_see_the_same_light() {
    let network = lab();
    let [tx, rx] = ends(&network);
    for second in [10, 11, 500] {
        let both = [quantity::QBER, quantity::CHANNEL_LOSS, quantity::SECRET_KEY_RATE, quantity::VISIBILITY];
        for quantity in both {
            let (here, there) = (tx.reading(quantity, second).await, rx.reading(quantity, second).await);
            assert!(here.is_some() && here == there, "{quantity} at {second}: {here:?} and {there:?}");
        }
    }
    assert_eq!(network.link("urn:qkdn:lab:link:no", at(500)), None);
}

#[tokio::test]
async fn a_fault_of_the_light_is_at_both_ends() {
    for (injects, other) in [(0, 1), (1, 0)] {
        let network = lab();
        let mut both = ends(&network);
        assert!(view(&network, "ab", 99).up);
        for end in &mut both {
            end.looks();
        }
        let errors =
            Fault { qber: Some(QberChange { target: Some(9.0), ..QberChange::default() }), ..Fault::default() };
        both[injects].inject(errors, 100).await;
        assert!(both.iter_mut().all(End::looks), "both agents look at once");
        both[injects].inject(cut(), 101).await;
        for end in &both {
            assert_eq!(end.conditions(101).await, ["qkd-link-down"]);
            assert_eq!(end.faults(101).await.len(), 2);
        }
        assert_eq!(both[injects].faults(101).await, both[other].faults(101).await);
        assert!(!view(&network, "ab", 101).light);
        assert_eq!(both[other].clear(102).await, 2);
        assert!(both.iter_mut().all(End::looks));
        assert_eq!(both[injects].faults(102).await, []);
        assert_eq!(both[injects].conditions(130).await, [] as [&str; 0]);
        assert!(view(&network, "ab", 130).up);
    }
}

#[tokio::test]
async fn a_module_that_fails_makes_no_key_at_either_end() {
    let plain = Some(Plain {});
    for (fault, own, others) in [
        (
            Fault { module_failure: plain, ..Fault::default() },
            vec!["module-fault"],
            vec!["classical-channel-failure", "qkd-link-down"],
        ),
        (Fault { random_number_failure: plain, ..Fault::default() }, vec!["qrng-health-failed"], vec![]),
        (Fault { authentication_failure: plain, ..Fault::default() }, vec!["module-authentication-failure"], vec![]),
    ] {
        for (fails, other) in [(0, 1), (1, 0)] {
            let network = lab();
            let both = ends(&network);
            let (fails, other) = (&both[fails], &both[other]);
            assert!(view(&network, "ab", 10).up);
            fails.inject(fault.clone(), 20).await;
            assert_eq!(fails.conditions(20).await, own);
            assert_eq!(other.conditions(20).await, others);
            assert_eq!(other.faults(20).await, [], "it is the other's");
            let link = view(&network, "ab", 20);
            assert!(!link.up && link.secret_key_rate == 0.0, "{fault:?}: {link:?}");
            assert_eq!(view(&network, "ab", 60).secret_bits, link.secret_bits);
            fails.clear(60).await;
            assert!(view(&network, "ab", 70).secret_bits > link.secret_bits);
        }
    }
}

#[tokio::test]
async fn the_stricter_end_aborts_for_both() {
    let network = lab();
    let [tx, rx] = ends(&network);
    let mut strict = Config::default();
    strict.thresholds.qber.critical = Some(4.0);
    rx.configure(&strict, 5).await;
    let errors = QberChange { target: Some(5.0), ..QberChange::default() };
    tx.inject(Fault { qber: Some(errors), duration: Some(60), ..Fault::default() }, 10).await;
    assert!(view(&network, "ab", 11).up, "three samples make a judgement");
    assert!(!view(&network, "ab", 20).up);
    for end in [&tx, &rx] {
        assert!(end.conditions(20).await.contains(&"qber-abort"));
        assert_eq!(end.module.state(at(20)).await.unwrap().state.key_generation, KeyGeneration::Aborted);
    }
    assert_eq!(rx.faults(71).await, [], "its time is over");
    assert!(view(&network, "ab", 90).up);
}

#[tokio::test]
async fn a_module_that_is_switched_off_is_no_alarm_at_its_peer() {
    for (off, other) in [("ab-tx", "ab-rx"), ("ab-rx", "ab-tx")] {
        let network = lab();
        let (off, other) = (End::of(&network, off), End::of(&network, other));
        off.configure(&Config { admin_state: AdminState::Disabled, ..Config::default() }, 20).await;
        assert!(!view(&network, "ab", 20).up);
        assert_eq!(other.conditions(20).await, [] as [&str; 0]);
        assert_eq!(other.module.state(at(20)).await.unwrap().state.oper_state, OperState::Down);
        off.configure(&Config::default(), 21).await;
        assert!(view(&network, "ab", 30).up);
    }
}

#[tokio::test]
async fn one_end_takes_both_to_the_backup_channel() {
    let channel = |name: &str, usage| QuantumChannel {
        name: name.to_owned(),
        usage,
        wavelength: None,
        port: None,
        enabled: true,
    };
    let config = Config {
        quantum_channel: vec![channel("primary", ChannelUse::Primary), channel("backup", ChannelUse::Backup)],
        ..Config::default()
    };
    let on = |name: &str| Config { active_channel: Some(name.to_owned()), ..config.clone() };
    for (link, lit) in [("ab", true), ("bc", false)] {
        let network = lab();
        let [tx, rx] = ["tx", "rx"].map(|end| End::of(&network, &format!("{link}-{end}")));
        tx.configure(&config, 5).await;
        rx.configure(&config, 5).await;
        rx.inject(cut(), 10).await;
        assert!(!view(&network, link, 10).light);
        tx.configure(&on("backup"), 11).await;
        assert_eq!(view(&network, link, 11).light, lit, "{link} has a second fibre, or not");
        assert_eq!(rx.module.state(at(11)).await.unwrap().state.active_channel.as_deref(), Some("backup"));
        rx.configure(&Config { service_state: ServiceState::Standby, ..config.clone() }, 12).await;
        assert_eq!(view(&network, link, 12).light, lit, "no command to change channels");
        tx.configure(&config, 13).await;
        assert!(!view(&network, link, 13).light, "the command is withdrawn, and the fibre is still cut");
    }
}

#[test]
fn a_switch_sees_what_passes_it() {
    let network = lab();
    let light = |second| network.light_at("urn:qkdn:lab:switch:os", at(second));
    let [input, output]: [PortLight; 2] = light(10).try_into().unwrap();
    assert_eq!((input.port.as_str(), input.incoming, output.port.as_str(), output.incoming), ("p1", true, "p2", false));
    assert!(
        (input.span_loss_db - 0.021).abs() < 0.01 && (output.span_loss_db - 2.5).abs() < 0.3,
        "{input:?} {output:?}"
    );
    let lost = input.power_dbm.unwrap() - output.power_dbm.unwrap();
    assert!((lost - 1.0).abs() < 1e-9, "{lost} dB");
    network.set_passages("urn:qkdn:lab:switch:os", Vec::new(), at(11));
    let [input, output]: [PortLight; 2] = light(11).try_into().unwrap();
    assert!(input.power_dbm.is_some() && output.power_dbm.is_none() && output.qber.is_none());
    let tx = SimulatedModule::of(network.clone(), "urn:qkdn:lab:module:bc-tx").unwrap();
    let dark = Config { admin_state: AdminState::Disabled, ..Config::default() };
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(tx.configure(dark, at(12))).unwrap();
    assert_eq!(light(12)[0].power_dbm, None);
}

#[test]
fn what_is_seen_does_not_depend_on_who_looks() {
    let (often, seldom) = (lab(), lab());
    for second in 0..400 {
        often.link("urn:qkdn:lab:link:ca", at(second));
        often.light_at("urn:qkdn:lab:relay-point:rp", at(second));
    }
    for link in ["ab", "bc", "ca"] {
        assert_eq!(view(&often, link, 400), view(&seldom, link, 400));
    }
    assert_ne!(view(&often, "ab", 400).qber, view(&often, "bc", 400).qber);
}
