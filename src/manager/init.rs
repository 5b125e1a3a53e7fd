//! `qkdn manager init`: a directory with all that a manager needs to run for the first time.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use netconf::server::record::{RecordError, make_directory};
use netconf::transport::auth::{LoadError, Users};
use netconf::transport::ssh::{HostKeyError, load_or_generate_host_key};

/// Users of the management functions (clauses 9.2 and 9.3) at the devices, each with a key of its own.
pub const FUNCTIONS: [&str; 3] = ["qlm", "kmlm", "qclm"];

/// The manager's configuration in its directory.
pub const CONFIG: &str = "manager.toml";

const DEVICES: &str = "devices.json";

#[derive(Clone, Debug)]
pub struct Init {
    pub directory: PathBuf,
    pub listen: String,
    /// Name of the first administrator.
    pub admin: String,
    /// A public key of the administrator's; a key pair is made where there is none.
    pub admin_key: Option<PathBuf>,
}

/// What was done, a line for each thing, and where the configuration is.
#[derive(Debug)]
pub struct Made {
    pub lines: Vec<String>,
    pub config: PathBuf,
}

/// Why it was not done: one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    #[error("{}: there is a manager already; run it with `qkdn manager run --config {}`", path.display(), path.display())]
    Exists { path: PathBuf },
    #[error("{}: {reason}", path.display())]
    Value { path: PathBuf, reason: String },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Directory(#[from] RecordError),
    #[error(transparent)]
    AdminKey(#[from] LoadError),
    #[error("key {0}")]
    Key(String),
}

/// Makes what is missing. Keys that are there are used; no file is ever overwritten, and the configuration comes last, so that a second
/// try goes on where the first one failed.
pub fn init(wanted: &Init) -> Result<Made, InitError> {
    let Init { directory, listen, admin, admin_key } = wanted;
    let config = directory.join(CONFIG);
    if config.exists() {
        return Err(InitError::Exists { path: config });
    }
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !is_name(admin) || admin.starts_with('.') || FUNCTIONS.contains(&admin.as_str()) || admin == "host_key" {
        let reason =
            format!("{admin:?} cannot be the administrator's name: letters, digits, - and _, and no function's");
        return Err(InitError::Value { path: directory.clone(), reason });
    }
    make_directory(directory)?;
    let mut lines = Vec::new();
    let mut key = |name: &str, what: &str| -> Result<(), InitError> {
        let path = directory.join(name);
        let verb = if path.exists() { "used" } else { "made" };
        let key = load_or_generate_host_key(&path).map_err(|error| match error {
            HostKeyError::Io { path, source } => InitError::Key(format!("{path}: {source}")),
            HostKeyError::Key { path, reason } => InitError::Key(format!("{path}: {reason}")),
        })?;
        let public = key.public_key().to_openssh().map_err(|error| InitError::Key(format!("{name}: {error}")))?;
        let half = directory.join(format!("{name}.pub"));
        if !half.exists() {
            write_new(&half, &format!("{public}\n"))?;
        }
        lines.push(format!("{verb} {}: {what}", path.display()));
        Ok(())
    };
    key("host_key", "the manager's host key")?;
    for function in FUNCTIONS {
        key(function, &format!("the key of {}; give {function}.pub to the devices", function.to_uppercase()))?;
    }
    let public = directory.join(format!("{admin}.pub"));
    match admin_key {
        None => key(admin, "the administrator's key")?,
        Some(given) => {
            // Refused now rather than at the first login.
            Users::new().add_authorized_keys(admin, given)?;
            let text = fs::read_to_string(given).map_err(|source| InitError::Io { path: given.clone(), source })?;
            if !public.exists() {
                write_new(&public, &text)?;
            }
            lines.push(format!("made {}: the administrator's public key", public.display()));
        }
    }
    let devices = directory.join(DEVICES);
    if !devices.exists() {
        write_new(&devices, &credentials())?;
        lines.push(format!(
            "made {}: credentials of the functions, and room for the managed devices",
            devices.display()
        ));
    }
    write_new(&config, &configuration(listen, admin))?;
    lines.push(format!("made {}: {admin} may do all", config.display()));
    Ok(Made { lines, config })
}

/// Writes a file that is not there yet, readable by its owner alone.
fn write_new(path: &Path, text: &str) -> Result<(), InitError> {
    let io = |source| InitError::Io { path: path.to_owned(), source };
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => InitError::Exists { path: path.to_owned() },
        _ => io(source),
    })?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a file would be taken for a whole one by the next try. That it cannot be removed adds nothing to the error there is.
        let _ = fs::remove_file(path);
    }
    written.map_err(io)
}

fn credentials() -> String {
    let entry = |name: &str| format!(r#"      {{ "name": "{name}", "user": "{name}", "private-key-file": "{name}" }}"#);
    let entries: Vec<String> = FUNCTIONS.into_iter().map(entry).collect();
    format!(
        "{{\n  \"qkdn-manager:devices\": {{\n    \"credential\": [\n{}\n    ],\n    \"device\": []\n  }}\n}}\n",
        entries.join(",\n")
    )
}

fn configuration(listen: &str, admin: &str) -> String {
    format!(
        r#"# What the manager must know before it starts; everything else is configured over NETCONF.
listen = "{listen}"
state-dir = "state"
host-key = "host_key"
initial = "{DEVICES}"                 # taken at the first start only
performance-interval = 60                # s

[[user]]
name = "{admin}"
authorized-keys = ["{admin}.pub"]
groups = ["admin"]                       # or operator, oss; taken at the first start only
"#
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::Config;
    use crate::northbound::{northbound_schema, plans};

    #[test]
    fn what_is_made_runs_and_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("manager");
        let wanted = Init {
            directory: home.clone(),
            listen: "127.0.0.1:0".to_owned(),
            admin: "ann".to_owned(),
            admin_key: None,
        };
        make_directory(&home).unwrap();
        let kept = load_or_generate_host_key(&home.join("qlm")).unwrap();
        let made = init(&wanted).unwrap();
        assert!(made.lines.iter().any(|line| line.starts_with("used") && line.contains("qlm.pub")), "{made:?}");
        let config = Config::load(&made.config).unwrap();
        assert_eq!(config.users[0].groups, ["admin"]);
        for name in ["host_key", "qlm", "kmlm", "qclm", "ann"] {
            let mode = fs::metadata(home.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
            assert!(fs::read_to_string(home.join(format!("{name}.pub"))).unwrap().starts_with("ssh-ed25519 "));
        }
        assert!(load_or_generate_host_key(&home.join("qlm")).unwrap().public_key() == kept.public_key());
        let schema = northbound_schema().unwrap();
        let text = fs::read_to_string(config.initial.unwrap()).unwrap();
        assert!(plans(&netconf::yang::json::read(&schema, &text).unwrap(), &home).unwrap().is_empty());
        assert!(init(&wanted).unwrap_err().to_string().contains("qkdn manager run"));
        let dot = Init { directory: directory.path().join("x"), admin: "../ann".to_owned(), ..wanted };
        assert!(init(&dot).unwrap_err().to_string().contains("cannot be the administrator's name"));
    }
}
