//! The key management layer with the time turned by hand: three KMs in a row, `a`, `b` and `c`, and what happens to their keys.

use std::collections::{BTreeMap, BTreeSet};

use super::super::catalogue::{ALARM_TYPES, QUANTITIES, quantity};
use super::super::model::*;
use super::report::QkdLinkReport;
use super::*;
use crate::driver::Condition;
use crate::fault::{Fault, KmLinkFailure, Plain, Ratio, StoreDrain, StoreMismatch};
use crate::model::types::{ChannelState, ChannelUse};
use crate::state::{AdminState, ServiceState};

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

/// Key that each QKD link makes, bit/s.
const RATE: f64 = 2000.0;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn id(name: &str) -> String {
    format!("urn:qkdn:test:km:{name}")
}

fn link(from: &str, to: &str) -> KmLink {
    let (low, high) = (from.min(to), from.max(to));
    let channel = |name: &str, usage| Channel { name: name.to_owned(), peer_address: None, usage };
    KmLink {
        name: format!("to-{to}"),
        link_id: format!("urn:qkdn:test:km-link:{low}--{high}"),
        peer_km_id: id(to),
        qkd_link_id: vec![format!("urn:qkdn:test:link:{low}{high}")],
        channel: vec![channel("north", ChannelUse::Primary), channel("south", ChannelUse::Backup)],
        ..KmLink::default()
    }
}

fn application(name: &str, peer: &str, peer_km: &str, rate: f64) -> Application {
    Application {
        application_id: format!("urn:qkdn:test:app:{name}"),
        peer_application_id: Some(format!("urn:qkdn:test:app:{peer}")),
        peer_km_id: Some(id(peer_km)),
        priority: 3,
        maximum_rate: Some(rate),
        enabled: true,
    }
}

fn route(previous: Option<&str>, next: Option<&str>) -> RelayRoute {
    RelayRoute {
        route_id: "urn:qkdn:test:route:a-c".to_owned(),
        source_km_id: id("a"),
        destination_km_id: id("c"),
        previous_hop: previous.map(id),
        next_hop: next.map(id),
        service_state: ServiceState::InService,
    }
}

/// A row of KMs that has started. Applications and routes are the test's.
struct Row {
    layer: Layer,
    second: i64,
    number: u64,
    /// Key ever made by each QKD link.
    made: f64,
}

impl Row {
    fn new(change: impl FnOnce(&mut [Config; 3])) -> Row {
        let mut configs = [
            Config { km_link: vec![link("a", "b")], ..Config::default() },
            Config { km_link: vec![link("b", "a"), link("b", "c")], ..Config::default() },
            Config { km_link: vec![link("c", "b")], ..Config::default() },
        ];
        change(&mut configs);
        let kms = ["a", "b", "c"].into_iter().zip(configs).map(|(km, config)| KmPlan { km_id: id(km), config });
        let qkd_link = |from: &str, to: &str| QkdLinkPlan {
            link_id: format!("urn:qkdn:test:link:{from}{to}"),
            ends: [(from, "tx"), (to, "rx")].map(|(km, end)| QkdLinkEnd {
                km_id: id(km),
                module_id: format!("urn:qkdn:test:module:{from}{to}-{end}"),
            }),
            length_km: 50.0,
        };
        let links = vec![qkd_link("a", "b"), qkd_link("b", "c")];
        let mut row = Row { layer: Layer::new(kms.collect(), links, 1, at(0)), second: 0, number: 0, made: 0.0 };
        row.pass(3);
        row
    }

    /// With an application at `a` and `c`, and the route between them.
    fn relaying(rate: f64) -> Row {
        Row::new(|[a, b, c]| {
            a.application = vec![application("1", "2", "c", rate)];
            c.application = vec![application("2", "1", "a", rate)];
            a.relay_route = vec![route(None, Some("b"))];
            b.relay_route = vec![route(Some("a"), Some("c"))];
            c.relay_route = vec![route(Some("b"), None)];
        })
    }

