//! Tests of access control, the example of RFC 8341 appendix A on our fixture among them.

use super::*;
use crate::error::ErrorTag;
use crate::xml::{Document, Limits};
use crate::yang::diff::diff;
use crate::yang::filter::Selection;
use crate::yang::path::Predicate;
use crate::yang::write::{WriteOptions, write};
use crate::yang::{Key, edit, fixture};

mod explain;

const NACM: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-acm";

fn read(schema: &Arc<Schema>, xml: &str) -> Tree {
    let text = format!("<data xmlns:fx=\"urn:fixture\" xmlns:nacm=\"{NACM}\">{xml}</data>");
    edit::read_data(schema, Document::parse(&text, &Limits::default()).unwrap().root()).unwrap()
}

/// The fixture, and the modules whose operations have rules of their own.
fn schema() -> Arc<Schema> {
    Schema::builder()
        .standard()
        .sources([fixture::MODULE, crate::yang::ffi::Source { name: "deep", revision: None, text: DEEP }])
        .module("fixture", None, &["extra"])
        .module("deep", None, &[])
        .module("ietf-netconf", None, &[])
        .module("ietf-netconf-acm", None, &[])
        .build()
        .unwrap()
}

const DEEP: &str = r#"
module deep {
  yang-version 1.1;
  namespace "urn:deep";
  prefix dp;
  import fixture { prefix fx; }
  import ietf-netconf-acm { prefix nacm; }
  rpc wipe { nacm:default-deny-all; }
  notification alert { nacm:default-deny-all; leaf what { type string; } }
  augment "/fx:servers/fx:server" {
    leaf note { type string; }
    container unit {
      action reset;
      notification failed { leaf why { type string; } }
    }
  }
  container home {
    list user { key name; leaf name { type string; } leaf shell { type string; } }
    leaf-list door { type string; }
  }
}
"#;

fn nacm(schema: &Arc<Schema>, xml: &str) -> Arc<Nacm> {
    Nacm::compile(&read(schema, &format!("<nacm xmlns=\"{NACM}\">{xml}</nacm>")), None)
}

fn group(name: &str, users: &[&str]) -> String {
    let users: String = users.iter().map(|user| format!("<user-name>{user}</user-name>")).collect();
    format!("<group><name>{name}</name>{users}</group>")
}

fn rule(name: &str, body: &str, action: &str) -> String {
    format!("<rule><name>{name}</name>{body}<action>{action}</action></rule>")
}

fn rule_list(name: &str, group: &str, rules: &[String]) -> String {
    format!("<rule-list><name>{name}</name><group>{group}</group>{}</rule-list>", rules.concat())
}

/// A user in the one group that the rules are for.
fn one(schema: &Arc<Schema>, settings: &str, rules: &[String]) -> Arc<UserAccess> {
    let xml = format!("{settings}<groups>{}</groups>{}", group("g", &["u"]), rule_list("l", "g", rules));
    nacm(schema, &xml).user("u", &[])
}

fn path(schema: &Schema, text: &str) -> InstancePath {
    let parsed = compile::parse_path(schema, text).unwrap().unwrap();
    let mut route = vec![parsed.target];
    while let Some(above) = schema.node(route[route.len() - 1]).data_parent {
        route.push(above);
    }
    let mut path = InstancePath::default();
    for node in route.into_iter().rev() {
        let value = |operand: &compile::Operand| match operand {
            compile::Operand::Literal(text) => text.clone(),
            compile::Operand::User => unreachable!("tests name their users"),
        };
        let predicate = parsed.tests.iter().find(|(at, _)| *at == node).map(|(_, test)| match test {
            compile::Test::Keys(keys) => Predicate::Key(Key::new(
                keys.iter().map(|(i, o)| schema.value_json(schema.node(node).keys[*i], &value(o)).unwrap()).collect(),
            )),
            compile::Test::Value(operand) => Predicate::Value(schema.value_json(node, &value(operand)).unwrap()),
            compile::Test::Position(position) => Predicate::Position(*position),
        });
        path.push(node, predicate.unwrap_or(Predicate::None));
    }
    path
}

