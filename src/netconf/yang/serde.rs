//! Rust values as YANG data and back: serde by the schema (RFC 7950), without generated code.
//!
//! A struct is a container, list entry, notification, or the input or output of an operation; its field names are node
//! names (`#[serde(rename_all = "kebab-case")]`). A plain name is the child of the parent's own module, or else the
//! only child of that name; `module:name` is always exact. Choices and cases do not show.
//!
//! | YANG | Rust |
//! |---|---|
//! | leaf | a scalar; any number, text or unit enum variant that its type takes |
//! | decimal64 | `f64` (rounded to the fraction-digits on the way in) or `String` |
//! | identityref | text or a unit variant, with or without `module:` |
//! | empty | `bool` or `()` |
//! | binary | bytes or `Vec<u8>`, or base64 in a `String` |
//! | bits | a sequence of names, or a `String` of them |
//! | presence container without children of interest | `bool` or `()` |
//! | leaf-list | a sequence |
//! | list | a sequence of structs, or a map whose keys are the list's only key |
//! | anydata, anyxml | `String`: the XML inside the element |
//! | a choice of containers or leafs | an enum with a variant for each, flattened or in the container's place |
//! | not there | `Option::None`; for a list or leaf-list an empty sequence, for a type empty `false` |
//!
//! Whole-tree constraints (`must`, `when`, `unique`, one case of a choice) are for validation, not checked here.
//!
//! What `#[serde(flatten)]`, untagged and internally tagged enums see, they see by the data alone, as serde buffers it:
//! names of another module than the parent's come as `module:name`, a decimal64 as a number, an identityref as
//! `module:name`, binary as base64 text, an empty as `true`, and an absent list is absent.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::path::{InstancePath, Predicate, Step};
use super::schema::{NodeId, NodeKind, Schema, SchemaNode};
use super::tree::{Child, Content, Inner, Key, List, Tree, split_path};
use super::value::Value;
use crate::error::RpcError;

mod access;
mod compound;
mod de;
mod ser;
mod text;

pub(super) use compound::{insert, leaf_list};
pub(super) use ser::any;

/// Why a Rust value is not data of the schema, or data not a value of the Rust type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SerdeError {
    /// The instance, as RFC 7951 section 6.11 writes it; `server[3]` is the third entry, where its key is not known.
    pub path: String,
    /// The value at fault, where it is one value.
    pub value: Option<String>,
    pub reason: String,
}

/// The data of a struct or map whose fields are top-level nodes.
pub fn to_tree<T: Serialize + ?Sized>(schema: &Arc<Schema>, value: &T) -> Result<Tree, SerdeError> {
    let root = ser::children(schema, ser::Target::Root, value)?;
    Ok(Tree::with_root(schema.clone(), root))
}

/// The children of one instance of `parent`: a container, list entry, notification, input or output.
pub fn to_inner<T: Serialize + ?Sized>(schema: &Schema, parent: NodeId, value: &T) -> Result<Inner, SerdeError> {
    let target = match schema.node(parent).kind {
        NodeKind::List => ser::Target::Entry(parent),
        _ => ser::Target::Node(parent),
    };
    ser::children(schema, target, value).map_err(|error| error.under(&schema.path(parent)))
}

/// A tree with `value` at a path as [`instance_path`] takes it, and what must stand above. A list without predicates
/// takes all entries, one with predicates takes one entry, whose keys `value` may leave out.
pub fn tree_at<T: Serialize + ?Sized>(schema: &Arc<Schema>, path: &str, value: &T) -> Result<Tree, SerdeError> {
    tree_at_instance(schema, &instance_path(schema, path)?, value)
}

/// [`tree_at`] for a path that is at hand.
pub fn tree_at_instance<T: Serialize + ?Sized>(
    schema: &Arc<Schema>,
    path: &InstancePath,
    value: &T,
) -> Result<Tree, SerdeError> {
    let Some(last) = path.last() else { return to_tree(schema, value) };
    let target = match last.predicate {
        Predicate::None => ser::Target::Node(last.node),
        _ => ser::Target::Entry(last.node),
    };
    let locate = |error: SerdeError| error.under(&path.to_json_form(schema));
    let mut content = ser::content(schema, target, value).map_err(locate)?;
    let mut root = Inner::default();
    for step in path.steps.iter().rev() {
        let Some(below) = content.take() else { break };
        let below = placed(schema, step, below).map_err(locate)?;
        root = Inner::from_iter([child_of(schema, step.node, below)]);
        content = Some(Content::Container(root.clone()));
    }
    Ok(Tree::with_root(schema.clone(), root))
}

/// The value of a type whose fields are top-level nodes.
pub fn from_tree<'de, T: Deserialize<'de>>(tree: &'de Tree) -> Result<T, SerdeError> {
    de::value(tree.schema(), de::Source::Inner(None, tree.root()))
}

