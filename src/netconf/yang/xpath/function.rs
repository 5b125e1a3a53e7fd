//! The functions: XPath 1.0's core library (section 4), and YANG 1.1's (RFC 7950 section 10).

use std::borrow::Cow;

use super::XPathError;
use super::eval::{Evaluation, Focus};
use super::expr::Expr;
use super::nodes::{At, Item};
use super::value::{BYTES_OF_WORK, Outcome};
use crate::yang::ffi::RawBase;
use crate::yang::path::{InstancePath, Predicate};
use crate::yang::schema::NodeKind;
use crate::yang::tree::{Key, split_path};
use crate::yang::value::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Last,
    Position,
    Count,
    Id,
    LocalName,
    NamespaceUri,
    Name,
    String,
    Concat,
    StartsWith,
    Contains,
    SubstringBefore,
    SubstringAfter,
    Substring,
    StringLength,
    NormalizeSpace,
    Translate,
    Boolean,
    Not,
    True,
    False,
    Lang,
    Number,
    Sum,
    Floor,
    Ceiling,
    Round,
    Current,
    ReMatch,
    Deref,
    DerivedFrom,
    DerivedFromOrSelf,
    EnumValue,
    BitIsSet,
}

/// What a function gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gives {
    Nodes,
    Boolean,
    Number,
    Text,
}

/// How a function is called.
pub(super) struct Signature {
    name: &'static str,
    pub function: Function,
    pub least: usize,
    pub most: usize,
    pub gives: Gives,
    /// The first argument must be a node-set.
    pub of_nodes: bool,
}

impl Function {
    pub fn by_name(name: &str) -> Option<&'static Signature> {
        SIGNATURES.iter().find(|signature| signature.name == name)
    }
}

const fn signature(
    name: &'static str,
    function: Function,
    least: usize,
    most: usize,
    gives: Gives,
    of_nodes: bool,
) -> Signature {
    Signature { name, function, least, most, gives, of_nodes }
}

const SIGNATURES: [Signature; 34] = [
    signature("last", Function::Last, 0, 0, Gives::Number, false),
    signature("position", Function::Position, 0, 0, Gives::Number, false),
    signature("count", Function::Count, 1, 1, Gives::Number, true),
    signature("id", Function::Id, 1, 1, Gives::Nodes, false),
    signature("local-name", Function::LocalName, 0, 1, Gives::Text, true),
    signature("namespace-uri", Function::NamespaceUri, 0, 1, Gives::Text, true),
    signature("name", Function::Name, 0, 1, Gives::Text, true),
    signature("string", Function::String, 0, 1, Gives::Text, false),
    signature("concat", Function::Concat, 2, usize::MAX, Gives::Text, false),
    signature("starts-with", Function::StartsWith, 2, 2, Gives::Boolean, false),
    signature("contains", Function::Contains, 2, 2, Gives::Boolean, false),
    signature("substring-before", Function::SubstringBefore, 2, 2, Gives::Text, false),
    signature("substring-after", Function::SubstringAfter, 2, 2, Gives::Text, false),
    signature("substring", Function::Substring, 2, 3, Gives::Text, false),
    signature("string-length", Function::StringLength, 0, 1, Gives::Number, false),
    signature("normalize-space", Function::NormalizeSpace, 0, 1, Gives::Text, false),
    signature("translate", Function::Translate, 3, 3, Gives::Text, false),
    signature("boolean", Function::Boolean, 1, 1, Gives::Boolean, false),
    signature("not", Function::Not, 1, 1, Gives::Boolean, false),
    signature("true", Function::True, 0, 0, Gives::Boolean, false),
    signature("false", Function::False, 0, 0, Gives::Boolean, false),
    signature("lang", Function::Lang, 1, 1, Gives::Boolean, false),
    signature("number", Function::Number, 0, 1, Gives::Number, false),
    signature("sum", Function::Sum, 1, 1, Gives::Number, true),
    signature("floor", Function::Floor, 1, 1, Gives::Number, false),
    signature("ceiling", Function::Ceiling, 1, 1, Gives::Number, false),
    signature("round", Function::Round, 1, 1, Gives::Number, false),
    signature("current", Function::Current, 0, 0, Gives::Nodes, false),
    signature("re-match", Function::ReMatch, 2, 2, Gives::Boolean, false),
    signature("deref", Function::Deref, 1, 1, Gives::Nodes, true),
    signature("derived-from", Function::DerivedFrom, 2, 2, Gives::Boolean, true),
    signature("derived-from-or-self", Function::DerivedFromOrSelf, 2, 2, Gives::Boolean, true),
    signature("enum-value", Function::EnumValue, 1, 1, Gives::Number, true),
    signature("bit-is-set", Function::BitIsSet, 2, 2, Gives::Boolean, true),
];

