//! `<edit-data>` (RFC 8526 section 3.2): an edit that is done whole or not at all.

use super::edit_config::{default_operation, edit};
use super::nmda;
use super::parameters::{Parameters, name};
use super::{Outcome, Reply, Request};
use crate::server::core::{ErrorOption, TestOption};
use crate::server::provider::Provider;
use crate::xml::Element;

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let parameters = Parameters::read(operation, &["datastore", "default-operation", "config", "url"].map(name))?;
    let target = nmda::writable(&request.shared.schema, parameters.required("datastore")?)?;
    let default = default_operation(&parameters)?;
    edit(request, &parameters, target, default, TestOption::TestThenSet, ErrorOption::RollbackOnError).await?;
    Ok(Outcome::Ok)
}
