//! For tests: a store in memory that can be told to fail.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

use crate::input::Recovered;
use crate::record::{
    Alarm, Audit, DeviceState, FinishedInterval, Granularity, Inconsistency, Information, Network, Record, Resource,
    Run, Step,
};
use crate::store::{IntervalQuery, RunQuery, Store, StoreError};

#[derive(Default)]
pub(crate) struct MemoryStore {
    pub(crate) full: AtomicBool,
    written: Mutex<Vec<Record>>,
    pub(crate) refused: std::sync::atomic::AtomicU32,
}

impl MemoryStore {
    pub(crate) fn written(&self) -> Vec<Record> {
        self.written.lock().unwrap().clone()
    }

    pub(crate) fn intervals_written(&self) -> Vec<FinishedInterval> {
        let lists = self.written().into_iter().filter_map(|record| match record {
            Record::Intervals(intervals) => Some(intervals),
            _ => None,
        });
        lists.flatten().collect()
    }
}

impl Store for MemoryStore {
    async fn write(&self, records: Vec<Record>) -> Result<(), StoreError> {
        // A disk does not answer at once.
        tokio::task::yield_now().await;
        if self.full.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError("the disk is full".into()));
        }
        self.written.lock().unwrap().extend(records);
        Ok(())
    }

    fn newest_interval(&self, device: &str, granularity: Granularity) -> Result<Option<Timestamp>, StoreError> {
        let intervals = self.intervals_written();
        let own = intervals.iter().filter(|one| one.device == device && one.granularity == granularity);
        Ok(own.map(|one| one.interval.start_time).max())
    }

    fn recover(&self) -> Result<Recovered, StoreError> {
        unreachable!("not read by the shell")
    }
    fn devices(&self, _: Option<&str>) -> Result<Vec<DeviceState>, StoreError> {
        unreachable!("not read by the shell")
    }
    fn resources(&self, _: Option<&str>) -> Result<Vec<Resource>, StoreError> {
        unreachable!("not read by the shell")
    }
    fn networks(&self) -> Result<Vec<Network>, StoreError> {
        unreachable!("not read by the shell")
    }
    fn inconsistencies(&self) -> Result<Vec<Inconsistency>, StoreError> {
        unreachable!("not read by the shell")
    }
    fn alarms(&self) -> Result<Vec<Alarm>, StoreError> {
        unreachable!("not read by the shell")
    }
    fn runs(&self, _: &RunQuery) -> Result<Vec<Run>, StoreError> {
        unreachable!("not read by the shell")
    }
    fn steps(&self, _: &str) -> Result<Vec<Step>, StoreError> {
        unreachable!("not read by the shell")
    }
    fn performance(&self, _: Option<&str>) -> Result<Vec<Information>, StoreError> {
        unreachable!("not read by the shell")
    }
    fn intervals(&self, _: &IntervalQuery) -> Result<Vec<FinishedInterval>, StoreError> {
        unreachable!("not read by the shell")
    }
    fn audit(&self, _: usize) -> Result<Vec<Audit>, StoreError> {
        unreachable!("not read by the shell")
    }
}