fn shown(tree: &Tree, access: &Arc<UserAccess>) -> String {
    let mut out = Vec::new();
    write(tree, &Selection::all(), access.for_reading(), WriteOptions::default(), &mut out);
    let text = String::from_utf8(out).unwrap();
    [("urn:fixture"), ("urn:deep"), NACM].iter().fold(text, |text, ns| text.replace(&format!(" xmlns=\"{ns}\""), ""))
}

fn by_rule(name: &str) -> Because {
    Because::Rule { rule_list: "l".into(), rule: name.into() }
}

const SERVERS: &str = "<servers xmlns=\"urn:fixture\"><server><name>a</name><address>x</address><note xmlns=\"urn:deep\">n</note>\
    </server><server><name>b</name><address>y</address></server></servers>";

#[test]
fn without_rules_the_defaults_decide() {
    let schema = schema();
    let data = path(&schema, "/fixture:system/name");
    let rpc = schema.find("/fixture:restart").unwrap();
    let access = nacm(&schema, "").user("u", &[]);
    let outcome = |access: &UserAccess| {
        [AccessOperation::Read, AccessOperation::Create, AccessOperation::Update, AccessOperation::Delete]
            .map(|operation| access.data(operation, &data).permit)
    };
    assert_eq!(outcome(&access), [true, false, false, false]);
    assert!(access.operation(rpc).permit);
    assert_eq!(access.data(AccessOperation::Create, &data).because, Because::Default("write-default"));
    let turned =
        "<read-default>deny</read-default><write-default>permit</write-default><exec-default>deny</exec-default>";
    let access = nacm(&schema, turned).user("u", &[]);
    assert_eq!(outcome(&access), [false, true, true, true]);
    assert_eq!(access.operation(rpc), Decision { permit: false, because: Because::Default("exec-default") });
    let off = nacm(&schema, &format!("<enable-nacm>false</enable-nacm>{turned}")).user("u", &[]);
    assert_eq!(outcome(&off), [true; 4]);
    assert!(off.for_reading().is_none() && off.operation(rpc).permit);
    let recovery = nacm(&schema, turned).recovery("root");
    assert_eq!(outcome(&recovery), [true; 4]);
    assert_eq!(recovery.operation(rpc).because, Because::Recovery);
}

#[test]
fn a_schema_without_nacm_has_no_access_control() {
    let source = crate::yang::ffi::Source {
        name: "bare",
        revision: None,
        text: "module bare { namespace \"urn:bare\"; prefix b; leaf x { type string; } }",
    };
    let schema = Schema::builder().standard().sources([source]).module("bare", None, &[]).build().unwrap();
    let access = Nacm::compile(&Tree::new(schema.clone()), None).user("u", &[]);
    assert!(access.is_exempt());
}

/// RFC 8341 section 3.4.4.
#[test]
fn operations_with_rules_of_their_own() {
    let schema = schema();
    let access = one(&schema, "<exec-default>deny</exec-default>", &[]);
    assert!(access.check_operation(schema.find("/ietf-netconf:close-session").unwrap()).is_ok());
    let error = access.check_operation(schema.find("/ietf-netconf:get").unwrap()).unwrap_err();
    assert_eq!((error.tag, error.error_type), (ErrorTag::AccessDenied, ErrorType::Protocol));

    let access = one(&schema, "", &[]);
    assert!(access.check_operation(schema.find("/ietf-netconf:get").unwrap()).is_ok());
    for operation in ["kill-session", "delete-config"] {
        let rpc = schema.find(&format!("/ietf-netconf:{operation}")).unwrap();
        assert_eq!(access.operation(rpc), Decision { permit: false, because: Because::DeniedOperation });
    }
    let wipe = schema.find("/deep:wipe").unwrap();
    assert_eq!(access.operation(wipe).because, Because::DefaultDeny(DefaultDeny::All));

    let rules = [
        rule(
            "kill",
            "<module-name>ietf-netconf</module-name><rpc-name>kill-session</rpc-name><access-operations>exec</access-operations>",
            "permit",
        ),
        rule("wrong-module", "<module-name>fixture</module-name><rpc-name>delete-config</rpc-name>", "permit"),
        rule(
            "wrong-operation",
            "<rpc-name>delete-config</rpc-name><access-operations>read create</access-operations>",
            "permit",
        ),
        rule("no-close", "<rpc-name>close-session</rpc-name>", "deny"),
        rule("deep", "<module-name>deep</module-name>", "permit"),
        rule("data", "<path>/</path>", "deny"),
        rule("rest", "<rpc-name>*</rpc-name>", "deny"),
    ];
    let access = one(&schema, "", &rules);
    let decided = |path: &str| access.operation(schema.find(path).unwrap());
    assert_eq!(decided("/ietf-netconf:kill-session"), Decision { permit: true, because: by_rule("kill") });
    assert_eq!(decided("/ietf-netconf:delete-config"), Decision { permit: false, because: by_rule("rest") });
    assert_eq!(decided("/deep:wipe"), Decision { permit: true, because: by_rule("deep") });
    assert_eq!(decided("/ietf-netconf:get"), Decision { permit: false, because: by_rule("rest") });
    assert!(decided("/ietf-netconf:close-session").permit);
}

