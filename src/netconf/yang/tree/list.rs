//! The entries of a list, in the system's order or the user's (RFC 7950 section 7.8).

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use super::{Inner, Key, Origin};
use crate::yang::schema::{NodeId, NodeKind, Schema};

/// The entries of a list, never empty inside a tree.
#[derive(Clone, PartialEq, Eq)]
pub enum List {
    /// Ordered by the system: by key.
    Sorted(OrdMap<Key, Inner>),
    /// Ordered by the user.
    Ordered(Box<OrderedList>),
    /// Without keys, in the order given.
    Keyless(Arc<Vec<Inner>>),
}

/// Entries in an order that is the user's, with access by key.
#[derive(Clone, Default)]
pub struct OrderedList {
    entries: OrdMap<u64, (Key, Inner)>,
    ranks: OrdMap<Key, u64>,
}

/// Where an entry of a list or leaf-list ordered by the user goes (RFC 7950 section 7.8.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place<K> {
    First,
    Last,
    Before(K),
    After(K),
}

impl List {
    /// An empty list of the right kind.
    pub fn new(schema: &Schema, node: NodeId) -> List {
        let node = schema.node(node);
        debug_assert_eq!(node.kind, NodeKind::List);
        if node.keys.is_empty() {
            List::Keyless(Arc::default())
        } else if node.user_ordered {
            List::Ordered(Box::default())
        } else {
            List::Sorted(OrdMap::new())
        }
    }

    pub fn len(&self) -> usize {
        match self {
            List::Sorted(entries) => entries.len(),
            List::Ordered(list) => list.entries.len(),
            List::Keyless(entries) => entries.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, key: &Key) -> Option<&Inner> {
        match self {
            List::Sorted(entries) => entries.get(key),
            List::Ordered(list) => list.ranks.get(key).and_then(|rank| list.entries.get(rank)).map(|(_, inner)| inner),
            List::Keyless(_) => None,
        }
    }

    /// The entry with the key that stands with it.
    pub fn entry(&self, key: &Key) -> Option<(&Key, &Inner)> {
        match self {
            List::Sorted(entries) => entries.get_key_value(key),
            List::Ordered(list) => {
                list.ranks.get(key).and_then(|rank| list.entries.get(rank)).map(|(key, inner)| (key, inner))
            }
            List::Keyless(_) => None,
        }
    }

    /// The order of two entries of the list.
    pub fn order(&self, a: &Key, b: &Key) -> Ordering {
        match self {
            List::Ordered(list) => list.ranks.get(a).cmp(&list.ranks.get(b)),
            List::Sorted(_) | List::Keyless(_) => a.cmp(b),
        }
    }

    pub fn get_mut(&mut self, key: &Key) -> Option<&mut Inner> {
        match self {
            List::Sorted(entries) => entries.get_mut(key),
            List::Ordered(list) => {
                let rank = list.ranks.get(key)?;
                list.entries.get_mut(rank).map(|(_, inner)| inner)
            }
            List::Keyless(_) => None,
        }
    }

    /// Adds or replaces an entry; a new one goes last where the user orders. A keyless list only grows.
    pub fn insert(&mut self, key: Key, entry: Inner) {
        match self {
            List::Sorted(entries) => {
                entries.insert(key, entry);
            }
            List::Ordered(list) => match list.ranks.get(&key) {
                Some(rank) => {
                    let rank = *rank;
                    list.entries.insert(rank, (key, entry));
                }
                None => list.place(key, entry, &Place::Last),
            },
            List::Keyless(entries) => Arc::make_mut(entries).push(entry),
        }
    }

    /// Adds an entry to a keyless list.
    pub fn push(&mut self, entry: Inner) {
        if let List::Keyless(entries) = self {
            Arc::make_mut(entries).push(entry);
        }
    }

    pub fn remove(&mut self, key: &Key) -> Option<Inner> {
        match self {
            List::Sorted(entries) => entries.remove(key),
            List::Ordered(list) => {
                let rank = list.ranks.remove(key)?;
                list.entries.remove(&rank).map(|(_, inner)| inner)
            }
            List::Keyless(_) => None,
        }
    }

    /// Inserts or moves an entry of a list ordered by the user. False if the anchor is not there.
    pub fn place(&mut self, key: Key, entry: Inner, place: &Place<Key>) -> bool {
        let List::Ordered(list) = self else {
            self.insert(key, entry);
            return true;
        };
        if let Place::Before(anchor) | Place::After(anchor) = place
            && (!list.ranks.contains_key(anchor) || *anchor == key)
        {
            return false;
        }
        if let Some(rank) = list.ranks.remove(&key) {
            list.entries.remove(&rank);
        }
        list.place(key, entry, place);
        true
    }

    /// Entries in order. A keyless entry has no key.
    pub fn iter(&self) -> Box<dyn Iterator<Item = (Option<&Key>, &Inner)> + '_> {
        match self {
            List::Sorted(entries) => Box::new(entries.iter().map(|(key, inner)| (Some(key), inner))),
            List::Ordered(list) => Box::new(list.entries.values().map(|(key, inner)| (Some(key), inner))),
            List::Keyless(entries) => Box::new(entries.iter().map(|inner| (None, inner))),
        }
    }

