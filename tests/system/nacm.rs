//! `qkdn nacm explain` at a server that is no manager: what the command says is what the server does.

use std::process::{Command, Output};

use netconf::client::{Datastore, EditConfig};
use serde_json::Value;

use crate::foreign::key;
use crate::program::{Program, qkdn};

const NACM: &str = "<nacm xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-acm\"><groups><group><name>ops</name><user-name>bob</user-name></group></groups>\
    <rule-list><name>ops</name><group>ops</group>\
    <rule><name>first-page</name><path xmlns:k=\"urn:kill\">/k:book/k:page[k:id='1']</path><action>permit</action></rule>\
    <rule><name>left</name><path xmlns:k=\"urn:kill\">/k:pair/k:left</path><access-operations>update</access-operations>\
    <action>deny</action></rule></rule-list></nacm>";

fn explain(program: &Program, user: &str, words: &[&str]) -> Output {
    let mut command = Command::new(qkdn());
    command.current_dir(&program.directory).args(["nacm", "explain"]).args(words);
    command.args(["--manager", &format!("127.0.0.1:{}", program.port), "--user", user, "--key", "client"]);
    command
        .args(["--known-hosts", "known_hosts", "--module", "kill", "--yang-dir", ".", "-o", "json"])
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rules_of_a_server_are_explained() {
    let directory = tempfile::tempdir().unwrap();
    let client = key(directory.path(), "client");
    // The superuser has a password, and bob the key: the rules are not for bob to read until a rule says so.
    let program = Program::start_for(directory.path(), "bob", &format!("{client}.pub"));
    let (admin, _) = program.session().await;
    admin.edit_config(&EditConfig::new(Datastore::Running, NACM)).await.unwrap();
    let question = ["bob", "update", "/kill:book/page[id='1']/text"];
    let refused = explain(&program, "bob", &question);
    assert_eq!(refused.status.code(), Some(4), "{}", String::from_utf8_lossy(&refused.stderr));

    let rules = "<rule><name>rules</name><module-name>ietf-netconf-acm</module-name><access-operations>read</access-operations>\
                 <action>permit</action></rule></rule-list>";
    let readable = NACM.replace("</rule-list>", rules);
    admin.edit_config(&EditConfig::new(Datastore::Running, readable)).await.unwrap();
    for (words, permit, decides) in [
        (&question, true, "first-page"),
        (&["bob", "update", "/kill:pair/left"], false, "left"),
        (&["bob", "create", "/kill:pair/left"], false, "write-default"),
        (&["bob", "read", "/kill:pair/right"], true, "read-default"),
        (&["bob", "exec", "/ietf-netconf:kill-session"], false, "denied by default"),
    ] {
        let output = explain(&program, "bob", words);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&answer["permit"], &answer["group"][0]), (&Value::from(permit), &Value::from("ops")), "{answer}");
        assert!(answer["because"].as_str().unwrap().contains(decides), "{answer}");
    }
    assert_eq!(explain(&program, "bob", &["bob", "read", "/kill:nowhere"]).status.code(), Some(3));
    assert_eq!(explain(&program, "bob", &["bob", "write", "/kill:pair"]).status.code(), Some(2));

    // From a file there is no server to ask.
    std::fs::write(directory.path().join("nacm.xml"), NACM).unwrap();
    let offline = Command::new(qkdn())
        .current_dir(directory.path())
        .args(["nacm", "explain", "bob", "update", "/kill:pair/left", "--config", "nacm.xml"])
        .args(["--module", "kill", "--yang-dir", ".", "-o", "table"])
        .output()
        .unwrap();
    let text = String::from_utf8(offline.stdout).unwrap();
    assert_eq!(offline.status.code(), Some(0), "{}", String::from_utf8_lossy(&offline.stderr));
    assert!(
        text.starts_with("bob (in ops) may not update /kill:pair/left: rule \"left\" of rule-list \"ops\""),
        "{text}"
    );
    assert!(text.contains("first-page  is about something else"), "{text}");
}
