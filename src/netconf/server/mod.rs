//! The NETCONF server: sessions in front, one owner of the datastores behind, a [`Provider`] under both.
//!
//! ```text
//! transport ─► session ─► operation ─► core ─► journal
//!                 ▲           └──────► provider
//!                 └── stream ◄─────────────┘
//! ```

pub mod confirm;
pub mod core;
pub mod event;
pub mod journal;
pub mod monitoring;
pub mod nacm;
pub mod operation;
pub mod overload;
pub mod provider;
pub mod push;
mod receive;
pub mod record;
pub mod session;
pub mod stream;
pub mod streams;
pub mod subscription;
mod turn;
pub mod url;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncWrite};

pub use self::core::Boot;
use self::core::{Author, Committed, Datastores, RecoveryError, Version};
use self::monitoring::Statistics;
use self::nacm::UserAccess;
use self::operation::Request;
use self::overload::{Overload, OverloadOptions};
use self::provider::{EventSender, Operation, Provider, Requester};
use self::session::Sessions;
use self::streams::Streams;
use self::subscription::registry::Registry;
use self::url::{Url, UrlError, UrlOptions, Urls};
use crate::capability::{self, Capabilities};
use crate::error::RpcError;
use crate::transport::Peer;
use crate::xml::{Document, Limits};
use crate::yang::edit;
use crate::yang::filter::Selection;
use crate::yang::schema::{Schema, SchemaBuilder};
use crate::yang::tree::{Origin, Tree};

/// How long a provider may take for an RPC or action: diagnostics of optical equipment run for minutes.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(330);

/// How long a provider may take to report its state. After a minute nobody waits for a get.
pub const STATE_TIMEOUT: Duration = Duration::from_secs(60);

/// What a server needs to know beside its schema.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the datastores and the notification logs live; made if absent.
    pub state_dir: PathBuf,
    /// The one user to whom access control does not apply (RFC 8341 section 3.1, recovery session).
    pub superuser: Option<String>,
    pub boot: Boot,
    /// What `<url>` can name; see [`UrlOptions::modules`].
    pub urls: UrlOptions,
    pub overload: OverloadOptions,
}

