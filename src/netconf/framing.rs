//! RFC 6242 section 4: end-of-message and chunked framing as state machines without I/O.
//!
//! [`Decoder`] turns bytes into messages, [`Encoder`] messages into bytes, and [`MessageReader`] joins a decoder to a
//! stream. Both start with end-of-message framing, as every session does, and change over when both hellos are read.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use memchr::memmem;
use tokio::io::AsyncBufRead;

/// The end-of-message delimiter of base:1.0 and of every hello (RFC 6242 section 4.3).
pub const END_OF_MESSAGE: &[u8] = b"]]>]]>";

/// The largest message that a decoder accepts where nothing else is said: an `<edit-config>` of a whole large datastore
/// fits, and one authenticated peer cannot take more memory than this. Beyond it: [`FramingError::TooLarge`].
pub const MAX_MESSAGE: usize = 64 << 20;

/// The largest hello: a hundred bytes for each of some thousand modules, with room. A peer whose hello is not read yet
/// has shown nothing of itself but a key, so it gets less than [`MAX_MESSAGE`].
pub const MAX_HELLO: usize = 1 << 20;

/// The largest chunk-size that RFC 6242 section 4.2 allows.
const MAX_CHUNK: u64 = 4_294_967_295;

/// What a chunk header may make the decoder reserve before the bytes are there: the header is only a promise.
const RESERVE: usize = 256 << 10;

/// What stays in a decoder when a part is taken: the possible start of a delimiter, and never nothing, because a message that
/// has begun is told from one that has not by its bytes.
const PART_TAIL: usize = 8;

/// What an encoder keeps of its buffer between messages, so that an idle session is small.
const KEEP: usize = 8 << 10;

/// Which of the two framings of RFC 6242 a direction of a session uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Section 4.3: before the hellos are exchanged, and throughout where both peers have only base:1.0 in common.
    #[default]
    EndOfMessage,
    /// Section 4.2: after the hellos, where both peers announced base:1.1.
    Chunked,
}

/// Why a byte stream is not a sequence of messages. The stream cannot be read any further: the session is to be closed
/// without a reply (RFC 6242 section 4.2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    #[error("a message of more than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("byte 0x{found:02x} where the framing has {expected}")]
    Unexpected { found: u8, expected: &'static str },
    #[error("a chunk size above 4294967295")]
    ChunkSize,
    #[error("chunked framing where end-of-message framing is in use")]
    UnexpectedChunk,
    #[error("a message that is not UTF-8 (byte {0})")]
    NotUtf8(usize),
    #[error("\"]]>]]>\" inside a message that end-of-message framing would cut there")]
    Delimiter,
}

/// Bytes to messages. Never looks at a byte twice, whatever the pieces in which they arrive.
#[derive(Debug)]
pub struct Decoder {
    framing: Framing,
    state: State,
    /// What has come of the message that is being received.
    message: Vec<u8>,
    limit: usize,
    /// No message has been decoded yet.
    first: bool,
    early_chunks: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first byte of a message in end-of-message framing; `true` when a line feed, the possible start of a
    /// chunk header, has come.
    Between(bool),
    /// Inside a message in end-of-message framing.
    Until,
    /// Before the line feed that starts a chunk header or the end-of-chunks.
    LineFeed,
    Hash,
    /// At the first digit of a chunk size, or at the `#` of end-of-chunks.
    FirstDigit,
    Digits(u64),
    /// So many bytes of the chunk are still to come.
    Chunk(u64),
    /// At the line feed that ends the end-of-chunks.
    End,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder {
            framing: Framing::EndOfMessage,
            state: State::Between(false),
            message: Vec::new(),
            limit: MAX_HELLO,
            first: true,
            early_chunks: false,
        }
    }
}

impl Decoder {
    /// Decodes end-of-message framing, with messages of at most [`MAX_HELLO`] bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the framing and the size limit of the messages to come. To be called between messages, when the peer's hello
    /// has been read: bytes that follow the hello, already received or not, are read under the new framing.
    pub fn switch(&mut self, framing: Framing, limit: usize) {
        debug_assert!(self.at_boundary(), "framing changes between messages only");
        self.framing = framing;
        self.limit = limit;
        self.start();
    }

    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// True where no part of a message is pending: the end of the stream is then an orderly one.
    pub fn at_boundary(&self) -> bool {
        match self.state {
            State::Between(_) => true,
            State::LineFeed => self.message.is_empty(),
            _ => false,
        }
    }

    /// Bytes of the message that is being received.
    pub fn pending(&self) -> usize {
        self.message.len()
    }

