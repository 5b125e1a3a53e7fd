//! What a QKDN controller measures and the alarms it can have (extensions: Table I.2 has rows for actions only).

use crate::alarm::Severity::{Critical, Major};
use crate::driver::AlarmType;
use crate::performance::{Kind, Quantity};

/// Names of the quantities, identities of qkdn-performance.
pub mod quantity {
    pub const ROUTE_COMPUTATION_TIME: &str = "qkdn-performance:route-computation-time";
    pub const BLOCKED_ROUTE_REQUESTS: &str = "qkdn-performance:blocked-route-requests";
    pub const REROUTE_COUNT: &str = "qkdn-performance:reroute-count";
    pub const MEAN_HOP_COUNT: &str = "qkdn-performance:mean-hop-count";
}

/// Names of the alarm types, identities of qkdn-alarms.
pub mod alarm_type {
    pub const CONTROLLER_UNREACHABLE: &str = "qkdn-alarms:controller-unreachable";
    pub const ROUTE_UNAVAILABLE: &str = "qkdn-alarms:route-unavailable";
}

pub static QUANTITIES: &[Quantity] = &[
    Quantity {
        identity: quantity::ROUTE_COMPUTATION_TIME,
        description: "Time that the last computation of routes took",
        unit: "ms",
        kind: Kind::Gauge,
    },
    Quantity {
        identity: quantity::BLOCKED_ROUTE_REQUESTS,
        description: "Routes wanted for which there was no way",
        unit: "count",
        kind: Kind::Counter,
    },
    Quantity { identity: quantity::REROUTE_COUNT, description: "Reroutings", unit: "count", kind: Kind::Counter },
    Quantity {
        identity: quantity::MEAN_HOP_COUNT,
        description: "Mean number of hops of the routes in service",
        unit: "hop",
        kind: Kind::Gauge,
    },
];

pub static ALARM_TYPES: &[AlarmType] = &[
    AlarmType {
        identity: alarm_type::CONTROLLER_UNREACHABLE,
        description: "The controller does not take actions",
        class: "communications",
        will_clear: true,
        severities: &[Critical],
    },
    AlarmType {
        identity: alarm_type::ROUTE_UNAVAILABLE,
        description: "There is no way for a route that was to be led around something",
        class: "processing-error",
        will_clear: true,
        severities: &[Major],
    },
];

pub static CAPABILITIES: &[&str] = &["control-orchestration", "performance", "alarms", "event-log"];
