//! The QKDN controller, seen over reference point Mc (Y.3804 clause I.3, Table I.2): it carries out control orchestration actions.
//!
//! An action is checked, made durable, answered, and then executed at the agents of the devices, whose NETCONF client the controller is.
//! What an action means is in [`action`] and [`route`], which do nothing; who is there, a directory tells ([`client`]).

pub mod action;
pub mod catalogue;
pub mod client;
mod driver;
mod execution;
mod fault;
pub mod model;
pub mod repository;
pub mod route;
pub mod view;

pub use driver::{Controller, ControllerError, ControllerSettings};

/// The nodes of the controller's own container that a controller may write: none, it is the manager's.
pub const CONTROLLED: &[&str] = &[];

/// The modules that its agent implements beside those of every agent.
pub const MODULES: &[&str] = &["qkdn-mc"];

#[cfg(test)]
mod tests;
