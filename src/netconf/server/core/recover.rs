//! Running as the state directory has it: a checkpoint, and the edits since.

use std::sync::Arc;

use super::journalled::{CHECKPOINT_OF_BOTH, CHECKPOINT_OF_RUNNING, Mark};
use crate::error::RpcError;
use crate::server::journal::{Journal, Recovered};
use crate::server::record::RecordError;
use crate::xml::{Document, Element, Limits};
use crate::yang::diff::diff;
use crate::yang::edit::{self, Operation};
use crate::yang::schema::Schema;
use crate::yang::tree::Tree;

/// Why a server cannot start on what its state directory holds.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error(transparent)]
    Stored(#[from] RecordError),
    #[error("the stored configuration does not fit the loaded modules: {0}")]
    Schema(String),
    #[error("the stored configuration is not valid: {0}")]
    Invalid(String),
}

/// What the state directory held.
pub(super) struct Recovery {
    pub(super) running: Tree,
    /// Where a confirmed commit that nobody confirmed has to go back to (RFC 6241 section 8.4.1).
    pub(super) before: Option<Tree>,
}

/// Running as the checkpoint and the records after it tell it.
pub(super) fn recover(schema: &Arc<Schema>, recovered: Recovered) -> Result<Recovery, RecoveryError> {
    let mut found = Recovery { running: Tree::initial(schema.clone()), before: None };
    if let Some(checkpoint) = recovered.checkpoint {
        read(&checkpoint, |root| {
            match root.name() {
                CHECKPOINT_OF_BOTH => {
                    for datastore in root.children() {
                        let tree = edit::read_config(schema, datastore)?;
                        match datastore.name() {
                            "before" => found.before = Some(tree),
                            _ => found.running = tree,
                        }
                    }
                }
                CHECKPOINT_OF_RUNNING => found.running = edit::read_config(schema, root)?,
                other => return Err(RpcError::unknown_element(other).into()),
            }
            Ok(())
        })?;
    }
    for record in recovered.records {
        read(&record, |root| {
            let mark = Mark::of(root.name()).ok_or_else(|| RpcError::unknown_element(root.name()))?;
            match mark {
                Mark::Edits => {}
                Mark::ConfirmedCommit => found.before = found.before.take().or_else(|| Some(found.running.clone())),
                Mark::ConfirmingCommit | Mark::Rollback => found.before = None,
            }
            for one in root.children() {
                let (next, errors) = edit::edit(&found.running, one, Operation::Merge);
                if !errors.is_empty() {
                    return Err(errors);
                }
                found.running = next;
            }
            Ok(())
        })?;
    }
    Ok(found)
}

/// Hands a stored document's root to `take`.
pub(super) fn read(
    bytes: &[u8],
    take: impl FnOnce(Element<'_>) -> Result<(), Vec<RpcError>>,
) -> Result<(), RecoveryError> {
    let text = std::str::from_utf8(bytes).map_err(|e| RecoveryError::Schema(e.to_string()))?;
    let document = Document::parse(text, &Limits::default()).map_err(|e| RecoveryError::Schema(e.to_string()))?;
    take(document.root())
        .map_err(|errors| RecoveryError::Schema(errors.first().map(|e| e.to_string()).unwrap_or_default()))
}

/// Makes it durable that the server starts with `running` and not with what it found: what comes next is written as
/// the difference from it.
pub(super) fn record_start(journal: &mut Journal, found: &Recovery, running: &Tree) -> Result<(), RecoveryError> {
    if found.before.is_some() {
        tracing::warn!("a confirmed commit was not confirmed before the server ended: it is taken back");
    }
    let edits = diff(&found.running, running);
    if found.before.is_some() || !edits.is_empty() {
        journal.append(&Mark::Rollback.record(running.schema(), &edits, running))?;
        journal.commit()?;
    }
    Ok(())
}
