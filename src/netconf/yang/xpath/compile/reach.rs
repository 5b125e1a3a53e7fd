//! Where the axes lead in the schema.

use super::super::parse::Axis;
use crate::yang::schema::{NodeId, NodeKind, Schema};

/// The schema nodes whose instances a node-set can hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes {
    pub root: bool,
    /// The text inside leafs.
    pub text: bool,
    /// Sorted, each once.
    pub nodes: Vec<NodeId>,
}

impl Nodes {
    pub fn one(node: Option<NodeId>) -> Nodes {
        Nodes { root: node.is_none(), text: false, nodes: node.into_iter().collect() }
    }

    pub fn add(&mut self, other: &Nodes) {
        self.root |= other.root;
        self.text |= other.text;
        self.nodes.extend_from_slice(&other.nodes);
        self.nodes.sort();
        self.nodes.dedup();
    }

    /// All nodes that an axis can lead to.
    pub fn along(&self, schema: &Schema, axis: Axis) -> Nodes {
        let from = self;
        let mut reached = Nodes::default();
        let parents = from.root.then_some(None).into_iter().chain(from.nodes.iter().copied().map(Some));
        match axis {
            Axis::Itself => return from.clone(),
            Axis::Empty => {}
            Axis::Child => {
                for parent in parents {
                    children(schema, parent, &mut reached);
                }
            }
            Axis::Descendant | Axis::DescendantOrSelf => {
                if axis == Axis::DescendantOrSelf {
                    reached = from.clone();
                }
                reached.text = true;
                if from.root {
                    reached.nodes.extend(schema.nodes().map(|node| node.id));
                }
                for &node in &from.nodes {
                    let below = schema.subtree(node);
                    reached.nodes.extend(schema.nodes().skip(below.start + 1).take(below.len() - 1).map(|n| n.id));
                }
                reached.nodes.retain(|&id| is_instance(schema, id));
            }
            Axis::Parent | Axis::Ancestor | Axis::AncestorOrSelf => {
                if axis == Axis::AncestorOrSelf {
                    reached = from.clone();
                }
                if from.text {
                    reached.nodes.extend_from_slice(&from.nodes);
                }
                for &node in &from.nodes {
                    let mut above = parent(schema, node);
                    while let Some(id) = above {
                        reached.nodes.push(id);
                        above = if axis == Axis::Parent { None } else { parent(schema, id) };
                        reached.root |= axis != Axis::Parent;
                    }
                    reached.root |= parent(schema, node).is_none();
                }
                // The leafs of text nodes were not kept.
                if from.text {
                    reached.nodes.extend(schema.nodes().filter(|node| is_instance(schema, node.id)).map(|n| n.id));
                    reached.root |= axis != Axis::Parent;
                }
            }
            Axis::FollowingSibling | Axis::PrecedingSibling => {
                for &node in &from.nodes {
                    children(schema, parent(schema, node), &mut reached);
                }
                reached.text = false;
            }
            Axis::Following | Axis::Preceding => {
                reached.text = true;
                reached.nodes.extend(schema.nodes().filter(|node| is_instance(schema, node.id)).map(|node| node.id));
            }
        }
        reached.nodes.sort();
        reached.nodes.dedup();
        reached
    }
}

/// The node around one in the data, where input and output are none.
pub(in super::super) fn parent(schema: &Schema, node: NodeId) -> Option<NodeId> {
    let above = schema.node(node).data_parent?;
    match schema.node(above).kind {
        NodeKind::Input | NodeKind::Output => schema.node(above).data_parent,
        _ => Some(above),
    }
}

fn children(schema: &Schema, parent: Option<NodeId>, found: &mut Nodes) {
    for &id in schema.children(parent) {
        match schema.node(id).kind {
            NodeKind::Input | NodeKind::Output => children(schema, Some(id), found),
            _ => found.nodes.push(id),
        }
    }
    let is_leaf = |id: NodeId| matches!(schema.node(id).kind, NodeKind::Leaf | NodeKind::LeafList);
    found.text |= parent.is_some_and(is_leaf);
}

/// Whether data can have the node: data nodes, and the operations and notifications around some.
fn is_instance(schema: &Schema, id: NodeId) -> bool {
    let node = schema.node(id);
    node.is_data() || matches!(node.kind, NodeKind::Rpc | NodeKind::Action | NodeKind::Notification)
}
