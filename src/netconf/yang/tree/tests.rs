//! Tests of the shared tree.

use super::*;
use crate::yang::fixture;

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

fn entry(schema: &Schema, name: &str) -> (Key, Inner) {
    let leaf = schema.find("/fixture:servers/server/name").unwrap();
    let mut inner = Inner::default();
    inner.set(leaf, Content::Leaf(text(name)), false);
    (Key::One(text(name)), inner)
}

#[test]
fn an_edit_leaves_older_versions_alone() {
    let schema = fixture::schema();
    let servers = schema.find("/fixture:servers").unwrap();
    let server = schema.find("/fixture:servers/server").unwrap();
    let mut first = Tree::new(schema.clone());
    for name in ["c", "a", "b"] {
        let (key, inner) = entry(&schema, name);
        first.root_mut().container_mut(servers).list_mut(&schema, server).insert(key, inner);
    }
    let mut second = first.clone();
    assert!(second.same_version(&first));
    let list = second.root_mut().container_mut(servers).list_mut(&schema, server);
    list.remove(&Key::One(text("a")));
    assert_eq!(list.len(), 2);
    let names = |tree: &Tree| -> Vec<String> {
        let list = tree.root().container(servers).unwrap().list(server).unwrap();
        list.iter().map(|(key, _)| key.unwrap().values()[0].to_string()).collect()
    };
    assert_eq!(names(&first), ["a", "b", "c"]);
    assert_eq!(names(&second), ["b", "c"]);
    assert_ne!(first, second);
    assert_eq!(first.value("/fixture:servers/server[name='b']/name"), Some(text("b")));
    assert_eq!(first.value("/fixture:servers/server[name='x']/name"), None);
}

#[test]
fn user_order_holds_under_many_insertions_at_one_place() {
    let schema = fixture::schema();
    let mut list = List::Ordered(Box::default());
    let mut expected: Vec<u64> = Vec::new();
    for i in 0..200_u64 {
        let (_, inner) = entry(&schema, "x");
        let key = Key::One(Value::Uint(i));
        let place = match i {
            0 => Place::Last,
            _ => Place::After(Key::One(Value::Uint(0))),
        };
        assert!(list.place(key, inner, &place));
        if i == 0 { expected.push(0) } else { expected.insert(1, i) }
    }
    list.place(Key::One(Value::Uint(7)), Inner::default(), &Place::First);
    expected.retain(|&i| i != 7);
    expected.insert(0, 7);
    list.place(Key::One(Value::Uint(8)), Inner::default(), &Place::Before(Key::One(Value::Uint(0))));
    expected.retain(|&i| i != 8);
    expected.insert(1, 8);
    let found: Vec<u64> = list
        .iter()
        .map(|(key, _)| match &key.unwrap().values()[0] {
            Value::Uint(i) => *i,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(found, expected);
    assert!(!list.place(Key::One(Value::Uint(9)), Inner::default(), &Place::After(Key::One(Value::Uint(999)))));
    assert_eq!(list.len(), 200);
}

#[test]
fn merging_joins_entries_by_key() {
    let schema = fixture::schema();
    let servers = schema.find("/fixture:servers").unwrap();
    let server = schema.find("/fixture:servers/server").unwrap();
    let port = schema.find("/fixture:servers/server/port").unwrap();
    let build = |names: &[&str], number: u64| {
        let mut tree = Tree::new(schema.clone());
        for name in names {
            let (key, mut inner) = entry(&schema, name);
            inner.set(port, Content::Leaf(Value::Uint(number)), false);
            tree.root_mut().container_mut(servers).list_mut(&schema, server).insert(key, inner);
        }
        tree
    };
    let merged = build(&["a", "b"], 1).merged(&build(&["b", "c"], 2));
    let port_of = |name: &str| merged.value(&format!("/fixture:servers/server[name='{name}']/port"));
    assert_eq!(port_of("a"), Some(Value::Uint(1)));
    assert_eq!(port_of("b"), Some(Value::Uint(2)));
    assert_eq!(port_of("c"), Some(Value::Uint(2)));
}

#[test]
fn values_and_children_stay_small() {
    assert!(std::mem::size_of::<Value>() <= 32);
    assert!(std::mem::size_of::<Child>() <= 48);
}
