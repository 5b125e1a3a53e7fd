//! Indexes over the values of one version: who refers to a value, where a value is, which entries are alike.
//!
//! Each is built when an edit first needs it, in one pass over the instances of its node, and then follows the versions
//! by their difference. An entry costs its values twice, about 150 bytes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::touch::{Side, Visitor, walk};
use crate::yang::path::{InstancePath, Predicate, Step};
use crate::yang::schema::{NodeId, NodeKind, Schema};
use crate::yang::tree::{Key, Tree};
use crate::yang::value::Value;

/// Some values of an instance, under which the instance is found.
pub(super) type Values = Box<[Value]>;

/// What an index holds: for an instance of `node`, the values it is found by.
pub(super) struct Definition {
    pub node: NodeId,
    pub values: ValuesOf,
}

/// Gives the values of an instance; None if it is not to be found.
pub(super) type ValuesOf = Box<dyn Fn(&Schema, &InstancePath, Side<'_>) -> Option<Values> + Send>;

/// The indexes of one datastore.
pub(super) struct Indexes {
    schema: Arc<Schema>,
    definitions: Vec<Definition>,
    built: Vec<Option<Index>>,
    /// Expressions evaluated so far: what an edit costs, for who wonders.
    pub evaluations: u64,
}

struct Index {
    /// The values, and the keys of the instance with the value of a leaf-list.
    entries: BTreeSet<(Values, Values)>,
    at: Tree,
}

impl Indexes {
    pub fn new(schema: Arc<Schema>, definitions: Vec<Definition>) -> Indexes {
        let built = definitions.iter().map(|_| None).collect();
        Indexes { schema, definitions, built, evaluations: 0 }
    }

    /// The instances in `tree` whose values begin with `values`.
    pub fn find(&mut self, index: usize, tree: &Tree, values: &[Value]) -> Vec<InstancePath> {
        let definition = &self.definitions[index];
        let schema = &*self.schema;
        let built = self.built[index]
            .get_or_insert_with(|| Index { entries: BTreeSet::new(), at: Tree::new(self.schema.clone()) });
        if !built.at.same_version(tree) {
            walk(&built.at, tree, &mut Follow { schema, definition, entries: &mut built.entries });
            built.at = tree.clone();
        }
        let from: (Values, Values) = (values.into(), Box::default());
        let found = built.entries.range(from..).take_while(|(found, _)| found.starts_with(values));
        found.map(|(_, keys)| instance(schema, definition.node, keys)).collect()
    }
}

struct Follow<'a> {
    schema: &'a Schema,
    definition: &'a Definition,
    entries: &'a mut BTreeSet<(Values, Values)>,
}

impl Visitor for Follow<'_> {
    fn sees(&self, node: NodeId) -> bool {
        self.schema.is_within(self.definition.node, node)
    }

    fn visit(&mut self, path: &InstancePath, old: Option<Side<'_>>, new: Option<Side<'_>>) {
        if path.last().is_none_or(|step| step.node != self.definition.node) {
            return;
        }
        let values = |side: Option<Side<'_>>| (self.definition.values)(self.schema, path, side?);
        let (old, new) = (values(old), values(new));
        if old == new {
            return;
        }
        let keys: Values = flat(&path.steps).into();
        if let Some(old) = old {
            self.entries.remove(&(old, keys.clone()));
        }
        if let Some(new) = new {
            self.entries.insert((new, keys));
        }
    }
}

/// The values of all predicates of a path.
pub(super) fn flat(steps: &[Step]) -> Vec<Value> {
    let mut values = Vec::new();
    for step in steps {
        match &step.predicate {
            Predicate::Key(key) => values.extend_from_slice(key.values()),
            Predicate::Value(value) => values.push(value.clone()),
            Predicate::None | Predicate::Position(_) => {}
        }
    }
    values
}

/// The instance of `node` with those values in its predicates.
fn instance(schema: &Schema, node: NodeId, values: &[Value]) -> InstancePath {
    let mut nodes: Vec<NodeId> = std::iter::successors(Some(node), |&id| schema.node(id).data_parent).collect();
    nodes.reverse();
    let mut path = InstancePath::default();
    let mut rest = values;
    for id in nodes {
        let node = schema.node(id);
        let count = match node.kind {
            NodeKind::List => node.keys.len(),
            NodeKind::LeafList => 1,
            _ => 0,
        };
        let (own, behind) = rest.split_at(count);
        rest = behind;
        path.push(
            id,
            match node.kind {
                NodeKind::List => Predicate::Key(Key::new(own.to_vec())),
                NodeKind::LeafList => Predicate::Value(own[0].clone()),
                _ => Predicate::None,
            },
        );
    }
    path
}
