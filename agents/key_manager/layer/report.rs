//! What a KM shows of itself: readings, state, resources, records and diagnostics.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::catalogue::quantity;
use super::super::diagnostic::{Evidence, HopEvidence, Trouble, diagnose};
use super::super::model::{
    DiagnosticOutput, EventsInput, EventsOutput, Hop, KeyLifeCycle, KeyStoreState, KmLinkState, Operational, Purpose,
    QkdLinkState, RecordsInput, RecordsOutput, RelayRoute, State,
};
use super::gap::{Block, Gap};
use super::supply::Session;
use super::{KM_KIND, KM_LINK_KIND, Layer, RouteMeasure, ends};
use crate::driver::{Reading, Sample};
use crate::model::common::Resource;
use crate::model::date_and_time;
use crate::model::types::{ChannelState, Equipment};
use crate::state::{OperState, ServiceState};

/// Hops are told to be lossy from this share of lost keys on.
const LOSSY: f64 = 1e-6;

/// What a KM hears from the QKD module at its end of a QKD link.
#[derive(Clone, Debug, PartialEq)]
pub struct QkdLinkReport {
    pub channel_state: ChannelState,
    /// bit/s
    pub secret_key_rate: f64,
    /// Percent.
    pub qber: Option<f64>,
    pub last_key: Option<Timestamp>,
}

impl Layer {
    /// Ends a step for all that is told of the last minute.
    pub(super) fn measure(&mut self) {
        let mut working: BTreeMap<usize, (u32, u32)> = BTreeMap::new();
        let waits = |session: &&Session| session.block.as_ref().is_some_and(Block::is_passing);
        for session in self.sessions.values().filter(|session| session.is_enabled() && !waits(session)) {
            for end in &session.ends {
                let (works, all) = working.entry(end.km).or_default();
                *works += u32::from(!session.is_refused());
                *all += 1;
            }
        }
        for (number, km) in self.kms.iter_mut().enumerate() {
            km.throughput.step(std::mem::take(&mut km.supplied_now) as f64);
            match working.get(&number) {
                Some((works, all)) => km.availability.step(100.0 * f64::from(*works) / f64::from(*all)),
                None => km.availability = Default::default(),
            }
            for RouteMeasure { lost_now, sent_now, lost, sent, .. } in km.routes.values_mut() {
                lost.step(std::mem::take(lost_now) as f64);
                sent.step(std::mem::take(sent_now) as f64);
            }
        }
    }

    pub fn sample(&self, km: usize) -> Sample {
        let conditions = self.conditions(km);
        if self.is_crashed(km) {
            return Sample { readings: Vec::new(), conditions };
        }
        let mut readings = Vec::new();
        let mut read = |target: &str, quantity, value: Option<f64>| {
            readings.extend(value.map(|value| Reading { target: target.to_owned(), quantity, value }));
        };
        let of = &self.kms[km];
        let (id, counted) = (&of.id, &of.counted);
        for (peer, purpose) in self.stores(km) {
            let Some(store) = self.store(km, peer, purpose) else { continue };
            let target = self.store_id(km, peer, purpose);
            read(&target, quantity::RESIDUAL_KEY_AMOUNT, Some(self.residual_bits(km, peer, purpose) as f64));
            read(&target, quantity::RESIDUAL_KEY_COUNT, Some(self.residual_keys(km, peer, purpose) as f64));
            // What comes into a store of KSA-keys is relayed and not made.
            let made = (purpose == Purpose::Kma).then(|| store.arrival_rate());
            read(&target, quantity::KEY_GENERATION_RATE, made);
            read(&target, quantity::KEY_CONSUMPTION_RATE, Some(store.consumption_rate()));
            let age = store.oldest().map(|made| self.now.duration_since(made).as_secs_f64().max(0.0));
            read(&target, quantity::KEY_AGE_MAXIMUM, age);
        }
        for (route, measure) in &of.routes {
            read(route, quantity::RELAY_HOP_COUNT, (measure.hops > 0).then_some(measure.hops as f64));
            read(route, quantity::KEY_RELAYING_DELAY, measure.delay);
            let sent = measure.sent.value().filter(|sent| *sent > 0.0);
            let lost = measure.lost.value().zip(sent).map(|(lost, sent)| (lost / sent).clamp(0.0, 1.0));
            read(route, quantity::KEY_DATA_LOSS, lost);
        }
        for (application, session) in self.supplies(km).filter(|(_, session)| session.is_enabled()) {
            read(application, quantity::KSA_KEY_RESPONSE_DELAY, session.delay);
            read(application, quantity::KSA_KEY_RESPONSE_DELAY_VARIATION, session.variation);
            let requested = session.requested.value().filter(|requested| *requested > 0.0);
            let lost = session.undelivered.value().zip(requested);
            let lost = lost.map(|(lost, requested)| (lost / requested).clamp(0.0, 1.0));
            read(application, quantity::KSA_KEY_DELIVERY_LOSS_RATIO, lost);
        }
        read(id, quantity::THROUGHPUT, of.throughput.value());
        read(id, quantity::AVAILABILITY, of.availability.value());
        read(id, quantity::SERVICE_RESTORATION_TIME, of.restoration);
        let counts = [
            (quantity::RELAY_SUCCESS_COUNT, counted.relay_successes),
            (quantity::RELAY_FAILURE_COUNT, counted.relay_failures),
            (quantity::KEYS_RELAYED, counted.life_cycle.relayed),
            (quantity::SUPPLY_REJECTIONS, counted.rejections),
            (quantity::KEYS_EXPIRED, counted.life_cycle.expired),
            (quantity::KEYS_DELETED, counted.life_cycle.deleted),
        ];
        for (quantity, count) in counts {
            read(id, quantity, Some(count as f64));
        }
        Sample { readings, conditions }
    }

