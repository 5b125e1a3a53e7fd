//! Management agents of a QKD network (Y.3804 clause 7): one per device, each a NETCONF server over a [`driver::Driver`].
//!
//! A driver reports facts, an agent raises alarms, the manager decides. [`alarm`], [`performance`], [`driver`] and [`state`] know no kind
//! of device; each kind has a folder of its own: its data, its catalogue, its drivers. [`physics`] and [`random`] serve the simulated ones.

pub mod agent;
pub mod alarm;
pub mod catalogue;
pub mod chassis;
pub mod config;
pub mod controller;
pub mod driver;
pub mod event_log;
pub mod fault;
pub mod fleet;
pub mod key_manager;
pub mod memory;
pub mod model;
pub mod network;
pub mod optical_switch;
pub mod performance;
pub mod physics;
pub mod qkd_module;
pub mod random;
pub mod relay_point;
pub mod run;
pub mod schema;
pub mod state;
pub mod surveillance;
pub mod topology;
