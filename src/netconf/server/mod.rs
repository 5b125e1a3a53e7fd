//! The NETCONF server.

pub mod provider;
