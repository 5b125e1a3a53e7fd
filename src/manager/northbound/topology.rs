//! `networks` of RFC 8345: a network for each layer of the QKDN, with what qkdn-manager says of nodes, links and their ends.

use std::collections::BTreeMap;

use netconf::error::RpcError;
use netconf::yang::tree::{Origin, Tree};
use serde::Serialize;

use super::{Answer, failed};
use crate::model::Location;
use crate::record::{Link, Network, Node, TerminationPoint};
use crate::store::Store;

const NETWORK: &str = "/ietf-network:networks/network";

pub(super) fn read(answer: &mut Answer<'_>, store: &impl Store) -> Result<(), RpcError> {
    if !answer.reaches(NETWORK) {
        return Ok(());
    }
    let mut networks = store.networks().map_err(failed)?;
    if let Some(keys) = answer.keys(NETWORK) {
        networks.retain(|network| keys.contains(&network.network_id));
    }
    let entries: Vec<_> = networks.iter().map(NetworkEntry::of).collect();
    // Devices told of them: they are in use without having been configured here (RFC 8342 section 5.3.4).
    let mut learned = Answer { schema: answer.schema, want: answer.want, tree: Tree::new(answer.schema.clone()) };
    learned.add_entries(NETWORK, &entries);
    answer.tree = answer.tree.merged(&learned.tree.with_origin(Origin::Learned));
    Ok(())
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct NetworkEntry<'a> {
    network_id: &'a str,
    network_types: Types<'a>,
    supporting_network: Vec<BTreeMap<&'static str, &'a str>>,
    node: Vec<NodeEntry<'a>>,
    #[serde(rename = "ietf-network-topology:link")]
    link: Vec<LinkEntry<'a>>,
}

#[derive(Serialize)]
struct Types<'a> {
    #[serde(rename = "qkdn-manager:qkdn")]
    qkdn: Qkdn<'a>,
}

#[derive(Serialize)]
struct Qkdn<'a> {
    layer: Option<&'a str>,
    version: u64,
}

impl<'a> NetworkEntry<'a> {
    fn of(network: &'a Network) -> Self {
        let supporting = network.supporting_network.iter();
        NetworkEntry {
            network_id: &network.network_id,
            network_types: Types { qkdn: Qkdn { layer: network.layer.as_deref(), version: network.version } },
            supporting_network: supporting.map(|id| BTreeMap::from([("network-ref", id.as_str())])).collect(),
            node: network.node.iter().map(NodeEntry::of).collect(),
            link: network.link.iter().map(LinkEntry::of).collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct NodeEntry<'a> {
    node_id: &'a str,
    supporting_node: Vec<Supporting<'a>>,
    #[serde(rename = "ietf-network-topology:termination-point")]
    termination_point: Vec<TerminationPointEntry<'a>>,
    #[serde(rename = "qkdn-manager:qkdn")]
    qkdn: NodeState<'a>,
}

/// A node or link of a network below.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Supporting<'a> {
    network_ref: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_ref: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_ref: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct NodeState<'a> {
    resource_id: Option<&'a str>,
    kind: Option<&'a str>,
    device: Option<&'a str>,
    oper_state: Option<&'a str>,
    #[serde(flatten)]
    location: &'a Location,
}

impl<'a> NodeEntry<'a> {
    fn of(node: &'a Node) -> Self {
        let below = node.supporting_node.iter();
        NodeEntry {
            node_id: &node.node_id,
            supporting_node: below
                .map(|(network, node)| Supporting { network_ref: network, node_ref: Some(node), link_ref: None })
                .collect(),
            termination_point: node.termination_point.iter().map(TerminationPointEntry::of).collect(),
            qkdn: NodeState {
                resource_id: node.resource_id.as_deref(),
                kind: node.kind.as_deref(),
                device: node.device.as_deref(),
                oper_state: node.oper_state.as_deref(),
                location: &node.location,
            },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct TerminationPointEntry<'a> {
    tp_id: &'a str,
    #[serde(rename = "qkdn-manager:qkdn")]
    qkdn: TerminationPointState<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct TerminationPointState<'a> {
    resource_id: Option<&'a str>,
}

impl<'a> TerminationPointEntry<'a> {
    fn of(point: &'a TerminationPoint) -> Self {
        let qkdn = TerminationPointState { resource_id: point.resource_id.as_deref() };
        TerminationPointEntry { tp_id: &point.tp_id, qkdn }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct LinkEntry<'a> {
    link_id: &'a str,
    source: Source<'a>,
    destination: Destination<'a>,
    supporting_link: Vec<Supporting<'a>>,
    #[serde(rename = "qkdn-manager:qkdn")]
    qkdn: LinkState<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Source<'a> {
    source_node: &'a str,
    source_tp: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Destination<'a> {
    dest_node: &'a str,
    dest_tp: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct LinkState<'a> {
    resource_id: Option<&'a str>,
    oper_state: Option<&'a str>,
    service_state: Option<&'a str>,
    length: Option<f64>,
    channel_loss: Option<f64>,
    qber: Option<f64>,
    secret_key_rate: Option<f64>,
    residual_bits: Option<u64>,
    protection_group: Option<&'a str>,
}

impl<'a> LinkEntry<'a> {
    fn of(link: &'a Link) -> Self {
        let (source, source_tp) = &link.source;
        let (destination, destination_tp) = &link.destination;
        LinkEntry {
            link_id: &link.link_id,
            source: Source { source_node: source, source_tp: source_tp.as_deref() },
            destination: Destination { dest_node: destination, dest_tp: destination_tp.as_deref() },
            supporting_link: link
                .supporting_link
                .iter()
                .map(|(network, link)| Supporting { network_ref: network, node_ref: None, link_ref: Some(link) })
                .collect(),
            qkdn: LinkState {
                resource_id: link.resource_id.as_deref(),
                oper_state: link.oper_state.as_deref(),
                service_state: link.service_state.as_deref(),
                length: link.length,
                channel_loss: link.channel_loss,
                qber: link.qber,
                secret_key_rate: link.secret_key_rate,
                residual_bits: link.residual_bits,
                protection_group: link.protection_group.as_deref(),
            },
        }
    }
}
