//! `<get-data>` and `<edit-data>` (RFC 8526) as methods of a client's session.

use super::{Filter, Writer};
use crate::client::{Error, Reply, Session};
use crate::xml::write_attribute;
use crate::yang::tree::Origin;

const NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-nmda";
pub(in crate::client) const DATASTORES_NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-datastores";
const ORIGIN_NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-origin";

/// A datastore of RFC 8342.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NmdaDatastore {
    Running,
    Candidate,
    Startup,
    Intended,
    Operational,
}

/// Which origins of configuration are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginFilter {
    Only(Vec<Origin>),
    AllBut(Vec<Origin>),
}

/// Optional parameters of get-data (RFC 8526 section 3.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetData {
    pub filter: Option<Filter>,
    /// Only configuration, or only state data.
    pub config: Option<bool>,
    /// Of the operational state alone.
    pub origins: Option<OriginFilter>,
    /// Levels of each selected node, from 1; all where there is none.
    pub max_depth: Option<u16>,
    /// Of the operational state alone: configuration is annotated with its origin.
    pub with_origin: bool,
    /// A mode of RFC 6243: `report-all`, `trim`, `explicit` or `report-all-tagged`.
    pub with_defaults: Option<&'static str>,
}

impl From<Filter> for GetData {
    fn from(filter: Filter) -> Self {
        GetData { filter: Some(filter), ..GetData::default() }
    }
}

impl Session {
    pub async fn get_data(&self, datastore: NmdaDatastore, options: &GetData) -> Result<Reply, Error> {
        let mut out = Writer::in_namespace("get-data", NAMESPACE);
        out.identity("datastore", DATASTORES_NAMESPACE, datastore.as_str());
        match &options.filter {
            Some(Filter::Subtree(elements)) => {
                out.raw("<subtree-filter>").raw(elements).raw("</subtree-filter>");
            }
            Some(Filter::XPath { select, namespaces }) => {
                out.raw("<xpath-filter");
                for (prefix, namespace) in namespaces {
                    write_attribute(&mut out.out, &format!("xmlns:{prefix}"), namespace);
                }
                out.raw(">").text(select).raw("</xpath-filter>");
            }
            None => {}
        }
        out.optional("config-filter", options.config.map(|config| if config { "true" } else { "false" }));
        let (name, origins) = match &options.origins {
            Some(OriginFilter::Only(origins)) => ("origin-filter", origins.as_slice()),
            Some(OriginFilter::AllBut(origins)) => ("negated-origin-filter", origins.as_slice()),
            None => ("origin-filter", [].as_slice()),
        };
        for origin in origins {
            out.identity(name, ORIGIN_NAMESPACE, origin.as_str());
        }
        out.optional("max-depth", options.max_depth.map(|depth| depth.to_string()).as_deref());
        if options.with_origin {
            out.raw("<with-origin/>");
        }
        out.optional("with-defaults", options.with_defaults);
        self.rpc(out.end()).await
    }

    /// `config`: elements that declare their namespaces. `default_operation`: `merge` where there is none, `replace` or
    /// `none`.
    pub async fn edit_data(
        &self,
        datastore: NmdaDatastore,
        config: &str,
        default_operation: Option<&'static str>,
    ) -> Result<Reply, Error> {
        let mut out = Writer::in_namespace("edit-data", NAMESPACE);
        out.identity("datastore", DATASTORES_NAMESPACE, datastore.as_str());
        out.optional("default-operation", default_operation);
        out.raw("<config>").raw(config).raw("</config>");
        self.rpc(out.end()).await
    }
}

impl NmdaDatastore {
    pub(in crate::client) fn as_str(self) -> &'static str {
        match self {
            NmdaDatastore::Running => "running",
            NmdaDatastore::Candidate => "candidate",
            NmdaDatastore::Startup => "startup",
            NmdaDatastore::Intended => "intended",
            NmdaDatastore::Operational => "operational",
        }
    }
}

impl Writer<'_> {
    /// A leaf whose value is an identity.
    fn identity(&mut self, leaf: &str, namespace: &str, identity: &str) {
        self.raw("<").raw(leaf);
        write_attribute(&mut self.out, "xmlns:id", namespace);
        self.raw(">id:").raw(identity).raw("</").raw(leaf).raw(">");
    }
}
