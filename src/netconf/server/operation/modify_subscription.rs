//! `<modify-subscription>` (RFC 8639 section 2.4.3): another filter or stop time for one of the session's own.

use std::sync::Arc;

use jiff::Timestamp;

use super::delete_subscription::id;
use super::establish_subscription::stop;
use super::parameters::{Name, Parameters, name};
use super::{Outcome, Reply, Request, push};
use crate::error::RpcError;
use crate::server::provider::Provider;
use crate::server::subscription::filter::{EventFilter, STREAM};
use crate::server::subscription::refusal::{Problem, Refused, refuse};
use crate::server::subscription::registry::Record;
use crate::server::subscription::terms::{Target, Terms};
use crate::server::subscription::{Modification, NewFeed};
use crate::xml::Element;

/// What is not given is taken away: the request has all of what can be modified (RFC 8639 section 2.4.3).
pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    if push::is_meant(operation) {
        return push::modify(request, operation).await;
    }
    let schema = &request.shared.schema;
    let known: Vec<Name> = ["id", "stop-time"].into_iter().chain(STREAM.parameters()).map(name).collect();
    let parameters = Parameters::read(operation, &known)?;
    let record = own(request, &parameters, Refused::ModifyStream)?;
    let Target::Stream { view, replay_start, .. } = record.terms().target else {
        return Err(RpcError::missing_element("datastore").into());
    };
    let stop = stop(&parameters, None, Timestamp::now())?;
    let filter = STREAM.read(schema, &parameters, Refused::ModifyStream)?;
    let running = request.shared.datastores.version().running.clone();
    let condition = EventFilter::of(&filter, &running, &request.access)
        .map_err(|unusable| unusable.refusal(Refused::ModifyStream))?;
    let terms = Terms { target: Target::Stream { view, filter, replay_start }, stop };
    Ok(Outcome::Modified(Box::new(Modification { id: record.id, terms, feed: NewFeed::Events(condition) })))
}

/// The subscription of the session that `id` names.
pub fn own<P: Provider>(
    request: &Request<'_, P>,
    parameters: &Parameters<'_>,
    refused: Refused,
) -> Result<Arc<Record>, RpcError> {
    let id = id(parameters)?;
    request.shared.subscriptions.own(id, request.session.id).ok_or_else(|| {
        let message = format!("The session has no subscription {id}.");
        refuse(refused, Problem::NoSuchSubscription, &[], message)
    })
}
