//! From what happened to what is on record, and to the notifications that tell of it.

use std::sync::Arc;

use jiff::Timestamp;
use netconf::server::record::RecordError;
use netconf::yang::serde::{SerdeError, to_tree, tree_at};
use netconf::yang::{Schema, Tree};
use serde::Serialize;
use tokio::sync::OwnedMutexGuard;

use super::{ALARMS, Mind};
use crate::alarm::{Alarm, AlarmKey, Severity, Transition};
use crate::driver::{Device, Driver, LogClass, LogFact, StateChange};
use crate::event_log::{Entry, EventLog, Reader};
use crate::memory::{Memory, Snapshot};
use crate::model::{alarms, common, date_and_time, performance};
use crate::performance::{Finished, Series, SeriesKey};
use crate::surveillance::{Crossing, Findings, Surveillance};

/// What an agent keeps on disk.
pub(super) struct Records {
    log: EventLog,
    memory: Memory,
    /// A write failed: what is on disk lacks something until the next checkpoint.
    incomplete: bool,
}

/// Something that happened.
pub(super) enum Tiding {
    Alarm {
        alarm: Box<Alarm>,
        transition: Transition,
        notify: bool,
    },
    Purged(Vec<AlarmKey>),
    Compressed(Box<Alarm>),
    Crossing(Crossing),
    Finished(Finished, Box<Series>),
    Running(SeriesKey, Box<Series>),
    Checkpoint(Snapshot),
    State(StateChange),
    Log(LogFact),
    /// What a user did.
    Audit {
        log: LogFact,
        session: u32,
    },
    /// A notification of the device's own kind, as it will be sent.
    Own(Result<Tree, SerdeError>),
}

impl Tiding {
    pub(super) fn is_of_alarms(&self) -> bool {
        matches!(self, Tiding::Alarm { .. } | Tiding::Purged(_) | Tiding::Compressed(_))
    }

    pub(super) fn is_of_state(&self) -> bool {
        matches!(self, Tiding::State(_))
    }
}

impl<D: Driver> Mind<D> {
    /// What surveillance found, with what is needed to tell it.
    pub(super) fn tidings_of(&mut self, watch: impl FnOnce(&mut Surveillance) -> Findings) -> Vec<Tiding> {
        let findings = watch(&mut self.surveillance);
        let surveillance = &self.surveillance;
        let crossings = findings.crossings.into_iter().map(Tiding::Crossing);
        let changes = findings.changes.into_iter().filter_map(|change| {
            let alarm = Box::new(surveillance.alarms.get(&change.key)?.clone());
            Some(Tiding::Alarm { alarm, transition: change.transition, notify: change.notify })
        });
        let finished = findings.finished.into_iter().filter_map(|finished| {
            let series = Box::new(surveillance.performance.get(&finished.key)?.without_history());
            Some(Tiding::Finished(finished, series))
        });
        crossings.chain(changes).chain(finished).collect()
    }
}

/// A notification to send.
pub(super) enum Notification {
    Alarm(Box<alarms::Notification>),
    OperatorAction { path: String, action: alarms::OperatorAction },
    Crossing(performance::ThresholdCrossing),
    State(Box<common::StateChangeNotification>),
    Log(Box<common::LogEvent>),
    Own(Result<Tree, SerdeError>),
}

impl Notification {
    pub(super) fn tree(self, schema: &Arc<Schema>) -> Result<Tree, SerdeError> {
        match self {
            Notification::Alarm(alarm) => top(schema, "ietf-alarms:alarm-notification", &alarm),
            Notification::OperatorAction { path, action } => tree_at(schema, &path, &action),
            Notification::Crossing(crossing) => top(schema, "qkdn-performance:threshold-crossing", &crossing),
            Notification::State(change) => top(schema, "qkdn-common:state-change", &change),
            Notification::Log(event) => top(schema, "qkdn-common:log-event", &event),
            Notification::Own(tree) => tree,
        }
    }
}

