//! Why a user may do something, or may not: each rule that was looked at, and what decided (RFC 8341 section 3.4).

use std::sync::Arc;

use super::compile::{Operand, RulePath, Test, parse_path};
use super::table::UserRule;
use super::{AccessOperation, Because, Decision, Nacm};
use crate::yang::path::{InstancePath, Predicate};
use crate::yang::schema::NodeKind;
use crate::yang::{Key, NodeId, Schema, Tree};

/// What is asked of the access control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question<'q> {
    pub user: &'q str,
    /// Groups by the transport's word; they count where enable-external-groups is true.
    pub external_groups: &'q [String],
    /// None for the receipt of a notification, which takes read access.
    pub operation: Option<AccessOperation>,
    /// With module names: `/module:list[key='…']/leaf`, `/module:rpc`, `/module:notification`.
    pub path: &'q str,
}

/// The answer, with the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The groups of the user; who is in none meets no rule.
    pub groups: Vec<String>,
    pub decision: Decision,
    /// The instance that `looked` is about: the one asked for, or one above it that may not be read. As
    /// [`InstancePath::to_json_form`] has it.
    pub at: String,
    /// In order, up to the rule that decided. None are looked at where access control does not apply.
    pub looked: Vec<Looked>,
}

/// A rule, or a whole rule-list, that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    pub rule_list: Arc<str>,
    /// None for all rules of a list that is for other groups.
    pub rule: Option<Arc<str>>,
    pub finding: Finding,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    OtherGroups,
    OtherModule,
    OtherOperation,
    /// The rule is about another node, RPC or notification, or another kind of these.
    OtherTarget,
    /// Of the same node, but its predicates name other entries.
    OtherInstance,
    Permits,
    Denies,
}

impl Finding {
    pub fn as_str(self) -> &'static str {
        match self {
            Finding::OtherGroups => "is for other groups",
            Finding::OtherModule => "is about another module",
            Finding::OtherOperation => "is about other operations",
            Finding::OtherTarget => "is about something else",
            Finding::OtherInstance => "is about other entries",
            Finding::Permits => "permits it",
            Finding::Denies => "denies it",
        }
    }
}

/// Explains what the rules in `running` say. The error is in words: the path names nothing that the operation can be of.
pub fn explain(running: &Tree, question: &Question<'_>) -> Result<Explanation, String> {
    let schema = running.schema();
    let path = instance(schema, question.path)?;
    let node = path.last().map(|step| schema.node(step.node)).ok_or("the path names no node")?;
    let nacm = Nacm::compile(running, None);
    let view = nacm.user(question.user, question.external_groups);
    let fits = |fits: bool, what: &str| if fits { Ok(()) } else { Err(format!("{} is {what}", question.path)) };
    let (operation, decision) = match question.operation {
        None => {
            fits(node.kind == NodeKind::Notification, "not a notification")?;
            (AccessOperation::Read, view.notification(&path))
        }
        Some(AccessOperation::Exec) => {
            fits(matches!(node.kind, NodeKind::Rpc | NodeKind::Action), "neither an RPC nor an action")?;
            let rpc = node.kind == NodeKind::Rpc;
            (AccessOperation::Exec, if rpc { view.operation(node.id) } else { view.action(&path) })
        }
        Some(operation) => {
            fits(node.is_data(), "no data")?;
            (operation, view.data(operation, &path))
        }
    };
    // What decided is at the first node on the way that may not be read, where there is one.
    let mut at = (operation, path.clone());
    if let Because::Ancestor(_) = decision.because {
        let above = (1..path.steps.len()).map(|n| InstancePath { steps: path.steps[..n].to_vec() });
        let denied = above.into_iter().find(|above| !view.data(AccessOperation::Read, above).permit);
        at = (AccessOperation::Read, denied.unwrap_or(path));
    }
    let external = if nacm.enable_external_groups { question.external_groups } else { &[] };
    let groups = nacm.groups(question.user, external);
    let rules_count = !matches!(decision.because, Because::Disabled | Because::Always) && !groups.is_empty();
    let looked = if rules_count { look(&nacm, question.user, external, at.0, &at.1) } else { Vec::new() };
    Ok(Explanation {
        groups: groups.into_iter().map(str::to_owned).collect(),
        decision,
        at: at.1.to_json_form(schema),
        looked,
    })
}

