//! Subtree filters read against a schema (RFC 6241 section 6.2).

use super::{Condition, Group, GroupId, Groups, Want, What};
use crate::error::RpcError;
use crate::xml::Element;
use crate::yang::schema::{NodeId, NodeKind, Schema};
use crate::yang::tree::Key;
use crate::yang::value::Value;

pub(super) fn compile(schema: &Schema, filter: Element<'_>) -> Result<Groups, RpcError> {
    let mut compiler = Compiler { schema, groups: Groups::default() };
    if filter.is_mixed() || (!filter.has_children() && is_content_match(filter)) {
        return Err(mixed(filter));
    }
    // Section 6.4.2: an empty filter selects nothing, it is no sibling set that asks for all.
    if filter.has_children() {
        compiler.groups.root = compiler.sibling_set(None, filter)?;
        compiler.groups.finish(schema);
    }
    Ok(compiler.groups)
}

struct Compiler<'s> {
    schema: &'s Schema,
    groups: Groups,
}

impl Compiler<'_> {
    /// What the children of `element` ask of an instance of `parent`; None where no instance can meet it.
    fn sibling_set(&mut self, parent: Option<NodeId>, element: Element<'_>) -> Result<Option<GroupId>, RpcError> {
        let mut group = Group { whole: true, ..Group::default() };
        let mut possible = true;
        for child in element.children() {
            if child.is_mixed() {
                return Err(mixed(child));
            }
            let candidates = self.candidates(parent, child);
            if is_content_match(child) {
                let condition = Condition(self.readings(&candidates, child));
                possible &= !condition.0.is_empty();
                let matched = condition.0.iter();
                group.wants.extend(matched.map(|(node, value)| Want { node: *node, what: What::Value(value.clone()) }));
                group.conditions.push(condition);
                continue;
            }
            // Selection and containment nodes narrow the set, also where they name what is not there.
            group.whole = false;
            for &node in &candidates {
                if !child.has_children() {
                    group.wants.push(Want { node, what: What::Whole });
                } else if has_inside(self.schema.node(node).kind)
                    && let Some(inside) = self.sibling_set(Some(node), child)?
                {
                    let what = match self.key_asked_for(node, inside) {
                        Some(key) => What::Entry(key, inside),
                        None => What::Inside(inside),
                    };
                    group.wants.push(Want { node, what });
                }
            }
        }
        Ok(possible.then(|| self.groups.add(group)))
    }

    /// The data nodes that an element can mean: those of its namespace, or of any where it has none (section 6.2.1).
    fn candidates(&self, parent: Option<NodeId>, element: Element<'_>) -> Vec<NodeId> {
        if element.attributes().next().is_some() {
            return Vec::new();
        }
        let namespace = element.namespace();
        let children = self.schema.children(parent).iter().copied();
        children
            .filter(|&id| {
                let node = self.schema.node(id);
                node.name == element.name()
                    && (node.is_data() || node.kind == NodeKind::Notification)
                    && (namespace.is_empty() || self.schema.module(node.module).namespace == namespace)
            })
            .collect()
    }

    /// The values that the text of a content match node can stand for.
    fn readings(&self, candidates: &[NodeId], element: Element<'_>) -> Vec<(NodeId, Value)> {
        let mut found: Vec<(NodeId, Value)> = Vec::new();
        let resolve = |prefix: &str| element.resolve_prefix(prefix);
        // Section 6.2.5: white space around the text does not count; a string may have been set with it all the same.
        for text in [element.text().trim_ascii(), element.text()] {
            for &node in candidates {
                if matches!(self.schema.node(node).kind, NodeKind::Leaf | NodeKind::LeafList)
                    && let Ok(value) = self.schema.value_xml(node, text, resolve)
                    && !found.contains(&(node, value.clone()))
                {
                    found.push((node, value));
                }
            }
        }
        found
    }

    /// The one entry that can meet the group's conditions, where they name all keys.
    fn key_asked_for(&self, list: NodeId, group: GroupId) -> Option<Key> {
        let keys = &self.schema.node(list).keys;
        if keys.is_empty() {
            return None;
        }
        let conditions = &self.groups.get(group).conditions;
        let value = |key: &NodeId| {
            conditions.iter().find_map(|condition| match condition.0.as_slice() {
                [(node, value)] if node == key => Some(value.clone()),
                _ => None,
            })
        };
        keys.iter().map(value).collect::<Option<Vec<_>>>().map(Key::new)
    }
}

/// A leaf-like element with text other than white space (section 6.2.5).
fn is_content_match(element: Element<'_>) -> bool {
    !element.has_children() && !element.text().trim_ascii().is_empty()
}

fn has_inside(kind: NodeKind) -> bool {
    matches!(kind, NodeKind::Container { .. } | NodeKind::List | NodeKind::Notification)
}

fn mixed(element: Element<'_>) -> RpcError {
    RpcError::bad_element(
        element.name(),
        format!("Filter element <{}> has text where elements are expected.", element.name()),
    )
}
