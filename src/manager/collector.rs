//! Collects performance information from all devices that are operational (clause 10.4 steps 1 and 2), again and again.
//!
//! Latest values go to the brain. Finished intervals go to the store: each device is asked for what is newer than the last one kept, so that
//! what a sweep missed comes with the next.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::connection::Devices;
use crate::input::Input;
use crate::model::{DeviceName, Kind};
use crate::record::{Granularity, Information, Record};
use crate::shell::{Inputs, Stopped};
use crate::store::Store;

/// Devices that are asked at a time: bounds the replies in memory, and leaves room for what is more urgent.
const AT_ONCE: usize = 16;

/// One device may take so long; then the sweep goes on without it.
const PER_DEVICE: Duration = Duration::from_secs(60);

/// What was collected from so many devices, or for so long, goes to the brain together, so that it is written together: neighbouring rows
/// share pages, and a commit for each device would write each page again and again.
const TOGETHER: usize = 256;
const TOGETHER_FOR: Duration = Duration::from_secs(1);

/// Devices need a moment after an interval has ended before they have it.
const AFTER_THE_END: i64 = 5;

const GRANULARITIES: [Granularity; 2] = [Granularity::QuarterHour, Granularity::Day];

/// Sweeps every `interval` until `shutdown`. A sweep that takes longer delays the next.
pub fn start<S: Store>(
    devices: Devices,
    store: Arc<S>,
    inputs: Inputs,
    interval: Duration,
    shutdown: CancellationToken,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut collector = Collector { devices, store, inputs, histories: HashMap::new() };
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                swept = collector.sweep() => if swept.is_err() {
                    return;
                },
            }
        }
    })
}

struct Collector<S> {
    devices: Devices,
    store: Arc<S>,
    inputs: Inputs,
    histories: HashMap<DeviceName, History>,
}

