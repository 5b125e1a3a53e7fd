//! The alarm list of the network (RFC 8632): what devices report, merged over all that report the same alarm, and the operator's states.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::facts::ReportedAlarm;
use crate::input::PurgeFilter;
use crate::model::Severity;
use crate::record::{Alarm, AlarmKey, MAX_STATUS_CHANGES, OperatorStateChange, StatusChange};

/// Alarms in the list: the 250,000 outstanding ones of the largest network management systems, at about a kilobyte each. When it is full,
/// those that were cleared longest ago make room; while none is cleared, new alarms are refused and counted.
pub const MAX_ALARMS: usize = 250_000;

/// The manager, as a reporter of alarms of its own.
pub const OWN: &str = "";

/// All alarms, by what makes them the same alarm.
#[derive(Debug, Default)]
pub struct AlarmList {
    alarms: BTreeMap<AlarmKey, Alarm>,
    last_id: u64,
    /// Alarms that found no room.
    refused: u64,
    /// Alarms that made room since [`Self::take_dropped`].
    dropped: Vec<AlarmKey>,
}

/// What a report did to the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is an alarm now and was none, or was cleared.
    Raised,
    /// Another severity or text.
    Altered,
    Cleared,
    /// Something that nobody is to be told of: who reports it.
    Silent,
}

impl AlarmList {
    pub fn recover(alarms: Vec<Alarm>, last_id: u64) -> AlarmList {
        let alarms = alarms.into_iter().map(|alarm| (alarm.key.clone(), alarm)).collect();
        AlarmList { alarms, last_id, ..AlarmList::default() }
    }

    pub fn get(&self, key: &AlarmKey) -> Option<&Alarm> {
        self.alarms.get(key)
    }

    pub fn get_mut(&mut self, key: &AlarmKey) -> Option<&mut Alarm> {
        self.alarms.get_mut(key)
    }

