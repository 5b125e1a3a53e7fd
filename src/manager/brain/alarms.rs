//! Alarms: taken from devices, raised by the manager itself, tied to runs and to their root.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Manager;
use crate::alarm::{Change, OWN, own_alarm};
use crate::consistency::Finding;
use crate::facts::ReportedAlarm;
use crate::function::qlm;
use crate::input::{Effect, Notification};
use crate::model::{DeviceName, ResourceId, Severity};
use crate::procedure::link_failure::Network as View;
use crate::record::{Alarm, AlarmKey, Inconsistency, Record};

/// Own alarm types of qkdn-alarms, and their classes.
pub(super) const AGENT_UNREACHABLE: (&str, &str) = ("agent-unreachable", "communications");
pub(super) const NOTIFICATION_GAP: (&str, &str) = ("notification-gap", "communications");
const CONFIG_INCONSISTENT: (&str, &str) = ("config-inconsistent", "processing-error");

impl Manager {
    /// What a device says of an alarm in a notification.
    pub(super) fn reported(&mut self, device: &str, reported: &ReportedAlarm, now: Timestamp, out: &mut Vec<Effect>) {
        let changes = self.alarms.report(device, reported);
        self.changed(&reported.key, &changes, now, out);
    }

    /// The alarm list of a device, whole: what it does not report any more is cleared. `last_event` is of the last notification taken before.
    pub(super) fn read_alarms(
        &mut self,
        device: &str,
        reported: &[ReportedAlarm],
        last_event: Option<Timestamp>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        for alarm in reported {
            // It is over, its notification was taken, and the list does not have it: an operator purged it.
            let is_purged = alarm.severity.is_none() && last_event.is_some_and(|last| alarm.time <= last);
            if is_purged && self.alarms.get(&alarm.key).is_none() {
                continue;
            }
            let changes = self.alarms.read(device, alarm);
            self.changed(&alarm.key, &changes, now, out);
        }
        for key in self.alarms.raised_by(device) {
            if !reported.iter().any(|alarm| alarm.key == key) {
                let change = self.alarms.clear(device, &key, "the device does not report it any more", now);
                self.changed(&key, change.as_slice(), now, out);
            }
        }
    }

    /// Clears all that a device reports, which is not managed any more.
    pub(super) fn forget_alarms(&mut self, device: &str, now: Timestamp, out: &mut Vec<Effect>) {
        for key in self.alarms.raised_by(device) {
            let change = self.alarms.clear(device, &key, "the device is not managed any more", now);
            self.changed(&key, change.as_slice(), now, out);
        }
    }

