//! The messages of RFC 6241 section 4, RFC 5277 section 4 and the hello of section 8.1: read from a [`Document`],
//! written to a buffer.

use std::borrow::Cow;

use quick_xml::events::Event;
use quick_xml::reader::Reader;

use crate::capability::{self, Capabilities};
use crate::error::{ErrorInfo, ErrorPath, ErrorTag, ErrorType, RpcError};
use crate::framing::Framing;
use crate::xml::{Document, Element, Limits, XmlError, escape_text, write_attribute, write_element};

/// The namespace of `<hello>`, `<rpc>`, `<rpc-reply>` and of the operations of RFC 6241.
pub const BASE_NAMESPACE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";
/// The namespace of `<notification>` and of `<create-subscription>` (RFC 5277).
pub const NOTIFICATION_NAMESPACE: &str = "urn:ietf:params:xml:ns:netconf:notification:1.0";

/// A hello that ends the session before it began. Nothing is answered to it: the transport is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    #[error("the hello is not well-formed: {0}")]
    Xml(#[from] XmlError),
    #[error("the first message is <{0}>, not <hello>")]
    NotHello(String),
    #[error("the hello has no capabilities")]
    NoCapabilities,
    #[error("the hello has an element <{0}> that it must not have")]
    UnexpectedElement(String),
    #[error("the hello of a client has a session-id")]
    SessionIdFromClient,
    #[error("the hello of the server has no valid session-id")]
    NoSessionId,
    #[error("no base protocol version in common")]
    NoCommonBase,
}

/// What each peer sends first (RFC 6241 section 8.1). Only a server's has a session-id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    pub capabilities: Capabilities,
    pub session_id: Option<u32>,
}

impl Hello {
    pub fn from_client(text: &str) -> Result<Hello, HelloError> {
        let hello = Self::parse(text)?;
        if hello.session_id.is_some() { Err(HelloError::SessionIdFromClient) } else { Ok(hello) }
    }

    pub fn from_server(text: &str) -> Result<Hello, HelloError> {
        let hello = Self::parse(text)?;
        if hello.session_id.is_none() { Err(HelloError::NoSessionId) } else { Ok(hello) }
    }

    fn parse(text: &str) -> Result<Hello, HelloError> {
        let document = Document::parse(text, &Limits::default())?;
        let root = document.root();
        if !root.is(BASE_NAMESPACE, "hello") {
            return Err(HelloError::NotHello(root.name().to_owned()));
        }
        let mut hello = Hello::default();
        for child in root.children() {
            match child.name() {
                _ if child.namespace() != BASE_NAMESPACE => {}
                "capabilities" => hello.capabilities = child.children().map(|c| c.text()).collect(),
                "session-id" if hello.session_id.is_none() => {
                    let id = child.text().trim_ascii().parse().ok().filter(|id| *id > 0);
                    hello.session_id = Some(id.ok_or(HelloError::NoSessionId)?);
                }
                name => return Err(HelloError::UnexpectedElement(name.to_owned())),
            }
        }
        if hello.capabilities.is_empty() { Err(HelloError::NoCapabilities) } else { Ok(hello) }
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<hello");
        write_attribute(out, "xmlns", BASE_NAMESPACE);
        out.extend_from_slice(b"><capabilities>");
        for capability in self.capabilities.iter() {
            write_element(out, "capability", capability);
        }
        out.extend_from_slice(b"</capabilities>");
        if let Some(id) = self.session_id {
            write_element(out, "session-id", itoa::Buffer::new().format(id));
        }
        out.extend_from_slice(b"</hello>");
    }
}

/// The framing of a session after the hellos: the highest base version that both announce (RFC 6241 section 8.1).
pub fn negotiate(ours: &Capabilities, theirs: &Capabilities) -> Result<Framing, HelloError> {
    let both = |uri| ours.has(uri) && theirs.has(uri);
    if both(capability::BASE_1_1) {
        Ok(Framing::Chunked)
    } else if both(capability::BASE_1_0) {
        Ok(Framing::EndOfMessage)
    } else {
        Err(HelloError::NoCommonBase)
    }
}

/// An `<rpc>` (RFC 6241 section 4.1).
#[derive(Debug)]
pub struct Rpc<'d> {
    /// What the reply begins with; outlives the document.
    pub reply: ReplyHead,
    /// The `<rpc>` itself, with the attributes that annotate it.
    pub element: Element<'d>,
    /// The operation to perform, or why there is none to perform: the error to answer with.
    pub operation: Result<Element<'d>, RpcError>,
}

