//! `<commit>` (RFC 6241 section 8.3.4.1).

use super::parameters::{Datastore, Parameters};
use super::{Outcome, Reply, Request};
use crate::server::provider::Provider;
use crate::xml::Element;

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    Parameters::read(operation, &[])?;
    let shared = request.shared;
    let source = Ok(Datastore::Candidate);
    let committed = shared.datastores.replace(&shared.provider, request.author(), Datastore::Running, source).await?;
    request.committed(committed).await?;
    Ok(Outcome::Ok)
}
