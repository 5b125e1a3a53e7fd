//! How answers are shown: aligned tables and details on a terminal, JSON and CSV for programs.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::{IsTerminal, Write};

use serde_json::Value;

use super::Failure;
use super::value::{NOTHING, identity, plain};

/// What is shown of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// As the model has it (RFC 7951).
    Json,
    /// The table, with commas (RFC 4180).
    Csv,
}

/// How to show it here.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    pub format: Format,
    bold: bool,
}

/// Rows under named columns, and the same for programs.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Output {
    pub fn new(format: Option<Format>) -> Output {
        let terminal = std::io::stdout().is_terminal();
        let format = format.unwrap_or(if terminal { Format::Table } else { Format::Json });
        Output { format, bold: terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) }
    }

    /// A list: `json` is all of it.
    pub fn list(self, table: &Table, json: &Value) -> Result<(), Failure> {
        print(&match self.format {
            Format::Json => pretty(json),
            Format::Csv => table.csv(),
            Format::Table => table.text(self.bold),
        })
    }

    /// Several titled tables, of which one whole `json` tells.
    pub fn sections(self, sections: &[(String, Table)], json: &Value) -> Result<(), Failure> {
        let text = match self.format {
            Format::Json => pretty(json),
            Format::Csv => sections.iter().map(|(_, table)| table.csv()).collect::<Vec<_>>().join("\r\n"),
            Format::Table => {
                let shown = sections.iter().map(|(title, table)| {
                    if title.is_empty() { table.text(self.bold) } else { format!("{title}\n{}", table.text(self.bold)) }
                });
                shown.collect::<Vec<_>>().join("\n")
            }
        };
        print(&text)
    }

    /// One thing with all its members, then what stands below it.
    pub fn details(self, json: &Value, leave_out: &[&str], sections: &[(String, Table)]) -> Result<(), Failure> {
        match self.format {
            Format::Json => print(&pretty(json)),
            Format::Csv => print(&Table::of_members(json, leave_out).csv()),
            Format::Table => {
                let mut text = details(json, leave_out);
                for (title, table) in sections {
                    text.push_str(&format!("\n{title}\n{}", table.text(self.bold)));
                }
                print(&text)
            }
        }
    }

    /// What was done, in words, or as JSON.
    pub fn done(self, text: &str, json: &Value) -> Result<(), Failure> {
        match self.format {
            Format::Json => print(&pretty(json)),
            Format::Table | Format::Csv => print(&format!("{text}\n")),
        }
    }
}

impl Table {
    pub fn new(columns: &[&'static str]) -> Table {
        Table { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// As many cells as there are columns.
    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    fn of_members(json: &Value, leave_out: &[&str]) -> Table {
        let mut table = Table::new(&["MEMBER", "VALUE"]);
        members(json, "", leave_out, &mut |name, value| table.row(vec![name.to_owned(), value.to_owned()]));
        table
    }

    fn text(&self, bold: bool) -> String {
        if self.rows.is_empty() {
            return "(none)\n".to_owned();
        }
        let rows: Vec<Vec<Cow<'_, str>>> =
            self.rows.iter().map(|row| row.iter().map(|c| visible(c)).collect()).collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0).max(self.columns[column].len())
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        // Numbers are compared by eye: their ends stand below each other.
        let right = |column: usize| {
            let mut cells = self.rows.iter().map(|row| row[column].as_str()).filter(|cell| *cell != NOTHING).peekable();
            cells.peek().is_some() && cells.all(|cell| cell.parse::<f64>().is_ok())
        };
        let right: Vec<bool> = (0..self.columns.len()).map(right).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let padded = cells.enumerate().map(|(column, cell)| {
                let space = " ".repeat(widths[column] - cell.chars().count());
                if right[column] { format!("{space}{cell}") } else { format!("{cell}{space}") }
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let head = line(&mut self.columns.iter().copied());
        let mut text = if bold { format!("\x1b[1m{head}\x1b[0m\n") } else { format!("{head}\n") };
        for row in &rows {
            text.push_str(&line(&mut row.iter().map(|cell| &**cell)));
            text.push('\n');
        }
        text
    }

    fn csv(&self) -> String {
        let quoted = |cell: &str| {
            if cell.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell.to_owned()
            }
        };
        let line = |cells: &mut dyn Iterator<Item = &str>| cells.map(quoted).collect::<Vec<_>>().join(",") + "\r\n";
        let head = self.columns.iter().map(|column| column.to_lowercase().replace(' ', "-")).collect::<Vec<_>>();
        let mut text = line(&mut head.iter().map(String::as_str));
        for row in &self.rows {
            // Nothing is an empty field to a program.
            text.push_str(&line(&mut row.iter().map(|cell| if cell == NOTHING { "" } else { cell.as_str() })));
        }
        text
    }
}

/// Members as lines `name: value`; those inside others are indented.
fn details(json: &Value, leave_out: &[&str]) -> String {
    let mut lines = Vec::new();
    members(json, "", leave_out, &mut |name, value| lines.push((name.to_owned(), value.to_owned())));
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.iter().map(|(name, value)| format!("{name:width$}  {}\n", visible(value))).collect()
}

/// What a device or a person wrote, so that it cannot steer the terminal: control characters, and those that turn the
/// direction of writing, are shown by their code.
fn visible(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if steers(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(shown).collect())
}

/// All leaves below, by their path; lists of entries in sequence.
fn members(json: &Value, path: &str, leave_out: &[&str], tell: &mut dyn FnMut(&str, &str)) {
    let Value::Object(object) = json else { return };
    let mut object: Vec<_> = object.iter().collect();
    object.sort_by_key(|(name, value)| place(identity(name), value));
    for (name, value) in object {
        let name = identity(name);
        let inside = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        if leave_out.contains(&inside.as_str()) {
            continue;
        }
        match value {
            Value::Object(_) => members(value, &inside, leave_out, tell),
            Value::Array(entries) if entries.iter().any(Value::is_object) => {
                for (index, entry) in entries.iter().enumerate() {
                    members(entry, &format!("{inside}[{}]", index + 1), leave_out, tell);
                }
            }
            _ => tell(&inside, &plain(value)),
        }
    }
}

/// What a thing is called comes first, and what stands inside others last.
fn place(name: &str, value: &Value) -> usize {
    const NAMES: [&str; 6] = ["name", "resource-id", "alarm-id", "run-id", "type", "kind"];
    let inside = value.is_object() || value.as_array().is_some_and(|entries| entries.iter().any(Value::is_object));
    let named = NAMES.iter().position(|known| *known == name).unwrap_or(NAMES.len());
    if inside { NAMES.len() + 1 } else { named }
}

fn pretty(json: &Value) -> String {
    format!("{json:#}\n")
}

/// To standard output. Whoever stops reading, as `head` does, has read enough.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