    /// With an application at `a` and `b`.
    fn direct(rate: f64) -> Row {
        Row::new(|[a, b, _]| {
            a.application = vec![application("1", "2", "b", rate)];
            b.application = vec![application("2", "1", "a", rate)];
        })
    }

    fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.second += 1;
            self.made += RATE;
            let made = self.made;
            self.layer.step(at(self.second), &|_| made);
        }
    }

    fn inject(&mut self, km: usize, fault: Fault) -> String {
        self.number += 1;
        let number = self.number;
        self.layer.inject(km, fault, "tester", &mut || number).unwrap()
    }

    fn clear(&mut self, km: usize) {
        self.layer.clear(km, None, "tester").unwrap();
    }

    fn configure(&mut self, km: usize, change: impl FnOnce(&mut Config)) {
        let mut config = self.layer.config(km).clone();
        change(&mut config);
        self.layer.configure(km, config);
    }

    /// What holds at a KM: alarm type and the last part of the resource.
    fn alarms(&self, km: usize) -> Vec<String> {
        let short = |Condition { resource, alarm_type, .. }: Condition| {
            let (_, alarm_type) = alarm_type.split_once(':').unwrap();
            format!("{alarm_type} {}", resource.rsplit_once(':').unwrap().1)
        };
        self.layer.conditions(km).into_iter().map(short).collect()
    }

    fn state(&self, km: usize) -> State {
        self.layer.operational(km, &|_| None).state
    }

    fn store(&self, km: usize, peer: &str) -> KeyStoreState {
        self.state(km).key_store.into_iter().find(|store| store.peer_km_id == id(peer)).unwrap()
    }

    fn reading(&self, km: usize, quantity: &str) -> Option<f64> {
        let readings = self.layer.sample(km).readings;
        readings.into_iter().find(|reading| reading.quantity == quantity).map(|reading| reading.value)
    }

    fn records(&self, km: usize) -> Vec<MeteringRecord> {
        self.layer.metering_records(km, &RecordsInput { maximum: 10_000, ..RecordsInput::default() }).record
    }
}

fn crash() -> Fault {
    Fault { km_crash: Some(Plain {}), ..Fault::default() }
}

fn cut(channel: Option<&str>) -> Fault {
    let failure = KmLinkFailure { channel: channel.map(str::to_owned) };
    let resource_id = Some("urn:qkdn:test:km-link:a--b".to_owned());
    Fault { km_link_failure: Some(failure), resource_id, ..Fault::default() }
}

const NONE: [&str; 0] = [];

#[test]
fn what_the_qkd_links_make_both_ends_have() {
    let mut row = Row::new(|_| ());
    let before = row.store(A, "b");
    row.pass(60);
    let (a, b) = (row.store(A, "b"), row.store(B, "a"));
    assert_eq!((a.residual_bits, a.residual_keys, a.level), (b.residual_bits, b.residual_keys, b.level));
    let gained = a.residual_bits - before.residual_bits;
    assert!(gained.abs_diff(120_000) < 512, "{gained}");
    assert_eq!(a.residual_bits, a.residual_keys * 512);
    assert!((a.generation_rate - RATE).abs() < 50.0, "{}", a.generation_rate);
    assert_eq!((a.level, a.time_to_empty), (Level::Ready, None));
    let cycle = row.state(A).key_life_cycle;
    assert_eq!(cycle.stored, cycle.received + INITIAL_BITS / 512);
    for km in [A, B, C] {
        assert_eq!(row.alarms(km), NONE);
        assert_eq!(row.state(km).oper_state, OperState::Operational);
    }
}

