//! The topology of the QKDN as networks of RFC 8345: one per layer, and the whole, each resting on the one below (clause 10.3 steps 2, 5 and 7).

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Facts, Report};
use crate::layout::Layout;
use crate::model::{DeviceName, Kind, ResourceId};
use crate::record::{Link, Network, Node, Resource, TerminationPoint};

pub const QUANTUM: &str = "urn:qkdn:network:quantum";
pub const KEY_MANAGEMENT: &str = "urn:qkdn:network:key-management";
pub const CONTROL: &str = "urn:qkdn:network:control";
/// All layers together: QKD nodes and what joins them.
pub const QKDN: &str = "urn:qkdn:network:qkdn";

/// The reports of devices, by name.
pub type Reports = BTreeMap<DeviceName, Report>;

/// The four networks. Values that change by themselves (QBER, rates, residual key) are of `latest`, by resource.
pub fn networks(
    reports: &Reports,
    layout: &Layout,
    resources: &BTreeMap<ResourceId, Resource>,
    latest: &Latest,
) -> Vec<Network> {
    let context = Context { reports, layout, resources, latest };
    vec![context.quantum(), context.key_management(), context.control(), context.whole()]
}

/// Keeps, from the networks `before`, what devices told that were not read yet since the start, in an unknown state: nodes, links that end at
/// them, and all that rests on either. Then everything is in order, whoever was read first.
pub fn keep_unread(networks: &mut [Network], before: &[Network], unread: impl Fn(&DeviceName) -> bool) {
    let mut nodes_kept: BTreeSet<(String, String)> = BTreeSet::new();
    let mut links_kept: BTreeSet<(String, String)> = BTreeSet::new();
    // Lower layers come first.
    for network in networks {
        let id = network.network_id.clone();
        let of_network = before.iter().find(|before| before.network_id == id);
        let (nodes, links) = of_network.map_or((&[][..], &[][..]), |before| (&before.node[..], &before.link[..]));
        for old in nodes {
            let below: Vec<_> = old.supporting_node.iter().filter(|node| nodes_kept.contains(*node)).cloned().collect();
            if let Some(node) = network.node.iter_mut().find(|node| node.node_id == old.node_id) {
                node.supporting_node.extend(below);
            } else if old.device.as_ref().is_some_and(&unread) {
                nodes_kept.insert((id.clone(), old.node_id.clone()));
                network.node.push(Node { oper_state: Some(UNKNOWN.to_owned()), ..old.clone() });
            } else if old.device.is_none() && !below.is_empty() {
                network.node.push(Node { supporting_node: below, ..old.clone() });
            }
        }
        for old in links {
            let below: Vec<_> = old.supporting_link.iter().filter(|link| links_kept.contains(*link)).cloned().collect();
            if let Some(link) = network.link.iter_mut().find(|link| link.link_id == old.link_id) {
                link.supporting_link.extend(below);
                continue;
            }
            let ends = [&old.source.0, &old.destination.0];
            let is_there = ends.iter().all(|end| network.node.iter().any(|node| node.node_id == **end));
            let is_unread = ends.iter().any(|end| nodes_kept.contains(&(id.clone(), (*end).clone())));
            if is_there && (is_unread || !below.is_empty()) {
                links_kept.insert((id.clone(), old.link_id.clone()));
                network.link.push(Link { oper_state: Some(UNKNOWN.to_owned()), ..old.clone() });
            }
        }
        let below_nodes = network.node.iter_mut().map(|node| &mut node.supporting_node);
        let below_links = network.link.iter_mut().map(|link| &mut link.supporting_link);
        for below in below_nodes.chain(below_links) {
            below.sort();
            below.dedup();
        }
        network.node.sort_by(|a, b| a.node_id.cmp(&b.node_id));
        network.link.sort_by(|a, b| a.link_id.cmp(&b.link_id));
    }
}

/// What of the networks makes another topology when it changes: what there is, what it joins and what it rests on; no states, no values.
pub fn shape(networks: &[Network]) -> BTreeSet<Vec<String>> {
    let ids = |below: &[(String, String)]| -> BTreeSet<String> { below.iter().map(|(_, id)| id.clone()).collect() };
    let node = |node: &Node| [vec![node.node_id.clone()], ids(&node.supporting_node).into_iter().collect()].concat();
    let link = |link: &Link| {
        let ends = vec![link.link_id.clone(), link.source.0.clone(), link.destination.0.clone()];
        [ends, ids(&link.supporting_link).into_iter().collect()].concat()
    };
    let of_network = |network: &Network| -> Vec<Vec<String>> {
        network.node.iter().map(node).chain(network.link.iter().map(link)).collect()
    };
    networks.iter().flat_map(of_network).collect()
}

const UNKNOWN: &str = "unknown";

