//! Devices: planned, connected, read, lost; what they tell besides alarms.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::alarms::{AGENT_UNREACHABLE, NOTIFICATION_GAP};
use super::{Managed, Manager};
use crate::facts::{DeviceEvent, EventContent, Facts, Report};
use crate::input::{Effect, Notification, SessionFacts};
use crate::inventory::Changes;
use crate::model::{ConfigurationStatus, ConnectionState, DeviceName, Kind, Plan, ResourceId, Severity};
use crate::record::{AlarmKey, DeviceState, Information, Record};

/// A device that was lost and is not back by then is reported. A session that is cut and opened again at once is not worth an alarm.
const LOST_PATIENCE: SignedDuration = SignedDuration::from_secs(2);

/// The same for one that was not there yet since the start, or since it is managed.
const FIRST_PATIENCE: SignedDuration = SignedDuration::from_secs(5);

/// Whoever changed a device's configuration, it is read anew (RFC 6470 section 2.2).
const CONFIG_CHANGE: &str = "ietf-netconf-notifications:netconf-config-change";

impl Manager {
    /// The managed devices as configured, all of them.
    pub(super) fn planned(&mut self, plans: Vec<Plan>, now: Timestamp, out: &mut Vec<Effect>) {
        let plans: BTreeMap<DeviceName, Plan> = plans.into_iter().map(|plan| (plan.name.clone(), plan)).collect();
        let removed: Vec<DeviceName> = self.devices.keys().filter(|name| !plans.contains_key(*name)).cloned().collect();
        for device in removed.iter().cloned() {
            self.unreachable_is_over(&device, "the device is not managed any more", now, out);
            self.forget_alarms(&device, now, out);
            self.configuration.failed(&device, "not managed any more", now, out);
            self.devices.remove(&device);
            self.reports.remove(&device);
            self.operational.remove(&device);
            self.layout = None;
            self.networks_dirty.get_or_insert(now);
            out.push(Effect::Store(Record::DeviceForgotten(device)));
        }
        let before = std::mem::replace(&mut self.plans, plans);
        out.extend(self.inventory.plan(&self.plans).into_iter().map(Effect::Store));
        let gone = self.resources_gone(&removed, now, out);
        let mut new = Vec::new();
        for plan in self.plans.clone().into_values() {
            let is_wanted = plan.managed && plan.address.is_some();
            let was_wanted = before.get(&plan.name).is_some_and(|plan| plan.managed && plan.address.is_some());
            let managed = self.devices.entry(plan.name.clone()).or_default();
            managed.state.name.clone_from(&plan.name);
            managed.state.kind = plan.kind;
            if is_wanted && !was_wanted {
                managed.missed = now.saturating_add(FIRST_PATIENCE - LOST_PATIENCE).ok();
                new.push((plan.name.clone(), self.kind(&plan.name)));
                self.set_connection(&plan.name, ConnectionState::Connecting, None, now, out);
            } else if !is_wanted {
                managed.missed = None;
                managed.state.session_id = None;
                self.operational.remove(&plan.name);
                self.configuration.failed(&plan.name, "no session is wanted", now, out);
                self.unreachable_is_over(&plan.name, "no session is wanted", now, out);
                self.set_connection(&plan.name, ConnectionState::Disabled, None, now, out);
            }
        }
        if !new.is_empty() || !removed.is_empty() {
            let trigger = match (before.is_empty(), new.is_empty()) {
                (true, _) => "start of the manager",
                (false, false) => "devices were added",
                (false, true) => "devices were removed",
            };
            self.begin_configuration(trigger, new, None, now, out);
            self.configuration.changed(Changes { removed: gone, ..Changes::default() });
        }
    }

    /// What devices reported that are not managed any more is gone, unless another device tells of it too. Returns what is gone.
    fn resources_gone(&mut self, removed: &[DeviceName], now: Timestamp, out: &mut Vec<Effect>) -> Vec<ResourceId> {
        let mut gone = Vec::new();
        for device in removed {
            let (records, resources) = self.inventory.remove_device(device);
            out.extend(records.into_iter().map(Effect::Store));
            gone.extend(resources);
        }
        let tells = |report: &Report| report.resources.iter().any(|told| gone.contains(&told.resource_id));
        let tellers = self.reports.iter().filter(|(_, report)| tells(report));
        let mut told = BTreeSet::new();
        for (device, report) in tellers {
            let (records, changes) = self.inventory.report(device, report, &self.plans, now);
            out.extend(records.into_iter().map(Effect::Store));
            told.extend(changes.added);
        }
        gone.retain(|resource| !told.contains(resource));
        gone
    }

    /// Whether a session is wanted with a device: what comes of one that is being closed is of no interest any more.
    fn is_wanted(&self, device: &str) -> bool {
        self.plans.get(device).is_some_and(|plan| plan.managed && plan.address.is_some())
    }

