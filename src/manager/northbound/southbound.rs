//! What stands behind the northbound server: the brain, reached through its shell, and the sessions with the devices.

use std::time::Duration;

use netconf::error::RpcError;

use crate::connection::{CallError, Devices};
use crate::input::{Answer, Input, Refusal, Request};
use crate::model::{ConnectionState, Plan};
use crate::record::Record;
use crate::shell::Inputs;

/// All ways from the northbound server inwards, but for the store. A clone is the same.
pub trait Southbound: Clone + Send + Sync + 'static {
    /// Tells the brain; waits for room in its queue, so that nothing is lost.
    fn tell(&self, input: Input) -> impl Future<Output = ()> + Send;

    /// Asks the brain. What is answered is durable.
    fn request(&self, request: Request) -> impl Future<Output = Result<Answer, Refusal>> + Send;

    /// Keeps records that are not the brain's; returns when they are durable.
    fn keep(&self, records: Vec<Record>) -> impl Future<Output = ()> + Send;

    /// All managed devices: sessions are opened, closed, and opened anew where something differs.
    fn set(&self, plans: Vec<Plan>);

    fn is_connected(&self, device: &str) -> bool;

    /// Passes an operation, the XML of the rpc's child, to a device. Returns the child elements of the reply, as XML that declares its
    /// namespaces. Without a timeout that of the device's plan holds.
    fn call(
        &self,
        device: &str,
        operation: String,
        timeout: Option<Duration>,
    ) -> impl Future<Output = Result<String, CallError>> + Send;

    /// Tries to connect now; the state after the attempt, and why there is no session.
    fn connect_now(
        &self,
        device: &str,
        accept_host_key: bool,
    ) -> impl Future<Output = Result<(ConnectionState, Option<String>), CallError>> + Send;
}

/// The manager's own.
#[derive(Clone)]
pub struct Inwards {
    pub inputs: Inputs,
    pub devices: Devices,
}

impl Southbound for Inwards {
    async fn tell(&self, input: Input) {
        // Whoever stops the manager has stopped the shell: nobody is left to be told.
        let _stopped = self.inputs.send(input).await;
    }

    async fn request(&self, request: Request) -> Result<Answer, Refusal> {
        self.inputs.request(request).await
    }

    async fn keep(&self, records: Vec<Record>) {
        if self.inputs.keep(records).await.is_err() {
            tracing::error!("the manager stops before everything was on record");
        }
    }

    fn set(&self, plans: Vec<Plan>) {
        self.devices.set(plans);
    }

    fn is_connected(&self, device: &str) -> bool {
        self.devices.is_connected(device)
    }

    async fn call(&self, device: &str, operation: String, timeout: Option<Duration>) -> Result<String, CallError> {
        Ok(self.devices.call(device, operation, timeout).await?.elements)
    }

    async fn connect_now(
        &self,
        device: &str,
        accept_host_key: bool,
    ) -> Result<(ConnectionState, Option<String>), CallError> {
        self.devices.connect_now(device, accept_host_key).await
    }
}

/// As a client of the manager sees it: the device's own error, or one that names the device.
pub(super) fn rpc_error(error: CallError) -> RpcError {
    let message = error.to_string();
    match error {
        CallError::NotManaged(_) => RpcError::data_missing(message),
        CallError::NotConnected { .. } => RpcError::resource_denied(message),
        CallError::Timeout { .. } | CallError::Failed { .. } => RpcError::operation_failed(message),
        CallError::Refused { errors, .. } => {
            let first = errors.into_iter().find(|error| !error.warning);
            let mut error = first.unwrap_or_else(|| RpcError::operation_failed(""));
            error.message = Some(message);
            error
        }
    }
}
