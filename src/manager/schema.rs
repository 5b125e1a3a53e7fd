//! The YANG modules of the devices, carried in the binary, and the one schema by which all of their data is read.

use std::sync::{Arc, LazyLock};

use netconf::server::base_modules;
use netconf::yang::Schema;
use netconf::yang::ffi::Source;

macro_rules! modules {
    ($($name:literal),* $(,)?) => {
        /// Our modules.
        pub const MODULES: &[Source] = &[$(Source {
            name: $name,
            revision: None,
            text: include_str!(concat!("../../yang/", $name, ".yang")),
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
    "qkdn-simulation",
}

/// Everything that devices of ours can have, of whatever kind: one for all devices, because a schema takes megabytes.
pub fn device_schema() -> Arc<Schema> {
    static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
        // Implemented and not only imported, because only then its identities are values.
        let builder = base_modules(Schema::builder()).sources(MODULES.iter().copied());
        // All features: what a device does not have, it does not tell.
        let builder = builder.module("ietf-alarms", None, &["*"]);
        let builder = MODULES.iter().fold(builder, |builder, module| builder.module(module.name, None, &[]));
        builder.build().expect("the modules in the binary compile together, which a test shows")
    });
    SCHEMA.clone()
}

#[cfg(test)]
mod tests;
