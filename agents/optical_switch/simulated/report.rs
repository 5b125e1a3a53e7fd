//! What a simulated optical switch shows of itself: readings, state and resources.

use std::collections::BTreeMap;

use super::super::catalogue::quantity;
use super::super::model::{CrossConnectState, Operational, PortState, State, SwitchKind};
use super::device::{CROSS_CONNECT_KIND, PORT_KIND, SWITCH_KIND, Seen, SimulatedDevice};
use crate::driver::{Reading, Sample};
use crate::model::common::Resource;
use crate::model::date_and_time;
use crate::model::types::Equipment;
use crate::network::PortLight;
use crate::state::{AdminState, OperState};

/// What a power meter reads in the dark, dBm.
const DARK_DBM: f64 = -70.0;

/// Delay of light in fibre, ms/km, and of the two transceivers of a classical channel, ms.
const FIBRE_DELAY: f64 = 0.005;
const TRANSCEIVERS: f64 = 0.05;

impl SimulatedDevice {
    pub fn sample(&self) -> Sample {
        let mut readings = Vec::new();
        let mut read = |target: &str, quantity, value: f64| {
            readings.push(Reading { target: target.to_owned(), quantity, value });
        };
        let now = self.chassis.now;
        for seen in self.seen() {
            let id = self.cross_connect_id(&seen.name);
            read(&id, quantity::CROSS_CONNECT_STATE, channel_state(self.chassis.oper_state(&id)));
            if let Some(loss) = self.insertion_loss(&seen) {
                read(&id, quantity::PORT_INSERTION_LOSS, loss);
            }
            if let Some(took) = seen.found.and_then(|found| found.switching_time) {
                read(&id, quantity::SWITCHING_TIME, took);
            }
        }
        let light = self.network.light_at(&self.chassis.id, now);
        for at in &light {
            let way = if at.incoming { quantity::OPTICAL_POWER_IN } else { quantity::OPTICAL_POWER_OUT };
            if self.design.ports.contains(&at.port) {
                read(&self.port_id(&at.port), way, at.power_dbm.unwrap_or(DARK_DBM));
            }
        }
        for (link_id, length) in lengths(&light) {
            let Some(link) = self.network.link(link_id, now) else { continue };
            read(link_id, quantity::CLASSICAL_CHANNEL_LOSS, link.classical_loss);
            if link.classical_loss < 1.0 {
                read(link_id, quantity::CLASSICAL_CHANNEL_LATENCY, FIBRE_DELAY * length + TRANSCEIVERS);
            }
        }
        read(&self.chassis.id, quantity::SWITCHING_COUNT, self.operations as f64);
        read(&self.chassis.id, quantity::MODULE_TEMPERATURE, self.chassis.temperature());
        Sample { readings, conditions: self.chassis.conditions().to_vec() }
    }

