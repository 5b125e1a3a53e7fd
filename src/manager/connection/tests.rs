//! Contact with a device over loopback SSH, as the brain hears of it.

use std::collections::BTreeSet;

use super::double::{Double, Way, controller_schema, foreign_schema, in_time, module_schema};
use super::*;
use crate::input::{Input, SessionFacts};
use crate::record::Record;
use crate::schema::device_schema;
use crate::shell::{InputQueue, Told};

/// The manager's side.
struct Manager {
    devices: Devices,
    queue: InputQueue,
    audits: Vec<String>,
    shutdown: CancellationToken,
}

impl Manager {
    fn new(directory: &Path, pace: Pace) -> Manager {
        let (inputs, queue) = Inputs::channel();
        let shutdown = CancellationToken::new();
        let devices = Devices::new(device_schema(), directory, inputs, &[], pace, shutdown.clone()).unwrap();
        Manager { devices, queue, audits: Vec::new(), shutdown }
    }

    /// The next input.
    async fn next(&mut self) -> Input {
        loop {
            match in_time(self.queue.next()).await.unwrap() {
                Told::Input(input) => return input,
                Told::Keep(records, None) => {
                    for record in records {
                        let Record::Audit(audit) = record else { panic!("{record:?}") };
                        self.audits.push(format!("{} {}: {}", audit.user, audit.operation, audit.result));
                    }
                }
                told => panic!("{told:?}"),
            }
        }
    }

    /// The next that is none of a try to connect.
    async fn heard(&mut self) -> Input {
        loop {
            match self.next().await {
                Input::Connecting { .. } => {}
                input => return input,
            }
        }
    }

    async fn connected(&mut self) -> (SessionFacts, Box<crate::facts::Report>) {
        let session = match self.heard().await {
            Input::Connected { session, .. } => session,
            input => panic!("{input:?}"),
        };
        loop {
            match self.heard().await {
                Input::Synchronized { report, .. } => return (session, report),
                Input::Event { .. } => {}
                input => panic!("{input:?}"),
            }
        }
    }

    async fn refused(&mut self) -> String {
        match self.heard().await {
            Input::Refused { error, .. } => error,
            input => panic!("{input:?}"),
        }
    }

