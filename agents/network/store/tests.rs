//! The store of a pair: amounts add up, identifiers go on, age and rates are told right.

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

const PLENTY: u64 = 1_000_000_000;

#[test]
fn what_arrives_becomes_whole_keys_that_are_used_oldest_first() {
    let mut store = Store::new("s");
    assert_eq!(store.add(300.0, 256, PLENTY, at(0)), Some(Run { first: 0, keys: 1, bits: 256 }));
    assert_eq!(store.add(211.0, 256, PLENTY, at(1)), None, "44 + 211 bits are no key");
    assert_eq!(store.add(1.0 + 512.0, 256, PLENTY, at(2)), Some(Run { first: 1, keys: 3, bits: 256 }));
    assert_eq!((store.keys(), store.bits()), (4, 1024));
    assert_eq!(store.take(257), [Run { first: 0, keys: 2, bits: 256 }]);
    assert_eq!(store.add(512.0, 512, PLENTY, at(3)), Some(Run { first: 4, keys: 1, bits: 512 }));
    let rest = [Run { first: 2, keys: 2, bits: 256 }, Run { first: 4, keys: 1, bits: 512 }];
    assert_eq!(store.take(u64::MAX), rest);
    assert_eq!((store.keys(), store.bits(), store.oldest()), (0, 0, None));
}

#[test]
fn a_full_store_throws_away() {
    let mut store = Store::new("s");
    assert_eq!(store.add(10_000.0, 100, 1050, at(0)).map(|run| run.keys), Some(10));
    assert_eq!(store.add(1000.0, 100, 1050, at(1)), None);
    store.take(200);
    assert_eq!(store.add(1000.0, 100, 1050, at(2)), Some(Run { first: 10, keys: 2, bits: 100 }));
}

#[test]
fn keys_expire_by_their_age() {
    let mut store = Store::new("s");
    for minute in 0..10 {
        store.add(1000.0, 100, PLENTY, at(minute * 60));
    }
    assert_eq!(store.oldest(), Some(at(0)));
    let expired = store.expire(SignedDuration::from_secs(420), at(600));
    assert_eq!(expired.iter().map(|run| run.keys).sum::<u64>(), 40, "made at 0, 60, 120 and 180 s");
    assert_eq!((store.keys(), store.oldest()), (60, Some(at(240))));
}

#[test]
fn days_of_batches_stay_bounded_and_lose_no_key() {
    let mut store = Store::new("s");
    for minute in 0..5000 {
        store.add(100.0, 100, PLENTY, at(minute * 60));
    }
    assert_eq!(store.batches.len(), MAX_BATCHES);
    assert_eq!((store.keys(), store.oldest()), (5000, Some(at(0))));
    assert_eq!(store.take(u64::MAX).iter().map(|run| run.keys).sum::<u64>(), 5000);
}

#[test]
fn rates_are_right_from_the_first_step() {
    let mut store = Store::new("s");
    for second in 0..5 {
        store.add(700.0, 100, PLENTY, at(second));
        store.take(200);
        store.step();
        assert!((store.arrival_rate() - 700.0).abs() < 1e-9, "{}", store.arrival_rate());
        assert!((store.consumption_rate() - 200.0).abs() < 1e-9, "{}", store.consumption_rate());
    }
    (0..600).for_each(|_| store.step());
    assert!(store.arrival_rate() < 0.1);
}
