//! The client on its own: its follower over a connection that breaks, where each event arrives once and in order, and the schemas that it
//! makes of what a server has.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use netconf::client::{
    BackOff, Datastore, EditConfig, Follow, Followed, Follower, Means, NotificationMessage, Options, SchemaSets,
    Session, SessionConfig, data,
};
use netconf::message::Notification;
use netconf::transport::ssh::{Credential, HostKeyCheck, Target, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::foreign::{Netconfd, key, login};
use crate::network::DEADLINE;
use crate::program::Program;

/// How long the connection is broken again and again; `FOLLOW_SECONDS` sets another time.
const SECONDS: u64 = 5;

/// What a relay does with what it is given.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Line {
    Open,
    /// Connections stay, and nothing comes through: a pulled cable.
    Silent,
    /// Connections are closed at once, wherever they are in a message.
    Down,
}

/// A TCP relay to `port` at a port of its own.
async fn relay(port: u16) -> (u16, watch::Sender<Line>, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let (line, state) = watch::channel(Line::Open);
    let connections = Arc::new(AtomicU32::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        let mut carried = JoinSet::new();
        loop {
            let Ok((near, _)) = listener.accept().await else { return };
            if *state.borrow() == Line::Down {
                continue;
            }
            counted.fetch_add(1, Ordering::Relaxed);
            let state = state.clone();
            carried.spawn(async move {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                let (near_read, near_write) = near.into_split();
                let (far_read, far_write) = far.into_split();
                tokio::select! {
                    () = carry(near_read, far_write, state.clone()) => {}
                    () = carry(far_read, near_write, state.clone()) => {}
                    () = down(state) => {}
                }
            });
        }
    });
    (own, line, connections)
}

