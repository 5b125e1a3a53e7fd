//! Ports for a demonstration that is given none: free once, outside of those that the system gives out, and kept.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;

/// What Linux gives out where it does not say (ip(7), ip_local_port_range).
const GIVEN_OUT: RangeInclusive<u16> = 32_768..=60_999;

/// Ports are picked from here on: well-known servers are below.
const LOWEST: u16 = 20_000;

/// Places that are tried.
const ATTEMPTS: u64 = 200;

/// The manager's port, and the first agent's; 0: each agent has its own from an earlier start.
#[derive(Debug, PartialEq)]
pub(super) struct Ports {
    pub(super) manager: u16,
    pub(super) agents: u16,
}

impl Ports {
    /// Those that were asked for (`base`, unless 0), or those of an earlier start, or `count` free ones in sequence. One of an earlier
    /// start that is taken is an error and not picked anew: the manager, the controller and whoever wrote them down would go on to
    /// where now somebody else listens. Nobody is there by chance, because the system gives these out to no outgoing connection.
    /// `starts` tells of each, the manager's first, whether this demonstration listens there itself; another program may be the agent.
    pub(super) fn choose(base: u16, earlier: Option<u16>, starts: &[bool]) -> Result<Ports, String> {
        let count = starts.len();
        let given_out = given_out();
        let manager = match (base, earlier) {
            (0, Some(kept)) if given_out.contains(&kept) => return Ok(Ports { manager: kept, agents: 0 }),
            (0, Some(kept)) => {
                let ours =
                    |ports: RangeInclusive<u16>| ports.zip(starts).filter(|(_, starts)| **starts).map(|(port, _)| port);
                if let Some(port) = sequence(kept, count).and_then(|ports| ours(ports).find(|port| !is_free(*port))) {
                    return Err(format!(
                        "port {port}, which this demo had at its first start, is taken by another program: end that one, or use another --dir"
                    ));
                }
                kept
            }
            (0, None) => pick(&given_out, count)?,
            (base, _) => base,
        };
        Ok(Ports { manager, agents: manager.saturating_add(1) })
    }
}

fn pick(given_out: &RangeInclusive<u16>, count: usize) -> Result<u16, String> {
    // At random, so that two that start together, and two that take turns, do not meet.
    let random = RandomState::new();
    let below = u64::from(given_out.start().saturating_sub(LOWEST));
    let above = u64::from(u16::MAX - given_out.end().max(&LOWEST));
    let attempt = |number: u64| {
        let at = random.hash_one(number) % (below + above).max(1);
        let first = if at < below { u64::from(LOWEST) + at } else { u64::from(*given_out.end()) + 1 + at - below };
        let first = u16::try_from(first).ok()?;
        let mut ports = sequence(first, count)?;
        ports.all(|port| !given_out.contains(&port) && is_free(port)).then_some(first)
    };
    (0..ATTEMPTS).find_map(attempt).ok_or_else(|| {
        format!(
            "no {count} free ports in sequence outside of {} to {}: give --port-base",
            given_out.start(),
            given_out.end()
        )
    })
}

/// None where so many do not fit.
fn sequence(first: u16, count: usize) -> Option<RangeInclusive<u16>> {
    let last = usize::from(first).checked_add(count.checked_sub(1)?)?;
    Some(first..=u16::try_from(last).ok()?)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// What the system gives out to outgoing connections and to who asks for any port.
fn given_out() -> RangeInclusive<u16> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ports = text.split_whitespace().map_while(|port| port.parse().ok());
    ports.next().zip(ports.next()).map_or(GIVEN_OUT, |(first, last)| first..=last)
}

#[cfg(test)]
mod tests;
