//! NETCONF (RFC 6241) server and client over YANG data.

pub mod error;
pub mod server;
pub mod xml;
pub mod yang;
