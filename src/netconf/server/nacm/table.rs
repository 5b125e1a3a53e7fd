//! The rules of one user against the schema: which of them decides about a node (RFC 8341 section 3.4.5).

use std::ops::Range;
use std::sync::Arc;

use super::compile::{Operand, Rule, Target, Test};
use super::{AccessOperation, Because, Decision, UserAccess, is_named};
use crate::yang::access::{Extent, Instance};
use crate::yang::path::InstancePath;
use crate::yang::schema::DefaultDeny;
use crate::yang::{NodeId, NodeKind, Schema, SchemaNode, Value};

/// A rule with `$USER` filled in.
pub(super) struct UserRule {
    rule: Arc<Rule>,
    /// The numbers of the nodes that a data-node rule covers, its target and all below.
    covers: Range<usize>,
    /// What instances on the way to the target must meet.
    tests: Vec<(NodeId, UserTest)>,
}

enum UserTest {
    /// Of these keys, by position in the key statement.
    Keys(Vec<(usize, Value)>),
    Value(Value),
    Position(usize),
    /// The value is none of its type.
    Never,
}

/// For one access operation, what can be said of each schema node.
pub(super) struct Table {
    rows: Vec<Row>,
    /// Rules with predicates.
    by_instance: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Row {
    /// The first rule that matches every instance, or `NO_RULE`.
    first: u32,
    permit: bool,
    extent: Extent,
}

const NO_RULE: u32 = u32::MAX;

impl UserRule {
    pub fn new(schema: &Schema, rule: &Arc<Rule>, user: &str) -> UserRule {
        let (covers, tests) = match &rule.target {
            Target::Path(path) => (
                schema.subtree(path.target),
                path.tests.iter().map(|(node, test)| (*node, fill_in(schema, *node, test, user))).collect(),
            ),
            _ => (0..usize::MAX, Vec::new()),
        };
        UserRule { rule: rule.clone(), covers, tests }
    }

    pub fn decision(&self) -> Decision {
        let Rule { rule_list, name, permit, .. } = &*self.rule;
        Decision { permit: *permit, because: Because::Rule { rule_list: rule_list.clone(), rule: name.clone() } }
    }

    /// Whether the instance is one of those that the rule's predicates name.
    pub fn is_met_by(&self, path: &InstancePath) -> bool {
        self.tests.iter().all(|(node, test)| {
            path.steps.iter().any(|step| step.node == *node && test.holds(step.predicate.instance()))
        })
    }

    /// Whether the rule can be about that node, its instance aside.
    pub fn concerns(&self, node: &SchemaNode) -> bool {
        if !self.rule.module.matches(node.module) {
            return false;
        }
        let outside_data = node.data_parent.is_none() && matches!(node.kind, NodeKind::Rpc | NodeKind::Notification);
        match &self.rule.target {
            Target::Any => true,
            Target::Operation(name) => node.kind == NodeKind::Rpc && name.as_ref().is_none_or(|n| *n == node.name),
            Target::Notification(name) => {
                node.kind == NodeKind::Notification && name.as_ref().is_none_or(|n| *n == node.name)
            }
            Target::AllData => !outside_data,
            Target::Path(_) => self.covers.contains(&node.id.number()),
            Target::Never => false,
        }
    }
}

fn fill_in(schema: &Schema, node: NodeId, test: &Test, user: &str) -> UserTest {
    let value = |leaf: NodeId, operand: &Operand| {
        let text = match operand {
            Operand::Literal(text) => text,
            Operand::User => user,
        };
        schema.value_json(leaf, text).ok()
    };
    match test {
        Test::Keys(keys) => {
            let names = &schema.node(node).keys;
            let filled = keys.iter().map(|(i, operand)| value(names[*i], operand).map(|value| (*i, value)));
            filled.collect::<Option<Vec<_>>>().map_or(UserTest::Never, UserTest::Keys)
        }
        Test::Value(operand) => value(node, operand).map_or(UserTest::Never, UserTest::Value),
        Test::Position(position) => UserTest::Position(*position),
    }
}

impl UserTest {
    fn holds(&self, instance: Instance<'_>) -> bool {
        match (self, instance) {
            (UserTest::Keys(keys), Instance::Entry(key)) => {
                keys.iter().all(|(i, value)| key.values().get(*i) == Some(value))
            }
            (UserTest::Value(value), Instance::Value(actual)) => value == actual,
            (UserTest::Position(position), Instance::Position(actual)) => *position == actual,
            _ => false,
        }
    }
}

impl Table {
    pub fn extent(&self, node: NodeId) -> Extent {
        self.rows[node.number()].extent
    }

