//! Which alarms a purge takes (RFC 8632, `purge-alarms`): every criterion that is given must hold.

use jiff::{SignedDuration, Timestamp};

use super::{Alarm, OperatorState, Severity};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PurgeFilter {
    pub clearance: Clearance,
    pub older_than: Option<Age>,
    pub severity: Option<SeverityFilter>,
    pub operator: Option<OperatorFilter>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clearance {
    #[default]
    Any,
    Cleared,
    NotCleared,
}

/// Time since an alarm last changed its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    Seconds(u16),
    Minutes(u16),
    Hours(u16),
    Days(u16),
    Weeks(u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeverityFilter {
    Below(Severity),
    Is(Severity),
    Above(Severity),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorFilter {
    pub state: Option<OperatorState>,
    pub user: Option<String>,
}

impl PurgeFilter {
    pub fn matches(&self, alarm: &Alarm, now: Timestamp) -> bool {
        let status = alarm.status();
        let clearance = match self.clearance {
            Clearance::Any => true,
            Clearance::Cleared => status.is_cleared,
            Clearance::NotCleared => !status.is_cleared,
        };
        let severity = match self.severity {
            None => true,
            Some(SeverityFilter::Below(severity)) => status.severity < severity,
            Some(SeverityFilter::Is(severity)) => status.severity == severity,
            Some(SeverityFilter::Above(severity)) => status.severity > severity,
        };
        let old = self.older_than.is_none_or(|age| now.duration_since(status.time) > age.duration());
        let operator = self.operator.as_ref().is_none_or(|filter| {
            let last = alarm.operator_state_changes.back();
            filter.state.is_none_or(|state| alarm.operator_state() == state)
                && filter.user.as_ref().is_none_or(|user| last.is_some_and(|change| change.operator == *user))
        });
        clearance && severity && old && operator
    }
}

impl Age {
    fn duration(self) -> SignedDuration {
        match self {
            Age::Seconds(n) => SignedDuration::from_secs(n.into()),
            Age::Minutes(n) => SignedDuration::from_mins(n.into()),
            Age::Hours(n) => SignedDuration::from_hours(n.into()),
            Age::Days(n) => SignedDuration::from_hours(24 * i64::from(n)),
            Age::Weeks(n) => SignedDuration::from_hours(7 * 24 * i64::from(n)),
        }
    }
}
