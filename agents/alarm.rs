//! The alarm list of one agent (RFC 8632 section 4): a state machine of raise, update, clear and operator action; time is an argument.

mod filter;
#[cfg(test)]
mod tests;
mod threshold;

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use filter::{Age, Clearance, OperatorFilter, PurgeFilter, SeverityFilter};
pub use threshold::{Direction, Judgement, Threshold, Watch};

/// Alarms kept at once. An agent's alarms are its resources times its alarm types, some dozens; the bound holds when qualifiers run wild.
/// Full: the oldest cleared alarm makes room; where none is cleared, the new one is refused and counted.
pub const MAX_ALARMS: usize = 4096;

/// Operator actions kept per alarm; the oldest is dropped. People act rarely: 64 is years of a life.
pub const MAX_OPERATOR_STATE_CHANGES: usize = 64;

/// Default of `max-alarm-status-changes` (RFC 8632).
pub const DEFAULT_STATUS_CHANGES: u16 = 32;

/// Step by which a change is put after the one before it where the clock did not move on: both are list keys, so no two may be equal.
const CLOCK_STEP: SignedDuration = SignedDuration::from_millis(1);

/// What is the matter with what: the key of an alarm. A repeat under the same key updates the alarm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlarmKey {
    pub resource: String,
    /// An alarm type identity, `module:name`.
    pub alarm_type: String,
    /// Empty unless one type needs several alarms on one resource.
    pub qualifier: String,
}

impl AlarmKey {
    pub fn new(resource: impl Into<String>, alarm_type: impl Into<String>) -> Self {
        AlarmKey { resource: resource.into(), alarm_type: alarm_type.into(), qualifier: String::new() }
    }
}

/// Perceived severity; being cleared is no severity but a state of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    Indeterminate,
    Warning,
    Minor,
    Major,
    Critical,
}

impl Severity {
    /// From worst to least, as the summary lists them.
    pub const ALL: [Severity; 5] =
        [Severity::Critical, Severity::Major, Severity::Minor, Severity::Warning, Severity::Indeterminate];
}

/// What an operator did to an alarm, or shelving did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperatorState {
    None,
    Ack,
    Closed,
    Shelved,
    UnShelved,
}

/// The measurement behind an alarm, and the threshold it crossed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmValue {
    /// Identity of the quantity.
    pub quantity: String,
    pub value: f64,
    pub threshold: Option<f64>,
    /// As the performance type's unit is written, e.g. `percent`.
    pub unit: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusChange {
    pub time: Timestamp,
    pub is_cleared: bool,
    /// Of a cleared alarm: the severity it had before.
    pub severity: Severity,
    pub text: String,
    pub value: Option<AlarmValue>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperatorStateChange {
    pub time: Timestamp,
    pub operator: String,
    pub state: OperatorState,
    pub text: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    pub key: AlarmKey,
    /// Unique at this agent and never used again; the same from raise through updates to clear and raise again, until the alarm is purged.
    pub id: u64,
    pub time_created: Timestamp,
    pub last_raised: Timestamp,
    /// The newest measurement, which may be younger than the last status change.
    pub value: Option<AlarmValue>,
    /// Oldest first, never empty; the newest is the state of the alarm.
    pub status_changes: VecDeque<StatusChange>,
    /// Oldest first.
    pub operator_state_changes: VecDeque<OperatorStateChange>,
}

impl Alarm {
    /// The state of the alarm: its newest status change.
    pub fn status(&self) -> &StatusChange {
        self.status_changes.back().expect("an alarm is made with its first status change")
    }

    pub fn is_cleared(&self) -> bool {
        self.status().is_cleared
    }

    pub fn operator_state(&self) -> OperatorState {
        self.operator_state_changes.back().map_or(OperatorState::None, |change| change.state)
    }

    /// When the state or the operator's state last changed.
    pub fn last_changed(&self) -> Timestamp {
        let operator = self.operator_state_changes.back().map(|change| change.time);
        self.status().time.max(operator.unwrap_or(Timestamp::MIN))
    }

    /// `now`, or as little after the last change as keeps the changes in order where the clock stands or was set back.
    fn next_time(&self, now: Timestamp) -> Timestamp {
        let earliest = self.last_changed().saturating_add(CLOCK_STEP).expect("a signed duration has no calendar units");
        now.max(earliest)
    }
}

/// Which status changes are announced (`notify-status-changes`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notify {
    /// Every change of severity or text, raise and clear.
    #[default]
    AllStateChanges,
    RaiseAndClear,
    /// Changes at or above this severity, those that fall below it, and clears.
    SeverityLevel(Severity),
}

/// The part of `alarms/control` that decides here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    /// Status changes kept per alarm, 1 or more: the oldest is dropped.
    pub max_status_changes: u16,
    pub notify: Notify,
}

