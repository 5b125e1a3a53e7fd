//! A store in memory that counts its reads, and devices that keep configuration as a server does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use netconf::error::{ErrorPath, RpcError};
use netconf::xml::{Document, Limits};
use netconf::yang::edit::{self, Operation};
use netconf::yang::patch::write_config;
use netconf::yang::{Schema, Tree};

use crate::connection::CallError;
use crate::input::{Answer, Input, Recovered, Refusal, Request};
use crate::model::{ConnectionState, Plan};
use crate::northbound::Southbound;
use crate::record::*;
use crate::store::{IntervalQuery, RunQuery, Store, StoreError};

#[derive(Default)]
pub struct Memory {
    pub devices: Vec<DeviceState>,
    pub resources: Vec<Resource>,
    pub networks: Vec<Network>,
    pub inconsistencies: Vec<Inconsistency>,
    pub alarms: Vec<Alarm>,
    pub runs: Vec<(Run, Vec<Step>)>,
    pub performance: Vec<Information>,
    pub intervals: Vec<FinishedInterval>,
    pub read: Mutex<Vec<String>>,
}

impl Memory {
    fn note(&self, table: &str, key: Option<&str>) {
        self.read.lock().unwrap().push(format!("{table} {}", key.unwrap_or("*")));
    }

    /// The tables read since the last look.
    pub fn looked_at(&self) -> Vec<String> {
        std::mem::take(&mut *self.read.lock().unwrap())
    }
}

fn those<R: Clone>(rows: &[R], key: Option<&str>, of: impl Fn(&R) -> &str) -> Result<Vec<R>, StoreError> {
    Ok(rows.iter().filter(|row| key.is_none_or(|key| key == of(row))).cloned().collect())
}

impl Store for Memory {
    fn recover(&self) -> Result<Recovered, StoreError> {
        Ok(Recovered::default())
    }

    async fn write(&self, _records: Vec<Record>) -> Result<(), StoreError> {
        Ok(())
    }

    fn devices(&self, name: Option<&str>) -> Result<Vec<DeviceState>, StoreError> {
        self.note("devices", name);
        those(&self.devices, name, |row| &row.name)
    }

    fn resources(&self, id: Option<&str>) -> Result<Vec<Resource>, StoreError> {
        self.note("resources", id);
        those(&self.resources, id, |row| &row.resource_id)
    }

    fn networks(&self) -> Result<Vec<Network>, StoreError> {
        self.note("networks", None);
        Ok(self.networks.clone())
    }

    fn inconsistencies(&self) -> Result<Vec<Inconsistency>, StoreError> {
        self.note("inconsistencies", None);
        Ok(self.inconsistencies.clone())
    }

    fn alarms(&self) -> Result<Vec<Alarm>, StoreError> {
        self.note("alarms", None);
        Ok(self.alarms.clone())
    }

    fn runs(&self, query: &RunQuery) -> Result<Vec<Run>, StoreError> {
        self.note("runs", query.run_id.as_deref());
        let runs: Vec<Run> = self.runs.iter().map(|(run, _)| run.clone()).collect();
        those(&runs, query.run_id.as_deref(), |run| &run.run_id)
    }

    fn steps(&self, run_id: &str) -> Result<Vec<Step>, StoreError> {
        self.note("steps", Some(run_id));
        Ok(self.runs.iter().find(|(run, _)| run.run_id == run_id).map(|(_, steps)| steps.clone()).unwrap_or_default())
    }

    fn performance(&self, target: Option<&str>) -> Result<Vec<Information>, StoreError> {
        self.note("performance", target);
        those(&self.performance, target, |row| &row.target)
    }

    fn intervals(&self, query: &IntervalQuery) -> Result<Vec<FinishedInterval>, StoreError> {
        self.note("intervals", query.target.as_deref());
        let of_it =
            |row: &&FinishedInterval| query.granularity.is_none_or(|granularity| granularity == row.granularity);
        Ok(self.intervals.iter().filter(of_it).cloned().collect())
    }

    fn newest_interval(&self, _device: &str, _granularity: Granularity) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    fn audit(&self, _maximum: usize) -> Result<Vec<Audit>, StoreError> {
        Ok(Vec::new())
    }
}

/// Devices, and a brain that answers what it was told to.
#[derive(Clone)]
pub struct Field(Arc<Inside>);

