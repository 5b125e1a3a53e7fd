//! `network/resource` and `network/inconsistency`: what was found (clause 10.3), as the store has it.

use netconf::error::RpcError;

use super::{Answer, failed, rows};
use crate::store::Store;

const RESOURCE: &str = "/qkdn-manager:network/resource";
const INCONSISTENCY: &str = "/qkdn-manager:network/inconsistency";

pub(super) fn read(answer: &mut Answer<'_>, store: &impl Store) -> Result<(), RpcError> {
    if answer.reaches(RESOURCE) {
        let resources = rows(answer.keys(RESOURCE), |id| store.resources(id))?;
        answer.add_entries(RESOURCE, &resources);
    }
    if answer.reaches(INCONSISTENCY) {
        answer.add_entries(INCONSISTENCY, &store.inconsistencies().map_err(failed)?);
    }
    Ok(())
}
