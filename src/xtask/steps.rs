//! A run of named steps, each passed, failed or skipped, with its time and a summary at the end.

use std::time::{Duration, Instant};

use crate::process::{Failure, Outcome};

/// What became of a step that did not fail.
pub enum Done {
    Passed,
    /// It could not run here, and why. In CI this is a failure.
    Skipped(String),
}

/// The steps run so far.
pub struct Steps {
    /// Whether a skip is a failure.
    ci: bool,
    ended: Vec<(String, Result<Done, Failure>, Duration)>,
}

impl Steps {
    pub fn new(ci: bool) -> Self {
        Self { ci, ended: Vec::new() }
    }

    /// Runs a step and keeps its result. Returns whether steps that need this one can run.
    pub fn step(&mut self, name: &str, work: impl FnOnce() -> Outcome<Done>) -> bool {
        println!("\n==> {name}");
        let start = Instant::now();
        let mut result = work();
        if let Ok(Done::Skipped(why)) = &result
            && self.ci
        {
            result = Err(Failure::new(format!("{why}, which in CI is a failure")));
        }
        let took = start.elapsed();
        match &result {
            Ok(Done::Passed) => println!("<== {name}: passed ({:.1} s)", took.as_secs_f64()),
            Ok(Done::Skipped(why)) => println!("<== {name}: skipped, {why}"),
            Err(failure) => println!("<== {name}: FAILED ({:.1} s): {failure}", took.as_secs_f64()),
        }
        let passed = matches!(result, Ok(Done::Passed));
        self.ended.push((name.to_owned(), result, took));
        passed
    }

    /// Lists a step that was not run, because `needed` did not pass. It counts as failed.
    pub fn not_run(&mut self, name: &str, needed: &str) {
        let why = Failure::new(format!("not run, because {needed} did not pass"));
        self.ended.push((name.to_owned(), Err(why), Duration::ZERO));
    }

    /// Prints the summary, whose last line is the count, and returns whether no step failed.
    pub fn finish(self) -> bool {
        let (mut passed, mut failed, mut skipped) = (0, 0, 0);
        println!("\nsummary");
        for (name, result, took) in &self.ended {
            let seconds = took.as_secs_f64();
            match result {
                Ok(Done::Passed) => {
                    passed += 1;
                    println!("  passed   {name:<30} {seconds:>7.1} s");
                }
                Ok(Done::Skipped(why)) => {
                    skipped += 1;
                    println!("  skipped  {name:<30}           {why}");
                }
                Err(failure) => {
                    failed += 1;
                    let first = failure.to_string();
                    let first = first.lines().next().unwrap_or_default();
                    println!("  FAILED   {name:<30} {seconds:>7.1} s {first}");
                }
            }
        }
        let total: f64 = self.ended.iter().map(|(_, _, took)| took.as_secs_f64()).sum();
        println!("  in all   {:<30} {total:>7.1} s", "");
        println!("{passed} passed, {failed} failed, {skipped} skipped");
        failed == 0
    }
}
