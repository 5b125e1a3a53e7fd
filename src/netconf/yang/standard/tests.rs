//! Tests of the embedded module table.

use super::*;

#[test]
fn each_text_declares_the_name_and_revision_it_is_listed_under() {
    assert!(!STANDARD_MODULES.is_empty());
    for module in STANDARD_MODULES {
        let declares = module.text.lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some("module") && words.next().is_some_and(|w| w.trim_matches('"') == module.name)
        });
        assert!(declares, "{}@{} is another module", module.name, module.revision);
        let latest = module.text.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some("revision")).then(|| words.next())?
        });
        let latest = latest.map(|date| date.trim_matches(['"', '{', ';'])).max();
        assert_eq!(latest, Some(module.revision), "{}", module.name);
    }
}

#[test]
fn the_latest_revision_answers_where_none_is_asked_for() {
    let all: Vec<_> = STANDARD_MODULES.iter().filter(|m| m.name == "ietf-inet-types").map(|m| m.revision).collect();
    assert!(all.len() > 1, "the test needs a module with two revisions");
    assert_eq!(standard_module("ietf-inet-types", None).map(|m| m.revision), all.iter().max().copied());
    assert_eq!(standard_module("ietf-inet-types", Some("2013-07-15")).map(|m| m.revision), Some("2013-07-15"));
    assert_eq!(standard_module("ietf-inet-types", Some("1999-01-01")), None);
    assert_eq!(standard_module("no-such-module", None), None);
}
