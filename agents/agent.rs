//! A management agent (Y.3804 clause 7): the NETCONF server's provider over any [`Driver`], written once for all kinds of device.
//!
//! ```text
//!  driver ─ facts, samples ─► life ─► surveillance ─► records ─► notifications
//!    ▲                                    ▲ read by state()
//!    └── configure, act ── apply(), call()┘
//! ```
//! Whatever changes alarms goes through [`Shared::change`]: it is durable before anyone hears of it, and heard of in the order in which it
//! became durable.

mod life;
mod operation;
mod records;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use jiff::Timestamp;
use netconf::error::RpcError;
use netconf::server::provider::{Event, EventSender, Operation, Provider, Requester};
use netconf::server::record::{RecordError, StateDirectory};
use netconf::yang::diff::Edit;
use netconf::yang::filter::Selection;
use netconf::yang::path::InstancePath;
use netconf::yang::serde as bridge;
use netconf::yang::{Schema, Tree};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::alarm::AlarmList;
use crate::driver::{ConfigOf, Device, Driver, DriverError, Kind, LogClass, LogFact};
use crate::event_log::EventLog;
use crate::memory::{Memory, MemoryError};
use crate::model::{alarms, common, performance};
use crate::performance::Performance;
use crate::surveillance::Surveillance;
use records::{Records, Tiding};

/// Where an agent takes the time from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The clock of the machine.
pub fn system_clock() -> Clock {
    Arc::new(Timestamp::now)
}

/// Where in the server's state directory an agent keeps its own.
const DIRECTORY: &str = "agent";

const ALARMS: &str = "/ietf-alarms:alarms";

/// Why an agent does not start: one line that says what to do.
#[derive(Debug, Error)]
pub enum AgentError {
    #[error(transparent)]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("the modules loaded do not have what the agent needs: {0}")]
    Schema(#[from] bridge::SerdeError),
}

/// A clone is the same agent.
pub struct Agent<D: Driver>(Arc<Shared<D>>);

impl<D: Driver> Clone for Agent<D> {
    fn clone(&self) -> Self {
        Agent(self.0.clone())
    }
}

struct Shared<D: Driver> {
    driver: D,
    device: Device,
    schema: Arc<Schema>,
    clock: Clock,
    mind: Mutex<Mind<D>>,
    records: Arc<tokio::sync::Mutex<Records>>,
    events: OnceLock<EventSender>,
    /// A configuration was applied: life may begin.
    configured: tokio::sync::Notify,
    /// The rules changed: the next sample may be due earlier or later.
    changed: tokio::sync::Notify,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// For on-change subscriptions.
    alarms_path: InstancePath,
    state_paths: Vec<InstancePath>,
    /// Held so that no other process uses it.
    #[cfg_attr(not(test), expect(dead_code, reason = "its lock is what matters"))]
    directory: StateDirectory,
}

/// What an agent knows now. Locked for moments only, never over a wait.
struct Mind<D: Driver> {
    config: ConfigOf<D>,
    surveillance: Surveillance,
    /// The device answered last time.
    answers: bool,
    /// Requests accepted per second and session (I.1.1).
    request_rate: Option<NonZeroU32>,
}

impl<D: Driver> Agent<D> {
    /// An agent that remembers what `state_dir` holds. It lives once its server has started it and applied a configuration: by another
    /// one, such as the model's defaults, it would raise and clear alarms that nobody asked for.
    pub fn open(driver: D, schema: Arc<Schema>, state_dir: &Path, clock: Clock) -> Result<Self, AgentError> {
        let initial = Tree::initial(schema.clone());
        let directory = StateDirectory::open(state_dir.join(DIRECTORY))?;
        let log = EventLog::open(directory.path())?;
        let (memory, recalled) = Memory::open(directory.path())?;
        let device = driver.device().clone();
        let config = config_of::<D>(&device, &initial)?;
        let rules = D::Kind::rules(&config);
        let mut performance = Performance::new(jiff::SignedDuration::ZERO);
        recalled.series.into_iter().for_each(|(key, series)| performance.restore(key, series));
        let alarms = AlarmList::restore(recalled.alarms, recalled.last_id);
        let surveillance = Surveillance::new(&device, rules, alarms, performance);
        let container = bridge::instance_path(&schema, &format!("/{}", device.container))?;
        let node = container.last().expect("it names one node").node;
        let state = schema.children(Some(node)).iter().copied().filter(|child| !schema.node(*child).config);
        let state = state.filter(|child| schema.node(*child).name != "performance");
        let state_paths = state.map(|child| container.child(child, netconf::yang::path::Predicate::None)).collect();
        let alarms_path = bridge::instance_path(&schema, &format!("{ALARMS}/alarm-list"))?;
        Ok(Agent(Arc::new(Shared {
            driver,
            device,
            schema,
            clock,
            mind: Mutex::new(Mind { config, surveillance, answers: true, request_rate: None }),
            records: Arc::new(tokio::sync::Mutex::new(Records::new(log, memory))),
            events: OnceLock::new(),
            configured: tokio::sync::Notify::new(),
            changed: tokio::sync::Notify::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            alarms_path,
            state_paths,
            directory,
        })))
    }

