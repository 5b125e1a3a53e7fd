//! The life of an agent: it samples its device, hears its facts, and saves what runs.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use netconf::yang::serde::to_tree;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::records::Tiding;
use super::{Shared, timed_out};
use crate::driver::{Driver, EventOf, Fact, Sample, facts};
use crate::memory::Snapshot;

/// How often intervals that run are made durable: what a crash may cost of them.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// Facts taken at once, so that a burst costs one sync.
const BURST: usize = 256;

pub(super) async fn live<D: Driver>(shared: Arc<Shared<D>>) {
    tokio::select! {
        () = shared.stop.cancelled() => return,
        () = shared.configured.notified() => {}
    }
    let (sender, mut facts) = facts();
    shared.driver.start(sender);
    let config = shared.mind().config.clone();
    let configured = tokio::time::timeout(D::TIMEOUT, shared.driver.configure(config, (shared.clock)())).await;
    if let Err(error) = configured.map_err(|_| timed_out::<D>()).and_then(|result| result) {
        tracing::error!(%error, "the device does not take its configuration");
    }
    sample(&shared).await;
    let mut saved = Instant::now();
    // A driver that tells nothing unasked lets go of its sender; it is looked at all the same.
    let mut tells = true;
    loop {
        let sampling = shared.mind().surveillance.rules().sampling;
        let due = until_next((shared.clock)(), sampling);
        let mut burst = Vec::with_capacity(BURST);
        tokio::select! {
            () = shared.stop.cancelled() => break,
            () = shared.changed.notified() => continue,
            heard = facts.recv_many(&mut burst, BURST), if tells => match heard {
                0 => tells = false,
                _ => hear(&shared, burst, &mut facts).await,
            },
            () = tokio::time::sleep(due) => {
                sample(&shared).await;
                if saved.elapsed() >= SAVE_EVERY {
                    saved = Instant::now();
                    save(&shared).await;
                }
            }
        }
    }
    save(&shared).await;
}

/// Time to the next full multiple of the sampling interval, so that intervals of the history begin with a sample.
fn until_next(now: Timestamp, sampling: Duration) -> Duration {
    let sampling = i128::try_from(sampling.as_nanos()).unwrap_or(i128::MAX).max(1);
    let rest = sampling - now.as_nanosecond().rem_euclid(sampling);
    Duration::from_nanos(u64::try_from(rest).unwrap_or(u64::MAX))
}

/// Takes a sample and acts on it.
async fn sample<D: Driver>(shared: &Shared<D>) {
    let now = (shared.clock)();
    let taken = take(shared, now).await;
    shared
        .change(|mind| {
            mind.answers = taken.is_ok();
            mind.tidings_of(|surveillance| match &taken {
                Ok(sample) => surveillance.sample(sample, now),
                Err(reason) => surveillance.failure(reason, now),
            })
        })
        .await;
}

async fn take<D: Driver>(shared: &Shared<D>, now: Timestamp) -> Result<Sample, String> {
    let taken = tokio::time::timeout(D::TIMEOUT, shared.driver.sample(now)).await;
    taken.map_err(|_| timed_out::<D>()).and_then(|sample| sample).map_err(|error| error.to_string())
}

/// Passes facts on; and looks at once, but only at conditions, where they changed: a sample out of turn would count twice.
async fn hear<D: Driver>(
    shared: &Shared<D>,
    burst: Vec<Fact<EventOf<D>>>,
    more: &mut mpsc::Receiver<Fact<EventOf<D>>>,
) {
    let mut tidings = Vec::new();
    let mut look = false;
    let rest = std::iter::from_fn(|| more.try_recv().ok()).take(BURST);
    for fact in burst.into_iter().chain(rest) {
        match fact {
            Fact::ConditionsChanged => look = true,
            Fact::StateChanged(change) => tidings.push(Tiding::State(change)),
            Fact::Log(log) => tidings.push(Tiding::Log(log)),
            Fact::Event(event) => tidings.push(Tiding::Own(to_tree(&shared.schema, &event))),
        }
    }
    shared.change(|_| tidings).await;
    if !look {
        return;
    }
    let now = (shared.clock)();
    // A device that does not answer now is found out by the next sample, which is what counts failures.
    if let Ok(sample) = take(shared, now).await {
        shared.change(|mind| mind.tidings_of(|surveillance| surveillance.conditions(&sample.conditions, now))).await;
    }
}

/// Makes durable what runs, and begins a new log where the old one is long.
async fn save<D: Driver>(shared: &Shared<D>) {
    let checkpoint = shared.records.lock().await.wants_checkpoint();
    shared
        .change(|mind| {
            let surveillance = &mind.surveillance;
            if checkpoint {
                return vec![Tiding::Checkpoint(Snapshot::of(&surveillance.alarms, &surveillance.performance))];
            }
            let running = surveillance.performance.iter();
            running.map(|(key, series)| Tiding::Running(key.clone(), Box::new(series.without_history()))).collect()
        })
        .await;
}
