//! What a simulated device makes of its link: states, and the conditions that are worth an alarm.

use super::super::catalogue::alarm_type;
use super::super::model::{AlignmentState, KeyGeneration, Role, SynchronizationState};
use super::device::{CLASSICAL_DOWN, SimulatedDevice, States};
use crate::driver::Condition;
use crate::model::types::ChannelState;
use crate::state::{AdminState, OperState, ServiceState, is_in_use};

/// Ticks from switching on to generating key: alignment and synchronization.
const START_TICKS: u64 = 2;

/// Misalignment at which alignment counts as lost.
const MISALIGNED: f64 = 0.10;

impl SimulatedDevice {
    pub(super) fn judged_states(&self) -> States {
        let (lit, optics) = (self.is_lit(), &self.optics);
        let starting = self.is_starting() || self.peer.starting;
        let alignment = match (lit, optics.light, starting) {
            (true, true, true) => AlignmentState::Aligning,
            (true, true, false) if optics.misalignment > MISALIGNED => AlignmentState::Lost,
            (true, true, false) => AlignmentState::Aligned,
            _ => AlignmentState::Unknown,
        };
        let synchronization = match (lit, starting, optics.synchronized) {
            (false, ..) => SynchronizationState::Unknown,
            (true, true, true) => SynchronizationState::Acquiring,
            (true, false, true) => SynchronizationState::Locked,
            (true, _, false) => SynchronizationState::Lost,
        };
        let quantum_channel = match (lit, optics.light) {
            (false, _) => ChannelState::Unknown,
            (true, false) => ChannelState::Down,
            (true, true) if alignment == AlignmentState::Lost => ChannelState::Degraded,
            (true, true) => ChannelState::Up,
        };
        let classical_channel = match optics.classical_loss {
            loss if loss >= CLASSICAL_DOWN => ChannelState::Down,
            loss if loss > 0.0 => ChannelState::Degraded,
            _ => ChannelState::Up,
        };
        let carries = self.carries();
        let (failed, aborted) = (self.fails(), self.abort.judgement().is_some() || self.peer.aborted);
        let key_generation =
            if !is_in_use(self.config.admin_state, self.config.service_state) || failed || starting || !carries {
                KeyGeneration::Stopped
            } else if aborted {
                KeyGeneration::Aborted
            } else if !optics.detectors_sound
                || self.has(|fault| fault.authentication_failure.is_some())
                || !self.peer.sound
                || !self.peer.in_use
            {
                KeyGeneration::Stopped
            } else {
                KeyGeneration::Running
            };
        let degraded =
            quantum_channel == ChannelState::Degraded || optics.discarded > 0.0 || optics.classical_loss > 0.0;
        // A link makes key with both ends or not at all: what stops one is seen at both.
        let stopped = aborted || self.is_withdrawn() || self.peer.withdrawn;
        let link = if self.config.admin_state == AdminState::Disabled || !carries || stopped {
            OperState::Down
        } else if starting {
            OperState::Starting
        } else if degraded || key_generation == KeyGeneration::Stopped && self.in_use() && self.peer.in_use {
            OperState::Degraded
        } else {
            OperState::Operational
        };
        let oper = if failed { OperState::Failed } else { link };
        States { oper, link, alignment, synchronization, quantum_channel, classical_channel, key_generation }
    }

    pub(super) fn is_starting(&self) -> bool {
        self.started.is_none_or(|ticks| ticks < START_TICKS)
    }

    pub(super) fn in_use(&self) -> bool {
        is_in_use(self.config.admin_state, self.config.service_state)
    }

    /// Taken out of service; a module on standby or reserved is ready and keeps its link up.
    pub(super) fn is_withdrawn(&self) -> bool {
        self.config.service_state == ServiceState::OutOfService
    }

    /// Light and messages get from end to end.
    fn carries(&self) -> bool {
        let optics = &self.optics;
        optics.light && optics.synchronized && optics.classical_loss < CLASSICAL_DOWN && self.peer.lit
    }

