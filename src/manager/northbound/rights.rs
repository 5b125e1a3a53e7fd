//! The access rules of a manager that never ran (RFC 8341). From then on they are the operator's, in the running datastore.

use std::collections::BTreeMap;
use std::sync::Arc;

use netconf::yang::serde::{SerdeError, to_tree};
use netconf::yang::{Schema, Tree};
use serde::Serialize;

use crate::config::User;

/// Operations by which data is read, with their modules.
const READING: [(&str, &str); 4] = [
    ("ietf-netconf", "get"),
    ("ietf-netconf", "get-config"),
    ("ietf-netconf-monitoring", "get-schema"),
    ("notifications", "create-subscription"),
];

/// Operations of qkdn-manager that change nothing.
const ASKING: [&str; 1] = ["get-root-cause"];

/// Those that an operator works with. None reaches a device with anything but questions.
const OPERATING: [&str; 3] = ["connect-device", "run-configuration-procedure", "check-synchronization"];

const ALARM_ACTIONS: [&str; 3] = ["alarm/set-operator-state", "purge-alarms", "compress-alarms"];

/// `admin` may do all, `operator` read, act on alarms and run procedures, `oss` only read. Who is in no group may do nothing: what the
/// rules do not name is not permitted.
pub fn rights(schema: &Arc<Schema>, users: &[User]) -> Result<Tree, SerdeError> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for user in users {
        user.groups.iter().for_each(|group| groups.entry(group).or_default().push(&user.name));
    }
    let group = groups.into_iter().map(|(name, user_name)| Group { name, user_name }).collect();
    let rpc = |module: &str, rpc: &str| Rule {
        name: rpc.to_owned(),
        module_name: module.to_owned(),
        rpc_name: Some(rpc.to_owned()),
        ..Rule::permit("exec")
    };
    let reads = || READING.into_iter().map(|(module, name)| rpc(module, name));
    let ours = |names: &'static [&'static str]| names.iter().map(|name| rpc("qkdn-manager", name));
    let actions = ALARM_ACTIONS.iter().map(|action| Rule {
        name: action.rsplit('/').next().unwrap_or(action).to_owned(),
        path: Some(format!("/ietf-alarms:alarms/alarm-list/{action}")),
        ..Rule::permit("exec")
    });
    let all = Rule { name: "all".to_owned(), ..Rule::permit("*") };
    let rule_list = vec![
        RuleList { name: "admin", group: ["admin"], rule: vec![all] },
        RuleList {
            name: "operator",
            group: ["operator"],
            rule: reads().chain(ours(&ASKING)).chain(ours(&OPERATING)).chain(actions).collect(),
        },
        RuleList { name: "oss", group: ["oss"], rule: reads().chain(ours(&ASKING)).collect() },
    ];
    let nacm = Nacm { exec_default: "deny", groups: Groups { group }, rule_list };
    to_tree(schema, &BTreeMap::from([("ietf-netconf-acm:nacm", nacm)]))
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Nacm<'a> {
    exec_default: &'static str,
    groups: Groups<'a>,
    rule_list: Vec<RuleList>,
}

#[derive(Serialize)]
struct Groups<'a> {
    group: Vec<Group<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Group<'a> {
    name: &'a str,
    user_name: Vec<&'a str>,
}

#[derive(Serialize)]
struct RuleList {
    name: &'static str,
    group: [&'static str; 1],
    rule: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Rule {
    name: String,
    module_name: String,
    rpc_name: Option<String>,
    path: Option<String>,
    access_operations: &'static str,
    action: &'static str,
}

impl Rule {
    fn permit(access_operations: &'static str) -> Rule {
        let (name, module_name) = (String::new(), "*".to_owned());
        Rule { name, module_name, rpc_name: None, path: None, access_operations, action: "permit" }
    }
}

#[cfg(test)]
mod tests {
    use netconf::server::nacm::{AccessOperation, Nacm};
    use netconf::yang::serde::instance_path;

    use super::super::northbound_schema;
    use super::*;

    #[test]
    fn each_group_may_what_it_is_for() {
        let schema = northbound_schema().unwrap();
        let user = |name: &str, groups: &[&str]| User {
            name: name.to_owned(),
            authorized_keys: Vec::new(),
            password_file: None,
            groups: groups.iter().map(|group| group.to_string()).collect(),
        };
        let users =
            [user("ann", &["admin"]), user("otto", &["operator"]), user("oscar", &["oss"]), user("nobody", &[])];
        let running = Tree::initial(schema.clone()).merged(&rights(&schema, &users).unwrap());
        let nacm = Nacm::compile(&running, None);
        let is_permitted = |name: &str, rpc: &str| {
            let rpc = schema.find(rpc).unwrap_or_else(|| panic!("{rpc}"));
            nacm.user(name, &[]).check_operation(rpc).is_ok()
        };
        let rows = [
            ("/ietf-netconf:get", ["ann", "otto", "oscar"].as_slice()),
            ("/notifications:create-subscription", &["ann", "otto", "oscar"]),
            ("/qkdn-manager:get-root-cause", &["ann", "otto", "oscar"]),
            ("/qkdn-manager:connect-device", &["ann", "otto"]),
            ("/qkdn-manager:run-configuration-procedure", &["ann", "otto"]),
            ("/qkdn-manager:execute-operation", &["ann"]),
            ("/ietf-netconf:edit-config", &["ann"]),
        ];
        for (rpc, permitted) in rows {
            for name in ["ann", "otto", "oscar", "nobody"] {
                assert_eq!(is_permitted(name, rpc), permitted.contains(&name), "{name}: {rpc}");
            }
        }
        let alarm = "/ietf-alarms:alarms/alarm-list/alarm[resource='x'][alarm-type-id='qkdn-alarms:qber-abort'][alarm-type-qualifier='']";
        let ack = instance_path(&schema, &format!("{alarm}/set-operator-state")).unwrap();
        let port = instance_path(&schema, "/qkdn-manager:devices/device[name='a']/connection/port").unwrap();
        let password = instance_path(&schema, "/qkdn-manager:devices/credential[name='qlm']/password").unwrap();
        for (name, acts, writes) in [("ann", true, true), ("otto", true, false), ("oscar", false, false)] {
            let access = nacm.user(name, &[]);
            assert_eq!(access.check_action(&ack).is_ok(), acts, "{name}");
            assert_eq!(access.data(AccessOperation::Update, &port).permit, writes, "{name}");
            assert_eq!(access.data(AccessOperation::Read, &password).permit, name == "ann", "{name}");
            assert!(access.data(AccessOperation::Read, &port).permit, "{name}");
        }
    }
}
