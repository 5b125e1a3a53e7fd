//! What an optical switch measures (Table I.5 rows 3 and 4) and the alarms it can have (rows 7 and 8).

use crate::alarm::Severity::{self, Critical, Major, Warning};
use crate::driver::AlarmType;
use crate::performance::{Kind, Quantity};

/// Names of the quantities, identities of qkdn-performance.
pub mod quantity {
    pub const PORT_INSERTION_LOSS: &str = "qkdn-performance:port-insertion-loss";
    pub const OPTICAL_POWER_IN: &str = "qkdn-performance:optical-power-in";
    pub const OPTICAL_POWER_OUT: &str = "qkdn-performance:optical-power-out";
    pub const CROSS_CONNECT_STATE: &str = "qkdn-performance:cross-connect-state";
    pub const SWITCHING_TIME: &str = "qkdn-performance:switching-time";
    pub const SWITCHING_COUNT: &str = "qkdn-performance:switching-count";
    pub const CLASSICAL_CHANNEL_LATENCY: &str = "qkdn-performance:classical-channel-latency";
    pub const CLASSICAL_CHANNEL_LOSS: &str = "qkdn-performance:classical-channel-loss";
    pub const MODULE_TEMPERATURE: &str = "qkdn-performance:module-temperature";
}

/// Names of the alarm types, identities of qkdn-alarms.
pub mod alarm_type {
    pub const SWITCH_FAULT: &str = "qkdn-alarms:switch-fault";
    pub const PORT_FAULT: &str = "qkdn-alarms:port-fault";
    pub const INSERTION_LOSS_HIGH: &str = "qkdn-alarms:insertion-loss-high";
    pub const OPTICAL_POWER_LOW: &str = "qkdn-alarms:optical-power-low";
    pub const UNEXPECTED_CROSS_CONNECT: &str = "qkdn-alarms:unexpected-cross-connect";
    pub const CLASSICAL_CHANNEL_FAILURE: &str = "qkdn-alarms:classical-channel-failure";
    pub const MODULE_TEMPERATURE: &str = "qkdn-alarms:module-temperature";
}

const fn gauge(identity: &'static str, unit: &'static str, description: &'static str) -> Quantity {
    Quantity { identity, description, unit, kind: Kind::Gauge }
}

pub static QUANTITIES: &[Quantity] = &[
    gauge(quantity::PORT_INSERTION_LOSS, "dB", "Loss between the ports of the connection"),
    gauge(quantity::OPTICAL_POWER_IN, "dBm", "Power that enters the port"),
    gauge(quantity::OPTICAL_POWER_OUT, "dBm", "Power that leaves the port"),
    gauge(quantity::CROSS_CONNECT_STATE, "state", "State of the connection: 1 up, 2 degraded, 3 down"),
    gauge(quantity::SWITCHING_TIME, "ms", "Time that making the connection took"),
    Quantity {
        identity: quantity::SWITCHING_COUNT,
        description: "Switching operations",
        unit: "count",
        kind: Kind::Counter,
    },
    gauge(quantity::CLASSICAL_CHANNEL_LATENCY, "ms", "Latency of the classical channel of the link, one way"),
    gauge(quantity::CLASSICAL_CHANNEL_LOSS, "ratio", "Messages that the classical channel of the link loses"),
    gauge(quantity::MODULE_TEMPERATURE, "celsius", "Temperature of the device"),
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
    alarm(
        alarm_type::SWITCH_FAULT,
        "equipment",
        &[Major, Critical, Warning],
        "The optical switch fails, does not obey, or is slow",
    ),
    alarm(alarm_type::PORT_FAULT, "equipment", &[Critical], "A port lets no light through"),
    alarm(
        alarm_type::INSERTION_LOSS_HIGH,
        "communications",
        THRESHOLD,
        "The loss between the ports of a connection is high",
    ),
    alarm(alarm_type::OPTICAL_POWER_LOW, "communications", THRESHOLD, "Little light enters a port"),
    alarm(
        alarm_type::UNEXPECTED_CROSS_CONNECT,
        "security",
        &[Major],
        "Two ports are connected that should not be, or the other way round",
    ),
    alarm(
        alarm_type::CLASSICAL_CHANNEL_FAILURE,
        "communications",
        &[Major, Critical, Warning],
        "The latency of the classical channel is high",
    ),
    alarm(alarm_type::MODULE_TEMPERATURE, "environmental", THRESHOLD, "The temperature of the device is high"),
];

pub static CAPABILITIES: &[&str] = &["provisioning", "performance", "alarms", "event-log"];
