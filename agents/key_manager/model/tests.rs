//! Tests that the Rust values and the YANG model are the same thing.

use std::collections::BTreeMap;
use std::sync::Arc;

use netconf::server::base_modules;
use netconf::xml::{Document, Limits};
use netconf::yang::edit::read_config;
use netconf::yang::filter::Selection;
use netconf::yang::serde::{from_path, to_tree, tree_at};
use netconf::yang::write::{self, WithDefaults, WriteOptions};
use netconf::yang::{Schema, Tree};

use super::*;
use crate::fault::{self, Fault, FaultStatus, KmLinkFailure, ListOutput, Plain, Ratio, StoreDrain, StoreMismatch};
use crate::schema::agent_schema;

const EXAMPLE: &str = include_str!("../../../yang/examples/qkdn-mk.config.xml");

fn schema() -> Arc<Schema> {
    agent_schema(base_modules(Schema::builder()), &["qkdn-mk"], true).unwrap()
}

/// The KM's configuration with all that is in force.
fn in_force(tree: &Tree) -> String {
    let document = "<f><key-manager xmlns=\"urn:qkdn:yang:qkdn-mk\"/></f>";
    let document = Document::parse(document, &Limits::default()).unwrap();
    let what = Selection::from_subtree(tree.schema(), document.root()).unwrap();
    let options = WriteOptions { defaults: WithDefaults::ReportAll, ..WriteOptions::default() };
    let mut out = Vec::new();
    write::write(tree, &what, None, options, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn the_example_goes_through_the_rust_values_unchanged() {
    let schema = schema();
    let text = format!("<config>{}</config>", EXAMPLE.trim_start_matches("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"));
    let document = Document::parse(&text, &Limits::default()).unwrap();
    let tree = read_config(&schema, document.root()).unwrap();
    let config: Config = from_path(&tree, "/qkdn-mk:key-manager").unwrap().unwrap();
    assert_ne!(config, Config::default(), "the example says something");
    assert_eq!(config.rules().thresholds[0].qualifier, "key-relaying-delay");
    let back = tree_at(&schema, "/qkdn-mk:key-manager", &config).unwrap();
    assert_eq!(in_force(&back), in_force(&tree));
}

#[test]
fn the_defaults_are_those_of_the_model() {
    let initial = Tree::initial(schema());
    let config: Config = from_path(&initial, "/qkdn-mk:key-manager").unwrap().unwrap();
    assert_eq!(config, Config::default());
}

/// Each optional member set, so that each is written.
fn operational() -> Operational {
    let time = || "2027-01-15T08:00:00.000Z".to_owned();
    let id = |name: &str| format!("urn:qkdn:test:{name}");
    Operational {
        state: State {
            km_id: id("km:a"),
            oper_state: OperState::Degraded,
            boot_time: time(),
            last_change: time(),
            equipment: Equipment { vendor: "v".to_owned(), model: "m".to_owned(), ..Equipment::default() },
            km_link: vec![KmLinkState {
                name: "to-b".to_owned(),
                resource_id: id("km-link:a--b"),
                channel_state: ChannelState::Up,
                active_channel: Some("north".to_owned()),
                delay: Some(1.25),
            }],
            key_store: [Level::Ready, Level::Low, Level::Charging, Level::Empty]
                .into_iter()
                .enumerate()
                .map(|(place, level)| KeyStoreState {
                    peer_km_id: id(&format!("km:{place}")),
                    purpose: if place == 0 { Purpose::Ksa } else { Purpose::Kma },
                    resource_id: id("km:a:store:b"),
                    level,
                    residual_bits: u64::MAX,
                    residual_keys: 9765,
                    generation_rate: 1234.5678,
                    consumption_rate: 0.0,
                    time_to_empty: Some(7),
                    oldest_key_age: Some(0),
                })
                .collect(),
            qkd_link: vec![QkdLinkState {
                link_id: id("link:ab"),
                module_id: id("module:ab-tx"),
                channel_state: ChannelState::Degraded,
                secret_key_rate: 2.5,
                qber: Some(3.3),
                last_key: Some(time()),
            }],
            key_life_cycle: KeyLifeCycle { received: 1, preserved: 2, ..KeyLifeCycle::default() },
            security: Security { integrity_failures: 3, ..Security::default() },
        },
        resource: vec![Resource {
            resource_id: id("km:a"),
            description: "KM".to_owned(),
            kind: "qkdn-types:key-manager",
            parent: Some(id("node")),
            peer: Some(id("km:b")),
            admin_state: Some(AdminState::Enabled),
            service_state: Some(ServiceState::Standby),
            oper_state: OperState::Failed,
            last_change: Some(time()),
        }],
    }
}

#[test]
fn every_member_of_the_state_has_its_node() {
    let schema = schema();
    let tree = tree_at(&schema, "/qkdn-mk:key-manager", &operational()).unwrap();
    let written = in_force(&tree);
    // Both ways round: what the values have the model has, or it would not have been written; and what the model has the values have.
    for node in
        ["state", "state/km-link", "state/key-store", "state/qkd-link", "state/key-life-cycle", "state/security"]
    {
        let parent = schema.find(&format!("/qkdn-mk:key-manager/{node}")).unwrap();
        for child in schema.children(Some(parent)) {
            let name = &schema.node(*child).name;
            assert!(written.contains(&format!("<{name}>")), "{node}/{name} is not told: {written}");
        }
    }
}

#[test]
fn outcomes_and_actions_fit_their_rpcs() {
    let schema = schema();
    let write = |outcome: Outcome| {
        to_tree(&schema, &outcome).unwrap_or_else(|error| panic!("{outcome:?}: {error}"));
    };
    let time = || "2027-01-15T08:00:00.000Z".to_owned();
    use RelayCause::{
        KeyMismatch, KeyStoreEmpty, KmFault, NextHopUnreachable, NoFaultFound, RelayDisabled, RouteMissing,
        Undetermined,
    };
    for probable_cause in [
        NoFaultFound,
        Undetermined,
        NextHopUnreachable,
        KeyStoreEmpty,
        KeyMismatch,
        RouteMissing,
        RelayDisabled,
        KmFault,
    ] {
        let hop = Hop {
            peer_km_id: "urn:km:b".to_owned(),
            reachable: true,
            delay: Some(1.0),
            residual_bits: Some(1),
            keys_match: Some(false),
        };
        let output = DiagnosticOutput {
            km_id: "urn:km:a".to_owned(),
            started: time(),
            ended: time(),
            relay_affected: true,
            probable_cause,
            confidence: 95.0,
            text: "because".to_owned(),
            hop: vec![hop],
        };
        write(Outcome::RunRelayDiagnostic(Box::new(Answer { output })));
    }
    let record = |usage, sequence_number| MeteringRecord {
        sequence_number,
        start_time: time(),
        end_time: time(),
        usage,
        application_id: Some("urn:app:1".to_owned()),
        session_id: "1 2".to_owned(),
        peer_km_id: Some("urn:km:b".to_owned()),
        keys: 1,
        bits: 512,
        requests: 2,
        rejected: 1,
    };
    let record = vec![record(Use::Supply, 1), record(Use::Relay, 2)];
    let output = RecordsOutput { record, last_sequence_number: 2, oldest_sequence_number: Some(1) };
    write(Outcome::GetMeteringRecords(Answer { output }));
    use EventKind::{Deleted, Expired, Preserved, Received, Rejected, Relayed, Stored, Supplied};
    let kinds = [Received, Stored, Relayed, Supplied, Deleted, Preserved, Expired, Rejected];
    let event = kinds.into_iter().zip(1..).map(|(event, sequence_number)| KeyEvent {
        sequence_number,
        time: time(),
        key_id: "kma-0123456789abcdef-18446744073709551615".to_owned(),
        event,
        purpose: Purpose::Ksa,
        bits: 512,
        peer_id: Some("urn:km:b".to_owned()),
        route_id: Some("urn:route:1".to_owned()),
    });
    let output = EventsOutput { event: event.collect(), last_sequence_number: 8, oldest_sequence_number: None };
    write(Outcome::GetKeyEvents(Answer { output }));
    let plain = Some(Plain {});
    let peer_km_id = || "urn:km:b".to_owned();
    let faults = [
        Fault { km_crash: plain, resource_id: Some("urn:km:a".to_owned()), duration: Some(5), ..Fault::default() },
        Fault { km_link_failure: Some(KmLinkFailure { channel: Some("north".to_owned()) }), ..Fault::default() },
        Fault { relay_failure: Some(Ratio { ratio: 0.25 }), ..Fault::default() },
        Fault { store_mismatch: Some(StoreMismatch { peer_km_id: peer_km_id(), keys: 9 }), ..Fault::default() },
        Fault { store_drain: Some(StoreDrain { peer_km_id: peer_km_id(), rate: 1.5 }), ..Fault::default() },
        Fault { authentication_failure: plain, ..Fault::default() },
    ];
    for fault in &faults {
        let call = BTreeMap::from([("qkdn-simulation:inject-fault", Asked { input: fault })]);
        let tree = to_tree(&schema, &call).unwrap();
        let back: fault::Action = netconf::yang::serde::from_tree(&tree).unwrap();
        assert_eq!(back, fault::Action::InjectFault(Box::new(Call { input: fault.clone() })));
    }
    let fault = faults.into_iter().zip(1..).map(|(fault, number)| FaultStatus {
        fault_id: format!("fault-{number}"),
        injected: time(),
        injected_by: "tester".to_owned(),
        fault,
    });
    let listed = fault::Outcome::ListFaults(Answer { output: ListOutput { fault: fault.collect() } });
    to_tree(&schema, &listed).unwrap();
}

#[derive(Serialize)]
struct Asked<T> {
    input: T,
}
