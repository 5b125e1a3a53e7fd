//! Hostile peers, with a login and without: the server serves others, its memory is bounded, and its log does not fill.
//!
//! A test program of its own: what attacks here would take the processor from other tests.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

#[path = "bench/hostile/attack.rs"]
mod attack;
// Other test programs use the rest of it.
#[allow(dead_code)]
#[path = "system/program.rs"]
mod program;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use netconf::client::{Datastore, EditConfig, Options, Session, SessionConfig};
use netconf::transport::ssh::{Target, connect};
use tokio_util::sync::CancellationToken;

use attack::{Attack, Tally, Victim};
use program::{PASSWORD, Program};

/// What the server may take beside what it needs at rest, in mebibytes: two large messages with what is parsed of them, the
/// largest bodies that wait in channels, and what an allocator keeps. Far less than the attackers send.
const MEMORY: u64 = 1536;

/// Lines that one attack may bring into the log, beside those of the sessions that it opens.
const LINES: usize = 60;

/// How long each attack goes on.
const ATTACK: Duration = Duration::from_secs(2);

/// What has not happened to the attackers by then does not happen.
const LONGEST: Duration = Duration::from_secs(60);

/// A request that is not answered by then is not served.
const SERVED: Duration = Duration::from_secs(10);

impl Program {
    /// With more on the command line.
    fn start_as(directory: &Path, more: impl FnOnce(&mut Command)) -> Program {
        let mut command = Self::command(directory, "127.0.0.1:0");
        more(&mut command);
        Self::run(directory, command)
    }

    /// Mebibytes of resident memory.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
    }

    fn victim(&self) -> Victim {
        Victim { server: ([127, 0, 0, 1], self.port).into(), user: "mallory".into(), password: PASSWORD.into() }
    }
}

/// A server on which mallory has a password as well, with a book of a megabyte.
async fn start(directory: &std::path::Path, more: &[&str]) -> (Program, Session) {
    let program = Program::start_as(directory, |command| {
        command.args(["--user", "mallory", "--password-file", "password"]).args(more);
    });
    let (session, _) = program.session().await;
    let pages: String = (0..8000)
        .map(|id| format!("<page><id>{id}</id><text>{}</text></page>", "A page of a book. ".repeat(5)))
        .collect();
    let book = format!("<book xmlns=\"urn:kill\">{pages}</book>");
    session.edit_config(&EditConfig::new(Datastore::Running, book)).await.unwrap();
    (program, session)
}

/// Attacks for a while with an honest user at work, who is served all the time: in the session that is open, with edits, and
/// in new ones. Returns what became of the attackers.
///
/// `enough`: when it may end, beside the time.
async fn withstand(
    program: &Program,
    honest: &Session,
    attack: Attack,
    scale: usize,
    enough: fn(&Tally) -> bool,
) -> Arc<Tally> {
    let (tally, stop) = (Arc::new(Tally::default()), CancellationToken::new());
    let before = program.log().lines().count();
    let attacking = tokio::spawn({
        let (victim, tally, stop) = (program.victim(), tally.clone(), stop.clone());
        async move { attack::run(attack, &victim, scale, &tally, &stop).await }
    });
    let start = Instant::now();
    let (mut round, mut most) = (0, 0);
    while start.elapsed() < ATTACK || !enough(&tally) {
        assert!(start.elapsed() < LONGEST, "{attack:?}: {tally:?}, {most} MiB, {:?}", of_mallory(&program.log()));
        round += 1;
        let edit = format!("<book xmlns=\"urn:kill\"><page><id>0</id><text>{round}</text></page></book>");
        let edit = EditConfig::new(Datastore::Running, edit);
        let edited = honest.edit_config(&edit);
        tokio::time::timeout(SERVED, edited).await.unwrap_or_else(|_| panic!("{attack:?}: no edit")).unwrap();
        most = most.max(program.memory());
        let new = async {
            let target = Target { timeout: SERVED, ..program.target() };
            // Among strangers, who come first: a client tries again.
            let stream = loop {
                if let Ok(stream) = connect(&target).await {
                    break stream;
                }
            };
            let (session, _) = Session::open(stream, SessionConfig::default()).await.unwrap();
            session.get_config(&Datastore::Candidate, &Options::default()).await.unwrap();
            session.close().await.unwrap();
        };
        tokio::time::timeout(SERVED, new).await.unwrap_or_else(|_| panic!("{attack:?}: no new session"));
        most = most.max(program.memory());
    }
    stop.cancel();
    attacking.await.unwrap();
    println!("{attack:?}: at most {most} MiB");
    assert!(most < MEMORY, "{attack:?}: {most} MiB");
    let log = program.log();
    let lines: Vec<&str> = log.lines().skip(before).filter(|line| !line.contains("session started")).collect();
    let ends = lines.iter().filter(|line| line.contains("session ended") || line.contains("connection ended")).count();
    assert!(lines.len() - ends < LINES, "{attack:?} fills the log: {}", lines.join("\n"));
    assert!(!log.contains("panicked"), "{attack:?}: {log}");
    tally
}

