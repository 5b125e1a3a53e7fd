//! The key management layer of the simulated network as a state machine: all its KMs, the stores of each pair and the keys that flow
//! between them. It lives in steps of a second, and the time is an argument.
//!
//! One structure holds all KMs because a key is used at several of them at once: both ends of a pair, and each hop of a relay.

mod faults;
mod gap;
mod judgement;
mod path;
mod report;
mod supply;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::events::{Events, With};
use super::metering::Metering;
use super::model::{AfterSupply, Config, EventKind, KeyLifeCycle, Purpose, Security};
use crate::driver::{Fact, LogClass, LogFact, Nothing, StateChange};
use crate::network::store::{Rate, Run, Store};
use crate::random::Noise;
use crate::state::OperState;
use crate::topology::INITIAL_BITS;
use faults::Faults;
use gap::Block;
use judgement::Shortage;
use supply::Session;

pub use report::QkdLinkReport;

/// Steps from the start of a KM until it serves.
const START_STEPS: u32 = 2;

/// Facts that a KM keeps until its driver fetches them. Full: the oldest is dropped. A KM whose agent runs elsewhere is never asked for its.
const MAX_FACTS: usize = 256;

/// Round trip of light over a kilometre of fibre and back, ms.
const ROUND_TRIP: f64 = 0.01;

/// Time that a KM takes for a message, ms.
const PROCESSING: f64 = 0.5;

/// A KM of the network, and what holds until its agent configures it.
#[derive(Clone, Debug, PartialEq)]
pub struct KmPlan {
    pub km_id: String,
    pub config: Config,
}

/// A QKD link whose key goes to the KMs at its ends.
#[derive(Clone, Debug, PartialEq)]
pub struct QkdLinkPlan {
    pub link_id: String,
    pub ends: [QkdLinkEnd; 2],
    pub length_km: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct QkdLinkEnd {
    pub km_id: String,
    pub module_id: String,
}

#[derive(Debug)]
pub struct Layer {
    kms: Vec<Km>,
    index: BTreeMap<String, usize>,
    /// Neighbours, with their KMA-keys.
    pairs: BTreeMap<Ends, Pair>,
    /// KSA-keys, of any two KMs.
    held: BTreeMap<Ends, Store>,
    sessions: BTreeMap<String, Session>,
    faults: Faults,
    noise: Noise,
    /// Of the time that KMs take in this step.
    jitter: f64,
    now: Timestamp,
}

/// Two KMs, the lower number first.
type Ends = (usize, usize);

fn ends(a: usize, b: usize) -> Ends {
    (a.min(b), a.max(b))
}

#[derive(Debug)]
struct Km {
    id: String,
    config: Config,
    booted: Timestamp,
    /// Steps until it serves.
    starting: u32,
    counted: Counted,
    events: Events,
    metering: Metering,
    facts: VecDeque<Fact<Nothing>>,
    seen: Seen,
    /// When a state of a resource last changed.
    changed: BTreeMap<String, Timestamp>,
    /// Of the relay routes that begin here.
    routes: BTreeMap<String, RouteMeasure>,
    /// Of the store shared with the KM of this number.
    short: BTreeMap<(usize, Purpose), Shortage>,
    supplied_now: u64,
    throughput: Rate,
    availability: Rate,
    restoration: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    life_cycle: KeyLifeCycle,
    security: Security,
    relay_successes: u64,
    relay_failures: u64,
    rejections: u64,
}

/// The states last told.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    oper: OperState,
    links: BTreeMap<String, OperState>,
}

#[derive(Clone, Debug, Default)]
struct RouteMeasure {
    block: Option<Block>,
    hops: usize,
    delay: Option<f64>,
    lost_now: u64,
    sent_now: u64,
    lost: Rate,
    sent: Rate,
}

#[derive(Debug)]
struct Pair {
    store: Store,
    qkd_links: Vec<QkdLink>,
    /// Of the KM link, ms.
    design_delay: f64,
    delay: f64,
}

#[derive(Debug)]
struct QkdLink {
    plan: QkdLinkPlan,
    /// Key it had made ever when last looked at, bit.
    taken: Option<f64>,
}

