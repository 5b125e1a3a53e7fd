//! Dynamic subscriptions (RFC 8639, RFC 8640) through sessions.

mod datastores;

use super::*;
use crate::message::Notification;

const NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-subscribed-notifications";

/// An operation of RFC 8639 with what stands in it.
fn operation(name: &str, inside: &str) -> String {
    format!("<{name} xmlns=\"{NAMESPACE}\">{inside}</{name}>")
}

async fn establish(session: &Session, inside: &str) -> u32 {
    let reply = session.rpc(operation("establish-subscription", inside)).await.unwrap();
    let document = reply.document().unwrap();
    let id = document.root().children().find(|e| e.is(NAMESPACE, "id")).expect("an id");
    id.text().parse().unwrap()
}

async fn refused(session: &Session, rpc: String) -> (ErrorTag, Option<String>) {
    tag(session.rpc(rpc.clone()).await.expect_err(&rpc))
}

/// The device tells that a job has started.
async fn started(bench: &Bench, job: &str) {
    #[derive(serde::Serialize)]
    struct Started<'j> {
        job: &'j str,
    }
    let shared = bench.server.shared();
    let tree = tree_at(&shared.schema, "/fixture:started", &Started { job }).unwrap();
    shared.events.send(provider::Event::Notification(tree)).await.unwrap();
}

/// The next notification: the event's name and the texts of what is inside it.
async fn heard(notifications: &mut Notifications) -> String {
    let next = tokio::time::timeout(Duration::from_secs(20), notifications.next()).await.expect("one comes in time");
    let Some(NotificationEvent::Received(message)) = next else { panic!("{next:?}") };
    let document = message.document().unwrap();
    let event = Notification::read(&document).unwrap().event;
    let texts: Vec<&str> = event.children().filter(|c| !c.has_children()).map(|c| c.text()).collect();
    // Identities come under the names of their modules.
    format!("{}({})", event.name(), texts.join(" ").replace("ietf-subscribed-notifications:", ""))
}

async fn subscribed(session: &Session) -> String {
    let filter = Filter::Subtree(format!("<subscriptions xmlns=\"{NAMESPACE}\"/>"));
    session.get(&filter.into()).await.unwrap().text().to_owned()
}

