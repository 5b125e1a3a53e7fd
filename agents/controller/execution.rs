//! The execution of control orchestration actions, one after the other, the most urgent first; and the view of the network that goes with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use super::action::{self, Edit, Order, Plan, Reroute};
use super::client::{Client, Directory, DirectoryError, Entry, Patience};
use super::driver::ControllerSettings;
use super::model::{ActionState, Config, Effect, Event, RerouteCause, Rerouted, milliseconds};
use super::repository::{ControlAction, Repository};
use super::route::{self, Ways};
use super::view::View;
use crate::driver::{Fact, FactSender};
use crate::topology::AgentKind;

/// How often the KMs are read anew: so old is what the routes of the state may be, where others change them.
const REFRESH: Duration = Duration::from_secs(60);

/// After a read that did not reach everyone the next one comes sooner, at first after this.
const FIRST_REFRESH: Duration = Duration::from_secs(1);

const EVERYWHERE: &[AgentKind] = &[AgentKind::QkdModule, AgentKind::KeyManager];

/// What the driver and its tasks share.
pub(super) struct Shared {
    pub(super) settings: ControllerSettings,
    pub(super) client: Client,
    pub(super) facts: OnceLock<FactSender<Event>>,
    /// There may be something to execute.
    pub(super) wake: Notify,
    /// A fault holds the controller: it does nothing.
    pub(super) halted: watch::Sender<bool>,
    repository: Mutex<Repository>,
    mind: Mutex<Mind>,
}

/// What the controller knows now. Locked for moments only.
#[derive(Debug, Default)]
pub(super) struct Mind {
    pub(super) config: Config,
    pub(super) view: View,
    /// Addresses of the agents, by resource.
    pub(super) addresses: BTreeMap<String, String>,
    /// Routes for which there was no way when one was wanted.
    pub(super) blocked: BTreeSet<String>,
    pub(super) blocked_ever: u64,
    pub(super) reroutes_ever: u64,
    /// ms
    pub(super) computation_time: Option<f64>,
}

/// How an action ended.
struct Ended {
    state: ActionState,
    text: String,
    effect: Vec<Effect>,
    rerouted: Vec<Reroute>,
    avoided: Option<String>,
}

impl Ended {
    fn with(state: ActionState, text: impl Into<String>) -> Self {
        Ended { state, text: text.into(), effect: Vec::new(), rerouted: Vec::new(), avoided: None }
    }
}

impl Shared {
    pub(super) fn new(settings: ControllerSettings, client: Client, repository: Repository) -> Arc<Self> {
        Arc::new(Shared {
            settings,
            client,
            facts: OnceLock::new(),
            wake: Notify::new(),
            halted: watch::channel(false).0,
            repository: Mutex::new(repository),
            mind: Mutex::default(),
        })
    }

    pub(super) fn mind(&self) -> MutexGuard<'_, Mind> {
        self.mind.lock().expect("nothing panics while it holds the mind")
    }

    pub(super) fn tell(&self, fact: Fact<Event>) {
        if let Some(facts) = self.facts.get() {
            facts.send(fact);
        }
    }

    /// Reads or changes what is durable; it waits for the disk beside the tasks, and what is told in it is told in the order of the changes.
    pub(super) async fn records<T: Send + 'static>(
        self: &Arc<Self>,
        act: impl FnOnce(&mut Repository) -> T + Send + 'static,
    ) -> T {
        let shared = self.clone();
        let work = move || act(&mut shared.repository.lock().expect("nothing panics while it holds the repository"));
        tokio::task::spawn_blocking(work).await.expect("what is done to the repository does not panic")
    }

    /// Who is there now.
    pub(super) async fn directory(&self) -> Result<Directory, DirectoryError> {
        let path = self.settings.directory.clone();
        tokio::task::spawn_blocking(move || Directory::read(&path)).await.expect("reading a file does not panic")
    }

    /// Reads agents and remembers what they said; the answer is of this time alone.
    async fn look(&self, entries: Vec<Entry>, patience: Patience) -> View {
        let view = self.client.read(entries, patience).await;
        self.mind().view.update(view.clone());
        view
    }

    /// All modules and KMs are read.
    pub(super) async fn look_everywhere(&self, directory: &Directory) -> View {
        self.look(directory.of(EVERYWHERE).cloned().collect(), Patience::TryOnce).await
    }
}

