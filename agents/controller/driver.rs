//! The driver of a QKDN controller: what its agent asks of it, and the faults that it can be given.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use netconf::server::base_modules;
use netconf::server::record::{RecordError, StateDirectory};
use netconf::yang::Schema;
use netconf::yang::schema::SchemaError;
use thiserror::Error;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::action::{self, Order};
use super::catalogue::{alarm_type, quantity};
use super::client::{Client, Directory};
use super::execution::{self, Shared};
use super::fault::Faults;
use super::model::{
    Action, ActionEntry, ActionInput, ActionOutput, ActionState, Config, Event, NextHop, Operational, Outcome,
    RouteEntry, RoutingTable, State,
};
use super::repository::{ControlAction, Repository, RepositoryError, RouteHistory};
use super::route::{self, Route};
use super::view::View;
use super::{KIND, QkdnController};
use crate::driver::{Answer, Condition, Device, Driver, DriverError, Fact, FactSender, Kind, Reading, Sample};
use crate::fault::{Fault, FaultStatus};
use crate::model::common::Resource;
use crate::model::date_and_time;
use crate::model::types::Equipment;
use crate::schema::agent_schema;
use crate::state::{OperState, is_in_use};
use crate::topology::AgentKind;

/// Where in the agent's state directory the controller keeps its own.
const DIRECTORY: &str = "controller";

/// What is not known is looked for this long before an action is answered. Then it is taken, and its execution will find out.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// The control functions of clause 8 that it has.
const FUNCTIONS: &[&str] = &["routing", "configuration"];

/// What a controller must be told of its surroundings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerSettings {
    /// Its private key, by which agents know it.
    pub key: PathBuf,
    /// The file that says where the agents are (see [`Directory`]); read anew for each action.
    pub directory: PathBuf,
    /// As whom it logs in at agents of which the directory does not say it.
    pub user: String,
}

/// Why a controller does not start: one line that says what to do.
#[derive(Debug, Error)]
pub enum ControllerError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

/// A QKDN controller as its agent's device. It acts from [`Driver::start`] on until it is dropped.
pub struct Controller {
    about: Device,
    booted: Timestamp,
    shared: Arc<Shared>,
    faults: Arc<Faults>,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
    /// Held so that no other process uses it.
    _directory: StateDirectory,
}

impl Controller {
    /// A controller that remembers what `state_dir` holds; unfinished actions are taken up again when it starts.
    pub fn open(
        resource_id: &str,
        state_dir: &Path,
        settings: ControllerSettings,
        now: Timestamp,
    ) -> Result<Controller, ControllerError> {
        let directory = StateDirectory::open(state_dir.join(DIRECTORY))?;
        let repository = Repository::open(directory.path())?;
        let kinds = ["qkdn-mq", "qkdn-mk", "qkdn-mops", "qkdn-mqrp"];
        let schema = agent_schema(base_modules(Schema::builder()), &kinds, false)?;
        let client = Client::new(schema, settings.key.clone(), settings.user.clone());
        // It controls in earnest; what is simulated is that it fails.
        let about = Device { simulated: true, ..QkdnController::device(resource_id) };
        let stop = CancellationToken::new();
        let shared = Shared::new(settings, client, repository);
        Ok(Controller {
            about,
            booted: now,
            faults: Faults::new(resource_id, shared.clone(), stop.clone()),
            shared,
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
            _directory: directory,
        })
    }

    fn oper_state(&self) -> OperState {
        if *self.shared.halted.borrow() { OperState::Failed } else { OperState::Operational }
    }

