//! The network as the controller sees it: what the agents' configurations, read over NETCONF, say.

use std::collections::{BTreeMap, BTreeSet};

use crate::key_manager::model as km;
use crate::qkd_module::model as module;
use crate::relay_point::model as relay_point;

/// What was read, by resource identifier.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    pub modules: BTreeMap<String, module::Config>,
    pub kms: BTreeMap<String, km::Config>,
    pub relay_points: BTreeMap<String, relay_point::Config>,
    /// QKD links that make no key, as the KMs that they feed have it.
    pub down: BTreeSet<String>,
    /// Those that could not be read, and why.
    pub silent: BTreeMap<String, String>,
}

impl View {
    /// Takes over what another has read; what could not be read this time is not known any more.
    pub fn update(&mut self, newer: View) {
        for silent in newer.silent.keys() {
            self.modules.remove(silent);
            self.kms.remove(silent);
            self.relay_points.remove(silent);
        }
        let read = newer.modules.keys().chain(newer.kms.keys()).chain(newer.relay_points.keys());
        read.for_each(|id| {
            self.silent.remove(id);
        });
        if !newer.kms.is_empty() {
            self.down = newer.down;
        }
        self.modules.extend(newer.modules);
        self.kms.extend(newer.kms);
        self.relay_points.extend(newer.relay_points);
        self.silent.extend(newer.silent);
    }

    /// The modules at the ends of a QKD link.
    pub fn ends_of<'v>(&'v self, link_id: &'v str) -> impl Iterator<Item = &'v str> {
        let of_link = self.modules.iter().filter(move |(_, config)| config.link.link_id.as_deref() == Some(link_id));
        of_link.map(|(id, _)| id.as_str())
    }

    /// The KMs at the ends of a KM link, and what each calls it.
    pub fn kms_of<'v>(&'v self, km_link_id: &'v str) -> impl Iterator<Item = (&'v str, &'v km::KmLink)> {
        let links = self.kms.iter().flat_map(|(id, config)| config.km_link.iter().map(move |link| (id.as_str(), link)));
        links.filter(move |(_, link)| link.link_id == km_link_id)
    }

    /// A module or a KM knows a QKD link of this identifier.
    pub fn has_qkd_link(&self, link_id: &str) -> bool {
        let fed = || self.kms.values().flat_map(|config| &config.km_link).flat_map(|link| &link.qkd_link_id);
        self.ends_of(link_id).next().is_some() || fed().any(|fed| fed == link_id)
    }

    pub fn has_route(&self, route_id: &str) -> bool {
        self.kms.values().flat_map(|config| &config.relay_route).any(|entry| entry.route_id == route_id)
    }
}
