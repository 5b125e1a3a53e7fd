//! Fault management, QKD link failure (clause 10.1.1): one run for each incident of a link, from the alert to the controller.

mod means;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{ActiveRun, Done};
use crate::alarm::AlarmList;
use crate::facts::Diagnosis;
use crate::function::qclm::{self, Action, RuledOut};
use crate::function::qlm::{self, Analysis};
use crate::input::{ControlAction, Effect};
use crate::layout::Layout;
use crate::model::{DeviceName, Function, Kind, ResourceId, Severity};
use crate::record::{Alarm, AlarmKey, Procedure, Run, RunState, Step};
use crate::topology::Reports;

/// How long the module measures, s: long enough for some thousand detections of a slow system, short enough for an operator who waits.
const DIAGNOSTIC_SECONDS: u16 = 2;

/// After so long without an answer the analysis goes on without a diagnosis.
const DIAGNOSTIC_PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// An action that failed is sent again after so long: a controller that restarts is back by then.
const RETRY_AFTER: SignedDuration = SignedDuration::from_secs(5);

/// A run waits so long for a controller to be connected before it says so: one that restarts, or the manager, is back by then.
const CONTROLLER_PATIENCE: SignedDuration = SignedDuration::from_secs(5);

/// Tries of one action; then the next alternative is taken, and after the last the run has failed.
const TRIES: u32 = 2;

/// What a run can see of the network.
#[derive(Clone, Copy)]
pub struct Network<'a> {
    pub layout: &'a Layout,
    pub reports: &'a Reports,
    pub alarms: &'a AlarmList,
    pub operational: &'a BTreeSet<DeviceName>,
}

/// All incidents, by link.
#[derive(Debug, Default)]
pub struct LinkFailures {
    incidents: BTreeMap<ResourceId, Incident>,
}

/// What is wrong with a link, until all of its alarms are cleared.
#[derive(Debug)]
struct Incident {
    link: ResourceId,
    active: ActiveRun,
    alarms: BTreeSet<AlarmKey>,
    /// Nearest to the root, and worst, of what the run dealt with.
    handled: (u8, Severity),
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Between steps 2 and 3. No device: none was asked yet, after a restart.
    Diagnosing { device: Option<DeviceName>, until: Timestamp },
    /// Between steps 7 and 8.
    Controlling {
        /// The run as it was when it was decided: an action that is sent again is the same.
        decided: Box<Run>,
        action: ControlAction,
        /// The how manieth action of the run it is.
        number: u32,
        rest: Vec<Action>,
        /// Since when it could be sent.
        since: Timestamp,
        tries: u32,
        asked: Option<Timestamp>,
        failed: Option<String>,
    },
    /// The run has ended; alarms that follow from the incident still come.
    Over,
}

impl LinkFailures {
    /// Goes on with what had not ended when the manager stopped.
    pub fn recover(runs: &[(Run, Vec<Step>)], alarms: &AlarmList, now: Timestamp) -> LinkFailures {
        let mut failures = LinkFailures::default();
        for (run, steps) in runs.iter().filter(|(run, _)| run.procedure == Procedure::LinkFailure) {
            let Some(link) = run.resource_id.first() else { continue };
            let keys: BTreeSet<AlarmKey> =
                run.alarm_id.iter().filter_map(|id| alarms.by_id(id)).map(|alarm| alarm.key.clone()).collect();
            let handled =
                keys.iter().filter_map(|key| alarms.get(key)).filter_map(weight).min_by_key(|(rank, _)| *rank);
            let decided = steps.iter().find(|step| step.number == 7).and_then(|step| step.data.as_ref());
            let decided = decided.and_then(|data| serde_json::from_str::<Decision>(data).ok());
            let stage = match decided {
                Some(Decision { alarm_id, action, mut alternatives, .. }) => {
                    let decided = Box::new(Run { alarm_id, ..run.clone() });
                    alternatives.insert(0, action);
                    // Those that a controller did not accept have a step 8 each.
                    let refused = steps.iter().filter(|step| step.number == 8 && step.peer.is_some()).count();
                    alternatives.drain(..refused.min(alternatives.len() - 1));
                    let (action, number) = (alternatives.remove(0), refused as u32 + 1);
                    Stage::Controlling {
                        action: control_action(&decided, &action, number),
                        decided,
                        number,
                        rest: alternatives,
                        since: now,
                        tries: 0,
                        asked: None,
                        failed: None,
                    }
                }
                None => {
                    Stage::Diagnosing { device: None, until: now.saturating_add(DIAGNOSTIC_PATIENCE).unwrap_or(now) }
                }
            };
            let incident = Incident {
                link: link.clone(),
                active: ActiveRun::recover(run.clone(), steps),
                alarms: keys,
                handled: handled.unwrap_or((u8::MAX, Severity::Indeterminate)),
                stage,
            };
            failures.incidents.insert(link.clone(), incident);
        }
        failures
    }