/// Executes what waits, until the task is dropped. What a fault or the end interrupts is taken up again from its beginning.
pub(super) async fn execute(shared: Arc<Shared>) {
    let mut halted = shared.halted.subscribe();
    loop {
        let work = async {
            loop {
                match shared.records(|repository| repository.next().cloned()).await {
                    Some(action) => execute_one(&shared, action).await,
                    None => shared.wake.notified().await,
                }
            }
        };
        tokio::select! {
            _ = halted.wait_for(|halted| *halted) => {}
            () = work => {}
        }
        // The sender is in what is shared, so there is always one.
        let _ended = halted.wait_for(|halted| !*halted).await.is_err();
    }
}

/// Reads the KMs now and then, so that the state shows the routes as they are.
pub(super) async fn refresh(shared: Arc<Shared>) {
    let mut soon = FIRST_REFRESH;
    loop {
        let complete = match shared.directory().await {
            Ok(directory) => {
                let addresses = directory.of(&AgentKind::ALL).map(|e| (e.resource_id.clone(), e.address.clone()));
                shared.mind().addresses = addresses.collect();
                let kms: Vec<Entry> = directory.of(&[AgentKind::KeyManager]).cloned().collect();
                let there = !kms.is_empty();
                there && shared.look(kms, Patience::TryOnce).await.silent.is_empty()
            }
            Err(error) => {
                tracing::debug!(%error, "the network is not known yet");
                false
            }
        };
        shared.unblock();
        soon = if complete { REFRESH } else { soon.saturating_mul(2).min(REFRESH) };
        tokio::time::sleep(soon).await;
    }
}

async fn execute_one(shared: &Arc<Shared>, action: ControlAction) {
    let began = Timestamp::now();
    let begun = ControlAction { state: ActionState::InProgress, effect: Vec::new(), state_text: None, ..action };
    shared.progress(begun.clone(), Vec::new()).await;
    let ended = shared.carry_out(&begun).await;
    let now = Timestamp::now();
    let rerouted = |reroute: Reroute| Rerouted {
        route_id: reroute.route_id,
        cause: RerouteCause::Command,
        resource_id: ended.avoided.clone(),
        old_hop: reroute.old,
        new_hop: reroute.new,
        duration: milliseconds(began, now),
    };
    let rerouted: Vec<Rerouted> = ended.rerouted.into_iter().map(rerouted).collect();
    let (state, state_text, effect) = (ended.state, Some(ended.text), ended.effect);
    shared.progress(ControlAction { state, state_text, effect, completed: Some(now), ..begun }, rerouted).await;
}

impl Shared {
    /// Notes how far an action got, and tells of it.
    async fn progress(self: &Arc<Self>, action: ControlAction, rerouted: Vec<Rerouted>) {
        let shared = self.clone();
        self.records(move |repository| {
            for rerouted in rerouted {
                repository.rerouted(&rerouted.route_id, action.completed.unwrap_or(action.received));
                shared.tell(Fact::Event(Event::Rerouted(Box::new(rerouted))));
            }
            let event = Event::from(&action);
            repository.progress(action);
            shared.tell(Fact::Event(event));
        })
        .await;
    }

