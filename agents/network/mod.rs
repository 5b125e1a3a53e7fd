//! The simulated network: what is physically there, and no management in it. The drivers of a process share one.
//!
//! It lives in ticks of a second, up to the time that a call brings, so that what is seen does not depend on who looks, nor how often.

pub(crate) mod keys;
pub(crate) mod light;
mod link;
pub(crate) mod optics;
mod path;
pub mod store;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};

pub use path::{ElementView, Passage, PortLight};

pub use optics::DETECTORS;

use link::Design;
#[cfg(test)]
pub(crate) use link::MAX_FAULTS;
pub(crate) use link::QkdLink;
use path::Element;

use crate::key_manager::layer::Layer;
use crate::qkd_module::Parameters;
use crate::topology::Topology;

/// Step of virtual time. Noise belongs to the tick, not to the look.
const TICK: SignedDuration = SignedDuration::from_secs(1);

/// Ticks of links lived through one by one after a pause, a second's or two of computing; the rest of the pause is skipped, and no key is
/// made in it. But a small network lives through a day, and every network through the longest sampling interval.
const MAX_LINK_TICKS: i64 = 250_000;
const MOST_TICKS: i64 = 86_400;
const LEAST_TICKS: i64 = 900;

/// Called without any lock held, after a change that no tick makes (fault, passage, configuration of a device) to what is watched. It may
/// call the network, and should be quick: whoever made the change waits.
pub type Nudge = Arc<dyn Fn() + Send + Sync>;

/// The network that the drivers of a process share.
pub struct Network {
    world: Mutex<World>,
}

/// A QKD link as it is now, whoever looks.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkView {
    pub link_id: String,
    /// Both ends generate key.
    pub up: bool,
    /// Light arrives at the receiver.
    pub light: bool,
    /// From end to end, what the light passes included; infinite where it is cut off.
    pub loss_db: f64,
    /// A ratio; of what would be detected, light or not.
    pub qber: f64,
    /// bit/s; nothing while the link is not up.
    pub secret_key_rate: f64,
    /// Ever made, bit.
    pub secret_bits: f64,
    /// Share of messages that the classical channel loses.
    pub classical_loss: f64,
    /// When the link last made key.
    pub last_key: Option<Timestamp>,
}

impl Network {
    /// The network of a topology, switched on at `now`.
    pub fn new(topology: &Topology, now: Timestamp) -> Arc<Network> {
        let links = topology.links.iter().map(|link| QkdLink::new(Design::of(topology, link), now)).collect();
        let elements = path::elements(topology);
        Arc::new(Network { world: Mutex::new(World::new(links, elements, keys::layer(topology, now), now)) })
    }

    /// A network of one link, for a module that is looked at alone.
    pub(crate) fn of_module(parameters: &Parameters, now: Timestamp) -> Arc<Network> {
        let links = vec![QkdLink::new(Design::alone(parameters), now)];
        Arc::new(Network {
            world: Mutex::new(World::new(links, BTreeMap::new(), Layer::new(Vec::new(), Vec::new(), 0, now), now)),
        })
    }

    /// Hears of changes to a resource from now on: a QKD link, a KM link, a KM, an optical switch, a relay point.
    pub fn watch(&self, resource_id: &str, nudge: Nudge) {
        let mut world = self.lock();
        world.watchers.entry(resource_id.to_owned()).or_default().push(nudge);
    }

    pub fn link(&self, link_id: &str, now: Timestamp) -> Option<LinkView> {
        self.with(now, |world| world.links.iter().find(|link| link.design.link_id == link_id).map(QkdLink::view))
    }

    /// An optical switch or relay point as it is built, and what it lets through now.
    pub fn element(&self, element_id: &str, now: Timestamp) -> Option<ElementView> {
        self.with(now, |world| {
            let passing = world.links.iter().filter(|link| link.passes(element_id));
            let link_ids = passing.map(|link| link.design.link_id.clone()).collect();
            world.elements.get(element_id).map(|element| element.view(link_ids))
        })
    }

    /// What an optical switch or relay point lets through from now on, whole. Until it says so, what the topology says holds. One that
    /// the network does not have changes nothing.
    pub fn set_passages(&self, element_id: &str, passages: Vec<Passage>, now: Timestamp) {
        self.with(now, |world| {
            let Some(element) = world.elements.get_mut(element_id) else { return };
            if element.passages == passages {
                return;
            }
            element.passages = passages;
            world.change_links(|link| link.passes(element_id));
        });
    }

    /// The light at the ports of an optical switch or the segments of a relay point, by link and then from input to output. Ports that no
    /// link lights up, or that have no fibre, are absent.
    pub fn light_at(&self, element_id: &str, now: Timestamp) -> Vec<PortLight> {
        self.with(now, |world| world.links.iter().flat_map(|link| link.light_at(element_id)).collect())
    }

    /// The number of the next fault that is injected anywhere in the network: one sequence, so that an identifier tells one fault.
    pub fn number_fault(&self) -> u64 {
        let mut world = self.lock();
        world.last_fault += 1;
        world.last_fault
    }