pub struct Inside {
    schema: Arc<Schema>,
    /// Those with a session, and their running configuration.
    pub devices: Mutex<BTreeMap<String, Tree>>,
    /// Refuses what it is asked to edit.
    pub stubborn: Mutex<Option<String>>,
    pub told: Mutex<Vec<Input>>,
    pub plans: Mutex<Vec<Plan>>,
    pub asked: Mutex<Vec<Request>>,
    pub answer: Mutex<Option<Result<Answer, Refusal>>>,
    pub kept: Mutex<Vec<Record>>,
}

impl std::ops::Deref for Field {
    type Target = Inside;

    fn deref(&self) -> &Inside {
        &self.0
    }
}

impl Field {
    pub fn new() -> Field {
        let schema = crate::schema::device_schema();
        Field(Arc::new(Inside {
            schema,
            devices: Mutex::default(),
            stubborn: Mutex::default(),
            told: Mutex::default(),
            plans: Mutex::default(),
            asked: Mutex::default(),
            answer: Mutex::default(),
            kept: Mutex::default(),
        }))
    }

    pub fn schema(&self) -> Arc<Schema> {
        self.schema.clone()
    }

    pub fn connect(&self, device: &str) {
        self.devices.lock().unwrap().entry(device.to_owned()).or_insert_with(|| Tree::new(self.schema.clone()));
    }

    /// The device's running configuration as XML.
    pub fn configured(&self, device: &str) -> String {
        let mut out = Vec::new();
        write_config(&self.devices.lock().unwrap()[device], &mut out);
        String::from_utf8(out).unwrap()
    }

    /// What the brain heard of the devices' configuration since the last look.
    pub fn statuses(&self) -> Vec<String> {
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        let told = told.into_iter().filter_map(|input| match input {
            Input::Configuration { device, status, error } => {
                Some(format!("{device} {status:?} {}", error.unwrap_or_default()))
            }
            _ => None,
        });
        told.map(|line| line.trim_end().to_owned()).collect()
    }
}

impl Southbound for Field {
    async fn tell(&self, input: Input) {
        self.told.lock().unwrap().push(input);
    }

    async fn request(&self, request: Request) -> Result<Answer, Refusal> {
        self.asked.lock().unwrap().push(request);
        self.answer.lock().unwrap().clone().unwrap()
    }

    async fn keep(&self, records: Vec<Record>) {
        self.kept.lock().unwrap().extend(records);
    }

    fn set(&self, plans: Vec<Plan>) {
        *self.plans.lock().unwrap() = plans;
    }

    fn is_connected(&self, device: &str) -> bool {
        self.devices.lock().unwrap().contains_key(device)
    }

    async fn call(&self, device: &str, operation: String, _timeout: Option<Duration>) -> Result<String, CallError> {
        let refuse = |errors| CallError::Refused { device: device.to_owned(), errors };
        let mut devices = self.devices.lock().unwrap();
        let tree = devices
            .get_mut(device)
            .ok_or_else(|| CallError::NotConnected { device: device.to_owned(), error: None })?;
        let document = Document::parse(&operation, &Limits::default()).unwrap();
        match document.root().name() {
            "get-config" => {
                let mut out = b"<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">".to_vec();
                write_config(tree, &mut out);
                out.extend_from_slice(b"</data>");
                Ok(String::from_utf8(out).unwrap())
            }
            "edit-config" => {
                if self.stubborn.lock().unwrap().as_deref() == Some(device) {
                    let namespaces = vec![("q".to_owned(), "urn:qkdn:yang:qkdn-mq".to_owned())];
                    let path = ErrorPath { text: "/q:qkd-module/q:sampling-interval".to_owned(), namespaces };
                    return Err(refuse(vec![RpcError::in_use("The laser is hot.").with_path(path)]));
                }
                let config = document.root().children().find(|element| element.name() == "config").unwrap();
                let (edited, errors) = edit::edit(tree, config, Operation::Merge);
                if !errors.is_empty() {
                    return Err(refuse(errors));
                }
                *tree = edited;
                Ok("<ok/>".to_owned())
            }
            name => Err(refuse(vec![RpcError::operation_not_supported(format!("No <{name}>."))])),
        }
    }

    async fn connect_now(
        &self,
        device: &str,
        _accept_host_key: bool,
    ) -> Result<(ConnectionState, Option<String>), CallError> {
        self.connect(device);
        Ok((ConnectionState::Operational, None))
    }
}
