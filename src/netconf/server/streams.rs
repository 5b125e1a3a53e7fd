//! The event streams that a server offers (RFC 5277 section 3.2.5.1, RFC 8639 section 2.1): one for all events, and one for
//! each module that has notifications. All are views of one log.

use std::sync::Arc;

use serde::Serialize;
use smol_str::SmolStr;

use super::stream::Stream;
use crate::yang::schema::{NodeKind, Schema};
use crate::yang::serde::{SerdeError, tree_at};
use crate::yang::tree::Tree;

/// The stream of all events, which RFC 5277 wants to have this name.
pub const ALL_EVENTS: &str = "NETCONF";

/// Modules whose notifications go to single subscribers, and are no events.
const NO_EVENTS: [&str; 4] = ["notifications", "nc-notifications", "ietf-subscribed-notifications", "ietf-yang-push"];

/// The streams of one server.
#[derive(Debug)]
pub struct Streams {
    log: Stream,
    views: Vec<View>,
}

/// One stream: the events of the log that belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub name: SmolStr,
    /// None is all events.
    module: Option<SmolStr>,
}

impl View {
    /// Whether the events of a module are in it.
    pub fn has(&self, module: &str) -> bool {
        self.module.as_ref().is_none_or(|own| own == module)
    }

    fn description(&self) -> String {
        match &self.module {
            None => "All events of this server".into(),
            Some(module) => format!("The notifications of module {module}"),
        }
    }
}

impl Streams {
    pub fn new(schema: &Schema, log: Stream) -> Streams {
        let all = View { name: ALL_EVENTS.into(), module: None };
        let notifications = schema.nodes().filter(|node| node.kind == NodeKind::Notification);
        let mut modules: Vec<SmolStr> = notifications
            .map(|node| schema.module(node.module).name.as_str())
            .filter(|module| !NO_EVENTS.contains(module))
            .map(SmolStr::new)
            .collect();
        modules.sort_unstable();
        modules.dedup();
        let views = modules.into_iter().map(|module| View { name: module.clone(), module: Some(module) });
        Streams { log, views: std::iter::once(all).chain(views).collect() }
    }

    /// The log that all streams are views of.
    pub fn log(&self) -> &Stream {
        &self.log
    }

    pub fn find(&self, name: &str) -> Option<&View> {
        self.views.iter().find(|view| view.name == name)
    }

    /// The stream of all events.
    pub fn all(&self) -> &View {
        &self.views[0]
    }

    /// `/netconf/streams` of RFC 5277's data model.
    pub fn netconf(&self, schema: &Arc<Schema>) -> Result<Tree, SerdeError> {
        #[derive(Serialize)]
        struct Listed {
            stream: Vec<One>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct One {
            name: String,
            description: String,
            replay_support: bool,
            replay_log_creation_time: String,
        }
        let created = format!("{:.6}", self.log.replay_log_creation_time());
        let one = |view: &View| One {
            name: view.name.to_string(),
            description: view.description(),
            replay_support: true,
            replay_log_creation_time: created.clone(),
        };
        tree_at(schema, "/nc-notifications:netconf/streams", &Listed { stream: self.views.iter().map(one).collect() })
    }

    /// `/streams` of RFC 8639.
    pub fn subscribable(&self, schema: &Arc<Schema>) -> Result<Tree, SerdeError> {
        #[derive(Serialize)]
        struct Listed {
            stream: Vec<One>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        struct One {
            name: String,
            description: String,
            replay_support: bool,
            replay_log_creation_time: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            replay_log_aged_time: Option<String>,
        }
        let created = format!("{:.6}", self.log.replay_log_creation_time());
        let aged = self.log.replay_log_aged_time().map(|time| format!("{time:.6}"));
        let one = |view: &View| One {
            name: view.name.to_string(),
            description: view.description(),
            replay_support: true,
            replay_log_creation_time: created.clone(),
            replay_log_aged_time: aged.clone(),
        };
        let listed = Listed { stream: self.views.iter().map(one).collect() };
        tree_at(schema, "/ietf-subscribed-notifications:streams", &listed)
    }
}
