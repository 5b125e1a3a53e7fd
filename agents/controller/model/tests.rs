//! Tests that the Rust values and the YANG model are the same thing.

use netconf::server::base_modules;
use netconf::xml::{Document, Limits};
use netconf::yang::edit::read_operation;
use netconf::yang::serde::{from_path, from_tree};
use netconf::yang::{Schema, Tree};

use super::*;
use crate::schema::agent_schema;

const EXAMPLE: &str = include_str!("../../../yang/examples/qkdn-mc.rpc.xml");

#[test]
fn defaults_and_the_example_are_those_of_the_model() {
    let schema = agent_schema(base_modules(Schema::builder()), &["qkdn-mc"], true).unwrap();
    let initial = Tree::initial(schema.clone());
    assert_eq!(from_path::<Config>(&initial, "/qkdn-mc:controller").unwrap().unwrap(), Config::default());
    let document = Document::parse(EXAMPLE, &Limits::default()).unwrap();
    let read: Action = from_tree(&read_operation(&schema, document.root()).unwrap()).unwrap();
    let Action::ControlOrchestrationAction(call) = read;
    let path = PathValue { avoid: vec!["urn:qkdn:example:link:a-b".to_owned()], ..PathValue::default() };
    assert_eq!((call.input.kind.as_str(), call.input.priority), ("qkdn-types:path-modification", 6));
    assert_eq!(call.input.value.path, Some(path));
    assert_eq!(call.input.value.alarm_id, ["module-b-1:17"]);
}
