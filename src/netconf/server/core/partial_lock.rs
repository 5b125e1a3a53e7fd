//! Locks of parts of running (RFC 5717), which die with their session.

use std::collections::{BTreeMap, HashMap};

use super::{Author, Datastore, Datastores};
use crate::error::RpcError;
use crate::yang::diff::{Change, Edit};
use crate::yang::path::{InstancePath, Step};
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
        if core.running.awaiting.is_some() {
            let message = "A confirmed commit is pending.";
            return Err(RpcError::in_use(message).with_app_tag("outstanding-confirmed-commit"));
        }
        let mut locks = self.partial_locks();
        let held = Held::by_others(&locks, author.session_id);
        if let Some((id, session)) = nodes.iter().find_map(|node| held.around(node).or(held.below(node))) {
            let message = format!("Part of it is locked by session {session} with partial lock {id}.");
            return Err(RpcError::lock_denied(session, message));
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
        let held = Held::by_others(&locks, session_id);
        for Edit { path, change, .. } in edits {
            let below = || if *change == Change::Delete { held.below(path) } else { None };
            if let Some((id, session)) = held.around(path).or_else(below) {
                let message = format!("Session {session} has locked it with partial lock {id}.");
                let error = RpcError::in_use(message).with_app_tag("locked");
                return Err(error.with_path(path.to_error_path(&self.schema)));
            }
        }
        Ok(())
    }
}

/// The nodes that others hold, found by the paths of edits in as many steps as these have.
struct Held<'l> {
    /// Each with the lock-id and the session.
    nodes: HashMap<&'l [Step], (u32, u32)>,
    /// What is around them.
    above: HashMap<&'l [Step], (u32, u32)>,
}

impl<'l> Held<'l> {
    fn by_others(locks: &'l PartialLocks, session_id: u32) -> Held<'l> {
        let mut held = Held { nodes: HashMap::new(), above: HashMap::new() };
        for (id, lock) in locks.iter().filter(|(_, lock)| lock.session_id != session_id) {
            for node in &lock.nodes {
                held.nodes.insert(&node.steps, (*id, lock.session_id));
                for depth in 1..node.steps.len() {
                    held.above.insert(&node.steps[..depth], (*id, lock.session_id));
                }
            }
        }
        held
    }

    /// The lock of the node, or of one around it.
    fn around(&self, path: &InstancePath) -> Option<(u32, u32)> {
        (1..=path.steps.len()).find_map(|depth| self.nodes.get(&path.steps[..depth]).copied())
    }

    /// A lock of something below the node.
    fn below(&self, path: &InstancePath) -> Option<(u32, u32)> {
        self.above.get(&path.steps[..]).copied()
    }
}
