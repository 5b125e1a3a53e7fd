//! `cargo xtask demo`: from a fresh clone to the running demonstration.

use std::process::Command;

use crate::process::{Outcome, run};
use crate::{apt, setup, test};

/// Builds the release binary and runs `qkdn demo` with `arguments` until it ends.
pub fn run_demo(arguments: &[String]) -> Outcome {
    // Python too: some of the standard YANG modules come with one of its packages.
    apt::install(&[apt::TO_BUILD, &["python3-venv"]].concat())?;
    setup::modules()?;
    run(&mut test::cargo_command(&["build", "--release", "--package", "qkdn"]))?;
    run(Command::new(test::binary("release")).arg("demo").args(arguments))
}
