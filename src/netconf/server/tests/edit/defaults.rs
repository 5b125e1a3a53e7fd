//! Defaults as RFC 6243 has them read and edited: appendix A on the garden, and section 4.5.2.

use super::*;

async fn with_defaults(garden: &Garden, mode: &'static str) -> String {
    let filter = Filter::Subtree(in_garden("<bed/>"));
    let options = client::Options { filter: Some(filter), with_defaults: Some(mode) };
    let reply = garden.session.get_config(&Datastore::Running, &options).await.unwrap();
    let text = reply.text();
    let (_, beds) = text.split_once("<garden xmlns=\"urn:garden\"").unwrap_or_else(|| panic!("{text}"));
    let (_, beds) = beds.split_once('>').unwrap();
    beds.split_once("</garden>").unwrap().0.replace(" xmlns:wd=\"urn:ietf:params:xml:ns:netconf:default:1.0\"", "")
}

/// RFC 6243 appendix A: set by the client to another value, not set, and set by the client to the default.
#[tokio::test]
async fn the_four_modes_of_appendix_a() {
    let garden = garden().await;
    garden
        .merge(
            "<bed><name>0</name><depth>82</depth></bed><bed><name>1</name></bed>\
             <bed><name>2</name><depth>90</depth></bed><bed><name>3</name><depth>30</depth></bed>",
        )
        .await;
    let bed = |name: u8, depth: &str| format!("<bed><name>{name}</name>{depth}</bed>");
    let all = |second: &str, fourth: &str| {
        [bed(0, "<depth>82</depth>"), bed(1, second), bed(2, "<depth>90</depth>"), bed(3, fourth)].concat()
    };
    let tagged = "<depth wd:default=\"true\">30</depth>";
    assert_eq!(with_defaults(&garden, "report-all").await, all("<depth>30</depth>", "<depth>30</depth>"));
    assert_eq!(with_defaults(&garden, "report-all-tagged").await, all(tagged, tagged));
    assert_eq!(with_defaults(&garden, "trim").await, all("", ""));
    assert_eq!(with_defaults(&garden, "explicit").await, all("", "<depth>30</depth>"));
    let bad = garden.session.rpc(
        "<get-config><source><running/></source><with-defaults \
         xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults\">some</with-defaults></get-config>",
    );
    assert_eq!(errors_of(bad.await)[0].tag, ErrorTag::InvalidValue);
    // In the basic mode that the server announces.
    assert!(garden.session.capabilities().iter().any(|c| c.contains("with-defaults:1.0?basic-mode=explicit")));
}

/// RFC 6243 sections 2.3 and 4.5.2: in explicit mode a default that is not set can be created, and cannot be deleted.
#[tokio::test]
async fn what_is_only_a_default_is_not_there_to_edit() {
    let garden = garden().await;
    assert_eq!(garden.refused("<width nc:operation=\"delete\"/>").await.tag, ErrorTag::DataMissing);
    assert_eq!(garden.merge("<width nc:operation=\"create\">1500</width>").await, "<width>1500</width>");
    assert_eq!(garden.refused("<width nc:operation=\"create\">1500</width>").await.tag, ErrorTag::DataExists);
    assert_eq!(garden.merge("<width nc:operation=\"delete\"/>").await, "");
    // RFC 7950 section 7.7.2: a leaf-list has its defaults or its values.
    assert_eq!(garden.refused("<colour nc:operation=\"delete\">red</colour>").await.tag, ErrorTag::DataMissing);
    assert_eq!(garden.merge("<colour>blue</colour>").await, "<colour>blue</colour>");
    let options = client::Options { filter: None, with_defaults: Some("report-all") };
    let colours = || async {
        let reply = garden.session.get_config(&Datastore::Running, &options).await.unwrap();
        ["red", "green", "blue"].map(|c| reply.text().contains(&format!(">{c}<")))
    };
    assert_eq!(colours().await, [false, false, true]);
    assert_eq!(garden.merge("<colour nc:operation=\"delete\">blue</colour>").await, "");
    assert_eq!(colours().await, [true, true, false]);
}

/// RFC 6243 section 4.5.2: `wd:default` asks for the default itself, and must come with its value.
#[tokio::test]
async fn the_default_attribute_takes_a_node_back_to_its_default() {
    let garden = garden().await;
    garden.merge("<width>20</width><colour>blue</colour><pump><rate>1</rate></pump>").await;
    assert_eq!(
        garden.merge("<width wd:default=\"true\">1500</width>").await,
        "<pump><rate>1</rate></pump><colour>blue</colour>"
    );
    let colours = "<colour wd:default=\"true\">red</colour><colour wd:default=\"1\">green</colour>";
    assert_eq!(garden.merge(colours).await, "<pump><rate>1</rate></pump>");
    assert_eq!(
        garden.merge("<width wd:default=\"false\">1500</width>").await,
        "<width>1500</width><pump><rate>1</rate></pump>"
    );
    assert_eq!(
        garden.merge("<width nc:operation=\"replace\" wd:default=\"true\">1500</width>").await,
        "<pump><rate>1</rate></pump>"
    );
    for (body, tag) in [
        ("<width wd:default=\"true\">20</width>", ErrorTag::InvalidValue),
        ("<width wd:default=\"true\"/>", ErrorTag::InvalidValue),
        ("<owner wd:default=\"true\">me</owner>", ErrorTag::InvalidValue),
        ("<colour wd:default=\"true\">blue</colour>", ErrorTag::InvalidValue),
        ("<width wd:default=\"perhaps\">1500</width>", ErrorTag::BadAttribute),
        ("<shed wd:default=\"true\"/>", ErrorTag::UnknownAttribute),
    ] {
        assert_eq!(garden.refused(body).await.tag, tag, "{body}");
    }
    // What report-all-tagged shows can be copied back, and leaves the same behind.
    let options =
        client::Options { filter: Some(Filter::Subtree(in_garden(""))), with_defaults: Some("report-all-tagged") };
    let reply = garden.session.get_config(&Datastore::Running, &options).await.unwrap();
    let document = reply.document().unwrap();
    let mut config = Vec::new();
    client::data(&document).unwrap().children().for_each(|child| child.write(&mut config));
    let config = String::from_utf8(config).unwrap();
    assert!(config.contains("default=\"true\">1500<"), "{config}");
    garden.session.replace_config(&Datastore::Running, &config).await.unwrap();
    assert_eq!(garden.shown().await, "<pump><rate>1</rate></pump>");
}
