//! Golden files that are played: lines of what happens, each followed by short lines of what the brain makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::effect::line;
use super::memory::Memory;
use super::world::{World, full};
use crate::brain::Manager;
use crate::facts::{ActionProgress, Diagnosis, EventContent};
use crate::input::{Effect, Input, Notification, PurgeFilter, Recovered, Request, SessionFacts};
use crate::model::{Function, Severity};
use crate::record::{AlarmKey, Procedure, Record};

/// A line of what happens. `at`: seconds since the start.
#[derive(Deserialize)]
struct Line {
    at: f64,
    #[serde(rename = "do")]
    act: Act,
    /// What comes of it is not written down: another file has it.
    #[serde(default)]
    quiet: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Act {
    /// The manager starts with all devices of this network planned and read.
    Start(String),
    /// The same, with nothing planned yet.
    Network(String),
    /// Devices are planned, all but these.
    Plan {
        without: Vec<String>,
    },
    /// The manager stops, and another starts with what it stored.
    Restart {
        without: Vec<String>,
    },
    Tick,
    Connected(String),
    /// It is connected and read.
    Back(String),
    /// It is read anew.
    Read(String),
    Unread {
        device: String,
        error: String,
    },
    Failing {
        device: String,
        error: String,
    },
    Lost(String),
    Refused {
        device: String,
        error: String,
    },
    Gap {
        device: String,
        lost: u64,
    },
    /// The device has lost its alarm list.
    Forget(String),
    /// What the device reports from now on.
    Change {
        device: String,
        with: Value,
    },
    /// A device raises an alarm; without a severity it clears it.
    Alarm {
        device: String,
        resource: String,
        alarm: String,
        severity: Option<Severity>,
    },
    /// The same notifications of a device once more.
    Replay(String),
    State {
        device: String,
        resource: String,
        oper_state: String,
        time: f64,
    },
    /// Of the device as a whole.
    ServiceState {
        device: String,
        service_state: String,
    },
    ConfigChange(String),
    Diagnosed {
        run: String,
        device: String,
        cause: Option<String>,
        error: Option<String>,
    },
    Controlled {
        run: String,
        device: String,
        action: Option<String>,
        error: Option<String>,
    },
    /// The controller tells how far it got with an action.
    Progress {
        action: String,
        operation: Option<String>,
        state: String,
        text: Option<String>,
    },
    Ack {
        resource: String,
        alarm: String,
    },
    Purge(String),
    RootCause(String),
    RunConfiguration {
        devices: Vec<String>,
    },
}

/// What takes part in a script.
struct Stage {
    manager: Manager,
    memory: Memory,
    world: World,
    events: BTreeMap<String, Vec<Input>>,
    asked: u64,
}

pub fn time(seconds: f64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + (seconds * 1000.0).round() as i64).unwrap()
}

/// Plays a file and compares; with UPDATE_GOLDEN=1 in the environment what came is written down. Returns what is kept at the end.
#[track_caller]
pub fn play(name: &str) -> Recovered {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(format!("{name}.jsonl"));
    let text = std::fs::read_to_string(&path).unwrap();
    let (manager, _) = Manager::recover(Default::default(), time(0.0));
    let mut stage =
        Stage { manager, memory: Memory::default(), world: World::named("line"), events: BTreeMap::new(), asked: 0 };
    let mut came = Vec::new();
    let mut all = Vec::new();
    for text in text.lines().filter(|text| text.starts_with("{\"at\"")) {
        let line: Line = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        came.push(text.to_owned());
        let effects = stage.act(line.act, time(line.at));
        if !line.quiet {
            came.extend(effects.iter().map(|effect| self::line(effect).to_string()));
        }
        all.extend(effects);
    }
    assert_in_order(&all);
    compare(&path, &text, &came);
    stage.memory.recovered()
}

fn compare(path: &PathBuf, text: &str, came: &[String]) {
    let expected: Vec<&str> = text.lines().collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, came.join("\n") + "\n").unwrap();
        return;
    }
    let differs =
        (0..expected.len().max(came.len())).find(|&at| expected.get(at).copied() != came.get(at).map(String::as_str));
    if let Some(at) = differs {
        let (expected, came) = (expected.get(at).unwrap_or(&"the end"), came.get(at).map_or("the end", String::as_str));
        panic!("{}:{}:\nexpected {expected}\n    came {came}\nUPDATE_GOLDEN=1 accepts", path.display(), at + 1);
    }
}