#[test]
fn groups_decide_which_rules_apply() {
    let schema = schema();
    let data = path(&schema, "/fixture:system/name");
    let xml = |external: &str| {
        format!(
            "{external}<groups>{}{}</groups>{}{}",
            group("a", &["ann", "both"]),
            group("b", &["ben", "both"]),
            rule_list("first", "b", &[rule("b-denies", "<path>/</path>", "deny")]),
            rule_list("all", "*", &[rule("all-permit", "", "permit")]),
        )
    };
    let rules = nacm(&schema, &xml(""));
    let decided = |user: &str, external: &[&str]| {
        let external: Vec<String> = external.iter().map(|g| g.to_string()).collect();
        let decision = rules.user(user, &external).data(AccessOperation::Update, &data);
        (decision.permit, decision.because.to_string())
    };
    assert_eq!(decided("ann", &[]), (true, "rule \"all-permit\" of rule-list \"all\"".into()));
    assert_eq!(decided("ben", &[]), (false, "rule \"b-denies\" of rule-list \"first\"".into()));
    assert!(!decided("both", &[]).0);
    // Who is in no group meets no rule at all.
    assert_eq!(decided("nobody", &[]), (false, "no rule matches, and write-default decides".into()));
    assert!(decided("nobody", &["other"]).0 && !decided("nobody", &["other", "b"]).0);
    let rules = nacm(&schema, &xml("<enable-external-groups>false</enable-external-groups>"));
    assert!(!rules.user("nobody", &["other".to_owned()]).data(AccessOperation::Update, &data).permit);
}

/// The first rule that matches decides, whether it matches by module, by path or by instance.
#[test]
fn the_first_matching_rule_decides() {
    let schema = schema();
    let a = "<path>/fx:servers/fx:server[fx:name='a']</path>";
    let all = "<path>/fx:servers/fx:server</path>";
    for (rules, permitted) in [
        (vec![("one", a, "permit"), ("all", all, "deny")], [true, false]),
        (vec![("all", all, "deny"), ("one", a, "permit")], [false, false]),
        (vec![("one", a, "deny"), ("all", all, "permit")], [false, true]),
        (vec![("module", "<module-name>fixture</module-name>", "permit"), ("one", a, "deny")], [true, true]),
        (vec![("module", "<module-name>deep</module-name>", "permit"), ("one", a, "deny")], [false, true]),
        (vec![("one", "<access-operations>create</access-operations>", "permit"), ("two", a, "deny")], [false, true]),
        (vec![("none", "<path>/fx:servers/fx:server[fx:name='c']</path>", "deny")], [true, true]),
    ] {
        let rules: Vec<String> = rules.into_iter().map(|(name, body, action)| rule(name, body, action)).collect();
        let access = one(&schema, "", &rules);
        let reads = |key: &str| {
            let path = path(&schema, &format!("/fixture:servers/server[name='{key}']/address"));
            access.data(AccessOperation::Read, &path).permit
        };
        assert_eq!([reads("a"), reads("b")], permitted, "{rules:?}");
        let text = shown(&read(&schema, SERVERS), &access);
        assert_eq!([text.contains("<name>a</name>"), text.contains("<name>b</name>")], permitted, "{rules:?}: {text}");
        let kept = access.readable(&read(&schema, SERVERS));
        assert_eq!(shown(&kept, &nacm(&schema, "").recovery("r")), text);
    }
}

