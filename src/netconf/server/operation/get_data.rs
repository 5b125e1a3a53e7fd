//! `<get-data>` (RFC 8526 section 3.1).

use super::nmda::{self, Named};
use super::parameters::{Datastore, Parameters, name};
use super::{Outcome, Reply, Request, get};
use crate::error::{ErrorInfo, ErrorType, RpcError};
use crate::server::core::Datastores;
use crate::server::provider::Provider;
use crate::xml::Element;
use crate::yang::filter::Selection;
use crate::yang::schema::Schema;
use crate::yang::tree::{Origin, Origins, Tree};
use crate::yang::write::{WithDefaults, WriteOptions};
use crate::yang::xpath::{Namespaces, XPath, XPathError};

const ORIGIN_FILTERS: [&str; 2] = ["origin-filter", "negated-origin-filter"];

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let known =
        ["datastore", "subtree-filter", "xpath-filter", "config-filter", "max-depth", "with-origin", "with-defaults"]
            .map(name);
    let parameters = Parameters::read_with_lists(operation, &known, &ORIGIN_FILTERS.map(name))?;
    let shared = request.shared;
    let schema = &shared.schema;
    let datastore = nmda::named(schema, parameters.required("datastore")?)?;
    let selection = selection(schema, &parameters)?;
    let options = options(schema, datastore, &parameters)?;
    let tree = match datastore {
        Named::Operational => {
            let origins = options.with_origin || options.origins != Origins::ALL;
            shared.operational(&selection, origins).await?
        }
        Named::Writable(datastore) => shared.datastores.read(datastore),
        Named::Intended => intended(&shared.datastores),
    };
    let selection = get::selected(request, selection, &tree, xpath_error).await?;
    Ok(Outcome::Data { tree, selection, options, namespace: Some(nmda::NAMESPACE) })
}

fn selection(schema: &Schema, parameters: &Parameters<'_>) -> Result<Selection, RpcError> {
    let filter = match (parameters.get("subtree-filter"), parameters.get("xpath-filter")) {
        (None, None) => return Ok(Selection::all()),
        (Some(filter), None) => return Selection::from_subtree(schema, filter),
        (None, Some(filter)) => filter,
        (Some(_), Some(second)) => return Err(RpcError::bad_element(second.name(), "There is a filter already.")),
    };
    if let Some(child) = filter.children().next() {
        return Err(RpcError::unknown_element(child.name()).with_type(ErrorType::Protocol));
    }
    XPath::parse(filter.text().trim_ascii(), &Namespaces::of_element(schema, filter))
        .and_then(|expression| Selection::from_xpath(schema, expression))
        .map_err(|error| xpath_error(&error))
}

/// For an expression in `<xpath-filter>`.
fn xpath_error(error: &XPathError) -> RpcError {
    let message = format!("XPath filter: {error}.");
    match error {
        XPathError::TooLarge(_) => RpcError::too_big(message),
        XPathError::TooMuchWork => RpcError::resource_denied(message).with_type(ErrorType::Protocol),
        _ => RpcError::invalid_value(message)
            .with_type(ErrorType::Protocol)
            .with_info(ErrorInfo::BadElement("xpath-filter".into())),
    }
}

fn intended(datastores: &Datastores) -> Tree {
    datastores.read(Datastore::Running)
}

fn options(schema: &Schema, datastore: Named, parameters: &Parameters<'_>) -> Result<WriteOptions, Vec<RpcError>> {
    let operational = datastore == Named::Operational;
    // Without the parameter, operational has every value in use (RFC 8526 section 3.1.1.2), and others the basic mode.
    let defaults = match parameters.get("with-defaults") {
        None if operational => WithDefaults::ReportAll,
        _ => get::defaults(parameters)?,
    };
    let max_depth = match parameters.get("max-depth") {
        Some(element) => nmda::value(schema, "max-depth", element)?.text().parse().ok(),
        None => None,
    };
    let config = match parameters.get("config-filter") {
        Some(element) => Some(nmda::value(schema, "config-filter", element)?.text() == "true"),
        None => None,
    };
    let with_origin = match parameters.get("with-origin") {
        Some(element) if !operational => {
            return Err(nmda::refused(element, "Only the operational state has origins.").into());
        }
        Some(element) => nmda::value(schema, "with-origin", element).map(|_| true)?,
        None => false,
    };
    let origins = origins(schema, operational, parameters)?;
    Ok(WriteOptions { defaults, max_depth, config, origins, with_origin })
}

/// What the origin filters let through.
fn origins(schema: &Schema, operational: bool, parameters: &Parameters<'_>) -> Result<Origins, RpcError> {
    let [wanted, unwanted] = ORIGIN_FILTERS.map(|name| parameters.all(name));
    let Some(first) = wanted.first().or(unwanted.first()) else { return Ok(Origins::ALL) };
    if !operational {
        // Their `when` is false.
        return Err(RpcError::unknown_element(first.name()).with_type(ErrorType::Protocol));
    }
    if let (Some(_), Some(second)) = (wanted.first(), unwanted.first()) {
        return Err(RpcError::bad_element(second.name(), "Origins are filtered in one way or the other."));
    }
    let named = wanted.iter().chain(&unwanted).map(|element| nmda::value(schema, element.name(), *element));
    let named = named.collect::<Result<Vec<_>, _>>()?;
    // An identity that another module has derived from one of these is the origin of nothing here.
    let is_named =
        |origin: &Origin| named.iter().any(|v| v.text().strip_prefix("ietf-origin:") == Some(origin.as_str()));
    let origins: Origins = Origin::ALL.into_iter().filter(is_named).collect();
    Ok(if wanted.is_empty() { origins.others() } else { origins })
}
