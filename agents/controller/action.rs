//! What a control orchestration action of Table I.2 means: what it needs to know, and what it changes at which device. Nothing acts here.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use netconf::xml::escape_text;

use super::model::{
    ActionInput, BackupChannelValue, KmChannelValue, PathValue, PolicyValue, ReferencePoint, RelayPointValue,
    ServiceStateValue, SwitchPortValue, Value,
};
use super::route::{self, Route, Ways};
use super::view::View;
use crate::driver::DriverError;
use crate::key_manager::model::RelayRoute;
use crate::model::types::ChannelUse;
use crate::relay_point::model::Relay;
use crate::state::ServiceState;
use crate::topology::AgentKind;

/// An action's text and value together, bytes of JSON: a thousand of them stay in a few megabytes. One that is longer is refused.
pub const MAX_SIZE: usize = 16 << 10;

/// An action whose value fits its type.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    Path(PathOrder),
    ServiceState(ServiceStateValue),
    SwitchPort(SwitchPortValue),
    RelayPoint(RelayPointValue),
    BackupChannel(BackupChannelValue),
    KmChannel(KmChannelValue),
    Policy(PolicyValue),
    /// Beyond what this controller does, and why.
    Declined(&'static str),
}

#[derive(Clone, Debug, PartialEq)]
pub struct PathOrder {
    pub value: PathValue,
    /// Compute the path anew though nothing is to be avoided on it.
    pub anew: bool,
}

/// One change at one device.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    pub target: String,
    pub reference_point: ReferencePoint,
    /// In words.
    pub text: String,
    /// The content of `<config>`.
    pub config: String,
    /// Edits of one stage go out together; the next stage waits for them, and does not come for a group of which a needed one failed.
    pub stage: u8,
    /// Edits that belong together, such as those of one route.
    pub group: usize,
    /// Without it the action has failed. Of those that are not needed one must succeed, where there is no other.
    pub needed: bool,
}

/// A route that gets another path, by the edits of the group of its place in [`Plan::reroutes`].
#[derive(Clone, Debug, PartialEq)]
pub struct Reroute {
    pub route_id: String,
    pub old: Vec<String>,
    pub new: Vec<String>,
}

/// What an action comes to in the network as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub edits: Vec<Edit>,
    pub reroutes: Vec<Reroute>,
    /// Routes for which there is no way.
    pub blocked: Vec<String>,
    /// For people.
    pub text: String,
}

impl Order {
    /// Reads type and value, which must belong together.
    pub fn of(kind: &str, value: &Value) -> Result<Order, DriverError> {
        let name = kind.strip_prefix("qkdn-types:").unwrap_or(kind);
        let case = match name {
            "path-modification" | "path-reprovisioning" | "load-balancing" => "path",
            "service-state-change" => "service-state",
            "switch-port" => "switch-port",
            "relay-point-switching" => "relay-point",
            "backup-channel-activation" => "backup-channel",
            "km-channel-replacement" => "km-channel",
            "policy-change" => "policy",
            "key-quarantine" => "quarantine",
            "certificate-revocation" => "certificate",
            _ => return Err(DriverError::refused("type", format!("{name} names no single action"))),
        };
        if let Some(other) = value.cases().find(|other| *other != case) {
            return Err(DriverError::refused("value", format!("{name} takes the value {case}, not {other}")));
        }
        let missing = || DriverError::refused("value", format!("{name} needs the value {case}"));
        Ok(match case {
            "path" => {
                let value = value.path.clone().ok_or_else(missing)?;
                let refused = |reason: &str| Err(DriverError::refused("value/path", reason));
                if value.route_id.is_none() && value.avoid.is_empty() {
                    return refused("it names neither a route nor what to avoid");
                }
                if value.route_id.is_none() && !value.hop.is_empty() {
                    return refused("a path is one route's: name the route");
                }
                Order::Path(PathOrder { value, anew: name == "path-reprovisioning" })
            }
            "service-state" => Order::ServiceState(value.service_state.clone().ok_or_else(missing)?),
            "switch-port" => Order::SwitchPort(value.switch_port.clone().ok_or_else(missing)?),
            "relay-point" => Order::RelayPoint(value.relay_point.clone().ok_or_else(missing)?),
            "backup-channel" => Order::BackupChannel(value.backup_channel.clone().ok_or_else(missing)?),
            "km-channel" => Order::KmChannel(value.km_channel.clone().ok_or_else(missing)?),
            "policy" => Order::Policy(value.policy.clone().ok_or_else(missing)?),
            "quarantine" => {
                value.quarantine.as_ref().ok_or_else(missing)?;
                Order::Declined("the key managers of this network cannot set keys of one link and time apart")
            }
            _ => {
                value.certificate.as_ref().ok_or_else(missing)?;
                Order::Declined("the devices of this network have no certificates: they trust pinned keys")
            }
        })
    }

