//! What was decided goes to a controller, and what comes of it is awaited (clause 10.1.1 step 8, clause 10.5 steps 5 and 6).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{ActiveRun, Done, Network, means, short};
use crate::facts::ActionProgress;
use crate::function::qclm::{Action, Choice, RuledOut};
use crate::input::{ControlAction, Effect};
use crate::model::{DeviceName, Function, Kind};
use crate::record::{Procedure, Run, RunState, Step};

/// An action that failed is sent again after so long: a controller that restarts is back by then.
const RETRY_AFTER: SignedDuration = SignedDuration::from_secs(5);

/// A run waits so long for a controller to be connected before it says so: one that restarts, or the manager, is back by then.
const CONTROLLER_PATIENCE: SignedDuration = SignedDuration::from_secs(5);

/// After so long without a word of what became of an action that was accepted the run ends: a controller tries its devices for less than
/// a minute, and one that was away tells at its return.
const ACTION_PATIENCE: SignedDuration = SignedDuration::from_secs(120);

/// Tries of one action; then the next alternative is taken, and after the last the run has failed.
const TRIES: u32 = 2;

/// What was decided, as the step of the decision records it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Decision {
    /// Those that it was made for; more may join the run later.
    #[serde(default)]
    pub alarm_id: Vec<String>,
    #[serde(flatten)]
    pub first: Choice,
    /// What is to be done besides, one after the other.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub then: Vec<Choice>,
    /// What there would be besides, and why it is no alternative.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub ruled_out: Vec<RuledOut>,
}

/// A decision on its way. All of it can be made anew of the run's steps.
#[derive(Debug)]
pub struct Control {
    /// The run as it was when it was decided: an action that is sent again is the same.
    decided: Box<Run>,
    /// All actions as they are numbered, with the choice that each belongs to.
    actions: Vec<(usize, Action)>,
    /// Index of the one whose turn it is.
    current: usize,
    stage: Stage,
    /// What was given up of the present choice, and why.
    given_up: Vec<String>,
    /// What was done, and of which choices nothing could be done.
    done: Vec<String>,
    failed: Vec<String>,
}

#[derive(Debug)]
enum Stage {
    Sending {
        /// Since when it could be sent.
        since: Timestamp,
        tries: u32,
        asked: Option<Timestamp>,
        failed: Option<String>,
        /// How it ended, where the controller tells that before it answers.
        told: Option<ActionProgress>,
    },
    /// The controller accepted it, and has not told how it ended.
    Acting {
        device: DeviceName,
        action_id: String,
        since: Timestamp,
    },
    Ended(RunState, String),
}

/// What a step of an action tells besides its text.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Told {
    action_id: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

