//! The parameters of a protocol operation: each known, each once (RFC 6241 section 7).

use crate::error::{ErrorInfo, ErrorType, RpcError};
use crate::message::BASE_NAMESPACE;
use crate::xml::Element;

/// The children of an operation's element, checked against what the operation knows.
pub struct Parameters<'d> {
    found: Vec<Element<'d>>,
}

/// A parameter's name; of the operation's own namespace where none is given.
#[derive(Clone, Copy)]
pub struct Name {
    pub namespace: Option<&'static str>,
    pub name: &'static str,
}

pub const fn name(name: &'static str) -> Name {
    Name { namespace: None, name }
}

pub const WITH_DEFAULTS: Name =
    Name { namespace: Some("urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults"), name: "with-defaults" };

impl<'d> Parameters<'d> {
    /// Refuses what is not in `known`, what stands twice, and attributes of the operation itself.
    pub fn read(operation: Element<'d>, known: &[Name]) -> Result<Parameters<'d>, Vec<RpcError>> {
        Self::read_with_lists(operation, known, &[])
    }

    /// As [`Parameters::read`]; those in `lists` may stand more than once.
    pub fn read_with_lists(
        operation: Element<'d>,
        known: &[Name],
        lists: &[Name],
    ) -> Result<Parameters<'d>, Vec<RpcError>> {
        let mut errors = Vec::new();
        let mut found: Vec<Element<'d>> = Vec::new();
        if !operation.text().trim_ascii().is_empty() {
            errors.push(RpcError::bad_element(operation.name(), "Character data where parameters belong."));
        }
        if let Some(attribute) = operation.attributes().find(|a| a.namespace.is_empty()) {
            errors.push(RpcError::unknown_attribute(attribute.qualified, operation.name()));
        }
        for child in operation.children() {
            // ncclient's users write `<config>` without a namespace, and ncclient sends it so.
            let bare_config = child.is("", "config");
            let fits = |k: &Name| {
                child.name() == k.name
                    && (bare_config || child.namespace() == k.namespace.unwrap_or_else(|| operation.namespace()))
            };
            if lists.iter().any(fits) {
                found.push(child);
            } else if !known.iter().any(fits) {
                let known_name = known.iter().chain(lists).any(|k| k.name == child.name());
                errors.push(if known_name {
                    RpcError::unknown_namespace(child.name(), child.namespace()).with_type(ErrorType::Protocol)
                } else {
                    RpcError::unknown_element(child.name()).with_type(ErrorType::Protocol)
                });
            } else if found.iter().any(|e| e.name() == child.name() && e.namespace() == child.namespace()) {
                errors.push(RpcError::bad_element(child.name(), "The parameter is given twice."));
            } else {
                found.push(child);
            }
        }
        if errors.is_empty() { Ok(Parameters { found }) } else { Err(errors) }
    }

    pub fn get(&self, name: &str) -> Option<Element<'d>> {
        self.found.iter().copied().find(|e| e.name() == name)
    }

    /// All instances of a parameter that may stand more than once.
    pub fn all(&self, name: &str) -> Vec<Element<'d>> {
        self.found.iter().copied().filter(|e| e.name() == name).collect()
    }

    pub fn required(&self, name: &str) -> Result<Element<'d>, RpcError> {
        self.get(name).ok_or_else(|| RpcError::missing_element(name))
    }

    /// The text of a leaf parameter, without the white space around it.
    pub fn text(&self, name: &str) -> Result<Option<&'d str>, RpcError> {
        let Some(element) = self.get(name) else { return Ok(None) };
        if let Some(child) = element.children().next() {
            return Err(RpcError::unknown_element(child.name()).with_type(ErrorType::Protocol));
        }
        Ok(Some(element.text().trim_ascii()))
    }

    /// A leaf parameter of some type; None where it is not given.
    pub fn parse<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, RpcError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| invalid(name, text))
    }
}

/// A parameter whose value is none of its type.
pub fn invalid(name: &str, text: &str) -> RpcError {
    RpcError::invalid_value(format!("\"{text}\" is not a value of <{name}>."))
        .with_type(ErrorType::Protocol)
        .with_info(ErrorInfo::BadElement(name.into()))
}

/// The one configuration datastore inside `<source>`, `<target>` and their like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Datastore {
    Running,
    Candidate,
}

impl Datastore {
    pub fn as_str(self) -> &'static str {
        match self {
            Datastore::Running => "running",
            Datastore::Candidate => "candidate",
        }
    }
}

/// What `<source>` may name beside a datastore.
pub enum Source<'d> {
    Datastore(Datastore),
    Config(Element<'d>),
}

pub fn datastore(parameter: Element<'_>) -> Result<Datastore, RpcError> {
    match source(parameter)? {
        Source::Datastore(datastore) => Ok(datastore),
        Source::Config(_) => Err(RpcError::bad_element("config", "A datastore is wanted here.")),
    }
}

pub fn source(parameter: Element<'_>) -> Result<Source<'_>, RpcError> {
    let mut children = parameter.children();
    let Some(child) = children.next() else {
        return Err(RpcError::missing_element("running"));
    };
    if let Some(second) = children.next() {
        return Err(RpcError::bad_element(second.name(), "Only one datastore can be named."));
    }
    if child.namespace() != BASE_NAMESPACE {
        return Err(RpcError::unknown_namespace(child.name(), child.namespace()).with_type(ErrorType::Protocol));
    }
    match child.name() {
        "running" => Ok(Source::Datastore(Datastore::Running)),
        "candidate" => Ok(Source::Datastore(Datastore::Candidate)),
        "config" => Ok(Source::Config(child)),
        other => Err(RpcError::unknown_element(other).with_type(ErrorType::Protocol)),
    }
}
