//! The inventory: every managed resource of all layers, planned against found (clauses 9.1 and 10.3).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::facts::Report;
use crate::model::{DeviceName, Kind, Plan, ResourceId};
use crate::record::{Presence, Record, Resource};

#[derive(Debug, Default)]
pub struct Inventory {
    resources: BTreeMap<ResourceId, Resource>,
}

/// What a report changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub added: Vec<ResourceId>,
    pub removed: Vec<ResourceId>,
    pub changed: Vec<ResourceId>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

impl Inventory {
    pub fn recover(resources: Vec<Resource>) -> Inventory {
        Inventory {
            resources: resources.into_iter().map(|resource| (resource.resource_id.clone(), resource)).collect(),
        }
    }

    pub fn all(&self) -> &BTreeMap<ResourceId, Resource> {
        &self.resources
    }

    pub fn get(&self, id: &str) -> Option<&Resource> {
        self.resources.get(id)
    }

    /// What the operator plans: a resource that is not found yet is in the inventory as planned.
    pub fn plan(&mut self, plans: &BTreeMap<DeviceName, Plan>) -> Vec<Record> {
        let planned: BTreeMap<&ResourceId, &Plan> =
            plans.values().filter_map(|plan| plan.device_id.as_ref().map(|id| (id, plan))).collect();
        let mut records = Vec::new();
        for (id, plan) in &planned {
            if !self.resources.contains_key(*id) {
                let resource = Resource {
                    resource_id: (*id).clone(),
                    kind: resource_kind(plan.kind).to_owned(),
                    device: Some(plan.name.clone()),
                    layer: plan.kind.layer().map(str::to_owned),
                    reference_point: plan.kind.reference_point().map(str::to_owned),
                    presence: Presence::Planned,
                    location: plan.location.clone().unwrap_or_default(),
                    ..Resource::default()
                };
                records.push(Record::Resource(Box::new(resource.clone())));
                self.resources.insert((*id).clone(), resource);
            }
        }
        let mut forgotten = Vec::new();
        for (id, resource) in &mut self.resources {
            let presence = match (planned.contains_key(id), resource.presence) {
                (true, Presence::Found) => Presence::Both,
                (true, Presence::Gone) => Presence::Planned,
                (false, Presence::Both) => Presence::Found,
                (false, Presence::Planned) => {
                    forgotten.push(id.clone());
                    continue;
                }
                (_, same) => same,
            };
            if presence != resource.presence {
                resource.presence = presence;
                records.push(Record::Resource(Box::new(resource.clone())));
            }
        }
        for id in forgotten {
            self.resources.remove(&id);
            records.push(Record::ResourceForgotten(id));
        }
        records
    }

    /// Takes what a device reported, whole: what it reported before and does not any more is gone, but not forgotten.
    pub fn report(
        &mut self,
        device: &str,
        report: &Report,
        plans: &BTreeMap<DeviceName, Plan>,
        now: Timestamp,
    ) -> (Vec<Record>, Changes) {
        let planned: BTreeSet<&ResourceId> = plans.values().filter_map(|plan| plan.device_id.as_ref()).collect();
        let (mut records, mut changes) = (Vec::new(), Changes::default());
        let mut reported = BTreeSet::new();
        for told in &report.resources {
            let id = &told.resource_id;
            reported.insert(id.clone());
            let known = self.resources.get(id);
            // A link is told by both its ends; the first of them that told of it keeps it, and not a switch on its way.
            let of_its_end = told.kind == "qkdn-types:qkd-link" && report.kind == Kind::QkdModule;
            let from_its_way = known.is_some_and(|known| known.reference_point.as_deref() != Some("mq"));
            let of_other = known.and_then(|known| known.device.as_deref()).is_some_and(|owner| {
                owner != device
                    && known
                        .is_some_and(|known| known.presence != Presence::Planned && known.presence != Presence::Gone)
            });
            if of_other && !(of_its_end && from_its_way) {
                continue;
            }
            let is_device = report.id.as_ref() == Some(id);
            let resource = Resource {
                device: Some(device.to_owned()),
                layer: report.kind.layer().map(str::to_owned),
                reference_point: report.kind.reference_point().map(str::to_owned),
                presence: if planned.contains(id) { Presence::Both } else { Presence::Found },
                first_seen: known.and_then(|known| known.first_seen).or(Some(now)),
                last_seen: Some(now),
                equipment: if is_device { report.equipment.clone() } else { Default::default() },
                location: report.location.clone(),
                last_change: told.last_change.or(known.and_then(|known| known.last_change)),
                ..told.clone()
            };
            match known {
                None => changes.added.push(id.clone()),
                Some(known) if known.presence == Presence::Planned || known.presence == Presence::Gone => {
                    changes.added.push(id.clone());
                }
                Some(known) if !same_facts(known, &resource) => changes.changed.push(id.clone()),
                Some(_) => {}
            }
            records.push(Record::Resource(Box::new(resource.clone())));
            self.resources.insert(id.clone(), resource);
        }
        let of_device = |resource: &Resource| resource.device.as_deref() == Some(device);
        for resource in self.resources.values_mut().filter(|resource| of_device(resource)) {
            let there = reported.contains(&resource.resource_id);
            if !there && !matches!(resource.presence, Presence::Gone | Presence::Planned) {
                resource.presence = Presence::Gone;
                changes.removed.push(resource.resource_id.clone());
                records.push(Record::Resource(Box::new(resource.clone())));
            }
        }
        (records, changes)
    }

    /// A device is not managed any more: what it told of is gone.
    pub fn remove_device(&mut self, device: &str) -> (Vec<Record>, Vec<ResourceId>) {
        let (mut records, mut gone) = (Vec::new(), Vec::new());
        for resource in self.resources.values_mut().filter(|resource| resource.device.as_deref() == Some(device)) {
            if !matches!(resource.presence, Presence::Gone | Presence::Planned) {
                resource.presence = Presence::Gone;
                gone.push(resource.resource_id.clone());
                records.push(Record::Resource(Box::new(resource.clone())));
            }
        }
        (records, gone)
    }

    /// A state of a resource changed; None where nobody reported the resource.
    pub fn set_state(&mut self, id: &str, state: &str, new: &str, time: Timestamp) -> Option<Record> {
        let resource = self.resources.get_mut(id)?;
        let slot = match state {
            "admin-state" => &mut resource.admin_state,
            "service-state" => &mut resource.service_state,
            "oper-state" => &mut resource.oper_state,
            _ => return None,
        };
        if slot.as_deref() == Some(new) {
            return None;
        }
        *slot = Some(new.to_owned());
        resource.last_change = Some(time);
        Some(Record::Resource(Box::new(resource.clone())))
    }
}

/// Whether nothing but the times of looking differs.
fn same_facts(known: &Resource, told: &Resource) -> bool {
    let timeless = |resource: &Resource| Resource {
        last_seen: None,
        last_change: None,
        oper_state: None,
        service_state: None,
        admin_state: None,
        ..resource.clone()
    };
    timeless(known) == timeless(told)
}

fn resource_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::QkdModule => "qkdn-types:qkd-module",
        Kind::RelayPoint => "qkdn-types:quantum-relay-point",
        Kind::OpticalSwitch => "qkdn-types:optical-switch",
        Kind::KeyManager => "qkdn-types:key-manager",
        Kind::Controller => "qkdn-types:qkdn-controller",
        Kind::Unknown => "qkdn-types:management-resource",
    }
}

#[cfg(test)]
mod tests;
