//! The lines of a feed, numbered from 1 and bounded in length.

use std::io::{self, BufRead, Read};

/// Bytes of one line: room for all the state of a large device at once, which takes several times as much memory while it
/// is read. The rest of a longer line is passed over without being kept.
pub const MAX_LINE: usize = 16 << 20;

/// Memory that is kept from one line to the next.
const KEPT: usize = 1 << 20;

pub struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    number: u64,
    longest: usize,
}

#[derive(Debug, PartialEq)]
pub enum Line<'l> {
    /// Without the line's end. Never of white space alone.
    Text(&'l str),
    /// It cannot even be looked at: why, and what to do.
    Bad(String),
}

impl<R: BufRead> Lines<R> {
    pub fn new(reader: R) -> Lines<R> {
        Lines::up_to(MAX_LINE, reader)
    }

    pub(super) fn up_to(longest: usize, reader: R) -> Lines<R> {
        Lines { reader, line: Vec::new(), number: 0, longest }
    }

    /// That of the line which was read last; 0 before the first.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next line that is not empty; None at the end. A last line needs no line feed.
    pub fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        loop {
            self.line.clear();
            self.line.shrink_to(KEPT);
            // One more than the longest line is its line feed.
            let room = self.longest as u64 + 1;
            let read = self.reader.by_ref().take(room).read_until(b'\n', &mut self.line)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            let ended = self.line.last() == Some(&b'\n');
            if !ended && self.line.len() > self.longest {
                self.reader.skip_until(b'\n')?;
                let reason = format!("longer than {} bytes; give less at once, on several lines", self.longest);
                return Ok(Some(Line::Bad(reason)));
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some(match std::str::from_utf8(&self.line) {
            Ok(text) => Line::Text(text.trim_ascii()),
            Err(error) => Line::Bad(format!("byte {} is not UTF-8, in which JSON is written", error.valid_up_to() + 1)),
        }))
    }
}
