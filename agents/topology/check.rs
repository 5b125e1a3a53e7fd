//! What TOML cannot say of a topology file: names that exist, once; links with two ends; figures that can be.

use std::collections::{BTreeMap, BTreeSet};

use super::{Spare, Topology, Via};
use crate::physics::System;

/// Longest name, so that every resource identifier and YANG name made of it fits.
const LONGEST_NAME: usize = 40;

/// Nodes of one topology at most: a network of the largest operator has a few hundred.
pub const MOST_NODES: usize = 2000;

type Fault = (String, String);

impl Topology {
    /// The first fault: where, and what to do.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.check().err()
    }

    fn check(&self) -> Result<(), Fault> {
        self.check_names()?;
        self.check_system("topology", &self.system)?;
        if self.nodes.is_empty() || self.nodes.len() > MOST_NODES {
            return Err(wrong("node", format!("there are {}, where 1 to {MOST_NODES} can be", self.nodes.len())));
        }
        for node in &self.nodes {
            check_place(&format!("node {}", node.name), Some(node.latitude), Some(node.longitude))?;
        }
        let mut elements = BTreeMap::new();
        for switch in &self.optical_switches {
            let entry = format!("optical-switch {}", switch.name);
            self.check_site(&entry, switch.node.as_deref(), switch.latitude, switch.longitude)?;
            check_ports(&entry, "port", &switch.ports, &switch.spare)?;
            check_figure(&entry, "insertion-loss-db", switch.insertion_loss_db)?;
            elements.insert(&switch.name, ("port", &switch.ports, &switch.spare));
        }
        for point in &self.relay_points {
            let entry = format!("relay-point {}", point.name);
            self.check_site(&entry, point.node.as_deref(), point.latitude, point.longitude)?;
            check_ports(&entry, "segment", &point.segments, &point.spare)?;
            check_figure(&entry, "insertion-loss-db", point.insertion_loss_db)?;
            elements.insert(&point.name, ("segment", &point.segments, &point.spare));
        }
        let mut taken = BTreeMap::new();
        for link in &self.links {
            let entry = format!("link {}", link.name);
            self.check_node(&entry, "from", &link.from)?;
            self.check_node(&entry, "to", &link.to)?;
            if link.from == link.to {
                return Err(wrong(&entry, format!("it begins and ends at {}; a link joins two nodes", link.from)));
            }
            if link.length_km <= 0.0 {
                return Err(wrong(&entry, format!("length-km {} is not above 0", link.length_km)));
            }
            check_figure(&entry, "length-km", link.length_km)?;
            check_figure(&entry, "loss-db", link.loss_db.unwrap_or(0.0))?;
            link.system.as_ref().map_or(Ok(()), |system| self.check_system(&entry, system))?;
            let mut passed = 0.0;
            for via in &link.via {
                check_via(&entry, via, &elements)?;
                let at = via.at_km.unwrap_or(passed);
                if !(passed..=link.length_km).contains(&at) {
                    let reason = format!("at-km {at} of {} is not between {passed} and the link's length", via.element);
                    return Err(wrong(&entry, reason));
                }
                passed = at;
                for port in [&via.input, &via.output] {
                    if let Some(other) = taken.insert((&via.element, port), &link.name) {
                        let reason = format!("link {other} passes {} of {} already; take another", port, via.element);
                        return Err(wrong(&entry, reason));
                    }
                }
            }
        }
        for application in &self.applications {
            let entry = format!("application {}", application.name);
            for (key, name) in [("at", &application.at), ("peer", &application.peer)] {
                self.check_node(&entry, key, name)?;
                if self.node(name).is_some_and(|node| !node.key_manager) {
                    return Err(wrong(&entry, format!("{key}: node {name} has no key manager")));
                }
            }
            if application.at == application.peer {
                return Err(wrong(&entry, format!("both its ends are at {}", application.at)));
            }
            check_figure(&entry, "rate", application.rate)?;
            if application.priority.is_some_and(|priority| priority > 7) {
                return Err(wrong(&entry, "priority is not from 0 to 7".to_owned()));
            }
        }
        for (name, (what, _, spare)) in &elements {
            for link in spare.iter().filter_map(|pair| pair.link.as_ref()) {
                let passes = |via: &Via| via.element == **name;
                if !self.link(link).is_some_and(|link| link.via.iter().any(passes)) {
                    let entry = if *what == "port" { "optical-switch" } else { "relay-point" };
                    let reason = format!("spare: no link {link:?} passes it; a link's via says what it passes");
                    return Err(wrong(&format!("{entry} {name}"), reason));
                }
            }
        }
        self.controller.as_ref().map_or(Ok(()), |controller| {
            self.check_node(&format!("controller {}", controller.name), "node", &controller.node)
        })
    }

    /// Names can stand in identifiers, and no two agents have the same one.
    fn check_names(&self) -> Result<(), Fault> {
        check_name("name", &self.name)?;
        let mut agents: BTreeMap<String, String> = BTreeMap::new();
        let mut agent = |name: String, entry: String| match agents.insert(name.clone(), entry.clone()) {
            None => Ok(()),
            Some(other) if other == entry => Err(wrong(&entry, "it is there twice; rename one".to_owned())),
            Some(other) => Err(wrong(&entry, format!("its agent would be {name}, like that of {other}; rename one"))),
        };
        for node in &self.nodes {
            check_name("node", &node.name)?;
            agent(format!("km-{}", node.name), format!("node {}", node.name))?;
        }
        for link in &self.links {
            check_name("link", &link.name)?;
            link.protection_group.as_ref().map_or(Ok(()), |group| check_name("protection-group", group))?;
            agent(format!("{}-tx", link.name), format!("link {}", link.name))?;
            agent(format!("{}-rx", link.name), format!("link {}", link.name))?;
        }
        for switch in &self.optical_switches {
            check_name("optical-switch", &switch.name)?;
            agent(switch.name.clone(), format!("optical-switch {}", switch.name))?;
        }
        for point in &self.relay_points {
            check_name("relay-point", &point.name)?;
            agent(point.name.clone(), format!("relay-point {}", point.name))?;
        }
        if let Some(controller) = &self.controller {
            check_name("controller", &controller.name)?;
            agent(controller.name.clone(), format!("controller {}", controller.name))?;
        }
        let mut applications = BTreeSet::new();
        for application in &self.applications {
            check_name("application", &application.name)?;
            if !applications.insert(&application.name) {
                let entry = format!("application {}", application.name);
                return Err(wrong(&entry, "it is there twice; rename one".to_owned()));
            }
        }
        Ok(())
    }

    fn check_node(&self, entry: &str, key: &str, name: &str) -> Result<(), Fault> {
        match self.node(name) {
            Some(_) => Ok(()),
            None => Err(wrong(entry, format!("{key}: there is no node {name:?}; add a [[node]] or correct the name"))),
        }
    }

    fn check_system(&self, entry: &str, name: &str) -> Result<(), Fault> {
        let known: Vec<&str> = System::ALL.iter().map(|system| system.name).collect();
        match System::by_name(name) {
            Some(_) => Ok(()),
            None => Err(wrong(entry, format!("system {name:?} is not one of: {}", known.join(", ")))),
        }
    }

    fn check_site(&self, entry: &str, node: Option<&str>, lat: Option<f64>, long: Option<f64>) -> Result<(), Fault> {
        match node {
            Some(node) => self.check_node(entry, "node", node)?,
            None if lat.is_none() || long.is_none() => {
                return Err(wrong(entry, "it needs a node, or a latitude and a longitude".to_owned()));
            }
            None => {}
        }
        check_place(entry, lat, long)
    }
}

