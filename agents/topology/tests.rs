//! Topologies: what a file may say, what it may not, and what follows from it.

use std::sync::Arc;

use netconf::yang::validate::Validator;
use netconf::yang::{Schema, json};

use super::*;
use crate::schema::agent_schema;

fn schema() -> Arc<Schema> {
    agent_schema(Schema::builder(), &["qkdn-mq", "qkdn-mk", "qkdn-mops", "qkdn-mqrp", "qkdn-mc"], true).unwrap()
}

fn check_plans(topology: &Topology, schema: &Arc<Schema>) {
    let mut validator = Validator::new(schema.clone());
    let plans = topology.agents();
    let names: std::collections::BTreeSet<&String> = plans.iter().map(|plan| &plan.name).collect();
    assert_eq!(names.len(), plans.len(), "every agent has a name of its own");
    for plan in plans {
        let text = plan.initial.to_string();
        let tree = json::read(schema, &text).unwrap_or_else(|errors| panic!("{}: {errors:?} in {text}", plan.name));
        validator.validate_all(&tree).unwrap_or_else(|errors| panic!("{}: {errors:?} in {text}", plan.name));
    }
}

#[test]
fn every_plan_is_a_valid_configuration() {
    let schema = schema();
    for name in builtin() {
        check_plans(&Topology::load(name).unwrap(), &schema);
    }
}
