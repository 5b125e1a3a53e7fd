//! docs/y3804.md has each item of the acceptance list once, and speaks of nodes, tests and scripts that exist.

use std::collections::{BTreeMap, BTreeSet};

use tests::workspace;

use crate::conventions::statement;
use crate::tables::is_row;
use crate::{MODULES, TOGETHER, assert_none, own_nodes};

const DOCUMENT: &str = "docs/y3804.md";

/// The IDs of the acceptance list: what they begin with, and how they go on. `a..c` is a, b and c.
const IDS: [(&str, &str); 39] = [
    ("6-", "a b"),
    ("7-", "a"),
    ("8-", "a..c"),
    ("8.1-", "a..j"),
    ("8.2-", "a..f"),
    ("8.3-", "a"),
    ("8.4-", "a..e"),
    ("8.5-", "a b"),
    ("9.1-M", "1 2a 2b 2c 3 4a 4b 4c 4d 5 6a 6b 7 8 9 10a 10b"),
    ("9.", "2"),
    ("9.2.1-", "a..d"),
    ("9.2.2-", "a"),
    ("9.2.3-", "a b"),
    ("9.3.1-", "a..c"),
    ("9.3.2-", "a..e"),
    ("10.1.1-", "1..8"),
    ("10.1.2-", "1..8"),
    ("10.2-", "1..4"),
    ("10.3-", "1..7"),
    ("10.4-", "1..6"),
    ("10.5-", "1..6"),
    ("10.6-", "1..8"),
    ("10.7-", "1..4"),
    ("11-", "a"),
    ("I.1.1-", "1..3"),
    ("I.1.2-", "1..6"),
    ("I.1-", "1..9"),
    ("I.2-", "1..4"),
    ("I.3-", "1..11"),
    ("I.4-", "1..11"),
    ("I.5-", "1..11"),
    ("I.6-", "1..11"),
    ("I.7-", "1..11"),
    ("I.3.1-", "a..f"),
    ("I.4.1-", "a..d"),
    ("I.5.1-", "a..c"),
    ("I.6.1-", "a..c"),
    ("I.7.1-", "a..e"),
    ("I.8.1-", "a..e"),
];

/// The gaps of the Recommendation that the last table decides.
const GAPS: usize = 31;

struct Row {
    id: String,
    place: String,
    tests: String,
    state: String,
}

#[test]
fn y3804_table_is_true() {
    let text = workspace::read(DOCUMENT);
    let rows = rows(&text);
    let mut wrong = Vec::new();
    every_id_once(&rows, &mut wrong);
    every_path_is_a_node(&text, &mut wrong);
    let tests = Tests::read();
    for row in &rows {
        place_exists(row, &mut wrong);
        state_is_true(row, &tests, &mut wrong);
    }
    assert_none(&wrong, &format!("correct {DOCUMENT}:"));
}

#[test]
fn every_gap_has_its_decision() {
    let text = workspace::read(DOCUMENT);
    let decided: Vec<&str> = text
        .lines()
        .map(cells)
        .filter(|cells| cells.len() == 3 && cells.iter().all(|cell| !cell.is_empty()))
        .map(|cells| cells[0])
        .filter(|number| number.bytes().all(|b| b.is_ascii_digit()))
        .collect();
    let expected: Vec<String> = (1..=GAPS).map(|number| number.to_string()).collect();
    assert_eq!(decided, expected, "{DOCUMENT} has one row for each gap of the Recommendation, in order");
}

fn cells(line: &str) -> Vec<&str> {
    let inside = line.strip_prefix('|').and_then(|line| line.strip_suffix('|'));
    inside.map_or(Vec::new(), |inside| inside.split('|').map(str::trim).collect())
}

/// The rows of the tables of items, which have five columns.
fn rows(text: &str) -> Vec<Row> {
    let cells = text.lines().map(cells).filter(|cells| cells.len() == 5);
    cells
        .filter(|cells| cells[0] != "ID" && !cells[0].starts_with("--"))
        .map(|cells| Row {
            id: cells[0].to_owned(),
            place: cells[2].to_owned(),
            tests: cells[3].to_owned(),
            state: cells[4].to_owned(),
        })
        .collect()
}

fn expected_ids() -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for (head, tails) in IDS {
        for tail in tails.split(' ') {
            match tail.split_once("..") {
                None => ids.extend([format!("{head}{tail}")]),
                Some((from, to)) => match (from.parse::<u8>(), to.parse::<u8>()) {
                    (Ok(from), Ok(to)) => ids.extend((from..=to).map(|step| format!("{head}{step}"))),
                    _ => {
                        ids.extend((from.as_bytes()[0]..=to.as_bytes()[0]).map(|c| format!("{head}{}", char::from(c))))
                    }
                },
            }
        }
    }
    ids
}

fn every_id_once(rows: &[Row], wrong: &mut Vec<String>) {
    let expected = expected_ids();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *seen.entry(&row.id).or_default() += 1;
    }
    for id in &expected {
        match seen.get(id.as_str()) {
            None => wrong.push(format!("{id}: has no row")),
            Some(1) => {}
            Some(count) => wrong.push(format!("{id}: has {count} rows")),
        }
    }
    wrong.extend(seen.keys().filter(|id| !expected.contains(**id)).map(|id| format!("{id}: is no item")));
}

