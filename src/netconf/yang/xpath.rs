//! XPath 1.0 on instance data, with the functions of YANG 1.1 (RFC 7950 sections 6.4 and 10, RFC 6241 section 8.9).
//!
//! An expression is compiled once against a schema: names become schema nodes, and each step knows which it can meet. It
//! is evaluated on the shared [`Tree`] as it is. What the reader may not read does not exist for it (RFC 8341 section
//! 3.2.4); what is in use by default does (RFC 7950 section 6.4.1).
//!
//! A node-set is in document order, which is the order the writer writes in. Attributes, namespace nodes, comments and
//! processing instructions are not in data. Inside anydata and anyxml there are no nodes, only text.

use super::access::ReadAccess;
use super::path::InstancePath;
use super::schema::{ModuleId, NodeId, Schema};
use super::tree::Tree;
use crate::xml::Element;

mod axis;
mod bounds;
mod compile;
mod dependency;
mod eval;
mod expr;
mod function;
mod lex;
mod nodes;
mod parse;
mod value;

pub use bounds::Bounds;
pub use dependency::{Dependency, Link};

use eval::Evaluation;
use expr::{Expr, Step};
use nodes::Item;

/// Bytes of an expression. A filter that names a thousand entries one by one has 64 KiB; a longer one is not of use.
pub const MAX_LENGTH: usize = 64 * 1024;

/// Nodes looked at, and as much text, in one evaluation: about a second's work. Beyond it the expression fails.
pub const MAX_WORK: usize = 20_000_000;

/// Why an expression cannot be compiled or evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XPathError {
    #[error("the expression is wrong at byte {offset}: {reason}")]
    Syntax { offset: usize, reason: String },
    /// A prefix that nothing binds.
    #[error("{0}")]
    Name(String),
    /// A value of the wrong type, such as a number where a node-set is wanted.
    #[error("{0}")]
    Type(String),
    /// What only evaluation shows to be wrong, such as a pattern that is none.
    #[error("{0}")]
    Value(String),
    #[error("the expression is too large: {0}")]
    TooLarge(String),
    #[error("the expression takes too long to evaluate: it looks at too many nodes")]
    TooMuchWork,
}

impl XPathError {
    fn syntax(offset: usize, reason: impl Into<String>) -> XPathError {
        XPathError::Syntax { offset, reason: reason.into() }
    }
}

/// What the prefixes of an expression stand for.
#[derive(Clone, Debug)]
pub struct Namespaces<'s> {
    schema: &'s Schema,
    prefixes: Vec<(String, Option<ModuleId>)>,
    /// The module of names without a prefix; None where such a name means a node of any module.
    default: Option<ModuleId>,
}

impl<'s> Namespaces<'s> {
    /// No prefixes but the names of modules; names without one mean nodes of any module.
    pub fn new(schema: &'s Schema) -> Namespaces<'s> {
        Namespaces { schema, prefixes: Vec::new(), default: None }
    }

    /// The prefixes in scope at an element such as `<filter>` (RFC 6241 section 8.9.1), and beside them the names of
    /// modules. Names without a prefix mean nodes of any module.
    pub fn of_element(schema: &'s Schema, element: Element<'_>) -> Namespaces<'s> {
        let bound = element.prefixes().into_iter().filter(|(prefix, _)| !prefix.is_empty());
        let prefixes = bound.map(|(prefix, uri)| (prefix.to_owned(), schema.module_by_namespace(uri))).collect();
        Namespaces { schema, prefixes, default: None }
    }

    /// Of an expression in a YANG module: names without a prefix are the module's own (RFC 7950 section 6.4.1). Prefixes
    /// are to be added with [`Namespaces::with`].
    pub fn of_module(schema: &'s Schema, module: ModuleId) -> Namespaces<'s> {
        Namespaces { schema, prefixes: Vec::new(), default: Some(module) }
    }

    pub fn with(mut self, prefix: &str, module: ModuleId) -> Self {
        self.prefixes.insert(0, (prefix.to_owned(), Some(module)));
        self
    }

    pub fn with_default(mut self, module: ModuleId) -> Self {
        self.default = Some(module);
        self
    }

    fn module(&self, prefix: &str) -> Option<ModuleId> {
        match self.prefixes.iter().find(|(known, _)| known == prefix) {
            Some((_, module)) => *module,
            None => self.schema.module_by_name(prefix),
        }
    }
}

/// An expression, compiled against one schema.
#[derive(Debug)]
pub struct XPath {
    text: String,
    expr: Expr,
    is_node_set: bool,
    bounds: Bounds,
    /// The paths of the leafrefs that deref() may meet.
    leafrefs: Vec<(NodeId, Expr)>,
    /// `child::*`, which the string-value of a node is made of.
    children: Step,
}

/// What an expression is evaluated on.
#[derive(Clone, Copy)]
pub struct Context<'c> {
    /// Of the schema that the expression was compiled against.
    pub tree: &'c Tree,
    /// None is a reader who may see everything.
    pub access: Option<&'c dyn ReadAccess>,
    /// The context node, which is current() as well; None is the root. A node that the tree does not have is as if there,
    /// with nothing in it.
    pub current: Option<&'c InstancePath>,
    /// Nodes that may be looked at, at most [`MAX_WORK`].
    pub work: usize,
}

