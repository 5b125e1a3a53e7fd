//! What an agent must not forget: its alarms with their identifiers, and its performance. A checkpoint, and a log of what came after.
//!
//! Changes of alarms and finished intervals are durable when [`Memory::commit`] returns; of intervals that run, a crash loses what came
//! after the last [`Memory::running`], and they are partial for it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use netconf::server::record::{self, Kind, RecordError, RecordFile};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::alarm::{Alarm, AlarmKey, AlarmList};
use crate::performance::{Finished, Performance, Series, SeriesKey};

/// Length of the log at which it is replaced by a checkpoint, bytes: read in a fraction of a second at start.
pub const LOG_LIMIT: u64 = 4 << 20;

const KIND: Kind = *b"AGNT";
const CHECKPOINT: &str = "memory.checkpoint";
const LOG: &str = "memory.log";

#[derive(Debug, Error)]
pub enum MemoryError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("{} is not what this program writes: {reason}; move it away to start without the alarms and performance it holds", path.display())]
    Content { path: PathBuf, reason: String },
}

/// What was remembered.
#[derive(Debug, Default)]
pub struct Recalled {
    pub alarms: Vec<Alarm>,
    /// The highest alarm identifier ever given.
    pub last_id: u64,
    pub series: BTreeMap<SeriesKey, Series>,
}

#[derive(Debug)]
pub struct Memory {
    directory: PathBuf,
    file: RecordFile,
    /// Counts checkpoints: a log belongs to the checkpoint of its number.
    generation: u64,
}

#[derive(Serialize)]
enum Noted<'a> {
    Alarm(&'a Alarm),
    Purged(&'a [AlarmKey]),
    Finished(&'a Finished),
    Running(&'a SeriesKey, &'a Series),
}

#[derive(Deserialize)]
enum Note {
    Alarm(Alarm),
    Purged(Vec<AlarmKey>),
    Finished(Finished),
    Running(SeriesKey, Series),
}

/// All that is to be remembered, at one time.
#[derive(Debug)]
pub struct Snapshot(Vec<u8>);

impl Snapshot {
    pub fn of(alarms: &AlarmList, performance: &Performance) -> Self {
        let series = performance.iter().map(|(key, series)| (key.clone(), series.clone())).collect();
        let content = Content { last_id: alarms.last_id(), alarms: alarms.iter().cloned().collect(), series };
        Snapshot(serde_json::to_vec(&content).expect("keys are in values, not names"))
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Content {
    last_id: u64,
    alarms: Vec<Alarm>,
    series: Vec<(SeriesKey, Series)>,
}

impl Memory {
    /// Opens the memory in a directory that exists, or begins one.
    pub fn open(directory: &Path) -> Result<(Memory, Recalled), MemoryError> {
        let (checkpoint, log) = (directory.join(CHECKPOINT), directory.join(LOG));
        let unreadable = |path: &Path, reason: String| MemoryError::Content { path: path.to_owned(), reason };
        let (generation, content) = match record::read_sealed(&checkpoint, KIND)? {
            None => (0, Content::default()),
            Some((generation, bytes)) => {
                let content = serde_json::from_slice(&bytes).map_err(|e| unreadable(&checkpoint, e.to_string()))?;
                (generation, content)
            }
        };
        let mut alarms: BTreeMap<AlarmKey, Alarm> = content.alarms.into_iter().map(|a| (a.key.clone(), a)).collect();
        let mut recalled =
            Recalled { alarms: Vec::new(), last_id: content.last_id, series: content.series.into_iter().collect() };
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
        for note in notes {
            match note {
                Note::Alarm(alarm) => {
                    recalled.last_id = recalled.last_id.max(alarm.id);
                    alarms.insert(alarm.key.clone(), alarm);
                }
                Note::Purged(keys) => keys.iter().for_each(|key| {
                    alarms.remove(key);
                }),
                Note::Finished(finished) => {
                    if let Some(series) = recalled.series.get_mut(&finished.key) {
                        series.restore_finished(finished.granularity, finished.interval);
                    }
                }
                Note::Running(key, running) => match recalled.series.get_mut(&key) {
                    Some(series) => series.restore_running(running),
                    None => {
                        recalled.series.insert(key, running);
                    }
                },
            }
        }
        recalled.alarms = alarms.into_values().collect();
        Ok((Memory { directory: directory.to_owned(), file, generation }, recalled))
    }

    /// Adds an alarm as it is now to the next commit.
    pub fn alarm(&mut self, alarm: &Alarm) -> Result<(), RecordError> {
        self.note(&Noted::Alarm(alarm))
    }

    pub fn purged(&mut self, keys: &[AlarmKey]) -> Result<(), RecordError> {
        self.note(&Noted::Purged(keys))
    }

    /// Adds a finished interval, and the state of its series without which the interval would belong to none.
    pub fn finished(&mut self, finished: &Finished, series: &Series) -> Result<(), RecordError> {
        self.running(&finished.key, series)?;
        self.note(&Noted::Finished(finished))
    }

    /// Adds what runs of a series.
    pub fn running(&mut self, key: &SeriesKey, series: &Series) -> Result<(), RecordError> {
        self.note(&Noted::Running(key, &series.without_history()))
    }

    /// Makes durable what was added, with one sync.
    pub fn commit(&mut self) -> Result<(), RecordError> {
        self.file.commit()
    }

    /// True when the log is long, or was broken by a failing disk: time for a checkpoint.
    pub fn wants_checkpoint(&self) -> bool {
        self.file.is_poisoned() || self.file.committed() > LOG_LIMIT
    }

    /// Writes all that is to be remembered, and begins the log anew.
    pub fn checkpoint(&mut self, all: &Snapshot) -> Result<(), RecordError> {
        record::write_sealed(&self.directory.join(CHECKPOINT), KIND, self.generation + 1, &all.0)?;
        self.generation += 1;
        self.file = RecordFile::create(&self.directory.join(LOG), KIND, self.generation)?;
        Ok(())
    }

    fn note(&mut self, note: &Noted<'_>) -> Result<(), RecordError> {
        let payload = serde_json::to_vec(note).expect("keys are in values, not names");
        self.file.append(&[&payload])
    }
}
