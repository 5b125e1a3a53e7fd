//! :xpath (RFC 6241 section 8.9), as a client meets it.

use super::*;
use crate::capability::XPATH;
use crate::error::ErrorInfo;

const CONFIG: &str = "<system xmlns=\"urn:fixture\"><name>box</name><secret>s</secret><tag>x</tag><tag>y</tag></system>\
    <servers xmlns=\"urn:fixture\"><server><name>a</name><address>10.0.0.1</address></server>\
    <server><name>b</name><address>10.0.0.2</address><port>80</port><weight>3</weight></server>\
    <rule><id>2</id><sub>y</sub><action>keep</action></rule><rule><id>1</id><sub>z</sub><action>drop</action></rule></servers>";

async fn configured() -> (Bench, Session) {
    let bench = start().await;
    let session = bench.admin().await;
    set(&session, Datastore::Running, CONFIG).await.unwrap();
    (bench, session)
}

fn filter(select: &str) -> client::Options {
    Filter::XPath { select: select.into(), namespaces: vec![("f".into(), "urn:fixture".into())] }.into()
}

fn inside(reply: &client::Reply) -> String {
    let (_, data) = reply.text().split_once("<data").expect("the reply has data");
    let (_, data) = data.split_once('>').expect("a start tag ends");
    data.rsplit_once("</data>").map_or("", |(data, _)| data).to_owned()
}

async fn select(session: &Session, expression: &str) -> String {
    inside(&session.get_config(&Datastore::Running, &filter(expression)).await.unwrap())
}

/// Section 8.9.5.1: one entry of a list by its key, with the nodes around it.
#[tokio::test]
async fn the_example_of_the_rfc() {
    let (bench, session) = configured().await;
    assert!(session.capabilities().has(XPATH));
    assert!(
        bench
            .server
            .shared()
            .schema
            .modules()
            .iter()
            .any(|m| m.name == "ietf-netconf" && m.features.iter().any(|f| f == "xpath"))
    );
    let found = select(&session, "/f:servers/f:server[f:name='b']").await;
    assert_eq!(
        found,
        "<servers xmlns=\"urn:fixture\"><server><name>b</name><address>10.0.0.2</address><port>80</port>\
         <weight>3</weight></server></servers>"
    );
}

#[tokio::test]
async fn what_is_selected_comes_with_its_ancestors_and_keys() {
    let (_bench, session) = configured().await;
    let servers = |inside: &str| format!("<servers xmlns=\"urn:fixture\">{inside}</servers>");
    for (expression, expected) in [
        ("//f:weight", servers("<server><name>b</name><weight>3</weight></server>")),
        ("/f:servers/f:server/f:name", servers("<server><name>a</name></server><server><name>b</name></server>")),
        // Each instance once, in the order of the data, whatever the expression's.
        (
            "//f:server[f:name='b']/f:port | //f:server/f:port | //f:rule[1]",
            servers(
                "<server><name>b</name><port>80</port></server><rule><id>2</id><sub>y</sub><action>keep</action></rule>",
            ),
        ),
        ("//f:action[. = 'drop']/..", servers("<rule><id>1</id><sub>z</sub><action>drop</action></rule>")),
        ("/f:system/f:tag[2]", "<system xmlns=\"urn:fixture\"><tag>y</tag></system>".into()),
        // Defaults exist for the expression (RFC 7950 section 6.4.1), and are left out of the reply (RFC 6243 section 3.3).
        ("//f:server[f:port=22]/f:address", servers("<server><name>a</name><address>10.0.0.1</address></server>")),
        ("/f:system/f:mtu", String::new()),
        ("/f:nowhere", String::new()),
        (
            "/fixture:system/fixture:name | /system/name",
            "<system xmlns=\"urn:fixture\"><name>box</name></system>".into(),
        ),
    ] {
        assert_eq!(select(&session, expression).await, expected, "{expression}");
    }
    let all = select(&session, "/").await;
    assert_eq!(all, inside(&session.get_config(&Datastore::Running, &client::Options::default()).await.unwrap()));
    let defaults = client::Options { with_defaults: Some("report-all"), ..filter("/f:system/f:mtu") };
    let reported = session.get_config(&Datastore::Running, &defaults).await.unwrap();
    assert_eq!(inside(&reported), "<system xmlns=\"urn:fixture\"><mtu>1500</mtu></system>");
}

