//! Management agents of a QKD network (Y.3804 clause 7): one per device, each a NETCONF server over a [`driver::Driver`].

pub mod alarm;
pub mod performance;
pub mod physics;
