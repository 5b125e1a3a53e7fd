//! The running datastore on disk: a checkpoint of it, and a journal of what was done to it since.
//!
//! Every record has a number. A journal file's name and header carry the number its records follow on, the checkpoint
//! that of the last record it holds; so recovery knows which records still count, and that none is missing:
//!
//! ```text
//! running.checkpoint       all up to record C
//! running.journal.B        records B+1 …       B ≤ C for the oldest; the next file begins where one ends
//! ```
//! A checkpoint begins with a new journal file, is written while that one grows, and ends with the removal of the older
//! ones. After a crash between any two of these steps, or within one, the same state comes back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use super::record::{self, Kind, RecordError, RecordFile, StateDirectory, Torn};

/// What is wrong with the journal: one line that says what to do.
pub type JournalError = RecordError;

/// A journal this small is not worth a checkpoint, whatever the datastore's size: it is read back in milliseconds.
pub const SMALL_JOURNAL: u64 = 1 << 20;

const JOURNAL: Kind = *b"JRNL";
const CHECKPOINT: Kind = *b"CKPT";
const CHECKPOINT_NAME: &str = "running.checkpoint";
const JOURNAL_PREFIX: &str = "running.journal.";
/// The number that stands before a record's content.
const NUMBER: usize = 8;

/// The journal of the running datastore. One owner; its calls block on the disk.
#[derive(Debug)]
pub struct Journal {
    state: StateDirectory,
    current: RecordFile,
    /// The number of the last record committed.
    committed: u64,
    /// The number of the last record appended.
    appended: u64,
    /// Files before the current one, oldest first: in force until a checkpoint holds all of theirs.
    older: Vec<Older>,
    checkpoint_bytes: u64,
    /// Journal length below which no checkpoint is wanted after one that failed.
    not_before: u64,
    under_way: Weak<()>,
}

#[derive(Debug)]
struct Older {
    path: PathBuf,
    bytes: u64,
}

/// What was in the state directory: the checkpoint's content, and the records that came after it, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    pub checkpoint: Option<Vec<u8>>,
    pub records: Vec<Vec<u8>>,
    /// For the operator: that an unfinished append was cut off.
    pub note: Option<String>,
}

/// A checkpoint to be written: of the datastore as the last record before it left it.
#[derive(Debug)]
#[must_use = "a checkpoint counts when it is written and finished"]
pub struct Checkpoint {
    path: PathBuf,
    number: u64,
    under_way: Arc<()>,
}

/// A checkpoint that is on the disk; see [`Journal::finish_checkpoint`].
#[derive(Debug)]
#[must_use = "the journal keeps old files until the checkpoint is finished"]
pub struct Written {
    number: u64,
    bytes: u64,
    _under_way: Arc<()>,
}

impl Journal {
    /// Opens or makes the journal of a state directory.
    pub fn open(state: &StateDirectory) -> Result<(Journal, Recovered), JournalError> {
        let checkpoint = record::read_sealed(&state.path().join(CHECKPOINT_NAME), CHECKPOINT)?;
        let mut files = journal_files(state.path())?;
        let Some((newest, newest_path)) = files.pop() else {
            if checkpoint.is_some() {
                return Err(incomplete(state, "the checkpoint is there and no journal file".into()));
            }
            let current = RecordFile::create(&journal_path(state, 0), JOURNAL, 0)?;
            return Ok((Journal::at(state, current, 0, Vec::new(), 0), Recovered::default()));
        };
        let holds = checkpoint.as_ref().map_or(0, |(number, _)| *number);
        let mut recovered = Recovered::default();
        let mut last = holds.min(files.first().map_or(newest, |(oldest, _)| *oldest));
        let mut older = Vec::new();
        for (base, path) in files {
            follows(state, last, base)?;
            let scan = record::scan(&path, JOURNAL, |_, record| recovered.take(&mut last, holds, record))?;
            // The next file was begun after all of this one's had been committed: nothing in it is unfinished.
            if scan.end < scan.length {
                return Err(record::damaged(&path, scan.end, "a record fails its checksum"));
            }
            named(&path, base, scan.base)?;
            older.push(Older { path, bytes: scan.length });
        }
        follows(state, last, newest)?;
        let (current, torn) =
            RecordFile::open(&newest_path, JOURNAL, |_, record| recovered.take(&mut last, holds, record))?;
        named(&newest_path, newest, current.base())?;
        if last < holds {
            let reason = format!("the checkpoint holds record {holds} and the journal ends with {last}");
            return Err(incomplete(state, reason));
        }
        recovered.note = torn.map(|Torn { offset, bytes }| {
            let path = newest_path.display();
            format!("cut {bytes} bytes of an unfinished append off {path} at byte {offset}")
        });
        let bytes = checkpoint.as_ref().map_or(0, |(_, content)| content.len() as u64);
        recovered.checkpoint = checkpoint.map(|(_, content)| content);
        let mut journal = Journal::at(state, current, last, older, bytes);
        journal.remove_older(holds)?;
        Ok((journal, recovered))
    }

    fn at(state: &StateDirectory, current: RecordFile, last: u64, older: Vec<Older>, checkpoint_bytes: u64) -> Journal {
        Journal {
            state: state.clone(),
            current,
            committed: last,
            appended: last,
            older,
            checkpoint_bytes,
            not_before: 0,
            under_way: Weak::new(),
        }
    }

    /// Adds a record to the next commit.
    pub fn append(&mut self, record: &[u8]) -> Result<(), JournalError> {
        self.current.append(&[&(self.appended + 1).to_le_bytes(), record])?;
        self.appended += 1;
        Ok(())
    }

