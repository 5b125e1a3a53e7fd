//! The supply of keys to applications, from one store or hop by hop along a relay route (Y.3803; Y.3804 clauses 8.1 and 10.6).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::super::events::With;
use super::super::metering::{Account, Amount};
use super::super::model::{Application, EventKind, Purpose, Use};
use super::gap::{Block, Gap};
use super::path::Path;
use super::{Ends, Layer, PROCESSING, ends};
use crate::network::store::{Rate, Run, Store};

/// Steps without a refusal after which a supply works again.
const RECOVERY_STEPS: u32 = 3;

/// Supply of keys to an application and its peer.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: String,
    /// The KMs that have the application configured, one or both.
    pub(super) ends: Vec<SessionEnd>,
    source: usize,
    destination: Option<usize>,
    /// Bits asked for and not yet worth a key.
    due: f64,
    pub(super) block: Option<Block>,
    /// Steps since the last refusal; nothing where there was none.
    pub(super) refused: Option<u32>,
    /// ms
    pub(super) delay: Option<f64>,
    pub(super) variation: Option<f64>,
    pub(super) requested: Rate,
    pub(super) undelivered: Rate,
    pub(super) broken: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub(super) struct SessionEnd {
    pub(super) km: usize,
    pub(super) application: Application,
}

/// Where the keys of a session come from.
enum Way {
    /// KSA-keys that both ends hold.
    Held(Ends),
    /// KMA-keys, taken when they are asked for.
    Path(Path),
}

impl Session {
    pub(super) fn is_enabled(&self) -> bool {
        self.ends.iter().all(|end| end.application.enabled)
    }

    /// Key that the application asks for, bit/s: as much as it may, or where that is not limited, a key a second.
    fn rate(&self, key_bits: u32) -> f64 {
        let limits = self.ends.iter().filter_map(|end| end.application.maximum_rate);
        limits.min_by(f64::total_cmp).unwrap_or(f64::from(key_bits))
    }

    fn priority(&self) -> u8 {
        self.ends.iter().map(|end| end.application.priority).max().unwrap_or_default()
    }

    /// Its application at a KM.
    fn end(&self, km: usize) -> Option<&SessionEnd> {
        self.ends.iter().find(|end| end.km == km)
    }

    pub(super) fn is_refused(&self) -> bool {
        self.is_enabled() && (self.block.is_some() || self.refused.is_some())
    }
}

impl Layer {
    /// The sessions that the configurations of all KMs come to. The two ends of one supply are one session.
    pub(super) fn resolve_sessions(&mut self) {
        let mut found: BTreeMap<String, Vec<SessionEnd>> = BTreeMap::new();
        for (km, config) in self.kms.iter().enumerate().map(|(number, km)| (number, &km.config)) {
            for application in config.application.iter().filter(|application| application.peer_km_id.is_some()) {
                let mut ids = vec![application.application_id.as_str()];
                ids.extend(application.peer_application_id.as_deref());
                ids.sort_unstable();
                let end = SessionEnd { km, application: application.clone() };
                found.entry(ids.join(" ")).or_default().push(end);
            }
        }
        let mut old = std::mem::take(&mut self.sessions);
        for (id, ends) in found {
            let source = ends[0].km;
            let peer = ends[0].application.peer_km_id.as_deref();
            let destination = peer.and_then(|peer| self.number(peer));
            let session = match old.remove(&id) {
                Some(known) => Session { ends, source, destination, ..known },
                None => Session {
                    id: id.clone(),
                    ends,
                    source,
                    destination,
                    due: 0.0,
                    block: None,
                    refused: None,
                    delay: None,
                    variation: None,
                    requested: Rate::default(),
                    undelivered: Rate::default(),
                    broken: None,
                },
            };
            self.sessions.insert(id, session);
        }
    }

    /// A second of supply, the most urgent first.
    pub(super) fn supply(&mut self) {
        let mut sessions: Vec<Session> = std::mem::take(&mut self.sessions).into_values().collect();
        sessions.sort_by(|a, b| (Reverse(a.priority()), &a.id).cmp(&(Reverse(b.priority()), &b.id)));
        for mut session in sessions {
            self.serve(&mut session);
            self.sessions.insert(session.id.clone(), session);
        }
    }

