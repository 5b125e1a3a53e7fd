//! An SSH channel as a byte stream, with bounds on both directions.
//!
//! russh delivers what arrives from inside its connection task and waits there for room, so a reader that is itself
//! waiting to write through that same task would stop both for good. Here arriving bytes go to a buffer that the
//! channel owns: it holds the connection back while the session is busy, but never while the session is writing.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

/// Bytes that wait for the session. Above it the connection is held back: TCP makes the peer wait.
const BACKLOG: usize = 4 << 20;

/// The same while the session cannot write, when holding the connection back would hold our own output back for ever.
/// A peer that sends so much without reading is cut off.
const BACKLOG_WHILE_WRITING: usize = 16 << 20;

/// Bytes that wait for all sessions of this process. Above it each has only [`LEAST_BACKLOG`], whether it can write or not,
/// so that thousands of channels cannot hold thousands of times the above.
const SHARED_BACKLOG: usize = 256 << 20;
const LEAST_BACKLOG: usize = 64 << 10;

static WAITING: AtomicUsize = AtomicUsize::new(0);

/// What is kept of an empty buffer, so that an idle session is small.
const KEEP: usize = 4 << 10;

/// How long a close may take to reach the connection task. Beyond it the connection is cut: it is stuck behind a peer
/// that takes nothing.
const CLOSE: Duration = Duration::from_secs(5);

/// The arriving half of a channel, between the connection task and the session.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    state: Mutex<State>,
    /// Told when the connection need not wait any longer.
    space: Notify,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// Of [`WAITING`], what is this channel's: `bytes`, and what the session has taken and not read to its end.
    counted: usize,
    /// The connection waits for room.
    held_back: bool,
    ended: bool,
    /// The session's end of the channel is gone: what arrives is dropped.
    abandoned: bool,
    writing: bool,
    /// The channel or its connection is closed: nothing can be written any more.
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// The peer sends without reading, beyond [`BACKLOG_WHILE_WRITING`].
#[derive(Debug)]
pub(super) struct Overflow;

impl State {
    fn count(&mut self, more: usize) {
        self.counted += more;
        WAITING.fetch_add(more, Relaxed);
    }

    fn keep_counted(&mut self, left: usize) {
        WAITING.fetch_sub(self.counted - left, Relaxed);
        self.counted = left;
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.keep_counted(0);
    }
}

impl Inbound {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }

    /// Hands over what arrived; waits while the session has enough to do.
    pub(super) async fn push(&self, data: &[u8]) -> Result<(), Overflow> {
        loop {
            {
                let mut state = self.lock();
                if state.abandoned {
                    return Ok(());
                }
                let limit = match state.writing {
                    _ if WAITING.load(Relaxed) > SHARED_BACKLOG => LEAST_BACKLOG,
                    true => BACKLOG_WHILE_WRITING,
                    false => BACKLOG,
                };
                if state.bytes.len() < limit {
                    state.bytes.extend_from_slice(data);
                    state.count(data.len());
                    if let Some(reader) = state.reader.take() {
                        reader.wake();
                    }
                    return Ok(());
                }
                if state.writing {
                    return Err(Overflow);
                }
                state.held_back = true;
            }
            self.space.notified().await;
        }
    }

    /// No more will arrive.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }

    /// The channel is closed, by the peer or with its connection.
    pub(super) fn close(&self) {
        self.end();
        let mut state = self.lock();
        state.closed = true;
        if let Some(writer) = state.writer.take() {
            writer.wake();
        }
    }
}

/// A channel of subsystem `netconf`: bytes both ways. Dropping it closes the channel.
///
/// Writing waits where the peer does not read, and fails with [`io::ErrorKind::TimedOut`] when it has not taken anything
/// for the write timeout: at most one SSH window and a few packets are in memory for it.
pub struct ChannelStream {
    inbound: Arc<Inbound>,
    /// What the session is reading, and how much of it is read.
    current: Vec<u8>,
    read: usize,
    writer: Pin<Box<dyn AsyncWrite + Send>>,
    write_timeout: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    close: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Cuts the connection under the channel.
    cut: CancellationToken,
    host_key: Option<String>,
}

