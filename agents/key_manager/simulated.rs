//! The driver of a simulated key manager: one KM of the simulated network, seen by its agent.

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use super::KeyManager;
use super::layer::Layer;
use super::model::{Action, Config, Operational, Outcome, Purpose};
use crate::driver::{Answer, Call, Device, Driver, DriverError, Fact, FactSender, Kind, Nothing, Sample};
use crate::fault::{Fault, FaultStatus};
use crate::network::{Network, keys};

/// The [`Driver`] of a KM of a [`Network`].
#[derive(Debug)]
pub struct SimulatedKeyManager {
    about: Device,
    network: Arc<Network>,
    facts: Arc<OnceLock<FactSender<Nothing>>>,
}

impl SimulatedKeyManager {
    /// The KM of this identifier. Every call of a driver whose KM the network does not have fails.
    pub fn new(network: Arc<Network>, km_id: &str, now: Timestamp) -> Self {
        let about = Device { simulated: true, ..KeyManager::device(km_id) };
        let facts: Arc<OnceLock<FactSender<Nothing>>> = Arc::default();
        let hears = facts.clone();
        network.watch(
            km_id,
            Arc::new(move || {
                if let Some(sender) = hears.get() {
                    sender.send(Fact::ConditionsChanged);
                }
            }),
        );
        let driver = SimulatedKeyManager { about, network, facts };
        if driver.look(now, |_, _| Ok(())).is_err() {
            tracing::error!(km_id, "the simulated network has no such key manager");
        }
        driver
    }

    /// Looks at the KM at `now`, and passes on what it has to tell.
    fn look<T>(
        &self,
        now: Timestamp,
        look: impl FnOnce(&Layer, usize) -> Result<T, DriverError>,
    ) -> Result<T, DriverError> {
        self.network.look_at_keys(now, |keys, _| look(keys, self.number(keys)?))
    }

    /// Does something to the KM at `now`, and passes on what it has to tell then. `number` is that of the next fault.
    fn change<T>(
        &self,
        now: Timestamp,
        change: impl FnOnce(&mut Layer, usize, &mut dyn FnMut() -> u64) -> Result<T, DriverError>,
    ) -> Result<T, DriverError> {
        let result = self.network.change_keys(now, |keys, number| {
            let km = self.number(keys)?;
            change(keys, km, number)
        });
        self.tell(now);
        result
    }

    /// Passes on what the KM has to tell.
    fn tell(&self, now: Timestamp) {
        let Some(sender) = self.facts.get() else { return };
        let facts = self
            .network
            .look_at_keys(now, |keys, _| keys.number(&self.about.resource_id).map(|km| keys.take_facts(km)));
        facts.into_iter().flatten().for_each(|fact| sender.send(fact));
    }

    fn number(&self, keys: &Layer) -> Result<usize, DriverError> {
        let number = keys.number(&self.about.resource_id);
        number.ok_or_else(|| DriverError::Failed(format!("the network has no {}", self.about.resource_id)))
    }
}

impl Driver for SimulatedKeyManager {
    type Kind = KeyManager;

    fn device(&self) -> &Device {
        &self.about
    }

    fn start(&self, facts: FactSender<Nothing>) {
        if self.facts.set(facts).is_err() {
            tracing::warn!("a simulated key manager was started twice; its facts go where they went");
        }
    }

    fn check(&self, old: &Config, new: &Config) -> Result<(), DriverError> {
        check(&self.about.resource_id, old, new)
    }

    async fn configure(&self, config: Config, now: Timestamp) -> Result<(), DriverError> {
        self.change(now, |keys, km, _| {
            keys.configure(km, config);
            Ok(())
        })
    }

    async fn sample(&self, now: Timestamp) -> Result<Sample, DriverError> {
        let sample = self.look(now, |keys, km| Ok(keys.sample(km)));
        self.tell(now);
        sample
    }

    async fn state(&self, now: Timestamp) -> Result<Operational, DriverError> {
        self.network.look_at_keys(now, |layer, links| {
            let km = self.number(layer)?;
            Ok(layer.operational(km, &|link| keys::report(links, link)))
        })
    }

