//! Which run is the latest.

use serde_json::json;

use super::*;

#[test]
fn the_run_that_follows_an_action_does_not_hide_the_one_that_acted() {
    let run = |id: &str, procedure: &str, second: u32| json!({"run-id": id, "procedure": procedure, "started": format!("2026-01-01T00:00:{second:02}Z")});
    let begun = [
        run("run-1", "configuration", 1),
        run("run-9", "link-failure", 2),
        run("run-10", "link-failure", 2),
        run("run-11", "configuration", 3),
    ];
    let id = |runs: &[Value], procedure| latest(runs, procedure).map(|run| leaf(run, "run-id"));
    assert_eq!(id(&begun, None).as_deref(), Some("run-10"));
    assert_eq!(id(&begun, Some(procedure("10.3").unwrap())).as_deref(), Some("run-11"));
    assert_eq!(id(&begun[..1], None).as_deref(), Some("run-1"), "there is no other");
    assert_eq!(id(&begun[..1], Some("link-failure")), None);
    assert!(procedure("10.9").is_err());
}
