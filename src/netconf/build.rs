//! Embeds the standard YANG modules that `cargo xtask setup` collected, and links xxhash where libyang was built with it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    println!("cargo::rerun-if-env-changed=QKDN_YANG_DIR");
    let workspace = here.join("../..");
    let dir = env::var_os("QKDN_YANG_DIR").map_or_else(|| workspace.join("target/yang"), PathBuf::from);

    let table = standard_modules(&workspace.join("yang/standard.toml"), &dir);
    fs::write(out.join("standard_modules.rs"), table)
        .unwrap_or_else(|e| fail(&format!("cannot write to OUT_DIR: {e}")));

    // The bundled libyang uses xxhash where its headers are installed, but its crate does not link it.
    let _ = pkg_config::Config::new().probe("libxxhash");
}

/// The Rust source of a `&[StandardModule]` with one entry for each module that `pins` names.
fn standard_modules(pins: &Path, dir: &Path) -> String {
    println!("cargo::rerun-if-changed={}", pins.display());
    let pins = fs::read_to_string(pins).unwrap_or_else(|e| fail(&format!("cannot read {}: {e}", pins.display())));
    let mut table = String::from("&[\n");
    let mut name = String::new();
    for line in pins.lines() {
        if let Some(value) = value(line, "name") {
            name = value.to_owned();
        } else if let Some(revision) = value(line, "revision") {
            let file = dir.join(format!("{name}@{revision}.yang"));
            let Ok(file) = file.canonicalize() else {
                // Watching a file that is not there makes cargo ask again each time, so that setup is noticed.
                println!("cargo::rerun-if-changed={}", file.display());
                fail(&format!("run `cargo xtask setup` first: {} lacks {name}@{revision}.yang", shown(dir)));
            };
            println!("cargo::rerun-if-changed={}", file.display());
            writeln!(
                table,
                "StandardModule {{ name: {name:?}, revision: {revision:?}, text: include_str!({:?}) }},",
                file.display().to_string()
            )
            .expect("writing to a String cannot fail");
        }
    }
    table.push(']');
    table
}

/// The string in a line `key = "string"`.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.strip_prefix(key)?.trim_start().strip_prefix('=')?.trim().strip_prefix('"')?.strip_suffix('"')
}

fn shown(dir: &Path) -> String {
    if env::var_os("QKDN_YANG_DIR").is_some() { dir.display().to_string() } else { "target/yang".to_owned() }
}

fn fail(why: &str) -> ! {
    println!("cargo::error={why}");
    // cargo fails the build for the line above; with another status it would print this script's whole output too.
    process::exit(0)
}