impl Layer {
    pub fn new(kms: Vec<KmPlan>, links: Vec<QkdLinkPlan>, seed: u64, now: Timestamp) -> Self {
        let index = kms.iter().enumerate().map(|(number, plan)| (plan.km_id.clone(), number)).collect();
        let kms = kms.into_iter().map(|plan| Km::new(plan, now)).collect();
        let (pairs, sessions, faults) = (BTreeMap::new(), BTreeMap::new(), Faults::default());
        let noise = Noise::seeded(seed);
        let mut layer = Layer { kms, index, pairs, held: BTreeMap::new(), sessions, faults, noise, jitter: 0.0, now };
        for plan in links {
            let numbers = plan.ends.clone().map(|end| layer.index.get(&end.km_id).copied());
            // A link to a node without a KM makes key for nobody here.
            let [Some(a), Some(b)] = numbers else { continue };
            layer.pair(a, b).join(plan);
        }
        layer.resolve_held();
        layer.resolve_sessions();
        let stores = layer.pairs.keys().map(|ends| (*ends, Purpose::Kma));
        let stores: Vec<(Ends, Purpose)> = stores.chain(layer.held.keys().map(|ends| (*ends, Purpose::Ksa))).collect();
        for ((a, b), purpose) in stores {
            let (size, room) = (layer.key_bits(a, b), layer.room(a, b, purpose));
            if let Some(store) = layer.store_mut(a, b, purpose) {
                store.stock(INITIAL_BITS as f64, size, room, now);
            }
        }
        layer.refresh();
        layer
    }

    pub fn number(&self, km_id: &str) -> Option<usize> {
        self.index.get(km_id).copied()
    }

    /// Puts a checked configuration of a KM into effect.
    pub fn configure(&mut self, km: usize, config: Config) {
        let old = std::mem::replace(&mut self.kms[km].config, config);
        let new = &self.kms[km].config;
        let changes = [
            ("admin-state", name(&old.admin_state), name(&new.admin_state)),
            ("service-state", name(&old.service_state), name(&new.service_state)),
        ];
        let peers: Vec<usize> = new.km_link.iter().filter_map(|link| self.number(&link.peer_km_id)).collect();
        for (state, old, new) in changes.into_iter().filter(|(_, old, new)| old != new) {
            let resource = self.kms[km].id.clone();
            self.tell_change(km, resource, KM_KIND, state, old, new, "configured");
        }
        for peer in peers {
            self.pair(km, peer);
        }
        self.resolve_held();
        self.resolve_sessions();
        self.refresh();
    }

