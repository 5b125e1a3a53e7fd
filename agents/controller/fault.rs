//! Faults that a controller can be given (qkdn-simulation): while one holds, it has stopped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::KIND;
use super::execution::Shared;
use crate::driver::{DriverError, Fact, LogClass, LogFact, StateChange};
use crate::fault::{Fault, FaultStatus};
use crate::model::date_and_time;

/// Faults at once. More are refused.
const MAX_FAULTS: usize = 64;

/// The faults that hold, by number.
pub(super) struct Faults {
    controller_id: String,
    shared: Arc<Shared>,
    stop: CancellationToken,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    last: u64,
    injected: BTreeMap<u64, Injected>,
}

#[derive(Debug)]
struct Injected {
    fault: Fault,
    at: Timestamp,
    by: String,
}

impl Faults {
    pub(super) fn new(controller_id: &str, shared: Arc<Shared>, stop: CancellationToken) -> Arc<Self> {
        Arc::new(Faults { controller_id: controller_id.to_owned(), shared, stop, known: Mutex::default() })
    }

    pub(super) fn inject(self: &Arc<Self>, fault: Fault, user: &str, now: Timestamp) -> Result<String, DriverError> {
        if fault.controller_crash.is_none() {
            return Err(DriverError::Unsupported("a controller has no fault of this kind".to_owned()));
        }
        if let Some(id) = fault.resource_id.as_ref().filter(|id| **id != self.controller_id) {
            return Err(DriverError::refused("resource-id", format!("the controller has no resource {id}")));
        }
        let (kind, duration) = (fault.kind().unwrap_or_default(), fault.duration);
        let mut known = self.known();
        if known.injected.len() >= MAX_FAULTS {
            return Err(DriverError::Failed(format!("there are {MAX_FAULTS} faults already; clear one first")));
        }
        known.last += 1;
        let number = known.last;
        known.injected.insert(number, Injected { fault, at: now, by: user.to_owned() });
        self.log("fault-injected", format!("fault-{number}: {kind}"), user, now);
        self.judge(&known, now);
        if let Some(seconds) = duration {
            tokio::spawn(self.clone().end_later(number, seconds));
        }
        Ok(format!("fault-{number}"))
    }

    /// Takes one fault away, or all; how many.
    pub(super) fn clear(&self, fault_id: Option<&str>, user: &str, now: Timestamp) -> Result<u32, DriverError> {
        let mut known = self.known();
        let cleared: Vec<u64> = match fault_id {
            None => known.injected.keys().copied().collect(),
            Some(id) => {
                let number = id.strip_prefix("fault-").and_then(|number| number.parse().ok());
                let number = number.filter(|number| known.injected.contains_key(number));
                vec![number.ok_or_else(|| DriverError::Missing(format!("there is no fault {id}")))?]
            }
        };
        known.injected.retain(|number, _| !cleared.contains(number));
        for number in &cleared {
            self.log("fault-cleared", format!("fault-{number}"), user, now);
        }
        self.judge(&known, now);
        Ok(u32::try_from(cleared.len()).expect("at most MAX_FAULTS"))
    }

    pub(super) fn list(&self) -> Vec<FaultStatus> {
        let status = |(number, injected): (&u64, &Injected)| FaultStatus {
            fault_id: format!("fault-{number}"),
            injected: date_and_time(injected.at),
            injected_by: injected.by.clone(),
            fault: injected.fault.clone(),
        };
        self.known().injected.iter().map(status).collect()
    }

    /// Ends a fault when its time is over, if it is still there.
    async fn end_later(self: Arc<Self>, number: u64, seconds: u32) {
        tokio::select! {
            () = self.stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(seconds.into())) => {}
        }
        let now = Timestamp::now();
        let mut known = self.known();
        if let Some(injected) = known.injected.remove(&number) {
            self.log("fault-cleared", format!("fault-{number}: its time is over"), &injected.by, now);
            self.judge(&known, now);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("nothing panics while it holds the faults")
    }

    /// Stops the controller for as long as a fault holds it, and tells of it.
    fn judge(&self, known: &Known, now: Timestamp) {
        let halted = !known.injected.is_empty();
        if self.shared.halted.send_replace(halted) == halted {
            return;
        }
        let (old, new, reason) = match halted {
            true => ("operational", "failed", "the controller has stopped"),
            false => ("failed", "operational", "the controller has started again"),
        };
        self.shared.tell(Fact::StateChanged(StateChange {
            time: now,
            resource: self.controller_id.clone(),
            kind: KIND,
            state: "oper-state",
            old: old.to_owned(),
            new: new.to_owned(),
            reason: reason.to_owned(),
        }));
        self.shared.tell(Fact::ConditionsChanged);
    }

    fn log(&self, event: &'static str, text: String, user: &str, now: Timestamp) {
        self.shared.tell(Fact::Log(LogFact {
            time: now,
            resource: self.controller_id.clone(),
            class: LogClass::Event,
            event,
            text,
            user: Some(user.to_owned()),
        }));
    }
}
