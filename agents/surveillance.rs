//! Alarm surveillance and performance monitoring of one device (ITU-T M.3400): from samples to alarms, threshold crossings and intervals.
//!
//! Level-triggered: each sample says all that holds, and an alarm is on while it does. So a fact that got lost, or a restart, leaves no
//! alarm that nobody clears.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::alarm::{AlarmKey, AlarmList, AlarmValue, Change, Direction, Judgement, Report, Severity, Watch};
use crate::driver::{Condition, Device, Rule, Rules, Sample};
use crate::performance::{Finished, Performance, SeriesKey};

#[derive(Debug)]
pub struct Surveillance {
    device: Device,
    rules: Rules,
    pub alarms: AlarmList,
    pub performance: Performance,
    watches: BTreeMap<SeriesKey, Watched>,
    conditions: Vec<Condition>,
}

#[derive(Debug)]
struct Watched {
    rule: Rule,
    watch: Watch,
    /// Samples in a row without the quantity.
    missing: u32,
    /// The latest value, for the alarm.
    value: f64,
}

/// What came of a sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    pub changes: Vec<Change>,
    pub crossings: Vec<Crossing>,
    pub finished: Vec<Finished>,
}

/// A threshold was crossed or left (`threshold-crossing` of qkdn-performance).
#[derive(Clone, Debug, PartialEq)]
pub struct Crossing {
    pub time: Timestamp,
    pub key: SeriesKey,
    pub unit: &'static str,
    /// The level, and its value.
    pub level: Judgement,
    /// It is crossed now; else it is left.
    pub raised: bool,
    pub value: f64,
}

