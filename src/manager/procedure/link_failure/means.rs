//! What the network has to restore a QKD link with: spare channels, paths and relays (10.1.1 step 7).

use super::Network;
use crate::alarm::AlarmList;
use crate::facts::{CrossConnect, Facts, Port, Report};
use crate::function::qclm::{Means, SparePath};
use crate::model::ResourceId;

/// What the network offers for a link, by the devices' own configuration.
pub(super) fn of(link_id: &ResourceId, network: Network<'_>) -> Means {
    let Some(link) = network.layout.links.get(link_id) else { return Means::default() };
    let ends = || link.end("transmitter").into_iter().chain(&link.ends);
    let backup = ends().find_map(|end| match &network.reports.get(&end.device)?.facts {
        Facts::QkdModule(facts) => Some((end.module_id.clone(), facts.backup_channel()?.name.clone())),
        _ => None,
    });
    Means {
        link_id: link_id.clone(),
        module_id: ends().next().map(|end| end.module_id.clone()),
        backup_channel: backup,
        spare_path: link
            .switches
            .iter()
            .find_map(|device| spare_path(link_id, network.reports.get(device)?, network.alarms)),
        spare_relay: link.relay_points.iter().find_map(|device| spare_relay(network.reports.get(device)?)),
    }
}

/// Two enabled ports that are in no cross-connect in service: the first for light that comes in, the last for where it goes.
fn spare_path(link_id: &ResourceId, report: &Report, alarms: &AlarmList) -> Option<SparePath> {
    let Facts::OpticalSwitch(switch) = &report.facts else { return None };
    let in_use = |name: &str| {
        let in_service = |connect: &&CrossConnect| connect.service_state.as_deref().is_none_or(|s| s == "in-service");
        switch.cross_connect.iter().filter(in_service).any(|connect| connect.input == name || connect.output == name)
    };
    let of_link = switch.cross_connect.iter().find(|connect| {
        connect.link_id.as_ref() == Some(link_id)
            || switch.port.iter().any(|port| {
                (port.name == connect.input || port.name == connect.output) && port.link_id.as_ref() == Some(link_id)
            })
    })?;
    // A cross-connect that is planned for this link and stands by tells its ports itself.
    let standby = switch.cross_connect.iter().find(|connect| {
        connect.name != of_link.name
            && connect.link_id.as_ref() == Some(link_id)
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

fn spare_relay(report: &Report) -> Option<(ResourceId, String)> {
    let Facts::RelayPoint(relay_point) = &report.facts else { return None };
    let spare = relay_point
        .relay
        .iter()
        // `enabled` is true where it is not told.
        .find(|relay| relay.usage.as_deref() == Some("backup") && relay.enabled == Some(false))?;
    Some((report.id.clone()?, spare.name.clone()))
}
