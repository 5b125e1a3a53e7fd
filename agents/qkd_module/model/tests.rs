//! Tests that the Rust values and the YANG model are the same thing.

use std::sync::Arc;

use netconf::server::base_modules;
use netconf::xml::{Document, Limits};
use netconf::yang::edit::read_config;
use netconf::yang::serde::{from_path, tree_at};
use netconf::yang::write::{self, WithDefaults, WriteOptions};
use netconf::yang::{Schema, Tree, filter::Selection};

use super::*;
use crate::schema::agent_schema;

const EXAMPLE: &str = include_str!("../../../yang/examples/qkdn-mq.config.xml");

fn schema() -> Arc<Schema> {
    agent_schema(base_modules(Schema::builder()), &["qkdn-mq"], true).unwrap()
}

/// The module's configuration with all that is in force.
fn in_force(tree: &Tree) -> String {
    let document = "<f><qkd-module xmlns=\"urn:qkdn:yang:qkdn-mq\"/></f>";
    let document = Document::parse(document, &Limits::default()).unwrap();
    let what = Selection::from_subtree(tree.schema(), document.root()).unwrap();
    let options = WriteOptions { defaults: WithDefaults::ReportAll, ..WriteOptions::default() };
    let mut out = Vec::new();
    write::write(tree, &what, None, options, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn the_example_goes_through_the_rust_values_unchanged() {
    let schema = schema();
    let text = format!("<config>{}</config>", EXAMPLE.trim_start_matches("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"));
    let document = Document::parse(&text, &Limits::default()).unwrap();
    let tree = read_config(&schema, document.root()).unwrap();
    let config: Config = from_path(&tree, "/qkdn-mq:qkd-module").unwrap().unwrap();
    assert_ne!(config, Config::default(), "the example says something");
    let back = tree_at(&schema, "/qkdn-mq:qkd-module", &config).unwrap();
    assert_eq!(in_force(&back), in_force(&tree));
}

#[test]
fn the_defaults_are_those_of_the_model() {
    let initial = Tree::initial(schema());
    let config: Config = from_path(&initial, "/qkdn-mq:qkd-module").unwrap().unwrap();
    assert_eq!(config, Config::default());
}
