//! Locks of parts of running (RFC 5717), which die with their session.

use std::collections::BTreeMap;

use super::{Author, Datastore, Datastores};
use crate::error::RpcError;
use crate::yang::diff::{Change, Edit};
use crate::yang::path::InstancePath;
use crate::yang::tree::Tree;

/// Partial locks that one session may hold: more than a tool needs that locks each device it works on.
pub const MAX_PARTIAL_LOCKS: usize = 64;

/// Nodes of one partial lock. Who wants more of them wants the node around them.
pub const MAX_LOCKED_NODES: usize = 4096;

#[derive(Clone, Debug)]
pub struct PartialLock {
    pub session_id: u32,
    /// RFC 3339.
    pub time: String,
    /// What the expressions found. All below them is locked, too.
    pub nodes: Vec<InstancePath>,
}

/// By lock-id.
pub type PartialLocks = BTreeMap<u32, PartialLock>;

impl Datastores {
    /// `<partial-lock>` of what `select` finds in running (RFC 5717 section 2.4.1). Returns the lock-id and the nodes.
    pub async fn partial_lock(
        &self,
        author: Author<'_>,
        select: impl FnOnce(&Tree) -> Result<Vec<InstancePath>, RpcError>,
    ) -> Result<(u32, Vec<InstancePath>), RpcError> {
        let core = self.core().await;
        let nodes = select(&core.running.running)?;
        if nodes.is_empty() {
            return Err(RpcError::operation_failed("There is nothing in running that the expressions select.")
                .with_app_tag("no-matches"));
        }
        if nodes.len() > MAX_LOCKED_NODES {
            let message = format!("A partial lock holds {MAX_LOCKED_NODES} nodes at most: lock the node around them.");
            return Err(RpcError::resource_denied(message));
        }
        if let Some(lock) = self.lock_table().get(&Datastore::Running) {
            let message = format!("The running datastore is locked by session {}.", lock.session_id);
            return Err(RpcError::lock_denied(lock.session_id, message));
        }
        let awaiting = core.running.awaiting.as_ref();
        if let Some(holder) = awaiting.and_then(|awaiting| awaiting.refuses_lock(author.session_id)) {
            return Err(RpcError::lock_denied(holder, "A confirmed commit of another session is pending."));
        }
        let mut locks = self.partial_locks();
        let others = locks.iter().filter(|(_, lock)| lock.session_id != author.session_id);
        for (id, lock) in others {
            if nodes.iter().any(|node| lock.nodes.iter().any(|held| is_within(node, held) || is_within(held, node))) {
                let message = format!("Part of it is locked by session {} with partial lock {id}.", lock.session_id);
                return Err(RpcError::lock_denied(lock.session_id, message));
            }
        }
        if locks.values().filter(|lock| lock.session_id == author.session_id).count() >= MAX_PARTIAL_LOCKS {
            let message = format!("A session holds {MAX_PARTIAL_LOCKS} partial locks at most.");
            return Err(RpcError::resource_denied(message));
        }
        // Ids come around after four thousand million locks; one that is still held is passed over.
        let mut id = self.last_partial_lock.load(std::sync::atomic::Ordering::Relaxed);
        loop {
            id = id.checked_add(1).unwrap_or(1);
            if !locks.contains_key(&id) {
                break;
            }
        }
        self.last_partial_lock.store(id, std::sync::atomic::Ordering::Relaxed);
        let time = crate::server::now();
        locks.insert(id, PartialLock { session_id: author.session_id, time, nodes: nodes.clone() });
        Ok((id, nodes))
    }

    /// `<partial-unlock>` (RFC 5717 section 2.4.2).
    pub async fn partial_unlock(&self, session_id: u32, id: u32) -> Result<(), RpcError> {
        let _core = self.core().await;
        let mut locks = self.partial_locks();
        match locks.get(&id) {
            Some(lock) if lock.session_id == session_id => {
                locks.remove(&id);
                Ok(())
            }
            _ => Err(RpcError::invalid_value(format!("This session holds no partial lock {id}."))),
        }
    }

    /// The partial locks that are held.
    pub fn all_partial_locks(&self) -> PartialLocks {
        self.partial_locks().clone()
    }

    pub(super) fn partial_locks(&self) -> std::sync::MutexGuard<'_, PartialLocks> {
        self.partial.lock().expect("no panic holds it")
    }

    /// Refuses edits of running inside what another session has locked, and the deletion of something around it.
    pub(super) fn refuse_if_partly_locked(&self, edits: &[Edit], session_id: u32) -> Result<(), RpcError> {
        let locks = self.partial_locks();
        let others: Vec<_> = locks.iter().filter(|(_, lock)| lock.session_id != session_id).collect();
        if others.is_empty() {
            return Ok(());
        }
        for Edit { path, change, .. } in edits {
            let touches =
                |held: &InstancePath| is_within(path, held) || *change == Change::Delete && is_within(held, path);
            if let Some((id, lock)) = others.iter().find(|(_, lock)| lock.nodes.iter().any(touches)) {
                let message = format!("Session {} has locked it with partial lock {id}.", lock.session_id);
                return Err(RpcError::in_use(message).with_path(path.to_error_path(&self.schema)));
            }
        }
        Ok(())
    }
}

/// Whether `path` is `around` or below it.
fn is_within(path: &InstancePath, around: &InstancePath) -> bool {
    path.steps.starts_with(&around.steps)
}