#[test]
fn rules_with_a_path_and_a_module_match_only_what_is_of_both() {
    let schema = schema();
    let body = "<module-name>deep</module-name><path>/fx:servers/fx:server[fx:name='a']</path>";
    let access = one(&schema, "", &[rule("deep", body, "deny")]);
    assert_eq!(
        shown(&read(&schema, SERVERS), &access),
        "<servers><server><name>a</name><address>x</address></server><server><name>b</name><address>y</address></server></servers>"
    );
}

#[test]
fn what_is_below_the_unreadable_is_not_read() {
    let schema = schema();
    let rules = [
        rule("inner", "<path>/fx:servers/fx:server/fx:address</path>", "permit"),
        rule("outer", "<path>/fx:servers/fx:server</path>", "deny"),
    ];
    let access = one(&schema, "", &rules);
    assert_eq!(shown(&read(&schema, SERVERS), &access), "");
    let address = path(&schema, "/fixture:servers/server[name='a']/address");
    let decision = access.data(AccessOperation::Read, &address);
    assert_eq!(decision, Decision { permit: false, because: Because::Ancestor(Box::new(by_rule("outer"))) });
    // Written it may be: that takes nothing of the nodes above.
    assert!(access.data(AccessOperation::Update, &address).permit);
}

#[test]
fn the_user_variable_stands_for_the_user() {
    let schema = schema();
    let homes = "<home xmlns=\"urn:deep\"><user><name>ann</name><shell>sh</shell></user><user><name>ben</name><shell>sh</shell></user>\
                 <door>front</door><door>back</door></home>";
    let xml = format!(
        "<groups>{}</groups>{}",
        group("g", &["ann", "ben"]),
        rule_list(
            "l",
            "g",
            &[
                rule("own", "<path xmlns:dp=\"urn:deep\">/dp:home/dp:user[dp:name=$USER]</path>", "permit"),
                rule("others", "<path xmlns:dp=\"urn:deep\">/dp:home/dp:user</path>", "deny"),
                rule("back", "<path xmlns:dp=\"urn:deep\">/dp:home/dp:door[.='back']</path>", "deny"),
            ]
        )
    );
    let rules = nacm(&schema, &xml);
    let tree = read(&schema, homes);
    for (user, other) in [("ann", "ben"), ("ben", "ann")] {
        let access = rules.user(user, &[]);
        let expected = format!("<home><user><name>{user}</name><shell>sh</shell></user><door>front</door></home>");
        assert_eq!(shown(&tree, &access), expected);
        assert!(!shown(&tree, &access).contains(other));
        assert_eq!(shown(&access.readable(&tree), &rules.recovery("r")), expected);
    }
    assert!(Arc::ptr_eq(&rules.user("ann", &[]), &rules.user("ann", &[])));
}

/// RFC 8341 section 3.4.5: the model's own word, which only a rule can overrule.
#[test]
fn default_deny_needs_a_rule() {
    let schema = schema();
    let tree =
        read(&schema, "<system xmlns=\"urn:fixture\"><name>n</name><secret>s</secret><guarded>g</guarded></system>");
    let open = "<write-default>permit</write-default>";
    let access = one(&schema, open, &[]);
    assert_eq!(shown(&tree, &access), "<system><name>n</name><guarded>g</guarded></system>");
    let leaf = |name: &str| path(&schema, &format!("/fixture:system/{name}"));
    assert!(access.data(AccessOperation::Update, &leaf("name")).permit);
    for (name, deny) in [("secret", DefaultDeny::All), ("guarded", DefaultDeny::Write)] {
        let decision = access.data(AccessOperation::Update, &leaf(name));
        assert_eq!(decision, Decision { permit: false, because: Because::DefaultDeny(deny) });
    }
    let access = one(&schema, open, &[rule("all", "", "permit")]);
    assert!(shown(&tree, &access).contains("secret") && access.data(AccessOperation::Update, &leaf("guarded")).permit);
    assert!(access.for_reading().is_some_and(|a| a.extent(schema.find("/fixture:system").unwrap()) == Extent::All));
    // /nacm itself is default-deny-all.
    let running = read(&schema, &format!("<nacm xmlns=\"{NACM}\"><read-default>permit</read-default></nacm>"));
    assert_eq!(shown(&running, &one(&schema, open, &[])), "");
}

