//! Files below one directory, reached step by step: no symbolic link is followed on the way or at its end.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::{Failure, MAX_CONTENT, UrlError, percent_decoded};

#[derive(Debug)]
pub(super) struct Directory {
    root: OwnedFd,
    /// Its absolute paths, as given and without symbolic links.
    names: [PathBuf; 2],
    /// Two writers of one file would share its temporary one.
    writing: Mutex<()>,
}

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Directory, UrlError> {
        let failed = |source| UrlError::Directory { path: path.to_owned(), source };
        let names = [std::path::absolute(path).map_err(failed)?, std::fs::canonicalize(path).map_err(failed)?];
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
        Ok(Directory { root, names, writing: Mutex::new(()) })
    }

    /// The steps to a file, from what follows `file:` (RFC 8089). Nothing is looked up.
    pub(super) fn steps(&self, rest: &str) -> Result<Vec<String>, String> {
        let path = match rest.strip_prefix("//") {
            Some(rest) => {
                let (host, _) = rest.split_once('/').ok_or("A file: URL has an absolute path.")?;
                if !(host.is_empty() || host.eq_ignore_ascii_case("localhost")) {
                    return Err("A file: URL names no other host.".into());
                }
                &rest[host.len()..]
            }
            None => rest,
        };
        if !path.starts_with('/') {
            return Err("A file: URL has an absolute path.".into());
        }
        if path.contains(['?', '#']) {
            return Err("A file: URL has no query and no fragment.".into());
        }
        let mut steps = Vec::new();
        for step in path[1..].split('/') {
            let step = percent_decoded(step)?;
            match step.as_str() {
                "" => return Err("A step of the path is empty, or it names a directory.".into()),
                "." | ".." => return Err("The path must not contain \".\" or \"..\".".into()),
                _ if step.contains(['/', '\0']) => return Err("A name contains \"/\" or NUL.".into()),
                _ => steps.push(step),
            }
        }
        // The file system's own path is understood as well.
        for name in &self.names {
            let own: Vec<&str> = name.iter().skip(1).map(|step| step.to_str().unwrap_or_default()).collect();
            if steps.len() > own.len() && steps.iter().zip(&own).all(|(step, own)| step == own) {
                steps.drain(..own.len());
                break;
            }
        }
        Ok(steps)
    }

    pub(super) fn read(&self, steps: &[String]) -> Result<Vec<u8>, Failure> {
        let (parent, name) = self.parent(steps)?;
        // Without NONBLOCK a FIFO would hold the thread.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(parent.as_fd(), name, flags, Mode::empty()).map_err(failure)?;
        let file = File::from(file);
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(Failure::Refused("it is no regular file.".into()));
        }
        let mut bytes = Vec::new();
        file.take(MAX_CONTENT as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() > MAX_CONTENT { Err(Failure::TooBig) } else { Ok(bytes) }
    }

    pub(super) fn write(&self, steps: &[String], bytes: &[u8]) -> Result<(), Failure> {
        let (parent, name) = self.parent(steps)?;
        let _alone = self.writing.lock().expect("no panic holds it");
        if let Ok(there) = rustix::fs::statat(parent.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW)
            && !rustix::fs::FileType::from_raw_mode(there.st_mode).is_file()
        {
            return Err(Failure::Refused("it is no regular file.".into()));
        }
        let temporary = format!(".{name}.new");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = rustix::fs::openat(parent.as_fd(), temporary.as_str(), flags, mode).map_err(failure)?;
        let mut file = File::from(file);
        let written = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| Ok(rustix::fs::renameat(parent.as_fd(), temporary.as_str(), parent.as_fd(), name)?));
        if let Err(error) = written {
            // The space may be what others wait for. That it cannot be removed adds nothing to the error there is.
            let _ = rustix::fs::unlinkat(parent.as_fd(), temporary.as_str(), AtFlags::empty());
            return Err(failed(error));
        }
        rustix::fs::fsync(parent.as_fd()).map_err(failure)
    }

    pub(super) fn delete(&self, steps: &[String]) -> Result<(), Failure> {
        let (parent, name) = self.parent(steps)?;
        rustix::fs::unlinkat(parent.as_fd(), name, AtFlags::empty()).map_err(failure)?;
        rustix::fs::fsync(parent.as_fd()).map_err(failure)
    }

    /// The directory that a file is in, and the file's name.
    fn parent<'s>(&self, steps: &'s [String]) -> Result<(Parent<'_>, &'s str), Failure> {
        let (name, around) = steps.split_last().ok_or(Failure::Missing)?;
        let mut parent = Parent::Root(self.root.as_fd());
        for step in around {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let next = rustix::fs::openat(parent.as_fd(), step.as_str(), flags, Mode::empty()).map_err(failure)?;
            parent = Parent::Below(next);
        }
        Ok((parent, name))
    }
}

enum Parent<'d> {
    Root(BorrowedFd<'d>),
    Below(OwnedFd),
}

impl AsFd for Parent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Parent::Root(root) => *root,
            Parent::Below(directory) => directory.as_fd(),
        }
    }
}

fn failure(errno: Errno) -> Failure {
    match errno {
        Errno::NOENT => Failure::Missing,
        Errno::LOOP | Errno::NOTDIR => {
            Failure::Refused("a part of the path is a symbolic link or no directory.".into())
        }
        Errno::ISDIR => Failure::Refused("it is a directory.".into()),
        other => failed(other.into()),
    }
}

fn failed(error: io::Error) -> Failure {
    Failure::Failed(error.to_string())
}
