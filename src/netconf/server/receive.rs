//! The requests of one session, received within bounds: so long for a message, and so many large ones in memory at once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::AsyncBufRead;
use tokio::time::Sleep;

use super::overload::{Full, Gate, LARGE_MESSAGE, Place};
use crate::framing::{Decoder, MessageReader, ReadError, Received};

/// From the first byte of a message to its last, or to where it is large and must wait; and from the end of that wait to
/// the last byte. 64 MiB take so long over a line of 5 Mbit/s. Beyond it the channel is closed: a message that never ends
/// would hold memory, and a place, for ever.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(120);

/// Why no more requests can be received.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("a message that has not ended after {} s", RECEIVE_TIMEOUT.as_secs())]
    Slow,
    #[error("too many large messages wait to be received")]
    Crowded,
}

type Entering = Pin<Box<dyn Future<Output = Result<Place, Full>> + Send>>;

/// A stream of requests.
pub(super) struct Requests<S> {
    reader: MessageReader<S>,
    gate: Arc<Gate>,
    user: Arc<str>,
    /// Waiting to be allowed a large message.
    entering: Option<Entering>,
    /// Of the large message that is being received or handled.
    place: Option<Place>,
    /// Runs while part of a message is there.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncBufRead + Unpin> Requests<S> {
    /// `gate`: what gives out the places of large messages; `user`: for whom.
    pub fn new(stream: S, gate: Arc<Gate>, user: Arc<str>) -> Self {
        Requests { reader: MessageReader::new(stream), gate, user, entering: None, place: None, deadline: None }
    }

    /// The next message; `None` when the peer closed the stream after the last. Asking for it says that the one before is
    /// done with. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<String>, ReceiveError> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<String>, ReceiveError>> {
        if self.place.is_some() && self.reader.decoder().at_boundary() {
            self.place = None;
        }
        loop {
            if let Some(entering) = &mut self.entering {
                let place = ready!(entering.as_mut().poll(cx));
                self.entering = None;
                self.place = Some(place.map_err(|Full| ReceiveError::Crowded)?);
            }
            let pause = self.place.is_none().then_some(LARGE_MESSAGE);
            match self.reader.poll_received(cx, pause) {
                Poll::Ready(Ok(Received::Large)) => {
                    self.deadline = None;
                    let (gate, user) = (self.gate.clone(), self.user.clone());
                    self.entering = Some(Box::pin(async move { gate.enter(&user).await }));
                }
                Poll::Ready(Ok(Received::Message(text))) => {
                    self.deadline = None;
                    return Poll::Ready(Ok(text));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending if self.reader.decoder().at_boundary() => return Poll::Pending,
                Poll::Pending => {
                    let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(RECEIVE_TIMEOUT)));
                    ready!(deadline.as_mut().poll(cx));
                    return Poll::Ready(Err(ReceiveError::Slow));
                }
            }
        }
    }

    /// The message that was received last is large.
    pub fn is_large(&self) -> bool {
        self.place.is_some()
    }

    /// To write to.
    pub fn stream(&mut self) -> &mut S {
        self.reader.stream()
    }

    pub fn decoder(&mut self) -> &mut Decoder {
        self.reader.decoder()
    }
}

#[cfg(test)]
mod tests;
