//! From a configuration file's content to a manager that knows its devices and serves NETCONF over SSH.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use netconf::error::RpcError;
use netconf::server::provider::Provider;
use netconf::server::record::{RecordError, StateDirectory};
use netconf::server::{Options, Server, StartError};
use netconf::transport::auth::{LoadError, Users};
use netconf::transport::ssh::{self, HostKeyError};
use netconf::yang::schema::SchemaError;
use netconf::yang::serde::SerdeError;
use netconf::yang::{Schema, Tree, json};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::brain::Manager;
use crate::config::{Config, User};
use crate::connection::{Devices, KnownHostsError, Pace};
use crate::input::{Effect, Input, Recovered};
use crate::northbound::{Inwards, Northbound, Sequence, SequenceError, northbound_schema, rights};
use crate::schema::device_schema;
use crate::shell::{self, Inputs};
use crate::store::{Sqlite, Store, StoreError};
use crate::{collector, northbound};

/// Notifications that wait for the northbound server, which writes thousands a second. When it is full the shell waits: what is told is
/// durable, and devices keep what is not taken.
const NOTIFICATIONS: usize = 1024;

/// Why a manager does not run: one line that says what to do.
#[derive(Debug, Error)]
pub enum RunError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Directory(#[from] RecordError),
    #[error(transparent)]
    HostKeys(#[from] KnownHostsError),
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
    #[error(transparent)]
    Users(#[from] LoadError),
    #[error(transparent)]
    Modules(#[from] SchemaError),
    #[error(transparent)]
    Rights(#[from] SerdeError),
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    #[error(transparent)]
    Server(#[from] StartError),
    #[error("the configuration in effect is not understood: {0}")]
    Configuration(RpcError),
    #[error("{0}")]
    Other(String),
}

/// Runs a manager until `shutdown`; `ready` hears where it listens.
pub async fn run(config: Config, shutdown: CancellationToken, ready: impl FnOnce(SocketAddr)) -> Result<(), RunError> {
    // The lock comes first: no second process may even look at the store.
    let directory = StateDirectory::open(&config.state_dir)?;
    let store = Arc::new(Sqlite::open(&config.store())?);
    let recovering = store.clone();
    let recovered = tokio::task::spawn_blocking(move || recovering.recover()).await;
    let recovered = recovered.map_err(|error| RunError::Other(format!("the store was not read: {error}")))??;
    let (mut brain, first) = Manager::recover(recovered.clone(), Timestamp::now());
    let handle = move |input, now| brain.handle(input, now);
    serve(&config, directory, Parts { store, recovered, handle, first }, shutdown, ready).await
}

/// What a manager is made of, but for what the configuration tells.
pub struct Parts<S, H> {
    pub store: Arc<S>,
    /// What the store held.
    pub recovered: Recovered,
    /// The brain.
    pub handle: H,
    /// What it decided when it recovered.
    pub first: Vec<Effect>,
}

/// Serves until `shutdown`; `ready` hears where. `directory` is that of the configured state, locked.
pub async fn serve<S: Store, H: FnMut(Input, Timestamp) -> Vec<Effect> + Send + 'static>(
    config: &Config,
    directory: StateDirectory,
    parts: Parts<S, H>,
    shutdown: CancellationToken,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), RunError> {
    let Parts { store, recovered, handle, first } = parts;
    let users = users(&config.users)?;
    let host_key = ssh::load_or_generate_host_key(&config.host_key)?;
    let listener = TcpListener::bind(&config.listen).await;
    let listener = listener.map_err(|error| RunError::Other(format!("cannot listen on {}: {error}", config.listen)))?;
    let address = listener.local_addr().map_err(|error| RunError::Other(error.to_string()))?;
    let schema = northbound_schema()?;
    let initial = initial(config, &schema)?;
    let sequence = Sequence::open(&directory.path().join("sequence"))?;

    let stop = CancellationToken::new();
    let stops = stop.clone().drop_guard();
    let (inputs, queue) = Inputs::channel();
    let devices = Devices::new(
        device_schema(),
        directory.path(),
        inputs.clone(),
        &recovered.devices,
        Pace::default(),
        stop.clone(),
    )?;
    let (notifications, told) = mpsc::channel(NOTIFICATIONS);
    let southbound = Inwards { inputs: inputs.clone(), devices: devices.clone() };
    let northbound = Northbound::new(store.clone(), southbound, schema.clone(), device_schema(), &config.directory)
        .map_err(RunError::Configuration)?;
    let options = Options {
        state_dir: directory.path().join("northbound"),
        superuser: config.superuser.clone(),
        ..Options::default()
    };
    let server = Server::start(schema, northbound.clone(), initial, options).await?;

    let telling = tokio::spawn({
        let northbound = northbound.clone();
        async move { northbound.tell(told, sequence).await }
    });
    let shell = shell::start(handle, first, queue, store.clone(), devices.clone(), notifications, stop.clone());
    let interval = config.performance_interval();
    let collecting = collector::start(devices.clone(), store.clone(), inputs, interval, stop.clone());
    let running = server.shared().datastores.version().running.clone();
    // What is in effect stays so: a key file that went away is the device's connection-error, not the manager's end.
    if let Err(error) = northbound.validate(&running) {
        tracing::warn!(%error, "something configured will not work");
    }
    northbound.begin(&running).await.map_err(RunError::Configuration)?;
    tracing::info!(%address, "serving NETCONF over SSH");
    ready(address);

    let ssh_config = ssh::ServerConfig::new(vec![host_key], Arc::new(ArcSwap::from_pointee(users)));
    let sessions = server.clone();
    let serving = ssh::serve(listener, ssh_config, shutdown.clone(), move |stream, peer| {
        let server = sessions.clone();
        async move { server.serve(stream, peer).await }
    });
    let stopping = async {
        shutdown.cancelled().await;
        server.stop();
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        ended = serving => ended,
        () = stopping => Ok(()),
    };
    drop(stops);
    devices.close().await;
    // In this order: what the shell still writes it also tells, and the numbers of what was told are kept last.
    for (task, name) in [(collecting, "collector"), (shell, "shell"), (telling, "northbound")] {
        if let Err(error) = task.await {
            tracing::error!(task = name, "a task failed: {error}");
        }
    }
    // The store waits for what was given to be written, and then whoever comes next may open it.
    let closed = tokio::task::spawn_blocking(move || drop((server, northbound, store))).await;
    if let Err(error) = closed {
        tracing::error!("the store was not closed: {error}");
    }
    drop(directory);
    ended.map_err(|error| RunError::Other(error.to_string()))
}

/// The configuration of a manager that never ran: the model's defaults, the first rules, and what the operator prepared.
fn initial(config: &Config, schema: &Arc<Schema>) -> Result<Tree, RunError> {
    let tree = Tree::initial(schema.clone()).merged(&rights(schema, &config.users)?);
    let Some(file) = &config.initial else { return Ok(tree) };
    let wrong = |reason: String| RunError::Other(format!("{}: {reason}", file.display()));
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        // It may be gone once it has been taken.
        Err(error) if config.state_dir.join("northbound").exists() => {
            tracing::debug!(file = %file.display(), %error, "the first configuration is not there any more");
            return Ok(tree);
        }
        Err(error) => return Err(wrong(error.to_string())),
    };
    let prepared = json::read(schema, &text).map_err(|errors| {
        let reasons: Vec<String> = errors.iter().map(ToString::to_string).collect();
        wrong(reasons.join("; "))
    })?;
    northbound::plans(&prepared, &config.directory).map_err(|error| wrong(error.to_string()))?;
    Ok(tree.merged(&prepared))
}

fn users(users: &[User]) -> Result<Users, LoadError> {
    let mut known = Users::new();
    for user in users {
        for file in &user.authorized_keys {
            known.add_authorized_keys(&user.name, file)?;
        }
        if let Some(file) = &user.password_file {
            known.add_password_file(&user.name, file)?;
        }
    }
    Ok(known)
}
