//! `qkdn device`: the managed devices, their sessions and configuration.

use std::time::Duration;

use manager::schema::device_schema;
use netconf::xml::{Document, Limits};
use serde_json::Value;
use tokio::time::Instant;

use super::Failure;
use super::client::{Client, Reach, data_json};
use super::filter::{BASE, MANAGER, element, leaf as xml_leaf};
use super::find;
use super::status::connect_until;
use super::table::{self, Format, Output, Table};
use super::value::{cell, leaf, list, time};

/// Between two looks while waiting.
const LOOK: Duration = Duration::from_millis(500);

#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// All managed devices
    List {
        /// Only of this kind, such as qkd-module or key-manager
        #[arg(long)]
        kind: Option<String>,
        /// Only in this connection state, such as operational or failed
        #[arg(long)]
        state: Option<String>,
    },
    /// One device with all that the manager knows of it
    Show {
        name: String,
        /// Wait so long until it is operational
        #[arg(long, value_name = "SECONDS")]
        wait: Option<u64>,
    },
    /// Connect to a device now, and read it anew
    Connect {
        name: String,
        /// Trust the host key that it shows, if it changed
        #[arg(long)]
        accept_host_key: bool,
    },
    /// Compare the configuration of devices with what the manager wants
    Check {
        /// All devices where there are none
        names: Vec<String>,
    },
    /// Read from the device itself, as it is now
    Get {
        name: String,
        /// Subtree filter: elements that declare their namespaces; everything without one
        subtree: Option<String>,
    },
}

pub async fn run(command: Command, reach: &Reach, output: Output) -> Result<(), Failure> {
    match command {
        Command::List { kind, state } => {
            let mut devices = find::devices(&reach.connect().await?).await?;
            devices.retain(|device| {
                kind.as_ref().is_none_or(|kind| leaf(device, "kind") == *kind)
                    && state.as_ref().is_none_or(|state| leaf(device, "state/connection-state") == *state)
            });
            output.list(&table_of(&devices), &Value::from(devices))
        }
        Command::Show { name, wait } => show(&name, wait, reach, output).await,
        Command::Connect { name, accept_host_key } => {
            connect(&reach.connect().await?, &name, accept_host_key, output).await
        }
        Command::Check { names } => check(&reach.connect().await?, &names, output).await,
        Command::Get { name, subtree } => get(&reach.connect().await?, &name, subtree.as_deref(), output).await,
    }
}

fn table_of(devices: &[Value]) -> Table {
    let mut table =
        Table::new(&["NAME", "KIND", "ADDRESS", "CONNECTION", "OPER", "SERVICE", "CONFIGURATION", "SINCE", "WHY"]);
    for device in devices {
        let address = match leaf(device, "connection/address") {
            none if none.is_empty() => cell(device, "connection/address"),
            address => format!("{address}:{}", leaf(device, "connection/port")),
        };
        table.row(vec![
            cell(device, "name"),
            cell(device, "kind"),
            address,
            cell(device, "state/connection-state"),
            cell(device, "state/oper-state"),
            cell(device, "state/service-state"),
            cell(device, "state/configuration-status"),
            time(device, "state/since"),
            cell(device, "state/connection-error"),
        ]);
    }
    table
}

async fn show(name: &str, wait: Option<u64>, reach: &Reach, output: Output) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(wait.unwrap_or(0));
    let client = connect_until(reach, deadline).await?;
    let device = loop {
        let device = find::device(&client, name).await?;
        if leaf(&device, "state/connection-state") == "operational" || Instant::now() >= deadline {
            break device;
        }
        tokio::time::sleep(LOOK).await;
    };
    let mut modules = Table::new(&["MODULE", "REVISION", "UNDERSTOOD"]);
    for module in list(&device, "state/module") {
        modules.row(vec![cell(module, "name"), cell(module, "revision"), cell(module, "managed")]);
    }
    let leave_out = ["state/module", "state/capability"];
    output.details(&device, &leave_out, &[("Modules".to_owned(), modules)])?;
    let state = leaf(&device, "state/connection-state");
    if wait.is_some() && state != "operational" {
        let why = leaf(&device, "state/connection-error");
        let text = format!("{name} is {state} and not operational; {why}");
        return Err(Failure { code: Failure::PARTIAL, text });
    }
    Ok(())
}

async fn connect(client: &Client, name: &str, accept_host_key: bool, output: Output) -> Result<(), Failure> {
    let input = format!("{}<accept-host-key>{accept_host_key}</accept-host-key>", xml_leaf("device", name));
    let rpc = element("connect-device", MANAGER, &input);
    let reply = client.call("/qkdn-manager:connect-device", &rpc).await?;
    let state = leaf(&reply, "connection-state");
    output.done(&format!("{name}: {state}"), &reply)?;
    match leaf(&reply, "connection-error") {
        none if none.is_empty() => Ok(()),
        error => {
            let next = if error.contains("host key") && !accept_host_key {
                format!("; if the device was set up again: qkdn device connect {name} --accept-host-key")
            } else {
                String::new()
            };
            Err(Failure::failed(format!("{name}: {error}{next}")))
        }
    }
}

