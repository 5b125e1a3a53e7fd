//! What a dynamic subscription was asked to be, and how the model shows it (RFC 8639's subscription-policy).

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::filter::Filter;
use crate::server::operation::nmda::Named;
use crate::server::push::Trigger;
use crate::server::streams::View;

/// The terms of a subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    pub target: Target,
    pub stop: Option<Timestamp>,
}

/// What it takes its records from.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    Stream { view: View, filter: Filter, replay_start: Option<Timestamp> },
    Datastore { datastore: Named, filter: Filter, trigger: Trigger },
}

impl Terms {
    pub fn names_a_filter(&self) -> bool {
        match &self.target {
            Target::Stream { filter, .. } | Target::Datastore { filter, .. } => matches!(filter, Filter::Named(_)),
        }
    }
}

/// The terms as the model's leafs: of `/subscriptions/subscription` and of subscription-modified.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Leafs {
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay_start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_filter_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_subtree_filter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_xpath_filter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "ietf-yang-push:datastore")]
    datastore: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "ietf-yang-push:selection-filter-ref")]
    selection_filter_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "ietf-yang-push:datastore-subtree-filter")]
    datastore_subtree_filter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "ietf-yang-push:datastore-xpath-filter")]
    datastore_xpath_filter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "ietf-yang-push:periodic")]
    periodic: Option<Periodic>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "ietf-yang-push:on-change")]
    on_change: Option<OnChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_time: Option<String>,
    encoding: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Periodic {
    period: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    anchor_time: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct OnChange {
    dampening_period: u64,
    sync_on_start: bool,
    excluded_change: Vec<&'static str>,
}

impl Leafs {
    pub fn of(terms: &Terms) -> Leafs {
        let shown = |time: &Timestamp| format!("{time:.6}");
        let mut leafs = Leafs {
            stop_time: terms.stop.as_ref().map(shown),
            encoding: "ietf-subscribed-notifications:encode-xml",
            ..Leafs::default()
        };
        match &terms.target {
            Target::Stream { view, filter, replay_start } => {
                leafs.stream = Some(view.name.to_string());
                leafs.replay_start_time = replay_start.as_ref().map(shown);
                match filter {
                    Filter::None => {}
                    Filter::Named(name) => leafs.stream_filter_name = Some(name.to_string()),
                    Filter::Subtree(xml) => leafs.stream_subtree_filter = Some(xml.to_string()),
                    Filter::XPath(text) => leafs.stream_xpath_filter = Some(text.to_string()),
                }
            }
            Target::Datastore { datastore, filter, trigger } => {
                leafs.datastore = Some(datastore.identity());
                match filter {
                    Filter::None => {}
                    Filter::Named(name) => leafs.selection_filter_ref = Some(name.to_string()),
                    Filter::Subtree(xml) => leafs.datastore_subtree_filter = Some(xml.to_string()),
                    Filter::XPath(text) => leafs.datastore_xpath_filter = Some(text.to_string()),
                }
                let centiseconds = |time: &Duration| u64::try_from(time.as_millis() / 10).unwrap_or(u64::MAX);
                match trigger {
                    Trigger::Periodic { period, anchor } => {
                        let anchor_time = anchor.as_ref().map(shown);
                        leafs.periodic = Some(Periodic { period: centiseconds(period), anchor_time });
                    }
                    Trigger::OnChange { dampening, sync_on_start, excluded } => {
                        leafs.on_change = Some(OnChange {
                            dampening_period: centiseconds(dampening),
                            sync_on_start: *sync_on_start,
                            excluded_change: excluded.iter().map(|operation| operation.as_str()).collect(),
                        });
                    }
                }
            }
        }
        leafs
    }
}
