//! What a controller must not forget: its actions and how far each got, and how often each route was changed.
//!
//! A checkpoint, and a log of what came after; both survive a crash at any time, as files of records do.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use netconf::server::record::{self, Kind, RecordError, RecordFile};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::model::{ActionState, Effect, RerouteCause, Value};

/// Actions kept: a few megabytes, and weeks of a network with a failure an hour. Full: the oldest that ended goes; where none has, no
/// further one is taken.
pub const MAX_ACTIONS: usize = 1000;

/// Routes whose history is kept. Full: a further one has none. A network of a hundred nodes has some hundred routes.
pub const MAX_ROUTES: usize = 10_000;

/// Length of the log at which it is replaced by a checkpoint, bytes: read in a fraction of a second at start.
const LOG_LIMIT: u64 = 4 << 20;

const KIND: Kind = *b"CTRL";
const CHECKPOINT: &str = "actions.checkpoint";
const LOG: &str = "actions.log";

/// A control orchestration action that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlAction {
    /// Counts from 1 in the order of arrival.
    pub number: u64,
    /// By which a request that is repeated is known.
    pub operation_id: Option<String>,
    pub description: Option<String>,
    /// An identity derived from `control-action-type`.
    pub kind: String,
    /// 7 is the most urgent.
    pub priority: u8,
    pub value: Value,
    pub state: ActionState,
    pub state_text: Option<String>,
    pub received: Timestamp,
    pub completed: Option<Timestamp>,
    pub requestor: String,
    pub effect: Vec<Effect>,
}

impl ControlAction {
    pub fn id(&self) -> String {
        format!("action-{}", self.number)
    }
}

/// What is known of a route beside what the KMs have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteHistory {
    /// When it took the path that it has.
    pub established: Timestamp,
    pub reroutes: u32,
    pub cause: RerouteCause,
}

#[derive(Debug, Error)]
pub enum RepositoryError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("{} is not what this program writes: {reason}; move it away to start without the actions it holds", path.display())]
    Content { path: PathBuf, reason: String },
    #[error("{MAX_ACTIONS} actions wait for execution; ask again when some have ended")]
    Full,
}

#[derive(Debug)]
pub struct Repository {
    directory: PathBuf,
    file: RecordFile,
    /// Counts checkpoints: a log belongs to the checkpoint of its number.
    generation: u64,
    content: Content,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Content {
    last: u64,
    actions: BTreeMap<u64, ControlAction>,
    routes: BTreeMap<String, RouteHistory>,
}

#[derive(Serialize, Deserialize)]
enum Note {
    Action(Box<ControlAction>),
    Route(String, RouteHistory),
}

impl Content {
    fn take(&mut self, note: Note) {
        match note {
            Note::Action(action) => {
                self.last = self.last.max(action.number);
                self.actions.insert(action.number, *action);
                if self.actions.len() > MAX_ACTIONS
                    && let Some(oldest) = self.oldest_ended()
                {
                    self.actions.remove(&oldest);
                }
            }
            Note::Route(id, history) => {
                self.routes.insert(id, history);
            }
        }
    }

    fn oldest_ended(&self) -> Option<u64> {
        self.actions.values().find(|action| action.state.has_ended()).map(|action| action.number)
    }
}

impl Repository {
    /// Opens the repository in a directory that exists, or begins one. A write that was cut short is dropped.
    pub fn open(directory: &Path) -> Result<Repository, RepositoryError> {
        let (checkpoint, log) = (directory.join(CHECKPOINT), directory.join(LOG));
        let unreadable = |path: &Path, reason: String| RepositoryError::Content { path: path.to_owned(), reason };
        let (generation, mut content) = match record::read_sealed(&checkpoint, KIND)? {
            None => (0, Content::default()),
            Some((generation, bytes)) => {
                let content = serde_json::from_slice(&bytes).map_err(|e| unreadable(&checkpoint, e.to_string()))?;
                (generation, content)
            }
        };
        let mut notes = Vec::new();
        let mut note = |_, payload: &[u8]| {
            notes.push(serde_json::from_slice::<Note>(payload).map_err(|error| error.to_string())?);
            Ok(())
        };
        let file = if log.exists() {
            let (file, _torn) = RecordFile::open(&log, KIND, &mut note)?;
            match file.base() {
                base if base == generation => file,
                // A crash came between the checkpoint and the log that follows it; the checkpoint holds all of the old log.
                base if base < generation => {
                    notes.clear();
                    RecordFile::create(&log, KIND, generation)?
                }
                base => {
                    let reason = format!("it follows checkpoint {base}, and the one that is there is {generation}");
                    return Err(unreadable(&log, reason));
                }
            }
        } else {
            RecordFile::create(&log, KIND, generation)?
        };
        notes.into_iter().for_each(|note| content.take(note));
        Ok(Repository { directory: directory.to_owned(), file, generation, content })
    }

