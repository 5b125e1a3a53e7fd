//! XML as NETCONF uses it (RFC 6241 section 3): a bounded reader into a flat document, and the writing primitives.
//!
//! A [`Document`] borrows the message it was parsed from: names and plain text are slices of it, so reading a message
//! allocates a few vectors and nothing per element. DTDs and entities other than the five of XML itself are refused.

use std::borrow::Cow;
use std::ops::Range;

mod parse;
mod write;

use parse::Parser;
pub use write::{escape_text, write_attribute, write_element};

/// What a reader accepts before it gives up with [`XmlError`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Nested elements. YANG models are a dozen levels deep; 256 leaves room and keeps every recursion off the guard page.
    pub depth: usize,
    /// Elements and attributes in one document: about 64 bytes of memory each.
    pub elements: usize,
    /// Attributes of one element, namespace declarations included.
    pub attributes: usize,
    /// Namespace declarations in scope at once: a prefix is looked for among them at each element that has one.
    pub namespaces: usize,
    /// Bytes of a name, prefix included. Errors quote names, and a reply or a log line must not be as long as a message.
    pub name: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { depth: 256, elements: 4_000_000, attributes: 256, namespaces: 256, name: 1024 }
    }
}

/// A document that is not well-formed, or beyond the [`Limits`]. The offset counts bytes from its start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct XmlError {
    pub offset: usize,
    pub reason: String,
}

/// A parsed document: all elements in document order.
#[derive(Debug)]
pub struct Document<'a> {
    nodes: Vec<Node<'a>>,
    attributes: Vec<AttributeNode<'a>>,
    bindings: Vec<Binding<'a>>,
}

#[derive(Debug)]
struct Node<'a> {
    name: &'a str,
    /// Index into `bindings`, or `NONE` where no namespace is in scope.
    namespace: u32,
    /// Innermost namespace binding in scope.
    scope: u32,
    attributes: Range<u32>,
    parent: u32,
    /// One past the last descendant.
    end: u32,
    text: Cow<'a, str>,
}

#[derive(Debug)]
struct AttributeNode<'a> {
    qualified: &'a str,
    name: &'a str,
    namespace: u32,
    value: Cow<'a, str>,
}

#[derive(Debug)]
struct Binding<'a> {
    prefix: &'a str,
    namespace: Cow<'a, str>,
    outer: u32,
    /// Bindings in scope, this one included.
    number: usize,
}

const NONE: u32 = u32::MAX;
pub const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

/// One attribute. `namespace` is empty for an unprefixed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'d> {
    /// As written, prefix included.
    pub qualified: &'d str,
    pub namespace: &'d str,
    pub name: &'d str,
    pub value: &'d str,
}

impl<'a> Document<'a> {
    pub fn parse(source: &'a str, limits: &Limits) -> Result<Document<'a>, XmlError> {
        Parser::new(source, limits).run(false)
    }

    /// The root element with its attributes, and nothing of what is inside: that may not even be well-formed.
    pub fn parse_root(source: &'a str, limits: &Limits) -> Result<Document<'a>, XmlError> {
        Parser::new(source, limits).run(true)
    }

    pub fn root(&self) -> Element<'_> {
        Element { document: self, index: 0 }
    }

    /// Elements in the document.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// An element of a [`Document`]; a cheap copy.
#[derive(Clone, Copy)]
pub struct Element<'d> {
    document: &'d Document<'d>,
    index: u32,
}

impl<'d> Element<'d> {
    fn node(self) -> &'d Node<'d> {
        &self.document.nodes[self.index as usize]
    }

    /// The local name.
    pub fn name(self) -> &'d str {
        self.node().name
    }

