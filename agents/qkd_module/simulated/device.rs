//! The simulated device as a state machine: it lives with its link, in ticks of a second, and the time is an argument.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::super::diagnostic::{UNEXPLAINED_QBER, explained_qber};
use super::super::model::{AlignmentState, Config, KeyGeneration, Source, SynchronizationState};
use super::tell::{MODULE_KIND, text};
use super::{Parameters, report};
use crate::alarm::{Direction, Severity, Threshold, Watch};
use crate::driver::{Condition, DriverError, Fact, FactSender, Nothing};
use crate::fault::{Fault, grown};
use crate::model::types::ChannelState;
use crate::network::light::{Injected, Light};
use crate::network::optics::Optics;
use crate::physics::System;
use crate::random::{Drift, Noise};
use crate::state::{AdminState, OperState};

/// Sifted bits of one key block.
const BLOCK_BITS: f64 = 100_000.0;

/// Key that authentication of the classical channel starts with and is topped up to, bit.
const AUTHENTICATION_POOL: f64 = 1_000_000.0;

/// Key that authentication uses while key is generated, bit/s.
pub(super) const AUTHENTICATION_RATE: f64 = 32.0;

/// Share of messages lost at which the classical channel counts as down.
pub(super) const CLASSICAL_DOWN: f64 = 0.5;

/// Consecutive ticks that make or end a judgement of the device's own.
const JUDGEMENT_TICKS: u32 = 3;

/// Time over which unexplained QBER is averaged before it is suspicious, ticks.
const SUSPICION_MEMORY: f64 = 5.0;

/// One end of a [`QkdLink`](crate::network), but for the light, which both ends share.
#[derive(Debug)]
pub(crate) struct SimulatedDevice {
    pub(super) parameters: Parameters,
    /// Loss of the link by design, dB.
    design_loss_db: f64,
    pub(crate) config: Config,
    /// Those of the module itself; the link has the others.
    pub(crate) faults: BTreeMap<u64, Injected>,
    noise: Noise,
    heat_drift: Drift,
    pub(super) booted: Timestamp,
    pub(super) now: Timestamp,
    /// Ticks since it was last switched on; the start of counting.
    pub(super) started: Option<u64>,
    /// The link as it was last seen: light, noise of the tick, channel in use, system as configured.
    pub(super) optics: Optics,
    pub(super) jitter: [f64; 4],
    pub(super) channel: Option<String>,
    pub(super) system: System,
    pub(super) peer: Stance,
    pub(super) counted: Counted,
    pub(super) abort: Watch,
    unexplained: f64,
    pub(super) suspicious: Watch,
    pub(super) states: States,
    pub(super) changed: BTreeMap<&'static str, Timestamp>,
    pub(super) conditions: Vec<Condition>,
    pub(super) facts: Vec<Fact<Nothing>>,
    pub(super) sender: Option<FactSender<Nothing>>,
}

/// What a module lets its peer know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stance {
    pub(super) lit: bool,
    /// It is switched off by command.
    pub(super) disabled: bool,
    pub(super) in_use: bool,
    /// It is out of service.
    pub(super) withdrawn: bool,
    pub(super) starting: bool,
    pub(super) aborted: bool,
    /// Nothing of its own keeps it from making key.
    pub(super) sound: bool,
}

/// Amounts since the start, as reals: a slow link makes less than a bit a tick.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) secret_bits: f64,
    pub(super) sifted_bits: f64,
    pub(super) blocks: f64,
    pub(super) block_failures: f64,
    pub(super) authentication_key: f64,
    pub(super) authentication_failures: u64,
    pub(super) qrng_failures: u64,
    pub(super) tampers: u64,
    pub(super) suspicions: u64,
    pub(super) system_changes: u64,
    pub(super) alignment_changes: u64,
    pub(super) optimizations: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct States {
    pub(super) oper: OperState,
    pub(super) link: OperState,
    pub(super) alignment: AlignmentState,
    pub(super) synchronization: SynchronizationState,
    pub(super) quantum_channel: ChannelState,
    pub(super) classical_channel: ChannelState,
    pub(super) key_generation: KeyGeneration,
}

