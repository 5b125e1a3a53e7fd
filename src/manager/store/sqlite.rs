//! The store on SQLite: one thread writes, a few connections read.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};

use super::open::{self, Lock, explain};
use super::writer::{self, Batch, microseconds};
use super::{IntervalQuery, RunQuery, Store, StoreError, granularity_name};
use crate::input::Recovered;
use crate::record::{
    Alarm, Audit, DeviceState, FinishedInterval, Granularity, Inconsistency, Information, Network, Record, Resource,
    Run, Step,
};

/// Connections that read: as many northbound requests as are worth reading at a time. More wait for one of them.
const READERS: usize = 4;

/// A database file, and `-wal`, `-shm` and `.lock` beside it.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    readers: Vec<Mutex<Connection>>,
    next_reader: AtomicUsize,
    /// None only while it is dropped.
    queue: Option<mpsc::Sender<Batch>>,
    writer: Option<JoinHandle<()>>,
    /// Released after everything else.
    _lock: Lock,
}

impl Sqlite {
    /// Makes the database where there is none, brings an older one up to date, and refuses one that is damaged, newer, of another program
    /// or open in another process. The directory must be there.
    pub fn open(path: &Path) -> Result<Sqlite, StoreError> {
        Sqlite::open_with(path, |_| Ok(()))
    }

    fn open_with(path: &Path, prepare: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Result<Sqlite, StoreError> {
        let lock = open::lock(path)?;
        let connection = open::writer(path)?;
        prepare(&connection).map_err(|error| explain(path, &error))?;
        let readers = (0..READERS).map(|_| open::reader(path).map(Mutex::new)).collect::<Result<_, _>>()?;
        let (queue, writer) = writer::start(path, connection)?;
        Ok(Sqlite {
            path: path.to_owned(),
            readers,
            next_reader: AtomicUsize::new(0),
            queue: Some(queue),
            writer: Some(writer),
            _lock: lock,
        })
    }

    /// The next connection that is free, or else the next.
    fn reader(&self) -> MutexGuard<'_, Connection> {
        let next = self.next_reader.fetch_add(1, Ordering::Relaxed);
        let free = (0..READERS).find_map(|offset| self.readers[(next + offset) % READERS].try_lock().ok());
        // A reader that panicked left nothing half done: statements end with it.
        free.unwrap_or_else(|| self.readers[next % READERS].lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn read<R>(
        &self,
        sql: &str,
        values: Vec<Value>,
        row: impl Fn(&Row<'_>) -> rusqlite::Result<R>,
    ) -> Result<Vec<R>, StoreError> {
        let connection = self.reader();
        let read = || {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_map(params_from_iter(values), |found| row(found))?.collect::<rusqlite::Result<_>>()
        };
        read().map_err(|error| explain(&self.path, &error))
    }

    /// Bodies that a query gives as its only column.
    fn bodies<R: DeserializeOwned>(&self, sql: &str, values: Vec<Value>) -> Result<Vec<R>, StoreError> {
        self.read(sql, values, |row| body(row, 0))
    }

    /// All bodies of a table, or the one of a key.
    fn rows<R: DeserializeOwned>(&self, table: &str, column: &str, key: Option<&str>) -> Result<Vec<R>, StoreError> {
        match key {
            None => self.bodies(&format!("SELECT body FROM {table} ORDER BY {column}"), Vec::new()),
            Some(key) => self.bodies(&format!("SELECT body FROM {table} WHERE {column} = ?1"), vec![text(key)]),
        }
    }

    fn counter(&self, name: &str) -> Result<u64, StoreError> {
        let connection = self.reader();
        let sql = "SELECT value FROM counter WHERE name = ?1";
        let value = connection.query_row(sql, [name], |row| row.get::<_, i64>(0)).optional();
        let value = value.map_err(|error| explain(&self.path, &error))?;
        Ok(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0))
    }
}

impl Drop for Sqlite {
    /// Waits for what was given to be written: a moment.
    fn drop(&mut self) {
        // The writer closes last, because only it can empty the log into the database.
        self.readers.clear();
        self.queue = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!(store = %self.path.display(), "the store's thread had panicked");
        }
    }
}

impl Store for Sqlite {
    fn recover(&self) -> Result<Recovered, StoreError> {
        let unfinished: Vec<Run> =
            self.bodies("SELECT body FROM run WHERE ended IS NULL ORDER BY number", Vec::new())?;
        let with_steps = |run: Run| self.steps(&run.run_id).map(|steps| (run, steps));
        Ok(Recovered {
            devices: self.devices(None)?,
            resources: self.resources(None)?,
            networks: self.networks()?,
            inconsistencies: self.inconsistencies()?,
            alarms: self.alarms()?,
            runs: unfinished.into_iter().map(with_steps).collect::<Result<_, _>>()?,
            last_alarm: self.counter("alarm")?,
            last_run: self.counter("run")?,
        })
    }

