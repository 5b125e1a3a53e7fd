//! Running as the state directory has it: a checkpoint, and the edits since.

use std::sync::Arc;

use crate::error::RpcError;
use crate::server::journal::{JournalError, Recovered};
use crate::xml::{Document, Element, Limits};
use crate::yang::edit::{self, Operation};
use crate::yang::schema::Schema;
use crate::yang::tree::Tree;

/// Why a server cannot start on what its state directory holds.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the stored configuration does not fit the loaded modules: {0}")]
    Schema(String),
    #[error("the stored configuration is not valid: {0}")]
    Invalid(String),
}

/// Running as the checkpoint and the records after it tell it.
pub(super) fn recover(schema: &Arc<Schema>, recovered: Recovered) -> Result<Tree, RecoveryError> {
    let parse = |bytes: &[u8], apply: &mut dyn FnMut(Element<'_>) -> Result<(), Vec<RpcError>>| {
        let text = std::str::from_utf8(bytes).map_err(|e| RecoveryError::Schema(e.to_string()))?;
        let document = Document::parse(text, &Limits::default()).map_err(|e| RecoveryError::Schema(e.to_string()))?;
        apply(document.root())
            .map_err(|errors| RecoveryError::Schema(errors.first().map(|e| e.to_string()).unwrap_or_default()))
    };
    let mut running = Tree::initial(schema.clone());
    if let Some(checkpoint) = recovered.checkpoint {
        parse(&checkpoint, &mut |config| {
            running = edit::read_config(schema, config)?;
            Ok(())
        })?;
    }
    for record in recovered.records {
        parse(&record, &mut |edits| {
            for one in edits.children() {
                let (next, errors) = edit::edit(&running, one, Operation::Merge);
                if !errors.is_empty() {
                    return Err(errors);
                }
                running = next;
            }
            Ok(())
        })?;
    }
    Ok(running)
}
