//! Tests of dynamic subscriptions: what is asked, what is told and to whom.

use tokio::io::DuplexStream;

use super::*;
use crate::client::tests::script::{Script, in_time, pair};
use crate::client::{Options, SessionConfig};
use crate::message;

/// Answers the next request, which begins with this, and says what it was.
async fn answered(script: &mut Script<DuplexStream>, begins: &str, reply: &str) -> String {
    let (operation, head) = script.request().await.unwrap();
    assert!(operation.starts_with(&format!("<{begins}")), "{operation}");
    if reply.is_empty() {
        script.ok(&head).await
    } else {
        script.reply(&head, reply).await
    }
    operation
}

async fn subscribe(
    session: &Session,
    terms: &EstablishSubscription,
    script: &mut Script<DuplexStream>,
    reply: &str,
) -> (Result<Subscription, Error>, String) {
    tokio::join!(session.establish_subscription(terms), answered(script, "establish-subscription", reply))
}

fn established(id: u32) -> String {
    format!("<id xmlns=\"{SUBSCRIBED_NAMESPACE}\">{id}</id>")
}

fn notification(event: &str) -> String {
    let namespace = message::NOTIFICATION_NAMESPACE;
    format!("<notification xmlns=\"{namespace}\"><eventTime>T</eventTime>{event}</notification>")
}

fn state(name: &str, more: &str) -> String {
    notification(&format!("<{name} xmlns=\"{SUBSCRIBED_NAMESPACE}\">{more}</{name}>"))
}

fn events() -> EstablishSubscription {
    let target = SubscriptionTarget::Stream {
        stream: "NETCONF".into(),
        filter: Some(
            Filter::XPath { select: "/a:b[c<1]".into(), namespaces: vec![("a".into(), "urn:a".into())] }.into(),
        ),
        replay_start_time: Some("T0".into()),
    };
    EstablishSubscription { target, stop_time: Some("T9".into()) }
}

fn data(trigger: UpdateTrigger) -> EstablishSubscription {
    let selection = Some(Filter::Subtree("<a xmlns=\"urn:a\"/>".into()).into());
    let target = SubscriptionTarget::Datastore { datastore: NmdaDatastore::Operational, selection, trigger };
    EstablishSubscription { target, stop_time: None }
}

#[tokio::test]
async fn each_subscription_is_told_what_is_its_own() {
    let (session, mut rest, mut script) =
        pair(SessionConfig { max_notifications: 2, ..SessionConfig::default() }).await;
    let on_change = UpdateTrigger::OnChange {
        dampening_period: Some(100),
        sync_on_start: Some(false),
        excluded_changes: vec!["move"],
    };
    let (stream, pushed) = (events(), data(on_change));
    in_time(async {
        let revised = established(1) + &format!("<replay-start-time-revision xmlns=\"{SUBSCRIBED_NAMESPACE}\">T1</replay-start-time-revision>");
        let (got, asked) =
            subscribe(&session, &stream, &mut script, &revised).await;
        let mut stream = got.unwrap();
        assert_eq!((stream.id(), stream.replay_start_time_revision()), (1, Some("T1")));
        assert_eq!(
            asked,
            format!(
                "<establish-subscription xmlns=\"{SUBSCRIBED_NAMESPACE}\"><stream-xpath-filter xmlns:a=\"urn:a\">\
                 /a:b[c&lt;1]</stream-xpath-filter><stream>NETCONF</stream><replay-start-time>T0</replay-start-time>\
                 <stop-time>T9</stop-time></establish-subscription>"
            )
        );
        // Their events could not be told apart.
        let second = session.establish_subscription(&events()).await.unwrap_err();
        assert!(matches!(&second, Error::Protocol(why) if why.contains("second subscription to a stream")), "{second}");

        let (got, asked) =
            subscribe(&session, &pushed, &mut script, &established(2)).await;
        let mut push = got.unwrap();
        assert_eq!(
            asked,
            format!(
                "<establish-subscription xmlns=\"{SUBSCRIBED_NAMESPACE}\"><datastore xmlns=\"{PUSH_NAMESPACE}\" \
                 xmlns:ds=\"{DATASTORES_NAMESPACE}\">ds:operational</datastore><datastore-subtree-filter xmlns=\"{PUSH_NAMESPACE}\">\
                 <a xmlns=\"urn:a\"/></datastore-subtree-filter><on-change xmlns=\"{PUSH_NAMESPACE}\">\
                 <dampening-period>100</dampening-period><sync-on-start>false</sync-on-start>\
                 <excluded-change>move</excluded-change></on-change></establish-subscription>"
            )
        );

        script.send(&state("replay-completed", "<id>1</id>")).await;
        script.send(&notification("<e xmlns=\"urn:e\"/>")).await;
        let update = "<id>2</id><datastore-contents><a xmlns=\"urn:a\">1</a></datastore-contents><incomplete-update/>";
        script.send(&notification(&format!("<push-update xmlns=\"{PUSH_NAMESPACE}\">{update}</push-update>"))).await;
        let edit = "<edit><edit-id>e1</edit-id><operation>insert</operation><target>/a:l=2</target><point>/a:l=1</point>\
             <where>after</where><value><l xmlns=\"urn:a\">2</l></value></edit>";
        let patch = format!("<id>2</id><datastore-changes><yang-patch><patch-id>p</patch-id>{edit}</yang-patch></datastore-changes>");
        let change = notification(&format!("<push-change-update xmlns=\"{PUSH_NAMESPACE}\">{patch}</push-change-update>"));
        script.send(&change).await;
        // The third that waits is one too many, and the news of it follows before the end.
        script.send(&change).await;
        script.send(&state("subscription-terminated", "<id>2</id><reason xmlns:sn=\"urn:sn\">sn:no-such-subscription</reason>")).await;
        script.send(&state("subscription-suspended", "<id>3</id><reason>insufficient-resources</reason>")).await;

        let Some(SubscriptionEvent::State(change)) = stream.next().await else { panic!("replay-completed") };
        assert!(matches!(change.state, SubscriptionState::ReplayCompleted), "{change:?}");
        let Some(SubscriptionEvent::Event(event)) = stream.next().await else { panic!("the event") };
        assert!(event.text().contains("urn:e"));
        let Some(SubscriptionEvent::PushUpdate(update)) = push.next().await else { panic!("the update") };
        assert!(update.incomplete && update.contents.contains("<a xmlns=\"urn:a\">1</a>"), "{update:?}");
        let Some(SubscriptionEvent::PushChangeUpdate(update)) = push.next().await else { panic!("the change") };
        let [edit] = &*update.edits else { panic!("{update:?}") };
        assert_eq!((&*update.patch_id, edit.operation, &*edit.target), ("p", PatchOperation::Insert, "/a:l=2"));
        assert_eq!(edit.place, Some(Place::After("/a:l=1".into())));
        assert!(edit.value.as_deref().unwrap().contains("<l xmlns=\"urn:a\">2</l>"), "{edit:?}");
        // What was not taken in time, the end of it included.
        assert!(matches!(push.next().await, Some(SubscriptionEvent::Lost(2))));
        assert!(push.next().await.is_none());
        // One of an id that nobody here knows is not thrown away.
        assert!(matches!(rest.next().await, Some(NotificationEvent::Received(_))));

        // Both are told to the server: an end that is waited for, and the drop of a subscription.
        drop(push);
        let (ended, _) = tokio::join!(stream.delete(), answered(&mut script, "delete-subscription", ""));
        ended.unwrap();
        let (got, _) = subscribe(&session, &events(), &mut script, &established(4)).await;
        drop(got.unwrap());
        let asked = answered(&mut script, "delete-subscription", "").await;
        assert!(asked.contains("<id>4</id>"), "{asked}");
    })
    .await;
}

