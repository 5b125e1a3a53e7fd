//! What a reader would be shown of a tree, as a tree: the same selection (RFC 6241 section 6) and access (RFC 8341) as in
//! a get, in the server's basic mode (RFC 6243), without writing it.

use super::{Level, Part, Rights, Scope, Walk};
use crate::yang::access::{Instance, ReadAccess};
use crate::yang::filter::Selection;
use crate::yang::schema::{NodeKind, Schema};
use crate::yang::tree::{Child, Content, Inner, List, Origin, Tree};

/// What `access` lets a reader see of what is selected; None may see everything. What is visible as a whole is shared
/// with `tree`, so that two such trees differ cheaply where the trees they were made of share most. An XPath selection
/// must have seen the tree ([`Selection::on`]).
pub fn prune(tree: &Tree, what: &Selection, access: Option<&dyn ReadAccess>) -> Tree {
    let mut unused = Vec::new();
    let mut walk = Walk { groups: what.groups(), access, ..Walk::new(tree.schema(), &mut unused) };
    let rights = if access.is_some() { Rights::Marks(0, 0) } else { Rights::Everything };
    let part = match walk.groups {
        None => Some(Part::All(super::UNBOUNDED)),
        Some(groups) => groups.root.and_then(|root| walk.part_of(&[root], tree.root(), rights)),
    };
    let root = match part {
        Some(part) => walk.visible(tree.root(), Scope { part, rights, origin: Origin::Intended }, false),
        None => Inner::default(),
    };
    Tree::with_root(tree.schema().clone(), root)
}

