//! The constraints of a schema, and for each node which of them a change there can break. Worked out once.

use super::expression::{Dependent, Expression, Kind, comes_with, data_within};
use super::index::{Definition, Values, flat};
use super::reference::Path;
use super::touch::Side;
use crate::yang::ffi::RawBase;
use crate::yang::path::{InstancePath, Predicate};
use crate::yang::schema::{NodeId, NodeKind, Schema};
use crate::yang::tree::Key;
use crate::yang::tree::{Content, Inner, split_path};
use crate::yang::value::Value;

pub(super) struct Constraints {
    /// By the number of the parent, the last for the top.
    rules: Vec<Option<Rules>>,
    roles: Vec<Role>,
    /// Something at or below the node matters.
    seen: Vec<bool>,
    pub referrers: Vec<Referrer>,
    pub leafrefs: Vec<Leafref>,
    pub uniques: Vec<Unique>,
    /// must and when.
    pub expressions: Vec<Expression>,
    /// Indexes of all instance-identifiers whose instance must exist.
    pub instance_indexes: Vec<usize>,
    /// Some RPC, action or notification has an expression that looks at a datastore.
    pub operations_see_data: bool,
}

/// What a node is to the constraints, by their numbers.
#[derive(Default)]
pub(super) struct Role {
    pub refers: Option<usize>,
    /// Leafrefs that lead to it.
    pub target_of: Vec<usize>,
    /// Leafrefs with a predicate that looks at it.
    pub selector_of: Vec<usize>,
    pub uniques: Vec<usize>,
    /// Expressions that look at it.
    pub dependents: Vec<Dependent>,
    /// Expressions to be asked where an instance comes to be there: of the node, or of an implied container in it.
    pub asked_with: Vec<usize>,
    /// Conditions under which it may be there.
    pub whens: Vec<usize>,
    /// Only the whole validation knows what a change here does.
    pub whole: bool,
}

/// How many instances there must be among the children of a node (RFC 7950 sections 7.6.5, 7.7.5, 7.7.6 and 7.9.4).
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub choices: Vec<ChoiceRules>,
    /// Nodes that are mandatory or counted.
    pub counted: Vec<NodeId>,
    /// Containers without presence that have rules: they are there even where the tree has none.
    pub implied: Vec<NodeId>,
}

#[derive(Debug)]
pub(super) struct ChoiceRules {
    pub choice: NodeId,
    pub mandatory: bool,
    pub cases: Vec<(NodeId, Rules)>,
}

/// A leaf or leaf-list whose values need an instance.
pub(super) struct Referrer {
    pub leaf: NodeId,
    pub leafrefs: Vec<usize>,
    pub instance_identifier: bool,
    /// A member of a union may take the value all the same.
    pub union: bool,
}

pub(super) struct Leafref {
    pub referrer: usize,
    pub path: Path,
    /// As the model has it.
    pub text: String,
    /// The index of its instances, by what they have in common with their target.
    pub instances: usize,
    /// The index of the target's instances, in the same way.
    pub targets: usize,
}

pub(super) struct Unique {
    pub list: NodeId,
    /// The leafs, each by the way from the entry.
    pub leafs: Vec<Vec<NodeId>>,
    /// The entries by the keys around their list and the values of the leafs.
    pub entries: usize,
}