    pub fn running(&self) -> impl Iterator<Item = &Run> {
        self.incidents
            .values()
            .filter(|incident| !matches!(incident.stage, Stage::Over))
            .map(|incident| &incident.active.run)
    }

    /// An alarm was raised or got worse or better. Returns the run that deals with it, if one does.
    pub fn alert(
        &mut self,
        key: &AlarmKey,
        network: Network<'_>,
        next_run: &mut impl FnMut() -> String,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Option<String> {
        let alarm = network.alarms.get(key).filter(|alarm| !alarm.is_cleared)?;
        let (rank, severity) = weight(alarm).filter(|_| qlm::is_link_alert(short(&key.alarm_type_id)))?;
        let mut dealing = None;
        let links: Vec<ResourceId> = network.layout.links_of(&key.resource).cloned().collect();
        for link in links {
            if !self.incidents.contains_key(&link)
                && let Some(incident) = Incident::forgotten(&link, key, network, now)
            {
                self.incidents.insert(link.clone(), incident);
            }
            if let Some(incident) = self.incidents.get_mut(&link) {
                let is_over = matches!(incident.stage, Stage::Over);
                let is_worse =
                    rank < incident.handled.0 || (rank == incident.handled.0 && severity > incident.handled.1);
                if !is_over || !is_worse || qlm::is_consequence(short(&key.alarm_type_id)) {
                    incident.join(alarm, out);
                    dealing = Some(incident.active.run.run_id.clone());
                    continue;
                }
            }
            let held = self.incidents.remove(&link).map(|incident| incident.alarms).unwrap_or_default();
            let incident = Incident::begin(&link, alarm, held, network, next_run(), now, out);
            dealing = Some(incident.active.run.run_id.clone());
            self.incidents.insert(link, incident);
        }
        dealing
    }

    /// An incident is over whose alarms are all cleared, or are of what the link does not pass any more; the next alert begins another.
    pub fn cleared(&mut self, network: Network<'_>) {
        self.incidents.retain(|_, incident| !matches!(incident.stage, Stage::Over) || incident.holds(network));
    }

    pub fn diagnosed(
        &mut self,
        run: &str,
        device: &str,
        result: Result<&Diagnosis, &str>,
        network: Network<'_>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        let Some(incident) = self.incidents.values_mut().find(|incident| incident.active.run.run_id == run) else {
            return;
        };
        if !matches!(&incident.stage, Stage::Diagnosing { device: Some(asked), .. } if asked == device) {
            return;
        }
        // 3) … and the QKD module reports additional QKD link diagnostic information.
        match result {
            Ok(diagnosis) => {
                let text = format!("{device} reports {}", diagnosis.probable_cause);
                let data = serde_json::to_value(diagnosis).unwrap_or_default();
                incident.active.step(3, Done::by(Function::Qlm, text).with(device).data(data), now, out);
                incident.conclude(Some(diagnosis), network, now, out);
            }
            Err(error) => {
                let text = format!("{device} gives no diagnosis: {error}");
                incident.active.step(3, Done::by(Function::Qlm, text).with(device), now, out);
                incident.conclude(None, network, now, out);
            }
        }
        self.cleared(network);
    }