/// The last lines about the attacker.
fn of_mallory(log: &str) -> Vec<&str> {
    log.lines().rev().filter(|line| line.contains("mallory")).take(9).collect()
}

fn opened(tally: &Tally) -> bool {
    tally.opened.load(Relaxed) > 0
}

fn answered_or_ended(tally: &Tally) -> bool {
    tally.ended.load(Relaxed) + tally.replies.load(Relaxed) > 0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_keep_nobody_out() {
    let directory = tempfile::tempdir().unwrap();
    let (program, honest) = start(directory.path(), &[]).await;
    // More of them than there are places for strangers.
    withstand(&program, &honest, Attack::Strangers, 4, |tally| tally.ended.load(Relaxed) > 100).await;
    withstand(&program, &honest, Attack::Drip, 4, opened).await;
    withstand(&program, &honest, Attack::Noise, 4, answered_or_ended).await;
    withstand(&program, &honest, Attack::Guesses, 4, answered_or_ended).await;
    honest.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_takes_neither_memory_nor_time_from_others() {
    let directory = tempfile::tempdir().unwrap();
    let (program, honest) = start(directory.path(), &[]).await;
    for (attack, scale) in [
        (Attack::NoHello, 20),
        (Attack::ByteASecond, 5),
        (Attack::NeverReads, 4),
        (Attack::Sips, 4),
        (Attack::Unfinished, 5),
        (Attack::Prefixes, 4),
        (Attack::HalfOpen, 20),
        (Attack::Everything, 4),
        (Attack::XPath, 4),
        (Attack::Validate, 4),
    ] {
        withstand(&program, &honest, attack, scale, opened).await;
    }
    // These are ended, or told that they are wrong.
    for attack in [Attack::Gigabyte, Attack::Nested, Attack::Entities, Attack::RandomBytes, Attack::Elements] {
        withstand(&program, &honest, attack, 4, answered_or_ended).await;
    }
    honest.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_answered_with_resource_denied_past_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let (program, honest) = start(directory.path(), &["--request-rate", "50"]).await;
    let tally = withstand(&program, &honest, Attack::Flood, 1, |tally| tally.denied.load(Relaxed) > 0).await;
    let (replies, denied) = (tally.replies.load(Relaxed), tally.denied.load(Relaxed));
    // Four sessions: a second's worth each, and the rate for as long as it lasted.
    assert!((1..4 * 50 * (2 + LONGEST.as_secs())).contains(&(replies - denied)), "{tally:?}");
    // Told once a session, however many were refused.
    let told = program.log().matches("more requests a second than allowed").count() as u64;
    assert!((1..=tally.opened.load(Relaxed)).contains(&told), "{told}, {tally:?}");
    honest.close().await.unwrap();
}
