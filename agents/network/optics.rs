//! What faults, drift and configuration make of a link: the effective parameters of the physics.

use crate::fault::{Fault, grown};
use crate::physics::{Point, System, misalignment_under_interception, transmittance};
use crate::qkd_module::diagnostic::MEASURABLE_LOSS_DB;

/// Detectors of a receiver: one per bit value.
pub const DETECTORS: usize = 2;

/// Power of a sound laser before attenuation, dBm.
pub(crate) const LASER_DBM: f64 = 0.0;

/// Least share of the intensity with which a pulse still counts as light.
const DARK_LASER: f64 = 1e-3;

/// Temperature of a module and of its detectors in ordinary surroundings, degrees Celsius.
pub(crate) const MODULE_CELSIUS: f64 = 30.0;
pub(crate) const DETECTOR_CELSIUS: f64 = -50.0;

/// Share of a module's warming that reaches the cooled detectors.
const COOLING_LEAK: f64 = 0.1;

/// Warming that doubles the dark counts of an InGaAs avalanche diode, degrees Celsius.
const DARK_DOUBLING_CELSIUS: f64 = 8.0;

/// The link as it is at one time.
#[derive(Clone, Debug)]
pub(crate) struct Optics {
    /// From end to end, what the light passes included; infinite where it is cut off.
    pub(crate) loss_db: f64,
    pub(crate) point: Point,
    /// Share of detections in the wrong detector, seen by bright reference pulses: an eavesdropper leaves those alone.
    pub(crate) misalignment: f64,
    pub(crate) background_yield: f64,
    pub(crate) laser_dbm: f64,
    pub(crate) detector_celsius: f64,
    pub(crate) detectors_sound: bool,
    pub(crate) laser_sound: bool,
    pub(crate) light: bool,
    pub(crate) synchronized: bool,
    /// Share of messages that the classical channel loses.
    pub(crate) classical_loss: f64,
    /// Share of key blocks that are discarded after sifting.
    pub(crate) discarded: f64,
}

/// What a link's light depends on besides faults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    /// As configured.
    pub(crate) system: System,
    /// From end to end, loss by faults included, dB; infinite where the light is cut off.
    pub(crate) loss_db: f64,
    /// Misalignment beyond the system's, by drift.
    pub(crate) misalignment: f64,
    /// Warming of the receiver, degrees Celsius.
    pub(crate) warming: f64,
    /// The transmitter is on.
    pub(crate) lit: bool,
    /// Both modules answer on the classical channel.
    pub(crate) answered: bool,
}

impl Optics {
    /// The light of a link of this loss by design, dB, on which nothing has any effect.
    pub(crate) fn at_rest(system: System, loss_db: f64) -> Self {
        let (misalignment, warming) = (0.0, 0.0);
        Optics::new(&Conditions { system, loss_db, misalignment, warming, lit: true, answered: true }, &[])
    }

    /// The light of a link under these conditions, with what faults, each with its age in seconds, do to it.
    pub(crate) fn new(conditions: &Conditions, faults: &[(&Fault, f64)]) -> Self {
        let Conditions { system, loss_db, .. } = *conditions;
        let sum = |part: &dyn Fn(&Fault, f64) -> Option<f64>| -> f64 {
            faults.iter().filter_map(|(fault, age)| part(fault, *age)).sum()
        };
        let any = |part: &dyn Fn(&Fault) -> bool| faults.iter().any(|(fault, _)| part(fault));

        let detector_heat = COOLING_LEAK * conditions.warming;
        let dark_factor: f64 =
            faults.iter().filter_map(|(fault, _)| fault.dark_counts.map(|dark| dark.factor)).product();
        let dimmed_db =
            sum(&|fault, age| fault.laser_fault.map(|laser| laser.power_drop * grown(laser.ramp_time, age)));
        let left: f64 = (0..DETECTORS)
            .map(|detector| {
                let failures = faults.iter().filter_map(|(fault, _)| fault.detector_failure);
                failures.filter(|f| usize::from(f.detector) == detector).map(|f| f.efficiency).product::<f64>()
            })
            .sum::<f64>()
            / DETECTORS as f64;
        let misalignment = system.misalignment
            + conditions.misalignment
            + sum(&|fault, _| fault.misalignment.map(|misalignment| misalignment.error / 100.0));
        let intercepted = sum(&|fault, _| fault.eavesdropper.map(|eve| eve.fraction)).min(1.0);

        let mut seen = System {
            receiver_transmittance: system.receiver_transmittance * left,
            background_yield: system.background_yield * dark_factor * (detector_heat / DARK_DOUBLING_CELSIUS).exp2(),
            signal_intensity: system.signal_intensity * transmittance(dimmed_db),
            decoy_intensity: system.decoy_intensity * transmittance(dimmed_db),
            misalignment: misalignment.clamp(0.0, 0.5),
            ..system
        };
        for (fault, age) in faults {
            if let Some(change) = fault.qber {
                let qber = seen.over_loss(loss_db).qber * 100.0;
                let wanted = change.target.unwrap_or(qber + change.offset.unwrap_or(0.0));
                let forced = qber + (wanted - qber) * grown(change.ramp_time, *age);
                seen.misalignment = misalignment_for(&seen, loss_db, forced / 100.0);
            }
        }
        let misalignment = seen.misalignment;
        seen.misalignment = misalignment_under_interception(misalignment, intercepted);

        let laser_sound = transmittance(dimmed_db) > DARK_LASER;
        let light = conditions.lit && laser_sound && loss_db < MEASURABLE_LOSS_DB;
        let unanswered = if conditions.answered { 0.0 } else { 1.0 };
        Optics {
            loss_db,
            point: seen.over_loss(loss_db),
            misalignment,
            background_yield: seen.background_yield,
            laser_dbm: LASER_DBM - dimmed_db,
            detector_celsius: DETECTOR_CELSIUS + detector_heat,
            detectors_sound: !any(&|fault| fault.detector_failure.is_some_and(|failure| failure.efficiency < 0.5)),
            laser_sound,
            light,
            synchronized: light && !any(&|fault| fault.synchronization_loss.is_some()),
            classical_loss: faults.iter().fold(unanswered, |lost: f64, (fault, _)| {
                let cut = fault.fibre_cut.is_some_and(|cut| cut.classical_channel);
                lost.max(fault.classical_channel_loss.map_or(if cut { 1.0 } else { 0.0 }, |loss| loss.ratio))
            }),
            discarded: sum(&|fault, _| fault.post_processing_failure.map(|failure| failure.ratio)).min(1.0),
        }
    }
}

/// The misalignment with which a system shows this QBER, a ratio; as near as it can be.
fn misalignment_for(system: &System, loss_db: f64, qber: f64) -> f64 {
    let gain = system.over_loss(loss_db).gain;
    let signal = gain - system.background_yield;
    if signal <= 0.0 {
        return system.misalignment;
    }
    ((qber * gain - 0.5 * system.background_yield) / signal).clamp(0.0, 0.5)
}
