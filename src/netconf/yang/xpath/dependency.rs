//! From which instances the result of an expression can change when an instance changes: by the shape of its paths.

use super::XPath;
use super::expr::{Expr, Keys, Path, Start, Step, Test};
use super::function::Function;
use super::parse::Axis;
use crate::yang::ffi::RawBase;
use crate::yang::schema::{NodeId, NodeKind, Schema};

/// An expression depends on the instances of `node` that have the first `shared` steps of their path in common with the
/// context node, and are below the entry that `link` tells, if any.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    pub node: NodeId,
    pub shared: usize,
    pub link: Option<Link>,
}

/// One entry of a list, whose key is the value of a leaf seen from the context node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    pub list: NodeId,
    /// Which of the list's keys, from 0.
    pub key: usize,
    pub leaf: NodeId,
    /// Steps that the leaf's path has in common with the context node's.
    pub depth: usize,
}

impl XPath {
    /// What the expression depends on where its context nodes are instances of `context`; None is the root.
    pub fn dependencies(&self, schema: &Schema, context: Option<NodeId>) -> Vec<Dependency> {
        let current = vec![Place { node: context, shared: depth(schema, context), link: None }];
        let mut analysis = Analysis { xpath: self, schema, current: current.clone(), links: true, found: Vec::new() };
        analysis.nodes(&self.expr, &current);
        analysis.found.sort();
        analysis.found.dedup();
        analysis.found
    }
}

/// Instances that a path can come to: of a schema node (None: the root), and how near to the context node.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    node: Option<NodeId>,
    shared: usize,
    link: Option<Link>,
}

struct Analysis<'a> {
    xpath: &'a XPath,
    schema: &'a Schema,
    current: Vec<Place>,
    /// current() is the context node of the whole expression.
    links: bool,
    found: Vec<Dependency>,
}