    fn serve(&mut self, session: &mut Session) {
        if !session.is_enabled() {
            session.due = 0.0;
            (session.block, session.refused, session.broken) = (None, None, None);
            return;
        }
        let size = self.kms[session.source].config.key_policy.key_size;
        let way = self.way(session);
        if matches!(&way, Err(block) if block.is_passing()) {
            // Applications wait for a KM that starts.
            (session.due, session.delay, session.block) = (0.0, None, way.err());
            return;
        }
        session.due += session.rate(size);
        let wanted = (session.due / f64::from(size)).floor() as u64;
        // What is refused is not asked for again: the application does with what it has, and asks anew for what it needs next.
        session.due -= wanted as f64 * f64::from(size);
        let (available, block) = match &way {
            Ok(way) => {
                let (ends, bits) = self.left(way);
                let keys = bits / u64::from(size);
                (keys, (keys < wanted.max(1)).then_some(Block::Empty(ends)))
            }
            Err(block) => (0, Some(block.clone())),
        };
        session.block = block;
        let taken = wanted.min(available);
        let mut delivered = 0;
        session.delay = match &way {
            Ok(way) => {
                let lost = self.deliver(way, session, taken, size);
                delivered = taken - lost;
                let (delay, before) = (self.response_delay(way), session.delay);
                let change = before.map(|before| (delay - before).abs());
                let variation = session.variation.unwrap_or(0.0);
                session.variation = change.map(|change| variation + (change - variation) / 16.0).or(session.variation);
                Some(delay)
            }
            Err(_) => None,
        };
        if way.is_err() && wanted > 0 {
            self.kms[session.source].counted.relay_failures += u64::from(self.is_relayed(session)) * wanted;
        }
        self.account(session, wanted, taken, delivered, size);
        session.requested.step(wanted as f64);
        session.undelivered.step((wanted - delivered) as f64);
        session.refused = match (taken < wanted, session.refused) {
            (true, _) => Some(0),
            (false, Some(steps)) if steps + 1 < RECOVERY_STEPS => Some(steps + 1),
            (false, _) => None,
        };
        match (session.is_refused(), session.broken) {
            (true, None) => session.broken = Some(self.now),
            (false, Some(since)) => {
                session.broken = None;
                let seconds = self.now.duration_since(since).as_secs_f64();
                for end in &session.ends {
                    self.kms[end.km].restoration = Some(seconds);
                }
            }
            _ => {}
        }
    }

    /// Whether each session would get a key now.
    pub(super) fn probe_sessions(&mut self) {
        let probe = |session: &Session| {
            let size = self.kms[session.source].config.key_policy.key_size;
            if !session.is_enabled() {
                return None;
            }
            match self.way(session) {
                Ok(way) => {
                    let (ends, bits) = self.left(&way);
                    (bits < u64::from(size)).then_some(Block::Empty(ends))
                }
                Err(block) => Some(block),
            }
        };
        let blocks: Vec<(String, Option<Block>)> =
            self.sessions.values().map(|session| (session.id.clone(), probe(session))).collect();
        for (id, block) in blocks {
            if let Some(session) = self.sessions.get_mut(&id) {
                session.block = block;
            }
        }
    }

    /// Where a session's keys come from, or why from nowhere.
    fn way(&self, session: &Session) -> Result<Way, Block> {
        let destination = session.destination.ok_or(Block::Nobody)?;
        for end in &session.ends {
            let id = &end.application.application_id;
            let fails = self.faults.of(end.km).any(|fault| {
                fault.authentication_failure.is_some()
                    && fault.resource_id.as_deref().is_none_or(|of| of == id || of == self.kms[end.km].id)
            });
            if fails {
                return Err(Block::Impostor(end.km));
            }
        }
        for km in [session.source, destination] {
            if !self.is_in_use(km) {
                return Err(Block::End(km));
            }
        }
        let between = ends(session.source, destination);
        if !self.held.contains_key(&between) {
            return self.path(session.source, destination).map(Way::Path);
        }
        // What both hold already, each gives out by itself.
        for km in [session.source, destination] {
            if self.is_crashed(km) {
                return Err(Block::Link(between, Gap::Crashed(km)));
            }
            if self.kms[km].starting > 0 {
                return Err(Block::Link(between, Gap::Starting(km)));
            }
        }
        Ok(Way::Held(between))
    }

