//! Faults injected into the key management layer (qkdn-simulation). One on a KM link belongs to the link: both its ends list and clear it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::super::model::Purpose;
use super::{Ends, Layer, START_STEPS, ends};
use crate::driver::{DriverError, LogClass};
use crate::fault::{Fault, FaultStatus};
use crate::model::date_and_time;
use crate::network::store::Store;

/// Faults of the whole layer at once. More are refused.
const MAX_FAULTS: usize = 1024;

/// The kinds of faults of a KM.
const KINDS: &[&str] =
    &["km-crash", "km-link-failure", "relay-failure", "store-mismatch", "store-drain", "authentication-failure"];

#[derive(Debug, Default)]
pub(super) struct Faults {
    injected: BTreeMap<u64, Injected>,
}

#[derive(Clone, Debug)]
struct Injected {
    fault: Fault,
    at: Timestamp,
    by: String,
    km: usize,
    /// The KM link that it is on.
    link: Option<Ends>,
    /// Keys that vanished, of a mismatch.
    vanished: u64,
}

impl Faults {
    /// Those of a KM itself.
    pub(super) fn of(&self, km: usize) -> impl Iterator<Item = &Fault> {
        let its = move |injected: &&Injected| injected.link.is_none() && injected.km == km;
        self.injected.values().filter(its).map(|injected| &injected.fault)
    }

    pub(super) fn of_link(&self, link: Ends) -> impl Iterator<Item = &Fault> {
        self.injected.values().filter(move |injected| injected.link == Some(link)).map(|injected| &injected.fault)
    }
}

impl Injected {
    fn is_seen_at(&self, km: usize) -> bool {
        match self.link {
            Some((a, b)) => a == km || b == km,
            None => self.km == km,
        }
    }
}

impl Layer {
    /// A fault at a KM or a KM link of it from now on; its identifier, which is made of the `number` that it gets.
    pub fn inject(
        &mut self,
        km: usize,
        fault: Fault,
        by: &str,
        number: &mut dyn FnMut() -> u64,
    ) -> Result<String, DriverError> {
        let Some(kind) = fault.kind().filter(|kind| KINDS.contains(kind)) else {
            return Err(DriverError::Unsupported("a simulated key manager has no fault of this kind".to_owned()));
        };
        if self.faults.injected.len() >= MAX_FAULTS {
            return Err(DriverError::Failed(format!("there are {MAX_FAULTS} faults already; clear one first")));
        }
        if let Some(id) = fault.resource_id.as_deref().filter(|id| !self.has_resource(km, id)) {
            return Err(DriverError::refused("resource-id", format!("the key manager has no resource {id}")));
        }
        let link = match &fault.km_link_failure {
            Some(failure) => Some(self.failing_link(km, fault.resource_id.as_deref(), failure.channel.as_deref())?),
            None => None,
        };
        let applications = &self.kms[km].config.application;
        let of = fault.resource_id.as_deref().filter(|id| *id != self.kms[km].id);
        if fault.authentication_failure.is_some()
            && !applications.iter().any(|application| of.is_none_or(|id| id == application.application_id))
        {
            return Err(DriverError::refused("resource-id", "the key manager supplies no such application"));
        }
        if let Some(drain) = &fault.store_drain {
            let peer = self.store_peer(km, &drain.peer_km_id);
            peer.ok_or_else(|| no_store("store-drain/peer-km-id", &drain.peer_km_id))?;
        }
        let mut vanished = 0;
        if let Some(mismatch) = &fault.store_mismatch {
            let peer = self.store_peer(km, &mismatch.peer_km_id);
            let peer = peer.ok_or_else(|| no_store("store-mismatch/peer-km-id", &mismatch.peer_km_id))?;
            vanished = mismatch.keys.min(self.residual_keys(km, peer, self.first_store(km, peer)));
            for end in [km, peer] {
                self.kms[end].counted.security.synchronization_mismatches += vanished;
            }
        }
        if fault.km_crash.is_some() {
            // What was metered until now is on record.
            let now = self.now;
            self.kms[km].metering.close(now);
        }
        let number = number();
        let id = format!("fault-{number}");
        self.tell_log(km, LogClass::Event, "fault-injected", format!("{id}: {kind}"), Some(by));
        let injected = Injected { fault, at: self.now, by: by.to_owned(), km, link, vanished };
        self.faults.injected.insert(number, injected);
        self.refresh();
        Ok(id)
    }

    /// Takes one fault that is seen at a KM away, or all; how many.
    pub fn clear(&mut self, km: usize, id: Option<&str>, by: &str) -> Result<u32, DriverError> {
        let seen = self.faults.injected.iter().filter(|(_, injected)| injected.is_seen_at(km));
        let mut cleared: Vec<u64> = seen.map(|(number, _)| *number).collect();
        if let Some(id) = id {
            cleared.retain(|number| format!("fault-{number}") == id);
            if cleared.is_empty() {
                return Err(DriverError::Missing(format!("there is no fault {id}")));
            }
        }
        for number in &cleared {
            self.end_fault(*number);
            self.tell_log(km, LogClass::Event, "fault-cleared", format!("fault-{number}"), Some(by));
        }
        self.refresh();
        Ok(u32::try_from(cleared.len()).expect("at most MAX_FAULTS"))
    }

    /// The faults that are seen at a KM.
    pub fn faults(&self, km: usize) -> Vec<FaultStatus> {
        let seen = self.faults.injected.iter().filter(|(_, injected)| injected.is_seen_at(km));
        seen.map(|(number, injected)| FaultStatus {
            fault_id: format!("fault-{number}"),
            injected: date_and_time(injected.at),
            injected_by: injected.by.clone(),
            fault: injected.fault.clone(),
        })
        .collect()
    }

