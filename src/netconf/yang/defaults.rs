//! Defaults in use (RFC 7950 sections 7.5.1, 7.6.1, 7.7.2, 7.9.3): default nodes are in the tree, flagged.
//!
//! Where a `when` decides whether a node exists the answer is libyang's; such nodes come from [`super::validate`].

use std::sync::Arc;

use super::schema::{NodeId, NodeKind, Schema};
use super::tree::{Content, Inner, Key};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Only configuration.
    Config,
    /// Input and output of an operation, and notifications.
    Operation,
}

/// Adds all defaults that a configuration lacks which was not read as one, but made from JSON or values.
pub fn complete_all(schema: &Schema, parent: Option<NodeId>, inner: &mut Inner) {
    complete(schema, parent, inner, Scope::Config);
    let nodes: Vec<NodeId> = inner.iter().map(|child| child.node).filter(|&id| schema.node(id).config).collect();
    for id in nodes {
        match inner.get_mut(id).map(|child| &mut child.content) {
            Some(Content::Container(inside)) => complete_all(schema, Some(id), inside),
            Some(Content::List(list)) => {
                let keys: Vec<Key> = list.iter().filter_map(|(key, _)| key.cloned()).collect();
                for key in keys {
                    if let Some(entry) = list.get_mut(&key) {
                        complete_all(schema, Some(id), entry);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Adds the defaults that the children of `parent` lack, and takes away those of cases no longer chosen.
pub fn complete(schema: &Schema, parent: Option<NodeId>, inner: &mut Inner, scope: Scope) {
    let Some(plan) = schema.default_plan(parent) else { return };
    if plan.has_choice {
        let stale: Vec<NodeId> =
            inner.iter().filter(|c| c.default && !is_chosen(schema, inner, c.node)).map(|c| c.node).collect();
        for node in stale {
            inner.remove(node);
        }
    }
    for &id in &plan.nodes {
        let node = schema.node(id);
        if (scope == Scope::Config && !node.config) || (plan.has_choice && !is_chosen(schema, inner, id)) {
            continue;
        }
        match node.kind {
            NodeKind::Leaf if !inner.contains(id) => inner.set(id, Content::Leaf(node.defaults[0].clone()), true),
            NodeKind::LeafList if !inner.contains(id) => {
                let mut values = node.defaults.clone();
                if !node.user_ordered {
                    values.sort();
                }
                inner.set(id, Content::LeafList(Arc::new(values)), true);
            }
            // A container that is there was completed when it was made or changed.
            NodeKind::Container { presence: false } if !inner.contains(id) => {
                let mut content = Inner::default();
                complete(schema, Some(id), &mut content, scope);
                if !content.is_empty() {
                    inner.set(id, Content::Container(content), true);
                }
            }
            _ => {}
        }
    }
}

/// Whether all the cases around a node are the ones in use.
pub(super) fn is_chosen(schema: &Schema, inner: &Inner, id: NodeId) -> bool {
    schema.cases(id).all(|(choice, case)| {
        let explicit = inner.iter().find(|child| !child.default && schema.is_within(child.node, choice));
        match explicit {
            Some(child) => schema.is_within(child.node, case),
            None => schema.node(case).default_case,
        }
    })
}

/// Which children of a node may need a default: worked out once for a schema.
#[derive(Debug, Default)]
pub struct Plan {
    pub nodes: Vec<NodeId>,
    pub has_choice: bool,
}

impl Plan {
    /// None where nothing below `parent` has a default of its own.
    pub fn new(schema: &Schema, parent: Option<NodeId>) -> Option<Plan> {
        let mut plan = Plan::default();
        for &id in schema.children(parent) {
            let node = schema.node(id);
            if node.has_when {
                continue;
            }
            let needed = match node.kind {
                NodeKind::Leaf | NodeKind::LeafList => !node.defaults.is_empty(),
                NodeKind::Container { presence: false } => Plan::new(schema, Some(id)).is_some(),
                _ => false,
            };
            if needed {
                plan.nodes.push(id);
                plan.has_choice |= schema.cases(id).next().is_some();
            }
        }
        (!plan.nodes.is_empty()).then_some(plan)
    }
}
