//! A simulated network under its manager, as `qkdn demo` starts it, and clients of both.

use std::fs::{self, File};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use manager::northbound::northbound_schema;
use manager::schema::device_schema;
use netconf::client::{Error, Filter, Notifications, Options, Session, SessionConfig, data};
use netconf::transport::ssh::{Credential, HostKeyCheck, Target, connect};
use netconf::yang::{Schema, edit, json};
use serde_json::Value;

use crate::program::qkdn;

/// Long enough for a slow machine: waits end when what they wait for is there.
pub const DEADLINE: Duration = Duration::from_secs(90);

pub const MANAGER: &str = "urn:qkdn:yang:qkdn-manager";
pub const ALARMS: &str = "urn:ietf:params:xml:ns:yang:ietf-alarms";
pub const SIMULATION: &str = "urn:qkdn:yang:qkdn-simulation";

/// `qkdn demo`, and a manager of its own process where the demonstration has none.
pub struct Network {
    pub directory: PathBuf,
    demo: Process,
    manager: Option<Process>,
    others: Vec<Process>,
    /// `demo.json`
    pub said: Value,
}

/// A program that ends with its test.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub fn start(arguments: &[&str], log: &Path) -> Process {
        Process::of(&qkdn().display().to_string(), arguments, log)
    }

    pub fn of(program: &str, arguments: &[&str], log: &Path) -> Process {
        let output = File::options().create(true).append(true).open(log).unwrap();
        let child = Command::new(program)
            .env("TZ", "UTC")
            .env("NO_COLOR", "1")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Process { child, log: log.to_owned() }
    }

    /// SIGKILL, and gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A test that failed has not ended it.
        if self.runs() {
            self.kill();
        }
    }
}

impl Network {
    /// Starts the demonstration and waits until it says where everything is.
    pub fn start(directory: &Path, topology: &str, more: &[&str]) -> Network {
        let home = directory.display().to_string();
        let mut arguments = vec!["demo", "--dir", &home, "--topology", topology, "--port-base", "0"];
        arguments.extend(more);
        let mut demo = Process::start(&arguments, &directory.with_extension("log"));
        let until = Instant::now() + DEADLINE;
        let file = directory.join("demo.json");
        let said = loop {
            if let Ok(text) = fs::read_to_string(&file) {
                break serde_json::from_str(&text).unwrap();
            }
            assert!(demo.runs() && Instant::now() < until, "no demo.json: {}", demo.log());
            std::thread::sleep(Duration::from_millis(20));
        };
        Network { directory: directory.to_owned(), demo, manager: None, others: Vec::new(), said }
    }

    /// Runs the prepared manager as a process of its own, until it is killed.
    pub fn start_manager(&mut self) {
        let config = self.said["manager"]["config"].as_str().unwrap().to_owned();
        let log = self.directory.with_extension("manager.log");
        self.manager = Some(Process::start(&["manager", "run", "--config", &config], &log));
    }

    pub fn kill_demo(&mut self) {
        self.demo.kill();
        fs::remove_file(self.directory.join("demo.json")).unwrap();
    }

    /// SIGTERM: it ends by itself, and well.
    pub fn end_demo(&mut self) {
        let ended = Command::new("kill").args(["-TERM", &self.demo.child.id().to_string()]).status().unwrap();
        assert!(ended.success());
        assert!(self.demo.child.wait().unwrap().success(), "{}", self.demo.log());
    }

    /// SIGTERM, and it ends well.
    pub fn end_manager(&mut self) {
        let mut manager = self.manager.take().expect("it was started");
        assert!(Command::new("kill").args(["-TERM", &manager.child.id().to_string()]).status().unwrap().success());
        assert!(manager.child.wait().unwrap().success(), "{}", manager.log());
    }

    pub fn kill_manager(&mut self) {
        self.manager.take().expect("it was started").kill();
    }

    /// Runs an agent that was left out as a process of its own.
    pub fn start_agent(&mut self, name: &str) -> usize {
        let agent = self.agent(name);
        let (kind, config) = (agent["kind"].as_str().unwrap().to_owned(), agent["config"].as_str().unwrap().to_owned());
        let log = self.directory.with_extension(format!("{name}.log"));
        self.others.push(Process::start(&["agent", &kind, "--config", &config], &log));
        self.others.len() - 1
    }

    pub fn kill_agent(&mut self, index: usize) {
        self.others[index].kill();
    }

    pub fn agent(&self, name: &str) -> &Value {
        let mut agents = self.said["agents"].as_array().unwrap().iter();
        agents.find(|agent| agent["name"] == name).unwrap_or_else(|| panic!("no agent {name}"))
    }

    /// All that the programs printed and logged.
    pub fn logs(&self) -> String {
        let processes = [Some(&self.demo), self.manager.as_ref()].into_iter().flatten().chain(&self.others);
        processes.map(Process::log).collect::<Vec<_>>().join("\n")
    }

    /// A session with the manager, as soon as it serves.
    pub async fn manager(&self) -> Client {
        let schema = northbound_schema().unwrap();
        self.client(&self.said["manager"], schema).await
    }

