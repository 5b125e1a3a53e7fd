//! Holds the YANG modules, their examples and docs/y3804.md to ITU-T Y.3804 and to each other.
//!
//! - `tables`: every row of Tables I.1 to I.7 is a node that says so
//! - `examples`: every document in yang/examples is valid, and survives XML, JSON and Rust values
//! - `conventions`: names, units, states, and no place for a key's value
//! - `constraints`: what the models must refuse, they refuse
//! - `acceptance`: docs/y3804.md has each item once, and speaks of things that exist

mod acceptance;
mod constraints;
mod conventions;
mod examples;
mod statement;
mod tables;

use std::sync::{Arc, LazyLock};

use netconf::yang::{Schema, SchemaNode};
use tests::workspace;

/// The names of our modules, in order.
static MODULES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let files = workspace::files("yang/");
    let own = files.iter().filter(|file| file.has_extension("yang") && file.name.matches('/').count() == 1);
    own.map(|file| file.name["yang/".len()..file.name.len() - ".yang".len()].to_owned()).collect()
});

/// All our modules together, with every feature.
static TOGETHER: LazyLock<Arc<Schema>> = LazyLock::new(|| {
    let names: Vec<&str> = MODULES.iter().map(String::as_str).collect();
    schema_of(&names)
});

/// A schema of these modules of ours and what they import, with every feature.
fn schema_of(names: &[&str]) -> Arc<Schema> {
    let builder = Schema::builder().standard().search_dir(workspace::root().join("yang"));
    let builder = names.iter().fold(builder, |builder, name| builder.module(name, None, &["*"]));
    let builder = if names.contains(&"qkdn-alarms") { builder.module("ietf-alarms", None, &["*"]) } else { builder };
    builder.build().unwrap_or_else(|error| panic!("{} do not compile: {error}", names.join(", ")))
}

/// The nodes that our modules define, augments of other modules included.
fn own_nodes(schema: &Schema) -> impl Iterator<Item = &SchemaNode> {
    schema.nodes().filter(|node| MODULES.contains(&schema.module(node.module).name))
}

/// The node's description on one line; empty where there is none.
fn description(node: &SchemaNode) -> String {
    let words: Vec<&str> = node.description.as_deref().unwrap_or_default().split_whitespace().collect();
    words.join(" ")
}

/// Fails with what is wrong and what to do about it, if anything is.
#[track_caller]
fn assert_none(wrong: &[String], what_to_do: &str) {
    assert!(wrong.is_empty(), "{what_to_do}\n  {}\n", wrong.join("\n  "));
}