    pub(super) fn expire_faults(&mut self) {
        let now = self.now;
        let over = |injected: &Injected| {
            let age = now.duration_since(injected.at);
            injected.fault.duration.is_some_and(|seconds| age >= SignedDuration::from_secs(seconds.into()))
        };
        let expired: Vec<(u64, usize)> = self
            .faults
            .injected
            .iter()
            .filter(|(_, injected)| over(injected))
            .map(|(number, injected)| (*number, injected.km))
            .collect();
        for (number, km) in expired {
            self.end_fault(number);
            self.tell_log(km, LogClass::Event, "fault-cleared", format!("fault-{number}: its time is over"), None);
        }
    }

    /// Share of the keys that a KM loses in relay.
    pub(super) fn relay_loss(&self, km: usize) -> f64 {
        let lost = self.faults.of(km).filter_map(|fault| fault.relay_failure);
        1.0 - lost.map(|failure| 1.0 - failure.ratio).product::<f64>()
    }

    /// Keys of the store shared with `peer` that vanished at this KM only.
    pub(super) fn missing_keys(&self, km: usize, peer: usize, purpose: Purpose) -> u64 {
        let of = |injected: &&Injected| {
            let mismatch = injected.fault.store_mismatch.as_ref();
            injected.km == km && mismatch.is_some_and(|mismatch| mismatch.peer_km_id == self.kms[peer].id)
        };
        if purpose != self.first_store(km, peer) {
            return 0;
        }
        let held = self.store(km, peer, purpose).map_or(0, Store::keys);
        self.faults.injected.values().filter(of).map(|injected| injected.vanished).sum::<u64>().min(held)
    }

    /// The same, bit.
    pub(super) fn missing(&self, km: usize, peer: usize, purpose: Purpose) -> u64 {
        let bits = self.store(km, peer, purpose).map_or(0, Store::bits);
        (self.missing_keys(km, peer, purpose) * u64::from(self.key_bits(km, peer))).min(bits)
    }

    pub(super) fn drain_stores(&mut self) {
        let drains = self.faults.injected.values().filter_map(|injected| {
            let drain = injected.fault.store_drain.as_ref()?;
            let age = self.now.duration_since(injected.at).as_secs_f64();
            // By what is due in all, so that less than a bit a second drains too.
            let due = (drain.rate * age).floor() - (drain.rate * (age - 1.0).max(0.0)).floor();
            Some((injected.km, self.number(&drain.peer_km_id)?, due as u64))
        });
        let drains: Vec<(usize, usize, u64)> = drains.collect();
        for (km, peer, bits) in drains {
            self.discard(km, peer, bits);
        }
    }

    fn end_fault(&mut self, number: u64) {
        let Some(Injected { fault, km, vanished, .. }) = self.faults.injected.remove(&number) else { return };
        if fault.km_crash.is_some() && !self.is_crashed(km) {
            let now = self.now;
            let restarted = &mut self.kms[km];
            restarted.booted = now;
            restarted.starting = START_STEPS;
            restarted.counted = Default::default();
        }
        let peer = fault.store_mismatch.as_ref().and_then(|mismatch| self.number(&mismatch.peer_km_id));
        if let Some(peer) = peer.filter(|_| vanished > 0) {
            // The two find each other's keys again: each drops what the other has not.
            let bits = vanished * u64::from(self.key_bits(km, peer));
            self.discard(km, peer, bits);
        }
    }

    /// The KM link that a failure is about, once it is clear which.
    fn failing_link(&self, km: usize, resource: Option<&str>, channel: Option<&str>) -> Result<Ends, DriverError> {
        let links = &self.kms[km].config.km_link;
        let named = resource.and_then(|id| links.iter().find(|link| link.link_id == id));
        let link = match (named, links.as_slice()) {
            (Some(link), _) => link,
            (None, [link]) if resource.is_none() => link,
            _ => return Err(DriverError::refused("resource-id", "name the KM link that fails")),
        };
        if let Some(channel) = channel.filter(|name| !link.channel.iter().any(|channel| channel.name == *name)) {
            let reason = format!("the KM link {} has no channel {channel}", link.name);
            return Err(DriverError::refused("km-link-failure/channel", reason));
        }
        let peer = self.number(&link.peer_km_id);
        let peer = peer.ok_or_else(|| DriverError::Failed(format!("there is no {}", link.peer_km_id)))?;
        Ok(ends(km, peer))
    }

    fn store_peer(&self, km: usize, peer_km_id: &str) -> Option<usize> {
        self.number(peer_km_id).filter(|peer| self.store(km, *peer, self.first_store(km, *peer)).is_some())
    }

    /// The store between two KMs that a fault is about: that of the KMA-keys, if they have one.
    fn first_store(&self, km: usize, peer: usize) -> Purpose {
        if self.pairs.contains_key(&ends(km, peer)) { Purpose::Kma } else { Purpose::Ksa }
    }

    /// Takes keys that nobody gets.
    fn discard(&mut self, km: usize, peer: usize, bits: u64) {
        let purpose = self.first_store(km, peer);
        let Some(store) = self.store_mut(km, peer, purpose) else { return };
        let (name, runs) = (store.name().clone(), store.take(bits));
        for end in [km, peer] {
            self.put_away(end, &name, &runs, &Default::default());
        }
    }

    fn has_resource(&self, km: usize, id: &str) -> bool {
        self.resources(km).iter().any(|resource| resource.resource_id == id)
    }
}

fn no_store(leaf: &str, peer: &str) -> DriverError {
    DriverError::refused(leaf, format!("the key manager shares no keys with {peer}"))
}
