//! What a quantum relay point measures and the alarms it can have.

use crate::alarm::Severity::Critical;
use crate::catalogue::{THRESHOLD, alarm, gauge};
use crate::driver::AlarmType;
use crate::performance::Quantity;

/// Names of the quantities, identities of qkdn-performance.
pub mod quantity {
    use crate::catalogue::identities;

    identities! { "qkdn-performance":
        QBER = "qber",
        CHANNEL_LOSS = "channel-loss",
        EXPECTED_ATTENUATION = "expected-attenuation",
        MODULE_TEMPERATURE = "module-temperature",
    }
}

/// Names of the alarm types, identities of qkdn-alarms.
pub mod alarm_type {
    use crate::catalogue::identities;

    identities! { "qkdn-alarms":
        RELAY_POINT_FAULT = "relay-point-fault",
        QBER_THRESHOLD_EXCEEDED = "qber-threshold-exceeded",
        QUANTUM_CHANNEL_LOSS_HIGH = "quantum-channel-loss-high",
        MODULE_TEMPERATURE = "module-temperature",
    }
}

pub static QUANTITIES: &[Quantity] = &[
    gauge(quantity::QBER, "percent", "Quantum bit error rate over the joined pair"),
    gauge(quantity::CHANNEL_LOSS, "dB", "Loss of the span"),
    gauge(quantity::EXPECTED_ATTENUATION, "dB", "Attenuation of the span that the configuration expects"),
    gauge(quantity::MODULE_TEMPERATURE, "celsius", "Temperature of the relay point"),
];

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
