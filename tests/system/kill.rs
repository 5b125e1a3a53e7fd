//! Kill -9 under edits: what was acknowledged is there, and running is one of the states that had been decided.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use netconf::client::{CommitConfirmed, Datastore, EditConfig, Options, Session};
use netconf::xml::Element;

use crate::program::Program;

/// Kills in all.
const ROUNDS: u32 = 200;
/// Servers that are killed side by side: a start waits more than it computes.
const LANES: u32 = 4;
/// Sessions that edit at once: their edits share syncs.
const WRITERS: u32 = 3;

/// How the pair is set in a round. Page writers edit running beside the first; a commit replaces running by candidate, and with it what
/// others did to running meanwhile.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Running,
    Candidate,
    /// By confirmed commits, each confirmed.
    Confirmed,
    /// By confirmed commits that nobody confirms: the start after the kill takes them back.
    Unconfirmed,
}

const WAYS: [Way; 4] = [Way::Running, Way::Candidate, Way::Confirmed, Way::Unconfirmed];

/// The pair's numbers, or how many pages one writer has written.
#[derive(Default)]
struct Progress {
    acknowledged: AtomicU32,
    /// The last that may be there all the same: its request was sent.
    asked: AtomicU32,
}

impl Progress {
    fn next(&self) -> u32 {
        self.acknowledged.load(Ordering::Relaxed) + 1
    }

    fn ask(&self, number: u32) {
        self.asked.store(number, Ordering::Relaxed);
    }

    fn acknowledge(&self, number: u32) {
        self.acknowledged.store(number, Ordering::Relaxed);
    }

    /// Takes what a start has found for what counts from now on.
    fn found(&self, number: u32, what: &str) {
        let (acknowledged, asked) = (self.acknowledged.load(Ordering::Relaxed), self.asked.load(Ordering::Relaxed));
        let decided = acknowledged..=asked.max(acknowledged);
        assert!(decided.contains(&number), "{what}: {number} is there, {acknowledged} was acknowledged, {asked} asked");
        self.acknowledge(number);
        self.ask(number);
    }
}

#[test]
fn acknowledged_edits_survive_kill_nine() {
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(kill_again_and_again(lane))
            })
        })
        .collect();
    let (mut edits, mut cut_short) = (0, 0);
    for lane in lanes {
        let (more_edits, more_cut_short) = lane.join().unwrap();
        edits += more_edits;
        cut_short += more_cut_short;
    }
    assert!(edits > ROUNDS, "hardly anything was edited: {edits}");
    assert!(cut_short > ROUNDS / 2, "the kills met no edits: {cut_short}");
}

/// One server's share of the rounds: how many edits it acknowledged, and how many writers were cut short.
async fn kill_again_and_again(lane: u32) -> (u32, u32) {
    let directory = tempfile::tempdir().unwrap();
    let pair = Arc::new(Progress::default());
    let pages: Vec<Arc<Progress>> = (0..WRITERS).map(|_| Arc::default()).collect();
    let mut cut_short = 0;
    for round in 0..ROUNDS / LANES {
        let way = WAYS[((round + lane) % 4) as usize];
        let mut program = Program::start(directory.path());
        let (session, _) = program.session().await;
        check(&session, &pair, &pages).await;
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = vec![tokio::spawn(write_pair(session, pair.clone(), stop.clone(), way))];
        for (number, written) in pages.iter().enumerate().filter(|_| way == Way::Running) {
            let (session, _) = program.session().await;
            writers.push(tokio::spawn(write_pages(session, number as u32, written.clone(), stop.clone())));
        }
        // Somewhere in the middle of it: a different moment in every round.
        tokio::time::sleep(Duration::from_millis(20 + u64::from((round * 37 + lane * 13) % 101))).await;
        program.kill();
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            cut_short += u32::from(writer.await.unwrap());
        }
    }
    let program = Program::start(directory.path());
    let (session, _) = program.session().await;
    check(&session, &pair, &pages).await;
    let edits = pages.iter().chain([&pair]).map(|progress| progress.acknowledged.load(Ordering::Relaxed)).sum();
    (edits, cut_short)
}

/// Rounds of the next test: each kills a server whose confirmed commit is pending, being made, confirmed or cancelled.
const ROUNDS_ON_TRIAL: u32 = 20;

/// RFC 6241 section 8.4.1: what nobody confirmed is not there after a restart; what was confirmed is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_nine_takes_back_what_is_on_trial() {
    let directory = tempfile::tempdir().unwrap();
    // What was confirmed last, and what may have been confirmed without a word.
    let (mut confirmed, mut unsure) = (0, 0);
    let mut killed_on_trial = 0;
    for round in 0..ROUNDS_ON_TRIAL {
        let mut program = Program::start(directory.path());
        let (session, _) = program.session().await;
        let found = left(&session).await;
        assert!(found == confirmed || found == unsure, "{found} is there, {confirmed} was confirmed");
        let writer = tokio::spawn(write_on_trial(session, found));
        tokio::time::sleep(Duration::from_millis(20 + u64::from(round * 37 % 101))).await;
        program.kill();
        let on_trial;
        (confirmed, unsure, on_trial) = writer.await.unwrap();
        killed_on_trial += u32::from(on_trial);
    }
    let program = Program::start(directory.path());
    let found = left(&program.session().await.0).await;
    assert!(found == confirmed || found == unsure, "{found} is there, {confirmed} was confirmed");
    assert!(found > ROUNDS_ON_TRIAL, "hardly anything was confirmed");
    assert!(killed_on_trial > 0, "no kill met a commit on trial");
}