fn top<T: Serialize>(schema: &Arc<Schema>, name: &str, value: &T) -> Result<Tree, SerdeError> {
    to_tree(schema, &std::collections::BTreeMap::from([(name, value)]))
}

impl Records {
    pub(super) fn new(log: EventLog, memory: Memory) -> Self {
        Records { log, memory, incomplete: false }
    }

    pub(super) fn last_notified(&self) -> u64 {
        self.log.last_notified()
    }

    pub(super) fn reader(&self) -> Reader {
        self.log.reader()
    }

    pub(super) fn wants_checkpoint(&self) -> bool {
        self.incomplete || self.memory.wants_checkpoint()
    }

    /// Notes one tiding in memory and log; the notification that tells of it, if one does.
    fn note(&mut self, tiding: Tiding, device: &Device) -> Result<Option<Notification>, RecordError> {
        let event = |number: u64, time, action| common::ManagementOperation::event(device, number, time, action);
        Ok(match tiding {
            Tiding::Alarm { alarm, transition, notify } => {
                self.memory.alarm(&alarm)?;
                let entry = alarm_entry(&alarm, transition);
                let (time, entry) =
                    (entry.time, self.log.append(entry, notify && transition != Transition::OperatorState)?);
                match transition {
                    Transition::OperatorState => operator_action(&alarm, device),
                    _ => entry.notified.map(|number| {
                        let action = !alarm.is_cleared() && alarm.status().severity >= Severity::Major;
                        let notification = alarms::Notification::of(&alarm, device, event(number, time, action));
                        Notification::Alarm(Box::new(notification))
                    }),
                }
            }
            Tiding::Purged(keys) => {
                self.memory.purged(&keys)?;
                None
            }
            Tiding::Compressed(alarm) => {
                self.memory.alarm(&alarm)?;
                None
            }
            Tiding::Finished(finished, series) => {
                self.memory.finished(&finished, &series)?;
                None
            }
            Tiding::Running(key, series) => {
                self.memory.running(&key, &series)?;
                None
            }
            Tiding::Checkpoint(snapshot) => {
                self.memory.checkpoint(&snapshot)?;
                self.incomplete = false;
                None
            }
            Tiding::Crossing(crossing) => {
                let (way, level) = (if crossing.raised { "crossed" } else { "left" }, crossing.level.level);
                let text = format!("{} {way} {level} {} at {}", crossing.key.quantity, crossing.unit, crossing.value);
                let log = LogFact {
                    time: crossing.time,
                    resource: crossing.key.target.clone(),
                    class: LogClass::Event,
                    event: "threshold-crossing",
                    text,
                    user: None,
                };
                let entry = self.log.append(log_entry(&log, None), true)?;
                let operation = entry.notified.map(|number| event(number, crossing.time, crossing.raised));
                operation
                    .map(|operation| Notification::Crossing(performance::ThresholdCrossing::new(&crossing, operation)))
            }
            Tiding::State(change) => {
                let log = LogFact {
                    time: change.time,
                    resource: change.resource.clone(),
                    class: LogClass::Event,
                    event: "state-change",
                    text: format!("{} {} to {}: {}", change.state, change.old, change.new, change.reason),
                    user: None,
                };
                let entry = self.log.append(log_entry(&log, None), true)?;
                let operation = entry.notified.map(|number| event(number, change.time, false));
                operation.map(|operation| {
                    Notification::State(Box::new(common::StateChangeNotification::new(change, operation)))
                })
            }
            Tiding::Log(log) => self.log(&log, None, device)?,
            Tiding::Audit { log, session } => self.log(&log, Some(session), device)?,
            Tiding::Own(tree) => Some(Notification::Own(tree)),
        })
    }