impl Control {
    /// Decided now, and recorded by the caller.
    pub fn new(run: &Run, decision: Decision, now: Timestamp) -> Control {
        let Decision { alarm_id, first, then, .. } = decision;
        let choices = std::iter::once(first).chain(then).enumerate();
        let numbered = choices.flat_map(|(choice, Choice { action, alternatives })| {
            std::iter::once(action).chain(alternatives).map(move |action| (choice, action))
        });
        Control {
            decided: Box::new(Run { alarm_id, ..run.clone() }),
            actions: numbered.collect(),
            current: 0,
            stage: Stage::sending(now),
            given_up: Vec::new(),
            done: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Goes on where the steps of a run end.
    pub fn recover(run: &Run, decision: Decision, steps: &[Step], now: Timestamp) -> Control {
        let mut control = Control::new(run, decision, now);
        let (send, result) = numbers(run.procedure);
        for step in steps.iter().filter(|step| step.number == send || step.number == result) {
            let position = step.operation_id.as_deref().and_then(|id| id.rsplit('.').next()?.parse::<usize>().ok());
            let Some(position) = position.filter(|position| (1..=control.actions.len()).contains(position)) else {
                continue;
            };
            control.current = position - 1;
            let data = step.data.as_deref().unwrap_or("{}");
            let told: Told = serde_json::from_str(data).unwrap_or_default();
            match told {
                Told { error: Some(error), .. } => control.give_up(&error, now),
                Told { state: Some(_), action_id: Some(action_id), .. } => {
                    let text = control.success(&action_id, step.peer.as_deref().unwrap_or_default());
                    control.succeed(text, now);
                }
                Told { action_id: Some(action_id), .. } => {
                    let device = step.peer.clone().unwrap_or_default();
                    control.stage = Stage::Acting { device, action_id, since: step.time };
                }
                Told { .. } => {}
            }
        }
        control
    }

    /// The operation-id of the action whose turn it is.
    pub fn operation_id(&self) -> String {
        format!("{}.{}.{}", self.decided.run_id, self.decided.started.as_second(), self.current + 1)
    }

    /// How the run ends, once nothing is to be done any more.
    pub fn ended(&self) -> Option<(RunState, String)> {
        match &self.stage {
            Stage::Ended(state, outcome) => Some((*state, outcome.clone())),
            _ => None,
        }
    }

    /// Sends what is due. `is_over`: what it was decided for is no more.
    pub fn go_on(
        &mut self,
        active: &mut ActiveRun,
        is_over: bool,
        network: Network<'_>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        match &self.stage {
            Stage::Sending { asked, failed, .. } => {
                let is_due = asked.is_none_or(|asked| now.duration_since(asked) >= RETRY_AFTER);
                // Asked and not answered: an answer, or its absence, is always told.
                if (asked.is_some() && failed.is_none()) || !is_due {
                    return;
                }
            }
            Stage::Acting { device, action_id, since } => {
                if now.duration_since(*since) >= ACTION_PATIENCE {
                    let text = self.success(action_id, device);
                    let silence = format!("; what came of it was not told within {} s", ACTION_PATIENCE.as_secs());
                    self.succeed(text + &silence, now);
                    self.go_on(active, is_over, network, now, out);
                }
                return;
            }
            Stage::Ended(..) => return,
        }
        if is_over {
            let outcome = match self.given_up.is_empty() {
                true => "the failure was over before a controller took an action".to_owned(),
                false => format!("{}; by then the failure was over", self.given_up.join("; ")),
            };
            self.stage = Stage::Ended(RunState::NoAction, outcome);
            return;
        }
        if let Some(RuledOut { reason, .. }) = self.ruled_out(network) {
            let text = format!("{} is no alternative any more: {reason}", short(&self.action().kind));
            let data = json!({"type": self.action().kind, "error": reason});
            let done = Done { operation_id: Some(self.operation_id()), ..Done::by(Function::Qclm, text).data(data) };
            active.step(numbers(self.decided.procedure).0, done, now, out);
            self.give_up(&reason, now);
            return self.go_on(active, is_over, network, now, out);
        }
        self.send(active, network, now, out);
    }

    fn send(&mut self, active: &mut ActiveRun, network: Network<'_>, now: Timestamp, out: &mut Vec<Effect>) {
        let order = self.order();
        let Stage::Sending { since, tries, asked, failed, .. } = &mut self.stage else { return };
        let mut controllers = network
            .reports
            .iter()
            .filter(|(device, report)| report.kind == Kind::Controller && network.operational.contains(*device));
        let Some((controller, _)) = controllers.next() else {
            // It runs on, and says what it waits for; the first controller that is there gets the action.
            if active.run.outcome.is_none() && now.duration_since(*since) >= CONTROLLER_PATIENCE {
                let outcome = format!("waits for a controller to send {} to: none is connected", short(&order.kind));
                active.run.outcome = Some(outcome);
                active.changed(out);
            }
            return;
        };
        if active.run.outcome.take().is_some() {
            active.changed(out);
        }
        *asked = Some(now);
        *failed = None;
        *tries += 1;
        let run = active.run.run_id.clone();
        out.push(Effect::Control { run, device: controller.clone(), action: Box::new(order) });
    }

    /// The controller's answer, or that there was none.
    pub fn answered(
        &mut self,
        active: &mut ActiveRun,
        device: &str,
        result: Result<&str, &str>,
        network: Network<'_>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        let order = self.order();
        let Stage::Sending { tries, failed, told, .. } = &mut self.stage else { return };
        let kind = short(&order.kind);
        let number = numbers(self.decided.procedure).0;
        let told = told.take();
        // Where the answer was lost it is known all the same.
        let known = told.as_ref().map(|progress| progress.action_id.clone());
        match known.as_deref().map_or(result, Ok) {
            Ok(action_id) => {
                let text = format!("{kind} sent; {device} accepts it as {action_id}");
                let data = json!({"action-id": action_id, "type": order.kind, "priority": order.priority, "value": order.value});
                let operation_id = Some(order.operation_id);
                let done = Done { operation_id, ..Done::by(Function::Qclm, text).with(device).data(data) };
                active.step(number, done, now, out);
                let action_id = action_id.to_owned();
                self.stage = Stage::Acting { device: device.to_owned(), action_id, since: now };
                if let Some(progress) = told {
                    self.progressed(active, device, &progress, now, out);
                }
            }
            // A controller that went away has refused nothing.
            Err(error) if !network.operational.contains(device) => {
                *failed = Some(error.to_owned());
                *tries = tries.saturating_sub(1);
            }
            Err(error) if *tries < TRIES => *failed = Some(error.to_owned()),
            Err(error) => {
                let text = format!("{kind} sent {tries} times; {device} does not accept it: {error}");
                let error = format!("not accepted by {device}: {error}");
                let data = json!({"type": order.kind, "error": error});
                let operation_id = Some(order.operation_id);
                let done = Done { operation_id, ..Done::by(Function::Qclm, text).with(device).data(data) };
                active.step(number, done, now, out);
                self.give_up(&error, now);
            }
        }
    }

    /// How far the controller got with an action: of this run, if it is the one that is awaited.
    pub fn progressed(
        &mut self,
        active: &mut ActiveRun,
        device: &str,
        progress: &ActionProgress,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        if !progress.has_ended() {
            return;
        }
        let operation_id = self.operation_id();
        match &mut self.stage {
            Stage::Sending { told, .. } if progress.operation_id.as_ref() == Some(&operation_id) => {
                *told = Some(progress.clone());
            }
            Stage::Acting { device: asked, action_id, .. } if asked == device && *action_id == progress.action_id => {
                let action_id = action_id.clone();
                let number = numbers(self.decided.procedure).1;
                let kind = self.action().kind.clone();
                let why = progress.text.as_deref().unwrap_or("no reason is told");
                if progress.state == "done" {
                    // Of 10.1.1 there is no step for it: the run ends with it.
                    if number != numbers(self.decided.procedure).0 {
                        let what = progress.text.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
                        let text = format!("{device} has done {} ({action_id}){what}", short(&kind));
                        let data = json!({"action-id": action_id, "type": kind, "state": progress.state});
                        let done = Done { operation_id: Some(operation_id), ..Done::by(Function::Qclm, text) };
                        active.step(number, done.with(device).data(data), now, out);
                    }
                    self.succeed(self.success(&action_id, device), now);
                } else {
                    let text = format!("{} ({action_id}) {} at {device}: {why}", short(&kind), progress.state);
                    let error = format!("{} at {device}: {why}", progress.state);
                    let data = json!({"action-id": action_id, "type": kind, "state": progress.state, "error": error});
                    let done = Done { operation_id: Some(operation_id), ..Done::by(Function::Qclm, text) };
                    active.step(number, done.with(device).data(data), now, out);
                    self.give_up(&error, now);
                }
            }
            _ => {}
        }
    }

    fn action(&self) -> &Action {
        &self.actions[self.current].1
    }

    /// The action whose turn it is, as Table I.2 has it. The operation-id is the same each time it is sent, and of this run alone.
    fn order(&self) -> ControlAction {
        let (run, action) = (&self.decided, self.action());
        let mut value = json!({"cause": run.trigger.clone().unwrap_or_default()});
        if !run.alarm_id.is_empty() {
            value["alarm-id"] = json!(run.alarm_id);
        }
        if let (Some(value), Some(members)) = (value.as_object_mut(), action.value.as_object()) {
            value.extend(members.clone());
        }
        ControlAction {
            operation_id: self.operation_id(),
            description: action.description.clone(),
            kind: action.kind.clone(),
            priority: action.priority,
            value,
        }
    }

    /// An alternative whose equipment has failed since it was decided.
    fn ruled_out(&self, network: Network<'_>) -> Option<RuledOut> {
        let link = self.decided.resource_id.first().filter(|_| !self.given_up.is_empty())?;
        means::of(link, network).ruled_out.into_iter().find(|out| out.kind == self.action().kind)
    }

    fn success(&self, action_id: &str, device: &str) -> String {
        let action = self.action();
        format!("{}: {} ({action_id} at {device})", short(&action.kind), action.description)
    }

    fn succeed(&mut self, mut text: String, now: Timestamp) {
        if !self.given_up.is_empty() {
            text.push_str(&format!(", after {}", self.given_up.join("; ")));
        }
        self.done.push(text);
        self.next_choice(now);
    }

    /// The turn of the next alternative, or of the next choice.
    fn give_up(&mut self, error: &str, now: Timestamp) {
        self.given_up.push(format!("{} {error}", short(&self.action().kind)));
        let choice = self.actions[self.current].0;
        if self.actions.get(self.current + 1).is_some_and(|(next, _)| *next == choice) {
            self.current += 1;
            self.stage = Stage::sending(now);
            return;
        }
        self.failed.push(self.given_up.join("; "));
        self.next_choice(now);
    }

    fn next_choice(&mut self, now: Timestamp) {
        self.given_up.clear();
        let choice = self.actions[self.current].0;
        if let Some(next) = self.actions.iter().position(|(next, _)| *next > choice) {
            self.current = next;
            self.stage = Stage::sending(now);
            return;
        }
        let state = if self.failed.is_empty() { RunState::Completed } else { RunState::Failed };
        let failed = self.failed.iter().map(|failed| format!("no control action succeeded: {failed}"));
        let outcome: Vec<String> = self.done.iter().cloned().chain(failed).collect();
        self.stage = Stage::Ended(state, outcome.join("; "));
    }
}

impl Stage {
    fn sending(since: Timestamp) -> Stage {
        Stage::Sending { since, tries: 0, asked: None, failed: None, told: None }
    }
}

/// The Recommendation's numbers of the steps that send an action and that tell what came of it.
fn numbers(procedure: Procedure) -> (u8, u8) {
    match procedure {
        Procedure::Security => (5, 6),
        _ => (8, 8),
    }
}
