//! Looks into data as RFC 7951 JSON, as the manager's replies become.

use serde_json::Value;

/// What stands where there is nothing.
pub const NOTHING: &str = "-";

/// The value at a path of members, such as `state/connection-state`; null where there is none.
pub fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('/').fold(value, |value, name| &value[name])
}

/// The entries of a list at a path; none where there is no list.
pub fn list<'v>(value: &'v Value, path: &str) -> &'v [Value] {
    at(value, path).as_array().map_or(&[], Vec::as_slice)
}

/// A leaf as text; empty where there is none.
pub fn leaf(value: &Value, path: &str) -> String {
    plain(at(value, path))
}

/// The same for a cell of a table.
pub fn cell(value: &Value, path: &str) -> String {
    let text = leaf(value, path);
    if text.is_empty() { NOTHING.to_owned() } else { text }
}

/// An identity without its module: `qber` of `qkdn-types:qber`.
pub fn identity(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, name)| name)
}

/// The last part of a resource-id: what people call the resource.
pub fn short(resource_id: &str) -> &str {
    resource_id.rsplit_once(':').map_or(resource_id, |(_, name)| name)
}

/// A time to the second, as people read it: `2026-11-23 02:10:00Z`.
pub fn time(value: &Value, path: &str) -> String {
    let text = cell(value, path);
    let Some((day, rest)) = text.split_once('T') else { return text };
    let zone = if rest.ends_with('Z') || rest.ends_with("+00:00") { "Z" } else { "" };
    let seconds = rest.get(..8).unwrap_or(rest);
    if zone.is_empty() { text } else { format!("{day} {seconds}{zone}") }
}

/// Scalars as RFC 7951 has them, without quotes; lists of them with commas.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        // `empty` is [null].
        Value::Array(values) if values.len() == 1 && values[0].is_null() => "yes".to_owned(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Null | Value::Object(_) => String::new(),
    }
}
