-- The manager's store, version 1. A row is its key, what is searched for, and the record as JSON (record.rs).
-- Times are microseconds since 1970; the JSON has them in full.

PRAGMA application_id = 0x514b444e; -- "QKDN": tells this database from those of other programs

CREATE TABLE device (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE resource (resource_id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE network (network_id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE inconsistency (number INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;

CREATE TABLE alarm (
    resource TEXT NOT NULL,
    alarm_type_id TEXT NOT NULL,
    alarm_type_qualifier TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (resource, alarm_type_id, alarm_type_qualifier)
) STRICT, WITHOUT ROWID;

-- Runs are numbered in the order in which they began.
CREATE TABLE run (run_id TEXT PRIMARY KEY, number INTEGER NOT NULL, ended INTEGER, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX run_by_number ON run (number);
CREATE INDEX run_ended ON run (number) WHERE ended IS NOT NULL;
CREATE INDEX run_under_way ON run (number) WHERE ended IS NULL;

CREATE TABLE step (
    run_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run_id, sequence)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER steps_go_with_their_run AFTER DELETE ON run BEGIN
    DELETE FROM step WHERE run_id = old.run_id;
END;

-- Latest values.
CREATE TABLE performance (
    target TEXT NOT NULL,
    type TEXT NOT NULL,
    device TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (target, type)
) STRICT, WITHOUT ROWID;
CREATE INDEX performance_of_device ON performance (device);

-- Finished intervals; body is the interval alone.
CREATE TABLE interval (
    target TEXT NOT NULL,
    type TEXT NOT NULL,
    granularity TEXT NOT NULL,
    start INTEGER NOT NULL,
    device TEXT NOT NULL,
    unit TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (target, type, granularity, start)
) STRICT, WITHOUT ROWID;
CREATE INDEX interval_of_device ON interval (device, granularity, start);

CREATE TABLE audit (number INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, body TEXT NOT NULL UNIQUE) STRICT;
CREATE INDEX audit_by_time ON audit (time);

-- The highest number ever given, which outlives what it was given to.
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
