//! Writes subtree filters and operations as XML.

/// An element with a namespace of its own around `inside`.
pub fn element(name: &str, namespace: &str, inside: &str) -> String {
    format!("<{name} xmlns=\"{namespace}\">{inside}</{name}>")
}

/// A leaf of the namespace around it.
pub fn leaf(name: &str, value: &str) -> String {
    format!("<{name}>{}</{name}>", escape(value))
}

/// Text that may stand in an element or an attribute.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

pub const MANAGER: &str = "urn:qkdn:yang:qkdn-manager";
pub const ALARMS: &str = "urn:ietf:params:xml:ns:yang:ietf-alarms";
pub const QKDN_ALARMS: &str = "urn:qkdn:yang:qkdn-alarms";
pub const NETWORK: &str = "urn:ietf:params:xml:ns:yang:ietf-network";
pub const SIMULATION: &str = "urn:qkdn:yang:qkdn-simulation";
pub const BASE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";
