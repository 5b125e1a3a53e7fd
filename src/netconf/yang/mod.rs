//! YANG data (RFC 7950): compiled schemas, immutable instance trees, and what NETCONF does to them.

pub mod access;
pub mod defaults;
pub mod diff;
pub mod edit;
pub mod ffi;
pub mod filter;
pub mod json;
pub mod patch;
pub mod path;
pub mod schema;
pub mod serde;
pub mod standard;
pub mod tree;
pub mod validate;
pub mod value;
pub mod write;
pub mod xpath;
pub mod yang_patch;

pub use schema::{Module, ModuleId, NodeId, NodeKind, Schema, SchemaNode};
pub use standard::STANDARD_MODULES;
pub use tree::{Child, Content, Inner, Key, List, Place, Tree};
pub use value::Value;

#[cfg(test)]
pub(crate) mod fixture;