impl<'e> Evaluation<'e> {
    pub fn call(&mut self, function: Function, arguments: &'e [Expr], focus: Focus) -> Result<Outcome<'e>, XPathError> {
        self.spend(1)?;
        let text = |text: Cow<'e, str>| Ok(Outcome::Text(text));
        let number = |number: f64| Ok(Outcome::Number(number));
        let boolean = |flag: bool| Ok(Outcome::Boolean(flag));
        match function {
            Function::Last => number(focus.size as f64),
            Function::Position => number(focus.position as f64),
            Function::Count => number(self.count(&arguments[0], focus)? as f64),
            // No leaf is declared to be an ID.
            Function::Id => Ok(Outcome::Nodes(self.spare())),
            Function::LocalName | Function::NamespaceUri | Function::Name => {
                let first = self.first(arguments.first(), focus)?;
                text(first.map_or(Cow::Borrowed(""), |at| self.name(function, at)))
            }
            Function::String => text(self.text_argument(arguments.first(), focus)?),
            Function::Concat => {
                let mut whole = String::new();
                for argument in arguments {
                    let part = self.text_of(argument, focus)?;
                    self.spend(part.len() / BYTES_OF_WORK)?;
                    whole.push_str(&part);
                }
                text(Cow::Owned(whole))
            }
            Function::StartsWith => {
                let (whole, part) = self.two_texts(arguments, focus)?;
                boolean(whole.starts_with(&*part))
            }
            Function::Contains => {
                let (whole, part) = self.two_texts(arguments, focus)?;
                boolean(whole.contains(&*part))
            }
            Function::SubstringBefore => {
                let (whole, part) = self.two_texts(arguments, focus)?;
                text(Cow::Owned(whole.split_once(&*part).map_or("", |(before, _)| before).to_owned()))
            }
            Function::SubstringAfter => {
                let (whole, part) = self.two_texts(arguments, focus)?;
                text(Cow::Owned(whole.split_once(&*part).map_or("", |(_, after)| after).to_owned()))
            }
            Function::Substring => {
                let whole = self.text_of(&arguments[0], focus)?;
                let start = round(self.number_of(&arguments[1], focus)?);
                let end = match arguments.get(2) {
                    Some(length) => start + round(self.number_of(length, focus)?),
                    None => f64::INFINITY,
                };
                // Section 4.2: positions from 1, and no position passes a comparison with NaN.
                let within = |n: usize| (n + 1) as f64 >= start && ((n + 1) as f64) < end;
                text(Cow::Owned(whole.chars().enumerate().filter(|(n, _)| within(*n)).map(|(_, c)| c).collect()))
            }
            Function::StringLength => number(self.text_argument(arguments.first(), focus)?.chars().count() as f64),
            Function::NormalizeSpace => {
                let whole = self.text_argument(arguments.first(), focus)?;
                let words: Vec<&str> = whole.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()).collect();
                text(Cow::Owned(words.join(" ")))
            }
            Function::Translate => {
                let whole = self.text_of(&arguments[0], focus)?;
                let from: Vec<char> = self.text_of(&arguments[1], focus)?.chars().collect();
                let to: Vec<char> = self.text_of(&arguments[2], focus)?.chars().collect();
                self.spend(whole.len() * (1 + from.len()) / BYTES_OF_WORK)?;
                let translated = |c: char| match from.iter().position(|f| *f == c) {
                    Some(n) => to.get(n).copied(),
                    None => Some(c),
                };
                text(Cow::Owned(whole.chars().filter_map(translated).collect()))
            }
            Function::Boolean => boolean(self.truth(&arguments[0], focus)?),
            Function::Not => boolean(!self.truth(&arguments[0], focus)?),
            Function::True => boolean(true),
            // Data carries no xml:lang.
            Function::False | Function::Lang => boolean(false),
            Function::Number => match arguments.first() {
                Some(argument) => number(self.number_of(argument, focus)?),
                None => number(self.number_at(focus.at)?),
            },
            Function::Sum => number(self.with_nodes(&arguments[0], focus, |evaluation, nodes| {
                nodes.iter().try_fold(0.0, |sum, &at| Ok(sum + evaluation.number_at(at)?))
            })?),
            Function::Floor => number(self.number_of(&arguments[0], focus)?.floor()),
            Function::Ceiling => number(self.number_of(&arguments[0], focus)?.ceil()),
            Function::Round => number(round(self.number_of(&arguments[0], focus)?)),
            Function::Current => {
                let mut nodes = self.spare();
                nodes.push(self.current);
                Ok(Outcome::Nodes(nodes))
            }
            Function::ReMatch => {
                let (whole, pattern) = self.two_texts(arguments, focus)?;
                // A match may have to look at the text many times over.
                self.spend(1 + whole.len())?;
                let matches = self.schema.context().pattern_matches(&pattern, &whole);
                boolean(matches.map_err(|fault| XPathError::Value(format!("re-match(): {}", fault.message)))?)
            }
            Function::Deref => {
                let mut found = self.spare();
                if let Some(at) = self.first(arguments.first(), focus)? {
                    self.dereference(at, &mut found)?;
                }
                Ok(Outcome::Nodes(found))
            }
            Function::DerivedFrom | Function::DerivedFromOrSelf => {
                let base = match &arguments[1] {
                    Expr::Literal(literal) => Cow::Borrowed(literal.identity()),
                    other => self.text_of(other, focus)?,
                };
                let or_self = function == Function::DerivedFromOrSelf;
                boolean(self.with_nodes(&arguments[0], focus, |evaluation, nodes| {
                    nodes.iter().try_fold(false, |any, &at| Ok(any || evaluation.is_derived(at, &base, or_self)?))
                })?)
            }
            Function::EnumValue => {
                let value = match self.first(arguments.first(), focus)?.map(|at| self.get(at)) {
                    Some(visited) => match (visited.node, visited.item) {
                        (Some(node), Item::Value(value)) => {
                            self.schema.context().enum_value(self.schema.pointer(node), &value.text())
                        }
                        _ => None,
                    },
                    None => None,
                };
                number(value.map_or(f64::NAN, f64::from))
            }
            Function::BitIsSet => {
                let bit = self.text_of(&arguments[1], focus)?;
                let first = self.first(arguments.first(), focus)?.map(|at| self.get(at));
                boolean(first.is_some_and(|visited| match (visited.node, visited.item) {
                    (Some(node), Item::Value(Value::Text(bits))) => {
                        self.has_base(node, RawBase::Bits) && bits.split(' ').any(|set| set == bit)
                    }
                    _ => false,
                }))
            }
        }
    }

