//! How sessions share the threads: none keeps one for longer than a turn while others have something to do.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

/// How long a session that always has something to do works before others get a turn. Some tens of requests fit, so that
/// changing over costs nothing that could be measured; a hundred floods on two cores delay another's request by 25 ms.
const TURN: Duration = Duration::from_micros(500);

/// When a session's turn began.
#[derive(Debug)]
pub(super) struct Turn(Instant);

impl Default for Turn {
    fn default() -> Self {
        Turn(Instant::now())
    }
}

impl Turn {
    /// Lets others have a turn if this one is over.
    pub async fn pass(&mut self) {
        if self.0.elapsed() > TURN {
            tokio::task::yield_now().await;
            self.0 = Instant::now();
        }
    }
}

/// Does what may take a thread for long with other sessions on other threads. `long`: whether it may.
pub(super) async fn apart<F: Future>(long: bool, work: F) -> F::Output {
    // A runtime of one thread has no other.
    let long = long && Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
    let mut work = pin!(work);
    poll_fn(|cx| if long { tokio::task::block_in_place(|| work.as_mut().poll(cx)) } else { work.as_mut().poll(cx) })
        .await
}
