//! The agents that a topology needs: names, identifiers and the first configuration of each, as RFC 7951 JSON.

use super::Topology;

/// Kinds of agents, as the command line and the files name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentKind {
    QkdModule,
    KeyManager,
    OpticalSwitch,
    RelayPoint,
    Controller,
}

/// One agent of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentPlan {
    pub kind: AgentKind,
    /// Of the agent: `L-tx`, `L-rx`, `km-N`, or the device's own name.
    pub name: String,
    /// Of the device.
    pub resource_id: String,
    /// The device's first configuration: `{"module:container": {…}}`.
    pub initial: serde_json::Value,
}

impl AgentKind {
    pub const ALL: [AgentKind; 5] = [
        AgentKind::QkdModule,
        AgentKind::KeyManager,
        AgentKind::OpticalSwitch,
        AgentKind::RelayPoint,
        AgentKind::Controller,
    ];

    /// As the command line names it, such as `qkd-module`.
    pub fn name(self) -> &'static str {
        match self {
            AgentKind::QkdModule => "qkd-module",
            AgentKind::KeyManager => "key-manager",
            AgentKind::OpticalSwitch => "optical-switch",
            AgentKind::RelayPoint => "relay-point",
            AgentKind::Controller => "controller",
        }
    }
}

impl Topology {
    /// Every agent, layer by layer from the quantum layer up: modules, switches, relay points, KMs, controller.
    pub fn agents(&self) -> Vec<AgentPlan> {
        Vec::new()
    }
}
