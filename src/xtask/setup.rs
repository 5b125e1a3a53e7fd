//! `cargo xtask setup`: from a machine with a Rust toolchain to one that builds and tests.

use std::time::Instant;

use crate::process::Outcome;
use crate::{apt, standard, venv};

/// Installs what is missing, says so, and does nothing where all is there.
pub fn run() -> Outcome {
    let start = Instant::now();
    // One list, so that without root there is one line to run.
    apt::install(&[apt::TO_BUILD, apt::TO_TEST].concat())?;
    venv::ready()?;
    modules()?;
    println!("setup: ready ({:.1} s)", start.elapsed().as_secs_f64());
    Ok(())
}

/// Collects the standard YANG modules, which is all that a build needs besides Debian's packages.
pub fn modules() -> Outcome {
    let collected = standard::collect()?;
    if collected > 0 {
        println!("setup: collected {collected} standard YANG modules into target/yang");
    }
    Ok(())
}
