//! Tests of edits: each operation on each kind of node, and the error-tags.

use super::wish::YANG_NAMESPACE;
use super::*;
use crate::error::{ErrorInfo, ErrorTag};
use crate::xml::{Document, Limits};
use crate::yang::diff::diff;
use crate::yang::{fixture, patch};

mod model;

fn apply(tree: &Tree, config: &str, default: Operation) -> (Tree, Vec<RpcError>) {
    let text = format!(
        "<config xmlns:nc=\"{NETCONF_NAMESPACE}\" xmlns:yang=\"{YANG_NAMESPACE}\" xmlns:fx=\"urn:fixture\">{config}</config>"
    );
    let document = Document::parse(&text, &Limits::default()).unwrap();
    edit(tree, document.root(), default)
}

fn merge(tree: &Tree, config: &str) -> Tree {
    let (tree, errors) = apply(tree, config, Operation::Merge);
    assert!(errors.is_empty(), "{config}: {errors:?}");
    tree
}

fn fails(tree: &Tree, config: &str) -> RpcError {
    let (_, errors) = apply(tree, config, Operation::Merge);
    assert_eq!(errors.len(), 1, "{config}: {errors:?}");
    errors.into_iter().next().unwrap()
}

fn empty() -> Tree {
    Tree::initial(fixture::schema())
}

fn system(body: &str) -> String {
    format!("<system xmlns=\"urn:fixture\">{body}</system>")
}

fn servers(body: &str) -> String {
    format!("<servers xmlns=\"urn:fixture\">{body}</servers>")
}

/// The explicit content as XML.
fn show(tree: &Tree) -> String {
    let mut out = Vec::new();
    patch::write_config(tree, &mut out);
    String::from_utf8(out).unwrap().replace(" xmlns=\"urn:fixture\"", "")
}

#[test]
fn leafs_are_created_merged_replaced_and_deleted() {
    let tree = merge(&empty(), &system("<name>a</name><mtu nc:operation=\"create\">1000</mtu>"));
    assert_eq!(show(&tree), "<system><name>a</name><mtu>1000</mtu></system>");
    assert_eq!(fails(&tree, &system("<mtu nc:operation=\"create\">1</mtu>")).tag, ErrorTag::DataExists);
    let tree = merge(&tree, &system("<name nc:operation=\"delete\"/><mtu nc:operation=\"replace\">1200</mtu>"));
    assert_eq!(show(&tree), "<system><mtu>1200</mtu></system>");
    let error = fails(&tree, &system("<name nc:operation=\"delete\"/>"));
    assert_eq!(error.tag, ErrorTag::DataMissing);
    let path = error.path.as_ref().unwrap();
    assert_eq!(path.text, "/fixture:system/fixture:name");
    assert_eq!(path.namespaces, [("fixture".to_owned(), "urn:fixture".to_owned())]);
    let tree = merge(&tree, &system("<name nc:operation=\"remove\"/><mtu nc:operation=\"remove\"/>"));
    assert_eq!(show(&tree), "");
    assert_eq!(tree, empty());
}

#[test]
fn defaults_are_in_use_but_not_set() {
    let tree = merge(&empty(), &system("<name>a</name>"));
    assert_eq!(tree.value("/fixture:system/mtu"), Some(Value::Uint(1500)));
    assert_eq!(tree.value("/fixture:system/plain/inner"), Some(Value::Text("dflt".into())));
    assert_eq!(tree.value("/fixture:system/tcp-port"), Some(Value::Uint(830)));
    assert_eq!(show(&tree), "<system><name>a</name></system>");
    // RFC 6243: in explicit mode a default may be created, and then it is data.
    let set = merge(&tree, &system("<mtu nc:operation=\"create\">1500</mtu>"));
    assert_eq!(show(&set), "<system><name>a</name><mtu>1500</mtu></system>");
    assert_eq!(fails(&tree, &system("<mtu nc:operation=\"delete\"/>")).tag, ErrorTag::DataMissing);
    let back = merge(&set, &system("<mtu nc:operation=\"delete\"/>"));
    assert_eq!(back, tree);
    let ports = merge(&tree, &system("<port>8080</port>"));
    assert_eq!(show(&ports), "<system><name>a</name><port>8080</port></system>");
}

#[test]
fn cases_exclude_each_other() {
    let udp = merge(&empty(), &system("<tcp-host>h</tcp-host>"));
    assert_eq!(udp.value("/fixture:system/tcp-port"), Some(Value::Uint(830)));
    let udp = merge(&udp, &system("<udp-port>53</udp-port>"));
    assert_eq!(show(&udp), "<system><udp-port>53</udp-port></system>");
    assert_eq!(udp.value("/fixture:system/tcp-port"), None);
    let error = fails(&udp, &system("<tcp-port>1</tcp-port><udp-port>2</udp-port>"));
    assert_eq!((error.tag, bad_element(&error)), (ErrorTag::BadElement, Some("udp-port")));
    let none = merge(&udp, &system("<udp-port nc:operation=\"delete\"/><name>x</name>"));
    assert_eq!(none.value("/fixture:system/tcp-port"), Some(Value::Uint(830)));
}

