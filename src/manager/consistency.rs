//! Configuration errors that show when the layers are put side by side (clause 10.3 step 7).

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Facts, ModuleFacts};
use crate::layout::{Layout, LinkEnd, QkdLink};
use crate::model::{DeviceName, Kind, Plan, ResourceId};
use crate::topology::Reports;

/// Two ends measure the same fibre; what they are told about it may differ by rounding, km or dB.
const SAME: f64 = 0.05;

/// A configuration error, before it has a number and an alarm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// As the model names it.
    pub kind: &'static str,
    pub resources: Vec<ResourceId>,
    pub devices: Vec<DeviceName>,
    /// What is wrong, and what to do.
    pub text: String,
}

/// All errors, in an order that depends on the reports alone. What was planned and not read yet is not missing.
pub fn check(reports: &Reports, layout: &Layout, plans: &BTreeMap<DeviceName, Plan>) -> Vec<Finding> {
    let check = Check { reports, layout, plans };
    let mut found = check.duplicates();
    found.extend(check.modules());
    for (link_id, link) in &layout.links {
        found.extend(check.ends(link_id, link));
        found.extend(check.km_pair(link_id, link));
    }
    found.extend(check.references());
    found.sort();
    found.dedup();
    found
}

struct Check<'a> {
    reports: &'a Reports,
    layout: &'a Layout,
    plans: &'a BTreeMap<DeviceName, Plan>,
}

