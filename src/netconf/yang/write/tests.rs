//! Tests of the writer: values, namespaces, defaults, depth, and that chunks change nothing.

use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::xml::{Document, Limits};
use crate::yang::access::{Extent, Instance};
use crate::yang::path::{InstancePath, Predicate};
use crate::yang::schema::NodeId;
use crate::yang::{edit, fixture};

fn read(xml: &str) -> Tree {
    read_by(&fixture::schema(), xml)
}

fn read_by(schema: &Arc<Schema>, xml: &str) -> Tree {
    let text = format!("<data xmlns:fx=\"urn:fixture\">{xml}</data>");
    edit::read_data(schema, Document::parse(&text, &Limits::default()).unwrap().root()).unwrap()
}

fn system(body: &str) -> Tree {
    let text = format!("<config xmlns:fx=\"urn:fixture\"><system xmlns=\"urn:fixture\">{body}</system></config>");
    edit::read_config(&fixture::schema(), Document::parse(&text, &Limits::default()).unwrap().root()).unwrap()
}

fn show_as(tree: &Tree, defaults: WithDefaults) -> String {
    let mut out = Vec::new();
    write(tree, &Selection::all(), None, WriteOptions { defaults, ..WriteOptions::default() }, &mut out);
    String::from_utf8(out).unwrap()
}

fn show(tree: &Tree) -> String {
    show_as(tree, WithDefaults::Explicit)
}

fn select(tree: &Tree, filter: &str) -> Selection {
    let text = format!("<filter>{filter}</filter>");
    Selection::from_subtree(tree.schema(), Document::parse(&text, &Limits::default()).unwrap().root()).unwrap()
}

#[test]
fn values_of_every_kind() {
    for (leaf, written) in [
        ("<name>a&lt;b&amp;c&gt;d \"e\"</name>", "<name>a&lt;b&amp;c&gt;d \"e\"</name>"),
        ("<name>a&#13;b</name>", "<name>a&#13;b</name>"),
        ("<name></name>", "<name/>"),
        ("<level>-5</level>", "<level>-5</level>"),
        ("<mtu>0900</mtu>", "<mtu>900</mtu>"),
        ("<ratio>1.50</ratio>", "<ratio>1.5</ratio>"),
        ("<enabled>false</enabled>", "<enabled>false</enabled>"),
        ("<mode>fast</mode>", "<mode>fast</mode>"),
        ("<marker/>", "<marker/>"),
        ("<pet>fx:cat</pet>", "<pet xmlns:fixture=\"urn:fixture\">fixture:cat</pet>"),
        ("<either>fx:dog</either>", "<either xmlns:fixture=\"urn:fixture\">fixture:dog</either>"),
        ("<either>7</either>", "<either>7</either>"),
        (
            "<target>/fx:servers/fx:server[fx:name='a/b']/fx:port</target>",
            "<target xmlns:fixture=\"urn:fixture\">\
             /fixture:servers/fixture:server[fixture:name='a/b']/fixture:port</target>",
        ),
        ("<tag>b</tag><tag>a</tag>", "<tag>a</tag><tag>b</tag>"),
        ("<search>b</search><search>a</search>", "<search>b</search><search>a</search>"),
        ("<present/>", "<present/>"),
        ("<plain/>", ""),
    ] {
        let body = if written.is_empty() {
            String::new()
        } else {
            format!("<system xmlns=\"urn:fixture\">{written}</system>")
        };
        assert_eq!(show(&system(leaf)), body, "{leaf}");
    }
}

#[test]
fn anydata_goes_through_as_it_came() {
    let tree = system("<any><x:a xmlns:x=\"urn:x\" k=\"v\">t<!-- c --></x:a><b xmlns=\"urn:b\"/></any>");
    let once = show(&tree);
    assert!(once.contains("urn:x") && once.contains("urn:b") && once.contains("k=\"v\""), "{once}");
    assert_eq!(show(&read(&once)), once);
    assert_eq!(show(&system("<any/>")), "<system xmlns=\"urn:fixture\"><any/></system>");
}

