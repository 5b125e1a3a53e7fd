//! How fast trees are written: whole, in chunks, filtered and under access rules. Run with `--release`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use netconf::server::nacm::Nacm;
use netconf::xml::{Document, Limits};
use netconf::yang::ffi::Source;
use netconf::yang::filter::Selection;
use netconf::yang::write::{TreeWriter, WriteOptions};
use netconf::yang::{Content, Inner, Key, Schema, Tree, Value, edit};

const MODULE: Source = Source {
    name: "speed",
    revision: None,
    text: r#"
module speed {
  namespace "urn:speed";
  prefix sp;
  container interfaces {
    list interface {
      key name;
      leaf name { type string; }
      leaf description { type string; }
      leaf enabled { type boolean; default true; }
      leaf mtu { type uint16; }
      container statistics { leaf in-octets { type uint64; } leaf out-octets { type uint64; } leaf errors { type uint32; } }
    }
  }
}
"#,
};

const ENTRIES: usize = 40_000;
const CHUNK: usize = 64 * 1024;

fn main() {
    let schema = Schema::builder()
        .standard()
        .sources([MODULE])
        .module("speed", None, &[])
        .module("ietf-netconf-acm", None, &[])
        .build()
        .expect("the module compiles");
    let tree = tree(&schema);
    let nothing = Nacm::compile(&tree, None).user("nobody", &[]);
    let denied = nacm(&schema, "<path xmlns:s=\"urn:speed\">/s:interfaces/s:interface/s:statistics/s:errors</path>");
    let one = nacm(&schema, "<path xmlns:s=\"urn:speed\">/s:interfaces/s:interface[s:name='if-17']</path>");
    let select = |body: &str| {
        let text = format!("<filter><interfaces xmlns=\"urn:speed\">{body}</interfaces></filter>");
        let document = Document::parse(&text, &Limits::default()).expect("well-formed");
        Selection::from_subtree(&schema, document.root()).expect("a filter")
    };
    let user = |nacm: &Arc<Nacm>| nacm.user("u", &[]).for_reading();
    measure("all", &tree, &Selection::all(), None);
    measure("all, NACM without rules", &tree, &Selection::all(), nothing.for_reading());
    measure("all, NACM hides a leaf", &tree, &Selection::all(), user(&denied));
    measure("all, NACM hides an entry", &tree, &Selection::all(), user(&one));
    measure("one leaf of each entry", &tree, &select("<interface><name/><mtu/></interface>"), None);
    measure("entries by content", &tree, &select("<interface><mtu>1500</mtu></interface>"), None);
    measure("one entry by key", &tree, &select("<interface><name>if-4711</name></interface>"), None);
}

fn tree(schema: &Arc<Schema>) -> Tree {
    let id = |path: &str| schema.find(path).expect("of the module");
    let leaf = |name: &str| id(&format!("/speed:interfaces/interface/{name}"));
    let mut tree = Tree::new(schema.clone());
    let list =
        tree.root_mut().container_mut(id("/speed:interfaces")).list_mut(schema, id("/speed:interfaces/interface"));
    for i in 0..ENTRIES {
        let name = Value::Text(format!("if-{i}").into());
        let mut entry = Inner::default();
        entry.set(leaf("name"), Content::Leaf(name.clone()), false);
        let description = format!("uplink {i} of the node, port {}", i % 48);
        entry.set(leaf("description"), Content::Leaf(Value::Text(description.into())), false);
        entry.set(leaf("enabled"), Content::Leaf(Value::Bool(true)), true);
        entry.set(leaf("mtu"), Content::Leaf(Value::Uint(if i % 2 == 0 { 1500 } else { 9000 })), false);
        let statistics = entry.container_mut(leaf("statistics"));
        for (n, name) in ["in-octets", "out-octets", "errors"].into_iter().enumerate() {
            let count = (i as u64) << (8 * (2 - n));
            statistics.set(leaf(&format!("statistics/{name}")), Content::Leaf(Value::Uint(count)), false);
        }
        list.insert(Key::One(name), entry);
    }
    tree
}

fn nacm(schema: &Arc<Schema>, path: &str) -> Arc<Nacm> {
    let text = format!(
        "<config><nacm xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-acm\"><groups><group><name>g</name>\
         <user-name>u</user-name></group></groups><rule-list><name>l</name><group>g</group><rule><name>r</name>{path}\
         <action>deny</action></rule></rule-list></nacm></config>"
    );
    let document = Document::parse(&text, &Limits::default()).expect("well-formed");
    Nacm::compile(&edit::read_config(schema, document.root()).expect("valid"), None)
}

fn measure(what: &str, tree: &Tree, selection: &Selection, access: Option<Arc<dyn netconf::yang::access::ReadAccess>>) {
    let mut out = Vec::with_capacity(2 * CHUNK);
    let mut best = Duration::MAX;
    let mut bytes = 0;
    for _ in 0..10 {
        let start = Instant::now();
        let mut writer = TreeWriter::new(tree.clone(), selection.clone(), access.clone(), WriteOptions::default());
        bytes = 0;
        loop {
            out.clear();
            let more = writer.next_chunk(&mut out, CHUNK);
            bytes += black_box(&out).len();
            if !more {
                break;
            }
        }
        best = best.min(start.elapsed());
    }
    let rate = bytes as f64 / best.as_secs_f64() / 1e6;
    println!("{what:28} {bytes:9} bytes {best:>12.3?} {rate:8.0} MB/s");
}
