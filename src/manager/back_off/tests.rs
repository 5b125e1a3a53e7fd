//! Tests of how long the waits are.

use super::*;

#[test]
fn waits_double_up_to_the_bound_and_are_spread_over_half_of_it() {
    for (failures, bound) in [(1, 500), (2, 1_000), (3, 2_000), (6, 16_000), (7, 30_000), (u32::MAX, 30_000)] {
        let bound = Duration::from_millis(bound);
        assert_eq!(delay(failures, 0), bound / 2);
        let longest = delay(failures, 999);
        assert!(longest < bound && longest > bound * 99 / 100, "{longest:?}");
    }
    assert!((0..100).any(|_| delay(1, chance()) != delay(1, chance())), "chance has one value only");
}
