//! What is asked of a device of ours (clause 10.3 steps 1 and 4): filters that leave out the history, made from the schema.

use std::collections::HashMap;

use netconf::client::{Filter, Options};
use netconf::yang::{NodeId, Schema};

use crate::model::Kind;

/// What is read of each performance type: all but the finished intervals, which have an operation of their own.
const PERFORMANCE: &str = "<information><type/><target/><description/><unit/><current/><current-15-minutes/><current-24-hours/></information>";

const ALARMS: &str =
    "<alarms xmlns=\"urn:ietf:params:xml:ns:yang:ietf-alarms\"><alarm-list/><shelved-alarms/></alarms>";
const REFERENCE_POINTS: &str = "<reference-points xmlns=\"urn:qkdn:yang:qkdn-common\"/>";

/// An answer that is as small as any server's can be, to a question that all understand: nothing is selected (RFC 6241 section 6.4.2).
pub(super) const ARE_YOU_THERE: &str = "<get><filter type=\"subtree\"/></get>";

/// The filters, per kind.
pub(super) struct Queries(HashMap<Kind, Query>);

struct Query {
    everything: Options,
    /// As an operation.
    performance: Option<String>,
}

impl Queries {
    pub(super) fn new(schema: &Schema) -> Queries {
        let kinds = [Kind::QkdModule, Kind::RelayPoint, Kind::OpticalSwitch, Kind::KeyManager, Kind::Controller];
        let known = kinds.into_iter().filter_map(|kind| {
            let container = schema.find(&format!("/{}", kind.container()?))?;
            Some((kind, Query::new(schema, container)))
        });
        Queries(known.collect())
    }

    /// Configuration and state of the device, its alarms, its reference points; none of a device of unknown kind.
    pub(super) fn everything(&self, kind: Kind) -> Option<&Options> {
        self.0.get(&kind).map(|query| &query.everything)
    }

    /// The operation that gets the latest performance information; none of a device without any.
    pub(super) fn performance(&self, kind: Kind) -> Option<&str> {
        self.0.get(&kind)?.performance.as_deref()
    }
}

impl Query {
    fn new(schema: &Schema, container: NodeId) -> Query {
        let namespace = |node: NodeId| schema.module_of(node).namespace.as_str();
        let top = schema.node(container);
        let around = |inside: &str| format!("<{0} xmlns=\"{1}\">{inside}</{0}>", top.name, namespace(container));
        let mut inside = String::new();
        let mut performance = None;
        for &child in schema.children(Some(container)).iter().filter(|&&child| schema.node(child).is_data()) {
            let name = schema.node(child).name.as_str();
            if name == "performance" {
                let own = format!("<performance>{PERFORMANCE}</performance>");
                performance = Some(format!("<get><filter type=\"subtree\">{}</filter></get>", around(&own)));
                inside.push_str(&own);
            } else if namespace(child) == namespace(container) {
                inside.push_str(&format!("<{name}/>"));
            } else {
                inside.push_str(&format!("<{name} xmlns=\"{}\"/>", namespace(child)));
            }
        }
        let everything = format!("{}{ALARMS}{REFERENCE_POINTS}", around(&inside));
        Query { everything: Options::from(Filter::Subtree(everything)), performance }
    }
}
