//! Edits written as a YANG Patch (RFC 8072 section 2.2), as a push-change-update has it (RFC 8641 section 3.7).

use super::diff::{Change, Edit};
use super::path::{InstancePath, Predicate};
use super::schema::{NodeId, Schema};
use super::tree::{Child, Content, Inner, List, Tree};
use super::value::Value;
use super::write::{WithDefaults, write_subtree};
use crate::xml::write_element;

/// What an edit does to its target (RFC 8072 section 2.5; the change-type of RFC 8641).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Create,
    Delete,
    /// An entry that is new, in an order that is the user's.
    Insert,
    /// An entry that stands elsewhere.
    Move,
    Replace,
}

impl Operation {
    pub const ALL: [Operation; 5] =
        [Operation::Create, Operation::Delete, Operation::Insert, Operation::Move, Operation::Replace];

    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Delete => "delete",
            Operation::Insert => "insert",
            Operation::Move => "move",
            Operation::Replace => "replace",
        }
    }

    /// The operation of an edit. None for an order that has no meaning, which is that of state data.
    fn of(schema: &Schema, edit: &Edit) -> Option<Operation> {
        let node = schema.node(edit.node());
        Some(match edit.change {
            Change::Modify => Operation::Replace,
            Change::Delete => Operation::Delete,
            Change::Create if node.user_ordered && node.config => Operation::Insert,
            Change::Create => Operation::Create,
            Change::Move if node.config => Operation::Move,
            Change::Move => return None,
        })
    }
}

/// One edit of a patch.
#[derive(Clone, Debug)]
pub struct PatchEdit {
    pub operation: Operation,
    path: InstancePath,
    /// What stands at the target afterwards, with the node itself around it.
    value: Option<Inner>,
    /// For an insert and a move: the entry before it, None for the first place.
    after: Option<InstancePath>,
}

/// A list without keys stands at the top, and so nothing around it can be named as the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTarget;

/// The edits that lead to `new`, in an order in which they can be applied. An entry of a list without keys cannot be
/// named as a target (RFC 8040 section 3.5.3): what changes in one is told by replacing what is around the list.
pub fn edits(edits: &[Edit], new: &Tree) -> Result<Vec<PatchEdit>, NoTarget> {
    let schema = new.schema();
    let mut found: Vec<PatchEdit> = Vec::new();
    for edit in edits {
        let keyless = edit.path.steps.iter().position(|step| matches!(step.predicate, Predicate::Position(_)));
        let edit = match keyless {
            None => {
                let Some(operation) = Operation::of(schema, edit) else { continue };
                let value = match operation {
                    Operation::Delete | Operation::Move => None,
                    _ => edit.after.as_ref().map(|content| alone(schema, &edit.path, content)),
                };
                let ordered = matches!(operation, Operation::Insert | Operation::Move);
                let after = if ordered { before(&edit.path, new) } else { None };
                PatchEdit { operation, path: edit.path.clone(), value, after }
            }
            Some(0) => return Err(NoTarget),
            Some(at) => {
                let path = InstancePath { steps: edit.path.steps[..at].to_vec() };
                if found.iter().any(|edit| edit.path == path) {
                    continue;
                }
                // It is the list that comes or goes, so what is around it is there before and after.
                let content = content_at(new, &path).unwrap_or_else(|| Content::Container(Inner::default()));
                let value = Some(alone(schema, &path, &content));
                PatchEdit { operation: Operation::Replace, path, value, after: None }
            }
        };
        found.push(edit);
    }
    Ok(found)
}

/// Writes the content of the grouping's `yang-patch` container. Edits are numbered from 1.
pub fn write(schema: &Schema, patch_id: &str, edits: &[PatchEdit], out: &mut Vec<u8>) {
    write_element(out, "patch-id", patch_id);
    for (n, edit) in edits.iter().enumerate() {
        out.extend_from_slice(b"<edit>");
        write_element(out, "edit-id", &(n + 1).to_string());
        write_element(out, "operation", edit.operation.as_str());
        write_element(out, "target", &resource(schema, &edit.path));
        if matches!(edit.operation, Operation::Insert | Operation::Move) {
            match &edit.after {
                Some(after) => {
                    write_element(out, "point", &resource(schema, after));
                    write_element(out, "where", "after");
                }
                None => write_element(out, "where", "first"),
            }
        }
        if let Some(value) = &edit.value {
            out.extend_from_slice(b"<value>");
            write_subtree(schema, value, WithDefaults::Explicit, out);
            out.extend_from_slice(b"</value>");
        }
        out.extend_from_slice(b"</edit>");
    }
}

/// A data resource identifier (RFC 8040 section 3.5.3): `/module:list=key,key/leaf`.
pub fn resource(schema: &Schema, path: &InstancePath) -> String {
    let mut out = String::new();
    let mut inherited = None;
    for step in &path.steps {
        let node = schema.node(step.node);
        out.push('/');
        if inherited != Some(node.module) {
            out.push_str(&schema.module(node.module).name);
            out.push(':');
        }
        inherited = Some(node.module);
        out.push_str(&node.name);
        let values = match &step.predicate {
            Predicate::Key(key) => key.values(),
            Predicate::Value(value) => std::slice::from_ref(value),
            Predicate::None | Predicate::Position(_) => continue,
        };
        for (n, value) in values.iter().enumerate() {
            out.push(if n == 0 { '=' } else { ',' });
            percent_encoded(&value.text(), &mut out);
        }
    }
    out
}

/// All but the unreserved characters of RFC 3986.
fn percent_encoded(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// The one instance at the end of the path, as the only child.
fn alone(schema: &Schema, path: &InstancePath, content: &Content) -> Inner {
    let Some(last) = path.last() else { return Inner::default() };
    let content = match (&last.predicate, content) {
        (Predicate::Key(key), Content::Container(entry)) => {
            let mut list = List::new(schema, last.node);
            list.insert(key.clone(), entry.clone());
            Content::List(list)
        }
        (Predicate::Value(_), Content::Leaf(value)) => Content::LeafList(vec![value.clone()].into()),
        (_, content) => content.clone(),
    };
    [Child { node: last.node, default: false, origin: None, content }].into_iter().collect()
}

fn content_at(tree: &Tree, path: &InstancePath) -> Option<Content> {
    let mut at = Content::Container(tree.root().clone());
    for step in &path.steps {
        at = child(&at, step.node, &step.predicate)?;
    }
    Some(at)
}

fn child(content: &Content, node: NodeId, predicate: &Predicate) -> Option<Content> {
    let Content::Container(inner) = content else { return None };
    match (&inner.get(node)?.content, predicate) {
        (Content::List(list), Predicate::Key(key)) => list.get(key).cloned().map(Content::Container),
        (content, Predicate::None) => Some(content.clone()),
        _ => None,
    }
}

/// The entry before this one in the user's order; edits come in that order, so it is in its place by then.
fn before(path: &InstancePath, new: &Tree) -> Option<InstancePath> {
    let (last, around) = path.steps.split_last()?;
    let around = InstancePath { steps: around.to_vec() };
    let Some(Content::Container(inner)) = content_at(new, &around) else { return None };
    let predicate = match (&last.predicate, &inner.get(last.node)?.content) {
        (Predicate::Key(key), Content::List(list)) => Predicate::Key(list.before(key)?),
        (Predicate::Value(value), Content::LeafList(values)) => {
            let at: usize = values.iter().position(|v: &Value| v == value)?;
            Predicate::Value(values[at.checked_sub(1)?].clone())
        }
        _ => return None,
    };
    Some(around.child(last.node, predicate))
}

#[cfg(test)]
mod tests;
