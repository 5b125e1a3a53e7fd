//! Key stores of pairs of KMs: amounts of key, made by their QKD links and taken by KMs and applications.

use jiff::Timestamp;

use super::QkdLink;

/// The stores of all pairs.
#[derive(Debug, Default)]
pub(crate) struct Stores {}

impl Stores {
    /// One second passes: `links` have made [`QkdLink::made`] bits each in it.
    pub(crate) fn tick(&mut self, _links: &[QkdLink], _now: Timestamp) {}
}
