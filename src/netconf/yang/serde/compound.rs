//! Structs, maps and sequences on their way into the tree, member by member.

use std::collections::HashSet;
use std::sync::Arc;

use base64ct::{Base64, Encoding};
use serde::ser::{self, Serialize};

use super::ser::{Context, NodeSerializer, Placed, Target};
use super::text::TextSerializer;
use super::{SerdeError, child_of, predicate_of, required};
use crate::yang::schema::{NodeId, Schema, SchemaNode};
use crate::yang::tree::{Child, Content, Inner, Key, List};
use crate::yang::value::Value;

/// The children of one container, entry or of the top level, as they come.
pub(super) struct Children<'c> {
    cx: &'c Context<'c>,
    parent: Option<&'c SchemaNode>,
    /// Fields mostly come in the order of the model: where the next one is expected.
    next: usize,
    found: Vec<Child>,
    /// A map's key that waits for its value.
    name: String,
    /// For a struct variant: where its one child goes.
    wrapped_in: Option<Box<Children<'c>>>,
}

impl<'c> Children<'c> {
    pub(super) fn new(cx: &'c Context<'c>, parent: Option<&'c SchemaNode>, length: usize) -> Children<'c> {
        Children { cx, parent, next: 0, found: Vec::with_capacity(length), name: String::new(), wrapped_in: None }
    }

    pub(super) fn wrap_in(&mut self, outer: Children<'c>) {
        self.wrapped_in = Some(Box::new(outer));
    }

    pub(super) fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), SerdeError> {
        let id = match self.expected(name) {
            Some(id) => id,
            None => self.child(name)?,
        };
        self.next = match self.parent {
            Some(parent) => parent.children.partition_point(|&child| child <= id),
            None => 0,
        };
        match value.serialize(NodeSerializer { cx: self.cx, target: Target::Node(id) }) {
            Ok(Some(content)) => self.found.push(child_of(self.cx.schema, id, content)),
            Ok(None) => {}
            Err(error) => return Err(self.locate(error, id)),
        }
        Ok(())
    }

    fn expected(&self, name: &str) -> Option<NodeId> {
        let parent = self.parent?;
        let id = *parent.children.get(self.next)?;
        let node = self.cx.schema.node(id);
        (node.module == parent.module && node.name == name).then_some(id)
    }

    pub(super) fn child(&self, name: &str) -> Result<NodeId, SerdeError> {
        required(self.cx.schema, self.parent.map(|p| p.id), name).map_err(|mut error| {
            error.path = format!("{}/{name}", self.predicate());
            error
        })
    }

    pub(super) fn locate(&self, error: SerdeError, child: NodeId) -> SerdeError {
        error.under_node(self.cx.schema, self.parent.map(|p| p.id), child).under(&self.predicate())
    }

    fn predicate(&self) -> String {
        self.parent.map_or_else(String::new, |parent| predicate_of(self.cx.schema, parent, &self.found))
    }

    pub(super) fn content(mut self) -> Placed {
        self.found.sort_by_key(|child| child.node);
        if let Some(twice) = self.found.windows(2).find(|pair| pair[0].node == pair[1].node) {
            return Err(self.locate(SerdeError::new("given twice"), twice[0].node));
        }
        let content = Content::Container(Inner::from_iter(self.found));
        match (self.wrapped_in, self.parent) {
            (Some(mut outer), Some(node)) => {
                outer.found.push(child_of(self.cx.schema, node.id, content));
                outer.content()
            }
            _ => Ok(Some(content)),
        }
    }
}

impl ser::SerializeStruct for Children<'_> {
    type Ok = Option<Content>;
    type Error = SerdeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), SerdeError> {
        self.put(name, value)
    }

    fn skip_field(&mut self, _: &'static str) -> Result<(), SerdeError> {
        self.next += 1;
        Ok(())
    }

    fn end(self) -> Placed {
        self.content()
    }
}

impl ser::SerializeStructVariant for Children<'_> {
    type Ok = Option<Content>;
    type Error = SerdeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), SerdeError> {
        let put = self.put(name, value);
        match (&self.wrapped_in, self.parent) {
            (Some(outer), Some(node)) => put.map_err(|error| outer.locate(error, node.id)),
            _ => put,
        }
    }

    fn end(self) -> Placed {
        self.content()
    }
}

/// A map: of children by name, or of a list's entries by key.
pub(super) enum Map<'c> {
    Children(Children<'c>),
    Entries { elements: Elements<'c>, key: Option<Value> },
}

impl ser::SerializeMap for Map<'_> {
    type Ok = Option<Content>;
    type Error = SerdeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, name: &T) -> Result<(), SerdeError> {
        match self {
            Map::Children(children) => {
                children.name.clear();
                name.serialize(TextSerializer(&mut children.name))
            }
            Map::Entries { elements, key } => {
                let mut text = String::new();
                name.serialize(TextSerializer(&mut text))?;
                let schema = elements.cx.schema;
                let leaf = schema.node(elements.node.keys[0]);
                let value = elements.cx.value(leaf, &text);
                *key = Some(value.map_err(|e| e.under_node(schema, Some(elements.node.id), leaf.id))?);
                Ok(())
            }
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
        match self {
            Map::Children(children) => {
                let name = std::mem::take(&mut children.name);
                let put = children.put(&name, value);
                children.name = name;
                put
            }
            Map::Entries { elements, key } => elements.put(value, key.take()),
        }
    }

    fn end(self) -> Placed {
        match self {
            Map::Children(children) => children.content(),
            Map::Entries { elements, .. } => Ok(elements.content()?),
        }
    }
}