    /// `modules` tells what the QKD modules report of a link.
    pub fn operational(&self, km: usize, modules: &dyn Fn(&str) -> Option<QkdLinkReport>) -> Operational {
        let of = &self.kms[km];
        let last_change = of.changed.values().max().copied().unwrap_or(of.booted);
        let stores = self.stores(km);
        let stored = stores.iter().map(|(peer, purpose)| self.residual_keys(km, *peer, *purpose)).sum();
        let state = State {
            km_id: of.id.clone(),
            oper_state: self.oper_state(km),
            boot_time: date_and_time(of.booted),
            last_change: date_and_time(last_change),
            equipment: Equipment {
                vendor: "simulated".to_owned(),
                model: "key manager".to_owned(),
                serial_number: format!("{:016x}", super::fnv(&[&of.id])),
                hardware_revision: "1".to_owned(),
                software_revision: env!("CARGO_PKG_VERSION").to_owned(),
            },
            km_link: of.config.km_link.iter().map(|link| self.link_report(km, link)).collect(),
            key_store: stores.iter().filter_map(|(peer, purpose)| self.store_report(km, *peer, *purpose)).collect(),
            qkd_link: self.qkd_links(km, modules),
            key_life_cycle: KeyLifeCycle { stored, ..of.counted.life_cycle },
            security: of.counted.security,
        };
        Operational { state, resource: self.resources(km) }
    }

    pub fn metering_records(&self, km: usize, input: &RecordsInput) -> RecordsOutput {
        self.kms[km].metering.read(input)
    }

    pub fn key_events(&self, km: usize, input: &EventsInput) -> EventsOutput {
        self.kms[km].events.read(input)
    }

    /// Diagnoses the relay of keys at a KM: along one route, or along all, and to all neighbours where no route is named.
    pub fn diagnose(&self, km: usize, route_id: Option<&str>) -> DiagnosticOutput {
        let of = &self.kms[km];
        let named = |route: &&RelayRoute| route_id.is_none_or(|id| id == route.route_id);
        let routes: Vec<&RelayRoute> = of.config.relay_route.iter().filter(named).collect();
        let mut peers: Vec<usize> = match route_id {
            Some(_) => routes.iter().flat_map(|route| self.hops_of(route)).collect(),
            None => of.config.km_link.iter().filter_map(|link| self.number(&link.peer_km_id)).collect(),
        };
        peers.sort_unstable();
        peers.dedup();
        let used = |peer: usize| {
            routes.iter().any(|route| self.hops_of(route).any(|hop| hop == peer))
                || self.supplies(km).any(|(_, session)| {
                    session.is_enabled()
                        && session.ends.iter().any(|end| {
                            end.km == km && end.application.peer_km_id.as_deref() == Some(self.kms[peer].id.as_str())
                        })
                })
        };
        let hops = peers.iter().map(|peer| HopEvidence {
            used: used(*peer),
            empty: self.usable(km, *peer, Purpose::Kma) < u64::from(self.key_bits(km, *peer)),
            refusal: match self.gap(km, *peer) {
                Some(Gap::Disabled(at) | Gap::OutOfService(at)) => Some(self.kms[at].id.clone()),
                _ => None,
            },
            hop: self.hop(km, *peer),
        });
        let routes_stuck: Vec<Trouble> = routes
            .iter()
            .filter_map(|route| {
                let block = of.routes.get(&route.route_id).and_then(|measure| measure.block.as_ref())?;
                let trouble = match block {
                    Block::NoRoute(at) => Trouble::NoRoute(self.kms[*at].id.clone()),
                    Block::RelayDisabled(at) | Block::End(at) => Trouble::Disabled(self.kms[*at].id.clone()),
                    other => Trouble::Elsewhere(self.explain(other)),
                };
                Some(trouble)
            })
            .chain(routes.iter().filter(|route| of.routes.contains_key(&route.route_id)).filter_map(|route| {
                let text = format!("keys are lost beyond {}", route.next_hop.as_deref()?);
                self.loses_elsewhere(km, &route.route_id).then_some(Trouble::Elsewhere(text))
            }))
            .collect();
        let evidence = Evidence {
            runs: !self.is_crashed(km),
            in_use: self.is_in_use(km),
            relays: of.config.relay_enabled,
            loses: self.relay_loss(km) > LOSSY,
            unknown_route: route_id.filter(|_| routes.is_empty()).map(str::to_owned),
            out_of_service: routes
                .iter()
                .find(|route| route_id.is_some() && route.service_state != ServiceState::InService)
                .map(|route| route.route_id.clone()),
            hops: hops.collect(),
            troubles: routes_stuck,
        };
        let finding = diagnose(&evidence);
        let now = date_and_time(self.now);
        DiagnosticOutput {
            km_id: of.id.clone(),
            started: now.clone(),
            ended: now,
            relay_affected: finding.relay_affected,
            probable_cause: finding.cause,
            confidence: finding.confidence,
            text: finding.text,
            hop: evidence.hops.into_iter().map(|evidence| evidence.hop).collect(),
        }
    }