fn edits(schema: &Arc<Schema>, old: &str, new: &str) -> Vec<Edit> {
    let joined = |text: &str| text.replace("</servers><servers xmlns=\"urn:fixture\">", "");
    diff(&read(schema, &joined(old)), &read(schema, &joined(new)))
}

#[test]
fn each_node_that_an_edit_makes_or_removes_is_checked() {
    let schema = schema();
    let server = "<path>/fx:servers/fx:server</path>";
    let note = "<path xmlns:dp=\"urn:deep\">/fx:servers/fx:server/dp:note</path>";
    let only = |operations: &str| format!("<access-operations>{operations}</access-operations>");
    let servers = |body: &str| format!("<servers xmlns=\"urn:fixture\">{body}</servers>");
    let plain = servers("<server><name>a</name><address>x</address></server>");
    let noted = servers("<server><name>a</name><address>x</address><note xmlns=\"urn:deep\">n</note></server>");
    let changed = servers("<server><name>a</name><address>y</address></server>");
    let with_b = |rest: &str| format!("{rest}<servers xmlns=\"urn:fixture\"><server><name>b</name></server></servers>");
    let denied = |access: &UserAccess, old: &str, new: &str| match access.check_edits(&edits(&schema, old, new)) {
        Ok(()) => None,
        Err(errors) => {
            assert!(errors.iter().all(|e| e.tag == ErrorTag::AccessDenied));
            Some(errors[0].path.as_ref().unwrap().text.clone())
        }
    };
    let entry = "/fixture:servers/fixture:server[fixture:name='a']";

    // Without a rule the default denies; where the list may be written, its container need not be.
    assert_eq!(denied(&one(&schema, "", &[]), "", &plain).as_deref(), Some(entry));
    let access = one(&schema, "", &[rule("s", &format!("{server}{}", only("create update delete")), "permit")]);
    assert_eq!(denied(&access, "", &plain), None);
    assert_eq!(denied(&access, "", &noted), None);
    assert_eq!(denied(&access, &plain, &changed), None);
    assert_eq!(denied(&access, &noted, ""), None);
    assert_eq!(
        denied(&access, &plain, &format!("{plain}<system xmlns=\"urn:fixture\"><name>n</name></system>")).as_deref(),
        Some("/fixture:system/fixture:name")
    );

    // One node inside is enough to refuse. What was to be deleted is named, not what is hidden in it.
    let access = one(&schema, "", &[rule("n", note, "deny"), rule("s", server, "permit")]);
    assert_eq!(denied(&access, "", &plain), None);
    assert_eq!(denied(&access, "", &noted), Some(format!("{entry}/deep:note")));
    assert_eq!(denied(&access, &plain, &noted), Some(format!("{entry}/deep:note")));
    assert_eq!(denied(&access, &with_b(&noted), &with_b("")).as_deref(), Some(entry));

    // Each access operation for itself.
    let access = one(&schema, "", &[rule("c", &format!("{server}{}", only("create")), "permit")]);
    assert_eq!(denied(&access, "", &noted), None);
    assert_eq!(denied(&access, &plain, &changed), Some(format!("{entry}/fixture:address")));
    assert_eq!(denied(&access, &with_b(&plain), &with_b("")).as_deref(), Some(entry));

    // Instances.
    let own = "<path>/fx:servers/fx:server[fx:name='a']</path>";
    let access = one(&schema, "", &[rule("own", own, "permit")]);
    assert_eq!(denied(&access, "", &plain), None);
    assert_eq!(denied(&access, "", &plain.replace("<name>a", "<name>b")).unwrap(), entry.replace("'a'", "'b'"));
}

