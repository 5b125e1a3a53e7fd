//! Following a stream over any number of sessions: what is missed while the connection is down is replayed (RFC 5277
//! section 2.1.1, RFC 8639 section 2.4.2.1), so that each event is handed on once and in order.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::{
    BackOff, CreateSubscription, Error, EstablishSubscription, Filter, NotificationMessage, Notifications, Session,
};
use crate::capability::INTERLEAVE;
use crate::message::Notification;

mod position;
mod source;

use position::{Position, Seam};
use source::{Incoming, Source};

/// Events that wait to be taken. While there are as many, no more are taken from the session, which has a queue of its own;
/// when that overflows too, what is lost is replayed.
const TO_TAKE: usize = 256;

/// Asks for nothing: any answer is a sign of life.
const ARE_YOU_THERE: &str = "<get><filter type=\"subtree\"/></get>";

/// What to follow, and how.
#[derive(Clone, Debug)]
pub struct Follow {
    /// The server's default, `NETCONF`, where there is none.
    pub stream: Option<String>,
    pub filter: Option<Filter>,
    /// RFC 3339: events from then on; from now on where there is none.
    pub start_time: Option<String>,
    pub means: Means,
    /// After so long without an event the server is asked whether it is there.
    pub silence: Duration,
    /// So long it may take to answer.
    pub answer: Duration,
    pub back_off: BackOff,
}

/// By which operation to subscribe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Means {
    /// RFC 5277. A server without :interleave cannot be asked whether it is there: its silence is left to the transport.
    #[default]
    CreateSubscription,
    /// RFC 8639.
    EstablishSubscription,
}

impl Default for Follow {
    fn default() -> Self {
        Follow {
            stream: None,
            filter: None,
            start_time: None,
            means: Means::default(),
            silence: Duration::from_secs(30),
            answer: Duration::from_secs(10),
            back_off: BackOff::default(),
        }
    }
}

/// What a [`Follower`] tells.
#[derive(Clone, Debug)]
pub enum Followed {
    Event(NotificationMessage),
    /// There is a subscription, for the first time or again.
    Subscribed,
    /// There is none for now; the next try is on its way, or comes after the wait.
    Interrupted {
        reason: String,
        wait: Duration,
    },
    /// Events between that time, as the server wrote it, and the next event may be missing: the server cannot replay them.
    Gap {
        after: String,
        reason: String,
    },
}

/// Why a connection could not be made, of whatever kind it is.
pub type ConnectFailure = Box<dyn std::error::Error + Send + Sync>;

/// A stream of events that outlives sessions. It ends when it is dropped.
///
/// Before the first event has come, all that tells where the stream was joined is the clock of this machine: where a session
/// is lost as early as that, a difference to the server's clock can lose events, or bring some from before. And what is
/// missed while the server's clock is set back is known only to a server that replays its log from a place on, as ours does,
/// not to one that chooses by time alone.
#[derive(Debug)]
pub struct Follower {
    told: mpsc::Receiver<Followed>,
    task: AbortHandle,
}

