//! `/nacm` of a datastore read into rules.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use smol_str::SmolStr;
use tracing::warn;

use super::{AccessOperation, Defaults, Nacm};
use crate::yang::{Content, Inner, ModuleId, NodeId, NodeKind, Schema, Tree};

pub(super) struct RuleList {
    pub name: Arc<str>,
    /// The group `*`.
    all_groups: bool,
    groups: Vec<String>,
    pub rules: Vec<Arc<Rule>>,
}

impl RuleList {
    pub fn applies_to(&self, groups: &BTreeSet<&str>) -> bool {
        self.all_groups || self.groups.iter().any(|group| groups.contains(group.as_str()))
    }
}

pub(super) struct Rule {
    pub rule_list: Arc<str>,
    pub name: Arc<str>,
    pub module: ModuleName,
    pub target: Target,
    pub operations: Operations,
    pub permit: bool,
}

pub(super) enum ModuleName {
    Any,
    One(ModuleId),
    /// Nothing is of a module that the schema does not have.
    Unknown,
}

impl ModuleName {
    pub fn matches(&self, module: ModuleId) -> bool {
        match self {
            ModuleName::Any => true,
            ModuleName::One(id) => *id == module,
            ModuleName::Unknown => false,
        }
    }
}

/// The choice rule-type. A name None is `*`.
pub(super) enum Target {
    Any,
    Operation(Option<SmolStr>),
    Notification(Option<SmolStr>),
    /// The path `/`.
    AllData,
    Path(RulePath),
    Never,
}

pub(super) struct RulePath {
    pub target: NodeId,
    pub tests: Vec<(NodeId, Test)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// By position in the key statement; a key that is not named can have any value.
    Keys(Vec<(usize, Operand)>),
    Value(Operand),
    Position(usize),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Operand {
    Literal(String),
    User,
}

/// A set of access operations.
#[derive(Clone, Copy)]
pub(super) struct Operations(u8);

impl Operations {
    fn parse(text: &str) -> Operations {
        use AccessOperation::*;
        let all = [Create, Read, Update, Delete, Exec];
        let named = all.into_iter().filter(|o| text == "*" || text.split_ascii_whitespace().any(|t| t == o.as_str()));
        Operations(named.fold(0, |bits, operation| bits | 1 << operation as u8))
    }

