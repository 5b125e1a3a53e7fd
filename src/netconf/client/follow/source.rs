//! Where a follower's events come from: a subscription of RFC 5277 or of RFC 8639.

use super::{
    CreateSubscription, Error, EstablishSubscription, Follow, Means, NotificationMessage, Notifications, Session,
};
use crate::client::{NotificationEvent, Subscription, SubscriptionEvent, SubscriptionState, SubscriptionTarget};
use crate::message::{NOTIFICATION_NAMESPACE, Notification};

/// The namespace of `replayComplete` and `notificationComplete` (RFC 5277 section 4). Some servers take that of the
/// messages.
const FLOW_NAMESPACE: &str = "urn:ietf:params:xml:ns:netmod:notification";

pub(super) enum Source {
    Created(Notifications),
    Established { subscription: Subscription, suspended: bool },
}

pub(super) enum Incoming {
    Event(NotificationMessage),
    ReplayComplete,
    /// Of no meaning to a follower.
    Nothing,
    /// Something was left out: a replay brings it.
    Behind(String),
    /// The subscription or the session is over.
    Over,
}

impl Source {
    /// Subscribes, and takes `rest` once that is done.
    pub(super) async fn open(
        follow: &Follow,
        session: &Session,
        rest: &mut Option<Notifications>,
        start_time: Option<&str>,
    ) -> Result<Source, Error> {
        let start_time = start_time.map(str::to_owned);
        match follow.means {
            Means::CreateSubscription => {
                let terms = CreateSubscription {
                    stream: follow.stream.clone(),
                    filter: follow.filter.clone(),
                    start_time,
                    stop_time: None,
                };
                session.create_subscription(&terms).await?;
                Ok(Source::Created(rest.take().expect("taken by the subscription that is made, which is the last")))
            }
            Means::EstablishSubscription => {
                let target = SubscriptionTarget::Stream {
                    stream: follow.stream.clone().unwrap_or_else(|| "NETCONF".to_owned()),
                    filter: follow.filter.clone().map(Into::into),
                    replay_start_time: start_time,
                };
                let terms = EstablishSubscription { target, stop_time: None };
                let subscription = session.establish_subscription(&terms).await?;
                Ok(Source::Established { subscription, suspended: false })
            }
        }
    }

    /// From when on there are events, where the server said that it has none from the time that was asked for.
    pub(super) fn revised(&self) -> Option<&str> {
        match self {
            Source::Created(_) => None,
            Source::Established { subscription, .. } => subscription.replay_start_time_revision(),
        }
    }

    /// Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Incoming {
        match self {
            Source::Created(notifications) => match notifications.next().await {
                Some(NotificationEvent::Received(message)) => flow(message),
                Some(NotificationEvent::Lost(count)) => lost(count),
                None => Incoming::Over,
            },
            Source::Established { subscription, suspended } => match subscription.next().await {
                Some(SubscriptionEvent::Event(message) | SubscriptionEvent::Unreadable(message, _)) => {
                    Incoming::Event(message)
                }
                Some(SubscriptionEvent::Lost(count)) => lost(count),
                Some(SubscriptionEvent::State(change)) => match change.state {
                    SubscriptionState::ReplayCompleted => Incoming::ReplayComplete,
                    SubscriptionState::Suspended(_) => {
                        *suspended = true;
                        Incoming::Nothing
                    }
                    // What happened meanwhile is not sent any more.
                    SubscriptionState::Resumed if *suspended => {
                        Incoming::Behind("the subscription was suspended for a time".to_owned())
                    }
                    SubscriptionState::Terminated(reason) => {
                        Incoming::Behind(format!("the server ended the subscription: {reason}"))
                    }
                    SubscriptionState::Resumed | SubscriptionState::Modified(_) | SubscriptionState::Completed => {
                        Incoming::Nothing
                    }
                },
                Some(SubscriptionEvent::PushUpdate(_) | SubscriptionEvent::PushChangeUpdate(_)) => Incoming::Nothing,
                None => Incoming::Over,
            },
        }
    }
}

fn lost(count: u64) -> Incoming {
    Incoming::Behind(format!("{count} notifications came faster than they were taken"))
}

/// What RFC 5277's messages about the subscription itself mean.
fn flow(message: NotificationMessage) -> Incoming {
    let of_flow = message.document().ok().and_then(|document| {
        let event = Notification::read(&document)?.event;
        match (event.namespace(), event.name()) {
            (FLOW_NAMESPACE | NOTIFICATION_NAMESPACE, "replayComplete") => Some(Incoming::ReplayComplete),
            (FLOW_NAMESPACE | NOTIFICATION_NAMESPACE, "notificationComplete") => {
                Some(Incoming::Behind("the server ended the subscription".to_owned()))
            }
            _ => None,
        }
    });
    of_flow.unwrap_or(Incoming::Event(message))
}
