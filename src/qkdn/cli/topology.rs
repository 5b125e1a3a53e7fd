//! `qkdn topology`: the networks of the layers (RFC 8345), and the errors found by correlating them (clause 10.3 step 7).

use serde_json::Value;

use super::Failure;
use super::client::Reach;
use super::filter::{MANAGER, element};
use super::find::{self, LINKS, QKDN};
use super::table::{Output, Table};
use super::value::{cell, identity, leaf, list, short, time};

#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Nodes and links of each layer
    Show {
        /// One layer; qkdn is the whole of them
        #[arg(long, value_parser = ["quantum", "key-management", "control", "qkdn"])]
        layer: Option<String>,
    },
    /// What is wrong with the configuration of the network
    Errors,
}

pub async fn run(command: Command, reach: &Reach, output: Output) -> Result<(), Failure> {
    let client = reach.connect().await?;
    match command {
        Command::Show { layer } => {
            let mut networks = find::networks(&client).await?;
            networks.retain(|network| layer.as_ref().is_none_or(|layer| find::layer(network) == *layer));
            if networks.is_empty() {
                return Err(Failure::not_found(
                    "the manager has no such topology yet; read the network: qkdn procedure run configuration",
                ));
            }
            output.sections(&networks.iter().flat_map(sections).collect::<Vec<_>>(), &Value::from(networks))
        }
        Command::Errors => {
            let data = client.get(&element("network", MANAGER, "<inconsistency/>")).await?;
            let errors = list(&data, "qkdn-manager:network/inconsistency");
            let mut table = Table::new(&["NUMBER", "KIND", "RESOURCES", "DEVICES", "FOUND", "ALARM", "TEXT"]);
            for error in errors {
                let resources: Vec<String> = list(error, "resource-id")
                    .iter()
                    .map(|id| short(id.as_str().unwrap_or_default()).to_owned())
                    .collect();
                table.row(vec![
                    cell(error, "number"),
                    cell(error, "kind"),
                    resources.join(", "),
                    cell(error, "device"),
                    time(error, "found"),
                    cell(error, "alarm-id"),
                    cell(error, "text"),
                ]);
            }
            output.list(&table, &Value::from(errors))
        }
    }
}

fn sections(network: &Value) -> [(String, Table); 2] {
    let version = cell(network, "network-types/qkdn-manager:qkdn/version");
    let mut nodes = Table::new(&["NODE", "KIND", "DEVICE", "OPER", "SITE", "BELOW"]);
    for node in list(network, "node") {
        let of = &node[QKDN];
        let below: Vec<String> =
            list(node, "supporting-node").iter().map(|below| short(&leaf(below, "node-ref")).to_owned()).collect();
        nodes.row(vec![
            short(&cell(node, "node-id")).to_owned(),
            identity(&cell(of, "kind")).to_owned(),
            cell(of, "device"),
            cell(of, "oper-state"),
            cell(of, "site"),
            or_nothing(below.join(", ")),
        ]);
    }
    let mut links =
        Table::new(&["LINK", "FROM", "TO", "OPER", "SERVICE", "KM", "LOSS DB", "QBER %", "KEY BIT/S", "KEY LEFT BIT"]);
    for link in list(network, LINKS) {
        let of = &link[QKDN];
        links.row(vec![
            short(&cell(link, "link-id")).to_owned(),
            short(&cell(link, "source/source-node")).to_owned(),
            short(&cell(link, "destination/dest-node")).to_owned(),
            cell(of, "oper-state"),
            cell(of, "service-state"),
            cell(of, "length"),
            cell(of, "channel-loss"),
            cell(of, "qber"),
            cell(of, "secret-key-rate"),
            cell(of, "residual-bits"),
        ]);
    }
    let layer = find::layer(network);
    [(format!("Nodes of {layer} (version {version})"), nodes), (format!("Links of {layer}"), links)]
}

fn or_nothing(text: String) -> String {
    if text.is_empty() { super::value::NOTHING.to_owned() } else { text }
}