impl Walk<'_> {
    /// The visible children of a container or entry. An entry has its keys, whatever is selected.
    fn visible(&mut self, inner: &Inner, scope: Scope, entry: bool) -> Inner {
        if self.is_plain(scope) {
            return inner.clone();
        }
        let mut whole = true;
        let mut children = Vec::new();
        for child in inner.iter() {
            let seen = if entry && self.tags.get(child.node).key {
                Some(child.clone())
            } else {
                self.visible_child(child, scope)
            };
            match seen {
                Some(seen) => {
                    whole &= shares(&seen.content, &child.content);
                    children.push(seen);
                }
                None => whole = false,
            }
        }
        if whole { inner.clone() } else { children.into_iter().collect() }
    }

    fn visible_child(&mut self, child: &Child, scope: Scope) -> Option<Child> {
        let tag = self.tags.get(child.node);
        match &child.content {
            Content::Leaf(value) => {
                self.reports(child, tag, std::slice::from_ref(value))?;
                self.admits_leaf(child, value, scope).then(|| child.clone())
            }
            Content::Any(_) => self.admits_whole(child.node, scope).then(|| child.clone()),
            Content::LeafList(values) => {
                self.reports(child, tag, values)?;
                let seen: Vec<_> =
                    values.iter().filter(|value| self.admits_value(child.node, value, scope)).cloned().collect();
                match seen.len() {
                    0 => None,
                    all if all == values.len() => Some(child.clone()),
                    _ => Some(Child { content: Content::LeafList(seen.into()), ..child.clone() }),
                }
            }
            Content::Container(inner) => {
                let (groups_before, marks_before) = (self.active.len(), self.marks.len());
                let inside = self.admits_container(child.node, inner, scope);
                let seen = inside.map(|inside| (self.visible(inner, inside, false), inside));
                self.active.truncate(groups_before);
                self.marks.truncate(marks_before);
                let (seen, inside) = seen?;
                let told = says(self.schema, &seen) || tag.presence && inside.is_whole();
                told.then(|| Child { content: Content::Container(seen), ..child.clone() })
            }
            Content::List(list) => {
                let seen = self.visible_entries(child, list, scope);
                (!seen.is_empty()).then(|| Child { content: Content::List(seen), ..child.clone() })
            }
        }
    }

    fn visible_entries(&mut self, child: &Child, list: &List, scope: Scope) -> List {
        let nothing = List::new(self.schema, child.node);
        let before = self.active.len();
        let wanted = self.wants_of_entries(child.node, scope);
        if wanted.nothing() || self.hides(child.node, scope) {
            self.active.truncate(before);
            return nothing;
        }
        let at = super::instances::Entries {
            node: child.node,
            tag: self.tags.get(child.node),
            scope,
            level: Level { top: false, entry: false },
            index: 0,
            wanted,
            origin: Origin::Intended,
        };
        let seen = if matches!(list, List::Sorted(_)) && wanted.only_keyed() {
            let mut seen = nothing;
            for key in self.keys_wanted(child.node, scope) {
                let Some(entry) = list.get(key) else { continue };
                if let Some(entry) = self.visible_entry(&at, Some(key), 0, entry) {
                    seen.insert(key.clone(), entry);
                }
            }
            seen
        } else if let List::Keyless(entries) = list {
            let mut seen = nothing;
            for (n, entry) in entries.iter().enumerate() {
                if let Some(entry) = self.visible_entry(&at, None, n, entry) {
                    seen.push(entry);
                }
            }
            if seen == *list { list.clone() } else { seen }
        } else {
            // Begun with all of them, so that those seen whole stay shared.
            let mut seen = list.clone();
            for (n, (key, entry)) in list.iter().enumerate() {
                let Some(key) = key else { continue };
                match self.visible_entry(&at, Some(key), n, entry) {
                    Some(same) if same.shares(entry) => {}
                    Some(other) => {
                        if let Some(place) = seen.get_mut(key) {
                            *place = other;
                        }
                    }
                    None => drop(seen.remove(key)),
                }
            }
            seen
        };
        self.active.truncate(before);
        seen
    }

    fn visible_entry(
        &mut self,
        at: &super::instances::Entries,
        key: Option<&crate::yang::tree::Key>,
        n: usize,
        entry: &Inner,
    ) -> Option<Inner> {
        let (groups_before, marks_before) = (self.active.len(), self.marks.len());
        let inside = self.admits_entry(at, key, n, entry);
        let seen = inside.and_then(|inside| self.with_keys(entry, inside));
        self.active.truncate(groups_before);
        self.marks.truncate(marks_before);
        seen
    }

    /// An entry with a key that may not be read is nothing that may be shown.
    fn with_keys(&mut self, entry: &Inner, scope: Scope) -> Option<Inner> {
        let mut asked_for = scope.is_whole();
        for child in entry.iter() {
            let (true, Content::Leaf(value)) = (self.tags.get(child.node).key, &child.content) else { continue };
            let before = self.marks.len();
            self.may_read(child.node, Instance::Only, scope.rights)?;
            self.marks.truncate(before);
            asked_for |= self.wants_leaf(child.node, value, scope);
        }
        let seen = self.visible(entry, scope, true);
        let tags = self.tags;
        let told = asked_for || seen.iter().any(|child| !tags.get(child.node).key && tells(self.schema, child));
        told.then_some(seen)
    }
}

/// Whether a get would write anything of these nodes.
pub(in crate::yang) fn says(schema: &Schema, inner: &Inner) -> bool {
    inner.iter().any(|child| tells(schema, child))
}

fn tells(schema: &Schema, child: &Child) -> bool {
    let node = schema.node(child.node);
    match &child.content {
        Content::Container(inside) => {
            matches!(node.kind, NodeKind::Container { presence: true }) || says(schema, inside)
        }
        Content::List(list) => !list.is_empty(),
        _ => !child.default || !node.config,
    }
}

fn shares(a: &Content, b: &Content) -> bool {
    match (a, b) {
        (Content::Container(a), Content::Container(b)) => a.shares(b),
        (Content::List(List::Sorted(a)), Content::List(List::Sorted(b))) => a.ptr_eq(b),
        // A leaf was taken as it is; the rest is compared, which is cheap where it is the same.
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests;
