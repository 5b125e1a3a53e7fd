//! The nodes an evaluation looks at, with the ways up that instance data itself does not have.
//!
//! A node is a place in a stack of visited nodes, above it the one that it was reached through. What an expression turns
//! out not to need leaves the stack again, so it holds the nodes found and their ancestors, not what was searched. One
//! instance reached in two ways has two places: [`Evaluation::order`] tells that they are the same.

use std::cmp::Ordering;

use super::XPathError;
use super::eval::Evaluation;
use crate::yang::access::{Extent, Instance};
use crate::yang::path::{InstancePath, Predicate};
use crate::yang::schema::{NodeId, NodeKind};
use crate::yang::tree::{Content, Inner, Key, List};
use crate::yang::value::Value;

/// Nodes held at one time: about 100 bytes each. A hundred megabytes of XML have as many; with more an
/// evaluation fails as one that takes too long.
const MAX_HELD: usize = 2_000_000;

/// A place in the stack of visited nodes.
pub(super) type At = u32;

pub(super) const ROOT: At = 0;

#[derive(Clone, Copy)]
pub(super) struct Visited<'e> {
    pub above: At,
    depth: u32,
    /// None for the root.
    pub node: Option<NodeId>,
    pub place: Place<'e>,
    pub item: Item<'e>,
    rights: Rights,
}

/// Which of its schema node's instances under one parent a node is.
#[derive(Clone, Copy)]
pub(super) enum Place<'e> {
    Only,
    Entry(&'e List, &'e Key),
    /// From 0, of a keyless list or leaf-list.
    Nth(usize),
}

