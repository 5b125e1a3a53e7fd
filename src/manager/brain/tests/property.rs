//! Alarms in any order: whatever two devices say, and however often, the list ends with what each said last.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use crate::alarm::{AlarmList, own_alarm};
use crate::facts::ReportedAlarm;
use crate::model::Severity;

const DEVICES: [&str; 2] = ["l1-rx", "l1-tx"];

/// A device's whole past of one alarm: severities with the seconds that they began at, oldest first.
type Past = Vec<(i64, Option<Severity>)>;

fn past() -> impl Strategy<Value = Past> {
    let severity = prop_oneof![
        Just(None),
        Just(Some(Severity::Warning)),
        Just(Some(Severity::Major)),
        Just(Some(Severity::Critical))
    ];
    prop::collection::vec((1..4i64, severity), 1..8).prop_map(|steps| {
        let mut now = 0;
        let begin = |(after, severity)| {
            now += after;
            (now, severity)
        };
        steps.into_iter().map(begin).collect()
    })
}

fn reported(past: &[(i64, Option<Severity>)], newest: usize, is_list: bool) -> ReportedAlarm {
    let at = |seconds| Timestamp::from_second(1_700_000_000 + seconds).unwrap();
    let oldest = if is_list { 0 } else { newest };
    let (time, severity) = past[newest];
    let mut alarm =
        own_alarm("urn:x:link:a", "qber-threshold-exceeded", severity, "QBER", "quality-of-service", at(time));
    let history = past[oldest..=newest].iter().rev().map(|(time, severity)| (at(*time), *severity, "QBER".to_owned()));
    alarm.history = history.collect();
    alarm
}

proptest! {
    #[test]
    fn the_list_ends_with_what_each_device_said_last(
        pasts in [past(), past()],
        // Of which device, about which entry of its past, and whether as a whole list up to there or as the notification alone.
        messages in prop::collection::vec((0..2usize, any::<prop::sample::Index>(), any::<bool>()), 1..40),
    ) {
        let mut list = AlarmList::default();
        let mut last: BTreeMap<usize, usize> = BTreeMap::new();
        let said = messages.into_iter().map(|(device, at, is_list)| (device, at.index(pasts[device].len()), is_list));
        let end = [0, 1].map(|device| (device, pasts[device].len() - 1, true));
        for (device, newest, is_list) in said.chain(end) {
            let past = &pasts[device];
            let alarm = reported(past, newest, is_list);
            let before = list.iter().next().cloned();
            let changes =
                if is_list { list.read(DEVICES[device], &alarm) } else { list.report(DEVICES[device], &alarm) };
            let known = last.get(&device).copied();
            if known == Some(newest) {
                prop_assert!(changes.is_empty(), "said twice: {:?}", changes);
                prop_assert_eq!(list.iter().next(), before.as_ref());
            }
            // A list is the truth; of notifications the latest is.
            if is_list && past[newest].1 != known.and_then(|known| past[known].1) || known.is_none_or(|known| newest > known) {
                last.insert(device, newest);
            }
            let alarm = list.iter().next().unwrap();
            let said = last.iter().map(|(device, newest)| pasts[*device][*newest].1);
            let worst = said.max().flatten();
            prop_assert_eq!(alarm.is_cleared, worst.is_none());
            if let Some(worst) = worst {
                prop_assert_eq!(alarm.perceived_severity, worst);
            }
            let changes = &alarm.status_change;
            prop_assert_eq!(changes[0].perceived_severity, worst, "the newest status change is the state");
            for pair in changes.windows(2) {
                prop_assert!(pair[0].time > pair[1].time, "in the order of time: {:?}", changes);
            }
        }
        let alarm = list.iter().next().unwrap();
        let said = DEVICES.iter().zip(&pasts).map(|(device, past)| (alarm.reporters[*device].0, past[past.len() - 1].1));
        for (kept, said) in said {
            prop_assert_eq!(kept, said);
        }
    }
}