fn check_via(
    entry: &str,
    via: &Via,
    elements: &BTreeMap<&String, (&str, &Vec<String>, &Vec<Spare>)>,
) -> Result<(), Fault> {
    let Some((what, ports, spare)) = elements.get(&via.element) else {
        let reason = format!("via: there is no optical-switch or relay-point {:?}", via.element);
        return Err(wrong(entry, reason));
    };
    for port in [&via.input, &via.output] {
        if !ports.contains(port) {
            let reason = format!("via: {} has no {what} {port:?}; it has {}", via.element, ports.join(", "));
            return Err(wrong(entry, reason));
        }
        if spare.iter().any(|pair| pair.input == *port || pair.output == *port) {
            return Err(wrong(entry, format!("via: {what} {port} of {} is spare", via.element)));
        }
    }
    if via.input == via.output {
        let reason = format!("via: it enters and leaves {} by {what} {}", via.element, via.input);
        return Err(wrong(entry, reason));
    }
    Ok(())
}

fn check_ports(entry: &str, what: &str, ports: &[String], spare: &[Spare]) -> Result<(), Fault> {
    let mut known = BTreeSet::new();
    for port in ports {
        check_name(&format!("{entry}: {what}"), port)?;
        if !known.insert(port) {
            return Err(wrong(entry, format!("{what} {port} is there twice")));
        }
    }
    for port in spare.iter().flat_map(|pair| [&pair.input, &pair.output]) {
        if !known.remove(port) {
            return Err(wrong(entry, format!("spare: {what} {port:?} is spare twice, or not among its {what}s")));
        }
    }
    Ok(())
}

fn check_name(entry: &str, name: &str) -> Result<(), Fault> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let edge = |c: Option<char>| c.is_some_and(|c| c != '-');
    let fits = !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(plain);
    if fits && edge(name.chars().next()) && edge(name.chars().next_back()) {
        return Ok(());
    }
    let reason =
        format!("{name:?} is not a name: 1 to {LONGEST_NAME} lower-case letters, digits and hyphens between them");
    Err(wrong(entry, reason))
}

fn check_place(entry: &str, latitude: Option<f64>, longitude: Option<f64>) -> Result<(), Fault> {
    let on_earth = latitude.is_none_or(|lat| lat.abs() <= 90.0) && longitude.is_none_or(|long| long.abs() <= 180.0);
    if on_earth { Ok(()) } else { Err(wrong(entry, "latitude and longitude are no place on Earth".to_owned())) }
}

fn check_figure(entry: &str, key: &str, value: f64) -> Result<(), Fault> {
    let fits = value.is_finite() && (0.0..=1e9).contains(&value);
    if fits { Ok(()) } else { Err(wrong(entry, format!("{key} {value} is not a number from 0 on"))) }
}

fn wrong(entry: &str, reason: String) -> Fault {
    (entry.to_owned(), reason)
}