/// RFC 6243 section 2.
#[test]
fn defaults_are_reported_as_the_mode_says() {
    let tree = system("<mtu>1500</mtu><mode>fast</mode><port>443</port><port>80</port><present/>");
    let body = |defaults| {
        let text = show_as(&tree, defaults);
        let inside =
            text.strip_prefix("<system xmlns=\"urn:fixture\"").and_then(|t| t.split_once("</system>")).unwrap();
        inside.0.to_owned()
    };
    assert_eq!(
        body(WithDefaults::Explicit),
        "><mtu>1500</mtu><mode>fast</mode><port>80</port><port>443</port><present/>"
    );
    assert_eq!(body(WithDefaults::Trim), "><mode>fast</mode><present/>");
    assert_eq!(
        body(WithDefaults::ReportAll),
        "><mtu>1500</mtu><enabled>true</enabled><mode>fast</mode><port>80</port><port>443</port>\
         <plain><inner>dflt</inner></plain><present><inner>dflt</inner></present><tcp-port>830</tcp-port>"
    );
    assert_eq!(
        body(WithDefaults::ReportAllTagged),
        " xmlns:wd=\"urn:ietf:params:xml:ns:netconf:default:1.0\">\
         <mtu wd:default=\"true\">1500</mtu><enabled wd:default=\"true\">true</enabled><mode>fast</mode>\
         <port wd:default=\"true\">80</port><port wd:default=\"true\">443</port>\
         <plain><inner wd:default=\"true\">dflt</inner></plain>\
         <present><inner wd:default=\"true\">dflt</inner></present><tcp-port wd:default=\"true\">830</tcp-port>"
    );
    // Nothing but defaults: no container is left.
    let defaults_only = Tree::initial(fixture::schema());
    assert_eq!(show(&defaults_only), "");
    assert_eq!(show_as(&defaults_only, WithDefaults::Trim), "");
    assert!(show_as(&defaults_only, WithDefaults::ReportAll).contains("<mtu>1500</mtu>"));
}

#[test]
fn depth_counts_from_what_is_selected() {
    let tree = read(
        "<system xmlns=\"urn:fixture\"><name>n</name><present><inner>i</inner></present></system>\
         <servers xmlns=\"urn:fixture\"><server><name>a</name><address>x</address></server></servers>",
    );
    let at = |filter: Option<&str>, depth| {
        let what = filter.map_or(Selection::all(), |filter| select(&tree, filter));
        let mut out = Vec::new();
        let options = WriteOptions { max_depth: Some(depth), ..WriteOptions::default() };
        write(&tree, &what, None, options, &mut out);
        String::from_utf8(out).unwrap().replace(" xmlns=\"urn:fixture\"", "")
    };
    assert_eq!(at(None, 1), "<system/><servers/>");
    assert_eq!(
        at(None, 2),
        "<system><name>n</name><present/></system><servers><server><name>a</name></server></servers>"
    );
    assert_eq!(
        at(None, 3),
        "<system><name>n</name><present><inner>i</inner></present></system>\
         <servers><server><name>a</name><address>x</address></server></servers>"
    );
    let servers = "<servers xmlns=\"urn:fixture\"><server/></servers>";
    assert_eq!(at(Some(servers), 1), "<servers><server><name>a</name></server></servers>");
    assert_eq!(at(Some(servers), 2), "<servers><server><name>a</name><address>x</address></server></servers>");
}

