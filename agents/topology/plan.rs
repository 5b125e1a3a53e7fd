//! The agents that a topology needs: names, identifiers and the first configuration of each, as RFC 7951 JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Application, Link, OpticalSwitch, RelayPoint, Thresholds, Topology};

/// Key stores as QKDNetSim has them by default, bit: empty below the minimum, low below the threshold, and what fits in.
pub const MINIMUM_BITS: u64 = 1_000_000;
pub const THRESHOLD_BITS: u64 = 2_000_000;
pub const MAXIMUM_BITS: u64 = 1_000_000_000;

/// What a key store holds when the network is switched on, bit (QKDNetSim).
pub const INITIAL_BITS: u64 = 5_000_000;

/// Wavelengths of the quantum signal on the two fibres of a link, nm: the C band.
const WAVELENGTHS: [&str; 2] = ["1550.12", "1549.32"];

/// Kinds of agents, as the command line and the files name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentKind {
    QkdModule,
    KeyManager,
    OpticalSwitch,
    RelayPoint,
    Controller,
}

/// One agent of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentPlan {
    pub kind: AgentKind,
    /// Of the agent: `L-tx`, `L-rx`, `km-N`, or the device's own name.
    pub name: String,
    /// Of the device.
    pub resource_id: String,
    /// The device's first configuration: `{"module:container": {…}}`.
    pub initial: Value,
}

impl AgentKind {
    pub const ALL: [AgentKind; 5] = [
        AgentKind::QkdModule,
        AgentKind::KeyManager,
        AgentKind::OpticalSwitch,
        AgentKind::RelayPoint,
        AgentKind::Controller,
    ];

    /// As the command line names it, such as `qkd-module`.
    pub fn name(self) -> &'static str {
        match self {
            AgentKind::QkdModule => "qkd-module",
            AgentKind::KeyManager => "key-manager",
            AgentKind::OpticalSwitch => "optical-switch",
            AgentKind::RelayPoint => "relay-point",
            AgentKind::Controller => "controller",
        }
    }
}

impl Topology {
    /// Every agent, layer by layer from the quantum layer up: modules, switches, relay points, KMs, controller.
    pub fn agents(&self) -> Vec<AgentPlan> {
        let modules = self.links.iter().flat_map(|link| [self.module(link, true), self.module(link, false)]);
        let switches = self.optical_switches.iter().map(|switch| self.switch(switch));
        let points = self.relay_points.iter().map(|point| self.relay_point(point));
        let neighbours = self.km_neighbours();
        let routes = self.supplies(&neighbours);
        let kms = neighbours.iter().map(|(node, around)| self.key_manager(node, around, &routes));
        let controller = self.controller.iter().map(|controller| AgentPlan {
            kind: AgentKind::Controller,
            name: controller.name.clone(),
            resource_id: self.resource_id("controller", &controller.name),
            initial: json!({ "qkdn-mc:controller": {
                "description": format!("Controller of the network {}", self.name),
                "location": self.location(Some(&controller.node), None, None, None),
            }}),
        });
        modules.chain(switches).chain(points).chain(kms).chain(controller).collect()
    }

    /// Every node that has a KM, with those with which it shares a KM link: both have KMs, and a QKD link between them.
    pub fn km_neighbours(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let managed = self.nodes.iter().filter(|node| node.key_manager);
        let mut neighbours: BTreeMap<&str, BTreeSet<&str>> =
            managed.map(|node| (node.name.as_str(), BTreeSet::new())).collect();
        for (from, to) in self.links.iter().map(|link| (link.from.as_str(), link.to.as_str())) {
            if neighbours.contains_key(from) && neighbours.contains_key(to) {
                neighbours.entry(from).or_default().insert(to);
                neighbours.entry(to).or_default().insert(from);
            }
        }
        neighbours
    }

