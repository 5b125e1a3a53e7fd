//! What stands behind the northbound server: the brain, reached through its shell, and the sessions with the devices.

use std::time::Duration;

use netconf::error::RpcError;

use crate::input::{Answer, Input, Refusal, Request};
use crate::model::{ConnectionState, DeviceName, Plan};
use crate::record::Record;

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

impl CallError {
    /// As a client of the manager sees it: the device's own error, or one that names the device.
    pub(super) fn into_rpc_error(self) -> RpcError {
        let message = self.to_string();
        match self {
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
}

/// Why a call has no result.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    #[error("there is no managed device \"{0}\"")]
    NotManaged(DeviceName),
    #[error("device \"{device}\" is not connected{}", .error.as_ref().map(|error| format!(": {error}")).unwrap_or_default())]
    NotConnected { device: DeviceName, error: Option<String> },
    /// What the device did is not known.
    #[error("device \"{device}\" gave no answer within {} s", .timeout.as_secs_f32())]
    Timeout { device: DeviceName, timeout: Duration },
    /// The device refused.
    #[error("device \"{device}\": {}", .errors.iter().map(RpcError::to_string).collect::<Vec<_>>().join("; "))]
    Refused { device: DeviceName, errors: Vec<RpcError> },
    /// The session ended, or what came is not NETCONF.
    #[error("device \"{device}\": {reason}")]
    Failed { device: DeviceName, reason: String },
}
