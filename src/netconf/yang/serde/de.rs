//! Deserialization from the tree: the Rust type asks, the schema says how each value reads.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Display;
use std::rc::Rc;

use base64ct::{Base64, Encoding};
use serde::de::value::{BorrowedStrDeserializer, CowStrDeserializer};
use serde::de::{self, Deserialize, Unexpected, Visitor};

use super::access::{Borrowed, Chosen, Entries, Fields, Sequence};
use super::{SerdeError, resolve};
use crate::yang::ffi::RawBase;
use crate::yang::schema::{NodeId, NodeKind, Schema};
use crate::yang::tree::{Child, Content, Inner, List};
use crate::yang::value::Value;

/// The data that a Rust value comes from.
#[derive(Clone, Copy)]
pub(super) enum Source<'de> {
    /// The children of the node; of the top level for None.
    Inner(Option<NodeId>, &'de Inner),
    List(NodeId, &'de List),
    Values(NodeId, &'de [Value]),
    Value(NodeId, &'de Value),
    Any(&'de str),
    /// A list, leaf-list or leaf of type empty that a struct asks for and is not there.
    Absent(NodeId),
}

impl<'de> Source<'de> {
    pub(super) fn of(child: &'de Child) -> Source<'de> {
        match &child.content {
            Content::Leaf(value) => Source::Value(child.node, value),
            Content::LeafList(values) => Source::Values(child.node, values),
            Content::Container(inner) => Source::Inner(Some(child.node), inner),
            Content::List(list) => Source::List(child.node, list),
            Content::Any(text) => Source::Any(text),
        }
    }
}

pub(super) fn value<'de, T: Deserialize<'de>>(schema: &'de Schema, source: Source<'de>) -> Result<T, SerdeError> {
    T::deserialize(NodeDeserializer { cx: &Context { schema, names: RefCell::default() }, source })
}

/// The address and length of a static slice of names.
type Names = (*const &'static str, usize);

/// The node that each name of a type means.
pub(super) type Meanings = Rc<[Option<NodeId>]>;

pub(super) struct Context<'de> {
    pub(super) schema: &'de Schema,
    /// Which nodes the names of a Rust type mean below a node: looked up once, not per list entry. The static slice of
    /// names tells the type by its address and length.
    names: RefCell<HashMap<(Names, Option<NodeId>), Meanings>>,
}

impl Context<'_> {
    fn nodes(&self, parent: Option<NodeId>, names: &'static [&'static str]) -> Result<Meanings, SerdeError> {
        let at = ((names.as_ptr(), names.len()), parent);
        if let Some(known) = self.names.borrow().get(&at) {
            return Ok(known.clone());
        }
        let nodes = names.iter().map(|name| resolve(self.schema, parent, name)).collect::<Result<Meanings, _>>()?;
        self.names.borrow_mut().insert(at, nodes.clone());
        Ok(nodes)
    }

    /// The base type behind a leaf's or leaf-list's leafrefs.
    pub(super) fn base(&self, node: NodeId) -> Option<RawBase> {
        Some(self.schema.node(node).leaf_type.as_ref()?.resolved().base)
    }
}

#[derive(Clone, Copy)]
pub(super) struct NodeDeserializer<'c, 'de> {
    pub(super) cx: &'c Context<'de>,
    pub(super) source: Source<'de>,
}

impl<'c, 'de> NodeDeserializer<'c, 'de> {
    fn mismatch<T>(&self, visitor: &dyn de::Expected) -> Result<T, SerdeError> {
        let found = match self.source {
            Source::Inner(..) => Unexpected::Other("a container or list entry"),
            Source::List(..) => Unexpected::Other("a list"),
            Source::Values(..) => Unexpected::Other("a leaf-list"),
            Source::Any(_) => Unexpected::Other("anydata"),
            Source::Absent(_) => Unexpected::Other("nothing"),
            Source::Value(_, Value::Empty) => Unexpected::Unit,
            Source::Value(_, Value::Bool(flag)) => Unexpected::Bool(*flag),
            Source::Value(_, Value::Int(number)) => Unexpected::Signed(*number),
            Source::Value(_, Value::Uint(number)) => Unexpected::Unsigned(*number),
            Source::Value(_, Value::Text(text) | Value::Qualified(text)) => Unexpected::Str(text),
        };
        Err(de::Error::invalid_type(found, visitor))
    }

    /// A number from any leaf whose text is one.
    fn integer<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.source {
            Source::Value(_, Value::Int(number)) => visitor.visit_i64(*number),
            Source::Value(_, Value::Uint(number)) => visitor.visit_u64(*number),
            Source::Value(_, Value::Text(text)) => match (text.parse(), text.parse()) {
                (Ok(number), _) => visitor.visit_u64(number),
                (_, Ok(number)) => visitor.visit_i64(number),
                _ => self.mismatch(&visitor),
            },
            _ => self.mismatch(&visitor),
        }
    }

    fn text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.source {
            Source::Value(_, value) => match value.text() {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            Source::Any(text) => visitor.visit_borrowed_str(text),
            _ => self.mismatch(&visitor),
        }
    }

    fn bytes(self, text: &str) -> Result<Vec<u8>, SerdeError> {
        let plain: String = text.split_ascii_whitespace().collect();
        Base64::decode_vec(&plain).map_err(|error| SerdeError::of_value(text, error.to_string()))
    }
}

impl<'de> de::Deserializer<'de> for NodeDeserializer<'_, 'de> {
    type Error = SerdeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.source {
            Source::Inner(..) => self.deserialize_map(visitor),
            Source::List(..) | Source::Values(..) => self.deserialize_seq(visitor),
            Source::Any(_) => self.text(visitor),
            Source::Absent(node) if self.cx.schema.node(node).kind == NodeKind::Leaf => visitor.visit_bool(false),
            Source::Absent(_) => self.deserialize_seq(visitor),
            Source::Value(_, Value::Empty) => visitor.visit_bool(true),
            Source::Value(_, Value::Bool(flag)) => visitor.visit_bool(*flag),
            Source::Value(_, Value::Int(_) | Value::Uint(_)) => self.integer(visitor),
            Source::Value(node, Value::Text(text)) if self.cx.base(node) == Some(RawBase::Decimal64) => {
                match text.parse() {
                    Ok(number) => visitor.visit_f64(number),
                    Err(_) => self.mismatch(&visitor),
                }
            }
            Source::Value(_, Value::Text(_) | Value::Qualified(_)) => self.text(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.source {
            Source::Value(_, Value::Bool(flag)) => visitor.visit_bool(*flag),
            Source::Value(_, Value::Empty) | Source::Inner(..) => visitor.visit_bool(true),
            Source::Absent(_) => visitor.visit_bool(false),
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.integer(visitor)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.integer(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.integer(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.integer(visitor)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.integer(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.integer(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.integer(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.integer(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.integer(visitor)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.integer(visitor)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        // Parsed as what it becomes: rounding to f64 first could round twice.
        match self.source {
            Source::Value(_, Value::Text(text)) => match text.parse() {
                Ok(number) => visitor.visit_f32(number),
                Err(_) => self.mismatch(&visitor),
            },
            _ => self.deserialize_f64(visitor),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.source {
            Source::Value(_, Value::Text(text)) => match text.parse() {
                Ok(number) => visitor.visit_f64(number),
                Err(_) => self.mismatch(&visitor),
            },
            _ => self.integer(visitor),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.text(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.source {
            Source::Value(node, Value::Text(text)) if self.cx.base(node) == Some(RawBase::Binary) => {
                visitor.visit_byte_buf(self.bytes(text)?)
            }
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.source {
            Source::Absent(_) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.source {
            Source::Value(_, Value::Empty) | Source::Inner(..) => visitor.visit_unit(),
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        let cx = self.cx;
        match self.source {
            Source::Values(node, values) => {
                visitor.visit_seq(Sequence { cx, sources: values.iter().map(|v| Source::Value(node, v)), position: 0 })
            }
            Source::List(node, list) => {
                let sources = list.iter().map(|(_, inner)| Source::Inner(Some(node), inner));
                visitor.visit_seq(Sequence { cx, sources, position: 0 })
            }
            Source::Absent(node) if cx.schema.node(node).kind != NodeKind::Leaf => {
                visitor.visit_seq(Sequence { cx, sources: std::iter::empty(), position: 0 })
            }
            Source::Value(node, Value::Text(text)) => match cx.base(node) {
                Some(RawBase::Binary) => {
                    visitor.visit_seq(de::value::SeqDeserializer::new(self.bytes(text)?.into_iter()))
                }
                Some(RawBase::Bits) => {
                    let names = text.split_ascii_whitespace().map(BorrowedStrDeserializer::new);
                    visitor.visit_seq(de::value::SeqDeserializer::new(names.map(Borrowed)))
                }
                _ => self.mismatch(&visitor),
            },
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        let schema = self.cx.schema;
        match self.source {
            Source::Inner(parent, inner) => visitor.visit_map(Fields::new(self.cx, parent, inner, &[], Rc::default())),
            Source::List(node, list) if schema.node(node).keys.len() == 1 => {
                visitor.visit_map(Entries { cx: self.cx, node, entries: list.iter(), entry: None })
            }
            Source::Absent(node) if schema.node(node).kind == NodeKind::List => {
                visitor.visit_map(Entries { cx: self.cx, node, entries: std::iter::empty(), entry: None })
            }
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        match self.source {
            Source::Inner(parent, inner) => {
                let nodes = self.cx.nodes(parent, fields)?;
                visitor.visit_map(Fields::new(self.cx, parent, inner, fields, nodes))
            }
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        match self.source {
            Source::Value(_, value) => {
                let text = value.text();
                let local = match (value, text.split_once(':')) {
                    (Value::Qualified(_), Some((_, local))) if !variants.contains(&&*text) => {
                        variants.iter().find(|v| **v == local)
                    }
                    _ => None,
                };
                match local {
                    Some(local) => visitor.visit_enum(BorrowedStrDeserializer::new(local)),
                    None => visitor.visit_enum(CowStrDeserializer::new(text)),
                }
            }
            Source::Inner(parent, inner) => {
                let nodes = self.cx.nodes(parent, variants)?;
                let chosen = inner.iter().find_map(|child| {
                    let i = nodes.iter().position(|node| *node == Some(child.node))?;
                    Some((child, variants[i]))
                });
                match chosen {
                    Some((child, variant)) => visitor.visit_enum(Chosen { cx: self.cx, parent, child, variant }),
                    None => Err(SerdeError::new(format!("holds none of {}", variants.join(", ")))),
                }
            }
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.text(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_unit()
    }
}

impl de::Error for SerdeError {
    fn custom<T: Display>(message: T) -> SerdeError {
        SerdeError::new(message.to_string())
    }
}
