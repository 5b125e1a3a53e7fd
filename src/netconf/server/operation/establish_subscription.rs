//! `<establish-subscription>` (RFC 8639 section 2.4.2).

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::parameters::{Name, Parameters, name};
use super::provided::output_of;
use super::{Outcome, Reply, Request, push};
use crate::error::{ErrorInfo, ErrorType, RpcError};
use crate::server::provider::Provider;
use crate::server::stream::ReplayWindow;
use crate::server::subscription::filter::{EventFilter, STREAM};
use crate::server::subscription::refusal::{Problem, Refused, refuse};
use crate::server::subscription::terms::{Target, Terms};
use crate::server::subscription::{Events, Feed, Held, Holding, MAX_SUBSCRIPTIONS};
use crate::xml::Element;
use crate::yang::schema::Schema;
use crate::yang::serde::tree_at;
use crate::yang::write::{self, WithDefaults};

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    if push::is_meant(operation) {
        return push::establish(request, operation).await;
    }
    let schema = &request.shared.schema;
    let known: Vec<Name> = ["stream", "replay-start-time", "stop-time", "encoding"]
        .into_iter()
        .chain(STREAM.parameters())
        .map(name)
        .collect();
    let parameters = Parameters::read(operation, &known)?;
    may_hold_another(request, Refused::EstablishStream)?;
    encoding(schema, Refused::EstablishStream, &parameters)?;
    let now = Timestamp::now();
    let asked = parameters.text("stream")?.ok_or_else(|| RpcError::missing_element("stream"))?;
    let view = request.shared.streams.find(asked).cloned().ok_or_else(|| {
        RpcError::invalid_value(format!("There is no event stream \"{asked}\"."))
            .with_type(ErrorType::Protocol)
            .with_info(ErrorInfo::BadElement("stream".into()))
    })?;
    let start = parameters.time("replay-start-time")?;
    if start.is_some_and(|start| start >= now) {
        return Err(RpcError::bad_element("replay-start-time", "The start of a replay is in the past.").into());
    }
    let stop = stop(&parameters, start, now)?;
    let filter = STREAM.read(schema, &parameters, Refused::EstablishStream)?;
    let running = request.shared.datastores.version().running.clone();
    let condition = EventFilter::of(&filter, &running, &request.access)
        .map_err(|unusable| unusable.refusal(Refused::EstablishStream))?;
    let log = request.shared.streams.log();
    let kept_since = log.replay_log_aged_time().unwrap_or_else(|| log.replay_log_creation_time());
    let revised = start.filter(|start| *start < kept_since).map(|_| kept_since);
    // Events of what was acknowledged before are history to a subscription that begins now.
    let settled = request.shared.events.settled().await;
    settled.map_err(|stopped| RpcError::operation_failed(stopped.to_string()))?;
    let subscription = log.subscribe(ReplayWindow::of(start, stop), now);
    let terms = Terms { target: Target::Stream { view: view.clone(), filter, replay_start: start }, stop };
    let feed = Feed::Events(Box::new(Events { subscription, view, filter: condition }));
    established(request, terms, feed, revised)
}

/// Enters the subscription, and replies with its id.
pub fn established<P: Provider>(
    request: &Request<'_, P>,
    terms: Terms,
    feed: Feed,
    revised: Option<Timestamp>,
) -> Reply {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Output {
        id: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        replay_start_time_revision: Option<String>,
    }
    let schema = &request.shared.schema;
    let session = request.session.id;
    let receiver = format!("{}@{} (session {session})", request.session.user, request.session.peer.address);
    let registration = request.shared.subscriptions.register(session, receiver, terms);
    let output = Output { id: registration.id, replay_start_time_revision: revised.map(|time| format!("{time:.6}")) };
    let path = "/ietf-subscribed-notifications:establish-subscription/output";
    let tree = tree_at(schema, path, &output).map_err(RpcError::from)?;
    let mut xml = Vec::new();
    let rpc = tree.root().iter().next().expect("the output is in it").node;
    let output = output_of(schema, rpc, tree.root()).expect("it was made of the output");
    write::write_subtree(schema, &output, WithDefaults::ReportAll, &mut xml);
    Ok(Outcome::Subscribed(Box::new(Held::dynamic(registration, feed)), Some(xml)))
}

/// Refuses a session that has RFC 5277's subscription, or too many.
pub fn may_hold_another<P: Provider>(request: &Request<'_, P>, refused: Refused) -> Result<(), RpcError> {
    if request.holding == Holding::Classic {
        let message = "The session has a subscription of create-subscription; the two kinds do not mix.";
        return Err(RpcError::operation_failed(message));
    }
    if request.shared.subscriptions.count(request.session.id) >= MAX_SUBSCRIPTIONS {
        let message = format!("The session has {MAX_SUBSCRIPTIONS} subscriptions already.");
        return Err(refuse(refused, Problem::InsufficientResources, &[], message));
    }
    Ok(())
}

/// Notifications come in the encoding of the session, which is XML.
pub fn encoding(schema: &Arc<Schema>, refused: Refused, parameters: &Parameters<'_>) -> Result<(), RpcError> {
    let Some(element) = parameters.get("encoding") else { return Ok(()) };
    let text = parameters.text("encoding")?.unwrap_or_default();
    let leaf = schema.find("/ietf-subscribed-notifications:establish-subscription/input/encoding");
    let value = leaf.and_then(|leaf| schema.value_xml(leaf, text, |prefix| element.resolve_prefix(prefix)).ok());
    if value.is_some_and(|value| value.text() == "ietf-subscribed-notifications:encode-xml") {
        return Ok(());
    }
    let message = format!("Notifications are encoded in XML, and not as \"{text}\".");
    Err(refuse(refused, Problem::EncodingUnsupported, &[], message))
}

/// The `stop-time` parameter: after the start, and in the future where there is none.
pub fn stop(
    parameters: &Parameters<'_>,
    start: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, RpcError> {
    let stop = parameters.time("stop-time")?;
    match (start, stop) {
        (None, Some(stop)) if stop <= now => Err(RpcError::bad_element("stop-time", "The stop time is in the past.")),
        (Some(start), Some(stop)) if stop <= start => {
            Err(RpcError::bad_element("stop-time", "The stop time is not after the start of the replay."))
        }
        _ => Ok(stop),
    }
}