    async fn write(&self, records: Vec<Record>) -> Result<(), StoreError> {
        let ended =
            || StoreError(format!("the store {} has stopped writing; start the manager anew", self.path.display()));
        let (durable, written) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(ended)?;
        queue.send(Batch { records, durable }).await.map_err(|_| ended())?;
        written.await.map_err(|_| ended())?
    }

    fn devices(&self, name: Option<&str>) -> Result<Vec<DeviceState>, StoreError> {
        self.rows("device", "name", name)
    }

    fn resources(&self, id: Option<&str>) -> Result<Vec<Resource>, StoreError> {
        self.rows("resource", "resource_id", id)
    }

    fn networks(&self) -> Result<Vec<Network>, StoreError> {
        let connection = self.reader();
        let read = || {
            // One view of the three tables, whatever is written meanwhile.
            let view = connection.unchecked_transaction()?;
            let mut statement = view.prepare_cached("SELECT body FROM network ORDER BY network_id")?;
            let mut networks: Vec<Network> = statement.query_map([], |row| body(row, 0))?.collect::<Result<_, _>>()?;
            for network in &mut networks {
                let id = &network.network_id;
                let mut nodes = view.prepare_cached("SELECT body FROM node WHERE network_id = ?1 ORDER BY node_id")?;
                network.node = nodes.query_map([id], |row| body(row, 0))?.collect::<Result<_, _>>()?;
                let mut links = view.prepare_cached("SELECT body FROM link WHERE network_id = ?1 ORDER BY link_id")?;
                network.link = links.query_map([id], |row| body(row, 0))?.collect::<Result<_, _>>()?;
            }
            Ok(networks)
        };
        read().map_err(|error: rusqlite::Error| explain(&self.path, &error))
    }

    fn inconsistencies(&self) -> Result<Vec<Inconsistency>, StoreError> {
        self.rows("inconsistency", "number", None)
    }

    fn alarms(&self) -> Result<Vec<Alarm>, StoreError> {
        self.rows("alarm", "resource, alarm_type_id, alarm_type_qualifier", None)
    }

    fn runs(&self, query: &RunQuery) -> Result<Vec<Run>, StoreError> {
        match &query.run_id {
            Some(id) => self.rows("run", "run_id", Some(id)),
            None => self.bodies("SELECT body FROM run ORDER BY number DESC LIMIT ?1", vec![limit(query.maximum)]),
        }
    }

    fn steps(&self, run_id: &str) -> Result<Vec<Step>, StoreError> {
        self.bodies("SELECT body FROM step WHERE run_id = ?1 ORDER BY sequence", vec![text(run_id)])
    }

    fn performance(&self, target: Option<&str>) -> Result<Vec<Information>, StoreError> {
        match target {
            None => self.bodies("SELECT body FROM performance ORDER BY target, type", Vec::new()),
            Some(target) => {
                self.bodies("SELECT body FROM performance WHERE target = ?1 ORDER BY type", vec![text(target)])
            }
        }
    }

    fn intervals(&self, query: &IntervalQuery) -> Result<Vec<FinishedInterval>, StoreError> {
        let conditions = [
            ("device =", query.device.as_deref().map(text)),
            ("target =", query.target.as_deref().map(text)),
            ("type =", query.kind.as_deref().map(text)),
            ("granularity =", query.granularity.map(|granularity| text(granularity_name(granularity)))),
            ("start >", query.after.map(|after| Value::Integer(microseconds(after)))),
        ];
        let mut sql = "SELECT device, target, type, unit, granularity, body FROM interval WHERE true".to_owned();
        let mut values = Vec::new();
        for (condition, value) in conditions {
            if let Some(value) = value {
                values.push(value);
                sql.push_str(&format!(" AND {condition} ?{}", values.len()));
            }
        }
        values.push(limit(query.maximum));
        sql.push_str(&format!(" ORDER BY target, type, granularity, start LIMIT ?{}", values.len()));
        self.read(&sql, values, |row| {
            let granularity = match row.get_ref(4)?.as_str()? {
                "24-hours" => Granularity::Day,
                _ => Granularity::QuarterHour,
            };
            Ok(FinishedInterval {
                device: row.get(0)?,
                target: row.get(1)?,
                kind: row.get(2)?,
                unit: row.get(3)?,
                granularity,
                interval: body(row, 5)?,
            })
        })
    }

    fn newest_interval(&self, device: &str, granularity: Granularity) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT start FROM interval WHERE device = ?1 AND granularity = ?2 ORDER BY start DESC LIMIT 1";
        let found =
            self.read(sql, vec![text(device), text(granularity_name(granularity))], |row| row.get::<_, i64>(0))?;
        Ok(found.first().and_then(|start| Timestamp::from_microsecond(*start).ok()))
    }

    fn audit(&self, maximum: usize) -> Result<Vec<Audit>, StoreError> {
        self.bodies("SELECT body FROM audit ORDER BY time DESC, number DESC LIMIT ?1", vec![limit(maximum)])
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn limit(maximum: usize) -> Value {
    Value::Integer(i64::try_from(maximum).unwrap_or(i64::MAX))
}

fn body<R: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<R> {
    serde_json::from_str(row.get_ref(column)?.as_str()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error.into()))
}