    /// Key that is left to use, and where the least is, bit.
    fn left(&self, way: &Way) -> (Ends, u64) {
        match way {
            Way::Held((a, b)) => ((*a, *b), self.usable(*a, *b, Purpose::Ksa)),
            Way::Path(path) => self.narrowest(path),
        }
    }

    fn response_delay(&self, way: &Way) -> f64 {
        match way {
            // Each end looks into its own store.
            Way::Held(_) => 2.0 * PROCESSING * (1.0 + 0.05 * self.jitter),
            Way::Path(path) => self.delay(path),
        }
    }

    /// Brings the stores of KSA-keys back to twice their threshold from what the KMA-keys on the way can spare above theirs; and to the
    /// threshold from all that may be used.
    pub(super) fn replenish(&mut self) {
        let held: Vec<Ends> = self.held.keys().copied().collect();
        for (a, b) in held {
            let (size, room) = (self.key_bits(a, b), self.room(a, b, Purpose::Ksa));
            let threshold = self.threshold(a, b, Purpose::Ksa);
            let has = self.held[&(a, b)].bits();
            let (urgent, wanted) =
                (threshold.min(room).saturating_sub(has), (2 * threshold).min(room).saturating_sub(has));
            let Ok(path) = self.path(a, b) else { continue };
            let (_, usable) = self.narrowest(&path);
            let spare = path.hops().map(|(a, b)| {
                let bits = self.store(a, b, Purpose::Kma).map_or(0, Store::bits);
                bits.saturating_sub(self.threshold(a, b, Purpose::Kma))
            });
            let bits = wanted.min(spare.min().unwrap_or(0).min(usable).max(usable.min(urgent)));
            let keys = bits / u64::from(size);
            if keys == 0 {
                continue;
            }
            let lost = self.lose(&path, keys);
            let session = format!("{} {}", self.kms[a].id, self.kms[b].id);
            self.carry(&path, &session, keys, lost, size);
            let now = self.now;
            let Some(store) = self.held.get_mut(&(a, b)) else { continue };
            let name = store.name().clone();
            let stored = store.add(((keys - lost) * u64::from(size)) as f64, size, room, now);
            for (km, peer) in [(a, b), (b, a)] {
                let with = With { peer: Some(self.kms[peer].id.as_str().into()), route: path.route.clone() };
                if let Some(run) = stored {
                    self.kms[km].events.push(now, EventKind::Stored, &name, run, with);
                }
            }
        }
    }

    fn is_relayed(&self, session: &Session) -> bool {
        session.destination.is_some_and(|destination| {
            self.route(session.source, destination).is_some()
                || !self.pairs.contains_key(&ends(session.source, destination))
        })
    }

    /// Takes keys for a session and gives those that arrive to its applications; how many are lost.
    fn deliver(&mut self, way: &Way, session: &Session, keys: u64, size: u32) -> u64 {
        if keys == 0 {
            return 0;
        }
        let now = self.now;
        let (lost, name, runs) = match way {
            Way::Held((a, b)) => {
                let Some(store) = self.held.get_mut(&(*a, *b)) else { return keys };
                let (name, runs) = (store.name().clone(), store.take(keys * u64::from(size)));
                for (km, peer) in [(*a, *b), (*b, *a)] {
                    let with = With { peer: Some(self.kms[peer].id.as_str().into()), route: None };
                    self.put_away(km, &name, &runs, &with);
                }
                (0, name, runs)
            }
            Way::Path(path) => {
                let lost = self.lose(path, keys);
                let (name, runs) = self.carry(path, &session.id, keys, lost, size);
                (lost, name, runs)
            }
        };
        for km in [Some(session.source), session.destination].into_iter().flatten() {
            let peer = session.end(km).map(|end| end.application.application_id.as_str().into());
            let km = &mut self.kms[km];
            for run in &runs {
                km.events.push(now, EventKind::Supplied, &name, *run, With { peer: peer.clone(), route: None });
            }
            km.counted.life_cycle.supplied += keys - lost;
            km.supplied_now += (keys - lost) * u64::from(size);
        }
        lost
    }