    pub(super) fn raise_own(
        &mut self,
        resource: &str,
        device: Option<&DeviceName>,
        (identity, class): (&str, &str),
        (severity, text): (Severity, &str),
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> AlarmKey {
        let mut reported = own_alarm(resource, identity, Some(severity), text, class, now);
        if let Some(device) = device {
            reported.reference_point = self.kind(device).reference_point().map(str::to_owned);
        }
        let changes = self.alarms.read(OWN, &reported);
        if let Some(alarm) = self.alarms.get_mut(&reported.key) {
            alarm.device = device.cloned();
        }
        self.changed(&reported.key, &changes, now, out);
        reported.key
    }

    pub(super) fn clear_own(
        &mut self,
        resource: &str,
        identity: &str,
        text: &str,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        let key = AlarmKey {
            resource: resource.to_owned(),
            alarm_type_id: format!("qkdn-alarms:{identity}"),
            alarm_type_qualifier: String::new(),
        };
        let change = self.alarms.clear(OWN, &key, text, now);
        self.changed(&key, change.as_slice(), now, out);
    }

    /// What follows from a change of an alarm: a run, its place under a root, the record, the notification.
    fn changed(&mut self, key: &AlarmKey, changes: &[Change], now: Timestamp, out: &mut Vec<Effect>) {
        if changes.is_empty() {
            return;
        }
        let dropped = self.alarms.take_dropped();
        out.extend(dropped.into_iter().map(|key| Effect::Store(Record::AlarmPurged(key))));
        let is_told = changes.iter().any(|change| *change != Change::Silent);
        let holds = self.alarms.get(key).is_some_and(|alarm| !alarm.is_cleared);
        if is_told && holds {
            self.alert(key, now, out);
        }
        let moved = if is_told { self.find_roots(key) } else { Vec::new() };
        if !holds {
            self.link_failures.cleared(&self.alarms);
        }
        let Some(alarm) = self.alarms.get(key) else { return };
        out.push(Effect::Store(Record::Alarm(Box::new(alarm.clone()))));
        if is_told {
            out.push(Effect::Notify(Box::new(Notification::Alarm(alarm.clone()))));
        }
        let others = moved.iter().filter(|other| *other != key).filter_map(|other| self.alarms.get(other));
        out.extend(others.map(|alarm| Effect::Store(Record::Alarm(Box::new(alarm.clone())))));
    }

    /// Gives a link failure to the run that deals with it, if one does.
    fn alert(&mut self, key: &AlarmKey, now: Timestamp, out: &mut Vec<Effect>) {
        self.layout();
        let mut last_run = self.last_run;
        let mut next_run = || {
            last_run += 1;
            format!("run-{last_run}")
        };
        let view = View {
            layout: self.layout.as_ref().expect("it was made above"),
            reports: &self.reports,
            alarms: &self.alarms,
            operational: &self.operational,
        };
        let run = self.link_failures.alert(key, view, &mut next_run, now, out);
        self.last_run = last_run;
        if let Some(alarm) = self.alarms.get_mut(key)
            && run.is_some()
        {
            alarm.run_id = run;
        }
    }

    /// Alerts that came before it was known which link they are about, such as of a switch that was read before the modules.
    pub(super) fn alert_belatedly(&mut self, device: &str, now: Timestamp, out: &mut Vec<Effect>) {
        let layout = self.layout();
        let links: Vec<&ResourceId> =
            layout.links.iter().filter(|(_, link)| link.concerns(device)).map(|(id, _)| id).collect();
        let resources: BTreeSet<ResourceId> = links.iter().flat_map(|id| layout.resources_of(id)).cloned().collect();
        let is_due = |alarm: &&Alarm| !alarm.is_cleared && alarm.run_id.is_none() && rank(alarm).is_some();
        let due = resources.iter().flat_map(|id| self.alarms.of_resource(id)).filter(is_due);
        for key in due.map(|alarm| alarm.key.clone()).collect::<Vec<_>>() {
            self.alert(&key, now, out);
            if let Some(alarm) = self.alarms.get(&key).filter(|alarm| alarm.run_id.is_some()) {
                out.push(Effect::Store(Record::Alarm(Box::new(alarm.clone()))));
            }
        }
    }

    /// Alarms about the same QKD link: the one nearest to the root is the root of the others. Returns those whose root changed.
    pub(super) fn find_roots(&mut self, key: &AlarmKey) -> Vec<AlarmKey> {
        self.layout();
        let layout = self.layout.as_ref().expect("it was made above");
        // Of all QKD links that a resource serves or rests on: one that rests on several has its root in any of them.
        let related = |resource: &str| -> Vec<&Alarm> {
            let resources: BTreeSet<&ResourceId> =
                layout.links_of(resource).flat_map(|link| layout.resources_of(link)).collect();
            let alarms = resources.into_iter().flat_map(|id| self.alarms.of_resource(id));
            alarms.filter(|alarm| !alarm.is_cleared && rank(alarm).is_some()).collect()
        };
        let mut roots = Vec::new();
        for alarm in related(&key.resource) {
            let nearer = related(&alarm.key.resource).into_iter().filter(|other| rank(other) < rank(alarm));
            let root = nearer.min_by_key(|other| (rank(other), other.last_raised, &other.key));
            let root = root.map(|root| root.alarm_id.clone());
            if alarm.root_alarm_id != root {
                roots.push((alarm.key.clone(), root));
            }
        }
        for (key, root) in &roots {
            if let Some(alarm) = self.alarms.get_mut(key) {
                alarm.root_alarm_id.clone_from(root);
            }
        }
        roots.into_iter().map(|(key, _)| key).collect()
    }

    /// Those that followed from a purged alarm follow from another, or from none.
    pub(super) fn purged(&mut self, keys: Vec<AlarmKey>, out: &mut Vec<Effect>) {
        let mut moved = BTreeSet::new();
        for key in keys {
            moved.extend(self.find_roots(&key));
            out.push(Effect::Store(Record::AlarmPurged(key)));
        }
        let moved = moved.iter().filter_map(|key| self.alarms.get(key));
        out.extend(moved.map(|alarm| Effect::Store(Record::Alarm(Box::new(alarm.clone())))));
        self.link_failures.cleared(&self.alarms);
    }

    /// The configuration errors that hold now: new ones are numbered and raise an alarm, those that are gone clear theirs.
    pub(super) fn found(&mut self, findings: Vec<Finding>, now: Timestamp, out: &mut Vec<Effect>) {
        let before = std::mem::take(&mut self.inconsistencies);
        for finding in findings {
            let Finding { kind, resources, devices, text } = finding;
            let known =
                before.iter().find(|known| known.kind == kind && known.resource_id == resources && known.text == text);
            if let Some(known) = known {
                self.inconsistencies.push(known.clone());
                continue;
            }
            self.last_inconsistency += 1;
            self.inconsistencies.push(Inconsistency {
                number: self.last_inconsistency,
                kind: kind.to_owned(),
                resource_id: resources,
                device: devices,
                text,
                found: now,
                alarm_id: None,
            });
        }
        // What was found before a restart still holds as long as a device that it is about was not read since.
        let is_unread = |device: &DeviceName| self.plans.contains_key(device) && !self.reports.contains_key(device);
        for known in before.iter().filter(|known| known.device.iter().any(is_unread)) {
            if !self.inconsistencies.iter().any(|found| found.number == known.number) {
                self.inconsistencies.push(known.clone());
            }
        }
        // One alarm for each resource that something is wrong with: RFC 8632 knows one of a type there.
        let mut wrong: BTreeMap<ResourceId, Vec<String>> = BTreeMap::new();
        for found in &self.inconsistencies {
            if let Some(resource) = found.resource_id.first() {
                wrong.entry(resource.clone()).or_default().push(found.text.clone());
            }
        }
        let inconsistent = format!("qkdn-alarms:{}", CONFIG_INCONSISTENT.0);
        let mut raised = self.alarms.raised_by(OWN);
        raised.retain(|key| key.alarm_type_id == inconsistent && !wrong.contains_key(&key.resource));
        for key in raised {
            self.clear_own(&key.resource, CONFIG_INCONSISTENT.0, "the configuration is consistent again", now, out);
        }
        for (resource, texts) in wrong {
            let device = self.inconsistencies.iter().find(|found| found.resource_id.first() == Some(&resource));
            let device = device.and_then(|found| found.device.first()).cloned();
            let text = texts.join("; ");
            let key =
                AlarmKey { resource: resource.clone(), alarm_type_id: inconsistent.clone(), ..AlarmKey::default() };
            if self.alarms.get(&key).is_none_or(|alarm| alarm.is_cleared || alarm.alarm_text != text) {
                self.raise_own(&resource, device.as_ref(), CONFIG_INCONSISTENT, (Severity::Minor, &text), now, out);
            }
            let alarm_id = self.alarms.get(&key).map(|alarm| alarm.alarm_id.clone());
            for found in self.inconsistencies.iter_mut().filter(|found| found.resource_id.first() == Some(&resource)) {
                found.alarm_id.clone_from(&alarm_id);
            }
        }
        if self.inconsistencies != before {
            out.push(Effect::Store(Record::Inconsistencies(self.inconsistencies.clone())));
        }
    }
}

fn rank(alarm: &Alarm) -> Option<u8> {
    qlm::rank(alarm.key.alarm_type_id.rsplit(':').next().unwrap_or_default())
}
