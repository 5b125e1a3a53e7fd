//! The network configuration access control model (RFC 8341): who may run, read, change and receive what, and why not.
//!
//! [`Nacm`] is what `/nacm` of the running datastore says. [`UserAccess`] is its meaning for one user: the rules that
//! apply to the user's groups, in order, and for each access operation a table of schema nodes with the first rule that
//! matches whatever the instance. Only rules with predicates are left to be tried against instances, and only where
//! they could change the outcome.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::info;

use crate::error::{ErrorTag, ErrorType, RpcError};
use crate::xml::Element;
use crate::yang::access::{Extent, Instance, ReadAccess};
use crate::yang::diff::Edit;
use crate::yang::edit::{self, Operation};
use crate::yang::path::InstancePath;
use crate::yang::schema::DefaultDeny;
use crate::yang::{Inner, NodeId, Schema, Tree};

mod compile;
mod edits;
mod explain;
mod readable;
mod table;

use compile::RuleList;
use table::{Table, UserRule};

pub use explain::{Explanation, Finding, Looked, Question, explain};

/// An access operation (RFC 8341 section 3.2.2). Exec is for protocol operations and actions, Read for notifications too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccessOperation {
    Create,
    Read,
    Update,
    Delete,
    Exec,
}

impl AccessOperation {
    pub fn as_str(self) -> &'static str {
        match self {
            AccessOperation::Create => "create",
            AccessOperation::Read => "read",
            AccessOperation::Update => "update",
            AccessOperation::Delete => "delete",
            AccessOperation::Exec => "exec",
        }
    }
}

/// An outcome and what decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub permit: bool,
    pub because: Because,
}

/// What decided about an access (RFC 8341 sections 3.4.4 to 3.4.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// enable-nacm is false, or the server has no NACM.
    Disabled,
    /// The session is a recovery session.
    Recovery,
    /// close-session, and the notifications that end a replay, are permitted to everyone.
    Always,
    Rule {
        rule_list: Arc<str>,
        rule: Arc<str>,
    },
    /// The model says nacm:default-deny-write or nacm:default-deny-all here or above.
    DefaultDeny(DefaultDeny),
    /// kill-session and delete-config need a rule.
    DeniedOperation,
    /// The leaf of /nacm with that name.
    Default(&'static str),
    /// An ancestor may not be read, for the reason inside.
    Ancestor(Box<Because>),
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Because::Disabled => f.write_str("access control is disabled"),
            Because::Recovery => f.write_str("this is a recovery session"),
            Because::Always => f.write_str("it is permitted to everyone"),
            Because::Rule { rule_list, rule } => write!(f, "rule \"{rule}\" of rule-list \"{rule_list}\""),
            Because::DefaultDeny(DefaultDeny::Write) => {
                f.write_str("no rule permits it, and the model says default-deny-write")
            }
            Because::DefaultDeny(_) => f.write_str("no rule permits it, and the model says default-deny-all"),
            Because::DeniedOperation => f.write_str("no rule permits it, and it is denied by default"),
            Because::Default(leaf) => write!(f, "no rule matches, and {leaf} decides"),
            Because::Ancestor(because) => write!(f, "a node above may not be read: {because}"),
        }
    }
}

/// How often access was denied since the server started. Shared by all versions of the rules.
#[derive(Debug, Default)]
pub struct DeniedCounters {
    operations: AtomicU32,
    data_writes: AtomicU32,
    notifications: AtomicU32,
}

impl DeniedCounters {
    pub fn operations(&self) -> u32 {
        self.operations.load(Ordering::Relaxed)
    }

    pub fn data_writes(&self) -> u32 {
        self.data_writes.load(Ordering::Relaxed)
    }

    pub fn notifications(&self) -> u32 {
        self.notifications.load(Ordering::Relaxed)
    }
}

