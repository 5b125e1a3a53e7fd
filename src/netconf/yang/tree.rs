//! Instance data: an immutable tree whose parts are shared between versions.
//!
//! A clone costs one reference count. A change copies the containers and entries on its path; everything beside it is
//! shared with the version before. So a reader keeps a consistent datastore for as long as it likes and never locks.

use std::fmt;
use std::sync::Arc;

use imbl::OrdMap;

use super::defaults;
use super::schema::{NodeId, NodeKind, Schema};
use super::value::Value;

/// The data of one schema: a datastore, or the content of an RPC, action or notification.
#[derive(Clone)]
pub struct Tree {
    schema: Arc<Schema>,
    root: Inner,
}

/// The children of a container, list entry or of the whole tree, in schema order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Inner(Arc<Vec<Child>>);

/// All instances of one schema node under one parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    pub node: NodeId,
    /// Not set by anyone: in effect because it is the schema's default (RFC 6243).
    pub default: bool,
    pub content: Content,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    Leaf(Value),
    /// Sorted, unless the order is the user's (or it is state data).
    LeafList(Arc<Vec<Value>>),
    Container(Inner),
    List(List),
    /// The XML inside an anydata or anyxml element, self-contained.
    Any(Arc<str>),
}

/// The values of a list entry's keys, in the order of the `key` statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    One(Value),
    Many(Box<[Value]>),
}

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

impl Tree {
    pub fn new(schema: Arc<Schema>) -> Tree {
        Tree { schema, root: Inner::default() }
    }

    /// A datastore in which nothing is set: only the schema's defaults.
    pub fn initial(schema: Arc<Schema>) -> Tree {
        let mut root = Inner::default();
        defaults::complete(&schema, None, &mut root, defaults::Scope::Config);
        Tree { schema, root }
    }

    pub fn with_root(schema: Arc<Schema>, root: Inner) -> Tree {
        Tree { schema, root }
    }

    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    pub fn root(&self) -> &Inner {
        &self.root
    }

    pub fn root_mut(&mut self) -> &mut Inner {
        &mut self.root
    }

    pub fn is_empty(&self) -> bool {
        self.root.is_empty()
    }

    /// True where both are the same version, without a look at the data.
    pub fn same_version(&self, other: &Tree) -> bool {
        self.root.shares(&other.root)
    }

    /// The data of both. Where both have a leaf, `other`'s wins.
    pub fn merged(&self, other: &Tree) -> Tree {
        debug_assert!(Arc::ptr_eq(&self.schema, &other.schema), "trees of one schema");
        let mut root = self.root.clone();
        root.merge(&other.root);
        Tree { schema: self.schema.clone(), root }
    }

    /// The content at a path of names and key predicates, `/module:container/list[key='a'][other='b']/leaf`; None
    /// where nothing is. For tests, tools and look-ups that are not hot.
    pub fn get(&self, path: &str) -> Option<Content> {
        let steps = split_path(path)?;
        let mut inner = self.root.clone();
        let mut parent = None;
        let mut module = None;
        let count = steps.len();
        for (i, (name, predicates)) in steps.into_iter().enumerate() {
            let local = match name.split_once(':') {
                Some((prefix, local)) => {
                    module = Some(self.schema.module_by_name(prefix)?);
                    local
                }
                None => name,
            };
            let id = self.schema.child(parent, module?, local)?;
            parent = Some(id);
            let content = inner.get(id)?.content.clone();
            let content = match (&content, predicates.is_empty()) {
                (Content::List(list), false) => {
                    let node = self.schema.node(id);
                    let mut values = Vec::new();
                    for &key in &node.keys {
                        let name = self.schema.node(key).name.as_str();
                        let (_, text) = predicates.iter().find(|(k, _)| *k == name)?;
                        values.push(self.schema.value_json(key, text).ok()?);
                    }
                    Content::Container(list.get(&Key::new(values))?.clone())
                }
                _ => content,
            };
            if i + 1 == count {
                return Some(content);
            }
            inner = match content {
                Content::Container(inner) => inner,
                _ => return None,
            };
        }
        None
    }

    /// The leaf's value at a path as [`Tree::get`] takes it.
    pub fn value(&self, path: &str) -> Option<Value> {
        match self.get(path)? {
            Content::Leaf(value) => Some(value),
            _ => None,
        }
    }
}

impl PartialEq for Tree {
    fn eq(&self, other: &Tree) -> bool {
        self.root == other.root
    }
}

impl Inner {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Child> {
        self.0.iter()
    }

    pub fn get(&self, node: NodeId) -> Option<&Child> {
        self.position(node).ok().map(|i| &self.0[i])
    }

    /// The leaf's value.
    pub fn value(&self, node: NodeId) -> Option<&Value> {
        match &self.get(node)?.content {
            Content::Leaf(value) => Some(value),
            _ => None,
        }
    }

    /// The container's children.
    pub fn container(&self, node: NodeId) -> Option<&Inner> {
        match &self.get(node)?.content {
            Content::Container(inner) => Some(inner),
            _ => None,
        }
    }

    pub fn list(&self, node: NodeId) -> Option<&List> {
        match &self.get(node)?.content {
            Content::List(list) => Some(list),
            _ => None,
        }
    }

    pub fn contains(&self, node: NodeId) -> bool {
        self.position(node).is_ok()
    }

