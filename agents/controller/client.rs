//! The controller as a NETCONF client: who the agents are, what they say, and what is written to them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use netconf::client::{self, Datastore, EditConfig, Filter, Options, Session, SessionConfig, data};
use netconf::transport::ssh::{ConnectError, Credential, HostKeyCheck, Target, connect, fingerprint};
use netconf::yang::edit::read_known_data;
use netconf::yang::serde::from_path;
use netconf::yang::{Schema, Tree};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::task::JoinSet;

use super::action::{Edit, container};
use super::view::View;
use crate::topology::AgentKind;

/// Agents spoken to at once: enough that a network is read in seconds, and few enough that the controller does not flood it. The rest wait
/// their turn.
const AT_ONCE: usize = 8;

/// From the first packet to the open subsystem.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// For the hello, and for each answer: a switch takes its switching time to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Waits before a change is tried again at an agent that cannot be reached.
const RETRIES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// One agent, as the directory has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Entry {
    pub kind: AgentKind,
    pub name: String,
    pub resource_id: String,
    pub address: String,
    pub port: u16,
    /// As OpenSSH writes a public key.
    pub host_key: String,
    /// As whom to log in; the controller's own choice where absent.
    #[serde(default)]
    pub user: Option<String>,
}

/// Who is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory(BTreeMap<String, Entry>);

#[derive(Debug, Error)]
pub enum DirectoryError {
    #[error("directory of the agents {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("directory of the agents {}: {reason}", path.display())]
    Content { path: PathBuf, reason: String },
}

impl Directory {
    /// Reads a file: a JSON array of [`Entry`]s.
    pub fn read(path: &Path) -> Result<Directory, DirectoryError> {
        let text = std::fs::read(path).map_err(|source| DirectoryError::Read { path: path.to_owned(), source })?;
        let unusable = |reason| DirectoryError::Content { path: path.to_owned(), reason };
        let entries: Vec<Entry> = serde_json::from_slice(&text).map_err(|error| unusable(error.to_string()))?;
        let mut directory = BTreeMap::new();
        for entry in entries {
            if let Some(other) = directory.insert(entry.resource_id.clone(), entry) {
                return Err(unusable(format!("{} is there twice", other.resource_id)));
            }
        }
        Ok(Directory(directory))
    }

    pub fn get(&self, resource_id: &str) -> Option<&Entry> {
        self.0.get(resource_id)
    }

    /// All agents of these kinds.
    pub fn of<'d>(&'d self, kinds: &'d [AgentKind]) -> impl Iterator<Item = &'d Entry> {
        self.0.values().filter(move |entry| kinds.contains(&entry.kind))
    }
}

/// Why an agent could not be read or written.
#[derive(Debug, Error)]
enum Refusal {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{0}")]
    Session(#[from] client::Error),
    #[error("{0}")]
    Other(String),
}

impl Refusal {
    /// It may be otherwise in a while.
    fn may_pass(&self) -> bool {
        match self {
            Refusal::Connect(error) => matches!(
                error,
                ConnectError::Refused { .. }
                    | ConnectError::Io { .. }
                    | ConnectError::Timeout { .. }
                    | ConnectError::Ssh { .. }
            ),
            Refusal::Session(error) => match error {
                client::Error::Transport(_) | client::Error::Closed | client::Error::Timeout(_) => true,
                client::Error::Rpc(errors) => errors.iter().any(|error| {
                    use netconf::error::ErrorTag::{InUse, LockDenied, ResourceDenied};
                    matches!(error.tag, InUse | LockDenied | ResourceDenied)
                }),
                client::Error::Protocol(_) => false,
            },
            Refusal::Other(_) => false,
        }
    }
}

/// Speaks to agents, in a session of its own each time: actions are rare, and agents come and go.
#[derive(Clone)]
pub struct Client {
    schema: Arc<Schema>,
    /// The private key by which the controller is known.
    key: PathBuf,
    user: String,
}

/// What to do about an agent that cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    TryOnce,
    /// It alone is asked, and nobody else knows.
    TryAgain,
}