    /// The identifier of the store that a KM shares with a peer.
    pub(super) fn store_id(&self, km: usize, peer: usize, purpose: Purpose) -> String {
        let peer = &self.kms[peer].id;
        let kind = match purpose {
            Purpose::Kma => "store",
            Purpose::Ksa => "supply-store",
        };
        format!("{}:{kind}:{}", self.kms[km].id, peer.rsplit_once(':').map_or(peer.as_str(), |(_, name)| name))
    }

    /// The applications of a KM with the sessions that supply them.
    fn supplies(&self, km: usize) -> impl Iterator<Item = (&str, &Session)> {
        self.sessions.values().flat_map(move |session| {
            let ends = session.ends.iter().filter(move |end| end.km == km);
            ends.map(move |end| (end.application.application_id.as_str(), session))
        })
    }

    fn hops_of(&self, route: &RelayRoute) -> impl Iterator<Item = usize> {
        [&route.previous_hop, &route.next_hop].into_iter().filter_map(|hop| self.number(hop.as_deref()?))
    }

    fn hop(&self, km: usize, peer: usize) -> Hop {
        let reachable = self.silence(km, peer).is_none();
        Hop {
            peer_km_id: self.kms[peer].id.clone(),
            reachable,
            delay: self.pairs.get(&ends(km, peer)).filter(|_| reachable).map(|pair| pair.delay),
            residual_bits: Some(self.residual_bits(km, peer, Purpose::Kma)),
            keys_match: reachable
                .then(|| self.missing_keys(km, peer, Purpose::Kma) + self.missing_keys(peer, km, Purpose::Kma) == 0),
        }
    }

    fn link_report(&self, km: usize, link: &super::super::model::KmLink) -> KmLinkState {
        let peer = self.number(&link.peer_km_id);
        let channel_state = match peer.map_or(Some(Gap::Channel), |peer| self.silence(km, peer)) {
            _ if self.is_crashed(km) || !self.is_enabled(km) => ChannelState::Unknown,
            None => ChannelState::Up,
            Some(Gap::Starting(_)) => ChannelState::Unknown,
            Some(_) => ChannelState::Down,
        };
        KmLinkState {
            name: link.name.clone(),
            resource_id: link.link_id.clone(),
            channel_state,
            active_channel: peer.and_then(|peer| self.channel(km, peer)).map(str::to_owned),
            delay: peer.map(|peer| self.hop(km, peer)).and_then(|hop| hop.delay),
        }
    }

    fn store_report(&self, km: usize, peer: usize, purpose: Purpose) -> Option<KeyStoreState> {
        let store = self.store(km, peer, purpose)?;
        let (arrival, consumption) = (store.arrival_rate(), store.consumption_rate());
        let residual = self.residual_bits(km, peer, purpose);
        let left = residual.saturating_sub(self.reserve(km, peer, purpose)) as f64;
        let seconds = left / (consumption - arrival);
        let age = store.oldest().map(|made| self.now.duration_since(made).as_secs().max(0));
        Some(KeyStoreState {
            peer_km_id: self.kms[peer].id.clone(),
            purpose,
            resource_id: self.store_id(km, peer, purpose),
            level: self.level(km, peer, purpose),
            residual_bits: residual,
            residual_keys: self.residual_keys(km, peer, purpose),
            generation_rate: arrival,
            consumption_rate: consumption,
            time_to_empty: (consumption > arrival && seconds < f64::from(u32::MAX)).then_some(seconds as u32),
            oldest_key_age: age.map(|age| u32::try_from(age).unwrap_or(u32::MAX)),
        })
    }

