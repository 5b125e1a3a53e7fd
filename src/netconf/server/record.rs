//! Files of records that survive a crash: the ground of the journal and of the notification logs.
//!
//! A file is a header and then records. What a crash leaves of an append that nobody was told had succeeded is cut off
//! when the file is opened; anything else that is wrong with a file is an error, never repaired in silence.
//!
//! ```text
//! header   magic [8]   version u32   kind [4]   base u64   crc32 of all before u32
//! record   length u32, its top bit set on the first record of a commit   crc32 of length and payload u32   payload
//! ```
//! Numbers are little-endian. `base` is the owner's: what number its records follow on.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

mod directory;

use directory::private;
pub use directory::{StateDirectory, make_directory, remove, replace};

/// What a file is for, in four letters, so that one is not taken for another.
pub type Kind = [u8; 4];

/// The longest payload: beyond any message a server accepts, and short enough that a damaged length is seen as such.
pub const MAX_RECORD: usize = (1 << 28) - 1;

const MAGIC: [u8; 8] = *b"NCRECORD";
const VERSION: u32 = 1;
const HEADER: usize = 28;
const HEAD: usize = 8;
const FIRST_OF_COMMIT: u32 = 1 << 31;
/// What storage writes or does not write as one.
const SECTOR: usize = 512;
/// Bytes hashed in the search for records behind a bad one. Beyond it the file is called damaged, which is the safe answer.
const SEARCH_BUDGET: usize = 1 << 30;
/// A commit's buffer is kept for the next one up to this size.
const BUFFER_KEPT: usize = 1 << 20;
/// A sealed file is written in records of this size.
const SEALED_CHUNK: usize = 16 << 20;

/// What is wrong with a file of state: one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("cannot {action} {}: {source}{}", path.display(), remedy(source))]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{} is damaged at byte {offset}: {reason}; restore it from a backup, or move it away to start without what it holds", path.display())]
    Damaged { path: PathBuf, offset: u64, reason: String },
    #[error("{} does not hold all of the configuration: {reason}; restore it from a backup, or move its running.* files away to start without any", path.display())]
    Incomplete { path: PathBuf, reason: String },
    #[error("{} is of version {found} and this program reads version {VERSION}; use the program that wrote it", path.display())]
    Version { path: PathBuf, found: u32 },
    #[error("a record of {size} bytes for {} is beyond the limit of {MAX_RECORD}; divide the request", path.display())]
    TooBig { path: PathBuf, size: usize },
    #[error("{} takes no more records: an earlier write failed and what of it reached the disk is unknown; check the disk and restart", path.display())]
    Poisoned { path: PathBuf },
    #[error("state directory {} is in use by another process; stop it or choose another directory", path.display())]
    InUse { path: PathBuf },
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free space there and try again",
        io::ErrorKind::PermissionDenied => "; give the user that runs this program the right to it",
        io::ErrorKind::ReadOnlyFilesystem => "; choose a directory that can be written",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => "; choose the path of a directory",
        _ => "",
    }
}

/// To be applied to an [`io::Error`] with the file's path.
fn cannot<'p>(action: &'static str, path: &'p Path) -> impl FnOnce(io::Error) -> RecordError + 'p {
    move |source| RecordError::Io { action, path: path.to_owned(), source }
}

/// A file that records are appended to.
#[derive(Debug)]
pub struct RecordFile {
    path: PathBuf,
    file: File,
    base: u64,
    /// The file's length as of the last commit.
    committed: u64,
    pending: Vec<u8>,
    poisoned: bool,
    #[cfg(test)]
    pub(super) fault: Fault,
}

/// Makes a file behave as on a bad disk.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Fault {
    /// The disk is full when the file is this long.
    pub(super) full_at: Option<u64>,
    pub(super) sync_fails: bool,
}

/// What was cut off the end of a file: an append that was never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    pub offset: u64,
    pub bytes: u64,
}

impl RecordFile {
    /// Makes an empty file, durably and at once, over one that may be there.
    pub fn create(path: &Path, kind: Kind, base: u64) -> Result<RecordFile, RecordError> {
        replace(path, |file| file.write_all(&header(kind, base)))?;
        let file = private().open(path).map_err(cannot("open", path))?;
        Ok(RecordFile::at(path, file, base, HEADER as u64))
    }