/// A container's children that are read for what they are in fact.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct KmState {
    qkd_link: Vec<QkdLinkState>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct QkdLinkState {
    link_id: String,
    #[serde(default)]
    channel_state: Option<String>,
}

enum Found {
    Module(Box<crate::qkd_module::model::Config>),
    Km(Box<crate::key_manager::model::Config>, Vec<String>),
    RelayPoint(Box<crate::relay_point::model::Config>),
    Nothing,
}

impl Client {
    /// `schema` has the modules of all kinds of agents.
    pub fn new(schema: Arc<Schema>, key: PathBuf, user: String) -> Client {
        Client { schema, key, user }
    }

    /// Reads the configuration of agents; those that cannot be read are told with the reason. With patience they are tried again first.
    pub async fn read(&self, entries: impl IntoIterator<Item = Entry>, patience: Patience) -> View {
        let mut view = View::default();
        let mut entries = entries.into_iter();
        let mut tasks = JoinSet::new();
        loop {
            while tasks.len() < AT_ONCE
                && let Some(entry) = entries.next()
            {
                let client = self.clone();
                tasks.spawn(async move {
                    let mut waits = RETRIES.iter().filter(|_| patience == Patience::TryAgain);
                    let found = loop {
                        match (client.read_one(&entry).await, waits.next()) {
                            (Err(refusal), Some(wait)) if refusal.may_pass() => tokio::time::sleep(*wait).await,
                            (found, _) => break found,
                        }
                    };
                    (entry.resource_id, found)
                });
            }
            let Some(read) = tasks.join_next().await else { return view };
            let (id, found) = read.expect("reading does not panic, and nobody aborts it");
            match found {
                Ok(Found::Module(config)) => {
                    view.modules.insert(id, *config);
                }
                Ok(Found::Km(config, down)) => {
                    view.kms.insert(id, *config);
                    view.down.extend(down);
                }
                Ok(Found::RelayPoint(config)) => {
                    view.relay_points.insert(id, *config);
                }
                Ok(Found::Nothing) => {}
                Err(refusal) => {
                    view.silent.insert(id, refusal.to_string());
                }
            }
        }
    }

    /// Writes the edits of one stage; for each, whether it succeeded, else why not.
    pub async fn write(&self, directory: &Directory, edits: Vec<Edit>) -> Vec<(Edit, Result<(), String>)> {
        let mut results = Vec::with_capacity(edits.len());
        // Edits at one agent go one after the other, in one session.
        let mut by_target: BTreeMap<String, Vec<Edit>> = BTreeMap::new();
        edits.into_iter().for_each(|edit| by_target.entry(edit.target.clone()).or_default().push(edit));
        let mut targets = by_target.into_iter();
        let mut tasks = JoinSet::new();
        loop {
            while tasks.len() < AT_ONCE
                && let Some((target, edits)) = targets.next()
            {
                let (client, entry) = (self.clone(), directory.get(&target).cloned());
                tasks.spawn(async move {
                    match entry {
                        Some(entry) => client.write_one(&entry, edits).await,
                        None => {
                            let absent = format!("there is no {target} in the directory");
                            edits.into_iter().map(|edit| (edit, Err(absent.clone()))).collect()
                        }
                    }
                });
            }
            let Some(written) = tasks.join_next().await else { return results };
            results.extend(written.expect("writing does not panic, and nobody aborts it"));
        }
    }

    async fn write_one(&self, entry: &Entry, edits: Vec<Edit>) -> Vec<(Edit, Result<(), String>)> {
        let mut session = None;
        let mut results = Vec::with_capacity(edits.len());
        let mut waits = RETRIES.iter();
        for edit in edits {
            let result = loop {
                match self.try_write(entry, &mut session, &edit).await {
                    Ok(()) => break Ok(()),
                    Err(refusal) if refusal.may_pass() => match waits.next() {
                        Some(wait) => {
                            tracing::info!(agent = entry.name, error = %refusal, "a change is tried again");
                            tokio::time::sleep(*wait).await;
                        }
                        None => break Err(format!("{refusal}; tried {} times", RETRIES.len() + 1)),
                    },
                    Err(refusal) => break Err(refusal.to_string()),
                }
            };
            results.push((edit, result));
        }
        if let Some(session) = session {
            farewell(&session).await;
        }
        results
    }

