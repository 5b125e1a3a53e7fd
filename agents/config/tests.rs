//! Files that are right, and what is said of those that are not.

use super::*;

const RIGHT: &str = r#"
name = "module-a-1"
resource-id = "urn:qkdn:site-a:module:1"
listen = "127.0.0.1:0"
state-dir = "state"
host-key = "/keys/host_key"
superuser = "admin"
driver = "simulated"

[[user]]
name = "admin"
authorized-keys = ["admin.pub"]
groups = ["manager"]

[simulated]
length-km = 35
seed = 9
"#;

const CONTROLLER: &str = r#"
name = "controller"
resource-id = "urn:qkdn:lab:controller:controller"
listen = "127.0.0.1:0"
state-dir = "state"
host-key = "host_key"
initial = "initial.json"

[[user]]
name = "admin"
authorized-keys = ["../../admin.pub"]

[controller]
key = "../../controller"
directory = "/fleet/directory.json"
"#;

fn error(text: &str) -> String {
    let error = Config::parse(text, Path::new("agent.toml")).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn a_file_is_read_with_paths_from_where_it_stands() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agent.toml");
    std::fs::write(&file, RIGHT).unwrap();
    let config = Config::load(&file).unwrap();
    assert_eq!(config.state_dir, directory.path().join("state"));
    assert_eq!(config.host_key, Path::new("/keys/host_key"));
    assert_eq!(config.users[0].authorized_keys, [directory.path().join("admin.pub")]);
    let simulated = config.simulated.unwrap();
    assert_eq!(simulated, Simulated { length_km: 35.0, seed: 9, ..Simulated::default() });
}

#[test]
fn the_files_that_a_fleet_names_are_found_from_where_the_file_stands() {
    let directory = tempfile::tempdir().unwrap();
    let (file, at) = (directory.path().join("agent.toml"), directory.path());
    std::fs::write(&file, CONTROLLER).unwrap();
    let config = Config::load(&file).unwrap();
    let controller = Controller { key: at.join("../../controller"), directory: "/fleet/directory.json".into() };
    assert_eq!((config.controller, config.simulated), (Some(controller), None));
    assert_eq!(config.initial, Some(at.join("initial.json")));
    // A name is that of a topology that the program carries; all else is a file.
    for (topology, expected) in [
        ("lab", "lab".to_owned()),
        ("lab.toml", at.join("lab.toml").display().to_string()),
        ("../lab", at.join("../lab").display().to_string()),
        ("/lab", "/lab".to_owned()),
    ] {
        std::fs::write(&file, RIGHT.replace("seed = 9", &format!("topology = \"{topology}\""))).unwrap();
        assert_eq!(Config::load(&file).unwrap().simulated.unwrap().topology, Some(expected));
    }
}

#[test]
fn errors_name_the_file_the_line_and_the_key() {
    let missing = Config::load(Path::new("/nowhere/agent.toml")).unwrap_err().to_string();
    assert!(missing.starts_with("/nowhere/agent.toml: "), "{missing}");
    let rows = [
        (RIGHT.replace("listen =", "listn ="), "agent.toml:4: unknown field `listn`"),
        (RIGHT.replace("seed = 9", "sead = 9"), "agent.toml:17: unknown field `sead`"),
        (RIGHT.replace("seed = 9", "seed = \"x\""), "agent.toml:17: invalid type: string \"x\""),
        (RIGHT.replace("\"simulated\"", "\"real\""), "agent.toml:8: unknown variant `real`"),
        (RIGHT.replace("listen = \"127.0.0.1:0\"\n", ""), "missing field `listen`"),
        (RIGHT.replace("name = \"admin\"", "name = "), "agent.toml:11: "),
        (RIGHT.replace("urn:qkdn:site-a:module:1", "module 1"), "agent.toml: resource-id: "),
        (RIGHT.replace("superuser = \"admin\"", "superuser = \"root\""), "agent.toml: superuser: root is not among"),
        (RIGHT.replace("authorized-keys = [\"admin.pub\"]\n", ""), "agent.toml: user: admin has neither"),
        (RIGHT.replace("seed = 9", "system = \"xyz\""), "agent.toml: simulated.system: xyz is not one of: gys"),
        (CONTROLLER.replace("directory =", "directry ="), "agent.toml:15: unknown field `directry`"),
        (CONTROLLER.replace("key = \"../../controller\"\n", ""), "agent.toml:13: missing field `key`"),
        (RIGHT.replace("length-km = 35", "length-km = -1"), "agent.toml: simulated.length-km: -1 is not"),
    ];
    for (text, expected) in rows {
        let error = error(&text);
        assert!(error.contains(expected), "{error} lacks {expected}");
    }
}
