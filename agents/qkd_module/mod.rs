//! The QKD module, seen over reference point Mq (Y.3804 clause I.5, Table I.4).

pub mod catalogue;
pub mod diagnostic;
pub mod fault;
pub mod model;
pub mod simulated;

pub use simulated::{Parameters, SimulatedModule};

pub(crate) use simulated::{SimulatedDevice, configured};
