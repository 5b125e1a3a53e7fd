//! The simulated optical switch as a state machine: what it was told to connect, and what is connected in fact.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::super::catalogue::alarm_type;
use super::super::model::{Config, CrossConnect};
use crate::chassis::{Chassis, Machine, name};
use crate::driver::{Condition, DriverError};
use crate::fault::Fault;
use crate::network::{ElementView, Network, Passage};
use crate::state::{AdminState, OperState, ServiceState};

pub(super) const SWITCH_KIND: &str = "qkdn-types:optical-switch";
pub(super) const PORT_KIND: &str = "qkdn-types:optical-port";
pub(super) const CROSS_CONNECT_KIND: &str = "qkdn-types:cross-connect";

/// The kinds of faults of qkdn-simulation that the switch can have.
const FAULTS: &[&str] = &["switch-stuck", "port-failure", "unexpected-cross-connect", "temperature"];

/// Extra loss from which on a port counts as failed and neither passes light nor moves, dB.
const FAILED_PORT_DB: f64 = 20.0;

/// Time that a mirror takes to move, and how much that varies, ms.
const SWITCHING_MS: f64 = 12.0;
const SWITCHING_SPREAD_MS: f64 = 1.0;

/// How much the loss of one pair of ports differs from that of another, dB.
const PAIR_SPREAD_DB: f64 = 0.05;

/// Change of loss that the network is told: less is no reason to wake those who watch its links.
const TOLD_LOSS_DB: f64 = 0.05;

/// Longest resource identifier and longest name (qkdn-types).
const LONGEST_ID: usize = 255;
const LONGEST_NAME: usize = 64;

#[derive(Debug)]
pub struct SimulatedDevice {
    pub(super) chassis: Chassis,
    pub(super) design: ElementView,
    pub(super) network: Arc<Network>,
    pub(super) config: Config,
    /// Before that nothing is known to be wanted, and the switch stays as it is.
    configured: bool,
    pub(super) fabric: Vec<Connection>,
    told: Vec<Passage>,
    /// Connections made since the start.
    pub(super) operations: u64,
}

/// Two ports that are connected, or will be when the mirrors have moved.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Connection {
    pub(super) input: String,
    pub(super) output: String,
    pub(super) link_id: Option<String>,
    /// Somebody made it at the device itself.
    pub(super) by_hand: bool,
    /// When it is made.
    pub(super) switched: Timestamp,
    /// Milliseconds; none where the switch did not make it.
    pub(super) switching_time: Option<f64>,
}

/// A connection that is configured, or found, or both.
#[derive(Clone, Debug)]
pub(super) struct Seen<'d> {
    pub(super) name: String,
    pub(super) input: &'d str,
    pub(super) output: &'d str,
    pub(super) configured: Option<&'d CrossConnect>,
    pub(super) wanted: bool,
    pub(super) found: Option<&'d Connection>,
}

impl Connection {
    fn is(&self, input: &str, output: &str) -> bool {
        self.input == input && self.output == output
    }

    fn touches(&self, port: &str) -> bool {
        self.input == port || self.output == port
    }
}

impl Machine for SimulatedDevice {
    fn chassis(&mut self) -> &mut Chassis {
        &mut self.chassis
    }

    /// Moves what is to be moved and can be, and lets the light through.
    fn settle(&mut self) {
        if self.configured {
            self.connect();
            self.pass_light();
        }
        let (states, conditions) = (self.judged_states(), self.judged_conditions());
        let reason = if conditions.is_empty() { "commanded" } else { "equipment fails" };
        self.chassis.enter(states, reason);
        self.chassis.hold(conditions);
    }

    fn moved(&self) -> Timestamp {
        self.fabric.iter().map(|connection| connection.switched).max().unwrap_or(self.chassis.booted)
    }

