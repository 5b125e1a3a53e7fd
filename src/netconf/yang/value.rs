//! Leaf values in canonical form (RFC 7950 section 9).

use std::borrow::Cow;
use std::fmt;

use smol_str::SmolStr;

use super::ffi::RawBase;

/// The canonical value of a leaf or of one leaf-list entry. Numbers order as numbers, so lists sort as people expect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    Empty,
    Bool(bool),
    Int(i64),
    Uint(u64),
    /// All that carries no module names: string, enumeration, decimal64, binary, bits.
    Text(SmolStr),
    /// An identityref (`module:name`), instance-identifier or XPath with module names for prefixes (RFC 7951
    /// sections 6.8 and 6.11).
    Qualified(SmolStr),
}

impl Value {
    /// From libyang's canonical text.
    pub(super) fn from_canonical(text: &str, base: RawBase) -> Value {
        let as_text = || Value::Text(SmolStr::new(text));
        match base {
            RawBase::Empty => Value::Empty,
            RawBase::Boolean => Value::Bool(text == "true"),
            RawBase::Signed => text.parse().map_or_else(|_| as_text(), Value::Int),
            RawBase::Unsigned => text.parse().map_or_else(|_| as_text(), Value::Uint),
            RawBase::IdentityRef | RawBase::InstanceIdentifier | RawBase::XPath => Value::Qualified(SmolStr::new(text)),
            _ => as_text(),
        }
    }

    /// The canonical text, names qualified by module names.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Value::Empty => Cow::Borrowed(""),
            Value::Bool(true) => Cow::Borrowed("true"),
            Value::Bool(false) => Cow::Borrowed("false"),
            Value::Int(number) => Cow::Owned(number.to_string()),
            Value::Uint(number) => Cow::Owned(number.to_string()),
            Value::Text(text) | Value::Qualified(text) => Cow::Borrowed(text),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Empty => Ok(()),
            Value::Bool(flag) => flag.fmt(f),
            Value::Int(number) => number.fmt(f),
            Value::Uint(number) => number.fmt(f),
            Value::Text(text) | Value::Qualified(text) => f.write_str(text),
        }
    }
}
