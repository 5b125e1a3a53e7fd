//! Tests of the difference between versions: what it names, and what it leaves out.

use super::*;
use crate::xml::{Document, Limits};
use crate::yang::edit::{self, Operation};
use crate::yang::fixture;

fn edited(tree: &Tree, config: &str) -> Tree {
    let text = format!("<config xmlns:nc=\"{}\">{config}</config>", edit::NETCONF_NAMESPACE);
    let document = Document::parse(&text, &Limits::default()).unwrap();
    let (tree, errors) = edit::edit(tree, document.root(), Operation::Merge);
    assert!(errors.is_empty(), "{config}: {errors:?}");
    tree
}

/// Each edit as `change path`.
fn changes(old: &Tree, new: &Tree) -> Vec<String> {
    let schema = old.schema();
    diff(old, new).iter().map(|e| format!("{:?} {}", e.change, e.path.to_json_form(schema))).collect()
}

#[test]
fn a_created_container_stands_for_all_below_it() {
    let empty = Tree::initial(fixture::schema());
    let one = edited(&empty, "<servers xmlns=\"urn:fixture\"><server><name>a</name><port>1</port></server></servers>");
    assert_eq!(changes(&empty, &one), ["Create /fixture:servers"]);
    let two = edited(&one, "<servers xmlns=\"urn:fixture\"><server><name>b</name></server></servers>");
    assert_eq!(changes(&one, &two), ["Create /fixture:servers/server[name='b']"]);
    assert_eq!(changes(&two, &one), ["Delete /fixture:servers/server[name='b']"]);
    let three = edited(&two, "<servers xmlns=\"urn:fixture\"><server><name>a</name><port>2</port></server></servers>");
    assert_eq!(changes(&two, &three), ["Modify /fixture:servers/server[name='a']/port"]);
    assert!(changes(&three, &three).is_empty());
}

#[test]
fn a_default_that_is_set_is_created() {
    let system = |body: &str| format!("<system xmlns=\"urn:fixture\">{body}</system>");
    let old = edited(&Tree::initial(fixture::schema()), &system("<name>x</name>"));
    let new = edited(&old, &system("<mtu>1500</mtu><port>80</port>"));
    assert_eq!(changes(&old, &new), ["Create /fixture:system/mtu", "Create /fixture:system/port[.='80']"]);
    assert_eq!(changes(&new, &old), ["Delete /fixture:system/mtu", "Delete /fixture:system/port[.='80']"]);
}

#[test]
fn as_few_entries_move_as_can() {
    let rule = |id: u8, place: &str| {
        format!(
            "<servers xmlns=\"urn:fixture\" xmlns:yang=\"urn:ietf:params:xml:ns:yang:1\"><rule {place}><id>{id}</id>\
             <sub>s</sub><action>x</action></rule></servers>"
        )
    };
    let mut old = Tree::initial(fixture::schema());
    for id in 1..=5 {
        old = edited(&old, &rule(id, ""));
    }
    let new = edited(&old, &rule(5, "yang:insert=\"first\""));
    assert_eq!(changes(&old, &new), ["Move /fixture:servers/rule[id='5'][sub='s']"]);
    assert_eq!(longest_increasing(&[3, 1, 2, 5, 4]).len(), 3);
}
