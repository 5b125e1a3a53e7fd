//! The way to the manager: where it is, one session, and its answers as RFC 7951 JSON.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use manager::northbound::northbound_schema;
use netconf::client::{self, Error, Filter, Notifications, Session, SessionConfig};
use netconf::error::{ErrorTag, RpcError};
use netconf::transport::ssh::{self, ConnectError, Credential, HostKeyCheck, Target};
use netconf::xml::Element;
use netconf::yang::edit::{read_data, read_known_data, read_output};
use netconf::yang::{Schema, Tree, json};
use serde::Deserialize;
use serde_json::Value;

use super::{Failure, Options};

/// Where the demo is looked for when nothing tells.
const DEFAULT_DIRECTORY: &str = "qkdn-demo";

/// From name resolution to the open subsystem.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The manager answers requests of the whole network within a minute.
const REPLY_TIMEOUT: Duration = Duration::from_secs(90);

/// What the options say of where the manager is; looked up when it is needed.
pub struct Reach {
    options: Options,
}

/// A session with the manager.
pub struct Client {
    session: Session,
    /// Keeps the session's queue of notifications; there is no subscription.
    _notifications: Notifications,
    schema: Arc<Schema>,
    pub user: String,
}

/// The part of demo.json that is read here.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Demo {
    known_hosts: Option<PathBuf>,
    manager: Option<Place>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Place {
    address: String,
    port: u16,
    #[serde(default)]
    users: Vec<User>,
    known_hosts: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    name: String,
    private_key: PathBuf,
}

impl Reach {
    pub fn new(options: &Options) -> Reach {
        Reach { options: options.clone() }
    }

    pub async fn connect(&self) -> Result<Client, Failure> {
        let target = self.target()?;
        // Compiling the modules takes as long as the key exchange: at the same time.
        let schema = tokio::task::spawn_blocking(northbound_schema);
        let stream = ssh::connect(&target).await.map_err(|error| unreachable(&error))?;
        let config = SessionConfig { rpc_timeout: REPLY_TIMEOUT, ..SessionConfig::default() };
        let (session, notifications) = Session::open(stream, config).await.map_err(|error| failure(&error))?;
        let schema = schema.await.map_err(|error| Failure::failed(format!("the modules do not compile: {error}")))?;
        let schema = schema.map_err(|error| Failure::failed(format!("the modules do not compile: {error}")))?;
        Ok(Client { session, _notifications: notifications, schema, user: target.user })
    }

