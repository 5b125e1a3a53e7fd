//! Confirmed commit 1.1 over sessions (RFC 6241 section 8.4), and what RFC 6470 has subscribers told of it.

use super::*;
use crate::client::CommitConfirmed;

fn confirmed(timeout: Option<u32>) -> CommitConfirmed {
    CommitConfirmed { timeout, ..CommitConfirmed::default() }
}

fn persistent(persist: &str) -> CommitConfirmed {
    CommitConfirmed { persist: Some(persist.into()), ..CommitConfirmed::default() }
}

fn with_name(value: &str) -> String {
    format!("<system xmlns=\"urn:fixture\"><name>{value}</name></system>")
}

/// A server whose running has the name "before", and candidate the name "new".
async fn prepared() -> (Bench, Session) {
    let bench = start().await;
    let session = bench.admin().await;
    set(&session, Datastore::Running, &name("before")).await.unwrap();
    set(&session, Datastore::Candidate, &name("new")).await.unwrap();
    (bench, session)
}

async fn becomes(session: &Session, expected: &str) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let found = running(session).await;
        if found == expected {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{found}, not {expected}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The next notification of that name, from its start tag on.
async fn told(notifications: &mut Notifications, name: &str) -> String {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(10), notifications.next()).await.expect("an event");
        let Some(NotificationEvent::Received(event)) = next else { panic!("the subscription has ended") };
        if let Some((_, event)) = event.text().split_once(&format!("<{name} ")) {
            return event.to_owned();
        }
    }
}

async fn subscribed(bench: &Bench) -> (Session, Notifications) {
    let (session, notifications) = bench.session("admin").await;
    session.create_subscription(&CreateSubscription::default()).await.unwrap();
    (session, notifications)
}

const EVENT: &str = "netconf-confirmed-commit";

#[tokio::test]
async fn the_capability_is_announced_and_its_feature() {
    let bench = start().await;
    let session = bench.admin().await;
    let all: Vec<&str> = session.capabilities().iter().collect();
    assert!(all.contains(&"urn:ietf:params:netconf:capability:confirmed-commit:1.1"), "{all:?}");
    assert!(all.iter().any(|c| c.contains("module=ietf-netconf&") && c.contains("confirmed-commit")), "{all:?}");
}

/// The example of RFC 6241 section 8.4.5.1: a confirmed commit, and the commit that confirms it.
#[tokio::test]
async fn a_commit_on_trial_stays_when_it_is_confirmed() {
    let (bench, session) = prepared().await;
    let (_listener, mut events) = subscribed(&bench).await;
    session.commit_confirmed(&confirmed(Some(120))).await.unwrap();
    assert_eq!(running(&session).await, with_name("new"));
    let start = told(&mut events, EVENT).await;
    let by = format!(
        "<username>admin</username><session-id>{}</session-id><source-host>127.0.0.1</source-host>",
        session.id()
    );
    assert!(
        start.contains(&by) && start.contains("<confirm-event>start</confirm-event><timeout>120</timeout>"),
        "{start}"
    );
    // Follow-up commits may change more, and start the time anew.
    set(&session, Datastore::Candidate, &name("newer")).await.unwrap();
    session.commit_confirmed(&confirmed(None)).await.unwrap();
    let extend = told(&mut events, EVENT).await;
    assert!(extend.contains("<confirm-event>extend</confirm-event><timeout>600</timeout>"), "{extend}");
    session.commit().await.unwrap();
    let complete = told(&mut events, EVENT).await;
    assert!(complete.contains(&by) && complete.contains("complete") && !complete.contains("<timeout>"), "{complete}");
    session.close().await.unwrap();
    let other = bench.admin().await;
    assert_eq!(running(&other).await, with_name("newer"));
    assert_eq!(tag(other.cancel_commit(None).await.unwrap_err()).0, ErrorTag::OperationFailed);
    let crashed = bench.after_power_failure().await;
    assert_eq!(running(&crashed.admin().await).await, with_name("newer"));
}

#[tokio::test]
async fn time_over_takes_it_back_with_all_that_came_after() {
    let (bench, session) = prepared().await;
    let (other, mut events) = subscribed(&bench).await;
    session.commit_confirmed(&confirmed(Some(1))).await.unwrap();
    // Nobody has locked running: RFC 6241 section 8.4.1 warns of what happens to this.
    set(&other, Datastore::Running, "<system xmlns=\"urn:fixture\"><mtu>1000</mtu></system>").await.unwrap();
    set(&other, Datastore::Candidate, &name("later")).await.unwrap();
    assert!(told(&mut events, EVENT).await.contains("start"));
    assert!(told(&mut events, "netconf-config-change").await.contains("fixture:mtu"));
    let change = told(&mut events, "netconf-config-change").await;
    assert!(change.contains("<changed-by><server/></changed-by>"), "{change}");
    let timeout = told(&mut events, EVENT).await;
    assert!(timeout.contains("<confirm-event>timeout</confirm-event>") && !timeout.contains("username"), "{timeout}");
    assert_eq!(running(&session).await, with_name("before"));
    assert_eq!(bench.applied.lock().unwrap().last().unwrap().len(), 2, "the device goes back too");
    // What was not committed is still there, and a commit is a plain one again.
    let candidate = session.get_config(&Datastore::Candidate, &client::Options::default()).await.unwrap();
    assert!(candidate.text().contains("later"));
    session.commit().await.unwrap();
    assert!(running(&other).await.contains("<name>later</name>"));
}

