//! What the network has to restore a QKD link with: spare channels, paths and relays (10.1.1 step 7, 10.5 step 4).

use super::{Network, short};
use crate::alarm::AlarmList;
use crate::facts::{CrossConnect, Facts, Port, Relay, Report};
use crate::function::qclm::{self, Means, RuledOut, SparePath};
use crate::model::ResourceId;
use crate::record::Alarm;

/// Alarms of a module that concern all of its channels: they share laser, detector and random numbers.
const OF_ALL_CHANNELS: [&str; 4] = ["module-fault", "laser-fault", "detector-fault", "qrng-health-failed"];

/// What the network offers for a link, by the devices' own configuration. What shares the equipment that failed is ruled out.
pub fn of(link_id: &str, network: Network<'_>) -> Means {
    let Some(link) = network.layout.links.get(link_id) else { return Means::default() };
    let ends = || link.end("transmitter").into_iter().chain(&link.ends);
    let mut ruled_out = Vec::new();
    let mut usable = |kind: &str, failed: Option<String>| match failed {
        Some(reason) => {
            ruled_out.push(RuledOut { kind: kind.to_owned(), reason });
            false
        }
        None => true,
    };
    let backup = ends().find_map(|end| match &network.reports.get(&end.device)?.facts {
        Facts::QkdModule(facts) => Some((end.module_id.clone(), facts.backup_channel()?.name.clone())),
        _ => None,
    });
    let failed_end =
        || link.ends.iter().find_map(|end| of_all_channels(&end.module_id, network.reports.get(&end.device)?, network));
    let backup_channel = backup.filter(|_| usable(qclm::BACKUP_CHANNEL, failed_end()));
    let spare_path = link.switches.iter().find_map(|device| {
        let report = network.reports.get(device)?;
        spare_path(link_id, report, network.alarms).filter(|_| usable(qclm::SWITCH_PORT, failed(report, network)))
    });
    let spare_relay = link.relay_points.iter().find_map(|device| {
        let report = network.reports.get(device)?;
        spare_relay(report, network).filter(|_| usable(qclm::RELAY_POINT, failed(report, network)))
    });
    let module_id = ends().next().map(|end| end.module_id.clone());
    Means { link_id: link_id.to_owned(), module_id, backup_channel, spare_path, spare_relay, ruled_out }
}

/// Why nothing more is to be expected of a device: it, or all that it joins, has failed.
fn failed(report: &Report, network: Network<'_>) -> Option<String> {
    let id = report.id.as_ref()?;
    if let Some(alarm) = fault_of(id, network) {
        return Some(format!("{id} has failed: {alarm}"));
    }
    if report.oper_state.as_deref() == Some("failed") {
        return Some(format!("{id} says that it has failed"));
    }
    let Facts::RelayPoint(facts) = &report.facts else { return None };
    let all_out = facts.relay.iter().all(|relay| is_out(&format!("{id}:relay:{}", relay.name), report, network));
    (all_out && !facts.relay.is_empty()).then(|| format!("no relay of {id} works"))
}

/// A part of a device has failed, by its alarms or by its state.
fn is_out(part: &str, report: &Report, network: Network<'_>) -> bool {
    let state = report.resources.iter().find(|resource| resource.resource_id == part);
    fault_of(part, network).is_some() || state.is_some_and(|part| part.oper_state.as_deref() == Some("failed"))
}

/// The alarm that says that a resource fails as a whole.
fn fault_of(resource: &str, network: Network<'_>) -> Option<String> {
    let raised = network.alarms.of_resource(resource).filter(|alarm| !alarm.is_cleared);
    let mut faults = raised.map(|alarm| short(&alarm.key.alarm_type_id));
    faults.find(|alarm| ["module-fault", "switch-fault", "relay-point-fault"].contains(alarm)).map(str::to_owned)
}

/// Why no channel of a module is better than another.
fn of_all_channels(module_id: &ResourceId, report: &Report, network: Network<'_>) -> Option<String> {
    let parts = report.resources.iter().map(|part| &part.resource_id).chain([module_id]);
    let mut raised = parts.flat_map(|part| network.alarms.of_resource(part)).filter(|alarm| !alarm.is_cleared);
    let is_shared = |alarm: &&Alarm| OF_ALL_CHANNELS.contains(&short(&alarm.key.alarm_type_id));
    let alarm = raised.find(is_shared).map(|alarm| short(&alarm.key.alarm_type_id).to_owned());
    let alarm = alarm.map(|alarm| format!("{alarm} of {module_id} concerns all of its channels"));
    alarm.or_else(|| failed(report, network))
}

/// Two enabled ports that are in no cross-connect in service: the first for light that comes in, the last for where it goes.
fn spare_path(link_id: &str, report: &Report, alarms: &AlarmList) -> Option<SparePath> {
    let Facts::OpticalSwitch(switch) = &report.facts else { return None };
    let in_use = |name: &str| {
        let in_service = |connect: &&CrossConnect| connect.service_state.as_deref().is_none_or(|s| s == "in-service");
        switch.cross_connect.iter().filter(in_service).any(|connect| connect.input == name || connect.output == name)
    };
    let of_link = switch.cross_connect.iter().find(|connect| {
        connect.link_id.as_deref() == Some(link_id)
            || switch.port.iter().any(|port| {
                (port.name == connect.input || port.name == connect.output) && port.link_id.as_deref() == Some(link_id)
            })
    })?;
    // A cross-connect that is planned for this link and stands by tells its ports itself.
    let standby = switch.cross_connect.iter().find(|connect| {
        connect.name != of_link.name
            && connect.link_id.as_deref() == Some(link_id)
            && connect.service_state.as_deref() == Some("standby")
    });
    let switch_id = report.id.clone()?;
    if let Some(standby) = standby {
        let (input, output) = (standby.input.clone(), standby.output.clone());
        return Some(SparePath { switch_id, cross_connect: standby.name.clone(), input, output });
    }
    let is_faulty = |port: &str| {
        let port = format!("{switch_id}:port:{port}");
        alarms.of_resource(&port).any(|alarm| !alarm.is_cleared)
    };
    let free = |port: &&Port| {
        let is_enabled = port.admin_state.as_deref() != Some("disabled");
        port.link_id.is_none() && is_enabled && !in_use(&port.name) && !is_faulty(&port.name)
    };
    let mut spare = switch.port.iter().filter(free);
    let (input, output) = (spare.next()?, spare.next()?);
    let cross_connect = of_link.name.clone();
    Some(SparePath { switch_id, cross_connect, input: input.name.clone(), output: output.name.clone() })
}

/// A relay that stands by and has not failed itself; where all have, the first, which the relay point is then ruled out with.
fn spare_relay(report: &Report, network: Network<'_>) -> Option<(ResourceId, String)> {
    let Facts::RelayPoint(relay_point) = &report.facts else { return None };
    let id = report.id.clone()?;
    // `enabled` is true where it is not told.
    let stands_by = |relay: &&Relay| relay.usage.as_deref() == Some("backup") && relay.enabled == Some(false);
    let spares = || relay_point.relay.iter().filter(stands_by);
    let sound = spares().find(|relay| !is_out(&format!("{id}:relay:{}", relay.name), report, network));
    let spare = match failed(report, network) {
        Some(_) => spares().next(),
        None => sound,
    }?;
    Some((id, spare.name.clone()))
}