    fn new(access: &UserAccess, operation: AccessOperation) -> Table {
        let schema = &*access.schema;
        let mut rows: Vec<Row> = schema
            .nodes()
            .map(|node| Row { first: NO_RULE, permit: access.default(operation, node.id).permit, extent: Extent::Some })
            .collect();
        let numbered = || access.rules.iter().enumerate().filter(|(_, r)| r.rule.operations.contains(operation));
        // From the last to the first: the first that matches is written over the others.
        for (i, rule) in numbered().rev().filter(|(_, r)| r.tests.is_empty()) {
            let covers = rule.covers.start..rule.covers.end.min(rows.len());
            for node in schema.nodes().skip(covers.start).take(covers.len()).filter(|node| rule.concerns(node)) {
                let row = &mut rows[node.id.number()];
                (row.first, row.permit) = (i as u32, rule.rule.permit);
            }
        }
        // Where a rule with predicates comes first and says otherwise, it depends on the instance.
        let mut depends = vec![false; rows.len()];
        let mut by_instance = Vec::new();
        for (i, rule) in numbered().filter(|(_, r)| !r.tests.is_empty()) {
            by_instance.push(i as u32);
            for node in schema.nodes().skip(rule.covers.start).take(rule.covers.len()) {
                let row = &rows[node.id.number()];
                depends[node.id.number()] |=
                    rule.concerns(node) && (i as u32) < row.first && row.permit != rule.rule.permit;
            }
        }
        let mut all = vec![true; rows.len()];
        for node in schema.nodes().collect::<Vec<_>>().into_iter().rev() {
            let i = node.id.number();
            all[i] &= rows[i].permit && !depends[i];
            rows[i].extent = match (all[i], rows[i].permit || depends[i]) {
                (true, _) => Extent::All,
                (false, true) => Extent::Some,
                (false, false) => Extent::None,
            };
            if let (true, false, Some(parent)) = (node.is_data(), all[i], node.data_parent) {
                all[parent.number()] = false;
            }
        }
        Table { rows, by_instance }
    }
}

impl UserAccess {
    pub(super) fn table(&self, operation: AccessOperation) -> &Table {
        self.tables[operation as usize].get_or_init(|| Table::new(self, operation))
    }

    /// What decides where no rule matches.
    fn default(&self, operation: AccessOperation, node: NodeId) -> Decision {
        let denied = |because| Decision { permit: false, because };
        let deny = self.schema.node(node).default_deny;
        let (permit, leaf) = match operation {
            AccessOperation::Read => (self.defaults.read, "read-default"),
            AccessOperation::Exec => (self.defaults.exec, "exec-default"),
            _ => (self.defaults.write, "write-default"),
        };
        match (operation, deny) {
            (_, DefaultDeny::All) => denied(Because::DefaultDeny(deny)),
            (AccessOperation::Create | AccessOperation::Update | AccessOperation::Delete, DefaultDeny::Write) => {
                denied(Because::DefaultDeny(deny))
            }
            (AccessOperation::Exec, _)
                if is_named(&self.schema, node, "ietf-netconf", &["kill-session", "delete-config"]) =>
            {
                denied(Because::DeniedOperation)
            }
            _ => Decision { permit, because: Because::Default(leaf) },
        }
    }

    /// Puts on `marks` the rules with predicates that this instance, and those above it, have met so far.
    pub(super) fn pass(
        &self,
        operation: AccessOperation,
        node: NodeId,
        instance: Instance<'_>,
        marks: &mut Vec<u32>,
        parent: Range<usize>,
    ) {
        for &i in &self.table(operation).by_instance {
            let tests = &self.rules[i as usize].tests;
            let step = tests.iter().position(|(at, _)| *at == node);
            let met_above = || marks[parent.clone()].contains(&i);
            let met = match step {
                Some(step) => (step == 0 || met_above()) && tests[step].1.holds(instance),
                None => met_above(),
            };
            if met {
                marks.push(i);
            }
        }
    }

    /// Passes all steps of a path; the range of the last one's marks.
    pub(super) fn pass_path(
        &self,
        operation: AccessOperation,
        path: &InstancePath,
        marks: &mut Vec<u32>,
    ) -> Range<usize> {
        let mut own = marks.len()..marks.len();
        for step in &path.steps {
            let start = marks.len();
            self.pass(operation, step.node, step.predicate.instance(), marks, own);
            own = start..marks.len();
        }
        own
    }

    /// The rule that decides, if any: the first of those that match every instance and those met by this one.
    fn deciding(&self, operation: AccessOperation, node: NodeId, marks: &[u32]) -> Option<&UserRule> {
        let first = self.table(operation).rows[node.number()].first;
        let schema_node = self.schema.node(node);
        let by_instance = marks.iter().copied().find(|&i| self.rules[i as usize].concerns(schema_node));
        let first = first.min(by_instance.unwrap_or(NO_RULE));
        self.rules.get(first as usize)
    }

    pub(super) fn permits(&self, operation: AccessOperation, node: NodeId, marks: &[u32]) -> bool {
        match self.deciding(operation, node, marks) {
            Some(rule) => rule.rule.permit,
            None => self.table(operation).rows[node.number()].permit,
        }
    }

    pub(super) fn decide(&self, operation: AccessOperation, node: NodeId, marks: &[u32]) -> Decision {
        match self.deciding(operation, node, marks) {
            Some(rule) => rule.decision(),
            None => self.default(operation, node),
        }
    }
}