impl Default for Control {
    fn default() -> Self {
        Control { max_status_changes: DEFAULT_STATUS_CHANGES, notify: Notify::default() }
    }
}

/// What an agent has to say about an alarm that is on.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub severity: Severity,
    /// For people. Keep measurements out of it: a new text is a status change.
    pub text: String,
    pub value: Option<AlarmValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The alarm is new, or came back after it had cleared.
    Raised,
    /// Severity or text changed.
    Updated,
    Cleared,
    OperatorState,
}

/// A change of one alarm, to be made durable; and to be announced where `notify` is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub key: AlarmKey,
    pub transition: Transition,
    pub notify: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorError {
    /// There is no such alarm.
    Unknown,
    /// `shelved` and `un-shelved` are set by the agent alone.
    NotWritable,
}

/// Counters of one severity (`alarms/summary/alarm-summary`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeveritySummary {
    pub total: u32,
    pub not_cleared: u32,
    pub cleared: u32,
    pub cleared_not_closed: u32,
    pub cleared_closed: u32,
    pub not_cleared_closed: u32,
    pub not_cleared_not_closed: u32,
}

/// Every alarm of an agent, cleared ones too until they are purged.
#[derive(Debug, Default)]
pub struct AlarmList {
    alarms: BTreeMap<AlarmKey, Alarm>,
    control: Control,
    last_id: u64,
    last_changed: Option<Timestamp>,
    refused: u64,
}

impl AlarmList {
    /// The list as it was made durable. `last_id` is the highest identifier ever given, so that none is given twice.
    pub fn restore(alarms: impl IntoIterator<Item = Alarm>, last_id: u64) -> Self {
        let mut list = AlarmList { last_id, ..AlarmList::default() };
        for alarm in alarms {
            list.last_id = list.last_id.max(alarm.id);
            list.last_changed = list.last_changed.max(Some(alarm.last_changed()));
            list.alarms.insert(alarm.key.clone(), alarm);
        }
        list
    }

    /// Takes effect at once: histories longer than the new bound lose their oldest entries.
    pub fn set_control(&mut self, control: Control) {
        self.control = Control { max_status_changes: control.max_status_changes.max(1), ..control };
        for alarm in self.alarms.values_mut() {
            shorten(&mut alarm.status_changes, self.control.max_status_changes.into());
        }
    }

    /// The alarm is on. A repeat without news is no change, but refreshes the value.
    pub fn raise(&mut self, key: &AlarmKey, report: Report, now: Timestamp) -> Option<Change> {
        let Report { severity, text, value } = report;
        let Some(alarm) = self.alarms.get_mut(key) else {
            return self.create(key, StatusChange { time: now, is_cleared: false, severity, text, value });
        };
        alarm.value.clone_from(&value);
        let before = alarm.status();
        let (was_cleared, was) = (before.is_cleared, before.severity);
        if !was_cleared && was == severity && before.text == text {
            return None;
        }
        let time = alarm.next_time(now);
        if was_cleared {
            alarm.last_raised = time;
        }
        alarm.status_changes.push_back(StatusChange { time, is_cleared: false, severity, text, value });
        shorten(&mut alarm.status_changes, self.control.max_status_changes.into());
        self.last_changed = self.last_changed.max(Some(time));
        let transition = if was_cleared { Transition::Raised } else { Transition::Updated };
        let notify = match self.control.notify {
            Notify::AllStateChanges => true,
            Notify::RaiseAndClear => was_cleared,
            Notify::SeverityLevel(level) => severity >= level || (!was_cleared && was >= level),
        };
        Some(Change { key: key.clone(), transition, notify })
    }

    /// The alarm is over. Nothing where it is not on. The severity stays what it was.
    pub fn clear(&mut self, key: &AlarmKey, text: &str, value: Option<AlarmValue>, now: Timestamp) -> Option<Change> {
        let alarm = self.alarms.get_mut(key).filter(|alarm| !alarm.is_cleared())?;
        let (time, severity) = (alarm.next_time(now), alarm.status().severity);
        alarm.value.clone_from(&value);
        alarm.status_changes.push_back(StatusChange { time, is_cleared: true, severity, text: text.to_owned(), value });
        shorten(&mut alarm.status_changes, self.control.max_status_changes.into());
        self.last_changed = self.last_changed.max(Some(time));
        Some(Change { key: key.clone(), transition: Transition::Cleared, notify: true })
    }

