//! Notifications checked by themselves, and against the data that their expressions and references see (RFC 7950 section 8.1).

use std::collections::HashMap;
use std::sync::Arc;

use super::fault::rpc_error;
use super::whole::build;
use crate::error::RpcError;
use crate::yang::ffi::Fault;
use crate::yang::ffi::data::{DataTree, Kind};
use crate::yang::schema::{NodeId, Schema};
use crate::yang::tree::Tree;

/// Checks the notifications of one schema, one after another.
pub struct NotificationValidator {
    schema: Arc<Schema>,
    /// Which notifications look at data outside of them, as far as that has been asked.
    looking: HashMap<NodeId, bool>,
    /// What the last of them looked at.
    seen: Option<Seen>,
}

struct Seen {
    /// First, because it is freed with the context of the schema that the others keep.
    data: DataTree,
    running: Tree,
    state: Tree,
}

impl NotificationValidator {
    pub fn new(schema: Arc<Schema>) -> NotificationValidator {
        NotificationValidator { schema, looking: HashMap::new(), seen: None }
    }

    /// Checks a tree that holds the notification `node`, at its place in the data where it has one. Around it is `running`
    /// with `state`, which is not checked itself: operational state need not meet its constraints (RFC 8342 section 5.3).
    ///
    /// Where a notification looks at it, and it is another version than the last time, this takes as long as it is large.
    pub fn validate(
        &mut self,
        notification: &Tree,
        node: NodeId,
        running: &Tree,
        state: &Tree,
    ) -> Result<(), Vec<RpcError>> {
        let schema = self.schema.clone();
        let error = |fault: Fault| rpc_error(&schema, Kind::Notification, fault);
        let mut content = DataTree::new();
        build(&schema, &mut content, None, notification.root()).map_err(|fault| vec![error(fault)])?;
        let around = match self.looks_around(node) {
            true => Some(self.around(running, state).map_err(|fault| vec![error(fault)])?),
            false => None,
        };
        let checked = content.validate(schema.context(), Kind::Notification, around);
        checked.map(|_| ()).map_err(|faults| faults.into_iter().map(error).collect())
    }

    fn looks_around(&mut self, notification: NodeId) -> bool {
        let schema = &self.schema;
        *self.looking.entry(notification).or_insert_with(|| {
            let all = schema.subtree(notification);
            schema.nodes().skip(all.start).take(all.len()).any(|node| {
                node.has_when || node.has_must || node.leaf_type.as_ref().is_some_and(|t| t.needs_instance())
            })
        })
    }

    fn around(&mut self, running: &Tree, state: &Tree) -> Result<&DataTree, Fault> {
        let is_same = |seen: &Seen| seen.running.same_version(running) && seen.state.same_version(state);
        let seen = match self.seen.take().filter(is_same) {
            Some(seen) => seen,
            None => {
                let mut data = DataTree::new();
                build(&self.schema, &mut data, None, running.merged(state).root())?;
                Seen { data, running: running.clone(), state: state.clone() }
            }
        };
        Ok(&self.seen.insert(seen).data)
    }
}
