//! The demonstration's users and their keys, made at the first start.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use netconf::server::record::replace;
use netconf::transport::ssh::{self, HostKeyError};
use serde::Serialize;

/// A user of the network, and the files of its keys.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct User {
    pub(super) name: &'static str,
    pub(super) private_key: PathBuf,
    pub(super) public_key: PathBuf,
    pub(super) password_file: PathBuf,
}

/// The operator's key pair and password in `directory`, made if absent.
pub(super) fn user(directory: &Path, name: &'static str) -> Result<User, String> {
    let user = User {
        name,
        private_key: directory.join(name),
        public_key: directory.join(format!("{name}.pub")),
        password_file: directory.join(format!("{name}.password")),
    };
    let public_key = key(&user.private_key)?;
    replace(&user.public_key, |file| writeln!(file, "{public_key}")).map_err(|e| e.to_string())?;
    if !user.password_file.exists() {
        let password = password().map_err(|e| format!("no random numbers for a password: {e}"))?;
        replace(&user.password_file, |file| writeln!(file, "{password}")).map_err(|e| e.to_string())?;
    }
    Ok(user)
}

/// The public half, in OpenSSH's form, of an Ed25519 key, which is made if absent (mode 0600).
pub(super) fn key(path: &Path) -> Result<String, String> {
    let key = ssh::load_or_generate_host_key(path).map_err(|error| match error {
        HostKeyError::Io { path, source } => format!("key {path}: {source}"),
        HostKeyError::Key { path, reason } => format!("key {path}: {reason}"),
    })?;
    key.public_key().to_openssh().map_err(|error| format!("key {}: {error}", path.display()))
}

/// 128 random bits in hexadecimal.
fn password() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    }))
}
