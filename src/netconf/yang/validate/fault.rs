//! Faults and their errors (RFC 7950 section 15, and the decisions in docs/netconf.md), libyang's and our own alike.

use super::constraint::{Leafref, Unique};
use crate::error::{ErrorInfo, ErrorPath, ErrorType, RpcError};
use crate::yang::ffi::Fault;
use crate::yang::ffi::data::Kind;
use crate::yang::path::{self, InstancePath, Predicate};
use crate::yang::schema::{NodeId, Schema};
use crate::yang::value::Value;

const YANG_NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:1";

/// A mandatory leaf, anydata or anyxml that is not there; `path` is where it should be.
pub(super) fn mandatory_node(schema: &Schema, path: &InstancePath) -> RpcError {
    let name = &schema.node(last(path)).name;
    let error = RpcError::data_missing(format!("Mandatory node \"{name}\" instance does not exist."));
    error.with_path(path.to_error_path(schema))
}

/// None of the cases of a mandatory choice below `parent`.
pub(super) fn mandatory_choice(schema: &Schema, choice: NodeId, parent: &InstancePath) -> RpcError {
    let name = &schema.node(choice).name;
    let error = RpcError::data_missing(format!("Mandatory choice \"{name}\" data do not exist."))
        .with_info(missing_choice(name.to_string()))
        .with_app_tag("missing-choice");
    if parent.steps.is_empty() { error } else { error.with_path(parent.to_error_path(schema)) }
}

/// Too few or too many entries; `path` is that of the list, without an entry's key.
pub(super) fn count(schema: &Schema, path: &InstancePath, too_many: bool) -> RpcError {
    let name = &schema.node(last(path)).name;
    let (word, tag) = if too_many { ("many", "too-many-elements") } else { ("few", "too-few-elements") };
    let error = RpcError::operation_failed(format!("Too {word} \"{name}\" instances.")).with_app_tag(tag);
    error.with_path(path.to_error_path(schema))
}

/// A leafref without its target (RFC 7950 section 15.5).
pub(super) fn no_target(schema: &Schema, leafref: &Leafref, path: &InstancePath, value: &Value) -> RpcError {
    let message = format!(
        "Invalid leafref value \"{}\" - no target instance \"{}\" with the same value.",
        value.text(),
        leafref.text
    );
    instance_required(schema, message, path)
}

/// An instance-identifier without its instance.
pub(super) fn no_instance(schema: &Schema, path: &InstancePath, value: &Value) -> RpcError {
    let message = format!("Invalid instance-identifier \"{}\" value - required instance not found.", value.text());
    instance_required(schema, message, path)
}

fn instance_required(schema: &Schema, message: String, path: &InstancePath) -> RpcError {
    RpcError::data_missing(message).with_app_tag("instance-required").with_path(path.to_error_path(schema))
}

/// A must that is not met (RFC 7950 section 15.4).
pub(super) fn must(
    schema: &Schema,
    expression: &str,
    message: Option<&str>,
    app_tag: Option<&str>,
    path: &InstancePath,
) -> RpcError {
    let message = message.map_or_else(|| format!("Must condition \"{expression}\" not satisfied."), str::to_owned);
    let error = RpcError::operation_failed(message).with_app_tag(app_tag.unwrap_or("must-violation").to_owned());
    error.with_path(path.to_error_path(schema))
}

/// Two entries with the same unique values (RFC 7950 section 15.1).
pub(super) fn not_unique(schema: &Schema, unique: &Unique, entries: [&InstancePath; 2]) -> RpcError {
    let module = schema.node(unique.list).module;
    let names = unique.leafs.iter().map(|way| {
        let name = |&id: &NodeId| match schema.node(id).module {
            own if own == module => schema.node(id).name.to_string(),
            _ => format!("{}:{}", schema.module_of(id).name, schema.node(id).name),
        };
        way.iter().map(name).collect::<Vec<_>>().join("/")
    });
    let message = format!(
        "Unique data leaf(s) \"{}\" not satisfied in \"{}\" and \"{}\".",
        names.collect::<Vec<_>>().join(" "),
        entries[0].to_json_form(schema),
        entries[1].to_json_form(schema)
    );
    let mut error = RpcError::operation_failed(message).with_app_tag("data-not-unique");
    for entry in entries {
        for way in &unique.leafs {
            let mut path = entry.clone();
            way.iter().for_each(|&id| path.push(id, Predicate::None));
            error = error.with_info(non_unique(path.to_error_path(schema)));
        }
    }
    error.with_path(entries[1].to_error_path(schema))
}