async fn check(client: &Client, names: &[String], output: Output) -> Result<(), Failure> {
    let input: String = names.iter().map(|name| xml_leaf("device", name)).collect();
    let rpc = element("check-synchronization", MANAGER, &input);
    let reply = client.call("/qkdn-manager:check-synchronization", &rpc).await?;
    let mut table = Table::new(&["DEVICE", "CONFIGURATION", "DIFFERENCE"]);
    let compared = list(&reply, "device");
    for device in compared {
        table.row(vec![cell(device, "name"), cell(device, "configuration-status"), cell(device, "text")]);
    }
    output.list(&table, &Value::from(compared))?;
    let known = find::devices(client).await?;
    match compared.iter().filter(|device| !is_well(device, &known)).count() {
        0 => Ok(()),
        other => Err(Failure {
            code: Failure::PARTIAL,
            text: format!("{other} of {} devices do not have what is wanted, or could not be asked", compared.len()),
        }),
    }
}

/// A device whose configuration is not the manager's has nothing to compare; that is known of one that is connected.
fn is_well(compared: &Value, devices: &[Value]) -> bool {
    match leaf(compared, "configuration-status").as_str() {
        "in-sync" => true,
        "unknown" => {
            let device = devices.iter().find(|device| device["name"] == compared["name"]);
            device.is_some_and(|device| leaf(device, "state/connection-state") == "operational")
        }
        _ => false,
    }
}

/// XML as the device sent it for people; by the modules that the manager knows for programs.
async fn get(client: &Client, name: &str, subtree: Option<&str>, output: Output) -> Result<(), Failure> {
    let filter = subtree.map(|subtree| format!("<filter type=\"subtree\">{subtree}</filter>")).unwrap_or_default();
    let reply = client.execute(name, &element("get", BASE, &filter)).await?;
    let limits = Limits::default();
    let document = Document::parse(&reply, &limits).map_err(|error| Failure::failed(format!("{name}: {error}")))?;
    match output.format {
        Format::Json => {
            let json = tokio::task::block_in_place(|| data_json(&device_schema(), document.root()))?;
            output.list(&Table::default(), &json)
        }
        Format::Table | Format::Csv => table::print(&indented(&document)),
    }
}

/// One element a line.
fn indented(document: &Document<'_>) -> String {
    fn write(element: netconf::xml::Element<'_>, around: &str, depth: usize, out: &mut String) {
        let space = "  ".repeat(depth);
        let namespace = element.namespace();
        let declared = if namespace == around { String::new() } else { format!(" xmlns=\"{namespace}\"") };
        let name = element.name();
        if element.has_children() {
            out.push_str(&format!("{space}<{name}{declared}>\n"));
            element.children().for_each(|child| write(child, namespace, depth + 1, out));
            out.push_str(&format!("{space}</{name}>\n"));
        } else if element.text().is_empty() {
            out.push_str(&format!("{space}<{name}{declared}/>\n"));
        } else {
            // Identities carry the prefix of their module.
            let prefix = element
                .text()
                .split_once(':')
                .and_then(|(prefix, _)| Some(format!(" xmlns:{prefix}=\"{}\"", element.resolve_prefix(prefix)?)));
            let text = super::filter::escape(element.text());
            out.push_str(&format!("{space}<{name}{declared}{}>{text}</{name}>\n", prefix.unwrap_or_default()));
        }
    }
    let mut out = String::new();
    document.root().children().for_each(|child| write(child, document.root().namespace(), 0, &mut out));
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn xml_of_a_device_is_shown_with_the_namespaces_that_it_needs() {
        let text = "<data xmlns=\"b\"><a xmlns=\"m\" xmlns:t=\"types\"><k>t:x</k><n/><o>1 &lt; 2</o></a></data>";
        let document = Document::parse(text, &Limits::default()).unwrap();
        let shown = indented(&document);
        assert_eq!(shown, "<a xmlns=\"m\">\n  <k xmlns:t=\"types\">t:x</k>\n  <n/>\n  <o>1 &lt; 2</o>\n</a>\n");
    }

    #[test]
    fn a_device_without_an_address_or_state_has_a_row() {
        let table = table_of(&[json!({"name": "a", "kind": "unknown"})]);
        assert_eq!(format!("{table:?}").matches("\"-\"").count(), 7);
    }
}
