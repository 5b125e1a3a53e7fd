//! `<resync-subscription>` (RFC 8641 section 4.4.5): all of an on-change subscription's selection, once more.

use super::delete_subscription::id;
use super::parameters::{Parameters, name};
use super::{Outcome, Reply, Request};
use crate::server::provider::Provider;
use crate::server::push::Trigger;
use crate::server::subscription::refusal::{Problem, Refused, refuse};
use crate::server::subscription::terms::Target;
use crate::xml::Element;

pub fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let id = id(&Parameters::read(operation, &[name("id")])?)?;
    let record = request.shared.subscriptions.own(id, request.session.id);
    let message = match record.map(|record| record.terms().target) {
        Some(Target::Datastore { trigger: Trigger::OnChange { .. }, .. }) => return Ok(Outcome::Resync(id)),
        Some(Target::Datastore { .. }) => format!("Subscription {id} is periodic."),
        _ => format!("The session has no subscription {id} to a datastore."),
    };
    Err(refuse(Refused::Resync, Problem::NoSuchSubscriptionResync, &[], message).into())
}