    /// An operator's judgement on an alarm (`set-operator-state`).
    pub fn set_operator_state(
        &mut self,
        key: &AlarmKey,
        operator: &str,
        state: OperatorState,
        text: Option<String>,
        now: Timestamp,
    ) -> Result<Change, OperatorError> {
        if matches!(state, OperatorState::Shelved | OperatorState::UnShelved) {
            return Err(OperatorError::NotWritable);
        }
        let alarm = self.alarms.get_mut(key).ok_or(OperatorError::Unknown)?;
        let time = alarm.next_time(now);
        alarm.operator_state_changes.push_back(OperatorStateChange {
            time,
            operator: operator.to_owned(),
            state,
            text,
        });
        shorten(&mut alarm.operator_state_changes, MAX_OPERATOR_STATE_CHANGES);
        self.last_changed = self.last_changed.max(Some(time));
        Ok(Change { key: key.clone(), transition: Transition::OperatorState, notify: true })
    }

    /// Removes what matches and returns it.
    pub fn purge(&mut self, filter: &PurgeFilter, now: Timestamp) -> Vec<AlarmKey> {
        let purged: Vec<AlarmKey> =
            self.alarms.values().filter(|alarm| filter.matches(alarm, now)).map(|alarm| alarm.key.clone()).collect();
        for key in &purged {
            self.alarms.remove(key);
        }
        if !purged.is_empty() {
            self.last_changed = self.last_changed.max(Some(now));
        }
        purged
    }

    /// Reduces matching alarms to their newest status change and returns those that lost entries.
    pub fn compress(&mut self, matches: impl Fn(&AlarmKey) -> bool) -> Vec<AlarmKey> {
        let long = self.alarms.values_mut().filter(|alarm| alarm.status_changes.len() > 1 && matches(&alarm.key));
        long.map(|alarm| {
            shorten(&mut alarm.status_changes, 1);
            alarm.key.clone()
        })
        .collect()
    }

    pub fn get(&self, key: &AlarmKey) -> Option<&Alarm> {
        self.alarms.get(key)
    }

    /// In the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Alarm> {
        self.alarms.values()
    }

    /// When an alarm last appeared, changed or was purged; nothing where that never happened.
    pub fn last_changed(&self) -> Option<Timestamp> {
        self.last_changed
    }

    /// The highest identifier given so far.
    pub fn last_id(&self) -> u64 {
        self.last_id
    }

    /// How many alarms found no room (see [`MAX_ALARMS`]).
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The worst alarm that is on.
    pub fn worst(&self) -> Option<Severity> {
        self.iter().filter(|alarm| !alarm.is_cleared()).map(|alarm| alarm.status().severity).max()
    }

    /// The counters of every severity, in the order of [`Severity::ALL`].
    pub fn summary(&self) -> [(Severity, SeveritySummary); 5] {
        Severity::ALL.map(|severity| {
            let mut summary = SeveritySummary::default();
            for alarm in self.iter().filter(|alarm| alarm.status().severity == severity) {
                let closed = alarm.operator_state() == OperatorState::Closed;
                summary.total += 1;
                match (alarm.is_cleared(), closed) {
                    (true, true) => summary.cleared_closed += 1,
                    (true, false) => summary.cleared_not_closed += 1,
                    (false, true) => summary.not_cleared_closed += 1,
                    (false, false) => summary.not_cleared_not_closed += 1,
                }
            }
            summary.cleared = summary.cleared_closed + summary.cleared_not_closed;
            summary.not_cleared = summary.not_cleared_closed + summary.not_cleared_not_closed;
            (severity, summary)
        })
    }

    fn create(&mut self, key: &AlarmKey, status: StatusChange) -> Option<Change> {
        if self.alarms.len() >= MAX_ALARMS && !self.make_room() {
            self.refused += 1;
            return None;
        }
        self.last_id += 1;
        self.last_changed = self.last_changed.max(Some(status.time));
        let notify = match self.control.notify {
            Notify::AllStateChanges | Notify::RaiseAndClear => true,
            Notify::SeverityLevel(level) => status.severity >= level,
        };
        let alarm = Alarm {
            key: key.clone(),
            id: self.last_id,
            time_created: status.time,
            last_raised: status.time,
            value: status.value.clone(),
            status_changes: VecDeque::from([status]),
            operator_state_changes: VecDeque::new(),
        };
        self.alarms.insert(key.clone(), alarm);
        Some(Change { key: key.clone(), transition: Transition::Raised, notify })
    }

    /// Drops the alarm that cleared longest ago; false where every alarm is on.
    fn make_room(&mut self) -> bool {
        let oldest = self.iter().filter(|alarm| alarm.is_cleared()).min_by_key(|alarm| alarm.last_changed());
        let Some(key) = oldest.map(|alarm| alarm.key.clone()) else { return false };
        self.alarms.remove(&key).is_some()
    }
}

fn shorten<T>(entries: &mut VecDeque<T>, max: usize) {
    let excess = entries.len().saturating_sub(max);
    entries.drain(..excess);
}
