//! What QCLM decides for each cause.

use super::*;

fn means() -> Means {
    Means { link_id: "urn:x:link:a".into(), module_id: Some("urn:x:module:a-tx".into()), ..Means::default() }
}

fn chosen(cause: Cause, means: &Means) -> Option<String> {
    decide(cause, means).first().map(|action| action.kind.trim_start_matches("qkdn-types:").to_owned())
}

#[test]
fn what_is_chosen_depends_on_cause_and_means() {
    let backup = Means { backup_channel: Some(("urn:x:module:a-tx".into(), "b".into())), ..means() };
    let spare = SparePath {
        switch_id: "urn:x:switch:s".into(),
        cross_connect: "c".into(),
        input: "i".into(),
        output: "o".into(),
    };
    let switch = Means { spare_path: Some(spare), ..backup.clone() };
    let relay = Means { spare_relay: Some(("urn:x:relay-point:r".into(), "second".into())), ..means() };
    for (cause, means, kind) in [
        (Cause::Degradation, &means(), Some("path-modification")),
        (Cause::Degradation, &backup, Some("backup-channel-activation")),
        (Cause::Degradation, &relay, Some("path-modification")),
        (Cause::FibreCut, &switch, Some("backup-channel-activation")),
        (Cause::EquipmentFailure, &switch, Some("switch-port")),
        (Cause::FibreCut, &relay, Some("relay-point-switching")),
        (Cause::ClassicalChannel, &backup, Some("path-modification")),
        (Cause::Eavesdropping, &backup, Some("service-state-change")),
        (Cause::Unknown, &backup, None),
    ] {
        assert_eq!(chosen(cause, means).as_deref(), kind, "{cause:?} {means:?}");
    }
}

#[test]
fn alternatives_are_kept() {
    let kinds: Vec<String> = decide(Cause::Eavesdropping, &means()).into_iter().map(|action| action.kind).collect();
    assert_eq!(kinds, ["qkdn-types:service-state-change", "qkdn-types:path-modification"]);
}

#[test]
fn every_action_is_what_the_controllers_model_takes() {
    let schema = crate::schema::device_schema();
    let input = schema.find("/qkdn-mc:control-orchestration-action/input").unwrap();
    let means = Means {
        backup_channel: Some(("urn:x:module:a-tx".into(), "b".into())),
        spare_path: Some(SparePath {
            switch_id: "urn:x:switch:s".into(),
            cross_connect: "c".into(),
            input: "i".into(),
            output: "o".into(),
        }),
        spare_relay: Some(("urn:x:relay-point:r".into(), "second".into())),
        ..means()
    };
    for cause in [Cause::FibreCut, Cause::Eavesdropping] {
        for action in decide(cause, &means) {
            let mut value = json!({"cause": "alarm-1", "alarm-id": ["alarm-1"]});
            value.as_object_mut().unwrap().extend(action.value.as_object().unwrap().clone());
            let data = json!({
                "management-operation": {"operation-id": "run-1.1772366410.1"},
                "description": action.description, "type": action.kind, "priority": action.priority, "value": value,
            });
            assert!(netconf::yang::serde::to_inner(&schema, input, &data).is_ok(), "{data}");
        }
    }
}
