//! Edits as a client sends them: the examples of RFC 6241 sections 7.2, 8.5 and 8.6 and RFC 7950 section 7, on a module of
//! our own.

use super::*;

mod defaults;
mod errors;
mod instances;
mod nodes;
mod rights;

const GARDEN: Source = Source {
    name: "garden",
    revision: None,
    text: r#"module garden {
  yang-version 1.1; namespace urn:garden; prefix g;
  feature drip; feature frost;
  identity tool; identity spade { base tool; } identity rake { base tool; }
  container garden {
    leaf owner { type string { length 1..12 { error-app-tag name-length; error-message "A name has up to 12 letters."; } } }
    leaf width { type uint16 { range 1..9000; } default 1500; }
    leaf drip { if-feature drip; type uint8; }
    leaf frost { if-feature frost; type uint8; }
    leaf pond { type string; }
    leaf fence { type string; }
    container pump { presence "It pumps."; leaf rate { type uint16; default 7; } }
    container shed { leaf lock { type string; } leaf door { type string; default oak; } }
    leaf-list guest { ordered-by user; type string; }
    leaf-list label { type string; }
    leaf-list colour { type string; default red; default green; }
    leaf-list reach { ordered-by user; type identityref { base tool; } }
    list bed {
      key name;
      leaf name { type string; }
      leaf depth { type uint8; default 30; }
      container soil { leaf kind { type string; } list layer { key at; leaf at { type uint8; } leaf of { type string; } } }
    }
    list turn {
      key "first last"; ordered-by user;
      leaf first { type string; } leaf last { type string; } leaf kind { type string; } leaf full { type string; }
    }
    choice feed {
      container water { presence "Watered."; leaf litres { type uint8; } }
      case dry { container mix { leaf bag { type string; } leaf grams { type uint16; default 5; } } leaf scoop { type uint8; } }
      case hand { choice which { leaf left { type empty; } leaf right { type empty; } } }
    }
    anydata memo;
    anyxml sketch;
    leaf age { config false; type uint8; }
  }
  container rule {
    list tree { key name; unique "row place"; leaf name { type string; } leaf row { type uint8; } leaf place { type uint8; } }
    leaf-list two { type uint8; max-elements 2; }
    container least { presence "At least one."; leaf-list one { type uint8; min-elements 1; } }
    leaf low { type uint8; } leaf high { type uint8;
      must ". > ../low" { error-message "High is above low."; error-app-tag above-low; } }
    leaf best { type leafref { path "../tree/name"; } }
    container need { presence "Needs one."; choice which { mandatory true; leaf this { type empty; } leaf that { type empty; } } }
    container must-have { presence "Has it."; leaf it { type string; mandatory true; } }
    leaf hot { type boolean; } leaf glove { when "../hot = 'true'"; type string; }
  }
}"#,
};

const DEVIATIONS: Source = Source {
    name: "garden-deviations",
    revision: None,
    text: "module garden-deviations { yang-version 1.1; namespace urn:garden-deviations; prefix gd; import garden { prefix g; }
  deviation /g:garden/g:pond { deviate not-supported; }
  deviation /g:garden/g:fence { deviate replace { type uint8; } deviate add { default 2; } } }",
};

/// A server of the garden, and an administrator's session with it.
struct Garden {
    session: Session,
    bench: Bench,
}

async fn garden() -> Garden {
    let builder = base_modules(Schema::builder()).sources([fixture::MODULE, GARDEN, DEVIATIONS]);
    let builder = builder.module("fixture", None, &[]).module("garden", None, &["drip"]);
    let schema = builder.module("garden-deviations", None, &[]).build().unwrap();
    let bench = start_on(tempfile::tempdir().unwrap(), schema, Options::default()).await;
    Garden { session: bench.admin().await, bench }
}

const PREFIXES: &str = "xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\" xmlns:yang=\"urn:ietf:params:xml:ns:yang:1\" \
     xmlns:wd=\"urn:ietf:params:xml:ns:netconf:default:1.0\" xmlns:g=\"urn:garden\"";

fn in_garden(body: &str) -> String {
    format!("<garden xmlns=\"urn:garden\" {PREFIXES}>{body}</garden>")
}

fn in_rule(body: &str) -> String {
    format!("<rule xmlns=\"urn:garden\" {PREFIXES}>{body}</rule>")
}

fn errors_of<T: std::fmt::Debug>(done: Result<T, client::Error>) -> Vec<RpcError> {
    match done {
        Err(client::Error::Rpc(errors)) => errors.to_vec(),
        other => panic!("no rpc-error: {other:?}"),
    }
}

impl Garden {
    async fn send(&self, edit: EditConfig) -> Result<(), client::Error> {
        self.session.edit_config(&edit).await.map(|_| ())
    }