/// The value of one instance of `node` (as in [`to_inner`]) with the children `inner`.
pub fn from_inner<'de, T: Deserialize<'de>>(
    schema: &'de Schema,
    node: NodeId,
    inner: &'de Inner,
) -> Result<T, SerdeError> {
    de::value(schema, de::Source::Inner(Some(node), inner)).map_err(|error| error.under(&schema.path(node)))
}

/// The value at a path as [`instance_path`] takes it; None where nothing is. A path that the schema does not have is
/// an error.
pub fn from_path<'de, T: Deserialize<'de>>(tree: &'de Tree, path: &str) -> Result<Option<T>, SerdeError> {
    from_instance(tree, &instance_path(tree.schema(), path)?)
}

/// [`from_path`] for a path that is at hand.
pub fn from_instance<'de, T: Deserialize<'de>>(tree: &'de Tree, path: &InstancePath) -> Result<Option<T>, SerdeError> {
    let schema = tree.schema();
    match instance(tree, path) {
        None => Ok(None),
        Some(source) => de::value(schema, source).map(Some).map_err(|error| error.under(&path.to_json_form(schema))),
    }
}

/// The key of an entry of `list` from the texts of its key leafs, in the order of the `key` statement.
pub fn key(schema: &Schema, list: NodeId, values: &[&str]) -> Result<Key, SerdeError> {
    let keys = &schema.node(list).keys;
    if keys.len() != values.len() {
        let reason = format!("the list has {} keys, not {}", keys.len(), values.len());
        return Err(SerdeError { path: schema.path(list), value: None, reason });
    }
    let leafs = keys.iter().zip(values).map(|(&leaf, text)| leaf_value(schema, leaf, text));
    leafs.collect::<Result<Vec<_>, _>>().map(Key::new).map_err(|error| error.under(&schema.path(list)))
}

/// A path such as `/module:list[key='a'][other='b']/container/augmenting:leaf`: every list but a last one needs all
/// its keys, a last leaf-list may have `[.='value']`.
pub fn instance_path(schema: &Schema, text: &str) -> Result<InstancePath, SerdeError> {
    let fail = |reason: String| SerdeError { path: text.to_owned(), value: None, reason };
    let steps = split_path(text).ok_or_else(|| fail("not an instance path".into()))?;
    let count = steps.len();
    let mut path = InstancePath::default();
    for (i, (name, predicates)) in steps.into_iter().enumerate() {
        let parent = path.last().map(|step| step.node);
        let id = required(schema, parent, name).map_err(|error| fail(error.reason))?;
        let node = schema.node(id);
        let predicate = match (node.kind, predicates.as_slice()) {
            (NodeKind::List, []) if i + 1 < count => return Err(fail(format!("{name} needs its keys"))),
            (_, []) => Predicate::None,
            (NodeKind::LeafList, [(".", value)]) => Predicate::Value(leaf_value(schema, id, value)?),
            (NodeKind::List, given) => {
                let mut values = Vec::with_capacity(node.keys.len());
                for &leaf in &node.keys {
                    let key = &schema.node(leaf).name;
                    let (_, text) = given
                        .iter()
                        .find(|(name, _)| name == key)
                        .ok_or_else(|| fail(format!("{name} lacks its key \"{key}\"")))?;
                    values.push(*text);
                }
                if given.len() != node.keys.len() {
                    return Err(fail(format!("{name} has a predicate that is not one of its keys")));
                }
                Predicate::Key(key(schema, id, &values)?)
            }
            _ => return Err(fail(format!("{name} takes no such predicate"))),
        };
        path.push(id, predicate);
    }
    Ok(path)
}

impl SerdeError {
    pub(super) fn new(reason: impl Into<String>) -> SerdeError {
        SerdeError { reason: reason.into(), ..SerdeError::default() }
    }

    pub(super) fn of_value(value: impl Into<String>, reason: impl Into<String>) -> SerdeError {
        SerdeError { path: String::new(), value: Some(value.into()), reason: reason.into() }
    }

    pub(super) fn under(mut self, above: &str) -> SerdeError {
        self.path.insert_str(0, above);
        self
    }

    fn under_node(self, schema: &Schema, parent: Option<NodeId>, node: NodeId) -> SerdeError {
        let name = name_under(schema, parent, node);
        self.under(&format!("/{name}"))
    }

    /// With `[position]` for an entry that has not told its key.
    fn under_position(self, position: usize) -> SerdeError {
        if self.path.starts_with('[') { self } else { self.under(&format!("[{position}]")) }
    }
}

impl fmt::Display for SerdeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        match &self.value {
            // libyang's messages quote the value already.
            Some(value) if !self.reason.contains(&format!("\"{value}\"")) => {
                write!(f, "{path}: {value:?}: {}", self.reason)
            }
            _ => write!(f, "{path}: {}", self.reason),
        }
    }
}

impl std::error::Error for SerdeError {}

/// A server whose own values do not fit its model has failed; the peer has done nothing wrong.
impl From<SerdeError> for RpcError {
    fn from(error: SerdeError) -> RpcError {
        RpcError::operation_failed(error.to_string())
    }
}

