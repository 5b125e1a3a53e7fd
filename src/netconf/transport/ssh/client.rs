//! The SSH client of RFC 6242: connects, checks the host key, logs in, and opens the `netconf` subsystem.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use russh::client::{AuthResult, Config, DisconnectReason, Handle, Handler, KeyboardInteractiveAuthResponse, Session};
use russh::keys::known_hosts::{known_host_keys_path, learn_known_hosts_path};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{ChannelId, ChannelMsg, Disconnect, MethodKind, SshId};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::stream::{Inbound, Socket};
use super::{ChannelStream, PREFERRED, SUBSYSTEM};

/// A silent server is asked this often whether it is there, and given up after three questions without an answer.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A server that takes nothing for so long is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// How a user proves who it is.
#[derive(Clone)]
pub enum Credential {
    /// A private key file, with the passphrase where it is encrypted.
    KeyFile {
        path: PathBuf,
        passphrase: Option<String>,
    },
    Key(Arc<PrivateKey>),
    Password(String),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Credential::KeyFile { .. } => "KeyFile",
            Credential::Key(_) => "Key",
            Credential::Password(_) => "Password",
        })
    }
}

/// How the server proves that it is the one meant.
#[derive(Clone, Debug)]
pub enum HostKeyCheck {
    /// Its key is in this OpenSSH `known_hosts` file.
    KnownHosts(PathBuf),
    /// The same, but the key of a host that is not in the file yet is accepted and written there.
    AcceptNew(PathBuf),
    /// Its key has one of these fingerprints, in the form `SHA256:…`.
    Pinned(Vec<String>),
    /// Any key will do: for a first contact, after which the caller keeps [`ChannelStream::host_key`] and pins it.
    Any,
}

/// The fingerprint, in the form `SHA256:…`, of a public key as OpenSSH writes it; None where it is not one.
pub fn fingerprint(public_key: &str) -> Option<String> {
    Some(PublicKey::from_openssh(public_key.trim_ascii()).ok()?.fingerprint(HashAlg::Sha256).to_string())
}

/// Whom to connect to, as whom, and what to trust.
#[derive(Clone, Debug)]
pub struct Target {
    /// A name or an address.
    pub host: String,
    pub port: u16,
    pub user: String,
    pub credential: Credential,
    pub host_key: HostKeyCheck,
    /// From name resolution to the open subsystem.
    pub timeout: Duration,
}

/// Why there is no connection, in one line.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("{address}: connection refused: nothing listens there")]
    Refused { address: String },
    #[error("{address}: {source}")]
    Io { address: String, source: io::Error },
    #[error("{address}: no answer within {} s ({stage})", timeout.as_secs_f32())]
    Timeout { address: String, stage: &'static str, timeout: Duration },
    #[error("{address}: the host key {fingerprint} is not known")]
    UnknownHostKey { address: String, fingerprint: String },
    #[error("{address}: the host key has CHANGED to {fingerprint}: an attack, or a server that was set up again")]
    ChangedHostKey { address: String, fingerprint: String },
    #[error("{address}: cannot read or write the known hosts in {path}: {reason}")]
    KnownHosts { address: String, path: String, reason: String },
    #[error("key {path}: {reason}")]
    Key { path: String, reason: String },
    /// An SSH server does not tell a wrong password from an unknown user.
    #[error("{address}: login of \"{user}\" with {method} refused; the server offers {offered}")]
    Login { address: String, user: String, method: &'static str, offered: String },
    #[error("{address}: the server has no subsystem \"netconf\" for \"{user}\"")]
    NoSubsystem { address: String, user: String },
    #[error("{address}: {source}")]
    Ssh { address: String, source: russh::Error },
}

/// Connects to the `netconf` subsystem of `target`. The connection ends when the stream is dropped.
pub async fn connect(target: &Target) -> Result<ChannelStream, ConnectError> {
    let address = if target.host.contains(':') {
        format!("[{}]:{}", target.host, target.port)
    } else {
        format!("{}:{}", target.host, target.port)
    };
    let mut stage = "connecting";
    let attempt = Attempt { target, address: &address };
    match tokio::time::timeout(target.timeout, attempt.run(&mut stage)).await {
        Ok(result) => result,
        Err(_) => Err(ConnectError::Timeout { address, stage, timeout: target.timeout }),
    }
}

struct Attempt<'a> {
    target: &'a Target,
    address: &'a str,
}