    /// Checks an action, keeps it, and has it executed.
    async fn take(&self, input: ActionInput, user: &str, now: Timestamp) -> Result<ActionOutput, DriverError> {
        let config = self.shared.mind().config.clone();
        if *self.shared.halted.borrow() {
            return Err(DriverError::Failed("the controller has stopped and takes no actions".to_owned()));
        }
        if !is_in_use(config.admin_state, config.service_state) {
            return Err(DriverError::Failed("the controller is not in service and takes no actions".to_owned()));
        }
        action::check_size(&input)?;
        if let Some(time) = &input.management_operation.execute_at {
            let due: Timestamp = time.parse().map_err(|error: jiff::Error| {
                DriverError::refused("management-operation/execute-at", error.to_string())
            })?;
            if due > now {
                return Err(DriverError::Unsupported("actions are executed at once, not at a later time".to_owned()));
            }
        }
        let order = Order::of(&input.kind, &input.value)?;
        let asked = ControlAction {
            number: 0,
            operation_id: input.management_operation.operation_id,
            description: input.description,
            kind: input.kind,
            priority: input.priority,
            value: input.value,
            state: ActionState::Accepted,
            state_text: None,
            received: now,
            completed: None,
            requestor: user.to_owned(),
            effect: Vec::new(),
        };
        let repeated = asked.clone();
        if let Some(known) = self.shared.records(move |repository| repetition(repository, &repeated)).await? {
            return Ok(known);
        }
        self.check_resources(&order).await?;
        let shared = self.shared.clone();
        let output = self
            .shared
            .records(move |repository| {
                // The same may have come meanwhile.
                if let Some(known) = repetition(repository, &asked)? {
                    return Ok(known);
                }
                let action = repository.accept(asked).map_err(|error| DriverError::Failed(error.to_string()))?;
                shared.tell(Fact::Event(Event::from(action)));
                Ok(ActionOutput::of(action))
            })
            .await?;
        self.shared.wake.notify_one();
        Ok(output)
    }

    /// What an action names must be there.
    async fn check_resources(&self, order: &Order) -> Result<(), DriverError> {
        let directory = self.shared.directory().await.map_err(|error| DriverError::Failed(error.to_string()))?;
        for (id, leaf, kind) in order.targets() {
            match directory.get(id) {
                None => return Err(DriverError::Missing(format!("there is no {id} among the agents"))),
                Some(entry) if entry.kind != kind => {
                    let reason = format!("{id} is a {}, not a {}", entry.kind.name(), kind.name());
                    return Err(DriverError::refused(leaf, reason));
                }
                Some(_) => {}
            }
        }
        let mut unknown = self.unknown(order, &directory)?;
        if let Some(id) = unknown.take() {
            // The network may have grown since it was last read.
            let looked = tokio::time::timeout(LOOK_TIMEOUT, self.shared.look_everywhere(&directory)).await;
            let complete = looked.is_ok_and(|view| view.silent.is_empty());
            unknown = self.unknown(order, &directory)?.filter(|_| complete);
            if unknown.is_none() && !complete {
                tracing::info!(resource = id, "an action on what is not known is taken: not all agents answer");
            }
        }
        match unknown {
            Some(id) => Err(DriverError::Missing(format!("no agent knows {id}"))),
            None => Ok(()),
        }
    }

    /// A resource that an action names and that neither the directory nor the view of the network has.
    fn unknown(&self, order: &Order, directory: &Directory) -> Result<Option<String>, DriverError> {
        let mind = self.shared.mind();
        let view = &mind.view;
        let is_link = |id: &str| view.has_qkd_link(id) || view.kms_of(id).next().is_some();
        match order {
            Order::ServiceState(value) => match directory.get(&value.resource_id).map(|entry| entry.kind) {
                Some(AgentKind::Controller) => {
                    let reason = "a controller does not command a controller";
                    Err(DriverError::refused("value/service-state/resource-id", reason))
                }
                Some(_) => Ok(None),
                None => Ok(Some(value.resource_id.clone()).filter(|id| !is_link(id))),
            },
            Order::Path(order) => {
                let element = order.value.avoid.iter().find(|id| {
                    let kind = directory.get(id).map(|entry| entry.kind);
                    kind.is_some_and(|kind| !matches!(kind, AgentKind::KeyManager | AgentKind::QkdModule))
                });
                if let Some(id) = element {
                    let reason = format!("{id} is no part of a path: name the links over it");
                    return Err(DriverError::refused("value/path/avoid", reason));
                }
                let route = order.value.route_id.iter().find(|id| !view.has_route(id));
                let mut avoided = order.value.avoid.iter();
                let avoided = avoided.find(|id| directory.get(id).is_none() && !is_link(id));
                Ok(route.or(avoided).cloned())
            }
            _ => Ok(None),
        }
    }

