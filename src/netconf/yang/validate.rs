//! What spans nodes (RFC 7950 section 8): must, when, leafref, mandatory, unique, min- and max-elements.
//!
//! The answers are libyang's, on a mirror of the datastore that follows its versions by their difference. What an edit
//! cannot affect is not looked at: [`Reach`] knows which nodes a constraint can see.

use std::sync::Arc;

use super::diff::{Change, Edit, diff, diff_with_defaults};
use super::ffi::Fault;
use super::ffi::data::{self, Cursor, DataTree, Kind};
use super::path::{self, Predicate};
use super::schema::{NodeId, NodeKind, Schema};
use super::tree::{Content, Inner, Key, Tree};
use super::value::Value;
use crate::error::{ErrorInfo, ErrorPath, ErrorType, RpcError};

/// Validates the versions of one datastore, one after another.
pub struct Validator {
    schema: Arc<Schema>,
    reach: Reach,
    mirror: Option<Mirror>,
}

struct Mirror {
    data: DataTree,
    at: Tree,
}

impl Validator {
    pub fn new(schema: Arc<Schema>) -> Validator {
        Validator { reach: Reach::new(&schema), schema, mirror: None }
    }

    /// Checks `new`, given that `old` is valid. Returns `new` as it is in force: with the defaults that a `when`
    /// enables, and without what a `when` that turned false takes away.
    pub fn validate(&mut self, old: &Tree, new: &Tree) -> Result<Tree, Vec<RpcError>> {
        if old.same_version(new) || !diff(old, new).iter().any(|edit| self.reach.affects(edit)) {
            return Ok(new.clone());
        }
        self.validate_all(new)
    }

    /// Checks all of `new`.
    pub fn validate_all(&mut self, new: &Tree) -> Result<Tree, Vec<RpcError>> {
        let mut mirror = match self.mirror.take() {
            Some(mirror) => mirror,
            None => Mirror { data: DataTree::new(), at: Tree::new(self.schema.clone()) },
        };
        let schema = &*self.schema;
        for edit in diff_with_defaults(&mirror.at, new) {
            apply(schema, &mut mirror.data, &edit).map_err(|fault| vec![rpc_error(schema, Kind::Config, fault)])?;
        }
        // After a failure the mirror is somewhere between versions: it is dropped and built again when next needed.
        let changes = mirror.data.validate(schema.context(), Kind::Config, None).map_err(|faults| {
            faults.into_iter().map(|fault| rpc_error(schema, Kind::Config, fault)).collect::<Vec<_>>()
        })?;
        let mut valid = new.clone();
        for change in changes {
            if !change.created || self.reach.is_conditional(schema, &change) {
                take_over(schema, &mut valid, &change);
            }
        }
        self.mirror = Some(Mirror { data: mirror.data, at: valid.clone() });
        Ok(valid)
    }

    /// Checks configuration with state, as `<get>` and files have it, by itself.
    pub fn validate_data(schema: &Schema, data: &Tree) -> Result<(), Vec<RpcError>> {
        let errors = |faults: Vec<Fault>| {
            faults.into_iter().map(|fault| rpc_error(schema, Kind::Config, fault)).collect::<Vec<_>>()
        };
        let mut mirror = DataTree::new();
        build(schema, &mut mirror, None, data.root()).map_err(|fault| errors(vec![fault]))?;
        mirror.validate(schema.context(), Kind::Data, None).map(|_| ()).map_err(errors)
    }

    /// Checks the input or output of an RPC or action, or a notification, against itself and `datastore`.
    pub fn validate_operation(&mut self, operation: &Tree, kind: Kind, datastore: &Tree) -> Result<(), Vec<RpcError>> {
        let schema = &*self.schema.clone();
        let mut data = DataTree::new();
        let fail = |fault| vec![rpc_error(schema, kind, fault)];
        build(schema, &mut data, None, operation.root()).map_err(fail)?;
        if self.mirror.is_none() && self.reach.operations_see_data {
            self.validate_all(datastore)?;
        }
        let dependencies = self.mirror.as_ref().map(|m| &m.data);
        data.validate(schema.context(), kind, dependencies)
            .map(|_| ())
            .map_err(|faults| faults.into_iter().map(|fault| rpc_error(schema, kind, fault)).collect())
    }
}