    /// Time goes on within a second.
    pub fn wait_until(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    pub fn config(&self, km: usize) -> &Config {
        &self.kms[km].config
    }

    pub fn take_facts(&mut self, km: usize) -> Vec<Fact<Nothing>> {
        self.kms[km].facts.drain(..).collect()
    }

    /// The second that ends at `now`. `made` tells how much key a QKD link has made ever, bit.
    pub fn step(&mut self, now: Timestamp, made: &dyn Fn(&str) -> f64) {
        self.now = now;
        self.expire_faults();
        for km in &mut self.kms {
            km.starting = km.starting.saturating_sub(1);
        }
        self.jitter = self.noise.normal().abs();
        let pairs: Vec<Ends> = self.pairs.keys().copied().collect();
        for (a, b) in &pairs {
            let noise = self.noise.normal().abs();
            let pair = self.pair(*a, *b);
            pair.delay = pair.design_delay * (1.0 + 0.05 * noise);
            self.arrive(*a, *b, made);
        }
        self.expire_keys();
        self.drain_stores();
        self.replenish();
        self.supply();
        for store in self.pairs.values_mut().map(|pair| &mut pair.store).chain(self.held.values_mut()) {
            store.step();
        }
        self.refresh();
        self.measure();
        for km in &mut self.kms {
            km.metering.advance(now);
        }
    }

    /// Brings what is seen from outside up to date with what was done at this moment.
    fn refresh(&mut self) {
        self.probe_sessions();
        self.probe_routes();
        self.judge();
    }

    /// Key from the QKD links goes into the store of the pair while both KMs take it and agree on it over their KM link. Else it is lost:
    /// the modules keep none for later.
    fn arrive(&mut self, a: usize, b: usize, made: &dyn Fn(&str) -> f64) {
        let accepted = self.gap(a, b).is_none();
        let listed = |km: usize, peer: usize, link: &str| {
            let peer = &self.kms[peer].id;
            let links = self.kms[km].config.link_to(peer).map(|link| &link.qkd_link_id);
            links.is_some_and(|links| links.is_empty() || links.iter().any(|id| id == link))
        };
        let mut arrived = 0.0;
        let mut taken = Vec::new();
        for link in &self.pairs[&ends(a, b)].qkd_links {
            let id = &link.plan.link_id;
            let ever = made(id);
            let fresh = link.taken.map_or(0.0, |before| (ever - before).max(0.0));
            if accepted && listed(a, b, id) && listed(b, a, id) {
                arrived += fresh;
            }
            taken.push(ever);
        }
        let (size, room, now) = (self.key_bits(a, b), self.room(a, b, Purpose::Kma), self.now);
        let pair = self.pair(a, b);
        for (link, ever) in pair.qkd_links.iter_mut().zip(taken) {
            link.taken = Some(ever);
        }
        let name = pair.store.name().clone();
        let Some(run) = pair.store.add(arrived, size, room, now) else { return };
        for km in [a, b] {
            self.kms[km].counted.life_cycle.received += run.keys;
            for kind in [EventKind::Received, EventKind::Stored] {
                self.kms[km].events.push(now, kind, &name, run, With::default());
            }
        }
    }

    /// Keys live no longer than the stricter policy of the two KMs has it.
    fn expire_keys(&mut self) {
        let now = self.now;
        let stores = self.pairs.keys().map(|ends| (*ends, Purpose::Kma));
        let stores: Vec<(Ends, Purpose)> = stores.chain(self.held.keys().map(|ends| (*ends, Purpose::Ksa))).collect();
        for ((a, b), purpose) in stores {
            let lifetime = [a, b].iter().filter_map(|km| self.kms[*km].config.key_policy.key_lifetime).min();
            let run = [a, b].iter().all(|km| self.is_enabled(*km) && !self.is_crashed(*km));
            let Some(lifetime) = lifetime.filter(|_| run) else { continue };
            let lifetime = SignedDuration::from_secs(lifetime.into());
            let Some(store) = self.store_mut(a, b, purpose) else { continue };
            let (name, runs) = (store.name().clone(), store.expire(lifetime, now));
            for (km, run) in [a, b].into_iter().flat_map(|km| runs.iter().map(move |run| (km, *run))) {
                self.kms[km].counted.life_cycle.expired += run.keys;
                self.kms[km].events.push(now, EventKind::Expired, &name, run, With::default());
            }
        }
    }

    /// What became of keys that a KM used.
    fn put_away(&mut self, km: usize, store: &Arc<str>, runs: &[Run], with: &With) {
        let now = self.now;
        let km = &mut self.kms[km];
        for run in runs {
            let kind = match km.config.key_policy.after_supply {
                AfterSupply::Delete => {
                    km.counted.life_cycle.deleted += run.keys;
                    EventKind::Deleted
                }
                AfterSupply::Preserve => {
                    km.counted.life_cycle.preserved += run.keys;
                    EventKind::Preserved
                }
            };
            km.events.push(now, kind, store, *run, with.clone());
        }
    }

    /// The pair of two KMs; new and empty where they share nothing yet.
    fn pair(&mut self, a: usize, b: usize) -> &mut Pair {
        let (low, high) = ends(a, b);
        let kms = &self.kms;
        self.pairs.entry((low, high)).or_insert_with(|| {
            let name = format!("kma-{:016x}", fnv(&[kms[low].id.as_str(), kms[high].id.as_str()]));
            let design_delay = PROCESSING;
            Pair { store: Store::new(&name), qkd_links: Vec::new(), design_delay, delay: design_delay }
        })
    }

    fn store(&self, a: usize, b: usize, purpose: Purpose) -> Option<&Store> {
        match purpose {
            Purpose::Kma => self.pairs.get(&ends(a, b)).map(|pair| &pair.store),
            Purpose::Ksa => self.held.get(&ends(a, b)),
        }
    }

    fn store_mut(&mut self, a: usize, b: usize, purpose: Purpose) -> Option<&mut Store> {
        match purpose {
            Purpose::Kma => self.pairs.get_mut(&ends(a, b)).map(|pair| &mut pair.store),
            Purpose::Ksa => self.held.get_mut(&ends(a, b)),
        }
    }

    /// The stores of a KM: the number of the other KM, and what for. Two KMs that no QKD link gives keys to have no store, unless one is
    /// configured.
    fn stores(&self, km: usize) -> Vec<(usize, Purpose)> {
        let of = |(a, b): &Ends| if *a == km { Some(*b) } else { (*b == km).then_some(*a) };
        let config = &self.kms[km].config;
        let kma = self.pairs.iter().filter_map(|(ends, pair)| {
            let peer = of(ends)?;
            let configured = || config.configured_store(&self.kms[peer].id, Purpose::Kma).is_some();
            (!pair.qkd_links.is_empty() || configured()).then_some((peer, Purpose::Kma))
        });
        kma.chain(self.held.keys().filter_map(of).map(|peer| (peer, Purpose::Ksa))).collect()
    }

    /// Two KMs hold KSA-keys where both have a store for them.
    fn resolve_held(&mut self) {
        let mut old = std::mem::take(&mut self.held);
        let mut held = BTreeMap::new();
        for a in 0..self.kms.len() {
            let stores = self.kms[a].config.key_store.iter().filter(|store| store.purpose == Purpose::Ksa);
            for b in stores.filter_map(|store| self.number(&store.peer_km_id)).filter(|b| a < *b) {
                if self.kms[b].config.configured_store(&self.kms[a].id, Purpose::Ksa).is_none() {
                    continue;
                }
                let name = || format!("ksa-{:016x}", fnv(&[self.kms[a].id.as_str(), self.kms[b].id.as_str()]));
                let store = old.remove(&(a, b)).unwrap_or_else(|| Store::new(&name()));
                held.insert((a, b), store);
            }
        }
        self.held = held;
    }

    /// Size of the keys that two KMs make: the larger that a policy of theirs asks for.
    fn key_bits(&self, a: usize, b: usize) -> u32 {
        [a, b].map(|km| self.kms[km].config.key_policy.key_size).into_iter().max().expect("two sizes")
    }

    /// What a store holds at most, bit: both ends must hold it.
    fn room(&self, a: usize, b: usize, purpose: Purpose) -> u64 {
        let maximum = |km: usize, peer: usize| self.kms[km].config.store(&self.kms[peer].id, purpose).maximum_bits;
        maximum(a, b).min(maximum(b, a))
    }

    fn tell(&mut self, km: usize, fact: Fact<Nothing>) {
        let facts = &mut self.kms[km].facts;
        if facts.len() >= MAX_FACTS {
            facts.pop_front();
        }
        facts.push_back(fact);
    }

    #[expect(clippy::too_many_arguments, reason = "they are the parts of a state change")]
    fn tell_change(
        &mut self,
        km: usize,
        resource: String,
        kind: &'static str,
        state: &'static str,
        old: String,
        new: String,
        reason: &str,
    ) {
        let time = self.now;
        self.kms[km].changed.insert(resource.clone(), time);
        let reason = reason.to_owned();
        self.tell(km, Fact::StateChanged(StateChange { time, resource, kind, state, old, new, reason }));
    }

    fn tell_log(&mut self, km: usize, class: LogClass, event: &'static str, text: String, user: Option<&str>) {
        let (time, resource, user) = (self.now, self.kms[km].id.clone(), user.map(str::to_owned));
        self.tell(km, Fact::Log(LogFact { time, resource, class, event, text, user }));
    }

    /// The KMs whose conditions `act` changes, or that have something to tell after it, so that they can be asked at once.
    pub fn changing<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> (T, BTreeSet<String>) {
        let before: Vec<_> = (0..self.kms.len()).map(|km| self.conditions(km)).collect();
        let result = act(self);
        let changed = before
            .iter()
            .enumerate()
            .filter(|(km, before)| !self.kms[*km].facts.is_empty() || **before != self.conditions(*km));
        let changed = changed.map(|(km, _)| self.kms[km].id.clone()).collect();
        (result, changed)
    }
}

impl Km {
    fn new(plan: KmPlan, now: Timestamp) -> Self {
        Km {
            id: plan.km_id,
            config: plan.config,
            booted: now,
            starting: START_STEPS,
            counted: Counted::default(),
            events: Events::default(),
            metering: Metering::new(now),
            facts: VecDeque::new(),
            seen: Seen { oper: OperState::Starting, links: BTreeMap::new() },
            changed: BTreeMap::new(),
            routes: BTreeMap::new(),
            short: BTreeMap::new(),
            supplied_now: 0,
            throughput: Rate::default(),
            availability: Rate::default(),
            restoration: None,
        }
    }
}

impl Pair {
    fn join(&mut self, plan: QkdLinkPlan) {
        let delay = PROCESSING + ROUND_TRIP * plan.length_km;
        self.design_delay = if self.qkd_links.is_empty() { delay } else { self.design_delay.min(delay) };
        self.delay = self.design_delay;
        self.qkd_links.push(QkdLink { plan, taken: None });
    }
}

const KM_KIND: &str = "qkdn-types:key-manager";
const KM_LINK_KIND: &str = "qkdn-types:km-link";

/// The name of a state, as YANG has it.
fn name(state: &impl serde::Serialize) -> String {
    match serde_json::to_value(state) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("a state is an enumeration, not {other:?}"),
    }
}

/// FNV-1a, to name a store alike at both ends, for good and in few letters.
fn fnv(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