impl Attempt<'_> {
    async fn run(self, stage: &mut &'static str) -> Result<ChannelStream, ConnectError> {
        let key = match &self.target.credential {
            Credential::KeyFile { path, passphrase } => Some(Arc::new(self.key_file(path, passphrase.as_deref())?)),
            Credential::Key(key) => Some(Arc::clone(key)),
            Credential::Password(_) => None,
        };
        let stream =
            TcpStream::connect((self.target.host.as_str(), self.target.port)).await.map_err(|e| match e.kind() {
                io::ErrorKind::ConnectionRefused => ConnectError::Refused { address: self.address.to_owned() },
                _ => self.io(e),
            })?;
        stream.set_nodelay(true).map_err(|e| self.io(e))?;

        *stage = "SSH key exchange";
        let config = Config {
            client_id: SshId::Standard(Cow::Borrowed("SSH-2.0-netconf")),
            preferred: PREFERRED,
            keepalive_interval: Some(KEEPALIVE),
            keepalive_max: 3,
            nodelay: true,
            ..Config::default()
        };
        let cut = CancellationToken::new();
        // Cut on every way out but the good one: russh's task would otherwise stay.
        let guard = cut.clone().drop_guard();
        let inbound = Arc::new(Inbound::default());
        let seen = Arc::new(OnceLock::new());
        let connection = Connection {
            inbound: Arc::clone(&inbound),
            seen: Arc::clone(&seen),
            check: self.target.host_key.clone(),
            host: self.target.host.clone(),
            port: self.target.port,
            address: self.address.to_owned(),
        };
        let socket = Socket::new(stream, cut.clone());
        let mut handle = russh::client::connect_stream(Arc::new(config), socket, connection).await.map_err(|e| e.0)?;

        *stage = "login";
        self.login(&mut handle, key).await?;

        *stage = "opening the subsystem";
        let channel = handle.channel_open_session().await.map_err(|e| self.ssh(e))?;
        channel.request_subsystem(true, SUBSYSTEM).await.map_err(|e| self.ssh(e))?;
        let (mut replies, writer) = channel.split();
        loop {
            match replies.wait().await {
                Some(ChannelMsg::Success) => break,
                Some(ChannelMsg::Failure | ChannelMsg::Close | ChannelMsg::Eof) | None => {
                    return Err(ConnectError::NoSubsystem {
                        address: self.address.to_owned(),
                        user: self.target.user.clone(),
                    });
                }
                // The server's first bytes may arrive with its confirmation; they reach the stream by themselves.
                Some(_) => {}
            }
        }
        // From here on what arrives comes through `Connection::data` alone.
        drop(replies);
        let bytes = writer.make_writer();
        let cut_after = guard.disarm();
        let close = async move {
            // An error says that the connection is gone already.
            let _gone =
                writer.close().await.is_err() || handle.disconnect(Disconnect::ByApplication, "", "en").await.is_err();
            // russh waits for the server to close as well; no longer than this.
            let _closed = tokio::time::timeout(Duration::from_secs(1), handle).await.is_ok();
            cut_after.cancel();
        };
        let host_key = seen.get().cloned();
        Ok(ChannelStream::new(inbound, bytes, close, WRITE_TIMEOUT, cut).with_host_key(host_key))
    }

    async fn login(&self, handle: &mut Handle<Connection>, key: Option<Arc<PrivateKey>>) -> Result<(), ConnectError> {
        let user = self.target.user.as_str();
        let (method, result) = match (&self.target.credential, key) {
            (Credential::Password(password), _) => {
                let mut result = handle.authenticate_password(user, password).await.map_err(|e| self.ssh(e))?;
                if let AuthResult::Failure { remaining_methods, .. } = &result
                    && !remaining_methods.contains(&MethodKind::Password)
                    && remaining_methods.contains(&MethodKind::KeyboardInteractive)
                {
                    result = self.keyboard_interactive(handle, password).await?;
                }
                ("a password", result)
            }
            (_, Some(key)) => {
                let hash = if key.algorithm().is_rsa() {
                    handle.best_supported_rsa_hash().await.map_err(|e| self.ssh(e))?.flatten().or(Some(HashAlg::Sha256))
                } else {
                    None
                };
                let key = PrivateKeyWithHashAlg::new(key, hash);
                ("a key", handle.authenticate_publickey(user, key).await.map_err(|e| self.ssh(e))?)
            }
            (_, None) => unreachable!("a key was loaded"),
        };
        match result {
            AuthResult::Success => Ok(()),
            AuthResult::Failure { remaining_methods, .. } => {
                let offered: Vec<&str> = remaining_methods.iter().map(<&'static str>::from).collect();
                Err(ConnectError::Login {
                    address: self.address.to_owned(),
                    user: user.to_owned(),
                    method,
                    offered: if offered.is_empty() { "nothing else".into() } else { offered.join(", ") },
                })
            }
        }
    }

    async fn keyboard_interactive(
        &self,
        handle: &mut Handle<Connection>,
        password: &str,
    ) -> Result<AuthResult, ConnectError> {
        let start = handle.authenticate_keyboard_interactive_start(&self.target.user, None).await;
        let mut answer = start.map_err(|e| self.ssh(e))?;
        loop {
            match answer {
                KeyboardInteractiveAuthResponse::Success => return Ok(AuthResult::Success),
                KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success } => {
                    return Ok(AuthResult::Failure { remaining_methods, partial_success });
                }
                KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                    // The one thing that is asked for without an echo is the password.
                    let answers =
                        prompts.iter().map(|p| if p.echo { String::new() } else { password.to_owned() }).collect();
                    answer =
                        handle.authenticate_keyboard_interactive_respond(answers).await.map_err(|e| self.ssh(e))?;
                }
            }
        }
    }

    fn key_file(&self, path: &std::path::Path, passphrase: Option<&str>) -> Result<PrivateKey, ConnectError> {
        russh::keys::load_secret_key(path, passphrase)
            .map_err(|e| ConnectError::Key { path: path.display().to_string(), reason: e.to_string() })
    }

    fn io(&self, source: io::Error) -> ConnectError {
        ConnectError::Io { address: self.address.to_owned(), source }
    }

    fn ssh(&self, source: russh::Error) -> ConnectError {
        ConnectError::Ssh { address: self.address.to_owned(), source }
    }
}