/// The kinds of origin of RFC 8342 appendix C: what was asked for, defaults, what the device found, what it learned.
fn operational() -> Tree {
    let text = "<config><system xmlns=\"urn:fixture\"><name>n</name><level>3</level></system>\
                <servers xmlns=\"urn:fixture\"><server><name>a</name><address>x</address></server></servers></config>";
    let schema = fixture::schema();
    let config = edit::read_config(&schema, Document::parse(text, &Limits::default()).unwrap().root()).unwrap();
    let found = read_by(
        &schema,
        "<system xmlns=\"urn:fixture\"><level>4</level><uptime>7</uptime></system><servers xmlns=\"urn:fixture\">\
         <server><name>a</name><address>x</address><statistics><hits>1</hits></statistics></server>\
         <server><name>b</name><port>830</port></server></servers>",
    );
    let learned = read_by(
        &schema,
        "<servers xmlns=\"urn:fixture\"><server><name>b</name><address>y</address></server>\
         <rule><id>1</id><sub>s</sub><action>go</action></rule></servers>",
    );
    config.merged_as(&found, Origin::System).merged_as(&learned.with_origin(Origin::Learned), Origin::System)
}

fn written(tree: &Tree, what: &Selection, options: WriteOptions) -> String {
    let mut out = Vec::new();
    write(tree, what, None, options, &mut out);
    let whole = String::from_utf8(out).unwrap();
    // Pieces of any size are the same bytes.
    for budget in [1, 30, 200] {
        let mut writer = TreeWriter::new(tree.clone(), what.clone(), None, options);
        let mut pieces = Vec::new();
        while writer.next_chunk(&mut pieces, budget) {}
        assert_eq!(String::from_utf8(pieces).unwrap(), whole, "in pieces of {budget}");
    }
    whole.replace(" xmlns=\"urn:fixture\"", "").replace(" xmlns:or=\"urn:ietf:params:xml:ns:yang:ietf-origin\"", "")
}

/// RFC 8342 section 5.3.4: at the top always, below where it differs, never on state data.
#[test]
fn origin_stands_where_it_differs_from_the_one_around() {
    let tree = operational();
    let options = WriteOptions { defaults: WithDefaults::ReportAll, with_origin: true, ..WriteOptions::default() };
    let text = written(&tree, &select(&tree, "<servers xmlns=\"urn:fixture\"/>"), options);
    assert_eq!(
        text,
        "<servers or:origin=\"or:intended\"><server><name>a</name><address>x</address>\
         <port or:origin=\"or:default\">22</port><statistics><hits>1</hits></statistics></server>\
         <server or:origin=\"or:system\"><name>b</name><address or:origin=\"or:learned\">y</address><port>830</port></server>\
         <rule or:origin=\"or:learned\"><id>1</id><sub>s</sub><action>go</action></rule></servers>"
    );
    let text =
        written(&tree, &select(&tree, "<system xmlns=\"urn:fixture\"><level/><mtu/><uptime/></system>"), options);
    assert_eq!(
        text,
        "<system or:origin=\"or:intended\"><mtu or:origin=\"or:default\">1500</mtu>\
         <level or:origin=\"or:system\">4</level><uptime>7</uptime></system>"
    );
    // Only defaults: the container at the top must say something.
    let defaults = Tree::initial(tree.schema().clone());
    let text = written(&defaults, &select(&defaults, "<system xmlns=\"urn:fixture\"><mtu/></system>"), options);
    assert_eq!(text, "<system or:origin=\"or:default\"><mtu>1500</mtu></system>");
    // Without the option nothing is said.
    assert!(!written(&tree, &Selection::all(), WriteOptions::default()).contains("origin"));
}

