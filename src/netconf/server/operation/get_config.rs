//! `<get-config>` (RFC 6241 section 7.1).

use super::get::{defaults, selected, selection, xpath_error};
use super::parameters::{Parameters, WITH_DEFAULTS, datastore, name};
use super::{Outcome, Reply, Request};
use crate::server::provider::Provider;
use crate::xml::Element;

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let parameters = Parameters::read(operation, &[name("source"), name("filter"), WITH_DEFAULTS])?;
    let source = parameters.required("source").and_then(datastore)?;
    let selection = selection(request, &parameters)?;
    let defaults = defaults(&parameters)?;
    let tree = request.shared.datastores.read(source);
    let selection = selected(request, selection, &tree, xpath_error).await?;
    Ok(Outcome::data(tree, selection, defaults))
}
