//! Operational state as a feed changes it: what is given is merged, what is named is deleted.

use std::sync::Arc;

use netconf::yang::path::{InstancePath, Predicate, Step};
use netconf::yang::tree::{Content, Inner};
use netconf::yang::{NodeId, NodeKind, Schema, Tree};

/// `state` with what is given: containers and entries are merged into those that are there, and a leaf, a leaf-list and a
/// list without keys is as given. Data of one case takes the place of another's (RFC 7950 section 7.9).
pub fn merged(state: &Tree, given: &Tree) -> Tree {
    let mut state = state.clone();
    let schema = state.schema().clone();
    merge(&schema, state.root_mut(), given.root());
    state
}

fn merge(schema: &Schema, ours: &mut Inner, given: &Inner) {
    for child in given.iter() {
        for (choice, case) in schema.cases(child.node) {
            leave_other_cases(schema, ours, choice, case);
        }
        match (ours.get_mut(child.node).map(|ours| &mut ours.content), &child.content) {
            (Some(Content::Container(ours)), Content::Container(given)) => merge(schema, ours, given),
            (Some(Content::List(ours)), Content::List(given)) if !schema.node(child.node).is_keyless() => {
                for (key, entry) in given.iter().filter_map(|(key, entry)| Some((key?, entry))) {
                    match ours.get_mut(key) {
                        Some(ours) => merge(schema, ours, entry),
                        None => ours.insert(key.clone(), entry.clone()),
                    }
                }
            }
            _ => ours.set(child.node, child.content.clone(), child.default),
        }
    }
}

fn leave_other_cases(schema: &Schema, inner: &mut Inner, choice: NodeId, case: NodeId) {
    let is_other = |node: NodeId| schema.is_within(node, choice) && !schema.is_within(node, case);
    let others: Vec<NodeId> = inner.iter().map(|child| child.node).filter(|&node| is_other(node)).collect();
    for other in others {
        inner.remove(other);
    }
}

/// `state` without what stands at `path`, and without the lists and the containers that mean nothing empty which that
/// leaves around it; None where nothing stands there.
pub fn without(state: &Tree, path: &InstancePath) -> Option<Tree> {
    let mut state = state.clone();
    let schema = state.schema().clone();
    remove(&schema, state.root_mut(), &path.steps).then_some(state)
}

fn remove(schema: &Schema, inner: &mut Inner, steps: &[Step]) -> bool {
    let Some((step, below)) = steps.split_first() else { return false };
    let Some(child) = inner.get_mut(step.node) else { return false };
    let (removed, is_empty) = match (&mut child.content, &step.predicate) {
        (_, Predicate::None) if below.is_empty() => (true, true),
        (Content::Container(inner), Predicate::None) => {
            let removed = remove(schema, inner, below);
            let means_something = schema.node(step.node).kind == NodeKind::Container { presence: true };
            (removed, inner.is_empty() && !means_something)
        }
        (Content::List(list), Predicate::Key(key)) => {
            let removed = match below {
                [] => list.remove(key).is_some(),
                _ => list.get_mut(key).is_some_and(|entry| remove(schema, entry, below)),
            };
            (removed, list.is_empty())
        }
        (Content::LeafList(values), Predicate::Value(value)) => {
            let left: Vec<_> = values.iter().filter(|other| *other != value).cloned().collect();
            let removed = left.len() < values.len();
            *values = Arc::new(left);
            (removed, values.is_empty())
        }
        _ => (false, false),
    };
    if removed && is_empty {
        inner.remove(step.node);
    }
    removed
}