/// RFC 8341 sections 3.1.3 and 3.4.6: actions and notifications inside data need what is around them readable.
#[test]
fn actions_and_notifications() {
    let schema = schema();
    let reset = path(&schema, "/fixture:servers/server[name='a']/deep:unit/reset");
    let failed = path(&schema, "/fixture:servers/server[name='a']/deep:unit/failed");
    let access = one(&schema, "", &[]);
    assert!(access.action(&reset).permit && access.notification(&failed).permit);
    let hidden = [rule(
        "hidden",
        "<path>/fx:servers/fx:server[fx:name='a']</path><access-operations>read</access-operations>",
        "deny",
    )];
    let access = one(&schema, "", &hidden);
    let because = Because::Ancestor(Box::new(by_rule("hidden")));
    assert_eq!(access.action(&reset), Decision { permit: false, because: because.clone() });
    assert_eq!(access.notification(&failed), Decision { permit: false, because });
    assert!(access.action(&path(&schema, "/fixture:servers/server[name='b']/deep:unit/reset")).permit);
    let no_reset = [rule("no", "<path xmlns:dp=\"urn:deep\">/fx:servers/fx:server/dp:unit/dp:reset</path>", "deny")];
    let access = one(&schema, "", &no_reset);
    assert_eq!(access.action(&reset).because, by_rule("no"));
    assert!(access.notification(&failed).permit);

    assert_eq!(access.check_action(&reset).unwrap_err().tag, ErrorTag::AccessDenied);

    let started = path(&schema, "/fixture:started");
    let alert = path(&schema, "/deep:alert");
    let access = one(&schema, "", &[]);
    assert!(access.notification(&started).permit);
    assert_eq!(access.notification(&alert).because, Because::DefaultDeny(DefaultDeny::All));
    let rules = [
        rule("other", "<notification-name>stopped</notification-name>", "deny"),
        rule("data", "<path>/</path>", "deny"),
        rule(
            "write",
            "<notification-name>started</notification-name><access-operations>create update delete</access-operations>",
            "deny",
        ),
        rule(
            "alerts",
            "<module-name>deep</module-name><notification-name>*</notification-name><access-operations>read</access-operations>",
            "permit",
        ),
        rule("started", "<notification-name>started</notification-name>", "deny"),
    ];
    let access = one(&schema, "", &rules);
    assert_eq!(access.notification(&alert), Decision { permit: true, because: by_rule("alerts") });
    assert_eq!(access.notification(&started), Decision { permit: false, because: by_rule("started") });
    assert!(!access.check_notification(&started) && access.check_notification(&alert));
}

#[test]
fn denials_are_counted_across_versions_of_the_rules() {
    let schema = schema();
    let first = read(
        &schema,
        &format!("<nacm xmlns=\"{NACM}\"><exec-default>deny</exec-default><read-default>deny</read-default></nacm>"),
    );
    let rules = Nacm::compile(&first, None);
    let user = rules.user("u", &[]);
    let restart = schema.find("/fixture:restart").unwrap();
    assert!(user.check_operation(schema.find("/fixture:restart").unwrap()).is_err());
    assert!(!user.operation(restart).permit);
    assert!(user.check_edits(&edits(&schema, "", SERVERS)).is_err());
    assert!(!user.check_notification(&path(&schema, "/fixture:started")));
    let counts = |rules: &Nacm| {
        let counters = rules.counters();
        (counters.operations(), counters.data_writes(), counters.notifications())
    };
    assert_eq!(counts(&rules), (1, 1, 1));

    // Other data changes: the same rules. /nacm changes: others, that go on counting.
    let mut other = first.clone();
    other.root_mut().container_mut(schema.find("/fixture:system").unwrap());
    assert!(Arc::ptr_eq(&rules, &Nacm::compile(&other, Some(&rules))));
    let opened = Nacm::compile(&read(&schema, ""), Some(&rules));
    assert!(!Arc::ptr_eq(&rules, &opened) && opened.user("u", &[]).operation(restart).permit);
    assert!(opened.user("u", &[]).check_edits(&edits(&schema, "", SERVERS)).is_err());
    assert_eq!(counts(&opened), (1, 2, 1));
}

