//! The numbers of the notifications (Table I.1 row 9): counted without a gap, over restarts too.

use std::io::Write;
use std::path::{Path, PathBuf};

use netconf::server::record::{RecordError, replace};

/// Numbers taken from the disk at a time: one sync for so many notifications. After a crash the count goes on behind them; a receiver that
/// sees the gap reads anew, as it must, because a crash may have cost it notifications.
const RESERVED: u64 = 1000;

/// Why numbers cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum SequenceError {
    #[error("{}: {source}; it holds the number of the last notification: put it right, or delete it to count from 1", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Write(#[from] RecordError),
}

/// The count, in a file of its own.
#[derive(Debug)]
pub struct Sequence {
    path: PathBuf,
    last: u64,
    /// Numbers up to this one are taken, as the disk has it.
    taken: u64,
}

impl Sequence {
    /// Goes on with the count in the file; from 1 where there is none.
    pub fn open(path: &Path) -> Result<Sequence, SequenceError> {
        let fail = |source| SequenceError::Read { path: path.to_owned(), source };
        let last = match std::fs::read_to_string(path) {
            Ok(text) => text.trim().parse().map_err(|error| fail(std::io::Error::other(error)))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(fail(error)),
        };
        Ok(Sequence { path: path.to_owned(), last, taken: last })
    }

    /// The last number given.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The next number; with an error it is given all the same, because nobody is helped by silence.
    pub fn take(&mut self) -> (u64, Result<(), SequenceError>) {
        self.last += 1;
        let mut kept = Ok(());
        if self.last > self.taken {
            let taken = self.last + RESERVED;
            kept = self.write(taken);
            if kept.is_ok() {
                self.taken = taken;
            }
        }
        (self.last, kept)
    }

    /// Keeps the exact count, so that the next one leaves no gap.
    pub fn close(self) -> Result<(), SequenceError> {
        if self.taken == self.last { Ok(()) } else { self.write(self.last) }
    }

    fn write(&self, number: u64) -> Result<(), SequenceError> {
        Ok(replace(&self.path, |file| writeln!(file, "{number}"))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_goes_on_after_a_stop_without_and_after_a_crash_with_a_gap() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sequence");
        let mut sequence = Sequence::open(&path).unwrap();
        assert_eq!([sequence.take().0, sequence.take().0], [1, 2]);
        sequence.close().unwrap();
        let mut sequence = Sequence::open(&path).unwrap();
        assert_eq!(sequence.take().0, 3);
        drop(sequence);
        let mut sequence = Sequence::open(&path).unwrap();
        let after_crash = sequence.take().0;
        assert!(after_crash > 3, "{after_crash}");
        std::fs::write(&path, "many").unwrap();
        assert!(Sequence::open(&path).unwrap_err().to_string().contains("delete it"));
    }
}
