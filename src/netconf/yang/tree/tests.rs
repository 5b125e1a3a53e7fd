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

/// RFC 8342 section 5.3.4, as far as trees know it: what is new is stamped at its top, and no more of it.
#[test]
fn merging_stamps_what_is_new_at_its_top() {
    let schema = fixture::schema();
    let id = |path: &str| schema.find(path).unwrap();
    let entry = |name: &str, address: Option<&str>| {
        let mut entry = Inner::default();
        entry.set(id("/fixture:servers/server/name"), Content::Leaf(Value::Text(name.into())), false);
        if let Some(address) = address {
            entry.set(id("/fixture:servers/server/address"), Content::Leaf(Value::Text(address.into())), false);
        }
        entry
    };
    let tree = |entries: Vec<(&str, Option<&str>)>| {
        let mut tree = Tree::new(schema.clone());
        let list =
            tree.root_mut().container_mut(id("/fixture:servers")).list_mut(&schema, id("/fixture:servers/server"));
        for (name, address) in entries {
            list.insert(Key::One(Value::Text(name.into())), entry(name, address));
        }
        tree
    };
    let origins = |tree: &Tree, name: &str| {
        let list = tree.root().container(id("/fixture:servers")).unwrap().list(id("/fixture:servers/server")).unwrap();
        let entry = list.get(&Key::One(Value::Text(name.into()))).unwrap().clone();
        let address = entry.get(id("/fixture:servers/server/address")).and_then(|child| child.origin);
        (entry.entry_origin(&[id("/fixture:servers/server/name")]), address)
    };
    let ours = tree(vec![("same", Some("x")), ("other", Some("x")), ("bare", None)]);
    let theirs = tree(vec![("same", Some("x")), ("other", Some("y")), ("bare", Some("x")), ("new", Some("x"))]);
    let both = ours.merged_as(&theirs, Origin::System);
    assert_eq!(origins(&both, "same"), (None, None));
    assert_eq!(origins(&both, "other"), (None, Some(Origin::System)));
    assert_eq!(origins(&both, "bare"), (None, Some(Origin::System)));
    assert_eq!(origins(&both, "new"), (Some(Origin::System), None));
    // What has an origin of its own keeps it, also where trees are merged without one before.
    let learned = Tree::new(schema.clone()).merged(&tree(vec![("new", None)]).with_origin(Origin::Learned));
    assert_eq!(origins(&ours.merged_as(&learned, Origin::System), "new").0, Some(Origin::Learned));
    // Nothing is stamped, and nothing copied, where no origin is asked for.
    assert_eq!(ours.merged(&theirs), theirs);
    assert_eq!(size_of::<Child>(), size_of::<(NodeId, bool, Content)>(), "an origin takes no room");
}