impl Surveillance {
    /// Of a device whose alarms and performance were as given when last seen.
    pub fn new(device: &Device, rules: Rules, alarms: AlarmList, mut performance: Performance) -> Self {
        performance.set_sampling(sampling(&rules));
        let (watches, conditions) = (BTreeMap::new(), Vec::new());
        let mut surveillance = Surveillance { device: device.clone(), rules, alarms, performance, watches, conditions };
        surveillance.watch_all();
        surveillance
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The level that a quantity has crossed and not left.
    pub fn level(&self, key: &SeriesKey) -> Option<Judgement> {
        self.watches.get(key).and_then(|watched| watched.watch.judgement())
    }

    /// From now on by these rules. A watch whose rule is new goes on from where its alarm stands; an alarm whose rule is gone clears.
    pub fn set_rules(&mut self, rules: Rules, now: Timestamp) -> Findings {
        self.performance.set_sampling(sampling(&rules));
        let kept = |_: &SeriesKey, watched: &mut Watched| rules.thresholds.contains(&watched.rule);
        self.watches.retain(kept);
        self.rules = rules;
        self.watch_all();
        Findings { changes: self.alarm(now), ..Findings::default() }
    }

    /// What the device measures and what holds, all of it.
    pub fn sample(&mut self, sample: &Sample, now: Timestamp) -> Findings {
        let mut findings = Findings { finished: self.performance.advance(now), ..Findings::default() };
        for watched in self.watches.values_mut() {
            watched.missing += 1;
        }
        for reading in &sample.readings {
            let Some(quantity) = self.device.quantity(reading.quantity) else {
                tracing::error!(quantity = reading.quantity, "a driver reads a quantity that its device does not have");
                continue;
            };
            findings.finished.extend(self.performance.record(&reading.target, quantity, reading.value, now));
            let key = SeriesKey { target: reading.target.clone(), quantity: reading.quantity.to_owned() };
            self.watch(&key);
            let Some(watched) = self.watches.get_mut(&key) else { continue };
            let before = watched.watch.judgement();
            let after = watched.watch.sample(reading.value);
            (watched.missing, watched.value) = (0, reading.value);
            let crossing = |level: Judgement, raised| Crossing {
                time: now,
                key: key.clone(),
                unit: quantity.unit,
                level,
                raised,
                value: reading.value,
            };
            match (before, after) {
                (before, Some(level)) if before.is_none_or(|before| before.severity < level.severity) => {
                    findings.crossings.push(crossing(level, true));
                }
                (Some(level), after) if after.is_none_or(|after| after.severity < level.severity) => {
                    findings.crossings.push(crossing(level, false));
                }
                _ => {}
            }
        }
        for watched in self.watches.values_mut().filter(|watched| watched.missing > 0) {
            watched.watch.gap();
            // What is not measured any more, because nothing arrives or nobody wants it, cannot be held to be out of bounds.
            if watched.missing >= watched.rule.threshold.clear_after {
                watched.watch = Watch::new(watched.rule.threshold.clone());
            }
        }
        self.conditions.clone_from(&sample.conditions);
        findings.changes = self.alarm(now);
        findings
    }

    /// What holds, between two samples.
    pub fn conditions(&mut self, conditions: &[Condition], now: Timestamp) -> Findings {
        self.conditions = conditions.to_vec();
        Findings { changes: self.alarm(now), ..Findings::default() }
    }

    /// The device does not answer. What was known of it stands.
    pub fn failure(&mut self, reason: &str, now: Timestamp) -> Findings {
        self.watches.values_mut().for_each(|watched| watched.watch.gap());
        let finished = self.performance.advance(now);
        let key = AlarmKey::new(&self.device.resource_id, self.device.failure);
        tracing::warn!(resource = self.device.resource_id, reason, "the device does not answer");
        let severity = self.severity(self.device.failure);
        let report = Report { severity, text: "The device does not answer its agent".to_owned(), value: None };
        Findings {
            changes: self.alarms.raise(&key, report, now).into_iter().collect(),
            finished,
            ..Findings::default()
        }
    }

    /// Raises what is wanted and clears what is not.
    fn alarm(&mut self, now: Timestamp) -> Vec<Change> {
        let wanted = self.wanted();
        let over: Vec<AlarmKey> = self
            .alarms
            .iter()
            .filter(|alarm| !alarm.is_cleared() && !wanted.contains_key(&alarm.key))
            .map(|alarm| alarm.key.clone())
            .collect();
        let cleared: Vec<Change> = over
            .iter()
            .filter_map(|key| {
                let (text, value) = self.over(key);
                self.alarms.clear(key, &text, value, now)
            })
            .collect();
        let raised = wanted.into_iter().filter_map(|(key, report)| self.alarms.raise(&key, report, now));
        raised.chain(cleared).collect()
    }

    /// All alarms that ought to be on. Where a condition and a threshold come to the same alarm, the worse speaks.
    fn wanted(&self) -> BTreeMap<AlarmKey, Report> {
        let mut wanted: BTreeMap<AlarmKey, Report> = BTreeMap::new();
        let mut want = |key: AlarmKey, report: Report| match wanted.get(&key) {
            Some(other) if other.severity >= report.severity => {}
            _ => {
                wanted.insert(key, report);
            }
        };
        for condition in &self.conditions {
            let severity = self.severity(condition.alarm_type);
            let report = Report { severity, text: condition.text.clone(), value: None };
            want(AlarmKey::new(&condition.resource, condition.alarm_type), report);
        }
        for (key, watched) in &self.watches {
            let (Some(alarm_type), Some(level)) = (watched.rule.alarm_type, watched.watch.judgement()) else {
                continue;
            };
            let Some(quantity) = self.device.quantity(&key.quantity) else { continue };
            let side = match watched.rule.threshold.direction {
                Direction::Rising => "above",
                Direction::Falling => "below",
            };
            let severity = level.severity;
            let name = format!("{severity:?}").to_lowercase();
            let text =
                format!("{}: {side} the {name} threshold of {} {}", quantity.description, level.level, quantity.unit);
            let value = self.value(key, watched, Some(level.level));
            want(alarm_key(key, alarm_type, watched.rule.qualifier), Report { severity, text, value });
        }
        wanted
    }

    /// What to say of an alarm that is over.
    fn over(&self, key: &AlarmKey) -> (String, Option<AlarmValue>) {
        let watched = self.watches.iter().find(|(series, watched)| {
            let rule = &watched.rule;
            rule.alarm_type.is_some_and(|alarm_type| alarm_key(series, alarm_type, rule.qualifier) == *key)
        });
        match watched {
            Some((series, watched)) if watched.missing == 0 => {
                ("Within its thresholds".to_owned(), self.value(series, watched, None))
            }
            Some(_) => ("Not measured any more".to_owned(), None),
            None => ("Over".to_owned(), None),
        }
    }

    fn value(&self, key: &SeriesKey, watched: &Watched, threshold: Option<f64>) -> Option<AlarmValue> {
        let unit = self.device.quantity(&key.quantity)?.unit.to_owned();
        let value = watched.value;
        value.is_finite().then(|| AlarmValue { quantity: key.quantity.clone(), value, threshold, unit })
    }

    /// The severity of a condition, from the catalogue.
    fn severity(&self, alarm_type: &str) -> Severity {
        let severities = self.device.alarm_type(alarm_type).map(|alarm_type| alarm_type.severities);
        severities.and_then(|severities| severities.first().copied()).unwrap_or(Severity::Indeterminate)
    }

    /// Watches all that was ever measured: an alarm stands until a sample, or the lack of several, speaks against it.
    fn watch_all(&mut self) {
        let known: Vec<SeriesKey> = self.performance.iter().map(|(key, _)| key.clone()).collect();
        known.iter().for_each(|key| self.watch(key));
    }

    /// Watches a series that a rule is about and that is not watched yet.
    fn watch(&mut self, key: &SeriesKey) {
        if self.watches.contains_key(key) {
            return;
        }
        let Some(rule) = self.rules.thresholds.iter().find(|rule| rule.quantity == key.quantity).cloned() else {
            return;
        };
        let alarm_key = rule.alarm_type.map(|alarm_type| alarm_key(key, alarm_type, rule.qualifier));
        let alarm = alarm_key.and_then(|key| self.alarms.get(&key));
        let severity = alarm.filter(|alarm| !alarm.is_cleared()).map(|alarm| alarm.status().severity);
        let last = self.performance.get(key).and_then(|series| series.current()).and_then(|current| current.value);
        let watch = Watch::resume(rule.threshold.clone(), severity);
        self.watches.insert(key.clone(), Watched { rule, watch, missing: 0, value: last.unwrap_or(f64::NAN) });
    }
}

fn alarm_key(series: &SeriesKey, alarm_type: &str, qualifier: &str) -> AlarmKey {
    AlarmKey { qualifier: qualifier.to_owned(), ..AlarmKey::new(&series.target, alarm_type) }
}

fn sampling(rules: &Rules) -> SignedDuration {
    SignedDuration::try_from(rules.sampling).unwrap_or(SignedDuration::MAX)
}
