//! Which schema nodes an expression can look at, whatever the data.

use std::collections::BTreeMap;

use crate::yang::schema::{NodeId, Schema};
use crate::yang::tree::Key;

/// The schema nodes of an expression. Their ancestors are not among them unless the expression names them.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// By schema node: the expression looks at instances, or asks whether there are any.
    reached: Vec<bool>,
    /// By schema node: it or something above is selected, so that it belongs to the result.
    selected: Vec<bool>,
    /// Of each list that is walked, the keys of the only entries that are; None where all may be.
    entries: BTreeMap<NodeId, Option<Vec<Key>>>,
    /// Nothing is known: it may be led anywhere.
    everywhere: bool,
}

impl Bounds {
    /// Whether the expression can depend on instances of the node.
    pub fn looks_at(&self, node: NodeId) -> bool {
        self.reached[node.number()]
    }

    /// Whether the node can be part of what the expression selects: it, or one above it, is in the node-set.
    pub fn selects(&self, node: NodeId) -> bool {
        self.selected[node.number()]
    }

    /// All nodes that the expression can depend on, in schema order.
    pub fn nodes<'b>(&'b self, schema: &'b Schema) -> impl Iterator<Item = NodeId> + 'b {
        schema.nodes().map(|node| node.id).filter(|id| self.looks_at(*id))
    }

    /// The keys of the only entries of a list that it can look at or select, sorted; None where any may be.
    pub fn keys(&self, list: NodeId) -> Option<&[Key]> {
        if self.everywhere {
            return None;
        }
        self.entries.get(&list)?.as_deref()
    }

    pub(super) fn new(schema: &Schema) -> Bounds {
        let count = schema.nodes().count();
        let none = || vec![false; count];
        Bounds { reached: none(), selected: none(), entries: BTreeMap::new(), everywhere: false }
    }

    pub(super) fn reach(&mut self, nodes: &[NodeId]) {
        for node in nodes {
            self.reached[node.number()] = true;
        }
    }

    /// All below the nodes counts too.
    pub(super) fn whole(&mut self, schema: &Schema, nodes: &[NodeId], root: bool) {
        if root {
            self.everything();
        }
        for &node in nodes {
            let below = schema.subtree(node);
            if below.len() > 1 {
                for list in schema.nodes().skip(below.start + 1).take(below.len() - 1) {
                    if !list.keys.is_empty() {
                        self.entries.insert(list.id, None);
                    }
                }
            }
            self.reached[below].fill(true);
        }
    }

    pub(super) fn everything(&mut self) {
        self.reached.fill(true);
        self.everywhere = true;
    }

    /// A step looks at one entry of a list, or at any.
    pub(super) fn entries(&mut self, list: NodeId, key: Option<Key>) {
        let Some(key) = key else {
            self.entries.insert(list, None);
            return;
        };
        if let Some(keys) = self.entries.entry(list).or_insert_with(|| Some(Vec::new()))
            && let Err(at) = keys.binary_search(&key)
        {
            keys.insert(at, key);
        }
    }

    pub(super) fn all_entries(&mut self, nodes: &[NodeId]) {
        for &node in nodes {
            self.entries.insert(node, None);
        }
    }

    /// Notes what the whole expression selects.
    pub(super) fn finish(mut self, schema: &Schema, selected: &[NodeId], root: bool) -> Bounds {
        if root {
            self.selected.fill(true);
            self.everything();
        }
        for &node in selected {
            let below = schema.subtree(node);
            for list in schema.nodes().skip(below.start + 1).take(below.len() - 1).filter(|n| !n.keys.is_empty()) {
                self.entries.insert(list.id, None);
            }
            self.selected[below].fill(true);
        }
        self
    }
}
