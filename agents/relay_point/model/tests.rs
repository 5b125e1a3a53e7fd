//! Tests that the Rust values and the YANG model are the same thing.

use netconf::server::base_modules;
use netconf::xml::{Document, Limits};
use netconf::yang::edit::read_config;
use netconf::yang::serde::{from_path, tree_at};
use netconf::yang::{Schema, Tree};

use super::*;
use crate::schema::agent_schema;

const EXAMPLE: &str = include_str!("../../../yang/examples/qkdn-mqrp.config.xml");

#[test]
fn the_example_goes_through_the_rust_values_unchanged() {
    let schema = agent_schema(base_modules(Schema::builder()), &["qkdn-mqrp"], true).unwrap();
    let text = format!("<config>{EXAMPLE}</config>");
    let document = Document::parse(&text, &Limits::default()).unwrap();
    let tree = read_config(&schema, document.root()).unwrap();
    let config: Config = from_path(&tree, "/qkdn-mqrp:relay-point").unwrap().unwrap();
    assert_eq!((config.segment.len(), config.relay.len()), (2, 1));
    assert_eq!(config.segment[0].expected_attenuation, Some(11.0));
    let back = tree_at(&schema, "/qkdn-mqrp:relay-point", &config).unwrap();
    assert_eq!(from_path::<Config>(&back, "/qkdn-mqrp:relay-point").unwrap().unwrap(), config);
    let initial = Tree::initial(schema);
    assert_eq!(from_path::<Config>(&initial, "/qkdn-mqrp:relay-point").unwrap().unwrap(), Config::default());
}