    /// Merges into `<garden>`, and tells what is there then.
    async fn merge(&self, body: &str) -> String {
        if let Err(error) = self.send(EditConfig::new(Datastore::Running, in_garden(body))).await {
            panic!("{body}: {error}");
        }
        self.shown().await
    }

    /// The one error of a merge into `<garden>`; nothing has changed.
    async fn refused(&self, body: &str) -> RpcError {
        let before = self.shown().await;
        let errors = errors_of(self.send(EditConfig::new(Datastore::Running, in_garden(body))).await);
        assert_eq!(errors.len(), 1, "{body}: {errors:?}");
        assert_eq!(self.shown().await, before, "{body}");
        errors.into_iter().next().unwrap()
    }

    /// Running without what is around the garden's nodes.
    async fn shown(&self) -> String {
        let text = running(&self.session).await;
        let text = text.strip_prefix("<garden xmlns=\"urn:garden\">").unwrap_or(&text);
        text.strip_suffix("</garden>").unwrap_or(text).to_owned()
    }
}

/// RFC 6241 section 7.2, the first example: a leaf of a named entry is merged, and what is beside it stays.
#[tokio::test]
async fn a_leaf_is_merged_into_an_entry() {
    let garden = garden().await;
    garden.merge("<bed><name>a</name><soil><kind>clay</kind></soil></bed>").await;
    let shown = garden.merge("<bed><name>a</name><depth>50</depth></bed>").await;
    assert_eq!(shown, "<bed><name>a</name><depth>50</depth><soil><kind>clay</kind></soil></bed>");
}

/// The second: an entry is replaced by what is given, whatever it held.
#[tokio::test]
async fn an_entry_is_replaced_as_a_whole() {
    let garden = garden().await;
    let whole = "<bed nc:operation=\"replace\"><name>a</name><depth>50</depth><soil><kind>sand</kind></soil></bed>";
    let expected = "<bed><name>a</name><depth>50</depth><soil><kind>sand</kind></soil></bed>";
    assert_eq!(garden.merge(whole).await, expected);
    garden.merge("<bed><name>a</name><soil><layer><at>1</at><of>turf</of></layer></soil></bed>").await;
    assert_eq!(garden.merge(whole).await, expected);
    // A replaced node can itself hold other operations; nothing of before is there for them.
    let error = garden.refused("<shed nc:operation=\"replace\"><lock nc:operation=\"delete\"/></shed>").await;
    assert_eq!(error.tag, ErrorTag::DataMissing);
}

/// The third and fourth: with default-operation none only what says so changes, deep down too.
#[tokio::test]
async fn with_default_operation_none_only_the_named_is_deleted() {
    let garden = garden().await;
    garden
        .merge(
            "<bed><name>a</name><soil><kind>clay</kind><layer><at>1</at></layer><layer><at>2</at></layer></soil></bed>\
             <bed><name>b</name></bed>",
        )
        .await;
    let none = |body: &str| EditConfig::new(Datastore::Running, in_garden(body)).default_operation("none");
    let layer = "<bed><name>a</name><soil><layer nc:operation=\"delete\"><at>1</at></layer></soil></bed>";
    garden.send(none(layer)).await.unwrap();
    assert_eq!(
        garden.shown().await,
        "<bed><name>a</name><soil><kind>clay</kind><layer><at>2</at></layer></soil></bed><bed><name>b</name></bed>"
    );
    garden.send(none("<bed nc:operation=\"delete\"><name>a</name></bed>")).await.unwrap();
    assert_eq!(garden.shown().await, "<bed><name>b</name></bed>");
    // What is only on the way must be there, and is left as it is.
    for (body, path) in [
        (layer, "/garden:garden/garden:bed[garden:name='a']"),
        ("<pump><rate nc:operation=\"create\">1</rate></pump>", "/garden:garden/garden:pump"),
        ("<owner>x</owner>", "/garden:garden/garden:owner"),
        ("<guest>x</guest>", "/garden:garden/garden:guest[.='x']"),
        ("<memo/>", "/garden:garden/garden:memo"),
    ] {
        let errors = errors_of(garden.send(none(body)).await);
        assert_eq!((errors.len(), errors[0].tag), (1, ErrorTag::DataMissing), "{body}");
        assert_eq!(errors[0].path.as_ref().unwrap().text, path);
    }
    garden.send(none("<bed><name>b</name><depth nc:operation=\"merge\">9</depth></bed>")).await.unwrap();
    garden.send(none("<bed><name>b</name><depth>77</depth></bed>")).await.unwrap();
    assert_eq!(garden.shown().await, "<bed><name>b</name><depth>9</depth></bed>");
}