    /// The agents it concerns by name, and of what kind each must be.
    pub fn targets(&self) -> Vec<(&str, &'static str, AgentKind)> {
        match self {
            Order::SwitchPort(value) => {
                vec![(&value.switch_id, "value/switch-port/switch-id", AgentKind::OpticalSwitch)]
            }
            Order::RelayPoint(value) => {
                vec![(&value.relay_point_id, "value/relay-point/relay-point-id", AgentKind::RelayPoint)]
            }
            Order::BackupChannel(value) => {
                vec![(&value.module_id, "value/backup-channel/module-id", AgentKind::QkdModule)]
            }
            Order::KmChannel(value) => vec![(&value.km_id, "value/km-channel/km-id", AgentKind::KeyManager)],
            Order::Path(order) => {
                let km = |km| (km, "value/path/hop", AgentKind::KeyManager);
                order.value.hop.iter().map(String::as_str).map(km).collect()
            }
            Order::ServiceState(_) | Order::Policy(_) | Order::Declined(_) => Vec::new(),
        }
    }
}

impl Value {
    /// The cases of the choice that are there, by name.
    fn cases(&self) -> impl Iterator<Item = &'static str> {
        let cases = [
            ("path", self.path.is_some()),
            ("service-state", self.service_state.is_some()),
            ("switch-port", self.switch_port.is_some()),
            ("relay-point", self.relay_point.is_some()),
            ("backup-channel", self.backup_channel.is_some()),
            ("km-channel", self.km_channel.is_some()),
            ("policy", self.policy.is_some()),
            ("quarantine", self.quarantine.is_some()),
            ("certificate", self.certificate.is_some()),
        ];
        cases.into_iter().filter(|(_, is)| *is).map(|(name, _)| name)
    }
}

/// Refuses a request that would be too long to keep.
pub fn check_size(input: &ActionInput) -> Result<(), DriverError> {
    let value = serde_json::to_vec(&input.value).map_or(usize::MAX, |value| value.len());
    if input.description.as_ref().map_or(0, String::len).saturating_add(value) > MAX_SIZE {
        return Err(DriverError::refused("value", format!("description and value are longer than {MAX_SIZE} bytes")));
    }
    Ok(())
}

/// The state of a device as a whole.
pub fn device_state(target: &str, kind: AgentKind, state: ServiceState) -> Option<Edit> {
    let (container, namespace, reference_point) = container(kind)?;
    Some(Edit {
        target: target.to_owned(),
        reference_point,
        text: format!("service-state to {state}"),
        config: element(container, namespace, &leaf("service-state", &state.to_string())),
        stage: 0,
        group: 0,
        needed: true,
    })
}

/// The state of a link: at both modules of a QKD link, at both KMs of a KM link.
pub fn link_state(view: &View, order: &ServiceStateValue) -> Result<Plan, String> {
    let (link, state) = (&order.resource_id, order.service_state);
    // An end that does not answer now is known from its peer, and is tried like any other.
    let ends: BTreeSet<&str> = view.ends_of(link).flat_map(|end| [Some(end), peer_of(view, end)]).flatten().collect();
    let mut edits: Vec<Edit> =
        ends.into_iter().filter_map(|module| device_state(module, AgentKind::QkdModule, state)).collect();
    let kms: Vec<_> = view.kms_of(link).collect();
    if let [(km, named)] = kms[..]
        && view.silent.contains_key(&named.peer_km_id)
    {
        return Err(format!("{km} has {link}, and the other end does not answer: {}", unread(view, &named.peer_km_id)));
    }
    for (km, named) in kms {
        let inside = leaf("name", &named.name) + &leaf("service-state", &state.to_string());
        edits.push(Edit {
            text: format!("service-state of KM link {} to {state}", named.name),
            ..km_edit(km, format!("<km-link>{inside}</km-link>"))
        });
    }
    if edits.is_empty() {
        return Err(format!("no agent knows {link}{}", silence(view)));
    }
    let text = format!("{link} is {state} at {} ends", edits.len());
    Ok(Plan { edits, text, ..Plan::default() })
}