    /// In the order of arrival.
    pub fn actions(&self) -> impl ExactSizeIterator<Item = &ControlAction> {
        self.content.actions.values()
    }

    /// The action that an operation of this identifier asked for.
    pub fn by_operation(&self, operation_id: &str) -> Option<&ControlAction> {
        self.actions().find(|action| action.operation_id.as_deref() == Some(operation_id))
    }

    pub fn get(&self, number: u64) -> Option<&ControlAction> {
        self.content.actions.get(&number)
    }

    /// What is to be executed next: the most urgent, and of those the one that came first.
    pub fn next(&self) -> Option<&ControlAction> {
        let waiting = self.actions().filter(|action| !action.state.has_ended());
        waiting.min_by_key(|action| (u8::MAX - action.priority, action.number))
    }

    /// Takes an action under the next number, durably: on an error nothing is kept.
    pub fn accept(&mut self, mut action: ControlAction) -> Result<&ControlAction, RepositoryError> {
        if self.content.actions.len() >= MAX_ACTIONS && self.content.oldest_ended().is_none() {
            return Err(RepositoryError::Full);
        }
        self.renew();
        action.number = self.content.last + 1;
        let number = action.number;
        self.note(Note::Action(Box::new(action)))?;
        Ok(&self.content.actions[&number])
    }

    /// How far an action got. It counts even where it cannot be made durable: after a restart the action is then executed again, which
    /// changes nothing that is as it should be.
    pub fn progress(&mut self, action: ControlAction) {
        self.keep(Note::Action(Box::new(action)));
    }

    pub fn route(&self, id: &str) -> Option<&RouteHistory> {
        self.content.routes.get(id)
    }

    /// A route has a new path since `now`.
    pub fn rerouted(&mut self, id: &str, now: Timestamp) {
        let reroutes = match self.content.routes.get(id) {
            Some(history) => history.reroutes.saturating_add(1),
            None if self.content.routes.len() >= MAX_ROUTES => return,
            None => 1,
        };
        self.keep(Note::Route(
            id.to_owned(),
            RouteHistory { established: now, reroutes, cause: RerouteCause::Command },
        ));
    }

    fn keep(&mut self, note: Note) {
        self.renew();
        let payload = serde_json::to_vec(&note).expect("keys are strings and numbers");
        if let Err(error) = self.write(&payload) {
            tracing::error!(%error, "what the controller did is not on record");
        }
        self.content.take(note);
    }

    fn note(&mut self, note: Note) -> Result<(), RecordError> {
        let payload = serde_json::to_vec(&note).expect("keys are strings and numbers");
        self.write(&payload)?;
        self.content.take(note);
        Ok(())
    }

    fn write(&mut self, payload: &[u8]) -> Result<(), RecordError> {
        self.file.append(&[payload])?;
        self.file.commit().inspect_err(|_| self.file.discard())
    }

    /// Begins a new log where the old one is long, or was broken by a failing disk.
    fn renew(&mut self) {
        let is_due = self.file.is_poisoned() || self.file.committed() > LOG_LIMIT;
        if is_due && let Err(error) = self.checkpoint() {
            tracing::error!(%error, "the controller's actions cannot be saved anew");
        }
    }

    fn checkpoint(&mut self) -> Result<(), RecordError> {
        let content = serde_json::to_vec(&self.content).expect("keys are strings and numbers");
        record::write_sealed(&self.directory.join(CHECKPOINT), KIND, self.generation + 1, &content)?;
        self.generation += 1;
        self.file = RecordFile::create(&self.directory.join(LOG), KIND, self.generation)?;
        Ok(())
    }
}
