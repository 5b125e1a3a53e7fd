//! The whole validation of a version, which is libyang's: of a mirror that follows the versions by their difference.

use std::sync::Arc;

use super::fault::rpc_error;
use super::reference::inner_at;
use crate::error::RpcError;
use crate::yang::diff::{Change, Edit, diff_with_defaults};
use crate::yang::ffi::Fault;
use crate::yang::ffi::data::{self, Cursor, DataTree, Kind};
use crate::yang::path::{InstancePath, Predicate};
use crate::yang::schema::{NodeId, NodeKind, Schema};
use crate::yang::tree::{Content, Inner, Key, Tree};
use crate::yang::value::Value;

/// A version as libyang has it, valid.
pub(super) struct Mirror {
    pub data: DataTree,
    pub at: Tree,
}

impl Mirror {
    pub fn new(schema: Arc<Schema>) -> Mirror {
        Mirror { data: DataTree::new(), at: Tree::new(schema) }
    }

    /// Checks all of `new`. Returns the mirror of `new` as it is in force. After a failure a mirror is somewhere between
    /// versions, so it is gone.
    pub fn follow(mut self, new: &Tree) -> Result<Mirror, Vec<RpcError>> {
        let schema = &**new.schema();
        for edit in diff_with_defaults(&self.at, new) {
            apply(schema, &mut self.data, &edit).map_err(|fault| vec![rpc_error(schema, Kind::Config, fault)])?;
        }
        self.order(schema, &self.at.clone(), new).map_err(|fault| vec![rpc_error(schema, Kind::Config, fault)])?;
        let changes = self.data.validate(schema.context(), Kind::Config, None).map_err(|faults| {
            faults.into_iter().map(|fault| rpc_error(schema, Kind::Config, fault)).collect::<Vec<_>>()
        })?;
        let mut valid = new.clone();
        for change in changes {
            if !change.created || is_conditional(schema, &change) {
                take_over(schema, &mut valid, &change);
            }
        }
        Ok(Mirror { data: self.data, at: valid })
    }
}

impl Mirror {
    /// Entries ordered by the user, put where they stand in `new`: what is added comes last at first.
    fn order(&mut self, schema: &Schema, old: &Tree, new: &Tree) -> Result<(), Fault> {
        let mut lists: Vec<InstancePath> = Vec::new();
        for Edit { path, change, .. } in diff_with_defaults(old, new) {
            let (last, around) = path.steps.split_last().expect("an edit is of a node");
            let list = InstancePath { steps: around.to_vec() }.child(last.node, Predicate::None);
            let comes = matches!(change, Change::Create | Change::Move);
            if comes && schema.node(last.node).user_ordered && lists.last() != Some(&list) {
                lists.push(list);
            }
        }
        let context = schema.context();
        for list in lists {
            let (last, around) = list.steps.split_last().expect("the path of a list");
            let mut parent = None;
            for step in around {
                let pointer = schema.pointer(step.node);
                parent = with_texts(&step.predicate, |keys| self.data.find(context, parent, pointer, keys));
            }
            let content = inner_at(new, around).and_then(|inner| inner.get(last.node)).map(|child| &child.content);
            let entries: Vec<Predicate> = match content {
                Some(Content::List(list)) => {
                    list.iter().filter_map(|(key, _)| Some(Predicate::Key(key?.clone()))).collect()
                }
                Some(Content::LeafList(values)) => values.iter().cloned().map(Predicate::Value).collect(),
                _ => continue,
            };
            let pointer = schema.pointer(last.node);
            let mut before = None;
            for entry in entries {
                let found = with_texts(&entry, |keys| self.data.find(context, parent, pointer, keys));
                if let (Some(before), Some(found)) = (before, found) {
                    self.data.move_after(before, found)?;
                }
                before = found.or(before);
            }
        }
        Ok(())
    }
}

/// Whether a `when` decides on the node, of its own or of one around it.
fn is_conditional(schema: &Schema, change: &data::Change) -> bool {
    let last = change.steps.last().and_then(|(pointer, _)| schema.by_pointer(*pointer));
    std::iter::successors(last, |&id| schema.node(id).data_parent).any(|id| schema.node(id).has_when)
}

fn apply(schema: &Schema, data: &mut DataTree, edit: &Edit) -> Result<(), Fault> {
    let context = schema.context();
    let (last, around) = edit.path.steps.split_last().expect("an edit is of a node");
    let mut parent: Option<Cursor> = None;
    for step in around {
        let pointer = schema.pointer(step.node);
        let found = with_texts(&step.predicate, |keys| data.find(context, parent, pointer, keys));
        parent = Some(match (found, &step.predicate) {
            (Some(cursor), _) => cursor,
            (None, Predicate::Key(key)) => {
                let keys: Vec<_> = key.values().iter().map(Value::text).collect();
                data.add_list(context, parent, pointer, &keys.iter().map(|k| &**k).collect::<Vec<_>>())?
            }
            (None, _) => data.add_container(context, parent, pointer)?,
        });
    }
    let pointer = schema.pointer(last.node);
    if edit.change == Change::Move {
        return Ok(());
    }
    // The first value set takes the place of the defaults.
    if edit.change == Change::Create
        && schema.node(last.node).kind == NodeKind::LeafList
        && data.find(context, parent, pointer, &[]).is_some_and(|first| data.is_default(first))
    {
        data.remove_all(context, parent, pointer);
    }
    if let Some(old) = with_texts(&last.predicate, |keys| data.find(context, parent, pointer, keys)) {
        data.remove(old);
    }
    match &edit.after {
        Some(content) if edit.change != Change::Delete => {
            add(schema, data, parent, last.node, &last.predicate, content)
        }
        _ => Ok(()),
    }
}