async fn down(mut state: watch::Receiver<Line>) {
    // An error is the end of the test.
    let _ = state.wait_for(|line| *line == Line::Down).await;
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut state: watch::Receiver<Line>,
) {
    // Small, so that a break is hardly ever between two messages.
    let mut buffer = [0; 97];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        if state.wait_for(|line| *line == Line::Open).await.is_err() || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// Writes one page after another, each an event, until it is told to stop; how many.
async fn write(session: Session, mut stop: watch::Receiver<bool>) -> u32 {
    for number in 0.. {
        if *stop.borrow_and_update() {
            return number;
        }
        let page = format!("<book xmlns=\"urn:kill\"><page><id>{number}</id></page></book>");
        session.edit_config(&EditConfig::new(Datastore::Running, page)).await.unwrap();
        // Now many at once, now some apart.
        if number % 40 == 0 {
            let _ = tokio::time::timeout(Duration::from_millis(30), stop.changed()).await;
        }
    }
    unreachable!("it is told to stop")
}

/// The number of the page that an event is about; none where it is about something else.
fn page(message: &NotificationMessage) -> Option<u32> {
    let document = message.document().unwrap();
    let notification = Notification::read(&document).unwrap();
    if notification.event.name() != "netconf-config-change" {
        return None;
    }
    let text = message.text();
    let at = text.find("='")? + 2;
    text[at..].split('\'').next()?.parse().ok()
}

async fn follow_through_breaks(means: Means) {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(directory.path());
    let (writer, _) = program.session().await;
    // An edit that makes the book as well is told as one of the book.
    let first = "<book xmlns=\"urn:kill\"><page><id>4294967295</id></page></book>";
    writer.edit_config(&EditConfig::new(Datastore::Running, first)).await.unwrap();
    let (port, line, connections) = relay(program.port).await;
    let target = Target { port, timeout: Duration::from_secs(1), ..program.target() };
    // Small queues: what comes after a break overflows them.
    let config =
        SessionConfig { max_notifications: 64, hello_timeout: Duration::from_secs(1), ..SessionConfig::default() };
    let follow = Follow {
        means,
        silence: Duration::from_millis(150),
        answer: Duration::from_millis(500),
        back_off: BackOff { first: Duration::from_millis(20), longest: Duration::from_millis(200) },
        ..Follow::default()
    };
    let mut follower = Follower::start(follow, move || {
        let (target, config) = (target.clone(), config.clone());
        async move { Ok(Session::open(connect(&target).await?, config).await?) }
    });
    assert!(matches!(follower.next().await, Followed::Subscribed));

    let (stop, stopped) = watch::channel(false);
    let written = tokio::spawn(write(writer, stopped));
    let seconds = std::env::var("FOLLOW_SECONDS").ok().map_or(SECONDS, |seconds| seconds.parse().unwrap());
    let breaking = tokio::spawn(async move {
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut breaks = 0;
        while Instant::now() < until {
            // Not too regular: the breaks are to meet connecting, subscribing, replaying and what is live.
            let some = |step: u64| Duration::from_millis(30 + breaks * step % 400);
            tokio::time::sleep(some(73)).await;
            line.send_replace(if breaks % 2 == 0 { Line::Down } else { Line::Silent });
            tokio::time::sleep(some(191) * if breaks % 5 == 3 { 3 } else { 1 }).await;
            line.send_replace(Line::Open);
            breaks += 1;
        }
        stop.send_replace(true);
        (breaks, line)
    });

    let (mut next, mut interrupted) = (0, 0);
    let mut breaking = Some(breaking);
    let mut total = None;
    let mut written = Some(written);
    let deadline = tokio::time::sleep(Duration::from_secs(seconds) + DEADLINE);
    tokio::pin!(deadline);
    let mut broken = (0, None);
    while total.is_none_or(|total| next < total) {
        tokio::select! {
            told = follower.next() => match told {
                Followed::Event(message) => if let Some(number) = page(&message) {
                    assert_eq!(number, next, "{means:?}: the event of page {next} is expected");
                    next += 1;
                },
                Followed::Interrupted { .. } => interrupted += 1,
                Followed::Subscribed => {}
                Followed::Gap { after, reason } => panic!("a gap after {after}: {reason}"),
            },
            done = async { breaking.as_mut().expect("looked at").await.unwrap() }, if breaking.is_some() => {
                breaking = None;
                broken = (done.0, Some(done.1));
                total = Some(written.take().expect("waited for once").await.unwrap());
            }
            () = &mut deadline => panic!("{next} of {total:?} events came: {}", program.log()),
        }
    }
    // Nothing comes twice after the last one.
    let more = tokio::time::timeout(Duration::from_millis(300), async {
        loop {
            if let Followed::Event(message) = follower.next().await
                && let Some(number) = page(&message)
            {
                return number;
            }
        }
    });
    assert!(more.await.is_err(), "an event came twice");
    let connections = connections.load(Ordering::Relaxed);
    println!(
        "{means:?}: {next} events over {connections} connections, {interrupted} interruptions by {} breaks",
        broken.0
    );
    assert!(next > 100 && connections > 3 && interrupted > 3, "{next} events, {connections} connections");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_misses_nothing_and_repeats_nothing_by_rfc_5277() {
    follow_through_breaks(Means::CreateSubscription).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_misses_nothing_and_repeats_nothing_by_rfc_8639() {
    follow_through_breaks(Means::EstablishSubscription).await;
}

/// Reads all that a server shows by the schemas made of its own modules; what could not be read, and what is left out.
async fn read_all(session: &Session) -> (String, Vec<String>, Vec<String>) {
    let set = SchemaSets::new().of(session, "the server").await.unwrap();
    let reply = session.get(&Options::default()).await.unwrap();
    let document = reply.document().unwrap();
    let read = set.read(data(&document).unwrap());
    let left_out = set.left_out.iter().map(|left_out| format!("{}: {}", left_out.module, left_out.reason));
    (netconf::yang::json::write(&read.tree), read.errors.iter().map(ToString::to_string).collect(), left_out.collect())
}

#[tokio::test]
async fn what_our_server_shows_is_read_by_its_own_modules() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(directory.path());
    let (session, _notifications) = program.session().await;
    let book = "<book xmlns=\"urn:kill\"><page><id>7</id></page></book>";
    session.edit_config(&EditConfig::new(Datastore::Running, book)).await.unwrap();
    let (json, errors, left_out) = read_all(&session).await;
    assert!(json.contains("\"kill:book\":{\"page\":[{\"id\":7}]}"), "{json}");
    assert!(json.contains("\"ietf-netconf-monitoring:netconf-state\""), "{json}");
    assert_eq!((errors.len(), left_out.len()), (0, 0), "{errors:#?} {left_out:#?}");
}

#[tokio::test]
async fn what_netconfd_shows_is_read_by_its_own_modules() {
    let directory = tempfile::tempdir().unwrap();
    let private = key(directory.path(), "client");
    let Some(netconfd) = Netconfd::start(directory.path(), &directory.path().join("client.pub"), None) else { return };
    let target = Target {
        host: "127.0.0.1".into(),
        port: netconfd.port,
        user: login(),
        credential: Credential::KeyFile { path: private.into(), passphrase: None },
        host_key: HostKeyCheck::Any,
        timeout: Duration::from_secs(5),
    };
    let (session, _notifications) = crate::network::until("a session with netconfd", || async {
        Session::open(connect(&target).await.ok()?, SessionConfig::default()).await.ok()
    })
    .await;
    let (json, errors, left_out) = read_all(&session).await;
    assert!(json.contains("\"ietf-netconf-monitoring:netconf-state\""), "{json}");
    // libyang has a later revision of its own, by which the data is read all the same.
    let [only] = &*left_out else { panic!("{left_out:#?}") };
    assert!(only.starts_with("ietf-yang-library: ") && errors.is_empty(), "{only} {errors:#?}");
}
