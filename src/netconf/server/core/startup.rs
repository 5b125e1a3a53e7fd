//! The startup datastore (RFC 6241 section 8.7): one sealed file beside running's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Author, Committed, Datastore, Datastores, Durable, RecoveryError, recover};
use crate::error::RpcError;
use crate::server::record::{self, Kind, RecordError, StateDirectory};
use crate::yang::diff::diff;
use crate::yang::edit;
use crate::yang::patch;
use crate::yang::schema::Schema;
use crate::yang::tree::Tree;

const STARTUP: Kind = *b"STRT";
const STARTUP_NAME: &str = "startup.config";

/// What a server starts with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boot {
    /// Running as it was: a restart loses nothing that was acknowledged. Startup is a copy that can be gone back to.
    #[default]
    Running,
    /// Startup (RFC 6241 section 8.7); where it was deleted, what a new server starts with.
    Startup,
}

/// What is known of startup.
pub(super) enum Stored {
    Config(Tree),
    Deleted,
}

pub(super) fn path(state: &StateDirectory) -> PathBuf {
    state.path().join(STARTUP_NAME)
}

/// None where this state directory never had one.
pub(super) fn load(schema: &Arc<Schema>, path: &Path) -> Result<Option<Stored>, RecoveryError> {
    let Some((_, content)) = record::read_sealed(path, STARTUP)? else { return Ok(None) };
    if content.is_empty() {
        return Ok(Some(Stored::Deleted));
    }
    let mut tree = None;
    recover::read(&content, |root| {
        tree = Some(edit::read_config(schema, root)?);
        Ok(())
    })
    .map_err(|error| match error {
        RecoveryError::Schema(reason) => RecoveryError::Schema(format!("{STARTUP_NAME}: {reason}")),
        other => other,
    })?;
    Ok(tree.map(Stored::Config))
}

/// Durable when it returns. None: deleted.
pub(super) fn store(path: &Path, startup: Option<&Tree>) -> Result<(), RecordError> {
    let mut content = Vec::new();
    if let Some(startup) = startup {
        content.extend_from_slice(b"<config>");
        patch::write_config(startup, &mut content);
        content.extend_from_slice(b"</config>");
    }
    record::write_sealed(path, STARTUP, 0, &content).map(drop)
}

impl Datastores {
    /// `<delete-config>` of startup. Who may do this is the operation's to say (RFC 8341 section 3.2.7).
    pub async fn delete_startup(&self, author: Author<'_>) -> Result<Committed, RpcError> {
        let core = self.core().await;
        self.refuse_if_locked(Datastore::Startup, author.session_id)?;
        let committed = self.set_startup(None).await?;
        drop(core);
        Ok(committed)
    }

    /// Called by the holder of the core. Durable when it returns.
    pub(super) async fn set_startup(&self, new: Option<Tree>) -> Result<Committed, RpcError> {
        let edits = diff(&self.read(Datastore::Startup), new.as_ref().unwrap_or(&Tree::initial(self.schema.clone())));
        let (path, stored) = (self.startup_path.clone(), new.clone());
        let failed = |reason: String| RpcError::operation_failed(format!("Startup could not be stored: {reason}"));
        tokio::task::spawn_blocking(move || store(&path, stored.as_ref()))
            .await
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))?;
        self.startup.store(new.map(Arc::new));
        self.changed[Datastore::Startup as usize].send_replace(());
        Ok(Committed { datastore: Datastore::Startup, edits, durable: Durable::done() })
    }
}
