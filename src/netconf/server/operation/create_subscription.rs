//! `<create-subscription>` (RFC 5277 section 2.1.1).

use jiff::Timestamp;

use super::get::selection;
use super::parameters::{Name, Parameters, invalid, name};
use super::{Outcome, Reply, Request};
use crate::error::{ErrorInfo, ErrorType, RpcError};
use crate::message::BASE_NAMESPACE;
use crate::server::event::Subscriber;
use crate::server::provider::Provider;
use crate::server::stream::ReplayWindow;
use crate::xml::Element;

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    // ncclient puts the filter into the base namespace, as it is in other operations.
    let base_filter = Name { namespace: Some(BASE_NAMESPACE), name: "filter" };
    let [stream, filter, start, stop] = ["stream", "filter", "startTime", "stopTime"].map(name);
    let parameters = Parameters::read(operation, &[stream, filter, base_filter, start, stop])?;
    if request.subscribed {
        return Err(RpcError::operation_failed("The session has a subscription already.").into());
    }
    let stream = &request.shared.stream;
    if let Some(asked) = parameters.text("stream")?.filter(|asked| *asked != stream.name()) {
        let error = RpcError::invalid_value(format!("There is no event stream \"{asked}\"."));
        return Err(error.with_type(ErrorType::Protocol).with_info(ErrorInfo::BadElement("stream".into())).into());
    }
    let selection = selection(request, &parameters)?;
    let now = Timestamp::now();
    let window = ReplayWindow::new(time(&parameters, "startTime")?, time(&parameters, "stopTime")?, now)?;
    // Events of what was acknowledged before are history to a subscription that begins now.
    let settled = request.shared.events.settled().await;
    settled.map_err(|stopped| RpcError::operation_failed(stopped.to_string()))?;
    Ok(Outcome::Subscribed(Box::new(Subscriber { subscription: stream.subscribe(window, now), selection })))
}

fn time(parameters: &Parameters<'_>, name: &str) -> Result<Option<Timestamp>, RpcError> {
    let Some(text) = parameters.text(name)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| invalid(name, text))
}
