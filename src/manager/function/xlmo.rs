//! Cross-layer management and orchestration (clause 9.2.4): how a security anomaly is remedied over the layers.

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::json;

use super::qclm::{Action, Choice, Means, path_modification};

/// Clause 10.5 step 4, for a link that cannot be trusted since a module of it was opened: no key is made on it any more (clause 8.1
/// recommends to de-activate it), and no key is used that was made since. Neither stands in for the other: both are to be done.
pub fn remedy(means: &Means, module: &str, since: Timestamp) -> [Choice; 2] {
    let link = &means.link_id;
    let out_of_service = |resource: &str| Action {
        kind: "qkdn-types:service-state-change".to_owned(),
        priority: 7,
        description: format!("take {resource} out of service: a module of it was opened"),
        value: json!({"service-state": {"resource-id": resource, "service-state": "out-of-service"}}),
    };
    // One end alone makes no key either.
    let one_end =
        Action { description: format!("take {module} out of service: it was opened"), ..out_of_service(module) };
    let quarantine = Action {
        kind: "qkdn-types:key-quarantine".to_owned(),
        priority: 7,
        description: format!("use no key that {link} made since {since}"),
        value: json!({"quarantine": {"link-id": link, "since": since}}),
    };
    // Key that is not relayed over the link is not protected by what may be known of it.
    let around = Action { priority: 7, ..path_modification(means) };
    [
        Choice { action: out_of_service(link), alternatives: vec![one_end] },
        Choice { action: quarantine, alternatives: vec![around] },
    ]
}
