//! `<get>` (RFC 6241 section 7.7): running, and the state of what the filter reaches.

use super::parameters::{Parameters, WITH_DEFAULTS, invalid, name};
use super::{Outcome, Reply, Request};
use crate::error::{ErrorInfo, ErrorType, RpcError};
use crate::server::provider::Provider;
use crate::xml::Element;
use crate::yang::Schema;
use crate::yang::filter::Selection;
use crate::yang::tree::Tree;
use crate::yang::write::WithDefaults;
use crate::yang::xpath::{MAX_WORK, Namespaces, XPath, XPathError};

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let parameters = Parameters::read(operation, &[name("filter"), WITH_DEFAULTS])?;
    let selection = selection(request, &parameters)?;
    let defaults = defaults(&parameters)?;
    let tree = request.operational(&selection, false).await?;
    let selection = selected(request, selection, &tree, xpath_error).await?;
    Ok(Outcome::data(tree, selection, defaults))
}

/// The `<filter>` parameter: everything where there is none. What an XPath filter selects is for [`selected`] to tell once
/// there is a tree.
pub fn selection<P: Provider>(
    request: &Request<'_, P>,
    parameters: &Parameters<'_>,
) -> Result<Selection, Vec<RpcError>> {
    let Some(filter) = parameters.get("filter") else { return Ok(Selection::all()) };
    match filter.attribute("", "type") {
        None | Some("subtree") => Selection::from_subtree(&request.shared.schema, filter).map_err(|e| vec![e]),
        Some("xpath") => xpath(&request.shared.schema, filter).map_err(|e| vec![e]),
        Some(other) => {
            Err(vec![RpcError::bad_attribute("type", "filter", format!("\"{other}\" is no type of filter."))])
        }
    }
}

/// `<filter type="xpath" select="…"/>` (RFC 6241 section 8.9).
fn xpath(schema: &Schema, filter: Element<'_>) -> Result<Selection, RpcError> {
    let select = filter.attribute("", "select").ok_or_else(|| RpcError::missing_attribute("select", "filter"))?;
    if filter.has_children() || !filter.text().trim_ascii().is_empty() {
        return Err(RpcError::bad_element("filter", "An XPath filter has nothing inside."));
    }
    XPath::parse(select, &Namespaces::of_element(schema, filter))
        .and_then(|expression| Selection::from_xpath(schema, expression))
        .map_err(|error| xpath_error(&error))
}

/// Nodes that a filter may look at on the thread of the session: well below a millisecond's work.
const QUICK_WORK: usize = 10_000;

/// The selection as it is in a tree: the instances that an XPath filter selects of those the user may read. `blame` tells
/// of an expression that cannot be evaluated.
pub async fn selected<P: Provider>(
    request: &Request<'_, P>,
    selection: Selection,
    tree: &Tree,
    blame: fn(&XPathError) -> RpcError,
) -> Result<Selection, RpcError> {
    if !selection.is_xpath() {
        return Ok(selection);
    }
    let reader = request.access.for_reading();
    let found = match selection.on(tree, reader.as_deref(), QUICK_WORK) {
        Err(XPathError::TooMuchWork) => {
            let overload = &request.shared.overload;
            let place = overload.place(&overload.evaluations, &request.requester.user).await?;
            let tree = tree.clone();
            let evaluation = tokio::task::spawn_blocking(move || {
                let _place = place;
                selection.on(&tree, reader.as_deref(), MAX_WORK)
            });
            evaluation.await.map_err(|failed| RpcError::operation_failed(format!("The filter failed: {failed}.")))?
        }
        found => found,
    };
    found.map_err(|error| blame(&error))
}

/// For an expression in the `select` attribute of a `<filter>`.
pub fn xpath_error(error: &XPathError) -> RpcError {
    let message = format!("XPath filter: {error}.");
    match error {
        XPathError::Syntax { .. } | XPathError::Name(_) => RpcError::bad_attribute("select", "filter", message),
        XPathError::Type(_) | XPathError::Value(_) => RpcError::invalid_value(message)
            .with_type(ErrorType::Protocol)
            .with_info(ErrorInfo::BadAttribute("select".into()))
            .with_info(ErrorInfo::BadElement("filter".into())),
        XPathError::TooLarge(_) => RpcError::too_big(message),
        XPathError::TooMuchWork => RpcError::resource_denied(message).with_type(ErrorType::Protocol),
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
