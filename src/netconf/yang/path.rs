//! Paths to instances: building them, and the two ways to write them, module names (RFC 7951 section 6.11) and XML prefixes.

use std::fmt::Write;

use super::access::Instance;
use super::schema::{NodeId, Schema};
use super::tree::Key;
use super::value::Value;
use crate::error::ErrorPath;

/// The path of one instance in a tree: each step a schema node, with the key of a list entry, the value of a leaf-list
/// entry, or the position (from 1) in a keyless list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct InstancePath {
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    pub node: NodeId,
    pub predicate: Predicate,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Predicate {
    None,
    Key(Key),
    Value(Value),
    Position(usize),
}

impl Predicate {
    /// As a reader's rights ask for it.
    pub fn instance(&self) -> Instance<'_> {
        match self {
            Predicate::None => Instance::Only,
            Predicate::Key(key) => Instance::Entry(key),
            Predicate::Value(value) => Instance::Value(value),
            Predicate::Position(position) => Instance::Position(*position),
        }
    }
}

impl InstancePath {
    pub fn push(&mut self, node: NodeId, predicate: Predicate) {
        self.steps.push(Step { node, predicate });
    }

    pub fn pop(&mut self) {
        self.steps.pop();
    }

    pub fn child(&self, node: NodeId, predicate: Predicate) -> InstancePath {
        let mut path = self.clone();
        path.push(node, predicate);
        path
    }

    pub fn last(&self) -> Option<&Step> {
        self.steps.last()
    }

    /// With module names, one where it differs from the parent's: `/m:list[key='v']/leaf`.
    pub fn to_json_form(&self, schema: &Schema) -> String {
        self.write(schema, false)
    }

    /// With a prefix on every name: `/m:list[m:key='v']/m:leaf`.
    pub fn to_full_form(&self, schema: &Schema) -> String {
        self.write(schema, true)
    }

    /// For `<error-path>`: module names are the prefixes, bound to the modules' namespaces.
    pub fn to_error_path(&self, schema: &Schema) -> ErrorPath {
        let text = self.to_full_form(schema);
        let mut namespaces: Vec<(String, String)> = Vec::new();
        for step in &self.steps {
            let module = schema.module_of(step.node);
            if !namespaces.iter().any(|(name, _)| *name == module.name) {
                namespaces.push((module.name.clone(), module.namespace.clone()));
            }
            if let Predicate::Key(key) = &step.predicate {
                for value in key.values() {
                    for module in modules_in(schema, value) {
                        if !namespaces.iter().any(|(name, _)| *name == module.0) {
                            namespaces.push(module);
                        }
                    }
                }
            }
        }
        ErrorPath { text, namespaces }
    }

    fn write(&self, schema: &Schema, full: bool) -> String {
        let mut out = String::new();
        let mut inherited = None;
        for step in &self.steps {
            let node = schema.node(step.node);
            let module = &schema.module(node.module).name;
            out.push('/');
            if full || inherited != Some(node.module) {
                out.push_str(module);
                out.push(':');
            }
            out.push_str(&node.name);
            inherited = Some(node.module);
            match &step.predicate {
                Predicate::None => {}
                Predicate::Key(key) => {
                    for (key_node, value) in node.keys.iter().zip(key.values()) {
                        let prefix = if full { format!("{module}:") } else { String::new() };
                        let _ = write!(out, "[{prefix}{}={}]", schema.node(*key_node).name, quoted(&value.text()));
                    }
                }
                Predicate::Value(value) => {
                    let _ = write!(out, "[.={}]", quoted(&value.text()));
                }
                Predicate::Position(position) => {
                    let _ = write!(out, "[{position}]");
                }
            }
        }
        if out.is_empty() {
            out.push('/');
        }
        out
    }
}

/// The modules whose names a qualified value uses, with their namespaces.
pub fn modules_in(schema: &Schema, value: &Value) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    if let Value::Qualified(text) = value {
        let _ = map_prefixes(text, |prefix| {
            if let Some(id) = schema.module_by_name(prefix)
                && !found.iter().any(|(name, _)| name == prefix)
            {
                found.push((prefix.to_owned(), schema.module(id).namespace.clone()));
            }
            Ok::<_, std::convert::Infallible>(prefix.to_owned())
        });
    }
    found
}

