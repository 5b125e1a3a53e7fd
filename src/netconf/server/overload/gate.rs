//! A number of places, given out in turn, and first to the user who holds the fewest.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::oneshot;

/// No place, and none in time or no room to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Places that requests hold while they cost something.
#[derive(Debug)]
pub struct Gate {
    places: usize,
    waiting: usize,
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Places held, by user; nobody with none.
    held: BTreeMap<Arc<str>, usize>,
    taken: usize,
    queue: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    user: Arc<str>,
    /// Closed where whoever waited has gone.
    turn: oneshot::Sender<Place>,
}

/// One place; given back when dropped.
#[derive(Debug)]
pub struct Place {
    user: Arc<str>,
    /// None where it is given back already.
    gate: Option<Arc<Gate>>,
}

impl Gate {
    /// Of so many places, for which so many may wait so long.
    pub fn new(places: usize, waiting: usize, patience: Duration) -> Arc<Self> {
        Arc::new(Gate { places, waiting, patience, state: Mutex::default() })
    }

    /// A place of this user's. Cancelled, it has taken none.
    pub async fn enter(self: &Arc<Self>, user: &Arc<str>) -> Result<Place, Full> {
        let turn = {
            let mut state = self.lock();
            if state.taken < self.places {
                return Ok(self.seat(&mut state, user.clone()));
            }
            if state.queue.len() >= self.waiting {
                state.queue.retain(|waiting| !waiting.turn.is_closed());
            }
            if state.queue.len() >= self.waiting {
                return Err(Full);
            }
            let (turn, comes) = oneshot::channel();
            state.queue.push_back(Waiting { user: user.clone(), turn });
            comes
        };
        match tokio::time::timeout(self.patience, turn).await {
            Ok(place) => Ok(place.expect("a turn is kept in the queue until it comes")),
            Err(_) => Err(Full),
        }
    }

    /// Who waits, those who have gone included.
    #[cfg(test)]
    pub(super) fn queue(&self) -> usize {
        self.lock().queue.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }

    fn seat(self: &Arc<Self>, state: &mut State, user: Arc<str>) -> Place {
        state.taken += 1;
        *state.held.entry(user.clone()).or_default() += 1;
        Place { user, gate: Some(self.clone()) }
    }

    fn leave(self: &Arc<Self>, user: &Arc<str>) {
        let mut state = self.lock();
        state.unseat(user);
        while state.taken < self.places {
            let Some(next) = state.next() else { return };
            if let Err(mut place) = next.turn.send(self.seat(&mut state, next.user)) {
                // Gone: the place must not try to give itself back under this lock.
                place.gate = None;
                state.unseat(&place.user);
            }
        }
    }
}

impl State {
    fn unseat(&mut self, user: &Arc<str>) {
        self.taken -= 1;
        let held = self.held.get_mut(user).expect("held until now");
        *held -= 1;
        if *held == 0 {
            self.held.remove(user);
        }
    }

    /// The first in the queue of those whose user holds the fewest places.
    fn next(&mut self) -> Option<Waiting> {
        let holds = |waiting: &Waiting| self.held.get(&waiting.user).copied().unwrap_or(0);
        let (at, _) = self.queue.iter().enumerate().min_by_key(|(_, waiting)| holds(waiting))?;
        self.queue.remove(at)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.leave(&self.user);
        }
    }
}
