//! `cargo xtask setup`: from a machine with a Rust toolchain to one that builds and tests.

use std::time::Instant;

use crate::process::Outcome;
use crate::{apt, standard, venv};

/// Installs what is missing, says so, and does nothing where all is there.
pub fn run() -> Outcome {
    let start = Instant::now();
    apt::install(apt::TO_BUILD)?;
    apt::install(apt::TO_TEST)?;
    venv::ready()?;
    let collected = standard::collect()?;
    if collected > 0 {
        println!("setup: collected {collected} standard YANG modules into target/yang");
    }
    println!("setup: ready ({:.1} s)", start.elapsed().as_secs_f64());
    Ok(())
}
