//! `<edit-config>` (RFC 6241 section 7.2): its parameters. What the edit means is [`crate::yang::edit`]'s.

use super::parameters::{Datastore, Parameters, datastore, invalid, misplaced, name};
use super::{Outcome, Reply, Request};
use crate::server::core::{ErrorOption, TestOption};
use crate::server::provider::Provider;
use crate::xml::Element;
use crate::yang::edit::Operation;

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let known = ["target", "default-operation", "test-option", "error-option", "config"].map(name);
    let parameters = Parameters::read(operation, &known)?;
    let target = match datastore(parameters.required("target")?)? {
        Datastore::Startup => return Err(misplaced("startup").into()),
        target => target,
    };
    let default = match parameters.text("default-operation")? {
        None | Some("merge") => Operation::Merge,
        Some("replace") => Operation::Replace,
        Some("none") => Operation::None,
        Some(other) => return Err(invalid("default-operation", other).into()),
    };
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
    let config = parameters.required("config")?;
    let shared = request.shared;
    let (committed, errors) =
        shared.datastores.edit(&shared.provider, request.author(), target, config, default, test, on_error).await?;
    request.committed(committed).await?;
    Ok(if errors.is_empty() { Outcome::Ok } else { Outcome::Errors(errors) })
}
