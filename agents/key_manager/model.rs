//! The data of qkdn-mk as Rust values: configuration, state, metering, key events and the relay diagnostic, member for member.

use serde::{Deserialize, Serialize};

use super::catalogue::{alarm_type, quantity};
use crate::alarm::Direction;
use crate::driver::{Answer, Call, Rules};
use crate::model::common::Resource;
use crate::model::threshold::ThresholdLevels;
use crate::model::types::{ChannelState, ChannelUse, Equipment, Location};
use crate::state::{AdminState, OperState, ServiceState};

/// The top-level container, `module:name`.
pub const CONTAINER: &str = "qkdn-mk:key-manager";

/// `key-manager-config`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Config {
    pub description: Option<String>,
    pub admin_state: AdminState,
    pub service_state: ServiceState,
    pub location: Location,
    /// Seconds.
    pub sampling_interval: u16,
    pub source_module: Vec<String>,
    pub relay_enabled: bool,
    pub km_link: Vec<KmLink>,
    pub key_store: Vec<KeyStore>,
    pub key_policy: KeyPolicy,
    pub application: Vec<Application>,
    pub relay_route: Vec<RelayRoute>,
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
            sampling_interval: 10,
            source_module: Vec::new(),
            relay_enabled: true,
            km_link: Vec::new(),
            key_store: Vec::new(),
            key_policy: KeyPolicy::default(),
            application: Vec::new(),
            relay_route: Vec::new(),
            thresholds: Thresholds::default(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KmLink {
    pub name: String,
    pub link_id: String,
    pub peer_km_id: String,
    #[serde(default)]
    pub qkd_link_id: Vec<String>,
    #[serde(default)]
    pub admin_state: AdminState,
    #[serde(default)]
    pub service_state: ServiceState,
    #[serde(default)]
    pub channel: Vec<Channel>,
    #[serde(default)]
    pub active_channel: Option<String>,
}

/// A classical channel of a KM link.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Channel {
    pub name: String,
    #[serde(default)]
    pub peer_address: Option<String>,
    #[serde(rename = "use", default)]
    pub usage: ChannelUse,
}

/// Levels of a store, bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyStore {
    pub peer_km_id: String,
    pub purpose: Purpose,
    #[serde(default = "minimum_bits")]
    pub minimum_bits: u64,
    #[serde(default = "threshold_bits")]
    pub threshold_bits: u64,
    #[serde(default = "maximum_bits")]
    pub maximum_bits: u64,
}

impl KeyStore {
    /// A store with the levels that the model gives it.
    pub fn new(peer_km_id: &str, purpose: Purpose) -> Self {
        KeyStore {
            peer_km_id: peer_km_id.to_owned(),
            purpose,
            minimum_bits: minimum_bits(),
            threshold_bits: threshold_bits(),
            maximum_bits: maximum_bits(),
        }
    }
}

fn minimum_bits() -> u64 {
    1_000_000
}

fn threshold_bits() -> u64 {
    2_000_000
}

fn maximum_bits() -> u64 {
    1_000_000_000
}

/// `key-purpose`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    Kma,
    Ksa,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct KeyPolicy {
    pub policy_id: Option<String>,
    pub version: Option<u32>,
    /// Bits.
    pub key_size: u32,
    /// Seconds.
    pub key_lifetime: Option<u32>,
    pub after_supply: AfterSupply,
}