    pub(super) fn begin_configuration(
        &mut self,
        trigger: &str,
        devices: Vec<(DeviceName, Kind)>,
        request: Option<u64>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        let mut last_run = self.last_run;
        let mut next_run = || {
            last_run += 1;
            format!("run-{last_run}")
        };
        self.configuration.begin(trigger, devices, request, &mut next_run, now, out);
        self.last_run = last_run;
    }

    pub(super) fn connecting(
        &mut self,
        device: &str,
        attempts: u32,
        next_attempt: Option<Timestamp>,
        error: Option<String>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        let is_wanted = self.is_wanted(device);
        let Some(managed) = self.devices.get_mut(device).filter(|_| is_wanted) else { return };
        managed.state.attempts = attempts;
        managed.state.next_attempt = next_attempt;
        managed.dirty = true;
        if let Some(error) = &error {
            self.configuration.failed(device, error, now, out);
        }
        let error =
            error.or_else(|| self.devices.get(device).and_then(|managed| managed.state.connection_error.clone()));
        self.set_connection(device, ConnectionState::Connecting, error, now, out);
    }

    pub(super) fn connected(&mut self, device: &str, session: SessionFacts, now: Timestamp, out: &mut Vec<Effect>) {
        let is_wanted = self.is_wanted(device);
        let Some(managed) = self.devices.get_mut(device).filter(|_| is_wanted) else { return };
        // It is back; it is missed again if it leaves before it was read.
        managed.missed = None;
        let state = &mut managed.state;
        state.session_id = Some(session.session_id);
        if session.host_key.is_some() {
            state.host_key = session.host_key;
        }
        state.capability = session.capabilities;
        state.attempts = 0;
        state.next_attempt = None;
        state.last_heard = Some(now);
        self.set_connection(device, ConnectionState::Synchronizing, None, now, out);
    }

    pub(super) fn synchronized(&mut self, device: &str, report: Report, now: Timestamp, out: &mut Vec<Effect>) {
        let is_wanted = self.is_wanted(device);
        let Some(managed) = self.devices.get_mut(device).filter(|_| is_wanted) else { return };
        let state = &mut managed.state;
        let last_event = state.last_event_time;
        state.found_kind = Some(report.kind);
        state.found_id.clone_from(&report.id);
        state.simulated = Some(report.simulated);
        state.content_id.clone_from(&report.content_id);
        state.module.clone_from(&report.modules);
        state.admin_state.clone_from(&report.admin_state);
        state.service_state.clone_from(&report.service_state);
        state.oper_state.clone_from(&report.oper_state);
        state.equipment.clone_from(&report.equipment);
        state.last_heard = Some(now);
        managed.missed = None;
        managed.stale = false;
        let kind = report.kind;
        let alarms = report.alarms.clone();
        let performance = report.performance.clone();
        let (records, changes) = self.inventory.report(device, &report, &self.plans, now);
        out.extend(records.into_iter().map(Effect::Store));
        let correlated = |report: &Report| (report.id.clone(), report.location.clone(), report.facts.unmeasured());
        let after = correlated(&report);
        let before = self.reports.insert(device.to_owned(), report);
        let is_other = before.is_none_or(|before| correlated(&before) != after);
        self.layout = None;
        self.operational.insert(device.to_owned());
        self.set_connection(device, ConnectionState::Operational, None, now, out);
        self.unreachable_is_over(device, "the device is connected and was read", now, out);
        let resource = self.resource_of(device);
        self.clear_own(&resource, NOTIFICATION_GAP.0, "the device was read anew", now, out);
        self.read_alarms(device, &alarms, last_event, now, out);
        self.late_alerts(device, now, out);
        self.measured(device, performance, now, out);
        let kind = if kind == Kind::Unknown { self.kind(device) } else { kind };
        if !self.configuration.read(device, kind, changes.clone(), now, out)
            && (is_other || changes != Changes::default())
        {
            self.begin_configuration(
                &format!("{device} was read anew"),
                vec![(device.to_owned(), kind)],
                None,
                now,
                out,
            );
            self.configuration.read(device, kind, changes, now, out);
        }
        self.networks_dirty.get_or_insert(now);
        // A controller may have told what came of an action while nobody heard it.
        let progress = match self.reports.get(device).map(|report| &report.facts) {
            Some(Facts::Controller(facts)) => facts.state.control_action.clone(),
            _ => Vec::new(),
        };
        self.with_links(|failures, view| {
            progress.iter().for_each(|progress| failures.progressed(device, progress, view, now, out));
            failures.go_on(view, now, out);
        });
    }

    pub(super) fn not_synchronized(&mut self, device: &str, error: String, now: Timestamp, out: &mut Vec<Effect>) {
        if !self.devices.contains_key(device) {
            return;
        }
        self.configuration.failed(device, &error, now, out);
        self.lost(device, error, now, out);
    }