    /// Takes what has come of an incomplete message, but for its last bytes: the parts, and the message that is completed
    /// last, make up the whole. The size limit is from then on that of what is held.
    pub fn take_part(&mut self) -> Result<String, FramingError> {
        let mut cut = self.message.len().saturating_sub(PART_TAIL);
        while cut > 0 && self.message[cut] & 0xC0 == 0x80 {
            cut -= 1;
        }
        let tail = self.message.split_off(cut);
        String::from_utf8(std::mem::replace(&mut self.message, tail))
            .map_err(|e| FramingError::NotUtf8(e.utf8_error().valid_up_to()))
    }

    /// True when the peer's first message came in chunked framing, which RFC 6242 section 4.1 forbids for a hello but a
    /// client that has already read our hello can be tempted to. Such a message is decoded, not left hanging.
    pub fn early_chunks(&self) -> bool {
        self.early_chunks
    }

    /// Takes bytes from the front of `input` until a message is complete, and returns it; `None` when all of `input` is
    /// taken and more is needed. After an error the decoder must not be used again.
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Option<String>, FramingError> {
        while let Some(&byte) = input.first() {
            match self.state {
                State::Between(line_feed) => match byte {
                    b'#' if line_feed && self.first => {
                        self.early_chunks = true;
                        self.state = State::FirstDigit;
                        *input = &input[1..];
                    }
                    b'#' if line_feed => return Err(FramingError::UnexpectedChunk),
                    // White space between messages is dropped: an XML declaration must be the first thing in its
                    // document, and peers are known to send a line feed after the delimiter.
                    b'\n' | b'\r' | b' ' | b'\t' => {
                        self.state = State::Between(byte == b'\n');
                        *input = &input[1..];
                    }
                    _ => self.state = State::Until,
                },
                State::Until => {
                    if self.until_delimiter(input)? {
                        return self.complete().map(Some);
                    }
                }
                State::Chunk(left) => {
                    let take = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
                    self.append(&input[..take])?;
                    *input = &input[take..];
                    let left = left - take as u64;
                    self.state = if left == 0 { State::LineFeed } else { State::Chunk(left) };
                }
                _ => {
                    *input = &input[1..];
                    if self.header(byte)? {
                        return self.complete().map(Some);
                    }
                }
            }
        }
        Ok(None)
    }

    /// One byte outside a chunk's data. True when it ended the message.
    fn header(&mut self, byte: u8) -> Result<bool, FramingError> {
        let unexpected = |expected| Err(FramingError::Unexpected { found: byte, expected });
        self.state = match (self.state, byte) {
            (State::LineFeed, b'\n') => State::Hash,
            (State::LineFeed, _) => return unexpected("the line feed before a chunk"),
            (State::Hash, b'#') => State::FirstDigit,
            (State::Hash, _) => return unexpected("the \"#\" of a chunk"),
            (State::FirstDigit, b'#') if !self.message.is_empty() => State::End,
            (State::FirstDigit, b'1'..=b'9') => State::Digits(u64::from(byte - b'0')),
            (State::FirstDigit, _) => return unexpected("the first digit of a chunk size"),
            (State::Digits(size), b'0'..=b'9') => {
                let size = size * 10 + u64::from(byte - b'0');
                if size > MAX_CHUNK {
                    return Err(FramingError::ChunkSize);
                }
                State::Digits(size)
            }
            (State::Digits(size), b'\n') => {
                // Refused before its bytes are received, and never reserved on the header's word alone.
                if self.message.len() as u64 + size > self.limit as u64 {
                    return Err(FramingError::TooLarge { limit: self.limit });
                }
                self.message.reserve((size as usize).min(RESERVE));
                State::Chunk(size)
            }
            (State::Digits(_), _) => return unexpected("a digit of a chunk size"),
            (State::End, b'\n') => return Ok(true),
            (State::End, _) => return unexpected("the line feed of the end of chunks"),
            (State::Between(_) | State::Until | State::Chunk(_), _) => unreachable!("handled by decode"),
        };
        Ok(false)
    }

    /// Takes input up to and including the delimiter. True when it was found.
    fn until_delimiter(&mut self, input: &mut &[u8]) -> Result<bool, FramingError> {
        const KEPT: usize = END_OF_MESSAGE.len() - 1;
        // A delimiter that began in the pieces before: look at the seam alone.
        let tail = &self.message[self.message.len().saturating_sub(KEPT)..];
        let head = &input[..input.len().min(KEPT)];
        let mut seam = [0; 2 * KEPT];
        seam[..tail.len()].copy_from_slice(tail);
        seam[tail.len()..tail.len() + head.len()].copy_from_slice(head);
        if let Some(at) = memmem::find(&seam[..tail.len() + head.len()], END_OF_MESSAGE) {
            let taken = at + END_OF_MESSAGE.len() - tail.len();
            self.message.truncate(self.message.len() - (tail.len() - at));
            *input = &input[taken..];
            return Ok(true);
        }
        let found = memmem::find(input, END_OF_MESSAGE);
        self.append(&input[..found.unwrap_or(input.len())])?;
        *input = found.map_or(&[], |at| &input[at + END_OF_MESSAGE.len()..]);
        Ok(found.is_some())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), FramingError> {
        if self.message.len() + bytes.len() > self.limit {
            return Err(FramingError::TooLarge { limit: self.limit });
        }
        self.message.extend_from_slice(bytes);
        Ok(())
    }

