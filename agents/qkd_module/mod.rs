//! The QKD module, seen over reference point Mq (Y.3804 clause I.5, Table I.4).

pub mod catalogue;
pub mod diagnostic;
pub mod fault;
pub mod model;
pub mod simulated;

pub use simulated::{Parameters, SimulatedModule};

pub(crate) use simulated::{SimulatedDevice, configured};

/// What a controller may write at a module (clause 8.2), below its container.
pub const CONTROLLED: &[&str] = &["service-state", "active-channel"];
