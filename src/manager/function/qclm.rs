//! QKDN control layer management (clause 9.2.3): which control action deals with a link's failure, and which others there were.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::qlm::Cause;
use crate::model::ResourceId;

/// What the network offers for a link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Means {
    pub link_id: ResourceId,
    /// The module at the transmitting end, or the only one.
    pub module_id: Option<ResourceId>,
    /// (module, channel): a second quantum channel.
    pub backup_channel: Option<(ResourceId, String)>,
    pub spare_path: Option<SparePath>,
    /// (relay point, relay): another pair of segments to join.
    pub spare_relay: Option<(ResourceId, String)>,
    /// What the network has besides, and is no help.
    pub ruled_out: Vec<RuledOut>,
}

/// A type of action that would lead the link through what has failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RuledOut {
    /// Identity of qkdn-types.
    #[serde(rename = "type")]
    pub kind: String,
    pub reason: String,
}

/// Two ports of an optical switch that stand by, for a cross-connect of the link.
#[derive(Clone, Debug, PartialEq)]
pub struct SparePath {
    pub switch_id: ResourceId,
    pub cross_connect: String,
    pub input: String,
    pub output: String,
}

/// A control action of Table I.2 that could be taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Action {
    /// Identity of qkdn-types.
    #[serde(rename = "type")]
    pub kind: String,
    pub priority: u8,
    pub description: String,
    /// The case of the choice `action`, as RFC 7951 JSON.
    pub value: Value,
}

/// One of these is to be done: the action, or where it fails the first alternative that does not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Choice {
    pub action: Action,
    pub alternatives: Vec<Action>,
}

impl Choice {
    /// The first is the action; None without any.
    pub fn of(mut actions: Vec<Action>) -> Option<Choice> {
        (!actions.is_empty()).then(|| Choice { action: actions.remove(0), alternatives: actions })
    }

    /// In words.
    pub fn text(&self) -> String {
        let name = |action: &Action| action.kind.rsplit(':').next().unwrap_or_default().to_owned();
        let others: Vec<String> = self.alternatives.iter().map(name).collect();
        let others = if others.is_empty() {
            "no alternative".to_owned()
        } else {
            format!("alternatives: {}", others.join(", "))
        };
        format!("{}: {}; {others}", name(&self.action), self.action.description)
    }
}

pub const BACKUP_CHANNEL: &str = "qkdn-types:backup-channel-activation";
pub const SWITCH_PORT: &str = "qkdn-types:switch-port";
pub const RELAY_POINT: &str = "qkdn-types:relay-point-switching";

/// Step 7: the action that is chosen comes first, then the alternatives. Empty: nothing is to be done.
pub fn decide(cause: Cause, means: &Means) -> Vec<Action> {
    let around = path_modification(means);
    let mut actions = match cause {
        Cause::Unknown => Vec::new(),
        // Light, or its way, is lost: another way for the same light first.
        Cause::FibreCut | Cause::ExcessLoss => [backup_channel(means), switch_port(means), relay(means)].into(),
        Cause::EquipmentFailure => [switch_port(means), relay(means), backup_channel(means)].into(),
        // The light arrives: only another channel changes anything.
        Cause::Degradation => vec![backup_channel(means)],
        Cause::ClassicalChannel => Vec::new(),
        Cause::Eavesdropping => vec![out_of_service(means)],
    };
    if cause != Cause::Unknown {
        actions.push(Some(around));
    }
    actions.into_iter().flatten().collect()
}

pub(super) fn path_modification(means: &Means) -> Action {
    Action {
        kind: "qkdn-types:path-modification".to_owned(),
        priority: 5,
        description: format!("lead key relay around {}", means.link_id),
        value: json!({"path": {"avoid": [means.link_id]}}),
    }
}

fn backup_channel(means: &Means) -> Option<Action> {
    let (module, channel) = means.backup_channel.as_ref()?;
    Some(Action {
        kind: BACKUP_CHANNEL.to_owned(),
        priority: 6,
        description: format!("move {} to its quantum channel {channel}", means.link_id),
        value: json!({"backup-channel": {"module-id": module, "channel": channel}}),
    })
}

fn switch_port(means: &Means) -> Option<Action> {
    let SparePath { switch_id, cross_connect, input, output } = means.spare_path.as_ref()?;
    Some(Action {
        kind: SWITCH_PORT.to_owned(),
        priority: 6,
        description: format!("lead {} through ports {input} and {output} of {switch_id}", means.link_id),
        value: json!({"switch-port": {
            "switch-id": switch_id, "cross-connect": cross_connect, "input": input, "output": output
        }}),
    })
}

fn relay(means: &Means) -> Option<Action> {
    let (relay_point, relay) = means.spare_relay.as_ref()?;
    Some(Action {
        kind: RELAY_POINT.to_owned(),
        priority: 6,
        description: format!("join {} by relay {relay} of {relay_point}", means.link_id),
        value: json!({"relay-point": {"relay-point-id": relay_point, "relay": relay, "enabled": true}}),
    })
}

/// No key of a link that may be listened to: clause 8.1 recommends to de-activate it.
fn out_of_service(means: &Means) -> Option<Action> {
    let module = means.module_id.as_ref()?;
    Some(Action {
        kind: "qkdn-types:service-state-change".to_owned(),
        priority: 7,
        description: format!("take {} out of service: it may be listened to", means.link_id),
        value: json!({"service-state": {"resource-id": module, "service-state": "out-of-service"}}),
    })
}
