//! A manager over loopback SSH.
