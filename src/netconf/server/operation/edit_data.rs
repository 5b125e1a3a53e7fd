//! `<edit-data>` (RFC 8526 section 3.2): an edit that is done whole or not at all.

use super::edit_config::default_operation;
use super::nmda;
use super::parameters::{Parameters, name};
use super::{Outcome, Reply, Request};
use crate::server::core::{ErrorOption, TestOption};
use crate::server::provider::Provider;
use crate::xml::Element;

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let parameters = Parameters::read(operation, &["datastore", "default-operation", "config"].map(name))?;
    let shared = request.shared;
    let target = nmda::writable(&shared.schema, parameters.required("datastore")?)?;
    let default = default_operation(&parameters)?;
    let config = parameters.required("config")?;
    let (test, on_error) = (TestOption::TestThenSet, ErrorOption::RollbackOnError);
    let (committed, _) =
        shared.datastores.edit(&shared.provider, request.author(), target, config, default, test, on_error).await?;
    request.committed(committed).await?;
    Ok(Outcome::Ok)
}
