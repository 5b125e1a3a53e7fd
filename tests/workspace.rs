//! The files of the workspace: all but what `.gitignore` leaves out.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the workspace's `Cargo.toml`.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate stands in a folder of the workspace")
}

/// A file of the workspace.
pub struct File {
    /// From the root, with `/` between folders.
    pub name: String,
    pub path: PathBuf,
}

impl File {
    pub fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    pub fn has_extension(&self, extension: &str) -> bool {
        self.path.extension().is_some_and(|own| own == extension)
    }
}

/// Every file whose name, seen from the root, begins with `prefix` (all for ""), in the order of the names.
pub fn files(prefix: &str) -> Vec<File> {
    let mut found = Vec::new();
    walk(root(), "", &Ignored::read(), &mut found);
    found.retain(|file| file.name.starts_with(prefix));
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!found.is_empty(), "the workspace has no file {prefix}*");
    found
}

/// The text of the file of that name.
pub fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names of the folders at the top, those with a leading dot left out.
pub fn top_folders() -> Vec<String> {
    let ignored = Ignored::read();
    let mut names: Vec<String> = entries(root())
        .into_iter()
        .filter(|(name, is_dir)| *is_dir && !name.starts_with('.') && !ignored.has(name, name))
        .map(|(name, _)| name)
        .collect();
    names.sort();
    names
}

/// Names that `.gitignore` has: `/name` at the root, `name` or `name/` anywhere, `*.ending` anywhere.
struct Ignored(Vec<String>);

impl Ignored {
    fn read() -> Ignored {
        let lines = read(".gitignore");
        let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        Ignored(lines.map(|line| line.trim_end_matches('/').to_owned()).collect())
    }

    fn has(&self, base: &str, from_root: &str) -> bool {
        self.0.iter().any(|pattern| match pattern.strip_prefix('/') {
            Some(anchored) => anchored == from_root,
            None => match pattern.strip_prefix('*') {
                Some(ending) => base.ends_with(ending),
                None => pattern == base,
            },
        })
    }
}

fn walk(folder: &Path, from_root: &str, ignored: &Ignored, found: &mut Vec<File>) {
    for (base, is_dir) in entries(folder) {
        let name = if from_root.is_empty() { base.clone() } else { format!("{from_root}/{base}") };
        // Some work trees have a file `.git`.
        if base == ".git" || ignored.has(&base, &name) {
            continue;
        }
        let path = folder.join(&base);
        if is_dir {
            walk(&path, &name, ignored, found);
        } else {
            found.push(File { name, path });
        }
    }
}

fn entries(folder: &Path) -> Vec<(String, bool)> {
    let read = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    read.map(|entry| {
        let entry = entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        (entry.file_name().to_string_lossy().into_owned(), is_dir)
    })
    .collect()
}