/// A connection of an optical switch gets these ports, and is in service; what link it belongs to stays.
pub fn switch_port(order: &SwitchPortValue) -> Plan {
    let SwitchPortValue { switch_id, cross_connect, input, output } = order;
    let inside = leaf("name", cross_connect) + &leaf("input", input) + &leaf("output", output);
    let inside = format!("<cross-connect>{inside}<service-state>in-service</service-state></cross-connect>");
    let text = format!("cross-connect {cross_connect} leads from {input} to {output}");
    let edit = Edit {
        target: switch_id.clone(),
        reference_point: ReferencePoint::Cops,
        text: text.clone(),
        config: element("optical-switch", "qkdn-mops", &inside),
        stage: 0,
        group: 0,
        needed: true,
    };
    Plan { edits: vec![edit], text, ..Plan::default() }
}

/// A relay of a relay point is enabled or disabled. Where it is enabled, those of the same light give way, in the same edit.
pub fn relay_point(view: &View, order: &RelayPointValue) -> Result<Plan, String> {
    let RelayPointValue { relay_point_id, relay, enabled } = order;
    let config = view.relay_points.get(relay_point_id).ok_or_else(|| unread(view, relay_point_id))?;
    let wanted = config.relay.iter().find(|known| known.name == *relay);
    let wanted = wanted.ok_or_else(|| format!("{relay_point_id} has no relay {relay}"))?;
    let light = |relay: &Relay| -> BTreeSet<String> {
        let ends = config.segment.iter().filter(|segment| [&relay.first, &relay.second].contains(&&segment.name));
        ends.flat_map(|segment| {
            let of_segment = format!(":{}", segment.name);
            let link = segment.link_id.as_deref();
            // The part of a link that one segment is carries the segment's name behind the link's.
            let link = link.map(|link| link.strip_suffix(&of_segment).unwrap_or(link).to_owned());
            [Some(format!("segment {}", segment.name)), link].into_iter().flatten()
        })
        .collect()
    };
    let same = |other: &&Relay| other.name != *relay && other.enabled && !light(other).is_disjoint(&light(wanted));
    let others: Vec<&Relay> = config.relay.iter().filter(same).filter(|_| *enabled).collect();
    let switched = |name: &str, on: bool| {
        let inside = leaf("name", name) + &leaf("enabled", if on { "true" } else { "false" });
        format!("<relay>{inside}</relay>")
    };
    let mut inside: String = others.iter().map(|other| switched(&other.name, false)).collect();
    inside.push_str(&switched(relay, *enabled));
    let mut text = format!("relay {relay} {}", if *enabled { "enabled" } else { "disabled" });
    if !others.is_empty() {
        let names: Vec<&str> = others.iter().map(|other| other.name.as_str()).collect();
        text.push_str(&format!(", {} disabled before", names.join(" and ")));
    }
    let edit = Edit {
        target: relay_point_id.clone(),
        reference_point: ReferencePoint::Cqrp,
        text: text.clone(),
        config: element("relay-point", "qkdn-mqrp", &inside),
        stage: 0,
        group: 0,
        needed: true,
    };
    Ok(Plan { edits: vec![edit], text, ..Plan::default() })
}

/// The module whose peer takes part in a change of channel.
pub fn peer_of<'v>(view: &'v View, module_id: &str) -> Option<&'v str> {
    let own = view.modules.get(module_id).and_then(|config| config.link.peer_module_id.as_deref());
    let named = |config: &crate::qkd_module::model::Config| config.link.peer_module_id.as_deref() == Some(module_id);
    own.or_else(|| view.modules.iter().find(|(_, config)| named(config)).map(|(id, _)| id.as_str()))
}

/// A channel is brought into use at both ends of a QKD link. The word of one is enough for the light.
pub fn backup_channel(view: &View, order: &BackupChannelValue) -> Result<Plan, String> {
    let module = &order.module_id;
    let peer = peer_of(view, module);
    let config = view.modules.get(module).or_else(|| peer.and_then(|peer| view.modules.get(peer)));
    let config = config.ok_or_else(|| unread(view, module))?;
    let channel = match &order.channel {
        Some(named) => config.quantum_channel.iter().find(|channel| channel.name == *named),
        None => config.quantum_channel.iter().find(|channel| channel.usage == ChannelUse::Backup && channel.enabled),
    };
    let channel = channel.ok_or_else(|| match &order.channel {
        Some(named) => format!("{module} has no channel {named}"),
        None => format!("{module} has no backup channel"),
    })?;
    let text = format!("active-channel to {}", channel.name);
    let edit = |target: &str| Edit {
        target: target.to_owned(),
        reference_point: ReferencePoint::Cq,
        text: text.clone(),
        config: element("qkd-module", "qkdn-mq", &leaf("active-channel", &channel.name)),
        stage: 0,
        group: 0,
        needed: false,
    };
    let edits = [Some(module.as_str()), peer].into_iter().flatten().map(edit).collect();
    Ok(Plan { edits, text: format!("channel {} is in use", channel.name), ..Plan::default() })
}

