//! The replay log of a stream (RFC 5277 section 3.2.5.1): segment files, of which whole ones are dropped, oldest first.
//!
//! ```text
//! streams/NAME/info       when the log was made, and the time of the last event dropped
//! streams/NAME/B.log      the events after sequence number B, to which the segment before it goes
//! ```

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use smol_str::SmolStr;

use super::{Entry, Notification};
use crate::server::record::{self, Kind, RecordError, RecordFile, RecordReader, StateDirectory};

/// How much of a stream is kept for replay, on the disk: some 300,000 alarms. Whole segments are dropped, so a sixteenth
/// less may be there. A subscriber that falls behind all of it is ended.
pub const RETAINED_BYTES: u64 = 128 << 20;
/// Bounds what a replay from the beginning sends, where events are very small.
pub const RETAINED_EVENTS: u64 = 1_000_000;
/// The longest month, so that a client that was away for one can still catch up.
pub const RETAINED_AGE: Duration = Duration::from_hours(31 * 24);
/// A log is kept in about so many segments.
const SEGMENTS: u32 = 16;

const SEGMENT: Kind = *b"EVNT";
const INFO: Kind = *b"INFO";
const SUFFIX: &str = ".log";

/// When the oldest segments of a log are dropped: as soon as one of these is exceeded.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    pub bytes: u64,
    pub events: u64,
    pub age: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Retention { bytes: RETAINED_BYTES, events: RETAINED_EVENTS, age: RETAINED_AGE }
    }
}

/// The log as its writer has it.
#[derive(Debug)]
pub(super) struct Log {
    directory: PathBuf,
    retention: Retention,
    current: RecordFile,
    index: Index,
    /// Keeps other processes out for as long as this one writes.
    _state: StateDirectory,
}

/// What readers need to know of a log.
#[derive(Clone, Debug)]
pub(super) struct Index {
    pub(super) created: Timestamp,
    pub(super) aged: Option<Timestamp>,
    /// Up to here events have been dropped.
    pub(super) dropped: u64,
    /// Oldest first; the last one is being written. Never empty.
    pub(super) segments: VecDeque<Segment>,
}

#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) path: Arc<Path>,
    /// Its events come after this sequence number,
    base: u64,
    /// and end with this one, which is `base` while there are none.
    pub(super) last: u64,
    events: u64,
    first_time: Timestamp,
    pub(super) last_time: Timestamp,
    /// Length of what is committed.
    pub(super) bytes: u64,
}

impl Segment {
    fn new(path: &Path, base: u64, bytes: u64) -> Segment {
        let (first_time, last_time) = (Timestamp::MAX, Timestamp::MIN);
        Segment { path: path.into(), base, last: base, events: 0, first_time, last_time, bytes }
    }

    fn add(&mut self, sequence: u64, time: Timestamp) {
        self.last = sequence;
        self.events += 1;
        self.first_time = self.first_time.min(time);
        self.last_time = self.last_time.max(time);
    }
}

impl Log {
    pub(super) fn open(
        state: &StateDirectory,
        name: &str,
        retention: Retention,
        now: Timestamp,
    ) -> Result<Log, RecordError> {
        let directory = state.path().join("streams").join(file_name(name));
        record::make_directory(&directory)?;
        let info = directory.join("info");
        let mut files = segment_files(&directory)?;
        let (created, aged) = match record::read_sealed(&info, INFO)? {
            Some((_, content)) => read_info(&content).ok_or_else(|| record::damaged(&info, 0, "it holds no times"))?,
            None if files.is_empty() => {
                write_info(&info, now, None)?;
                (now, None)
            }
            None => return Err(record::damaged(&info, 0, "it is missing")),
        };
        let mut index = Index { created, aged, dropped: 0, segments: VecDeque::new() };
        let Some((newest, newest_path)) = files.pop() else {
            let path = segment_path(&directory, 0);
            let current = RecordFile::create(&path, SEGMENT, 0)?;
            index.segments.push_back(Segment::new(&path, 0, current.committed()));
            return Ok(Log { directory, retention, current, index, _state: state.clone() });
        };
        index.dropped = files.first().map_or(newest, |(oldest, _)| *oldest);
        let mut end = index.dropped;
        for (base, path) in files {
            let mut segment = begin(&path, base, end)?;
            let scan = record::scan(&path, SEGMENT, |_, record| check(&mut segment, record))?;
            // The next segment was begun after all of this one's had been committed: nothing in it is unfinished.
            if scan.end < scan.length {
                return Err(record::damaged(&path, scan.end, "a record fails its checksum"));
            }
            segment.bytes = scan.end;
            end = segment.last;
            index.segments.push_back(segment);
        }
        let mut segment = begin(&newest_path, newest, end)?;
        let (current, _) = RecordFile::open(&newest_path, SEGMENT, |_, record| check(&mut segment, record))?;
        segment.bytes = current.committed();
        index.segments.push_back(segment);
        let mut log = Log { directory, retention, current, index, _state: state.clone() };
        let expired = log.expire(now);
        log.remove(&expired)?;
        Ok(log)
    }

    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    #[cfg(test)]
    pub(super) fn fault(&mut self) -> &mut record::Fault {
        &mut self.current.fault
    }

