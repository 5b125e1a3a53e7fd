//! The NETCONF server.

pub mod provider;
pub mod record;