/// How far the history of one device is kept.
#[derive(Clone, Copy, Debug, Default)]
struct History {
    series: [Series; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct Series {
    /// Known from the store, and from then on from what was written to it.
    known: bool,
    newest: Option<Timestamp>,
    /// The interval that ran when the device last told all it had; before that has ended there is nothing new.
    asked: Option<i64>,
}

/// What came of one device.
struct Outcome {
    device: DeviceName,
    history: History,
    information: Vec<Information>,
    intervals: usize,
    took: Duration,
    result: Result<(), Trouble>,
}

enum Trouble {
    Stopped,
    Failed(String),
}

impl From<Stopped> for Trouble {
    fn from(_: Stopped) -> Trouble {
        Trouble::Stopped
    }
}

impl<S: Store> Collector<S> {
    async fn sweep(&mut self) -> Result<(), Stopped> {
        let began = Instant::now();
        let operational = self.devices.operational();
        self.histories.retain(|device, _| operational.iter().any(|(name, _)| name == device));
        let mut waiting = operational.into_iter().filter(|(_, kind)| *kind != Kind::Unknown);
        let (mut collected, mut failed, mut intervals) = (0, 0, 0);
        let mut under_way = JoinSet::new();
        let mut collection = Vec::new();
        let mut hand_over = Instant::now() + TOGETHER_FOR;
        loop {
            while under_way.len() < AT_ONCE
                && let Some((device, _)) = waiting.next()
            {
                let history = self.histories.get(&device).copied().unwrap_or_default();
                let visit = Visit {
                    devices: self.devices.clone(),
                    store: self.store.clone(),
                    inputs: self.inputs.clone(),
                    device,
                    history,
                    information: Vec::new(),
                    intervals: 0,
                };
                under_way.spawn(visit.make());
            }
            let outcome = tokio::select! {
                outcome = under_way.join_next() => outcome,
                () = tokio::time::sleep_until(hand_over), if !collection.is_empty() => {
                    self.hand_over(&mut collection).await?;
                    continue;
                }
            };
            let Some(outcome) = outcome else { break };
            let outcome = match outcome {
                Ok(outcome) => outcome,
                Err(error) => {
                    tracing::error!("collecting from a device failed: {error}");
                    continue;
                }
            };
            intervals += outcome.intervals;
            if !outcome.information.is_empty() {
                if collection.is_empty() {
                    hand_over = Instant::now() + TOGETHER_FOR;
                }
                let information = outcome.information;
                collection.push(Input::Collected { device: outcome.device.clone(), information });
                if collection.len() == TOGETHER {
                    self.hand_over(&mut collection).await?;
                }
            }
            match outcome.result {
                Ok(()) => {
                    collected += 1;
                    tracing::debug!(device = outcome.device, outcome.intervals, took = ?outcome.took, "performance collected");
                }
                Err(Trouble::Failed(error)) => {
                    failed += 1;
                    tracing::warn!(device = outcome.device, outcome.intervals, took = ?outcome.took, "performance not collected: {error}");
                }
                Err(Trouble::Stopped) => return Err(Stopped),
            }
            self.histories.insert(outcome.device, outcome.history);
        }
        self.hand_over(&mut collection).await?;
        tracing::debug!(collected, failed, intervals, took = ?began.elapsed(), "performance sweep");
        Ok(())
    }

    async fn hand_over(&self, collection: &mut Vec<Input>) -> Result<(), Stopped> {
        for collected in collection.drain(..) {
            self.inputs.send(collected).await?;
        }
        Ok(())
    }
}

/// One device in one sweep.
struct Visit<S> {
    devices: Devices,
    store: Arc<S>,
    inputs: Inputs,
    device: DeviceName,
    history: History,
    information: Vec<Information>,
    intervals: usize,
}

impl<S: Store> Visit<S> {
    async fn make(mut self) -> Outcome {
        let began = Instant::now();
        let result = match tokio::time::timeout(PER_DEVICE, self.collect()).await {
            Ok(result) => result,
            Err(_) => Err(Trouble::Failed(format!("not done within {} s", PER_DEVICE.as_secs()))),
        };
        Outcome {
            device: self.device,
            history: self.history,
            information: self.information,
            intervals: self.intervals,
            took: began.elapsed(),
            result,
        }
    }

    async fn collect(&mut self) -> Result<(), Trouble> {
        self.information = self.devices.performance(&self.device).await.map_err(Trouble::Failed)?;
        for granularity in GRANULARITIES {
            self.finished(granularity).await?;
        }
        Ok(())
    }

    /// Whatever has finished since the last that is kept.
    async fn finished(&mut self, granularity: Granularity) -> Result<(), Trouble> {
        let mut series = self.history.series[granularity as usize];
        let running = (Timestamp::now().as_second() - AFTER_THE_END).div_euclid(length(granularity));
        if series.asked == Some(running) {
            return Ok(());
        }
        if !series.known {
            series.newest = self.newest(granularity).await?;
            series.known = true;
        }
        loop {
            let page = self.devices.performance_history(&self.device, granularity, series.newest).await;
            let (page, more) = page.map_err(Trouble::Failed)?;
            let Some(last) = page.iter().map(|one| one.interval.start_time).max() else { break };
            self.intervals += page.len();
            self.inputs.keep(vec![Record::Intervals(page)]).await?;
            series.newest = Some(last);
            self.history.series[granularity as usize] = series;
            if !more {
                break;
            }
        }
        series.asked = Some(running);
        self.history.series[granularity as usize] = series;
        Ok(())
    }

    async fn newest(&self, granularity: Granularity) -> Result<Option<Timestamp>, Trouble> {
        let (store, device) = (self.store.clone(), self.device.clone());
        let read = tokio::task::spawn_blocking(move || store.newest_interval(&device, granularity)).await;
        match read {
            Ok(newest) => newest.map_err(|error| Trouble::Failed(error.to_string())),
            Err(error) => Err(Trouble::Failed(error.to_string())),
        }
    }
}

/// Seconds.
fn length(granularity: Granularity) -> i64 {
    match granularity {
        Granularity::QuarterHour => 15 * 60,
        Granularity::Day => 24 * 60 * 60,
    }
}

#[cfg(test)]
mod tests;