    async fn carry_out(&self, action: &ControlAction) -> Ended {
        let order = match Order::of(&action.kind, &action.value) {
            Ok(Order::Declined(reason)) => return Ended::with(ActionState::Rejected, reason),
            Ok(order) => order,
            Err(error) => return Ended::with(ActionState::Failed, error.to_string()),
        };
        let directory = match self.directory().await {
            Ok(directory) => directory,
            Err(error) => return Ended::with(ActionState::Failed, error.to_string()),
        };
        let plan = match self.plan(&order, &directory).await {
            Ok(plan) => plan,
            Err(reason) => return Ended::with(ActionState::Failed, reason),
        };
        let is_path = matches!(order, Order::Path(_));
        let targets: BTreeSet<String> = plan.edits.iter().map(|edit| edit.target.clone()).collect();
        let mut ended = self.perform(&directory, plan).await;
        ended.avoided = match order {
            Order::Path(order) if order.value.avoid.len() == 1 => order.value.avoid.into_iter().next(),
            _ => None,
        };
        if is_path {
            let touched: Vec<Entry> = targets.iter().filter_map(|target| directory.get(target).cloned()).collect();
            if !touched.is_empty() {
                let down = self.mind().view.down.clone();
                let view = self.client.read(touched, Patience::TryOnce).await;
                self.mind().view.update(View { down, ..view });
            }
            self.unblock();
        }
        ended
    }

    /// What an action comes to, by what the agents concerned say now.
    async fn plan(&self, order: &Order, directory: &Directory) -> Result<Plan, String> {
        let look = async |ids: &[&str]| {
            let entries = ids.iter().filter_map(|id| directory.get(id).cloned()).collect();
            self.look(entries, Patience::TryAgain).await
        };
        match order {
            Order::ServiceState(value) => match directory.get(&value.resource_id) {
                Some(entry) => {
                    let edit = action::device_state(&value.resource_id, entry.kind, value.service_state);
                    let edit = edit.ok_or("a controller does not command itself")?;
                    let text = format!("{} is {}", value.resource_id, value.service_state);
                    Ok(Plan { edits: vec![edit], text, ..Plan::default() })
                }
                None => {
                    let known = self.mind().view.clone();
                    let modules: Vec<&str> = known.ends_of(&value.resource_id).collect();
                    let kms: Vec<&str> = known.kms_of(&value.resource_id).map(|(km, _)| km).collect();
                    // Whom it concerns is known already, or all are asked.
                    let view = match (modules.len(), kms.len()) {
                        (2, _) => look(&modules).await,
                        (_, 2) => look(&kms).await,
                        _ => self.look_everywhere(directory).await,
                    };
                    action::link_state(&view, value)
                }
            },
            Order::SwitchPort(value) => Ok(action::switch_port(value)),
            Order::RelayPoint(value) => action::relay_point(&look(&[&value.relay_point_id]).await, value),
            Order::BackupChannel(value) => {
                let view = look(&[&value.module_id]).await;
                let view = if view.modules.is_empty() { self.look_everywhere(directory).await } else { view };
                action::backup_channel(&view, value)
            }
            Order::KmChannel(value) => {
                let mut view = look(&[&value.km_id]).await;
                let links = view.kms.values().flat_map(|config| &config.km_link);
                let link = links.into_iter().find(|link| link.name == value.km_link);
                if let Some(peer) = link.map(|link| link.peer_km_id.clone()) {
                    view.update(look(&[&peer]).await);
                }
                action::km_channel(&view, value)
            }
            Order::Path(value) => {
                let avoided = value.value.avoid.iter().filter_map(|id| directory.get(id));
                let avoided = avoided.filter(|entry| entry.kind == AgentKind::QkdModule);
                let entries: Vec<Entry> = directory.of(&[AgentKind::KeyManager]).chain(avoided).cloned().collect();
                let view = self.look(entries, Patience::TryOnce).await;
                let began = Instant::now();
                let plan = action::path(&view, value);
                let mut mind = self.mind();
                mind.computation_time = Some(began.elapsed().as_secs_f64() * 1000.0);
                if let Ok(plan) = &plan {
                    mind.blocked_ever += plan.blocked.len() as u64;
                    mind.blocked.extend(plan.blocked.iter().cloned());
                }
                drop(mind);
                if plan.as_ref().is_ok_and(|plan| !plan.blocked.is_empty()) {
                    self.tell(Fact::ConditionsChanged);
                }
                plan
            }
            Order::Policy(value) => {
                let mind = self.mind();
                let known = mind.config.policy.iter().find(|policy| policy.policy_id == value.policy_id);
                match known {
                    Some(policy) if policy.version == value.version => {
                        let text = format!(
                            "policy {} is in force in version {}; routing is by hops and does not heed it",
                            policy.policy_id, policy.version
                        );
                        Ok(Plan { text, ..Plan::default() })
                    }
                    Some(policy) => Err(format!("policy {} is there in version {}", policy.policy_id, policy.version)),
                    None => Err(format!("there is no policy {}", value.policy_id)),
                }
            }
            Order::Declined(reason) => Err((*reason).to_owned()),
        }
    }

