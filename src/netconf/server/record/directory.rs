//! The directory of state: locked against a second process, and changed in ways that a crash cannot leave half done.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{RecordError, cannot};

/// A directory of state that no other process uses for as long as a clone of this lives.
#[derive(Clone, Debug)]
pub struct StateDirectory {
    path: Arc<Path>,
    _lock: Arc<Lock>,
}

#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    /// To close the file would not do: a child process that is just being started has it open, too.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!("cannot unlock the state directory: {error}");
        }
    }
}

impl StateDirectory {
    /// Makes the directory (mode 0700) if there is none, and locks it.
    pub fn open(path: impl AsRef<Path>) -> Result<StateDirectory, RecordError> {
        let path = path.as_ref();
        make_directory(path)?;
        let lock = path.join("lock");
        let file = private().create(true).truncate(false).open(&lock).map_err(cannot("open", &lock))?;
        match file.try_lock() {
            Ok(()) => Ok(StateDirectory { path: path.into(), _lock: Arc::new(Lock(file)) }),
            Err(TryLockError::WouldBlock) => Err(RecordError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(cannot("lock", &lock)(error)),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes a directory of mode 0700 and those above it, durably; one that exists is left as it is.
pub fn make_directory(path: &Path) -> Result<(), RecordError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_directory(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(cannot("make directory", path)(error)),
        Ok(()) => sync_parent(path),
    }
}

/// Writes a file (mode 0600) beside `path` and renames it into place: after a crash there is the old or the new, whole.
pub fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), RecordError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let mut file = private().create(true).truncate(true).open(&temporary).map_err(cannot("create", &temporary))?;
    let written = write(&mut file)
        .and_then(|()| file.sync_all())
        .map_err(cannot("write", &temporary))
        .and_then(|()| fs::rename(&temporary, path).map_err(cannot("rename a new file to", path)));
    if let Err(error) = written {
        // The space may be what others wait for. That it cannot be removed adds nothing to the error there is.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_parent(path)
}

/// Removes a file, durably. That it is not there is no error.
pub fn remove(path: &Path) -> Result<(), RecordError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(cannot("remove", path)(error)),
        Ok(()) => sync_parent(path),
    }
}

fn sync_parent(path: &Path) -> Result<(), RecordError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent).and_then(|directory| directory.sync_all()).map_err(cannot("sync directory", parent))
}

pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}