    /// The applications to which keys can get, with the nodes on the way, both ends included.
    pub(crate) fn supplies<'t>(
        &'t self,
        neighbours: &BTreeMap<&'t str, BTreeSet<&'t str>>,
    ) -> Vec<(&'t Application, Vec<&'t str>)> {
        let mut rates: BTreeMap<[&str; 2], f64> = BTreeMap::new();
        for link in &self.links {
            let rate = self.system_of(link).over_loss(self.design_loss_db(link)).vacuum_weak.secret_key_rate;
            *rates.entry(pair(&link.from, &link.to)).or_default() += rate;
        }
        let way = |application: &Application| route(neighbours, &rates, &application.at, &application.peer);
        self.applications.iter().filter_map(|application| Some((application, way(application)?))).collect()
    }

    fn module(&self, link: &Link, transmits: bool) -> AgentPlan {
        let (end, peer, role, at) = match transmits {
            true => ("tx", "rx", "transmitter", &link.from),
            false => ("rx", "tx", "receiver", &link.to),
        };
        let id = |end: &str| self.resource_id("module", &format!("{}-{end}", link.name));
        let mut channels = vec![json!({ "name": "primary", "wavelength": WAVELENGTHS[0], "port": "line-1" })];
        if link.backup_channel {
            channels.push(json!({ "name": "backup", "use": "backup", "wavelength": WAVELENGTHS[1], "port": "line-2" }));
        }
        let mut module = json!({
            "description": format!("{} of link {} from {} to {}", capital(role), link.name, link.from, link.to),
            "location": self.location(Some(at), None, None, None),
            "role": role,
            "protocol": "qkdn-types:bb84-decoy",
            "link": {
                "link-id": self.link_id(&link.name),
                "peer-module-id": id(peer),
                "length": decimal(link.length_km),
                "expected-attenuation": decimal(self.design_loss_db(link)),
            },
            "quantum-channel": channels,
        });
        if let Some(group) = self.protection_group(link) {
            module["link"]["protection-group"] = group.into();
        }
        if let Some(thresholds) = link.thresholds.map(Thresholds::to_json) {
            module["thresholds"] = thresholds;
        }
        AgentPlan {
            kind: AgentKind::QkdModule,
            name: format!("{}-{end}", link.name),
            resource_id: id(end),
            initial: json!({ "qkdn-mq:qkd-module": module }),
        }
    }

    fn switch(&self, switch: &OpticalSwitch) -> AgentPlan {
        let fibres = self.fibres(&switch.name);
        let port = |name: &String| match fibres.get(name.as_str()) {
            Some(fibre) => json!({
                "name": name,
                "description": format!("Fibre of link {}", fibre.link.name),
                "link-id": self.link_id(&fibre.link.name),
                "connected-to": fibre.beyond,
            }),
            None => json!({ "name": name, "description": "Spare" }),
        };
        let connect = |(link, input, output): (&Link, &str, &str)| json!({ "name": link.name, "input": input, "output": output, "link-id": self.link_id(&link.name) });
        AgentPlan {
            kind: AgentKind::OpticalSwitch,
            name: switch.name.clone(),
            resource_id: self.element_id(&switch.name),
            initial: json!({ "qkdn-mops:optical-switch": {
                "description": format!("Optical switch {}", switch.name),
                "location":
                    self.location(switch.node.as_deref(), switch.site.as_deref(), switch.latitude, switch.longitude),
                "port": switch.ports.iter().map(port).collect::<Vec<_>>(),
                "cross-connect": self.passing(&switch.name).map(connect).collect::<Vec<_>>(),
            }}),
        }
    }

    fn relay_point(&self, point: &RelayPoint) -> AgentPlan {
        let fibres = self.fibres(&point.name);
        let beside = |segment: &str| {
            let pair = point.spare.iter().find(|pair| pair.input == segment || pair.output == segment)?;
            let link = self.link(pair.link.as_deref()?)?;
            let (_, input, output) = self.passing(&point.name).find(|(passing, ..)| passing.name == link.name)?;
            fibres.get(if pair.input == segment { input } else { output })
        };
        let segment = |name: &String| match fibres.get(name.as_str()).or_else(|| beside(name)) {
            Some(fibre) => json!({
                "name": name,
                "link-id": format!("{}:{name}", self.link_id(&fibre.link.name)),
                "expected-attenuation": decimal(fibre.loss_db),
            }),
            None => json!({ "name": name }),
        };
        let used = self
            .passing(&point.name)
            .map(|(link, first, second)| json!({ "name": link.name, "first": first, "second": second }));
        let spare = point.spare.iter().enumerate().map(|(at, pair)| {
            json!({
                "name": format!("spare-{}", at + 1),
                "first": pair.input,
                "second": pair.output,
                "use": "backup",
                "enabled": false,
            })
        });
        let mut initial = json!({
            "description": format!("Quantum relay point {}", point.name),
            "location": self.location(point.node.as_deref(), point.site.as_deref(), point.latitude, point.longitude),
            "segment": point.segments.iter().map(segment).collect::<Vec<_>>(),
            "relay": used.chain(spare).collect::<Vec<_>>(),
        });
        // It judges the light of its links as their own ends do; of several links, by what the last of them asks for.
        let thresholds = self.passing(&point.name).filter_map(|(link, ..)| link.thresholds).last();
        if let Some(qber) = thresholds.map(Thresholds::to_json).and_then(|levels| levels.get("qber").cloned()) {
            initial["thresholds"] = json!({ "qber": qber });
        }
        AgentPlan {
            kind: AgentKind::RelayPoint,
            name: point.name.clone(),
            resource_id: self.element_id(&point.name),
            initial: json!({ "qkdn-mqrp:relay-point": initial }),
        }
    }

    fn key_manager(&self, node: &str, neighbours: &BTreeSet<&str>, routes: &[(&Application, Vec<&str>)]) -> AgentPlan {
        let modules = self.links.iter().flat_map(|link| [(&link.from, link, "tx"), (&link.to, link, "rx")]);
        let modules = modules
            .filter(|(at, ..)| *at == node)
            .map(|(_, link, end)| self.resource_id("module", &format!("{}-{end}", link.name)));
        let links = neighbours.iter().map(|peer| {
            json!({
                "name": format!("to-{peer}"),
                "link-id": self.km_link_id(node, peer),
                "peer-km-id": self.km_id(peer),
                "qkd-link-id": self.links_between(node, peer).map(|link| self.link_id(&link.name)).collect::<Vec<_>>(),
                "channel": [{ "name": "primary" }, { "name": "backup", "use": "backup" }],
            })
        });
        let ends =
            routes.iter().filter_map(|(application, _)| match (application.at == node, application.peer == node) {
                (true, _) => Some((*application, &application.at, &application.peer)),
                (_, true) => Some((*application, &application.peer, &application.at)),
                _ => None,
            });
        let supplied: BTreeSet<&str> = ends.clone().map(|(.., peer)| peer.as_str()).collect();
        let store = |peer: &str, purpose: &str| {
            json!({
                "peer-km-id": self.km_id(peer),
                "purpose": purpose,
                "minimum-bits": MINIMUM_BITS.to_string(),
                "threshold-bits": THRESHOLD_BITS.to_string(),
                "maximum-bits": MAXIMUM_BITS.to_string(),
            })
        };
        let stores =
            neighbours.iter().map(|peer| store(peer, "kma")).chain(supplied.iter().map(|peer| store(peer, "ksa")));
        let applications = ends.map(|(application, here, there)| {
            let mut entry = json!({
                "application-id": self.application_id(application, here),
                "peer-application-id": self.application_id(application, there),
                "peer-km-id": self.km_id(there),
                "maximum-rate": decimal(application.rate),
            });
            if let Some(priority) = application.priority {
                entry["priority"] = priority.into();
            }
            entry
        });
        let hop = |(application, way): &(&Application, Vec<&str>)| {
            let at = way.iter().position(|hop| *hop == node)?;
            let mut route = json!({
                "route-id": self.resource_id("route", &application.name),
                "source-km-id": self.km_id(way[0]),
                "destination-km-id": self.km_id(way[way.len() - 1]),
            });
            let before = at.checked_sub(1).map(|at| way[at]);
            for (key, neighbour) in [("previous-hop", before), ("next-hop", way.get(at + 1).copied())] {
                if let Some(neighbour) = neighbour {
                    route[key] = self.km_id(neighbour).into();
                }
            }
            Some(route)
        };
        AgentPlan {
            kind: AgentKind::KeyManager,
            name: format!("km-{node}"),
            resource_id: self.km_id(node),
            initial: json!({ "qkdn-mk:key-manager": {
                "description": format!("Key manager of node {node}"),
                "location": self.location(Some(node), None, None, None),
                "source-module": modules.collect::<Vec<_>>(),
                "km-link": links.collect::<Vec<_>>(),
                "key-store": stores.collect::<Vec<_>>(),
                "application": applications.collect::<Vec<_>>(),
                "relay-route": routes.iter().filter_map(hop).collect::<Vec<_>>(),
            }}),
        }
    }

    /// Of the end of an application at a node.
    pub fn application_id(&self, application: &Application, node: &str) -> String {
        self.resource_id("application", &format!("{}:{node}", application.name))
    }

    /// The links that pass an element, with where they enter and leave it.
    fn passing(&self, element: &str) -> impl Iterator<Item = (&Link, &str, &str)> {
        let passages = self.links.iter().flat_map(|link| link.via.iter().map(move |via| (link, via)));
        passages
            .filter(move |(_, via)| via.element == element)
            .map(|(link, via)| (link, via.input.as_str(), via.output.as_str()))
    }

    /// The fibres that end in an element, by port or segment.
    fn fibres(&self, element: &str) -> BTreeMap<&str, Fibre<'_>> {
        let mut fibres = BTreeMap::new();
        for link in &self.links {
            let distances = link.distances_km();
            let module = |end: &str| self.resource_id("module", &format!("{}-{end}", link.name));
            for (at, via) in link.via.iter().enumerate().filter(|(_, via)| via.element == element) {
                let from = at.checked_sub(1).map_or(0.0, |before| distances[before]);
                let neighbour = |at: Option<usize>| Some(self.element_id(&link.via.get(at?)?.element));
                let loss = |km: f64| self.fibre_loss_db(link) * km / link.length_km;
                let before = neighbour(at.checked_sub(1)).unwrap_or_else(|| module("tx"));
                let after = neighbour(Some(at + 1)).unwrap_or_else(|| module("rx"));
                let (into, onward) = (loss(distances[at] - from), loss(distances[at + 1] - distances[at]));
                fibres.insert(via.input.as_str(), Fibre { link, beyond: before, loss_db: into });
                fibres.insert(via.output.as_str(), Fibre { link, beyond: after, loss_db: onward });
            }
        }
        fibres
    }

    /// The container `location`: a node's, with what is told besides.
    fn location(&self, node: Option<&str>, site: Option<&str>, latitude: Option<f64>, longitude: Option<f64>) -> Value {
        let there = node.and_then(|name| self.node(name));
        let mut location = Map::new();
        let mut tell = |key: &str, value: Option<String>| {
            location.extend(value.filter(|value| !value.is_empty()).map(|value| (key.to_owned(), value.into())));
        };
        let degrees = |degrees: f64| format!("{degrees:.6}");
        tell("node", node.map(str::to_owned));
        tell("site", site.map(str::to_owned).or_else(|| there.map(|node| node.site.clone())));
        tell("latitude", latitude.or(there.map(|node| node.latitude)).map(degrees));
        tell("longitude", longitude.or(there.map(|node| node.longitude)).map(degrees));
        location.into()
    }
}

