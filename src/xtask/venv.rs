//! The Python virtual environment `target/venv` with the foreign clients and pyang, as pinned by
//! `tests/interop/requirements.txt`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Doing, Outcome, output};
use crate::workspace;

/// The environment's directory, brought up to the pinned requirements.
pub fn ready() -> Outcome<PathBuf> {
    let requirements = workspace::root().join("tests/interop/requirements.txt");
    let pinned = fs::read_to_string(&requirements).doing(requirements.display())?;
    let directory = workspace::target().join("venv");
    // Written last: what it says is what the environment holds.
    let stamp = directory.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == pinned) && program(&directory, "pyang").exists() {
        return Ok(directory);
    }
    println!("setup: installing Python packages of tests/interop/requirements.txt into target/venv");
    let interpreter = Path::new("/usr/bin/python3");
    let interpreter = if interpreter.exists() { interpreter } else { Path::new("python3") };
    output(Command::new(interpreter).args(["-m", "venv", "--clear"]).arg(&directory))?;
    output(
        Command::new(program(&directory, "python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&requirements),
    )?;
    fs::write(&stamp, pinned).doing(stamp.display())?;
    Ok(directory)
}

/// A program of the environment.
pub fn program(environment: &Path, name: &str) -> PathBuf {
    environment.join("bin").join(name)
}