#[test]
fn an_application_gets_its_rate_and_metering_adds_up() {
    let mut row = Row::direct(10_000.0);
    row.pass(600);
    row.configure(A, |config| config.application[0].enabled = false);
    row.pass(60);
    let (records, peers) = (row.records(A), row.records(B));
    assert_eq!(records.len(), peers.len());
    let numbers: Vec<u64> = records.iter().map(|record| record.sequence_number).collect();
    assert_eq!(numbers, (1..=records.len() as u64).collect::<Vec<_>>(), "without gaps");
    for pair in records.windows(2) {
        assert_eq!(pair[0].end_time, pair[1].start_time);
    }
    let keys = |records: &[MeteringRecord]| records.iter().map(|record| record.keys).sum::<u64>();
    let cycle = row.state(A).key_life_cycle;
    assert_eq!((keys(&records), keys(&peers)), (cycle.supplied, cycle.supplied));
    assert_eq!(cycle.deleted, cycle.supplied);
    assert_eq!(cycle.stored, cycle.received + INITIAL_BITS / 512 - cycle.deleted);
    assert!((cycle.supplied as f64 * 512.0) < 0.9 * 6_000_000.0, "the store ran dry before");
    assert!(records.iter().any(|record| record.rejected > 0));
    assert!(records.iter().all(|record| record.requests == record.keys + record.rejected));
}

#[test]
fn a_drained_store_gets_low_then_empty_then_the_application_is_refused() {
    let mut row = Row::direct(1000.0);
    let drain = StoreDrain { peer_km_id: id("b"), rate: 100_000.0 };
    row.inject(A, Fault { store_drain: Some(drain), ..Fault::default() });
    row.pass(20);
    assert_eq!((row.alarms(A), row.store(A, "b").level), (vec![], Level::Ready));
    assert!(row.store(A, "b").time_to_empty.is_some_and(|seconds| seconds < 300));
    row.pass(15);
    for (km, store) in [(A, "b"), (B, "a")] {
        assert_eq!(row.alarms(km), [format!("key-store-low {store}")], "both ends");
        assert_eq!(row.store(km, store).level, Level::Low);
    }
    row.pass(20);
    assert_eq!(row.alarms(A), ["key-supply-rejected 1", "key-store-exhausted b"]);
    assert_eq!(row.alarms(B), ["key-supply-rejected 2", "key-store-exhausted a"]);
    assert_eq!(row.store(B, "a").level, Level::Empty);
    row.clear(A);
    row.configure(A, |config| config.application[0].enabled = false);
    row.pass(700);
    assert_eq!((row.alarms(A), row.store(A, "b").level), (vec!["key-store-low b".to_owned()], Level::Charging));
    row.configure(A, |config| config.application[0].enabled = true);
    row.pass(1);
    assert_eq!(row.alarms(A), ["key-store-low b"], "the application gets keys again");
    row.pass(700);
    assert_eq!(row.alarms(A), NONE);
    assert!(row.reading(A, quantity::SERVICE_RESTORATION_TIME).is_none(), "nobody waited when it came back");
}

#[test]
fn a_crash_is_seen_by_the_neighbours_at_once_and_over_with_the_restart() {
    let mut row = Row::direct(1000.0);
    let residual = row.store(A, "b").residual_bits;
    let (_, changed) = row.layer.changing(|layer| layer.inject(B, crash(), "tester", &mut || 1));
    assert_eq!(changed, BTreeSet::from([id("a"), id("b"), id("c")]));
    assert_eq!(row.alarms(B), ["km-failure b"]);
    assert_eq!(row.alarms(A), ["key-supply-rejected 1", "km-link-failure a--b"]);
    assert_eq!(row.alarms(C), ["km-link-failure b--c"]);
    assert_eq!(row.state(B).oper_state, OperState::Failed);
    assert_eq!(row.state(A).oper_state, OperState::Degraded);
    row.pass(30);
    assert_eq!(row.store(A, "b").residual_bits, residual, "no key comes or goes");
    assert_eq!(row.layer.sample(B).readings, []);
    row.clear(B);
    assert_eq!((row.alarms(A), row.state(B).oper_state), (vec![], OperState::Starting));
    row.pass(5);
    assert_eq!((row.alarms(A), row.alarms(B)), (vec![], vec![]));
    assert!(row.store(A, "b").residual_bits > residual, "the keys outlived the crash");
    let restored = row.reading(A, quantity::SERVICE_RESTORATION_TIME).unwrap();
    assert!((30.0..40.0).contains(&restored), "{restored}");
}