    pub async fn device(&self, name: &str) -> Client {
        self.client(self.agent(name), device_schema()).await
    }

    async fn client(&self, at: &Value, schema: Arc<Schema>) -> Client {
        let user = &at["users"][0];
        let target = Target {
            host: at["address"].as_str().unwrap().to_owned(),
            port: at["port"].as_u64().unwrap().try_into().unwrap(),
            user: user["name"].as_str().unwrap().to_owned(),
            credential: Credential::KeyFile { path: user["private-key"].as_str().unwrap().into(), passphrase: None },
            host_key: HostKeyCheck::KnownHosts(self.said["known-hosts"].as_str().unwrap().into()),
            timeout: Duration::from_secs(10),
        };
        let what = format!("session at port {}", target.port);
        let stream = until(&what, || async { connect(&target).await.ok() }).await;
        let (session, notifications) = Session::open(stream, SessionConfig::default()).await.unwrap();
        Client { session, notifications, schema }
    }
}

/// A session, and the modules by which its data is read.
pub struct Client {
    pub session: Session,
    pub notifications: Notifications,
    schema: Arc<Schema>,
}

impl Client {
    /// What a subtree filter selects, as RFC 7951 JSON.
    pub async fn get(&self, filter: &str) -> Value {
        let reply = self.session.get(&Options::from(Filter::Subtree(filter.to_owned()))).await.unwrap();
        let document = reply.document().unwrap();
        let tree = edit::read_data(&self.schema, data(&document).unwrap()).unwrap();
        serde_json::from_str(&json::write(&tree)).unwrap()
    }

    pub async fn rpc(&self, operation: &str) -> Result<String, Error> {
        self.session.rpc(operation).await.map(|reply| reply.text().to_owned())
    }

    /// An operation at a device, through the manager.
    pub async fn execute(&self, device: &str, operation: &str) -> Result<String, Error> {
        let request = format!(
            "<execute-operation xmlns=\"{MANAGER}\"><device>{device}</device><operation>{operation}</operation></execute-operation>"
        );
        self.rpc(&request).await
    }

    pub async fn inject(&self, device: &str, fault: &str) {
        let operation = format!("<inject-fault xmlns=\"{SIMULATION}\">{fault}</inject-fault>");
        let reply = self.execute(device, &operation).await.unwrap();
        assert!(reply.contains("fault-id"), "{reply}");
    }

    pub async fn clear(&self, device: &str) {
        let operation = format!("<clear-fault xmlns=\"{SIMULATION}\"><all/></clear-fault>");
        self.execute(device, &operation).await.unwrap();
    }

    /// The alarm list.
    pub async fn alarms(&self) -> Vec<Value> {
        let got = self.get(&format!("<alarms xmlns=\"{ALARMS}\"><alarm-list/></alarms>")).await;
        got["ietf-alarms:alarms"]["alarm-list"]["alarm"].as_array().cloned().unwrap_or_default()
    }

    /// Waits for an alarm of this type, by its short name, at this resource.
    pub async fn alarm(&self, resource: &str, alarm_type: &str, cleared: bool) -> Value {
        let what = format!("{alarm_type} at {resource} with is-cleared {cleared}");
        let fits = |alarm: &Value| {
            alarm["qkdn-alarms:alarm-source-id"] == resource
                && alarm["alarm-type-id"] == format!("qkdn-alarms:{alarm_type}")
                && alarm["is-cleared"] == cleared
        };
        until(&what, || async { self.alarms().await.into_iter().find(&fits) }).await
    }

    /// Runs of procedures, newest first.
    pub async fn runs(&self) -> Vec<Value> {
        let got = self.get(&format!("<procedures xmlns=\"{MANAGER}\"/>")).await;
        got["qkdn-manager:procedures"]["run"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until the run has ended.
    pub async fn ended(&self, run_id: &str) -> Value {
        until(&format!("end of {run_id}"), || async {
            self.runs().await.into_iter().find(|run| run["run-id"] == run_id && run["state"] != "running")
        })
        .await
    }

    /// Waits until every device of the network is operational.
    pub async fn operational(&self, count: usize) {
        until("all devices operational", || async {
            let states = self.states().await;
            let up = states.iter().filter(|(_, state)| state == "operational").count();
            (up == count).then_some(())
        })
        .await;
    }

    /// Devices and their connection states.
    pub async fn states(&self) -> Vec<(String, String)> {
        let filter = format!(
            "<devices xmlns=\"{MANAGER}\"><device><name/><state><connection-state/></state></device></devices>"
        );
        let got = self.get(&filter).await;
        let devices = got["qkdn-manager:devices"]["device"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        devices.iter().map(|device| (text(&device["name"]), text(&device["state"]["connection-state"]))).collect()
    }
}

/// Waits until there is something.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut find: impl FnMut() -> F) -> T {
    let looking = async {
        loop {
            if let Some(found) = find().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, looking).await.unwrap_or_else(|_| panic!("never: {what}"))
}
