//! Operations that the manager performs at devices of ours: diagnostics (10.1.1 step 3), control actions (step 8), performance (10.4).

use std::time::Duration;

use jiff::Timestamp;
use netconf::client::{Reply, data};
use netconf::yang::edit::{read_known_data, read_output};
use netconf::yang::serde::{from_path, to_inner};
use netconf::yang::write::{WithDefaults, write_subtree};
use netconf::yang::{NodeId, Tree};
use serde::{Deserialize, Serialize};

use super::{Devices, Order};
use crate::facts::Diagnosis;
use crate::input::{ControlAction, Input};
use crate::model::{DeviceName, Kind, ResourceId};
use crate::record::{FinishedInterval, Granularity, Information, Interval};

/// A diagnostic takes its own time and then this for the device to answer.
const DIAGNOSTIC_GRACE: Duration = Duration::from_secs(30);

/// A controller answers when it has taken an action, not when it is done.
const CONTROL_TIMEOUT: Duration = Duration::from_secs(30);

const LINK_DIAGNOSTIC: &str = "/qkdn-mq:run-link-diagnostic";
const RELAY_DIAGNOSTIC: &str = "/qkdn-mk:run-relay-diagnostic";
const CONTROL: &str = "/qkdn-mc:control-orchestration-action";
const HISTORY: &str = "/qkdn-performance:get-performance-history";

/// Intervals in one reply: some megabytes at most.
const HISTORY_PAGE: u16 = 2_000;

/// The components of Table I.1 that go with a request.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ManagementOperation<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_identifier: Option<String>,
    operation_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct LinkDiagnostic<'a> {
    management_operation: ManagementOperation<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_id: Option<ResourceId>,
    duration: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct RelayDiagnostic<'a> {
    management_operation: ManagementOperation<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Control<'a> {
    management_operation: ManagementOperation<'a>,
    description: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    priority: u8,
    value: &'a serde_json::Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Controlled {
    action_id: String,
}

#[derive(Serialize)]
struct History {
    granularity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    maximum: u16,
}

#[derive(Deserialize)]
struct HistoryPage {
    #[serde(default)]
    interval: Vec<HistoryInterval>,
    #[serde(default)]
    more: bool,
}

#[derive(Deserialize)]
struct HistoryInterval {
    target: ResourceId,
    #[serde(rename = "type")]
    kind: String,
    unit: String,
    #[serde(flatten)]
    interval: Interval,
}

impl Devices {
    /// Has a device read anew: [`Input::Synchronized`] or [`Input::NotSynchronized`] follows.
    pub fn synchronize(&self, device: &str) {
        match self.link(device) {
            Ok(link) => {
                if link.orders.try_send(Order::Synchronize).is_err() {
                    // Each order before it has the device read, or the task is ending.
                    tracing::debug!(device, "one more order to read the device");
                }
            }
            Err(error) => {
                let (device, error) = (device.to_owned(), error.to_string());
                self.tell_later(async move { Input::NotSynchronized { device, error } });
            }
        }
    }

    /// Runs the diagnostic of the device's kind: [`Input::Diagnosed`] follows. How many are under way at once is bounded by the brain's runs.
    pub fn diagnose(&self, run: String, device: DeviceName, link_id: Option<ResourceId>, seconds: u16) {
        let devices = self.clone();
        self.tell_later(async move {
            let result = devices.diagnosis(&run, &device, link_id, seconds).await.map(Box::new);
            Input::Diagnosed { run, device, result }
        });
    }

    /// Asks a controller for an action: [`Input::Controlled`] follows.
    pub fn control(&self, run: String, device: DeviceName, action: Box<ControlAction>) {
        let devices = self.clone();
        self.tell_later(async move {
            let result = devices.controlled(&device, &action).await;
            Input::Controlled { run, device, result }
        });
    }

    /// The latest performance information of a device; none where it has none.
    pub async fn performance(&self, device: &str) -> Result<Vec<Information>, String> {
        let link = self.link(device).map_err(|error| error.to_string())?;
        let kind = link.contact().kind;
        let Some(query) = self.0.queries.performance(kind) else { return Ok(Vec::new()) };
        let reply = self.ask(device, &link, query.to_owned(), None).await.map_err(|error| error.to_string())?;
        let tree = {
            let document = reply.document().map_err(|error| error.to_string())?;
            let (tree, unknown) = read_known_data(&self.0.schema, data(&document).map_err(|error| error.to_string())?);
            if let Some(first) = unknown.first() {
                tracing::debug!(device, "some performance information is not understood, such as: {first}");
            }
            tree
        };
        drop(reply);
        let container = kind.container().expect("what is read has a container");
        let list = from_path(&tree, &format!("/{container}/performance/information"));
        let mut information: Vec<Information> = list.map_err(|error| error.to_string())?.unwrap_or_default();
        information.iter_mut().for_each(|information| information.device = Some(device.to_owned()));
        Ok(information)
    }

