//! A fleet as a whole: what it writes is what runs an agent alone, and ports stay.

use super::*;

fn options(directory: &Path) -> Options {
    let key = |name: &str| {
        let key = ssh::load_or_generate_host_key(&directory.join(name)).unwrap();
        let public = directory.join(format!("{name}.pub"));
        std::fs::write(&public, key.public_key().to_openssh().unwrap()).unwrap();
        public
    };
    Options {
        directory: directory.to_owned(),
        topology: "lab".to_owned(),
        port_base: 0,
        users: vec![User {
            name: "admin".to_owned(),
            public_key: key("admin"),
            password_file: None,
            groups: vec!["manager".to_owned()],
        }],
        controller_key: {
            key("controller");
            directory.join("controller")
        },
        without: BTreeSet::from(["ab-rx".to_owned()]),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_serves_all_but_who_is_left_out_and_keeps_its_ports() {
    let directory = tempfile::tempdir().unwrap();
    let topology = Topology::load("lab").unwrap();
    let mut ports = Vec::new();
    for _ in 0..2 {
        let shutdown = CancellationToken::new();
        let mut served = 0;
        let mut fleet = Fleet::start(&topology, &options(directory.path()), &shutdown, |_| served += 1).await.unwrap();
        assert_eq!((fleet.members.len(), served), (topology.agents().len(), fleet.members.len() - 1));
        let left_out: Vec<&str> = fleet.members.iter().filter(|m| !m.started).map(|m| m.name.as_str()).collect();
        assert_eq!(left_out, ["ab-rx"]);
        for member in &fleet.members {
            let config = Config::load(&member.config).unwrap();
            assert_eq!(config.listen, format!("{}:{}", member.address, member.port));
            assert_eq!(
                config.users[0].authorized_keys[0].canonicalize().unwrap(),
                directory.path().join("admin.pub").canonicalize().unwrap()
            );
        }
        ports.push(fleet.members.iter().map(|member| member.port).collect::<Vec<_>>());
        shutdown.cancel();
        fleet.ended().await.unwrap();
    }
    assert_eq!(ports[0], ports[1]);
    let text = std::fs::read_to_string(directory.path().join("agents/directory.json")).unwrap();
    let entries: Vec<Entry> = serde_json::from_str(&text).unwrap();
    assert!(entries.iter().any(|entry| entry.name == "ab-rx") && entries.iter().all(|entry| entry.port != 0));
}

#[tokio::test]
async fn an_agent_that_is_not_there_cannot_be_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { without: BTreeSet::from(["nobody".to_owned()]), ..options(directory.path()) };
    let started = Fleet::start(&Topology::load("lab").unwrap(), &options, &CancellationToken::new(), |_| {}).await;
    assert!(started.unwrap_err().to_string().contains("nobody"));
}
