//! A client's session: one task owns the stream, and any number of callers have requests under way (RFC 6241 section 4).

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::subscription::{self, Delivery, Notifications};
use super::{Error, Reply};
use crate::capability::{self, Capabilities};
use crate::framing::{Encoder, Framing, MessageReader};
use crate::message::{self, BASE_NAMESPACE, Envelope, Hello};
use crate::xml::write_attribute;

/// Encoded bytes above which no further request is taken before some are written: what a slow server costs us.
const BATCH: usize = 64 << 10;

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
    /// The largest message that is accepted: whole datastores of large devices come in one.
    pub max_message: usize,
    /// Requests under way at once. One more waits, inside its timeout: a server has bounds of its own.
    pub max_outstanding: usize,
    /// Notifications that wait to be taken. One more is dropped, counted and told.
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
    outstanding: Arc<Semaphore>,
    requests: mpsc::Sender<Request>,
    /// Set before any caller learns of the end.
    ended: Arc<OnceLock<Error>>,
}

#[derive(Debug)]
struct Request {
    operation: String,
    answer: oneshot::Sender<Result<String, Error>>,
    /// Given back when the reply is there, not when the caller gave up: so what is under way stays bounded.
    permit: OwnedSemaphorePermit,
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
        let (delivery, events) = subscription::channel(config.max_notifications);
        let ended = Arc::new(OnceLock::new());
        let task = Task {
            reader,
            writer,
            encoder,
            queue,
            waiting: HashMap::new(),
            next_id: 1,
            delivery,
            ended: Arc::clone(&ended),
        };
        tokio::spawn(task.run());
        let session = Session(Arc::new(Shared {
            id: hello.session_id.expect("a server's hello has one"),
            capabilities: hello.capabilities,
            framing,
            rpc_timeout: config.rpc_timeout,
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
        let operation = operation.into();
        let answered = tokio::time::timeout(timeout, async {
            let permit = Arc::clone(&self.0.outstanding).acquire_owned().await.expect("the semaphore is never closed");
            let (answer, answered) = oneshot::channel();
            let request = Request { operation, answer, permit };
            self.0.requests.send(request).await.map_err(|_| self.end())?;
            answered.await.map_err(|_| self.end())?
        });
        let text = answered.await.map_err(|_| Error::Timeout(timeout))??;
        Reply::read(text)
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

/// The task that owns the stream.
struct Task<S> {
    reader: MessageReader<BufReader<ReadHalf<S>>>,
    writer: WriteHalf<S>,
    encoder: Encoder,
    queue: mpsc::Receiver<Request>,
    waiting: HashMap<u64, (oneshot::Sender<Result<String, Error>>, OwnedSemaphorePermit)>,
    next_id: u64,
    delivery: Delivery,
    ended: Arc<OnceLock<Error>>,
}

impl<S: AsyncRead + AsyncWrite + Send + 'static> Task<S> {
    async fn run(mut self) {
        let error = self.serve().await.err().unwrap_or(Error::Closed);
        tracing::debug!("session ended: {error}");
        // Set once, here; then every caller that waits is told by the drop of its sender.
        let _first = self.ended.set(error).is_ok();
        self.queue.close();
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
            tokio::select! {
                // May be dropped and tried again: the bytes at its front stay until they are consumed.
                written = self.writer.write(pending), if has_pending => match written? {
                    0 => return Err(std::io::Error::from(std::io::ErrorKind::WriteZero).into()),
                    count => self.encoder.consume(count),
                },
                message = self.reader.next() => match message? {
                    Some(message) => self.take(message)?,
                    None => return Ok(()),
                },
                request = self.queue.recv(), if has_room => match request {
                    Some(request) => self.send(request),
                    None => return Ok(()),
                },
                () = self.delivery.tell_lost() => {}
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
        if request.answer.is_closed() {
            return;
        }
        let id = self.next_id;
        self.next_id += 1;
        let body = self.encoder.body();
        body.extend_from_slice(b"<rpc");
        write_attribute(body, "xmlns", BASE_NAMESPACE);
        write_attribute(body, "message-id", itoa::Buffer::new().format(id));
        body.push(b'>');
        body.extend_from_slice(request.operation.as_bytes());
        body.extend_from_slice(b"</rpc>");
        match self.encoder.end() {
            Ok(()) => {
                self.waiting.insert(id, (request.answer, request.permit));
            }
            Err(error) => {
                // Where the caller is gone, nobody asks.
                let _ = request.answer.send(Err(error.into()));
            }
        }
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
                let (answer, _permit) = self.waiting.remove(&id).expect("looked up above");
                if answer.send(Ok(text)).is_err() {
                    tracing::debug!(id, "a reply came too late");
                }
                Ok(())
            }
            Envelope::Notification => {
                self.delivery.deliver(text);
                Ok(())
            }
            Envelope::Hello => Err(Error::Protocol("a second hello".into())),
            Envelope::Rpc => Err(Error::Protocol("an <rpc> from the server".into())),
            Envelope::Other(name) => Err(Error::Protocol(format!("<{name}>, which is no NETCONF message"))),
        }
    }
}