/// Why a server does not start. One line, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    #[error("the modules lack what every server needs: {0}")]
    Modules(#[from] crate::yang::serde::SerdeError),
    #[error(transparent)]
    Stream(#[from] record::RecordError),
    #[error(transparent)]
    Url(#[from] UrlError),
}

/// A server; clones are the same server.
pub struct Server<P: Provider>(Arc<Shared<P>>);

/// What all sessions share.
pub struct Shared<P> {
    pub schema: Arc<Schema>,
    pub provider: P,
    pub datastores: Datastores,
    pub sessions: Sessions,
    pub statistics: Statistics,
    pub overload: Overload,
    options: Options,
    pub urls: Urls,
    capabilities: Vec<String>,
    /// Capabilities, schemas and yang-library: never changes.
    library: Tree,
    start_time: String,
    pub streams: Streams,
    pub subscriptions: Arc<Registry>,
    /// Who hears of changes of state.
    pub(in crate::server) hub: Arc<push::hub::Hub>,
    /// Where this server's own events go, beside the provider's.
    pub(in crate::server) events: EventSender,
}

/// Adds the modules that every server implements, with the features that it has.
pub fn base_modules(builder: SchemaBuilder) -> SchemaBuilder {
    builder
        .standard()
        .module(
            "ietf-netconf",
            None,
            &["writable-running", "candidate", "confirmed-commit", "rollback-on-error", "validate", "startup", "xpath"],
        )
        .module("ietf-netconf-monitoring", None, &[])
        .module("ietf-netconf-partial-lock", None, &[])
        .module("ietf-netconf-acm", None, &[])
        .module("ietf-netconf-with-defaults", None, &[])
        .module("ietf-netconf-nmda", None, &["origin", "with-defaults"])
        .module("ietf-datastores", None, &[])
        .module("ietf-origin", None, &[])
        .module("ietf-netconf-notifications", None, &[])
        .module("ietf-yang-library", None, &[])
        .module("notifications", None, &[])
        .module("nc-notifications", None, &[])
        .module("ietf-subscribed-notifications", None, &["encode-xml", "replay", "subtree", "xpath"])
        .module("ietf-yang-push", None, &["on-change"])
}

impl<P: Provider> Clone for Server<P> {
    fn clone(&self) -> Self {
        Server(self.0.clone())
    }
}

impl<P: Provider> Server<P> {
    /// Recovers what the state directory holds, and is then ready to [`Server::serve`]. `initial` is the configuration of
    /// a server that has never run. What was recovered has not been applied: that is for whoever started the device.
    pub async fn start(schema: Arc<Schema>, provider: P, initial: Tree, options: Options) -> Result<Self, StartError> {
        let urls = Urls::open(&options.urls)?;
        let directory = record::StateDirectory::open(&options.state_dir).map_err(RecoveryError::from)?;
        let datastores = Datastores::open(schema.clone(), &directory, &initial, options.boot)?;
        let (stream, publisher) = stream::Stream::open(
            &directory,
            streams::ALL_EVENTS,
            stream::Retention::default(),
            jiff::Timestamp::now(),
        )?;
        let capabilities = capabilities(&schema, &urls);
        let library = monitoring::library(&schema, &capabilities)?;
        let (events, queue) = EventSender::channel();
        let hub: Arc<push::hub::Hub> = Arc::default();
        let shared = Arc::new(Shared {
            schema: schema.clone(),
            provider,
            datastores,
            sessions: Sessions::default(),
            statistics: Statistics::default(),
            overload: Overload::new(options.overload.clone()),
            options,
            urls,
            capabilities,
            library,
            start_time: now(),
            streams: Streams::new(&schema, stream),
            subscriptions: Arc::default(),
            events: events.clone(),
            hub: hub.clone(),
        });
        shared.provider.start(events);
        tokio::spawn(event::take_back_in_time(Arc::downgrade(&shared), shared.datastores.timer()));
        tokio::spawn(event::publish(schema, publisher, queue, hub));
        Ok(Server(shared))
    }

    pub fn shared(&self) -> &Arc<Shared<P>> {
        &self.0
    }

    /// Serves one session on a stream that the transport has authenticated, until it ends.
    pub async fn serve<S: AsyncBufRead + AsyncWrite + Unpin + Send>(&self, stream: S, peer: Peer) {
        session::run(&self.0, stream, peer).await;
    }

    /// Ends all sessions. What was acknowledged is durable already.
    pub fn stop(&self) {
        self.0.sessions.end_all();
    }
}

fn capabilities(schema: &Schema, urls: &Urls) -> Vec<String> {
    let mut all: Vec<String> = [
        capability::BASE_1_0,
        capability::BASE_1_1,
        capability::WRITABLE_RUNNING,
        capability::CANDIDATE,
        // RFC 4741's forms ask for no more than RFC 6241's, and yangcli has no confirmed commit without them.
        capability::CONFIRMED_COMMIT_1_0,
        capability::CONFIRMED_COMMIT,
        capability::ROLLBACK_ON_ERROR,
        capability::VALIDATE_1_0,
        capability::VALIDATE,
        capability::STARTUP,
        capability::XPATH,
        capability::PARTIAL_LOCK,
        capability::NOTIFICATION,
        capability::INTERLEAVE,
    ]
    .map(str::to_owned)
    .into();
    if let Some(schemes) = urls.schemes() {
        all.push(format!("{}?scheme={schemes}", capability::URL));
    }
    all.push(format!(
        "{}?basic-mode=explicit&also-supported=report-all,report-all-tagged,trim",
        capability::WITH_DEFAULTS
    ));
    // RFC 8526 section 3.1.1.2: the modes are those of :with-defaults.
    all.push(capability::WITH_OPERATIONAL_DEFAULTS.to_owned());
    let library = schema.modules().iter().find(|m| m.name == "ietf-yang-library");
    if let Some(revision) = library.and_then(|m| m.revision.as_deref()) {
        let content_id = monitoring::content_id(schema);
        // RFC 7895's form, for clients that know modules-state only, such as yangcli. Others take the last one.
        all.push(format!("{}?revision={revision}&module-set-id={content_id}", capability::YANG_LIBRARY_1_0));
        all.push(format!("{}?revision={revision}&content-id={content_id}", capability::YANG_LIBRARY));
    }
    // RFC 7950 section 5.6.4: only modules of YANG version 1 are announced in the hello; what netopeer2-cli looks for
    // there is among them.
    for module in schema.modules().iter().filter(|m| m.implemented && m.yang_version_1) {
        let features: Vec<&str> = module.features.iter().map(String::as_str).collect();
        let deviations: Vec<&str> = module.deviated_by.iter().map(String::as_str).collect();
        let entry = capability::Module {
            namespace: &module.namespace,
            name: &module.name,
            revision: module.revision.as_deref(),
            features,
            deviations,
        };
        all.push(entry.uri());
    }
    all
}

impl<P: Provider> Shared<P> {
    /// The capabilities for the hello.
    pub fn capabilities(&self, _peer: &Peer) -> Capabilities {
        self.capabilities.iter().collect()
    }

    /// What the user may do under that version's rules.
    pub fn access(&self, version: &Version, user: &str) -> Arc<UserAccess> {
        if self.options.superuser.as_deref() == Some(user) {
            return version.nacm.recovery(user);
        }
        version.nacm.user(user, &[])
    }

    /// Running with the state that the selection reaches. With `origins`, configuration that is not running's tells where
    /// it comes from: it is the system's unless the provider knows better.
    pub async fn operational(&self, selection: &Selection, origins: bool) -> Result<Tree, RpcError> {
        match self.operational_so_far(selection, origins).await? {
            (tree, None) => Ok(tree),
            (_, Some(missing)) => Err(missing),
        }
    }

    /// As [`Shared::operational`]; where the device does not tell its state, what there is without it, and why.
    pub async fn operational_so_far(
        &self,
        selection: &Selection,
        origins: bool,
    ) -> Result<(Tree, Option<RpcError>), RpcError> {
        let join = |tree: Tree, part: &Tree| {
            if origins { tree.merged_as(part, Origin::System) } else { tree.merged(part) }
        };
        let version = self.datastores.version();
        let mut tree = version.running.clone();
        let reaches = |path: &str| self.schema.find(path).is_some_and(|id| selection.reaches(id));
        let inside = RpcError::from;
        if reaches("/ietf-netconf-monitoring:netconf-state")
            || reaches("/ietf-yang-library:yang-library")
            || reaches("/ietf-yang-library:modules-state")
        {
            tree = join(tree, &self.library);
        }
        if reaches("/ietf-netconf-monitoring:netconf-state") {
            let snapshot = monitoring::Snapshot {
                sessions: self.sessions.list(),
                locks: self.datastores.locks(),
                partial_locks: self.datastores.all_partial_locks(),
                statistics: &self.statistics,
                start_time: &self.start_time,
            };
            tree = join(tree, &monitoring::state(&self.schema, &snapshot).map_err(inside)?);
        }
        if reaches("/ietf-netconf-acm:nacm") {
            tree = join(tree, &monitoring::nacm(&self.schema, &version.nacm).map_err(inside)?);
        }
        if reaches("/nc-notifications:netconf") {
            tree = join(tree, &self.streams.netconf(&self.schema).map_err(inside)?);
        }
        if reaches("/ietf-subscribed-notifications:streams") {
            tree = join(tree, &self.streams.subscribable(&self.schema).map_err(inside)?);
        }
        if reaches("/ietf-subscribed-notifications:subscriptions") {
            tree = join(tree, &self.subscriptions.to_tree(&self.schema).map_err(inside)?);
        }
        let state = tokio::time::timeout(STATE_TIMEOUT, self.provider.state(selection)).await;
        let late = |_| Err(RpcError::operation_failed("The device did not report its state in time."));
        Ok(match state.unwrap_or_else(late) {
            Ok(state) => (join(tree, &state), None),
            Err(missing) => (tree, Some(missing)),
        })
    }

    /// Requests accepted per second and session: the provider's bound, or else the one of the options.
    fn request_rate(&self) -> Option<NonZeroU32> {
        self.provider.request_rate().or(self.overload.options.request_rate)
    }

    /// An operation of the provider, under a timeout.
    pub async fn call(&self, operation: Operation, who: &Requester) -> Result<Option<Tree>, RpcError> {
        let _place = self.overload.place(&self.overload.calls, &who.user).await?;
        match tokio::time::timeout(CALL_TIMEOUT, self.provider.call(operation, who)).await {
            Ok(reply) => reply,
            Err(_) => {
                let message = format!("The operation took longer than {} s.", CALL_TIMEOUT.as_secs());
                Err(RpcError::operation_failed(message))
            }
        }
    }
}

impl<P: Provider> Request<'_, P> {
    /// The configuration at a `<url>`, read as the whole of one.
    pub async fn config_at(&self, url: &Url) -> Result<Tree, Vec<RpcError>> {
        let text = url.read().await?;
        let document = Document::parse(&text, &Limits::default());
        edit::read_config(&self.shared.schema, url::config(url, &document)?)
    }

    /// [`Shared::operational`], with a place among those who read the state of the device.
    pub async fn operational(&self, selection: &Selection, origins: bool) -> Result<Tree, RpcError> {
        let overload = &self.shared.overload;
        let _place = overload.place(&overload.state_reads, &self.requester.user).await?;
        self.shared.operational(selection, origins).await
    }

    pub fn author(&self) -> Author<'_> {
        Author { session_id: self.session.id, access: &self.access }
    }

    /// Waits for a change to be durable, and tells of it.
    pub async fn committed(&self, committed: Option<Committed>) -> Result<(), Vec<RpcError>> {
        let Some(Committed { datastore, edits, durable }) = committed else { return Ok(()) };
        self.shared.datastores.wait(&self.shared.provider, durable).await?;
        self.shared.config_changed(Some(self.session), datastore, &edits).await;
        Ok(())
    }
}

/// The time for logs and leafs: RFC 3339 in UTC.
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

#[cfg(test)]
mod tests;
