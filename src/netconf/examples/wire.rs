//! Measures what the wire costs: RPCs a second through client, SSH, framing and messages, with a server that answers `<ok/>`.
//!
//! `cargo run --release -p netconf --example wire [bench | serve PORT PASSWORD]`

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use netconf::capability;
use netconf::client::{Session, SessionConfig};
use netconf::framing::{Encoder, MAX_MESSAGE, MessageReader};
use netconf::message::{Hello, Rpc, negotiate};
use netconf::transport::auth::{PasswordRecord, Users};
use netconf::transport::ssh::{self, ChannelStream, Credential, HostKeyCheck, Target};
use netconf::xml::{Document, Limits};
use russh::keys::{Algorithm, HashAlg, PrivateKey};
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

/// Replies that are written together.
const BATCH: usize = 32 << 10;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let new_key = || PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519);
    let (host_key, key) = (new_key()?, Arc::new(new_key()?));
    let fingerprint = host_key.public_key().fingerprint(HashAlg::Sha256).to_string();
    let mut users = Users::new();
    users.add_key("admin", key.public_key().clone());
    if let [_, _, password] = &arguments[..] {
        users.set_password("admin", PasswordRecord::hash(password));
    }
    let port = arguments.get(1).map_or(Ok(0), |port| port.parse::<u16>())?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let port = listener.local_addr()?.port();
    let config = ssh::ServerConfig::new(vec![host_key], Arc::new(ArcSwap::from_pointee(users)));
    let shutdown = CancellationToken::new();
    let server = ssh::serve(listener, config, shutdown.clone(), |stream, peer| async move {
        if let Err(error) = answer(stream).await {
            eprintln!("{} at {}: {error}", peer.user, peer.address);
        }
    });
    if arguments.first().is_some_and(|command| command == "serve") {
        println!("listening on 127.0.0.1:{port}");
        return Ok(server.await?);
    }
    let server = tokio::spawn(server);
    let target = Target {
        host: "127.0.0.1".into(),
        port,
        user: "admin".into(),
        credential: Credential::Key(key),
        host_key: HostKeyCheck::Pinned(vec![fingerprint]),
        timeout: Duration::from_secs(10),
    };
    for (sessions, callers) in [(1, 1), (1, 16), (8, 1), (64, 1)] {
        measure(&target, sessions, callers).await?;
    }
    let begun = Instant::now();
    for _ in 0..200 {
        Session::open(ssh::connect(&target).await?, SessionConfig::default()).await?;
    }
    println!("{:>10.0} set-ups/s, one after the other", 200.0 / begun.elapsed().as_secs_f64());
    shutdown.cancel();
    Ok(server.await??)
}

async fn measure(target: &Target, sessions: usize, callers: usize) -> Result<(), Failure> {
    const SPAN: Duration = Duration::from_secs(2);
    let mut tasks = Vec::new();
    for _ in 0..sessions {
        let (session, _) = Session::open(ssh::connect(target).await?, SessionConfig::default()).await?;
        for _ in 0..callers {
            let session = session.clone();
            tasks.push(tokio::spawn(async move {
                let (begun, mut count) = (Instant::now(), 0u64);
                while begun.elapsed() < SPAN {
                    session.rpc("<get-config><source><running/></source></get-config>").await?;
                    count += 1;
                }
                Ok::<u64, netconf::client::Error>(count)
            }));
        }
    }
    let mut total = 0;
    for task in tasks {
        total += task.await??;
    }
    println!("{:>10.0} rpc/s, {sessions} sessions, {callers} callers each", total as f64 / SPAN.as_secs_f64());
    Ok(())
}

/// A session that answers `<ok/>` to everything, as many requests at a time as have come.
async fn answer(stream: ChannelStream) -> Result<(), Failure> {
    let (mut reader, mut encoder) = (MessageReader::new(stream), Encoder::new());
    let capabilities = [capability::BASE_1_0, capability::BASE_1_1].into_iter().collect();
    let ours = Hello { capabilities, session_id: Some(1) };
    ours.write(encoder.body());
    encoder.end()?;
    send(&mut reader, &mut encoder).await?;
    let Some(theirs) = reader.next().await? else { return Ok(()) };
    let framing = negotiate(&ours.capabilities, &Hello::from_client(&theirs)?.capabilities)?;
    reader.decoder().switch(framing, MAX_MESSAGE);
    encoder.switch(framing);
    loop {
        let text = match reader.try_next()? {
            Some(text) if encoder.pending().len() < BATCH => text,
            there => {
                send(&mut reader, &mut encoder).await?;
                match there {
                    Some(text) => text,
                    None => match reader.next().await? {
                        Some(text) => text,
                        None => return Ok(()),
                    },
                }
            }
        };
        let document = Document::parse(&text, &Limits::default())?;
        let rpc = Rpc::read(&document)?;
        rpc.reply.write_ok(encoder.body());
        encoder.end()?;
        if rpc.operation.is_ok_and(|operation| operation.name() == "close-session") {
            return send(&mut reader, &mut encoder).await;
        }
    }
}

async fn send(reader: &mut MessageReader<ChannelStream>, encoder: &mut Encoder) -> Result<(), Failure> {
    let pending = encoder.pending();
    if !pending.is_empty() {
        reader.stream().write_all(pending).await?;
        let sent = pending.len();
        encoder.consume(sent);
    }
    Ok(())
}