impl Analysis<'_> {
    /// The places of a node-set; none for another value.
    fn nodes(&mut self, expr: &Expr, context: &[Place]) -> Vec<Place> {
        match expr {
            Expr::Number(_) | Expr::Literal(_) => Vec::new(),
            Expr::Or(parts) | Expr::And(parts) => {
                for part in parts {
                    self.nodes(part, context);
                }
                Vec::new()
            }
            Expr::Union(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    all.extend(self.nodes(part, context));
                }
                all
            }
            Expr::Binary(_, sides) => {
                self.value(&sides.0, context);
                self.value(&sides.1, context);
                Vec::new()
            }
            Expr::Negated(operand) => {
                self.value(operand, context);
                Vec::new()
            }
            Expr::Path(path) => self.path(path, context),
            Expr::Call(Function::Current, _) => self.current.clone(),
            Expr::Call(function, arguments) => self.call(*function, arguments, context),
        }
    }

    /// An operand whose text counts, which is that of all leafs below.
    fn value(&mut self, expr: &Expr, context: &[Place]) -> Vec<Place> {
        let places = self.nodes(expr, context);
        self.whole(&places);
        places
    }

    fn whole(&mut self, places: &[Place]) {
        for place in places {
            let below = match place.node {
                Some(node) => self.schema.subtree(node),
                None => 0..self.schema.nodes().count(),
            };
            for node in self.schema.nodes().skip(below.start).take(below.len()) {
                self.found.push(Dependency { node: node.id, shared: place.shared, link: place.link.clone() });
            }
        }
    }

    fn call(&mut self, function: Function, arguments: &[Expr], context: &[Place]) -> Vec<Place> {
        if arguments.is_empty() {
            // string() and its like are of the context node.
            self.whole(context);
        }
        let counts_only = matches!(function, Function::Count | Function::Boolean | Function::Not);
        let mut first = Vec::new();
        for (i, argument) in arguments.iter().enumerate() {
            let places = if counts_only { self.nodes(argument, context) } else { self.value(argument, context) };
            if i == 0 {
                first = places;
            }
        }
        if matches!(function, Function::Deref) { self.targets(&first) } else { Vec::new() }
    }

    fn targets(&mut self, leafs: &[Place]) -> Vec<Place> {
        let mut targets = Vec::new();
        for place in leafs {
            let Some(leaf) = place.node else { continue };
            let leaf_type = self.schema.node(leaf).leaf_type.as_ref();
            if leaf_type.is_some_and(|t| t.has_member(|base, _| base == RawBase::InstanceIdentifier)) {
                let anywhere = Place { node: None, shared: 0, link: None };
                self.whole(std::slice::from_ref(&anywhere));
                let data = self.schema.nodes().filter(|node| node.is_data());
                targets.extend(data.map(|node| Place { node: Some(node.id), ..anywhere.clone() }));
            }
            for (_, expr) in self.xpath.leafrefs.iter().filter(|(known, _)| *known == leaf) {
                let own = vec![place.clone()];
                let outer =
                    (std::mem::replace(&mut self.current, own.clone()), std::mem::replace(&mut self.links, false));
                targets.extend(self.value(expr, &own));
                (self.current, self.links) = outer;
            }
        }
        targets
    }

    fn path(&mut self, path: &Path, context: &[Place]) -> Vec<Place> {
        let mut places = match &path.start {
            Start::Context => context.to_vec(),
            Start::Root => vec![Place { node: None, shared: 0, link: None }],
            Start::Current => self.current.clone(),
            Start::Filter(expr, predicates) => {
                let places = self.nodes(expr, context);
                for predicate in predicates {
                    self.value(&predicate.expr, &places);
                }
                places
            }
        };
        for step in &path.steps {
            places = self.step(step, &places);
        }
        places
    }

    fn step(&mut self, step: &Step, from: &[Place]) -> Vec<Place> {
        let link = step.keys.as_ref().filter(|_| self.links).and_then(|keys| self.link(keys));
        let mut reached: Vec<Place> = Vec::new();
        for place in from {
            for (node, shared) in self.along(step.axis, place) {
                if !self.accepts(&step.test, node) {
                    continue;
                }
                let own = link.clone().filter(|link| node == Some(link.list));
                let inherited =
                    place.link.clone().filter(|link| node.is_some_and(|node| self.schema.is_within(node, link.list)));
                let next = Place { node, shared, link: inherited.or(own) };
                if !reached.contains(&next) {
                    reached.push(next);
                }
            }
        }
        for place in &reached {
            let Place { node: Some(node), shared, link } = place.clone() else { continue };
            self.found.push(Dependency { node, shared, link });
        }
        if let Some(keys) = &step.keys {
            let current = self.current.clone();
            for value in &keys.values {
                self.value(value, &current);
            }
        }
        for predicate in &step.predicates {
            self.value(&predicate.expr, &reached);
        }
        reached
    }

    fn accepts(&self, test: &Test, node: Option<NodeId>) -> bool {
        match (test, node) {
            (Test::Node { .. }, _) => true,
            // The text is that of the leaf.
            (Test::Text, Some(_)) => true,
            (Test::Nothing, _) | (_, None) => false,
            (Test::Element, Some(_)) => true,
            (Test::Module(module), Some(node)) => self.schema.node(node).module == *module,
            (Test::Named(named), Some(node)) => named.contains(node),
        }
    }

    /// Where an axis leads, with what stays shared. A leaf's text counts as the leaf.
    fn along(&self, axis: Axis, place: &Place) -> Vec<(Option<NodeId>, usize)> {
        let schema = self.schema;
        let shared = place.shared;
        let above = |node: Option<NodeId>| node.map(|id| schema.node(id).data_parent);
        let near = |node: Option<NodeId>| (node, shared.min(depth(schema, node)));
        let is_leaf = place.node.is_some_and(|id| matches!(schema.node(id).kind, NodeKind::Leaf | NodeKind::LeafList));
        let below = |this: bool| {
            let run = match place.node {
                Some(node) => schema.subtree(node),
                None => 0..schema.nodes().count(),
            };
            let nodes = schema.nodes().skip(run.start).take(run.len()).map(|node| Some(node.id));
            let own = (this && place.node.is_none()).then_some(None);
            own.into_iter()
                .chain(nodes)
                .filter(|&node| this || is_leaf || node != place.node)
                .map(|node| (node, shared))
                .collect::<Vec<_>>()
        };
        match axis {
            Axis::Itself => vec![(place.node, shared)],
            Axis::Child if is_leaf => vec![(place.node, shared)],
            Axis::Child => schema.children(place.node).iter().map(|&id| (Some(id), shared)).collect(),
            Axis::Descendant => below(false),
            Axis::DescendantOrSelf => below(true),
            Axis::Parent => above(place.node).map(near).into_iter().collect(),
            Axis::Ancestor | Axis::AncestorOrSelf => {
                let first = if axis == Axis::Ancestor { above(place.node) } else { Some(place.node) };
                std::iter::successors(first, |&node| above(node)).map(near).collect()
            }
            Axis::FollowingSibling | Axis::PrecedingSibling => {
                let Some(parent) = above(place.node) else { return Vec::new() };
                let (_, shared) = near(parent);
                schema.children(parent).iter().map(|&id| (Some(id), shared)).collect()
            }
            Axis::Following | Axis::Preceding => schema.nodes().map(|node| (Some(node.id), 0)).collect(),
            Axis::Empty => Vec::new(),
        }
    }

    /// The first key that is the value of a leaf seen from current().
    fn link(&self, keys: &Keys) -> Option<Link> {
        let own = self.current.first()?;
        keys.values.iter().enumerate().find_map(|(key, value)| {
            let Expr::Path(Path { start: Start::Current, steps }) = value else { return None };
            let mut at = own.node;
            let mut shared = own.shared;
            for step in steps {
                if !step.predicates.is_empty() {
                    return None;
                }
                at = match (step.axis, &step.test) {
                    (Axis::Parent, Test::Node { .. }) => {
                        let parent = self.schema.node(at?).data_parent;
                        shared = shared.min(depth(self.schema, parent));
                        parent
                    }
                    (Axis::Itself, Test::Node { .. }) => at,
                    (Axis::Child, Test::Named(named)) => Some(named.under(at).next()?),
                    _ => return None,
                };
            }
            let leaf = at.filter(|&id| self.schema.node(id).kind == NodeKind::Leaf)?;
            Some(Link { list: keys.list, key, leaf, depth: shared })
        })
    }
}

/// The number of steps in the path of an instance.
fn depth(schema: &Schema, node: Option<NodeId>) -> usize {
    std::iter::successors(node, |&id| schema.node(id).data_parent).count()
}