impl<'d> Rpc<'d> {
    /// Reads a message that a client sent after its hello. An error is to be answered under [`ReplyHead::default`],
    /// or by closing the session where the client has only base:1.0, which does not know `malformed-message`.
    pub fn read(document: &'d Document<'d>) -> Result<Rpc<'d>, RpcError> {
        let element = document.root();
        if !element.is(BASE_NAMESPACE, "rpc") {
            return Err(RpcError::malformed_message(format!(
                "The message is <{}> of namespace \"{}\"; expected is <rpc> of \"{BASE_NAMESPACE}\".",
                element.name(),
                element.namespace()
            )));
        }
        Ok(Rpc { reply: ReplyHead::to(element), element, operation: Self::operation(element) })
    }

    fn operation(rpc: Element<'d>) -> Result<Element<'d>, RpcError> {
        if rpc.attribute("", "message-id").is_none() {
            return Err(RpcError::missing_attribute("message-id", "rpc").with_type(ErrorType::Rpc));
        }
        let mut children = rpc.children();
        let operation = children.next().ok_or_else(|| {
            RpcError::new(ErrorType::Protocol, ErrorTag::MissingElement, "The <rpc> has no operation.")
                .with_info(ErrorInfo::BadElement("rpc".into()))
        })?;
        if let Some(second) = children.next() {
            return Err(RpcError::bad_element(second.name(), "An <rpc> has exactly one operation."));
        }
        if rpc.is_mixed() {
            return Err(RpcError::bad_element("rpc", "The <rpc> has text beside its operation."));
        }
        Ok(operation)
    }
}

/// The start and the end of an `<rpc-reply>`: every attribute of the `<rpc>` returns on it, namespace declarations
/// included (RFC 6241 section 4.2).
///
/// Elements of the base namespace that are written into the reply carry [`xmlns`](ReplyHead::xmlns) after their name:
/// it is empty but for the odd `<rpc>` that binds the default namespace to something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyHead {
    /// The start tag without its `>`.
    start: Vec<u8>,
    /// The prefix, with its colon, that the reply's own name needs.
    prefix: String,
}

impl Default for ReplyHead {
    /// The head of a reply to a message of which nothing could be read.
    fn default() -> Self {
        // Room for the usual attributes, so that most heads are allocated once.
        let mut start = Vec::with_capacity(192);
        start.extend_from_slice(b"<rpc-reply");
        write_attribute(&mut start, "xmlns", BASE_NAMESPACE);
        ReplyHead { start, prefix: String::new() }
    }
}

impl ReplyHead {
    fn to(rpc: Element<'_>) -> Self {
        let declared = rpc.prefixes();
        let own_default = declared.iter().any(|(prefix, ns)| prefix.is_empty() && *ns != BASE_NAMESPACE);
        let mut head = ReplyHead::default();
        if own_default {
            let (prefix, _) = declared.iter().find(|(_, ns)| *ns == BASE_NAMESPACE).expect("<rpc> is in the namespace");
            head.prefix = format!("{prefix}:");
            head.start.clear();
            head.start.extend_from_slice(format!("<{prefix}:rpc-reply").as_bytes());
        }
        for (prefix, namespace) in declared.iter().rev() {
            match *prefix {
                "" if own_default => write_attribute(&mut head.start, "xmlns", namespace),
                "" => {}
                prefix => {
                    head.start.extend_from_slice(b" xmlns:");
                    head.start.extend_from_slice(prefix.as_bytes());
                    write_attribute_value(&mut head.start, namespace);
                }
            }
        }
        for attribute in rpc.attributes() {
            write_attribute(&mut head.start, attribute.qualified, attribute.value);
        }
        head
    }

    /// The head of the reply to a request of which only the root was read; the default one where that is no `<rpc>`.
    pub fn of_request(document: &Document<'_>) -> Self {
        let root = document.root();
        if root.is(BASE_NAMESPACE, "rpc") { Self::to(root) } else { Self::default() }
    }

