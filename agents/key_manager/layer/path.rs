//! The ways of keys between KMs: relay routes hop by hop, and what the stores along them can give.

use std::sync::Arc;

use super::super::model::{Purpose, RelayRoute};
use super::gap::Block;
use super::{Layer, PROCESSING, ends};
use crate::state::ServiceState;

/// Hops that a relay route has at most. A longer one, or one that goes in a circle, leads nowhere.
const MAX_HOPS: usize = 64;

/// The KMs that a key passes, ends included.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    pub(super) kms: Vec<usize>,
    pub(super) route: Option<Arc<str>>,
}

impl Path {
    pub(super) fn hops(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.kms.windows(2).map(|hop| (hop[0], hop[1]))
    }

    pub(super) fn is_relay(&self) -> bool {
        self.kms.len() > 2
    }
}

impl Layer {
    /// The way of keys between two KMs: the relay route in service, else their own KM link.
    pub(super) fn path(&self, source: usize, destination: usize) -> Result<Path, Block> {
        match self.route(source, destination) {
            Some((route, forward)) => self.follow(source, destination, route, forward),
            None if self.pairs.contains_key(&ends(source, destination)) => {
                self.check_path(Path { kms: vec![source, destination], route: None })
            }
            None => Err(Block::NoRoute(source)),
        }
    }

    /// The relay route in service between two KMs, and whether it begins at the first. A key that is shared has no direction.
    pub(super) fn route(&self, source: usize, destination: usize) -> Option<(&RelayRoute, bool)> {
        let (from, to) = (&self.kms[source].id, &self.kms[destination].id);
        let routes = self.kms[source].config.relay_route.iter();
        routes.filter(|route| route.service_state == ServiceState::InService).find_map(|route| {
            let forward = route.source_km_id == *from && route.destination_km_id == *to;
            let backward = route.source_km_id == *to && route.destination_km_id == *from;
            (forward || backward).then_some((route, forward))
        })
    }

    /// Follows a relay route from KM to KM, as each one's configuration has it.
    pub(super) fn follow(
        &self,
        source: usize,
        destination: usize,
        route: &RelayRoute,
        forward: bool,
    ) -> Result<Path, Block> {
        let mut kms = vec![source];
        let mut at = source;
        while at != destination {
            let entries = &self.kms[at].config.relay_route;
            let entry = entries.iter().find(|entry| entry.route_id == route.route_id);
            let entry = entry.filter(|entry| entry.service_state == ServiceState::InService);
            let hop =
                entry.and_then(|entry| if forward { entry.next_hop.as_ref() } else { entry.previous_hop.as_ref() });
            let next = hop.and_then(|hop| self.number(hop));
            let next = next.filter(|next| self.pairs.contains_key(&ends(at, *next)) && kms.len() <= MAX_HOPS);
            at = next.ok_or(Block::NoRoute(at))?;
            kms.push(at);
        }
        self.check_path(Path { kms, route: Some(route.route_id.as_str().into()) })
    }

    fn check_path(&self, path: Path) -> Result<Path, Block> {
        for (a, b) in path.hops() {
            if let Some(gap) = self.gap(a, b) {
                return Err(Block::Link(ends(a, b), gap));
            }
        }
        let between = &path.kms[1..path.kms.len() - 1];
        match between.iter().find(|km| !self.kms[**km].config.relay_enabled) {
            Some(km) => Err(Block::RelayDisabled(*km)),
            None => Ok(path),
        }
    }

    /// The hop with the least key to use, and how much that is, bit.
    pub(super) fn narrowest(&self, path: &Path) -> ((usize, usize), u64) {
        let usable = |(a, b)| (ends(a, b), self.usable(a, b, Purpose::Kma));
        path.hops().map(usable).min_by_key(|(_, bits)| *bits).expect("a path has a hop")
    }

    /// Key of a pair that both have and that may be used, bit. What is below the minimum is kept: the KMs authenticate each other with it.
    pub(super) fn usable(&self, a: usize, b: usize, purpose: Purpose) -> u64 {
        let Some(store) = self.store(a, b, purpose) else { return 0 };
        let missing = self.missing(a, b, purpose) + self.missing(b, a, purpose);
        store.bits().saturating_sub(missing).saturating_sub(self.reserve(a, b, purpose))
    }

    /// The stricter minimum of the two ends of a store, bit.
    pub(super) fn reserve(&self, a: usize, b: usize, purpose: Purpose) -> u64 {
        let minimum = |km: usize, peer: usize| self.kms[km].config.store(&self.kms[peer].id, purpose).minimum_bits;
        minimum(a, b).max(minimum(b, a))
    }

    /// From the request to the key: each hop asks the next and hears from it.
    pub(super) fn delay(&self, path: &Path) -> f64 {
        let hops = path.hops().map(|(a, b)| self.pairs[&ends(a, b)].delay);
        hops.sum::<f64>() + PROCESSING * path.kms.len() as f64
    }

    /// How many of the keys the relays on the way will lose.
    pub(super) fn lose(&mut self, path: &Path, keys: u64) -> u64 {
        if !path.is_relay() {
            return 0;
        }
        let kept: f64 = path.kms[..path.kms.len() - 1].iter().map(|km| 1.0 - self.relay_loss(*km)).product();
        if kept >= 1.0 {
            return 0;
        }
        // On average the share that it should be, however few keys there are at a time.
        ((keys as f64 * (1.0 - kept) + self.noise.uniform()).floor() as u64).min(keys)
    }

    /// The stricter threshold of the two ends of a store, bit.
    pub(super) fn threshold(&self, a: usize, b: usize, purpose: Purpose) -> u64 {
        let threshold = |km: usize, peer: usize| self.kms[km].config.store(&self.kms[peer].id, purpose).threshold_bits;
        threshold(a, b).max(threshold(b, a))
    }
}
