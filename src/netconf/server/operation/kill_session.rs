//! `<kill-session>` (RFC 6241 section 7.9).

use super::parameters::{Parameters, name};
use super::{Outcome, Reply, Request};
use crate::error::{ErrorType, RpcError};
use crate::server::provider::Provider;
use crate::xml::Element;

pub fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let parameters = Parameters::read(operation, &[name("session-id")])?;
    parameters.required("session-id")?;
    let id: u32 = parameters.parse("session-id")?.unwrap_or_default();
    let refuse = |message: String| vec![RpcError::invalid_value(message).with_type(ErrorType::Protocol)];
    if id == request.session.id {
        return Err(refuse("A session cannot kill itself.".into()));
    }
    match request.shared.sessions.kill(id, request.session.id) {
        true => Ok(Outcome::Ok),
        false => Err(refuse(format!("There is no session {id}."))),
    }
}
