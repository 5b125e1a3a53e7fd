//! The TOML file of an agent: what must be known before YANG is loaded. Everything else is configured over NETCONF.
//!
//! ```toml
//! name = "module-a-1"
//! resource-id = "urn:qkdn:site-a:module:1"
//! listen = "127.0.0.1:8301"           # port 0: the system picks one
//! state-dir = "state"                 # relative paths start at this file
//! host-key = "host_key"               # made if absent
//! superuser = "admin"                 # exempt from access control; none if absent
//! driver = "simulated"                # the default
//! initial = "initial.json"            # RFC 7951: the device's first configuration, taken at the first start; none if absent
//!
//! [[user]]
//! name = "admin"
//! authorized-keys = ["admin.pub"]     # files in the form of OpenSSH's authorized_keys
//! password-file = "admin.password"    # one line, in clear
//! groups = ["manager"]                # manager writes all, controller what it controls; taken at the first start
//!
//! [simulated]
//! link-id = "urn:qkdn:link:a-b"
//! role = "receiver"                   # or transmitter
//! system = "gys"
//! seed = 1
//! length-km = 20.0
//! extra-loss-db = 0.5
//! topology = "lab"                    # instead: the network to simulate, a name or a file; resource-id is one of its devices
//!
//! [controller]                        # of a controller, instead of [simulated]
//! key = "controller"                  # its private key; made if absent
//! directory = "directory.json"        # the agents that it controls
//! ```

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use crate::physics::System;
use crate::qkd_module::model::Role;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    pub name: String,
    pub resource_id: String,
    /// Address and port.
    pub listen: String,
    pub state_dir: PathBuf,
    pub host_key: PathBuf,
    pub superuser: Option<String>,
    #[serde(default)]
    pub driver: DriverKind,
    pub initial: Option<PathBuf>,
    #[serde(default, rename = "user")]
    pub users: Vec<User>,
    pub simulated: Option<Simulated>,
    pub controller: Option<Controller>,
}

/// What stands between an agent and its device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriverKind {
    #[default]
    Simulated,
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

/// Of a simulated QKD module and its link.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Simulated {
    /// Made of the resource-id where absent.
    pub link_id: Option<String>,
    #[serde(default = "receiver")]
    pub role: Role,
    #[serde(default = "gys")]
    pub system: String,
    #[serde(default = "one")]
    pub seed: u64,
    #[serde(default = "twenty")]
    pub length_km: f64,
    #[serde(default)]
    pub extra_loss_db: f64,
    /// Of the whole network, by a built-in name or a file: then nothing else here counts.
    pub topology: Option<String>,
}

/// How a controller reaches what it controls.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Controller {
    /// Its private key, in OpenSSH's form.
    pub key: PathBuf,
    /// A JSON file, as a fleet writes it, that tells where the agents are.
    pub directory: PathBuf,
}

impl Default for Simulated {
    fn default() -> Self {
        let (role, system) = (receiver(), gys());
        Simulated { link_id: None, role, system, seed: one(), length_km: twenty(), extra_loss_db: 0.0, topology: None }
    }
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

impl Config {
    /// Reads a file. Paths in it are relative to where it stands.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut config = Config::parse(&text, path)?;
        let base = path.parent().unwrap_or(Path::new(""));
        let files = [&mut config.state_dir, &mut config.host_key].into_iter().chain(&mut config.initial);
        let controller = config.controller.iter_mut().flat_map(|c| [&mut c.key, &mut c.directory]);
        for file in files.chain(controller) {
            *file = base.join(&*file);
        }
        // A name without a dot or slash is that of a topology that the program carries.
        let topology = config.simulated.as_mut().and_then(|simulated| simulated.topology.as_mut());
        if let Some(topology) = topology.filter(|topology| topology.contains(['/', '.'])) {
            *topology = base.join(&*topology).display().to_string();
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
            let reason = error.message().replace('\n', " ");
            ConfigError::Line { path: path.to_owned(), line, reason }
        })?;
        config.check().map_err(|(key, reason)| ConfigError::Value { path: path.to_owned(), key, reason })?;
        Ok(config)
    }

    /// What TOML cannot say.
    fn check(&self) -> Result<(), (String, String)> {
        let fail = |key: &str, reason: String| Err((key.to_owned(), reason));
        let is_uri =
            self.resource_id.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
        if !is_uri || self.resource_id.contains(char::is_whitespace) || self.resource_id.len() > 200 {
            return fail("resource-id", format!("{:?} is not a URI of at most 200 characters", self.resource_id));
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
        }
        if let Some(superuser) = self.superuser.as_ref().filter(|name| !self.users.iter().any(|u| u.name == **name)) {
            return fail("superuser", format!("{superuser} is not among the users"));
        }
        let Some(simulated) = &self.simulated else { return Ok(()) };
        if System::by_name(&simulated.system).is_none() {
            let known: Vec<&str> = System::ALL.iter().map(|system| system.name).collect();
            return fail("simulated.system", format!("{} is not one of: {}", simulated.system, known.join(", ")));
        }
        for (key, value) in [("length-km", simulated.length_km), ("extra-loss-db", simulated.extra_loss_db)] {
            if !value.is_finite() || value < 0.0 {
                return fail(&format!("simulated.{key}"), format!("{value} is not a number from 0 on"));
            }
        }
        Ok(())
    }
}

fn receiver() -> Role {
    Role::Receiver
}

fn gys() -> String {
    System::GYS.name.to_owned()
}

fn one() -> u64 {
    1
}

fn twenty() -> f64 {
    20.0
}