    fn check_fault(&self, fault: &Fault) -> Result<(), DriverError> {
        if !fault.kind().is_some_and(|kind| FAULTS.contains(&kind)) {
            return Err(DriverError::Unsupported("a simulated optical switch has no fault of this kind".to_owned()));
        }
        let known = |id: &str| self.resources().iter().any(|resource| resource.resource_id == id);
        if let Some(id) = fault.resource_id.as_deref().filter(|id| !known(id)) {
            return Err(DriverError::refused("resource-id", format!("the switch has no resource {id}")));
        }
        let stuck = fault.switch_stuck.as_ref().and_then(|stuck| stuck.port.as_ref());
        let (failure, connect) = (fault.port_failure.as_ref(), fault.unexpected_cross_connect.as_ref());
        let ports = [
            ("switch-stuck/port", stuck),
            ("port-failure/port", failure.map(|failure| &failure.port)),
            ("unexpected-cross-connect/input", connect.map(|connect| &connect.input)),
            ("unexpected-cross-connect/output", connect.map(|connect| &connect.output)),
        ];
        for (leaf, port) in ports.into_iter().filter_map(|(leaf, port)| port.map(|port| (leaf, port))) {
            if !self.design.ports.contains(port) {
                return Err(DriverError::refused(leaf, format!("the switch has no port {port}")));
            }
        }
        if connect.is_some_and(|connect| connect.input == connect.output) {
            let reason = "a port cannot be connected to itself";
            return Err(DriverError::refused("unexpected-cross-connect/output", reason));
        }
        Ok(())
    }

    fn network(&self) -> &Network {
        &self.network
    }
}

impl SimulatedDevice {
    /// Unconfigured, connected as the network has it; none where the network has no such switch.
    pub fn new(network: Arc<Network>, switch_id: &str, now: Timestamp) -> Option<Self> {
        let design = network.element(switch_id, now)?;
        let connection = |passage: &Passage| Connection {
            input: passage.input.clone(),
            output: passage.output.clone(),
            link_id: passage.link_id.clone(),
            by_hand: false,
            switched: now,
            switching_time: None,
        };
        Some(SimulatedDevice {
            chassis: Chassis::new(switch_id, design.seed, now),
            fabric: design.passages.iter().map(connection).collect(),
            told: design.passages.clone(),
            design,
            network,
            config: Config::default(),
            configured: false,
            operations: 0,
        })
    }

    pub fn check(&self, old: &Config, new: &Config) -> Result<(), DriverError> {
        DriverError::check_step("service-state", old.service_state, new.service_state)?;
        if let Some(port) = new.port.iter().find(|port| !self.design.ports.contains(&port.name)) {
            let reason = format!("the switch has no port {}; it has {}", port.name, self.design.ports.join(", "));
            return Err(DriverError::refused(&format!("port[name='{}']", port.name), reason));
        }
        let mut used: BTreeMap<&str, &str> = BTreeMap::new();
        for connect in &new.cross_connect {
            let leaf = |leaf: &str| format!("cross-connect[name='{}']/{leaf}", connect.name);
            if self.cross_connect_id(&connect.name).len() > LONGEST_ID {
                return Err(DriverError::refused(&leaf("name"), "its resource identifier would be too long"));
            }
            if let Some(before) = old.cross_connect.iter().find(|before| before.name == connect.name) {
                DriverError::check_step(&leaf("service-state"), before.service_state, connect.service_state)?;
            }
            if connect.service_state != ServiceState::InService {
                continue;
            }
            for (end, port) in [("input", &connect.input), ("output", &connect.output)] {
                if let Some(other) = used.insert(port, &connect.name) {
                    let reason = format!("port {port} is used by {other}, which is in service too");
                    return Err(DriverError::refused(&leaf(end), reason));
                }
            }
        }
        Ok(())
    }

