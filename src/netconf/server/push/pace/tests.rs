//! When updates are due, by tables: anchors, missed periods, dampening, and the numbers of patches.

use super::*;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn the_next_multiple_is_found_on_both_sides_of_the_anchor() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let anchor = at("2026-01-01T00:00:10Z");
    for (now, left) in [
        ("2026-01-01T00:00:10Z", Duration::ZERO),
        ("2026-01-01T00:00:11Z", seconds(59)),
        ("2026-01-01T00:01:09.5Z", Duration::from_millis(500)),
        ("2026-01-01T00:01:10Z", Duration::ZERO),
        // Before the anchor, and years after it.
        ("2026-01-01T00:00:00Z", seconds(10)),
        ("2025-12-31T23:59:00Z", seconds(10)),
        ("2031-01-01T00:00:00Z", seconds(10)),
    ] {
        assert_eq!(until_multiple(anchor, seconds(60), at(now)), left, "{now}");
    }
}

#[test]
fn a_period_that_was_missed_is_not_made_up_for() {
    let start = Instant::now();
    let mut times = Periodic::new(seconds(10), None, Timestamp::UNIX_EPOCH, start);
    assert_eq!(times.due(), start);
    // (now, periods passed besides, next due), each in seconds after the start
    for (now, passed, due) in
        [(0, 0, 10), (10, 0, 20), (29, 0, 30), (30, 0, 40), (41, 0, 50), (60, 1, 70), (105, 3, 110)]
    {
        assert_eq!(times.next(start + seconds(now)), passed, "at {now}");
        assert_eq!(times.due(), start + seconds(due), "at {now}");
    }
}

#[test]
fn changes_wait_for_the_dampening_period_and_no_longer() {
    let start = Instant::now();
    let at = |count| start + seconds(count);
    let mut pace = Dampened::new(seconds(5));
    assert_eq!(pace.due(), None);
    pace.changed(at(1));
    assert_eq!(pace.due(), Some(at(1)), "the first is told at once");
    pace.looked(at(1), true);
    assert_eq!(pace.due(), None);
    pace.changed(at(2));
    pace.changed(at(4));
    assert_eq!(pace.due(), Some(at(6)));
    // It was looked at, and there was nothing to tell: no record, so no new interval.
    pace.looked(at(6), false);
    pace.changed(at(7));
    assert_eq!(pace.due(), Some(at(7)));
    pace.looked(at(7), true);
    pace.changed(at(60));
    assert_eq!(pace.due(), Some(at(60)));
}

#[test]
fn patches_are_numbered_from_zero_after_each_whole_update() {
    let mut ids = PatchIds::default();
    assert_eq!([ids.take(), ids.take(), ids.take()], [0, 1, 2]);
    ids.restart();
    assert_eq!(ids.take(), 0);
    let mut last = PatchIds(u32::MAX);
    assert_eq!([last.take(), last.take()], [u32::MAX, 0]);
}
