//! Clause 10.5: a security event is no fault, and what remedies a fault does not remedy it.

use super::played::play;

/// The link goes out of service, and its keys out of use; also when the module is closed again, and over a restart.
/// That it makes no key then is no failure.
#[test]
fn a_link_whose_module_was_opened_is_not_trusted() {
    play("y3804-10.5/tamper");
}

/// Each has its own run.
#[test]
fn a_tampering_during_a_failure_has_its_own_run() {
    play("y3804-10.5/tamper-during-a-failure");
}
