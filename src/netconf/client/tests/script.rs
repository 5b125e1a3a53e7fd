//! A server that a test moves by hand.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf, duplex, split};

use crate::capability::{self, Capabilities};
use crate::client::{Notifications, Session, SessionConfig};
use crate::framing::{Encoder, MAX_MESSAGE, MessageReader};
use crate::message::{Hello, ReplyHead, Rpc, negotiate};
use crate::xml::{Document, Limits};

/// Reached only by a test that fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("in time")
}

/// The server's end of a session, moved by hand.
pub(crate) struct Script<S> {
    pub(crate) reader: MessageReader<BufReader<ReadHalf<S>>>,
    pub(crate) writer: WriteHalf<S>,
    pub(crate) encoder: Encoder,
}

impl<S: AsyncRead + AsyncWrite> Script<S> {
    pub(crate) async fn greet(stream: S, bases: &[&str]) -> Script<S> {
        let (reader, writer) = split(stream);
        let mut script = Script { reader: MessageReader::new(BufReader::new(reader)), writer, encoder: Encoder::new() };
        let ours: Capabilities = bases.iter().copied().collect();
        let hello = Hello { capabilities: ours.clone(), session_id: Some(42) };
        hello.write(script.encoder.body());
        script.flush().await;
        let theirs = Hello::from_client(&script.reader.next().await.unwrap().unwrap()).unwrap();
        let framing = negotiate(&ours, &theirs.capabilities).unwrap();
        script.reader.decoder().switch(framing, MAX_MESSAGE);
        script.encoder.switch(framing);
        script
    }

    /// Ends the message in the encoder and writes it one byte at a time, the hardest split there is.
    pub(crate) async fn flush(&mut self) {
        self.encoder.end().unwrap();
        let pending = self.encoder.pending().to_vec();
        self.encoder.consume(pending.len());
        for byte in pending {
            self.writer.write_all(&[byte]).await.unwrap();
        }
    }

    /// The next request: its operation as XML, and the head for its reply.
    pub(crate) async fn request(&mut self) -> Option<(String, ReplyHead)> {
        let text = self.reader.next().await.ok()??;
        let document = Document::parse(&text, &Limits::default()).unwrap();
        let rpc = Rpc::read(&document).unwrap();
        Some((format!("{:?}", rpc.operation.unwrap()), rpc.reply))
    }

    pub(crate) async fn reply(&mut self, head: &ReplyHead, body: &str) {
        let out = self.encoder.body();
        head.write_start(out);
        out.extend_from_slice(body.as_bytes());
        head.write_end(out);
        self.flush().await;
    }

    pub(crate) async fn send(&mut self, message: &str) {
        self.encoder.body().extend_from_slice(message.as_bytes());
        self.flush().await;
    }

    pub(crate) async fn ok(&mut self, head: &ReplyHead) {
        head.write_ok(self.encoder.body());
        self.flush().await;
    }
}

pub(crate) const BOTH: &[&str] = &[capability::BASE_1_0, capability::BASE_1_1];

pub(crate) async fn pair(config: SessionConfig) -> (Session, Notifications, Script<DuplexStream>) {
    let (ours, theirs) = duplex(1 << 16);
    let (opened, script) = tokio::join!(Session::open(ours, config), Script::greet(theirs, BOTH));
    let (session, notifications) = opened.unwrap();
    (session, notifications, script)
}
