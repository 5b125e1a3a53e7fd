//! The NETCONF server.

pub mod nacm;
pub mod provider;
