//! Predicates that name an entry by its keys, and what else can be told of one from its form.

use super::super::XPathError;
use super::super::expr::{Expr, Keys};
use super::super::function::{Function, Gives};
use super::super::parse::{Ast, AstPath, AstStart, AstStep, AstTest, Axis, Operator};
use super::{Compiler, Nodes, Type};
use crate::yang::schema::NodeId;
use crate::yang::tree::Key;

impl Compiler<'_> {
    /// The values that the predicates before any position ask of all keys of the only list there can be.
    pub(super) fn keys(
        &mut self,
        predicates: &[Ast<'_>],
        axis: Axis,
        reached: &Nodes,
    ) -> Result<Option<Keys>, XPathError> {
        let [list] = reached.nodes.as_slice() else { return Ok(None) };
        let node = self.schema.node(*list);
        if !matches!(axis, Axis::Child | Axis::Descendant) || node.keys.is_empty() {
            return Ok(None);
        }
        let mut asked: Vec<(NodeId, &Ast<'_>)> = Vec::new();
        for predicate in predicates {
            if is_positional(predicate) {
                break;
            }
            let conjuncts = match predicate {
                Ast::And(parts) => parts.as_slice(),
                single => std::slice::from_ref(single),
            };
            for conjunct in conjuncts {
                let Ast::Binary(Operator::Equal, sides) = conjunct else { continue };
                for (left, right) in [(&sides.0, &sides.1), (&sides.1, &sides.0)] {
                    if let Some(key) = self.key_named(left, &node.keys)
                        && is_independent(right)
                        && !asked.iter().any(|(known, _)| *known == key)
                    {
                        asked.push((key, right));
                        break;
                    }
                }
            }
        }
        let mut values = Vec::with_capacity(node.keys.len());
        for key in &node.keys {
            let Some((_, ast)) = asked.iter().find(|(asked, _)| asked == key) else { return Ok(None) };
            let (expr, gives) = self.expr(ast, &self.current.clone())?;
            // To a boolean every entry is equal, or none.
            if let Type::Boolean = gives {
                return Ok(None);
            }
            values.push(expr);
        }
        Ok(Some(Keys { list: *list, values: values.into() }))
    }

    /// The key that an operand is the plain name of.
    fn key_named(&self, ast: &Ast<'_>, keys: &[NodeId]) -> Option<NodeId> {
        let Ast::Path(AstPath { start: AstStart::Context, steps }) = ast else { return None };
        let [AstStep { axis: Axis::Child, test: AstTest::Name(prefix, name), predicates, .. }] = steps.as_slice()
        else {
            return None;
        };
        let module = match prefix {
            Some(prefix) => Some(self.namespaces.module(prefix)?),
            None => self.namespaces.default,
        };
        keys.iter().copied().find(|&key| {
            let node = self.schema.node(key);
            predicates.is_empty() && node.name == *name && module.is_none_or(|module| node.module == module)
        })
    }

    /// The key, where nothing but literals say what it is.
    pub(super) fn fixed(&self, keys: &Keys) -> Option<Key> {
        let values = self.schema.node(keys.list).keys.iter().zip(&keys.values).map(|(&key, expr)| match expr {
            Expr::Literal(literal) => {
                let base = self.schema.node(key).leaf_type.as_ref()?.resolved().base;
                self.schema.value_json(key, literal.key(base)?).ok()
            }
            _ => None,
        });
        values.collect::<Option<Vec<_>>>().map(Key::new)
    }
}

/// Whether a predicate depends on where its node stands among the candidates.
pub(super) fn is_positional(ast: &Ast<'_>) -> bool {
    let is_number = match ast {
        Ast::Number(_) | Ast::Negated(_) => true,
        Ast::Binary(operator, _) => matches!(
            operator,
            Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Modulo
        ),
        Ast::Call { name, .. } => Function::by_name(name).is_some_and(|function| function.gives == Gives::Number),
        _ => false,
    };
    is_number || mentions(ast, "position") || mentions(ast, "last")
}

/// Whether an expression calls a function for its own context; what is inside predicates has another.
pub(super) fn mentions(ast: &Ast<'_>, function: &str) -> bool {
    match ast {
        Ast::Number(_) | Ast::Literal(_) => false,
        Ast::Or(parts) | Ast::And(parts) | Ast::Union(parts) => parts.iter().any(|part| mentions(part, function)),
        Ast::Binary(_, sides) => mentions(&sides.0, function) || mentions(&sides.1, function),
        Ast::Negated(operand) => mentions(operand, function),
        Ast::Path(AstPath { start: AstStart::Filter(primary, _), .. }) => mentions(primary, function),
        Ast::Path(_) => false,
        Ast::Call { name, arguments, .. } => {
            *name == function || arguments.iter().any(|argument| mentions(argument, function))
        }
    }
}

/// Whether an expression means the same whatever its context node is.
fn is_independent(ast: &Ast<'_>) -> bool {
    match ast {
        Ast::Number(_) | Ast::Literal(_) => true,
        Ast::Or(parts) | Ast::And(parts) | Ast::Union(parts) => parts.iter().all(is_independent),
        Ast::Binary(_, sides) => is_independent(&sides.0) && is_independent(&sides.1),
        Ast::Negated(operand) => is_independent(operand),
        Ast::Path(AstPath { start, .. }) => match start {
            AstStart::Context => false,
            AstStart::Root => true,
            AstStart::Filter(primary, _) => is_independent(primary),
        },
        Ast::Call { name, arguments, .. } => {
            // Without an argument the others are of the context node.
            let constant = matches!(*name, "current" | "true" | "false");
            constant || !arguments.is_empty() && *name != "lang" && arguments.iter().all(is_independent)
        }
    }
}
