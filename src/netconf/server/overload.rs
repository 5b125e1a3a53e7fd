//! Overload control (ITU-T Y.3804 clause I.1.1): what a server refuses, or lets wait, when it is asked for more than it can do.
//!
//! A peer that asks faster than it is answered is held back by its own transport: nothing piles up, and nothing need be refused.
//! What is bounded here is what many peers together, or one that does not care, could take from the others: requests a second
//! where the operator sets a rate, large messages in memory, device state being read, operations that the device performs, and
//! long evaluations. Places are given out by user, so that one user's flood is the last that another waits for.

mod bucket;
mod gate;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use bucket::Bucket;
pub use gate::{Full, Gate, Place};

use crate::error::{ErrorType, RpcError};
use crate::seldom::Seldom;

/// Sessions of one user at once. Far more than any management system holds towards one server, and few enough that one login
/// cannot take the places and the memory of all others.
pub const SESSIONS_PER_USER: usize = 512;

/// A message above this size is a large one: it may be read on only with one of [`LARGE_MESSAGES`] places. Nearly all
/// requests are a few kilobytes.
pub const LARGE_MESSAGE: usize = 1 << 20;

/// Large messages in memory at once, parsed ones included. Each can take some hundreds of megabytes; who wants to send
/// another is read no further until a place is free, and TCP makes it wait.
const LARGE_MESSAGES: usize = 2;

/// Reads of the device's state at once: each may hold a tree of megabytes.
const STATE_READS: usize = 32;

/// RPCs and actions that the device performs at once. Some run for minutes, so a further one is refused and does not wait.
const CALLS: usize = 128;

/// Evaluations at once that are too long for the thread of the session. They take a core each.
const EVALUATIONS: usize = 2;

/// Requests that wait for a place, of each kind. A session waits with one at a time, so that one user cannot fill it.
const WAITING: usize = 4 * SESSIONS_PER_USER;

/// How long a request waits for a place before it is refused: who asks wants an answer while it still matters.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an operator may set. The default limits no rate.
#[derive(Clone, Debug)]
pub struct OverloadOptions {
    /// Requests accepted per second and session. None: as many as can be answered. A provider may know better:
    /// [`Provider::request_rate`](super::provider::Provider::request_rate).
    pub request_rate: Option<NonZeroU32>,
    pub sessions_per_user: usize,
}

impl Default for OverloadOptions {
    fn default() -> Self {
        OverloadOptions { request_rate: None, sessions_per_user: SESSIONS_PER_USER }
    }
}

/// The bounds that all sessions of a server share.
#[derive(Debug)]
pub struct Overload {
    pub options: OverloadOptions,
    pub large_messages: Arc<Gate>,
    pub state_reads: Arc<Gate>,
    pub calls: Arc<Gate>,
    pub evaluations: Arc<Gate>,
    /// Of the line that says so.
    pub(in crate::server) sessions_refused: Seldom,
    shed: AtomicU64,
}

impl Overload {
    pub fn new(options: OverloadOptions) -> Self {
        Overload {
            options,
            large_messages: Gate::new(LARGE_MESSAGES, WAITING, Duration::MAX),
            state_reads: Gate::new(STATE_READS, WAITING, PATIENCE),
            calls: Gate::new(CALLS, 0, Duration::ZERO),
            evaluations: Gate::new(EVALUATIONS, WAITING, PATIENCE),
            sessions_refused: Seldom::new(),
            shed: AtomicU64::new(0),
        }
    }

    /// A place for this user's request, or the error to refuse it with.
    pub async fn place(&self, gate: &Arc<Gate>, user: &Arc<str>) -> Result<Place, RpcError> {
        gate.enter(user).await.map_err(|Full| {
            self.shed.fetch_add(1, Ordering::Relaxed);
            denied("The server has too much to do. Try again later.")
        })
    }

    /// The error for a request beyond the rate, which is counted.
    pub fn beyond(&self, rate: NonZeroU32) -> RpcError {
        self.shed.fetch_add(1, Ordering::Relaxed);
        denied(&format!("More than {rate} requests a second in this session."))
    }

    /// Requests refused since the server started (`requests-shed` of qkdn-common).
    pub fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }
}

fn denied(message: &str) -> RpcError {
    RpcError::resource_denied(message).with_type(ErrorType::Protocol)
}

#[cfg(test)]
mod tests;
