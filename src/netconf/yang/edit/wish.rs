//! What the attributes of an element in an edit ask for (RFC 6241 section 7.2, RFC 7950 sections 7.7.9 and 7.8.6, RFC 6243
//! section 4.5.2).

use super::{Editor, Mode, NETCONF_NAMESPACE, Operation};
use crate::error::RpcError;
use crate::xml::{Element, XML_NAMESPACE};
use crate::yang::schema::{NodeId, NodeKind};

pub(super) const YANG_NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:1";
pub(super) const WITH_DEFAULTS_NAMESPACE: &str = "urn:ietf:params:xml:ns:netconf:default:1.0";

pub(super) struct Wish<'e> {
    pub operation: Operation,
    pub insert: Option<Insert<'e>>,
    /// The value is the schema's default, and is to be in use as that.
    pub default: bool,
}

pub(super) enum Insert<'e> {
    First,
    Last,
    Before(&'e str),
    After(&'e str),
}

impl Editor<'_> {
    /// None where an attribute is wrong, which is reported.
    pub(super) fn wish<'e>(&mut self, element: Element<'e>, id: NodeId, inherited: Operation) -> Option<Wish<'e>> {
        let mut wish = Wish { operation: inherited, insert: None, default: false };
        let node = self.schema.node(id);
        let name = element.name();
        let (mut anchor, mut insert) = (None, None);
        let is_list = node.kind == NodeKind::List;
        let anchor_name = if is_list { "key" } else { "value" };
        let edits = self.mode == Mode::Edit;
        let holds_value = matches!(node.kind, NodeKind::Leaf | NodeKind::LeafList);
        for attribute in element.attributes() {
            match (attribute.namespace, attribute.name) {
                (NETCONF_NAMESPACE, "operation") if edits => match attribute.value.parse() {
                    Ok(Operation::None) | Err(()) => {
                        let message = format!("\"{}\" is not an operation.", attribute.value);
                        self.fail(RpcError::bad_attribute("operation", name, message));
                        return None;
                    }
                    Ok(operation) => wish.operation = operation,
                },
                // RFC 7950 section 8.3.1: these are known where the user orders, and nowhere else.
                (YANG_NAMESPACE, "insert") if edits && node.user_ordered => insert = Some(attribute.value),
                (YANG_NAMESPACE, given) if edits && node.user_ordered && given == anchor_name => {
                    anchor = Some(attribute.value);
                }
                (WITH_DEFAULTS_NAMESPACE, "default") if self.is_config() && holds_value => match attribute.value {
                    "true" | "1" => wish.default = true,
                    "false" | "0" => {}
                    other => {
                        let message = format!("\"{other}\" is neither true nor false.");
                        self.fail(RpcError::bad_attribute("default", name, message));
                        return None;
                    }
                },
                (WITH_DEFAULTS_NAMESPACE, "default") if !self.is_config() => {}
                (XML_NAMESPACE, _) => {}
                // Annotations (RFC 7952) of replies and files; in configuration they would be lost, so they are refused.
                _ if self.mode == Mode::Data => {}
                _ => {
                    self.fail(RpcError::unknown_attribute(attribute.qualified, name));
                    return None;
                }
            }
        }
        wish.insert = match (insert, anchor) {
            (None, None) => None,
            (None, Some(_)) => {
                self.fail(RpcError::missing_attribute("insert", name));
                return None;
            }
            (Some("first"), _) => Some(Insert::First),
            (Some("last"), _) => Some(Insert::Last),
            (Some("before"), Some(anchor)) => Some(Insert::Before(anchor)),
            (Some("after"), Some(anchor)) => Some(Insert::After(anchor)),
            (Some("before" | "after"), None) => {
                self.fail(RpcError::missing_attribute(anchor_name, name));
                return None;
            }
            (Some(other), _) => {
                self.fail(RpcError::bad_attribute("insert", name, format!("\"{other}\" is no place to insert.")));
                return None;
            }
        };
        Some(wish)
    }
}