    /// Equipment of this module does not work.
    pub(super) fn fails(&self) -> bool {
        let part = match self.parameters.role {
            Role::Receiver => !self.optics.detectors_sound,
            Role::Transmitter => !self.optics.laser_sound,
        };
        part || self.has(|fault| fault.module_failure.is_some() || fault.random_number_failure.is_some())
    }

    /// What holds and is worth an alarm. What follows from something else that is told is not told.
    pub(super) fn judged_conditions(&self) -> Vec<Condition> {
        let states = &self.states;
        let mut conditions = Vec::new();
        let mut hold = |holds: bool, resource: &dyn Fn() -> String, alarm_type, text: &str| {
            if holds {
                conditions.push(Condition { resource: resource(), alarm_type, text: text.to_owned() });
            }
        };
        let (module, link) = (|| self.parameters.module_id.clone(), || self.link_id().to_owned());
        let failure = self.has(|fault| fault.module_failure.is_some());
        hold(failure, &module, alarm_type::MODULE_FAULT, "The QKD module failed");
        let tampered = self.has(|fault| fault.tamper.is_some());
        hold(tampered, &module, alarm_type::MODULE_TAMPER, "The tamper contact is open");
        let qrng = self.has(|fault| fault.random_number_failure.is_some());
        let generator = || self.part("random-number-generator");
        hold(qrng, &generator, alarm_type::QRNG_HEALTH_FAILED, "The random number generator failed its health test");
        let impostor = self.has(|fault| fault.authentication_failure.is_some());
        let stranger = "The peer module could not be authenticated";
        hold(impostor, &module, alarm_type::MODULE_AUTHENTICATION_FAILURE, stranger);
        if !self.is_lit() {
            return conditions;
        }
        let classical_down = states.classical_channel == ChannelState::Down;
        let classical = || self.part("classical-channel");
        let silence = "The classical channel carries no messages";
        hold(classical_down, &classical, alarm_type::CLASSICAL_CHANNEL_FAILURE, silence);
        let receiver = self.parameters.role == Role::Receiver;
        let detector = receiver && !self.optics.detectors_sound;
        hold(detector, &|| self.part("detector"), alarm_type::DETECTOR_FAULT, "A detector does not count");
        let laser = !receiver && !self.optics.laser_sound;
        hold(laser, &|| self.part("light-source"), alarm_type::LASER_FAULT, "The laser does not emit");
        if !self.in_use() {
            return conditions;
        }
        // A peer that is switched off by command is no fault, and of a QBER that is too high there is an alarm of its own.
        let down = !self.carries() && !laser && !self.peer.disabled;
        hold(down, &link, alarm_type::QKD_LINK_DOWN, "The QKD link is down and generates no key");
        if !self.optics.light {
            return conditions;
        }
        let unsynchronized = states.synchronization == SynchronizationState::Lost;
        let synchronization = || self.part("synchronization-unit");
        hold(unsynchronized, &synchronization, alarm_type::SYNC_LOST, "The clocks do not follow each other");
        let misaligned = states.alignment == AlignmentState::Lost;
        hold(misaligned, &link, alarm_type::ALIGNMENT_LOST, "Transmitter and receiver are out of alignment");
        let aborted = states.key_generation == KeyGeneration::Aborted;
        hold(aborted, &link, alarm_type::QBER_ABORT, "Key generation stopped because the QBER is too high");
        let suspicious = self.suspicious.judgement().is_some();
        let suspicion = "The QBER is higher than loss, visibility and dark counts explain";
        hold(suspicious, &link, alarm_type::EAVESDROPPING_SUSPECTED, suspicion);
        let discarded = self.optics.discarded > 0.0;
        hold(discarded, &link, alarm_type::KEY_GENERATION_FAILURE, "Key blocks fail after sifting");
        conditions
    }
}
