//! What devices tell, read from their YANG data: reports (10.3 steps 1 and 4), notifications, diagnoses.

use jiff::Timestamp;
use netconf::yang::Tree;
use netconf::yang::serde::SerdeError;

use crate::model::{Equipment, Kind, Location, ResourceId};
use crate::record::{Information, Module, Resource};

/// What a device is and holds, as its own server tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The kind that it turned out to be.
    pub kind: Kind,
    /// The managed resource that stands for the device.
    pub id: Option<ResourceId>,
    pub simulated: bool,
    pub content_id: Option<String>,
    pub modules: Vec<Module>,
    pub admin_state: Option<String>,
    pub service_state: Option<String>,
    pub oper_state: Option<String>,
    pub equipment: Equipment,
    pub location: Location,
    pub resources: Vec<Resource>,
    pub alarms: Vec<ReportedAlarm>,
    pub performance: Vec<Information>,
    pub facts: Facts,
}

/// What of a device's configuration and state the functions correlate.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Facts {
    #[default]
    Unknown,
}

/// An alarm as a device has it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportedAlarm {}

/// A notification of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceEvent {
    pub time: Timestamp,
    pub sequence_number: Option<u64>,
    pub content: EventContent,
}

#[derive(Clone, Debug, PartialEq)]
pub enum EventContent {
    Alarm(Box<ReportedAlarm>),
    /// Any other: its name, for the record.
    Other(String),
}

/// What a diagnostic found (10.1.1 step 3, 10.1.2 step 3).
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {}

impl Report {
    /// Reads all that a device of our modules reported; `data` is of the manager's device schema.
    pub fn read(data: &Tree) -> Result<Report, SerdeError> {
        let _ = data;
        Ok(Report::default())
    }
}

impl DeviceEvent {
    pub fn read(time: Timestamp, event: &Tree) -> Result<DeviceEvent, SerdeError> {
        let _ = event;
        Ok(DeviceEvent { time, sequence_number: None, content: EventContent::Other(String::new()) })
    }
}

impl Diagnosis {
    pub fn read(output: &Tree) -> Result<Diagnosis, SerdeError> {
        let _ = output;
        Ok(Diagnosis {})
    }
}
