//! The YANG modules that the manager's northbound server implements.

use std::sync::Arc;

use netconf::server::base_modules;
use netconf::yang::Schema;
use netconf::yang::ffi::Source;
use netconf::yang::schema::SchemaError;

use crate::schema::MODULES;

const MANAGER: Source =
    Source { name: "qkdn-manager", revision: None, text: include_str!("../../../yang/qkdn-manager.yang") };

/// Features of ietf-alarms that the manager has.
pub const ALARM_FEATURES: &[&str] = &["operator-actions", "alarm-history", "alarm-summary"];

/// What the northbound server serves, and what its clients read its data by.
pub fn northbound_schema() -> Result<Arc<Schema>, SchemaError> {
    base_modules(Schema::builder())
        // Those of the devices are only imported: their groupings are in the model, their own containers are not.
        .sources(MODULES.iter().copied().chain([MANAGER]))
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
