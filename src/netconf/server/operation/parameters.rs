//! The parameters of a protocol operation: each known, each once (RFC 6241 section 7).

use jiff::Timestamp;

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

    /// A date-and-time parameter.
    pub fn time(&self, name: &str) -> Result<Option<Timestamp>, RpcError> {
        self.parse(name)
    }
}

/// A parameter whose value is none of its type.
pub fn invalid(name: &str, text: &str) -> RpcError {
    RpcError::invalid_value(format!("\"{text}\" is not a value of <{name}>."))
        .with_type(ErrorType::Protocol)
        .with_info(ErrorInfo::BadElement(name.into()))
}

/// A configuration datastore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Datastore {
    Running,
    Candidate,
    Startup,
}

impl Datastore {
    pub const ALL: [Datastore; 3] = [Datastore::Running, Datastore::Candidate, Datastore::Startup];

    pub fn as_str(self) -> &'static str {
        match self {
            Datastore::Running => "running",
            Datastore::Candidate => "candidate",
            Datastore::Startup => "startup",
        }
    }
}

/// What `<source>`, `<target>` and their like can name.
#[derive(Clone, Copy)]
pub enum Place<'d> {
    Datastore(Datastore),
    /// Inline configuration.
    Config(Element<'d>),
    /// The text of `<url>`.
    Url(&'d str),
}

/// The one datastore that a parameter names, where nothing else can stand.
pub fn datastore(parameter: Element<'_>) -> Result<Datastore, RpcError> {
    match place(parameter)? {
        Place::Datastore(datastore) => Ok(datastore),
        Place::Config(_) => Err(misplaced("config")),
        Place::Url(_) => Err(misplaced("url")),
    }
}

/// What a parameter names.
pub fn place(parameter: Element<'_>) -> Result<Place<'_>, RpcError> {
    let mut children = parameter.children();
    let Some(child) = children.next() else {
        return Err(RpcError::missing_element("running"));
    };
    if let Some(second) = children.next() {
        return Err(RpcError::bad_element(second.name(), "Only one datastore can be named."));
    }
    // ncclient's users write `<config>` without a namespace.
    if child.namespace() != BASE_NAMESPACE && !child.is("", "config") {
        return Err(RpcError::unknown_namespace(child.name(), child.namespace()).with_type(ErrorType::Protocol));
    }
    if let Some(datastore) = Datastore::ALL.into_iter().find(|datastore| datastore.as_str() == child.name()) {
        return Ok(Place::Datastore(datastore));
    }
    match child.name() {
        "config" => Ok(Place::Config(child)),
        "url" => match child.children().next() {
            Some(inside) => Err(misplaced(inside.name())),
            None => Ok(Place::Url(child.text().trim_ascii())),
        },
        other => Err(misplaced(other)),
    }
}

/// An element that the operation does not have at this place.
pub fn misplaced(element: &str) -> RpcError {
    RpcError::unknown_element(element).with_type(ErrorType::Protocol)
}
