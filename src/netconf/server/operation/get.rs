//! `<get>` (RFC 6241 section 7.7): running, and the state of what the filter reaches.

use super::parameters::{Parameters, WITH_DEFAULTS, invalid, name};
use super::{Outcome, Reply, Request};
use crate::error::RpcError;
use crate::server::provider::Provider;
use crate::xml::Element;
use crate::yang::filter::Selection;
use crate::yang::write::WithDefaults;

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let parameters = Parameters::read(operation, &[name("filter"), WITH_DEFAULTS])?;
    let selection = selection(request, &parameters)?;
    let defaults = defaults(&parameters)?;
    let tree = request.shared.operational(&selection, false).await?;
    Ok(Outcome::data(tree, selection, defaults))
}

/// The `<filter>` parameter: everything where there is none.
pub fn selection<P: Provider>(
    request: &Request<'_, P>,
    parameters: &Parameters<'_>,
) -> Result<Selection, Vec<RpcError>> {
    let Some(filter) = parameters.get("filter") else { return Ok(Selection::all()) };
    match filter.attribute("", "type") {
        None | Some("subtree") => Selection::from_subtree(&request.shared.schema, filter).map_err(|e| vec![e]),
        Some("xpath") => Err(vec![RpcError::bad_attribute("type", "filter", "XPath filters are not supported.")]),
        Some(other) => {
            Err(vec![RpcError::bad_attribute("type", "filter", format!("\"{other}\" is no type of filter."))])
        }
    }
}

/// The `<with-defaults>` parameter (RFC 6243 section 4.5.1); the basic mode is explicit.
pub fn defaults(parameters: &Parameters<'_>) -> Result<WithDefaults, Vec<RpcError>> {
    Ok(match parameters.text("with-defaults")? {
        None | Some("explicit") => WithDefaults::Explicit,
        Some("report-all") => WithDefaults::ReportAll,
        Some("report-all-tagged") => WithDefaults::ReportAllTagged,
        Some("trim") => WithDefaults::Trim,
        Some(other) => return Err(vec![invalid("with-defaults", other)]),
    })
}
