//! What operators ask for: a run of 10.3, states of alarms, purges, the root of an alarm.

use jiff::Timestamp;

use super::Manager;
use crate::input::{Answer, Effect, Notification, Refusal, Request, RootCause};
use crate::record::{Alarm, OperatorStateChange, Record};

/// What an operator may set (RFC 8632 `writable-operator-state`).
const OPERATOR_STATES: [&str; 3] = ["none", "ack", "closed"];

impl Manager {
    pub(super) fn request(&mut self, number: u64, request: Request, now: Timestamp, out: &mut Vec<Effect>) {
        let answer = match request {
            Request::RunConfigurationProcedure { devices } => {
                match self.run_configuration(number, &devices, now, out) {
                    // Answered when the run ends.
                    Ok(()) => return,
                    Err(refusal) => Err(refusal),
                }
            }
            Request::SetOperatorState { alarm, state, text, operator } => {
                let change = OperatorStateChange { time: now, operator, state, text };
                self.set_operator_state(&alarm, change, out)
            }
            Request::PurgeAlarms(filter) => {
                let purged = self.alarms.purge(&filter, now);
                let count = u32::try_from(purged.len()).unwrap_or(u32::MAX);
                self.purged(purged, out);
                Ok(Answer::Count(count))
            }
            Request::CompressAlarms { resource, alarm_type_id, alarm_type_qualifier } => {
                let same =
                    |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
                let compressed = self.alarms.compress(|key| {
                    same(&resource, &key.resource)
                        && same(&alarm_type_id, &key.alarm_type_id)
                        && same(&alarm_type_qualifier, &key.alarm_type_qualifier)
                });
                let count = u32::try_from(compressed.len()).unwrap_or(u32::MAX);
                out.extend(compressed.into_iter().map(|alarm| Effect::Store(Record::Alarm(Box::new(alarm)))));
                Ok(Answer::Count(count))
            }
            Request::RootCause { alarm_id } => self.root_cause(&alarm_id).map(Answer::RootCause),
        };
        out.push(Effect::Answer { number, answer });
    }

    fn run_configuration(
        &mut self,
        number: u64,
        devices: &[String],
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        if let Some(unknown) = devices.iter().find(|device| !self.plans.contains_key(*device)) {
            return Err(Refusal::Missing(format!("there is no managed device \"{unknown}\"")));
        }
        let asked = self.wanted().filter(|(device, _)| devices.is_empty() || devices.contains(device));
        let asked: Vec<_> = asked.map(|(device, kind)| (device.clone(), kind)).collect();
        if asked.is_empty() {
            return Err(Refusal::Failed("none of these devices has an address and is managed".to_owned()));
        }
        self.begin_configuration("asked for", asked.clone(), Some(number), now, out);
        for (device, _) in asked {
            if self.operational.contains(&device) {
                out.push(Effect::Synchronize { device });
            } else {
                let error = self.devices.get(&device).and_then(|managed| managed.state.connection_error.clone());
                self.configuration.failed(&device, &error.unwrap_or_else(|| "not connected".to_owned()), now, out);
            }
        }
        Ok(())
    }

    fn set_operator_state(
        &mut self,
        key: &crate::record::AlarmKey,
        change: OperatorStateChange,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        if !OPERATOR_STATES.contains(&change.state.as_str()) {
            return Err(Refusal::Failed(format!(
                "an operator sets one of {}, not {}",
                OPERATOR_STATES.join(", "),
                change.state
            )));
        }
        let missing = || Refusal::Missing("there is no such alarm in the list".to_owned());
        let alarm = self.alarms.set_operator_state(key, change).ok_or_else(missing)?.clone();
        out.push(Effect::Store(Record::Alarm(Box::new(alarm.clone()))));
        out.push(Effect::Notify(Box::new(Notification::OperatorAction(alarm))));
        Ok(Answer::Done)
    }

    fn root_cause(&self, alarm_id: &str) -> Result<RootCause, Refusal> {
        let missing = || Refusal::Missing(format!("there is no alarm {alarm_id}"));
        let alarm = self.alarms.by_id(alarm_id).ok_or_else(missing)?;
        let root_id = alarm.root_alarm_id.as_deref().unwrap_or(alarm_id);
        let root = self.alarms.by_id(root_id).unwrap_or(alarm);
        let follows = |other: &&Alarm| other.root_alarm_id.as_deref() == Some(root_id);
        let followers: Vec<&Alarm> = self.alarms.iter().filter(follows).collect();
        let name = |alarm: &Alarm| alarm.key.alarm_type_id.rsplit(':').next().unwrap_or_default().to_owned();
        let text = if root.alarm_id != alarm.alarm_id {
            format!(
                "{} at {} is about the same QKD link as {} at {}, and stands nearer to the root",
                name(root),
                root.key.resource,
                name(alarm),
                alarm.key.resource
            )
        } else if followers.is_empty() {
            format!("{} at {} follows from no other alarm that is known", name(alarm), alarm.key.resource)
        } else {
            format!("{} other alarms about the same QKD link follow from {}", followers.len(), name(alarm))
        };
        let related = followers.into_iter().map(|other| (other.alarm_id.clone(), other.root_alarm_id.clone()));
        Ok(RootCause {
            root_alarm_id: Some(root.alarm_id.clone()),
            root_resource_id: Some(root.key.resource.clone()),
            // Taken from the layout of the network and the kinds of the alarms, not from the devices' insides.
            confidence: Some(if root.alarm_id == alarm.alarm_id { 60.0 } else { 80.0 }),
            text: Some(text),
            related: related.collect(),
        })
    }
}
