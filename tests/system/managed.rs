//! An agent under the manager's brain and shell: a fault becomes an alarm and a run of 10.1.1, a lost agent an alarm that ends with its return.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agents::topology::AgentKind;
use jiff::Timestamp;
use manager::brain::Manager;
use manager::connection::{Devices, Pace};
use manager::input::Input;
use manager::model::{ConnectionState, Plan};
use manager::record::{Alarm, Procedure};
use manager::schema::device_schema;
use manager::shell::{self, Inputs};
use manager::store::{RunQuery, Sqlite, Store};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::contact::{LINK, configuration, fault, in_time, plan};

/// Looks into the store until `find` finds something.
async fn until<T>(store: &Sqlite, what: &str, find: impl Fn(&Sqlite) -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = find(store) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(60), looking).await;
    found.unwrap_or_else(|_| panic!("no {what} among {:#?}", (store.alarms(), store.runs(&all()))))
}

async fn alarm(store: &Sqlite, alarm_type: &str, cleared: bool) -> Alarm {
    let fits = |alarm: &Alarm| alarm.key.alarm_type_id.ends_with(alarm_type) && alarm.is_cleared == cleared;
    until(store, alarm_type, |store| store.alarms().unwrap().into_iter().find(&fits)).await
}

fn all() -> RunQuery {
    RunQuery { run_id: None, maximum: 100 }
}

struct Agent {
    address: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), agents::run::RunError>>,
}

impl Agent {
    async fn start(directory: &Path, listen: &str) -> Agent {
        let (stop, (ready, address)) = (CancellationToken::new(), tokio::sync::oneshot::channel());
        let known = move |address| ready.send(address).unwrap();
        let mut configuration = configuration(directory);
        configuration.listen = listen.to_owned();
        let task = tokio::spawn(agents::run::agent(AgentKind::QkdModule, configuration, None, stop.clone(), known));
        let Ok(address) = in_time(address).await else { panic!("no agent: {:?}", task.await) };
        Agent { address, stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        in_time(self.task).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_an_alarm_and_a_run_and_a_lost_agent_is_noticed_and_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let agent = Agent::start(directory.path(), "127.0.0.1:0").await;
    let store = Arc::new(Sqlite::open(&directory.path().join("manager.db")).unwrap());
    let (inputs, queue) = Inputs::channel();
    let shutdown = CancellationToken::new();
    let devices =
        Devices::new(device_schema(), directory.path(), inputs.clone(), &[], Pace::default(), shutdown.clone())
            .unwrap();
    let (mut brain, first) = Manager::recover(store.recover().unwrap(), Timestamp::now());
    let handle = move |input, now| brain.handle(input, now);
    let (notifications, mut told) = mpsc::channel(1024);
    tokio::spawn(async move { while told.recv().await.is_some() {} });
    let shell = shell::start(handle, first, queue, store.clone(), devices.clone(), notifications, shutdown.clone());
    let plans: Vec<Plan> = vec![plan(agent.address.port())];
    inputs.send(Input::Devices(plans.clone())).await.unwrap();
    devices.set(plans);
    let device = until(&store, "operational device", |store| {
        let states = store.devices(Some("m")).unwrap();
        states.into_iter().find(|state| state.connection_state == ConnectionState::Operational)
    });
    let device = device.await;
    assert_eq!(device.found_id.as_deref(), Some("urn:qkdn:test:module:1"));

    let link = format!(
        "<edit-config><target><running/></target><config><qkd-module xmlns=\"urn:qkdn:yang:qkdn-mq\"><link><link-id>{LINK}</link-id>\
         <peer-module-id>urn:qkdn:test:module:2</peer-module-id></link></qkd-module></config></edit-config>"
    );
    assert!(devices.call("m", link, None).await.unwrap().elements.starts_with("<ok"));
    assert_eq!(devices.connect_now("m", false).await.unwrap().0, ConnectionState::Operational);
    devices.call("m", fault("inject-fault", "<fibre-cut/>"), None).await.unwrap();
    let raised = alarm(&store, "qkd-link-down", false).await;
    assert_eq!((raised.key.resource.as_str(), raised.device.as_deref()), (LINK, Some("m")));
    // There is no controller to carry out step 8.
    let steps = until(&store, "decision", |store| {
        let runs = store.runs(&all()).unwrap();
        let run = runs.into_iter().find(|run| run.procedure == Procedure::LinkFailure)?;
        store.steps(&run.run_id).ok().filter(|steps| steps.len() == 7)
    });
    let steps = steps.await;
    assert_eq!(steps.iter().map(|step| step.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
    assert!(steps[6].text.contains(LINK), "{steps:?}");
    devices.call("m", fault("clear-fault", "<all/>"), None).await.unwrap();
    assert_eq!(alarm(&store, "qkd-link-down", true).await.alarm_id, raised.alarm_id);

    let address = agent.address.to_string();
    agent.stop().await;
    let lost = alarm(&store, "agent-unreachable", false).await;
    let agent = Agent::start(directory.path(), &address).await;
    assert_eq!(alarm(&store, "agent-unreachable", true).await.alarm_id, lost.alarm_id);
    shutdown.cancel();
    in_time(devices.close()).await;
    in_time(shell).await.unwrap();
    agent.stop().await;
}