#[test]
fn a_failed_channel_is_replaced_by_command_at_either_end() {
    let mut row = Row::direct(1000.0);
    row.inject(A, cut(Some("north")));
    row.pass(5);
    for km in [A, B] {
        assert!(row.alarms(km).contains(&"km-link-failure a--b".to_owned()));
        assert_eq!(row.state(km).km_link[0].channel_state, ChannelState::Down);
        assert_eq!(row.layer.faults(km).len(), 1, "the fault is the link's");
    }
    assert_eq!(row.layer.faults(C), []);
    row.configure(B, |config| config.km_link[0].active_channel = Some("south".to_owned()));
    assert!(!row.alarms(A).contains(&"km-link-failure a--b".to_owned()), "at once");
    assert_eq!(row.state(A).km_link[0].active_channel.as_deref(), Some("south"));
    row.pass(5);
    assert_eq!(row.alarms(A), NONE);
    row.inject(B, cut(None));
    assert!(row.alarms(A).contains(&"km-link-failure a--b".to_owned()), "all channels");
    assert_eq!(row.layer.clear(A, None, "tester"), Ok(2), "whichever end they were injected at");
    assert_eq!((row.alarms(A), row.layer.faults(B)), (vec![], vec![]));
}

#[test]
fn a_relay_uses_every_hop_and_the_kms_on_the_way_meter_it() {
    let mut row = Row::relaying(5120.0);
    row.pass(117);
    let supplied = row.state(A).key_life_cycle.supplied;
    assert!(supplied > 1000, "{supplied}");
    assert_eq!(row.state(C).key_life_cycle.supplied, supplied);
    let between = row.state(B).key_life_cycle;
    assert_eq!((between.relayed, between.supplied, between.deleted), (supplied, 0, 2 * supplied));
    assert_eq!(row.store(A, "b").residual_bits, row.store(C, "b").residual_bits);
    let of = |km: usize, usage: Use| {
        row.records(km).into_iter().filter(|record| record.usage == usage).map(|record| record.keys).sum::<u64>()
    };
    assert_eq!((of(A, Use::Supply), of(B, Use::Relay), of(C, Use::Supply)), (supplied, supplied, supplied));
    let sessions: BTreeSet<String> = [A, B, C].iter().flat_map(|km| row.records(*km)).map(|r| r.session_id).collect();
    assert_eq!(sessions.len(), 1, "all three call it the same");
    assert_eq!(row.reading(A, quantity::RELAY_HOP_COUNT), Some(2.0));
    let delay = row.reading(A, quantity::KEY_RELAYING_DELAY).unwrap();
    assert!((2.0..6.0).contains(&delay), "{delay}");
    assert_eq!(row.reading(A, quantity::KEY_DATA_LOSS), Some(0.0));
    assert_eq!(row.alarms(A), NONE);
}

