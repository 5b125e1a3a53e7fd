//! Fault management, QKD link failure (clause 10.1.1): one run for each incident of a link, from the alert to the controller.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::control::{Control, Decision};
use super::{ActiveRun, Done, Network, means, security, short, word};
use crate::alarm::AlarmList;
use crate::facts::{ActionProgress, Diagnosis, Facts};
use crate::function::qclm::{self, Choice, RuledOut};
use crate::function::qlm::{self, Analysis};
use crate::input::Effect;
use crate::model::{DeviceName, Function, ResourceId, Severity};
use crate::record::{Alarm, AlarmKey, Procedure, Run, RunState, Step};

/// How long the module measures, s: long enough for some thousand detections of a slow system, short enough for an operator who waits.
const DIAGNOSTIC_SECONDS: u16 = 2;

/// After so long without an answer the analysis goes on without a diagnosis.
const DIAGNOSTIC_PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// All incidents: what is wrong with a link, and, apart from it, whether it can still be trusted (clause 10.5).
#[derive(Debug, Default)]
pub struct LinkFailures {
    incidents: BTreeMap<(Procedure, ResourceId), Incident>,
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
    /// From step 7 on, and of 10.5 from step 4.
    Controlling(Box<Control>),
    /// The run has ended; alarms that follow from the incident still come.
    Over,
}

impl LinkFailures {
    /// Goes on with what had not ended when the manager stopped.
    pub fn recover(runs: &[(Run, Vec<Step>)], alarms: &AlarmList, now: Timestamp) -> LinkFailures {
        let mut failures = LinkFailures::default();
        let dealt_with = [Procedure::LinkFailure, Procedure::Security];
        for (run, steps) in runs.iter().filter(|(run, _)| dealt_with.contains(&run.procedure)) {
            let Some(link) = run.resource_id.first() else { continue };
            let keys: BTreeSet<AlarmKey> =
                run.alarm_id.iter().filter_map(|id| alarms.by_id(id)).map(|alarm| alarm.key.clone()).collect();
            let handled =
                keys.iter().filter_map(|key| alarms.get(key)).filter_map(weight).min_by_key(|(rank, _)| *rank);
            let is_security = run.procedure == Procedure::Security;
            let number = if is_security { security::DECISION } else { 7 };
            let decided = steps.iter().find(|step| step.number == number).and_then(|step| step.data.as_ref());
            let decided = decided.and_then(|data| serde_json::from_str::<Decision>(data).ok());
            let stage = match decided {
                Some(decision) => Stage::Controlling(Box::new(Control::recover(run, decision, steps, now))),
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
            failures.incidents.insert((run.procedure, link.clone()), incident);
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
        let procedure = procedure_of(key);
        let mut dealing = None;
        let links: Vec<ResourceId> = network.layout.links_of(&key.resource).cloned().collect();
        for link in links {
            let incident = (procedure, link.clone());
            if !self.incidents.contains_key(&incident)
                && let Some(forgotten) = Incident::forgotten(&link, key, network, now)
            {
                self.incidents.insert(incident.clone(), forgotten);
            }
            if let Some(incident) = self.incidents.get_mut(&incident) {
                let is_over = matches!(incident.stage, Stage::Over);
                let is_worse =
                    rank < incident.handled.0 || (rank == incident.handled.0 && severity > incident.handled.1);
                if !is_over || !is_worse || qlm::is_consequence(short(&key.alarm_type_id)) {
                    incident.join(alarm, out);
                    dealing = Some(incident.active.run.run_id.clone());
                    continue;
                }
            }
            let held = self.incidents.remove(&incident).map(|incident| incident.alarms).unwrap_or_default();
            let begin = if procedure == Procedure::Security { Incident::secure } else { Incident::begin };
            let begun = begin(&link, alarm, held, network, next_run(), now, out);
            dealing = Some(begun.active.run.run_id.clone());
            self.incidents.insert(incident, begun);
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
        let Stage::Controlling(control) = &mut incident.stage else { return };
        control.answered(&mut incident.active, device, result, network, now, out);
        // An action that is sent again after a restart may have ended long ago.
        let known = match network.reports.get(device).map(|report| &report.facts) {
            Some(Facts::Controller(facts)) => facts.state.control_action.as_slice(),
            _ => &[],
        };
        for progress in known.iter().filter(|progress| result == Ok(&progress.action_id)) {
            control.progressed(&mut incident.active, device, progress, now, out);
        }
        incident.control(network, now, out);
        self.cleared(network);
    }

    /// How far a controller got with an action, by its notification or as it was read. What is of no run any more changes nothing.
    pub fn progressed(
        &mut self,
        device: &str,
        progress: &ActionProgress,
        network: Network<'_>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        for incident in self.incidents.values_mut() {
            if let Stage::Controlling(control) = &mut incident.stage {
                control.progressed(&mut incident.active, device, progress, now, out);
                incident.control(network, now, out);
            }
        }
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
                Stage::Controlling(_) => incident.control(network, now, out),
                _ => {}
            }
        }
        self.cleared(network);
    }
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
        let procedure = procedure_of(new);
        let is_held =
            |alarm: &&Alarm| !alarm.is_cleared && alarm.run_id.is_some() && procedure_of(&alarm.key) == procedure;
        let held: Vec<&Alarm> = of_link.filter(is_held).collect();
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
            procedure,
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
        if let Some(reason) = self.is_disabled(network) {
            return self.end(RunState::NoAction, format!("{reason}: nothing is to be done"), now, out);
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
        let actions = match severity {
            Severity::Warning | Severity::Indeterminate => Vec::new(),
            _ => qclm::decide(*cause, &means),
        };
        let Some(choice) = Choice::of(actions) else {
            let reason =
                if severity <= Severity::Warning { "a warning asks for none" } else { "the cause is not known" };
            self.active.step(7, Done::by(Function::Qclm, format!("no control action: {reason}")), now, out);
            return self.end(RunState::NoAction, format!("no control action: {reason}"), now, out);
        };
        let mut text = choice.text();
        for RuledOut { kind, reason } in &means.ruled_out {
            text.push_str(&format!("; not {}: {reason}", short(kind)));
        }
        let decision = Decision {
            alarm_id: self.active.run.alarm_id.clone(),
            first: choice,
            then: Vec::new(),
            ruled_out: means.ruled_out,
        };
        // What follows from this cause is dealt with by this run, also when it is told later.
        self.handled.0 = self.handled.0.min(qlm::explains(*cause));
        self.decide(7, Function::Qclm, text, decision, now, out);
        // 8) QCLM sends it to the QKDN controller for the required actions.
        self.control(network, now, out);
    }

