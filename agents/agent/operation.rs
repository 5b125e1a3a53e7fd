//! The operations of an agent: those of the shared modules here, those of the device at its driver.

use netconf::error::RpcError;
use netconf::server::provider::{Operation, Requester};
use netconf::yang::Tree;
use netconf::yang::serde as bridge;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::records::{Tiding, audit};
use super::{ALARMS, Shared, rpc_error, timed_out};
use crate::alarm::{AlarmKey, OperatorError, PurgeFilter, Transition};
use crate::driver::{Answer, Driver, DriverError};
use crate::event_log::Query;
use crate::fault;
use crate::model::alarms::{self, CompressInput, CompressOutput, ListActions, PurgeOutput};
use crate::model::common::{EventLogOutput, GetEventLog};
use crate::model::performance::{GetPerformanceHistory, HistoryInterval, HistoryOutput, IntervalValues};

const GET_EVENT_LOG: &str = "qkdn-common:get-event-log";
const GET_PERFORMANCE_HISTORY: &str = "qkdn-performance:get-performance-history";

pub(super) async fn perform<D: Driver>(
    shared: &Shared<D>,
    operation: Operation,
    who: &Requester,
) -> Result<Option<Tree>, RpcError> {
    let node = shared.schema.node(operation.node);
    let name = format!("{}:{}", shared.schema.module_of(operation.node).name, node.name);
    match name.as_str() {
        "ietf-alarms:set-operator-state" | "ietf-alarms:purge-alarms" | "ietf-alarms:compress-alarms" => {
            alarm_action(shared, &operation.input, who).await
        }
        GET_EVENT_LOG => event_log(shared, &operation.input).await.map(Some),
        GET_PERFORMANCE_HISTORY => performance_history(shared, &operation.input).map(Some),
        name if shared.device.operations.contains(&name) => {
            let act = |action, now| shared.driver.act(action, &who.user, now);
            carry_out(shared, name, &operation.input, who, act).await.map(Some)
        }
        name if shared.device.simulated && fault::OPERATIONS.contains(&name) => {
            let act = |action: fault::Action, now| action.at(&shared.driver, &who.user, now);
            carry_out(shared, name, &operation.input, who, act).await.map(Some)
        }
        name => Err(RpcError::operation_not_supported(format!("This agent does not carry out {name}."))),
    }
}

/// An RPC of the device.
async fn carry_out<D: Driver, A: DeserializeOwned, O: Serialize, F: Future<Output = Result<O, DriverError>>>(
    shared: &Shared<D>,
    name: &str,
    input: &Tree,
    who: &Requester,
    act: impl FnOnce(A, jiff::Timestamp) -> F,
) -> Result<Tree, RpcError> {
    let action = bridge::from_tree(input)?;
    let acted = tokio::time::timeout(D::ACT_TIMEOUT, act(action, (shared.clock)())).await;
    let acted = acted.map_err(|_| timed_out::<D>()).and_then(|result| result);
    let result = if acted.is_ok() { "done" } else { "refused" };
    let log = audit(&shared.device, "operation", format!("{name}: {result}"), &who.user, (shared.clock)());
    shared.change(|_| vec![Tiding::Audit { log, session: who.session_id }]).await;
    let outcome = acted.map_err(|error| rpc_error(&shared.schema, &format!("/{name}/input"), error))?;
    Ok(bridge::to_tree(&shared.schema, &outcome)?)
}

/// An action of the alarm list (RFC 8632).
async fn alarm_action<D: Driver>(shared: &Shared<D>, input: &Tree, who: &Requester) -> Result<Option<Tree>, RpcError> {
    let actions: ListActions = bridge::from_path(input, &format!("{ALARMS}/alarm-list"))?.unwrap_or_default();
    let now = (shared.clock)();
    if let Some(call) = actions.purge_alarms {
        let filter = PurgeFilter::from(call.input);
        let mut count = 0;
        shared
            .change(|mind| {
                let purged = mind.surveillance.alarms.purge(&filter, now);
                count = purged.len();
                let text = format!("{count} alarms purged");
                let log = audit(&shared.device, "alarms-purged", text, &who.user, now);
                vec![Tiding::Purged(purged), Tiding::Audit { log, session: who.session_id }]
            })
            .await;
        let output = PurgeOutput { purged_alarms: u32::try_from(count).expect("at most MAX_ALARMS") };
        return answer(shared, "purge-alarms", output).map(Some);
    }
    if let Some(call) = actions.compress_alarms {
        let matches = compressed(shared, &call.input)?;
        let mut count = 0;
        shared
            .change(|mind| {
                let list = &mut mind.surveillance.alarms;
                let keys = list.compress(&matches);
                count = keys.len();
                let text = format!("{count} alarms compressed");
                let log = audit(&shared.device, "alarms-compressed", text, &who.user, now);
                let compressed = keys.iter().filter_map(|key| list.get(key)).cloned();
                let tidings = compressed.map(|alarm| Tiding::Compressed(Box::new(alarm)));
                tidings.chain([Tiding::Audit { log, session: who.session_id }]).collect()
            })
            .await;
        let output = CompressOutput { compressed_alarms: u32::try_from(count).expect("at most MAX_ALARMS") };
        return answer(shared, "compress-alarms", output).map(Some);
    }
    let entry = actions.alarm.into_iter().next();
    let entry = entry.and_then(|entry| Some((entry.key(&shared.device), entry.set_operator_state?.input)));
    let Some((key, wanted)) = entry else {
        return Err(RpcError::operation_not_supported("This agent does not carry out this action."));
    };
    let unknown = || RpcError::data_missing("There is no such alarm.");
    let key = key.ok_or_else(unknown)?;
    let mut result = Ok(());
    shared
        .change(|mind| {
            let list = &mut mind.surveillance.alarms;
            match list.set_operator_state(&key, &who.user, wanted.state, wanted.text, now) {
                Ok(change) => {
                    let alarm = list.get(&change.key).cloned().map(Box::new);
                    let transition = Transition::OperatorState;
                    alarm.map(|alarm| Tiding::Alarm { alarm, transition, notify: change.notify }).into_iter().collect()
                }
                Err(error) => {
                    result = Err(error);
                    Vec::new()
                }
            }
        })
        .await;
    match result {
        Ok(()) => Ok(None),
        Err(OperatorError::Unknown) => Err(unknown()),
        Err(OperatorError::NotWritable) => Err(RpcError::invalid_value("Only the agent sets this state.")),
    }
}