#[test]
fn a_relay_that_loses_keys_is_told_and_the_loss_is_its_share() {
    let mut row = Row::relaying(5120.0);
    row.pass(10);
    let before = row.state(C).key_life_cycle.supplied;
    row.inject(B, Fault { relay_failure: Some(Ratio { ratio: 0.4 }), ..Fault::default() });
    assert_eq!(row.alarms(B), ["km-relay-failure b"]);
    assert_eq!(row.alarms(A), ["km-relay-failure a-c"]);
    row.pass(300);
    let delivered = (row.state(C).key_life_cycle.supplied - before) as f64 / 3000.0;
    assert!((delivered - 0.6).abs() < 0.05, "{delivered}");
    let loss = row.reading(A, quantity::KEY_DATA_LOSS).unwrap();
    assert!((loss - 0.4).abs() < 0.1, "{loss}");
    let output = row.layer.diagnose(B, None);
    assert_eq!((output.probable_cause, output.relay_affected), (RelayCause::KmFault, true));
    assert_eq!(row.layer.diagnose(A, None).probable_cause, RelayCause::Undetermined);
    row.clear(B);
    assert_eq!((row.alarms(A), row.alarms(B)), (vec![], vec![]));
}

#[test]
fn the_controller_changes_the_way_of_keys_by_routes() {
    let mut row = Row::new(|[a, _, c]| {
        a.application = vec![application("1", "2", "c", 512.0)];
        c.application = vec![application("2", "1", "a", 512.0)];
    });
    assert_eq!(row.alarms(A), ["key-supply-rejected 1"], "there is no route yet");
    row.configure(A, |config| config.relay_route = vec![route(None, Some("b"))]);
    assert_eq!(row.alarms(A), ["key-supply-rejected 1", "km-relay-failure a-c"], "the next KM does not know it");
    assert_eq!(row.layer.diagnose(A, None).probable_cause, RelayCause::RouteMissing);
    row.configure(B, |config| config.relay_route = vec![route(Some("a"), Some("c"))]);
    row.pass(5);
    assert_eq!((row.alarms(A), row.alarms(C)), (vec![], vec![]));
    row.configure(B, |config| config.relay_enabled = false);
    assert_eq!(row.alarms(A), ["key-supply-rejected 1", "km-relay-failure a-c"]);
    assert_eq!(row.layer.diagnose(B, None).probable_cause, RelayCause::RelayDisabled);
    row.configure(B, |config| config.relay_enabled = true);
    row.configure(A, |config| config.relay_route[0].service_state = ServiceState::OutOfService);
    assert_eq!(row.alarms(A), ["key-supply-rejected 1"], "nobody expects anything of a route out of service");
    let unknown = row.layer.diagnose(A, Some("urn:qkdn:test:route:x"));
    assert_eq!((unknown.probable_cause, unknown.confidence, unknown.hop), (RelayCause::RouteMissing, 100.0, vec![]));
}

#[test]
fn a_diagnostic_tells_hop_by_hop_and_what_it_means_for_relay() {
    let mut row = Row::relaying(512.0);
    row.pass(5);
    let sound = row.layer.diagnose(B, None);
    assert_eq!((sound.probable_cause, sound.relay_affected), (RelayCause::NoFaultFound, false));
    assert!(sound.hop.iter().all(|hop| hop.reachable && hop.keys_match == Some(true) && hop.delay > Some(0.9)));
    row.inject(A, cut(None));
    let output = row.layer.diagnose(B, Some("urn:qkdn:test:route:a-c"));
    assert_eq!((output.probable_cause, output.relay_affected), (RelayCause::NextHopUnreachable, true));
    let reachable: BTreeMap<String, bool> =
        output.hop.iter().map(|hop| (hop.peer_km_id.clone(), hop.reachable)).collect();
    assert_eq!(reachable, BTreeMap::from([(id("a"), false), (id("c"), true)]));
    assert_eq!(output.hop[0].keys_match, None);
    assert_eq!(row.layer.diagnose(C, None).probable_cause, RelayCause::NoFaultFound, "c sees its own hop only");
    row.clear(A);
    row.inject(C, crash());
    assert_eq!(row.alarms(A), ["key-supply-rejected 1", "km-relay-failure a-c"], "two hops away");
    assert_eq!(row.layer.diagnose(C, None).probable_cause, RelayCause::KmFault);
}

