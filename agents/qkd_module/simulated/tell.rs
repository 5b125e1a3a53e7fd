//! What a simulated device tells unasked: changes of its states, log entries, and that its agent should look.

use super::super::model::AlignmentState;
use super::device::{CLASSICAL_DOWN, SimulatedDevice, States};
use crate::driver::{Fact, FactSender, LogClass, LogFact, Nothing, StateChange};
use crate::state::AdminState;

impl SimulatedDevice {
    /// From now on facts go there.
    pub(crate) fn start(&mut self, sender: FactSender<Nothing>) {
        if self.sender.replace(sender).is_some() {
            tracing::warn!(
                module = self.parameters.module_id,
                "started twice; facts go where they last were asked for"
            );
        }
    }

    /// Sends what there is to tell, to whoever listens.
    pub(crate) fn tell(&mut self) {
        for fact in self.facts.drain(..) {
            if let Some(sender) = &self.sender {
                sender.send(fact);
            }
        }
    }

    /// Goes over to these states.
    pub(super) fn enter(&mut self, new: States) {
        if self.states == new {
            return;
        }
        let old = std::mem::replace(&mut self.states, new);
        let (module, link) = (self.parameters.module_id.clone(), self.link_id().to_owned());
        let reason = self.reason();
        if old.oper != new.oper {
            self.counted.system_changes += 1;
            self.tell_change(module.clone(), MODULE_KIND, "oper-state", text(&old.oper), text(&new.oper), reason);
        }
        if old.link != new.link {
            self.tell_change(link, "qkdn-types:qkd-link", "oper-state", text(&old.link), text(&new.link), reason);
        }
        if old.alignment != new.alignment {
            self.counted.alignment_changes += 1;
            self.counted.optimizations += u64::from(new.alignment == AlignmentState::Aligned);
            let (old, new) = (text(&old.alignment), text(&new.alignment));
            self.tell_change(module.clone(), MODULE_KIND, "alignment-state", old, new, reason);
        }
        if old.synchronization != new.synchronization {
            let (old, new) = (text(&old.synchronization), text(&new.synchronization));
            self.tell_change(module, MODULE_KIND, "synchronization-state", old, new, reason);
        }
    }

    fn reason(&self) -> &'static str {
        if self.config.admin_state == AdminState::Disabled {
            "disabled"
        } else if self.fails() {
            "equipment fails"
        } else if !self.peer.lit {
            "the peer is off"
        } else if !self.optics.light {
            "no light"
        } else if !self.optics.synchronized {
            "no synchronization"
        } else if self.optics.classical_loss >= CLASSICAL_DOWN {
            "no classical channel"
        } else if self.is_withdrawn() {
            "out of service"
        } else if self.peer.withdrawn {
            "the peer is out of service"
        } else if self.abort.judgement().is_some() || self.peer.aborted {
            "QBER too high"
        } else {
            "measured"
        }
    }

    pub(super) fn tell_change(
        &mut self,
        resource: String,
        kind: &'static str,
        state: &'static str,
        old: String,
        new: String,
        reason: &str,
    ) {
        let of = if kind == MODULE_KIND { "module" } else { "link" };
        self.changed.insert(of, self.now);
        let reason = reason.to_owned();
        self.facts.push(Fact::StateChanged(StateChange { time: self.now, resource, kind, state, old, new, reason }));
    }

    /// The agent should look at once.
    pub(crate) fn tell_conditions(&mut self) {
        if !self.facts.contains(&Fact::ConditionsChanged) {
            self.facts.push(Fact::ConditionsChanged);
        }
    }

    pub(crate) fn tell_expired(&mut self, number: u64, by: &str) {
        self.tell_log("fault-cleared", format!("fault-{number}: its time is over"), by);
    }

    pub(crate) fn tell_log(&mut self, event: &'static str, text: String, user: &str) {
        self.facts.push(Fact::Log(LogFact {
            time: self.now,
            resource: self.parameters.module_id.clone(),
            class: LogClass::Event,
            event,
            text,
            user: Some(user.to_owned()),
        }));
    }
}

pub(super) const MODULE_KIND: &str = "qkdn-types:qkd-module";

/// The name of a state, as YANG has it.
pub(super) fn text(state: &impl serde::Serialize) -> String {
    match serde_json::to_value(state) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("a state is an enumeration, not {other:?}"),
    }
}
