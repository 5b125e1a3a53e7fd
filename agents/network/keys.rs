//! The key management layer as a part of the simulated network: which KMs a topology has, and how they are reached.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Network, QkdLink, World};
use crate::key_manager::layer::{KmPlan, Layer, QkdLinkEnd, QkdLinkPlan, QkdLinkReport};
use crate::key_manager::model::{Application, Channel, Config, KeyStore, KmLink, Purpose, RelayRoute};
use crate::model::types::{ChannelState, ChannelUse};
use crate::topology::{self, MAXIMUM_BITS, MINIMUM_BITS, THRESHOLD_BITS, Topology};

impl Network {
    /// Looks at the KMs of the network at `now`.
    pub(crate) fn look_at_keys<T>(&self, now: Timestamp, look: impl FnOnce(&mut Layer, &[QkdLink]) -> T) -> T {
        self.with(now, |world| {
            let World { keys, links, now, .. } = world;
            keys.wait_until(*now);
            look(keys, links)
        })
    }

    /// Does something to the KMs at `now`; those of which other conditions hold then hear of it at once. `number` is that of the next fault.
    pub(crate) fn change_keys<T>(
        &self,
        now: Timestamp,
        change: impl FnOnce(&mut Layer, &mut dyn FnMut() -> u64) -> T,
    ) -> T {
        self.with(now, |world| {
            world.keys.wait_until(world.now);
            let last = &mut world.last_fault;
            let mut number = || {
                *last += 1;
                *last
            };
            let (result, changed) = world.keys.changing(|keys| change(keys, &mut number));
            changed.iter().for_each(|km| world.touch(km));
            result
        })
    }
}

/// A second passes, in which `links` made key.
pub(super) fn tick(keys: &mut Layer, links: &[QkdLink], now: Timestamp) {
    let made: BTreeMap<String, f64> =
        links.iter().map(QkdLink::view).map(|view| (view.link_id, view.secret_bits)).collect();
    keys.step(now, &|link| made.get(link).copied().unwrap_or(0.0));
}

/// What the module at either end of a QKD link tells the KM there.
pub(crate) fn report(links: &[QkdLink], link_id: &str) -> Option<QkdLinkReport> {
    let view = links.iter().find(|link| link.design.link_id == link_id)?.view();
    let channel_state = match (view.up, view.light) {
        (true, _) => ChannelState::Up,
        (false, true) => ChannelState::Degraded,
        (false, false) => ChannelState::Down,
    };
    Some(QkdLinkReport {
        channel_state,
        secret_key_rate: view.secret_key_rate,
        qber: view.light.then_some(view.qber * 100.0),
        last_key: view.last_key,
    })
}

/// The KMs of a topology.
pub(super) fn layer(topology: &Topology, now: Timestamp) -> Layer {
    let neighbours = topology.km_neighbours();
    let supplied = topology.supplies(&neighbours);
    let kms = neighbours.iter().map(|(node, around)| KmPlan {
        km_id: topology.km_id(node),
        config: config(topology, node, around, &supplied),
    });
    let end = |node: &str, link: &str, end: &str| QkdLinkEnd {
        km_id: topology.km_id(node),
        module_id: topology.resource_id("module", &format!("{link}-{end}")),
    };
    let links = topology.links.iter().map(|link| QkdLinkPlan {
        link_id: topology.link_id(&link.name),
        ends: [end(&link.from, &link.name, "tx"), end(&link.to, &link.name, "rx")],
        length_km: link.length_km,
    });
    Layer::new(kms.collect(), links.collect(), topology.seed, now)
}

/// What a KM does as long as nobody configures it, which is what its agent's first configuration says (`Topology::agents`).
fn config(
    topology: &Topology,
    node: &str,
    neighbours: &BTreeSet<&str>,
    supplied: &[(&topology::Application, Vec<&str>)],
) -> Config {
    let channel = |name: &str, usage| Channel { name: name.to_owned(), peer_address: None, usage };
    let km_link = neighbours.iter().map(|peer| KmLink {
        name: format!("to-{peer}"),
        link_id: topology.km_link_id(node, peer),
        peer_km_id: topology.km_id(peer),
        qkd_link_id: topology.links_between(node, peer).map(|link| topology.link_id(&link.name)).collect(),
        channel: vec![channel("primary", ChannelUse::Primary), channel("backup", ChannelUse::Backup)],
        ..KmLink::default()
    });
    let here = supplied.iter().filter_map(|(application, _)| match node {
        name if name == application.at => Some((*application, application.peer.as_str())),
        name if name == application.peer => Some((*application, application.at.as_str())),
        _ => None,
    });
    let application = here.clone().map(|(application, peer)| Application {
        application_id: topology.application_id(application, node),
        peer_application_id: Some(topology.application_id(application, peer)),
        peer_km_id: Some(topology.km_id(peer)),
        priority: application.priority.unwrap_or(3),
        maximum_rate: Some(application.rate),
        enabled: true,
    });
    let peers: BTreeSet<&str> = here.clone().map(|(_, peer)| peer).collect();
    let store = |peer: &str, purpose| KeyStore {
        minimum_bits: MINIMUM_BITS,
        threshold_bits: THRESHOLD_BITS,
        maximum_bits: MAXIMUM_BITS,
        ..KeyStore::new(&topology.km_id(peer), purpose)
    };
    let kma = neighbours.iter().map(|peer| store(peer, Purpose::Kma));
    let relay_route = supplied.iter().filter_map(|(application, way)| {
        let at = way.iter().position(|hop| *hop == node)?;
        let hop = |at: Option<usize>| way.get(at?).map(|node| topology.km_id(node));
        Some(RelayRoute {
            route_id: topology.resource_id("route", &application.name),
            source_km_id: topology.km_id(way[0]),
            destination_km_id: topology.km_id(way[way.len() - 1]),
            previous_hop: hop(at.checked_sub(1)),
            next_hop: hop(Some(at + 1)),
            ..RelayRoute::default()
        })
    });
    Config {
        km_link: km_link.collect(),
        key_store: kma.chain(peers.iter().map(|peer| store(peer, Purpose::Ksa))).collect(),
        application: application.collect(),
        relay_route: relay_route.collect(),
        ..Config::default()
    }
}