#[tokio::test]
async fn a_subscription_whose_asker_has_gone_is_ended() {
    let (session, _rest, mut script) = pair(SessionConfig::default()).await;
    let asking = tokio::spawn({
        let session = session.clone();
        async move { session.establish_subscription(&events()).await.map(|_| ()) }
    });
    in_time(async {
        let (_, head) = script.request().await.unwrap();
        asking.abort();
        let _aborted = asking.await;
        script.reply(&head, &established(5)).await;
        let asked = answered(&mut script, "delete-subscription", "").await;
        assert!(asked.contains("<id>5</id>"), "{asked}");
        // The place of a stream is free again.
        let (got, _) = subscribe(&session, &events(), &mut script, &established(6)).await;
        assert_eq!(got.unwrap().id(), 6);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_says_what_would_do() {
    let (session, _rest, mut script) = pair(SessionConfig::default()).await;
    let info = format!(
        "<establish-subscription-datastore-error-info xmlns=\"{PUSH_NAMESPACE}\"><reason xmlns:y=\"{PUSH_NAMESPACE}\">\
         y:period-unsupported</reason><period-hint>500</period-hint></establish-subscription-datastore-error-info>"
    );
    for (more, hint) in [(format!("<error-info>{info}</error-info>"), Some(500)), (String::new(), None)] {
        let error = format!(
            "<rpc-error><error-type>application</error-type><error-tag>invalid-value</error-tag><error-severity>error</error-severity>\
             <error-app-tag>ietf-yang-push:period-unsupported</error-app-tag>{more}</rpc-error>"
        );
        let pushed = data(UpdateTrigger::Periodic { period: 1, anchor_time: Some("T0".into()) });
        let (got, asked) = in_time(async { subscribe(&session, &pushed, &mut script, &error).await }).await;
        assert!(asked.contains("<period>1</period><anchor-time>T0</anchor-time>"), "{asked}");
        let refusal = Refusal::of(&got.unwrap_err()).unwrap();
        assert_eq!((&*refusal.reason, refusal.period_hint), ("period-unsupported", hint));
    }
    // The session is as it was.
    let all = Options::default();
    let (got, _) = in_time(async { tokio::join!(session.get(&all), answered(&mut script, "get", "<data/>")) }).await;
    got.unwrap();
}
