//! `qkdn sim`: faults of simulated devices, injected through the manager, and simulated networks.

mod fault;

use std::path::{Path, PathBuf};

use agents::topology::{Topology, builtin, generate};
use manager::schema::device_schema;
use netconf::xml::{Document, Limits};
use serde_json::{Value, json};

use self::fault::Fault;
use super::Failure;
use super::client::{Client, Reach, output_json};
use super::filter::{SIMULATION, element, leaf as xml_leaf};
use super::find;
use super::table::{self, Output, Table};
use super::value::{NOTHING, cell, leaf, list, plain, short, time};

#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Let something fail at a simulated link, device or other resource
    Fault {
        /// A link, device or resource, by its identifier or the last part of it
        #[arg(value_name = "LINK|DEVICE|RESOURCE")]
        target: String,
        #[command(flatten)]
        fault: Fault,
    },
    /// Take a fault away
    Clear {
        /// Where it was injected, or the other end of the link
        #[arg(value_name = "LINK|DEVICE")]
        target: String,
        /// As sim fault or sim list told it
        #[arg(value_name = "FAULT-ID", required_unless_present = "all", conflicts_with = "all")]
        fault: Option<String>,
        /// All faults of the device, or of both ends of the link
        #[arg(long)]
        all: bool,
    },
    /// Faults that are injected now
    List {
        /// All simulated devices where there is none
        device: Option<String>,
    },
    /// Make up a topology file for `qkdn demo`
    Generate {
        /// How many QKD nodes, from 2 to 2000
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=2000))]
        nodes: u16,
        /// The same seed, the same network
        #[arg(long, value_name = "S", default_value_t = 1)]
        seed: u64,
        /// Write it here, and not to standard output
        #[arg(short = 'f', long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// The topologies that come with the program
    Topologies,
}

pub async fn run(command: Command, reach: &Reach, output: Output) -> Result<(), Failure> {
    match command {
        Command::Fault { target, fault } => inject(&reach.connect().await?, &target, &fault, output).await,
        Command::Clear { target, fault, .. } => clear(&reach.connect().await?, &target, fault.as_deref(), output).await,
        Command::List { device } => faults(&reach.connect().await?, device, output).await,
        Command::Generate { nodes, seed, file } => write(&generate(usize::from(nodes), seed), file.as_deref(), output),
        Command::Topologies => topologies(output),
    }
}

/// Where a fault goes.
#[derive(Debug, PartialEq)]
struct Place {
    /// The devices that can take it, best first.
    devices: Vec<String>,
    /// None for the device itself.
    resource_id: Option<String>,
}

/// A device by its name, or a resource with the devices that have to do with it: of a link its ends, the receiver first.
async fn place(client: &Client, devices: &[Value], target: &str) -> Result<Place, Failure> {
    if devices.iter().any(|device| device["name"] == target) {
        return Ok(Place { devices: vec![target.to_owned()], resource_id: None });
    }
    let resource = resource(client, target).await?;
    let id = leaf(&resource, "resource-id");
    let mut found = find::ends(&find::networks(client).await?, &id);
    let reporter = leaf(&resource, "device");
    if !reporter.is_empty() && !found.contains(&reporter) {
        found.push(reporter);
    }
    if found.is_empty() {
        return Err(Failure::failed(format!("no managed device has to do with {id}; see: qkdn inventory show {id}")));
    }
    Ok(Place { devices: found, resource_id: Some(id) })
}

/// A short name that several resources have means the QKD link among them.
async fn resource(client: &Client, target: &str) -> Result<Value, Failure> {
    match find::resource(client, target).await {
        Err(failure) if failure.code == Failure::USAGE => {
            let link = failure.text.split([' ', ',']).find(|id| id.contains(":link:")).map(str::to_owned);
            match link {
                Some(link) => find::resource(client, &link).await,
                None => Err(failure),
            }
        }
        found => found,
    }
}

/// The first device that is simulated and operational; in words, why there is none.
fn simulated<'p>(devices: &[Value], place: &'p Place) -> Result<&'p str, Failure> {
    let device = |name: &str| devices.iter().find(|device| device["name"] == name);
    let state = |name: &str, member: &str| device(name).map(|device| leaf(device, &format!("state/{member}")));
    let is = |name: &str, member: &str, value: &str| state(name, member).is_some_and(|found| found == value);
    let candidates = || place.devices.iter();
    if let Some(name) =
        candidates().find(|name| is(name, "simulated", "true") && is(name, "connection-state", "operational"))
    {
        return Ok(name);
    }
    let names = place.devices.join(", ");
    if candidates().any(|name| is(name, "simulated", "false")) {
        return Err(Failure::failed(format!(
            "{names}: not simulated; faults are injected into simulated devices only"
        )));
    }
    let text = format!("{names}: not connected, so that nobody can be told of a fault; see: qkdn device list");
    Err(Failure::failed(text))
}