/// Each gets what its filter lets through, in the order in which it happened, and the operational state counts it.
#[tokio::test]
async fn one_session_holds_several_subscriptions() {
    let bench = start().await;
    let (session, mut notifications) = bench.session("admin").await;
    let subtree = "<stream>NETCONF</stream><stream-subtree-filter><started xmlns=\"urn:fixture\"><job>a</job></started>\
                   </stream-subtree-filter>";
    let xpath = "<stream>NETCONF</stream><stream-xpath-filter xmlns:f=\"urn:fixture\">/f:started/f:job != 'a'\
                 </stream-xpath-filter>";
    let first = establish(&session, subtree).await;
    let second = establish(&session, xpath).await;
    assert_ne!(first, second);
    for job in ["a", "b", "a"] {
        started(&bench, job).await;
        assert_eq!(heard(&mut notifications).await, format!("started({job})"));
    }
    let state = subscribed(&session).await;
    assert!(
        state.contains("<stream-xpath-filter xmlns:fixture=\"urn:fixture\">/fixture:started/fixture:job != 'a'"),
        "{state}"
    );
    assert!(state.contains("<job>a</job>") && state.contains("<sent-event-records>2</sent-event-records>"), "{state}");
    session.rpc(operation("delete-subscription", &format!("<id>{first}</id>"))).await.unwrap();
    started(&bench, "a").await;
    started(&bench, "c").await;
    assert_eq!(heard(&mut notifications).await, "started(c)");
    drop((session, notifications));
    let other = bench.admin().await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let state = subscribed(&other).await;
        if !state.contains("<id>") {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "a subscription outlived its session: {state}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_replay_is_completed_and_a_stop_time_ends_it() {
    let bench = start().await;
    let (session, mut notifications) = bench.session("admin").await;
    started(&bench, "early").await;
    let created = bench.server.shared().streams.log().replay_log_creation_time();
    let inside = "<stream>fixture</stream><replay-start-time>2001-01-01T00:00:00Z</replay-start-time>";
    let reply = session.rpc(operation("establish-subscription", inside)).await.unwrap();
    let revision = format!(">{created:.6}</replay-start-time-revision>");
    assert!(reply.text().contains(&revision), "{}", reply.text());
    assert_eq!(heard(&mut notifications).await, "started(early)");
    assert_eq!(heard(&mut notifications).await, "replay-completed(1)");
    started(&bench, "late").await;
    assert_eq!(heard(&mut notifications).await, "started(late)");
    session.rpc(operation("delete-subscription", "<id>1</id>")).await.unwrap();

    let stop = jiff::Timestamp::now() + Duration::from_millis(300);
    let id = establish(&session, &format!("<stream>fixture</stream><stop-time>{stop}</stop-time>")).await;
    assert_eq!(heard(&mut notifications).await, format!("subscription-terminated({id} no-such-subscription)"));
    let delete = operation("delete-subscription", &format!("<id>{id}</id>"));
    assert_eq!(refused(&session, delete).await.0, ErrorTag::InvalidValue);
}

#[tokio::test]
async fn new_terms_are_told() {
    let bench = start().await;
    let (session, mut notifications) = bench.session("admin").await;
    let id = establish(
        &session,
        "<stream>NETCONF</stream><stream-xpath-filter>/fixture:started[fixture:job='a']</stream-xpath-filter>",
    )
    .await;
    let filter = "<stream-xpath-filter>/fixture:started[fixture:job='b']</stream-xpath-filter>";
    session.rpc(operation("modify-subscription", &format!("<id>{id}</id>{filter}"))).await.unwrap();
    let told = heard(&mut notifications).await;
    assert!(told.starts_with(&format!("subscription-modified({id} ")), "{told}");
    assert!(told.contains("NETCONF") && told.contains("[fixture:job='b']"), "{told}");
    started(&bench, "a").await;
    started(&bench, "b").await;
    assert_eq!(heard(&mut notifications).await, "started(b)");
}

#[tokio::test]
async fn a_subscription_is_killed_by_who_may() {
    let bench = start().await;
    let (session, mut notifications) = bench.session("bob").await;
    let admin = bench.admin().await;
    let id = establish(&session, "<stream>NETCONF</stream>").await;
    let kill = operation("kill-subscription", &format!("<id>{id}</id>"));
    assert_eq!(refused(&session, kill.clone()).await.0, ErrorTag::AccessDenied);
    let delete = operation("delete-subscription", &format!("<id>{id}</id>"));
    let no_such = (ErrorTag::InvalidValue, Some("ietf-subscribed-notifications:no-such-subscription".to_owned()));
    assert_eq!(refused(&admin, delete).await, no_such, "it is another's");
    admin.rpc(kill.clone()).await.unwrap();
    assert_eq!(heard(&mut notifications).await, format!("subscription-terminated({id} no-such-subscription)"));
    assert_eq!(refused(&admin, kill).await, no_such);
    // The session goes on, and so do new subscriptions of it.
    establish(&session, "<stream>NETCONF</stream>").await;
}

#[tokio::test]
async fn a_configured_filter_is_followed() {
    let bench = start().await;
    let (session, mut notifications) = bench.session("admin").await;
    let filters = |inside: &str| format!("<filters xmlns=\"{NAMESPACE}\">{inside}</filters>");
    let jobs = |job: &str| {
        filters(&format!(
            "<stream-filter><name>jobs</name><stream-subtree-filter><started xmlns=\"urn:fixture\"><job>{job}</job>\
             </started></stream-subtree-filter></stream-filter>"
        ))
    };
    set(&session, Datastore::Running, &jobs("a")).await.unwrap();
    let id = establish(&session, "<stream>NETCONF</stream><stream-filter-name>jobs</stream-filter-name>").await;
    started(&bench, "b").await;
    started(&bench, "a").await;
    assert_eq!(heard(&mut notifications).await, "started(a)");
    set(&session, Datastore::Running, &jobs("b")).await.unwrap();
    let told = heard(&mut notifications).await;
    assert!(told.starts_with(&format!("subscription-modified({id} ")), "{told}");
    started(&bench, "a").await;
    started(&bench, "b").await;
    assert_eq!(heard(&mut notifications).await, "started(b)");
    let edit = EditConfig::new(Datastore::Running, "").default_operation("replace");
    session.edit_config(&edit).await.unwrap();
    assert_eq!(heard(&mut notifications).await, format!("subscription-terminated({id} filter-unavailable)"));
}

/// RFC 8640 section 3: the subscriptions of RFC 5277 and RFC 8639 do not share a session.
#[tokio::test]
async fn the_two_kinds_do_not_mix() {
    let bench = start().await;
    let (classic, _events) = bench.session("admin").await;
    classic.create_subscription(&CreateSubscription::default()).await.unwrap();
    let stream = operation("establish-subscription", "<stream>NETCONF</stream>");
    assert_eq!(refused(&classic, stream).await.0, ErrorTag::OperationFailed);
    let (dynamic, _events) = bench.session("admin").await;
    establish(&dynamic, "<stream>NETCONF</stream>").await;
    let error = dynamic.create_subscription(&CreateSubscription::default()).await.unwrap_err();
    assert_eq!(tag(error).0, ErrorTag::OperationFailed);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_reason() {
    let bench = start().await;
    let session = bench.admin().await;
    for (inside, tag, app_tag) in [
        ("", ErrorTag::MissingElement, None),
        ("<stream>x</stream>", ErrorTag::InvalidValue, None),
        ("<stream>NETCONF</stream><streams/>", ErrorTag::UnknownElement, None),
        ("<stream>NETCONF</stream><stream>fixture</stream>", ErrorTag::BadElement, None),
        (
            "<stream>NETCONF</stream><encoding>encode-json</encoding>",
            ErrorTag::OperationNotSupported,
            Some("encoding-unsupported"),
        ),
        (
            "<stream>NETCONF</stream><stream-xpath-filter>/fixture:started[</stream-xpath-filter>",
            ErrorTag::InvalidValue,
            Some("filter-unsupported"),
        ),
        (
            "<stream>NETCONF</stream><stream-xpath-filter>/what:ever</stream-xpath-filter>",
            ErrorTag::InvalidValue,
            Some("filter-unsupported"),
        ),
        (
            "<stream>NETCONF</stream><stream-filter-name>none</stream-filter-name>",
            ErrorTag::InvalidValue,
            Some("filter-unavailable"),
        ),
        (
            "<stream>NETCONF</stream><stream-filter-name>n</stream-filter-name><stream-subtree-filter/>",
            ErrorTag::BadElement,
            None,
        ),
        (
            "<stream>NETCONF</stream><replay-start-time>2999-01-01T00:00:00Z</replay-start-time>",
            ErrorTag::BadElement,
            None,
        ),
        ("<stream>NETCONF</stream><stop-time>2001-01-01T00:00:00Z</stop-time>", ErrorTag::BadElement, None),
        (
            "<stream>NETCONF</stream><replay-start-time>2001-01-01T00:00:00Z</replay-start-time><stop-time>2001-01-01T00:00:00Z</stop-time>",
            ErrorTag::BadElement,
            None,
        ),
        ("<stream>NETCONF</stream><stop-time>tomorrow</stop-time>", ErrorTag::InvalidValue, None),
    ] {
        let expected = app_tag.map(|identity| format!("ietf-subscribed-notifications:{identity}"));
        assert_eq!(refused(&session, operation("establish-subscription", inside)).await, (tag, expected), "{inside}");
    }
    for _ in 0..crate::server::subscription::MAX_SUBSCRIPTIONS {
        establish(&session, "<stream>NETCONF</stream>").await;
    }
    let error = session.rpc(operation("establish-subscription", "<stream>NETCONF</stream>")).await.unwrap_err();
    let [error] = error.rpc_errors() else { panic!("{error}") };
    assert_eq!(error.tag, ErrorTag::ResourceDenied);
    let info = "<reason>insufficient-resources</reason></establish-subscription-stream-error-info>";
    assert!(matches!(&error.info[..], [ErrorInfo::Xml(xml)] if xml.contains(info)), "{error:?}");
}

#[tokio::test]
async fn configured_subscriptions_are_refused() {
    let bench = start().await;
    let session = bench.admin().await;
    let config = operation(
        "subscriptions",
        "<subscription><id>1</id><stream>NETCONF</stream><receivers><receiver>\
        <name>a</name></receiver></receivers></subscription>",
    );
    let error = set(&session, Datastore::Running, &config).await.unwrap_err();
    assert_eq!(tag(error).0, ErrorTag::OperationNotSupported);
    assert_eq!(running(&session).await, "");
}

/// A stream of a module is a view of the log: only that module's events, live and replayed, in either kind of subscription.
#[tokio::test]
async fn each_module_with_notifications_has_a_stream() {
    let bench = start().await;
    let (session, mut notifications) = bench.session("admin").await;
    let filter = Filter::Subtree(format!("<streams xmlns=\"{NAMESPACE}\"/>"));
    let listed = session.get(&filter.into()).await.unwrap();
    for name in ["NETCONF", "fixture", "actions", "ietf-netconf-notifications"] {
        assert!(listed.text().contains(&format!("<name>{name}</name>")), "{}", listed.text());
    }
    assert!(!listed.text().contains("<name>ietf-subscribed-notifications</name>"), "{}", listed.text());
    let subscription = CreateSubscription { stream: Some("fixture".into()), ..CreateSubscription::default() };
    session.create_subscription(&subscription).await.unwrap();
    // A change of configuration is an event of another module.
    set(&session, Datastore::Running, &name("x")).await.unwrap();
    started(&bench, "j").await;
    assert_eq!(heard(&mut notifications).await, "started(j)");
}
