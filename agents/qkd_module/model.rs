//! The data of qkdn-mq as Rust values: configuration, state, counters and the link diagnostic, member for member.

use serde::{Deserialize, Serialize};

use super::catalogue::{alarm_type, quantity};
use crate::alarm::Direction;
use crate::driver::{Answer, Call, Rules};
use crate::model::common::Resource;
use crate::model::threshold::ThresholdLevels;
use crate::model::types::{ChannelState, ChannelUse, Equipment, Location};
use crate::state::{AdminState, OperState, ServiceState};

/// The top-level container, `module:name`.
pub const CONTAINER: &str = "qkdn-mq:qkd-module";

/// `qkd-module-config`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Config {
    pub description: Option<String>,
    pub admin_state: AdminState,
    pub service_state: ServiceState,
    pub location: Location,
    pub role: Option<Role>,
    pub protocol: Option<String>,
    /// Seconds.
    pub sampling_interval: u16,
    pub link: Link,
    pub quantum_channel: Vec<QuantumChannel>,
    pub active_channel: Option<String>,
    pub classical_channel: ClassicalChannel,
    pub source: Source,
    pub thresholds: Thresholds,
}

impl Default for Config {
    /// The defaults of the model.
    fn default() -> Self {
        Config {
            description: None,
            admin_state: AdminState::Enabled,
            service_state: ServiceState::InService,
            location: Location::default(),
            role: None,
            protocol: None,
            sampling_interval: 1,
            link: Link::default(),
            quantum_channel: Vec::new(),
            active_channel: None,
            classical_channel: ClassicalChannel::default(),
            source: Source::default(),
            thresholds: Thresholds::default(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    Transmitter,
    Receiver,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Link {
    pub link_id: Option<String>,
    pub peer_module_id: Option<String>,
    /// km
    pub length: Option<f64>,
    /// dB
    pub expected_attenuation: Option<f64>,
    /// Group of links that protect each other.
    pub protection_group: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct QuantumChannel {
    pub name: String,
    #[serde(rename = "use", default)]
    pub usage: ChannelUse,
    /// nm
    #[serde(default)]
    pub wavelength: Option<f64>,
    #[serde(default)]
    pub port: Option<String>,
    #[serde(default = "yes")]
    pub enabled: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ClassicalChannel {
    /// nm
    pub wavelength: Option<f64>,
    pub peer_address: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Source {
    /// MHz
    pub clock_rate: Option<f64>,
    pub mean_photon_number: Option<f64>,
    pub decoy_mean_photon_number: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Thresholds {
    pub qber: ThresholdLevels,
    pub channel_loss: ThresholdLevels,
    pub secret_key_rate: ThresholdLevels,
    pub visibility: ThresholdLevels,
    pub dark_count_rate: ThresholdLevels,
    pub laser_power: ThresholdLevels,
    pub module_temperature: ThresholdLevels,
    pub detector_temperature: ThresholdLevels,
    pub authentication_key_remaining: ThresholdLevels,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds {
            qber: ThresholdLevels {
                warning: Some(5.0),
                major: Some(8.0),
                critical: Some(11.0),
                ..ThresholdLevels::without_levels(0.5)
            },
            channel_loss: ThresholdLevels::without_levels(0.5),
            secret_key_rate: ThresholdLevels::without_levels(0.0),
            visibility: ThresholdLevels { warning: Some(90.0), ..ThresholdLevels::without_levels(0.5) },
            dark_count_rate: ThresholdLevels::without_levels(0.0),
            laser_power: ThresholdLevels::without_levels(0.5),
            module_temperature: ThresholdLevels { major: Some(65.0), ..ThresholdLevels::without_levels(2.0) },
            detector_temperature: ThresholdLevels::without_levels(1.0),
            authentication_key_remaining: ThresholdLevels::without_levels(0.0),
        }
    }
}

impl Config {
    /// What of it concerns the agent.
    pub fn rules(&self) -> Rules {
        use Direction::{Falling, Rising};
        let t = &self.thresholds;
        let thresholds = [
            t.qber.rule(Rising, quantity::QBER, alarm_type::QBER_THRESHOLD_EXCEEDED, ""),
            t.channel_loss.rule(Rising, quantity::CHANNEL_LOSS, alarm_type::QUANTUM_CHANNEL_LOSS_HIGH, ""),
            t.secret_key_rate.rule(Falling, quantity::SECRET_KEY_RATE, alarm_type::SKR_LOW, ""),
            t.visibility.rule(Falling, quantity::VISIBILITY, alarm_type::VISIBILITY_LOW, ""),
            t.dark_count_rate.rule(Rising, quantity::DARK_COUNT_RATE, alarm_type::DARK_COUNT_HIGH, ""),
            t.laser_power.rule(Falling, quantity::LASER_POWER, alarm_type::LASER_FAULT, ""),
            t.module_temperature.rule(Rising, quantity::MODULE_TEMPERATURE, alarm_type::MODULE_TEMPERATURE, ""),
            t.detector_temperature.rule(
                Rising,
                quantity::DETECTOR_TEMPERATURE,
                alarm_type::MODULE_TEMPERATURE,
                "detector",
            ),
            t.authentication_key_remaining.rule(
                Falling,
                quantity::AUTHENTICATION_KEY_REMAINING,
                alarm_type::AUTHENTICATION_KEY_LOW,
                "",
            ),
        ];
        Rules::new(self.sampling_interval, thresholds)
    }

    /// The quantum channel in use: the one commanded, else the first enabled one, primary before backup.
    pub fn channel(&self) -> Option<&QuantumChannel> {
        let enabled = || self.quantum_channel.iter().filter(|channel| channel.enabled);
        match &self.active_channel {
            Some(name) => enabled().find(|channel| channel.name == *name),
            None => enabled().min_by_key(|channel| channel.usage),
        }
    }
}

/// The children of the container that are state.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Operational {
    pub state: State,
    pub counters: Counters,
    pub resource: Vec<Resource>,
}

/// `qkd-module-state`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct State {
    pub module_id: String,
    pub oper_state: OperState,
    pub alignment_state: AlignmentState,
    pub synchronization_state: SynchronizationState,
    pub quantum_channel_state: ChannelState,
    pub classical_channel_state: ChannelState,
    pub key_generation: KeyGeneration,
    pub active_channel: Option<String>,
    pub role: Role,
    pub protocol: String,
    pub supported_role: Vec<Role>,
    pub supported_protocol: Vec<String>,
    pub boot_time: String,
    pub uptime: u64,
    pub last_change: String,
    pub sampled: Option<String>,
    pub qber: Option<f64>,
    pub secret_key_rate: Option<f64>,
    pub sifted_key_rate: Option<f64>,
    pub raw_detection_rate: Option<f64>,
    pub visibility: Option<f64>,
    pub channel_loss: Option<f64>,
    pub temperature: Option<f64>,
    pub detector_temperature: Option<f64>,
    pub laser_power: Option<f64>,
    pub equipment: Equipment,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlignmentState {
    #[default]
    Unknown,
    Aligned,
    Aligning,
    Lost,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SynchronizationState {
    #[default]
    Unknown,
    Locked,
    Acquiring,
    Lost,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyGeneration {
    Running,
    #[default]
    Stopped,
    Aborted,
}

/// `qkd-module-counters`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counters {
    pub accounting: Accounting,
    pub security: Security,
}

/// Amounts of key, never keys.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Accounting {
    pub since: String,
    pub secret_bits: u64,
    pub sifted_bits: u64,
    pub key_blocks: u64,
    pub key_block_failures: u64,
    pub delivered_bits: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Security {
    pub authentication_key_remaining: u64,
    pub authentication_failures: u64,
    pub qrng_health_failures: u64,
    pub tamper_events: u64,
    pub eavesdropping_suspicions: u64,
}

/// The RPCs of a QKD module.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub enum Action {
    #[serde(rename = "qkdn-mq:run-link-diagnostic")]
    RunLinkDiagnostic(Call<DiagnosticInput>),
}

/// What they answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Outcome {
    #[serde(rename = "qkdn-mq:run-link-diagnostic")]
    RunLinkDiagnostic(Box<Answer<DiagnosticOutput>>),
}

/// Input of `run-link-diagnostic`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct DiagnosticInput {
    pub link_id: Option<String>,
    pub test: Vec<Test>,
    /// Seconds.
    pub duration: u16,
}

impl Default for DiagnosticInput {
    fn default() -> Self {
        DiagnosticInput { link_id: None, test: Vec::new(), duration: 2 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Test {
    #[serde(rename = "qkdn-mq:quantum-channel-test")]
    QuantumChannel,
    #[serde(rename = "qkdn-mq:detector-test")]
    Detector,
    #[serde(rename = "qkdn-mq:source-test")]
    Source,
    #[serde(rename = "qkdn-mq:alignment-test")]
    Alignment,
    #[serde(rename = "qkdn-mq:synchronization-test")]
    Synchronization,
    #[serde(rename = "qkdn-mq:classical-channel-test")]
    ClassicalChannel,
    #[serde(rename = "qkdn-mq:random-number-generator-test")]
    RandomNumberGenerator,
}

impl Test {
    pub const ALL: [Test; 7] = [
        Test::QuantumChannel,
        Test::Detector,
        Test::Source,
        Test::Alignment,
        Test::Synchronization,
        Test::ClassicalChannel,
        Test::RandomNumberGenerator,
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ProbableCause {
    #[serde(rename = "qkdn-mq:no-fault-found")]
    NoFaultFound,
    #[serde(rename = "qkdn-mq:undetermined")]
    Undetermined,
    #[serde(rename = "qkdn-mq:fibre-cut")]
    FibreCut,
    #[serde(rename = "qkdn-mq:excess-loss")]
    ExcessLoss,
    #[serde(rename = "qkdn-mq:eavesdropping")]
    Eavesdropping,
    #[serde(rename = "qkdn-mq:misalignment")]
    Misalignment,
    #[serde(rename = "qkdn-mq:detector-failure")]
    DetectorFailure,
    #[serde(rename = "qkdn-mq:laser-failure")]
    LaserFailure,
    #[serde(rename = "qkdn-mq:synchronization-loss")]
    SynchronizationLoss,
    #[serde(rename = "qkdn-mq:classical-channel-loss")]
    ClassicalChannelLoss,
    #[serde(rename = "qkdn-mq:temperature-excess")]
    TemperatureExcess,
    #[serde(rename = "qkdn-mq:random-number-failure")]
    RandomNumberFailure,
    #[serde(rename = "qkdn-mq:administratively-down")]
    AdministrativelyDown,
}

/// Output of `run-link-diagnostic`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DiagnosticOutput {
    pub link_id: Option<String>,
    pub module_id: String,
    pub started: String,
    pub ended: String,
    pub link_state: ChannelState,
    pub probable_cause: ProbableCause,
    /// Percent.
    pub confidence: f64,
    pub text: String,
    pub measured: Measured,
    pub result: Vec<TestResult>,
}

/// What a diagnostic measured; what it could not is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Measured {
    pub qber: Option<f64>,
    pub baseline_qber: Option<f64>,
    pub channel_loss: Option<f64>,
    pub expected_attenuation: Option<f64>,
    pub visibility: Option<f64>,
    pub raw_detection_rate: Option<f64>,
    pub dark_count_rate: Option<f64>,
    pub sifted_key_rate: Option<f64>,
    pub secret_key_rate: Option<f64>,
    pub laser_power: Option<f64>,
    pub laser_temperature: Option<f64>,
    pub detector_temperature: Option<f64>,
    pub module_temperature: Option<f64>,
    pub synchronization_offset: Option<f64>,
    pub classical_channel_delay: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TestResult {
    pub test: Test,
    pub outcome: TestOutcome,
    pub text: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestOutcome {
    Passed,
    Failed,
    NotRun,
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests;