    /// Makes all that was appended durable with one sync. On an error none of it counts, and may not be acknowledged;
    /// if the disk was full, later commits can succeed.
    pub fn commit(&mut self) -> Result<(), JournalError> {
        match self.current.commit() {
            Ok(()) => self.committed = self.appended,
            Err(error) => {
                self.appended = self.committed;
                return Err(error);
            }
        }
        Ok(())
    }

    /// True when the journal has outgrown the checkpoint (and [`SMALL_JOURNAL`]). So a start reads at most about twice
    /// the datastore, and checkpoints at most double what is written to the disk.
    pub fn wants_checkpoint(&self) -> bool {
        let bytes = self.bytes();
        bytes > self.checkpoint_bytes.max(SMALL_JOURNAL)
            && bytes >= self.not_before
            && self.under_way.strong_count() == 0
    }

    /// Replaces the checkpoint by one of the datastore as the last record left it, at once: begin, write and finish.
    /// False, and nothing done, while another is being written.
    pub fn checkpoint(&mut self, content: &[u8]) -> Result<bool, JournalError> {
        let Some(checkpoint) = self.begin_checkpoint()? else { return Ok(false) };
        let written = checkpoint.write(content)?;
        self.finish_checkpoint(written)?;
        Ok(true)
    }

    /// Commits, and begins a checkpoint of the datastore as it is now. Write it anywhere, while the journal goes on, and
    /// give it to [`Journal::finish_checkpoint`]; dropped, it is as if it had never begun. None while another is being
    /// written.
    pub fn begin_checkpoint(&mut self) -> Result<Option<Checkpoint>, JournalError> {
        if self.under_way.strong_count() > 0 {
            return Ok(None);
        }
        // Should this or the writing fail, it is tried again when the journal has grown by as much again.
        self.not_before = self.bytes() + self.checkpoint_bytes.max(SMALL_JOURNAL);
        self.commit()?;
        if self.committed > self.current.base() {
            let next = RecordFile::create(&journal_path(&self.state, self.committed), JOURNAL, self.committed)?;
            let full = std::mem::replace(&mut self.current, next);
            self.older.push(Older { path: full.path().to_owned(), bytes: full.committed() });
        }
        let under_way = Arc::new(());
        self.under_way = Arc::downgrade(&under_way);
        Ok(Some(Checkpoint { path: self.state.path().join(CHECKPOINT_NAME), number: self.committed, under_way }))
    }

    /// Removes the journal files that a checkpoint on the disk has made superfluous.
    pub fn finish_checkpoint(&mut self, written: Written) -> Result<(), JournalError> {
        self.checkpoint_bytes = written.bytes;
        self.not_before = 0;
        self.remove_older(written.number)
    }

    /// Removes the files before the current one if a checkpoint up to `number` holds all of theirs.
    fn remove_older(&mut self, number: u64) -> Result<(), JournalError> {
        if number < self.current.base() {
            return Ok(());
        }
        // Oldest first: what a crash leaves still begins at or below the checkpoint and has no gap.
        while let Some(oldest) = self.older.first() {
            record::remove(&oldest.path)?;
            self.older.remove(0);
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.current.committed() + self.older.iter().map(|file| file.bytes).sum::<u64>()
    }
}

impl Checkpoint {
    /// Writes the datastore's content and syncs it. Blocks, for as long as the disk takes.
    pub fn write(self, content: &[u8]) -> Result<Written, JournalError> {
        record::write_sealed(&self.path, CHECKPOINT, self.number, content)?;
        Ok(Written { number: self.number, bytes: content.len() as u64, _under_way: self.under_way })
    }
}

fn journal_path(state: &StateDirectory, base: u64) -> PathBuf {
    state.path().join(format!("{JOURNAL_PREFIX}{base:020}"))
}

/// The journal files of a directory with what their names say they follow on, oldest first.
fn journal_files(directory: &Path) -> Result<Vec<(u64, PathBuf)>, JournalError> {
    let read = |source: io::Error| RecordError::Io { action: "read", path: directory.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(read)? {
        let entry = entry.map_err(read)?;
        let name = entry.file_name();
        // Anything else, such as the temporary file of a checkpoint that a crash cut short, is not part of the journal.
        let base = name.to_str().and_then(|name| name.strip_prefix(JOURNAL_PREFIX)).and_then(|base| base.parse().ok());
        if let Some(base) = base {
            files.push((base, entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

impl Recovered {
    /// Takes a record that follows on record `last`, unless the checkpoint holds it.
    fn take(&mut self, last: &mut u64, holds: u64, record: &[u8]) -> Result<(), String> {
        let (number, content) = record.split_first_chunk::<NUMBER>().ok_or("a record has no number")?;
        let number = u64::from_le_bytes(*number);
        if number != *last + 1 {
            return Err(format!("record {number} stands where {} belongs", *last + 1));
        }
        *last = number;
        if number > holds {
            self.records.push(content.to_vec());
        }
        Ok(())
    }
}

/// A file must begin where the one before it, or the checkpoint, ends.
fn follows(state: &StateDirectory, last: u64, base: u64) -> Result<(), JournalError> {
    match base == last {
        true => Ok(()),
        false => Err(incomplete(state, format!("record {} is in no file", last + 1))),
    }
}

fn named(path: &Path, name: u64, base: u64) -> Result<(), JournalError> {
    match name == base {
        true => Ok(()),
        false => Err(record::damaged(path, 0, format!("by its header its name ends in {base}"))),
    }
}

fn incomplete(state: &StateDirectory, reason: String) -> JournalError {
    RecordError::Incomplete { path: state.path().to_owned(), reason }
}

#[cfg(test)]
mod tests;
