//! What QLM makes of alerts and diagnoses.

use super::*;

fn diagnosis(cause: &str) -> Diagnosis {
    Diagnosis {
        probable_cause: format!("qkdn-mq:{cause}"),
        confidence: 90.0,
        text: None,
        link_state: None,
        relay_affected: None,
        measured: None,
    }
}

#[test]
fn the_diagnosis_decides_but_a_switch_knows_why_it_is_dark() {
    let table = [
        (&["qber-threshold-exceeded"][..], Some("misalignment"), Cause::Degradation),
        (&["qber-threshold-exceeded"], Some("eavesdropping"), Cause::Eavesdropping),
        (&["qkd-link-down", "skr-low"], Some("fibre-cut"), Cause::FibreCut),
        (&["port-fault", "qkd-link-down"], Some("fibre-cut"), Cause::EquipmentFailure),
        (&["qber-threshold-exceeded"], Some("undetermined"), Cause::Degradation),
        (&["eavesdropping-suspected", "qber-abort"], None, Cause::Eavesdropping),
        (&["qkd-link-down"], None, Cause::FibreCut),
        (&[], None, Cause::Unknown),
    ];
    for (alarms, told, cause) in table {
        assert_eq!(analyse(alarms, told.map(diagnosis).as_ref()).cause, cause, "{alarms:?} {told:?}");
    }
}

#[test]
fn a_warning_does_not_disturb_the_link() {
    assert!(decide_diagnostic("qber-threshold-exceeded", Severity::Warning, Ok("rx")).is_err());
    assert!(decide_diagnostic("qber-threshold-exceeded", Severity::Major, Ok("rx")).is_ok());
    assert_eq!(decide_diagnostic("qkd-link-down", Severity::Critical, Err("gone")), Err("gone".to_owned()));
}
