//! The operations a server performs: one file each, and here who is asked for what.

pub mod cancel_commit;
pub mod close_session;
pub mod commit;
pub mod copy_config;
pub mod create_subscription;
pub mod delete_config;
pub mod delete_subscription;
pub mod discard_changes;
pub mod edit_config;
pub mod edit_data;
pub mod establish_subscription;
pub mod get;
pub mod get_config;
pub mod get_data;
pub mod get_schema;
pub mod kill_session;
pub mod kill_subscription;
pub mod lock;
pub mod modify_subscription;
pub mod nmda;
pub mod parameters;
pub mod partial_lock;
pub mod provided;
pub mod push;
pub mod resync_subscription;
pub mod unlock;
pub mod validate;

use std::sync::Arc;

use super::Shared;
use super::nacm::UserAccess;
use super::provider::{Provider, Requester};
use super::session::Entry;
use super::subscription::{Held, Holding, Modification};
use crate::error::{ErrorType, RpcError};
use crate::message::{BASE_NAMESPACE, NOTIFICATION_NAMESPACE};
use crate::xml::Element;
use crate::yang::filter::Selection;
use crate::yang::schema::NodeKind;
use crate::yang::tree::Tree;
use crate::yang::write::{WithDefaults, WriteOptions};

const SUBSCRIBED: &str = "ietf-subscribed-notifications";

pub const MONITORING_NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring";

/// One request on its way: who asks what of which server.
pub struct Request<'r, P: Provider> {
    pub shared: &'r Arc<Shared<P>>,
    pub session: &'r Arc<Entry>,
    pub access: Arc<UserAccess>,
    pub requester: Requester,
    /// What the session is subscribed to.
    pub holding: Holding,
}

/// What the reply holds.
pub enum Outcome {
    Ok,
    /// A part of a tree inside `<data>`.
    Data {
        tree: Tree,
        selection: Selection,
        options: WriteOptions,
        /// Of `<data>`, where it is not the base namespace.
        namespace: Option<&'static str>,
    },
    /// XML that stands in the reply as it is.
    Xml(Vec<u8>),
    /// `<get-schema>`'s `<data>`.
    Text(Arc<str>),
    /// What is to be told from now on, and the reply: `<ok/>` where there is none.
    Subscribed(Box<Held>, Option<Vec<u8>>),
    /// `<ok/>`, and a subscription of other terms.
    Modified(Box<Modification>),
    /// `<ok/>`, and all of what a subscription selects.
    Resync(u32),
    /// `<ok/>`, and nothing more of the subscription of this id.
    Unsubscribed(u32),
    /// `<ok/>`, and the end of the session.
    Close,
    /// Part was done (continue-on-error): the errors are the reply, but they do not count as nothing done.
    Errors(Vec<RpcError>),
}

impl Outcome {
    /// The reply to get and get-config.
    pub fn data(tree: Tree, selection: Selection, defaults: WithDefaults) -> Outcome {
        let options = WriteOptions { defaults, ..WriteOptions::default() };
        Outcome::Data { tree, selection, options, namespace: None }
    }
}

pub type Reply = Result<Outcome, Vec<RpcError>>;

/// Performs the operation that `element` names, if the user may.
pub async fn perform<P: Provider>(request: &Request<'_, P>, element: Element<'_>) -> Reply {
    let operation = element.name();
    if element.is(provided::YANG_NAMESPACE, "action") {
        return provided::action(request, element).await;
    }
    let module = match element.namespace() {
        BASE_NAMESPACE => "ietf-netconf",
        NOTIFICATION_NAMESPACE => "notifications",
        MONITORING_NAMESPACE => "ietf-netconf-monitoring",
        namespace => {
            let Some(id) = request.shared.schema.module_by_namespace(namespace) else {
                return Err(vec![RpcError::unknown_namespace(operation, namespace).with_type(ErrorType::Protocol)]);
            };
            request.shared.schema.module(id).name.as_str()
        }
    };
    let rpc =
        request.shared.schema.module_by_name(module).and_then(|m| request.shared.schema.child(None, m, operation));
    let Some(rpc) = rpc.filter(|&id| request.shared.schema.node(id).kind == NodeKind::Rpc) else {
        return not_supported(operation);
    };
    request.access.check_operation(rpc)?;
    match (module, operation) {
        ("ietf-netconf", "get") => get::perform(request, element).await,
        ("ietf-netconf", "get-config") => get_config::perform(request, element).await,
        ("ietf-netconf", "edit-config") => edit_config::perform(request, element).await,
        ("ietf-netconf", "copy-config") => copy_config::perform(request, element).await,
        ("ietf-netconf", "delete-config") => delete_config::perform(request, element).await,
        ("ietf-netconf", "commit") => commit::perform(request, element).await,
        ("ietf-netconf", "cancel-commit") => cancel_commit::perform(request, element).await,
        ("ietf-netconf", "discard-changes") => discard_changes::perform(request, element).await,
        ("ietf-netconf", "validate") => validate::perform(request, element).await,
        ("ietf-netconf", "lock") => lock::perform(request, element).await,
        ("ietf-netconf", "unlock") => unlock::perform(request, element).await,
        ("ietf-netconf", "close-session") => close_session::perform(element),
        ("ietf-netconf", "kill-session") => kill_session::perform(request, element),
        ("ietf-netconf-monitoring", "get-schema") => get_schema::perform(request, element),
        ("ietf-netconf-nmda", "get-data") => get_data::perform(request, element).await,
        ("ietf-netconf-nmda", "edit-data") => edit_data::perform(request, element).await,
        ("ietf-netconf-partial-lock", "partial-lock") => partial_lock::lock(request, element).await,
        ("ietf-netconf-partial-lock", "partial-unlock") => partial_lock::unlock(request, element).await,
        ("notifications", "create-subscription") => create_subscription::perform(request, element).await,
        (subscription, "establish-subscription") if subscription == SUBSCRIBED => {
            establish_subscription::perform(request, element).await
        }
        (subscription, "modify-subscription") if subscription == SUBSCRIBED => {
            modify_subscription::perform(request, element).await
        }
        (subscription, "delete-subscription") if subscription == SUBSCRIBED => {
            delete_subscription::perform(request, element)
        }
        (subscription, "kill-subscription") if subscription == SUBSCRIBED => {
            kill_subscription::perform(request, element)
        }
        ("ietf-yang-push", "resync-subscription") => resync_subscription::perform(request, element),
        ("ietf-netconf" | "ietf-netconf-monitoring" | "notifications", _) => not_supported(operation),
        _ => provided::rpc(request, element, rpc).await,
    }
}

fn not_supported(operation: &str) -> Reply {
    let message = format!("Operation <{operation}> is not supported.");
    Err(vec![RpcError::operation_not_supported(message).with_type(ErrorType::Protocol)])
}