/// What stands in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn every_path_is_a_node(text: &str, wrong: &mut Vec<String>) {
    // The form of a path, in the text above the tables.
    const FORM: &str = "/module:node";
    for path in quoted(text).filter(|quoted| quoted.starts_with('/') && *quoted != FORM) {
        if TOGETHER.find(path).is_none() {
            wrong.push(format!("{path}: is no node of our modules"));
        }
    }
}

fn place_exists(row: &Row, wrong: &mut Vec<String>) {
    let Row { id, place, .. } = row;
    if place.is_empty() {
        wrong.push(format!("{id}: says nothing about where it lives"));
    }
    for module in quoted(place).filter(|quoted| !quoted.starts_with('/')) {
        let Some(known) = MODULES.iter().find(|own| *own == module) else {
            wrong.push(format!("{id}: {module} is no module of ours"));
            continue;
        };
        let after = place.split_once(&format!("`{module}` ")).map_or("", |(_, after)| after);
        let names = after.strip_prefix("identity ").or_else(|| after.strip_prefix("identities "));
        let names = names.map_or("", |names| names.split(['`', ',']).next().unwrap_or_default());
        for name in names.split(" and ").filter(|name| !name.is_empty()) {
            if !statement(known).all("identity").any(|identity| identity.argument == name) {
                wrong.push(format!("{id}: {module} has no identity {name}"));
            }
        }
    }
    // Rows of the tables: what is named is that row.
    let Some((table, number)) = id.strip_prefix("I.").and_then(|rest| rest.split_once('-')) else { return };
    let (Ok(table), Ok(number)) = (table.parse::<u8>(), number.parse::<usize>()) else { return };
    let own: BTreeSet<_> = own_nodes(&TOGETHER).map(|node| node.id).collect();
    let named: Vec<_> =
        quoted(place).filter_map(|path| TOGETHER.find(path)).filter(|node| own.contains(node)).collect();
    if named.is_empty() {
        wrong.push(format!("{id}: names no node of ours"));
    }
    for node in named.into_iter().filter(|&node| !is_row(TOGETHER.node(node), table, number)) {
        wrong.push(format!("{id}: {} is not described as row {number} of Table I.{table}", TOGETHER.path(node)));
    }
}

fn state_is_true(row: &Row, tests: &Tests, wrong: &mut Vec<String>) {
    let Row { id, state, .. } = row;
    if state != "done" && state != "open" {
        wrong.push(format!("{id}: the state is done or open, not \"{state}\""));
    }
    let named: Vec<&str> = quoted(&row.tests).collect();
    if named.is_empty() && state == "done" {
        wrong.push(format!("{id}: is done, and no test shows it"));
    }
    if named.is_empty() && row.tests != "—" {
        wrong.push(format!("{id}: write — where there is no test, or the test in backquotes"));
    }
    for name in named.into_iter().filter(|name| !tests.has(name)) {
        wrong.push(format!("{id}: there is no test {name}"));
    }
}

/// The sources of each crate, by module path without the crate.
struct Tests(BTreeMap<String, Vec<(String, String)>>);

impl Tests {
    fn read() -> Tests {
        let files = workspace::files("");
        let mut crates = BTreeMap::new();
        for manifest in files.iter().filter(|file| file.name.ends_with("/Cargo.toml")) {
            let text = manifest.text();
            let Some(name) = text.lines().find_map(|line| line.strip_prefix("name = ")) else { continue };
            let folder = manifest.name.trim_end_matches("Cargo.toml");
            let sources = files.iter().filter(|file| file.name.starts_with(folder) && file.has_extension("rs"));
            let sources = sources.map(|file| {
                let path = file.name[folder.len()..].trim_end_matches(".rs").replace('/', "::");
                let path = ["main", "lib", "mod"].iter().find_map(|root| path.strip_suffix(root)).unwrap_or(&path);
                (path.trim_end_matches("::").to_owned(), file.text())
            });
            crates.insert(name.trim_matches('"').to_owned(), sources.collect());
        }
        Tests(crates)
    }

    /// Whether `crate::path::name` is a test in that module or below it, or else the name of a file.
    fn has(&self, name: &str) -> bool {
        let Some((own, rest)) = name.split_once("::") else { return workspace::root().join(name).is_file() };
        let Some((path, function)) = rest.rsplit_once("::") else { return false };
        let Some(sources) = self.0.get(own) else { return false };
        let inside = |file: &str| file == path || file.starts_with(&format!("{path}::"));
        sources.iter().any(|(file, text)| inside(file) && has_test(text, function))
    }
}

/// Whether the text has the function with a test attribute above it.
fn has_test(text: &str, function: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let head = format!("fn {function}(");
    let is_head = |line: &str| line.starts_with(&head) || line.starts_with(&format!("async {head}"));
    lines.iter().enumerate().any(|(at, line)| {
        let above = lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        is_head(line) && above.into_iter().any(|line| *line == "#[test]" || line.starts_with("#[tokio::test"))
    })
}
