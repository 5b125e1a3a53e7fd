//! Debian's netconfd under our manager, as a device of unknown kind: what it is, operations through the manager, and what cannot be managed.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::network::{Client, MANAGER, Network, until};

/// netconfd with OpenSSH's sshd before it, as its documentation has it.
pub struct Netconfd {
    programs: Vec<Child>,
    pub port: u16,
}

impl Drop for Netconfd {
    fn drop(&mut self) {
        for program in &mut self.programs {
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}

pub fn key(directory: &Path, name: &str) -> String {
    let file = directory.join(name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&file).status().unwrap();
    assert!(made.success());
    file.display().to_string()
}

impl Netconfd {
    /// None where it is not installed, which is a failure in CI.
    pub fn start(directory: &Path, authorized: &Path, module: Option<&Path>) -> Option<Netconfd> {
        let installed = |path: &str| Path::new(path).exists();
        if !installed("/usr/sbin/netconfd") || !installed("/usr/sbin/sshd") {
            assert!(std::env::var_os("CI").is_none(), "netconfd or sshd is not installed: run `cargo xtask setup`");
            eprintln!("skipped: netconfd or sshd is not installed");
            return None;
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host_key = key(directory, "netconfd-host-key");
        let at = directory.display();
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nAuthorizedKeysFile {keys}\nPidFile none\nStrictModes no\n\
             UsePAM no\nPasswordAuthentication no\nLogLevel ERROR\n\
             Subsystem netconf \"/usr/sbin/netconf-subsystem --ncxserver-sockname={port}@{at}/socket\"\n",
            keys = authorized.display(),
        );
        std::fs::write(directory.join("sshd_config"), text).unwrap();
        // Where sshd, when root runs it, locks its unprivileged part in; Debian makes it when the service starts.
        let _ = std::fs::create_dir("/run/sshd");
        let run = |program: &str, arguments: &[String]| {
            let log = std::fs::File::create(directory.join(program.rsplit('/').next().unwrap())).unwrap();
            let mut command = Command::new(program);
            command.args(arguments).env("HOME", directory).stdin(Stdio::null());
            command.stderr(log.try_clone().unwrap()).stdout(log).spawn().unwrap()
        };
        let mut arguments = vec![
            format!("--ncxserver-sockname={at}/socket"),
            format!("--port={port}"),
            "--target=running".into(),
            "--access-control=off".into(),
            "--no-startup".into(),
        ];
        arguments.extend(module.map(|file| format!("--module={}", file.display())));
        let netconfd = run("/usr/sbin/netconfd", &arguments);
        let sshd = run("/usr/sbin/sshd", &["-D".into(), "-e".into(), "-f".into(), format!("{at}/sshd_config")]);
        Some(Netconfd { programs: vec![netconfd, sshd], port })
    }
}

/// Who logs in to sshd: the one who runs it.
pub fn login() -> String {
    String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap().trim().to_owned()
}

/// Adds it to the managed devices, by the manager's own NETCONF server.
async fn manage(manager: &Client, port: u16) {
    let user = login();
    let config = format!(
        "<devices xmlns=\"{MANAGER}\"><credential><name>debian</name><user>{user}</user>\
         <private-key-file>qlm</private-key-file></credential><device><name>foreign</name><connection><address>127.0.0.1</address>\
         <port>{port}</port><credential>debian</credential></connection></device></devices>",
    );
    let edit = format!("<edit-config><target><running/></target><config>{config}</config></edit-config>");
    manager.rpc(&edit).await.unwrap();
}

async fn state(manager: &Client) -> Value {
    let filter = format!("<devices xmlns=\"{MANAGER}\"><device><name>foreign</name><state/></device></devices>");
    let got = manager.get(&filter).await;
    got["qkdn-manager:devices"]["device"][0]["state"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_maker_is_a_device_of_unknown_kind() {
    let parent = tempfile::tempdir().unwrap();
    let network = Network::start(&parent.path().join("demo"), "lab", &[]);
    let public = network.directory.join("manager/qlm.pub");
    let Some(netconfd) = Netconfd::start(parent.path(), &public, None) else { return };
    let manager = network.manager().await;
    manage(&manager, netconfd.port).await;
    let state = until("a session with netconfd", || async {
        Some(state(&manager).await).filter(|state| state["connection-state"] == "operational")
    })
    .await;
    assert_eq!(state["found-kind"], "unknown", "{state}");
    assert_eq!(state.get("found-id"), None, "it has no resource of ours");
    let modules = state["module"].as_array().unwrap();
    let module = |name: &str| {
        let found = modules.iter().find(|module| module["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} among {modules:?}"))
    };
    assert_eq!(module("ietf-netconf-monitoring")["managed"], true);
    assert_eq!(module("yuma-ncx")["managed"], false, "what is not understood is said to be so");
    assert!(state["capability"].as_array().unwrap().iter().any(|uri| uri == "urn:ietf:params:netconf:base:1.0"));

    let monitoring = "<get xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><filter type=\"subtree\">\
         <netconf-state xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring\"><sessions/></netconf-state></filter></get>";
    let reply = manager.execute("foreign", monitoring).await.unwrap();
    assert!(reply.contains("<username>"), "{reply}");
    let refused =
        manager.execute("foreign", "<no-such-operation xmlns=\"urn:example:none\"/>").await.unwrap_err().to_string();
    assert!(
        refused.contains("unknown-element")
            || refused.contains("operation-not-supported")
            || refused.contains("unknown-namespace"),
        "{refused}"
    );
    let fault = "<inject-fault xmlns=\"urn:qkdn:yang:qkdn-simulation\"><tamper/></inject-fault>";
    assert!(manager.execute("foreign", fault).await.is_err(), "it is no simulation");

    // What cannot be managed is refused where it is asked for.
    let config = format!(
        "<devices xmlns=\"{MANAGER}\"><device><name>foreign</name><qkd-module><thresholds><qber><warning>4</warning></qber>\
         </thresholds></qkd-module></device></devices>"
    );
    let edit = format!("<edit-config><target><running/></target><config>{config}</config></edit-config>");
    let refused = manager.rpc(&edit).await.unwrap_err().to_string();
    assert!(refused.contains("qkd-module"), "{refused}");
}