    /// A page of finished intervals that began after `after`, oldest first, and whether there are more. Pages end between two beginnings.
    pub async fn performance_history(
        &self,
        device: &str,
        granularity: Granularity,
        after: Option<Timestamp>,
    ) -> Result<(Vec<FinishedInterval>, bool), String> {
        let input = History {
            granularity: match granularity {
                Granularity::QuarterHour => "fifteen-minutes",
                Granularity::Day => "twenty-four-hours",
            },
            after: after.map(|time| time.to_string()),
            maximum: HISTORY_PAGE,
        };
        let page: HistoryPage = self.perform(device, HISTORY, &input, None).await?;
        let intervals = page.interval.into_iter().map(|one| FinishedInterval {
            device: device.to_owned(),
            target: one.target,
            kind: one.kind,
            unit: one.unit,
            granularity,
            interval: one.interval,
        });
        Ok((intervals.collect(), page.more))
    }

    async fn diagnosis(
        &self,
        run: &str,
        device: &str,
        link_id: Option<ResourceId>,
        seconds: u16,
    ) -> Result<Diagnosis, String> {
        let link = self.link(device).map_err(|error| error.to_string())?;
        let management_operation = self.table_i_1(device, run);
        let timeout = Some(DIAGNOSTIC_GRACE + Duration::from_secs(seconds.into()));
        let kind = match link.plan.kind {
            Kind::Unknown => link.contact().kind,
            kind => kind,
        };
        let output = if kind == Kind::KeyManager {
            let input = RelayDiagnostic { management_operation };
            self.output(device, RELAY_DIAGNOSTIC, &input, timeout).await?
        } else {
            let input = LinkDiagnostic { management_operation, link_id, duration: seconds };
            self.output(device, LINK_DIAGNOSTIC, &input, timeout).await?
        };
        Diagnosis::read(&output).map_err(|error| error.to_string())
    }

    async fn controlled(&self, device: &str, action: &ControlAction) -> Result<String, String> {
        let input = Control {
            management_operation: self.table_i_1(device, &action.operation_id),
            description: &action.description,
            kind: &action.kind,
            priority: action.priority,
            value: &action.value,
        };
        let controlled: Controlled = self.perform(device, CONTROL, &input, Some(CONTROL_TIMEOUT)).await?;
        Ok(controlled.action_id)
    }

    fn table_i_1<'a>(&self, device: &str, operation_id: &'a str) -> ManagementOperation<'a> {
        let link = self.link(device).ok();
        let user_identifier = link.and_then(|link| Some(link.plan.credential.as_ref()?.user.clone()));
        ManagementOperation { user_identifier, operation_id }
    }

    /// Performs an RPC of our modules, given by its path, and reads its output.
    async fn perform<I: Serialize, O: for<'de> Deserialize<'de>>(
        &self,
        device: &str,
        rpc: &str,
        input: &I,
        timeout: Option<Duration>,
    ) -> Result<O, String> {
        let tree = self.output(device, rpc, input, timeout).await?;
        let output = from_path(&tree, &format!("{rpc}/output")).map_err(|error| error.to_string())?;
        output.ok_or_else(|| "the device's answer is empty".to_owned())
    }

    /// The same with the output as a tree, below the RPC.
    async fn output<I: Serialize>(
        &self,
        device: &str,
        rpc: &str,
        input: &I,
        timeout: Option<Duration>,
    ) -> Result<Tree, String> {
        let node = self.0.schema.find(rpc).expect("the device schema has the operation");
        let operation = self.operation(node, rpc, input)?;
        let reply: Reply = self.rpc(device, operation, timeout).await.map_err(|error| error.to_string())?;
        let document = reply.document().map_err(|error| error.to_string())?;
        let read = read_output(&self.0.schema, node, document.root());
        read.map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    /// The operation as XML.
    fn operation<I: Serialize>(&self, node: NodeId, rpc: &str, input: &I) -> Result<String, String> {
        let schema = &self.0.schema;
        let place = schema.find(&format!("{rpc}/input")).expect("the operation has an input");
        let inner = to_inner(schema, place, input).map_err(|error| error.to_string())?;
        let (name, namespace) = (&schema.node(node).name, &schema.module_of(node).namespace);
        let mut out = format!("<{name} xmlns=\"{namespace}\">").into_bytes();
        write_subtree(schema, &inner, WithDefaults::ReportAll, &mut out);
        out.extend_from_slice(format!("</{name}>").as_bytes());
        Ok(String::from_utf8(out).expect("written from strings"))
    }

    /// Whoever carries out effects must not wait for room at the brain, who may be waiting for them.
    fn tell_later(&self, input: impl Future<Output = Input> + Send + 'static) {
        let (inputs, shutdown) = (self.0.inputs.clone(), self.0.shutdown.clone());
        tokio::spawn(async move {
            let telling = async { inputs.send(input.await).await };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                told = telling => if told.is_err() {
                    tracing::debug!("an answer found no brain any more");
                },
            }
        });
    }
}