async fn inject(client: &Client, target: &str, fault: &Fault, output: Output) -> Result<(), Failure> {
    let devices = find::devices(client).await?;
    let place = place(client, &devices, target).await?;
    let device = simulated(&devices, &place)?;
    let peer = match fault.peer() {
        Some(name) => Some(find::resource_id(client, name).await?),
        None => None,
    };
    let resource = place.resource_id.as_deref().map(|id| xml_leaf("resource-id", id)).unwrap_or_default();
    let rpc = element("inject-fault", SIMULATION, &(resource + &fault.xml(peer.as_deref())?));
    let reply = perform(client, device, "/qkdn-simulation:inject-fault", &rpc).await?;
    let id = leaf(&reply, "fault-id");
    let at = place.resource_id.as_deref().unwrap_or(device);
    let kind = fault.kind;
    output.done(
        &format!("{id}: {kind} at {at}, injected into {device}; to end it: qkdn sim clear {device} {id}"),
        &json!({"fault-id": id, "device": device, "resource-id": place.resource_id, "kind": kind}),
    )
}

async fn clear(client: &Client, target: &str, fault: Option<&str>, output: Output) -> Result<(), Failure> {
    let devices = find::devices(client).await?;
    let place = place(client, &devices, target).await?;
    let which = fault.map_or_else(|| "<all/>".to_owned(), |id| xml_leaf("fault-id", id));
    let rpc = element("clear-fault", SIMULATION, &which);
    let mut cleared = 0;
    let mut missing = None;
    let first = simulated(&devices, &place)?;
    let at: Vec<&str> = match &place.resource_id {
        None => vec![first],
        // Either end may hold it.
        Some(_) => place.devices.iter().map(String::as_str).filter(|name| is_simulated(&devices, name)).collect(),
    };
    for device in at {
        match perform(client, device, "/qkdn-simulation:clear-fault", &rpc).await {
            Ok(reply) => cleared += leaf(&reply, "cleared").parse::<u64>().unwrap_or(0),
            Err(failure) if failure.code == Failure::NOT_FOUND => missing = Some(failure),
            Err(failure) => return Err(failure),
        }
    }
    match missing {
        Some(failure) if cleared == 0 => {
            Err(Failure::not_found(format!("{}; see: qkdn sim list", failure.text.trim_end_matches('.'))))
        }
        _ => output.done(&format!("faults cleared: {cleared}"), &json!({"cleared": cleared})),
    }
}

fn is_simulated(devices: &[Value], name: &str) -> bool {
    let device = devices.iter().find(|device| device["name"] == name);
    device.is_some_and(|device| {
        leaf(device, "state/simulated") == "true" && leaf(device, "state/connection-state") == "operational"
    })
}

async fn faults(client: &Client, device: Option<String>, output: Output) -> Result<(), Failure> {
    let devices = find::devices(client).await?;
    let names = match &device {
        Some(name) => {
            let place = place(client, &devices, name).await?;
            vec![simulated(&devices, &place)?.to_owned()]
        }
        None => devices.iter().map(|device| leaf(device, "name")).filter(|name| is_simulated(&devices, name)).collect(),
    };
    let mut all = Vec::new();
    let rpc = element("list-faults", SIMULATION, "");
    for device in &names {
        let reply = perform(client, device, "/qkdn-simulation:list-faults", &rpc).await?;
        list(&reply, "fault").iter().for_each(|fault| add(&mut all, fault, device));
    }
    let mut table = Table::new(&["FAULT", "RESOURCE", "KIND", "HOW", "INJECTED", "BY", "DURATION", "DEVICES"]);
    for fault in &all {
        let (kind, how) = kind_of(fault);
        table.row(vec![
            cell(fault, "fault-id"),
            short(&cell(fault, "resource-id")).to_owned(),
            kind,
            how,
            time(fault, "injected"),
            cell(fault, "injected-by"),
            cell(fault, "duration"),
            cell(fault, "device"),
        ]);
    }
    output.list(&table, &Value::from(all))
}

/// Both ends of a link tell of the same fault.
fn add(all: &mut Vec<Value>, fault: &Value, device: &str) {
    let same =
        |known: &&mut Value| ["fault-id", "resource-id", "injected"].iter().all(|name| known[name] == fault[name]);
    match all.iter_mut().find(same).and_then(|known| known["device"].as_array_mut()) {
        Some(devices) => devices.push(json!(device)),
        None => {
            let mut fault = fault.clone();
            fault["device"] = json!([device]);
            all.push(fault);
        }
    }
}