    pub fn write_start(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.start);
        out.push(b'>');
    }

    pub fn write_end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"</");
        out.extend_from_slice(self.prefix.as_bytes());
        out.extend_from_slice(b"rpc-reply>");
    }

    /// What an element of the base namespace directly inside the reply has after its name: nothing, or a declaration
    /// of its namespace with a space before it.
    pub fn xmlns(&self) -> &'static str {
        if self.prefix.is_empty() { "" } else { " xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"" }
    }

    /// The whole reply `<ok/>`.
    pub fn write_ok(&self, out: &mut Vec<u8>) {
        self.write_start(out);
        out.extend_from_slice(b"<ok");
        out.extend_from_slice(self.xmlns().as_bytes());
        out.extend_from_slice(b"/>");
        self.write_end(out);
    }

    /// A whole reply of errors, of which there is at least one.
    pub fn write_errors(&self, out: &mut Vec<u8>, errors: &[RpcError]) {
        debug_assert!(!errors.is_empty(), "a reply has content");
        self.write_start(out);
        for error in errors {
            self.write_error(out, error);
        }
        self.write_end(out);
    }

    /// One `<rpc-error>` inside the reply. The order of its children is that of RFC 6241's schema, which netopeer2-cli
    /// insists on for the first two.
    pub fn write_error(&self, out: &mut Vec<u8>, error: &RpcError) {
        out.extend_from_slice(b"<rpc-error");
        out.extend_from_slice(self.xmlns().as_bytes());
        out.push(b'>');
        write_element(out, "error-type", error.error_type.as_str());
        write_element(out, "error-tag", error.tag.as_str());
        write_element(out, "error-severity", if error.warning { "warning" } else { "error" });
        if let Some(app_tag) = &error.app_tag {
            write_element(out, "error-app-tag", app_tag);
        }
        if let Some(path) = &error.path {
            out.extend_from_slice(b"<error-path");
            for (prefix, namespace) in &path.namespaces {
                out.extend_from_slice(b" xmlns:");
                out.extend_from_slice(prefix.as_bytes());
                write_attribute_value(out, namespace);
            }
            out.push(b'>');
            escape_text(out, &path.text);
            out.extend_from_slice(b"</error-path>");
        }
        if let Some(message) = &error.message {
            out.extend_from_slice(b"<error-message xml:lang=\"en\">");
            escape_text(out, message);
            out.extend_from_slice(b"</error-message>");
        }
        if !error.info.is_empty() {
            out.extend_from_slice(b"<error-info>");
            for info in &error.info {
                match info {
                    ErrorInfo::BadAttribute(name) => write_element(out, "bad-attribute", name),
                    ErrorInfo::BadElement(name) => write_element(out, "bad-element", name),
                    ErrorInfo::BadNamespace(name) => write_element(out, "bad-namespace", name),
                    ErrorInfo::SessionId(id) => write_element(out, "session-id", itoa::Buffer::new().format(*id)),
                    ErrorInfo::Other { namespace, name, text, namespaces } => {
                        out.push(b'<');
                        out.extend_from_slice(name.as_bytes());
                        write_attribute(out, "xmlns", namespace);
                        for (prefix, namespace) in namespaces {
                            out.extend_from_slice(b" xmlns:");
                            out.extend_from_slice(prefix.as_bytes());
                            write_attribute_value(out, namespace);
                        }
                        out.push(b'>');
                        escape_text(out, text);
                        out.extend_from_slice(b"</");
                        out.extend_from_slice(name.as_bytes());
                        out.push(b'>');
                    }
                    ErrorInfo::Xml(xml) => out.extend_from_slice(xml.as_bytes()),
                }
            }
            out.extend_from_slice(b"</error-info>");
        }
        out.extend_from_slice(b"</rpc-error>");
    }
}

/// Appends the start of a `<notification>` (RFC 5277 section 4); the event follows, then [`write_notification_end`].
pub fn write_notification_start(out: &mut Vec<u8>, event_time: &str) {
    out.extend_from_slice(b"<notification");
    write_attribute(out, "xmlns", NOTIFICATION_NAMESPACE);
    out.push(b'>');
    write_element(out, "eventTime", event_time);
}

pub fn write_notification_end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"</notification>");
}

/// What kind of message a text is, by its first tag alone: cheap for messages of any size, and says nothing of the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Envelope {
    Hello,
    Rpc,
    Reply {
        message_id: Option<String>,
    },
    Notification,
    /// An element that is no NETCONF message.
    Other(String),
}

impl Envelope {
    pub fn of(text: &str) -> Result<Envelope, XmlError> {
        let mut reader = Reader::from_str(text);
        loop {
            let offset = reader.buffer_position() as usize;
            let fail = |reason: String| XmlError { offset, reason };
            let start = match reader.read_event().map_err(|e| fail(e.to_string()))? {
                Event::Start(start) | Event::Empty(start) => start,
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => continue,
                Event::Text(blank) if blank.trim_ascii().is_empty() => continue,
                _ => return Err(fail("no root element".into())),
            };
            let qualified = start.name().into_inner();
            let (prefix, name) = qualified.split_once(':').unwrap_or(("", qualified));
            let (mut namespace, mut message_id) = (Cow::Borrowed(""), None);
            for attribute in start.attributes() {
                let attribute = attribute.map_err(|e| fail(e.to_string()))?;
                let value =
                    || attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(|e| fail(e.to_string()));
                match attribute.key.into_inner() {
                    "message-id" => message_id = Some(value()?.into_owned()),
                    "xmlns" if prefix.is_empty() => namespace = Cow::Owned(value()?.into_owned()),
                    key if !prefix.is_empty() && key.strip_prefix("xmlns:") == Some(prefix) => {
                        namespace = Cow::Owned(value()?.into_owned());
                    }
                    _ => {}
                }
            }
            return Ok(match (&*namespace, name) {
                (BASE_NAMESPACE, "hello") => Envelope::Hello,
                (BASE_NAMESPACE, "rpc") => Envelope::Rpc,
                (BASE_NAMESPACE, "rpc-reply") => Envelope::Reply { message_id },
                (NOTIFICATION_NAMESPACE, "notification") => Envelope::Notification,
                _ => Envelope::Other(qualified.to_owned()),
            });
        }
    }
}

