//! What a container, list, leaf-list or choice shows to serde when it is read.

use std::borrow::Cow;
use std::slice;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, VariantAccess, Visitor};

use super::de::{Context, Meanings, NodeDeserializer, Source};
use super::{SerdeError, name_under, predicate_of};
use crate::yang::ffi::RawBase;
use crate::yang::schema::{NodeId, NodeKind, Schema};
use crate::yang::tree::{Child, Inner, Key};

/// The children of one container or entry: those there, then the lists and empties that the struct also asks for.
pub(super) struct Fields<'c, 'de> {
    cx: &'c Context<'de>,
    parent: Option<NodeId>,
    inner: &'de Inner,
    names: &'static [&'static str],
    nodes: Meanings,
    children: slice::Iter<'de, Child>,
    /// Fields mostly come in the order of the model: where to look first.
    next: usize,
    absent: usize,
    current: Option<(NodeId, Source<'de>)>,
}

impl<'c, 'de> Fields<'c, 'de> {
    pub(super) fn new(
        cx: &'c Context<'de>,
        parent: Option<NodeId>,
        inner: &'de Inner,
        names: &'static [&'static str],
        nodes: Meanings,
    ) -> Fields<'c, 'de> {
        Fields { cx, parent, inner, names, nodes, children: inner.iter(), next: 0, absent: 0, current: None }
    }

    fn name(&mut self, node: NodeId) -> Cow<'de, str> {
        let (before, after) = self.nodes.split_at(self.next.min(self.nodes.len()));
        let wanted = Some(node);
        let found = after.iter().position(|n| *n == wanted).map(|i| i + before.len());
        match found.or_else(|| before.iter().position(|n| *n == wanted)) {
            Some(i) => {
                self.next = i + 1;
                Cow::Borrowed(self.names[i])
            }
            None => name_under(self.cx.schema, self.parent, node),
        }
    }

    fn next_absent(&mut self) -> Option<(&'static str, NodeId)> {
        while self.absent < self.nodes.len() {
            let i = self.absent;
            self.absent += 1;
            let Some(node) = self.nodes[i] else { continue };
            let is_collection = match self.cx.schema.node(node).kind {
                NodeKind::List | NodeKind::LeafList => true,
                NodeKind::Leaf => self.cx.base(node) == Some(RawBase::Empty),
                _ => false,
            };
            if is_collection && !self.inner.contains(node) && !self.nodes[..i].contains(&Some(node)) {
                return Some((self.names[i], node));
            }
        }
        None
    }
}

impl<'de> de::MapAccess<'de> for Fields<'_, 'de> {
    type Error = SerdeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, SerdeError> {
        if let Some(child) = self.children.next() {
            self.current = Some((child.node, Source::of(child)));
            return match self.name(child.node) {
                Cow::Borrowed(name) => seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some),
                Cow::Owned(name) => seed.deserialize(name.into_deserializer()).map(Some),
            };
        }
        let Some((name, node)) = self.next_absent() else { return Ok(None) };
        self.current = Some((node, Source::Absent(node)));
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, SerdeError> {
        let (node, source) =
            self.current.take().ok_or_else(|| SerdeError::new("a value was asked for before its name"))?;
        seed.deserialize(NodeDeserializer { cx: self.cx, source }).map_err(|error| {
            let schema = self.cx.schema;
            valued(error, source).under_node(schema, self.parent, node)
        })
    }
}

/// The entries of a list by their only key.
pub(super) struct Entries<'c, 'de, I> {
    pub(super) cx: &'c Context<'de>,
    pub(super) node: NodeId,
    pub(super) entries: I,
    pub(super) entry: Option<&'de Inner>,
}

