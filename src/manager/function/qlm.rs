//! Quantum layer management (clause 9.2.1): which alerts tell of a link failure, whether to diagnose, and what the diagnosis means.

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::facts::Diagnosis;
use crate::model::Severity;

/// What QLM holds to be the cause of a link's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A device on the link's way failed: module, switch or port, relay point.
    EquipmentFailure,
    /// No light arrives.
    FibreCut,
    /// More loss than there should be.
    ExcessLoss,
    Eavesdropping,
    /// The classical channel fails.
    ClassicalChannel,
    /// Errors without loss: misalignment, drift, a warm or failing part.
    Degradation,
    Unknown,
}

/// What QLM makes of an alert and, where there is one, of a diagnosis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Analysis {
    pub cause: Cause,
    /// Percent
    pub confidence: f64,
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub diagnosis: Option<Diagnosis>,
}

/// Confidence in what alarms alone tell, percent: most of them have more causes than one.
const BY_ALARMS: f64 = 50.0;

/// How near an alarm type stands to the root of a link's failure: alarms of a higher rank follow from those of a lower one. None: not an
/// alarm of a QKD link. Alarm types without `module:`.
pub fn rank(alarm_type: &str) -> Option<u8> {
    Some(match alarm_type {
        "module-fault" | "switch-fault" | "port-fault" | "unexpected-cross-connect" | "relay-point-fault" => 0,
        "laser-fault" | "detector-fault" | "module-tamper" | "qrng-health-failed" => 1,
        "eavesdropping-suspected" => 2,
        "insertion-loss-high" | "optical-power-low" => 3,
        "quantum-channel-loss-high" | "classical-channel-failure" | "module-authentication-failure" => 4,
        "module-temperature" | "dark-count-high" => 5,
        "qber-threshold-exceeded" | "alignment-lost" | "sync-lost" => 6,
        "visibility-low" => 7,
        "qber-abort" => 8,
        "qkd-link-down" => 9,
        "key-generation-failure" | "skr-low" | "authentication-key-low" => 10,
        "key-store-low" | "key-store-exhausted" | "key-supply-rejected" => 11,
        _ => return None,
    })
}

/// Step 1: whether an alarm of this type is an alert on the level of a QKD link (Mq, Mops, Mqrp).
pub fn is_link_alert(alarm_type: &str) -> bool {
    rank(alarm_type).is_some_and(|rank| rank < 11)
}

/// Whether an alarm of this type tells of no fault but of an attack: its equipment works, and is not to be trusted (clause 10.5).
pub fn is_security(alarm_type: &str) -> bool {
    alarm_type == "module-tamper"
}

/// Clause 10.5 step 2: what such an alarm means for a link.
pub fn security_report(resource: &str, link: &str, since: Timestamp) -> String {
    format!(
        "{resource} was opened or moved: key that {link} made since {since} may be known to others, and what it makes is not to be trusted"
    )
}

/// Whether an alarm only tells what follows from another: it joins a run, and by itself is no news to one.
pub fn is_consequence(alarm_type: &str) -> bool {
    rank(alarm_type).is_some_and(|rank| (7..11).contains(&rank))
}

/// Step 2: why a diagnostic is to be made, or why not.
pub fn decide_diagnostic(alarm_type: &str, severity: Severity, module: Result<&str, &str>) -> Result<String, String> {
    if severity < Severity::Minor {
        return Err(format!("{alarm_type} is of severity warning only: the link is watched and not disturbed"));
    }
    match module {
        Ok(module) => Ok(format!("{alarm_type} can have several causes: {module} is asked for its link")),
        Err(reason) => Err(reason.to_owned()),
    }
}

/// Step 4: what the alerts of an incident and the diagnosis mean. `alarm_types` are those that hold, without `module:`.
pub fn analyse(alarm_types: &[&str], diagnosis: Option<&Diagnosis>) -> Analysis {
    let by_alarms = of_alarms(alarm_types);
    let Some(diagnosis) = diagnosis else {
        let text = format!("without a diagnosis, judged by the alarms alone: {}", alarm_types.join(", "));
        return Analysis { cause: by_alarms, confidence: BY_ALARMS, text, diagnosis: None };
    };
    let told = diagnosis.text.as_deref().unwrap_or("no more is told");
    let found = format!("probable cause {}: {told}", diagnosis.probable_cause);
    let (mut confidence, mut text) = (diagnosis.confidence, found.clone());
    let cause = match diagnosis.probable_cause.rsplit(':').next().unwrap_or_default() {
        // A switch or relay point that says so itself knows better why it is dark.
        "fibre-cut" | "excess-loss" if by_alarms == Cause::EquipmentFailure => {
            text = format!(
                "the equipment tells of it itself: {}; the module sees no more than {found}",
                alarm_types.join(", ")
            );
            Cause::EquipmentFailure
        }
        "fibre-cut" => Cause::FibreCut,
        "excess-loss" => Cause::ExcessLoss,
        "eavesdropping" => Cause::Eavesdropping,
        "classical-channel-loss" => Cause::ClassicalChannel,
        "detector-failure" | "laser-failure" | "random-number-failure" => Cause::EquipmentFailure,
        "misalignment" | "synchronization-loss" | "temperature-excess" => Cause::Degradation,
        _ if by_alarms == Cause::Unknown => Cause::Unknown,
        _ => {
            // The diagnosis may be sure of what it says; it says nothing of this cause.
            confidence = BY_ALARMS;
            text = format!("judged by the alarms: {}; the diagnosis tells no cause: {found}", alarm_types.join(", "));
            by_alarms
        }
    };
    Analysis { cause, confidence, text, diagnosis: Some(diagnosis.clone()) }
}

/// The rank from which on alarms are explained by a cause: what comes later and is no nearer to the root is no news.
pub fn explains(cause: Cause) -> u8 {
    match cause {
        Cause::EquipmentFailure => 1,
        Cause::Eavesdropping => 2,
        Cause::FibreCut | Cause::ExcessLoss => 3,
        Cause::ClassicalChannel => 4,
        Cause::Degradation => 5,
        Cause::Unknown => u8::MAX,
    }
}

fn of_alarms(alarm_types: &[&str]) -> Cause {
    let root = alarm_types.iter().filter_map(|alarm_type| rank(alarm_type).map(|rank| (rank, *alarm_type))).min();
    match root.map(|(_, alarm_type)| alarm_type) {
        Some(
            "module-fault"
            | "switch-fault"
            | "port-fault"
            | "unexpected-cross-connect"
            | "relay-point-fault"
            | "laser-fault"
            | "detector-fault"
            | "qrng-health-failed",
        ) => Cause::EquipmentFailure,
        Some("eavesdropping-suspected") => Cause::Eavesdropping,
        Some("insertion-loss-high" | "optical-power-low" | "quantum-channel-loss-high") => Cause::ExcessLoss,
        Some("classical-channel-failure" | "module-authentication-failure") => Cause::ClassicalChannel,
        Some("qkd-link-down") => Cause::FibreCut,
        Some(_) => Cause::Degradation,
        None => Cause::Unknown,
    }
}
