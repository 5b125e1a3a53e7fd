//! Running and candidate: edits, commits, options and locks (RFC 6241 sections 7 and 8.3).

use super::*;

#[tokio::test]
async fn edits_reach_running_device_and_disk() {
    let bench = start().await;
    let session = bench.admin().await;
    set(&session, Datastore::Running, &name("a")).await.unwrap();
    assert_eq!(bench.applied.lock().unwrap().len(), 1);
    assert_eq!(running(&session).await, "<system xmlns=\"urn:fixture\"><name>a</name></system>");
    // What changes nothing is not applied.
    set(&session, Datastore::Running, &name("a")).await.unwrap();
    assert_eq!(bench.applied.lock().unwrap().len(), 1);
    for wrong in ["bad", "broken"] {
        assert!(set(&session, Datastore::Running, &name(wrong)).await.is_err());
    }
    assert_eq!(running(&session).await, "<system xmlns=\"urn:fixture\"><name>a</name></system>");
    set(&session, Datastore::Candidate, &name("b")).await.unwrap();
    session.validate(&Datastore::Candidate).await.unwrap();
    session.commit().await.unwrap();
    drop(session);
    let again = bench.restart().await;
    let session = again.admin().await;
    assert_eq!(running(&session).await, "<system xmlns=\"urn:fixture\"><name>b</name></system>");
}

#[tokio::test]
async fn candidate_is_edited_discarded_and_committed() {
    let bench = start().await;
    let session = bench.admin().await;
    set(&session, Datastore::Candidate, &name("c")).await.unwrap();
    assert_eq!(running(&session).await, "");
    let candidate = session.get_config(&Datastore::Candidate, &client::Options::default()).await.unwrap();
    assert!(candidate.text().contains("<name>c</name>"));
    session.discard_changes().await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(running(&session).await, "");
    // Constraints on candidate wait for validate and commit.
    let rule = "<servers xmlns=\"urn:fixture\"><rule><id>1</id><sub>s</sub></rule></servers>";
    set(&session, Datastore::Candidate, rule).await.unwrap();
    assert_eq!(tag(session.validate(&Datastore::Candidate).await.unwrap_err()).0, ErrorTag::DataMissing);
    assert_eq!(tag(session.commit().await.unwrap_err()).0, ErrorTag::DataMissing);
    assert_eq!(tag(set(&session, Datastore::Running, rule).await.unwrap_err()).0, ErrorTag::DataMissing);
    session.copy_config(&Datastore::Candidate, &Datastore::Running).await.unwrap();
    session.replace_config(&Datastore::Running, &name("whole")).await.unwrap();
    assert_eq!(running(&session).await, "<system xmlns=\"urn:fixture\"><name>whole</name></system>");
    assert_eq!(
        tag(session.copy_config(&Datastore::Running, &Datastore::Running).await.unwrap_err()).0,
        ErrorTag::InvalidValue
    );
}

#[tokio::test]
async fn test_and_error_options_mean_what_they_say() {
    let bench = start().await;
    let session = bench.admin().await;
    let edit = EditConfig::new(Datastore::Running, name("t")).test_option("test-only");
    session.edit_config(&edit).await.unwrap();
    assert_eq!(running(&session).await, "");
    let two = "<system xmlns=\"urn:fixture\"><name>n</name><mtu>1</mtu></system>";
    let edit = |option| EditConfig::new(Datastore::Running, two).error_option(option);
    assert_eq!(tag(session.edit_config(&edit("rollback-on-error")).await.unwrap_err()).0, ErrorTag::InvalidValue);
    assert_eq!(running(&session).await, "");
    assert_eq!(tag(session.edit_config(&edit("continue-on-error")).await.unwrap_err()).0, ErrorTag::InvalidValue);
    assert_eq!(running(&session).await, "<system xmlns=\"urn:fixture\"><name>n</name></system>");
    let edit = EditConfig::new(Datastore::Running, "").default_operation("replace");
    session.edit_config(&edit).await.unwrap();
    assert_eq!(running(&session).await, "");
}

#[tokio::test]
async fn locks_hold_and_die_with_their_session() {
    let bench = start().await;
    let (one, two) = (bench.admin().await, bench.admin().await);
    one.lock(&Datastore::Running).await.unwrap();
    let client::Error::Rpc(errors) = two.lock(&Datastore::Running).await.unwrap_err() else { panic!() };
    assert_eq!(errors[0].tag, ErrorTag::LockDenied);
    assert_eq!(errors[0].info, [ErrorInfo::SessionId(one.id())]);
    assert_eq!(tag(set(&two, Datastore::Running, &name("x")).await.unwrap_err()).0, ErrorTag::InUse);
    assert_eq!(tag(two.unlock(&Datastore::Running).await.unwrap_err()).0, ErrorTag::OperationFailed);
    set(&one, Datastore::Running, &name("x")).await.unwrap();
    one.unlock(&Datastore::Running).await.unwrap();
    set(&two, Datastore::Candidate, &name("y")).await.unwrap();
    assert_eq!(tag(one.lock(&Datastore::Candidate).await.unwrap_err()).0, ErrorTag::LockDenied);
    two.discard_changes().await.unwrap();
    one.lock(&Datastore::Candidate).await.unwrap();
    set(&one, Datastore::Candidate, &name("z")).await.unwrap();
    one.close().await.unwrap();
    // The lock goes with the session, and the changes with the lock.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while two.lock(&Datastore::Candidate).await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "the lock outlived its session");
    }
    two.commit().await.unwrap();
    assert_eq!(running(&two).await, "<system xmlns=\"urn:fixture\"><name>x</name></system>");
}
