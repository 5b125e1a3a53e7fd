//! ietf-alarms (RFC 8632) with the components that qkdn-alarms adds to it (Tables I.3 to I.7 rows 7 to 11).

use serde::{Deserialize, Serialize};

use super::common::ManagementOperation;
use super::date_and_time;
use crate::alarm::{
    Age, Alarm, AlarmKey, AlarmList, AlarmValue, Clearance, Control, Notify, OperatorFilter, OperatorState,
    PurgeFilter, Severity, SeverityFilter, StatusChange,
};
use crate::driver::{Call, Device};

/// The container `alarms`: what is state of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Alarms {
    pub alarm_inventory: Option<Inventory>,
    pub summary: Option<Summary>,
    pub alarm_list: Option<List>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Inventory {
    pub alarm_type: Vec<InventoryEntry>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct InventoryEntry {
    pub alarm_type_id: &'static str,
    pub alarm_type_qualifier: &'static str,
    pub will_clear: bool,
    pub severity_level: Vec<Severity>,
    pub description: &'static str,
    pub alarm_class: &'static str,
}

impl Inventory {
    /// Of every alarm type of the device; a type with a qualifier has an entry of its own.
    pub fn of(device: &Device, qualifiers: &[(&'static str, &'static str)]) -> Self {
        let entry = |alarm_type: &crate::driver::AlarmType, alarm_type_qualifier| InventoryEntry {
            alarm_type_id: alarm_type.identity,
            alarm_type_qualifier,
            will_clear: alarm_type.will_clear,
            severity_level: alarm_type.severities.to_vec(),
            description: alarm_type.description,
            alarm_class: alarm_type.class,
        };
        let plain = device.alarm_types.iter().map(|alarm_type| entry(alarm_type, ""));
        let qualified = qualifiers.iter().filter(|(_, qualifier)| !qualifier.is_empty());
        let qualified =
            qualified.filter_map(|(identity, q)| device.alarm_type(identity).map(|alarm_type| entry(alarm_type, q)));
        Inventory { alarm_type: plain.chain(qualified).collect() }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    pub alarm_summary: Vec<SummaryEntry>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SummaryEntry {
    pub severity: Severity,
    pub total: u32,
    pub not_cleared: u32,
    pub cleared: u32,
    pub cleared_not_closed: u32,
    pub cleared_closed: u32,
    pub not_cleared_closed: u32,
    pub not_cleared_not_closed: u32,
}

impl Summary {
    pub fn of(list: &AlarmList) -> Self {
        let entry = |(severity, s): (Severity, crate::alarm::SeveritySummary)| SummaryEntry {
            severity,
            total: s.total,
            not_cleared: s.not_cleared,
            cleared: s.cleared,
            cleared_not_closed: s.cleared_not_closed,
            cleared_closed: s.cleared_closed,
            not_cleared_closed: s.not_cleared_closed,
            not_cleared_not_closed: s.not_cleared_not_closed,
        };
        Summary { alarm_summary: list.summary().into_iter().map(entry).collect() }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct List {
    pub number_of_alarms: u32,
    pub last_changed: Option<String>,
    pub alarm: Vec<ListEntry>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ListEntry {
    pub resource: String,
    pub alarm_type_id: String,
    pub alarm_type_qualifier: String,
    pub time_created: String,
    pub is_cleared: bool,
    pub last_raised: String,
    pub last_changed: String,
    pub perceived_severity: Severity,
    pub alarm_text: String,
    pub status_change: Vec<StatusChangeEntry>,
    pub operator_state_change: Vec<OperatorStateChangeEntry>,
    #[serde(flatten)]
    pub components: Components,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StatusChangeEntry {
    pub time: String,
    pub perceived_severity: SeverityWithClear,
    pub alarm_text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct OperatorStateChangeEntry {
    pub time: String,
    pub operator: String,
    pub state: OperatorState,
    pub text: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeverityWithClear {
    Cleared,
    #[serde(untagged)]
    Severity(Severity),
}

impl From<&StatusChange> for SeverityWithClear {
    fn from(change: &StatusChange) -> Self {
        if change.is_cleared { SeverityWithClear::Cleared } else { SeverityWithClear::Severity(change.severity) }
    }
}

/// `alarm-components` of qkdn-alarms.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Components {
    #[serde(rename = "qkdn-alarms:alarm-class")]
    pub class: Option<&'static str>,
    #[serde(rename = "qkdn-alarms:alarm-id")]
    pub id: String,
    #[serde(rename = "qkdn-alarms:alarm-source-id")]
    pub source_id: String,
    #[serde(rename = "qkdn-alarms:alarm-value")]
    pub value: Option<Value>,
    #[serde(rename = "qkdn-alarms:layer")]
    pub layer: &'static str,
    #[serde(rename = "qkdn-alarms:reference-point")]
    pub reference_point: &'static str,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Value {
    pub performance_type: String,
    pub value: f64,
    pub unit: String,
    pub threshold: Option<f64>,
    pub threshold_level: Option<Severity>,
}

impl Components {
    fn of(alarm: &Alarm, value: Option<&AlarmValue>, device: &Device) -> Self {
        let severity = alarm.status().severity;
        Components {
            class: device.alarm_type(&alarm.key.alarm_type).map(|alarm_type| alarm_type.class),
            id: alarm.id.to_string(),
            source_id: alarm.key.resource.clone(),
            value: value.map(|value| Value {
                performance_type: value.quantity.clone(),
                value: value.value,
                unit: value.unit.clone(),
                threshold: value.threshold,
                threshold_level: value.threshold.map(|_| severity),
            }),
            layer: device.layer,
            reference_point: device.reference_point,
        }
    }
}

impl List {
    pub fn of(list: &AlarmList, device: &Device) -> Self {
        List {
            number_of_alarms: u32::try_from(list.iter().len()).expect("at most MAX_ALARMS"),
            last_changed: list.last_changed().map(date_and_time),
            alarm: list.iter().map(|alarm| ListEntry::of(alarm, device)).collect(),
        }
    }
}

impl ListEntry {
    fn of(alarm: &Alarm, device: &Device) -> Self {
        let status = alarm.status();
        ListEntry {
            resource: resource_path(device, &alarm.key.resource),
            alarm_type_id: alarm.key.alarm_type.clone(),
            alarm_type_qualifier: alarm.key.qualifier.clone(),
            time_created: date_and_time(alarm.time_created),
            is_cleared: status.is_cleared,
            last_raised: date_and_time(alarm.last_raised),
            last_changed: date_and_time(alarm.last_changed()),
            perceived_severity: status.severity,
            alarm_text: status.text.clone(),
            status_change: alarm.status_changes.iter().rev().map(StatusChangeEntry::from).collect(),
            operator_state_change: alarm
                .operator_state_changes
                .iter()
                .rev()
                .map(|change| OperatorStateChangeEntry {
                    time: date_and_time(change.time),
                    operator: change.operator.clone(),
                    state: change.state,
                    text: change.text.clone(),
                })
                .collect(),
            components: Components::of(alarm, status.value.as_ref(), device),
        }
    }
}

impl From<&StatusChange> for StatusChangeEntry {
    fn from(change: &StatusChange) -> Self {
        StatusChangeEntry {
            time: date_and_time(change.time),
            perceived_severity: change.into(),
            alarm_text: change.text.clone(),
        }
    }
}

/// The notification `alarm-notification`: an alarm's newest status.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Notification {
    pub resource: String,
    pub alarm_type_id: String,
    pub alarm_type_qualifier: String,
    pub time: String,
    pub perceived_severity: SeverityWithClear,
    pub alarm_text: String,
    #[serde(flatten)]
    pub components: Components,
    #[serde(rename = "qkdn-alarms:management-operation")]
    pub management_operation: ManagementOperation,
}

impl Notification {
    pub fn of(alarm: &Alarm, device: &Device, management_operation: ManagementOperation) -> Self {
        let status = alarm.status();
        Notification {
            resource: resource_path(device, &alarm.key.resource),
            alarm_type_id: alarm.key.alarm_type.clone(),
            alarm_type_qualifier: alarm.key.qualifier.clone(),
            time: date_and_time(status.time),
            perceived_severity: status.into(),
            alarm_text: status.text.clone(),
            components: Components::of(alarm, status.value.as_ref(), device),
            management_operation,
        }
    }
}

/// The instance-identifier of a resource of the device, which RFC 8632 prefers where a resource is modelled in YANG.
pub fn resource_path(device: &Device, resource: &str) -> String {
    let quote = if resource.contains('\'') { '"' } else { '\'' };
    format!("/{}/resource[resource-id={quote}{resource}{quote}]", device.container)
}

/// The resource that an instance-identifier made by [`resource_path`] names.
pub fn resource_of<'p>(device: &Device, path: &'p str) -> Option<&'p str> {
    let inside = path.strip_prefix('/')?.strip_prefix(device.container)?.strip_prefix("/resource[resource-id=")?;
    let inside = inside.strip_suffix(']')?;
    let quote = inside.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    inside.strip_prefix(quote)?.strip_suffix(quote)
}

/// `alarms/control`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ControlConfig {
    pub max_alarm_status_changes: Option<String>,
    pub notify_status_changes: NotifyStatusChanges,
    pub notify_severity_level: Option<Severity>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotifyStatusChanges {
    #[default]
    AllStateChanges,
    RaiseAndClear,
    SeverityLevel,
}

impl ControlConfig {
    /// "infinite" is as many as a number can say: the oldest of 65535 is dropped.
    pub fn control(&self) -> Control {
        let max_status_changes = match self.max_alarm_status_changes.as_deref() {
            None => crate::alarm::DEFAULT_STATUS_CHANGES,
            Some(number) => number.parse().unwrap_or(u16::MAX),
        };
        let notify = match (self.notify_status_changes, self.notify_severity_level) {
            (NotifyStatusChanges::SeverityLevel, Some(level)) => Notify::SeverityLevel(level),
            (NotifyStatusChanges::RaiseAndClear, _) => Notify::RaiseAndClear,
            _ => Notify::AllStateChanges,
        };
        Control { max_status_changes, notify }
    }
}

/// An action of `alarm-list`, at its place.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ListActions {
    pub alarm: Vec<EntryAction>,
    pub purge_alarms: Option<Call<PurgeInput>>,
    pub compress_alarms: Option<Call<CompressInput>>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EntryAction {
    pub resource: String,
    pub alarm_type_id: String,
    pub alarm_type_qualifier: String,
    pub set_operator_state: Option<Call<OperatorInput>>,
}

impl EntryAction {
    pub fn key(&self, device: &Device) -> Option<AlarmKey> {
        Some(AlarmKey {
            resource: resource_of(device, &self.resource)?.to_owned(),
            alarm_type: self.alarm_type_id.clone(),
            qualifier: self.alarm_type_qualifier.clone(),
        })
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct OperatorInput {
    pub state: OperatorState,
    pub text: Option<String>,
}

/// `filter-input`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PurgeInput {
    pub alarm_clearance_status: ClearanceStatus,
    pub older_than: Option<OlderThan>,
    pub severity: Option<SeverityCriterion>,
    pub operator_state_filter: Option<OperatorCriterion>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClearanceStatus {
    Any,
    Cleared,
    NotCleared,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct OlderThan {
    pub seconds: Option<u16>,
    pub minutes: Option<u16>,
    pub hours: Option<u16>,
    pub days: Option<u16>,
    pub weeks: Option<u16>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SeverityCriterion {
    pub below: Option<Severity>,
    pub is: Option<Severity>,
    pub above: Option<Severity>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct OperatorCriterion {
    pub state: Option<OperatorState>,
    pub user: Option<String>,
}

impl From<PurgeInput> for PurgeFilter {
    fn from(input: PurgeInput) -> Self {
        let age = |age: OlderThan| {
            let (seconds, minutes) = (age.seconds.map(Age::Seconds), age.minutes.map(Age::Minutes));
            seconds.or(minutes).or(age.hours.map(Age::Hours)).or(age.days.map(Age::Days)).or(age.weeks.map(Age::Weeks))
        };
        let severity = |severity: SeverityCriterion| {
            let (below, is) = (severity.below.map(SeverityFilter::Below), severity.is.map(SeverityFilter::Is));
            below.or(is).or(severity.above.map(SeverityFilter::Above))
        };
        PurgeFilter {
            clearance: match input.alarm_clearance_status {
                ClearanceStatus::Any => Clearance::Any,
                ClearanceStatus::Cleared => Clearance::Cleared,
                ClearanceStatus::NotCleared => Clearance::NotCleared,
            },
            older_than: input.older_than.and_then(age),
            severity: input.severity.and_then(severity),
            operator: input
                .operator_state_filter
                .map(|filter| OperatorFilter { state: filter.state, user: filter.user }),
        }
    }
}

/// Input of `compress-alarms`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct CompressInput {
    pub resource: Option<String>,
    pub alarm_type_id: Option<String>,
    pub alarm_type_qualifier: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PurgeOutput {
    pub purged_alarms: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CompressOutput {
    pub compressed_alarms: u32,
}

/// The notification `operator-action`, inside the alarm that it is about.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct OperatorAction {
    pub time: String,
    pub operator: String,
    pub state: OperatorState,
    pub text: Option<String>,
}
