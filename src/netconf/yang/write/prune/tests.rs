//! What is visible as a tree is what a get writes, and shares what it can.

use super::super::WriteOptions;
use super::*;
use crate::xml::{Document, Limits};
use crate::yang::filter::Selection;
use crate::yang::schema::Schema;
use crate::yang::write::write;
use crate::yang::{NodeId, edit, fixture};
use std::sync::Arc;

const DATA: &str = "<data>
  <system xmlns='urn:fixture'><name>n</name><secret>s</secret><tag>a</tag><tag>b</tag><search>z</search><search>y</search>
    <present/><any><x xmlns='urn:x'/></any><uptime>7</uptime></system>
  <servers xmlns='urn:fixture'>
    <server><name>a</name><address>1</address><statistics><hits>5</hits></statistics></server>
    <server><name>b</name><address>2</address><port>80</port></server>
    <rule><id>2</id><sub>x</sub><action>p</action></rule><rule><id>1</id><sub>x</sub><action>q</action></rule>
    <sample><at>1</at><value>4</value></sample><sample><at>2</at><value>5</value></sample>
  </servers></data>";

fn tree(schema: &Arc<Schema>) -> Tree {
    let document = Document::parse(DATA, &Limits::default()).unwrap();
    let set = edit::read_data(schema, document.root()).unwrap();
    Tree::initial(schema.clone()).merged(&set)
}

/// A reader from whom some nodes are hidden.
struct Without(Vec<NodeId>, Arc<Schema>);

impl ReadAccess for Without {
    fn extent(&self, node: NodeId) -> crate::yang::access::Extent {
        use crate::yang::access::Extent;
        if self.0.iter().any(|hidden| self.1.is_within(node, *hidden)) {
            Extent::None
        } else if self.0.iter().any(|hidden| self.1.is_within(*hidden, node)) {
            Extent::Some
        } else {
            Extent::All
        }
    }

    fn reads(&self, _: NodeId, _: Instance<'_>, marks: &mut Vec<u32>, _: std::ops::Range<usize>) -> bool {
        marks.push(0);
        true
    }
}

#[test]
fn it_is_what_a_get_writes() {
    let schema = fixture::schema();
    let tree = tree(&schema);
    let nodes = |paths: &[&str]| paths.iter().map(|path| schema.find(path).unwrap()).collect::<Vec<_>>();
    let readers: [Option<Arc<dyn ReadAccess>>; 4] = [
        None,
        Some(Arc::new(Without(nodes(&["/fixture:system/secret"]), schema.clone()))),
        Some(Arc::new(Without(nodes(&["/fixture:servers/server/name", "/fixture:system/tag"]), schema.clone()))),
        Some(Arc::new(Without(nodes(&["/fixture:servers/server/address", "/fixture:servers"]), schema.clone()))),
    ];
    for filter in [
        "<system/>",
        "<servers/>",
        "<system><name/><mtu/></system>",
        "<system><mtu/></system>",
        "<system><plain/></system><system><present/></system>",
        "<system><tag>b</tag></system>",
        "<system><uptime/><any/></system>",
        "<servers><server><name/></server></servers>",
        "<servers><server><port/></server></servers>",
        "<servers><server><name>b</name></server></servers>",
        "<servers><server><name>a</name><statistics/></server></servers>",
        "<servers><server><address>2</address><name/></server></servers>",
        "<servers><rule><action>q</action></rule></servers>",
        "<servers><sample><value>5</value></sample></servers>",
        "<servers><server><name>none</name></server></servers>",
    ] {
        let text = format!("<filter>{filter}</filter>").replace("<system>", "<system xmlns='urn:fixture'>");
        let text = text
            .replace("<servers>", "<servers xmlns='urn:fixture'>")
            .replace("<system/>", "<system xmlns='urn:fixture'/>")
            .replace("<servers/>", "<servers xmlns='urn:fixture'/>");
        let document = Document::parse(&text, &Limits::default()).unwrap();
        let selection = Selection::from_subtree(&schema, document.root()).unwrap();
        for (n, reader) in readers.iter().enumerate() {
            let written = |tree: &Tree, what: &Selection, reader: Option<Arc<dyn ReadAccess>>| {
                let mut out = Vec::new();
                write(tree, what, reader, WriteOptions::default(), &mut out);
                String::from_utf8(out).unwrap()
            };
            let expected = written(&tree, &selection, reader.clone());
            let visible = prune(&tree, &selection, reader.as_deref());
            assert_eq!(written(&visible, &Selection::all(), None), expected, "{filter} for reader {n}");
        }
    }
}

#[test]
fn what_is_visible_as_a_whole_is_shared() {
    let schema = fixture::schema();
    let tree = tree(&schema);
    assert!(prune(&tree, &Selection::all(), None).same_version(&tree));
    let hidden = Without(vec![schema.find("/fixture:system/secret").unwrap()], schema.clone());
    let visible = prune(&tree, &Selection::all(), Some(&hidden));
    assert_eq!(visible.value("/fixture:system/secret"), None);
    let servers = schema.find("/fixture:servers").unwrap();
    assert!(visible.root().container(servers).unwrap().shares(tree.root().container(servers).unwrap()));
    // Hidden below, and yet nothing is there to be hidden.
    let absent = Without(vec![schema.find("/fixture:servers/server/backup").unwrap()], schema.clone());
    let visible = prune(&tree, &Selection::all(), Some(&absent));
    assert!(visible.root().container(servers).unwrap().shares(tree.root().container(servers).unwrap()));
}