#[tokio::test]
async fn the_end_of_its_session_takes_it_back_unless_it_persists() {
    let (bench, session) = prepared().await;
    let (other, mut events) = subscribed(&bench).await;
    session.lock(&Datastore::Running).await.unwrap();
    session.commit_confirmed(&confirmed(None)).await.unwrap();
    let id = session.id();
    other.kill_session(id).await.unwrap();
    becomes(&other, &with_name("before")).await;
    assert!(told(&mut events, EVENT).await.contains("start"));
    let cancel = told(&mut events, EVENT).await;
    assert!(cancel.contains(&format!("<session-id>{id}</session-id>")) && cancel.contains("cancel"), "{cancel}");
    other.lock(&Datastore::Running).await.expect("the lock went after the commit");
    other.unlock(&Datastore::Running).await.unwrap();

    let session = bench.admin().await;
    set(&session, Datastore::Candidate, &name("new")).await.unwrap();
    session.commit_confirmed(&persistent("IQ,d4668")).await.unwrap();
    session.close().await.unwrap();
    told(&mut events, "netconf-session-end").await;
    assert_eq!(running(&other).await, with_name("new"));
    // Any session can go on with it that knows the token.
    let extend = CommitConfirmed { persist_id: Some("IQ,d4668".into()), ..confirmed(Some(300)) };
    other.commit_confirmed(&extend).await.unwrap();
    bench.admin().await.commit_persisted("IQ,d4668").await.unwrap();
    assert_eq!(running(&other).await, with_name("new"));
}

/// The example of RFC 6241 section 8.4.4.1: `<cancel-commit>`.
#[tokio::test]
async fn cancel_commit_takes_it_back_at_once() {
    let (bench, session) = prepared().await;
    let (other, mut events) = subscribed(&bench).await;
    session.commit_confirmed(&confirmed(None)).await.unwrap();
    assert_eq!(tag(other.cancel_commit(None).await.unwrap_err()).0, ErrorTag::InUse);
    session.cancel_commit(None).await.unwrap();
    assert_eq!(running(&session).await, with_name("before"));
    assert!(told(&mut events, EVENT).await.contains("start"));
    let cancel = told(&mut events, EVENT).await;
    assert!(cancel.contains(&format!("<session-id>{}</session-id>", session.id())) && cancel.contains("cancel"));
    set(&session, Datastore::Candidate, &name("new")).await.unwrap();
    session.commit_confirmed(&persistent("token")).await.unwrap();
    assert_eq!(tag(other.cancel_commit(Some("other")).await.unwrap_err()).0, ErrorTag::InvalidValue);
    other.cancel_commit(Some("token")).await.unwrap();
    assert_eq!(running(&session).await, with_name("before"));
}

#[tokio::test]
async fn others_are_told_who_is_in_the_way() {
    let (bench, session) = prepared().await;
    let other = bench.admin().await;
    session.commit_confirmed(&confirmed(None)).await.unwrap();
    let client::Error::Rpc(errors) = other.commit().await.unwrap_err() else { panic!() };
    assert_eq!(errors[0].tag, ErrorTag::InUse);
    assert!(errors[0].message.as_ref().unwrap().contains(&format!("session {} ", session.id())), "{}", errors[0]);
    assert_eq!(tag(other.commit_confirmed(&confirmed(None)).await.unwrap_err()).0, ErrorTag::InUse);
    assert_eq!(tag(other.commit_persisted("guess").await.unwrap_err()).0, ErrorTag::InvalidValue);
    // RFC 6241 section 7.5.
    let client::Error::Rpc(errors) = other.lock(&Datastore::Running).await.unwrap_err() else { panic!() };
    assert_eq!((errors[0].tag, &errors[0].info[..]), (ErrorTag::LockDenied, &[ErrorInfo::SessionId(session.id())][..]));
    session.lock(&Datastore::Running).await.unwrap();
    // What is not on trial is not touched by discard-changes.
    set(&session, Datastore::Candidate, &name("later")).await.unwrap();
    session.discard_changes().await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(running(&other).await, with_name("new"));
}

