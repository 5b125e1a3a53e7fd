//! The key management layer as a part of the simulated network: which KMs a topology has, and how they are reached.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Network, QkdLink, World};
use crate::key_manager::layer::{KmPlan, Layer, QkdLinkEnd, QkdLinkPlan, QkdLinkReport};
use crate::key_manager::model::{Application, Channel, ChannelState, ChannelUse, Config, KmLink};
use crate::topology::{Node, Topology};

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
    let nodes = topology.nodes.iter().filter(|node| node.key_manager);
    let kms = nodes.map(|node| KmPlan { km_id: topology.km_id(&node.name), config: config(topology, node) }).collect();
    let end = |node: &str, link: &str, end: &str| QkdLinkEnd {
        km_id: topology.km_id(node),
        module_id: topology.resource_id("module", &format!("{link}-{end}")),
    };
    let links = topology.links.iter().map(|link| QkdLinkPlan {
        link_id: topology.link_id(&link.name),
        ends: [end(&link.from, &link.name, "tx"), end(&link.to, &link.name, "rx")],
        length_km: link.length_km,
    });
    Layer::new(kms, links.collect(), topology.seed, now)
}

/// What a KM does as long as nobody configures it: it works with its neighbours and supplies its applications.
fn config(topology: &Topology, node: &Node) -> Config {
    let is_km = |name: &str| topology.node(name).is_some_and(|node| node.key_manager);
    let mut peers: Vec<&str> = topology
        .links
        .iter()
        .filter_map(|link| match node.name.as_str() {
            name if name == link.from => Some(link.to.as_str()),
            name if name == link.to => Some(link.from.as_str()),
            _ => None,
        })
        .filter(|peer| is_km(peer))
        .collect();
    peers.sort_unstable();
    peers.dedup();
    let channel = |name: &str, usage| Channel { name: name.to_owned(), peer_address: None, usage };
    let km_link = peers.into_iter().map(|peer| KmLink {
        name: peer.to_owned(),
        link_id: topology.km_link_id(&node.name, peer),
        peer_km_id: topology.km_id(peer),
        qkd_link_id: topology.links_between(&node.name, peer).map(|link| topology.link_id(&link.name)).collect(),
        channel: vec![channel("primary", ChannelUse::Primary), channel("backup", ChannelUse::Backup)],
        ..KmLink::default()
    });
    let application = topology.applications.iter().filter_map(|application| {
        let peer = match node.name.as_str() {
            name if name == application.at => &application.peer,
            name if name == application.peer => &application.at,
            _ => return None,
        };
        let id = |node: &str| topology.resource_id("application", &format!("{}-{node}", application.name));
        Some(Application {
            application_id: id(&node.name),
            peer_application_id: Some(id(peer)),
            peer_km_id: Some(topology.km_id(peer)),
            priority: application.priority.unwrap_or(3),
            maximum_rate: Some(application.rate),
            enabled: true,
        })
    });
    Config { km_link: km_link.collect(), application: application.collect(), ..Config::default() }
}
