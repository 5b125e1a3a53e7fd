//! Tests of how notifications find their subscriptions.

use super::*;
use crate::client::tests::script::{in_time, pair};
use crate::client::*;
use crate::message::{self, Notification};

#[tokio::test]
async fn notifications_are_delivered_and_a_loss_is_told() {
    let config = SessionConfig { max_notifications: 2, ..SessionConfig::default() };
    let (session, mut notifications, mut script) = pair(config).await;
    let subscription = CreateSubscription { stream: Some("A&B".into()), ..CreateSubscription::default() };
    let (answered, ()) = in_time(async {
        tokio::join!(session.create_subscription(&subscription), async {
            let (operation, head) = script.request().await.unwrap();
            assert!(operation.contains("<stream>A&amp;B</stream>"), "{operation}");
            script.ok(&head).await;
            let namespace = message::NOTIFICATION_NAMESPACE;
            for i in 0..5 {
                script
                    .send(&format!(
                        "<notification xmlns=\"{namespace}\"><eventTime>T{i}</eventTime><e xmlns=\"urn:e\"/></notification>"
                    ))
                    .await;
            }
        })
    })
    .await;
    answered.unwrap();
    // The reply to a request that follows shows that all have come.
    let (answered, ()) = in_time(async {
        tokio::join!(session.commit(), async {
            let (_, head) = script.request().await.unwrap();
            script.ok(&head).await;
        })
    })
    .await;
    answered.unwrap();
    for time in ["T0", "T1"] {
        let Some(NotificationEvent::Received(message)) = in_time(notifications.next()).await else { panic!("{time}") };
        let document = message.document().unwrap();
        let notification = Notification::read(&document).unwrap();
        assert_eq!((notification.event_time, notification.event.name()), (time, "e"));
    }
    assert!(matches!(in_time(notifications.next()).await, Some(NotificationEvent::Lost(3))));
    // Whoever listens keeps the session.
    drop(session);
    script.send(&format!("<notification xmlns=\"{}\"/>", message::NOTIFICATION_NAMESPACE)).await;
    assert!(matches!(in_time(notifications.next()).await, Some(NotificationEvent::Received(_))));
    drop(notifications);
    assert!(in_time(script.request()).await.is_none());
}

#[test]
fn who_a_notification_is_for_is_told_by_its_beginning() {
    let of = |event: &str| {
        addressee(&format!(
            "<?xml version=\"1.0\"?>\n<n:notification xmlns:n=\"{NOTIFICATION_NAMESPACE}\" xmlns:y=\"{PUSH_NAMESPACE}\">\
             <n:eventTime>T</n:eventTime>{event}"
        ))
    };
    let one = |last| Addressee::Subscription { id: 7, last };
    for (event, expected) in [
        ("<y:push-update><y:id> 7 </y:id><y:datastore-contents><cut", one(false)),
        ("<y:push-change-update><y:datastore-changes><id>8</id></y:datastore-changes><y:id>7</y:id>", one(false)),
        (&*format!("<subscription-suspended xmlns=\"{SUBSCRIBED_NAMESPACE}\"><!-- --><id>7</id>"), one(false)),
        (&format!("<subscription-terminated xmlns=\"{SUBSCRIBED_NAMESPACE}\"><reason/><id>7</id>"), one(true)),
        (
            &format!("<push-update xmlns=\"urn:other\"><id xmlns=\"{PUSH_NAMESPACE}\">7</id></push-update>"),
            Addressee::Stream,
        ),
        ("<y:push-update><y:id>seven</y:id>", Addressee::Stream),
        ("<y:push-update/>", Addressee::Stream),
        ("<y:push-update", Addressee::Stream),
    ] {
        assert_eq!(of(event), expected, "{event}");
    }
}
