//! What changed between two versions of a tree.

use std::collections::{HashMap, HashSet};

use imbl::ordmap::DiffItem;

use super::path::{InstancePath, Predicate};
use super::schema::NodeId;
use super::tree::{Child, Content, Inner, Key, List, Tree};
use super::value::Value;

/// One node that differs. A created or deleted container or entry stands for all below it.
///
/// Default values are not data here: a leaf that gets a value in place of its default is created.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    pub path: InstancePath,
    pub change: Change,
    /// What was there; of a list entry or container, its children as a container.
    pub before: Option<Content>,
    pub after: Option<Content>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Create,
    /// A leaf or anydata has another value.
    Modify,
    Delete,
    /// An entry ordered by the user stands elsewhere.
    Move,
}

impl Edit {
    pub fn node(&self) -> NodeId {
        self.path.last().expect("an edit is of a node").node
    }
}

/// The edits that turn `old` into `new`, in document order. What both share is not looked at.
pub fn diff(old: &Tree, new: &Tree) -> Vec<Edit> {
    run(old, new, false)
}

/// The same with default nodes counted as data: what [`super::validate`] needs to follow a datastore.
pub(super) fn diff_with_defaults(old: &Tree, new: &Tree) -> Vec<Edit> {
    run(old, new, true)
}

fn run(old: &Tree, new: &Tree, defaults: bool) -> Vec<Edit> {
    let mut differ = Differ { defaults, path: InstancePath::default(), edits: Vec::new() };
    differ.inner(old.root(), new.root());
    differ.edits
}

struct Differ {
    defaults: bool,
    path: InstancePath,
    edits: Vec<Edit>,
}

impl Differ {
    fn push(
        &mut self,
        node: NodeId,
        predicate: Predicate,
        change: Change,
        before: Option<Content>,
        after: Option<Content>,
    ) {
        self.edits.push(Edit { path: self.path.child(node, predicate), change, before, after });
    }

    fn inner(&mut self, old: &Inner, new: &Inner) {
        if old.shares(new) {
            return;
        }
        let defaults = self.defaults;
        let mut olds = old.iter().filter(|c| !c.default || defaults).peekable();
        let mut news = new.iter().filter(|c| !c.default || defaults).peekable();
        loop {
            match (olds.peek(), news.peek()) {
                (Some(a), Some(b)) if a.node == b.node => {
                    self.both(a, b);
                    olds.next();
                    news.next();
                }
                (Some(a), Some(b)) if a.node > b.node => {
                    self.one(b, Change::Create);
                    news.next();
                }
                (Some(a), _) => {
                    self.one(a, Change::Delete);
                    olds.next();
                }
                (None, Some(b)) => {
                    self.one(b, Change::Create);
                    news.next();
                }
                (None, None) => return,
            }
        }
    }

    /// A child that only one side has.
    fn one(&mut self, child: &Child, change: Change) {
        // A default that appears is not set: whoever follows the datastore adds it by itself.
        if child.default && change == Change::Create {
            return;
        }
        let mut push = |predicate, content: Content| {
            let (before, after) = if change == Change::Create { (None, Some(content)) } else { (Some(content), None) };
            self.push(child.node, predicate, change, before, after);
        };
        match &child.content {
            Content::LeafList(values) => {
                for value in values.iter() {
                    push(Predicate::Value(value.clone()), Content::Leaf(value.clone()));
                }
            }
            Content::List(list) => {
                for (i, (key, entry)) in list.iter().enumerate() {
                    let predicate = match key {
                        Some(key) => Predicate::Key(key.clone()),
                        None => Predicate::Position(i + 1),
                    };
                    push(predicate, Content::Container(entry.clone()));
                }
            }
            content => push(Predicate::None, content.clone()),
        }
    }

    fn both(&mut self, old: &Child, new: &Child) {
        let node = old.node;
        if old.default != new.default && !matches!(old.content, Content::Container(_)) {
            return self
                .one(if new.default { old } else { new }, if new.default { Change::Delete } else { Change::Create });
        }
        match (&old.content, &new.content) {
            (Content::Container(a), Content::Container(b)) => {
                self.path.push(node, Predicate::None);
                self.inner(a, b);
                self.path.pop();
            }
            (Content::List(a), Content::List(b)) => self.list(node, a, b),
            (Content::LeafList(a), Content::LeafList(b)) => self.leaf_list(node, a, b),
            (a, b) if a == b => {}
            (a, b) => self.push(node, Predicate::None, Change::Modify, Some(a.clone()), Some(b.clone())),
        }
    }

