//! The durable event log of an agent (Y.3804 clauses 9.1 and 10.5): numbered entries in files that are kept up to a bound.
//!
//! What [`EventLog::commit`] acknowledged survives kill -9 and power failure. The oldest file goes when there are too many, so the log
//! never fills a disk.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use netconf::server::record::{self, Kind, RecordError, RecordFile, RecordReader};
use serde::{Deserialize, Serialize};

use crate::driver::LogClass;

/// Entries in one file: some 800 kB.
pub const FILE_ENTRIES: u64 = 4096;

/// Files kept: 28,672 entries or more. At one event a minute that is three weeks; the manager collects far more often.
pub const FILES: usize = 8;

const KIND: Kind = *b"EVNT";
const PREFIX: &str = "events-";

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts from 1 without a gap, but for entries that a full or failing disk lost.
    pub number: u64,
    pub time: Timestamp,
    pub class: LogClass,
    pub resource: Option<String>,
    pub user: Option<String>,
    pub session: Option<String>,
    /// Name of the event, in lower case with hyphens.
    pub event: String,
    pub text: String,
    /// The sequence number of the notification that told of it, if one did.
    pub notified: Option<u64>,
}

/// Which entries to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Only numbers above this.
    pub after: u64,
    /// Only entries that are not older.
    pub since: Option<Timestamp>,
    /// Only these classes; all where empty.
    pub classes: Vec<LogClass>,
    pub maximum: usize,
}

/// Entries, oldest first, and what there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub entries: Vec<Entry>,
    pub last: u64,
    /// Nothing where the log is empty.
    pub oldest: Option<u64>,
}

#[derive(Debug)]
pub struct EventLog {
    directory: PathBuf,
    /// Number before the first entry of each file, oldest first; the last one is open.
    bases: VecDeque<u64>,
    file: RecordFile,
    last: u64,
    last_notified: u64,
}

/// What of the log was durable at one time, to be read while it goes on.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Number before the first entry, and how much of the file counts where it is not all.
    files: Vec<(u64, PathBuf, Option<u64>)>,
    last: u64,
}

impl EventLog {
    /// Opens the log in a directory that exists, or begins one. An append that was cut short is dropped.
    pub fn open(directory: &Path) -> Result<EventLog, RecordError> {
        let mut bases: VecDeque<u64> = numbers(directory)?.into();
        let Some(base) = bases.back().copied() else {
            let file = RecordFile::create(&path(directory, 0), KIND, 0)?;
            let directory = directory.to_owned();
            return Ok(EventLog { directory, bases: VecDeque::from([0]), file, last: 0, last_notified: 0 });
        };
        let (mut last, mut last_notified) = (base, 0);
        let mut see = |_, payload: &[u8]| {
            let entry: Entry = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
            last = last.max(entry.number);
            last_notified = last_notified.max(entry.notified.unwrap_or(0));
            Ok(())
        };
        // The newest notified entry may stand in the file before, where the newest file is young.
        if let Some(before) = bases.len().checked_sub(2).and_then(|index| bases.get(index)) {
            record::scan(&path(directory, *before), KIND, &mut see)?;
        }
        let (file, _torn) = RecordFile::open(&path(directory, base), KIND, &mut see)?;
        while bases.len() > FILES {
            let oldest = bases.pop_front().expect("there are more than FILES");
            record::remove(&path(directory, oldest))?;
        }
        Ok(EventLog { directory: directory.to_owned(), bases, file, last, last_notified })
    }

    /// The number of the newest entry, 0 before the first.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The newest sequence number of a notification, 0 before the first.
    pub fn last_notified(&self) -> u64 {
        self.last_notified
    }

    /// Numbers an entry and adds it to the next commit; `notify` gives it the sequence number of a notification too.
    pub fn append(&mut self, entry: Entry, notify: bool) -> Result<Entry, RecordError> {
        if self.file.is_poisoned() || self.last >= self.bases.back().copied().unwrap_or(0) + FILE_ENTRIES {
            self.rotate()?;
        }
        self.last += 1;
        self.last_notified += u64::from(notify);
        let notified = notify.then_some(self.last_notified);
        let entry = Entry { number: self.last, notified, ..entry };
        let payload = serde_json::to_vec(&entry).expect("an entry has string keys only");
        self.file.append(&[&payload])?;
        Ok(entry)
    }

    /// Makes durable what was appended, with one sync.
    pub fn commit(&mut self) -> Result<(), RecordError> {
        self.file.commit()
    }

    pub fn reader(&self) -> Reader {
        let mut files: Vec<_> = self.bases.iter().map(|base| (*base, path(&self.directory, *base), None)).collect();
        if let Some(open) = files.last_mut() {
            open.2 = Some(self.file.committed());
        }
        Reader { files, last: self.last }
    }

    fn rotate(&mut self) -> Result<(), RecordError> {
        if !self.file.is_poisoned() {
            self.file.commit()?;
        }
        if self.bases.back() != Some(&self.last) {
            self.bases.push_back(self.last);
        }
        self.file = RecordFile::create(&path(&self.directory, self.last), KIND, self.last)?;
        while self.bases.len() > FILES {
            let oldest = self.bases.pop_front().expect("there are more than FILES");
            record::remove(&path(&self.directory, oldest))?;
        }
        Ok(())
    }
}

impl Reader {
    /// Reads from the disk: not for a task that others wait for.
    pub fn read(&self, query: &Query) -> Result<Page, RecordError> {
        let mut page = Page { entries: Vec::new(), last: self.last, oldest: None };
        for (index, (_, path, length)) in self.files.iter().enumerate() {
            let next = self.files.get(index + 1).map(|(base, ..)| *base);
            // A file whose entries are all too old is not read, but the oldest one tells what there is.
            if page.oldest.is_some() && next.is_some_and(|next| next <= query.after) {
                continue;
            }
            let length = match length {
                Some(length) => *length,
                None => match std::fs::metadata(path) {
                    Ok(metadata) => metadata.len(),
                    // Removed by rotation since.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                    Err(source) => return Err(RecordError::Io { action: "read", path: path.clone(), source }),
                },
            };
            let mut records = RecordReader::open(path, KIND)?;
            while let Some(payload) = records.next(length)? {
                let entry: Entry = serde_json::from_slice(payload).map_err(|error| damaged(path, &error))?;
                page.oldest.get_or_insert(entry.number);
                let wanted = entry.number > query.after
                    && query.since.is_none_or(|since| entry.time >= since)
                    && (query.classes.is_empty() || query.classes.contains(&entry.class));
                if wanted {
                    page.entries.push(entry);
                }
                if page.entries.len() >= query.maximum {
                    return Ok(page);
                }
            }
        }
        Ok(page)
    }
}

fn damaged(path: &Path, error: &serde_json::Error) -> RecordError {
    RecordError::Damaged { path: path.to_owned(), offset: 0, reason: format!("an entry is not readable: {error}") }
}

fn path(directory: &Path, base: u64) -> PathBuf {
    directory.join(format!("{PREFIX}{base:020}"))
}

/// The bases of the files in a directory, in order.
fn numbers(directory: &Path) -> Result<Vec<u64>, RecordError> {
    let cannot = |source| RecordError::Io { action: "read", path: directory.to_owned(), source };
    let mut numbers = Vec::new();
    for file in std::fs::read_dir(directory).map_err(cannot)? {
        let name = file.map_err(cannot)?.file_name();
        let number: Option<u64> =
            name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|digits| digits.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}
