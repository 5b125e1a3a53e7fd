//! `<delete-subscription>` (RFC 8639 section 2.4.4): one of the session's own.

use super::parameters::{Parameters, name};
use super::{Outcome, Reply, Request};
use crate::error::RpcError;
use crate::server::provider::Provider;
use crate::server::subscription::refusal::{Problem, Refused, refuse};
use crate::xml::Element;

pub fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let id = id(&Parameters::read(operation, &[name("id")])?)?;
    match request.shared.subscriptions.own(id, request.session.id) {
        Some(_) => Ok(Outcome::Unsubscribed(id)),
        None => {
            let message = format!("The session has no subscription {id}.");
            Err(refuse(Refused::Delete, Problem::NoSuchSubscription, &[], message).into())
        }
    }
}

/// The `id` parameter.
pub fn id(parameters: &Parameters<'_>) -> Result<u32, RpcError> {
    parameters.required("id")?;
    Ok(parameters.parse("id")?.unwrap_or_default())
}
