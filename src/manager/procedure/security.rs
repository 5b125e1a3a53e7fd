//! Security management (clause 10.5) of a QKD link: steps 1 to 4, from the security information of a QKD module to the remedy.
//!
//! Steps 5 and 6, QCLM's and the controller's, are those of [`super::control`].

use jiff::Timestamp;
use serde_json::json;

use super::control::Decision;
use super::{ActiveRun, Done, Network, means, short};
use crate::function::{qlm, xlmo};
use crate::input::Effect;
use crate::model::{Function, ResourceId};
use crate::record::{Alarm, Procedure};

/// The step that decides.
pub const DECISION: u8 = 4;

/// Steps 1 to 3. Returns the run, and what step 4 is to record.
pub fn begin(
    link: &ResourceId,
    alarm: &Alarm,
    network: Network<'_>,
    run_id: String,
    now: Timestamp,
    out: &mut Vec<Effect>,
) -> (ActiveRun, String, Decision) {
    let alarm_type = short(&alarm.key.alarm_type_id);
    let trigger = format!("{} {alarm_type} at {}", alarm.alarm_id, alarm.key.resource);
    let about = (vec![alarm.alarm_id.clone()], vec![link.clone()]);
    let mut active = ActiveRun::begin(run_id, Procedure::Security, trigger, about, now, out);

    // 1) QLM collects and/or receives the quantum layer security information … via the Mq reference point.
    let device = alarm.device.clone().unwrap_or_default();
    let data = json!({
        "alarm-id": alarm.alarm_id, "alarm-type-id": alarm.key.alarm_type_id, "resource": alarm.key.resource,
        "perceived-severity": alarm.perceived_severity, "alarm-text": alarm.alarm_text,
        "reference-point": alarm.reference_point,
    });
    let text = format!("security information about {link}: {alarm_type}: {}", alarm.alarm_text);
    active.step(1, Done::by(Function::Qlm, text).with(&device).data(data), now, out);

    // 2) QLM analyses the collected security information and generates and stores a report.
    let report = json!({"link-id": link, "resource": alarm.key.resource, "since": alarm.last_raised});
    let text = qlm::security_report(&alarm.key.resource, link, alarm.last_raised);
    active.step(2, Done::by(Function::Qlm, text).data(report.clone()), now, out);

    // 3) QLM then transfers quantum layer security information to XLMO.
    let text = format!("security information about {link}");
    active.step(3, Done::by(Function::Qlm, text).with("xlmo").data(report), now, out);

    // 4) XLMO analyses the security anomaly … and makes a decision on solutions for security anomaly and control policy rules to remedy the
    // anomaly.
    let means = means::of(link, network);
    let [stop, distrust] = xlmo::remedy(&means, &alarm.key.resource, alarm.last_raised);
    let text = format!("{}; then {}", stop.text(), distrust.text());
    let alarm_id = active.run.alarm_id.clone();
    (active, text, Decision { alarm_id, first: stop, then: vec![distrust], ruled_out: Vec::new() })
}
