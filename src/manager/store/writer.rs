//! The one thread that writes: all batches that wait become one transaction, durable before any of them is acknowledged.

use std::path::Path;
use std::thread::JoinHandle;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::open::explain;
use super::{StoreError, granularity_name};
use crate::record::{FinishedInterval, Granularity, Record, Run};

/// Batches that wait to be written. When it is full, writers wait.
const QUEUE: usize = 256;

/// Ended runs kept, with their steps; the oldest go first. As many as the northbound server shows.
const ENDED_RUNS: u32 = 1_000;

/// Finished intervals kept of one performance type of one target, a day and a month: `max-elements` of the model's lists, so that nothing is
/// kept that nobody can read. The oldest go first.
const QUARTER_HOURS: u32 = 96;
const DAYS: u32 = 30;

/// Audit entries kept, the newest: some 30 MB.
const AUDIT: i64 = 100_000;

/// A batch, and who waits for it.
pub struct Batch {
    pub records: Vec<Record>,
    pub durable: oneshot::Sender<Result<(), StoreError>>,
}

/// Writes until all senders are gone, and then what is left.
pub fn start(path: &Path, connection: Connection) -> Result<(mpsc::Sender<Batch>, JoinHandle<()>), StoreError> {
    let (sender, queue) = mpsc::channel(QUEUE);
    let path = path.to_owned();
    let thread = std::thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || run(&path, connection, queue))
        .map_err(|error| StoreError(format!("the store's thread does not start: {error}")))?;
    Ok((sender, thread))
}

fn run(path: &Path, mut connection: Connection, mut queue: mpsc::Receiver<Batch>) {
    let mut batches = Vec::new();
    while let Some(first) = queue.blocking_recv() {
        batches.push(first);
        while batches.len() < QUEUE
            && let Ok(next) = queue.try_recv()
        {
            batches.push(next);
        }
        let written = commit(&mut connection, &batches).map_err(|error| explain(path, &error));
        for batch in batches.drain(..) {
            // Whoever waited may have gone.
            let _gone = batch.durable.send(written.clone()).is_err();
        }
    }
}

/// All or nothing.
fn commit(connection: &mut Connection, batches: &[Batch]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for record in batches.iter().flat_map(|batch| &batch.records) {
        apply(&transaction, record)?;
    }
    transaction.commit()
}

fn apply(to: &Transaction<'_>, record: &Record) -> rusqlite::Result<()> {
    match record {
        Record::Device(device) => {
            execute(to, "INSERT OR REPLACE INTO device VALUES (?1, ?2)", params![device.name, body(device)?])
        }
        // Its measurements go with it: nothing would bound those of devices that come and go.
        Record::DeviceForgotten(name) => {
            execute(to, "DELETE FROM device WHERE name = ?1", params![name])?;
            execute(to, "DELETE FROM performance WHERE device = ?1", params![name])?;
            execute(to, "DELETE FROM interval WHERE device = ?1", params![name])
        }
        Record::Resource(resource) => execute(
            to,
            "INSERT OR REPLACE INTO resource VALUES (?1, ?2)",
            params![resource.resource_id, body(resource)?],
        ),
        Record::ResourceForgotten(id) => execute(to, "DELETE FROM resource WHERE resource_id = ?1", params![id]),
        Record::Network(network) => {
            execute(to, "INSERT OR REPLACE INTO network VALUES (?1, ?2)", params![network.network_id, body(network)?])
        }
        Record::Inconsistencies(all) => {
            execute(to, "DELETE FROM inconsistency", [])?;
            all.iter().try_for_each(|one| {
                execute(to, "INSERT OR REPLACE INTO inconsistency VALUES (?1, ?2)", params![one.number, body(one)?])
            })
        }
        Record::Alarm(alarm) => {
            count(to, "alarm", &alarm.alarm_id)?;
            let key = &alarm.key;
            let row = params![key.resource, key.alarm_type_id, key.alarm_type_qualifier, body(alarm)?];
            execute(to, "INSERT OR REPLACE INTO alarm VALUES (?1, ?2, ?3, ?4)", row)
        }
        Record::AlarmPurged(key) => {
            let row = params![key.resource, key.alarm_type_id, key.alarm_type_qualifier];
            let purge = "DELETE FROM alarm WHERE resource = ?1 AND alarm_type_id = ?2 AND alarm_type_qualifier = ?3";
            execute(to, purge, row)
        }
        Record::Run(run) => apply_run(to, run),
        Record::Step(step) => execute(
            to,
            "INSERT OR REPLACE INTO step VALUES (?1, ?2, ?3)",
            params![step.run_id, step.sequence, body(step)?],
        ),
        Record::Performance(all) => all.iter().try_for_each(|one| {
            let row = params![one.target, one.kind, one.device, body(one)?];
            execute(to, "INSERT OR REPLACE INTO performance VALUES (?1, ?2, ?3, ?4)", row)
        }),
        Record::Intervals(all) => all.iter().try_for_each(|one| apply_interval(to, one)),
        Record::Audit(audit) => {
            let row = params![microseconds(audit.time), body(audit)?];
            execute(to, "INSERT OR IGNORE INTO audit (time, body) VALUES (?1, ?2)", row)?;
            execute(to, "DELETE FROM audit WHERE number <= (SELECT max(number) FROM audit) - ?1", [AUDIT])
        }
    }
}

