//! copy-config, delete-config and validate between datastores and inline configuration (RFC 6241 sections 7.3, 7.4, 8.6).

use super::*;

fn with_name(value: &str) -> String {
    format!("<system xmlns=\"urn:fixture\"><name>{value}</name></system>")
}

const ALL: [Datastore; 3] = [Datastore::Running, Datastore::Candidate, Datastore::Startup];

#[tokio::test]
async fn every_datastore_is_copied_to_every_other() {
    let bench = start().await;
    let session = bench.admin().await;
    for (from, source) in ALL.into_iter().enumerate() {
        for (to, target) in ALL.into_iter().enumerate() {
            if source == target {
                let error = session.copy_config(&target, &source).await.unwrap_err();
                assert_eq!(tag(error).0, ErrorTag::InvalidValue, "{source:?}");
                continue;
            }
            // What was there goes: a copy is no merge.
            let value = format!("from-{from}-to-{to}");
            session.replace_config(&target, "<system xmlns=\"urn:fixture\"><mtu>99</mtu></system>").await.unwrap();
            session.replace_config(&source, &name(&value)).await.unwrap();
            session.copy_config(&target, &source).await.unwrap();
            assert_eq!(content(&session, target.clone()).await, with_name(&value), "{source:?} to {target:?}");
        }
    }
}

#[tokio::test]
async fn a_locked_target_is_in_use_and_a_locked_source_is_not() {
    let bench = start().await;
    let (one, two) = (bench.admin().await, bench.admin().await);
    for locked in ALL {
        one.lock(&locked).await.unwrap();
        assert_eq!(tag(two.replace_config(&locked, "").await.unwrap_err()).0, ErrorTag::InUse, "{locked:?}");
        let other = if locked == Datastore::Startup { Datastore::Running } else { Datastore::Startup };
        two.copy_config(&other, &locked).await.unwrap();
        one.unlock(&locked).await.unwrap();
    }
}

#[tokio::test]
async fn what_an_operation_does_not_have_is_unknown() {
    let bench = start().await;
    let session = bench.admin().await;
    for operation in [
        "<delete-config><target><running/></target></delete-config>",
        "<delete-config><target><candidate/></target></delete-config>",
        "<delete-config><target><config/></target></delete-config>",
        "<copy-config><target><config/></target><source><running/></source></copy-config>",
        "<edit-config><target><startup/></target><config/></edit-config>",
        "<lock><target><config/></target></lock>",
        "<get-config><source><config/></source></get-config>",
        "<validate><source><operational/></source></validate>",
    ] {
        assert_eq!(tag(session.rpc(operation).await.expect_err(operation)).0, ErrorTag::UnknownElement, "{operation}");
    }
    let two = "<copy-config><target><startup/><candidate/></target><source><running/></source></copy-config>";
    assert_eq!(tag(session.rpc(two).await.unwrap_err()).0, ErrorTag::BadElement);
    let none = "<copy-config><target><startup/></target></copy-config>";
    assert_eq!(tag(session.rpc(none).await.unwrap_err()).0, ErrorTag::MissingElement);
}

/// RFC 6243 section 4.5.1: the parameter says what is reported, so it shapes what goes to a URL and no datastore.
#[tokio::test]
async fn with_defaults_shapes_what_is_told() {
    let files = tempfile::tempdir().unwrap();
    let urls = UrlOptions { dir: Some(files.path().into()), ..UrlOptions::default() };
    let bench = start_with(tempfile::tempdir().unwrap(), Options { urls, ..Options::default() }).await;
    let session = bench.admin().await;
    let config = "<system xmlns=\"urn:fixture\"><name>n</name><mtu>1500</mtu></system>";
    set(&session, Datastore::Running, config).await.unwrap();
    let file = Datastore::Url("file:///a.xml".into());
    for (mode, has, has_not) in [
        ("explicit", "<mtu>1500</mtu>", "<mode>"),
        ("trim", "<name>n</name>", "<mtu>"),
        ("report-all", "<mode>slow</mode>", "wd:default"),
        ("report-all-tagged", "default=\"true\"", "<mtu>x"),
    ] {
        session.copy_config_with_defaults(&file, &Datastore::Running, mode).await.unwrap();
        let told = std::fs::read_to_string(files.path().join("a.xml")).unwrap();
        assert!(told.contains(has) && !told.contains(has_not), "{mode}: {told}");
        // Each of them leads back to a datastore that is worth the same.
        session.copy_config(&Datastore::Candidate, &file).await.unwrap();
        session.validate(&Datastore::Candidate).await.unwrap();
    }
    session.copy_config_with_defaults(&Datastore::Startup, &Datastore::Running, "trim").await.unwrap();
    assert_eq!(content(&session, Datastore::Startup).await, config);
    let error = session.copy_config_with_defaults(&file, &Datastore::Running, "some").await.unwrap_err();
    assert_eq!(tag(error).0, ErrorTag::InvalidValue);
}

#[tokio::test]
async fn inline_configuration_is_validated_as_a_whole() {
    let bench = start().await;
    let session = bench.admin().await;
    session.validate_config(&name("fine")).await.unwrap();
    for (config, expected) in [
        ("<servers xmlns=\"urn:fixture\"><rule><id>1</id><sub>s</sub></rule></servers>", ErrorTag::DataMissing),
        ("<system xmlns=\"urn:fixture\"><mtu>1</mtu></system>", ErrorTag::InvalidValue),
        ("<system xmlns=\"urn:fixture\"><name>bad</name></system>", ErrorTag::InvalidValue),
    ] {
        assert_eq!(tag(session.validate_config(config).await.unwrap_err()).0, expected, "{config}");
    }
    for datastore in ALL {
        session.validate(&datastore).await.unwrap();
    }
    assert_eq!(running(&session).await, "");
}
