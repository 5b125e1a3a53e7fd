//! What an optical switch measures (Table I.5 rows 3 and 4) and the alarms it can have (rows 7 and 8).

use crate::alarm::Severity::{Critical, Major, Warning};
use crate::catalogue::{THRESHOLD, alarm, counter, gauge};
use crate::driver::AlarmType;
use crate::performance::Quantity;

/// Names of the quantities, identities of qkdn-performance.
pub mod quantity {
    use crate::catalogue::identities;

    identities! { "qkdn-performance":
        PORT_INSERTION_LOSS = "port-insertion-loss",
        OPTICAL_POWER_IN = "optical-power-in",
        OPTICAL_POWER_OUT = "optical-power-out",
        CROSS_CONNECT_STATE = "cross-connect-state",
        SWITCHING_TIME = "switching-time",
        SWITCHING_COUNT = "switching-count",
        CLASSICAL_CHANNEL_LATENCY = "classical-channel-latency",
        CLASSICAL_CHANNEL_LOSS = "classical-channel-loss",
        MODULE_TEMPERATURE = "module-temperature",
    }
}

/// Names of the alarm types, identities of qkdn-alarms.
pub mod alarm_type {
    use crate::catalogue::identities;

    identities! { "qkdn-alarms":
        SWITCH_FAULT = "switch-fault",
        PORT_FAULT = "port-fault",
        INSERTION_LOSS_HIGH = "insertion-loss-high",
        OPTICAL_POWER_LOW = "optical-power-low",
        UNEXPECTED_CROSS_CONNECT = "unexpected-cross-connect",
        CLASSICAL_CHANNEL_FAILURE = "classical-channel-failure",
        MODULE_TEMPERATURE = "module-temperature",
    }
}

pub static QUANTITIES: &[Quantity] = &[
    gauge(quantity::PORT_INSERTION_LOSS, "dB", "Loss between the ports of the connection"),
    gauge(quantity::OPTICAL_POWER_IN, "dBm", "Power that enters the port"),
    gauge(quantity::OPTICAL_POWER_OUT, "dBm", "Power that leaves the port"),
    gauge(quantity::CROSS_CONNECT_STATE, "state", "State of the connection: 1 up, 2 degraded, 3 down"),
    gauge(quantity::SWITCHING_TIME, "ms", "Time that making the connection took"),
    counter(quantity::SWITCHING_COUNT, "count", "Switching operations"),
    gauge(quantity::CLASSICAL_CHANNEL_LATENCY, "ms", "Latency of the classical channel of the link, one way"),
    gauge(quantity::CLASSICAL_CHANNEL_LOSS, "ratio", "Messages that the classical channel of the link loses"),
    gauge(quantity::MODULE_TEMPERATURE, "celsius", "Temperature of the device"),
];

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