#[test]
fn keys_that_one_end_lacks_are_told_at_both_and_dropped_in_the_end() {
    let mut row = Row::direct(0.0);
    let before = row.store(B, "a").residual_keys;
    let mismatch = StoreMismatch { peer_km_id: id("b"), keys: 100 };
    row.inject(A, Fault { store_mismatch: Some(mismatch), ..Fault::default() });
    assert_eq!(row.alarms(A), ["key-sync-mismatch b"]);
    assert_eq!(row.alarms(B), ["key-sync-mismatch a"]);
    assert_eq!((row.store(A, "b").residual_keys, row.store(B, "a").residual_keys), (before - 100, before));
    assert_eq!(row.layer.diagnose(B, None).probable_cause, RelayCause::KeyMismatch);
    assert_eq!(row.state(B).security.synchronization_mismatches, 100);
    row.clear(A);
    assert_eq!((row.store(A, "b").residual_keys, row.store(B, "a").residual_keys), (before - 100, before - 100));
    assert_eq!((row.alarms(A), row.alarms(B)), (vec![], vec![]));
}

#[test]
fn an_impostor_gets_no_keys() {
    let mut row = Row::direct(5120.0);
    let resource_id = Some("urn:qkdn:test:app:1".to_owned());
    row.inject(A, Fault { authentication_failure: Some(Plain {}), resource_id, ..Fault::default() });
    let supplied = row.state(A).key_life_cycle.supplied;
    row.pass(10);
    assert_eq!(row.alarms(A), ["app-authentication-failure 1"]);
    assert_eq!(row.alarms(B), ["key-supply-rejected 2"]);
    assert_eq!((row.state(A).key_life_cycle.supplied, row.state(A).security.authentication_failures), (supplied, 100));
    row.clear(A);
    row.pass(5);
    assert_eq!((row.alarms(A), row.alarms(B)), (vec![], vec![]));
}

#[test]
fn what_is_commanded_is_no_alarm() {
    let mut row = Row::new(|_| ());
    row.configure(B, |config| config.admin_state = AdminState::Disabled);
    row.pass(5);
    assert_eq!((row.alarms(A), row.alarms(B)), (vec![], vec![]));
    assert_eq!(row.state(B).oper_state, OperState::Down);
    assert_eq!(row.state(A).km_link[0].channel_state, ChannelState::Down);
    row.configure(B, |config| config.admin_state = AdminState::Enabled);
    row.configure(B, |config| config.service_state = ServiceState::OutOfService);
    let residual = row.store(A, "b").residual_bits;
    row.pass(5);
    assert_eq!((row.alarms(A), row.store(A, "b").residual_bits), (vec![], residual), "no key is stored");
    assert_eq!(row.state(A).km_link[0].channel_state, ChannelState::Up, "but the KMs answer each other");
    let changes = row.layer.take_facts(B);
    let states = changes.iter().filter_map(|fact| match fact {
        Fact::StateChanged(change) if change.resource == id("b") => Some((change.state, change.new.as_str())),
        _ => None,
    });
    let expected = [
        ("oper-state", "operational"),
        ("admin-state", "disabled"),
        ("oper-state", "down"),
        ("admin-state", "enabled"),
        ("oper-state", "operational"),
        ("service-state", "out-of-service"),
    ];
    assert_eq!(states.collect::<Vec<_>>(), expected);
}

