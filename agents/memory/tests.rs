//! What was committed is remembered, over crashes and checkpoints.

use super::*;
use crate::alarm::{Clearance, PurgeFilter, Report, Severity};
use crate::performance::{Kind, Quantity};
use jiff::{SignedDuration, Timestamp};

const BLOCKS: Quantity = Quantity { identity: "t:blocks", description: "", unit: "count", kind: Kind::Counter };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 / 86_400 * 86_400 + second).unwrap()
}

/// A life of an agent: what it has in mind, and what it noted.
struct Agent {
    memory: Memory,
    alarms: AlarmList,
    performance: Performance,
}

impl Agent {
    fn start(directory: &Path) -> Agent {
        let (memory, recalled) = Memory::open(directory).unwrap();
        let mut performance = Performance::new(SignedDuration::from_secs(60));
        recalled.series.into_iter().for_each(|(key, series)| performance.restore(key, series));
        Agent { memory, alarms: AlarmList::restore(recalled.alarms, recalled.last_id), performance }
    }

    fn raise(&mut self, resource: &str, severity: Severity, second: i64) {
        let key = AlarmKey::new(resource, "t:t");
        self.alarms.raise(&key, Report { severity, text: String::new(), value: None }, at(second)).unwrap();
        self.memory.alarm(self.alarms.get(&key).unwrap()).unwrap();
    }

    fn count(&mut self, blocks: f64, second: i64) {
        for finished in self.performance.record("m", &BLOCKS, blocks, at(second)) {
            self.memory.finished(&finished, self.performance.get(&finished.key).unwrap()).unwrap();
        }
    }

    fn running(&mut self) {
        self.performance.iter().for_each(|(key, series)| self.memory.running(key, series).unwrap());
    }

    fn mind(&self) -> (Vec<Alarm>, Vec<(SeriesKey, Series)>) {
        let series = self.performance.iter().map(|(key, series)| (key.clone(), series.clone())).collect();
        (self.alarms.iter().cloned().collect(), series)
    }
}

#[test]
fn all_that_was_committed_is_there_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(directory.path());
    for minute in 0..40 {
        agent.count(minute as f64, minute * 60);
    }
    agent.raise("a", Severity::Major, 1);
    agent.raise("b", Severity::Major, 2);
    agent.raise("a", Severity::Critical, 3);
    agent.running();
    agent.memory.commit().unwrap();
    let mind = agent.mind();
    agent.raise("c", Severity::Major, 4);
    drop(agent);

    let mut agent = Agent::start(directory.path());
    assert_eq!(agent.mind(), mind);
    let purged: Vec<AlarmKey> =
        agent.alarms.purge(&PurgeFilter { clearance: Clearance::NotCleared, ..PurgeFilter::default() }, at(9));
    agent.memory.purged(&purged).unwrap();
    agent.memory.commit().unwrap();
    drop(agent);
    let mut agent = Agent::start(directory.path());
    assert_eq!(agent.alarms.iter().len(), 0);
    agent.raise("d", Severity::Major, 10);
    assert_eq!(agent.alarms.iter().next().unwrap().id, 3, "an identifier is not given twice");
}

#[test]
fn a_checkpoint_replaces_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(directory.path());
    let mut checkpoints = 0;
    for minute in 0..60 * 24 * 3 {
        agent.count(minute as f64, minute * 60);
        agent.running();
        if minute % 10 == 0 {
            agent.raise("a", if minute % 20 == 0 { Severity::Major } else { Severity::Minor }, minute * 60);
        }
        agent.memory.commit().unwrap();
        if agent.memory.wants_checkpoint() {
            agent.memory.checkpoint(&Snapshot::of(&agent.alarms, &agent.performance)).unwrap();
            checkpoints += 1;
        }
    }
    assert!(checkpoints > 0);
    let length = std::fs::metadata(directory.path().join(LOG)).unwrap().len();
    assert!(length < LOG_LIMIT + 10_000, "{length}");
    let mind = agent.mind();
    drop(agent);
    assert_eq!(Agent::start(directory.path()).mind(), mind);
}

#[test]
fn a_crash_between_checkpoint_and_log_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(directory.path());
    agent.raise("a", Severity::Major, 1);
    agent.memory.commit().unwrap();
    let log = std::fs::read(directory.path().join(LOG)).unwrap();
    agent.raise("b", Severity::Major, 2);
    agent.memory.checkpoint(&Snapshot::of(&agent.alarms, &agent.performance)).unwrap();
    let mind = agent.mind();
    drop(agent);
    std::fs::write(directory.path().join(LOG), log).unwrap();
    assert_eq!(Agent::start(directory.path()).mind(), mind);
}

#[test]
fn a_checkpoint_that_is_lost_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(directory.path());
    agent.memory.checkpoint(&Snapshot::of(&agent.alarms, &agent.performance)).unwrap();
    drop(agent);
    std::fs::remove_file(directory.path().join(CHECKPOINT)).unwrap();
    let error = Memory::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains(LOG) && error.contains("move it away"), "{error}");
}