fn with_texts<R>(predicate: &Predicate, with: impl FnOnce(&[&str]) -> R) -> R {
    let values = match predicate {
        Predicate::Key(key) => key.values(),
        Predicate::Value(value) => std::slice::from_ref(value),
        _ => &[],
    };
    let texts: Vec<_> = values.iter().map(Value::text).collect();
    with(&texts.iter().map(|t| &**t).collect::<Vec<_>>())
}

fn add(
    schema: &Schema,
    data: &mut DataTree,
    parent: Option<Cursor>,
    id: NodeId,
    predicate: &Predicate,
    content: &Content,
) -> Result<(), Fault> {
    let context = schema.context();
    let pointer = schema.pointer(id);
    match content {
        Content::Leaf(value) => data.add_term(context, parent, pointer, &value.text()).map(|_| ()),
        Content::Any(_) => data.add_any(context, parent, pointer).map(|_| ()),
        Content::Container(inner) => {
            let cursor = match predicate {
                Predicate::Key(key) => {
                    let keys: Vec<_> = key.values().iter().map(Value::text).collect();
                    data.add_list(context, parent, pointer, &keys.iter().map(|k| &**k).collect::<Vec<_>>())?
                }
                Predicate::Position(_) => data.add_list(context, parent, pointer, &[])?,
                _ => data.add_container(context, parent, pointer)?,
            };
            build(schema, data, Some(cursor), inner)
        }
        Content::LeafList(values) => {
            values.iter().try_for_each(|v| data.add_term(context, parent, pointer, &v.text()).map(|_| ()))
        }
        Content::List(list) => list.iter().try_for_each(|(key, entry)| {
            let predicate = match key {
                Some(key) => Predicate::Key(key.clone()),
                None => Predicate::Position(1),
            };
            add(schema, data, parent, id, &predicate, &Content::Container(entry.clone()))
        }),
    }
}

/// Adds what is set in `inner`; keys are in their entries already.
pub(super) fn build(schema: &Schema, data: &mut DataTree, parent: Option<Cursor>, inner: &Inner) -> Result<(), Fault> {
    for child in inner.iter().filter(|c| !c.default) {
        let node = schema.node(child.node);
        match (node.kind, &child.content) {
            _ if node.is_key && node.data_parent.is_some_and(|p| schema.node(p).kind == NodeKind::List) => {}
            // Input and output are nodes of the schema only.
            (NodeKind::Input | NodeKind::Output, Content::Container(inner)) => build(schema, data, parent, inner)?,
            _ => add(schema, data, parent, child.node, &Predicate::None, &child.content)?,
        }
    }
    Ok(())
}

/// Brings a change that libyang made into our tree.
fn take_over(schema: &Schema, tree: &mut Tree, change: &data::Change) {
    let Some((last, around)) = change.steps.split_last() else { return };
    let mut inner = tree.root_mut();
    for (pointer, keys) in around {
        let Some(id) = schema.by_pointer(*pointer) else { return };
        inner = match schema.node(id).kind {
            NodeKind::List => {
                let Some(key) = key_of(schema, id, keys) else { return };
                let Some(entry) = inner.list_mut(schema, id).get_mut(&key) else { return };
                entry
            }
            _ if !change.created && !inner.contains(id) => return,
            _ => inner.container_mut(id),
        };
    }
    let (pointer, keys) = last;
    let Some(id) = schema.by_pointer(*pointer) else { return };
    let value = change.value.as_deref().and_then(|text| schema.value_json(id, text).ok());
    match (schema.node(id).kind, value) {
        (NodeKind::List, _) => {
            if let Some(key) = key_of(schema, id, keys) {
                let list = inner.list_mut(schema, id);
                list.remove(&key);
                if list.is_empty() {
                    inner.remove(id);
                }
            }
        }
        (NodeKind::LeafList, Some(value)) => {
            let mut values = match inner.get(id).map(|c| &c.content) {
                Some(Content::LeafList(values)) => values.to_vec(),
                _ => Vec::new(),
            };
            if change.created {
                if !values.contains(&value) {
                    values.push(value);
                }
            } else {
                values.retain(|v| *v != value);
            }
            if values.is_empty() {
                inner.remove(id);
            } else {
                inner.set(id, Content::LeafList(Arc::new(values)), change.created);
            }
        }
        (NodeKind::Leaf, Some(value)) if change.created => {
            if !inner.contains(id) {
                inner.set(id, Content::Leaf(value), true);
            }
        }
        _ => {
            inner.remove(id);
        }
    }
}

fn key_of(schema: &Schema, list: NodeId, texts: &[String]) -> Option<Key> {
    let keys = &schema.node(list).keys;
    let values = keys.iter().zip(texts).map(|(&key, text)| schema.value_json(key, text).ok());
    values.collect::<Option<Vec<_>>>().map(Key::new)
}
