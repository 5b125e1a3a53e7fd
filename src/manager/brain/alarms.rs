//! Alarms: taken from devices, raised by the manager itself, tied to runs and to their root.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Manager;
use crate::alarm::{AlarmList, Change, OWN, own_alarm};
use crate::consistency::Finding;
use crate::facts::ReportedAlarm;
use crate::function::qlm;
use crate::input::{Effect, Notification};
use crate::layout::Layout;
use crate::model::{DeviceName, ResourceId, Severity};
use crate::procedure::Network as View;
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
        let mut dealt = Vec::new();
        if is_told && holds {
            self.deal_with(key, now, &mut dealt);
        }
        let links = if is_told { self.links_of(&key.resource) } else { Vec::new() };
        let moved = self.find_roots(&links);
        if !holds {
            self.with_links(|failures, view| failures.cleared(view));
        }
        // A subscriber hears of the alarm before it hears of a step that names it.
        if let Some(alarm) = self.alarms.get(key) {
            out.push(Effect::Store(Record::Alarm(Box::new(alarm.clone()))));
            if is_told {
                out.push(Effect::Notify(Box::new(Notification::Alarm(alarm.clone()))));
            }
        }
        out.extend(dealt);
        self.store_alarms(moved.iter().filter(|other| *other != key), out);
    }

    fn store_alarms<'a>(&self, keys: impl Iterator<Item = &'a AlarmKey>, out: &mut Vec<Effect>) {
        let alarms = keys.filter_map(|key| self.alarms.get(key));
        out.extend(alarms.map(|alarm| Effect::Store(Record::Alarm(Box::new(alarm.clone())))));
    }

    /// Alarms that were told before it was known which link they are about, as those that are replayed before a device is read.
    pub(super) fn late_alerts(&mut self, device: &str, now: Timestamp, out: &mut Vec<Effect>) {
        let resource = self.resource_of(device);
        let links = self.links_of(&resource);
        let layout = self.layout();
        let resources: BTreeSet<ResourceId> =
            links.iter().flat_map(|link| layout.resources_of(link)).cloned().collect();
        let alarms = resources.iter().flat_map(|resource| self.alarms.of_resource(resource));
        let mut late: Vec<&Alarm> = alarms.filter(|alarm| !alarm.is_cleared && alarm.run_id.is_none()).collect();
        late.sort_by_key(|alarm| (alarm.last_raised, &alarm.key));
        let late: Vec<AlarmKey> = late.into_iter().map(|alarm| alarm.key.clone()).collect();
        let mut moved: BTreeSet<AlarmKey> = BTreeSet::new();
        for key in late {
            if self.deal_with(&key, now, out) {
                moved.insert(key);
            }
        }
        moved.extend(self.find_roots(&links));
        self.store_alarms(moved.iter(), out);
    }

    fn links_of(&mut self, resource: &str) -> Vec<ResourceId> {
        self.layout().links_of(resource).cloned().collect()
    }

    /// Gives an alarm to the run that deals with it; false where none does.
    fn deal_with(&mut self, key: &AlarmKey, now: Timestamp, out: &mut Vec<Effect>) -> bool {
        let Some(run) = self.alert(key, now, out) else { return false };
        if let Some(alarm) = self.alarms.get_mut(key) {
            alarm.run_id = Some(run);
        }
        true
    }

    fn alert(&mut self, key: &AlarmKey, now: Timestamp, out: &mut Vec<Effect>) -> Option<String> {
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
        run
    }

    /// Alarms about the same QKD link: the one nearest to the root is the root of those that are further from it. An alarm that rests on
    /// several links has the nearest root of all of them. Returns those whose root changed.
    fn find_roots(&mut self, links: &[ResourceId]) -> Vec<AlarmKey> {
        self.layout();
        let layout = self.layout.as_ref().expect("it was made above");
        let alarms = &self.alarms;
        let mut roots: BTreeMap<&ResourceId, Option<(u8, &Alarm)>> = BTreeMap::new();
        let mut moved = BTreeMap::new();
        for (own_rank, alarm) in links.iter().flat_map(|link| of_link(layout, alarms, link)) {
            let of_alarm = layout.links_of(&alarm.key.resource).filter_map(|link| {
                let nearest =
                    || of_link(layout, alarms, link).min_by_key(|(rank, alarm)| (*rank, alarm.last_raised, &alarm.key));
                *roots.entry(link).or_insert_with(nearest)
            });
            let root = of_alarm.min_by_key(|(rank, alarm)| (*rank, alarm.last_raised, &alarm.key));
            let root = root.filter(|(rank, _)| *rank < own_rank).map(|(_, root)| root.alarm_id.clone());
            if alarm.root_alarm_id != root {
                moved.insert(alarm.key.clone(), root);
            }
        }
        for (key, root) in &moved {
            if let Some(alarm) = self.alarms.get_mut(key) {
                alarm.root_alarm_id.clone_from(root);
            }
        }
        moved.into_keys().collect()
    }

    /// Those that followed from a purged alarm follow from another, or from none.
    pub(super) fn purged(&mut self, keys: Vec<AlarmKey>, out: &mut Vec<Effect>) {
        let links: BTreeSet<ResourceId> = keys.iter().flat_map(|key| self.links_of(&key.resource)).collect();
        let moved = self.find_roots(&links.into_iter().collect::<Vec<_>>());
        out.extend(keys.into_iter().map(|key| Effect::Store(Record::AlarmPurged(key))));
        self.store_alarms(moved.iter(), out);
        self.with_links(|failures, view| failures.cleared(view));
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

/// The raised alarms about a QKD link, with their ranks.
fn of_link<'a>(layout: &'a Layout, alarms: &'a AlarmList, link: &'a str) -> impl Iterator<Item = (u8, &'a Alarm)> {
    let of_link = layout.resources_of(link).flat_map(|resource| alarms.of_resource(resource));
    of_link.filter(|alarm| !alarm.is_cleared).filter_map(|alarm| Some((rank(alarm)?, alarm)))
}

fn rank(alarm: &Alarm) -> Option<u8> {
    qlm::rank(alarm.key.alarm_type_id.rsplit(':').next().unwrap_or_default())
}
