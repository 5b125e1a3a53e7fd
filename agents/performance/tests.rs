//! Intervals, gaps, doubt and clocks, with the time turned by hand.

use super::*;
use proptest::prelude::*;

const QBER: Quantity = Quantity { identity: "t:qber", description: "QBER", unit: "percent", kind: Kind::Gauge };
const BLOCKS: Quantity =
    Quantity { identity: "t:blocks", description: "Key blocks", unit: "count", kind: Kind::Counter };

/// A midnight.
const DAY: i64 = 1_800_000_000 / 86_400 * 86_400;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(DAY + second).unwrap()
}

fn every(seconds: i64) -> Performance {
    Performance::new(SignedDuration::from_secs(seconds))
}

fn series<'a>(performance: &'a Performance, quantity: &Quantity) -> &'a Series {
    let key = SeriesKey { target: "m".to_owned(), quantity: quantity.identity.to_owned() };
    performance.get(&key).unwrap()
}

fn quarters(performance: &Performance) -> Vec<Interval> {
    series(performance, &QBER).history(Granularity::FifteenMinutes).copied().collect()
}

fn starts(performance: &Performance) -> Vec<i64> {
    quarters(performance).iter().map(|interval| interval.start().as_second() - DAY).collect()
}

fn validities(performance: &Performance) -> Vec<Validity> {
    quarters(performance).iter().map(|interval| interval.validity(Granularity::FifteenMinutes)).collect()
}

#[test]
fn an_interval_has_tide_marks_mean_and_snapshot() {
    let mut performance = every(300);
    for (second, value) in [(0, 3.0), (300, 5.0), (600, 2.5)] {
        assert!(performance.record("m", &QBER, value, at(second)).is_empty());
    }
    let running = series(&performance, &QBER).running(Granularity::FifteenMinutes).unwrap();
    assert_eq!(running.validity(Granularity::FifteenMinutes), Validity::Partial, "it is not over");
    let finished = performance.record("m", &QBER, 9.0, at(900));
    assert_eq!(finished.len(), 1);
    let Finished { granularity, interval, .. } = &finished[0];
    assert_eq!((*granularity, interval.start(), interval.samples()), (Granularity::FifteenMinutes, at(0), 3));
    assert_eq!((interval.minimum(), interval.maximum(), interval.last()), (Some(2.5), Some(5.0), Some(2.5)));
    assert_eq!(interval.mean(), Some(3.5));
    assert_eq!(interval.total(Kind::Gauge), None);
    assert_eq!(interval.validity(Granularity::FifteenMinutes), Validity::Complete);
}

#[test]
fn measurement_that_begins_inside_is_partial() {
    let mut performance = every(60);
    for second in (120..=1800).step_by(60) {
        performance.record("m", &QBER, 1.0, at(second));
    }
    assert_eq!(validities(&performance), [Validity::Partial, Validity::Complete]);
    assert_eq!(quarters(&performance)[0].measured(), SignedDuration::from_secs(780));
}

#[test]
fn one_missing_sample_is_no_gap_and_two_are() {
    for (missing, validity) in [(1, Validity::Complete), (2, Validity::Partial)] {
        let mut performance = every(60);
        for second in (0..=900).step_by(60).filter(|second| !(300..300 + 60 * missing).contains(second)) {
            performance.record("m", &QBER, 1.0, at(second));
        }
        assert_eq!(validities(&performance), [validity], "{missing} missing");
    }
}

#[test]
fn gaps_have_no_entry_and_are_never_zero() {
    let mut performance = every(60);
    performance.record("m", &QBER, 4.0, at(0));
    assert_eq!(performance.advance(at(899)), []);
    assert_eq!(performance.advance(at(4000)).len(), 1);
    assert!(series(&performance, &QBER).running(Granularity::FifteenMinutes).is_none());
    performance.record("m", &QBER, 4.0, at(5000));
    performance.advance(at(5400));
    assert_eq!(starts(&performance), [0, 4500]);
    assert!(quarters(&performance).iter().all(|interval| interval.minimum() == Some(4.0)));
}