    async fn act(&self, action: Action, _user: &str, now: Timestamp) -> Result<Outcome, DriverError> {
        match action {
            Action::RunRelayDiagnostic(Call { input }) => {
                let route = input.and_then(|input| input.route_id);
                let output = self.look(now, |keys, km| Ok(keys.diagnose(km, route.as_deref())))?;
                Ok(Outcome::RunRelayDiagnostic(Box::new(Answer { output })))
            }
            Action::GetMeteringRecords(Call { input }) => {
                let output = self.look(now, |keys, km| Ok(keys.metering_records(km, &input.unwrap_or_default())))?;
                Ok(Outcome::GetMeteringRecords(Answer { output }))
            }
            Action::GetKeyEvents(Call { input }) => {
                let output = self.look(now, |keys, km| Ok(keys.key_events(km, &input.unwrap_or_default())))?;
                Ok(Outcome::GetKeyEvents(Answer { output }))
            }
        }
    }

    async fn inject(&self, fault: Fault, user: &str, now: Timestamp) -> Result<String, DriverError> {
        self.change(now, |keys, km, number| keys.inject(km, fault, user, number))
    }

    async fn clear(&self, fault_id: Option<&str>, user: &str, now: Timestamp) -> Result<u32, DriverError> {
        self.change(now, |keys, km, _| keys.clear(km, fault_id, user))
    }

    async fn faults(&self, now: Timestamp) -> Result<Vec<FaultStatus>, DriverError> {
        self.look(now, |keys, km| Ok(keys.faults(km)))
    }
}

/// What YANG cannot say about the configuration of the KM `own`.
fn check(own: &str, old: &Config, new: &Config) -> Result<(), DriverError> {
    DriverError::check_step("service-state", old.service_state, new.service_state)?;
    for (place, link) in new.km_link.iter().enumerate() {
        let leaf = |leaf: &str| format!("km-link[name='{}']/{leaf}", link.name);
        if let Some(before) = old.km_link.iter().find(|before| before.name == link.name) {
            DriverError::check_step(&leaf("service-state"), before.service_state, link.service_state)?;
        }
        if link.peer_km_id == own {
            return Err(DriverError::refused(&leaf("peer-km-id"), "a KM link leads to another KM"));
        }
        if new.km_link[..place].iter().any(|other| other.peer_km_id == link.peer_km_id) {
            return Err(DriverError::refused(&leaf("peer-km-id"), "there is a KM link to this KM already"));
        }
    }
    for route in &new.relay_route {
        let leaf = |leaf: &str| format!("relay-route[route-id='{}']/{leaf}", route.route_id);
        if let Some(before) = old.relay_route.iter().find(|before| before.route_id == route.route_id) {
            DriverError::check_step(&leaf("service-state"), before.service_state, route.service_state)?;
        }
        if route.source_km_id == route.destination_km_id {
            return Err(DriverError::refused(&leaf("destination-km-id"), "the route ends where it begins"));
        }
        for (hop, name, end) in [
            (&route.previous_hop, "previous-hop", &route.source_km_id),
            (&route.next_hop, "next-hop", &route.destination_km_id),
        ] {
            match hop {
                None if end != own => {
                    let reason = "the route neither begins nor ends here, and needs this hop";
                    return Err(DriverError::refused(&leaf(name), reason));
                }
                Some(_) if end == own => {
                    return Err(DriverError::refused(&leaf(name), "the route has no such hop at its end"));
                }
                Some(hop) if new.link_to(hop).is_none() => {
                    return Err(DriverError::refused(&leaf(name), format!("there is no KM link to {hop}")));
                }
                _ => {}
            }
        }
    }
    for store in new.key_store.iter().filter(|store| store.purpose == Purpose::Kma) {
        if store.peer_km_id == own {
            let leaf = format!("key-store[peer-km-id='{own}'][purpose='kma']");
            return Err(DriverError::refused(&leaf, "a KM shares its keys with another"));
        }
    }
    Ok(())
}