impl ChannelStream {
    pub(super) fn new(
        inbound: Arc<Inbound>,
        writer: impl AsyncWrite + Send + 'static,
        close: impl Future<Output = ()> + Send + 'static,
        write_timeout: Duration,
        cut: CancellationToken,
    ) -> Self {
        ChannelStream {
            inbound,
            current: Vec::new(),
            read: 0,
            writer: Box::pin(writer),
            write_timeout,
            stalled: None,
            close: Some(Box::pin(close)),
            cut,
            host_key: None,
        }
    }

    pub(super) fn with_host_key(mut self, host_key: Option<String>) -> Self {
        self.host_key = host_key;
        self
    }

    /// On the client's side: fingerprint of the key that the server proved to have, in the form `SHA256:…`.
    pub fn host_key(&self) -> Option<&str> {
        self.host_key.as_deref()
    }

    /// Ready once the writer took something, or took nothing for too long.
    fn poll_written<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match result {
            Poll::Ready(result) => {
                if self.stalled.take().is_some() {
                    self.inbound.lock().writing = false;
                }
                Poll::Ready(result)
            }
            Poll::Pending => {
                let timeout = self.write_timeout;
                let mut state = self.inbound.lock();
                if state.closed {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, "the channel is closed")));
                }
                match &mut state.writer {
                    Some(writer) => writer.clone_from(cx.waker()),
                    writer => *writer = Some(cx.waker().clone()),
                }
                let was_writing = std::mem::replace(&mut state.writing, true);
                drop(state);
                if !was_writing {
                    self.inbound.space.notify_one();
                }
                let stalled =
                    self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + timeout)));
                ready!(stalled.as_mut().poll(cx));
                let message = format!("the peer has not read anything for {} s", timeout.as_secs_f32());
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, message)))
            }
        }
    }
}

impl std::fmt::Debug for ChannelStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChannelStream").finish_non_exhaustive()
    }
}

impl AsyncBufRead for ChannelStream {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.read == this.current.len() {
            this.current.clear();
            this.read = 0;
            let mut state = this.inbound.lock();
            let left = state.bytes.len();
            state.keep_counted(left);
            if state.bytes.is_empty() {
                if state.ended {
                    return Poll::Ready(Ok(&[]));
                }
                state.bytes.shrink_to(KEEP);
                this.current.shrink_to(KEEP);
                match &mut state.reader {
                    Some(reader) => reader.clone_from(cx.waker()),
                    reader => *reader = Some(cx.waker().clone()),
                }
                return Poll::Pending;
            }
            let was_full = std::mem::take(&mut state.held_back);
            std::mem::swap(&mut state.bytes, &mut this.current);
            drop(state);
            if was_full {
                this.inbound.space.notify_one();
            }
        }
        Poll::Ready(Ok(&this.current[this.read..]))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        self.read = (self.read + amount).min(self.current.len());
    }
}

impl AsyncRead for ChannelStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let available = ready!(self.as_mut().poll_fill_buf(cx))?;
        let amount = available.len().min(buf.remaining());
        buf.put_slice(&available[..amount]);
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ChannelStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let result = self.writer.as_mut().poll_write(cx, buf);
        self.poll_written(cx, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = self.writer.as_mut().poll_shutdown(cx);
        self.poll_written(cx, result)
    }
}

impl Drop for ChannelStream {
    fn drop(&mut self) {
        {
            let mut state = self.inbound.lock();
            state.abandoned = true;
            state.bytes = Vec::new();
            state.keep_counted(0);
        }
        self.inbound.space.notify_one();
        let close = self.close.take().expect("taken here only");
        let cut = self.cut.clone();
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    if tokio::time::timeout(CLOSE, close).await.is_err() {
                        cut.cancel();
                    }
                });
            }
            // The runtime is gone, and the connection with it.
            Err(_) => cut.cancel(),
        }
    }
}

/// A TCP stream that can be cut from outside, whatever the task that owns it is waiting for.
#[derive(Debug)]
pub(super) struct Socket<S> {
    stream: S,
    cut: Pin<Box<tokio_util::sync::WaitForCancellationFutureOwned>>,
}

impl<S> Socket<S> {
    pub(super) fn new(stream: S, cut: CancellationToken) -> Self {
        Socket { stream, cut: Box::pin(cut.cancelled_owned()) }
    }

    fn or_cut<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_pending() && self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was cut")));
        }
        result
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.or_cut(cx, result)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.or_cut(cx, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        self.or_cut(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.or_cut(cx, result)
    }
}
