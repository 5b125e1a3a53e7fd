//! `<get-schema>` (RFC 6022 section 3.1): the module's text as it was published.

use super::parameters::{Parameters, name};
use super::{Outcome, Reply, Request};
use crate::error::{ErrorType, RpcError};
use crate::server::provider::Provider;
use crate::xml::Element;

pub fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let parameters = Parameters::read(operation, &[name("identifier"), name("version"), name("format")])?;
    let no_such = |message: String| vec![RpcError::invalid_value(message).with_type(ErrorType::Application)];
    parameters.required("identifier")?;
    let identifier = parameters.text("identifier")?.unwrap_or_default();
    let version = parameters.text("version")?;
    if let Some(format) = parameters.text("format")?
        && format.rsplit(':').next() != Some("yang")
    {
        return Err(no_such(format!("Schemas are not available in format \"{format}\".")));
    }
    let schema = &request.shared.schema;
    let modules = schema.modules().iter().map(|m| (&m.name, &m.revision, &m.text));
    let submodules = schema.modules().iter().flat_map(|m| &m.submodules).map(|m| (&m.name, &m.revision, &m.text));
    let mut found: Vec<_> = modules
        .chain(submodules)
        .filter(|(name, revision, _)| {
            *name == identifier && version.is_none_or(|v| revision.as_deref().unwrap_or_default() == v)
        })
        .collect();
    found.dedup();
    match found.as_slice() {
        [] => Err(no_such(format!("There is no schema \"{identifier}\" of version \"{}\".", version.unwrap_or("any")))),
        [(_, _, Some(text))] => Ok(Outcome::Text(text.clone())),
        [_] => Err(RpcError::operation_failed("The text of the schema is not available.").into()),
        _ => Err(RpcError::operation_failed("There is more than one version of the schema.")
            .with_app_tag("data-not-unique")
            .into()),
    }
}