/// The access control of one version of the running datastore.
pub struct Nacm {
    schema: Arc<Schema>,
    /// The content of /nacm that this was compiled from.
    source: Option<Inner>,
    enabled: bool,
    defaults: Defaults,
    enable_external_groups: bool,
    groups_of: HashMap<String, Vec<String>>,
    rule_lists: Vec<RuleList>,
    counters: Arc<DeniedCounters>,
    users: Mutex<Users>,
}

/// By user name and external groups.
type Users = HashMap<(String, Vec<String>), Arc<UserAccess>>;

/// True permits.
#[derive(Clone, Copy, Debug)]
struct Defaults {
    read: bool,
    write: bool,
    exec: bool,
}

/// Views of users that one version of the rules keeps. Each has up to five tables of some bytes a schema node. When full
/// all are dropped; sessions keep theirs, and a view that is asked for again is made again.
const USERS_KEPT: usize = 256;

impl Nacm {
    /// The access control that `running` asks for: none without ietf-netconf-acm in its schema. `previous` is returned
    /// where its part of the datastore is the same; otherwise its counters go on counting.
    pub fn compile(running: &Tree, previous: Option<&Arc<Nacm>>) -> Arc<Nacm> {
        compile::compile(running, previous)
    }

    pub fn counters(&self) -> &DeniedCounters {
        &self.counters
    }

    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// What a user may do, who is in these groups by the transport's word (RFC 8341 section 3.4.4 step 4).
    pub fn user(&self, user: &str, external_groups: &[String]) -> Arc<UserAccess> {
        let mut external: Vec<String> = if self.enable_external_groups { external_groups.to_vec() } else { Vec::new() };
        external.sort();
        let key = (user.to_owned(), external);
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = users.get(&key) {
            return known.clone();
        }
        if users.len() >= USERS_KEPT {
            users.clear();
        }
        let access = Arc::new(self.view(user, &key.1));
        users.insert(key, access.clone());
        access
    }

    /// A recovery session of that user: nothing is denied to it (RFC 8341 section 3.3.3).
    pub fn recovery(&self, user: &str) -> Arc<UserAccess> {
        Arc::new(self.bare_view(user, Some(Because::Recovery)))
    }

    fn bare_view(&self, user: &str, exempt: Option<Because>) -> UserAccess {
        UserAccess {
            schema: self.schema.clone(),
            user: user.into(),
            exempt,
            rules: Vec::new(),
            defaults: self.defaults,
            tables: Default::default(),
            counters: self.counters.clone(),
        }
    }

    fn groups<'g>(&'g self, user: &str, external: &'g [String]) -> BTreeSet<&'g str> {
        let configured = self.groups_of.get(user).into_iter().flatten();
        configured.chain(external).map(String::as_str).collect()
    }

    fn view(&self, user: &str, external: &[String]) -> UserAccess {
        let mut view = self.bare_view(user, (!self.enabled).then_some(Because::Disabled));
        let groups = self.groups(user, external);
        // A user in no group meets no rule, not even those for all groups (section 3.4.4 step 5).
        if !groups.is_empty() {
            let applying = self.rule_lists.iter().filter(|list| list.applies_to(&groups));
            view.rules =
                applying.flat_map(|list| &list.rules).map(|rule| UserRule::new(&self.schema, rule, user)).collect();
        }
        view
    }
}

/// What one user may do.
pub struct UserAccess {
    schema: Arc<Schema>,
    user: Arc<str>,
    /// Nothing is denied, for this reason.
    exempt: Option<Because>,
    /// Those of the user's groups, in order.
    rules: Vec<UserRule>,
    defaults: Defaults,
    tables: [OnceLock<Table>; 5],
    counters: Arc<DeniedCounters>,
}

impl UserAccess {
    pub fn user(&self) -> &str {
        &self.user
    }

    /// True where nothing is ever denied.
    pub fn is_exempt(&self) -> bool {
        self.exempt.is_some()
    }

