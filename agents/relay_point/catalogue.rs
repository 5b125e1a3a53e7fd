//! What a quantum relay point measures and the alarms it can have.

use crate::alarm::Severity::{self, Critical, Major, Warning};
use crate::driver::AlarmType;
use crate::performance::{Kind, Quantity};

/// Names of the quantities, identities of qkdn-performance.
pub mod quantity {
    pub const QBER: &str = "qkdn-performance:qber";
    pub const CHANNEL_LOSS: &str = "qkdn-performance:channel-loss";
    pub const EXPECTED_ATTENUATION: &str = "qkdn-performance:expected-attenuation";
    pub const MODULE_TEMPERATURE: &str = "qkdn-performance:module-temperature";
}

/// Names of the alarm types, identities of qkdn-alarms.
pub mod alarm_type {
    pub const RELAY_POINT_FAULT: &str = "qkdn-alarms:relay-point-fault";
    pub const QBER_THRESHOLD_EXCEEDED: &str = "qkdn-alarms:qber-threshold-exceeded";
    pub const QUANTUM_CHANNEL_LOSS_HIGH: &str = "qkdn-alarms:quantum-channel-loss-high";
    pub const MODULE_TEMPERATURE: &str = "qkdn-alarms:module-temperature";
}

const fn gauge(identity: &'static str, unit: &'static str, description: &'static str) -> Quantity {
    Quantity { identity, description, unit, kind: Kind::Gauge }
}

pub static QUANTITIES: &[Quantity] = &[
    gauge(quantity::QBER, "percent", "Quantum bit error rate over the joined pair"),
    gauge(quantity::CHANNEL_LOSS, "dB", "Loss of the span"),
    gauge(quantity::EXPECTED_ATTENUATION, "dB", "Attenuation of the span that the configuration expects"),
    gauge(quantity::MODULE_TEMPERATURE, "celsius", "Temperature of the relay point"),
];

const fn alarm(
    identity: &'static str,
    class: &'static str,
    severities: &'static [Severity],
    description: &'static str,
) -> AlarmType {
    AlarmType { identity, description, class, will_clear: true, severities }
}

const THRESHOLD: &[Severity] = &[Warning, Major, Critical];

pub static ALARM_TYPES: &[AlarmType] = &[
    alarm(alarm_type::RELAY_POINT_FAULT, "equipment", &[Critical], "The quantum relay point fails"),
    alarm(
        alarm_type::QBER_THRESHOLD_EXCEEDED,
        "quality-of-service",
        THRESHOLD,
        "The QBER over a joined pair lies beyond a threshold",
    ),
    alarm(alarm_type::QUANTUM_CHANNEL_LOSS_HIGH, "communications", THRESHOLD, "The loss of a span is high"),
    alarm(alarm_type::MODULE_TEMPERATURE, "environmental", THRESHOLD, "The temperature of the relay point is high"),
];

pub static CAPABILITIES: &[&str] = &["provisioning", "performance", "alarms", "event-log"];
