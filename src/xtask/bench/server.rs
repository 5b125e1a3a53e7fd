//! The servers of the benchmark, each started as its own documentation has it, on a free port of loopback.

use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::keypair;
use crate::process::{Doing, Failure, Outcome, line, output};
use crate::{test, workspace};

/// A server that does not greet by then never will.
const START_LIMIT: Duration = Duration::from_secs(30);
/// A server that does not end by then, once told to, is killed.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// The datastore that edits go to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Running,
    Candidate,
}

impl Target {
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Candidate => "candidate",
        }
    }
}

/// A running server with models of `tests/bench`, and no data.
pub trait Server: Sized {
    const NAME: &'static str;
    /// Sessions that it is asked to hold at once.
    const SESSIONS: usize;
    /// Megabytes with which edits under a constraint are measured, as a list.
    const LIMITS: &'static str;

    /// Starts it in an empty directory, with these modules. The owner of `key` may log in.
    fn start(directory: &Path, key: &Path, target: Target, modules: &[&str]) -> Outcome<Self>;
    fn address(&self) -> String;
    fn user(&self) -> &str;
    /// The processes that are the server, without those they start.
    fn processes(&self) -> Vec<u32>;
    fn load_options(&self) -> Vec<String>;
    fn stop(self) -> Outcome;
}

/// Debian's netconfd, with OpenSSH's sshd before it.
pub struct Netconfd {
    netconfd: Running,
    sshd: Running,
    address: SocketAddr,
    user: String,
}

impl Server for Netconfd {
    const NAME: &'static str = "netconfd";
    // Each takes three processes of some 10 MB together.
    const SESSIONS: usize = 500;
    // Ten times as many entries take it many minutes to load.
    const LIMITS: &'static str = "1";

    fn start(directory: &Path, key: &Path, target: Target, modules: &[&str]) -> Outcome<Self> {
        let address = free_address()?;
        let host_key = keypair(directory, "host-key")?;
        let socket = directory.join("socket");
        let config = directory.join("sshd_config");
        let at = directory.display();
        // MaxStartups: the client opens its sessions faster than sshd's default lets it.
        let text = format!(
            "Port {port}\nListenAddress {ip}\nHostKey {host_key}\nAuthorizedKeysFile {key}.pub\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nMaxStartups 500\nLogLevel ERROR\n\
             Subsystem netconf \"/usr/sbin/netconf-subsystem --ncxserver-sockname={port}@{at}/socket\"\n",
            port = address.port(),
            ip = address.ip(),
            host_key = host_key.display(),
            key = key.display(),
        );
        fs::write(&config, text).doing(config.display())?;
        // Where sshd, when root runs it, locks its unprivileged part in; Debian makes it when the service starts.
        if !Path::new("/run/sshd").exists() {
            let _ = fs::create_dir("/run/sshd");
        }

        let mut netconfd = daemon("netconfd")?;
        netconfd
            .arg(format!("--modpath={}", workspace::root().join("tests/bench").display()))
            .args(modules.iter().map(|module| format!("--module={module}")))
            .arg(format!("--ncxserver-sockname={}", socket.display()))
            .arg(format!("--port={}", address.port()))
            .arg(format!("--target={}", target.name()))
            .args(["--access-control=off", "--no-startup", "--log-level=error", "--max-sessions=512"])
            // Its own limits of ten notifications a second to each subscriber, and of a thousand kept.
            .args(["--max-burst=0", "--eventlog-size=1000000"])
            .env("HOME", directory);
        let netconfd = Running::new(&mut netconfd, directory)?;
        let mut sshd = daemon("sshd")?;
        sshd.args(["-D", "-e", "-f"]).arg(&config);
        let mut sshd = Running::new(&mut sshd, directory)?;
        sshd.await_greeting(address)?;
        let user = output(Command::new("id").arg("-un"))?.trim().to_owned();
        Ok(Self { netconfd, sshd, address, user })
    }

    fn address(&self) -> String {
        self.address.to_string()
    }

    fn user(&self) -> &str {
        &self.user
    }

    fn processes(&self) -> Vec<u32> {
        vec![self.netconfd.id(), self.sshd.id()]
    }

    fn load_options(&self) -> Vec<String> {
        // It answers no request that reaches it in one read with the client's hello.
        vec!["--hello-pause".to_owned(), "20".to_owned()]
    }

    fn stop(self) -> Outcome {
        self.sshd.stop()?;
        self.netconfd.stop()
    }
}

/// `qkdn serve`, with NACM on for the user that loads it.
pub struct Ours {
    qkdn: Running,
    address: SocketAddr,
    feed: PathBuf,
}

