//! The host keys of the devices, learnt at the first contact and demanded from then on (RFC 4251 section 4.1).
//!
//! One line for each, by the device's name and not its address: `SHA256:… NAME`. A later line for a name counts, and one that begins with
//! `-` forgets it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use crate::model::DeviceName;

const FILE: &str = "device_host_keys";
const FORGOTTEN: &str = "-";

/// Why the host keys cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("host keys of the devices in {path}: {source}")]
pub struct KnownHostsError {
    path: String,
    source: io::Error,
}

#[derive(Debug)]
pub(super) struct KnownHosts {
    path: PathBuf,
    keys: Mutex<BTreeMap<DeviceName, String>>,
}

impl KnownHosts {
    pub(super) fn open(directory: &Path) -> Result<KnownHosts, KnownHostsError> {
        let path = directory.join(FILE);
        let fail = |source| KnownHostsError { path: path.display().to_string(), source };
        fs::create_dir_all(directory).map_err(fail)?;
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.map_err(fail)?,
        };
        let mut keys = BTreeMap::new();
        // What a crash or a full disk cut off is learnt again.
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in complete.lines() {
            match line.split_once(' ') {
                Some((FORGOTTEN, name)) => drop(keys.remove(name)),
                Some((key, name)) if is_fingerprint(key) => drop(keys.insert(name.to_owned(), key.to_owned())),
                _ => tracing::warn!(path = %path.display(), line, "not a host key"),
            }
        }
        let whole: String = keys.iter().map(|(name, key)| format!("{key} {name}\n")).collect();
        if whole != text {
            rewrite(&path, &whole).map_err(fail)?;
        }
        Ok(KnownHosts { path, keys: Mutex::new(keys) })
    }

    pub(super) fn get(&self, device: &str) -> Option<String> {
        self.lock().get(device).cloned()
    }

    /// From now on this is the key of the device. Where it cannot be written it holds until the manager stops.
    pub(super) fn learn(&self, device: &str, fingerprint: &str) {
        let mut keys = self.lock();
        if keys.get(device).is_some_and(|known| known == fingerprint) {
            return;
        }
        keys.insert(device.to_owned(), fingerprint.to_owned());
        self.append(fingerprint, device);
    }

    pub(super) fn forget(&self, device: &str) {
        let mut keys = self.lock();
        if keys.remove(device).is_some() {
            self.append(FORGOTTEN, device);
        }
    }

    /// Under the lock, so that lines do not mix. A few bytes, and only when a device is met for the first time.
    fn append(&self, what: &str, device: &str) {
        // Without a sync, for which thousands would wait at the first start: a line that a power failure takes is learnt again.
        let line = format!("{what} {device}\n");
        let file = OpenOptions::new().append(true).create(true).open(&self.path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            tracing::error!(device, path = %self.path.display(), "the device's host key is known until the manager stops only: {error}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DeviceName, String>> {
        self.keys.lock().expect("nothing panics under this lock")
    }
}

/// SHA-256 in base64, without padding.
fn is_fingerprint(key: &str) -> bool {
    key.strip_prefix("SHA256:").is_some_and(|digest| digest.len() == 43)
}

fn rewrite(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests;
