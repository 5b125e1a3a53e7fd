//! The one thread that writes: all batches that wait become one transaction, durable before any of them is acknowledged.

use std::path::Path;
use std::thread::JoinHandle;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::open::explain;
use super::{StoreError, granularity_name};
use crate::record::{FinishedInterval, Granularity, Information, Network, Record, Run};

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
    // A row that stays what it was is not written: its page would go to the log, and from there to the database.
    match record {
        Record::Device(device) => {
            let keep = "INSERT INTO device VALUES (?1, ?2)
                ON CONFLICT (name) DO UPDATE SET body = excluded.body WHERE body <> excluded.body";
            execute(to, keep, params![device.name, body(device)?])
        }
        // Its measurements go with it: nothing would bound those of devices that come and go.
        Record::DeviceForgotten(name) => {
            execute(to, "DELETE FROM device WHERE name = ?1", params![name])?;
            execute(to, "DELETE FROM performance WHERE device = ?1", params![name])?;
            execute(to, "DELETE FROM interval WHERE device = ?1", params![name])
        }
        Record::Resource(resource) => {
            let keep = "INSERT INTO resource VALUES (?1, ?2)
                ON CONFLICT (resource_id) DO UPDATE SET body = excluded.body WHERE body <> excluded.body";
            execute(to, keep, params![resource.resource_id, body(resource)?])
        }
        Record::ResourceForgotten(id) => execute(to, "DELETE FROM resource WHERE resource_id = ?1", params![id]),
        Record::Network(network) => apply_network(to, network),
        Record::Inconsistencies(all) => {
            let numbers: Vec<u32> = all.iter().map(|one| one.number).collect();
            let drop = "DELETE FROM inconsistency WHERE number NOT IN (SELECT value FROM json_each(?1))";
            execute(to, drop, [body(&numbers)?])?;
            let keep = "INSERT INTO inconsistency VALUES (?1, ?2)
                ON CONFLICT (number) DO UPDATE SET body = excluded.body WHERE body <> excluded.body";
            all.iter().try_for_each(|one| execute(to, keep, params![one.number, body(one)?]))
        }
        Record::Alarm(alarm) => {
            count(to, "alarm", &alarm.alarm_id)?;
            let key = &alarm.key;
            let row = params![key.resource, key.alarm_type_id, key.alarm_type_qualifier, body(alarm)?];
            let keep = "INSERT INTO alarm VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT (resource, alarm_type_id, alarm_type_qualifier)
                DO UPDATE SET body = excluded.body WHERE body <> excluded.body";
            execute(to, keep, row)
        }
        Record::AlarmPurged(key) => {
            let row = params![key.resource, key.alarm_type_id, key.alarm_type_qualifier];
            let purge = "DELETE FROM alarm WHERE resource = ?1 AND alarm_type_id = ?2 AND alarm_type_qualifier = ?3";
            execute(to, purge, row)
        }
        Record::Run(run) => apply_run(to, run),
        Record::Step(step) => {
            let keep = "INSERT INTO step VALUES (?1, ?2, ?3)
                ON CONFLICT (run_id, sequence) DO UPDATE SET body = excluded.body WHERE body <> excluded.body";
            execute(to, keep, params![step.run_id, step.sequence, body(step)?])
        }
        Record::Performance(all) => all.iter().try_for_each(|one| apply_performance(to, one)),
        Record::Intervals(all) => all.iter().try_for_each(|one| apply_interval(to, one)),
        Record::Audit(audit) => {
            let row = params![microseconds(audit.time), body(audit)?];
            execute(to, "INSERT OR IGNORE INTO audit (time, body) VALUES (?1, ?2)", row)?;
            execute(to, "DELETE FROM audit WHERE number <= (SELECT max(number) FROM audit) - ?1", [AUDIT])
        }
    }
}

/// Of a network, the nodes and links that changed.
fn apply_network(to: &Transaction<'_>, network: &Network) -> rusqlite::Result<()> {
    let id = &network.network_id;
    let nodes: Vec<&str> = network.node.iter().map(|node| node.node_id.as_str()).collect();
    let links: Vec<&str> = network.link.iter().map(|link| link.link_id.as_str()).collect();
    let alone = Network {
        network_id: id.clone(),
        layer: network.layer.clone(),
        version: network.version,
        supporting_network: network.supporting_network.clone(),
        node: Vec::new(),
        link: Vec::new(),
    };
    let keep = "INSERT INTO network VALUES (?1, ?2)
        ON CONFLICT (network_id) DO UPDATE SET body = excluded.body WHERE body <> excluded.body";
    execute(to, keep, params![id, body(&alone)?])?;
    let drop = "DELETE FROM node WHERE network_id = ?1 AND node_id NOT IN (SELECT value FROM json_each(?2))";
    execute(to, drop, params![id, body(&nodes)?])?;
    let drop = "DELETE FROM link WHERE network_id = ?1 AND link_id NOT IN (SELECT value FROM json_each(?2))";
    execute(to, drop, params![id, body(&links)?])?;
    let keep = "INSERT INTO node VALUES (?1, ?2, ?3)
        ON CONFLICT (network_id, node_id) DO UPDATE SET body = excluded.body WHERE body <> excluded.body";
    network.node.iter().try_for_each(|node| execute(to, keep, params![id, node.node_id, body(node)?]))?;
    let keep = "INSERT INTO link VALUES (?1, ?2, ?3)
        ON CONFLICT (network_id, link_id) DO UPDATE SET body = excluded.body WHERE body <> excluded.body";
    network.link.iter().try_for_each(|link| execute(to, keep, params![id, link.link_id, body(link)?]))
}

fn apply_performance(to: &Transaction<'_>, one: &Information) -> rusqlite::Result<()> {
    let keep = "INSERT INTO performance VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (target, type) DO UPDATE SET body = excluded.body WHERE body <> excluded.body";
    execute(to, keep, params![one.target, one.kind, one.device, body(one)?])?;
    // Apart, because an assignment alone, of the same value too, writes the index.
    let pass = "UPDATE performance SET device = ?3 WHERE target = ?1 AND type = ?2 AND device IS NOT ?3";
    execute(to, pass, params![one.target, one.kind, one.device])
}

fn apply_run(to: &Transaction<'_>, run: &Run) -> rusqlite::Result<()> {
    let number = count(to, "run", &run.run_id)?;
    // REPLACE would pass the trigger by today, and take the steps away the day it does not.
    let keep = "INSERT INTO run VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (run_id) DO UPDATE SET ended = excluded.ended, body = excluded.body
        WHERE body <> excluded.body";
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
    let keep = "INSERT INTO interval VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (target, type, granularity, start)
        DO UPDATE SET device = excluded.device, unit = excluded.unit, body = excluded.body
        WHERE (device, unit, body) <> (excluded.device, excluded.unit, excluded.body)";
    execute(to, keep, row)?;
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
    let keep = "INSERT INTO counter VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE excluded.value > value";
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
