//! The reader of JSON (RFC 7951): straight into the tree, every value met by its schema node.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::yang::ffi::RawBase;
use crate::yang::schema::{NodeId, NodeKind, Schema};
use crate::yang::serde::{SerdeError, any, child_of, insert, leaf_list, name_under};
use crate::yang::tree::{Content, Inner, List, Tree};
use crate::yang::value::Value;

/// Faults that one reading reports before it gives up: enough to mend a file by, not so many that a wrong one fills
/// the screen or memory.
pub const MAX_ERRORS: usize = 64;

/// The data of a JSON text whose members are top-level nodes. Reports every fault it finds, up to [`MAX_ERRORS`], but
/// nothing after a syntax error or below 128 nested arrays and objects. Whole-tree constraints are for validation.
pub fn read(schema: &Arc<Schema>, text: &str) -> Result<Tree, Vec<SerdeError>> {
    document(schema, None, text).map(|root| Tree::with_root(schema.clone(), root))
}

/// The children of one instance of `parent` from a JSON object, as [`read`] does it.
pub fn read_inner(schema: &Schema, parent: NodeId, text: &str) -> Result<Inner, Vec<SerdeError>> {
    document(schema, Some(parent), text)
}

fn document(schema: &Schema, parent: Option<NodeId>, text: &str) -> Result<Inner, Vec<SerdeError>> {
    let mut reader = Reader { schema, path: Vec::new(), errors: Vec::new() };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let object = Object { reader: &mut reader, parent };
    let inner = match deserializer.deserialize_any(object).and_then(|inner| deserializer.end().map(|()| inner)) {
        Ok(inner) => inner,
        Err(error) => {
            let error = reader.fault(None, error.to_string());
            reader.errors.push(error);
            Inner::default()
        }
    };
    if !reader.errors.is_empty() {
        let above = parent.map_or_else(String::new, |parent| schema.path(parent));
        return Err(reader.errors.into_iter().map(|error| error.under(&above)).collect());
    }
    Ok(inner)
}

struct Reader<'s> {
    schema: &'s Schema,
    /// The nodes from the top to here, with the position (from 1) of an entry.
    path: Vec<(NodeId, Option<usize>)>,
    errors: Vec<SerdeError>,
}

impl Reader<'_> {
    fn fault(&self, value: Option<&str>, reason: impl Into<String>) -> SerdeError {
        SerdeError { path: self.path_text(), value: value.map(str::to_owned), reason: reason.into() }
    }

    fn path_text(&self) -> String {
        let mut text = String::new();
        for (node, position) in &self.path {
            text.push('/');
            text.push_str(&name_under(self.schema, self.schema.node(*node).data_parent, *node));
            if let Some(position) = position {
                text.push_str(&format!("[{position}]"));
            }
        }
        text
    }

    fn report<E: Error>(&mut self, error: SerdeError) -> Result<(), E> {
        self.errors.push(error);
        if self.errors.len() < MAX_ERRORS { Ok(()) } else { Err(E::custom("too many errors; the rest is not read")) }
    }

    fn members<'de, A: MapAccess<'de>>(&mut self, parent: Option<NodeId>, mut map: A) -> Result<Inner, A::Error> {
        let mut found = Vec::new();
        while let Some(name) = map.next_key_seed(Name { schema: self.schema, parent })? {
            let id = match name {
                Ok(id) => id,
                Err(error) => {
                    let error = error.under(&self.path_text());
                    self.report(error)?;
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            self.path.push((id, None));
            if let Some(content) = map.next_value_seed(Node { reader: self, id, is_entry: false })? {
                found.push(child_of(self.schema, id, content));
            }
            self.path.pop();
        }
        found.sort_by_key(|child| child.node);
        for pair in found.windows(2).filter(|pair| pair[0].node == pair[1].node) {
            self.path.push((pair[0].node, None));
            let error = self.fault(None, "given twice");
            self.report(error)?;
            self.path.pop();
        }
        Ok(Inner::from_iter(found))
    }

    fn values<'de, A: SeqAccess<'de>>(&mut self, id: NodeId, mut seq: A) -> Result<Option<Content>, A::Error> {
        let mut values = Vec::new();
        for position in 1.. {
            self.at_position(Some(position));
            match seq.next_element_seed(Node { reader: self, id, is_entry: true })? {
                None => break,
                Some(Some(Content::Leaf(value))) => values.push(value),
                Some(_) => {}
            }
        }
        self.at_position(None);
        match leaf_list(self.schema.node(id), values) {
            Ok(content) => Ok(content),
            Err(error) => {
                let error = error.under(&self.path_text());
                self.report(error)?;
                Ok(None)
            }
        }
    }

    fn entries<'de, A: SeqAccess<'de>>(&mut self, id: NodeId, mut seq: A) -> Result<Option<Content>, A::Error> {
        let mut list = List::new(self.schema, id);
        for position in 1.. {
            self.at_position(Some(position));
            let faults = self.errors.len();
            match seq.next_element_seed(Node { reader: self, id, is_entry: true })? {
                None => break,
                Some(Some(Content::Container(entry))) => {
                    let inserted = insert(self.schema, self.schema.node(id), &mut list, entry);
                    // A key that is missing because it was refused has been told of.
                    if let Err(mut error) = inserted
                        && self.errors.len() == faults
                    {
                        if !error.path.is_empty() {
                            self.at_position(None);
                        }
                        error = error.under(&self.path_text());
                        self.report(error)?;
                    }
                }
                Some(_) => {}
            }
        }
        self.at_position(None);
        Ok((!list.is_empty()).then_some(Content::List(list)))
    }

    fn at_position(&mut self, position: Option<usize>) {
        if let Some(last) = self.path.last_mut() {
            last.1 = position;
        }
    }
}

/// The whole text: an object of children.
struct Object<'r, 's> {
    reader: &'r mut Reader<'s>,
    parent: Option<NodeId>,
}

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = Inner;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of YANG data")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Inner, A::Error> {
        self.reader.members(self.parent, map)
    }
}