/// All `<rpc-error>`s of an `<rpc-reply>`, warnings among them.
pub fn errors(reply: Element<'_>) -> Vec<RpcError> {
    reply.children().filter(|e| e.is(BASE_NAMESPACE, "rpc-error")).map(error).collect()
}

/// Reads one `<rpc-error>`. What a foreign server sends is kept as far as [`RpcError`] can say it: an unknown tag is
/// read as `operation-failed`, named in the message.
pub fn error(element: Element<'_>) -> RpcError {
    let field = |name| element.child(BASE_NAMESPACE, name).map(|e| e.text().trim_ascii());
    let error_type = field("error-type").and_then(|t| t.parse().ok()).unwrap_or(ErrorType::Application);
    let tag_text = field("error-tag").unwrap_or_default();
    let tag = tag_text.parse::<ErrorTag>();
    let mut error = RpcError::new(error_type, tag.unwrap_or(ErrorTag::OperationFailed), "");
    error.message = field("error-message").map(str::to_owned);
    if tag.is_err() {
        let message = error.message.take().unwrap_or_default();
        error.message = Some(format!("[{tag_text}] {message}").trim_end().to_owned());
    }
    error.warning = field("error-severity") == Some("warning");
    error.app_tag = field("error-app-tag").map(|tag| Cow::Owned(tag.to_owned()));
    error.path = element.child(BASE_NAMESPACE, "error-path").map(|path| {
        let text = path.text().trim_ascii().to_owned();
        let used = path.prefixes().into_iter().filter(|(p, _)| !p.is_empty() && text.contains(&format!("{p}:")));
        ErrorPath { namespaces: used.map(|(p, ns)| (p.to_owned(), ns.to_owned())).collect(), text }
    });
    let info = element.child(BASE_NAMESPACE, "error-info");
    for child in info.iter().flat_map(|info| info.children()) {
        let text = child.text().trim_ascii().to_owned();
        error.info.push(match (child.namespace(), child.name()) {
            (BASE_NAMESPACE, "bad-attribute") => ErrorInfo::BadAttribute(text),
            (BASE_NAMESPACE, "bad-element") => ErrorInfo::BadElement(text),
            (BASE_NAMESPACE, "bad-namespace") => ErrorInfo::BadNamespace(text),
            (BASE_NAMESPACE, "session-id") => ErrorInfo::SessionId(text.parse().unwrap_or(0)),
            _ if child.has_children() => {
                let mut xml = Vec::new();
                child.write(&mut xml);
                ErrorInfo::Xml(String::from_utf8(xml).expect("written from strings"))
            }
            (namespace, name) => ErrorInfo::Other {
                namespace: Cow::Owned(namespace.to_owned()),
                name: Cow::Owned(name.to_owned()),
                namespaces: child
                    .prefixes()
                    .into_iter()
                    .filter(|(prefix, _)| !prefix.is_empty() && text.contains(&format!("{prefix}:")))
                    .map(|(prefix, namespace)| (prefix.to_owned(), namespace.to_owned()))
                    .collect(),
                text,
            },
        });
    }
    error
}

/// A `<notification>` that a client received.
#[derive(Debug)]
pub struct Notification<'d> {
    /// As sent: an RFC 3339 date and time.
    pub event_time: &'d str,
    pub event: Element<'d>,
}

impl<'d> Notification<'d> {
    /// `None` where the document is not a notification with a time and one event.
    pub fn read(document: &'d Document<'d>) -> Option<Self> {
        let root = document.root();
        let mut events =
            root.children().filter(|e| !(e.namespace() == NOTIFICATION_NAMESPACE && e.name() == "eventTime"));
        let event = events.next().filter(|_| root.is(NOTIFICATION_NAMESPACE, "notification"))?;
        if events.next().is_some() {
            return None;
        }
        let event_time = root.child(NOTIFICATION_NAMESPACE, "eventTime")?.text().trim_ascii();
        Some(Notification { event_time, event })
    }
}

/// Appends `="value"`, the rest of an attribute whose name was put together before.
fn write_attribute_value(out: &mut Vec<u8>, value: &str) {
    let at = out.len();
    write_attribute(out, "", value);
    out.remove(at);
}

#[cfg(test)]
mod tests;
