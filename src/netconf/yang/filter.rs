//! Which part of a tree a request asks for: subtree filters (RFC 6241 section 6), XPath (section 8.9), or instances.
//!
//! A selection is a graph of groups. A group says what is asked of one container or list entry: conditions, which are the
//! filter's content match nodes, and wants, which are its selection and containment nodes. Sibling subtrees of one list
//! become several groups, each tried on every entry, and an entry gets the union of those whose conditions it meets.

use std::sync::Arc;

use super::access::{Instance, ReadAccess};
use super::path::{InstancePath, Predicate};
use super::schema::{NodeId, Schema};
use super::tree::{Content, Inner, Key, Tree};
use super::value::Value;
use super::xpath::{self, XPath, XPathError};
use crate::error::RpcError;
use crate::xml::Element;

mod subtree;

/// What a request asks for, compiled against one schema. A clone is cheap.
#[derive(Clone, Debug)]
pub struct Selection(Kind);

#[derive(Clone, Debug)]
enum Kind {
    All,
    Groups(Arc<Groups>),
    /// What it selects is known once there is a tree; until then the groups ask for nothing, and only tell what the
    /// expression reaches.
    XPath(Arc<XPath>, Arc<Groups>),
}

impl Selection {
    /// Everything: a request without a filter.
    pub fn all() -> Selection {
        Selection(Kind::All)
    }

    pub fn nothing() -> Selection {
        Selection(Kind::Groups(Arc::default()))
    }

    /// The meaning of `<filter type="subtree">`, or of another element with the same content. What the schema does not
    /// know selects nothing and is no error. Fails with bad-element on an element with both text and child elements.
    ///
    /// Inside anydata and anyxml nothing can be selected, they come whole or not at all. YANG data has no attributes, so
    /// an element with an attribute match expression matches nothing (RFC 6241 section 6.2.2).
    pub fn from_subtree(schema: &Schema, filter: Element<'_>) -> Result<Selection, RpcError> {
        subtree::compile(schema, filter).map(|groups| Selection(Kind::Groups(Arc::new(groups))))
    }

    /// These instances, with everything below them and the keys of the entries around them.
    pub fn from_paths(schema: &Schema, mut paths: Vec<InstancePath>) -> Selection {
        // Neighbours in order share the groups of the steps they have in common.
        paths.sort_by(|a, b| a.steps.iter().map(order).cmp(b.steps.iter().map(order)));
        let mut groups = Groups::default();
        if paths.is_empty() {
            return Selection(Kind::Groups(Arc::new(groups)));
        }
        let root = groups.add(Group::default());
        groups.root = Some(root);
        let mut open: Vec<(&super::path::Step, GroupId)> = Vec::new();
        for path in &paths {
            let Some((last, above)) = path.steps.split_last() else { return Selection::all() };
            let shared = open.iter().zip(above).take_while(|((a, _), b)| *a == *b).count();
            open.truncate(shared);
            for step in &above[shared..] {
                let group = groups.add(Group::default());
                let parent = open.last().map_or(root, |(_, id)| *id);
                groups.want(parent, step.node, inside(&step.predicate, group));
                open.push((step, group));
            }
            let parent = open.last().map_or(root, |(_, id)| *id);
            let what = match &last.predicate {
                Predicate::None => What::Whole,
                Predicate::Value(value) => What::Value(value.clone()),
                predicate => inside(predicate, groups.add(Group { whole: true, ..Group::default() })),
            };
            groups.want(parent, last.node, what);
        }
        groups.finish(schema);
        Selection(Kind::Groups(Arc::new(groups)))
    }