/// A member's name (RFC 7951 section 4).
struct Name<'s> {
    schema: &'s Schema,
    parent: Option<NodeId>,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Result<NodeId, SerdeError>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<'de> Visitor<'de> for Name<'_> {
    type Value = Result<NodeId, SerdeError>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let fault = |reason: &str| Err(SerdeError::new(reason).under(&format!("/{name}")));
        if name.starts_with('@') {
            return Ok(fault("metadata (RFC 7952) is not taken here"));
        }
        let (module, local) = match (name.split_once(':'), self.parent) {
            (Some((module, local)), _) => (self.schema.module_by_name(module), local),
            (None, Some(parent)) => (Some(self.schema.node(parent).module), name),
            (None, None) => return Ok(fault("a top-level name needs its module: module:name")),
        };
        let Some(module) = module else { return Ok(fault("no such module")) };
        Ok(match self.schema.child(self.parent, module, local) {
            Some(id) => Ok(id),
            None => fault("no such node here"),
        })
    }
}

/// The value of a member, or one element of its array.
struct Node<'r, 's> {
    reader: &'r mut Reader<'s>,
    id: NodeId,
    is_entry: bool,
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = Option<Content>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Content>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Bool,
    Number,
    Text,
}

impl Form {
    /// A string stands for any value; only a union has others to choose from.
    fn is_of(self, value: &Value) -> bool {
        match self {
            Form::Bool => matches!(value, Value::Bool(_)),
            Form::Number => matches!(value, Value::Int(_) | Value::Uint(_)),
            Form::Text => true,
        }
    }
}

impl Node<'_, '_> {
    fn kind(&self) -> NodeKind {
        self.reader.schema.node(self.id).kind
    }

    fn scalar<E: Error>(self, form: Form, text: &str) -> Result<Option<Content>, E> {
        let outcome = match (self.kind(), self.is_entry) {
            (NodeKind::Leaf, _) | (NodeKind::LeafList, true) if self.takes(form) => {
                match self.reader.schema.value_json(self.id, text) {
                    Ok(value) if form.is_of(&value) => Ok(Content::Leaf(value)),
                    Ok(_) => Err("no member of the union is of this JSON type".to_owned()),
                    Err(error) => Err(error.message),
                }
            }
            (NodeKind::AnyData | NodeKind::AnyXml, _) if form == Form::Text => any(text).map_err(|error| error.reason),
            _ => Err(self.expects().to_owned()),
        };
        match outcome {
            Ok(content) => Ok(Some(content)),
            Err(reason) => self.refuse(Some(text), reason),
        }
    }

