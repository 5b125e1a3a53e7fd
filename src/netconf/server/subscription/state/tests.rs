//! The table of the life of a subscription.

use super::*;

#[test]
fn each_happening_in_each_state() {
    use Happening::*;
    use State::{Active, Ended, Suspended};
    let slow = Reason::UnsupportableVolume;
    let over = Some(Change::Terminated(Reason::NoSuchSubscription));
    let gone = Some(Change::Terminated(Reason::FilterUnavailable));
    for (before, happening, after, told) in [
        (Active, Replayed, Active, Some(Change::ReplayCompleted)),
        (Active, Hindered(slow), Suspended, Some(Change::Suspended(slow))),
        (Active, Able, Active, None),
        (Active, Modified, Active, Some(Change::Modified)),
        (Active, Deleted, Ended, None),
        (Active, Over, Ended, over),
        (Active, Gone(Reason::FilterUnavailable), Ended, gone),
        (Suspended, Hindered(Reason::InsufficientResources), Suspended, None),
        (Suspended, Able, Active, Some(Change::Resumed)),
        (Suspended, Modified, Active, Some(Change::Modified)),
        (Suspended, Deleted, Ended, None),
        (Suspended, Over, Ended, over),
        (Suspended, Gone(Reason::FilterUnavailable), Ended, gone),
        (Ended, Replayed, Ended, None),
        (Ended, Hindered(slow), Ended, None),
        (Ended, Able, Ended, None),
        (Ended, Modified, Ended, None),
        (Ended, Over, Ended, None),
    ] {
        assert_eq!(before.after(happening), (after, told), "{happening:?} while {before:?}");
    }
}
