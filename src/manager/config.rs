//! The TOML file of a manager: what must be known before YANG is loaded. Everything else is configured over NETCONF.
//!
//! ```toml
//! listen = "127.0.0.1:8830"           # port 0: the system picks one
//! state-dir = "state"                 # relative paths start at this file
//! host-key = "host_key"               # made if absent
//! store = "state/manager.db"          # the default
//! superuser = "root"                  # exempt from access control; none if absent
//! initial = "devices.json"            # RFC 7951: managed devices and credentials, taken at the first start only
//! performance-interval = 60           # s
//!
//! [[user]]
//! name = "admin"
//! authorized-keys = ["admin.pub"]     # files in the form of OpenSSH's authorized_keys
//! password-file = "admin.password"    # one line, in clear
//! groups = ["admin"]                  # admin, operator or oss; taken at the first start
//! ```

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Where the file stands: names of key files in the configured credentials start there too.
    #[serde(skip)]
    pub directory: PathBuf,
    /// Address and port.
    pub listen: String,
    pub state_dir: PathBuf,
    pub host_key: PathBuf,
    store: Option<PathBuf>,
    pub superuser: Option<String>,
    pub initial: Option<PathBuf>,
    #[serde(default = "a_minute")]
    performance_interval: u64,
    #[serde(default, rename = "user")]
    pub users: Vec<User>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct User {
    pub name: String,
    #[serde(default)]
    pub authorized_keys: Vec<PathBuf>,
    pub password_file: Option<PathBuf>,
    #[serde(default)]
    pub groups: Vec<String>,
}

/// What is wrong with a file: one line that names it, the line in it where there is one, and the key.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}:{line}: {reason}", path.display())]
    Line { path: PathBuf, line: usize, reason: String },
    #[error("{}: {key}: {reason}", path.display())]
    Value { path: PathBuf, key: String, reason: String },
}

/// Groups that the first start makes rules for.
pub const GROUPS: [&str; 3] = ["admin", "operator", "oss"];

impl Config {
    /// Reads a file. Paths in it are relative to where it stands.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut config = Config::parse(&text, path)?;
        let base = path.parent().unwrap_or(Path::new(""));
        config.directory = base.to_owned();
        let files = [&mut config.state_dir, &mut config.host_key].into_iter();
        for file in files.chain(&mut config.store).chain(&mut config.initial) {
            *file = base.join(&*file);
        }
        for user in &mut config.users {
            for file in user.authorized_keys.iter_mut().chain(&mut user.password_file) {
                *file = base.join(&*file);
            }
        }
        Ok(config)
    }

    /// Reads the text of a file; `path` is for errors only.
    pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
        let config: Config = toml::from_str(text).map_err(|error| {
            let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or(text));
            let line = before.matches('\n').count() + 1;
            ConfigError::Line { path: path.to_owned(), line, reason: error.message().replace('\n', " ") }
        })?;
        config.check().map_err(|(key, reason)| ConfigError::Value { path: path.to_owned(), key, reason })?;
        Ok(config)
    }

    /// The file of the store.
    pub fn store(&self) -> PathBuf {
        self.store.clone().unwrap_or_else(|| self.state_dir.join("manager.db"))
    }

    /// Between two sweeps for performance information.
    pub fn performance_interval(&self) -> Duration {
        Duration::from_secs(self.performance_interval)
    }

    /// What TOML cannot say.
    fn check(&self) -> Result<(), (String, String)> {
        let fail = |key: &str, reason: String| Err((key.to_owned(), reason));
        if self.performance_interval == 0 {
            return fail("performance-interval", "0 s leave no time to ask; 60 is usual".to_owned());
        }
        if self.users.is_empty() {
            return fail("user", "there is none, so nobody could log in".to_owned());
        }
        for (index, user) in self.users.iter().enumerate() {
            if user.name.is_empty() {
                return fail("user.name", "it is empty".to_owned());
            }
            if self.users.iter().take(index).any(|other| other.name == user.name) {
                return fail("user.name", format!("{} is there twice", user.name));
            }
            if user.authorized_keys.is_empty() && user.password_file.is_none() {
                return fail("user", format!("{} has neither authorized-keys nor password-file", user.name));
            }
            if let Some(group) = user.groups.iter().find(|group| !GROUPS.contains(&group.as_str())) {
                return fail("user.groups", format!("{group} of {} is not one of: {}", user.name, GROUPS.join(", ")));
            }
        }
        match self.superuser.as_ref().filter(|name| !self.users.iter().any(|user| user.name == **name)) {
            Some(superuser) => fail("superuser", format!("{superuser} is not among the users")),
            None => Ok(()),
        }
    }
}

fn a_minute() -> u64 {
    60
}