#[test]
fn invalid_samples_put_an_interval_in_doubt() {
    let mut performance = every(300);
    for (second, value) in [(0, 3.0), (300, f64::NAN), (600, 3.0), (900, 3.0)] {
        performance.record("m", &QBER, value, at(second));
    }
    assert_eq!(validities(&performance), [Validity::Suspect]);
    let interval = quarters(&performance)[0];
    assert_eq!((interval.samples(), interval.samples_invalid(), interval.mean()), (2, 1, Some(3.0)));
}

#[test]
fn an_invalid_sample_is_no_current_value() {
    let mut performance = every(300);
    performance.record("m", &QBER, f64::INFINITY, at(0));
    let current = *series(&performance, &QBER).current().unwrap();
    assert_eq!(current, Current { time: at(0), value: None, validity: Validity::Suspect });
    let interval = series(&performance, &QBER).running(Granularity::FifteenMinutes).unwrap();
    assert_eq!((interval.mean(), interval.minimum(), interval.last()), (None, None, None));
}

#[test]
fn a_counter_counts_across_the_border_of_intervals() {
    let mut performance = every(300);
    let mut finished = Vec::new();
    for (second, value) in [(0, 100.0), (300, 110.0), (600, 115.0), (900, 135.0), (1200, 136.0)] {
        finished.extend(performance.record("m", &BLOCKS, value, at(second)));
    }
    assert_eq!(finished[0].interval.total(Kind::Counter), Some(15.0), "the sample at 0 has nothing before it");
    let running = series(&performance, &BLOCKS).running(Granularity::FifteenMinutes).unwrap();
    assert_eq!(running.total(Kind::Counter), Some(21.0), "20 came with the sample at the border");
}

#[test]
fn a_counter_that_restarts_is_in_doubt() {
    let mut performance = every(300);
    for (second, value) in [(0, 100.0), (300, 4.0), (600, 6.0)] {
        performance.record("m", &BLOCKS, value, at(second));
    }
    let running = series(&performance, &BLOCKS).running(Granularity::FifteenMinutes).unwrap();
    assert_eq!(running.total(Kind::Counter), Some(6.0));
    assert_eq!(running.validity(Granularity::FifteenMinutes), Validity::Suspect);
}

#[test]
fn histories_are_bounded() {
    let mut performance = every(900);
    for quarter in 0..=40 * 96 {
        performance.record("m", &QBER, quarter as f64, at(quarter * 900));
    }
    let series = series(&performance, &QBER);
    let oldest = |granularity| series.history(granularity).next().unwrap().start();
    assert_eq!(series.history(Granularity::FifteenMinutes).count(), 96);
    assert_eq!(oldest(Granularity::FifteenMinutes), at(39 * 86_400));
    assert_eq!(series.history(Granularity::TwentyFourHours).count(), 30);
    assert_eq!(oldest(Granularity::TwentyFourHours), at(10 * 86_400));
    let day = series.history(Granularity::TwentyFourHours).next_back().unwrap();
    assert_eq!(day.validity(Granularity::TwentyFourHours), Validity::Complete);
    assert_eq!((day.samples(), day.minimum(), day.maximum()), (96, Some(3744.0), Some(3839.0)));
}

#[test]
fn a_clock_set_back_reopens_its_interval_and_drops_the_future() {
    let mut performance = every(300);
    for second in (0..=3000).step_by(300) {
        performance.record("m", &QBER, 1.0, at(second));
    }
    assert_eq!(starts(&performance), [0, 900, 1800]);
    performance.record("m", &QBER, 2.0, at(1000));
    assert_eq!(starts(&performance), [0]);
    let running = series(&performance, &QBER).running(Granularity::FifteenMinutes).unwrap();
    assert_eq!((running.start(), running.samples()), (at(900), 4));
    assert_eq!(running.validity(Granularity::FifteenMinutes), Validity::Suspect);
    for second in (1300..=3000).step_by(300) {
        performance.record("m", &QBER, 1.0, at(second));
    }
    assert_eq!(validities(&performance), [Validity::Complete, Validity::Suspect, Validity::Complete]);
}

