//! What reaches the provider and comes from it, and what access control makes of it.

use super::*;

#[tokio::test]
async fn operations_and_actions_reach_the_provider() {
    let bench = start().await;
    let (session, mut notifications) = bench.session("admin").await;
    session.create_subscription(&CreateSubscription::default()).await.unwrap();
    let again = session.create_subscription(&CreateSubscription::default()).await.unwrap_err();
    assert_eq!(tag(again).0, ErrorTag::OperationFailed);
    // As ncclient has it: the filter in the base namespace.
    let (other, mut filtered) = bench.session("admin").await;
    let subscribe = "<create-subscription xmlns=\"urn:ietf:params:xml:ns:netconf:notification:1.0\"><filter \
                     xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" type=\"subtree\"><started \
                     xmlns=\"urn:fixture\"/></filter></create-subscription>";
    other.rpc(subscribe).await.unwrap();
    let reply = session.rpc("<restart xmlns=\"urn:fixture\"><reason>r</reason></restart>").await.unwrap();
    assert!(reply.text().contains("<job xmlns=\"urn:fixture\">admin r 5</job>"), "{}", reply.text());
    let event = loop {
        let Some(NotificationEvent::Received(event)) = notifications.next().await else { panic!() };
        if !event.text().contains("netconf-session-start") {
            break event;
        }
    };
    assert!(event.text().contains("<started xmlns=\"urn:fixture\"><job>admin r 5</job></started>"), "{}", event.text());
    let Some(NotificationEvent::Received(only)) = filtered.next().await else { panic!() };
    assert!(only.text().contains("<started "), "{}", only.text());
    let action = "<action xmlns=\"urn:ietf:params:xml:ns:yang:1\"><jobs xmlns=\"urn:actions\"><job><name>x</name>\
                  <run><times>3</times></run></job></jobs></action>";
    let reply = session.rpc(action).await.unwrap();
    assert!(reply.text().contains("<done xmlns=\"urn:actions\">3</done>"), "{}", reply.text());
    for (operation, expected) in [
        ("<restart xmlns=\"urn:fixture\"/>", ErrorTag::MissingElement),
        ("<restart xmlns=\"urn:fixture\"><reason>r</reason><x/></restart>", ErrorTag::UnknownElement),
        ("<restart xmlns=\"urn:fixture\"><reason>r</reason><delay>x</delay></restart>", ErrorTag::InvalidValue),
        ("<nope xmlns=\"urn:fixture\"/>", ErrorTag::OperationNotSupported),
        ("<nope xmlns=\"urn:nobody\"/>", ErrorTag::UnknownNamespace),
        ("<delete-config><target><running/></target></delete-config>", ErrorTag::UnknownElement),
        ("<delete-config><target><candidate/></target></delete-config>", ErrorTag::UnknownElement),
        ("<get><bogus/></get>", ErrorTag::UnknownElement),
        ("<get-config/>", ErrorTag::MissingElement),
        ("<get-config><source/></get-config>", ErrorTag::MissingElement),
        ("<get-config><source><backup/></source></get-config>", ErrorTag::UnknownElement),
        ("<edit-config><target><startup/></target><config/></edit-config>", ErrorTag::UnknownElement),
        ("<edit-config><target><running/></target></edit-config>", ErrorTag::MissingElement),
        ("<get><filter type=\"bogus\"/></get>", ErrorTag::BadAttribute),
        ("<kill-session><session-id>x</session-id></kill-session>", ErrorTag::InvalidValue),
    ] {
        let error = session.rpc(operation).await.expect_err(operation);
        assert_eq!(tag(error).0, expected, "{operation}");
    }
}

#[tokio::test]
async fn get_joins_configuration_and_state() {
    let bench = start().await;
    let session = bench.admin().await;
    set(&session, Datastore::Running, &name("g")).await.unwrap();
    let filter = || Filter::Subtree("<system xmlns=\"urn:fixture\"><name/><uptime/><mtu/></system>".into());
    let reply = session.get(&filter().into()).await.unwrap();
    assert!(reply.text().contains("<name>g</name><uptime>7</uptime>"), "{}", reply.text());
    let options = client::Options { filter: Some(filter()), with_defaults: Some("report-all") };
    let reply = session.get(&options).await.unwrap();
    assert!(reply.text().contains("<name>g</name><mtu>1500</mtu><uptime>7</uptime>"), "{}", reply.text());
}

#[tokio::test]
async fn access_control_guards_operations_data_and_events() {
    let bench = start().await;
    let admin = bench.admin().await;
    set(
        &admin,
        Datastore::Running,
        "<nacm xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-acm\"><groups><group><name>ops</name>\
         <user-name>bob</user-name></group></groups><rule-list><name>ops</name><group>ops</group>\
         <rule><name>names</name><path xmlns:f=\"urn:fixture\">/f:system/f:name</path>\
         <access-operations>*</access-operations><action>permit</action></rule>\
         <rule><name>no-restart</name><module-name>fixture</module-name><rpc-name>restart</rpc-name>\
         <access-operations>exec</access-operations><action>deny</action></rule></rule-list></nacm>",
    )
    .await
    .unwrap();
    let bob = bench.admin().await;
    drop(bob);
    let bob = bench.session("bob").await.0;
    set(&bob, Datastore::Running, &name("mine")).await.unwrap();
    let mtu = "<system xmlns=\"urn:fixture\"><mtu>1000</mtu></system>";
    let client::Error::Rpc(errors) = set(&bob, Datastore::Running, mtu).await.unwrap_err() else { panic!() };
    assert_eq!(errors[0].tag, ErrorTag::AccessDenied);
    assert_eq!(errors[0].path.as_ref().unwrap().text, "/fixture:system/fixture:mtu");
    let restart = "<restart xmlns=\"urn:fixture\"><reason>r</reason></restart>";
    assert_eq!(tag(bob.rpc(restart).await.unwrap_err()).0, ErrorTag::AccessDenied);
    assert_eq!(tag(bob.kill_session(admin.id()).await.unwrap_err()).0, ErrorTag::AccessDenied);
    let secret = "<system xmlns=\"urn:fixture\"><secret>s</secret></system>";
    set(&admin, Datastore::Running, secret).await.unwrap();
    assert!(running(&admin).await.contains("secret"));
    let seen = running(&bob).await;
    assert!(seen.contains("mine") && !seen.contains("secret"), "{seen}");
    bob.close().await.unwrap();
}
