//! Map keys, bits and bytes on their way into the tree, as text.

use serde::ser::{self, Impossible, Serialize};

use super::SerdeError;

/// Writes map keys, bits and bytes as text.
pub(super) struct TextSerializer<'b>(pub(super) &'b mut String);

macro_rules! as_text {
    ($($method:ident $kind:ty),*) => {$(
        fn $method(self, value: $kind) -> Result<(), SerdeError> {
            use std::fmt::Write;
            write!(self.0, "{value}").map_err(ser::Error::custom)
        }
    )*};
}

impl TextSerializer<'_> {
    fn refuse<T>() -> Result<T, SerdeError> {
        Err(SerdeError::new("a map key, bit or byte is a single text or number"))
    }
}

impl ser::Serializer for TextSerializer<'_> {
    type Ok = ();
    type Error = SerdeError;
    type SerializeSeq = Impossible<(), SerdeError>;
    type SerializeTuple = Impossible<(), SerdeError>;
    type SerializeTupleStruct = Impossible<(), SerdeError>;
    type SerializeTupleVariant = Impossible<(), SerdeError>;
    type SerializeMap = Impossible<(), SerdeError>;
    type SerializeStruct = Impossible<(), SerdeError>;
    type SerializeStructVariant = Impossible<(), SerdeError>;

    as_text!(
        serialize_bool bool, serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64, serialize_u8 u8,
        serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_char char, serialize_str &str
    );

    fn serialize_f32(self, _: f32) -> Result<(), SerdeError> {
        Self::refuse()
    }

    fn serialize_f64(self, _: f64) -> Result<(), SerdeError> {
        Self::refuse()
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), SerdeError> {
        Self::refuse()
    }

    fn serialize_none(self) -> Result<(), SerdeError> {
        Self::refuse()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), SerdeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), SerdeError> {
        Self::refuse()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), SerdeError> {
        Self::refuse()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), SerdeError> {
        self.0.push_str(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), SerdeError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), SerdeError> {
        Self::refuse()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, SerdeError> {
        Self::refuse()
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, SerdeError> {
        Self::refuse()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, SerdeError> {
        Self::refuse()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, SerdeError> {
        Self::refuse()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, SerdeError> {
        Self::refuse()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, SerdeError> {
        Self::refuse()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, SerdeError> {
        Self::refuse()
    }
}