    fn target(&self) -> Result<Target, Failure> {
        let Options { dir, address, user, key, known_hosts, .. } = &self.options;
        let Some(address) = address else {
            let told = dir.clone().or_else(|| std::env::var_os("QKDN_DIR").map(PathBuf::from));
            let directory = told.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DIRECTORY));
            return self.demo_target(&directory, told.is_some());
        };
        let (host, port) = address
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host.trim_matches(['[', ']']), port.parse().ok()?)))
            .ok_or_else(|| {
                Failure::usage(format!("--manager {address}: HOST:PORT is wanted, such as 127.0.0.1:8830"))
            })?;
        let missing = |option: &str| Failure::usage(format!("--manager needs {option} as well; see qkdn --help"));
        Ok(Target {
            host: host.to_owned(),
            port,
            user: user.clone().ok_or_else(|| missing("--user NAME"))?,
            credential: key_file(key.as_ref().ok_or_else(|| missing("--key FILE"))?),
            host_key: HostKeyCheck::KnownHosts(known_hosts.clone().ok_or_else(|| missing("--known-hosts FILE"))?),
            timeout: CONNECT_TIMEOUT,
        })
    }

    fn demo_target(&self, directory: &Path, told: bool) -> Result<Target, Failure> {
        let file = directory.join("demo.json");
        let text = std::fs::read_to_string(&file).map_err(|error| {
            let next = if told {
                "is a demo running there? Start one: qkdn demo --dir DIR"
            } else {
                "tell where the manager is with --dir DIR or --manager HOST:PORT, or start one: qkdn demo"
            };
            Failure::failed(format!("no manager is known: {}: {error}; {next}", file.display()))
        })?;
        let demo: Demo = serde_json::from_str(&text)
            .map_err(|error| Failure::failed(format!("{} is not what a demo writes: {error}", file.display())))?;
        let place = demo.manager.ok_or_else(|| {
            Failure::failed(format!(
                "{} names no manager: that demo runs agents alone; run its manager with qkdn manager run, and reach it with --manager",
                file.display()
            ))
        })?;
        let wanted = self.options.user.as_deref();
        let user = place.users.into_iter().find(|user| wanted.is_none_or(|wanted| wanted == user.name));
        let (name, private_key) = match (user, wanted, &self.options.key) {
            (Some(user), _, key) => (user.name, key.clone().unwrap_or(user.private_key)),
            (None, Some(wanted), Some(key)) => (wanted.to_owned(), key.clone()),
            (None, ..) => {
                return Err(Failure::failed(format!(
                    "{} has no key of the user \"{}\"; name one with --user NAME --key FILE",
                    file.display(),
                    wanted.unwrap_or("admin")
                )));
            }
        };
        let known_hosts = self.options.known_hosts.clone().or(place.known_hosts).or(demo.known_hosts);
        let known_hosts = known_hosts.unwrap_or_else(|| directory.join("known_hosts"));
        Ok(Target {
            host: place.address,
            port: place.port,
            user: name,
            credential: key_file(&private_key),
            host_key: HostKeyCheck::KnownHosts(known_hosts),
            timeout: CONNECT_TIMEOUT,
        })
    }
}

fn key_file(path: &Path) -> Credential {
    Credential::KeyFile { path: path.to_owned(), passphrase: None }
}

impl Client {
    /// What a subtree filter selects of configuration and state.
    pub async fn get(&self, filter: &str) -> Result<Value, Failure> {
        let options = client::Options::from(Filter::Subtree(filter.to_owned()));
        let reply = self.session.get(&options).await.map_err(|error| failure(&error))?;
        let document = reply.document().map_err(|error| failure(&error))?;
        let data = client::data(&document).map_err(|error| failure(&error))?;
        data_json(&self.schema, data)
    }

    /// The data that a subtree filter selects, by another schema than the manager's. What the schema does not know is an
    /// error.
    pub async fn tree(&self, schema: &Arc<Schema>, filter: &str) -> Result<Tree, Failure> {
        let options = client::Options::from(Filter::Subtree(filter.to_owned()));
        let reply = self.session.get(&options).await.map_err(|error| failure(&error))?;
        let document = reply.document().map_err(|error| failure(&error))?;
        let data = client::data(&document).map_err(|error| failure(&error))?;
        read_data(schema, data).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Failure::failed(format!("what was answered cannot be read: {}", errors.join("; ")))
        })
    }

    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The output of an RPC, whose path in the schema is `/module:name`.
    pub async fn call(&self, path: &str, rpc: &str) -> Result<Value, Failure> {
        let reply = self.session.rpc(rpc).await.map_err(|error| failure(&error))?;
        let document = reply.document().map_err(|error| failure(&error))?;
        output_json(&self.schema, path, document.root())
    }

    /// An action: the tree around it with its input. Its reply has at most the one leaf that is returned.
    pub async fn action(&self, tree: &str) -> Result<Option<String>, Failure> {
        let action = format!("<action xmlns=\"urn:ietf:params:xml:ns:yang:1\">{tree}</action>");
        let reply = self.session.rpc(action).await.map_err(|error| failure(&error))?;
        let document = reply.document().map_err(|error| failure(&error))?;
        Ok(document.root().children().find(|child| child.name() != "ok").map(|child| child.text().to_owned()))
    }

    /// Passes an operation through to a device; the children of its reply as XML.
    pub async fn execute(&self, device: &str, operation: &str) -> Result<String, Failure> {
        use super::filter::{BASE, MANAGER, element, leaf};
        let inside = format!("{}<operation>{operation}</operation>", leaf("device", device));
        let rpc = element("execute-operation", MANAGER, &inside);
        let reply = self.session.rpc(rpc).await.map_err(|error| failure(&error))?;
        let document = reply.document().map_err(|error| failure(&error))?;
        let mut out = Vec::new();
        // A reply without output is <ok/> (RFC 6241 section 4.4).
        let content = |child: &Element<'_>| !child.is(BASE, "ok");
        if let Some(reply) = document.root().children().find(|child| child.name() == "reply") {
            reply.children().filter(content).for_each(|child| child.write(&mut out));
        }
        String::from_utf8(out).map_err(|error| Failure::failed(format!("the reply of {device} is not text: {error}")))
    }

    /// The namespace of a module of the manager's.
    pub fn namespace(&self, module: &str) -> Option<&str> {
        self.schema.module_by_name(module).map(|id| self.schema.module(id).namespace.as_str())
    }
}