    pub(super) fn lost(&mut self, device: &str, error: String, now: Timestamp, out: &mut Vec<Effect>) {
        let is_raised = |key: &AlarmKey| self.alarms.get(key).is_some_and(|alarm| !alarm.is_cleared);
        let is_known = self.unreachable_keys(device).iter().any(is_raised);
        let is_wanted = self.is_wanted(device);
        let Some(managed) = self.devices.get_mut(device).filter(|_| is_wanted) else { return };
        managed.state.session_id = None;
        self.operational.remove(device);
        if !is_known {
            managed.missed.get_or_insert(now);
        }
        self.set_connection(device, ConnectionState::Connecting, Some(error), now, out);
    }

    pub(super) fn refused(&mut self, device: &str, error: String, now: Timestamp, out: &mut Vec<Effect>) {
        let is_wanted = self.is_wanted(device);
        let Some(managed) = self.devices.get_mut(device).filter(|_| is_wanted) else { return };
        managed.state.session_id = None;
        managed.missed = None;
        self.operational.remove(device);
        self.configuration.failed(device, &error, now, out);
        self.unreachable(device, &error, now, out);
        self.set_connection(device, ConnectionState::Failed, Some(error), now, out);
    }

    /// Devices that are away for longer than may be.
    pub(super) fn miss_devices(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let is_missed =
            |managed: &&Managed| managed.missed.is_some_and(|since| now.duration_since(since) >= LOST_PATIENCE);
        let missed: Vec<(DeviceName, String)> = self
            .devices
            .values()
            .filter(is_missed)
            .map(|managed| {
                let error = managed.state.connection_error.clone();
                (managed.state.name.clone(), error.unwrap_or_else(|| "no session yet".to_owned()))
            })
            .collect();
        for (device, error) in missed {
            if let Some(managed) = self.devices.get_mut(&device) {
                managed.missed = None;
            }
            self.unreachable(&device, &error, now, out);
        }
    }

    fn unreachable(&mut self, device: &str, error: &str, now: Timestamp, out: &mut Vec<Effect>) {
        let resource = self.resource_of(device);
        let text = format!("{device} cannot be managed: {error}");
        self.raise_own(&resource, Some(&device.to_owned()), AGENT_UNREACHABLE, (Severity::Major, &text), now, out);
    }

    fn unreachable_is_over(&mut self, device: &str, text: &str, now: Timestamp, out: &mut Vec<Effect>) {
        for key in self.unreachable_keys(device) {
            self.clear_own(&key.resource, AGENT_UNREACHABLE.0, text, now, out);
        }
    }

    /// Where the alarm may be raised: it may have been before it was known which resource the device is.
    fn unreachable_keys(&self, device: &str) -> Vec<AlarmKey> {
        let planned = self.plans.get(device).and_then(|plan| plan.device_id.clone());
        let names = [Some(self.resource_of(device)), planned, Some(format!("urn:qkdn:device:{device}"))];
        let key = |resource| AlarmKey {
            resource,
            alarm_type_id: format!("qkdn-alarms:{}", AGENT_UNREACHABLE.0),
            ..AlarmKey::default()
        };
        names.into_iter().flatten().map(key).collect()
    }

    pub(super) fn event(&mut self, device: &str, event: DeviceEvent, now: Timestamp, out: &mut Vec<Effect>) {
        let Some(managed) = self.devices.get_mut(device) else { return };
        let state = &mut managed.state;
        // A clock may have been set back: then the numbers tell what is new.
        let is_older = state.last_event_time.is_some_and(|last| event.time < last);
        let is_counted =
            event.sequence_number.is_some_and(|number| state.last_sequence_number.is_some_and(|l| number > l));
        let is_replayed = is_older && !is_counted;
        state.last_heard = Some(now);
        state.last_event_time = state.last_event_time.max(Some(event.time));
        state.last_sequence_number = state.last_sequence_number.max(event.sequence_number);
        managed.dirty = true;
        match event.content {
            EventContent::Alarm(alarm) => self.reported(device, &alarm, now, out),
            EventContent::StateChange { resource_id, state, new } => {
                // One that is replayed is older than what was read since, whether the resource tells when that was or not.
                if is_replayed {
                    return;
                }
                let read = self.inventory.get(&resource_id).and_then(|resource| resource.last_change);
                if read.is_some_and(|read| read > event.time) {
                    return;
                }
                if let Some(record) = self.inventory.set_state(&resource_id, &state, &new, event.time) {
                    out.push(Effect::Store(record));
                    self.networks_dirty.get_or_insert(now);
                }
                self.device_state(device, &resource_id, &state, new);
            }
            EventContent::Other(name) if name == CONFIG_CHANGE => managed.stale = true,
            EventContent::ControlAction(progress) => {
                self.with_links(|failures, view| failures.progressed(device, &progress, view, now, out));
            }
            EventContent::Other(_) => {}
        }
    }