impl Default for KeyPolicy {
    fn default() -> Self {
        KeyPolicy {
            policy_id: None,
            version: None,
            key_size: 512,
            key_lifetime: None,
            after_supply: AfterSupply::default(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfterSupply {
    #[default]
    Delete,
    Preserve,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Application {
    pub application_id: String,
    #[serde(default)]
    pub peer_application_id: Option<String>,
    #[serde(default)]
    pub peer_km_id: Option<String>,
    /// 7 is the most urgent.
    #[serde(default = "ordinary")]
    pub priority: u8,
    /// bit/s
    #[serde(default)]
    pub maximum_rate: Option<f64>,
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn ordinary() -> u8 {
    3
}

fn yes() -> bool {
    true
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RelayRoute {
    pub route_id: String,
    pub source_km_id: String,
    pub destination_km_id: String,
    #[serde(default)]
    pub previous_hop: Option<String>,
    #[serde(default)]
    pub next_hop: Option<String>,
    #[serde(default)]
    pub service_state: ServiceState,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Thresholds {
    pub key_relaying_delay: ThresholdLevels,
    pub key_data_loss: ThresholdLevels,
    pub ksa_key_response_delay: ThresholdLevels,
    pub ksa_key_delivery_loss_ratio: ThresholdLevels,
    pub key_generation_rate: ThresholdLevels,
    pub availability: ThresholdLevels,
}

impl Default for Thresholds {
    fn default() -> Self {
        let none = || ThresholdLevels::without_levels(0.0);
        Thresholds {
            key_relaying_delay: none(),
            key_data_loss: none(),
            ksa_key_response_delay: none(),
            ksa_key_delivery_loss_ratio: none(),
            key_generation_rate: none(),
            availability: none(),
        }
    }
}

impl Config {
    /// What of it concerns the agent.
    pub fn rules(&self) -> Rules {
        use Direction::{Falling, Rising};
        let t = &self.thresholds;
        let thresholds = [
            t.key_relaying_delay.rule(
                Rising,
                quantity::KEY_RELAYING_DELAY,
                alarm_type::KM_PERFORMANCE_DEGRADED,
                "key-relaying-delay",
            ),
            t.key_data_loss.rule(Rising, quantity::KEY_DATA_LOSS, alarm_type::KM_PERFORMANCE_DEGRADED, "key-data-loss"),
            t.ksa_key_response_delay.rule(
                Rising,
                quantity::KSA_KEY_RESPONSE_DELAY,
                alarm_type::KM_PERFORMANCE_DEGRADED,
                "ksa-key-response-delay",
            ),
            t.ksa_key_delivery_loss_ratio.rule(
                Rising,
                quantity::KSA_KEY_DELIVERY_LOSS_RATIO,
                alarm_type::KM_PERFORMANCE_DEGRADED,
                "ksa-key-delivery-loss-ratio",
            ),
            t.key_generation_rate.rule(
                Falling,
                quantity::KEY_GENERATION_RATE,
                alarm_type::KM_PERFORMANCE_DEGRADED,
                "key-generation-rate",
            ),
            t.availability.rule(Falling, quantity::AVAILABILITY, alarm_type::KM_PERFORMANCE_DEGRADED, "availability"),
        ];
        Rules::new(self.sampling_interval, thresholds)
    }

    /// The levels of a store of keys shared with `peer`: those configured, else those of the model.
    pub fn store(&self, peer: &str, purpose: Purpose) -> KeyStore {
        self.configured_store(peer, purpose).cloned().unwrap_or_else(|| KeyStore::new(peer, purpose))
    }

    pub fn configured_store(&self, peer: &str, purpose: Purpose) -> Option<&KeyStore> {
        self.key_store.iter().find(|store| store.peer_km_id == peer && store.purpose == purpose)
    }

    pub fn link_to(&self, peer: &str) -> Option<&KmLink> {
        self.km_link.iter().find(|link| link.peer_km_id == peer)
    }
}

/// The children of the container that are state.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Operational {
    pub state: State,
    pub resource: Vec<Resource>,
}

/// `key-manager-state`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct State {
    pub km_id: String,
    pub oper_state: OperState,
    pub boot_time: String,
    pub last_change: String,
    pub equipment: Equipment,
    pub km_link: Vec<KmLinkState>,
    pub key_store: Vec<KeyStoreState>,
    pub qkd_link: Vec<QkdLinkState>,
    pub key_life_cycle: KeyLifeCycle,
    pub security: Security,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KmLinkState {
    pub name: String,
    pub resource_id: String,
    pub channel_state: ChannelState,
    pub active_channel: Option<String>,
    /// ms, round trip
    pub delay: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyStoreState {
    pub peer_km_id: String,
    pub purpose: Purpose,
    pub resource_id: String,
    pub level: Level,
    pub residual_bits: u64,
    pub residual_keys: u64,
    /// bit/s
    pub generation_rate: f64,
    /// bit/s
    pub consumption_rate: f64,
    /// Seconds.
    pub time_to_empty: Option<u32>,
    /// Seconds.
    pub oldest_key_age: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Ready,
    Low,
    Charging,
    Empty,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct QkdLinkState {
    pub link_id: String,
    pub module_id: String,
    pub channel_state: ChannelState,
    /// bit/s
    pub secret_key_rate: f64,
    /// Percent; nothing where nothing is sifted.
    pub qber: Option<f64>,
    pub last_key: Option<String>,
}

/// Keys in each stage of their life, since the KM started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyLifeCycle {
    pub received: u64,
    pub stored: u64,
    pub reserved: u64,
    pub relayed: u64,
    pub supplied: u64,
    pub deleted: u64,
    pub preserved: u64,
    pub expired: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Security {
    pub authentication_failures: u64,
    pub integrity_failures: u64,
    pub synchronization_mismatches: u64,
}

/// The RPCs that a KM answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub enum Action {
    #[serde(rename = "qkdn-mk:run-relay-diagnostic")]
    RunRelayDiagnostic(Call<Option<DiagnosticInput>>),
    #[serde(rename = "qkdn-mk:get-metering-records")]
    GetMeteringRecords(Call<Option<RecordsInput>>),
    #[serde(rename = "qkdn-mk:get-key-events")]
    GetKeyEvents(Call<Option<EventsInput>>),
}

/// What they answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Outcome {
    #[serde(rename = "qkdn-mk:run-relay-diagnostic")]
    RunRelayDiagnostic(Box<Answer<DiagnosticOutput>>),
    #[serde(rename = "qkdn-mk:get-metering-records")]
    GetMeteringRecords(Answer<RecordsOutput>),
    #[serde(rename = "qkdn-mk:get-key-events")]
    GetKeyEvents(Answer<EventsOutput>),
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct DiagnosticInput {
    pub route_id: Option<String>,
}

/// Output of `run-relay-diagnostic`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DiagnosticOutput {
    pub km_id: String,
    pub started: String,
    pub ended: String,
    pub relay_affected: bool,
    pub probable_cause: RelayCause,
    /// Percent.
    pub confidence: f64,
    pub text: String,
    pub hop: Vec<Hop>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum RelayCause {
    #[serde(rename = "qkdn-mk:no-fault-found")]
    NoFaultFound,
    #[serde(rename = "qkdn-mk:undetermined")]
    Undetermined,
    #[serde(rename = "qkdn-mk:next-hop-unreachable")]
    NextHopUnreachable,
    #[serde(rename = "qkdn-mk:key-store-empty")]
    KeyStoreEmpty,
    #[serde(rename = "qkdn-mk:key-mismatch")]
    KeyMismatch,
    #[serde(rename = "qkdn-mk:route-missing")]
    RouteMissing,
    #[serde(rename = "qkdn-mk:relay-disabled")]
    RelayDisabled,
    #[serde(rename = "qkdn-mk:km-fault")]
    KmFault,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hop {
    pub peer_km_id: String,
    pub reachable: bool,
    /// ms, round trip
    pub delay: Option<f64>,
    pub residual_bits: Option<u64>,
    /// Whether both ends hold the same keys; unknown where the peer does not answer.
    pub keys_match: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct RecordsInput {
    pub after_sequence_number: Option<u64>,
    pub maximum: u16,
}

impl Default for RecordsInput {
    fn default() -> Self {
        RecordsInput { after_sequence_number: None, maximum: 1000 }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RecordsOutput {
    pub record: Vec<MeteringRecord>,
    pub last_sequence_number: u64,
    pub oldest_sequence_number: Option<u64>,
}

/// `metering-record`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MeteringRecord {
    pub sequence_number: u64,
    pub start_time: String,
    pub end_time: String,
    #[serde(rename = "use")]
    pub usage: Use,
    pub application_id: Option<String>,
    pub session_id: String,
    pub peer_km_id: Option<String>,
    pub keys: u64,
    pub bits: u64,
    pub requests: u64,
    pub rejected: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    Supply,
    Relay,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct EventsInput {
    pub key_id: Option<String>,
    pub after_sequence_number: Option<u64>,
    pub maximum: u16,
}

impl Default for EventsInput {
    fn default() -> Self {
        EventsInput { key_id: None, after_sequence_number: None, maximum: 1000 }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EventsOutput {
    pub event: Vec<KeyEvent>,
    pub last_sequence_number: u64,
    pub oldest_sequence_number: Option<u64>,
}

/// An event in the life of a key, which appears by its identifier only.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyEvent {
    pub sequence_number: u64,
    pub time: String,
    pub key_id: String,
    pub event: EventKind,
    pub purpose: Purpose,
    pub bits: u32,
    pub peer_id: Option<String>,
    pub route_id: Option<String>,
}

/// `key-event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    Received,
    Stored,
    Relayed,
    Supplied,
    Deleted,
    Preserved,
    Expired,
    Rejected,
}

#[cfg(test)]
mod tests;
