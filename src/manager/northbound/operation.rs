//! The operations of the northbound model: on devices, on procedures, and the operator's on alarms (RFC 8632).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use netconf::error::RpcError;
use netconf::server::provider::{Operation, Requester};
use netconf::xml::{Document, Limits};
use netconf::yang::Tree;
use netconf::yang::serde as bridge;
use serde::{Deserialize, Serialize};

use super::southbound::rpc_error;
use super::{Shared, Southbound, alarms, devices};
use crate::input::{Answer, PurgeFilter, Refusal, Request};
use crate::model::{ConfigurationStatus, ConnectionState, Severity};
use crate::record::{AlarmKey, Audit, Record};
use crate::store::Store;

/// What was done must be on record, but a reply does not wait for a store that fails for longer than this; the shell keeps the record
/// until the store takes it.
const AUDIT_TIMEOUT: Duration = Duration::from_secs(5);

/// An RPC or action with its input.
#[derive(Deserialize)]
struct Call<T> {
    input: T,
}

#[derive(Serialize)]
struct Output<T> {
    output: T,
}

impl<S: Store, B: Southbound> Shared<S, B> {
    pub(super) async fn perform(
        self: &Arc<Self>,
        operation: Operation,
        who: &Requester,
    ) -> Result<Option<Tree>, RpcError> {
        let node = self.schema.node(operation.node);
        let name = format!("{}:{}", self.schema.module_of(operation.node).name, node.name);
        let input = &operation.input;
        match name.as_str() {
            "qkdn-manager:execute-operation" => self.execute_operation(&name, input, who).await,
            "qkdn-manager:connect-device" => self.connect_device(&name, input, who).await,
            "qkdn-manager:run-configuration-procedure" => self.run_configuration_procedure(&name, input, who).await,
            "qkdn-manager:check-synchronization" => self.compare_devices(&name, input).await,
            "qkdn-manager:get-root-cause" => self.root_cause(&name, input).await,
            "ietf-alarms:set-operator-state" | "ietf-alarms:purge-alarms" | "ietf-alarms:compress-alarms" => {
                self.alarm_action(&name, input, who).await
            }
            name => Err(RpcError::operation_not_supported(format!("This server does not carry out {name}."))),
        }
    }

    /// Nothing of the operation or its reply goes to a log: only who passed what element to which device, and how it ended.
    async fn execute_operation(&self, name: &str, input: &Tree, who: &Requester) -> Result<Option<Tree>, RpcError> {
        #[derive(Deserialize)]
        struct Input {
            device: String,
            operation: String,
            timeout: Option<u64>,
        }
        #[derive(Serialize)]
        struct Reply {
            reply: String,
        }
        let Input { device, operation, timeout } = self.input(name, input)?;
        let element = only_element(&operation)?;
        let called = self.southbound.call(&device, operation, timeout.map(Duration::from_secs)).await;
        let done = called.map_err(rpc_error);
        self.audit(who, format!("{name} {element}"), Some(&device), done.as_ref().err()).await;
        self.output(name, Reply { reply: done? })
    }

    async fn connect_device(&self, name: &str, input: &Tree, who: &Requester) -> Result<Option<Tree>, RpcError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Input {
            device: String,
            #[serde(default)]
            accept_host_key: bool,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        struct Reply {
            connection_state: ConnectionState,
            connection_error: Option<String>,
        }
        let Input { device, accept_host_key } = self.input(name, input)?;
        let done = self.southbound.connect_now(&device, accept_host_key).await.map_err(rpc_error);
        let what = if accept_host_key { format!("{name} accept-host-key") } else { name.to_owned() };
        self.audit(who, what, Some(&device), done.as_ref().err()).await;
        let (connection_state, connection_error) = done?;
        self.output(name, Reply { connection_state, connection_error })
    }

    async fn run_configuration_procedure(
        &self,
        name: &str,
        input: &Tree,
        who: &Requester,
    ) -> Result<Option<Tree>, RpcError> {
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        struct Reply {
            run_id: String,
            inconsistencies: u32,
        }
        let devices = self.named(self.input::<Named>(name, input)?.device)?;
        let done = self.ask(Request::RunConfigurationProcedure { devices }).await;
        self.audit(who, name.to_owned(), None, done.as_ref().err()).await;
        match done? {
            Answer::ConfigurationProcedure { run_id, inconsistencies } => {
                self.output(name, Reply { run_id, inconsistencies })
            }
            other => Err(unexpected(name, &other)),
        }
    }