    /// Sets all instances of `node` at once.
    pub fn set(&mut self, node: NodeId, content: Content, default: bool) {
        let child = Child { node, default, content };
        let at = self.position(node);
        let children = Arc::make_mut(&mut self.0);
        match at {
            Ok(i) => children[i] = child,
            Err(i) => children.insert(i, child),
        }
    }

    pub fn remove(&mut self, node: NodeId) -> Option<Child> {
        let at = self.position(node).ok()?;
        Some(Arc::make_mut(&mut self.0).remove(at))
    }

    /// Takes the container's children out, to change them and put them back.
    pub fn remove_container(&mut self, node: NodeId) -> Option<Inner> {
        match self.remove(node)?.content {
            Content::Container(inner) => Some(inner),
            _ => None,
        }
    }

    /// The child to change in place; its path is copied if another version shares it.
    pub fn get_mut(&mut self, node: NodeId) -> Option<&mut Child> {
        let at = self.position(node).ok()?;
        Some(&mut Arc::make_mut(&mut self.0)[at])
    }

    /// The container's children, made (as a default) if there is none.
    pub fn container_mut(&mut self, node: NodeId) -> &mut Inner {
        if !matches!(self.get(node), Some(Child { content: Content::Container(_), .. })) {
            self.set(node, Content::Container(Inner::default()), true);
        }
        match self.get_mut(node) {
            Some(Child { content: Content::Container(inner), .. }) => inner,
            _ => unreachable!("set above"),
        }
    }

    /// The list's entries, made if there is none; remove them again if they stay empty.
    pub fn list_mut(&mut self, schema: &Schema, node: NodeId) -> &mut List {
        if !self.contains(node) {
            self.set(node, Content::List(List::new(schema, node)), false);
        }
        match self.get_mut(node) {
            Some(Child { content: Content::List(list), .. }) => list,
            _ => unreachable!("a list node has a list"),
        }
    }

    /// True where both are the same version.
    pub fn shares(&self, other: &Inner) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Takes over all of `other`; a leaf or anydata that both have becomes `other`'s.
    pub fn merge(&mut self, other: &Inner) {
        if self.shares(other) || other.is_empty() {
            return;
        }
        if self.is_empty() {
            *self = other.clone();
            return;
        }
        for theirs in other.iter() {
            let Some(ours) = self.get_mut(theirs.node) else {
                self.set(theirs.node, theirs.content.clone(), theirs.default);
                continue;
            };
            ours.default &= theirs.default;
            match (&mut ours.content, &theirs.content) {
                (Content::Container(a), Content::Container(b)) => a.merge(b),
                (Content::List(a), Content::List(b)) => a.merge(b),
                (a, b) => *a = b.clone(),
            }
        }
    }

    fn position(&self, node: NodeId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&node, |child| child.node)
    }
}

impl FromIterator<Child> for Inner {
    fn from_iter<I: IntoIterator<Item = Child>>(children: I) -> Inner {
        let mut children: Vec<Child> = children.into_iter().collect();
        children.sort_by_key(|child| child.node);
        Inner(Arc::new(children))
    }
}

impl Key {
    pub fn new(mut values: Vec<Value>) -> Key {
        match values.len() {
            1 => Key::One(values.remove(0)),
            _ => Key::Many(values.into_boxed_slice()),
        }
    }

    pub fn values(&self) -> &[Value] {
        match self {
            Key::One(value) => std::slice::from_ref(value),
            Key::Many(values) => values,
        }
    }

    /// The key of an entry; None if one of its key leafs is missing.
    pub fn of(schema: &Schema, list: NodeId, entry: &Inner) -> Option<Key> {
        let keys = &schema.node(list).keys;
        keys.iter().map(|&key| entry.value(key).cloned()).collect::<Option<Vec<_>>>().map(Key::new)
    }
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

    fn merge(&mut self, other: &List) {
        if let (List::Keyless(ours), List::Keyless(theirs)) = (&mut *self, other) {
            Arc::make_mut(ours).extend(theirs.iter().cloned());
            return;
        }
        for (key, theirs) in other.iter() {
            let Some(key) = key else { continue };
            match self.get_mut(key) {
                Some(ours) => ours.merge(theirs),
                None => self.insert(key.clone(), theirs.clone()),
            }
        }
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

/// A name of a path with its key predicates.
type PathStep<'p> = (&'p str, Vec<(&'p str, &'p str)>);

/// Splits `/a:b[k='v']/c` into names with their key predicates.
pub(super) fn split_path(path: &str) -> Option<Vec<PathStep<'_>>> {
    let mut steps = Vec::new();
    let mut rest = path.strip_prefix('/')?;
    loop {
        let end = rest.find(['/', '[']).unwrap_or(rest.len());
        let (name, mut after) = rest.split_at(end);
        let mut predicates = Vec::new();
        while let Some(inside) = after.strip_prefix('[') {
            let (key, value) = inside.split_once('=')?;
            let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
            let (value, behind) = value[1..].split_once(quote)?;
            let key = key.split_once(':').map_or(key, |(_, local)| local);
            predicates.push((key, value));
            after = behind.strip_prefix(']')?;
        }
        steps.push((name, predicates));
        match after.strip_prefix('/') {
            Some(next) => rest = next,
            None => return after.is_empty().then_some(steps),
        }
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter()).finish()
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Leaf(value) => value.fmt(f),
            Content::LeafList(values) => values.fmt(f),
            Content::Container(inner) => inner.fmt(f),
            Content::List(list) => list.fmt(f),
            Content::Any(text) => text.fmt(f),
        }
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(_, inner)| inner)).finish()
    }
}

#[cfg(test)]
mod tests;
