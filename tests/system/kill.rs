//! Kill -9 under edits: what was acknowledged is there, and running is never half of an edit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use netconf::client::{CommitConfirmed, Datastore, EditConfig, Options, Session};
use netconf::xml::Element;

use crate::program::Program;

const ROUNDS: u32 = 50;
/// Sessions that edit at once: their edits share syncs.
const WRITERS: u32 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_edits_survive_kill_nine() {
    let directory = tempfile::tempdir().unwrap();
    // The pair's last acknowledged number, and each writer's pages.
    let pair = Arc::new(AtomicU32::new(0));
    let pages: Vec<Arc<AtomicU32>> = (0..WRITERS).map(|_| Arc::default()).collect();
    let mut killed_in_flight = 0;
    for round in 0..ROUNDS {
        let mut program = Program::start(directory.path());
        let (session, _) = program.session().await;
        check(&session, &pair, &pages).await;
        let stop = Arc::new(AtomicBool::new(false));
        // A commit replaces running by candidate, and with it what others did to running meanwhile: apart from them.
        let candidate = round % 2 == 0;
        let mut writers = vec![tokio::spawn(write_pair(session, pair.clone(), stop.clone(), candidate))];
        for (number, written) in pages.iter().enumerate().filter(|_| !candidate) {
            let (session, _) = program.session().await;
            writers.push(tokio::spawn(write_pages(session, number as u32, written.clone(), stop.clone())));
        }
        // Somewhere in the middle of it: a different moment in every round.
        tokio::time::sleep(Duration::from_millis(20 + u64::from(round * 37 % 101))).await;
        program.kill();
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            killed_in_flight += u32::from(writer.await.unwrap());
        }
    }
    let program = Program::start(directory.path());
    let (session, _) = program.session().await;
    check(&session, &pair, &pages).await;
    assert!(pair.load(Ordering::Relaxed) > ROUNDS, "hardly anything was edited");
    assert!(killed_in_flight > ROUNDS, "the kills met no edits");
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

/// Sets both leafs to the same number, over and over, in running or through candidate. True if an edit was cut short.
async fn write_pair(session: Session, pair: Arc<AtomicU32>, stop: Arc<AtomicBool>, candidate: bool) -> bool {
    while !stop.load(Ordering::Relaxed) {
        let next = pair.load(Ordering::Relaxed) + 1;
        let config = format!("<pair xmlns=\"urn:kill\"><left>{next}</left><right>{next}</right></pair>");
        let target = if candidate { Datastore::Candidate } else { Datastore::Running };
        let mut done = session.edit_config(&EditConfig::new(target, config)).await.is_ok();
        if done && candidate {
            done = session.commit().await.is_ok();
        }
        if !done {
            return true;
        }
        pair.store(next, Ordering::Relaxed);
    }
    false
}

async fn write_pages(session: Session, number: u32, written: Arc<AtomicU32>, stop: Arc<AtomicBool>) -> bool {
    while !stop.load(Ordering::Relaxed) {
        let next = written.load(Ordering::Relaxed);
        let id = next * WRITERS + number;
        let config = format!("<book xmlns=\"urn:kill\"><page><id>{id}</id><text>page {id}</text></page></book>");
        if session.edit_config(&EditConfig::new(Datastore::Running, config)).await.is_err() {
            return true;
        }
        written.store(next + 1, Ordering::Relaxed);
    }
    false
}

async fn check(session: &Session, pair: &AtomicU32, pages: &[Arc<AtomicU32>]) {
    let reply = session.get_config(&Datastore::Running, &Options::default()).await.unwrap();
    let document = reply.document().unwrap();
    let data = netconf::client::data(&document).unwrap();
    let number = |parent: Option<Element<'_>>, name: &str| -> u32 {
        parent.and_then(|p| p.child("urn:kill", name)).map_or(0, |e| e.text().parse().unwrap())
    };
    let both = data.child("urn:kill", "pair");
    let (left, right) = (number(both, "left"), number(both, "right"));
    assert_eq!(left, right, "half of an edit is in running");
    let acknowledged = pair.load(Ordering::Relaxed);
    assert!(left == acknowledged || left == acknowledged + 1, "{left} is there, {acknowledged} was acknowledged");
    pair.store(left, Ordering::Relaxed);
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
        let acknowledged = written.load(Ordering::Relaxed);
        assert!(
            mine == acknowledged || mine == acknowledged + 1,
            "{mine} pages are there, {acknowledged} acknowledged"
        );
        written.store(mine, Ordering::Relaxed);
    }
}
