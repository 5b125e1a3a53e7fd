//! Confirmed commits on the datastores (RFC 6241 section 8.4): what [`crate::server::confirm`] decides is done here.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{MutexGuard, watch};
use tokio::time::Instant;

use super::{Author, Committed, Core, Datastore, Datastores, Mark, Version};
use crate::error::RpcError;
use crate::server::confirm::{self, Awaiting, Commit, Step};
use crate::server::provider::Provider;
use crate::yang::diff::{Edit, diff};

/// A device that refuses to go back, or a disk that takes no record of it, is asked again after so long. Until it is
/// done running stays as the device is, the commit cannot be confirmed, and each refusal is logged.
pub const ROLLBACK_RETRY: Duration = Duration::from_secs(10);

impl Datastores {
    /// `<commit>`: what it was to the confirmed commit that may have been pending, and what it changed. Durable when it
    /// returns; where the disk refuses it, candidate has its changes again.
    pub async fn commit<P: Provider>(
        &self,
        provider: &P,
        author: Author<'_>,
        wish: &Commit<'_>,
        now: Instant,
    ) -> Result<(Step, Vec<Edit>), Vec<RpcError>> {
        let mut core = self.core().await;
        self.refuse_if_locked(Datastore::Running, author.session_id)?;
        self.refuse_if_locked(Datastore::Candidate, author.session_id)?;
        let old = core.running.running.clone();
        let (step, next) = confirm::commit(core.running.awaiting.as_ref(), wish, author.session_id, &old, now)?;
        let new = self.tree(&core, Datastore::Candidate);
        author.access.check_edits(&diff(&old, &new))?;
        let new = core.check(provider, &old, &new)?;
        let mark = match step {
            Step::Plain => Mark::Edits,
            Step::Start | Step::Extend => Mark::ConfirmedCommit,
            Step::Complete => Mark::ConfirmingCommit,
        };
        let candidate = core.candidate.clone();
        let Committed { edits, durable, .. } = self.put(&mut core, provider, Some(author), new, mark, next).await?;
        self.set_candidate(&mut core, None);
        drop(core);
        if let Err(error) = self.wait(provider, durable).await {
            let mut core = self.core().await;
            // Unless somebody has begun something new.
            if core.candidate.is_none() {
                self.set_candidate(&mut core, candidate);
            }
            return Err(error.into());
        }
        Ok((step, edits))
    }

    /// `<cancel-commit>`: what going back changed. Where the device or the disk refuses it, the commit stays pending.
    pub async fn cancel_commit<P: Provider>(
        &self,
        provider: &P,
        session_id: u32,
        persist_id: Option<&str>,
    ) -> Result<Vec<Edit>, RpcError> {
        let core = self.core().await;
        confirm::cancel(core.running.awaiting.as_ref(), persist_id, session_id)?;
        self.take_back(core, provider).await
    }

    /// Takes a commit back whose time is over. None where there is none: it may have been confirmed meanwhile.
    pub async fn time_out<P: Provider>(&self, provider: &P, now: Instant) -> Option<Result<Vec<Edit>, RpcError>> {
        let core = self.core().await;
        match &core.running.awaiting {
            Some(awaiting) if awaiting.deadline <= now => Some(self.take_back_for_good(core, provider).await),
            _ => None,
        }
    }

    /// What the end of a session takes back; None where nothing of it was pending. Its locks go with it, after that.
    pub async fn end_session<P: Provider>(&self, provider: &P, session_id: u32) -> Option<Result<Vec<Edit>, RpcError>> {
        let core = self.core().await;
        let taken = match &core.running.awaiting {
            Some(awaiting) if awaiting.ends_with(session_id) => Some(self.take_back_for_good(core, provider).await),
            _ => {
                drop(core);
                None
            }
        };
        self.release_locks(session_id).await;
        taken
    }

    /// When the commit that is pending is due, and each change of that.
    pub fn timer(&self) -> watch::Receiver<Option<Instant>> {
        self.timer.subscribe()
    }

    /// Takes the commit back. It cannot be confirmed from now on, and where this fails it is tried again.
    async fn take_back_for_good<P: Provider>(
        &self,
        mut core: MutexGuard<'_, Core>,
        provider: &P,
    ) -> Result<Vec<Edit>, RpcError> {
        self.set_overdue(&mut core);
        let taken = self.take_back(core, provider).await;
        if let Err(error) = &taken {
            // Where the disk refused, the version that is in force again knows nothing of it.
            self.set_overdue(&mut *self.core().await);
            let seconds = ROLLBACK_RETRY.as_secs();
            tracing::error!(%error, "a confirmed commit could not be taken back; trying again in {seconds} s");
        }
        taken
    }

    async fn take_back<P: Provider>(
        &self,
        mut core: MutexGuard<'_, Core>,
        provider: &P,
    ) -> Result<Vec<Edit>, RpcError> {
        let Some(awaiting) = &core.running.awaiting else { return Ok(Vec::new()) };
        let before = awaiting.before.clone();
        // It was valid and in force: neither the modules nor the provider are asked again.
        let Committed { edits, durable, .. } =
            match self.put(&mut core, provider, None, before, Mark::Rollback, None).await {
                Ok(committed) => committed,
                Err(errors) => {
                    let reason = errors.first().map(|error| error.to_string()).unwrap_or_default();
                    return Err(RpcError::rollback_failed(format!("The device did not go back: {reason}")));
                }
            };
        drop(core);
        self.wait(provider, durable).await?;
        Ok(edits)
    }

    fn set_overdue(&self, core: &mut Core) {
        let Some(awaiting) = core.running.awaiting.clone() else { return };
        let awaiting = Awaiting { overdue: true, deadline: Instant::now() + ROLLBACK_RETRY, ..awaiting };
        let Version { running, nacm, .. } = &*core.running;
        let version = Version { running: running.clone(), nacm: nacm.clone(), awaiting: Some(awaiting) };
        self.set_running(core, Arc::new(version));
    }
}
