//! One session with a device, from its modules to its end: subscription, replay, reading, and then live.
//!
//! The order is what makes it exact. What the device told while it was out of contact is replayed first; then the device is read, and what
//! it tells meanwhile waits in the session's queue, so that what was read never undoes what came after.

use std::time::Duration;

use jiff::Timestamp;
use netconf::capability::{INTERLEAVE, NOTIFICATION};
use netconf::client::{
    BackOff, CreateSubscription, Error, NotificationEvent, NotificationMessage, Notifications, Session, data,
};
use netconf::message::Notification;
use netconf::yang::edit::{read_known_data, read_operation};
use tokio::time::Instant;

use super::library::Library;
use super::query::ARE_YOU_THERE;
use super::supervisor::{Counting, Ending, Supervisor};
use super::{Order, lock};
use crate::facts::{DeviceEvent, EventContent, Report};
use crate::input::Input;
use crate::model::{ConnectionState, Kind};

/// Namespace of `replayComplete` and `notificationComplete` (RFC 5277 section 4).
const FLOW: &str = "urn:ietf:params:xml:ns:netmod:notification";

/// A replay that says nothing for so long is taken as complete: not every server tells its end.
const REPLAY_SILENCE: Duration = Duration::from_secs(3);

/// Why a session is over.
pub(super) enum End {
    Lost(String),
    /// So many notifications are lost.
    Gap(u64),
}

/// Either of the two ways out.
enum Out {
    End(End),
    Ending,
}

impl From<Ending> for Out {
    fn from(_: Ending) -> Out {
        Out::Ending
    }
}

/// What a notification was.
enum Heard {
    Event,
    ReplayComplete,
}

pub(super) struct Lasting<'s> {
    device: &'s mut Supervisor,
    session: Session,
    notifications: Notifications,
    library: Library,
    kind: Kind,
    /// Number of the last event, where the device counts them.
    sequence: Option<u64>,
    /// What is counted is not judged while it is replayed: it may begin anywhere.
    live: bool,
    /// Failed readings in a row, and when the next is due.
    unread: u32,
    read_at: Option<Instant>,
}

impl<'s> Lasting<'s> {
    pub(super) fn new(device: &'s mut Supervisor, session: Session, notifications: Notifications) -> Self {
        Lasting {
            device,
            session,
            notifications,
            library: Library::default(),
            kind: Kind::Unknown,
            sequence: None,
            live: false,
            unread: 0,
            read_at: None,
        }
    }

