//! Where things are, and on what kind of machine.

use std::env;
use std::path::{Path, PathBuf};

/// The workspace's root directory.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("src/xtask stands two levels below the workspace's root").to_owned()
}

/// `target/` of the workspace: where setup puts what is not in the tree. It does not follow `CARGO_TARGET_DIR`, so that
/// a build with another target directory still finds it.
pub fn target() -> PathBuf {
    root().join("target")
}

/// The directory cargo builds into.
pub fn build_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(target, |dir| root().join(dir))
}

/// True where a missing tool is a failure and no skip: `CI=true` in the environment.
pub fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}

/// The file of a program on `PATH`.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    // Debian keeps daemons in sbin, which is not on every user's PATH.
    let sbin = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(sbin).map(|dir| dir.join(name)).find(|file| file.is_file())
}