    fn complete(&mut self) -> Result<String, FramingError> {
        self.first = false;
        self.start();
        String::from_utf8(std::mem::take(&mut self.message))
            .map_err(|e| FramingError::NotUtf8(e.utf8_error().valid_up_to()))
    }

    fn start(&mut self) {
        self.state = match self.framing {
            Framing::EndOfMessage => State::Between(false),
            Framing::Chunked => State::LineFeed,
        };
    }
}

/// Messages to bytes. What is appended to [`body`](Encoder::body) goes straight into the buffer that is sent: nothing is
/// copied to frame it, but for batches of several small messages.
#[derive(Debug, Default)]
pub struct Encoder {
    framing: Framing,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are sent, or were never part of the stream.
    start: usize,
    /// Where the open piece of the open message begins, header room included.
    piece: Option<usize>,
    /// The open message already has a piece that is closed.
    continued: bool,
}

/// Room for the longest chunk header, `\n#4294967295\n`.
const HEADER: usize = 13;

impl Encoder {
    /// Encodes end-of-message framing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the framing of the messages to come; to be called between messages.
    pub fn switch(&mut self, framing: Framing) {
        debug_assert!(self.piece.is_none() && !self.continued, "framing changes between messages only");
        self.framing = framing;
    }

    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// The buffer to which the message that is being written is appended; opens a message if none is open. What is
    /// already in the buffer must not be touched.
    pub fn body(&mut self) -> &mut Vec<u8> {
        if self.piece.is_none() {
            self.piece = Some(self.buffer.len());
            if self.framing == Framing::Chunked {
                self.buffer.extend_from_slice(&[0; HEADER]);
            }
        }
        &mut self.buffer
    }

    /// Bytes appended to the message since it was opened or last cut.
    pub fn piece_len(&self) -> usize {
        self.piece.map_or(0, |at| self.buffer.len() - at - self.header_room())
    }

    /// Makes what the open message has so far ready to be sent, as a chunk of its own: a long message can leave while it
    /// is still being written.
    pub fn cut(&mut self) -> Result<(), FramingError> {
        let Some(at) = self.piece.take() else { return Ok(()) };
        match self.framing {
            Framing::EndOfMessage => {
                // What was cut before is looked at again for its last bytes: the delimiter may stand across the cut.
                let from = if self.continued { at.saturating_sub(END_OF_MESSAGE.len() - 1) } else { at };
                if memmem::find(&self.buffer[from..], END_OF_MESSAGE).is_some() {
                    self.buffer.truncate(at);
                    return Err(FramingError::Delimiter);
                }
            }
            Framing::Chunked => {
                let size = self.buffer.len() - at - HEADER;
                if size == 0 {
                    self.buffer.truncate(at);
                    return Ok(());
                }
                self.frame_chunk(at, size);
            }
        }
        self.continued = true;
        Ok(())
    }

    /// Ends the open message. On [`FramingError::Delimiter`] nothing of its last piece is sent; where a piece of it was
    /// sent before, the stream is broken and must be closed.
    pub fn end(&mut self) -> Result<(), FramingError> {
        let cut = self.cut();
        let begun = std::mem::take(&mut self.continued);
        cut?;
        match self.framing {
            Framing::EndOfMessage => self.buffer.extend_from_slice(END_OF_MESSAGE),
            // An empty message does not exist in chunked framing.
            Framing::Chunked if begun => self.buffer.extend_from_slice(b"\n##\n"),
            Framing::Chunked => {}
        }
        Ok(())
    }

    /// Drops what has not been cut of the open message. True when nothing of the message was cut before, so that another
    /// can take its place.
    pub fn abandon(&mut self) -> bool {
        if let Some(at) = self.piece.take() {
            self.buffer.truncate(at);
        }
        !std::mem::take(&mut self.continued)
    }

    /// A whole message.
    pub fn message(&mut self, message: &[u8]) -> Result<(), FramingError> {
        self.body().extend_from_slice(message);
        self.end()
    }

    /// The bytes that are ready to be sent.
    pub fn pending(&self) -> &[u8] {
        &self.buffer[self.start..self.piece.unwrap_or(self.buffer.len())]
    }

