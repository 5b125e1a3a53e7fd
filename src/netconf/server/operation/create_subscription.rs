//! `<create-subscription>` (RFC 5277 section 2.1.1).

use jiff::Timestamp;

use super::get::selection;
use super::parameters::{Name, Parameters, name};
use super::{Outcome, Reply, Request};
use crate::error::{ErrorInfo, ErrorType, RpcError};
use crate::message::BASE_NAMESPACE;
use crate::server::provider::Provider;
use crate::server::stream::ReplayWindow;
use crate::server::streams::ALL_EVENTS;
use crate::server::subscription::filter::EventFilter;
use crate::server::subscription::{Events, Held, Holding};
use crate::xml::Element;

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    // ncclient puts the filter into the base namespace, as it is in other operations.
    let base_filter = Name { namespace: Some(BASE_NAMESPACE), name: "filter" };
    let [stream, filter, start, stop] = ["stream", "filter", "startTime", "stopTime"].map(name);
    let parameters = Parameters::read(operation, &[stream, filter, base_filter, start, stop])?;
    match request.holding {
        Holding::Nothing => {}
        Holding::Classic => return Err(RpcError::operation_failed("The session has a subscription already.").into()),
        Holding::Dynamic => {
            let message = "The session has subscriptions of establish-subscription; the two kinds do not mix.";
            return Err(RpcError::operation_failed(message).into());
        }
    }
    let streams = &request.shared.streams;
    let asked = parameters.text("stream")?.unwrap_or(ALL_EVENTS);
    let Some(view) = streams.find(asked).cloned() else {
        let error = RpcError::invalid_value(format!("There is no event stream \"{asked}\"."));
        return Err(error.with_type(ErrorType::Protocol).with_info(ErrorInfo::BadElement("stream".into())).into());
    };
    let selection = selection(request, &parameters)?;
    let now = Timestamp::now();
    let window = ReplayWindow::new(parameters.time("startTime")?, parameters.time("stopTime")?, now)?;
    // Events of what was acknowledged before are history to a subscription that begins now.
    let settled = request.shared.events.settled().await;
    settled.map_err(|stopped| RpcError::operation_failed(stopped.to_string()))?;
    let subscription = streams.log().subscribe(window, now);
    let events = Events { subscription, view, filter: EventFilter::content(selection) };
    Ok(Outcome::Subscribed(Box::new(Held::classic(events)), None))
}
