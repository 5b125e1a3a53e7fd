//! The simulated network: what is physically there, and no management in it. The drivers of a process share one.
//!
//! It lives in ticks of a second, up to the time that a call brings, so that what is seen does not depend on who looks, nor how often.

mod link;
pub(crate) mod optics;
mod path;
mod store;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

pub use path::{Passage, PortLight};

pub use optics::DETECTORS;

pub(crate) use link::QkdLink;
use path::Element;

use crate::topology::Topology;

/// Step of virtual time. Noise belongs to the tick, not to the look.
const TICK: SignedDuration = SignedDuration::from_secs(1);

/// Ticks lived through one by one after a pause; the rest is skipped. A day's worth of one link takes a fraction of a second.
const MAX_TICKS: i64 = 86_400;

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
        let links = topology.links.iter().map(|link| QkdLink::of(topology, link)).collect();
        let elements = path::elements(topology);
        Arc::new(Network { world: Mutex::new(World::new(links, elements, now)) })
    }

    /// Hears of changes to a resource from now on: a QKD link, a KM link, a KM, an optical switch, a relay point.
    pub fn watch(&self, resource_id: &str, nudge: Nudge) {
        let mut world = self.world.lock().expect("nothing panics while it holds the world");
        world.watchers.entry(resource_id.to_owned()).or_default().push(nudge);
    }

    pub fn link(&self, link_id: &str, now: Timestamp) -> Option<LinkView> {
        self.with(now, |world| world.links.iter().find(|link| link.design.link_id == link_id).map(QkdLink::view))
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
            world.touch_links(|link| link.passes(element_id));
        });
    }

    /// The light at the ports of an optical switch or the segments of a relay point, by link and then from input to output. Ports that no
    /// link lights up, or that have no fibre, are absent.
    pub fn light_at(&self, element_id: &str, now: Timestamp) -> Vec<PortLight> {
        self.with(now, |world| world.links.iter().flat_map(|link| link.light_at(element_id, &world.elements)).collect())
    }

    /// The number of the next fault that is injected anywhere in the network: one sequence, so that an identifier tells one fault.
    pub fn number_fault(&self) -> u64 {
        let mut world = self.world.lock().expect("nothing panics while it holds the world");
        world.number_fault()
    }

    /// Lives until `now`, acts, and tells those who watch what was touched.
    pub(crate) fn with<T>(&self, now: Timestamp, act: impl FnOnce(&mut World) -> T) -> T {
        let (result, nudges) = {
            let mut world = self.world.lock().expect("nothing panics while it holds the world");
            world.advance(now);
            let result = act(&mut world);
            world.settle();
            (result, world.take_nudges())
        };
        nudges.iter().for_each(|nudge| nudge());
        result
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
    pub(crate) stores: store::Stores,
    watchers: BTreeMap<String, Vec<Nudge>>,
    touched: BTreeSet<String>,
    last_fault: u64,
}

impl World {
    fn new(links: Vec<QkdLink>, elements: BTreeMap<String, Element>, now: Timestamp) -> World {
        let mut world = World {
            now,
            ticked: now,
            links,
            elements,
            stores: store::Stores::default(),
            watchers: BTreeMap::new(),
            touched: BTreeSet::new(),
            last_fault: 0,
        };
        world.settle();
        world
    }

    /// Lives until `now`. A clock set back stands still until the time is made up, but for more than [`MAX_TICKS`] it starts anew there.
    fn advance(&mut self, now: Timestamp) {
        let behind = now.duration_since(self.ticked).as_secs();
        if behind.abs() > MAX_TICKS {
            let pause = SignedDuration::from_secs(behind - behind.signum() * MAX_TICKS.min(behind.max(0)));
            self.ticked = self.ticked.saturating_add(pause).expect("a signed duration has no calendar units");
        }
        while now.duration_since(self.ticked) >= TICK {
            self.ticked = self.ticked.saturating_add(TICK).expect("a signed duration has no calendar units");
            self.now = self.ticked;
            for link in &mut self.links {
                link.tick(self.now, &self.elements);
            }
            self.stores.tick(&self.links, self.now);
        }
        self.now = self.now.max(now);
    }

    /// Brings what is seen up to date with what was done at this moment.
    fn settle(&mut self) {
        for link in &mut self.links {
            link.settle(self.now, &self.elements);
        }
    }

    pub(crate) fn number_fault(&mut self) -> u64 {
        self.last_fault += 1;
        self.last_fault
    }

    /// A change to this resource is to be told.
    pub(crate) fn touch(&mut self, resource_id: &str) {
        if self.watchers.contains_key(resource_id) {
            self.touched.insert(resource_id.to_owned());
        }
    }

    /// A change to these QKD links is to be told to all who watch one, what it passes, or the KMs and the KM link that it feeds.
    pub(crate) fn touch_links(&mut self, which: impl Fn(&QkdLink) -> bool) {
        let concerned = self.links.iter().filter(|link| which(link)).flat_map(QkdLink::concerned);
        let concerned: Vec<String> = concerned.map(str::to_owned).collect();
        concerned.iter().for_each(|resource_id| self.touch(resource_id));
    }

    fn take_nudges(&mut self) -> Vec<Nudge> {
        let touched = std::mem::take(&mut self.touched);
        touched.iter().filter_map(|id| self.watchers.get(id)).flatten().cloned().collect()
    }
}
