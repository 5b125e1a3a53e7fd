//! The YANG modules of the manager's northbound server, carried in the binary.

use std::sync::Arc;

use netconf::server::base_modules;
use netconf::yang::Schema;
use netconf::yang::ffi::Source;
use netconf::yang::schema::SchemaError;

macro_rules! modules {
    ($($name:literal),* $(,)?) => {
        /// Our modules. Those of the devices are only imported: their groupings are in the model, their own containers are not.
        pub const MODULES: &[Source] = &[$(Source {
            name: $name,
            revision: None,
            text: include_str!(concat!("../../../yang/", $name, ".yang")),
        }),*];
    };
}

modules! {
    "qkdn-types",
    "qkdn-common",
    "qkdn-performance",
    "qkdn-alarms",
    "qkdn-mq",
    "qkdn-mqrp",
    "qkdn-mops",
    "qkdn-mk",
    "qkdn-mc",
    "qkdn-manager",
}

/// Features of ietf-alarms that the manager has.
pub const ALARM_FEATURES: &[&str] = &["operator-actions", "alarm-history", "alarm-summary"];

/// What the northbound server serves, and what its clients read its data by.
pub fn northbound_schema() -> Result<Arc<Schema>, SchemaError> {
    base_modules(Schema::builder())
        .sources(MODULES.iter().copied())
        .module("ietf-alarms", None, ALARM_FEATURES)
        .module("ietf-network", None, &[])
        .module("ietf-network-topology", None, &[])
        // Implemented and not only imported, because only then its identities are values.
        .module("qkdn-types", None, &[])
        .module("qkdn-common", None, &[])
        .module("qkdn-performance", None, &[])
        .module("qkdn-alarms", None, &[])
        .module("qkdn-manager", None, &[])
        .build()
}
