//! Tests of the capability set.

use super::*;

#[test]
fn a_capability_is_found_whatever_its_parameters() {
    let set: Capabilities = [
        BASE_1_1,
        "\n    urn:ietf:params:netconf:capability:with-defaults:1.0?basic-mode=explicit&also-supported=trim,report-all\n  ",
        "urn:ietf:params:netconf:capability:yang-library:1.1?revision=2019-01-04&content-id=14",
        BASE_1_1,
    ]
    .into_iter()
    .collect();
    assert_eq!(set.len(), 3);
    assert!(set.has(BASE_1_1) && set.has(WITH_DEFAULTS) && !set.has(BASE_1_0));
    assert_eq!(set.parameter(WITH_DEFAULTS, "also-supported"), Some("trim,report-all"));
    assert_eq!(set.parameter(WITH_DEFAULTS, "basic"), None);
    assert_eq!(set.parameter(YANG_LIBRARY, "content-id"), Some("14"));
    assert_eq!(set.parameter(CANDIDATE, "x"), None);
}

#[test]
fn modules_are_read_and_written() {
    let uri = "urn:a?module=a&revision=2024-01-02&features=x,y&deviations=a-dev";
    let set: Capabilities = [BASE_1_0, uri, "http://b.example/b?module=b&features="].into_iter().collect();
    let modules: Vec<_> = set.modules().collect();
    assert_eq!(modules.len(), 2);
    assert_eq!(modules[0].features, ["x", "y"]);
    assert_eq!(modules[0].uri(), uri);
    assert_eq!(modules[1], Module { namespace: "http://b.example/b", name: "b", ..Module::default() });
    assert_eq!(modules[1].uri(), "http://b.example/b?module=b");
}