/// Data in XML as RFC 7951 JSON. What the schema does not know is left out, and told.
pub fn data_json(schema: &Arc<Schema>, data: Element<'_>) -> Result<Value, Failure> {
    let (tree, unknown) = read_known_data(schema, data);
    if let Some(first) = unknown.first() {
        tracing::warn!("{} of what was answered cannot be read, and is not shown: {first}", unknown.len());
    }
    parse(&json::write(&tree))
}

/// The output of the operation at `path`.
pub fn output_json(schema: &Arc<Schema>, path: &str, reply: Element<'_>) -> Result<Value, Failure> {
    let operation = schema.find(path).ok_or_else(|| Failure::failed(format!("there is no operation {path}")))?;
    let tree = read_output(schema, operation, reply).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::failed(format!("the reply cannot be read: {}", errors.join("; ")))
    })?;
    let mut json = parse(&json::write(&tree))?;
    Ok(json[path.trim_start_matches('/')]["output"].take())
}

fn parse(json: &str) -> Result<Value, Failure> {
    serde_json::from_str(json).map_err(|error| Failure::failed(format!("the answer cannot be shown: {error}")))
}

fn unreachable(error: &ConnectError) -> Failure {
    let (code, next) = match error {
        ConnectError::Refused { .. } => {
            (Failure::FAILED, "; does the manager run? qkdn demo, or qkdn manager run --config FILE")
        }
        ConnectError::UnknownHostKey { .. } => {
            (Failure::FAILED, "; if it is the manager's, add it to the file that --known-hosts names")
        }
        ConnectError::ChangedHostKey { .. } => {
            (Failure::FAILED, "; if the manager was set up again, remove its old line from the known hosts")
        }
        ConnectError::Login { .. } => (Failure::DENIED, "; name another with --user NAME --key FILE"),
        ConnectError::Key { .. } => (Failure::FAILED, "; name the private key with --key FILE"),
        _ => (Failure::FAILED, ""),
    };
    Failure { code, text: format!("the manager cannot be reached: {error}{next}") }
}

fn failure(error: &Error) -> Failure {
    let errors = error.rpc_errors();
    let code = match errors.first().map(|error| error.tag) {
        Some(ErrorTag::AccessDenied) => Failure::DENIED,
        Some(ErrorTag::DataMissing) => Failure::NOT_FOUND,
        _ => Failure::FAILED,
    };
    let text = match errors {
        [] => format!("the manager: {error}"),
        errors => errors.iter().map(words).collect::<Vec<_>>().join("; "),
    };
    Failure { code, text }
}

/// The message of the one who refused, or the tag where it has none.
fn words(error: &RpcError) -> String {
    match &error.message {
        Some(message) if error.tag == ErrorTag::AccessDenied => {
            format!("denied: {message} Ask for the right, or be another user with --user.")
        }
        Some(message) => message.to_string(),
        None => error.tag.as_str().to_owned(),
    }
}