/// The one container of a fault, and its leaves.
fn kind_of(fault: &Value) -> (String, String) {
    let members = fault.as_object().into_iter().flatten();
    let kind = members
        .filter(|(name, _)| *name != "management-operation")
        .find_map(|(name, value)| Some((name, value.as_object()?)));
    let Some((name, leaves)) = kind else { return (NOTHING.to_owned(), NOTHING.to_owned()) };
    let how: Vec<String> = leaves.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
    (name.clone(), if how.is_empty() { NOTHING.to_owned() } else { how.join(", ") })
}

/// Has a device do an operation of the simulation, through the manager.
async fn perform(client: &Client, device: &str, path: &str, rpc: &str) -> Result<Value, Failure> {
    let reply = client.execute(device, rpc).await?;
    let around = format!("<reply>{reply}</reply>");
    let document =
        Document::parse(&around, &Limits::default()).map_err(|error| Failure::failed(format!("{device}: {error}")))?;
    tokio::task::block_in_place(|| output_json(&device_schema(), path, document.root()))
}

fn write(topology: &Topology, file: Option<&Path>, output: Output) -> Result<(), Failure> {
    let text = topology.to_toml();
    let Some(file) = file else { return table::print(&text) };
    std::fs::write(file, text).map_err(|error| Failure::failed(format!("{}: {error}", file.display())))?;
    let (nodes, links, agents) = (topology.nodes.len(), topology.links.len(), topology.agents().len());
    let shown = file.display();
    output.done(
        &format!("{shown}: {nodes} nodes, {links} links, {agents} agents; to run it: qkdn demo --topology {shown}"),
        &json!({"file": file, "nodes": nodes, "links": links, "agents": agents}),
    )
}

fn topologies(output: Output) -> Result<(), Failure> {
    let mut table = Table::new(&["NAME", "NODES", "LINKS", "AGENTS", "DESCRIPTION", "SOURCE"]);
    let mut all = Vec::new();
    for name in builtin() {
        let topology = Topology::load(name).map_err(|error| Failure::failed(error.to_string()))?;
        let (nodes, links, agents) = (topology.nodes.len(), topology.links.len(), topology.agents().len());
        table.row(vec![
            name.to_owned(),
            nodes.to_string(),
            links.to_string(),
            agents.to_string(),
            topology.description.clone(),
            topology.source.clone(),
        ]);
        let (description, source) = (topology.description, topology.source);
        all.push(json!({"name": name, "nodes": nodes, "links": links, "agents": agents, "description": description, "source": source}));
    }
    output.list(&table, &Value::from(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str, state: &str, simulated: Option<bool>) -> Value {
        json!({"name": name, "state": {"connection-state": state, "simulated": simulated}})
    }

    #[test]
    fn a_fault_goes_to_the_first_end_that_is_simulated_and_there() {
        let place = Place { devices: vec!["rx".to_owned(), "tx".to_owned()], resource_id: None };
        let both = [device("rx", "operational", Some(true)), device("tx", "operational", Some(true))];
        assert_eq!(simulated(&both, &place).unwrap(), "rx");
        let gone = [device("rx", "connecting", Some(true)), device("tx", "operational", Some(true))];
        assert_eq!(simulated(&gone, &place).unwrap(), "tx");
        let real = [device("rx", "operational", Some(false)), device("tx", "operational", Some(false))];
        assert!(simulated(&real, &place).unwrap_err().text.contains("not simulated"));
        let none = [device("rx", "connecting", None)];
        assert!(simulated(&none, &place).unwrap_err().text.contains("not connected"));
    }

    #[test]
    fn the_kind_of_a_fault_is_its_container() {
        let fault = json!({"fault-id": "f", "duration": 4, "loss": {"loss": "3.0", "ramp-time": 0}});
        assert_eq!(kind_of(&fault), ("loss".to_owned(), "loss 3.0, ramp-time 0".to_owned()));
        assert_eq!(kind_of(&json!({"fibre-cut": {}})), ("fibre-cut".to_owned(), "-".to_owned()));
    }

    #[test]
    fn a_fault_that_both_ends_tell_of_is_one() {
        let fault = |id: &str, resource: &str| json!({"fault-id": id, "resource-id": resource, "injected": "t"});
        let mut all = Vec::new();
        add(&mut all, &fault("fault-1", "l"), "rx");
        add(&mut all, &fault("fault-1", "l"), "tx");
        add(&mut all, &fault("fault-1", "other"), "km");
        assert_eq!((all.len(), cell(&all[0], "device")), (2, "rx, tx".to_owned()));
    }
}
