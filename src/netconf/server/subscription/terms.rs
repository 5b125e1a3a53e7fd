//! What a dynamic subscription was asked to be, and how the model shows it (RFC 8639's subscription-policy).

use jiff::Timestamp;
use serde::Serialize;

use super::filter::Filter;
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
}

impl Terms {
    pub fn names_a_filter(&self) -> bool {
        match &self.target {
            Target::Stream { filter, .. } => matches!(filter, Filter::Named(_)),
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
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_time: Option<String>,
    encoding: &'static str,
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
        }
        leafs
    }
}
