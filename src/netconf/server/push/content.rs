//! What a subscription shows of a datastore: selected, readable, and for on-change also reported.

use std::ops::Range;
use std::sync::Arc;

use super::{MAX_UPDATE, Policy, Trigger};
use crate::error::RpcError;
use crate::server::Shared;
use crate::server::nacm::UserAccess;
use crate::server::operation::nmda::Named;
use crate::server::operation::parameters::Datastore;
use crate::server::provider::Provider;
use crate::yang::NodeId;
use crate::yang::access::{Extent, Instance, ReadAccess};
use crate::yang::filter::Selection;
use crate::yang::tree::Tree;
use crate::yang::write::prune::prune;
use crate::yang::write::{TreeWriter, WriteOptions};
use crate::yang::xpath::{MAX_WORK, XPathError};

/// The datastore as it is now; true where the device did not tell its part.
pub async fn read<P: Provider>(shared: &Arc<Shared<P>>, policy: &Policy) -> Result<(Tree, bool), RpcError> {
    Ok(match policy.datastore {
        Named::Writable(datastore) => (shared.datastores.read(datastore), false),
        Named::Intended => (shared.datastores.read(Datastore::Running), false),
        Named::Operational => {
            let (tree, missing) = shared.operational_so_far(&policy.selection, false).await?;
            if let Some(error) = &missing {
                tracing::warn!(%error, "a push update goes without the state of the device");
            }
            (tree, missing.is_some())
        }
    })
}

/// What is visible at one moment.
#[derive(Debug)]
pub struct Seen {
    pub visible: Tree,
    /// As XML it has no more than [`MAX_UPDATE`] bytes, or it was not asked.
    pub fits: bool,
}

/// A subscriber's eyes.
#[derive(Clone)]
pub struct Viewer {
    selection: Selection,
    access: Option<Arc<dyn ReadAccess>>,
}

impl Viewer {
    pub fn new<P: Provider>(shared: &Arc<Shared<P>>, access: Arc<UserAccess>, policy: &Policy) -> Viewer {
        let mut access = access.for_reading();
        let on_change = matches!(policy.trigger, Trigger::OnChange { .. });
        if on_change && policy.datastore == Named::Operational {
            access = Some(Arc::new(Reported::new(shared, access)));
        }
        Viewer { selection: policy.selection.clone(), access }
    }

    /// Looks at a tree, away from the runtime's threads. Fails where an XPath filter cannot be evaluated.
    pub async fn look(&self, source: Tree, measure: bool) -> Result<Seen, XPathError> {
        let Viewer { selection, access } = self.clone();
        let looking = tokio::task::spawn_blocking(move || {
            let selection = selection.on(&source, access.as_deref(), MAX_WORK)?;
            let visible = prune(&source, &selection, access.as_deref());
            let fits = !measure || fits(&visible);
            Ok(Seen { visible, fits })
        });
        match looking.await {
            Ok(seen) => seen,
            Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
            // The runtime is being shut down.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Whether a tree is within what one update may have. Nothing is kept of what is written.
fn fits(tree: &Tree) -> bool {
    const CHUNK: usize = 64 << 10;
    let mut writer = TreeWriter::new(tree.clone(), Selection::all(), None, WriteOptions::default());
    let (mut chunk, mut size) = (Vec::new(), 0);
    while size <= MAX_UPDATE {
        chunk.clear();
        let more = writer.next_chunk(&mut chunk, CHUNK);
        size += chunk.len();
        if !more {
            return size <= MAX_UPDATE;
        }
    }
    false
}

/// A reader's rights without the state whose changes nobody reports: who was told of it once would never hear of it
/// again, and take it for what is.
struct Reported {
    access: Option<Arc<dyn ReadAccess>>,
    /// By schema node.
    extent: Vec<Extent>,
}

impl Reported {
    fn new<P: Provider>(shared: &Arc<Shared<P>>, access: Option<Arc<dyn ReadAccess>>) -> Reported {
        let schema = &shared.schema;
        let own: Vec<bool> = schema.nodes().map(|node| shared.reports_changes(node.id)).collect();
        let of = |id: NodeId| {
            let below = schema.subtree(id);
            match own[below].iter().filter(|reported| **reported).count() {
                0 => Extent::None,
                all if all == schema.subtree(id).len() => Extent::All,
                _ => Extent::Some,
            }
        };
        Reported { access, extent: schema.nodes().map(|node| of(node.id)).collect() }
    }
}

impl ReadAccess for Reported {
    fn extent(&self, node: NodeId) -> Extent {
        let of_user = self.access.as_ref().map_or(Extent::All, |access| access.extent(node));
        match (self.extent[node.number()], of_user) {
            (Extent::None, _) | (_, Extent::None) => Extent::None,
            (Extent::All, of_user) => of_user,
            (Extent::Some, _) => Extent::Some,
        }
    }

    fn reads(&self, node: NodeId, instance: Instance<'_>, marks: &mut Vec<u32>, parent: Range<usize>) -> bool {
        match &self.access {
            // All of it may be read, and so whatever is below, of which nothing will be asked.
            Some(access) if access.extent(node) != Extent::All => access.reads(node, instance, marks, parent),
            _ => true,
        }
    }
}
