//! A tree without what its reader may not see (RFC 8341 section 3.2.4).

use std::ops::Range;
use std::sync::Arc;

use super::UserAccess;
use crate::yang::access::{Extent, Instance, ReadAccess};
use crate::yang::{Content, Inner, Key, List, NodeId, Value};

/// Removes what may not be read. Parts that are readable as a whole stay shared.
pub(super) fn prune(access: &UserAccess, root: &mut Inner) {
    Pruner { access, marks: Vec::new() }.inner(root, 0..0);
}

struct Pruner<'a> {
    access: &'a UserAccess,
    marks: Vec<u32>,
}

impl Pruner<'_> {
    fn inner(&mut self, inner: &mut Inner, own: Range<usize>) {
        let nodes: Vec<NodeId> = inner.iter().map(|child| child.node).collect();
        for node in nodes {
            match self.access.extent(node) {
                Extent::All => {}
                Extent::None => {
                    inner.remove(node);
                }
                Extent::Some => {
                    let Some(child) = inner.get_mut(node) else { continue };
                    if !self.content(node, &mut child.content, &own) {
                        inner.remove(node);
                    }
                }
            }
        }
    }

    /// False where nothing is left.
    fn content(&mut self, node: NodeId, content: &mut Content, parent: &Range<usize>) -> bool {
        match content {
            Content::Leaf(_) | Content::Any(_) => self.within(node, Instance::Only, parent, |_, _| ()).is_some(),
            Content::Container(inner) => {
                self.within(node, Instance::Only, parent, |pruner, own| pruner.inner(inner, own)).is_some()
            }
            Content::LeafList(values) => {
                let readable = |value: &&Value| self.within(node, Instance::Value(value), parent, |_, _| ()).is_some();
                let kept: Vec<Value> = values.iter().filter(readable).cloned().collect();
                *values = Arc::new(kept);
                !values.is_empty()
            }
            Content::List(List::Keyless(entries)) => {
                let mut kept = Vec::new();
                for (i, entry) in entries.iter().enumerate() {
                    let mut entry = entry.clone();
                    let pruned = |pruner: &mut Self, own| pruner.inner(&mut entry, own);
                    if self.within(node, Instance::Position(i + 1), parent, pruned).is_some() {
                        kept.push(entry);
                    }
                }
                *entries = Arc::new(kept);
                !entries.is_empty()
            }
            Content::List(list) => {
                let keys: Vec<Key> = list.iter().filter_map(|(key, _)| key.cloned()).collect();
                for key in keys {
                    let Some(entry) = list.get_mut(&key) else { continue };
                    let pruned = |pruner: &mut Self, own| pruner.inner(entry, own);
                    let readable = self.within(node, Instance::Entry(&key), parent, pruned).is_some();
                    // As for the writer, an entry without its keys is none.
                    let has_keys = || {
                        let schema = &self.access.schema;
                        list.get(&key).is_some_and(|entry| Key::of(schema, node, entry).is_some())
                    };
                    if !readable || !has_keys() {
                        list.remove(&key);
                    }
                }
                !list.is_empty()
            }
        }
    }

    fn within<R>(
        &mut self,
        node: NodeId,
        instance: Instance<'_>,
        parent: &Range<usize>,
        then: impl FnOnce(&mut Self, Range<usize>) -> R,
    ) -> Option<R> {
        let start = self.marks.len();
        let readable = self.access.reads(node, instance, &mut self.marks, parent.clone());
        let result = readable.then(|| {
            let own = start..self.marks.len();
            then(self, own)
        });
        self.marks.truncate(start);
        result
    }
}
