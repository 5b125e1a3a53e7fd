//! From a configuration file's content to an agent that serves NETCONF over SSH.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use netconf::server::provider::Provider;
use netconf::server::{Options, Server, base_modules};
use netconf::transport::auth::Users;
use netconf::transport::ssh;
use netconf::yang::serde::to_tree;
use netconf::yang::{Schema, Tree};
use serde::Serialize;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::agent::{Agent, AgentError, Clock, system_clock};
use crate::config::{Config, DriverKind, User};
use crate::driver::Driver;
use crate::physics::System;
use crate::qkd_module::{Parameters, SimulatedModule};
use crate::schema::agent_schema;

/// Why an agent does not run: one line that says what to do.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct RunError(String);

impl From<AgentError> for RunError {
    fn from(error: AgentError) -> Self {
        RunError(error.to_string())
    }
}

/// Runs the management agent of a QKD module until `shutdown`; `ready` hears where it listens.
pub async fn qkd_module(
    config: Config,
    shutdown: CancellationToken,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), RunError> {
    let DriverKind::Simulated = config.driver;
    let simulated = config.simulated.clone().unwrap_or_default();
    let unknown = || RunError(format!("there is no system {}", simulated.system));
    let parameters = Parameters {
        module_id: config.resource_id.clone(),
        link_id: simulated.link_id.clone().unwrap_or_else(|| format!("{}:link", config.resource_id)),
        role: simulated.role,
        system: System::by_name(&simulated.system).ok_or_else(unknown)?,
        seed: simulated.seed,
        length_km: simulated.length_km,
        extra_loss_db: simulated.extra_loss_db,
    };
    let clock = system_clock();
    let driver = SimulatedModule::new(parameters, clock());
    let simulated = driver.device().simulated;
    let schema = agent_schema(base_modules(Schema::builder()), &["qkdn-mq"], simulated);
    let schema = schema.map_err(|error| RunError(error.to_string()))?;
    let controlled = ["service-state", "active-channel"];
    serve(config, driver, schema, &controlled, clock, shutdown, ready).await
}

/// Serves any device's agent. `controlled` are the leafs of the device that a controller may write.
pub async fn serve<D: Driver>(
    config: Config,
    driver: D,
    schema: Arc<Schema>,
    controlled: &[&str],
    clock: Clock,
    shutdown: CancellationToken,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), RunError> {
    let fail = |error: &dyn std::fmt::Display| RunError(error.to_string());
    let users = users(&config.users)?;
    let host_key = ssh::load_or_generate_host_key(&config.host_key).map_err(|error| fail(&error))?;
    let listener = TcpListener::bind(&config.listen).await;
    let listener = listener.map_err(|error| RunError(format!("cannot listen on {}: {error}", config.listen)))?;
    let address = listener.local_addr().map_err(|error| fail(&error))?;
    let rights = rights(&schema, driver.device().container, controlled, &config.users).map_err(|error| fail(&error))?;
    let initial = Tree::initial(schema.clone()).merged(&rights);
    let agent = Agent::open(driver, schema.clone(), &config.state_dir, clock)?;
    let options = Options { state_dir: config.state_dir, superuser: config.superuser };
    let server = Server::start(schema, agent.clone(), initial.clone(), options).await.map_err(|error| fail(&error))?;
    let running = server.shared().datastores.version().running.clone();
    if let Err(error) = agent.apply(&initial, &running, &[]).await {
        agent.stop().await;
        return Err(RunError(format!("the device refuses its stored configuration: {error}")));
    }
    tracing::info!(agent = config.name, %address, "serving NETCONF over SSH");
    ready(address);
    let ssh_config = ssh::ServerConfig::new(vec![host_key], Arc::new(ArcSwap::from_pointee(users)));
    let sessions = server.clone();
    let serving = ssh::serve(listener, ssh_config, shutdown.clone(), move |stream, peer| {
        let server = sessions.clone();
        async move { server.serve(stream, peer).await }
    });
    let stopping = async {
        shutdown.cancelled().await;
        server.stop();
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        ended = serving => ended,
        () = stopping => Ok(()),
    };
    agent.stop().await;
    ended.map_err(|error| fail(&error))
}

fn users(users: &[User]) -> Result<Users, RunError> {
    let mut known = Users::new();
    for user in users {
        for file in &user.authorized_keys {
            known.add_authorized_keys(&user.name, file).map_err(|error| RunError(error.to_string()))?;
        }
        if let Some(file) = &user.password_file {
            known.add_password_file(&user.name, file).map_err(|error| RunError(error.to_string()))?;
        }
    }
    Ok(known)
}

/// The rights of an agent that never ran (RFC 8341): groups as the file has them, the manager may do all, the controller writes what it
/// controls. From then on they are the operator's, in the running datastore.
fn rights(
    schema: &Arc<Schema>,
    container: &str,
    controlled: &[&str],
    users: &[User],
) -> Result<Tree, netconf::yang::serde::SerdeError> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for user in users {
        user.groups.iter().for_each(|group| groups.entry(group).or_default().push(&user.name));
    }
    let groups = groups.into_iter().map(|(name, user_name)| Group { name, user_name }).collect();
    let rule = |name: &str, path: Option<String>, operations| Rule {
        name: name.to_owned(),
        module_name: "*",
        path,
        access_operations: operations,
        action: "permit",
    };
    let path = |leaf: &&str| rule(leaf, Some(format!("/{container}/{leaf}")), "create update delete");
    let all = RuleList { name: "manager", group: ["manager"], rule: vec![rule("all", None, "*")] };
    let some = RuleList { name: "controller", group: ["controller"], rule: controlled.iter().map(path).collect() };
    let nacm = Nacm { groups: Groups { group: groups }, rule_list: vec![all, some] };
    to_tree(schema, &BTreeMap::from([("ietf-netconf-acm:nacm", nacm)]))
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Nacm<'a> {
    groups: Groups<'a>,
    rule_list: Vec<RuleList<'a>>,
}

#[derive(Serialize)]
struct Groups<'a> {
    group: Vec<Group<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Group<'a> {
    name: &'a str,
    user_name: Vec<&'a str>,
}

#[derive(Serialize)]
struct RuleList<'a> {
    name: &'a str,
    group: [&'a str; 1],
    rule: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Rule {
    name: String,
    module_name: &'static str,
    path: Option<String>,
    access_operations: &'static str,
    action: &'static str,
}
