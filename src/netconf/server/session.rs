//! One NETCONF session (RFC 6241 section 4): hello, then requests in order, with notifications between replies.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::io::{AsyncBufRead, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::event::ConfirmEvent;
use super::monitoring::Counters;
use super::nacm::{Nacm, UserAccess};
use super::operation::parameters::Datastore;
use super::operation::{self, Outcome, Reply, Request};
use super::overload::Bucket;
use super::provider::{Annotation, Provider, Requester};
use super::receive::{ReceiveError, Requests};
use super::subscription::{Subscriptions, Told};
use super::turn::{Turn, apart};
use crate::error::{ErrorType, RpcError};
use crate::framing::{Encoder, Framing, MAX_HELLO, MAX_MESSAGE};
use crate::message::{self, Hello, ReplyHead, Rpc};
use crate::transport::Peer;
use crate::xml::{Document, Element, Limits};
use crate::yang::write::TreeWriter;

/// A client that has not sent its hello by then is gone, or never was one.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(30);

/// Replies are collected up to this size and sent at once: pipelined requests share writes, and a long reply leaves in
/// pieces of about that much.
const WRITE_SIZE: usize = 64 << 10;

/// A client that takes a reply slower than [`SLOWEST`], and that by so long, is gone or means no good. What it holds is given
/// back.
const WRITE_TIMEOUT: Duration = Duration::from_secs(120);

/// Bytes a second that a client must take: a line of 128 kbit/s. One that took a byte now and then would otherwise keep a
/// whole version of the data in memory for days.
const SLOWEST: usize = 16 << 10;

/// Messages that are not well-formed, after which a session ends: whoever sends so many is no NETCONF client.
const MALFORMED_MESSAGES: u32 = 64;

/// Sessions at once. Each costs some tens of kilobytes; beyond this a further one is closed at its hello.
pub const MAX_SESSIONS: usize = 8192;

/// What others may know of a session.
#[derive(Debug)]
pub struct Entry {
    pub id: u32,
    pub peer: Peer,
    pub user: Arc<str>,
    /// RFC 3339.
    pub login_time: String,
    pub counters: Counters,
    /// Ends the session from outside.
    kill: CancellationToken,
    killed_by: Mutex<Option<u32>>,
}

/// All open sessions.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    last_id: u32,
    open: BTreeMap<u32, Arc<Entry>>,
    /// Open sessions of each user; nobody with none.
    users: BTreeMap<Arc<str>, usize>,
}

impl Sessions {
    /// None where there are [`MAX_SESSIONS`] already, or so many of the user's.
    fn open(&self, peer: Peer, of_one_user: usize) -> Option<Arc<Entry>> {
        let mut table = self.0.lock().expect("no panic holds it");
        let his = table.users.get(peer.user.as_str()).copied().unwrap_or(0);
        if table.open.len() >= MAX_SESSIONS || his >= of_one_user {
            return None;
        }
        // Ids come around after four thousand million sessions; one that is still open is passed over.
        loop {
            table.last_id = table.last_id.checked_add(1).unwrap_or(1);
            if !table.open.contains_key(&table.last_id) {
                break;
            }
        }
        let entry = Arc::new(Entry {
            id: table.last_id,
            user: peer.user.as_str().into(),
            peer,
            login_time: super::now(),
            counters: Counters::default(),
            kill: CancellationToken::new(),
            killed_by: Mutex::new(None),
        });
        table.open.insert(entry.id, entry.clone());
        table.users.insert(entry.user.clone(), his + 1);
        Some(entry)
    }

    fn close(&self, entry: &Entry) {
        let mut table = self.0.lock().expect("no panic holds it");
        table.open.remove(&entry.id);
        match table.users.get_mut(&entry.user) {
            Some(number) if *number > 1 => *number -= 1,
            _ => drop(table.users.remove(&entry.user)),
        }
    }

    /// False where there is no such session.
    pub fn kill(&self, id: u32, by: u32) -> bool {
        let entry = self.0.lock().expect("no panic holds it").open.get(&id).cloned();
        let Some(entry) = entry else { return false };
        *entry.killed_by.lock().expect("no panic holds it") = Some(by);
        entry.kill.cancel();
        true
    }

