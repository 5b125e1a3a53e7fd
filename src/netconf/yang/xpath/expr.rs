//! A compiled expression: what evaluation goes through.

use super::compile::parent;
use super::function::Function;
use super::parse::{Axis, Operator};
use crate::yang::ffi::RawBase;
use crate::yang::schema::{ModuleId, NodeId, Schema};

#[derive(Debug)]
pub(super) enum Expr {
    Number(f64),
    Literal(Literal),
    Or(Box<[Expr]>),
    And(Box<[Expr]>),
    Union(Box<[Expr]>),
    Binary(Operator, Box<(Expr, Expr)>),
    Negated(Box<Expr>),
    Path(Path),
    Call(Function, Box<[Expr]>),
}

#[derive(Debug)]
pub(super) struct Literal {
    pub text: String,
    /// As the canonical value of an identityref or instance-identifier has it, where the text can be one and its prefixes
    /// are known.
    pub qualified: Option<String>,
}

#[derive(Debug)]
pub(super) struct Path {
    pub start: Start,
    pub steps: Box<[Step]>,
}

#[derive(Debug)]
pub(super) enum Start {
    Context,
    Root,
    Current,
    Filter(Box<Expr>, Box<[StepPredicate]>),
}

#[derive(Debug)]
pub(super) struct Step {
    pub axis: Axis,
    pub test: Test,
    /// Only entries with these keys can pass.
    pub keys: Option<Keys>,
    pub predicates: Box<[StepPredicate]>,
    /// A predicate asks for last().
    pub uses_last: bool,
}

#[derive(Debug)]
pub(super) struct StepPredicate {
    pub expr: Expr,
    pub position: Position,
}

/// Whether a predicate is a number, and so a position (XPath 1.0 section 2.4).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Position {
    None,
    Only(usize),
    Computed,
}

/// The key values that predicates ask for, in the order of the `key` statement. None of them depends on the entry.
#[derive(Debug)]
pub(super) struct Keys {
    pub list: NodeId,
    pub values: Box<[Expr]>,
}

#[derive(Debug)]
pub(super) enum Test {
    /// Any node at all; text nodes too where `text`.
    Node {
        text: bool,
    },
    /// `*`
    Element,
    /// `prefix:*`
    Module(ModuleId),
    Text,
    Named(Named),
    Nothing,
}

/// The schema nodes that a name can mean at a step.
#[derive(Debug)]
pub(super) struct Named {
    /// Sorted.
    nodes: Box<[NodeId]>,
    /// With the node around each in the data, sorted.
    by_parent: Box<[(Option<NodeId>, NodeId)]>,
}

impl Named {
    pub fn new(schema: &Schema, nodes: Vec<NodeId>) -> Named {
        let mut by_parent: Vec<_> = nodes.iter().map(|&node| (parent(schema, node), node)).collect();
        by_parent.sort();
        Named { nodes: nodes.into(), by_parent: by_parent.into() }
    }

    pub fn contains(&self, node: NodeId) -> bool {
        self.nodes.binary_search(&node).is_ok()
    }

    pub fn contains_below(&self, schema: &Schema, node: NodeId) -> bool {
        let next = self.nodes.partition_point(|candidate| *candidate <= node);
        self.nodes.get(next).is_some_and(|candidate| candidate.number() < schema.subtree(node).end)
    }

    pub fn under(&self, parent: Option<NodeId>) -> impl Iterator<Item = NodeId> + '_ {
        let start = self.by_parent.partition_point(|(above, _)| *above < parent);
        self.by_parent[start..].iter().take_while(move |(above, _)| *above == parent).map(|(_, node)| *node)
    }
}

impl Literal {
    /// As the name of an identity.
    pub fn identity(&self) -> &str {
        self.qualified.as_deref().unwrap_or(&self.text)
    }

    /// As the value of a key of that type; None where more than the type decides.
    pub fn key(&self, base: RawBase) -> Option<&str> {
        match base {
            RawBase::Union | RawBase::InstanceIdentifier | RawBase::XPath => None,
            RawBase::IdentityRef => self.qualified.as_deref(),
            _ => Some(&self.text),
        }
    }
}
