//! A store in memory: records folded to what a restart finds.

use std::collections::BTreeMap;

use crate::input::{Effect, Recovered};
use crate::record::{Alarm, AlarmKey, DeviceState, Inconsistency, Network, Record, Resource, Run, Step};

#[derive(Default)]
pub struct Memory {
    devices: BTreeMap<String, DeviceState>,
    resources: BTreeMap<String, Resource>,
    networks: BTreeMap<String, Network>,
    inconsistencies: Vec<Inconsistency>,
    alarms: BTreeMap<AlarmKey, Alarm>,
    /// By number.
    runs: BTreeMap<u64, (Run, Vec<Step>)>,
    last_alarm: u64,
}

impl Memory {
    pub fn keep(&mut self, effect: &Effect) {
        let Effect::Store(record) = effect else { return };
        match record.clone() {
            Record::Device(device) => drop(self.devices.insert(device.name.clone(), *device)),
            Record::DeviceForgotten(name) => drop(self.devices.remove(&name)),
            Record::Resource(resource) => drop(self.resources.insert(resource.resource_id.clone(), *resource)),
            Record::ResourceForgotten(id) => drop(self.resources.remove(&id)),
            Record::Network(network) => drop(self.networks.insert(network.network_id.clone(), network)),
            Record::Inconsistencies(all) => self.inconsistencies = all,
            Record::Alarm(alarm) => {
                self.last_alarm = self.last_alarm.max(number(&alarm.alarm_id));
                self.alarms.insert(alarm.key.clone(), *alarm);
            }
            Record::AlarmPurged(key) => drop(self.alarms.remove(&key)),
            Record::Run(run) => {
                let steps = self.runs.remove(&number(&run.run_id)).map(|(_, steps)| steps).unwrap_or_default();
                self.runs.insert(number(&run.run_id), (run, steps));
            }
            Record::Step(step) => {
                self.runs.get_mut(&number(&step.run_id)).expect("a run comes before its steps").1.push(step)
            }
            Record::Performance(_) | Record::Intervals(_) | Record::Audit(_) => {}
        }
    }

    pub fn recovered(&self) -> Recovered {
        Recovered {
            devices: self.devices.values().cloned().collect(),
            resources: self.resources.values().cloned().collect(),
            networks: self.networks.values().cloned().collect(),
            inconsistencies: self.inconsistencies.clone(),
            alarms: self.alarms.values().cloned().collect(),
            runs: self.runs.values().filter(|(run, _)| run.ended.is_none()).cloned().collect(),
            last_alarm: self.last_alarm,
            last_run: self.runs.keys().max().copied().unwrap_or(0),
        }
    }
}

fn number(id: &str) -> u64 {
    id.rsplit('-').next().unwrap().parse().unwrap()
}