    /// Ends every session, as the server stops.
    pub fn end_all(&self) {
        for entry in self.list() {
            entry.kill.cancel();
        }
    }

    /// In the order of their ids.
    pub fn list(&self) -> Vec<Arc<Entry>> {
        self.0.lock().expect("no panic holds it").open.values().cloned().collect()
    }
}

/// Why a session ended (RFC 6470's termination-reason).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Closed,
    Killed(Option<u32>),
    Dropped,
    BadHello,
}

/// Serves one session until it ends.
pub async fn run<P: Provider, S: AsyncBufRead + AsyncWrite + Unpin + Send>(
    shared: &Arc<Shared<P>>,
    stream: S,
    peer: Peer,
) {
    let (user, address) = (peer.user.clone(), peer.address);
    let of_one_user = shared.overload.options.sessions_per_user;
    let Some(entry) = shared.sessions.open(peer, of_one_user) else {
        if let Some(untold) = shared.overload.sessions_refused.tell() {
            tracing::warn!(user, %address, untold, "session refused: {MAX_SESSIONS} are open, or {of_one_user} of this user");
        }
        return;
    };
    Counters::count(&shared.statistics.in_sessions);
    let mut session = Session {
        shared,
        entry: entry.clone(),
        reader: Requests::new(stream, shared.overload.large_messages.clone(), entry.user.clone()),
        encoder: Encoder::new(),
        bucket: Bucket::default(),
        shed: 0,
        malformed: 0,
        turn: Turn::default(),
        subscriptions: Subscriptions::default(),
        access: None,
    };
    let (end, started) = match session.hello().await {
        Ok(()) => (session.run().await, true),
        Err(end) => (end, false),
    };
    shared.sessions.close(&entry);
    match end {
        End::BadHello => Counters::count(&shared.statistics.in_bad_hellos),
        End::Dropped => Counters::count(&shared.statistics.dropped_sessions),
        End::Closed | End::Killed(_) => {}
    }
    tracing::info!(session = entry.id, user, %address, ?end, shed = session.shed, "session ended");
    // A commit that could not be taken back is the timer's from now on.
    if let Some(Ok(edits)) = shared.datastores.end_session(&shared.provider, entry.id).await {
        shared.config_changed(None, Datastore::Running, &edits).await;
        shared.confirmed_commit(ConfirmEvent::Cancel(&entry)).await;
    }
    if started {
        shared.session_ended(&entry, end).await;
    }
}

struct Session<'s, P: Provider, S> {
    shared: &'s Arc<Shared<P>>,
    entry: Arc<Entry>,
    /// The stream; replies are written to it as well.
    reader: Requests<S>,
    encoder: Encoder,
    /// What is left of the request rate.
    bucket: Bucket,
    /// Requests refused for it.
    shed: u64,
    malformed: u32,
    turn: Turn,
    subscriptions: Subscriptions,
    /// The user's rights, as of these rules.
    access: Option<(Arc<Nacm>, Arc<UserAccess>)>,
}

/// What a session does next.
enum Next {
    Message(Result<Option<String>, ReceiveError>),
    Event(Told),
    Killed,
}

/// What comes first while an operation is in progress.
enum Step {
    Event(Told),
    Written(std::io::Result<usize>),
}

/// Events that are sent before the next request is handled, where both are there: a peer that never stops asking still
/// hears of them, and one that hears of many still gets its answers.
const EVENTS_BETWEEN_REQUESTS: usize = 64;

