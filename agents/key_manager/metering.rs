//! Metering of a KM (Y.3804 clause 10.2): what each application and each relay session used, in records without gaps.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::model::{MeteringRecord, RecordsInput, RecordsOutput, Use};
use crate::model::date_and_time;

/// Length of a metering interval. They begin at full minutes.
pub const INTERVAL: SignedDuration = SignedDuration::from_mins(1);

/// Finished records kept; the oldest goes first, which a reader sees by its number. Ten sessions fill it in sixteen hours.
const MAX_RECORDS: usize = 10_000;

/// Who used the keys for what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    pub usage: Use,
    pub session: String,
    pub application: Option<String>,
    /// The KM at the other end, of a relay the one that the keys went to.
    pub peer_km: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    pub keys: u64,
    pub bits: u64,
    pub requests: u64,
    pub rejected: u64,
}

#[derive(Clone, Debug)]
pub struct Metering {
    /// Oldest first; numbers follow each other.
    records: VecDeque<MeteringRecord>,
    last: u64,
    began: Timestamp,
    running: BTreeMap<Account, Amount>,
}

impl Metering {
    pub fn new(now: Timestamp) -> Self {
        Metering { records: VecDeque::new(), last: 0, began: now, running: BTreeMap::new() }
    }

    pub fn count(&mut self, account: Account, amount: Amount) {
        let total = self.running.entry(account).or_default();
        total.keys += amount.keys;
        total.bits += amount.bits;
        total.requests += amount.requests;
        total.rejected += amount.rejected;
    }

    /// Closes the interval where it is over at `now`.
    pub fn advance(&mut self, now: Timestamp) {
        if now.as_second().div_euclid(INTERVAL.as_secs()) != self.began.as_second().div_euclid(INTERVAL.as_secs()) {
            self.close(now);
        }
    }

    /// Closes the interval that runs: one record for each account that something was asked or taken for.
    pub fn close(&mut self, now: Timestamp) {
        let (start, end) = (date_and_time(self.began), date_and_time(now));
        self.began = now;
        for (account, amount) in std::mem::take(&mut self.running) {
            self.last += 1;
            self.records.push_back(MeteringRecord {
                sequence_number: self.last,
                start_time: start.clone(),
                end_time: end.clone(),
                usage: account.usage,
                application_id: account.application,
                session_id: account.session,
                peer_km_id: Some(account.peer_km),
                keys: amount.keys,
                bits: amount.bits,
                requests: amount.requests,
                rejected: amount.rejected,
            });
        }
        while self.records.len() > MAX_RECORDS {
            self.records.pop_front();
        }
    }

    pub fn read(&self, input: &RecordsInput) -> RecordsOutput {
        let after = input.after_sequence_number.unwrap_or(0);
        let newer = self.records.iter().filter(|record| record.sequence_number > after);
        RecordsOutput {
            record: newer.take(input.maximum.into()).cloned().collect(),
            last_sequence_number: self.last,
            oldest_sequence_number: self.records.front().map(|record| record.sequence_number),
        }
    }
}
