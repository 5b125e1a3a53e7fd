//! Locks of whole datastores (RFC 6241 sections 7.5 and 7.6), which die with their session.

use std::collections::BTreeMap;

use super::{Core, Datastore, Datastores};
use crate::error::RpcError;

/// Who holds a datastore, and since when (RFC 3339).
#[derive(Clone, Debug)]
pub struct Lock {
    pub session_id: u32,
    pub time: String,
}

impl Datastores {
    /// `<lock>` (RFC 6241 section 7.5).
    pub async fn lock(&self, target: Datastore, session_id: u32) -> Result<(), RpcError> {
        let core = self.core().await;
        let mut locks = self.lock_table();
        if let Some(&Lock { session_id: holder, .. }) = locks.get(&target) {
            let message = format!("The {} datastore is locked by session {holder}.", target.as_str());
            return Err(RpcError::lock_denied(holder, message));
        }
        let awaiting = core.running.awaiting.as_ref();
        if target == Datastore::Running
            && let Some(holder) = awaiting.and_then(|awaiting| awaiting.refuses_lock(session_id))
        {
            let message = "A confirmed commit of another session is pending.";
            return Err(RpcError::lock_denied(holder, message));
        }
        // RFC 5717 section 2.4: a partial lock, whoever holds it.
        if target == Datastore::Running
            && let Some(lock) = self.partial_locks().first()
        {
            let message = format!("Part of running is locked by session {}.", lock.session_id);
            return Err(RpcError::lock_denied(lock.session_id, message));
        }
        if target == Datastore::Candidate && core.candidate.is_some() {
            let message = "The candidate has changes that are neither committed nor discarded.";
            return Err(RpcError::lock_denied(0, message));
        }
        locks.insert(target, Lock { session_id, time: crate::server::now() });
        Ok(())
    }

    /// `<unlock>` (RFC 6241 section 7.6).
    pub async fn unlock(&self, target: Datastore, session_id: u32) -> Result<(), RpcError> {
        let mut core = self.core().await;
        let mut locks = self.lock_table();
        match locks.get(&target) {
            Some(lock) if lock.session_id == session_id => {
                locks.remove(&target);
                self.after_unlock(&mut core, target);
                Ok(())
            }
            Some(Lock { session_id: holder, .. }) => Err(RpcError::operation_failed(format!(
                "The {} datastore is locked by session {holder}.",
                target.as_str()
            ))),
            None => Err(RpcError::operation_failed(format!("The {} datastore is not locked.", target.as_str()))),
        }
    }

    /// Locks die with their session, and changes to a locked candidate with its lock (RFC 6241 section 8.3.4.2).
    pub(super) async fn release_locks(&self, session_id: u32) {
        let mut core = self.core().await;
        let mut locks = self.lock_table();
        let held: Vec<Datastore> =
            locks.iter().filter(|(_, lock)| lock.session_id == session_id).map(|(datastore, _)| *datastore).collect();
        for datastore in held {
            locks.remove(&datastore);
            self.after_unlock(&mut core, datastore);
        }
        self.partial_locks().release(session_id);
    }

    /// The holders of locks.
    pub fn locks(&self) -> BTreeMap<Datastore, Lock> {
        self.lock_table().clone()
    }

    pub(super) fn lock_table(&self) -> std::sync::MutexGuard<'_, BTreeMap<Datastore, Lock>> {
        self.locks.lock().expect("no panic holds it")
    }

    pub(super) fn refuse_if_locked(&self, target: Datastore, session_id: u32) -> Result<(), RpcError> {
        match self.lock_table().get(&target) {
            Some(&Lock { session_id: holder, .. }) if holder != session_id => {
                Err(RpcError::in_use(format!("The {} datastore is locked by session {holder}.", target.as_str())))
            }
            _ => Ok(()),
        }
    }

    fn after_unlock(&self, core: &mut Core, target: Datastore) {
        if target == Datastore::Candidate {
            self.set_candidate(core, None);
        }
    }
}
