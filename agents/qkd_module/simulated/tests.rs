//! The simulated module, with the time turned by hand: what each fault looks like from outside, and what nobody can tell apart.

use std::collections::BTreeSet;

use super::super::catalogue::{ALARM_TYPES, QUANTITIES, quantity};
use super::super::model::*;
use super::super::model::{Action, Outcome};
use super::*;
use crate::driver::Fact;
use crate::fault::*;
use crate::model::types::{ChannelState, ChannelUse};
use crate::physics::Point;
use crate::state::{AdminState, OperState, ServiceState};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn parameters(role: Role) -> Parameters {
    Parameters {
        module_id: "urn:qkdn:test:module:1".to_owned(),
        link_id: "urn:qkdn:test:link:1".to_owned(),
        role,
        system: System::GYS,
        seed: 7,
        length_km: 20.0,
        extra_loss_db: 0.5,
    }
}

/// A module on the bench: the clock is turned by hand, and what it tells is heard.
struct Bench {
    module: SimulatedModule,
    facts: tokio::sync::mpsc::Receiver<Fact<Nothing>>,
    config: Config,
    now: Timestamp,
}

impl Bench {
    fn new(parameters: Parameters) -> Bench {
        Bench::of(SimulatedModule::new(parameters, at(0)))
    }

    fn of(module: SimulatedModule) -> Bench {
        let (sender, facts) = crate::driver::facts();
        module.start(sender);
        Bench { module, facts, config: Config::default(), now: at(0) }
    }

    fn advance(&mut self, now: Timestamp) {
        self.now = self.module.read(now, |device| device.now);
    }

    fn sample(&self) -> Sample {
        self.module.read(self.now, SimulatedDevice::sample)
    }

    fn operational(&self) -> Operational {
        self.module.read(self.now, SimulatedDevice::operational)
    }

    fn jitter(&self) -> [f64; 4] {
        self.module.read(self.now, |device| device.jitter)
    }

    fn inject(&mut self, fault: Fault, by: &str) -> Result<String, DriverError> {
        self.module.change(self.now, |link, numbers| link.inject(self.module.end, fault, by, numbers))
    }

    fn clear(&mut self, id: Option<&str>, by: &str) -> Result<u32, DriverError> {
        self.module.change(self.now, |link, _| link.clear(self.module.end, id, by))
    }

    fn faults(&self) -> Vec<FaultStatus> {
        self.module.network.with_link(self.module.link, self.now, |link| link.faults(self.module.end))
    }

    fn check(&self, old: &Config, new: &Config) -> Result<(), DriverError> {
        self.module.check(old, new)
    }

    fn diagnose(&self, tests: &[Test], started: Timestamp) -> DiagnosticOutput {
        self.module.read(self.now, |device| device.diagnose(tests, started))
    }

    fn take_facts(&mut self) -> Vec<Fact<Nothing>> {
        std::iter::from_fn(|| self.facts.try_recv().ok()).collect()
    }
}

/// A module that has run for a minute.
fn running(role: Role) -> Bench {
    let mut device = Bench::new(parameters(role));
    pass(&mut device, 60);
    device
}

fn pass(device: &mut Bench, seconds: i64) {
    device.advance(device.now + jiff::SignedDuration::from_secs(seconds));
}

fn inject(device: &mut Bench, fault: Fault) -> String {
    device.inject(fault, "tester").unwrap()
}

fn configure(device: &mut Bench, change: impl FnOnce(&mut Config)) {
    let mut config = device.config.clone();
    change(&mut config);
    device.check(&device.config, &config).unwrap();
    device.module.change(device.now, |link, _| link.configure(device.module.end, config.clone()));
    device.config = config;
}

fn reading(device: &Bench, quantity: &str) -> Option<f64> {
    device.sample().readings.iter().find(|reading| reading.quantity == quantity).map(|reading| reading.value)
}

fn conditions(device: &Bench) -> Vec<&'static str> {
    let name = |alarm_type: &'static str| alarm_type.strip_prefix("qkdn-alarms:").unwrap();
    device.sample().conditions.iter().map(|condition| name(condition.alarm_type)).collect()
}