impl Follower {
    /// `connect` makes a session, and is called again whenever one is over. It has to give up in time by itself.
    pub fn start<C, F>(follow: Follow, connect: C) -> Follower
    where
        C: FnMut() -> F + Send + 'static,
        F: Future<Output = Result<(Session, Notifications), ConnectFailure>> + Send + 'static,
    {
        let (tell, told) = mpsc::channel(TO_TAKE);
        let task = Task { follow, connect, tell, position: Position::default(), joined: None, heard: false };
        Follower { told, task: tokio::spawn(task.run()).abort_handle() }
    }

    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Followed {
        self.told.recv().await.expect("the task ends with its follower")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Task<C> {
    follow: Follow,
    connect: C,
    tell: mpsc::Sender<Followed>,
    position: Position,
    /// When the first subscription was made, by our clock.
    joined: Option<Timestamp>,
    /// The server has shown signs of life in this session.
    heard: bool,
}

/// Why a session is over.
enum End {
    /// A replay in a new session brings what is missing; there is nothing to wait for.
    Behind(String),
    Failed(String),
    /// Nobody listens any more.
    Dropped,
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        End::Failed(error.to_string())
    }
}

impl<C, F> Task<C>
where
    C: FnMut() -> F,
    F: Future<Output = Result<(Session, Notifications), ConnectFailure>>,
{
    async fn run(mut self) {
        let mut failures = 0_u32;
        loop {
            self.heard = false;
            let (reason, behind) = match self.session().await {
                Ok(never) => match never {},
                Err(End::Dropped) => return,
                Err(End::Behind(reason)) => (reason, true),
                Err(End::Failed(reason)) => (reason, false),
            };
            failures = if self.heard { 1 } else { failures.saturating_add(1) };
            let wait = if behind && self.heard { Duration::ZERO } else { self.follow.back_off.delay(failures) };
            if self.tell(Followed::Interrupted { reason, wait }).await.is_err() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// One session, from its connection to its end.
    async fn session(&mut self) -> Result<std::convert::Infallible, End> {
        let connected = (self.connect)().await;
        let (session, notifications) = connected.map_err(|error| End::Failed(error.to_string()))?;
        let mut source = self.subscribe(&session, notifications).await?;
        self.tell(Followed::Subscribed).await?;
        let mut seam = self.position.seam();
        let can_ask = self.follow.means == Means::EstablishSubscription || session.capabilities().has(INTERLEAVE);
        loop {
            let incoming = match tokio::time::timeout(self.follow.silence, source.next()).await {
                Ok(incoming) => incoming,
                Err(_) if !can_ask => continue,
                Err(_) => match self.ask(&session, &mut source).await? {
                    Some(incoming) => incoming,
                    None => continue,
                },
            };
            match incoming {
                Incoming::Event(message) => self.event(message, &mut seam).await?,
                Incoming::ReplayComplete => {
                    self.open(&seam).await?;
                    seam.close();
                }
                Incoming::Nothing => {}
                Incoming::Behind(reason) => return Err(End::Behind(reason)),
                Incoming::Over => {
                    let why = session.ended().map_or_else(|| "the subscription ended".to_owned(), Error::to_string);
                    return Err(End::Failed(why));
                }
            }
        }
    }

    /// Subscribes from where the last session ended.
    async fn subscribe(&mut self, session: &Session, rest: Notifications) -> Result<Source, End> {
        let now = Timestamp::now();
        let after = self.position.start().map(str::to_owned).or_else(|| self.follow.start_time.clone());
        let after = after.or_else(|| self.joined.map(|time| time.to_string()));
        let mut rest = Some(rest);
        if let Some(after) = after {
            match Source::open(&self.follow, session, &mut rest, Some(&after)).await {
                Ok(source) => {
                    self.joined.get_or_insert(now);
                    if let Some(since) = source.revised() {
                        let reason = format!("the server has events since {since} only");
                        self.tell(Followed::Gap { after, reason }).await?;
                    }
                    return Ok(source);
                }
                Err(error @ Error::Rpc(_)) => {
                    let reason = format!("the server replays nothing: {error}");
                    self.tell(Followed::Gap { after, reason }).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let source = Source::open(&self.follow, session, &mut rest, None).await?;
        // Nothing from before is wanted, or to be had.
        self.follow.start_time = None;
        self.position = Position::default();
        self.joined = Some(now);
        Ok(source)
    }

    /// Whether a server that is silent is there. The result is what it told meanwhile, where it had no time to answer.
    async fn ask(&mut self, session: &Session, source: &mut Source) -> Result<Option<Incoming>, End> {
        match session.rpc_within(ARE_YOU_THERE, self.follow.answer).await {
            Ok(_) | Err(Error::Rpc(_)) => {
                self.heard = true;
                Ok(None)
            }
            Err(Error::Timeout(_)) => match tokio::time::timeout(Duration::ZERO, source.next()).await {
                Ok(incoming) => Ok(Some(incoming)),
                Err(_) => {
                    let silence = (self.follow.silence + self.follow.answer).as_secs_f32();
                    Err(End::Failed(format!("the server has been silent for {silence} s")))
                }
            },
            Err(error) => Err(error.into()),
        }
    }

    async fn event(&mut self, message: NotificationMessage, seam: &mut Seam) -> Result<(), End> {
        self.heard = true;
        let read = {
            let document = message.document()?;
            Notification::read(&document).and_then(|notification| {
                let time: Timestamp = notification.event_time.parse().ok()?;
                let mut content = Vec::new();
                notification.event.write(&mut content);
                Some((notification.event_time.to_owned(), self.position.mark(time, &content)))
            })
        };
        let Some((time, mark)) = read else {
            // It has no place in time, so it is handed on whenever it comes.
            return self.tell(Followed::Event(message)).await;
        };
        if !seam.is_new(mark) {
            return Ok(());
        }
        if seam.is_open() {
            self.open(seam).await?;
            seam.close();
        }
        self.tell(Followed::Event(message)).await?;
        self.position.advance(&time, mark);
        Ok(())
    }

    /// Tells where the replay did not reach back to what was handed on.
    async fn open(&mut self, seam: &Seam) -> Result<(), End> {
        match self.position.start() {
            Some(after) if seam.is_open() => {
                let reason = "the replay does not begin with what was received last".to_owned();
                self.tell(Followed::Gap { after: after.to_owned(), reason }).await
            }
            _ => Ok(()),
        }
    }

    async fn tell(&mut self, what: Followed) -> Result<(), End> {
        self.tell.send(what).await.map_err(|_| End::Dropped)
    }
}

#[cfg(test)]
mod tests;
