//! What expressions evaluate to, and how the four types turn into one another (XPath 1.0 sections 3.4 and 4).

use std::borrow::Cow;
use std::collections::HashSet;

use super::XPathError;
use super::eval::Evaluation;
use super::expr::Literal;
use super::nodes::{At, Item};
use super::parse::Operator;
use crate::xml::{Document, Element, Limits};
use crate::yang::path;
use crate::yang::schema::NodeId;
use crate::yang::value::Value;

#[derive(Debug)]
pub(super) enum Outcome<'e> {
    Nodes(Vec<At>),
    Boolean(bool),
    Number(f64),
    Text(Cow<'e, str>),
}

/// The number that a text stands for (section 4.4): digits around at most one point, with a minus before; else NaN.
pub(super) fn number_of(text: &str) -> f64 {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') && digits.bytes().any(|b| b.is_ascii_digit());
    if plain { text.parse().unwrap_or(f64::NAN) } else { f64::NAN }
}

/// A number as text (section 4.2): no exponent, no point where there is no fraction.
pub(super) fn text_of(number: f64) -> String {
    if number.is_nan() {
        "NaN".into()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity".into() } else { "-Infinity".into() }
    } else if number == 0.0 {
        "0".into()
    } else {
        number.to_string()
    }
}

impl<'e> Evaluation<'e> {
    pub fn boolean(&self, outcome: &Outcome<'e>) -> bool {
        match outcome {
            Outcome::Nodes(nodes) => !nodes.is_empty(),
            Outcome::Boolean(flag) => *flag,
            Outcome::Number(number) => *number != 0.0 && !number.is_nan(),
            Outcome::Text(text) => !text.is_empty(),
        }
    }

    pub fn number(&mut self, outcome: &Outcome<'e>) -> Result<f64, XPathError> {
        Ok(match outcome {
            Outcome::Nodes(nodes) => match nodes.first() {
                Some(&first) => self.number_at(first)?,
                None => f64::NAN,
            },
            Outcome::Boolean(flag) => f64::from(u8::from(*flag)),
            Outcome::Number(number) => *number,
            Outcome::Text(text) => number_of(text),
        })
    }

    pub fn text(&mut self, outcome: Outcome<'e>) -> Result<Cow<'e, str>, XPathError> {
        Ok(match outcome {
            Outcome::Nodes(nodes) => match nodes.first() {
                Some(&first) => self.text_at(first)?,
                None => Cow::Borrowed(""),
            },
            Outcome::Boolean(true) => Cow::Borrowed("true"),
            Outcome::Boolean(false) => Cow::Borrowed("false"),
            Outcome::Number(number) => Cow::Owned(text_of(number)),
            Outcome::Text(text) => text,
        })
    }

    /// The string-value of a node (section 5): a leaf's canonical value, what is inside anything else one after another.
    pub fn text_at(&mut self, at: At) -> Result<Cow<'e, str>, XPathError> {
        match self.get(at).item {
            Item::Value(value) | Item::Text(value) => {
                let text = value.text();
                self.spend(1 + text.len() / BYTES_OF_WORK)?;
                Ok(text)
            }
            Item::Nothing => Ok(Cow::Borrowed("")),
            Item::Any(_) | Item::Inside(_) => {
                let mut text = String::new();
                self.append_text(at, &mut text)?;
                Ok(Cow::Owned(text))
            }
        }
    }

    pub fn number_at(&mut self, at: At) -> Result<f64, XPathError> {
        Ok(match self.get(at).item {
            Item::Value(Value::Int(number)) => *number as f64,
            Item::Value(Value::Uint(number)) => *number as f64,
            _ => number_of(&self.text_at(at)?),
        })
    }

    fn append_text(&mut self, at: At, text: &mut String) -> Result<(), XPathError> {
        match self.get(at).item {
            Item::Value(value) | Item::Text(value) => {
                let value = value.text();
                self.spend(1 + value.len() / BYTES_OF_WORK)?;
                text.push_str(&value);
            }
            Item::Any(xml) => {
                self.spend(1 + xml.len() / BYTES_OF_WORK)?;
                let whole = format!("<any>{xml}</any>");
                let document = Document::parse(&whole, &Limits::default());
                let document = document.map_err(|error| XPathError::Value(format!("anydata: {error}")))?;
                append_character_data(document.root(), text);
            }
            Item::Nothing => {}
            Item::Inside(_) => {
                let mark = self.mark();
                let children = self.children(at)?;
                for &child in &children {
                    self.append_text(child, text)?;
                }
                self.give_back(children);
                self.release(mark);
            }
        }
        Ok(())
    }