    fn entry(&mut self, node: NodeId, key: &Key, old: &Inner, new: &Inner) {
        if !old.shares(new) {
            self.path.push(node, Predicate::Key(key.clone()));
            self.inner(old, new);
            self.path.pop();
        }
    }

    fn created(&mut self, node: NodeId, key: &Key, entry: &Inner) {
        let content = Content::Container(entry.clone());
        self.push(node, Predicate::Key(key.clone()), Change::Create, None, Some(content));
    }

    fn deleted(&mut self, node: NodeId, key: &Key, entry: &Inner) {
        let content = Content::Container(entry.clone());
        self.push(node, Predicate::Key(key.clone()), Change::Delete, Some(content), None);
    }

    fn list(&mut self, node: NodeId, old: &List, new: &List) {
        match (old, new) {
            (List::Sorted(a), List::Sorted(b)) => {
                let items: Vec<_> = a.diff(b).collect();
                for item in items {
                    match item {
                        DiffItem::Add(key, entry) => self.created(node, key, entry),
                        DiffItem::Remove(key, entry) => self.deleted(node, key, entry),
                        DiffItem::Update { old: (key, a), new: (_, b) } => self.entry(node, key, a, b),
                    }
                }
            }
            (List::Keyless(a), List::Keyless(b)) => {
                if a != b {
                    self.one(
                        &Child { node, default: false, origin: None, content: Content::List(old.clone()) },
                        Change::Delete,
                    );
                    self.one(
                        &Child { node, default: false, origin: None, content: Content::List(new.clone()) },
                        Change::Create,
                    );
                }
            }
            _ => {
                for (key, entry) in old.iter() {
                    if let Some(key) = key
                        && new.get(key).is_none()
                    {
                        self.deleted(node, key, entry);
                    }
                }
                let rank: HashMap<&Key, usize> =
                    old.iter().enumerate().filter_map(|(i, (key, _))| Some((key?, i))).collect();
                let common = new.iter().filter_map(|(key, _)| rank.get(key?).copied());
                let staying = longest_increasing(&common.collect::<Vec<_>>());
                for (key, entry) in new.iter() {
                    let Some(key) = key else { continue };
                    match (old.get(key), rank.get(key)) {
                        (Some(before), Some(at)) => {
                            if !staying.contains(at) {
                                let content = Some(Content::Container(entry.clone()));
                                self.push(node, Predicate::Key(key.clone()), Change::Move, content.clone(), content);
                            }
                            self.entry(node, key, before, entry);
                        }
                        _ => self.created(node, key, entry),
                    }
                }
            }
        }
    }

    fn leaf_list(&mut self, node: NodeId, old: &[Value], new: &[Value]) {
        if old == new {
            return;
        }
        let rank: HashMap<&Value, usize> = old.iter().enumerate().map(|(i, v)| (v, i)).collect();
        let kept: HashSet<&Value> = new.iter().collect();
        let leaf = |value: &Value| Some(Content::Leaf(value.clone()));
        for value in old.iter().filter(|v| !kept.contains(v)) {
            self.push(node, Predicate::Value(value.clone()), Change::Delete, leaf(value), None);
        }
        let staying = longest_increasing(&new.iter().filter_map(|v| rank.get(v).copied()).collect::<Vec<_>>());
        for value in new {
            let predicate = Predicate::Value(value.clone());
            match rank.get(value) {
                None => self.push(node, predicate, Change::Create, None, leaf(value)),
                Some(at) if !staying.contains(at) => {
                    self.push(node, predicate, Change::Move, leaf(value), leaf(value));
                }
                Some(_) => {}
            }
        }
    }
}

/// The members of a longest increasing subsequence: entries that keep their place when all others move.
fn longest_increasing(ranks: &[usize]) -> HashSet<usize> {
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; ranks.len()];
    for (i, &rank) in ranks.iter().enumerate() {
        let at = tails.partition_point(|&t| ranks[t] < rank);
        before[i] = at.checked_sub(1).map(|p| tails[p]);
        if at == tails.len() { tails.push(i) } else { tails[at] = i }
    }
    let mut found = HashSet::new();
    let mut at = tails.last().copied();
    while let Some(i) = at {
        found.insert(ranks[i]);
        at = before[i];
    }
    found
}

#[cfg(test)]
mod tests;
