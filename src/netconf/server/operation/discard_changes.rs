//! `<discard-changes>` (RFC 6241 section 8.3.4.2).

use super::parameters::Parameters;
use super::{Outcome, Reply, Request};
use crate::server::provider::Provider;
use crate::xml::Element;

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    Parameters::read(operation, &[])?;
    request.shared.datastores.discard_changes(request.author()).await?;
    Ok(Outcome::Ok)
}