    /// This access as the writer asks for it; None where it has nothing to ask.
    pub fn for_reading(self: &Arc<Self>) -> Option<Arc<dyn ReadAccess>> {
        match self.exempt {
            Some(_) => None,
            None => Some(self.clone()),
        }
    }

    /// Whether the user may run an RPC (section 3.4.4).
    pub fn operation(&self, rpc: NodeId) -> Decision {
        if let Some(because) = &self.exempt {
            return permit(because.clone());
        }
        if is_named(&self.schema, rpc, "ietf-netconf", &["close-session"]) {
            return permit(Because::Always);
        }
        self.decide(AccessOperation::Exec, rpc, &[])
    }

    /// Whether the user may run an action at an instance: it takes exec on the action and read on all above it.
    pub fn action(&self, path: &InstancePath) -> Decision {
        self.below_readable(AccessOperation::Exec, path)
    }

    /// Whether the user may receive a notification (section 3.4.6). The state change notifications of RFC 8639 are not
    /// subject to it: do not ask.
    pub fn notification(&self, path: &InstancePath) -> Decision {
        if let Some(because) = &self.exempt {
            return permit(because.clone());
        }
        let node = path.last().map(|step| step.node);
        if node
            .is_some_and(|n| is_named(&self.schema, n, "nc-notifications", &["replayComplete", "notificationComplete"]))
        {
            return permit(Because::Always);
        }
        self.below_readable(AccessOperation::Read, path)
    }

    /// Whether the user may access one data node (section 3.4.5). To be read, all above it must be readable too.
    pub fn data(&self, operation: AccessOperation, path: &InstancePath) -> Decision {
        if operation == AccessOperation::Read {
            return self.below_readable(AccessOperation::Read, path);
        }
        if let Some(because) = &self.exempt {
            return permit(because.clone());
        }
        let mut marks = Vec::new();
        let own = self.pass_path(operation, path, &mut marks);
        match path.last() {
            Some(step) => self.decide(operation, step.node, &marks[own]),
            None => permit(Because::Always),
        }
    }

    /// Enforces [`UserAccess::operation`]: a denial is logged and counted, and the error is access-denied.
    pub fn check_operation(&self, rpc: NodeId) -> Result<(), RpcError> {
        self.enforce_exec(rpc, self.operation(rpc))
    }

    /// Enforces [`UserAccess::action`] in the same way.
    pub fn check_action(&self, path: &InstancePath) -> Result<(), RpcError> {
        match path.last() {
            Some(step) => self.enforce_exec(step.node, self.action(path)),
            None => Ok(()),
        }
    }

    /// Enforces [`UserAccess::notification`]: a denial is logged and counted. False drops the notification.
    pub fn check_notification(&self, path: &InstancePath) -> bool {
        let decision = self.notification(path);
        if !decision.permit {
            self.counters.notifications.fetch_add(1, Ordering::Relaxed);
            info!(user = %self.user, notification = %path.to_json_form(&self.schema), because = %decision.because,
                "access denied");
        }
        decision.permit
    }

    /// [`edit::edit_for`] this user. That something is hidden there is a denial of a write, and counts as one.
    pub fn edit(&self, target: &Tree, config: Element<'_>, default: Operation) -> (Tree, Vec<RpcError>) {
        let reader = (!self.is_exempt()).then_some(self as &dyn ReadAccess);
        let (tree, errors) = edit::edit_for(reader, target, config, default);
        if errors.iter().any(|error| error.tag == ErrorTag::AccessDenied) {
            self.counters.data_writes.fetch_add(1, Ordering::Relaxed);
            info!(user = %self.user, "access denied: the edit asks whether there is what the user may not read");
        }
        (tree, errors)
    }