    fn takes(&self, form: Form) -> bool {
        let Some(leaf_type) = &self.reader.schema.node(self.id).leaf_type else { return false };
        let leaf_type = leaf_type.resolved();
        match leaf_type.base {
            RawBase::Union => true,
            RawBase::Empty => false,
            RawBase::Boolean => form == Form::Bool,
            RawBase::Signed | RawBase::Unsigned if !leaf_type.wide => form == Form::Number,
            _ => form == Form::Text,
        }
    }

    fn expects(&self) -> &'static str {
        let node = self.reader.schema.node(self.id);
        match node.kind {
            NodeKind::List if !self.is_entry => "a list is an array of objects",
            NodeKind::LeafList if !self.is_entry => "a leaf-list is an array",
            NodeKind::AnyData | NodeKind::AnyXml => "anydata is a string of the XML inside it",
            NodeKind::Leaf | NodeKind::LeafList => match node.leaf_type.as_ref().map(|t| t.resolved()) {
                Some(t) if t.base == RawBase::Empty => "type empty is [null]",
                Some(t) if t.base == RawBase::Boolean => "a boolean is true or false, without quotes",
                Some(t) if t.base == RawBase::Decimal64 || t.wide => "64-bit numbers and decimal64 are strings",
                Some(t) if matches!(t.base, RawBase::Signed | RawBase::Unsigned) => "an integer, without quotes",
                Some(t) if t.base == RawBase::Union => "a single value",
                _ => "a string",
            },
            _ => "an object",
        }
    }

    fn refuse<E: Error>(self, value: Option<&str>, reason: impl Into<String>) -> Result<Option<Content>, E> {
        let error = self.reader.fault(value, reason);
        self.reader.report(error)?;
        Ok(None)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = Option<Content>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expects())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Option<Content>, E> {
        self.scalar(Form::Bool, if flag { "true" } else { "false" })
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Option<Content>, E> {
        self.scalar(Form::Number, itoa::Buffer::new().format(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<Content>, E> {
        self.scalar(Form::Number, itoa::Buffer::new().format(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Option<Content>, E> {
        let reason = self.expects();
        self.refuse(Some(&number.to_string()), reason)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<Content>, E> {
        self.scalar(Form::Text, text)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<Content>, E> {
        let reason = self.expects();
        self.refuse(Some("null"), reason)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Option<Content>, A::Error> {
        match (self.kind(), self.is_entry) {
            (NodeKind::LeafList, false) => return self.reader.values(self.id, seq),
            (NodeKind::List, false) => return self.reader.entries(self.id, seq),
            (NodeKind::Leaf, _) | (NodeKind::LeafList, true) if self.may_be_empty() => {
                let first = seq.next_element::<Option<IgnoredAny>>()?;
                let second = seq.next_element::<IgnoredAny>()?;
                if let (Some(None), None) = (first, second) {
                    return Ok(Some(Content::Leaf(Value::Empty)));
                }
            }
            _ => {}
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        let reason = self.expects();
        self.refuse(None, reason)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Content>, A::Error> {
        let takes_members = match self.kind() {
            NodeKind::List => self.is_entry,
            NodeKind::Leaf | NodeKind::LeafList | NodeKind::AnyData | NodeKind::AnyXml => false,
            _ => true,
        };
        if takes_members {
            return self.reader.members(Some(self.id), map).map(|inner| Some(Content::Container(inner)));
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        let reason = self.expects();
        self.refuse(None, reason)
    }
}

impl Node<'_, '_> {
    fn may_be_empty(&self) -> bool {
        let Some(leaf_type) = &self.reader.schema.node(self.id).leaf_type else { return false };
        let leaf_type = leaf_type.resolved();
        leaf_type.base == RawBase::Empty || leaf_type.members.iter().any(|member| member.base == RawBase::Empty)
    }
}