    pub fn operational(&self) -> Operational {
        let chassis = &self.chassis;
        let light = self.network.light_at(&chassis.id, chassis.now);
        let port = |name: &String| PortState {
            name: name.clone(),
            resource_id: self.port_id(name),
            oper_state: chassis.oper_state(&self.port_id(name)),
            optical_power: light.iter().find(|at| at.port == *name).and_then(|at| at.power_dbm),
        };
        let cross_connect = |seen: &Seen<'_>| CrossConnectState {
            resource_id: self.cross_connect_id(&seen.name),
            oper_state: chassis.oper_state(&self.cross_connect_id(&seen.name)),
            name: seen.name.clone(),
            input: seen.input.to_owned(),
            output: seen.output.to_owned(),
            configured: seen.configured.is_some(),
            insertion_loss: self.insertion_loss(seen),
            switched: seen.found.map(|found| date_and_time(found.switched)),
            switching_time: seen.found.and_then(|found| found.switching_time),
        };
        let state = State {
            switch_id: chassis.id.clone(),
            kind: SwitchKind::Switch,
            oper_state: chassis.oper_state(&chassis.id),
            boot_time: date_and_time(chassis.booted),
            last_change: date_and_time(chassis.last_change()),
            temperature: chassis.temperature(),
            switching_operations: self.operations,
            equipment: Equipment {
                vendor: "simulated".to_owned(),
                model: format!("optical switch, {} ports", self.design.ports.len()),
                serial_number: format!("{:016x}", self.design.seed),
                hardware_revision: "1".to_owned(),
                software_revision: env!("CARGO_PKG_VERSION").to_owned(),
            },
            port: self.design.ports.iter().map(port).collect(),
            cross_connect: self.seen().iter().map(cross_connect).collect(),
        };
        Operational { state, resource: self.resources() }
    }

    /// The resources of the switch (Table I.5 rows 1 and 2). Their identifiers are made of its own, so they outlive a restart.
    pub(super) fn resources(&self) -> Vec<Resource> {
        let (chassis, config) = (&self.chassis, &self.config);
        let resource = |resource_id: String, description: String, kind| Resource {
            description,
            kind,
            parent: Some(chassis.id.clone()),
            peer: None,
            admin_state: None,
            service_state: None,
            oper_state: chassis.oper_state(&resource_id),
            last_change: Some(date_and_time(chassis.changed(&resource_id))),
            resource_id,
        };
        let description = config.description.clone().unwrap_or_else(|| "Simulated optical switch".to_owned());
        let mut resources = vec![Resource {
            parent: None,
            admin_state: Some(config.admin_state),
            service_state: Some(config.service_state),
            ..resource(chassis.id.clone(), description, SWITCH_KIND)
        }];
        for port in &self.design.ports {
            let known = config.port.iter().find(|known| known.name == *port);
            let description = known.and_then(|known| known.description.clone());
            let description = description.unwrap_or_else(|| format!("Port {port}"));
            let disabled = self.is_disabled(port);
            resources.push(Resource {
                peer: known.and_then(|known| known.connected_to.clone()),
                admin_state: Some(if disabled { AdminState::Disabled } else { AdminState::Enabled }),
                ..resource(self.port_id(port), description, PORT_KIND)
            });
        }
        for seen in self.seen() {
            let description = format!("Connection of port {} to port {}", seen.input, seen.output);
            resources.push(Resource {
                service_state: seen.configured.map(|connect| connect.service_state),
                ..resource(self.cross_connect_id(&seen.name), description, CROSS_CONNECT_KIND)
            });
        }
        let light = self.network.light_at(&chassis.id, chassis.now);
        for link_id in lengths(&light).into_keys() {
            let arrives = light.iter().any(|at| at.link_id == link_id && !at.incoming && at.power_dbm.is_some());
            resources.push(Resource {
                resource_id: link_id.to_owned(),
                description: "QKD link whose light passes the switch".to_owned(),
                kind: "qkdn-types:qkd-link",
                parent: None,
                peer: None,
                admin_state: None,
                service_state: None,
                oper_state: if arrives { OperState::Operational } else { OperState::Down },
                last_change: None,
            });
        }
        resources
    }

    /// Nothing where there is no light to measure it by: not made, or a failed port.
    fn insertion_loss(&self, seen: &Seen<'_>) -> Option<f64> {
        let made = seen.found.filter(|found| found.switched <= self.chassis.now)?;
        let sound = !self.is_failed(&made.input) && !self.is_failed(&made.output);
        sound.then(|| self.loss(&made.input, &made.output))
    }
}

/// Fibre of each link on both sides of the switch, km.
fn lengths(light: &[PortLight]) -> BTreeMap<&str, f64> {
    let mut lengths = BTreeMap::new();
    for at in light {
        *lengths.entry(at.link_id.as_str()).or_default() += at.span_km;
    }
    lengths
}

/// The number of the channel state that an operational state comes to.
fn channel_state(state: OperState) -> f64 {
    match state {
        OperState::Unknown => 0.0,
        OperState::Operational => 1.0,
        OperState::Degraded => 2.0,
        OperState::Down | OperState::Starting | OperState::Failed => 3.0,
    }
}
