//! The relay diagnostic (Y.3804 clause 10.1.2 steps 3 and 4): from what a KM finds at itself and at its neighbours to a probable cause.

use super::model::{Hop, RelayCause};

#[cfg(test)]
mod tests;

/// What a diagnostic starts from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// The KM runs.
    pub runs: bool,
    /// It is enabled and in service.
    pub in_use: bool,
    /// It relays for others.
    pub relays: bool,
    /// Keys are lost in it.
    pub loses: bool,
    /// The route that was asked for and is not configured.
    pub unknown_route: Option<String>,
    /// The route that was asked for and is not in service.
    pub out_of_service: Option<String>,
    pub hops: Vec<HopEvidence>,
    /// What is the matter with the routes that begin here, by what the KMs along them answer.
    pub troubles: Vec<Trouble>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct HopEvidence {
    pub hop: Hop,
    /// A route or an application's keys go over it.
    pub used: bool,
    /// There is no key left to use.
    pub empty: bool,
    /// The KM that refuses by command: it, or its KM link, is disabled or out of service.
    pub refusal: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// This KM does not know the route.
    NoRoute(String),
    /// This KM does not relay by command.
    Disabled(String),
    /// Further along the route; in words.
    Elsewhere(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Keys that somebody wants relayed are not.
    pub relay_affected: bool,
    pub cause: RelayCause,
    /// Percent.
    pub confidence: f64,
    pub text: String,
}

/// From the nearest to the farthest: what fails here explains what fails beyond.
pub fn diagnose(evidence: &Evidence) -> Finding {
    use RelayCause as Cause;
    let wanted = evidence.hops.iter().any(|hop| hop.used);
    let say = |relay_affected, cause, confidence, text: String| Finding { relay_affected, cause, confidence, text };
    if let Some(route) = &evidence.unknown_route {
        return say(true, Cause::RouteMissing, 100.0, format!("there is no route {route}"));
    }
    if !evidence.runs {
        return say(true, Cause::KmFault, 100.0, "the key manager does not run".to_owned());
    }
    if !evidence.in_use || !evidence.relays {
        let text = "the key manager or its relay is disabled or out of service".to_owned();
        return say(wanted, Cause::RelayDisabled, 100.0, text);
    }
    if evidence.loses {
        return say(true, Cause::KmFault, 90.0, "keys are lost in this key manager".to_owned());
    }
    if let Some(route) = &evidence.out_of_service {
        return say(true, Cause::RelayDisabled, 100.0, format!("the route {route} is not in service"));
    }
    // Hops that are used first: the others explain nothing that anybody misses.
    let mut hops: Vec<&HopEvidence> = evidence.hops.iter().collect();
    hops.sort_by_key(|hop| !hop.used);
    let find = |sick: fn(&HopEvidence) -> bool| hops.iter().find(|hop| sick(hop));
    if let Some(hop) = find(|hop| hop.refusal.is_some()) {
        let text =
            format!("{} or its KM link is disabled or out of service", hop.refusal.as_deref().unwrap_or_default());
        return say(hop.used, Cause::RelayDisabled, 95.0, text);
    }
    if let Some(hop) = find(|hop| !hop.hop.reachable) {
        return say(hop.used, Cause::NextHopUnreachable, 95.0, format!("{} does not answer", hop.hop.peer_km_id));
    }
    if let Some(hop) = find(|hop| hop.hop.keys_match == Some(false)) {
        let text = format!("{} and this key manager do not hold the same keys", hop.hop.peer_km_id);
        // Relay goes on with the keys that both have, as long as there are some.
        return say(hop.used && hop.empty, Cause::KeyMismatch, 95.0, text);
    }
    if let Some(hop) = find(|hop| hop.empty) {
        return say(hop.used, Cause::KeyStoreEmpty, 95.0, format!("no key is left for {}", hop.hop.peer_km_id));
    }
    match evidence.troubles.first() {
        Some(Trouble::NoRoute(at)) => say(true, Cause::RouteMissing, 90.0, format!("{at} does not know the route")),
        Some(Trouble::Disabled(at)) => say(true, Cause::RelayDisabled, 90.0, format!("{at} does not relay")),
        Some(Trouble::Elsewhere(text)) => {
            let text = format!("the hops of this key manager are sound, but further on {text}");
            say(true, Cause::Undetermined, 70.0, text)
        }
        None => say(false, Cause::NoFaultFound, 95.0, format!("{} hops are sound", evidence.hops.len())),
    }
}