/// The system with its source as the transmitter's configuration has it, or else the receiver's.
pub(crate) fn configured(design: &System, transmitter: &Source, receiver: &Source) -> System {
    let clock_rate = transmitter.clock_rate.or(receiver.clock_rate);
    let signal = transmitter.mean_photon_number.or(receiver.mean_photon_number);
    let decoy = transmitter.decoy_mean_photon_number.or(receiver.decoy_mean_photon_number);
    System {
        clock_hz: clock_rate.map_or(design.clock_hz, |mhz| mhz * 1e6),
        signal_intensity: signal.unwrap_or(design.signal_intensity),
        decoy_intensity: decoy.unwrap_or(design.decoy_intensity),
        ..*design
    }
}

impl SimulatedDevice {
    /// A module of this kind, switched on at `now`, unconfigured, at a link of this loss by design in dB.
    pub(crate) fn new(parameters: Parameters, design_loss_db: f64, now: Timestamp) -> Self {
        let mut noise = Noise::seeded(parameters.seed ^ parameters.role as u64);
        let jitter = [(); 4].map(|()| noise.normal());
        let config = Config::default();
        let system = parameters.system;
        let states = States {
            oper: OperState::Starting,
            link: OperState::Starting,
            alignment: AlignmentState::Aligning,
            synchronization: SynchronizationState::Acquiring,
            quantum_channel: ChannelState::Unknown,
            classical_channel: ChannelState::Up,
            key_generation: KeyGeneration::Stopped,
        };
        SimulatedDevice {
            abort: abort_watch(&config),
            suspicious: judgement(UNEXPLAINED_QBER, UNEXPLAINED_QBER / 2.0),
            parameters,
            design_loss_db,
            config,
            faults: BTreeMap::new(),
            noise,
            heat_drift: Drift::new(0.5, 3600.0),
            booted: now,
            now,
            started: Some(0),
            optics: Optics::at_rest(system, design_loss_db),
            jitter,
            channel: None,
            system,
            peer: Stance {
                lit: true,
                disabled: false,
                in_use: true,
                withdrawn: false,
                starting: true,
                aborted: false,
                sound: true,
            },
            counted: Counted { authentication_key: AUTHENTICATION_POOL, ..Counted::default() },
            unexplained: 0.0,
            states,
            changed: BTreeMap::new(),
            conditions: Vec::new(),
            facts: Vec::new(),
            sender: None,
        }
    }

    /// A second passes.
    pub(crate) fn step(&mut self) {
        self.heat_drift.step(&mut self.noise);
        if let Some(ticks) = &mut self.started {
            *ticks += 1;
        }
    }

    /// It is `now`; faults whose time is over go.
    pub(crate) fn live(&mut self, now: Timestamp) {
        self.now = now;
        let expired: Vec<(u64, Injected)> = self.faults.extract_if(.., |_, injected| injected.is_over(now)).collect();
        for (number, injected) in expired {
            self.tell_expired(number, &injected.by);
        }
    }

    /// Takes in what the link is like now.
    pub(crate) fn see(&mut self, light: &Light, system: System) {
        self.optics.clone_from(&light.optics);
        self.jitter = light.jitter;
        self.system = system;
        if self.channel.as_deref() != light.channel() {
            self.channel = light.channel().map(str::to_owned);
        }
    }

    /// What the peer is to know.
    pub(crate) fn stance(&self) -> Stance {
        Stance {
            lit: self.is_lit(),
            disabled: self.config.admin_state == AdminState::Disabled,
            in_use: self.in_use(),
            withdrawn: self.is_withdrawn(),
            starting: self.is_starting(),
            aborted: self.abort.judgement().is_some(),
            sound: !self.fails() && !self.has(|fault| fault.authentication_failure.is_some()),
        }
    }

    /// States and conditions as they follow from what is seen.
    pub(crate) fn conclude(&mut self, peer: Stance) {
        self.peer = peer;
        let states = self.judged_states();
        self.enter(states);
        let conditions = self.judged_conditions();
        if conditions != self.conditions {
            self.conditions = conditions;
            self.tell_conditions();
        }
    }

