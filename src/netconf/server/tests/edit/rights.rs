//! What edits tell a user who has not all rights (RFC 8341 sections 3.2.5 and 3.4.5).

use super::*;

#[tokio::test]
async fn a_denial_tells_neither_what_is_there_nor_the_rule_to_who_may_not_read_them() {
    let garden = garden().await;
    let rule = |name: &str, body: &str, action: &str| {
        format!("<rule><name>{name}</name>{body}<action>{action}</action></rule>")
    };
    let path = |path: &str, operations: &str| {
        format!(
            "<path xmlns:g=\"urn:garden\" xmlns:n=\"urn:ietf:params:xml:ns:yang:ietf-netconf-acm\">{path}</path>\
                 <access-operations>{operations}</access-operations>"
        )
    };
    let group = |name: &str, user: &str| format!("<group><name>{name}</name><user-name>{user}</user-name></group>");
    let list = |name: &str, rules: &[String]| {
        format!("<rule-list><name>{name}</name><group>{name}</group>{}</rule-list>", rules.concat())
    };
    let garden_rules = [
        rule("hide-owner", &path("/g:garden/g:owner", "read create update delete"), "deny"),
        rule("hide-bed", &path("/g:garden/g:bed[g:name='secret']", "*"), "deny"),
        rule("rest", &path("/g:garden", "*"), "permit"),
    ];
    let rules_readable = [rule("rules", &path("/n:nacm", "read"), "permit")];
    let nacm = format!(
        "<nacm xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-acm\"><groups>{}{}</groups>{}{}</nacm>",
        group("bob", "bob"),
        group("eve", "eve"),
        list("bob", &garden_rules),
        list("eve", &[&rules_readable[..], &garden_rules[..]].concat()),
    );
    garden.session.edit_config(&EditConfig::new(Datastore::Running, nacm)).await.unwrap();
    let bob = garden.bench.session("bob").await.0;
    let eve = garden.bench.session("eve").await.0;
    let answer = |session: Session, body: &'static str| async move {
        let errors = errors_of(set(&session, Datastore::Running, &in_garden(body)).await);
        assert_eq!(errors.len(), 1, "{body}: {errors:?}");
        errors.into_iter().next().unwrap()
    };
    // The same whether it is there or not.
    let bodies = [
        "<owner nc:operation=\"create\">x</owner>",
        "<owner nc:operation=\"delete\"/>",
        "<bed nc:operation=\"create\"><name>secret</name></bed>",
        "<bed nc:operation=\"delete\"><name>secret</name></bed>",
    ];
    for body in bodies {
        let before = answer(bob.clone(), body).await;
        garden.merge("<owner>me</owner><bed><name>secret</name></bed>").await;
        let after = answer(bob.clone(), body).await;
        garden.merge("<owner nc:operation=\"remove\"/><bed nc:operation=\"remove\"><name>secret</name></bed>").await;
        for error in [&before, &after] {
            assert_eq!((error.tag, &error.info[..]), (ErrorTag::AccessDenied, &[][..]), "{body}");
            assert!(!error.message.as_deref().unwrap_or_default().contains("hide"), "{error}");
        }
        assert_eq!(before.path, after.path, "{body}");
    }
    // Where it may be read it is told.
    assert_eq!(answer(bob.clone(), "<width nc:operation=\"delete\"/>").await.tag, ErrorTag::DataMissing);
    // Who may read the rules is told which it was.
    let error = answer(eve, "<owner>x</owner>").await;
    let message = error.message.as_deref().unwrap();
    assert!(message.contains("rule \"hide-owner\" of rule-list \"eve\""), "{message}");
    let error = answer(bob, "<owner>x</owner>").await;
    assert_eq!(error.message.as_deref(), Some("Access to create \"/garden:garden/owner\" is denied."));
}