    pub fn controlled(
        &mut self,
        run: &str,
        device: &str,
        result: Result<&str, &str>,
        network: Network<'_>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        let Some(incident) = self.incidents.values_mut().find(|incident| incident.active.run.run_id == run) else {
            return;
        };
        incident.answered(device, result, network, now, out);
        self.cleared(network);
    }

    /// What waited for a device, or for time to pass, goes on.
    pub fn go_on(&mut self, network: Network<'_>, now: Timestamp, out: &mut Vec<Effect>) {
        for incident in self.incidents.values_mut() {
            match &incident.stage {
                Stage::Diagnosing { device: None, .. } if incident.module(network).is_ok() => {
                    incident.ask(network, now, out);
                }
                Stage::Diagnosing { device, until } if *until <= now => {
                    let peer = device.clone();
                    let text = format!("no diagnosis within {} s", DIAGNOSTIC_PATIENCE.as_secs());
                    let done = Done { peer: peer.as_deref(), ..Done::by(Function::Qlm, text) };
                    incident.active.step(3, done, now, out);
                    incident.conclude(None, network, now, out);
                }
                Stage::Controlling { .. } => incident.control(network, now, out),
                _ => {}
            }
        }
        self.cleared(network);
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Decision {
    /// Those that it was made for; more may join the run later.
    #[serde(default)]
    alarm_id: Vec<String>,
    action: Action,
    alternatives: Vec<Action>,
    /// What there would be besides, and why it is no alternative.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    ruled_out: Vec<RuledOut>,
}

impl Incident {
    /// Steps 1 and 2, and 3 where there is nothing to wait for.
    fn begin(
        link: &ResourceId,
        alarm: &Alarm,
        mut held: BTreeSet<AlarmKey>,
        network: Network<'_>,
        run_id: String,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Incident {
        let alarm_type = short(&alarm.key.alarm_type_id);
        let trigger = format!("{} {alarm_type} at {}", alarm.alarm_id, alarm.key.resource);
        let about = (vec![alarm.alarm_id.clone()], vec![link.clone()]);
        let active = ActiveRun::begin(run_id, Procedure::LinkFailure, trigger, about, now, out);
        held.insert(alarm.key.clone());
        let handled = weight(alarm).unwrap_or((u8::MAX, Severity::Indeterminate));
        let stage = Stage::Diagnosing { device: None, until: now };
        let mut incident = Incident { link: link.clone(), active, alarms: held, handled, stage };

        // 1) When a link failure occurs, QLM gets a QKD link level alert.
        let device = alarm.device.clone().unwrap_or_default();
        let data = json!({
            "alarm-id": alarm.alarm_id, "alarm-type-id": alarm.key.alarm_type_id, "resource": alarm.key.resource,
            "perceived-severity": alarm.perceived_severity, "alarm-text": alarm.alarm_text,
            "reference-point": alarm.reference_point,
        });
        let text = format!("alert of {link}: {alarm_type}: {}", alarm.alarm_text);
        incident.active.step(1, Done::by(Function::Qlm, text).with(&device).data(data), now, out);

        // 2) QLM decides the initiation of link diagnostic.
        let module = incident.module(network);
        let decision =
            qlm::decide_diagnostic(alarm_type, alarm.perceived_severity, module.as_deref().map_err(String::as_str));
        let (text, yes) = match &decision {
            Ok(reason) => (format!("diagnostic: yes; {reason}"), true),
            Err(reason) => (format!("diagnostic: no; {reason}"), false),
        };
        incident.active.step(2, Done::by(Function::Qlm, text).data(json!({"diagnostic": yes})), now, out);
        if yes {
            incident.ask(network, now, out);
        } else {
            incident.active.step(3, Done::by(Function::Qlm, "skipped: no diagnostic is asked for"), now, out);
            incident.conclude(None, network, now, out);
        }
        incident
    }

    /// After a restart: alarms that still hold tell that a run dealt with this link before.
    fn forgotten(link: &ResourceId, new: &AlarmKey, network: Network<'_>, now: Timestamp) -> Option<Incident> {
        let resources = network.layout.resources_of(link);
        let of_link = resources.flat_map(|resource| network.alarms.of_resource(resource));
        let held: Vec<&Alarm> = of_link.filter(|alarm| !alarm.is_cleared && alarm.run_id.is_some()).collect();
        let weighed = held.iter().filter_map(|alarm| {
            let (rank, severity) = weight(alarm)?;
            if alarm.key != *new {
                return Some((rank, severity));
            }
            // The run dealt with what it was before.
            Some((rank, alarm.status_change.get(1)?.perceived_severity?))
        });
        let handled = weighed.min_by_key(|(rank, severity)| (*rank, std::cmp::Reverse(*severity)))?;
        let run = Run {
            run_id: held.iter().find_map(|alarm| alarm.run_id.clone())?,
            procedure: Procedure::LinkFailure,
            trigger: None,
            alarm_id: held.iter().map(|alarm| alarm.alarm_id.clone()).collect(),
            resource_id: vec![link.clone()],
            started: now,
            ended: Some(now),
            state: RunState::Completed,
            outcome: None,
        };
        Some(Incident {
            link: link.clone(),
            active: ActiveRun { run, sequence: 0 },
            alarms: held.into_iter().map(|alarm| alarm.key.clone()).collect(),
            handled,
            stage: Stage::Over,
        })
    }

    /// Another alert of the same incident.
    fn join(&mut self, alarm: &Alarm, out: &mut Vec<Effect>) {
        self.alarms.insert(alarm.key.clone());
        // A run that has ended is a record, which is not changed any more.
        if matches!(self.stage, Stage::Over) {
            return;
        }
        if let Some(weight) = weight(alarm) {
            self.handled = (self.handled.0.min(weight.0), self.handled.1.max(weight.1));
        }
        if !self.active.run.alarm_id.contains(&alarm.alarm_id) {
            self.active.run.alarm_id.push(alarm.alarm_id.clone());
            self.active.changed(out);
        }
    }

    /// The module to ask: the receiver, which measures the link, or else the other end.
    fn module(&self, network: Network<'_>) -> Result<DeviceName, String> {
        let link = network.layout.links.get(&self.link).ok_or("nobody reports the link")?;
        let ends = link.end("receiver").into_iter().chain(&link.ends);
        let mut reachable = ends.filter(|end| network.operational.contains(&end.device));
        reachable.next().map(|end| end.device.clone()).ok_or_else(|| "no module of the link is connected".to_owned())
    }

    /// 3) QLM optionally sends a QKD link diagnostics request to a QKD module if necessary …
    fn ask(&mut self, network: Network<'_>, now: Timestamp, out: &mut Vec<Effect>) {
        let Ok(device) = self.module(network) else { return };
        out.push(Effect::Diagnose {
            run: self.active.run.run_id.clone(),
            device: device.clone(),
            link_id: Some(self.link.clone()),
            seconds: DIAGNOSTIC_SECONDS,
        });
        let until = now.saturating_add(DIAGNOSTIC_PATIENCE).unwrap_or(now);
        self.stage = Stage::Diagnosing { device: Some(device), until };
    }

    /// Steps 4 to 7.
    fn conclude(&mut self, diagnosis: Option<&Diagnosis>, network: Network<'_>, now: Timestamp, out: &mut Vec<Effect>) {
        let holding: Vec<&Alarm> = self.raised(network).filter_map(|key| network.alarms.get(key)).collect();
        let alarm_types: Vec<&str> = holding.iter().map(|alarm| short(&alarm.key.alarm_type_id)).collect();
        let severity = holding.iter().map(|alarm| alarm.perceived_severity).max();

        // 4) QLM analyses QKD link diagnostic information.
        let analysis = qlm::analyse(&alarm_types, diagnosis);
        let Analysis { cause, confidence, text, .. } = &analysis;
        let told = format!("{} ({confidence:.0} % sure): {text}", word(cause));
        let data = json!({"cause": cause, "confidence": confidence, "alarms": alarm_types});
        self.active.step(4, Done::by(Function::Qlm, told).data(data), now, out);
        let Some(severity) = severity else {
            return self.end(RunState::NoAction, "the failure was over before anything was decided", now, out);
        };
        if self.is_disabled(network) {
            return self.end(RunState::NoAction, "the operator disabled the link: nothing is to be done", now, out);
        }

        // 5) QLM reports the QKD link status to XLMO based on the QKD link diagnostic information.
        let status =
            json!({"link-id": self.link, "cause": cause, "confidence": confidence, "perceived-severity": severity});
        let text = format!("status of {}: {}, {}", self.link, word(&severity), word(cause));
        self.active.step(5, Done::by(Function::Qlm, text).with("xlmo").data(status.clone()), now, out);

        // 6) XLMO sends QKD link diagnostic information to QCLM.
        let text = format!("diagnostic information of {}", self.link);
        self.active.step(6, Done::by(Function::Xlmo, text).with("qclm").data(status), now, out);

        // 7) QCLM makes appropriate control decision(s) to deal with the alert.
        let means = means::of(&self.link, network);
        let mut actions = match severity {
            Severity::Warning | Severity::Indeterminate => Vec::new(),
            _ => qclm::decide(*cause, &means),
        };
        if actions.is_empty() {
            let reason =
                if severity <= Severity::Warning { "a warning asks for none" } else { "the cause is not known" };
            self.active.step(7, Done::by(Function::Qclm, format!("no control action: {reason}")), now, out);
            return self.end(RunState::NoAction, format!("no control action: {reason}"), now, out);
        }
        let chosen = actions.remove(0);
        let action = control_action(&self.active.run, &chosen, 1);
        let others: Vec<&str> = actions.iter().map(|action| short(&action.kind)).collect();
        let others = if others.is_empty() {
            "no alternative".to_owned()
        } else {
            format!("alternatives: {}", others.join(", "))
        };
        let mut text = format!("{}: {}; {others}", short(&chosen.kind), chosen.description);
        for RuledOut { kind, reason } in &means.ruled_out {
            text.push_str(&format!("; not {}: {reason}", short(kind)));
        }
        let alarm_id = self.active.run.alarm_id.clone();
        let decision = Decision { alarm_id, action: chosen, alternatives: actions, ruled_out: means.ruled_out };
        let data = serde_json::to_value(&decision).unwrap_or_default();
        let done =
            Done { operation_id: Some(action.operation_id.clone()), ..Done::by(Function::Qclm, text).data(data) };
        self.active.step(7, done, now, out);
        // What follows from this cause is dealt with by this run, also when it is told later.
        self.handled.0 = self.handled.0.min(qlm::explains(*cause));
        let rest = decision.alternatives;
        let decided = Box::new(self.active.run.clone());
        self.stage =
            Stage::Controlling { decided, action, number: 1, rest, since: now, tries: 0, asked: None, failed: None };
        self.control(network, now, out);
    }

    /// 8) QCLM sends it to the QKDN controller for the required actions.
    fn control(&mut self, network: Network<'_>, now: Timestamp, out: &mut Vec<Effect>) {
        let is_over = self.raised(network).next().is_none();
        let Stage::Controlling { action, since, tries, asked, failed, .. } = &mut self.stage else { return };
        let is_due = asked.is_none_or(|asked| now.duration_since(asked) >= RETRY_AFTER);
        // Asked and not answered: an answer, or its absence, is always told.
        if (asked.is_some() && failed.is_none()) || !is_due {
            return;
        }
        let controllers = network
            .reports
            .iter()
            .filter(|(device, report)| report.kind == Kind::Controller && network.operational.contains(*device));
        if is_over {
            return self.end(RunState::NoAction, "the failure was over before a controller took an action", now, out);
        }
        let Some((controller, _)) = controllers.into_iter().next() else {
            // It runs on, and says what it waits for; the first controller that is there gets the action.
            if self.active.run.outcome.is_none() && now.duration_since(*since) >= CONTROLLER_PATIENCE {
                let outcome = format!("waits for a controller to send {} to: none is connected", short(&action.kind));
                self.active.run.outcome = Some(outcome);
                self.active.changed(out);
            }
            return;
        };
        if self.active.run.outcome.take().is_some() {
            self.active.changed(out);
        }
        *asked = Some(now);
        *failed = None;
        *tries += 1;
        out.push(Effect::Control {
            run: self.active.run.run_id.clone(),
            device: controller.clone(),
            action: Box::new(action.clone()),
        });
    }

    /// The controller's answer, or that there was none.
    fn answered(
        &mut self,
        device: &str,
        result: Result<&str, &str>,
        network: Network<'_>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        let Stage::Controlling { decided, action, number, rest, tries, failed, asked, .. } = &mut self.stage else {
            return;
        };
        let operation_id = Some(action.operation_id.clone());
        match result {
            Ok(action_id) => {
                let text = format!("{} sent; {device} accepts it as {action_id}", short(&action.kind));
                let data = json!({"action-id": action_id, "type": action.kind, "priority": action.priority, "value": action.value});
                let outcome = format!("{}: {} ({action_id} at {device})", short(&action.kind), action.description);
                let done = Done { operation_id, ..Done::by(Function::Qclm, text).with(device).data(data) };
                self.active.step(8, done, now, out);
                self.end(RunState::Completed, outcome, now, out);
            }
            // A controller that went away has refused nothing.
            Err(error) if !network.operational.contains(device) => {
                *failed = Some(error.to_owned());
                *tries = tries.saturating_sub(1);
            }
            Err(error) if *tries < TRIES => *failed = Some(error.to_owned()),
            Err(error) => {
                let text = format!("{} sent {tries} times; {device} does not accept it: {error}", short(&action.kind));
                let done = Done { operation_id, ..Done::by(Function::Qclm, text).with(device) };
                self.active.step(8, done, now, out);
                if rest.is_empty() {
                    let outcome = format!("no control action was accepted; the last error: {error}");
                    return self.end(RunState::Failed, outcome, now, out);
                }
                let next = rest.remove(0);
                *number += 1;
                *action = control_action(decided, &next, *number);
                (*tries, *failed, *asked) = (0, None, None);
            }
        }
    }

    fn end(&mut self, state: RunState, outcome: impl Into<String>, now: Timestamp, out: &mut Vec<Effect>) {
        self.active.end(state, outcome, now, out);
        self.stage = Stage::Over;
    }

    fn raised<'a>(&'a self, network: Network<'a>) -> impl Iterator<Item = &'a AlarmKey> {
        let is_raised = move |key: &&AlarmKey| network.alarms.get(key).is_some_and(|alarm| !alarm.is_cleared);
        self.alarms.iter().filter(is_raised)
    }

    /// An alarm of it is raised, about something that the link rests on or that rests on it.
    fn holds(&self, network: Network<'_>) -> bool {
        let concerns = |key: &AlarmKey| network.layout.links_of(&key.resource).any(|link| *link == self.link);
        self.raised(network).any(concerns)
    }

    /// Either end was taken out of operation by the operator: what follows from that is no failure.
    fn is_disabled(&self, network: Network<'_>) -> bool {
        let Some(link) = network.layout.links.get(&self.link) else { return false };
        let mut ends = link.ends.iter().filter_map(|end| network.reports.get(&end.device));
        ends.any(|report| report.admin_state.as_deref() == Some("disabled"))
    }
}

/// The n-th action of a run, as Table I.2 has it. The operation-id is the same each time it is sent, and of this run alone.
fn control_action(run: &Run, action: &Action, number: u32) -> ControlAction {
    let mut value = json!({"cause": run.trigger.clone().unwrap_or_default()});
    if !run.alarm_id.is_empty() {
        value["alarm-id"] = json!(run.alarm_id);
    }
    if let (Some(value), Some(members)) = (value.as_object_mut(), action.value.as_object()) {
        value.extend(members.clone());
    }
    ControlAction {
        operation_id: format!("{}.{}.{number}", run.run_id, run.started.as_second()),
        description: action.description.clone(),
        kind: action.kind.clone(),
        priority: action.priority,
        value,
    }
}

/// Rank and severity of an alarm of a link.
fn weight(alarm: &Alarm) -> Option<(u8, Severity)> {
    Some((qlm::rank(short(&alarm.key.alarm_type_id))?, alarm.perceived_severity))
}

/// An identity without `module:`.
fn short(identity: &str) -> &str {
    identity.rsplit(':').next().unwrap_or(identity)
}

/// An enumeration as YANG spells it.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