fn apply_run(to: &Transaction<'_>, run: &Run) -> rusqlite::Result<()> {
    let number = count(to, "run", &run.run_id)?;
    // REPLACE would pass the trigger by today, and take the steps away the day it does not.
    let keep = "INSERT INTO run VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (run_id) DO UPDATE SET ended = excluded.ended, body = excluded.body";
    execute(to, keep, params![run.run_id, number, run.ended.map(microseconds), body(run)?])?;
    if run.ended.is_some() {
        let drop = "DELETE FROM run WHERE ended IS NOT NULL AND number <=
            (SELECT number FROM run WHERE ended IS NOT NULL ORDER BY number DESC LIMIT 1 OFFSET ?1)";
        execute(to, drop, [ENDED_RUNS])?;
    }
    Ok(())
}

fn apply_interval(to: &Transaction<'_>, one: &FinishedInterval) -> rusqlite::Result<()> {
    let granularity = granularity_name(one.granularity);
    let start = microseconds(one.interval.start_time);
    let row = params![one.target, one.kind, granularity, start, one.device, one.unit, body(&one.interval)?];
    execute(to, "INSERT OR REPLACE INTO interval VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", row)?;
    let kept = match one.granularity {
        Granularity::QuarterHour => QUARTER_HOURS,
        Granularity::Day => DAYS,
    };
    let drop = "DELETE FROM interval WHERE target = ?1 AND type = ?2 AND granularity = ?3 AND start <=
        (SELECT start FROM interval WHERE target = ?1 AND type = ?2 AND granularity = ?3 ORDER BY start DESC LIMIT 1 OFFSET ?4)";
    execute(to, drop, params![one.target, one.kind, granularity, kept])
}

/// Keeps the highest number given; returns that of this id, which is the digits at its end (0 where there are none).
fn count(to: &Transaction<'_>, name: &str, id: &str) -> rusqlite::Result<i64> {
    let digits = id.len() - id.bytes().rev().take_while(u8::is_ascii_digit).count();
    let number = id[digits..].parse().unwrap_or(0);
    let keep =
        "INSERT INTO counter VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)";
    execute(to, keep, params![name, number])?;
    Ok(number)
}

fn execute(to: &Transaction<'_>, sql: &str, parameters: impl rusqlite::Params) -> rusqlite::Result<()> {
    to.prepare_cached(sql)?.execute(parameters).map(|_| ())
}

fn body(record: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(record).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

pub fn microseconds(time: Timestamp) -> i64 {
    time.as_microsecond()
}
