//! Partial locks (RFC 5717), with the steps of its appendix A on the fixture's servers.

use super::*;
use crate::message::BASE_NAMESPACE;

const NAMESPACES: &[(&str, &str)] = &[("fx", "urn:fixture")];

fn servers(entries: &[String]) -> String {
    format!("<servers xmlns=\"urn:fixture\" xmlns:nc=\"{BASE_NAMESPACE}\">{}</servers>", entries.concat())
}

fn server(name: &str, inside: &str) -> String {
    format!("<server><name>{name}</name>{inside}</server>")
}

async fn lock(session: &Session, select: &str) -> Result<u32, RpcError> {
    let reply = session.partial_lock(&[select], NAMESPACES).await.map_err(first)?;
    let document = reply.document().unwrap();
    let id = document.root().child("urn:ietf:params:xml:ns:netconf:partial-lock:1.0", "lock-id").unwrap();
    Ok(id.text().parse().unwrap())
}

fn first(error: client::Error) -> RpcError {
    error.rpc_errors().first().cloned().unwrap_or_else(|| panic!("{error}"))
}

async fn set_up() -> (Bench, Session, Session) {
    let bench = start().await;
    let one = bench.admin().await;
    let two = bench.admin().await;
    set(&one, Datastore::Running, &servers(&[server("a", ""), server("b", "")])).await.unwrap();
    (bench, one, two)
}

/// Appendix A.1 and A.2: two entries are locked by one session, others are free; another session is refused, and served after
/// the unlock.
#[tokio::test]
async fn parts_are_locked_and_unlocked() {
    let (_bench, one, two) = set_up().await;
    assert!(one.capabilities().iter().any(|c| c == "urn:ietf:params:netconf:capability:partial-lock:1.0"));
    let reply = one
        .partial_lock(
            &["/fx:servers/fx:server[fx:name='a']", "/fx:system/fx:name | /fx:servers/fx:server[1]"],
            NAMESPACES,
        )
        .await
        .unwrap();
    let nodes: Vec<_> = reply.text().match_indices("<locked-node").collect();
    assert_eq!(nodes.len(), 1, "each node once: {}", reply.text());
    assert!(
        reply.text().contains("/fixture:servers/fixture:server[fixture:name='a']</locked-node>"),
        "{}",
        reply.text()
    );
    let port = |name: &str| servers(&[server(name, "<port>1</port>")]);
    set(&one, Datastore::Running, &port("a")).await.unwrap();
    set(&two, Datastore::Running, &port("b")).await.unwrap();
    let other = server("b", "<port>9</port>");
    let all = format!("<servers xmlns=\"urn:fixture\" xmlns:nc=\"{BASE_NAMESPACE}\" nc:operation=\"remove\"/>");
    for refused in [
        servers(&[server("a", "<port>3</port>"), other.clone()]),
        servers(&["<server nc:operation=\"remove\"><name>a</name></server>".into(), other]),
        all,
    ] {
        let error = first(set(&two, Datastore::Running, &refused).await.unwrap_err());
        assert_eq!((error.tag, error.app_tag.as_deref()), (ErrorTag::InUse, Some("locked")), "{error}");
    }
    assert!(!running(&two).await.contains("<port>9</port>"), "an edit is done whole or not at all");
    // Candidate is free, and its commit is not.
    set(&two, Datastore::Candidate, &servers(&[server("a", "<port>2</port>")])).await.unwrap();
    assert_eq!(first(two.commit().await.unwrap_err()).tag, ErrorTag::InUse);
    two.discard_changes().await.unwrap();
    assert_eq!(first(one.partial_unlock(99).await.unwrap_err()).tag, ErrorTag::InvalidValue);
    assert_eq!(first(two.partial_unlock(1).await.unwrap_err()).tag, ErrorTag::InvalidValue, "it is another's");
    one.partial_unlock(1).await.unwrap();
    set(&two, Datastore::Running, &port("a")).await.unwrap();
}

#[tokio::test]
async fn locks_exclude_each_other() {
    let (_bench, one, two) = set_up().await;
    let a = "/fx:servers/fx:server[fx:name='a']";
    lock(&one, a).await.unwrap();
    for select in [a, "/fx:servers", "/", "//fx:name"] {
        let error = lock(&two, select).await.unwrap_err();
        assert_eq!((error.tag, &error.info[0]), (ErrorTag::LockDenied, &ErrorInfo::SessionId(one.id())), "{select}");
    }
    lock(&two, "/fx:servers/fx:server[fx:name='b']").await.unwrap();
    lock(&one, &format!("{a}/fx:name")).await.unwrap();
    for session in [&one, &two] {
        assert_eq!(first(session.lock(&Datastore::Running).await.unwrap_err()).tag, ErrorTag::LockDenied);
    }
    one.lock(&Datastore::Candidate).await.unwrap();

    let datastores =
        "<netconf-state xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring\"><datastores/></netconf-state>";
    let state = one.get(&client::Options::from(Filter::Subtree(datastores.into()))).await.unwrap();
    assert_eq!(state.text().matches("<partial-lock>").count(), 3, "{}", state.text());
    assert!(state.text().contains("<locked-by-session>"), "{}", state.text());
}