    async fn compare_devices(self: &Arc<Self>, name: &str, input: &Tree) -> Result<Option<Tree>, RpcError> {
        #[derive(Serialize)]
        struct Reply {
            device: Vec<Compared>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        struct Compared {
            name: String,
            configuration_status: ConfigurationStatus,
            text: Option<String>,
        }
        let mut named = self.named(self.input::<Named>(name, input)?.device)?;
        if named.is_empty() {
            named = devices::names(&self.running.load())?.into_iter().collect();
        }
        let mut device = Vec::with_capacity(named.len());
        for (name, comparison) in self.check_synchronization(named).await? {
            device.push(Compared { name, configuration_status: comparison.status, text: comparison.text });
        }
        self.output(name, Reply { device })
    }

    async fn root_cause(&self, name: &str, input: &Tree) -> Result<Option<Tree>, RpcError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Input {
            alarm_id: String,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        struct Reply {
            root_alarm_id: Option<String>,
            root_resource_id: Option<String>,
            confidence: Option<f64>,
            text: Option<String>,
            related_alarm: Vec<Related>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        struct Related {
            alarm_id: String,
            parent_alarm_id: Option<String>,
        }
        let Input { alarm_id } = self.input(name, input)?;
        match self.ask(Request::RootCause { alarm_id }).await? {
            Answer::RootCause(cause) => {
                let related = cause.related.into_iter();
                let related_alarm =
                    related.map(|(alarm_id, parent_alarm_id)| Related { alarm_id, parent_alarm_id }).collect();
                let (root_alarm_id, root_resource_id) = (cause.root_alarm_id, cause.root_resource_id);
                let (confidence, text) = (cause.confidence, cause.text);
                self.output(name, Reply { root_alarm_id, root_resource_id, confidence, text, related_alarm })
            }
            other => Err(unexpected(name, &other)),
        }
    }

    async fn alarm_action(&self, name: &str, input: &Tree, who: &Requester) -> Result<Option<Tree>, RpcError> {
        let actions: ListActions =
            bridge::from_path(input, &format!("{}/alarm-list", alarms::ALARMS))?.unwrap_or_default();
        let request = actions.request(who)?;
        let done = self.ask(request).await;
        self.audit(who, name.to_owned(), None, done.as_ref().err()).await;
        let (action, counter) = match (name, done?) {
            ("ietf-alarms:set-operator-state", Answer::Done) => return Ok(None),
            ("ietf-alarms:purge-alarms", Answer::Count(count)) => ("purge-alarms", ("purged-alarms", count)),
            ("ietf-alarms:compress-alarms", Answer::Count(count)) => ("compress-alarms", ("compressed-alarms", count)),
            (_, other) => return Err(unexpected(name, &other)),
        };
        let path = format!("{}/alarm-list/{action}", alarms::ALARMS);
        let output = Output { output: BTreeMap::from([counter]) };
        Ok(Some(bridge::tree_at(&self.schema, &path, &output)?))
    }

    async fn ask(&self, request: Request) -> Result<Answer, RpcError> {
        self.southbound.request(request).await.map_err(|refusal| match refusal {
            Refusal::Missing(reason) => RpcError::data_missing(reason),
            Refusal::Failed(reason) => RpcError::operation_failed(reason),
        })
    }

    /// Refuses names that no managed device has.
    fn named(&self, devices: Vec<String>) -> Result<Vec<String>, RpcError> {
        let known = devices::names(&self.running.load())?;
        match devices.iter().find(|device| !known.contains(*device)) {
            Some(device) => Err(RpcError::data_missing(format!("There is no managed device \"{device}\"."))),
            None => Ok(devices),
        }
    }

    async fn audit(&self, who: &Requester, operation: String, device: Option<&str>, error: Option<&RpcError>) {
        let audit = Audit {
            time: Timestamp::now(),
            user: who.user.to_string(),
            session_id: who.session_id,
            operation,
            device: device.map(str::to_owned),
            result: error.map_or_else(|| "ok".to_owned(), |error| error.tag.as_str().to_owned()),
        };
        tracing::info!(
            user = audit.user,
            session = audit.session_id,
            device = audit.device,
            result = audit.result,
            "{}",
            audit.operation
        );
        let kept = tokio::time::timeout(AUDIT_TIMEOUT, self.southbound.keep(vec![Record::Audit(audit)])).await;
        if kept.is_err() {
            tracing::error!(user = %who.user, "an operation is not on record yet: the store does not take it");
        }
    }

    fn input<T: for<'de> Deserialize<'de>>(&self, name: &str, input: &Tree) -> Result<T, RpcError> {
        let call: Option<Call<T>> = bridge::from_path(input, &format!("/{name}"))?;
        call.map(|call| call.input).ok_or_else(|| RpcError::missing_element("input"))
    }

    fn output<T: Serialize>(&self, name: &str, output: T) -> Result<Option<Tree>, RpcError> {
        Ok(Some(bridge::to_tree(&self.schema, &BTreeMap::from([(name, Output { output })]))?))
    }
}

/// Input that names devices, or none for all.
#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    device: Vec<String>,
}

/// The name of the one element that an operation is.
fn only_element(operation: &str) -> Result<String, RpcError> {
    let wrong = |reason: &str| RpcError::invalid_value(format!("The operation is not one element: {reason}."));
    let around = format!("<operation>{operation}</operation>");
    let document = Document::parse(&around, &Limits::default()).map_err(|error| wrong(&error.to_string()))?;
    let mut elements = document.root().children();
    match (elements.next(), elements.next()) {
        (Some(one), None) => Ok(one.name().to_owned()),
        (None, _) => Err(wrong("there is none")),
        _ => Err(wrong("there are several")),
    }
}

fn unexpected(name: &str, answer: &Answer) -> RpcError {
    tracing::error!(name, ?answer, "the brain answers something else");
    RpcError::operation_failed(format!("{name} was done, but its result is not known."))
}

/// An action of `alarm-list`, at its place.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct ListActions {
    alarm: Vec<EntryAction>,
    purge_alarms: Option<Call<Purge>>,
    compress_alarms: Option<Call<Compress>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct EntryAction {
    resource: String,
    alarm_type_id: String,
    alarm_type_qualifier: String,
    set_operator_state: Option<Call<OperatorState>>,
}

#[derive(Deserialize)]
struct OperatorState {
    state: String,
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Purge {
    alarm_clearance_status: String,
    #[serde(default)]
    older_than: OlderThan,
    #[serde(default)]
    severity: SeverityCriterion,
    #[serde(default)]
    operator_state_filter: OperatorCriterion,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OlderThan {
    seconds: Option<u64>,
    minutes: Option<u64>,
    hours: Option<u64>,
    days: Option<u64>,
    weeks: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SeverityCriterion {
    below: Option<Severity>,
    is: Option<Severity>,
    above: Option<Severity>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OperatorCriterion {
    state: Option<String>,
    user: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Compress {
    resource: Option<String>,
    alarm_type_id: Option<String>,
    alarm_type_qualifier: Option<String>,
}

impl ListActions {
    fn request(self, who: &Requester) -> Result<Request, RpcError> {
        if let Some(Call { input }) = self.purge_alarms {
            return input.filter().map(Request::PurgeAlarms);
        }
        if let Some(Call { input: Compress { resource, alarm_type_id, alarm_type_qualifier } }) = self.compress_alarms {
            let resource = resource.filter(|resource| !alarms::is_any_resource(resource));
            let resource = resource.map(|resource| alarms::resource_of(&resource));
            return Ok(Request::CompressAlarms { resource, alarm_type_id, alarm_type_qualifier });
        }
        let entry = self.alarm.into_iter().next();
        let acted = entry.and_then(|entry| {
            let key = AlarmKey {
                resource: alarms::resource_of(&entry.resource),
                alarm_type_id: entry.alarm_type_id,
                alarm_type_qualifier: entry.alarm_type_qualifier,
            };
            Some((key, entry.set_operator_state?.input))
        });
        let Some((alarm, OperatorState { state, text })) = acted else {
            return Err(RpcError::operation_not_supported("This server does not carry out this action."));
        };
        Ok(Request::SetOperatorState { alarm, state, text, operator: who.user.to_string() })
    }
}

impl Purge {
    fn filter(self) -> Result<PurgeFilter, RpcError> {
        let OlderThan { seconds, minutes, hours, days, weeks } = self.older_than;
        let in_seconds = |count: Option<u64>, unit: u64| count.map(|count| count * unit);
        let older_than_seconds = seconds
            .or(in_seconds(minutes, 60))
            .or(in_seconds(hours, 3_600))
            .or(in_seconds(days, 86_400))
            .or(in_seconds(weeks, 604_800));
        let SeverityCriterion { below, is, above } = self.severity;
        let named = |name: &str, severity: Option<Severity>| severity.map(|severity| (name.to_owned(), severity));
        let severity = named("below", below).or(named("is", is)).or(named("above", above));
        let OperatorCriterion { state, user } = self.operator_state_filter;
        let operator_state = match (state, user) {
            (Some(state), user) => Some((state, user)),
            (None, None) => None,
            (None, Some(_)) => {
                return Err(RpcError::operation_not_supported(
                    "A user is matched together with an operator state only.",
                ));
            }
        };
        Ok(PurgeFilter { clearance: self.alarm_clearance_status, older_than_seconds, severity, operator_state })
    }
}