    /// How many nodes an argument has. Those of a list are not gone through where nothing is asked of them.
    fn count(&mut self, argument: &'e Expr, focus: Focus) -> Result<usize, XPathError> {
        let Expr::Path(path) = argument else {
            return self.with_nodes(argument, focus, |_, nodes| Ok(nodes.len()));
        };
        let Some((last, _)) = path.steps.split_last() else {
            return self.with_nodes(argument, focus, |_, nodes| Ok(nodes.len()));
        };
        let mark = self.mark();
        let parents = self.path_nodes_before(path, focus)?;
        let mut count = 0;
        for &parent in &parents {
            count += match self.count_children(parent, last) {
                Some(children) => children,
                None => {
                    // It may have to leave out what was met below another parent.
                    let nodes = self.step(last, &parents, false)?;
                    count = nodes.len();
                    self.give_back(nodes);
                    break;
                }
            };
        }
        self.give_back(parents);
        self.release(mark);
        Ok(count)
    }

    fn with_nodes<R>(
        &mut self,
        argument: &'e Expr,
        focus: Focus,
        with: impl FnOnce(&mut Self, &[At]) -> Result<R, XPathError>,
    ) -> Result<R, XPathError> {
        let mark = self.mark();
        let nodes = self.nodes(argument, focus)?;
        let result = with(self, &nodes)?;
        self.give_back(nodes);
        self.release(mark);
        Ok(result)
    }

    /// The first node of an argument, the context node where there is none.
    fn first(&mut self, argument: Option<&'e Expr>, focus: Focus) -> Result<Option<At>, XPathError> {
        let Some(argument) = argument else { return Ok(Some(focus.at)) };
        let nodes = self.nodes(argument, focus)?;
        let first = nodes.first().copied();
        self.give_back(nodes);
        Ok(first)
    }