#[tokio::test]
async fn partial_locks_end_with_their_session_and_wait_for_none() {
    let (bench, one, two) = set_up().await;
    lock(&one, "/fx:servers").await.unwrap();
    one.close().await.unwrap();
    let three = bench.admin().await;
    // The server may still be about it.
    let gone = tokio::time::timeout(Duration::from_secs(10), async {
        while two.lock(&Datastore::Running).await.is_err() {
            tokio::task::yield_now().await;
        }
    });
    gone.await.unwrap();
    assert_eq!(
        lock(&three, "/fx:servers").await.unwrap_err().tag,
        ErrorTag::LockDenied,
        "running is locked as a whole"
    );
    assert_eq!(
        lock(&two, "/fx:servers").await.unwrap_err().tag,
        ErrorTag::LockDenied,
        "by itself, too (section 2.4.1.3)"
    );
    two.unlock(&Datastore::Running).await.unwrap();
    lock(&three, "/fx:servers").await.unwrap();
}

/// RFC 5717 section 2.4.1.3.
#[tokio::test]
async fn what_cannot_be_locked_is_told() {
    let (_bench, one, _two) = set_up().await;
    let refused = |select: &'static str| {
        let one = &one;
        async move {
            let error = lock(one, select).await.unwrap_err();
            (error.tag, error.app_tag.as_deref().unwrap_or_default().to_owned())
        }
    };
    assert_eq!(refused("/fx:servers/fx:server[fx:name='z']").await, (ErrorTag::OperationFailed, "no-matches".into()));
    assert_eq!(refused("1 + 1").await, (ErrorTag::InvalidValue, "not-a-node-set".into()));
    assert_eq!(refused("/fx:servers[").await, (ErrorTag::InvalidValue, String::new()));
    assert_eq!(refused("/zz:servers").await, (ErrorTag::InvalidValue, String::new()));
    let error = first(one.partial_lock(&[], &[]).await.unwrap_err());
    assert_eq!(error.tag, ErrorTag::MissingElement);
    set(&one, Datastore::Candidate, &servers(&[server("a", "<port>2</port>")])).await.unwrap();
    one.commit_confirmed(&client::CommitConfirmed::default()).await.unwrap();
    assert_eq!(refused("/fx:servers").await, (ErrorTag::InUse, "outstanding-confirmed-commit".into()));
    one.cancel_commit(None).await.unwrap();
    for _ in 0..core::MAX_PARTIAL_LOCKS {
        lock(&one, "/fx:servers").await.unwrap();
    }
    assert_eq!(refused("/fx:servers").await.0, ErrorTag::ResourceDenied);
}

/// A node stays locked while it is not there (RFC 5717 section 2.4.1), also for whoever creates it with what is around it.
#[tokio::test]
async fn what_was_deleted_stays_locked() {
    let (_bench, one, two) = set_up().await;
    lock(&one, "/fx:servers/fx:server[fx:name='a']").await.unwrap();
    let none = format!("<servers xmlns=\"urn:fixture\" xmlns:nc=\"{BASE_NAMESPACE}\" nc:operation=\"remove\"/>");
    set(&one, Datastore::Running, &none).await.unwrap();
    let again = servers(&[server("a", ""), server("c", "")]);
    let error = first(set(&two, Datastore::Running, &again).await.unwrap_err());
    assert_eq!((error.tag, error.app_tag.as_deref()), (ErrorTag::InUse, Some("locked")), "{error}");
    // The same around it is nobody's.
    set(&two, Datastore::Running, &servers(&[server("c", "")])).await.unwrap();
    set(&one, Datastore::Running, &again).await.unwrap();
}

/// What a `when` would remove is locked as well: an edit of another node must not take it away.
#[tokio::test]
async fn what_an_edit_removes_by_a_condition_is_locked() {
    let (_bench, one, two) = set_up().await;
    let weighty = servers(&[server("a", "<port>80</port><weight>3</weight>")]);
    set(&one, Datastore::Running, &weighty).await.unwrap();
    lock(&one, "/fx:servers/fx:server[fx:name='a']/fx:weight").await.unwrap();
    let before = running(&two).await;
    let port = servers(&[server("a", "<port>22</port>")]);
    let refused = set(&two, Datastore::Running, &port).await;
    assert_eq!(running(&two).await, before, "{refused:?}");
    assert_eq!(first(refused.unwrap_err()).tag, ErrorTag::InUse);
}

/// Whatever the operation; and as long as one of a session's locks holds the node.
#[tokio::test]
async fn every_way_to_running_is_barred_but_a_rollback() {
    let (_bench, one, two) = set_up().await;
    let outer = lock(&one, "/fx:servers").await.unwrap();
    let inner = lock(&one, "/fx:servers/fx:server[fx:name='a']").await.unwrap();
    one.partial_unlock(outer).await.unwrap();
    let port = servers(&[server("a", "<port>2</port>")]);
    let test_only = EditConfig::new(Datastore::Running, port.as_str()).test_option("test-only");
    for refused in [
        two.edit_config(&test_only).await,
        two.edit_data(client::NmdaDatastore::Running, &port, None).await,
        two.replace_config(&Datastore::Running, &port).await,
        two.replace_config(&Datastore::Running, "").await,
    ] {
        assert_eq!(first(refused.unwrap_err()).tag, ErrorTag::InUse);
    }
    // What does not touch it passes: here the whole of running is replaced, and the entry stays as it is.
    two.replace_config(&Datastore::Running, &servers(&[server("a", ""), server("d", "")])).await.unwrap();
    // The holder's own confirmed commit, which another session takes back.
    set(&one, Datastore::Candidate, &port).await.unwrap();
    let persistent = client::CommitConfirmed { persist: Some("p".into()), ..Default::default() };
    one.commit_confirmed(&persistent).await.unwrap();
    assert!(running(&two).await.contains("<port>2</port>"));
    two.cancel_commit(Some("p")).await.unwrap();
    assert!(!running(&two).await.contains("<port>2</port>"));
    one.partial_unlock(inner).await.unwrap();
    set(&two, Datastore::Running, &port).await.unwrap();
}
