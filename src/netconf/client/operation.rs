//! The operations of RFC 6241 section 7 and 8, `<get-schema>` (RFC 6022) and those of RFC 8526, as methods of a client's session.

use super::{Error, Reply, Session, data};
use crate::xml::{escape_text, write_attribute};

mod nmda;

pub(super) use nmda::DATASTORES_NAMESPACE;
pub use nmda::{GetData, NmdaDatastore, OriginFilter};

const PARTIAL_LOCK_NAMESPACE: &str = "urn:ietf:params:xml:ns:netconf:partial-lock:1.0";
const MONITORING_NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring";
const WITH_DEFAULTS_NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults";

/// A source or target of configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datastore {
    Running,
    Candidate,
    Startup,
    /// With :url.
    Url(String),
}

/// What of the data is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The elements of a subtree filter (RFC 6241 section 6), which declare their namespaces.
    Subtree(String),
    /// With :xpath: an expression, and the namespaces of its prefixes.
    XPath { select: String, namespaces: Vec<(String, String)> },
}

/// Optional parameters of get and get-config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub filter: Option<Filter>,
    /// A mode of RFC 6243: `report-all`, `trim`, `explicit` or `report-all-tagged`.
    pub with_defaults: Option<&'static str>,
}

impl From<Filter> for Options {
    fn from(filter: Filter) -> Self {
        Options { filter: Some(filter), with_defaults: None }
    }
}

/// `<edit-config>` (RFC 6241 section 7.2).
#[derive(Clone, Debug)]
pub struct EditConfig {
    target: Datastore,
    edits: Edits,
    default_operation: Option<&'static str>,
    test_option: Option<&'static str>,
    error_option: Option<&'static str>,
}

/// Where the edits are.
#[derive(Clone, Debug)]
enum Edits {
    Config(String),
    /// With :url.
    Url(String),
}

impl EditConfig {
    /// `config` is the content of `<config>`: elements that declare their namespaces. An edit attribute is
    /// `nc:operation` under a prefix that they declare as well.
    pub fn new(target: Datastore, config: impl Into<String>) -> Self {
        Self::of(target, Edits::Config(config.into()))
    }

    /// The edits are at a URL, inside a `<config>`. With :url.
    pub fn from_url(target: Datastore, url: impl Into<String>) -> Self {
        Self::of(target, Edits::Url(url.into()))
    }

    fn of(target: Datastore, edits: Edits) -> Self {
        EditConfig { target, edits, default_operation: None, test_option: None, error_option: None }
    }

    /// `merge`, `replace` or `none`.
    pub fn default_operation(mut self, operation: &'static str) -> Self {
        self.default_operation = Some(operation);
        self
    }

    /// `test-then-set`, `set` or `test-only`.
    pub fn test_option(mut self, option: &'static str) -> Self {
        self.test_option = Some(option);
        self
    }

    /// `stop-on-error`, `continue-on-error` or `rollback-on-error`.
    pub fn error_option(mut self, option: &'static str) -> Self {
        self.error_option = Some(option);
        self
    }

    fn to_xml(&self) -> String {
        let mut out = Writer::new("edit-config");
        out.datastore("target", &self.target);
        out.optional("default-operation", self.default_operation);
        out.optional("test-option", self.test_option);
        out.optional("error-option", self.error_option);
        match &self.edits {
            Edits::Config(config) => out.raw("<config>").raw(config).raw("</config>"),
            Edits::Url(url) => out.optional("url", Some(url)),
        };
        out.end()
    }
}

/// Parameters of a confirmed `<commit>` (RFC 6241 section 8.4).
#[derive(Clone, Debug, Default)]
pub struct CommitConfirmed {
    /// Seconds; 600 where there is none.
    pub timeout: Option<u32>,
    pub persist: Option<String>,
    pub persist_id: Option<String>,
}

impl Session {
    pub async fn get(&self, options: &Options) -> Result<Reply, Error> {
        let mut out = Writer::new("get");
        out.options(options);
        self.rpc(out.end()).await
    }

    pub async fn get_config(&self, source: &Datastore, options: &Options) -> Result<Reply, Error> {
        let mut out = Writer::new("get-config");
        out.datastore("source", source).options(options);
        self.rpc(out.end()).await
    }

