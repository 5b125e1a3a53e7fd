//! Serialization into the tree: each value meets the schema node it is for.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use base64ct::{Base64, Encoding};
use serde::ser::{self, Impossible, Serialize};
use smol_str::SmolStr;

use super::SerdeError;
use super::compound::{Children, Elements, Gathered, Map};
use crate::xml::{Document, Limits};
use crate::yang::ffi::{RawBase, RawType};
use crate::yang::schema::{NodeId, NodeKind, Schema, SchemaNode};
use crate::yang::tree::{Content, Inner, List};
use crate::yang::value::Value;

/// What a Rust value becomes.
#[derive(Clone, Copy)]
pub(super) enum Target {
    /// The top-level nodes.
    Root,
    /// All instances of a node under one parent.
    Node(NodeId),
    /// One entry of a list or leaf-list.
    Entry(NodeId),
}

/// The content for `target`; None where the value says that nothing is there.
pub(super) fn content<T: Serialize + ?Sized>(
    schema: &Schema,
    target: Target,
    value: &T,
) -> Result<Option<Content>, SerdeError> {
    value.serialize(NodeSerializer { cx: &Context { schema, identities: RefCell::default() }, target })
}

/// The children that a struct or map stands for.
pub(super) fn children<T: Serialize + ?Sized>(schema: &Schema, target: Target, value: &T) -> Result<Inner, SerdeError> {
    match content(schema, target, value)? {
        Some(Content::Container(inner)) => Ok(inner),
        None => Ok(Inner::default()),
        Some(_) => Err(SerdeError::new("a single value has no children")),
    }
}

pub(super) struct Context<'c> {
    pub(super) schema: &'c Schema,
    /// Identities are looked up in libyang, and a large list says the same few over and over.
    identities: RefCell<HashMap<(NodeId, SmolStr), Value>>,
}

#[derive(Clone, Copy)]
pub(super) struct NodeSerializer<'c> {
    pub(super) cx: &'c Context<'c>,
    pub(super) target: Target,
}

pub(super) type Placed = Result<Option<Content>, SerdeError>;

impl<'c> NodeSerializer<'c> {
    fn node(&self) -> Option<&'c SchemaNode> {
        match self.target {
            Target::Root => None,
            Target::Node(id) | Target::Entry(id) => Some(self.cx.schema.node(id)),
        }
    }

    /// The leaf or leaf-list that one value is for.
    fn leaf(&self) -> Option<&'c SchemaNode> {
        self.node().filter(|node| match self.target {
            Target::Node(_) => node.kind == NodeKind::Leaf,
            Target::Entry(_) => node.kind == NodeKind::LeafList,
            Target::Root => false,
        })
    }

    fn leaf_base(&self) -> Option<RawBase> {
        Some(self.leaf()?.leaf_type.as_ref()?.resolved().base)
    }

    /// True where a struct fits.
    fn has_children(&self) -> bool {
        self.node().is_none_or(|node| match self.target {
            Target::Entry(_) => node.kind == NodeKind::List,
            _ => matches!(
                node.kind,
                NodeKind::Container { .. }
                    | NodeKind::Notification
                    | NodeKind::Rpc
                    | NodeKind::Action
                    | NodeKind::Input
                    | NodeKind::Output
            ),
        })
    }

    fn scalar(self, text: &str) -> Placed {
        if let Some(leaf) = self.leaf() {
            return self.cx.value(leaf, text).map(|value| Some(Content::Leaf(value)));
        }
        match self.node() {
            Some(SchemaNode { kind: NodeKind::AnyData | NodeKind::AnyXml, .. }) => any(text).map(Some),
            _ => Err(SerdeError::of_value(text, self.expects())),
        }
    }

    fn float(self, number: impl Display, rounded: impl Fn(usize) -> String, finite: bool) -> Placed {
        let text = number.to_string();
        if !finite {
            return Err(SerdeError::of_value(text, "YANG has no number for this"));
        }
        let digits = self.leaf().and_then(|leaf| fraction_digits(leaf.leaf_type.as_ref()?.resolved()));
        match (digits, text.split_once('.')) {
            (Some(digits), Some((_, fraction))) if fraction.len() > digits => self.scalar(&rounded(digits)),
            _ => self.scalar(&text),
        }
    }

    fn map(self, length: usize) -> Result<Map<'c>, SerdeError> {
        match (self.target, self.node()) {
            (Target::Node(id), Some(node)) if node.kind == NodeKind::List && node.keys.len() == 1 => {
                let elements = Elements::new(self.cx, id, Gathered::Entries(List::new(self.cx.schema, id)));
                Ok(Map::Entries { elements, key: None })
            }
            _ => self.children(length).map(Map::Children),
        }
    }

    fn children(self, length: usize) -> Result<Children<'c>, SerdeError> {
        if !self.has_children() {
            return Err(SerdeError::new(self.expects()));
        }
        Ok(Children::new(self.cx, self.node(), length))
    }

    fn elements(self) -> Result<Elements<'c>, SerdeError> {
        let (Target::Node(id), Some(node)) = (self.target, self.node()) else {
            return Err(SerdeError::new(self.expects()));
        };
        let gathered = match (node.kind, self.leaf_base()) {
            (NodeKind::List, _) => Gathered::Entries(List::new(self.cx.schema, id)),
            (NodeKind::LeafList, _) => Gathered::Values(Vec::new()),
            (NodeKind::Leaf, Some(RawBase::Binary)) => Gathered::Bytes(Vec::new()),
            (NodeKind::Leaf, Some(RawBase::Bits)) => Gathered::Bits(String::new()),
            _ => return Err(SerdeError::new(self.expects())),
        };
        Ok(Elements::new(self.cx, id, gathered))
    }

    /// What would have fitted.
    fn expects(&self) -> &'static str {
        let Some(node) = self.node() else { return "the top level takes a struct or map" };
        match (self.target, node.kind) {
            (Target::Node(_), NodeKind::List) => "a list takes a sequence of structs",
            (_, NodeKind::List) => "a list entry takes a struct or map",
            (Target::Node(_), NodeKind::LeafList) => "a leaf-list takes a sequence",
            (_, NodeKind::Leaf | NodeKind::LeafList) => "a leaf takes a single value",
            (_, NodeKind::AnyData | NodeKind::AnyXml) => "anydata takes a string of XML",
            _ => "a container takes a struct or map",
        }
    }
}

