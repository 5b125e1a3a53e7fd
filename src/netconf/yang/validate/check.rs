//! The constraints that a difference between two versions can break, checked where it can break them.

use std::collections::HashSet;

use super::constraint::{self, Constraints, Referrer, Role, Rules, instance_values, parse_instance};
use super::expression::{self, Kind, When};
use super::fault;
use super::index::{Indexes, flat};
use super::reference::{Found, inner_at};
use super::touch::{Side, Visitor, walk};
use crate::error::RpcError;
use crate::yang::json::MAX_ERRORS;
use crate::yang::path::{InstancePath, Predicate};
use crate::yang::schema::{NodeId, NodeKind, Schema};
use crate::yang::tree::{Content, Inner, Tree};
use crate::yang::value::Value;
use crate::yang::xpath::{Context, XPath};

/// What a check finds.
#[derive(Debug)]
pub(super) enum Verdict {
    Valid,
    Faults(Vec<RpcError>),
    /// Only the whole validation knows.
    Unknown,
}

/// Faults are told in this order, and in document order within each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Instances,
    Rest,
}

/// Checks `new`, given that `old` is valid.
pub(super) fn check(constraints: &Constraints, indexes: &mut Indexes, old: &Tree, new: &Tree) -> Verdict {
    let mut check = Check {
        schema: new.schema(),
        constraints,
        indexes,
        new,
        faults: Vec::new(),
        unknown: false,
        referring: HashSet::new(),
        vanished: Vec::new(),
        removed: Vec::new(),
        alike: Vec::new(),
        questions: HashSet::new(),
    };
    walk(old, new, &mut check);
    check.expressions();
    check.who_referred();
    check.references();
    check.uniques();
    if check.unknown {
        return Verdict::Unknown;
    }
    if check.faults.is_empty() {
        return Verdict::Valid;
    }
    let mut faults = check.faults;
    faults.sort_by(|(phase, path, _), (other_phase, other, _)| {
        phase.cmp(other_phase).then_with(|| new.document_order(path, other))
    });
    faults.truncate(MAX_ERRORS);
    Verdict::Faults(faults.into_iter().map(|(_, _, error)| error).collect())
}

struct Check<'a> {
    schema: &'a Schema,
    constraints: &'a Constraints,
    indexes: &'a mut Indexes,
    new: &'a Tree,
    faults: Vec<(Phase, InstancePath, RpcError)>,
    unknown: bool,
    /// Instances of leafs whose reference may lead nowhere.
    referring: HashSet<(usize, InstancePath)>,
    /// Values of targets that are gone.
    vanished: Vec<(NodeId, InstancePath, Value)>,
    /// Instances that are gone, each with all below it.
    removed: Vec<InstancePath>,
    /// Entries with new values of a `unique`: its number, the entry, the values.
    alike: Vec<(usize, InstancePath, Vec<Value>)>,
    /// Expressions to be asked at all instances below these.
    questions: HashSet<(usize, InstancePath)>,
}

impl Visitor for Check<'_> {
    fn sees(&self, node: NodeId) -> bool {
        self.constraints.sees(node) && !self.unknown
    }

    fn visit(&mut self, path: &InstancePath, old: Option<Side<'_>>, new: Option<Side<'_>>) {
        let node = path.last().map(|step| step.node);
        if let (Some(inner), Some(rules)) = (new.and_then(|side| side.inner()), self.constraints.rules(node)) {
            self.rules(path, inner, rules);
        }
        let Some(node) = node else { return };
        let role = self.constraints.role(node);
        if role.whole {
            self.unknown = true;
            return;
        }
        if new.is_none() && !self.constraints.instance_indexes.is_empty() {
            self.removed.push(path.clone());
        }
        self.ask(path, old, new, role);
        let value = |side: Option<Side<'_>>| side.and_then(|s| s.value().cloned());
        let (before, after) = (value(old), value(new));
        if before != after {
            if let Some(referrer) = role.refers
                && after.is_some()
            {
                self.referring.insert((referrer, path.clone()));
            }
            if let Some(before) = before
                && !role.target_of.is_empty()
            {
                self.vanished.push((node, path.clone(), before));
            }
            for &leafref in &role.selector_of {
                self.below(leafref, path);
            }
        }
        let values = |side: Option<Side<'_>>, unique: usize| self.constraints.uniques[unique].values(side?.inner()?);
        for &unique in &role.uniques {
            if let Some(now) = values(new, unique)
                && values(old, unique).as_ref() != Some(&now)
            {
                self.alike.push((unique, path.clone(), now));
            }
        }
    }
}