/// The child of `parent` that a field name means; None if there is none.
fn resolve(schema: &Schema, parent: Option<NodeId>, name: &str) -> Result<Option<NodeId>, SerdeError> {
    if let Some((module, local)) = name.split_once(':') {
        return Ok(schema.module_by_name(module).and_then(|module| schema.child(parent, module, local)));
    }
    if let Some(parent) = parent
        && let Some(own) = schema.child(Some(parent), schema.node(parent).module, name)
    {
        return Ok(Some(own));
    }
    let mut named = schema.children(parent).iter().copied().filter(|&id| schema.node(id).name == name);
    match (named.next(), named.next()) {
        (Some(first), Some(second)) => {
            let modules = [first, second].map(|id| schema.module_of(id).name.as_str());
            Err(SerdeError::new(format!("\"{name}\" is ambiguous: {0}:{name} or {1}:{name}", modules[0], modules[1])))
        }
        (first, _) => Ok(first),
    }
}

/// [`resolve`] where an unknown name is an error.
fn required(schema: &Schema, parent: Option<NodeId>, name: &str) -> Result<NodeId, SerdeError> {
    resolve(schema, parent, name)?.ok_or_else(|| {
        let place = parent.map_or("the top level".to_owned(), |parent| schema.path(parent));
        SerdeError::new(format!("{place} has no node \"{name}\""))
    })
}

/// `name`, or `module:name` where the module is not the parent's (RFC 7951 section 4).
pub(super) fn name_under(schema: &Schema, parent: Option<NodeId>, node: NodeId) -> std::borrow::Cow<'_, str> {
    let node = schema.node(node);
    match parent {
        Some(parent) if schema.node(parent).module == node.module => node.name.as_str().into(),
        _ => format!("{}:{}", schema.module(node.module).name, node.name).into(),
    }
}

fn leaf_value(schema: &Schema, leaf: NodeId, text: &str) -> Result<Value, SerdeError> {
    schema.value_json(leaf, text).map_err(|error| {
        let node = schema.node(leaf);
        SerdeError::of_value(text, error.message).under_node(schema, node.data_parent, leaf)
    })
}

/// A container that must not be present on its own account and holds nothing that anyone has set is as good as absent.
pub(super) fn child_of(schema: &Schema, node: NodeId, content: Content) -> Child {
    let default = match &content {
        Content::Container(inner) => {
            schema.node(node).kind == NodeKind::Container { presence: false } && inner.iter().all(|child| child.default)
        }
        _ => false,
    };
    Child { node, default, origin: None, content }
}

/// `[key='value']` for each key in `known`; empty where a key is missing.
fn predicate_of(schema: &Schema, list: &SchemaNode, known: &[Child]) -> String {
    let mut out = String::new();
    for &key in &list.keys {
        match known.iter().find(|child| child.node == key).map(|child| &child.content) {
            Some(Content::Leaf(value)) => out.push_str(&format!("[{}='{value}']", schema.node(key).name)),
            _ => return String::new(),
        }
    }
    out
}

/// Puts the content of one step into the list or leaf-list that the step's predicate speaks of.
fn placed(schema: &Schema, step: &Step, content: Content) -> Result<Content, SerdeError> {
    match (&step.predicate, content) {
        (Predicate::Key(key), Content::Container(mut inner)) => {
            for (&leaf, value) in schema.node(step.node).keys.iter().zip(key.values()) {
                match inner.value(leaf) {
                    None => inner.set(leaf, Content::Leaf(value.clone()), false),
                    Some(own) if own == value => {}
                    Some(own) => {
                        let error = SerdeError::of_value(own.to_string(), "the key in the path is another");
                        return Err(error.under_node(schema, Some(step.node), leaf));
                    }
                }
            }
            let mut list = List::new(schema, step.node);
            list.insert(key.clone(), inner);
            Ok(Content::List(list))
        }
        (Predicate::Value(_), Content::Leaf(value)) => Ok(Content::LeafList(Arc::new(vec![value]))),
        (Predicate::None, content) => Ok(content),
        _ => Err(SerdeError::new("the value does not fit the path's last predicate")),
    }
}

fn instance<'t>(tree: &'t Tree, path: &InstancePath) -> Option<de::Source<'t>> {
    let mut at = de::Source::Inner(None, tree.root());
    for step in &path.steps {
        let de::Source::Inner(_, inner) = at else { return None };
        let source = de::Source::of(inner.get(step.node)?);
        at = match (&step.predicate, source) {
            (Predicate::None, source) => source,
            (Predicate::Key(key), de::Source::List(node, list)) => de::Source::Inner(Some(node), list.get(key)?),
            (Predicate::Position(position), de::Source::List(node, list)) => {
                de::Source::Inner(Some(node), list.iter().nth(position.checked_sub(1)?)?.1)
            }
            (Predicate::Value(value), de::Source::Values(node, values)) => {
                de::Source::Value(node, values.iter().find(|own| *own == value)?)
            }
            _ => return None,
        };
    }
    Some(at)
}

#[cfg(test)]
pub(super) mod tests;