    fn qkd_links(&self, km: usize, modules: &dyn Fn(&str) -> Option<QkdLinkReport>) -> Vec<QkdLinkState> {
        let links = self.pairs.values().flat_map(|pair| pair.qkd_links.iter());
        links
            .filter_map(|link| {
                let end = link.plan.ends.iter().find(|end| end.km_id == self.kms[km].id)?;
                let report = modules(&link.plan.link_id)?;
                Some(QkdLinkState {
                    link_id: link.plan.link_id.clone(),
                    module_id: end.module_id.clone(),
                    channel_state: report.channel_state,
                    secret_key_rate: report.secret_key_rate,
                    qber: report.qber,
                    last_key: report.last_key.map(date_and_time),
                })
            })
            .collect()
    }

    /// The resources of a KM (Table I.3 rows 1 and 2). Their identifiers are made of the KM's and the configuration's, so they outlive a
    /// restart.
    pub(super) fn resources(&self, km: usize) -> Vec<Resource> {
        let of = &self.kms[km];
        let last_change = |id: &str| Some(date_and_time(of.changed.get(id).copied().unwrap_or(of.booted)));
        let part = |resource_id: String, description: String, kind, oper_state| Resource {
            description,
            kind,
            parent: Some(of.id.clone()),
            peer: None,
            admin_state: None,
            service_state: None,
            oper_state,
            last_change: last_change(&resource_id).filter(|_| of.changed.contains_key(&resource_id)),
            resource_id,
        };
        let mut resources = vec![Resource {
            resource_id: of.id.clone(),
            description: of.config.description.clone().unwrap_or_else(|| "Simulated key manager".to_owned()),
            kind: KM_KIND,
            parent: None,
            peer: None,
            admin_state: Some(of.config.admin_state),
            service_state: Some(of.config.service_state),
            oper_state: self.oper_state(km),
            last_change: last_change(&of.id),
        }];
        for link in &of.config.km_link {
            let description = format!("KM link to {}", link.peer_km_id);
            resources.push(Resource {
                // It ends in two KMs and is a part of neither.
                parent: None,
                admin_state: Some(link.admin_state),
                service_state: Some(link.service_state),
                ..part(link.link_id.clone(), description, KM_LINK_KIND, self.link_state(km, link))
            });
        }
        for (peer, purpose) in self.stores(km) {
            let keys = match purpose {
                Purpose::Kma => "KMA-keys",
                Purpose::Ksa => "KSA-keys",
            };
            let description = format!("{keys} shared with {}", self.kms[peer].id);
            let id = self.store_id(km, peer, purpose);
            let store = part(id, description, "qkdn-types:key-store", self.store_state(km, peer, purpose));
            resources.push(Resource { peer: Some(self.store_id(peer, km, purpose)), ..store });
        }
        for route in &of.config.relay_route {
            let measure = of.routes.get(&route.route_id);
            let oper_state = match measure.map(|measure| &measure.block) {
                Some(None) if self.loses_elsewhere(km, &route.route_id) => OperState::Degraded,
                Some(None) => OperState::Operational,
                Some(Some(_)) => OperState::Down,
                // Of a route that passes, this KM knows its own part only.
                None if route.service_state != ServiceState::InService => OperState::Down,
                None if self.hops_of(route).all(|hop| self.gap(km, hop).is_none()) => OperState::Operational,
                None => OperState::Down,
            };
            let description = format!("Relay route from {} to {}", route.source_km_id, route.destination_km_id);
            let kind = "qkdn-types:key-relay-route";
            let resource = part(route.route_id.clone(), description, kind, oper_state);
            resources.push(Resource { service_state: Some(route.service_state), parent: None, ..resource });
        }
        for application in &of.config.application {
            let id = &application.application_id;
            let session = self.supplies(km).find(|(of, _)| of == id).map(|(_, session)| session);
            let oper_state = match session {
                None => OperState::Unknown,
                Some(session) if !session.is_enabled() || session.is_refused() => OperState::Down,
                Some(_) => OperState::Operational,
            };
            let description = "Cryptographic application that the KM supplies".to_owned();
            let resource = part(id.clone(), description, "qkdn-types:cryptographic-application", oper_state);
            resources.push(Resource { peer: application.peer_application_id.clone(), parent: None, ..resource });
        }
        resources
    }
}