    fn conditions(&self) -> Vec<Condition> {
        let stopped = self.shared.halted.borrow().then(|| Condition {
            resource: self.about.resource_id.clone(),
            alarm_type: alarm_type::CONTROLLER_UNREACHABLE,
            text: "The controller has stopped and takes no actions".to_owned(),
        });
        let mind = self.shared.mind();
        let blocked = mind.blocked.iter().map(|id| Condition {
            resource: id.clone(),
            alarm_type: alarm_type::ROUTE_UNAVAILABLE,
            text: "There is no way around what was to be avoided".to_owned(),
        });
        stopped.into_iter().chain(blocked).collect()
    }

    fn resources(&self, config: &Config, routes: &BTreeMap<String, Route>) -> Vec<Resource> {
        let own = Resource {
            resource_id: self.about.resource_id.clone(),
            description: config.description.clone().unwrap_or_else(|| "QKDN controller".to_owned()),
            kind: KIND,
            parent: None,
            peer: None,
            admin_state: Some(config.admin_state),
            service_state: Some(config.service_state),
            oper_state: self.oper_state(),
            last_change: None,
        };
        let mind = self.shared.mind();
        let route = |route: &Route| Resource {
            resource_id: route.id.clone(),
            description: format!("Key relay route from {} to {}", route.source, route.destination),
            kind: "qkdn-types:key-relay-route",
            parent: Some(self.about.resource_id.clone()),
            peer: None,
            admin_state: None,
            service_state: Some(route.service_state),
            oper_state: match route.hops() {
                Some(_) if !mind.blocked.contains(&route.id) => OperState::Operational,
                Some(_) => OperState::Degraded,
                None => OperState::Failed,
            },
            last_change: None,
        };
        std::iter::once(own).chain(routes.values().map(route)).collect()
    }
}

impl Driver for Controller {
    type Kind = QkdnController;

    fn device(&self) -> &Device {
        &self.about
    }

    fn start(&self, facts: FactSender<Event>) {
        if self.shared.facts.set(facts).is_err() {
            tracing::warn!("a controller was started twice; its facts go where they went");
            return;
        }
        let (stop, shared) = (self.stop.clone(), self.shared.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = execution::execute(shared.clone()) => {}
                () = execution::refresh(shared) => {}
            }
        });
    }

    fn check(&self, old: &Config, new: &Config) -> Result<(), DriverError> {
        DriverError::check_step("service-state", old.service_state, new.service_state)?;
        Ok(())
    }

    async fn configure(&self, config: Config, _now: Timestamp) -> Result<(), DriverError> {
        self.shared.mind().config = config;
        Ok(())
    }

    async fn sample(&self, _now: Timestamp) -> Result<Sample, DriverError> {
        let conditions = self.conditions();
        let mind = self.shared.mind();
        let read = |quantity, value| Reading { target: self.about.resource_id.clone(), quantity, value };
        let mut readings = vec![
            read(quantity::BLOCKED_ROUTE_REQUESTS, mind.blocked_ever as f64),
            read(quantity::REROUTE_COUNT, mind.reroutes_ever as f64),
        ];
        readings.extend(mind.computation_time.map(|time| read(quantity::ROUTE_COMPUTATION_TIME, time)));
        let routes = route::routes(&mind.view);
        let hops: Vec<f64> = routes.values().filter_map(|route| Some(route.hops()?.len() as f64 - 1.0)).collect();
        if !hops.is_empty() {
            readings.push(read(quantity::MEAN_HOP_COUNT, hops.iter().sum::<f64>() / hops.len() as f64));
        }
        Ok(Sample { readings, conditions })
    }

    async fn state(&self, _now: Timestamp) -> Result<Operational, DriverError> {
        type Known = (Vec<ActionEntry>, BTreeMap<String, RouteHistory>);
        let (config, view, addresses) = {
            let mind = self.shared.mind();
            (mind.config.clone(), mind.view.clone(), mind.addresses.clone())
        };
        let routes = route::routes(&view);
        let ids: Vec<String> = routes.keys().cloned().collect();
        let (control_action, histories): Known = self
            .shared
            .records(move |repository| {
                let history = |id: String| Some((id.clone(), repository.route(&id)?.clone()));
                let histories = ids.into_iter().filter_map(history).collect();
                (repository.actions().map(ActionEntry::from).collect(), histories)
            })
            .await;
        let state = State {
            controller_id: self.about.resource_id.clone(),
            oper_state: self.oper_state(),
            boot_time: date_and_time(self.booted),
            function: FUNCTIONS.to_vec(),
            equipment: Equipment {
                vendor: "The QKDN management project".to_owned(),
                model: "QKDN controller".to_owned(),
                serial_number: self.about.resource_id.clone(),
                hardware_revision: "none".to_owned(),
                software_revision: env!("CARGO_PKG_VERSION").to_owned(),
            },
            control_action,
            routing_table: routing_table(&view, &routes, &addresses),
            route: routes.values().map(|route| route_entry(route, histories.get(&route.id))).collect(),
        };
        Ok(Operational { state, resource: self.resources(&config, &routes) })
    }

    async fn act(&self, action: Action, user: &str, now: Timestamp) -> Result<Outcome, DriverError> {
        match action {
            Action::ControlOrchestrationAction(call) => {
                let output = self.take(call.input, user, now).await?;
                Ok(Outcome::ControlOrchestrationAction(Answer { output }))
            }
        }
    }

    async fn inject(&self, fault: Fault, user: &str, now: Timestamp) -> Result<String, DriverError> {
        self.faults.inject(fault, user, now)
    }

    async fn clear(&self, fault_id: Option<&str>, user: &str, now: Timestamp) -> Result<u32, DriverError> {
        self.faults.clear(fault_id, user, now)
    }

    async fn faults(&self, _now: Timestamp) -> Result<Vec<FaultStatus>, DriverError> {
        Ok(self.faults.list())
    }
}