/// RFC 8526 section 3.1.1: nodes around selected ones, and keys, come along; state data passes every origin filter.
#[test]
fn config_and_origin_filters_keep_what_is_around() {
    let tree = operational();
    let servers = select(&tree, "<servers xmlns=\"urn:fixture\"/>");
    let with = |options: WriteOptions| written(&tree, &servers, options);
    let all = WriteOptions { defaults: WithDefaults::ReportAll, ..WriteOptions::default() };
    assert_eq!(
        with(WriteOptions { config: Some(false), ..all }),
        "<servers><server><name>a</name><statistics><hits>1</hits></statistics></server></servers>"
    );
    assert_eq!(
        with(WriteOptions { config: Some(true), ..all }),
        "<servers><server><name>a</name><address>x</address><port>22</port></server>\
         <server><name>b</name><address>y</address><port>830</port></server>\
         <rule><id>1</id><sub>s</sub><action>go</action></rule></servers>"
    );
    let only = |origin| WriteOptions { config: Some(true), origins: [origin].into_iter().collect(), ..all };
    assert_eq!(
        with(only(Origin::Learned)),
        "<servers><server><name>b</name><address>y</address></server>\
         <rule><id>1</id><sub>s</sub><action>go</action></rule></servers>"
    );
    assert_eq!(with(only(Origin::System)), "<servers><server><name>b</name><port>830</port></server></servers>");
    assert_eq!(with(only(Origin::Default)), "<servers><server><name>a</name><port>22</port></server></servers>");
    assert_eq!(with(only(Origin::Unknown)), "");
    let others = Origins::from_iter([Origin::System, Origin::Default]).others();
    assert_eq!(
        with(WriteOptions { origins: others, ..all }),
        "<servers><server><name>a</name><address>x</address><statistics><hits>1</hits></statistics></server>\
         <server><name>b</name><address>y</address></server>\
         <rule><id>1</id><sub>s</sub><action>go</action></rule></servers>"
    );
}

#[test]
fn at_the_last_level_a_container_stands_for_what_would_be_in_it() {
    let tree = operational();
    let at = |options: WriteOptions| written(&tree, &Selection::all(), WriteOptions { max_depth: Some(1), ..options });
    let plain = WriteOptions::default();
    assert_eq!(at(plain), "<system/><servers/>");
    assert_eq!(at(WriteOptions { config: Some(false), ..plain }), "<system/><servers/>");
    assert_eq!(
        at(WriteOptions { origins: [Origin::Learned].into_iter().collect(), config: Some(true), ..plain }),
        "<servers/>"
    );
    let initial = Tree::initial(tree.schema().clone());
    assert_eq!(written(&initial, &Selection::all(), WriteOptions { max_depth: Some(1), ..plain }), "");
}

#[test]
fn the_inside_of_an_output_declares_its_namespace() {
    let schema = fixture::schema();
    let output = schema.find("/fixture:restart/output").unwrap();
    let job = schema.find("/fixture:restart/output/job").unwrap();
    assert_eq!(schema.node(job).data_parent, Some(output));
    let mut inner = Inner::default();
    inner.set(job, Content::Leaf(Value::Text("j".into())), false);
    let mut out = Vec::new();
    write_subtree(&schema, &inner, WithDefaults::ReportAll, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "<job xmlns=\"urn:fixture\">j</job>");
}

/// Hides every instance with one of these numbers as text, and every leaf of one name.
struct Hiding {
    entries: Vec<String>,
    leaf: NodeId,
}

impl ReadAccess for Hiding {
    fn extent(&self, node: NodeId) -> Extent {
        if node == self.leaf { Extent::None } else { Extent::Some }
    }

    fn reads(&self, node: NodeId, instance: Instance<'_>, marks: &mut Vec<u32>, parent: Range<usize>) -> bool {
        // Each call passes its depth on: the walk must give it back for exactly the children.
        let depth = marks[parent].first().copied().unwrap_or(0);
        marks.push(depth + 1);
        assert!(node != self.leaf && depth < 4);
        match instance {
            Instance::Entry(key) => !key.values().iter().any(|value| self.entries.iter().any(|e| *e == value.text())),
            Instance::Value(value) => !self.entries.iter().any(|e| *e == value.text()),
            _ => true,
        }
    }
}

