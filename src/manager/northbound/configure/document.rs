//! Configuration of a device as the operations of RFC 6241 carry it: what differs, and the edit-config that makes up for it.

use netconf::yang::write::{WithDefaults, write_subtree};
use netconf::yang::{Child, Content, Inner, List, NodeId, Schema};

const BASE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";

/// `<get-config>` of one container of running.
pub(super) fn get_config(schema: &Schema, container: NodeId) -> String {
    let (name, namespace) = (&schema.node(container).name, &schema.module_of(container).namespace);
    format!(
        r#"<get-config xmlns="{BASE}"><source><running/></source><filter type="subtree"><{name} xmlns="{namespace}"/></filter></get-config>"#
    )
}

/// `<edit-config>` that merges all of `new` into running, and removes what only `old` has.
pub(super) fn edit_config(schema: &Schema, container: NodeId, old: &Inner, new: &Inner) -> String {
    let mut out = Vec::new();
    open(schema, container, "", &mut out);
    write_children(schema, old, new, &mut out);
    close(schema, container, &mut out);
    let config = String::from_utf8(out).expect("written from strings");
    format!(
        r#"<edit-config xmlns="{BASE}"><target><running/></target><error-option>rollback-on-error</error-option><config>{config}</config></edit-config>"#
    )
}

const REMOVE: &str = r#" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" nc:operation="remove""#;
const REPLACE: &str = r#" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" nc:operation="replace""#;

