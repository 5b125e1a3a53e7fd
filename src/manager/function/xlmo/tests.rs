//! What XLMO decides on a security anomaly.

use super::*;
use crate::schema::device_schema;

#[test]
fn the_remedy_is_what_the_controllers_model_takes() {
    let schema = device_schema();
    let input = schema.find("/qkdn-mc:control-orchestration-action/input").unwrap();
    let means = Means { link_id: "urn:x:link:a".into(), ..Means::default() };
    let remedy = remedy(&means, "urn:x:module:a-tx", Timestamp::UNIX_EPOCH);
    for action in remedy.into_iter().flat_map(|choice| std::iter::once(choice.action).chain(choice.alternatives)) {
        let Action { kind, priority, description, value } = action;
        let data = json!({"description": description, "type": kind, "priority": priority, "value": value});
        assert!(netconf::yang::serde::to_inner(&schema, input, &data).is_ok(), "{data}");
    }
}