    pub(crate) fn check(&self, old: &Config, new: &Config) -> Result<(), DriverError> {
        DriverError::check_step("service-state", old.service_state, new.service_state)?;
        if new.role.is_some_and(|role| role != self.parameters.role) {
            return Err(DriverError::refused("role", "the module cannot play this role"));
        }
        if new.protocol.as_deref().is_some_and(|protocol| protocol != report::PROTOCOL) {
            return Err(DriverError::refused("protocol", "the module supports decoy-state BB84 only"));
        }
        let system = configured(&self.parameters.system, &new.source, &new.source);
        if system.decoy_intensity <= 0.0 || system.decoy_intensity >= system.signal_intensity {
            let reason = format!(
                "the decoy intensity {} is not between zero and the signal intensity {}",
                system.decoy_intensity, system.signal_intensity
            );
            return Err(DriverError::refused("source", reason));
        }
        if system.clock_hz <= 0.0 {
            return Err(DriverError::refused("source/clock-rate", "the clock does not run"));
        }
        Ok(())
    }

    /// Puts a checked configuration into effect.
    pub(crate) fn configure(&mut self, config: Config) {
        if config.thresholds.qber != self.config.thresholds.qber {
            self.abort = abort_watch(&config);
        }
        if config.admin_state != self.config.admin_state {
            self.started = (config.admin_state == AdminState::Enabled).then_some(0);
        }
        for (state, old, new) in [
            ("admin-state", text(&self.config.admin_state), text(&config.admin_state)),
            ("service-state", text(&self.config.service_state), text(&config.service_state)),
        ] {
            if old != new {
                self.tell_change(self.parameters.module_id.clone(), MODULE_KIND, state, old, new, "configured");
            }
        }
        self.config = config;
    }

    /// Refuses a fault that a QKD module cannot have, or that is another's.
    pub(crate) fn check_fault(&self, fault: &Fault) -> Result<(), DriverError> {
        fault.check_module()?;
        match fault.resource_id.as_deref().filter(|id| !self.resource_ids().contains(*id)) {
            None => Ok(()),
            Some(id) => Err(DriverError::refused("resource-id", format!("the module has no resource {id}"))),
        }
    }

    /// A fault of the module itself from now on.
    pub(crate) fn inject(&mut self, number: u64, injected: Injected) {
        let fault = &injected.fault;
        self.counted.tampers += u64::from(fault.tamper.is_some());
        self.counted.authentication_failures += u64::from(fault.authentication_failure.is_some());
        self.counted.qrng_failures += u64::from(fault.random_number_failure.is_some());
        self.faults.insert(number, injected);
    }

    pub(crate) fn check_link(&self, link: Option<&str>) -> Result<(), DriverError> {
        match link.filter(|link| *link != self.link_id()) {
            None => Ok(()),
            Some(other) => Err(DriverError::refused("link-id", format!("{other} does not end in this module"))),
        }
    }

    pub(super) fn link_id(&self) -> &str {
        self.config.link.link_id.as_deref().unwrap_or(&self.parameters.link_id)
    }

    pub(crate) fn source(&self) -> &Source {
        &self.config.source
    }

    pub(super) fn expected_attenuation(&self) -> f64 {
        self.config.link.expected_attenuation.unwrap_or(self.design_loss_db)
    }

    /// Light is on: enabled, not failed, and used or ready to be.
    pub(crate) fn is_lit(&self) -> bool {
        self.config.admin_state == AdminState::Enabled && self.answers()
    }

    /// Its peer hears of it over the classical channel.
    pub(crate) fn answers(&self) -> bool {
        !self.has(|fault| fault.module_failure.is_some())
    }

    /// How much hotter it is than by design, degrees Celsius.
    pub(crate) fn warming(&self) -> f64 {
        let heat = |injected: &Injected| {
            injected.fault.temperature.map(|t| t.offset * grown(t.ramp_time, injected.age(self.now)))
        };
        self.heat_drift.value() + self.faults.values().filter_map(heat).sum::<f64>()
    }

    pub(super) fn has(&self, part: impl Fn(&Fault) -> bool) -> bool {
        self.faults.values().any(|injected| part(&injected.fault))
    }

