//! YANG data as JSON (RFC 7951): written from the tree without a copy, and read by the schema.
//!
//! Two things are not as RFC 7951 has them. anydata and anyxml are kept as XML, so here they are a string with the XML
//! inside the element (section 5.5 and 5.6 would have an object). The tree does not keep which member of a union a
//! value is of, so a string for a union is read as XML would be: as the first member that takes its text (section
//! 6.10 would look at the JSON type first). Metadata (RFC 7952, `@name`) is refused.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use smol_str::SmolStr;

use super::ffi::{RawBase, RawType};
use super::schema::{NodeId, Schema, SchemaNode};
use super::serde::name_under;
use super::tree::{Child, Content, Inner, Tree};
use super::value::Value;

mod read;

pub use read::{MAX_ERRORS, read, read_inner};

/// Data that serializes as the object RFC 7951 gives it: for `serde_json`, alone or as a field of something larger.
#[derive(Clone, Copy)]
pub struct Json<'t> {
    schema: &'t Schema,
    parent: Option<NodeId>,
    inner: &'t Inner,
    defaults: bool,
}

/// The whole tree, on one line.
pub fn write(tree: &Tree) -> String {
    text(&Json::new(tree))
}

/// The children of one instance of `parent`, as an object on one line.
pub fn write_inner(schema: &Schema, parent: NodeId, inner: &Inner) -> String {
    text(&Json::of_inner(schema, parent, inner))
}

impl<'t> Json<'t> {
    pub fn new(tree: &'t Tree) -> Json<'t> {
        Json { schema: tree.schema(), parent: None, inner: tree.root(), defaults: true }
    }

    pub fn of_inner(schema: &'t Schema, parent: NodeId, inner: &'t Inner) -> Json<'t> {
        Json { schema, parent: Some(parent), inner, defaults: true }
    }

    /// Without what is in effect only as a default (RFC 6243's explicit mode).
    pub fn without_defaults(self) -> Json<'t> {
        Json { defaults: false, ..self }
    }

    fn below(self, parent: NodeId, inner: &'t Inner) -> Json<'t> {
        Json { parent: Some(parent), inner, ..self }
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = |child: &&Child| self.defaults || !child.default;
        let mut object = serializer.serialize_map(None)?;
        for child in self.inner.iter().filter(shown) {
            let name = name_under(self.schema, self.parent, child.node);
            match &child.content {
                Content::Container(inner) => object.serialize_entry(&*name, &self.below(child.node, inner))?,
                _ => object.serialize_entry(&*name, &Member { json: *self, child })?,
            }
        }
        object.end()
    }
}

fn text(json: &Json<'_>) -> String {
    serde_json::to_string(json).expect("names are strings, and memory takes all that is written")
}

/// The instances of anything but a container.
struct Member<'t> {
    json: Json<'t>,
    child: &'t Child,
}

impl Serialize for Member<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let node = self.json.schema.node(self.child.node);
        let leaf = |value| Leaf { schema: self.json.schema, node, value };
        match &self.child.content {
            Content::Leaf(value) => leaf(value).serialize(serializer),
            Content::LeafList(values) => serializer.collect_seq(values.iter().map(leaf)),
            Content::List(list) => {
                serializer.collect_seq(list.iter().map(|(_, entry)| self.json.below(self.child.node, entry)))
            }
            Content::Container(inner) => self.json.below(self.child.node, inner).serialize(serializer),
            Content::Any(xml) => serializer.serialize_str(xml),
        }
    }
}

struct Leaf<'t> {
    schema: &'t Schema,
    node: &'t SchemaNode,
    value: &'t Value,
}

impl Leaf<'_> {
    fn leaf_type(&self) -> &RawType {
        self.node.leaf_type.as_ref().expect("only leafs and leaf-lists have values").resolved()
    }

    /// An identity of the leaf's own module goes by its bare name (RFC 7951 section 6.8).
    fn qualified<'v>(&self, text: &'v SmolStr) -> &'v str {
        match text.split_once(':') {
            Some((module, name))
                if self.leaf_type().base == RawBase::IdentityRef
                    && module == self.schema.module(self.node.module).name =>
            {
                name
            }
            _ => text,
        }
    }
}

impl Serialize for Leaf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Empty => {
                let mut array = serializer.serialize_seq(Some(1))?;
                array.serialize_element(&())?;
                array.end()
            }
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Int(number) if is_wide(self.leaf_type(), RawBase::Signed, (*number).into()) => {
                serializer.serialize_str(itoa::Buffer::new().format(*number))
            }
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Uint(number) if is_wide(self.leaf_type(), RawBase::Unsigned, (*number).into()) => {
                serializer.serialize_str(itoa::Buffer::new().format(*number))
            }
            Value::Uint(number) => serializer.serialize_u64(*number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Qualified(text) => serializer.serialize_str(self.qualified(text)),
        }
    }
}

/// Whether a number is of a 64-bit type: of the first member that takes it, in a union.
fn is_wide(leaf_type: &RawType, base: RawBase, number: i128) -> bool {
    fn member(leaf_type: &RawType, base: RawBase, number: i128) -> Option<&RawType> {
        match leaf_type.base {
            RawBase::Union | RawBase::Leafref => leaf_type.members.iter().find_map(|m| member(m, base, number)),
            own => (own == base && leaf_type.ranges.iter().any(|(low, high)| (low..=high).contains(&&number)))
                .then_some(leaf_type),
        }
    }
    member(leaf_type, base, number).is_some_and(|member| member.wide)
}

#[cfg(test)]
mod tests;