/// The way over KM links with as few hops as can be, and of those the one whose links take least time to make a bit, by their rates in
/// bit/s; both ends included. None where there is no way.
fn route<'t>(
    neighbours: &BTreeMap<&'t str, BTreeSet<&'t str>>,
    rates: &BTreeMap<[&'t str; 2], f64>,
    from: &str,
    to: &str,
) -> Option<Vec<&'t str>> {
    let start = *neighbours.get_key_value(from)?.0;
    let mut before = BTreeMap::from([(start, start)]);
    let mut edge: BTreeMap<&str, f64> = BTreeMap::from([(start, 0.0)]);
    while !before.contains_key(to) && !edge.is_empty() {
        // One hop further, every node is reached from where it is reached best.
        let mut reached: BTreeMap<&'t str, (f64, &'t str)> = BTreeMap::new();
        for (node, time) in edge {
            let (node, around) = neighbours.get_key_value(node)?;
            for neighbour in around.iter().filter(|neighbour| !before.contains_key(*neighbour)) {
                let time = time + rates.get(&pair(node, neighbour)).map_or(f64::INFINITY, |rate| 1.0 / rate);
                let best = reached.entry(neighbour).or_insert((time, node));
                if time < best.0 {
                    *best = (time, node);
                }
            }
        }
        before.extend(reached.iter().map(|(node, (_, from))| (*node, *from)));
        edge = reached.into_iter().map(|(node, (time, _))| (node, time)).collect();
    }
    let mut way = vec![*before.get_key_value(to)?.0];
    while let Some(at) = way.last().copied().filter(|at| *at != start) {
        way.push(before[at]);
    }
    way.reverse();
    Some(way)
}

