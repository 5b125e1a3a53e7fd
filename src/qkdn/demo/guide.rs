//! What the demonstration prints: lines that can be pasted, with this run's ports and keys in them.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use agents::topology::AgentKind;

use super::{Demo, FILE, USER};

/// How to look at the network, through its manager.
pub(super) fn text(demo: &Demo) -> String {
    let manager = &demo.manager;
    let Some(user) = manager.users.first() else { return String::new() };
    let qkdn = format!("{} --dir {}", program(), shell(demo.directory.display()));
    // A link to try a fault on: the first.
    let receiver = demo
        .agents
        .iter()
        .find(|agent| agent.member.kind == AgentKind::QkdModule && agent.member.name.ends_with("-rx"));
    let link = receiver.map(|agent| agent.member.name.trim_end_matches("-rx")).unwrap_or("LINK");
    format!(
        r#"
All of it is in {file}. Ctrl-C ends it. In another terminal:

  {qkdn} status
  {qkdn} topology show
  {qkdn} inventory list
  {qkdn} sim fault {link} --qber 9
  {qkdn} alarm list
  {qkdn} procedure list
  {qkdn} procedure show latest
  {qkdn} sim clear {link} --all

With netopeer2-cli, at its prompt:

  auth keys add {public} {private}
  knownhosts --mode skip
  connect --ssh --host {address} --port {port} --login {USER}
  get

With ncclient, which shows the alarms and leaves you at Python's prompt:

  {python} -i -c {connect}

"#,
        file = shell(demo.directory.join(FILE).display()),
        public = user.public_key.display(),
        private = user.private_key.display(),
        address = manager.address,
        port = manager.port,
        python = python(),
        connect = shell(connect(&manager.address, manager.port, &user.private_key)),
    )
}

/// How to start the manager of a network whose agents run.
pub(super) fn without_manager(demo: &Demo) -> String {
    let config = shell(demo.manager.config.display());
    format!(
        "\nAll of it is in {}. Ctrl-C ends it. The manager is prepared:\n\n  {} manager run --config {config}\n\n",
        shell(demo.directory.join(FILE).display()),
        program()
    )
}

/// The program of ncclient's session.
fn connect(address: &str, port: u16, key: &Path) -> String {
    let key = key.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
    format!(
        "from ncclient import manager; from ncclient.xml_ import to_ele, to_xml; \
         show = lambda xml: print(to_xml(to_ele(xml), pretty_print=True)); \
         m = manager.connect(host=\"{address}\", port={port}, username=\"{USER}\", key_filename=\"{key}\", \
         hostkey_verify=False, allow_agent=False, look_for_keys=False); \
         show(m.get((\"subtree\", \"<alarms xmlns=\\\"urn:ietf:params:xml:ns:yang:ietf-alarms\\\"><alarm-list/></alarms>\")).data_xml)"
    )
}

/// This program, as a shell finds it.
fn program() -> String {
    let here = std::env::current_dir().ok();
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("qkdn"));
    let near = here.and_then(|here| program.strip_prefix(here).map(Path::to_owned).ok());
    // A shell looks for a bare name elsewhere.
    let near = near.map(|near| if near.components().count() == 1 { Path::new(".").join(near) } else { near });
    shell(near.unwrap_or(program).display())
}

/// The Python that `cargo xtask setup` gave ncclient, where this program is still in its target directory.
fn python() -> String {
    let of_target = || -> Option<PathBuf> {
        let python = std::env::current_exe().ok()?.parent()?.parent()?.join("venv/bin/python");
        python.exists().then_some(python)
    };
    of_target().map_or_else(|| "python3".to_owned(), |python| shell(python.display()))
}

/// One word of a shell's command line.
fn shell(text: impl Display) -> String {
    let text = text.to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