    pub async fn edit_config(&self, edit: &EditConfig) -> Result<Reply, Error> {
        self.rpc(edit.to_xml()).await
    }

    pub async fn copy_config(&self, target: &Datastore, source: &Datastore) -> Result<Reply, Error> {
        let mut out = Writer::new("copy-config");
        out.datastore("target", target).datastore("source", source);
        self.rpc(out.end()).await
    }

    /// The same; `mode` of RFC 6243 says what a `target` that is a URL is told of defaults.
    pub async fn copy_config_with_defaults(
        &self,
        target: &Datastore,
        source: &Datastore,
        mode: &'static str,
    ) -> Result<Reply, Error> {
        let mut out = Writer::new("copy-config");
        out.datastore("target", target).datastore("source", source);
        out.options(&Options { filter: None, with_defaults: Some(mode) });
        self.rpc(out.end()).await
    }

    /// Replaces the whole of `target` by the elements in `config`.
    pub async fn replace_config(&self, target: &Datastore, config: &str) -> Result<Reply, Error> {
        let mut out = Writer::new("copy-config");
        out.datastore("target", target).raw("<source><config>").raw(config).raw("</config></source>");
        self.rpc(out.end()).await
    }

    pub async fn delete_config(&self, target: &Datastore) -> Result<Reply, Error> {
        self.on_datastore("delete-config", "target", target).await
    }

    pub async fn lock(&self, target: &Datastore) -> Result<Reply, Error> {
        self.on_datastore("lock", "target", target).await
    }

    /// `<partial-lock>` (RFC 5717) of what XPath expressions select, with the namespaces of their prefixes; the reply has the
    /// lock-id and the nodes.
    pub async fn partial_lock(&self, select: &[&str], namespaces: &[(&str, &str)]) -> Result<Reply, Error> {
        let mut out = b"<partial-lock".to_vec();
        write_attribute(&mut out, "xmlns", PARTIAL_LOCK_NAMESPACE);
        for (prefix, namespace) in namespaces {
            write_attribute(&mut out, &format!("xmlns:{prefix}"), namespace);
        }
        out.push(b'>');
        for select in select {
            out.extend_from_slice(b"<select>");
            escape_text(&mut out, select);
            out.extend_from_slice(b"</select>");
        }
        out.extend_from_slice(b"</partial-lock>");
        self.rpc(String::from_utf8(out).expect("made of strings")).await
    }

    /// `<partial-unlock>` (RFC 5717).
    pub async fn partial_unlock(&self, id: u32) -> Result<Reply, Error> {
        let lock_id = format!("<lock-id>{id}</lock-id>");
        self.rpc(format!("<partial-unlock xmlns=\"{PARTIAL_LOCK_NAMESPACE}\">{lock_id}</partial-unlock>")).await
    }

    pub async fn unlock(&self, target: &Datastore) -> Result<Reply, Error> {
        self.on_datastore("unlock", "target", target).await
    }

    pub async fn validate(&self, source: &Datastore) -> Result<Reply, Error> {
        self.on_datastore("validate", "source", source).await
    }

    /// Validates the elements in `config` as a whole configuration.
    pub async fn validate_config(&self, config: &str) -> Result<Reply, Error> {
        let mut out = Writer::new("validate");
        out.raw("<source><config>").raw(config).raw("</config></source>");
        self.rpc(out.end()).await
    }

    async fn on_datastore(&self, operation: &str, parameter: &str, store: &Datastore) -> Result<Reply, Error> {
        let mut out = Writer::new(operation);
        out.datastore(parameter, store);
        self.rpc(out.end()).await
    }

    pub async fn commit(&self) -> Result<Reply, Error> {
        self.rpc("<commit/>").await
    }

    /// A commit that the server takes back unless another follows in time.
    pub async fn commit_confirmed(&self, parameters: &CommitConfirmed) -> Result<Reply, Error> {
        let mut out = Writer::new("commit");
        out.raw("<confirmed/>");
        out.optional("confirm-timeout", parameters.timeout.map(|t| t.to_string()).as_deref());
        out.optional("persist", parameters.persist.as_deref());
        out.optional("persist-id", parameters.persist_id.as_deref());
        self.rpc(out.end()).await
    }