/// Which nodes constraints can see, worked out once for a schema.
struct Reach {
    /// A change of the node's value can affect a constraint.
    value: Vec<bool>,
    /// That it, or something below it, comes or goes can.
    presence: Vec<bool>,
    /// It or a node above it has a `when`.
    conditional: Vec<bool>,
    /// Some RPC, action or notification has an expression that looks at a datastore.
    operations_see_data: bool,
}

impl Reach {
    fn new(schema: &Schema) -> Reach {
        let count = schema.nodes().count();
        let mut reach = Reach {
            value: vec![false; count],
            presence: vec![false; count],
            conditional: vec![false; count],
            operations_see_data: false,
        };
        let mut everything = false;
        for node in schema.nodes() {
            let id = node.id.number();
            let above = node.data_parent.is_some_and(|p| reach.conditional[p.number()]);
            reach.conditional[id] = node.has_when || above;
            let constrained =
                node.has_when || node.has_must || node.leaf_type.as_ref().is_some_and(|t| t.needs_instance());
            if constrained {
                if !node.config {
                    reach.operations_see_data = true;
                }
                // What state or operations say about configuration does not constrain the configuration.
                if node.config {
                    reach.value[id] = true;
                    match schema.context().atoms(schema.pointer(node.id)) {
                        Some(atoms) => {
                            for atom in atoms.into_iter().filter_map(|a| schema.by_pointer(a)) {
                                reach.value[atom.number()] = true;
                            }
                        }
                        None => everything = true,
                    }
                }
            }
            let counted = node.mandatory || node.min_elements > 0 || node.max_elements != u32::MAX;
            if counted && node.config && !node.is_key {
                reach.presence[id] = true;
                // An entry or container that appears without it is an error too.
                if let Some(parent) = node.data_parent {
                    reach.presence[parent.number()] = true;
                }
                if node.kind == NodeKind::Choice {
                    for other in schema.nodes().filter(|n| schema.is_within(n.id, node.id)) {
                        reach.presence[other.id.number()] = true;
                    }
                }
            }
            if node.has_unique {
                for other in schema.nodes().filter(|n| schema.is_within(n.id, node.id)) {
                    reach.value[other.id.number()] = true;
                }
            }
        }
        if everything {
            reach.value.fill(true);
        }
        // From the leaves up: ids ascend in pre-order.
        for i in (0..count).rev() {
            reach.presence[i] |= reach.value[i];
        }
        let parents: Vec<(usize, Option<usize>)> =
            schema.nodes().map(|n| (n.id.number(), n.data_parent.map(|p| p.number()))).collect();
        for (id, parent) in parents.into_iter().rev() {
            if let Some(parent) = parent
                && reach.presence[id]
            {
                reach.presence[parent] = true;
            }
        }
        reach
    }

    fn affects(&self, edit: &Edit) -> bool {
        let id = edit.node().number();
        match edit.change {
            Change::Modify | Change::Move => self.value[id],
            Change::Create | Change::Delete => self.presence[id],
        }
    }

    fn is_conditional(&self, schema: &Schema, change: &data::Change) -> bool {
        let last = change.steps.last().and_then(|(pointer, _)| schema.by_pointer(*pointer));
        last.is_some_and(|id| self.conditional[id.number()])
    }
}

fn apply(schema: &Schema, data: &mut DataTree, edit: &Edit) -> Result<(), Fault> {
    let context = schema.context();
    let (last, around) = edit.path.steps.split_last().expect("an edit is of a node");
    let mut parent: Option<Cursor> = None;
    for step in around {
        let pointer = schema.pointer(step.node);
        let found = with_texts(&step.predicate, |keys| data.find(context, parent, pointer, keys));
        parent = Some(match (found, &step.predicate) {
            (Some(cursor), _) => cursor,
            (None, Predicate::Key(key)) => {
                let keys: Vec<_> = key.values().iter().map(Value::text).collect();
                data.add_list(context, parent, pointer, &keys.iter().map(|k| &**k).collect::<Vec<_>>())?
            }
            (None, _) => data.add_container(context, parent, pointer)?,
        });
    }
    let pointer = schema.pointer(last.node);
    if edit.change == Change::Move {
        return Ok(());
    }
    // The first value set takes the place of the defaults.
    if edit.change == Change::Create
        && schema.node(last.node).kind == NodeKind::LeafList
        && data.find(context, parent, pointer, &[]).is_some_and(|first| data.is_default(first))
    {
        data.remove_all(context, parent, pointer);
    }
    if let Some(old) = with_texts(&last.predicate, |keys| data.find(context, parent, pointer, keys)) {
        data.remove(old);
    }
    match &edit.after {
        Some(content) if edit.change != Change::Delete => {
            add(schema, data, parent, last.node, &last.predicate, content)
        }
        _ => Ok(()),
    }
}

