//! `<edit-config>` (RFC 6241 sections 7.2 and 8.8.5.1): its parameters. What the edit means is [`crate::yang::edit`]'s.

use super::parameters::{Datastore, Parameters, datastore, invalid, misplaced, name};
use super::{Outcome, Reply, Request};
use crate::error::RpcError;
use crate::server::core::{ErrorOption, TestOption};
use crate::server::provider::Provider;
use crate::server::url;
use crate::xml::{Document, Element, Limits};
use crate::yang::edit::Operation;

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let known = ["target", "default-operation", "test-option", "error-option", "config", "url"].map(name);
    let parameters = Parameters::read(operation, &known)?;
    let target = match datastore(parameters.required("target")?)? {
        Datastore::Startup => return Err(misplaced("startup").into()),
        target => target,
    };
    let default = default_operation(&parameters)?;
    let test = match parameters.text("test-option")? {
        None | Some("test-then-set") => TestOption::TestThenSet,
        Some("set") => TestOption::Set,
        Some("test-only") => TestOption::TestOnly,
        Some(other) => return Err(invalid("test-option", other).into()),
    };
    let on_error = match parameters.text("error-option")? {
        None | Some("stop-on-error") => ErrorOption::StopOnError,
        Some("continue-on-error") => ErrorOption::ContinueOnError,
        Some("rollback-on-error") => ErrorOption::RollbackOnError,
        Some(other) => return Err(invalid("error-option", other).into()),
    };
    let errors = edit(request, &parameters, target, default, test, on_error).await?;
    Ok(if errors.is_empty() { Outcome::Ok } else { Outcome::Errors(errors) })
}

/// Edits `target` by `<config>` or by what is at `<url>`. The errors of a continue-on-error edit come with what was done
/// all the same.
pub async fn edit<P: Provider>(
    request: &Request<'_, P>,
    parameters: &Parameters<'_>,
    target: Datastore,
    default: Operation,
    test: TestOption,
    on_error: ErrorOption,
) -> Result<Vec<RpcError>, Vec<RpcError>> {
    let shared = request.shared;
    let url = parameters.text("url")?.map(|text| shared.urls.url(text)).transpose()?;
    if url.is_some() && parameters.get("config").is_some() {
        return Err(RpcError::bad_element("url", "Either <config> or <url> can be given.").into());
    }
    let text = match &url {
        Some(url) => url.read().await?,
        None => String::new(),
    };
    let document;
    let config = match &url {
        Some(url) => {
            document = Document::parse(&text, &Limits::default());
            url::config(url, &document)?
        }
        None => parameters.required("config")?,
    };
    let (committed, errors) =
        shared.datastores.edit(&shared.provider, request.author(), target, config, default, test, on_error).await?;
    request.committed(committed).await?;
    Ok(errors)
}

/// The `<default-operation>` parameter.
pub fn default_operation(parameters: &Parameters<'_>) -> Result<Operation, RpcError> {
    match parameters.text("default-operation")? {
        None | Some("merge") => Ok(Operation::Merge),
        Some("replace") => Ok(Operation::Replace),
        Some("none") => Ok(Operation::None),
        Some(other) => Err(invalid("default-operation", other)),
    }
}