/// Two nodes, whichever way round.
fn pair<'t>(one: &'t str, other: &'t str) -> [&'t str; 2] {
    if one < other { [one, other] } else { [other, one] }
}

/// A fibre of a link at an element.
struct Fibre<'t> {
    link: &'t Link,
    /// The resource at its other end.
    beyond: String,
    loss_db: f64,
}

impl Thresholds {
    /// The container `thresholds` of a QKD module, as far as it is set.
    fn to_json(self) -> Value {
        let mut thresholds = Map::new();
        for (quantity, levels) in [
            ("qber", [("warning", self.qber_warning), ("major", self.qber_major), ("critical", self.qber_critical)]),
            (
                "channel-loss",
                [("warning", self.channel_loss_warning), ("major", self.channel_loss_major), ("critical", None)],
            ),
            (
                "secret-key-rate",
                [("warning", self.secret_key_rate_warning), ("major", self.secret_key_rate_major), ("critical", None)],
            ),
            ("visibility", [("warning", self.visibility_warning), ("major", None), ("critical", None)]),
        ] {
            let levels =
                levels.into_iter().filter_map(|(level, value)| Some((level.to_owned(), decimal(value?).into())));
            let levels: Map<String, Value> = levels.collect();
            if !levels.is_empty() {
                thresholds.insert(quantity.to_owned(), levels.into());
            }
        }
        thresholds.into()
    }
}

/// A decimal64 with three fraction digits.
fn decimal(value: f64) -> String {
    format!("{value:.3}")
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_ascii_uppercase() + rest
}