    /// What an expression selects (RFC 6241 section 8.9), with what is below it and the keys around it. It only tells what
    /// it [`Selection::reaches`] until [`Selection::on`] has seen the tree. Fails where it is no node-set.
    pub fn from_xpath(schema: &Schema, expression: XPath) -> Result<Selection, XPathError> {
        if !expression.is_node_set() {
            return Err(XPathError::Type("the expression selects no nodes, it is a value".into()));
        }
        let bounds = expression.bounds();
        let mut reached = vec![false; schema.nodes().count()];
        for node in schema.nodes().map(|node| node.id) {
            if bounds.looks_at(node) || bounds.selects(node) {
                let mut at = Some(node);
                while let Some(id) = at
                    && !std::mem::replace(&mut reached[id.number()], true)
                {
                    at = schema.node(id).parent;
                }
            }
        }
        let groups = Groups { reached, ..Groups::default() };
        Ok(Selection(Kind::XPath(Arc::new(expression), Arc::new(groups))))
    }

    /// The same, of an XPath filter the instances that it selects in `tree`: what `access` does not let the reader see
    /// does not exist for it. `work` bounds the evaluation, up to [`xpath::MAX_WORK`].
    pub fn on(&self, tree: &Tree, access: Option<&dyn ReadAccess>, work: usize) -> Result<Selection, XPathError> {
        let Kind::XPath(expression, _) = &self.0 else { return Ok(self.clone()) };
        let context = xpath::Context { work, ..xpath::Context::new(tree).readable_by(access) };
        Ok(Selection::from_paths(tree.schema(), expression.subtrees(&context)?))
    }

    /// Whether it needs [`Selection::on`] before it can be written.
    pub fn is_xpath(&self) -> bool {
        matches!(self.0, Kind::XPath(..))
    }

    pub fn is_all(&self) -> bool {
        matches!(self.0, Kind::All)
    }

    /// Whether anything at, above or below this schema node can be selected, or is needed to decide what is. False means
    /// that a provider need not fetch it.
    pub fn reaches(&self, node: NodeId) -> bool {
        match &self.0 {
            Kind::All => true,
            Kind::Groups(groups) | Kind::XPath(_, groups) => {
                groups.reached.get(node.number()).copied().unwrap_or(false)
            }
        }
    }

    /// The keys of the only entries of `list` that can be selected, whatever entries of other lists are around them, in
    /// key order; None where any entry can be.
    pub fn key_constraints(&self, schema: &Schema, list: NodeId) -> Option<Vec<Key>> {
        let groups = match &self.0 {
            Kind::All => return None,
            Kind::Groups(groups) => groups,
            Kind::XPath(expression, _) => return expression.bounds().keys(list).map(<[Key]>::to_vec),
        };
        let mut route = vec![list];
        while let Some(above) = schema.node(route[route.len() - 1]).data_parent {
            route.push(above);
        }
        let mut keys = Vec::new();
        if let Some(root) = groups.root {
            groups.keys_on(root, &route, &mut keys)?;
        }
        keys.sort();
        keys.dedup();
        Some(keys)
    }

    pub(super) fn groups(&self) -> Option<&Groups> {
        match &self.0 {
            Kind::All => None,
            Kind::Groups(groups) | Kind::XPath(_, groups) => Some(groups),
        }
    }
}

pub(super) type GroupId = u32;

#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
    /// What is asked of the top level; None where nothing is.
    pub root: Option<GroupId>,
    /// By schema node.
    reached: Vec<bool>,
}

/// What is asked of one container or list entry.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// All must hold, or the group asks for nothing.
    conditions: Vec<Condition>,
    /// Everything here is wanted.
    pub whole: bool,
    /// Sorted.
    wants: Vec<Want>,
}

