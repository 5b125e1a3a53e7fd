//! `network/performance`: latest values, and the history where it is asked for.

use std::collections::BTreeMap;

use netconf::error::RpcError;
use serde::Serialize;

use super::{Answer, failed, rows};
use crate::record::{FinishedInterval, Granularity, Information, Interval};
use crate::store::{IntervalQuery, Store};

const INFORMATION: &str = "/qkdn-manager:network/performance/information";

/// Intervals that one get returns: those of some 400 targets with ten types each, for a day. Beyond it the get is refused, with advice:
/// a part of a history looks like all of it.
const MAX_INTERVALS: usize = 400_000;

/// `max-elements` of the two lists.
const KEPT: [(Granularity, usize); 2] = [(Granularity::QuarterHour, 96), (Granularity::Day, 30)];

pub(super) fn read(answer: &mut Answer<'_>, store: &impl Store) -> Result<(), RpcError> {
    if !answer.reaches(INFORMATION) {
        return Ok(());
    }
    // The key is type and target: a filter on the target alone is met here, where it is cheap.
    let targets = targets(answer);
    let information = rows(targets.clone(), |target| store.performance(target))?;
    let mut history = History::default();
    for (granularity, kept) in KEPT {
        let list = match granularity {
            Granularity::QuarterHour => "interval-15-minutes",
            Granularity::Day => "interval-24-hours",
        };
        if answer.reaches(&format!("{INFORMATION}/{list}")) {
            history.read(store, granularity, kept, targets.as_deref())?;
        }
    }
    let entries: Vec<Entry> = information.iter().map(|information| history.take(information)).collect();
    answer.add_entries(INFORMATION, &entries);
    Ok(())
}

/// The targets asked for; None where it can be any.
fn targets(answer: &Answer<'_>) -> Option<Vec<String>> {
    let list = answer.schema.find(INFORMATION)?;
    let target = answer.schema.node(list).keys.iter().position(|&key| answer.schema.node(key).name == "target")?;
    let keys = answer.want.key_constraints(answer.schema, list)?;
    let mut targets: Vec<_> =
        keys.iter().filter_map(|key| Some(key.values().get(target)?.text().into_owned())).collect();
    targets.sort();
    targets.dedup();
    Some(targets)
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Entry<'a> {
    #[serde(flatten)]
    information: &'a Information,
    #[serde(rename = "interval-15-minutes")]
    interval_15_minutes: Vec<Interval>,
    #[serde(rename = "interval-24-hours")]
    interval_24_hours: Vec<Interval>,
}

/// Finished intervals by target, type and granularity, by their start.
#[derive(Default)]
struct History(BTreeMap<(String, String, Granularity), BTreeMap<jiff::Timestamp, Interval>>);

impl History {
    fn read(
        &mut self,
        store: &impl Store,
        granularity: Granularity,
        kept: usize,
        targets: Option<&[String]>,
    ) -> Result<(), RpcError> {
        let query =
            IntervalQuery { granularity: Some(granularity), maximum: MAX_INTERVALS + 1, ..IntervalQuery::default() };
        let intervals = match targets {
            None => store.intervals(&query).map_err(failed)?,
            Some(targets) => {
                let mut intervals = Vec::new();
                for target in targets {
                    let query = IntervalQuery { target: Some(target.clone()), ..query.clone() };
                    intervals.extend(store.intervals(&query).map_err(failed)?);
                }
                intervals
            }
        };
        if intervals.len() > MAX_INTERVALS {
            let advice =
                "The history is too long for one reply: filter by type and target, or ask for current values only.";
            return Err(RpcError::too_big(advice));
        }
        for FinishedInterval { target, kind, granularity, interval, .. } in intervals {
            let series = self.0.entry((target, kind, granularity)).or_default();
            series.insert(interval.start_time, interval);
            while series.len() > kept {
                series.pop_first();
            }
        }
        Ok(())
    }

    fn take<'a>(&mut self, information: &'a Information) -> Entry<'a> {
        let mut of = |granularity| {
            let key = (information.target.clone(), information.kind.clone(), granularity);
            self.0.remove(&key).map(|series| series.into_values().collect()).unwrap_or_default()
        };
        Entry {
            information,
            interval_15_minutes: of(Granularity::QuarterHour),
            interval_24_hours: of(Granularity::Day),
        }
    }
}
