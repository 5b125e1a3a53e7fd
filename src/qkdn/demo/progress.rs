//! What the demonstration says while it starts: a line for each layer, in the order of clause 9.3.1.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use agents::fleet::Member;
use agents::topology::{AgentKind, AgentPlan};
use netconf::client::{Filter, Options, Session, SessionConfig, data};
use netconf::transport::ssh::{Credential, HostKeyCheck, Target, connect};

use super::Demo;
use super::manager::Manager;

/// A network that is not up by then has something that it waits for in vain: it is said, and the demonstration goes on.
const PATIENCE: Duration = Duration::from_secs(120);

const NAMESPACE: &str = "urn:qkdn:yang:qkdn-manager";

/// The layers, and the function that manages each.
const LAYERS: [(&str, &str); 3] =
    [("quantum layer", "QLM"), ("key management layer", "KMLM"), ("control layer", "QCLM")];

fn layer(kind: AgentKind) -> usize {
    match kind {
        AgentKind::QkdModule | AgentKind::OpticalSwitch | AgentKind::RelayPoint => 0,
        AgentKind::KeyManager => 1,
        AgentKind::Controller => 2,
    }
}

pub(super) struct Progress {
    begun: Instant,
    wanted: [usize; 3],
    serving: RefCell<[usize; 3]>,
    shown: RefCell<bool>,
}

impl Progress {
    pub(super) fn new(plans: &[AgentPlan]) -> Progress {
        let mut wanted = [0; 3];
        plans.iter().for_each(|plan| wanted[layer(plan.kind)] += 1);
        Progress { begun: Instant::now(), wanted, serving: RefCell::default(), shown: RefCell::new(false) }
    }

    /// An agent serves.
    pub(super) fn serves(&self, member: &Member) {
        let index = layer(member.kind);
        let mut serving = self.serving.borrow_mut();
        serving[index] += 1;
        self.show(index, serving[index], "agents serve NETCONF over SSH");
    }

    pub(super) fn manager_serves(&self, manager: &Manager) {
        println!("qkdn: manager: serves NETCONF over SSH on {}:{}", manager.address, manager.port);
    }

    /// Asks the manager until it has a session with every device and has read it.
    pub(super) async fn until_operational(&self, demo: &Demo) -> Result<(), String> {
        let session = session(demo).await?;
        let mut kinds = BTreeMap::new();
        demo.agents.iter().filter(|agent| agent.member.started).for_each(|agent| {
            kinds.insert(agent.member.name.clone(), layer(agent.member.kind));
        });
        let mut wanted = [0; 3];
        kinds.values().for_each(|index| wanted[*index] += 1);
        let mut told = 0;
        loop {
            let operational = operational(&session).await?;
            let mut counts = [0; 3];
            operational.iter().filter_map(|name| kinds.get(name)).for_each(|index| counts[*index] += 1);
            while told < LAYERS.len() {
                if wanted[told] > 0 {
                    self.line(told, counts[told], wanted[told], &format!("devices operational ({})", LAYERS[told].1));
                }
                if counts[told] < wanted[told] {
                    break;
                }
                told += 1;
            }
            if told == LAYERS.len() {
                return Ok(());
            }
            if self.begun.elapsed() > PATIENCE {
                println!("\nqkdn: not every device is operational; `qkdn status` tells which");
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn show(&self, index: usize, count: usize, what: &str) {
        self.line(index, count, self.wanted[index], what);
    }

    /// A terminal sees the count grow; a pipe gets the whole only.
    fn line(&self, index: usize, count: usize, wanted: usize, what: &str) {
        let text = format!("qkdn: {}: {count} of {wanted} {what}", LAYERS[index].0);
        if count == wanted {
            let again = if self.shown.replace(false) { "\r\x1b[K" } else { "" };
            println!("{again}{text}, {:.1} s", self.begun.elapsed().as_secs_f32());
        } else if std::io::stdout().is_terminal() {
            self.shown.replace(true);
            print!("\r\x1b[K{text}");
            let _ = std::io::Write::flush(&mut std::io::stdout());
        }
    }
}

async fn session(demo: &Demo) -> Result<Session, String> {
    let user = demo.manager.users.first().ok_or("the manager has no user")?;
    let target = Target {
        host: demo.manager.address.clone(),
        port: demo.manager.port,
        user: user.name.to_owned(),
        credential: Credential::KeyFile { path: user.private_key.clone(), passphrase: None },
        host_key: HostKeyCheck::KnownHosts(demo.known_hosts.clone()),
        timeout: Duration::from_secs(20),
    };
    let stream = connect(&target).await.map_err(|e| e.to_string())?;
    let (session, _) = Session::open(stream, SessionConfig::default()).await.map_err(|e| e.to_string())?;
    Ok(session)
}

/// Names of the devices that are connected and read.
async fn operational(session: &Session) -> Result<Vec<String>, String> {
    let filter = format!(
        "<devices xmlns=\"{NAMESPACE}\"><device><name/><state><connection-state>operational</connection-state></state></device></devices>"
    );
    let reply = session.get(&Options::from(Filter::Subtree(filter))).await.map_err(|e| e.to_string())?;
    let document = reply.document().map_err(|e| e.to_string())?;
    let data = data(&document).map_err(|e| e.to_string())?;
    let Some(devices) = data.child(NAMESPACE, "devices") else { return Ok(Vec::new()) };
    let devices = devices.children().filter(|device| device.name() == "device");
    let operational = devices.filter(|device| {
        let state = device.child(NAMESPACE, "state").and_then(|state| state.child(NAMESPACE, "connection-state"));
        state.is_some_and(|state| state.text() == "operational")
    });
    Ok(operational.filter_map(|device| device.child(NAMESPACE, "name")).map(|name| name.text().to_owned()).collect())
}
