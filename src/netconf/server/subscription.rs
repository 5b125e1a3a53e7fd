//! What a session is subscribed to: RFC 5277's one subscription, or the dynamic ones of RFC 8639, of any number.
//!
//! A subscription has a feed, which tells records in their order, and for dynamic ones a place in the [`Registry`], through
//! which others end it. The session asks for what is next of all of them, and writes it between two replies; a
//! feed is a position in a log or a datastore's last version, so a subscriber that does not read costs nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use futures_util::future::select_all;
use serde::Serialize;

pub mod filter;
pub mod refusal;
pub mod registry;
pub mod state;
pub mod terms;

use filter::{DATASTORE, EventFilter, Filter};
use registry::{Order, Registration};
use state::{Change, Happening, Reason, State};
use terms::{Leafs, Target, Terms};

use super::Shared;
use super::event;
use super::nacm::UserAccess;
use super::provider::Provider;
use super::push::{self, Hindrance, Policy, Publication};
use super::stream::{self, Ended, Message};
use super::streams::View;
use crate::message;
use crate::yang::schema::Schema;
use crate::yang::serde::tree_at;
use crate::yang::write::{self, WithDefaults};

/// Dynamic subscriptions of one session. Each takes a kilobyte or two, and its share of the session's time; who wants
/// more has a filter that is too narrow, and can open another session.
pub const MAX_SUBSCRIPTIONS: usize = 64;

/// The subscriptions of one session.
#[derive(Debug, Default)]
pub struct Subscriptions {
    held: Vec<Held>,
    /// Whose turn it is to be asked first.
    turn: usize,
}

/// What kinds of subscriptions a session has; they do not mix (RFC 8640 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    Nothing,
    /// That of RFC 5277.
    Classic,
    Dynamic,
}

/// One subscription.
#[derive(Debug)]
pub struct Held {
    /// None for RFC 5277's.
    registration: Option<Registration>,
    feed: Feed,
    /// State changes to be told before anything else.
    due: VecDeque<Change>,
    /// Over once they are told.
    finished: bool,
}

/// Where the records of a subscription come from.
#[derive(Debug)]
pub enum Feed {
    Events(Box<Events>),
    Push(Pushed),
}

/// The updates of a datastore.
#[derive(Debug)]
pub struct Pushed {
    pub publication: Publication,
    /// The filter that it has, where that was configured: as it was then.
    pub source: Filter,
}

/// The events of a stream.
#[derive(Debug)]
pub struct Events {
    pub subscription: stream::Subscription,
    pub view: View,
    pub filter: EventFilter,
}

/// What is to be told of the subscription at a place.
#[derive(Debug)]
pub struct Told {
    place: usize,
    what: What,
}

#[derive(Debug)]
enum What {
    Change(Change),
    Order(Order),
    Message(Message),
    Push(push::Message),
}

/// New terms for a subscription, found to be in order.
#[derive(Debug)]
pub struct Modification {
    pub id: u32,
    pub terms: Terms,
    pub feed: NewFeed,
}

/// What a feed is to become.
#[derive(Debug)]
pub enum NewFeed {
    Events(EventFilter),
    Push(Pushed),
}

