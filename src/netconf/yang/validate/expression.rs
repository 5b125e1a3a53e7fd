//! must and when (RFC 7950 sections 7.5.3 and 7.21.5): on what each depends, and which instances are to be asked again.

use super::index::{Definition, flat};
use super::reference::depth;
use crate::yang::ffi::constraint::RawExpression;
use crate::yang::path::{InstancePath, Predicate};
use crate::yang::schema::{NodeId, NodeKind, Schema};
use crate::yang::tree::{Content, Inner, Tree};
use crate::yang::xpath::{Dependency, Link, Namespaces, XPath};

/// A must or when, compiled.
pub(super) struct Expression {
    pub xpath: XPath,
    pub kind: Kind,
}

pub(super) enum Kind {
    Must { node: NodeId, message: Option<String>, app_tag: Option<String> },
    When(When),
}

/// On the data nodes `governed` below one data parent depends whether they may be there.
pub(super) struct When {
    pub parent: Option<NodeId>,
    pub governed: Vec<NodeId>,
    /// The context is the governed node, and there is only one; else it is the parent.
    pub of_itself: bool,
}

/// An expression that can change its answer when instances of a node change.
pub(super) struct Dependent {
    pub expression: usize,
    /// Steps that its context node has in common with the instance.
    pub shared: usize,
    pub link: Option<(Link, usize)>,
}

impl Expression {
    /// None where it is of a kind that only libyang knows.
    pub fn must(schema: &Schema, node: NodeId, raw: &crate::yang::ffi::constraint::RawMust) -> Option<Expression> {
        let xpath = compile(schema, node, Some(node), &raw.condition)?;
        let (message, app_tag) = (raw.error_message.clone(), raw.error_app_tag.clone());
        Some(Expression { xpath, kind: Kind::Must { node, message, app_tag } })
    }

    /// The same; `id` is a data node, a choice or a case.
    pub fn when(schema: &Schema, id: NodeId, raw: &crate::yang::ffi::constraint::RawWhen) -> Option<Expression> {
        let node = schema.node(id);
        let governed = data_within(schema, id);
        let parent = governed.first().and_then(|&first| schema.node(first).data_parent);
        let context = if raw.of_itself { Some(id) } else { parent };
        // Entries that are not there cannot be asked whether they may be.
        let asks_absent = raw.of_itself && node.kind == NodeKind::LeafList && !node.defaults.is_empty();
        let xpath = compile(schema, id, context, &raw.condition).filter(|_| !asks_absent)?;
        Some(Expression { xpath, kind: Kind::When(When { parent, governed, of_itself: raw.of_itself }) })
    }

    /// The node whose instances are asked: the context of a must, the parent of what a when governs.
    pub fn node(&self) -> Option<NodeId> {
        match &self.kind {
            Kind::Must { node, .. } => Some(*node),
            Kind::When(when) => when.parent,
        }
    }

    /// On what the answers depend; the indexes that links want go to `definitions`.
    pub fn dependents(
        &self,
        schema: &Schema,
        number: usize,
        definitions: &mut Vec<Definition>,
    ) -> Vec<(NodeId, Dependent)> {
        let context = match &self.kind {
            Kind::When(When { governed, of_itself: true, .. }) => governed.first().copied(),
            _ => self.node(),
        };
        let asked = depth(schema, self.node());
        let mut indexes: Vec<(Link, usize)> = Vec::new();
        let mut dependent = |Dependency { node, shared, link }: Dependency| {
            let link = link.map(|link| match indexes.iter().find(|(known, _)| *known == link) {
                Some(known) => known.clone(),
                None => {
                    let depth = shared.min(link.depth);
                    let values = move |_: &Schema, path: &InstancePath, side: super::touch::Side<'_>| {
                        let mut values = flat(&path.steps[..depth]);
                        values.push(side.value()?.clone());
                        Some(values.into())
                    };
                    definitions.push(Definition { node: link.leaf, values: Box::new(values) });
                    indexes.push((link, definitions.len() - 1));
                    indexes[indexes.len() - 1].clone()
                }
            });
            (node, Dependent { expression: number, shared: shared.min(asked), link })
        };
        self.xpath.dependencies(schema, context).into_iter().map(&mut dependent).collect()
    }
}

