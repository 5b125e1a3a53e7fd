//! The parser behind [`Document::parse`]: quick-xml's events to a flat document, with namespaces and limits.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::{AttributeNode, Binding, Document, Limits, NONE, Node, XML_BINDING, XML_NAMESPACE, XmlError, quoted};

pub(super) struct Parser<'a, 'l> {
    source: &'a str,
    limits: &'l Limits,
    document: Document<'a>,
    open: Vec<u32>,
}

impl<'a, 'l> Parser<'a, 'l> {
    pub(super) fn new(source: &'a str, limits: &'l Limits) -> Self {
        let document = Document { nodes: Vec::new(), attributes: Vec::new(), bindings: Vec::new() };
        Parser { source, limits, document, open: Vec::new() }
    }

    pub(super) fn run(mut self, root_only: bool) -> Result<Document<'a>, XmlError> {
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
