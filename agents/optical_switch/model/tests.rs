//! Tests that the Rust values and the YANG model are the same thing.

use netconf::server::base_modules;
use netconf::xml::{Document, Limits};
use netconf::yang::edit::read_config;
use netconf::yang::serde::{from_path, tree_at};
use netconf::yang::{Schema, Tree};

use super::*;
use crate::schema::agent_schema;

const EXAMPLE: &str = include_str!("../../../yang/examples/qkdn-mops.config.xml");

#[test]
fn the_example_goes_through_the_rust_values_unchanged() {
    let schema = agent_schema(base_modules(Schema::builder()), &["qkdn-mops"], true).unwrap();
    let text = format!("<config>{EXAMPLE}</config>");
    let document = Document::parse(&text, &Limits::default()).unwrap();
    let tree = read_config(&schema, document.root()).unwrap();
    let config: Config = from_path(&tree, "/qkdn-mops:optical-switch").unwrap().unwrap();
    assert_eq!((config.port.len(), config.cross_connect.len()), (3, 1));
    assert_eq!(config.port[2].admin_state, AdminState::Disabled);
    let back = tree_at(&schema, "/qkdn-mops:optical-switch", &config).unwrap();
    assert_eq!(from_path::<Config>(&back, "/qkdn-mops:optical-switch").unwrap().unwrap(), config);
    let initial = Tree::initial(schema);
    assert_eq!(from_path::<Config>(&initial, "/qkdn-mops:optical-switch").unwrap().unwrap(), Config::default());
}
