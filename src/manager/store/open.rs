//! From a path to a database that is ours, whole, of this version, and open for no other process.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::StoreError;

/// Schema changes, oldest first; `user_version` counts those that were made. One that was released is never altered.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql"), include_str!("schema-2.sql")];

/// `application_id` of our databases.
const APPLICATION: i64 = 0x514b_444e;

/// How long another program, such as a backup, may hold the database before a read or write fails.
const BUSY: Duration = Duration::from_secs(5);

/// Pages of 4 KiB in the write-ahead log before they are taken over into the database. A page of measurements changes with each
/// collection: taken over after each, as SQLite's 1,000 pages come to for some hundred devices, all would be written twice.
const CHECKPOINT_PAGES: u32 = 4_096;

/// The write-ahead log is cut back to this after a checkpoint: a long read may have made it grow.
const WAL_BYTES: u32 = 64 << 20;

/// Keeps other managers away for as long as it lives. A file of its own, because closing any handle of the database itself would release
/// SQLite's locks.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code)] File);

pub fn lock(path: &Path) -> Result<Lock, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = private(&PathBuf::from(&name)).map_err(|error| {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        StoreError(format!(
            "cannot write in {}, where the store {} is: {error}; make the directory, or give it to the manager's user",
            directory.display(),
            path.display()
        ))
    })?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError(format!(
            "the store {} is open in another manager; stop that one first, or give this one a store of its own",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => {
            Err(StoreError(format!("the store {} cannot be locked: {error}", path.display())))
        }
    }
}

/// A file that only its owner reads: what the network looks like is nobody else's business. SQLite makes its other files alike.
fn private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}

/// The connection that writes, with the schema brought up to date. A damaged, foreign or newer database is refused, and left as it is.
pub fn writer(path: &Path) -> Result<Connection, StoreError> {
    let failed = |error| explain(path, &error);
    if path.metadata().is_ok_and(|file| file.len() > 0) {
        examine(path)?;
    } else {
        private(path).map_err(|error| StoreError(format!("the store {} cannot be made: {error}", path.display())))?;
    }
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        return Err(StoreError(format!(
            "the store {} must be on a file system that can share memory (SQLite's WAL); this one cannot: move it to a local disk",
            path.display()
        )));
    }
    // What was acknowledged, as an operator's acknowledgement or an alarm that was told northbound, survives power loss too; NORMAL
    // would lose the last commits then. Group commit makes the price one fsync for all that wait.
    connection.pragma_update(None, "synchronous", "full").map_err(failed)?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES, |_| Ok(())).map_err(failed)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(())).map_err(failed)?;
    migrate(&mut connection).map_err(failed)?;
    Ok(connection)
}

/// A connection that can only read. The writer's must be open.
pub fn reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| explain(path, &error))?;
    connection.busy_timeout(BUSY).map_err(|error| explain(path, &error))?;
    Ok(connection)
}

/// Looks without writing: even a checkpoint would change a damaged file.
fn examine(path: &Path) -> Result<(), StoreError> {
    let connection = reader(path)?;
    let failed = |error| explain(path, &error);
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(failed);
    let version = number("user_version")?;
    if number("application_id")? != APPLICATION && (version != 0 || number("schema_version")? != 0) {
        return Err(StoreError(format!(
            "{} is a database of another program; nothing was changed: give the manager another path",
            path.display()
        )));
    }
    if usize::try_from(version).map_or(true, |version| version > MIGRATIONS.len()) {
        return Err(StoreError(format!(
            "the store {} was written by a newer manager (version {version} of its schema, this one knows {}); nothing was changed: run \
             the newer manager, or restore a copy from before",
            path.display(),
            MIGRATIONS.len()
        )));
    }
    // Stops at the first fault.
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if verdict == "ok" { Ok(()) } else { Err(damaged(path, &verdict.replace('\n', " "))) }
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let done: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (version, migration) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > done) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

fn damaged(path: &Path, what: &str) -> StoreError {
    StoreError(format!(
        "the store {} is damaged ({what}); nothing was changed: restore a copy of it (and remove {}-wal and -shm), or move it away to \
         begin with an empty one, which is filled from the devices",
        path.display(),
        path.display()
    ))
}

/// What failed, and what to do about it.
pub fn explain(path: &Path, error: &rusqlite::Error) -> StoreError {
    let path_shown = path.display();
    let what = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => return damaged(path, &error.to_string()),
        Some(ErrorCode::DiskFull) => "the disk is full; make room on it",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another program holds it; end that program",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "it, or its directory, is not writable; give both to the manager's user"
        }
        Some(ErrorCode::CannotOpen) => "it cannot be opened; see that its directory is there and writable",
        Some(ErrorCode::SystemIoFailure) => "the disk does not do what it should; look at the system's log",
        _ => return StoreError(format!("the store {path_shown}: {error}")),
    };
    StoreError(format!("the store {path_shown}: {what} ({error})"))
}