    /// The QBER in percent as measured, with the noise of the tick; nothing where nothing is sifted.
    pub(super) fn qber(&self) -> Option<f64> {
        let sifting = self.is_lit()
            && self.peer.lit
            && self.optics.light
            && self.optics.synchronized
            && self.optics.detectors_sound
            && self.optics.classical_loss < CLASSICAL_DOWN
            && self.states.alignment != AlignmentState::Aligning;
        sifting.then(|| {
            let share = self.optics.point.qber;
            let bits = self.optics.point.sifted_key_rate.max(1.0);
            ((share + self.jitter[1] * (share * (1.0 - share) / bits).sqrt()) * 100.0).clamp(0.0, 100.0)
        })
    }

    pub(super) fn sifted_key_rate(&self) -> f64 {
        self.qber().map_or(0.0, |_| {
            let shot = self.jitter[3] / self.optics.point.sifted_key_rate.max(1.0).sqrt();
            (self.optics.point.sifted_key_rate * (1.0 - self.optics.classical_loss) * (1.0 + shot)).max(0.0)
        })
    }

    pub(crate) fn secret_key_rate(&self) -> f64 {
        if self.states.key_generation != KeyGeneration::Running {
            return 0.0;
        }
        let kept = (1.0 - self.optics.classical_loss) * (1.0 - self.optics.discarded);
        self.optics.point.vacuum_weak.secret_key_rate * kept
    }

    /// Averages what the device judges by itself over ticks: abort, and the suspicion of an eavesdropper.
    pub(crate) fn judge(&mut self) {
        let Some(qber) = self.qber() else {
            self.abort.gap();
            self.unexplained = 0.0;
            self.suspicious.sample(0.0);
            return;
        };
        self.abort.sample(qber);
        let visibility = (1.0 - 2.0 * self.optics.misalignment) * 100.0;
        let dark = self.optics.background_yield * self.system.clock_hz;
        let unexplained = qber - explained_qber(&self.system, self.optics.loss_db, visibility, dark);
        self.unexplained += (unexplained - self.unexplained) / SUSPICION_MEMORY;
        let share = self.optics.point.qber;
        let bits = self.optics.point.sifted_key_rate.max(1.0) * 2.0 * SUSPICION_MEMORY;
        let chance = 400.0 * (share * (1.0 - share) / bits).sqrt();
        let before = self.suspicious.judgement().is_some();
        let now = self.suspicious.sample(self.unexplained - chance).is_some();
        self.counted.suspicions += u64::from(now && !before);
    }

    /// Counts what a second made.
    pub(crate) fn count(&mut self) {
        let (sifted, secret) = (self.sifted_key_rate(), self.secret_key_rate());
        let counted = &mut self.counted;
        counted.sifted_bits += sifted;
        counted.secret_bits += secret;
        if self.states.key_generation == KeyGeneration::Running {
            counted.block_failures += sifted / BLOCK_BITS * self.optics.discarded;
            counted.blocks += sifted / BLOCK_BITS * (1.0 - self.optics.discarded);
            let key = counted.authentication_key - AUTHENTICATION_RATE + secret;
            counted.authentication_key = key.clamp(0.0, AUTHENTICATION_POOL);
        }
    }

    fn resource_ids(&self) -> BTreeSet<String> {
        self.resources().into_iter().map(|resource| resource.resource_id).collect()
    }
}

fn judgement(level: f64, hysteresis: f64) -> Watch {
    Watch::new(Threshold {
        direction: Direction::Rising,
        levels: vec![(Severity::Critical, level)],
        hysteresis,
        raise_after: JUDGEMENT_TICKS,
        clear_after: JUDGEMENT_TICKS,
    })
}

/// Key generation ends beyond the critical QBER, whether or not crossings are reported.
fn abort_watch(config: &Config) -> Watch {
    let qber = &config.thresholds.qber;
    let critical = qber.critical.unwrap_or(100.0 * crate::physics::error_rate_limit(1.0));
    judgement(critical, qber.hysteresis.unwrap_or(0.0))
}