    /// Works by a checked configuration from now on.
    pub fn configure(&mut self, config: Config) {
        let switch = self.chassis.id.clone();
        let mut changes = vec![
            (switch.clone(), SWITCH_KIND, "admin-state", name(&self.config.admin_state), name(&config.admin_state)),
            (switch, SWITCH_KIND, "service-state", name(&self.config.service_state), name(&config.service_state)),
        ];
        for port in &config.port {
            let before = self.config.port.iter().find(|before| before.name == port.name);
            let before = before.map(|before| before.admin_state).unwrap_or_default();
            let id = self.port_id(&port.name);
            changes.push((id, PORT_KIND, "admin-state", name(&before), name(&port.admin_state)));
        }
        for connect in &config.cross_connect {
            let before = self.config.cross_connect.iter().find(|before| before.name == connect.name);
            let Some(before) = before else { continue };
            let id = self.cross_connect_id(&connect.name);
            let states = (name(&before.service_state), name(&connect.service_state));
            changes.push((id, CROSS_CONNECT_KIND, "service-state", states.0, states.1));
        }
        for (resource, kind, state, old, new) in changes.into_iter().filter(|(.., old, new)| old != new) {
            self.chassis.tell_change(&resource, kind, state, old, new, "configured");
        }
        self.config = config;
        if !self.configured {
            self.come_up();
        }
        self.configured = true;
    }

    /// The mirrors of a switch hold while it is off: it comes up connected as it is configured, and nothing moves.
    fn come_up(&mut self) {
        let wanted: Vec<CrossConnect> = self.config.wanted().cloned().collect();
        self.fabric.retain(|found| wanted.iter().any(|connect| found.is(&connect.input, &connect.output)));
        for CrossConnect { input, output, link_id, .. } in wanted {
            if self.is_free(&input) && self.is_free(&output) {
                let (switched, switching_time) = (self.chassis.now, None);
                self.fabric.push(Connection { input, output, link_id, by_hand: false, switched, switching_time });
            }
        }
    }

