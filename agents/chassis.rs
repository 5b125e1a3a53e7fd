//! What simulated devices in the path of the light have in common: time in ticks, warmth, injected faults, states, and what is to be told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::driver::{
    Condition, Device, Driver, DriverError, Fact, FactSender, Kind, LogClass, LogFact, Nothing, Sample, StateChange,
};
use crate::fault::{Fault, FaultStatus, grown};
use crate::model::date_and_time;
use crate::network::Network;
use crate::random::{Drift, Noise};
use crate::state::OperState;

/// Step of virtual time. Noise belongs to the tick, not to the look.
const TICK: SignedDuration = SignedDuration::from_secs(1);

/// Ticks lived through one by one after a pause; the rest is skipped. A day's worth takes a fraction of a second.
const MAX_TICKS: i64 = 86_400;

/// Faults at once. More are refused.
pub(crate) const MAX_FAULTS: usize = 64;

/// Temperature in ordinary surroundings, degrees Celsius.
const ROOM_CELSIUS: f64 = 30.0;

/// A device of this sort as a state machine; the time is an argument.
pub trait Machine: Send + 'static {
    fn chassis(&mut self) -> &mut Chassis;

    /// Does what is to be done at this moment, and brings states and conditions up to date.
    fn settle(&mut self);

    /// When all that moves has moved; now or earlier where nothing does.
    fn moved(&self) -> Timestamp;

    /// Refuses a fault that the device cannot have.
    fn check_fault(&self, fault: &Fault) -> Result<(), DriverError>;

    fn network(&self) -> &Network;
}

/// An optical switch or a relay point: what an agent asks of a [`Machine`] in the path of the light.
pub trait Element: Machine + Sized {
    type Kind: Kind<Event = Nothing>;

    /// As the network has it, switched on at `now`; none where the network has no such one.
    fn find(network: Arc<Network>, resource_id: &str, now: Timestamp) -> Option<Self>;

    fn check(&self, old: &<Self::Kind as Kind>::Config, new: &<Self::Kind as Kind>::Config) -> Result<(), DriverError>;

    fn configure(&mut self, config: <Self::Kind as Kind>::Config);

    fn sample(&self) -> Sample;

    fn operational(&self) -> <Self::Kind as Kind>::State;
}

/// The [`Driver`] of an [`Element`] of the simulated network.
#[derive(Debug)]
pub struct Simulated<E> {
    about: Device,
    pub(crate) running: Arc<Running<E>>,
}

impl<E: Element> Simulated<E> {
    /// The element of this identifier, as the network has it, switched on at `now`; none where the network has no such one.
    pub fn new(network: Arc<Network>, resource_id: &str, now: Timestamp) -> Option<Self> {
        let about = Device { simulated: true, ..E::Kind::device(resource_id) };
        Some(Simulated { about, running: Running::new(E::find(network, resource_id, now)?) })
    }
}

impl<E: Element> Driver for Simulated<E> {
    type Kind = E::Kind;

    fn device(&self) -> &Device {
        &self.about
    }

    fn start(&self, facts: FactSender<Nothing>) {
        self.running.start(facts);
    }

    fn check(&self, old: &<E::Kind as Kind>::Config, new: &<E::Kind as Kind>::Config) -> Result<(), DriverError> {
        self.running.machine().check(old, new)
    }

    /// Returns when all has moved: that is what a switching time is.
    async fn configure(&self, config: <E::Kind as Kind>::Config, now: Timestamp) -> Result<(), DriverError> {
        self.running.with(now, |element| element.configure(config));
        self.running.come_to_rest(now).await;
        Ok(())
    }

    async fn sample(&self, now: Timestamp) -> Result<Sample, DriverError> {
        Ok(self.running.with(now, |element| element.sample()))
    }

    async fn state(&self, now: Timestamp) -> Result<<E::Kind as Kind>::State, DriverError> {
        Ok(self.running.with(now, |element| element.operational()))
    }

    async fn inject(&self, fault: Fault, user: &str, now: Timestamp) -> Result<String, DriverError> {
        self.running.inject(fault, user, now).await
    }

    async fn clear(&self, fault_id: Option<&str>, user: &str, now: Timestamp) -> Result<u32, DriverError> {
        let cleared = self.running.with(now, |element| element.chassis().clear(fault_id, user))?;
        self.running.come_to_rest(now).await;
        Ok(cleared)
    }

    async fn faults(&self, now: Timestamp) -> Result<Vec<FaultStatus>, DriverError> {
        Ok(self.running.with(now, |element| element.chassis().list()))
    }
}

/// A [`Machine`] and the way of its facts to the agent: what its driver stands on.
#[derive(Debug)]
pub(crate) struct Running<M> {
    machine: Mutex<M>,
    facts: OnceLock<FactSender<Nothing>>,
}

