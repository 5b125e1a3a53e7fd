//! Tests of JSON against the fixture: the forms of RFC 7951, and that every tree comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;

use super::*;
use crate::yang::ffi::Source;
use crate::yang::fixture;
use crate::yang::serde::tests::{Animal, Either, Everything, Mode, Mtu, Plain, Rule, Sample, Server, Servers};
use crate::yang::serde::tests::{Statistics, System, everything};
use crate::yang::serde::{from_tree, to_tree, tree_at};

#[test]
fn each_type_has_its_form() {
    let schema = fixture::schema();
    let tree = to_tree(&schema, &everything()).unwrap();
    let expected = concat!(
        r#"{"fixture:system":{"name":"a \"b\" <c> 'd' é🔑","mtu":9000,"level":-128,"ratio":"-0.125","enabled":false,"#,
        r#""mode":"fast","pet":"dog","target":"/fixture:servers/server[name='b']/port","marker":[null],"blob":"AP8Q","#,
        r#""options":"a b","either":"fixture:cat","code":"abc","since":"2026-01-02T03:04:05.678+00:00","extra":"x","#,
        r#""tag":["one","two"],"search":["z","a"],"port":[1,65535],"plain":{"inner":""},"present":{},"udp-port":5000,"#,
        r#""any":"<x xmlns=\"urn:x\">1</x>","uptime":"18446744073709551615"},"#,
        r#""fixture:servers":{"server":[{"name":"a","port":1,"statistics":{"hits":"7"}},{"name":"b","address":"::1"}],"#,
        r#""rule":[{"id":2,"sub":"x","action":"drop"},{"id":1,"sub":"y","action":"drop"},"#,
        r#"{"id":1,"sub":"x","action":"drop"}],"#,
        r#""sample":[{"at":2,"value":-1},{"at":1,"value":1},{"at":2,"value":-1}]}}"#,
    );
    assert_eq!(write(&tree), expected);
    assert_eq!(read(&schema, expected).unwrap(), tree);
    assert_eq!(read(&schema, &serde_json::to_string_pretty(&Json::new(&tree)).unwrap()).unwrap(), tree);
}

