//! The house rules, held over every file of the workspace.

use tests::source::{code, has_word, test_files, without_tests};
use tests::workspace::{self, File};

/// Fails with every file that breaks the rule, and what to do.
#[track_caller]
fn assert_none(wrong: &[String], what_to_do: &str) {
    assert!(wrong.is_empty(), "{what_to_do}\n  {}\n", wrong.join("\n  "));
}

fn rust_sources() -> Vec<File> {
    workspace::files("").into_iter().filter(|file| file.has_extension("rs")).collect()
}

/// The lines of the code that have the pattern, as FILE:LINE.
fn places(file: &File, code: &str, has: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = code.lines().enumerate().filter(|(_, line)| has(line));
    lines.map(|(at, _)| format!("{}:{}", file.name, at + 1)).collect()
}

#[test]
fn every_source_says_what_it_is() {
    let without = rust_sources().into_iter().filter(|file| {
        let text = file.text();
        let first = text.lines().next().unwrap_or_default();
        let Some(sentence) = first.strip_prefix("//! ") else { return true };
        // A sentence has words, not a name alone.
        sentence.split_whitespace().count() < 3
    });
    let without: Vec<String> = without.map(|file| file.name).collect();
    assert_none(&without, "begin each file with `//!` and one sentence that says what it is:");
}

#[test]
fn unsafe_stands_in_one_place() {
    let is_allowed = |name: &str| name == "src/netconf/yang/ffi.rs" || name.starts_with("src/netconf/yang/ffi/");
    let sources = rust_sources();
    let others = sources.iter().filter(|file| !is_allowed(&file.name));
    let found: Vec<String> =
        others.flat_map(|file| places(file, &code(&file.text()), |line| has_word(line, "unsafe"))).collect();
    assert_none(&found, "move it into src/netconf/yang/ffi/, behind a safe function:");
    assert!(sources.iter().any(|file| is_allowed(&file.name) && has_word(&code(&file.text()), "unsafe")));
}

#[test]
fn nothing_is_left_undone() {
    let patterns = ["todo!", "unimplemented!", "dbg!", "#[ignore", ", ignore)"];
    let found: Vec<String> = rust_sources()
        .iter()
        .flat_map(|file| places(file, &code(&file.text()), |line| patterns.iter().any(|p| line.contains(p))))
        .collect();
    assert_none(&found, "do it, or leave it out and say so:");
}

#[test]
fn only_tests_unwrap() {
    let sources = rust_sources();
    let tests = test_files(&sources);
    let found: Vec<String> = sources
        .iter()
        .filter(|file| !tests.contains(&file.name))
        .flat_map(|file| places(file, without_tests(&code(&file.text())), |line| line.contains(".unwrap()")))
        .collect();
    assert_none(&found, "handle the error, or say with expect why there is none:");
    assert!(tests.iter().any(|name| name.starts_with("src/netconf/")), "files of unit tests are recognised");
}

/// Long enough for one thing; what is longer is two things.
const MAX_LINES: usize = 800;

#[test]
fn no_source_is_too_long() {
    let sources = rust_sources();
    let tests = test_files(&sources);
    let long = sources.iter().filter(|file| !tests.contains(&file.name)).filter_map(|file| {
        let lines = file.text().lines().count();
        (lines > MAX_LINES).then(|| format!("{}: {lines} lines", file.name))
    });
    assert_none(&long.collect::<Vec<_>>(), &format!("divide what has more than {MAX_LINES} lines:"));
}

/// Who must not know whom.
const STRANGERS: [(&str, &[&str]); 3] = [
    ("src/manager", &["agents", "qkdn", "tests"]),
    ("agents", &["manager", "qkdn", "tests"]),
    ("src/netconf", &["agents", "manager", "qkdn", "tests", "rusqlite", "axum"]),
];

#[test]
fn crates_know_only_whom_they_may() {
    let mut wrong = Vec::new();
    for (folder, strangers) in STRANGERS {
        let name = format!("{folder}/Cargo.toml");
        for stranger in dependencies(&workspace::read(&name)).iter().filter(|d| strangers.contains(&d.as_str())) {
            wrong.push(format!("{name}: depends on {stranger}"));
        }
    }
    assert_none(&wrong, "manager and agents meet over NETCONF only, and netconf knows neither:");
}

/// The packages that a manifest depends on, for tests and builds too.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            inside = section.ends_with("dependencies");
            // [dependencies.name]
            found.extend(section.split_once("dependencies.").map(|(_, name)| name.to_owned()));
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            let name: String = line.chars().take_while(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
            found.push(name);
            // { package = "name" }
            let renamed = line.split_once("package = \"").and_then(|(_, rest)| rest.split('"').next());
            found.extend(renamed.map(str::to_owned));
        }
    }
    found
}

#[test]
fn dependencies_are_found_in_every_form() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = \"1\"\n\
                    c = { package = \"d\" }\n[dev-dependencies.e]\npath = \"e\"\n[lints]\nf = 1";
    assert_eq!(dependencies(manifest), ["a", "b", "c", "d", "e"]);
}

#[test]
fn standard_modules_are_not_kept_here() {
    let kept = workspace::files("").into_iter().filter(|file| {
        let base = file.name.rsplit('/').next().unwrap_or_default();
        file.has_extension("yang") && (base.starts_with("ietf-") || base.starts_with("iana-"))
    });
    let kept: Vec<String> = kept.map(|file| file.name).collect();
    assert_none(&kept, "pin these in yang/standard.toml and leave the text to `cargo xtask setup`:");
}

#[test]
fn docs_speak_of_every_folder() {
    let text = workspace::read("docs/architecture.md");
    let says = |name: &String| text.contains(&format!("`{name}`")) || text.contains(&format!("`{name}/"));
    let silent: Vec<String> = workspace::top_folders().into_iter().filter(|name| !says(name)).collect();
    assert_none(&silent, "say in docs/architecture.md what stands in the folder:");
}

/// Folders that exist on one machine only.
const MACHINE_FOLDERS: [&str; 4] = ["work", "root", "home", "Users"];

#[test]
fn no_file_names_a_place_on_one_machine() {
    let mut found = Vec::new();
    for file in workspace::files("") {
        // Not a text, so nobody reads a path in it.
        let Ok(text) = std::fs::read_to_string(&file.path) else { continue };
        for (at, line) in text.lines().enumerate() {
            for folder in MACHINE_FOLDERS.map(|name| format!("/{name}/")) {
                let absolute =
                    |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "-_./}*<>`~".contains(c));
                if line.match_indices(&folder).any(|(at, _)| absolute(at)) {
                    found.push(format!("{}:{}: {folder}…", file.name, at + 1));
                }
            }
        }
    }
    assert_none(&found, "name a path from the workspace, or let the user give it:");
}