    fn log(
        &mut self,
        log: &LogFact,
        session: Option<u32>,
        device: &Device,
    ) -> Result<Option<Notification>, RecordError> {
        let told = matches!(log.class, LogClass::Security | LogClass::Audit);
        let entry = self.log.append(log_entry(log, session), told)?;
        Ok(entry.notified.map(|number| {
            let management_operation = common::ManagementOperation::event(device, number, log.time, false);
            Notification::Log(Box::new(common::LogEvent { entry: (&entry).into(), management_operation }))
        }))
    }
}

/// Puts tidings on record, durably, and gives back the notifications that may now be sent. A disk that fails does not silence an agent: it
/// is logged, the notifications go out, and a checkpoint is due.
pub(super) async fn write(
    mut records: OwnedMutexGuard<Records>,
    tidings: Vec<Tiding>,
    device: &Device,
) -> (OwnedMutexGuard<Records>, Vec<Notification>) {
    let device = device.clone();
    let work = move || {
        let mut notifications = Vec::new();
        let mut failed = None;
        for tiding in tidings {
            match records.note(tiding, &device) {
                Ok(notification) => notifications.extend(notification),
                Err(error) => failed = Some(error),
            }
        }
        let committed = records.memory.commit().and(records.log.commit());
        if let Some(error) = failed.or(committed.err()) {
            tracing::error!(%error, "what happened is not on record");
            records.incomplete = true;
        }
        (records, notifications)
    };
    tokio::task::spawn_blocking(work).await.expect("writing records does not panic")
}

fn alarm_entry(alarm: &Alarm, transition: Transition) -> Entry {
    let status = alarm.status();
    let (event, time, user, text) = match transition {
        Transition::Raised => ("alarm-raised", status.time, None, status.text.clone()),
        Transition::Updated => ("alarm-updated", status.time, None, status.text.clone()),
        Transition::Cleared => ("alarm-cleared", status.time, None, status.text.clone()),
        Transition::OperatorState => {
            let last = alarm.operator_state_changes.back();
            let state = last.map_or(String::new(), |change| format!("{:?}", change.state).to_lowercase());
            let user = last.map(|change| change.operator.clone());
            ("alarm-operator-state", alarm.last_changed(), user, state)
        }
    };
    let severity = format!("{:?}", status.severity).to_lowercase();
    let text = format!("alarm {} {} {severity}: {text}", alarm.id, alarm.key.alarm_type);
    let log = LogFact { time, resource: alarm.key.resource.clone(), class: LogClass::Alarm, event, text, user };
    log_entry(&log, None)
}

fn log_entry(log: &LogFact, session: Option<u32>) -> Entry {
    Entry {
        number: 0,
        time: log.time,
        class: log.class,
        resource: Some(log.resource.clone()),
        user: log.user.clone(),
        session: session.map(|session| session.to_string()),
        event: log.event.to_owned(),
        text: log.text.clone(),
        notified: None,
    }
}

/// The notification inside the alarm that an operator acted on.
fn operator_action(alarm: &Alarm, device: &Device) -> Option<Notification> {
    let change = alarm.operator_state_changes.back()?;
    let quoted = |text: &str| if text.contains('"') { format!("'{text}'") } else { format!("\"{text}\"") };
    let path = format!(
        "{ALARMS}/alarm-list/alarm[resource={}][alarm-type-id={}][alarm-type-qualifier={}]/operator-action",
        quoted(&alarms::resource_path(device, &alarm.key.resource)),
        quoted(&alarm.key.alarm_type),
        quoted(&alarm.key.qualifier),
    );
    let action = alarms::OperatorAction {
        time: date_and_time(change.time),
        operator: change.operator.clone(),
        state: change.state,
        text: change.text.clone(),
    };
    Some(Notification::OperatorAction { path, action })
}

/// A fact of what a user asked for.
pub(super) fn audit(device: &Device, event: &'static str, text: String, user: &str, time: Timestamp) -> LogFact {
    let resource = device.resource_id.clone();
    LogFact { time, resource, class: LogClass::Audit, event, text, user: Some(user.to_owned()) }
}