#[test]
fn a_part_stands_alone() {
    let schema = fixture::schema();
    let system = schema.find("/fixture:system").unwrap();
    let inner = read_inner(&schema, system, r#"{"fixture:mtu": 68, "pet": "fixture:cat", "present": {}}"#).unwrap();
    assert_eq!(write_inner(&schema, system, &inner), r#"{"mtu":68,"pet":"cat","present":{}}"#);
    let faults = read_inner(&schema, system, r#"{"mtu": 1}"#).unwrap_err();
    assert_eq!(faults[0].path, "/fixture:system/mtu");
    let event = read(&schema, r#"{"fixture:started": {"pet": "cat"}}"#).unwrap();
    assert_eq!(event, tree_at(&schema, "/fixture:started", &BTreeMap::from([("pet", "cat")])).unwrap());
    #[derive(serde::Serialize)]
    struct Line<'t> {
        at: u8,
        data: Json<'t>,
    }
    let line = serde_json::to_string(&Line { at: 1, data: Json::new(&event) }).unwrap();
    assert_eq!(line, r#"{"at":1,"data":{"fixture:started":{"pet":"cat"}}}"#);
}

#[test]
fn defaults_can_be_left_out() {
    let schema = fixture::schema();
    let system = schema.find("/fixture:system").unwrap();
    let mut tree = read(&schema, r#"{"fixture:system": {"mtu": 68, "plain": {}}}"#).unwrap();
    let enabled = schema.find("/fixture:system/enabled").unwrap();
    tree.root_mut().container_mut(system).set(enabled, Content::Leaf(Value::Bool(true)), true);
    assert_eq!(write(&tree), r#"{"fixture:system":{"mtu":68,"enabled":true,"plain":{}}}"#);
    let explicit = serde_json::to_string(&Json::new(&tree).without_defaults()).unwrap();
    assert_eq!(explicit, r#"{"fixture:system":{"mtu":68}}"#);
}

#[test]
fn modules_and_unions() {
    const TEXT: &str = r#"module m { yang-version 1.1; namespace "urn:m"; prefix m; import fixture { prefix fx; }
        identity bird { base fx:animal; }
        augment "/fx:system" { leaf note { type string; } leaf pet2 { type identityref { base fx:animal; } } }
        container c {
          leaf small { type uint64 { range "0..10"; } }
          leaf-list any { ordered-by user; type union { type int8; type uint64; type boolean; type empty; type string; } }
          leaf no-text { type union { type int8; type enumeration { enum x; } } }
        } }"#;
    let source = Source { name: "m", revision: None, text: TEXT };
    let schema = Schema::builder().standard().sources([fixture::MODULE, source]).module("fixture", None, &["extra"]);
    let schema = schema.module("m", None, &[]).build().unwrap();
    let text = concat!(
        r#"{"fixture:system":{"pet":"m:bird","m:note":"n","m:pet2":"bird"},"#,
        r#""m:c":{"small":"7","any":[-5,"200","18446744073709551615",true,"text",""]}}"#
    );
    let tree = read(&schema, text).unwrap();
    let expected = text.replace(r#","""#, ",[null]");
    assert_eq!(write(&tree), expected, "a union's members, by what takes the text first");
    assert_eq!(read(&schema, &expected).unwrap(), tree);
    assert_eq!(
        faults(&schema, r#"{"m:c":{"small":7,"no-text":true}}"#),
        [
            "/m:c/small: \"7\": 64-bit numbers and decimal64 are strings",
            "/m:c/no-text: Invalid union value \"true\" - no matching subtype found:",
        ]
    );
}

/// The first line of each fault.
fn faults(schema: &Arc<Schema>, text: &str) -> Vec<String> {
    let faults = read(schema, text).expect_err(text);
    faults.iter().map(|fault| fault.to_string().lines().next().unwrap().to_owned()).collect()
}

#[test]
fn faults_are_all_told() {
    let schema = fixture::schema();
    let text = r#"{
        "system": {}, "nope:system": {}, "@fixture:system": {"x": [1, {"y": 2}]},
        "fixture:system": {
            "name": 5, "mtu": "1500", "level": 200, "ratio": 1.5, "enabled": "true", "pet": "cow", "marker": null, "blob": ["x"],
            "options": {"a": 1}, "tag": "x", "port": [1, "2", 70000, 3.5], "search": ["a", "b", "a"], "plain": [], "any": {"x": 1},
            "uptime": 5, "code": "ok", "code": "ko", "nope": [[[]]], "system": 1, "@name": {"x:y": 1}, "either": [null]
        },
        "fixture:servers": {
            "server": [{"name": "a"}, {"name": "b", "port": "x"}, {"port": 3}, {"name": "a"}, 7, {"name": 5}],
            "rule": {"id": 1}
        }
    }"#;
    assert_eq!(
        faults(&schema, text),
        [
            "/system: a top-level name needs its module: module:name",
            "/nope:system: no such module",
            "/@fixture:system: metadata (RFC 7952) is not taken here",
            "/fixture:system/name: \"5\": a string",
            "/fixture:system/mtu: \"1500\": an integer, without quotes",
            "/fixture:system/level: Value \"200\" is out of type int8 min/max bounds.",
            "/fixture:system/ratio: \"1.5\": 64-bit numbers and decimal64 are strings",
            "/fixture:system/enabled: \"true\": a boolean is true or false, without quotes",
            "/fixture:system/pet: Invalid identityref \"cow\" value - identity not found in module \"fixture\".",
            "/fixture:system/marker: \"null\": type empty is [null]",
            "/fixture:system/blob: a string",
            "/fixture:system/options: a string",
            "/fixture:system/tag: \"x\": a leaf-list is an array",
            "/fixture:system/port[2]: \"2\": an integer, without quotes",
            "/fixture:system/port[3]: Value \"70000\" is out of type uint16 min/max bounds.",
            "/fixture:system/port[4]: \"3.5\": an integer, without quotes",
            "/fixture:system/search: \"a\": given twice",
            "/fixture:system/plain: an object",
            "/fixture:system/any: anydata is a string of the XML inside it",
            "/fixture:system/uptime: \"5\": 64-bit numbers and decimal64 are strings",
            "/fixture:system/nope: no such node here",
            "/fixture:system/system: no such node here",
            "/fixture:system/@name: metadata (RFC 7952) is not taken here",
            "/fixture:system/either: a single value",
            "/fixture:system/code: given twice",
            "/fixture:servers/server[2]/port: \"x\": an integer, without quotes",
            "/fixture:servers/server[3]: the entry lacks its key \"name\"",
            "/fixture:servers/server[name='a']: another entry has this key",
            "/fixture:servers/server[5]: \"7\": an object",
            "/fixture:servers/server[6]/name: \"5\": a string",
            "/fixture:servers/rule: a list is an array of objects",
        ]
    );
}

#[test]
fn broken_and_hostile_texts_end_with_a_fault() {
    let schema = fixture::schema();
    assert_eq!(
        faults(&schema, r#"{"fixture:servers": {"server": [{"name": "a"}, {"name" "b"}]}}"#),
        ["/fixture:servers/server[2]/name: expected `:` at line 1 column 56"]
    );
    assert_eq!(
        faults(&schema, "[1]"),
        ["/: invalid type: sequence, expected an object of YANG data at line 1 column 1"]
    );
    assert_eq!(faults(&schema, "{} x"), ["/: trailing characters at line 1 column 4"]);
    assert_eq!(faults(&schema, ""), ["/: EOF while parsing a value at line 1 column 0"]);
    let deep = format!(r#"{{"fixture:system": {{"tag": {}"#, "[".repeat(1_000_000));
    assert_eq!(faults(&schema, &deep).len(), 1);
    let deep = format!(r#"{{"fixture:nope": {}1{}}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert_eq!(faults(&schema, &deep), ["/fixture:nope: no such node here"]);
    let many = format!(r#"{{"fixture:system": {{"port": [{}0]}}}}"#, "-1,".repeat(1_000));
    let found = faults(&schema, &many);
    assert_eq!(found.len(), MAX_ERRORS + 1);
    assert!(found[MAX_ERRORS].contains("too many errors"), "{}", found[MAX_ERRORS]);
}

static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(fixture::schema);

fn text() -> impl Strategy<Value = String> {
    // XML's characters (RFC 7950 section 9.4), which a YANG string holds; JSON must escape some.
    proptest::collection::vec(prop_oneof![any::<char>(), proptest::char::range(' ', '~'), Just('\n')], 0..12)
        .prop_map(|chars| chars.into_iter().filter(|&c| is_yang(c)).collect())
}

fn is_yang(c: char) -> bool {
    let code = u32::from(c);
    matches!(c, '\t' | '\n' | '\r') || (code >= 0x20 && !(0xfdd0..=0xfdef).contains(&code) && code & 0xfffe != 0xfffe)
}

prop_compose! {
    fn system()(
        (name, mtu, level, ratio, enabled) in (
            of(text()),
            of((68u16..=9000).prop_map(Mtu)),
            of(any::<i8>()),
            of(-1e12..1e12),
            of(any::<bool>()),
        ),
        (mode, pet, target) in (
            of(prop_oneof![Just(Mode::Fast), Just(Mode::Slow)]),
            of(prop_oneof![Just(Animal::Cat), Just(Animal::Dog)]),
            of("[a-z]{1,5}".prop_map(|name| format!("/fixture:servers/server[name='{name}']/port"))),
        ),
        (marker, blob, options) in (
            any::<bool>(),
            of(proptest::collection::vec(any::<u8>(), 0..20)),
            of(proptest::sample::subsequence(vec!["a".to_owned(), "b".to_owned()], 0..=2)),
        ),
        either in of(prop_oneof![
            any::<i32>().prop_map(Either::Number),
            text().prop_map(Either::Text),
            Just(Either::Text("fixture:dog".into())),
        ]),
        (code, since, extra) in (
            of("[a-z]{1,8}"),
            of((0..60u8).prop_map(|s| format!("2026-01-02T03:04:{s:02}+00:00"))),
            of(any::<char>().prop_filter("a character that YANG has", |&c| is_yang(c))),
        ),
        (tag, search, port) in (
            proptest::collection::btree_set(text(), 0..4),
            proptest::collection::btree_set(text(), 0..4),
            proptest::collection::btree_set(any::<u16>(), 0..4),
        ),
        (plain, present, uptime) in (of(plain()), of(plain()), of(any::<u64>())),
        (udp_port, udp_host, xml) in (
            of(any::<u16>()),
            of(text()),
            of(prop_oneof![Just("<x xmlns=\"urn:x\">&lt;</x>".to_owned()), Just("\"t\"".to_owned())]),
        ),
    ) -> System {
        System {
            name, mtu, level, ratio, enabled, mode, pet, target, marker, blob, options, either, code, since, extra,
            tag: tag.into_iter().collect(), search: search.into_iter().rev().collect(), port: port.into_iter().collect(),
            plain, present, udp_port, udp_host, any: xml, uptime,
        }
    }
}

fn of<S: Strategy>(value: S) -> impl Strategy<Value = Option<S::Value>> {
    proptest::option::of(value)
}

fn plain() -> impl Strategy<Value = Plain> {
    of(text()).prop_map(|inner| Plain { inner })
}

prop_compose! {
    fn servers()(
        names in proptest::collection::btree_map(text(), (of(text()), of(any::<u16>()), of(any::<u64>())), 0..5),
        rules in proptest::collection::hash_map((any::<u8>(), text()), text(), 0..5),
        samples in proptest::collection::vec((any::<u32>(), any::<i32>()), 0..5),
    ) -> Servers {
        Servers {
            server: names.into_iter().map(|(name, (address, port, hits))| Server {
                name, address, port, statistics: hits.map(|hits| Statistics { hits }),
            }).collect(),
            rule: rules.into_iter().map(|((id, sub), action)| Rule { id, sub, action }).collect(),
            sample: samples.into_iter().map(|(at, value)| Sample { at, value }).collect(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_tree_comes_back(system in system(), servers in of(servers())) {
        let before = Everything { system, servers };
        let tree = to_tree(&SCHEMA, &before).unwrap();
        let json = write(&tree);
        let again = read(&SCHEMA, &json).map_err(|faults| TestCaseError::fail(format!("{faults:?} in {json}")))?;
        prop_assert_eq!(&again, &tree, "{}", json);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(value, serde_json::to_value(Json::new(&tree)).unwrap());
        // Every name, key and order survives in the Rust value, too.
        let found: Everything = from_tree(&again).unwrap();
        prop_assert_eq!(to_tree(&SCHEMA, &found).unwrap(), tree);
        let names: BTreeSet<_> = before.servers.iter().flat_map(|s| s.server.iter().map(|s| &s.name)).collect();
        let found_names: BTreeSet<_> = found.servers.iter().flat_map(|s| s.server.iter().map(|s| &s.name)).collect();
        prop_assert_eq!(names, found_names);
    }
}