impl Context<'_> {
    pub(super) fn value(&self, leaf: &SchemaNode, text: &str) -> Result<Value, SerdeError> {
        let is_identity = leaf.leaf_type.as_ref().is_some_and(|t| t.resolved().base == RawBase::IdentityRef);
        if is_identity { self.identity(leaf, text) } else { self.check(leaf, text) }
    }

    fn check(&self, leaf: &SchemaNode, text: &str) -> Result<Value, SerdeError> {
        self.schema.value_json(leaf.id, text).map_err(|error| SerdeError::of_value(text, error.message))
    }

    /// A name without a module is of the leaf's own module, or else of the only other that has such an identity.
    fn identity(&self, leaf: &SchemaNode, text: &str) -> Result<Value, SerdeError> {
        let known = (leaf.id, SmolStr::new(text));
        if let Some(value) = self.identities.borrow().get(&known) {
            return Ok(value.clone());
        }
        let value = self.check(leaf, text).or_else(|error| {
            if text.contains(':') {
                return Err(error);
            }
            let modules = self.schema.modules().iter().filter(|module| module.implemented);
            let mut found = modules.filter_map(|m| self.schema.value_json(leaf.id, &format!("{}:{text}", m.name)).ok());
            match (found.next(), found.next()) {
                (Some(first), Some(second)) => {
                    Err(SerdeError::of_value(text, format!("ambiguous: {first} or {second}")))
                }
                (Some(only), None) => Ok(only),
                _ => Err(error),
            }
        })?;
        self.identities.borrow_mut().insert(known, value.clone());
        Ok(value)
    }
}

impl<'c> ser::Serializer for NodeSerializer<'c> {
    type Ok = Option<Content>;
    type Error = SerdeError;
    type SerializeSeq = Elements<'c>;
    type SerializeTuple = Elements<'c>;
    type SerializeTupleStruct = Elements<'c>;
    type SerializeTupleVariant = Impossible<Option<Content>, SerdeError>;
    type SerializeMap = Map<'c>;
    type SerializeStruct = Children<'c>;
    type SerializeStructVariant = Children<'c>;

    fn serialize_bool(self, flag: bool) -> Placed {
        if self.leaf_base() == Some(RawBase::Empty) {
            return Ok(flag.then_some(Content::Leaf(Value::Empty)));
        }
        match self.node() {
            Some(SchemaNode { kind: NodeKind::Container { presence: true }, .. }) => {
                Ok(flag.then(|| Content::Container(Inner::default())))
            }
            _ => self.scalar(if flag { "true" } else { "false" }),
        }
    }

