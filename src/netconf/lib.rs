//! NETCONF (RFC 6241) server and client over YANG data.

pub mod capability;
pub mod client;
pub mod error;
pub mod framing;
pub mod message;
mod seldom;
pub mod server;
pub mod transport;
pub mod xml;
pub mod yang;
