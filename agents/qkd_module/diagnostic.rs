//! The link diagnostic (Y.3804 clause 10.1.1 step 3): from what both ends measure to a probable cause. Knows measurements, not faults.

use super::model::{Measured, ProbableCause, Test, TestOutcome, TestResult};
use crate::model::types::ChannelState;
use crate::physics::{System, transmittance};

#[cfg(test)]
mod tests;

/// Loss beyond which no light is seen, dB: the dynamic range of the loss measurement.
pub const MEASURABLE_LOSS_DB: f64 = 60.0;

/// Loss above the expected attenuation that is still ordinary, dB: connectors and drift.
pub const ORDINARY_EXCESS_DB: f64 = 1.5;

/// Lowest visibility of an aligned link, percent: 90 % is where monitors in use warn.
pub const ALIGNED_VISIBILITY: f64 = 90.0;

/// Highest temperature of a module that is still ordinary, degrees Celsius: the limit that published monitors use.
pub const HOT_MODULE: f64 = 65.0;

/// Dark counts above the design's by this factor mean a detector that counts in the dark.
pub const DARK_FACTOR: f64 = 5.0;

/// Laser power below the design's by this much means a laser that fails, dB.
pub const WEAK_LASER_DB: f64 = 3.0;

/// QBER, in percentage points, that the loss, visibility and dark counts measured may leave unexplained before somebody else is.
pub const UNEXPLAINED_QBER: f64 = 1.0;

/// What a diagnostic starts from.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    pub measured: Measured,
    /// Enabled, in service and so on: light is meant to be there.
    pub in_use: bool,
    pub laser_design_dbm: f64,
    pub detectors_sound: bool,
    pub synchronized: bool,
    pub classical_channel: ChannelState,
    pub random_numbers_sound: bool,
    /// The system by design.
    pub design: System,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub link_state: ChannelState,
    pub cause: ProbableCause,
    /// Percent.
    pub confidence: f64,
    pub text: String,
    pub results: Vec<TestResult>,
}

/// The QBER in percent that a system must show, given the loss in dB, visibility in percent and dark counts per second that it measures.
/// What it shows beyond that has another cause.
pub fn explained_qber(design: &System, loss_db: f64, visibility: f64, dark_count_rate: f64) -> f64 {
    let misalignment = ((1.0 - visibility / 100.0) / 2.0).clamp(0.0, 0.5);
    let background_yield = dark_count_rate / design.clock_hz;
    System { misalignment, background_yield, ..*design }.over_loss(loss_db).qber * 100.0
}

/// Judges the evidence by the tests asked for; all of them where none is named.
pub fn diagnose(evidence: &Evidence, tests: &[Test]) -> Finding {
    let asked: Vec<Test> = Test::ALL.into_iter().filter(|test| tests.is_empty() || tests.contains(test)).collect();
    let results: Vec<TestResult> = asked.iter().map(|test| run(evidence, *test)).collect();
    let failed = |test: Test| results.iter().any(|r| r.test == test && r.outcome == TestOutcome::Failed);
    let (cause, confidence, text) = conclude(evidence, failed, asked.len());
    let no_light = light_loss(evidence).is_none();
    let link_state = if !evidence.in_use {
        ChannelState::Unknown
    } else if no_light || !evidence.synchronized || evidence.classical_channel == ChannelState::Down {
        ChannelState::Down
    } else if cause == ProbableCause::NoFaultFound {
        ChannelState::Up
    } else {
        ChannelState::Degraded
    };
    Finding { link_state, cause, confidence, text, results }
}

/// From the most direct evidence to the most indirect: what fails of itself explains what fails with it.
fn conclude(evidence: &Evidence, failed: impl Fn(Test) -> bool, tests: usize) -> (ProbableCause, f64, String) {
    use ProbableCause as Cause;
    let measured = &evidence.measured;
    let say = |cause, confidence, text: &str| (cause, confidence, text.to_owned());
    if !evidence.in_use {
        return say(Cause::AdministrativelyDown, 100.0, "the module is disabled or not in service");
    }
    if failed(Test::Source) {
        return say(Cause::LaserFailure, 95.0, "the laser emits less than it should");
    }
    if failed(Test::RandomNumberGenerator) {
        return say(Cause::RandomNumberFailure, 100.0, "the random number generator fails its health test");
    }
    if failed(Test::QuantumChannel) && light_loss(evidence).is_none() {
        let sure = if evidence.classical_channel == ChannelState::Down { 90.0 } else { 95.0 };
        return say(Cause::FibreCut, sure, "no light arrives although the laser is sound");
    }
    if failed(Test::ClassicalChannel) {
        return say(Cause::ClassicalChannelLoss, 95.0, "the peer does not answer over the classical channel");
    }
    if failed(Test::Detector) {
        if measured.module_temperature.is_some_and(|degrees| degrees > HOT_MODULE) {
            return say(Cause::TemperatureExcess, 80.0, "the detectors suffer from the heat of the module");
        }
        return say(Cause::DetectorFailure, 90.0, "a detector does not count, or counts in the dark");
    }
    if failed(Test::Synchronization) {
        return say(Cause::SynchronizationLoss, 95.0, "the clocks do not follow each other although light arrives");
    }
    if failed(Test::Alignment) {
        return say(Cause::Misalignment, 85.0, "the visibility is low");
    }
    if measured.module_temperature.is_some_and(|degrees| degrees > HOT_MODULE) {
        return say(Cause::TemperatureExcess, 90.0, "the module is too hot");
    }
    if failed(Test::QuantumChannel) {
        if let Some(points) = unexplained(evidence).filter(|points| *points > UNEXPLAINED_QBER) {
            let confidence = (50.0 + 10.0 * (points - UNEXPLAINED_QBER)).min(90.0);
            let text = format!("{points:.1} points of the QBER have no cause in loss, visibility or dark counts");
            return (Cause::Eavesdropping, confidence, text);
        }
        if excess_loss(evidence).is_some_and(|excess| excess > ORDINARY_EXCESS_DB) {
            return say(Cause::ExcessLoss, 90.0, "the loss is higher than expected, and explains the QBER");
        }
        return say(
            Cause::Undetermined,
            30.0,
            "the quantum channel does not behave, for no reason that the tests tell",
        );
    }
    let share = tests as f64 / Test::ALL.len() as f64;
    (Cause::NoFaultFound, 95.0 * share, format!("{tests} of {} tests passed", Test::ALL.len()))
}