impl<'c> Context<'c> {
    /// The whole of a tree, from its root.
    pub fn new(tree: &'c Tree) -> Context<'c> {
        Context { tree, access: None, current: None, work: MAX_WORK }
    }

    pub fn at(self, current: &'c InstancePath) -> Context<'c> {
        Context { current: Some(current), ..self }
    }

    pub fn readable_by(self, access: Option<&'c dyn ReadAccess>) -> Context<'c> {
        Context { access, ..self }
    }
}

impl XPath {
    /// Compiles an expression whose context node is the root.
    pub fn parse(text: &str, namespaces: &Namespaces<'_>) -> Result<XPath, XPathError> {
        Self::parse_at(text, namespaces, None)
    }

    /// Compiles an expression whose context nodes are instances of `context`; None is the root.
    pub fn parse_at(text: &str, namespaces: &Namespaces<'_>, context: Option<NodeId>) -> Result<XPath, XPathError> {
        if text.len() > MAX_LENGTH {
            return Err(XPathError::TooLarge(format!("it has more than {MAX_LENGTH} bytes")));
        }
        compile::compile(text, namespaces, context)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it evaluates to a node-set, and not to a boolean, number or string.
    pub fn is_node_set(&self) -> bool {
        self.is_node_set
    }

    /// The schema nodes that it can look at.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The instances of a node-set in document order; for a text node its leaf. The path of the root has no steps. Empty
    /// containers that are not in the tree exist for the expression, but are not among the instances. Fails with
    /// [`XPathError::Type`] where the expression is no node-set.
    pub fn nodes(&self, context: &Context<'_>) -> Result<Vec<InstancePath>, XPathError> {
        self.instances(context, false)
    }

    /// As [`XPath::nodes`], without those that are below others: the subtrees of a filter's result.
    pub fn subtrees(&self, context: &Context<'_>) -> Result<Vec<InstancePath>, XPathError> {
        self.instances(context, true)
    }

    fn instances(&self, context: &Context<'_>, outermost: bool) -> Result<Vec<InstancePath>, XPathError> {
        let mut evaluation = Evaluation::new(self, context)?;
        let found = evaluation.whole_nodes()?;
        let mut paths: Vec<InstancePath> = Vec::new();
        let mut last = None;
        for at in found {
            let item = evaluation.get(at).item;
            // What is below a node follows it, and so does the text of a leaf.
            let repeats = |last| (outermost || matches!(item, Item::Text(_))) && evaluation.is_within(at, last);
            if matches!(item, Item::Nothing) || last.is_some_and(repeats) {
                continue;
            }
            last = Some(at);
            paths.push(evaluation.path(at));
        }
        Ok(paths)
    }

    /// As boolean() has it (XPath 1.0 section 4.3). Looks at no more than that takes.
    pub fn boolean(&self, context: &Context<'_>) -> Result<bool, XPathError> {
        Evaluation::new(self, context)?.whole_truth()
    }

    /// As string() has it (XPath 1.0 section 4.2).
    pub fn string(&self, context: &Context<'_>) -> Result<String, XPathError> {
        let mut evaluation = Evaluation::new(self, context)?;
        let outcome = evaluation.whole()?;
        evaluation.text(outcome).map(std::borrow::Cow::into_owned)
    }

    /// As number() has it (XPath 1.0 section 4.4).
    pub fn number(&self, context: &Context<'_>) -> Result<f64, XPathError> {
        let mut evaluation = Evaluation::new(self, context)?;
        let outcome = evaluation.whole()?;
        evaluation.number(&outcome)
    }

    /// The texts of a node-set's nodes in document order. Fails as [`XPath::nodes`] does.
    pub fn strings(&self, context: &Context<'_>) -> Result<Vec<String>, XPathError> {
        let mut evaluation = Evaluation::new(self, context)?;
        let found = evaluation.whole_nodes()?;
        found.into_iter().map(|at| evaluation.text_at(at).map(std::borrow::Cow::into_owned)).collect()
    }
}

#[cfg(test)]
mod tests;
