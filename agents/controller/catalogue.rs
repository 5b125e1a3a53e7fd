//! What a QKDN controller measures and the alarms it can have (extensions: Table I.2 has rows for actions only).

use crate::alarm::Severity::{Critical, Major};
use crate::catalogue::{alarm, counter, gauge};
use crate::driver::AlarmType;
use crate::performance::Quantity;

/// Names of the quantities, identities of qkdn-performance.
pub mod quantity {
    use crate::catalogue::identities;

    identities! { "qkdn-performance":
        ROUTE_COMPUTATION_TIME = "route-computation-time",
        BLOCKED_ROUTE_REQUESTS = "blocked-route-requests",
        REROUTE_COUNT = "reroute-count",
        MEAN_HOP_COUNT = "mean-hop-count",
    }
}

/// Names of the alarm types, identities of qkdn-alarms.
pub mod alarm_type {
    use crate::catalogue::identities;

    identities! { "qkdn-alarms":
        CONTROLLER_UNREACHABLE = "controller-unreachable",
        ROUTE_UNAVAILABLE = "route-unavailable",
    }
}

pub static QUANTITIES: &[Quantity] = &[
    gauge(quantity::ROUTE_COMPUTATION_TIME, "ms", "Time that the last computation of routes took"),
    counter(quantity::BLOCKED_ROUTE_REQUESTS, "count", "Routes wanted for which there was no way"),
    counter(quantity::REROUTE_COUNT, "count", "Reroutings"),
    gauge(quantity::MEAN_HOP_COUNT, "hop", "Mean number of hops of the routes in service"),
];

pub static ALARM_TYPES: &[AlarmType] = &[
    alarm(alarm_type::CONTROLLER_UNREACHABLE, "communications", &[Critical], "The controller does not take actions"),
    alarm(
        alarm_type::ROUTE_UNAVAILABLE,
        "processing-error",
        &[Major],
        "There is no way for a route that was to be led around something",
    ),
];

pub static CAPABILITIES: &[&str] = &["control-orchestration", "performance", "alarms", "event-log"];
