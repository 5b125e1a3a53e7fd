//! What a server tells of itself in its hello.

use super::*;

#[tokio::test]
async fn the_hello_has_what_netopeer2_cli_looks_for() {
    let bench = start().await;
    let session = bench.admin().await;
    let all: Vec<&str> = session.capabilities().iter().collect();
    for wanted in [
        "urn:ietf:params:netconf:base:1.0",
        "urn:ietf:params:netconf:base:1.1",
        "urn:ietf:params:netconf:capability:candidate:1.0",
        "urn:ietf:params:netconf:capability:validate:1.1",
        "urn:ietf:params:netconf:capability:interleave:1.0",
    ] {
        assert!(all.contains(&wanted), "{wanted} in {all:?}");
    }
    for begins in [
        "urn:ietf:params:xml:ns:netconf:base:1.0?module=ietf-netconf&",
        "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring?",
        "urn:ietf:params:netconf:capability:yang-library:1.1?revision=2019-01-04&content-id=",
    ] {
        assert!(all.iter().any(|c| c.starts_with(begins)), "{begins} in {all:?}");
    }
    // Modules of YANG 1.1 are the library's to announce (RFC 7950 section 5.6.4).
    assert!(!all.iter().any(|c| c.contains("module=fixture")));
    let filter = |ns: &str, top: &str| Filter::Subtree(format!("<{top} xmlns=\"urn:ietf:params:xml:ns:yang:{ns}\"/>"));
    let library = session.get(&filter("ietf-yang-library", "modules-state").into()).await.unwrap();
    let schemas = session.get(&filter("ietf-netconf-monitoring", "netconf-state").into()).await.unwrap();
    for module in bench.server.shared().schema.modules() {
        assert!(library.text().contains(&format!("<name>{}</name>", module.name)), "{}", module.name);
        assert!(schemas.text().contains(&format!("<identifier>{}</identifier>", module.name)), "{}", module.name);
        let text = session.get_schema(&module.name, module.revision.as_deref()).await.unwrap();
        assert_eq!(Some(text.as_str()), module.text.as_deref(), "{}", module.name);
    }
}

/// Without them yangcli takes neither a confirmed commit nor a test-option.
#[tokio::test]
async fn the_hello_has_the_older_forms_of_capabilities() {
    let bench = start().await;
    let session = bench.admin().await;
    for name in ["base", "capability:confirmed-commit", "capability:validate"] {
        for version in ["1.0", "1.1"] {
            let wanted = format!("urn:ietf:params:netconf:{name}:{version}");
            assert!(session.capabilities().has(&wanted), "{wanted} in {:?}", session.capabilities());
        }
    }
}
