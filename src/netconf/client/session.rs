//! A client's session: one task owns the stream, and any number of callers have requests under way (RFC 6241 section 4).

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::notification::{self, Delivery, Kind, NotificationEvent, Notifications, Routes};
use super::reading::{Passed, Reading};
use super::{Error, Reply, subscription};
use crate::capability::{self, Capabilities};
use crate::framing::{Encoder, Framing, MessageReader};
use crate::message::{self, BASE_NAMESPACE, Envelope, Hello};
use crate::xml::write_attribute;

/// Encoded bytes above which no further request is taken before some are written: what a slow server costs us.
const BATCH: usize = 64 << 10;

/// Parts of a reply that wait to be written out by who asked for it; more are not read from the stream.
const PARTS: usize = 2;

/// How long the last bytes and the end of the stream may take when a session is closed.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a session is opened with.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    pub capabilities: Capabilities,
    /// For the server's hello.
    pub hello_timeout: Duration,
    /// For the answer to a request, unless the caller says otherwise.
    pub rpc_timeout: Duration,
    /// The largest message that is accepted: whole datastores of large devices come in one. A reply that is passed on as it
    /// arrives ([`Session::rpc_into`]) may be larger, but no chunk of it.
    pub max_message: usize,
    /// Requests under way at once. One more waits, inside its timeout: a server has bounds of its own.
    pub max_outstanding: usize,
    /// Notifications that wait to be taken, of each subscription. One more is dropped, counted and told.
    pub max_notifications: usize,
}

impl Default for SessionConfig {
    fn default() -> Self {
        SessionConfig {
            capabilities: [capability::BASE_1_0, capability::BASE_1_1].into_iter().collect(),
            hello_timeout: Duration::from_secs(10),
            rpc_timeout: Duration::from_secs(30),
            max_message: 256 << 20,
            max_outstanding: 256,
            max_notifications: 4096,
        }
    }
}

/// A session with a server. Clones are handles to the same one; it is closed when the last of them is gone, and the
/// [`Notifications`] with them.
#[derive(Clone, Debug)]
pub struct Session(Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    id: u32,
    capabilities: Capabilities,
    framing: Framing,
    rpc_timeout: Duration,
    max_notifications: usize,
    outstanding: Arc<Semaphore>,
    requests: mpsc::Sender<Request>,
    /// Set before any caller learns of the end.
    ended: Arc<OnceLock<Error>>,
}

#[derive(Debug)]
struct Request {
    operation: String,
    purpose: Purpose,
    answer: oneshot::Sender<Result<String, Error>>,
    /// Given back when the reply is there, not when the caller gave up: so what is under way stays bounded. None for the
    /// end of a subscription that was dropped, of which there is one for each.
    permit: Option<OwnedSemaphorePermit>,
}

/// What the reply to a request means to the session itself.
#[derive(Debug)]
pub(super) enum Purpose {
    None,
    /// The reply is passed on as it arrives.
    Pass(mpsc::Sender<String>),
    /// What comes for the subscription of the reply goes here.
    Establish(Kind, Delivery),
    Delete(u32),
}

impl Session {
    /// Exchanges the hellos over `stream`.
    pub async fn open<S>(stream: S, config: SessionConfig) -> Result<(Session, Notifications), Error>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (reader, mut writer) = tokio::io::split(stream);
        let mut reader = MessageReader::new(BufReader::new(reader));
        let mut encoder = Encoder::new();
        let ours = Hello { capabilities: config.capabilities, session_id: None };
        ours.write(encoder.body());
        encoder.end()?;
        let exchange = async {
            // At the same time: the server may not read before it has written.
            let (written, read) = tokio::join!(writer.write_all(encoder.pending()), reader.next());
            // What the server said explains more than why we could not write.
            let text = match read {
                Ok(Some(text)) => text,
                Ok(None) => return Err(Error::Closed),
                Err(error) => return Err(error.into()),
            };
            written?;
            Ok(Hello::from_server(&text)?)
        };
        let exchanged = tokio::time::timeout(config.hello_timeout, exchange).await;
        let hello = exchanged.map_err(|_| Error::Timeout(config.hello_timeout))??;
        let framing = message::negotiate(&ours.capabilities, &hello.capabilities)?;
        reader.decoder().switch(framing, config.max_message);
        let sent = encoder.pending().len();
        encoder.consume(sent);
        encoder.switch(framing);

