//! Subscriptions to datastores (RFC 8641) through sessions: their parameters, their errors, and what is told.

use super::*;

const PUSH: &str = "urn:ietf:params:xml:ns:yang:ietf-yang-push";

fn on_change(inside: &str) -> String {
    format!("<on-change xmlns=\"{PUSH}\">{inside}</on-change>")
}

fn of_system() -> String {
    format!("<datastore-subtree-filter xmlns=\"{PUSH}\"><system xmlns=\"urn:fixture\"/></datastore-subtree-filter>")
}

/// The parameters of a subscription to running.
fn running(inside: &str) -> String {
    let datastore = "xmlns:ds=\"urn:ietf:params:xml:ns:yang:ietf-datastores\">ds:running";
    format!("<datastore xmlns=\"{PUSH}\" {datastore}</datastore>{inside}")
}

async fn told(notifications: &mut Notifications) -> String {
    let next = tokio::time::timeout(Duration::from_secs(20), notifications.next()).await.expect("one comes in time");
    let Some(NotificationEvent::Received(message)) = next else { panic!("{next:?}") };
    message.text().to_owned()
}

#[tokio::test]
async fn changes_are_told_after_the_whole_until_the_subscription_is_deleted() {
    let bench = start().await;
    let (session, mut notifications) = bench.session("admin").await;
    set(&session, Datastore::Running, &name("a")).await.unwrap();
    let id = establish(&session, &running(&(of_system() + &on_change("")))).await;
    let whole = told(&mut notifications).await;
    assert!(whole.contains(&format!("<push-update xmlns=\"{PUSH}\"><id>{id}</id>")), "{whole}");
    assert!(whole.contains("<name>a</name>"), "{whole}");
    set(&session, Datastore::Running, &name("b")).await.unwrap();
    let change = told(&mut notifications).await;
    assert!(change.contains("<push-change-update ") && change.contains("<operation>replace</operation>"), "{change}");
    session.rpc(format!("<resync-subscription xmlns=\"{PUSH}\"><id>{id}</id></resync-subscription>")).await.unwrap();
    let again = told(&mut notifications).await;
    assert!(again.contains("<push-update ") && again.contains("<name>b</name>"), "{again}");
    let state = subscribed(&session).await;
    assert!(
        state.contains(">ds:running</datastore>") || state.contains(">ietf-datastores:running</datastore>"),
        "{state}"
    );
    assert!(state.contains("<dampening-period>0</dampening-period>"), "{state}");
    assert!(state.contains("<sent-event-records>3</sent-event-records>"), "{state}");
    session.rpc(operation("delete-subscription", &format!("<id>{id}</id>"))).await.unwrap();
    set(&session, Datastore::Running, &name("c")).await.unwrap();
    assert!(!subscribed(&session).await.contains("<id>"));
}

#[tokio::test]
async fn a_period_can_be_modified() {
    let bench = start().await;
    let (session, mut notifications) = bench.session("admin").await;
    set(&session, Datastore::Running, &name("a")).await.unwrap();
    let periodic = |period: u32| format!("<periodic xmlns=\"{PUSH}\"><period>{period}</period></periodic>");
    let id = establish(&session, &running(&(of_system() + &periodic(10)))).await;
    for _ in 0..3 {
        assert!(told(&mut notifications).await.contains("<name>a</name>"));
    }
    let terms = format!("<id>{id}</id>{}", running(&(of_system() + &periodic(360_000))));
    session.rpc(operation("modify-subscription", &terms)).await.unwrap();
    let modified = loop {
        let told = told(&mut notifications).await;
        if !told.contains("<push-update ") {
            break told;
        }
    };
    assert!(modified.contains("<subscription-modified ") && modified.contains("<period>360000</period>"), "{modified}");
    let resync = format!("<resync-subscription xmlns=\"{PUSH}\"><id>{id}</id></resync-subscription>");
    let (tag, app_tag) = refused(&session, resync).await;
    assert_eq!((tag, app_tag.as_deref()), (ErrorTag::InvalidValue, Some("ietf-yang-push:no-such-subscription-resync")));
}

#[tokio::test]
async fn a_datastore_subscription_that_cannot_be_is_refused_with_its_reason() {
    let bench = start().await;
    let session = bench.admin().await;
    let periodic = |inside: &str| format!("<periodic xmlns=\"{PUSH}\">{inside}</periodic>");
    let other = |datastore: &str, inside: &str| running(inside).replace("ds:running", datastore);
    let uptime = format!(
        "<datastore-xpath-filter xmlns=\"{PUSH}\" xmlns:f=\"urn:fixture\">/f:system/f:uptime</datastore-xpath-filter>"
    );
    for (inside, tag, app_tag) in [
        (running(""), ErrorTag::MissingElement, None),
        (on_change(""), ErrorTag::MissingElement, None),
        (running(&periodic("")), ErrorTag::MissingElement, None),
        (running(&(periodic("<period>100</period>") + &on_change(""))), ErrorTag::BadElement, None),
        (running(&periodic("<period>1</period>")), ErrorTag::InvalidValue, Some("period-unsupported")),
        (other("ds:dynamic", &on_change("")), ErrorTag::InvalidValue, Some("datastore-not-subscribable")),
        (
            other("ds:operational", &(uptime + &on_change(""))),
            ErrorTag::OperationNotSupported,
            Some("on-change-unsupported"),
        ),
        (running(&on_change("<excluded-change>rename</excluded-change>")), ErrorTag::InvalidValue, None),
        (running(&on_change("<dampening>1</dampening>")), ErrorTag::UnknownElement, None),
    ] {
        let expected = app_tag.map(|identity| format!("ietf-yang-push:{identity}"));
        assert_eq!(refused(&session, operation("establish-subscription", &inside)).await, (tag, expected), "{inside}");
    }
    let error = session.rpc(operation("establish-subscription", &running(&periodic("<period>1</period>")))).await;
    let error = error.unwrap_err();
    let hint = "<period-hint>10</period-hint></establish-subscription-datastore-error-info>";
    assert!(matches!(&error.rpc_errors()[0].info[..], [ErrorInfo::Xml(xml)] if xml.contains(hint)), "{error:?}");
}
