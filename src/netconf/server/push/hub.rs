//! Who is to be woken when state changes: the subscriptions whose selection reaches what a provider reports.

use std::sync::{Arc, Mutex, Weak};

use tokio::sync::Notify;

use crate::yang::filter::Selection;
use crate::yang::path::InstancePath;

/// All that want to hear of changes of operational state.
#[derive(Debug, Default)]
pub struct Hub(Mutex<Vec<Weak<Interest>>>);

/// What one subscription wants to hear of.
#[derive(Debug)]
pub struct Interest {
    selection: Selection,
    /// Keeps one wake-up, so changes that come together are looked at once.
    woken: Notify,
}

impl Interest {
    /// Waits until something that is selected has changed since the last call. Cancelled, it has lost nothing.
    pub async fn changed(&self) {
        self.woken.notified().await;
    }
}

impl Hub {
    /// Held for as long as the [`Interest`] is.
    pub fn register(&self, selection: Selection) -> Arc<Interest> {
        let interest = Arc::new(Interest { selection, woken: Notify::new() });
        let mut all = self.0.lock().expect("no panic holds it");
        all.retain(|interest| interest.strong_count() > 0);
        all.push(Arc::downgrade(&interest));
        interest
    }

    /// State at or below these nodes has changed.
    pub fn changed(&self, paths: &[InstancePath]) {
        let all = self.0.lock().expect("no panic holds it");
        for interest in all.iter().filter_map(Weak::upgrade) {
            let reached = |path: &InstancePath| path.last().is_none_or(|step| interest.selection.reaches(step.node));
            if paths.iter().any(reached) {
                interest.woken.notify_one();
            }
        }
    }
}
