//! One NETCONF session over SSH (RFC 6242) for the load client: as little as it takes, and nothing of our own crates.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Disconnect, Preferred, cipher};

pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A request for the small container, which any server answers at once.
pub const SMALL: &str = r#"<get-config><source><running/></source><filter type="subtree"><small xmlns="urn:qkdn:tests:bench"/></filter></get-config>"#;

const BASE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";
const HELLO: &str = r#"<?xml version="1.0" encoding="UTF-8"?><hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability><capability>urn:ietf:params:netconf:base:1.1</capability></capabilities></hello>]]>]]>"#;
const END_OF_MESSAGE: &[u8] = b"]]>]]>";
/// An error stands at the very beginning of a reply; this much of it is kept to see one.
const HEAD: usize = 512;

/// Whom to log in as, and where.
#[derive(Clone)]
pub struct Login {
    pub server: SocketAddr,
    pub user: String,
    pub key: Arc<PrivateKey>,
    /// Waited for after our hello. Debian's netconfd loses a request that it reads together with the end of a hello.
    pub hello_pause: Duration,
}

pub struct Session {
    handle: Handle<AnyHost>,
    read: ChannelReadHalf,
    write: ChannelWriteHalf<client::Msg>,
    /// Read and not yet consumed, from `at` on.
    buffer: Vec<u8>,
    at: usize,
    /// What the message that was read last begins with.
    head: Vec<u8>,
    message_id: u64,
}

/// A reply without an error.
pub struct Reply {
    /// Bytes of XML.
    pub length: usize,
}

impl Session {
    /// Logs in by public key, opens the netconf subsystem and exchanges hellos; both sides must speak base:1.1.
    pub async fn open(login: &Login) -> Outcome<Self> {
        let config = client::Config {
            preferred: Preferred { cipher: Cow::Borrowed(&[cipher::AES_256_GCM]), ..Preferred::default() },
            nodelay: true,
            // Large, so that the client's window is not what is measured.
            window_size: 16 << 20,
            ..client::Config::default()
        };
        let mut handle = client::connect(Arc::new(config), login.server, AnyHost).await?;
        let key = PrivateKeyWithHashAlg::new(login.key.clone(), None);
        if !handle.authenticate_publickey(login.user.as_str(), key).await?.success() {
            return Err(format!("{} may not log in with that key", login.user).into());
        }
        let channel = handle.channel_open_session().await?;
        channel.request_subsystem(true, "netconf").await?;
        let (read, write) = channel.split();
        let mut session = Self { handle, read, write, buffer: Vec::new(), at: 0, head: Vec::new(), message_id: 0 };
        session.write.data_bytes(HELLO.as_bytes().to_vec()).await?;
        let hello = session.hello().await?;
        if !login.hello_pause.is_zero() {
            tokio::time::sleep(login.hello_pause).await;
        }
        if !hello.contains("urn:ietf:params:netconf:base:1.1") {
            return Err("the server does not speak base:1.1".into());
        }
        Ok(session)
    }

    /// Sends an operation and awaits its reply.
    pub async fn call(&mut self, operation: &str) -> Outcome<Reply> {
        self.send(operation).await?;
        self.reply().await
    }

    /// Sends an operation, chunked in one piece.
    pub async fn send(&mut self, operation: &str) -> Outcome {
        self.message_id += 1;
        let rpc = format!("<rpc message-id=\"{}\" xmlns=\"{BASE}\">{operation}</rpc>", self.message_id);
        let framed = format!("\n#{}\n{rpc}\n##\n", rpc.len());
        Ok(self.write.data_bytes(framed.into_bytes()).await?)
    }

    /// The next reply; an `<rpc-error>` is an error.
    pub async fn reply(&mut self) -> Outcome<Reply> {
        let length = self.message().await?;
        let head = self.head();
        if head.contains("rpc-error") { Err(head.into()) } else { Ok(Reply { length }) }
    }

    /// Reads the next message, of whatever kind: its bytes of XML.
    pub async fn message(&mut self) -> Outcome<usize> {
        self.head.clear();
        let mut length = 0;
        while let Some(chunk) = self.chunk_header().await? {
            length += chunk;
            let mut left = chunk;
            while left > 0 {
                if self.at == self.buffer.len() {
                    self.fill().await?;
                }
                let part = &self.buffer[self.at..][..left.min(self.buffer.len() - self.at)];
                let room = HEAD - self.head.len();
                self.head.extend_from_slice(&part[..part.len().min(room)]);
                self.at += part.len();
                left -= part.len();
            }
        }
        Ok(length)
    }

    /// What the message that was read last begins with.
    pub fn head(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.head)
    }

    /// Ends the session by close-session.
    pub async fn close(mut self) -> Outcome {
        self.call("<close-session/>").await?;
        self.handle.disconnect(Disconnect::ByApplication, "", "").await?;
        Ok(())
    }

    /// The size of the next chunk, or nothing at the end of the chunks.
    async fn chunk_header(&mut self) -> Outcome<Option<usize>> {
        loop {
            let unread = &self.buffer[self.at..];
            // "\n##\n" or "\n#DIGITS\n"
            if let Some(end) = unread.iter().skip(2).position(|byte| *byte == b'\n') {
                let Some(size) = unread.strip_prefix(b"\n#") else { return Err("bad framing".into()) };
                let size = std::str::from_utf8(&size[..end])?.to_owned();
                self.at += end + 3;
                return if size == "#" { Ok(None) } else { Ok(Some(size.parse()?)) };
            }
            self.fill().await?;
        }
    }

    async fn hello(&mut self) -> Outcome<String> {
        loop {
            if let Some(end) = self.buffer.windows(END_OF_MESSAGE.len()).position(|window| window == END_OF_MESSAGE) {
                self.at = end + END_OF_MESSAGE.len();
                return Ok(String::from_utf8(self.buffer[..end].to_vec())?);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Outcome {
        self.buffer.drain(..self.at);
        self.at = 0;
        loop {
            match self.read.wait().await {
                Some(ChannelMsg::Data { data }) => {
                    self.buffer.extend_from_slice(&data);
                    return Ok(());
                }
                Some(ChannelMsg::Eof | ChannelMsg::Close) | None => return Err("the server closed the session".into()),
                Some(ChannelMsg::Failure) => return Err("the server has no netconf subsystem".into()),
                Some(_) => {}
            }
        }
    }
}

/// Accepts every host key: the servers are on loopback, and their keys as old as the run.
struct AnyHost;

impl client::Handler for AnyHost {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}
