//! Conventions of our modules: names, units, states apart, and no place for a key's value.

use std::collections::BTreeSet;

use netconf::yang::ffi::RawBase;
use netconf::yang::schema::DefaultDeny;
use netconf::yang::{NodeKind, SchemaNode};
use tests::workspace;

use crate::statement::Statement;
use crate::{MODULES, TOGETHER, assert_none, description, own_nodes, schema_of};

/// The text of one of our modules as statements.
pub fn statement(module: &str) -> Statement {
    Statement::parse(&workspace::read(&format!("yang/{module}.yang")))
}

#[test]
fn every_module_compiles_alone_and_together() {
    for module in MODULES.iter() {
        let schema = schema_of(&[module]);
        let own = schema.module_by_name(module).map(|id| schema.module(id));
        assert!(own.is_some_and(|own| own.implemented), "{module} is not implemented where it is asked for");
    }
    let together: Vec<&str> =
        TOGETHER.modules().iter().filter(|module| module.implemented).map(|module| module.name.as_str()).collect();
    let lacking: Vec<String> = MODULES.iter().filter(|module| !together.contains(&module.as_str())).cloned().collect();
    assert_none(&lacking, "these are lost when all are compiled together:");
}

#[test]
fn every_module_has_our_head() {
    let mut wrong = Vec::new();
    for name in MODULES.iter() {
        let module = statement(name);
        let mut expect = |what: &str, found: &str, wanted: &str| {
            if found != wanted {
                wrong.push(format!("yang/{name}.yang: {what} is \"{found}\", not \"{wanted}\""));
            }
        };
        expect("the statement", &module.keyword, "module");
        expect("the name", &module.argument, name);
        expect("the namespace", module.argument_of("namespace"), &format!("urn:qkdn:yang:{name}"));
        expect("the prefix", module.argument_of("prefix"), name);
        expect("the version of YANG", module.argument_of("yang-version"), "1.1");
        expect("the number of revisions", &module.all("revision").count().to_string(), "1");
        for head in ["organization", "contact", "description"] {
            if module.argument_of(head).is_empty() {
                wrong.push(format!("yang/{name}.yang: there is no {head}"));
            }
        }
        if !name.starts_with("qkdn-") {
            wrong.push(format!("yang/{name}.yang: our modules are named qkdn-…; standard ones are not kept here"));
        }
        for import in module.all("import").filter(|import| MODULES.contains(&import.argument)) {
            if import.argument_of("prefix") != import.argument {
                wrong.push(format!("yang/{name}.yang: import {} under its own prefix", import.argument));
            }
        }
    }
    assert_none(&wrong, "correct the head of the module:");
}

/// Units that no performance information has, beside those of qkdn-types' quantity-unit.
const OTHER_UNITS: [&str; 4] = ["degree", "photon/pulse", "request/s", "alarm/s"];

/// Integers that are no quantity: what they number or rank.
const ORDINALS: [&str; 11] = [
    "after-sequence-number",
    "alternative",
    "detector",
    "last-sequence-number",
    "number",
    "oldest-sequence-number",
    "port",
    "priority",
    "sequence",
    "sequence-number",
    "session-id",
];

/// Not quantities either, for a reason each.
const PURE_NUMBERS: [&str; 2] = [
    // Counts up; says nothing but which is newer.
    "version", // What a route costs is in the unit of the controller's own weights.
    "metric",
];

#[test]
fn every_quantity_has_its_unit() {
    let schema = &*TOGETHER;
    let known = units();
    let mut wrong = Vec::new();
    let mut quantities = 0;
    for node in own_nodes(schema) {
        let path = || schema.path(node.id);
        if let Some(unit) = &node.units {
            quantities += 1;
            if !known.contains(unit.as_str()) && !OTHER_UNITS.contains(&unit.as_str()) {
                wrong.push(format!("{}: unit \"{unit}\" is not one of quantity-unit in qkdn-types", path()));
            }
            continue;
        }
        let base = node.leaf_type.as_ref().map(|leaf_type| leaf_type.resolved().base);
        let number = matches!(base, Some(RawBase::Decimal64 | RawBase::Signed | RawBase::Unsigned));
        let named = ORDINALS.contains(&node.name.as_str()) || PURE_NUMBERS.contains(&node.name.as_str());
        if number && !named && !unit_is_beside(node) {
            wrong.push(format!("{}: a number without units", path()));
        }
    }
    assert!(quantities > 100, "units are read from the schema");
    assert_none(&wrong, "give the leaf or its type a units statement, or name it among those that have none:");
}

/// Whether the value is in a unit given beside it, and its description says so.
fn unit_is_beside(node: &SchemaNode) -> bool {
    let text = description(node);
    let by_description = ["in the given unit", "in the unit of the entry", "in the unit of the type"];
    if by_description.iter().any(|words| text.contains(words)) {
        return true;
    }
    let above = node.data_parent.and_then(|parent| TOGETHER.node(parent).data_parent);
    let levels = [TOGETHER.children(node.data_parent), TOGETHER.children(above)];
    levels.concat().iter().any(|&id| TOGETHER.node(id).name == "unit")
}

/// The names of qkdn-types' quantity-unit.
fn units() -> BTreeSet<String> {
    enumeration("qkdn-types", "quantity-unit")
}

fn enumeration(module: &str, typedef: &str) -> BTreeSet<String> {
    let module = statement(module);
    let typedef = module.all("typedef").find(|t| t.argument == typedef).expect("the typedef is there");
    let names: BTreeSet<String> =
        typedef.all("type").flat_map(|t| t.all("enum")).map(|name| name.argument.clone()).collect();
    assert!(!names.is_empty(), "the typedef is an enumeration");
    names
}