#[test]
fn lists_go_by_key() {
    let tree =
        merge(&empty(), &servers("<server><name>b</name><port>1</port></server><server><name>a</name></server>"));
    assert_eq!(
        show(&tree),
        "<servers><server><name>a</name></server><server><name>b</name><port>1</port></server></servers>"
    );
    assert_eq!(tree.value("/fixture:servers/server[name='a']/port"), Some(Value::Uint(22)));
    let error = fails(&tree, &servers("<server nc:operation=\"create\"><name>a</name></server>"));
    assert_eq!(error.tag, ErrorTag::DataExists);
    assert_eq!(error.path.as_ref().unwrap().text, "/fixture:servers/fixture:server[fixture:name='a']");
    assert_eq!(
        fails(&tree, &servers("<server nc:operation=\"delete\"><name>z</name></server>")).tag,
        ErrorTag::DataMissing
    );
    let error = fails(&tree, &servers("<server><port>1</port></server>"));
    assert_eq!((error.tag, bad_element(&error)), (ErrorTag::MissingElement, Some("name")));
    let tree = merge(&tree, &servers("<server nc:operation=\"replace\"><name>b</name><address>x</address></server>"));
    let tree = merge(&tree, &servers("<server nc:operation=\"remove\"><name>a</name></server>"));
    assert_eq!(show(&tree), "<servers><server><name>b</name><address>x</address></server></servers>");
    let (_, errors) = apply(&tree, &servers("<server><name>q</name></server>"), Operation::None);
    assert_eq!(errors[0].tag, ErrorTag::DataMissing);
    let (tree, errors) = apply(
        &tree,
        &servers("<server><name>b</name><port nc:operation=\"create\">9</port></server>"),
        Operation::None,
    );
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(tree.value("/fixture:servers/server[name='b']/port"), Some(Value::Uint(9)));
    assert_eq!(show(&merge(&tree, "<servers xmlns=\"urn:fixture\" nc:operation=\"delete\"/>")), "");
}

#[test]
fn the_user_orders_entries() {
    let rule = |id: u8, attributes: &str| {
        servers(&format!("<rule {attributes}><id>{id}</id><sub>s</sub><action>x</action></rule>"))
    };
    let order = |tree: &Tree| -> Vec<String> {
        show(tree).split("<id>").skip(1).map(|t| t.split('<').next().unwrap().to_owned()).collect()
    };
    let mut tree = empty();
    for (id, attributes) in [
        (3, ""),
        (1, "yang:insert=\"first\""),
        (2, "yang:insert=\"before\" yang:key=\"[fx:id='3'][fx:sub='s']\""),
        (4, "yang:insert=\"after\" yang:key=\"[fx:id='1'][fx:sub='s']\""),
    ] {
        tree = merge(&tree, &rule(id, attributes));
    }
    assert_eq!(order(&tree), ["1", "4", "2", "3"]);
    let moved = merge(&tree, &rule(3, "yang:insert=\"first\" nc:operation=\"merge\""));
    assert_eq!(order(&moved), ["3", "1", "4", "2"]);
    let error = fails(&tree, &rule(9, "yang:insert=\"after\" yang:key=\"[fx:id='8'][fx:sub='s']\""));
    assert_eq!((error.tag, error.app_tag.as_deref()), (ErrorTag::BadAttribute, Some("missing-instance")));
    assert_eq!(fails(&tree, &rule(9, "yang:insert=\"after\"")).tag, ErrorTag::MissingAttribute);
    assert_eq!(fails(&tree, &rule(9, "yang:insert=\"up\"")).tag, ErrorTag::BadAttribute);
    let list = merge(
        &empty(),
        &system("<search>a</search><search>b</search><search yang:insert=\"before\" yang:value=\"b\">c</search>"),
    );
    assert_eq!(show(&list), "<system><search>a</search><search>c</search><search>b</search></system>");
    // The journal's form brings every change of order back.
    for (old, new) in [(&tree, &moved), (&moved, &tree), (&empty(), &list), (&list, &empty())] {
        assert_eq!(&replay(old, new), new);
    }
}

/// `old` with the written difference to `new` applied.
fn replay(old: &Tree, new: &Tree) -> Tree {
    let mut out = b"<edits>".to_vec();
    patch::write_edits(old.schema(), &diff(old, new), new, &mut out);
    out.extend_from_slice(b"</edits>");
    let text = String::from_utf8(out).unwrap();
    let document = Document::parse(&text, &Limits::default()).unwrap();
    let mut tree = old.clone();
    for one in document.root().children() {
        let (next, errors) = edit(&tree, one, Operation::Merge);
        assert!(errors.is_empty(), "{text}: {errors:?}");
        tree = next;
    }
    tree
}