fn with_texts<R>(predicate: &Predicate, with: impl FnOnce(&[&str]) -> R) -> R {
    let values = match predicate {
        Predicate::Key(key) => key.values(),
        Predicate::Value(value) => std::slice::from_ref(value),
        _ => &[],
    };
    let texts: Vec<_> = values.iter().map(Value::text).collect();
    with(&texts.iter().map(|t| &**t).collect::<Vec<_>>())
}

fn add(
    schema: &Schema,
    data: &mut DataTree,
    parent: Option<Cursor>,
    id: NodeId,
    predicate: &Predicate,
    content: &Content,
) -> Result<(), Fault> {
    let context = schema.context();
    let pointer = schema.pointer(id);
    match content {
        Content::Leaf(value) => data.add_term(context, parent, pointer, &value.text()).map(|_| ()),
        Content::Any(_) => data.add_any(context, parent, pointer).map(|_| ()),
        Content::Container(inner) => {
            let cursor = match predicate {
                Predicate::Key(key) => {
                    let keys: Vec<_> = key.values().iter().map(Value::text).collect();
                    data.add_list(context, parent, pointer, &keys.iter().map(|k| &**k).collect::<Vec<_>>())?
                }
                Predicate::Position(_) => data.add_list(context, parent, pointer, &[])?,
                _ => data.add_container(context, parent, pointer)?,
            };
            build(schema, data, Some(cursor), inner)
        }
        Content::LeafList(values) => {
            values.iter().try_for_each(|v| data.add_term(context, parent, pointer, &v.text()).map(|_| ()))
        }
        Content::List(list) => list.iter().try_for_each(|(key, entry)| {
            let predicate = match key {
                Some(key) => Predicate::Key(key.clone()),
                None => Predicate::Position(1),
            };
            add(schema, data, parent, id, &predicate, &Content::Container(entry.clone()))
        }),
    }
}

/// Adds what is set in `inner`; keys are in their entries already.
fn build(schema: &Schema, data: &mut DataTree, parent: Option<Cursor>, inner: &Inner) -> Result<(), Fault> {
    for child in inner.iter().filter(|c| !c.default) {
        let node = schema.node(child.node);
        match (node.kind, &child.content) {
            _ if node.is_key && node.data_parent.is_some_and(|p| schema.node(p).kind == NodeKind::List) => {}
            // Input and output are nodes of the schema only.
            (NodeKind::Input | NodeKind::Output, Content::Container(inner)) => build(schema, data, parent, inner)?,
            _ => add(schema, data, parent, child.node, &Predicate::None, &child.content)?,
        }
    }
    Ok(())
}

/// Brings a change that libyang made into our tree.
fn take_over(schema: &Schema, tree: &mut Tree, change: &data::Change) {
    let Some((last, around)) = change.steps.split_last() else { return };
    let mut inner = tree.root_mut();
    for (pointer, keys) in around {
        let Some(id) = schema.by_pointer(*pointer) else { return };
        inner = match schema.node(id).kind {
            NodeKind::List => {
                let Some(key) = key_of(schema, id, keys) else { return };
                let Some(entry) = inner.list_mut(schema, id).get_mut(&key) else { return };
                entry
            }
            _ if !change.created && !inner.contains(id) => return,
            _ => inner.container_mut(id),
        };
    }
    let (pointer, keys) = last;
    let Some(id) = schema.by_pointer(*pointer) else { return };
    let value = change.value.as_deref().and_then(|text| schema.value_json(id, text).ok());
    match (schema.node(id).kind, value) {
        (NodeKind::List, _) => {
            if let Some(key) = key_of(schema, id, keys) {
                let list = inner.list_mut(schema, id);
                list.remove(&key);
                if list.is_empty() {
                    inner.remove(id);
                }
            }
        }
        (NodeKind::LeafList, Some(value)) => {
            let mut values = match inner.get(id).map(|c| &c.content) {
                Some(Content::LeafList(values)) => values.to_vec(),
                _ => Vec::new(),
            };
            if change.created {
                if !values.contains(&value) {
                    values.push(value);
                }
            } else {
                values.retain(|v| *v != value);
            }
            if values.is_empty() {
                inner.remove(id);
            } else {
                inner.set(id, Content::LeafList(Arc::new(values)), change.created);
            }
        }
        (NodeKind::Leaf, Some(value)) if change.created => {
            if !inner.contains(id) {
                inner.set(id, Content::Leaf(value), true);
            }
        }
        _ => {
            inner.remove(id);
        }
    }
}