    fn text_argument(&mut self, argument: Option<&'e Expr>, focus: Focus) -> Result<Cow<'e, str>, XPathError> {
        match argument {
            Some(argument) => self.text_of(argument, focus),
            None => self.text_at(focus.at),
        }
    }

    fn two_texts(&mut self, arguments: &'e [Expr], focus: Focus) -> Result<(Cow<'e, str>, Cow<'e, str>), XPathError> {
        let whole = self.text_of(&arguments[0], focus)?;
        let part = self.text_of(&arguments[1], focus)?;
        self.spend((whole.len() + part.len()) / BYTES_OF_WORK)?;
        Ok((whole, part))
    }

    fn name(&self, function: Function, at: At) -> Cow<'e, str> {
        let visited = self.get(at);
        let (Some(node), false) = (visited.node, matches!(visited.item, Item::Text(_))) else {
            return Cow::Borrowed("");
        };
        let (module, node) = (self.schema.module_of(node), self.schema.node(node));
        match function {
            Function::NamespaceUri => Cow::Borrowed(&module.namespace),
            Function::LocalName => Cow::Borrowed(node.name.as_str()),
            // The prefix is for the implementation to choose (section 4.1).
            _ => Cow::Owned(format!("{}:{}", module.name, node.name)),
        }
    }

    fn has_base(&self, node: crate::yang::NodeId, base: RawBase) -> bool {
        fn has(leaf_type: &crate::yang::ffi::RawType, base: RawBase) -> bool {
            leaf_type.base == base || leaf_type.members.iter().any(|member| has(member, base))
        }
        self.schema.node(node).leaf_type.as_ref().is_some_and(|leaf_type| has(leaf_type.resolved(), base))
    }

    fn is_derived(&mut self, at: At, base: &str, or_self: bool) -> Result<bool, XPathError> {
        let visited = self.get(at);
        let (Some(node), Item::Value(Value::Qualified(identity))) = (visited.node, visited.item) else {
            return Ok(false);
        };
        self.spend(8)?;
        let split = |text: &'_ str| -> (String, String) {
            match text.split_once(':') {
                Some((module, name)) => (module.into(), name.into()),
                None => (self.schema.module_of(node).name.clone(), text.into()),
            }
        };
        let (identity, base) = (split(identity), split(base));
        if identity == base {
            return Ok(or_self);
        }
        Ok(self.schema.context().is_derived((&base.0, &base.1), (&identity.0, &identity.1)))
    }

    /// What a leafref or instance-identifier refers to (RFC 7950 section 10.3.1).
    fn dereference(&mut self, at: At, found: &mut Vec<At>) -> Result<(), XPathError> {
        let visited = self.get(at);
        let (Some(node), Item::Value(value)) = (visited.node, visited.item) else { return Ok(()) };
        if let Value::Qualified(text) = value
            && text.starts_with('/')
        {
            if let Some(path) = self.instance(text) {
                let target = self.visit_path(&path)?;
                found.extend(target.filter(|&target| !matches!(self.get(target).item, Item::Nothing)));
            }
            return Ok(());
        }
        let xpath = self.xpath;
        let Some((_, path)) = xpath.leafrefs.iter().find(|(leaf, _)| *leaf == node) else { return Ok(()) };
        // Inside the path current() is the leaf.
        let outer = std::mem::replace(&mut self.current, at);
        let targets = self.nodes(path, Focus { at, position: 1, size: 1 });
        self.current = outer;
        let targets = targets?;
        let wanted = value.text();
        for &target in &targets {
            if self.text_at(target)? == wanted {
                found.push(target);
            }
        }
        self.give_back(targets);
        Ok(())
    }

    /// The path that an instance-identifier in canonical form names; None where the schema does not have it.
    fn instance(&self, text: &str) -> Option<InstancePath> {
        let mut path = InstancePath::default();
        let mut module = None;
        for (name, predicates) in split_path(text)? {
            let local = match name.split_once(':') {
                Some((prefix, local)) => {
                    module = Some(self.schema.module_by_name(prefix)?);
                    local
                }
                None => name,
            };
            let id = self.schema.child(path.last().map(|step| step.node), module?, local)?;
            let node = self.schema.node(id);
            let predicate = match (node.kind, predicates.as_slice()) {
                (_, []) => Predicate::None,
                (NodeKind::LeafList, [(_, value)]) => Predicate::Value(self.schema.value_json(id, value).ok()?),
                _ => {
                    let value = |key: &crate::yang::NodeId| {
                        let name = self.schema.node(*key).name.as_str();
                        let (_, text) = predicates.iter().find(|(key, _)| *key == name)?;
                        self.schema.value_json(*key, text).ok()
                    };
                    Predicate::Key(Key::new(node.keys.iter().map(value).collect::<Option<Vec<_>>>()?))
                }
            };
            path.push(id, predicate);
        }
        Some(path)
    }
}

/// The nearest integer, of two the greater (section 4.4).
fn round(number: f64) -> f64 {
    let below = number.floor();
    if number - below >= 0.5 { below + 1.0 } else { below }
}