/// The answer to a request that came before; none to a new one.
fn repetition(repository: &Repository, asked: &ControlAction) -> Result<Option<ActionOutput>, DriverError> {
    let Some(known) = asked.operation_id.as_deref().and_then(|id| repository.by_operation(id)) else { return Ok(None) };
    if (&known.kind, &known.value) != (&asked.kind, &asked.value) {
        let reason = format!("{} asked for this operation's identifier with another action", known.id());
        return Err(DriverError::refused("management-operation/operation-id", reason));
    }
    Ok(Some(ActionOutput::of(known)))
}

fn route_entry(route: &Route, history: Option<&RouteHistory>) -> RouteEntry {
    let hop = route.hops().unwrap_or_default();
    RouteEntry {
        route_id: route.id.clone(),
        source_km_id: route.source.clone(),
        destination_km_id: route.destination.clone(),
        metric: (!hop.is_empty()).then_some(hop.len() as f64 - 1.0),
        hop,
        service_state: route.service_state,
        established: history.map(|history| date_and_time(history.established)),
        reroutes: history.map_or(0, |history| history.reroutes),
        last_reroute_cause: history.map(|history| history.cause),
    }
}

/// Where each KM sends what is for the ends of the routes over it. Of two routes to one end the first in the order of identifiers counts.
fn routing_table(
    view: &View,
    routes: &BTreeMap<String, Route>,
    addresses: &BTreeMap<String, String>,
) -> Vec<RoutingTable> {
    let mut tables: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for route in routes.values() {
        for (km, entry) in &route.entries {
            let ways = [(&route.destination, &entry.next_hop), (&route.source, &entry.previous_hop)];
            for (end, hop) in ways {
                if let Some(hop) = hop {
                    tables.entry(km).or_default().entry(end).or_insert(hop);
                }
            }
        }
    }
    let table = |(km, hops): (&str, BTreeMap<&str, &str>)| {
        let next =
            |(end, hop): (&str, &str)| NextHop { destination_km_id: end.to_owned(), next_hop_km_id: hop.to_owned() };
        Some(RoutingTable {
            node_address: addresses.get(km)?.clone(),
            km_id: km.to_owned(),
            node: view.kms.get(km).and_then(|config| config.location.node.clone()),
            next_hop: hops.into_iter().map(next).collect(),
        })
    };
    tables.into_iter().filter_map(table).collect()
}
