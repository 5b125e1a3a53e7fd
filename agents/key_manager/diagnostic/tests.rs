//! Which evidence leads to which cause, and which of several comes first.

use super::*;

fn hop(peer: &str, used: bool) -> HopEvidence {
    let hop = Hop {
        peer_km_id: peer.to_owned(),
        reachable: true,
        delay: Some(1.0),
        residual_bits: Some(5_000_000),
        keys_match: Some(true),
    };
    HopEvidence { hop, used, empty: false, refusal: None }
}

fn sound() -> Evidence {
    Evidence {
        runs: true,
        in_use: true,
        relays: true,
        hops: vec![hop("b", false), hop("c", true)],
        ..Evidence::default()
    }
}

#[test]
fn the_nearest_cause_that_somebody_suffers_from_comes_first() {
    use RelayCause as Cause;
    let found = |change: fn(&mut Evidence)| {
        let mut evidence = sound();
        change(&mut evidence);
        let Finding { cause, relay_affected, text, .. } = diagnose(&evidence);
        (cause, relay_affected, text)
    };
    let found_cause = |change| {
        let (cause, affected, _) = found(change);
        (cause, affected)
    };
    assert_eq!(found_cause(|_| ()), (Cause::NoFaultFound, false));
    assert_eq!(found_cause(|e| e.runs = false), (Cause::KmFault, true));
    assert_eq!(found_cause(|e| e.loses = true), (Cause::KmFault, true));
    assert_eq!(found_cause(|e| e.relays = false), (Cause::RelayDisabled, true));
    assert_eq!(found_cause(|e| e.hops[0].hop.reachable = false), (Cause::NextHopUnreachable, false));
    assert_eq!(found_cause(|e| e.hops[1].hop.reachable = false), (Cause::NextHopUnreachable, true));
    assert_eq!(found_cause(|e| e.hops[1].empty = true), (Cause::KeyStoreEmpty, true));
    assert_eq!(found_cause(|e| e.hops[1].hop.keys_match = Some(false)), (Cause::KeyMismatch, false));
    assert_eq!(found_cause(|e| e.hops[1].refusal = Some("c".to_owned())), (Cause::RelayDisabled, true));
    assert_eq!(found_cause(|e| e.unknown_route = Some("r".to_owned())), (Cause::RouteMissing, true));
    assert_eq!(found_cause(|e| e.troubles = vec![Trouble::NoRoute("d".to_owned())]), (Cause::RouteMissing, true));
    let farther = |e: &mut Evidence| {
        e.troubles = vec![Trouble::Elsewhere("d does not answer".to_owned())];
        e.hops[1].empty = true;
    };
    assert_eq!(found_cause(farther), (Cause::KeyStoreEmpty, true));
    let (_, _, text) = found(|e| e.hops.iter_mut().for_each(|hop| hop.hop.reachable = false));
    assert_eq!(text, "c does not answer", "the hop that is used");
}