    pub fn by_id(&self, id: &str) -> Option<&Alarm> {
        self.alarms.values().find(|alarm| alarm.alarm_id == id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Alarm> {
        self.alarms.values()
    }

    /// Alarms of one resource.
    pub fn of_resource<'a>(&'a self, resource: &'a str) -> impl Iterator<Item = &'a Alarm> {
        let first = AlarmKey { resource: resource.to_owned(), ..AlarmKey::default() };
        self.alarms.range(first..).map(|(_, alarm)| alarm).take_while(move |alarm| alarm.key.resource == resource)
    }

    /// Alarms that are not in the list any more, because others needed the room.
    pub fn take_dropped(&mut self) -> Vec<AlarmKey> {
        std::mem::take(&mut self.dropped)
    }

    /// Takes a notification of `device`. What is not newer than the last that it said, live or replayed, changes nothing: RFC 8632 has one
    /// status change of an alarm at a time.
    pub fn report(&mut self, device: &str, reported: &ReportedAlarm) -> Vec<Change> {
        let since =
            self.alarms.get(&reported.key).and_then(|alarm| alarm.reporters.get(device)).map(|(_, since)| *since);
        let mut history: Vec<_> =
            reported.history.iter().filter(|(time, ..)| since.is_none_or(|s| *time > s)).collect();
        history.sort_by_key(|(time, ..)| *time);
        let news = history.into_iter();
        news.filter_map(|(time, severity, text)| self.status(device, reported, *time, *severity, text)).collect()
    }

    /// Takes an entry of the alarm list of `device`: what happened since the last that it said, in order, and then what holds now, whatever
    /// was said before: a device may have lost its past, or had its clock set back.
    pub fn read(&mut self, device: &str, reported: &ReportedAlarm) -> Vec<Change> {
        let mut changes = self.report(device, reported);
        let known = self.alarms.get(&reported.key).and_then(|alarm| alarm.reporters.get(device));
        if known.is_some_and(|(severity, _)| *severity != reported.severity) {
            changes.extend(self.status(device, reported, reported.time, reported.severity, &reported.text));
        }
        changes
    }

    /// One status of one reporter.
    fn status(
        &mut self,
        device: &str,
        reported: &ReportedAlarm,
        time: Timestamp,
        severity: Option<Severity>,
        text: &str,
    ) -> Option<Change> {
        if !self.alarms.contains_key(&reported.key) {
            if !self.make_room() {
                self.refused += 1;
                return None;
            }
            self.last_id += 1;
            let alarm = new_alarm(format!("alarm-{}", self.last_id), device, reported, time);
            self.alarms.insert(reported.key.clone(), alarm);
        }
        let alarm = self.alarms.get_mut(&reported.key).expect("it was put there where it was not");
        let before = merged(alarm);
        alarm.reporters.insert(device.to_owned(), (severity, time));
        let after = merged(alarm);
        let first = alarm.status_change.is_empty();
        if before == after && !first && (severity.is_none() || alarm.alarm_text == text) {
            return Some(Change::Silent);
        }
        // Another reporter's words for the same state are no change of it. The manager reports its own alarms alone.
        if before == after && !first && device != OWN && alarm.device.as_deref() != Some(device) {
            return Some(Change::Silent);
        }
        let change = match (before.filter(|_| !first), after) {
            (None, Some(_)) => {
                if !first {
                    alarm.toggles = alarm.toggles.saturating_add(1);
                }
                alarm.last_raised = time;
                alarm.run_id = None;
                alarm.root_alarm_id = None;
                Change::Raised
            }
            (_, None) => Change::Cleared,
            (Some(_), Some(_)) => Change::Altered,
        };
        alarm.is_cleared = after.is_none();
        alarm.perceived_severity = after.unwrap_or(alarm.perceived_severity);
        // One reporter of several has no more to say: its farewell does not tell what the others have.
        if severity.is_some() || after.is_none() {
            text.clone_into(&mut alarm.alarm_text);
        }
        if after.is_some() && reported.value.is_some() {
            alarm.value.clone_from(&reported.value);
        }
        alarm.record_status(time, after);
        Some(change)
    }

    /// Alarms that `device` reports as raised, or reported so last.
    pub fn raised_by(&self, device: &str) -> Vec<AlarmKey> {
        let raised = |alarm: &&Alarm| alarm.reporters.get(device).is_some_and(|(severity, _)| severity.is_some());
        self.alarms.values().filter(raised).map(|alarm| alarm.key.clone()).collect()
    }

    /// Clears what a reporter does not report any more. None where it is no news.
    pub fn clear(&mut self, device: &str, key: &AlarmKey, text: &str, now: Timestamp) -> Option<Change> {
        let alarm = self.alarms.get(key)?;
        let (severity, since) = *alarm.reporters.get(device)?;
        severity?;
        let reported = ReportedAlarm {
            key: key.clone(),
            alarm_id: None,
            time: now,
            raised: alarm.last_raised,
            severity: None,
            perceived_severity: alarm.perceived_severity,
            text: text.to_owned(),
            class: None,
            value: None,
            layer: None,
            reference_point: None,
            history: Vec::new(),
        };
        let change = self.status(device, &reported, now, None, text);
        // The device did not say so: what it says next is measured by its own clock, not by ours.
        if device != OWN
            && let Some(reporter) = self.alarms.get_mut(key).and_then(|alarm| alarm.reporters.get_mut(device))
        {
            reporter.1 = since;
        }
        change
    }

    /// Appends an operator's state; None where there is no such alarm.
    pub fn set_operator_state(&mut self, key: &AlarmKey, change: OperatorStateChange) -> Option<&Alarm> {
        let alarm = self.alarms.get_mut(key)?;
        alarm.operator_state_change.insert(0, change);
        alarm.operator_state_change.truncate(MAX_STATUS_CHANGES);
        Some(alarm)
    }

    /// Removes what the filter says, and returns it (RFC 8632 section 3.5.1 `purge-alarms`).
    pub fn purge(&mut self, filter: &PurgeFilter, now: Timestamp) -> Vec<AlarmKey> {
        let purged: Vec<AlarmKey> =
            self.alarms.values().filter(|alarm| matches(alarm, filter, now)).map(|alarm| alarm.key.clone()).collect();
        for key in &purged {
            self.alarms.remove(key);
        }
        purged
    }

    /// Keeps the newest status change only, of alarms that the choice takes; returns those that had more.
    pub fn compress(&mut self, chosen: impl Fn(&AlarmKey) -> bool) -> Vec<Alarm> {
        let mut compressed = Vec::new();
        for alarm in self.alarms.values_mut().filter(|alarm| chosen(&alarm.key) && alarm.status_change.len() > 1) {
            alarm.status_change.truncate(1);
            compressed.push(alarm.clone());
        }
        compressed
    }

    fn make_room(&mut self) -> bool {
        if self.alarms.len() < MAX_ALARMS {
            return true;
        }
        let cleared = self.alarms.values().filter(|alarm| alarm.is_cleared);
        let oldest = cleared.min_by_key(|alarm| alarm.last_changed).map(|alarm| alarm.key.clone());
        let Some(oldest) = oldest else { return false };
        self.alarms.remove(&oldest);
        self.dropped.push(oldest);
        true
    }
}

impl Alarm {
    /// Adds the status that the alarm has since `time`. Clocks of reporters differ, and the list is in the order of time with one change at a
    /// time: one that comes late takes the place of the newest.
    fn record_status(&mut self, time: Timestamp, perceived_severity: Option<Severity>) {
        let newest = self.status_change.first().map(|change| change.time);
        let late = newest.filter(|newest| *newest >= time);
        if late.is_some() {
            self.status_change.remove(0);
        }
        let change =
            StatusChange { time: late.unwrap_or(time), perceived_severity, alarm_text: self.alarm_text.clone() };
        let same = self.status_change.first().is_some_and(|before| {
            before.perceived_severity == change.perceived_severity && before.alarm_text == change.alarm_text
        });
        self.last_changed = change.time;
        if !same {
            self.status_change.insert(0, change);
            self.status_change.truncate(MAX_STATUS_CHANGES);
        }
    }
}

/// The alarm of the manager's own at this moment.
pub fn own_alarm(
    resource: &str,
    identity: &str,
    severity: Option<Severity>,
    text: &str,
    class: &str,
    now: Timestamp,
) -> ReportedAlarm {
    ReportedAlarm {
        key: AlarmKey {
            resource: resource.to_owned(),
            alarm_type_id: format!("qkdn-alarms:{identity}"),
            alarm_type_qualifier: String::new(),
        },
        alarm_id: None,
        time: now,
        raised: now,
        severity,
        perceived_severity: severity.unwrap_or(Severity::Major),
        text: text.to_owned(),
        class: Some(class.to_owned()),
        value: None,
        layer: Some("management".to_owned()),
        reference_point: None,
        history: vec![(now, severity, text.to_owned())],
    }
}

fn own(device: &str) -> Option<&str> {
    Some(device).filter(|device| *device != OWN)
}

fn new_alarm(alarm_id: String, device: &str, reported: &ReportedAlarm, time: Timestamp) -> Alarm {
    Alarm {
        key: reported.key.clone(),
        alarm_id,
        time_created: time,
        is_cleared: true,
        last_raised: time,
        last_changed: time,
        perceived_severity: reported.perceived_severity,
        alarm_text: String::new(),
        status_change: Vec::new(),
        operator_state_change: Vec::new(),
        alarm_class: reported.class.clone(),
        value: reported.value.clone(),
        layer: reported.layer.clone(),
        reference_point: reported.reference_point.clone(),
        device: own(device).map(str::to_owned),
        reporters: BTreeMap::new(),
        root_alarm_id: None,
        toggles: 0,
        run_id: None,
    }
}

/// The worst that any reporter says; None where all have cleared it.
fn merged(alarm: &Alarm) -> Option<Severity> {
    alarm.reporters.values().filter_map(|(severity, _)| *severity).max()
}

fn matches(alarm: &Alarm, filter: &PurgeFilter, now: Timestamp) -> bool {
    let clearance = match filter.clearance.as_str() {
        "cleared" => alarm.is_cleared,
        "not-cleared" => !alarm.is_cleared,
        _ => true,
    };
    let age = now.duration_since(alarm.last_changed).as_secs();
    let old = filter.older_than_seconds.is_none_or(|limit| u64::try_from(age).is_ok_and(|age| age > limit));
    let severity = filter.severity.as_ref().is_none_or(|(relation, severity)| match relation.as_str() {
        "below" => alarm.perceived_severity < *severity,
        "above" => alarm.perceived_severity > *severity,
        _ => alarm.perceived_severity == *severity,
    });
    let operator = filter.operator_state.as_ref().is_none_or(|(state, user)| {
        let newest = alarm.operator_state_change.first();
        newest.is_some_and(|change| change.state == *state && user.as_ref().is_none_or(|user| change.operator == *user))
            || (newest.is_none() && state == "none")
    });
    clearance && old && severity && operator
}
