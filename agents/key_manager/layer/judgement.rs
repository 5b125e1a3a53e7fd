//! What a KM makes of itself and its neighbours: states, and the conditions that are worth an alarm.

use std::collections::BTreeMap;

use super::super::catalogue::alarm_type;
use super::super::model::{KmLink, Level, Purpose};
use super::gap::{Block, Gap};
use super::{KM_KIND, KM_LINK_KIND, Layer, RouteMeasure, Seen, name};
use crate::driver::Condition;
use crate::network::store::Store;
use crate::state::{OperState, ServiceState, is_in_use};

/// By this share of a level a store must rise above it before its alarm is over.
const LEVEL_HYSTERESIS: f64 = 0.02;

/// What is told of the level of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shortage {
    low: bool,
    exhausted: bool,
}

impl Layer {
    /// Level of the store shared with `peer`, as this KM has it.
    pub(super) fn level(&self, km: usize, peer: usize, purpose: Purpose) -> Level {
        let levels = self.kms[km].config.store(&self.kms[peer].id, purpose);
        let residual = self.residual_bits(km, peer, purpose);
        if residual < self.floor(km, peer, purpose) {
            return Level::Empty;
        }
        if residual >= levels.threshold_bits {
            return Level::Ready;
        }
        let rises = self.store(km, peer, purpose).is_some_and(|store| store.arrival_rate() > store.consumption_rate());
        if rises { Level::Charging } else { Level::Low }
    }

    /// Key of the store that this KM has, bit.
    pub(super) fn residual_bits(&self, km: usize, peer: usize, purpose: Purpose) -> u64 {
        self.store(km, peer, purpose).map_or(0, Store::bits) - self.missing(km, peer, purpose)
    }

    pub(super) fn residual_keys(&self, km: usize, peer: usize, purpose: Purpose) -> u64 {
        self.store(km, peer, purpose).map_or(0, Store::keys) - self.missing_keys(km, peer, purpose)
    }

    /// Where the store is empty: no whole key is left above the minimum.
    fn floor(&self, km: usize, peer: usize, purpose: Purpose) -> u64 {
        self.reserve(km, peer, purpose) + u64::from(self.key_bits(km, peer))
    }

    pub(super) fn oper_state(&self, km: usize) -> OperState {
        if self.is_crashed(km) {
            OperState::Failed
        } else if !self.is_enabled(km) {
            OperState::Down
        } else if self.kms[km].starting > 0 {
            OperState::Starting
        } else if self.relay_loss(km) > 0.0 || self.failed_links(km).next().is_some() {
            OperState::Degraded
        } else {
            OperState::Operational
        }
    }

    pub(super) fn link_state(&self, km: usize, link: &KmLink) -> OperState {
        let peer = self.number(&link.peer_km_id);
        let silence = peer.map_or(Some(Gap::Channel), |peer| self.silence(km, peer));
        match silence {
            None => OperState::Operational,
            Some(Gap::Starting(_)) => OperState::Starting,
            Some(_) => OperState::Down,
        }
    }

    pub(super) fn store_state(&self, km: usize, peer: usize, purpose: Purpose) -> OperState {
        match self.level(km, peer, purpose) {
            Level::Ready => OperState::Operational,
            Level::Low | Level::Charging => OperState::Degraded,
            Level::Empty => OperState::Down,
        }
    }

    /// Whether each relay route that begins at a KM would carry a key now.
    pub(super) fn probe_routes(&mut self) {
        for km in 0..self.kms.len() {
            let mut measures = std::mem::take(&mut self.kms[km].routes);
            let begins = self.kms[km].config.relay_route.iter().filter(|route| route.source_km_id == self.kms[km].id);
            let mut routes = BTreeMap::new();
            for route in begins.filter(|route| route.service_state == ServiceState::InService) {
                let path = match self.number(&route.destination_km_id) {
                    Some(destination) => self.follow(km, destination, route, true),
                    None => Err(Block::Nobody),
                };
                let (hops, delay, block) = match path {
                    Ok(path) => {
                        let (hop, bits) = self.narrowest(&path);
                        let empty = bits < u64::from(self.kms[km].config.key_policy.key_size);
                        (path.kms.len() - 1, Some(self.delay(&path)), empty.then_some(Block::Empty(hop)))
                    }
                    Err(block) => (0, None, Some(block)),
                };
                let measure: RouteMeasure = measures.remove(&route.route_id).unwrap_or_default();
                let hops = if hops == 0 { measure.hops } else { hops };
                routes.insert(route.route_id.clone(), RouteMeasure { block, hops, delay, ..measure });
            }
            self.kms[km].routes = routes;
        }
    }

    /// Enters the states and levels that hold now, and tells what changed.
    pub(super) fn judge(&mut self) {
        for km in 0..self.kms.len() {
            let links = self.kms[km].config.km_link.iter();
            let links = links.map(|link| (link.link_id.clone(), self.link_state(km, link))).collect();
            let new = Seen { oper: self.oper_state(km), links };
            let reason = self.reason(km);
            let old = std::mem::replace(&mut self.kms[km].seen, new.clone());
            if old.oper != new.oper {
                let id = self.kms[km].id.clone();
                self.tell_change(km, id, KM_KIND, "oper-state", name(&old.oper), name(&new.oper), reason);
            }
            for (link, state) in new.links {
                let before = old.links.get(&link).copied().unwrap_or_default();
                if before != state {
                    self.tell_change(km, link, KM_LINK_KIND, "oper-state", name(&before), name(&state), reason);
                }
            }
            self.judge_stores(km);
        }
    }

