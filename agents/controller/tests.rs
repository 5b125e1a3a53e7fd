//! A controller and agents over SSH on loopback.
