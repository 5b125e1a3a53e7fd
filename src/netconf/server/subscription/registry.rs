//! The dynamic subscriptions of a server, whatever session they belong to, and what the operational state tells of them
//! (RFC 8639 section 2.8).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::Serialize;
use tokio::sync::Notify;

use super::state::State;
use super::terms::{Leafs, Terms};
use crate::yang::schema::Schema;
use crate::yang::serde::{SerdeError, tree_at};
use crate::yang::tree::Tree;

/// All dynamic subscriptions.
#[derive(Debug, Default)]
pub struct Registry(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    last_id: u32,
    open: BTreeMap<u32, Arc<Record>>,
}

/// What all may know of one subscription.
#[derive(Debug)]
pub struct Record {
    pub id: u32,
    /// Of the subscriber.
    pub session_id: u32,
    /// What the operational state calls the receiver.
    receiver: String,
    known: Mutex<Known>,
    pub sent: AtomicU64,
    pub excluded: AtomicU64,
    order: Mutex<Option<Order>>,
    ordered: Notify,
}

#[derive(Debug)]
struct Known {
    terms: Terms,
    state: State,
}

/// What others want of a subscription; its session carries it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The configured filters are others now.
    LookAtFilter,
    Kill,
}

impl Record {
    pub fn terms(&self) -> Terms {
        self.known().terms.clone()
    }

    pub fn set_terms(&self, terms: Terms) {
        self.known().terms = terms;
    }

    pub fn state(&self) -> State {
        self.known().state
    }

    pub fn set_state(&self, state: State) {
        self.known().state = state;
    }

    /// The next order; waits for one. Cancelled, it has lost nothing.
    pub async fn order(&self) -> Order {
        loop {
            let ordered = self.ordered.notified();
            if let Some(order) = self.take_order() {
                return order;
            }
            ordered.await;
        }
    }

    pub fn take_order(&self) -> Option<Order> {
        self.order.lock().expect("no panic holds it").take()
    }

    fn give(&self, order: Order) {
        let mut waiting = self.order.lock().expect("no panic holds it");
        // Nothing is left to do after a kill.
        if *waiting != Some(Order::Kill) {
            *waiting = Some(order);
        }
        drop(waiting);
        self.ordered.notify_one();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no panic holds it")
    }
}

/// A place in the registry, given up when dropped.
#[derive(Debug)]
pub struct Registration {
    registry: Arc<Registry>,
    record: Arc<Record>,
}

impl std::ops::Deref for Registration {
    type Target = Arc<Record>;

    fn deref(&self) -> &Arc<Record> {
        &self.record
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.table().open.remove(&self.record.id);
    }
}

impl Registry {
    pub fn register(self: &Arc<Self>, session_id: u32, receiver: String, terms: Terms) -> Registration {
        let mut table = self.table();
        // One id after the other, so that a late delete does not meet another's subscription.
        loop {
            table.last_id = table.last_id.checked_add(1).unwrap_or(1);
            if !table.open.contains_key(&table.last_id) {
                break;
            }
        }
        let record = Arc::new(Record {
            id: table.last_id,
            session_id,
            receiver,
            known: Mutex::new(Known { terms, state: State::Active }),
            sent: AtomicU64::new(0),
            excluded: AtomicU64::new(0),
            order: Mutex::new(None),
            ordered: Notify::new(),
        });
        table.open.insert(record.id, record.clone());
        Registration { registry: self.clone(), record }
    }

    /// A subscription of that session: others' do not exist for it.
    pub fn own(&self, id: u32, session_id: u32) -> Option<Arc<Record>> {
        self.get(id).filter(|record| record.session_id == session_id)
    }

    fn get(&self, id: u32) -> Option<Arc<Record>> {
        self.table().open.get(&id).cloned()
    }

    /// How many a session has.
    pub fn count(&self, session_id: u32) -> usize {
        self.table().open.values().filter(|record| record.session_id == session_id).count()
    }

    /// False where there is no such subscription.
    pub fn kill(&self, id: u32) -> bool {
        let found = self.get(id);
        found.iter().for_each(|record| record.give(Order::Kill));
        found.is_some()
    }

    /// Has all subscriptions by name look at their filters again.
    pub fn filters_changed(&self) {
        let records: Vec<Arc<Record>> = self.table().open.values().cloned().collect();
        records.iter().filter(|record| record.known().terms.names_a_filter()).for_each(|r| r.give(Order::LookAtFilter));
    }

    /// `/subscriptions`
    pub fn to_tree(&self, schema: &Arc<Schema>) -> Result<Tree, SerdeError> {
        #[derive(Serialize)]
        struct Listed {
            subscription: Vec<One>,
        }
        #[derive(Serialize)]
        struct One {
            id: u32,
            #[serde(flatten)]
            leafs: Leafs,
            receivers: Receivers,
        }
        #[derive(Serialize)]
        struct Receivers {
            receiver: [Receiver; 1],
        }
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        struct Receiver {
            name: String,
            sent_event_records: u64,
            excluded_event_records: u64,
            state: &'static str,
        }
        let records: Vec<Arc<Record>> = self.table().open.values().cloned().collect();
        let one = |record: &Arc<Record>| One {
            id: record.id,
            leafs: Leafs::of(&record.terms()),
            receivers: Receivers {
                receiver: [Receiver {
                    name: record.receiver.clone(),
                    sent_event_records: record.sent.load(Ordering::Relaxed),
                    excluded_event_records: record.excluded.load(Ordering::Relaxed),
                    state: if record.state() == State::Suspended { "suspended" } else { "active" },
                }],
            },
        };
        let listed = Listed { subscription: records.iter().map(one).collect() };
        tree_at(schema, "/ietf-subscribed-notifications:subscriptions", &listed)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().expect("no panic holds it")
    }
}