impl Check<'_> {
    /// Two devices that say they are the same resource.
    fn duplicates(&self) -> Vec<Finding> {
        let mut devices: BTreeMap<&ResourceId, Vec<&DeviceName>> = BTreeMap::new();
        for (device, report) in self.reports {
            report.id.iter().for_each(|id| devices.entry(id).or_default().push(device));
        }
        let twice = devices.into_iter().filter(|(_, devices)| devices.len() > 1);
        twice
            .map(|(id, devices)| Finding {
                kind: "duplicate-identifier",
                resources: vec![id.clone()],
                devices: devices.iter().map(|device| (*device).clone()).collect(),
                text: format!(
                    "{} all say that they are {id}; give each device an identifier of its own",
                    list(&devices)
                ),
            })
            .collect()
    }

    /// Modules that are not part of a link.
    fn modules(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for (device, facts, id) in self.module_facts() {
            let missing = match (&facts.link.link_id, &facts.link.peer_module_id) {
                (Some(_), Some(_)) => continue,
                (None, _) => "no link",
                (_, None) => "no peer",
            };
            found.push(Finding {
                kind: "dangling-module",
                resources: vec![id.clone()],
                devices: vec![device.clone()],
                text: format!("QKD module {device} has {missing}; configure link/link-id and link/peer-module-id"),
            });
        }
        found
    }

    /// What the two ends of a link say of each other.
    fn ends(&self, link_id: &ResourceId, link: &QkdLink) -> Vec<Finding> {
        let finding = |kind, ends: &[&LinkEnd], text: String| Finding {
            kind,
            resources: std::iter::once(link_id.clone()).chain(ends.iter().map(|end| end.module_id.clone())).collect(),
            devices: ends.iter().map(|end| end.device.clone()).collect(),
            text,
        };
        let (first, second) = match link.ends.as_slice() {
            [one] => {
                let peer = one.peer_module_id.as_deref();
                if peer.is_none() || peer.is_some_and(|peer| self.is_planned_and_unread(peer)) {
                    return Vec::new();
                }
                let peer = peer.unwrap_or_default();
                if let Some(other) = self.layout.device_of(peer) {
                    let text = format!(
                        "{} says that {link_id} joins it to {peer}, but {other} is on another link; make link/link-id the same at both",
                        one.device
                    );
                    return vec![finding("peer-mismatch", &[one], text)];
                }
                let text = format!(
                    "QKD link {link_id} ends at {} alone: nobody reports its peer {peer}; manage that device, or correct link/peer-module-id",
                    one.device
                );
                return vec![finding("dangling-link", &[one], text)];
            }
            [first, second] => (first, second),
            ends => {
                let ends: Vec<&LinkEnd> = ends.iter().collect();
                let text = format!("QKD link {link_id} has {} ends; a link has two: correct link/link-id", ends.len());
                return vec![finding("peer-mismatch", &ends, text)];
            }
        };
        let mut found = Vec::new();
        let both = [first, second];
        if first.role.is_some() && first.role == second.role {
            let role = first.role.as_deref().unwrap_or_default();
            let text = format!(
                "both ends of {link_id}, {} and {}, are {role}s; make one a transmitter and one a receiver",
                first.device, second.device
            );
            found.push(finding("role-mismatch", &both, text));
        }
        let names =
            |one: &LinkEnd, other: &LinkEnd| one.peer_module_id.as_ref().is_none_or(|peer| *peer == other.module_id);
        if !names(first, second) || !names(second, first) {
            let text = format!(
                "{} and {} are the ends of {link_id} and do not name each other; correct link/peer-module-id",
                first.device, second.device
            );
            found.push(finding("peer-mismatch", &both, text));
        }
        let differing = self.differing(first, second);
        if !differing.is_empty() {
            let text = format!(
                "{} and {} differ in what the two ends of {link_id} must agree on: {}; configure the same at both",
                first.device,
                second.device,
                differing.join(", ")
            );
            found.push(finding("parameter-mismatch", &both, text));
        }
        found
    }

    fn differing(&self, first: &LinkEnd, second: &LinkEnd) -> Vec<String> {
        let (Some(a), Some(b)) = (self.module(&first.device), self.module(&second.device)) else { return Vec::new() };
        let mut differing = Vec::new();
        let numbers = [
            ("length", a.link.length, b.link.length),
            ("expected-attenuation", a.link.expected_attenuation, b.link.expected_attenuation),
            ("clock-rate", a.source.clock_rate, b.source.clock_rate),
        ];
        for (name, a, b) in numbers {
            if let (Some(a), Some(b)) = (a, b)
                && (a - b).abs() > SAME
            {
                differing.push(format!("{name} ({a} and {b})"));
            }
        }
        let protocol = |facts: &ModuleFacts| facts.protocol.clone().or_else(|| facts.state.protocol.clone());
        if let (Some(a), Some(b)) = (protocol(a), protocol(b))
            && a != b
        {
            differing.push(format!("protocol ({a} and {b})"));
        }
        for channel in &a.quantum_channel {
            let other = b.quantum_channel.iter().find(|other| other.name == channel.name);
            if let Some((a, b)) = channel.wavelength.zip(other.and_then(|other| other.wavelength))
                && (a - b).abs() > SAME
            {
                differing.push(format!("wavelength of channel {} ({a} and {b})", channel.name));
            }
        }
        differing
    }

    /// A QKD link whose key no pair of KMs takes.
    fn km_pair(&self, link_id: &ResourceId, link: &QkdLink) -> Option<Finding> {
        // Who is not read yet may have it.
        let unread =
            |plan: &Plan| plan.kind == Kind::KeyManager && plan.managed && !self.reports.contains_key(&plan.name);
        if link.ends.len() != 2 || self.plans.values().any(unread) {
            return None;
        }
        let feeds =
            |km: &crate::facts::KeyManagerFacts| km.km_link.iter().any(|km_link| km_link.qkd_link_id.contains(link_id));
        let kms = self.reports.values().filter(|report| matches!(&report.facts, Facts::KeyManager(km) if feeds(km)));
        let kms = kms.count();
        (kms < 2).then(|| Finding {
            kind: "link-without-km-pair",
            resources: vec![link_id.clone()],
            devices: link.ends.iter().map(|end| end.device.clone()).collect(),
            text: format!("{kms} of the two key managers that QKD link {link_id} needs name it; add it to qkd-link-id of their km-link"),
        })
    }

    /// References of KMs and switches to what nobody reported.
    fn references(&self) -> Vec<Finding> {
        let all_read = |kind: Kind| {
            self.plans
                .values()
                .filter(|plan| plan.kind == kind && plan.managed)
                .all(|plan| self.reports.contains_key(&plan.name))
        };
        let modules_read = all_read(Kind::QkdModule);
        let is_known = |id: &str| self.layout.device_of(id).is_some() || self.is_planned_and_unread(id);
        let is_link = |id: &str| {
            !modules_read
                || self.layout.links.contains_key(id)
                || id.rsplit_once(':').is_some_and(|(link, _)| self.layout.links.contains_key(link))
        };
        let mut found = Vec::new();
        for (device, report) in self.reports {
            let mut unknown: BTreeSet<(&str, &ResourceId)> = BTreeSet::new();
            match &report.facts {
                Facts::KeyManager(km) => {
                    unknown.extend(km.source_module.iter().filter(|id| !is_known(id)).map(|id| ("source-module", id)));
                    for km_link in &km.km_link {
                        if !is_known(&km_link.peer_km_id) {
                            unknown.insert(("km-link/peer-km-id", &km_link.peer_km_id));
                        }
                        let links = km_link.qkd_link_id.iter().filter(|id| !is_link(id));
                        unknown.extend(links.map(|id| ("km-link/qkd-link-id", id)));
                    }
                }
                Facts::OpticalSwitch(switch) => {
                    let links = switch.port.iter().filter_map(|port| port.link_id.as_ref());
                    unknown.extend(links.filter(|id| !is_link(id)).map(|id| ("port/link-id", id)));
                }
                Facts::RelayPoint(relay) => {
                    let links = relay.segment.iter().filter_map(|segment| segment.link_id.as_ref());
                    unknown.extend(links.filter(|id| !is_link(id)).map(|id| ("segment/link-id", id)));
                }
                _ => {}
            }
            found.extend(unknown.into_iter().map(|(leaf, id)| Finding {
                kind: "unknown-resource",
                resources: report.id.iter().cloned().chain([id.clone()]).collect(),
                devices: vec![device.clone()],
                text: format!("{device} refers to {id} ({leaf}), which nobody reports; manage that device, or correct the reference"),
            }));
        }
        found
    }

    fn is_planned_and_unread(&self, id: &str) -> bool {
        self.plans
            .values()
            .any(|plan| plan.managed && plan.device_id.as_deref() == Some(id) && !self.reports.contains_key(&plan.name))
    }

    fn module(&self, device: &str) -> Option<&ModuleFacts> {
        match &self.reports.get(device)?.facts {
            Facts::QkdModule(facts) => Some(facts),
            _ => None,
        }
    }

    fn module_facts(&self) -> impl Iterator<Item = (&DeviceName, &ModuleFacts, &ResourceId)> {
        self.reports.iter().filter_map(|(device, report)| match (&report.facts, &report.id) {
            (Facts::QkdModule(facts), Some(id)) => Some((device, facts.as_ref(), id)),
            _ => None,
        })
    }
}

fn list(devices: &[&DeviceName]) -> String {
    devices.iter().map(|device| device.as_str()).collect::<Vec<_>>().join(", ")
}
