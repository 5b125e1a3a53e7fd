//! What the demonstration prints: lines that can be pasted, with this run's ports and keys in them.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use super::{Agent, Demo, FILE, USER};

/// How to look at one of the agents: the last, a receiver, which measures the link.
pub(super) fn text(demo: &Demo) -> String {
    let Some(agent) = demo.agents.last() else { return String::new() };
    let Agent { name, address, port, .. } = agent;
    let [user] = agent.users.as_slice() else { return String::new() };
    format!(
        r#"
All of it is in {file}. Ctrl-C ends it.

Look at {name} with OpenSSH, which shows the server's hello:

  ssh -p {port} -i {key} -o {known_hosts} {USER}@{address} -s netconf

With netopeer2-cli, at its prompt:

  auth keys add {public} {private}
  knownhosts --mode skip
  connect --ssh --host {address} --port {port} --login {USER}
  get

With ncclient, which shows the module's state and leaves you at Python's prompt:

  {python} -i -c {connect}

There: listen for alarms, cut the fibre, hear of it, see it in the list of alarms, and mend the fibre:

  m.dispatch(to_ele('<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"><filter type="subtree"><alarm-notification xmlns="urn:ietf:params:xml:ns:yang:ietf-alarms"/></filter></create-subscription>'))
  m.dispatch(to_ele('<inject-fault xmlns="urn:qkdn:yang:qkdn-simulation"><fibre-cut/></inject-fault>'))
  show(m.take_notification(timeout=10).notification_xml)
  show(m.get(("subtree", '<alarms xmlns="urn:ietf:params:xml:ns:yang:ietf-alarms"><alarm-list/></alarms>')).data_xml)
  m.dispatch(to_ele('<clear-fault xmlns="urn:qkdn:yang:qkdn-simulation"><all/></clear-fault>'))
  show(m.take_notification(timeout=10).notification_xml)

Another fault, which brings the QBER to 9 percent:

  m.dispatch(to_ele('<inject-fault xmlns="urn:qkdn:yang:qkdn-simulation"><qber><target>9</target></qber></inject-fault>'))

"#,
        file = shell(demo.directory.join(FILE).display()),
        key = shell(user.private_key.display()),
        // ssh takes the words of an option for several files.
        known_hosts = shell(format_args!("UserKnownHostsFile={}", words(&demo.known_hosts))),
        public = user.public_key.display(),
        private = user.private_key.display(),
        python = python(),
        connect = shell(connect(agent, &user.private_key)),
    )
}

/// The program of ncclient's session.
fn connect(agent: &Agent, key: &Path) -> String {
    let key = key.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
    format!(
        "from ncclient import manager; from ncclient.xml_ import to_ele, to_xml; \
         show = lambda xml: print(to_xml(to_ele(xml), pretty_print=True)); \
         m = manager.connect(host=\"{}\", port={}, username=\"{USER}\", key_filename=\"{key}\", \
         hostkey_verify=False, allow_agent=False, look_for_keys=False); \
         show(m.get((\"subtree\", \"<qkd-module xmlns=\\\"urn:qkdn:yang:qkdn-mq\\\"><state/></qkd-module>\")).data_xml)",
        agent.address, agent.port
    )
}

/// The Python that `cargo xtask setup` gave ncclient, where this program is still in its target directory.
fn python() -> String {
    let of_target = || -> Option<PathBuf> {
        let python = std::env::current_exe().ok()?.parent()?.parent()?.join("venv/bin/python");
        python.exists().then_some(python)
    };
    of_target().map_or_else(|| "python3".to_owned(), |python| shell(python.display()))
}

fn words(path: &Path) -> String {
    let path = path.display().to_string();
    if path.contains(char::is_whitespace) { format!("\"{path}\"") } else { path }
}

/// One word of a shell's command line.
fn shell(text: impl Display) -> String {
    let text = text.to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