#[tokio::test]
async fn state_is_there_for_get_only() {
    let (_bench, session) = configured().await;
    let uptime = filter("/f:system[f:uptime > 6]/f:uptime");
    let state = session.get(&uptime).await.unwrap();
    assert_eq!(inside(&state), "<system xmlns=\"urn:fixture\"><uptime>7</uptime></system>");
    assert_eq!(inside(&session.get_config(&Datastore::Running, &uptime).await.unwrap()), "");
    // The server's own state as well.
    let running = "/ietf-netconf-monitoring:netconf-state/*/*[name = 'running']/name";
    assert!(session.get(&filter(running)).await.unwrap().text().contains("<name>running</name>"));
}

/// RFC 8341 section 3.2.4: a filter must not tell of what may not be read.
#[tokio::test]
async fn what_may_not_be_read_does_not_exist() {
    let (bench, admin) = configured().await;
    let (guest, _) = bench.session("guest").await;
    for expression in ["/f:system/f:secret", "/f:system[f:secret = 's']/f:name", "//f:name[../f:secret]"] {
        assert!(select(&admin, expression).await.contains("<system"), "{expression}");
        assert_eq!(select(&guest, expression).await, "", "{expression}");
    }
    assert!(select(&guest, "//f:name[not(../f:secret)]").await.contains("<name>box</name>"));
}

#[tokio::test]
async fn events_pass_an_expression_that_selects_something_of_them() {
    let (bench, session) = configured().await;
    let (listener, mut notifications) = bench.session("admin").await;
    let filter = filter("/f:started[contains(f:job, 'wanted')]").filter;
    listener.create_subscription(&client::CreateSubscription { filter, ..Default::default() }).await.unwrap();
    for reason in ["other", "wanted"] {
        session.rpc(&format!("<restart xmlns=\"urn:fixture\"><reason>{reason}</reason></restart>")).await.unwrap();
    }
    let next = tokio::time::timeout(Duration::from_secs(20), notifications.next()).await.expect("an event passes");
    let Some(client::NotificationEvent::Received(message)) = next else { panic!("{next:?}") };
    assert!(message.text().contains("wanted"), "{}", message.text());
}

#[tokio::test]
async fn wrong_filters_are_refused() {
    let (_bench, session) = configured().await;
    let nested = format!("{}1{}", "(".repeat(100), ")".repeat(100));
    for (select, tag) in [
        ("/f:system[", ErrorTag::BadAttribute),
        ("/g:system", ErrorTag::BadAttribute),
        ("count(//f:server)", ErrorTag::InvalidValue),
        ("'text'", ErrorTag::InvalidValue),
        ("//f:name[re-match(., '[')]", ErrorTag::InvalidValue),
        (nested.as_str(), ErrorTag::TooBig),
    ] {
        let error = session.get_config(&Datastore::Running, &filter(select)).await.unwrap_err();
        let first = &error.rpc_errors()[0];
        assert_eq!(first.tag, tag, "{select}: {first}");
        if tag == ErrorTag::BadAttribute {
            assert!(first.info.contains(&ErrorInfo::BadAttribute("select".into())), "{first:?}");
        }
    }
    let missing = session.rpc("<get><filter type=\"xpath\"/></get>").await.unwrap_err();
    assert_eq!(tag(missing), (ErrorTag::MissingAttribute, None));
    let content = session.rpc("<get><filter type=\"xpath\" select=\"/\"><x/></filter></get>").await.unwrap_err();
    assert_eq!(tag(content), (ErrorTag::BadElement, None));
}
