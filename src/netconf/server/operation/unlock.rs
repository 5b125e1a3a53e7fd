//! `<unlock>` (RFC 6241 section 7.6).

use super::nmda;
use super::parameters::{Parameters, name};
use super::{Outcome, Reply, Request};
use crate::server::provider::Provider;
use crate::xml::Element;

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let parameters = Parameters::read(operation, &[name("target")])?;
    let target = nmda::target(&request.shared.schema, parameters.required("target")?)?;
    request.shared.datastores.unlock(target, request.session.id).await?;
    Ok(Outcome::Ok)
}
