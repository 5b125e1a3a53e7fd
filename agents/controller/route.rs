//! Key relay routes (Y.3804 clause 8.1): where they lead, as the KMs have it, and ways around what is to be avoided, by hops.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::view::View;
use crate::key_manager::model::{Config, KmLink, RelayRoute};
use crate::state::{ServiceState, is_in_use};

/// A relay route, as the KMs on it have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    pub id: String,
    pub source: String,
    pub destination: String,
    pub service_state: ServiceState,
    /// What each KM has of it.
    pub entries: BTreeMap<String, RelayRoute>,
}

impl Route {
    /// The KMs it passes, ends included; none where it does not lead to its end.
    pub fn hops(&self) -> Option<Vec<String>> {
        let mut hops = vec![self.source.clone()];
        while hops.last() != Some(&self.destination) {
            let next = self.entries.get(hops.last()?)?.next_hop.clone()?;
            if hops.contains(&next) {
                return None;
            }
            hops.push(next);
        }
        Some(hops)
    }

    /// The KMs that it names anywhere, and the pairs of neighbours: what it uses, even where it is half changed.
    fn uses(&self) -> (BTreeSet<&str>, BTreeSet<[&str; 2]>) {
        let mut kms = BTreeSet::from([self.source.as_str(), self.destination.as_str()]);
        let mut pairs = BTreeSet::new();
        for (km, entry) in &self.entries {
            kms.insert(km.as_str());
            for neighbour in entry.previous_hop.iter().chain(&entry.next_hop) {
                kms.insert(neighbour.as_str());
                pairs.insert(pair(km, neighbour));
            }
        }
        (kms, pairs)
    }
}

/// All routes that some KM has an entry of.
pub fn routes(view: &View) -> BTreeMap<String, Route> {
    let mut routes: BTreeMap<String, Route> = BTreeMap::new();
    for (km, config) in &view.kms {
        for entry in &config.relay_route {
            let route = routes.entry(entry.route_id.clone()).or_insert_with(|| Route {
                id: entry.route_id.clone(),
                source: entry.source_km_id.clone(),
                destination: entry.destination_km_id.clone(),
                service_state: entry.service_state,
                entries: BTreeMap::new(),
            });
            route.entries.insert(km.clone(), entry.clone());
        }
    }
    routes
}

/// The KMs, and the ways between them that keys may take.
#[derive(Debug)]
pub struct Ways<'v> {
    view: &'v View,
    barred: &'v BTreeSet<String>,
}

impl<'v> Ways<'v> {
    /// All but over what is `barred`: KMs, KM links and QKD links.
    pub fn new(view: &'v View, barred: &'v BTreeSet<String>) -> Self {
        Ways { view, barred }
    }

    /// The route passes something that is barred.
    pub fn is_concerned(&self, route: &Route) -> bool {
        let (kms, pairs) = route.uses();
        let barred = |[a, b]: &[&str; 2]| match self.link(a, b) {
            Some(link) => self.is_barred(link, false),
            None => false,
        };
        kms.iter().any(|km| self.barred.contains(*km)) || pairs.iter().any(barred)
    }

    /// A way with as few hops as can be, ends included: over KM links whose QKD links make key where there is one, else over any that is
    /// not barred, because there may be key in store.
    pub fn find(&self, source: &str, destination: &str) -> Option<Vec<String>> {
        self.search(source, destination, true).or_else(|| self.search(source, destination, false))
    }

    /// Why keys cannot take this way; none where they can.
    pub fn obstacle(&self, hops: &[String]) -> Option<String> {
        let last = hops.len().saturating_sub(1);
        for (at, km) in hops.iter().enumerate() {
            let Some(config) = self.view.kms.get(km) else {
                return Some(format!("the configuration of {km} is not known"));
            };
            if at > 0 && at < last && !self.relays(km, config) {
                return Some(format!("{km} does not relay, or is to be avoided"));
            }
            if hops[..at].contains(km) {
                return Some(format!("{km} is passed twice"));
            }
        }
        let blocked = hops.windows(2).find(|hop| !self.is_open(&hop[0], &hop[1], false))?;
        Some(format!("no KM link in service leads from {} to {}", blocked[0], blocked[1]))
    }