    async fn lost(&mut self) -> String {
        match self.heard().await {
            Input::Lost { error, .. } => error,
            input => panic!("{input:?}"),
        }
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn get_nothing() -> String {
    query::ARE_YOU_THERE.to_owned()
}

#[tokio::test]
async fn a_device_is_met_read_and_asked() {
    let directory = tempfile::tempdir().unwrap();
    let double = Double::start(directory.path(), module_schema()).await;
    let mut manager = Manager::new(directory.path(), Pace::default());
    assert!(matches!(manager.devices.call("a", get_nothing(), None).await, Err(CallError::NotManaged(_))));
    manager.devices.set(vec![double.plan("a")]);
    let (session, report) = manager.connected().await;
    assert!(session.host_key.unwrap().starts_with("SHA256:"));
    assert!(session.capabilities.iter().any(|uri| uri.contains("yang-library")));
    assert_eq!(report.kind, Kind::QkdModule);
    let module = report.modules.iter().find(|module| module.name == "qkdn-mq").unwrap();
    assert!(module.managed && !module.revision.is_empty(), "{module:?}");
    assert!(report.modules.iter().all(|module| module.name != "ietf-inet-types"), "an import is listed");
    assert_eq!(manager.devices.connect_now("a", false).await.unwrap().0, ConnectionState::Operational);
    assert!(matches!(manager.heard().await, Input::Synchronized { .. }), "it was not read anew");
    assert_eq!(manager.devices.operational(), [("a".to_owned(), Kind::QkdModule)]);
    assert_eq!(manager.audits, ["qlm open-session: ok"]);

    let get = "<get-config><source><running/></source><filter><nacm xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-acm\"><enable-nacm/></nacm></filter></get-config>";
    let reply = manager.devices.call("a", get.into(), None).await.unwrap();
    assert!(
        reply.elements.starts_with("<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\""),
        "{}",
        reply.elements
    );
    let refused =
        manager.devices.call("a", "<kill-session><session-id>77</session-id></kill-session>".into(), None).await;
    let Err(CallError::Refused { errors, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(errors[0].tag, netconf::error::ErrorTag::InvalidValue);

    manager.devices.set(vec![Plan { managed: false, ..double.plan("a") }]);
    assert!(manager.lost().await.contains("configuration"));
    assert!(!manager.devices.is_connected("a"));
    in_time(async {
        while double.sessions() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_host_key_is_learnt_and_a_changed_one_is_refused_until_it_is_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let mut double = Double::start(directory.path(), module_schema()).await;
    let mut manager = Manager::new(directory.path(), Pace::default());
    manager.devices.set(vec![double.plan("a")]);
    let first = manager.connected().await.0.host_key;
    double.stop().await;
    manager.lost().await;
    double.serve("another_host_key").await;
    let error = manager.refused().await;
    assert!(error.contains("has changed to SHA256:") && error.contains("accept-host-key"), "{error}");
    // What was learnt outlives the manager.
    let mut restarted = Manager::new(directory.path(), Pace::default());
    restarted.devices.set(vec![double.plan("a")]);
    assert!(restarted.refused().await.contains("has changed"));
    let again = restarted.devices.connect_now("a", false);
    assert_eq!(in_time(again).await.unwrap().0, ConnectionState::Failed);
    restarted.refused().await;
    let accepted = restarted.devices.connect_now("a", true);
    let (outcome, connected) =
        in_time(async { tokio::join!(accepted, restarted_connected(&mut restarted.queue)) }).await;
    assert_eq!(outcome.unwrap(), (ConnectionState::Operational, None));
    assert_ne!(connected.host_key, first);
    // The other way around: a configured key holds, whoever accepts another.
    let mut plan = double.plan("a");
    plan.host_key = first;
    restarted.devices.set(vec![plan]);
    restarted.lost().await;
    assert!(restarted.refused().await.contains("not the configured one"));
    let accepted = restarted.devices.connect_now("a", true).await.unwrap();
    assert_eq!(accepted.0, ConnectionState::Failed);
    // A user that the device does not know is not tried again either.
    let mut plan = double.plan("b");
    plan.credential.as_mut().unwrap().user = "eve".into();
    restarted.devices.set(vec![plan]);
    loop {
        let error = restarted.refused().await;
        if error.contains("login of \"eve\" with a key refused") {
            break;
        }
    }
}

async fn restarted_connected(queue: &mut InputQueue) -> SessionFacts {
    let mut facts = None;
    loop {
        match queue.next().await.unwrap() {
            Told::Input(Input::Connected { session, .. }) => facts = Some(session),
            Told::Input(Input::Synchronized { .. }) => return facts.unwrap(),
            _ => {}
        }
    }
}

/// More than all queues on the way hold: some are dropped, and told again.
const MANY: u64 = 4_000;

#[tokio::test]
async fn no_event_is_lost_when_a_session_is_or_when_nobody_takes_them() {
    let directory = tempfile::tempdir().unwrap();
    let double = Double::start(directory.path(), module_schema()).await;
    let mut manager = Manager::new(directory.path(), Pace::default());
    manager.devices.set(vec![double.plan("a")]);
    manager.connected().await;
    double.tell_numbered(1).await;
    let (mut heard, mut lost, mut gaps) = (BTreeSet::new(), 0, 0);
    let mut last = 0;
    while heard.len() < MANY as usize {
        match manager.heard().await {
            Input::Event { event, .. } => {
                let Some(number) = event.sequence_number else { continue };
                if number == 1 && heard.is_empty() {
                    double.hang_up();
                    for number in 2..=MANY {
                        double.tell_numbered(number).await;
                    }
                }
                assert!(number <= last + 1, "{number} after {last}");
                last = number;
                heard.insert(number);
            }
            Input::Lost { .. } => lost += 1,
            Input::Gap { .. } => gaps += 1,
            Input::Connected { .. } | Input::Synchronized { .. } => {}
            input => panic!("{input:?}"),
        }
    }
    assert!(lost > 0 && gaps <= lost, "{lost} {gaps}");
    double.tell_numbered(MANY + 1).await;
    loop {
        if let Input::Event { event, .. } = manager.heard().await
            && event.sequence_number == Some(MANY + 1)
        {
            break;
        }
    }
}

#[tokio::test]
async fn a_number_left_out_makes_for_one_replay_and_not_for_more() {
    let directory = tempfile::tempdir().unwrap();
    let double = Double::start(directory.path(), module_schema()).await;
    let mut manager = Manager::new(directory.path(), Pace::default());
    manager.devices.set(vec![double.plan("a")]);
    manager.connected().await;
    for number in [1, 2, 5] {
        double.tell_numbered(number).await;
    }
    let mut heard = Vec::new();
    while heard.last() != Some(&"9".to_owned()) {
        match manager.heard().await {
            // Beside those, the server tells of sessions, which it does not count.
            Input::Event { event, .. } => heard.extend(event.sequence_number.map(|number| number.to_string())),
            Input::Gap { lost, .. } => heard.push(format!("gap of {lost}")),
            // Here 3 and 4 were never told to anyone: from now on the numbers prove nothing.
            Input::Synchronized { .. } => double.tell_numbered(9).await,
            Input::Lost { .. } | Input::Connected { .. } => {}
            input => panic!("{input:?}"),
        }
    }
    assert_eq!(heard, ["1", "2", "gap of 2", "2", "5", "9"]);
}

#[tokio::test]
async fn a_device_that_hangs_is_noticed_and_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let double = Double::start(directory.path(), module_schema()).await;
    let way = Way::to(double.address).await;
    let pace = Pace { silence: Duration::from_millis(50), answer: Duration::from_millis(500) };
    let mut manager = Manager::new(directory.path(), pace);
    manager.devices.set(vec![Plan { port: way.address.port(), ..double.plan("a") }]);
    manager.connected().await;
    // Silence alone is nothing: it answers when it is asked.
    let quiet = tokio::time::timeout(Duration::from_millis(400), manager.heard()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    way.hang(true);
    let error = manager.lost().await;
    assert!(error.contains("silent"), "{error}");
    way.hang(false);
    manager.connected().await;
}

#[tokio::test]
async fn what_is_not_there_is_tried_again_ever_later_and_at_once_on_request() {
    let directory = tempfile::tempdir().unwrap();
    let mut double = Double::start(directory.path(), module_schema()).await;
    double.stop().await;
    let mut manager = Manager::new(directory.path(), Pace::default());
    manager.devices.set(vec![double.plan("a")]);
    let Input::Connecting { attempts: 0, next_attempt: None, error: None, .. } = manager.next().await else {
        panic!("no first try")
    };
    for expected in 1..=3 {
        let before = Timestamp::now();
        let Input::Connecting { attempts, next_attempt, error, .. } = manager.next().await else { panic!("no try") };
        assert_eq!(attempts, expected);
        assert!(error.unwrap().contains("connection refused"));
        let wait = Duration::try_from(next_attempt.unwrap().duration_since(before)).unwrap();
        let bound = back_off_bound(expected);
        assert!(wait >= bound / 2 && wait < bound + Duration::from_secs(1), "{expected}: {wait:?}");
    }
    assert_eq!(manager.devices.state("a").unwrap().0, ConnectionState::Connecting);
    let call = manager.devices.call("a", get_nothing(), None).await.unwrap_err().to_string();
    assert!(call.contains("not connected") && call.contains("connection refused"), "{call}");
    manager.devices.synchronize("a");
    assert!(matches!(manager.heard().await, Input::NotSynchronized { .. }));
    double.serve("host_key").await;
    let outcome = in_time(manager.devices.connect_now("a", false)).await.unwrap();
    assert_eq!(outcome, (ConnectionState::Operational, None));
}

fn back_off_bound(failures: u32) -> Duration {
    netconf::client::BackOff::default().first * (1 << (failures - 1))
}

#[tokio::test]
async fn a_server_without_modules_of_ours_is_of_unknown_kind() {
    let directory = tempfile::tempdir().unwrap();
    let double = Double::start(directory.path(), foreign_schema()).await;
    let mut manager = Manager::new(directory.path(), Pace::default());
    manager.devices.set(vec![double.plan("a")]);
    let (_, report) = manager.connected().await;
    assert_eq!(report.kind, Kind::Unknown);
    assert!(report.modules.iter().any(|module| module.name == "ietf-netconf-monitoring"));
    manager.devices.call("a", get_nothing(), None).await.unwrap();
}

#[tokio::test]
async fn diagnostics_and_actions_go_out_as_the_modules_have_them() {
    let directory = tempfile::tempdir().unwrap();
    let double = Double::start(directory.path(), controller_schema()).await;
    let mut manager = Manager::new(directory.path(), Pace::default());
    manager.devices.set(vec![double.plan("c")]);
    let (_, report) = manager.connected().await;
    assert_eq!(report.kind, Kind::Controller);
    double.behind().set_output(&["<action-id xmlns=\"urn:qkdn:yang:qkdn-mc\">act-7</action-id><state xmlns=\"urn:qkdn:yang:qkdn-mc\">accepted</state>"]);
    let action = crate::input::ControlAction {
        operation_id: "run-1".into(),
        description: "away from the link".into(),
        kind: "qkdn-types:path-modification".into(),
        priority: 7,
        value: serde_json::json!({"cause": "qber", "alarm-id": ["a-1"], "path": {"avoid": ["urn:l:1"], "share": "12.5"}}),
    };
    manager.devices.control("run-1".into(), "c".into(), Box::new(action.clone()));
    let Input::Controlled { run, device, result } = manager.heard().await else { panic!("no answer") };
    assert_eq!((run.as_str(), device.as_str(), result), ("run-1", "c", Ok("act-7".to_owned())));
    let asked: serde_json::Value = serde_json::from_str(&double.behind().asked()[0]).unwrap();
    let input = &asked["qkdn-mc:control-orchestration-action"]["input"];
    assert_eq!(input["management-operation"], serde_json::json!({"user-identifier": "qlm", "operation-id": "run-1"}));
    assert_eq!(input["type"], "qkdn-types:path-modification");
    assert_eq!(input["value"]["path"]["avoid"], serde_json::json!(["urn:l:1"]));
    assert_eq!((&input["priority"], &input["value"]["alarm-id"][0]), (&7.into(), &"a-1".into()));
    // What cannot be said in the model is not sent; what the device refuses is told.
    let wrong = crate::input::ControlAction { value: serde_json::json!({"nonsense": 1}), ..action.clone() };
    manager.devices.control("run-2".into(), "c".into(), Box::new(wrong));
    let Input::Controlled { result: Err(error), .. } = manager.heard().await else { panic!("no refusal") };
    assert!(error.contains("nonsense"), "{error}");
    double.behind().set_output(&[]);
    manager.devices.control("run-3".into(), "c".into(), Box::new(action));
    let Input::Controlled { result: Err(error), .. } = manager.heard().await else { panic!("no refusal") };
    assert!(error.contains("Not this one."), "{error}");
    manager.devices.diagnose("run-4".into(), "c".into(), Some("urn:l:1".into()), 2);
    let Input::Diagnosed { run, result: Err(error), .. } = manager.heard().await else { panic!("no answer") };
    assert!(run == "run-4" && error.contains("qkdn-mq"), "{error}");
}