    /// The sequence number of the last event stored.
    pub(super) fn last(&self) -> u64 {
        self.segment().last
    }

    /// Stores events durably, all or none.
    pub(super) fn store(&mut self, batch: &[Arc<Entry>]) -> Result<(), RecordError> {
        let Some(newest) = batch.last() else { return Ok(()) };
        let segment = self.segment();
        let too_long = segment.bytes >= self.retention.bytes / u64::from(SEGMENTS);
        let too_many = segment.events >= (self.retention.events / u64::from(SEGMENTS)).max(1);
        let too_old = segment.first_time < before(newest.time, self.retention.age / SEGMENTS);
        if (segment.events > 0 && (too_long || too_many || too_old)) || self.current.is_poisoned() {
            self.begin_segment()?;
        }
        for entry in batch {
            let Entry { sequence, time, module, name, body, .. } = &**entry;
            let separator: &[u8] = &[0];
            let parts = [
                &sequence.to_le_bytes(),
                &time.as_microsecond().to_le_bytes(),
                module.as_bytes(),
                separator,
                name.as_bytes(),
                separator,
                body.as_bytes(),
            ];
            if let Err(error) = self.current.append(&parts) {
                self.current.discard();
                return Err(error);
            }
        }
        self.current.commit()?;
        let bytes = self.current.committed();
        let segment = self.index.segments.back_mut().expect("there is always a segment");
        segment.bytes = bytes;
        batch.iter().for_each(|entry| segment.add(entry.sequence, entry.time));
        Ok(())
    }

    fn begin_segment(&mut self) -> Result<(), RecordError> {
        let base = self.last();
        let path = segment_path(&self.directory, base);
        // A poisoned segment that holds nothing has the name of the one that takes its place.
        let replaced = (self.segment().base == base).then(|| self.index.segments.pop_back()).flatten();
        self.current = match RecordFile::create(&path, SEGMENT, base) {
            Ok(file) => file,
            Err(error) => {
                self.index.segments.extend(replaced);
                return Err(error);
            }
        };
        self.index.segments.push_back(Segment::new(&path, base, self.current.committed()));
        Ok(())
    }

    fn segment(&self) -> &Segment {
        self.index.segments.back().expect("there is always a segment")
    }

    /// Takes segments that need not be retained out of the index, to be given to [`Log::remove`] when no reader can
    /// find them there any more.
    pub(super) fn expire(&mut self, now: Timestamp) -> Vec<Segment> {
        let Retention { bytes, events, age } = self.retention;
        let segments = &self.index.segments;
        let mut all_bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
        let mut all_events: u64 = segments.iter().map(|segment| segment.events).sum();
        let oldest_time = before(now, age);
        let mut count = 0;
        for segment in segments.iter().take(segments.len() - 1) {
            if all_bytes <= bytes && all_events <= events && segment.last_time >= oldest_time {
                break;
            }
            all_bytes -= segment.bytes;
            all_events -= segment.events;
            count += 1;
        }
        let expired: Vec<Segment> = self.index.segments.drain(..count).collect();
        if let Some(newest) = expired.last() {
            self.index.dropped = newest.last;
            self.index.aged = Some(newest.last_time);
        }
        expired
    }

    /// Removes expired segments, oldest first.
    pub(super) fn remove(&self, expired: &[Segment]) -> Result<(), RecordError> {
        if expired.is_empty() {
            return Ok(());
        }
        // On a full disk this may fail, and what follows mend that.
        let noted = write_info(&self.directory.join("info"), self.index.created, self.index.aged);
        expired.iter().try_for_each(|segment| record::remove(&segment.path)).and(noted)
    }
}

impl Index {
    /// No later event may have an earlier time.
    pub(super) fn last_time(&self) -> Timestamp {
        self.segments.iter().map(|segment| segment.last_time).chain(self.aged).fold(self.created, Timestamp::max)
    }

    /// Where to look for the first event of at least this time: the sequence number of one that is not after it.
    pub(super) fn first_since(&self, start: Timestamp) -> u64 {
        let segment = self.segments.iter().find(|segment| segment.last_time >= start);
        segment.map_or_else(|| self.segments.back().map_or(0, |newest| newest.last), |segment| segment.base) + 1
    }
}

