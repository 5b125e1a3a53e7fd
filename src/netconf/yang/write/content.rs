//! Start tags and values as bytes.

use super::tags::Tag;
use super::{Walk, WithDefaults};
use crate::xml::{escape_text, write_attribute};
use crate::yang::ffi::{RawBase, RawType};
use crate::yang::path;
use crate::yang::schema::{NodeId, Schema};
use crate::yang::tree::Origin;
use crate::yang::value::Value;

/// RFC 6243 section 6.
const WITH_DEFAULTS_NAMESPACE: &str = "urn:ietf:params:xml:ns:netconf:default:1.0";

/// RFC 8342 section 7.
const ORIGIN_NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-origin";

/// What a start tag says of its element beside the name.
#[derive(Clone, Copy, Default)]
pub(super) struct Told {
    /// It is an outermost one: namespaces are declared here.
    pub top: bool,
    /// RFC 6243's default attribute.
    pub default: bool,
    /// RFC 8342's origin annotation.
    pub origin: Option<Origin>,
}

impl Told {
    fn nothing(self) -> bool {
        !self.top && !self.default && self.origin.is_none()
    }
}

impl Walk<'_> {
    /// A start tag without its end: attributes go behind it.
    pub(super) fn start(&mut self, node: NodeId, tag: Tag, told: Told) {
        let open = self.tags.open(tag);
        self.out.extend_from_slice(&open[..open.len() - 1]);
        if told.top {
            if tag.inherits {
                write_attribute(self.out, "xmlns", &self.schema.module_of(node).namespace);
            }
            if self.options.defaults == WithDefaults::ReportAllTagged {
                write_attribute(self.out, "xmlns:wd", WITH_DEFAULTS_NAMESPACE);
            }
            if told.origin.is_some() {
                write_attribute(self.out, "xmlns:or", ORIGIN_NAMESPACE);
            }
        }
        if told.default {
            self.out.extend_from_slice(b" wd:default=\"true\"");
        }
        if let Some(origin) = told.origin {
            self.out.extend_from_slice(b" or:origin=\"or:");
            self.out.extend_from_slice(origin.as_str().as_bytes());
            self.out.push(b'"');
        }
    }

    pub(super) fn leaf(&mut self, node: NodeId, tag: Tag, value: &Value, told: Told) {
        if !told.nothing() || matches!(value, Value::Qualified(_)) {
            self.start(node, tag, told);
            if let Value::Qualified(text) = value {
                self.qualified(node, text);
                self.out.extend_from_slice(self.tags.close(tag));
                return;
            }
            self.out.push(b'>');
        } else {
            self.out.extend_from_slice(self.tags.open(tag));
        }
        match value {
            Value::Bool(true) => self.out.extend_from_slice(b"true"),
            Value::Bool(false) => self.out.extend_from_slice(b"false"),
            Value::Int(number) => self.out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes()),
            Value::Uint(number) => self.out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes()),
            Value::Text(text) if !text.is_empty() => self.text(text),
            Value::Text(_) | Value::Empty | Value::Qualified(_) => {
                self.out.pop();
                self.out.extend_from_slice(b"/>");
                return;
            }
        }
        self.out.extend_from_slice(self.tags.close(tag));
    }

    pub(super) fn any(&mut self, node: NodeId, tag: Tag, xml: &str, told: Told) {
        self.start(node, tag, told);
        if xml.is_empty() {
            self.out.extend_from_slice(b"/>");
        } else {
            self.out.push(b'>');
            self.out.extend_from_slice(xml.as_bytes());
            self.out.extend_from_slice(self.tags.close(tag));
        }
    }

    /// Declares the modules whose names the value uses, ends the start tag and writes the value.
    fn qualified(&mut self, node: NodeId, text: &str) {
        // An identityref, the frequent case, has one name and nothing else.
        if let Some((module, name)) = text.split_once(':')
            && is_identifier(module)
            && is_identifier(name)
        {
            declare(self.out, self.schema, module);
            self.out.push(b'>');
            self.out.extend_from_slice(text.as_bytes());
            return;
        }
        let leaf_type = self.schema.node(node).leaf_type.as_ref();
        let expanded = match leaf_type {
            Some(leaf_type) if text.starts_with('/') && may_be_instance(leaf_type.resolved()) => path::expand(text),
            _ => text.to_owned(),
        };
        for (module, _) in path::modules_in(self.schema, &Value::Qualified(expanded.as_str().into())) {
            declare(self.out, self.schema, &module);
        }
        self.out.push(b'>');
        self.text(&expanded);
    }

    fn text(&mut self, text: &str) {
        if text.bytes().any(|byte| SPECIAL[byte as usize]) {
            escape_text(self.out, text);
        } else {
            self.out.extend_from_slice(text.as_bytes());
        }
    }
}

/// Bytes that do not stand for themselves in character data.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    special[b'<' as usize] = true;
    special[b'>' as usize] = true;
    special[b'&' as usize] = true;
    special[b'\r' as usize] = true;
    special
};

/// ` xmlns:module="namespace"`; nothing for a name that is no module's.
fn declare(out: &mut Vec<u8>, schema: &Schema, module: &str) {
    let Some(id) = schema.module_by_name(module) else { return };
    out.extend_from_slice(b" xmlns:");
    out.extend_from_slice(module.as_bytes());
    out.extend_from_slice(b"=\"");
    escape_text(out, &schema.module(id).namespace);
    out.push(b'"');
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn may_be_instance(leaf_type: &RawType) -> bool {
    leaf_type.base == RawBase::InstanceIdentifier || leaf_type.members.iter().any(may_be_instance)
}
