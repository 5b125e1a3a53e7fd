//! The instances in which two versions differ, defaults included, with all below what only one of them has.

use std::collections::HashSet;

use imbl::ordmap::DiffItem;

use crate::yang::path::{InstancePath, Predicate};
use crate::yang::schema::NodeId;
use crate::yang::tree::{Child, Content, Inner, Key, List, Tree};
use crate::yang::value::Value;

/// One side of an instance that differs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side<'t> {
    pub data: Data<'t>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Data<'t> {
    /// A container, a list entry, or the whole tree.
    Inner(&'t Inner),
    /// A leaf, or one value of a leaf-list.
    Value(&'t Value),
    Any,
}

impl<'t> Side<'t> {
    pub fn inner(&self) -> Option<&'t Inner> {
        match self.data {
            Data::Inner(inner) => Some(inner),
            _ => None,
        }
    }

    pub fn value(&self) -> Option<&'t Value> {
        match self.data {
            Data::Value(value) => Some(value),
            _ => None,
        }
    }
}

pub(super) trait Visitor {
    /// Whether anything at or below instances of `node` matters.
    fn sees(&self, node: NodeId) -> bool;

    /// An instance that is in one version only, or differs in itself or below. Parents come before their children; the
    /// empty path is the whole tree. An entry that has only moved is given with both sides alike.
    fn visit(&mut self, path: &InstancePath, old: Option<Side<'_>>, new: Option<Side<'_>>);
}

/// Shows `visitor` what differs. What both versions share is not looked at.
pub(super) fn walk(old: &Tree, new: &Tree, visitor: &mut impl Visitor) {
    if old.same_version(new) {
        return;
    }
    let side = |tree| Some(Side { data: Data::Inner(tree) });
    let mut walk = Walk { path: InstancePath::default(), visitor };
    walk.instance(side(old.root()), side(new.root()));
}

struct Walk<'v, V> {
    path: InstancePath,
    visitor: &'v mut V,
}

impl<V: Visitor> Walk<'_, V> {
    /// The instance at `self.path`, and what is below it.
    fn instance(&mut self, old: Option<Side<'_>>, new: Option<Side<'_>>) {
        self.visitor.visit(&self.path, old, new);
        let mut olds = old.and_then(|s| s.inner()).map(Inner::iter).unwrap_or_default().peekable();
        let mut news = new.and_then(|s| s.inner()).map(Inner::iter).unwrap_or_default().peekable();
        loop {
            match (olds.peek(), news.peek()) {
                (Some(a), Some(b)) if a.node == b.node => self.child(olds.next(), news.next()),
                (Some(a), Some(b)) if a.node > b.node => self.child(None, news.next()),
                (Some(_), _) => self.child(olds.next(), None),
                (None, Some(_)) => self.child(None, news.next()),
                (None, None) => return,
            }
        }
    }

    fn child(&mut self, old: Option<&Child>, new: Option<&Child>) {
        let Some(either) = new.or(old) else { return };
        let node = either.node;
        if !self.visitor.sees(node) {
            return;
        }
        match (old.map(|c| &c.content), new.map(|c| &c.content)) {
            (Some(Content::List(a)), Some(Content::List(b))) => self.list(node, Some(a), Some(b)),
            (Some(Content::List(list)), None) => self.list(node, Some(list), None),
            (None, Some(Content::List(list))) => self.list(node, None, Some(list)),
            (Some(Content::LeafList(_)), _) | (_, Some(Content::LeafList(_))) => self.leaf_list(node, old, new),
            (Some(Content::Container(a)), Some(Content::Container(b))) if a.shares(b) => {}
            (Some(Content::Leaf(_) | Content::Any(_)), _) if old == new => {}
            _ => self.step(node, Predicate::None, old.map(side), new.map(side)),
        }
    }

    fn step(&mut self, node: NodeId, predicate: Predicate, old: Option<Side<'_>>, new: Option<Side<'_>>) {
        self.path.push(node, predicate);
        self.instance(old, new);
        self.path.pop();
    }

    fn entry(&mut self, node: NodeId, key: &Key, old: Option<&Inner>, new: Option<&Inner>) {
        let side = |inner| Side { data: Data::Inner(inner) };
        self.step(node, Predicate::Key(key.clone()), old.map(side), new.map(side));
    }

    fn list(&mut self, node: NodeId, old: Option<&List>, new: Option<&List>) {
        match (old, new) {
            (Some(List::Sorted(a)), Some(List::Sorted(b))) => {
                for item in a.diff(b) {
                    match item {
                        DiffItem::Add(key, entry) => self.entry(node, key, None, Some(entry)),
                        DiffItem::Remove(key, entry) => self.entry(node, key, Some(entry), None),
                        DiffItem::Update { old: (key, a), new: (_, b) } => self.entry(node, key, Some(a), Some(b)),
                    }
                }
            }
            (Some(List::Ordered(a)), Some(List::Ordered(b))) => {
                for (key, old, new) in a.changes(b) {
                    self.entry(node, key, old, new);
                }
            }
            // A list without keys is state, which is not validated here.
            _ => {
                for (key, entry) in old.into_iter().flat_map(List::iter) {
                    if let Some(key) = key {
                        self.entry(node, key, Some(entry), None);
                    }
                }
                for (key, entry) in new.into_iter().flat_map(List::iter) {
                    if let Some(key) = key {
                        self.entry(node, key, None, Some(entry));
                    }
                }
            }
        }
    }

    fn leaf_list(&mut self, node: NodeId, old: Option<&Child>, new: Option<&Child>) {
        fn values(child: Option<&Child>) -> (&[Value], bool) {
            match child {
                Some(Child { content: Content::LeafList(values), default, .. }) => (values, *default),
                _ => (&[], false),
            }
        }
        let ((old, was), (new, is)) = (values(old), values(new));
        let same = if was == is { old.iter().zip(new).take_while(|(a, b)| a == b).count() } else { 0 };
        let side = |value| Some(Side { data: Data::Value(value) });
        let mut gone: HashSet<&Value> = old[same..].iter().collect();
        for value in &new[same..] {
            let before = if gone.remove(value) { side(value) } else { None };
            self.step(node, Predicate::Value(value.clone()), before, side(value));
        }
        for value in old[same..].iter().filter(|value| gone.contains(value)) {
            self.step(node, Predicate::Value(value.clone()), side(value), None);
        }
    }
}

fn side(child: &Child) -> Side<'_> {
    let data = match &child.content {
        Content::Container(inner) => Data::Inner(inner),
        Content::Leaf(value) => Data::Value(value),
        _ => Data::Any,
    };
    Side { data }
}
