//! Connections that have not logged in: a bounded number, from which a new one displaces an old one.
//!
//! To close the newest where there are too many would let anybody keep everybody out, by holding as many connections as there
//! are places. Here the address with the most connections gives up its oldest, or its newest where all of them are young
//! enough to be logging in: a crowd that comes at once is served one after another.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::seldom::Seldom;

/// A login takes some tens of milliseconds. A connection that is older is more likely to be idle than to be busy with it.
const YOUNG: Duration = Duration::from_millis(500);

/// The connections that have not logged in.
#[derive(Debug)]
pub struct Strangers {
    bound: usize,
    state: Mutex<State>,
    displaced: Seldom,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    /// In the order in which they came.
    here: BTreeMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    address: IpAddr,
    since: Instant,
    cut: CancellationToken,
}

/// One of them; dropped at its login, or its end.
#[derive(Debug)]
pub struct Stranger {
    number: u64,
    among: Arc<Strangers>,
}

impl Strangers {
    /// At most so many, and at least one.
    pub fn new(bound: usize) -> Arc<Self> {
        Arc::new(Strangers { bound: bound.max(1), state: Mutex::default(), displaced: Seldom::new() })
    }

    /// One more. `cut` is cancelled where it must make place for another.
    pub fn admit(self: &Arc<Self>, address: IpAddr, cut: CancellationToken) -> Stranger {
        self.admit_at(Instant::now(), address, cut)
    }

    fn admit_at(self: &Arc<Self>, now: Instant, address: IpAddr, cut: CancellationToken) -> Stranger {
        let mut state = self.lock();
        state.last += 1;
        let number = state.last;
        state.here.insert(number, Connection { address, since: now, cut });
        if state.here.len() > self.bound
            && let Some(displaced) = state.displace(now)
        {
            drop(state);
            displaced.cut.cancel();
            let from = displaced.address;
            if let Some(untold) = self.displaced.tell() {
                tracing::warn!(%from, untold, "connection closed: more than {} have not logged in", self.bound);
            }
        }
        Stranger { number, among: self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }
}

impl State {
    fn displace(&mut self, now: Instant) -> Option<Connection> {
        let mut numbers: HashMap<IpAddr, usize> = HashMap::new();
        for connection in self.here.values() {
            *numbers.entry(connection.address).or_default() += 1;
        }
        let most = numbers.values().copied().max()?;
        let crowd = |(_, connection): &(&u64, &Connection)| numbers[&connection.address] == most;
        let (&oldest, connection) = self.here.iter().find(crowd)?;
        if now.saturating_duration_since(connection.since) > YOUNG {
            return self.here.remove(&oldest);
        }
        let (&newest, _) = self.here.iter().rev().find(crowd)?;
        self.here.remove(&newest)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.among.lock().here.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of those that came, given by the last byte of the address and by the time in milliseconds, were displaced.
    fn displaced(bound: usize, came: &[(u8, u64)]) -> Vec<usize> {
        let (strangers, start) = (Strangers::new(bound), Instant::now());
        let cuts: Vec<CancellationToken> = came.iter().map(|_| CancellationToken::new()).collect();
        let here: Vec<Stranger> = came
            .iter()
            .zip(&cuts)
            .map(|(&(last, at), cut)| {
                strangers.admit_at(start + Duration::from_millis(at), [127, 0, 0, last].into(), cut.clone())
            })
            .collect();
        let displaced = (0..came.len()).filter(|at| cuts[*at].is_cancelled()).collect();
        drop(here);
        assert!(strangers.lock().here.is_empty(), "the places are free again");
        displaced
    }

    #[test]
    fn the_address_with_the_most_makes_place() {
        let idle = |came: &[u8]| came.iter().zip(0..).map(|(&last, at)| (last, at * 1000)).collect::<Vec<_>>();
        for (came, expected) in [
            (idle(&[1, 1, 1]), &[][..]),
            (idle(&[1, 1, 1, 1, 1]), &[0, 1]),
            // The second address keeps its one place, however many come from the first, and whenever.
            (idle(&[1, 1, 2, 1, 1, 1]), &[0, 1, 3]),
            (idle(&[2, 1, 1, 1, 1]), &[1, 2]),
            (idle(&[1, 2, 3, 4]), &[0]),
            // A crowd at once: those who came first are served; and of another's crowd the last makes place for one.
            (vec![(1, 0), (1, 0), (1, 0), (1, 1), (1, 1)], &[3, 4]),
            (vec![(1, 0), (1, 0), (1, 0), (2, 1)], &[2]),
        ] {
            assert_eq!(displaced(3, &came), expected, "{came:?}");
        }
    }
}
