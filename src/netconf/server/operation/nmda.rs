//! The datastores of RFC 8342 as parameters name them: by an identity, in a `<datastore>` (RFC 8526).

use super::parameters::{self, Datastore, Place};
use crate::error::{ErrorInfo, ErrorType, RpcError};
use crate::xml::Element;
use crate::yang::schema::Schema;
use crate::yang::value::Value;

pub const NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-nmda";

/// What an identity of ietf-datastores means on this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A datastore that clients can write.
    Writable(Datastore),
    /// Running as it is meant to be applied: nothing here makes it differ from running.
    Intended,
    Operational,
}

impl Named {
    /// The datastores of this server.
    pub const ALL: [Named; 5] = [
        Named::Writable(Datastore::Running),
        Named::Writable(Datastore::Candidate),
        Named::Writable(Datastore::Startup),
        Named::Intended,
        Named::Operational,
    ];

    /// The identity, after the name of its module.
    pub fn identity(self) -> &'static str {
        match self {
            Named::Writable(Datastore::Running) => "ietf-datastores:running",
            Named::Writable(Datastore::Candidate) => "ietf-datastores:candidate",
            Named::Writable(Datastore::Startup) => "ietf-datastores:startup",
            Named::Intended => "ietf-datastores:intended",
            Named::Operational => "ietf-datastores:operational",
        }
    }
}

/// The value of a `<datastore>` parameter. Anything but a datastore that is here is invalid-value.
pub fn named(schema: &Schema, parameter: Element<'_>) -> Result<Named, RpcError> {
    let identity = value(schema, "datastore", parameter)?;
    let found = Named::ALL.into_iter().find(|named| named.identity() == identity.text());
    found.ok_or_else(|| refused(parameter, "There is no such datastore."))
}

/// As [`named`], where the operation writes: one that cannot be written is invalid-value as well.
pub fn writable(schema: &Schema, parameter: Element<'_>) -> Result<Datastore, RpcError> {
    match named(schema, parameter)? {
        Named::Writable(datastore) => Ok(datastore),
        Named::Intended | Named::Operational => Err(refused(parameter, "The datastore is not writable.")),
    }
}

/// The `<target>` of lock and unlock, which RFC 8526 lets name any writable datastore by its identity.
pub fn target(schema: &Schema, parameter: Element<'_>) -> Result<Datastore, RpcError> {
    match only_datastore(schema, parameter) {
        Some(datastore) => writable(schema, datastore),
        None => parameters::datastore(parameter),
    }
}

/// The `<source>` of validate, which RFC 8526 lets name any configuration datastore by its identity.
pub fn source<'d>(schema: &Schema, parameter: Element<'d>) -> Result<Place<'d>, RpcError> {
    let Some(datastore) = only_datastore(schema, parameter) else { return parameters::place(parameter) };
    match named(schema, datastore)? {
        Named::Writable(datastore) => Ok(Place::Datastore(datastore)),
        Named::Intended => Ok(Place::Datastore(Datastore::Running)),
        Named::Operational => Err(refused(datastore, "The operational state is no configuration.")),
    }
}

fn only_datastore<'d>(schema: &Schema, parameter: Element<'d>) -> Option<Element<'d>> {
    let mut children = parameter.children();
    let only = children.next().filter(|child| child.is(NAMESPACE, "datastore") && children.next().is_none())?;
    schema.module_by_namespace(NAMESPACE).map(|_| only)
}

/// The value of a leaf of get-data's input.
pub fn value(schema: &Schema, leaf: &str, parameter: Element<'_>) -> Result<Value, RpcError> {
    if let Some(child) = parameter.children().next() {
        return Err(RpcError::unknown_element(child.name()).with_type(ErrorType::Protocol));
    }
    let node = schema.find(&format!("/ietf-netconf-nmda:get-data/input/{leaf}"));
    let node = node.ok_or_else(|| RpcError::unknown_element(leaf).with_type(ErrorType::Protocol))?;
    let text = parameter.text().trim_ascii();
    let value = schema.value_xml(node, text, |prefix| parameter.resolve_prefix(prefix));
    value.map_err(|error| refused(parameter, &format!("\"{text}\": {}", error.message)))
}

/// A parameter whose value fits its type and yet cannot be used, or does not fit it.
pub fn refused(parameter: Element<'_>, message: &str) -> RpcError {
    RpcError::invalid_value(message)
        .with_type(ErrorType::Protocol)
        .with_info(ErrorInfo::BadElement(parameter.name().to_owned()))
}