fn look(nacm: &Nacm, user: &str, external: &[String], operation: AccessOperation, path: &InstancePath) -> Vec<Looked> {
    let groups = nacm.groups(user, external);
    let Some(last) = path.last() else { return Vec::new() };
    let node = nacm.schema.node(last.node);
    let mut looked = Vec::new();
    for list in &nacm.rule_lists {
        if !list.applies_to(&groups) {
            looked.push(Looked { rule_list: list.name.clone(), rule: None, finding: Finding::OtherGroups });
            continue;
        }
        for rule in &list.rules {
            let own = UserRule::new(&nacm.schema, rule, user);
            let finding = if !rule.module.matches(node.module) {
                Finding::OtherModule
            } else if !rule.operations.contains(operation) {
                Finding::OtherOperation
            } else if !own.concerns(node) {
                Finding::OtherTarget
            } else if !own.is_met_by(path) {
                Finding::OtherInstance
            } else if rule.permit {
                Finding::Permits
            } else {
                Finding::Denies
            };
            looked.push(Looked { rule_list: list.name.clone(), rule: Some(rule.name.clone()), finding });
            if matches!(finding, Finding::Permits | Finding::Denies) {
                return looked;
            }
        }
    }
    looked
}

/// The instance at a path that a person wrote.
fn instance(schema: &Schema, text: &str) -> Result<InstancePath, String> {
    let parsed = parse_path(schema, text).ok_or_else(|| format!("there is no node {text} in the modules"))?;
    let RulePath { target, tests } = parsed.ok_or("the path names no node")?;
    let mut route = vec![target];
    while let Some(above) = schema.node(route[route.len() - 1]).data_parent {
        route.push(above);
    }
    let mut path = InstancePath::default();
    for node in route.into_iter().rev() {
        let mut of_node = tests.iter().filter(|(at, _)| *at == node).map(|(_, test)| test);
        path.push(node, predicate(schema, node, of_node.next())?);
    }
    Ok(path)
}

fn predicate(schema: &Schema, node: NodeId, test: Option<&Test>) -> Result<Predicate, String> {
    let definition = schema.node(node);
    let literal = |leaf: NodeId, operand: &Operand| match operand {
        Operand::Literal(text) => schema.value_json(leaf, text).map_err(|error| error.message),
        Operand::User => Err("$USER is for rules: name the user".to_owned()),
    };
    match test {
        Some(Test::Keys(keys)) if keys.len() == definition.keys.len() => {
            let mut keys: Vec<_> = keys.iter().collect();
            keys.sort_by_key(|(position, _)| *position);
            let values = keys.into_iter().map(|(position, operand)| literal(definition.keys[*position], operand));
            values.collect::<Result<Vec<_>, _>>().map(|values| Predicate::Key(Key::new(values)))
        }
        Some(Test::Value(operand)) => literal(node, operand).map(Predicate::Value),
        Some(Test::Position(position)) if definition.is_keyless() => Ok(Predicate::Position(*position)),
        None if definition.kind != NodeKind::List || definition.is_keyless() => Ok(Predicate::None),
        _ => {
            let keys: String = definition.keys.iter().map(|key| format!("[{}='…']", schema.node(*key).name)).collect();
            Err(format!("rules can tell entries apart: name one, {}{keys}", schema.path(node)))
        }
    }
}

/// Where in /nacm what decided can be read. None where nothing there decided.
pub(super) fn source(schema: &Schema, because: &Because) -> Option<InstancePath> {
    let text = |leaf: &str, value: &Arc<str>| {
        let key = schema.find(leaf)?;
        Some(Predicate::Key(Key::One(schema.value_json(key, value).ok()?)))
    };
    let mut path = InstancePath::default();
    path.push(schema.find("/ietf-netconf-acm:nacm")?, Predicate::None);
    match because {
        Because::Rule { rule_list, rule } => {
            let list = text("/ietf-netconf-acm:nacm/rule-list/name", rule_list)?;
            path.push(schema.find("/ietf-netconf-acm:nacm/rule-list")?, list);
            let rule = text("/ietf-netconf-acm:nacm/rule-list/rule/name", rule)?;
            path.push(schema.find("/ietf-netconf-acm:nacm/rule-list/rule")?, rule);
        }
        Because::Default(leaf) => {
            path.push(schema.find(&format!("/ietf-netconf-acm:nacm/{leaf}"))?, Predicate::None);
        }
        Because::Ancestor(because) => return source(schema, because),
        // That there is no rule is told to those who may read the rules.
        Because::DefaultDeny(_) | Because::DeniedOperation => {}
        Because::Disabled | Because::Recovery | Because::Always => return None,
    }
    Some(path)
}