    fn judge_stores(&mut self, km: usize) {
        let mut short = BTreeMap::new();
        for (peer, purpose) in self.stores(km) {
            let before = self.kms[km].short.get(&(peer, purpose)).copied().unwrap_or_default();
            let residual = self.residual_bits(km, peer, purpose) as f64;
            let threshold = self.kms[km].config.store(&self.kms[peer].id, purpose).threshold_bits as f64;
            let below = |level: f64, was: bool| residual < if was { level * (1.0 + LEVEL_HYSTERESIS) } else { level };
            let exhausted = below(self.floor(km, peer, purpose) as f64, before.exhausted);
            short.insert((peer, purpose), Shortage { low: below(threshold, before.low), exhausted });
        }
        self.kms[km].short = short;
    }

    fn reason(&self, km: usize) -> &'static str {
        if self.is_crashed(km) {
            "the KM failed"
        } else if !self.is_enabled(km) {
            "disabled"
        } else if self.kms[km].starting > 0 {
            "the KM starts"
        } else if self.relay_loss(km) > 0.0 {
            "keys are lost in relay"
        } else if self.failed_links(km).next().is_some() {
            "a KM link failed"
        } else {
            "the KM works"
        }
    }

    /// The KM links that ought to carry something and do not, and why.
    fn failed_links(&self, km: usize) -> impl Iterator<Item = (&KmLink, Gap)> {
        let links = self.kms[km].config.km_link.iter();
        let used = links.filter(|link| is_in_use(link.admin_state, link.service_state));
        used.filter_map(move |link| {
            let gap = match self.number(&link.peer_km_id) {
                Some(peer) => self.silence(km, peer),
                None => Some(Gap::Channel),
            };
            Some((link, gap.filter(|gap| gap.is_fault())?))
        })
    }

    /// What holds at a KM and is worth an alarm. What follows from something else that this KM tells is not told.
    pub(super) fn conditions(&self, km: usize) -> Vec<Condition> {
        let of = &self.kms[km];
        let mut conditions = Vec::new();
        let mut hold = |resource: String, alarm_type, text: String| {
            conditions.push(Condition { resource, alarm_type, text });
        };
        if self.is_crashed(km) {
            hold(of.id.clone(), alarm_type::KM_FAILURE, "The key manager does not run".to_owned());
            return conditions;
        }
        if !self.is_enabled(km) || of.starting > 0 {
            return conditions;
        }
        for application in &of.config.application {
            let id = &application.application_id;
            let impostor = |block: &Option<Block>| matches!(block, Some(Block::Impostor(at)) if *at == km);
            let its = |end: &super::supply::SessionEnd| end.km == km && end.application.application_id == *id;
            let session = self.sessions.values().find(|session| session.ends.iter().any(its));
            let Some(session) = session.filter(|session| session.is_refused()) else { continue };
            if impostor(&session.block) {
                let text = "The application could not be authenticated".to_owned();
                hold(id.clone(), alarm_type::APP_AUTHENTICATION_FAILURE, text);
            } else if !session.block.as_ref().is_some_and(Block::is_passing) && self.is_in_use(km) {
                let text = "Requests of the application for keys are refused".to_owned();
                hold(id.clone(), alarm_type::KEY_SUPPLY_REJECTED, text);
            }
        }
        if !self.is_in_use(km) {
            return conditions;
        }
        for (link, gap) in self.failed_links(km) {
            let text = match gap {
                Gap::Channel => "The KM link carries nothing",
                _ => "The KM at the other end of the KM link does not answer",
            };
            hold(link.link_id.clone(), alarm_type::KM_LINK_FAILURE, text.to_owned());
        }
        if self.relay_loss(km) > 0.0 {
            hold(of.id.clone(), alarm_type::KM_RELAY_FAILURE, "Keys are lost in relay".to_owned());
        }
        for (route, measure) in &of.routes {
            let stuck = measure.block.as_ref().is_some_and(|block| !block.is_told_at(km) && !block.is_passing());
            let text = if stuck {
                "No key gets to the end of the relay route"
            } else if measure.block.is_none() && self.loses_elsewhere(km, route) {
                "Keys are lost on the relay route"
            } else {
                continue;
            };
            hold(route.clone(), alarm_type::KM_RELAY_FAILURE, text.to_owned());
        }
        for ((peer, purpose), shortage) in &of.short {
            let store = self.store_id(km, *peer, *purpose);
            if shortage.exhausted {
                hold(store.clone(), alarm_type::KEY_STORE_EXHAUSTED, "No key is left to use".to_owned());
            } else if shortage.low {
                hold(store.clone(), alarm_type::KEY_STORE_LOW, "The key left lies below the threshold".to_owned());
            }
            if self.missing_keys(km, *peer, *purpose) + self.missing_keys(*peer, km, *purpose) > 0 {
                let text = "The two KMs do not hold the same keys".to_owned();
                hold(store, alarm_type::KEY_SYNC_MISMATCH, text);
            }
        }
        conditions
    }

    /// A KM after the first of a route loses keys.
    pub(super) fn loses_elsewhere(&self, km: usize, route_id: &str) -> bool {
        let entry = self.kms[km].config.relay_route.iter().find(|route| route.route_id == route_id);
        let path = entry.and_then(|entry| self.follow(km, self.number(&entry.destination_km_id)?, entry, true).ok());
        path.is_some_and(|path| path.kms[1..path.kms.len() - 1].iter().any(|km| self.relay_loss(*km) > 0.0))
    }
}