#[test]
fn what_may_not_be_read_is_not_there_not_even_for_a_filter() {
    let tree = read(
        "<servers xmlns=\"urn:fixture\"><server><name>a</name><address>x</address><port>1</port></server>\
         <server><name>b</name><address>y</address></server><server><name>c</name><address>x</address></server></servers>",
    );
    let schema = tree.schema();
    let leaf = |name: &str| schema.find(&format!("/fixture:servers/server/{name}")).unwrap();
    let written = |what: &Selection, access: Hiding| {
        let mut out = Vec::new();
        write(&tree, what, Some(Arc::new(access)), WriteOptions::default(), &mut out);
        String::from_utf8(out).unwrap().replace(" xmlns=\"urn:fixture\"", "")
    };
    let hiding_port = || Hiding { entries: vec!["b".into()], leaf: leaf("port") };
    assert_eq!(
        written(&Selection::all(), hiding_port()),
        "<servers><server><name>a</name><address>x</address></server><server><name>c</name><address>x</address></server>\
         </servers>"
    );
    let servers = |body: &str| format!("<servers xmlns=\"urn:fixture\"><server>{body}</server></servers>");
    assert_eq!(written(&select(&tree, &servers("<port>1</port><address/>")), hiding_port()), "");
    assert_eq!(written(&select(&tree, &servers("<name>b</name>")), hiding_port()), "");
    assert_eq!(written(&select(&tree, &servers("<address>y</address>")), hiding_port()), "");
    assert_eq!(
        written(&select(&tree, &servers("<name>a</name><port/>")), hiding_port()),
        "<servers><server><name>a</name></server></servers>"
    );
    assert_eq!(written(&select(&tree, &servers("<port/>")), hiding_port()), "");
    // An entry whose key may not be read cannot be shown.
    assert_eq!(written(&Selection::all(), Hiding { entries: vec![], leaf: leaf("name") }), "");
}

#[test]
fn a_search_without_a_find_returns_now_and_then() {
    let schema = fixture::schema();
    let id = |path: &str| schema.find(path).unwrap();
    let (servers, server) = (id("/fixture:servers"), id("/fixture:servers/server"));
    let (name, address) = (id("/fixture:servers/server/name"), id("/fixture:servers/server/address"));
    let mut tree = Tree::new(schema.clone());
    let list = tree.root_mut().container_mut(servers).list_mut(&schema, server);
    for i in 0..2 * NODES_IN_A_CHUNK {
        let key = Value::Text(i.to_string().into());
        let mut entry = Inner::default();
        entry.set(name, Content::Leaf(key.clone()), false);
        entry.set(address, Content::Leaf(Value::Text("x".into())), false);
        list.insert(Key::One(key), entry);
    }
    let filter = "<servers xmlns=\"urn:fixture\"><server><address>y</address></server></servers>";
    let mut writer = TreeWriter::new(tree.clone(), select(&tree, filter), None, WriteOptions::default());
    let mut out = Vec::new();
    let mut chunks = 1;
    while writer.next_chunk(&mut out, 1000) {
        chunks += 1;
    }
    assert!(out.is_empty() && (2..10).contains(&chunks), "{chunks}");
    assert!(!writer.next_chunk(&mut out, 1000));
    // Half of the entries match: the pauses of the search leave no trace.
    let filter = "<servers xmlns=\"urn:fixture\"><server><address>x</address><name/></server></servers>";
    let mut writer = TreeWriter::new(tree.clone(), select(&tree, filter), None, WriteOptions::default());
    while writer.next_chunk(&mut out, usize::MAX) {}
    assert_eq!(String::from_utf8(out).unwrap().matches("<server>").count(), 2 * NODES_IN_A_CHUNK);
}