    /// Writes what is planned, stage by stage.
    async fn perform(&self, directory: &Directory, plan: Plan) -> Ended {
        let mut stages: BTreeMap<u8, Vec<Edit>> = BTreeMap::new();
        let planned = plan.edits.len();
        plan.edits.into_iter().for_each(|edit| stages.entry(edit.stage).or_default().push(edit));
        let mut effect = Vec::new();
        let mut failed_groups = BTreeSet::new();
        let mut reasons = Vec::new();
        for edits in stages.into_values() {
            let edits: Vec<Edit> = edits.into_iter().filter(|edit| !failed_groups.contains(&edit.group)).collect();
            for (edit, result) in self.client.write(directory, edits).await {
                if let Err(reason) = &result {
                    reasons.push(format!("{}: {reason}", edit.target));
                    if edit.needed {
                        failed_groups.insert(edit.group);
                    }
                }
                let text = match &result {
                    Ok(()) => edit.text,
                    Err(reason) => format!("{}: {reason}", edit.text),
                };
                effect.push(Effect {
                    number: u16::try_from(effect.len() + 1).unwrap_or(u16::MAX),
                    resource_id: edit.target,
                    reference_point: edit.reference_point,
                    text,
                    succeeded: result.is_ok(),
                });
            }
        }
        let in_vain = planned > 0 && !effect.iter().any(|effect| effect.succeeded);
        let rerouted = plan.reroutes.into_iter().enumerate();
        let rerouted: Vec<Reroute> =
            rerouted.filter(|(group, _)| !failed_groups.contains(group)).map(|(_, reroute)| reroute).collect();
        self.mind().reroutes_ever += rerouted.len() as u64;
        let failed = in_vain || !failed_groups.is_empty() || !plan.blocked.is_empty();
        let state = if failed { ActionState::Failed } else { ActionState::Done };
        let mut text = if failed_groups.is_empty() && !in_vain { plan.text } else { format!("wanted: {}", plan.text) };
        if !reasons.is_empty() {
            text.push_str(&format!("; not changed: {}", reasons.join("; ")));
        }
        Ended { state, text, effect, rerouted, avoided: None }
    }

    /// What keys get through again is not without a way any more.
    fn unblock(&self) {
        let mut mind = self.mind();
        if mind.blocked.is_empty() {
            return;
        }
        let (none, routes) = (BTreeSet::new(), route::routes(&mind.view));
        let ways = Ways::new(&mind.view, &none);
        let live = |id: &String| routes.get(id).and_then(route::Route::hops).is_some_and(|hops| ways.is_live(&hops));
        let open: Vec<String> = mind.blocked.iter().filter(|id| live(id)).cloned().collect();
        open.iter().for_each(|id| {
            mind.blocked.remove(id);
        });
        drop(mind);
        if !open.is_empty() {
            self.tell(Fact::ConditionsChanged);
        }
    }
}
