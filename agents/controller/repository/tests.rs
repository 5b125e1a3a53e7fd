//! Tests of the repository of actions: what survives, and what is executed first.

use std::io::Write;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn action(priority: u8, operation_id: Option<&str>) -> ControlAction {
    ControlAction {
        number: 0,
        operation_id: operation_id.map(str::to_owned),
        description: None,
        kind: "qkdn-types:path-modification".to_owned(),
        priority,
        value: Value::default(),
        state: ActionState::Accepted,
        state_text: None,
        received: at(0),
        completed: None,
        requestor: "qclm".to_owned(),
        effect: Vec::new(),
    }
}

#[test]
fn what_was_accepted_survives_a_torn_write_and_is_taken_up_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut repository = Repository::open(directory.path()).unwrap();
    for (priority, id) in [(3, "one"), (7, "two"), (3, "three"), (7, "four")] {
        repository.accept(action(priority, Some(id))).unwrap();
    }
    let urgent = repository.next().unwrap().clone();
    assert_eq!(urgent.operation_id.as_deref(), Some("two"));
    repository.progress(ControlAction { state: ActionState::Done, completed: Some(at(9)), ..urgent });
    let begun = repository.next().unwrap().clone();
    repository.progress(ControlAction { state: ActionState::InProgress, ..begun.clone() });
    repository.rerouted("urn:route", at(5));
    repository.rerouted("urn:route", at(6));
    drop(repository);
    // A crash in the middle of the next write.
    let mut log = std::fs::OpenOptions::new().append(true).open(directory.path().join(LOG)).unwrap();
    log.write_all(&[40, 0, 0, 128, 1, 2, 3]).unwrap();
    drop(log);

    let mut repository = Repository::open(directory.path()).unwrap();
    assert_eq!(repository.actions().len(), 4);
    assert_eq!(repository.route("urn:route").map(|known| (known.reroutes, known.established)), Some((2, at(6))));
    assert_eq!(repository.by_operation("two").unwrap().state, ActionState::Done);
    let mut order = Vec::new();
    while let Some(next) = repository.next().cloned() {
        order.push(next.operation_id.clone().unwrap());
        repository.progress(ControlAction { state: ActionState::Failed, ..next });
    }
    assert_eq!(order, ["four", "one", "three"], "the one that had begun is among them");
    assert_eq!(repository.accept(action(0, None)).unwrap().number, 5, "no number comes twice");
}

#[test]
fn the_oldest_that_ended_make_room_and_the_log_stays_short() {
    let directory = tempfile::tempdir().unwrap();
    let mut repository = Repository::open(directory.path()).unwrap();
    let description = Some("x".repeat(12_000));
    for _ in 0..MAX_ACTIONS {
        repository.accept(ControlAction { description: description.clone(), ..action(3, None) }).unwrap();
    }
    assert!(matches!(repository.accept(action(7, None)), Err(RepositoryError::Full)), "all wait");
    let second = repository.get(2).unwrap().clone();
    repository.progress(ControlAction { state: ActionState::Done, ..second });
    let number = repository.accept(action(7, None)).unwrap().number;
    assert_eq!((number, repository.actions().len()), (1001, MAX_ACTIONS));
    assert!(repository.get(1).is_some() && repository.get(2).is_none(), "what waits is not forgotten");
    let length = std::fs::metadata(directory.path().join(LOG)).unwrap().len();
    assert!(length < LOG_LIMIT + 100_000, "{length}");
    drop(repository);
    let repository = Repository::open(directory.path()).unwrap();
    assert_eq!((repository.actions().len(), repository.next().unwrap().number), (MAX_ACTIONS, 1001));
    assert!(repository.get(2).is_none());
}