        let (requests, queue) = mpsc::channel(config.max_outstanding.max(1));
        let (delivery, events) = notification::channel(config.max_notifications);
        let ended = Arc::new(OnceLock::new());
        let task = Task {
            reader,
            reading: Reading::new(config.max_message),
            writer,
            encoder,
            queue,
            waiting: HashMap::new(),
            next_id: 1,
            routes: Routes::new(delivery),
            ended: Arc::clone(&ended),
        };
        tokio::spawn(task.run());
        let session = Session(Arc::new(Shared {
            id: hello.session_id.expect("a server's hello has one"),
            capabilities: hello.capabilities,
            framing,
            rpc_timeout: config.rpc_timeout,
            max_notifications: config.max_notifications,
            outstanding: Arc::new(Semaphore::new(config.max_outstanding.max(1))),
            requests,
            ended,
        }));
        let notifications = Notifications::new(events, session.clone());
        Ok((session, notifications))
    }

    /// The session-id that the server gave.
    pub fn id(&self) -> u32 {
        self.0.id
    }

    /// What the server announced.
    pub fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    pub fn framing(&self) -> Framing {
        self.0.framing
    }

    /// Why the session is over; `None` while it is not.
    pub fn ended(&self) -> Option<&Error> {
        self.0.ended.get()
    }

    /// Waits until the session is over.
    pub async fn wait_ended(&self) -> Error {
        self.0.requests.closed().await;
        self.end()
    }

    /// Performs an operation, given as one XML element that declares its namespaces; the default namespace is that of
    /// RFC 6241.
    pub async fn rpc(&self, operation: impl Into<String>) -> Result<Reply, Error> {
        self.rpc_within(operation, self.0.rpc_timeout).await
    }

    /// The same with a timeout of its own. Dropping the future does not take the request back.
    pub async fn rpc_within(&self, operation: impl Into<String>, timeout: Duration) -> Result<Reply, Error> {
        self.request(operation.into(), timeout, Purpose::None).await
    }

    /// Performs an operation with a reply of any size: it is written to `out` as it arrives, and little of it is in memory at
    /// a time. The result is the length of the `<rpc-reply>`. Where the server answered with errors, nothing is written; after
    /// another failure what is written may be incomplete.
    ///
    /// The timeout is for each part. While `out` takes nothing, the session reads nothing.
    pub async fn rpc_into<W>(&self, operation: impl Into<String>, out: &mut W) -> Result<u64, Error>
    where
        W: AsyncWrite + Unpin,
    {
        let timeout = self.0.rpc_timeout;
        let late = |_| Error::Timeout(timeout);
        let (sink, mut parts) = mpsc::channel(PARTS);
        let sending = self.send(operation.into(), Purpose::Pass(sink));
        let answered = tokio::time::timeout(timeout, sending).await.map_err(late)??;
        let mut length = 0;
        while let Some(part) = tokio::time::timeout(timeout, parts.recv()).await.map_err(late)? {
            out.write_all(part.as_bytes()).await?;
            length += part.len() as u64;
        }
        let rest = answered.await.map_err(|_| self.end())??;
        if length == 0 {
            // It was small, and came whole.
            let reply = Reply::read(rest)?;
            out.write_all(reply.text().as_bytes()).await?;
            length = reply.text().len() as u64;
        }
        out.flush().await?;
        Ok(length)
    }

    pub(super) async fn request(&self, operation: String, timeout: Duration, purpose: Purpose) -> Result<Reply, Error> {
        let answered = tokio::time::timeout(timeout, async {
            self.send(operation, purpose).await?.await.map_err(|_| self.end())?
        });
        let text = answered.await.map_err(|_| Error::Timeout(timeout))??;
        Reply::read(text)
    }

    async fn send(&self, operation: String, purpose: Purpose) -> Result<Answered, Error> {
        let permit = Arc::clone(&self.0.outstanding).acquire_owned().await.expect("the semaphore is never closed");
        let (answer, answered) = oneshot::channel();
        let request = Request { operation, purpose, answer, permit: Some(permit) };
        self.0.requests.send(request).await.map_err(|_| self.end())?;
        Ok(answered)
    }

    pub(super) fn rpc_timeout(&self) -> Duration {
        self.0.rpc_timeout
    }

    /// A queue for the notifications of one more subscription.
    pub(super) fn notification_queue(&self) -> (Delivery, mpsc::Receiver<NotificationEvent>) {
        notification::channel(self.0.max_notifications)
    }

    /// Has the server told that a subscription is not wanted any more, without waiting. Where the session has too much to do, it
    /// finds out by the next notification.
    pub(super) fn forget_subscription(&self, id: u32) {
        let (answer, _nobody) = oneshot::channel();
        let operation = subscription::delete(id);
        let request = Request { operation, purpose: Purpose::Delete(id), answer, permit: None };
        let _full_or_over = self.0.requests.try_send(request).is_err();
    }

    /// Ends the session with `<close-session>`, after the replies to what is under way.
    pub async fn close(&self) -> Result<(), Error> {
        match self.rpc("<close-session/>").await {
            // A server may close the stream faster than its <ok/> leaves.
            Ok(_) | Err(Error::Closed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn end(&self) -> Error {
        self.0.ended.get().cloned().unwrap_or(Error::Closed)
    }
}

type Answered = oneshot::Receiver<Result<String, Error>>;

/// A request whose reply has not come.
#[derive(Debug)]
pub(super) struct Waiting {
    purpose: Purpose,
    answer: oneshot::Sender<Result<String, Error>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Waiting {
    /// Where its reply is passed on to.
    pub(super) fn sink(&self) -> Option<&mpsc::Sender<String>> {
        match &self.purpose {
            Purpose::Pass(sink) => Some(sink),
            _ => None,
        }
    }
}

/// The task that owns the stream.
struct Task<S> {
    reader: MessageReader<BufReader<ReadHalf<S>>>,
    reading: Reading,
    writer: WriteHalf<S>,
    encoder: Encoder,
    queue: mpsc::Receiver<Request>,
    waiting: HashMap<u64, Waiting>,
    next_id: u64,
    routes: Routes,
    ended: Arc<OnceLock<Error>>,
}

impl<S: AsyncRead + AsyncWrite + Send + 'static> Task<S> {
    async fn run(mut self) {
        let error = self.serve().await.err().unwrap_or(Error::Closed);
        tracing::debug!("session ended: {error}");
        // Set once, here; then every caller that waits is told by the drop of its sender.
        let _first = self.ended.set(error).is_ok();
        self.queue.close();
        self.reading.stop();
        self.waiting.clear();
        while self.queue.try_recv().is_ok() {}
        let goodbye = pin!(async {
            // The other end may be gone: there is nobody to tell.
            let _sent = self.writer.write_all(self.encoder.pending()).await.is_ok();
            let _shut = self.writer.shutdown().await.is_ok();
        });
        let _in_time = tokio::time::timeout(FAREWELL, goodbye).await.is_ok();
    }

    /// Until the stream ends, or all handles are gone.
    async fn serve(&mut self) -> Result<(), Error> {
        loop {
            let pending = self.encoder.pending();
            let (has_pending, has_room) = (!pending.is_empty(), pending.len() < BATCH);
            let has_lost = self.routes.has_lost();
            let enough = self.reading.enough(&self.waiting);
            tokio::select! {
                // May be dropped and tried again: the bytes at its front stay until they are consumed.
                written = self.writer.write(pending), if has_pending => match written? {
                    0 => return Err(std::io::Error::from(std::io::ErrorKind::WriteZero).into()),
                    count => self.encoder.consume(count),
                },
                arrived = self.reader.next_or_part(enough), if !self.reading.is_full() => match arrived? {
                    Some(arrived) => if let Some(message) = self.reading.take(arrived, &self.waiting)? {
                        self.take(message)?;
                    },
                    None => return Ok(()),
                },
                passed = self.reading.pass(), if self.reading.is_full() => match passed {
                    Passed::Part => {}
                    // Its caller sees the end of the parts before it looks at the answer.
                    Passed::All(id) => self.answer(id, String::new()),
                },
                request = self.queue.recv(), if has_room => match request {
                    Some(request) => self.send(request),
                    None => return Ok(()),
                },
                () = self.routes.tell_lost(), if has_lost => {}
            }
            // Requests that came meanwhile leave together.
            while self.encoder.pending().len() < BATCH
                && let Ok(request) = self.queue.try_recv()
            {
                self.send(request);
            }
        }
    }

    fn send(&mut self, request: Request) {
        let Request { operation, purpose, answer, permit } = request;
        let refused = match purpose {
            // Nobody waits for the reply, but it is to be done all the same.
            Purpose::Delete(id) => {
                let new = self.routes.ending(id);
                if answer.is_closed() && !new {
                    return;
                }
                None
            }
            _ if answer.is_closed() => return,
            Purpose::Establish(Kind::Stream, _) if self.has_stream() => Some(Error::Protocol(
                "a second subscription to a stream in one session: their events could not be told apart".into(),
            )),
            _ => None,
        };
        if let Some(error) = refused {
            // Where the caller is gone, nobody asks.
            let _ = answer.send(Err(error));
            return;
        }
        let id = self.next_id;
        self.next_id += 1;
        let body = self.encoder.body();
        body.extend_from_slice(b"<rpc");
        write_attribute(body, "xmlns", BASE_NAMESPACE);
        write_attribute(body, "message-id", itoa::Buffer::new().format(id));
        body.push(b'>');
        body.extend_from_slice(operation.as_bytes());
        body.extend_from_slice(b"</rpc>");
        match self.encoder.end() {
            Ok(()) => {
                self.waiting.insert(id, Waiting { purpose, answer, _permit: permit });
            }
            Err(error) => {
                let _ = answer.send(Err(error.into()));
            }
        }
    }

    /// Whether there is a subscription to a stream, or there will be one.
    fn has_stream(&self) -> bool {
        let asked = |waiting: &Waiting| matches!(waiting.purpose, Purpose::Establish(Kind::Stream, _));
        self.routes.has_stream() || self.waiting.values().any(asked)
    }

    fn take(&mut self, text: String) -> Result<(), Error> {
        match Envelope::of(&text)? {
            Envelope::Reply { message_id } => {
                let id = match message_id {
                    Some(id) => id.parse().ok().filter(|id| self.waiting.contains_key(id)).ok_or(id),
                    // The reply to an <rpc> of which the server could not read the id: it is known if it is the only one.
                    None if self.waiting.len() == 1 => Ok(*self.waiting.keys().next().expect("there is one")),
                    None => {
                        let says = Reply::read(text).err().map(|e| format!(": {e}")).unwrap_or_default();
                        return Err(Error::Protocol(format!("a reply without a message-id{says}")));
                    }
                };
                let id = id.map_err(|id| Error::Protocol(format!("a reply to \"{id}\", which was not asked")))?;
                self.answer(id, text);
                Ok(())
            }
            Envelope::Notification => {
                if let Some(id) = self.routes.deliver(text) {
                    self.delete(id);
                }
                Ok(())
            }
            Envelope::Hello => Err(Error::Protocol("a second hello".into())),
            Envelope::Rpc => Err(Error::Protocol("an <rpc> from the server".into())),
            Envelope::Other(name) => Err(Error::Protocol(format!("<{name}>, which is no NETCONF message"))),
        }
    }

    fn answer(&mut self, id: u64, text: String) {
        let Some(waiting) = self.waiting.remove(&id) else { return };
        let mut established = None;
        match waiting.purpose {
            Purpose::None | Purpose::Pass(_) => {}
            // From here on: what follows the reply may be its first notification.
            Purpose::Establish(kind, delivery) => {
                established = subscription::established(&text);
                if let Some(id) = established {
                    self.routes.add(id, kind, delivery);
                }
            }
            Purpose::Delete(id) => self.routes.remove(id),
        }
        if waiting.answer.send(Ok(text)).is_err() {
            tracing::debug!(id, "nobody waits for a reply any more");
            if let Some(id) = established {
                self.delete(id);
            }
        }
    }

    /// Ends a subscription that nobody listens to.
    fn delete(&mut self, id: u32) {
        let (answer, answered) = oneshot::channel();
        self.send(Request { operation: subscription::delete(id), purpose: Purpose::Delete(id), answer, permit: None });
        drop(answered);
    }
}