    /// The place of the link that a module ends, and of the module at that link.
    pub(crate) fn place_of_module(&self, module_id: &str) -> Option<(usize, usize)> {
        let world = self.lock();
        world.links.iter().enumerate().find_map(|(place, link)| {
            let end = link.design.module_ids.iter().position(|id| id == module_id)?;
            Some((place, end))
        })
    }

    /// Does something to a link that nobody sees.
    pub(crate) fn at_link<T>(&self, place: usize, act: impl FnOnce(&mut QkdLink) -> T) -> T {
        act(&mut self.lock().links[place])
    }

    /// Reads a link as it is at `now`.
    pub(crate) fn with_link<T>(&self, place: usize, now: Timestamp, read: impl FnOnce(&QkdLink) -> T) -> T {
        self.with(now, |world| {
            let link = &mut world.links[place];
            link.settle(world.now, &world.elements);
            link.tell();
            read(link)
        })
    }

    /// Changes a link. Whoever watches it, or what hangs on it, is nudged. `change` gets the number of the network's last fault, too.
    pub(crate) fn change_link<T>(
        &self,
        place: usize,
        now: Timestamp,
        change: impl FnOnce(&mut QkdLink, &mut u64) -> T,
    ) -> T {
        self.with(now, |world| {
            let link = &mut world.links[place];
            link.settle(world.now, &world.elements);
            let result = change(link, &mut world.last_fault);
            let link_id = link.design.link_id.clone();
            world.change_links(|link| link.design.link_id == link_id);
            result
        })
    }

    /// Lives until `now`, acts, and tells those who watch what was touched.
    pub(crate) fn with<T>(&self, now: Timestamp, act: impl FnOnce(&mut World) -> T) -> T {
        let (result, nudges) = {
            let mut world = self.lock();
            world.advance(now);
            let result = act(&mut world);
            (result, world.take_nudges())
        };
        nudges.iter().for_each(|nudge| nudge());
        result
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("nothing panics while it holds the world")
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}

/// All that the network's lock guards.
pub(crate) struct World {
    pub(crate) now: Timestamp,
    ticked: Timestamp,
    pub(crate) links: Vec<QkdLink>,
    pub(crate) elements: BTreeMap<String, Element>,
    pub(crate) keys: Layer,
    watchers: BTreeMap<String, Vec<Nudge>>,
    touched: BTreeSet<String>,
    last_fault: u64,
}

impl World {
    fn new(links: Vec<QkdLink>, elements: BTreeMap<String, Element>, keys: Layer, now: Timestamp) -> World {
        let mut world = World {
            now,
            ticked: now,
            links,
            elements,
            keys,
            watchers: BTreeMap::new(),
            touched: BTreeSet::new(),
            last_fault: 0,
        };
        world.change_links(|_| true);
        world
    }

    /// Lives until `now`. A clock set back stands still until the time is made up, but for more than [`MAX_LINK_TICKS`] it starts anew there.
    fn advance(&mut self, now: Timestamp) {
        let behind = now.duration_since(self.ticked).as_secs();
        let links = i64::try_from(self.links.len()).expect("far fewer").max(1);
        let most = (MAX_LINK_TICKS / links).clamp(LEAST_TICKS, MOST_TICKS);
        if behind.abs() > most {
            let pause = SignedDuration::from_secs(behind - behind.signum() * most.min(behind.max(0)));
            self.ticked = self.ticked.saturating_add(pause).expect("a signed duration has no calendar units");
        }
        let before = self.ticked;
        while now.duration_since(self.ticked) >= TICK {
            self.ticked = self.ticked.saturating_add(TICK).expect("a signed duration has no calendar units");
            self.now = self.ticked;
            for link in &mut self.links {
                link.tick(self.now, &self.elements);
            }
            keys::tick(&mut self.keys, &self.links, self.now);
        }
        self.now = self.now.max(now);
        if self.ticked != before {
            self.links.iter_mut().for_each(QkdLink::tell);
        }
    }

    /// A change to this resource is to be told.
    pub(crate) fn touch(&mut self, resource_id: &str) {
        if self.watchers.contains_key(resource_id) {
            self.touched.insert(resource_id.to_owned());
        }
    }

    /// Brings links that were changed up to date. All who watch one, what it passes, or the KMs and the KM link that it feeds, are told.
    fn change_links(&mut self, which: impl Fn(&QkdLink) -> bool) {
        let mut concerned = Vec::new();
        for link in self.links.iter_mut().filter(|link| which(link)) {
            link.settle(self.now, &self.elements);
            link.tell();
            concerned.extend(link.concerned().map(str::to_owned));
        }
        concerned.iter().for_each(|resource_id| self.touch(resource_id));
    }

    fn take_nudges(&mut self) -> Vec<Nudge> {
        let touched = std::mem::take(&mut self.touched);
        touched.iter().filter_map(|id| self.watchers.get(id)).flatten().cloned().collect()
    }
}
