//! What the manager knows and decides, as pure code: inputs and the time in, effects out.

mod alarms;
mod devices;
mod requests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::alarm::AlarmList;
use crate::consistency;
use crate::input::{Answer, Effect, Input, Notification, Recovered};
use crate::inventory::Inventory;
use crate::layout::Layout;
use crate::model::{DeviceName, Kind, Plan, ResourceId};
use crate::procedure::Network as View;
use crate::procedure::configuration::{Configuration, Correlated};
use crate::procedure::link_failure::LinkFailures;
use crate::record::{self, DeviceState, Inconsistency, Record, RunState};
use crate::topology::{self, Latest, Reports};

/// Changed states and measurements reach the stored topology at this pace: it is written whole.
const TOPOLOGY_PACE: SignedDuration = SignedDuration::from_secs(5);

pub struct Manager {
    devices: BTreeMap<DeviceName, Managed>,
    plans: BTreeMap<DeviceName, Plan>,
    /// The last that each device reported; kept while it is away.
    reports: Reports,
    operational: BTreeSet<DeviceName>,
    layout: Option<Layout>,
    latest: Latest,
    alarms: AlarmList,
    inventory: Inventory,
    networks: Vec<record::Network>,
    /// Since when the networks are not what is stored.
    networks_dirty: Option<Timestamp>,
    inconsistencies: Vec<Inconsistency>,
    last_inconsistency: u32,
    configuration: Configuration,
    link_failures: LinkFailures,
    last_run: u64,
    /// Of the topology.
    version: u64,
}

/// A managed device.
#[derive(Debug, Default)]
struct Managed {
    state: DeviceState,
    /// Since when it should be there and is not; None while it is, or is not wanted, or the alarm is raised.
    missed: Option<Timestamp>,
    /// Has state that is not stored: events only move times, and are stored once a second.
    dirty: bool,
    /// Its configuration changed since it was read.
    stale: bool,
}

impl Manager {
    /// Goes on with what the store holds.
    pub fn recover(recovered: Recovered, now: Timestamp) -> (Manager, Vec<Effect>) {
        let mut out = Vec::new();
        let alarms = AlarmList::recover(recovered.alarms, recovered.last_alarm);
        let link_failures = LinkFailures::recover(&recovered.runs, &alarms, now);
        // A configuration run reads everything anew at the start: one that was cut off has nothing to go on with.
        for (mut run, _) in recovered.runs {
            if run.procedure == record::Procedure::Configuration {
                run.state = RunState::Failed;
                run.ended = Some(now);
                run.outcome = Some("the manager stopped before it ended; another run follows".to_owned());
                out.push(Effect::Store(Record::Run(run)));
            }
        }
        let devices = recovered.devices.into_iter().map(|state| {
            let connection_state = Default::default();
            let state = DeviceState { connection_state, session_id: None, ..state };
            (state.name.clone(), Managed { state, ..Managed::default() })
        });
        let manager = Manager {
            devices: devices.collect(),
            plans: BTreeMap::new(),
            reports: Reports::new(),
            operational: BTreeSet::new(),
            layout: None,
            latest: Latest::default(),
            alarms,
            inventory: Inventory::recover(recovered.resources),
            version: recovered.networks.iter().map(|network| network.version).max().unwrap_or(0),
            networks: recovered.networks,
            networks_dirty: None,
            last_inconsistency: recovered.inconsistencies.iter().map(|found| found.number).max().unwrap_or(0),
            inconsistencies: recovered.inconsistencies,
            configuration: Configuration::default(),
            link_failures,
            last_run: recovered.last_run,
        };
        (manager, out)
    }

