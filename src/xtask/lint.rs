//! Our YANG modules before three checkers that nobody here wrote; none may have anything to say.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Doing, Failure, Outcome};
use crate::steps::{Done, Steps};
use crate::test::{files, quiet};
use crate::{setup, venv, workspace};

/// Sets up and runs the checkers and nothing else. Returns whether none failed.
pub fn run_all(ci: bool) -> bool {
    let mut run = Steps::new(ci);
    let set_up = run.step("setup", || setup::run().map(|()| Done::Passed));
    steps(&mut run, set_up);
    run.finish()
}

/// One step for each checker.
pub fn steps(steps: &mut Steps, set_up: bool) {
    let checkers: [(&str, Checker); 3] =
        [("yang by pyang", pyang), ("yang by yanglint", yanglint), ("yang by yangdump", yangdump)];
    for (name, check) in checkers {
        if set_up {
            steps.step(name, || {
                let modules = files("yang", "qkdn-", ".yang")?;
                if modules.is_empty() {
                    return Err(Failure::new("yang/ holds no qkdn-*.yang"));
                }
                println!("{} modules", modules.len());
                check(&modules)
            });
        } else {
            steps.not_run(name, "setup");
        }
    }
}

type Checker = fn(&[PathBuf]) -> Outcome<Done>;

fn pyang(modules: &[PathBuf]) -> Outcome<Done> {
    let mut command = Command::new(venv::program(&workspace::target().join("venv"), "pyang"));
    command.args(["--lint", "--lint-modulename-prefix", "qkdn", "--lint-namespace-prefix", "urn:qkdn:yang:"]);
    command.arg("--path").arg(search_path()).args(modules);
    quiet(&mut command, |_| false).map(|()| Done::Passed)
}

fn yanglint(modules: &[PathBuf]) -> Outcome<Done> {
    let Some(program) = workspace::program("yanglint") else { return Ok(missing("yanglint")) };
    for module in modules {
        let mut command = Command::new(&program);
        for directory in directories() {
            command.arg("--path").arg(directory);
        }
        quiet(command.arg("--disable-searchdir").arg(module), |_| false)?;
    }
    Ok(Done::Passed)
}

/// yangdump reads YANG 1.1 in part: a notification inside a list, as in ietf-alarms, ends it. Our modules that import
/// such a module, themselves or by way of others, are named and left to the other two checkers.
fn yangdump(modules: &[PathBuf]) -> Outcome<Done> {
    let Some(program) = workspace::program("yangdump") else { return Ok(missing("yangdump")) };
    let standard = files("target/yang", "", ".yang")?;
    let mut beyond: Vec<String> = Vec::new();
    for module in &standard {
        let name = module_name(module);
        if dump(&program, module)?.iter().any(|line| line.starts_with("Error:")) && !beyond.contains(&name) {
            beyond.push(name);
        }
    }
    // Imports of imports: until a round finds nothing new.
    while let Some(module) = modules.iter().find(|module| {
        !beyond.contains(&module_name(module)) && imports(module).iter().any(|import| beyond.contains(import))
    }) {
        println!("not for yangdump: {} (imports {})", module_name(module), imports(module).join(", "));
        beyond.push(module_name(module));
    }
    let mut complaints = 0;
    for module in modules.iter().filter(|module| !beyond.contains(&module_name(module))) {
        // Its closing count is one warning even for a module of three lines; what it prints is what it found.
        let said = dump(&program, module)?;
        for line in said.iter().filter(|line| line.contains("error(") || line.contains("warning(")) {
            println!("{line}");
            complaints += 1;
        }
    }
    if complaints == 0 { Ok(Done::Passed) } else { Err(Failure::new(format!("yangdump: {complaints} complaints"))) }
}

/// What yangdump says of a module; a signal that ends it counts as an error of the module.
fn dump(program: &Path, module: &Path) -> Outcome<Vec<String>> {
    let mut command = Command::new(program);
    command.arg(format!("--modpath={}", search_path())).arg("--log-level=warn").arg(module);
    // Modules under HOME would come before ours.
    let output = command.env("HOME", workspace::target()).output().doing("yangdump")?;
    let mut said: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    said.extend(String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned));
    if !output.status.success() {
        said.push(format!("Error: {}: error(0): {}", module_name(module), output.status));
    }
    Ok(said)
}

fn imports(module: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(module).unwrap_or_default();
    let words = text.lines().filter_map(|line| line.trim().strip_prefix("import ")).map(|rest| {
        rest.trim_start_matches('"').chars().take_while(|c| c.is_alphanumeric() || "-_.".contains(*c)).collect()
    });
    words.collect()
}

fn module_name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    stem.split('@').next().unwrap_or_default().to_owned()
}

fn directories() -> [PathBuf; 2] {
    [workspace::root().join("yang"), workspace::target().join("yang")]
}

fn search_path() -> String {
    directories().each_ref().map(|directory| directory.display().to_string()).join(":")
}

fn missing(tool: &str) -> Done {
    Done::Skipped(format!("{tool} is not installed"))
}