/// Whatever a file says: the steps of 10.1.1 and 10.5 come in the Recommendation's order, a run that has ended does nothing more, and an alarm
/// is told before the run that it begins.
fn assert_in_order(effects: &[Effect]) {
    let (mut last, mut ended) = (BTreeMap::new(), BTreeSet::new());
    let (mut procedures, mut told) = (BTreeMap::new(), BTreeSet::new());
    for effect in effects {
        match effect {
            Effect::Store(Record::Run(run)) => {
                procedures.insert(run.run_id.clone(), run.clone());
                if run.ended.is_some() {
                    assert!(ended.insert(run.run_id.clone()), "{} ends twice", run.run_id);
                }
            }
            Effect::Store(Record::Step(step)) => {
                assert!(!ended.contains(&step.run_id), "{step:?} of a run that has ended");
                let before = last.insert(step.run_id.clone(), step.number).unwrap_or(0);
                let (actor, again) = match (procedures[&step.run_id].procedure, step.number) {
                    (Procedure::LinkFailure, 1..=5) => (Function::Qlm, None),
                    (Procedure::LinkFailure, 6) => (Function::Xlmo, None),
                    (Procedure::LinkFailure, number) => (Function::Qclm, Some(8).filter(|_| number == 8)),
                    (Procedure::Security, 1..=3) => (Function::Qlm, None),
                    (Procedure::Security, 4) => (Function::Xlmo, None),
                    // The next action is sent when the one before is done, or was refused.
                    (Procedure::Security, number) => {
                        (Function::Qclm, Some(if number == 5 { before.max(5) } else { 5 }))
                    }
                    _ => continue,
                };
                let is_next = step.number == before + 1 || again == Some(before);
                assert!(is_next, "step {} of {} after {before}", step.number, step.run_id);
                assert_eq!(step.actor, actor);
            }
            Effect::Notify(notification) => match notification.as_ref() {
                Notification::Alarm(alarm) => {
                    told.insert(alarm.alarm_id.clone());
                }
                Notification::ProcedureStep(step) => {
                    let untold = procedures[&step.run_id].alarm_id.iter().find(|alarm| !told.contains(*alarm));
                    assert_eq!(untold, None, "{step:?}");
                }
                _ => {}
            },
            _ => {}
        }
    }
}