/// A tree as its leafs: system, servers, rules in their order, samples.
fn any_tree() -> impl Strategy<Value = Tree> {
    let text = "[a-c<&\"' é\u{1F600}\\]>]{0,5}";
    let servers = prop::collection::btree_map(
        "[a-z]{1,3}",
        (prop::option::of(text), prop::option::of(any::<u16>()), any::<bool>()),
        0..8,
    );
    let rules = prop::collection::vec((any::<u8>(), "[ab]{1,2}", text), 0..8);
    let samples = prop::collection::vec((prop::option::of(any::<u32>()), any::<i32>()), 0..4);
    let system = (
        prop::option::of(text),
        prop::option::of(any::<i8>()),
        prop::collection::btree_set("[a-d]{1,2}", 0..5),
        0..3_u8,
        any::<bool>(),
    );
    (servers, rules, samples, system).prop_map(|(servers, rules, samples, system)| {
        let schema = fixture::schema();
        let id = |path: &str| schema.find(path).unwrap();
        let string = |text: &str| Content::Leaf(Value::Text(text.into()));
        let mut tree = Tree::new(schema.clone());
        let root = tree.root_mut();
        if !servers.is_empty() || !rules.is_empty() || !samples.is_empty() {
            let inside = root.container_mut(id("/fixture:servers"));
            for (key, (address, port, hits)) in &servers {
                let mut entry = Inner::default();
                entry.set(id("/fixture:servers/server/name"), string(key), false);
                if let Some(address) = address {
                    entry.set(id("/fixture:servers/server/address"), string(address), false);
                }
                if let Some(port) = port {
                    entry.set(id("/fixture:servers/server/port"), Content::Leaf(Value::Uint((*port).into())), false);
                }
                if *hits {
                    let statistics = entry.container_mut(id("/fixture:servers/server/statistics"));
                    statistics.set(
                        id("/fixture:servers/server/statistics/hits"),
                        Content::Leaf(Value::Uint(u64::MAX)),
                        false,
                    );
                }
                inside
                    .list_mut(&schema, id("/fixture:servers/server"))
                    .insert(Key::One(Value::Text(key.into())), entry);
            }
            for (number, sub, action) in &rules {
                let mut entry = Inner::default();
                let (number, sub) = (Value::Uint((*number).into()), Value::Text(sub.into()));
                entry.set(id("/fixture:servers/rule/id"), Content::Leaf(number.clone()), false);
                entry.set(id("/fixture:servers/rule/sub"), Content::Leaf(sub.clone()), false);
                entry.set(id("/fixture:servers/rule/action"), string(action), false);
                inside.list_mut(&schema, id("/fixture:servers/rule")).insert(Key::new(vec![number, sub]), entry);
            }
            for (at, value) in &samples {
                let mut entry = Inner::default();
                if let Some(at) = at {
                    entry.set(id("/fixture:servers/sample/at"), Content::Leaf(Value::Uint((*at).into())), false);
                }
                entry.set(id("/fixture:servers/sample/value"), Content::Leaf(Value::Int((*value).into())), false);
                inside.list_mut(&schema, id("/fixture:servers/sample")).push(entry);
            }
        }
        let (name, level, tags, pet, present) = system;
        let inside = root.container_mut(id("/fixture:system"));
        if let Some(name) = name {
            inside.set(id("/fixture:system/name"), string(&name), false);
        }
        if let Some(level) = level {
            inside.set(id("/fixture:system/level"), Content::Leaf(Value::Int(level.into())), false);
        }
        if !tags.is_empty() {
            let tags = tags.iter().map(|tag| Value::Text(tag.into())).collect();
            inside.set(id("/fixture:system/tag"), Content::LeafList(Arc::new(tags)), false);
        }
        if pet > 0 {
            let pet = if pet == 1 { "fixture:cat" } else { "fixture:dog" };
            inside.set(id("/fixture:system/pet"), Content::Leaf(Value::Qualified(pet.into())), false);
        }
        if present {
            inside.set(id("/fixture:system/present"), Content::Container(Inner::default()), false);
        }
        tree
    })
}

