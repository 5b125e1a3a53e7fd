//! The manager's contact with an agent as it is: read, asked, told of a fault, and told later of what happened while nobody listened.

use std::path::Path;
use std::time::Duration;

use agents::config::Config;
use agents::topology::AgentKind;
use manager::connection::{Devices, Pace};
use manager::facts::{EventContent, Facts, ReportedAlarm};
use manager::input::Input;
use manager::model::{Credential, Kind, Plan, Secret};
use manager::record::{DeviceState, Granularity};
use manager::schema::device_schema;
use manager::shell::{InputQueue, Inputs, Told};
use netconf::client::{Session, SessionConfig};
use netconf::transport::ssh;
use tokio_util::sync::CancellationToken;

/// Reached only by a test that fails.
const DEADLINE: Duration = Duration::from_secs(60);

pub const LINK: &str = "urn:qkdn:test:link:1";

pub async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("in time")
}

pub fn configuration(directory: &Path) -> Config {
    std::fs::write(directory.join("qlm.password"), "qlm-secret\n").unwrap();
    let text = format!(
        "name = \"m\"\nresource-id = \"urn:qkdn:test:module:1\"\nlisten = \"127.0.0.1:0\"\nstate-dir = \"agent\"\nhost-key = \"host_key\"\n\
         driver = \"simulated\"\n[[user]]\nname = \"qlm\"\npassword-file = \"qlm.password\"\ngroups = [\"manager\"]\n\
         [simulated]\nlink-id = \"{LINK}\"\n"
    );
    std::fs::write(directory.join("agent.toml"), text).unwrap();
    Config::load(&directory.join("agent.toml")).unwrap()
}

pub fn plan(port: u16) -> Plan {
    Plan {
        name: "m".into(),
        device_id: None,
        kind: Kind::QkdModule,
        managed: true,
        address: Some("127.0.0.1".into()),
        port,
        credential: Some(Credential { user: "qlm".into(), secret: Secret::Password("qlm-secret".into()) }),
        host_key: None,
        timeout: Duration::from_secs(30),
        location: None,
    }
}

/// What the brain would hear.
struct Listener {
    devices: Devices,
    queue: InputQueue,
    shutdown: CancellationToken,
}

impl Listener {
    fn new(directory: &Path, port: u16, recovered: &[DeviceState]) -> Listener {
        let (inputs, queue) = Inputs::channel();
        let shutdown = CancellationToken::new();
        let devices =
            Devices::new(device_schema(), directory, inputs, recovered, Pace::default(), shutdown.clone()).unwrap();
        devices.set(vec![plan(port)]);
        Listener { devices, queue, shutdown }
    }

    /// The next input that `takes` makes something of.
    async fn until<T>(&mut self, mut takes: impl FnMut(Input) -> Option<T>) -> T {
        in_time(async {
            loop {
                if let Told::Input(input) = self.queue.next().await.expect("it goes on")
                    && let Some(taken) = takes(input)
                {
                    return taken;
                }
            }
        })
        .await
    }

    async fn alarm(&mut self, alarm_type: &str, cleared: bool) -> (jiff::Timestamp, Box<ReportedAlarm>) {
        self.until(|input| match input {
            Input::Event { event, .. } => match event.content {
                EventContent::Alarm(alarm)
                    if alarm.key.alarm_type_id.ends_with(alarm_type) && alarm.severity.is_none() == cleared =>
                {
                    Some((event.time, alarm))
                }
                _ => None,
            },
            Input::Gap { .. } | Input::Lost { .. } | Input::NotSynchronized { .. } => panic!("{input:?}"),
            _ => None,
        })
        .await
    }
}

pub fn fault(operation: &str, content: &str) -> String {
    format!("<{operation} xmlns=\"urn:qkdn:yang:qkdn-simulation\">{content}</{operation}>")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_read_asked_and_heard_even_of_what_it_said_to_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let (stop, (ready, address)) = (CancellationToken::new(), tokio::sync::oneshot::channel());
    let known = move |address| ready.send(address).unwrap();
    let agent = tokio::spawn(agents::run::agent(
        AgentKind::QkdModule,
        configuration(directory.path()),
        None,
        stop.clone(),
        known,
    ));
    let Ok(address) = in_time(address).await else { panic!("no agent: {:?}", agent.await) };
    let port = address.port();

    let mut listener = Listener::new(directory.path(), port, &[]);
    let report = listener.until(|input| match input {
        Input::Synchronized { report, .. } => Some(report),
        _ => None,
    });
    let report = report.await;
    assert_eq!((report.kind, report.id.as_deref()), (Kind::QkdModule, Some("urn:qkdn:test:module:1")));
    assert!(report.simulated && matches!(report.facts, Facts::QkdModule(_)), "{report:?}");
    assert!(report.modules.iter().any(|module| module.name == "qkdn-mq" && module.managed));

    listener.devices.call("m", fault("inject-fault", "<fibre-cut/>"), None).await.unwrap();
    let (raised, _) = listener.alarm("qkd-link-down", false).await;
    listener.devices.diagnose("run-1".into(), "m".into(), Some(LINK.into()), 1);
    let diagnosis = listener.until(|input| match input {
        Input::Diagnosed { result, .. } => Some(result),
        _ => None,
    });
    let diagnosis = diagnosis.await.unwrap();
    assert!(diagnosis.probable_cause.contains("fibre"), "{diagnosis:?}");
    let information = listener.devices.performance("m").await.unwrap();
    let loss = information.iter().find(|one| one.kind == "qkdn-performance:channel-loss").unwrap();
    assert!(loss.current.as_ref().unwrap().value.unwrap() > 20.0, "{loss:?}");
    listener.devices.performance_history("m", Granularity::QuarterHour, None).await.unwrap();
    listener.shutdown.cancel();
    in_time(listener.devices.close()).await;
    assert!(!listener.devices.is_connected("m"));

    // Nobody listens while the fibre is mended.
    let target = ssh::Target {
        host: "127.0.0.1".into(),
        port,
        user: "qlm".into(),
        credential: ssh::Credential::Password("qlm-secret".into()),
        host_key: ssh::HostKeyCheck::Any,
        timeout: DEADLINE,
    };
    let stream = ssh::connect(&target).await.unwrap();
    let (session, _notifications) = Session::open(stream, SessionConfig::default()).await.unwrap();
    session.rpc(fault("clear-fault", "<all/>")).await.unwrap();
    in_time(async {
        let alarms = "<get><filter type=\"subtree\"><alarms xmlns=\"urn:ietf:params:xml:ns:yang:ietf-alarms\"><alarm-list/></alarms></filter></get>";
        while session.rpc(alarms).await.unwrap().text().contains("<is-cleared>false") {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;

    let state = DeviceState { name: "m".into(), last_event_time: Some(raised), ..DeviceState::default() };
    let mut listener = Listener::new(directory.path(), port, &[state]);
    // The last event that was known comes again, and then what was missed, before the device is read.
    let (again, _) = listener.alarm("qkd-link-down", false).await;
    assert_eq!(again, raised);
    let (cleared, _) = listener.alarm("qkd-link-down", true).await;
    assert!(cleared > raised);
    let report = listener.until(|input| match input {
        Input::Synchronized { report, .. } => Some(report),
        _ => None,
    });
    assert!(!report.await.alarms.is_empty());
    listener.shutdown.cancel();
    in_time(listener.devices.close()).await;
    stop.cancel();
    in_time(agent).await.unwrap().unwrap();
    drop(session);
}
