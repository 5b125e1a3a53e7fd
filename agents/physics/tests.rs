//! The published figures that the formulas must reproduce.

use super::*;
use proptest::prelude::*;

/// Table A asks for half a percent, or the digits given.
fn assert_within(value: f64, published: f64, relative: f64, what: &str) {
    let error = (value / published - 1.0).abs();
    assert!(error <= relative, "{what}: {value} against {published} is {:.3} % off", error * 100.0);
}

#[test]
fn longest_distance_with_infinitely_many_decoys() {
    assert_within(System::GYS.max_distance_km(Point::infinite_decoy), 142.05, 0.005, "infinite decoy");
}

#[test]
fn longest_distance_with_vacuum_and_weak_decoy() {
    assert_within(System::GYS.max_distance_km(Point::vacuum_weak), 140.55, 0.005, "vacuum+weak");
}

#[test]
fn optimal_signal_intensity_to_the_digits_published() {
    let rounded = |mu: f64| (mu * 100.0).round() / 100.0;
    assert_eq!(rounded(System::GYS.optimal_signal_intensity()), 0.48);
    let shannon = System { error_correction: 1.0, ..System::GYS };
    assert_eq!(rounded(shannon.optimal_signal_intensity()), 0.54);
}

#[test]
fn bounds_at_40_km_are_as_loose_as_published() {
    let point = System { decoy_intensity: 0.12, ..System::GYS }.over_distance(40.0);
    let below = 1.0 - point.vacuum_weak.y1 / point.infinite_decoy.y1;
    let above = point.vacuum_weak.e1 / point.infinite_decoy.e1 - 1.0;
    assert!((below * 100.0 - 3.5).abs() <= 0.05, "Y1 is {below} below");
    assert!((above * 100.0 - 16.8).abs() <= 0.05, "e1 is {above} above");
}

#[test]
fn error_rate_limits() {
    assert_within(error_rate_limit(1.0), 0.11003, 0.0005, "f = 1");
    assert_within(error_rate_limit(1.16), 0.0981, 0.0005, "f = 1.16");
    assert_within(error_rate_limit(1.22), 0.0942, 0.0005, "f = 1.22");
}

/// Table B, rows B1, B2 and B4: measured with weak pulses of 0.1 photons, before decoy states.
#[test]
fn error_rates_measured_by_gobby_yuan_and_shields() {
    let experiment = System { signal_intensity: 0.1, ..System::GYS };
    for (km, published_percent) in [(4.4, 3.3), (65.0, 3.3), (122.0, 8.9)] {
        let percent = experiment.over_distance(km).qber * 100.0;
        assert!((percent - published_percent).abs() <= 0.6, "{km} km: {percent} % against {published_percent} %");
    }
}

#[test]
fn a_cut_fibre_leaves_dark_counts_and_no_key() {
    let point = System::GYS.over_loss(f64::INFINITY);
    assert_eq!(point.gain, System::GYS.background_yield);
    assert_eq!(point.qber, 0.5);
    assert_eq!(point.vacuum_weak.secret_key_rate, 0.0);
    assert_eq!(point.infinite_decoy.secret_key_rate, 0.0);
}

#[test]
fn interception_of_everything_costs_a_quarter() {
    assert_eq!(misalignment_under_interception(0.0, 1.0), 0.25);
    assert_eq!(misalignment_under_interception(0.033, 0.0), 0.033);
}

#[test]
fn systems_are_found_by_name() {
    assert_eq!(System::by_name("gys"), Some(System::GYS));
    assert_eq!(System::by_name("GYS-2"), None);
}

proptest! {
    #[test]
    fn more_loss_never_gives_more_key(loss in 0.0..60.0, more in 0.0..20.0) {
        let (near, far) = (System::GYS.over_loss(loss), System::GYS.over_loss(loss + more));
        prop_assert!(far.gain <= near.gain);
        prop_assert!(far.qber >= near.qber);
        prop_assert!(far.vacuum_weak.secret_key_rate <= near.vacuum_weak.secret_key_rate * (1.0 + 1e-12));
    }

    #[test]
    fn a_bound_never_promises_more_than_is_there(loss in 0.0..40.0, nu in 0.01..0.3, mu in 0.35..0.7) {
        let point = System { decoy_intensity: nu, signal_intensity: mu, ..System::GYS }.over_loss(loss);
        prop_assert!(point.vacuum_weak.y1 <= point.infinite_decoy.y1 * (1.0 + 1e-9));
        prop_assert!(point.vacuum_weak.e1 >= point.infinite_decoy.e1 * (1.0 - 1e-9));
        prop_assert!(point.vacuum_weak.bits_per_pulse <= point.infinite_decoy.bits_per_pulse * (1.0 + 1e-9));
    }

    #[test]
    fn interception_raises_errors_in_proportion(e in 0.0..0.2, p in 0.0..1.0) {
        let seen = misalignment_under_interception(e, p);
        prop_assert!(seen >= e - 1e-12 && seen <= 0.5);
    }
}