/// RFC 6241 section 7.2, default-operation replace: the datastore holds what is sent, and no more.
#[tokio::test]
async fn default_operation_replace_is_of_the_whole_datastore() {
    let garden = garden().await;
    garden.merge("<owner>me</owner><bed><name>a</name></bed>").await;
    garden
        .session
        .edit_config(&EditConfig::new(Datastore::Running, in_rule("<low>1</low>")).default_operation("replace"))
        .await
        .unwrap();
    assert_eq!(garden.shown().await, "<rule xmlns=\"urn:garden\"><low>1</low></rule>");
}

/// RFC 6241 sections 7.2, 8.5 and 8.6: what becomes of the rest where one part is wrong.
#[tokio::test]
async fn options_tell_what_happens_on_errors() {
    let garden = garden().await;
    let body =
        in_garden("<owner>me</owner><width>0</width><bed nc:operation=\"delete\"><name>z</name></bed><drip>3</drip>");
    let edit = || EditConfig::new(Datastore::Running, &body);
    for option in ["stop-on-error", "rollback-on-error"] {
        let errors = errors_of(garden.send(edit().error_option(option)).await);
        let found: Vec<_> = errors.iter().map(|e| (e.tag, e.path.as_ref().unwrap().text.as_str())).collect();
        assert_eq!(
            found,
            [
                (ErrorTag::InvalidValue, "/garden:garden/garden:width"),
                (ErrorTag::DataMissing, "/garden:garden/garden:bed[garden:name='z']")
            ]
        );
        assert_eq!(garden.shown().await, "");
    }
    let errors = errors_of(garden.send(edit().error_option("continue-on-error")).await);
    assert_eq!(errors.len(), 2);
    assert_eq!(garden.shown().await, "<owner>me</owner><drip>3</drip>");
    // What is valid node by node and not as a whole is not done even then.
    let both = in_rule("<low>4</low><high>3</high>");
    let edit = EditConfig::new(Datastore::Running, both).error_option("continue-on-error");
    assert_eq!(errors_of(garden.send(edit).await)[0].app_tag.as_deref(), Some("above-low"));
    assert_eq!(garden.shown().await, "<owner>me</owner><drip>3</drip>");

    let test = |body: &str, option| garden.send(EditConfig::new(Datastore::Running, in_rule(body)).test_option(option));
    test("<low>1</low><high>3</high>", "test-only").await.unwrap();
    assert_eq!(errors_of(test("<low>3</low><high>1</high>", "test-only").await)[0].tag, ErrorTag::OperationFailed);
    assert_eq!(errors_of(test("<low>3</low><high>1</high>", "set").await)[0].tag, ErrorTag::OperationFailed);
    assert_eq!(garden.shown().await, "<owner>me</owner><drip>3</drip>");
    let unknown = EditConfig::new(Datastore::Running, in_rule("")).test_option("test-twice");
    let error = errors_of(garden.send(unknown).await).remove(0);
    assert_eq!(
        (error.tag, &error.info[..]),
        (ErrorTag::InvalidValue, &[ErrorInfo::BadElement("test-option".into())][..])
    );
}

/// RFC 6241 sections 7.3 and 8.6.4.1: a whole configuration, in the request itself.
#[tokio::test]
async fn an_inline_configuration_is_validated_and_copied() {
    let garden = garden().await;
    let validate =
        |config: &str| garden.session.rpc(format!("<validate><source><config>{config}</config></source></validate>"));
    let fine = in_garden("<owner>me</owner><bed><name>a</name></bed><turn><first>b</first><last>c</last></turn>");
    validate(&fine).await.unwrap();
    assert_eq!(garden.shown().await, "");
    let errors = errors_of(validate(&in_rule("<low>3</low><high>1</high>")).await);
    assert_eq!(errors[0].app_tag.as_deref(), Some("above-low"));
    garden.session.replace_config(&Datastore::Running, &fine).await.unwrap();
    let held = garden.shown().await;
    assert_eq!(held, "<owner>me</owner><bed><name>a</name></bed><turn><first>b</first><last>c</last></turn>");
    // It is no edit: it says what there is, and each thing once.
    for (body, tag) in [
        ("<owner nc:operation=\"delete\"/>", ErrorTag::UnknownAttribute),
        ("<guest yang:insert=\"first\">x</guest>", ErrorTag::UnknownAttribute),
        ("<bed><name>a</name></bed><bed><name>a</name></bed>", ErrorTag::BadElement),
        ("<label>a</label><label>a</label>", ErrorTag::BadElement),
        ("<owner>a</owner><owner>b</owner>", ErrorTag::BadElement),
        ("<age>3</age>", ErrorTag::UnknownElement),
    ] {
        for done in [
            validate(&in_garden(body)).await,
            garden.session.replace_config(&Datastore::Running, &in_garden(body)).await,
        ] {
            let errors = errors_of(done);
            assert_eq!((errors.len(), errors[0].tag), (1, tag), "{body}: {errors:?}");
        }
    }
    assert_eq!(garden.shown().await, held);
}