    /// Takes keys from each store on the way and puts down at each KM what became of them. All along the way a relayed key goes by the
    /// identifier that it had in the first store: those that arrive.
    fn carry(&mut self, path: &Path, session: &str, keys: u64, lost: u64, size: u32) -> (Arc<str>, Vec<Run>) {
        let now = self.now;
        let mut first: Option<(Arc<str>, Vec<Run>)> = None;
        for (a, b) in path.hops() {
            let store = &mut self.pair(a, b).store;
            let (name, runs) = (store.name().clone(), store.take(keys * u64::from(size)));
            for (km, peer) in [(a, b), (b, a)] {
                let with = With { peer: Some(self.kms[peer].id.as_str().into()), route: path.route.clone() };
                self.put_away(km, &name, &runs, &with);
            }
            first.get_or_insert((name, runs));
        }
        let (name, runs) = first.expect("a path has a hop");
        let (gone, arrived) = split(&runs, lost);
        let last = path.kms.len() - 1;
        for place in 1..last {
            let next = self.kms[path.kms[place + 1]].id.clone();
            let with = With { peer: Some(next.as_str().into()), route: path.route.clone() };
            let km = &mut self.kms[path.kms[place]];
            for run in &arrived {
                km.events.push(now, EventKind::Relayed, &name, *run, with.clone());
            }
            km.counted.life_cycle.relayed += keys - lost;
            let account = Account { usage: Use::Relay, session: session.to_owned(), application: None, peer_km: next };
            let bits = (keys - lost) * u64::from(size);
            km.metering.count(account, Amount { keys: keys - lost, bits, requests: keys, rejected: 0 });
        }
        if path.is_relay() {
            for km in &path.kms[..last] {
                self.kms[*km].counted.relay_successes += keys - lost;
                self.kms[*km].counted.relay_failures += lost;
            }
            // They are found out where they should be used.
            let km = &mut self.kms[path.kms[last]];
            km.counted.security.integrity_failures += lost;
            for run in &gone {
                km.events.push(now, EventKind::Rejected, &name, *run, With { peer: None, route: path.route.clone() });
            }
        }
        for km in [path.kms[0], path.kms[last]] {
            if let Some(measure) = path.route.as_deref().and_then(|route| self.kms[km].routes.get_mut(route)) {
                measure.sent_now += keys;
                measure.lost_now += lost;
            }
        }
        (name, arrived)
    }

    /// Meters a supply at each end that has the application.
    fn account(&mut self, session: &Session, wanted: u64, taken: u64, delivered: u64, size: u32) {
        if wanted == 0 {
            return;
        }
        for SessionEnd { km, application } in &session.ends {
            // A KM that does not run has nobody to ask it.
            if self.is_crashed(*km) || !self.is_enabled(*km) {
                continue;
            }
            let peer_km = application.peer_km_id.clone().unwrap_or_default();
            let application = Some(application.application_id.clone());
            let account = Account { usage: Use::Supply, session: session.id.clone(), application, peer_km };
            let (bits, rejected) = (delivered * u64::from(size), wanted - taken);
            let counted = &mut self.kms[*km].counted;
            counted.rejections += rejected;
            if matches!(session.block, Some(Block::Impostor(at)) if at == *km) {
                counted.security.authentication_failures += rejected;
            }
            self.kms[*km].metering.count(account, Amount { keys: delivered, bits, requests: wanted, rejected });
        }
    }
}

/// The first so many keys, and the rest.
fn split(runs: &[Run], keys: u64) -> (Vec<Run>, Vec<Run>) {
    let (mut head, mut tail, mut left) = (Vec::new(), Vec::new(), keys);
    for run in runs {
        let taken = run.keys.min(left);
        left -= taken;
        if taken > 0 {
            head.push(Run { keys: taken, ..*run });
        }
        if taken < run.keys {
            tail.push(Run { first: run.first + taken, keys: run.keys - taken, ..*run });
        }
    }
    (head, tail)
}