fn last(path: &InstancePath) -> NodeId {
    path.last().expect("the path of a node").node
}

fn missing_choice(text: String) -> ErrorInfo {
    let namespaces = Vec::new();
    ErrorInfo::Other { namespace: YANG_NAMESPACE.into(), name: "missing-choice".into(), text, namespaces }
}

fn non_unique(ErrorPath { text, namespaces }: ErrorPath) -> ErrorInfo {
    ErrorInfo::Other { namespace: YANG_NAMESPACE.into(), name: "non-unique".into(), text, namespaces }
}

/// The error that a fault of libyang's is.
pub(super) fn rpc_error(schema: &Schema, kind: Kind, fault: Fault) -> RpcError {
    let quoted = |n: usize| fault.message.split('"').nth(2 * n + 1).unwrap_or_default().to_owned();
    let begins = |text: &str| fault.message.starts_with(text);
    let app_tag = fault.app_tag.clone();
    let mut path = fault.path.clone().unwrap_or_default();
    let with_child = |path: &str, name: &str| {
        if !path.is_empty() && path != "/" {
            return format!("{path}/{name}");
        }
        let module = schema.top().iter().find(|&&id| schema.node(id).name == name).map(|&id| schema.module_of(id));
        format!("/{}:{name}", module.map_or("", |m| m.name.as_str()))
    };
    let mut error = if begins("Mandatory node") {
        path = with_child(&path, &quoted(0));
        if kind == Kind::Config {
            RpcError::data_missing(fault.message.clone())
        } else {
            // Of a request: what is missing is a parameter (RFC 6241 appendix A).
            let mut error = RpcError::missing_element(&quoted(0)).with_type(ErrorType::Application);
            error.message = Some(fault.message.clone());
            error
        }
    } else if begins("Mandatory choice") {
        RpcError::data_missing(fault.message.clone()).with_info(missing_choice(quoted(0)))
    } else if begins("When condition") {
        let name = path.rsplit('/').next().unwrap_or_default();
        let name = name.split('[').next().unwrap_or_default();
        let name = name.rsplit(':').next().unwrap_or_default().to_owned();
        let mut error = RpcError::unknown_element(&name);
        error.message = Some(fault.message.clone());
        error
    } else if app_tag.as_deref() == Some("instance-required") {
        RpcError::data_missing(fault.message.clone())
    } else if begins("Unique data leaf(s)") {
        let mut error = RpcError::operation_failed(fault.message.clone());
        // One for each leaf of each entry (RFC 7950 section 15.1).
        for entry in 1..=2 {
            for leaf in quoted(0).split(' ') {
                let path = error_path(schema, &format!("{}/{leaf}", quoted(entry)));
                error = error.with_info(non_unique(path));
            }
        }
        error
    } else {
        if matches!(app_tag.as_deref(), Some("too-many-elements" | "too-few-elements")) {
            // The list or leaf-list is at fault, not one of its entries (RFC 7950 sections 15.2 and 15.3).
            let (above, last) = path.rsplit_once('/').unwrap_or(("", &path));
            let name = last.split('[').next().unwrap_or_default();
            let found = name.rsplit(':').next() == Some(quoted(0).as_str());
            path = if found { format!("{above}/{name}") } else { with_child(&path, &quoted(0)) };
        }
        RpcError::operation_failed(fault.message.clone())
    };
    if let Some(tag) = app_tag {
        error = error.with_app_tag(tag);
    }
    if path.is_empty() { error } else { error.with_path(error_path(schema, &path)) }
}

/// libyang's data path with a prefix on every name, and the namespaces of the prefixes.
fn error_path(schema: &Schema, json: &str) -> ErrorPath {
    let text = path::expand(json);
    let value = Value::Qualified(text.as_str().into());
    ErrorPath { text, namespaces: path::modules_in(schema, &value) }
}