#[test]
fn what_the_schema_does_not_know_has_its_own_tag() {
    let tree = empty();
    for (config, tag, bad) in [
        (system("<nope/>"), ErrorTag::UnknownElement, Some("nope")),
        (system("<absent>x</absent>"), ErrorTag::UnknownElement, Some("absent")),
        (system("<uptime>1</uptime>"), ErrorTag::UnknownElement, Some("uptime")),
        ("<system xmlns=\"urn:nobody\"/>".into(), ErrorTag::UnknownNamespace, Some("system")),
        ("<system/>".into(), ErrorTag::UnknownNamespace, Some("system")),
        (system("<name foo=\"1\">x</name>"), ErrorTag::UnknownAttribute, Some("name")),
        (system("<name nc:operation=\"frob\">x</name>"), ErrorTag::BadAttribute, Some("name")),
        (system("<name><x/></name>"), ErrorTag::UnknownElement, Some("x")),
        (system("<name>a</name><name>b</name>"), ErrorTag::BadElement, Some("name")),
        (system("text"), ErrorTag::BadElement, Some("system")),
        (system("<mtu>0x44</mtu>"), ErrorTag::InvalidValue, None),
        (system("<mtu>1</mtu>"), ErrorTag::InvalidValue, None),
        (system("<pet>fx:bird</pet>"), ErrorTag::InvalidValue, None),
        (system("<name yang:insert=\"first\">x</name>"), ErrorTag::UnknownAttribute, Some("name")),
        ("<restart xmlns=\"urn:fixture\"/>".into(), ErrorTag::UnknownElement, Some("restart")),
    ] {
        let error = fails(&tree, &config);
        assert_eq!((error.tag, bad_element(&error)), (tag, bad), "{config}: {error}");
    }
    let (_, errors) = apply(&tree, &system("<nope/><mtu>0</mtu><name>ok</name><code>UP</code>"), Operation::Merge);
    let tags: Vec<_> = errors.iter().map(|e| e.tag).collect();
    assert_eq!(tags, [ErrorTag::UnknownElement, ErrorTag::InvalidValue, ErrorTag::InvalidValue]);
}

#[test]
fn replace_at_the_top_replaces_the_datastore() {
    let tree = merge(&empty(), &format!("{}{}", system("<name>a</name>"), servers("<server><name>s</name></server>")));
    let (tree, errors) = apply(&tree, &system("<level>-3</level>"), Operation::Replace);
    assert!(errors.is_empty());
    assert_eq!(show(&tree), "<system><level>-3</level></system>");
}

#[test]
fn the_journal_form_restores_everything() {
    let full = merge(
        &empty(),
        &format!(
            "{}{}",
            system(
                "<name>&lt;a&gt;</name><pet>fx:cat</pet><target>/fx:servers/fx:server[fx:name='x']</target><marker/>\
                 <tag>z</tag><tag>y</tag><search>2</search><search>1</search><present/><any><x xmlns=\"urn:x\">1</x></any>"
            ),
            servers(
                "<server><name>s</name><address>a</address></server><rule><id>1</id><sub>q</sub><action>p</action></rule>"
            )
        ),
    );
    let half = merge(
        &full,
        &system("<name nc:operation=\"delete\"/><pet>fx:dog</pet><tag nc:operation=\"delete\">z</tag><any>t</any>"),
    );
    let half = merge(
        &half,
        &servers("<server nc:operation=\"delete\"><name>s</name></server><server><name>t</name></server>"),
    );
    for (old, new) in [(&empty(), &full), (&full, &half), (&half, &full), (&full, &empty())] {
        assert_eq!(&replay(old, new), new);
        assert!(diff(new, new).is_empty());
    }
    let mut text = b"<config>".to_vec();
    patch::write_config(&full, &mut text);
    text.extend_from_slice(b"</config>");
    let text = String::from_utf8(text).unwrap();
    let document = Document::parse(&text, &Limits::default()).unwrap();
    assert_eq!(read_config(full.schema(), document.root()).unwrap(), full);
}

fn bad_element(error: &RpcError) -> Option<&str> {
    error.info.iter().find_map(|info| match info {
        ErrorInfo::BadElement(name) => Some(name.as_str()),
        _ => None,
    })
}

#[test]
fn of_data_that_is_partly_unknown_the_known_part_is_read() {
    let text = format!(
        "<data>{}<more xmlns=\"urn:other\"/></data>",
        system(
            "<name>a</name><later>1</later><level>900</level><uptime>7</uptime><pet xmlns:x=\"urn:other\">x:cow</pet>"
        )
    );
    let document = Document::parse(&text, &Limits::default()).unwrap();
    let (tree, errors) = read_known_data(&fixture::schema(), document.root());
    let value = |leaf: &str| tree.value(&format!("/fixture:system/{leaf}")).map(|value| value.to_string());
    assert_eq!((value("name").as_deref(), value("uptime").as_deref()), (Some("a"), Some("7")));
    assert_eq!((value("level"), value("pet")), (None, None));
    assert_eq!(errors.len(), 4, "{errors:?}");
}