impl Constraints {
    /// The constraints on configuration, and the indexes that they want.
    pub fn new(schema: &Schema) -> (Constraints, Vec<Definition>) {
        let count = schema.nodes().count();
        let mut constraints = Constraints {
            rules: Vec::new(),
            roles: (0..count).map(|_| Role::default()).collect(),
            seen: vec![false; count],
            referrers: Vec::new(),
            leafrefs: Vec::new(),
            uniques: Vec::new(),
            expressions: Vec::new(),
            instance_indexes: Vec::new(),
            operations_see_data: false,
        };
        let mut definitions = Vec::new();
        for node in schema.nodes() {
            let needs_instance = node.leaf_type.as_ref().is_some_and(|t| t.needs_instance());
            if !node.config {
                constraints.operations_see_data |= node.has_when || node.has_must || needs_instance;
                continue;
            }
            if (node.has_when || node.has_must) && !constraints.add_expressions(schema, node.id, &mut definitions) {
                constraints.leave_whole(schema, node.id);
            }
            if needs_instance && !constraints.add_referrer(schema, node.id, &mut definitions) {
                constraints.leave_whole(schema, node.id);
            }
            for leafs in schema.context().uniques(schema.pointer(node.id)) {
                let leafs = leafs.into_iter().filter_map(|leaf| schema.by_pointer(leaf));
                constraints.add_unique(schema, node.id, leafs.map(|leaf| way(schema, node.id, leaf)), &mut definitions);
            }
        }
        constraints.add_rules(schema, count);
        constraints.add_seen(schema);
        (constraints, definitions)
    }

    pub fn role(&self, node: NodeId) -> &Role {
        &self.roles[node.number()]
    }

    pub fn rules(&self, parent: Option<NodeId>) -> Option<&Rules> {
        self.rules[parent.map_or(self.roles.len(), NodeId::number)].as_ref()
    }

    pub fn sees(&self, node: NodeId) -> bool {
        self.seen[node.number()]
    }

    /// False where one of the node's expressions is of a kind that only libyang knows.
    fn add_expressions(&mut self, schema: &Schema, id: NodeId, definitions: &mut Vec<Definition>) -> bool {
        let pointer = schema.pointer(id);
        let musts = schema.context().musts(pointer);
        let musts = musts.iter().map(|must| Expression::must(schema, id, must));
        let whens = schema.context().whens(pointer);
        let whens = whens.iter().map(|when| Expression::when(schema, id, when));
        let Some(found) = musts.chain(whens).collect::<Option<Vec<_>>>() else { return false };
        for expression in found {
            let number = self.expressions.len();
            for (node, dependent) in expression.dependents(schema, number, definitions) {
                self.roles[node.number()].dependents.push(dependent);
            }
            if let Some(with) = comes_with(schema, expression.node()) {
                self.roles[with.number()].asked_with.push(number);
            }
            if let Kind::When(when) = &expression.kind {
                for node in &when.governed {
                    self.roles[node.number()].whens.push(number);
                }
            }
            self.expressions.push(expression);
        }
        true
    }

    /// What the node's expressions see is for the whole validation.
    fn leave_whole(&mut self, schema: &Schema, id: NodeId) {
        for node in data_within(schema, id) {
            self.roles[node.number()].whole = true;
        }
        match schema.context().atoms(schema.pointer(id)) {
            Some(atoms) => {
                for atom in atoms.into_iter().filter_map(|a| schema.by_pointer(a)) {
                    self.roles[atom.number()].whole = true;
                }
            }
            None => self.roles.iter_mut().for_each(|role| role.whole = true),
        }
    }