    pub fn contains(self, operation: AccessOperation) -> bool {
        self.0 & 1 << operation as u8 != 0
    }
}

const MODULE: &str = "ietf-netconf-acm";

pub(super) fn compile(running: &Tree, previous: Option<&Arc<Nacm>>) -> Arc<Nacm> {
    let schema = running.schema();
    let nacm = schema.find("/ietf-netconf-acm:nacm").filter(|_| implemented(schema));
    let source = nacm.and_then(|id| running.root().container(id)).cloned();
    if let Some(previous) = previous
        && Arc::ptr_eq(&previous.schema, schema)
        && match (&source, &previous.source) {
            (Some(now), Some(before)) => now.shares(before),
            (None, None) => true,
            _ => false,
        }
    {
        return previous.clone();
    }
    let empty = Inner::default();
    let reader = Reader { schema, parent: nacm, inner: source.as_ref().unwrap_or(&empty) };
    let permits = |leaf, default: bool| reader.text(leaf).map_or(default, |text| text == "permit");
    let is_true = |leaf| reader.text(leaf).is_none_or(|text| text == "true");
    let mut groups_of: HashMap<String, Vec<String>> = HashMap::new();
    if let Some(groups) = reader.container("groups") {
        for group in groups.entries("group") {
            let Some(name) = group.text("name") else { continue };
            for user in group.texts("user-name") {
                groups_of.entry(user).or_default().push(name.clone());
            }
        }
    }
    Arc::new(Nacm {
        schema: schema.clone(),
        enabled: nacm.is_some() && is_true("enable-nacm"),
        defaults: Defaults {
            read: permits("read-default", true),
            write: permits("write-default", false),
            exec: permits("exec-default", true),
        },
        enable_external_groups: is_true("enable-external-groups"),
        groups_of,
        rule_lists: reader.entries("rule-list").iter().map(rule_list).collect(),
        counters: previous.map(|p| p.counters.clone()).unwrap_or_default(),
        users: Mutex::default(),
        source,
    })
}

fn implemented(schema: &Schema) -> bool {
    schema.module_by_name(MODULE).is_some_and(|id| schema.module(id).implemented)
}

fn rule_list(entry: &Reader<'_>) -> RuleList {
    let name: Arc<str> = entry.text("name").unwrap_or_default().into();
    let groups = entry.texts("group");
    RuleList {
        name: name.clone(),
        all_groups: groups.iter().any(|group| group == "*"),
        groups,
        rules: entry.entries("rule").iter().map(|rule| Arc::new(read_rule(&name, rule))).collect(),
    }
}

fn read_rule(rule_list: &Arc<str>, entry: &Reader<'_>) -> Rule {
    let schema = entry.schema;
    let name: Arc<str> = entry.text("name").unwrap_or_default().into();
    let or_all = |text: String| (text != "*").then(|| SmolStr::from(text));
    let target = if let Some(rpc) = entry.text("rpc-name") {
        Target::Operation(or_all(rpc))
    } else if let Some(notification) = entry.text("notification-name") {
        Target::Notification(or_all(notification))
    } else if let Some(path) = entry.text("path") {
        match parse_path(schema, &path) {
            Some(None) => Target::AllData,
            Some(Some(path)) => Target::Path(path),
            None => {
                warn!(%rule_list, rule = %name, path, "no node of this server is at the rule's path");
                Target::Never
            }
        }
    } else {
        Target::Any
    };
    Rule {
        rule_list: rule_list.clone(),
        name,
        module: match entry.text("module-name").as_deref() {
            None | Some("*") => ModuleName::Any,
            Some(module) => schema.module_by_name(module).map_or(ModuleName::Unknown, ModuleName::One),
        },
        target,
        operations: Operations::parse(entry.text("access-operations").as_deref().unwrap_or("*")),
        permit: entry.text("action").as_deref() == Some("permit"),
    }
}

/// A node-instance-identifier with module names. Some(None) is `/`; None is what this schema has no node for.
pub(super) fn parse_path(schema: &Schema, text: &str) -> Option<Option<RulePath>> {
    let mut rest = text.trim().strip_prefix('/')?;
    if rest.is_empty() {
        return Some(None);
    }
    let mut at: Option<NodeId> = None;
    let mut module = None;
    let mut tests = Vec::new();
    loop {
        let end = rest.find(['/', '[']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let local = match name.trim().split_once(':') {
            Some((prefix, local)) => {
                module = Some(schema.module_by_name(prefix)?);
                local
            }
            None => name.trim(),
        };
        let node = schema.child(at, module?, local)?;
        at = Some(node);
        rest = after.trim_start();
        let mut keys = Vec::new();
        while let Some(inside) = rest.strip_prefix('[') {
            let (left, right, behind) = predicate(inside)?;
            rest = behind.trim_start();
            let operand = match right {
                None => {
                    tests.push((node, Test::Position(left.parse().ok()?)));
                    continue;
                }
                Some(operand) => operand,
            };
            if left == "." {
                tests.push((node, Test::Value(operand)));
                continue;
            }
            let key = left.split_once(':').map_or(left, |(_, local)| local);
            keys.push((schema.node(node).keys.iter().position(|&id| schema.node(id).name == key)?, operand));
        }
        if !keys.is_empty() {
            tests.push((node, Test::Keys(keys)));
        }
        match rest.strip_prefix('/') {
            Some(next) => rest = next,
            None if rest.is_empty() => return Some(Some(RulePath { target: node, tests })),
            None => return None,
        }
    }
}

/// The inside of a predicate: what stands left and right of `=`, or a position alone, and what follows the `]`.
fn predicate(text: &str) -> Option<(&str, Option<Operand>, &str)> {
    let stop = text.find(['=', ']'])?;
    let left = text[..stop].trim();
    if text[stop..].starts_with(']') {
        return Some((left, None, &text[stop + 1..]));
    }
    let right = text[stop + 1..].trim_start();
    if let Some(after) = right.strip_prefix("$USER") {
        return Some((left, Some(Operand::User), after.trim_start().strip_prefix(']')?));
    }
    let quote = right.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (value, after) = right[1..].split_once(quote)?;
    Some((left, Some(Operand::Literal(value.to_owned())), after.trim_start().strip_prefix(']')?))
}

/// Reads a container or entry by the names of its module.
struct Reader<'a> {
    schema: &'a Schema,
    parent: Option<NodeId>,
    inner: &'a Inner,
}

impl<'a> Reader<'a> {
    fn content(&self, name: &str) -> Option<(NodeId, &'a Content)> {
        let parent = self.schema.node(self.parent?);
        let node = self.schema.child(self.parent, parent.module, name)?;
        Some((node, &self.inner.get(node)?.content))
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.content(name)?.1 {
            Content::Leaf(value) => Some(value.text().into_owned()),
            _ => None,
        }
    }

    fn texts(&self, name: &str) -> Vec<String> {
        match self.content(name) {
            Some((_, Content::LeafList(values))) => values.iter().map(|value| value.text().into_owned()).collect(),
            _ => Vec::new(),
        }
    }

    fn container(&self, name: &str) -> Option<Reader<'a>> {
        match self.content(name)? {
            (node, Content::Container(inner)) => Some(Reader { schema: self.schema, parent: Some(node), inner }),
            _ => None,
        }
    }

    fn entries(&self, name: &str) -> Vec<Reader<'a>> {
        match self.content(name) {
            Some((node, Content::List(list))) => {
                debug_assert_eq!(self.schema.node(node).kind, NodeKind::List);
                list.iter().map(|(_, inner)| Reader { schema: self.schema, parent: Some(node), inner }).collect()
            }
            _ => Vec::new(),
        }
    }
}
