//! An expression with its names resolved: each step knows the schema nodes that it can meet.

use super::function::{Function, Gives};
use super::parse::{Ast, AstPath, AstStart, AstStep, AstTest, Axis, Operator};
use super::{Bounds, Namespaces, XPath, XPathError, parse};
use crate::yang::ffi::RawBase;
use crate::yang::path;
use crate::yang::schema::{ModuleId, NodeId, NodeKind, Schema};
use crate::yang::tree::Key;

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
    fn new(schema: &Schema, nodes: Vec<NodeId>) -> Named {
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
    let is_node_set = selected.is_some();
    Ok(XPath {
        text: text.to_owned(),
        expr,
        is_node_set,
        leafrefs,
        children: Step {
            axis: Axis::Child,
            test: Test::Element,
            keys: None,
            predicates: Box::default(),
            uses_last: false,
        },
        bounds: bounds.finish(
            schema,
            selected.as_ref().map(|nodes| nodes.nodes.as_slice()),
            selected.as_ref().is_some_and(|n| n.root),
        ),
    })
}

/// The schema nodes whose instances a node-set can hold.
#[derive(Clone, Debug, Default)]
struct Nodes {
    root: bool,
    text: bool,
    /// Sorted, each once.
    nodes: Vec<NodeId>,
}

impl Nodes {
    fn one(node: Option<NodeId>) -> Nodes {
        Nodes { root: node.is_none(), text: false, nodes: node.into_iter().collect() }
    }

    fn add(&mut self, other: &Nodes) {
        self.root |= other.root;
        self.text |= other.text;
        self.nodes.extend_from_slice(&other.nodes);
        self.nodes.sort();
        self.nodes.dedup();
    }
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
            let (compiled, reached) = self.step(step, axis, &nodes, rest.peek().is_some())?;
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
        has_next: bool,
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
        let mut reached = self.along(axis, from);
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
            // Nothing is below a text node.
            AstTest::Node => Test::Node { text: !has_next || axis != Axis::DescendantOrSelf },
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

    /// The values that the predicates before any position ask of all keys of the only list there can be.
    fn keys(&mut self, predicates: &[Ast<'_>], axis: Axis, reached: &Nodes) -> Result<Option<Keys>, XPathError> {
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
    fn fixed(&self, keys: &Keys) -> Option<Key> {
        let values = self.schema.node(keys.list).keys.iter().zip(&keys.values).map(|(&key, expr)| match expr {
            Expr::Literal(literal) => {
                let base = self.schema.node(key).leaf_type.as_ref()?.resolved().base;
                self.schema.value_json(key, literal.key(base)?).ok()
            }
            _ => None,
        });
        values.collect::<Option<Vec<_>>>().map(Key::new)
    }

    /// All nodes that an axis can lead to.
    fn along(&self, axis: Axis, from: &Nodes) -> Nodes {
        let mut reached = Nodes::default();
        let schema = self.schema;
        let parents = from.root.then_some(None).into_iter().chain(from.nodes.iter().copied().map(Some));
        match axis {
            Axis::Itself => return from.clone(),
            Axis::Empty => {}
            Axis::Child => {
                for parent in parents {
                    children(schema, parent, &mut reached);
                }
            }
            Axis::Descendant | Axis::DescendantOrSelf => {
                if axis == Axis::DescendantOrSelf {
                    reached = from.clone();
                }
                reached.text = true;
                if from.root {
                    reached.nodes.extend(schema.nodes().map(|node| node.id));
                }
                for &node in &from.nodes {
                    let below = schema.subtree(node);
                    reached.nodes.extend(schema.nodes().skip(below.start + 1).take(below.len() - 1).map(|n| n.id));
                }
                reached.nodes.retain(|&id| is_instance(schema, id));
            }
            Axis::Parent | Axis::Ancestor | Axis::AncestorOrSelf => {
                if axis == Axis::AncestorOrSelf {
                    reached = from.clone();
                }
                if from.text {
                    reached.nodes.extend_from_slice(&from.nodes);
                }
                for &node in &from.nodes {
                    let mut above = parent(schema, node);
                    while let Some(id) = above {
                        reached.nodes.push(id);
                        above = if axis == Axis::Parent { None } else { parent(schema, id) };
                        reached.root |= axis != Axis::Parent;
                    }
                    reached.root |= parent(schema, node).is_none();
                }
                // The leafs of text nodes were not kept.
                if from.text {
                    reached.nodes.extend(schema.nodes().filter(|node| is_instance(schema, node.id)).map(|n| n.id));
                    reached.root |= axis != Axis::Parent;
                }
            }
            Axis::FollowingSibling | Axis::PrecedingSibling => {
                for &node in &from.nodes {
                    children(schema, parent(schema, node), &mut reached);
                }
                reached.text = false;
            }
            Axis::Following | Axis::Preceding => {
                reached.text = true;
                reached.nodes.extend(schema.nodes().filter(|node| is_instance(schema, node.id)).map(|node| node.id));
            }
        }
        reached.nodes.sort();
        reached.nodes.dedup();
        reached
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

/// The node around one in the data, where input and output are none.
fn parent(schema: &Schema, node: NodeId) -> Option<NodeId> {
    let above = schema.node(node).data_parent?;
    match schema.node(above).kind {
        NodeKind::Input | NodeKind::Output => schema.node(above).data_parent,
        _ => Some(above),
    }
}

fn children(schema: &Schema, parent: Option<NodeId>, found: &mut Nodes) {
    for &id in schema.children(parent) {
        match schema.node(id).kind {
            NodeKind::Input | NodeKind::Output => children(schema, Some(id), found),
            _ => found.nodes.push(id),
        }
    }
    let is_leaf = |id: NodeId| matches!(schema.node(id).kind, NodeKind::Leaf | NodeKind::LeafList);
    found.text |= parent.is_some_and(is_leaf);
}

/// Whether data can have the node: data nodes, and the operations and notifications around some.
fn is_instance(schema: &Schema, id: NodeId) -> bool {
    let node = schema.node(id);
    node.is_data() || matches!(node.kind, NodeKind::Rpc | NodeKind::Action | NodeKind::Notification)
}

fn is_any_below(step: &AstStep<'_>) -> bool {
    step.axis == Axis::DescendantOrSelf && step.test == AstTest::Node && step.predicates.is_empty()
}

/// Whether a predicate depends on where its node stands among the candidates.
fn is_positional(ast: &Ast<'_>) -> bool {
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
fn mentions(ast: &Ast<'_>, function: &str) -> bool {
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
