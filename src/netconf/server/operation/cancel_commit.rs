//! `<cancel-commit>` (RFC 6241 section 8.4.4.1).

use super::parameters::{Datastore, Parameters, name};
use super::{Outcome, Reply, Request};
use crate::server::event::ConfirmEvent;
use crate::server::provider::Provider;
use crate::xml::Element;

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let parameters = Parameters::read(operation, &[name("persist-id")])?;
    let persist_id = parameters.text("persist-id")?;
    let shared = request.shared;
    let edits = shared.datastores.cancel_commit(&shared.provider, request.session.id, persist_id).await?;
    shared.config_changed(Some(request.session), Datastore::Running, &edits).await;
    shared.confirmed_commit(ConfirmEvent::Cancel(request.session)).await;
    Ok(Outcome::Ok)
}
