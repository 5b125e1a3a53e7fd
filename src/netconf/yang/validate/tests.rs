//! Tests of constraints: each error's tag, app-tag and path, `when`, and that the mirror follows.

mod oracle;

use super::*;
use crate::error::{ErrorInfo, ErrorTag};
use crate::xml::{Document, Limits};
use crate::yang::edit::{self, Operation};
use crate::yang::fixture;
use crate::yang::value::Value;

fn edited(tree: &Tree, config: &str) -> Tree {
    let text = format!("<config xmlns:nc=\"{}\">{config}</config>", edit::NETCONF_NAMESPACE);
    let document = Document::parse(&text, &Limits::default()).unwrap();
    let (tree, errors) = edit::edit(tree, document.root(), Operation::Merge);
    assert!(errors.is_empty(), "{config}: {errors:?}");
    tree
}

fn servers(body: &str) -> String {
    format!("<servers xmlns=\"urn:fixture\">{body}</servers>")
}

struct Bench {
    validator: Validator,
    running: Tree,
}

impl Bench {
    fn new() -> Bench {
        let schema = fixture::schema();
        Bench { validator: Validator::new(schema.clone()), running: Tree::initial(schema) }
    }

    fn commit(&mut self, config: &str) -> Result<(), Vec<RpcError>> {
        let new = edited(&self.running, config);
        self.running = self.validator.validate(&self.running, &new)?;
        Ok(())
    }

    fn error(&mut self, config: &str) -> RpcError {
        let before = self.running.clone();
        let errors = self.commit(config).unwrap_err();
        assert!(before.same_version(&self.running));
        errors.into_iter().next().unwrap()
    }
}

#[test]
fn constraints_have_their_tags_app_tags_and_paths() {
    let mut bench = Bench::new();
    bench.commit(&servers("<server><name>a</name><address>x</address></server>")).unwrap();
    let error = bench.error(&servers("<rule><id>1</id><sub>s</sub></rule>"));
    assert_eq!(error.tag, ErrorTag::DataMissing, "{error}");
    assert_eq!(
        error.path.as_ref().unwrap().text,
        "/fixture:servers/fixture:rule[fixture:id='1'][fixture:sub='s']/fixture:action"
    );
    let error = bench.error(&servers("<server><name>b</name><address>x</address></server>"));
    assert_eq!((error.tag, error.app_tag.as_deref()), (ErrorTag::OperationFailed, Some("data-not-unique")), "{error}");
    let ErrorInfo::Other { text, namespaces, .. } = &error.info[1] else { panic!("{error:?}") };
    assert_eq!(text, "/fixture:servers/fixture:server[fixture:name='b']/fixture:address");
    assert_eq!(namespaces[0].1, "urn:fixture");
    let error = bench.error(&servers("<server><name>b</name><backup>z</backup></server>"));
    assert_eq!((error.tag, error.app_tag.as_deref()), (ErrorTag::DataMissing, Some("instance-required")), "{error}");
    assert_eq!(error.path.as_ref().unwrap().text, "/fixture:servers/fixture:server[fixture:name='b']/fixture:backup");
    let four: String = ["b", "c", "d"].iter().map(|n| format!("<server><name>{n}</name></server>")).collect();
    let error = bench.error(&servers(&four));
    assert_eq!((error.tag, error.app_tag.as_deref()), (ErrorTag::OperationFailed, Some("too-many-servers")), "{error}");
    assert_eq!(error.message.as_deref(), Some("At most three servers."));
    // All of it still works after the failures.
    bench.commit(&servers("<server><name>b</name><backup>a</backup></server>")).unwrap();
    let error = bench.error(&servers("<server nc:operation=\"delete\"><name>a</name></server>"));
    assert_eq!(error.app_tag.as_deref(), Some("instance-required"));
}

#[test]
fn when_decides_what_may_be_there() {
    let mut bench = Bench::new();
    let error = bench.error(&servers("<server><name>a</name><weight>3</weight></server>"));
    assert_eq!(error.tag, ErrorTag::UnknownElement, "{error}");
    bench.commit(&servers("<server><name>a</name><port>80</port><weight>3</weight></server>")).unwrap();
    assert_eq!(bench.running.value("/fixture:servers/server[name='a']/weight"), Some(Value::Uint(3)));
    // A when that turns false takes its node away.
    bench.commit(&servers("<server><name>a</name><port>22</port></server>")).unwrap();
    assert_eq!(bench.running.value("/fixture:servers/server[name='a']/weight"), None);
    bench.commit(&servers("<server><name>a</name><port>80</port></server>")).unwrap();
    assert_eq!(bench.running.value("/fixture:servers/server[name='a']/weight"), None);
}

#[test]
fn an_edit_that_our_own_checks_cover_needs_no_mirror() {
    let mut bench = Bench::new();
    bench.commit("<system xmlns=\"urn:fixture\"><name>x</name><port>1</port></system>").unwrap();
    bench.commit(&servers("<server><name>a</name><port>80</port><weight>3</weight></server>")).unwrap();
    assert!(bench.validator.mirror.is_none());
    // What a when takes away only the whole validation knows.
    bench.commit(&servers("<server><name>a</name><port>22</port></server>")).unwrap();
    assert!(bench.validator.mirror.is_some());
    bench
        .commit("<system xmlns=\"urn:fixture\"><port>2</port><port nc:operation=\"delete\">1</port></system>")
        .unwrap();
    bench.commit("<system xmlns=\"urn:fixture\"><port nc:operation=\"delete\">2</port></system>").unwrap();
    bench.commit(&servers("<server nc:operation=\"delete\"><name>a</name></server>")).unwrap();
}

#[test]
fn operations_are_validated_with_their_input() {
    let schema = fixture::schema();
    let mut validator = Validator::new(schema.clone());
    let running = Tree::initial(schema.clone());
    let read = |text: &str| {
        let document = Document::parse(text, &Limits::default()).unwrap();
        edit::read_operation(&schema, document.root()).unwrap()
    };
    let good = read("<restart xmlns=\"urn:fixture\"><reason>r</reason></restart>");
    assert_eq!(good.value("/fixture:restart/input/delay"), Some(Value::Uint(5)));
    validator.validate_operation(&good, Kind::Rpc, &running).unwrap();
    let bad = read("<restart xmlns=\"urn:fixture\"/>");
    let errors = validator.validate_operation(&bad, Kind::Rpc, &running).unwrap_err();
    assert_eq!(errors[0].tag, ErrorTag::MissingElement, "{errors:?}");
}

#[test]
fn anydata_counts_by_its_presence() {
    let mut bench = Bench::new();
    let system = "<system xmlns=\"urn:fixture\"><any><x xmlns=\"urn:x\">1</x></any></system>";
    bench.commit(&format!("{system}{}", servers("<server><name>a</name></server>"))).unwrap();
    bench.validator.validate_all(&bench.running).unwrap();
    bench.commit(&servers("<server><name>b</name></server>")).unwrap();
}

#[test]
fn data_is_validated_with_its_state() {
    let schema = fixture::schema();
    let check = |body: &str| {
        let text = format!("<data>{}</data>", servers(body));
        let document = Document::parse(&text, &Limits::default()).unwrap();
        Validator::validate_data(&schema, &edit::read_data(&schema, document.root()).unwrap())
    };
    check("<server><name>a</name><statistics><hits>1</hits></statistics></server><sample><at>1</at></sample>").unwrap();
    let errors = check("<server><name>a</name><backup>z</backup></server>").unwrap_err();
    assert_eq!(errors[0].app_tag.as_deref(), Some("instance-required"), "{errors:?}");
}
