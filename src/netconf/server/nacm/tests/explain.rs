//! Tests of explanations: they agree with the decisions, and say which rule it was.

use super::*;

fn ask(tree: &Tree, user: &str, operation: Option<AccessOperation>, path: &str) -> Result<Explanation, String> {
    super::super::explain(tree, &Question { user, external_groups: &[], operation, path })
}

fn findings(explanation: &Explanation) -> Vec<(Option<&str>, Finding)> {
    explanation.looked.iter().map(|looked| (looked.rule.as_deref(), looked.finding)).collect()
}

/// The last rule that was looked at is the one that decides, and where none decides none says that it does.
fn agrees(explanation: &Explanation) {
    let last = explanation.looked.last();
    let deciding = last.filter(|looked| matches!(looked.finding, Finding::Permits | Finding::Denies));
    let mut because = &explanation.decision.because;
    while let Because::Ancestor(inner) = because {
        because = inner;
    }
    match (because, deciding) {
        (Because::Rule { rule_list, rule }, Some(looked)) => {
            assert_eq!((rule_list, Some(rule)), (&looked.rule_list, looked.rule.as_ref()));
            assert_eq!(looked.finding == Finding::Permits, explanation.decision.permit);
        }
        (Because::Rule { .. }, None) => panic!("{explanation:?}"),
        (_, deciding) => assert_eq!(deciding, None, "{explanation:?}"),
    }
    let decided = |looked: &&Looked| matches!(looked.finding, Finding::Permits | Finding::Denies);
    assert!(explanation.looked.iter().filter(decided).count() <= 1);
}

#[test]
fn an_explanation_agrees_with_the_decision_on_the_example_of_the_rfc() {
    let schema = schema();
    let tree = read(&schema, &format!("<nacm xmlns=\"{NACM}\">{}</nacm>", appendix_a()));
    let mut seen = BTreeSet::new();
    use AccessOperation::{Create, Delete, Exec, Read, Update};
    for user in ["ann", "lea", "gil", "nobody"] {
        for (operation, path) in [
            "/fixture:system/secret",
            "/fixture:system/name",
            "/fixture:servers/server[name='dummy']/address",
            "/fixture:servers/server[name='other']/address",
            "/ietf-netconf-acm:nacm/groups/group[name='admin']",
            "/ietf-netconf-acm:nacm/enable-nacm",
        ]
        .iter()
        .flat_map(|path| [Create, Read, Update, Delete].map(|operation| (Some(operation), *path)))
        .chain([
            (Some(Exec), "/fixture:restart"),
            (Some(Exec), "/ietf-netconf:kill-session"),
            (None, "/fixture:started"),
        ])
        .chain([(Some(Exec), "/fixture:servers/server[name='a']/deep:unit/reset")])
        {
            let explanation = ask(&tree, user, operation, path).unwrap();
            agrees(&explanation);
            seen.extend(explanation.looked.iter().map(|looked| looked.finding.as_str()));
        }
    }
    assert_eq!(seen.len(), 7, "each finding occurs: {seen:?}");

    let explanation = ask(&tree, "lea", Some(Update), "/fixture:servers/server[name='dummy']/address").unwrap();
    assert_eq!((explanation.decision.permit, &explanation.groups[..]), (true, &["limited".to_owned()][..]));
    assert_eq!(
        findings(&explanation),
        [
            (None, Finding::OtherGroups),
            (Some("no-restart"), Finding::OtherOperation),
            (Some("system"), Finding::OtherTarget),
            (Some("dummy"), Finding::Permits)
        ]
    );
    let explanation = ask(&tree, "lea", Some(Update), "/fixture:servers/server[name='other']/address").unwrap();
    assert_eq!(explanation.decision.because, Because::Default("write-default"));
    assert!(findings(&explanation).contains(&(Some("dummy"), Finding::OtherInstance)));
    // Who is in no group meets no rule.
    let explanation = ask(&tree, "nobody", Some(Read), "/fixture:system/name").unwrap();
    assert!(explanation.decision.permit && explanation.groups.is_empty() && explanation.looked.is_empty());
}

#[test]
fn what_may_not_be_read_above_is_where_the_rules_are_looked_at() {
    let schema = schema();
    let rules = [rule("hidden", "<path>/fx:servers/fx:server[fx:name='a']</path>", "deny")];
    let xml = format!("<groups>{}</groups>{}", group("g", &["u"]), rule_list("l", "g", &rules));
    let tree = read(&schema, &format!("<nacm xmlns=\"{NACM}\">{xml}</nacm>"));
    let explanation =
        ask(&tree, "u", Some(AccessOperation::Read), "/fixture:servers/server[name='a']/address").unwrap();
    assert_eq!(explanation.at, "/fixture:servers/server[name='a']");
    assert_eq!(findings(&explanation), [(Some("hidden"), Finding::Denies)]);
    agrees(&explanation);
    // Nothing is looked at where nothing counts.
    let tree = read(&schema, &format!("<nacm xmlns=\"{NACM}\"><enable-nacm>false</enable-nacm>{xml}</nacm>"));
    let explanation = ask(&tree, "u", Some(AccessOperation::Read), "/fixture:servers/server[name='a']").unwrap();
    assert_eq!((explanation.decision.because, explanation.looked), (Because::Disabled, vec![]));
}

#[test]
fn what_cannot_be_asked_is_said() {
    let schema = schema();
    let tree = read(&schema, "");
    use AccessOperation::{Exec, Read};
    for (operation, path, said) in [
        (Some(Read), "/fixture:nowhere", "no node"),
        (Some(Read), "fixture:system", "no node"),
        (Some(Read), "/", "names no node"),
        (Some(Read), "/fixture:restart", "no data"),
        (Some(Exec), "/fixture:system", "neither an RPC nor an action"),
        (None, "/fixture:system", "not a notification"),
        (Some(Read), "/fixture:servers/server/address", "/fixture:servers/server[name='…']"),
        (Some(Read), "/fixture:servers/rule[id='1']/action", "[id='…'][sub='…']"),
        (Some(Read), "/fixture:servers/server[name=$USER]", "name the user"),
    ] {
        let error = ask(&tree, "u", operation, path).unwrap_err();
        assert!(error.contains(said), "{path}: {error}");
    }
}
