//! A `qkdn serve` of a test's own: its directory, its port, its keys.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use netconf::client::{Notifications, Session, SessionConfig};
use netconf::transport::ssh::{ConnectError, Credential, HostKeyCheck, Target, connect};

pub const MODULE: &str = "module kill { yang-version 1.1; namespace urn:kill; prefix k; revision 2026-01-01;
  container pair { leaf left { type uint32; } leaf right { type uint32; must \". = ../left\"; } }
  container book { list page { key id; leaf id { type uint32; } leaf text { type string; } } } }";

pub const PASSWORD: &str = "correct horse";

/// The binary, which `cargo xtask test` has built.
pub fn qkdn() -> PathBuf {
    let mut path = std::env::current_exe().expect("a test has a path");
    path.pop();
    path.pop();
    path.push("qkdn");
    assert!(path.exists(), "{} is not built: run `cargo build -p qkdn` first", path.display());
    path
}

pub struct Program {
    pub directory: PathBuf,
    child: Child,
    pub port: u16,
}

impl Program {
    /// The command line, in a directory with module, password and keys.
    pub fn command(directory: &Path, listen: &str) -> Command {
        Self::command_with(directory, listen, "kill", MODULE)
    }

    fn command_with(directory: &Path, listen: &str, module: &str, text: &str) -> Command {
        std::fs::write(directory.join(format!("{module}.yang")), text).unwrap();
        std::fs::write(directory.join("password"), format!("{PASSWORD}\n")).unwrap();
        let mut command = Command::new(qkdn());
        command
            .current_dir(directory)
            .env("TZ", "UTC")
            .args(["serve", "--listen", listen, "--yang-dir", ".", "--module", &format!("{module}:*")])
            .args(["--user", "admin"])
            .args(["--password-file", "password", "--superuser", "admin", "--host-key", "host_key"])
            .args(["--state-dir", "state"]);
        command
    }

    pub fn start(directory: &Path) -> Program {
        Self::run(directory, Self::command(directory, "127.0.0.1:0"))
    }

    /// A server of another module.
    pub fn start_with(directory: &Path, module: &str, text: &str) -> Program {
        Self::run(directory, Self::command_with(directory, "127.0.0.1:0", module, text))
    }

    /// The same with another user, who has this public key.
    pub fn start_for(directory: &Path, user: &str, public_key: &str) -> Program {
        let mut command = Self::command(directory, "127.0.0.1:0");
        command.args(["--user", user, "--authorized-key", public_key]);
        Self::run(directory, command)
    }

    /// A server by a command line that [`Program::command`] began.
    pub fn run(directory: &Path, mut command: Command) -> Program {
        command.stdout(Stdio::piped());
        let log = std::fs::File::create(directory.join("log")).unwrap();
        let mut child = command.stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        let Some(port) = port else {
            let mut log = String::new();
            std::fs::File::open(directory.join("log")).unwrap().read_to_string(&mut log).unwrap();
            panic!("qkdn did not start: {line:?} {log}");
        };
        Program { directory: directory.to_owned(), child, port }
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as an operator does, by SIGTERM.
    pub fn terminate(&mut self, patience: Duration) -> ExitStatus {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap()
    }

    pub fn target(&self) -> Target {
        Target {
            host: "127.0.0.1".into(),
            port: self.port,
            user: "admin".into(),
            credential: Credential::Password(PASSWORD.into()),
            host_key: HostKeyCheck::AcceptNew(self.directory.join("known_hosts")),
            timeout: Duration::from_secs(20),
        }
    }

    pub async fn session(&self) -> (Session, Notifications) {
        let stream = connect(&self.target()).await.unwrap();
        Session::open(stream, SessionConfig::default()).await.unwrap()
    }

    pub async fn refused(&self, change: impl FnOnce(&mut Target)) -> ConnectError {
        let mut target = self.target();
        change(&mut target);
        match connect(&target).await {
            Ok(_) => panic!("connected"),
            Err(error) => error,
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A test that failed has not killed it.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
        }
    }
}
