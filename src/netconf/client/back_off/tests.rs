//! Tests of the waits between connections.

use super::*;

#[test]
fn waits_double_up_to_a_bound_and_spread_over_half_of_it() {
    let back_off = BackOff { first: Duration::from_millis(100), longest: Duration::from_secs(1) };
    for (failures, longest) in
        [(1, 100), (2, 200), (4, 800), (5, 1_000), (31, 1_000), (32, 1_000), (33, 1_000), (u32::MAX, 1_000)]
    {
        let longest = Duration::from_millis(longest);
        assert_eq!(back_off.delay_by(failures, 0), longest / 2, "{failures}");
        let most = back_off.delay_by(failures, 999);
        assert!(most > longest * 9 / 10 && most <= longest, "{failures}: {most:?}");
    }
}

#[test]
fn the_usual_waits_begin_with_half_a_second_and_end_with_half_a_minute() {
    let usual = BackOff::default();
    for (failures, bound) in [(1, 500), (2, 1_000), (3, 2_000), (6, 16_000), (7, 30_000), (u32::MAX, 30_000)] {
        let bound = Duration::from_millis(bound);
        assert_eq!(usual.delay_by(failures, 0), bound / 2);
        let longest = usual.delay_by(failures, 999);
        assert!(longest < bound && longest > bound * 99 / 100, "{longest:?}");
    }
    assert!((0..100).any(|_| usual.delay(1) != usual.delay(1)), "chance has one value only");
}