/// Commits one number after the other on trial; each third is taken back, the others are confirmed. What was confirmed
/// last, what may have been, and whether the end met a commit on trial.
async fn write_on_trial(session: Session, from: u32) -> (u32, u32, bool) {
    let mut confirmed = from;
    for next in from + 1.. {
        let config = format!("<pair xmlns=\"urn:kill\"><left>{next}</left><right>{next}</right></pair>");
        if session.edit_config(&EditConfig::new(Datastore::Candidate, config)).await.is_err() {
            return (confirmed, confirmed, false);
        }
        let trial = CommitConfirmed { persist: Some("trial".into()), ..CommitConfirmed::default() };
        if session.commit_confirmed(&trial).await.is_err() {
            return (confirmed, confirmed, true);
        }
        // More that goes back with it.
        let page = format!("<book xmlns=\"urn:kill\"><page><id>{next}</id></page></book>");
        if session.edit_config(&EditConfig::new(Datastore::Running, page)).await.is_err() {
            return (confirmed, confirmed, true);
        }
        if next % 3 == 0 {
            if session.cancel_commit(Some("trial")).await.is_err() {
                return (confirmed, confirmed, true);
            }
        } else if session.commit_persisted("trial").await.is_err() {
            return (confirmed, next, true);
        } else {
            confirmed = next;
        }
    }
    unreachable!("numbers do not end")
}

async fn left(session: &Session) -> u32 {
    let reply = session.get_config(&Datastore::Running, &Options::default()).await.unwrap();
    let document = reply.document().unwrap();
    let pair = netconf::client::data(&document).unwrap().child("urn:kill", "pair");
    pair.and_then(|pair| pair.child("urn:kill", "left")).map_or(0, |left| left.text().parse().unwrap())
}

/// Sets both leafs to the same number, over and over. True if the kill came between a request and its reply.
async fn write_pair(session: Session, pair: Arc<Progress>, stop: Arc<AtomicBool>, way: Way) -> bool {
    let target = if way == Way::Running { Datastore::Running } else { Datastore::Candidate };
    let mut next = pair.next();
    while !stop.load(Ordering::Relaxed) {
        let config = format!("<pair xmlns=\"urn:kill\"><left>{next}</left><right>{next}</right></pair>");
        if way == Way::Running {
            pair.ask(next);
        }
        let mut done = session.edit_config(&EditConfig::new(target.clone(), config)).await.is_ok();
        if matches!(way, Way::Confirmed | Way::Unconfirmed) {
            done = done && session.commit_confirmed(&CommitConfirmed::default()).await.is_ok();
        }
        if done && matches!(way, Way::Candidate | Way::Confirmed) {
            pair.ask(next);
            done = session.commit().await.is_ok();
        }
        if !done {
            return true;
        }
        if way != Way::Unconfirmed {
            pair.acknowledge(next);
        }
        next += 1;
    }
    false
}

async fn write_pages(session: Session, number: u32, written: Arc<Progress>, stop: Arc<AtomicBool>) -> bool {
    while !stop.load(Ordering::Relaxed) {
        let next = written.next();
        let id = next * WRITERS + number;
        let config = format!("<book xmlns=\"urn:kill\"><page><id>{id}</id><text>page {id}</text></page></book>");
        written.ask(next);
        if session.edit_config(&EditConfig::new(Datastore::Running, config)).await.is_err() {
            return true;
        }
        written.acknowledge(next);
    }
    false
}

async fn check(session: &Session, pair: &Progress, pages: &[Arc<Progress>]) {
    let reply = session.get_config(&Datastore::Running, &Options::default()).await.unwrap();
    let document = reply.document().unwrap();
    let data = netconf::client::data(&document).unwrap();
    let number = |parent: Option<Element<'_>>, name: &str| -> u32 {
        parent.and_then(|p| p.child("urn:kill", name)).map_or(0, |e| e.text().parse().unwrap())
    };
    let both = data.child("urn:kill", "pair");
    let (left, right) = (number(both, "left"), number(both, "right"));
    assert_eq!(left, right, "half of an edit is in running");
    pair.found(left, "the pair");
    let mut found: Vec<u32> = Vec::new();
    if let Some(book) = data.child("urn:kill", "book") {
        for page in book.children() {
            let id = number(Some(page), "id");
            assert_eq!(page.child("urn:kill", "text").unwrap().text(), format!("page {id}"));
            found.push(id);
        }
    }
    for (writer, written) in pages.iter().enumerate() {
        let mine = found.iter().filter(|id| **id % WRITERS == writer as u32).count() as u32;
        written.found(mine, "pages");
    }
}
