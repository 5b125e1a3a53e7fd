//! The SSH server of RFC 6242: accepts connections, authenticates users, and hands over `netconf` channels.

use std::borrow::Cow;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use russh::keys::PrivateKey;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, ChannelWriteHalf, Disconnect, MethodKind, MethodSet, Pty, SshId};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::stream::{Inbound, Socket};
use super::{ChannelStream, PREFERRED, SUBSYSTEM};
use crate::seldom::Seldom;
use crate::transport::auth::Users;
use crate::transport::strangers::{Stranger, Strangers};
use crate::transport::{Peer, Transport};

/// Packets of all channels of a connection on their way to its task. Full, writing waits: it is the second bound, after
/// the SSH window, on what a slow peer can make us hold.
const OUTGOING: usize = 32;

/// A wrong password is answered after this long, twice as long each further time.
const BACK_OFF: Duration = Duration::from_millis(250);

/// Attempts to log in on one connection; a client may well try a handful of keys before its password.
const ATTEMPTS: usize = 10;

/// How long after a shutdown sessions have to end by themselves, and then connections to say goodbye.
const GRACE: Duration = Duration::from_secs(2);

/// A connection that is logged in and has no session is closed after one to two times this. A client that keeps one open
/// for later finds it so for a while; one that opens thousands is bounded by its sessions.
const WITHOUT_SESSION: Duration = Duration::from_secs(120);

/// What an SSH server needs to know.
pub struct ServerConfig {
    /// At least one. A client picks by the algorithms it knows.
    pub host_keys: Vec<PrivateKey>,
    /// Who may log in; looked at on each attempt, so that it can be replaced at run time.
    pub users: Arc<ArcSwap<Users>>,
    /// From TCP accept to a logged-in user.
    pub login_timeout: Duration,
    /// Connections that have not logged in yet: each costs a key exchange, and without a bound strangers could take all
    /// memory and files. Beyond it see [`Strangers`].
    pub max_unauthenticated: usize,
    /// Sessions on one connection. RFC 6242 allows several; a client in need of more can connect again.
    pub max_channels: usize,
    /// A peer that does not take anything for so long while there is something to send is cut off.
    pub write_timeout: Duration,
    /// A silent peer is asked this often whether it is there, and cut off after three questions without an answer.
    pub keepalive: Option<Duration>,
}

impl ServerConfig {
    pub fn new(host_keys: Vec<PrivateKey>, users: Arc<ArcSwap<Users>>) -> Self {
        ServerConfig {
            host_keys,
            users,
            login_timeout: Duration::from_secs(30),
            max_unauthenticated: 128,
            max_channels: 8,
            write_timeout: Duration::from_secs(60),
            keepalive: Some(Duration::from_secs(120)),
        }
    }
}

impl std::fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerConfig").field("max_unauthenticated", &self.max_unauthenticated).finish_non_exhaustive()
    }
}