impl Subscriptions {
    pub fn holding(&self) -> Holding {
        match self.held.first() {
            None => Holding::Nothing,
            Some(held) if held.registration.is_none() => Holding::Classic,
            Some(_) => Holding::Dynamic,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub fn add(&mut self, held: Held) {
        self.held.push(held);
    }

    /// Ends one without a word, as its subscriber asked.
    pub fn delete(&mut self, id: u32) {
        self.held.retain(|held| held.id() != Some(id));
    }

    /// Puts new terms into effect.
    pub fn modify(&mut self, modification: Modification) {
        let Modification { id, terms, feed } = modification;
        let Some(held) = self.held.iter_mut().find(|held| held.id() == Some(id)) else { return };
        match (&mut held.feed, feed) {
            (Feed::Events(events), NewFeed::Events(filter)) => {
                events.filter = filter;
                events.subscription.set_stop(terms.stop, jiff::Timestamp::now());
            }
            (Feed::Push(pushed), NewFeed::Push(new)) => *pushed = new,
            // The operation has refused it.
            (Feed::Events(_), NewFeed::Push(_)) | (Feed::Push(_), NewFeed::Events(_)) => return,
        }
        if let Some(registration) = &held.registration {
            registration.set_terms(terms);
        }
        held.happens(Happening::Modified);
    }

    /// Has all of an on-change subscription sent again.
    pub fn resync(&self, id: u32) {
        if let Some(Held { feed: Feed::Push(pushed), .. }) = self.held.iter().find(|held| held.id() == Some(id)) {
            pushed.publication.resync();
        }
    }

    /// What is next, if it is there.
    pub fn try_next(&mut self) -> Option<Told> {
        let count = self.held.len();
        for offset in 0..count {
            let place = (self.turn + offset) % count;
            if let Some(what) = self.held[place].try_next() {
                self.turn = place + 1;
                return Some(Told { place, what });
            }
        }
        None
    }

    /// What is next; waits for it, for ever where there is no subscription. Cancelled, it has lost nothing.
    pub async fn next(&mut self) -> Told {
        if let Some(told) = self.try_next() {
            return told;
        }
        match self.held.as_mut_slice() {
            [] => std::future::pending().await,
            [one] => Told { place: 0, what: one.next().await },
            several => {
                let waits = several.iter_mut().map(|held| held.next().boxed());
                let (what, place, _) = select_all(waits).await;
                Told { place, what }
            }
        }
    }

    /// Writes what the subscriber is told, as one message; false where that is nothing.
    pub fn write<P: Provider>(
        &mut self,
        told: Told,
        shared: &Arc<Shared<P>>,
        access: &Arc<UserAccess>,
        out: &mut Vec<u8>,
    ) -> bool {
        let Told { place, what } = told;
        let held = &mut self.held[place];
        let written = match what {
            What::Message(message) => held.write_message(&message, &shared.schema, access, out),
            What::Push(message) => held.write_update(&message, &shared.schema, out),
            What::Change(change) => held.write_change(change, &shared.schema, out),
            What::Order(Order::Kill) => {
                held.happens(Happening::Over);
                false
            }
            What::Order(Order::LookAtFilter) => {
                held.look_at_filter(shared, access);
                false
            }
        };
        if held.is_over() {
            self.held.remove(place);
        }
        written
    }
}

impl Held {
    /// The subscription of RFC 5277.
    pub fn classic(events: Events) -> Held {
        Held { registration: None, feed: Feed::Events(Box::new(events)), due: VecDeque::new(), finished: false }
    }

    pub fn dynamic(registration: Registration, feed: Feed) -> Held {
        Held { registration: Some(registration), feed, due: VecDeque::new(), finished: false }
    }

    fn id(&self) -> Option<u32> {
        self.registration.as_ref().map(|registration| registration.id)
    }

    fn is_over(&self) -> bool {
        self.finished && self.due.is_empty()
    }

    fn try_next(&mut self) -> Option<What> {
        if let Some(change) = self.due.pop_front() {
            return Some(What::Change(change));
        }
        if let Some(order) = self.registration.as_ref().and_then(|registration| registration.take_order()) {
            return Some(What::Order(order));
        }
        match &mut self.feed {
            Feed::Events(events) => events.try_next().map(What::Message),
            Feed::Push(pushed) => pushed.publication.try_next().map(What::Push),
        }
    }

    async fn next(&mut self) -> What {
        let order = async {
            match &self.registration {
                Some(registration) => registration.order().await,
                None => std::future::pending().await,
            }
        };
        let message = async {
            match &mut self.feed {
                Feed::Events(events) => What::Message(events.next().await),
                Feed::Push(pushed) => What::Push(pushed.publication.next().await),
            }
        };
        tokio::select! {
            biased;
            order = order => What::Order(order),
            what = message => what,
        }
    }

    /// Takes the subscription to its next state.
    fn happens(&mut self, happening: Happening) {
        let Some(registration) = &self.registration else { return };
        let (state, change) = registration.state().after(happening);
        registration.set_state(state);
        self.finished = state == State::Ended;
        self.due.extend(change);
    }

    /// An event passes whole or not at all.
    fn write_message(
        &mut self,
        message: &Message,
        schema: &Arc<Schema>,
        access: &Arc<UserAccess>,
        out: &mut Vec<u8>,
    ) -> bool {
        let id = self.id();
        let Feed::Events(events) = &mut self.feed else { return false };
        if let Message::Event(entry) = message {
            let passes = event::passes(schema, access, &events.filter, entry);
            if let Some(registration) = &self.registration {
                let counter = if passes { &registration.sent } else { &registration.excluded };
                counter.fetch_add(1, Ordering::Relaxed);
            }
            if passes {
                event::write(entry, out);
            }
            return passes;
        }
        if let Message::Ended(reason) = message {
            tracing::warn!(user = access.user(), subscription = id, "{reason}");
        }
        if self.registration.is_none() {
            let replayed = matches!(message, Message::ReplayComplete);
            event::write_complete(if replayed { "replayComplete" } else { "notificationComplete" }, out);
            self.finished = !replayed;
            return true;
        }
        match message {
            Message::Event(_) => {}
            Message::ReplayComplete => self.happens(Happening::Replayed),
            Message::NotificationComplete => self.happens(Happening::Over),
            // What was missed is told by the two: it can be replayed, if it is kept at all.
            Message::Ended(Ended::TooSlow(_)) => {
                events.subscription.go_on();
                self.happens(Happening::Hindered(Reason::UnsupportableVolume));
                self.happens(Happening::Able);
            }
            Message::Ended(Ended::Unreadable(_) | Ended::Closed) => {
                self.happens(Happening::Gone(Reason::StreamUnavailable));
            }
        }
        false
    }

    /// What a datastore's publication tells.
    fn write_update(&mut self, message: &push::Message, schema: &Schema, out: &mut Vec<u8>) -> bool {
        let Some(registration) = &self.registration else { return false };
        match message {
            push::Message::Update(update) => {
                registration.sent.fetch_add(1, Ordering::Relaxed);
                update.write(schema, registration.id, out);
                return true;
            }
            push::Message::Hindered(hindrance) => {
                let reason = match hindrance {
                    Hindrance::UnsupportableVolume => Reason::UnsupportableVolume,
                    Hindrance::UpdateTooBig => Reason::UpdateTooBig,
                    Hindrance::InsufficientResources => Reason::InsufficientResources,
                };
                self.happens(Happening::Hindered(reason));
            }
            push::Message::Able => self.happens(Happening::Able),
            push::Message::Completed => self.happens(Happening::Over),
        }
        false
    }

    /// A state change notification (RFC 8639 section 2.7).
    fn write_change(&self, change: Change, schema: &Arc<Schema>, out: &mut Vec<u8>) -> bool {
        #[derive(Serialize)]
        struct Told {
            id: u32,
            #[serde(skip_serializing_if = "Option::is_none")]
            reason: Option<&'static str>,
            #[serde(flatten)]
            terms: Option<Leafs>,
        }
        let Some(registration) = &self.registration else { return false };
        let plain = Told { id: registration.id, reason: None, terms: None };
        let (name, told) = match change {
            Change::ReplayCompleted => ("replay-completed", plain),
            Change::Resumed => ("subscription-resumed", plain),
            Change::Modified => {
                ("subscription-modified", Told { terms: Some(Leafs::of(&registration.terms())), ..plain })
            }
            Change::Suspended(reason) => ("subscription-suspended", Told { reason: Some(reason.identity()), ..plain }),
            Change::Terminated(reason) => {
                ("subscription-terminated", Told { reason: Some(reason.identity()), ..plain })
            }
        };
        match tree_at(schema, &format!("/ietf-subscribed-notifications:{name}"), &told) {
            Ok(tree) => {
                message::write_notification_start(out, &super::now());
                write::write_subtree(schema, tree.root(), WithDefaults::ReportAll, out);
                message::write_notification_end(out);
                true
            }
            Err(error) => {
                tracing::error!(%error, "a state change of a subscription cannot be written");
                false
            }
        }
    }

    /// The configured filters have changed; perhaps this one has.
    fn look_at_filter<P: Provider>(&mut self, shared: &Arc<Shared<P>>, access: &UserAccess) {
        let running = &shared.datastores.version().running;
        let Some(terms) = self.registration.as_ref().map(|registration| registration.terms()) else { return };
        let happened = match (&mut self.feed, terms.target) {
            (Feed::Events(events), Target::Stream { filter, .. }) => {
                EventFilter::of(&filter, running, access).map(|new| {
                    let same = new.is_same(&events.filter);
                    events.filter = new;
                    !same
                })
            }
            (Feed::Push(pushed), Target::Datastore { datastore, filter, trigger }) => {
                DATASTORE.resolve(&filter, running, access).and_then(|source| {
                    if source == pushed.source {
                        return Ok(false);
                    }
                    let selection = DATASTORE.selection(&source, running, access)?;
                    let policy = Policy { datastore, selection, trigger, stop: terms.stop };
                    let user = access.user().into();
                    // It begins with what there is then: nothing is missed by not waiting.
                    let (publication, _ready) = Publication::begin(shared, &user, policy);
                    *pushed = Pushed { publication, source };
                    Ok(true)
                })
            }
            (Feed::Events(_), Target::Datastore { .. }) | (Feed::Push(_), Target::Stream { .. }) => return,
        };
        match happened {
            Ok(true) => self.happens(Happening::Modified),
            Ok(false) => {}
            Err(_) => self.happens(Happening::Gone(Reason::FilterUnavailable)),
        }
    }
}

impl Events {
    /// The next message that belongs to the stream, if it is there.
    fn try_next(&mut self) -> Option<Message> {
        loop {
            match self.subscription.try_next()? {
                Message::Event(entry) if !self.view.has(&entry.module) => {}
                message => return Some(message),
            }
        }
    }

    async fn next(&mut self) -> Message {
        loop {
            match self.subscription.next().await {
                Some(Message::Event(entry)) if !self.view.has(&entry.module) => {}
                Some(message) => return message,
                // It has said that it ended.
                None => std::future::pending().await,
            }
        }
    }
}