/// Reads events from a segment.
#[derive(Debug)]
pub(super) struct SegmentReader {
    path: Arc<Path>,
    records: RecordReader,
}

impl SegmentReader {
    /// Goes on with `reader` if it reads this segment already.
    pub(super) fn open(reader: Option<SegmentReader>, segment: &Segment) -> Result<SegmentReader, RecordError> {
        match reader.filter(|reader| reader.path == segment.path) {
            Some(reader) => Ok(reader),
            None => {
                Ok(SegmentReader { path: segment.path.clone(), records: RecordReader::open(&segment.path, SEGMENT)? })
            }
        }
    }

    /// The next event with a sequence number of at least `from` that `wanted` accepts, in what is committed.
    pub(super) fn next(
        &mut self,
        segment: &Segment,
        from: u64,
        wanted: impl Fn(u64, Timestamp) -> bool,
    ) -> Result<Option<Entry>, RecordError> {
        loop {
            let offset = self.records.offset();
            let bad = |reason| record::damaged(&segment.path, offset, reason);
            let Some(record) = self.records.next(segment.bytes)? else { return Ok(None) };
            let (sequence, time, rest) = split(record).ok_or_else(|| bad(NO_EVENT))?;
            if sequence >= from && wanted(sequence, time) {
                return Ok(Some(Entry::new(sequence, time, notification(rest).ok_or_else(|| bad(NO_EVENT))?)));
            }
        }
    }
}

const NO_EVENT: &str = "a record holds no event";

/// Sequence number, time, and the rest of a record.
fn split(record: &[u8]) -> Option<(u64, Timestamp, &[u8])> {
    let (sequence, rest) = record.split_first_chunk()?;
    let (time, rest) = rest.split_first_chunk()?;
    let time = Timestamp::from_microsecond(i64::from_le_bytes(*time)).ok()?;
    Some((u64::from_le_bytes(*sequence), time, rest))
}

fn notification(rest: &[u8]) -> Option<Notification> {
    let (module, rest) = std::str::from_utf8(rest).ok()?.split_once('\0')?;
    let (name, body) = rest.split_once('\0')?;
    Some(Notification {
        module: SmolStr::new(module),
        name: SmolStr::new(name),
        node: None,
        body: body.into(),
        tree: None,
    })
}

fn check(segment: &mut Segment, record: &[u8]) -> Result<(), String> {
    let (sequence, time, _) = split(record).ok_or(NO_EVENT)?;
    // Events that could not be stored leave gaps.
    if sequence <= segment.last || time < segment.last_time {
        return Err(format!("event {sequence} is not later than {}", segment.last));
    }
    segment.add(sequence, time);
    Ok(())
}

fn begin(path: &Path, base: u64, end: u64) -> Result<Segment, RecordError> {
    if base != end {
        return Err(record::damaged(
            path,
            0,
            format!("it follows on event {base} and the log before it ends with {end}"),
        ));
    }
    Ok(Segment::new(path, base, 0))
}

fn before(time: Timestamp, age: Duration) -> Timestamp {
    time.checked_sub(age).unwrap_or(Timestamp::MIN)
}

fn write_info(path: &Path, created: Timestamp, aged: Option<Timestamp>) -> Result<(), RecordError> {
    let aged = aged.map_or_else(|| "-".into(), |aged| aged.to_string());
    record::write_sealed(path, INFO, 0, format!("{created} {aged}").as_bytes()).map(drop)
}

fn read_info(content: &[u8]) -> Option<(Timestamp, Option<Timestamp>)> {
    let (created, aged) = std::str::from_utf8(content).ok()?.split_once(' ')?;
    let aged = if aged == "-" { None } else { Some(aged.parse().ok()?) };
    Some((created.parse().ok()?, aged))
}

/// A stream's name as that of a directory.
fn file_name(name: &str) -> String {
    name.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

fn segment_path(directory: &Path, base: u64) -> PathBuf {
    directory.join(format!("{base:020}{SUFFIX}"))
}

/// The segments of a directory with what their names say they follow on, oldest first.
fn segment_files(directory: &Path) -> Result<Vec<(u64, PathBuf)>, RecordError> {
    let read = |source: io::Error| RecordError::Io { action: "read", path: directory.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(read)? {
        let entry = entry.map_err(read)?;
        let name = entry.file_name();
        let base = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)).and_then(|base| base.parse().ok());
        if let Some(base) = base {
            files.push((base, entry.path()));
        }
    }
    files.sort();
    Ok(files)
}