#[test]
fn keys_live_as_long_as_the_policy_says_and_leave_a_trace() {
    let mut row = Row::direct(512.0);
    row.configure(A, |config| config.key_policy.key_lifetime = Some(300));
    row.configure(B, |config| config.key_policy.after_supply = AfterSupply::Preserve);
    for (km, peer) in [(A, "b"), (B, "a")] {
        let store = KeyStore { minimum_bits: 0, threshold_bits: 0, ..KeyStore::new(&id(peer), Purpose::Kma) };
        row.configure(km, |config| config.key_store = vec![store]);
    }
    row.pass(1300);
    let (a, b) = (row.state(A).key_life_cycle, row.state(B).key_life_cycle);
    assert!(a.expired > 9000 && a.expired == b.expired, "{a:?}");
    assert_eq!((a.deleted, a.preserved), (b.deleted + b.preserved, 0));
    assert!(b.preserved > 1000, "{b:?}");
    assert!(row.store(A, "b").oldest_key_age.is_some_and(|age| age <= 301));
    let input = |after, maximum| EventsInput { key_id: None, after_sequence_number: after, maximum };
    let all = row.layer.key_events(A, &input(None, 10_000));
    let recent = row.layer.key_events(A, &input(Some(all.last_sequence_number - 100), 100));
    let last = recent.event.iter().rfind(|event| event.event == EventKind::Supplied).unwrap();
    let only = EventsInput { key_id: Some(last.key_id.clone()), ..EventsInput::default() };
    let life = |km| row.layer.key_events(km, &only).event.into_iter().map(|event| event.event).collect::<Vec<_>>();
    use EventKind::{Deleted, Preserved, Received, Stored, Supplied};
    assert_eq!(life(A), [Received, Stored, Deleted, Supplied]);
    assert_eq!(life(B), [Received, Stored, Preserved, Supplied], "the same identifier at both ends");
    let mut numbers = Vec::new();
    let mut after = all.oldest_sequence_number.map(|oldest| oldest - 1);
    loop {
        let page = row.layer.key_events(A, &input(after, 997)).event;
        let Some(last) = page.last() else { break };
        after = Some(last.sequence_number);
        numbers.extend(page.iter().map(|event| event.sequence_number));
    }
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert_eq!(numbers.last(), Some(&all.last_sequence_number));
}

#[test]
fn faults_are_refused_where_they_make_no_sense_and_end_with_their_time() {
    let mut row = Row::direct(512.0);
    let refused = |row: &mut Row, fault: Fault| row.layer.inject(B, fault, "tester", &mut || 99).unwrap_err();
    let elsewhere = Fault { resource_id: Some("urn:qkdn:test:km:c".to_owned()), ..crash() };
    assert!(matches!(refused(&mut row, elsewhere), crate::driver::DriverError::Refused { .. }));
    let tamper = Fault { tamper: Some(Plain {}), ..Fault::default() };
    assert!(matches!(refused(&mut row, tamper), crate::driver::DriverError::Unsupported(_)));
    let which = Fault { resource_id: None, ..cut(None) };
    assert!(matches!(refused(&mut row, which), crate::driver::DriverError::Refused { .. }), "b has two links");
    assert!(matches!(refused(&mut row, cut(Some("west"))), crate::driver::DriverError::Refused { .. }));
    let nobody = StoreDrain { peer_km_id: id("x"), rate: 1.0 };
    let nobody = Fault { store_drain: Some(nobody), ..Fault::default() };
    assert!(matches!(refused(&mut row, nobody), crate::driver::DriverError::Refused { .. }));
    row.inject(B, Fault { duration: Some(10), ..cut(None) });
    row.pass(9);
    assert!(!row.alarms(A).is_empty());
    row.pass(4);
    assert_eq!((row.alarms(A), row.layer.faults(B)), (vec![], vec![]));
}