const FILTERS: &[&str] = &[
    "<servers/>",
    "<servers><server><name/></server></servers>",
    "<servers><server><port/><statistics/></server><rule><action/></rule><sample/></servers><system><tag/></system>",
    "<servers><server><name>b</name></server><server><name>a</name><port/></server><rule><sub>a</sub></rule></servers>",
    "<system><tag>a</tag><present/></system><servers><rule><id>1</id><sub>a</sub></rule><sample><at/></sample></servers>",
];

fn some_selection(tree: &Tree, which: usize) -> Selection {
    match FILTERS.get(which) {
        Some(filter) => select(
            tree,
            &filter
                .replace("<servers>", "<servers xmlns=\"urn:fixture\">")
                .replace("<servers/>", "<servers xmlns=\"urn:fixture\"/>")
                .replace("<system>", "<system xmlns=\"urn:fixture\">"),
        ),
        None => Selection::all(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_reads_back_as_the_same_tree(tree in any_tree()) {
        let text = show(&tree);
        let again = read(&text);
        prop_assert_eq!(show(&again), text);
        prop_assert_eq!(read(&show_as(&again, WithDefaults::Explicit)), again.clone());
        // What is trimmed is gone for a reader of data, who does not fill in defaults.
        let trimmed = show_as(&again, WithDefaults::Trim);
        prop_assert_eq!(show_as(&read(&trimmed), WithDefaults::Trim), trimmed);
    }

    #[test]
    fn chunks_are_the_whole_in_pieces(tree in any_tree(), budget in 1..400_usize, which in 0..=FILTERS.len(), nosy in any::<bool>()) {
        let what = some_selection(&tree, which);
        let access = || -> Option<Arc<dyn ReadAccess>> {
            let leaf = tree.schema().find("/fixture:servers/server/address").unwrap();
            nosy.then(|| Arc::new(Hiding { entries: vec!["a".into(), "ab".into()], leaf }) as Arc<dyn ReadAccess>)
        };
        let mut whole = Vec::new();
        write(&tree, &what, access(), WriteOptions::default(), &mut whole);
        let mut writer = TreeWriter::new(tree.clone(), what, access(), WriteOptions::default());
        let mut pieces = Vec::new();
        loop {
            let mut chunk = Vec::new();
            let more = writer.next_chunk(&mut chunk, budget);
            // The longest single thing here is an entry's start with its keys, or a long end.
            prop_assert!(chunk.len() < budget + 200);
            pieces.extend_from_slice(&chunk);
            if !more {
                break;
            }
        }
        prop_assert_eq!(String::from_utf8(pieces).unwrap(), String::from_utf8(whole).unwrap());
    }

    /// What a filter selects adds nothing to the whole that was not there, and keeps the order of the user's lists. Not
    /// with the keyless list: its entries have no identity to be merged by.
    #[test]
    fn filtered_output_is_part_of_the_whole(tree in any_tree(), which in prop::sample::select(vec![1_usize, 3])) {
        let mut out = Vec::new();
        write(&tree, &some_selection(&tree, which), None, WriteOptions::default(), &mut out);
        let whole = read(&show(&tree));
        let part = read_by(whole.schema(), std::str::from_utf8(&out).unwrap());
        prop_assert_eq!(show(&whole.merged(&part)), show(&whole));
    }
}

#[test]
fn a_path_to_an_entry_and_one_into_it_give_the_entry() {
    let tree = read("<servers xmlns=\"urn:fixture\"><server><name>a</name><address>x</address></server></servers>");
    let schema = tree.schema();
    let id = |path: &str| schema.find(path).unwrap();
    let mut path = InstancePath::default();
    path.push(id("/fixture:servers"), Predicate::None);
    path.push(id("/fixture:servers/server"), Predicate::Key(Key::One(Value::Text("a".into()))));
    let inside = path.child(id("/fixture:servers/server/name"), Predicate::None);
    let what = Selection::from_paths(schema, vec![inside, path]);
    let mut out = Vec::new();
    write(&tree, &what, None, WriteOptions::default(), &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), show(&tree));
}
