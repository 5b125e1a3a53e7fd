//! An expression with its names resolved: each step knows the schema nodes that it can meet.

use super::expr::{Expr, Literal, Named, Path, Position, Start, Step, StepPredicate, Test};
use super::function::{Function, Gives};
use super::parse::{Ast, AstPath, AstStart, AstStep, AstTest, Axis, Operator};
use super::{Bounds, Namespaces, XPath, XPathError, parse};
use crate::yang::path;
use crate::yang::schema::{NodeId, Schema};

mod keys;
mod reach;

use keys::{is_positional, mentions};
use reach::Nodes;
pub(super) use reach::parent;

pub(super) fn compile(text: &str, namespaces: &Namespaces<'_>, context: Option<NodeId>) -> Result<XPath, XPathError> {
    let schema = namespaces.schema;
    let mut compiler = Compiler {
        schema,
        namespaces,
        current: Nodes::one(context),
        bounds: Bounds::new(schema),
        leafrefs: Vec::new(),
    };
    let mut above = context;
    while let Some(node) = above {
        compiler.bounds.all_entries(&[node]);
        above = parent(schema, node);
    }
    let ast = parse::parse(text)?;
    let (expr, gives) = compiler.expr(&ast, &compiler.current.clone())?;
    let selected = match gives {
        Type::Nodes(nodes) => Some(nodes),
        _ => None,
    };
    let Compiler { bounds, leafrefs, .. } = compiler;
    let children =
        Step { axis: Axis::Child, test: Test::Element, keys: None, predicates: Box::default(), uses_last: false };
    Ok(XPath {
        text: text.to_owned(),
        expr,
        is_node_set: selected.is_some(),
        bounds: match selected {
            Some(nodes) => bounds.finish(schema, &nodes.nodes, nodes.root),
            None => bounds,
        },
        leafrefs,
        children,
    })
}

enum Type {
    Nodes(Nodes),
    Boolean,
    Number,
    Text,
}

struct Compiler<'c> {
    schema: &'c Schema,
    namespaces: &'c Namespaces<'c>,
    /// What current() can be.
    current: Nodes,
    bounds: Bounds,
    leafrefs: Vec<(NodeId, Expr)>,
}