fn key_of(schema: &Schema, list: NodeId, texts: &[String]) -> Option<Key> {
    let keys = &schema.node(list).keys;
    let values = keys.iter().zip(texts).map(|(&key, text)| schema.value_json(key, text).ok());
    values.collect::<Option<Vec<_>>>().map(Key::new)
}

/// RFC 7950 section 15 and the decisions in docs/netconf.md.
fn rpc_error(schema: &Schema, kind: Kind, fault: Fault) -> RpcError {
    let quoted = |n: usize| fault.message.split('"').nth(2 * n + 1).unwrap_or_default().to_owned();
    let begins = |text: &str| fault.message.starts_with(text);
    let app_tag = fault.app_tag.clone();
    let mut path = fault.path.clone().unwrap_or_default();
    let with_child = |path: &str, name: &str| {
        if !path.is_empty() && path != "/" {
            return format!("{path}/{name}");
        }
        let module = schema.top().iter().find(|&&id| schema.node(id).name == name).map(|&id| schema.module_of(id));
        format!("/{}:{name}", module.map_or("", |m| m.name.as_str()))
    };
    let mut error = if begins("Mandatory node") {
        path = with_child(&path, &quoted(0));
        if kind == Kind::Config {
            RpcError::data_missing(fault.message.clone())
        } else {
            // Of a request: what is missing is a parameter (RFC 6241 appendix A).
            let mut error = RpcError::missing_element(&quoted(0)).with_type(ErrorType::Application);
            error.message = Some(fault.message.clone());
            error
        }
    } else if begins("Mandatory choice") {
        RpcError::data_missing(fault.message.clone()).with_info(ErrorInfo::Other {
            namespace: "urn:ietf:params:xml:ns:yang:1".into(),
            name: "missing-choice".into(),
            text: quoted(0),
            namespaces: Vec::new(),
        })
    } else if begins("When condition") {
        let name = path.rsplit('/').next().unwrap_or_default();
        let name = name.split('[').next().unwrap_or_default();
        let name = name.rsplit(':').next().unwrap_or_default().to_owned();
        let mut error = RpcError::unknown_element(&name);
        error.message = Some(fault.message.clone());
        error
    } else if app_tag.as_deref() == Some("instance-required") {
        RpcError::data_missing(fault.message.clone())
    } else if begins("Unique data leaf(s)") {
        let mut error = RpcError::operation_failed(fault.message.clone());
        // One for each leaf of each entry (RFC 7950 section 15.1).
        for entry in 1..=2 {
            for leaf in quoted(0).split(' ') {
                let ErrorPath { text, namespaces } = error_path(schema, &format!("{}/{leaf}", quoted(entry)));
                error = error.with_info(ErrorInfo::Other {
                    namespace: "urn:ietf:params:xml:ns:yang:1".into(),
                    name: "non-unique".into(),
                    text,
                    namespaces,
                });
            }
        }
        error
    } else {
        if matches!(app_tag.as_deref(), Some("too-many-elements" | "too-few-elements")) {
            // The list or leaf-list is at fault, not one of its entries (RFC 7950 sections 15.2 and 15.3).
            let (above, last) = path.rsplit_once('/').unwrap_or(("", &path));
            let name = last.split('[').next().unwrap_or_default();
            let found = name.rsplit(':').next() == Some(quoted(0).as_str());
            path = if found { format!("{above}/{name}") } else { with_child(&path, &quoted(0)) };
        }
        RpcError::operation_failed(fault.message.clone())
    };
    if let Some(tag) = app_tag {
        error = error.with_app_tag(tag);
    }
    if path.is_empty() { error } else { error.with_path(error_path(schema, &path)) }
}

/// libyang's data path with a prefix on every name, and the namespaces of the prefixes.
fn error_path(schema: &Schema, json: &str) -> ErrorPath {
    let text = path::expand(json);
    let value = Value::Qualified(text.as_str().into());
    ErrorPath { text, namespaces: path::modules_in(schema, &value) }
}

#[cfg(test)]
mod tests;
