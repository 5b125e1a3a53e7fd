//! XML as NETCONF uses it (RFC 6241 section 3): a bounded reader into a flat document, and the writing primitives.
//!
//! A [`Document`] borrows the message it was parsed from: names and plain text are slices of it, so reading a message
//! allocates a few vectors and nothing per element. DTDs and entities other than the five of XML itself are refused.

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

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

struct Parser<'a, 'l> {
    source: &'a str,
    limits: &'l Limits,
    document: Document<'a>,
    open: Vec<u32>,
}

impl<'a, 'l> Parser<'a, 'l> {
    fn new(source: &'a str, limits: &'l Limits) -> Self {
        let document = Document { nodes: Vec::new(), attributes: Vec::new(), bindings: Vec::new() };
        Parser { source, limits, document, open: Vec::new() }
    }

    fn run(mut self, root_only: bool) -> Result<Document<'a>, XmlError> {
        if !root_only {
            refuse_control_characters(self.source)?;
        }
        let mut reader = Reader::from_str(self.source);
        let mut started = false;
        loop {
            let offset = reader.buffer_position() as usize;
            let fail = |reason: String| XmlError { offset, reason: quoted(&reason).into_owned() };
            let event = reader.read_event().map_err(|e| XmlError {
                offset: reader.error_position() as usize,
                reason: quoted(&e.to_string()).into_owned(),
            })?;
            match event {
                Event::Start(start) => {
                    self.start(&start).map_err(fail)?;
                    self.open.push(self.document.nodes.len() as u32 - 1);
                    if self.open.len() > self.limits.depth {
                        return Err(fail(format!("more than {} nested elements", self.limits.depth)));
                    }
                }
                Event::Empty(start) => self.start(&start).map_err(fail)?,
                Event::End(_) => {
                    let index = self.open.pop().ok_or_else(|| fail("an end tag without its start tag".into()))?;
                    let end = self.document.nodes.len() as u32;
                    let node = &mut self.document.nodes[index as usize];
                    node.end = end;
                    if end > index + 1 && node.text.trim_ascii().is_empty() {
                        node.text = Cow::Borrowed("");
                    }
                }
                Event::Text(text) => {
                    let raw = text.into_inner();
                    if raw.contains("]]>") {
                        return Err(fail("\"]]>\" in character data".into()));
                    }
                    let raw = relocate(self.source, &raw);
                    self.text(normalise_line_ends(raw)).map_err(fail)?;
                }
                Event::CData(text) => {
                    let raw = text.into_inner();
                    let raw = relocate(self.source, &raw);
                    if self.open.is_empty() {
                        return Err(fail("character data outside the root element".into()));
                    }
                    self.text(normalise_line_ends(raw)).map_err(fail)?;
                }
                Event::GeneralRef(reference) => {
                    if self.open.is_empty() {
                        return Err(fail("a reference outside the root element".into()));
                    }
                    let character = expand(&reference).map_err(fail)?;
                    self.text(Cow::Owned(character.into())).map_err(fail)?;
                }
                Event::Decl(decl) => {
                    if started {
                        return Err(fail("an XML declaration that is not at the start".into()));
                    }
                    if let Some(Ok(encoding)) = decl.encoding()
                        && !encoding.eq_ignore_ascii_case("utf-8")
                    {
                        return Err(fail(format!("encoding {encoding}: only UTF-8 is allowed")));
                    }
                }
                Event::DocType(_) => return Err(fail("a document type declaration is not allowed".into())),
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
            started = true;
            if root_only && !self.document.nodes.is_empty() {
                refuse_control_characters(&self.source[..reader.buffer_position() as usize])?;
                return Ok(self.document);
            }
        }
        let end = self.source.len();
        if !self.open.is_empty() {
            return Err(XmlError { offset: end, reason: "the document ends inside an element".into() });
        }
        if self.document.nodes.is_empty() {
            return Err(XmlError { offset: end, reason: "no root element".into() });
        }
        Ok(self.document)
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        if self.open.is_empty() && !self.document.nodes.is_empty() {
            return Err("a second root element".into());
        }
        if self.document.nodes.len() + self.document.attributes.len() >= self.limits.elements {
            return Err(format!("more than {} elements and attributes", self.limits.elements));
        }
        let mut scope = self.open.last().map_or(NONE, |&i| self.document.nodes[i as usize].scope);
        let first_attribute = self.document.attributes.len();
        let mut count = 0;
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|e| e.to_string())?;
            count += 1;
            if count > self.limits.attributes {
                return Err(format!("more than {} attributes", self.limits.attributes));
            }
            let qualified = relocate(self.source, attribute.key.into_inner());
            self.check_length(qualified)?;
            let value = match attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|e| e.to_string())? {
                Cow::Borrowed(value) => Cow::Borrowed(relocate(self.source, value)),
                Cow::Owned(value) => Cow::Owned(value),
            };
            if attribute.value.contains('<') {
                return Err("\"<\" in an attribute value".into());
            }
            let declared = match qualified.strip_prefix("xmlns") {
                Some("") => Some(""),
                Some(rest) => rest.strip_prefix(':'),
                None => None,
            };
            match declared {
                Some("xml") if value == XML_NAMESPACE => {}
                Some(prefix @ ("xml" | "xmlns")) => return Err(format!("prefix \"{prefix}\" may not be declared")),
                Some(prefix) => {
                    if value.is_empty() && !prefix.is_empty() {
                        return Err(format!("prefix \"{prefix}\" is bound to no namespace"));
                    }
                    let number = 1 + self.document.bindings.get(scope as usize).map_or(0, |outer| outer.number);
                    if number > self.limits.namespaces {
                        return Err(format!("more than {} namespace declarations in scope", self.limits.namespaces));
                    }
                    self.document.bindings.push(Binding { prefix, namespace: value, outer: scope, number });
                    scope = self.document.bindings.len() as u32 - 1;
                }
                None => {
                    let node = AttributeNode { qualified, name: qualified, namespace: NONE, value };
                    self.document.attributes.push(node);
                }
            }
        }
        for i in first_attribute..self.document.attributes.len() {
            if let Some((prefix, name)) = split_name(self.document.attributes[i].qualified)? {
                let namespace = self.resolve(scope, prefix)?;
                let attribute = &mut self.document.attributes[i];
                (attribute.name, attribute.namespace) = (name, namespace);
            }
        }
        let qualified = relocate(self.source, start.name().into_inner());
        self.check_length(qualified)?;
        let (name, namespace) = match split_name(qualified)? {
            Some((prefix, name)) => (name, self.resolve(scope, prefix)?),
            None => (qualified, self.document.lookup(scope, "").unwrap_or(NONE)),
        };
        let index = self.document.nodes.len() as u32;
        self.document.nodes.push(Node {
            name,
            namespace,
            scope,
            attributes: first_attribute as u32..self.document.attributes.len() as u32,
            parent: self.open.last().copied().unwrap_or(NONE),
            end: index + 1,
            text: Cow::Borrowed(""),
        });
        Ok(())
    }

    fn check_length(&self, name: &str) -> Result<(), String> {
        let limit = self.limits.name;
        if name.len() > limit { Err(format!("a name of more than {limit} bytes")) } else { Ok(()) }
    }

    fn resolve(&self, scope: u32, prefix: &str) -> Result<u32, String> {
        if prefix == "xml" {
            return Ok(XML_BINDING);
        }
        self.document.lookup(scope, prefix).ok_or_else(|| format!("prefix \"{prefix}\" is not declared"))
    }

    fn text(&mut self, text: Cow<'a, str>) -> Result<(), String> {
        let Some(&index) = self.open.last() else {
            let blank = text.trim_ascii().is_empty();
            return if blank { Ok(()) } else { Err("character data outside the root element".into()) };
        };
        let node = &mut self.document.nodes[index as usize];
        if node.text.is_empty() {
            node.text = text;
        } else {
            node.text.to_mut().push_str(&text);
        }
        Ok(())
    }
}

