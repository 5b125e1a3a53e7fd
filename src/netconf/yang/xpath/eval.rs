//! Evaluation of a compiled expression on a tree.

use std::borrow::Cow;

use super::expr::{Expr, Path, Position, Start, Step, StepPredicate};
use super::nodes::{At, ROOT, Visited};
use super::parse::Operator;
use super::value::{Outcome, text_of};
use super::{Context, MAX_WORK, XPath, XPathError};
use crate::yang::access::ReadAccess;
use crate::yang::ffi::RawBase;
use crate::yang::schema::Schema;
use crate::yang::tree::Key;

/// One evaluation: the tree, the nodes visited in it, and the work that is left.
pub(super) struct Evaluation<'e> {
    pub xpath: &'e XPath,
    pub schema: &'e Schema,
    pub access: Option<&'e dyn ReadAccess>,
    pub visited: Vec<Visited<'e>>,
    pub marks: Vec<u32>,
    pub work: usize,
    /// The node of current().
    pub current: At,
    /// Node-sets that are no longer needed, for their room.
    spare: Vec<Vec<At>>,
}

/// What an expression is evaluated for: a node, and its place among those that are.
#[derive(Clone, Copy)]
pub(super) struct Focus {
    pub at: At,
    pub position: usize,
    /// Only where the expression asks for it.
    pub size: usize,
}

/// Combinations of key values that are looked up one by one; where there are more all entries are tried.
const MAX_LOOKUPS: usize = 64;

