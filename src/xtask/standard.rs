//! Collects the standard YANG modules that `yang/standard.toml` pins into `target/yang`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::process::{Doing, Failure, Outcome, output};
use crate::{apt, venv, workspace};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pins {
    module: Vec<Pin>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    name: String,
    revision: String,
    sha256: String,
    registry: Registry,
    package: String,
    path: PathBuf,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Hash)]
#[serde(rename_all = "lowercase")]
enum Registry {
    Cargo,
    Pip,
    Apt,
}

/// Puts every pinned module that is not there into `target/yang` and returns how many it put there. A module whose
/// sum is not the pinned one is never written.
pub fn collect() -> Outcome<usize> {
    let file = workspace::root().join("yang/standard.toml");
    let pins: Pins = toml::from_str(&fs::read_to_string(&file).doing(file.display())?).doing(file.display())?;
    let target = workspace::target().join("yang");
    fs::create_dir_all(&target).doing(target.display())?;

    let mut packages: HashMap<(Registry, &str), PathBuf> = HashMap::new();
    let mut collected = 0;
    for pin in &pins.module {
        let to = target.join(pin.file_name());
        if fs::read(&to).is_ok_and(|text| sum(&text) == pin.sha256) {
            continue;
        }
        let package = match packages.entry((pin.registry, &pin.package)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(locate(pin.registry, &pin.package)?),
        };
        let from = package.join(&pin.path);
        let text = fs::read(&from).doing(format_args!("{} of {}", pin.file_name(), pin.package))?;
        let found = sum(&text);
        if found != pin.sha256 {
            return Err(Failure::new(format!(
                "{} of {} has SHA-256 {found}, but yang/standard.toml pins {}: {}",
                pin.file_name(),
                pin.package,
                pin.sha256,
                from.display()
            )));
        }
        write(&to, &text)?;
        collected += 1;
    }
    drop_others(&target, &pins)?;
    Ok(collected)
}

impl Pin {
    fn file_name(&self) -> String {
        format!("{}@{}.yang", self.name, self.revision)
    }
}

/// The directory that a package's paths start from.
fn locate(registry: Registry, package: &str) -> Outcome<PathBuf> {
    match registry {
        Registry::Cargo => crate_sources(package),
        Registry::Pip => venv::ready(),
        Registry::Apt => apt::files_of(package),
    }
}

/// Where cargo keeps the sources of `package`, at the version that Cargo.lock names.
fn crate_sources(package: &str) -> Outcome<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--format-version", "1"]).current_dir(workspace::root());
    let metadata: serde_json::Value = serde_json::from_str(&output(&mut cargo)?).doing("cargo metadata")?;
    let manifest = metadata["packages"]
        .as_array()
        .and_then(|packages| packages.iter().find(|entry| entry["name"] == package))
        .and_then(|entry| entry["manifest_path"].as_str())
        .ok_or_else(|| Failure::new(format!("no crate of this workspace depends on {package}")))?;
    Ok(Path::new(manifest).parent().expect("a manifest stands in a directory").to_owned())
}

/// Writes by way of another name: a setup that is interrupted, or a second one at the same time, never leaves half a file.
fn write(to: &Path, text: &[u8]) -> Outcome {
    let partial = to.with_extension(format!("{}.partial", std::process::id()));
    fs::write(&partial, text).doing(partial.display())?;
    fs::rename(&partial, to).doing(to.display())
}

/// Removes modules that are pinned no more, which a tool that searches the directory would still find.
fn drop_others(target: &Path, pins: &Pins) -> Outcome {
    for entry in fs::read_dir(target).doing(target.display())? {
        let entry = entry.doing(target.display())?;
        let name = entry.file_name();
        let pinned = pins.module.iter().any(|pin| name == pin.file_name().as_str());
        if !pinned && entry.path().extension().is_some_and(|extension| extension == "yang") {
            fs::remove_file(entry.path()).doing(entry.path().display())?;
        }
    }
    Ok(())
}

fn sum(text: &[u8]) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
