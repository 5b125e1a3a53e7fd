//! Edits of what stands many times: list entries and leaf-list values, and where the user puts them (RFC 7950 sections
//! 7.7.9 and 7.8.6).

use std::sync::Arc;

use super::{Editor, Insert, Mode, Operation, Wish, exists, missing, missing_instance, no_default};
use crate::error::RpcError;
use crate::xml::Element;
use crate::yang::path::Predicate;
use crate::yang::schema::NodeId;
use crate::yang::tree::{Content, Inner, Key, List, Place};
use crate::yang::value::Value;

impl Editor<'_> {
    /// True if the value is set.
    pub(super) fn leaf_list(&mut self, inner: &mut Inner, id: NodeId, element: Element<'_>, wish: Wish<'_>) -> bool {
        self.path.push(id, Predicate::None);
        let sets = matches!(wish.operation, Operation::Merge | Operation::Replace | Operation::Create) && !wish.default;
        if let Some(value) = self.value(id, element) {
            self.path.pop();
            self.path.push(id, Predicate::Value(value.clone()));
            self.leaf_list_value(inner, id, element, wish, value);
        }
        self.path.pop();
        sets
    }

    fn leaf_list_value(&mut self, inner: &mut Inner, id: NodeId, element: Element<'_>, wish: Wish<'_>, value: Value) {
        let node = self.schema.node(id);
        let mut values: Arc<Vec<Value>> = match inner.get(id) {
            Some(child) if !child.default => match &child.content {
                Content::LeafList(values) => values.clone(),
                _ => Arc::default(),
            },
            _ => Arc::default(),
        };
        let sorted = !node.user_ordered && self.is_config();
        let at = if sorted { values.binary_search(&value).ok() } else { values.iter().position(|v| *v == value) };
        match wish.operation {
            Operation::Create if at.is_some() => return self.fail_on_existence(exists()),
            Operation::None if at.is_none() => return self.fail_on_existence(missing()),
            Operation::Delete if at.is_none() => return self.fail_on_existence(missing()),
            Operation::None => return,
            Operation::Delete | Operation::Remove => {
                let Some(at) = at else { return };
                Arc::make_mut(&mut values).remove(at);
            }
            Operation::Merge | Operation::Replace | Operation::Create if wish.default => {
                if !node.defaults.contains(&value) {
                    return self.fail(no_default());
                }
                // The defaults are in use when there is no value at all (RFC 7950 section 7.7.2).
                values = Arc::default();
            }
            Operation::Merge | Operation::Replace | Operation::Create => {
                if at.is_some() {
                    if self.mode == Mode::Config {
                        return self.fail(twice(element));
                    }
                    match wish.insert {
                        None if node.config || sorted => return,
                        // State data may hold a value more than once (RFC 7950 section 7.7).
                        None => Arc::make_mut(&mut values).push(value),
                        Some(insert) => {
                            if !self.insert_value(Arc::make_mut(&mut values), id, element, insert, value) {
                                return;
                            }
                        }
                    }
                } else if sorted {
                    let at = values.binary_search(&value).unwrap_or_else(|at| at);
                    Arc::make_mut(&mut values).insert(at, value);
                } else {
                    let insert = wish.insert.unwrap_or(Insert::Last);
                    if !self.insert_value(Arc::make_mut(&mut values), id, element, insert, value) {
                        return;
                    }
                }
            }
        }
        if values.is_empty() {
            inner.remove(id);
        } else {
            inner.set(id, Content::LeafList(values), false);
        }
    }

    /// Inserts a value, or moves it. Beside itself it stays where it is.
    fn insert_value(
        &mut self,
        values: &mut Vec<Value>,
        id: NodeId,
        element: Element<'_>,
        insert: Insert<'_>,
        value: Value,
    ) -> bool {
        let own = values.iter().position(|v| *v == value);
        let anchor = match insert {
            Insert::First | Insert::Last => None,
            Insert::Before(text) | Insert::After(text) => {
                let Ok(anchor) = self.schema.value_xml(id, text, |prefix| element.resolve_prefix(prefix)) else {
                    self.fail(bad_anchor("value", element));
                    return false;
                };
                let Some(at) = values.iter().position(|v| *v == anchor) else {
                    self.fail(missing_instance("value", element.name()));
                    return false;
                };
                Some(at)
            }
        };
        if own.is_some() && own == anchor {
            return true;
        }
        if let Some(own) = own {
            values.remove(own);
        }
        let moved = usize::from(own.is_some_and(|own| anchor.is_some_and(|anchor| own < anchor)));
        let at = match insert {
            Insert::First => 0,
            Insert::Last => values.len(),
            Insert::Before(_) => anchor.unwrap_or_default() - moved,
            Insert::After(_) => anchor.unwrap_or_default() - moved + 1,
        };
        values.insert(at, value);
        true
    }

    /// True if the entry or something in it is set.
    pub(super) fn list(&mut self, inner: &mut Inner, id: NodeId, element: Element<'_>, wish: Wish<'_>) -> bool {
        let node = self.schema.node(id);
        if node.is_keyless() {
            self.path.push(id, Predicate::None);
            let mut entry = Inner::default();
            self.children(&mut entry, Some(id), element, wish.operation);
            inner.list_mut(self.schema, id).push(entry);
            self.path.pop();
            return true;
        }
        self.path.push(id, Predicate::None);
        let key = self.key(id, element);
        self.path.pop();
        let Some(key) = key else { return false };
        self.path.push(id, Predicate::Key(key.clone()));
        let sets = self.entry(inner, id, element, wish, key);
        self.path.pop();
        sets
    }

    fn key(&mut self, id: NodeId, element: Element<'_>) -> Option<Key> {
        let node = self.schema.node(id);
        let namespace = &self.schema.module(node.module).namespace;
        let mut values = Vec::with_capacity(node.keys.len());
        for &key in &node.keys {
            let name = &self.schema.node(key).name;
            let mut found = element.children().filter(|e| e.is(namespace, name));
            let Some(first) = found.next() else {
                self.fail(RpcError::missing_element(name));
                return None;
            };
            if found.next().is_some() {
                self.fail(RpcError::bad_element(name, "The key is given twice."));
                return None;
            }
            self.path.push(key, Predicate::None);
            let value = self.value(key, first);
            self.path.pop();
            values.push(value?);
        }
        Some(Key::new(values))
    }

    fn entry(&mut self, inner: &mut Inner, id: NodeId, element: Element<'_>, wish: Wish<'_>, key: Key) -> bool {
        let there = inner.list(id).is_some_and(|list| list.get(&key).is_some());
        match wish.operation {
            Operation::Create if there => {
                self.fail_on_existence(exists());
                return false;
            }
            Operation::Delete | Operation::None if !there => {
                self.fail_on_existence(missing());
                return false;
            }
            _ if there && self.mode == Mode::Config => {
                self.fail(twice(element));
                return false;
            }
            _ => {}
        }
        if matches!(wish.operation, Operation::Delete | Operation::Remove) {
            self.within_removed(id, element);
            if there {
                let list = inner.list_mut(self.schema, id);
                list.remove(&key);
                if list.is_empty() {
                    inner.remove(id);
                }
            }
            return false;
        }
        let fresh = || {
            let mut fresh = Inner::default();
            for (&leaf, value) in self.schema.node(id).keys.iter().zip(key.values()) {
                fresh.set(leaf, Content::Leaf(value.clone()), false);
            }
            fresh
        };
        let mut content = match wish.operation {
            Operation::Merge | Operation::None => {
                inner.list(id).and_then(|list| list.get(&key)).cloned().unwrap_or_else(fresh)
            }
            _ => fresh(),
        };
        let sets = self.children(&mut content, Some(id), element, wish.operation);
        let list = inner.list_mut(self.schema, id);
        match wish.insert {
            Some(insert) => self.place(list, id, element, insert, key, content),
            None => list.insert(key, content),
        }
        if inner.list(id).is_some_and(List::is_empty) {
            inner.remove(id);
        }
        sets || wish.operation != Operation::None
    }

    fn place(
        &mut self,
        list: &mut List,
        id: NodeId,
        element: Element<'_>,
        insert: Insert<'_>,
        key: Key,
        content: Inner,
    ) {
        let place = match insert {
            Insert::First => Some(Place::First),
            Insert::Last => Some(Place::Last),
            Insert::Before(anchor) => self.anchor(id, element, anchor).map(Place::Before),
            Insert::After(anchor) => self.anchor(id, element, anchor).map(Place::After),
        };
        match place {
            None => self.fail(bad_anchor("key", element)),
            // Beside itself it stays where it is.
            Some(Place::Before(anchor) | Place::After(anchor)) if anchor == key && list.get(&key).is_some() => {
                list.insert(key, content);
            }
            Some(place) => {
                if !list.place(key, content, &place) {
                    self.fail(missing_instance("key", element.name()));
                }
            }
        }
    }

    /// The `key` attribute: the key predicates of an instance-identifier (RFC 7950 section 7.8.6).
    fn anchor(&self, id: NodeId, element: Element<'_>, text: &str) -> Option<Key> {
        let node = self.schema.node(id);
        let mut given: Vec<(&str, &str)> = Vec::new();
        let mut rest = text.trim_ascii();
        while let Some(inside) = rest.strip_prefix('[') {
            let (name, value) = inside.split_once('=')?;
            let value = value.trim_ascii_start();
            let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
            let (value, after) = value[1..].split_once(quote)?;
            let name = name.trim_ascii();
            given.push((name.rsplit_once(':').map_or(name, |(_, local)| local), value));
            rest = after.trim_ascii_start().strip_prefix(']')?.trim_ascii_start();
        }
        let values = node.keys.iter().map(|&key| {
            let (_, text) = given.iter().find(|(name, _)| *name == self.schema.node(key).name)?;
            self.schema.value_xml(key, text, |prefix| element.resolve_prefix(prefix)).ok()
        });
        (rest.is_empty() && given.len() == node.keys.len()).then_some(())?;
        values.collect::<Option<Vec<_>>>().map(Key::new)
    }
}

/// RFC 7950 section 8.3.1.
fn bad_anchor(attribute: &str, element: Element<'_>) -> RpcError {
    RpcError::bad_attribute(attribute, element.name(), "That names no place of this list.")
}

fn twice(element: Element<'_>) -> RpcError {
    RpcError::bad_element(element.name(), "It is given twice.")
}