#[test]
fn every_performance_type_ends_with_its_unit() {
    let units = units();
    let wrong = identities_without("qkdn-performance", "-performance-type", "Unit", &units);
    assert_none(&wrong, "end the description with \"Unit: U.\", U one of quantity-unit:");
}

#[test]
fn every_alarm_type_ends_with_its_class() {
    let classes = enumeration("qkdn-alarms", "alarm-class");
    let wrong = identities_without("qkdn-alarms", "-alarm", "Class", &classes);
    assert_none(&wrong, "end the description with \"Class: C.\", C one of alarm-class:");
}

/// The identities derived from an abstract one (whose name has that ending) that do not end as they should.
fn identities_without(module: &str, ending: &str, word: &str, known: &BTreeSet<String>) -> Vec<String> {
    let module = statement(module);
    let bases: BTreeSet<&str> =
        module.all("identity").flat_map(|i| i.all("base")).map(|base| base.argument.as_str()).collect();
    let mut wrong = Vec::new();
    let mut leaves = 0;
    for identity in module.all("identity").filter(|identity| !bases.contains(identity.argument.as_str())) {
        // An abstract layer that has no type yet.
        if identity.argument.ends_with(ending) {
            continue;
        }
        leaves += 1;
        let text = identity.argument_of("description");
        let last = text.rsplit_once(&format!("{word}: ")).and_then(|(_, last)| last.strip_suffix('.'));
        if !last.is_some_and(|last| known.contains(last)) {
            wrong.push(format!("identity {}: \"{text}\"", identity.argument));
        }
    }
    assert!(leaves > 20, "the identities of {} are found", module.argument);
    wrong
}

/// Parts of a name that stand for a key's value, or for another secret.
const SECRETS: [&str; 10] = [
    "key-value",
    "key-material",
    "key-octets",
    "key-string",
    "pre-shared-key",
    "password",
    "passphrase",
    "token",
    "seed",
    "otp",
];

/// Parts of a name that are right for an amount, a rate or the name of a file only.
const KEYS: [&str; 6] = ["key-data", "raw-key", "sifted-key", "secret-key", "key-block", "private-key"];

/// What the name of the node says that it must not.
fn secret_in_name(node: &SchemaNode) -> Option<&'static str> {
    // A container of thresholds has the name of its performance type.
    let threshold = node.data_parent.is_some_and(|parent| TOGETHER.node(parent).name == "thresholds");
    let amount = threshold || node.units.is_some() || node.name.ends_with("-file");
    let named = |words: &[&'static str]| words.iter().copied().find(|word| node.name.contains(word));
    named(&SECRETS).or_else(|| named(&KEYS).filter(|_| !amount))
}

/// The one secret in the models: how the manager logs in at a device. NACM keeps it from everyone by default.
const PASSWORD: &str = "/qkdn-manager:devices/credential/password";

#[test]
fn no_node_can_hold_a_key() {
    let schema = &*TOGETHER;
    let mut wrong = Vec::new();
    for node in own_nodes(schema) {
        let path = schema.path(node.id);
        if path == PASSWORD {
            if node.kind == NodeKind::Leaf && node.default_deny != DefaultDeny::All {
                wrong.push(format!("{path}: is a secret without nacm:default-deny-all"));
            }
            continue;
        }
        let choice = matches!(node.kind, NodeKind::Case | NodeKind::Choice);
        if let Some(word) = secret_in_name(node).filter(|_| !choice) {
            wrong.push(format!("{path}: \"{word}\" is the name of a secret"));
        }
        let base = node.leaf_type.as_ref().map(|leaf_type| leaf_type.resolved().base);
        if base == Some(RawBase::Binary) {
            wrong.push(format!("{path}: binary could hold a key"));
        }
    }
    assert!(schema.find(PASSWORD).is_some(), "{PASSWORD} is gone: take it out of this test");
    assert_none(&wrong, "models speak of amounts and identifiers of keys only (clause 8); rename or remove:");
}

#[test]
fn administrative_and_service_states_are_apart() {
    let schema = &*TOGETHER;
    let admin = ["enabled", "disabled"];
    let service = ["in-service", "out-of-service", "standby", "reserved"];
    let mut wrong = Vec::new();
    for node in own_nodes(schema) {
        let path = schema.path(node.id);
        let Some(leaf_type) = &node.leaf_type else { continue };
        let enums = leaf_type.enums();
        let has = |names: &[&str]| names.iter().any(|name| enums.iter().any(|own| own == name));
        if has(&admin) && has(&service) {
            wrong.push(format!("{path}: mixes what the manager and what the controller commands"));
        }
        if node.name == "admin-state" && enums != admin {
            wrong.push(format!("{path}: is not of type qkdn-types:admin-state"));
        }
        if node.name == "service-state" && enums != service {
            wrong.push(format!("{path}: is not of type qkdn-types:service-state"));
        }
        if node.name == "service-state" && node.config && path.starts_with("/qkdn-manager:") {
            wrong.push(format!("{path}: the service state is the controller's to write (clause 8.2)"));
        }
    }
    for device in [
        "/qkdn-mq:qkd-module",
        "/qkdn-mqrp:relay-point",
        "/qkdn-mops:optical-switch",
        "/qkdn-mk:key-manager",
        "/qkdn-mc:controller",
    ] {
        for state in ["admin-state", "service-state"] {
            let path = format!("{device}/{state}");
            if !schema.find(&path).is_some_and(|id| schema.node(id).config) {
                wrong.push(format!("{path}: is not there as configuration"));
            }
        }
    }
    assert_none(&wrong, "give each state its own leaf, of its own writer:");
}
