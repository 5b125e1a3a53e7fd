//! The manager's alarms as ietf-alarms (RFC 8632) has them, with what qkdn-alarms and qkdn-manager add to each.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use netconf::error::RpcError;
use netconf::yang::serde as bridge;
use netconf::yang::{Schema, Tree};
use serde::{Deserialize, Serialize, Serializer};

use super::{Answer, failed};
use crate::model::{ResourceId, Severity};
use crate::record::{Alarm, AlarmKey, AlarmValue, MAX_STATUS_CHANGES};
use crate::schema::MODULES;
use crate::store::Store;

pub(super) const ALARMS: &str = "/ietf-alarms:alarms";
const ALARM: &str = "/ietf-alarms:alarms/alarm-list/alarm";

pub(super) fn read(answer: &mut Answer<'_>, store: &impl Store, running: &Tree) -> Result<(), RpcError> {
    let inside = |name: &str| format!("{ALARMS}/{name}");
    let (list, summary) = (answer.reaches(&inside("alarm-list")), answer.reaches(&inside("summary")));
    if answer.reaches(&inside("alarm-inventory")) {
        answer.tree = answer.tree.merged(&inventory(answer.schema)?);
    }
    if !list && !summary {
        return Ok(());
    }
    let alarms = store.alarms().map_err(failed)?;
    if summary {
        answer.add(&inside("summary"), &Summary::of(&alarms))?;
    }
    if list {
        let last_changed = alarms.iter().map(|alarm| alarm.last_changed).max();
        let history = Control::of(running)?.history();
        let entries: Vec<_> = alarms.iter().map(|alarm| Entry::of(alarm, history)).collect();
        let number_of_alarms = answer.add_entries(ALARM, &entries);
        answer.add(&inside("alarm-list"), &List { number_of_alarms, last_changed })?;
    }
    Ok(())
}

/// Refuses a configuration of the alarm list that would have no effect.
pub(super) fn check(new: &Tree) -> Result<(), RpcError> {
    let kept = Control::of(new)?.max_alarm_status_changes;
    let too_many =
        kept.as_deref().is_some_and(|kept| kept.parse().map_or(true, |kept: usize| kept > MAX_STATUS_CHANGES));
    if !too_many {
        return Ok(());
    }
    let refused = RpcError::invalid_value(format!("At most {MAX_STATUS_CHANGES} status changes are kept of an alarm."));
    let path = bridge::instance_path(new.schema(), &format!("{ALARMS}/control/max-alarm-status-changes"))?;
    Err(refused.with_path(path.to_error_path(new.schema())))
}

/// `alarms/control`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Control {
    max_alarm_status_changes: Option<String>,
    notify_status_changes: Notify,
    notify_severity_level: Option<Severity>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Notify {
    #[default]
    AllStateChanges,
    RaiseAndClear,
    SeverityLevel,
}

impl Control {
    pub(super) fn of(running: &Tree) -> Result<Control, RpcError> {
        Ok(bridge::from_path(running, &format!("{ALARMS}/control"))?.unwrap_or_default())
    }

    /// How many status changes are shown of an alarm: one at least, the newest.
    fn history(&self) -> usize {
        let kept = self.max_alarm_status_changes.as_deref().and_then(|kept| kept.parse().ok());
        kept.unwrap_or(MAX_STATUS_CHANGES).max(1)
    }

    /// Whether subscribers are told of the newest status of an alarm.
    pub(super) fn notifies(&self, alarm: &Alarm) -> bool {
        let mut changes = alarm.status_change.iter().map(|change| change.perceived_severity);
        let (now, before) = (changes.next().flatten(), changes.next().flatten());
        let Some(now) = now else { return true };
        match (self.notify_status_changes, self.notify_severity_level) {
            (Notify::RaiseAndClear, _) => before.is_none(),
            (Notify::SeverityLevel, Some(level)) => now >= level || before.is_some_and(|before| before >= level),
            _ => true,
        }
    }
}