    /// Marks the first `count` bytes of [`pending`](Encoder::pending) as sent.
    pub fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.pending().len());
        self.start += count;
        if self.start == self.buffer.len() {
            // The last bytes of a message that was cut stay, for the delimiter may stand across the cut.
            let keep =
                if self.continued && self.framing == Framing::EndOfMessage { END_OF_MESSAGE.len() - 1 } else { 0 };
            let from = self.buffer.len().saturating_sub(keep);
            self.buffer.drain(..from);
            self.start = self.buffer.len();
            if !self.continued {
                self.buffer.shrink_to(KEEP);
            }
        }
    }

    fn header_room(&self) -> usize {
        if self.framing == Framing::Chunked { HEADER } else { 0 }
    }

    /// Writes the header against the data, and closes the gap that a short header leaves before it.
    fn frame_chunk(&mut self, at: usize, size: usize) {
        debug_assert!(size as u64 <= MAX_CHUNK, "pieces are cut long before");
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(size);
        let header = digits.len() + 3;
        let gap = HEADER - header;
        let first = at + gap;
        self.buffer[first..first + 2].copy_from_slice(b"\n#");
        self.buffer[first + 2..first + 2 + digits.len()].copy_from_slice(digits.as_bytes());
        self.buffer[at + HEADER - 1] = b'\n';
        if self.start == at {
            self.start = first;
        } else {
            self.buffer.copy_within(first.., at);
            self.buffer.truncate(self.buffer.len() - gap);
        }
    }
}

/// Why no more messages can be read from a stream.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Framing(#[from] FramingError),
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The stream ended inside a message.
    #[error("the peer closed the stream inside a message")]
    Truncated,
}

/// What has come of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// `None` at its end.
    Message(Option<String>),
    /// The message that is being received is so large that nothing more is taken for now.
    Large,
}

/// What [`MessageReader::next_or_part`] has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A message, or the rest of one of which parts have come.
    Message(String),
    Part(String),
}

/// A stream of messages over a stream of bytes.
#[derive(Debug)]
pub struct MessageReader<R> {
    stream: R,
    decoder: Decoder,
}

impl<R: AsyncBufRead + Unpin> MessageReader<R> {
    pub fn new(stream: R) -> Self {
        MessageReader { stream, decoder: Decoder::new() }
    }

    /// The next message; `None` when the peer closed the stream after the last. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<String>, ReadError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next message, or a part of it as soon as `enough` bytes are there: a message of any size can be read in bounded
    /// memory. Dropping the future loses nothing.
    pub async fn next_or_part(&mut self, enough: usize) -> Result<Option<Arrival>, ReadError> {
        let enough = enough.max(2 * PART_TAIL);
        match poll_fn(|cx| self.poll_received(cx, Some(enough))).await? {
            Received::Message(message) => Ok(message.map(Arrival::Message)),
            Received::Large => Ok(Some(Arrival::Part(self.decoder.take_part()?))),
        }
    }

    /// The next message if it is there already, without waiting: for answering many requests with one write. `None`
    /// where there is none yet, and at the end of the stream, which [`next`](MessageReader::next) tells.
    pub fn try_next(&mut self) -> Result<Option<String>, ReadError> {
        // Whoever waits afterwards polls again, with a waker of its own.
        match self.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(None),
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<String>, ReadError>> {
        self.poll_received(cx, None).map_ok(|received| match received {
            Received::Message(message) => message,
            Received::Large => unreachable!("only where it is asked for"),
        })
    }

    /// The next message, or word that it has grown to `pause` bytes and has not ended.
    pub fn poll_received(&mut self, cx: &mut Context<'_>, pause: Option<usize>) -> Poll<Result<Received, ReadError>> {
        loop {
            let room = match pause {
                Some(pause) if self.decoder.pending() >= pause => return Poll::Ready(Ok(Received::Large)),
                Some(pause) => pause - self.decoder.pending(),
                None => usize::MAX,
            };
            let available = ready!(Pin::new(&mut self.stream).poll_fill_buf(cx))?;
            if available.is_empty() {
                let clean = self.decoder.at_boundary();
                return Poll::Ready(if clean { Ok(Received::Message(None)) } else { Err(ReadError::Truncated) });
            }
            let mut available = &available[..available.len().min(room)];
            let before = available.len();
            let decoded = self.decoder.decode(&mut available);
            let taken = before - available.len();
            Pin::new(&mut self.stream).consume(taken);
            if let Some(message) = decoded? {
                return Poll::Ready(Ok(Received::Message(Some(message))));
            }
        }
    }

    /// The stream: to write to, where it goes both ways.
    pub fn stream(&mut self) -> &mut R {
        &mut self.stream
    }

    pub fn decoder(&mut self) -> &mut Decoder {
        &mut self.decoder
    }

    /// The stream, with what was not decoded yet.
    pub fn into_inner(self) -> R {
        self.stream
    }
}

#[cfg(test)]
mod tests;
