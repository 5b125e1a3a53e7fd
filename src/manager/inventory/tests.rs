//! Whose a resource is that several devices tell of.

use super::*;

fn told(kind: Kind) -> Report {
    let link = Resource {
        resource_id: "urn:qkdn:t:link:l1".to_owned(),
        kind: "qkdn-types:qkd-link".to_owned(),
        ..Resource::default()
    };
    Report { kind, resources: vec![link], ..Report::default() }
}

#[test]
fn a_link_is_of_its_end_whoever_told_of_it_first() {
    let (now, plans) = (Timestamp::UNIX_EPOCH, BTreeMap::new());
    for order in [["os", "l1-tx", "l1-rx"], ["l1-tx", "os", "l1-rx"], ["l1-tx", "l1-rx", "os"]] {
        let mut inventory = Inventory::default();
        for device in order {
            let kind = if device == "os" { Kind::OpticalSwitch } else { Kind::QkdModule };
            inventory.report(device, &told(kind), &plans, now);
        }
        let link = inventory.get("urn:qkdn:t:link:l1").unwrap();
        assert_eq!((link.device.as_deref(), link.reference_point.as_deref()), (Some("l1-tx"), Some("mq")), "{order:?}");
    }
}
