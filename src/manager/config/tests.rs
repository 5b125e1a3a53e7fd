//! Files that are right, and what is said of those that are not.

use super::*;

const RIGHT: &str = r#"
listen = "127.0.0.1:0"
state-dir = "state"
host-key = "/keys/host_key"
initial = "devices.json"

[[user]]
name = "admin"
authorized-keys = ["admin.pub"]
groups = ["admin"]
"#;

#[test]
fn a_file_is_read_with_paths_from_where_it_stands() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("manager.toml");
    std::fs::write(&file, RIGHT).unwrap();
    let config = Config::load(&file).unwrap();
    let here = |name: &str| directory.path().join(name);
    assert_eq!((config.store(), config.initial), (here("state/manager.db"), Some(here("devices.json"))));
    assert_eq!(
        (config.host_key.as_path(), config.directory.as_path()),
        (Path::new("/keys/host_key"), directory.path())
    );
    assert_eq!(config.users[0].authorized_keys, [here("admin.pub")]);
}

#[test]
fn errors_name_the_file_the_line_and_the_key() {
    let rows = [
        (RIGHT.replace("listen =", "listn ="), "manager.toml:2: unknown field `listn`"),
        (RIGHT.replace("groups =", "group ="), "manager.toml:10: unknown field `group`"),
        (RIGHT.replace("listen = \"127.0.0.1:0\"\n", ""), "missing field `listen`"),
        (
            RIGHT.replace("[\"admin\"]", "[\"manager\"]"),
            "manager.toml: user.groups: manager of admin is not one of: admin,",
        ),
        (RIGHT.replace("initial =", "performance-interval = 0\ninitial ="), "manager.toml: performance-interval: 0 s"),
        (RIGHT.replace("initial =", "superuser = \"root\"\ninitial ="), "manager.toml: superuser: root is not among"),
        (RIGHT.replace("authorized-keys = [\"admin.pub\"]\n", ""), "manager.toml: user: admin has neither"),
    ];
    for (text, expected) in rows {
        let error = Config::parse(&text, Path::new("manager.toml")).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{error}");
    }
}