/// A content match node: holds where one of these leafs has the value. There is more than one where the filter's element
/// has no namespace, or its text can be read in two ways.
#[derive(Debug)]
struct Condition(Vec<(NodeId, Value)>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Want {
    node: NodeId,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// Every instance with all below it.
    Whole,
    /// The leaf or leaf-list entry of that value.
    Value(Value),
    /// What the group asks of the container, or of each entry.
    Inside(GroupId),
    /// What the group asks of one entry.
    Entry(Key, GroupId),
    Position(usize, GroupId),
}

impl Groups {
    pub fn get(&self, id: GroupId) -> &Group {
        &self.groups[id as usize]
    }

    fn add(&mut self, group: Group) -> GroupId {
        self.groups.push(group);
        self.groups.len() as GroupId - 1
    }

    fn want(&mut self, group: GroupId, node: NodeId, what: What) {
        self.groups[group as usize].wants.push(Want { node, what });
    }

    /// Sorts what was added, and finds what it reaches.
    fn finish(&mut self, schema: &Schema) {
        self.reached = vec![false; schema.nodes().count()];
        let tags = schema.tags();
        for group in &mut self.groups {
            group.wants.sort();
            group.wants.dedup();
            let conditions = group.conditions.iter().flat_map(|c| &c.0).map(|(node, _)| *node);
            let named = group.wants.iter().map(|want| want.node);
            for node in conditions.chain(named) {
                let mut at = Some(node);
                while let Some(id) = at
                    && !std::mem::replace(&mut self.reached[id.number()], true)
                {
                    at = schema.node(id).parent;
                }
            }
        }
        let groups = &self.groups;
        let mut all_below = |node: NodeId| {
            self.reached[node.number()..tags.get(node).end as usize].fill(true);
        };
        for want in groups.iter().flat_map(|group| &group.wants) {
            match &want.what {
                What::Whole | What::Value(_) => all_below(want.node),
                What::Inside(id) | What::Entry(_, id) | What::Position(_, id) => {
                    if groups[*id as usize].whole {
                        all_below(want.node);
                    }
                }
            }
        }
        if self.root.is_some_and(|root| groups[root as usize].whole) {
            self.reached.fill(true);
        }
    }

    /// Collects the keys of the entries of `route[0]` below what `group` asks for, where `route` leads down to it from
    /// its end. None where nothing constrains them.
    fn keys_on(&self, group: GroupId, route: &[NodeId], keys: &mut Vec<Key>) -> Option<()> {
        let group = self.get(group);
        if group.whole {
            return None;
        }
        let (&node, rest) = route.split_last().expect("a route has its list at least");
        for want in group.wants(node) {
            match &want.what {
                What::Entry(key, _) if rest.is_empty() => keys.push(key.clone()),
                What::Inside(id) | What::Entry(_, id) | What::Position(_, id) if !rest.is_empty() => {
                    self.keys_on(*id, rest, keys)?;
                }
                _ => return None,
            }
        }
        Some(())
    }
}

impl Group {
    pub fn wants(&self, node: NodeId) -> &[Want] {
        let start = self.wants.partition_point(|want| want.node < node);
        let length = self.wants[start..].partition_point(|want| want.node == node);
        &self.wants[start..start + length]
    }

    /// Whether `inner` meets the conditions, as far as the reader may know.
    pub fn holds(&self, inner: &Inner, mut readable: impl FnMut(NodeId, Instance<'_>) -> bool) -> bool {
        self.conditions.iter().all(|condition| {
            condition.0.iter().any(|(node, value)| match inner.get(*node).map(|child| &child.content) {
                Some(Content::Leaf(actual)) => actual == value && readable(*node, Instance::Only),
                Some(Content::LeafList(actual)) => actual.contains(value) && readable(*node, Instance::Value(value)),
                _ => false,
            })
        })
    }
}

fn inside(predicate: &Predicate, group: GroupId) -> What {
    match predicate {
        Predicate::None | Predicate::Value(_) => What::Inside(group),
        Predicate::Key(key) => What::Entry(key.clone(), group),
        Predicate::Position(position) => What::Position(*position, group),
    }
}

/// An order in which equal steps are neighbours.
fn order(step: &super::path::Step) -> (NodeId, u8, Option<&Key>, Option<&Value>, usize) {
    match &step.predicate {
        Predicate::None => (step.node, 0, None, None, 0),
        Predicate::Key(key) => (step.node, 1, Some(key), None, 0),
        Predicate::Value(value) => (step.node, 2, None, Some(value), 0),
        Predicate::Position(position) => (step.node, 3, None, None, *position),
    }
}

#[cfg(test)]
mod tests;