    /// Confirms a commit that was made with `persist`, from any session.
    pub async fn commit_persisted(&self, persist_id: &str) -> Result<Reply, Error> {
        let mut out = Writer::new("commit");
        out.optional("persist-id", Some(persist_id));
        self.rpc(out.end()).await
    }

    pub async fn cancel_commit(&self, persist_id: Option<&str>) -> Result<Reply, Error> {
        let mut out = Writer::new("cancel-commit");
        out.optional("persist-id", persist_id);
        self.rpc(out.end()).await
    }

    pub async fn discard_changes(&self) -> Result<Reply, Error> {
        self.rpc("<discard-changes/>").await
    }

    pub async fn kill_session(&self, session_id: u32) -> Result<Reply, Error> {
        self.rpc(format!("<kill-session><session-id>{session_id}</session-id></kill-session>")).await
    }

    /// The text of a YANG module, as the server serves it.
    pub async fn get_schema(&self, module: &str, revision: Option<&str>) -> Result<String, Error> {
        let mut out = Writer::in_namespace("get-schema", MONITORING_NAMESPACE);
        out.optional("identifier", Some(module));
        out.optional("version", revision);
        let reply = self.rpc(out.end()).await?;
        Ok(data(&reply.document()?)?.text().to_owned())
    }
}

/// Writes one operation.
pub(super) struct Writer<'a> {
    name: &'a str,
    out: Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(name: &'a str) -> Self {
        let mut out = Vec::with_capacity(128);
        out.push(b'<');
        out.extend_from_slice(name.as_bytes());
        out.push(b'>');
        Writer { name, out }
    }

    pub(super) fn in_namespace(name: &'a str, namespace: &str) -> Self {
        let mut writer = Self::new(name);
        writer.out.pop();
        write_attribute(&mut writer.out, "xmlns", namespace);
        writer.out.push(b'>');
        writer
    }

    pub(super) fn raw(&mut self, xml: &str) -> &mut Self {
        self.out.extend_from_slice(xml.as_bytes());
        self
    }

    /// The start tag of an element inside.
    pub(super) fn start(&mut self, name: &str, attributes: &[(&str, &str)]) -> &mut Self {
        self.raw("<").raw(name);
        for (name, value) in attributes {
            write_attribute(&mut self.out, name, value);
        }
        self.raw(">")
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        escape_text(&mut self.out, text);
        self
    }

    pub(super) fn optional(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        if let Some(value) = value {
            self.raw("<").raw(name).raw(">").text(value).raw("</").raw(name).raw(">");
        }
        self
    }

    fn datastore(&mut self, parameter: &str, store: &Datastore) -> &mut Self {
        self.raw("<").raw(parameter).raw(">");
        match store {
            Datastore::Running => self.raw("<running/>"),
            Datastore::Candidate => self.raw("<candidate/>"),
            Datastore::Startup => self.raw("<startup/>"),
            Datastore::Url(url) => self.optional("url", Some(url)),
        };
        self.raw("</").raw(parameter).raw(">")
    }

    /// `<filter>`, in the default namespace that is in scope.
    pub(super) fn filter(&mut self, filter: &Filter) -> &mut Self {
        match filter {
            Filter::Subtree(elements) => {
                self.start("filter", &[("type", "subtree")]).raw(elements).raw("</filter>");
            }
            Filter::XPath { select, namespaces } => {
                self.raw("<filter");
                for (prefix, namespace) in namespaces {
                    write_attribute(&mut self.out, &format!("xmlns:{prefix}"), namespace);
                }
                write_attribute(&mut self.out, "type", "xpath");
                write_attribute(&mut self.out, "select", select);
                self.raw("/>");
            }
        }
        self
    }

    fn options(&mut self, options: &Options) -> &mut Self {
        if let Some(filter) = &options.filter {
            self.filter(filter);
        }
        if let Some(mode) = options.with_defaults {
            self.raw("<with-defaults");
            write_attribute(&mut self.out, "xmlns", WITH_DEFAULTS_NAMESPACE);
            self.raw(">").raw(mode).raw("</with-defaults>");
        }
        self
    }

    pub(super) fn end(mut self) -> String {
        let name = self.name;
        self.raw("</").raw(name).raw(">");
        String::from_utf8(self.out).expect("written from strings")
    }
}

#[cfg(test)]
mod tests;
