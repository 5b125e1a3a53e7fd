//! `qkdn inventory`: the managed resources of all layers, planned and found.

use serde_json::Value;

use super::Failure;
use super::client::Reach;
use super::filter::{MANAGER, element};
use super::find;
use super::table::{Output, Table};
use super::value::{cell, identity, leaf, list, time};

#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// All managed resources
    List {
        /// Only of this kind, such as qkd-link or key-manager
        #[arg(long)]
        kind: Option<String>,
        /// Only of this layer: quantum, key-management, control, …
        #[arg(long)]
        layer: Option<String>,
        /// Only what this device reported
        #[arg(long)]
        device: Option<String>,
        /// Only with this text in identifier or description
        #[arg(long, value_name = "TEXT")]
        filter: Option<String>,
    },
    /// One resource, by its identifier or the last part of it
    Show { id: String },
}

pub async fn run(command: Command, reach: &Reach, output: Output) -> Result<(), Failure> {
    let client = reach.connect().await?;
    match command {
        Command::Show { id } => output.details(&find::resource(&client, &id).await?, &[], &[]),
        Command::List { kind, layer, device, filter } => {
            let data = client.get(&element("network", MANAGER, "<resource/>")).await?;
            let mut resources = list(&data, "qkdn-manager:network/resource").to_vec();
            let wanted = |resource: &Value, name: &str, wanted: &Option<String>| {
                wanted.as_ref().is_none_or(|wanted| identity(&leaf(resource, name)) == identity(wanted))
            };
            resources.retain(|resource| {
                let found = |text: &String| {
                    ["resource-id", "description"].iter().any(|name| leaf(resource, name).contains(text))
                };
                wanted(resource, "kind", &kind)
                    && wanted(resource, "layer", &layer)
                    && wanted(resource, "device", &device)
                    && filter.as_ref().is_none_or(found)
            });
            output.list(&table_of(&resources), &Value::from(resources))
        }
    }
}

fn table_of(resources: &[Value]) -> Table {
    let mut table = Table::new(&["RESOURCE", "KIND", "LAYER", "DEVICE", "OPER", "SERVICE", "PRESENCE", "LAST SEEN"]);
    for resource in resources {
        table.row(vec![
            cell(resource, "resource-id"),
            identity(&cell(resource, "kind")).to_owned(),
            cell(resource, "layer"),
            cell(resource, "device"),
            cell(resource, "oper-state"),
            cell(resource, "service-state"),
            cell(resource, "presence"),
            time(resource, "last-seen"),
        ]);
    }
    table
}