impl Check<'_> {
    fn fault(&mut self, phase: Phase, path: &InstancePath, error: RpcError) {
        if self.faults.len() < MAX_ERRORS {
            self.faults.push((phase, path.clone(), error));
        }
    }

    fn rules(&mut self, path: &InstancePath, inner: &Inner, rules: &Rules) {
        for choice in &rules.choices {
            let schema = self.schema;
            let is_there = |node: NodeId| inner.iter().any(|child| schema.is_within(child.node, node));
            if choice.mandatory && !is_there(choice.choice) {
                if schema.node(choice.choice).has_when {
                    self.unknown = true;
                }
                let error = fault::mandatory_choice(schema, choice.choice, path);
                self.fault(Phase::Rest, path, error);
            }
            if let Some((_, rules)) = choice.cases.iter().find(|(case, _)| is_there(*case)) {
                self.rules(path, inner, rules);
            }
        }
        for &id in &rules.counted {
            let node = self.schema.node(id);
            let count = match inner.get(id).map(|child| &child.content) {
                Some(Content::List(list)) => list.len(),
                Some(Content::LeafList(values)) => values.len(),
                Some(_) => 1,
                None => 0,
            };
            let counted = matches!(node.kind, NodeKind::List | NodeKind::LeafList);
            let too_few = if counted { count < node.min_elements as usize } else { count == 0 };
            let too_many = counted && count > node.max_elements as usize;
            if !too_few && !too_many {
                continue;
            }
            if too_few && node.has_when {
                self.unknown = true;
            }
            let at = path.child(id, Predicate::None);
            let error = match counted {
                true => fault::count(self.schema, &at, too_many),
                false => fault::mandatory_node(self.schema, &at),
            };
            self.fault(Phase::Rest, &at, error);
        }
        for &id in &rules.implied {
            if inner.contains(id) {
                continue;
            }
            // Where nothing is mandatory below it does not matter whether the container would be there.
            if self.schema.node(id).has_when {
                self.unknown = true;
            }
            if let Some(rules) = self.constraints.rules(Some(id)) {
                self.rules(&path.child(id, Predicate::None), &Inner::default(), rules);
            }
        }
    }

    /// Notes which expressions can have another answer now.
    fn ask(&mut self, path: &InstancePath, old: Option<Side<'_>>, new: Option<Side<'_>>, role: &Role) {
        let comes = old.is_none();
        if comes {
            self.questions.extend(role.asked_with.iter().map(|&number| (number, path.clone())));
        }
        if comes || new.is_none() {
            let parent = InstancePath { steps: path.steps[..path.steps.len() - 1].to_vec() };
            self.questions.extend(role.whens.iter().map(|&number| (number, parent.clone())));
        }
        // A container or entry that is in both is the same to an expression, unless it has moved.
        let inner = |side: Option<Side<'_>>| side.and_then(|side| side.inner().cloned());
        if let (Some(old), Some(new)) = (inner(old), inner(new))
            && !old.shares(&new)
        {
            return;
        }
        for dependent in &role.dependents {
            let around = InstancePath { steps: path.steps[..dependent.shared.min(path.steps.len())].to_vec() };
            let Some((link, index)) = &dependent.link else {
                self.questions.insert((dependent.expression, around));
                continue;
            };
            // Only those count whose leaf names the entry.
            let entry = path.steps.iter().find(|step| step.node == link.list);
            let Some(Predicate::Key(key)) = entry.map(|step| &step.predicate) else { continue };
            let mut values = flat(&path.steps[..dependent.shared.min(link.depth)]);
            values.push(key.values()[link.key].clone());
            for leaf in self.indexes.find(*index, self.new, &values) {
                let around = InstancePath { steps: leaf.steps[..link.depth].to_vec() };
                self.questions.insert((dependent.expression, around));
            }
        }
    }

    fn expressions(&mut self) {
        let mut asked = HashSet::new();
        for (number, top) in std::mem::take(&mut self.questions) {
            let expression = &self.constraints.expressions[number];
            for path in expression::contexts(self.new, &top.steps, expression.node()) {
                if self.unknown {
                    return;
                }
                if !asked.insert((number, path.clone())) {
                    continue;
                }
                match &expression.kind {
                    Kind::Must { message, app_tag, .. } => {
                        if !self.holds(&expression.xpath, &path) && !self.unknown {
                            let text = expression.xpath.as_str();
                            let (message, app_tag) = (message.as_deref(), app_tag.as_deref());
                            let error = fault::must(self.schema, text, message, app_tag, &path);
                            self.fault(Phase::Rest, &path, error);
                        }
                    }
                    Kind::When(when) => self.when(&expression.xpath, when, &path),
                }
            }
        }
    }

    /// Leaves to the whole validation what a condition takes away, or lets come.
    fn when(&mut self, xpath: &XPath, when: &When, parent: &InstancePath) {
        let inner = inner_at(self.new, &parent.steps);
        for &node in &when.governed {
            let there = inner.is_some_and(|inner| inner.contains(node));
            if !there && !expression::brings_something(self.schema, node) {
                continue;
            }
            let listed = matches!(self.schema.node(node).kind, NodeKind::List | NodeKind::LeafList);
            let contexts = match (when.of_itself, listed) {
                (false, _) => vec![parent.clone()],
                (true, false) => vec![parent.child(node, Predicate::None)],
                (true, true) => expression::contexts(self.new, &parent.steps, Some(node)),
            };
            for context in contexts {
                if self.holds(xpath, &context) != there {
                    self.unknown = true;
                }
            }
        }
    }

    fn holds(&mut self, xpath: &XPath, path: &InstancePath) -> bool {
        self.indexes.evaluations += 1;
        match xpath.boolean(&Context::new(self.new).at(path)) {
            Ok(answer) => answer,
            Err(_) => {
                self.unknown = true;
                false
            }
        }
    }

    /// The references that may have led to what is gone.
    fn who_referred(&mut self) {
        for (node, path, value) in std::mem::take(&mut self.vanished) {
            for &number in &self.constraints.role(node).target_of {
                let leafref = &self.constraints.leafrefs[number];
                let common = leafref.path.common(&path, &value);
                for instance in self.indexes.find(leafref.instances, self.new, &common) {
                    self.referring.insert((leafref.referrer, instance));
                }
            }
        }
        for path in std::mem::take(&mut self.removed) {
            let values = instance_values(&path);
            for &index in &self.constraints.instance_indexes {
                for instance in self.indexes.find(index, self.new, &values) {
                    let leaf = instance.last().expect("the path of a leaf").node;
                    if let Some(referrer) = self.constraints.role(leaf).refers {
                        self.referring.insert((referrer, instance));
                    }
                }
            }
        }
    }

    /// The instances of a leafref that a leaf its predicates look at stands beside.
    fn below(&mut self, leafref: usize, selector: &InstancePath) {
        let leafref = &self.constraints.leafrefs[leafref];
        let leaf = self.constraints.referrers[leafref.referrer].leaf;
        let node = selector.last().expect("the path of a leaf").node;
        for relative in leafref.path.relatives().filter(|relative| relative.leaf == node) {
            let mut found = Vec::new();
            let top = InstancePath { steps: selector.steps[..relative.depth].to_vec() };
            instances_below(self.new, &top, leaf, &mut found);
            self.referring.extend(found.into_iter().map(|path| (leafref.referrer, path)));
        }
    }

    fn references(&mut self) {
        for (referrer, path) in std::mem::take(&mut self.referring) {
            let referrer = &self.constraints.referrers[referrer];
            let Some(value) = value_at(self.new, &path) else { continue };
            match self.leads_somewhere(referrer, &path, &value) {
                Found::Yes => {}
                Found::Unknown => self.unknown = true,
                Found::No => {
                    let error = match referrer.leafrefs.first() {
                        Some(&leafref) => {
                            fault::no_target(self.schema, &self.constraints.leafrefs[leafref], &path, &value)
                        }
                        None => fault::no_instance(self.schema, &path, &value),
                    };
                    self.fault(Phase::Instances, &path, error);
                }
            }
        }
    }

    fn leads_somewhere(&mut self, referrer: &Referrer, path: &InstancePath, value: &Value) -> Found {
        for &number in &referrer.leafrefs {
            let leafref = &self.constraints.leafrefs[number];
            match leafref.path.leads_to(self.new, path, value) {
                Found::Yes => return Found::Yes,
                Found::No => {}
                Found::Unknown => {
                    let common = leafref.path.common(path, value);
                    let targets = self.indexes.find(leafref.targets, self.new, &common);
                    if targets.iter().any(|target| leafref.path.selects(self.new, path, target)) {
                        return Found::Yes;
                    }
                }
            }
        }
        let mut found = Found::No;
        if referrer.instance_identifier {
            found = match value {
                Value::Qualified(text) => match parse_instance(self.schema, text) {
                    Some(target) if constraint::exists(self.new, &target) => return Found::Yes,
                    // A container without presence is there for libyang even if it holds nothing.
                    Some(target) if !self.may_be_implied(&target) => Found::No,
                    _ => Found::Unknown,
                },
                _ => Found::No,
            };
        }
        if referrer.union {
            let leaf_type = self.schema.node(referrer.leaf).leaf_type.as_ref().expect("a leaf has a type");
            return if leaf_type.has_free_member_for(&value.text()) { Found::Yes } else { Found::Unknown };
        }
        found
    }

    fn may_be_implied(&self, path: &InstancePath) -> bool {
        let last = path.last().map(|step| self.schema.node(step.node).kind);
        last == Some(NodeKind::Container { presence: false })
    }

    fn uniques(&mut self) {
        // One fault for a list, at the first entry that is like one before it.
        let mut lists: Vec<(InstancePath, [InstancePath; 2], usize)> = Vec::new();
        for (number, entry, values) in std::mem::take(&mut self.alike) {
            let unique = &self.constraints.uniques[number];
            let above = &entry.steps[..entry.steps.len() - 1];
            let mut key = flat(above);
            key.extend(values);
            let mut found = self.indexes.find(unique.entries, self.new, &key);
            if found.len() < 2 {
                continue;
            }
            found.sort_by(|a, b| self.new.document_order(a, b));
            found.truncate(2);
            let [first, second] = <[InstancePath; 2]>::try_from(found).expect("two are left");
            let list = InstancePath { steps: above.to_vec() }.child(unique.list, Predicate::None);
            match lists.iter_mut().find(|(path, ..)| *path == list) {
                Some((_, known, of)) => {
                    let order = self.new.document_order(&second, &known[1]).then(number.cmp(of));
                    if order.is_lt() {
                        (*known, *of) = ([first, second], number);
                    }
                }
                None => lists.push((list, [first, second], number)),
            }
        }
        for (list, [first, second], number) in lists {
            // libyang compares two entries in their order, and of more each with those before it.
            let two = inner_at(self.new, &list.steps[..list.steps.len() - 1])
                .and_then(|inner| inner.list(self.constraints.uniques[number].list))
                .is_some_and(|list| list.len() == 2);
            let pair = if two { [&first, &second] } else { [&second, &first] };
            let error = fault::not_unique(self.schema, &self.constraints.uniques[number], pair);
            self.fault(Phase::Rest, &list, error);
        }
    }
}

