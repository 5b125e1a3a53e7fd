//! The confirmed commit, row by row of its table.

use super::*;
use crate::error::ErrorTag;

/// A configuration is its name.
fn awaiting(session_id: u32, persist: Option<&str>, deadline: Instant) -> Awaiting<&'static str> {
    Awaiting { before: "before", session_id, persist: persist.map(str::to_owned), deadline, overdue: false }
}

fn confirmed(seconds: u64, persist: Option<&str>) -> Option<Confirmed<'_>> {
    Some(Confirmed { timeout: Duration::from_secs(seconds), persist })
}

#[test]
fn a_commit_starts_extends_or_completes() {
    let now = Instant::now();
    let at = |seconds| now + Duration::from_secs(seconds);
    let mine = || awaiting(1, None, at(10));
    let kept = || awaiting(1, Some("t"), at(10));
    type Row<'a> =
        (Option<Awaiting<&'static str>>, Commit<'a>, u32, Result<(Step, Option<Awaiting<&'static str>>), ErrorTag>);
    let plain = |persist_id| Commit { confirmed: None, persist_id };
    let rows: Vec<Row<'_>> = vec![
        (None, plain(None), 1, Ok((Step::Plain, None))),
        (None, plain(Some("t")), 1, Err(ErrorTag::InvalidValue)),
        (
            None,
            Commit { confirmed: confirmed(600, None), persist_id: None },
            1,
            Ok((Step::Start, Some(Awaiting { before: "running", ..awaiting(1, None, at(600)) }))),
        ),
        (
            None,
            Commit { confirmed: confirmed(5, Some("t")), persist_id: None },
            1,
            Ok((Step::Start, Some(Awaiting { before: "running", ..awaiting(1, Some("t"), at(5)) }))),
        ),
        // The first commit's configuration is what everything goes back to.
        (
            Some(mine()),
            Commit { confirmed: confirmed(60, None), persist_id: None },
            1,
            Ok((Step::Extend, Some(awaiting(1, None, at(60))))),
        ),
        (
            Some(mine()),
            Commit { confirmed: confirmed(60, Some("t")), persist_id: None },
            1,
            Ok((Step::Extend, Some(awaiting(1, Some("t"), at(60))))),
        ),
        (
            Some(kept()),
            Commit { confirmed: confirmed(60, None), persist_id: Some("t") },
            2,
            Ok((Step::Extend, Some(awaiting(2, Some("t"), at(60))))),
        ),
        (
            Some(kept()),
            Commit { confirmed: confirmed(60, Some("u")), persist_id: Some("t") },
            2,
            Ok((Step::Extend, Some(awaiting(2, Some("u"), at(60))))),
        ),
        (Some(mine()), plain(None), 1, Ok((Step::Complete, None))),
        (Some(kept()), plain(Some("t")), 1, Ok((Step::Complete, None))),
        (Some(kept()), plain(Some("t")), 2, Ok((Step::Complete, None))),
        (Some(mine()), plain(None), 2, Err(ErrorTag::InUse)),
        (Some(kept()), plain(None), 2, Err(ErrorTag::InUse)),
        (Some(mine()), Commit { confirmed: confirmed(1, None), persist_id: None }, 2, Err(ErrorTag::InUse)),
        (Some(kept()), plain(None), 1, Err(ErrorTag::MissingElement)),
        (Some(kept()), plain(Some("x")), 1, Err(ErrorTag::InvalidValue)),
        (Some(mine()), plain(Some("x")), 1, Err(ErrorTag::InvalidValue)),
        // Too late.
        (Some(awaiting(1, None, now)), plain(None), 1, Err(ErrorTag::InUse)),
        (Some(Awaiting { overdue: true, ..mine() }), plain(None), 1, Err(ErrorTag::InUse)),
    ];
    for (number, (before, wish, session_id, expected)) in rows.into_iter().enumerate() {
        let found = commit(before.as_ref(), &wish, session_id, &"running", now).map_err(|e| e.tag);
        assert_eq!(found, expected, "row {number}: {before:?} {wish:?}");
    }
}

#[test]
fn a_cancel_needs_the_session_or_the_token() {
    let later = Instant::now() + Duration::from_secs(10);
    let (mine, kept) = (awaiting(1, None, later), awaiting(1, Some("t"), later));
    let overdue = Awaiting { overdue: true, ..mine.clone() };
    for (number, (before, persist_id, session_id, expected)) in [
        (None, None, 1, Err(ErrorTag::OperationFailed)),
        (None, Some("t"), 1, Err(ErrorTag::InvalidValue)),
        (Some(&mine), None, 1, Ok("before")),
        (Some(&overdue), None, 1, Ok("before")),
        (Some(&mine), None, 2, Err(ErrorTag::InUse)),
        (Some(&mine), Some("t"), 1, Err(ErrorTag::InvalidValue)),
        (Some(&kept), Some("t"), 1, Ok("before")),
        (Some(&kept), Some("t"), 2, Ok("before")),
        (Some(&kept), Some("T"), 2, Err(ErrorTag::InvalidValue)),
        (Some(&kept), None, 1, Err(ErrorTag::MissingElement)),
        (Some(&kept), None, 2, Err(ErrorTag::InUse)),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(cancel(before, persist_id, session_id).map_err(|e| e.tag), expected, "row {number}");
    }
}

#[test]
fn sessions_and_locks_know_whose_it_is() {
    let later = Instant::now() + Duration::from_secs(10);
    let (mine, kept) = (awaiting(1, None, later), awaiting(1, Some("t"), later));
    assert!(mine.ends_with(1) && !mine.ends_with(2) && !kept.ends_with(1));
    assert!(!Awaiting { overdue: true, ..mine.clone() }.ends_with(1), "it is being taken back already");
    assert_eq!([mine.refuses_lock(1), mine.refuses_lock(2)], [None, Some(1)]);
    assert_eq!([kept.refuses_lock(1), kept.refuses_lock(2)], [None, Some(0)]);
}