/// Another classical channel of a KM link is used, by both ends where both can be told.
pub fn km_channel(view: &View, order: &KmChannelValue) -> Result<Plan, String> {
    let config = view.kms.get(&order.km_id).ok_or_else(|| unread(view, &order.km_id))?;
    let link = config.km_link.iter().find(|link| link.name == order.km_link);
    let link = link.ok_or_else(|| format!("{} has no KM link {}", order.km_id, order.km_link))?;
    let in_use = link.active_channel.as_ref().or(link.channel.iter().min_by_key(|c| c.usage).map(|c| &c.name));
    let channel = match &order.channel {
        Some(named) => link.channel.iter().find(|channel| channel.name == *named),
        None => link.channel.iter().find(|channel| Some(&channel.name) != in_use),
    };
    let channel = channel.ok_or_else(|| match &order.channel {
        Some(named) => format!("KM link {} has no channel {named}", link.name),
        None => format!("KM link {} has no other channel", link.name),
    })?;
    let has = |named: &crate::key_manager::model::KmLink| named.channel.iter().any(|other| other.name == channel.name);
    let ends = view.kms_of(&link.link_id).filter(|(_, named)| has(named));
    let edit = |(km, named): (&str, &crate::key_manager::model::KmLink)| {
        let inside = leaf("name", &named.name) + &leaf("active-channel", &channel.name);
        Edit {
            text: format!("active-channel of KM link {} to {}", named.name, channel.name),
            needed: km == order.km_id,
            ..km_edit(km, format!("<km-link>{inside}</km-link>"))
        }
    };
    let text = format!("KM link {} uses channel {}", link.name, channel.name);
    Ok(Plan { edits: ends.map(edit).collect(), text, ..Plan::default() })
}

/// Routes are led around what is to be avoided. Along the new way those between the ends learn first, then the ends, then those that are
/// left out: keys take the old way until the new one is whole.
pub fn path(view: &View, order: &PathOrder) -> Result<Plan, String> {
    let PathValue { route_id, hop, avoid, share } = &order.value;
    let mut barred: BTreeSet<String> = avoid.iter().cloned().collect();
    // A module makes its link's key: without it the link gives none.
    barred.extend(avoid.iter().filter_map(|id| view.modules.get(id)?.link.link_id.clone()));
    let ways = Ways::new(view, &barred);
    let known = route::routes(view);
    let chosen: Vec<&Route> = match route_id {
        Some(id) => vec![known.get(id).ok_or_else(|| format!("no KM knows route {id}{}", silence(view)))?],
        None => known.values().filter(|route| ways.is_concerned(route)).collect(),
    };
    let mut plan = Plan::default();
    let mut kept = Vec::new();
    for route in chosen {
        let old = route.hops();
        let good = |hops: &Vec<String>| ways.obstacle(hops).is_none();
        let stays = !order.anew && hop.is_empty() && !ways.is_concerned(route) && old.as_ref().is_some_and(good);
        let new = match (&old, hop.as_slice()) {
            (Some(old), _) if stays => old.clone(),
            (_, []) => match ways.find(&route.source, &route.destination) {
                Some(way) => way,
                None => {
                    plan.blocked.push(route.id.clone());
                    continue;
                }
            },
            (_, hops) => {
                let ends = (hops.first(), hops.last());
                if ends != (Some(&route.source), Some(&route.destination)) {
                    return Err(format!("route {} leads from {} to {}", route.id, route.source, route.destination));
                }
                if let Some(obstacle) = ways.obstacle(hops) {
                    return Err(obstacle);
                }
                hops.to_vec()
            }
        };
        let edits = entry_edits(route, &new);
        if edits.is_empty() {
            kept.push(route.id.as_str());
            continue;
        }
        let group = plan.reroutes.len();
        plan.edits.extend(edits.into_iter().map(|edit| Edit { group, ..edit }));
        plan.reroutes.push(Reroute { route_id: route.id.clone(), old: old.unwrap_or_default(), new });
    }
    plan.text = path_text(view, &plan, &kept, share.is_some());
    Ok(plan)
}

