//! The path of a leafref (RFC 7950 section 9.9.2), and where it leads from an instance.

use std::collections::HashMap;

use super::index::flat;
use crate::yang::ffi::constraint::RawExpression;
use crate::yang::path::{InstancePath, Predicate};
use crate::yang::schema::{NodeId, NodeKind, Schema};
use crate::yang::tree::{Content, Inner, Key, Tree};
use crate::yang::value::Value;

/// A leafref's path: up to a node around the leaf, then down to the target.
#[derive(Debug)]
pub(super) struct Path {
    /// Steps of an instance's path that lead to the node where it turns; 0 for an absolute path.
    pub depth: usize,
    down: Vec<Down>,
    pub target: NodeId,
}

#[derive(Debug)]
struct Down {
    node: NodeId,
    /// `[key = current()/../leaf]`.
    keys: Vec<(NodeId, Relative)>,
}

/// `current()/../a/b`: a leaf told from another.
#[derive(Debug)]
pub(super) struct Relative {
    /// Steps of the leafref's instance path that lead to the node where it turns.
    pub depth: usize,
    down: Vec<NodeId>,
    pub leaf: NodeId,
}

/// What a look along a path gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Yes,
    No,
    /// There are entries on the way whose keys the path does not tell.
    Unknown,
}

impl Path {
    /// The path of a leafref at `leaf`; None where it is not of the form `../../list[key = current()/../leaf]/target`.
    pub fn compile(schema: &Schema, leaf: NodeId, expression: &RawExpression) -> Option<Path> {
        let names = Names::new(schema, leaf, expression);
        let text: String = expression.text.split_ascii_whitespace().collect();
        let (mut at, mut rest) = match text.strip_prefix('/') {
            Some(rest) => (None, rest),
            None => climb(schema, leaf, &text)?,
        };
        let depth = depth(schema, at);
        let mut down = Vec::new();
        while !rest.is_empty() {
            let end = rest.find(['/', '[']).unwrap_or(rest.len());
            let (name, mut after) = rest.split_at(end);
            let node = names.child(at, name)?;
            let mut keys = Vec::new();
            while let Some(inside) = after.strip_prefix('[') {
                let (predicate, behind) = inside.split_once(']')?;
                let (key, path) = predicate.split_once('=')?;
                let key = names.child(Some(node), key).filter(|&key| schema.node(key).is_key)?;
                keys.push((key, names.relative(leaf, path.strip_prefix("current()/")?)?));
                after = behind;
            }
            down.push(Down { node, keys });
            at = Some(node);
            rest = if after.is_empty() { after } else { after.strip_prefix('/')? };
        }
        let target = at.filter(|&id| matches!(schema.node(id).kind, NodeKind::Leaf | NodeKind::LeafList))?;
        Some(Path { depth, down, target })
    }

    /// The leafs that the predicates look at.
    pub fn relatives(&self) -> impl Iterator<Item = &Relative> {
        self.down.iter().flat_map(|step| step.keys.iter().map(|(_, relative)| relative))
    }

    /// Whether an instance of the target has `value`, seen from the leafref instance at `from`.
    pub fn leads_to(&self, tree: &Tree, from: &InstancePath, value: &Value) -> Found {
        match self.turn(tree, from) {
            Some(inner) => self.descend(tree, from, inner, 0, value),
            None => Found::No,
        }
    }

    /// Whether the target instance at `target` is one that the path selects from `from`.
    pub fn selects(&self, tree: &Tree, from: &InstancePath, target: &InstancePath) -> bool {
        let schema = tree.schema();
        from.steps[..self.depth] == target.steps[..self.depth]
            && self.down.iter().zip(&target.steps[self.depth..]).all(|(down, step)| {
                let keys = &schema.node(down.node).keys;
                down.keys.iter().all(|(key, relative)| {
                    let at = keys.iter().position(|k| k == key);
                    let Predicate::Key(values) = &step.predicate else { return false };
                    at.is_some_and(|at| relative.value(tree, from).as_ref() == Some(&values.values()[at]))
                })
            })
    }

    /// The keys around the node where the path turns, and the value: what the two ends of the reference have in common.
    pub fn common(&self, instance: &InstancePath, value: &Value) -> Box<[Value]> {
        let mut common = flat(&instance.steps[..self.depth]);
        common.push(value.clone());
        common.into()
    }

