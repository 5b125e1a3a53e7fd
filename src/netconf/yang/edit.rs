//! `<edit-config>` on a tree (RFC 6241 section 7.2, RFC 7950 section 7): where structural error-tags are decided.
//!
//! Values are checked as they are read; what spans nodes (mandatory, must, leafref, …) is [`super::validate`]'s.

use std::collections::HashMap;
use std::sync::Arc;

use super::access::ReadAccess;
use super::defaults;
use super::path::{InstancePath, Predicate};
use super::schema::{NodeId, NodeKind, Schema, ValueError};
use super::tree::{Content, Inner, Tree};
use super::value::Value;
use crate::error::RpcError;
use crate::xml::Element;

mod entry;
mod wish;

use wish::{Insert, Wish};

/// The `operation` attribute, and the default-operation parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Merge,
    Replace,
    Create,
    Delete,
    Remove,
    None,
}

impl std::str::FromStr for Operation {
    type Err = ();

    fn from_str(text: &str) -> Result<Operation, ()> {
        Ok(match text {
            "merge" => Operation::Merge,
            "replace" => Operation::Replace,
            "create" => Operation::Create,
            "delete" => Operation::Delete,
            "remove" => Operation::Remove,
            "none" => Operation::None,
            _ => return Err(()),
        })
    }
}

pub const NETCONF_NAMESPACE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";

/// Applies the children of `config` to `target`. The tree holds all that could be applied; where there are errors it
/// is for continue-on-error only.
pub fn edit(target: &Tree, config: Element<'_>, default: Operation) -> (Tree, Vec<RpcError>) {
    edit_for(None, target, config, default)
}

/// The same for a user with these rights: whether something is there that the user may not read is not told, and the error
/// is access-denied in either case (RFC 8341 section 3.2.5).
pub fn edit_for(
    reader: Option<&dyn ReadAccess>,
    target: &Tree,
    config: Element<'_>,
    default: Operation,
) -> (Tree, Vec<RpcError>) {
    let schema = target.schema().clone();
    let mut root = target.root().clone();
    let mut editor = Editor { reader, ..Editor::new(&schema, Mode::Edit) };
    // At the top, replace means the datastore (RFC 6241 section 7.2, default-operation).
    if default == Operation::Replace {
        root = Inner::default();
    }
    editor.children(&mut root, None, config, default);
    let errors = editor.errors;
    (Tree::with_root(schema, root), errors)
}

/// The whole of a configuration given as XML, as for `<copy-config>` from inline `<config>`. Attributes that ask for
/// changes have no place in it, and an entry or value can stand in it once.
pub fn read_config(schema: &Arc<Schema>, config: Element<'_>) -> Result<Tree, Vec<RpcError>> {
    read(schema, Mode::Config, |editor, root| {
        editor.children(root, None, config, Operation::Merge);
    })
}

/// Data of any kind, state included: the content of `<data>`, of a file, or of a reply.
pub fn read_data(schema: &Arc<Schema>, data: Element<'_>) -> Result<Tree, Vec<RpcError>> {
    read(schema, Mode::Data, |editor, root| {
        editor.children(root, None, data, Operation::Merge);
    })
}

/// The same of a server that may know more than the schema: what could be read, and what of it could not and why (the first
/// [`MAX_ERRORS`]). A leaf with a value that the schema does not have is left out alone.
pub fn read_known_data(schema: &Arc<Schema>, data: Element<'_>) -> (Tree, Vec<RpcError>) {
    let mut root = Inner::default();
    let mut editor = Editor::new(schema, Mode::Data);
    editor.children(&mut root, None, data, Operation::Merge);
    let errors = editor.errors;
    (Tree::with_root(schema.clone(), root), errors)
}

/// An RPC with its input, or a notification with its content; `element` is the RPC's or notification's own.
/// An action or a notification inside the data tree comes with the tree around it.
pub fn read_operation(schema: &Arc<Schema>, element: Element<'_>) -> Result<Tree, Vec<RpcError>> {
    read(schema, Mode::Operation, |editor, root| {
        if let Some(id) = editor.resolve(None, element) {
            editor.instance(root, None, id, element, Operation::Merge);
        }
    })
}

/// The reply of an RPC or action: `reply` holds the children of its output.
pub fn read_output(schema: &Arc<Schema>, operation: NodeId, reply: Element<'_>) -> Result<Tree, Vec<RpcError>> {
    let output = schema.child(Some(operation), schema.node(operation).module, "output");
    read(schema, Mode::Operation, |editor, root| {
        let mut inner = Inner::default();
        if let Some(output) = output {
            editor.path.push(operation, Predicate::None);
            editor.children(&mut inner, Some(output), reply, Operation::Merge);
            let mut around = Inner::default();
            around.set(output, Content::Container(inner), false);
            root.set(operation, Content::Container(around), false);
        }
    })
}

