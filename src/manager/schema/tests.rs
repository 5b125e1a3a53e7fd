//! Tests of the modules that the binary carries.

use super::*;

#[test]
fn the_modules_of_all_devices_compile_together() {
    let schema = device_schema();
    for path in [
        "/qkdn-mq:qkd-module/performance",
        "/qkdn-mk:key-manager",
        "/qkdn-mqrp:relay-point",
        "/qkdn-mops:optical-switch",
        "/qkdn-mc:control-orchestration-action/input/value/path/avoid",
        "/ietf-alarms:alarms/shelved-alarms",
        "/qkdn-performance:get-performance-history/output/interval",
    ] {
        assert!(schema.find(path).is_some(), "{path}");
    }
}
