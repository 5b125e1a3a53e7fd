//! Running other programs, and the one error type of this crate: a line that says what went wrong.

use std::fmt;
use std::path::Path;
use std::process::Command;

/// What went wrong and, where one is known, what to do about it; one line, or one line and the output it came from.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub type Outcome<T = ()> = Result<T, Failure>;

/// Adds what was being done to an error of the standard library or of a parser.
pub trait Doing<T> {
    fn doing(self, what: impl fmt::Display) -> Outcome<T>;
}

impl<T, E: fmt::Display> Doing<T> for Result<T, E> {
    fn doing(self, what: impl fmt::Display) -> Outcome<T> {
        self.map_err(|error| Failure(format!("{what}: {error}")))
    }
}

/// Runs a command to its end with our own input and output.
pub fn run(command: &mut Command) -> Outcome {
    let status = command.status().doing(line(command))?;
    if status.success() { Ok(()) } else { Err(Failure(format!("{}: {status}", line(command)))) }
}

/// Runs a command and returns what it printed; what it wrote to standard error is in the failure.
pub fn output(command: &mut Command) -> Outcome<String> {
    let output = command.output().doing(line(command))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(Failure(format!("{}: {}\n{}", line(command), output.status, errors.trim_end())))
    }
}

/// The command as it would be typed.
pub fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
