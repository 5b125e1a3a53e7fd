//! Debian packages: installed where we may, unpacked into `target/debian` where only their files are needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process::{Doing, Failure, Outcome, line, output, run};
use crate::workspace;

/// What a build needs.
pub const TO_BUILD: &[&str] = &["build-essential", "cmake", "libpcre2-dev", "pkg-config"];

/// What the tests need besides: the interpreter of the foreign clients, a client, a server and YANG checkers of others.
pub const TO_TEST: &[&str] = &[
    "python3-venv",
    "openssh-client",
    "openssh-server",
    "netconfd",
    "yangcli",
    "libyuma-base",
    "libyang2-tools",
    "yangdump",
];

/// What the benchmark needs: Debian's server, which stands behind OpenSSH's.
pub const TO_BENCH: &[&str] = &["netconfd", "openssh-server", "openssh-client", "python3-venv"];

/// Makes sure that `packages` are installed. Without the rights to install, fails with the one line to run.
pub fn install(packages: &[&str]) -> Outcome {
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(" ");
    if workspace::program("apt-get").is_none() {
        return Err(Failure::new(format!("this is no Debian; install what Debian calls {missing}")));
    }
    if !is_root()? {
        let sudo = "sudo apt-get update && sudo apt-get install --no-install-recommends -y";
        return Err(Failure::new(format!("Debian packages are missing; run: {sudo} {missing}")));
    }
    println!("setup: installing Debian packages: {missing}");
    let _no_daemon = NoDaemon::new()?;
    apt_get(&["update", "-q"])?;
    let mut arguments = vec!["install", "-q", "--no-install-recommends", "-y"];
    arguments.extend(missing.split(' '));
    apt_get(&arguments)
}

/// The directory under which the files of `package` are: `/` where it is installed, else a directory under
/// `target/debian` into which it is downloaded and unpacked, for which nobody need be root.
pub fn files_of(package: &str) -> Outcome<PathBuf> {
    if is_installed(package) {
        return Ok(PathBuf::from("/"));
    }
    let directory = workspace::target().join("debian").join(package);
    if directory.join("usr").is_dir() {
        return Ok(directory);
    }
    println!("setup: unpacking Debian package {package}");
    let downloads = directory.with_extension("download");
    fs::create_dir_all(&downloads).doing(downloads.display())?;
    output(Command::new("apt-get").args(["download", "-q", package]).current_dir(&downloads))?;
    let archive = fs::read_dir(&downloads)
        .doing(downloads.display())?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .ok_or_else(|| Failure::new(format!("apt-get download {package} left no package")))?;
    output(Command::new("dpkg").arg("-x").arg(&archive).arg(&directory))?;
    fs::remove_dir_all(&downloads).doing(downloads.display())?;
    Ok(directory)
}

pub fn is_installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f=${db:Status-Status}", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| output.status.success() && output.stdout == b"installed")
}

fn is_root() -> Outcome<bool> {
    Ok(output(Command::new("id").arg("-u"))?.trim() == "0")
}

/// apt-get with its output kept back unless it fails: hundreds of lines that nobody reads.
fn apt_get(arguments: &[&str]) -> Outcome {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    let result = command.output().doing(line(&command))?;
    if result.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&result.stderr);
    Err(Failure::new(format!("{}: {}\n{}", line(&command), result.status, said.trim_end())))
}

/// While it lives, packages are installed without their daemons being started: a developer's machine shall not offer
/// SSH to its network because a benchmark needs the program. `policy-rc.d` is Debian's switch for that.
struct NoDaemon {
    ours: bool,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl NoDaemon {
    fn new() -> Outcome<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        fs::write(POLICY, "#!/bin/sh\nexit 101\n").doing(POLICY)?;
        let policy = Self { ours: true };
        run(Command::new("chmod").args(["755", POLICY]))?;
        Ok(policy)
    }
}

impl Drop for NoDaemon {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = fs::remove_file(POLICY)
        {
            eprintln!("setup: remove {POLICY} by hand: {error}");
        }
    }
}
