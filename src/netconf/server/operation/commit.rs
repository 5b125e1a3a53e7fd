//! `<commit>` (RFC 6241 sections 8.3.4.1 and 8.4.5.1).

use std::time::Duration;

use tokio::time::Instant;

use super::parameters::{Datastore, Parameters, invalid, name};
use super::{Outcome, Reply, Request};
use crate::error::RpcError;
use crate::server::confirm::{Commit, Confirmed, DEFAULT_TIMEOUT, Step};
use crate::server::event::ConfirmEvent;
use crate::server::provider::Provider;
use crate::xml::Element;

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let parameters = Parameters::read(operation, &["confirmed", "confirm-timeout", "persist", "persist-id"].map(name))?;
    let wish = wish(&parameters)?;
    let shared = request.shared;
    let (step, edits) = shared.datastores.commit(&shared.provider, request.author(), &wish, Instant::now()).await?;
    shared.config_changed(Some(request.session), Datastore::Running, &edits).await;
    let timeout = wish.confirmed.map_or(Duration::ZERO, |confirmed| confirmed.timeout);
    let event = match step {
        Step::Plain => return Ok(Outcome::Ok),
        Step::Start => ConfirmEvent::Start(request.session, timeout),
        Step::Extend => ConfirmEvent::Extend(request.session, timeout),
        Step::Complete => ConfirmEvent::Complete(request.session),
    };
    shared.confirmed_commit(event).await;
    Ok(Outcome::Ok)
}

fn wish<'d>(parameters: &Parameters<'d>) -> Result<Commit<'d>, RpcError> {
    let timeout = match parameters.parse::<u32>("confirm-timeout")? {
        Some(0) => return Err(invalid("confirm-timeout", "0")),
        timeout => timeout.map(|seconds| Duration::from_secs(seconds.into())),
    };
    let persist = parameters.text("persist")?;
    let persist_id = parameters.text("persist-id")?;
    let confirmed = match parameters.text("confirmed")? {
        Some("") => Some(Confirmed { timeout: timeout.unwrap_or(DEFAULT_TIMEOUT), persist }),
        Some(other) => return Err(invalid("confirmed", other)),
        // To ignore it would be to commit for good what was meant to be on trial.
        None if timeout.is_some() || persist.is_some() => return Err(RpcError::missing_element("confirmed")),
        None => None,
    };
    Ok(Commit { confirmed, persist_id })
}
