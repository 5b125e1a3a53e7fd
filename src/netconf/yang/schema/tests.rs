//! Tests of schemas and of the values of every built-in type.

use super::*;
use crate::yang::ffi::Source;
use crate::yang::fixture;

fn value(schema: &Schema, leaf: &str, text: &str) -> Result<String, ValueError> {
    let id = schema.find(&format!("/fixture:system/{leaf}")).unwrap();
    let resolve = |prefix: &str| match prefix {
        "" | "fx" => Some("urn:fixture"),
        _ => None,
    };
    schema.value_xml(id, text, resolve).map(|v| v.to_string())
}

#[test]
fn values_are_canonical() {
    let schema = fixture::schema();
    for (leaf, text, canonical) in [
        ("name", " a b ", " a b "),
        ("mtu", "010000", ""),
        ("mtu", "01500", "1500"),
        ("mtu", "+68", "68"),
        ("mtu", "0x44", ""),
        ("mtu", "67", ""),
        ("level", "-0", "0"),
        ("level", "-129", ""),
        ("ratio", "1.50", "1.5"),
        ("ratio", "3", "3.0"),
        ("ratio", "1.2345", ""),
        ("enabled", "true", "true"),
        ("enabled", "1", ""),
        ("mode", "fast", "fast"),
        ("mode", "quick", ""),
        ("pet", "fx:cat", "fixture:cat"),
        ("pet", "dog", "fixture:dog"),
        ("pet", "animal", ""),
        ("pet", "no:cat", ""),
        ("target", "/fx:system/fx:mtu", "/fixture:system/mtu"),
        ("target", "/fx:servers/fx:server[fx:name='a:b']", "/fixture:servers/server[name='a:b']"),
        ("target", "system", ""),
        ("marker", "", ""),
        ("options", "b a", "a b"),
        ("either", "7", "7"),
        ("either", "fx:cat", "fixture:cat"),
        ("either", "fx:bird", "fx:bird"),
        ("code", "abc", "abc"),
        ("code", "aBc", ""),
        ("code", "abcdefghi", ""),
        ("since", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("since", "yesterday", ""),
    ] {
        match value(&schema, leaf, text) {
            Ok(found) if canonical.is_empty() && leaf != "marker" => panic!("{leaf} accepts {text:?} as {found}"),
            Ok(found) => assert_eq!(found.replace("+00:00", "Z").replace("-00:00", "Z"), canonical, "{leaf} {text:?}"),
            Err(error) => {
                assert!(canonical.is_empty() && leaf != "marker", "{leaf} refuses {text:?}: {error:?}");
                assert!(!error.message.is_empty());
            }
        }
    }
}

#[test]
fn the_node_table_tells_the_model() {
    let schema = fixture::schema();
    let find = |path: &str| schema.node(schema.find(path).unwrap_or_else(|| panic!("{path}")));
    assert!(schema.find("/fixture:system/absent").is_none());
    assert_eq!(schema.path(find("/fixture:system/tcp-port").id), "/fixture:system/tcp-port");
    assert_eq!(find("/fixture:system/mtu").defaults, [Value::Uint(1500)]);
    assert_eq!(find("/fixture:system/port").defaults, [Value::Uint(80), Value::Uint(443)]);
    assert_eq!(find("/fixture:system/secret").default_deny, DefaultDeny::All);
    assert_eq!(find("/fixture:system/guarded").default_deny, DefaultDeny::Write);
    assert!(find("/fixture:servers/server/weight").has_when);
    assert!(!find("/fixture:system/uptime").config);
    let rule = find("/fixture:servers/rule");
    assert_eq!(rule.keys.iter().map(|&k| schema.node(k).name.as_str()).collect::<Vec<_>>(), ["id", "sub"]);
    assert!(rule.user_ordered);
    let (choice, case) = schema.cases(find("/fixture:system/udp-host").id).next().unwrap();
    assert_eq!((schema.node(choice).name.as_str(), schema.node(case).name.as_str()), ("transport", "udp"));
    assert!(find("/fixture:restart/input/reason").mandatory);
    assert_eq!(find("/fixture:restart/input/delay").units.as_deref(), Some("seconds"));
    let module = &schema.modules().iter().find(|m| m.name == "fixture").unwrap();
    assert_eq!(module.features, ["extra"]);
    assert!(module.text.as_deref().unwrap().contains("module fixture"));
}

#[test]
fn each_module_has_its_own_text() {
    let source = |revision, text| Source { name: "dated", revision, text };
    let older = "module dated { namespace urn:dated; prefix d; revision 2025-01-01; }";
    let newer = "module dated { namespace urn:dated; prefix d; revision 2026-01-01; }";
    let text = |sources: &[Source], revision: Option<&str>| {
        let builder = Schema::builder().sources(sources.iter().copied());
        let schema = builder.module("dated", revision, &[]).build().unwrap();
        schema.modules().iter().find(|m| m.name == "dated").unwrap().text.as_deref().map(str::to_owned)
    };
    // The revision stands in the text alone.
    assert_eq!(text(&[source(None, newer)], None).as_deref(), Some(newer));
    let both = [source(Some("2025-01-01"), older), source(Some("2026-01-01"), newer)];
    assert_eq!(text(&both, Some("2025-01-01")).as_deref(), Some(older));
    assert_eq!(text(&both, None).as_deref(), Some(newer));
    assert_eq!(text(&[both[1], both[0]], None).as_deref(), Some(newer));
    assert_eq!(text(&[both[0], source(None, newer)], None).as_deref(), Some(newer));
    let part = Source { name: "part", revision: None, text: "submodule part { belongs-to dated { prefix d; } }" };
    let whole = "module dated { namespace urn:dated; prefix d; include part; }";
    assert_eq!(text(&[part, source(None, whole)], None).as_deref(), Some(whole));
}

#[test]
fn bad_modules_are_named() {
    let bad = Source {
        name: "bad",
        revision: None,
        text: "module bad { namespace urn:bad; prefix b; leaf x { type nope; } }",
    };
    let error = Schema::builder().sources([bad]).module("bad", None, &[]).build().unwrap_err().to_string();
    assert!(error.contains("bad") && error.contains("nope"), "{error}");
    let error = Schema::builder().module("missing", None, &[]).build().unwrap_err().to_string();
    assert!(error.contains("missing"), "{error}");
    let error = Schema::builder().sources([fixture::MODULE]).standard().module("fixture", None, &["nope"]).build();
    let error = error.unwrap_err().to_string();
    assert!(error.contains("nope"), "{error}");
}

#[test]
fn a_value_ends_where_its_text_ends() {
    let schema = fixture::schema();
    let since = schema.find("/fixture:system/since").unwrap();
    // Digits stand behind the slice in memory; a reader that wants a NUL there takes them for minutes of the offset.
    let longer = "2026-01-02T03:04:05+00:0059";
    let whole = schema.value_json(since, &longer.replace("+00:0059", "+00:00")).unwrap();
    assert_eq!(schema.value_json(since, &longer[..25]).unwrap(), whole);
}
