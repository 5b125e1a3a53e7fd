//! `<kill-subscription>` (RFC 8639 section 2.4.5): any, whoever's it is.

use super::delete_subscription::id;
use super::parameters::{Parameters, name};
use super::{Outcome, Reply, Request};
use crate::server::provider::Provider;
use crate::server::subscription::refusal::{Problem, Refused, refuse};
use crate::xml::Element;

pub fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let id = id(&Parameters::read(operation, &[name("id")])?)?;
    if request.shared.subscriptions.kill(id) {
        return Ok(Outcome::Ok);
    }
    let message = format!("There is no subscription {id}.");
    Err(refuse(Refused::Delete, Problem::NoSuchSubscription, &[], message).into())
}
