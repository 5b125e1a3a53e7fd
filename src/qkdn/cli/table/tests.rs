//! What people and programs see.

use serde_json::json;

use super::*;

fn table() -> Table {
    let mut table = Table::new(&["NAME", "KEY BIT/S", "TEXT"]);
    table.row(vec!["ko1-ot1".to_owned(), "1200".to_owned(), "ends, \"well\"".to_owned()]);
    table.row(vec!["größe".to_owned(), "-".to_owned(), "x".to_owned()]);
    table
}

#[test]
fn columns_are_aligned_and_plain_where_no_terminal_is() {
    let shown = "NAME     KEY BIT/S  TEXT\nko1-ot1       1200  ends, \"well\"\ngröße            -  x\n";
    assert_eq!(table().text(false), shown);
    assert!(table().text(true).starts_with("\x1b[1mNAME"));
    assert_eq!(Table::new(&["A"]).text(true), "(none)\n");
}

#[test]
fn csv_quotes_what_must_be_and_leaves_empty_what_is_not_there() {
    assert_eq!(table().csv(), "name,key-bit/s,text\r\nko1-ot1,1200,\"ends, \"\"well\"\"\"\r\ngröße,,x\r\n");
}

#[test]
fn details_show_every_leaf_but_those_left_out() {
    let json = json!({
        "name": "a",
        "qkdn-alarms:alarm-class": "quality-of-service",
        "state": {"oper-state": "up", "capability": ["x", "y"]},
        "step": [{"number": 1}, {"number": 2}],
    });
    let shown = details(&json, &["state/capability"]);
    assert_eq!(
        shown,
        "name              a\nalarm-class       quality-of-service\nstate/oper-state  up\nstep[1]/number    1\nstep[2]/number    2\n"
    );
}

#[test]
fn what_a_device_wrote_cannot_steer_the_terminal() {
    let mut table = Table::new(&["TEXT"]);
    table.row(vec!["\x1b[2Jgone\nnext \u{202e}\u{9b}31m".to_owned()]);
    assert_eq!(table.text(false), "TEXT\n\\u{1b}[2Jgone\\nnext \\u{202e}\\u{9b}31m\n");
    assert_eq!(details(&json!({"text": "\u{7}"}), &[]), "text  \\u{7}\n");
}