    /// Entries in order from the one with that key on; none where there is no such entry.
    pub fn iter_from<'l>(&'l self, key: &'l Key) -> Box<dyn Iterator<Item = (Option<&'l Key>, &'l Inner)> + 'l> {
        match self {
            List::Sorted(entries) => Box::new(entries.range::<_, Key>(key..).map(|(key, inner)| (Some(key), inner))),
            List::Ordered(list) => match list.ranks.get(key) {
                Some(&rank) => Box::new(list.entries.range(rank..).map(|(_, (key, inner))| (Some(key), inner))),
                None => Box::new(std::iter::empty()),
            },
            List::Keyless(_) => Box::new(std::iter::empty()),
        }
    }

    /// The key of the entry just before that of `key`.
    pub fn before(&self, key: &Key) -> Option<Key> {
        match self {
            List::Sorted(entries) => entries.get_prev(key).filter(|(k, _)| *k != key).map(|(k, _)| k.clone()),
            List::Ordered(list) => {
                let rank = *list.ranks.get(key)?;
                list.entries.range(..rank).next_back().map(|(_, (key, _))| key.clone())
            }
            List::Keyless(_) => None,
        }
    }

    pub(super) fn merge(&mut self, schema: &Schema, node: NodeId, other: &List, origin: Option<Origin>) {
        if let (List::Keyless(ours), List::Keyless(theirs)) = (&mut *self, other) {
            Arc::make_mut(ours).extend(theirs.iter().cloned());
            return;
        }
        let keys = &schema.node(node).keys;
        for (key, theirs) in other.iter() {
            let Some(key) = key else { continue };
            match self.get_mut(key) {
                Some(ours) => ours.merge(schema, theirs, theirs.entry_origin(keys).or(origin)),
                None => {
                    let mut entry = theirs.clone();
                    if let Some(origin) = origin {
                        entry.stamp_entry(keys, origin);
                    }
                    self.insert(key.clone(), entry);
                }
            }
        }
    }
}

/// An entry that differs between two versions of a list: its key, and what it was and is.
pub type EntryChange<'l> = (&'l Key, Option<&'l Inner>, Option<&'l Inner>);

impl OrderedList {
    /// What differs in `new`: first the entries that are gone, then new, changed and moved ones in its order. An entry that
    /// has moved is there on both sides, even if it is the same. What both share is not looked at.
    pub fn changes<'l>(&'l self, new: &'l OrderedList) -> Vec<EntryChange<'l>> {
        let (mut old_places, mut new_places) = (Vec::new(), Vec::new());
        for item in self.entries.diff(&new.entries) {
            match item {
                DiffItem::Add(_, entry) => new_places.push(entry),
                DiffItem::Remove(_, entry) => old_places.push(entry),
                DiffItem::Update { old: (_, old), new: (_, new) } => {
                    old_places.push(old);
                    new_places.push(new);
                }
            }
        }
        let before: HashMap<&Key, &Inner> = old_places.iter().map(|(key, inner)| (key, inner)).collect();
        let gone = old_places.iter().filter(|(key, _)| !new.ranks.contains_key(key));
        let gone = gone.map(|(key, inner)| (key, Some(inner), None));
        gone.chain(new_places.iter().map(|(key, inner)| (key, before.get(key).copied(), Some(inner)))).collect()
    }
}

/// Room between neighbours: 32 insertions at one place before all ranks are dealt again.
const RANK_GAP: u64 = 1 << 32;

impl OrderedList {
    fn place(&mut self, key: Key, entry: Inner, place: &Place<Key>) {
        let rank = match self.rank_for(place) {
            Some(rank) => rank,
            None => {
                self.deal_ranks();
                self.rank_for(place).expect("neighbours are a gap apart after dealing")
            }
        };
        self.ranks.insert(key.clone(), rank);
        self.entries.insert(rank, (key, entry));
    }

    /// A free rank at that place; None where the neighbours leave no room.
    fn rank_for(&self, place: &Place<Key>) -> Option<u64> {
        let first = self.entries.get_min().map(|(rank, _)| *rank);
        let last = self.entries.get_max().map(|(rank, _)| *rank);
        let (below, above) = match place {
            Place::Last => (last, None),
            Place::First => (None, first),
            Place::Before(anchor) => {
                let rank = *self.ranks.get(anchor)?;
                (self.entries.range(..rank).next_back().map(|(r, _)| *r), Some(rank))
            }
            Place::After(anchor) => {
                let rank = *self.ranks.get(anchor)?;
                (Some(rank), self.entries.range(rank + 1..).next().map(|(r, _)| *r))
            }
        };
        match (below, above) {
            (None, None) => Some(u64::MAX / 2),
            (Some(below), None) => below.checked_add(RANK_GAP),
            (None, Some(above)) => above.checked_sub(RANK_GAP),
            (Some(below), Some(above)) if above - below >= 2 => Some(below + (above - below) / 2),
            _ => None,
        }
    }

    fn deal_ranks(&mut self) {
        let middle = u64::MAX / 2 - (self.entries.len() as u64 / 2) * RANK_GAP;
        let entries: Vec<(Key, Inner)> = self.entries.values().cloned().collect();
        self.entries = OrdMap::new();
        self.ranks = OrdMap::new();
        for (i, (key, inner)) in entries.into_iter().enumerate() {
            let rank = middle + i as u64 * RANK_GAP;
            self.ranks.insert(key.clone(), rank);
            self.entries.insert(rank, (key, inner));
        }
    }
}

impl PartialEq for OrderedList {
    fn eq(&self, other: &OrderedList) -> bool {
        self.entries.len() == other.entries.len() && self.entries.values().eq(other.entries.values())
    }
}

impl Eq for OrderedList {}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(_, inner)| inner)).finish()
    }
}
