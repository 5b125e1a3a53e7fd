//! The simulated device as a state machine: it lives in ticks of a second, and the time is an argument.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::super::diagnostic::{UNEXPLAINED_QBER, explained_qber};
use super::super::fault::Fault;
use super::super::model::{AlignmentState, ChannelState, Config, Event, KeyGeneration, SynchronizationState};
use super::{Parameters, report};
use crate::alarm::{Direction, Severity, Threshold, Watch};
use crate::driver::{Condition, DriverError, Fact, LogClass, LogFact, StateChange};
use crate::network::optics::{Optics, Wander};
use crate::physics::System;
use crate::random::{Drift, Noise};
use crate::state::{AdminState, OperState};

/// Step of virtual time. Noise belongs to the tick, not to the sample, so that what is seen does not depend on how often one looks.
const TICK: SignedDuration = SignedDuration::from_secs(1);

/// Ticks lived through one by one after a pause; the rest is skipped. A day's worth takes a fraction of a second.
const MAX_TICKS: i64 = 86_400;

/// Faults at once. More are refused.
pub(super) const MAX_FAULTS: usize = 64;

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

#[derive(Debug)]
pub struct SimulatedDevice {
    pub(super) parameters: Parameters,
    pub(super) config: Config,
    pub(super) faults: BTreeMap<u64, Injected>,
    last_fault: u64,
    noise: Noise,
    loss_drift: Drift,
    misalignment_drift: Drift,
    heat_drift: Drift,
    /// Drawn anew every tick: loss, QBER, visibility, detections.
    pub(super) jitter: [f64; 4],
    pub(super) booted: Timestamp,
    pub(super) now: Timestamp,
    ticked: Timestamp,
    /// Ticks since it was last switched on; the start of counting.
    pub(super) started: Option<u64>,
    pub(super) optics: Optics,
    pub(super) counted: Counted,
    pub(super) abort: Watch,
    unexplained: f64,
    pub(super) suspicious: Watch,
    pub(super) states: States,
    pub(super) changed: BTreeMap<&'static str, Timestamp>,
    pub(super) conditions: Vec<Condition>,
    facts: Vec<Fact<Event>>,
}

#[derive(Clone, Debug)]
pub(super) struct Injected {
    pub(super) fault: Fault,
    pub(super) at: Timestamp,
    pub(super) by: String,
    /// The quantum channel in use then, for a fault that stands on it.
    channel: Option<String>,
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

impl SimulatedDevice {
    /// A module of this kind, switched on at `now`, unconfigured.
    pub fn new(parameters: Parameters, now: Timestamp) -> Self {
        let mut noise = Noise::seeded(parameters.seed);
        let jitter = [(); 4].map(|()| noise.normal());
        let config = Config::default();
        let optics = Optics::new(&parameters.system, design_loss(&parameters, &config), Wander::default(), &[]);
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
            config,
            faults: BTreeMap::new(),
            last_fault: 0,
            noise,
            loss_drift: Drift::new(0.05, 3600.0),
            misalignment_drift: Drift::new(0.001, 1800.0),
            heat_drift: Drift::new(0.5, 3600.0),
            jitter,
            booted: now,
            now,
            ticked: now,
            started: Some(0),
            optics,
            counted: Counted { authentication_key: AUTHENTICATION_POOL, ..Counted::default() },
            unexplained: 0.0,
            states,
            changed: BTreeMap::new(),
            conditions: Vec::new(),
            facts: Vec::new(),
        }
    }

    pub(super) fn facts_mut(&mut self) -> &mut Vec<Fact<Event>> {
        &mut self.facts
    }