#[tokio::test]
async fn parameters_are_held_to_their_types() {
    let (_bench, session) = prepared().await;
    for (operation, expected) in [
        ("<commit><confirmed/><confirm-timeout>0</confirm-timeout></commit>", ErrorTag::InvalidValue),
        ("<commit><confirmed/><confirm-timeout>x</confirm-timeout></commit>", ErrorTag::InvalidValue),
        ("<commit><confirmed/><confirm-timeout>4294967296</confirm-timeout></commit>", ErrorTag::InvalidValue),
        ("<commit><confirmed>yes</confirmed></commit>", ErrorTag::InvalidValue),
        ("<commit><confirm-timeout>9</confirm-timeout></commit>", ErrorTag::MissingElement),
        ("<commit><persist>a</persist></commit>", ErrorTag::MissingElement),
        ("<commit><persist-id>a</persist-id></commit>", ErrorTag::InvalidValue),
        ("<commit><forever/></commit>", ErrorTag::UnknownElement),
        ("<cancel-commit><persist-id>a</persist-id></cancel-commit>", ErrorTag::InvalidValue),
    ] {
        let error = session.rpc(operation).await.expect_err(operation);
        assert_eq!(tag(error).0, expected, "{operation}");
    }
    // Nothing of that has changed anything; and the longest time there is can be asked for.
    assert_eq!(running(&session).await, with_name("before"));
    session.commit_confirmed(&confirmed(Some(u32::MAX))).await.unwrap();
    session.commit().await.unwrap();
}

#[tokio::test]
async fn a_crash_takes_it_back_whatever_came_after() {
    let (bench, session) = prepared().await;
    session.commit_confirmed(&persistent("token")).await.unwrap();
    set(&session, Datastore::Running, "<system xmlns=\"urn:fixture\"><mtu>1000</mtu></system>").await.unwrap();
    let crashed = bench.after_power_failure().await;
    let there = crashed.admin().await;
    assert_eq!(running(&there).await, with_name("before"));
    assert_eq!(tag(there.commit_persisted("token").await.unwrap_err()).0, ErrorTag::InvalidValue);
    // What is done from there on survives the next crash: the rollback is part of the journal.
    set(&there, Datastore::Running, &name("after")).await.unwrap();
    let again = crashed.after_power_failure().await;
    assert_eq!(running(&again.admin().await).await, with_name("after"));
}

/// A checkpoint that is written while one is pending holds both: what is in force and where it goes back to.
#[tokio::test]
async fn a_checkpoint_keeps_the_way_back() {
    let (bench, session) = prepared().await;
    session.commit_confirmed(&persistent("token")).await.unwrap();
    let checkpoint = bench.directory.path().join("state/running.checkpoint");
    let before = std::fs::read(&checkpoint).unwrap();
    let blob = "x".repeat(700_000);
    let big = |name: &str| format!("<system xmlns=\"urn:fixture\"><tag>{name}{blob}</tag></system>");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let mut round = 0;
    while std::fs::read(&checkpoint).unwrap() == before {
        assert!(tokio::time::Instant::now() < deadline, "no checkpoint was written");
        set(&session, Datastore::Running, &big(&round.to_string())).await.unwrap();
        round += 1;
    }
    // Acknowledged after all that belongs to the checkpoint was done.
    set(&session, Datastore::Running, &name("last")).await.unwrap();
    let crashed = bench.after_power_failure().await;
    assert_eq!(running(&crashed.admin().await).await, with_name("before"));
    session.commit_persisted("token").await.unwrap();
    let confirmed = bench.after_power_failure().await;
    assert!(running(&confirmed.admin().await).await.contains("<name>last</name>"));
}

#[tokio::test]
async fn a_device_that_refuses_to_go_back_is_asked_again() {
    let (bench, session) = prepared().await;
    session.commit_confirmed(&confirmed(Some(1))).await.unwrap();
    bench.refuses.store(true, Ordering::Relaxed);
    // A cancel that fails leaves it pending.
    assert_eq!(tag(session.cancel_commit(None).await.unwrap_err()).0, ErrorTag::RollbackFailed);
    let overdue = || {
        bench
            .server
            .shared()
            .datastores
            .timer()
            .borrow()
            .is_some_and(|due| due > tokio::time::Instant::now() + Duration::from_secs(2))
    };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !overdue() {
        assert!(tokio::time::Instant::now() < deadline, "the time is not over");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Running is what the device has, and nobody can confirm it any more.
    assert_eq!(running(&session).await, with_name("new"));
    assert_eq!(tag(session.commit().await.unwrap_err()).0, ErrorTag::InUse);
    // The next attempt, and the one after it.
    let shared = bench.server.shared();
    let try_again = || async {
        let later = tokio::time::Instant::now() + 2 * crate::server::core::ROLLBACK_RETRY;
        shared.datastores.time_out(&shared.provider, later).await
    };
    assert!(matches!(try_again().await, Some(Err(error)) if error.tag == ErrorTag::RollbackFailed));
    assert_eq!(running(&session).await, with_name("new"));
    bench.refuses.store(false, Ordering::Relaxed);
    assert!(matches!(try_again().await, Some(Ok(edits)) if edits.len() == 1));
    assert_eq!(running(&session).await, with_name("before"));
    assert!(try_again().await.is_none(), "there is nothing left to take back");
    session.commit().await.unwrap();
}