#[derive(Clone, Copy)]
pub(super) enum Item<'e> {
    Inside(&'e Inner),
    Value(&'e Value),
    Any(&'e str),
    /// Not in the tree, and there all the same: a container without presence that holds nothing (RFC 7950 section 7.5.1),
    /// or the context of a `when` whose node does not exist yet (section 7.21.5).
    Nothing,
    /// The text inside a leaf.
    Text(&'e Value),
}

#[derive(Clone, Copy)]
enum Rights {
    Everything,
    /// A range of the marks that [`crate::yang::access::ReadAccess::reads`] left.
    Marks(u32, u32),
}

/// A height of the stack.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    visited: usize,
    marks: usize,
}

impl Visited<'_> {
    /// Whether nothing below can be hidden from the reader.
    pub fn is_readable_whole(&self) -> bool {
        matches!(self.rights, Rights::Everything)
    }
}

impl<'e> Evaluation<'e> {
    pub fn visit_root(&mut self, root: &'e Inner) {
        let rights = if self.access.is_some() { Rights::Marks(0, 0) } else { Rights::Everything };
        let root = Visited { above: ROOT, depth: 0, node: None, place: Place::Only, item: Item::Inside(root), rights };
        self.visited.push(root);
    }

    pub fn get(&self, at: At) -> Visited<'e> {
        self.visited[at as usize]
    }

    pub fn mark(&self) -> Mark {
        Mark { visited: self.visited.len(), marks: self.marks.len() }
    }

    /// Forgets all that was visited since.
    pub fn release(&mut self, mark: Mark) {
        self.visited.truncate(mark.visited);
        self.marks.truncate(mark.marks);
    }

    pub fn spend(&mut self, work: usize) -> Result<(), XPathError> {
        self.work = self.work.saturating_sub(work);
        if self.work == 0 { Err(XPathError::TooMuchWork) } else { Ok(()) }
    }

    /// Puts an instance on the stack; None where it may not be read, and so does not exist (RFC 8341 section 3.2.4).
    pub fn visit(
        &mut self,
        above: At,
        node: NodeId,
        place: Place<'e>,
        item: Item<'e>,
    ) -> Result<Option<At>, XPathError> {
        self.spend(1)?;
        let parent = self.get(above);
        let rights = match (parent.rights, item) {
            (rights, Item::Text(_)) => Some(rights),
            (Rights::Everything, _) => Some(Rights::Everything),
            (Rights::Marks(from, to), _) => self.rights(node, place, item, from..to),
        };
        let Some(rights) = rights else { return Ok(None) };
        let at = self.visited.len() as At;
        if self.visited.len() > MAX_HELD {
            return Err(XPathError::TooMuchWork);
        }
        self.visited.push(Visited { above, depth: parent.depth + 1, node: Some(node), place, item, rights });
        Ok(Some(at))
    }

    fn rights(
        &mut self,
        node: NodeId,
        place: Place<'e>,
        item: Item<'e>,
        parent: std::ops::Range<u32>,
    ) -> Option<Rights> {
        let access = self.access?;
        match access.extent(node) {
            Extent::All => return Some(Rights::Everything),
            Extent::None => return None,
            Extent::Some => {}
        }
        let instance = match (place, item) {
            (Place::Entry(_, key), _) => Instance::Entry(key),
            (Place::Nth(_), Item::Value(value)) => Instance::Value(value),
            (Place::Nth(n), _) => Instance::Position(n + 1),
            (Place::Only, _) => Instance::Only,
        };
        let start = self.marks.len();
        let mut readable = access.reads(node, instance, &mut self.marks, parent.start as usize..parent.end as usize);
        let end = self.marks.len();
        if let Place::Entry(..) = place {
            // An entry without its keys is nothing that may be shown.
            readable = readable
                && self.schema.node(node).keys.iter().all(|&key| match access.extent(key) {
                    Extent::All => true,
                    Extent::None => false,
                    Extent::Some => access.reads(key, Instance::Only, &mut self.marks, start..end),
                });
            self.marks.truncate(end);
        }
        if !readable {
            self.marks.truncate(start);
            return None;
        }
        Some(Rights::Marks(start as u32, end as u32))
    }

    /// The instance at `path`, or a node with nothing in it where there is none; None where it may not be read.
    pub fn visit_path(&mut self, path: &InstancePath) -> Result<Option<At>, XPathError> {
        let mut at = ROOT;
        let mut inner = match self.get(ROOT).item {
            Item::Inside(root) => Some(root),
            _ => None,
        };
        for step in &path.steps {
            let content = inner.and_then(|inner| inner.get(step.node)).map(|child| &child.content);
            // Input and output are nodes of the schema only.
            if matches!(self.schema.node(step.node).kind, NodeKind::Input | NodeKind::Output) {
                inner = match content {
                    Some(Content::Container(inside)) => Some(inside),
                    _ => None,
                };
                continue;
            }
            let (place, item) = match (content, &step.predicate) {
                (Some(Content::Leaf(value)), _) => (Place::Only, Item::Value(value)),
                (Some(Content::Any(xml)), _) => (Place::Only, Item::Any(xml)),
                (Some(Content::Container(inside)), _) => (Place::Only, Item::Inside(inside)),
                (Some(Content::LeafList(values)), Predicate::Value(wanted)) => {
                    match values.iter().position(|value| value == wanted) {
                        Some(n) => (Place::Nth(n), Item::Value(&values[n])),
                        None => (Place::Only, Item::Nothing),
                    }
                }
                (Some(Content::List(list)), Predicate::Key(key)) => match list.entry(key) {
                    Some((key, entry)) => (Place::Entry(list, key), Item::Inside(entry)),
                    None => (Place::Only, Item::Nothing),
                },
                (Some(Content::List(List::Keyless(entries))), Predicate::Position(position)) => {
                    match position.checked_sub(1).and_then(|n| Some((n, entries.get(n)?))) {
                        Some((n, entry)) => (Place::Nth(n), Item::Inside(entry)),
                        None => (Place::Only, Item::Nothing),
                    }
                }
                _ => (Place::Only, Item::Nothing),
            };
            inner = match item {
                Item::Inside(inside) => Some(inside),
                _ => None,
            };
            let Some(visited) = self.visit(at, step.node, place, item)? else { return Ok(None) };
            at = visited;
        }
        Ok(Some(at))
    }

    /// The way to a node from the root; a text node's is its leaf's.
    pub fn path(&self, mut at: At) -> InstancePath {
        let mut path = InstancePath::default();
        while at != ROOT {
            let visited = self.get(at);
            let node = visited.node.expect("all but the root have a schema node");
            if !matches!(visited.item, Item::Text(_)) {
                let predicate = match (visited.place, visited.item) {
                    (Place::Entry(_, key), _) => Predicate::Key(key.clone()),
                    (Place::Nth(_), Item::Value(value)) => Predicate::Value(value.clone()),
                    (Place::Nth(n), _) => Predicate::Position(n + 1),
                    (Place::Only, _) => Predicate::None,
                };
                path.push(node, predicate);
                let above = self.schema.node(node).data_parent;
                if let Some(above) = above
                    && matches!(self.schema.node(above).kind, NodeKind::Input | NodeKind::Output)
                {
                    path.push(above, Predicate::None);
                }
            }
            at = visited.above;
        }
        path.steps.reverse();
        path
    }

    /// Whether a node is `ancestor` or below it.
    pub fn is_within(&self, at: At, ancestor: At) -> bool {
        let (depth, outer) = (self.get(at).depth, self.get(ancestor).depth);
        let mut at = at;
        for _ in outer..depth {
            at = self.get(at).above;
        }
        depth >= outer && self.order(at, ancestor) == Ordering::Equal
    }

    /// Document order; equal are two places of one instance.
    pub fn order(&self, a: At, b: At) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        let (depth_a, depth_b) = (self.get(a).depth, self.get(b).depth);
        let up = |mut at: At, levels: u32| {
            for _ in 0..levels {
                at = self.get(at).above;
            }
            at
        };
        match depth_a.cmp(&depth_b) {
            Ordering::Equal => self.order_of_level(a, b),
            // An ancestor comes before what is below it.
            Ordering::Less => self.order_of_level(a, up(b, depth_b - depth_a)).then(Ordering::Less),
            Ordering::Greater => self.order_of_level(up(a, depth_a - depth_b), b).then(Ordering::Greater),
        }
    }

    /// The order of two nodes that are equally deep.
    fn order_of_level(&self, a: At, b: At) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        let (x, y) = (self.get(a), self.get(b));
        let above = if x.above == y.above { Ordering::Equal } else { self.order_of_level(x.above, y.above) };
        above.then(x.node.cmp(&y.node)).then_with(|| match (x.place, y.place) {
            (Place::Entry(list, a), Place::Entry(_, b)) => {
                if std::ptr::eq(a, b) {
                    Ordering::Equal
                } else {
                    list.order(a, b)
                }
            }
            (Place::Nth(a), Place::Nth(b)) => a.cmp(&b),
            _ => Ordering::Equal,
        })
    }

    /// Puts a node-set into document order, each node once.
    pub fn arrange(&mut self, set: &mut Vec<At>) -> Result<(), XPathError> {
        if set.windows(2).all(|pair| self.order(pair[0], pair[1]) == Ordering::Less) {
            return Ok(());
        }
        self.spend(set.len())?;
        set.sort_by(|a, b| self.order(*a, *b));
        set.dedup_by(|a, b| self.order(*a, *b) == Ordering::Equal);
        Ok(())
    }
}
