//! Instance data: an immutable tree whose parts are shared between versions.
//!
//! A clone costs one reference count. A change copies the containers and entries on its path; everything beside it is
//! shared with the version before. So a reader keeps a consistent datastore for as long as it likes and never locks.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::defaults;
use super::path::{InstancePath, Predicate};
use super::schema::{NodeId, Schema};
use super::value::Value;

mod list;
mod origin;

pub use list::{List, OrderedList, Place};
pub use origin::{Origin, Origins};

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
    /// None: that of the node around it, and of the intended configuration at the top. A list entry's is in its keys.
    /// Only the operational state datastore has others (RFC 8342 section 5.3.4); in state data it means nothing.
    pub origin: Option<Origin>,
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
        self.joined(other, None)
    }

    /// As [`Tree::merged`]; what comes from `other` alone is of that origin unless it has one of its own.
    pub fn merged_as(&self, other: &Tree, origin: Origin) -> Tree {
        self.joined(other, Some(origin))
    }

    fn joined(&self, other: &Tree, origin: Option<Origin>) -> Tree {
        debug_assert!(Arc::ptr_eq(&self.schema, &other.schema), "trees of one schema");
        let mut root = self.root.clone();
        root.merge(&self.schema, &other.root, origin);
        Tree { schema: self.schema.clone(), root }
    }

    /// The order of two instances in the document. Where an entry is not there, its key decides.
    pub fn document_order(&self, a: &InstancePath, b: &InstancePath) -> Ordering {
        let mut inner = Some(&self.root);
        for (a, b) in a.steps.iter().zip(&b.steps) {
            let order = a.node.cmp(&b.node).then_with(|| {
                let content = inner.and_then(|inner| inner.get(a.node)).map(|child| &child.content);
                match (&a.predicate, &b.predicate, content) {
                    (Predicate::Key(a), Predicate::Key(b), Some(Content::List(list))) => list.order(a, b),
                    (Predicate::Key(a), Predicate::Key(b), _) => a.cmp(b),
                    (Predicate::Value(a), Predicate::Value(b), Some(Content::LeafList(values))) if a != b => {
                        let place = |value: &Value| values.iter().position(|v| v == value);
                        place(a).cmp(&place(b))
                    }
                    (Predicate::Position(a), Predicate::Position(b), _) => a.cmp(b),
                    _ => Ordering::Equal,
                }
            });
            if order.is_ne() {
                return order;
            }
            inner = inner.and_then(|inner| match (&inner.get(a.node)?.content, &a.predicate) {
                (Content::List(list), Predicate::Key(key)) => list.get(key),
                (Content::Container(inner), _) => Some(inner),
                _ => None,
            });
        }
        a.steps.len().cmp(&b.steps.len())
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
        self.put(Child { node, default, origin: None, content });
    }

    fn put(&mut self, child: Child) {
        let at = self.position(child.node);
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

    /// Takes over all of `other`; a leaf or anydata that both have becomes `other`'s. What is new here gets `origin`.
    fn merge(&mut self, schema: &Schema, other: &Inner, origin: Option<Origin>) {
        if self.shares(other) || other.is_empty() {
            return;
        }
        if self.is_empty() && origin.is_none() {
            *self = other.clone();
            return;
        }
        for theirs in other.iter() {
            let origin = theirs.origin.or(origin);
            let Some(ours) = self.get_mut(theirs.node) else {
                self.put(Child { origin, ..theirs.clone() });
                continue;
            };
            let only_default = ours.default && !theirs.default;
            let replaced = match (&mut ours.content, &theirs.content) {
                (Content::Container(a), Content::Container(b)) => {
                    a.merge(schema, b, origin);
                    false
                }
                (Content::List(a), Content::List(b)) => {
                    a.merge(schema, theirs.node, b, origin);
                    false
                }
                // A value that both have stays what it was: it is the one asked for that is in use.
                (a, b) => {
                    let differs = *a != *b;
                    *a = b.clone();
                    differs
                }
            };
            if only_default || replaced {
                ours.origin = origin;
            }
            ours.default &= theirs.default;
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

#[cfg(test)]
mod tests;