    /// Whether the user may make these edits; created and deleted nodes count with all below them that someone set. A
    /// denial is logged and counted once, and there is an access-denied with error-path for each node denied, up to a
    /// bound.
    pub fn check_edits(&self, edits: &[Edit]) -> Result<(), Vec<RpcError>> {
        if self.exempt.is_some() {
            return Ok(());
        }
        let denied = self.denied_edits(edits);
        if denied.is_empty() {
            return Ok(());
        }
        self.counters.data_writes.fetch_add(1, Ordering::Relaxed);
        let error = |denied: &edits::Denied| {
            let text = denied.path.to_json_form(&self.schema);
            let (operation, because) = (denied.operation.as_str(), &denied.because);
            info!(user = %self.user, operation, path = %text, %because, "access denied");
            let shown = denied.shown.to_json_form(&self.schema);
            let message = format!("Access to {operation} \"{shown}\" is denied");
            RpcError::access_denied(self.with_reason(message, because))
                .with_path(denied.shown.to_error_path(&self.schema))
        };
        Err(denied.iter().map(error).collect())
    }

    /// What of a tree the user may read: the source of a `<copy-config>`, from which the rest is silently omitted
    /// (section 3.2.6). The same version where that is all.
    pub fn readable(&self, tree: &Tree) -> Tree {
        let mut root = tree.root().clone();
        if self.exempt.is_none() {
            readable::prune(self, &mut root);
        }
        Tree::with_root(tree.schema().clone(), root)
    }

    fn enforce_exec(&self, node: NodeId, decision: Decision) -> Result<(), RpcError> {
        if decision.permit {
            return Ok(());
        }
        self.counters.operations.fetch_add(1, Ordering::Relaxed);
        let name = &self.schema.node(node).name;
        info!(user = %self.user, operation = %name, because = %decision.because, "access denied");
        let message = self.with_reason(format!("Execution of \"{name}\" is denied"), &decision.because);
        Err(RpcError::access_denied(message).with_type(ErrorType::Protocol))
    }

    /// The reason is in the log always, and in the message for those who may read what decided: rules are not for
    /// everyone's eyes.
    fn with_reason(&self, message: String, because: &Because) -> String {
        match explain::source(&self.schema, because) {
            Some(path) if self.data(AccessOperation::Read, &path).permit => format!("{message}: {because}."),
            _ => format!("{message}."),
        }
    }

    /// The decision on the last node of a path, where all above must be readable.
    fn below_readable(&self, operation: AccessOperation, path: &InstancePath) -> Decision {
        if let Some(because) = &self.exempt {
            return permit(because.clone());
        }
        let Some((last, above)) = path.steps.split_last() else { return permit(Because::Always) };
        let mut marks = Vec::new();
        let mut parent = 0..0;
        for step in above {
            let start = marks.len();
            self.pass(AccessOperation::Read, step.node, step.predicate.instance(), &mut marks, parent);
            parent = start..marks.len();
            let decision = self.decide(AccessOperation::Read, step.node, &marks[parent.clone()]);
            if !decision.permit {
                return Decision { permit: false, because: Because::Ancestor(Box::new(decision.because)) };
            }
        }
        marks.clear();
        let own = self.pass_path(operation, path, &mut marks);
        self.decide(operation, last.node, &marks[own])
    }
}

impl ReadAccess for UserAccess {
    fn extent(&self, node: NodeId) -> Extent {
        if self.exempt.is_some() { Extent::All } else { self.table(AccessOperation::Read).extent(node) }
    }

    fn reads(&self, node: NodeId, instance: Instance<'_>, marks: &mut Vec<u32>, parent: Range<usize>) -> bool {
        let start = marks.len();
        self.pass(AccessOperation::Read, node, instance, marks, parent);
        self.permits(AccessOperation::Read, node, &marks[start..])
    }
}

fn permit(because: Because) -> Decision {
    Decision { permit: true, because }
}

fn is_named(schema: &Schema, node: NodeId, module: &str, names: &[&str]) -> bool {
    names.contains(&schema.node(node).name.as_str()) && schema.module_of(node).name == module
}

#[cfg(test)]
mod tests;
