//! Capabilities (RFC 6241 section 8): their URNs, and the set that a peer announces in its hello.

/// Base protocol, RFC 4741 as RFC 6241 keeps it: end-of-message framing.
pub const BASE_1_0: &str = "urn:ietf:params:netconf:base:1.0";
/// Base protocol of RFC 6241: chunked framing.
pub const BASE_1_1: &str = "urn:ietf:params:netconf:base:1.1";
pub const WRITABLE_RUNNING: &str = "urn:ietf:params:netconf:capability:writable-running:1.0";
pub const CANDIDATE: &str = "urn:ietf:params:netconf:capability:candidate:1.0";
pub const CONFIRMED_COMMIT: &str = "urn:ietf:params:netconf:capability:confirmed-commit:1.1";
/// RFC 4741's, without persist and cancel-commit.
pub const CONFIRMED_COMMIT_1_0: &str = "urn:ietf:params:netconf:capability:confirmed-commit:1.0";
pub const ROLLBACK_ON_ERROR: &str = "urn:ietf:params:netconf:capability:rollback-on-error:1.0";
pub const VALIDATE: &str = "urn:ietf:params:netconf:capability:validate:1.1";
/// RFC 4741's, without test-option test-only.
pub const VALIDATE_1_0: &str = "urn:ietf:params:netconf:capability:validate:1.0";
pub const STARTUP: &str = "urn:ietf:params:netconf:capability:startup:1.0";
/// With parameter `scheme`.
pub const URL: &str = "urn:ietf:params:netconf:capability:url:1.0";
pub const XPATH: &str = "urn:ietf:params:netconf:capability:xpath:1.0";
/// RFC 5277.
pub const NOTIFICATION: &str = "urn:ietf:params:netconf:capability:notification:1.0";
/// RFC 5277: a session with a subscription still takes RPCs.
pub const INTERLEAVE: &str = "urn:ietf:params:netconf:capability:interleave:1.0";
/// RFC 5717.
pub const PARTIAL_LOCK: &str = "urn:ietf:params:netconf:capability:partial-lock:1.0";
/// RFC 6243, with parameters `basic-mode` and `also-supported`.
pub const WITH_DEFAULTS: &str = "urn:ietf:params:netconf:capability:with-defaults:1.0";
/// RFC 8526, with parameter `with-operational-defaults` for the modes of `<get-data>`.
pub const WITH_OPERATIONAL_DEFAULTS: &str = "urn:ietf:params:netconf:capability:with-operational-defaults:1.0";
/// RFC 7950 section 5.6.4, with parameters `revision` and `module-set-id`.
pub const YANG_LIBRARY_1_0: &str = "urn:ietf:params:netconf:capability:yang-library:1.0";
/// RFC 8526 section 2, with parameters `revision` and `content-id`.
pub const YANG_LIBRARY: &str = "urn:ietf:params:netconf:capability:yang-library:1.1";

/// The capabilities of one peer, in the order of its hello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(Vec<String>);

impl Capabilities {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a capability; white space around it, as of a hello that is printed with indentation, is not part of it.
    pub fn insert(&mut self, uri: impl AsRef<str>) {
        let uri = uri.as_ref().trim_ascii();
        if !uri.is_empty() && !self.0.iter().any(|have| have == uri) {
            self.0.push(uri.to_owned());
        }
    }

    /// Whether the capability is there, whatever its parameters.
    pub fn has(&self, uri: &str) -> bool {
        self.get(uri).is_some()
    }

    /// The capability as announced, with its parameters.
    pub fn get(&self, uri: &str) -> Option<&str> {
        self.iter().find(|have| split(have).0 == uri)
    }

    /// The value of one parameter of a capability.
    pub fn parameter(&self, uri: &str, name: &str) -> Option<&str> {
        parameters(split(self.get(uri)?).1).find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The YANG modules that are announced one by one (RFC 6020 section 5.6.4).
    pub fn modules(&self) -> impl Iterator<Item = Module<'_>> {
        self.iter().filter_map(Module::parse)
    }
}

impl<S: AsRef<str>> FromIterator<S> for Capabilities {
    fn from_iter<I: IntoIterator<Item = S>>(uris: I) -> Self {
        let mut set = Capabilities::new();
        uris.into_iter().for_each(|uri| set.insert(uri));
        set
    }
}

/// A module capability: `namespace?module=…&revision=…&features=…&deviations=…` (RFC 6020 section 5.6.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Module<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
    pub revision: Option<&'a str>,
    pub features: Vec<&'a str>,
    pub deviations: Vec<&'a str>,
}

impl<'a> Module<'a> {
    /// `None` for a capability that is not a module's.
    pub fn parse(uri: &'a str) -> Option<Self> {
        let (namespace, query) = split(uri);
        let mut module = Module { namespace, ..Module::default() };
        for (key, value) in parameters(query) {
            match key {
                "module" => module.name = value,
                "revision" => module.revision = Some(value).filter(|v| !v.is_empty()),
                "features" => module.features = list(value),
                "deviations" => module.deviations = list(value),
                _ => {}
            }
        }
        (!module.name.is_empty()).then_some(module)
    }

    pub fn uri(&self) -> String {
        let mut uri = format!("{}?module={}", self.namespace, self.name);
        let mut parameter = |name: &str, value: &str| {
            if !value.is_empty() {
                uri.push('&');
                uri.push_str(name);
                uri.push('=');
                uri.push_str(value);
            }
        };
        parameter("revision", self.revision.unwrap_or_default());
        parameter("features", &self.features.join(","));
        parameter("deviations", &self.deviations.join(","));
        uri
    }
}

fn split(uri: &str) -> (&str, &str) {
    uri.split_once('?').unwrap_or((uri, ""))
}

fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter_map(|parameter| parameter.split_once('='))
}

fn list(value: &str) -> Vec<&str> {
    value.split(',').filter(|item| !item.is_empty()).collect()
}

#[cfg(test)]
mod tests;