/// A sequence, as its elements come.
pub(super) struct Elements<'c> {
    cx: &'c Context<'c>,
    node: &'c SchemaNode,
    gathered: Gathered,
    count: usize,
}

pub(super) enum Gathered {
    Values(Vec<Value>),
    Entries(List),
    Bytes(Vec<u8>),
    Bits(String),
}

impl<'c> Elements<'c> {
    pub(super) fn new(cx: &'c Context<'c>, node: NodeId, gathered: Gathered) -> Elements<'c> {
        Elements { cx, node: cx.schema.node(node), gathered, count: 0 }
    }

    /// `named` is the entry's only key, where a map gives it.
    fn put<T: Serialize + ?Sized>(&mut self, value: &T, named: Option<Value>) -> Result<(), SerdeError> {
        self.count += 1;
        self.add(value, named).map_err(|error| match self.gathered {
            Gathered::Values(_) | Gathered::Entries(_) => error.under_position(self.count),
            _ => error,
        })
    }

    fn add<T: Serialize + ?Sized>(&mut self, value: &T, named: Option<Value>) -> Result<(), SerdeError> {
        let entry = NodeSerializer { cx: self.cx, target: Target::Entry(self.node.id) };
        match &mut self.gathered {
            Gathered::Values(values) => {
                if let Some(Content::Leaf(value)) = value.serialize(entry)? {
                    values.push(value);
                }
            }
            Gathered::Entries(list) => {
                if let Some(Content::Container(mut inner)) = value.serialize(entry)? {
                    if let Some(named) = named {
                        name_entry(self.cx.schema, self.node, &mut inner, named)?;
                    }
                    insert(self.cx.schema, self.node, list, inner)?;
                }
            }
            Gathered::Bytes(bytes) => {
                let mut text = String::new();
                value.serialize(TextSerializer(&mut text))?;
                bytes.push(text.parse().map_err(|_| SerdeError::of_value(text, "not a byte"))?);
            }
            Gathered::Bits(names) => {
                if !names.is_empty() {
                    names.push(' ');
                }
                value.serialize(TextSerializer(names))?;
            }
        }
        Ok(())
    }

    fn content(self) -> Placed {
        match self.gathered {
            Gathered::Values(values) => leaf_list(self.node, values),
            Gathered::Entries(list) => Ok((!list.is_empty()).then_some(Content::List(list))),
            Gathered::Bytes(bytes) => {
                self.cx.value(self.node, &Base64::encode_string(&bytes)).map(|value| Some(Content::Leaf(value)))
            }
            Gathered::Bits(names) => self.cx.value(self.node, &names).map(|value| Some(Content::Leaf(value))),
        }
    }
}

macro_rules! elements {
    ($($form:ident $add:ident),*) => {$(
        impl ser::$form for Elements<'_> {
            type Ok = Option<Content>;
            type Error = SerdeError;

            fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
                self.put(value, None)
            }

            fn end(self) -> Placed {
                self.content()
            }
        }
    )*};
}

elements!(SerializeSeq serialize_element, SerializeTuple serialize_element, SerializeTupleStruct serialize_field);

fn name_entry(schema: &Schema, list: &SchemaNode, inner: &mut Inner, name: Value) -> Result<(), SerdeError> {
    let leaf = list.keys[0];
    match inner.value(leaf) {
        Some(own) if *own != name => {
            let error = SerdeError::of_value(own.to_string(), format!("the map has this entry as \"{name}\""));
            Err(error.under_node(schema, Some(list.id), leaf))
        }
        _ => {
            inner.set(leaf, Content::Leaf(name), false);
            Ok(())
        }
    }
}

/// Adds an entry to a list that must not have one with its key.
pub(in crate::yang) fn insert(
    schema: &Schema,
    node: &SchemaNode,
    list: &mut List,
    entry: Inner,
) -> Result<(), SerdeError> {
    if node.keys.is_empty() {
        list.push(entry);
        return Ok(());
    }
    let Some(key) = Key::of(schema, node.id, &entry) else {
        let missing = node.keys.iter().find(|&&key| !entry.contains(key)).map(|&key| schema.node(key).name.as_str());
        return Err(SerdeError::new(format!("the entry lacks its key \"{}\"", missing.unwrap_or_default())));
    };
    if list.get(&key).is_some() {
        let known: Vec<Child> = entry.iter().cloned().collect();
        return Err(SerdeError::new("another entry has this key").under(&predicate_of(schema, node, &known)));
    }
    list.insert(key, entry);
    Ok(())
}

/// The content of a leaf-list: in order of value where the system orders, and each value once in a configuration (RFC
/// 7950 section 7.7).
pub(in crate::yang) fn leaf_list(node: &SchemaNode, mut values: Vec<Value>) -> Placed {
    if values.is_empty() {
        return Ok(None);
    }
    if node.config {
        if !node.user_ordered {
            values.sort_unstable();
        }
        let mut seen = HashSet::with_capacity(values.len());
        if let Some(twice) = values.iter().find(|value| !seen.insert(*value)) {
            return Err(SerdeError::of_value(twice.to_string(), "given twice"));
        }
    }
    Ok(Some(Content::LeafList(Arc::new(values))))
}