impl<M: Machine> Running<M> {
    pub(crate) fn new(machine: M) -> Arc<Self> {
        Arc::new(Running { machine: Mutex::new(machine), facts: OnceLock::new() })
    }

    pub(crate) fn start(&self, facts: FactSender<Nothing>) {
        if self.facts.set(facts).is_err() {
            tracing::warn!("a simulated device was started twice; its facts go where they went");
        }
    }

    pub(crate) fn machine(&self) -> MutexGuard<'_, M> {
        self.machine.lock().expect("nothing panics while it holds the machine")
    }

    /// Does something to the machine at `now`, and passes on what it has to tell then.
    pub(crate) fn with<T>(&self, now: Timestamp, act: impl FnOnce(&mut M) -> T) -> T {
        let (result, facts) = {
            let mut machine = self.machine();
            machine.chassis().advance(now);
            machine.settle();
            let result = act(&mut machine);
            machine.settle();
            let facts = std::mem::take(&mut machine.chassis().facts);
            (result, facts)
        };
        if let Some(sender) = self.facts.get() {
            facts.into_iter().for_each(|fact| sender.send(fact));
        }
        result
    }

    /// Returns when all that moves has moved.
    pub(crate) async fn come_to_rest(&self, now: Timestamp) {
        let moved = self.machine().moved();
        // An error is a time that is past.
        if let Ok(wait) = Duration::try_from(moved.duration_since(now))
            && !wait.is_zero()
        {
            tokio::time::sleep(wait).await;
            self.with(moved, |_| ());
        }
    }

    /// A fault from now on; its identifier. The end of one that has a duration needs nobody to look.
    async fn inject(self: &Arc<Self>, fault: Fault, user: &str, now: Timestamp) -> Result<String, DriverError> {
        let duration = fault.duration;
        let (fault_id, begun) = self.with(now, |machine| {
            machine.check_fault(&fault)?;
            let number = machine.network().number_fault();
            let fault_id = machine.chassis().inject(number, fault, user)?;
            Ok((fault_id, machine.chassis().now))
        })?;
        let ended = duration.map(|seconds| begun.saturating_add(SignedDuration::from_secs(seconds.into())));
        ended.into_iter().flatten().for_each(|ended| self.look_at(ended, now));
        self.come_to_rest(now).await;
        Ok(fault_id)
    }

    fn look_at(self: &Arc<Self>, then: Timestamp, now: Timestamp) {
        let running = Arc::downgrade(self);
        let wait = Duration::try_from(then.duration_since(now)).unwrap_or_default();
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            if let Some(running) = running.upgrade() {
                running.with(then, |_| ());
                running.come_to_rest(then).await;
            }
        });
    }
}

#[derive(Debug)]
pub struct Chassis {
    pub(crate) id: String,
    pub(crate) noise: Noise,
    loss: Drift,
    heat: Drift,
    pub(crate) booted: Timestamp,
    pub(crate) now: Timestamp,
    ticked: Timestamp,
    faults: BTreeMap<u64, Injected>,
    states: BTreeMap<String, OperState>,
    changed: BTreeMap<String, Timestamp>,
    conditions: Vec<Condition>,
    facts: Vec<Fact<Nothing>>,
}

#[derive(Clone, Debug)]
struct Injected {
    fault: Fault,
    at: Timestamp,
    by: String,
}

impl Chassis {
    /// Switched on at `now`.
    pub(crate) fn new(id: &str, seed: u64, now: Timestamp) -> Self {
        Chassis {
            id: id.to_owned(),
            noise: Noise::seeded(seed),
            loss: Drift::new(0.03, 3600.0),
            heat: Drift::new(0.5, 3600.0),
            booted: now,
            now,
            ticked: now,
            faults: BTreeMap::new(),
            states: BTreeMap::new(),
            changed: BTreeMap::new(),
            conditions: Vec::new(),
            facts: Vec::new(),
        }
    }

