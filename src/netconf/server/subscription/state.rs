//! The life of a dynamic subscription (RFC 8639 section 2.4), without clock, session or stream.

/// Where a subscription is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    Active,
    Suspended,
    /// It sends nothing any more, and its id is free.
    Ended,
}

/// What can happen to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// All that was stored when it began has been sent.
    Replayed,
    /// The publisher cannot serve it for now.
    Hindered(Reason),
    /// It can again.
    Able,
    /// Its terms are others now.
    Modified,
    /// The subscriber gave it up.
    Deleted,
    /// Somebody else ended it, or its stop-time has come.
    Over,
    /// What it depends on is gone for good.
    Gone(Reason),
}

/// What the subscriber is told of it (RFC 8639 section 2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    ReplayCompleted,
    Modified,
    Suspended(Reason),
    Resumed,
    Terminated(Reason),
}

/// Why a subscription was suspended or terminated: an identity of RFC 8639 or RFC 8641.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    NoSuchSubscription,
    FilterUnavailable,
    StreamUnavailable,
    InsufficientResources,
    UnsupportableVolume,
    UpdateTooBig,
}

impl Reason {
    /// The identity after the name of its module.
    pub fn identity(self) -> &'static str {
        match self {
            Reason::NoSuchSubscription => "ietf-subscribed-notifications:no-such-subscription",
            Reason::FilterUnavailable => "ietf-subscribed-notifications:filter-unavailable",
            Reason::StreamUnavailable => "ietf-subscribed-notifications:stream-unavailable",
            Reason::InsufficientResources => "ietf-subscribed-notifications:insufficient-resources",
            Reason::UnsupportableVolume => "ietf-subscribed-notifications:unsupportable-volume",
            Reason::UpdateTooBig => "ietf-yang-push:update-too-big",
        }
    }
}

impl State {
    /// The state after it, and what the subscriber is told. What cannot happen in a state changes nothing.
    pub fn after(self, happening: Happening) -> (State, Option<Change>) {
        use Happening::*;
        match (self, happening) {
            (State::Ended, _) => (State::Ended, None),
            (_, Replayed) => (self, Some(Change::ReplayCompleted)),
            (State::Active, Hindered(reason)) => (State::Suspended, Some(Change::Suspended(reason))),
            (State::Suspended, Able) => (State::Active, Some(Change::Resumed)),
            (State::Suspended, Hindered(_)) | (State::Active, Able) => (self, None),
            // A successful modification returns a suspended subscription to the active state, which this tells as well.
            (_, Modified) => (State::Active, Some(Change::Modified)),
            (_, Deleted) => (State::Ended, None),
            (_, Over) => (State::Ended, Some(Change::Terminated(Reason::NoSuchSubscription))),
            (_, Gone(reason)) => (State::Ended, Some(Change::Terminated(reason))),
        }
    }
}

#[cfg(test)]
mod tests;
