//! The host keys of a server: loaded, or made on first start (RFC 4251 section 4.1).

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};

/// Why there is no host key.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    #[error("host key {path}: {source}")]
    Io { path: String, source: std::io::Error },
    #[error("host key {path}: {reason}")]
    Key { path: String, reason: String },
}

/// Reads an unencrypted private key; where the file does not exist, makes an Ed25519 key and writes it there, readable
/// by its owner alone. The file appears whole or not at all, and a key that another process wrote meanwhile is kept.
pub fn load_or_generate_host_key(path: &Path) -> Result<PrivateKey, HostKeyError> {
    let io = |source| HostKeyError::Io { path: path.display().to_string(), source };
    match fs::read_to_string(path) {
        Ok(text) => load(path, &text),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            generate(path)?;
            load(path, &fs::read_to_string(path).map_err(io)?)
        }
        Err(error) => Err(io(error)),
    }
}

fn load(path: &Path, text: &str) -> Result<PrivateKey, HostKeyError> {
    let refuse = |reason: String| HostKeyError::Key { path: path.display().to_string(), reason };
    let mode = fs::metadata(path)
        .map_err(|source| HostKeyError::Io { path: path.display().to_string(), source })?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(refuse(format!("mode {:04o} lets others read it; expected is 0600", mode & 0o7777)));
    }
    russh::keys::decode_secret_key(text, None).map_err(|e| refuse(e.to_string()))
}

fn generate(path: &Path) -> Result<(), HostKeyError> {
    let io = |source| HostKeyError::Io { path: path.display().to_string(), source };
    let refuse = |reason: String| HostKeyError::Key { path: path.display().to_string(), reason };
    let key =
        PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).map_err(|e| refuse(e.to_string()))?;
    let text = key.to_openssh(LineEnding::LF).map_err(|e| refuse(e.to_string()))?;
    let name = path.file_name().ok_or_else(|| refuse("not a file name".into()))?.to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // A link, unlike a rename, does not replace what another process put there.
        match fs::hard_link(&temporary, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    })();
    let removed = fs::remove_file(&temporary);
    written.and(removed).map_err(io)?;
    if let Some(directory) = path.parent() {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        File::open(directory).and_then(|d| d.sync_all()).map_err(io)?;
    }
    Ok(())
}
