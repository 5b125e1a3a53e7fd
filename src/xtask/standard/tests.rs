//! Tests of `yang/standard.toml` itself.

use std::collections::BTreeSet;

use super::*;

fn text() -> String {
    fs::read_to_string(workspace::root().join("yang/standard.toml")).expect("the file is in the tree")
}

#[test]
fn each_module_is_pinned_once_and_to_a_sum() {
    let pins: Pins = toml::from_str(&text()).expect("well-formed");
    let mut seen = BTreeSet::new();
    for pin in &pins.module {
        assert!(seen.insert(pin.file_name()), "{} stands there twice", pin.file_name());
        let hex = pin.sha256.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
        assert!(hex && pin.sha256.len() == 64, "{}: {} is no SHA-256", pin.file_name(), pin.sha256);
        let revision: Vec<usize> = pin.revision.split('-').map(str::len).collect();
        assert_eq!(revision, [4, 2, 2], "{}", pin.file_name());
        assert!(pin.path.is_relative(), "{}", pin.file_name());
    }
}

/// The build script of netconf has no TOML parser: it must find the same modules by lines.
#[test]
fn names_and_revisions_can_be_read_line_by_line() {
    let text = text();
    let value = |line: &str, key: &str| {
        let rest = line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"')?;
        Some(rest.to_owned())
    };
    let mut by_lines = Vec::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(found) = value(line, "name") {
            name = found;
        } else if let Some(revision) = value(line, "revision") {
            by_lines.push(format!("{name}@{revision}.yang"));
        }
    }
    let pins: Pins = toml::from_str(&text).expect("well-formed");
    let parsed: Vec<String> = pins.module.iter().map(Pin::file_name).collect();
    assert_eq!(by_lines, parsed);
}