fn path_text(view: &View, plan: &Plan, kept: &[&str], shared: bool) -> String {
    let mut told = Vec::new();
    if plan.reroutes.is_empty() && plan.blocked.is_empty() && kept.is_empty() {
        told.push("no route uses it".to_owned());
    }
    if !plan.reroutes.is_empty() {
        let lead = |reroute: &Reroute| format!("{} by {} hops", reroute.route_id, reroute.new.len().saturating_sub(1));
        let led: Vec<String> = plan.reroutes.iter().map(lead).collect();
        told.push(format!("led anew: {} (the way with the fewest hops)", led.join(", ")));
    }
    if !kept.is_empty() {
        told.push(format!("as it should be already: {}", kept.join(", ")));
    }
    if !plan.blocked.is_empty() {
        told.push(format!("no way around for {} (routing is by hops)", plan.blocked.join(", ")));
    }
    if shared {
        told.push("a route moves whole, whatever share was asked for".to_owned());
    }
    told.join("; ") + &silence(view)
}

/// What makes the entries of a route those of its new path.
fn entry_edits(route: &Route, hops: &[String]) -> Vec<Edit> {
    let wanted: BTreeMap<String, RelayRoute> = route::entries(route, hops);
    let is_end = |km: &String| *km == route.source || *km == route.destination;
    let changed = wanted.iter().filter(|(km, entry)| route.entries.get(*km) != Some(entry));
    let set = changed.map(|(km, entry)| {
        let hop = |name: &str, hop: &Option<String>| hop.as_ref().map_or(String::new(), |hop| leaf(name, hop));
        let inside = leaf("route-id", &entry.route_id)
            + &leaf("source-km-id", &entry.source_km_id)
            + &leaf("destination-km-id", &entry.destination_km_id)
            + &hop("previous-hop", &entry.previous_hop)
            + &hop("next-hop", &entry.next_hop)
            + &leaf("service-state", &entry.service_state.to_string());
        let next = entry.next_hop.as_deref().unwrap_or("its end");
        Edit {
            text: format!("relay-route {} leads on to {next}", route.id),
            stage: u8::from(is_end(km)),
            ..km_edit(km, format!("<relay-route nc:operation=\"replace\">{inside}</relay-route>"))
        }
    });
    let left = route.entries.keys().filter(|km| !wanted.contains_key(*km));
    let removed = left.map(|km| Edit {
        text: format!("relay-route {} removed", route.id),
        stage: 2,
        needed: false,
        ..km_edit(km, format!("<relay-route nc:operation=\"remove\">{}</relay-route>", leaf("route-id", &route.id)))
    });
    set.chain(removed).collect()
}

fn km_edit(km: &str, inside: String) -> Edit {
    Edit {
        target: km.to_owned(),
        reference_point: ReferencePoint::Ck,
        text: String::new(),
        config: element("key-manager", "qkdn-mk", &inside),
        stage: 0,
        group: 0,
        needed: true,
    }
}

/// The top-level container of a kind of device, its module, and over which reference point the controller writes it; none of a controller.
pub fn container(kind: AgentKind) -> Option<(&'static str, &'static str, ReferencePoint)> {
    Some(match kind {
        AgentKind::QkdModule => ("qkd-module", "qkdn-mq", ReferencePoint::Cq),
        AgentKind::KeyManager => ("key-manager", "qkdn-mk", ReferencePoint::Ck),
        AgentKind::OpticalSwitch => ("optical-switch", "qkdn-mops", ReferencePoint::Cops),
        AgentKind::RelayPoint => ("relay-point", "qkdn-mqrp", ReferencePoint::Cqrp),
        AgentKind::Controller => return None,
    })
}

fn element(name: &str, module: &str, inside: &str) -> String {
    let nc = "urn:ietf:params:xml:ns:netconf:base:1.0";
    format!("<{name} xmlns=\"urn:qkdn:yang:{module}\" xmlns:nc=\"{nc}\">{inside}</{name}>")
}

fn leaf(name: &str, value: &str) -> String {
    let mut text = Vec::new();
    escape_text(&mut text, value);
    let text = String::from_utf8(text).expect("escaped from a string");
    format!("<{name}>{text}</{name}>")
}

fn unread(view: &View, id: &str) -> String {
    match view.silent.get(id) {
        Some(reason) => format!("{id} could not be read: {reason}"),
        None => format!("there is no {id} in the directory"),
    }
}

/// Who did not answer, where that may be why something is not known.
fn silence(view: &View) -> String {
    match view.silent.len() {
        0 => String::new(),
        1 => "; 1 agent does not answer".to_owned(),
        more => format!("; {more} agents do not answer"),
    }
}