#[test]
fn a_page_of_history_leaves_no_interval_behind() {
    let mut performance = every(900);
    for quarter in 0..=3 {
        for target in ["a", "b", "c"] {
            performance.record(target, &QBER, 1.0, at(quarter * 900));
        }
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let (page, more) = performance.history(Granularity::FifteenMinutes, after, |key| key.target != "b", 3);
        seen.extend(page.iter().map(|(key, interval)| (interval.start(), key.target.clone())));
        after = page.last().map(|(_, interval)| interval.start());
        if !more {
            break;
        }
        assert_eq!(page.len(), 4, "the second interval of a begin is not cut off");
    }
    let expected: Vec<_> =
        [0, 900, 1800].into_iter().flat_map(|s| ["a", "c"].map(|target| (at(s), target.to_owned()))).collect();
    assert_eq!(seen, expected);
}

#[test]
fn there_are_only_so_many_series() {
    let mut performance = every(1);
    for n in 0..=MAX_SERIES {
        performance.record(&n.to_string(), &QBER, 1.0, at(0));
    }
    assert_eq!((performance.iter().len(), performance.refused()), (MAX_SERIES, 1));
}

proptest! {
    /// Whatever comes when: intervals are aligned, in order and bounded, no sample is counted twice or lost while the clock runs forward,
    /// what is called complete was sampled without a gap, and writing and reading changes nothing.
    #[test]
    fn intervals_account_for_every_sample(steps in prop::collection::vec((1i64..400, prop::option::weighted(0.95, -5.0..50.0)), 1..300)) {
        let mut performance = every(60);
        let (mut now, mut sampled) = (0, Vec::new());
        let mut finished = Vec::new();
        for (turn, value) in steps {
            now += turn;
            finished.extend(performance.advance(at(now)));
            finished.extend(performance.record("m", &QBER, value.unwrap_or(f64::NAN), at(now)));
            sampled.push((now, value));
        }
        let series = series(&performance, &QBER);
        for granularity in Granularity::ALL {
            let length = granularity.length().as_secs();
            let all: Vec<_> = series.history(granularity).chain(series.running(granularity)).copied().collect();
            let told: Vec<_> = finished.iter().filter(|f| f.granularity == granularity).map(|f| f.interval).collect();
            prop_assert!(series.history(granularity).eq(told.iter()), "what was finished was told");
            prop_assert!(all.is_sorted_by(|a, b| a.start() < b.start()));
            for interval in &all {
                let start = interval.start().as_second() - DAY;
                prop_assert_eq!(start % length, 0);
                let inside: Vec<_> = sampled.iter().filter(|(t, _)| (start..start + length).contains(t)).collect();
                let valid: Vec<f64> = inside.iter().filter_map(|(_, value)| *value).collect();
                prop_assert_eq!(interval.samples() as usize, valid.len());
                prop_assert_eq!(interval.samples_invalid() as usize, inside.len() - valid.len());
                prop_assert_eq!(interval.minimum(), valid.iter().copied().reduce(f64::min));
                prop_assert_eq!(interval.maximum(), valid.iter().copied().reduce(f64::max));
                prop_assert_eq!(interval.last(), valid.last().copied());
                if interval.validity(granularity) == Validity::Complete {
                    let reach: Vec<i64> = sampled.iter().map(|(t, _)| *t).collect();
                    let covering = |t: i64| reach.windows(2).any(|w| w[0] <= t && t <= w[1] && w[1] - w[0] <= 150);
                    prop_assert!((start..=start + length).all(covering));
                }
            }
            let counted: u32 = all.iter().map(|i| i.samples() + i.samples_invalid()).sum();
            prop_assert_eq!(counted as usize, sampled.len());
        }
        let written = serde_json::to_string(series).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Series>(&written).unwrap(), series);
    }

    /// A clock that jumps at will never disorders or overfills a history.
    #[test]
    fn a_wild_clock_leaves_an_orderly_history(turns in prop::collection::vec(-4000i64..4000, 1..200)) {
        let mut performance = every(60);
        let mut now = 0;
        for turn in turns {
            now += turn;
            performance.record("m", &QBER, 1.0, at(now));
            let series = series(&performance, &QBER);
            for granularity in Granularity::ALL {
                let all: Vec<_> = series.history(granularity).chain(series.running(granularity)).collect();
                prop_assert!(all.is_sorted_by(|a, b| a.start() < b.start()));
                prop_assert!(all.iter().all(|i| i.measured() <= granularity.length() && i.start() <= at(now)));
            }
        }
    }
}