    /// Whether two outcomes compare that way (section 3.4): node-sets do where one of their nodes does.
    pub fn compares(
        &mut self,
        operator: Operator,
        left: &Outcome<'e>,
        right: &Outcome<'e>,
    ) -> Result<bool, XPathError> {
        let equality = matches!(operator, Operator::Equal | Operator::NotEqual);
        match (left, right) {
            (Outcome::Nodes(_), Outcome::Boolean(_)) | (Outcome::Boolean(_), Outcome::Nodes(_)) => {
                let (left, right) = (self.boolean(left), self.boolean(right));
                Ok(if equality {
                    (left == right) == (operator == Operator::Equal)
                } else {
                    numbers_compare(operator, f64::from(u8::from(left)), f64::from(u8::from(right)))
                })
            }
            (Outcome::Nodes(a), Outcome::Nodes(b)) if equality => self.sets_compare(operator, a, b),
            (Outcome::Nodes(a), Outcome::Nodes(b)) => {
                let (mut left, mut right) = (Vec::new(), Vec::new());
                for (nodes, numbers) in [(a, &mut left), (b, &mut right)] {
                    for &at in nodes {
                        let number = self.number_at(at)?;
                        if !number.is_nan() {
                            numbers.push(number);
                        }
                    }
                }
                // Of all pairs, the most favourable one.
                let least = |numbers: &[f64]| numbers.iter().copied().min_by(f64::total_cmp);
                let most = |numbers: &[f64]| numbers.iter().copied().max_by(f64::total_cmp);
                let pair = match operator {
                    Operator::Less | Operator::LessOrEqual => least(&left).zip(most(&right)),
                    _ => most(&left).zip(least(&right)),
                };
                Ok(pair.is_some_and(|(left, right)| numbers_compare(operator, left, right)))
            }
            (Outcome::Nodes(nodes), other) => self.set_compares(operator, nodes, other, false),
            (other, Outcome::Nodes(nodes)) => self.set_compares(operator, nodes, other, true),
            _ if !equality => Ok(numbers_compare(operator, self.number(left)?, self.number(right)?)),
            (Outcome::Boolean(_), _) | (_, Outcome::Boolean(_)) => {
                Ok((self.boolean(left) == self.boolean(right)) == (operator == Operator::Equal))
            }
            (Outcome::Number(_), _) | (_, Outcome::Number(_)) => {
                Ok(numbers_compare(operator, self.number(left)?, self.number(right)?))
            }
            (Outcome::Text(left), Outcome::Text(right)) => Ok((left == right) == (operator == Operator::Equal)),
        }
    }

    /// A node-set with a number or text. `swapped`: the set stands on the right.
    fn set_compares(
        &mut self,
        operator: Operator,
        nodes: &[At],
        other: &Outcome<'e>,
        swapped: bool,
    ) -> Result<bool, XPathError> {
        let as_numbers = !matches!(operator, Operator::Equal | Operator::NotEqual);
        if let (Outcome::Text(text), false) = (other, as_numbers) {
            for &at in nodes {
                if (self.text_at(at)? == *text) == (operator == Operator::Equal) {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        let number = self.number(other)?;
        for &at in nodes {
            let of_node = self.number_at(at)?;
            let (left, right) = if swapped { (number, of_node) } else { (of_node, number) };
            if numbers_compare(operator, left, right) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn sets_compare(&mut self, operator: Operator, a: &[At], b: &[At]) -> Result<bool, XPathError> {
        let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
        let mut texts = HashSet::with_capacity(few.len());
        for &at in few {
            texts.insert(self.text_at(at)?);
        }
        for &at in many {
            let text = self.text_at(at)?;
            let equal = texts.contains(&text);
            let holds = match operator {
                Operator::Equal => equal,
                // Some other text is among the few.
                _ => texts.len() > usize::from(equal),
            };
            if holds {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a node of the set has the literal for its value. Names in it may have prefixes of the expression, where
    /// the canonical values have module names.
    pub fn set_has_literal(&mut self, operator: Operator, nodes: &[At], literal: &Literal) -> Result<bool, XPathError> {
        for &at in nodes {
            let visited = self.get(at);
            let equal = match (visited.item, visited.node) {
                (Item::Value(value) | Item::Text(value), Some(node)) => {
                    self.spend(1)?;
                    self.is_literal(node, value, literal)
                }
                _ => self.text_at(at)? == literal.text.as_str(),
            };
            if equal == (operator == Operator::Equal) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_literal(&self, node: NodeId, value: &Value, literal: &Literal) -> bool {
        match value {
            Value::Text(text) => *text == literal.text,
            Value::Qualified(text) => match &literal.qualified {
                // In an instance-identifier a name has its module where it is not the parent's, in an XPath value always.
                Some(qualified) if text.starts_with('/') => path::expand(text) == path::expand(qualified),
                Some(qualified) => text == qualified,
                // An identity without a prefix is of the leaf's own module, as in JSON (RFC 7951 section 6.8).
                None => match text.split_once(':') {
                    Some((module, name)) if !literal.text.contains([':', '/']) => {
                        name == literal.text && module == self.schema.module_of(node).name
                    }
                    _ => *text == literal.text,
                },
            },
            _ => value.text() == literal.text.as_str(),
        }
    }
}

pub(super) fn numbers_compare(operator: Operator, left: f64, right: f64) -> bool {
    match operator {
        Operator::Equal => left == right,
        Operator::NotEqual => left != right,
        Operator::Less => left < right,
        Operator::LessOrEqual => left <= right,
        Operator::Greater => left > right,
        _ => left >= right,
    }
}

/// Text of that length is as much work as a node.
pub(super) const BYTES_OF_WORK: usize = 64;

fn append_character_data(element: Element<'_>, text: &mut String) {
    text.push_str(element.text());
    for child in element.children() {
        append_character_data(child, text);
    }
}
