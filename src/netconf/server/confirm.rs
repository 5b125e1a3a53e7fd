//! The confirmed commit as a state machine (RFC 6241 section 8.4): no clock, no disk and no session in it.
//!
//! ```text
//!            confirmed commit                 commit
//!   nothing ─────────────────► awaiting ─────────────────► nothing     running stays
//!                              │ ▲    │
//!             confirmed commit └─┘    │ cancel-commit, timeout, end of its session (unless persistent)
//!             (time starts anew)      └──────────────────► nothing     running goes back
//! ```
//! A device can refuse to go back. The commit then is overdue: nobody can confirm it any more, and the way back is tried
//! again until it is taken.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{ErrorType, RpcError};

/// RFC 6241 section 8.4.1.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

/// A commit that is taken back unless another confirms it. `T`: a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Awaiting<T> {
    /// Where running goes back to.
    pub before: T,
    /// The session that made it, or extended it last.
    pub session_id: u32,
    /// The token of a commit that outlives its session.
    pub persist: Option<String>,
    /// When it is taken back; where it is overdue, when that is tried again.
    pub deadline: Instant,
    /// Its time is over and the device has not gone back yet.
    pub overdue: bool,
}

/// The parameters of `<commit>` (RFC 6241 section 8.4.5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit<'a> {
    pub confirmed: Option<Confirmed<'a>>,
    pub persist_id: Option<&'a str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed<'a> {
    pub timeout: Duration,
    pub persist: Option<&'a str>,
}

/// What a commit is to the one that may be awaiting confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is none, and there will be none.
    Plain,
    Start,
    Extend,
    Complete,
}

/// What a commit comes to, should running take it. `running` is what it would be taken back to.
pub fn commit<T: Clone>(
    awaiting: Option<&Awaiting<T>>,
    commit: &Commit<'_>,
    session_id: u32,
    running: &T,
    now: Instant,
) -> Result<(Step, Option<Awaiting<T>>), RpcError> {
    if let Some(awaiting) = awaiting {
        if awaiting.overdue || awaiting.deadline <= now {
            let message = format!(
                "The time of session {}'s confirmed commit is over: it is being taken back.",
                awaiting.session_id
            );
            return Err(RpcError::in_use(message));
        }
        awaiting.check_token(commit.persist_id, session_id)?;
    } else if commit.persist_id.is_some() {
        return Err(unknown_token("No confirmed commit is pending."));
    }
    let Some(confirmed) = &commit.confirmed else {
        return Ok((if awaiting.is_some() { Step::Complete } else { Step::Plain }, None));
    };
    let step = if awaiting.is_some() { Step::Extend } else { Step::Start };
    let before = awaiting.map_or(running, |awaiting| &awaiting.before).clone();
    // An extension that sets no token of its own keeps the one there is.
    let persist = confirmed.persist.map(str::to_owned).or_else(|| awaiting.and_then(|a| a.persist.clone()));
    let next = Awaiting { before, session_id, persist, deadline: now + confirmed.timeout, overdue: false };
    Ok((step, Some(next)))
}

/// `<cancel-commit>` (RFC 6241 section 8.4.4.1): where running goes back to. A commit that is overdue can still be
/// cancelled: that tries the way back at once.
pub fn cancel<T: Clone>(
    awaiting: Option<&Awaiting<T>>,
    persist_id: Option<&str>,
    session_id: u32,
) -> Result<T, RpcError> {
    match (awaiting, persist_id) {
        (Some(awaiting), _) => awaiting.check_token(persist_id, session_id).map(|()| awaiting.before.clone()),
        (None, Some(_)) => Err(unknown_token("No confirmed commit is pending.")),
        (None, None) => {
            Err(RpcError::operation_failed("No confirmed commit is pending.").with_type(ErrorType::Protocol))
        }
    }
}

impl<T> Awaiting<T> {
    /// Whether the session or the token is the one that may follow up, confirm and cancel.
    fn check_token(&self, persist_id: Option<&str>, session_id: u32) -> Result<(), RpcError> {
        let owner = self.session_id;
        match (self.persist.as_deref(), persist_id) {
            (Some(token), Some(given)) if token == given => Ok(()),
            (_, Some(_)) => Err(unknown_token("The confirmed commit that is pending has another persist-id, or none.")),
            (None, None) if owner == session_id => Ok(()),
            (Some(_), None) if owner == session_id => Err(RpcError::missing_element("persist-id")),
            (_, None) => Err(RpcError::in_use(format!("A confirmed commit of session {owner} is pending."))),
        }
    }

    /// Whether the end of a session takes it back.
    pub fn ends_with(&self, session_id: u32) -> bool {
        self.persist.is_none() && !self.overdue && self.session_id == session_id
    }

    /// Another session's commit keeps running from being locked (RFC 6241 section 7.5). Some: who is in the way; 0 where
    /// the commit belongs to no session any more than to another.
    pub fn refuses_lock(&self, session_id: u32) -> Option<u32> {
        (self.session_id != session_id).then_some(if self.persist.is_some() { 0 } else { self.session_id })
    }
}

fn unknown_token(message: &str) -> RpcError {
    RpcError::invalid_value(message)
        .with_type(ErrorType::Protocol)
        .with_info(crate::error::ErrorInfo::BadElement("persist-id".into()))
}

#[cfg(test)]
mod tests;
