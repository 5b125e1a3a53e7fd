//! The YANG modules of the agents, carried in the binary.

use std::sync::Arc;

use netconf::yang::Schema;
use netconf::yang::ffi::Source;
use netconf::yang::schema::{SchemaBuilder, SchemaError};

macro_rules! modules {
    ($($name:literal),* $(,)?) => {
        /// Our modules. Those that no agent implements are there for others to import, and cost nothing until then.
        pub const MODULES: &[Source] = &[$(Source {
            name: $name,
            revision: None,
            text: include_str!(concat!("../yang/", $name, ".yang")),
        }),*];
    };
}

modules! {
    "qkdn-types",
    "qkdn-common",
    "qkdn-performance",
    "qkdn-alarms",
    "qkdn-mq",
    "qkdn-mk",
    "qkdn-mops",
    "qkdn-mqrp",
    "qkdn-mc",
    "qkdn-simulation",
}

/// Features of ietf-alarms that every agent has.
pub const ALARM_FEATURES: &[&str] = &["operator-actions", "alarm-history", "alarm-summary"];

/// The schema of an agent: what every server has (`base`), what every agent has, the modules of its reference point, and qkdn-simulation
/// where a simulation stands behind it, whose presence tells just that.
pub fn agent_schema(base: SchemaBuilder, modules: &[&str], simulated: bool) -> Result<Arc<Schema>, SchemaError> {
    let mut builder = base
        .standard()
        .sources(MODULES.iter().copied())
        .module("ietf-alarms", None, ALARM_FEATURES)
        // Implemented and not only imported, because only then its identities are values.
        .module("qkdn-types", None, &[])
        .module("qkdn-common", None, &[])
        .module("qkdn-performance", None, &[])
        .module("qkdn-alarms", None, &[]);
    for module in modules {
        builder = builder.module(module, None, &[]);
    }
    if simulated {
        builder = builder.module("qkdn-simulation", None, &[]);
    }
    builder.build()
}