/// The alarm types there can be: those that qkdn-alarms defines, read from its own text, so that there is no second list to keep.
pub(super) fn inventory(schema: &Arc<Schema>) -> Result<Tree, RpcError> {
    let text = MODULES.iter().find(|module| module.name == "qkdn-alarms").map_or("", |module| module.text);
    let types: Vec<AlarmType> = alarm_types(text).collect();
    Ok(bridge::tree_at(schema, &format!("{ALARMS}/alarm-inventory/alarm-type"), &types)?)
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
struct AlarmType {
    alarm_type_id: String,
    alarm_type_qualifier: &'static str,
    /// All of them: the agents watch the condition itself.
    will_clear: bool,
    description: String,
    #[serde(rename = "qkdn-alarms:alarm-class")]
    alarm_class: String,
}

/// Those identities of the module whose description ends with their class, which only alarm types that are not abstract have.
fn alarm_types(text: &str) -> impl Iterator<Item = AlarmType> + '_ {
    text.split("\n  identity ").skip(1).filter_map(|identity| {
        let (name, rest) = identity.split_once(' ')?;
        let description = rest.split_once('"')?.1.split_once('"')?.0;
        let description = description.split_whitespace().collect::<Vec<_>>().join(" ");
        let (description, class) = description.rsplit_once(" Class: ")?;
        Some(AlarmType {
            alarm_type_id: format!("qkdn-alarms:{name}"),
            alarm_type_qualifier: "",
            will_clear: true,
            description: description.to_owned(),
            alarm_class: class.strip_suffix('.')?.to_owned(),
        })
    })
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct List {
    number_of_alarms: usize,
    last_changed: Option<Timestamp>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Summary {
    alarm_summary: Vec<SummaryEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct SummaryEntry {
    severity: Severity,
    total: u32,
    not_cleared: u32,
    cleared: u32,
    cleared_not_closed: u32,
    cleared_closed: u32,
    not_cleared_closed: u32,
    not_cleared_not_closed: u32,
}

impl Summary {
    fn of(alarms: &[Alarm]) -> Self {
        use Severity::{Critical, Indeterminate, Major, Minor, Warning};
        let entry = |severity| {
            let count = |matches: &dyn Fn(bool, bool) -> bool| {
                let of_it = alarms.iter().filter(|alarm| alarm.perceived_severity == severity);
                let closed = |alarm: &Alarm| alarm.operator_state_change.first().is_some_and(|c| c.state == "closed");
                let count = of_it.filter(|alarm| matches(alarm.is_cleared, closed(alarm))).count();
                u32::try_from(count).unwrap_or(u32::MAX)
            };
            SummaryEntry {
                severity,
                total: count(&|_, _| true),
                not_cleared: count(&|cleared, _| !cleared),
                cleared: count(&|cleared, _| cleared),
                cleared_not_closed: count(&|cleared, closed| cleared && !closed),
                cleared_closed: count(&|cleared, closed| cleared && closed),
                not_cleared_closed: count(&|cleared, closed| !cleared && closed),
                not_cleared_not_closed: count(&|cleared, closed| !cleared && !closed),
            }
        };
        Summary { alarm_summary: [Critical, Major, Minor, Warning, Indeterminate].map(entry).into() }
    }
}

/// `alarm-list/alarm`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Entry<'a> {
    resource: String,
    alarm_type_id: &'a str,
    alarm_type_qualifier: &'a str,
    time_created: Timestamp,
    is_cleared: bool,
    last_raised: Timestamp,
    last_changed: Timestamp,
    perceived_severity: Severity,
    alarm_text: &'a str,
    status_change: Vec<StatusChangeEntry<'a>>,
    operator_state_change: Vec<OperatorStateEntry<'a>>,
    #[serde(flatten)]
    components: Components<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct StatusChangeEntry<'a> {
    time: Timestamp,
    perceived_severity: WithClear,
    alarm_text: &'a str,
}

#[derive(Serialize)]
struct OperatorStateEntry<'a> {
    time: Timestamp,
    operator: &'a str,
    state: &'a str,
    text: Option<&'a str>,
}

/// `severity-with-clear`.
#[derive(Clone, Copy)]
struct WithClear(Option<Severity>);

impl Serialize for WithClear {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(severity) => severity.serialize(serializer),
            None => serializer.serialize_str("cleared"),
        }
    }
}

/// What qkdn-alarms and qkdn-manager add.
#[derive(Serialize)]
struct Components<'a> {
    #[serde(rename = "qkdn-alarms:alarm-class")]
    class: Option<&'a str>,
    #[serde(rename = "qkdn-alarms:alarm-id")]
    id: &'a str,
    #[serde(rename = "qkdn-alarms:alarm-source-id")]
    source_id: &'a str,
    #[serde(rename = "qkdn-alarms:alarm-value")]
    value: Option<&'a AlarmValue>,
    #[serde(rename = "qkdn-alarms:layer")]
    layer: Option<&'a str>,
    #[serde(rename = "qkdn-alarms:reference-point")]
    reference_point: Option<&'a str>,
    #[serde(rename = "qkdn-manager:device")]
    device: Option<&'a str>,
    #[serde(rename = "qkdn-manager:root-alarm-id")]
    root_alarm_id: Option<&'a str>,
    #[serde(rename = "qkdn-manager:toggles")]
    toggles: u32,
    #[serde(rename = "qkdn-manager:run-id")]
    run_id: Option<&'a str>,
}

impl<'a> Entry<'a> {
    fn of(alarm: &'a Alarm, history: usize) -> Self {
        // The times are the keys of both lists: of two changes at one time the newer stands for both.
        let mut changes: Vec<_> = alarm.status_change.iter().collect();
        changes.dedup_by_key(|change| change.time);
        let mut actions: Vec<_> = alarm.operator_state_change.iter().collect();
        actions.dedup_by_key(|change| change.time);
        let status = |change: &'a crate::record::StatusChange| StatusChangeEntry {
            time: change.time,
            perceived_severity: WithClear(change.perceived_severity),
            alarm_text: &change.alarm_text,
        };
        let action = |change: &'a crate::record::OperatorStateChange| OperatorStateEntry {
            time: change.time,
            operator: &change.operator,
            state: &change.state,
            text: change.text.as_deref(),
        };
        Entry {
            resource: resource_path(&alarm.key.resource),
            alarm_type_id: &alarm.key.alarm_type_id,
            alarm_type_qualifier: &alarm.key.alarm_type_qualifier,
            time_created: alarm.time_created,
            is_cleared: alarm.is_cleared,
            last_raised: alarm.last_raised,
            last_changed: alarm.last_changed,
            perceived_severity: alarm.perceived_severity,
            alarm_text: &alarm.alarm_text,
            status_change: changes.into_iter().take(history).map(status).collect(),
            operator_state_change: actions.into_iter().map(action).collect(),
            components: Components::of(alarm),
        }
    }
}

