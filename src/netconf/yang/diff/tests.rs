//! Tests of differences: which edits two versions differ by, and where. That they lead back is tested with `edit`.

use super::*;
use crate::xml::{Document, Limits};
use crate::yang::{edit, fixture};

fn tree(config: &str) -> Tree {
    let text = format!("<config>{config}</config>");
    let document = Document::parse(&text, &Limits::default()).unwrap();
    edit::read_config(&fixture::schema(), document.root()).unwrap()
}

/// Each edit as "change path".
fn changes(old: &str, new: &str) -> Vec<String> {
    let old = tree(old);
    // Trees of one schema: node ids mean nothing in another.
    let text = format!("<config>{new}</config>");
    let document = Document::parse(&text, &Limits::default()).unwrap();
    let new = edit::read_config(old.schema(), document.root()).unwrap();
    diff(&old, &new).iter().map(|e| format!("{:?} {}", e.change, e.path.to_json_form(old.schema()))).collect()
}

#[test]
fn leafs_entries_and_defaults() {
    let system = |body: &str| format!("<system xmlns=\"urn:fixture\">{body}</system>");
    assert_eq!(changes(&system("<name>a</name>"), &system("<name>a</name>")), [""; 0]);
    assert_eq!(changes(&system("<name>a</name>"), &system("<name>b</name>")), ["Modify /fixture:system/name"]);
    // A default that is set is a change, though the value in effect is the same.
    let set = changes(&system("<name>a</name>"), &system("<name>a</name><mtu>1500</mtu>"));
    assert_eq!(set, ["Create /fixture:system/mtu"]);
    let servers = |body: &str| format!("<servers xmlns=\"urn:fixture\">{body}</servers>");
    let server = |name: &str, port: u16| format!("<server><name>{name}</name><port>{port}</port></server>");
    assert_eq!(
        changes(
            &servers(&[server("a", 1), server("b", 1)].concat()),
            &servers(&[server("b", 2), server("c", 1)].concat())
        ),
        [
            "Delete /fixture:servers/server[name='a']",
            "Modify /fixture:servers/server[name='b']/port",
            "Create /fixture:servers/server[name='c']"
        ]
    );
}

#[test]
fn an_entry_that_the_user_moved() {
    let rules = |ids: &[u8]| {
        let rule = |id| format!("<rule><id>{id}</id><sub>s</sub><action>x</action></rule>");
        format!("<servers xmlns=\"urn:fixture\">{}</servers>", ids.iter().map(rule).collect::<String>())
    };
    let moved = changes(&rules(&[1, 2, 3]), &rules(&[3, 1, 2]));
    assert!(!moved.is_empty() && moved.iter().all(|edit| edit.starts_with("Move ")), "{moved:?}");
    assert_eq!(changes(&rules(&[1, 2, 3]), &rules(&[1, 2, 3])), [""; 0]);
}
