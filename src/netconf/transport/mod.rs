//! The transports of NETCONF (RFC 6241 section 2) and what they tell a session about its peer.

use std::net::SocketAddr;

pub mod auth;
pub mod ssh;
pub mod strangers;

/// Which secure transport a session runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// RFC 6242.
    Ssh,
}

impl Transport {
    /// The identity of RFC 6022's `transport` leaf.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Ssh => "netconf-ssh",
        }
    }
}

/// Who is at the other end of a session, as the transport authenticated it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The NETCONF username (RFC 6242 section 3).
    pub user: String,
    pub transport: Transport,
    pub address: SocketAddr,
}

/// Raises the soft limit on open files to the hard one, and returns it: a session is a file, and the usual soft limit
/// of 1,024 ends a server at a thousand sessions. To be called once, at start.
pub fn raise_open_file_limit() -> std::io::Result<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}
