//! Which resource belongs to which QKD link, KM link and node: what correlation over the layers stands on (clause 10.3 step 7).

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Facts, Relay, Report};
use crate::model::{DeviceName, ResourceId};

/// What the devices' reports say together. Made anew whenever one changes: it has no state of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    pub links: BTreeMap<ResourceId, QkdLink>,
    /// Of a resource of any layer: the QKD links that it serves or rests on.
    of_resource: BTreeMap<ResourceId, BTreeSet<ResourceId>>,
    /// The same the other way round.
    of_link: BTreeMap<ResourceId, BTreeSet<ResourceId>>,
    /// The device that stands for a resource.
    device_of: BTreeMap<ResourceId, DeviceName>,
}

/// A QKD link as its ends tell it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QkdLink {
    pub ends: Vec<LinkEnd>,
    /// Optical switches that it passes, by device.
    pub switches: BTreeSet<DeviceName>,
    pub relay_points: BTreeSet<DeviceName>,
    /// KM links that it feeds.
    pub km_links: BTreeSet<ResourceId>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LinkEnd {
    pub device: DeviceName,
    pub module_id: ResourceId,
    /// `transmitter`, `receiver` or nothing.
    pub role: Option<String>,
    pub peer_module_id: Option<ResourceId>,
    /// The QKD node that it stands in.
    pub node: Option<String>,
}

impl Layout {
    pub fn of<'r>(reports: impl Iterator<Item = (&'r DeviceName, &'r Report)> + Clone) -> Layout {
        let mut layout = Layout::default();
        for (device, report) in reports.clone() {
            layout.add_quantum(device, report);
        }
        for (device, report) in reports {
            layout.add_passive(device, report);
            layout.add_keys(device, report);
        }
        layout
    }

    /// QKD links that a resource serves or rests on.
    pub fn links_of(&self, resource: &str) -> impl Iterator<Item = &ResourceId> {
        self.of_resource.get(resource).into_iter().flatten()
    }

    /// Resources of all layers that serve a QKD link or rest on it, itself among them.
    pub fn resources_of(&self, link: &str) -> impl Iterator<Item = &ResourceId> {
        self.of_link.get(link).into_iter().flatten()
    }

    pub fn device_of(&self, resource: &str) -> Option<&DeviceName> {
        self.device_of.get(resource)
    }

    fn tie(&mut self, resource: &str, link: &str) {
        self.of_resource.entry(resource.to_owned()).or_default().insert(link.to_owned());
        self.of_link.entry(link.to_owned()).or_default().insert(resource.to_owned());
    }

    /// Modules with all their parts, and the links that they name.
    fn add_quantum(&mut self, device: &str, report: &Report) {
        let Facts::QkdModule(facts) = &report.facts else {
            if let Some(id) = &report.id {
                self.device_of.insert(id.clone(), device.to_owned());
            }
            return;
        };
        let Some(module_id) = &report.id else { return };
        self.device_of.insert(module_id.clone(), device.to_owned());
        let Some(link_id) = &facts.link.link_id else { return };
        let link = self.links.entry(link_id.clone()).or_default();
        link.ends.push(LinkEnd {
            device: device.to_owned(),
            module_id: module_id.clone(),
            role: facts.role().map(str::to_owned),
            peer_module_id: facts.link.peer_module_id.clone(),
            node: report.location.node.clone(),
        });
        self.tie(link_id, link_id);
        for resource in &report.resources {
            self.tie(&resource.resource_id, link_id);
        }
    }

    /// Optical switches and relay points, by the links that their ports and segments name.
    fn add_passive(&mut self, device: &str, report: &Report) {
        let Some(id) = &report.id else { return };
        match &report.facts {
            Facts::OpticalSwitch(facts) => {
                for cross_connect in &facts.cross_connect {
                    let port = |name: &str| facts.port.iter().find(|port| port.name == name);
                    let of_port = port(&cross_connect.input).or_else(|| port(&cross_connect.output));
                    let named =
                        cross_connect.link_id.as_ref().or_else(|| of_port.and_then(|port| port.link_id.as_ref()));
                    let Some(link_id) = named.and_then(|link_id| self.known(link_id)) else { continue };
                    self.tie(&format!("{id}:cross-connect:{}", cross_connect.name), &link_id);
                    for name in [&cross_connect.input, &cross_connect.output] {
                        self.tie(&format!("{id}:port:{name}"), &link_id);
                    }
                    self.tie(id, &link_id);
                    self.links.entry(link_id).or_default().switches.insert(device.to_owned());
                }
            }
            Facts::RelayPoint(facts) => {
                for segment in &facts.segment {
                    let Some(link_id) = segment.link_id.as_ref().and_then(|link_id| self.known(link_id)) else {
                        continue;
                    };
                    self.tie(&format!("{id}:segment:{}", segment.name), &link_id);
                    self.tie(id, &link_id);
                    // A relay that stands by serves no link yet, as a port in no connection does not.
                    let joined = |relay: &&Relay| {
                        let of_segment = relay.first == segment.name || relay.second == segment.name;
                        of_segment && relay.enabled != Some(false)
                    };
                    for relay in facts.relay.iter().filter(joined) {
                        self.tie(&format!("{id}:relay:{}", relay.name), &link_id);
                    }
                    self.links.entry(link_id).or_default().relay_points.insert(device.to_owned());
                }
            }
            _ => {}
        }
    }

    /// KM links and key stores, by the QKD links that feed them.
    fn add_keys(&mut self, _device: &str, report: &Report) {
        let Facts::KeyManager(facts) = &report.facts else { return };
        for km_link in &facts.km_link {
            for link_id in &km_link.qkd_link_id {
                if let Some(link) = self.links.get_mut(link_id) {
                    link.km_links.insert(km_link.link_id.clone());
                }
                self.tie(&km_link.link_id, link_id);
                let stores = facts.state.key_store.iter().filter(|store| store.peer_km_id == km_link.peer_km_id);
                let stores: Vec<_> = stores.filter_map(|store| store.resource_id.clone()).collect();
                stores.iter().for_each(|store| self.tie(store, link_id));
            }
        }
    }

    /// A segment names a link, or a part of it: `LINK:part`.
    fn known(&self, link_id: &str) -> Option<ResourceId> {
        if self.links.contains_key(link_id) {
            return Some(link_id.to_owned());
        }
        let (whole, _) = link_id.rsplit_once(':')?;
        self.links.contains_key(whole).then(|| whole.to_owned())
    }
}

impl QkdLink {
    pub fn end(&self, role: &str) -> Option<&LinkEnd> {
        self.ends.iter().find(|end| end.role.as_deref() == Some(role))
    }
}