    fn turn<'t>(&self, tree: &'t Tree, from: &InstancePath) -> Option<&'t Inner> {
        inner_at(tree, &from.steps[..self.depth])
    }

    fn descend(&self, tree: &Tree, from: &InstancePath, inner: &Inner, at: usize, value: &Value) -> Found {
        let Down { node, keys } = &self.down[at];
        let Some(child) = inner.get(*node) else { return Found::No };
        match &child.content {
            Content::Leaf(found) if found == value => Found::Yes,
            Content::LeafList(values) if values.contains(value) => Found::Yes,
            Content::Container(inner) => self.descend(tree, from, inner, at + 1, value),
            Content::List(list) => {
                let mut values = Vec::new();
                for key in &tree.schema().node(*node).keys {
                    if let Some((_, relative)) = keys.iter().find(|(k, _)| k == key) {
                        let Some(value) = relative.value(tree, from) else { return Found::No };
                        values.push(value);
                    } else if *key == self.target && at + 2 == self.down.len() {
                        values.push(value.clone());
                    } else {
                        return Found::Unknown;
                    }
                }
                match list.get(&Key::new(values)) {
                    Some(entry) => self.descend(tree, from, entry, at + 1, value),
                    None => Found::No,
                }
            }
            _ => Found::No,
        }
    }
}

impl Relative {
    fn value(&self, tree: &Tree, from: &InstancePath) -> Option<Value> {
        let mut inner = inner_at(tree, &from.steps[..self.depth])?;
        for &node in &self.down {
            inner = inner.container(node)?;
        }
        inner.value(self.leaf).cloned()
    }
}

/// The children of the container or entry at `steps`; those of the whole tree where there are none.
pub(super) fn inner_at<'t>(tree: &'t Tree, steps: &[crate::yang::path::Step]) -> Option<&'t Inner> {
    let mut inner = tree.root();
    for step in steps {
        inner = match (&inner.get(step.node)?.content, &step.predicate) {
            (Content::List(list), Predicate::Key(key)) => list.get(key)?,
            (Content::Container(inner), _) => inner,
            _ => return None,
        };
    }
    Some(inner)
}

/// The number of steps in the path of an instance of a node.
pub(super) fn depth(schema: &Schema, node: Option<NodeId>) -> usize {
    std::iter::successors(node, |&id| schema.node(id).data_parent).count()
}

/// Takes the `..` steps from the front of a relative path. None where there is none, or one too many.
fn climb<'p>(schema: &Schema, from: NodeId, path: &'p str) -> Option<(Option<NodeId>, &'p str)> {
    let mut rest = path.strip_prefix("../")?;
    let mut at = schema.node(from).data_parent;
    while let Some(further) = rest.strip_prefix("../") {
        at = schema.node(at?).data_parent;
        rest = further;
    }
    Some((at, rest))
}

struct Names<'a> {
    schema: &'a Schema,
    prefixes: HashMap<&'a str, &'a str>,
    own: &'a str,
}

impl<'a> Names<'a> {
    fn new(schema: &'a Schema, leaf: NodeId, expression: &'a RawExpression) -> Names<'a> {
        let prefixes = expression.prefixes.iter().map(|(prefix, module)| (prefix.as_str(), module.as_str())).collect();
        Names { schema, prefixes, own: &schema.module_of(leaf).name }
    }

    fn child(&self, parent: Option<NodeId>, name: &str) -> Option<NodeId> {
        let (module, name) = match name.split_once(':') {
            Some((prefix, name)) => (*self.prefixes.get(prefix)?, name),
            None => (self.own, name),
        };
        let id = self.schema.child(parent, self.schema.module_by_name(module)?, name)?;
        self.schema.node(id).is_data().then_some(id)
    }

    fn relative(&self, leaf: NodeId, path: &str) -> Option<Relative> {
        let (mut at, rest) = climb(self.schema, leaf, path)?;
        let depth = depth(self.schema, at);
        let mut down = Vec::new();
        for name in rest.split('/') {
            let node = self.child(at, name)?;
            down.push(node);
            at = Some(node);
        }
        let leaf = down.pop()?;
        let plain = |id: NodeId| matches!(self.schema.node(id).kind, NodeKind::Container { .. });
        (self.schema.node(leaf).kind == NodeKind::Leaf && down.iter().all(|&id| plain(id))).then_some(Relative {
            depth,
            down,
            leaf,
        })
    }
}