/// The connection: russh's view of it.
struct Connection {
    inbound: Arc<Inbound>,
    /// Fingerprint of the key that the server showed, once it has.
    seen: Arc<OnceLock<String>>,
    check: HostKeyCheck,
    host: String,
    port: u16,
    address: String,
}

/// The handler's error: russh wants to make one from its own.
#[derive(Debug)]
struct Failed(ConnectError);

impl From<russh::Error> for Failed {
    fn from(source: russh::Error) -> Self {
        Failed(ConnectError::Ssh { address: "SSH".into(), source })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.inbound.close();
    }
}

impl Connection {
    fn check_key(&self, key: &PublicKey) -> Result<(), ConnectError> {
        let (address, fingerprint) = (self.address.clone(), key.fingerprint(HashAlg::Sha256).to_string());
        if self.seen.get_or_init(|| fingerprint.clone()) != &fingerprint {
            return Err(ConnectError::ChangedHostKey { address, fingerprint });
        }
        let (path, learn) = match &self.check {
            HostKeyCheck::Any => return Ok(()),
            HostKeyCheck::Pinned(pinned) if pinned.contains(&fingerprint) => return Ok(()),
            HostKeyCheck::Pinned(_) => return Err(ConnectError::UnknownHostKey { address, fingerprint }),
            HostKeyCheck::KnownHosts(path) => (path, false),
            HostKeyCheck::AcceptNew(path) => (path, true),
        };
        let unusable = |e: russh::keys::Error| ConnectError::KnownHosts {
            address: self.address.clone(),
            path: path.display().to_string(),
            reason: e.to_string(),
        };
        let known = known_host_keys_path(&self.host, self.port, path).map_err(unusable)?;
        if known.iter().any(|(_, known)| known.key_data() == key.key_data()) {
            Ok(())
        } else if !known.is_empty() {
            Err(ConnectError::ChangedHostKey { address, fingerprint })
        } else if learn {
            learn_known_hosts_path(&self.host, self.port, key, path).map_err(unusable)
        } else {
            Err(ConnectError::UnknownHostKey { address, fingerprint })
        }
    }
}

impl Handler for Connection {
    type Error = Failed;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Failed> {
        match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.check_key(key).map(|()| true).map_err(Failed),
            // None are asked for.
            PublicKeyOrCertificate::Certificate(_) => Ok(false),
        }
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], session: &mut Session) -> Result<(), Failed> {
        if self.inbound.push(data).await.is_err() {
            tracing::warn!(address = self.address, "channel closed: the server sends and does not read");
            self.inbound.close();
            session.close(channel)?;
        }
        Ok(())
    }

    async fn channel_eof(&mut self, _channel: ChannelId, _session: &mut Session) -> Result<(), Failed> {
        self.inbound.end();
        Ok(())
    }

    async fn channel_close(&mut self, _channel: ChannelId, _session: &mut Session) -> Result<(), Failed> {
        self.inbound.close();
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Failed>) -> Result<(), Failed> {
        match reason {
            DisconnectReason::ReceivedDisconnect(_) => Ok(()),
            DisconnectReason::Error(error) => Err(error),
        }
    }
}