fn compile(schema: &Schema, id: NodeId, context: Option<NodeId>, raw: &RawExpression) -> Option<XPath> {
    let mut names = Namespaces::of_module(schema, schema.node(id).module);
    for (prefix, module) in &raw.prefixes {
        names = names.with(prefix, schema.module_by_name(module)?);
    }
    XPath::parse_at(&raw.text, &names, context).ok()
}

/// The data nodes of a choice or case; of a data node itself.
pub(super) fn data_within(schema: &Schema, id: NodeId) -> Vec<NodeId> {
    let parent = schema.node(id).data_parent;
    let within = schema.nodes().filter(|node| schema.is_within(node.id, id));
    within.filter(|node| node.is_data() && node.data_parent == parent).map(|node| node.id).collect()
}

/// The instances of `node` below the one at `top`, or it; containers without presence are there even where the tree has none
/// (RFC 7950 section 7.5.1), unless they are of a case.
pub(super) fn contexts(tree: &Tree, top: &[crate::yang::path::Step], node: Option<NodeId>) -> Vec<InstancePath> {
    let schema = tree.schema();
    let mut way: Vec<NodeId> = std::iter::successors(node, |&id| schema.node(id).data_parent).collect();
    way.reverse();
    let mut found = Vec::new();
    let mut path = InstancePath::default();
    descend(schema, Some(tree.root()), &way, top, &mut path, &mut found);
    found
}

fn descend(
    schema: &Schema,
    inner: Option<&Inner>,
    way: &[NodeId],
    top: &[crate::yang::path::Step],
    path: &mut InstancePath,
    found: &mut Vec<InstancePath>,
) {
    let Some((&next, rest)) = way.split_first() else {
        found.push(path.clone());
        return;
    };
    let given = top.get(path.steps.len());
    if given.is_some_and(|step| step.node != next) {
        return;
    }
    let mut step = |inner: Option<&Inner>, predicate: Predicate| {
        path.push(next, predicate);
        descend(schema, inner, rest, top, path, found);
        path.pop();
    };
    match inner.and_then(|inner| inner.get(next)).map(|child| &child.content) {
        Some(Content::Container(inner)) => step(Some(inner), Predicate::None),
        Some(Content::List(list)) => match given.map(|step| &step.predicate) {
            Some(Predicate::Key(key)) => {
                if let Some(entry) = list.get(key) {
                    step(Some(entry), Predicate::Key(key.clone()));
                }
            }
            _ => {
                for (key, entry) in list.iter() {
                    if let Some(key) = key {
                        step(Some(entry), Predicate::Key(key.clone()));
                    }
                }
            }
        },
        Some(Content::LeafList(values)) => {
            let wanted = |value: &&crate::yang::value::Value| match given.map(|step| &step.predicate) {
                Some(Predicate::Value(only)) => only == *value,
                _ => true,
            };
            for value in values.iter().filter(wanted) {
                step(None, Predicate::Value(value.clone()));
            }
        }
        Some(Content::Leaf(_) | Content::Any(_)) => step(None, Predicate::None),
        None if is_implied(schema, next) => step(None, Predicate::None),
        None => {}
    }
}

/// A container without presence that is there wherever what is around it is.
pub(super) fn is_implied(schema: &Schema, id: NodeId) -> bool {
    let node = schema.node(id);
    let in_case = node.parent.is_some_and(|parent| schema.node(parent).kind == NodeKind::Case);
    node.kind == NodeKind::Container { presence: false } && !in_case && !node.has_when
}

/// The nearest instance around a node, or it, that is not implied: with it the node comes to be there. None is the root.
pub(super) fn comes_with(schema: &Schema, node: Option<NodeId>) -> Option<NodeId> {
    let mut at = node;
    while let Some(id) = at.filter(|&id| is_implied(schema, id)) {
        at = schema.node(id).data_parent;
    }
    at
}

/// Whether something may come to be there with a node that nobody set: a default, or a constraint to be broken.
pub(super) fn brings_something(schema: &Schema, id: NodeId) -> bool {
    let node = schema.node(id);
    match node.kind {
        NodeKind::Leaf | NodeKind::LeafList => !node.defaults.is_empty() || node.mandatory || node.min_elements > 0,
        NodeKind::List => node.min_elements > 0,
        NodeKind::Container { presence } => {
            !presence && (node.has_must || node.children.iter().any(|&child| brings_something(schema, child)))
        }
        _ => node.mandatory,
    }
}
