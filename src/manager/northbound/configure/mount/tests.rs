//! Paths of a device's errors, as the manager tells them.

use super::*;

const MOUNT: Mount<'static> = Mount {
    device: "l1-tx",
    container: ("urn:qkdn:yang:qkdn-mq", "qkd-module"),
    here: ("qkdn-manager", "urn:qkdn:yang:qkdn-manager"),
};

fn moved(text: &str, namespaces: &[(&str, &str)]) -> Option<ErrorPath> {
    let namespaces = namespaces.iter().map(|(prefix, uri)| ((*prefix).to_owned(), (*uri).to_owned())).collect();
    MOUNT.path(&ErrorPath { text: text.to_owned(), namespaces })
}

#[test]
fn names_move_and_values_stay() {
    let q = ("q", "urn:qkdn:yang:qkdn-mq");
    let path = moved("/q:qkd-module/q:quantum-channel[q:name='q:1/q:2']/x:more", &[q, ("x", "urn:x")]).unwrap();
    let here = "/qkdn-manager:devices/qkdn-manager:device[qkdn-manager:name='l1-tx']/qkdn-manager:qkd-module";
    assert_eq!(path.text, format!("{here}/qkdn-manager:quantum-channel[qkdn-manager:name='q:1/q:2']/x:more"));
    let bound = |prefix: &str| path.namespaces.iter().find(|(bound, _)| bound == prefix).map(|(_, uri)| uri.as_str());
    assert_eq!([bound("qkdn-manager"), bound("x")], [Some("urn:qkdn:yang:qkdn-manager"), Some("urn:x")]);
    assert_eq!(moved("/q:qkd-module", &[q]).unwrap().text, here);
}

#[test]
fn what_leads_elsewhere_at_the_device_leads_nowhere_here() {
    let (q, nc) = (("q", "urn:qkdn:yang:qkdn-mq"), ("nc", "urn:ietf:params:xml:ns:netconf:base:1.0"));
    for (text, namespaces) in [
        ("/nc:rpc/nc:edit-config/nc:config", &[nc][..]),
        ("/q:qkd-module-2/q:link", &[q]),
        ("/q:qkd-module", &[("q", "urn:other")]),
        ("q:link", &[q]),
        ("", &[]),
    ] {
        assert_eq!(moved(text, namespaces), None, "{text}");
    }
}

#[test]
fn an_entry_that_is_not_unique_is_named_where_it_is_here() {
    let text = "/q:qkd-module/q:quantum-channel[q:name='a']".to_owned();
    let namespaces = vec![("q".to_owned(), "urn:qkdn:yang:qkdn-mq".to_owned())];
    let not_unique = |text, namespaces| ErrorInfo::Other {
        namespace: "urn:ietf:params:xml:ns:yang:1".into(),
        name: "non-unique".into(),
        text,
        namespaces,
    };
    let mut error = RpcError::operation_failed("twice");
    error.info.push(not_unique(text, namespaces));
    error.info.push(ErrorInfo::SessionId(7));
    let error = MOUNT.moved(error);
    let [ErrorInfo::Other { text, .. }, ErrorInfo::SessionId(7)] = error.info.as_slice() else { panic!("{error:?}") };
    assert!(text.starts_with("/qkdn-manager:devices/qkdn-manager:device["), "{text}");
}