    async fn try_write(&self, entry: &Entry, session: &mut Option<Session>, edit: &Edit) -> Result<(), Refusal> {
        let open = match session.take().filter(|session| session.ended().is_none()) {
            Some(open) => open,
            None => self.open(entry).await?,
        };
        let edit = EditConfig::new(Datastore::Running, edit.config.clone());
        let written = open.edit_config(&edit).await;
        *session = Some(open);
        written?;
        Ok(())
    }

    async fn read_one(&self, entry: &Entry) -> Result<Found, Refusal> {
        let Some((name, module, _)) = container(entry.kind) else { return Ok(Found::Nothing) };
        let session = self.open(entry).await?;
        let namespace = format!("urn:qkdn:yang:{module}");
        let whole = Options::from(Filter::Subtree(format!("<{name} xmlns=\"{namespace}\"/>")));
        let reply = session.get_config(&Datastore::Running, &whole).await?;
        let tree = self.tree(&reply)?;
        let path = format!("/{module}:{name}");
        let found = match entry.kind {
            AgentKind::QkdModule => Found::Module(Box::new(config(&tree, &path)?)),
            AgentKind::RelayPoint => Found::RelayPoint(Box::new(config(&tree, &path)?)),
            AgentKind::KeyManager => {
                let state = format!("<{name} xmlns=\"{namespace}\"><state><qkd-link/></state></{name}>");
                let reply = session.get(&Options::from(Filter::Subtree(state))).await?;
                let state: KmState = config(&self.tree(&reply)?, &format!("{path}/state"))?;
                let down = state.qkd_link.into_iter().filter(|link| link.channel_state.as_deref() == Some("down"));
                Found::Km(Box::new(config(&tree, &path)?), down.map(|link| link.link_id).collect())
            }
            AgentKind::OpticalSwitch | AgentKind::Controller => Found::Nothing,
        };
        farewell(&session).await;
        Ok(found)
    }

    fn tree(&self, reply: &client::Reply) -> Result<Tree, Refusal> {
        let document = reply.document()?;
        // What an agent knows and this program does not is of no interest here.
        let (tree, _unknown) = read_known_data(&self.schema, data(&document)?);
        Ok(tree)
    }

    async fn open(&self, entry: &Entry) -> Result<Session, Refusal> {
        let pinned = fingerprint(&entry.host_key);
        let pinned =
            pinned.ok_or_else(|| Refusal::Other(format!("the host key of {} is no public key", entry.name)))?;
        let target = Target {
            host: entry.address.clone(),
            port: entry.port,
            user: entry.user.clone().unwrap_or_else(|| self.user.clone()),
            credential: Credential::KeyFile { path: self.key.clone(), passphrase: None },
            host_key: HostKeyCheck::Pinned(vec![pinned]),
            timeout: CONNECT_TIMEOUT,
        };
        let stream = connect(&target).await?;
        let config =
            SessionConfig { hello_timeout: ANSWER_TIMEOUT, rpc_timeout: ANSWER_TIMEOUT, ..SessionConfig::default() };
        // No subscription, so nothing comes unasked.
        let (session, _notifications) = Session::open(stream, config).await?;
        Ok(session)
    }
}

/// Read as configured; where nothing is, the defaults hold.
fn config<T: DeserializeOwned + Default>(tree: &Tree, path: &str) -> Result<T, Refusal> {
    let read = from_path(tree, path).map_err(|error| Refusal::Other(error.to_string()))?;
    Ok(read.unwrap_or_default())
}

async fn farewell(session: &Session) {
    if let Err(error) = session.close().await {
        tracing::debug!(%error, "a session did not end in order");
    }
}