    /// Ends the agent's life: what it knows is durable when this returns. The device goes on as it is.
    pub async fn stop(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

impl<D: Driver> Provider for Agent<D> {
    fn start(&self, events: EventSender) {
        if self.0.events.set(events).is_err() {
            tracing::error!("an agent was started twice");
            return;
        }
        self.0.tasks.spawn(life::live(self.0.clone()));
    }

    fn request_rate(&self) -> Option<NonZeroU32> {
        self.0.mind().request_rate
    }

    fn validate(&self, new: &Tree) -> Result<(), RpcError> {
        let config = config_of::<D>(&self.0.device, new)?;
        control_of(new)?;
        let old = self.0.mind().config.clone();
        self.0.driver.check(&old, &config).map_err(|error| self.0.config_error(error))
    }

    async fn apply(&self, old: &Tree, new: &Tree, _edits: &[Edit]) -> Result<(), RpcError> {
        let shared = &self.0;
        let config = config_of::<D>(&shared.device, new)?;
        let control = control_of(new)?.control();
        let overload = bridge::from_path::<common::OverloadControl>(new, common::OVERLOAD_CONTROL)?.unwrap_or_default();
        let now = (shared.clock)();
        let is_new = shared.mind().config != config;
        if is_new {
            let configured = tokio::time::timeout(D::TIMEOUT, shared.driver.configure(config.clone(), now)).await;
            let configured = configured.map_err(|_| timed_out::<D>()).and_then(|result| result);
            configured.map_err(|error| shared.config_error(error))?;
        }
        let rules = D::Kind::rules(&config);
        shared
            .change(|mind| {
                mind.config = config;
                mind.request_rate = overload.maximum_request_rate;
                mind.surveillance.alarms.set_control(control);
                let mut tidings = mind.tidings_of(|surveillance| surveillance.set_rules(rules, now));
                if is_new {
                    tidings.push(Tiding::Log(LogFact {
                        time: now,
                        resource: shared.device.resource_id.clone(),
                        class: LogClass::Configuration,
                        event: "configuration-applied",
                        text: "The device works by a new configuration".to_owned(),
                        user: None,
                    }));
                }
                tidings
            })
            .await;
        // The control of alarms shortens what the list keeps of each, which is no alarm to tell.
        if control_of(old)? != control_of(new)?
            && let Some(events) = shared.events.get()
        {
            // It ends with the server.
            let _ = events.send(Event::Changed(vec![shared.alarms_path.clone()])).await;
        }
        shared.configured.notify_one();
        shared.changed.notify_one();
        Ok(())
    }

    async fn state(&self, want: &Selection) -> Result<Tree, RpcError> {
        let shared = &self.0;
        let (schema, device) = (&shared.schema, &shared.device);
        let reaches = |path: &str| schema.find(path).is_some_and(|node| want.reaches(node));
        let mut tree = Tree::new(schema.clone());
        if reaches(ALARMS) {
            let alarms = {
                let mind = shared.mind();
                let list = &mind.surveillance.alarms;
                let qualifiers: Vec<_> = mind
                    .surveillance
                    .rules()
                    .thresholds
                    .iter()
                    .filter_map(|rule| rule.alarm_type.map(|alarm_type| (alarm_type, rule.qualifier)))
                    .collect();
                let inside = |name: &str| reaches(&format!("{ALARMS}/{name}"));
                alarms::Alarms {
                    alarm_inventory: inside("alarm-inventory").then(|| alarms::Inventory::of(device, &qualifiers)),
                    summary: inside("summary").then(|| alarms::Summary::of(list)),
                    alarm_list: inside("alarm-list").then(|| alarms::List::of(list, device)),
                }
            };
            tree = tree.merged(&bridge::tree_at(schema, ALARMS, &alarms)?);
        }
        let container = format!("/{}", device.container);
        let information = format!("{container}/performance/information");
        if reaches(&information) {
            let history = ["interval-15-minutes", "interval-24-hours"];
            let history = history.iter().any(|name| reaches(&format!("{information}/{name}")));
            let information_now = performance::information(device, &shared.mind().surveillance, history);
            tree = tree.merged(&bridge::tree_at(schema, &information, &information_now)?);
        }
        if reaches("/qkdn-common:reference-points") {
            let last = shared.records.lock().await.last_notified();
            let answers = shared.mind().answers;
            let points = common::ReferencePoints::of(device, answers, last);
            tree = tree.merged(&bridge::tree_at(schema, "/qkdn-common:reference-points", &points)?);
        }
        if shared.state_paths.iter().any(|path| path.last().is_some_and(|step| want.reaches(step.node))) {
            let now = (shared.clock)();
            match tokio::time::timeout(D::TIMEOUT, shared.driver.state(now)).await {
                Ok(Ok(state)) => tree = tree.merged(&bridge::tree_at(schema, &container, &state)?),
                // A device that does not answer is an alarm, and must not hide the alarms.
                Ok(Err(error)) => tracing::warn!(%error, "the device does not give its state"),
                Err(_) => tracing::warn!(error = %timed_out::<D>(), "the device does not give its state"),
            }
        }
        Ok(tree)
    }

    /// The alarm list. Of the device's own state the changes of states are told, but not those of what it measures.
    fn reports_changes(&self, node: netconf::yang::NodeId) -> bool {
        let list = self.0.alarms_path.last().expect("a path to the alarm list has steps").node;
        self.0.schema.is_within(node, list)
    }

    async fn call(&self, operation: Operation, who: &Requester) -> Result<Option<Tree>, RpcError> {
        operation::perform(&self.0, operation, who).await
    }
}

impl<D: Driver> Shared<D> {
    fn mind(&self) -> MutexGuard<'_, Mind<D>> {
        self.mind.lock().expect("nothing panics while it holds the mind")
    }

    /// Changes what the agent knows, makes that durable, and tells of it, one change at a time.
    async fn change(&self, change: impl FnOnce(&mut Mind<D>) -> Vec<Tiding>) {
        let records = self.records.clone().lock_owned().await;
        let tidings = change(&mut self.mind());
        if tidings.is_empty() {
            return;
        }
        let (of_alarms, of_state) = (tidings.iter().any(Tiding::is_of_alarms), tidings.iter().any(Tiding::is_of_state));
        let (records, notifications) = records::write(records, tidings, &self.device).await;
        let Some(events) = self.events.get() else { return };
        let mut send = notifications.into_iter().filter_map(|notification| match notification.tree(&self.schema) {
            Ok(tree) => Some(Event::Notification(tree)),
            Err(error) => {
                tracing::error!(%error, "a notification does not fit its model");
                None
            }
        });
        let mut changed = Vec::new();
        changed.extend(of_alarms.then(|| self.alarms_path.clone()));
        changed.extend(self.state_paths.iter().filter(|_| of_state).cloned());
        let changed = (!changed.is_empty()).then_some(Event::Changed(changed));
        // The server waits for nobody, so this waits for the server only: an event must not be lost. It ends with the server.
        for event in send.by_ref().chain(changed) {
            if events.send(event).await.is_err() {
                break;
            }
        }
        drop(records);
    }

    fn config_error(&self, error: DriverError) -> RpcError {
        rpc_error(&self.schema, &format!("/{}", self.device.container), error)
    }
}

/// The configuration of the device, with the model's defaults where nothing is set.
fn config_of<D: Driver>(device: &Device, running: &Tree) -> Result<ConfigOf<D>, bridge::SerdeError> {
    let path = format!("/{}", device.container);
    match bridge::from_path(running, &path)? {
        Some(config) => Ok(config),
        None => {
            let defaults = Tree::initial(running.schema().clone());
            let config = bridge::from_path(&defaults, &path)?;
            config.ok_or_else(|| bridge::SerdeError { path, value: None, reason: "it has no defaults".to_owned() })
        }
    }
}

fn control_of(running: &Tree) -> Result<alarms::ControlConfig, bridge::SerdeError> {
    Ok(bridge::from_path(running, &format!("{ALARMS}/control"))?.unwrap_or_default())
}

/// A driver's error as the peer sees it; a leaf is relative to `base`.
fn rpc_error(schema: &Schema, base: &str, error: DriverError) -> RpcError {
    let message = error.to_string();
    match error {
        DriverError::Refused { leaf, .. } => {
            let refused = RpcError::invalid_value(message);
            let path = leaf.and_then(|leaf| bridge::instance_path(schema, &format!("{base}/{leaf}")).ok());
            match path {
                Some(path) => refused.with_path(path.to_error_path(schema)),
                None => refused,
            }
        }
        DriverError::Unsupported(_) => RpcError::operation_not_supported(message),
        DriverError::Missing(_) => RpcError::data_missing(message),
        DriverError::Failed(_) => RpcError::operation_failed(message),
    }
}

fn timed_out<D: Driver>() -> DriverError {
    DriverError::Failed(format!("the device did not answer within {} s", D::TIMEOUT.as_secs()))
}
