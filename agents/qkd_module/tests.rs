//! A QKD link as the drivers of its two modules see it: what stops one end stops both, and both say so.

use jiff::Timestamp;

use super::SimulatedModule;
use super::catalogue::alarm_type;
use super::model::{Config, KeyGeneration};
use crate::driver::Driver;
use crate::fault::{Eavesdropper, Fault};
use crate::network::Network;
use crate::state::{OperState, ServiceState};
use crate::topology::Topology;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

async fn states(ends: &[SimulatedModule; 2], second: i64) -> [(OperState, KeyGeneration); 2] {
    let mut states = Vec::new();
    for end in ends {
        let state = end.state(at(second)).await.unwrap().state;
        states.push((state.oper_state, state.key_generation));
    }
    states.try_into().expect("a link has two ends")
}

async fn alarms(end: &SimulatedModule, second: i64) -> Vec<&'static str> {
    let sample = end.sample(at(second)).await.unwrap();
    sample.conditions.iter().map(|condition| condition.alarm_type).collect()
}

#[tokio::test]
async fn an_eavesdropped_link_stops_at_both_ends_and_comes_back() {
    use KeyGeneration::{Aborted, Running, Stopped};
    use OperState::{Down, Operational};
    let network = Network::new(&Topology::load("lab").unwrap(), at(0));
    let ends =
        ["tx", "rx"].map(|end| SimulatedModule::of(network.clone(), &format!("urn:qkdn:lab:module:ab-{end}")).unwrap());
    let made = |second| network.link("urn:qkdn:lab:link:ab", at(second)).unwrap().secret_bits;
    assert_eq!(states(&ends, 60).await, [(Operational, Running); 2]);

    let tapped = Fault { eavesdropper: Some(Eavesdropper { fraction: 1.0 }), ..Fault::default() };
    let fault_id = ends[1].inject(tapped, "tester", at(60)).await.unwrap();
    assert_eq!(states(&ends, 75).await, [(Down, Aborted); 2]);
    let (before, after) = (made(75), made(95));
    assert_eq!(before, after, "no key is made of what somebody listens to");
    for end in &ends {
        assert_eq!(alarms(end, 95).await, [alarm_type::QBER_ABORT, alarm_type::EAVESDROPPING_SUSPECTED]);
    }

    // The transmitter is taken out of service: its peer has nothing to make key from, and does not claim to work.
    let withdrawn = Config { service_state: ServiceState::OutOfService, ..Config::default() };
    ends[0].configure(withdrawn, at(96)).await.unwrap();
    ends[0].clear(Some(&fault_id), "tester", at(100)).await.unwrap();
    let (before, after) = (made(105), made(130));
    assert_eq!(before, after, "the light is sound again, and there is nobody to make key with");
    assert_eq!(states(&ends, 130).await, [(Down, Stopped); 2]);
    for end in &ends {
        assert_eq!(alarms(end, 130).await, [] as [&str; 0], "what is commanded is no fault");
    }

    ends[0].configure(Config::default(), at(131)).await.unwrap();
    assert_eq!(states(&ends, 132).await, [(Operational, Running); 2]);
    let (before, after) = (made(132), made(140));
    assert!(after > before, "{before}, {after}");
}
