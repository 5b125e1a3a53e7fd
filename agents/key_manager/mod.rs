//! The key manager (KM), seen over reference point Mk (Y.3804 clause I.4, Table I.3).

pub mod catalogue;
pub mod diagnostic;
pub mod events;
pub mod layer;
pub mod metering;
pub mod model;
pub mod simulated;

pub use simulated::{CONTROLLED, SimulatedKeyManager};