fn refuse_control_characters(source: &str) -> Result<(), XmlError> {
    match source.bytes().position(|b| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r')) {
        Some(offset) => Err(XmlError { offset, reason: "a control character that XML does not allow".into() }),
        None => Ok(()),
    }
}

/// What a peer wrote is repeated to it, and to the log, up to so many bytes.
const QUOTED: usize = 2048;

/// A text of which a peer may have written a part, cut where it is longer than anybody reads.
pub fn quoted(text: &str) -> Cow<'_, str> {
    if text.len() <= QUOTED { text.into() } else { format!("{}…", &text[..text.floor_char_boundary(QUOTED)]).into() }
}

/// The same slice with the lifetime of the source it lies in.
fn relocate<'a>(source: &'a str, part: &str) -> &'a str {
    let offset = part.as_ptr() as usize - source.as_ptr() as usize;
    &source[offset..offset + part.len()]
}

fn split_name(qualified: &str) -> Result<Option<(&str, &str)>, String> {
    let valid = |name: &str| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '\u{b7}'))
    };
    let split = qualified.split_once(':');
    let ok = match split {
        Some((prefix, name)) => valid(prefix) && valid(name),
        None => valid(qualified),
    };
    if ok { Ok(split) } else { Err(format!("\"{qualified}\" is not a name")) }
}

fn expand(reference: &quick_xml::events::BytesRef<'_>) -> Result<char, String> {
    let allowed =
        |c: &char| !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    match &**reference {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        name if name.starts_with('#') => {
            let character = reference.resolve_char_ref().map_err(|e| e.to_string())?;
            character.filter(allowed).ok_or_else(|| format!("\"&{name};\" is not a character of XML"))
        }
        name => Err(format!("entity \"{name}\" is not allowed")),
    }
}

/// XML 1.0 section 2.11: CR and CR LF are read as LF.
fn normalise_line_ends(text: &str) -> Cow<'_, str> {
    if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { Cow::Borrowed(text) }
}

/// Appends ` name="value"`.
pub fn write_attribute(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    escape(out, value, |b| match b {
        b'"' => Some(b"&quot;"),
        b'\n' => Some(b"&#10;"),
        b'\t' => Some(b"&#9;"),
        b'\r' => Some(b"&#13;"),
        _ => None,
    });
    out.push(b'"');
}

/// Appends character data.
pub fn escape_text(out: &mut Vec<u8>, text: &str) {
    escape(out, text, |b| match b {
        b'\r' => Some(b"&#13;"),
        _ => None,
    });
}

fn escape(out: &mut Vec<u8>, text: &str, more: impl Fn(u8) -> Option<&'static [u8]>) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        let replacement: &[u8] = match byte {
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'&' => b"&amp;",
            other => match more(other) {
                Some(replacement) => replacement,
                None => continue,
            },
        };
        out.extend_from_slice(&bytes[done..i]);
        out.extend_from_slice(replacement);
        done = i + 1;
    }
    out.extend_from_slice(&bytes[done..]);
}

#[cfg(test)]
mod tests;
