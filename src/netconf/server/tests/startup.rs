//! The startup datastore (RFC 6241 section 8.7).

use super::*;

fn with_name(value: &str) -> String {
    format!("<system xmlns=\"urn:fixture\"><name>{value}</name></system>")
}

const FROM_STARTUP: fn() -> Options = || Options { boot: Boot::Startup, ..Options::default() };

/// RFC 6241 sections 8.7.5.1 and 7.4: running is saved by copy-config, startup deleted by delete-config.
#[tokio::test]
async fn startup_is_saved_read_and_deleted() {
    let bench = start().await;
    let session = bench.admin().await;
    let has = |uri: &str| session.capabilities().iter().any(|c| c == uri);
    assert!(has("urn:ietf:params:netconf:capability:startup:1.0"));
    assert_eq!(content(&session, Datastore::Startup).await, "");
    set(&session, Datastore::Running, &name("saved")).await.unwrap();
    assert_eq!(content(&session, Datastore::Startup).await, "", "what runs is not saved by itself");
    session.copy_config(&Datastore::Startup, &Datastore::Running).await.unwrap();
    set(&session, Datastore::Running, &name("later")).await.unwrap();
    assert_eq!(content(&session, Datastore::Startup).await, with_name("saved"));
    session.copy_config(&Datastore::Candidate, &Datastore::Startup).await.unwrap();
    assert_eq!(content(&session, Datastore::Candidate).await, with_name("saved"));
    session.copy_config(&Datastore::Running, &Datastore::Startup).await.unwrap();
    assert_eq!(running(&session).await, with_name("saved"));
    session.validate(&Datastore::Startup).await.unwrap();
    session.delete_config(&Datastore::Startup).await.unwrap();
    assert_eq!(content(&session, Datastore::Startup).await, "");
    assert_eq!(running(&session).await, with_name("saved"));
}

#[tokio::test]
async fn a_server_starts_with_what_it_is_told_to() {
    let bench = start().await;
    let session = bench.admin().await;
    set(&session, Datastore::Running, &name("saved")).await.unwrap();
    session.copy_config(&Datastore::Startup, &Datastore::Running).await.unwrap();
    set(&session, Datastore::Running, "<system xmlns=\"urn:fixture\"><name>later</name><mtu>99</mtu></system>")
        .await
        .unwrap();
    drop(session);
    let bench = bench.restart().await;
    let session = bench.admin().await;
    assert!(running(&session).await.contains("later"), "by default nothing that was acknowledged is lost");
    assert_eq!(content(&session, Datastore::Startup).await, with_name("saved"));
    drop(session);
    let bench = bench.restart_with(FROM_STARTUP()).await;
    let session = bench.admin().await;
    assert_eq!(running(&session).await, with_name("saved"));
    set(&session, Datastore::Running, &name("unsaved")).await.unwrap();
    session.delete_config(&Datastore::Startup).await.unwrap();
    drop(session);
    // What runs is durable all the same, and a deleted startup is that of a new server.
    let bench = bench.restart().await;
    assert_eq!(running(&bench.admin().await).await, with_name("unsaved"));
    let bench = bench.restart_with(FROM_STARTUP()).await;
    assert_eq!(running(&bench.admin().await).await, "");
}

#[tokio::test]
async fn startup_is_locked_like_any_other() {
    let bench = start().await;
    let (one, two) = (bench.admin().await, bench.admin().await);
    one.lock(&Datastore::Startup).await.unwrap();
    let filter =
        "<netconf-state xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring\"><datastores/></netconf-state>";
    let state = two.get(&Filter::Subtree(filter.into()).into()).await.unwrap();
    let (_, startup) = state.text().split_once("<name>startup</name>").expect("startup is listed");
    assert!(startup.contains(&format!("<locked-by-session>{}<", one.id())), "{startup}");
    for refused in
        [two.copy_config(&Datastore::Startup, &Datastore::Running).await, two.delete_config(&Datastore::Startup).await]
    {
        assert_eq!(tag(refused.unwrap_err()).0, ErrorTag::InUse);
    }
    assert_eq!(tag(two.lock(&Datastore::Startup).await.unwrap_err()).0, ErrorTag::LockDenied);
    one.delete_config(&Datastore::Startup).await.unwrap();
    one.unlock(&Datastore::Startup).await.unwrap();
    two.copy_config(&Datastore::Startup, &Datastore::Running).await.unwrap();
}

#[tokio::test]
async fn startup_is_valid_and_its_changes_are_told() {
    let bench = start().await;
    let (listener, mut events) = bench.session("admin").await;
    listener.create_subscription(&CreateSubscription::default()).await.unwrap();
    let session = bench.admin().await;
    // RFC 7950 section 8.3.3: an entry without its mandatory leaf can stand in candidate only.
    let rule = "<servers xmlns=\"urn:fixture\"><rule><id>1</id><sub>s</sub></rule></servers>";
    session.replace_config(&Datastore::Candidate, rule).await.unwrap();
    for refused in [
        session.replace_config(&Datastore::Startup, rule).await,
        session.copy_config(&Datastore::Startup, &Datastore::Candidate).await,
    ] {
        assert_eq!(tag(refused.unwrap_err()).0, ErrorTag::DataMissing);
    }
    assert_eq!(content(&session, Datastore::Startup).await, "");
    session.replace_config(&Datastore::Startup, &name("inline")).await.unwrap();
    let change = loop {
        let next = tokio::time::timeout(Duration::from_secs(10), events.next()).await.expect("an event");
        let Some(NotificationEvent::Received(event)) = next else { panic!("the subscription has ended") };
        if event.text().contains("netconf-config-change") {
            break event.text().to_owned();
        }
    };
    assert!(change.contains("<datastore>startup</datastore>") && change.contains(">/fixture:system<"), "{change}");
}

/// What a device begins with is made of values, without the defaults that an edit brings along.
#[tokio::test]
async fn the_first_configuration_has_its_defaults() {
    #[derive(serde::Serialize)]
    struct Server {
        name: String,
    }
    let bench = start().await;
    let schema = bench.server.shared().schema.clone();
    let initial = tree_at(&schema, "/fixture:servers/server[name='a']", &Server { name: "a".into() }).unwrap();
    assert_eq!(initial.value("/fixture:servers/server[name='a']/port"), None);
    let directory = tempfile::tempdir().unwrap();
    let state = crate::server::record::StateDirectory::open(directory.path()).unwrap();
    let datastores = crate::server::core::Datastores::open(schema, &state, &initial, Boot::Running).unwrap();
    let running = &datastores.version().running;
    assert_eq!(running.value("/fixture:servers/server[name='a']/port").unwrap().text(), "22");
    assert_eq!(running.value("/fixture:system/mtu").unwrap().text(), "1500");
}