fn open(schema: &Schema, node: NodeId, attributes: &str, out: &mut Vec<u8>) {
    let (name, namespace) = (&schema.node(node).name, &schema.module_of(node).namespace);
    out.extend_from_slice(format!(r#"<{name} xmlns="{namespace}"{attributes}>"#).as_bytes());
}

fn close(schema: &Schema, node: NodeId, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("</{}>", schema.node(node).name).as_bytes());
}

fn write_children(schema: &Schema, old: &Inner, new: &Inner, out: &mut Vec<u8>) {
    for child in old.iter().filter(|child| !new.contains(child.node) && !child.default) {
        // A key goes with its entry.
        if !schema.node(child.node).is_key {
            write_removed(schema, child, |_| true, out);
        }
    }
    let (empty, nothing) = (Inner::default(), List::new);
    for child in new.iter().filter(|child| !child.default) {
        let before = old.get(child.node);
        match &child.content {
            Content::Container(inner) => {
                open(schema, child.node, "", out);
                write_children(schema, old.container(child.node).unwrap_or(&empty), inner, out);
                close(schema, child.node, out);
            }
            Content::List(list) => {
                if let Some(before) = before {
                    write_removed(schema, before, |key| key.is_none_or(|key| list.get(key).is_none()), out);
                }
                let before = old.list(child.node).cloned().unwrap_or_else(|| nothing(schema, child.node));
                for (key, entry) in list.iter() {
                    let before = key.and_then(|key| before.get(key));
                    // A merge does not move what is there already.
                    let attributes =
                        if before.is_some_and(|before| is_reordered(schema, before, entry)) { REPLACE } else { "" };
                    open(schema, child.node, attributes, out);
                    let before = before.filter(|_| attributes.is_empty()).unwrap_or(&empty);
                    write_children(schema, before, entry, out);
                    close(schema, child.node, out);
                }
            }
            Content::LeafList(values) => {
                if let Some(Child { content: Content::LeafList(before), node, .. }) = before {
                    let gone = before.iter().filter(|value| !values.contains(value)).cloned().collect::<Vec<_>>();
                    let gone =
                        Child { node: *node, default: false, origin: None, content: Content::LeafList(gone.into()) };
                    write_removed(schema, &gone, |_| true, out);
                }
                write_set(schema, child, out);
            }
            Content::Leaf(_) | Content::Any(_) => write_set(schema, child, out),
        }
    }
}

/// A node with all below it, to be merged.
fn write_set(schema: &Schema, child: &Child, out: &mut Vec<u8>) {
    write_subtree(schema, &Inner::from_iter([child.clone()]), WithDefaults::Explicit, out);
}

/// A node, or those entries of a list that `goes` takes, to be removed.
fn write_removed(
    schema: &Schema,
    child: &Child,
    goes: impl Fn(Option<&netconf::yang::tree::Key>) -> bool,
    out: &mut Vec<u8>,
) {
    match &child.content {
        Content::List(list) => {
            for (_, entry) in list.iter().filter(|(key, _)| goes(*key)) {
                open(schema, child.node, REMOVE, out);
                let keys = entry.iter().filter(|child| schema.node(child.node).is_key).cloned();
                write_subtree(schema, &Inner::from_iter(keys), WithDefaults::Explicit, out);
                close(schema, child.node, out);
            }
        }
        Content::LeafList(values) => {
            for value in values.iter() {
                let content = Content::LeafList(vec![value.clone()].into());
                let mut written = Vec::new();
                write_set(schema, &Child { node: child.node, default: false, origin: None, content }, &mut written);
                // The attribute goes behind the name, which is what the element begins with.
                let name = schema.node(child.node).name.len() + 1;
                out.extend_from_slice(&written[..name]);
                out.extend_from_slice(REMOVE.as_bytes());
                out.extend_from_slice(&written[name..]);
            }
        }
        _ => {
            open(schema, child.node, REMOVE, out);
            close(schema, child.node, out);
        }
    }
}

/// Whether something directly in an entry whose order is the user's has another order.
fn is_reordered(schema: &Schema, old: &Inner, new: &Inner) -> bool {
    new.iter().filter(|child| schema.node(child.node).user_ordered).any(|child| {
        match (&child.content, old.get(child.node)) {
            (Content::LeafList(new), Some(Child { content: Content::LeafList(old), .. })) => new != old,
            (Content::List(new), Some(Child { content: Content::List(old), .. })) => {
                !old.iter().map(|(key, _)| key).eq(new.iter().map(|(key, _)| key))
            }
            _ => false,
        }
    })
}

/// What of `wanted` is not so in `actual`, in words.
pub(super) fn differences(schema: &Schema, container: NodeId, wanted: &Inner, actual: &Inner) -> Vec<String> {
    let mut found = Vec::new();
    compare(schema, &schema.node(container).name, wanted, actual, &mut found);
    found
}

fn compare(schema: &Schema, path: &str, wanted: &Inner, actual: &Inner, found: &mut Vec<String>) {
    let empty = Inner::default();
    for child in wanted.iter().filter(|child| !child.default) {
        let node = schema.node(child.node);
        let path = format!("{path}/{}", node.name);
        match (&child.content, actual.get(child.node).map(|child| &child.content)) {
            (Content::Container(wanted), actual) => {
                let actual = if let Some(Content::Container(actual)) = actual { actual } else { &empty };
                compare(schema, &path, wanted, actual, found);
            }
            (Content::List(wanted), actual) => {
                for (key, entry) in wanted.iter() {
                    let name: Vec<_> = key.iter().flat_map(|key| key.values()).map(|value| value.to_string()).collect();
                    let path = format!("{path}[{}]", name.join(" "));
                    let there = if let Some(Content::List(actual)) = actual {
                        key.and_then(|key| actual.get(key))
                    } else {
                        None
                    };
                    match there {
                        Some(there) => compare(schema, &path, entry, there, found),
                        None => found.push(format!("{path} is not there")),
                    }
                }
            }
            (Content::LeafList(wanted), actual) => {
                let there = if let Some(Content::LeafList(actual)) = actual { actual.as_slice() } else { &[] };
                let is_so = if node.user_ordered {
                    there == wanted.as_slice()
                } else {
                    wanted.iter().all(|value| there.contains(value))
                };
                if !is_so {
                    found.push(format!("{path} is not as wanted"));
                }
            }
            (Content::Leaf(wanted), Some(Content::Leaf(actual))) if wanted == actual => {}
            (Content::Leaf(wanted), Some(Content::Leaf(actual))) => {
                found.push(format!("{path} is {actual}, not {wanted}"))
            }
            (Content::Leaf(wanted), _) => found.push(format!("{path} is not set, wanted is {wanted}")),
            (wanted @ Content::Any(_), actual) => {
                if actual != Some(wanted) {
                    found.push(format!("{path} is not as wanted"));
                }
            }
        }
    }
}

/// What of `actual` an edit from `old` to `new` can touch: with it the edit can be undone, and nothing else is.
pub(super) fn restricted(schema: &Schema, actual: &Inner, old: &Inner, new: &Inner) -> Inner {
    let empty = Inner::default();
    let mut kept = Inner::default();
    for child in actual.iter().filter(|child| !child.default) {
        let node = child.node;
        if !old.contains(node) && !new.contains(node) {
            continue;
        }
        let content = match &child.content {
            // What the edit removes, it removes whole.
            content if !new.contains(node) => content.clone(),
            Content::Container(inner) => {
                let (old, new) = (old.container(node).unwrap_or(&empty), new.container(node).unwrap_or(&empty));
                Content::Container(restricted(schema, inner, old, new))
            }
            Content::List(list) => {
                let mut entries = List::new(schema, node);
                for (key, entry) in list.iter() {
                    let Some(key) = key else { continue };
                    let (old, new) = (old.list(node).and_then(|l| l.get(key)), new.list(node).and_then(|l| l.get(key)));
                    match (old, new) {
                        (None, None) => {}
                        (Some(_), None) => entries.insert(key.clone(), entry.clone()),
                        (old, Some(new)) => {
                            // One that is replaced loses all that is in it.
                            let whole = old.is_some_and(|old| is_reordered(schema, old, new));
                            let entry = if whole {
                                entry.clone()
                            } else {
                                restricted(schema, entry, old.unwrap_or(&empty), new)
                            };
                            entries.insert(key.clone(), entry);
                        }
                    }
                }
                if entries.is_empty() {
                    continue;
                }
                Content::List(entries)
            }
            content => content.clone(),
        };
        kept.set(node, content, false);
    }
    kept
}