impl<'e> Evaluation<'e> {
    pub fn new(xpath: &'e XPath, context: &Context<'e>) -> Result<Evaluation<'e>, XPathError> {
        let mut evaluation = Evaluation {
            xpath,
            schema: context.tree.schema(),
            access: context.access,
            visited: Vec::with_capacity(32),
            marks: Vec::new(),
            work: MAX_WORK.min(context.work.max(1)),
            current: ROOT,
            spare: Vec::new(),
        };
        evaluation.visit_root(context.tree.root());
        if let Some(path) = context.current {
            let current = evaluation.visit_path(path)?;
            evaluation.current = current.ok_or_else(|| XPathError::Value("the context node may not be read".into()))?;
        }
        Ok(evaluation)
    }

    pub fn whole(&mut self) -> Result<Outcome<'e>, XPathError> {
        let focus = self.start();
        self.outcome(&self.xpath.expr, focus)
    }

    pub fn whole_nodes(&mut self) -> Result<Vec<At>, XPathError> {
        if !self.xpath.is_node_set {
            return Err(XPathError::Type("the expression selects no nodes, it is a value".into()));
        }
        let focus = self.start();
        self.nodes(&self.xpath.expr, focus)
    }

    pub fn whole_truth(&mut self) -> Result<bool, XPathError> {
        let focus = self.start();
        self.truth(&self.xpath.expr, focus)
    }

    fn start(&self) -> Focus {
        Focus { at: self.current, position: 1, size: 1 }
    }

    pub fn outcome(&mut self, expr: &'e Expr, focus: Focus) -> Result<Outcome<'e>, XPathError> {
        Ok(match expr {
            Expr::Number(number) => Outcome::Number(*number),
            Expr::Literal(literal) => Outcome::Text(Cow::Borrowed(&literal.text)),
            Expr::Or(_) | Expr::And(_) => Outcome::Boolean(self.truth(expr, focus)?),
            Expr::Union(parts) => {
                let mut all = self.spare();
                for part in parts {
                    let nodes = self.nodes(part, focus)?;
                    all.extend_from_slice(&nodes);
                    self.give_back(nodes);
                }
                self.arrange(&mut all)?;
                Outcome::Nodes(all)
            }
            Expr::Binary(operator, sides) => match operator {
                Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                    let left = self.number_of(&sides.0, focus)?;
                    let right = self.number_of(&sides.1, focus)?;
                    Outcome::Number(match operator {
                        Operator::Add => left + right,
                        Operator::Subtract => left - right,
                        Operator::Multiply => left * right,
                        Operator::Divide => left / right,
                        _ => left % right,
                    })
                }
                _ => Outcome::Boolean(self.comparison(*operator, &sides.0, &sides.1, focus)?),
            },
            Expr::Negated(operand) => Outcome::Number(-self.number_of(operand, focus)?),
            Expr::Path(path) => Outcome::Nodes(self.path_nodes(path, focus, false)?),
            Expr::Call(function, arguments) => self.call(*function, arguments, focus)?,
        })
    }

    /// As a boolean, with no more looked at than that takes.
    pub fn truth(&mut self, expr: &'e Expr, focus: Focus) -> Result<bool, XPathError> {
        let mark = self.mark();
        let truth = match expr {
            Expr::Or(parts) => {
                let mut any = false;
                for part in parts {
                    any = any || self.truth(part, focus)?;
                }
                any
            }
            Expr::And(parts) => {
                let mut all = true;
                for part in parts {
                    all = all && self.truth(part, focus)?;
                }
                all
            }
            Expr::Union(parts) => {
                let mut any = false;
                for part in parts {
                    any = any || self.truth(part, focus)?;
                }
                any
            }
            Expr::Path(path) => {
                let nodes = self.path_nodes(path, focus, true)?;
                let any = !nodes.is_empty();
                self.give_back(nodes);
                any
            }
            _ => {
                let outcome = self.outcome(expr, focus)?;
                let truth = self.boolean(&outcome);
                self.discard(outcome);
                truth
            }
        };
        self.release(mark);
        Ok(truth)
    }

    pub fn number_of(&mut self, expr: &'e Expr, focus: Focus) -> Result<f64, XPathError> {
        let mark = self.mark();
        let outcome = self.outcome(expr, focus)?;
        let number = self.number(&outcome)?;
        self.discard(outcome);
        self.release(mark);
        Ok(number)
    }

    pub fn text_of(&mut self, expr: &'e Expr, focus: Focus) -> Result<Cow<'e, str>, XPathError> {
        let mark = self.mark();
        let outcome = self.outcome(expr, focus)?;
        let text = self.text(outcome)?;
        self.release(mark);
        Ok(text)
    }

    /// The node-set; an expression of another type has none, which compiling it has ruled out.
    pub fn nodes(&mut self, expr: &'e Expr, focus: Focus) -> Result<Vec<At>, XPathError> {
        match self.outcome(expr, focus)? {
            Outcome::Nodes(nodes) => Ok(nodes),
            _ => Err(XPathError::Value("a node-set is wanted".into())),
        }
    }

    fn comparison(
        &mut self,
        operator: Operator,
        left: &'e Expr,
        right: &'e Expr,
        focus: Focus,
    ) -> Result<bool, XPathError> {
        let mark = self.mark();
        let equality = matches!(operator, Operator::Equal | Operator::NotEqual);
        let holds = match (left, right) {
            (Expr::Literal(literal), set) | (set, Expr::Literal(literal)) if equality => {
                match self.outcome(set, focus)? {
                    Outcome::Nodes(nodes) => {
                        let holds = self.set_has_literal(operator, &nodes, literal)?;
                        self.give_back(nodes);
                        holds
                    }
                    other => self.compares(operator, &other, &Outcome::Text(Cow::Borrowed(&literal.text)))?,
                }
            }
            _ => {
                let left = self.outcome(left, focus)?;
                let right = self.outcome(right, focus)?;
                let holds = self.compares(operator, &left, &right)?;
                self.discard(left);
                self.discard(right);
                holds
            }
        };
        self.release(mark);
        Ok(holds)
    }

    /// Whether a predicate holds: a number is a position (section 2.4).
    pub fn holds(&mut self, predicate: &'e StepPredicate, focus: Focus) -> Result<bool, XPathError> {
        match predicate.position {
            Position::Only(only) => Ok(focus.position == only),
            Position::Computed => Ok(self.number_of(&predicate.expr, focus)? == focus.position as f64),
            Position::None => self.truth(&predicate.expr, focus),
        }
    }

    /// The nodes of a path in document order; of these at least one where `first`.
    pub fn path_nodes(&mut self, path: &'e Path, focus: Focus, first: bool) -> Result<Vec<At>, XPathError> {
        let nodes = self.path_start(path, focus)?;
        self.steps(&path.steps, nodes, first)
    }

    /// The nodes that the last step of a path starts from.
    pub fn path_nodes_before(&mut self, path: &'e Path, focus: Focus) -> Result<Vec<At>, XPathError> {
        let nodes = self.path_start(path, focus)?;
        self.steps(&path.steps[..path.steps.len().saturating_sub(1)], nodes, false)
    }

    fn steps(&mut self, steps: &'e [Step], mut nodes: Vec<At>, first: bool) -> Result<Vec<At>, XPathError> {
        for (i, step) in steps.iter().enumerate() {
            if nodes.is_empty() {
                break;
            }
            let found = self.step(step, &nodes, first && i + 1 == steps.len())?;
            self.give_back(nodes);
            nodes = found;
        }
        Ok(nodes)
    }

    fn path_start(&mut self, path: &'e Path, focus: Focus) -> Result<Vec<At>, XPathError> {
        let Start::Filter(expr, predicates) = &path.start else {
            let mut nodes = self.spare();
            nodes.push(match &path.start {
                Start::Root => ROOT,
                Start::Current => self.current,
                _ => focus.at,
            });
            return Ok(nodes);
        };
        let mut nodes = self.nodes(expr, focus)?;
        for predicate in predicates {
            self.filter(&mut nodes, predicate)?;
        }
        Ok(nodes)
    }

    /// Keeps the candidates that a predicate holds for, counting positions in the order given.
    pub fn filter(&mut self, candidates: &mut Vec<At>, predicate: &'e StepPredicate) -> Result<(), XPathError> {
        let size = candidates.len();
        let mut kept = 0;
        for i in 0..size {
            let at = candidates[i];
            if self.holds(predicate, Focus { at, position: i + 1, size })? {
                candidates[kept] = at;
                kept += 1;
            }
        }
        candidates.truncate(kept);
        Ok(())
    }

    /// The keys of the only entries that can pass a step; None where that is not known.
    pub fn keys(&mut self, step: &'e Step) -> Result<Option<Vec<Key>>, XPathError> {
        let Some(keys) = &step.keys else { return Ok(None) };
        let mut combined: Vec<Vec<crate::yang::Value>> = vec![Vec::new()];
        for (key, expr) in self.schema.node(keys.list).keys.iter().zip(&keys.values) {
            let Some(texts) = self.key_texts(*key, expr)? else { return Ok(None) };
            let mut values = Vec::new();
            for text in texts {
                // A text that is not canonical is no entry's, however it would be read.
                if let Ok(value) = self.schema.value_json(*key, &text)
                    && value.text() == text
                    && !values.contains(&value)
                {
                    values.push(value);
                }
            }
            if combined.len() * values.len() > MAX_LOOKUPS {
                return Ok(None);
            }
            let with = |start: &Vec<crate::yang::Value>| {
                let start = start.clone();
                values.iter().map(move |value| start.iter().chain([value]).cloned().collect()).collect::<Vec<_>>()
            };
            combined = combined.iter().flat_map(with).collect();
        }
        let mut found: Vec<Key> = combined.into_iter().map(Key::new).collect();
        found.sort();
        Ok(Some(found))
    }

    /// The texts that a key is compared with.
    fn key_texts(&mut self, key: crate::yang::NodeId, expr: &'e Expr) -> Result<Option<Vec<Cow<'e, str>>>, XPathError> {
        let mark = self.mark();
        let leaf_type = self.schema.node(key).leaf_type.as_ref().expect("a key is a leaf").resolved();
        let is_integer = matches!(leaf_type.base, RawBase::Signed | RawBase::Unsigned);
        let texts = match expr {
            Expr::Literal(literal) => literal.key(leaf_type.base).map(|text| vec![Cow::Borrowed(text)]),
            _ => {
                let focus = Focus { at: self.current, position: 1, size: 1 };
                match self.outcome(expr, focus)? {
                    Outcome::Nodes(nodes) if nodes.len() <= MAX_LOOKUPS => {
                        let mut texts = Vec::with_capacity(nodes.len());
                        for &at in &nodes {
                            texts.push(self.text_at(at)?);
                        }
                        self.give_back(nodes);
                        Some(texts)
                    }
                    Outcome::Text(text) => Some(vec![text]),
                    // Many texts are the same number, but only one is an integer's canonical one.
                    Outcome::Number(number) if is_integer && number.abs() < EXACT => {
                        Some(vec![Cow::Owned(text_of(number))])
                    }
                    outcome => {
                        self.discard(outcome);
                        None
                    }
                }
            }
        };
        self.release(mark);
        Ok(texts)
    }

    /// The children of a node, to be given back.
    pub fn children(&mut self, at: At) -> Result<Vec<At>, XPathError> {
        self.step(&self.xpath.children, &[at], false)
    }

    /// An empty node-set.
    pub fn spare(&mut self) -> Vec<At> {
        self.spare.pop().unwrap_or_default()
    }

    pub fn give_back(&mut self, mut nodes: Vec<At>) {
        nodes.clear();
        self.spare.push(nodes);
    }

    pub fn discard(&mut self, outcome: Outcome<'e>) {
        if let Outcome::Nodes(nodes) = outcome {
            self.give_back(nodes);
        }
    }
}

/// Integers below are exact as numbers.
const EXACT: f64 = 9_007_199_254_740_992.0;
