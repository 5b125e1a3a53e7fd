//! Edits written as `<edit-config>` content: what the journal keeps.

use super::diff::{Change, Edit};
use super::path::{InstancePath, Predicate};
use super::schema::{ModuleId, NodeId, Schema};
use super::tree::{Content, Key, Tree};
use super::value::Value;
use super::write::{WithDefaults, write_subtree};
use crate::xml::{escape_text, write_attribute};

/// Writes edits as a sequence of `<edit>` elements, each a `<config>` to apply by itself with default-operation merge.
/// Applied in order to `old` by [`super::edit::edit`] they give `new`.
pub fn write_edits(schema: &Schema, edits: &[Edit], new: &Tree, out: &mut Vec<u8>) {
    for edit in edits {
        out.extend_from_slice(b"<edit xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\">");
        let mut inherited = None;
        let (last, around) = edit.path.steps.split_last().expect("an edit is of a node");
        for step in around {
            let node = schema.node(step.node);
            open(schema, step.node, inherited, out);
            out.push(b'>');
            inherited = Some(node.module);
            if let Predicate::Key(key) = &step.predicate {
                write_keys(schema, step.node, key, out);
            }
        }
        let node = schema.node(last.node);
        open(schema, last.node, inherited, out);
        let operation = match edit.change {
            Change::Delete => "remove",
            Change::Move => "merge",
            Change::Create | Change::Modify => "replace",
        };
        write_attribute(out, "nc:operation", operation);
        if node.user_ordered && edit.change != Change::Delete {
            write_insert(schema, &edit.path, new, out);
        }
        match (&edit.after, edit.change) {
            (Some(Content::Container(inner)), Change::Create | Change::Modify) => {
                out.push(b'>');
                write_subtree(schema, inner, WithDefaults::Explicit, out);
            }
            (Some(Content::Leaf(value)), _) => {
                write_value_tail(schema, value, out);
            }
            (Some(Content::Any(text)), _) => {
                out.push(b'>');
                out.extend_from_slice(text.as_bytes());
            }
            _ => {
                match (&last.predicate, &edit.before) {
                    (Predicate::Key(key), _) => {
                        out.push(b'>');
                        write_keys(schema, last.node, key, out);
                    }
                    (Predicate::Value(value), _) => write_value_tail(schema, value, out),
                    // Its value does not matter when it goes.
                    _ => out.push(b'>'),
                }
            }
        }
        for step in edit.path.steps.iter().rev() {
            out.extend_from_slice(b"</");
            out.extend_from_slice(schema.node(step.node).name.as_bytes());
            out.push(b'>');
        }
        out.extend_from_slice(b"</edit>");
    }
}

fn open(schema: &Schema, id: NodeId, inherited: Option<ModuleId>, out: &mut Vec<u8>) {
    let node = schema.node(id);
    out.push(b'<');
    out.extend_from_slice(node.name.as_bytes());
    if inherited != Some(node.module) {
        write_attribute(out, "xmlns", &schema.module(node.module).namespace);
    }
}

fn write_keys(schema: &Schema, list: NodeId, key: &Key, out: &mut Vec<u8>) {
    for (&leaf, value) in schema.node(list).keys.iter().zip(key.values()) {
        let name = schema.node(leaf).name.as_bytes();
        out.push(b'<');
        out.extend_from_slice(name);
        write_value_tail(schema, value, out);
        out.extend_from_slice(b"</");
        out.extend_from_slice(name);
        out.push(b'>');
    }
}

/// The place after the neighbour before it in `new`; entries are written in that order, so the neighbour is there.
fn write_insert(schema: &Schema, path: &InstancePath, new: &Tree, out: &mut Vec<u8>) {
    let mut at = new.root().clone();
    for step in &path.steps[..path.steps.len() - 1] {
        let next = match (&step.predicate, at.get(step.node).map(|c| &c.content)) {
            (Predicate::Key(key), Some(Content::List(list))) => list.get(key).cloned(),
            (_, Some(Content::Container(inner))) => Some(inner.clone()),
            _ => None,
        };
        let Some(next) = next else { return };
        at = next;
    }
    let Some(last) = path.last() else { return };
    write_attribute(out, "xmlns:yang", "urn:ietf:params:xml:ns:yang:1");
    let before: Option<(&str, String)> = match (&last.predicate, at.get(last.node).map(|c| &c.content)) {
        (Predicate::Key(key), Some(Content::List(list))) => {
            list.before(key).map(|previous| ("yang:key", predicates(schema, last.node, &previous, out)))
        }
        (Predicate::Value(value), Some(Content::LeafList(values))) => {
            let at = values.iter().position(|v| v == value).unwrap_or(0);
            at.checked_sub(1).map(|i| {
                declare(schema, &values[i], out);
                ("yang:value", values[i].text().into_owned())
            })
        }
        _ => None,
    };
    match before {
        Some((name, text)) => {
            write_attribute(out, "yang:insert", "after");
            write_attribute(out, name, &text);
        }
        None => write_attribute(out, "yang:insert", "first"),
    }
}

fn predicates(schema: &Schema, list: NodeId, key: &Key, out: &mut Vec<u8>) -> String {
    let mut text = String::new();
    for (&leaf, value) in schema.node(list).keys.iter().zip(key.values()) {
        declare(schema, value, out);
        let value = value.text();
        let quote = if value.contains('\'') { '"' } else { '\'' };
        text.push_str(&format!("[{}={quote}{value}{quote}]", schema.node(leaf).name));
    }
    text
}

/// The rest of a leaf's start tag, and its text.
fn write_value_tail(schema: &Schema, value: &Value, out: &mut Vec<u8>) {
    declare(schema, value, out);
    out.push(b'>');
    match value {
        Value::Qualified(text) if text.starts_with('/') => escape_text(out, &super::path::expand(text)),
        other => escape_text(out, &other.text()),
    }
}

fn declare(schema: &Schema, value: &Value, out: &mut Vec<u8>) {
    for (module, namespace) in super::path::modules_in(schema, value) {
        write_attribute(out, &format!("xmlns:{module}"), &namespace);
    }
}

/// The whole configuration of a tree without its defaults: the content of a `<config>` that recreates it.
pub fn write_config(tree: &Tree, out: &mut Vec<u8>) {
    write_subtree(tree.schema(), tree.root(), WithDefaults::Explicit, out);
}