    fn device_state(&mut self, device: &str, resource_id: &str, state: &str, new: String) {
        let Some(managed) = self.devices.get_mut(device) else { return };
        let parts = self.reports.get_mut(device).into_iter().flat_map(|report| &mut report.resources);
        if let Some(part) = parts.into_iter().find(|part| part.resource_id == resource_id && state == "oper-state") {
            part.oper_state = Some(new.clone());
        }
        if managed.state.found_id.as_deref() != Some(resource_id) {
            return;
        }
        let report = self.reports.get_mut(device);
        let (slot, reported) = match state {
            "admin-state" => (&mut managed.state.admin_state, report.map(|report| &mut report.admin_state)),
            "service-state" => (&mut managed.state.service_state, report.map(|report| &mut report.service_state)),
            "oper-state" => (&mut managed.state.oper_state, report.map(|report| &mut report.oper_state)),
            _ => return,
        };
        *slot = Some(new.clone());
        if let Some(reported) = reported {
            *reported = Some(new);
        }
        managed.dirty = true;
    }

    /// Reads anew what has changed: many changes of a second at one time.
    pub(super) fn read_stale(&mut self, out: &mut Vec<Effect>) {
        for (device, managed) in &mut self.devices {
            if self.operational.contains(device) && std::mem::take(&mut managed.stale) {
                out.push(Effect::Synchronize { device: device.clone() });
            }
        }
    }

    pub(super) fn gap(&mut self, device: &str, lost: u64, now: Timestamp, out: &mut Vec<Effect>) {
        if !self.devices.contains_key(device) {
            return;
        }
        let resource = self.resource_of(device);
        let text = format!("{lost} notifications of {device} were missed; it is read anew");
        self.raise_own(&resource, Some(&device.to_owned()), NOTIFICATION_GAP, (Severity::Warning, &text), now, out);
        out.push(Effect::Synchronize { device: device.to_owned() });
    }

    /// Performance information, from a sweep or a synchronisation.
    pub(super) fn measured(
        &mut self,
        device: &str,
        mut information: Vec<Information>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        if information.is_empty() || !self.devices.contains_key(device) {
            return;
        }
        let is_receiver = matches!(
            self.reports.get(device).map(|report| &report.facts),
            Some(Facts::QkdModule(facts)) if facts.role() == Some("receiver")
        );
        let mut moved = false;
        for item in &mut information {
            item.device = Some(device.to_owned());
            let Some(value) = item.current.as_ref().and_then(|current| current.value) else { continue };
            let kind = item.kind.rsplit(':').next().unwrap_or_default();
            if kind == "residual-key-amount" && value >= 0.0 {
                self.latest.residual_bits.insert(item.target.clone(), value as u64);
                moved = true;
                continue;
            }
            if !is_receiver {
                continue;
            }
            let link = self.layout().links_of(&item.target).next().cloned();
            let Some(link) = link else { continue };
            let values = self.latest.links.entry(link).or_default();
            match kind {
                "qber" => values.qber = Some(value),
                "secret-key-rate" => values.secret_key_rate = Some(value),
                "channel-loss" => values.channel_loss = Some(value),
                _ => continue,
            }
            moved = true;
        }
        if moved {
            self.networks_dirty.get_or_insert(now);
        }
        out.push(Effect::Store(Record::Performance(information)));
    }

    pub(super) fn configuration_status(
        &mut self,
        device: &str,
        status: ConfigurationStatus,
        error: Option<String>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        let Some(managed) = self.devices.get_mut(device) else { return };
        let state = &mut managed.state;
        if state.configuration_status != status {
            state.configuration_last_change = Some(now);
        }
        state.configuration_status = status;
        state.configuration_error = error;
        out.push(Effect::Store(Record::Device(Box::new(state.clone()))));
    }

    fn set_connection(
        &mut self,
        device: &str,
        new: ConnectionState,
        error: Option<String>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        let Some(Managed { state, dirty, .. }) = self.devices.get_mut(device) else { return };
        let old = state.connection_state;
        let same_error = state.connection_error == error;
        state.connection_error.clone_from(&error);
        if old != new {
            state.connection_state = new;
            state.since = Some(now);
        }
        if old != new || !same_error || new == ConnectionState::Operational {
            *dirty = false;
            out.push(Effect::Store(Record::Device(Box::new(DeviceState::clone(state)))));
        }
        if old != new {
            out.push(Effect::Notify(Box::new(Notification::DeviceState {
                device: device.to_owned(),
                old,
                new,
                reason: error,
            })));
        }
    }
}