impl Stage {
    fn act(&mut self, act: Act, now: Timestamp) -> Vec<Effect> {
        let read = |stage: &Stage, device: &str| {
            let report = Box::new(stage.world.devices[device].clone());
            Input::Synchronized { device: device.to_owned(), report }
        };
        let connected = |device: &str| {
            let session = SessionFacts { session_id: 7, ..SessionFacts::default() };
            Input::Connected { device: device.to_owned(), session }
        };
        let input = match act {
            Act::Start(name) => {
                self.world = World::named(&name);
                let mut out = self.tell(Input::Devices(self.world.plans(&[])), now);
                for device in self.world.devices.keys().cloned().collect::<Vec<_>>() {
                    out.extend(self.tell(connected(&device), now));
                    out.extend(self.tell(read(self, &device), now));
                }
                return out;
            }
            Act::Network(name) => {
                self.world = World::named(&name);
                return Vec::new();
            }
            Act::Restart { without } => {
                let (manager, first) = Manager::recover(self.memory.recovered(), now);
                self.manager = manager;
                first.iter().for_each(|effect| self.memory.keep(effect));
                let plans = Input::Devices(self.world.plans(&without));
                return [first, self.tell(plans, now)].concat();
            }
            Act::Back(device) => {
                let out = self.tell(connected(&device), now);
                let read = self.tell(read(self, &device), now);
                return [out, read].concat();
            }
            Act::Change { device, with } => {
                self.world.change(&device, &with);
                return Vec::new();
            }
            Act::Forget(device) => {
                self.world.devices.get_mut(&device).unwrap().alarms.clear();
                return Vec::new();
            }
            Act::Replay(device) => {
                let events = self.events.get(&device).cloned().unwrap_or_default();
                return events.into_iter().flat_map(|event| self.tell(event, now)).collect();
            }
            Act::Alarm { device, resource, alarm, severity } => {
                let event = self.world.alarm(&device, &resource, &alarm, severity, now);
                let input = Input::Event { device: device.clone(), event: Box::new(event) };
                self.events.entry(device).or_default().push(input.clone());
                input
            }
            Act::Plan { without } => Input::Devices(self.world.plans(&without)),
            Act::Tick => Input::Tick,
            Act::Connected(device) => connected(&device),
            Act::Read(device) => read(self, &device),
            Act::Unread { device, error } => Input::NotSynchronized { device, error },
            Act::Failing { device, error } => {
                Input::Connecting { device, attempts: 1, next_attempt: None, error: Some(error) }
            }
            Act::Lost(device) => Input::Lost { device, error: "connection closed".to_owned() },
            Act::Refused { device, error } => Input::Refused { device, error },
            Act::Gap { device, lost } => Input::Gap { device, lost },
            Act::State { device, resource, oper_state, time: at } => {
                let (resource_id, state) = (full(&resource), "oper-state".to_owned());
                let content = EventContent::StateChange { resource_id, state, new: oper_state };
                let event = Box::new(crate::facts::DeviceEvent {
                    sequence_number: None,
                    ..self.world.event(time(at), content)
                });
                Input::Event { device, event }
            }
            Act::ServiceState { device, service_state } => {
                let resource_id = self.world.devices[&device].id.clone().unwrap();
                let content =
                    EventContent::StateChange { resource_id, state: "service-state".to_owned(), new: service_state };
                let event = Box::new(self.world.event(now, content));
                Input::Event { device, event }
            }
            Act::ConfigChange(device) => {
                let name = "ietf-netconf-notifications:netconf-config-change".to_owned();
                let event = Box::new(self.world.event(now, EventContent::Other(name)));
                Input::Event { device, event }
            }
            Act::Diagnosed { run, device, cause, error } => {
                let diagnosis = |cause: String| {
                    let probable_cause = format!("qkdn-mq:{cause}");
                    let found = json!({"probable-cause": probable_cause, "confidence": 90.0, "text": "as measured"});
                    Box::new(serde_json::from_value::<Diagnosis>(found).unwrap())
                };
                Input::Diagnosed { run, device, result: cause.map(diagnosis).ok_or(error.unwrap_or_default()) }
            }
            Act::Controlled { run, device, action, error } => {
                Input::Controlled { run, device, result: action.ok_or(error.unwrap_or_default()) }
            }
            Act::Progress { action, operation, state, text } => {
                let progress = ActionProgress { action_id: action, operation_id: operation, state, text };
                let event = Box::new(self.world.event(now, EventContent::ControlAction(Box::new(progress))));
                Input::Event { device: "qc".to_owned(), event }
            }
            Act::Ack { resource, alarm } => self.ask(Request::SetOperatorState {
                alarm: AlarmKey {
                    resource: full(&resource),
                    alarm_type_id: format!("qkdn-alarms:{alarm}"),
                    ..AlarmKey::default()
                },
                state: "ack".to_owned(),
                text: None,
                operator: "ann".to_owned(),
            }),
            Act::Purge(clearance) => {
                self.ask(Request::PurgeAlarms(PurgeFilter { clearance, ..PurgeFilter::default() }))
            }
            Act::RootCause(alarm_id) => self.ask(Request::RootCause { alarm_id }),
            Act::RunConfiguration { devices } => self.ask(Request::RunConfigurationProcedure { devices }),
        };
        self.tell(input, now)
    }

    fn ask(&mut self, request: Request) -> Input {
        self.asked += 1;
        Input::Request { number: self.asked, request }
    }

    fn tell(&mut self, input: Input, now: Timestamp) -> Vec<Effect> {
        let effects = self.manager.handle(input, now);
        effects.iter().for_each(|effect| self.memory.keep(effect));
        effects
    }
}
