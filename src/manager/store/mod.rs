//! Where the manager keeps what it knows: one trait, so that another database can stand behind it.

mod open;
mod sqlite;
mod writer;

pub use sqlite::Sqlite;

use std::future::Future;

use jiff::Timestamp;

use crate::input::Recovered;
use crate::model::{DeviceName, ResourceId};
use crate::record::{
    Alarm, Audit, DeviceState, FinishedInterval, Granularity, Inconsistency, Information, Network, Record, Resource,
    Run, Step,
};

/// Why the store does not do what it was asked: one line that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Reads take a moment and block: call them where blocking is allowed.
pub trait Store: Send + Sync + 'static {
    fn recover(&self) -> Result<Recovered, StoreError>;

    /// Resolves when all of it is durable, whole or not at all. Writes are applied in the order of the calls, many in one transaction.
    fn write(&self, records: Vec<Record>) -> impl Future<Output = Result<(), StoreError>> + Send;

    fn devices(&self, name: Option<&str>) -> Result<Vec<DeviceState>, StoreError>;
    fn resources(&self, id: Option<&str>) -> Result<Vec<Resource>, StoreError>;
    fn networks(&self) -> Result<Vec<Network>, StoreError>;
    fn inconsistencies(&self) -> Result<Vec<Inconsistency>, StoreError>;
    fn alarms(&self) -> Result<Vec<Alarm>, StoreError>;
    /// Newest first, at most so many.
    fn runs(&self, query: &RunQuery) -> Result<Vec<Run>, StoreError>;
    /// In order.
    fn steps(&self, run_id: &str) -> Result<Vec<Step>, StoreError>;
    fn performance(&self, target: Option<&str>) -> Result<Vec<Information>, StoreError>;
    fn intervals(&self, query: &IntervalQuery) -> Result<Vec<FinishedInterval>, StoreError>;
    /// Start of the newest finished interval kept of a device, per granularity: collection goes on after it.
    fn newest_interval(&self, device: &str, granularity: Granularity) -> Result<Option<Timestamp>, StoreError>;
    /// Newest first, at most so many.
    fn audit(&self, maximum: usize) -> Result<Vec<Audit>, StoreError>;
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunQuery {
    pub run_id: Option<String>,
    pub maximum: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntervalQuery {
    pub device: Option<DeviceName>,
    pub target: Option<ResourceId>,
    pub kind: Option<String>,
    pub granularity: Option<Granularity>,
    pub after: Option<Timestamp>,
    pub maximum: usize,
}

/// As qkdn-performance spells it.
fn granularity_name(granularity: Granularity) -> &'static str {
    match granularity {
        Granularity::QuarterHour => "15-minutes",
        Granularity::Day => "24-hours",
    }
}