/// Latest measured values of links.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latest {
    /// Of a QKD link: QBER (percent), secret key rate (bit/s), loss (dB), as its receiver measures them.
    pub links: BTreeMap<ResourceId, LinkValues>,
    /// Of a KM pair, by the id of either KM's store: residual bits.
    pub residual_bits: BTreeMap<ResourceId, u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LinkValues {
    pub qber: Option<f64>,
    pub secret_key_rate: Option<f64>,
    pub channel_loss: Option<f64>,
}

struct Context<'a> {
    reports: &'a Reports,
    layout: &'a Layout,
    resources: &'a BTreeMap<ResourceId, Resource>,
    latest: &'a Latest,
}

impl Context<'_> {
    fn of_kind(&self, kinds: &[Kind]) -> impl Iterator<Item = (&DeviceName, &Report)> {
        self.reports.iter().filter(move |(_, report)| kinds.contains(&report.kind) && report.id.is_some())
    }

    fn node(&self, device: &DeviceName, report: &Report) -> Node {
        let id = report.id.clone().unwrap_or_default();
        let resource = self.resources.get(&id);
        Node {
            node_id: id.clone(),
            resource_id: Some(id),
            kind: resource.map(|resource| resource.kind.clone()),
            device: Some(device.clone()),
            oper_state: resource.and_then(|resource| resource.oper_state.clone()).or_else(|| report.oper_state.clone()),
            location: report.location.clone(),
            ..Node::default()
        }
    }

    /// Modules, switches and relay points; QKD links from transmitter to receiver.
    fn quantum(&self) -> Network {
        let kinds = [Kind::QkdModule, Kind::OpticalSwitch, Kind::RelayPoint];
        let mut node: Vec<Node> = self.of_kind(&kinds).map(|(device, report)| self.node(device, report)).collect();
        let mut link = Vec::new();
        for (link_id, qkd_link) in &self.layout.links {
            let ends = (qkd_link.end("transmitter"), qkd_link.end("receiver"));
            // A link with one end is an inconsistency, not a link of the topology.
            let (Some(transmitter), Some(receiver)) = ends else { continue };
            let tp = |module: &str| format!("{module}:{link_id}");
            for end in [transmitter, receiver] {
                if let Some(node) = node.iter_mut().find(|node| node.node_id == end.module_id) {
                    let tp_id = tp(&end.module_id);
                    node.termination_point.push(TerminationPoint { tp_id, resource_id: Some(end.module_id.clone()) });
                }
            }
            let values = self.latest.links.get(link_id).copied().unwrap_or_default();
            link.push(Link {
                link_id: link_id.clone(),
                source: (transmitter.module_id.clone(), Some(tp(&transmitter.module_id))),
                destination: (receiver.module_id.clone(), Some(tp(&receiver.module_id))),
                resource_id: Some(link_id.clone()),
                oper_state: self.resources.get(link_id).and_then(|resource| resource.oper_state.clone()),
                service_state: self.service_state(&[&transmitter.device, &receiver.device]),
                length: self.length(&receiver.device).or_else(|| self.length(&transmitter.device)),
                protection_group: self.protection_group(&[&transmitter.device, &receiver.device]),
                channel_loss: values.channel_loss,
                qber: values.qber,
                secret_key_rate: values.secret_key_rate,
                ..Link::default()
            });
        }
        node.sort_by(|a, b| a.node_id.cmp(&b.node_id));
        Network { network_id: QUANTUM.to_owned(), layer: Some("quantum".to_owned()), node, link, ..Network::default() }
    }

    /// KMs on the modules that feed them; KM links, one in each direction, on the QKD links below them.
    fn key_management(&self) -> Network {
        let mut node = Vec::new();
        let mut link = Vec::new();
        for (device, report) in self.of_kind(&[Kind::KeyManager]) {
            let Facts::KeyManager(facts) = &report.facts else { continue };
            let mut entry = self.node(device, report);
            let modules = facts.source_module.iter().filter(|module| self.layout.device_of(module).is_some());
            entry.supporting_node = modules.map(|module| (QUANTUM.to_owned(), module.clone())).collect();
            let Some(km_id) = &report.id else { continue };
            for km_link in &facts.km_link {
                let tp_id = format!("{km_id}:{}", km_link.link_id);
                entry.termination_point.push(TerminationPoint { tp_id: tp_id.clone(), resource_id: None });
                let known = self.layout.device_of(&km_link.peer_km_id).is_some();
                if !known {
                    continue;
                }
                // The two directions need names of their own, which do not depend on who was read first.
                let first = *km_id < km_link.peer_km_id;
                let link_id = if first { km_link.link_id.clone() } else { format!("{}#reverse", km_link.link_id) };
                let store = facts.state.key_store.iter().find(|store| store.peer_km_id == km_link.peer_km_id);
                let measured = store.and_then(|store| store.resource_id.as_ref());
                let measured = measured.and_then(|store| self.latest.residual_bits.get(store)).copied();
                let below = km_link
                    .qkd_link_id
                    .iter()
                    .filter(|id| self.layout.links.get(*id).is_some_and(|l| l.ends.len() == 2));
                link.push(Link {
                    link_id,
                    source: (km_id.clone(), Some(tp_id)),
                    destination: (
                        km_link.peer_km_id.clone(),
                        Some(format!("{}:{}", km_link.peer_km_id, km_link.link_id)),
                    ),
                    supporting_link: below.map(|id| (QUANTUM.to_owned(), id.clone())).collect(),
                    resource_id: Some(km_link.link_id.clone()),
                    oper_state: self.resources.get(&km_link.link_id).and_then(|resource| resource.oper_state.clone()),
                    service_state: km_link.service_state.clone(),
                    residual_bits: measured.or_else(|| store.and_then(|store| store.residual_bits)),
                    ..Link::default()
                });
            }
            node.push(entry);
        }
        Network {
            network_id: KEY_MANAGEMENT.to_owned(),
            layer: Some("key-management".to_owned()),
            supporting_network: vec![QUANTUM.to_owned()],
            node,
            link,
            ..Network::default()
        }
    }

    /// Controllers, on the KMs that they control.
    fn control(&self) -> Network {
        let kms: Vec<_> = self.of_kind(&[Kind::KeyManager]).filter_map(|(_, report)| report.id.clone()).collect();
        let node = self.of_kind(&[Kind::Controller]).map(|(device, report)| Node {
            supporting_node: kms.iter().map(|km| (KEY_MANAGEMENT.to_owned(), km.clone())).collect(),
            ..self.node(device, report)
        });
        Network {
            network_id: CONTROL.to_owned(),
            layer: Some("control".to_owned()),
            supporting_network: vec![KEY_MANAGEMENT.to_owned()],
            node: node.collect(),
            ..Network::default()
        }
    }

    /// QKD nodes, on all that stands in them; between them what their QKD links and KM links join.
    fn whole(&self) -> Network {
        let mut nodes: BTreeMap<String, Node> = BTreeMap::new();
        for report in self.reports.values() {
            let (Some(name), Some(id)) = (&report.location.node, &report.id) else { continue };
            let network = match report.kind {
                Kind::QkdModule | Kind::OpticalSwitch | Kind::RelayPoint => QUANTUM,
                Kind::KeyManager => KEY_MANAGEMENT,
                Kind::Controller => CONTROL,
                Kind::Unknown => continue,
            };
            let node = nodes.entry(name.clone()).or_insert_with(|| Node {
                node_id: node_id(name),
                location: report.location.clone(),
                ..Node::default()
            });
            node.supporting_node.push((network.to_owned(), id.clone()));
        }
        let mut link = Vec::new();
        for (link_id, qkd_link) in &self.layout.links {
            let ends = (qkd_link.end("transmitter"), qkd_link.end("receiver"));
            let (Some(transmitter), Some(receiver)) = ends else { continue };
            let (Some(from), Some(to)) = (&transmitter.node, &receiver.node) else { continue };
            let mut supporting_link = vec![(QUANTUM.to_owned(), link_id.clone())];
            supporting_link.extend(qkd_link.km_links.iter().map(|id| (KEY_MANAGEMENT.to_owned(), id.clone())));
            link.push(Link {
                link_id: format!("{link_id}#qkdn"),
                source: (node_id(from), None),
                destination: (node_id(to), None),
                supporting_link,
                resource_id: Some(link_id.clone()),
                oper_state: self.resources.get(link_id).and_then(|resource| resource.oper_state.clone()),
                length: self.length(&receiver.device),
                ..Link::default()
            });
        }
        Network {
            network_id: QKDN.to_owned(),
            supporting_network: vec![QUANTUM.to_owned(), KEY_MANAGEMENT.to_owned(), CONTROL.to_owned()],
            node: nodes.into_values().collect(),
            link,
            ..Network::default()
        }
    }

    fn length(&self, device: &str) -> Option<f64> {
        match &self.reports.get(device)?.facts {
            Facts::QkdModule(facts) => facts.link.length,
            _ => None,
        }
    }

    /// The group of links that a link protects and is protected by, as one of its ends has it.
    fn protection_group(&self, ends: &[&DeviceName]) -> Option<String> {
        ends.iter().find_map(|device| match &self.reports.get(*device)?.facts {
            Facts::QkdModule(facts) => facts.link.protection_group.clone(),
            _ => None,
        })
    }

    /// A link is in service where both its ends are; else the state of the one that is not.
    fn service_state(&self, ends: &[&DeviceName]) -> Option<String> {
        let mut states = ends.iter().filter_map(|device| self.reports.get(*device)?.service_state.clone());
        let first = states.next()?;
        Some(states.find(|state| state != "in-service").unwrap_or(first))
    }
}

fn node_id(name: &str) -> String {
    format!("urn:qkdn:node:{name}")
}