#[test]
fn what_it_reports_is_in_its_catalogue_and_about_its_own_resources() {
    let mut row = Row::relaying(100_000.0);
    row.pass(200);
    row.inject(A, Fault { relay_failure: Some(Ratio::default()), ..Fault::default() });
    row.inject(B, cut(None));
    row.pass(10);
    let mut measured = BTreeSet::new();
    for km in [A, B, C] {
        let link = QkdLinkReport {
            channel_state: ChannelState::Up,
            secret_key_rate: RATE,
            qber: Some(2.0),
            last_key: Some(at(1)),
        };
        let operational = row.layer.operational(km, &|_| Some(link.clone()));
        assert_eq!(operational.state.qkd_link.len(), [1, 2, 1][km]);
        let resources: BTreeSet<&str> = operational.resource.iter().map(|r| r.resource_id.as_str()).collect();
        assert_eq!(resources.len(), operational.resource.len(), "each once");
        let sample = row.layer.sample(km);
        assert!(!sample.conditions.is_empty());
        for reading in &sample.readings {
            assert!(QUANTITIES.iter().any(|q| q.identity == reading.quantity), "{reading:?}");
            assert!(resources.contains(reading.target.as_str()), "{reading:?}");
            assert!(reading.value.is_finite(), "{reading:?}");
            measured.insert(reading.quantity);
        }
        for condition in &sample.conditions {
            assert!(ALARM_TYPES.iter().any(|t| t.identity == condition.alarm_type), "{condition:?}");
            assert!(resources.contains(condition.resource.as_str()), "{condition:?}");
        }
    }
    row.clear(A);
    row.clear(B);
    row.configure(A, |config| config.application[0].maximum_rate = Some(100.0));
    row.pass(600);
    measured.extend(row.layer.sample(A).readings.iter().map(|reading| reading.quantity));
    let all: BTreeSet<&str> = QUANTITIES.iter().map(|quantity| quantity.identity).collect();
    assert_eq!(measured, all, "all that the catalogue has is measured");
}

/// As `Row::relaying`, where the two ends hold KSA-keys of their own.
fn holding(rate: f64) -> Row {
    let mut row = Row::relaying(rate);
    for (km, peer) in [(A, "c"), (C, "a")] {
        row.configure(km, |config| config.key_store.push(KeyStore::new(&id(peer), Purpose::Ksa)));
    }
    row
}

#[test]
fn ksa_keys_come_over_the_relay_and_outlast_its_failure() {
    let mut row = holding(20_000.0);
    let held = |row: &Row, km: usize| {
        let stores = row.state(km).key_store;
        stores.into_iter().find(|store| store.purpose == Purpose::Ksa).unwrap()
    };
    assert_eq!(row.alarms(A), ["key-supply-rejected 1", "key-store-exhausted c"], "a new store is empty");
    row.pass(5);
    let (a, c) = (held(&row, A), held(&row, C));
    assert_eq!((a.residual_bits, a.residual_keys, a.level), (c.residual_bits, c.residual_keys, Level::Ready));
    assert_eq!((row.alarms(A), row.alarms(C)), (vec![], vec![]));
    let kept = row.store(B, "c").residual_bits;
    assert!((1_999_000..2_020_000).contains(&kept), "relay leaves the threshold to the others: {kept}");
    let relayed = row.state(B).key_life_cycle.relayed;
    row.inject(B, crash());
    assert_eq!(row.alarms(A), ["km-link-failure a--b"], "the application still gets keys");
    row.pass(60);
    assert_eq!(row.alarms(A), ["km-link-failure a--b", "key-store-low c"]);
    let supplied = row.state(A).key_life_cycle.supplied;
    row.pass(60);
    assert_eq!(row.alarms(A), ["key-supply-rejected 1", "km-link-failure a--b", "key-store-exhausted c"]);
    assert!(row.state(A).key_life_cycle.supplied > supplied);
    row.clear(B);
    row.pass(10);
    assert!(row.state(B).key_life_cycle.relayed > 0 && relayed > 0, "what B counts begins anew with its restart");
    assert_eq!(row.alarms(B).len(), 2, "its stores gave more than they can spare: {:?}", row.alarms(B));
    row.configure(A, |config| config.application[0].enabled = false);
    row.pass(60);
    let of = |km: usize| row.records(km).into_iter().map(|record| record.keys).sum::<u64>();
    assert_eq!(of(A), of(C));
    assert!(row.records(B).iter().all(|record| record.usage == Use::Relay));
}
