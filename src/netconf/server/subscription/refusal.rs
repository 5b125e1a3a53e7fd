//! Why a dynamic subscription is refused: the errors of RFC 8639 and RFC 8641 as `<rpc-error>` (RFC 8640 section 7).

use crate::error::{ErrorInfo, ErrorTag, ErrorType, RpcError};
use crate::xml::write_element;

const NOTIFICATIONS: (&str, &str) =
    ("ietf-subscribed-notifications", "urn:ietf:params:xml:ns:yang:ietf-subscribed-notifications");
const PUSH: (&str, &str) = ("ietf-yang-push", "urn:ietf:params:xml:ns:yang:ietf-yang-push");

/// The operation that is refused, as its yang-data in error-info has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    EstablishStream,
    EstablishDatastore,
    ModifyStream,
    ModifyDatastore,
    Delete,
    Resync,
}

impl Refused {
    fn info(self) -> (&'static str, &'static str) {
        match self {
            Refused::EstablishStream => (NOTIFICATIONS.1, "establish-subscription-stream-error-info"),
            Refused::EstablishDatastore => (PUSH.1, "establish-subscription-datastore-error-info"),
            Refused::ModifyStream => (NOTIFICATIONS.1, "modify-subscription-stream-error-info"),
            Refused::ModifyDatastore => (PUSH.1, "modify-subscription-datastore-error-info"),
            Refused::Delete => (NOTIFICATIONS.1, "delete-subscription-error-info"),
            Refused::Resync => (PUSH.1, "resync-subscription-error"),
        }
    }
}

/// An identity of RFC 8639 or RFC 8641 that says what was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    EncodingUnsupported,
    FilterUnsupported,
    InsufficientResources,
    NoSuchSubscription,
    DatastoreNotSubscribable,
    NoSuchSubscriptionResync,
    OnChangeUnsupported,
    PeriodUnsupported,
    SyncTooBig,
    UnchangingSelection,
    UpdateTooBig,
}

impl Problem {
    /// The module, the name of the identity, and the error-tag that goes with it (those that RFC 8650 lists).
    fn parts(self) -> ((&'static str, &'static str), &'static str, ErrorTag) {
        use ErrorTag::{InvalidValue, OperationFailed, OperationNotSupported, ResourceDenied, TooBig};
        match self {
            Problem::EncodingUnsupported => (NOTIFICATIONS, "encoding-unsupported", OperationNotSupported),
            Problem::FilterUnsupported => (NOTIFICATIONS, "filter-unsupported", InvalidValue),
            Problem::InsufficientResources => (NOTIFICATIONS, "insufficient-resources", ResourceDenied),
            Problem::NoSuchSubscription => (NOTIFICATIONS, "no-such-subscription", InvalidValue),
            Problem::DatastoreNotSubscribable => (PUSH, "datastore-not-subscribable", InvalidValue),
            Problem::NoSuchSubscriptionResync => (PUSH, "no-such-subscription-resync", InvalidValue),
            Problem::OnChangeUnsupported => (PUSH, "on-change-unsupported", OperationNotSupported),
            Problem::PeriodUnsupported => (PUSH, "period-unsupported", InvalidValue),
            Problem::SyncTooBig => (PUSH, "sync-too-big", TooBig),
            Problem::UnchangingSelection => (PUSH, "unchanging-selection", OperationFailed),
            Problem::UpdateTooBig => (PUSH, "update-too-big", TooBig),
        }
    }
}

/// The error with its identity as error-app-tag, and in error-info the reason beside `hints`, which are leafs of that
/// yang-data.
pub fn refuse(what: Refused, problem: Problem, hints: &[(&str, String)], message: impl Into<String>) -> RpcError {
    let ((module, module_namespace), identity, tag) = problem.parts();
    let (namespace, container) = what.info();
    let mut info = format!("<{container} xmlns=\"{namespace}\">").into_bytes();
    let reason = if namespace == module_namespace {
        format!("<reason>{identity}</reason>")
    } else {
        format!("<reason xmlns:p=\"{module_namespace}\">p:{identity}</reason>")
    };
    info.extend_from_slice(reason.as_bytes());
    for (name, value) in hints {
        write_element(&mut info, name, value);
    }
    info.extend_from_slice(format!("</{container}>").as_bytes());
    RpcError::new(ErrorType::Application, tag, message)
        .with_app_tag(format!("{module}:{identity}"))
        .with_info(ErrorInfo::Xml(String::from_utf8(info).expect("written from strings")))
}