/// RFC 8341 appendix A: module, operation, data-node and notification rules for administrators, limited users and guests.
fn appendix_a() -> String {
    format!(
        "<groups>{}{}{}</groups>{}{}{}",
        group("admin", &["ann", "andy"]),
        group("limited", &["lea", "lou"]),
        group("guest", &["guest", "gil"]),
        rule_list(
            "guest-rules",
            "guest",
            &[
                rule(
                    "no-nacm",
                    "<module-name>ietf-netconf-acm</module-name><access-operations>*</access-operations>",
                    "deny"
                ),
                rule(
                    "no-secret",
                    "<path>/fx:system/fx:secret</path><access-operations>read</access-operations>",
                    "deny"
                ),
            ]
        ),
        rule_list(
            "limited-rules",
            "limited",
            &[
                rule(
                    "no-restart",
                    "<module-name>fixture</module-name><rpc-name>restart</rpc-name><access-operations>exec</access-operations>",
                    "deny"
                ),
                rule(
                    "system",
                    "<path>/fx:system</path><access-operations>read create update delete</access-operations>",
                    "permit"
                ),
                rule(
                    "dummy",
                    "<path>/fx:servers/fx:server[fx:name='dummy']</path><access-operations>read update</access-operations>",
                    "permit"
                ),
                rule(
                    "no-started",
                    "<module-name>fixture</module-name><notification-name>started</notification-name><access-operations>read</access-operations>",
                    "deny"
                ),
            ]
        ),
        rule_list(
            "admin-rules",
            "admin",
            &[rule("everything", "<module-name>*</module-name><access-operations>*</access-operations>", "permit")]
        ),
    )
}

#[test]
fn the_example_of_the_rfc() {
    let schema = schema();
    let xml = appendix_a();
    let rules = nacm(&schema, &xml);
    let leaf = |text: &str| path(&schema, text);
    let secret = leaf("/fixture:system/secret");
    let dummy = leaf("/fixture:servers/server[name='dummy']/address");
    let other = leaf("/fixture:servers/server[name='other']/address");
    let admin_group = leaf("/ietf-netconf-acm:nacm/groups/group[name='admin']");
    let restart = schema.find("/fixture:restart").unwrap();
    let started = leaf("/fixture:started");
    use AccessOperation::{Create, Delete, Read, Update};
    for (user, operation, at, permit) in [
        ("ann", Read, &admin_group, true),
        ("ann", Delete, &admin_group, true),
        ("ann", Update, &secret, true),
        ("lea", Read, &admin_group, false),
        ("lea", Read, &secret, true),
        ("lea", Create, &secret, true),
        ("lea", Update, &dummy, true),
        ("lea", Create, &dummy, false),
        ("lea", Read, &other, true),
        ("lea", Update, &other, false),
        ("gil", Read, &admin_group, false),
        ("gil", Read, &secret, false),
        ("gil", Read, &other, true),
        ("gil", Update, &dummy, false),
    ] {
        assert_eq!(rules.user(user, &[]).data(operation, at).permit, permit, "{user} {operation:?} {at:?}");
    }
    for (user, exec, receive) in [("ann", true, true), ("lea", false, false), ("gil", true, true)] {
        let access = rules.user(user, &[]);
        assert_eq!((access.operation(restart).permit, access.notification(&started).permit), (exec, receive), "{user}");
    }
    assert!(rules.user("ann", &[]).check_operation(schema.find("/ietf-netconf:kill-session").unwrap()).is_ok());
}

#[test]
fn a_rule_about_nothing_of_this_server_matches_nothing() {
    let schema = schema();
    for text in [
        "/nowhere:x",
        "/fixture:nowhere",
        "fixture:system",
        "/fixture:servers/server[x='1']",
        "/fixture:system[",
        "/fixture:servers/server[name='a'",
    ] {
        assert!(compile::parse_path(&schema, text).is_none(), "{text}");
    }
    let parsed = compile::parse_path(&schema, "/fixture:servers/rule[ sub = \"x]y\" ][fixture:id=$USER]/action")
        .unwrap()
        .unwrap();
    let keys = vec![(1, compile::Operand::Literal("x]y".into())), (0, compile::Operand::User)];
    assert_eq!(parsed.tests, [(schema.find("/fixture:servers/rule").unwrap(), compile::Test::Keys(keys))]);
    assert_eq!(parsed.target, schema.find("/fixture:servers/rule/action").unwrap());
    // A key that no user can have, for `$USER` is no number: the rule matches no entry.
    let access = one(&schema, "", &[rule("n", "<path>/fx:servers/fx:rule[fx:id=$USER][fx:sub='s']</path>", "deny")]);
    let entry = path(&schema, "/fixture:servers/rule[id='1'][sub='s']");
    assert!(access.data(AccessOperation::Read, &entry).permit);
    assert!(matches!(entry.last().unwrap().predicate, Predicate::Key(Key::Many(_))));
}