    /// Keys take this way now, and each hop makes new ones.
    pub fn is_live(&self, hops: &[String]) -> bool {
        self.obstacle(hops).is_none() && hops.windows(2).all(|hop| self.is_open(&hop[0], &hop[1], true))
    }

    fn search(&self, source: &str, destination: &str, only_live: bool) -> Option<Vec<String>> {
        let start = self.view.kms.get_key_value(source)?.0;
        let end = self.view.kms.get_key_value(destination)?.0;
        if self.barred.contains(source) || self.barred.contains(destination) {
            return None;
        }
        let mut before: BTreeMap<&String, &String> = BTreeMap::from([(start, start)]);
        let mut edge = VecDeque::from([start]);
        while let Some(at) = edge.pop_front() {
            if at == end {
                let mut way = vec![end.clone()];
                let mut at = end;
                while at != start {
                    at = before[at];
                    way.push(at.clone());
                }
                way.reverse();
                return Some(way);
            }
            let config = &self.view.kms[at];
            if at != start && !self.relays(at, config) {
                continue;
            }
            let mut around: Vec<&String> = config.km_link.iter().map(|link| &link.peer_km_id).collect();
            around.sort();
            for peer in around {
                let known = self.view.kms.get_key_value(peer).map(|(peer, _)| peer);
                if let Some(peer) = known.filter(|peer| !before.contains_key(peer) && self.is_open(at, peer, only_live))
                {
                    before.insert(peer, at);
                    edge.push_back(peer);
                }
            }
        }
        None
    }

    fn relays(&self, km: &str, config: &Config) -> bool {
        config.relay_enabled && is_in_use(config.admin_state, config.service_state) && !self.barred.contains(km)
    }

    /// Both ends have the KM link in use, and something feeds it.
    fn is_open(&self, a: &str, b: &str, only_live: bool) -> bool {
        let open = |from: &str, to: &str| {
            let link = self.view.kms.get(from).and_then(|config| config.link_to(to));
            link.is_some_and(|link| is_in_use(link.admin_state, link.service_state) && !self.is_barred(link, only_live))
        };
        open(a, b) && open(b, a)
    }

    fn link(&self, a: &str, b: &str) -> Option<&KmLink> {
        let at = |from: &str, to: &str| self.view.kms.get(from).and_then(|config| config.link_to(to));
        at(a, b).or_else(|| at(b, a))
    }

    /// The KM link itself, or each QKD link that feeds it, is barred (or makes no key, where those do not count).
    fn is_barred(&self, link: &KmLink, only_live: bool) -> bool {
        let gone = |fed: &String| self.barred.contains(fed) || (only_live && self.view.down.contains(fed));
        let starved = !link.qkd_link_id.is_empty() && link.qkd_link_id.iter().all(gone);
        self.barred.contains(&link.link_id) || starved
    }
}

/// What each KM on a way has of a route that takes it.
pub fn entries(route: &Route, hops: &[String]) -> BTreeMap<String, RelayRoute> {
    let entry = |(at, km): (usize, &String)| {
        let entry = RelayRoute {
            route_id: route.id.clone(),
            source_km_id: route.source.clone(),
            destination_km_id: route.destination.clone(),
            previous_hop: at.checked_sub(1).map(|before| hops[before].clone()),
            next_hop: hops.get(at + 1).cloned(),
            service_state: route.service_state,
        };
        (km.clone(), entry)
    };
    hops.iter().enumerate().map(entry).collect()
}

/// Two KMs, whichever way round.
fn pair<'k>(one: &'k str, other: &'k str) -> [&'k str; 2] {
    if one < other { [one, other] } else { [other, one] }
}