fn run(evidence: &Evidence, test: Test) -> TestResult {
    let measured = &evidence.measured;
    let judge = |sound: Option<bool>, text: String| {
        let outcome = match sound {
            Some(true) => TestOutcome::Passed,
            Some(false) => TestOutcome::Failed,
            None => TestOutcome::NotRun,
        };
        TestResult { test, outcome, text: Some(text) }
    };
    if !evidence.in_use && test != Test::RandomNumberGenerator && test != Test::ClassicalChannel {
        return judge(None, "the module is not in use".to_owned());
    }
    match test {
        Test::QuantumChannel => match (light_loss(evidence), excess_loss(evidence), unexplained(evidence)) {
            (None, ..) => judge(Some(false), "no light".to_owned()),
            (Some(loss), excess, unexplained) => judge(
                Some(
                    excess.is_none_or(|db| db <= ORDINARY_EXCESS_DB)
                        && unexplained.is_none_or(|p| p <= UNEXPLAINED_QBER),
                ),
                match measured.qber {
                    Some(qber) => format!("loss {loss:.2} dB, QBER {qber:.2} %"),
                    None => format!("loss {loss:.2} dB, no QBER"),
                },
            ),
        },
        Test::Detector => {
            let usual = evidence.design.background_yield * evidence.design.clock_hz;
            let dark = measured.dark_count_rate;
            let quiet = dark.is_none_or(|rate| rate <= DARK_FACTOR * usual);
            let dark = dark.map_or("unknown".to_owned(), |rate| format!("{rate:.1} count/s"));
            judge(Some(evidence.detectors_sound && quiet), format!("dark counts {dark}"))
        }
        Test::Source => match measured.laser_power {
            Some(dbm) => judge(Some(dbm >= evidence.laser_design_dbm - WEAK_LASER_DB), format!("{dbm:.2} dBm")),
            None => judge(None, "the transmitter does not answer".to_owned()),
        },
        Test::Alignment => match measured.visibility {
            Some(percent) => judge(Some(percent >= ALIGNED_VISIBILITY), format!("visibility {percent:.2} %")),
            None => judge(None, "no light to align with".to_owned()),
        },
        Test::Synchronization => match light_loss(evidence) {
            Some(_) => judge(Some(evidence.synchronized), "clock recovered from the light".to_owned()),
            None => judge(None, "no light to synchronize with".to_owned()),
        },
        Test::ClassicalChannel => {
            let text = measured.classical_channel_delay.map_or("no answer".to_owned(), |ms| format!("{ms:.3} ms"));
            judge(Some(evidence.classical_channel == ChannelState::Up), text)
        }
        Test::RandomNumberGenerator => judge(Some(evidence.random_numbers_sound), "health test".to_owned()),
    }
}

/// The loss where any light arrives.
fn light_loss(evidence: &Evidence) -> Option<f64> {
    evidence.measured.channel_loss.filter(|loss| *loss < MEASURABLE_LOSS_DB)
}

fn excess_loss(evidence: &Evidence) -> Option<f64> {
    Some(light_loss(evidence)? - evidence.measured.expected_attenuation?)
}

/// Percentage points of QBER without a cause, less three standard deviations of a second's worth of sifted bits.
fn unexplained(evidence: &Evidence) -> Option<f64> {
    let measured = &evidence.measured;
    let loss = light_loss(evidence)?;
    let explained = explained_qber(&evidence.design, loss, measured.visibility?, measured.dark_count_rate?);
    let eta = transmittance(loss) * evidence.design.receiver_transmittance;
    let bits = (eta * evidence.design.signal_intensity * evidence.design.sifting * evidence.design.clock_hz).max(1.0);
    let share = explained / 100.0;
    Some(measured.qber? - explained - 300.0 * (share * (1.0 - share) / bits).sqrt())
}
