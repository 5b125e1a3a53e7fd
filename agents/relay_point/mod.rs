//! The quantum relay point, seen over reference point Mqrp, which Y.3804 names and leaves open: an extension after Table I.5.

pub mod catalogue;
pub mod model;
pub mod simulated;

pub use model::CONTROLLED;
pub use simulated::SimulatedRelayPoint;