    pub(super) async fn run(mut self) -> Result<End, Ending> {
        let stop = self.device.link.stop.clone();
        let out = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(Ending),
            out = self.last() => out,
        };
        match out {
            Out::End(end) => Ok(end),
            Out::Ending => Err(Ending),
        }
    }

    async fn last(&mut self) -> Out {
        let Err(out) = self.steps().await;
        out
    }

    async fn steps(&mut self) -> Result<std::convert::Infallible, Out> {
        let shared = self.device.shared.clone();
        self.library = shared.libraries.read(&self.session).await.map_err(lost)?;
        self.kind = self.library.kind();
        if self.subscribe().await? {
            self.replay().await?;
        }
        if let Counting::Missing(number) = self.device.counting {
            let device = &self.device.link.plan.name;
            tracing::warn!(device, number, "an event does not come with a replay: gaps are not looked for any more");
            self.device.counting = Counting::Gaps;
        }
        self.live = true;
        self.read().await?;
        loop {
            let silence = self.device.shared.pace.silence;
            let ask_at = self.device.link.contact().heard + silence;
            tokio::select! {
                event = self.notifications.next() => {
                    self.hear(event).await?;
                }
                order = self.device.orders.recv() => match order {
                    Some(Order::Connect { accept_host_key: _, done }) => {
                        // It is connected: no key is in question.
                        self.device.expect(false, done);
                        self.read().await?;
                        self.device.answer();
                    }
                    Some(Order::Synchronize) => self.read().await?,
                    None => return Err(Out::Ending),
                },
                () = until(self.read_at) => self.read().await?,
                () = tokio::time::sleep_until(ask_at) => self.keep_alive().await?,
            }
        }
    }

    /// Subscribes to all that the device tells, from the last event that was handed over. True where a replay follows.
    async fn subscribe(&mut self) -> Result<bool, Out> {
        let capabilities = self.session.capabilities();
        // Without :interleave a session with a subscription takes no request; what a device of unknown kind tells has no meaning here.
        if self.kind == Kind::Unknown || !capabilities.has(NOTIFICATION) || !capabilities.has(INTERLEAVE) {
            return Ok(false);
        }
        let name = self.device.name();
        let last = lock(&self.device.shared.last_events).get(&name).copied();
        let start_time = last.map(|time| time.to_string());
        let subscription = CreateSubscription { start_time, ..CreateSubscription::default() };
        match self.session.create_subscription(&subscription).await {
            Ok(_) => return Ok(last.is_some()),
            Err(Error::Rpc(errors)) if last.is_some() => {
                tracing::warn!(
                    device = name,
                    ?errors,
                    "the device replays nothing: what it did meanwhile is known by its state alone"
                );
                // A time that lies in the future of a clock that was set back is of no use again.
                lock(&self.device.shared.last_events).remove(&name);
            }
            Err(Error::Rpc(errors)) => {
                tracing::warn!(device = name, ?errors, "the device takes no subscription");
                return Ok(false);
            }
            Err(error) => return Err(lost(error)),
        }
        match self.session.create_subscription(&CreateSubscription::default()).await {
            Ok(_) => {}
            Err(Error::Rpc(errors)) => tracing::warn!(device = name, ?errors, "the device takes no subscription"),
            Err(error) => return Err(lost(error)),
        }
        Ok(false)
    }

    /// Hands over what is replayed.
    async fn replay(&mut self) -> Result<(), Out> {
        loop {
            match tokio::time::timeout(REPLAY_SILENCE, self.notifications.next()).await {
                Ok(event) => {
                    if let Heard::ReplayComplete = self.hear(event).await? {
                        return Ok(());
                    }
                }
                Err(_) => return Ok(()),
            }
        }
    }

    /// Reads the device and tells the brain. What fails at the device is tried again; what fails on the way ends the session.
    async fn read(&mut self) -> Result<(), Out> {
        self.read_at = None;
        let shared = self.device.shared.clone();
        let turn = shared.reading.acquire().await.expect("the semaphore is never closed");
        let report = match self.report().await {
            Ok(report) => Ok(report),
            Err(Unread::Lost(error)) => return Err(lost(error)),
            Err(Unread::Failed(error)) => Err(error),
        };
        drop(turn);
        let name = self.device.name();
        match report {
            Ok(report) => {
                self.unread = 0;
                self.device.tell(Input::Synchronized { device: name, report: Box::new(report) }).await?;
                self.device.operational(self.kind);
            }
            Err(error) => {
                self.unread = self.unread.saturating_add(1);
                self.read_at = Some(Instant::now() + BackOff::default().delay(self.unread));
                tracing::warn!(device = name, "cannot be read: {error}");
                self.device.stand(ConnectionState::Synchronizing, Some(&error));
                self.device.tell(Input::NotSynchronized { device: name, error }).await?;
                self.device.answer();
            }
        }
        Ok(())
    }

    async fn report(&self) -> Result<Report, Unread> {
        let shared = &self.device.shared;
        let mut report = Report::default();
        if let Some(query) = shared.queries.everything(self.kind) {
            let reply = self.session.get(query).await.map_err(unread)?;
            let tree = {
                let document = reply.document().map_err(unread)?;
                let (tree, unknown) = read_known_data(&shared.schema, data(&document).map_err(unread)?);
                if let Some(first) = unknown.first() {
                    let (device, count) = (&self.device.link.plan.name, unknown.len());
                    tracing::warn!(device, count, "some of what the device has is not understood, such as: {first}");
                }
                tree
            };
            // The text is as large as the device; from here on the tree is enough.
            drop(reply);
            report = Report::read(&tree).map_err(|error| Unread::Failed(error.to_string()))?;
        }
        report.kind = self.kind;
        report.content_id = self.library.content_id.clone();
        report.modules = (*self.library.modules).clone();
        report.simulated |= self.library.has("qkdn-simulation");
        self.device.link.contact().heard = Instant::now();
        Ok(report)
    }

    /// Asks a silent device whether it is there, unless it has a request of somebody else to answer: requests are answered in order.
    async fn keep_alive(&mut self) -> Result<(), Out> {
        let link = self.device.link.clone();
        if link.under_way.load(std::sync::atomic::Ordering::Relaxed) == 0 {
            let answer = self.device.shared.pace.answer;
            match self.session.rpc_within(ARE_YOU_THERE, answer).await {
                // Any answer is a sign of life.
                Ok(_) | Err(Error::Rpc(_)) => {}
                Err(Error::Timeout(_)) => {
                    let silence = (self.device.shared.pace.silence + answer).as_secs_f32();
                    return Err(Out::End(End::Lost(format!("the device has been silent for {silence} s"))));
                }
                Err(error) => return Err(lost(error)),
            }
        }
        link.contact().heard = Instant::now();
        Ok(())
    }

    async fn hear(&mut self, event: Option<NotificationEvent>) -> Result<Heard, Out> {
        let message = match event {
            Some(NotificationEvent::Received(message)) => message,
            Some(NotificationEvent::Lost(count)) => return Err(Out::End(End::Gap(count))),
            None => {
                let reason = self.session.ended().map_or("the session ended".to_owned(), Error::to_string);
                return Err(Out::End(End::Lost(reason)));
            }
        };
        self.device.link.contact().heard = Instant::now();
        let event = match self.understand(&message) {
            Ok(Understood::Event(event)) => event,
            Ok(Understood::ReplayComplete) => return Ok(Heard::ReplayComplete),
            // The device ended the subscription, because we were too slow: the rest comes with a replay.
            Ok(Understood::Complete) => return Err(Out::End(End::Gap(0))),
            Err(reason) => {
                tracing::warn!(device = self.device.link.plan.name, "a notification that cannot be read: {reason}");
                return Ok(Heard::Event);
            }
        };
        if let Some(number) = event.sequence_number {
            self.count(number)?;
        }
        let (name, time) = (self.device.name(), event.time);
        self.device.tell(Input::Event { device: name.clone(), event }).await?;
        // Not the latest time but that of the last event: the device's clock may have been set back.
        lock(&self.device.shared.last_events).insert(name, time);
        Ok(Heard::Event)
    }

    /// A number that is left out is an event lost on the way: a replay brings it.
    fn count(&mut self, number: u64) -> Result<(), Out> {
        let expected = self.sequence.map(|last| last + 1);
        let counting = &mut self.device.counting;
        if *counting == Counting::Missing(number) {
            *counting = Counting::Trusted;
        }
        if let Some(expected) = expected.filter(|&expected| self.live && number > expected)
            && *counting == Counting::Trusted
        {
            *counting = Counting::Missing(expected);
            return Err(Out::End(End::Gap(number - expected)));
        }
        self.sequence = Some(number);
        Ok(())
    }

    fn understand(&self, message: &NotificationMessage) -> Result<Understood, String> {
        let document = message.document().map_err(|error| error.to_string())?;
        let notification = Notification::read(&document).ok_or("it has no time, or no event")?;
        match (notification.event.namespace(), notification.event.name()) {
            (FLOW, "replayComplete") => return Ok(Understood::ReplayComplete),
            (FLOW, "notificationComplete") => return Ok(Understood::Complete),
            _ => {}
        }
        let time: Timestamp = notification
            .event_time
            .parse()
            .map_err(|error| format!("its time {:?}: {error}", notification.event_time))?;
        let tree = read_operation(&self.device.shared.schema, notification.event);
        let event = match tree {
            Ok(tree) => DeviceEvent::read(time, &tree).map_err(|error| error.to_string())?,
            // Of a module that is not ours: that it came is all there is to know.
            Err(_) => {
                let content = EventContent::Other(notification.event.name().to_owned());
                DeviceEvent { time, sequence_number: None, content }
            }
        };
        Ok(Understood::Event(Box::new(event)))
    }
}

enum Understood {
    Event(Box<DeviceEvent>),
    ReplayComplete,
    Complete,
}

/// Why there is no report.
enum Unread {
    /// The session is of no use any more.
    Lost(Error),
    /// The device refuses, or tells what cannot be.
    Failed(String),
}

fn unread(error: Error) -> Unread {
    match error {
        Error::Rpc(_) | Error::Protocol(_) => Unread::Failed(error.to_string()),
        error => Unread::Lost(error),
    }
}

fn lost(error: Error) -> Out {
    Out::End(End::Lost(error.to_string()))
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