    /// Clause 10.5: a run whose decision does not wait for a diagnosis, nor end with the alarm.
    fn secure(
        link: &ResourceId,
        alarm: &Alarm,
        mut held: BTreeSet<AlarmKey>,
        network: Network<'_>,
        run_id: String,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Incident {
        let (active, text, decision) = security::begin(link, alarm, network, run_id, now, out);
        held.insert(alarm.key.clone());
        let handled = weight(alarm).unwrap_or((u8::MAX, Severity::Indeterminate));
        let mut incident = Incident { link: link.clone(), active, alarms: held, handled, stage: Stage::Over };
        incident.decide(security::DECISION, Function::Xlmo, text, decision, now, out);
        incident.control(network, now, out);
        incident
    }

    /// Records a decision, with the operation that it leads to.
    fn decide(
        &mut self,
        number: u8,
        actor: Function,
        text: String,
        decision: Decision,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        let data = serde_json::to_value(&decision).unwrap_or_default();
        let control = Control::new(&self.active.run, decision, now);
        let done = Done { operation_id: Some(control.operation_id()), ..Done::by(actor, text).data(data) };
        self.active.step(number, done, now, out);
        self.stage = Stage::Controlling(Box::new(control));
    }

    /// Sends what is due, and ends the run if nothing is to be done any more.
    fn control(&mut self, network: Network<'_>, now: Timestamp, out: &mut Vec<Effect>) {
        // What was once opened stays suspect when it is closed again.
        let is_over = self.active.run.procedure != Procedure::Security && self.raised(network).next().is_none();
        let Stage::Controlling(control) = &mut self.stage else { return };
        control.go_on(&mut self.active, is_over, network, now, out);
        if let Some((state, outcome)) = control.ended() {
            self.end(state, outcome, now, out);
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

    /// Either end was taken out of operation by the operator or by a controller: what follows from that is no failure.
    fn is_disabled(&self, network: Network<'_>) -> Option<&'static str> {
        let link = network.layout.links.get(&self.link)?;
        let ends = || link.ends.iter().filter_map(|end| network.reports.get(&end.device));
        if ends().any(|report| report.admin_state.as_deref() == Some("disabled")) {
            return Some("the operator disabled the link");
        }
        let is_out = ends().any(|report| report.service_state.as_deref() == Some("out-of-service"));
        is_out.then_some("the link was taken out of service")
    }
}

/// What deals with an alarm of this type.
fn procedure_of(key: &AlarmKey) -> Procedure {
    if qlm::is_security(short(&key.alarm_type_id)) { Procedure::Security } else { Procedure::LinkFailure }
}

/// Rank and severity of an alarm of a link.
fn weight(alarm: &Alarm) -> Option<(u8, Severity)> {
    Some((qlm::rank(short(&alarm.key.alarm_type_id))?, alarm.perceived_severity))
}