fn read(
    schema: &Arc<Schema>,
    mode: Mode,
    build: impl FnOnce(&mut Editor<'_>, &mut Inner),
) -> Result<Tree, Vec<RpcError>> {
    let mut root = Inner::default();
    let mut editor = Editor::new(schema, mode);
    build(&mut editor, &mut root);
    let errors = editor.errors;
    if errors.is_empty() { Ok(Tree::with_root(schema.clone(), root)) } else { Err(errors) }
}

/// The first so many errors are reported; a large wrong document must not make a larger reply.
pub const MAX_ERRORS: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Changes to a configuration: operations count, state is refused.
    Edit,
    /// The whole of a configuration: what stands in it is what there is.
    Config,
    /// Anything that can stand in a datastore.
    Data,
    /// Input, output or a notification.
    Operation,
}

struct Editor<'s> {
    schema: &'s Schema,
    mode: Mode,
    reader: Option<&'s dyn ReadAccess>,
    path: InstancePath,
    errors: Vec<RpcError>,
}

impl<'s> Editor<'s> {
    fn new(schema: &'s Schema, mode: Mode) -> Editor<'s> {
        Editor { schema, mode, reader: None, path: InstancePath::default(), errors: Vec::new() }
    }

    fn fail(&mut self, error: RpcError) {
        if self.errors.len() < MAX_ERRORS {
            let error = if error.path.is_none() && !self.path.steps.is_empty() {
                error.with_path(self.path.to_error_path(self.schema))
            } else {
                error
            };
            self.errors.push(error);
        }
    }

    /// That what the path names is there, or is not.
    fn fail_on_existence(&mut self, error: RpcError) {
        let mut marks = Vec::new();
        let mut parent = 0..0;
        let readable = self.reader.is_none_or(|reader| {
            self.path.steps.iter().all(|step| {
                let start = marks.len();
                let readable = reader.reads(step.node, step.predicate.instance(), &mut marks, parent.clone());
                parent = start..marks.len();
                readable
            })
        });
        self.fail(if readable { error } else { RpcError::access_denied("Access is denied.") });
    }

    fn is_config(&self) -> bool {
        matches!(self.mode, Mode::Edit | Mode::Config)
    }

    /// Applies all children of `element` to `inner`, the children of `parent`, and completes the defaults there. True if
    /// any of them sets data, rather than only removes or names it.
    fn children(
        &mut self,
        inner: &mut Inner,
        parent: Option<NodeId>,
        element: Element<'_>,
        operation: Operation,
    ) -> bool {
        if !element.text().trim_ascii().is_empty() {
            self.fail(RpcError::bad_element(element.name(), "Character data where only elements are allowed."));
        }
        let mut chosen: HashMap<NodeId, NodeId> = HashMap::new();
        let mut seen: Vec<NodeId> = Vec::new();
        let mut any_sets = false;
        for child in element.children() {
            let Some(id) = self.resolve(parent, child) else { continue };
            if !matches!(self.schema.node(id).kind, NodeKind::List | NodeKind::LeafList) {
                if seen.contains(&id) {
                    self.fail(RpcError::bad_element(child.name(), "The element is given twice."));
                    continue;
                }
                seen.push(id);
            }
            let before = self.errors.len();
            if !self.instance(inner, parent, id, child, operation) {
                continue;
            }
            any_sets = true;
            // RFC 7950 section 8.3.1: data for more than one case of a choice is an error.
            for (choice, case) in self.schema.cases(id) {
                if *chosen.entry(choice).or_insert(case) != case && self.errors.len() == before {
                    let name = &self.schema.node(choice).name;
                    let message = format!("More than one case of choice \"{name}\" is given.");
                    self.fail(RpcError::bad_element(child.name(), message));
                }
            }
        }
        // Once all is done: what the other cases held could still be named, whatever the order of the elements.
        for (choice, case) in chosen {
            self.leave_other_cases(inner, choice, case);
        }
        let scope = if self.mode == Mode::Operation { defaults::Scope::Operation } else { defaults::Scope::Config };
        if self.mode != Mode::Data {
            defaults::complete(self.schema, parent, inner, scope);
        }
        any_sets
    }

    /// Applies an element that is the node `id`. True if it sets data.
    fn instance(
        &mut self,
        inner: &mut Inner,
        parent: Option<NodeId>,
        id: NodeId,
        element: Element<'_>,
        inherited: Operation,
    ) -> bool {
        self.path.push(id, Predicate::None);
        let wish = self.wish(element, id, inherited);
        self.path.pop();
        let Some(wish) = wish else { return false };
        let node = self.schema.node(id);
        if node.is_key && parent.is_some_and(|p| self.schema.node(p).kind == NodeKind::List) {
            // The entry was found by its keys; here they only may not be taken away.
            if matches!(wish.operation, Operation::Delete | Operation::Remove) {
                self.fail(RpcError::bad_element(element.name(), "A key cannot be removed from its entry."));
            }
            return false;
        }
        match node.kind {
            NodeKind::Leaf => self.leaf(inner, id, element, wish),
            NodeKind::LeafList => self.leaf_list(inner, id, element, wish),
            NodeKind::List => self.list(inner, id, element, wish),
            NodeKind::AnyData | NodeKind::AnyXml => self.any(inner, id, element, wish.operation),
            NodeKind::Rpc | NodeKind::Action => {
                self.path.push(id, Predicate::None);
                let input = self.schema.child(Some(id), node.module, "input");
                let mut content = Inner::default();
                if let Some(input) = input {
                    self.children(&mut content, Some(input), element, wish.operation);
                    let mut around = Inner::default();
                    around.set(input, Content::Container(content), false);
                    content = around;
                }
                inner.set(id, Content::Container(content), false);
                self.path.pop();
                true
            }
            _ => self.container(inner, id, element, wish.operation),
        }
    }

    fn resolve(&mut self, parent: Option<NodeId>, element: Element<'_>) -> Option<NodeId> {
        let Some(module) = self.schema.module_by_namespace(element.namespace()) else {
            self.fail(RpcError::unknown_namespace(element.name(), element.namespace()));
            return None;
        };
        let found = self.schema.child(parent, module, element.name()).filter(|&id| {
            let node = self.schema.node(id);
            match self.mode {
                Mode::Edit | Mode::Config => node.config && node.is_data(),
                Mode::Data => node.is_data(),
                Mode::Operation => true,
            }
        });
        if found.is_none() {
            let mut error = RpcError::unknown_element(element.name());
            if let Some(id) = self.schema.child(parent, module, element.name())
                && self.schema.node(id).is_data()
            {
                error.message = Some(format!("<{}> is state data and cannot be configured.", element.name()));
            } else if !self.schema.module(module).implemented {
                return self.unknown_namespace(element);
            }
            self.fail(error);
        }
        found
    }

    fn unknown_namespace(&mut self, element: Element<'_>) -> Option<NodeId> {
        self.fail(RpcError::unknown_namespace(element.name(), element.namespace()));
        None
    }

    /// Data of another case vanishes when data of this one appears (RFC 7950 section 7.9).
    fn leave_other_cases(&mut self, inner: &mut Inner, choice: NodeId, case: NodeId) {
        let schema = self.schema;
        let others: Vec<NodeId> = inner
            .iter()
            .map(|child| child.node)
            .filter(|&other| schema.is_within(other, choice) && !schema.is_within(other, case))
            .collect();
        for other in others {
            inner.remove(other);
        }
    }

    fn value(&mut self, id: NodeId, element: Element<'_>) -> Option<Value> {
        if let Some(child) = element.children().next() {
            self.fail(RpcError::unknown_element(child.name()));
            return None;
        }
        match self.schema.value_xml(id, element.text(), |prefix| element.resolve_prefix(prefix)) {
            Ok(value) => Some(value),
            Err(error) => {
                self.fail(invalid_value(error));
                None
            }
        }
    }

    fn leaf(&mut self, inner: &mut Inner, id: NodeId, element: Element<'_>, wish: Wish<'_>) -> bool {
        self.path.push(id, Predicate::None);
        let there = inner.get(id).is_some_and(|child| !child.default);
        let mut sets = false;
        match wish.operation {
            Operation::Create if there => self.fail_on_existence(exists()),
            Operation::Merge | Operation::Replace | Operation::Create => {
                if let Some(value) = self.value(id, element) {
                    if !wish.default {
                        inner.set(id, Content::Leaf(value), false);
                        sets = true;
                    } else if self.schema.node(id).defaults.contains(&value) {
                        inner.remove(id);
                    } else {
                        self.fail(no_default());
                    }
                }
            }
            Operation::Delete | Operation::Remove => self.take_away(inner, id, there, wish.operation),
            Operation::None if !there => self.fail_on_existence(missing()),
            Operation::None => {}
        }
        self.path.pop();
        sets
    }

    fn any(&mut self, inner: &mut Inner, id: NodeId, element: Element<'_>, operation: Operation) -> bool {
        self.path.push(id, Predicate::None);
        let there = inner.contains(id);
        let mut sets = false;
        match operation {
            Operation::Create if there => self.fail_on_existence(exists()),
            Operation::Merge | Operation::Replace | Operation::Create => match content_of(element) {
                Ok(content) => {
                    inner.set(id, Content::Any(content.into()), false);
                    sets = true;
                }
                Err(error) => self.fail(error),
            },
            Operation::Delete | Operation::Remove => self.take_away(inner, id, there, operation),
            Operation::None if !there => self.fail_on_existence(missing()),
            Operation::None => {}
        }
        self.path.pop();
        sets
    }

    fn take_away(&mut self, inner: &mut Inner, id: NodeId, there: bool, operation: Operation) {
        if there {
            inner.remove(id);
        } else if operation == Operation::Delete {
            self.fail_on_existence(missing());
        }
    }

    fn container(&mut self, inner: &mut Inner, id: NodeId, element: Element<'_>, operation: Operation) -> bool {
        self.path.push(id, Predicate::None);
        let there = inner.get(id).is_some_and(|child| !child.default);
        let mut sets = false;
        match operation {
            Operation::Create if there => self.fail_on_existence(exists()),
            Operation::Delete | Operation::Remove => {
                self.take_away(inner, id, there, operation);
                self.within_removed(id, element);
            }
            Operation::None if !there && self.is_presence(id) => self.fail_on_existence(missing()),
            Operation::Merge | Operation::None | Operation::Replace | Operation::Create => {
                let mut content = match operation {
                    Operation::Replace | Operation::Create => Inner::default(),
                    _ => inner.remove_container(id).unwrap_or_default(),
                };
                sets = self.children(&mut content, Some(id), element, operation);
                sets |= self.is_presence(id) && operation != Operation::None;
                self.put_container(inner, id, content);
            }
        }
        self.path.pop();
        sets
    }

    /// What stands inside an element that goes is only checked: it must be known, and not ask to be there afterwards.
    fn within_removed(&mut self, id: NodeId, element: Element<'_>) {
        for child in element.children() {
            let Some(inside) = self.resolve(Some(id), child) else { continue };
            self.path.push(inside, Predicate::None);
            match self.wish(child, inside, Operation::Remove) {
                Some(wish) if !matches!(wish.operation, Operation::Delete | Operation::Remove) => {
                    let message = "What is around the element is removed.";
                    self.fail(RpcError::bad_attribute("operation", child.name(), message));
                }
                Some(_) if !matches!(self.schema.node(inside).kind, NodeKind::AnyData | NodeKind::AnyXml) => {
                    self.within_removed(inside, child);
                }
                _ => {}
            }
            self.path.pop();
        }
    }

    fn is_presence(&self, id: NodeId) -> bool {
        self.schema.node(id).kind == NodeKind::Container { presence: true }
    }

    /// A container without presence is there for what it holds, and explicit as soon as anything in it is.
    fn put_container(&self, inner: &mut Inner, id: NodeId, content: Inner) {
        let by_itself = self.schema.node(id).kind != NodeKind::Container { presence: false } || !self.is_config();
        if by_itself {
            inner.set(id, Content::Container(content), false);
        } else if content.is_empty() {
            inner.remove(id);
        } else {
            let default = content.iter().all(|child| child.default);
            inner.set(id, Content::Container(content), default);
        }
    }
}

fn exists() -> RpcError {
    RpcError::data_exists("The data to create is there already.")
}

fn missing() -> RpcError {
    RpcError::data_missing("There is no such data.")
}

fn missing_instance(attribute: &str, element: &str) -> RpcError {
    // RFC 7950 section 15.7.
    RpcError::bad_attribute(attribute, element, "The instance to insert beside does not exist.")
        .with_app_tag("missing-instance")
}

fn invalid_value(error: ValueError) -> RpcError {
    let invalid = RpcError::invalid_value(error.message);
    match error.app_tag {
        Some(tag) => invalid.with_app_tag(tag),
        None => invalid,
    }
}

/// RFC 6243 section 4.5.2.
fn no_default() -> RpcError {
    RpcError::invalid_value("The value is marked as the default, and is not the default of the schema.")
}

/// What stands inside an anydata or anyxml element, so that it can be written elsewhere. Text between elements is refused:
/// its place is not kept, and data must come back as it was sent.
fn content_of(element: Element<'_>) -> Result<String, RpcError> {
    if let Some(mixed) = first_mixed(element) {
        return Err(RpcError::bad_element(mixed.name(), "Character data beside elements is not supported."));
    }
    let mut out = Vec::new();
    crate::xml::escape_text(&mut out, element.text());
    for child in element.children() {
        child.write(&mut out);
    }
    Ok(String::from_utf8(out).expect("written from strings"))
}

fn first_mixed(element: Element<'_>) -> Option<Element<'_>> {
    if element.is_mixed() { Some(element) } else { element.children().find_map(first_mixed) }
}

#[cfg(test)]
mod tests;