    fn serialize_i8(self, number: i8) -> Placed {
        self.serialize_i64(number.into())
    }

    fn serialize_i16(self, number: i16) -> Placed {
        self.serialize_i64(number.into())
    }

    fn serialize_i32(self, number: i32) -> Placed {
        self.serialize_i64(number.into())
    }

    fn serialize_i64(self, number: i64) -> Placed {
        self.scalar(itoa::Buffer::new().format(number))
    }

    fn serialize_i128(self, number: i128) -> Placed {
        self.scalar(itoa::Buffer::new().format(number))
    }

    fn serialize_u8(self, number: u8) -> Placed {
        self.serialize_u64(number.into())
    }

    fn serialize_u16(self, number: u16) -> Placed {
        self.serialize_u64(number.into())
    }

    fn serialize_u32(self, number: u32) -> Placed {
        self.serialize_u64(number.into())
    }

    fn serialize_u64(self, number: u64) -> Placed {
        self.scalar(itoa::Buffer::new().format(number))
    }

    fn serialize_u128(self, number: u128) -> Placed {
        self.scalar(itoa::Buffer::new().format(number))
    }

    fn serialize_f32(self, number: f32) -> Placed {
        self.float(number, |digits| format!("{number:.digits$}"), number.is_finite())
    }

    fn serialize_f64(self, number: f64) -> Placed {
        self.float(number, |digits| format!("{number:.digits$}"), number.is_finite())
    }

    fn serialize_char(self, character: char) -> Placed {
        self.scalar(character.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Placed {
        self.scalar(text)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Placed {
        match self.leaf_base() {
            Some(RawBase::Binary) => self.scalar(&Base64::encode_string(bytes)),
            _ => Err(SerdeError::new("bytes are for leafs of type binary")),
        }
    }

    fn serialize_none(self) -> Placed {
        Ok(None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Placed {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Placed {
        if self.leaf_base() == Some(RawBase::Empty) {
            Ok(Some(Content::Leaf(Value::Empty)))
        } else {
            self.children(0)?.content()
        }
    }

    fn serialize_unit_struct(self, _: &'static str) -> Placed {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Placed {
        if !self.has_children() {
            return self.scalar(variant);
        }
        let mut children = self.children(1)?;
        children.put(variant, &())?;
        children.content()
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Placed {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Placed {
        let mut children = self.children(1)?;
        children.put(variant, value)?;
        children.content()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Elements<'c>, SerdeError> {
        self.elements()
    }

    fn serialize_tuple(self, _: usize) -> Result<Elements<'c>, SerdeError> {
        self.elements()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Elements<'c>, SerdeError> {
        self.elements()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, SerdeError> {
        Err(SerdeError::of_value(variant, "a variant with several unnamed values has no form in YANG"))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Map<'c>, SerdeError> {
        self.map(length.unwrap_or(0))
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Children<'c>, SerdeError> {
        self.children(length)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Children<'c>, SerdeError> {
        let outer = self.children(1)?;
        let id = outer.child(variant)?;
        let inner = NodeSerializer { cx: self.cx, target: Target::Node(id) }.children(length);
        let mut inner = inner.map_err(|error| outer.locate(error, id))?;
        inner.wrap_in(outer);
        Ok(inner)
    }
}

/// Checks that the text can stand inside an element.
pub(in crate::yang) fn any(xml: &str) -> Result<Content, SerdeError> {
    match Document::parse(&format!("<any>{xml}</any>"), &Limits::default()) {
        Ok(_) => Ok(Content::Any(Arc::from(xml))),
        Err(error) => Err(SerdeError::of_value(xml, format!("not well-formed XML: {}", error.reason))),
    }
}

/// The places after the point of a decimal64, or of a union's first.
fn fraction_digits(leaf_type: &RawType) -> Option<usize> {
    match leaf_type.base {
        RawBase::Decimal64 => Some(leaf_type.fraction_digits.into()),
        RawBase::Union | RawBase::Leafref => leaf_type.members.iter().find_map(fraction_digits),
        _ => None,
    }
}

impl ser::Error for SerdeError {
    fn custom<T: Display>(message: T) -> SerdeError {
        SerdeError::new(message.to_string())
    }
}
