//! The optical switch, seen over reference point Mops (Y.3804 clause I.6, Table I.5).

pub mod catalogue;
pub mod model;
pub mod simulated;

pub use model::CONTROLLED;
pub use simulated::SimulatedSwitch;

#[cfg(test)]
mod tests;