/// Quotes for a predicate; a value with both kinds of quotes is not expressible in XPath 1.0 and keeps the outer ones.
fn quoted(text: &str) -> String {
    if text.contains('\'') { format!("\"{text}\"") } else { format!("'{text}'") }
}

/// Replaces each `prefix:` of a name outside quotes by what `map` gives.
pub fn map_prefixes<E>(text: &str, mut map: impl FnMut(&str) -> Result<String, E>) -> Result<String, E> {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut quote: Option<char> = None;
    while let Some(c) = rest.chars().next() {
        if let Some(open) = quote {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            if c == open {
                quote = None;
            }
            continue;
        }
        if c == '\'' || c == '"' {
            quote = Some(c);
        }
        if !is_name_start(c) {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let length = name_length(rest);
        let (name, after) = rest.split_at(length);
        // `axis::` is no prefix.
        if after.starts_with(':') && !after.starts_with("::") {
            out.push_str(&map(name)?);
            out.push(':');
            rest = &after[1..];
            let local = name_length(rest);
            out.push_str(&rest[..local]);
            rest = &rest[local..];
        } else {
            out.push_str(name);
            rest = after;
        }
    }
    Ok(out)
}

/// Drops each prefix that repeats the module of the step before, as JSON's instance-identifiers have it.
pub fn compress(full: &str) -> String {
    rewrite(full, |prefix, inherited| prefix.filter(|p| *p != inherited))
}

/// Puts a prefix on every name of an instance-identifier in JSON's form.
pub fn expand(compressed: &str) -> String {
    rewrite(compressed, |prefix, inherited| prefix.or(Some(inherited).filter(|p| !p.is_empty())))
}

/// Gives each name the prefix that `show` makes of its own and the one it inherits from the step before.
fn rewrite(text: &str, show: impl for<'p> Fn(Option<&'p str>, &'p str) -> Option<&'p str>) -> String {
    let mut inherited = "";
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0;
    each_name(text, |piece| match piece {
        Piece::Name { prefix, name } => {
            if let Some(prefix) = show(prefix, inherited) {
                out.push_str(prefix);
                out.push(':');
            }
            out.push_str(name);
            // The names inside predicates inherit, and leave nothing to inherit.
            if depth == 0 {
                inherited = prefix.unwrap_or(inherited);
            }
        }
        Piece::Other(text) => {
            depth += text.matches('[').count();
            depth = depth.saturating_sub(text.matches(']').count());
            out.push_str(text);
        }
        Piece::Quoted(text) => out.push_str(text),
    });
    out
}

enum Piece<'t> {
    Name { prefix: Option<&'t str>, name: &'t str },
    Other(&'t str),
    Quoted(&'t str),
}

/// Cuts a path into names, quoted strings and the rest. `$VARIABLE` counts as rest.
fn each_name<'t>(text: &'t str, mut each: impl FnMut(Piece<'t>)) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '\'' || c == '"' {
            let end = rest[1..].find(c).map_or(rest.len(), |i| i + 2);
            each(Piece::Quoted(&rest[..end]));
            rest = &rest[end..];
        } else if is_name_start(c) {
            let length = name_length(rest);
            let (first, after) = rest.split_at(length);
            if let Some(local) = after.strip_prefix(':') {
                let length = name_length(local);
                each(Piece::Name { prefix: Some(first), name: &local[..length] });
                rest = &local[length..];
            } else {
                each(Piece::Name { prefix: None, name: first });
                rest = after;
            }
        } else {
            let mut end = c.len_utf8();
            if c == '$' {
                end += name_length(&rest[1..]);
            }
            each(Piece::Other(&rest[..end]));
            rest = &rest[end..];
        }
    }
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn name_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))).unwrap_or(text.len())
}

#[cfg(test)]
mod tests;