impl Compiler<'_> {
    fn expr(&mut self, ast: &Ast<'_>, context: &Nodes) -> Result<(Expr, Type), XPathError> {
        Ok(match ast {
            Ast::Number(number) => (Expr::Number(*number), Type::Number),
            Ast::Literal(text) => (Expr::Literal(self.literal(text)), Type::Text),
            Ast::Or(parts) => (Expr::Or(self.values(parts, context)?), Type::Boolean),
            Ast::And(parts) => (Expr::And(self.values(parts, context)?), Type::Boolean),
            Ast::Union(parts) => {
                let mut all = Nodes::default();
                let mut compiled = Vec::with_capacity(parts.len());
                for part in parts {
                    let (expr, Type::Nodes(nodes)) = self.expr(part, context)? else {
                        return Err(XPathError::Type("both sides of \"|\" must be node-sets".into()));
                    };
                    all.add(&nodes);
                    compiled.push(expr);
                }
                (Expr::Union(compiled.into()), Type::Nodes(all))
            }
            Ast::Binary(operator, sides) => {
                let sides = Box::new((self.value(&sides.0, context)?, self.value(&sides.1, context)?));
                let gives = match operator {
                    Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                        Type::Number
                    }
                    _ => Type::Boolean,
                };
                (Expr::Binary(*operator, sides), gives)
            }
            Ast::Negated(operand) => (Expr::Negated(Box::new(self.value(operand, context)?)), Type::Number),
            Ast::Path(path) => {
                let (path, nodes) = self.path(path, context)?;
                (Expr::Path(path), Type::Nodes(nodes))
            }
            Ast::Call { name, arguments, offset } => self.call(name, arguments, *offset, context)?,
        })
    }

    /// An operand whose value counts: of a node-set all the text inside.
    fn value(&mut self, ast: &Ast<'_>, context: &Nodes) -> Result<Expr, XPathError> {
        let (expr, gives) = self.expr(ast, context)?;
        if let Type::Nodes(nodes) = gives {
            self.bounds.whole(self.schema, &nodes.nodes, nodes.root);
        }
        Ok(expr)
    }

    /// Operands of which only the truth counts.
    fn values(&mut self, parts: &[Ast<'_>], context: &Nodes) -> Result<Box<[Expr]>, XPathError> {
        parts.iter().map(|part| self.expr(part, context).map(|(expr, _)| expr)).collect()
    }

    fn call(
        &mut self,
        name: &str,
        arguments: &[Ast<'_>],
        offset: usize,
        context: &Nodes,
    ) -> Result<(Expr, Type), XPathError> {
        let Some(signature) = Function::by_name(name) else {
            return Err(XPathError::syntax(offset, format!("there is no function {name}()")));
        };
        if !(signature.least..=signature.most).contains(&arguments.len()) {
            let count = arguments.len();
            return Err(XPathError::syntax(offset, format!("{name}() does not take {count} arguments")));
        }
        let function = signature.function;
        let mut first = context.clone();
        let mut compiled = Vec::with_capacity(arguments.len());
        for (i, argument) in arguments.iter().enumerate() {
            let (expr, gives) = self.expr(argument, context)?;
            match gives {
                Type::Nodes(nodes) => {
                    let counts_only = matches!(
                        function,
                        Function::Count
                            | Function::Boolean
                            | Function::Not
                            | Function::Name
                            | Function::LocalName
                            | Function::NamespaceUri
                    );
                    if !counts_only {
                        self.bounds.whole(self.schema, &nodes.nodes, nodes.root);
                    }
                    if i == 0 {
                        first = nodes;
                    }
                }
                _ if i == 0 && signature.of_nodes => {
                    return Err(XPathError::Type(format!("{name}() takes a node-set")));
                }
                _ => {}
            }
            compiled.push(expr);
        }
        if arguments.is_empty() && signature.least == 0 && signature.most == 1 {
            self.bounds.whole(self.schema, &context.nodes, context.root);
        }
        let gives = match (signature.gives, function) {
            (Gives::Nodes, Function::Current) => Type::Nodes(self.current.clone()),
            (Gives::Nodes, Function::Deref) => Type::Nodes(self.targets(&first)?),
            (Gives::Nodes, _) => Type::Nodes(Nodes::default()),
            (Gives::Boolean, _) => Type::Boolean,
            (Gives::Number, _) => Type::Number,
            (Gives::Text, _) => Type::Text,
        };
        Ok((Expr::Call(function, compiled.into()), gives))
    }

    /// What deref() can lead to from these leafs.
    fn targets(&mut self, leafs: &Nodes) -> Result<Nodes, XPathError> {
        let mut targets = Nodes::default();
        for &leaf in &leafs.nodes {
            let node = self.schema.node(leaf);
            let Some(leaf_type) = &node.leaf_type else { continue };
            if leaf_type.may_be_instance() {
                targets.nodes.extend(self.schema.nodes().filter(|node| node.is_data()).map(|node| node.id));
                self.bounds.everything();
            }
            let Some((text, prefixes)) = self.schema.context().leafref(self.schema.pointer(leaf)) else { continue };
            let mut namespaces = Namespaces::of_module(self.schema, node.module);
            for (prefix, module) in &prefixes {
                let known = self.schema.module_by_name(module);
                let module = known.ok_or_else(|| XPathError::Name(format!("there is no module {module}")))?;
                namespaces = match prefix {
                    Some(prefix) => namespaces.with(prefix, module),
                    None => namespaces.with_default(module),
                };
            }
            // A leafref's path calls nothing but current(), so this ends.
            let ast = parse::parse(&text)?;
            let own = Nodes::one(Some(leaf));
            let mut inner = Compiler {
                schema: self.schema,
                namespaces: &namespaces,
                current: own.clone(),
                bounds: std::mem::take(&mut self.bounds),
                leafrefs: std::mem::take(&mut self.leafrefs),
            };
            let compiled = inner.expr(&ast, &own);
            (self.bounds, self.leafrefs) = (inner.bounds, inner.leafrefs);
            if let (expr, Type::Nodes(nodes)) = compiled? {
                self.bounds.whole(self.schema, &nodes.nodes, nodes.root);
                targets.add(&nodes);
                if !self.leafrefs.iter().any(|(known, _)| *known == leaf) {
                    self.leafrefs.push((leaf, expr));
                }
            }
        }
        targets.add(&Nodes::default());
        Ok(targets)
    }

    fn literal(&self, text: &str) -> Literal {
        let module = |prefix: &str| self.namespaces.module(prefix).map(|id| self.schema.module(id).name.clone());
        let qualified = if text.starts_with('/') {
            path::map_prefixes(text, |prefix| module(prefix).ok_or(())).ok().map(|full| path::compress(&full))
        } else {
            match text.split_once(':') {
                Some((prefix, name)) => module(prefix).map(|module| format!("{module}:{name}")),
                None => self.namespaces.default.map(|id| format!("{}:{text}", self.schema.module(id).name)),
            }
        };
        Literal { text: text.to_owned(), qualified }
    }

    fn path(&mut self, path: &AstPath<'_>, context: &Nodes) -> Result<(Path, Nodes), XPathError> {
        let (start, mut nodes) = match &path.start {
            AstStart::Context => (Start::Context, context.clone()),
            AstStart::Root => (Start::Root, Nodes::one(None)),
            AstStart::Filter(primary, predicates) => {
                let (expr, Type::Nodes(nodes)) = self.expr(primary, context)? else {
                    return Err(XPathError::Type("only a node-set has steps and predicates".into()));
                };
                let predicates = self.predicates(predicates, &nodes)?;
                let is_current = matches!(expr, Expr::Call(Function::Current, _)) && predicates.is_empty();
                let start = if is_current { Start::Current } else { Start::Filter(Box::new(expr), predicates) };
                (start, nodes)
            }
        };
        let mut steps = Vec::with_capacity(path.steps.len());
        let mut rest = path.steps.iter().peekable();
        while let Some(ast) = rest.next() {
            let mut axis = ast.axis;
            let mut step = ast;
            // `//name` searches below for names, unless a position counts within each parent.
            if is_any_below(ast)
                && let Some(next) = rest.peek()
                && next.axis == Axis::Child
                && !next.predicates.iter().any(is_positional)
            {
                axis = Axis::Descendant;
                step = next;
                rest.next();
            }
            let (compiled, reached) = self.step(step, axis, &nodes, rest.peek().map(|next| next.axis))?;
            steps.push(compiled);
            nodes = reached;
        }
        Ok((Path { start, steps: steps.into() }, nodes))
    }

    fn step(
        &mut self,
        ast: &AstStep<'_>,
        axis: Axis,
        from: &Nodes,
        next: Option<Axis>,
    ) -> Result<(Step, Nodes), XPathError> {
        let module = |prefix: &str| {
            let known = self.namespaces.module(prefix);
            known.ok_or_else(|| XPathError::Name(format!("prefix \"{prefix}\" is bound to no known module")))
        };
        let wanted = match ast.test {
            AstTest::Name(Some(prefix), _) | AstTest::Wildcard(Some(prefix)) => Some(module(prefix)?),
            AstTest::Name(None, _) => self.namespaces.default,
            _ => None,
        };
        let mut reached = from.along(self.schema, axis);
        match ast.test {
            AstTest::Name(_, name) => reached.nodes.retain(|&id| {
                let node = self.schema.node(id);
                node.name == name && wanted.is_none_or(|module| node.module == module)
            }),
            AstTest::Wildcard(_) => {
                reached.nodes.retain(|&id| wanted.is_none_or(|module| self.schema.node(id).module == module));
            }
            AstTest::Node => {}
            AstTest::Text | AstTest::None => reached.nodes.clear(),
        }
        let is_node = ast.test == AstTest::Node;
        reached.root &= is_node;
        reached.text &= is_node || ast.test == AstTest::Text;
        self.bounds.reach(&reached.nodes);
        let test = match ast.test {
            AstTest::Name(..) if reached.nodes.is_empty() => Test::Nothing,
            AstTest::Name(..) => Test::Named(Named::new(self.schema, reached.nodes.clone())),
            AstTest::Wildcard(Some(_)) => wanted.map_or(Test::Nothing, Test::Module),
            AstTest::Wildcard(None) => Test::Element,
            // A text node has nothing below it or beside it.
            AstTest::Node => Test::Node {
                text: !matches!(
                    next,
                    Some(Axis::Child | Axis::Descendant | Axis::FollowingSibling | Axis::PrecedingSibling)
                ),
            },
            AstTest::Text => Test::Text,
            AstTest::None => Test::Nothing,
        };
        let keys = self.keys(&ast.predicates, axis, &reached)?;
        if let [list] = reached.nodes.as_slice()
            && matches!(axis, Axis::Child | Axis::Descendant)
        {
            self.bounds.entries(*list, keys.as_ref().and_then(|keys| self.fixed(keys)));
        } else {
            self.bounds.all_entries(&reached.nodes);
        }
        let predicates = self.predicates(&ast.predicates, &reached)?;
        let uses_last = ast.predicates.iter().any(|predicate| mentions(predicate, "last"));
        Ok((Step { axis, test, keys, predicates, uses_last }, reached))
    }

    fn predicates(&mut self, predicates: &[Ast<'_>], context: &Nodes) -> Result<Box<[StepPredicate]>, XPathError> {
        let mut compiled = Vec::with_capacity(predicates.len());
        for predicate in predicates {
            let (expr, gives) = self.expr(predicate, context)?;
            let position = match (&expr, gives) {
                (Expr::Number(number), _) if *number >= 1.0 && number.fract() == 0.0 && *number < 1e9 => {
                    Position::Only(*number as usize)
                }
                (_, Type::Number) => Position::Computed,
                _ => Position::None,
            };
            compiled.push(StepPredicate { expr, position });
        }
        Ok(compiled.into())
    }
}

fn is_any_below(step: &AstStep<'_>) -> bool {
    step.axis == Axis::DescendantOrSelf && step.test == AstTest::Node && step.predicates.is_empty()
}
