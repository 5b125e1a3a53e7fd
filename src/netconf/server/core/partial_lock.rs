//! Locks of parts of running (RFC 5717), which die with their session.

use std::collections::{BTreeMap, HashMap};
use std::sync::MutexGuard;

use super::{Author, Datastore, Datastores};
use crate::error::RpcError;
use crate::yang::diff::{Change, Edit};
use crate::yang::path::{InstancePath, Predicate, Step};
use crate::yang::tree::{Content, Inner, Tree};

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

/// The partial locks of a server.
#[derive(Default)]
pub(super) struct Table {
    locks: PartialLocks,
    held: Held,
    last_id: u32,
}

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
        let mut table = self.partial_locks();
        let session_id = author.session_id;
        if let Some(Holder { lock, session }) = nodes.iter().find_map(|node| table.held.conflict(node, session_id)) {
            let message = format!("Part of it is locked by session {session} with partial lock {lock}.");
            return Err(RpcError::lock_denied(session, message));
        }
        if table.locks.values().filter(|lock| lock.session_id == session_id).count() >= MAX_PARTIAL_LOCKS {
            let message = format!("A session holds {MAX_PARTIAL_LOCKS} partial locks at most.");
            return Err(RpcError::resource_denied(message));
        }
        Ok((table.add(session_id, nodes.clone()), nodes))
    }

    /// `<partial-unlock>` (RFC 5717 section 2.4.2).
    pub async fn partial_unlock(&self, session_id: u32, id: u32) -> Result<(), RpcError> {
        let _core = self.core().await;
        let mut table = self.partial_locks();
        match table.locks.get(&id) {
            Some(lock) if lock.session_id == session_id => {
                table.remove(id);
                Ok(())
            }
            _ => Err(RpcError::invalid_value(format!("This session holds no partial lock {id}."))),
        }
    }

    /// The partial locks that are held.
    pub fn all_partial_locks(&self) -> PartialLocks {
        self.partial_locks().locks.clone()
    }

    pub(super) fn partial_locks(&self) -> MutexGuard<'_, Table> {
        self.partial.lock().expect("no panic holds it")
    }

    /// Refuses edits of running that reach what another session has locked: inside it, or with something around it. They
    /// are those that come to be, with what a condition removes.
    pub(super) fn refuse_if_partly_locked(&self, edits: &[Edit], session_id: u32) -> Result<(), RpcError> {
        let table = self.partial_locks();
        for edit in edits {
            if let Some(Holder { lock, session }) = table.held.reached(edit, session_id) {
                let message = format!("Session {session} has locked it with partial lock {lock}.");
                let error = RpcError::in_use(message).with_app_tag("locked");
                return Err(error.with_path(edit.path.to_error_path(&self.schema)));
            }
        }
        Ok(())
    }
}

impl Table {
    /// Some partial lock.
    pub(super) fn first(&self) -> Option<&PartialLock> {
        self.locks.values().next()
    }

    fn add(&mut self, session_id: u32, nodes: Vec<InstancePath>) -> u32 {
        // Ids come around after four thousand million locks; one that is still held is passed over.
        let mut id = self.last_id;
        loop {
            id = id.checked_add(1).unwrap_or(1);
            if !self.locks.contains_key(&id) {
                break;
            }
        }
        self.last_id = id;
        for node in &nodes {
            self.held.add(&node.steps, Holder { lock: id, session: session_id });
        }
        self.locks.insert(id, PartialLock { session_id, time: crate::server::now(), nodes });
        id
    }

    fn remove(&mut self, id: u32) {
        let Some(lock) = self.locks.remove(&id) else { return };
        for node in &lock.nodes {
            self.held.remove(&node.steps, id);
        }
    }

    /// Partial locks die with their session.
    pub(super) fn release(&mut self, session_id: u32) {
        let of_session = |(id, lock): (&u32, &PartialLock)| (lock.session_id == session_id).then_some(*id);
        let ids: Vec<u32> = self.locks.iter().filter_map(of_session).collect();
        for id in ids {
            self.remove(id);
        }
    }
}

#[derive(Clone, Copy)]
struct Holder {
    lock: u32,
    session: u32,
}

/// The locked nodes as a tree of their paths. An edit finds them in as many steps as its path has, however many there are.
#[derive(Default)]
struct Held {
    /// Whoever has locked this node: a session can do so more than once.
    by: Vec<Holder>,
    below: HashMap<Step, Held>,
}

impl Held {
    fn add(&mut self, steps: &[Step], holder: Holder) {
        match steps.split_first() {
            None => self.by.push(holder),
            Some((first, rest)) => self.below.entry(first.clone()).or_default().add(rest, holder),
        }
    }

    fn remove(&mut self, steps: &[Step], lock: u32) {
        let Some((first, rest)) = steps.split_first() else {
            self.by.retain(|holder| holder.lock != lock);
            return;
        };
        if let Some(next) = self.below.get_mut(first) {
            next.remove(rest, lock);
            if next.by.is_empty() && next.below.is_empty() {
                self.below.remove(first);
            }
        }
    }

    /// Another session's lock of the node, of one around it or of one below it.
    fn conflict(&self, node: &InstancePath, session_id: u32) -> Option<Holder> {
        match self.at(node, session_id) {
            Ok(held) => held?.any(session_id),
            Err(holder) => Some(holder),
        }
    }

    /// Another session's lock of what the edit changes. A node that is created or deleted stands for all below it.
    fn reached(&self, edit: &Edit, session_id: u32) -> Option<Holder> {
        let held = match self.at(&edit.path, session_id) {
            Ok(held) => held?,
            Err(holder) => return Some(holder),
        };
        match (edit.change, &edit.after) {
            (Change::Delete, _) => held.any(session_id),
            (Change::Create, Some(Content::Container(created))) => held.within(created, session_id),
            _ => None,
        }
    }

    /// What is held at and below a node; Err: another session's lock of it or of one around it.
    fn at(&self, node: &InstancePath, session_id: u32) -> Result<Option<&Held>, Holder> {
        let mut at = self;
        for step in &node.steps {
            let Some(next) = at.below.get(step) else { return Ok(None) };
            next.by_another(session_id).map_or(Ok(()), Err)?;
            at = next;
        }
        Ok(Some(at))
    }

    fn by_another(&self, session_id: u32) -> Option<Holder> {
        self.by.iter().find(|holder| holder.session != session_id).copied()
    }

    fn any(&self, session_id: u32) -> Option<Holder> {
        self.by_another(session_id).or_else(|| self.below.values().find_map(|held| held.any(session_id)))
    }

    /// Another session's lock of something that is in `inner`.
    fn within(&self, inner: &Inner, session_id: u32) -> Option<Holder> {
        self.below.iter().find_map(|(step, held)| {
            let child = inner.get(step.node).filter(|child| !child.default)?;
            let below = match (&child.content, &step.predicate) {
                (Content::Container(inner), _) => Some(inner),
                (Content::List(list), Predicate::Key(key)) => Some(list.get(key)?),
                (Content::LeafList(values), Predicate::Value(value)) if values.contains(value) => None,
                (Content::Leaf(_) | Content::Any(_), _) => None,
                _ => return None,
            };
            held.by_another(session_id).or_else(|| held.within(below?, session_id))
        })
    }
}