    /// Opens a file to append to it, after `each` has seen all its records: offset and payload.
    /// An error of `each` is reported as damage at that record.
    pub fn open(
        path: &Path,
        kind: Kind,
        each: impl FnMut(u64, &[u8]) -> Result<(), String>,
    ) -> Result<(RecordFile, Option<Torn>), RecordError> {
        let file = private().open(path).map_err(cannot("open", path))?;
        let Scan { base, end, length } = scan(path, kind, each)?;
        let torn = (end < length).then(|| Torn { offset: end, bytes: length - end });
        if let Some(Torn { offset, bytes }) = torn {
            tracing::warn!("cut {bytes} bytes of an unfinished append off {} at byte {offset}", path.display());
            file.set_len(end).map_err(cannot("cut", path))?;
        }
        // A process that was killed may have written these records and not synced them: they count from now on.
        file.sync_data().map_err(cannot("sync", path))?;
        Ok((RecordFile::at(path, file, base, end), torn))
    }

    fn at(path: &Path, file: File, base: u64, committed: u64) -> RecordFile {
        RecordFile {
            path: path.to_owned(),
            file,
            base,
            committed,
            pending: Vec::new(),
            poisoned: false,
            #[cfg(test)]
            fault: Fault::default(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn base(&self) -> u64 {
        self.base
    }

    /// The file's length as of the last commit.
    pub fn committed(&self) -> u64 {
        self.committed
    }

    /// Bytes appended since the last commit.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// True after an error that leaves open what is on the disk; nothing but an error comes from this file any more.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Adds a record, its payload given in parts, to the next commit.
    pub fn append(&mut self, parts: &[&[u8]]) -> Result<(), RecordError> {
        if self.poisoned {
            return Err(RecordError::Poisoned { path: self.path.clone() });
        }
        let head = head(self.pending.is_empty(), parts)
            .map_err(|size| RecordError::TooBig { path: self.path.clone(), size })?;
        self.pending.extend_from_slice(&head);
        parts.iter().for_each(|part| self.pending.extend_from_slice(part));
        Ok(())
    }

    /// Takes back what was appended since the last commit.
    pub fn discard(&mut self) {
        self.pending.clear();
    }

    /// Makes all that was appended durable with one write and one sync. On an error none of it counts: after a failed
    /// write the file is as before and can be used on; after a failed sync, which a second one cannot mend, it is poisoned.
    pub fn commit(&mut self) -> Result<(), RecordError> {
        if self.poisoned {
            return Err(RecordError::Poisoned { path: self.path.clone() });
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        let written = self.write();
        let length = self.pending.len() as u64;
        self.pending.clear();
        self.pending.shrink_to(BUFFER_KEPT);
        if let Err(source) = written {
            self.poisoned = self.file.set_len(self.committed).is_err();
            return Err(cannot("write", &self.path)(source));
        }
        if let Err(source) = self.sync() {
            self.poisoned = true;
            if let Err(error) = self.file.set_len(self.committed) {
                tracing::error!("cannot cut the failed append off {}: {error}", self.path.display());
            }
            return Err(cannot("sync", &self.path)(source));
        }
        self.committed += length;
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        #[cfg(test)]
        if let Some(full_at) = self.fault.full_at
            && self.committed + self.pending.len() as u64 > full_at
        {
            let room = full_at.saturating_sub(self.committed) as usize;
            self.file.write_all_at(&self.pending[..room], self.committed)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_all_at(&self.pending, self.committed)
    }

    fn sync(&self) -> io::Result<()> {
        #[cfg(test)]
        if self.fault.sync_fails {
            return Err(io::Error::other("the disk went away"));
        }
        self.file.sync_data()
    }
}

/// What [`scan`] found.
#[derive(Debug, PartialEq, Eq)]
pub struct Scan {
    pub base: u64,
    /// Where the last good record ends.
    pub end: u64,
    /// Of the file; beyond `end` is what an unfinished append left.
    pub length: u64,
}

/// Reads a whole file, and tells an unfinished append at its end from damage, which is an error.
pub fn scan(
    path: &Path,
    kind: Kind,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), String>,
) -> Result<Scan, RecordError> {
    let mut reader = RecordReader::open(path, kind)?;
    let length = reader.file.get_ref().metadata().map_err(cannot("read", path))?.len();
    loop {
        let offset = reader.offset;
        match reader.read(length).map_err(cannot("read", path))? {
            Step::Record => {
                each(offset, &reader.payload).map_err(|reason| damaged(path, offset, reason))?;
            }
            Step::End => return Ok(Scan { base: reader.base, end: offset, length }),
            Step::TooLong(size) => {
                return Err(damaged(path, offset, format!("a record claims {size} bytes, beyond any limit")));
            }
            Step::Bad => {
                let mut rest = Vec::new();
                reader.file.seek(SeekFrom::Start(offset)).map_err(cannot("read", path))?;
                reader.file.read_to_end(&mut rest).map_err(cannot("read", path))?;
                if !is_torn(&rest, offset) {
                    return Err(damaged(path, offset, "a record fails its checksum and good ones follow it"));
                }
                return Ok(Scan { base: reader.base, end: offset, length });
            }
        }
    }
}

pub(super) fn damaged(path: &Path, offset: u64, reason: impl Into<String>) -> RecordError {
    RecordError::Damaged { path: path.to_owned(), offset, reason: reason.into() }
}

/// Whether `rest`, which begins with a bad record at `offset` of its file, is an append that was never acknowledged.
///
/// Nothing good behind it: yes. Good records behind it: only if all are of the same commit, and a sector of zeros lies
/// between, because after a power failure a part of one write may have reached the disk and an earlier part not.
fn is_torn(rest: &[u8], offset: u64) -> bool {
    let mut budget = SEARCH_BUDGET;
    let mut at = 1;
    let mut found = false;
    while at < rest.len() {
        let Some(head) = rest[at..].first_chunk::<HEAD>() else { break };
        let (length, crc) = split(head);
        let size = (length & !FIRST_OF_COMMIT) as usize;
        let Some(payload) = rest[at + HEAD..].get(..size).filter(|_| size <= MAX_RECORD) else {
            at += 1;
            continue;
        };
        let Some(left) = budget.checked_sub(size) else { return false };
        budget = left;
        if checksum(length, &[payload]) != crc {
            at += 1;
            continue;
        }
        if length & FIRST_OF_COMMIT != 0 || !(found || has_zero_sector(&rest[..at], offset)) {
            return false;
        }
        found = true;
        at += HEAD + size;
    }
    true
}

fn has_zero_sector(bytes: &[u8], offset: u64) -> bool {
    let skip = offset.next_multiple_of(SECTOR as u64) - offset;
    let aligned = usize::try_from(skip).ok().and_then(|skip| bytes.get(skip..)).unwrap_or_default();
    aligned.chunks_exact(SECTOR).any(|sector| sector.iter().all(|&byte| byte == 0))
}

/// Reads the records of a file, which may be growing, one after the other.
#[derive(Debug)]
pub struct RecordReader {
    path: PathBuf,
    file: BufReader<File>,
    base: u64,
    offset: u64,
    limit: u64,
    payload: Vec<u8>,
}

enum Step {
    /// In the reader's `payload`.
    Record,
    End,
    Bad,
    TooLong(u32),
}

impl RecordReader {
    pub fn open(path: &Path, kind: Kind) -> Result<RecordReader, RecordError> {
        let file = File::open(path).map_err(cannot("open", path))?;
        let mut file = BufReader::with_capacity(64 << 10, file);
        let mut header = [0; HEADER];
        file.read_exact(&mut header).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(path, 0, "it is shorter than its header"),
            _ => cannot("read", path)(error),
        })?;
        let base = read_header(path, kind, &header)?;
        Ok(RecordReader { path: path.to_owned(), file, base, offset: HEADER as u64, limit: 0, payload: Vec::new() })
    }

    pub fn base(&self) -> u64 {
        self.base
    }

    /// Where the next record begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record of the file's first `limit` bytes, which have been committed: a bad record there is damage.
    pub fn next(&mut self, limit: u64) -> Result<Option<&[u8]>, RecordError> {
        match self.read(limit).map_err(cannot("read", &self.path))? {
            Step::Record => Ok(Some(&self.payload)),
            Step::End => Ok(None),
            Step::Bad | Step::TooLong(_) => Err(damaged(&self.path, self.offset, "a record fails its checksum")),
        }
    }

    fn read(&mut self, limit: u64) -> io::Result<Step> {
        if limit != self.limit {
            // What was buffered beyond the old limit may have been a write that failed and was taken back.
            self.file.seek(SeekFrom::Start(self.offset))?;
            self.limit = limit;
        }
        let left = limit.saturating_sub(self.offset);
        if left == 0 {
            return Ok(Step::End);
        }
        if left < HEAD as u64 {
            return Ok(Step::Bad);
        }
        let mut head = [0; HEAD];
        self.file.read_exact(&mut head)?;
        let (length, crc) = split(&head);
        let size = length & !FIRST_OF_COMMIT;
        if size as usize > MAX_RECORD {
            return Ok(Step::TooLong(size));
        }
        if u64::from(size) > left - HEAD as u64 {
            return Ok(Step::Bad);
        }
        self.payload.resize(size as usize, 0);
        self.file.read_exact(&mut self.payload)?;
        if checksum(length, &[&self.payload]) != crc {
            return Ok(Step::Bad);
        }
        self.offset += (HEAD + size as usize) as u64;
        Ok(Step::Record)
    }
}

/// Writes a file of one content, durably and at once, over one that may be there. Returns its length in bytes.
pub fn write_sealed(path: &Path, kind: Kind, base: u64, content: &[u8]) -> Result<u64, RecordError> {
    let mut length = 0;
    let mut put = |file: &mut File, bytes: &[u8]| {
        length += bytes.len() as u64;
        file.write_all(bytes)
    };
    replace(path, |file| {
        put(file, &header(kind, base))?;
        let total = (content.len() as u64).to_le_bytes();
        for chunk in std::iter::once(&total[..]).chain(content.chunks(SEALED_CHUNK)) {
            put(file, &head(true, &[chunk]).expect("a chunk is shorter than the longest record"))?;
            put(file, chunk)?;
        }
        Ok(())
    })?;
    Ok(length)
}

/// The base and content that [`write_sealed`] wrote; None if there is no such file.
pub fn read_sealed(path: &Path, kind: Kind) -> Result<Option<(u64, Vec<u8>)>, RecordError> {
    let mut total = None;
    let mut content = Vec::new();
    let scan = match scan(path, kind, |_, payload| {
        match total {
            None => total = Some(u64::from_le_bytes(payload.try_into().map_err(|_| "its size is missing")?)),
            Some(_) => content.extend_from_slice(payload),
        }
        Ok(())
    }) {
        Err(RecordError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        scan => scan?,
    };
    // It was renamed into place whole, so an end that is missing is not an unfinished write.
    if total != Some(content.len() as u64) || scan.end < scan.length {
        return Err(damaged(path, scan.end, "it is not as long as it was written"));
    }
    Ok(Some((scan.base, content)))
}

fn header(kind: Kind, base: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&kind);
    header[16..24].copy_from_slice(&base.to_le_bytes());
    let crc = crc32fast::hash(&header[..24]);
    header[24..].copy_from_slice(&crc.to_le_bytes());
    header
}

fn read_header(path: &Path, kind: Kind, bytes: &[u8; HEADER]) -> Result<u64, RecordError> {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    if bytes[..8] != MAGIC || crc32fast::hash(&bytes[..24]) != number(24) {
        return Err(damaged(path, 0, "its header is not one"));
    }
    if number(8) != VERSION {
        return Err(RecordError::Version { path: path.to_owned(), found: number(8) });
    }
    if bytes[12..16] != kind {
        let found = String::from_utf8_lossy(&bytes[12..16]).into_owned();
        return Err(damaged(path, 12, format!("it is a file of kind {found}, not {}", String::from_utf8_lossy(&kind))));
    }
    Ok(u64::from_le_bytes(bytes[16..24].try_into().expect("eight bytes")))
}

/// What stands before a payload; the payload's size where it is too long.
fn head(first: bool, parts: &[&[u8]]) -> Result<[u8; HEAD], usize> {
    let size: usize = parts.iter().map(|part| part.len()).sum();
    let length = u32::try_from(size).ok().filter(|_| size <= MAX_RECORD).ok_or(size)?;
    let length = if first { length | FIRST_OF_COMMIT } else { length };
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[4..].copy_from_slice(&checksum(length, parts).to_le_bytes());
    Ok(head)
}

fn split(head: &[u8; HEAD]) -> (u32, u32) {
    let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
    (number(0), number(4))
}

fn checksum(length: u32, parts: &[&[u8]]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length.to_le_bytes());
    parts.iter().for_each(|part| crc.update(part));
    crc.finalize()
}

#[cfg(test)]
mod tests;
