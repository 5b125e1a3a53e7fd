//! What people name: devices, resources by their short names, alarms by their identifiers.

use serde_json::Value;

use super::Failure;
use super::client::Client;
use super::filter::{ALARMS, MANAGER, NETWORK, QKDN_ALARMS, element, leaf};
use super::value::{self, identity, list, short};

/// Members of a device that lists show.
pub const DEVICE_BRIEF: &str = "<name/><description/><device-id/><kind/><managed/><connection/><state><connection-state/>\
<connection-error/><since/><next-attempt/><found-kind/><found-id/><simulated/><configuration-status/><admin-state/><service-state/>\
<oper-state/></state>";

/// All managed devices, as far as `DEVICE_BRIEF` goes.
pub async fn devices(client: &Client) -> Result<Vec<Value>, Failure> {
    let filter = element("devices", MANAGER, &format!("<device>{DEVICE_BRIEF}</device>"));
    let data = client.get(&filter).await?;
    Ok(list(&data, "qkdn-manager:devices/device").to_vec())
}

/// One managed device, whole.
pub async fn device(client: &Client, name: &str) -> Result<Value, Failure> {
    let filter = element("devices", MANAGER, &format!("<device>{}</device>", leaf("name", name)));
    let data = client.get(&filter).await?;
    let found = list(&data, "qkdn-manager:devices/device").first().cloned();
    found.ok_or_else(|| Failure::not_found(format!("no managed device is named \"{name}\"; see: qkdn device list")))
}

/// A managed resource by its identifier, by the last part of it where no other has the same, or by the name of the device that it is.
pub async fn resource(client: &Client, name: &str) -> Result<Value, Failure> {
    if name.contains(':') {
        let resources = resources(client, &leaf("resource-id", name)).await?;
        let id = unique(&resources, name)?;
        let found = resources.into_iter().find(|resource| resource["resource-id"] == id.as_str());
        return Ok(found.unwrap_or_default());
    }
    let id = match unique(&resources(client, "<resource-id/>").await?, name) {
        Err(failure) if failure.code == Failure::NOT_FOUND => {
            let devices = devices(client).await?;
            let device = devices.iter().find(|device| device["name"] == name);
            let id = device.map(|device| value::leaf(device, "state/found-id")).filter(|id| !id.is_empty());
            id.ok_or(failure)?
        }
        found => found?,
    };
    Box::pin(resource(client, &id)).await
}

async fn resources(client: &Client, select: &str) -> Result<Vec<Value>, Failure> {
    let data = client.get(&element("network", MANAGER, &format!("<resource>{select}</resource>"))).await?;
    Ok(list(&data, "qkdn-manager:network/resource").to_vec())
}

/// The identifier of the one resource that is meant.
pub fn unique(resources: &[Value], name: &str) -> Result<String, Failure> {
    let ids = || resources.iter().map(|resource| value::leaf(resource, "resource-id"));
    let exact: Vec<String> = ids().filter(|id| id == name).collect();
    let meant = if exact.is_empty() { ids().filter(|id| short(id) == name).collect() } else { exact };
    match meant.as_slice() {
        [id] => Ok(id.clone()),
        [] => Err(Failure::not_found(format!(
            "no managed resource is named \"{name}\"; see: qkdn inventory list --filter {name}"
        ))),
        several => Err(Failure::usage(format!("\"{name}\" can be any of these, name one: {}", several.join(", ")))),
    }
}

/// The resource-id that a name stands for, also where nothing but performance or alarms knows it.
pub async fn resource_id(client: &Client, name: &str) -> Result<String, Failure> {
    if name.contains(':') {
        return Ok(name.to_owned());
    }
    Ok(value::leaf(&resource(client, name).await?, "resource-id"))
}

/// An alarm, whole, by its alarm-id (`alarm-12`, or the number alone).
pub async fn alarm(client: &Client, id: &str) -> Result<Value, Failure> {
    let number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    let id = if number { format!("alarm-{id}") } else { id.to_owned() };
    let key = element("alarm-id", QKDN_ALARMS, &super::filter::escape(&id));
    let filter = element("alarms", ALARMS, &format!("<alarm-list><alarm>{key}</alarm></alarm-list>"));
    let data = client.get(&filter).await?;
    let found = list(&data, "ietf-alarms:alarms/alarm-list/alarm").first().cloned();
    found.ok_or_else(|| Failure::not_found(format!("there is no alarm \"{id}\"; see: qkdn alarm list --all")))
}

/// The networks of all layers.
pub async fn networks(client: &Client) -> Result<Vec<Value>, Failure> {
    let data = client.get(&element("networks", NETWORK, "")).await?;
    Ok(list(&data, "ietf-network:networks/network").to_vec())
}

pub const LINKS: &str = "ietf-network-topology:link";
pub const QKDN: &str = "qkdn-manager:qkdn";

/// The layer of a network; `qkdn` of the whole.
pub fn layer(network: &Value) -> String {
    let layer = value::leaf(network, "network-types/qkdn-manager:qkdn/layer");
    if layer.is_empty() { short(&value::leaf(network, "network-id")).to_owned() } else { identity(&layer).to_owned() }
}

/// The devices at the ends of a link, the receiving one first.
pub fn ends(networks: &[Value], link_id: &str) -> Vec<String> {
    let mut devices = Vec::new();
    for network in networks {
        let links = list(network, LINKS).iter();
        for link in links.filter(|link| link[QKDN]["resource-id"] == link_id || link["link-id"] == link_id) {
            for end in ["destination/dest-node", "source/source-node"] {
                let id = value::leaf(link, end);
                let node = list(network, "node").iter().find(|node| node["node-id"] == id.as_str());
                let device = node.map(|node| value::leaf(&node[QKDN], "device")).filter(|device| !device.is_empty());
                devices.extend(device.filter(|device| !devices.contains(device)));
            }
        }
    }
    devices
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_short_name_means_one_resource_or_none() {
        let resources = [
            json!({"resource-id": "urn:qkdn:lab:link:a-b"}),
            json!({"resource-id": "urn:qkdn:lab:module:a-b"}),
            json!({"resource-id": "urn:qkdn:lab:km:1"}),
        ];
        assert_eq!(unique(&resources, "1").unwrap(), "urn:qkdn:lab:km:1");
        assert_eq!(unique(&resources, "urn:qkdn:lab:link:a-b").unwrap(), "urn:qkdn:lab:link:a-b");
        let both = unique(&resources, "a-b").unwrap_err();
        assert!(both.code == Failure::USAGE && both.text.contains("urn:qkdn:lab:module:a-b"), "{both:?}");
        assert_eq!(unique(&resources, "b").unwrap_err().code, Failure::NOT_FOUND);
    }

    #[test]
    fn the_receiver_of_a_link_comes_first() {
        let network = json!({
            "network-id": "urn:qkdn:network:quantum",
            "node": [
                {"node-id": "t", "qkdn-manager:qkdn": {"device": "l-tx"}},
                {"node-id": "r", "qkdn-manager:qkdn": {"device": "l-rx"}},
            ],
            "ietf-network-topology:link": [{
                "link-id": "x",
                "source": {"source-node": "t"},
                "destination": {"dest-node": "r"},
                "qkdn-manager:qkdn": {"resource-id": "urn:qkdn:lab:link:l"},
            }],
        });
        assert_eq!(ends(std::slice::from_ref(&network), "urn:qkdn:lab:link:l"), ["l-rx", "l-tx"]);
        assert_eq!(ends(&[network], "urn:qkdn:lab:link:other"), Vec::<String>::new());
    }
}
