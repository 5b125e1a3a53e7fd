//! The states that every managed resource has (qkdn-types; Y.3804 clauses 8.2 and 9.1), and which changes of them are legal.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the operator of the network wants; the manager writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdminState {
    #[default]
    Enabled,
    Disabled,
}

/// How the control layer uses the resource; the controller writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    #[default]
    InService,
    OutOfService,
    Standby,
    Reserved,
}

impl ServiceState {
    /// Clause 8.2 names the states and leaves the transitions open. What is reserved for a future use is not in use and does not come into
    /// use in one step: its reservation ends first, with standby or out of service.
    pub fn may_become(self, next: ServiceState) -> bool {
        use ServiceState::{InService, Reserved};
        !matches!((self, next), (InService, Reserved) | (Reserved, InService))
    }
}

/// What the resource does in fact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperState {
    #[default]
    Unknown,
    Down,
    Starting,
    Operational,
    Degraded,
    Failed,
}

/// What the two commanded states come to.
pub fn is_in_use(admin: AdminState, service: ServiceState) -> bool {
    admin == AdminState::Enabled && service == ServiceState::InService
}

impl fmt::Display for ServiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ServiceState::InService => "in-service",
            ServiceState::OutOfService => "out-of-service",
            ServiceState::Standby => "standby",
            ServiceState::Reserved => "reserved",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ServiceState::*;

    #[test]
    fn reserved_comes_into_use_in_two_steps_only() {
        let all = [InService, OutOfService, Standby, Reserved];
        for from in all {
            for to in all {
                let illegal = (from, to) == (InService, Reserved) || (from, to) == (Reserved, InService);
                assert_eq!(from.may_become(to), !illegal, "{from} to {to}");
            }
        }
    }
}
