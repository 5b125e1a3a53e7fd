//! Configuration management (clause 10.3): the layers are read, in any order, and XLMO puts them together and looks for errors.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{ActiveRun, Done};
use crate::input::Effect;
use crate::inventory::Changes;
use crate::model::{DeviceName, Function, Kind};
use crate::record::{Network, Procedure, RunState};

/// A run waits for devices that do not answer for so long; then it ends with what there is. One that comes later has a run of its own.
const PATIENCE: SignedDuration = SignedDuration::from_secs(20);

#[derive(Debug, Default)]
pub struct Configuration {
    active: Option<Active>,
}

#[derive(Debug)]
struct Active {
    run: ActiveRun,
    waiting: BTreeMap<DeviceName, Kind>,
    read: BTreeMap<DeviceName, Kind>,
    failed: BTreeMap<DeviceName, String>,
    changes: Changes,
    reported: BTreeSet<Function>,
    requests: Vec<u64>,
}

/// What XLMO made of the layers' reports (step 7).
#[derive(Debug)]
pub struct Correlated<'a> {
    pub networks: &'a [Network],
    pub inconsistencies: u32,
    pub kinds: BTreeMap<String, u32>,
}

/// A run that has read all it could, and waits for step 7.
#[derive(Debug)]
pub struct Ready {
    active: Active,
}

impl Configuration {
    pub fn is_active(&self) -> bool {
        self.active.is_some()
    }

    /// Begins a run over these devices, or takes them into the one that runs.
    pub fn begin(
        &mut self,
        trigger: &str,
        devices: impl IntoIterator<Item = (DeviceName, Kind)>,
        request: Option<u64>,
        next_run: &mut impl FnMut() -> String,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        let active = self.active.get_or_insert_with(|| Active {
            run: ActiveRun::begin(
                next_run(),
                Procedure::Configuration,
                trigger.to_owned(),
                Default::default(),
                now,
                out,
            ),
            waiting: BTreeMap::new(),
            read: BTreeMap::new(),
            failed: BTreeMap::new(),
            changes: Changes::default(),
            reported: BTreeSet::new(),
            requests: Vec::new(),
        });
        active.requests.extend(request);
        for (device, kind) in devices {
            active.read.remove(&device);
            active.failed.remove(&device);
            active.reported.remove(&kind.function());
            active.waiting.insert(device, kind);
        }
    }

    /// A device was read. False: no run waits for it.
    pub fn read(&mut self, device: &str, kind: Kind, changes: Changes, now: Timestamp, out: &mut Vec<Effect>) -> bool {
        let Some(active) = self.active.as_mut() else { return false };
        if active.waiting.remove(device).is_none() {
            return false;
        }
        active.read.insert(device.to_owned(), kind);
        active.report_layers(now, out);
        self.changed(changes);
        true
    }

    /// Adds to what the run changed; nothing where none runs.
    pub fn changed(&mut self, changes: Changes) {
        if let Some(active) = &mut self.active {
            active.changes.added.extend(changes.added);
            active.changes.removed.extend(changes.removed);
            active.changes.changed.extend(changes.changed);
        }
    }

    pub fn failed(&mut self, device: &str, error: &str, now: Timestamp, out: &mut Vec<Effect>) {
        if let Some(active) = &mut self.active
            && active.waiting.remove(device).is_some()
        {
            active.failed.insert(device.to_owned(), error.to_owned());
            active.report_layers(now, out);
        }
    }

    /// The run that has all it waited for, or waited long enough.
    pub fn ready(&mut self, now: Timestamp, out: &mut Vec<Effect>) -> Option<Ready> {
        let active = self.active.as_mut()?;
        if !active.waiting.is_empty() && now.duration_since(active.run.run.started) < PATIENCE {
            return None;
        }
        for (device, _) in std::mem::take(&mut active.waiting) {
            active.failed.insert(device, "not read in time".to_owned());
        }
        active.report_layers(now, out);
        self.active.take().map(|active| Ready { active })
    }
}

impl Active {
    /// Steps of a layer, once all of its devices were read or given up.
    fn report_layers(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        for function in [Function::Qlm, Function::Kmlm] {
            let is_done = !self.waiting.values().any(|kind| kind.function() == function);
            let concerned = self.read.values().any(|kind| kind.function() == function);
            if is_done && concerned && self.reported.insert(function) {
                self.report_layer(function, now, out);
            }
        }
    }

    fn report_layer(&mut self, function: Function, now: Timestamp, out: &mut Vec<Effect>) {
        let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
        for kind in self.read.values().filter(|kind| kind.function() == function) {
            *kinds.entry(kind.reference_point().unwrap_or("unknown")).or_default() += 1;
        }
        let count: u32 = kinds.values().sum();
        let points: Vec<String> =
            kinds.iter().map(|(point, count)| format!("{count} over {}", capital(point))).collect();
        let (layer, first) = match function {
            Function::Qlm => ("quantum layer", 1),
            _ => ("key management layer", 4),
        };
        // 1) QLM discovers and collects quantum layer configuration information … via the Mq reference point.
        // 4) KMLM discovers and collects key management layer configuration information via Mk reference point.
        let text = format!("configuration of {count} devices collected: {}", points.join(", "));
        self.run.step(first, Done::by(function, text).data(json!({"devices": kinds})), now, out);
        // 2), 5) … generates the layer's topology and creates its resource inventory.
        let text = format!("{layer} topology and inventory made");
        self.run.step(first + 1, Done::by(function, text), now, out);
        // 3), 6) … sends the layer's configuration report to XLMO.
        let text = format!("{layer} configuration report: {count} devices");
        self.run.step(first + 2, Done::by(function, text).with("xlmo"), now, out);
    }
}

impl Ready {
    pub fn run_id(&self) -> &str {
        &self.active.run.run.run_id
    }

    pub fn changes(&self) -> &Changes {
        &self.active.changes
    }

    /// Step 7: XLMO generates an entire QKDN topology by correlating quantum layer and key management layer topology information received and
    /// also checks any configuration errors. Returns the requests that wait for the run.
    pub fn correlated(
        mut self,
        correlated: &Correlated<'_>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> (String, Vec<u64>) {
        let networks: BTreeMap<&str, serde_json::Value> = correlated
            .networks
            .iter()
            .map(|network| {
                let name = network.network_id.rsplit(':').next().unwrap_or_default();
                (name, json!({"nodes": network.node.len(), "links": network.link.len()}))
            })
            .collect();
        let errors = match correlated.inconsistencies {
            0 => "no configuration error".to_owned(),
            1 => "1 configuration error".to_owned(),
            more => format!("{more} configuration errors"),
        };
        let text = format!("topology of the whole QKDN made of the layers; {errors}");
        let data = json!({"networks": networks, "inconsistencies": correlated.kinds});
        self.active.run.step(7, Done::by(Function::Xlmo, text).data(data), now, out);
        let (read, failed) = (self.active.read.len(), &self.active.failed);
        let mut outcome = format!("{read} devices read; {errors}");
        let state = if failed.is_empty() { RunState::Completed } else { RunState::Failed };
        if !failed.is_empty() {
            // A network may have thousands that do not answer; ten names tell enough.
            let named: Vec<String> =
                failed.iter().take(10).map(|(device, error)| format!("{device} ({error})")).collect();
            let more = failed.len().saturating_sub(named.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            outcome.push_str(&format!("; not read: {}{more}", named.join(", ")));
        }
        self.active.run.end(state, outcome, now, out);
        (self.active.run.run.run_id.clone(), self.active.requests)
    }
}

fn capital(reference_point: &str) -> String {
    let mut letters = reference_point.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}
