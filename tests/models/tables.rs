//! Every row of Tables I.1 to I.7 is a node whose description names the table and the row; the rest is an extension.

use netconf::yang::{NodeKind, Schema, SchemaNode};

use crate::{TOGETHER, assert_none, description, own_nodes};

/// The rows of a table, in the Recommendation's words.
struct Table {
    number: u8,
    module: &'static str,
    rows: Vec<String>,
}

/// Rows 7 to 11 of Tables I.3 to I.7 stand in what qkdn-alarms adds to the alarms of RFC 8632.
const ALARM_MODULE: &str = "qkdn-alarms";
const FIRST_ALARM_ROW: usize = 7;

/// What follows the words for the layer in the rows of Tables I.3 to I.7.
const PATTERN: [&str; 11] = [
    "resource description",
    "managed resource ID",
    "performance description",
    "performance information type",
    "performance information target managed object ID",
    "performance information value",
    "alarm description",
    "alarm type",
    "alarm ID",
    "alarm source ID",
    "alarm value",
];

const COMMON: [&str; 9] = [
    "User identifier",
    "Management operation request session identifier",
    "Globally unique IP address information",
    "Unique IP address",
    "Address realm",
    "Management operation requestor identifier",
    "Management operation request priority",
    "Management operation request result",
    "EventNotify",
];

const CONTROL: [&str; 4] = [
    "Control orchestration action description",
    "Control orchestration action type",
    "Control orchestration action priority",
    "Control orchestration action value",
];

fn tables() -> Vec<Table> {
    let own =
        |number, module, rows: &[&str]| Table { number, module, rows: rows.iter().map(|r| (*r).into()).collect() };
    let pattern = |number, module, layer: &str| Table {
        number,
        module,
        rows: PATTERN.iter().map(|component| format!("{layer} {component}")).collect(),
    };
    vec![
        own(1, "qkdn-common", &COMMON),
        own(2, "qkdn-mc", &CONTROL),
        pattern(3, "qkdn-mk", "Key management layer"),
        pattern(4, "qkdn-mq", "QKD module in quantum layer"),
        pattern(5, "qkdn-mops", "QKD link in quantum layer"),
        pattern(6, "qkdn-mu", "User network management layer"),
        pattern(7, "qkdn-mx", "QKDN management layer"),
    ]
}

/// Whether the node is that row; a node that only follows a row's pattern is an extension.
pub fn is_row(node: &SchemaNode, table: u8, row: usize) -> bool {
    let text = description(node);
    text.starts_with("Table I.") && text.contains(&format!("Table I.{table} row {row}: "))
}

#[test]
fn every_table_row_is_a_node() {
    let schema = &*TOGETHER;
    let mut missing = Vec::new();
    for table in tables() {
        for (row, title) in (1..).zip(&table.rows) {
            let alarm = table.number >= 3 && row >= FIRST_ALARM_ROW;
            let module = if alarm { ALARM_MODULE } else { table.module };
            let words = format!("Table I.{} row {row}: {title}", table.number);
            let says_so = |node: &SchemaNode| {
                let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric());
                is_row(node, table.number, row) && description(node).split_once(&words).is_some_and(|(_, r)| ends(r))
            };
            let places: Vec<&SchemaNode> =
                own_nodes(schema).filter(|node| schema.module(node.module).name == module && says_so(node)).collect();
            if places.is_empty() {
                missing.push(format!("module {module}: no node is described as \"{words}\""));
            }
            if alarm {
                for top in ["alarms", "alarm-notification"] {
                    if !places.iter().any(|node| schema.path(node.id).starts_with(&format!("/ietf-alarms:{top}/"))) {
                        missing.push(format!("module {module}: \"{words}\" is not part of /ietf-alarms:{top}"));
                    }
                }
            }
        }
    }
    assert_none(&missing, "give each a node, or correct the description:");
}

#[test]
fn every_node_names_its_row_or_is_an_extension() {
    let schema = &*TOGETHER;
    let mut wrong = Vec::new();
    for node in own_nodes(schema) {
        // Cases, inputs and outputs are mostly implicit, and never on the wire.
        if matches!(node.kind, NodeKind::Case | NodeKind::Input | NodeKind::Output) {
            continue;
        }
        let text = description(node);
        let rows: Vec<&str> = text.match_indices("Table I.").map(|(at, _)| &text[at..]).collect();
        let names_row = text.starts_with("Table I.") && rows.iter().any(|row| is_known(row));
        if !names_row && !text.starts_with("Extension: ") {
            wrong.push(format!("{}: \"{text}\"", schema.path(node.id)));
        }
    }
    assert_none(
        &wrong,
        "begin the description with \"Table I.x row n: …\" of an existing row, or with \"Extension: \":",
    );
}

/// Whether the text begins with "Table I.x row n: " of a row that there is.
fn is_known(text: &str) -> bool {
    tables().iter().any(|table| {
        (1..=table.rows.len()).any(|row| text.starts_with(&format!("Table I.{} row {row}: ", table.number)))
    })
}

#[test]
fn every_request_and_notification_carries_table_1() {
    let schema: &Schema = &TOGETHER;
    let mut wrong = Vec::new();
    for node in own_nodes(schema) {
        let (place, rows): (String, &[usize]) = match node.kind {
            NodeKind::Rpc => (format!("{}/input", schema.path(node.id)), &[1, 2, 3, 4, 5, 6, 7]),
            NodeKind::Notification => (schema.path(node.id), &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
            _ => continue,
        };
        let operation = schema.find(&format!("{place}/management-operation"));
        for row in rows {
            let there = operation.is_some_and(|operation| {
                schema.children(Some(operation)).iter().any(|&child| is_row(schema.node(child), 1, *row))
            });
            if !there {
                wrong.push(format!("{place} lacks row {row} of Table I.1"));
            }
        }
    }
    assert_none(&wrong, "add container management-operation with the grouping of qkdn-common:");
}