/// Which alarms to compress. A resource is named as the list names it, by its identifier, or without a predicate for all of them.
fn compressed<D: Driver>(
    shared: &Shared<D>,
    input: &CompressInput,
) -> Result<impl Fn(&AlarmKey) -> bool + use<D>, RpcError> {
    let all = format!("/{}/resource", shared.device.container);
    let resource = match &input.resource {
        None => None,
        Some(path) if *path == all => None,
        Some(path) => match alarms::resource_of(&shared.device, path) {
            Some(resource) => Some(resource.to_owned()),
            None if path.contains('/') => {
                let message = format!(
                    "This agent matches resources by {all}, with or without a resource-id, or by their identifier."
                );
                return Err(RpcError::invalid_value(message));
            }
            None => Some(path.clone()),
        },
    };
    let (alarm_type, qualifier) = (input.alarm_type_id.clone(), input.alarm_type_qualifier.clone());
    Ok(move |key: &AlarmKey| {
        resource.as_ref().is_none_or(|resource| *resource == key.resource)
            && alarm_type.as_ref().is_none_or(|alarm_type| *alarm_type == key.alarm_type)
            && qualifier.as_ref().is_none_or(|qualifier| *qualifier == key.qualifier)
    })
}

/// The output of an action of the alarm list.
fn answer<D: Driver, T: Serialize>(shared: &Shared<D>, action: &str, output: T) -> Result<Tree, RpcError> {
    Ok(bridge::tree_at(&shared.schema, &format!("{ALARMS}/alarm-list/{action}"), &Answer { output })?)
}

async fn event_log<D: Driver>(shared: &Shared<D>, input: &Tree) -> Result<Tree, RpcError> {
    let GetEventLog { call } = bridge::from_tree(input)?;
    let query = Query {
        after: call.input.after_sequence_number.unwrap_or(0),
        since: call.input.since.as_deref().map(time).transpose()?,
        classes: call.input.class,
        maximum: call.input.maximum.into(),
    };
    let reader = shared.records.lock().await.reader();
    let page = tokio::task::spawn_blocking(move || reader.read(&query)).await.expect("reading records does not panic");
    let page = page.map_err(|error| RpcError::operation_failed(error.to_string()))?;
    rpc_output(shared, GET_EVENT_LOG, EventLogOutput::from(page))
}

fn performance_history<D: Driver>(shared: &Shared<D>, input: &Tree) -> Result<Tree, RpcError> {
    let GetPerformanceHistory { call } = bridge::from_tree(input)?;
    let input = call.input;
    let after = input.after.as_deref().map(time).transpose()?;
    let mind = shared.mind();
    let performance = &mind.surveillance.performance;
    let wanted = |list: &[String], name: &String| list.is_empty() || list.contains(name);
    let (page, more) = performance.history(
        input.granularity,
        after,
        |key| wanted(&input.quantity, &key.quantity) && wanted(&input.target, &key.target),
        input.maximum.into(),
    );
    let interval = page
        .into_iter()
        .filter_map(|(key, interval)| {
            let quantity = shared.device.quantity(&key.quantity)?;
            Some(HistoryInterval {
                target: key.target.clone(),
                quantity: key.quantity.clone(),
                unit: quantity.unit,
                values: IntervalValues::new(interval, input.granularity, quantity.kind),
            })
        })
        .collect();
    rpc_output(shared, GET_PERFORMANCE_HISTORY, HistoryOutput { interval, more })
}

fn rpc_output<D: Driver, T: Serialize>(shared: &Shared<D>, name: &str, output: T) -> Result<Tree, RpcError> {
    let answer = std::collections::BTreeMap::from([(name, Answer { output })]);
    Ok(bridge::to_tree(&shared.schema, &answer)?)
}

fn time(text: &str) -> Result<jiff::Timestamp, RpcError> {
    text.parse().map_err(|error| RpcError::invalid_value(format!("{text}: {error}")))
}
