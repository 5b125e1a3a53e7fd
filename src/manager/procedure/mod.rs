//! The procedures of clause 10, one file each, and the trace that every run of one leaves.

pub mod configuration;
mod control;
pub mod link_failure;
mod means;
mod security;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::alarm::AlarmList;
use crate::input::{Effect, Notification};
use crate::layout::Layout;
use crate::model::{DeviceName, Function, ResourceId};
use crate::record::{Procedure, Record, Run, RunState, Step};
use crate::topology::Reports;

/// What a run can see of the network.
#[derive(Clone, Copy)]
pub struct Network<'a> {
    pub layout: &'a Layout,
    pub reports: &'a Reports,
    pub alarms: &'a AlarmList,
    pub operational: &'a BTreeSet<DeviceName>,
}

/// A run that has not ended: what it is about, and the number of its last step record.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveRun {
    pub run: Run,
    pub sequence: u32,
}

/// What a step records beside its number and time.
#[derive(Clone, Debug)]
pub struct Done<'a> {
    pub actor: Function,
    /// A function or a device.
    pub peer: Option<&'a str>,
    pub operation_id: Option<String>,
    pub text: String,
    pub data: Option<serde_json::Value>,
}

impl<'a> Done<'a> {
    pub fn by(actor: Function, text: impl Into<String>) -> Self {
        Done { actor, peer: None, operation_id: None, text: text.into(), data: None }
    }

    pub fn with(self, peer: &'a str) -> Self {
        Done { peer: Some(peer), ..self }
    }

    pub fn data(self, data: serde_json::Value) -> Self {
        Done { data: Some(data), ..self }
    }
}

impl ActiveRun {
    /// Begins a run; the record of it is the first effect.
    pub fn begin(
        run_id: String,
        procedure: Procedure,
        trigger: String,
        (alarm_id, resource_id): (Vec<String>, Vec<ResourceId>),
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Self {
        let run = Run {
            run_id,
            procedure,
            trigger: Some(trigger),
            alarm_id,
            resource_id,
            started: now,
            ended: None,
            state: RunState::Running,
            outcome: None,
        };
        out.push(Effect::Store(Record::Run(run.clone())));
        ActiveRun { run, sequence: 0 }
    }

    /// What the store has of a run that had not ended.
    pub fn recover(run: Run, steps: &[Step]) -> Self {
        ActiveRun { run, sequence: steps.iter().map(|step| step.sequence).max().unwrap_or(0) }
    }

    /// Records and announces a step; `number` is the Recommendation's.
    pub fn step(&mut self, number: u8, done: Done<'_>, now: Timestamp, out: &mut Vec<Effect>) {
        self.sequence += 1;
        let step = Step {
            run_id: self.run.run_id.clone(),
            sequence: self.sequence,
            number,
            time: now,
            actor: done.actor,
            peer: done.peer.map(str::to_owned),
            operation_id: done.operation_id,
            text: done.text,
            data: done.data.map(|data| data.to_string()),
        };
        out.push(Effect::Store(Record::Step(step.clone())));
        out.push(Effect::Notify(Box::new(Notification::ProcedureStep(step))));
    }

    pub fn changed(&self, out: &mut Vec<Effect>) {
        out.push(Effect::Store(Record::Run(self.run.clone())));
    }

    pub fn end(&mut self, state: RunState, outcome: impl Into<String>, now: Timestamp, out: &mut Vec<Effect>) {
        self.run.state = state;
        self.run.outcome = Some(outcome.into());
        self.run.ended = Some(now);
        self.changed(out);
        out.push(Effect::Notify(Box::new(Notification::ProcedureEnded(self.run.clone()))));
    }
}

/// An identity without `module:`.
fn short(identity: &str) -> &str {
    identity.rsplit(':').next().unwrap_or(identity)
}

/// An enumeration as YANG spells it.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
