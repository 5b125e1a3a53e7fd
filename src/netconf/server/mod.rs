//! The NETCONF server.

pub mod journal;
pub mod provider;
pub mod record;
pub mod stream;