    /// False where a path is of a form that only libyang knows.
    fn add_referrer(&mut self, schema: &Schema, leaf: NodeId, definitions: &mut Vec<Definition>) -> bool {
        let leaf_type = schema.node(leaf).leaf_type.as_ref().expect("it needs an instance");
        let mut paths = Vec::new();
        for leafref in schema.context().leafrefs(schema.pointer(leaf)).into_iter().filter(|l| l.require_instance) {
            match Path::compile(schema, leaf, &leafref.path) {
                Some(path) => paths.push((path, leafref.path.text)),
                None => return false,
            }
        }
        let referrer = self.referrers.len();
        self.roles[leaf.number()].refers = Some(referrer);
        let mut leafrefs = Vec::new();
        for (path, text) in paths {
            let depth = path.depth;
            let mut index = |node| {
                definitions.push(Definition { node, values: Box::new(move |_, path, side| common(depth, path, side)) });
                definitions.len() - 1
            };
            let (instances, targets) = (index(leaf), index(path.target));
            let number = self.leafrefs.len();
            self.roles[path.target.number()].target_of.push(number);
            for relative in path.relatives() {
                self.roles[relative.leaf.number()].selector_of.push(number);
            }
            leafrefs.push(number);
            self.leafrefs.push(Leafref { referrer, path, text, instances, targets });
        }
        let instance_identifier = leaf_type.has_member(|base, needed| base == RawBase::InstanceIdentifier && needed);
        if instance_identifier {
            let values = |schema: &Schema, _: &InstancePath, side: Side<'_>| {
                let Value::Qualified(text) = side.value()? else { return None };
                Some(instance_values(&parse_instance(schema, text)?).into())
            };
            definitions.push(Definition { node: leaf, values: Box::new(values) });
            self.instance_indexes.push(definitions.len() - 1);
        }
        let union = leaf_type.base() == RawBase::Union;
        self.referrers.push(Referrer { leaf, leafrefs, instance_identifier, union });
        true
    }

    fn add_unique(
        &mut self,
        schema: &Schema,
        list: NodeId,
        leafs: impl Iterator<Item = Vec<NodeId>>,
        definitions: &mut Vec<Definition>,
    ) {
        let leafs: Vec<Vec<NodeId>> = leafs.collect();
        let of_entry = leafs.clone();
        let values = move |_: &Schema, path: &InstancePath, side: Side<'_>| {
            let mut values = flat(&path.steps[..path.steps.len() - 1]);
            values.extend(unique_values(&of_entry, side.inner()?)?);
            Some(values.into())
        };
        definitions.push(Definition { node: list, values: Box::new(values) });
        self.roles[list.number()].uniques.push(self.uniques.len());
        self.uniques.push(Unique { list, leafs, entries: definitions.len() - 1 });
        debug_assert!(schema.node(list).kind == NodeKind::List);
    }

    fn add_rules(&mut self, schema: &Schema, count: usize) {
        let mut children: Vec<Vec<NodeId>> = vec![Vec::new(); count + 1];
        for node in schema.nodes().filter(|n| n.config) {
            children[node.parent.map_or(count, NodeId::number)].push(node.id);
        }
        let mut rules: Vec<Option<Rules>> = (0..=count).map(|_| None).collect();
        // From the leaves up: ids ascend in pre-order, and the top comes last.
        for at in (0..count).rev().chain([count]) {
            let found = rules_of(schema, &children, &rules, at);
            rules[at] = found;
        }
        self.rules = rules;
    }

    fn add_seen(&mut self, schema: &Schema) {
        for node in schema.nodes() {
            let role = &self.roles[node.id.number()];
            let matters = role.whole
                || role.refers.is_some()
                || !(role.target_of.is_empty() && role.selector_of.is_empty() && role.uniques.is_empty())
                || !(role.dependents.is_empty() && role.asked_with.is_empty() && role.whens.is_empty())
                || self.rules[node.id.number()].is_some()
                || (!self.instance_indexes.is_empty() && node.config);
            let mut at = matters.then_some(node.id);
            while let Some(id) = at.filter(|id| !self.seen[id.number()]) {
                self.seen[id.number()] = true;
                at = schema.node(id).data_parent;
            }
        }
    }
}

impl Unique {
    /// The values of an entry; None if one is not there, which makes it like no other (RFC 7950 section 7.8.3).
    pub fn values(&self, entry: &Inner) -> Option<Vec<Value>> {
        unique_values(&self.leafs, entry)
    }
}

fn unique_values(leafs: &[Vec<NodeId>], entry: &Inner) -> Option<Vec<Value>> {
    let value = |way: &Vec<NodeId>| {
        let (leaf, around) = way.split_last()?;
        let inner = around.iter().try_fold(entry, |inner, &node| inner.container(node))?;
        inner.value(*leaf).cloned()
    };
    leafs.iter().map(value).collect()
}

/// The data nodes from below `list` to `leaf`.
fn way(schema: &Schema, list: NodeId, leaf: NodeId) -> Vec<NodeId> {
    let mut way: Vec<NodeId> =
        std::iter::successors(Some(leaf), |&id| schema.node(id).data_parent).take_while(|&id| id != list).collect();
    way.reverse();
    way
}

