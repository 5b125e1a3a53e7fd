//! What every kind's catalogue is written with: names of identities, quantities (Tables I.2 to I.6 rows 3 and 4), alarm types (rows 7 and 8).

use crate::alarm::Severity::{self, Critical, Major, Warning};
use crate::driver::AlarmType;
use crate::performance::{Kind, Quantity};

/// Constants for identities of a module: `identities! { "qkdn-alarms": SYNC_LOST = "sync-lost" }`.
macro_rules! identities {
    ($module:literal: $($constant:ident = $name:literal),* $(,)?) => {
        $(pub const $constant: &str = concat!($module, ":", $name);)*
    };
}
pub(crate) use identities;

/// Severities of an alarm that a threshold raises.
pub const THRESHOLD: &[Severity] = &[Warning, Major, Critical];

pub const fn gauge(identity: &'static str, unit: &'static str, description: &'static str) -> Quantity {
    Quantity { identity, description, unit, kind: Kind::Gauge }
}

pub const fn counter(identity: &'static str, unit: &'static str, description: &'static str) -> Quantity {
    Quantity { identity, description, unit, kind: Kind::Counter }
}

/// An alarm that is cleared by itself when what it tells of is over.
pub const fn alarm(
    identity: &'static str,
    class: &'static str,
    severities: &'static [Severity],
    description: &'static str,
) -> AlarmType {
    AlarmType { identity, description, class, will_clear: true, severities }
}