impl<P: Provider, S: AsyncBufRead + AsyncWrite + Unpin + Send> Session<'_, P, S> {
    async fn run(&mut self) -> End {
        loop {
            for _ in 0..EVENTS_BETWEEN_REQUESTS {
                let Some(told) = self.subscriptions.try_next() else { break };
                self.event(told);
            }
            // Whatever has come already is handled before anything is sent: pipelined requests share one write.
            let ready = self.reader.next().now_or_never();
            let next = match ready {
                Some(message) if self.encoder.pending().len() < WRITE_SIZE => Next::Message(message),
                Some(message) => {
                    if self.flush().await.is_err() {
                        return End::Dropped;
                    }
                    Next::Message(message)
                }
                None => {
                    if self.flush().await.is_err() {
                        return End::Dropped;
                    }
                    let next = self.next().await;
                    self.turn = Turn::default();
                    next
                }
            };
            match next {
                Next::Killed => return self.killed(),
                Next::Event(told) => self.event(told),
                Next::Message(Ok(None)) => {
                    // It may still read: a script that pipes its requests in closes its side at once.
                    let _ = self.flush().await;
                    return End::Dropped;
                }
                Next::Message(Err(error)) => {
                    tracing::warn!(session = self.entry.id, user = %self.entry.user, %error, "session closed");
                    return End::Dropped;
                }
                Next::Message(Ok(Some(text))) => {
                    if let Some(end) = self.message(text).await {
                        // The last reply is on its way before the session ends.
                        let _ = self.flush().await;
                        let _ = tokio::time::timeout(WRITE_TIMEOUT, self.reader.stream().shutdown()).await;
                        return end;
                    }
                }
            }
            if self.entry.kill.is_cancelled() {
                return self.killed();
            }
            self.turn.pass().await;
        }
    }

    /// The user's rights under the rules in force.
    fn access(&mut self) -> Arc<UserAccess> {
        let version = self.shared.datastores.version();
        match &self.access {
            Some((rules, access)) if Arc::ptr_eq(rules, &version.nacm) => access.clone(),
            _ => {
                let access = self.shared.access(&version, &self.entry.user);
                self.access = Some((version.nacm.clone(), access.clone()));
                access
            }
        }
    }

    fn killed(&self) -> End {
        End::Killed(*self.entry.killed_by.lock().expect("no panic holds it"))
    }

    async fn next(&mut self) -> Next {
        tokio::select! {
            biased;
            () = self.entry.kill.cancelled() => Next::Killed,
            message = self.reader.next() => Next::Message(message),
            told = self.subscriptions.next() => Next::Event(told),
        }
    }

    async fn hello(&mut self) -> Result<(), End> {
        let ours = self.shared.capabilities(&self.entry.peer);
        let hello = Hello { capabilities: ours, session_id: Some(self.entry.id) };
        hello.write(self.encoder.body());
        self.encoder.end().map_err(|_| End::Dropped)?;
        self.flush().await.map_err(|_| End::Dropped)?;
        let text = tokio::select! {
            () = self.entry.kill.cancelled() => return Err(self.killed()),
            read = tokio::time::timeout(HELLO_TIMEOUT, self.reader.next()) => match read {
                Ok(Ok(Some(text))) => text,
                Ok(Ok(None)) => return Err(End::Dropped),
                Ok(Err(error)) => return Err(self.bad_hello(&error)),
                Err(_) => return Err(self.bad_hello(&"no hello in time")),
            },
        };
        let theirs = Hello::from_client(&text).map_err(|error| self.bad_hello(&error))?;
        let framing =
            message::negotiate(&hello.capabilities, &theirs.capabilities).map_err(|error| self.bad_hello(&error))?;
        self.reader.decoder().switch(framing, MAX_MESSAGE.max(MAX_HELLO));
        self.encoder.switch(framing);
        tracing::info!(
            session = self.entry.id,
            user = %self.entry.user,
            address = %self.entry.peer.address,
            transport = self.entry.peer.transport.as_str(),
            "session started"
        );
        self.shared.session_started(&self.entry).await;
        Ok(())
    }

    fn bad_hello(&self, reason: &dyn std::fmt::Display) -> End {
        tracing::warn!(user = %self.entry.user, address = %self.entry.peer.address, "session refused: {reason}");
        End::BadHello
    }

    /// Handles one message. Some: the session is over.
    async fn message(&mut self, text: String) -> Option<End> {
        if let Some(rate) = self.shared.request_rate()
            && !self.bucket.take(Instant::now(), rate)
        {
            return self.shed(&text, rate);
        }
        let large = self.reader.is_large();
        let document = match apart(large, async { Document::parse(&text, &Limits::default()) }).await {
            Ok(document) => document,
            Err(error) => return self.malformed(RpcError::malformed_message(format!("Not well-formed: {error}."))),
        };
        let rpc = match Rpc::read(&document) {
            Ok(rpc) => rpc,
            Err(error) => return self.malformed(error),
        };
        Counters::count(&self.entry.counters.in_rpcs);
        Counters::count(&self.shared.statistics.counters.in_rpcs);
        let reply = match rpc.operation {
            Ok(operation) => apart(large, self.perform(rpc.element, operation)).await,
            Err(error) => Err(vec![error]),
        };
        self.reply(&rpc.reply, reply).await
    }

    /// Answers a request beyond the rate (Y.3804 clause I.1.1). Only its start tag is looked at.
    fn shed(&mut self, text: &str, rate: NonZeroU32) -> Option<End> {
        let head = match Document::parse_root(text, &Limits::default()) {
            Ok(root) => ReplyHead::of_request(&root),
            Err(error) => return self.malformed(RpcError::malformed_message(format!("Not well-formed: {error}."))),
        };
        if self.shed == 0 {
            tracing::warn!(session = self.entry.id, user = %self.entry.user, %rate, "more requests a second than allowed");
        }
        self.shed += 1;
        for counters in [&self.entry.counters, &self.shared.statistics.counters] {
            Counters::count(&counters.in_rpcs);
            Counters::count(&counters.out_rpc_errors);
        }
        head.write_errors(self.encoder.body(), &[self.shared.overload.beyond(rate)]);
        self.end_message()
    }

    /// `malformed-message` is for peers that know it (RFC 6241 appendix A); with another the session ends.
    fn malformed(&mut self, error: RpcError) -> Option<End> {
        Counters::count(&self.entry.counters.in_bad_rpcs);
        Counters::count(&self.shared.statistics.counters.in_bad_rpcs);
        self.malformed += 1;
        if self.malformed == 1 {
            tracing::warn!(session = self.entry.id, user = %self.entry.user, %error, "malformed message");
        }
        if self.encoder.framing() == Framing::EndOfMessage {
            return Some(End::Dropped);
        }
        if self.malformed > MALFORMED_MESSAGES {
            tracing::warn!(session = self.entry.id, user = %self.entry.user, "session closed: too many malformed messages");
            return Some(End::Dropped);
        }
        ReplyHead::default().write_errors(self.encoder.body(), &[error]);
        self.end_message()
    }

    /// Performs an operation. Events that come meanwhile are sent meanwhile: a slow operation holds up none.
    async fn perform(&mut self, rpc: Element<'_>, operation: Element<'_>) -> Reply {
        let annotations = rpc
            .attributes()
            .filter(|a| !a.namespace.is_empty())
            .map(|a| Annotation { namespace: a.namespace.into(), name: a.name.into(), value: a.value.into() })
            .collect();
        let access = self.access();
        let request = Request {
            shared: self.shared,
            session: &self.entry.clone(),
            access,
            requester: Requester { user: self.entry.user.clone(), session_id: self.entry.id, annotations },
            holding: self.subscriptions.holding(),
        };
        let work = operation::perform(&request, operation);
        tokio::pin!(work);
        // The operation may hold what others wait for: it goes on, whatever becomes of this peer's events.
        loop {
            if self.subscriptions.is_empty() {
                return work.await;
            }
            let pending = self.encoder.pending();
            let step = tokio::select! {
                biased;
                reply = &mut work => return reply,
                told = self.subscriptions.next(), if pending.len() < WRITE_SIZE => Step::Event(told),
                written = self.reader.stream().write(pending), if !pending.is_empty() => Step::Written(written),
            };
            match step {
                Step::Event(told) => self.event(told),
                Step::Written(Ok(count)) if count > 0 => self.encoder.consume(count),
                // The session will notice when it writes its reply.
                Step::Written(_) => return work.await,
            }
        }
    }

    async fn reply(&mut self, head: &ReplyHead, reply: Reply) -> Option<End> {
        let access = self.access();
        let out = self.encoder.body();
        let mut end = None;
        match reply {
            Ok(Outcome::Ok) => head.write_ok(out),
            Ok(Outcome::Close) => {
                head.write_ok(out);
                end = Some(End::Closed);
            }
            Ok(Outcome::Subscribed(held, xml)) => {
                match xml {
                    Some(xml) => {
                        head.write_start(out);
                        out.extend_from_slice(&xml);
                        head.write_end(out);
                    }
                    None => head.write_ok(out),
                }
                self.subscriptions.add(*held);
            }
            Ok(Outcome::Modified(modification)) => {
                head.write_ok(out);
                self.subscriptions.modify(*modification);
            }
            Ok(Outcome::Resync(id)) => {
                head.write_ok(out);
                self.subscriptions.resync(id);
            }
            Ok(Outcome::Unsubscribed(id)) => {
                head.write_ok(out);
                self.subscriptions.delete(id);
            }
            Ok(Outcome::Xml(xml)) => {
                head.write_start(out);
                out.extend_from_slice(&xml);
                head.write_end(out);
            }
            Ok(Outcome::Text(text)) => {
                head.write_start(out);
                out.extend_from_slice(b"<data");
                crate::xml::write_attribute(out, "xmlns", operation::MONITORING_NAMESPACE);
                out.push(b'>');
                crate::xml::escape_text(out, &text);
                out.extend_from_slice(b"</data>");
                head.write_end(out);
            }
            Ok(Outcome::Data { tree, selection, options, namespace }) => {
                head.write_start(out);
                out.extend_from_slice(b"<data");
                match namespace {
                    Some(namespace) => crate::xml::write_attribute(out, "xmlns", namespace),
                    None => out.extend_from_slice(head.xmlns().as_bytes()),
                }
                out.push(b'>');
                let mut writer = TreeWriter::new(tree, selection, access.for_reading(), options);
                let (start, mut size) = (Instant::now(), 0);
                while writer.next_chunk(self.encoder.body(), WRITE_SIZE) {
                    size += self.encoder.piece_len();
                    if self.encoder.cut().is_err() || self.flush().await.is_err() {
                        return Some(End::Dropped);
                    }
                    if start.elapsed() > time_to_take(size) {
                        tracing::warn!(session = self.entry.id, user = %self.entry.user, "session closed: it reads too slowly");
                        return Some(End::Dropped);
                    }
                    self.turn.pass().await;
                }
                let out = self.encoder.body();
                out.extend_from_slice(b"</data>");
                head.write_end(out);
            }
            Ok(Outcome::Errors(errors)) | Err(errors) => {
                let protocol = errors.iter().any(|e| matches!(e.error_type, ErrorType::Rpc | ErrorType::Protocol));
                let count = |counters: &Counters| {
                    Counters::count(&counters.out_rpc_errors);
                    if protocol {
                        Counters::count(&counters.in_bad_rpcs);
                    }
                };
                count(&self.entry.counters);
                count(&self.shared.statistics.counters);
                tracing::debug!(session = self.entry.id, user = %self.entry.user, error = %errors[0], "refused");
                head.write_errors(out, &errors);
            }
        }
        self.end_message().or(end)
    }

    fn event(&mut self, told: Told) {
        let access = self.access();
        if self.subscriptions.write(told, self.shared, &access, self.encoder.body()) {
            Counters::count(&self.entry.counters.out_notifications);
            Counters::count(&self.shared.statistics.counters.out_notifications);
            let _ = self.encoder.end();
        } else {
            self.encoder.abandon();
        }
    }

    fn end_message(&mut self) -> Option<End> {
        match self.encoder.end() {
            Ok(()) => None,
            Err(error) => {
                tracing::error!(session = self.entry.id, %error, "a reply cannot be framed");
                Some(End::Dropped)
            }
        }
    }

    async fn flush(&mut self) -> std::io::Result<()> {
        let deadline = tokio::time::Instant::now() + time_to_take(self.encoder.pending().len());
        while !self.encoder.pending().is_empty() {
            let write = self.reader.stream().write(self.encoder.pending());
            let count = tokio::select! {
                () = self.entry.kill.cancelled() => return Err(std::io::ErrorKind::ConnectionAborted.into()),
                written = tokio::time::timeout_at(deadline, write) => {
                    written.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??
                }
            };
            if count == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            self.encoder.consume(count);
        }
        self.reader.stream().flush().await
    }
}

/// How long a peer has for so many bytes.
fn time_to_take(size: usize) -> Duration {
    WRITE_TIMEOUT + Duration::from_secs((size / SLOWEST) as u64)
}