    /// Lives until `now`. A clock set back stands still until the time is made up, but for more than [`MAX_TICKS`] it starts anew there.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        let behind = now.duration_since(self.ticked).as_secs();
        if behind.abs() > MAX_TICKS {
            let pause = SignedDuration::from_secs(behind - behind.signum() * MAX_TICKS.min(behind.max(0)));
            self.ticked = self.ticked.saturating_add(pause).expect("a signed duration has no calendar units");
        }
        while now.duration_since(self.ticked) >= TICK {
            self.ticked = self.ticked.saturating_add(TICK).expect("a signed duration has no calendar units");
            self.loss.step(&mut self.noise);
            self.heat.step(&mut self.noise);
        }
        self.now = self.now.max(now);
        self.expire();
    }

    /// What the loss of a way through the device has drifted by, dB.
    pub(crate) fn loss_drift(&self) -> f64 {
        self.loss.value()
    }

    /// Degrees Celsius.
    pub(crate) fn temperature(&self) -> f64 {
        let heat = self.faults.values().filter_map(|injected| {
            let age = self.now.duration_since(injected.at).as_secs_f64().max(0.0);
            injected.fault.temperature.map(|change| change.offset * grown(change.ramp_time, age))
        });
        ROOM_CELSIUS + self.heat.value() + heat.sum::<f64>()
    }

    pub(crate) fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.faults.values().map(|injected| &injected.fault)
    }

    /// A fault that the device can have from now on, under the network's next number; its identifier.
    pub(crate) fn inject(&mut self, number: u64, fault: Fault, by: &str) -> Result<String, DriverError> {
        if self.faults.len() >= MAX_FAULTS {
            return Err(DriverError::Failed(format!("there are {MAX_FAULTS} faults already; clear one first")));
        }
        let fault_id = format!("fault-{number}");
        let kind = fault.kind().unwrap_or_default();
        self.tell_log("fault-injected", format!("{fault_id}: {kind}"), by);
        self.faults.insert(number, Injected { fault, at: self.now, by: by.to_owned() });
        Ok(fault_id)
    }

    /// Takes one fault away, or all; how many.
    pub(crate) fn clear(&mut self, fault_id: Option<&str>, by: &str) -> Result<u32, DriverError> {
        let cleared: Vec<u64> = match fault_id {
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

    pub(crate) fn list(&self) -> Vec<FaultStatus> {
        let status = |(number, injected): (&u64, &Injected)| FaultStatus {
            fault_id: format!("fault-{number}"),
            injected: date_and_time(injected.at),
            injected_by: injected.by.clone(),
            fault: injected.fault.clone(),
        };
        self.faults.iter().map(status).collect()
    }

    /// The operational states of all resources, with their kinds and why they are so. A change of one that was known is told.
    pub(crate) fn enter(&mut self, states: Vec<(String, &'static str, OperState)>, reason: &str) {
        let there: BTreeSet<&String> = states.iter().map(|(resource, ..)| resource).collect();
        self.states.retain(|resource, _| there.contains(resource));
        self.changed.retain(|resource, _| there.contains(resource));
        for (resource, kind, new) in states {
            match self.states.insert(resource.clone(), new) {
                Some(old) if old != new => {
                    self.tell_change(&resource, kind, "oper-state", name(&old), name(&new), reason);
                }
                _ => {}
            }
        }
    }

    pub(crate) fn oper_state(&self, resource: &str) -> OperState {
        self.states.get(resource).copied().unwrap_or_default()
    }

    /// When a state of a resource last changed.
    pub(crate) fn changed(&self, resource: &str) -> Timestamp {
        self.changed.get(resource).copied().unwrap_or(self.booted)
    }

    /// When a state of the device or of a part of it last changed.
    pub(crate) fn last_change(&self) -> Timestamp {
        self.changed.values().max().copied().unwrap_or(self.booted)
    }

    /// All that holds now and is worth an alarm.
    pub(crate) fn hold(&mut self, conditions: Vec<Condition>) {
        if conditions != self.conditions {
            self.conditions = conditions;
            if !self.facts.contains(&Fact::ConditionsChanged) {
                self.facts.push(Fact::ConditionsChanged);
            }
        }
    }

    pub(crate) fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    pub(crate) fn tell_change(
        &mut self,
        resource: &str,
        kind: &'static str,
        state: &'static str,
        old: String,
        new: String,
        reason: &str,
    ) {
        self.changed.insert(resource.to_owned(), self.now);
        let (resource, reason) = (resource.to_owned(), reason.to_owned());
        self.facts.push(Fact::StateChanged(StateChange { time: self.now, resource, kind, state, old, new, reason }));
    }

    fn tell_log(&mut self, event: &'static str, text: String, user: &str) {
        self.facts.push(Fact::Log(LogFact {
            time: self.now,
            resource: self.id.clone(),
            class: LogClass::Event,
            event,
            text,
            user: Some(user.to_owned()),
        }));
    }

    fn expire(&mut self) {
        let over = |injected: &Injected| {
            let lasts = injected.fault.duration.map(|seconds| SignedDuration::from_secs(seconds.into()));
            lasts.is_some_and(|lasts| self.now.duration_since(injected.at) >= lasts)
        };
        let expired: Vec<u64> =
            self.faults.iter().filter(|(_, injected)| over(injected)).map(|(number, _)| *number).collect();
        for number in expired {
            if let Some(injected) = self.faults.remove(&number) {
                self.tell_log("fault-cleared", format!("fault-{number}: its time is over"), &injected.by);
            }
        }
    }
}

/// The name of a state, as YANG has it.
pub(crate) fn name(state: &impl Serialize) -> String {
    match serde_json::to_value(state) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("a state is an enumeration, not {other:?}"),
    }
}
