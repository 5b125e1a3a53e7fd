//! Tests of the operations: what is written.

use crate::client::tests::script::{in_time, pair};
use crate::client::*;
use crate::message;

#[tokio::test]
async fn operations_are_written_as_rfc_6241_has_them() {
    let (session, _notifications, mut script) = pair(SessionConfig::default()).await;
    let server = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some((operation, head)) = script.request().await {
            seen.push(operation.replace(&format!(" xmlns=\"{}\"", message::BASE_NAMESPACE), ""));
            script.ok(&head).await;
        }
        seen
    });
    let edit = EditConfig::new(Datastore::Candidate, "<a xmlns=\"urn:a\"/>").default_operation("none");
    let xpath = Filter::XPath { select: "/a:x[y='<']".into(), namespaces: vec![("a".into(), "urn:a".into())] };
    let confirmed = CommitConfirmed { timeout: Some(5), persist: Some("p".into()), persist_id: None };
    in_time(async {
        session.edit_config(&edit.error_option("rollback-on-error")).await.unwrap();
        session.get(&xpath.into()).await.unwrap();
        let options =
            Options { filter: Some(Filter::Subtree("<b xmlns=\"urn:b\"/>".into())), with_defaults: Some("trim") };
        session.get_config(&Datastore::Startup, &options).await.unwrap();
        session.copy_config(&Datastore::Url("file:///a&b".into()), &Datastore::Running).await.unwrap();
        session.commit_confirmed(&confirmed).await.unwrap();
        session.cancel_commit(Some("p")).await.unwrap();
        session.lock(&Datastore::Running).await.unwrap();
        session.validate(&Datastore::Candidate).await.unwrap();
        session.kill_session(3).await.unwrap();
        session.close().await.unwrap();
    })
    .await;
    drop((session, _notifications));
    let seen = in_time(server).await.unwrap();
    let expected = [
        "<edit-config><target><candidate/></target><default-operation>none</default-operation>\
         <error-option>rollback-on-error</error-option><config><a xmlns=\"urn:a\"/></config></edit-config>",
        "<get><filter xmlns:a=\"urn:a\" type=\"xpath\" select=\"/a:x[y='&lt;']\"/></get>",
        "<get-config><source><startup/></source><filter type=\"subtree\"><b xmlns=\"urn:b\"/></filter>\
         <with-defaults xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults\">trim</with-defaults></get-config>",
        "<copy-config><target><url>file:///a&amp;b</url></target><source><running/></source></copy-config>",
        "<commit><confirmed/><confirm-timeout>5</confirm-timeout><persist>p</persist></commit>",
        "<cancel-commit><persist-id>p</persist-id></cancel-commit>",
        "<lock><target><running/></target></lock>",
        "<validate><source><candidate/></source></validate>",
        "<kill-session><session-id>3</session-id></kill-session>",
        "<close-session/>",
    ];
    assert_eq!(seen, expected);
}
