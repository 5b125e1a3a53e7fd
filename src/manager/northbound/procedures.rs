//! `procedures/run`: the traces of clause 10, newest first from the store.

use netconf::error::RpcError;
use serde::Serialize;

use super::{Answer, failed};
use crate::record::{Run, Step};
use crate::store::{RunQuery, Store};

const RUN: &str = "/qkdn-manager:procedures/run";

/// Runs that one get returns, the newest: a page of history for people. Older ones are read by their run-id.
const MAX_RUNS: usize = 1000;

pub(super) fn read(answer: &mut Answer<'_>, store: &impl Store) -> Result<(), RpcError> {
    if !answer.reaches(RUN) {
        return Ok(());
    }
    let query = |run_id| RunQuery { run_id, maximum: MAX_RUNS };
    let runs = match answer.keys(RUN) {
        None => store.runs(&query(None)).map_err(failed)?,
        Some(ids) => {
            let mut runs = Vec::new();
            for id in ids {
                runs.extend(store.runs(&query(Some(id))).map_err(failed)?);
            }
            runs
        }
    };
    let with_steps = answer.reaches("/qkdn-manager:procedures/run/step");
    let mut entries = Vec::with_capacity(runs.len());
    for run in &runs {
        let step = if with_steps { store.steps(&run.run_id).map_err(failed)? } else { Vec::new() };
        entries.push(RunEntry { run: RunFields::of(run), step: step.iter().map(StepFields::of).collect() });
    }
    answer.add_entries(RUN, &entries);
    Ok(())
}

#[derive(Serialize)]
struct RunEntry<'a> {
    #[serde(flatten)]
    run: RunFields<'a>,
    step: Vec<StepFields>,
}

/// The grouping `run`.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct RunFields<'a>(&'a Run);

impl<'a> RunFields<'a> {
    pub(super) fn of(run: &'a Run) -> Self {
        RunFields(run)
    }
}

/// The grouping `step`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct StepFields {
    sequence: u32,
    number: u8,
    time: jiff::Timestamp,
    actor: crate::model::Function,
    peer: Option<String>,
    operation_id: Option<String>,
    text: String,
    data: Option<String>,
}

impl StepFields {
    pub(super) fn of(step: &Step) -> Self {
        StepFields {
            sequence: step.sequence,
            number: step.number,
            time: step.time,
            actor: step.actor,
            peer: step.peer.clone(),
            operation_id: step.operation_id.clone(),
            text: step.text.clone(),
            data: step.data.clone(),
        }
    }
}