impl Server for Ours {
    const NAME: &'static str = "qkdn";
    const SESSIONS: usize = 5000;
    const LIMITS: &'static str = "1,10";

    fn start(directory: &Path, key: &Path, _: Target, modules: &[&str]) -> Outcome<Self> {
        Self::start_with(directory, key, modules, |_| {})
    }

    fn address(&self) -> String {
        self.address.to_string()
    }

    fn user(&self) -> &str {
        "load"
    }

    fn processes(&self) -> Vec<u32> {
        vec![self.qkdn.id()]
    }

    fn load_options(&self) -> Vec<String> {
        vec!["--superuser".to_owned(), "admin".to_owned(), format!("--feed={}", self.feed.display())]
    }

    fn stop(self) -> Outcome {
        self.qkdn.stop()
    }
}

impl Ours {
    /// With more on the command line.
    pub fn start_with(
        directory: &Path,
        key: &Path,
        modules: &[&str],
        more: impl FnOnce(&mut Command),
    ) -> Outcome<Self> {
        let address = free_address()?;
        let mut command = Command::new(test::binary("release"));
        command.args(["serve", "--listen", &address.to_string(), "--yang-dir"]);
        command.arg(workspace::root().join("tests/bench"));
        command.args(modules.iter().flat_map(|module| ["--module", module]));
        for user in ["load", "admin"] {
            command.args(["--user", user, "--authorized-key"]).arg(format!("{}.pub", key.display()));
        }
        command.args(["--superuser", "admin", "--host-key"]).arg(directory.join("host-key"));
        command.arg("--state-dir").arg(directory.join("state"));
        // All of the sessions are one user's.
        command.args(["--sessions-per-user", "8192"]);
        let feed = directory.join("feed");
        output(Command::new("mkfifo").arg(&feed))?;
        command.arg("--feed").arg(&feed);
        more(&mut command);
        let mut qkdn = Running::new(&mut command, directory)?;
        qkdn.await_greeting(address)?;
        Ok(Self { qkdn, address, feed })
    }
}

/// A program with its output in a log file; it ends with us.
pub struct Running {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Running {
    pub fn new(command: &mut Command, directory: &Path) -> Outcome<Self> {
        let name = line(command).split(' ').next().unwrap_or_default().to_owned();
        let log = directory.join(format!("{name}.log"));
        let file = File::create(&log).doing(log.display())?;
        command.stdin(Stdio::null()).stderr(file.try_clone().doing(log.display())?).stdout(file);
        let child = command.spawn().doing(&name)?;
        Ok(Self { child, name, log })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails, with what it logged, where it has ended.
    pub fn still_runs(&mut self) -> Outcome {
        let Some(status) = self.child.try_wait().doing(&self.name)? else { return Ok(()) };
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        Err(Failure::new(format!("{}: {status}\n{}", self.name, log.trim_end())))
    }

    /// Ends it at once, as SIGKILL does.
    pub fn kill(mut self) -> Outcome {
        self.child.kill().doing(&self.name)?;
        self.child.wait().doing(&self.name).map(|_| ())
    }

    /// Waits until an SSH server greets at `address`.
    fn await_greeting(&mut self, address: SocketAddr) -> Outcome {
        let end = Instant::now() + START_LIMIT;
        while Instant::now() < end {
            self.still_runs()?;
            let mut greeting = [0; 4];
            let greeted = TcpStream::connect_timeout(&address, Duration::from_secs(1)).and_then(|mut stream| {
                stream.set_read_timeout(Some(Duration::from_secs(1)))?;
                stream.read_exact(&mut greeting)
            });
            if greeted.is_ok() && &greeting == b"SSH-" {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(Failure::new(format!("{} does not greet at {address} within {START_LIMIT:?}", self.name)))
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(mut self) -> Outcome {
        output(Command::new("kill").arg(self.child.id().to_string()))?;
        let end = Instant::now() + STOP_LIMIT;
        while Instant::now() < end {
            if self.child.try_wait().doing(&self.name)?.is_some() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(Failure::new(format!("{} does not end within {STOP_LIMIT:?} of being told to", self.name)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A daemon's program by its full path, which sshd asks for.
fn daemon(name: &str) -> Outcome<Command> {
    workspace::program(name).map(Command::new).ok_or_else(|| Failure::new(format!("{name} is not installed")))
}

/// An address of loopback whose port is free now.
fn free_address() -> Outcome<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing("a free port")?;
    listener.local_addr().doing("a free port")
}