/// Mean of a reading over some seconds.
fn mean(device: &mut Bench, quantity: &str, seconds: i64) -> f64 {
    let values: Vec<f64> = (0..seconds)
        .filter_map(|_| {
            pass(device, 1);
            reading(device, quantity)
        })
        .collect();
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn a_sound_link_is_what_the_physics_say() {
    let mut device = running(Role::Receiver);
    assert_eq!(conditions(&device), [] as [&str; 0]);
    assert_eq!(device.operational().state.oper_state, OperState::Operational);
    assert_eq!(device.operational().state.key_generation, KeyGeneration::Running);
    let point: Point = System::GYS.over_loss(0.21 * 20.0 + 0.5);
    let near = |value: f64, expected: f64, tolerance: f64| {
        assert!((value / expected - 1.0).abs() < tolerance, "{value} against {expected}");
    };
    near(mean(&mut device, quantity::QBER, 600), point.qber * 100.0, 0.05);
    near(mean(&mut device, quantity::CHANNEL_LOSS, 600), 4.7, 0.02);
    near(mean(&mut device, quantity::SECRET_KEY_RATE, 600), point.vacuum_weak.secret_key_rate, 0.05);
    near(mean(&mut device, quantity::SIFTED_KEY_RATE, 600), point.sifted_key_rate, 0.02);
    near(mean(&mut device, quantity::RAW_DETECTION_RATE, 600), point.detection_rate, 0.02);
    near(mean(&mut device, quantity::VISIBILITY, 600), 93.4, 0.01);
    let counted = device.operational().counters.accounting;
    let seconds = (device.now.duration_since(at(0))).as_secs_f64();
    near(counted.secret_bits as f64, point.vacuum_weak.secret_key_rate * seconds, 0.05);
}

#[test]
fn the_same_seed_is_the_same_module_however_often_one_looks() {
    let (mut often, mut seldom) = (running(Role::Receiver), Bench::new(parameters(Role::Receiver)));
    for _ in 0..300 {
        pass(&mut often, 1);
        often.sample();
    }
    seldom.advance(at(360));
    assert_eq!(often.sample(), seldom.sample());
    assert_eq!(often.operational(), seldom.operational());
    let mut other = Bench::new(Parameters { seed: 8, ..parameters(Role::Receiver) });
    other.advance(at(360));
    assert_ne!(reading(&often, quantity::QBER), reading(&other, quantity::QBER));
}

#[test]
fn what_it_reports_is_in_its_catalogue_and_about_its_own_resources() {
    for role in [Role::Receiver, Role::Transmitter] {
        let mut device = running(role);
        inject(&mut device, Fault { fibre_cut: Some(FibreCut { classical_channel: true }), ..Fault::default() });
        inject(&mut device, Fault { tamper: Some(Plain {}), ..Fault::default() });
        let resources: BTreeSet<String> = device.operational().resource.into_iter().map(|r| r.resource_id).collect();
        let sample = device.sample();
        assert!(!sample.conditions.is_empty());
        for reading in sample.readings {
            assert!(QUANTITIES.iter().any(|q| q.identity == reading.quantity), "{reading:?}");
            assert!(resources.contains(&reading.target), "{reading:?}");
            assert!(reading.value.is_finite(), "{reading:?}");
        }
        for condition in sample.conditions {
            assert!(ALARM_TYPES.iter().any(|t| t.identity == condition.alarm_type), "{condition:?}");
            assert!(resources.contains(&condition.resource), "{condition:?}");
        }
    }
}

#[test]
fn both_roles_together_measure_every_quantity() {
    let seen: BTreeSet<&str> = [Role::Receiver, Role::Transmitter]
        .into_iter()
        .flat_map(|role| running(role).sample().readings.into_iter().map(|reading| reading.quantity))
        .collect();
    assert_eq!(seen, QUANTITIES.iter().map(|quantity| quantity.identity).collect());
}

/// One row per fault: what it makes hold within a quarter of a minute, and that half a minute after it is cleared nothing is left.
#[test]
fn every_fault_shows_and_goes() {
    let of = |change: fn(&mut Fault)| {
        let mut fault = Fault::default();
        change(&mut fault);
        fault
    };
    let cut = FibreCut { classical_channel: false };
    use Role::{Receiver, Transmitter};
    let rows: [(Role, Fault, &[&str], ProbableCause); 18] = [
        (Receiver, Fault { fibre_cut: Some(cut), ..Fault::default() }, &["qkd-link-down"], ProbableCause::FibreCut),
        (
            Receiver,
            of(|f| f.fibre_cut = Some(FibreCut { classical_channel: true })),
            &["classical-channel-failure", "qkd-link-down"],
            ProbableCause::FibreCut,
        ),
        (Receiver, of(|f| f.loss = Some(Loss { loss: 6.0, ramp_time: 0 })), &[], ProbableCause::ExcessLoss),
        (
            Receiver,
            of(|f| f.eavesdropper = Some(Eavesdropper { fraction: 0.2 })),
            &["eavesdropping-suspected"],
            ProbableCause::Eavesdropping,
        ),
        (
            Receiver,
            of(|f| f.eavesdropper = Some(Eavesdropper { fraction: 1.0 })),
            &["qber-abort", "eavesdropping-suspected"],
            ProbableCause::Eavesdropping,
        ),
        (
            Receiver,
            of(|f| f.qber = Some(QberChange { target: Some(9.0), offset: None, ramp_time: 0 })),
            &[],
            ProbableCause::Misalignment,
        ),
        (
            Receiver,
            of(|f| f.qber = Some(QberChange { target: None, offset: Some(10.0), ramp_time: 0 })),
            &["alignment-lost", "qber-abort"],
            ProbableCause::Misalignment,
        ),
        (
            Receiver,
            of(|f| f.misalignment = Some(Misalignment { error: 7.0 })),
            &["alignment-lost"],
            ProbableCause::Misalignment,
        ),
        (
            Receiver,
            of(|f| f.detector_failure = Some(DetectorFailure { detector: 1, efficiency: 0.0 })),
            &["detector-fault"],
            ProbableCause::DetectorFailure,
        ),
        (Receiver, of(|f| f.dark_counts = Some(DarkCounts { factor: 100.0 })), &[], ProbableCause::DetectorFailure),
        (
            Receiver,
            of(|f| f.laser_fault = Some(LaserFault::default())),
            &["qkd-link-down"],
            ProbableCause::LaserFailure,
        ),
        (
            Transmitter,
            of(|f| f.laser_fault = Some(LaserFault::default())),
            &["laser-fault"],
            ProbableCause::LaserFailure,
        ),
        (
            Receiver,
            of(|f| f.synchronization_loss = Some(Plain {})),
            &["qkd-link-down", "sync-lost"],
            ProbableCause::SynchronizationLoss,
        ),
        (
            Receiver,
            of(|f| f.classical_channel_loss = Some(Ratio { ratio: 1.0 })),
            &["classical-channel-failure", "qkd-link-down"],
            ProbableCause::ClassicalChannelLoss,
        ),
        (
            Receiver,
            of(|f| f.temperature = Some(Temperature { offset: 40.0, ramp_time: 0 })),
            &[],
            ProbableCause::TemperatureExcess,
        ),
        (
            Receiver,
            of(|f| f.random_number_failure = Some(Plain {})),
            &["qrng-health-failed"],
            ProbableCause::RandomNumberFailure,
        ),
        (
            Receiver,
            of(|f| f.post_processing_failure = Some(Ratio { ratio: 0.5 })),
            &["key-generation-failure"],
            ProbableCause::NoFaultFound,
        ),
        (Receiver, of(|f| f.module_failure = Some(Plain {})), &["module-fault"], ProbableCause::AdministrativelyDown),
    ];
    for (role, fault, expected, cause) in rows {
        let mut device = running(role);
        let id = inject(&mut device, fault.clone());
        assert_eq!(device.faults().len(), 1);
        pass(&mut device, 15);
        assert_eq!(conditions(&device), expected, "{fault:?}");
        let finding = device.diagnose(&[], device.now);
        assert_eq!(finding.probable_cause, cause, "{fault:?}: {finding:?}");
        assert_eq!(device.clear(Some(&id), "tester"), Ok(1));
        pass(&mut device, 30);
        assert_eq!(conditions(&device), [] as [&str; 0], "after {fault:?}");
        assert_eq!(device.operational().state.oper_state, OperState::Operational, "after {fault:?}");
        assert_eq!(device.operational().state.key_generation, KeyGeneration::Running, "after {fault:?}");
        let sound = device.diagnose(&[], device.now);
        assert_eq!(sound.probable_cause, ProbableCause::NoFaultFound, "after {fault:?}: {sound:?}");
    }
}

#[test]
fn security_faults_are_told_and_counted() {
    let mut device = running(Role::Receiver);
    inject(&mut device, Fault { tamper: Some(Plain {}), ..Fault::default() });
    inject(&mut device, Fault { authentication_failure: Some(Plain {}), ..Fault::default() });
    assert_eq!(conditions(&device), ["module-tamper", "module-authentication-failure"]);
    assert_eq!(reading(&device, quantity::SECRET_KEY_RATE), Some(0.0), "no key with a stranger");
    let counted = device.operational().counters.security;
    assert_eq!((counted.tamper_events, counted.authentication_failures, counted.qrng_health_failures), (1, 1, 0));
}

#[test]
fn a_fibre_cut_is_seen_at_once() {
    let mut device = running(Role::Receiver);
    device.take_facts();
    inject(&mut device, Fault { fibre_cut: Some(FibreCut::default()), ..Fault::default() });
    assert_eq!(conditions(&device), ["qkd-link-down"]);
    let facts = device.take_facts();
    assert!(facts.contains(&Fact::ConditionsChanged), "{facts:?}");
    let changes: Vec<_> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::StateChanged(change) => Some((change.state, change.old.as_str(), change.new.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(
        changes,
        [
            ("oper-state", "operational", "down"),
            ("oper-state", "operational", "down"),
            ("alignment-state", "aligned", "unknown"),
            ("synchronization-state", "locked", "lost"),
        ]
    );
    assert_eq!(reading(&device, quantity::QBER), None, "nothing to measure is not zero");
    assert_eq!(reading(&device, quantity::SECRET_KEY_RATE), Some(0.0));
    assert_eq!(device.operational().state.quantum_channel_state, ChannelState::Down);
}

#[test]
fn an_eavesdropper_raises_errors_at_constant_loss() {
    let mut device = running(Role::Receiver);
    let before = mean(&mut device, quantity::QBER, 120);
    let loss = mean(&mut device, quantity::CHANNEL_LOSS, 120);
    let visibility = mean(&mut device, quantity::VISIBILITY, 120);
    inject(&mut device, Fault { eavesdropper: Some(Eavesdropper { fraction: 0.2 }), ..Fault::default() });
    let added = mean(&mut device, quantity::QBER, 120) - before;
    assert!((added - 20.0 * 0.25 * (1.0 - 2.0 * 0.033)).abs() < 0.3, "{added} points");
    assert!((mean(&mut device, quantity::CHANNEL_LOSS, 120) - loss).abs() < 0.05);
    assert!((mean(&mut device, quantity::VISIBILITY, 120) - visibility).abs() < 0.3);
    assert_eq!(device.operational().counters.security.eavesdropping_suspicions, 1);
}

/// Loss, misalignment and dark counts raise the QBER too, but they explain it.
#[test]
fn ordinary_trouble_is_not_taken_for_an_eavesdropper() {
    let ordinary = [
        Fault { loss: Some(Loss { loss: 15.0, ramp_time: 600 }), ..Fault::default() },
        Fault { misalignment: Some(Misalignment { error: 4.0 }), ..Fault::default() },
        Fault { dark_counts: Some(DarkCounts { factor: 200.0 }), ..Fault::default() },
    ];
    let hot = Fault { temperature: Some(Temperature { offset: 60.0, ramp_time: 300 }), ..Fault::default() };
    for fault in ordinary.into_iter().chain([hot, Fault::default()]) {
        for seed in 0..3 {
            let mut device = Bench::new(Parameters { seed, ..parameters(Role::Receiver) });
            pass(&mut device, 60);
            let before = mean(&mut device, quantity::QBER, 60);
            if fault != Fault::default() {
                inject(&mut device, fault.clone());
                pass(&mut device, 600);
                let raised = mean(&mut device, quantity::QBER, 60) > before + 0.05;
                assert!(raised || fault.temperature.is_some(), "{fault:?} shows");
            }
            pass(&mut device, 3600);
            assert_eq!(device.operational().counters.security.eavesdropping_suspicions, 0, "seed {seed}, {fault:?}");
        }
    }
}

#[test]
fn faults_can_grow_and_end_by_themselves() {
    let mut device = running(Role::Receiver);
    let before = mean(&mut device, quantity::CHANNEL_LOSS, 10);
    let loss = Loss { loss: 8.0, ramp_time: 100 };
    inject(&mut device, Fault { loss: Some(loss), duration: Some(200), ..Fault::default() });
    for (seconds, share) in [(50, 0.5), (50, 1.0), (50, 1.0)] {
        pass(&mut device, seconds);
        let added = reading(&device, quantity::CHANNEL_LOSS).unwrap() - before;
        assert!((added - 8.0 * share).abs() < 0.2, "{added} dB at {share}");
    }
    pass(&mut device, 51);
    assert_eq!(device.faults(), []);
    assert!((reading(&device, quantity::CHANNEL_LOSS).unwrap() - before).abs() < 0.2);
}

#[test]
fn an_abort_ends_when_the_errors_do() {
    let mut device = running(Role::Receiver);
    let change = QberChange { target: Some(12.0), offset: None, ramp_time: 0 };
    let id = inject(&mut device, Fault { qber: Some(change), ..Fault::default() });
    pass(&mut device, 5);
    assert_eq!(device.operational().state.key_generation, KeyGeneration::Aborted);
    assert_eq!(reading(&device, quantity::SECRET_KEY_RATE), Some(0.0));
    assert!(reading(&device, quantity::QBER).unwrap() > 10.0, "it is still measured, or it could not end");
    device.clear(Some(&id), "tester").unwrap();
    pass(&mut device, 5);
    assert_eq!(device.operational().state.key_generation, KeyGeneration::Running);
}

#[test]
fn configuration_has_effect() {
    let mut device = running(Role::Receiver);
    let before = reading(&device, quantity::SIFTED_KEY_RATE).unwrap();
    configure(&mut device, |config| config.source.mean_photon_number = Some(0.24));
    let halved = reading(&device, quantity::SIFTED_KEY_RATE).unwrap() / before;
    assert!((halved - 0.5).abs() < 0.05, "{halved}");
    configure(&mut device, |config| config.source.clock_rate = Some(4.0));
    let doubled = reading(&device, quantity::SIFTED_KEY_RATE).unwrap() / before;
    assert!((doubled - 1.0).abs() < 0.05, "{doubled}");

    configure(&mut device, |config| config.service_state = ServiceState::Standby);
    assert_eq!(device.operational().state.key_generation, KeyGeneration::Stopped);
    assert_eq!(reading(&device, quantity::SECRET_KEY_RATE), None, "no key is asked for, so none is missing");
    assert_eq!(conditions(&device), [] as [&str; 0]);
    configure(&mut device, |config| config.service_state = ServiceState::InService);
    assert_eq!(device.operational().state.key_generation, KeyGeneration::Running);

    configure(&mut device, |config| config.admin_state = AdminState::Disabled);
    let state = device.operational().state;
    assert_eq!((state.oper_state, state.key_generation), (OperState::Down, KeyGeneration::Stopped));
    assert_eq!(reading(&device, quantity::QBER), None);
    configure(&mut device, |config| config.admin_state = AdminState::Enabled);
    assert_eq!(device.operational().state.oper_state, OperState::Starting);
    pass(&mut device, 3);
    assert_eq!(device.operational().state.key_generation, KeyGeneration::Running);

    configure(&mut device, |config| config.thresholds.qber.critical = Some(1.0));
    pass(&mut device, 4);
    assert_eq!(device.operational().state.key_generation, KeyGeneration::Aborted);
}

#[test]
fn a_backup_channel_leaves_the_trouble_behind() {
    let mut device = running(Role::Receiver);
    let channel = |name: &str, usage| QuantumChannel {
        name: name.to_owned(),
        usage,
        wavelength: None,
        port: None,
        enabled: true,
    };
    configure(&mut device, |config| {
        config.quantum_channel = vec![channel("b", ChannelUse::Backup), channel("a", ChannelUse::Primary)];
    });
    assert_eq!(device.operational().state.active_channel.as_deref(), Some("a"));
    inject(&mut device, Fault { fibre_cut: Some(FibreCut::default()), ..Fault::default() });
    assert_eq!(conditions(&device), ["qkd-link-down"]);
    configure(&mut device, |config| config.active_channel = Some("b".to_owned()));
    pass(&mut device, 1);
    assert_eq!(conditions(&device), [] as [&str; 0]);
    assert_eq!(device.operational().state.key_generation, KeyGeneration::Running);
}

#[test]
fn what_it_cannot_do_is_refused_and_says_where() {
    let device = running(Role::Receiver);
    let refused = |change: &dyn Fn(&mut Config)| {
        let mut config = device.config.clone();
        change(&mut config);
        match device.check(&device.config, &config) {
            Err(DriverError::Refused { leaf: Some(leaf), .. }) => leaf,
            other => panic!("not refused: {other:?}"),
        }
    };
    assert_eq!(refused(&|config| config.role = Some(Role::Transmitter)), "role");
    assert_eq!(refused(&|config| config.protocol = Some("qkdn-types:cv-qkd".to_owned())), "protocol");
    assert_eq!(refused(&|config| config.service_state = ServiceState::Reserved), "service-state");
    assert_eq!(refused(&|config| config.source.mean_photon_number = Some(0.05)), "source");
    assert_eq!(refused(&|config| config.source.clock_rate = Some(0.0)), "source/clock-rate");
}

#[test]
fn faults_it_cannot_have_are_refused() {
    let mut device = running(Role::Receiver);
    assert!(matches!(device.inject(Fault::default(), "tester"), Err(DriverError::Unsupported(_))));
    let detector = DetectorFailure { detector: 2, efficiency: 0.0 };
    let fault = Fault { detector_failure: Some(detector), ..Fault::default() };
    assert!(matches!(device.inject(fault, "tester"), Err(DriverError::Refused { .. })));
    let elsewhere = Fault { tamper: Some(Plain {}), resource_id: Some("urn:other".to_owned()), ..Fault::default() };
    assert!(matches!(device.inject(elsewhere, "tester"), Err(DriverError::Refused { .. })));
    assert!(matches!(device.clear(Some("fault-9"), "tester"), Err(DriverError::Missing(_))));
    assert_eq!(device.clear(None, "tester"), Ok(0));
    for _ in 0..crate::network::MAX_FAULTS {
        inject(&mut device, Fault { tamper: Some(Plain {}), ..Fault::default() });
    }
    let one_more = Fault { tamper: Some(Plain {}), ..Fault::default() };
    assert!(matches!(device.inject(one_more, "tester"), Err(DriverError::Failed(_))));
    assert_eq!(device.clear(None, "tester"), Ok(64));
}

#[test]
fn clocks_may_jump() {
    let mut device = running(Role::Receiver);
    device.advance(at(10 * 365 * 86_400));
    assert!(reading(&device, quantity::QBER).is_some());
    device.advance(at(0));
    let tick = device.jitter();
    pass(&mut device, 5);
    device.advance(at(30));
    assert_ne!(device.jitter(), tick, "it lives on at the new time");
}

#[tokio::test(start_paused = true)]
async fn the_driver_tells_and_answers() {
    let module = SimulatedModule::new(parameters(Role::Receiver), at(0));
    let (sender, mut facts) = crate::driver::facts();
    module.start(sender);
    module.sample(at(60)).await.unwrap();
    let input = DiagnosticInput { duration: 5, test: vec![Test::Detector], ..DiagnosticInput::default() };
    let Ok(Outcome::RunLinkDiagnostic(answer)) =
        module.act(Action::RunLinkDiagnostic(Call { input }), "qlm", at(60)).await
    else {
        panic!("no diagnostic")
    };
    let output = answer.output;
    assert_eq!(
        (output.started.as_str(), output.ended.as_str()),
        ("2027-01-15T08:01:00.000Z", "2027-01-15T08:01:05.000Z")
    );
    assert_eq!((output.probable_cause, output.result.len()), (ProbableCause::NoFaultFound, 1));
    let other = DiagnosticInput { link_id: Some("urn:other".to_owned()), ..DiagnosticInput::default() };
    let refused = module.act(Action::RunLinkDiagnostic(Call { input: other }), "qlm", at(70)).await;
    assert!(matches!(refused, Err(DriverError::Refused { .. })));

    let cut = Fault { fibre_cut: Some(FibreCut::default()), ..Fault::default() };
    while facts.try_recv().is_ok() {}
    module.inject(cut, "qlm", at(70)).await.unwrap();
    let mut told = Vec::new();
    while let Ok(fact) = facts.try_recv() {
        told.push(fact);
    }
    assert!(told.contains(&Fact::ConditionsChanged), "{told:?}");
    let fault = Driver::faults(&module, at(71)).await.unwrap();
    assert_eq!((fault[0].fault_id.as_str(), fault[0].injected_by.as_str()), ("fault-1", "qlm"));
}