/// Serves connections from `listener` until `shutdown`, and returns when the last has ended. `session` serves one
/// NETCONF session; it ends when its future does, and should end soon after `shutdown`.
pub async fn serve<F, Fut>(
    listener: TcpListener,
    config: ServerConfig,
    shutdown: CancellationToken,
    session: F,
) -> io::Result<()>
where
    F: Fn(ChannelStream, Peer) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let server = Server::new(config, shutdown.clone(), session);
    let connections = TaskTracker::new();
    let not_accepted = Seldom::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                connections.spawn(Arc::clone(&server).serve(stream, address));
            }
            Err(error) => {
                // Out of files, most likely: connections that end will free some.
                if let Some(untold) = not_accepted.tell() {
                    warn!(untold, "cannot accept a connection: {error}");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
    Ok(())
}

/// What all connections share.
pub struct Server<F> {
    config: ServerConfig,
    russh: Arc<russh::server::Config>,
    strangers: Arc<Strangers>,
    /// Of the line about connections that end without a login.
    turned_away: Seldom,
    shutdown: CancellationToken,
    session: F,
}

impl<F, Fut> Server<F>
where
    F: Fn(ChannelStream, Peer) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    pub fn new(config: ServerConfig, shutdown: CancellationToken, session: F) -> Arc<Self> {
        let russh = russh::server::Config {
            server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-netconf")),
            keys: config.host_keys.clone(),
            preferred: PREFERRED,
            methods: methods(&config.users.load()),
            auth_rejection_time: BACK_OFF,
            auth_rejection_time_initial: Some(Duration::ZERO),
            max_auth_attempts: ATTEMPTS,
            event_buffer_size: OUTGOING,
            // The channels have buffers of their own.
            channel_buffer_size: 1,
            // A session may be silent for days; who is gone is found by keepalive.
            inactivity_timeout: None,
            keepalive_interval: config.keepalive,
            keepalive_max: 3,
            nodelay: true,
            ..Default::default()
        };
        let strangers = Strangers::new(config.max_unauthenticated);
        let turned_away = Seldom::new();
        Arc::new(Server { config, russh: Arc::new(russh), strangers, turned_away, shutdown, session })
    }

    /// Tells of a connection that ended without a login: not of each, for anybody can bring about thousands a second.
    fn turn_away(&self, address: SocketAddr, reason: &dyn std::fmt::Display) {
        if let Some(untold) = self.turned_away.tell() {
            info!(%address, untold, "connection closed before login: {reason}");
        }
    }

    /// Serves one connection that is already there, as after a call home (RFC 8071), until it ends.
    pub async fn serve(self: Arc<Self>, stream: TcpStream, address: SocketAddr) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%address, "cannot set TCP_NODELAY: {error}");
        }
        let deadline = tokio::time::Instant::now() + self.config.login_timeout;
        let cut = CancellationToken::new();
        let sessions = TaskTracker::new();
        let stranger = self.strangers.admit(address.ip(), cut.clone());
        if cut.is_cancelled() {
            return;
        }
        let (logged_in, mut login) = oneshot::channel();
        let connection = Connection {
            server: Arc::clone(&self),
            address,
            cut: cut.clone(),
            sessions: sessions.clone(),
            user: None,
            failures: 0,
            stranger: Some((stranger, logged_in)),
            channels: HashMap::new(),
        };
        let socket = Socket::new(stream, cut.clone());
        let started =
            tokio::time::timeout_at(deadline, russh::server::run_stream(Arc::clone(&self.russh), socket, connection));
        let mut running = match started.await {
            Ok(Ok(running)) => running,
            Ok(Err(error)) => return debug!(%address, "no SSH connection: {error}"),
            Err(_) => return self.turn_away(address, &"no SSH version string in time"),
        };
        let handle = running.handle();
        let mut in_use = false;
        let ended = tokio::select! {
            ended = &mut running => Some(ended),
            // An error says that the connection is ending: `running` will tell.
            logged = &mut login => if logged.is_ok() {
                in_use = true;
                tokio::select! {
                    ended = &mut running => Some(ended),
                    () = self.shutdown.cancelled() => None,
                    () = without_session(&sessions) => {
                        info!(%address, "connection closed: no session for {} s", WITHOUT_SESSION.as_secs());
                        None
                    }
                }
            } else {
                Some((&mut running).await)
            },
            () = tokio::time::sleep_until(deadline) => {
                self.turn_away(address, &"no login in time");
                None
            }
            () = self.shutdown.cancelled() => None,
        };
        match ended {
            Some(Ok(())) => debug!(%address, "connection ended"),
            Some(Err(error)) if in_use => info!(%address, "connection ended: {error}"),
            Some(Err(error)) => self.turn_away(address, &error),
            None => {
                sessions.close();
                let _all_ended = tokio::time::timeout(GRACE, sessions.wait()).await.is_ok();
                let goodbye = handle.disconnect(Disconnect::ByApplication, "closing".into(), "en".into());
                let said = tokio::time::timeout(GRACE, async {
                    if goodbye.await.is_ok() {
                        // Ends when the peer closed its side, or with an error.
                        let _ended = (&mut running).await;
                    }
                });
                if said.await.is_err() {
                    debug!(%address, "the peer does not close the connection");
                }
                cut.cancel();
            }
        }
    }
}

/// Returns when there has been no session for [`WITHOUT_SESSION`], give or take as much.
async fn without_session(sessions: &TaskTracker) {
    let mut was_without = false;
    loop {
        tokio::time::sleep(WITHOUT_SESSION).await;
        let is_without = sessions.is_empty();
        if was_without && is_without {
            return;
        }
        was_without = is_without;
    }
}

/// The methods that lead anywhere. `none` is not among them.
fn methods(users: &Users) -> MethodSet {
    let mut methods = MethodSet::from(&[MethodKind::PublicKey][..]);
    if users.has_passwords() {
        methods.push(MethodKind::Password);
        methods.push(MethodKind::KeyboardInteractive);
    }
    methods
}

/// One connection: russh's view of it.
struct Connection<F> {
    server: Arc<Server<F>>,
    address: SocketAddr,
    cut: CancellationToken,
    sessions: TaskTracker,
    user: Option<String>,
    failures: u32,
    /// Given up at login: the place among the strangers, and the news of it.
    stranger: Option<(Stranger, oneshot::Sender<()>)>,
    channels: HashMap<ChannelId, Slot>,
}

enum Slot {
    /// Open, and no subsystem asked for.
    Open(ChannelWriteHalf<Msg>),
    Serving(Arc<Inbound>),
}

impl<F> Drop for Connection<F> {
    fn drop(&mut self) {
        for slot in self.channels.values() {
            if let Slot::Serving(inbound) = slot {
                inbound.close();
            }
        }
    }
}