impl<'a> Components<'a> {
    fn of(alarm: &'a Alarm) -> Self {
        Components {
            class: alarm.alarm_class.as_deref(),
            id: &alarm.alarm_id,
            source_id: &alarm.key.resource,
            value: alarm.value.as_ref(),
            layer: alarm.layer.as_deref(),
            reference_point: alarm.reference_point.as_deref(),
            device: alarm.device.as_deref(),
            root_alarm_id: alarm.root_alarm_id.as_deref(),
            toggles: alarm.toggles,
            run_id: alarm.run_id.as_deref(),
        }
    }
}

/// The notification `alarm-notification`: the newest status of an alarm, with Table I.1's components.
pub(super) fn notification<T: Serialize>(
    schema: &Arc<Schema>,
    alarm: &Alarm,
    management_operation: T,
) -> Result<Tree, bridge::SerdeError> {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct AlarmNotification<'a, T> {
        resource: String,
        alarm_type_id: &'a str,
        alarm_type_qualifier: &'a str,
        time: Timestamp,
        perceived_severity: WithClear,
        alarm_text: &'a str,
        #[serde(flatten)]
        components: Components<'a>,
        #[serde(rename = "qkdn-alarms:management-operation")]
        management_operation: T,
    }
    let newest = alarm.status_change.first();
    let told = AlarmNotification {
        resource: resource_path(&alarm.key.resource),
        alarm_type_id: &alarm.key.alarm_type_id,
        alarm_type_qualifier: &alarm.key.alarm_type_qualifier,
        time: status_time(alarm),
        perceived_severity: WithClear(Some(alarm.perceived_severity).filter(|_| !alarm.is_cleared)),
        alarm_text: newest.map_or(&alarm.alarm_text, |change| &change.alarm_text),
        components: Components::of(alarm),
        management_operation,
    };
    bridge::to_tree(schema, &BTreeMap::from([("ietf-alarms:alarm-notification", told)]))
}

/// When the newest status of an alarm came about.
pub(super) fn status_time(alarm: &Alarm) -> Timestamp {
    alarm.status_change.first().map_or(alarm.last_changed, |change| change.time)
}

/// The notification `operator-action`, inside the alarm that somebody acted on; None where nobody did.
pub(super) fn operator_action(schema: &Arc<Schema>, alarm: &Alarm) -> Result<Option<Tree>, bridge::SerdeError> {
    let Some(change) = alarm.operator_state_change.first() else { return Ok(None) };
    let action = OperatorStateEntry {
        time: change.time,
        operator: &change.operator,
        state: &change.state,
        text: change.text.as_deref(),
    };
    let path = format!("{}/operator-action", entry_path(&alarm.key));
    bridge::tree_at(schema, &path, &action).map(Some)
}

fn entry_path(key: &AlarmKey) -> String {
    let quoted = |text: &str| if text.contains('"') { format!("'{text}'") } else { format!("\"{text}\"") };
    format!(
        "{ALARM}[resource={}][alarm-type-id={}][alarm-type-qualifier={}]",
        quoted(&resource_path(&key.resource)),
        quoted(&key.alarm_type_id),
        quoted(&key.alarm_type_qualifier),
    )
}

/// The instance-identifier of a resource of the inventory, which RFC 8632 prefers where a resource is modelled in YANG.
pub(super) fn resource_path(resource: &str) -> String {
    let quote = if resource.contains('\'') { '"' } else { '\'' };
    format!("{RESOURCE}[resource-id={quote}{resource}{quote}]")
}

const RESOURCE: &str = "/qkdn-manager:network/resource";

/// The resource that [`resource_path`] names; or the one whose identifier it is.
pub(super) fn resource_of(text: &str) -> ResourceId {
    let inside = text.strip_prefix(RESOURCE).and_then(|rest| rest.strip_prefix("[resource-id=")?.strip_suffix(']'));
    let quote = inside.and_then(|inside| inside.chars().next()).filter(|quote| matches!(quote, '\'' | '"'));
    let named = quote.and_then(|quote| inside?.strip_prefix(quote)?.strip_suffix(quote));
    named.unwrap_or(text).to_owned()
}

/// Whether a `resource-match` is of all resources: the inventory's path without a predicate.
pub(super) fn is_any_resource(text: &str) -> bool {
    text == format!("{RESOURCE}/resource-id") || text == RESOURCE
}