impl<'de, I: Iterator<Item = (Option<&'de Key>, &'de Inner)>> de::MapAccess<'de> for Entries<'_, 'de, I> {
    type Error = SerdeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, SerdeError> {
        let leaf = self.cx.schema.node(self.node).keys[0];
        let Some((Some(key), inner)) = self.entries.next() else { return Ok(None) };
        self.entry = Some(inner);
        seed.deserialize(NodeDeserializer { cx: self.cx, source: Source::Value(leaf, &key.values()[0]) }).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, SerdeError> {
        let inner = self.entry.take().ok_or_else(|| SerdeError::new("a value was asked for before its key"))?;
        let source = Source::Inner(Some(self.node), inner);
        seed.deserialize(NodeDeserializer { cx: self.cx, source })
            .map_err(|e| under_entry(self.cx.schema, e, source, 0))
    }
}

/// The elements of a list or leaf-list.
pub(super) struct Sequence<'c, 'de, I> {
    pub(super) cx: &'c Context<'de>,
    pub(super) sources: I,
    pub(super) position: usize,
}

impl<'de, I: Iterator<Item = Source<'de>>> de::SeqAccess<'de> for Sequence<'_, 'de, I> {
    type Error = SerdeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, SerdeError> {
        let Some(source) = self.sources.next() else { return Ok(None) };
        self.position += 1;
        let element = seed.deserialize(NodeDeserializer { cx: self.cx, source });
        element.map(Some).map_err(|error| under_entry(self.cx.schema, error, source, self.position))
    }

    fn size_hint(&self) -> Option<usize> {
        match self.sources.size_hint() {
            (low, Some(high)) if low == high => Some(low),
            _ => None,
        }
    }
}

/// A choice seen as an enum: the one child that a variant names.
pub(super) struct Chosen<'c, 'de> {
    pub(super) cx: &'c Context<'de>,
    pub(super) parent: Option<NodeId>,
    pub(super) child: &'de Child,
    pub(super) variant: &'static str,
}

impl<'de> de::EnumAccess<'de> for Chosen<'_, 'de> {
    type Error = SerdeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), SerdeError> {
        let variant = seed.deserialize(BorrowedStrDeserializer::<SerdeError>::new(self.variant))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Chosen<'_, 'de> {
    type Error = SerdeError;

    fn unit_variant(self) -> Result<(), SerdeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, SerdeError> {
        let source = Source::of(self.child);
        let value = seed.deserialize(NodeDeserializer { cx: self.cx, source });
        value.map_err(|error| valued(error, source).under_node(self.cx.schema, self.parent, self.child.node))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, SerdeError> {
        let source = Source::of(self.child);
        let value = de::Deserializer::deserialize_seq(NodeDeserializer { cx: self.cx, source }, visitor);
        value.map_err(|error| valued(error, source).under_node(self.cx.schema, self.parent, self.child.node))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        let source = Source::of(self.child);
        let value = de::Deserializer::deserialize_struct(NodeDeserializer { cx: self.cx, source }, "", fields, visitor);
        value.map_err(|error| valued(error, source).under_node(self.cx.schema, self.parent, self.child.node))
    }
}

/// The name of a bit.
pub(super) struct Borrowed<'de>(pub(super) BorrowedStrDeserializer<'de, SerdeError>);

impl<'de> IntoDeserializer<'de, SerdeError> for Borrowed<'de> {
    type Deserializer = BorrowedStrDeserializer<'de, SerdeError>;

    fn into_deserializer(self) -> Self::Deserializer {
        self.0
    }
}

/// Says in an error that a leaf itself gave which value it was.
fn valued(mut error: SerdeError, source: Source<'_>) -> SerdeError {
    if let (None, true, Source::Value(_, value)) = (&error.value, error.path.is_empty(), source) {
        error.value = Some(value.to_string());
    }
    error
}

fn under_entry(schema: &Schema, error: SerdeError, source: Source<'_>, position: usize) -> SerdeError {
    let error = valued(error, source);
    match source {
        Source::Inner(Some(node), inner) => {
            let children: Vec<Child> = inner.iter().cloned().collect();
            match predicate_of(schema, schema.node(node), &children) {
                predicate if predicate.is_empty() => error.under_position(position),
                predicate => error.under(&predicate),
            }
        }
        _ => error.under_position(position),
    }
}