    /// Lives until `now`. A clock set back stands still until the time is made up, but for more than [`MAX_TICKS`] it starts anew there.
    pub fn advance(&mut self, now: Timestamp) {
        let behind = now.duration_since(self.ticked).as_secs();
        if behind.abs() > MAX_TICKS {
            let pause = SignedDuration::from_secs(behind - behind.signum() * MAX_TICKS.min(behind.max(0)));
            self.ticked = self.ticked.saturating_add(pause).expect("a signed duration has no calendar units");
        }
        while now.duration_since(self.ticked) >= TICK {
            self.ticked = self.ticked.saturating_add(TICK).expect("a signed duration has no calendar units");
            self.now = self.ticked;
            self.tick();
        }
        self.now = self.now.max(now);
    }

    /// Brings what is seen from outside up to date with what was done to the device at this moment.
    pub fn settle(&mut self) {
        self.expire();
        self.refresh();
    }

    pub fn check(&self, old: &Config, new: &Config) -> Result<(), DriverError> {
        if !old.service_state.may_become(new.service_state) {
            let reason = format!("{} does not become {} in one step", old.service_state, new.service_state);
            return Err(DriverError::refused("service-state", reason));
        }
        if new.role.is_some_and(|role| role != self.parameters.role) {
            return Err(DriverError::refused("role", "the module cannot play this role"));
        }
        if new.protocol.as_deref().is_some_and(|protocol| protocol != report::PROTOCOL) {
            return Err(DriverError::refused("protocol", "the module supports decoy-state BB84 only"));
        }
        let system = self.system(new);
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
    pub fn configure(&mut self, config: Config) {
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

    /// A fault from now on; its identifier.
    pub fn inject(&mut self, fault: Fault, by: &str) -> Result<String, DriverError> {
        fault.check_module()?;
        if let Some(id) = fault.resource_id.as_deref().filter(|id| !self.resource_ids().contains(*id)) {
            return Err(DriverError::refused("resource-id", format!("the module has no resource {id}")));
        }
        if self.faults.len() >= MAX_FAULTS {
            return Err(DriverError::Failed(format!("there are {MAX_FAULTS} faults already; clear one first")));
        }
        self.last_fault += 1;
        self.counted.tampers += u64::from(fault.tamper.is_some());
        self.counted.authentication_failures += u64::from(fault.authentication_failure.is_some());
        self.counted.qrng_failures += u64::from(fault.random_number_failure.is_some());
        let channel = self.config.channel().map(|channel| channel.name.clone());
        let id = format!("fault-{}", self.last_fault);
        self.tell_log("fault-injected", format!("{id}: {}", fault.kind().unwrap_or_default()), by);
        self.faults.insert(self.last_fault, Injected { fault, at: self.now, by: by.to_owned(), channel });
        Ok(id)
    }

    /// Takes one fault away, or all; how many.
    pub fn clear(&mut self, id: Option<&str>, by: &str) -> Result<u32, DriverError> {
        let cleared: Vec<u64> = match id {
            None => self.faults.keys().copied().collect(),
            Some(id) => {
                let number = id.strip_prefix("fault-").and_then(|number| number.parse().ok());
                let known = number.filter(|number| self.faults.contains_key(number));
                vec![known.ok_or_else(|| DriverError::Missing(format!("there is no fault {id}")))?]
            }
        };
        for number in &cleared {
            self.faults.remove(number);
            self.tell_log("fault-cleared", format!("fault-{number}"), by);
        }
        Ok(u32::try_from(cleared.len()).expect("at most MAX_FAULTS"))
    }

    pub fn check_link(&self, link: Option<&str>) -> Result<(), DriverError> {
        match link.filter(|link| *link != self.link_id()) {
            None => Ok(()),
            Some(other) => Err(DriverError::refused("link-id", format!("{other} does not end in this module"))),
        }
    }

    pub(super) fn link_id(&self) -> &str {
        self.config.link.link_id.as_deref().unwrap_or(&self.parameters.link_id)
    }

    /// The system as configured.
    pub(super) fn system(&self, config: &Config) -> System {
        let (by_design, source) = (self.parameters.system, &config.source);
        System {
            clock_hz: source.clock_rate.map_or(by_design.clock_hz, |mhz| mhz * 1e6),
            signal_intensity: source.mean_photon_number.unwrap_or(by_design.signal_intensity),
            decoy_intensity: source.decoy_mean_photon_number.unwrap_or(by_design.decoy_intensity),
            ..by_design
        }
    }

    pub(super) fn expected_attenuation(&self) -> f64 {
        self.config.link.expected_attenuation.unwrap_or_else(|| design_loss(&self.parameters, &self.config))
    }

    /// Light is on: enabled, not failed, and used or ready to be.
    pub(super) fn is_lit(&self) -> bool {
        self.config.admin_state == AdminState::Enabled && !self.has(|fault| fault.module_failure.is_some())
    }

    pub(super) fn has(&self, part: impl Fn(&Fault) -> bool) -> bool {
        self.faults.values().any(|injected| part(&injected.fault))
    }

    /// The QBER in percent as measured, with the noise of the tick; nothing where nothing is sifted.
    pub(super) fn qber(&self) -> Option<f64> {
        let sifting = self.is_lit()
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

    pub(super) fn secret_key_rate(&self) -> f64 {
        if self.states.key_generation != KeyGeneration::Running {
            return 0.0;
        }
        let kept = (1.0 - self.optics.classical_loss) * (1.0 - self.optics.discarded);
        self.optics.point.vacuum_weak.secret_key_rate * kept
    }

    fn tick(&mut self) {
        for drift in [&mut self.loss_drift, &mut self.misalignment_drift, &mut self.heat_drift] {
            drift.step(&mut self.noise);
        }
        self.jitter = [(); 4].map(|()| self.noise.normal());
        if let Some(ticks) = &mut self.started {
            *ticks += 1;
        }
        self.expire();
        self.refresh();
        self.judge();
        self.refresh();
        self.count();
    }

    /// Averages what the device judges by itself over ticks: abort, and the suspicion of an eavesdropper.
    fn judge(&mut self) {
        let Some(qber) = self.qber() else {
            self.abort.gap();
            self.unexplained = 0.0;
            self.suspicious.sample(0.0);
            return;
        };
        self.abort.sample(qber);
        let visibility = (1.0 - 2.0 * self.optics.misalignment) * 100.0;
        let system = self.system(&self.config);
        let dark = self.optics.background_yield * system.clock_hz;
        let unexplained = qber - explained_qber(&system, self.optics.loss_db, visibility, dark);
        self.unexplained += (unexplained - self.unexplained) / SUSPICION_MEMORY;
        let share = self.optics.point.qber;
        let bits = self.optics.point.sifted_key_rate.max(1.0) * 2.0 * SUSPICION_MEMORY;
        let chance = 400.0 * (share * (1.0 - share) / bits).sqrt();
        let before = self.suspicious.judgement().is_some();
        let now = self.suspicious.sample(self.unexplained - chance).is_some();
        self.counted.suspicions += u64::from(now && !before);
    }

    fn count(&mut self) {
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

    fn expire(&mut self) {
        let now = self.now;
        let over = |injected: &Injected| {
            let age = now.duration_since(injected.at);
            injected.fault.duration.is_some_and(|seconds| age >= SignedDuration::from_secs(seconds.into()))
        };
        let expired: Vec<u64> = self.faults.iter().filter(|(_, injected)| over(injected)).map(|(id, _)| *id).collect();
        for id in expired {
            if let Some(injected) = self.faults.remove(&id) {
                self.tell_log("fault-cleared", format!("fault-{id}: its time is over"), &injected.by);
            }
        }
    }

    /// Optics, states and conditions as they follow from faults, configuration and drift.
    fn refresh(&mut self) {
        let channel = self.config.channel().map(|channel| channel.name.as_str());
        let here = |injected: &&Injected| !injected.fault.is_of_channel() || injected.channel.as_deref() == channel;
        let age = |injected: &Injected| self.now.duration_since(injected.at).as_secs_f64().max(0.0);
        let faults: Vec<(&Fault, f64)> =
            self.faults.values().filter(here).map(|injected| (&injected.fault, age(injected))).collect();
        let wander = Wander {
            loss_db: self.loss_drift.value(),
            misalignment: self.misalignment_drift.value(),
            module_celsius: self.heat_drift.value(),
        };
        let loss = design_loss(&self.parameters, &self.config);
        self.optics = Optics::new(&self.system(&self.config), loss, wander, &faults);
        let states = self.judged_states();
        self.enter(states);
        let conditions = self.judged_conditions();
        if conditions != self.conditions {
            self.conditions = conditions;
            if !self.facts.contains(&Fact::ConditionsChanged) {
                self.facts.push(Fact::ConditionsChanged);
            }
        }
    }

    fn enter(&mut self, new: States) {
        let old = std::mem::replace(&mut self.states, new);
        let (module, link) = (self.parameters.module_id.clone(), self.link_id().to_owned());
        let reason = self.reason();
        if old.oper != new.oper {
            self.counted.system_changes += 1;
            self.tell_change(module.clone(), MODULE_KIND, "oper-state", text(&old.oper), text(&new.oper), reason);
        }
        if old.link != new.link {
            self.tell_change(link, "qkdn-types:qkd-link", "oper-state", text(&old.link), text(&new.link), reason);
        }
        if old.alignment != new.alignment {
            self.counted.alignment_changes += 1;
            self.counted.optimizations += u64::from(new.alignment == AlignmentState::Aligned);
            let (old, new) = (text(&old.alignment), text(&new.alignment));
            self.tell_change(module.clone(), MODULE_KIND, "alignment-state", old, new, reason);
        }
        if old.synchronization != new.synchronization {
            let (old, new) = (text(&old.synchronization), text(&new.synchronization));
            self.tell_change(module, MODULE_KIND, "synchronization-state", old, new, reason);
        }
    }

    fn reason(&self) -> &'static str {
        if self.config.admin_state == AdminState::Disabled {
            "disabled"
        } else if self.fails() {
            "equipment fails"
        } else if !self.optics.light {
            "no light"
        } else if !self.optics.synchronized {
            "no synchronization"
        } else if self.optics.classical_loss >= CLASSICAL_DOWN {
            "no classical channel"
        } else if self.abort.judgement().is_some() {
            "QBER too high"
        } else {
            "measured"
        }
    }

    fn tell_change(
        &mut self,
        resource: String,
        kind: &'static str,
        state: &'static str,
        old: String,
        new: String,
        reason: &str,
    ) {
        let of = if kind == MODULE_KIND { "module" } else { "link" };
        self.changed.insert(of, self.now);
        let reason = reason.to_owned();
        self.facts.push(Fact::StateChanged(StateChange { time: self.now, resource, kind, state, old, new, reason }));
    }

    fn tell_log(&mut self, event: &'static str, text: String, user: &str) {
        self.facts.push(Fact::Log(LogFact {
            time: self.now,
            resource: self.parameters.module_id.clone(),
            class: LogClass::Event,
            event,
            text,
            user: Some(user.to_owned()),
        }));
    }

    fn resource_ids(&self) -> BTreeSet<String> {
        self.resources().into_iter().map(|resource| resource.resource_id).collect()
    }
}

pub(super) const MODULE_KIND: &str = "qkdn-types:qkd-module";

/// The name of a state, as YANG has it.
fn text(state: &impl serde::Serialize) -> String {
    match serde_json::to_value(state) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("a state is an enumeration, not {other:?}"),
    }
}

fn design_loss(parameters: &Parameters, config: &Config) -> f64 {
    parameters.system.loss_db(config.link.length.unwrap_or(parameters.length_km)) + parameters.extra_loss_db
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
