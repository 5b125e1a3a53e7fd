//! What a key manager measures (Table I.3 rows 3 and 4, Y.3807 clause 8) and the alarms it can have (rows 7 and 8).

use crate::alarm::Severity::{Critical, Major, Warning};
use crate::catalogue::{alarm, counter, gauge};
use crate::driver::AlarmType;
use crate::performance::Quantity;

/// Names of the quantities, identities of qkdn-performance.
pub mod quantity {
    use crate::catalogue::identities;

    identities! { "qkdn-performance":
        KEY_RELAYING_DELAY = "key-relaying-delay",
        KEY_DATA_LOSS = "key-data-loss",
        RESIDUAL_KEY_AMOUNT = "residual-key-amount",
        RESIDUAL_KEY_COUNT = "residual-key-count",
        KEY_CONSUMPTION_RATE = "key-consumption-rate",
        KEY_GENERATION_RATE = "key-generation-rate",
        THROUGHPUT = "throughput",
        KSA_KEY_RESPONSE_DELAY = "ksa-key-response-delay",
        KSA_KEY_RESPONSE_DELAY_VARIATION = "ksa-key-response-delay-variation",
        KSA_KEY_DELIVERY_LOSS_RATIO = "ksa-key-delivery-loss-ratio",
        AVAILABILITY = "availability",
        SERVICE_RESTORATION_TIME = "service-restoration-time",
        RELAY_SUCCESS_COUNT = "relay-success-count",
        RELAY_FAILURE_COUNT = "relay-failure-count",
        RELAY_HOP_COUNT = "relay-hop-count",
        KEYS_RELAYED = "keys-relayed",
        SUPPLY_REJECTIONS = "supply-rejections",
        KEY_AGE_MAXIMUM = "key-age-maximum",
        KEYS_EXPIRED = "keys-expired",
        KEYS_DELETED = "keys-deleted",
    }
}

/// Names of the alarm types, identities of qkdn-alarms.
pub mod alarm_type {
    use crate::catalogue::identities;

    identities! { "qkdn-alarms":
        KM_FAILURE = "km-failure",
        KM_LINK_FAILURE = "km-link-failure",
        KM_RELAY_FAILURE = "km-relay-failure",
        KEY_STORE_LOW = "key-store-low",
        KEY_STORE_EXHAUSTED = "key-store-exhausted",
        KEY_SYNC_MISMATCH = "key-sync-mismatch",
        KEY_SUPPLY_REJECTED = "key-supply-rejected",
        APP_AUTHENTICATION_FAILURE = "app-authentication-failure",
        KM_PERFORMANCE_DEGRADED = "km-performance-degraded",
    }
}

/// All of the model but the delivery error ratio: a KM whose keys cannot be wrong has none to measure.
pub static QUANTITIES: &[Quantity] = &[
    gauge(quantity::KEY_RELAYING_DELAY, "ms", "Time that a key relay takes from its source to its destination"),
    gauge(quantity::KEY_DATA_LOSS, "ratio", "Share of the key data lost in relay over the last minute"),
    gauge(quantity::RESIDUAL_KEY_AMOUNT, "bit", "Key left in the store, in bits"),
    gauge(quantity::RESIDUAL_KEY_COUNT, "key", "Key left in the store, in keys"),
    gauge(quantity::KEY_CONSUMPTION_RATE, "bit/s", "Key taken from the store per second, over the last minute"),
    gauge(quantity::KEY_GENERATION_RATE, "bit/s", "Key received from QKD modules per second, over the last minute"),
    gauge(quantity::THROUGHPUT, "bit/s", "Key supplied to applications per second, over the last minute"),
    gauge(quantity::KSA_KEY_RESPONSE_DELAY, "ms", "Time from the request for a key to its delivery"),
    gauge(quantity::KSA_KEY_RESPONSE_DELAY_VARIATION, "ms", "Mean change of the response delay from key to key"),
    gauge(
        quantity::KSA_KEY_DELIVERY_LOSS_RATIO,
        "ratio",
        "Share of the keys requested over the last minute that were not delivered",
    ),
    gauge(quantity::AVAILABILITY, "percent", "Share of the last minute in which applications got their keys"),
    gauge(quantity::SERVICE_RESTORATION_TIME, "s", "Time from the latest loss of the key supply to its return"),
    counter(quantity::RELAY_SUCCESS_COUNT, "count", "Keys relayed from here or for others that arrived"),
    counter(quantity::RELAY_FAILURE_COUNT, "count", "Keys relayed from here or for others that were lost"),
    gauge(quantity::RELAY_HOP_COUNT, "hop", "Hops of the relay route"),
    counter(quantity::KEYS_RELAYED, "key", "Keys relayed for others"),
    counter(quantity::SUPPLY_REJECTIONS, "count", "Requests for keys refused"),
    gauge(quantity::KEY_AGE_MAXIMUM, "s", "Age of the oldest key in the store"),
    counter(quantity::KEYS_EXPIRED, "key", "Keys dropped at the end of their life time"),
    counter(quantity::KEYS_DELETED, "key", "Keys deleted after use"),
];

pub static ALARM_TYPES: &[AlarmType] = &[
    alarm(alarm_type::KM_FAILURE, "processing-error", &[Critical], "The key manager fails"),
    alarm(alarm_type::KM_LINK_FAILURE, "communications", &[Critical], "The KM link carries nothing"),
    alarm(alarm_type::KM_RELAY_FAILURE, "processing-error", &[Major], "Keys are lost or stuck in relay"),
    alarm(alarm_type::KEY_STORE_LOW, "quality-of-service", &[Warning], "The key left lies below the threshold"),
    alarm(alarm_type::KEY_STORE_EXHAUSTED, "quality-of-service", &[Critical], "There is no key left to use"),
    alarm(alarm_type::KEY_SYNC_MISMATCH, "processing-error", &[Major], "The two KMs do not hold the same keys"),
    alarm(alarm_type::KEY_SUPPLY_REJECTED, "quality-of-service", &[Major], "Requests of an application are refused"),
    alarm(
        alarm_type::APP_AUTHENTICATION_FAILURE,
        "security",
        &[Critical],
        "A cryptographic application could not be authenticated",
    ),
    alarm(
        alarm_type::KM_PERFORMANCE_DEGRADED,
        "quality-of-service",
        &[Warning, Major, Critical],
        "A performance value lies beyond a threshold",
    ),
];

pub static CAPABILITIES: &[&str] =
    &["provisioning", "performance", "alarms", "diagnostics", "accounting", "security", "event-log", "key-relay"];