    /// Every connection, those configured first.
    pub(super) fn seen(&self) -> Vec<Seen<'_>> {
        let wanted: BTreeSet<&str> = self.config.wanted().map(|connect| connect.name.as_str()).collect();
        let mut left: Vec<&Connection> = self.fabric.iter().collect();
        let mut seen = Vec::new();
        for connect in &self.config.cross_connect {
            let wanted = wanted.contains(connect.name.as_str());
            let found = left.iter().position(|found| found.is(&connect.input, &connect.output));
            seen.push(Seen {
                name: connect.name.clone(),
                input: &connect.input,
                output: &connect.output,
                configured: Some(connect),
                wanted,
                found: found.map(|at| left.remove(at)),
            });
        }
        for found in left {
            let name = found_name(found, &seen);
            let (input, output) = (found.input.as_str(), found.output.as_str());
            seen.push(Seen { name, input, output, configured: None, wanted: false, found: Some(found) });
        }
        seen
    }

    pub(super) fn port_id(&self, port: &str) -> String {
        format!("{}:port:{port}", self.chassis.id)
    }

    pub(super) fn cross_connect_id(&self, name: &str) -> String {
        format!("{}:cross-connect:{name}", self.chassis.id)
    }

    pub(super) fn is_failed(&self, port: &str) -> bool {
        self.extra_loss(port) >= FAILED_PORT_DB
    }

    /// Loss of light between two ports, what failed included, dB.
    pub(super) fn loss(&self, input: &str, output: &str) -> f64 {
        let pair = input
            .bytes()
            .chain(output.bytes())
            .fold(self.design.seed, |seed, byte| seed.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte));
        let pair = PAIR_SPREAD_DB * crate::random::Noise::seeded(pair).normal();
        let sound = (self.design.insertion_loss_db + pair + self.chassis.loss_drift()).max(0.0);
        sound + self.extra_loss(input) + self.extra_loss(output)
    }

    fn extra_loss(&self, port: &str) -> f64 {
        let failures = self.chassis.faults().filter_map(|fault| fault.port_failure.as_ref());
        failures.filter(|failure| failure.port == port).map(|failure| failure.loss).sum()
    }

    /// The ports that do not move although they should be able to; all of them where the switch as a whole is stuck.
    pub(super) fn stuck(&self) -> Vec<&str> {
        let faults = || self.chassis.faults().filter_map(|fault| fault.switch_stuck.as_ref());
        let all = faults().any(|stuck| stuck.port.is_none());
        let is_stuck = |port: &&String| all || faults().any(|stuck| stuck.port.as_ref() == Some(*port));
        self.design.ports.iter().filter(is_stuck).map(String::as_str).collect()
    }

    fn connect(&mut self) {
        let stuck: BTreeSet<String> = self.stuck().into_iter().map(str::to_owned).collect();
        let failed: BTreeSet<String> = self.design.ports.iter().filter(|port| self.is_failed(port)).cloned().collect();
        let moves = |port: &str| !stuck.contains(port) && !failed.contains(port);
        let wanted: Vec<CrossConnect> = self.config.wanted().cloned().collect();
        let by_hand: Vec<(String, String)> = self
            .chassis
            .faults()
            .filter_map(|fault| fault.unexpected_cross_connect.as_ref())
            .map(|connect| (connect.input.clone(), connect.output.clone()))
            .collect();
        self.fabric.retain_mut(|found| {
            let wanted = wanted.iter().find(|connect| found.is(&connect.input, &connect.output));
            if let Some(connect) = wanted {
                found.link_id.clone_from(&connect.link_id);
            }
            if found.by_hand {
                return by_hand.iter().any(|(input, output)| found.is(input, output));
            }
            // One of its two mirrors is enough to part them.
            wanted.is_some() || !(moves(&found.input) || moves(&found.output))
        });
        for (input, output) in by_hand {
            if self.fabric.iter().any(|found| found.is(&input, &output)) {
                continue;
            }
            self.fabric.retain(|found| found.by_hand || !(found.touches(&input) || found.touches(&output)));
            if self.is_free(&input) && self.is_free(&output) {
                let switched = self.chassis.now;
                let (link_id, switching_time) = (None, None);
                self.fabric.push(Connection { input, output, link_id, by_hand: true, switched, switching_time });
            }
        }
        for CrossConnect { input, output, link_id, .. } in wanted {
            let free = self.is_free(&input) && self.is_free(&output);
            if !free || !moves(&input) || !moves(&output) {
                continue;
            }
            let varied = SWITCHING_SPREAD_MS * self.chassis.noise.normal();
            let switching_ms = (SWITCHING_MS + varied).max(1.0);
            let moving = SignedDuration::from_micros((switching_ms * 1000.0) as i64);
            let switched = self.chassis.now.saturating_add(moving).expect("a signed duration has no calendar units");
            let switching_time = Some(switching_ms);
            self.fabric.push(Connection { input, output, link_id, by_hand: false, switched, switching_time });
            self.operations += 1;
        }
    }

    fn is_free(&self, port: &str) -> bool {
        !self.fabric.iter().any(|found| found.touches(port))
    }

    /// Tells the network what is connected. Called with the device locked: what the network wakes must not wait for this device.
    fn pass_light(&mut self) {
        let passage = |found: &Connection| Passage {
            input: found.input.clone(),
            output: found.output.clone(),
            loss_db: self.loss(&found.input, &found.output),
            link_id: found.link_id.clone(),
        };
        let made = self.fabric.iter().filter(|found| found.switched <= self.chassis.now);
        let passages: Vec<Passage> = made.map(passage).collect();
        let alike = |(one, other): (&Passage, &Passage)| {
            (&one.input, &one.output, &one.link_id) == (&other.input, &other.output, &other.link_id)
                && (one.loss_db - other.loss_db).abs() < TOLD_LOSS_DB
        };
        if passages.len() != self.told.len() || !passages.iter().zip(&self.told).all(alike) {
            self.told.clone_from(&passages);
            self.network.set_passages(&self.chassis.id, passages, self.chassis.now);
        }
    }

    fn judged_states(&self) -> Vec<(String, &'static str, OperState)> {
        let off = self.config.admin_state == AdminState::Disabled;
        let seen = self.seen();
        let stuck = self.stuck();
        let impaired = !stuck.is_empty()
            || self.design.ports.iter().any(|port| self.extra_loss(port) > 0.0)
            || seen.iter().any(|seen| self.configured && seen.wanted != seen.found.is_some());
        let switch = if off {
            OperState::Down
        } else if stuck.len() == self.design.ports.len() {
            OperState::Failed
        } else if impaired {
            OperState::Degraded
        } else {
            OperState::Operational
        };
        let mut states = vec![(self.chassis.id.clone(), SWITCH_KIND, switch)];
        for port in &self.design.ports {
            let state = if self.is_failed(port) {
                OperState::Failed
            } else if off || self.is_disabled(port) {
                OperState::Down
            } else if self.extra_loss(port) > 0.0 || stuck.contains(&port.as_str()) {
                OperState::Degraded
            } else {
                OperState::Operational
            };
            states.push((self.port_id(port), PORT_KIND, state));
        }
        for seen in seen {
            let id = self.cross_connect_id(&seen.name);
            states.push((id, CROSS_CONNECT_KIND, self.cross_connect_state(&seen)));
        }
        states
    }

    fn cross_connect_state(&self, seen: &Seen<'_>) -> OperState {
        let failed = self.is_failed(seen.input) || self.is_failed(seen.output);
        match seen.found {
            None if seen.wanted => OperState::Failed,
            None => OperState::Down,
            Some(_) if failed => OperState::Failed,
            Some(found) if found.switched > self.chassis.now => OperState::Starting,
            Some(_) if self.extra_loss(seen.input) + self.extra_loss(seen.output) > 0.0 => OperState::Degraded,
            Some(_) => OperState::Operational,
        }
    }

    pub(super) fn is_disabled(&self, port: &str) -> bool {
        let config = self.config.port.iter().find(|config| config.name == port);
        config.is_some_and(|config| config.admin_state == AdminState::Disabled)
    }

    /// What holds and is worth an alarm. That a failed port carries nothing is told by the port.
    fn judged_conditions(&self) -> Vec<Condition> {
        let mut conditions = Vec::new();
        let mut hold = |resource: String, alarm_type, text: String| {
            conditions.push(Condition { resource, alarm_type, text });
        };
        let stuck = self.stuck();
        if stuck.len() == self.design.ports.len() {
            hold(self.chassis.id.clone(), alarm_type::SWITCH_FAULT, "The switch does not move".to_owned());
        } else if !stuck.is_empty() {
            let text = format!("The switch does not move at {}", stuck.join(", "));
            hold(self.chassis.id.clone(), alarm_type::SWITCH_FAULT, text);
        }
        for port in self.design.ports.iter().filter(|port| self.is_failed(port)) {
            hold(self.port_id(port), alarm_type::PORT_FAULT, format!("Port {port} lets no light through"));
        }
        for seen in self.seen().iter().filter(|_| self.configured) {
            let (id, Seen { input, output, .. }) = (self.cross_connect_id(&seen.name), seen);
            match (seen.wanted, seen.found) {
                (false, Some(_)) => {
                    let text = format!("Ports {input} and {output} are connected, which is not in service");
                    hold(id, alarm_type::UNEXPECTED_CROSS_CONNECT, text);
                }
                (true, None) if !self.is_failed(input) && !self.is_failed(output) => {
                    let text = format!("Ports {input} and {output} are not connected, though they should be");
                    hold(id, alarm_type::UNEXPECTED_CROSS_CONNECT, text);
                }
                _ => {}
            }
        }
        conditions
    }
}

/// A name for a connection that is not configured: the same as long as it is there, and nobody else's.
fn found_name(found: &Connection, others: &[Seen<'_>]) -> String {
    let taken = |name: &String| others.iter().any(|other| other.name == *name);
    let numbered = (1..).map(|number| format!("found:{number}"));
    let mut names = std::iter::once(format!("found:{}:{}", found.input, found.output)).chain(numbered);
    names.find(|name| name.len() <= LONGEST_NAME && !taken(name)).expect("there are more numbers than connections")
}
