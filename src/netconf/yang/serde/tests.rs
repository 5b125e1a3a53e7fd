//! Tests of Rust values as data of the fixture, there and back.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::*;
use crate::yang::ffi::Source;
use crate::yang::fixture;

const OTHER: Source = Source { name: "other", revision: None, text: OTHER_TEXT };
const OTHER_TEXT: &str = r#"
module other {
  yang-version 1.1; namespace "urn:other"; prefix o;
  import fixture { prefix fx; }
  identity bird { base fx:animal; }
  identity cat { base fx:animal; }
  augment "/fx:system" { leaf colour { type string; } leaf name { type string; } }
  container system { leaf far { type string; } }
  container lone { leaf-list id { type identityref { base fx:animal; } config false; } }
  container gate { choice way { container in { leaf depth { type uint8; } } leaf out { type string; } leaf shut { type empty; } } }
}"#;

fn schema_with_other() -> Arc<Schema> {
    Schema::builder()
        .standard()
        .sources([fixture::MODULE, OTHER])
        .module("fixture", None, &["extra"])
        .module("other", None, &[])
        .build()
        .unwrap()
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Everything {
    #[serde(rename = "fixture:system")]
    pub system: System,
    pub servers: Option<Servers>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    Fast,
    #[default]
    Slow,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Animal {
    #[serde(rename = "fixture:cat")]
    Cat,
    Dog,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Mtu(pub u16);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct System {
    pub name: Option<String>,
    pub mtu: Option<Mtu>,
    pub level: Option<i8>,
    pub ratio: Option<f64>,
    pub enabled: Option<bool>,
    pub mode: Option<Mode>,
    pub pet: Option<Animal>,
    pub target: Option<String>,
    pub marker: bool,
    pub blob: Option<Vec<u8>>,
    pub options: Option<Vec<String>>,
    pub either: Option<Either>,
    pub code: Option<String>,
    pub since: Option<String>,
    pub extra: Option<char>,
    pub tag: Vec<String>,
    pub search: Vec<String>,
    pub port: Vec<u16>,
    pub plain: Option<Plain>,
    pub present: Option<Plain>,
    pub udp_port: Option<u16>,
    pub udp_host: Option<String>,
    pub any: Option<String>,
    pub uptime: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Either {
    Number(i32),
    Text(String),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plain {
    pub inner: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Servers {
    pub server: Vec<Server>,
    pub rule: Vec<Rule>,
    pub sample: Vec<Sample>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Server {
    pub name: String,
    pub address: Option<String>,
    pub port: Option<u16>,
    pub statistics: Option<Statistics>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Statistics {
    pub hits: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rule {
    // Not in the order of the model, and the key comes last.
    pub action: String,
    pub sub: String,
    pub id: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub at: u32,
    pub value: i32,
}

/// With no more than the fixture's data can hold, and in canonical order.
pub(crate) fn everything() -> Everything {
    let server = |name: &str, port| Server { name: name.into(), port, ..Server::default() };
    let rule = |id, sub: &str| Rule { id, sub: sub.into(), action: "drop".into() };
    Everything {
        system: System {
            name: Some("a \"b\" <c> 'd' é\u{1f511}".into()),
            mtu: Some(Mtu(9000)),
            level: Some(-128),
            ratio: Some(-0.125),
            enabled: Some(false),
            mode: Some(Mode::Fast),
            pet: Some(Animal::Dog),
            target: Some("/fixture:servers/server[name='b']/port".into()),
            marker: true,
            blob: Some(vec![0, 255, 16]),
            options: Some(vec!["a".into(), "b".into()]),
            either: Some(Either::Text("fixture:cat".into())),
            code: Some("abc".into()),
            since: Some("2026-01-02T03:04:05.678+00:00".into()),
            extra: Some('x'),
            tag: vec!["one".into(), "two".into()],
            search: vec!["z".into(), "a".into()],
            port: vec![1, 65535],
            plain: Some(Plain { inner: Some(String::new()) }),
            present: Some(Plain::default()),
            udp_port: Some(5000),
            udp_host: None,
            any: Some("<x xmlns=\"urn:x\">1</x>".into()),
            uptime: Some(u64::MAX),
        },
        servers: Some(Servers {
            server: vec![
                Server { statistics: Some(Statistics { hits: 7 }), ..server("a", Some(1)) },
                Server { address: Some("::1".into()), ..server("b", None) },
            ],
            rule: vec![rule(2, "x"), rule(1, "y"), rule(1, "x")],
            sample: vec![Sample { at: 2, value: -1 }, Sample { at: 1, value: 1 }, Sample { at: 2, value: -1 }],
        }),
    }
}

#[test]
fn one_of_everything_comes_back() {
    let schema = fixture::schema();
    let before = everything();
    let tree = to_tree(&schema, &before).unwrap();
    for (path, text) in [
        ("/fixture:system/mtu", "9000"),
        ("/fixture:system/ratio", "-0.125"),
        ("/fixture:system/pet", "fixture:dog"),
        ("/fixture:system/marker", ""),
        ("/fixture:system/blob", "AP8Q"),
        ("/fixture:system/options", "a b"),
        ("/fixture:system/either", "fixture:cat"),
        ("/fixture:system/uptime", "18446744073709551615"),
        ("/fixture:servers/server[name='a']/statistics/hits", "7"),
        ("/fixture:servers/rule[id='1'][sub='y']/action", "drop"),
    ] {
        assert_eq!(tree.value(path).map(|v| v.to_string()).as_deref(), Some(text), "{path}");
    }
    let found: Everything = from_tree(&tree).unwrap();
    assert_eq!(found, before);
    assert_eq!(to_tree(&schema, &found).unwrap(), tree);
}

#[test]
fn the_system_orders_what_is_not_the_users() {
    let schema = fixture::schema();
    let found = |path: &str| from_path::<Vec<String>>(&tree_at(&schema, path, &["b", "a"]).unwrap(), path).unwrap();
    assert_eq!(found("/fixture:system/tag").unwrap(), ["a", "b"]);
    assert_eq!(found("/fixture:system/search").unwrap(), ["b", "a"]);
    let twice =
        tree_at(&schema, "/fixture:servers/server", &[("name", "b"), ("name", "a")].map(|f| BTreeMap::from([f])));
    let names: Vec<Server> = from_path(&twice.unwrap(), "/fixture:servers/server").unwrap().unwrap();
    assert_eq!(names.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn what_is_not_there_reads_as_nothing() {
    let schema = fixture::schema();
    let before = Everything { servers: Some(Servers::default()), ..Everything::default() };
    let tree = to_tree(&schema, &before).unwrap();
    assert!(tree.root().iter().all(|child| child.default), "containers of nothing are as good as absent: {tree:?}");
    assert_eq!(from_tree::<Everything>(&tree).unwrap(), before);
    assert_eq!(from_path::<Server>(&tree, "/fixture:servers/server[name='x']").unwrap(), None);
    assert_eq!(from_path::<u16>(&tree, "/fixture:system/mtu").unwrap(), None);
}

#[test]
fn plain_and_exact_names() {
    let schema = schema_with_other();
    let system = schema.find("/fixture:system").unwrap();
    let value = HashMap::from([("name", "own"), ("other:name", "augmented"), ("colour", "red")]);
    let inner = to_inner(&schema, system, &value).unwrap();
    let tree = tree_at(&schema, "/fixture:system", &value).unwrap();
    assert_eq!(tree.root().container(system), Some(&inner));
    assert_eq!(tree.value("/fixture:system/name").unwrap().text(), "own");
    assert_eq!(tree.value("/fixture:system/other:name").unwrap().text(), "augmented");
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Named {
        colour: String,
        #[serde(rename = "other:name")]
        theirs: String,
        #[serde(rename = "fixture:name")]
        own: String,
    }
    let named = Named { colour: "red".into(), theirs: "augmented".into(), own: "own".into() };
    assert_eq!(from_inner::<Named>(&schema, system, &inner).unwrap(), named);
    assert_eq!(to_inner(&schema, system, &named).unwrap(), inner);
    let error = to_tree(&schema, &HashMap::from([("system", ())])).unwrap_err();
    assert_eq!(error.to_string(), "/system: \"system\" is ambiguous: fixture:system or other:system");
    let error = from_tree::<Ambiguous>(&tree).unwrap_err();
    assert_eq!(error.to_string(), "/: \"system\" is ambiguous: fixture:system or other:system");
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Ambiguous {
        system: Option<Plain>,
    }
}

#[test]
fn identities_find_their_module() {
    let schema = schema_with_other();
    let ids = schema.find("/other:lone/id").unwrap();
    let tree = tree_at(&schema, "/other:lone/id", &["bird", "cat", "dog", "fixture:cat"]).unwrap();
    let Some(Content::LeafList(values)) = tree.get("/other:lone/id") else { panic!("{tree:?}") };
    let texts: Vec<_> = values.iter().map(|v| v.to_string()).collect();
    assert_eq!(texts, ["other:bird", "other:cat", "fixture:dog", "fixture:cat"], "{}", schema.path(ids));
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Any {
        #[serde(rename = "fixture:cat")]
        FixtureCat,
        Cat,
        Bird,
        Dog,
    }
    let found: Vec<Any> = from_path(&tree, "/other:lone/id").unwrap().unwrap();
    assert_eq!(found, [Any::Bird, Any::Cat, Any::Dog, Any::FixtureCat]);
    let error = tree_at(&schema, "/other:lone/id", &["cow"]).unwrap_err();
    assert_eq!((error.path.as_str(), error.value.as_deref()), ("/other:lone/id[1]", Some("cow")));
}

#[test]
fn a_choice_is_an_enum() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Way {
        In { depth: u8 },
        Out(String),
        Shut,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        #[serde(flatten)]
        way: Way,
    }
    let schema = schema_with_other();
    for way in [Way::In { depth: 3 }, Way::Out("x".into()), Way::Shut] {
        let tree = tree_at(&schema, "/other:gate", &way).unwrap();
        assert_eq!(from_path::<Way>(&tree, "/other:gate").unwrap().as_ref(), Some(&way));
        if way == Way::Shut {
            assert!(tree.get("/other:gate/shut").is_some());
            continue;
        }
        let flat = Flat { way };
        assert_eq!(tree_at(&schema, "/other:gate", &flat).unwrap(), tree);
        assert_eq!(from_path::<Flat>(&tree, "/other:gate").unwrap(), Some(flat));
    }
    #[derive(Debug, Serialize, Deserialize)]
    enum Wrong {
        In(u8),
    }
    assert_eq!(
        tree_at(&schema, "/other:gate", &Wrong::In(1)).unwrap_err().to_string(),
        "/other:gate/In: /other:gate has no node \"In\""
    );
}

#[test]
fn flattened_structs() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Outer {
        name: String,
        #[serde(flatten)]
        rest: Rest,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Rest {
        mtu: u16,
        ratio: f64,
        #[serde(default)]
        marker: bool,
        #[serde(default)]
        tag: Vec<String>,
        #[serde(rename = "other:colour")]
        colour: Option<String>,
    }
    let schema = schema_with_other();
    let rest = Rest { mtu: 68, ratio: 2.0, marker: true, tag: vec!["t".into()], colour: Some("red".into()) };
    let before = Outer { name: "n".into(), rest };
    let tree = tree_at(&schema, "/fixture:system", &before).unwrap();
    assert_eq!(from_path::<Outer>(&tree, "/fixture:system").unwrap(), Some(before));
}

#[test]
fn a_list_by_its_key_is_a_map() {
    let schema = fixture::schema();
    let statistics = |hits| BTreeMap::from([("statistics", Statistics { hits })]);
    let tree =
        tree_at(&schema, "/fixture:servers/server", &BTreeMap::from([("b", statistics(2)), ("a", statistics(1))]))
            .unwrap();
    #[derive(Debug, Deserialize)]
    struct Hits {
        statistics: Statistics,
    }
    let found: BTreeMap<String, Hits> = from_path(&tree, "/fixture:servers/server").unwrap().unwrap();
    assert_eq!(found.iter().map(|(k, v)| (k.as_str(), v.statistics.hits)).collect::<Vec<_>>(), [("a", 1), ("b", 2)]);
    assert_eq!(tree.value("/fixture:servers/server[name='a']/name").unwrap().text(), "a");
    let other = BTreeMap::from([("a", Server { name: "b".into(), ..Server::default() })]);
    assert_eq!(
        tree_at(&schema, "/fixture:servers/server", &other).unwrap_err().to_string(),
        "/fixture:servers/server[1]/name: \"b\": the map has this entry as \"a\""
    );
}

#[test]
fn paths_with_keys() {
    let schema = fixture::schema();
    let tree = tree_at(&schema, "/fixture:servers/server[name='a']/statistics", &Statistics { hits: 3 }).unwrap();
    assert_eq!(tree.value("/fixture:servers/server[name='a']/name").unwrap().text(), "a");
    assert_eq!(from_path::<u8>(&tree, "/fixture:servers/server[name='a']/statistics/hits").unwrap(), Some(3));
    let rule = tree_at(&schema, "/fixture:servers/rule[sub='x'][id='3']", &BTreeMap::from([("action", "go")])).unwrap();
    let found: Rule = from_path(&rule, "/fixture:servers/rule[id='3'][sub='x']").unwrap().unwrap();
    assert_eq!(found, Rule { id: 3, sub: "x".into(), action: "go".into() });
    let both = tree.merged(&rule);
    let servers: Servers = from_path(&both, "/fixture:servers").unwrap().unwrap();
    assert_eq!((servers.server.len(), servers.rule.len()), (1, 1));
    let list = schema.find("/fixture:servers/rule").unwrap();
    assert_eq!(key(&schema, list, &["3", "x"]).unwrap().values()[0], Value::Uint(3));
    assert_eq!(
        key(&schema, list, &["3"]).unwrap_err().to_string(),
        "/fixture:servers/rule: the list has 2 keys, not 1"
    );
    let path = instance_path(&schema, "/fixture:system/tag[.='t']").unwrap();
    assert_eq!(path.to_json_form(&schema), "/fixture:system/tag[.='t']");
    let tagged = tree_at_instance(&schema, &path, "t").unwrap();
    assert_eq!(from_instance::<String>(&tagged, &path).unwrap().as_deref(), Some("t"));
    for (path, reason) in [
        ("/fixture:nope", "the top level has no node \"fixture:nope\""),
        ("fixture:system", "not an instance path"),
        ("/fixture:servers/server/port", "server needs its keys"),
        ("/fixture:servers/rule[id='1']", "rule lacks its key \"sub\""),
        ("/fixture:servers/server[name='a'][port='1']", "server has a predicate that is not one of its keys"),
        ("/fixture:system[name='a']", "fixture:system takes no such predicate"),
    ] {
        assert_eq!(from_path::<u8>(&both, path).unwrap_err().to_string(), format!("{path}: {reason}"));
    }
}

#[test]
fn operations_and_notifications() {
    let schema = fixture::schema();
    let call = tree_at(&schema, "/fixture:restart/input", &BTreeMap::from([("reason", "test")])).unwrap();
    assert_eq!(from_path::<String>(&call, "/fixture:restart/input/reason").unwrap().as_deref(), Some("test"));
    let input = schema.find("/fixture:restart/input").unwrap();
    assert_eq!(to_inner(&schema, input, &BTreeMap::from([("delay", 3)])).unwrap().iter().count(), 1);
    let event = tree_at(&schema, "/fixture:started", &BTreeMap::from([("pet", "cat")])).unwrap();
    assert_eq!(event.value("/fixture:started/pet").unwrap().text(), "fixture:cat");
}

#[test]
fn decimals_are_rounded_to_their_places() {
    let schema = fixture::schema();
    for (number, text) in [
        (0.1, "0.1"),
        (0.1234567, "0.123"),
        (2.0, "2.0"),
        (-0.0001, "0.0"),
        (9999.9996, "10000.0"),
        (1e-300, "0.0"),
        (123456789.125, "123456789.125"),
    ] {
        let tree = tree_at(&schema, "/fixture:system/ratio", &number).unwrap();
        assert_eq!(tree.value("/fixture:system/ratio").unwrap().text(), text, "{number}");
    }
    let tree = tree_at(&schema, "/fixture:system/ratio", &0.1_f32).unwrap();
    assert_eq!(from_path::<f32>(&tree, "/fixture:system/ratio").unwrap(), Some(0.1));
    assert_eq!(from_path::<String>(&tree, "/fixture:system/ratio").unwrap().as_deref(), Some("0.1"));
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = tree_at(&schema, "/fixture:system/ratio", &number).unwrap_err();
        assert_eq!(error.to_string(), format!("/fixture:system/ratio: \"{number}\": YANG has no number for this"));
    }
    assert!(tree_at(&schema, "/fixture:system/ratio", &1e300).is_err());
    assert!(tree_at(&schema, "/fixture:system/mtu", &100.5).is_err());
}

fn refused<T: Serialize + ?Sized>(path: &str, value: &T) -> String {
    tree_at(&fixture::schema(), path, value).unwrap_err().to_string()
}

#[test]
fn an_error_names_the_place_the_value_and_why() {
    let rule = |id: &'static str, sub: &'static str| BTreeMap::from([("id", id), ("sub", sub)]);
    let server = |name: &str, port: &str| BTreeMap::from([("name", name.to_owned()), ("port", port.to_owned())]);
    for (found, wanted) in [
        (
            refused("/fixture:system/mtu", &67),
            "/fixture:system/mtu: Unsatisfied range - value \"67\" is out of the allowed range.",
        ),
        (
            refused("/fixture:system/mtu", &-1),
            "/fixture:system/mtu: Value \"-1\" is out of type uint16 min/max bounds.",
        ),
        (
            refused("/fixture:system", &BTreeMap::from([("nmae", 1)])),
            "/fixture:system/nmae: /fixture:system has no node \"nmae\"",
        ),
        (refused("/fixture:system", &5), "/fixture:system: \"5\": a container takes a struct or map"),
        (refused("/fixture:system/mtu", &[1]), "/fixture:system/mtu: a leaf takes a single value"),
        (refused("/fixture:system/tag", "x"), "/fixture:system/tag: \"x\": a leaf-list takes a sequence"),
        (refused("/fixture:system/tag", &["x", "y", "x"]), "/fixture:system/tag: \"x\": given twice"),
        (refused("/fixture:system/search", &["x", "y", "x"]), "/fixture:system/search: \"x\": given twice"),
        (
            refused("/fixture:system/port", &[1, 70000]),
            "/fixture:system/port[2]: Value \"70000\" is out of type uint16 min/max bounds.",
        ),
        (
            refused("/fixture:system/any", "<a>"),
            "/fixture:system/any: \"<a>\": not well-formed XML: ill-formed document: expected `</a>`, but `</any>` was found",
        ),
        (
            refused("/fixture:system/blob", "=="),
            "/fixture:system/blob: \"==\": Base64 encoded value length must be divisible by 4.",
        ),
        (refused("/fixture:system/name", "\u{1}"), "/fixture:system/name: \"\\u{1}\": Invalid character 0x1."),
        (refused("/fixture:system/name", &[1_u8][..]), "/fixture:system/name: a leaf takes a single value"),
        (
            refused("/fixture:servers/server", &[server("a", "1"), server("b", "x")]),
            "/fixture:servers/server[name='b']/port: Invalid type uint16 value \"x\".",
        ),
        (
            refused("/fixture:servers/server", &[server("a", "1"), server("a", "2")]),
            "/fixture:servers/server[name='a']: another entry has this key",
        ),
        (
            refused("/fixture:servers/rule", &[rule("1", "a"), rule("2", "b"), rule("1", "a")]),
            "/fixture:servers/rule[id='1'][sub='a']: another entry has this key",
        ),
        (
            refused("/fixture:servers/rule", &[BTreeMap::from([("id", 1)])]),
            "/fixture:servers/rule[1]: the entry lacks its key \"sub\"",
        ),
        (
            refused("/fixture:servers/server", &["a"]),
            "/fixture:servers/server[1]: \"a\": a list entry takes a struct or map",
        ),
        (
            refused("/fixture:servers/server[name='a']", &server("b", "1")),
            "/fixture:servers/server[name='a']/name: \"b\": the key in the path is another",
        ),
    ] {
        assert_eq!(found, wanted);
    }
}

#[test]
fn anydata_cannot_leave_its_element() {
    assert!(refused("/fixture:system/any", "</any><any>").contains("not well-formed XML"));
    assert!(refused("/fixture:system/any", "&nbsp;").contains("not well-formed XML"));
}

#[test]
fn a_reader_is_told_where_a_type_does_not_fit() {
    let schema = fixture::schema();
    let tree = to_tree(&schema, &everything()).unwrap();
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Narrow {
        server: Vec<NarrowServer>,
    }
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct NarrowServer {
        name: String,
        statistics: NarrowStatistics,
    }
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct NarrowStatistics {
        hits: String,
        more: u8,
    }
    let error = from_path::<Narrow>(&tree, "/fixture:servers").unwrap_err();
    assert_eq!(error.to_string(), "/fixture:servers/server[name='a']/statistics: missing field `more`");
    let error = from_path::<u8>(&tree, "/fixture:system/mtu").unwrap_err();
    assert_eq!(error.to_string(), "/fixture:system/mtu: invalid value: integer `9000`, expected u8");
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Small {
        level: u8,
    }
    let error = from_path::<Small>(&tree, "/fixture:system").unwrap_err();
    assert_eq!(error.to_string(), "/fixture:system/level: \"-128\": invalid value: integer `-128`, expected u8");
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Strict {
        server: Vec<serde::de::IgnoredAny>,
    }
    let error = from_path::<Strict>(&tree, "/fixture:servers").unwrap_err();
    assert!(error.to_string().starts_with("/fixture:servers: unknown field `rule`"), "{error}");
    let rpc_error = RpcError::from(error);
    assert_eq!(rpc_error.tag, crate::error::ErrorTag::OperationFailed);
}

#[test]
fn text_can_be_borrowed() {
    let tree = to_tree(&fixture::schema(), &everything()).unwrap();
    let names: Vec<&str> = from_path(&tree, "/fixture:system/search").unwrap().unwrap();
    assert_eq!(names, ["z", "a"]);
}

/// Sixteen times the entries take some sixteen times as long; a quadratic walk would take 256 times as long.
#[test]
fn long_lists_take_time_in_proportion() {
    let schema = fixture::schema();
    let there_and_back = |entries: usize| {
        let servers = Servers {
            server: (0..entries).map(|i| Server { name: format!("{i:06}"), ..Server::default() }).collect(),
            rule: (0..entries).map(|i| Rule { id: (i % 256) as u8, sub: i.to_string(), action: "x".into() }).collect(),
            sample: (0..entries).map(|i| Sample { at: i as u32, value: 0 }).collect(),
        };
        let names: Vec<String> = (0..entries).map(|i| format!("{i:05}")).collect();
        let began = Instant::now();
        let tree = tree_at(&schema, "/fixture:servers", &servers).unwrap();
        let found: Servers = from_path(&tree, "/fixture:servers").unwrap().unwrap();
        let search = tree_at(&schema, "/fixture:system/search", &names).unwrap();
        let found_names: Vec<String> = from_path(&search, "/fixture:system/search").unwrap().unwrap();
        let took = began.elapsed();
        assert!(found == servers && found_names == names);
        took
    };
    let few = (0..3).map(|_| there_and_back(1_000)).min().unwrap();
    let many = there_and_back(16_000);
    assert!(many < few * 80, "{few:?} for 1,000 entries, {many:?} for 16,000");
}