    /// The namespace, empty where there is none.
    pub fn namespace(self) -> &'d str {
        self.document.namespace(self.node().namespace)
    }

    pub fn is(self, namespace: &str, name: &str) -> bool {
        self.name() == name && self.namespace() == namespace
    }

    /// The character data directly inside, untrimmed. White space between child elements is dropped.
    pub fn text(self) -> &'d str {
        &self.node().text
    }

    pub fn has_children(self) -> bool {
        self.node().end > self.index + 1
    }

    /// True for an element that has both child elements and character data other than white space.
    pub fn is_mixed(self) -> bool {
        self.has_children() && !self.text().trim_ascii().is_empty()
    }

    pub fn children(self) -> Children<'d> {
        Children { document: self.document, next: self.index + 1, end: self.node().end }
    }

    pub fn child(self, namespace: &str, name: &str) -> Option<Element<'d>> {
        self.children().find(|e| e.is(namespace, name))
    }

    /// All attributes but namespace declarations, in document order.
    pub fn attributes(self) -> impl Iterator<Item = Attribute<'d>> {
        let range = &self.node().attributes;
        self.document.attributes[range.start as usize..range.end as usize].iter().map(move |a| Attribute {
            qualified: a.qualified,
            namespace: self.document.namespace(a.namespace),
            name: a.name,
            value: &a.value,
        })
    }

    pub fn attribute(self, namespace: &str, name: &str) -> Option<&'d str> {
        self.attributes().find(|a| a.name == name && a.namespace == namespace).map(|a| a.value)
    }

    /// The namespace that `prefix` (empty: the default one) is bound to at this element.
    pub fn resolve_prefix(self, prefix: &str) -> Option<&'d str> {
        if prefix == "xml" {
            return Some(XML_NAMESPACE);
        }
        self.document.lookup(self.node().scope, prefix).map(|b| self.document.namespace(b)).filter(|ns| !ns.is_empty())
    }

    /// All prefixes in scope with their namespaces, innermost first, each prefix once.
    pub fn prefixes(self) -> Vec<(&'d str, &'d str)> {
        let mut found: Vec<(&str, &str)> = Vec::new();
        let mut at = self.node().scope;
        while at != NONE {
            let binding = &self.document.bindings[at as usize];
            if !found.iter().any(|(p, _)| *p == binding.prefix) {
                found.push((binding.prefix, &binding.namespace));
            }
            at = binding.outer;
        }
        found.retain(|(_, ns)| !ns.is_empty());
        found
    }

    /// Writes this element so that it stands alone: every prefix that is in scope is declared on it.
    pub fn write(self, out: &mut Vec<u8>) {
        self.write_within(out, true);
    }

    fn write_within(self, out: &mut Vec<u8>, outermost: bool) {
        let node = self.node();
        // Default namespaces only: qualified names inside values keep working through the declared prefixes.
        out.push(b'<');
        out.extend_from_slice(node.name.as_bytes());
        let parent_namespace = if outermost { None } else { self.document.parent_namespace(self.index) };
        if parent_namespace != Some(self.namespace()) {
            write_attribute(out, "xmlns", self.namespace());
        }
        let declared_outside = if outermost { NONE } else { self.document.parent_scope(self.index) };
        let mut at = node.scope;
        let mut declared: Vec<(&str, &str)> = Vec::new();
        while at != declared_outside && at != NONE {
            let binding = &self.document.bindings[at as usize];
            if !binding.prefix.is_empty() && !declared.iter().any(|(prefix, _)| *prefix == binding.prefix) {
                declared.push((binding.prefix, &binding.namespace));
            }
            at = binding.outer;
        }
        // In one order, so that what was written once is written the same again.
        declared.sort_unstable();
        for (prefix, namespace) in declared {
            write_attribute(out, &format!("xmlns:{prefix}"), namespace);
        }
        for attribute in self.attributes() {
            write_attribute(out, attribute.qualified, attribute.value);
        }
        if !self.has_children() && node.text.is_empty() {
            out.extend_from_slice(b"/>");
            return;
        }
        out.push(b'>');
        escape_text(out, &node.text);
        for child in self.children() {
            child.write_within(out, false);
        }
        out.extend_from_slice(b"</");
        out.extend_from_slice(node.name.as_bytes());
        out.push(b'>');
    }
}

impl std::fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = Vec::new();
        self.write(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

/// The child elements of an [`Element`], in document order.
#[derive(Clone)]
pub struct Children<'d> {
    document: &'d Document<'d>,
    next: u32,
    end: u32,
}

impl<'d> Iterator for Children<'d> {
    type Item = Element<'d>;

    fn next(&mut self) -> Option<Element<'d>> {
        if self.next >= self.end {
            return None;
        }
        let element = Element { document: self.document, index: self.next };
        self.next = element.node().end;
        Some(element)
    }
}

impl<'a> Document<'a> {
    fn namespace(&self, binding: u32) -> &str {
        match binding {
            NONE => "",
            XML_BINDING => XML_NAMESPACE,
            index => &self.bindings[index as usize].namespace,
        }
    }

    fn lookup(&self, mut scope: u32, prefix: &str) -> Option<u32> {
        while scope != NONE {
            let binding = &self.bindings[scope as usize];
            if binding.prefix == prefix {
                return Some(scope);
            }
            scope = binding.outer;
        }
        None
    }

    fn parent(&self, index: u32) -> Option<&Node<'a>> {
        self.nodes.get(self.nodes[index as usize].parent as usize)
    }

    fn parent_namespace(&self, index: u32) -> Option<&str> {
        self.parent(index).map(|n| self.namespace(n.namespace))
    }

    fn parent_scope(&self, index: u32) -> u32 {
        self.parent(index).map_or(NONE, |n| n.scope)
    }
}

const XML_BINDING: u32 = u32::MAX - 1;

/// What a peer wrote is repeated to it, and to the log, up to so many bytes.
const QUOTED: usize = 2048;

/// A text of which a peer may have written a part, cut where it is longer than anybody reads.
pub fn quoted(text: &str) -> Cow<'_, str> {
    if text.len() <= QUOTED { text.into() } else { format!("{}…", &text[..text.floor_char_boundary(QUOTED)]).into() }
}

#[cfg(test)]
mod tests;