impl<F, Fut> Connection<F>
where
    F: Fn(ChannelStream, Peer) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    fn reject(&self) -> Auth {
        // Always the whole list: russh would strike the method that failed, and a user may mistype.
        let methods = methods(&self.server.config.users.load());
        Auth::Reject { proceed_with_methods: Some(methods), partial_success: false }
    }

    async fn password(&mut self, user: &str, password: &str) -> Auth {
        let users = self.server.config.users.load_full();
        if users.allows_password(user, password.to_owned()).await {
            self.user = Some(user.to_owned());
            return Auth::Accept;
        }
        info!(address = %self.address, ?user, "wrong password or unknown user");
        tokio::time::sleep(BACK_OFF * 2u32.pow(self.failures.min(5))).await;
        self.failures += 1;
        self.reject()
    }

    /// A request that is never granted: refused, and with it the channel, which has no other use.
    fn refuse(&mut self, channel: ChannelId, what: &str, session: &mut Session) -> Result<(), russh::Error> {
        info!(address = %self.address, user = self.user, "refused: {what}");
        session.channel_failure(channel)?;
        if matches!(self.channels.get(&channel), Some(Slot::Open(_))) {
            self.channels.remove(&channel);
            session.close(channel)?;
        }
        Ok(())
    }

    fn start_session(&mut self, channel: ChannelId, writer: ChannelWriteHalf<Msg>, user: String) {
        let inbound = Arc::new(Inbound::default());
        self.channels.insert(channel, Slot::Serving(Arc::clone(&inbound)));
        let bytes = writer.make_writer();
        let close = async move {
            // OpenSSH's client takes a missing status for a failure. An error says that the connection is gone, and the
            // channel with it.
            let _gone = writer.exit_status(0).await.is_err() || writer.close().await.is_err();
        };
        let stream = ChannelStream::new(inbound, bytes, close, self.server.config.write_timeout, self.cut.clone());
        let peer = Peer { user, transport: Transport::Ssh, address: self.address };
        self.sessions.spawn((self.server.session)(stream, peer));
    }
}

impl<F, Fut> Handler for Connection<F>
where
    F: Fn(ChannelStream, Peer) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    type Error = russh::Error;

    async fn auth_none(&mut self, _user: &str) -> Result<Auth, russh::Error> {
        Ok(self.reject())
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        Ok(self.password(user, password).await)
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let Some(mut response) = response else {
            const PROMPT: &[(Cow<'static, str>, bool)] = &[(Cow::Borrowed("Password: "), false)];
            if !self.server.config.users.load().has_passwords() {
                return Ok(self.reject());
            }
            return Ok(Auth::Partial { name: "".into(), instructions: "".into(), prompts: Cow::Borrowed(PROMPT) });
        };
        match response.next().and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()) {
            Some(password) => Ok(self.password(user, &password).await),
            None => Ok(self.reject()),
        }
    }

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, russh::Error> {
        let allowed = self.server.config.users.load().allows_key(user, offer.public_key, offer.algorithm);
        Ok(if allowed { Auth::Accept } else { self.reject() })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        if self.server.config.users.load().allows_key(user, key.public_key, key.algorithm) {
            self.user = Some(user.to_owned());
            Ok(Auth::Accept)
        } else {
            info!(address = %self.address, ?user, "key refused");
            Ok(self.reject())
        }
    }

    async fn auth_succeeded(&mut self, _session: &mut Session) -> Result<(), russh::Error> {
        if let Some((stranger, logged_in)) = self.stranger.take() {
            drop(stranger);
            // Nobody listens where the connection is ending already.
            let _ = logged_in.send(());
        }
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        if self.channels.len() >= self.server.config.max_channels {
            info!(address = %self.address, user = self.user, "channel refused: too many on this connection");
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        let id = channel.id();
        // Without its reading half: what arrives comes through `data`, which can tell when to wait and when not.
        let (_, writer) = channel.split();
        self.channels.insert(id, Slot::Open(writer));
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if name != SUBSYSTEM {
            return self.refuse(channel, &format!("subsystem {name:?}"), session);
        }
        match (self.channels.remove(&channel), self.user.clone()) {
            (Some(Slot::Open(writer)), Some(user)) => {
                session.channel_success(channel)?;
                self.start_session(channel, writer, user);
                Ok(())
            }
            (slot, _) => {
                self.channels.extend(slot.map(|slot| (channel, slot)));
                self.refuse(channel, "a second subsystem on a channel", session)
            }
        }
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        // Data before the subsystem is nobody's.
        let Some(Slot::Serving(inbound)) = self.channels.get(&channel) else { return Ok(()) };
        if inbound.push(data).await.is_err() {
            warn!(address = %self.address, user = self.user, "channel closed: the peer sends and does not read");
            inbound.close();
            self.channels.remove(&channel);
            session.close(channel)?;
        }
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), russh::Error> {
        if let Some(Slot::Serving(inbound)) = self.channels.get(&channel) {
            inbound.end();
        }
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), russh::Error> {
        if let Some(Slot::Serving(inbound)) = self.channels.remove(&channel) {
            inbound.close();
        }
        Ok(())
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        self.refuse(channel, "a shell", session)
    }

    async fn exec_request(&mut self, channel: ChannelId, _: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        self.refuse(channel, "a command", session)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        // Refused without closing: a client may ask for a terminal by habit before it asks for the subsystem.
        session.channel_failure(channel)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(channel)
    }

    async fn agent_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<bool, russh::Error> {
        session.channel_failure(channel)?;
        Ok(false)
    }
}