fn common(depth: usize, path: &InstancePath, side: Side<'_>) -> Option<Values> {
    let mut values = flat(&path.steps[..depth]);
    values.push(side.value()?.clone());
    Some(values.into())
}

fn rules_of(schema: &Schema, children: &[Vec<NodeId>], below: &[Option<Rules>], parent: usize) -> Option<Rules> {
    let mut rules = Rules::default();
    for &id in &children[parent] {
        let node = schema.node(id);
        match node.kind {
            NodeKind::Choice => {
                let cases: Vec<(NodeId, Rules)> = children[id.number()]
                    .iter()
                    .filter_map(|&case| Some((case, rules_of(schema, children, below, case.number())?)))
                    .collect();
                if node.mandatory || !cases.is_empty() {
                    rules.choices.push(ChoiceRules { choice: id, mandatory: node.mandatory, cases });
                }
            }
            NodeKind::Container { presence: false } if below[id.number()].is_some() => rules.implied.push(id),
            NodeKind::List | NodeKind::LeafList if node.min_elements > 0 || node.max_elements != u32::MAX => {
                rules.counted.push(id);
            }
            NodeKind::Leaf | NodeKind::AnyData | NodeKind::AnyXml if node.mandatory && !node.is_key => {
                rules.counted.push(id);
            }
            _ => {}
        }
    }
    let none = rules.choices.is_empty() && rules.counted.is_empty() && rules.implied.is_empty();
    (!none).then_some(rules)
}

/// A path as values, so that those of all instances below it begin with its own.
pub(super) fn instance_values(path: &InstancePath) -> Vec<Value> {
    let mut values = Vec::new();
    for step in &path.steps {
        values.push(Value::Uint(step.node.number() as u64));
        match &step.predicate {
            Predicate::Key(key) => values.extend_from_slice(key.values()),
            Predicate::Value(value) => values.push(value.clone()),
            Predicate::None | Predicate::Position(_) => {}
        }
    }
    values
}

/// The instance that an instance-identifier in its canonical form names; None where it names a position.
pub(super) fn parse_instance(schema: &Schema, text: &str) -> Option<InstancePath> {
    let mut path = InstancePath::default();
    let (mut parent, mut module) = (None, None);
    for (name, predicates) in split_path(text)? {
        let local = match name.split_once(':') {
            Some((prefix, local)) => {
                module = Some(schema.module_by_name(prefix)?);
                local
            }
            None => name,
        };
        let id = schema.child(parent, module?, local)?;
        let node = schema.node(id);
        let predicate = match (node.kind, predicates.as_slice()) {
            (NodeKind::LeafList, [(".", text)]) => Predicate::Value(schema.value_json(id, text).ok()?),
            (NodeKind::List, given) if given.len() == node.keys.len() && !given.is_empty() => {
                let mut values = Vec::new();
                for &key in &node.keys {
                    let name = schema.node(key).name.as_str();
                    let (_, text) = given.iter().find(|(k, _)| *k == name)?;
                    values.push(schema.value_json(key, text).ok()?);
                }
                Predicate::Key(Key::new(values))
            }
            (NodeKind::List | NodeKind::LeafList, _) => return None,
            (_, []) => Predicate::None,
            _ => return None,
        };
        path.push(id, predicate);
        parent = Some(id);
    }
    Some(path)
}

/// Whether an instance is in a tree.
pub(super) fn exists(tree: &crate::yang::tree::Tree, path: &InstancePath) -> bool {
    let Some((last, around)) = path.steps.split_last() else { return true };
    let Some(inner) = super::reference::inner_at(tree, around) else { return false };
    match (inner.get(last.node).map(|child| &child.content), &last.predicate) {
        (Some(Content::List(list)), Predicate::Key(key)) => list.get(key).is_some(),
        (Some(Content::LeafList(values)), Predicate::Value(value)) => values.contains(value),
        (Some(_), Predicate::None) => true,
        _ => false,
    }
}