    /// Takes what happened at `now`, and says what is to be done.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Effect> {
        let mut out = Vec::new();
        match input {
            Input::Devices(plans) => self.planned(plans, now, &mut out),
            Input::Connecting { device, attempts, next_attempt, error } => {
                self.connecting(&device, attempts, next_attempt, error, now, &mut out);
            }
            Input::Connected { device, session } => self.connected(&device, session, now, &mut out),
            Input::Synchronized { device, report } => self.synchronized(&device, *report, now, &mut out),
            Input::NotSynchronized { device, error } => self.not_synchronized(&device, error, now, &mut out),
            Input::Lost { device, error } => self.lost(&device, error, now, &mut out),
            Input::Refused { device, error } => self.refused(&device, error, now, &mut out),
            Input::Event { device, event } => self.event(&device, *event, now, &mut out),
            Input::Gap { device, lost } => self.gap(&device, lost, now, &mut out),
            Input::Diagnosed { run, device, result } => {
                let result = result.as_deref().map_err(String::as_str);
                self.with_links(|failures, view| failures.diagnosed(&run, &device, result, view, now, &mut out));
            }
            Input::Controlled { run, device, result } => {
                let result = result.as_deref().map_err(String::as_str);
                self.with_links(|failures, view| failures.controlled(&run, &device, result, view, now, &mut out));
            }
            Input::Collected { device, information } => self.measured(&device, information, now, &mut out),
            Input::Configuration { device, status, error } => {
                self.configuration_status(&device, status, error, now, &mut out);
            }
            Input::Request { number, request } => self.request(number, request, now, &mut out),
            Input::Tick => self.tick(now, &mut out),
        }
        self.finish_configuration(now, &mut out);
        out
    }

    fn tick(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        self.miss_devices(now, out);
        self.read_stale(out);
        self.with_links(|failures, view| failures.go_on(view, now, out));
        for managed in self.devices.values_mut().filter(|managed| managed.dirty) {
            managed.dirty = false;
            out.push(Effect::Store(Record::Device(Box::new(managed.state.clone()))));
        }
        if self.networks_dirty.is_some_and(|since| now.duration_since(since) >= TOPOLOGY_PACE) {
            self.store_networks(out);
        }
    }

    /// The layout of the reports as they are.
    pub(super) fn layout(&mut self) -> &Layout {
        let reports = &self.reports;
        self.layout.get_or_insert_with(|| Layout::of(reports.iter()))
    }

    pub(super) fn with_links<T>(&mut self, act: impl FnOnce(&mut LinkFailures, View<'_>) -> T) -> T {
        self.layout();
        let mut failures = std::mem::take(&mut self.link_failures);
        let view = View {
            layout: self.layout.as_ref().expect("it was made above"),
            reports: &self.reports,
            alarms: &self.alarms,
            operational: &self.operational,
        };
        let result = act(&mut failures, view);
        self.link_failures = failures;
        result
    }

    /// Step 7 of 10.3, when the run has read what it can.
    fn finish_configuration(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let Some(ready) = self.configuration.ready(now, out) else { return };
        self.layout();
        let layout = self.layout.take().expect("it was made above");
        let findings = consistency::check(&self.reports, &layout, &self.plans);
        self.layout = Some(layout);
        self.found(findings, now, out);
        let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
        for found in &self.inconsistencies {
            *kinds.entry(found.kind.clone()).or_default() += 1;
        }
        self.store_networks(out);
        let changes = ready.changes();
        if !changes.is_empty() {
            out.push(Effect::Notify(Box::new(Notification::TopologyChanged {
                version: self.version,
                added: changes.added.clone(),
                removed: changes.removed.clone(),
                changed: changes.changed.clone(),
            })));
        }
        let inconsistencies = u32::try_from(self.inconsistencies.len()).unwrap_or(u32::MAX);
        let correlated = Correlated { networks: &self.networks, inconsistencies, kinds };
        let (run_id, requests) = ready.correlated(&correlated, now, out);
        for number in requests {
            let answer = Answer::ConfigurationProcedure { run_id: run_id.clone(), inconsistencies };
            out.push(Effect::Answer { number, answer: Ok(answer) });
        }
    }

    /// The networks as the reports have them. What a device reported that is planned and was not read since the start stays as it was.
    fn store_networks(&mut self, out: &mut Vec<Effect>) {
        self.networks_dirty = None;
        self.layout();
        let layout = self.layout.as_ref().expect("it was made above");
        let mut networks = topology::networks(&self.reports, layout, self.inventory.all(), &self.latest);
        let unread = |device: &DeviceName| self.plans.contains_key(device) && !self.reports.contains_key(device);
        topology::keep_unread(&mut networks, &self.networks, unread);
        if topology::shape(&networks) != topology::shape(&self.networks) {
            self.version += 1;
        }
        for network in &mut networks {
            network.version = self.version;
            if !self.networks.contains(network) {
                out.push(Effect::Store(Record::Network(network.clone())));
            }
        }
        self.networks = networks;
    }

    /// Managed devices with an address, which a session is wanted with.
    fn wanted(&self) -> impl Iterator<Item = (&DeviceName, Kind)> {
        let wanted = self.plans.values().filter(|plan| plan.managed && plan.address.is_some());
        wanted.map(|plan| (&plan.name, self.kind(&plan.name)))
    }

    /// What a device is: what it turned out to be, or what was planned.
    fn kind(&self, device: &str) -> Kind {
        let found = self.devices.get(device).and_then(|managed| managed.state.found_kind);
        let planned = self.plans.get(device).map_or(Kind::Unknown, |plan| plan.kind);
        found.filter(|kind| *kind != Kind::Unknown).unwrap_or(planned)
    }

    /// The resource that stands for a device, even where it never told it.
    fn resource_of(&self, device: &str) -> ResourceId {
        let found = self.devices.get(device).and_then(|managed| managed.state.found_id.clone());
        let planned = || self.plans.get(device).and_then(|plan| plan.device_id.clone());
        found.or_else(planned).unwrap_or_else(|| format!("urn:qkdn:device:{device}"))
    }
}
