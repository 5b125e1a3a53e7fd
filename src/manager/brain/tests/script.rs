//! A sequence of inputs to a brain, what it decided, and a store that keeps it.

use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::memory::Memory;
use super::network;
use crate::brain::Manager;
use crate::facts::{Diagnosis, Report};
use crate::input::{Effect, Input, Notification, Recovered, Request, SessionFacts};
use crate::record::{Alarm, Record, Run, Step};

pub struct Script {
    manager: Manager,
    pub now: Timestamp,
    memory: Memory,
    /// What the memory would give back now.
    kept: Recovered,
    /// All steps and runs ever, those that ended too.
    pub runs: Vec<(Run, Vec<Step>)>,
    golden: String,
}

/// The manager begins at 12:00:00.
pub fn at(seconds: i64) -> Timestamp {
    "2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

impl Script {
    pub fn new() -> Script {
        let (manager, first) = Manager::recover(Recovered::default(), at(0));
        assert_eq!(first, []);
        Script {
            manager,
            now: at(0),
            memory: Memory::default(),
            kept: Recovered::default(),
            runs: Vec::new(),
            golden: String::new(),
        }
    }

    /// All devices of a network are planned, connected and read. What comes of it is not in the golden file.
    pub fn of(reports: &[(&str, Report)]) -> Script {
        let mut script = Script::new();
        script.tell(Input::Devices(reports.iter().map(|(name, report)| network::plan(name, report)).collect()));
        for (name, report) in reports {
            script.read(name, report.clone());
        }
        script.golden.clear();
        script
    }

    pub fn wait(&mut self, seconds: i64) -> &mut Self {
        self.now += SignedDuration::from_secs(seconds);
        self
    }

    pub fn tell(&mut self, input: Input) -> Vec<Effect> {
        let line = json!({"at": self.now, "input": &input});
        writeln!(self.golden, "{line}").unwrap();
        let effects = self.manager.handle(input, self.now);
        self.decided(&effects);
        effects
    }

    pub fn tick(&mut self, seconds: i64) -> Vec<Effect> {
        self.wait(seconds).tell(Input::Tick)
    }

    pub fn connect(&mut self, device: &str) -> Vec<Effect> {
        self.tell(Input::Connected { device: device.to_owned(), session: SessionFacts::default() })
    }

    pub fn read(&mut self, device: &str, report: Report) -> Vec<Effect> {
        let mut effects = self.connect(device);
        effects.extend(self.tell(Input::Synchronized { device: device.to_owned(), report: Box::new(report) }));
        effects
    }

    pub fn lose(&mut self, device: &str) -> Vec<Effect> {
        self.tell(Input::Lost { device: device.to_owned(), error: "the connection was reset".to_owned() })
    }

    pub fn ask(&mut self, request: Request) -> Vec<Effect> {
        self.tell(Input::Request { number: 1, request })
    }

    pub fn diagnosed(&mut self, run: &str, device: &str, result: Result<Diagnosis, &str>) -> Vec<Effect> {
        let result = result.map(Box::new).map_err(str::to_owned);
        self.tell(Input::Diagnosed { run: run.to_owned(), device: device.to_owned(), result })
    }

    pub fn controlled(&mut self, run: &str, result: Result<&str, &str>) -> Vec<Effect> {
        let result = result.map(str::to_owned).map_err(str::to_owned);
        self.tell(Input::Controlled { run: run.to_owned(), device: "controller".to_owned(), result })
    }

    /// The manager is killed, and started again with what its store holds; the devices are read again.
    pub fn restart(&mut self, reports: &[(&str, Report)]) -> Vec<Effect> {
        writeln!(self.golden, "{}", json!({"at": self.now, "restart": {}})).unwrap();
        let (manager, first) = Manager::recover(self.memory.recovered(), self.now);
        self.manager = manager;
        self.decided(&first);
        let golden = std::mem::take(&mut self.golden);
        let mut effects = first;
        let plans = reports.iter().map(|(name, report)| network::plan(name, report)).collect();
        effects.extend(self.tell(Input::Devices(plans)));
        for (name, report) in reports {
            effects.extend(self.read(name, report.clone()));
        }
        self.golden = golden;
        for effect in effects.iter().filter(|effect| is_of_procedure(effect)) {
            writeln!(self.golden, "{}", json!({"effect": effect})).unwrap();
        }
        effects
    }

    fn decided(&mut self, effects: &[Effect]) {
        for effect in effects {
            // Rows of devices and of the inventory have tests of their own, and would hide what is of interest.
            if !matches!(effect, Effect::Store(Record::Device(_) | Record::Resource(_))) {
                writeln!(self.golden, "{}", json!({"effect": effect})).unwrap();
            }
            self.memory.keep(effect);
        }
        self.kept = self.memory.recovered();
        self.runs = self.memory.runs().cloned().collect();
    }

    pub fn alarms(&self) -> &[Alarm] {
        &self.kept.alarms
    }

    pub fn alarm(&self, identity: &str) -> &Alarm {
        let of_type = |alarm: &&Alarm| alarm.key.alarm_type_id.ends_with(identity);
        self.kept.alarms.iter().find(of_type).unwrap_or_else(|| panic!("no {identity}"))
    }

    /// The newest run, with the numbers of its steps.
    pub fn last_run(&self) -> (&Run, Vec<u8>) {
        let (run, steps) = self.runs.last().expect("there is a run");
        (run, steps.iter().map(|step| step.number).collect())
    }

    pub fn kept(&self) -> &Recovered {
        &self.kept
    }

    /// Compares all that was told and decided with the file.
    pub fn matches_golden(&self, file: &str) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(file);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &self.golden).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for (number, (expected, came)) in golden.lines().zip(self.golden.lines()).enumerate() {
            assert_eq!(expected, came, "{file}, line {}", number + 1);
        }
        assert_eq!(golden.lines().count(), self.golden.lines().count(), "{file}: other lines follow");
    }
}

/// Effects that belong to 10.1.1, among those of a start.
fn is_of_procedure(effect: &Effect) -> bool {
    matches!(effect, Effect::Diagnose { .. } | Effect::Control { .. })
}

/// The devices that are asked for a diagnosis, and for which run.
pub fn diagnoses(effects: &[Effect]) -> Vec<(&str, &str)> {
    let asked = effects.iter().filter_map(|effect| match effect {
        Effect::Diagnose { run, device, .. } => Some((run.as_str(), device.as_str())),
        _ => None,
    });
    asked.collect()
}

/// The actions that are sent: run, type, operation-id.
pub fn actions(effects: &[Effect]) -> Vec<(&str, &str, &str)> {
    let sent = effects.iter().filter_map(|effect| match effect {
        Effect::Control { run, action, .. } => {
            let kind = action.kind.trim_start_matches("qkdn-types:");
            Some((run.as_str(), kind, action.operation_id.as_str()))
        }
        _ => None,
    });
    sent.collect()
}

pub fn notified_alarms(effects: &[Effect]) -> Vec<&Alarm> {
    let alarms = effects.iter().filter_map(|effect| match effect {
        Effect::Notify(notification) => match notification.as_ref() {
            Notification::Alarm(alarm) => Some(alarm),
            _ => None,
        },
        _ => None,
    });
    alarms.collect()
}