fn value_at(tree: &Tree, path: &InstancePath) -> Option<Value> {
    let (last, around) = path.steps.split_last()?;
    match (&inner_at(tree, around)?.get(last.node)?.content, &last.predicate) {
        (Content::Leaf(value), _) => Some(value.clone()),
        (Content::LeafList(values), Predicate::Value(value)) if values.contains(value) => Some(value.clone()),
        _ => None,
    }
}

/// The instances of `node` below the instance at `top`.
pub(super) fn instances_below(tree: &Tree, top: &InstancePath, node: NodeId, found: &mut Vec<InstancePath>) {
    let schema = tree.schema();
    let above = top.last().map(|step| step.node);
    let way: Vec<NodeId> = std::iter::successors(Some(node), |&id| schema.node(id).data_parent)
        .take_while(|&id| Some(id) != above)
        .collect();
    if let Some(inner) = inner_at(tree, &top.steps) {
        descend(inner, &way, &mut top.clone(), found);
    }
}

fn descend(inner: &Inner, way: &[NodeId], path: &mut InstancePath, found: &mut Vec<InstancePath>) {
    let Some((&next, rest)) = way.split_last() else {
        found.push(path.clone());
        return;
    };
    let Some(child) = inner.get(next) else { return };
    let mut step = |inner: &Inner, predicate| {
        path.push(next, predicate);
        descend(inner, rest, path, found);
        path.pop();
    };
    match &child.content {
        Content::Container(inner) => step(inner, Predicate::None),
        Content::List(list) => {
            for (key, entry) in list.iter() {
                if let Some(key) = key {
                    step(entry, Predicate::Key(key.clone()));
                }
            }
        }
        Content::LeafList(values) => {
            for value in values.iter() {
                step(&Inner::default(), Predicate::Value(value.clone()));
            }
        }
        Content::Leaf(_) | Content::Any(_) => step(&Inner::default(), Predicate::None),
    }
}
